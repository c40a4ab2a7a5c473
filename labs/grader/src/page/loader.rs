//! The client's files, and how `import` finds them.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex},
};

use rquickjs::{
    Ctx, Error, Module, Result,
    loader::{ImportAttributes, Loader, Resolver},
    module::{Declared, WriteOptions},
};

use super::error::{PageError, Place};
use crate::{tape::lock, text::plain};

/// The client's files by name (`client.js`, `lib/view.js`).
///
/// They are read from a folder natively and passed in by the book's page, so
/// this never touches a file system. Where one of them is `index.html`, the
/// elements that carry an `id` there exist in the page's document.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Arc<BTreeMap<String, String>>,
    /// Files that are there and no text, with what they are: `UTF-16`.
    others: Arc<BTreeMap<String, String>>,
}

impl Sources {
    /// Sources from names and texts. Names are relative, with `/` between folders. Line ends and a
    /// byte order mark make no difference.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Sources {
        let files = files.into_iter().map(|(name, text)| {
            let plain = match plain(&text) {
                Cow::Borrowed(same) if same.len() == text.len() => None,
                other => Some(other.into_owned()),
            };
            (name, plain.unwrap_or(text))
        });
        Sources { texts: Arc::new(files.collect()), ..Sources::default() }
    }

    /// The same, with files whose encoding no browser reads in a script: their names, and what they are.
    #[must_use]
    pub fn with_others(self, others: impl IntoIterator<Item = (String, String)>) -> Sources {
        Sources { others: Arc::new(others.into_iter().collect()), ..self }
    }

    /// The text of one file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Where a module waits at its top level: the one line of its or of the other scripts that says `await` without being
    /// indented, or the module as a whole where it is not that clear.
    pub(super) fn top_level_await(&self, entry: &str) -> Place {
        let scripts = self.texts.iter().filter(|(name, _)| !name.ends_with(".html"));
        let mut found = scripts.flat_map(|(name, text)| {
            text.lines().zip(1..).filter_map(move |(line, number)| {
                let column = line.find("await ")?;
                let is_code = !line.starts_with([' ', '\t', '/', '*', '}']);
                (is_code && !line[..column].contains("async")).then(|| Place {
                    file: name.clone(),
                    line: number,
                    column: u32::try_from(line[..column].chars().count()).unwrap_or_default() + 1,
                    function: None,
                })
            })
        });
        match (found.next(), found.next()) {
            (Some(place), None) => place,
            _ => Place { file: entry.to_owned(), ..Place::default() },
        }
    }

    /// The names of all files with a text, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// Why a file is not there.
    pub(super) fn absent(&self, path: &str, named: &str, importer: Option<&str>) -> PageError {
        match self.others.get(path) {
            Some(encoding) => PageError::Encoding { file: path.to_owned(), encoding: encoding.clone() },
            None => PageError::MissingFile { file: named.to_owned(), importer: importer.map(str::to_owned) },
        }
    }
}

/// How the names of the bench's own scripts begin. No client can import them,
/// and their frames never show in a stack trace.
pub(super) const OWN: &str = "grader:";

/// The page's browser part, by module name: `prelude/*.js`, as `build.rs` has stripped it.
const PRELUDE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/prelude.rs"));

/// The prelude's module that imports all others and names the globals.
pub(super) const MAIN: &str = "grader:main.js";

/// What the engine made of the prelude when the first page of this process was opened.
///
/// A lab opens some fifty pages, and compiling the prelude was most of the time that each took.
static COMPILED: Mutex<BTreeMap<&str, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

/// Declares a module of the prelude; nothing if there is none of that name.
#[allow(unsafe_code)]
pub(super) fn declare_prelude<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Result<Module<'js, Declared>>> {
    let (name, text) = PRELUDE.iter().find(|(module, _)| *module == name)?;
    let compiled = lock(&COMPILED).get(name).cloned();
    if let Some(bytes) = compiled {
        // SAFETY: these bytes were written below by this same engine, in this
        // process, and have not been changed since. The engine copies them.
        return Some(unsafe { Module::load(ctx.clone(), &bytes) });
    }
    Some(Module::declare(ctx.clone(), *name, *text).and_then(|module| {
        let bytes = module.write(WriteOptions::default())?;
        lock(&COMPILED).insert(name, bytes.into());
        Ok(module)
    }))
}

/// Why the file that an `import` named could not be had.
pub(super) type Missing = Rc<RefCell<Option<PageError>>>;

