//! The network: in memory, in virtual time, and as bad as a check wants it.
//!
//! Each connection has a latency of its own, so that no two events of
//! different connections share a millisecond: their order is decided by time
//! and never by the scheduler. That is what makes a play repeatable.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use wire::{
    Place, What,
    tap::{Tally, Tap},
};

use crate::{
    tape::{Tape, lock},
    tasks::spawn,
};

/// How long bytes are under way on the first connection of the first client.
const LATENCY: Duration = Duration::from_millis(5);
/// Connections of one client are a millisecond apart, and start again after so many …
const CONNECTIONS_APART: u64 = 7;
/// How many bytes may wait at either end of a connection, and be under way, before their writer has to wait.
const BUFFER: usize = 64 * 1024;

/// The network of one play. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Net(Arc<Shared>);

struct Shared {
    tape: Tape,
    state: Mutex<State>,
    /// Whose connections were cut last; everybody's if it names nobody.
    cut: watch::Sender<Option<char>>,
    held: watch::Sender<bool>,
}

struct State {
    listener: Option<mpsc::UnboundedSender<Line>>,
    refusing: bool,
    latency: Duration,
    bytes_per_second: Option<u64>,
    /// What the server's sockets draw from how much they take and give at once, if that is drawn.
    room: Option<u64>,
    /// One for each connection that was ever opened: a play is short.
    taps: Vec<Arc<Mutex<Tap>>>,
}

impl Net {
    pub(crate) fn new(tape: Tape) -> Self {
        Self(Arc::new(Shared {
            tape,
            state: Mutex::new(State {
                listener: None,
                refusing: false,
                latency: LATENCY,
                bytes_per_second: None,
                room: None,
                taps: Vec::new(),
            }),
            cut: watch::Sender::new(None),
            held: watch::Sender::new(false),
        }))
    }

    /// The server's end of new connections, from now on. Whoever listened before hears no more of them.
    pub(crate) fn listen(&self) -> mpsc::UnboundedReceiver<Line> {
        let (listener, connections) = mpsc::unbounded_channel();
        lock(&self.0.state).listener = Some(listener);
        connections
    }

    /// A client's way into this network. The `number`th client's bytes take a little longer than those before it.
    pub(crate) fn lane(&self, client: Option<char>, number: u64) -> Lane {
        Lane { net: self.clone(), client, number, opened: Arc::default() }
    }

    /// Cuts every open connection: each end sees a reset, bytes under way are lost.
    pub(crate) fn cut(&self) {
        self.0.cut.send_replace(None);
    }

    /// Cuts every open connection of one client.
    pub(crate) fn cut_of(&self, client: char) {
        self.0.cut.send_replace(Some(client));
    }

    /// Lets bytes wait in the line, or delivers what has waited.
    pub(crate) fn hold(&self, held: bool) {
        self.0.tape.add(Place::Network, None, None, if held { What::Hold } else { What::Heal });
        self.0.held.send_replace(held);
    }

    /// Refuses new connections, or accepts them again.
    pub(crate) fn refuse(&self, refusing: bool) {
        lock(&self.0.state).refusing = refusing;
    }

    /// What has passed on each connection so far, in the order in which they were opened.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        lock(&self.0.state).taps.iter().map(|tap| lock(tap).tally()).collect()
    }

    /// How long bytes are under way from now on, before what each connection adds to it.
    pub(crate) fn set_latency(&self, latency: Duration) {
        lock(&self.0.state).latency = latency;
    }

    /// From now on how much a socket of the server takes and gives at once is drawn, beginning with this number.
    pub(crate) fn draw_room(&self, seed: u64) {
        lock(&self.0.state).room = Some(seed);
    }

    /// How many bytes a connection carries in a second, each way; no limit at first.
    pub(crate) fn set_bandwidth(&self, bytes_per_second: Option<u64>) {
        lock(&self.0.state).bytes_per_second = bytes_per_second;
    }
}

