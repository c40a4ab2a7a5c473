//! Those who take part: a visitor's own page, votes, and what `cargo lab` says.
//!
//! # What `cargo lab` sends
//!
//! Small JSON by POST. Every answer that is not 2xx is a sentence.
//!
//! | path | `Authorization` | body | answer |
//! |---|---|---|---|
//! | `/class/join` | none, or `Bearer` token to change one's name | `{"version":1,"name":"Sari"}` | `{"version":1,"name":"Sari 2","token":"…"}` |
//! | `/class/report` | `Bearer` token | `{"version":1,"lab":3,"total":7,"done":[1,2],"open":[3]}` | 204 |
//! | `/class/leave` | `Bearer` token | none | 204 |
//!
//! An empty name asks for one that the stage makes up. A `"code"` beside it, from a member's own page, joins as that
//! member: a phone and a laptop are one name on the board then. A report names the TODOs that were graded; of the others it
//! says nothing. There is no place in it for code.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Class, Fields, done, html,
    name::Name,
    order::{Done, Order},
    room::{self, Graded, Result, Trouble},
    stream::{self, Parts},
};
use crate::visitor::cookie;

/// The cookie's name.
const COOKIE: &str = "stage_class";
/// What this stage and `cargo lab` speak.
const VERSION: u32 = 1;

pub(super) fn router() -> Router<Arc<Class>> {
    Router::new()
        .route("/join", get(|| async { Redirect::to("/class/me") }))
        // What a member's own page gives to `cargo lab`, opened in a browser.
        .route("/join/{code}", get(|| async { Redirect::to("/class/me") }))
        .route("/class/me", get(me))
        .route("/class/me/events", get(events))
        .route("/class/me/name", post(name))
        .route("/class/me/leave", post(leave))
        .route("/class/vote", post(vote))
        .route("/class/join", post(join))
        .route("/class/report", post(report))
        .route("/class/leave", post(leave_by_token))
}

/// The token in the browser's cookie.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

fn set_cookie(token: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}={token}; Path=/class; HttpOnly; SameSite=Strict")).ok()
}

/// The token of whoever asks, which is a new one for who has none; gives it to the browser with the answer.
pub(super) fn as_somebody(
    class: &Class,
    headers: &HeaderMap,
    answer: impl FnOnce(&str) -> Response,
) -> Response {
    match welcome(class, token(headers)) {
        Ok((token, is_new)) => {
            let answer = answer(&token);
            with_cookie(answer, is_new.then_some(&token))
        }
        Err(trouble) => trouble.into_response(),
    }
}

/// The token of whoever shows this one, and whether it is a new one.
fn welcome(class: &Class, token: Option<&str>) -> Result<(String, bool)> {
    if let Some(token) = token.filter(|token| class.knows(token).is_ok()) {
        class.room().see(token);
        return Ok((token.to_owned(), false));
    }
    class.room().welcome(None)
}

