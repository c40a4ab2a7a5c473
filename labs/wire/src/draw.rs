//! The drawing of a transcript.
//!
//! [`svg`] draws a sequence diagram, time downwards, one lifeline for each
//! client and one for the server; [`list`] says the same as an ordered list
//! for screen readers and print, [`words`] moment by moment. The first two escape whatever the transcript holds.
//!
//! Everything is drawn in `currentColor`; a page's style gives it colours by
//! setting `color` on these classes inside `svg.wire`:
//!
//! | class | what |
//! |---|---|
//! | `life`, `name` | a lifeline and its name |
//! | `moment` | everything that a moment has, but for its gap in a lifeline |
//! | `time` | a time |
//! | `what`, `detail` | the words of a message, and its headers |
//! | `arrow` and one of `fetch`, `sse`, `stream`, `ws` | a message's arrow |
//! | `said` | the page's words in their box |
//! | `network` and, for a loss, `bad` | marks and words of the line itself |
//! | `note` | a narrator's words |
//!
//! Text has a halo and a box a ground in `Canvas`, the page's ground as the
//! browser knows it; a page on another ground sets `stroke` on `svg.wire text`
//! and `fill` on `svg.wire .box`. Attributes say the rest, no `style`: a policy
//! may forbid one, and a page's own style overrides the other. With one client the
//! drawing is 412 units wide and its text 14, so that it can be read at 320 pixels:
//! let it shrink (`max-width: 100%; height: auto`), not grow past about 36 rem.

mod fit;
mod labels;

use std::fmt::Write;

use crate::transcript::{Data, Moment, Place, Transcript, What, When};
use fit::{fit, width};
pub use labels::{Labels, grouped};

/// What a drawing needs besides its transcript.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// Begins the `id`s in the drawing; must be another one for each drawing on a page.
    pub id: String,
    /// The accessible name.
    pub title: String,
    /// The accessible description; where it is empty the moments are told one after the other.
    pub description: String,
    /// The words that are not the transcript's.
    pub labels: Labels,
}

/// Where the first lifeline stands; times stand left of it.
const FIRST: f32 = 82.0;
/// Between two clients' lifelines.
const BETWEEN_CLIENTS: f32 = 84.0;
/// Between the last client's lifeline and the server's: room for [`COLUMNS`].
const LANE: f32 = 302.0;
const RIGHT: f32 = 28.0;
/// The text's size, and a character's share of it in a monospaced font.
const SIZE: f32 = 14.0;
const ADVANCE: f32 = 0.6 * SIZE;
const LINE: f32 = 17.0;
/// The longest line of text, in characters, and how many one thing may take.
const COLUMNS: usize = 34;
const LINES: usize = 3;
/// Where the first moment may begin.
const TOP: f32 = 36.0;

/// How marks are drawn, unless a page's style says otherwise.
const STROKES: &str = "fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.8\"";
const LIFELINES: &str =
    "<g fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.4\" stroke-width=\"1.4\">\n";
const TEXTS: &str = "<g fill=\"currentColor\" stroke=\"Canvas\" stroke-width=\"4\" \
                     stroke-linejoin=\"round\" paint-order=\"stroke\">\n";

/// Draws a transcript as an `svg` element.
pub fn svg(transcript: &Transcript, drawing: &Drawing) -> String {
    let mut picture = Picture::new(transcript, &drawing.labels);
    for (index, moment) in transcript.moments.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &transcript.moments[index]);
        picture.moment(moment, before.is_none_or(|before| before.when != moment.when));
    }
    picture.finish(transcript, drawing)
}

/// Writes a transcript as an `ol` element, nothing shortened.
pub fn list(transcript: &Transcript, labels: &Labels) -> String {
    let mut html = String::from("<ol class=\"wire-list\">\n");
    for moment in &transcript.moments {
        let words = Words::of(moment, labels);
        let _ = write!(html, "<li><span class=\"time\">{}</span> ", Escaped(&labels.time(moment.when)));
        if let Some(place) = labels.place(moment) {
            let _ = write!(html, "<span class=\"place\">{}</span> ", Escaped(&place));
        }
        let _ = write!(html, "<span class=\"what\">{}</span>", Escaped(&words.full(moment)));
        for header in &words.details {
            let _ = write!(html, " <span class=\"detail\">{}</span>", Escaped(header));
        }
        html.push_str("</li>\n");
    }
    html.push_str("</ol>\n");
    html
}