/// One client's way into the network.
#[derive(Clone)]
pub struct Lane {
    net: Net,
    client: Option<char>,
    number: u64,
    opened: Arc<Mutex<u64>>,
}

impl Lane {
    /// Whose way this is, where a play has several clients.
    pub fn client(&self) -> Option<char> {
        self.client
    }

    /// Opens a connection to the server.
    ///
    /// # Errors
    /// `ConnectionRefused`, after a round trip, where nobody listens or the network refuses.
    pub async fn connect(&self) -> io::Result<Line> {
        let lag = {
            let mut opened = lock(&self.opened);
            *opened += 1;
            Duration::from_millis(self.number * CONNECTIONS_APART + (*opened - 1) % CONNECTIONS_APART)
        };
        let listener = {
            let state = lock(&self.net.0.state);
            if state.refusing { None } else { state.listener.clone() }
        };
        let (mut client_line, client_wire) = line();
        let (mut server_line, server_wire) = line();
        server_line.room = lock(&self.net.0.state).room.as_mut().map(|seed| {
            *seed += 1;
            Room(*seed)
        });
        client_line.latency = lock(&self.net.0.state).latency + lag;
        if listener.is_none_or(|listener| listener.send(server_line).is_err()) {
            let latency = lock(&self.net.0.state).latency;
            sleep((latency + lag) * 2).await;
            let tape = &self.net.0.tape;
            tape.add(Place::Network, self.client, Some(tape.next_exchange()), What::Refused);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let tap = Arc::new(Mutex::new(Tap::new(self.client, self.net.0.tape.lens())));
        lock(&self.net.0.state).taps.push(Arc::clone(&tap));
        spawn(Relay { net: self.net.clone(), client: self.client, lag, tap }.run(client_wire, server_wire));
        Ok(client_line)
    }
}

/// One end of a connection.
pub struct Line {
    io: DuplexStream,
    was_cut: Arc<AtomicBool>,
    /// How long bytes are in transit on it, as long as nobody changes the network's latency.
    pub(crate) latency: Duration,
    /// How much it takes and gives at once; as much as there is without it.
    room: Option<Room>,
}

/// Draws how many bytes a socket takes or gives at once.
struct Room(u64);

impl Room {
    fn draw(&mut self) -> usize {
        // splitmix64: a good spread from small seeds.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let most = [1, 7, 64, 4096][(mixed >> 62) as usize];
        1 + (mixed as usize & 0xFFFF) % most
    }
}

/// The network's side of one end.
struct Wire {
    io: DuplexStream,
    was_cut: Arc<AtomicBool>,
}

fn line() -> (Line, Wire) {
    let (near, far) = tokio::io::duplex(BUFFER);
    let was_cut = Arc::new(AtomicBool::new(false));
    (
        Line { io: near, was_cut: Arc::clone(&was_cut), latency: Duration::ZERO, room: None },
        Wire { io: far, was_cut },
    )
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let at_once = self.room.as_mut().map_or(usize::MAX, Room::draw).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(at_once));
        let read = Pin::new(&mut self.io).poll_read(cx, &mut part);
        let length = part.filled().len();
        buf.advance(length);
        let at_end = matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == before;
        if at_end && self.was_cut.load(Ordering::Relaxed) {
            // A cut is not an end: whoever reads must not take half a message for a whole one.
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let at_once = self.room.as_mut().map_or(usize::MAX, Room::draw).min(buf.len());
        Pin::new(&mut self.io).poll_write(cx, &buf[..at_once])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    ToServer,
    ToClient,
}

/// Carries the bytes of one connection and tells the tape what they say.
struct Relay {
    net: Net,
    client: Option<char>,
    /// What this connection adds to the network's latency.
    lag: Duration,
    tap: Arc<Mutex<Tap>>,
}

impl Relay {
    async fn run(self, client: Wire, server: Wire) {
        let mut cut = self.net.0.cut.subscribe();
        let (cut_at_client, cut_at_server) = (client.was_cut, server.was_cut);
        let (from_client, to_client) = tokio::io::split(client.io);
        let (from_server, to_server) = tokio::io::split(server.io);
        let carry = async {
            tokio::select! {
                biased;
                // Once an end is gone for good, nothing more can be said on this connection.
                () = self.carry(Direction::ToServer, from_client, to_server) => {}
                () = self.carry(Direction::ToClient, from_server, to_client) => {}
            }
        };
        tokio::select! {
            biased;
            () = self.is_cut(&mut cut) => {
                self.tell(|tap, at, _| tap.cut(at));
                cut_at_client.store(true, Ordering::Relaxed);
                cut_at_server.store(true, Ordering::Relaxed);
            }
            () = carry => {}
        }
        // Both halves are dropped here: each end reads an end, or a reset if the line was cut.
    }

