//! The console's room of the wire: one connection, whosever it is, as it happens.
//!
//! One connection is watched at a time, by every device at the console. It is heard while anybody looks; who comes back
//! after a while finds a note where nobody did. When it is over, or has nothing more to say, and its page goes on on another
//! connection, that one is watched.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response, sse::Event},
    routing::{get, post},
};
use futures_util::stream;
use tokio::sync::watch;
use wire::{Place, What};

use super::{
    Console,
    lines::{GONE, in_words, named},
};
use crate::{
    class::{Fields, done, html, key::Instructor, room::Result},
    climate::{Connected, Who},
    line::Tap,
    live::{self, Follow},
    visitor::{Start, Visitor},
    watcher::{PAGE, Watcher, is_quiet},
};

/// A connection that is watched.
pub(super) struct Watched {
    /// Tells it from the one that was watched before.
    number: u64,
    /// What it was when it was chosen.
    line: Connected,
    transcript: Arc<Visitor>,
    start: Start,
    is_over: Arc<AtomicBool>,
    at: Mutex<At>,
}

/// Which connection it is now.
struct At {
    peer: SocketAddr,
    tap: Weak<Tap>,
}

/// What is watched now, and who waits for it to change.
pub(super) type Watching = watch::Sender<Option<Arc<Watched>>>;

/// Where a browser without a script finds itself again.
const ROOM: &str = "/instructor#room-wire";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/instructor/wire", get(wire))
        .route("/instructor/wire.txt", get(text))
        .route("/instructor/wire/watch", post(watch_one))
        .route("/instructor/wire/leave", post(leave))
}

impl Watched {
    /// Has the connection heard, if it is not: what was said while nobody looked is not in the transcript.
    fn listen(&self) {
        let tap = self.at().tap.upgrade();
        if let Some(tap) = tap.filter(|tap| !tap.is_watched()) {
            self.join(&tap);
        }
    }

    fn join(&self, tap: &Tap) {
        let weather = tap.weather();
        tap.watch(|exchange| Box::new(Watcher::new(&self.transcript, &self.is_over, exchange, weather)));
    }

