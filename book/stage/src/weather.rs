//! The weather: what can happen to a connection between two ends that do
//! nothing wrong.
//!
//! [`Weather`] is the model and the words. [`crate::line`] makes it, on the
//! transport, under hyper; [`crate::climate`] decides who meets which.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use wire::{Place, What};

/// The longest that a byte may be under way each way, in milliseconds.
const LONGEST: u32 = 10_000;
/// The most that a proxy may hold back of an answer, in KB.
const LARGEST: u32 = 1_024;
/// The fastest of the slow readers, in bytes a second.
const FASTEST: u32 = 1_000_000;

/// What a connection is put through. A field that is zero or false is no weather.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weather {
    /// How long bytes are under way, each way, in milliseconds.
    pub latency: u32,
    /// How much longer they may be, in milliseconds. Their order is kept.
    pub jitter: u32,
    /// Bytes wait in the line, both ways.
    pub hold: bool,
    /// Whoever asks anew is refused: there is no connection to be had.
    pub refuse: bool,
    /// Whoever asks anew hears 502 from a proxy that does not reach the server.
    pub bad_gateway: bool,
    /// A proxy holds each answer back until it has so many KB of it, or all of it.
    pub proxy: u32,
    /// The client reads so many bytes a second.
    pub reader: u32,
}

/// Why there is no such weather, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchWeather(pub(crate) String);

impl fmt::Display for NoSuchWeather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSuchWeather {}

impl Weather {
    /// Nothing happens.
    pub const CLEAR: Self =
        Self { latency: 0, jitter: 0, hold: false, refuse: false, bad_gateway: false, proxy: 0, reader: 0 };

    /// Whether nothing happens.
    pub fn is_clear(&self) -> bool {
        *self == Self::CLEAR
    }

    /// This weather, if it can be made.
    ///
    /// # Errors
    /// A sentence that names the field and its bounds.
    pub fn checked(self) -> Result<Self, NoSuchWeather> {
        for (name, value, most, unit) in [
            ("latency", self.latency, LONGEST, "ms"),
            ("jitter", self.jitter, LONGEST, "ms"),
            ("proxy", self.proxy, LARGEST, "KB"),
            ("reader", self.reader, FASTEST, "bytes a second"),
        ] {
            if value > most {
                return Err(NoSuchWeather(format!(
                    "`{name}` takes whole numbers from 0 (off) to {most} ({unit}), not {value}."
                )));
            }
        }
        Ok(self)
    }

    /// The weather that a form asks for, whose fields bear the names of this
    /// type's. A field that is left out or empty is no weather; others than
    /// these are somebody else's.
    ///
    /// # Errors
    /// A sentence that names the field and what it takes.
    pub fn of_form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, NoSuchWeather> {
        let mut weather = Self::CLEAR;
        for (name, value) in fields {
            let value = value.trim();
            let number = || match value {
                "" => Ok(0),
                _ => value.parse::<u32>().map_err(|_| {
                    let value: String = value.chars().take(40).collect();
                    NoSuchWeather(format!("`{name}` takes a whole number, not “{value}”."))
                }),
            };
            let flag = || match value {
                "on" | "true" | "1" => Ok(true),
                "" | "off" | "false" | "0" => Ok(false),
                _ => Err(NoSuchWeather(format!("`{name}` is on or off."))),
            };
            match name {
                "latency" => weather.latency = number()?,
                "jitter" => weather.jitter = number()?,
                "hold" => weather.hold = flag()?,
                "refuse" => weather.refuse = flag()?,
                "bad_gateway" => weather.bad_gateway = flag()?,
                "proxy" => weather.proxy = number()?,
                "reader" => weather.reader = number()?,
                _ => {}
            }
        }
        weather.checked()
    }

