//! `<rt-map>`: what five techniques cost for the reader's own market, played and not drawn.
//!
//! The bench plays it: the widget asks the page for one technique after another ([`Ask`]), and draws what comes back.
//! It keeps every answer, so that going back takes no time, and it asks for the reader's newest settings only.

mod figures;

use std::fmt::Write;

use crate::view::{Action, Ask, Element, Node, Widget, button, el, labelled, paragraph};
use figures::{Figures, PANELS, Panel};

/// A technique: its lab, its class, its name.
const TECHNIQUES: [(&str, &str, &str); 5] = [
    ("lab1", "fetch", "fetch, polled"),
    ("lab2", "poll", "Long polling"),
    ("lab3", "sse", "SSE"),
    ("lab4", "stream", "Streaming fetch"),
    ("lab5", "ws", "WebSocket"),
];

/// Something that a reader sets: its name, its words, and its steps with their words.
struct Setting {
    name: &'static str,
    words: &'static str,
    steps: &'static [(u32, &'static str)],
}

const PACE: usize = 0;
const POLL: usize = 1;
const LATENCY: usize = 2;
const PAYLOAD: usize = 3;
const DROPS: usize = 4;
const CLIENTS: usize = 5;

const SETTINGS: [Setting; 6] = [
    Setting {
        name: "pace",
        words: "The price moves",
        // Milliseconds from one move to the next.
        steps: &[
            (300_000, "every five minutes"),
            (60_000, "once a minute"),
            (20_000, "three times a minute"),
            (10_000, "every ten seconds"),
            (5_000, "every five seconds"),
            (2_000, "every two seconds"),
            (1_000, "once a second"),
            (500, "twice a second"),
            (200, "five times a second"),
            (100, "ten times a second"),
            (50, "twenty times a second"),
        ],
    },
    Setting {
        name: "poll",
        words: "Who polls asks",
        // Percent of the time between two moves.
        steps: &[
            (1_000, "a tenth as often"),
            (500, "a fifth as often"),
            (200, "half as often"),
            (100, "as often as it moves"),
            (50, "twice as often"),
            (25, "four times as often"),
        ],
    },
    Setting {
        name: "latency",
        words: "Bytes are under way",
        steps: &[
            (1, "1 ms"),
            (5, "5 ms"),
            (20, "20 ms"),
            (50, "50 ms"),
            (100, "100 ms"),
            (200, "200 ms"),
            (500, "half a second"),
            (1_000, "a second"),
        ],
    },
    Setting {
        name: "payload",
        words: "An update has",
        steps: &[
            (30, "30 bytes"),
            (100, "100 bytes"),
            (300, "300 bytes"),
            (1_000, "1 000 bytes"),
            (3_000, "3 000 bytes"),
            (10_000, "10 000 bytes"),
        ],
    },
    Setting {
        name: "drops",
        words: "The connection drops",
        // So many moves from one cut to the next.
        steps: &[(0, "never"), (20, "every 20 prices"), (10, "every 10 prices"), (5, "every 5 prices")],
    },
    Setting {
        name: "clients",
        words: "Pages that watch",
        steps: &[
            (1, "1"),
            (10, "10"),
            (100, "100"),
            (1_000, "1 000"),
            (10_000, "10 000"),
            (100_000, "100 000"),
        ],
    },
];

/// Which step of each setting is chosen.
type Chosen = [usize; SETTINGS.len()];

/// How much room words need beside a mark, of 1 000: two numbers, and one.
const WIDE: u32 = 550;
const NARROW: u32 = 300;

/// Those for which chapter 0 holds a table.
const PRESETS: [(&str, Chosen); 3] = [
    ("Once a minute", [1, 3, 2, 0, 0, 0]),
    ("Once a second", [6, 2, 2, 0, 0, 0]),
    ("Ten times a second", [9, 3, 2, 0, 0, 0]),
];

