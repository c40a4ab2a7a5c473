//! The two steps that chapters go through, as mdBook preprocessors: [`Check`] before mdBook follows includes,
//! where lines still are the author's; [`Draw`] after it, and after a translation.

use crate::fault::{Faults, Reporter};
use crate::fences::{self, Fence, Info};
use crate::labels::{ENGLISH, Labels};
use crate::links::{self, Page};
use crate::notes::{self, Unwrapped};
use crate::{code, contracts, facts, hints, includes, predict, transcripts};
use mdbook_preprocessor::book::{Book, Chapter};
use mdbook_preprocessor::errors::Result;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Unwraps notes, remembers where code comes from, and checks everything that chapters name.
#[derive(Debug)]
pub struct Check;

impl Preprocessor for Check {
    fn name(&self) -> &str {
        "press-check"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let source = Source { root: &context.root, folder: &context.config.book.src };
        let mut faults = Faults::default();
        let mut pages = BTreeMap::new();
        book.for_each_chapter_mut(|chapter| {
            let Some(file) = chapter.source_path.clone() else {
                return;
            };
            let shown = source.folder.join(&file);
            let mut report = Reporter::new(&shown, &mut faults);
            let (content, page) = source.checked(&file, &chapter.content, &mut report);
            chapter.content = content;
            pages.insert(file, page);
        });
        let chapters = source.root.join(source.folder);
        for file in pages.keys() {
            let shown = source.folder.join(file);
            links::check(file, &chapters, &pages, &mut Reporter::new(&shown, &mut faults));
        }
        faults.into_result()?;
        Ok(book)
    }
}

/// Where the chapters are.
struct Source<'a> {
    root: &'a Path,
    folder: &'a Path,
}

impl Source<'_> {
    /// Checks a chapter; gives it back with its notes unwrapped, and what it offers to links.
    fn checked(&self, file: &Path, content: &str, report: &mut Reporter<'_>) -> (String, Page) {
        if file.components().count() != 1 {
            report.somewhere("chapters lie beside SUMMARY.md, not in a folder of their own.");
        }
        let unwrapped = notes::unwrap(content, report);
        let read = |path: &str| self.look_up(path).map(|part| part.text);
        let unwrapped = contracts::place(unwrapped, read, report);
        let mut unwrapped = hints::place(unwrapped, read, report);
        let mut page = Page::default();
        let lines: Vec<&str> = unwrapped.lines.iter().map(String::as_str).collect();
        if let Err((line, what)) = facts::check(&lines) {
            report.at(unwrapped.origin(line), what);
        }
        links::read(&unwrapped.text(), &|line| unwrapped.origin(line), &mut page, report);
        for (at, line) in lines.iter().enumerate() {
            if fences::spoilt_by_backtick(line) {
                report.at(
                    unwrapped.origin(at),
                    "a backtick behind a fence of backticks makes it plain text; fence with `~~~` here.",
                );
            }
            self.directives(line, unwrapped.origin(at), report);
        }
        let mut annotated = Vec::new();
        for fence in fences::scan(&lines) {
            let line = unwrapped.origin(fence.start);
            if !fence.closed {
                report.at(line, "this fence is never closed.");
            } else if let Some(info) = self.fence(&fence, &unwrapped, &mut page, report) {
                let opening = lines[fence.start].trim_end();
                let mark = opening.strip_suffix(fence.info.as_str()).unwrap_or(opening);
                annotated.push((fence.start, format!("{mark}{info}")));
            }
        }
        for (at, line) in annotated {
            unwrapped.lines[at] = line;
        }
        (unwrapped.text(), page)
    }

    fn look_up(&self, target: &str) -> Result<includes::Part, String> {
        includes::look_up(self.root, &self.root.join(self.folder), target)
    }

    /// Checks the directives of a line.
    fn directives(&self, text: &str, line: usize, report: &mut Reporter<'_>) {
        for directive in includes::directives(text) {
            let checked = match directive.name {
                "include" => self.look_up(directive.rest).map(|_| ()),
                "title" => Ok(()),
                "hints" => {
                    Err("hints stand alone on their line: `{{#hints ../../labs/lab3-sse/hints.md:4}}`."
                        .to_owned())
                }
                "contract" => Err(
                    "a contract stands alone on its line: `{{#contract ../../labs/lab3-sse/contract.md:4}}`."
                        .to_owned(),
                ),
                name => Err(format!(
                    "`{{{{#{name} …}}}}` is not used in this book; `{{{{#include path:anchor}}}}` is."
                )),
            };
            if let Err(what) = checked {
                report.at(line, what);
            }
        }
    }

    /// Checks a fence. Gives what shall stand behind it instead, if it shows a part of a file.
    fn fence(
        &self,
        fence: &Fence,
        unwrapped: &Unwrapped,
        page: &mut Page,
        report: &mut Reporter<'_>,
    ) -> Option<String> {
        let line = unwrapped.origin(fence.start);
        // Counted from the opening fence.
        let line_at = |at: usize| unwrapped.origin(fence.start + at);
        let word = fence.info.split_whitespace().next().unwrap_or_default();
        let part = self.only_include(fence);
        match word {
            "transcript" => {
                let mut resolved = fence.clone();
                if let Some(part) = &part {
                    resolved.body = part.text.lines().map(str::to_owned).collect();
                } else if fence.body.iter().any(|line| !includes::directives(line).is_empty()) {
                    // Either the path is wrong, which is told already, or there are words around it.
                    if fence.body.iter().filter(|line| !line.trim().is_empty()).count() > 1 {
                        report.at(line, "a transcript is one include or the text itself, not both.");
                    }
                    return None;
                }
                match (transcripts::read(&resolved), &part) {
                    (Ok(shown), _) => {
                        if let Some(id) = shown.info.get("id") {
                            links::anchor(id.to_owned(), line, page, report);
                        }
                    }
                    (Err((at, what)), Some(part)) => {
                        let what = match at {
                            0 => what,
                            at => {
                                let before = part.lines.map_or(0, |(from, _)| from - 1);
                                format!("{what} (`{}`, line {})", part.file, before + at)
                            }
                        };
                        report.at(line, what);
                    }
                    (Err((at, what)), None) => report.at(line_at(at), what),
                }
            }
            "predict" => match predict::read(fence) {
                Ok(question) => {
                    if let Some(id) = question.id {
                        links::anchor(id, line, page, report);
                    }
                    links::read(&fence.body.join("\n"), &|at| line_at(at + 1), page, report);
                }
                Err((at, what)) => report.at(line_at(at), what),
            },
            _ => {
                if let Err(what) = code::read(fence) {
                    report.at(line, what);
                }
            }
        }
        part.map(|part| code::annotated(&fence.info, &part))
    }

    /// The part of a file that a fence shows, if it holds one include and nothing else.
    fn only_include(&self, fence: &Fence) -> Option<includes::Part> {
        let body = fence.body.join("\n");
        let body = body.trim();
        match includes::directives(body).as_slice() {
            [only] if only.name == "include" && only.start == 0 && only.end == body.len() => {
                self.look_up(only.rest).ok()
            }
            _ => None,
        }
    }
}