/// Each moment of a transcript in words, nothing shortened.
pub fn words(transcript: &Transcript, labels: &Labels) -> Vec<String> {
    let told = transcript.moments.iter().map(|moment| {
        let place = labels.place(moment).map(|place| format!("{place}: ")).unwrap_or_default();
        let words = Words::of(moment, labels);
        let details: String = words.details.iter().map(|detail| format!(", {detail}")).collect();
        format!("{}, {place}{}{details}.", labels.time(moment.when), words.full(moment))
    });
    told.collect()
}

/// What is written beside a moment's arrow.
struct Words {
    what: String,
    details: Vec<String>,
}

impl Words {
    fn of(moment: &Moment, labels: &Labels) -> Words {
        let mut details = Vec::new();
        let what = match &moment.what {
            What::Request { method, target, headers } => {
                details.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
                format!("{method} {target}")
            }
            What::Response { status, content_type, headers } => {
                details.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
                match content_type {
                    Some(essence) => format!("{status} {essence}"),
                    None => status.to_string(),
                }
            }
            What::Body(data) | What::Message(data) => labels.data(data),
            What::Event { name, id, data } => {
                let id = id.as_ref().map(|id| format!(" · id {}", labels.value(id)));
                format!("{} · {}", labels.value(name) + &id.unwrap_or_default(), labels.data(data))
            }
            What::Id(id) => format!("id {}", labels.value(id)),
            What::Retry(from, to) if from == to => format!("retry {}", labels.time(When::At(*from))),
            What::Retry(from, to) => format!("retry {}", labels.time(When::Within(*from, *to))),
            What::Comment => labels.comment.to_string(),
            What::End => labels.end.to_string(),
            What::Abort => labels.abort.to_string(),
            What::Ping => "ping".to_owned(),
            What::Pong => "pong".to_owned(),
            What::Close(code, reason) => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                let reason =
                    if reason.is_empty() { String::new() } else { format!(" {}", labels.value(reason)) };
                format!("close{code}{reason}")
            }
            What::Cut => labels.cut.to_string(),
            What::Hold => labels.hold.to_string(),
            What::Heal => labels.heal.to_string(),
            What::Refused => labels.refused.to_string(),
            What::Said(label, Data::Text(text)) => format!("{label}: {text}"),
            What::Said(label, data) => format!("{label}: {}", labels.data(data)),
            What::Note(words) => words.clone(),
        };
        Words { what, details }
    }

    /// The words with the name of what it is, where an arrow would show it.
    fn full(&self, moment: &Moment) -> String {
        let kind = match moment.what {
            What::Body(_) => "body ",
            What::Event { .. } => "event ",
            What::Message(_) => "message ",
            _ => "",
        };
        let exchange = moment.exchange.map(|number| format!("#{number} ")).unwrap_or_default();
        format!("{exchange}{kind}{}", self.what)
    }
}

/// A drawing under way.
struct Picture<'a> {
    labels: &'a Labels,
    /// The clients in the order of their lifelines.
    clients: Vec<Option<char>>,
    /// Exchanges whose bodies are told in parts.
    streams: Vec<Option<u32>>,
    /// Interruptions of lifelines: which, from, to.
    gaps: Vec<(usize, f32, f32)>,
    /// What is drawn so far, but for the lifelines that lie under it.
    drawn: String,
    /// Where the next moment begins.
    y: f32,
}

/// What stands at the far end of an arrow.
#[derive(Clone, Copy, PartialEq)]
enum Tip {
    Arrives,
    Ends,
    IsRefused,
}

