//! The trading floor: rooms in which traders talk, over WebSocket.

#![allow(dead_code, unused_imports, reason = "what the TODOs may call for")]

use std::{
    collections::{BTreeMap, HashMap},
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use feed::{Feed, Subscription, Update};
use futures_util::SinkExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

/// The longest message that is read, in bytes.
const LONGEST: usize = 4 * 1024;
/// What the library reads into memory at most. Beyond it the connection is simply cut.
const LIMIT: usize = 64 * 1024;
/// How many bytes a connection reads at a time. Left alone, the library keeps room for 128 KiB beside each.
const READ: usize = 1024;
/// How many messages may wait for a member whose connection is slow.
const MAILBOX: usize = 64;
/// How often a ping goes out.
const BEAT: Duration = Duration::from_secs(20);
/// How long a connection may refuse to take a message, or a peer to answer a close frame.
const PATIENCE: Duration = Duration::from_secs(10);

// ANCHOR: protocol
/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FromClient {
    /// The first word: where the trader sits, and under which name.
    Join { room: String, name: String },
    /// A message. The client chose its ID.
    Say { id: String, text: String },
    /// The last word.
    Leave,
}

/// What the server says.
#[derive(Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FromServer {
    /// To a newcomer: the room is theirs. Everybody's names, in the order in which they came.
    Joined { room: String, members: Vec<String> },
    /// To the others: somebody came.
    Entered { name: String },
    /// To the others: somebody went.
    Left { name: String },
    /// To everybody. To whoever said it, this is the acknowledgement.
    Said { id: String, from: String, text: String },
    /// To everybody who has joined: an update of the market.
    Price(Update),
    /// To one whose message was not obeyed.
    Error { reason: String },
}
// ANCHOR_END: protocol

impl From<FromServer> for Message {
    fn from(message: FromServer) -> Self {
        Message::text(serde_json::to_string(&message).expect("what the server says can be written as JSON"))
    }
}

// ANCHOR: app
/// `GET /floor` upgrades to WebSocket.
pub fn app(feed: Feed) -> Router {
    let floor = Floor { feed, rooms: Arc::default(), seats: Arc::default() };
    Router::new().route("/floor", get(enter)).with_state(floor)
}

async fn enter(
    State(floor): State<Floor>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !may_enter(&headers) {
        return problem(StatusCode::FORBIDDEN, "Pages of other origins may not enter the floor.");
    }
    match upgrade {
        Ok(upgrade) => {
            let upgrade = upgrade.read_buffer_size(READ).max_message_size(LIMIT).max_frame_size(LIMIT);
            upgrade.on_upgrade(|socket| talk(socket, floor))
        }
        Err(rejection) => problem(rejection.status(), &rejection.body_text()),
    }
}
// ANCHOR_END: app

// ANCHOR: floor
/// The floor and its rooms. One lock guards them all: whoever holds it decides what comes first.
#[derive(Clone)]
struct Floor {
    feed: Feed,
    rooms: Arc<Mutex<HashMap<String, Room>>>,
    /// Counts the seats that were ever taken.
    seats: Arc<AtomicU64>,
}

/// Who sits in a room, by the number of their seat.
type Room = BTreeMap<u64, Member>;

/// A member, as the others see it.
struct Member {
    name: String,
    /// Leads to the task that holds the member's socket.
    mailbox: mpsc::Sender<FromServer>,
}

/// A member's own end: what it needs to be told, and to leave.
struct Seat {
    number: u64,
    room: String,
    name: String,
    mailbox: mpsc::Receiver<FromServer>,
    prices: Subscription,
}
// ANCHOR_END: floor

impl Floor {
    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        // Nothing panics while it holds the lock, so the rooms are whole even if the lock is poisoned.
        self.rooms.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A free seat, and the way to whoever will sit on it.
    fn seat(&self, room: &str, name: &str) -> (Seat, Member) {
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let number = self.seats.fetch_add(1, Ordering::Relaxed);
        let (room, prices) = (room.to_owned(), self.feed.subscribe());
        let seat = Seat { number, room, name: name.to_owned(), mailbox, prices };
        (seat, Member { name: name.to_owned(), mailbox: sender })
    }

