//! Bytes as people write them.

/// Bytes as pairs of hexadecimal digits with blanks between.
pub(crate) fn write(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    let mut written = String::new();
    for byte in bytes {
        if !written.is_empty() {
            written.push(' ');
        }
        written.push(digit(byte >> 4));
        written.push(digit(byte & 15));
    }
    written
}

/// Reads bytes from hexadecimal digits. Blanks, commas, colons and `0x` between them are what tools print.
///
/// # Errors
/// A sentence that names the first thing that is no byte.
pub(crate) fn read(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '[' | ']')) {
        let digits = word.strip_prefix("0x").or(word.strip_prefix("\\x")).unwrap_or(word);
        if let Some(odd) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!(
                "`{odd}` is no hexadecimal digit; a byte is two of `0` to `9` and `a` to `f`."
            ));
        }
        // One digit by itself is a byte; more are pairs.
        if digits.len() > 1 && digits.len() % 2 == 1 {
            return Err(format!("`{digits}` has an odd number of digits; a byte is two."));
        }
        let pairs = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | value(*digit)));
        bytes.extend(pairs);
    }
    Ok(bytes)
}

fn value(digit: u8) -> u8 {
    // Only hexadecimal digits come here.
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_tools_print_them() {
        for text in
            ["81 85 0a", "81850A", "0x81, 0x85, 0xa", "81:85:0a", "[81, 85, 0a]\n", "\\x81 \\x85 \\x0a"]
        {
            assert_eq!(read(text).unwrap(), [0x81, 0x85, 0x0a], "{text}");
        }
        assert!(read(" \n").unwrap().is_empty());
        assert_eq!(write(&[0x81, 5]), "81 05");
    }

    #[test]
    fn what_is_no_byte_is_named() {
        assert!(read("81 8x").unwrap_err().contains("`x`"));
        assert!(read("81 850").unwrap_err().contains("`850`"));
        assert!(read("é").is_err());
    }
}
