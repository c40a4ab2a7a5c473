//! `<sse-bytes>`: an event stream that comes in pieces, and why an event fires or does not.

use std::ops::Range;

use wire::sse::{Event, Item, Parser};

use crate::hex;
use crate::view::{Action, Element, Node, Widget, button, bytes, el, labelled, menu};

/// The longest stream, in bytes: each of them is a button.
const LONGEST: usize = 240;

/// What ends a line in the stream.
const LINE_ENDS: [(&str, &str, &str); 3] =
    [("lf", "LF", "\n"), ("crlf", "CR LF", "\r\n"), ("cr", "CR", "\r")];

/// An example to begin with.
struct Example {
    name: &'static str,
    words: &'static str,
    line_end: usize,
    /// The stream, its lines ended by LF. `|` is where it is cut.
    text: &'static str,
}

const EXAMPLES: [Example; 9] = [
    Example {
        name: "half-price",
        words: "A price cut in two",
        line_end: 0,
        text: "event: price\nid: 2\ndata: 98|00\n\n",
    },
    Example { name: "half-character", words: "é cut in two", line_end: 0, text: "data: caf\u{e9}s\n\n" },
    Example {
        name: "half-line-end",
        words: "CR LF cut in two",
        line_end: 1,
        text: "event: done|\ndata: {}\n\n",
    },
    Example { name: "bytewise", words: "One byte at a time", line_end: 0, text: "|:|\n|d|a|t|a|:|1|\n|\n" },
    Example {
        name: "two-lines",
        words: "Two lines of data, and two events in one piece",
        line_end: 0,
        text: "data: Prices\ndata: now\n\ndata: 9800\n\n",
    },
    Example { name: "id", words: "An id without data", line_end: 0, text: "id: 7\n\n|data: x\n\n" },
    Example {
        name: "retry",
        words: "A comment, and a time to wait",
        line_end: 0,
        text: ":\n\n|retry: 3000\nretry: 3s\n\n",
    },
    Example {
        name: "no-data",
        words: "A type without data",
        line_end: 0,
        text: "event: done\n\n|event: done\ndata\n\n",
    },
    Example { name: "unfinished", words: "An end in the middle", line_end: 0, text: "data: 1\n\n|data: 2\n" },
];

/// `<sse-bytes>`.
#[derive(Clone, Debug)]
pub struct SseBytes {
    /// As typed: its lines end with LF.
    text: String,
    /// One of [`LINE_ENDS`].
    line_end: usize,
    /// Before which bytes a new piece begins, in their order. (A vector: a tree would make the module larger.)
    cuts: Vec<usize>,
    example: &'static str,
}

impl Default for SseBytes {
    fn default() -> Self {
        let mut widget = SseBytes { text: String::new(), line_end: 0, cuts: Vec::new(), example: "" };
        widget.load(&EXAMPLES[0]);
        widget
    }
}

impl Widget for SseBytes {
    fn act(&mut self, action: &Action<'_>) {
        match action.name {
            "text" => {
                self.text = with_plain_ends(action.value);
                self.example = "";
            }
            "line-end" => {
                let chosen = LINE_ENDS.iter().position(|(name, ..)| *name == action.value);
                self.line_end = chosen.unwrap_or(self.line_end);
                self.example = "";
            }
            "cut" => {
                if let Some(at) = action.value.parse().ok().filter(|at| *at > 0) {
                    match self.cuts.binary_search(&at) {
                        Ok(place) => _ = self.cuts.remove(place),
                        Err(place) => self.cuts.insert(place, at),
                    }
                }
                self.example = "";
            }
            "everywhere" => self.cuts = (1..self.stream().len()).collect(),
            "nowhere" => self.cuts.clear(),
            "example" => {
                if let Some(example) = EXAMPLES.iter().find(|example| example.name == action.value) {
                    self.load(example);
                }
            }
            _ => {}
        }
        let length = self.stream().len();
        self.cuts.retain(|at| *at < length);
    }

    fn view(&self) -> Vec<Node> {
        let stream = self.stream();
        let mut view = vec![self.form().into()];
        if stream.len() > LONGEST {
            let words = format!(
                "The stream has {}; this page takes {LONGEST}, to show each of them. Shorten it.",
                bytes(stream.len() as u64)
            );
            view.push(el("p").class("verdict bad").set("role", "status").text(words).into());
            return view;
        }
        view.push(self.byte_buttons(&stream).into());
        view.push(self.told(&stream).into());
        view
    }
}