    /// TODO 1: `join` is answered with `joined`, rooms know nothing of each
    /// other, and nothing else counts before it. Here: a seat in this room. The
    /// others there are told `entered`; the answer is `joined`, with the names
    /// of all members of the room, the newcomer's last.
    fn join(&self, room: &str, name: &str) -> (Seat, FromServer) {
        let (seat, member) = self.seat(room, name);
        // ANCHOR: todo_1_join
        let mut rooms = self.rooms();
        let members = rooms.entry(room.to_owned()).or_default();
        tell(members, &FromServer::Entered { name: name.to_owned() });
        members.insert(seat.number, member);
        let names = members.values().map(|member| member.name.clone()).collect();
        (seat, FromServer::Joined { room: room.to_owned(), members: names })
        // ANCHOR_END: todo_1_join
    }

    /// TODO 2: What a member says, all members of its room hear: once, in one
    /// order, the speaker too, and nobody else.
    fn say(&self, seat: &Seat, id: String, text: String) {
        // ANCHOR: todo_2_say
        if let Some(members) = self.rooms().get_mut(&seat.room) {
            tell(members, &FromServer::Said { id, from: seat.name.clone(), text });
        }
        // ANCHOR_END: todo_2_say
    }

    /// TODO 3: A member leaves by a close frame, by `leave`, by a failed
    /// connection and by silence, and the others hear `left`, once. Here: the
    /// seat is given back, and a room without members is no more.
    fn leave(&self, seat: Seat) {
        // ANCHOR: todo_3_leave
        let mut rooms = self.rooms();
        let Some(members) = rooms.get_mut(&seat.room) else { return };
        members.remove(&seat.number);
        tell(members, &FromServer::Left { name: seat.name });
        if members.is_empty() {
            rooms.remove(&seat.room);
        }
        // ANCHOR_END: todo_3_leave
    }
}

/// TODO 2, the second half: puts a message into the mailbox of every member, so
/// that all hear all messages in the same order. A member whose mailbox is full
/// loses the seat (its task hears of it, since nobody holds the mailbox's other
/// end any more): a message left out in silence would be worse.
fn tell(members: &mut Room, message: &FromServer) {
    // ANCHOR: todo_2
    // The room's lock is held all the while: no other message can get in between two mailboxes.
    members.retain(|_, member| member.mailbox.try_send(message.clone()).is_ok());
    // ANCHOR_END: todo_2
}