    /// Both at once: of each kind, whichever is worse.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let slower = |one: u32, two: u32| if one == 0 || two == 0 { one.max(two) } else { one.min(two) };
        Self {
            latency: self.latency.max(other.latency),
            jitter: self.jitter.max(other.jitter),
            hold: self.hold || other.hold,
            refuse: self.refuse || other.refuse,
            bad_gateway: self.bad_gateway || other.bad_gateway,
            proxy: self.proxy.max(other.proxy),
            reader: slower(self.reader, other.reader),
        }
    }

    /// How long the next byte is under way: not the same each time where there is jitter.
    pub(crate) fn delay(&self) -> Duration {
        let jitter = match self.jitter {
            0 => 0,
            // A system without random numbers has a line without jitter.
            jitter => getrandom::u32().unwrap_or(0) % (jitter + 1),
        };
        Duration::from_millis(u64::from(self.latency) + u64::from(jitter))
    }

    /// How many bytes a proxy holds back.
    pub(crate) fn held_by_proxy(&self) -> usize {
        self.proxy as usize * 1_024
    }

    /// What a transcript tells when this weather turns into another, in the bench's words.
    pub fn turns_into(&self, other: &Self) -> Vec<(Place, What)> {
        let mut told = Vec::new();
        let mut note = |changed: bool, words: String| {
            if changed {
                told.push((Place::Note, What::Note(words)));
            }
        };
        note(
            (self.latency, self.jitter) != (other.latency, other.jitter),
            match (other.latency, other.jitter) {
                (ms, 0) => format!("bytes are under way for {ms} ms"),
                (ms, jitter) => format!("bytes are under way for {ms} to {} ms", ms + jitter),
            },
        );
        note(
            self.refuse != other.refuse,
            format!("new connections are {}", if other.refuse { "refused" } else { "accepted" }),
        );
        note(
            self.bad_gateway != other.bad_gateway,
            if other.bad_gateway {
                "the proxy does not reach the server".to_owned()
            } else {
                "the proxy reaches the server".to_owned()
            },
        );
        note(
            self.proxy != other.proxy,
            match other.proxy {
                0 => "the proxy passes on what it gets".to_owned(),
                kb => format!("a proxy holds each answer until it has {kb} KB of it"),
            },
        );
        note(
            self.reader != other.reader,
            match other.reader {
                0 => "the client reads as fast as it can".to_owned(),
                1 => "the client reads 1 byte a second".to_owned(),
                bytes => format!("the client reads {bytes} bytes a second"),
            },
        );
        if self.hold != other.hold {
            told.push((Place::Network, if other.hold { What::Hold } else { What::Heal }));
        }
        told
    }
}

/// What is on, in a few words: `hold, 250 ms under way`.
impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        match (self.latency, self.jitter) {
            (0, 0) => {}
            (ms, 0) => words.push(format!("{ms} ms under way")),
            (ms, jitter) => words.push(format!("{ms} to {} ms under way", ms + jitter)),
        }
        for (is_on, name) in [(self.hold, "hold"), (self.refuse, "refuse"), (self.bad_gateway, "502")] {
            if is_on {
                words.push(name.to_owned());
            }
        }
        if self.proxy > 0 {
            words.push(format!("proxy of {} KB", self.proxy));
        }
        if self.reader > 0 {
            words.push(format!("reader of {} B/s", self.reader));
        }
        if words.is_empty() { f.write_str("clear") } else { f.write_str(&words.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_made_is_refused_with_its_bounds() {
        let too_slow = Weather { latency: 10_001, ..Weather::CLEAR };
        assert_eq!(
            too_slow.checked().unwrap_err().to_string(),
            "`latency` takes whole numbers from 0 (off) to 10000 (ms), not 10001."
        );
        for (field, value) in
            [("latency", "-1"), ("jitter", "1e3"), ("proxy", "all"), ("reader", "99999999999")]
        {
            let said = Weather::of_form([(field, value)]).unwrap_err().to_string();
            assert!(said.contains(field) && said.contains(value), "{said}");
        }
        assert_eq!(Weather::of_form([("hold", "perhaps")]).unwrap_err().to_string(), "`hold` is on or off.");
    }

    #[test]
    fn a_form_says_what_json_says() {
        let form = [("latency", "250"), ("hold", "on"), ("reader", ""), ("page", "3")];
        let json = r#"{ "latency": 250, "hold": true }"#;
        assert_eq!(Weather::of_form(form), Ok(serde_json::from_str(json).unwrap()));
        let odd = serde_json::from_str::<Weather>(r#"{ "fog": true }"#).unwrap_err().to_string();
        assert!(odd.contains("fog") && odd.contains("latency"), "{odd}");
    }

    #[test]
    fn of_two_weathers_the_worse_holds() {
        let one = Weather { latency: 100, reader: 10, ..Weather::CLEAR };
        let two = Weather { latency: 50, hold: true, reader: 1_000, ..Weather::CLEAR };
        assert_eq!(one.and(two), Weather { latency: 100, hold: true, reader: 10, ..Weather::CLEAR });
        assert_eq!(one.and(Weather::CLEAR), one);
        assert_eq!(Weather::CLEAR.and(one), one);
    }

    #[test]
    fn what_changes_is_told_and_nothing_else() {
        let one = Weather { latency: 100, hold: true, ..Weather::CLEAR };
        assert_eq!(one.turns_into(&one), []);
        let told = |from: &Weather, to: &Weather| -> Vec<String> {
            from.turns_into(to).into_iter().map(|(_, what)| what.to_string()).collect()
        };
        assert_eq!(told(&Weather::CLEAR, &one), ["bytes are under way for 100 ms", "hold"]);
        assert_eq!(told(&one, &Weather::CLEAR), ["bytes are under way for 0 ms", "heal"]);
        assert_eq!(one.to_string(), "100 ms under way, hold");
        assert_eq!(Weather::CLEAR.to_string(), "clear");
    }
}
