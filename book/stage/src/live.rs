//! The labs, live: `/live/` and what belongs to it.
//!
//! Each solution runs as it is, with its own page, under the lab's path. Around
//! it the stage adds rooms whose names begin with `-`:
//!
//! | path | what |
//! |---|---|
//! | `GET /live/` | the list of the labs |
//! | `GET /live/lab3/` | the stage's page: the lab's page in a frame, the wire beside it |
//! | `POST /live/lab3/-/weather` | orders weather for the visitor's page (see [`crate::weather`]) |
//! | `GET /live/lab3/-/wire` | the visitor's own wire as an event stream, resumable |
//! | `GET /live/lab3/-/wire.txt` | the same so far, as a transcript's text |
//! | `POST /live/lab3/-/cut` | cuts the open connections of the visitor's page to the lab |
//! | `POST /live/lab1/-/lose` | loses the answer to the page's next request that is not safe |
//! | `POST /live/lab3/-/close`, `/-/open` | closes and opens the market for this visitor |
//! | `/live/lab3/-/7/…` | the lab, for the visitor's page number 7 |
//! | anything else under `/live/lab3/` | the lab: its routes, its page |
//!
//! What a lab can be put through is its own affair: only the rooms that mean
//! something for it are there (see `labs`).
//!
//! A page's transcript holds what that page said: the frame in it is loaded
//! under the page's number, and a lab's page uses relative addresses only. So
//! two tabs, or a page that is being left and the one that follows it, keep
//! apart. (A `Referer` would not do: the handshake of a WebSocket has none.)
//!
//! Every visitor hears the same feed, with the same numbers. A market that is
//! closed for one visitor is the lab's own server over a feed that is closed:
//! its streams end and its 204 is the solution's, not the stage's.

mod weather;
mod wire;

use std::{convert::Infallible, fmt::Write, future::pending, path::Path, sync::Arc};

use axum::{
    Router,
    extract::{Extension, FromRequestParts, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use futures_util::stream;
use tower::ServiceExt;

use crate::{
    carry::carry,
    climate::{Climate, Who},
    ear::Ear,
    guard,
    labs::{Control, Lab, is_unsafe},
    line::Tap,
    race,
    server::Connection,
    visitor::{Market, Start, Visitor, Visitors},
};

pub(crate) use weather::fields;
pub(crate) use wire::{Follow, answered, as_text, event};

const LIST: &str = include_str!("../web/list.html");
const PAGE: &str = include_str!("../web/live.html");
const SCRIPT: &str = include_str!("../web/live.js");
const WIRE: &str = include_str!("../web/wire.js");
const STYLE: &str = concat!(
    include_str!("../../theme/css/tokens.css"),
    include_str!("../../theme/css/lab.css"),
    include_str!("../../theme/css/stage.css"),
);

/// All the labs, and whoever looks at them.
struct House {
    labs: Vec<Arc<Lab>>,
    visitors: Arc<Visitors>,
    climate: Climate,
}

/// The live rooms, with these labs of the repository at `root`, in this climate.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(
    root: &Path,
    labs: Vec<Lab>,
    climate: &Climate,
) -> Router<S> {
    let labs = labs.into_iter().map(Arc::new).collect();
    let visitors = Arc::<Visitors>::default();
    // The race's runners speak on paths of this room, since a visitor's cookie goes no further.
    let race = race::router(root, &visitors, climate);
    let house = House { labs, visitors, climate: climate.clone() };
    let list = list(&house.labs);
    let text = |kind: &'static str, text: &'static str| {
        get(
            move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text) },
        )
    };
    Router::new()
        .route("/live", get(|| async { Redirect::permanent("/live/") }))
        .route("/live/", get(move || async move { ([(header::CACHE_CONTROL, "no-cache")], Html(list)) }))
        .route("/live/-/stage.css", text("text/css; charset=utf-8", STYLE))
        .route("/live/-/live.js", text("text/javascript; charset=utf-8", SCRIPT))
        .route("/live/-/wire.js", text("text/javascript; charset=utf-8", WIRE))
        .route("/live/{lab}", get(to_the_page))
        .route("/live/{lab}/", get(page))
        .route("/live/{lab}/-/wire", get(wire))
        .route("/live/{lab}/-/wire.txt", get(wire_text))
        .route("/live/{lab}/-/cut", post(cut))
        .route("/live/{lab}/-/lose", post(lose))
        .route("/live/{lab}/-/weather", post(weather::order))
        .route("/live/{lab}/-/close", post(close))
        .route("/live/{lab}/-/open", post(open))
        .route("/live/{lab}/{*path}", any(lab_itself))
        .with_state(Arc::new(house))
        .merge(race)
}

