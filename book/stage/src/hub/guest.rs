//! A subscriber's own task: reads what the client says, and writes while the line is not for the shard.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use wire::ws::{self, Decoder, Frame, Message, Opcode};

use super::{
    RETRY, Ticket,
    log::{End, Kind, Place, Read, chunk},
    seat::{BEAT, COMMENT, PING, SILENCE, Seat},
    shard::Shard,
};
use crate::{
    line::{
        Line, Tap,
        handover::{Onward, Returned},
    },
    server::asked_to_stop,
};

/// The longest message that a client may send, as on lab 5's floor.
const LONGEST: usize = 4 * 1024;
/// How much is read of a client at a time.
const PART: usize = 2 * 1024;
/// How long a client may take to hear the last word.
const PATIENCE: Duration = Duration::from_secs(10);
/// A body's last chunk.
const LAST: &[u8] = b"0\r\n\r\n";

pub(super) struct Guest {
    ticket: Ticket,
    shard: Arc<Shard>,
    seat: Arc<Seat>,
    line: Line,
    tap: Arc<Tap>,
    place: Place,
    /// What goes out before what comes from the log.
    rest: Vec<u8>,
    /// Reads what a WebSocket's client says.
    decoder: Option<Decoder>,
}

/// Why the line's last word is due.
enum Farewell {
    /// There is none: the client is gone.
    Gone,
    /// The market closes, the stage stops, or the client did not keep up.
    Over(u16, &'static str),
    /// The client of a WebSocket asks for it, or must be refused.
    Close(Frame),
}

/// What happens on the line.
enum Io {
    Wrote(usize),
    Heard,
    /// The line is for the shard again.
    Plain,
    Farewell(Farewell),
    /// A frame that answers one of the client's.
    Answer(Vec<u8>),
}

impl Drop for Guest {
    fn drop(&mut self) {
        // The shard lets go of the socket now, and forgets the seat when it next comes by.
        self.seat.take_back();
    }
}

impl Guest {
    pub(super) fn new(
        kind: Kind,
        ticket: Ticket,
        shard: Arc<Shard>,
        line: Line,
        tap: Arc<Tap>,
        delivered: Arc<AtomicU64>,
        place: Place,
    ) -> Self {
        let seat = Arc::new(Seat::new(kind, Arc::clone(&tap), delivered, place));
        let (rest, decoder) = match kind {
            Kind::Sse => (chunk(RETRY.as_bytes()).to_vec(), None),
            Kind::Ws => (Vec::new(), Some(Decoder::new(ws::Sender::Client, LONGEST))),
        };
        Self { ticket, shard, seat, line, tap, place, rest, decoder }
    }

    /// Stays until the client or the stage ends it.
    pub(super) fn stay(mut self, onward: Onward) -> impl Future<Output = Returned> {
        let mut draining = onward.draining;
        let mut farewell = match self.hears(&onward.read) {
            Io::Farewell(farewell) => Some(farewell),
            Io::Answer(frame) => {
                self.rest.extend(frame);
                None
            }
            _ => None,
        };
        async move {
            while farewell.is_none() {
                // In a box, as the farewell: while the shard writes, which is most of the time, neither needs room.
                farewell = Box::pin(self.writes(&mut draining)).await;
                if farewell.is_none() {
                    farewell = self.lends(&mut draining).await;
                }
            }
            let drains = *draining.borrow();
            Box::pin(self.takes_leave(farewell?, drains)).await;
            None
        }
    }

    /// Says the last word, after what was begun.
    async fn takes_leave(&mut self, farewell: Farewell, drains: bool) {
        let (_, rest) = self.seat.take_back();
        self.rest.extend(rest);
        match (farewell, self.seat.kind) {
            (Farewell::Gone, _) => return,
            (Farewell::Over(..) | Farewell::Close(_), Kind::Sse) => self.rest.extend(LAST),
            (Farewell::Over(code, reason), Kind::Ws) => {
                self.rest.extend(ws::encode(&Frame::close(Some(code), reason), None));
            }
            (Farewell::Close(frame), Kind::Ws) => self.rest.extend(ws::encode(&frame, None)),
        }
        if drains {
            // Bad weather ends with the stage: what is under way arrives now.
            self.tap.set_weather(crate::Weather::CLEAR);
        }
        tokio::select! {
            () = self.tap.until_cut() => {}
            told = timeout(PATIENCE, leave(&mut self.line, &self.rest)) => drop(told),
        }
    }

