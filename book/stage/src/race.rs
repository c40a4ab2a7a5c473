//! The race: `/race`, one share by five techniques at once, in the viewer's own browser.
//!
//! | path | what |
//! |---|---|
//! | `GET /race` | the page; its scripts and its style are under `/race/-/` |
//! | `GET /live/race/` | leads there |
//! | `GET /race/-/lab3/client.js` | lab 3's client, of the solution; those of the others alike |
//! | `POST /live/race/-/begin` | begins this browser's race, and ends the one it had |
//! | `/live/race/-/7/sse/…` | race 7's server for SSE; `fetch`, `poll`, `stream` and `ws` alike |
//! | `/live/race/-/7/more/…` | the same as `sse`, for those who only hold a connection |
//! | `GET /live/race/-/7/numbers` | what was counted so far, and the stage's clock |
//! | `POST /live/race/-/7/set` | `pace=2&payload=500&paused=on` |
//! | `POST /live/race/-/7/cut` | cuts every line, and refuses new ones for `seconds=3` |
//! | `POST /live/race/-/7/end` | the race is over |
//!
//! **What is reused.** The five servers are the solutions of labs 1 to 5, as they
//! are, over a feed of the race's own; the page runs the solutions' own `client.js`,
//! also where the stage serves a student's lab. Nothing of a technique is written again here.
//! Their contracts differ, and the race shows it: labs 2 and 3 come back with a
//! position; lab 1 is told the newest price and nothing before it; lab 4's
//! commentary (a question that begins with *follow*) and lab 5's floor begin with
//! the next price, since a position is not in their protocol.
//!
//! **What is not.** The labs' market moves four shares at a beat; a race moves one
//! of them, at moments drawn by chance, so that every technique is told the same
//! and no question keeps step with the answers. The prices are the market's. Lab 3's client hands on the data of
//! an event and keeps its ID, and so does lab 4's, which has none: so the data
//! bear the update's number and the time, beside what a price has. And lab 4's
//! client asks once, because answers are paid for: the page asks again when one
//! breaks off, a second later, as chapter 0's measurements do.
//!
//! Bytes are counted on the transport, exchange by exchange
//! ([`Meter`](crate::line::Meter)), heads, chunks and frames included. A race's
//! exchanges are claimed in the [`Climate`] as the labs' are, for their visitor
//! and their page: the console's weather reaches them, and `/metrics` counts
//! them. What the page itself asks is counted apart, and has a clear sky.
//!
//! A race lives on the stage where it began, as a visitor does. Where several
//! stages share a feed, whoever stands before them must lead a browser to the
//! same one again, or the page says that it has no race there.

mod run;
mod runs;
mod settings;

use std::{path::Path as FilePath, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{FromRequestParts, Path, RawPathParams, Request, State},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use serde_json::json;

use crate::{
    carry::carry,
    climate::{Climate, Who},
    labs::LABS,
    live::{answer, weathered},
    server::Connection,
    visitor::Visitors,
};
use run::Run;
use runs::Runs;
use settings::{Refusal, Settings, seconds};

/// The page's files.
const FILES: [(&str, &str, &str); 10] = [
    ("", "text/html; charset=utf-8", include_str!("../web/race.html")),
    ("/-/race.css", "text/css; charset=utf-8", include_str!("../web/race.css")),
    ("/-/race.js", SCRIPT, include_str!("../web/race.js")),
    ("/-/race-clock.js", SCRIPT, include_str!("../web/race-clock.js")),
    ("/-/race-lane.js", SCRIPT, include_str!("../web/race-lane.js")),
    ("/-/race-runners.js", SCRIPT, include_str!("../web/race-runners.js")),
    ("/-/race-run.js", SCRIPT, include_str!("../web/race-run.js")),
    ("/-/race-recall.js", SCRIPT, include_str!("../web/race-recall.js")),
    ("/-/race-board.js", SCRIPT, include_str!("../web/race-board.js")),
    ("/-/race-limit.js", SCRIPT, include_str!("../web/race-limit.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The races of a stage, and who may have one.
pub(crate) struct House {
    visitors: Arc<Visitors>,
    climate: Climate,
    runs: Runs,
}

/// The race's page, and its rooms among the live ones, where a visitor's cookie is sent.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(
    root: &FilePath,
    visitors: &Arc<Visitors>,
    climate: &Climate,
) -> Router<S> {
    let house = House { visitors: Arc::clone(visitors), climate: climate.clone(), runs: Runs::default() };
    let to_the_page = || get(async || Redirect::permanent("/race"));
    let mut router = Router::new()
        .route("/live/race", to_the_page())
        .route("/live/race/", to_the_page())
        .route("/race/", to_the_page())
        .route("/live/race/-/begin", post(begin))
        .route("/live/race/-/{race}/numbers", get(numbers))
        .route("/live/race/-/{race}/set", post(set))
        .route("/live/race/-/{race}/cut", post(cut))
        .route("/live/race/-/{race}/end", post(end))
        .route("/live/race/-/{race}/{lane}/{*path}", any(lane));
    for (path, kind, text) in FILES {
        let file = ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text);
        router = router.route(&format!("/race{path}"), get(async move || file));
    }
    for lab in &LABS {
        let solution = host::with_page(Router::new(), root.join("solutions").join(lab.folder).join("web"));
        router = router.nest_service(&format!("/race/-/lab{}", lab.number), solution);
    }
    router.with_state(Arc::new(house))
}

/// The race that a request's path names, if it is this browser's.
struct Mine(Arc<Run>);

impl FromRequestParts<Arc<House>> for Mine {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, house: &Arc<House>) -> Result<Self, Refusal> {
        let visitor = house.visitors.find(&parts.headers).ok_or(Refusal::Stranger)?;
        let path = RawPathParams::from_request_parts(parts, house).await;
        let named = path.ok().and_then(|path| {
            let (_, number) = path.iter().find(|(name, _)| *name == "race")?;
            number.parse().ok()
        });
        let run = named.and_then(|page| house.runs.of(&visitor, page));
        run.map(Self).ok_or(Refusal::Over)
    }
}

/// Begins a race for this browser, as the form wants it.
async fn begin(
    State(house): State<Arc<House>>,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Refusal> {
    let settings = Settings::default().changed_by(&form)?;
    let (visitor, cookie) = house.visitors.welcome(&headers).map_err(|error| {
        tracing::error!(%error, "no random number for a visitor's cookie");
        Refusal::NoRoom
    })?;
    let run = house.runs.begin(&visitor, settings, &house.climate)?;
    tracing::info!(visitor = visitor.number(), race = run.page, "a race begins");
    let mut response =
        ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "race": run.page }))).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What was counted so far, and when this is said: the page learns from it how its clock differs.
