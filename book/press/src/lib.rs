//! Builds the book: mdBook in-process, our own steps between its reading and its writing.
//!
//! [`build`] is what `cargo stage` calls. A plain `mdbook build` gives the same chapters: book.toml names the two
//! steps ([`Check`], [`Draw`]), and the `press` binary speaks mdBook's protocol for them.
//!
//! # What a chapter may use
//!
//! Chapters lie directly in `book/src`. Their file's first part is their number (`03-server-sent-events.md`) or
//! their letter (`a-the-client-in-rust.md`). Whatever is wrong is told with file and line, all of it at once, and
//! fails the build.
//!
//! ## Front matter
//! ```text
//! <!-- minutes: read 14, lab 35, demo 6; needs: chapters [1](01-one-exchange.md) and 2; technique: sse -->
//! # What survives a disconnect? { #disconnect }
//!
//! The paragraph after the heading is the lede.
//! ```
//! Each part may be left out. `technique` is one of `fetch`, `poll`, `sse`, `stream`, `ws`. Headings carry explicit
//! ids, so that a translation keeps them.
//!
//! ## Transcripts
//! ````text
//! ```transcript title="A cut, and the way back" id="resume-drawn"
//! {{#include ../../labs/lab3-sse/tests/snapshots/resume.snap}}
//! ```
//! ````
//! One include (a snapshot's header is left out) or the text itself. `title` is the caption, `id` a target for links,
//! `from` says where a hand-written one comes from (an include says it by itself), `lines="3-9"` shows some lines,
//! `scene="the way back"` what follows the note with these words, up to the next note, and `technique="poll"` gives
//! requests the colour of long polling, which on the wire are requests like any other. A reader can play the drawing
//! moment by moment where there are more than two; `player="no"` leaves that out.
//!
//! ## Code
//! ````text
//! ```rust
//! {{#include ../../solutions/lab3-sse/src/lib.rs:todo_2}}
//! ```
//! ````
//! mdBook's own syntax: a whole file, an anchor (`// ANCHOR: todo_2` … `// ANCHOR_END: todo_2`), or lines (`:10:20`).
//! A fence with one include is captioned with path and lines, and starts at the margin; `title` adds words. Languages:
//! `rust`, `js`, `html`, `css`, `toml`, `json`, `http`, `console` (`$ ` before what one types) and `text`.
//!
//! ## Predict first
//! ````text
//! ```predict id="predict-clean-end"
//! The server ends the stream cleanly. What does `EventSource` do?
//!
//! - [ ] It is done: `readyState` is CLOSED. — Why not,
//!   in indented lines if there is more to say.
//! - [x] It waits, then connects again. — Why so.
//! ```
//! ````
//!
//! ## Notes
//! ```text
//! > [!NOTE]
//! > Markdown. Also TIP, IMPORTANT, WARNING, CAUTION; words behind the bracket replace the label.
//!
//! > [!LAB] Lab 3 · The ticker { #lab }
//! > The lab's box.
//!
//! > [!INSTRUCTOR] 6 min
//! > Closed until one opens it.
//! ```
//!
//! ## A TODO's contract
//! `{{#contract ../../labs/lab3-sse/contract.md:4}}`, alone on its line: the summary and the clauses of TODO 4.
//!
//! ## A lab's hints
//! `{{#hints ../../labs/lab3-sse/hints.md:4}}`, alone on its line: those of TODO 4, each inside the one before it.
//!
//! ## Techniques
//! `<span class="technique sse">SSE</span>` bears the technique's shape and colour beside its name. A list inside
//! `<div class="map">` shows figures as tiles.
//!
//! ## On a stage
//! `<div class="on-stage">` is seen where a stage serves the book, `<div class="off-stage">` elsewhere. Links to
//! `/live/…`, `/race` and `/class` belong into the former.
//!
//! ## Elements to play with
//! ```text
//! <ws-frame>
//!
//! What stands here instead where no script runs, and in print: Markdown.
//!
//! </ws-frame>
//! ```
//! Each tag alone on its line, with empty lines around it. `<ws-frame>` takes a WebSocket frame apart, `<sse-bytes>`
//! an event stream that comes in pieces, `<rt-choose>` asks the five questions of chapter 0. (`<wire-player>` comes
//! with each transcript by itself, `<rt-predict>` with each question.) `book/widgets` holds them; the stage builds it and gives it to [`build`].
//! `<rt-map>` measures the techniques for the reader's settings, `<try-it lab="3">` is a lab in the page, which
//! begins with the code inside it, the lab's `client.js`; both ask the bench (`book/playground`), which the stage builds
//! where it can, as it does the editor (`book/editor`).
//!
//! ## Links
//! Chapters link to each other's source (`03-server-sent-events.md#resume`). Links, anchors, pictures and includes are
//! checked. No page loads anything from another host, and a chapter holds no script, form or inline style.