    /// Writes at the line's own pace, until the shard can do it.
    async fn writes(&mut self, draining: &mut watch::Receiver<bool>) -> Option<Farewell> {
        let (kind, tap) = (self.seat.kind, Arc::clone(&self.tap));
        let mut end = self.ticket.0.log.end();
        let silence = if kind == Kind::Sse { SILENCE } else { BEAT };
        let mut beat = Instant::now() + silence;
        loop {
            end.borrow_and_update();
            // A proxy holds a stream back, if the weather has one, and lets what follows an upgrade pass.
            let held = if kind == Kind::Sse { self.tap.weather().held_by_proxy() } else { 0 };
            if self.rest.is_empty() || self.rest.len() < held {
                let log = &self.ticket.0.log;
                match log.frames(kind, self.place) {
                    Read::Some(bytes, next, count) => {
                        self.rest.extend_from_slice(&bytes);
                        self.place = next;
                        self.seat.delivers(count, next.next);
                        continue;
                    }
                    Read::Nothing => {}
                    Read::Over => return Some(self.over()),
                }
            }
            let has_something = !self.rest.is_empty() && self.rest.len() >= held;
            tokio::select! {
                biased;
                () = tap.until_cut() => return Some(Farewell::Gone),
                () = asked_to_stop(draining) => return Some(stops()),
                io = std::future::poll_fn(|context| self.poll_io(context, has_something)) => match io {
                    Io::Wrote(count) => drop(self.rest.drain(..count)),
                    Io::Heard => {}
                    Io::Plain => return None,
                    Io::Farewell(farewell) => return Some(farewell),
                    // What is there begins with the rest of a frame, and ends with a whole one.
                    Io::Answer(frame) => self.rest.extend(frame),
                },
                _ = end.changed(), if !has_something => {}
                () = sleep_until(beat) => {
                    beat = Instant::now() + silence;
                    match kind {
                        Kind::Sse if self.rest.is_empty() => self.rest.extend(chunk(COMMENT.as_bytes())),
                        Kind::Sse => {}
                        Kind::Ws if self.seat.beats() => self.rest.extend_from_slice(PING),
                        Kind::Ws => return Some(Farewell::Gone),
                    }
                }
            }
        }
    }

    /// Lends the seat to the shard, until it gives it back.
    async fn lends(&mut self, draining: &mut watch::Receiver<bool>) -> Option<Farewell> {
        let direct = self.line.direct()?;
        let (seat, tap) = (Arc::clone(&self.seat), Arc::clone(&self.tap));
        self.rest = Vec::new();
        let turn = self.seat.lend(direct, self.place);
        self.shard.join(Arc::clone(&self.seat), turn, self.place);
        loop {
            let io = tokio::select! {
                biased;
                () = tap.until_cut() => return Some(Farewell::Gone),
                () = asked_to_stop(draining) => return Some(stops()),
                () = seat.given_back() => break,
                io = std::future::poll_fn(|context| self.poll_heard(context)) => io,
            };
            match io {
                Io::Farewell(farewell) => return Some(farewell),
                Io::Answer(frame) if !self.seat.slip_in(&frame) => {
                    let (place, rest) = self.seat.take_back();
                    (self.place, self.rest) = (place, rest);
                    self.rest.extend(frame);
                    return None;
                }
                _ => {}
            }
        }
        (self.place, self.rest) = self.seat.take_back();
        self.seat.is_lost().then_some(Farewell::Gone)
    }

    /// Why the log has nothing more to say.
    fn over(&self) -> Farewell {
        let End { is_closed, .. } = *self.ticket.0.log.end().borrow();
        if !is_closed {
            tracing::info!(technique = ?self.seat.kind, "a subscriber did not keep up: it is let go");
        }
        Farewell::Over(1013, "You did not keep up; come back.")
    }

    /// Reads if there is something to be read, else writes if there is something to be written.
    fn poll_io(&mut self, context: &mut Context<'_>, has_something: bool) -> Poll<Io> {
        if let Poll::Ready(io) = self.poll_heard(context) {
            return Poll::Ready(io);
        }
        if has_something {
            let wrote = ready!(Pin::new(&mut self.line).poll_write(context, &self.rest));
            return Poll::Ready(wrote.map_or(Io::Farewell(Farewell::Gone), Io::Wrote));
        }
        // Reading has left word with the tap, which wakes this task when the sky clears.
        if self.rest.is_empty() && self.line.direct().is_some() {
            return Poll::Ready(Io::Plain);
        }
        Poll::Pending
    }

    /// Hears what the client says.
    fn poll_heard(&mut self, context: &mut Context<'_>) -> Poll<Io> {
        let mut part = [0; PART];
        let mut part = ReadBuf::new(&mut part);
        match ready!(Pin::new(&mut self.line).poll_read(context, &mut part)) {
            Ok(()) if !part.filled().is_empty() => Poll::Ready(self.hears(part.filled())),
            _ => Poll::Ready(Io::Farewell(Farewell::Gone)),
        }
    }

    fn hears(&mut self, bytes: &[u8]) -> Io {
        self.seat.is_heard();
        // The reader of an event stream has nothing to say.
        let Some(decoder) = &mut self.decoder else { return Io::Heard };
        let mut answers = Vec::new();
        for said in decoder.push(bytes) {
            match said {
                Ok(Message::Ping(payload)) => {
                    answers.extend(ws::encode(&Frame::whole(Opcode::Pong, &payload), None));
                }
                // Nobody listens: the market is the one who speaks here.
                Ok(Message::Pong(_) | Message::Text(_) | Message::Binary(_)) => {}
                Ok(Message::Close(code, _)) => {
                    return Io::Farewell(Farewell::Close(Frame::close(code, "")));
                }
                Err(ws::Violation { code, rule }) => {
                    tracing::info!(code, rule, "a client's frames are refused");
                    return Io::Farewell(Farewell::Close(Frame::close(Some(code), rule)));
                }
            }
        }
        if answers.is_empty() { Io::Heard } else { Io::Answer(answers) }
    }
}

fn stops() -> Farewell {
    Farewell::Over(1001, "The stage stops.")
}

/// Says the last words and waits until the client has gone: to close with bytes unread would lose them.
async fn leave(line: &mut Line, words: &[u8]) -> io::Result<()> {
    line.write_all(words).await?;
    line.shutdown().await?;
    std::future::poll_fn(|context| {
        let mut part = [0; PART];
        loop {
            let mut part = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut *line).poll_read(context, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    })
    .await
}
