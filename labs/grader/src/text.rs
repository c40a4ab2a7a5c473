//! Text as files bring it: Git checks out CRLF where `core.autocrlf` says so, and editors put marks in front of it.

use std::borrow::Cow;

/// The byte order mark that some editors put before a file of UTF-8.
const MARK: char = '\u{feff}';

/// A text with LF line ends and without a byte order mark: what two files of the same content have in common.
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() }
}

/// What the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Text, as browsers and `rustc` expect it.
    Utf8(String),
    /// Almost: what is not UTF-8 has become U+FFFD, as in a browser. The first such place is in this line.
    Broken(String, usize),
    /// Another encoding, which no browser reads in a script.
    Utf16,
}

/// Finds out what the bytes of a file are.
pub fn decode(bytes: &[u8]) -> Encoding {
    let has_mark = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    // Without a mark: ASCII has a zero in each pair of bytes.
    let is_paired = matches!(bytes, [first, second, ..] if (*first == 0) != (*second == 0));
    if has_mark || is_paired {
        return Encoding::Utf16;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Encoding::Utf8(text.to_owned()),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            Encoding::Broken(String::from_utf8_lossy(bytes).into_owned(), line)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_marks_are_no_content() {
        assert_eq!(plain("a\r\nb\r\n"), "a\nb\n");
        assert_eq!(plain("\u{feff}a\n"), "a\n");
        assert_eq!(plain("a\rb\n"), "a\rb\n", "a lone CR is one");
    }

    #[test]
    fn encodings_are_told_apart() {
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(decode(&utf16("\u{feff}export", bytes)), Encoding::Utf16);
            assert_eq!(decode(&utf16("export", bytes)), Encoding::Utf16);
        }
        assert_eq!(decode("\u{feff}é\n".as_bytes()), Encoding::Utf8("\u{feff}é\n".to_owned()));
        assert_eq!(decode(b"a\nb \xe9\n"), Encoding::Broken("a\nb \u{fffd}\n".to_owned(), 2));
        assert_eq!(decode(b""), Encoding::Utf8(String::new()));
    }
}