/// Draws transcripts, questions, code, facts, and the labels of notes.
#[derive(Debug)]
pub struct Draw;

impl Preprocessor for Draw {
    fn name(&self) -> &str {
        "press-draw"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let language = context.config.book.language.as_deref().unwrap_or(ENGLISH.code);
        let labels = Labels::of(language).unwrap_or(&ENGLISH);
        let mut faults = Faults::default();
        book.for_each_chapter_mut(|chapter| {
            let file = chapter.source_path.clone().unwrap_or_default();
            let shown: PathBuf = context.config.book.src.join(&file);
            drawn(chapter, &file, labels, &mut Reporter::new(&shown, &mut faults));
        });
        faults.into_result()?;
        Ok(book)
    }
}

fn drawn(chapter: &mut Chapter, file: &Path, labels: &Labels, report: &mut Reporter<'_>) {
    let lines: Vec<&str> = chapter.content.lines().collect();
    let lines = facts::show(&lines, file, &chapter.name, labels);
    let lines = notes::label(&lines, labels);
    let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut out = String::with_capacity(chapter.content.len() * 2);
    let mut at = 0;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    for (count, fence) in (1..).zip(fences::scan(&borrowed)) {
        for line in &borrowed[at..fence.start] {
            out.push_str(line);
            out.push('\n');
        }
        at = (fence.end + 1).min(borrowed.len());
        let word = fence.info.split_whitespace().next().unwrap_or_default();
        let html = match word {
            "transcript" => {
                let name = format!("{stem}-transcript-{count}");
                transcripts::read(&fence).map(|shown| transcripts::draw(&shown, &name, labels))
            }
            "predict" => {
                let name = format!("{stem}-predict-{count}");
                predict::read(&fence).map(|question| predict::draw(&question, &name, labels))
            }
            _ => code::draw(&fence, labels).map_err(|what| (0, what)),
        };
        match html {
            // On a line of its own, between empty ones: an HTML block (CommonMark § 4.6).
            Ok(html) => out.push_str(&format!("\n{:1$}{html}\n\n", "", fence.indent)),
            Err((_, what)) => {
                let Info { word, .. } = Info::read(&fence.info, &[]).unwrap_or_default();
                report.somewhere(format!("in a `{word}` fence, after includes and translation: {what}"));
            }
        }
    }
    for line in &borrowed[at..] {
        out.push_str(line);
        out.push('\n');
    }
    chapter.content = out;
}
