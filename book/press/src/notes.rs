//! Notes: `> [!NOTE]` and its kin become elements with Markdown inside.
//!
//! mdBook could draw the usual five by itself, but a translation (which replaces the words of each Markdown
//! block) destroys them; Markdown inside an element survives. So this runs first of all.

use crate::fault::Reporter;
use crate::fences;
use crate::labels::Labels;
use crate::markdown;

/// The kinds that an author may write behind `> [!`, in capitals.
const KINDS: [&str; 7] = ["NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION", "LAB", "INSTRUCTOR"];

/// A chapter whose notes are elements, and where each of its lines came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwrapped {
    /// The lines.
    pub(crate) lines: Vec<String>,
    /// For each line the one of the source that it stands for, counted from 1.
    pub(crate) origins: Vec<usize>,
}

impl Unwrapped {
    pub(crate) fn push(&mut self, line: impl Into<String>, origin: usize) {
        self.lines.push(line.into());
        self.origins.push(origin);
    }

    /// The lines as one text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }

    /// The line of the source behind a line of this text (from 0), counted from 1.
    pub(crate) fn origin(&self, line: usize) -> usize {
        self.origins.get(line).or(self.origins.last()).copied().unwrap_or(1)
    }
}

/// Turns the notes of a chapter into elements.
pub(crate) fn unwrap(text: &str, report: &mut Reporter<'_>) -> Unwrapped {
    let lines: Vec<&str> = text.lines().collect();
    let mut fenced = vec![false; lines.len()];
    for fence in fences::scan(&lines) {
        let end = (fence.end + 1).min(lines.len());
        fenced[fence.start..end].fill(true);
    }
    let mut out = Unwrapped::default();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let marker = (!fenced[at]).then(|| marker(line)).flatten();
        let Some((indent, kind, title)) = marker else {
            out.push(line, at + 1);
            at += 1;
            continue;
        };
        let first = at + 1;
        let tags = match opening(kind, title) {
            Ok(tags) => tags,
            Err(what) => {
                report.at(first, what);
                out.push(line, first);
                at += 1;
                continue;
            }
        };
        out.push("", first);
        for tag in tags.open {
            out.push(indented(indent, &tag), first);
        }
        at += 1;
        let mut words = 0;
        while at < lines.len() {
            let Some(inner) = quoted(lines[at]) else { break };
            words += usize::from(!inner.trim().is_empty());
            out.push(indented(indent, inner), at + 1);
            at += 1;
        }
        if words == 0 {
            report.at(first, format!("the note `[!{kind}]` is empty: put `> ` before each of its lines."));
        }
        out.push("", at);
        out.push(indented(indent, tags.close), at);
        out.push("", at);
    }
    out
}

/// The notes for the instructor in a chapter: how long each takes, and its Markdown.
pub(crate) fn for_the_instructor(lines: &[&str]) -> Vec<(String, String)> {
    let fences = fences::scan(lines);
    let is_fenced = |at: usize| fences.iter().any(|fence| (fence.start..=fence.end).contains(&at));
    let mut notes = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| !is_fenced(*at)) {
        let Some((_, "INSTRUCTOR", time)) = marker(line) else { continue };
        let words: Vec<&str> = lines[at + 1..].iter().map_while(|line| quoted(line)).collect();
        notes.push((time.to_owned(), words.join("\n")));
    }
    notes
}

/// Reads `> [!KIND] title`.
fn marker(line: &str) -> Option<(usize, &str, &str)> {
    let rest = line.trim_start_matches(' ');
    let indent = line.len() - rest.len();
    let inside = rest.strip_prefix('>')?.trim_start().strip_prefix("[!")?;
    let (kind, title) = inside.split_once(']')?;
    Some((indent, kind, title.trim()))
}

