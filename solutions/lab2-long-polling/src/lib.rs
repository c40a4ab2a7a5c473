//! The order that was filled: a market's updates by long polling.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use feed::{Cursor, Feed, Missed, Subscription};
use serde::Deserialize;
use serde_json::{Value, json};
#[allow(unused_imports, reason = "what the TODOs may call for")]
use {std::future::pending, tokio::time::timeout};

/// How long a request may wait for news: half of what proxies usually allow.
const HOLD: Duration = Duration::from_secs(30);

// ANCHOR: app
/// `GET /updates?after=2&epoch=1`: what was published after update 2 of log 1, as soon as there is something.
pub fn app(feed: Feed) -> Router {
    Router::new().route("/updates", get(updates)).with_state(feed)
}

/// What the client has seen. The log's name is left out until the client knows it.
#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    after: u64,
    epoch: Option<String>,
}

async fn updates(State(feed): State<Feed>, position: Result<Query<Position>, QueryRejection>) -> Response {
    let answer = match position {
        Ok(Query(Position { after, epoch })) => {
            let cursor = Cursor { epoch, seq: after };
            answer(&feed, &cursor).await.unwrap_or_else(|missed| refuse(&feed, &missed))
        }
        Err(rejection) => problem(rejection.status(), json!({ "title": rejection.body_text() })),
    };
    // What is news now is none for the next who asks.
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}
// ANCHOR_END: app

/// TODO 1: Whatever is newer than the cursor is answered at once: all of it,
/// each update once, oldest first.
///
/// `{ "epoch": "1", "updates": [{ "seq": 3, "data": { … } }, …] }`, as JSON;
/// `None` if there is nothing newer.
///
/// # Errors
/// What the feed says when it cannot tell what came after the cursor.
async fn newer(feed: &Feed, cursor: &Cursor) -> Result<Option<Response>, Missed> {
    // ANCHOR: todo_1
    let updates = feed.after(cursor.clone()).await?;
    if updates.is_empty() {
        return Ok(None);
    }
    Ok(Some(Json(json!({ "epoch": feed.epoch(), "updates": updates })).into_response()))
    // ANCHOR_END: todo_1
}

/// TODO 2: With nothing newer the request waits: for the next update, or for 25
/// to 30 s and a 204.
///
/// `bell.recv().await` gives every update that is published from now on, one
/// after the other, and `None` once the market has closed. Answer as soon as
/// there is something [`newer`]; after [`HOLD`] answer 204.
///
/// # Errors
/// As [`newer`].
async fn hold(feed: &Feed, cursor: &Cursor, mut bell: Subscription) -> Result<Response, Missed> {
    // ANCHOR: todo_2
    let news = async {
        loop {
            let rang = bell.recv().await;
            // The bell says that there is something. What there is stands in the log.
            if let Some(news) = newer(feed, cursor).await? {
                return Ok(news);
            }
            if rang.is_none() {
                // The market has closed. Whoever were told so at once would ask again at once.
                pending::<()>().await;
            }
        }
    };
    timeout(HOLD, news).await.unwrap_or_else(|_| Ok(StatusCode::NO_CONTENT.into_response()))
    // ANCHOR_END: todo_2
}

/// TODO 3: Reading the log takes time: what is published before, during or
/// after it is answered at once, and once.
///
/// What is published between a look and a subscription is heard by nobody.
///
/// # Errors
/// As [`newer`].
async fn answer(feed: &Feed, cursor: &Cursor) -> Result<Response, Missed> {
    // ANCHOR: todo_3
    // Listen first, then look: from here on every update rings the bell, or is in the log already.
    let bell = feed.subscribe();
    if let Some(news) = newer(feed, cursor).await? {
        return Ok(news);
    }
    hold(feed, cursor, bell).await
    // ANCHOR_END: todo_3
}

/// TODO 4: 410 for a cursor that the log no longer goes back to, 409 for one of
/// another log, both with the position where the log stands now; a request that
/// is over leaves no subscription behind.
///
/// Both are a [`problem`] with the members `epoch` and `seq`: [`Feed::epoch`]
/// and [`Feed::head`], the name of the log (a `&str`) and the number of its
/// newest update (a `u64`). The last part is about how you wait.
fn refuse(feed: &Feed, missed: &Missed) -> Response {
    // ANCHOR: todo_4
    let status = match missed {
        Missed::Gone { .. } => StatusCode::GONE,
        Missed::OtherEpoch { .. } => StatusCode::CONFLICT,
    };
    problem(status, json!({ "title": missed.to_string(), "epoch": feed.epoch(), "seq": feed.head() }))
    // ANCHOR_END: todo_4
}

/// An error that says what it is: `application/problem+json` (RFC 9457).
fn problem(status: StatusCode, members: Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/problem+json")], members.to_string()).into_response()
}
