//! The server: accepts connections, answers them, lets them go in the end.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use feed::Feed;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tower::ServiceExt;
use tracing::Instrument;

use crate::{
    StageError,
    class::{self, Class, Console},
    climate::Climate,
    desk::Desk,
    guard, health,
    hub::Hub,
    labs::{Lab, OwnLab},
    limits::{Doors, Limits},
    line::{
        Line, Tap,
        handover::{Onward, Succeeded},
    },
    live,
    metrics::{self, Counts, Metrics},
    site::Site,
    source::Opened,
    weather::Weather,
};

/// The longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;
/// The longest body of a request, in bytes.
const BODY: usize = 64 * 1024;
/// How many connections may wait to be accepted: a class that opens one page in the same second.
const BACKLOG: u32 = 1_024;
/// How much the system is to keep of what a client has not taken yet, in bytes. (Linux takes it twice.)
const SEND_BUFFER: usize = 64 * 1024;
/// How long exchanges may go on once the stage is asked to stop.
const DRAIN: Duration = Duration::from_secs(3);

/// The connection that a request came by: a request's extension.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) tap: Arc<Tap>,
    /// Where it comes from.
    pub(crate) peer: SocketAddr,
}

/// A stage that is ready to serve.
pub struct Stage {
    router: Router,
    class: Arc<Class>,
    draining: Arc<watch::Sender<bool>>,
    climate: Climate,
    desk: Desk,
    hub: Hub,
    limits: Limits,
    counts: Arc<Counts>,
}

/// Listens on a port of this machine alone; 0 lets the system choose one.
///
/// # Errors
/// [`StageError::PortInUse`] or [`StageError::Port`].
pub async fn listen(port: u16) -> Result<TcpListener, StageError> {
    listen_at(Ipv4Addr::LOCALHOST, port).await
}

/// Listens on every interface of this machine: whoever reaches the machine reaches the stage.
///
/// # Errors
/// [`StageError::PortInUse`] or [`StageError::Port`].
pub async fn listen_to_everyone(port: u16) -> Result<TcpListener, StageError> {
    listen_at(Ipv4Addr::UNSPECIFIED, port).await
}

async fn listen_at(address: Ipv4Addr, port: u16) -> Result<TcpListener, StageError> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        // A stage that is started again does not wait for the last one's connections to be forgotten. (Windows does
        // not wait anyway, and means something else by it.)
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind((address, port).into())?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StageError::PortInUse(port),
        _ => StageError::Port(port, error),
    })
}

impl Stage {
    /// A stage with a built book and the labs of the repository at `root`, all of which publish from `feed`.
    pub fn new(root: &Path, site: Site, feed: &Feed) -> Self {
        Self::with_own_labs(root, site, feed, &[])
    }

    /// The same, with a student's labs in place of their solutions. A lab that this stage [was built
    /// without](OwnLab::is_built_in) is its solution all the same.
    pub fn with_own_labs(root: &Path, site: Site, feed: &Feed, own: &[OwnLab]) -> Self {
        let draining = Arc::new(watch::Sender::new(false));
        let (climate, counts) = (Climate::default(), Arc::default());
        let desk = Desk::new(feed);
        let class = Arc::new(Class::new(root, &desk, &climate));
        let console = Console::new(&class, &climate, &desk);
        let hub = Hub::new(feed, &climate);
        let metrics = get(metrics::metrics).with_state(Metrics::new(&climate, &counts));
        let router = Router::new()
            .route("/", get(|| async { Redirect::temporary("/en/") }))
            .merge(health::router(&class, feed))
            .route("/metrics", metrics)
            .merge(live::router(root, Lab::all(root, feed, own), &climate))
            .merge(hub.clone().router())
            .merge(class::router(Arc::clone(&class)))
            .merge(console.router())
            .fallback(book)
            .with_state(Arc::new(site))
            .layer(middleware::from_fn({
                let draining = Arc::clone(&draining);
                move |request, next| guard::end_streams(Arc::clone(&draining), request, next)
            }))
            .layer(DefaultBodyLimit::max(BODY))
            .layer(middleware::from_fn(guard::guard));
        Self { router, class, draining, climate, desk, hub, limits: Limits::default(), counts }
    }

    /// A stage on what [`Source::open`] gave, with these of a student's labs: a market trades on its feed as the stage's desk says, and where stages
    /// share the feed, they hold one class.
    ///
    /// # Panics
    /// Outside a Tokio runtime: that is where it trades.
    ///
    /// [`Source::open`]: crate::Source::open
    pub fn on(root: &Path, site: Site, opened: Opened, own: &[OwnLab]) -> Self {
        let stage = Self::with_own_labs(root, site, &opened.feed, own);
        if let Some(log) = &opened.class {
            stage.class.share(log.clone());
        }
        tokio::spawn(opened.trade(stage.desk()));
        stage
    }

