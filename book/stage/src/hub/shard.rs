//! A shard: writes what is new to all sockets that take it at once.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    log::{Kind, Log, Place, chunk},
    seat::{BEAT, COMMENT, PING, SILENCE, Seat, Then},
};

/// So many sockets are written to before others have their turn, and what is new is looked for.
const SLICE: usize = 64;

#[derive(Default)]
pub(super) struct Shard {
    joining: Mutex<Vec<Entry>>,
    wake: Notify,
}

/// A seat that the shard was lent.
struct Entry {
    seat: Arc<Seat>,
    turn: u32,
    /// Where it stood then.
    place: Place,
}

impl Shard {
    /// Takes a seat in.
    pub(super) fn join(&self, seat: Arc<Seat>, turn: u32, place: Place) {
        self.joining().push(Entry { seat, turn, place });
        self.wake();
    }

    /// There is something new.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn joining(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works, for ever.
    pub(super) async fn run(self: Arc<Self>, hub: Arc<Shared>) -> Infallible {
        let log = &hub.log;
        let mut lanes = [Kind::Sse, Kind::Ws].map(Lane::new);
        let end = log.end();
        let comment = chunk(COMMENT.as_bytes());
        let mut silent_until = Instant::now() + SILENCE;
        let mut beat = Instant::now() + BEAT;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(silent_until) => {
                    lanes[0].beats(&comment).await;
                    silent_until = Instant::now() + SILENCE;
                }
                () = sleep_until(beat) => {
                    lanes[1].beats(PING).await;
                    beat = Instant::now() + BEAT;
                }
            }
            self.take(log, &mut lanes);
            if end.borrow().is_closed {
                // An event stream ends with the market; that is the guests' affair.
                lanes[0].release();
            }
            while lanes.iter().any(Lane::is_behind) {
                for index in 0..lanes.len() {
                    let mut at = 0;
                    let reached = lanes[index].run.end();
                    while lanes[index].passes(&mut at) {
                        yield_now().await;
                        // What is new joins the running pass.
                        self.take(log, &mut lanes);
                    }
                    lanes[index].has_passed(reached);
                }
                silent_until = Instant::now() + SILENCE;
            }
        }
    }

    /// Takes in who is new, and what.
    fn take(&self, log: &Log, lanes: &mut [Lane; 2]) {
        for entry in std::mem::take(&mut *self.joining()) {
            let [sse, ws] = lanes;
            match entry.seat.kind {
                Kind::Sse => sse.joins(entry),
                Kind::Ws => ws.joins(entry),
            }
        }
        for lane in lanes {
            lane.look(log);
        }
    }
}

/// All that speak alike.
struct Lane {
    kind: Kind,
    entries: Vec<Entry>,
    run: Run,
    /// Everybody here has had what comes before this update.
    passed: u64,
}

impl Lane {
    fn new(kind: Kind) -> Self {
        Self { kind, entries: Vec::new(), run: Run::default(), passed: 0 }
    }

    fn joins(&mut self, entry: Entry) {
        if self.entries.is_empty() {
            // The run begins where the first to come stands. Who comes after it and stands before that is sent back,
            // reads on by itself, and has it soon.
            self.run = Run::at(entry.place);
            self.passed = entry.place.next;
        }
        self.passed = self.passed.min(entry.place.next);
        self.entries.push(entry);
    }

    /// Takes in what is new.
    fn look(&mut self, log: &Log) {
        if self.entries.is_empty() {
            return;
        }
        let Run { place, bytes, ends } = &mut self.run;
        let next = Place { next: place.next + ends.len() as u64, ..*place };
        if !log.extend(self.kind, next, bytes, |end| ends.push(end)) {
            self.release();
        }
    }

    /// Whether somebody here has not had all of the run.
    fn is_behind(&self) -> bool {
        !self.entries.is_empty() && self.passed < self.run.end()
    }

    /// Writes to a few of the seats, from the one at `at` on; false if that were the last.
    fn passes(&mut self, at: &mut usize) -> bool {
        for _ in 0..SLICE {
            let Some(Entry { seat, turn, .. }) = self.entries.get(*at) else { return false };
            match seat.write(*turn, &self.run) {
                Then::Stays => *at += 1,
                Then::Goes => drop(self.entries.swap_remove(*at)),
            }
        }
        *at < self.entries.len()
    }

    /// Everybody has had what the run held when the pass began.
    fn has_passed(&mut self, end: u64) {
        self.passed = end;
        self.run.forget(end);
    }

    async fn beats(&mut self, frame: &[u8]) {
        let mut at = 0;
        while at < self.entries.len() {
            for _ in 0..SLICE {
                let Some(Entry { seat, turn, .. }) = self.entries.get(at) else { break };
                match seat.beat(*turn, frame) {
                    Then::Stays => at += 1,
                    Then::Goes => drop(self.entries.swap_remove(at)),
                }
            }
            yield_now().await;
        }
    }

    /// Lets everybody go to their guests.
    fn release(&mut self) {
        for Entry { seat, turn, .. } in self.entries.drain(..) {
            seat.release(turn);
        }
    }
}

/// A piece of the log that is being written: the framed updates from a place on, one after another.
#[derive(Default)]
pub(super) struct Run {
    place: Place,
    pub(super) bytes: Vec<u8>,
    /// Where each update ends.
    pub(super) ends: Vec<usize>,
}

impl Run {
    pub(super) fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// The number of the update after the last.
    pub(super) fn end(&self) -> u64 {
        self.place.next + self.ends.len() as u64
    }

    /// Whether there is nothing here for whoever is at `place`.
    pub(super) fn is_reached_by(&self, place: Place) -> bool {
        place.era == self.place.era && place.next >= self.end()
    }

    /// Everything from `place` on, if it is in here.
    pub(super) fn from(&self, place: Place) -> Option<&[u8]> {
        Some(&self.bytes[self.start(place)?..])
    }

    /// Where in the bytes `place` is.
    fn start(&self, place: Place) -> Option<usize> {
        let index = place.next.checked_sub(self.place.next).filter(|_| place.era == self.place.era)?;
        match usize::try_from(index).ok()? {
            0 => Some(0),
            index => self.ends.get(index - 1).copied(),
        }
    }

    /// Where somebody stands who was at `place` and has been sent so many bytes more: the number of the next update that
    /// was not begun or not finished, and what is left of it if it was begun.
    pub(super) fn after(&self, place: Place, sent: usize) -> (u64, Option<&[u8]>) {
        let reached = self.start(place).unwrap_or_default() + sent;
        let whole = self.ends.partition_point(|end| *end <= reached);
        let start = whole.checked_sub(1).map_or(0, |last| self.ends[last]);
        let rest = self.ends.get(whole).filter(|_| start < reached).map(|end| &self.bytes[reached..*end]);
        ((self.place.next + whole as u64).max(place.next), rest)
    }

    /// Drops what comes before the update `next`.
    pub(super) fn forget(&mut self, next: u64) {
        let Some(index) = next.checked_sub(self.place.next).filter(|index| *index > 0) else { return };
        let count = usize::try_from(index).unwrap_or(usize::MAX).min(self.ends.len());
        self.place.next += count as u64;
        if count == self.ends.len() {
            self.bytes.clear();
            self.ends.clear();
            // A burst is no reason to keep its room for ever.
            self.bytes.shrink_to(64 * 1024);
            return;
        }
        let bytes = self.ends[count - 1];
        self.bytes.drain(..bytes);
        self.ends.drain(..count);
        for end in &mut self.ends {
            *end -= bytes;
        }
    }
}
