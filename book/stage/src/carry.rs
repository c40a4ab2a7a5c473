//! A lab's answer on its way to the line: past a proxy that may hold it back, and counted.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio_stream::wrappers::WatchStream;

use crate::{line::Tap, weather::Weather};

/// Takes an answer to the line. What is delivered is counted: a body of known
/// length once, of a stream each part. (A WebSocket's messages are counted
/// where they pass.)
///
/// Where the weather has a proxy, a stream is held back as nginx does with its
/// defaults: head and all, until there is as much as fits its buffers, or the
/// end. `X-Accel-Buffering: no` passes it by, and so does an answer whose
/// length is known, and what follows an upgrade.
pub(crate) async fn carry(response: Response, line: Arc<Tap>, delivered: Arc<AtomicU64>) -> Response {
    match response.body().size_hint().exact() {
        Some(0) => return response,
        Some(_) => {
            if response.status().is_success() {
                delivered.fetch_add(1, Ordering::Relaxed);
            }
            return response;
        }
        None => {}
    }
    let passes_by = passes_by(response.headers());
    let has_events = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let (head, body) = response.into_parts();
    let mut carried = Carried {
        body,
        line,
        delivered,
        passes_by,
        has_events,
        held: BytesMut::new(),
        parts: 0,
        is_over: false,
        failure: None,
        sky: None,
    };
    poll_fn(|context| carried.poll_proxy(context)).await;
    Response::from_parts(head, Body::new(carried))
}

/// The last ID among these events, where it is a number.
fn last_id(events: &[u8]) -> Option<u64> {
    const FIELD: &[u8] = b"id: ";
    let lines = events.rsplit(|byte| *byte == b'\n');
    let id = lines.into_iter().find_map(|line| line.strip_prefix(FIELD))?;
    std::str::from_utf8(id).ok()?.trim().parse().ok()
}

/// Whether the server asks a proxy not to hold this answer back.
fn passes_by(headers: &HeaderMap) -> bool {
    let asked = headers.get(HeaderName::from_static("x-accel-buffering"));
    asked.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"no"))
}

struct Carried {
    body: Body,
    line: Arc<Tap>,
    delivered: Arc<AtomicU64>,
    passes_by: bool,
    /// It is an event stream, whose IDs are positions.
    has_events: bool,
    /// What the proxy holds, and in how many parts it came.
    held: BytesMut,
    parts: u64,
    is_over: bool,
    /// Why the answer breaks off, once what came before it has gone on.
    failure: Option<axum::Error>,
    /// Changes of the weather, while something is held.
    sky: Option<WatchStream<Weather>>,
}

impl Carried {
    /// Says where the reader is, as the last ID among these events does.
    fn reaches(&self, events: &[u8]) {
        if self.has_events
            && let Some(id) = last_id(events)
        {
            self.line.reaches(id);
        }
    }

    /// Ready once the proxy, if there is one, lets something pass.
    fn poll_proxy(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let room = if self.passes_by { 0 } else { self.line.weather().held_by_proxy() };
            if room == 0 || self.is_over || self.held.len() >= room {
                self.sky = None;
                return Poll::Ready(());
            }
            let sky = self.sky.get_or_insert_with(|| WatchStream::from_changes(self.line.sky().subscribe()));
            if sky.poll_next_unpin(context).is_ready() {
                continue;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    // Trailers have no meaning to a browser.
                    if let Ok(bytes) = frame.into_data() {
                        self.held.extend_from_slice(&bytes);
                        self.parts += 1;
                    }
                }
                Some(Err(error)) => {
                    self.is_over = true;
                    self.failure = Some(error);
                }
                None => self.is_over = true,
            }
        }
    }
}