impl<'a> Picture<'a> {
    fn new(transcript: &Transcript, labels: &'a Labels) -> Self {
        let has_a_lifeline =
            |moment: &&Moment| matches!(moment.place, Place::Page | Place::ToServer | Place::ToClient);
        let moments = transcript.moments.iter();
        let mut clients: Vec<_> = moments.filter(has_a_lifeline).map(|moment| moment.client).collect();
        clients.sort_unstable();
        clients.dedup();
        if clients.is_empty() {
            clients.push(None);
        }
        let is_stream = |number: Option<u32>| {
            let of_this = transcript.moments.iter().filter(|moment| moment.exchange == number);
            let parts = of_this.clone().filter(|moment| matches!(moment.what, What::Body(_)));
            parts.clone().any(|part| part.place == Place::ToClient)
                && of_this.clone().any(|moment| moment.what == What::End)
                || parts.filter(|part| part.place == Place::ToClient).count() > 1
        };
        let mut streams: Vec<_> = transcript
            .moments
            .iter()
            .filter(|moment| matches!(moment.what, What::Body(_)) && moment.exchange.is_some())
            .map(|moment| moment.exchange)
            .collect();
        streams.dedup();
        streams.retain(|number| is_stream(*number));
        Picture { labels, clients, streams, gaps: Vec::new(), drawn: String::new(), y: TOP }
    }

    fn x_of(&self, lifeline: usize) -> f32 {
        if lifeline < self.clients.len() {
            FIRST + BETWEEN_CLIENTS * lifeline as f32
        } else {
            self.server_x()
        }
    }

    fn server_x(&self) -> f32 {
        FIRST + BETWEEN_CLIENTS * (self.clients.len() - 1) as f32 + LANE
    }

    fn client_of(&self, moment: &Moment) -> usize {
        self.clients.iter().position(|client| *client == moment.client).unwrap_or(0)
    }

    fn moment(&mut self, moment: &Moment, shows_its_time: bool) {
        let words = Words::of(moment, self.labels);
        let start = self.y;
        self.drawn.push_str("<g class=\"moment\">\n");
        let level = match moment.place {
            Place::ToServer | Place::ToClient => self.arrow(moment, &words),
            Place::Page => self.said(moment, &words),
            Place::Network => self.network(moment, &words),
            Place::Note => self.note(&words),
        };
        if shows_its_time {
            self.time(moment.when, level, start);
        }
        self.drawn.push_str("</g>\n");
    }

    /// Times stand on the level of what they time; a window takes two lines.
    fn time(&mut self, when: When, level: f32, start: f32) {
        let text = self.labels.time(when);
        let x = FIRST - 12.0;
        match text.split_once('–') {
            Some((from, to)) => {
                let level = level.max(start + LINE);
                self.text("time", "end", x, level - 11.0, &format!("{from}–"));
                self.text("time", "end", x, level + 3.0, to);
            }
            None => self.text("time", "end", x, level + 4.0, &text),
        }
    }

    fn text(&mut self, class: &str, anchor: &str, x: f32, y: f32, words: &str) {
        let look = match class {
            // Hours in milliseconds are squeezed into the margin.
            "time" if width(words) > 9 => {
                " font-size=\"12\" fill-opacity=\"0.75\" textLength=\"66\" lengthAdjust=\"spacingAndGlyphs\""
            }
            "time" => " font-size=\"12\" fill-opacity=\"0.75\"",
            "detail" => " font-size=\"13\" fill-opacity=\"0.85\"",
            "note" => " font-style=\"italic\"",
            _ => "",
        };
        let _ = writeln!(
            self.drawn,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{look}>{}</text>",
            Escaped(words)
        );
    }

    /// Writes lines below each other; moves on by their height.
    fn lines(&mut self, class: &str, x: f32, lines: &[String]) {
        for line in lines {
            self.y += LINE;
            self.text(class, "middle", x, self.y - 4.0, line);
        }
    }

    fn arrow(&mut self, moment: &Moment, words: &Words) -> f32 {
        let client = self.x_of(self.client_of(moment));
        let server = self.server_x();
        let middle = (client + server) / 2.0;
        self.lines("what", middle, &fit(&words.what, COLUMNS, LINES));
        for detail in &words.details {
            self.lines("detail", middle, &fit(detail, COLUMNS, 2));
        }
        let tip = match moment.what {
            What::End | What::Abort | What::Close(..) => Tip::Ends,
            _ => Tip::Arrives,
        };
        let (from, to) = match moment.place {
            Place::ToServer => (client, server),
            _ => (server, client),
        };
        let y = self.y + 5.0;
        self.draw_arrow(self.technique(moment), moment.what == What::Comment, from, to, y, tip);
        self.y = y + 13.0;
        y
    }

