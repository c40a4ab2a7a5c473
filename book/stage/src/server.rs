//! The server: accepts connections, answers them, lets them go in the end.

use std::{
    convert::Infallible, future::Future, net::Ipv4Addr, path::Path, pin::pin, sync::Arc, time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use feed::Feed;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::ServiceExt;

use crate::{
    StageError,
    class::{self, Class},
    guard,
    line::{Line, Tap},
    live,
    site::Site,
};

/// How many connections are open at once; more wait at the door.
const CONNECTIONS: usize = 4_096;
/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;
/// How long exchanges may go on once the stage is asked to stop.
const DRAIN: Duration = Duration::from_secs(3);

/// The tap on the connection that a request came by: a request's extension.
#[derive(Clone)]
pub(crate) struct Connection(pub(crate) Arc<Tap>);

/// A stage that is ready to serve.
pub struct Stage {
    router: Router,
    class: Arc<Class>,
    draining: Arc<watch::Sender<bool>>,
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
    TcpListener::bind((address, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => StageError::PortInUse(port),
        _ => StageError::Port(port, error),
    })
}

impl Stage {
    /// A stage with a built book and the labs of the repository at `root`, all of which publish from `feed`.
    pub fn new(root: &Path, site: Site, feed: &Feed) -> Self {
        let draining = Arc::new(watch::Sender::new(false));
        let class = Arc::new(Class::new(root));
        let router = Router::new()
            .route("/", get(|| async { Redirect::temporary("/en/") }))
            .merge(live::router(root, feed))
            .merge(class::router(Arc::clone(&class)))
            .fallback(book)
            .with_state(Arc::new(site))
            .layer(middleware::from_fn({
                let draining = Arc::clone(&draining);
                move |request, next| guard::end_streams(Arc::clone(&draining), request, next)
            }))
            .layer(middleware::from_fn(guard::guard));
        Self { router, class, draining }
    }

    /// The class that this stage can hold.
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// Serves until `stop` is done, then drains: event streams end, exchanges
    /// at hand have three seconds, nothing new is accepted.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = JoinSet::new();
        loop {
            let permit = tokio::select! {
                () = &mut stop => break,
                permit = Arc::clone(&room).acquire_owned() => permit,
            };
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((io, peer)) => {
                    tracing::debug!(%peer, "connected");
                    let (router, draining) = (self.router.clone(), self.draining.subscribe());
                    open.spawn(async move {
                        connection(io, router, draining).await;
                        drop(permit);
                    });
                }
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
        self.class.flush();
    }
}

/// Whatever no other room answers is a page of the book, or nothing.
async fn book(State(site): State<Arc<Site>>, request: Request) -> Response {
    site.answer(request.method(), request.uri(), request.headers()).await.into_response()
}

async fn connection(io: TcpStream, router: Router, mut draining: watch::Receiver<bool>) {
    // An event is small and should leave at once.
    if let Err(error) = io.set_nodelay(true) {
        tracing::debug!(%error, "small writes may be late");
    }
    let tap = Arc::new(Tap::default());
    let answer = {
        let connection = Connection(Arc::clone(&tap));
        service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(connection.clone());
            let answer = router.clone().oneshot(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        })
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Line::new(io, Arc::clone(&tap))), answer)
        .with_upgrades();
    {
        let mut served = pin!(served);
        let ends = async {
            tokio::select! {
                result = served.as_mut() => return result,
                () = asked_to_stop(&mut draining) => {}
            }
            served.as_mut().graceful_shutdown();
            served.await
        };
        let result = tokio::select! {
            result = ends => result,
            () = tap.until_cut() => Ok(()),
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection ended early");
        }
    }
    // Hyper has let go of the line. After an upgrade somebody else holds it,
    // and it is one of the stage's connections still.
    tokio::select! {
        () = tap.until_gone() => {}
        () = asked_to_stop(&mut draining) => {
            tap.hang_up();
            tap.until_gone().await;
        }
    }
}

async fn asked_to_stop(draining: &mut watch::Receiver<bool>) {
    // An error means that the stage is gone, which asks for the same.
    let _ = draining.wait_for(|draining| *draining).await;
}
