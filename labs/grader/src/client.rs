//! Our own client, for checks of a server: one request a connection, nothing done by itself.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{task::AbortHandle, time::Instant};
use wire::{sse, ws};

use crate::{
    Failure,
    bench::within,
    net::Lane,
    serve::whole,
    socket::Socket,
    tape::{Mark, Tape},
    tasks::spawn,
};

/// How long a check waits for an answer, or for what a server has ready. Virtual time: a right answer needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request that is being put together.
pub struct Ask {
    lane: Lane,
    tape: Tape,
    request: http::request::Builder,
    target: String,
    method: String,
    body: Bytes,
}

impl Ask {
    pub(crate) fn new(lane: Lane, tape: Tape, method: &str, target: &str) -> Self {
        let request = Request::builder().method(method).uri(target).header(header::HOST, "lab.test");
        Self { lane, tape, request, target: target.to_owned(), method: method.to_owned(), body: Bytes::new() }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Asks a host of this name (and port) instead of `lab.test`.
    pub fn host(mut self, host: &str) -> Self {
        if let (Some(headers), Ok(host)) = (self.request.headers_mut(), host.parse()) {
            headers.insert(header::HOST, host);
        }
        self
    }

    /// Sends a body.
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    /// Sends a body without saying what it is.
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request on a connection of its own and waits for the head of the answer.
    ///
    /// # Errors
    /// Where no answer comes within five seconds, or the connection breaks first.
    pub async fn send(self) -> Result<Answer, Failure> {
        self.send_within(PATIENCE).await
    }

    /// The same for a request that the server may hold: waits so long for the head of the answer.
    ///
    /// # Errors
    /// Where none comes in this time, or the connection breaks first.
    pub async fn send_within(self, patience: Duration) -> Result<Answer, Failure> {
        let what = format!("{} {}", self.method, self.target);
        let request = self
            .request
            .body(Full::new(self.body))
            .map_err(|error| Failure::broken(format!("the check's own request is wrong: {error}")))?;
        let answered = async {
            let line = self.lane.connect().await.map_err(|error| error.to_string())?;
            let latency = line.latency;
            let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(line))
                .await
                .map_err(|error| error.to_string())?;
            let connection = async move { drop(connection.with_upgrades().await) };
            let connection = HangUp(spawn(connection).abort_handle());
            let response = send.send_request(request).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((response, connection, latency))
        };
        let answered = within(patience, answered, || {
            Failure::broken(format!(
                "No answer to {what} within {} s: does the handler await something that never comes?",
                patience.as_secs()
            ))
        });
        let (mut response, connection, latency) = answered.await?.map_err(|_| {
            Failure::broken(format!("The server closed the connection before it answered {what}."))
        })?;
        let upgraded = hyper::upgrade::on(&mut response);
        let (head, body) = response.into_parts();
        Ok(Answer {
            what,
            upgraded,
            status: head.status,
            headers: head.headers,
            body,
            connection,
            latency,
            tape: self.tape,
        })
    }

    /// Asks for WebSocket (RFC 6455 § 4.1) and speaks it from then on.
    ///
    /// # Errors
    /// As [`Ask::send`], and where the answer is not a right `101`.
    pub async fn upgrade(self) -> Result<Socket, Failure> {
        let tape = self.tape.clone();
        let answer = self.asking_for_websocket().send().await?.with_status(101)?;
        let accepted = answer.headers.get(header::SEC_WEBSOCKET_ACCEPT).map(http::HeaderValue::as_bytes);
        if accepted != Some(ws::accept_key(KEY).as_bytes()) {
            return Err(Failure::broken(format!(
                "{} is answered with 101 and without the right `sec-websocket-accept`.",
                answer.what
            )));
        }
        let what = answer.what;
        let upgraded = answer.upgraded.await.map_err(|_| {
            Failure::broken(format!(
                "The server closed the connection after it had answered {what} with 101."
            ))
        })?;
        Ok(Socket::new(upgraded, ws::Sender::Client, tape))
    }

    /// Adds the headers of the opening handshake: what [`Ask::upgrade`] sends, for a check that expects a refusal.
    pub fn asking_for_websocket(self) -> Self {
        self.header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY)
    }
}

/// The opening handshake's `Sec-WebSocket-Key`: 16 bytes in base64 (RFC 6455 § 4.1), here always the same ones.
const KEY: &str = "dGhlIG1hcmtldCBvcGVucw==";

/// Closes a connection when it is dropped, as a client that leaves does.
struct HangUp(AbortHandle);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The answer to a request. Dropping it closes the connection.
pub struct Answer {
    what: String,
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    upgraded: OnUpgrade,
    body: Incoming,
    connection: HangUp,
    latency: Duration,
    tape: Tape,
}

impl Answer {
    /// Demands a status.
    ///
    /// # Errors
    /// Where it is another.
    pub fn with_status(self, status: u16) -> Result<Self, Failure> {
        if self.status.as_u16() == status {
            Ok(self)
        } else {
            Err(Failure::broken(format!(
                "{} is answered with {}; the contract says {status}.",
                self.what, self.status
            )))
        }
    }

