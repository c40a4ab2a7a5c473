//! The elements that a reader can play with: their names, and where what they load lies in the site.

use crate::{Editor, Playground, Widgets};
use std::collections::{BTreeMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// What an author may place.
pub(crate) const PLACED: [&str; 5] = ["rt-choose", "rt-map", "sse-bytes", "try-it", "ws-frame"];

/// Those that ask the bench.
const WITH_BENCH: [&str; 2] = ["rt-map", "try-it"];

/// Whether an element on this page is brought to life by the widgets' module.
pub(crate) fn has_element(html: &str) -> bool {
    has(html, "wire-player") || PLACED.iter().any(|name| has(html, name))
}

/// Whether an element on this page asks the bench.
pub(crate) fn asks_bench(html: &str) -> bool {
    WITH_BENCH.iter().any(|name| has(html, name))
}

/// Whether a lab can be tried on this page.
pub(crate) fn tries_a_lab(html: &str) -> bool {
    has(html, "try-it")
}

/// Whether there is an element of this name on a page.
fn has(html: &str, name: &str) -> bool {
    // A name is followed by a blank or an end; what is shown as code begins with `&lt;`.
    html.match_indices(&format!("<{name}"))
        .any(|(at, tag)| html[at + tag.len()..].starts_with([' ', '>', '\n']))
}

/// Puts the module into the site's folder `out`, under names that change with its content. Gives what they begin
/// with: `widgets-0123abcd`.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn place(widgets: &Widgets, out: &Path) -> Result<String, (PathBuf, io::Error)> {
    let mut hasher = DefaultHasher::new();
    (&widgets.script, &widgets.wasm).hash(&mut hasher);
    let name = format!("widgets-{:08x}", hasher.finish() as u32);
    let write = |ending: &str, bytes: &[u8]| {
        let path = out.join(format!("{name}.{ending}"));
        std::fs::write(&path, bytes).map_err(|error| (path, error))
    };
    write("js", widgets.script.as_bytes())?;
    write("wasm", &widgets.wasm)?;
    Ok(name)
}

/// Puts the editor into the site's folder `out`, and gives its name, which changes with its content.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn place_editor(editor: &Editor, out: &Path) -> Result<String, (PathBuf, io::Error)> {
    let mut hasher = DefaultHasher::new();
    editor.script.hash(&mut hasher);
    let name = format!("editor-{:08x}.js", hasher.finish() as u32);
    let path = out.join(&name);
    std::fs::write(&path, &editor.script).map_err(|error| (path, error))?;
    Ok(name)
}

/// Puts the bench into the site's folder `out`, as [`place_folder`] does.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn place_bench(playground: &Playground, out: &Path) -> Result<String, (PathBuf, io::Error)> {
    place_folder("playground", &playground.files, out)
}

/// Puts the scripts of `<try-it>` into the site's folder `out`; nothing where `from`, their folder, is not there.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn place_try_it(from: &Path, out: &Path) -> Result<Option<String>, (PathBuf, io::Error)> {
    if !from.is_dir() {
        return Ok(None);
    }
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(from).map_err(|error| (from.to_path_buf(), error))? {
        let path = entry.map_err(|error| (from.to_path_buf(), error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, std::fs::read(&path).map_err(|error| (path, error))?);
    }
    place_folder("try-it", &files, out).map(Some)
}

/// Puts files into a folder of the site's folder `out` whose name changes with their content, and gives that name.
fn place_folder(
    what: &str,
    files: &BTreeMap<String, Vec<u8>>,
    out: &Path,
) -> Result<String, (PathBuf, io::Error)> {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    let name = format!("{what}-{:08x}", hasher.finish() as u32);
    let folder = out.join(&name);
    std::fs::create_dir_all(&folder).map_err(|error| (folder.clone(), error))?;
    for (file, bytes) in files {
        let path = folder.join(file);
        std::fs::write(&path, bytes).map_err(|error| (path, error))?;
    }
    Ok(name)
}
