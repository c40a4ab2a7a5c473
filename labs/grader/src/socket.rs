//! A WebSocket peer in a check's hands: it says what the check says, and frames go over the wire to the letter.
//!
//! By itself it only does what RFC 6455 demands of every endpoint: it answers
//! pings (§ 5.5.2) and echoes a close frame (§ 5.5.1), until it is told to
//! fall silent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::mpsc,
    task::AbortHandle,
    time::Instant,
};
use wire::ws::{self, Decoder, Frame, Message, Opcode, Sender, Violation};

use crate::{
    Failure,
    tape::{Mark, Tape},
    tasks::spawn,
};

/// How long a check waits for what a peer should say at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest message that is taken, in bytes.
const MAX_MESSAGE: usize = 1024 * 1024;

/// Something that a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The message, or the ping, pong or close.
    pub message: Message,
    /// When it arrived.
    pub at: Mark,
}

/// One end of a WebSocket connection. Dropping it closes the connection without a word, as a process that dies does.
pub struct Socket {
    heard: mpsc::UnboundedReceiver<Result<Heard, Violation>>,
    orders: mpsc::UnboundedSender<Order>,
    side: Arc<Side>,
    reading: AbortHandle,
    writing: AbortHandle,
    violation: Option<Violation>,
    ended: bool,
}

/// What both halves of a socket know.
struct Side {
    role: Sender,
    is_silent: AtomicBool,
    has_said_close: AtomicBool,
    next_mask: AtomicU32,
}

impl Side {
    fn encode(&self, frame: &Frame) -> Vec<u8> {
        if frame.opcode == Opcode::Close {
            self.has_said_close.store(true, Ordering::Relaxed);
        }
        // A client masks every frame with another key (§ 5.3). Here nobody has to be kept from guessing it.
        let mask = (self.role == Sender::Client)
            .then(|| self.next_mask.fetch_add(0x9E37_79B9, Ordering::Relaxed).to_be_bytes());
        ws::encode(frame, mask)
    }
}

enum Order {
    Send(Vec<u8>),
    /// The end of what this side says: after both close frames a server closes the connection (§ 7.1.1).
    End,
}

impl Socket {
    /// A peer on an upgraded connection, as a client (which masks) or as a server.
    pub(crate) fn new(connection: Upgraded, role: Sender, tape: Tape) -> Self {
        let (from, to) = tokio::io::split(TokioIo::new(connection));
        let (orders, inbox) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::unbounded_channel();
        let side = Arc::new(Side {
            role,
            is_silent: AtomicBool::new(false),
            has_said_close: AtomicBool::new(false),
            next_mask: AtomicU32::new(0x9E37_79B9),
        });
        let reader = Reader { tape, side: Arc::clone(&side), tell, orders: orders.clone() };
        let reading = spawn(reader.run(from)).abort_handle();
        let writing = spawn(write(to, inbox)).abort_handle();
        Self { heard, orders, side, reading, writing, violation: None, ended: false }
    }

    /// Sends a text message.
    pub fn send_text(&self, text: &str) {
        self.send(&Frame::text(text));
    }

    /// Sends a text message that is JSON.
    pub fn send_json(&self, message: &Value) {
        self.send_text(&message.to_string());
    }

    /// Sends a frame as it is, right or wrong; masked if this peer is the client.
    pub fn send(&self, frame: &Frame) {
        self.order(Order::Send(self.side.encode(frame)));
    }

    /// Sends bytes that may be no frame at all.
    pub fn send_bytes(&self, bytes: impl Into<Vec<u8>>) {
        self.order(Order::Send(bytes.into()));
    }

    /// Begins the closing handshake, or answers it.
    pub fn close(&self, code: u16, reason: &str) {
        self.send(&Frame::close(Some(code), reason));
    }

    /// From now on neither pings nor close frames are answered: a peer whose line still stands and whose program does not.
    pub fn fall_silent(&self) {
        self.side.is_silent.store(true, Ordering::Relaxed);
    }

    /// From now on nothing is read: the network's buffers fill up, and then the other side has to wait before it writes.
    pub fn stop_reading(&self) {
        // The half that reads is kept by the connection; only the task that empties it ends.
        self.reading.abort();
    }

    /// The next thing that the other side says within `patience`; nothing if the time is over or the connection is.
    pub async fn next(&mut self, patience: Duration) -> Option<Heard> {
        if self.ended {
            return None;
        }
        match tokio::time::timeout(patience, self.heard.recv()).await.ok()? {
            Some(Ok(heard)) => Some(heard),
            Some(Err(violation)) => {
                self.violation = Some(violation);
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                None
            }
        }
    }