impl SseBytes {
    fn load(&mut self, example: &Example) {
        self.example = example.name;
        self.line_end = example.line_end;
        self.text = example.text.replace('|', "");
        self.cuts.clear();
        let mut at = 0;
        for c in example.text.chars() {
            match c {
                '|' => self.cuts.push(at),
                '\n' => at += LINE_ENDS[self.line_end].2.len(),
                // The second of two bytes begins a piece.
                c => {
                    if c.len_utf8() > 1 {
                        self.cuts.push(at + 1);
                    }
                    at += c.len_utf8();
                }
            }
        }
        // Between CR and LF.
        if example.name == "half-line-end" {
            self.cuts.iter_mut().for_each(|cut| *cut += 1);
        }
        self.cuts.retain(|cut| *cut > 0);
    }

    /// The bytes of the stream.
    fn stream(&self) -> Vec<u8> {
        self.text.replace('\n', LINE_ENDS[self.line_end].2).into_bytes()
    }

    /// The pieces that arrive, as places in the stream of so many bytes.
    fn pieces(&self, length: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in self.cuts.iter().copied().chain([length]) {
            if start < end {
                pieces.push(start..end);
            }
            start = end;
        }
        pieces
    }

    fn form(&self) -> Element {
        let examples = EXAMPLES.iter().map(|example| (example.name, example.words));
        let examples = menu("example", [("", "your own")].into_iter().chain(examples), self.example);
        let line_ends = LINE_ENDS.map(|(name, words, _)| (name, words));
        let text = el("textarea")
            .set("data-sets", "text")
            .set("rows", self.text.matches('\n').count().clamp(3, 8) + 1)
            .set("spellcheck", "false")
            .set("autocomplete", "off")
            .set("value", &self.text);
        el("div")
            .class("form")
            .with(labelled("Example", examples))
            .with(labelled("Lines end with", menu("line-end", line_ends, LINE_ENDS[self.line_end].0)))
            .with(labelled("The stream", text).set("class", "wide"))
    }

    fn byte_buttons(&self, stream: &[u8]) -> Element {
        let names = names(stream);
        let mut lines = vec![el("div").class("line")];
        for (at, name) in names.iter().enumerate() {
            let is_cut = self.cuts.contains(&at);
            let mut byte = el("button")
                .set("type", "button")
                .set("data-does", "cut")
                .set("data-value", at)
                .set("data-kind", name.kind)
                .set("tabindex", if at == 1 { 0 } else { -1 })
                .set("aria-label", format_args!("cut before byte {at}, {}", name.words));
            byte = match at {
                // Nothing stands before it.
                0 => byte.flag("disabled", true),
                _ => byte.set("aria-pressed", is_cut),
            };
            if let Some(line) = lines.pop() {
                lines.push(line.with(byte.text(&name.shown)));
            }
            if name.ends_line && at + 1 < names.len() {
                lines.push(el("div").class("line"));
            }
        }
        let row = el("div").class("row").with(button("everywhere", "", "Cut everywhere")).with(button(
            "nowhere",
            "",
            "Cut nowhere",
        ));
        el("div")
            .class("stream")
            .with(
                el("p")
                    .class("hint")
                    .text("The bytes. Press one to cut before it; arrow keys go from byte to byte."),
            )
            .with(
                el("div")
                    .class("bytes")
                    .set("role", "group")
                    .set("aria-label", "The bytes of the stream")
                    .flag("data-roving", true)
                    .with_all(lines),
            )
            .with(row)
    }

    fn told(&self, stream: &[u8]) -> Element {
        let mut reader = Reader::default();
        let pieces = self.pieces(stream.len());
        let count = pieces.len();
        let told = pieces.into_iter().enumerate().map(|(index, piece)| {
            let piece = &stream[piece];
            let arrival = reader.take(piece);
            let fired = arrival.fired.iter().map(|event| el("p").class("event").words(event));
            let notes = arrival.notes.iter().map(|note| el("p").class("why").words(note));
            el("li")
                .with(el("p").class("hint").text(format_args!(
                    "Piece {} of {count}, {}",
                    index + 1,
                    bytes(piece.len() as u64)
                )))
                .with(el("code").class("piece").text(shown(&String::from_utf8_lossy(piece))))
                .with_all(fired)
                .with_all(notes)
        });
        let told: Vec<Element> = told.collect();
        el("div")
            .class("arrivals")
            .set("role", "status")
            .set("aria-label", "What arrives")
            .with(el("ol").with_all(told))
            .with(el("p").class("why").words(&reader.at_the_end()))
    }
}

