//! The line under hyper: a transport that can be tapped, cut, and put through weather.
//!
//! Every connection of the stage runs over a [`Line`]. Its [`Tap`] is what the
//! rest of the stage holds of it: who wants to hear the bytes says so with
//! [`Tap::begin`] when a request has arrived, who wants the connection gone
//! calls [`Tap::cut`], and who wants the exchange at hand to meet other weather
//! calls `set_weather`.
//!
//! After an upgrade hyper hands the line to whoever speaks the new protocol.
//! The tap stays on it: [`Tap::lasts`] says that no new exchange will follow,
//! and a cut or a hang-up is met where the line is next read or written. When
//! the stage hangs up, it says why: a WebSocket's client is sent 1001 (going
//! away, RFC 6455 § 7.4.1) between two messages.
//!
//! An answer that needs hyper for its head only takes the line over after it ([`handover`]).
//!
//! A tap that nobody hears keeps the bytes of the request at hand (a listener
//! comes only after the request has been read) and otherwise looks at two
//! flags. Under a clear sky bytes go straight to the socket and come straight
//! from it; weather is one more flag to look at. What is told of an exchange is
//! what its client sees: a request when it is sent, an answer when it arrives.

mod frames;
pub(crate) mod handover;
mod inbound;
mod meter;
mod outbound;

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::{Notify, watch},
    time::timeout,
};
use tracing::Span;
use wire::ws;

use crate::{
    climate::{Claim, Technique},
    weather::Weather,
};
use frames::Frames;
use handover::Handing;
use inbound::Inbound;
pub(crate) use meter::Meter;
use outbound::Outbound;

/// The most that is kept of a request before somebody listens, in bytes. No
/// request that the stage answers has a longer head.
const HEAD: usize = 32 * 1024;

/// How many bytes may be under way each way in bad weather, before their sender has to wait.
const ROOM: usize = 64 * 1024;

/// What a WebSocket's client is told when the stage stops.
const GOODBYE: (u16, &str) = (1001, "The stage stops.");

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
    /// The connection's next exchange begins. Only who watches the connection lives to hear that.
    fn begins(&mut self) {}
    /// The exchange at hand meets this weather from now on; told to who watches the connection.
    fn turns(&mut self, _weather: Weather) {}
}

/// What is known of the exchange at hand to one who has not heard it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    /// How its request begins: `GET /live/lab3/prices/stream`. Empty until the request has been read.
    pub(crate) asked: String,
    /// How it is answered, as soon as it is.
    pub(crate) answered: Option<Answered>,
}

/// An answer's head, as far as it says what follows.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// Nobody knows how long it will be.
    pub(crate) is_stream: bool,
}

/// What has passed on a connection, in bytes, heads and frames included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// From the client.
    pub to_server: u64,
    /// To the client.
    pub to_client: u64,
}

/// What the stage holds of a connection.
pub struct Tap {
    began: Instant,
    /// Bytes have been sent since the last were received: the next to be
    /// received open a new exchange.
    answered: AtomicBool,
    listening: AtomicBool,
    /// Somebody counts the bytes of the exchange at hand.
    metered: AtomicBool,
    /// The exchange at hand is the connection's last.
    lasting: AtomicBool,
    /// It goes on after an upgrade, and the line follows its frames.
    framed: AtomicBool,
    /// The line goes to somebody else once hyper has sent what it has.
    handing: AtomicBool,
    cut: AtomicBool,
    /// Nothing more is to be read: the stage ends.
    hung_up: AtomicBool,
    /// The client has closed its side, or is out of reach.
    left: AtomicBool,
    /// The sky is not clear.
    weathered: AtomicBool,
    /// There is none until there is weather for the first time.
    sky: OnceLock<watch::Sender<Weather>>,
    to_server: AtomicU64,
    to_client: AtomicU64,
    /// Messages that the server has sent since an upgrade.
    messages: AtomicU64,
    /// The number of the newest update that was given to the line, and one; 0 where none is known.
    position: AtomicU64,
    /// Bytes under way to the client.
    held: AtomicUsize,
    /// Since when the client takes nothing, in milliseconds since the connection began, and one; 0 while it takes what it is sent.
    stalled: AtomicU64,
    cutting: Notify,
    gone: Notify,
    handed: Notify,
    /// Who waits for bytes, and who waits to send some.
    reader: AtomicWaker,
    writer: AtomicWaker,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    head: Vec<u8>,
    listener: Option<Box<dyn Listen>>,
    /// Who hears the connection, whatever it carries.
    watcher: Option<Box<dyn Listen>>,
    exchange: Exchange,
    /// What the log says about it.
    span: Option<Span>,
    /// Whose exchange it is, where it is one of a lab's own.
    claim: Option<Claim>,
    /// Who counts its bytes, where somebody does.
    meter: Option<Arc<Meter>>,
    /// What had passed on the connection before it.
    before: Passed,
    handing: Handing,
}

