//! The instructor's console: rooms that one acts in, each a part of the page.
//!
//! A room is a section; what changes in it is a part with an id, drawn anew whenever something has changed and, while
//! anybody looks, once a second. The console's event stream brings what differs. What a room does is a form under
//! `/instructor/`, which works without a script. Every route takes [`Instructor`].

mod class;
mod feed;
mod lines;
mod notes;
mod weather;
mod wire;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    BODY, Class, address, done, html,
    key::{self, Door, Instructor},
    order::Order,
    stream::{self, Parts},
};
use crate::{climate::Climate, desk::Desk, server::Connection};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Extension, FromRef, Query, State},
    http::{HeaderMap, Method, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};

/// How long a link for another device can be used.
const LINK: Duration = Duration::from_secs(10 * 60);
/// How often the rooms are looked at in which something changes all the time.
const BEAT: Duration = Duration::from_secs(1);

/// Where the console is.
const PAGE: &str = "/instructor";

/// What the console acts on.
#[derive(Clone)]
pub(crate) struct Console {
    class: Arc<Class>,
    climate: Climate,
    desk: Desk,
    /// The number of the visitor whose connections are listed; 0 lists everybody's.
    shown: Arc<AtomicU64>,
    watching: Arc<wire::Watching>,
}

impl FromRef<Console> for Arc<Class> {
    fn from_ref(console: &Console) -> Self {
        Arc::clone(&console.class)
    }
}

impl FromRef<Console> for Door {
    fn from_ref(console: &Console) -> Self {
        console.class.door.clone()
    }
}

impl Console {
    pub(crate) fn new(class: &Arc<Class>, climate: &Climate, desk: &Desk) -> Self {
        Self {
            class: Arc::clone(class),
            climate: climate.clone(),
            desk: desk.clone(),
            shown: Arc::default(),
            watching: Arc::new(wire::Watching::new(None)),
        }
    }

    /// Everything under `/instructor`.
    pub(crate) fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route(PAGE, get(console))
            .route("/instructor/events", get(events))
            .route("/instructor/link", post(link))
            .route("/instructor/alone", post(alone))
            .merge(class::router())
            .merge(feed::router())
            .merge(weather::router())
            .merge(lines::router())
            .merge(notes::router())
            .merge(wire::router())
            .layer(DefaultBodyLimit::max(BODY))
            .with_state(self)
    }

    fn drawn(&self) -> Parts {
        let room = self.class.room();
        self.class.parts([
            ("state", class::state(&room)),
            ("ballot", class::ballot(&self.class, &room)),
            ("call", class::called(&self.class, &room)),
            ("members", html::members(&room, true)),
            ("notes", notes::drawn(&self.class.screen(), &self.class.pages)),
            ("feed", feed::drawn(&self.desk)),
            ("orders", weather::drawn(&self.climate)),
            ("lines", lines::drawn(self)),
            ("watched", wire::drawn(&self.watching)),
        ])
    }
}

/// The console; with a key, the door to it.
async fn console(
    State(console): State<Console>,
    Query(query): Query<Vec<(String, String)>>,
    method: Method,
    Extension(Connection { peer, .. }): Extension<Connection>,
    headers: HeaderMap,
    instructor: std::result::Result<Instructor, Response>,
) -> Response {
    let class = &console.class;
    let key = query.iter().find(|(name, _)| name == "key").map(|(_, key)| key);
    // Whoever only looks at a link (HEAD) has not opened it.
    if let Some(key) = key.filter(|_| method == Method::GET) {
        return match class.enter(key, &headers, peer).await {
            Ok(cookie) => {
                if let Err(trouble) = class.order(Order::Begin).await {
                    // The console says so, and has a button for it.
                    tracing::warn!("no class begins with the console: {}", trouble.sentence());
                }
                tracing::info!("the instructor's console was opened");
                let keep = [(header::CACHE_CONTROL, "no-store")];
                ([(header::SET_COOKIE, cookie)], keep, Redirect::to("/instructor")).into_response()
            }
            Err(refused) => refused,
        };
    }
    match instructor {
        Ok(Instructor) => ([(header::CACHE_CONTROL, "no-store")], Html(page(&console))).into_response(),
        Err(refused) => refused,
    }
}