/// The lab that a request's path names.
struct Named(Arc<Lab>);

impl FromRequestParts<Arc<House>> for Named {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, house: &Arc<House>) -> Result<Self, Self::Rejection> {
        let path = parts.uri.path();
        let is_named = |lab: &&Arc<Lab>| {
            path.strip_prefix(lab.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let lab = house.labs.iter().find(is_named).cloned();
        if let Some(lab) = &lab {
            let span = tracing::Span::current();
            span.record("lab", lab.entry.number).record("technique", lab.entry.technique.mark());
        }
        lab.map(Self).ok_or((
            StatusCode::NOT_FOUND,
            "There is no such lab on this stage: /live/ lists those that are.\n",
        ))
    }
}

/// The list of the labs, for a person.
fn list(labs: &[Arc<Lab>]) -> String {
    let mut items = String::new();
    for lab in labs {
        let (entry, path) = (lab.entry, &lab.path);
        let (number, title, about, chapter) = (entry.number, entry.title, entry.about, entry.chapter);
        let (technique, mark) = (entry.technique.name(), entry.technique.mark());
        let item = write!(
            items,
            "    <li data-technique=\"{mark}\">\n      <p class=\"eyebrow\">Lab {number} · {technique}</p>\n      \
             <h2><a href=\"{path}/\">{title}</a></h2>\n      <p>{about}</p>\n      \
             <p class=\"stage-hint\"><a href=\"/en/{chapter}.html\">Chapter {number}</a></p>\n    </li>\n"
        );
        item.expect("a string takes every character");
    }
    LIST.replace("{labs}", &items)
}

async fn to_the_page(Named(lab): Named) -> Redirect {
    Redirect::permanent(&format!("{}/", lab.path))
}

/// The page. Opening it makes the browser a visitor.
async fn page(
    State(house): State<Arc<House>>,
    Named(lab): Named,
    query: Result<Numbers, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let (visitor, cookie) = match house.visitors.welcome(&headers) {
        Ok(welcomed) => welcomed,
        Err(error) => {
            tracing::error!(%error, "no random number for a visitor's cookie");
            return (StatusCode::SERVICE_UNAVAILABLE, "The stage cannot take another visitor now.\n")
                .into_response();
        }
    };
    // Whatever else stands behind the address is no reason to turn anybody away.
    let follows = query.ok().and_then(|query| u32::try_from(number(&query, "follows")?).ok());
    let Start { page, after, at } = visitor.open(follows);
    let market = match *visitor.market().borrow() {
        Market::Open => "open",
        Market::Closed => "closed",
    };
    let entry = lab.entry;
    let who = Who {
        lab: Some(entry.number),
        technique: entry.technique,
        page: Some((Arc::clone(&visitor), page)),
        peer: None,
    };
    // The controls first: they have a place for the page's number themselves.
    let html = PAGE
        .replace("{controls}", &entry.controls.iter().copied().map(form).collect::<String>())
        .replace("{hint}", &entry.controls.iter().copied().map(hint).collect::<String>())
        .replace("{number}", &entry.number.to_string())
        .replace("{title}", entry.title)
        .replace("{weather}", &weather::group(&visitor.weather(page), &house.climate.over(&who)))
        .replace("{technique}", entry.technique.name())
        .replace("{mark}", entry.technique.mark())
        .replace("{chapter}", entry.chapter)
        .replace("{invitation}", entry.invitation)
        .replace("{path}", &lab.path)
        .replace("{start}", &format!("page={page}&amp;after={after}&amp;at={at}"))
        .replace("{page}", &page.to_string())
        .replace("{visitor}", &visitor.number().to_string())
        .replace("{market}", market);
    let mut response = ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A control, as a form that works without a script, too.
fn form(control: Control) -> &'static str {
    match control {
        Control::Cut => {
            "        <form method=\"post\" action=\"-/cut?page={page}\"><button class=\"stage-cut\">Cut my connection</button></form>\n"
        }
        Control::Lose => {
            "        <form method=\"post\" action=\"-/lose?page={page}\" data-said=\"The answer to your next order will be lost: order something.\"><button class=\"stage-cut\">Lose the next order’s answer</button></form>\n"
        }
        Control::Market => {
            "        <form method=\"post\" action=\"-/close\" id=\"close\"><button>Close the market</button></form>\n        \
             <form method=\"post\" action=\"-/open\" id=\"open\" data-said=\"The market is open. A client that was told 204 has stopped for good: load the lab’s page again.\"><button>Open the market</button></form>\n"
        }
    }
}

/// How far a control reaches.
fn hint(control: Control) -> &'static str {
    match control {
        Control::Cut => {
            "The cut is for this page alone: your other tabs and the rest of the class keep their lines."
        }
        Control::Lose => "The server executes the order, and the line is cut before you hear of it.",
        Control::Market => " The market closes for your browser.",
    }
}