    fn draw_arrow(&mut self, technique: &str, is_faint: bool, from: f32, to: f32, y: f32, tip: Tip) {
        let ahead = if to > from { 1.0 } else { -1.0 };
        let dashes = if is_faint { " stroke-dasharray=\"2 5\"" } else { "" };
        let _ = write!(self.drawn, "<g class=\"arrow {technique}\" {STROKES}>");
        let (start, end) = (from + 3.0 * ahead, to - 3.0 * ahead);
        match tip {
            Tip::Arrives => {
                let (neck, back) = (end - 7.0 * ahead, end - 10.0 * ahead);
                let _ = write!(
                    self.drawn,
                    "<path d=\"M{start} {y}H{neck}\"{dashes}/>\
                     <path class=\"tip\" fill=\"currentColor\" stroke=\"none\" d=\"M{end} {y}L{back} {}V{}z\"/>",
                    y - 4.5,
                    y + 4.5
                );
            }
            Tip::Ends => {
                let _ = write!(
                    self.drawn,
                    "<path d=\"M{start} {y}H{end}M{end} {}V{}\"{dashes}/>",
                    y - 6.0,
                    y + 6.0
                );
            }
            Tip::IsRefused => {
                let end = from + (to - from) * 0.8;
                let _ = write!(
                    self.drawn,
                    "<path d=\"M{start} {y}H{end}M{} {}l10 10m0 -10l-10 10\"/>",
                    end - 5.0,
                    y - 5.0
                );
            }
        }
        self.drawn.push_str("</g>\n");
    }

