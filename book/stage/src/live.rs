//! The labs, live: `/live/lab3/` and what belongs to it.
//!
//! The solution runs as it is, with its own page, under the lab's path. Around
//! it the stage adds rooms whose names begin with `-`:
//!
//! | path | what |
//! |---|---|
//! | `GET /live/lab3/` | the stage's page: the lab's page in a frame, the wire beside it |
//! | `GET /live/lab3/-/wire` | the visitor's own wire as an event stream, resumable |
//! | `GET /live/lab3/-/wire.txt` | the same so far, as a transcript's text |
//! | `POST /live/lab3/-/cut` | cuts the visitor's open connections to the lab |
//! | `POST /live/lab3/-/close`, `/-/open` | closes and opens the market for this visitor |
//! | anything else | the lab: its routes, its page |
//!
//! A page's transcript holds what that page said: requests name the page that
//! sent them by their `Referer`, so that two tabs, or a page that is being left
//! and the one that follows it, keep apart.
//!
//! Every visitor hears the same feed, with the same numbers. A market that is
//! closed for one visitor is the lab's own server over a feed that is closed:
//! its streams end and its 204 is the solution's, not the stage's.

use std::{convert::Infallible, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Extension, Query, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    response::{
        Html, IntoResponse, Redirect, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{any, get, post},
};
use feed::Feed;
use futures_util::stream;
use serde_json::json;
use tower::ServiceExt;
use wire::{Moment, Place, Transcript, What, When};

use crate::{
    ear::Ear,
    guard,
    server::Connection,
    visitor::{Market, Panel, Start, Visitor, Visitors},
};

const PAGE: &str = include_str!("../web/live.html");
const SCRIPT: &str = include_str!("../web/live.js");
const STYLE: &str = concat!(
    include_str!("../../theme/css/tokens.css"),
    include_str!("../../theme/css/lab.css"),
    include_str!("../../theme/css/stage.css"),
);

/// How long a panel's stream is silent at most.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A lab on the stage.
struct Lab {
    /// Where it is mounted, without a slash at the end.
    path: &'static str,
    /// What its own protocol speaks on, below that path. The rest is its page's
    /// files, which are not drawn.
    wire: &'static str,
    app: Router,
    /// The same, over a market that is closed.
    closed: Router,
    visitors: Visitors,
}

/// The live rooms, with the labs of the repository at `root` publishing from `feed`.
pub fn router<S: Clone + Send + Sync + 'static>(root: &Path, feed: &Feed) -> Router<S> {
    let over = feed::Feed::memory(1);
    over.close();
    let web = root.join("solutions/lab3-sse/web");
    let lab = Lab {
        path: "/live/lab3",
        wire: "/prices/",
        app: host::with_page(lab3_solution::app(feed.clone()), web),
        closed: lab3_solution::app(over),
        visitors: Visitors::default(),
    };
    let text = |kind: &'static str, text: &'static str| {
        get(
            move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text) },
        )
    };
    Router::new()
        .route("/live", get(|| async { Redirect::temporary("/live/lab3/") }))
        .route("/live/", get(|| async { Redirect::temporary("/live/lab3/") }))
        .route("/live/-/stage.css", text("text/css; charset=utf-8", STYLE))
        .route("/live/-/live.js", text("text/javascript; charset=utf-8", SCRIPT))
        .route("/live/lab3", get(|| async { Redirect::permanent("/live/lab3/") }))
        .route("/live/lab3/", get(page))
        .route("/live/lab3/-/wire", get(wire))
        .route("/live/lab3/-/wire.txt", get(wire_text))
        .route("/live/lab3/-/cut", post(cut))
        .route("/live/lab3/-/close", post(close))
        .route("/live/lab3/-/open", post(open))
        .route("/live/lab3/{*path}", any(lab_itself))
        .with_state(Arc::new(lab))
}

