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
    let _ = update;
    todo!("TODO 1")
    // ANCHOR_END: todo_1
}

/// TODO 2: A client that comes back gets exactly what it missed, and then what
/// is new. What it saw last stands in the `Last-Event-ID` header, or in
/// `?after=` if it has no such header.
async fn resume(feed: &Feed, headers: &HeaderMap, from: &From) -> BoxStream<'static, Update> {
    // ANCHOR: todo_2
    let _ = (feed, headers, from.after);
    todo!("TODO 2")
    // ANCHOR_END: todo_2
}

/// TODO 3: The stream begins with a reconnection time of 1 to 10 s, and a
/// comment goes out in every 15 s of silence.
fn respond(updates: BoxStream<'static, Update>) -> Response {
    let events = updates.map(|update| event(&update));
    // ANCHOR: todo_3
    Sse::new(events.map(Ok::<_, Infallible>)).into_response()
    // ANCHOR_END: todo_3
}

/// TODO 4: While the market is closed the answer is 204; a stream that is open
/// when the market closes ends. (Subscriptions of a feed end by themselves.)
fn market_closed() -> Response {
    // ANCHOR: todo_4
    todo!("TODO 4")
    // ANCHOR_END: todo_4
}