/// Text with every line ended by LF. (`replace` would bring the search for words, a twentieth of the module.)
fn with_plain_ends(text: &str) -> String {
    let mut plain = String::new();
    let mut after_cr = false;
    for c in text.chars() {
        if !(after_cr && c == '\n') {
            plain.push(if c == '\r' { '\n' } else { c });
        }
        after_cr = c == '\r';
    }
    plain
}

/// How a byte is shown and called.
struct Name {
    shown: String,
    words: String,
    kind: &'static str,
    ends_line: bool,
}

fn names(stream: &[u8]) -> Vec<Name> {
    let text = String::from_utf8_lossy(stream);
    let mut names = Vec::new();
    for c in text.chars() {
        let length = c.len_utf8();
        for index in 0..length {
            let byte = stream[names.len()];
            let follows_lf = stream.get(names.len() + 1) == Some(&b'\n');
            let (shown, words, kind) = match c {
                '\n' => ("LF".to_owned(), "LF, a line end".to_owned(), "end"),
                '\r' => ("CR".to_owned(), "CR, a line end".to_owned(), "end"),
                ' ' => ("\u{2423}".to_owned(), "a blank".to_owned(), "plain"),
                c if length == 1 && !c.is_control() => (c.to_string(), c.to_string(), "plain"),
                c if length == 1 => {
                    (hex::write(&[byte]), format!("control character {:02x}", u32::from(c)), "part")
                }
                c => (
                    hex::write(&[byte]),
                    format!("{byte:02x}, byte {} of {length} of {c}", index + 1),
                    "part",
                ),
            };
            let ends_line = c == '\n' || (c == '\r' && !follows_lf);
            names.push(Name { shown, words, kind, ends_line });
        }
    }
    names
}

/// Text with its line ends to be seen, as code writes them.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

/// Words with commas between. (`join` is there for slices of anything, and three times as large.)
fn listed(words: impl Iterator<Item = String>) -> String {
    let mut list = String::new();
    for words in words {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&words);
    }
    list
}

/// Text in a sentence, where backticks mark code.
fn quoted(text: &str) -> String {
    format!("`{}`", shown(text).replace('`', "\u{2019}"))
}

/// What a piece brought.
#[derive(Debug, Default)]
struct Arrival {
    /// Events, and what else took effect.
    fired: Vec<String>,
    /// Why nothing more did.
    notes: Vec<String>,
}

/// Reads pieces with the parser of the labs, and looks at what that holds back.
#[derive(Default)]
struct Reader {
    parser: Parser,
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The first line is over, and with it the chance of a byte order mark.
    begun: bool,
    /// The last byte was CR.
    after_cr: bool,
    /// The fields of the block that has not ended yet: those that a blank line would act on.
    block: Vec<String>,
}

impl Reader {
    fn take(&mut self, piece: &[u8]) -> Arrival {
        let mut arrival = Arrival::default();
        let begins_with_the_lf_of_before = self.after_cr && piece.first() == Some(&b'\n');
        let begins_in_a_character =
            piece.first().is_some_and(|byte| byte & 0xc0 == 0x80) && !self.line.is_empty();
        let had_a_line = !self.line.is_empty();
        if begins_with_the_lf_of_before {
            arrival
                .notes
                .push("The LF belongs to the CR of the piece before: one line end, not two.".to_owned());
        }
        if begins_in_a_character {
            arrival.notes.push("It begins with the rest of a character. One decoder for the whole stream kept the first part; `new TextDecoder()` for each piece would show � twice.".to_owned());
        }
        let ended = self.lines(piece);
        for item in self.parser.push(piece) {
            arrival.fired.extend(told(&item, &self.parser));
        }
        for line in &ended {
            self.line_ended(line, &mut arrival.notes);
        }
        if had_a_line && !ended.is_empty() && !begins_in_a_character {
            let whole = String::from_utf8_lossy(&ended[0]);
            arrival.notes.push(format!("The line that was held is whole now: {}.", quoted(&whole)));
        }
        self.held(&mut arrival.notes);
        arrival
    }

