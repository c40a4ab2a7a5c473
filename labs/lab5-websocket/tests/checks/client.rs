//! What the checks of the client share: a page of its own, and a floor that says what the check says.

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Mark, Page, Script, Socket, awkward,
    wire::{
        Moment, Place, What,
        transcript::Data,
        ws::{Frame, Message},
    },
};
use serde_json::{Value, json};

pub(crate) const FILE: &str = "web/client.js";
/// Long enough for everything that should come at once.
pub(crate) const SOON: Duration = Duration::from_millis(200);
/// The first wait before coming back, and the longest, in milliseconds.
const FIRST_WAIT: u64 = 1_000;
const LONGEST_WAIT: u64 = 30_000;

/// A floor in the check's hands, and what the client is told of it: plain in the first play, awkward in the others.
pub(crate) struct Floor {
    pub(crate) bench: Bench,
    pub(crate) server: Script,
    url: String,
    target: String,
    pub(crate) room: String,
    pub(crate) name: String,
}

/// How a connection was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It never opened.
    NeverOpened,
    /// It opened, and ended before the floor had said `joined`.
    OnlyOpened,
    /// The floor had said `joined` on it.
    LetIn,
}

impl Floor {
    pub(crate) fn open(bench: &Bench) -> Self {
        let target =
            plain_or(bench, "/floor", &["/floor?market=idx&day=2", "/markets/7/Floor", "/f%20loor/"]);
        let absolute = format!("ws://lab.test{target}");
        let url = plain_or(bench, absolute.clone(), &[target.to_owned(), absolute]);
        // Each of the others has capital letters, spaces at its ends and marks that mean something elsewhere.
        let [room, name] = ["general", "Ann"].map(|plain| {
            let wild = plain_or(bench, plain, &awkward::NAMES[1..]);
            if bench.is_plain() { wild.to_owned() } else { format!(" {wild}, <i>\"É\"</i> ") }
        });
        Self { bench: bench.clone(), server: bench.script(), url, target: target.to_owned(), room, name }
    }

    /// Opens the client, as the lab's page does.
    pub(crate) fn enter(&self) -> Result<Page, Failure> {
        self.enter_as(self.bench.page(&["joinFloor"])?)
    }

    pub(crate) fn enter_as(&self, page: Page) -> Result<Page, Failure> {
        page.eval(&self.joining())?;
        Ok(page)
    }

    /// The script with which a page enters.
    pub(crate) fn joining(&self) -> String {
        format!(
            "globalThis.stop = new AbortController();
            globalThis.floor = client.joinFloor({{
                url: {},
                room: {},
                name: {},
                show: (message) => say('show', message),
                status: (status) => say('status', status),
                signal: stop.signal,
            }});",
            json!(self.url),
            json!(self.room),
            json!(self.name)
        )
    }

    /// The client asks for its first connection.
    pub(crate) async fn asked(&mut self) -> Result<Asked, Failure> {
        let asked = self
            .server
            .request("The client asked for nothing: `joinFloor` opens a WebSocket as soon as it is called.")
            .await
            .map_err(|failure| failure.or_of("5.url"))?;
        self.is_upgrade(asked)
    }

    /// What was asked for is a WebSocket at the address that the client was given.
    fn is_upgrade(&self, asked: Asked) -> Result<Asked, Failure> {
        let is_websocket = asked.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        if asked.target == self.target && is_websocket {
            return Ok(asked);
        }
        Err(Failure::of(
            "5.url",
            format!(
                "The client was given `url: '{}'`, and asked for {} {}: a WebSocket at that very address was to be opened.",
                self.url, asked.method, asked.target
            ),
        ))
    }

    /// The client's first connection, on which the floor has let it in.
    pub(crate) async fn first(&mut self) -> Result<Socket, Failure> {
        let asked = self.asked().await?;
        self.take_in(asked, "5.join").await
    }

    /// The first connection of one of several clients.
    pub(crate) async fn first_of(&mut self, client: char) -> Result<Socket, Failure> {
        let asked = self.asked().await?;
        let mut socket = asked.upgrade().await?;
        self.expect_join(&mut socket, "5.join").await?;
        self.let_in(&socket);
        self.bench.wait_ms(100).await;
        if self.status_of(client).as_deref() == Some("live") {
            return Ok(socket);
        }
        Err(Failure::of("5.live", "The floor has said `joined`, and nobody called `status('live')`."))
    }

