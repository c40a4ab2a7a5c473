//! The line under hyper: a transport that can be tapped, and cut.
//!
//! Every connection of the stage runs over a [`Line`]. Its [`Tap`] is what the
//! rest of the stage holds of it: who wants to hear the bytes says so with
//! [`Tap::begin`] when a request has arrived, and who wants the connection
//! gone calls [`Tap::cut`].
//!
//! After an upgrade hyper hands the line to whoever speaks the new protocol.
//! The tap stays on it: [`Tap::lasts`] says that no new exchange will follow,
//! and a cut or a hang-up is met where the line is next read or written.
//!
//! A tap that nobody hears keeps the bytes of the request at hand (a listener
//! comes only after the request has been read) and otherwise looks at one flag.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

/// The most that is kept of a request before somebody listens, in bytes. No
/// request that the stage answers has a longer head.
const HEAD: usize = 32 * 1024;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The stage cut it: both ends see a reset.
    Cut,
    /// The client closed it.
    Client,
    /// The stage closed it.
    Server,
}

/// Hears the bytes of one exchange.
pub trait Listen: Send {
    /// Bytes that came from the client.
    fn to_server(&mut self, bytes: &[u8]);
    /// Bytes that went to the client. Gives `false` once nobody wants them any more.
    fn to_client(&mut self, bytes: &[u8]) -> bool;
    /// The connection is gone.
    fn ended(&mut self, how: Ending);
}

/// What the stage holds of a connection.
#[derive(Default)]
pub struct Tap {
    /// Bytes have been sent since the last were received: the next to be
    /// received open a new exchange.
    answered: AtomicBool,
    listening: AtomicBool,
    /// The exchange at hand is one of a lab's own.
    claimed: AtomicBool,
    /// The exchange at hand is the connection's last: it goes on after an upgrade.
    lasting: AtomicBool,
    cut: AtomicBool,
    /// Nothing more is to be read: the stage ends.
    hung_up: AtomicBool,
    /// The client has closed its side, or is out of reach.
    left: AtomicBool,
    cutting: Notify,
    gone: Notify,
    /// Who waits for bytes, and who waits to send some.
    reader: AtomicWaker,
    writer: AtomicWaker,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    head: Vec<u8>,
    listener: Option<Box<dyn Listen>>,
}

impl Tap {
    /// Lets `listener` hear the exchange whose request has just been read,
    /// from its first byte to its last. `line` is how that request begins
    /// (`GET /prices HTTP/1.1`): what stands before it is the rest of a body
    /// that the last exchange was answered without.
    pub fn begin(&self, line: &str, mut listener: Box<dyn Listen>) {
        let mut heard = self.heard();
        let head = std::mem::take(&mut heard.head);
        let start = head.windows(line.len()).position(|bytes| bytes == line.as_bytes());
        listener.to_server(&head[start.unwrap_or(0)..]);
        heard.listener = Some(listener);
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Says that the exchange at hand is one of a lab's own, so that [`Tap::cut_claimed`] is meant for it.
    pub fn claim(&self) {
        self.claimed.store(true, Ordering::Relaxed);
    }

    /// Says that the exchange at hand goes on for as long as the connection, as one does after an upgrade.
    pub fn lasts(&self) {
        self.lasting.store(true, Ordering::Relaxed);
    }

    /// Cuts the connection if a lab speaks on it now; says whether.
    pub fn cut_claimed(&self) -> bool {
        let claimed = self.claimed.load(Ordering::Relaxed);
        if claimed {
            self.cut();
        }
        claimed
    }

    /// Cuts the connection: what has not been sent is lost, and both ends see a reset.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.cutting.notify_one();
        self.wake();
    }

    /// Returns once the connection is to be cut.
    pub async fn until_cut(&self) {
        self.cutting.notified().await;
    }