/// The page. Opening it makes the browser a visitor.
async fn page(State(lab): State<Arc<Lab>>, headers: HeaderMap) -> Response {
    let (visitor, cookie) = match lab.visitors.welcome(&headers) {
        Ok(welcomed) => welcomed,
        Err(error) => {
            tracing::error!(%error, "no random number for a visitor's cookie");
            return (StatusCode::SERVICE_UNAVAILABLE, "The stage cannot take another visitor now.\n")
                .into_response();
        }
    };
    let Start { page, after, at } = visitor.open();
    let market = match *visitor.market().borrow() {
        Market::Open => "open",
        Market::Closed => "closed",
    };
    let html = PAGE
        .replace("{start}", &format!("page={page}&amp;after={after}&amp;at={at}"))
        .replace("{page}", &page.to_string())
        .replace("{market}", market);
    let mut response = ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The lab, as a browser meets it: its path taken off, the wire heard if its visitor looks.
async fn lab_itself(
    State(lab): State<Arc<Lab>>,
    Extension(Connection(line)): Extension<Connection>,
    mut request: Request,
) -> Response {
    let visitor = lab.visitors.find(request.headers());
    if let Err(refused) = take_off(lab.path, &mut request) {
        return refused.into_response();
    }
    let speaks = request.uri().path().starts_with(lab.wire);
    let Some(visitor) = visitor.filter(|_| speaks) else {
        return answer(&lab.app, request).await;
    };
    visitor.speaks_on(&line);
    if visitor.is_watched() {
        let page = visitor.page_of(request.headers());
        line.begin(Box::new(Ear::new(Arc::clone(&visitor), page)));
    }
    let market = visitor.market().subscribe();
    let now = *market.borrow();
    match now {
        Market::Closed => answer(&lab.closed, request).await,
        Market::Open => {
            let response = answer(&lab.app, request).await;
            guard::until(response, market, |market| *market == Market::Closed)
        }
    }
}

async fn answer(app: &Router, request: Request) -> Response {
    app.clone().oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
}

/// Takes the lab's path off the request's, so that the lab finds its own.
fn take_off(path: &str, request: &mut Request) -> Result<(), (StatusCode, &'static str)> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let inner = target.strip_prefix(path).filter(|inner| inner.starts_with('/')).unwrap_or("/");
    *request.uri_mut() =
        Uri::try_from(inner).map_err(|_| (StatusCode::BAD_REQUEST, "This address is not well formed.\n"))?;
    Ok(())
}

/// Where a panel's page began, as the page was told (the newest page's whole
/// transcript where it was not), and what the panel has seen since.
fn place(visitor: &Visitor, query: &Query<Vec<(String, u64)>>, headers: &HeaderMap) -> (u64, Start) {
    let number = |name: &str| query.iter().find_map(|(key, value)| (key == name).then_some(*value));
    let page = number("page").and_then(|page| u32::try_from(page).ok());
    let start = Start {
        page: page.unwrap_or_else(|| visitor.page_of(headers)),
        after: number("after").unwrap_or(0),
        at: number("at").unwrap_or(0),
    };
    let seen = headers
        .get(HeaderName::from_static("last-event-id"))
        .and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    (seen.unwrap_or(start.after).max(start.after), start)
}

/// The visitor's own wire, from where the page was opened or the panel broke off.
async fn wire(State(lab): State<Arc<Lab>>, query: Query<Vec<(String, u64)>>, headers: HeaderMap) -> Response {
    let Some(visitor) = lab.visitors.find(&headers) else {
        // Nothing to come back for: an EventSource stops at 204.
        return StatusCode::NO_CONTENT.into_response();
    };
    let (seen, start) = place(&visitor, &query, &headers);
    let panel = Follow { panel: visitor.panel(), seen, start, told: Vec::new().into_iter() };
    let events = stream::unfold(panel, |mut follow| async move {
        let (number, moment) = follow.next().await?;
        let event =
            Event::default().event("moment").id(number.to_string()).data(described(&moment).to_string());
        Some((Ok::<_, Infallible>(event), follow))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

/// Reads a visitor's transcript at the panel's pace: what is not fetched waits
/// in the visitor's one bounded list, not in a queue for each panel.
struct Follow {
    panel: Panel,
    seen: u64,
    start: Start,
    told: std::vec::IntoIter<(u64, Moment)>,
}

impl Follow {
    async fn next(&mut self) -> Option<(u64, Moment)> {
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

/// The visitor's own wire so far, as text.
async fn wire_text(
    State(lab): State<Arc<Lab>>,
    query: Query<Vec<(String, u64)>>,
    headers: HeaderMap,
) -> Response {
    let Some(visitor) = lab.visitors.find(&headers) else {
        return (
            StatusCode::NOT_FOUND,
            "Open the lab's page first: it is your own wire that is shown here.\n",
        )
            .into_response();
    };
    let (seen, start) = place(&visitor, &query, &headers);
    let moments = visitor.after(seen, start).into_iter().map(|(_, moment)| moment).collect();
    let text = Transcript { moments }.to_string();
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (kind, text).into_response()
}

async fn cut(State(lab): State<Arc<Lab>>, headers: HeaderMap) -> Response {
    act(&lab, &headers, |visitor| {
        let count = visitor.cut();
        tracing::info!(count, "a visitor cut their connections");
    })
}

async fn close(State(lab): State<Arc<Lab>>, headers: HeaderMap) -> Response {
    act(&lab, &headers, |visitor| {
        visitor.market().send_replace(Market::Closed);
    })
}

async fn open(State(lab): State<Arc<Lab>>, headers: HeaderMap) -> Response {
    act(&lab, &headers, |visitor| {
        visitor.market().send_replace(Market::Open);
    })
}

/// Does something for the visitor who asks. A form without script goes back to the page.
fn act(lab: &Lab, headers: &HeaderMap, what: impl FnOnce(&Visitor)) -> Response {
    let Some(visitor) = lab.visitors.find(headers) else {
        return (StatusCode::FORBIDDEN, "Open the lab's page first.\n").into_response();
    };
    what(&visitor);
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_page {
        Redirect::to(&format!("{}/", lab.path)).into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}
