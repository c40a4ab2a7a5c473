//! The tape on which a play is recorded, in the notation of `wire`.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{sync::watch, time::Instant};
use wire::{Moment, Place, Transcript, What, When, tap::Lens, transcript::Data};

use crate::sweep::Disturbance;

/// Records a play. Clones write on the same tape.
#[derive(Clone)]
pub struct Tape(Arc<Shared>);

struct Shared {
    start: Instant,
    reel: Mutex<Reel>,
    /// Counts what was recorded, for those who wait for more.
    recorded: watch::Sender<u64>,
    pulse: Pulse,
}

struct Reel {
    moments: Vec<Moment>,
    /// Everything that was recorded, as it was at the time and by the clock: what a play retells later changes nothing here.
    recording: Vec<(u64, Moment)>,
    /// How often a client has told its page something.
    calls: u64,
    /// In which of these calls the signal is to be aborted.
    abort_inside: Option<u64>,
    disturbed: Option<(Disturbance, Mark, usize)>,
    /// How far the told time is ahead of the clock: see [`Tape::leave_open`].
    ahead: i64,
    exchanges: u32,
    lens: Lens,
}

/// Beats whenever something happens; the watchdog outside listens to it.
#[derive(Clone, Default)]
pub struct Pulse(Arc<PulseState>);

#[derive(Default)]
struct PulseState {
    beats: AtomicU64,
    busy_with: Mutex<String>,
    /// What it was busy with before it began to wait.
    last_busy_with: Mutex<String>,
    /// Set by the watchdog: the page's JavaScript is to end where it is.
    is_to_stop: AtomicBool,
}

/// What a thread does that waits for time to pass or for bytes to arrive.
const WAITING: &str = "waiting";
/// What it does while the client is at work.
pub(crate) const CLIENT: &str = "running the client's JavaScript";

impl Pulse {
    /// How often it has beaten.
    pub fn beats(&self) -> u64 {
        self.0.beats.load(Ordering::Relaxed)
    }

    /// What the thread was doing at the last beat, in words that complete "while it was …".
    pub fn busy_with(&self) -> String {
        lock(&self.0.busy_with).clone()
    }

    /// What it did last that was more than waiting; empty if it never did anything.
    pub fn last_busy_with(&self) -> String {
        lock(&self.0.last_busy_with).clone()
    }

    /// Asks the page to stop its JavaScript at the next step at which it can.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn ask_to_stop(&self) {
        self.0.is_to_stop.store(true, Ordering::Relaxed);
    }

    /// Whether the page was asked to.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.0.is_to_stop.load(Ordering::Relaxed)
    }

    /// Beats; whoever is at work goes on with it.
    fn beat(&self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats, and says that the thread waits now.
    pub(crate) fn wait(&self) {
        self.turn_to(WAITING);
    }

    /// Beats, and says what the thread turns to now.
    pub(crate) fn turn_to(&self, what: &str) {
        self.beat();
        let mut busy_with = lock(&self.0.busy_with);
        if *busy_with != what {
            what.clone_into(&mut busy_with);
            if what != WAITING {
                what.clone_into(&mut lock(&self.0.last_busy_with));
            }
        }
    }
}

/// A point in a play, in whole milliseconds of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(crate) u64);

impl Mark {
    /// Milliseconds from an earlier mark to this one; 0 if it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Tape {
    /// An empty tape whose time begins now.
    pub fn new(pulse: Pulse) -> Self {
        Self(Arc::new(Shared {
            start: Instant::now(),
            reel: Mutex::new(Reel {
                moments: Vec::new(),
                recording: Vec::new(),
                calls: 0,
                abort_inside: None,
                disturbed: None,
                ahead: 0,
                exchanges: 0,
                lens: Lens::default(),
            }),
            recorded: watch::Sender::new(0),
            pulse,
        }))
    }