    /// Cuts a piece into lines, as HTML § 9.2.5 has it; gives those that ended.
    fn lines(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut ended = Vec::new();
        for byte in piece {
            match byte {
                b'\n' if self.after_cr => {}
                b'\r' | b'\n' => ended.push(std::mem::take(&mut self.line)),
                byte => self.line.push(*byte),
            }
            self.after_cr = *byte == b'\r';
        }
        ended
    }

    /// Follows a block along; says what a line did that fires nothing.
    fn line_ended(&mut self, line: &[u8], notes: &mut Vec<String>) {
        let mut line = String::from_utf8_lossy(line).into_owned();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(&line).to_owned();
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name {
            "" if line.is_empty() => {
                let block = std::mem::take(&mut self.block);
                let has_data = block.iter().any(|field| field.starts_with("data"));
                if !has_data && !block.is_empty() && block.iter().all(|field| !field.starts_with("id")) {
                    notes.push(format!(
                        "The blank line ends a block without `data`: nothing fires, and {} is forgotten.",
                        listed(block.iter().map(|field| quoted(field)))
                    ));
                }
            }
            "id" if value.as_bytes().contains(&0) => {
                notes.push("An `id` with a NUL in it is ignored.".to_owned())
            }
            "data" | "event" | "id" => self.block.push(line),
            "retry"
                if value.trim_start_matches(' ').bytes().all(|byte| byte.is_ascii_digit())
                    && !value.is_empty() => {}
            "retry" => notes.push(format!("{} is ignored: only digits count.", quoted(&line))),
            "" => notes.push("A comment fires no event. Proxies hear it, and the page does not.".to_owned()),
            _ => notes.push(format!("{} names no field; the line is ignored.", quoted(&line))),
        }
    }

    /// Says what waits for more.
    fn held(&self, notes: &mut Vec<String>) {
        if let Some((there, length)) = half_character(&self.line) {
            let which = match there {
                1 => "Its last byte is the first".to_owned(),
                there => format!("Its last {there} bytes are the first"),
            };
            notes.push(format!("{which} of a character of {length}; the rest is still to come."));
        }
        if !self.line.is_empty() {
            let whole =
                &self.line[..self.line.len() - half_character(&self.line).map_or(0, |(there, _)| there)];
            notes.push(format!(
                "Held: {}, a line that has not ended.",
                quoted(&String::from_utf8_lossy(whole))
            ));
        }
        if !self.block.is_empty() {
            let fields: Vec<String> = self.block.iter().map(|field| quoted(field)).collect();
            let waits = if fields.len() == 1 { "it waits" } else { "they wait" };
            notes.push(format!("Held: {}; {waits} for the blank line.", listed(fields.into_iter())));
        }
        if self.after_cr {
            notes.push(
                "It ends with CR: the line is over. If LF comes next, it belongs to this line end."
                    .to_owned(),
            );
        }
    }

    fn at_the_end(&self) -> String {
        let id = match self.parser.last_event_id() {
            "" => "A client that comes back sends no `Last-Event-ID`.".to_owned(),
            id => format!("A client that comes back sends `Last-Event-ID: {}`.", shown(id)),
        };
        if self.line.is_empty() && self.block.is_empty() {
            format!("If the stream ends here, nothing is lost. {id}")
        } else {
            format!("If the stream ends here, what is held is thrown away: half a block is no event. {id}")
        }
    }
}

/// How many bytes of a character stand at the end of a line without the rest, and how many it has in all.
fn half_character(line: &[u8]) -> Option<(usize, usize)> {
    let there = line.iter().rev().take(3).position(|byte| byte & 0xc0 == 0xc0)? + 1;
    let length = match line[line.len() - there] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    (there < length).then_some((there, length))
}