impl Heard {
    /// The request at hand, without what is left before it of a body that the last exchange was answered without.
    fn request(&self) -> &[u8] {
        let line = self.exchange.asked.as_bytes();
        let start = self.head.windows(line.len().max(1)).position(|bytes| bytes == line);
        &self.head[start.unwrap_or(0)..]
    }
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            answered: AtomicBool::default(),
            listening: AtomicBool::default(),
            metered: AtomicBool::default(),
            lasting: AtomicBool::default(),
            framed: AtomicBool::default(),
            handing: AtomicBool::default(),
            cut: AtomicBool::default(),
            hung_up: AtomicBool::default(),
            left: AtomicBool::default(),
            weathered: AtomicBool::default(),
            sky: OnceLock::new(),
            to_server: AtomicU64::default(),
            to_client: AtomicU64::default(),
            messages: AtomicU64::default(),
            position: AtomicU64::default(),
            held: AtomicUsize::default(),
            stalled: AtomicU64::default(),
            cutting: Notify::new(),
            gone: Notify::new(),
            handed: Notify::new(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            heard: Mutex::default(),
        }
    }
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

    /// Lets whoever `watcher` makes hear the connection from now on, and nobody else who did. It is told what the
    /// exchange at hand is.
    pub(crate) fn watch(&self, watcher: impl FnOnce(&Exchange) -> Box<dyn Listen>) {
        let mut heard = self.heard();
        let watcher = watcher(&heard.exchange);
        heard.watcher = Some(watcher);
        self.listening.store(true, Ordering::Relaxed);
    }

    /// The same from the first byte of the request on that has just been read, and that nobody has heard yet.
    pub(crate) fn watch_from_its_head(&self, mut watcher: Box<dyn Listen>) {
        let mut heard = self.heard();
        watcher.to_server(heard.request());
        heard.watcher = Some(watcher);
        self.listening.store(true, Ordering::Relaxed);
    }

    /// Nobody watches the connection any more.
    pub(crate) fn unwatch(&self) {
        self.heard().watcher = None;
    }

    /// The exchange at hand.
    pub(crate) fn exchange(&self) -> Exchange {
        self.heard().exchange.clone()
    }

    /// Whether anybody watches the connection.
    pub(crate) fn is_watched(&self) -> bool {
        self.listening.load(Ordering::Relaxed) && self.heard().watcher.is_some()
    }

    /// Says what the log says about the request at hand, in whose name the line speaks from now on.
    pub(crate) fn is_in(&self, span: &Span) {
        self.heard().span = Some(span.clone());
    }

    /// A request has been read.
    pub(crate) fn is_asked(&self, asked: String) {
        self.heard().exchange = Exchange { asked, answered: None };
    }

    /// The request is answered.
    pub(crate) fn is_answered(&self, answered: Answered) {
        self.heard().exchange.answered = Some(answered);
    }

    /// The update of this number was given to the line.
    pub(crate) fn reaches(&self, position: u64) {
        self.position.store(position.saturating_add(1), Ordering::Relaxed);
    }

    /// The number of the newest update that was given to the line, where it is known.
    pub(crate) fn position(&self) -> Option<u64> {
        self.position.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Says whose the exchange at hand is, until it is over.
    pub(crate) fn claim(&self, claim: Claim) {
        // The one before goes when the lock is free again: it has a lock of its own to take.
        let before = self.heard().claim.replace(claim);
        drop(before);
    }

    /// Lets `meter` count the exchange whose request has just been read, from its first byte to its last.
    pub(crate) fn count_on(&self, meter: &Arc<Meter>) {
        let mut heard = self.heard();
        let (before, now) = (heard.before, self.passed());
        meter.begins();
        meter.counts(Passed {
            to_server: now.to_server - before.to_server,
            to_client: now.to_client - before.to_client,
        });
        heard.meter = Some(Arc::clone(meter));
        self.metered.store(true, Ordering::Relaxed);
    }

    /// Says that the exchange at hand goes on for as long as the connection, as a WebSocket does after its upgrade.
    pub fn lasts(&self) {
        self.lasting.store(true, Ordering::Relaxed);
        self.framed.store(true, Ordering::Relaxed);
    }

    /// Cuts the connection: what has not been sent is lost, and both ends see a reset.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.cutting.notify_one();
        self.wake();
        if let Some(sky) = self.sky.get() {
            // The pump waits for changes of the weather.
            sky.send_modify(|_| {});
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Returns once the connection is to be cut.
    pub async fn until_cut(&self) {
        self.cutting.notified().await;
    }

    /// Ends what is read from the connection, as a client does that leaves. Bad
    /// weather ends, too: what is under way arrives now.
    pub fn hang_up(&self) {
        self.set_weather(Weather::CLEAR);
        self.hung_up.store(true, Ordering::Release);
        self.wake();
    }

    /// Returns once the connection is closed. One task may wait for it.
    pub async fn until_gone(&self) {
        self.gone.notified().await;
    }

    /// What has passed so far.
    pub fn passed(&self) -> Passed {
        Passed {
            to_server: self.to_server.load(Ordering::Relaxed),
            to_client: self.to_client.load(Ordering::Relaxed),
        }
    }

    /// How many messages the server has sent since an upgrade.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// How many bytes are under way to the client: bad weather has them.
    pub fn queue(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// For how long the client has taken nothing although there is something to be sent.
    pub fn stalled_for(&self) -> Option<Duration> {
        let since = self.stalled.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.began.elapsed().saturating_sub(Duration::from_millis(since)))
    }

    // ---- the weather

    /// The weather that the exchange at hand meets.
    pub fn weather(&self) -> Weather {
        if !self.weathered.load(Ordering::Acquire) {
            return Weather::CLEAR;
        }
        self.sky.get().map_or(Weather::CLEAR, |sky| *sky.borrow())
    }

    /// Changes the weather of the exchange at hand. What was held and is held no longer arrives.
    pub(crate) fn set_weather(&self, weather: Weather) {
        if weather == self.weather() {
            return;
        }
        self.blow(weather);
        if self.listening.load(Ordering::Relaxed)
            && let Some(watcher) = &mut self.heard().watcher
        {
            watcher.turns(weather);
        }
    }

    fn blow(&self, weather: Weather) {
        self.sky().send_modify(|sky| {
            *sky = weather;
            // Under the sky's lock, so that the two never disagree.
            self.weathered.store(!weather.is_clear(), Ordering::Release);
        });
        self.wake();
    }

    /// Where changes of the weather are told.
    pub(crate) fn sky(&self) -> &watch::Sender<Weather> {
        self.sky.get_or_init(|| watch::Sender::new(Weather::CLEAR))
    }

    /// Returns once a request that has been read would have arrived in this
    /// weather. Whose request it is cannot be known before it is read, so its
    /// head is late here, and what follows it on the line.
    pub(crate) async fn arrives(&self) {
        if self.weather().is_clear() {
            return;
        }
        let mut sky = self.sky().subscribe();
        let due = Instant::now() + self.weather().delay();
        loop {
            let weather = *sky.borrow_and_update();
            let left = due.saturating_duration_since(Instant::now());
            if weather.is_clear() || !weather.hold && left.is_zero() {
                return;
            }
            if weather.hold {
                // The sender lives as long as this tap.
                let _ = sky.changed().await;
            } else {
                let _ = timeout(left, sky.changed()).await;
            }
        }
    }

    // ---- what the line tells

    fn wake(&self) {
        self.reader.wake();
        self.writer.wake();
    }

    fn received(&self, bytes: &[u8]) {
        let count = bytes.len() as u64;
        let to_server = self.to_server.fetch_add(count, Ordering::Relaxed);
        let mut over = None;
        let mut heard = self.heard();
        let is_new = self.answered.swap(false, Ordering::Relaxed) && !self.lasting.load(Ordering::Relaxed);
        if is_new {
            // A new exchange. Whoever heard the last one has heard all of it.
            heard.listener = None;
            heard.head.clear();
            over = heard.claim.take();
            self.listening.store(heard.watcher.is_some(), Ordering::Relaxed);
            heard.exchange = Exchange::default();
            self.position.store(0, Ordering::Relaxed);
            heard.meter = None;
            heard.before = Passed { to_server, to_client: self.to_client.load(Ordering::Relaxed) };
            self.metered.store(false, Ordering::Relaxed);
        }
        if let Some(meter) = &heard.meter {
            meter.counts(Passed { to_server: count, to_client: 0 });
        }
        if let Some(watcher) = &mut heard.watcher {
            if is_new {
                watcher.begins();
            }
            watcher.to_server(bytes);
        }
        match &mut heard.listener {
            Some(listener) => listener.to_server(bytes),
            // No request will follow.
            None if self.lasting.load(Ordering::Relaxed) => {}
            None => {
                let room = HEAD.saturating_sub(heard.head.len());
                heard.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        drop(heard);
        // In this order: nobody changes the weather of an exchange that nobody claims.
        drop(over);
        if is_new && !self.weather().is_clear() {
            self.blow(Weather::CLEAR);
        }
    }

    fn sent(&self, mut count: usize, parts: &[&[u8]]) {
        self.to_client.fetch_add(count as u64, Ordering::Relaxed);
        self.answered.store(true, Ordering::Relaxed);
        if !self.listening.load(Ordering::Relaxed) && !self.metered.load(Ordering::Relaxed) {
            return;
        }
        let mut heard = self.heard();
        if let Some(meter) = &heard.meter {
            meter.counts(Passed { to_server: 0, to_client: count as u64 });
        }
        for part in parts {
            let part = &part[..part.len().min(count)];
            count -= part.len();
            if part.is_empty() {
                continue;
            }
            let Heard { listener, watcher, .. } = &mut *heard;
            for ear in [listener, watcher] {
                if ear.as_mut().is_some_and(|ear| !ear.to_client(part)) {
                    *ear = None;
                }
            }
        }
        self.listening.store(heard.listener.is_some() || heard.watcher.is_some(), Ordering::Relaxed);
    }

    fn held(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// The client takes nothing.
    fn stalls(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        // Since the first time, if it has not taken anything meanwhile.
        let _ = self.stalled.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The client takes something.
    fn flows(&self) {
        if self.stalled.load(Ordering::Relaxed) != 0 {
            self.stalled.store(0, Ordering::Relaxed);
        }
    }

    /// Whose technique speaks on the line now, where one does.
    pub(crate) fn technique(&self) -> Option<Technique> {
        self.heard().claim.as_ref().map(Claim::technique)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // A listener that panicked is dropped with the rest of its connection.
        self.heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A connection's socket, as long as anybody has something to send on it.
struct Socket {
    io: TcpStream,
    tap: Arc<Tap>,
}

impl Socket {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = loop {
            if let Err(error) = ready!(self.io.poll_read_ready(context)) {
                break Err(error);
            }
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => break read,
            }
        };
        match buffer.filled().get(before..) {
            Some(bytes @ [_, ..]) => self.tap.received(bytes),
            _ => self.tap.left.store(true, Ordering::Relaxed),
        }
        Poll::Ready(read)
    }

    /// Reads what there is.
    fn try_read(&self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let room = buffer.remaining();
        let mut read = Err(io::ErrorKind::WouldBlock.into());
        let told = self.io.try_io(Interest::READABLE, || {
            read = self.io.try_read_buf(buffer);
            match &read {
                // There was less than there is room for, so there is no more: a look saved. Whatever comes from here
                // on is an event of its own (except on Windows, where it is one only after such a look).
                Ok(count) if cfg!(not(windows)) && (1..room).contains(count) => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                _ => Ok(()),
            }
        });
        drop(told);
        read.map(drop)
    }

    fn poll_write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.io.poll_write_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    self.tap.stalls();
                    return Poll::Pending;
                }
            }
            match write(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.tap.flows();
                    return Poll::Ready(written);
                }
            }
        }
    }

    /// Sends the end of the stream.
    fn shut_down(&self) {
        if let Err(error) = socket2::SockRef::from(&self.io).shutdown(Shutdown::Write) {
            tracing::debug!(%error, "the line was closed already");
        }
    }
}