    /// Now, by the clock.
    pub fn now(&self) -> Mark {
        Mark(u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The pulse that beats with this tape.
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// What the client tells its user. Whether its signal is to be aborted before this call returns.
    pub fn said(&self, client: Option<char>, label: &str, data: Data) -> bool {
        self.add(Place::Page, client, None, What::Said(label.to_owned(), data));
        let aborts = {
            let mut reel = self.reel();
            reel.calls += 1;
            reel.abort_inside == Some(reel.calls)
        };
        if aborts {
            self.disturb(Disturbance::AbortInside);
        }
        aborts
    }

    /// Notes what a play is disturbed by, now.
    pub(crate) fn disturb(&self, what: Disturbance) {
        self.note(what.words());
        let mut reel = self.reel();
        reel.disturbed = Some((what, self.now(), reel.recording.len()));
    }

    /// What this play was disturbed by, when, and after how many recorded moments.
    pub(crate) fn disturbance(&self) -> Option<(Disturbance, Mark, usize)> {
        self.reel().disturbed
    }

    /// Has the signal aborted within the client's `call`th call to its page, counted from 1.
    pub(crate) fn abort_inside(&self, call: u64) {
        self.reel().abort_inside = Some(call);
    }

    /// Everything that was recorded, with its time by the clock.
    pub(crate) fn recording(&self) -> Vec<(u64, Moment)> {
        self.reel().recording.clone()
    }

    /// A narrator's line.
    pub fn note(&self, words: &str) {
        self.add(Place::Note, None, None, What::Note(words.to_owned()));
    }

    /// Something that happens now.
    pub(crate) fn add(&self, place: Place, client: Option<char>, exchange: Option<u32>, what: What) {
        let when = When::At(self.now().0);
        self.add_all([Moment { when, place, client, exchange, what }]);
    }

    /// What a tap has decoded, in the clock's time.
    pub(crate) fn add_all(&self, moments: impl IntoIterator<Item = Moment>) {
        let mut reel = self.reel();
        let ahead = reel.ahead;
        for mut moment in moments {
            self.0.pulse.beat();
            if let When::At(ms) = moment.when {
                reel.recording.push((ms, moment.clone()));
                moment.when = When::At(ms.saturating_add_signed(ahead));
            }
            reel.moments.push(moment);
        }
        self.0.recorded.send_modify(|count| *count += 1);
    }

    /// Hears whenever more has been recorded.
    pub(crate) fn recorded(&self) -> watch::Receiver<u64> {
        self.0.recorded.subscribe()
    }

    /// Numbers the next exchange.
    pub(crate) fn next_exchange(&self) -> u32 {
        let mut reel = self.reel();
        reel.exchanges += 1;
        reel.exchanges
    }

    /// What the taps of connections that are opened from now on tell.
    pub(crate) fn lens(&self) -> Lens {
        self.reel().lens.clone()
    }

    /// Changes what is told. To be called before the connections are opened.
    pub(crate) fn focus(&self, change: impl FnOnce(&mut Lens)) {
        change(&mut self.reel().lens);
    }

    /// The contract leaves the time of a moment open within a window: the
    /// moment is told as that window, and what follows as if it had happened
    /// at the window's end, so that every right answer draws one picture.
    ///
    /// `which` finds the moment, searching from the end; `since` is when the
    /// window is counted from. Nothing is changed if there is no such moment.
    pub(crate) fn leave_open(&self, since: Mark, window: (u64, u64), which: impl Fn(&Moment) -> bool) {
        let mut reel = self.reel();
        let Some((index, told, to)) = reel.open_window(since, window, which) else { return };
        let shift = to.cast_signed() - told.cast_signed();
        for later in &mut reel.moments[index + 1..] {
            if let When::At(ms) = &mut later.when {
                *ms = ms.saturating_add_signed(shift);
            }
        }
        reel.ahead += shift;
    }

    /// The same, where nothing that follows depends on that moment: later times stay as they are.
    pub(crate) fn tell_as_window(&self, since: Mark, window: (u64, u64), which: impl Fn(&Moment) -> bool) {
        self.reel().open_window(since, window, which);
    }

    /// The contract says *at once* and no millisecond: the last such moment is told at `told`, as if it had happened
    /// there, and what follows by as much earlier or later.
    pub(crate) fn tell_at(&self, told: u64, which: impl Fn(&Moment) -> bool) {
        let mut reel = self.reel();
        let Some(index) = reel.moments.iter().rposition(which) else { return };
        let When::At(now) = reel.moments[index].when else { return };
        let shift = told.cast_signed() - now.cast_signed();
        for moment in &mut reel.moments[index..] {
            if let When::At(ms) = &mut moment.when {
                *ms = ms.saturating_add_signed(shift);
            }
        }
        reel.ahead += shift;
    }

    /// When, by the clock, a moment happened that was told since time was last left open.
    pub(crate) fn clock(&self, moment: &Moment) -> Mark {
        let (When::At(told) | When::Within(_, told)) = moment.when;
        Mark(told.saturating_add_signed(-self.reel().ahead))
    }

    /// Changes the last moment that `which` finds.
    pub(crate) fn retell(&self, which: impl Fn(&Moment) -> bool, change: impl FnOnce(&mut Moment)) {
        let mut reel = self.reel();
        if let Some(moment) = reel.moments.iter_mut().rev().find(|moment| which(moment)) {
            change(moment);
        }
    }

    /// Changes what was recorded, moment by moment.
    pub(crate) fn retell_all(&self, change: impl FnMut(&mut Moment)) {
        self.reel().moments.iter_mut().for_each(change);
    }

    /// Where something that happens at `mark` is told, since time was last left open.
    pub(crate) fn told_at(&self, mark: Mark) -> u64 {
        mark.0.saturating_add_signed(self.reel().ahead)
    }

    /// Takes off what has been recorded so far.
    pub(crate) fn take(&self) -> Vec<Moment> {
        std::mem::take(&mut self.reel().moments)
    }

    /// What has been recorded so far.
    pub fn transcript(&self) -> Transcript {
        Transcript { moments: self.reel().moments.clone() }
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        lock(&self.0.reel)
    }
}

impl Reel {
    /// Tells the last such moment as a window: its index, the time it was told at, and the window's end.
    fn open_window(
        &mut self,
        since: Mark,
        window: (u64, u64),
        which: impl Fn(&Moment) -> bool,
    ) -> Option<(usize, u64, u64)> {
        let index = self.moments.iter().rposition(which)?;
        let When::At(told) = self.moments[index].when else { return None };
        let base = since.0.saturating_add_signed(self.ahead);
        let (from, to) = (base + window.0, base + window.1);
        self.moments[index].when = When::Within(from, to);
        Some((index, told, to))
    }
}

/// A panic in a student's code may poison a lock of ours; what it guards is whole all the same.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