mod address;
mod code;
mod contracts;
mod elements;
mod facts;
mod fault;
mod fences;
mod finish;
mod head;
mod highlight;
mod hints;
mod includes;
mod labels;
mod links;
mod markdown;
mod notes;
mod outline;
mod placed;
mod predict;
mod stages;
mod transcripts;
mod warnings;

pub use address::Address;
pub use fault::{Fault, Faults};
pub use markdown::escape;
pub use outline::{AnswerOutline, NoteOutline, PageOutline, QuestionOutline, outline};
pub use stages::{Check, Draw};

use finish::Finish;
use labels::Labels;
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to build, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository's root, where book.toml is.
    pub root: PathBuf,
    /// The site's folder. The pages go into a folder of their language's name inside; what was there is replaced.
    pub out: PathBuf,
    /// The language to build: `en`.
    pub language: String,
    /// All languages of the site, this one among them: each page links to itself in the others.
    pub languages: Vec<String>,
    /// Where the site will stand. Without it the pages work all the same, at any address; they only leave out what
    /// needs a whole one (canonical links, the preview of a link, the sitemap), and the page for a wrong address, which
    /// must find its style from any depth, supposes the root of a host.
    pub address: Option<Address>,
    /// Whether a stage serves the pages, so that they may offer what is live.
    pub on_stage: bool,
    /// The module behind the elements to play with. Without it the pages are there to be read.
    pub widgets: Option<Widgets>,
    /// The bench for the elements that grade and measure. Without it they show what stands in them.
    pub playground: Option<Playground>,
    /// The editor of the lab in the page. Without it a plain text field is there.
    pub editor: Option<Editor>,
}

impl Options {
    /// The English book of the repository at `root`, for a web host, into `out`.
    pub fn new(root: impl Into<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            out: out.into(),
            language: labels::ENGLISH.code.to_owned(),
            languages: vec![labels::ENGLISH.code.to_owned()],
            address: None,
            on_stage: false,
            widgets: None,
            playground: None,
            editor: None,
        }
    }
}

/// The module behind the elements to play with, as wasm-bindgen packs it for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widgets {
    /// The JavaScript module that loads the WebAssembly, `export default` its function for that.
    pub script: String,
    /// The WebAssembly.
    pub wasm: Vec<u8>,
}

/// The bench for the pages: a folder of the site, for which they load `playground.js`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playground {
    /// The files by name, `playground.js` and what it loads.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The editor of the lab in the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editor {
    /// One JavaScript module that loads nothing else.
    pub script: String,
}

/// How far a build has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The chapters are read; the number of them.
    Read(usize),
    /// The pages are written, and are finished next.
    Written,
    /// Everything is in its place.
    Done,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::Read(1) => write!(f, "1 chapter read"),
            Progress::Read(chapters) => write!(f, "{chapters} chapters read"),
            Progress::Written => write!(f, "pages written"),
            Progress::Done => write!(f, "book built"),
        }
    }
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Report {
    /// The folder of this language's pages.
    pub folder: PathBuf,
    /// The number of pages, with the ones for print and for a wrong address.
    pub pages: usize,
    /// How long it took.
    pub took: Duration,
}

/// Why a book was not built.
#[derive(Debug)]
#[non_exhaustive]
pub enum PressError {
    /// Chapters name what is not there, or are otherwise wrong.
    Faults(Faults),
    /// The book is not written in this language.
    Language(String),
    /// mdBook could not read the book or write its pages.
    Book(anyhow::Error),
    /// A file could not be written.
    File(PathBuf, std::io::Error),
}

impl fmt::Display for PressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PressError::Faults(faults) => write!(f, "{faults}"),
            PressError::Language(language) => {
                write!(f, "The book is not written in the language `{language}`.")
            }
            PressError::Book(error) => write!(f, "The book cannot be built: {error:#}."),
            PressError::File(path, error) => {
                write!(f, "`{}` cannot be written: {error}.", path.display())
            }
        }
    }
}

impl std::error::Error for PressError {}