fn page(console: &Console) -> String {
    let parts = console.drawn();
    let part = |id: &str| format!("<div id=\"{id}\">{}</div>", parts.html(id));
    let class = &*console.class;
    let questions = format!(
        "{}<h3>Ask one</h3><div class=\"room-list\">{}</div>",
        part("ballot"),
        class::questions(class)
    );
    let device = "<p>The console on your phone, too: a link that works once, within ten minutes.</p>\
         <form method=\"post\" action=\"/instructor/link\" data-opens><button id=\"link\">A link for another device</button></form>\
         <details><summary>Send all other devices away</summary><p>If somebody else has opened the console: from then on it knows this device only.</p>\
         <form method=\"post\" action=\"/instructor/alone\"><button id=\"alone\" class=\"stage-cut\">Only this device, from now on</button></form></details>";
    let shared = |words: &str| match class.is_shared() {
        true => format!("<p class=\"stage-hint\">{words}</p>"),
        false => String::new(),
    };
    let by_number = shared(
        "Every stage that shares the class has this weather; one visitor’s is of this stage alone, as their number is.",
    );
    let listed = shared(
        "Listed and counted are this stage’s own. To cut all of them, or all of a technique, reaches every stage that shares the class.",
    );
    // Beside each other where there is room: what one says, and what one does. What grows with the class has rows of
    // its own below.
    let said = [
        room("notes", "Notes and clock", &(part("notes") + &notes::chooser(&class.screen(), &class.pages))),
        room("here", "Bring everyone here", &(part("call") + &class::invitation(class))),
        room("device", "Another device", device),
    ];
    let done = [
        room("question", "The question", &questions),
        room("feed", "The feed", &part("feed")),
        room("weather", "The weather", &(part("orders") + &weather::form() + &by_number)),
    ];
    let all = [
        room("lines", "Connections", &(lines::finder().to_owned() + &part("lines") + &listed)),
        room("wire", "A wire", &(part("watched") + wire::PANEL)),
        room("who", "Who is here", &part("members")),
    ];
    let content = format!(
        "{}{WAYS}<main class=\"stage-main\">\n<div class=\"stage-title\"><h1>The console</h1>{}</div>\n\
         <div class=\"rooms\">\n<div>{}</div>\n<div>{}</div>\n</div>\n{}</main>\n\
         <script type=\"module\" src=\"/class/-/console.js\"></script>\n",
        html::HEAD,
        part("state"),
        said.concat(),
        done.concat(),
        all.concat(),
    );
    html::page("The console", "console", Some(("/instructor/events", &parts)), &content)
}

/// The ways to the rooms, on a phone within reach of a thumb.
const WAYS: &str = "<nav class=\"rooms-ways\" aria-label=\"Rooms\">\
     <a href=\"#room-notes\">Notes</a><a href=\"#room-here\">Bring</a><a href=\"#room-question\">Question</a><a href=\"#room-feed\">Feed</a>\
     <a href=\"#room-weather\">Weather</a><a href=\"#room-lines\">Connections</a><a href=\"#room-wire\">Wire</a><a href=\"#room-who\">Who</a></nav>";

fn room(name: &str, title: &str, content: &str) -> String {
    format!(
        "<section class=\"room\" id=\"room-{name}\" aria-labelledby=\"{name}-title\"><h2 id=\"{name}-title\">{title}</h2>{content}</section>\n"
    )
}

async fn events(_: Instructor, State(console): State<Console>, headers: HeaderMap) -> Response {
    let (class, session) = (Arc::clone(&console.class), key::session_of(&headers));
    // Who is sent away while the page is open sees nothing more of it.
    let is_let_in = move |class: &Class| session.is_some_and(|session| class.door.keys().opens(&session));
    stream::parts(class, &headers, Some(BEAT), move |class| is_let_in(class).then(|| console.drawn()))
}

/// Orders something, and answers with what has become of it.
async fn order(class: &Class, headers: &HeaderMap, order: Order) -> Response {
    let ordered = class.order(order).await.map(drop);
    done(headers, PAGE, ordered)
}

/// Nobody else is the instructor from here on.
async fn alone(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    match key::session_of(&headers) {
        Some(session) => order(&class, &headers, Order::KeepOnly { session }).await,
        None => done(&headers, PAGE, Ok(())),
    }
}

/// A page with a link for another device. It is shown once, and is in no stream.
async fn link(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let link = match class.link_within(Some(LINK)).await {
        Ok(link) => link,
        Err(trouble) => return done(&headers, PAGE, Err(trouble)),
    };
    let url = format!("{}{link}", class.address(&headers));
    let content = format!(
        "{}<main class=\"stage-main class-link\">\n<h1>A link for another device</h1>\n\
         <p class=\"stage-lede\">It opens the console once, within ten minutes. Show it to nobody else.</p>\n\
         {}<p class=\"class-address\"><a href=\"{url}\">{url}</a></p>\n<p><a href=\"/instructor\">Back to the console</a></p>\n</main>\n",
        html::HEAD,
        address::in_page(&url).unwrap_or_default(),
        url = html::escape(&url),
    );
    let page = html::page("A link for another device", "class-notice", None, &content);
    ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}