    /// The class that this stage can hold.
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// The same stage with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A handle to the stage's climate: who is connected, and in which weather.
    pub fn climate(&self) -> Climate {
        self.climate.clone()
    }

    /// The desk that gives orders to the market, whoever trades there.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Serves until `stop` is done, then drains: event streams end, WebSockets
    /// are told 1001, exchanges at hand have three seconds, nothing new is accepted.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let doors = Doors::new(&self.limits);
        let lines = Arc::new(Lines::default());
        let mut open = JoinSet::new();
        let hub = self.hub.run();
        let mut watch = pin!(watch(self.limits, &lines, &self.counts));
        loop {
            let next = async {
                let room = doors.room().await;
                (room, listener.accept().await)
            };
            let (room, accepted) = tokio::select! {
                () = &mut stop => break,
                never = &mut watch => match never {},
                next = next => next,
            };
            match accepted {
                Ok((io, peer)) => match doors.enter(peer.ip(), room) {
                    Some(entered) => {
                        tracing::debug!(%peer, "connected");
                        let tap = Arc::new(Tap::default());
                        lines.add(peer, &tap);
                        let counted = Counted::new(&self.counts);
                        let (router, draining) = (self.router.clone(), self.draining.subscribe());
                        let connected =
                            connection(io, Connection { tap, peer }, router, draining, self.limits);
                        let span = tracing::info_span!("connection", %peer);
                        let served = async move {
                            connected.await;
                            drop((counted, entered));
                        };
                        open.spawn(served.instrument(span));
                    }
                    None => {
                        self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
                        // A reset, so that nothing is left of it here.
                        drop(io.set_zero_linger());
                    }
                },
                Err(error) => {
                    // Out of file descriptors, most likely: some will come back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            }
            while open.try_join_next().is_some() {}
        }
        drop(listener);
        self.draining.send_replace(true);
        let all = async { while open.join_next().await.is_some() {} };
        if timeout(DRAIN, all).await.is_err() {
            tracing::info!(left = open.len(), "connections are closed before they are done");
        }
        drop(hub);
        self.class.flush();
    }
}

/// One of the open connections that are counted; dropped, also by a panic, it is one no longer.
struct Counted(Arc<Counts>);

impl Counted {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connections that are open, and where they come from.
#[derive(Default)]
struct Lines(Mutex<Vec<(SocketAddr, Weak<Tap>)>>);

impl Lines {
    fn add(&self, peer: SocketAddr, tap: &Arc<Tap>) {
        let mut lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lines.push((peer, Arc::downgrade(tap)));
    }

