//! A chapter's front matter: the line above its heading, the lede, and the line of facts below.
//!
//! `<!-- minutes: read 14, lab 35, demo 6; needs: chapters [1](…) and [2](…); technique: sse -->`

use crate::fences::{self, listed};
use crate::labels::Labels;
use crate::markdown;
use std::path::Path;

/// The five techniques by the names that classes and front matter use.
pub(crate) const TECHNIQUES: [&str; 5] = ["fetch", "poll", "sse", "stream", "ws"];

/// What the front matter says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Minutes to read, for the lab, for the demo.
    pub(crate) minutes: [Option<u16>; 3],
    /// What comes before, as Markdown within a line.
    pub(crate) needs: Option<String>,
    /// One of [`TECHNIQUES`].
    pub(crate) technique: Option<String>,
    /// The lines of the comment, from the first to the one behind the last, counted from 0.
    pub(crate) lines: std::ops::Range<usize>,
}

const PARTS: [&str; 3] = ["minutes", "needs", "technique"];
const KINDS: [&str; 3] = ["read", "lab", "demo"];

/// Reads the front matter; nothing if the chapter does not begin with a comment.
///
/// # Errors
/// The line, counted from 0, and a sentence.
pub(crate) fn read(lines: &[&str]) -> Result<Option<Facts>, (usize, String)> {
    let Some(start) = lines.iter().position(|line| !line.trim().is_empty()) else {
        return Ok(None);
    };
    let Some(first) = lines[start].trim_start().strip_prefix("<!--") else {
        return Ok(None);
    };
    let mut text = String::new();
    let mut end = None;
    for (at, line) in lines.iter().enumerate().skip(start) {
        let line = if at == start { first } else { line };
        if let Some((before, after)) = line.split_once("-->") {
            text.push_str(before);
            if !after.trim().is_empty() {
                return Err((at, "nothing may follow `-->` on its line.".to_owned()));
            }
            end = Some(at + 1);
            break;
        }
        text.push_str(line);
        text.push(' ');
    }
    let Some(end) = end else {
        return Err((start, "the front matter's comment is never closed by `-->`.".to_owned()));
    };
    let mut facts = Facts { lines: start..end, ..Facts::default() };
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        part_of(&mut facts, part).map_err(|what| (start, what))?;
    }
    Ok(Some(facts))
}

fn part_of(facts: &mut Facts, part: &str) -> Result<(), String> {
    let (name, value) = part
        .split_once(':')
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, value)| PARTS.contains(name) && !value.is_empty())
        .ok_or_else(|| {
            format!(
                "the front matter has no part `{part}`; its parts are {}, each with `: …`, parted by `;`.",
                listed(&PARTS)
            )
        })?;
    match name {
        "needs" => facts.needs = Some(value.to_owned()),
        "technique" if TECHNIQUES.contains(&value) => facts.technique = Some(value.to_owned()),
        "technique" => {
            return Err(format!("there is no technique `{value}`; there are {}.", listed(&TECHNIQUES)));
        }
        _ => {
            for item in value.split(',').map(str::trim) {
                let read = item.split_once(' ').and_then(|(kind, minutes)| {
                    let kind = KINDS.iter().position(|known| *known == kind)?;
                    Some((kind, minutes.trim().parse::<u16>().ok()?))
                });
                let Some((kind, minutes)) = read else {
                    return Err(format!(
                        "`{item}` is not read as minutes; write `minutes: read 14, lab 35, demo 6`."
                    ));
                };
                facts.minutes[kind] = Some(minutes);
            }
        }
    }
    Ok(())
}

/// Where the heading and the paragraph after it stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Top {
    heading: usize,
    lede: Option<(usize, usize)>,
}

fn top(lines: &[&str]) -> Option<Top> {
    let fences = fences::scan(lines);
    let heading = (0..lines.len())
        .find(|at| lines[*at].starts_with("# ") && !fences.iter().any(|f| (f.start..=f.end).contains(at)))?;
    let start = (heading + 1..lines.len()).find(|at| !lines[*at].trim().is_empty());
    let lede = start.filter(|at| {
        let line = lines[*at];
        !line.starts_with(['#', '<', '>', '-', '|', ' '])
            && !["* ", "```", "~~~"].iter().any(|other| line.starts_with(other))
    });
    let lede = lede.map(|start| {
        let end = (start..lines.len()).find(|at| lines[*at].trim().is_empty()).unwrap_or(lines.len());
        (start, end)
    });
    Some(Top { heading, lede })
}

/// Whether front matter can be shown: it needs a heading to stand around.
///
/// # Errors
/// The line, counted from 0, and a sentence.
pub(crate) fn check(lines: &[&str]) -> Result<(), (usize, String)> {
    if let Some(facts) = read(lines)?
        && top(lines).is_none()
    {
        return Err((
            facts.lines.start,
            "there is front matter, but no `# ` heading for it to stand around.".to_owned(),
        ));
    }
    Ok(())
}

/// The number or letter that a chapter's file name begins with: `03-…` is chapter 3, `a-…` appendix A.
pub(crate) fn number(file: &Path, labels: &Labels) -> Option<String> {
    let name = file.file_stem()?.to_str()?;
    let (number, _) = name.split_once('-')?;
    if let Ok(number) = number.parse::<u16>() {
        return Some(format!("{} {number}", labels.chapter));
    }
    let mut letters = number.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => {
            Some(format!("{} {}", labels.appendix, letter.to_ascii_uppercase()))
        }
        _ => None,
    }
}