    /// What the page of this client was told last.
    pub(crate) fn status_of(&self, client: char) -> Option<String> {
        self.bench.moments().into_iter().rev().find_map(|moment| match moment.what {
            What::Said(label, Data::Text(status)) if label == "status" && moment.client == Some(client) => {
                Some(status)
            }
            _ => None,
        })
    }

    /// The same, on a connection after the first.
    pub(crate) async fn again(&self, asked: Asked) -> Result<Socket, Failure> {
        self.take_in(asked, "6.join").await
    }

    async fn take_in(&self, asked: Asked, clause: &'static str) -> Result<Socket, Failure> {
        let mut socket = asked.upgrade().await?;
        self.expect_join(&mut socket, clause).await?;
        self.let_in(&socket);
        self.bench.wait_ms(100).await;
        expect_status(&self.bench, "live", "5.live", "The floor has said `joined`")?;
        Ok(socket)
    }

    pub(crate) fn let_in(&self, socket: &Socket) {
        socket.send_json(&json!({ "type": "joined", "room": self.room, "members": [self.name] }));
    }

    pub(crate) async fn expect_join(&self, socket: &mut Socket, clause: &'static str) -> Result<(), Failure> {
        let again = if clause == "6.join" {
            "It is a new connection, and the floor knows nobody on it"
        } else {
            "The connection is open"
        };
        let join = socket
            .json(&format!("{again}; the client's first message should be `join`"))
            .await
            .map_err(|failure| failure.or_of(clause))?;
        if join["type"] == "join" && join["room"] == self.room && join["name"] == self.name {
            return Ok(());
        }
        Err(Failure::of(
            clause,
            format!(
                "{again}; the client's first message should be `join` with the room {:?} and the name {:?}, and it is {}.",
                self.room,
                self.name,
                readable(&join)
            ),
        ))
    }

    /// The client must ask for nothing in this time.
    pub(crate) async fn quiet(
        &mut self,
        seconds: u64,
        clause: &'static str,
        words: &str,
    ) -> Result<(), Failure> {
        self.server.quiet(Duration::from_secs(seconds), words).await.map_err(|failure| failure.or_of(clause))
    }

    /// One connection is open: no other is opened beside it.
    pub(crate) async fn only_one(&mut self, seconds: u64) -> Result<(), Failure> {
        let words = "One connection is open, and the client opened another beside it";
        self.quiet(seconds, "6.one", words).await
    }

    /// Whether the client has opened another connection while it waits for the answer to `asked`.
    pub(crate) async fn no_other_beside(&mut self, ms: u64) -> Result<(), Failure> {
        let words = "One connection was lost, and the client opened two: `error` and `close` may both fire for one loss, and only `close` should bring it back";
        self.server.quiet(Duration::from_millis(ms), words).await.map_err(|failure| failure.or_of("6.one"))
    }

    /// The client comes back, whenever that is, where another TODO is checked.
    pub(crate) async fn returns_after(&mut self, lost: Mark, failures: u32) -> Result<Asked, Failure> {
        let (from, _, latest) = window(failures);
        let asked = self.returns(failures).await?;
        self.bench.leave_open(lost, (from, latest), is_request);
        Ok(asked)
    }

    async fn returns(&mut self, failures: u32) -> Result<Asked, Failure> {
        let words = match failures {
            0 => "The connection was lost, and the client never came back. A lost connection fires `close`; whether it fires `error` depends on the browser.".to_owned(),
            more => format!(
                "After the {} connection in a row that came to nothing the client never came back: only a final code, and whoever leaves, ends that.",
                nth(more + 1)
            ),
        };
        let asked = self
            .server
            .request_within(Duration::from_secs(300), &words)
            .await
            .map_err(|failure| failure.or_of("6.returns"))?;
        self.is_upgrade(asked)
    }