impl Drop for Socket {
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
        let (listener, watcher, claim, span) = {
            let mut heard = self.tap.heard();
            (heard.listener.take(), heard.watcher.take(), heard.claim.take(), heard.span.take())
        };
        if self.tap.framed.load(Ordering::Relaxed) {
            let Passed { to_server, to_client } = self.tap.passed();
            span.unwrap_or_else(Span::none)
                .in_scope(|| tracing::info!(?how, to_server, to_client, "a WebSocket is over"));
        }
        drop(claim);
        for mut ear in [listener, watcher].into_iter().flatten() {
            ear.ended(how);
        }
        self.tap.gone.notify_one();
    }
}

/// A connection with a tap on it.
pub struct Line {
    /// Nothing once it is closed.
    socket: Option<Arc<Socket>>,
    tap: Arc<Tap>,
    inbound: Option<Box<Inbound>>,
    outbound: Option<Arc<Outbound>>,
    frames: Frames,
    /// What is left to be sent of the goodbye, once there is one.
    goodbye: Option<Vec<u8>>,
}

impl Line {
    /// Puts `tap` on a connection.
    pub fn new(io: TcpStream, tap: Arc<Tap>) -> Self {
        let socket = Arc::new(Socket { io, tap: Arc::clone(&tap) });
        Self {
            socket: Some(socket),
            tap,
            inbound: None,
            outbound: None,
            frames: Frames::default(),
            goodbye: None,
        }
    }