// ANCHOR: talk
/// Why a message is not obeyed.
enum Refusal {
    /// It is answered with this reason, and the connection stays open.
    Error(String),
    /// It is the last one: the connection is closed with this code and reason.
    Close(u16, &'static str),
}

/// One connection, from its upgrade to its end.
async fn talk(mut socket: WebSocket, floor: Floor) {
    let mut seat = None;
    let mut pulse = Pulse::new();
    let last_word = loop {
        let answer = tokio::select! {
            message = heard(&mut socket, &mut pulse) => {
                let Some(message) = message else { break None };
                match understand(&message).and_then(|ask| obey(ask, &mut seat, &floor)) {
                    Ok(None) => continue,
                    Ok(Some(answer)) => answer,
                    Err(Refusal::Error(reason)) => FromServer::Error { reason },
                    Err(Refusal::Close(code, reason)) => break Some((code, reason)),
                }
            }
            news = news(&floor, &mut seat) => {
                let Some(news) = news else { break Some((1013, "You did not keep up; come back.")) };
                news
            }
        };
        if !send(&mut socket, answer.into()).await {
            break None;
        }
    };
    if let Some(seat) = seat {
        floor.leave(seat);
    }
    // Whoever closed first waits for an answer: the library has it ready, and sends it on the next occasion.
    let farewell = async {
        match last_word {
            Some((code, reason)) => close(&mut socket, code, reason).await,
            None => drop(socket.close().await),
        }
    };
    let _ = timeout(PATIENCE, farewell).await;
}
// ANCHOR_END: talk

/// TODO 1, the second half: before `join` nothing else counts, and `join` counts
/// once; whatever is asked out of turn gets an error. A member may `say`; one
/// that says `leave` is closed with code 1000.
fn obey(ask: FromClient, seat: &mut Option<Seat>, floor: &Floor) -> Result<Option<FromServer>, Refusal> {
    // ANCHOR: todo_1
    match (ask, &seat) {
        (FromClient::Join { room, name }, None) => {
            let (taken, joined) = floor.join(&room, &name);
            *seat = Some(taken);
            Ok(Some(joined))
        }
        (FromClient::Join { .. }, Some(_)) => Err(Refusal::Error("You have joined already.".to_owned())),
        (_, None) => Err(Refusal::Error("Join a room first.".to_owned())),
        (FromClient::Say { id, text }, Some(seat)) => {
            floor.say(seat, id, text);
            Ok(None)
        }
        (FromClient::Leave, Some(_)) => Err(Refusal::Close(1000, "Goodbye.")),
    }
    // ANCHOR_END: todo_1
}

/// The heart of one connection.
struct Pulse {
    /// Ticks when it is time for a ping.
    beats: Interval,
    /// How many pings in a row nothing was heard after.
    missed: u32,
}

impl Pulse {
    fn new() -> Self {
        let mut beats = interval_at(Instant::now() + BEAT, BEAT);
        // After a delay the next beat is a whole beat away: a peer gets its time to answer.
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { beats, missed: 0 }
    }
}

/// TODO 3, the second half: the next message of this client; nothing once it is
/// gone. It is gone when it closes, when the connection fails, and when it was
/// silent: on each beat a ping goes out, and after two pings that nothing was
/// heard after, the third beat is the end. (Whenever a price moves, `talk` drops
/// this call and makes a new one: what must not be forgotten lives in `pulse`.)
async fn heard(socket: &mut WebSocket, pulse: &mut Pulse) -> Option<Message> {
    // ANCHOR: todo_3
    loop {
        tokio::select! {
            message = socket.recv() => {
                pulse.missed = 0;
                match message {
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Some(message),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                }
            }
            _ = pulse.beats.tick() => {
                if pulse.missed == 2 || !send(socket, Message::Ping("".into())).await {
                    return None;
                }
                pulse.missed += 1;
            }
        }
    }
    // ANCHOR_END: todo_3
}

/// TODO 4: What cannot be understood is answered with `error`, what is too long
/// is closed with 1009, and pages of other origins stay out. Here: what a
/// message asks for, if it has no more than `LONGEST` bytes.
fn understand(message: &Message) -> Result<FromClient, Refusal> {
    // ANCHOR: todo_4
    let Message::Text(text) = message else {
        return Err(Refusal::Error("The floor speaks text, not bytes.".to_owned()));
    };
    if text.len() > LONGEST {
        return Err(Refusal::Close(1009, "A message has 4096 bytes at most."));
    }
    serde_json::from_str(text).map_err(|error| Refusal::Error(format!("That is not understood: {error}.")))
    // ANCHOR_END: todo_4
}

/// TODO 4, the second half: whether this request may upgrade. Every page may try,
/// and the browser sends it along with the user's cookies: only `Origin` says
/// where the page came from. Its host and port must be those of `Host`. A request
/// without `Origin` does not come from a browser's page and may enter.
/// (In production, compare with a list of your own origins instead: `Host` is
/// what the page's address says, so this does not stop DNS rebinding.)
fn may_enter(headers: &HeaderMap) -> bool {
    // ANCHOR: todo_4_origin
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    // Compared as a whole: `http://lab.test.evil.example` begins with ours, and `null` has no host at all.
    let host_of_page = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    host_of_page.is_some_and(|page| page.eq_ignore_ascii_case(host))
    // ANCHOR_END: todo_4_origin
}

/// What a member is to be told next; nothing if it did not keep up. Who has
/// not joined is told nothing.
async fn news(floor: &Floor, seat: &mut Option<Seat>) -> Option<FromServer> {
    let Some(seat) = seat else { return pending().await };
    loop {
        tokio::select! {
            message = seat.mailbox.recv() => return message,
            update = seat.prices.recv(), if !floor.feed.is_closed() => match update {
                Some(update) => return Some(FromServer::Price(update)),
                // In a closed market there is nothing to say; in an open one this member fell behind.
                None if floor.feed.is_closed() => {}
                None => return None,
            }
        }
    }
}

/// Sends a message; false if the connection is gone, or has taken nothing for so long that it must be.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// Closes the connection, and lets the peer's last words pass until it answers: to
/// hang up at once with bytes unread would reset it, and lose the close frame.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    if socket.send(goodbye).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

/// An error as `application/problem+json` (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    let problem = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(problem)).into_response()
}