/// Builds the book in one language, into `out/<language>`; with the first language also what stands at the root: the
/// page that leads to it, the page for a wrong address, and what search engines and previews are given.
///
/// # Errors
/// [`PressError::Faults`] lists everything that is wrong in the chapters, with file and line. The rest is a book.toml
/// or SUMMARY.md that mdBook cannot read, or a file that cannot be written.
pub fn build(options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Report, PressError> {
    let started = Instant::now();
    let labels = labels_of(&options.language)?;
    let languages = options.languages.iter().map(|code| labels_of(code)).collect::<Result<Vec<_>, _>>()?;
    let out =
        std::path::absolute(&options.out).map_err(|error| PressError::File(options.out.clone(), error))?;
    let folder = out.join(labels.code);

    let (result, warnings) = warnings::heard(|| {
        let book = load(options, &folder)?;
        let chapters = book.book.chapters().count();
        // mdBook is content with an empty book; nobody else is.
        anyhow::ensure!(chapters > 0, "SUMMARY.md lists no chapter");
        progress(Progress::Read(chapters));
        book.build()?;
        Ok(book.config.book)
    });
    let book = result.map_err(|error| match error.downcast::<Faults>() {
        Ok(faults) => PressError::Faults(faults),
        Err(error) => PressError::Book(error),
    })?;
    warned_of(warnings, &options.root, &book.src).into_result().map_err(PressError::Faults)?;
    progress(Progress::Written);

    let widgets = options.widgets.as_ref().map(|widgets| elements::place(widgets, &out)).transpose();
    let widgets = widgets.map_err(|(path, error)| PressError::File(path, error))?;
    let playground = options.playground.as_ref().map(|bench| elements::place_bench(bench, &out)).transpose();
    let playground = playground.map_err(|(path, error)| PressError::File(path, error))?;
    let scripts = options.root.join("book/theme/js/try-it");
    let try_it =
        elements::place_try_it(&scripts, &out).map_err(|(path, error)| PressError::File(path, error))?;
    let editor = options.editor.as_ref().map(|editor| elements::place_editor(editor, &out)).transpose();
    let editor = editor.map_err(|(path, error)| PressError::File(path, error))?;
    let title = book.title.unwrap_or_default();
    let site = head::Site { title: &title, address: options.address.as_ref(), labels, languages: &languages };
    let finish = Finish { site, on_stage: options.on_stage, widgets, playground, try_it, editor };
    let pages = finish.folder(&folder).map_err(|(path, error)| PressError::File(path, error))?;
    if languages.first().is_none_or(|first| first.code == labels.code) {
        root_of(options, &site, &out, &folder, &pages)?;
    }
    progress(Progress::Done);
    Ok(Report { folder, pages: pages.len(), took: started.elapsed() })
}

fn labels_of(code: &str) -> Result<&'static Labels, PressError> {
    Labels::of(code).ok_or_else(|| PressError::Language(code.to_owned()))
}

fn load(options: &Options, folder: &Path) -> anyhow::Result<MDBook> {
    let mut config = Config::from_disk(options.root.join("book.toml"))?;
    config.set("book.language", &options.language)?;
    config.set("build.build-dir", folder)?;
    let mut book = MDBook::load_with_config(&options.root, config)?;
    // They take the places of the entries of the same name in book.toml.
    book.with_preprocessor(Check);
    book.with_preprocessor(Draw);
    Ok(book)
}

/// What mdBook only warns of (a tag that is never closed, a footnote nobody uses) is a fault as well. It names the
/// chapter, and no line.
fn warned_of(warnings: Vec<String>, root: &Path, chapters: &Path) -> Faults {
    let fault = |what: String| {
        let named = what
            .split('`')
            .filter(|word| word.ends_with(".md"))
            .map(|word| chapters.join(word))
            .find(|file| root.join(file).is_file());
        Fault { file: named.unwrap_or_else(|| PathBuf::from("book.toml")), line: None, what }
    };
    Faults(warnings.into_iter().map(fault).collect())
}

/// Writes what stands at the site's root, beside the languages; the first of them is in `folder`.
fn root_of(
    options: &Options,
    site: &head::Site<'_>,
    out: &Path,
    folder: &Path,
    pages: &[String],
) -> Result<(), PressError> {
    let read = |path: PathBuf| std::fs::read(&path).map_err(|error| PressError::File(path, error));
    let index = read(folder.join("index.html"))?;
    let index = String::from_utf8_lossy(&index);
    write(&out.join("index.html"), site.door(&index))?;
    // Where a web host looks for it.
    write(&out.join("404.html"), read(folder.join("404.html"))?)?;
    if !options.on_stage {
        let script = read(options.root.join("book/theme/offline").join(finish::OFFLINE))?;
        let version = version_of(folder, pages)?;
        let script = String::from_utf8_lossy(&script).replace("{{version}}", &version);
        write(&out.join(finish::OFFLINE), script)?;
    }
    let Some(address) = &options.address else { return Ok(()) };
    write(&out.join("sitemap.xml"), head::sitemap(address, site.languages, pages, &index))?;
    if let Some(robots) = head::robots(address) {
        write(&out.join("robots.txt"), robots)?;
    }
    write(&out.join(head::PREVIEW), read(options.root.join("book/theme").join(head::PREVIEW))?)
}

/// A word that changes with any page; a page names its other files by their content.
fn version_of(folder: &Path, pages: &[String]) -> Result<String, PressError> {
    let mut hasher = DefaultHasher::new();
    for page in pages {
        let path = folder.join(page);
        std::fs::read(&path).map_err(|error| PressError::File(path, error))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), PressError> {
    std::fs::write(path, content).map_err(|error| PressError::File(path.to_path_buf(), error))
}
