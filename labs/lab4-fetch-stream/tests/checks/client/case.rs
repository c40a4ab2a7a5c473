//! Streams of which the format's rules say what they mean, cut into chunks.

use std::fmt::Write;

use grader::{
    Bench,
    wire::sse::{Item, Parser},
};

/// An event: its type, its data, its last event ID.
pub(super) type Told = (String, String, String);

pub(super) fn event(item: Item) -> Option<Told> {
    match item {
        Item::Event(event) => Some((event.event_type, event.data, event.last_event_id)),
        _ => None,
    }
}

/// What a stream says: its events, and the reconnection time that it sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) events: Vec<Told>,
    pub(super) retry: Option<u64>,
}

impl Reading {
    /// By the letter of the standard.
    pub(super) fn of(stream: &[u8]) -> Self {
        let mut parser = Parser::new();
        let events = parser.push(stream).into_iter().filter_map(event).collect();
        Self { events, retry: parser.reconnection_time() }
    }
}

/// A stream, and where it is cut: each number is where a chunk begins. The same number twice is an empty chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) stream: Vec<u8>,
    pub(super) cuts: Vec<usize>,
    /// Another parser reads a stream of its own at the same time.
    pub(super) beside: bool,
}

/// A stream longer than this is not made smaller: it is here for its length.
const LONG: usize = 2_000;

impl Case {
    /// A stream in one chunk.
    pub(super) fn whole(stream: &[u8]) -> Self {
        Self { stream: stream.to_vec(), ..Self::default() }
    }

    /// The stream whole, cut in two at every byte, byte by byte, and so with empty chunks between the bytes.
    pub(super) fn every_cut(stream: &[u8]) -> Vec<Self> {
        let cut = |cuts: Vec<usize>| Self { cuts, ..Self::whole(stream) };
        let in_two = (1..stream.len()).map(|at| cut(vec![at]));
        let in_bytes = (1..stream.len()).collect();
        let with_nothing = (0..=stream.len()).flat_map(|at| [at, at]).collect();
        [cut(Vec::new())].into_iter().chain(in_two).chain([cut(in_bytes), cut(with_nothing)]).collect()
    }

    /// A stream that nobody can know beforehand.
    pub(super) fn drawn(bench: &Bench) -> Self {
        let one_of = |choices: &[&[u8]]| choices[bench.draw(choices.len() as u64) as usize].to_vec();
        let text = |choices: &[&str]| choices[bench.draw(choices.len() as u64) as usize].as_bytes().to_vec();
        let mut stream = text(&["", "", "", "\u{feff}", "\u{feff}\u{feff}"]);
        let own = text(&["\n", "\n", "\r\n", "\r"]);
        let end = || if bench.draw(4) == 0 { text(&["\n", "\r\n", "\r"]) } else { own.clone() };
        for _ in 0..=bench.draw(3) {
            for _ in 0..=bench.draw(3) {
                stream.extend(text(&NAMES));
                stream.extend(text(&[": ", ": ", ": ", ":", ":  ", "", ":\t", " :"]));
                stream.extend(one_of(&VALUES));
                stream.extend(end());
            }
            // Most blocks end; some go on.
            if bench.draw(5) > 0 {
                stream.extend(end());
            }
        }
        if bench.draw(4) == 0 {
            stream.extend(b"data: c");
        }
        let length = stream.len();
        let mut cuts: Vec<usize> = match bench.draw(4) {
            0 => (1..length).collect(),
            cuts => (0..2 * cuts).map(|_| bench.draw(length as u64 + 1) as usize).collect(),
        };
        // A chunk may be empty.
        if !cuts.is_empty() && bench.draw(3) == 0 {
            cuts.push(cuts[bench.draw(cuts.len() as u64) as usize]);
        }
        cuts.sort_unstable();
        Self { stream, cuts, beside: !bench.is_plain() && bench.draw(4) == 0 }
    }

    /// The standard leaves no doubt about it: its last line has an end, or sets no reconnection time.
    pub(super) fn is_settled(&self) -> bool {
        let with_end = [self.stream.as_slice(), b"\n"].concat();
        Reading::of(&self.stream).retry == Reading::of(&with_end).retry
    }

