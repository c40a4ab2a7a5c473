//! Text to model.
//!
//! Reads everything that the text form writes, and forgives what an author's
//! editor does to it: blank lines, more blanks between the columns, another
//! indentation, JSON with blanks or in another order of keys.

use std::fmt;
use std::str::FromStr;

use super::{Data, Moment, Place, Transcript, What, When};

/// Where a text is no transcript, and what should stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// A sentence that says what was expected.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

impl Transcript {
    /// Reads the text form.
    ///
    /// # Errors
    /// Names the first place that cannot be read and what was expected there.
    pub fn parse(text: &str) -> Result<Transcript, ParseError> {
        let mut moments: Vec<Moment> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut cursor = Cursor::new(index + 1, line.trim_end());
            cursor.blanks();
            if cursor.rest().is_empty() {
                continue;
            }
            if !begins_with_a_time(cursor.rest()) && line.starts_with([' ', '\t']) {
                let header = cursor.header()?;
                let Some(What::Request { headers, .. } | What::Response { headers, .. }) =
                    moments.last_mut().map(|moment| &mut moment.what)
                else {
                    cursor.blame_indentation();
                    return Err(cursor.expected(
                        "a moment that begins with a time such as `10 ms`; \
                         a header may stand only below a request or a response",
                    ));
                };
                headers.push(header);
                continue;
            }
            moments.push(cursor.moment()?);
        }
        Ok(Transcript { moments })
    }
}

impl FromStr for Transcript {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Transcript::parse(text)
    }
}

/// Whether a line, its indentation taken off, is a moment and no header.
fn begins_with_a_time(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len()
        && rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()).starts_with(" ms")
}

/// A place in a line.
struct Cursor<'a> {
    number: usize,
    line: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, ParseError>;

