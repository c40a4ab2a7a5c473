//! What plays hand out instead of the plain and expected: texts, names and chunks on which a careless answer stumbles.

use bytes::Bytes;

use crate::Bench;

/// Texts that JSON, event streams, HTML and JavaScript each treat in a way of their own. The first is the plain one.
pub const TEXTS: [&str; 16] = [
    "BBCA at 7200?",
    "",
    " two  spaces, and one at the end ",
    "first\nsecond\r\nthird\rfourth\n",
    "\n",
    "<b>bold</b> & <img src=x onerror=alert(1)>",
    "&amp;&lt;&quot;",
    "\"quoted\" and \\escaped\\ and 'single'",
    "data: no field\n\nevent: none",
    "line\u{2028}separator and paragraph\u{2029}separator",
    "Zürich, 東京, 📈 and e\u{301}",
    "null",
    "__proto__",
    "https://example.com/?a=1&b=2#c",
    "0",
    "a word of more than two hundred characters: ooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo",
];

/// Names of people, rooms and logs. The first is the plain one.
pub const NAMES: [&str; 8] =
    ["general", "General", "Zürich 東京", "__proto__", "constructor", "a b&c=d", "<i>", "0"];

/// Numbers after which a log may begin. The first is the plain one: the first update is number 1.
pub const HEADS: [u64; 5] = [0, 41, 999, 4_294_967_295, 9_007_199_254_740_000];

/// Cuts bytes into chunks: whole in the plain play, else at places drawn from the seed, within characters and line ends,
/// with an empty chunk here and there.
pub fn chunks(bench: &Bench, bytes: impl Into<Bytes>) -> Vec<Bytes> {
    let mut rest: Bytes = bytes.into();
    if bench.is_plain() {
        return vec![rest];
    }
    // One byte at a time, or a few, or many: one grain for each call.
    let grain = [1, 3, 17, 64][bench.draw(4) as usize];
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        if bench.draw(8) == 0 {
            chunks.push(Bytes::new());
        }
        let length = (1 + bench.draw(grain) as usize).min(rest.len());
        chunks.push(rest.split_to(length));
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Pulse, Sources, scene};

    async fn chunks_are_the_bytes_again(bench: Bench) -> Result<(), Failure> {
        let text = TEXTS.join("\r\n");
        let chunks = chunks(&bench, text.clone());
        assert_eq!(chunks.concat(), text.as_bytes());
        assert_eq!(chunks.len() == 1, bench.is_plain());
        Ok(())
    }

    #[test]
    fn nothing_is_lost_between_chunks() {
        for seed in 1..20 {
            let played = scene!(chunks_are_the_bytes_again, "Bytes are cut.").play(
                &Sources::default(),
                seed,
                &Pulse::default(),
            );
            assert_eq!(played.result, Ok(()));
        }
    }
}
