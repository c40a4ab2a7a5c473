//! The console's room of the notes: what the page on screen says to whoever teaches it, and a clock.
//!
//! The page on screen is the one that everyone was last brought to, or one that is chosen here. The clock counts for the
//! page that is on screen while it runs; each page keeps its time for as long as the stage lives, so that a console that
//! is loaded again, or opened on another device or another stage, shows the same.

use std::{fmt::Write, time::Duration};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};
use press::{NoteOutline, PageOutline};

use super::Console;
use crate::class::{
    Fields, done, html,
    key::{Instructor, now},
    order::Order,
    room::Trouble,
    screen::{Clock, Screen},
};

/// Where a browser without a script finds itself again.
const ROOM: &str = "/instructor#room-notes";

pub(super) fn router() -> Router<Console> {
    Router::new().route("/instructor/notes/page", post(choose)).route("/instructor/notes/clock", post(clock))
}

/// The notes of the page on screen, and its clock.
pub(super) fn drawn(screen: &Screen, pages: &[PageOutline]) -> String {
    let Some(page) = pages.get(screen.page) else {
        return "<p class=\"stage-hint\">The book has no pages here.</p>".to_owned();
    };
    let spent = screen.spent(now());
    let (to, class, word) = match screen.runs() {
        true => ("off", "", "Pause the clock"),
        false => ("on", "primary", "Start the clock"),
    };
    let minutes: u64 = page.notes.iter().map(|note| u64::from(note.minutes)).sum();
    let notes: String = match page.notes.is_empty() {
        true => "<p class=\"stage-hint\">This page has no notes for the instructor.</p>".to_owned(),
        false => page.notes.iter().map(|note| told(note, spent)).collect(),
    };
    format!(
        "<p><a href=\"/en/{file}\">{title}</a></p>{clock}<div class=\"stage-controls\">{run}{zero}</div><div class=\"room-notes\">{notes}</div>",
        file = html::escape(&page.file),
        title = html::escape(&page.title),
        clock = dial(spent.as_secs(), minutes),
        run = html::button("clock", "/instructor/notes/clock", &[("to", to)], class, word),
        zero = html::button("zero", "/instructor/notes/clock", &[("to", "zero")], "", "Back to 0:00"),
    )
}

/// The time, against what the page is meant to take.
fn dial(seconds: u64, minutes: u64) -> String {
    let time = format!("{}:{:02}", seconds / 60, seconds % 60);
    if minutes == 0 {
        return format!("<p class=\"room-clock\"><strong>{time}</strong></p>");
    }
    let planned = minutes * 60;
    let over = match seconds.saturating_sub(planned) {
        0 => String::new(),
        over => format!(" <span class=\"room-weather\">{}:{:02} over</span>", over / 60, over % 60),
    };
    let bar = html::bar(seconds.min(planned) as usize, planned as usize);
    format!("<p class=\"room-clock\"><strong>{time}</strong> of {minutes} min{over}</p>{bar}")
}

/// A note, with the step that its minutes have come to marked.
fn told(note: &NoteOutline, spent: Duration) -> String {
    // A step says first how long it takes: `<li><strong>2 min · Predict.</strong>`.
    const STEP: &str = "<li><strong>";
    let mut parts = note.text.split(STEP);
    let mut out = format!("<h3>{}</h3>{}", html::escape(&note.time), parts.next().unwrap_or_default());
    let mut until = Duration::ZERO;
    let mut is_found = spent.is_zero();
    for part in parts {
        until += Duration::from_secs(60 * minutes(part));
        let is_now = !is_found && spent < until;
        is_found |= is_now;
        let now = if is_now { " aria-current=\"step\"" } else { "" };
        let _ = write!(out, "<li{now}><strong>{part}");
    }
    out
}

/// The minutes that a step begins with.
fn minutes(step: &str) -> u64 {
    step.split_once(" min").and_then(|(minutes, _)| minutes.parse().ok()).unwrap_or(0)
}

/// A form that chooses a page.
pub(super) fn chooser(screen: &Screen, pages: &[PageOutline]) -> String {
    let chosen = screen.page;
    let options: String = pages
        .iter()
        .enumerate()
        .map(|(at, page)| {
            let selected = if at == chosen { " selected" } else { "" };
            format!(
                "<option value=\"{}\"{selected}>{}</option>",
                html::escape(&page.file),
                html::escape(&page.title)
            )
        })
        .collect();
    format!(
        "<form method=\"post\" action=\"/instructor/notes/page\" class=\"class-form\"><label for=\"screen\">Another page’s notes</label>\
         <select id=\"screen\" name=\"page\">{options}</select><button id=\"choose\">Show its notes</button></form>\
         <p class=\"stage-hint\">Whoever brings everyone to a page has its notes here.</p>"
    )
}

async fn choose(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let file = fields.get("page");
    let turned = match console.class.pages.iter().position(|page| page.file == file) {
        Some(page) => console.class.order(Order::Turn { page, now: now() }).await.map(drop),
        None => Err(Trouble::Nothing("There is no such page in the book.")),
    };
    done(&headers, ROOM, turned)
}

async fn clock(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let to = match Fields::read(&body).get("to") {
        "on" => Ok(Clock::On),
        "off" => Ok(Clock::Off),
        "zero" => Ok(Clock::Zero),
        _ => Err(Trouble::Bad("The clock is set `on`, `off` or to `zero`.".to_owned())),
    };
    let set = match to {
        Ok(to) => console.class.order(Order::Clock { to, now: now() }).await.map(drop),
        Err(trouble) => Err(trouble),
    };
    done(&headers, ROOM, set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_that_the_minutes_have_come_to_is_marked() {
        let note = NoteOutline {
            minutes: 5,
            time: "5 min".to_owned(),
            text: "<ul> <li><strong>2 min · One.</strong> a</li> <li><strong>3 min.</strong> b</li> </ul>"
                .to_owned(),
        };
        let now = |seconds| {
            let told = told(&note, Duration::from_secs(seconds));
            told.split_once("aria-current=\"step\"><strong>").map(|(_, step)| step[..1].to_owned())
        };
        assert_eq!(now(0), None);
        assert_eq!(now(1).as_deref(), Some("2"));
        assert_eq!(now(119).as_deref(), Some("2"));
        assert_eq!(now(120).as_deref(), Some("3"));
        assert_eq!(now(300), None, "all of it is over");
        assert!(dial(301, 5).contains("0:01 over"));
        assert!(!dial(300, 5).contains("over"));
    }
}
