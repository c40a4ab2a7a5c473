//! Who is in the room: the class, its board, its questions, and the instructor's key.
//!
//! | path | what |
//! |---|---|
//! | `GET /class` | the board, to project |
//! | `GET /class/events` | what changes on it, as an event stream, resumable |
//! | `GET /join` | the short address: leads to `/class/me` |
//! | `GET /class/me`, `/class/me/events` | a visitor's own page: a name, the question that is open |
//! | `POST /class/me/name`, `/class/me/leave` | a name on the board, and off it |
//! | `POST /class/vote` | a vote: `question=PAGE%23ID`, `answer=1` and so on |
//! | `GET /class/here` | what a page of the book hears of the class, as an event stream; 204 while none is on |
//! | `POST /class/join`, `/class/report`, `/class/leave` | `cargo lab`: JSON in, see `member` |
//! | `GET /instructor?key=…` | exchanges the one-time link for a cookie |
//! | `GET /instructor`, `/instructor/events` | the console |
//! | `POST /instructor/class/…` | what the console does with the class |
//! | `POST /instructor/feed/…`, `/instructor/weather/…` | … with the market, and with the climate |
//!
//! A person is told by a token: 128 random bits, in a browser's cookie or in the file that `cargo lab join` keeps.
//! Nobody is asked who they are. What is known of them is a name, if they chose one, how far they are in the labs, if
//! they joined with `cargo lab`, and their vote. All of it is forgotten when the class or the stage ends, unless the
//! stage was started with `--keep`.
//!
//! `room` is the state, `key` the instructor's door, `board`, `member` and `console` are the routes,
//! `html` draws all of their pages: a script only puts in place what it drew.

pub mod address;
mod board;
mod console;
mod html;
pub mod keep;
mod key;
mod member;
mod name;
mod room;
mod stream;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use press::{PageOutline, QuestionOutline};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::guard;
pub(crate) use console::Console;
use keep::Keep;
use key::Door;
use room::{Asked, Ballot, Counting, Room, Trouble};

/// The longest body that anything here takes, in bytes.
const BODY: usize = 32 * 1024;

/// The class of a stage.
pub struct Class {
    pages: Vec<PageOutline>,
    door: Door,
    room: Mutex<Room>,
    /// The number of the newest change; the board, the console and `/class/me` wait here.
    changed: watch::Sender<u64>,
    /// The same for what concerns every page.
    called: watch::Sender<u64>,
    /// The board as it was last drawn, with the number of the change.
    board: Mutex<Option<(u64, stream::Parts)>>,
    /// Tells this stage's numbers from those of the one before.
    era: String,
    address: OnceLock<String>,
    keep: OnceLock<Keep>,
}

/// Whom a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The board and the console.
    Board,
    /// Every page of the book that is open, too.
    Everyone,
}

