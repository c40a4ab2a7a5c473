//! What was measured, and on which scales it is drawn.

use crate::view::grouped;

/// What the bench measured of a technique, without what it took to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) updates: u64,
    /// Milliseconds.
    pub(super) lasted: u64,
    pub(super) cuts: u64,
    pub(super) requests: u64,
    /// As Chromium would have sent them.
    pub(super) bytes: u64,
    pub(super) shown: u64,
    pub(super) repeats: u64,
    /// Milliseconds.
    pub(super) behind: [u64; 2],
    pub(super) writes: u64,
    /// Milliseconds.
    pub(super) held: u64,
}

/// The number behind a name in an object of JSON; 0 if there is none.
pub(super) fn number(json: &str, name: &str) -> u64 {
    let bytes = json.as_bytes();
    let name = name.as_bytes();
    // `"name":123`
    let begins = |at: &usize| {
        bytes[*at..]
            .strip_prefix(b"\"")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(b"\":"))
    };
    let Some(at) = (0..bytes.len()).find(begins) else { return 0 };
    let digits = bytes[at + name.len() + 3..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

impl Figures {
    /// Reads what the bench answers.
    pub(super) fn read(cost: &str) -> Figures {
        let of = |name| number(cost, name);
        Figures {
            updates: of("updates"),
            lasted: of("lasted").max(1),
            cuts: of("cuts"),
            requests: of("requests").saturating_sub(of("first_requests")),
            bytes: of("in_chromium").saturating_sub(of("opening")),
            shown: of("shown"),
            repeats: of("repeats"),
            behind: [of("behind_median"), of("behind_p99")],
            writes: of("writes"),
            held: of("held"),
        }
    }

    /// How much of something that is a minute.
    pub(super) fn a_minute(&self, count: u64) -> f64 {
        count as f64 * 60_000.0 / self.lasted as f64
    }
}

/// In what a panel's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Bytes,
    /// Milliseconds.
    Time,
    Percent,
}

/// One small picture: a value of every technique on one scale.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    /// Whether it grows with the number of pages.
    pub(super) is_of_all: bool,
    /// Whether it has two values, and what lies between counts.
    pub(super) is_a_range: bool,
    unit: Unit,
    pub(super) of: fn(&Figures) -> [f64; 2],
}

pub(super) const PANELS: [Panel; 6] = [
    Panel {
        title: "Requests a minute",
        hint: "log scale",
        is_of_all: true,
        is_a_range: false,
        unit: Unit::Count,
        of: |figures| [figures.a_minute(figures.requests); 2],
    },
    Panel {
        title: "Bytes a minute",
        hint: "log scale",
        is_of_all: true,
        is_a_range: false,
        unit: Unit::Bytes,
        of: |figures| [figures.a_minute(figures.bytes); 2],
    },
    Panel {
        title: "Behind the market",
        hint: "median to 99 %, log",
        is_of_all: false,
        is_a_range: true,
        unit: Unit::Time,
        of: |figures| figures.behind.map(|time| time as f64),
    },
    Panel {
        title: "Prices never shown",
        hint: "of 100",
        is_of_all: false,
        is_a_range: false,
        unit: Unit::Percent,
        of: |figures| {
            [(figures.updates - figures.shown.min(figures.updates)) as f64 * 100.0
                / figures.updates.max(1) as f64; 2]
        },
    },
    Panel {
        title: "The server sends a minute",
        hint: "log scale",
        is_of_all: true,
        is_a_range: false,
        unit: Unit::Count,
        of: |figures| [figures.a_minute(figures.writes); 2],
    },
    Panel {
        title: "Requests held open",
        hint: "log scale",
        is_of_all: true,
        is_a_range: false,
        unit: Unit::Count,
        of: |figures| [figures.held as f64 / figures.lasted as f64; 2],
    },
];

/// Where 0 ends and a logarithmic scale begins, of 1 000.
const ZERO: f64 = 110.0;
/// Decades that a logarithmic scale has at least.
const DECADES: i32 = 3;

/// A panel's scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// From 0 to 100.
    Linear,
    /// From one power of ten to another, with a place for 0 before.
    Log(i32, i32),
}

impl Panel {
    /// The scale that holds all these values.
    pub(super) fn scale(&self, values: impl Iterator<Item = [f64; 2]>) -> Scale {
        if self.unit == Unit::Percent {
            return Scale::Linear;
        }
        let (mut low, mut high) = (f64::MAX, 0.0_f64);
        for value in values.flatten().filter(|value| *value > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        if high == 0.0 {
            return Scale::Log(0, DECADES);
        }
        let low = low.log10().floor() as i32;
        Scale::Log(low, (high.log10().ceil() as i32).max(low + DECADES))
    }

    /// The values in words.
    pub(super) fn words(&self, [low, high]: [f64; 2]) -> String {
        let low = self.written(low);
        let high = self.written(high);
        if self.is_a_range && low != high { format!("{low}\u{a0}to\u{a0}{high}") } else { low }
    }

    fn written(&self, value: f64) -> String {
        match self.unit {
            Unit::Count => quantity(value, "", MOST_DIGITS),
            Unit::Bytes => quantity(value, "B", MOST_DIGITS),
            Unit::Percent => rounded(value) + "\u{a0}%",
            Unit::Time => match value {
                0.0 => "0".to_owned(),
                ..1_000.0 => rounded(value) + "\u{a0}ms",
                ..120_000.0 => rounded(value / 1_000.0) + "\u{a0}s",
                _ => rounded(value / 60_000.0) + "\u{a0}min",
            },
        }
    }
}

impl Scale {
    /// Where a value is, of 1 000.
    pub(super) fn place(&self, value: f64) -> u32 {
        let place = match self {
            Scale::Linear => value * 10.0,
            Scale::Log(..) if value <= 0.0 => 0.0,
            Scale::Log(low, high) => {
                let (low, high) = (f64::from(*low), f64::from(*high));
                ZERO + (1_000.0 - ZERO) * (value.log10() - low) / (high - low)
            }
        };
        place.round() as u32
    }