    /// The connection, as long as it is not cut.
    fn socket(&mut self) -> io::Result<&Arc<Socket>> {
        if self.tap.is_cut() {
            // At once, however long the line's holder takes to let go of it.
            self.socket = None;
        }
        self.socket.as_ref().ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }

    /// What carries bytes to the client later than they are sent, where something has to.
    fn outbound(&mut self) -> io::Result<Option<Arc<Outbound>>> {
        if let Some(outbound) = &self.outbound {
            if !outbound.is_done() {
                return Ok(Some(Arc::clone(outbound)));
            }
            if let Some(error) = outbound.failure() {
                return Err(error);
            }
            self.outbound = None;
        }
        if !self.tap.weathered.load(Ordering::Acquire) {
            return Ok(None);
        }
        let outbound = Outbound::begin(self.socket()?);
        self.outbound = Some(Arc::clone(&outbound));
        Ok(Some(outbound))
    }

    /// Sends bytes, through the weather if there is any.
    fn poll_send(&mut self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.tap.writer.register(context.waker());
        self.socket()?;
        while let Some(outbound) = self.outbound()? {
            let Some(part) = parts.iter().find(|part| !part.is_empty()) else { return Poll::Ready(Ok(0)) };
            match outbound.take(part, &self.tap) {
                Some(taken) => return Poll::Ready(taken),
                // Between the two looks the pump may have ended.
                None if outbound.is_done() => {}
                None => return Poll::Pending,
            }
        }
        let socket = self.socket()?;
        let count = ready!(socket.poll_write(context, |io| match parts {
            [part] => io.try_write(part),
            parts => io.try_write_vectored(parts),
        }))?;
        if self.tap.listening.load(Ordering::Relaxed) {
            let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
            self.tap.sent(count, &parts);
        } else {
            self.tap.sent(count, &[]);
        }
        Poll::Ready(Ok(count))
    }