impl hyper::body::Body for Carried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        ready!(self.poll_proxy(context));
        if !self.held.is_empty() {
            let parts = std::mem::take(&mut self.parts);
            self.delivered.fetch_add(parts, Ordering::Relaxed);
            let held = self.held.split().freeze();
            self.reaches(&held);
            return Poll::Ready(Some(Ok(Frame::data(held))));
        }
        if self.is_over {
            return Poll::Ready(self.failure.take().map(Err));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.delivered.fetch_add(1, Ordering::Relaxed);
                    self.reaches(data);
                }
            }
            Some(Err(_)) | None => self.is_over = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.failure.is_none() && (self.is_over || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures_util::{FutureExt, Stream};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    struct Play {
        line: Arc<Tap>,
        delivered: Arc<AtomicU64>,
        lab: mpsc::Sender<&'static str>,
        response: Option<Response>,
    }

    impl Play {
        fn under(weather: Weather) -> Self {
            let (lab, parts) = mpsc::channel(100);
            let parts = ReceiverStream::new(parts).map(Ok::<_, axum::Error>);
            let response = Some(Body::from_stream(parts).into_response());
            let line = Arc::new(Tap::default());
            line.set_weather(weather);
            Self { line, delivered: Arc::default(), lab, response }
        }

        async fn carry(&mut self) -> impl Stream<Item = Result<Bytes, axum::Error>> + Unpin + use<> {
            let response = self.response.take().unwrap();
            let carried = carry(response, Arc::clone(&self.line), Arc::clone(&self.delivered)).await;
            carried.into_body().into_data_stream()
        }
    }

    const PROXY: Weather = Weather { proxy: 1, ..Weather::CLEAR };

    #[test]
    fn a_position_is_the_last_id_that_is_a_number() {
        assert_eq!(last_id(b"event: price\nid: 7\ndata: {}\n\n"), Some(7));
        assert_eq!(last_id(b"id: 7\ndata: a\n\nid: 8\ndata: id: 9\n\n"), Some(8));
        assert_eq!(last_id(b": comment\n\n"), None);
        assert_eq!(last_id(b"id: monday-7\n\n"), None);
    }

    #[tokio::test]
    async fn without_a_proxy_each_part_goes_on_at_once_and_is_counted() {
        let mut play = Play::under(Weather::CLEAR);
        let mut body = play.carry().await;
        for part in ["one", "two"] {
            play.lab.send(part).await.unwrap();
            assert_eq!(body.next().await.unwrap().unwrap(), part);
        }
        assert_eq!(play.delivered.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_proxy_holds_head_and_body_until_its_buffer_is_full() {
        let mut play = Play::under(PROXY);
        play.lab.send("one").await.unwrap();
        let lab = play.lab.clone();
        let carried = play.carry();
        tokio::pin!(carried);
        assert!(carried.as_mut().now_or_never().is_none(), "the head waits, too");
        for _ in 0..50 {
            lab.send("twenty-one characters").await.unwrap();
        }
        let mut body = carried.await;
        let first = body.next().await.unwrap().unwrap();
        assert!(first.len() >= 1_024 && first.starts_with(b"onetwenty"), "{} bytes", first.len());
        assert!(body.next().now_or_never().is_none(), "what follows waits again");
    }

    #[tokio::test]
    async fn what_a_proxy_holds_arrives_with_the_end_or_with_the_proxy_s() {
        let mut play = Play::under(PROXY);
        play.lab.send("held").await.unwrap();
        play.lab = mpsc::channel(1).0;
        let mut body = play.carry().await;
        assert_eq!(body.next().await.unwrap().unwrap(), "held");
        assert!(body.next().await.is_none());

        let mut play = Play::under(Weather::CLEAR);
        let mut body = play.carry().await;
        play.line.set_weather(PROXY);
        play.lab.send("held").await.unwrap();
        assert!(body.next().now_or_never().is_none());
        play.line.set_weather(Weather::CLEAR);
        assert_eq!(body.next().await.unwrap().unwrap(), "held");
    }

    #[tokio::test]
    async fn a_server_that_asks_not_to_be_buffered_is_not() {
        let mut play = Play::under(PROXY);
        let response = play.response.as_mut().unwrap();
        response.headers_mut().insert("x-accel-buffering", "no".parse().unwrap());
        let mut body = play.carry().await;
        play.lab.send("one").await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "one");
    }

    #[tokio::test]
    async fn an_answer_of_known_length_counts_once_if_it_is_one() {
        let line = Arc::new(Tap::default());
        line.set_weather(PROXY);
        let delivered = Arc::<AtomicU64>::default();
        for response in [
            "a price".into_response(),
            axum::http::StatusCode::NOT_MODIFIED.into_response(),
            (axum::http::StatusCode::NOT_FOUND, "no").into_response(),
        ] {
            let _ = carry(response, Arc::clone(&line), Arc::clone(&delivered)).await;
        }
        assert_eq!(delivered.load(Ordering::Relaxed), 1);
    }
}