fn told(item: &Item, parser: &Parser) -> Option<String> {
    Some(match item {
        Item::Event(Event { event_type, data, last_event_id, .. }) => {
            let id = match last_event_id.as_str() {
                "" => String::new(),
                id => format!(", last event ID {}", quoted(id)),
            };
            let data = match data.as_str() {
                "" => "empty data".to_owned(),
                data => format!("data {}", quoted(data)),
            };
            format!("An event of type {}: {data}{id}.", quoted(event_type))
        }
        Item::Id(_) => format!(
            "No event, for there is no `data`. But the last event ID is {} from now on.",
            quoted(parser.last_event_id())
        ),
        Item::Retry(time) => format!("No event. The client will wait {time} ms before it comes back."),
        // Told with its line.
        Item::Comment(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::shown as seen;

    fn after(actions: &[(&str, &str)]) -> SseBytes {
        let mut widget = SseBytes::default();
        for (name, value) in actions {
            widget.act(&Action::new(name, value));
        }
        widget
    }

    /// What is told of the pieces.
    fn told(widget: &SseBytes) -> String {
        let stream = widget.stream();
        let mut reader = Reader::default();
        let mut told = String::new();
        for piece in widget.pieces(stream.len()) {
            let piece = &stream[piece];
            told.push_str(&format!("{}\n", shown(&String::from_utf8_lossy(piece))));
            let arrival = reader.take(piece);
            arrival.fired.iter().for_each(|event| told.push_str(&format!("  ! {event}\n")));
            arrival.notes.iter().for_each(|note| told.push_str(&format!("  - {note}\n")));
        }
        format!("{told}{}\n", reader.at_the_end())
    }

    #[test]
    fn it_begins_with_a_price_cut_in_two() {
        insta::assert_snapshot!(seen(&SseBytes::default()));
    }

    #[test]
    fn each_example_says_why() {
        let told: Vec<String> = EXAMPLES
            .iter()
            .map(|example| format!("== {}\n{}", example.words, told(&after(&[("example", example.name)]))))
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn the_cuts_change_no_event() {
        for example in &EXAMPLES {
            let fired = |widget: &SseBytes| -> Vec<String> {
                let stream = widget.stream();
                let mut reader = Reader::default();
                let pieces = widget.pieces(stream.len());
                pieces.into_iter().flat_map(|piece| reader.take(&stream[piece]).fired).collect()
            };
            let whole = fired(&after(&[("example", example.name), ("nowhere", "")]));
            let bytewise = fired(&after(&[("example", example.name), ("everywhere", "")]));
            // What a block without data tells names the ID of its time.
            let events = |told: Vec<String>| {
                told.into_iter().filter(|told| told.starts_with("An event")).collect::<Vec<_>>()
            };
            assert_eq!(events(whole), events(bytewise), "{}", example.words);
        }
    }

    #[test]
    fn what_the_reader_holds_is_what_the_parser_holds() {
        for example in &EXAMPLES {
            let widget = after(&[("example", example.name), ("everywhere", "")]);
            let stream = widget.stream();
            let mut reader = Reader::default();
            for piece in widget.pieces(stream.len()) {
                reader.take(&stream[piece]);
                let holds =
                    !reader.line.is_empty() || reader.block.iter().any(|field| !field.starts_with("id"));
                // (An ID outlives its block in the parser's buffer.)
                if holds {
                    assert!(reader.parser.buffered() > 0, "{}", example.words);
                }
            }
        }
    }

    #[test]
    fn a_cut_is_made_and_taken_back() {
        let mut widget = after(&[("text", "data: é\n\n"), ("nowhere", "")]);
        widget.act(&Action::new("cut", "7"));
        assert_eq!(widget.pieces(10), [0..7, 7..10]);
        widget.act(&Action::new("cut", "7"));
        assert_eq!(widget.pieces(10), vec![Range { start: 0, end: 10 }]);
        for odd in ["0", "10", "x", "-1", "99"] {
            widget.act(&Action::new("cut", odd));
        }
        assert!(widget.cuts.is_empty());
    }

    #[test]
    fn a_shorter_text_keeps_the_cuts_that_are_left() {
        let widget = after(&[("everywhere", ""), ("text", "data")]);
        assert_eq!(widget.cuts, [1, 2, 3]);
    }

    #[test]
    fn any_text_is_answered() {
        for text in ["", "\n", "\r\r\n", "▲ 🎉\u{feff}", "\u{0}", "data: `x`\n\n", "id: a\u{0}b\ndata\n\n"]
        {
            for line_end in ["lf", "crlf", "cr"] {
                let widget = after(&[("text", text), ("line-end", line_end), ("everywhere", "")]);
                assert!(told(&widget).contains("If the stream ends"), "{text:?}");
                assert!(!seen(&widget).is_empty());
            }
        }
        assert!(seen(&after(&[("text", &"data: x\n".repeat(99))])).contains("Shorten it"));
    }
}
