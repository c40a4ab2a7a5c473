//! Lets a router answer the connections of the virtual network.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::Service,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

use crate::{
    net::Line,
    tape::Pulse,
    tasks::{spawn, task},
};

/// Serves connections until it is aborted; those that are open then are cut off.
pub(crate) fn accept(
    mut connections: mpsc::UnboundedReceiver<Line>,
    pulse: Pulse,
    app: Router,
) -> JoinHandle<()> {
    spawn(async move {
        let mut open = JoinSet::new();
        while let Some(line) = connections.recv().await {
            open.spawn(task(serve_connection(line, pulse.clone(), app.clone())));
            while open.try_join_next().is_some() {}
        }
    })
}

pub(crate) async fn serve_connection<L>(line: L, pulse: Pulse, app: Router)
where
    L: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
        let doing = format!("answering {} {}", request.method(), request.uri());
        let (app, pulse) = (app.clone(), pulse.clone());
        async move {
            let call = TowerToHyperService::new(app).call(request.map(Body::new));
            let response =
                Watched { inner: Box::pin(call), pulse: pulse.clone(), doing: doing.clone() }.await;
            response
                .map(|response: Response<Body>| response.map(|body| Watched { inner: body, pulse, doing }))
        }
    });
    // How a connection ends is on the tape already.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(line), answer)
        .with_upgrades()
        .await;
}

/// Says whose turn it is while the student's code runs, for the watchdog's message.
struct Watched<T> {
    inner: T,
    pulse: Pulse,
    doing: String,
}

impl<T> Watched<T> {
    fn watch<R>(&mut self, poll: impl FnOnce(&mut T) -> R) -> R {
        self.pulse.turn_to(&self.doing);
        let polled = poll(&mut self.inner);
        self.pulse.wait();
        polled
    }
}

impl<T: Future<Output = Result<Response<Body>, Infallible>> + Unpin> Future for Watched<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.watch(|answer| answer.poll_unpin(cx))
    }
}

impl hyper::body::Body for Watched<Body> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.watch(|body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        hyper::body::Body::size_hint(&self.inner)
    }
}

/// Reads a whole body, or nothing if it breaks off.
pub(crate) async fn whole(body: Incoming) -> Option<Bytes> {
    body.collect().await.ok().map(http_body_util::Collected::to_bytes)
}