/// Puts the line above the heading, the lede and the facts into a chapter that has front matter.
pub(crate) fn show(lines: &[&str], file: &Path, name: &str, labels: &Labels) -> Vec<String> {
    let plain = || lines.iter().map(|line| (*line).to_owned()).collect();
    let (Ok(Some(facts)), Some(top)) = (read(lines), top(lines)) else {
        return plain();
    };
    let mut out = Vec::with_capacity(lines.len() + 16);
    for (at, line) in lines.iter().enumerate() {
        if facts.lines.contains(&at) {
            continue;
        }
        if at == top.heading {
            out.extend([String::new(), eyebrow(&facts, file, name, labels), String::new()]);
        }
        if top.lede.is_some_and(|(start, _)| at == start) {
            out.extend(["<div class=\"lede\">".to_owned(), String::new()]);
        }
        if !(at == top.heading && top.lede.is_none()) {
            out.push((*line).to_owned());
        }
        let last = match top.lede {
            Some((_, end)) => at + 1 == end,
            None => at == top.heading,
        };
        if last {
            match top.lede {
                Some(_) => out.extend([String::new(), "</div>".to_owned(), String::new()]),
                None => out.extend([(*line).to_owned(), String::new()]),
            }
            out.extend(line_of(&facts, labels).into_iter().chain([String::new()]));
        }
    }
    out
}

fn eyebrow(facts: &Facts, file: &Path, name: &str, labels: &Labels) -> String {
    let class = match &facts.technique {
        Some(technique) => format!("eyebrow technique {technique}"),
        None => "eyebrow".to_owned(),
    };
    let number = number(file, labels);
    // In the list of chapters an appendix bears its letter in its name.
    let name = match name.split_once(" · ") {
        Some((letter, name)) if number.as_deref().is_some_and(|number| number.ends_with(letter)) => name,
        _ => name,
    };
    let name = markdown::escape(name);
    match number {
        Some(number) => format!("<p class=\"{class}\">{number} · {name}</p>"),
        None => format!("<p class=\"{class}\">{name}</p>"),
    }
}

fn line_of(facts: &Facts, labels: &Labels) -> Option<String> {
    let words = [labels.read, labels.lab, labels.demo];
    let mut items: Vec<String> = words
        .iter()
        .zip(facts.minutes)
        .filter_map(|(word, minutes)| {
            minutes.map(|minutes| format!("<li>{word} <b>{minutes}</b> {}</li>", labels.minutes))
        })
        .collect();
    if let Some(needs) = &facts.needs {
        items.push(format!("<li>{} {}</li>", labels.needs, markdown::inline(needs)));
    }
    (!items.is_empty()).then(|| format!("<ul class=\"facts\">{}</ul>", items.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::ENGLISH;

    fn shown(text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let file = Path::new("03-server-sent-events.md");
        show(&lines, file, "Server-Sent Events", &ENGLISH).join("\n")
    }

    #[test]
    fn front_matter_becomes_eyebrow_lede_and_facts() {
        insta::assert_snapshot!(shown(
            "<!-- minutes: read 14, lab 35, demo 6; needs: chapters [1](01-one-exchange.md) and 2;\n technique: sse -->\n\n# What survives a disconnect? { #top }\n\nA ticker is easy\nwhile the line holds.\n\n## Next { #next }\n"
        ));
    }

    #[test]
    fn a_lede_may_begin_with_code_but_a_fence_is_none() {
        let lede = |text: &str| top(&text.lines().collect::<Vec<_>>()).unwrap().lede;
        assert_eq!(lede("# A\n\n`fetch` asks.\n\nMore."), Some((2, 3)));
        assert_eq!(lede("# A\n\n```js\nask();\n```\n"), None);
    }

    #[test]
    fn a_chapter_without_a_lede_has_its_facts_under_the_heading() {
        insta::assert_snapshot!(shown("<!-- minutes: read 3 -->\n# Title { #t }\n\n## At once { #once }\n"));
    }

    #[test]
    fn an_appendix_bears_its_letter_once() {
        let lines = ["<!-- minutes: read 3 -->", "# T"];
        let shown = show(&lines, Path::new("a-in-rust.md"), "A · In Rust", &ENGLISH).join("\n");
        assert!(shown.contains(">Appendix A · In Rust<"), "{shown}");
    }

    #[test]
    fn a_chapter_without_front_matter_is_left_alone() {
        let text = "# Title\n\nWords.";
        assert_eq!(shown(text), text);
    }

    #[test]
    fn chapters_and_appendices_are_numbered_by_their_file() {
        let told = |file: &str| number(Path::new(file), &ENGLISH);
        assert_eq!(told("00-the-map.md").as_deref(), Some("Chapter 0"));
        assert_eq!(told("a-in-rust.md").as_deref(), Some("Appendix A"));
        assert_eq!(told("welcome.md"), None);
        assert_eq!(told("well-done.md"), None);
    }

    #[test]
    fn wrong_front_matter_is_told_in_a_sentence() {
        let told = |text: &str| check(&text.lines().collect::<Vec<_>>()).unwrap_err();
        insta::assert_debug_snapshot!([
            told("<!-- minutes: read soon -->\n# T"),
            told("<!-- minuts: read 3 -->\n# T"),
            told("\n<!-- technique: carrier pigeon -->\n# T"),
            told("<!-- minutes: read 3\n# T"),
            told("<!-- minutes: read 3 -->\nNo heading."),
            told("<!-- minutes: read 3 --> # T"),
        ]);
    }
}