    /// Ends what is read from the connection, as a client does that leaves.
    pub fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Release);
        self.wake();
    }

    /// Returns once the connection is closed. One task may wait for it.
    pub async fn until_gone(&self) {
        self.gone.notified().await;
    }

    fn wake(&self) {
        self.reader.wake();
        self.writer.wake();
    }

    fn received(&self, bytes: &[u8]) {
        let mut heard = self.heard();
        if self.answered.swap(false, Ordering::Relaxed) && !self.lasting.load(Ordering::Relaxed) {
            // A new exchange. Whoever heard the last one has heard all of it.
            heard.listener = None;
            heard.head.clear();
            self.claimed.store(false, Ordering::Relaxed);
            self.listening.store(false, Ordering::Relaxed);
        }
        match &mut heard.listener {
            Some(listener) => listener.to_server(bytes),
            None => {
                let room = HEAD.saturating_sub(heard.head.len());
                heard.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
    }

    fn sent(&self, mut count: usize, parts: &[&[u8]]) {
        self.answered.store(true, Ordering::Relaxed);
        if !self.listening.load(Ordering::Relaxed) {
            return;
        }
        let mut heard = self.heard();
        for part in parts {
            let part = &part[..part.len().min(count)];
            count -= part.len();
            if !part.is_empty() && heard.listener.as_mut().is_some_and(|listener| !listener.to_client(part)) {
                heard.listener = None;
                self.listening.store(false, Ordering::Relaxed);
            }
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // A listener that panicked is dropped with the rest of its connection.
        self.heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A connection with a tap on it.
pub struct Line {
    /// Nothing once it is closed.
    io: Option<TcpStream>,
    tap: Arc<Tap>,
}

impl Line {
    /// Puts `tap` on a connection.
    pub fn new(io: TcpStream, tap: Arc<Tap>) -> Self {
        Self { io: Some(io), tap }
    }

    /// The connection, as long as it is not cut.
    fn io(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.tap.cut.load(Ordering::Acquire) {
            // At once, however long the line's holder takes to let go of it.
            self.close();
        }
        self.io.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }

    fn close(&mut self) {
        let Some(io) = self.io.take() else { return };
        let how = if self.tap.cut.load(Ordering::Relaxed) {
            Ending::Cut
        } else if self.tap.left.load(Ordering::Relaxed) {
            Ending::Client
        } else {
            Ending::Server
        };
        if how == Ending::Cut {
            // Closing with nothing lingering sends a reset instead of an end of stream.
            if let Err(error) = io.set_zero_linger() {
                tracing::debug!(%error, "a cut line ends without a reset");
            }
        }
        let listener = self.tap.heard().listener.take();
        if let Some(mut listener) = listener {
            listener.ended(how);
        }
        drop(io);
        self.tap.gone.notify_one();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Before the flags are looked at, so that no change of theirs is missed.
        self.tap.reader.register(context.waker());
        if self.tap.hung_up.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = ready!(self.io()?.poll_read(context, buffer));
        match buffer.filled().get(before..) {
            Some(bytes @ [_, ..]) => self.tap.received(bytes),
            _ => self.tap.left.store(true, Ordering::Relaxed),
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.tap.writer.register(context.waker());
        let count = ready!(self.io()?.poll_write(context, bytes))?;
        self.tap.sent(count, &[bytes]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.tap.writer.register(context.waker());
        let count = ready!(self.io()?.poll_write_vectored(context, parts))?;
        if self.tap.listening.load(Ordering::Relaxed) {
            let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
            self.tap.sent(count, &parts);
        } else {
            self.tap.sent(count, &[]);
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Hands on what came from the client.
    struct Heard(Sender<String>);

    impl Listen for Heard {
        fn to_server(&mut self, bytes: &[u8]) {
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        }

        fn to_client(&mut self, _: &[u8]) -> bool {
            true
        }

        fn ended(&mut self, _: Ending) {}
    }

    fn listener() -> (Box<dyn Listen>, Receiver<String>) {
        let (sender, heard) = channel();
        (Box::new(Heard(sender)), heard)
    }

    #[test]
    fn what_was_not_read_of_a_body_is_no_part_of_the_next_request() {
        let tap = Tap::default();
        tap.received(b"POST /ask HTTP/1.1\r\ncontent-length: 4\r\n\r\n");
        let (first, _heard) = listener();
        tap.begin("POST /ask HTTP/", first);
        // Answered before the body came.
        tap.sent(1, &[b"x"]);
        tap.received(b"body");
        tap.received(b"GET /tokens HTTP/1.1\r\n\r\n");
        let (second, heard) = listener();
        tap.begin("GET /tokens HTTP/", second);
        assert_eq!(heard.try_iter().collect::<String>(), "GET /tokens HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn an_exchange_is_heard_until_the_next_begins_and_one_that_lasts_until_the_end() {
        let tap = Tap::default();
        let (first, heard) = listener();
        tap.received(b"GET /floor HTTP/1.1\r\n\r\n");
        tap.begin("GET /floor HTTP/", first);
        tap.claim();
        tap.sent(1, &[b"x"]);
        tap.received(b"another");
        assert_eq!(heard.try_iter().collect::<String>(), "GET /floor HTTP/1.1\r\n\r\n");
        assert!(!tap.cut_claimed(), "nobody has claimed the other one");

        let (second, heard) = listener();
        tap.begin("another", second);
        tap.claim();
        tap.lasts();
        tap.sent(1, &[b"x"]);
        tap.received(b", and more");
        assert_eq!(heard.try_iter().collect::<String>(), "another, and more");
        assert!(tap.cut_claimed());
    }
}