    /// The next text message; pings and pongs are passed over.
    ///
    /// # Errors
    /// Where none comes within five seconds, or the other side closes, or breaks the protocol; `missing` says what was to come.
    pub async fn text(&mut self, missing: &str) -> Result<String, Failure> {
        let until = Instant::now() + PATIENCE;
        while let Some(heard) = self.next(until.saturating_duration_since(Instant::now())).await {
            match heard.message {
                Message::Text(text) => return Ok(text),
                Message::Binary(_) => {
                    return Err(Failure::broken(format!(
                        "{missing}: a binary message came, where the contract says text."
                    )));
                }
                Message::Close(code, _) => {
                    return Err(Failure::broken(format!(
                        "{missing}: the connection was closed instead ({}).",
                        code.map_or_else(|| "without a code".to_owned(), |code| format!("code {code}"))
                    )));
                }
                Message::Ping(_) | Message::Pong(_) => {}
            }
        }
        let how = match self.violation {
            Some(violation) => format!("what came is no WebSocket frame ({violation})"),
            None if self.ended => "the connection was lost instead".to_owned(),
            None => "nothing more came within 5 s".to_owned(),
        };
        Err(Failure::broken(format!("{missing}: {how}.")))
    }

    /// The next text message, which must be JSON.
    ///
    /// # Errors
    /// As [`Socket::text`], and where it is not JSON.
    pub async fn json(&mut self, missing: &str) -> Result<Value, Failure> {
        let text = self.text(missing).await?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::broken(format!("{missing}: {text:?} came, which is not JSON ({error})."))
        })
    }

    /// Everything that the other side says within `time`, which passes whole.
    pub async fn listen(&mut self, time: Duration) -> Vec<Heard> {
        let until = Instant::now() + time;
        let mut all = Vec::new();
        while let Some(heard) = self.next(until.saturating_duration_since(Instant::now())).await {
            all.push(heard);
        }
        tokio::time::sleep_until(until).await;
        all
    }

    /// Waits for the other side's close frame, and passes over all else: its code, if it has one, and its reason.
    ///
    /// # Errors
    /// `otherwise`, a sentence, if none comes within `patience` or the connection is lost first.
    pub async fn closed(
        &mut self,
        patience: Duration,
        otherwise: &str,
    ) -> Result<(Option<u16>, String), Failure> {
        let until = Instant::now() + patience;
        while let Some(heard) = self.next(until.saturating_duration_since(Instant::now())).await {
            if let Message::Close(code, reason) = heard.message {
                return Ok((code, reason));
            }
        }
        Err(Failure::broken(otherwise))
    }

    /// Whether the connection was seen to end, with close frames or without.
    pub fn has_ended(&self) -> bool {
        self.ended || (self.heard.is_closed() && self.heard.is_empty())
    }

    fn order(&self, order: Order) {
        // A connection that is gone hears nothing; the transcript tells.
        let _ = self.orders.send(order);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reading.abort();
        self.writing.abort();
    }
}

/// Hears the other side, and answers what every endpoint must.
struct Reader {
    tape: Tape,
    side: Arc<Side>,
    tell: mpsc::UnboundedSender<Result<Heard, Violation>>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Reader {
    async fn run(self, mut from: ReadHalf<TokioIo<Upgraded>>) {
        let other = match self.side.role {
            Sender::Client => Sender::Server,
            Sender::Server => Sender::Client,
        };
        let mut decoder = Decoder::new(other, MAX_MESSAGE);
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let at = self.tape.now();
            for item in decoder.push(&buffer[..length]) {
                if let Ok(message) = &item {
                    self.answer(message);
                }
                // Nobody may be listening any more; then nobody misses it.
                let _ = self.tell.send(item.map(|message| Heard { message, at }));
            }
        }
    }

    fn answer(&self, message: &Message) {
        if self.side.is_silent.load(Ordering::Relaxed) {
            return;
        }
        match message {
            Message::Ping(data) => self.send(&Frame::whole(Opcode::Pong, data)),
            Message::Close(code, _) => {
                if !self.side.has_said_close.load(Ordering::Relaxed) {
                    self.send(&Frame::close(*code, ""));
                }
                if self.side.role == Sender::Server {
                    let _ = self.orders.send(Order::End);
                }
            }
            Message::Text(_) | Message::Binary(_) | Message::Pong(_) => {}
        }
    }

    fn send(&self, frame: &Frame) {
        let _ = self.orders.send(Order::Send(self.side.encode(frame)));
    }
}

async fn write(mut to: WriteHalf<TokioIo<Upgraded>>, mut inbox: mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = inbox.recv().await {
        let written = match order {
            Order::Send(bytes) => to.write_all(&bytes).await,
            Order::End => to.shutdown().await,
        };
        if written.is_err() {
            return;
        }
    }
}