async fn numbers(Mine(run): Mine, Extension(Connection { tap, peer }): Extension<Connection>) -> Response {
    run.own.takes(&tap, peer);
    run.is_asked_for();
    ([(header::CACHE_CONTROL, "no-store")], Json(run.numbers())).into_response()
}

async fn set(
    Mine(run): Mine,
    Extension(Connection { tap, peer }): Extension<Connection>,
    form: Bytes,
) -> Result<Response, Refusal> {
    run.own.takes(&tap, peer);
    let settings = run.settings().changed_by(&form)?;
    run.set(settings);
    Ok(Json(settings).into_response())
}

/// Cuts every line of the race, and lets none be opened for a while.
async fn cut(
    State(house): State<Arc<House>>,
    Mine(run): Mine,
    Extension(Connection { tap, peer }): Extension<Connection>,
    form: Bytes,
) -> Result<Response, Refusal> {
    run.own.takes(&tap, peer);
    let seconds = seconds(&form)?;
    let lines = run.cut(&house.climate, seconds);
    tracing::info!(visitor = run.visitor.number(), race = run.page, lines, seconds, "a race is cut");
    let told = json!({ "at": run.now(), "head": run.head(), "lines": lines, "seconds": seconds });
    Ok(Json(told).into_response())
}

async fn end(State(house): State<Arc<House>>, Mine(run): Mine) -> StatusCode {
    house.runs.end(&run, &house.climate);
    StatusCode::NO_CONTENT
}

/// One of the five servers, as a browser meets it: through the weather, and counted.
async fn lane(
    State(house): State<Arc<House>>,
    Mine(run): Mine,
    Path((_, name, _)): Path<(String, String, String)>,
    Extension(Connection { tap: line, peer }): Extension<Connection>,
    mut request: Request,
) -> Result<Response, Refusal> {
    let lane = run.lane(&name).ok_or(Refusal::NoLane)?;
    *request.uri_mut() = inside(request.uri()).ok_or(Refusal::NoLane)?;
    lane.counted.takes(&line, peer);
    let who = Who {
        lab: Some(lane.lab),
        technique: lane.technique,
        page: Some((Arc::clone(&run.visitor), run.page)),
        peer: Some(peer),
    };
    let delivered = house.climate.claim(&line, who);
    if let Some(instead) = weathered(&line, line.weather().refuse).await {
        return Ok(instead);
    }
    let response = answer(&lane.app, &line, request).await;
    Ok(carry(response, line, delivered).await)
}

/// What a server is asked for: what stands behind `/live/race/-/7/sse`.
fn inside(outside: &Uri) -> Option<Uri> {
    let rest = outside.path_and_query()?.as_str().splitn(7, '/').nth(6)?;
    format!("/{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_for_what_stands_behind_its_lane() {
        let inside = |target: &str| inside(&target.parse().unwrap()).unwrap().to_string();
        assert_eq!(inside("/live/race/-/7/sse/prices/stream?after=2"), "/prices/stream?after=2");
        assert_eq!(inside("/live/race/-/7/ws/floor"), "/floor");
        assert_eq!(inside("/live/race/-/7/poll/updates?after=1/2"), "/updates?after=1/2");
    }
}
