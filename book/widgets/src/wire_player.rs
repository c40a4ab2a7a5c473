//! `<wire-player>`: plays the transcript whose drawing stands inside it, and says what happens at each moment.
//!
//! Nothing is drawn anew: the player says which moment it is ([`Widget::played`]), and the page lets the drawing
//! show it. Times on a wire lie milliseconds and minutes apart; played, a pause grows with its logarithm.
//!
//! What there is to say is worked out when the book is built ([`score`]), so that no parser and no sentence of
//! [`explain`] has to travel into the page.

mod explain;

use wire::transcript::{Transcript, When};

use crate::view::{Action, Element, Node, Played, Widget, button, el, grouped, menu};

/// How long a message travels, in milliseconds of playing.
const TRAVEL: f64 = 600.0;
/// How long a moment is shown at least.
const SHORTEST: f64 = 1_900.0;
/// What ten times more time on the wire adds to that.
const PER_DECADE: f64 = 350.0;
/// A page that was asleep does not jump ahead.
const LONGEST_TICK: f64 = 250.0;

const SPEEDS: [(&str, &str, f64); 4] =
    [("0.5", "½×", 0.5), ("1", "1×", 1.0), ("2", "2×", 2.0), ("4", "4×", 4.0)];

/// `<wire-player>`.
#[derive(Clone, Debug)]
pub struct WirePlayer {
    moments: Vec<Moment>,
    /// Which moment is shown; nothing while the drawing stands whole.
    at: Option<usize>,
    /// How long it has been shown, in milliseconds of playing.
    since: f64,
    is_playing: bool,
    speed: usize,
    /// The last tick.
    ticked: Option<f64>,
}

#[derive(Clone, Debug)]
struct Moment {
    from: u64,
    to: u64,
    says: String,
}

