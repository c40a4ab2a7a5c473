//! Finds mdBook's `{{#include …}}` and looks up what it names, so that a wrong path is told with its line.

use std::path::{Component, Path, PathBuf};

/// A directive as it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive<'a> {
    /// `include`, `rustdoc_include`, `playground`, `title` …
    pub(crate) name: &'a str,
    /// What follows it, up to the braces.
    pub(crate) rest: &'a str,
    /// Where it starts in the text, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

/// The directives of a text. One with a backslash before it is text, as for mdBook.
pub(crate) fn directives(text: &str) -> Vec<Directive<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| at + from) {
        from = open + 2;
        if text[..open].ends_with('\\') {
            continue;
        }
        let Some(close) = text[from..].find("}}").map(|at| at + from) else {
            break;
        };
        let Some(inner) = text[from..close].trim_start().strip_prefix('#') else {
            continue;
        };
        if inner.contains('\n') {
            continue;
        }
        let (name, rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        found.push(Directive { name, rest: rest.trim(), start: open, end: close + 2 });
        from = close + 2;
    }
    found
}

/// A part of a file that a chapter shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The file, relative to the repository's root, with forward slashes.
    pub(crate) file: String,
    /// Its first and last line, counted from 1; nothing if the whole file is shown.
    pub(crate) lines: Option<(usize, usize)>,
    /// The text as mdBook will put it in.
    pub(crate) text: String,
}

/// Looks up `path[:anchor]`, `path:line`, `path:from:to` as mdBook reads it, from the chapter's folder.
///
/// # Errors
/// A sentence if the file is not there, lies outside the repository, is not text, or lacks the anchor or lines.
pub(crate) fn look_up(root: &Path, folder: &Path, target: &str) -> Result<Part, String> {
    let (path, range) = match target.split_once(':') {
        Some((path, range)) => (path, Some(range)),
        None => (target, None),
    };
    let full = normalised(&folder.join(path));
    let Ok(inside) = full.strip_prefix(normalised(root)) else {
        return Err(format!("`{path}` lies outside this repository; include only what is part of it."));
    };
    let file = inside.to_string_lossy().replace('\\', "/");
    if !full.is_file() {
        return Err(format!("there is no file `{file}` to include."));
    }
    let text =
        std::fs::read_to_string(&full).map_err(|error| format!("`{file}` cannot be included: {error}."))?;
    let Some(range) = range.filter(|range| !range.is_empty()) else {
        return Ok(Part { file, lines: None, text });
    };
    let starts_with_number = range.starts_with(|c: char| c.is_ascii_digit() || c == ':');
    let (from, to, lines) =
        if starts_with_number { by_numbers(&file, &text, range)? } else { by_anchor(&file, &text, range)? };
    Ok(Part { file, lines: Some((from, to)), text: lines.join("\n") })
}

type Cut<'a> = (usize, usize, Vec<&'a str>);

fn by_numbers<'a>(file: &str, text: &'a str, range: &str) -> Result<Cut<'a>, String> {
    let count = text.lines().count();
    let number = |text: &str, otherwise: usize| match text {
        "" => Ok(otherwise),
        text => text
            .parse::<usize>()
            .map_err(|_| format!("`{range}` is not a range of lines; write `:10:20` or an anchor's name.")),
    };
    let (from, to) = match range.split_once(':') {
        Some((from, to)) => (number(from, 1)?, number(to, count)?),
        None => {
            let only = number(range, 1)?;
            (only, only)
        }
    };
    if from == 0 || from > to || to > count {
        return Err(format!("lines {from} to {to} are not in `{file}`, which has {count} lines."));
    }
    let lines = text.lines().skip(from - 1).take(to + 1 - from).collect();
    Ok((from, to, lines))
}

