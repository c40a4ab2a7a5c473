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
//! | `GET /class/here` | what a page of the book hears of the class, as an event stream; 204 while there is nothing to hear |
//! | `POST /class/join`, `/class/report`, `/class/leave` | `cargo lab`: JSON in, see `member` |
//! | `GET /instructor?key=…` | exchanges the one-time link for a cookie |
//! | `GET /instructor`, `/instructor/events` | the console |
//! | `POST /instructor/class/…` | what the console does with the class |
//! | `POST /instructor/feed/…`, `/instructor/weather/…`, `/instructor/lines/…` | … with the market, the climate, and connections |
//! | `POST /instructor/notes/…` | the page on screen, and its clock |
//! | `POST /instructor/wire/…`, `GET /instructor/wire`, `/instructor/wire.txt` | one connection as it happens |
//!
//! A person is told by a token: 128 random bits, in a browser's cookie or in the file that `cargo lab join` keeps.
//! Nobody is asked who they are. What is known of them is a name, if they chose one, how far they are in the labs, if
//! they joined with `cargo lab`, and their vote. All of it is forgotten when the class or the stage ends, unless the
//! stage was started with `--keep`. (Stages that share a class have a Redis forget it some time after the last of them
//! has gone.)
//!
//! `room` is the state, `order` what can be done to it, `shared` how several stages hold one class, `key` the
//! instructor's door, `board`, `member` and `console` are the routes, `html` draws all of their pages: a script only
//! puts in place what it drew.

pub mod address;
mod board;
mod console;
mod html;
pub mod keep;
mod key;
mod member;
mod name;
mod order;
mod room;
mod screen;
mod shared;
mod stream;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use feed::{Feed, Health, Trading};
use press::{PageOutline, QuestionOutline};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    climate::{Climate, Scope},
    desk::Desk,
    guard,
    weather::Weather,
};
pub(crate) use console::Console;
use keep::Keep;
use key::{Door, Keys};
use order::{Done, Order, Reach};
use room::{Asked, Ballot, Counting, Room, Trouble};
use screen::Screen;
use shared::Sharing;
use stream::Parts;

pub(crate) use shared::KEPT;

/// The longest body that anything here takes, in bytes.
const BODY: usize = 32 * 1024;

/// The class of a stage.
pub struct Class {
    pages: Vec<PageOutline>,
    /// The console's orders go to the market and into the climate by way of the class.
    desk: Desk,
    climate: Climate,
    door: Door,
    room: Mutex<Room>,
    screen: Mutex<Screen>,
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
    /// Nothing while this stage alone holds the class.
    shared: OnceLock<Arc<Sharing>>,
}

