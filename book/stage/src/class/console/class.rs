//! The console's rooms of the class: whether one is on, its question, the page that it is asked to, and who is here.

use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};

use super::{Console, PAGE, order};
use crate::class::{
    Class, Fields, done, html,
    key::{Instructor, now},
    name_of,
    order::Order,
    room::{Counting, Room, Trouble},
};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/instructor/class/begin", post(begin))
        .route("/instructor/class/end", post(end))
        .route("/instructor/class/ask", post(ask))
        .route("/instructor/class/count", post(count))
        .route("/instructor/class/away", post(away))
        .route("/instructor/class/call", post(call))
        .route("/instructor/class/call-off", post(call_off))
        .route("/instructor/class/remove", post(remove))
}

/// Every question of the book, to be asked.
pub(super) fn questions(class: &Class) -> String {
    class
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
        .collect()
}

/// A form that asks everyone to a page.
pub(super) fn invitation(class: &Class) -> String {
    format!(
        "<form method=\"post\" action=\"/instructor/class/call\" class=\"class-form\">\
         <label for=\"place\">A page</label><select id=\"place\" name=\"page\">{}</select>\
         <label for=\"spot\">A place on it, if you like: what stands behind the # of its address</label>\
         <input id=\"spot\" name=\"spot\" autocomplete=\"off\" spellcheck=\"false\">\
         <button id=\"bring\" class=\"primary\">Bring everyone here</button></form>",
        html::places(class)
    )
}

/// Whether a class is on.
pub(super) fn state(room: &Room) -> String {
    if room.is_on() {
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
    }
}

/// The question that is open.
pub(super) fn ballot(class: &Class, room: &Room) -> String {
    match room.ballot() {
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
    }
}

/// Where everyone is asked to.
pub(super) fn called(class: &Class, room: &Room) -> String {
    room.call().map_or_else(String::new, |call| {
        format!(
            "<p>Everyone is asked to {}.</p><div class=\"stage-controls\">{}</div>",
            html::link(class, &call.path),
            html::button("call-off", "/instructor/class/call-off", &[], "", "Ask no longer")
        )
    })
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

async fn begin(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    order(&class, &headers, Order::Begin).await
}

async fn end(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    order(&class, &headers, Order::End).await
}

async fn ask(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    match class.find(Fields::read(&body).get("question")) {
        Ok(asked) => order(&class, &headers, Order::Ask { asked }).await,
        Err(trouble) => done(&headers, PAGE, Err(trouble)),
    }
}

async fn count(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let stage = match Fields::read(&body).get("stage") {
        "open" => Counting::Open,
        "shown" => Counting::Shown,
        "revealed" => Counting::Revealed,
        _ => {
            let trouble = Trouble::Bad("The votes are `open`, `shown` or `revealed`.".to_owned());
            return done(&headers, PAGE, Err(trouble));
        }
    };
    order(&class, &headers, Order::Count { stage }).await
}

async fn away(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    order(&class, &headers, Order::PutAway).await
}

async fn call(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let path = match fields.get("spot").trim().trim_start_matches('#') {
        "" => fields.get("page").to_owned(),
        spot => format!("{}#{spot}", fields.get("page")),
    };
    order(&class, &headers, Order::Call { path, now: now() }).await
}

async fn call_off(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    order(&class, &headers, Order::CallOff).await
}

async fn remove(_: Instructor, State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let number = Fields::read(&body).get("number").parse().unwrap_or(0);
    order(&class, &headers, Order::Remove { number }).await
}