impl<'a> Cursor<'a> {
    fn new(number: usize, line: &'a str) -> Self {
        Cursor { number, line, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn is_done(&self) -> bool {
        self.rest().is_empty()
    }

    /// The error at this place.
    fn expected(&self, what: &str) -> ParseError {
        let found = match self.rest().chars().next() {
            None => "the line ends here".to_owned(),
            Some(_) => {
                let word: String = self
                    .rest()
                    .split(char::is_whitespace)
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(24)
                    .collect();
                format!("found `{word}`")
            }
        };
        ParseError {
            line: self.number,
            column: self.line[..self.at].chars().count() + 1,
            message: format!("expected {what}, {found}"),
        }
    }

    /// Moves to where the line's first word stands.
    fn blame_indentation(&mut self) {
        self.at = self.line.len() - self.line.trim_start().len();
    }

    fn blanks(&mut self) {
        self.at = self.line.len() - self.rest().trim_start().len();
    }

    /// Takes `token` if it stands here.
    fn eat(&mut self, token: &str) -> bool {
        let here = self.rest().starts_with(token);
        if here {
            self.at += token.len();
        }
        here
    }

    /// Takes `word` and the blanks after it if it stands here as a whole word.
    fn eat_word(&mut self, word: &str) -> bool {
        let Some(after) = self.rest().strip_prefix(word) else {
            return false;
        };
        let whole = after.is_empty() || after.starts_with(char::is_whitespace);
        if whole {
            self.at += word.len();
            self.blanks();
        }
        whole
    }

    /// Takes everything before the first character that `ends` it.
    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.line.len();
        rest
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Parsed<T> {
        let start = self.at;
        let digits = self.take_until(|c| !c.is_ascii_digit());
        digits.parse().map_err(|_| {
            self.at = start;
            self.expected(what)
        })
    }

    fn end(&self) -> Parsed<()> {
        if self.is_done() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    fn moment(&mut self) -> Parsed<Moment> {
        let when = self.when()?;
        let (place, client) = self.place()?;
        let exchange = if self.eat("#") {
            let number = self.number("the number of an exchange such as `#1`")?;
            self.blanks();
            Some(number)
        } else {
            None
        };
        let what = match place {
            Place::Page if !self.eat_word("·") => self.said()?,
            Place::Note if !self.eat_word("·") => What::Note(self.words()?),
            _ => self.what()?,
        };
        self.end()?;
        Ok(Moment { when, place, client, exchange, what })
    }

    fn when(&mut self) -> Parsed<When> {
        const TIME: &str = "a time in milliseconds such as `10 ms` or `500-1000 ms`";
        let from = self.number(TIME)?;
        let when = if self.eat("-") { When::Within(from, self.number(TIME)?) } else { When::At(from) };
        self.blanks();
        if self.eat_word("ms") { Ok(when) } else { Err(self.expected("`ms` after the time")) }
    }

    fn place(&mut self) -> Parsed<(Place, Option<char>)> {
        let start = self.at;
        if self.eat_word("client") {
            let client = if self.rest().starts_with('→') { None } else { self.client()? };
            if self.eat_word("→") && self.eat_word("server") {
                return Ok((Place::ToServer, client));
            }
            return Err(self.expected("`→ server` after the client"));
        }
        let place = if self.eat_word("server") {
            if !self.eat_word("→") {
                return Err(self.expected("`→ client` after `server`"));
            }
            if !self.eat("client") {
                return Err(self.expected("`client` after `server →`"));
            }
            Place::ToClient
        } else if self.eat("page") {
            Place::Page
        } else if self.eat("network") {
            Place::Network
        } else if self.eat("note") {
            Place::Note
        } else {
            return Err(
                self.expected("a place: `page`, `client → server`, `server → client`, `network` or `note`")
            );
        };
        // One blank and a letter name the client; two blanks end the column.
        let rest = self.rest();
        let client = if rest.starts_with("  ") || !rest.starts_with(' ') {
            None
        } else {
            self.at += 1;
            self.client()?
        };
        if !self.is_done() && !self.rest().starts_with(char::is_whitespace) && client.is_none() {
            self.at = start;
            return Err(self.expected("a place followed by two blanks"));
        }
        self.blanks();
        Ok((place, client))
    }

    /// The client's letter and the blanks after it.
    fn client(&mut self) -> Parsed<Option<char>> {
        const LETTER: &str = "one letter for the client, such as `client A`, or two blanks after the place";
        let start = self.at;
        let name = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.take_until(char::is_whitespace).to_owned()
        };
        let mut letters = name.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => {
                self.blanks();
                Ok(Some(letter))
            }
            _ => {
                self.at = start;
                Err(self.expected(LETTER))
            }
        }
    }

    fn what(&mut self) -> Parsed<What> {
        let rest = self.rest();
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return self.response();
        }
        if rest.starts_with(|c: char| c == '"' || c.is_ascii_uppercase()) {
            return Ok(What::Request {
                method: self.word("a method such as `GET`")?,
                target: self.word("a request target such as `/prices`")?,
                headers: Vec::new(),
            });
        }
        let start = self.at;
        let keyword = self.take_until(char::is_whitespace);
        self.blanks();
        Ok(match keyword {
            "body" => What::Body(self.data()?),
            "event" => self.event()?,
            "id" => What::Id(self.field("an ID")?),
            "retry" => self.retry()?,
            "comment" => What::Comment,
            "end" => What::End,
            "abort" => What::Abort,
            "message" => What::Message(self.data()?),
            "ping" => What::Ping,
            "pong" => What::Pong,
            "close" => self.close()?,
            "cut" => What::Cut,
            "hold" => What::Hold,
            "heal" => What::Heal,
            "refused" => What::Refused,
            "said" => self.said()?,
            "note" => What::Note(self.words()?),
            _ => {
                self.at = start;
                return Err(self.expected(
                    "what happened: a request (`GET /prices`), a response (`200 text/plain`), \
                     or one of body, event, id, retry, comment, end, abort, message, ping, pong, \
                     close, cut, hold, heal, refused",
                ));
            }
        })
    }

    fn response(&mut self) -> Parsed<What> {
        const STATUS: &str = "a status code such as `200`";
        let status = self.number(STATUS)?;
        if !self.is_done() && !self.rest().starts_with(char::is_whitespace) {
            return Err(self.expected("a blank after the status code"));
        }
        self.blanks();
        Ok(What::Response {
            status,
            content_type: if self.is_done() {
                None
            } else {
                Some(self.word("a media type such as `text/event-stream`")?)
            },
            headers: Vec::new(),
        })
    }

    fn event(&mut self) -> Parsed<What> {
        const DOT: &str = "` · ` and the event's data";
        let name = self.field("an event's name")?;
        if !self.eat_word("·") {
            return Err(self.expected(DOT));
        }
        let id = if self.eat_word("id") {
            let id = self.field("an ID")?;
            if !self.eat_word("·") {
                return Err(self.expected(DOT));
            }
            Some(id)
        } else {
            None
        };
        Ok(What::Event { name, id, data: self.data()? })
    }

    fn retry(&mut self) -> Parsed<What> {
        const TIME: &str = "a time such as `3000 ms` or `within 1000-10000 ms`";
        let (from, to) = if self.eat_word("within") {
            let from = self.number(TIME)?;
            if !self.eat("-") {
                return Err(self.expected("`-` and the end of the window"));
            }
            (from, self.number(TIME)?)
        } else {
            let exactly = self.number(TIME)?;
            (exactly, exactly)
        };
        self.blanks();
        if self.eat_word("ms") {
            Ok(What::Retry(from, to))
        } else {
            Err(self.expected("`ms` after the time"))
        }
    }