/// What the map knows of the bench.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bench {
    /// Nobody has asked for it.
    Unasked,
    /// So many bytes have come, of so many; 0 for nobody knows.
    Loading(u64, u64),
    Ready,
    /// A sentence, and whether another try may help.
    Failed(String, bool),
}

/// `<rt-map>`.
#[derive(Clone, Debug)]
pub struct RtMap {
    bench: Bench,
    chosen: Chosen,
    /// What was played: the settings, and which technique.
    played: Vec<(Chosen, usize, Figures)>,
    /// What the page has been asked for and has not answered.
    pending: Option<(Chosen, usize)>,
    /// What is drawn: the last settings that were played to the end.
    drawn: Chosen,
}

impl Default for RtMap {
    /// A price a second.
    fn default() -> Self {
        let chosen = PRESETS[1].1;
        RtMap { bench: Bench::Unasked, chosen, played: Vec::new(), pending: None, drawn: chosen }
    }
}

/// The settings as far as the bench plays them: it plays one page.
fn workload(mut chosen: Chosen) -> Chosen {
    chosen[CLIENTS] = 0;
    chosen
}

fn value(chosen: &Chosen, setting: usize) -> u32 {
    SETTINGS[setting].steps[chosen[setting]].0
}

impl RtMap {
    fn figures(&self, chosen: &Chosen, technique: usize) -> Option<&Figures> {
        let wanted = workload(*chosen);
        let found =
            self.played.iter().find(|(chosen, played, _)| *chosen == wanted && *played == technique)?;
        Some(&found.2)
    }

    /// The first technique that was not played with these settings.
    fn missing(&self, chosen: &Chosen) -> Option<usize> {
        (0..TECHNIQUES.len()).find(|technique| self.figures(chosen, *technique).is_none())
    }

    fn set(&mut self, chosen: Chosen) {
        self.chosen = chosen;
        if self.missing(&chosen).is_none() {
            self.drawn = chosen;
        }
    }

    /// What is asked of the bench for a technique.
    fn asked(chosen: &Chosen, technique: usize) -> String {
        let pace = value(chosen, PACE);
        format!(
            r#"{{"lab":"{}","pace":{pace},"poll":{},"latency":{},"payload":{},"drops":{}}}"#,
            TECHNIQUES[technique].0,
            pace * value(chosen, POLL) / 100,
            value(chosen, LATENCY),
            value(chosen, PAYLOAD),
            pace * value(chosen, DROPS),
        )
    }

    fn presets(&self) -> Element {
        let presets = PRESETS.iter().enumerate().map(|(index, (words, chosen))| {
            button("preset", index, words).set("aria-pressed", *chosen == self.chosen)
        });
        el("div").class("choice").set("role", "group").set("aria-label", "A market").with_all(presets)
    }

    fn sliders(&self) -> Element {
        let sliders = SETTINGS.iter().zip(self.chosen).map(|(setting, step)| {
            let words = setting.steps[step].1;
            let input = el("input")
                .set("type", "range")
                .set("min", 0)
                .set("max", setting.steps.len() - 1)
                .set("data-sets", setting.name)
                .set("value", step)
                .set("aria-valuetext", words);
            labelled(setting.words, input).with(el("b").set("aria-hidden", "true").text(words))
        });
        el("div").class("form").with_all(sliders)
    }

    /// What is told of the picture, when it is complete.
    fn told(&self) -> String {
        let mut told = String::new();
        if let Some(first) = self.figures(&self.drawn, 0)
            && self.missing(&self.drawn).is_none()
        {
            let fewest = self.of_all().map(|(figures, _)| figures.bytes).min().unwrap_or(0);
            let _ = write!(told, "{} prices played", first.updates);
            if first.cuts > 0 {
                let _ = write!(told, "; the line was cut {}\u{d7}", first.cuts);
            }
            self.name(&mut told, ". Fewest bytes: ", &|figures| figures.bytes == fewest);
            let bytes = PANELS[1].words([first.a_minute(fewest); 2]);
            let _ = write!(told, ", {bytes} a minute for a page");
            self.name(&mut told, ". Showed every price: ", &|figures| figures.shown == figures.updates);
            self.name(&mut told, ". Showed a price twice: ", &|figures| figures.repeats > 0);
            told.push('.');
        }
        told
    }

