//! What is under way to the client, and the pump that delivers it when it is due.
//!
//! A network takes bytes from their sender at once and delivers them later. So
//! does this: [`Outbound`] takes what the server writes, as much as there is
//! room for, and a task of its own sends it. It lives as long as there is weather
//! or bytes are under way.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{ROOM, Socket, Tap};
use crate::weather::Weather;

/// A slow reader takes its bytes in so many gulps a second, where it takes more than one each.
const GULPS: u32 = 20;

/// Bytes that have left the server and not reached the client.
#[derive(Default)]
pub(super) struct Outbound {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Default)]
struct Waiting {
    /// What is under way, and when it arrives. An empty part is the end of it all.
    parts: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// When the newest of it arrives: nothing overtakes.
    last: Option<Instant>,
    failed: Option<io::ErrorKind>,
    /// The pump is gone: what comes now may go the direct way.
    is_done: bool,
}

/// What the pump does next.
enum Step {
    Send(Bytes),
    End,
    Wait(Option<Instant>),
    Done,
}

impl Outbound {
    /// Begins to carry what is sent on `socket`.
    pub(super) fn begin(socket: &Arc<Socket>) -> Arc<Self> {
        let outbound = Arc::new(Self::default());
        tokio::spawn(Arc::clone(&outbound).pump(Arc::clone(socket)));
        outbound
    }

    /// Takes as much of `bytes` as there is room for; nothing where there is none, or nobody to carry it any more.
    pub(super) fn take(&self, bytes: &[u8], tap: &Tap) -> Option<io::Result<usize>> {
        let mut waiting = self.waiting();
        if let Some(kind) = waiting.failed {
            return Some(Err(kind.into()));
        }
        if waiting.is_done {
            return None;
        }
        let count = bytes.len().min(ROOM.saturating_sub(waiting.bytes));
        if count == 0 {
            return None;
        }
        waiting.add(Bytes::copy_from_slice(&bytes[..count]), tap.weather().delay());
        tap.held(waiting.bytes);
        drop(waiting);
        self.added.notify_one();
        Some(Ok(count))
    }

    /// Lets the end follow what is under way; says whether anybody carries it there.
    pub(super) fn end(&self, weather: &Weather) -> bool {
        let mut waiting = self.waiting();
        if waiting.is_done {
            return false;
        }
        if waiting.parts.back().is_none_or(|(_, bytes)| !bytes.is_empty()) {
            waiting.add(Bytes::new(), weather.delay());
        }
        drop(waiting);
        self.added.notify_one();
        true
    }

    /// Whether everything has arrived and the pump is gone.
    pub(super) fn is_done(&self) -> bool {
        self.waiting().is_done
    }

    /// Why nothing more can be sent.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.waiting().failed.map(io::Error::from)
    }

    async fn pump(self: Arc<Self>, socket: Arc<Socket>) {
        let result = self.carry(&socket).await;
        let mut waiting = self.waiting();
        waiting.is_done = true;
        if let Err(error) = result {
            waiting.failed = Some(error.kind());
            waiting.parts.clear();
            waiting.bytes = 0;
        }
        drop(waiting);
        socket.tap.held(0);
        socket.tap.wake();
    }

    async fn carry(&self, socket: &Socket) -> io::Result<()> {
        let tap = &socket.tap;
        let mut sky = tap.sky().subscribe();
        // When a slow reader takes its next gulp.
        let mut hungry = Instant::now();
        loop {
            let weather = *sky.borrow_and_update();
            if tap.is_cut() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            match self.next(&weather, hungry) {
                Step::Done => return Ok(()),
                Step::Wait(until) => {
                    let due = async {
                        match until {
                            Some(until) => sleep_until(until).await,
                            None => pending().await,
                        }
                    };
                    tokio::select! {
                        () = due => {}
                        () = self.added.notified() => {}
                        _ = sky.changed() => {}
                    }
                }
                Step::End => {
                    socket.shut_down();
                    return Ok(());
                }
                Step::Send(bytes) => match socket.io.try_write(&bytes) {
                    Ok(count) => {
                        socket.tap.flows();
                        tap.sent(count, &[&bytes]);
                        if weather.reader > 0 {
                            let eaten =
                                Duration::from_secs(1).mul_f64(count as f64 / f64::from(weather.reader));
                            hungry = Instant::now() + eaten;
                        }
                        self.sent(count, tap);
                        tap.wake();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        socket.tap.stalls();
                        tokio::select! {
                            ready = socket.io.writable() => ready?,
                            _ = sky.changed() => {}
                        }
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }

    fn next(&self, weather: &Weather, hungry: Instant) -> Step {
        let mut waiting = self.waiting();
        let Some((due, bytes)) = waiting.parts.front() else {
            if weather.is_clear() {
                // Under the lock, so that nothing is added for a pump that has gone.
                waiting.is_done = true;
                return Step::Done;
            }
            return Step::Wait(None);
        };
        if weather.hold {
            return Step::Wait(None);
        }
        let due = if weather.is_clear() { None } else { Some(*due) };
        let due = if weather.reader > 0 { due.max(Some(hungry)) } else { due };
        if due.is_some_and(|due| due > Instant::now()) {
            return Step::Wait(due);
        }
        if bytes.is_empty() {
            return Step::End;
        }
        let most = match weather.reader {
            0 => bytes.len(),
            reader => reader.div_ceil(GULPS) as usize,
        };
        Step::Send(bytes.slice(..bytes.len().min(most)))
    }

    /// So many bytes of what waits longest have been sent.
    fn sent(&self, count: usize, tap: &Tap) {
        let mut waiting = self.waiting();
        let is_over = match waiting.parts.front_mut() {
            Some((_, bytes)) => {
                bytes.advance(count);
                bytes.is_empty()
            }
            None => false,
        };
        if is_over {
            waiting.parts.pop_front();
        }
        waiting.bytes -= count;
        tap.held(waiting.bytes);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Waiting {
    fn add(&mut self, bytes: Bytes, delay: Duration) {
        let due = (Instant::now() + delay).max(self.last.unwrap_or_else(Instant::now));
        self.last = Some(due);
        self.bytes += bytes.len();
        self.parts.push_back((due, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_carry_is_not_taken() {
        let (outbound, tap) = (Outbound::default(), Tap::default());
        assert_eq!(outbound.take(b"one", &tap).unwrap().unwrap(), 3);
        assert!(outbound.end(&Weather::CLEAR));
        // The pump has just gone: the sky was clear, and everything had arrived.
        outbound.waiting().is_done = true;
        assert!(outbound.take(b"two", &tap).is_none(), "it goes the direct way instead");
        assert!(!outbound.end(&Weather::CLEAR));
    }

    #[test]
    fn there_is_room_for_so_much() {
        let (outbound, tap) = (Outbound::default(), Tap::default());
        assert_eq!(outbound.take(&[0; ROOM + 1], &tap).unwrap().unwrap(), ROOM);
        assert!(outbound.take(b"more", &tap).is_none());
        assert_eq!(tap.queue(), ROOM);
        outbound.sent(10, &tap);
        assert_eq!(outbound.take(b"a little more", &tap).unwrap().unwrap(), 10);
    }
}
