//! Breaks text into lines that fit.

/// Breaks `text` into at most `most` lines of `columns` characters: between its
/// parts or words where it can, with `…` where it has to leave something out.
pub(super) fn fit(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() || lines.is_empty() {
        let fits = end_of(rest, columns);
        if fits == rest.len() {
            lines.push(rest.to_owned());
            break;
        }
        if lines.len() + 1 == most {
            lines.push(format!("{}…", rest[..end_of(rest, columns - 1)].trim_end()));
            break;
        }
        let end = place_to_break(rest, fits);
        // The separator of two parts says nothing at the end of a line.
        lines.push(rest[..end].trim_end_matches([' ', '·']).to_owned());
        rest = rest[end..].trim_start_matches([' ', '·']);
    }
    lines
}

/// How many columns a text takes in a monospaced font.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// East Asian wide characters and most emoji take two columns.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Where the part ends that fits into so many columns. Never before the first character.
fn end_of(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += columns_of(c);
        if taken > columns && at > 0 {
            return at;
        }
    }
    text.len()
}

/// The best place to break a line that may be `fits` bytes long.
fn place_to_break(text: &str, fits: usize) -> usize {
    let line = &text[..fits];
    // A line should be worth its place: no break in its first third.
    let far_enough = |at: &usize| *at > fits / 3;
    let between_parts = text[..fits].rfind(" · ");
    let between_words = || {
        if text[fits..].starts_with(' ') { Some(fits) } else { line.rfind(' ') }
    };
    let after_a_mark = || line.rfind([',', ';', '?', '&', '/']).map(|at| at + 1);
    between_parts
        .filter(|at| *at > 0)
        .or_else(|| between_words().filter(far_enough))
        .or_else(|| after_a_mark().filter(far_enough))
        .unwrap_or(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_on_one_line() {
        assert_eq!(fit("GET /prices", 34, 3), ["GET /prices"]);
        assert_eq!(fit("", 34, 3), [""]);
    }

    #[test]
    fn a_line_breaks_between_parts_first() {
        assert_eq!(
            fit("price · id 1 · {\"price\":6100,\"symbol\":\"BMRI\"}", 34, 3),
            ["price · id 1", "{\"price\":6100,\"symbol\":\"BMRI\"}"]
        );
    }

    #[test]
    fn a_line_breaks_between_words_or_behind_marks_next() {
        assert_eq!(fit("the market opens again", 12, 3), ["the market", "opens again"]);
        assert_eq!(fit("GET /prices/stream?after=2", 20, 3), ["GET /prices/stream?", "after=2"]);
    }

    #[test]
    fn what_is_left_out_is_marked() {
        assert_eq!(fit(&"a".repeat(30), 10, 2), ["aaaaaaaaaa", "aaaaaaaaa…"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(fit("価格価格", 4, 3), ["価格", "価格"]);
        assert_eq!(fit("価", 1, 3), ["価"], "a character too wide for a line still gets one");
    }
}