    /// The techniques that were played with what is drawn, with their names.
    fn of_all(&self) -> impl Iterator<Item = (&Figures, &'static str)> {
        let figures = |at| Some((self.figures(&self.drawn, at)?, TECHNIQUES[at].2));
        (0..TECHNIQUES.len()).filter_map(figures)
    }

    /// Adds the names of some techniques to `told`, if there are any.
    fn name(&self, told: &mut String, words: &str, which: &dyn Fn(&Figures) -> bool) {
        let mut before = words;
        for (_, name) in self.of_all().filter(|(figures, _)| which(figures)) {
            told.push_str(before);
            told.push_str(name);
            before = ", ";
        }
    }

    fn panel(&self, panel: &Panel) -> Element {
        let clients = if panel.is_of_all { f64::from(value(&self.drawn, CLIENTS)) } else { 1.0 };
        let of = |technique| {
            self.figures(&self.drawn, technique)
                .map(|figures| (panel.of)(figures).map(|value| value * clients))
        };
        let scale = panel.scale((0..TECHNIQUES.len()).filter_map(of));
        let rows = TECHNIQUES.iter().enumerate().map(|(at, (_, class, name))| {
            // Both are seen where the guide on this page leads to this technique.
            let chosen = el("small").class("chosen unseen").text(" (your choice)");
            let name = el("span").set("class", format_args!("technique {class}")).text(name);
            let row = el("tr").class(class).with(el("th").set("scope", "row").with(name).with(chosen));
            let Some([low, high]) = of(at) else { return row.with(el("td").text("–")) };
            let [from, to] = [low, high].map(|value| scale.place(value));
            let bar = |class: &str, from: u32, to: u32| {
                let bar = el("i").class(class).set("aria-hidden", "true");
                bar.set("--from", from).set("--to", to)
            };
            let mut cell = el("td").class("plot").with(bar("lead", 0, from));
            if panel.is_a_range {
                cell = cell.with(bar("range", from, to));
            }
            cell = cell.with(bar("mark", from, to));
            let put = |cell: Element, class: &str, place: u32, words: &str| {
                cell.with(
                    el("span").set("class", format_args!("value {class}")).set("--from", place).text(words),
                )
            };
            let words = panel.words([low, high]);
            row.with(if 1_000 - to >= WIDE || from == to && from < WIDE {
                put(cell, "", to, &words)
            } else if from == to {
                put(cell, "before", from, &words)
            } else {
                // At both ends of the bar; before it where there is room.
                let class = if from < NARROW { "unseen" } else { "before" };
                let [low, high] = [low, high].map(|value| panel.words([value; 2]));
                let cell = put(cell, class, from, &low).with(el("span").class("unseen").text(" to "));
                put(cell, "", to, &high)
            })
        });
        let ticks =
            scale.ticks(panel).into_iter().map(|(place, words)| el("span").set("--from", place).text(words));
        let axis =
            el("tr").class("axis").set("aria-hidden", "true").with(el("td")).with(el("td").with_all(ticks));
        el("table")
            .class("panel")
            .with(el("caption").with(el("b").text(panel.title)).text(" ").with(el("small").text(panel.hint)))
            .with(el("tbody").with_all(rows).with(axis))
    }
}