    /// An exchange begins somewhere: perhaps it is the same page's, which has lost its connection or takes another one
    /// for what it asks next.
    fn notices(&self, who: &Who, tap: &Arc<Tap>) {
        let Some(peer) = who.peer.filter(|_| who.page.is_some() && who.is_like(&self.line)) else { return };
        let (is_over, before) = (self.is_over(), self.at().tap.upgrade());
        let words = match before {
            Some(before) if Arc::ptr_eq(&before, tap) => return,
            Some(before) if !is_over => {
                if !is_quiet(&before.exchange()) {
                    return;
                }
                before.unwatch();
                "goes on"
            }
            _ => "comes back",
        };
        let weather = tap.weather();
        if weather.refuse {
            // As its client sees it: there is no connection.
            return self.transcript.is_refused(PAGE);
        }
        *self.at() = At { peer, tap: Arc::downgrade(tap) };
        self.is_over.store(false, Ordering::Relaxed);
        self.transcript.narrate(PAGE, vec![(Place::Note, What::Note(format!("it {words}, from {peer}")))]);
        let watcher = Watcher::from_its_head(&self.transcript, &self.is_over, weather);
        tap.watch_from_its_head(Box::new(watcher));
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.at().tap.strong_count() == 0
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is watched.
pub(super) fn drawn(watching: &Watching) -> String {
    let watching = watching.borrow();
    let Some(watched) = &*watching else {
        return "<p class=\"stage-hint\">Nothing is watched. Beside each connection there is a button for it.</p>".to_owned();
    };
    let leave = html::button("leave", "/instructor/wire/leave", &[], "", "Watch it no longer");
    let peer = watched.at().peer.to_string();
    let (over, cut) = match (watched.is_over(), watched.line.page) {
        (true, Some(_)) => {
            ("<p><strong>It is over.</strong> When its page comes back, that is watched.</p>", String::new())
        }
        (true, None) => ("<p><strong>It is over.</strong></p>", String::new()),
        (false, _) => (
            "",
            html::button("cut-watched", "/instructor/lines/cut", &[("line", &peer)], "stage-cut", "Cut it"),
        ),
    };
    format!(
        "<p>{} · {peer}</p>{over}<div class=\"stage-controls\">{cut}{leave}</div>",
        in_words(&watched.line)
    )
}

/// The panel that a script fills.
pub(super) const PANEL: &str = "<div class=\"stage-wire\">\
     <div class=\"stage-bar\"><span class=\"stage-count\"></span><button type=\"button\" id=\"pause\" aria-pressed=\"false\" hidden>Pause</button></div>\
     <div class=\"stage-log\" role=\"log\" aria-live=\"off\" aria-labelledby=\"wire-title\" tabindex=\"0\"><ol></ol><p class=\"stage-empty\">Nothing has been said yet.</p></div>\
     <p class=\"visually-hidden\" id=\"wire-said\" role=\"status\"></p>\
     <p class=\"stage-hint\"><a href=\"/instructor/wire.txt\">The transcript as text</a>. A cookie is nobody’s business, and what a page’s files say is left out.</p></div>";

async fn watch_one(
    _: Instructor,
    State(console): State<Console>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let watched = watch_line(&console, &Fields::read(&body));
    console.class.redraw();
    done(&headers, ROOM, watched)
}

fn watch_line(console: &Console, fields: &Fields) -> Result<()> {
    let peer = named(fields)?;
    let tap = console.climate.tap_at(peer).ok_or(GONE)?;
    let line = console.climate.line_at(peer).ok_or(GONE)?;
    let transcript = Arc::new(Visitor::nobody());
    let start = transcript.open(None);
    let number = console.watching.borrow().as_ref().map_or(0, |before| before.number) + 1;
    let at = Mutex::new(At { peer, tap: Arc::downgrade(&tap) });
    let watched = Arc::new(Watched { number, line, transcript, start, is_over: Arc::default(), at });
    watched.join(&tap);
    let notices = Arc::downgrade(&watched);
    console.climate.await_exchanges(Some(Arc::new(move |who, tap| {
        if let Some(watched) = notices.upgrade() {
            watched.notices(who, tap);
        }
    })));
    console.watching.send_replace(Some(watched));
    tracing::info!(%peer, "the instructor watches a connection");
    Ok(())
}

async fn leave(_: Instructor, State(console): State<Console>, headers: HeaderMap) -> Response {
    console.climate.await_exchanges(None);
    console.watching.send_replace(None);
    console.class.redraw();
    done(&headers, ROOM, Ok(()))
}

/// What is watched so far, as text.
async fn text(_: Instructor, State(console): State<Console>) -> Response {
    let watched = console.watching.borrow().clone();
    match watched {
        Some(watched) => {
            watched.listen();
            // Whoever reads this looks, as a panel does.
            drop(watched.transcript.panel());
            live::as_text(&watched.transcript, 0, watched.start)
        }
        None => {
            (StatusCode::NOT_FOUND, "No connection is watched: choose one at the console.\n").into_response()
        }
    }
}

/// Whatever is watched, as an event stream that goes on with the next when another is chosen.
async fn wire(_: Instructor, State(console): State<Console>, headers: HeaderMap) -> Response {
    let seen = headers
        .get(HeaderName::from_static("last-event-id"))
        .and_then(|id| id.to_str().ok()?.split_once('-'))
        .and_then(|(watched, number)| Some((watched.parse().ok()?, number.parse().ok()?)));
    let panel = Panel { watching: console.watching.subscribe(), seen, followed: None };
    live::answered(stream::unfold(panel, |mut panel| async move {
        let event = panel.event().await?;
        Some((Ok::<_, Infallible>(event), panel))
    }))
}

struct Panel {
    watching: watch::Receiver<Option<Arc<Watched>>>,
    /// The number of what the reader saw last, and of its last moment.
    seen: Option<(u64, u64)>,
    followed: Option<(u64, Follow)>,
}

impl Panel {
    async fn event(&mut self) -> Option<Event> {
        loop {
            let watched = self.watching.borrow_and_update().clone();
            let followed = self.followed.as_ref().map(|(number, _)| *number);
            if let Some(watched) = watched.filter(|watched| Some(watched.number) != followed) {
                watched.listen();
                let seen = self.seen.take().filter(|(number, _)| *number == watched.number);
                let after = seen.map_or(0, |(_, moment)| moment);
                let follow = Follow::new(&watched.transcript, after, watched.start);
                self.followed = Some((watched.number, follow));
                if seen.is_none() {
                    return Some(
                        Event::default().event("other").id(format!("{}-0", watched.number)).data(""),
                    );
                }
            }
            let Some((watched, follow)) = &mut self.followed else {
                self.watching.changed().await.ok()?;
                continue;
            };
            tokio::select! {
                moment = follow.next() => {
                    let (number, moment) = moment?;
                    return Some(live::event(format!("{watched}-{number}"), &moment));
                }
                changed = self.watching.changed() => changed.ok()?,
            }
        }
    }
}