/// What stands behind the `>` of a quoted line.
fn quoted(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ').strip_prefix('>')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

fn indented(indent: usize, line: &str) -> String {
    match line.is_empty() {
        true => String::new(),
        false => format!("{:indent$}{line}", ""),
    }
}

struct Tags {
    open: Vec<String>,
    close: &'static str,
}

fn opening(kind: &str, title: &str) -> Result<Tags, String> {
    if !KINDS.contains(&kind) {
        return Err(format!("there is no note `[!{kind}]`; there are {}.", fences::listed(&KINDS)));
    }
    let blank = String::new;
    match kind {
        "LAB" if title.is_empty() => {
            Err("a lab's box has a title: `> [!LAB] Lab 3 · The ticker`.".to_owned())
        }
        "LAB" => Ok(Tags {
            open: vec!["<section class=\"lab\">".to_owned(), blank(), format!("### {title}"), blank()],
            close: "</section>",
        }),
        "INSTRUCTOR" => {
            let minutes = title.split_once(" min").map_or("", |(minutes, _)| minutes);
            match minutes.parse::<u16>() {
                Ok(_) => Ok(Tags {
                    open: vec![
                        format!("<details class=\"notes\" data-time=\"{}\">", markdown::escape(title)),
                        blank(),
                    ],
                    close: "</details>",
                }),
                Err(_) => Err(format!(
                    "a note for the instructor says first how long it takes, in whole minutes: `> [!INSTRUCTOR] 6 min`, not `{title}`."
                )),
            }
        }
        kind => {
            let mut open = vec![
                format!("<div class=\"note\" role=\"note\" data-kind=\"{}\">", kind.to_lowercase()),
                blank(),
            ];
            if !title.is_empty() {
                open.extend([
                    "<div class=\"kind\">".to_owned(),
                    blank(),
                    title.to_owned(),
                    blank(),
                    "</div>".to_owned(),
                    blank(),
                ]);
            }
            Ok(Tags { open, close: "</div>" })
        }
    }
}

/// Says what a note is, in the book's language: the word over it, or the summary of the instructor's notes.
/// Runs after a translation.
pub(crate) fn label(lines: &[String], labels: &Labels) -> Vec<String> {
    let mut out = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        out.push(line.clone());
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(kind) = between(trimmed, "<div class=\"note\" role=\"note\" data-kind=\"") {
            let next = lines[at + 1..].iter().map(|line| line.trim()).find(|line| !line.is_empty());
            if next != Some("<div class=\"kind\">") {
                let word = match kind {
                    "tip" => labels.tip,
                    "important" => labels.important,
                    "warning" => labels.warning,
                    "caution" => labels.caution,
                    _ => labels.note,
                };
                out.push(indented(indent, &format!("<div class=\"kind\">{word}</div>")));
            }
        } else if let Some(time) = between(trimmed, "<details class=\"notes\" data-time=\"") {
            out.push(indented(indent, &format!("<summary>{} · {time}</summary>", labels.instructor)));
        }
    }
    out
}

fn between<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_suffix("\">")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;
    use crate::labels::ENGLISH;
    use std::path::Path;

    fn unwrapped(text: &str) -> (Unwrapped, Faults) {
        let mut faults = Faults::default();
        let out = unwrap(text, &mut Reporter::new(Path::new("book/src/03.md"), &mut faults));
        (out, faults)
    }

    #[test]
    fn a_note_becomes_an_element_with_markdown_inside() {
        let (out, faults) = unwrapped(
            "Before.\n\n> [!NOTE]\n> One `word`.\n>\n> > quoted within\n\nAfter.\n\n> [!WARNING] The seventh stream\n> It waits.\n",
        );
        assert_eq!(faults.0, []);
        insta::assert_snapshot!(label(&out.lines, &ENGLISH).join("\n"));
    }

    #[test]
    fn the_lab_and_the_instructor_have_their_own_boxes() {
        let (out, faults) = unwrapped(
            "> [!LAB] Lab 3 · The ticker { #lab }\n> 1. Send.\n\n> [!INSTRUCTOR] 6 min, and the lab\n> Cut it.\n",
        );
        assert_eq!(faults.0, []);
        insta::assert_snapshot!(label(&out.lines, &ENGLISH).join("\n"));
    }

    #[test]
    fn a_note_in_a_list_stays_in_its_item() {
        let (out, _) = unwrapped("- item\n\n  > [!TIP]\n  > Words.\n");
        assert!(out.lines.contains(&"  <div class=\"note\" role=\"note\" data-kind=\"tip\">".to_owned()));
        assert!(out.lines.contains(&"  Words.".to_owned()));
    }

    #[test]
    fn each_line_knows_the_line_it_came_from() {
        let (out, _) = unwrapped("a\n\n> [!NOTE]\n> here\n\nend\n");
        let at = out.lines.iter().position(|line| line == "here").unwrap();
        assert_eq!(out.origin(at), 4);
        let at = out.lines.iter().position(|line| line == "end").unwrap();
        assert_eq!(out.origin(at), 6);
    }

    #[test]
    fn a_quotation_and_a_fence_are_left_alone() {
        let text = "> said [!NOTE] so\n\n```\n> [!NOTE]\n> shown\n```\n";
        let (out, faults) = unwrapped(text);
        assert_eq!(out.text(), text);
        assert_eq!(faults.0, []);
    }

    #[test]
    fn wrong_notes_are_told_with_their_line() {
        let (_, faults) =
            unwrapped("\n> [!NOTICE]\n> x\n\n> [!LAB]\n> x\n\n> [!INSTRUCTOR] soon\n> x\n\n> [!TIP]\n");
        insta::assert_snapshot!(faults);
    }
}