    fn close(&mut self) -> Parsed<What> {
        let code = if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            Some(self.number("a close code such as `1000`")?)
        } else {
            None
        };
        self.blanks();
        let reason = if self.is_done() { String::new() } else { self.quoted()? };
        Ok(What::Close(code, reason))
    }

    /// `label: words`.
    fn said(&mut self) -> Parsed<What> {
        const LABEL: &str = "what the page said, such as `status: live`";
        let label = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            let start = self.at;
            let label = self.take_until(|c| c == ':');
            if label.is_empty() || self.is_done() {
                self.at = start;
                return Err(self.expected(LABEL));
            }
            label.to_owned()
        };
        if !self.eat(":") {
            return Err(self.expected("`:` after the label"));
        }
        self.blanks();
        if self.is_done() {
            return Err(self.expected(LABEL));
        }
        let marked = self.rest().starts_with(['"', '{', '[']);
        let data = if marked || self.rest().starts_with("json \"") || self.counts_bytes() {
            self.data()?
        } else {
            Data::Text(self.take_rest().to_owned())
        };
        Ok(What::Said(label, data))
    }

    fn counts_bytes(&self) -> bool {
        let rest = self.rest();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        after.len() < rest.len() && matches!(after, " byte" | " bytes")
    }

    fn words(&mut self) -> Parsed<String> {
        if self.is_done() {
            Err(self.expected("the words of the note"))
        } else if self.rest().starts_with('"') {
            self.quoted()
        } else {
            Ok(self.take_rest().to_owned())
        }
    }

    fn data(&mut self) -> Parsed<Data> {
        const DATA: &str = "a JSON object or array, a quoted text, or a count such as `12 bytes`";
        let rest = self.rest();
        if rest.starts_with('"') {
            return Ok(Data::Text(self.quoted()?));
        }
        if rest.starts_with(['{', '[']) {
            let data = Data::of_text(rest);
            if !matches!(data, Data::Json(_)) {
                return Err(self.expected("valid JSON"));
            }
            self.take_rest();
            return Ok(data);
        }
        if self.eat_word("json") {
            return Ok(Data::Json(self.quoted()?));
        }
        if !self.counts_bytes() {
            return Err(self.expected(DATA));
        }
        let count = self.number("a number of bytes")?;
        self.take_rest();
        Ok(Data::Bytes(count))
    }

    /// A word that may be quoted, and the blanks after it.
    fn word(&mut self, what: &str) -> Parsed<String> {
        let word = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.take_until(char::is_whitespace).to_owned()
        };
        if word.is_empty() && !self.line[..self.at].ends_with('"') {
            return Err(self.expected(what));
        }
        if !self.is_done() && !self.rest().starts_with(char::is_whitespace) {
            return Err(self.expected("a blank"));
        }
        self.blanks();
        Ok(word)
    }

    /// Words up to the next ` · `, or a quoted text, and the blanks after it.
    fn field(&mut self, what: &str) -> Parsed<String> {
        let field = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            let words = self.take_until(|c| c == '·').trim_end();
            if words.is_empty() {
                return Err(self.expected(what));
            }
            words.to_owned()
        };
        self.blanks();
        Ok(field)
    }

    /// A JSON string.
    fn quoted(&mut self) -> Parsed<String> {
        let mut strings = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        match strings.next() {
            Some(Ok(text)) => {
                self.at += strings.byte_offset();
                Ok(text)
            }
            _ => Err(self.expected("a text in double quotes, escaped as in JSON")),
        }
    }

    /// `name: value`.
    fn header(&mut self) -> Parsed<(String, String)> {
        const HEADER: &str = "a moment that begins with a time such as `10 ms`, \
             or a header such as `accept: text/plain`";
        let start = self.at;
        let name = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.take_until(|c| c == ':' || c.is_whitespace()).to_owned()
        };
        if !self.eat(":") || (name.is_empty() && !self.line[start..].starts_with('"')) {
            self.at = start;
            return Err(self.expected(HEADER));
        }
        self.blanks();
        if self.is_done() {
            return Err(self.expected("the header's value, or `\\\"\"` where it is empty"));
        }
        let value = if self.rest().starts_with('\\') {
            self.at += 1;
            let value = self.quoted()?;
            self.end()?;
            value
        } else {
            self.take_rest().to_owned()
        };
        Ok((name, value))
    }
}