/// The lab, as a browser meets it: its path taken off, through the weather,
/// the wire heard if its visitor looks.
async fn lab_itself(
    State(house): State<Arc<House>>,
    Named(lab): Named,
    Extension(Connection { tap: line, peer }): Extension<Connection>,
    mut request: Request,
) -> Response {
    let visitor = house.visitors.find(request.headers());
    let outside = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (mount, page) = mount(&lab.path, &outside);
    *request.uri_mut() = match Uri::try_from(&outside[mount.len()..]) {
        Ok(inside) => inside,
        Err(_) => return (StatusCode::BAD_REQUEST, "This address is not well formed.\n").into_response(),
    };
    if !lab.speaks_on(request.uri().path()) {
        return answer(&lab.app, &line, request).await;
    }
    let page = visitor.map(|visitor| {
        let page = visitor.page(page);
        (visitor, page)
    });
    let who = Who {
        lab: Some(lab.entry.number),
        technique: lab.entry.technique,
        page: page.clone(),
        peer: Some(peer),
    };
    let delivered = house.climate.claim(&line, who);
    let is_refused = line.weather().refuse;
    if let Some((visitor, page)) = &page {
        if is_refused {
            visitor.is_refused(*page);
        } else if visitor.is_watched() {
            let (requested, answered) = (lab.entry.request_headers, lab.entry.response_headers);
            let ear = Ear::new(Arc::clone(visitor), *page, mount.to_owned(), requested, answered);
            line.begin(&format!("{} {outside} HTTP/", request.method()), Box::new(ear));
        }
    }
    if let Some(instead) = weathered(&line, is_refused).await {
        return instead;
    }
    let loses = is_unsafe(request.method())
        && page.as_ref().is_some_and(|(visitor, page)| visitor.loses_answer(*page));
    let response = match (&lab.closed, &page) {
        (Some(closed), Some((visitor, _))) => {
            let market = visitor.market().subscribe();
            let now = *market.borrow();
            match now {
                Market::Closed => answer(closed, &line, request).await,
                Market::Open => {
                    let response = answer(&lab.app, &line, request).await;
                    guard::until(response, market, |market| *market == Market::Closed)
                }
            }
        }
        _ => answer(&lab.app, &line, request).await,
    };
    if loses {
        // What was asked for is done; nobody will hear of it.
        return lost(&line).await;
    }
    carry(response, line, delivered).await
}

/// Lets a request arrive in the weather of its line. Gives what the weather
/// answers instead of the server, where it does.
pub(crate) async fn weathered(line: &Tap, is_refused: bool) -> Option<Response> {
    if is_refused {
        return Some(lost(line).await);
    }
    line.arrives().await;
    line.weather().bad_gateway.then(|| {
        (StatusCode::BAD_GATEWAY, "Bad gateway: the proxy does not reach the server.\n").into_response()
    })
}

/// No answer: the line is cut instead.
pub(crate) async fn lost(line: &Tap) -> Response {
    line.cut();
    pending().await
}

/// What an app answers. A line that it upgrades is its own from then on.
pub(crate) async fn answer(app: &Router, line: &Tap, request: Request) -> Response {
    let answer = app.clone().oneshot(request).await;
    let response = answer.unwrap_or_else(|never: Infallible| match never {});
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        line.lasts();
    }
    response
}

/// What of a target stands before the lab's own path, and the page that it names there.
fn mount<'a>(path: &str, target: &'a str) -> (&'a str, Option<u32>) {
    let inside = target.strip_prefix(path).unwrap_or(target);
    let named = inside.strip_prefix("/-/").and_then(|rest| {
        let (page, _) = rest.split_once('/')?;
        page.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| page.parse::<u32>().ok())
            .flatten()
            .map(|number| (page.len(), number))
    });
    let (taken, page) = named.map_or((0, None), |(length, number)| ("/-/".len() + length, Some(number)));
    (&target[..target.len() - inside.len() + taken], page)
}

/// A query of numbers.
type Numbers = Query<Vec<(String, u64)>>;

fn number(query: &Numbers, name: &str) -> Option<u64> {
    query.iter().find_map(|(key, value)| (key == name).then_some(*value))
}

fn named_page(query: &Numbers) -> Option<u32> {
    number(query, "page").and_then(|page| u32::try_from(page).ok())
}

