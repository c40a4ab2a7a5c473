//! What is under way from the client: read when it comes, handed on when it is due.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep_until},
};

use super::{ROOM, Socket};

/// How much is read at a time.
const PART: usize = 4 * 1024;

/// Bytes that have left the client and not reached the server.
pub(super) struct Inbound {
    /// What is under way, and when it arrives.
    parts: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// When the newest of it arrives: nothing overtakes.
    last: Instant,
    /// How it ends, once the client has ended it.
    end: Option<Result<(), io::ErrorKind>>,
    alarm: Pin<Box<Sleep>>,
}

impl Inbound {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { parts: VecDeque::new(), bytes: 0, last: now, end: None, alarm: Box::pin(sleep_until(now)) }
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.end.is_none()
    }

    /// Lets these bytes be read before all others.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.parts.push_front((Instant::now(), bytes));
    }

    /// Reads what is due.
    pub(super) fn poll_read(
        &mut self,
        socket: &Socket,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.collect(socket, context);
        loop {
            // Looked at after the bytes: those of a new exchange meet no weather yet.
            let weather = socket.tap.weather();
            if weather.hold {
                return Poll::Pending;
            }
            let due = match self.parts.front() {
                Some((due, _)) => *due,
                None if self.end.is_some() => self.last,
                // The socket says when there is more.
                None => return Poll::Pending,
            };
            if !weather.is_clear() && due > Instant::now() {
                self.alarm.as_mut().reset(due);
                ready!(self.alarm.as_mut().poll(context));
                continue;
            }
            let Some((_, bytes)) = self.parts.front_mut() else {
                return Poll::Ready(self.end.unwrap_or(Ok(())).map_err(io::Error::from));
            };
            let count = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..count]);
            bytes.advance(count);
            self.bytes -= count;
            if bytes.is_empty() {
                self.parts.pop_front();
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// Takes what has come out of the socket, as much as there is room for.
    fn collect(&mut self, socket: &Socket, context: &mut Context<'_>) {
        let mut part = [0; PART];
        while self.end.is_none() && self.bytes < ROOM {
            let mut read = ReadBuf::new(&mut part);
            match socket.poll_read(context, &mut read) {
                Poll::Pending => return,
                Poll::Ready(result) => {
                    let delay = socket.tap.weather().delay();
                    self.last = self.last.max(Instant::now() + delay);
                    match (result, read.filled()) {
                        (Err(error), _) => self.end = Some(Err(error.kind())),
                        (Ok(()), []) => self.end = Some(Ok(())),
                        (Ok(()), bytes) => {
                            self.bytes += bytes.len();
                            self.parts.push_back((self.last, Bytes::copy_from_slice(bytes)));
                        }
                    }
                }
            }
        }
    }
}
