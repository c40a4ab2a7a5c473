//! A subscriber's seat: who writes to its socket now, its shard or its guest, and from where.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::log::{Kind, Place};
use crate::line::{Tap, handover::Direct};

/// How long an event stream is silent at most.
pub(super) const SILENCE: Duration = Duration::from_secs(15);
/// What breaks that silence.
pub(super) const COMMENT: &str = ":\n\n";
/// How often a WebSocket is sent a ping.
pub(super) const BEAT: Duration = Duration::from_secs(20);
/// A ping without a payload (RFC 6455 § 5.5.2).
pub(super) const PING: &[u8] = &[0x89, 0];
/// After so many pings that nothing was heard after, the next beat is the end.
const MISSED: u8 = 2;

pub(super) struct Seat {
    pub(super) kind: Kind,
    tap: Arc<Tap>,
    delivered: Arc<AtomicU64>,
    desk: Mutex<Desk>,
    /// The shard has given the seat back.
    back: Notify,
    /// Pings that nothing was heard after.
    missed: AtomicU8,
}

struct Desk {
    place: Place,
    /// What is left of a frame that the socket took a part of.
    rest: Vec<u8>,
    /// The socket, while the shard writes to it; the guest has the line.
    direct: Option<Direct>,
    /// How often the shard was given the seat: what it knows of an earlier turn is out of date.
    turn: u32,
}

/// What the shard does with a seat next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stays,
    /// It is the guest's, or nobody's.
    Goes,
}

impl Seat {
    pub(super) fn new(kind: Kind, tap: Arc<Tap>, delivered: Arc<AtomicU64>, place: Place) -> Self {
        let desk = Desk { place, rest: Vec::new(), direct: None, turn: 0 };
        Self { kind, tap, delivered, desk: Mutex::new(desk), back: Notify::new(), missed: AtomicU8::new(0) }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the guest's side

    /// Lets the shard write from `place` on; gives the number of its turn.
    pub(super) fn lend(&self, direct: Direct, place: Place) -> u32 {
        let mut desk = self.desk();
        desk.turn = desk.turn.wrapping_add(1);
        (desk.direct, desk.place) = (Some(direct), place);
        desk.turn
    }

    /// Takes the seat from the shard: from now on it writes nothing. Gives where the guest goes on, and what is left of
    /// a frame before that.
    pub(super) fn take_back(&self) -> (Place, Vec<u8>) {
        let mut desk = self.desk();
        desk.direct = None;
        (desk.place, std::mem::take(&mut desk.rest))
    }

    /// Returns once the shard has given the seat back.
    pub(super) async fn given_back(&self) {
        self.back.notified().await;
    }

    /// Sends a frame between two of the shard's. False if the guest has to see to it.
    pub(super) fn slip_in(&self, frame: &[u8]) -> bool {
        let mut desk = self.desk();
        let Some(direct) = desk.direct.as_ref().filter(|_| self.tap.is_plain()) else { return false };
        match direct.try_send(frame) {
            Ok(count) if count == frame.len() => true,
            Ok(count) => {
                desk.rest = frame[count..].to_vec();
                self.give_back(desk);
                true
            }
            Err(_) => false,
        }
    }

    /// So many updates were given to the line, up to the one before `next`.
    pub(super) fn delivers(&self, count: u64, next: u64) {
        self.delivered.fetch_add(count, Ordering::Relaxed);
        self.tap.reaches(next.saturating_sub(1));
    }

    /// Something was heard of the client.
    pub(super) fn is_heard(&self) {
        if self.missed.load(Ordering::Relaxed) != 0 {
            self.missed.store(0, Ordering::Relaxed);
        }
    }

    /// It is time for another ping. False if the client must be taken for gone.
    pub(super) fn beats(&self) -> bool {
        self.missed.fetch_add(1, Ordering::Relaxed) < MISSED
    }

    /// Whether it is.
    pub(super) fn is_lost(&self) -> bool {
        self.missed.load(Ordering::Relaxed) > MISSED
    }

    // ---- the shard's side

    /// Writes `run`, of which the seat's place is the one that `from` knows the start of.
    pub(super) fn write(&self, turn: u32, run: &super::shard::Run) -> Then {
        let mut desk = self.desk();
        let Some(direct) = desk.direct.as_ref().filter(|_| desk.turn == turn) else { return Then::Goes };
        if run.is_reached_by(desk.place) {
            return Then::Stays;
        }
        let Some(bytes) = run.from(desk.place).filter(|_| self.tap.is_plain()) else {
            return self.give_back(desk);
        };
        match direct.try_send(bytes) {
            Ok(count) => {
                let (next, rest) = run.after(desk.place, count);
                // One that was begun is finished before anything else.
                let next = next + u64::from(rest.is_some());
                self.delivers(next - desk.place.next, next);
                desk.place.next = next;
                if count == bytes.len() {
                    return Then::Stays;
                }
                desk.rest = rest.map(<[u8]>::to_vec).unwrap_or_default();
                self.give_back(desk)
            }
            // What else is wrong with the socket, the guest meets, too.
            Err(_) => self.give_back(desk),
        }
    }

    /// Breaks the silence.
    pub(super) fn beat(&self, turn: u32, frame: &[u8]) -> Then {
        let mut desk = self.desk();
        let Some(direct) = desk.direct.as_ref().filter(|_| desk.turn == turn) else { return Then::Goes };
        if self.kind == Kind::Ws && !self.beats() || !self.tap.is_plain() {
            return self.give_back(desk);
        }
        match direct.try_send(frame) {
            Ok(count) if count == frame.len() => Then::Stays,
            Ok(count) => {
                desk.rest = frame[count..].to_vec();
                self.give_back(desk)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                desk.rest = frame.to_vec();
                self.give_back(desk)
            }
            Err(_) => self.give_back(desk),
        }
    }

    /// Gives the seat back, if it is the shard's still.
    pub(super) fn release(&self, turn: u32) {
        let desk = self.desk();
        if desk.turn == turn && desk.direct.is_some() {
            self.give_back(desk);
        }
    }

    fn give_back(&self, mut desk: MutexGuard<'_, Desk>) -> Then {
        desk.direct = None;
        drop(desk);
        self.back.notify_one();
        Then::Goes
    }
}