impl Class {
    /// A class that has not begun, and knows the questions of the book whose repository is at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        let pages = press::outline(&press::Options::new(root, root)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the class has no questions");
            Vec::new()
        });
        Self {
            pages,
            door: Door::default(),
            room: Mutex::default(),
            changed: watch::Sender::new(0),
            called: watch::Sender::new(0),
            board: Mutex::default(),
            era: key::random().unwrap_or_default(),
            address: OnceLock::new(),
            keep: OnceLock::new(),
        }
    }

    /// The path of a link to the console that works once.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub fn link(&self) -> Result<String, getrandom::Error> {
        Ok(format!("/instructor?key={}", self.door.link(None)?))
    }

    /// Says where others reach this stage: `http://192.168.1.20:8080`. The first call counts.
    pub fn reached_at(&self, address: String) {
        let _ = self.address.set(address);
    }

    /// Has what happens written down. The first call counts.
    pub fn keep(&self, keep: Keep) {
        let _ = self.keep.set(keep);
    }

    /// Has everything written down that is to be, before the stage ends.
    pub(crate) fn flush(&self) {
        if let Some(keep) = self.keep.get() {
            keep.flush();
        }
    }

    /// Changes the room and tells those whom it concerns.
    fn change<T>(&self, reach: Reach, what: impl FnOnce(&mut Room) -> room::Result<T>) -> room::Result<T> {
        let done = what(&mut self.room())?;
        self.changed.send_modify(|number| *number += 1);
        if reach == Reach::Everyone {
            self.called.send_modify(|number| *number += 1);
        }
        Ok(done)
    }

    /// Has the console drawn anew: something has changed that is not the class's.
    fn redraw(&self) {
        self.changed.send_modify(|number| *number += 1);
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes down what happened, if anybody wants that.
    fn note(&self, what: Value) {
        if let Some(keep) = self.keep.get() {
            keep.write(what);
        }
    }

    /// The question of this name: `03-server-sent-events#predict-clean-end`.
    fn find(&self, name: &str) -> room::Result<Asked> {
        let nothing = Trouble::Nothing("There is no such question in the book.");
        let (file, id) = name.split_once('#').ok_or(nothing.clone())?;
        let is_file = |page: &PageOutline| page.file.strip_suffix(".html") == Some(file);
        let page = self.pages.iter().position(is_file).ok_or(nothing.clone())?;
        let questions = &self.pages[page].questions;
        let question = questions.iter().position(|question| question.id == id).ok_or(nothing)?;
        Ok(Asked { page, question, answers: questions[question].answers.len() })
    }

    fn asked(&self, asked: Asked) -> (&PageOutline, &QuestionOutline) {
        let page = &self.pages[asked.page];
        (page, &page.questions[asked.question])
    }

    /// The name that [`Class::find`] finds.
    fn name(&self, asked: Asked) -> String {
        let (page, question) = self.asked(asked);
        name_of(page, question)
    }

    fn note_votes(&self, ballot: &Ballot) {
        self.note(
            json!({ "what": "revealed", "question": self.name(ballot.asked), "votes": ballot.counts() }),
        );
    }

    /// Where others reach the stage, or else where this browser did.
    fn address(&self, headers: &HeaderMap) -> String {
        match self.address.get() {
            Some(address) => address.clone(),
            None => {
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                format!("http://{}", host.unwrap_or("127.0.0.1:8080"))
            }
        }
    }

    /// The open question, as far as this person is to know about it.
    fn described(&self, room: &Room, token: &str) -> Value {
        let Some(ballot) = room.ballot() else { return Value::Null };
        let (page, question) = self.asked(ballot.asked);
        let is_revealed = ballot.stage == Counting::Revealed;
        let right: Vec<usize> =
            question.answers.iter().enumerate().filter(|(_, a)| a.right).map(|(at, _)| at).collect();
        json!({
            "name": name_of(page, question),
            "page": page.file,
            "id": question.id,
            "stage": ballot.stage,
            "answers": question.answers.iter().map(|answer| &answer.text).collect::<Vec<_>>(),
            "mine": room.vote_of(token),
            "counts": is_revealed.then(|| ballot.counts()),
            "right": is_revealed.then_some(right),
        })
    }
}

fn name_of(page: &PageOutline, question: &QuestionOutline) -> String {
    format!("{}#{}", page.file.trim_end_matches(".html"), question.id)
}

impl FromRef<Arc<Class>> for Door {
    fn from_ref(class: &Arc<Class>) -> Self {
        class.door.clone()
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Stranger(_) => StatusCode::FORBIDDEN,
            Self::Late(_) => StatusCode::CONFLICT,
            Self::Nothing(_) => StatusCode::NOT_FOUND,
            Self::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{}\n", self.sentence())).into_response()
    }
}

impl Trouble {
    fn sentence(&self) -> &str {
        match self {
            Self::Bad(sentence) => sentence,
            Self::Stranger(sentence)
            | Self::Late(sentence)
            | Self::Nothing(sentence)
            | Self::Full(sentence) => sentence,
        }
    }
}

/// What a form or a script is answered: a browser without script goes back to the page it came from.
fn done(headers: &HeaderMap, page: &'static str, result: room::Result<()>) -> Response {
    match result {
        Ok(()) if guard::wants_page(headers) => Redirect::to(page).into_response(),
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(trouble) if guard::wants_page(headers) => {
            let words = html::notice("That was not done", trouble.sentence());
            (trouble.into_response().status(), axum::response::Html(words)).into_response()
        }
        Err(trouble) => trouble.into_response(),
    }
}

/// A form's fields, by name.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// Everything under `/class` and `/join`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(class: Arc<Class>) -> Router<S> {
    let file = |kind: &'static str, text: &'static str| {
        get(
            move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text) },
        )
    };
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    Router::new()
        .merge(board::router())
        .merge(member::router())
        .route("/class/-/parts.js", file(SCRIPT, include_str!("../../web/parts.js")))
        .route("/class/-/here.js", file(SCRIPT, include_str!("../../web/here.js")))
        .route("/class/-/here.css", file("text/css; charset=utf-8", include_str!("../../web/here.css")))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(class)
}