    /// Those that are open still.
    fn open(&self) -> Vec<(SocketAddr, Arc<Tap>)> {
        let mut lines = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lines.retain(|(_, tap)| tap.strong_count() > 0);
        lines.iter().filter_map(|(peer, tap)| Some((*peer, tap.upgrade()?))).collect()
    }
}

/// Cuts, again and again, whoever takes nothing of what they are sent for too
/// long, and what the weather has held for too long: a client that has left
/// meanwhile could not be told from one that waits.
async fn watch(limits: Limits, lines: &Lines, counts: &Counts) -> Infallible {
    let mut beats = interval((limits.stalled / 4).max(Duration::from_millis(20)));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = HashMap::new();
    loop {
        beats.tick().await;
        let mut still_held = HashMap::new();
        for (peer, tap) in lines.open() {
            if let Some(time) = tap.stalled_for().filter(|time| *time > limits.stalled) {
                let technique = tap.technique();
                counts.drops(technique);
                tracing::info!(%peer, technique = technique.map(|known| known.mark()), seconds = time.as_secs(), "a client took nothing for too long: its connection is cut");
                tap.cut();
            } else if tap.weather().hold {
                let since = *held.get(&peer).unwrap_or(&Instant::now());
                if since.elapsed() > limits.held {
                    tracing::info!(%peer, "a connection was held for too long: it is cut");
                    tap.cut();
                }
                still_held.insert(peer, since);
            }
        }
        held = still_held;
    }
}

/// Whatever no other room answers is a page of the book, or nothing.
async fn book(State(site): State<Arc<Site>>, request: Request) -> Response {
    site.answer(request.method(), request.uri(), request.headers()).await.into_response()
}

/// A connection from its first byte to its last. Hyper's part is in a box of its own: what comes after it may last
/// for hours, and needs little.
fn connection(
    io: TcpStream,
    connection: Connection,
    router: Router,
    mut draining: watch::Receiver<bool>,
    limits: Limits,
) -> impl Future<Output = ()> {
    let tap = Arc::clone(&connection.tap);
    let begins = Box::new((connection, router, limits));
    prepare(&io);
    async move {
        let mut line = Line::new(io, Arc::clone(&tap));
        loop {
            let (connection, router, limits) = &*begins;
            let http = http(line, connection.clone(), router.clone(), draining.clone(), *limits);
            // Hyper has let go of the line. Somebody else may have it, who goes on with it here …
            let Some(successor) = Box::pin(http).await else { break };
            match successor.await {
                Some(returned) => line = returned,
                None => break,
            }
        }
        // … or elsewhere, after an upgrade: it is one of the stage's connections still.
        tokio::select! {
            () = tap.until_gone() => {}
            () = asked_to_stop(&mut draining) => {
                tap.hang_up();
                tap.until_gone().await;
            }
        }
    }
}

/// Answers a connection's requests, as long as they are HTTP's and nobody takes the line over; gives who does, and
/// what comes after that.
async fn http(
    line: Line,
    connection: Connection,
    router: Router,
    mut draining: watch::Receiver<bool>,
    limits: Limits,
) -> Option<Succeeded> {
    let tap = Arc::clone(&connection.tap);
    // How much had come when the newest answer was ready: a client that has said nothing since is one that waits.
    let answered = Arc::new(AtomicU64::new(0));
    let answer = {
        let (body_within, answered) = (limits.body_within, Arc::clone(&answered));
        service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(|body| guard::in_time(Body::new(body), body_within));
            request.extensions_mut().insert(connection.clone());
            let answer = router.clone().oneshot(request);
            let (answered, tap) = (Arc::clone(&answered), Arc::clone(&connection.tap));
            async move {
                let answer = answer.await.unwrap_or_else(|never| match never {});
                answered.store(tap.passed().to_server, Ordering::Relaxed);
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(line), answer)
        .with_upgrades();
    let result = {
        let mut served = pin!(served);
        let ends = async {
            tokio::select! {
                result = served.as_mut() => return result,
                () = asked_to_stop(&mut draining) => {}
            }
            // Bad weather ends with the stage: what is under way arrives now.
            tap.set_weather(Weather::CLEAR);
            served.as_mut().graceful_shutdown();
            served.await
        };
        tokio::select! {
            // In this order: a line that is handed over leaves at once, and a thousand who come together share a buffer.
            biased;
            result = ends => result,
            () = tap.until_handed() => Ok(()),
            () = tap.until_cut() => Ok(()),
        }
    };
    if let Err(error) = result {
        let is_idle = match answered.load(Ordering::Relaxed) {
            0 => false,
            had => error.is_timeout() && tap.passed().to_server == had,
        };
        if (error.is_timeout() || error.is_parse()) && !is_idle {
            tracing::info!(%error, "a client was let go");
        } else {
            tracing::debug!(%error, "a connection ended early");
        }
    }
    let (line, read, successor) = tap.handed().await?;
    Some(successor(line, Onward { read, draining, limits }))
}

/// Sets what the system is to do with a connection.
fn prepare(io: &TcpStream) {
    let socket = socket2::SockRef::from(io);
    // A client that has gone without a word is found out, whether or not there is something to be sent.
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    // An event is small and should leave at once.
    let set = io.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    // Left alone, the system lets four megabytes wait for each client that takes nothing.
    let set = set.and_then(|()| socket.set_send_buffer_size(SEND_BUFFER));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(Duration::from_secs(60))));
    if let Err(error) = set {
        tracing::debug!(%error, "the system keeps its own ways with a connection");
    }
}

pub(crate) async fn asked_to_stop(draining: &mut watch::Receiver<bool>) {
    // An error means that the stage is gone, which asks for the same.
    let _ = draining.wait_for(|draining| *draining).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_goes_without_a_word_is_found_out_and_who_takes_nothing_costs_little() {
        let listener = listen(0).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (io, _) = listener.accept().await.unwrap();
        prepare(&io);
        let socket = socket2::SockRef::from(&io);
        assert!(socket.keepalive().unwrap() && io.nodelay().unwrap());
        assert!(socket.send_buffer_size().unwrap() <= 2 * SEND_BUFFER);
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(60)));
        }
    }
}
