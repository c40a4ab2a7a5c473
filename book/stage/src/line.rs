//! The line under hyper: a transport that can be tapped, and cut.
//!
//! Every connection of the stage runs over a [`Line`]. Its [`Tap`] is what the
//! rest of the stage holds of it: who wants to hear the bytes says so with
//! [`Tap::begin`] when a request has arrived, and who wants the connection
//! gone calls [`Tap::cut`].
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
    cut: AtomicBool,
    /// The client has closed its side, or is out of reach.
    left: AtomicBool,
    cutting: Notify,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    head: Vec<u8>,
    listener: Option<Box<dyn Listen>>,
}

impl Tap {
    /// Lets `listener` hear the exchange whose request has just been read,
    /// from its first byte to its last.
    pub fn begin(&self, mut listener: Box<dyn Listen>) {
        let mut heard = self.heard();
        listener.to_server(&heard.head);
        heard.head = Vec::new();
        heard.listener = Some(listener);
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Says that the exchange at hand is one of a lab's own, so that [`Tap::cut_claimed`] is meant for it.
    pub fn claim(&self) {
        self.claimed.store(true, Ordering::Relaxed);
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
        self.cut.store(true, Ordering::Relaxed);
        self.cutting.notify_one();
    }

    /// Returns once the connection is to be cut.
    pub async fn until_cut(&self) {
        self.cutting.notified().await;
    }

    fn received(&self, bytes: &[u8]) {
        let mut heard = self.heard();
        if self.answered.swap(false, Ordering::Relaxed) {
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
    io: TcpStream,
    tap: Arc<Tap>,
}

impl Line {
    /// Puts `tap` on a connection.
    pub fn new(io: TcpStream, tap: Arc<Tap>) -> Self {
        Self { io, tap }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let how = if self.tap.cut.load(Ordering::Relaxed) {
            Ending::Cut
        } else if self.tap.left.load(Ordering::Relaxed) {
            Ending::Client
        } else {
            Ending::Server
        };
        if how == Ending::Cut {
            // Closing with nothing lingering sends a reset instead of an end of stream.
            if let Err(error) = self.io.set_zero_linger() {
                tracing::debug!(%error, "a cut line ends without a reset");
            }
        }
        let listener = self.tap.heard().listener.take();
        if let Some(mut listener) = listener {
            listener.ended(how);
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
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
        let count = ready!(Pin::new(&mut self.io).poll_write(context, bytes))?;
        self.tap.sent(count, &[bytes]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write_vectored(context, parts))?;
        if self.tap.listening.load(Ordering::Relaxed) {
            let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
            self.tap.sent(count, &parts);
        } else {
            self.tap.sent(count, &[]);
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