    /// The chunks, one after the other.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.cuts.iter().copied().chain([self.stream.len()]);
        let mut from = 0;
        ends.map(move |to| {
            let chunk = &self.stream[from..to];
            from = to;
            chunk
        })
    }

    /// How many events have been given after each chunk, at least: a CR at its end may still wait for an LF, and for the
    /// rest of a character.
    pub(super) fn given(&self) -> Vec<usize> {
        let ends = self.cuts.iter().copied().chain([self.stream.len()]);
        ends.map(|end| {
            let read = &self.stream[..end];
            let half = read.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
            let decided = &read[..end - half];
            Reading::of(decided.strip_suffix(b"\r").unwrap_or(decided)).events.len()
        })
        .collect()
    }

    /// Everything that is a little smaller: some lines less, a simpler value, or a cut less. Lines stay whole, so that
    /// they can be read.
    pub(super) fn smaller(&self) -> Vec<Self> {
        if self.stream.len() > LONG {
            return Vec::new();
        }
        let mut smaller = Vec::new();
        let is_border = |at: usize| match (self.stream[at - 1], self.stream.get(at)) {
            (b'\r', Some(b'\n')) => false,
            (b'\r' | b'\n', _) | (_, None) => true,
            _ => false,
        };
        let borders: Vec<usize> =
            [0].into_iter().chain((1..=self.stream.len()).filter(|at| is_border(*at))).collect();
        let mut length = borders.len() / 2;
        while length > 0 {
            for window in borders.windows(length + 1) {
                let (from, to) = (window[0], window[length]);
                let stream = [&self.stream[..from], &self.stream[to..]].concat();
                let moved =
                    self.cuts.iter().map(|cut| if *cut >= to { cut - (to - from) } else { (*cut).min(from) });
                let cuts = moved.filter(|cut| *cut <= stream.len()).collect();
                smaller.push(Self { stream, cuts, ..*self });
            }
            length /= 2;
        }
        for line in borders.windows(2) {
            smaller.extend(self.with_a_simpler_value(line[0], line[1]));
        }
        if self.beside {
            smaller.push(Self { beside: false, ..self.clone() });
        }
        if !self.cuts.is_empty() {
            smaller.push(Self { cuts: Vec::new(), ..self.clone() });
        }
        for left_out in 0..self.cuts.len() {
            let mut cuts = self.cuts.clone();
            cuts.remove(left_out);
            smaller.push(Self { cuts, ..self.clone() });
        }
        smaller.retain(Self::is_settled);
        smaller
    }

    /// The same with `a` as this line's value, where that is shorter.
    fn with_a_simpler_value(&self, from: usize, to: usize) -> Option<Self> {
        let line = &self.stream[from..to];
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'))? + 1;
        let colon = line[..end].iter().position(|byte| *byte == b':')?;
        let simpler = [&line[..colon], b": a", &line[end..]].concat();
        let less = line.len().checked_sub(simpler.len()).filter(|less| *less > 0)?;
        let stream = [&self.stream[..from], &simpler, &self.stream[to..]].concat();
        let last = from + simpler.len();
        let cuts = self.cuts.iter().map(|cut| if *cut >= to { cut - less } else { (*cut).min(last) });
        Some(Self { stream, cuts: cuts.collect(), ..*self })
    }

    /// As a string is written in a program, chunk by chunk.
    pub(super) fn written(&self) -> String {
        if self.stream.len() > LONG {
            let lines = self.stream.iter().filter(|byte| **byte == b'\n').count();
            let beginning = written(&self.stream[..40]);
            return format!("of {lines} lines in one chunk, which begins {beginning},");
        }
        let chunks: Vec<String> = self.chunks().map(written).collect();
        chunks.join(" | ")
    }
}

const NAMES: [&str; 13] = [
    "data",
    "data",
    "data",
    "data",
    "event",
    "id",
    "retry",
    "",
    "date",
    "Data",
    "\u{feff}data",
    "data ",
    "__proto__",
];

const VALUES: [&[u8]; 25] = [
    b"a",
    b"b ",
    b" c",
    b"",
    b":",
    b"d:e",
    b"25",
    b"007",
    b"1x",
    b"+5",
    b"1e3",
    "\u{663}".as_bytes(),
    b"\0",
    b"f\0g",
    "caf\u{e9}".as_bytes(),
    "\u{25b2}".as_bytes(),
    "\u{1d11e}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{fffd}".as_bytes(),
    "h\u{2028}i\u{2029}".as_bytes(),
    "j\u{85}k\x0bl\x0c".as_bytes(),
    b"m\xff",
    b"\xe2\x82",
    b"\xf0\x9d\x84n",
    b"\xed\xa0\x80\xc0\xaf",
];

/// Bytes as a string in a program, with everything escaped that cannot be seen.
pub(super) fn written(bytes: &[u8]) -> String {
    let mut written = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                // In a message two blanks look like one.
                ' ' if written.ends_with([' ', '"']) => written.push_str("\\x20"),
                '\0' => written.push_str("\\0"),
                '\u{feff}' => written.push_str("\\uFEFF"),
                letter if letter.is_whitespace() && letter > '~' => {
                    let _ = write!(written, "\\u{:04X}", u32::from(letter));
                }
                letter => written.extend(letter.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(written, "\\x{byte:02X}");
        }
    }
    written + "\""
}
