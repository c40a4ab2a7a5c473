//! A lab's hints under its TODO: `{{#hints ../../labs/lab3-sse/hints.md:4}}`, alone on its line.
//!
//! Each hint holds the next, so that they come one at a time, as `cargo lab hint 3.4` gives them.

use crate::fault::Reporter;
use crate::notes::Unwrapped;
use crate::placed;

/// Puts the hints into a chapter, in the place of their directives. `read` gives the text of a file.
pub(crate) fn place(
    chapter: Unwrapped,
    read: impl Fn(&str) -> Result<String, String>,
    report: &mut Reporter<'_>,
) -> Unwrapped {
    placed::place(chapter, "hints", |named| Ok(elements(&hints(named, &read)?)), report)
}

/// The hints of a TODO: heading and text.
fn hints(
    named: &str,
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<(String, String)>, String> {
    let Some((path, todo)) = named.rsplit_once(':') else {
        return Err(
            "hints are named by file and TODO: `{{#hints ../../labs/lab3-sse/hints.md:4}}`.".to_owned()
        );
    };
    let text = read(path)?;
    let title = format!("## TODO {todo}");
    let mut lines = text.lines().skip_while(|line| line.trim_end() != title).skip(1);
    let mut hints: Vec<(String, String)> = Vec::new();
    for line in lines.by_ref().take_while(|line| !line.starts_with("## ")) {
        if let Some(heading) = line.strip_prefix("### ") {
            // The number is said in words: "Hint 1 of 3".
            let heading = heading.trim_start_matches(|c: char| c.is_ascii_digit() || " ·".contains(c));
            hints.push((heading.to_owned(), String::new()));
        } else if let Some((_, text)) = hints.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    if hints.iter().any(|(_, text)| text.trim().is_empty()) || hints.is_empty() {
        return Err(format!("there are no hints under `{title}` in `{path}`, or one of them is empty."));
    }
    Ok(hints)
}

fn elements(hints: &[(String, String)]) -> Vec<String> {
    let count = hints.len();
    let mut lines = Vec::new();
    for (number, (heading, text)) in (1..).zip(hints) {
        lines.push(String::new());
        lines.push("<details class=\"hint\">".to_owned());
        lines.push("<summary>".to_owned());
        lines.push(String::new());
        lines.push(format!("Hint {number} of {count} · {heading}"));
        lines.push(String::new());
        lines.push("</summary>".to_owned());
        lines.push(String::new());
        lines.extend(text.trim().lines().map(str::to_owned));
        lines.push(String::new());
    }
    lines.extend(std::iter::repeat_n("</details>".to_owned(), count));
    lines.push(String::new());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;
    use std::path::Path;

    const FILE: &str = "# Hints for lab 3\n\n## TODO 1\n\n### 1 · A question\n\nWho `asks`?\n\n### 2 · Where to look\n\nThere.\n\n\
                        ## TODO 2\n\n### 1 · A question\n\nAnother.\n\n## TODO 3\n\n### 1 · A question\n";

    fn placed(chapter: &str) -> (Unwrapped, Faults) {
        let mut faults = Faults::default();
        let read = |path: &str| match path {
            "hints.md" => Ok(FILE.to_owned()),
            other => Err(format!("there is no file `{other}` to include.")),
        };
        let mut report = Reporter::new(Path::new("book/src/03.md"), &mut faults);
        let chapter = crate::notes::unwrap(chapter, &mut report);
        let out = place(chapter, read, &mut report);
        (out, faults)
    }

    #[test]
    fn each_hint_holds_the_next() {
        let (out, faults) = placed("Before.\n\n{{#hints hints.md:1}}\n\nAfter.\n");
        assert_eq!(faults.0, []);
        insta::assert_snapshot!(out.text());
        let at = out.lines.iter().position(|line| line == "After.").unwrap();
        assert_eq!((out.origin(at), out.origin(at - 3)), (5, 3), "each line knows where it came from");
    }

    #[test]
    fn hints_that_are_not_there_are_told_with_their_line() {
        let (_, faults) = placed(
            "\n{{#hints hints.md:3}}\n{{#hints hints.md:4}}\n{{#hints hints.md}}\n{{#hints other.md:1}}\n",
        );
        insta::assert_snapshot!(faults);
    }
}
