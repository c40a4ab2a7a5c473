//! What can be set about a race, and why something cannot.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use url::form_urlencoded;

use super::{run::LASTS, runs::MOST};

/// The fastest market, in updates a second. The log keeps some thirteen seconds of it: longer than any client stays away.
const FASTEST: u64 = 20;
/// The most that goes with each price, in bytes.
const LARGEST: u64 = 2_000;
/// For how long a line may be down, in seconds.
const LONGEST: u64 = 10;
/// How long it is where nobody says.
const DOWN: u64 = 3;

/// How one race's market is to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Settings {
    /// Updates a second.
    pub(super) pace: u32,
    /// Bytes that go with each price.
    pub(super) payload: usize,
    /// Nothing moves.
    pub(super) paused: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pace: 2, payload: 0, paused: false }
    }
}

impl Settings {
    /// These settings, with what a form changes.
    ///
    /// # Errors
    /// [`Refusal::Impossible`], with a sentence that names the field and what it takes.
    pub(super) fn changed_by(mut self, form: &[u8]) -> Result<Self, Refusal> {
        for (name, value) in form_urlencoded::parse(form) {
            match &*name {
                "pace" => self.pace = number(&name, &value, 1, FASTEST, "updates a second")? as u32,
                "payload" => self.payload = number(&name, &value, 0, LARGEST, "bytes")? as usize,
                "paused" => {
                    self.paused = match &*value {
                        "on" | "true" | "1" => true,
                        "" | "off" | "false" | "0" => false,
                        _ => return Err(Refusal::Impossible("`paused` is on or off.".to_owned())),
                    }
                }
                _ => return Err(unknown(&name, "`pace`, `payload` and `paused`")),
            }
        }
        Ok(self)
    }
}

/// For how many seconds a form wants the line to be down.
///
/// # Errors
/// [`Refusal::Impossible`], with a sentence.
pub(super) fn seconds(form: &[u8]) -> Result<u64, Refusal> {
    let mut seconds = DOWN;
    for (name, value) in form_urlencoded::parse(form) {
        match &*name {
            "seconds" => seconds = number(&name, &value, 0, LONGEST, "seconds")?,
            _ => return Err(unknown(&name, "`seconds`")),
        }
    }
    Ok(seconds)
}

fn number(name: &str, value: &str, least: u64, most: u64, unit: &str) -> Result<u64, Refusal> {
    value.trim().parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let value = short(value);
        Refusal::Impossible(format!(
            "`{name}` takes whole numbers from {least} to {most} ({unit}), not “{value}”."
        ))
    })
}

fn unknown(name: &str, known: &str) -> Refusal {
    Refusal::Impossible(format!("A race has {known} to be set here, and no “{}”.", short(name)))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Why a race does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The browser has no cookie of this stage.
    Stranger,
    /// The race is over, or is somebody else's.
    Over,
    /// There is no such server.
    NoLane,
    /// There are as many races as the stage allows.
    NoRoom,
    /// What is asked for cannot be, in a sentence.
    Impossible(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Self::Stranger => (
                StatusCode::FORBIDDEN,
                "This browser has no race here: open /race and begin one. (The stage knows it by a cookie.)".to_owned(),
            ),
            Self::Over => (
                StatusCode::GONE,
                format!(
                    "This race is over. A browser has one at a time, nobody looked at it for too long, or it went on \
                     for {} minutes. Begin another one at /race.",
                    LASTS.as_secs() / 60
                ),
            ),
            Self::NoLane => (
                StatusCode::NOT_FOUND,
                "There is no such server in a race: there are `fetch`, `poll`, `sse`, `stream`, `ws` and `more`.".to_owned(),
            ),
            Self::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("There are {MOST} races on this stage already: try again when somebody has left theirs."),
            ),
            Self::Impossible(words) => (StatusCode::UNPROCESSABLE_ENTITY, words),
        };
        (status, format!("{words}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(refused: Result<impl std::fmt::Debug, Refusal>) -> String {
        match refused {
            Err(Refusal::Impossible(words)) => words,
            other => panic!("that is no sentence: {other:?}"),
        }
    }

    #[test]
    fn a_form_changes_what_it_names_and_nothing_else() {
        let set = Settings::default().changed_by(b"pace=10&paused=on").unwrap();
        assert_eq!(set, Settings { pace: 10, payload: 0, paused: true });
        assert_eq!(
            set.changed_by(b"payload=500&paused=off").unwrap(),
            Settings { payload: 500, paused: false, ..set }
        );
        assert_eq!(set.changed_by(b"").unwrap(), set);
        assert_eq!((seconds(b"").unwrap(), seconds(b"seconds=0").unwrap()), (3, 0));
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_sentence() {
        for (form, words) in [
            ("pace=0", "`pace` takes whole numbers from 1 to 20 (updates a second), not “0”."),
            ("pace=21", "not “21”"),
            ("pace=ten", "not “ten”"),
            ("payload=-1", "`payload` takes whole numbers from 0 to 2000 (bytes)"),
            ("payload=99999999999999999999999", "`payload` takes"),
            ("paused=perhaps", "`paused` is on or off."),
            ("speed=1", "and no “speed”"),
            ("%ff%fe=1", "A race has"),
        ] {
            let said = said(Settings::default().changed_by(form.as_bytes()));
            assert!(said.contains(words), "{form}: {said}");
        }
        assert!(said(seconds(b"seconds=11")).contains("from 0 to 10 (seconds)"));
        assert!(said(seconds(b"technique=sse")).contains("and no “technique”"));
    }
}
