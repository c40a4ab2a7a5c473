//! Where what happened parts from what was expected, and what that means.

use wire::{Moment, Place, Transcript, What, When};

use crate::{align::meet, invariant::bare};

use super::BEFORE;

/// The first place where two transcripts part.
pub(super) struct Difference<'a> {
    pub(super) before: &'a [Moment],
    /// What was expected from there on, up to where they agree again.
    pub(super) expected: &'a [Moment],
    pub(super) observed: &'a [Moment],
    /// Where they agree again, if they do.
    pub(super) after: Option<&'a Moment>,
    /// Whether more was expected after that, at a time to which the play did not come.
    pub(super) goes_on: bool,
}

impl<'a> Difference<'a> {
    pub(super) fn between(expected: &'a [Moment], observed: &'a [Moment]) -> Option<Self> {
        let same = expected.iter().zip(observed).take_while(|(a, b)| a == b).count();
        let (left, right) = (&expected[same..], &observed[same..]);
        if left.is_empty() && right.is_empty() {
            return None;
        }
        let (until_left, until_right) = meet(left, right).unwrap_or((left.len(), right.len()));
        Some(Self {
            after: left.get(until_left),
            goes_on: false,
            before: &expected[same.saturating_sub(BEFORE)..same],
            expected: &left[..until_left],
            observed: &right[..until_right],
        })
    }

    /// The same for a play that its check ended at this time: what was expected later is not missing. Nothing if no
    /// difference remains.
    pub(super) fn until(mut self, ended: u64) -> Option<Self> {
        if self.after.is_some() {
            return Some(self);
        }
        let due = |moment: &&Moment| match moment.when {
            When::At(ms) | When::Within(_, ms) => ms <= ended,
        };
        let count = self.expected.iter().take_while(due).count();
        self.goes_on = count < self.expected.len();
        self.expected = &self.expected[..count];
        (count > 0 || !self.observed.is_empty()).then_some(self)
    }

    /// What the difference means, as far as the transcripts alone can tell.
    pub(super) fn explain(&self, observed: &Transcript) -> Option<String> {
        match (self.expected, self.observed) {
            ([missing, ..], []) => Some(format!("{} is missing.", name(missing))),
            ([], [extra, ..]) => {
                let before = &observed.moments[..position(&observed.moments, extra)];
                let again = before
                    .iter()
                    .any(|moment| moment.place == extra.place && alike(&moment.what, &extra.what));
                Some(if again {
                    format!("{} comes a second time.", name(extra))
                } else {
                    format!("{} should not be there.", name(extra))
                })
            }
            ([expected, ..], [yours, ..]) => Some(explain_pair(expected, yours, self)),
            ([], []) => None,
        }
    }
}

fn position(moments: &[Moment], wanted: &Moment) -> usize {
    moments.iter().rposition(|moment| std::ptr::eq(moment, wanted)).unwrap_or(moments.len())
}

/// The same event, message or request, apart from when and on which exchange.
fn alike(one: &What, other: &What) -> bool {
    one == other
        && matches!(one, What::Event { .. } | What::Message(_) | What::Request { .. } | What::Said(..))
}

fn explain_pair(expected: &Moment, yours: &Moment, difference: &Difference<'_>) -> String {
    if expected.what == yours.what && expected.place == yours.place {
        return match (expected.when, yours.when) {
            (When::At(then), When::At(now)) if now > then => {
                format!("{} comes {} ms too late.", name(yours), now - then)
            }
            (When::At(then), When::At(now)) if now < then => {
                format!("{} comes {} ms too early.", name(yours), then - now)
            }
            _ if expected.exchange != yours.exchange => {
                format!("{} comes on another connection than it should.", name(yours))
            }
            _ => format!("{} comes at another time than it should.", name(yours)),
        };
    }
    let later = difference.observed.iter().any(|moment| alike(&moment.what, &expected.what));
    match (&expected.what, &yours.what) {
        (
            What::Event { id: Some(a), name: kind, data },
            What::Event { id: Some(b), name: other, data: theirs },
        ) => {
            if kind != other {
                return format!("The event's type is `{other}`; the contract says `{kind}`.");
            }
            match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) if b > a && !later => {
                    let lost = if b - a == 1 {
                        format!("Event {a} is")
                    } else {
                        format!("Events {a} to {} are", b - 1)
                    };
                    format!("{lost} lost: the stream goes on with {b}.")
                }
                (Ok(a), Ok(b)) if b > a => format!("Event {b} comes before event {a}."),
                (Ok(a), Ok(b)) if b < a => format!("Event {b} comes again, or too late: {a} is next."),
                _ if a != b => format!("The event's ID is `{b}`; expected is `{a}`."),
                _ if data != theirs => "The event is the right one; its data is not.".to_owned(),
                _ => format!("{} instead of {}.", name(yours), name(expected)),
            }
        }
        (What::Event { id: Some(_), .. }, What::Event { id: None, .. }) => {
            "The event carries no `id`: a client that comes back will not know where it was.".to_owned()
        }
        (What::Response { status: a, .. }, What::Response { status: b, .. }) if a != b => {
            format!("The answer's status is {b}; the contract says {a}.")
        }
        (What::Response { content_type: a, .. }, What::Response { content_type: b, .. }) if a != b => {
            format!(
                "The answer's content type is {}; the contract says {}.",
                b.as_deref().unwrap_or("missing"),
                a.as_deref().unwrap_or("that there is none")
            )
        }
        (What::Response { headers: a, .. }, What::Response { headers: b, .. }) if a != b => {
            headers_differ("The answer", a, b)
        }
        (What::Request { headers: a, target: x, .. }, What::Request { headers: b, target: y, .. })
            if x == y && a != b =>
        {
            headers_differ("The request", a, b)
        }
        (What::Request { target: a, .. }, What::Request { target: b, .. }) if a != b => {
            format!("The client asks for {b}; expected is {a}.")
        }
        (What::Said(label, a), What::Said(other, b)) if label == other => {
            format!("`{label}` is told {}; expected is {}.", bare(b), bare(a))
        }
        _ => format!("{} comes where {} should.", name(yours), lower(&name(expected))),
    }
}

