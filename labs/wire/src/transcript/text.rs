//! Model to text.
//!
//! A line depends on its own moment alone, so that a diff of two texts is a
//! diff of their moments. Whatever could be taken for something else is
//! JSON-quoted; the rules stand beside the functions and
//! [`super::parse`] reads by the same ones.

use std::fmt::{self, Display, Formatter, Write};

use super::{Data, Moment, Place, Transcript, What, When};

impl Display for Transcript {
    /// Writes one line per moment and one more per header, each ended by `\n`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for moment in &self.moments {
            writeln!(f, "{moment}")?;
        }
        Ok(())
    }
}

impl Display for Moment {
    /// Writes the moment's line, and its header lines below it, without a `\n` at the end.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut line = format!("{:>6} ms  ", self.when.to_string());
        let place = place(self.place, self.client);
        let width = if self.client.is_some() { 17 } else { 15 };
        write!(line, "{place:<width$}  ")?;
        if let Some(exchange) = self.exchange {
            write!(line, "#{exchange} ")?;
        }
        f.write_str(&line)?;
        match (self.place, &self.what) {
            (Place::Page, What::Said(..)) | (Place::Note, What::Note(_)) => {
                write!(f, "{}", self.what)?;
            }
            // Said and noted words are bare at their own places; a moment that
            // is not at home there is marked, and elsewhere they are named.
            (Place::Page | Place::Note, what) => write!(f, "· {}", Named(what))?,
            (_, what) => write!(f, "{}", Named(what))?,
        }
        let (What::Request { headers, .. } | What::Response { headers, .. }) = &self.what else {
            return Ok(());
        };
        let indent = line.chars().count();
        for (name, value) in headers {
            write!(f, "\n{:indent$}{}: {}", "", Quoted::unless(name, is_header_name), HeaderValue(value))?;
        }
        Ok(())
    }
}

impl Display for When {
    /// Writes `10` or `1000-2000`, without the unit.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            When::At(ms) => write!(f, "{ms}"),
            When::Within(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

impl Display for What {
    /// Writes what happened in one line, without the headers.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            What::Request { method, target, .. } => {
                let method = Quoted::unless(method, is_method);
                write!(f, "{method} {}", Quoted::unless(target, is_word))
            }
            What::Response { status, content_type, .. } => {
                write!(f, "{status}")?;
                match content_type {
                    Some(essence) => write!(f, " {}", Quoted::unless(essence, is_word)),
                    None => Ok(()),
                }
            }
            What::Body(data) => write!(f, "body {data}"),
            What::Event { name, id, data } => {
                write!(f, "event {} · ", Quoted::unless(name, is_field))?;
                if let Some(id) = id {
                    write!(f, "id {} · ", Quoted::unless(id, is_field))?;
                }
                write!(f, "{data}")
            }
            What::Id(id) => write!(f, "id {}", Quoted::unless(id, is_field)),
            What::Retry(from, to) if from == to => write!(f, "retry {from} ms"),
            What::Retry(from, to) => write!(f, "retry within {from}-{to} ms"),
            What::Comment => f.write_str("comment"),
            What::End => f.write_str("end"),
            What::Abort => f.write_str("abort"),
            What::Message(data) => write!(f, "message {data}"),
            What::Ping => f.write_str("ping"),
            What::Pong => f.write_str("pong"),
            What::Close(code, reason) => {
                f.write_str("close")?;
                if let Some(code) = code {
                    write!(f, " {code}")?;
                }
                if !reason.is_empty() {
                    write!(f, " {}", Quoted(reason))?;
                }
                Ok(())
            }
            What::Cut => f.write_str("cut"),
            What::Hold => f.write_str("hold"),
            What::Heal => f.write_str("heal"),
            What::Refused => f.write_str("refused"),
            What::Said(label, data) => {
                write!(f, "{}: ", Quoted::unless(label, is_label))?;
                match data {
                    Data::Text(text) if is_said_bare(text) => f.write_str(text),
                    data => write!(f, "{data}"),
                }
            }
            What::Note(words) => write!(f, "{}", Quoted::unless(words, is_note)),
        }
    }
}