    /// The colour that a technique has everywhere.
    fn technique(&self, moment: &Moment) -> &'static str {
        match &moment.what {
            What::Event { .. } | What::Id(_) | What::Retry(..) | What::Comment => "sse",
            What::Message(_) | What::Ping | What::Pong | What::Close(..) => "ws",
            What::Response { status: 101, .. } => "ws",
            What::Response { content_type: Some(essence), .. } if essence == "text/event-stream" => "sse",
            What::Body(_) | What::End if moment.place == Place::ToClient => {
                if self.streams.contains(&moment.exchange) {
                    "stream"
                } else if moment.what == What::End {
                    "sse"
                } else {
                    "fetch"
                }
            }
            _ => "fetch",
        }
    }

    fn said(&mut self, moment: &Moment, words: &Words) -> f32 {
        let x = self.x_of(self.client_of(moment));
        let lines = fit(&words.what, COLUMNS - 2, LINES);
        let columns = lines.iter().map(|line| width(line)).max().unwrap_or(0);
        let (left, wide, high) = (x + 8.0, columns as f32 * ADVANCE + 14.0, lines.len() as f32 * LINE + 6.0);
        let y = self.y + 4.0;
        let level = y + high / 2.0;
        let _ = writeln!(
            self.drawn,
            "<g class=\"said\"><g {STROKES}><path d=\"M{x} {level}H{left}\"/>\
             <circle cx=\"{x}\" cy=\"{level}\" r=\"3.5\" fill=\"currentColor\"/>\
             <rect class=\"box\" x=\"{left}\" y=\"{y}\" width=\"{wide:.1}\" height=\"{high}\" rx=\"6\" \
             fill=\"Canvas\" stroke-opacity=\"0.6\"/></g>"
        );
        for (index, line) in lines.iter().enumerate() {
            self.text("what", "start", left + 7.0, y + LINE * (index + 1) as f32 - 1.0, line);
        }
        self.drawn.push_str("</g>\n");
        self.y = y + high + 9.0;
        level
    }

    fn network(&mut self, moment: &Moment, words: &Words) -> f32 {
        if moment.what == What::Refused {
            let (client, server) = (self.x_of(self.client_of(moment)), self.server_x());
            self.drawn.push_str("<g class=\"network bad\">\n");
            self.lines("what", (client + server) / 2.0, &fit(&words.what, COLUMNS, LINES));
            let y = self.y + 6.0;
            self.draw_arrow("refused", false, client, server, y, Tip::IsRefused);
            self.drawn.push_str("</g>\n");
            self.y = y + 15.0;
            return y;
        }
        let lifelines: Vec<usize> = match moment.client {
            Some(_) => vec![self.client_of(moment)],
            None => (0..=self.clients.len()).collect(),
        };
        let lines = fit(&words.what, COLUMNS, LINES);
        let (top, high) = (self.y + 5.0, lines.len() as f32 * LINE + 4.0);
        let level = top + high / 2.0;
        let is_cut = moment.what == What::Cut;
        let class = if is_cut { "network bad" } else { "network" };
        let _ = write!(self.drawn, "<g class=\"{class}\"><g {STROKES}>");
        for lifeline in lifelines {
            let x = self.x_of(lifeline);
            let _ = if is_cut {
                self.gaps.push((lifeline, top, top + high));
                write!(
                    self.drawn,
                    "<path d=\"M{} {}l18 -6M{} {}l18 -6\"/>",
                    x - 9.0,
                    top + 3.0,
                    x - 9.0,
                    top + high + 3.0
                )
            } else {
                write!(self.drawn, "<path d=\"M{} {level}h14\"/>", x - 7.0)
            };
        }
        self.drawn.push_str("</g>\n");
        let nearest = moment.client.map_or(self.clients.len() - 1, |_| self.client_of(moment));
        let middle = (self.x_of(nearest) + self.server_x()) / 2.0;
        self.y = top + 3.0;
        self.lines("what", middle, &lines);
        self.drawn.push_str("</g>\n");
        self.y = top + high + 12.0;
        level
    }

    fn note(&mut self, words: &Words) -> f32 {
        let middle = (self.x_of(self.clients.len() - 1) + self.server_x()) / 2.0;
        self.y += 2.0;
        let start = self.y;
        self.lines("note", middle, &fit(&words.what, COLUMNS, LINES));
        let level = (start + self.y) / 2.0;
        self.y += 10.0;
        level
    }

    fn finish(self, transcript: &Transcript, drawing: &Drawing) -> String {
        let (wide, high) = (self.server_x() + RIGHT, self.y + 8.0);
        let id: String = drawing.id.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let mut svg = format!(
            "<svg class=\"wire\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
             viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
             font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"{SIZE}\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n",
            Escaped(&drawing.title),
            Escaped(&self.description(transcript, drawing)),
        );
        svg.push_str(LIFELINES);
        for lifeline in 0..=self.clients.len() {
            let x = self.x_of(lifeline);
            let _ = write!(svg, "<path class=\"life\" d=\"M{x} {TOP}");
            for (_, from, to) in self.gaps.iter().filter(|(of, ..)| *of == lifeline) {
                let _ = write!(svg, "V{from}M{x} {to}");
            }
            let _ = writeln!(svg, "V{}\"/>", high - 2.0);
        }
        svg.push_str("</g>\n");
        svg.push_str(TEXTS);
        for lifeline in 0..=self.clients.len() {
            let name = match self.clients.get(lifeline) {
                Some(client) => self.labels.client_named(*client),
                None => self.labels.server.to_string(),
            };
            let _ = writeln!(
                svg,
                "<text class=\"name\" x=\"{}\" y=\"22\" text-anchor=\"middle\" font-weight=\"600\">{}</text>",
                self.x_of(lifeline),
                Escaped(&name)
            );
        }
        svg.push_str(&self.drawn);
        svg.push_str("</g>\n</svg>\n");
        svg
    }

    fn description(&self, transcript: &Transcript, drawing: &Drawing) -> String {
        if !drawing.description.is_empty() {
            return drawing.description.clone();
        }
        words(transcript, self.labels).join(" ")
    }
}

/// Text as it may stand in HTML and XML, in attributes too.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(' ')?,
                // XML has no way to write the others.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
