//! The student's client against the solution's server, for as long as somebody
//! watches: a market that moves, time in steps, weather to order.

use std::time::Duration;

use feed::{Feed, Market};
use grader::{Bench, Failure, Page, Session, Sources};
use serde::Serialize;

use crate::{Outcome, rooms::Room};

/// How many updates the market's feed keeps.
const KEPT: usize = 1_000;
/// One step may let this much time pass: more would keep the page waiting.
const LONGEST_STEP: Duration = Duration::from_secs(60 * 60);
/// The longest way from one end of the line to the other that can be ordered, in milliseconds.
const LONGEST_LATENCY: u64 = 60_000;

/// A run of a lab. Time stands still except in [`Run::step`].
pub struct Run {
    // The page goes before the session in which it lives.
    page: Option<Page>,
    room: &'static Room,
    feed: Feed,
    session: Session,
    /// Lines of the console that were told already.
    told: usize,
}

/// What happened since the last answer.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Milliseconds of virtual time since the run began.
    pub now: u64,
    /// The new moments, as text.
    pub transcript: String,
    /// The new lines of the page's console.
    pub console: Vec<String>,
    /// What went wrong meanwhile.
    pub failure: Option<Outcome>,
}

impl Run {
    /// Serves the lab's solution, opens these sources in a page and starts the client.
    ///
    /// A client that cannot be started is told in the first step. `seed` moves
    /// the market and the page's chance.
    ///
    /// # Errors
    /// A sentence, where there is no such lab.
    pub fn open(lab: &str, sources: Sources, seed: u64) -> Result<(Self, Step), String> {
        let room = Room::named(lab)?;
        let feed = Feed::memory(KEPT);
        let mut session = Session::open(sources, seed);
        let opened = session.with(async |bench| {
            // Nobody compares: whatever tells what is going on is shown.
            bench.show_request_headers(&["if-none-match", "last-event-id"]);
            bench.show_comments();
            bench.show_retry();
            bench.show_pings();
            bench.serve((room.app)(feed.clone()));
            tokio::task::spawn_local(Market::new(seed).trade(feed.clone()));
            bench.page(room.exports)
        });
        let mut run = Self { page: None, room, feed, session, told: 0 };
        let began = match opened {
            Ok(page) => {
                run.page = Some(page);
                run.tell(room.start)
            }
            Err(failure) => Err(failure),
        };
        let mut step = run.answer();
        // A page that could not be opened is not there to tell its failure itself.
        step.failure = step.failure.or(began.err().map(Outcome::from));
        Ok((run, step))
    }

    /// Lets `ms` milliseconds of virtual time pass; parts of milliseconds add up.
    ///
    /// # Errors
    /// A sentence, where `ms` is negative, no number, or more than an hour.
    pub fn step(&mut self, ms: f64) -> Result<Step, String> {
        let time = Duration::try_from_secs_f64(ms / 1_000.0)
            .ok()
            .filter(|time| *time <= LONGEST_STEP)
            .ok_or_else(|| format!("A step takes from 0 to {} ms, not {ms}.", LONGEST_STEP.as_millis()))?;
        self.session.step(time);
        Ok(self.answer())
    }

    /// Makes the weather, or does what a user does. Virtual time stands still.
    ///
    /// - `cut`: every open connection is cut.
    /// - `hold`, `heal`: bytes wait in the line; what waited is delivered.
    /// - `refuse`, `accept`: new connections are refused; accepted again.
    /// - `latency 250`: bytes are under way so many milliseconds, on connections new and old.
    /// - `restart`: the server goes, with all its connections, and comes back; its feed stays.
    /// - `close market`, `open market`: the feed ends; it goes on.
    /// - `hide`, `show`: the tab is hidden; visible again.
    /// - `leave`, `return`: the page is left; restored.
    /// - `stop`: the user has seen enough.
    ///
    /// # Errors
    /// A sentence, where there is no such command.
    pub fn command(&mut self, command: &str) -> Result<Step, String> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match (word, rest) {
            // The network tells these itself.
            ("cut", "") => self.session.with(async |bench: Bench| {
                // A cut waits until both ends know; that is for the next step.
                tokio::task::spawn_local(async move { bench.cut().await });
            }),
            ("hold", "") => self.session.with(async |bench| bench.hold()),
            ("heal", "") => self.session.with(async |bench| bench.heal()),
            ("refuse", "") => self.weather("new connections are refused", Bench::refuse),
            ("accept", "") => self.weather("new connections are accepted", Bench::accept),
            ("latency", ms) => {
                let ms = ms.parse().ok().filter(|ms| *ms <= LONGEST_LATENCY).ok_or_else(|| {
                    format!(
                        "`latency` takes whole milliseconds up to {LONGEST_LATENCY}, as in `latency 250`."
                    )
                })?;
                self.weather(&format!("bytes are under way for {ms} ms"), |bench| {
                    bench.set_latency(Duration::from_millis(ms));
                });
            }
            ("restart", "") => {
                let app = (self.room.app)(self.feed.clone());
                self.weather("the server restarts", |bench| bench.serve(app));
            }
            ("close", "market") => {
                let feed = self.feed.clone();
                self.weather("the market closes", |_| feed.close());
            }
            ("open", "market") => {
                let feed = self.feed.clone();
                self.weather("the market opens", |_| feed.reopen());
            }
            ("hide", "") => self.user("the tab is hidden", |page| page.set_visibility(true)),
            ("show", "") => self.user("the tab is visible", |page| page.set_visibility(false)),
            ("leave", "") => self.user("the page is left", Page::leave),
            ("return", "") => self.user("the page is restored", Page::return_to),
            ("stop", "") => {
                let code = self.room.stop;
                self.user("the user stops it", |page| drop(page.eval(code)));
            }
            _ => return Err(format!("There is no command `{command}`.")),
        }
        Ok(self.answer())
    }

    fn weather(&mut self, note: &str, change: impl FnOnce(&Bench)) {
        self.session.with(async |bench| {
            bench.note(note);
            change(&bench);
        });
    }

    /// Nothing happens where no page could be opened.
    fn user(&mut self, note: &str, act: impl FnOnce(&Page)) {
        let Some(page) = self.page.clone() else { return };
        self.weather(note, |_| act(&page));
    }

    /// Runs the bench's own code in the page.
    fn tell(&mut self, code: &str) -> Result<(), Failure> {
        let Some(page) = self.page.clone() else { return Ok(()) };
        self.session.with(async |_| Ok(page.eval(code)?))
    }

    fn answer(&mut self) -> Step {
        let console = self.page.as_ref().map(Page::console).unwrap_or_default();
        let new = console.get(self.told..).unwrap_or_default().to_vec();
        self.told = console.len();
        Step {
            now: self.session.now(),
            transcript: self.session.take().to_string(),
            console: new,
            failure: self.session.failure().map(Outcome::from),
        }
    }
}