impl Class {
    /// A class that has not begun, and knows the questions of the book whose repository is at `root`, the desk of the
    /// market, and the climate.
    pub(crate) fn new(root: &Path, desk: &Desk, climate: &Climate) -> Self {
        let pages = press::outline(&press::Options::new(root, root)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the class has no questions");
            Vec::new()
        });
        Self {
            screen: Mutex::new(Screen::of(&pages)),
            pages,
            desk: desk.clone(),
            climate: climate.clone(),
            door: Door::default(),
            room: Mutex::new(Room::new(key::random().unwrap_or_default())),
            changed: watch::Sender::new(0),
            called: watch::Sender::new(0),
            board: Mutex::default(),
            era: key::random().unwrap_or_default(),
            address: OnceLock::new(),
            keep: OnceLock::new(),
            shared: OnceLock::new(),
        }
    }

    /// Holds this class together with every stage that reads this log. The first call counts.
    pub(crate) fn share(self: &Arc<Self>, log: Feed) {
        let sharing = self.shared.get_or_init(|| Sharing::begin(self, log));
        self.door.share(sharing);
    }

    /// Whether several stages may hold this class.
    fn is_shared(&self) -> bool {
        self.shared.get().is_some()
    }

    /// How the log is in which the class stands, if there is one.
    pub(crate) fn health(&self) -> Health {
        self.shared.get().map_or(Health::Well, |sharing| sharing.health())
    }

    /// What everyone is to know about the stage itself; nothing where there is nothing.
    fn notice(&self) -> Option<&'static str> {
        (self.health() != Health::Well).then_some(shared::AWAY)
    }

    /// Whether a page of the book has anything to hear: a class is on, or everyone is to know something.
    fn has_news(&self) -> bool {
        self.room().is_on() || self.notice().is_some()
    }

    /// What a page shows, with what everyone is to know.
    fn parts<const N: usize>(&self, parts: [(&'static str, String); N]) -> Parts {
        let parts = Parts::from(parts);
        // A class that one stage holds alone has no store to lose.
        match self.shared.get() {
            Some(_) => parts.and("store", self.notice().unwrap_or_default().to_owned()),
            None => parts,
        }
    }

    /// The path of a link to the console that works once.
    ///
    /// # Errors
    /// A sentence: the system has no random numbers to give, or the class's store cannot be reached.
    pub async fn link(&self) -> Result<String, String> {
        self.link_within(None).await.map_err(|trouble| trouble.sentence().to_owned())
    }

    async fn link_within(&self, within: Option<Duration>) -> room::Result<String> {
        let key = key::random().map_err(|_| Trouble::Full("The stage can make no link now."))?;
        let until = within.map(|within| key::now() + within.as_millis() as u64);
        self.order(Order::Link { link: key::hash(&key), until }).await?;
        Ok(format!("/instructor?key={key}"))
    }

    /// Exchanges a link's key for the cookie of a browser.
    ///
    /// # Errors
    /// The answer to who has no right key, after a while.
    async fn enter(
        &self,
        key: &str,
        headers: &HeaderMap,
        peer: SocketAddr,
    ) -> std::result::Result<HeaderValue, Response> {
        let link = key::hash(key);
        // A guess is nothing that other stages must hear of.
        let entered = if self.door.sure(|keys| keys.has(&link)).await {
            let full = |_| Trouble::Full("The stage can let nobody in now.").into_response();
            let (cookie, session) = key::session().map_err(full)?;
            match self.order(Order::Enter { link, session, now: key::now() }).await {
                Ok(Done::Entered(Ok(()))) => return Ok(cookie),
                Ok(Done::Entered(Err(refused))) => refused,
                Ok(_) => key::Refused::Unknown,
                Err(trouble) => return Err(trouble.into_response()),
            }
        } else {
            key::Refused::Unknown
        };
        Err(self.door.refuse(entered, headers, Some(peer)).await)
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

    /// Has the class changed, here and on every stage that holds it, too.
    async fn order(&self, order: Order) -> room::Result<Done> {
        match self.shared.get() {
            Some(sharing) => sharing.order(order).await,
            None => self.carry_out(order, true),
        }
    }

    /// Does what was ordered, tells those whom it concerns, and has it written down if it is news.
    fn carry_out(&self, order: Order, is_news: bool) -> room::Result<Done> {
        let reach = order.reach();
        let (done, note) = self.change(order, is_news)?;
        if let Some(note) = note.filter(|_| is_news) {
            self.note(note);
        }
        self.tell(reach);
        Ok(done)
    }

    /// Changes the room; gives what has become of it, and what may be written down about it. What is over in a moment is
    /// done only if it is news.
    fn change(&self, order: Order, is_news: bool) -> room::Result<(Done, Option<Value>)> {
        let mut room = self.room();
        // Whoever is known to one stage is known to all.
        if let (true, Order::Join { token, .. } | Order::Vote { token, .. }) = (self.is_shared(), &order) {
            room.see(token);
        }
        let nothing_asked = || Trouble::Nothing("There is no such question in the book.");
        let mut joined = None;
        let note = match order {
            Order::Begin => room.begin().then(|| json!({ "what": "begun" })),
            Order::End => {
                room.end();
                Some(json!({ "what": "ended" }))
            }
            Order::Ask { asked } => {
                self.has(asked).then_some(()).ok_or_else(nothing_asked)?;
                room.ask(asked)?;
                Some(json!({ "what": "asked", "question": self.name(asked) }))
            }
            Order::Count { stage } => {
                let ballot = room.count(stage)?;
                (stage == Counting::Revealed).then(|| self.votes(ballot))
            }
            Order::PutAway => {
                room.put_away();
                None
            }
            Order::Call { path, now } => {
                room.call_to(&path)?;
                self.screen().follow(&path, &self.pages, now);
                None
            }
            Order::CallOff => {
                room.call_off();
                None
            }
            Order::Turn { page, now } => {
                self.screen().turn_to(page, now);
                None
            }
            Order::Clock { to, now } => {
                self.screen().set(to, now);
                None
            }
            Order::Join { token, name, code } => {
                let name = joined.insert(room.join(&token, name, code)?);
                Some(json!({ "what": "joined", "name": name.as_str() }))
            }
            Order::Leave { token } => Some(json!({ "what": "left", "name": room.leave(&token)?.as_str() })),
            Order::Remove { number } => {
                Some(json!({ "what": "removed", "name": room.remove(number)?.as_str() }))
            }
            Order::Graded { token, graded } => {
                let member = room.graded(&token, &graded)?;
                let done = member.labs.get(&graded.lab).map_or(0, |progress| progress.done());
                Some(
                    json!({ "what": "graded", "name": member.name.as_str(), "lab": graded.lab, "done": done, "total": graded.total }),
                )
            }
            Order::Vote { token, asked, answer } => room.vote(&token, asked, answer).map(|_| None)?,
            Order::Trade { is_on } => {
                self.desk.trade(is_on);
                None
            }
            Order::Pace { per_second, payload } => {
                self.desk.set(per_second, payload);
                None
            }
            Order::Weather { scope, weather } => self.climate.order(scope, weather).map(|()| None)?,
            Order::ClearSky => {
                self.climate.clear();
                None
            }
            Order::Cut { scope } => {
                if is_news {
                    let count = self.climate.cut(scope);
                    tracing::info!(%scope, count, "the instructor cut connections");
                }
                None
            }
            Order::Link { link, until } => {
                self.door.keys().add(link, until);
                None
            }
            Order::KeepOnly { session } => {
                self.door.keys().keep_only(&session);
                None
            }
            Order::Enter { link, session, now } => {
                let entered = self.door.keys().exchange(&link, session, now);
                return Ok((Done::Entered(entered), None));
            }
        };
        Ok((joined.map_or(Done::Obeyed, Done::Joined), note))
    }

    /// Tells those whom a change concerns.
    fn tell(&self, reach: Reach) {
        if reach != Reach::Nobody {
            self.changed.send_modify(|number| *number += 1);
        }
        if reach == Reach::Everyone {
            self.called.send_modify(|number| *number += 1);
        }
    }

    /// The class as it is, for another stage.
    fn whole(&self) -> Everything {
        Everything {
            room: self.room().clone(),
            screen: self.screen().clone(),
            keys: self.door.keys().clone(),
            trading: self.desk.trading(),
            weather: self.climate.common_orders(),
        }
    }

    /// Is what another stage says from here on.
    fn become_like(&self, Everything { room, screen, keys, trading, weather }: Everything) {
        self.room().become_like(room, |asked| self.has(asked));
        *self.screen() = screen;
        *self.door.keys() = keys;
        self.desk.trade_like(trading);
        self.climate.become_like(weather);
        self.tell(Reach::Everyone);
    }

    /// Whether a request comes from somebody whom the class can know.
    fn knows(&self, token: &str) -> room::Result<()> {
        let is_token = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_known = self.room().knows(token) || (self.is_shared() && is_token);
        is_known.then_some(()).ok_or(room::STRANGER)
    }

    /// Whether this is a question of this stage's book.
    fn has(&self, asked: Asked) -> bool {
        let question = self.pages.get(asked.page).and_then(|page| page.questions.get(asked.question));
        question.is_some_and(|question| question.answers.len() == asked.answers)
    }

    /// Has the console drawn anew: something has changed that is not the class's.
    fn redraw(&self) {
        self.changed.send_modify(|number| *number += 1);
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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

    fn votes(&self, ballot: &Ballot) -> Value {
        json!({ "what": "revealed", "question": self.name(ballot.asked), "votes": ballot.counts() })
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
            Self::Full(_) | Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
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
            | Self::Full(sentence)
            | Self::Away(sentence) => sentence,
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

/// All that is the same on every stage that holds the class.
#[derive(Clone, Serialize, Deserialize)]
struct Everything {
    room: Room,
    screen: Screen,
    keys: Keys,
    /// How the market trades.
    trading: Trading,
    /// The weather that is ordered.
    weather: Vec<(Scope, Weather)>,
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
        .route("/class/-/console.js", file(SCRIPT, include_str!("../../web/console.js")))
        .route("/class/-/wire.js", file(SCRIPT, include_str!("../../web/wire.js")))
        .route("/class/-/here.js", file(SCRIPT, include_str!("../../web/here.js")))
        .route("/class/-/here.css", file("text/css; charset=utf-8", include_str!("../../web/here.css")))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(class)
}
