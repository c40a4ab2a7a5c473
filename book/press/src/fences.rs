//! Finds fenced blocks in a chapter and reads what stands behind their opening fence.

/// A fenced block and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The line of the opening fence, counted from 0.
    pub(crate) start: usize,
    /// The line of the closing fence; the number of lines if it is never closed.
    pub(crate) end: usize,
    /// The blanks before the opening fence.
    pub(crate) indent: usize,
    /// What stands behind the opening fence.
    pub(crate) info: String,
    /// The lines between, without the fence's own indentation.
    pub(crate) body: Vec<String>,
    /// Whether a closing fence was found.
    pub(crate) closed: bool,
}

/// The fences of a chapter (CommonMark § 4.5), from its lines. Block quotes are not looked into: notes are
/// unwrapped before this runs.
pub(crate) fn scan(lines: &[&str]) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some((indent, mark, length, info)) = opening(lines[at]) else {
            at += 1;
            continue;
        };
        let start = at;
        let mut body = Vec::new();
        at += 1;
        let mut closed = false;
        while at < lines.len() {
            if closes(lines[at], mark, length) {
                closed = true;
                break;
            }
            body.push(unindented(lines[at], indent).to_owned());
            at += 1;
        }
        found.push(Fence { start, end: at, indent, info: info.to_owned(), body, closed });
        at += 1;
    }
    found
}

/// Reads an opening fence: blanks before it, its character, its length, what follows.
fn opening(line: &str) -> Option<(usize, char, usize, &str)> {
    let rest = line.trim_start_matches(' ');
    let indent = line.len() - rest.len();
    let mark = rest.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let info = rest.trim_start_matches(mark);
    let length = rest.len() - info.len();
    if length < 3 || (mark == '`' && info.contains('`')) {
        return None;
    }
    Some((indent, mark, length, info.trim()))
}

/// Whether this line was meant as an opening fence, but a backtick behind it makes it plain text
/// (CommonMark § 4.5: the info string of a backtick fence has none).
pub(crate) fn spoilt_by_backtick(line: &str) -> bool {
    let rest = line.trim_start_matches([' ', '>']);
    let info = rest.trim_start_matches('`');
    rest.len() - info.len() >= 3 && info.contains('`') && info.contains("=\"")
}

fn closes(line: &str, mark: char, length: usize) -> bool {
    let rest = line.trim();
    rest.len() >= length && rest.chars().all(|c| c == mark)
}

fn unindented(line: &str, indent: usize) -> &str {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    &line[blanks.min(indent)..]
}

/// What stands behind an opening fence: a word, then `key="value"` pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    /// The first word: `rust`, `transcript` …
    pub(crate) word: String,
    /// The pairs, in their order.
    pub(crate) pairs: Vec<(String, String)>,
}

impl Info {
    /// Reads an info string.
    ///
    /// # Errors
    /// A sentence if something in it is neither the first word nor a pair, or if a key is not among `known`.
    pub(crate) fn read(text: &str, known: &[&str]) -> Result<Info, String> {
        let text = text.trim();
        let (word, mut rest) = match text.find(|c: char| c.is_whitespace()) {
            Some(end) => (&text[..end], text[end..].trim_start()),
            None => (text, ""),
        };
        let mut info = Info { word: word.to_owned(), pairs: Vec::new() };
        while !rest.is_empty() {
            let pair = rest.split_once("=\"").and_then(|(key, after)| {
                let (value, after) = after.split_once('"')?;
                let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic());
                plain.then_some((key, value, after))
            });
            let Some((key, value, after)) = pair else {
                return Err(format!("`{rest}` behind the fence is not a pair of the form `key=\"value\"`."));
            };
            if !known.contains(&key) {
                return Err(format!("a `{word}` fence has no option `{key}`; it has {}.", listed(known)));
            }
            if info.get(key).is_some() {
                return Err(format!("the option `{key}` is given twice."));
            }
            info.pairs.push((key.to_owned(), value.to_owned()));
            rest = after.trim_start();
        }
        Ok(info)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Names in a sentence: "`a`, `b` and `c`".
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fences(text: &str) -> Vec<Fence> {
        scan(&text.lines().collect::<Vec<_>>())
    }

    #[test]
    fn a_fence_is_found_with_its_lines_and_body() {
        let found = fences("before\n```rust title=\"x\"\nlet a = 1;\n\nlet b = 2;\n```\nafter");
        assert_eq!(found.len(), 1);
        let fence = &found[0];
        assert_eq!((fence.start, fence.end), (1, 5));
        assert_eq!(fence.info, "rust title=\"x\"");
        assert_eq!(fence.body, ["let a = 1;", "", "let b = 2;"]);
        assert!(fence.closed);
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let found = fences("````\n```rust\n```\n````");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].body, ["```rust", "```"]);
    }

    #[test]
    fn a_fence_in_a_list_loses_its_indentation_and_no_more() {
        let found = fences("- item\n\n  ```js\n  if (a) {\n    b();\n  }\nflush\n  ```");
        assert_eq!(found[0].indent, 2);
        assert_eq!(found[0].body, ["if (a) {", "  b();", "}", "flush"]);
    }

    #[test]
    fn a_fence_that_is_never_closed_is_told_apart() {
        let found = fences("```rust\nlet a;");
        assert!(!found[0].closed);
        assert_eq!(found[0].end, 2);
    }

    #[test]
    fn a_backtick_behind_backticks_is_no_fence_and_is_noticed() {
        assert!(fences("```transcript title=\"what `x` does\"\n```").len() == 1);
        assert!(spoilt_by_backtick("```transcript title=\"what `x` does\""));
        assert!(!spoilt_by_backtick("```js``` is a span"));
        let tilde = fences("~~~transcript title=\"what `x` does\"\n~~~");
        assert_eq!(tilde[0].info, "transcript title=\"what `x` does\"");
    }

    #[test]
    fn options_are_pairs_that_are_known() {
        let info = Info::read("transcript title=\"A cut\" id=\"cut\"", &["title", "id"]).unwrap();
        assert_eq!(info.word, "transcript");
        assert_eq!(info.get("title"), Some("A cut"));
        assert_eq!(info.get("id"), Some("cut"));
        assert_eq!(info.get("from"), None);
        assert_eq!(
            Info::read("transcript titel=\"A\"", &["title", "id"]).unwrap_err(),
            "a `transcript` fence has no option `titel`; it has `title` and `id`."
        );
        assert_eq!(
            Info::read("rust ignore", &["title"]).unwrap_err(),
            "`ignore` behind the fence is not a pair of the form `key=\"value\"`."
        );
        assert_eq!(
            Info::read("rust title=\"a\" title=\"b\"", &["title"]).unwrap_err(),
            "the option `title` is given twice."
        );
    }
}