impl Widget for RtMap {
    fn act(&mut self, action: &Action<'_>) {
        let number = action.value.parse().unwrap_or(usize::MAX);
        match action.name {
            "open" => self.bench = Bench::Loading(0, 0),
            "preset" => {
                if let Some((_, chosen)) = PRESETS.get(number) {
                    self.set(*chosen);
                }
            }
            name => {
                let found = SETTINGS.iter().position(|setting| setting.name == name);
                if let Some(setting) = found.filter(|setting| number < SETTINGS[*setting].steps.len()) {
                    let mut chosen = self.chosen;
                    chosen[setting] = number;
                    self.set(chosen);
                }
            }
        }
    }

    fn ask(&mut self) -> Option<Ask> {
        match self.bench {
            // Once for each press of the button.
            Bench::Loading(0, 0) => {
                self.bench = Bench::Loading(0, 1);
                Some(Ask { name: "open", json: "{}".to_owned() })
            }
            Bench::Ready if self.pending.is_none() => {
                let technique = self.missing(&self.chosen)?;
                self.pending = Some((workload(self.chosen), technique));
                Some(Ask { name: "cost", json: Self::asked(&self.chosen, technique) })
            }
            _ => None,
        }
    }

    fn answer(&mut self, name: &str, answer: &str) {
        match name {
            "progress" => {
                let [loaded, total] = ["loaded", "total"].map(|name| figures::number(answer, name));
                self.bench = Bench::Loading(loaded, total.max(1));
            }
            "ready" => self.bench = Bench::Ready,
            "cost" => {
                if let Some((chosen, technique)) = self.pending.take() {
                    self.played.push((chosen, technique, Figures::read(answer)));
                    self.set(self.chosen);
                }
            }
            "failed" | "absent" => {
                self.pending = None;
                self.bench = Bench::Failed(answer.to_owned(), name == "failed");
            }
            _ => {}
        }
    }

    /// What the author wrote is the picture, until there is one.
    fn folds(&self) -> bool {
        self.missing(&self.drawn).is_none()
    }

    fn view(&self) -> Vec<Node> {
        let mut view: Vec<Node> = Vec::new();
        let row = el("div").class("row opening");
        match &self.bench {
            Bench::Unasked => view.push(
                row.with(button("open", "", "Play it here").class("primary"))
                    .with(paragraph("Your browser loads the bench, and plays your own market.").class("hint"))
                    .into(),
            ),
            Bench::Loading(loaded, total) => {
                let words = match total {
                    1 => format!("The bench is loading: {} KB.", loaded / 1_000),
                    total => format!("The bench is loading: {} of {} KB.", loaded / 1_000, total / 1_000),
                };
                view.push(
                    row.with(
                        el("progress")
                            .set("aria-label", "The bench is loading")
                            .set("max", total)
                            .set("value", loaded),
                    )
                    .with(paragraph(&words).class("hint"))
                    .into(),
                );
            }
            Bench::Failed(why, may_help) => {
                let mut row = row.with(paragraph(why).class("hint"));
                if *may_help {
                    row = row.with(button("open", "", "Try again"));
                }
                view.push(row.into());
            }
            Bench::Ready => {}
        }
        if self.bench == Bench::Ready || self.folds() {
            let is_old = self.drawn != self.chosen;
            view.push(self.presets().into());
            view.push(self.sliders().into());
            view.push(
                el("div")
                    .class("panels")
                    .flag("data-old", is_old)
                    .with_all(PANELS.iter().map(|panel| self.panel(panel)))
                    .into(),
            );
        }
        view.push(el("p").class("hint told").set("role", "status").text(self.told()).into());
        if self.folds() {
            let words = "The band marks what the five questions have led you to.";
            view.push(el("p").class("hint chosen").text(words).into());
        }
        view
    }
}

/// What the map writes for a technique, from what the bench answers: a heading and a text for each panel.
///
/// The tables of chapter 0 are written with it.
pub fn map_row(cost: &str) -> Vec<(&'static str, String)> {
    let figures = Figures::read(cost);
    PANELS.iter().map(|panel| (panel.title, panel.words((panel.of)(&figures)))).collect()
}

#[cfg(test)]
mod tests;