    /// Whether the stage takes its leave of a WebSocket.
    fn leaves(&self) -> bool {
        self.tap.hung_up.load(Ordering::Acquire) && self.tap.framed.load(Ordering::Relaxed)
    }

    /// Says goodbye to a WebSocket's client, between two messages.
    fn poll_goodbye(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.goodbye.as_ref().is_some_and(Vec::is_empty) {
            return Poll::Ready(Ok(()));
        }
        let mut left = self.goodbye.take().unwrap_or_else(|| {
            let (code, reason) = GOODBYE;
            ws::encode(&ws::Frame::close(Some(code), reason), None)
        });
        while !left.is_empty() {
            match self.poll_send(context, &[IoSlice::new(&left)]) {
                Poll::Ready(Ok(count)) => drop(left.drain(..count)),
                Poll::Ready(Err(error)) => {
                    self.goodbye = Some(Vec::new());
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    self.goodbye = Some(left);
                    return Poll::Pending;
                }
            }
        }
        self.goodbye = Some(left);
        self.shut_down();
        Poll::Ready(Ok(()))
    }

    fn shut_down(&mut self) {
        let follows = self.outbound.as_ref().is_some_and(|outbound| outbound.end(&self.tap.weather()));
        if let Some(socket) = self.socket.as_ref().filter(|_| !follows) {
            socket.shut_down();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // What is under way arrives, though its sender has left; the pump has the socket then.
        if let Some(outbound) = self.outbound.take().filter(|_| !self.tap.is_cut()) {
            outbound.end(&self.tap.weather());
        }
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
        if self.leaves() {
            return self.poll_leave(context);
        }
        if self.tap.hung_up.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let socket = Arc::clone(self.socket()?);
        if self.inbound.is_none() && !self.tap.weathered.load(Ordering::Acquire) {
            return socket.poll_read(context, buffer);
        }
        let inbound = self.inbound.get_or_insert_with(|| Box::new(Inbound::new()));
        let read = inbound.poll_read(&socket, context, buffer);
        if inbound.is_empty() && !self.tap.weathered.load(Ordering::Acquire) {
            self.inbound = None;
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.tap.framed.load(Ordering::Relaxed) {
            return self.poll_send(context, parts);
        }
        if self.leaves() {
            return self.poll_last_words(context, parts);
        }
        let count = ready!(self.poll_send(context, parts))?;
        self.follow(count, parts);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What a socket has taken, it sends.
        self.socket()?;
        if self.tap.handing.load(Ordering::Acquire) {
            // Hyper flushes a line when it has written everything to it.
            self.hand_over();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?;
        self.shut_down();
        Poll::Ready(Ok(()))
    }
}

/// After an upgrade.
impl Line {
    /// Counts messages and their bounds in what was just sent.
    fn follow(&mut self, mut count: usize, parts: &[IoSlice<'_>]) {
        for part in parts {
            let part = &part[..part.len().min(count)];
            count -= part.len();
            let messages = self.frames.pass(part);
            if messages > 0 {
                self.tap.messages.fetch_add(messages, Ordering::Relaxed);
            }
        }
    }

    /// Lets the frame at hand come to its end; whatever would follow goes nowhere, the goodbye instead of it.
    fn poll_last_words(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(part) = parts.iter().find(|part| !part.is_empty()) else { return Poll::Ready(Ok(0)) };
        if self.frames.is_between() {
            ready!(self.poll_goodbye(context))?;
            return Poll::Ready(Ok(part.len()));
        }
        // In a header nobody knows yet how long the frame is.
        let most = self.frames.left_of_frame().unwrap_or(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(part.len());
        let part = [IoSlice::new(&part[..most])];
        let count = ready!(self.poll_send(context, &part))?;
        self.follow(count, &part);
        Poll::Ready(Ok(count))
    }

    /// Says goodbye and waits until the client has gone: to close with bytes unread would lose the goodbye.
    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.goodbye.is_none() && !self.frames.is_between() {
            // Whoever writes the frame at hand says goodbye after it.
            return Poll::Pending;
        }
        ready!(self.poll_goodbye(context))?;
        let socket = Arc::clone(self.socket()?);
        let mut unheard = [0; 1024];
        loop {
            let mut unheard = ReadBuf::new(&mut unheard);
            let read = ready!(socket.poll_read(context, &mut unheard));
            if read.is_err() || unheard.filled().is_empty() {
                return Poll::Ready(read);
            }
        }
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
    fn each_exchange_is_counted_from_its_first_byte_to_its_last_and_no_other() {
        let tap = Tap::default();
        let (first, second) = (Arc::<Meter>::default(), Arc::<Meter>::default());
        tap.received(b"GET /prices HTTP/1.1\r\n");
        tap.received(b"\r\n");
        tap.count_on(&first);
        tap.sent(100, &[]);
        tap.sent(20, &[]);
        tap.received(b"GET /nobody HTTP/1.1\r\n\r\n");
        tap.sent(1_000, &[]);
        tap.received(b"POST /ask HTTP/1.1\r\n\r\n");
        tap.count_on(&second);
        tap.received(b"body");
        tap.sent(7, &[]);
        assert_eq!(first.passed(), Passed { to_server: 24, to_client: 120 });
        assert_eq!(second.passed(), Passed { to_server: 26, to_client: 7 });
        assert_eq!((first.exchanges(), second.exchanges()), (1, 1));
    }

    #[test]
    fn an_exchange_is_heard_until_the_next_begins_and_one_that_lasts_until_the_end() {
        let tap = Tap::default();
        let (first, heard) = listener();
        tap.received(b"GET /floor HTTP/1.1\r\n\r\n");
        tap.begin("GET /floor HTTP/", first);
        tap.sent(1, &[b"x"]);
        tap.received(b"another");
        assert_eq!(heard.try_iter().collect::<String>(), "GET /floor HTTP/1.1\r\n\r\n");

        let (second, heard) = listener();
        tap.begin("another", second);
        tap.lasts();
        tap.sent(1, &[b"x"]);
        tap.received(b", and more");
        assert_eq!(heard.try_iter().collect::<String>(), "another, and more");
    }
}
