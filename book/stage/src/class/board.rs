//! The board that is projected, and what a page of the book hears of the class.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};

use super::{
    Class, address, html,
    member::as_somebody,
    stream::{self, Parts},
};

pub(super) fn router() -> Router<Arc<Class>> {
    Router::new()
        .route("/class", get(board))
        .route("/class/", get(|| async { Redirect::permanent("/class") }))
        .route("/class/events", get(events))
        .route("/class/here", get(here))
}

async fn board(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let parts = drawn(&class);
    let content = format!(
        "<main class=\"class-board\">\n<section class=\"class-way\" aria-label=\"How to join\">{}</section>\n\
         <section class=\"class-question\" id=\"question\" aria-live=\"polite\">{}</section>\n\
         <section class=\"class-done\" id=\"labs\">{}</section>\n\
         <section class=\"class-all\" id=\"members\">{}</section>\n</main>\n",
        way(&class, &headers),
        parts.html("question"),
        parts.html("labs"),
        parts.html("members")
    );
    let page = html::page("The class", "class-projected", Some(("/class/events", &parts)), &content);
    ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

/// The way here, as a code to scan and an address to type.
fn way(class: &Class, headers: &HeaderMap) -> String {
    let address = class.address(headers);
    let short = address.trim_start_matches("http://");
    let (code, hint) = match class.address.get() {
        Some(address) => (address::in_page(&format!("{address}/join")).unwrap_or_default(), ""),
        None => (
            String::new(),
            "<p class=\"stage-hint\">Only this machine reaches this stage. <code>cargo stage --public</code> lets the network in.</p>",
        ),
    };
    let (short, address) = (html::escape(short), html::escape(&address));
    format!(
        "{code}<div><h1>Beyond fetch</h1><p class=\"class-address\"><a href=\"/join\">{short}/join</a></p>\
         <p class=\"class-command\"><code>cargo lab join {address}</code></p>{hint}</div>"
    )
}

/// What the board shows, drawn once for all who look at it.
fn drawn(class: &Class) -> Parts {
    // Read before the room is: what is drawn is as new as the number says, or newer.
    let number = *class.changed.borrow();
    let mut kept = class.board.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match &*kept {
        Some((drawn, parts)) if *drawn == number => parts.clone(),
        _ => {
            let parts = draw(class);
            *kept = Some((number, parts.clone()));
            parts
        }
    }
}

fn draw(class: &Class) -> Parts {
    let room = class.room();
    let question = match room.ballot() {
        Some(ballot) => html::question(class, ballot, ballot.stage),
        None if room.is_on() => String::new(),
        None => "<p class=\"stage-hint\">No class is on. It begins when the instructor opens the console: its link is printed in the terminal.</p>".to_owned(),
    };
    class.parts([
        ("question", question),
        ("labs", html::labs(&room)),
        ("members", html::members(&room, false)),
    ])
}

async fn events(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    stream::parts(class, &headers, None, |class| Some(drawn(class)))
}

/// A page of the book listens; the browser becomes one that can vote.
async fn here(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    if !class.has_news() {
        // Nothing to come back for: an EventSource stops at 204.
        return StatusCode::NO_CONTENT.into_response();
    }
    as_somebody(&class, &headers, |token| stream::here(Arc::clone(&class), &headers, token.to_owned()))
}