/// Where a panel's page began, as the page was told (the newest page's whole
/// transcript where it was not), and what the panel has seen since.
fn place(visitor: &Visitor, query: &Numbers, headers: &HeaderMap) -> (u64, Start) {
    let start = Start {
        page: visitor.page(named_page(query)),
        after: number(query, "after").unwrap_or(0),
        at: number(query, "at").unwrap_or(0),
    };
    let seen = headers
        .get(HeaderName::from_static("last-event-id"))
        .and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    (seen.unwrap_or(start.after).max(start.after), start)
}

/// The visitor's own wire, from where the page was opened or the panel broke off.
async fn wire(
    State(house): State<Arc<House>>,
    Named(_): Named,
    query: Numbers,
    headers: HeaderMap,
) -> Response {
    let Some(visitor) = house.visitors.find(&headers) else {
        // Nothing to come back for: an EventSource stops at 204.
        return StatusCode::NO_CONTENT.into_response();
    };
    let (seen, start) = place(&visitor, &query, &headers);
    let events = stream::unfold(Follow::new(&visitor, seen, start), |mut follow| async move {
        let (number, moment) = follow.next().await?;
        Some((Ok(event(number.to_string(), &moment)), follow))
    });
    answered(events)
}

/// The visitor's own wire so far, as text.
async fn wire_text(
    State(house): State<Arc<House>>,
    Named(_): Named,
    query: Numbers,
    headers: HeaderMap,
) -> Response {
    let Some(visitor) = house.visitors.find(&headers) else {
        return (
            StatusCode::NOT_FOUND,
            "Open the lab's page first: it is your own wire that is shown here.\n",
        )
            .into_response();
    };
    let (seen, start) = place(&visitor, &query, &headers);
    as_text(&visitor, seen, start)
}

async fn cut(
    State(house): State<Arc<House>>,
    Named(lab): Named,
    query: Numbers,
    headers: HeaderMap,
) -> Response {
    act(&house, &lab, Control::Cut, &headers, |visitor| {
        let page = named_page(&query);
        let count =
            house.climate.cut_where(|who| who.lab == Some(lab.entry.number) && who.is_page(visitor, page));
        tracing::info!(count, "a visitor cut their connections");
    })
}

async fn lose(
    State(house): State<Arc<House>>,
    Named(lab): Named,
    query: Numbers,
    headers: HeaderMap,
) -> Response {
    act(&house, &lab, Control::Lose, &headers, |visitor| {
        visitor.lose_next_answer(visitor.page(named_page(&query)));
    })
}

async fn close(State(house): State<Arc<House>>, Named(lab): Named, headers: HeaderMap) -> Response {
    act(&house, &lab, Control::Market, &headers, |visitor| {
        visitor.market().send_replace(Market::Closed);
    })
}

async fn open(State(house): State<Arc<House>>, Named(lab): Named, headers: HeaderMap) -> Response {
    act(&house, &lab, Control::Market, &headers, |visitor| {
        visitor.market().send_replace(Market::Open);
    })
}

/// Does something for the visitor who asks, if the lab knows what it means. A
/// form without script goes back to the page.
fn act(
    house: &House,
    lab: &Lab,
    control: Control,
    headers: &HeaderMap,
    what: impl FnOnce(&Visitor),
) -> Response {
    if !lab.has(control) {
        return (StatusCode::NOT_FOUND, "This lab cannot be put through that.\n").into_response();
    }
    let Some(visitor) = house.visitors.find(headers) else {
        return (StatusCode::FORBIDDEN, "Open the lab's page first.\n").into_response();
    };
    what(&visitor);
    if guard::wants_page(headers) {
        Redirect::to(&format!("{}/", lab.path)).into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_s_own_path_is_what_stands_behind_its_mount_and_its_page() {
        let split = |target: &str| {
            let (mount, page) = mount("/live/lab3", target);
            (target[mount.len()..].to_owned(), page)
        };
        assert_eq!(split("/live/lab3/prices/stream?after=2"), ("/prices/stream?after=2".to_owned(), None));
        assert_eq!(split("/live/lab3/-/7/prices/stream"), ("/prices/stream".to_owned(), Some(7)));
        assert_eq!(split("/live/lab3/-/7/"), ("/".to_owned(), Some(7)));
        for odd in ["/-/7", "/-//x", "/-/+7/x", "/-/x/y", "/-/99999999999/x", "/7/x"] {
            assert_eq!(split(&format!("/live/lab3{odd}")), (odd.to_owned(), None), "{odd}");
        }
    }
}