/// What a player plays of a transcript: a line for each moment, with the milliseconds between which it happens and
/// what is said of it, in words in which `backticks` mark code.
pub fn score(transcript: &Transcript) -> String {
    let says = explain::explained(transcript);
    let lines = transcript.moments.iter().zip(says).map(|(moment, says)| {
        let (from, to) = match moment.when {
            When::At(time) => (time, time),
            When::Within(from, to) => (from, to),
        };
        format!("{from} {to} {says}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl WirePlayer {
    /// A player for what [`score`] gives; nothing if `score` is none.
    pub fn new(score: &str) -> Option<WirePlayer> {
        let moment = |line: &str| {
            let (from, rest) = line.split_once(' ')?;
            let (to, says) = rest.split_once(' ')?;
            Some(Moment { from: from.parse().ok()?, to: to.parse().ok()?, says: says.to_owned() })
        };
        let moments = score.lines().map(moment).collect::<Option<_>>()?;
        Some(WirePlayer { moments, at: None, since: 0.0, is_playing: false, speed: 1, ticked: None })
    }

    fn show(&mut self, at: usize) {
        self.at = Some(at.min(self.moments.len().saturating_sub(1)));
        self.since = 0.0;
    }

    fn pause(&mut self) {
        self.is_playing = false;
        self.ticked = None;
    }

    fn play_or_pause(&mut self) {
        if self.is_playing || self.moments.is_empty() {
            return self.pause();
        }
        self.is_playing = true;
        match self.at {
            // At the end it begins anew.
            Some(at) if at + 1 < self.moments.len() => {}
            _ => self.show(0),
        }
    }

    /// How long moment `at` is shown, in milliseconds of playing; nothing for the last.
    fn lasts(&self, at: usize) -> Option<f64> {
        let next = self.moments.get(at + 1)?;
        let pause = next.from.saturating_sub(self.moments[at].to);
        Some(SHORTEST + PER_DECADE * (1.0 + pause as f64).log10())
    }

    /// The time on the wire.
    fn clock(&self, at: usize) -> String {
        let now = &self.moments[at];
        let passed = self.since - TRAVEL;
        if let (Some(lasts), Some(next), true) = (self.lasts(at), self.moments.get(at + 1), passed > 0.0) {
            let share = (passed / (lasts - TRAVEL)).min(1.0);
            let pause = next.from.saturating_sub(now.to);
            if pause >= 1_000 {
                return format!("{} ms", grouped(now.to + (pause as f64 * share) as u64));
            }
        }
        if now.from == now.to {
            format!("{} ms", grouped(now.from))
        } else {
            format!("{}–{} ms", grouped(now.from), grouped(now.to))
        }
    }

    fn controls(&self, at: usize) -> Element {
        let last = self.moments.len() - 1;
        let clock = self.clock(at);
        let position = el("input")
            .set("type", "range")
            .set("min", 0)
            .set("max", last)
            .set("data-sets", "moment")
            .set("value", at)
            .set("aria-label", "Moment")
            .set("aria-valuetext", format_args!("{} of {}, {}", at + 1, last + 1, clock));
        let speeds = SPEEDS.map(|(value, words, _)| (value, words));
        let speed = menu("speed", speeds, SPEEDS[self.speed].0).set("aria-label", "Speed");
        el("div")
            .class("controls")
            .with(button("back", "", "Back").flag("disabled", at == 0))
            .with(button("play", "", if self.is_playing { "Pause" } else { "Play" }).set("class", "primary"))
            .with(button("next", "", "Next").flag("disabled", at == last))
            .with(position)
            .with(el("output").class("clock").set("aria-live", "off").text(clock))
            .with(speed)
            .with(button("whole", "", "Show all"))
    }
}

impl Widget for WirePlayer {
    fn view(&self) -> Vec<Node> {
        if self.moments.is_empty() {
            return Vec::new();
        }
        let Some(at) = self.at else {
            let controls = el("div").class("controls");
            return vec![
                controls.with(button("play", "", "Play")).with(button("next", "", "Step through")).into(),
            ];
        };
        let number = format!("{} of {}", at + 1, self.moments.len());
        let says = el("p")
            .class("says")
            .set("role", "status")
            .with(el("b").text(number))
            .text(" ")
            .words(&self.moments[at].says);
        vec![says.into(), self.controls(at).into()]
    }

    fn act(&mut self, action: &Action<'_>) {
        match (action.name, self.at) {
            ("play", _) => self.play_or_pause(),
            ("next", None) => self.show(0),
            ("next", Some(at)) => {
                self.pause();
                self.show(at + 1);
            }
            ("back", Some(at)) => {
                self.pause();
                self.show(at.saturating_sub(1));
            }
            ("moment", Some(_)) => {
                if let Ok(at) = action.value.parse() {
                    self.pause();
                    self.show(at);
                }
            }
            ("speed", _) => {
                let chosen = SPEEDS.iter().position(|(value, ..)| *value == action.value);
                self.speed = chosen.unwrap_or(self.speed);
            }
            ("whole", _) => {
                self.pause();
                self.at = None;
            }
            _ => {}
        }
    }

    fn key(&mut self, key: &str) -> bool {
        match key {
            " " => self.play_or_pause(),
            "Escape" => self.act(&Action::new("whole", "")),
            _ => return false,
        }
        true
    }

    fn tick(&mut self, now: f64) {
        let (true, Some(at)) = (self.is_playing, self.at) else { return };
        let passed = self.ticked.map_or(0.0, |before| (now - before).clamp(0.0, LONGEST_TICK));
        self.ticked = Some(now);
        self.since += passed * SPEEDS[self.speed].2;
        match self.lasts(at) {
            Some(lasts) if self.since >= lasts => self.show(at + 1),
            // The last moment arrives, and that is all.
            None if self.since >= TRAVEL => self.pause(),
            _ => {}
        }
    }

    fn is_running(&self) -> bool {
        self.is_playing
    }

    fn played(&self) -> Option<Played> {
        let way = if self.is_playing { (self.since / TRAVEL).min(1.0) } else { 1.0 };
        self.at.map(|moment| Played { moment, way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::shown;

    const CUT: &str = "     0 ms  client → server  #1 GET /prices/stream
    10 ms  server → client  #1 200 text/event-stream
    10 ms  server → client  #1 event price · id 1 · {\"price\":6100}
  1500 ms  network          #1 cut
  2500-4500 ms  client → server  #2 GET /prices/stream
                               last-event-id: 1
";

    fn player(actions: &[(&str, &str)]) -> WirePlayer {
        let mut player = WirePlayer::new(&score(&Transcript::parse(CUT).unwrap())).unwrap();
        for (name, value) in actions {
            player.act(&Action::new(name, value));
        }
        player
    }

    /// Lets the player run; gives the moments with the times at which each was first shown.
    fn run(player: &mut WirePlayer) -> Vec<(usize, u64)> {
        let (mut now, mut seen) = (5_000.0, Vec::new());
        while player.is_running() && now < 60_000.0 {
            player.tick(now);
            let at = player.at.unwrap();
            if seen.last().is_none_or(|(last, _)| *last != at) {
                seen.push((at, now as u64 - 5_000));
            }
            now += 20.0;
        }
        seen
    }

    #[test]
    fn it_waits_with_the_whole_drawing() {
        let player = player(&[]);
        assert_eq!(player.played(), None);
        assert!(!player.is_running());
        insta::assert_snapshot!(shown(&player));
    }

    #[test]
    fn a_moment_is_shown_with_its_words() {
        insta::assert_snapshot!(shown(&player(&[("next", ""), ("moment", "4")])));
    }

    #[test]
    fn it_plays_to_the_end_and_longer_pauses_last_longer() {
        let mut player = player(&[("play", "")]);
        let seen = run(&mut player);
        assert_eq!(seen.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let shown: Vec<u64> = seen.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
        assert!(shown[1] < shown[0] && shown[0] < shown[2], "{shown:?}: 0, 10 and 1490 ms apart");
        assert!(!player.is_running());
        assert_eq!(player.played(), Some(Played { moment: 4, way: 1.0 }));
        // And once more.
        player.act(&Action::new("play", ""));
        assert_eq!(player.played(), Some(Played { moment: 0, way: 0.0 }));
    }

    #[test]
    fn speed_divides_the_time() {
        let last = |speed| run(&mut player(&[("speed", speed), ("play", "")])).last().unwrap().1 as f64;
        assert!((last("1") / last("4") - 4.0).abs() < 0.1);
        assert!((last("0.5") / last("1") - 2.0).abs() < 0.1);
    }

    #[test]
    fn steps_stop_at_both_ends_and_pause() {
        let mut player = player(&[("play", ""), ("next", "")]);
        assert!(!player.is_running());
        assert_eq!(player.at, Some(1));
        for _ in 0..9 {
            player.act(&Action::new("next", ""));
        }
        assert_eq!(player.at, Some(4));
        for _ in 0..9 {
            player.act(&Action::new("back", ""));
        }
        assert_eq!(player.at, Some(0));
        player.act(&Action::new("moment", "77"));
        assert_eq!(player.at, Some(4));
        player.act(&Action::new("whole", ""));
        assert_eq!(player.played(), None);
    }

    #[test]
    fn the_clock_passes_through_a_pause() {
        let mut player = player(&[("next", ""), ("moment", "2"), ("play", "")]);
        let mut told = Vec::new();
        for step in 0..9 {
            player.tick(f64::from(step) * 240.0);
            told.push(player.clock(2));
        }
        assert_eq!(told[0], "10 ms");
        assert_ne!(told[4], told[8]);
        player.act(&Action::new("moment", "4"));
        assert_eq!(player.clock(4), "2\u{a0}500–4\u{a0}500 ms");
    }

    #[test]
    fn a_page_that_slept_does_not_jump() {
        let mut player = player(&[("play", "")]);
        player.tick(0.0);
        player.tick(90_000.0);
        assert_eq!(player.at, Some(0));
    }

    #[test]
    fn a_score_is_read_as_it_is_written() {
        let score = score(&Transcript::parse(CUT).unwrap());
        insta::assert_snapshot!(score);
        assert_eq!(WirePlayer::new(&score).unwrap().moments.len(), 5);
    }

    #[test]
    fn what_is_no_score_is_refused_and_an_empty_one_shows_nothing() {
        for odd in ["3 parsecs", "1 x words", "-1 2 words", "1"] {
            assert!(WirePlayer::new(odd).is_none(), "{odd}");
        }
        let mut empty = WirePlayer::new("").unwrap();
        for name in ["play", "next", "back", "moment", "whole"] {
            empty.act(&Action::new(name, "0"));
            empty.tick(0.0);
            assert!(empty.view().is_empty());
        }
    }
}