    /// Waits until somebody cuts this connection, and until both ends know.
    async fn is_cut(&self, cut: &mut watch::Receiver<Option<char>>) {
        loop {
            // The network outlives its connections: the channel is never closed.
            let _ = cut.changed().await;
            if cut.borrow_and_update().is_none_or(|client| Some(client) == self.client) {
                break;
            }
        }
        sleep(self.lag).await;
    }

    fn latency(&self) -> Duration {
        lock(&self.net.0.state).latency + self.lag
    }

    /// Carries one direction until its sender has ended and that has arrived.
    async fn carry(&self, way: Direction, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let room = Arc::new(Semaphore::new(BUFFER));
        let (under_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>, OwnedSemaphorePermit)>();
        let send = async {
            let mut buffer = vec![0; 16 * 1024];
            let mut free_at = Instant::now();
            loop {
                let length = from.read(&mut buffer).await.unwrap_or(0);
                let bytes = buffer[..length].to_vec();
                if let Direction::ToServer = way {
                    self.tell_bytes(way, &bytes);
                }
                let rate = lock(&self.net.0.state).bytes_per_second;
                free_at = free_at.max(Instant::now());
                if let Some(rate) = rate {
                    free_at += Duration::from_secs(1).mul_f64(length as f64 / rate.max(1) as f64);
                }
                let arrives = free_at + self.latency();
                let room = Arc::clone(&room).acquire_many_owned(length as u32).await;
                let Ok(room) = room else { break };
                if under_way.send((arrives, bytes, room)).is_err() || length == 0 {
                    break;
                }
            }
        };
        let arrive = async {
            let mut held = self.net.0.held.subscribe();
            while let Some((at, bytes, _room)) = arriving.recv().await {
                sleep_until(at).await;
                if *held.borrow_and_update() {
                    let _ = held.wait_for(|held| !held).await;
                    sleep(self.lag).await;
                }
                if let Direction::ToClient = way {
                    self.tell_bytes(way, &bytes);
                }
                if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            biased;
            () = arrive => {}
            // The sender's end may be known long before it arrives: that is for `arrive` to say.
            () = async { send.await; std::future::pending().await } => {}
        }
    }

    /// Empty `bytes` are the sender's end.
    fn tell_bytes(&self, way: Direction, bytes: &[u8]) {
        self.tell(|tap, at, tape| match way {
            Direction::ToServer if bytes.is_empty() => tap.closed_by_client(at),
            Direction::ToClient if bytes.is_empty() => tap.closed_by_server(at),
            Direction::ToServer => tap.to_server(at, bytes, &mut || tape.next_exchange()),
            Direction::ToClient => tap.to_client(at, bytes),
        });
    }

    fn tell(&self, decode: impl FnOnce(&mut Tap, u64, &Tape) -> Vec<wire::Moment>) {
        let tape = &self.net.0.tape;
        let moments = decode(&mut lock(&self.tap), tape.now().0, tape);
        tape.add_all(moments);
    }
}