    /// Marks along the scale: where, and their words, which are empty where there is no room.
    pub(super) fn ticks(&self, panel: &Panel) -> Vec<(u32, String)> {
        let Scale::Log(low, high) = *self else {
            return [0.0, 50.0, 100.0].map(|value| (self.place(value), panel.written(value))).to_vec();
        };
        let mut ticks = vec![(0, "0".to_owned())];
        for power in low..=high {
            let mut value = 1.0;
            for _ in 0..power.abs() {
                value = if power < 0 { value / 10.0 } else { value * 10.0 };
            }
            let words = match panel.unit {
                // The last, and one half-way.
                _ if power != high && power != high - (high - low + 1) / 2 => String::new(),
                Unit::Count => quantity(value, "", SCALE_DIGITS),
                Unit::Bytes => quantity(value, "B", SCALE_DIGITS),
                _ => panel.written(value),
            };
            ticks.push((self.place(value), words));
        }
        ticks
    }
}

/// Numbers are written with four digits at most, along a scale with three.
const MOST_DIGITS: f64 = 9_999.5;
const SCALE_DIGITS: f64 = 999.5;

/// A quantity below `limit`, by its prefix.
fn quantity(mut value: f64, unit: &str, limit: f64) -> String {
    let mut prefixes = ["k", "M", "G", "T"].iter();
    let mut prefix = "";
    while value >= limit
        && let Some(next) = prefixes.next()
    {
        value /= 1_000.0;
        prefix = next;
    }
    let unit = format!("\u{a0}{prefix}{unit}");
    rounded(value) + if unit.len() > 2 { &unit } else { "" }
}

/// A number with as many decimals as one can use: two below 1, one below 10.
fn rounded(value: f64) -> String {
    let (whole, decimals) = match value {
        ..0.995 => ((value * 100.0).round() as u64, 2),
        ..9.95 => ((value * 10.0).round() as u64, 1),
        _ => return grouped(value.round() as u64),
    };
    let base = if decimals == 2 { 100 } else { 10 };
    match (whole / base, whole % base) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part:0decimals$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_whole_names() {
        let json = r#"{"first_requests":3,"requests":12,"mean_delay":4.5,"lasted":99999999999999999999}"#;
        assert_eq!(
            ["requests", "first_requests", "quests", "mean_delay"].map(|name| number(json, name)),
            [12, 3, 0, 4]
        );
        assert_eq!(number(json, "lasted"), u64::MAX);
        assert_eq!(number("\"requests\":", "requests"), 0);
        assert_eq!(number("", "requests"), 0);
    }

    #[test]
    fn quantities_have_four_digits_at_most() {
        let written =
            [0.0, 0.004, 0.25, 0.5, 1.0, 2.54, 9.96, 732.4, 1_740.0, 9_999.6, 31_500.0, 42e6, 7e13, 7e18]
                .map(|value| quantity(value, "B", MOST_DIGITS).replace('\u{a0}', " "));
        assert_eq!(
            written,
            [
                "0 B",
                "0 B",
                "0.25 B",
                "0.50 B",
                "1 B",
                "2.5 B",
                "10 B",
                "732 B",
                "1 740 B",
                "10 kB",
                "32 kB",
                "42 MB",
                "70 TB",
                "7 000 000 TB"
            ]
        );
        assert_eq!(quantity(12.0, "", MOST_DIGITS), "12");
        assert_eq!(quantity(1_000.0, "B", SCALE_DIGITS), "1\u{a0}kB");
    }

    #[test]
    fn a_scale_holds_every_value_and_has_a_place_for_none() {
        let panel = &PANELS[1];
        let scale = panel.scale([[0.0; 2], [57.0; 2], [1_740.0; 2]].into_iter());
        assert_eq!(scale, Scale::Log(1, 4));
        assert_eq!([0.0, 10.0, 10_000.0].map(|value| scale.place(value)), [0, 110, 1_000]);
        let ticks: Vec<String> =
            scale.ticks(panel).into_iter().map(|(place, words)| format!("{place} {words}")).collect();
        assert_eq!(ticks.join(", ").replace('\u{a0}', " "), "0 0, 110 , 407 100 B, 703 , 1000 10 kB");
        assert_eq!(panel.scale([[0.0; 2]].into_iter()), Scale::Log(0, 3));
        assert_eq!(PANELS[3].scale([[50.0; 2]].into_iter()).place(50.0), 500);
    }

    #[test]
    fn times_are_told_in_what_people_count_in() {
        let words = [0.0, 20.0, 999.6, 1_100.0, 34_000.0, 600_000.0]
            .map(|time| PANELS[2].words([time, time]).replace('\u{a0}', " "));
        assert_eq!(words, ["0", "20 ms", "1 000 ms", "1.1 s", "34 s", "10 min"]);
        assert_eq!(PANELS[2].words([0.0, 20.0]), "0\u{a0}to\u{a0}20\u{a0}ms");
    }
}