    /// The client comes back: its request, and how long it has waited. `failures` counts the connections in a row that
    /// came to nothing before this one was lost.
    pub(crate) async fn comes_back(
        &mut self,
        lost: Mark,
        failures: u32,
        loss: Loss,
    ) -> Result<(Asked, u64), Failure> {
        let (from, to, latest) = window(failures);
        let whole = to;
        let asked = self.returns(failures).await?;
        let waited = self.bench.last_moment(is_request).unwrap_or(asked.at).since(lost);
        if (from..=latest).contains(&waited) {
            self.bench.leave_open(lost, (from, latest), is_request);
            return Ok((asked, waited));
        }
        let due = format!("from {from} to {to} ms");
        let (clause, words) = match loss {
            Loss::OnlyOpened if waited < from => (
                "6.not-by-open",
                format!(
                    "The connection opened, and ended before the floor had said `joined`: the {} in a row that came to nothing. The client came back after {waited} ms, and it should wait {due}: that a connection opens, or that the floor says something else on it, is no success yet.",
                    nth(failures + 1)
                ),
            ),
            Loss::LetIn if waited > latest && failures == 0 && self.has_come_back() => (
                "6.reset",
                format!(
                    "The floor had said `joined` on the connection that was lost, so the waits start over: {due}. The client came back after {waited} ms."
                ),
            ),
            _ if whole == LONGEST_WAIT && waited > latest => (
                "6.cap",
                format!(
                    "After the {} connection in a row that came to nothing the client waited {waited} ms; no wait is longer than {to} ms.",
                    nth(failures + 1)
                ),
            ),
            _ if whole == LONGEST_WAIT => (
                "6.cap",
                format!(
                    "After the {} connection in a row that came to nothing the client waited {waited} ms; by then it should wait {due}: the waits double until they reach 30 s.",
                    nth(failures + 1)
                ),
            ),
            _ if failures > 0 => (
                "6.waits",
                format!(
                    "After the {} connection in a row that came to nothing the client waited {waited} ms, and it should wait {due}: the wait doubles each time.",
                    nth(failures + 1)
                ),
            ),
            _ => (
                "6.waits",
                format!(
                    "The connection was lost, and the client came back after {waited} ms; the first wait is {due}."
                ),
            ),
        };
        Err(Failure::of(clause, words))
    }

    /// Whether this client has opened a second connection and been let in before.
    fn has_come_back(&self) -> bool {
        self.bench.moments().iter().filter(|moment| is_request(moment)).count() > 2
    }

    /// An update of the market, as the floor sends it.
    pub(crate) fn price(&self, seq: u64) -> Value {
        let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][self.bench.draw(4) as usize];
        json!({ "type": "price", "seq": seq, "data": { "symbol": symbol, "price": 5_000 + 25 * self.bench.draw(100) } })
    }
}

/// How long a wait may last after so many failures in a row: from, to, and with what the network adds.
fn window(failures: u32) -> (u64, u64, u64) {
    let whole = (FIRST_WAIT << failures.min(10)).min(LONGEST_WAIT);
    // A connection is some milliseconds long, and the client may count from when it heard of the end.
    (whole / 2, whole, whole + 50)
}

/// The plain choice in the first play, and in the others one of the awkward ones.
pub(crate) fn plain_or<T: Clone>(bench: &Bench, plain: impl Into<T>, awkward: &[T]) -> T {
    if bench.is_plain() { plain.into() } else { awkward[bench.draw(awkward.len() as u64) as usize].clone() }
}

/// So many different things to say: plain ones, or such as are easily mangled.
pub(crate) fn texts(bench: &Bench, count: usize) -> Vec<String> {
    if bench.is_plain() {
        return (0..count).map(|_| words(bench)).collect();
    }
    // Nothing at all is no message.
    let wild: Vec<&str> = awkward::TEXTS.into_iter().filter(|text| !text.is_empty()).collect();
    let first = bench.draw(wild.len() as u64) as usize;
    let text = |place: usize| {
        let wild = wild[(first + place) % wild.len()];
        if place.is_multiple_of(2) { wild.to_owned() } else { format!("  {wild} A\n ") }
    };
    (0..count).map(text).collect()
}

/// Something to say that nobody can know beforehand.
pub(crate) fn words(bench: &Bench) -> String {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    format!("{symbol} at {}?", 5_000 + 25 * bench.draw(100))
}