    /// The media type's essence, in lower case; empty where there is none.
    pub fn media_type(&self) -> String {
        let value =
            self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Demands an event stream and reads on from it.
    ///
    /// # Errors
    /// Where the status is not 200 or the media type is not `text/event-stream`.
    pub fn stream(self) -> Result<EventStream, Failure> {
        let answer = self.with_status(200)?;
        match answer.media_type().as_str() {
            "text/event-stream" => {}
            "" => {
                return Err(Failure::broken(format!(
                    "The answer to {} has no content type: an EventSource takes only `text/event-stream`.",
                    answer.what
                )));
            }
            other => {
                return Err(Failure::broken(format!(
                    "The answer to {} is `{other}`: an EventSource takes only `text/event-stream`.",
                    answer.what
                )));
            }
        }
        Ok(EventStream {
            body: answer.body,
            _connection: answer.connection,
            latency: answer.latency,
            tape: answer.tape,
            parser: sse::Parser::new(),
            items: VecDeque::new(),
            ended: false,
        })
    }

    /// The whole body, as text.
    ///
    /// # Errors
    /// Where it does not end within five seconds, breaks off, or is not UTF-8.
    pub async fn text(self) -> Result<String, Failure> {
        let what = self.what.clone();
        let body = within(PATIENCE, whole(self.body), || {
            Failure::broken(format!("The body of the answer to {what} does not end within 5 s."))
        });
        let bytes = body
            .await?
            .ok_or_else(|| Failure::broken(format!("The body of the answer to {what} breaks off.")))?;
        String::from_utf8(bytes.into())
            .map_err(|_| Failure::broken(format!("The body of the answer to {what} is not UTF-8.")))
    }

    /// The whole body, as JSON.
    ///
    /// # Errors
    /// As [`Answer::text`], and where it is not JSON.
    pub async fn json(self) -> Result<Value, Failure> {
        let what = self.what.clone();
        let text = self.text().await?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::broken(format!("The body of the answer to {what} is not JSON: {error}."))
        })
    }
}

/// An event, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its type; `message` where the stream names none.
    pub name: String,
    /// Its data.
    pub data: String,
    /// The `id` field of its own block.
    pub id: Option<String>,
    /// When its bytes arrived.
    pub at: Mark,
}

/// What arrived on an event stream, with the time of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Event(Event),
    /// A comment.
    Comment(Mark),
    /// A reconnection time, in milliseconds.
    Retry(u64),
    /// A block that commits an ID without an event.
    Id(String),
}

impl Item {
    /// When it arrived, if it is an event or a comment.
    pub fn at(&self) -> Option<Mark> {
        match self {
            Self::Event(event) => Some(event.at),
            Self::Comment(at) => Some(*at),
            Self::Retry(_) | Self::Id(_) => None,
        }
    }
}

/// An event stream that is being read. Dropping it closes the connection.
pub struct EventStream {
    body: Incoming,
    _connection: HangUp,
    latency: Duration,
    tape: Tape,
    parser: sse::Parser,
    items: VecDeque<Item>,
    ended: bool,
}

impl EventStream {
    /// The next thing on the stream within `patience`; nothing if the time is over or the stream has ended.
    pub async fn item(&mut self, patience: Duration) -> Option<Item> {
        let until = Instant::now() + patience;
        loop {
            if let Some(item) = self.items.pop_front() {
                return Some(item);
            }
            if self.ended {
                return None;
            }
            let frame = tokio::time::timeout_at(until, self.body.frame()).await.ok()?;
            let Some(Ok(frame)) = frame else {
                self.ended = true;
                continue;
            };
            if let Some(bytes) = frame.data_ref() {
                let at = self.tape.now();
                self.items.extend(self.parser.push(bytes).into_iter().map(|item| told(item, at)));
            }
        }
    }

    /// The next event; comments and reconnection times are passed over.
    ///
    /// # Errors
    /// Where none comes within five seconds; the sentence says what is missing.
    pub async fn event(&mut self, missing: &str) -> Result<Event, Failure> {
        let until = Instant::now() + PATIENCE;
        while let Some(item) = self.item(until - Instant::now()).await {
            if let Item::Event(event) = item {
                return Ok(event);
            }
        }
        let how = if self.ended { "the stream ended" } else { "nothing more came within 5 s" };
        Err(Failure::broken(format!("{missing}: {how}.")))
    }

    /// Everything that arrives within `time`, and whether the stream is still open.
    pub async fn listen(&mut self, time: Duration) -> Vec<Item> {
        let until = Instant::now() + time;
        let mut heard = Vec::new();
        while let Some(item) = self.item(until - Instant::now()).await {
            heard.push(item);
        }
        tokio::time::sleep_until(until).await;
        heard
    }

    /// How long bytes are in transit on this connection.
    pub fn latency(&self) -> Duration {
        self.latency
    }

    /// Whether the server has ended the stream, or the line was cut.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

fn told(item: sse::Item, at: Mark) -> Item {
    match item {
        sse::Item::Event(event) => {
            Item::Event(Event { name: event.event_type, data: event.data, id: event.id_field, at })
        }
        sse::Item::Id(id) => Item::Id(id),
        sse::Item::Retry(ms) => Item::Retry(ms),
        sse::Item::Comment(_) => Item::Comment(at),
    }
}
