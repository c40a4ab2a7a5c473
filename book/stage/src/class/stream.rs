//! Event streams of pages that change: each event holds the parts that differ from what this reader has.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::Class;

/// How long a stream is silent at most.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two events of one stream lies this at least: a class that votes makes one change of many.
const PACE: Duration = Duration::from_millis(250);
/// When a browser comes back, in milliseconds.
const RETRY: Duration = Duration::from_millis(1_500);

/// A page's parts, by the id of the element that each fills.
#[derive(Clone, Default)]
pub(super) struct Parts(BTreeMap<&'static str, Arc<Part>>);

/// The HTML of a part, and how it travels: encoded once, however many read it.
struct Part {
    html: String,
    json: OnceLock<String>,
}

impl<const N: usize> From<[(&'static str, String); N]> for Parts {
    fn from(parts: [(&'static str, String); N]) -> Self {
        let part = |html| Arc::new(Part { html, json: OnceLock::new() });
        Self(parts.into_iter().map(|(id, html)| (id, part(html))).collect())
    }
}

impl Parts {
    /// With one more.
    pub(super) fn and(mut self, id: &'static str, html: String) -> Self {
        self.0.insert(id, Arc::new(Part { html, json: OnceLock::new() }));
        self
    }

    /// The HTML of a part.
    pub(super) fn html(&self, id: &str) -> &str {
        self.0.get(id).map_or("", |part| &part.html)
    }

    /// The parts that differ from those of `other`, as a JSON object; nothing if there is none.
    fn changed_from(&self, other: &Self) -> Option<String> {
        let is_new = |(id, part): &(&&str, &Arc<Part>)| {
            other.0.get(**id).is_none_or(|had| !Arc::ptr_eq(had, part) && had.html != part.html)
        };
        let changed: Vec<String> = self
            .0
            .iter()
            .filter(is_new)
            .map(|(id, part)| format!("\"{id}\":{}", part.json.get_or_init(|| json!(part.html).to_string())))
            .collect();
        (!changed.is_empty()).then(|| format!("{{{}}}", changed.join(",")))
    }
}

/// Where a reader of a stream is.
struct Follow<D> {
    class: Arc<Class>,
    draw: D,
    number: watch::Receiver<u64>,
    /// What the reader has.
    had: Parts,
    /// The reader has everything up to now, though not from this stream.
    is_current: bool,
    next: Instant,
    /// How long after a look another is due, although nobody has told of a change.
    beat: Option<Duration>,
}

/// Streams the parts that `draw` gives, whenever a change is told and, where there is a `beat`, after each; ends once it
/// gives none.
pub(super) fn parts<D>(class: Arc<Class>, headers: &HeaderMap, beat: Option<Duration>, draw: D) -> Response
where
    D: Fn(&Class) -> Option<Parts> + Send + 'static,
{
    let number = class.changed.subscribe();
    let is_current = last_event(headers) == Some(&*id(&class, *number.borrow()));
    let follow =
        Follow { class, draw, number, had: Parts::default(), is_current, next: Instant::now(), beat };
    let events = stream::unfold(follow, |mut follow| async move {
        let event = follow.event().await?;
        Some((Ok::<_, Infallible>(event), follow))
    });
    answer(events)
}

impl<D: Fn(&Class) -> Option<Parts>> Follow<D> {
    async fn event(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.is_current) {
            // It gets everything with the next change: what is drawn now may already be newer than what it has.
            self.change().await?;
        }
        loop {
            sleep_until(self.next).await;
            let number = *self.number.borrow_and_update();
            let now = (self.draw)(&self.class)?;
            if let Some(data) = now.changed_from(&self.had) {
                self.had = now;
                self.next = Instant::now() + PACE;
                let event = Event::default().event("parts").id(id(&self.class, number));
                return Some(event.retry(RETRY).data(data));
            }
            self.change().await?;
        }
    }

    /// Returns when it is time for a look.
    async fn change(&mut self) -> Option<()> {
        let changed = self.number.changed();
        match self.beat {
            // A beat without news is no reason to end.
            Some(beat) => timeout(beat, changed).await.unwrap_or(Ok(())).ok(),
            None => changed.await.ok(),
        }
    }
}

/// Streams what concerns every page, until the class is over and nothing else is to be known.
pub(super) fn here(class: Arc<Class>, headers: &HeaderMap, token: String) -> Response {
    let number = class.called.subscribe();
    let is_current = last_event(headers) == Some(&*id(&class, *number.borrow()));
    let state = (class, number, token, is_current, Instant::now(), true);
    let events = stream::unfold(state, |(class, mut number, token, is_current, next, goes_on)| async move {
        if !goes_on {
            return None;
        }
        if is_current {
            number.changed().await.ok()?;
        }
        sleep_until(next).await;
        let at = *number.borrow_and_update();
        let (data, goes_on) = {
            let room = class.room();
            let question = class.described(&room, &token);
            let notice = class.notice();
            let told = json!({ "era": room.era, "question": question, "call": room.call(), "store": notice });
            (told, room.is_on() || notice.is_some())
        };
        let event = Event::default().event(if goes_on { "class" } else { "over" });
        let event = event.id(id(&class, at)).retry(RETRY).data(data.to_string());
        Some((Ok::<_, Infallible>(event), (class, number, token, true, Instant::now() + PACE, goes_on)))
    });
    answer(events)
}

fn answer(events: impl futures_util::Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

fn id(class: &Class, number: u64) -> String {
    format!("{}-{number}", class.era)
}

fn last_event(headers: &HeaderMap) -> Option<&str> {
    headers.get(HeaderName::from_static("last-event-id"))?.to_str().ok()
}