fn nth(number: u32) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        more => format!("{more}th"),
    }
}

/// `say` is called in the page. What it throws is the page's failure.
pub(crate) fn say(page: &Page, text: &str) -> Result<(), Failure> {
    Ok(page.eval(&format!("floor.say({})", json!(text)))?)
}

/// The client's next message says this.
pub(crate) async fn expect_say(
    socket: &mut Socket,
    text: &str,
    clause: &'static str,
) -> Result<Value, Failure> {
    let say = socket
        .json(&format!("{text:?} was said, and it was not sent"))
        .await
        .map_err(|failure| failure.or_of(clause))?;
    if say["type"] != "say" || say["text"] != text {
        return Err(Failure::of(
            clause,
            format!("{text:?} was said; what the client sends is {}.", readable(&say)),
        ));
    }
    if say["id"].as_str().is_none_or(str::is_empty) {
        return Err(Failure::of(
            "8.unique",
            format!("{text:?} was said, and it was sent without an `id`: nobody can acknowledge it."),
        ));
    }
    Ok(say)
}

/// What the client sends before it falls silent, as JSON where it is.
pub(crate) async fn all_said(socket: &mut Socket) -> Result<Vec<Value>, Failure> {
    let mut said = Vec::new();
    while let Some(heard) = socket.next(SOON).await {
        match heard.message {
            Message::Text(text) => said.push(serde_json::from_str(&text).unwrap_or(Value::String(text))),
            Message::Ping(_) | Message::Pong(_) => {}
            other => {
                return Err(Failure::broken(format!(
                    "The client should go on talking on this connection; it sends {}.",
                    named(&other)
                )));
            }
        }
    }
    Ok(said)
}

/// The floor has said it, to whoever said it, too.
pub(crate) fn acknowledge(floor: &Floor, socket: &Socket, say: &Value) {
    socket.send_json(&json!({ "type": "said", "id": say["id"], "from": floor.name, "text": say["text"] }));
}

/// A close frame with this code, or without one, begins the end.
pub(crate) fn close(socket: &Socket, code: Option<u16>) {
    socket.send(&Frame::close(code, ""));
}

pub(crate) fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// What the page was told last is this status.
pub(crate) fn expect_status(
    bench: &Bench,
    status: &str,
    clause: &'static str,
    because: &str,
) -> Result<(), Failure> {
    let told = bench.said("status");
    let words = match told.last() {
        Some(Data::Text(now)) if now == status => return Ok(()),
        Some(Data::Text(now)) => format!("{because}; the page still says `{now}` instead of `{status}`."),
        Some(_) => format!("`status` takes a word; call it with '{status}'."),
        None => format!("{because}, and nobody called `status('{status}')`."),
    };
    Err(Failure::of(clause, words))
}

/// The messages of this type that were shown so far.
pub(crate) fn shown(bench: &Bench, kind: &str) -> Vec<Value> {
    let mut all = all_shown(bench);
    all.retain(|message| message["type"] == kind);
    all
}

/// All messages that were shown so far.
pub(crate) fn all_shown(bench: &Bench) -> Vec<Value> {
    let shown = bench.said("show").into_iter().filter_map(|data| match data {
        Data::Json(json) => serde_json::from_str::<Value>(&json).ok(),
        Data::Text(text) => Some(Value::String(text)),
        Data::Bytes(_) => None,
    });
    shown.collect()
}

/// A message as JSON, its ID left out: in the drawing IDs are called by their numbers.
pub(crate) fn readable(message: &Value) -> String {
    let mut message = message.clone();
    if message["type"] == "say" && message["id"].is_string() {
        message["id"] = json!("…");
    }
    message.to_string()
}

/// A message, as a student may read it.
pub(crate) fn named(message: &Message) -> String {
    match message {
        Message::Text(text) => {
            serde_json::from_str(text).map_or_else(|_| text.clone(), |json| readable(&json))
        }
        Message::Binary(bytes) => format!("{} bytes that are no text", bytes.len()),
        Message::Ping(_) => "a ping".to_owned(),
        Message::Pong(_) => "a pong".to_owned(),
        Message::Close(Some(code), _) => format!("a close frame with code {code}"),
        Message::Close(None, _) => "a close frame without a code".to_owned(),
    }
}