fn with_cookie(mut response: Response, token: Option<&String>) -> Response {
    if let Some(cookie) = token.and_then(|token| set_cookie(token)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A visitor's own page.
async fn me(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    as_somebody(&class, &headers, |token| {
        let page = page(&class, &headers, token);
        ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
    })
}

fn page(class: &Class, headers: &HeaderMap, token: &str) -> String {
    let parts = drawn(class, token, &class.address(headers));
    let content = format!(
        "{}<main class=\"stage-main class-me\">\n<section id=\"call\" aria-live=\"polite\">{}</section>\n\
         <section id=\"name\">{}</section>\n<section id=\"vote-room\" aria-live=\"polite\">{}</section>\n\
         <section class=\"class-further\" id=\"further\">{}</section>\n</main>\n",
        html::HEAD,
        parts.html("call"),
        parts.html("name"),
        parts.html("vote-room"),
        parts.html("further"),
    );
    html::page("Your place in the class", "class-own", Some(("/class/me/events", &parts)), &content)
}

fn drawn(class: &Class, token: &str, address: &str) -> Parts {
    let room = class.room();
    let code = room.member(token).map_or_else(String::new, |member| format!("/join/{}", member.code));
    let further = format!(
        "<h2>With the labs on your machine</h2><p>{}, and nothing of your code:</p><p><code>cargo lab join {}{code}</code></p>",
        if code.is_empty() {
            "Your progress stands on the board after this"
        } else {
            "Your progress stands beside your name after this"
        },
        html::escape(address)
    );
    let call = room.call().map_or_else(String::new, |call| {
        format!("<p class=\"class-call\">The instructor asks you to {}.</p>", html::link(class, &call.path))
    });
    if !room.is_on() {
        let words = "<h1>No class is on</h1><p>It begins when the instructor opens the console. The book is <a href=\"/en/\">here</a> meanwhile.</p>";
        return class.parts([
            ("call", call),
            ("name", words.to_owned()),
            ("vote-room", String::new()),
            ("further", further),
        ]);
    }
    let name = match room.member(token) {
        Some(member) => format!(
            "<h1>You are on the board as <bdi class=\"class-name\">{}</bdi></h1><div class=\"stage-controls\">{}<a href=\"/en/\">Open the book</a></div>",
            html::escape(member.name.as_str()),
            html::button("leave", "/class/me/leave", &[], "", "Take my name off")
        ),
        None => "<h1>Join the class</h1><form method=\"post\" action=\"/class/me/name\" class=\"class-form\">\
             <label for=\"own-name\">A name for the board, which everyone in the room sees</label>\
             <input id=\"own-name\" name=\"name\" autocomplete=\"nickname\" required maxlength=\"200\">\
             <button id=\"join\" class=\"primary\">Join</button></form>\
             <p class=\"stage-hint\">You may vote without one. Your name is forgotten when the class ends, unless the instructor keeps the board.</p>"
            .to_owned(),
    };
    class.parts([
        ("call", call),
        ("name", name),
        ("vote-room", html::vote(class, &room, token)),
        ("further", further),
    ])
}

async fn events(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    as_somebody(&class, &headers, |token| {
        let (token, address) = (token.to_owned(), class.address(&headers));
        stream::parts(Arc::clone(&class), &headers, None, move |class| Some(drawn(class, &token, &address)))
    })
}

async fn name(State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let (token, is_new) = match welcome(&class, token(&headers)) {
        Ok(welcomed) => welcomed,
        Err(trouble) => return trouble.into_response(),
    };
    let joined = match Name::read(Fields::read(&body).get("name")) {
        Ok(name) => joins(&class, &token, name).await,
        Err(sentence) => Err(Trouble::Bad(sentence)),
    };
    with_cookie(done(&headers, "/class/me", joined.map(drop)), is_new.then_some(&token))
}

/// Puts a name on the board; gives it as it is there.
async fn joins(class: &Class, token: &str, name: Name) -> Result<Name> {
    let code = room::code().map_err(|_| Trouble::Full("The stage can take nobody else now."))?;
    match class.order(Order::Join { token: token.to_owned(), name: name.clone(), code }).await? {
        Done::Joined(name) => Ok(name),
        _ => Ok(name),
    }
}

async fn leave(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    let left = leaves(&class, token(&headers)).await;
    done(&headers, "/class/me", left)
}

async fn leaves(class: &Class, token: Option<&str>) -> Result<()> {
    class.order(Order::Leave { token: token.unwrap_or_default().to_owned() }).await.map(drop)
}

async fn vote(State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let read = || {
        let asked = class.find(fields.get("question"))?;
        let answer = fields.get("answer").parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let answer = answer
            .ok_or_else(|| Trouble::Bad(format!("Choose one of the answers 1 to {}.", asked.answers)))?;
        let token = token(&headers).unwrap_or_default().to_owned();
        Ok::<_, Trouble>((Order::Vote { token: token.clone(), asked, answer }, token))
    };
    let voted = async {
        let (vote, token) = read()?;
        // Alone, a stage knows whom it has welcomed; another one's visitors are told by what their tokens look like.
        if class.is_shared() {
            class.knows(&token)?;
        }
        class.order(vote).await.map(drop)
    };
    let voted = voted.await;
    done(&headers, "/class/me", voted)
}

/// What `cargo lab join` sends.
#[derive(Deserialize)]
struct Joining {
    name: String,
    #[serde(default)]
    code: String,
}

/// What the bench sends after a grading.
#[derive(Deserialize)]
struct Report {
    lab: u8,
    total: u8,
    done: Vec<u8>,
    open: Vec<u8>,
}

/// The version, before anything else is asked of the words.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    let Versioned { version } = serde_json::from_slice(body)
        .map_err(|error| Trouble::Bad(format!("This is not what `cargo lab` sends: {error}.")))?;
    if version != VERSION {
        return Err(Trouble::Bad(format!(
            "This stage speaks version {VERSION} of what `cargo lab` sends, and this is version {version}: use the same release of the book on both sides."
        )));
    }
    serde_json::from_slice(body)
        .map_err(|error| Trouble::Bad(format!("This is not what `cargo lab` sends: {error}.")))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn join(State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let read = || {
        let Joining { name, code } = read(&body)?;
        let token = match code.as_str() {
            // Who joins again changes their name and keeps their place.
            "" => welcome(&class, bearer(&headers))?.0,
            code => class.room().token_of(code)?,
        };
        let own = class.room().member(&token).map(|member| member.name.clone());
        let name = match (name.as_str(), own) {
            ("", Some(own)) => own,
            ("", None) => Name::read("Student").map_err(Trouble::Bad)?,
            (name, _) => Name::read(name).map_err(Trouble::Bad)?,
        };
        Ok::<_, Trouble>((name, token))
    };
    let joined = async {
        let (name, token) = read()?;
        Ok::<_, Trouble>((joins(&class, &token, name).await?, token))
    };
    match joined.await {
        Ok((name, token)) => {
            axum::Json(json!({ "version": VERSION, "name": name.as_str(), "token": token })).into_response()
        }
        Err(trouble) => trouble.into_response(),
    }
}

async fn report(State(class): State<Arc<Class>>, headers: HeaderMap, body: Bytes) -> Response {
    let reported = async {
        let Report { lab, total, done, open } = read(&body)?;
        let (token, graded) = (bearer(&headers).unwrap_or_default(), Graded { lab, total, done, open });
        class.order(Order::Graded { token: token.to_owned(), graded }).await.map(drop)
    };
    done_for_lab(reported.await)
}

async fn leave_by_token(State(class): State<Arc<Class>>, headers: HeaderMap) -> Response {
    done_for_lab(leaves(&class, bearer(&headers)).await)
}

fn done_for_lab(result: Result<()>) -> Response {
    match result {
        Ok(()) => axum::http::StatusCode::NO_CONTENT.into_response(),
        Err(trouble) => trouble.into_response(),
    }
}
