//! The hub: the feed for whoever follows it in numbers, by event stream, WebSocket or long poll.
//!
//! | path | what |
//! |---|---|
//! | `GET /feed/stream` | an event stream as lab 3's: `price`, the number as ID; resumes by `Last-Event-ID` or `?after=2` |
//! | `GET /feed/socket` | a WebSocket that says each price as lab 5's floor does; resumes by `?after=2` |
//! | `GET /feed/poll?after=2&epoch=…` | a long poll as lab 2's: what is newer, as soon as there is something |
//!
//! `&epoch=…` says which log a position is of, wherever there is a position. One that the log no longer holds is a
//! problem for a poll (410, 409), as lab 2 asks for; the others hear what comes from now on, as in lab 3: the numbers
//! tell what is missing.
//!
//! What the labs do for each of their clients (a task, a queue, an encoder), the hub does once. Each update is framed
//! once for each technique and kept in one bounded `log`. A subscriber is a socket and a place in that log: a `shard`
//! writes to its sockets, one after another, what lies between their places and the log's end. So what comes while it
//! is busy shares a write (coalescing), and nobody has a queue. Whoever takes less than that (a reader that stops, a
//! replay, weather, somebody who listens at the line) is its own `guest`'s affair, a task that goes at that line's
//! pace and reads from the same log; who falls out of the log is let go, and comes back to a place that it holds.
//!
//! The handshake goes through the stage's router as every request does. Then hyper hands the connection over (see
//! [`crate::line::handover`]), and its buffers are freed.

mod guest;
mod log;
mod poll;
mod seat;
mod shard;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    convert::Infallible,
    future::pending,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::available_parallelism,
};

use axum::{
    Router,
    body::Body,
    extract::{Extension, Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
    routing::get,
};
use feed::{Cursor, Feed, Missed};
use futures_util::stream;
use tokio::{sync::watch, task::JoinSet};
use wire::ws;

use crate::{
    carry::carry,
    climate::{Climate, Technique, Who},
    line::handover::{after_head, after_upgrade},
    live,
    server::Connection,
};
use guest::Guest;
use log::{Kind, Log, Place, Read};
use shard::Shard;

/// What the client reads between two events at first: how long to wait before it comes back.
const RETRY: &str = "retry: 3000\n\n";

/// The hub of one stage. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

struct Shared {
    feed: Feed,
    log: Log,
    climate: Climate,
    shards: Vec<Arc<Shard>>,
    /// Counts who has come, so that the shards take turns.
    turns: AtomicUsize,
    /// How many follow the market here. While it is nobody, the hub does not either.
    audience: watch::Sender<usize>,
    poll: poll::Answers,
}

/// One of the audience; dropped, it has left.
struct Ticket(Arc<Shared>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.audience.send_modify(|count| *count -= 1);
    }
}

impl Hub {
    /// A hub that follows `feed`, once it runs and somebody is there.
    pub(crate) fn new(feed: &Feed, climate: &Climate) -> Self {
        let shards = available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Shared {
            feed: feed.clone(),
            log: Log::new(feed.epoch()),
            climate: climate.clone(),
            shards: (0..shards).map(|_| Arc::default()).collect(),
            turns: AtomicUsize::new(0),
            audience: watch::Sender::new(0),
            poll: poll::Answers::default(),
        }))
    }

    /// Sets the hub to work. It rests when what this gives is dropped.
    pub(crate) fn run(&self) -> JoinSet<Infallible> {
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(Arc::clone(&self.0)));
        for shard in &self.0.shards {
            tasks.spawn(Arc::clone(shard).run(Arc::clone(&self.0)));
        }
        tasks
    }

    /// The hub's routes.
    pub(crate) fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/feed/stream", get(stream_of_events))
            .route("/feed/socket", get(socket))
            .route("/feed/poll", get(poll::poll))
            .with_state(self)
    }

    /// Comes in, and waits until the log is the feed's.
    async fn ticket(&self) -> Ticket {
        self.0.audience.send_modify(|count| *count += 1);
        let ticket = Ticket(Arc::clone(&self.0));
        let mut end = self.0.log.end();
        // An error means that the log is gone, which lives as long as this hub.
        let _ = end.wait_for(|end| end.is_live || self.0.feed.is_closed()).await;
        ticket
    }

    fn shard(&self) -> &Arc<Shard> {
        let turn = self.0.turns.fetch_add(1, Ordering::Relaxed);
        &self.0.shards[turn % self.0.shards.len()]
    }
}

