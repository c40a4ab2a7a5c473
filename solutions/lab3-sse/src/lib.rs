//! The ticker: a market's prices as an event stream.

use std::convert::Infallible;

use axum::{
    Router,
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::get,
};
use feed::{Feed, Update};
use futures_util::{StreamExt, stream::BoxStream};
use serde::Deserialize;
#[allow(unused_imports, reason = "what the TODOs may call for")]
use {
    axum::{http::StatusCode, response::sse::KeepAlive},
    futures_util::stream,
    std::{future::ready, time::Duration},
};

// ANCHOR: app
/// `GET /prices/stream`: every price, as it moves.
pub fn app(feed: Feed) -> Router {
    Router::new().route("/prices/stream", get(prices)).with_state(feed)
}

/// `?after=2`: what a new `EventSource` has instead of a `Last-Event-ID`.
#[derive(Deserialize)]
struct From {
    after: Option<u64>,
}

async fn prices(State(feed): State<Feed>, Query(from): Query<From>, headers: HeaderMap) -> Response {
    if feed.is_closed() {
        return market_closed();
    }
    let comes_back = headers.contains_key("last-event-id") || from.after.is_some();
    let updates = if comes_back { resume(&feed, &headers, &from).await } else { feed.subscribe().boxed() };
    respond(updates)
}
// ANCHOR_END: app

/// TODO 1: Each update is one event: type `price`, its number as ID, its data
/// as JSON. The number is `update.seq`, the data `update.data`.
fn event(update: &Update) -> Event {
    // ANCHOR: todo_1
    // `Event` writes JSON on one line, so no `\n` or `\r` in it can end the event early.
    let event = Event::default().event("price").id(update.seq.to_string());
    event.json_data(&update.data).expect("a JSON value can be written as JSON")
    // ANCHOR_END: todo_1
}

/// TODO 2: A client that comes back gets exactly what it missed, and then what
/// is new. What it saw last stands in the `Last-Event-ID` header, or in
/// `?after=` if it has no such header.
async fn resume(feed: &Feed, headers: &HeaderMap, from: &From) -> BoxStream<'static, Update> {
    // ANCHOR: todo_2
    // The browser sends the header with every return; the address is as old as the page's `EventSource`.
    let last_event_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let Some(seen) = last_event_id.or(from.after) else { return feed.subscribe().boxed() };

    // Subscribe first, then read: what is published in between is in both, and sent once.
    let live = feed.subscribe();
    let missed = feed.after(seen).await.unwrap_or_default();
    let sent = missed.last().map_or(seen, |update| update.seq);
    stream::iter(missed).chain(live.filter(move |update| ready(update.seq > sent))).boxed()
    // ANCHOR_END: todo_2
}

/// TODO 3: The stream begins with a reconnection time of 1 to 10 s, and a
/// comment goes out in every 15 s of silence.
fn respond(updates: BoxStream<'static, Update>) -> Response {
    let events = updates.map(|update| event(&update));
    // ANCHOR: todo_3
    let retry = Event::default().retry(Duration::from_secs(3));
    let events = stream::once(ready(retry)).chain(events).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
    // ANCHOR_END: todo_3
}

/// TODO 4: While the market is closed the answer is 204; a stream that is open
/// when the market closes ends. (Subscriptions of a feed end by themselves.)
fn market_closed() -> Response {
    // ANCHOR: todo_4
    StatusCode::NO_CONTENT.into_response()
    // ANCHOR_END: todo_4
}
