//! Code: coloured at build time, with the path and lines it was taken from.

use crate::fences::{Fence, Info, listed};
use crate::highlight::{LANGUAGES, highlight};
use crate::includes::Part;
use crate::labels::Labels;
use crate::markdown;

/// What may stand behind a code fence. `file` and `lines` are written by [`annotated`], not by authors.
pub(crate) const OPTIONS: [&str; 3] = ["title", "file", "lines"];

/// Whether a fence is code that this file draws, and in which language.
///
/// # Errors
/// A sentence for a language that the book does not colour, or a wrong option.
pub(crate) fn read(fence: &Fence) -> Result<Info, String> {
    let mut info = Info::read(&fence.info, &OPTIONS)?;
    if info.word.is_empty() {
        info.word = "text".to_owned();
    }
    if !LANGUAGES.contains(&info.word.as_str()) {
        return Err(format!(
            "the book colours no `{}`; it knows {}, and {} are drawn.",
            info.word,
            listed(&LANGUAGES),
            listed(&["transcript", "predict"])
        ));
    }
    Ok(info)
}

/// The info string of a fence that shows a part of a file: the path and the lines are kept for the caption,
/// because the directive is gone once mdBook has followed it.
pub(crate) fn annotated(info: &str, part: &Part) -> String {
    let mut out = format!("{} file=\"{}\"", info.trim(), part.file);
    if let Some((from, to)) = part.lines {
        out.push_str(&format!(" lines=\"{from}-{to}\""));
    }
    out.trim().to_owned()
}

/// A code block with its caption, on one line.
///
/// # Errors
/// As [`read`].
pub(crate) fn draw(fence: &Fence, labels: &Labels) -> Result<String, String> {
    let info = read(fence)?;
    let code = dedented(&fence.body).join("\n");
    let code = highlight(&info.word, code.trim_end());
    let caption = caption(&info, labels)
        .map(|caption| format!("<figcaption>{caption}</figcaption>"))
        .unwrap_or_default();
    Ok(format!(
        "<figure class=\"code\" data-language=\"{}\">{caption}<pre><code>{code}</code></pre></figure>",
        info.word
    ))
}

fn caption(info: &Info, labels: &Labels) -> Option<String> {
    let title = info.get("title").map(markdown::inline);
    let file = info.get("file").map(|file| {
        let lines = info.get("lines").map(|lines| match lines.split_once('-') {
            Some((from, to)) if from != to => {
                format!(" <span>{} {from}–{to}</span>", labels.lines)
            }
            Some((from, _)) => format!(" <span>{} {from}</span>", labels.line),
            None => String::new(),
        });
        format!("<code>{}</code>{}", markdown::escape(file), lines.unwrap_or_default())
    });
    match (title, file) {
        (None, None) => None,
        (Some(only), None) | (None, Some(only)) => Some(only),
        (Some(title), Some(file)) => Some(format!("{title} · {file}")),
    }
}

/// The lines without the blanks that all of them begin with: a part of a function starts at the margin.
fn dedented(lines: &[String]) -> Vec<&str> {
    let common = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    lines.iter().map(|line| line.get(common..).unwrap_or("")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fences::scan;
    use crate::labels::ENGLISH;

    fn drawn(text: &str) -> Result<String, String> {
        draw(&scan(&text.lines().collect::<Vec<_>>())[0], &ENGLISH)
    }

    #[test]
    fn code_is_drawn_with_the_place_it_comes_from() {
        insta::assert_snapshot!(
            drawn("```rust file=\"solutions/lab3-sse/src/lib.rs\" lines=\"41-44\"\n    let a = 1;\n\n    if b {\n        c();\n    }\n```").unwrap()
        );
        insta::assert_snapshot!(
            drawn("```js title=\"The *client*\" file=\"web/client.js\"\nlet a;\n```").unwrap()
        );
    }

    #[test]
    fn code_without_a_language_stays_plain_and_has_no_caption() {
        assert_eq!(
            drawn("```\nlet <a>\n```").unwrap(),
            "<figure class=\"code\" data-language=\"text\"><pre><code>let &lt;a&gt;</code></pre></figure>"
        );
    }

    #[test]
    fn a_language_that_the_book_does_not_know_is_told() {
        assert_eq!(
            drawn("```mermaid\nx\n```").unwrap_err(),
            "the book colours no `mermaid`; it knows `rust`, `js`, `html`, `css`, `toml`, `json`, `http`, `console` and `text`, and `transcript` and `predict` are drawn."
        );
    }

    #[test]
    fn the_place_is_written_behind_the_fence() {
        let part = Part { file: "a/lib.rs".to_owned(), lines: Some((3, 7)), text: String::new() };
        assert_eq!(annotated("rust", &part), "rust file=\"a/lib.rs\" lines=\"3-7\"");
    }
}
