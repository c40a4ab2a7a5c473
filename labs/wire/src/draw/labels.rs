//! The words of a drawing that are not the transcript's.

use std::borrow::Cow;

use crate::transcript::{Data, Moment, Place, When};

/// The words that a page's language decides. The default is English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Names the client's lifeline; its letter follows where there are several.
    pub client: Cow<'static, str>,
    /// Names the server's lifeline.
    pub server: Cow<'static, str>,
    /// What the client told its user, in the list.
    pub page: Cow<'static, str>,
    /// The line between the two, in the list.
    pub network: Cow<'static, str>,
    /// Stands between sender and receiver in the list.
    pub to: Cow<'static, str>,
    /// Follows a time.
    pub milliseconds: Cow<'static, str>,
    /// Follows the number 1.
    pub byte: Cow<'static, str>,
    /// Follows any other number of bytes.
    pub bytes: Cow<'static, str>,
    /// A comment of an event stream.
    pub comment: Cow<'static, str>,
    /// The sender ended the body as it should.
    pub end: Cow<'static, str>,
    /// The client let go.
    pub abort: Cow<'static, str>,
    /// The line was cut.
    pub cut: Cow<'static, str>,
    /// Bytes begin to wait in the line.
    pub hold: Cow<'static, str>,
    /// What waited is delivered.
    pub heal: Cow<'static, str>,
    /// A connection attempt was refused.
    pub refused: Cow<'static, str>,
}

impl Default for Labels {
    fn default() -> Self {
        Labels {
            client: "client".into(),
            server: "server".into(),
            page: "page".into(),
            network: "network".into(),
            to: "to".into(),
            milliseconds: "ms".into(),
            byte: "byte".into(),
            bytes: "bytes".into(),
            comment: "comment".into(),
            end: "end of the stream".into(),
            abort: "the client lets go".into(),
            cut: "the connection is cut".into(),
            hold: "bytes wait in the line".into(),
            heal: "what waited is delivered".into(),
            refused: "the connection is refused".into(),
        }
    }
}

impl Labels {
    pub(super) fn client_named(&self, letter: Option<char>) -> String {
        match letter {
            Some(letter) => format!("{} {letter}", self.client),
            None => self.client.to_string(),
        }
    }

    /// Where a moment happened, in words; a note happens nowhere.
    pub(super) fn place(&self, moment: &Moment) -> Option<String> {
        let client = self.client_named(moment.client);
        let with_letter = |name: &str| match moment.client {
            Some(letter) => format!("{name} {letter}"),
            None => name.to_owned(),
        };
        match moment.place {
            Place::Page => Some(with_letter(&self.page)),
            Place::ToServer => Some(format!("{client} {} {}", self.to, self.server)),
            Place::ToClient => Some(format!("{} {} {client}", self.server, self.to)),
            Place::Network => Some(with_letter(&self.network)),
            Place::Note => None,
        }
    }

    pub(super) fn time(&self, when: When) -> String {
        match when {
            When::At(ms) => format!("{} {}", grouped(ms), self.milliseconds),
            When::Within(from, to) => {
                format!("{}–{} {}", grouped(from), grouped(to), self.milliseconds)
            }
        }
    }

    /// As in the text form, so that what a string hides is seen.
    pub(super) fn data(&self, data: &Data) -> String {
        match data {
            Data::Bytes(1) => format!("1 {}", self.byte),
            Data::Bytes(count) => format!("{count} {}", self.bytes),
            data => data.to_string(),
        }
    }

    /// A name or an ID: quoted where it would not be seen.
    pub(super) fn value(&self, text: &str) -> String {
        if text.trim().is_empty() || text.contains(char::is_control) {
            Data::Text(text.to_owned()).to_string()
        } else {
            text.to_owned()
        }
    }
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            // A blank at which no line breaks.
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    grouped
}