impl Shared {
    /// Where whoever has seen everything up to `cursor` goes on.
    ///
    /// # Errors
    /// What the feed says when it cannot tell what came after that.
    async fn place(&self, cursor: &Cursor) -> Result<Place, Missed> {
        let mut end = self.log.end();
        loop {
            if let Some(place) = self.log.place(cursor) {
                return Ok(place);
            }
            // Perhaps the log is behind: whoever comes from another stage is ahead of it. The feed knows.
            self.feed.after(cursor.clone()).await?;
            let seen = *end.borrow_and_update();
            if let Some(place) = self.log.place(cursor) {
                return Ok(place);
            }
            if seen.seq >= cursor.seq {
                // The feed still holds what this log has dropped: it is bounded in bytes, too.
                return Err(Missed::Gone { oldest: self.log.oldest() });
            }
            if end.changed().await.is_err() {
                return Ok(self.log.newest());
            }
        }
    }

    /// The same for whoever is told what comes from now on where that is not known.
    async fn place_or_now(&self, cursor: Option<&Cursor>) -> Place {
        match cursor {
            Some(cursor) => self.place(cursor).await.unwrap_or_else(|_| self.log.newest()),
            None => self.log.newest(),
        }
    }
}

/// Keeps the log: everything that is published, while somebody is there to be told.
async fn follow(hub: Arc<Shared>) -> Infallible {
    let mut audience = hub.audience.subscribe();
    loop {
        somebody(&mut audience, true).await;
        // Listen first, then look: what is published in between is heard twice, and written once.
        let mut live = hub.feed.subscribe();
        catch_up(&hub).await;
        hub.tell(|end| (end.is_live, end.is_closed) = (true, hub.feed.is_closed()));
        loop {
            tokio::select! {
                update = live.recv() => match update {
                    // One that is missing is in the feed's own log; so is whatever came when there was too much.
                    Some(update) if hub.log.append(&update) => hub.wake(),
                    _ => break,
                },
                () = somebody(&mut audience, false) => break,
            }
        }
        hub.tell(|end| (end.is_live, end.is_closed) = (false, hub.feed.is_closed()));
        if hub.feed.is_closed() {
            tokio::select! {
                () = hub.feed.opened() => hub.tell(|end| end.is_closed = false),
                () = somebody(&mut audience, false) => {}
            }
        }
    }
}

/// Returns once somebody is there, or nobody.
async fn somebody(audience: &mut watch::Receiver<usize>, is_there: bool) {
    if audience.wait_for(|count| (*count > 0) == is_there).await.is_err() {
        pending().await
    }
}

/// Writes down what the feed has and the log has not.
async fn catch_up(hub: &Shared) {
    loop {
        match hub.feed.after(hub.log.cursor()).await {
            Ok(missed) => {
                for update in &missed {
                    hub.log.append(update);
                }
                return;
            }
            Err(Missed::Gone { oldest }) => hub.log.skip_to(oldest),
            Err(Missed::OtherEpoch { now }) => hub.log.begin(now.epoch.as_deref().unwrap_or_default()),
        }
    }
}

impl Shared {
    fn tell(&self, what: impl FnOnce(&mut log::End)) {
        self.log.tell(what);
        self.wake();
    }

    fn wake(&self) {
        for shard in &self.shards {
            shard.wake();
        }
    }
}

// ---- the doors

type Queried = Query<HashMap<String, String>>;

/// The place that a client says it has seen, if it says one: in `Last-Event-ID`, which counts, or in the address.
fn seen(headers: &HeaderMap, query: &Queried) -> Option<Cursor> {
    let id = headers.get(HeaderName::from_static("last-event-id"));
    let id = id.and_then(|id| id.to_str().ok()?.parse().ok());
    let seq = id.or_else(|| query.get("after")?.parse().ok())?;
    Some(Cursor { epoch: query.get("epoch").cloned(), seq })
}

/// Claims the exchange at hand and lets it meet its weather.
///
/// # Errors
/// The answer of a proxy that does not reach the stage.
async fn admit(
    hub: &Hub,
    Connection { tap: line, peer }: &Connection,
    technique: Technique,
) -> Result<Arc<AtomicU64>, Response> {
    let who = Who { lab: None, technique, page: None, peer: Some(*peer) };
    let delivered = hub.0.climate.claim(line, who);
    match live::weathered(line, line.weather().refuse).await {
        Some(instead) => Err(instead),
        None => Ok(delivered),
    }
}

