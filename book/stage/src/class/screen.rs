//! The page that is on screen, and the time that each page has had.

use std::{collections::BTreeMap, time::Duration};

use press::PageOutline;
use serde::{Deserialize, Serialize};

/// The page on screen, by its place among the book's, and the clock. Times are in milliseconds since 1970, so that
/// every stage that holds the class reads the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Screen {
    pub(crate) page: usize,
    /// How long each page was on screen while the clock ran, in milliseconds.
    spent: BTreeMap<usize, u64>,
    /// Since when the clock has run, while it does.
    since: Option<u64>,
}

/// What is done to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clock {
    /// It runs.
    On,
    /// It stands still.
    Off,
    /// It has counted nothing for the page on screen.
    Zero,
}

impl Screen {
    /// Nothing was called yet: the first page that has notes.
    pub(crate) fn of(pages: &[PageOutline]) -> Self {
        let page = pages.iter().position(|page| !page.notes.is_empty()).unwrap_or(0);
        Self { page, ..Self::default() }
    }

    /// Everyone is called somewhere: to a page of the book, perhaps.
    pub(crate) fn follow(&mut self, path: &str, pages: &[PageOutline], now: u64) {
        if let Some(page) = pages.iter().position(|page| is_at(page, path)) {
            self.turn_to(page, now);
        }
    }

    /// The time so far belongs to the page before.
    pub(crate) fn turn_to(&mut self, page: usize, now: u64) {
        self.add_up(now);
        self.page = page;
    }

    /// Sets the clock.
    pub(crate) fn set(&mut self, clock: Clock, now: u64) {
        self.add_up(now);
        match clock {
            Clock::On => self.since = Some(now),
            Clock::Off => self.since = None,
            Clock::Zero => {
                self.spent.remove(&self.page);
            }
        }
    }

    /// Whether the clock runs.
    pub(crate) fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// What the clock shows.
    pub(crate) fn spent(&self, now: u64) -> Duration {
        let before = self.spent.get(&self.page).copied().unwrap_or_default();
        Duration::from_millis(before.saturating_add(self.since.map_or(0, |since| now.saturating_sub(since))))
    }

    /// Adds what the clock has counted to the page on screen.
    fn add_up(&mut self, now: u64) {
        if let Some(since) = &mut self.since {
            let spent = self.spent.entry(self.page).or_default();
            *spent = spent.saturating_add(now.saturating_sub(*since));
            *since = now;
        }
    }
}

/// Whether a path leads to this page: `/en/03-server-sent-events.html#resume`.
fn is_at(page: &PageOutline, path: &str) -> bool {
    let path = path.split(['#', '?']).next().unwrap_or_default();
    path.rsplit('/').next() == Some(page.file.as_str())
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

    #[test]
    fn the_page_on_screen_is_the_last_that_was_called_or_chosen() {
        let pages = [page("index.html"), page("03-server-sent-events.html")];
        let mut screen = Screen::of(&pages);
        let mut after = |path: &str| {
            screen.follow(path, &pages, 0);
            screen.page
        };
        assert_eq!(after("/class"), 0);
        assert_eq!(after("/en/03-server-sent-events.html#resume"), 1);
        assert_eq!(after("/live/lab3/"), 1, "no page of the book");
        assert_eq!(after("/en/index.html"), 0);
        screen.turn_to(1, 0);
        assert_eq!(screen.page, 1);
    }

    #[test]
    fn time_belongs_to_the_page_that_was_on_screen() {
        let mut screen = Screen::default();
        let seconds = |screen: &Screen, now: u64| screen.spent(now).as_secs();
        screen.set(Clock::On, 1_000);
        assert_eq!(seconds(&screen, 61_000), 60);
        screen.turn_to(1, 61_000);
        assert_eq!(seconds(&screen, 66_000), 5);
        screen.turn_to(0, 71_000);
        assert_eq!(seconds(&screen, 72_000), 61);
        screen.set(Clock::On, 73_000);
        screen.set(Clock::Off, 74_000);
        assert_eq!((seconds(&screen, 99_000), screen.runs()), (63, false), "it stands still");
        screen.set(Clock::Zero, 99_000);
        assert_eq!(seconds(&screen, 99_000), 0);
        screen.turn_to(1, 99_000);
        assert_eq!(seconds(&screen, 99_000), 10, "the other page keeps its time");
        screen.set(Clock::On, 99_000);
        assert_eq!(
            seconds(&screen, 98_000),
            10,
            "a clock that is behind another machine's shows nothing odd"
        );
    }
}
