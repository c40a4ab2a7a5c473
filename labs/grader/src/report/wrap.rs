//! Text in lines of a width.

/// At most `width` characters; what is cut off is marked.
pub(super) fn shorten(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width - 1).chain(['…']).collect()
}

/// Breaks words into lines of at most `width` characters, but never within a word or between two backquotes: what is
/// quoted keeps its spaces.
pub(super) fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in unbreakable(words) {
        let line = lines.last_mut().expect("there is always a last line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The pieces of a text between which a line may be broken.
fn unbreakable(text: &str) -> Vec<&str> {
    let (mut pieces, mut from, mut quoted) = (Vec::new(), None, false);
    for (index, char) in text.char_indices() {
        if char == '`' {
            // A quote that nothing closes is none.
            quoted = !quoted && text[index + 1..].contains('`');
        }
        match (char.is_whitespace() && !quoted, from) {
            (true, Some(start)) => {
                pieces.push(&text[start..index]);
                from = None;
            }
            (false, None) => from = Some(index),
            _ => {}
        }
    }
    pieces.extend(from.map(|start| &text[start..]));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_not_broken() {
        assert_eq!(wrap("a `b  c` d", 4), ["a", "`b  c`", "d"]);
        assert_eq!(wrap("a ` b  c", 20), ["a ` b c"], "a quote that nothing closes is none");
        assert_eq!(wrap("one two", 20), ["one two"]);
    }
}