/// Whether the client says `leave` before it closes, and what `status` is told then, is open.
pub(crate) fn leave_out_leave(bench: &Bench) {
    bench.leave_out(|moment| is_farewell(&moment.what));
}

/// What a client may still do when it has left: say `leave`, and tell its page 'closed'.
pub(crate) fn is_farewell(what: &What) -> bool {
    match what {
        What::Message(Data::Json(json)) => json.contains(r#""type":"leave""#),
        What::Said(label, Data::Text(status)) => label == "status" && status == "closed",
        _ => false,
    }
}

/// Makes right answers alike when the play is over, however it ends: what an ID looks like is open, and only which are
/// the same is told. When the page may be told `live` is for one scene to check.
pub(crate) struct Told {
    bench: Bench,
    /// Whether two messages have the same ID is not told either.
    are_ids_told: bool,
}

impl Told {
    pub(crate) fn on(bench: &Bench) -> Self {
        let mut has_joined = false;
        bench.leave_out(move |moment| match &moment.what {
            What::Request { .. } => {
                has_joined = false;
                false
            }
            What::Message(Data::Json(json)) if moment.place == Place::ToClient => {
                has_joined |= json.contains(r#""joined""#);
                false
            }
            What::Said(label, Data::Text(status)) => label == "status" && status == "live" && !has_joined,
            _ => false,
        });
        Self { bench: bench.clone(), are_ids_told: true }
    }

    /// The same, where the messages' IDs are another TODO's, and so is what is shown of them.
    pub(crate) fn without_ids(bench: &Bench) -> Self {
        bench.leave_out(|moment| match &moment.what {
            What::Said(label, Data::Json(json)) => label == "show" && json.contains(r#""said""#),
            _ => false,
        });
        let mut told = Self::on(bench);
        told.are_ids_told = false;
        told
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let mut says = 0;
        let ids = if self.are_ids_told { ids_of_says(&self.bench) } else { Vec::new() };
        let mut closed = Vec::new();
        self.bench.retell_all(|moment| match &mut moment.what {
            What::Message(data) if !self.are_ids_told && is_say(data) => {
                says += 1;
                plain(data, &|_| Some(says));
            }
            What::Message(data) | What::Said(_, data) => {
                plain(data, &|id| ids.iter().position(|other| id == other).map(|place| place + 1));
            }
            What::Close(code, reason) => {
                reason.clear();
                let is_first = !closed.iter().any(|(exchange, _)| *exchange == moment.exchange);
                if is_first {
                    closed.push((moment.exchange, moment.place));
                }
                // Where the client begins, `close()` and `close(1000)` mean the same, and so do the answers.
                if closed.contains(&(moment.exchange, Place::ToServer)) {
                    code.get_or_insert(1000);
                }
            }
            _ => {}
        });
    }
}

fn is_say(data: &Data) -> bool {
    matches!(data, Data::Json(json) if json.contains(r#""type":"say""#))
}

/// The IDs that clients drew, in the order in which they were first sent.
fn ids_of_says(bench: &Bench) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for moment in bench.moments() {
        let (Place::ToServer, What::Message(Data::Json(json))) = (moment.place, moment.what) else {
            continue;
        };
        let Ok(message) = serde_json::from_str::<Value>(&json) else { continue };
        if let (Some("say"), Some(id)) = (message["type"].as_str(), message["id"].as_str())
            && !ids.iter().any(|other| other == id)
        {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// A message with its ID called by its number, and without fields that nobody asked for.
fn plain(data: &mut Data, number: &dyn Fn(&Value) -> Option<usize>) {
    let Data::Json(json) = &*data else { return };
    let Ok(Value::Object(mut message)) = serde_json::from_str(json) else { return };
    match message.get("type").and_then(Value::as_str) {
        Some("join") => message.retain(|field, _| ["type", "room", "name"].contains(&field.as_str())),
        Some("say") => message.retain(|field, _| ["type", "id", "text"].contains(&field.as_str())),
        _ => {}
    }
    if let Some(number) = message.get("id").and_then(number) {
        message.insert("id".to_owned(), json!(format!("id-{number}")));
    }
    *data = Data::of_text(&Value::Object(message).to_string());
}
