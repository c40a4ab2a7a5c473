//! The instructor's console, as far as the class goes: rooms that one acts in, each a part of the page.
//!
//! A room is a section with an id; [`drawn`] gives its HTML, the console's event stream keeps it new, and what it does
//! is a form under `/instructor/`, which works without a script. Every route takes [`Instructor`].

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Extension, Query, State},
    http::{HeaderMap, Method, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde_json::json;

use super::{
    Class, Fields, Reach, address, done, html,
    key::Instructor,
    name_of,
    room::{Counting, Result, Trouble},
    stream::{self, Parts},
};
use crate::server::Connection;

/// How long a link for another device can be used.
const LINK: Duration = Duration::from_secs(10 * 60);

pub(super) fn router() -> Router<Arc<Class>> {
    Router::new()
        .route("/instructor", get(console))
        .route("/instructor/events", get(events))
        .route("/instructor/link", post(link))
        .route("/instructor/class/begin", post(begin))
        .route("/instructor/class/end", post(end))
        .route("/instructor/class/ask", post(ask))
        .route("/instructor/class/count", post(count))
        .route("/instructor/class/away", post(away))
        .route("/instructor/class/call", post(call))
        .route("/instructor/class/call-off", post(call_off))
        .route("/instructor/class/remove", post(remove))
}

/// The console; with a key, the door to it.
async fn console(
    State(class): State<Arc<Class>>,
    Query(query): Query<Vec<(String, String)>>,
    method: Method,
    Extension(Connection { peer, .. }): Extension<Connection>,
    headers: HeaderMap,
    instructor: std::result::Result<Instructor, Response>,
) -> Response {
    let key = query.iter().find(|(name, _)| name == "key").map(|(_, key)| key);
    // Whoever only looks at a link (HEAD) has not opened it.
    if let Some(key) = key.filter(|_| method == Method::GET) {
        return match class.door.enter(key, &headers, Some(peer)).await {
            Ok(cookie) => {
                let begun = class.change(Reach::Everyone, |room| Ok(room.begin()));
                if begun == Ok(true) {
                    class.note(json!({ "what": "begun" }));
                }
                tracing::info!("the instructor's console was opened");
                let keep = [(header::CACHE_CONTROL, "no-store")];
                ([(header::SET_COOKIE, cookie)], keep, Redirect::to("/instructor")).into_response()
            }
            Err(refused) => refused,
        };
    }
    match instructor {
        Ok(Instructor) => ([(header::CACHE_CONTROL, "no-store")], Html(page(&class))).into_response(),
        Err(refused) => refused,
    }
}

fn page(class: &Class) -> String {
    let parts = drawn(class);
    let questions: String = class
        .pages
        .iter()
        .filter(|page| !page.questions.is_empty())
        .map(|page| {
            let items: String = page
                .questions
                .iter()
                .map(|question| {
                    let name = name_of(page, question);
                    let ask = html::button(
                        &format!("ask-{}", question.id),
                        "/instructor/class/ask",
                        &[("question", &name)],
                        "",
                        "Ask",
                    );
                    format!("<li><div>{}</div>{ask}</li>", question.text)
                })
                .collect();
            format!("<details><summary>{}</summary><ul>{items}</ul></details>", html::escape(&page.title))
        })
        .collect();
    let room = |id: &str, title: &str, content: &str| {
        // What grows with the class has a row of its own.
        let wide = if id == "who" { " room-wide" } else { "" };
        format!(
            "<section class=\"room{wide}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>{content}</section>\n"
        )
    };
    let content = format!(
        "{}<main class=\"stage-main\">\n<div class=\"stage-title\"><h1>The console</h1><div id=\"state\">{}</div></div>\n<div class=\"rooms\">\n{}{}{}{}</div>\n</main>\n",
        html::HEAD,
        parts.html("state"),
        room(
            "question",
            "The question",
            &format!(
                "<div id=\"ballot\">{}</div><h3>Ask one</h3><div class=\"room-list\">{questions}</div>",
                parts.html("ballot")
            )
        ),
        room(
            "here",
            "Bring everyone here",
            &format!(
                "<div id=\"call\">{}</div><form method=\"post\" action=\"/instructor/class/call\" class=\"class-form\">\
                 <label for=\"place\">A page</label><select id=\"place\" name=\"page\">{}</select>\
                 <label for=\"spot\">A place on it, if you like: what stands behind the # of its address</label>\
                 <input id=\"spot\" name=\"spot\" autocomplete=\"off\" spellcheck=\"false\">\
                 <button id=\"bring\" class=\"primary\">Bring everyone here</button></form>",
                parts.html("call"),
                html::places(class)
            )
        ),
        room(
            "device",
            "Another device",
            &format!(
                "<p>The console on your phone, too: a link that works once, within ten minutes.</p>{}",
                "<form method=\"post\" action=\"/instructor/link\" data-opens><button id=\"link\">A link for another device</button></form>"
            )
        ),
        room("who", "Who is here", &format!("<div id=\"members\">{}</div>", parts.html("members"))),
    );
    html::page("The console", "console", Some("/instructor/events"), &content)
}

fn drawn(class: &Class) -> Parts {
    let room = class.room();
    let state = if room.is_on() {
        format!(
            "<p class=\"stage-lede\">The class is on. Project <a href=\"/class\">the board</a>.</p>\
             <details><summary>End the class</summary><div class=\"stage-controls\">{}</div></details>",
            html::button(
                "end",
                "/instructor/class/end",
                &[],
                "stage-cut",
                "End it, and forget names, progress and votes"
            )
        )
    } else {
        format!(
            "<p class=\"stage-lede\">No class is on.</p><div class=\"stage-controls\">{}</div>",
            html::button("begin", "/instructor/class/begin", &[], "primary", "Begin a class")
        )
    };
    let ballot = match room.ballot() {
        None => "<p class=\"stage-hint\">No question is open.</p>".to_owned(),
        Some(ballot) => {
            let count = |to: &str, class: &str, words: &str| {
                html::button(
                    &format!("count-{to}"),
                    "/instructor/class/count",
                    &[("stage", to)],
                    class,
                    words,
                )
            };
            let away = html::button("away", "/instructor/class/away", &[], "", "Put it away");
            let buttons = match ballot.stage {
                Counting::Open => {
                    count("shown", "", "Show the votes") + &count("revealed", "primary", "Reveal the answer")
                }
                Counting::Shown => {
                    count("open", "", "Hide the votes") + &count("revealed", "primary", "Reveal the answer")
                }
                Counting::Revealed => String::new(),
            };
            // Here one sees what the class does not see yet.
            let shown = html::question(class, ballot, ballot.stage.max_shown());
            format!("{shown}<div class=\"stage-controls\">{buttons}{away}</div>")
        }
    };
    let call = room.call().map_or_else(String::new, |call| {
        let path = html::escape(&call.path);
        format!(
            "<p>Everyone is asked to <a href=\"{path}\">{path}</a>.</p><div class=\"stage-controls\">{}</div>",
            html::button("call-off", "/instructor/class/call-off", &[], "", "Ask no longer")
        )
    });
    Parts::from([
        ("state", state),
        ("ballot", ballot),
        ("call", call),
        ("members", html::members(&room, true)),
    ])
}

impl Counting {
    /// What the console shows while the class sees this much.
    fn max_shown(self) -> Self {
        match self {
            Self::Open | Self::Shown => Self::Shown,
            Self::Revealed => Self::Revealed,
        }
    }
}

async fn events(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    stream::parts(class, &headers, drawn)
}

const PAGE: &str = "/instructor";

async fn begin(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let begun = class.change(Reach::Everyone, |room| Ok(room.begin()));
    class.note(json!({ "what": "begun" }));
    done(&headers, PAGE, begun.map(drop))
}

async fn end(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let ended = class.change(Reach::Everyone, |room| {
        room.end();
        Ok(())
    });
    class.note(json!({ "what": "ended" }));
    done(&headers, PAGE, ended)
}

async fn ask(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let name = Fields::read(&body).get("question").to_owned();
    let asked = class.find(&name).and_then(|asked| class.change(Reach::Everyone, |room| room.ask(asked)));
    if asked.is_ok() {
        class.note(json!({ "what": "asked", "question": name }));
    }
    done(&headers, PAGE, asked)
}

async fn count(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let counted = (|| {
        let stage = match Fields::read(&body).get("stage") {
            "open" => Counting::Open,
            "shown" => Counting::Shown,
            "revealed" => Counting::Revealed,
            _ => return Err(Trouble::Bad("The votes are `open`, `shown` or `revealed`.".to_owned())),
        };
        let ballot = class.change(Reach::Everyone, |room| room.count(stage).cloned())?;
        if stage == Counting::Revealed {
            class.note_votes(&ballot);
        }
        Ok(())
    })();
    done(&headers, PAGE, counted)
}

async fn away(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let away = class.change(Reach::Everyone, |room| {
        room.put_away();
        Ok(())
    });
    done(&headers, PAGE, away)
}

async fn call(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let path = match fields.get("spot").trim().trim_start_matches('#') {
        "" => fields.get("page").to_owned(),
        spot => format!("{}#{spot}", fields.get("page")),
    };
    let called: Result<()> = class.change(Reach::Everyone, |room| room.call_to(&path).map(drop));
    done(&headers, PAGE, called)
}

async fn call_off(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let called = class.change(Reach::Everyone, |room| {
        room.call_off();
        Ok(())
    });
    done(&headers, PAGE, called)
}

async fn remove(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let number = Fields::read(&body).get("number").parse().unwrap_or(0);
    let removed = class.change(Reach::Board, |room| room.remove(number));
    if let Ok(name) = &removed {
        class.note(json!({ "what": "removed", "name": name.as_str() }));
    }
    done(&headers, PAGE, removed.map(drop))
}

/// A page with a link for another device. It is shown once, and is in no stream.
async fn link(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let Ok(key) = class.door.link(Some(LINK)) else {
        return Trouble::Full("The stage can make no link now.").into_response();
    };
    let url = format!("{}/instructor?key={key}", class.address(&headers));
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
