//! A bench that stays open while somebody watches: time passes in steps, and
//! between two steps they make the weather.
//!
//! The book's page runs a lab this way. It is the bench of the checks, so the
//! same things happen at the same milliseconds, however long the steps are.

use std::time::Duration;

use tokio::{
    runtime::Runtime,
    sync::mpsc,
    task::{LocalSet, yield_now},
    time::{Instant, sleep_until},
};
use wire::Transcript;

use crate::{
    Bench, Failure, PageError, Sources,
    check::{blame, paused_runtime},
    panics::{self, Panic},
    tape::{Pulse, Tape},
    tasks,
};

/// A bench, kept alive between calls. Time stands still except in [`Session::step`].
pub struct Session {
    // In the order in which they must go: what runs on the stage, the stage, its clock.
    bench: Bench,
    tape: Tape,
    page_failed: mpsc::UnboundedReceiver<PageError>,
    stage: LocalSet,
    runtime: Runtime,
    began: Instant,
    passed: Duration,
    /// What the server panicked with and nobody has heard of yet.
    panics: Vec<Panic>,
}

impl Session {
    /// Opens a bench with these client files, its chance drawn from `seed`.
    /// Nothing is served and no page is open yet: see [`Session::with`].
    pub fn open(sources: Sources, seed: u64) -> Self {
        let runtime = paused_runtime();
        let stage = LocalSet::new();
        let (tape, bench, page_failed, began) = tasks::block_on(&stage, &runtime, async {
            let tape = Tape::new(Pulse::default());
            let (bench, page_failed) = Bench::new(tape.clone(), sources, seed);
            (tape, bench, page_failed, Instant::now())
        });
        Self { bench, tape, page_failed, stage, runtime, began, passed: Duration::ZERO, panics: Vec::new() }
    }

    /// Does something with the bench: serves, opens a page, makes the weather.
    ///
    /// What `act` awaits may let virtual time pass; what it starts with
    /// [`tokio::task::spawn_local`] goes on in later steps.
    pub fn with<T>(&mut self, act: impl AsyncFnOnce(Bench) -> T) -> T {
        let bench = self.bench.clone();
        self.go_on(async {
            let done = act(bench).await;
            // Whoever watches over a page hears now that it failed, not a step later.
            yield_now().await;
            done
        })
    }

    /// Lets so much virtual time pass. The clock's grain is a millisecond;
    /// shorter steps add up without drifting.
    pub fn step(&mut self, time: Duration) {
        self.passed += time;
        let until = self.began + self.passed;
        self.go_on(async { sleep_until(until).await });
    }

    fn go_on<T>(&mut self, until: impl Future<Output = T>) -> T {
        panics::collect();
        let done = tasks::block_on(&self.stage, &self.runtime, until);
        self.panics.extend(panics::collected());
        done
    }

    /// Milliseconds of virtual time since it was opened.
    pub fn now(&self) -> u64 {
        let _clock = self.runtime.enter();
        self.tape.now().0
    }

    /// What was recorded since this was last asked.
    pub fn take(&mut self) -> Transcript {
        Transcript { moments: self.tape.take() }
    }

    /// What went wrong since this was last asked: each failure of a page once,
    /// and a server that panicked.
    pub fn failure(&mut self) -> Option<Failure> {
        let page = self.page_failed.try_recv().map_or(Ok(()), |error| Err(error.into()));
        blame(page, std::mem::take(&mut self.panics)).err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_TIMERS: &str = "export function begin() { setInterval(() => document, 30); }";

    fn session(client: &str) -> Session {
        Session::open(Sources::new([("client.js".to_owned(), client.to_owned())]), 1)
    }

    #[test]
    fn time_passes_in_steps_only_and_short_steps_add_up() {
        let mut session = session(TWO_TIMERS);
        assert_eq!(session.now(), 0);
        for _ in 0..60 {
            session.step(Duration::from_secs(1) / 60);
        }
        assert_eq!(session.now(), 1_000);
    }

    #[test]
    fn what_was_recorded_is_told_once() {
        let mut session = session(TWO_TIMERS);
        session.with(async |bench| bench.note("look"));
        assert_eq!(session.take().moments.len(), 1);
        session.step(Duration::from_secs(1));
        assert_eq!(session.take(), Transcript::default());
    }

    #[test]
    fn a_page_that_fails_is_told_once_and_at_once() {
        let mut session = session("export function begin() { nothing(); }");
        let opened = session.with(async |bench| {
            let page = bench.page(&["begin"])?;
            Ok::<_, Failure>(page.eval("client.begin()")?)
        });
        assert!(matches!(opened, Err(Failure::Page(PageError::Uncaught { .. }))), "{opened:?}");
        assert_eq!(session.failure(), opened.err());
        assert_eq!(session.failure(), None);
    }
}
