//! How a transcript reaches a panel: as an event stream that can be resumed, or as text so far.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::header,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use serde_json::json;
use wire::{Moment, Place, Transcript, What, When};

use crate::visitor::{Panel, Start, Visitor};

/// How long a panel's stream is silent at most.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Reads a visitor's transcript at the panel's pace: what is not fetched waits
/// in the visitor's one bounded list, not in a queue for each panel.
pub(crate) struct Follow {
    panel: Panel,
    seen: u64,
    start: Start,
    told: std::vec::IntoIter<(u64, Moment)>,
}

impl Follow {
    /// Follows what this page says from `start` on, of which everything up to `seen` has been seen.
    pub(crate) fn new(visitor: &Arc<Visitor>, seen: u64, start: Start) -> Self {
        Self { panel: visitor.panel(), seen, start, told: Vec::new().into_iter() }
    }

    /// The next moment, with its number. Whoever stops waiting loses none.
    pub(crate) async fn next(&mut self) -> Option<(u64, Moment)> {
        loop {
            if let Some((number, moment)) = self.told.next() {
                self.seen = number;
                return Some((number, moment));
            }
            let head = *self.panel.head.borrow_and_update();
            self.told = self.panel.visitor.after(self.seen, self.start).into_iter();
            if self.told.len() == 0 {
                self.seen = self.seen.max(head);
                self.panel.head.changed().await.ok()?;
            }
        }
    }
}

/// A moment for the panel: its words are the transcript's.
fn described(moment: &Moment) -> serde_json::Value {
    let place = match moment.place {
        Place::Page => "page",
        Place::ToServer => "client → server",
        Place::ToClient => "server → client",
        Place::Network => "network",
        Place::Note => "note",
    };
    let kind = match &moment.what {
        What::Request { .. } => "request",
        What::Response { .. } => "response",
        What::Event { .. } | What::Message(_) | What::Body(_) => "data",
        What::Cut | What::Refused | What::Hold | What::Abort => "loss",
        What::End | What::Close(..) => "end",
        _ => "aside",
    };
    let headers: Vec<String> = match &moment.what {
        What::Request { headers, .. } | What::Response { headers, .. } => {
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
        }
        _ => Vec::new(),
    };
    let (When::At(at) | When::Within(at, _)) = moment.when;
    json!({
        "at": at, "place": place, "exchange": moment.exchange, "kind": kind,
        "words": moment.what.to_string(), "headers": headers,
        "text": moment.to_string(),
    })
}

/// A moment as an event of a panel's stream.
pub(crate) fn event(id: String, moment: &Moment) -> Event {
    Event::default().event("moment").id(id).data(described(moment).to_string())
}

/// These events, with a sign of life where there are none.
pub(crate) fn answered(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

/// The transcript so far.
pub(crate) fn as_text(visitor: &Visitor, seen: u64, start: Start) -> Response {
    let moments = visitor.after(seen, start).into_iter().map(|(_, moment)| moment).collect();
    let text = Transcript { moments }.to_string();
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (kind, text).into_response()
}