async fn stream_of_events(
    State(hub): State<Hub>,
    Extension(connection): Extension<Connection>,
    query: Queried,
    request: Request,
) -> Response {
    let delivered = match admit(&hub, &connection, Technique::Sse).await {
        Ok(delivered) => delivered,
        Err(answer) => return answer,
    };
    if hub.0.feed.is_closed() {
        // As lab 3: the one status that makes an EventSource stay away.
        return StatusCode::NO_CONTENT.into_response();
    }
    let kind = HeaderValue::from_static("text/event-stream");
    let dressed = |body| {
        let no_cache = HeaderValue::from_static("no-cache");
        ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, no_cache)], body).into_response()
    };
    if request.method() == Method::HEAD {
        return dressed(Body::empty());
    }
    let line = connection.tap;
    let ticket = hub.ticket().await;
    let place = hub.0.place_or_now(seen(request.headers(), &query).as_ref()).await;
    // HTTP/1.0 knows no chunks, and a proxy holds back the head, too: those have hyper to the end.
    if request.version() < Version::HTTP_11 || line.weather().held_by_proxy() > 0 {
        return carry(dressed(slow_stream(ticket, place)), line, delivered).await;
    }
    let (shard, tap) = (Arc::clone(hub.shard()), Arc::clone(&line));
    let mut response = dressed(after_head(
        &line,
        Box::new(move |line, onward| {
            let guest = Guest::new(Kind::Sse, ticket, shard, line, tap, delivered, place);
            Box::pin(guest.stay(onward))
        }),
    ));
    // The connection ends with the stream.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The stream as a body that hyper frames.
fn slow_stream(ticket: Ticket, place: Place) -> Body {
    let begun = (ticket, place, true);
    let parts = stream::unfold(begun, |(ticket, place, is_first)| async move {
        if is_first {
            return Some((Ok::<_, Infallible>(RETRY.into()), (ticket, place, false)));
        }
        let mut end = ticket.0.log.end();
        loop {
            end.borrow_and_update();
            match ticket.0.log.events(place) {
                Read::Some(bytes, next, _) => return Some((Ok(bytes), (ticket, next, false))),
                Read::Nothing => {}
                Read::Over => return None,
            }
            if tokio::time::timeout(seat::SILENCE, end.changed()).await.is_err() {
                return Some((Ok(seat::COMMENT.into()), (ticket, place, false)));
            }
        }
    });
    Body::from_stream(parts)
}

async fn socket(
    State(hub): State<Hub>,
    Extension(connection): Extension<Connection>,
    query: Queried,
    mut request: Request,
) -> Response {
    let delivered = match admit(&hub, &connection, Technique::Ws).await {
        Ok(delivered) => delivered,
        Err(answer) => return answer,
    };
    let accepted = match handshake(&request) {
        Ok(accepted) => accepted,
        Err(refused) => return refused.into_response(),
    };
    let ticket = hub.ticket().await;
    let place = hub.0.place_or_now(seen(request.headers(), &query).as_ref()).await;
    let (shard, line) = (Arc::clone(hub.shard()), connection.tap);
    let tap = Arc::clone(&line);
    after_upgrade(
        &line,
        hyper::upgrade::on(&mut request),
        Box::new(move |line, onward| {
            let guest = Guest::new(Kind::Ws, ticket, shard, line, tap, delivered, place);
            Box::pin(guest.stay(onward))
        }),
    );
    let upgraded = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accepted),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, upgraded).into_response()
}

/// The answer to the client's key (RFC 6455 § 4.2). That no page of another site asks, the stage's guard has seen to.
fn handshake(request: &Request) -> Result<HeaderValue, (StatusCode, &'static str)> {
    let headers = request.headers();
    let says = |name: HeaderName, word: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !says(header::CONNECTION, "upgrade") || !says(header::UPGRADE, "websocket") {
        return Err((StatusCode::UPGRADE_REQUIRED, "This address speaks WebSocket.\n"));
    }
    if !says(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err((StatusCode::BAD_REQUEST, "This is not version 13 of WebSocket.\n"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    let accepted = key.and_then(|key| HeaderValue::try_from(ws::accept_key(key)).ok());
    accepted.ok_or((StatusCode::BAD_REQUEST, "There is no Sec-WebSocket-Key.\n"))
}
