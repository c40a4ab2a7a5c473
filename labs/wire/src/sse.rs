//! The event stream format, to the letter of HTML § 9.2.
//!
//! Bytes go in as they arrive, cut anywhere; what they mean comes out. The
//! parser never fails: the format has no errors, only lines that are ignored.

use std::mem;

/// What a part of an event stream meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A block that dispatches an event.
    Event(Event),
    /// A block that sets the last event ID and, having no data, dispatches nothing.
    Id(String),
    /// A new reconnection time in milliseconds. Takes effect with its line, not with its block.
    Retry(u64),
    /// A comment: the line after its colon.
    Comment(String),
}

/// A dispatched event (HTML § 9.2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event type: `message` where the block names none.
    pub event_type: String,
    /// The data, its lines joined by `\n`.
    pub data: String,
    /// The last event ID as of this event, whichever block set it.
    pub last_event_id: String,
    /// The `id` field of this very block, if it has one that counts.
    pub id_field: Option<String>,
}

/// Reads one event stream.
///
/// ```
/// use wire::sse::{Item, Parser};
///
/// let mut parser = Parser::new();
/// assert!(parser.push(b"id: 1\ndata: caf\xc3").is_empty());
/// let items = parser.push(b"\xa9\n\n");
/// let [Item::Event(event)] = &items[..] else { panic!("{items:?}") };
/// assert_eq!(event.data, "café");
/// assert_eq!(parser.last_event_id(), "1");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The line that has not ended yet. Decoded when it has: no byte of a
    /// longer character is CR or LF, so lines decode like the whole stream.
    line: Vec<u8>,
    /// The first line is over, and with it the chance of a byte order mark.
    begun: bool,
    /// The last byte was CR: an LF now belongs to it, even in another chunk.
    after_cr: bool,
    data: String,
    event_type: String,
    id_buffer: String,
    /// The block at hand has set `id_buffer`.
    id_is_set: bool,
    last_event_id: String,
    reconnection_time: Option<u64>,
}

impl Parser {
    /// A parser for a stream of its own: HTML § 9.2.6 starts with an empty last event ID.
    pub fn new() -> Self {
        Self::default()
    }

    /// A parser for the stream that a reconnection brings. Browsers go on with
    /// the last event ID of the stream before: an event without an `id` field
    /// does not lose it.
    pub fn resuming(last_event_id: &str) -> Self {
        Parser {
            id_buffer: last_event_id.to_owned(),
            last_event_id: last_event_id.to_owned(),
            ..Self::default()
        }
    }

    /// Takes the next bytes and gives what they complete.
    ///
    /// At the end of the stream there is nothing to call: a block without its
    /// blank line is discarded, as the standard demands.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.line.extend_from_slice(&bytes[..end]);
            self.end_line(&mut items);
            let ended_by_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if ended_by_cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.line.extend_from_slice(bytes);
        items
    }

    /// The last event ID string: what a reconnecting client sends as `Last-Event-ID`.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time in milliseconds, once the stream has set one.
    pub fn reconnection_time(&self) -> Option<u64> {
        self.reconnection_time
    }

    /// How many bytes of an unfinished block are held. The format sets no
    /// limit; who reads from a stranger can.
    pub fn buffered(&self) -> usize {
        self.line.len() + self.data.len() + self.event_type.len() + self.id_buffer.len()
    }

    fn end_line(&mut self, items: &mut Vec<Item>) {
        let bytes = mem::take(&mut self.line);
        let mut line = &bytes[..];
        if !mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            items.extend(self.end_block());
            return;
        }
        let line = String::from_utf8_lossy(line);
        match line.split_once(':') {
            Some(("", comment)) => items.push(Item::Comment(comment.to_owned())),
            Some((name, value)) => {
                items.extend(self.field(name, value.strip_prefix(' ').unwrap_or(value)));
            }
            None => items.extend(self.field(&line, "")),
        }
    }

    fn field(&mut self, name: &str, value: &str) -> Option<Item> {
        match name {
            "event" => value.clone_into(&mut self.event_type),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.as_bytes().contains(&0) => {
                value.clone_into(&mut self.id_buffer);
                self.id_is_set = true;
            }
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // Digits alone fail to parse only by being too many.
                let time = value.parse().unwrap_or(u64::MAX);
                self.reconnection_time = Some(time);
                return Some(Item::Retry(time));
            }
            _ => {}
        }
        None
    }

    fn end_block(&mut self) -> Option<Item> {
        self.last_event_id.clone_from(&self.id_buffer);
        let id_field = mem::take(&mut self.id_is_set).then(|| self.id_buffer.clone());
        let mut data = mem::take(&mut self.data);
        let mut event_type = mem::take(&mut self.event_type);
        if data.is_empty() {
            return id_field.map(Item::Id);
        }
        // Every `data` line ended in one; the last is not part of the data.
        data.pop();
        if event_type.is_empty() {
            "message".clone_into(&mut event_type);
        }
        Some(Item::Event(Event { event_type, data, last_event_id: self.last_event_id.clone(), id_field }))
    }
}
