//! Long polls: answers that are built once for all who ask from the same place.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Extension, Query, Request, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use feed::{Cursor, Missed};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Hub, Shared, admit, log::Place};
use crate::{carry::carry, climate::Technique, server::Connection};

/// How long a request may wait for news, as in lab 2.
const HOLD: Duration = Duration::from_secs(30);

/// The newest answer: to whoever was at this place, when the log ended there.
#[derive(Default)]
pub(super) struct Answers(Mutex<Option<(Place, u64, Bytes)>>);

impl Answers {
    fn answer(&self, hub: &Shared, place: Place) -> Option<Bytes> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, until, bytes)) = &*newest
            && *known == place
            && hub.log.newest().next == until + 1
        {
            return Some(bytes.clone());
        }
        let (bytes, until) = hub.log.json(place)?;
        *newest = Some((place, until, bytes.clone()));
        Some(bytes)
    }
}

/// What the client has seen, as lab 2 asks for it.
#[derive(Deserialize)]
pub(super) struct Position {
    #[serde(default)]
    after: u64,
    epoch: Option<String>,
}

pub(super) async fn poll(
    State(hub): State<Hub>,
    Extension(connection): Extension<Connection>,
    position: Result<Query<Position>, QueryRejection>,
    _: Request,
) -> Response {
    let delivered = match admit(&hub, &connection, Technique::Poll).await {
        Ok(delivered) => delivered,
        Err(answer) => return answer,
    };
    let mut answer = match position {
        Ok(Query(Position { after, epoch })) => newer(&hub, Cursor { epoch, seq: after }).await,
        Err(rejection) => problem(rejection.status(), &json!({ "title": rejection.body_text() })),
    };
    // What is news now is none for the next who asks.
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    carry(answer, connection.tap, delivered).await
}

async fn newer(hub: &Hub, cursor: Cursor) -> Response {
    let ticket = hub.ticket().await;
    let hub = &ticket.0;
    let news = async {
        let mut end = hub.log.end();
        let place = hub.place(&cursor).await?;
        loop {
            end.borrow_and_update();
            if let Some(news) = hub.poll.answer(hub, place) {
                return Ok(news);
            }
            // Nothing is newer; or the log has gone on without this place, or begun anew: then the feed says what to tell.
            hub.place(&cursor).await?;
            if end.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    match timeout(HOLD, news).await {
        Err(_) => StatusCode::NO_CONTENT.into_response(),
        Ok(Ok(news)) => {
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind)], Body::from(news)).into_response()
        }
        Ok(Err(missed)) => refuse(hub, &missed),
    }
}

fn refuse(hub: &Arc<Shared>, missed: &Missed) -> Response {
    let status = match missed {
        Missed::Gone { .. } => StatusCode::GONE,
        Missed::OtherEpoch { .. } => StatusCode::CONFLICT,
    };
    let Cursor { epoch, seq } = hub.log.cursor();
    problem(status, &json!({ "title": missed.to_string(), "epoch": epoch, "seq": seq }))
}

/// An error that says what it is: `application/problem+json` (RFC 9457).
fn problem(status: StatusCode, members: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/problem+json")], members.to_string()).into_response()
}