/// Turns specifiers into names of files, as a browser resolves URLs against the
/// importing module's.
pub(super) struct Names {
    pub(super) sources: Sources,
    pub(super) missing: Missing,
}

impl Resolver for Names {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if base.starts_with(OWN)
            && let Some(name) = name.strip_prefix("./")
        {
            return Ok(format!("{OWN}{name}"));
        }
        let path = relative(file_of(base), name);
        let file = path.as_deref().map_or("", file_of);
        let problem = match self.sources.get(file) {
            None => self.sources.absent(file, name, Some(base)),
            Some(_) if is_json(file) && !asks_for_json(attributes.as_ref()) => {
                PageError::NotAScript { named: name.to_owned(), importer: base.to_owned() }
            }
            Some(_) => return Ok(path.unwrap_or_default()),
        };
        *self.missing.borrow_mut() = Some(problem);
        Err(Error::new_resolving(base, name))
    }
}

/// The file that a server sends for the path of a module: `dep.js` for `dep.js?v=2`.
fn file_of(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or(path)
}

fn is_json(file: &str) -> bool {
    file.ends_with(".json")
}

/// Whether an import says `with { type: 'json' }`.
fn asks_for_json(attributes: Option<&ImportAttributes<'_>>) -> bool {
    let asked = attributes.and_then(|attributes| attributes.get("type").ok().flatten());
    asked.as_deref() == Some("json")
}

/// The path that `name` means in the module `base`; bare names mean nothing.
fn relative(base: &str, name: &str) -> Option<String> {
    let mut folders: Vec<&str> = if name.starts_with('/') {
        Vec::new()
    } else if name.starts_with("./") || name.starts_with("../") {
        base.split('/').rev().skip(1).collect::<Vec<_>>()
    } else {
        return None;
    };
    folders.reverse();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                // Above the root a URL stays at the root.
                folders.pop();
            }
            part => folders.push(part),
        }
    }
    Some(folders.join("/"))
}

/// Gives the engine the text of a module.
pub(super) struct Texts(pub(super) Sources);

impl Loader for Texts {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if let Some(module) = declare_prelude(ctx, name) {
            return module;
        }
        match self.0.get(file_of(name)) {
            Some(text) if is_json(file_of(name)) => {
                // A string of JSON is one of JavaScript, too.
                let quoted = serde_json::Value::from(text);
                Module::declare(ctx.clone(), name, format!("export default JSON.parse({quoted});"))
            }
            Some(text) => Module::declare(ctx.clone(), name, text),
            None => Err(Error::new_loading(name)),
        }
    }
}

/// The elements with an `id` in a page's HTML: tag and id, in the document's order.
///
/// It reads start tags only, which is all that the bench's small document needs.
pub(super) fn elements(html: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        if !name.is_empty()
            && let Some(id) = attribute(tag, "id")
        {
            found.push((name.to_ascii_lowercase(), id.to_owned()));
        }
    }
    found
}

/// The value of an attribute in the inside of a start tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + name.len()..];
        let Some(value) = rest.trim_start().strip_prefix('=').map(str::trim_start) else {
            continue;
        };
        if !before.is_some_and(char::is_whitespace) {
            continue;
        }
        return match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
            _ => value.split([' ', '\n', '\t', '/']).next(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_resolve_against_the_importing_module() {
        let path = |base, name| relative(base, name);
        assert_eq!(path("client.js", "./todo.js").as_deref(), Some("todo.js"));
        assert_eq!(path("lib/a.js", "./b.js").as_deref(), Some("lib/b.js"));
        assert_eq!(path("a/b/c.js", "./d.js").as_deref(), Some("a/b/d.js"));
        assert_eq!(path("lib/a.js", "../b.js").as_deref(), Some("b.js"));
        assert_eq!(path("lib/a.js", "/b.js").as_deref(), Some("b.js"));
        assert_eq!(path("client.js", "lodash"), None);
        assert_eq!(path("client.js", "./dep.js?v=a").as_deref(), Some("dep.js?v=a"));
    }

    #[test]
    fn elements_with_an_id_are_read_from_the_pages_html() {
        let html = "<!-- <p id=no> --><main class=\"a\" id=\"app\"><p data-id=x id='status'></p>\
                    <input id=name><br>";
        let found = elements(html);
        let found: Vec<_> = found.iter().map(|(t, i)| (t.as_str(), i.as_str())).collect();
        assert_eq!(found, [("main", "app"), ("p", "status"), ("input", "name")]);
    }
}