impl Display for Data {
    /// Writes JSON as it is, text as a JSON string, bytes as their number.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Data::Json(json) if Data::of_text(json) == *self && is_printable(json) => f.write_str(json),
            // Not the compact form that `of_text` gives: kept, but marked.
            Data::Json(json) => write!(f, "json {}", Quoted(json)),
            Data::Text(text) => write!(f, "{}", Quoted(text)),
            Data::Bytes(1) => f.write_str("1 byte"),
            Data::Bytes(count) => write!(f, "{count} bytes"),
        }
    }
}

/// The words of the place column.
pub(super) fn place(place: Place, client: Option<char>) -> String {
    let client = match client {
        None => String::new(),
        Some(letter) if letter.is_alphanumeric() => format!(" {letter}"),
        Some(odd) => format!(" {}", Quoted(odd.encode_utf8(&mut [0; 4]))),
    };
    match place {
        Place::Page => format!("page{client}"),
        Place::ToServer => format!("client{client} → server"),
        Place::ToClient => format!("server → client{client}"),
        Place::Network => format!("network{client}"),
        Place::Note => format!("note{client}"),
    }
}

/// What happened, in words that stand at any place.
struct Named<'a>(&'a What);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            What::Said(..) => write!(f, "said {}", self.0),
            What::Note(_) => write!(f, "note {}", self.0),
            what => write!(f, "{what}"),
        }
    }
}

/// A JSON string with every character escaped that a terminal or an editor
/// would not show as one character of this line.
struct Quoted<'a>(&'a str);

impl<'a> Quoted<'a> {
    fn unless(text: &'a str, plain: impl Fn(&str) -> bool) -> Bare<'a> {
        if plain(text) { Bare::Plain(text) } else { Bare::Quoted(Quoted(text)) }
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // None of them lies outside the Basic Multilingual Plane.
                c if is_hidden(c) => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A text that stands as it is where nothing else can be meant.
enum Bare<'a> {
    Plain(&'a str),
    Quoted(Quoted<'a>),
}

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Bare::Plain(text) => f.write_str(text),
            Bare::Quoted(quoted) => quoted.fmt(f),
        }
    }
}

/// A header's value. Entity tags bring quotes of their own, so a quoted value
/// is marked by a backslash before it.
struct HeaderValue<'a>(&'a str);

impl Display for HeaderValue<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) && !self.0.starts_with('\\') {
            f.write_str(self.0)
        } else {
            write!(f, "\\{}", Quoted(self.0))
        }
    }
}

/// Control characters, separators of lines, byte order marks and the marks
/// that turn the direction of what follows.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_printable(text: &str) -> bool {
    !text.contains(is_hidden)
}

/// At least one character, all of them to be seen, no blank at either end.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && is_printable(text)
}

/// No blank inside either: a request target, a media type.
fn is_word(text: &str) -> bool {
    is_plain(text) && !text.starts_with('"') && !text.contains(char::is_whitespace)
}

/// A method as servers know them; its capital tells a request from a keyword.
fn is_method(text: &str) -> bool {
    is_word(text) && text.starts_with(|c: char| c.is_ascii_uppercase())
}

/// An event's name or ID: ends at the next ` · `.
fn is_field(text: &str) -> bool {
    is_plain(text) && !text.starts_with('"') && !text.contains('·')
}

/// A header's name: ends at the colon. Blanks would let it pass for a time.
fn is_header_name(text: &str) -> bool {
    is_word(text) && !text.contains(':')
}

/// What the page said something about: ends at the colon.
fn is_label(text: &str) -> bool {
    is_plain(text) && !text.starts_with(['"', '#', '·']) && !text.contains(':')
}

fn is_note(text: &str) -> bool {
    is_plain(text) && !text.starts_with(['"', '#', '·'])
}

/// What the page said stands bare unless it looks like other [`Data`].
fn is_said_bare(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let counts_bytes = digits.len() < text.len() && digits.starts_with(" byte");
    is_plain(text) && !text.starts_with(['"', '{', '[']) && !text.starts_with("json \"") && !counts_bytes
}
