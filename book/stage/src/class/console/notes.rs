//! The console's room of the notes: what the page on screen says to whoever teaches it, and a clock.
//!
//! The page on screen is the one that everyone was last brought to, or one that is chosen here. The clock counts for the
//! page that is on screen while it runs; each page keeps its time for as long as the stage lives, so that a console that
//! is loaded again, or opened on another device, shows the same.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};
use press::{NoteOutline, PageOutline};

use super::{Console, PAGE};
use crate::class::{
    Fields, done, html,
    key::Instructor,
    room::{Call, Trouble},
};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/instructor/notes/page", post(choose)).route("/instructor/notes/clock", post(clock))
}

/// What is on screen, and the time that each page has had.
pub(super) struct Screen(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    /// The page on screen, by its place among the book's.
    page: usize,
    /// The call that was looked at last.
    call: Option<Call>,
    spent: HashMap<usize, Duration>,
    /// Since when the clock has run, while it does.
    runs: Option<Instant>,
}

impl Screen {
    /// Nothing was called yet: the first page that has notes.
    pub(super) fn of(pages: &[PageOutline]) -> Self {
        let page = pages.iter().position(|page| !page.notes.is_empty()).unwrap_or(0);
        Self(Mutex::new(Shown { page, ..Shown::default() }))
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on screen, once everyone was called somewhere.
    fn after(&self, call: Option<&Call>, pages: &[PageOutline]) -> MutexGuard<'_, Shown> {
        let mut shown = self.shown();
        if call != shown.call.as_ref() {
            shown.call = call.cloned();
            let called = call.and_then(|call| pages.iter().position(|page| is_at(page, &call.path)));
            if let Some(page) = called {
                shown.turn_to(page);
            }
        }
        shown
    }
}

impl Shown {
    /// The time so far belongs to the page before.
    fn turn_to(&mut self, page: usize) {
        self.add_up();
        self.page = page;
    }

    /// Adds what the clock has counted to the page on screen.
    fn add_up(&mut self) {
        if let Some(since) = &mut self.runs {
            let now = Instant::now();
            *self.spent.entry(self.page).or_default() += now - *since;
            *since = now;
        }
    }

    fn spent(&self) -> Duration {
        let before = self.spent.get(&self.page).copied().unwrap_or_default();
        before + self.runs.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Whether a path leads to this page: `/en/03-server-sent-events.html#resume`.
fn is_at(page: &PageOutline, path: &str) -> bool {
    let path = path.split(['#', '?']).next().unwrap_or_default();
    path.rsplit('/').next() == Some(page.file.as_str())
}

/// The notes of the page on screen, and its clock.
pub(super) fn drawn(screen: &Screen, call: Option<&Call>, pages: &[PageOutline]) -> String {
    let shown = screen.after(call, pages);
    let Some(page) = pages.get(shown.page) else {
        return "<p class=\"stage-hint\">The book has no pages here.</p>".to_owned();
    };
    let spent = shown.spent();
    let (to, class, word) = match shown.runs {
        Some(_) => ("off", "", "Pause the clock"),
        None => ("on", "primary", "Start the clock"),
    };
    drop(shown);
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
    let chosen = screen.shown().page;
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
    let chosen = match console.class.pages.iter().position(|page| page.file == file) {
        Some(page) => {
            console.screen.shown().turn_to(page);
            Ok(())
        }
        None => Err(Trouble::Nothing("There is no such page in the book.")),
    };
    console.class.redraw();
    done(&headers, PAGE, chosen)
}

async fn clock(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let set = {
        let mut shown = console.screen.shown();
        shown.add_up();
        match Fields::read(&body).get("to") {
            "on" => {
                shown.runs.get_or_insert_with(Instant::now);
                Ok(())
            }
            "off" => {
                shown.runs = None;
                Ok(())
            }
            "zero" => {
                let page = shown.page;
                shown.spent.remove(&page);
                Ok(())
            }
            _ => Err(Trouble::Bad("The clock is set `on`, `off` or to `zero`.".to_owned())),
        }
    };
    console.class.redraw();
    done(&headers, PAGE, set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(file: &str) -> PageOutline {
        PageOutline {
            file: file.to_owned(),
            title: file.to_owned(),
            questions: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn call(number: u64, path: &str) -> Call {
        Call { number, path: path.to_owned() }
    }

    #[test]
    fn the_page_on_screen_is_the_last_that_was_called_or_chosen() {
        let pages = [page("index.html"), page("03-server-sent-events.html")];
        let screen = Screen::of(&pages);
        let on = |call: Option<&Call>| screen.after(call, &pages).page;
        assert_eq!(on(None), 0);
        let called = call(1, "/en/03-server-sent-events.html#resume");
        assert_eq!(on(Some(&called)), 1);
        screen.shown().turn_to(0);
        assert_eq!(on(Some(&called)), 0, "the call is old: what was chosen since stays");
        assert_eq!(on(Some(&call(2, "/live/lab3/"))), 0, "no page of the book");
        assert_eq!(on(Some(&call(3, "/en/03-server-sent-events.html"))), 1);
        assert_eq!(on(None), 1, "taken back, it is on screen still");
    }

    #[test]
    fn time_belongs_to_the_page_that_was_on_screen() {
        let mut shown =
            Shown { runs: Instant::now().checked_sub(Duration::from_secs(60)), ..Shown::default() };
        shown.turn_to(1);
        assert!(shown.spent() < Duration::from_secs(30), "{:?}", shown.spent());
        shown.turn_to(0);
        assert!(shown.spent() >= Duration::from_secs(60), "{:?}", shown.spent());
    }

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