fn by_anchor<'a>(file: &str, text: &'a str, anchor: &str) -> Result<Cut<'a>, String> {
    let start = text
        .lines()
        .position(|line| mark(line, "ANCHOR:") == Some(anchor))
        .ok_or_else(|| {
            let mut names: Vec<&str> = text.lines().filter_map(|line| mark(line, "ANCHOR:")).collect();
            names.dedup();
            match names.is_empty() {
                true => format!(
                    "`{file}` has no anchor `{anchor}`: put `ANCHOR: {anchor}` and `ANCHOR_END: {anchor}` in comments around the part."
                ),
                false => format!(
                    "`{file}` has no anchor `{anchor}`; it has {}.",
                    crate::fences::listed(&names)
                ),
            }
        })?;
    let length = text
        .lines()
        .skip(start + 1)
        .position(|line| mark(line, "ANCHOR_END:") == Some(anchor))
        .ok_or_else(|| {
            format!(
                "the anchor `{anchor}` of `{file}` is opened on line {} and never closed by `ANCHOR_END: {anchor}`.",
                start + 1
            )
        })?;
    let numbered: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .skip(start + 1)
        .take(length)
        .filter(|(_, line)| mark(line, "ANCHOR:").is_none() && mark(line, "ANCHOR_END:").is_none())
        .collect();
    match (numbered.first(), numbered.last()) {
        (Some((first, _)), Some((last, _))) => {
            Ok((first + 1, last + 1, numbered.iter().map(|(_, line)| *line).collect()))
        }
        _ => Err(format!("the anchor `{anchor}` of `{file}` holds no line.")),
    }
}

/// The name behind `ANCHOR:` or `ANCHOR_END:` in a line.
fn mark<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (_, after) = line.split_once(word)?;
    let after = after.trim_start();
    let end = after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(after.len());
    (end > 0).then(|| &after[..end])
}

/// The path without `.` and `..`, without asking the disk.
pub(crate) fn normalised(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let chapters = dir.path().join("book/src");
        std::fs::create_dir_all(&chapters).unwrap();
        std::fs::create_dir_all(dir.path().join("labs")).unwrap();
        std::fs::write(
            dir.path().join("labs/lib.rs"),
            "use a;\n// ANCHOR: todo_1\nfn one() {\n    // ANCHOR: inner\n    two();\n    // ANCHOR_END: inner\n}\n// ANCHOR_END: todo_1\n// ANCHOR: open\nx\n",
        )
        .unwrap();
        (dir, chapters)
    }

    #[test]
    fn directives_are_found_and_escaped_ones_left_alone() {
        let text = "a {{#include x.rs:one}} b \\{{#include y.rs}} {{ #title T }} {{not}}";
        let found: Vec<_> = directives(text).into_iter().map(|found| (found.name, found.rest)).collect();
        assert_eq!(found, [("include", "x.rs:one"), ("title", "T")]);
    }

    #[test]
    fn an_anchor_gives_its_lines_without_the_marks_inside() {
        let (dir, chapters) = repository();
        let part = look_up(dir.path(), &chapters, "../../labs/lib.rs:todo_1").unwrap();
        assert_eq!(part.file, "labs/lib.rs");
        assert_eq!(part.lines, Some((3, 7)));
        assert_eq!(part.text, "fn one() {\n    two();\n}");
    }

    #[test]
    fn line_numbers_are_counted_from_one_with_both_ends() {
        let (dir, chapters) = repository();
        let part = look_up(dir.path(), &chapters, "../../labs/lib.rs:1:2").unwrap();
        assert_eq!(part.lines, Some((1, 2)));
        assert_eq!(part.text, "use a;\n// ANCHOR: todo_1");
        let whole = look_up(dir.path(), &chapters, "../../labs/lib.rs").unwrap();
        assert_eq!(whole.lines, None);
    }

    #[test]
    fn what_is_not_there_is_told_in_a_sentence() {
        let (dir, chapters) = repository();
        let told = |target: &str| look_up(dir.path(), &chapters, target).unwrap_err();
        assert_eq!(told("../../labs/lob.rs"), "there is no file `labs/lob.rs` to include.");
        assert_eq!(
            told("../../labs/lib.rs:todo_9"),
            "`labs/lib.rs` has no anchor `todo_9`; it has `todo_1`, `inner` and `open`."
        );
        assert_eq!(
            told("../../labs/lib.rs:open"),
            "the anchor `open` of `labs/lib.rs` is opened on line 9 and never closed by `ANCHOR_END: open`."
        );
        assert_eq!(
            told("../../labs/lib.rs:8:80"),
            "lines 8 to 80 are not in `labs/lib.rs`, which has 10 lines."
        );
        assert_eq!(
            told("../../../elsewhere.rs"),
            "`../../../elsewhere.rs` lies outside this repository; include only what is part of it."
        );
    }
}