/// Which header one message lacks, or has too much, or has with another value.
fn headers_differ(whose: &str, expected: &[(String, String)], yours: &[(String, String)]) -> String {
    let value = |name: &String| yours.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    match expected.iter().find(|header| !yours.contains(header)) {
        Some((name, should)) => match value(name) {
            Some(is) => format!("{whose} has `{name}: {is}`; expected is `{name}: {should}`."),
            None => format!("{whose} should have the header `{name}: {should}`."),
        },
        None => {
            let more = yours.iter().find(|header| !expected.contains(header));
            format!("{whose} has a header too many: `{}`.", more.map_or("", |(name, _)| name))
        }
    }
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

/// What a moment is called in a sentence that begins with it.
fn name(moment: &Moment) -> String {
    match &moment.what {
        What::Request { method, target, .. } => format!("The request {method} {target}"),
        What::Response { status, .. } => format!("The answer {status}"),
        What::Body(data) => format!("The body {}", bare(data)),
        What::Event { name, id: Some(id), .. } => format!("The event `{name}` with ID {id}"),
        What::Event { name, id: None, .. } => format!("An event `{name}` without ID"),
        What::Id(id) => format!("A block that only sets the ID {id}"),
        What::Retry(..) => "The reconnection time".to_owned(),
        What::Comment => "A comment".to_owned(),
        What::End => "The end of the stream".to_owned(),
        What::Abort => "The client closing the connection".to_owned(),
        What::Message(data) => format!("The message {}", bare(data)),
        What::Ping => "A ping".to_owned(),
        What::Pong => "A pong".to_owned(),
        What::Close(Some(code), _) => format!("The close frame with code {code}"),
        What::Close(None, _) => "A close frame without a code".to_owned(),
        What::Cut | What::Hold | What::Heal => "The weather".to_owned(),
        What::Refused => "A refused connection".to_owned(),
        What::Said(label, data) if moment.place == Place::Page => {
            format!("`{label}` being told {}", bare(data))
        }
        What::Said(label, _) => format!("`{label}`"),
        What::Note(words) => format!("The note “{words}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(text: &str) -> Transcript {
        Transcript::parse(text).expect("it is a transcript")
    }

    fn notes(times: &[u64]) -> Transcript {
        let lines = times.iter().map(|ms| format!("{ms:>6} ms  note             at {ms}\n"));
        transcript(&lines.collect::<String>())
    }

    #[test]
    fn what_a_play_did_not_come_to_is_not_missing() {
        let (expected, observed) = (notes(&[0, 10, 20, 30]), notes(&[0, 10]));
        let difference = || Difference::between(&expected.moments, &observed.moments).expect("they differ");
        assert!(difference().until(15).is_none(), "it ended before anything was due");
        let due = difference().until(25).expect("one moment is due");
        assert_eq!((due.expected.len(), due.goes_on), (1, true));
        let all = difference().until(30).expect("both are due");
        assert_eq!((all.expected.len(), all.goes_on), (2, false));
    }

    #[test]
    fn what_is_too_much_is_shown_without_what_was_expected_later() {
        let (expected, observed) = (notes(&[0, 30]), notes(&[0, 5]));
        let difference = Difference::between(&expected.moments, &observed.moments).expect("they differ");
        let difference = difference.until(6).expect("there is something too much");
        assert_eq!((difference.expected.len(), difference.observed.len(), difference.goes_on), (0, 1, true));
    }
}
