//! Reads both directions of one connection and tells what they say.
//!
//! A [`Tap`] is shown the bytes of an HTTP/1.1 connection as they pass and
//! gives back moments: requests, responses, events of event streams, bodies,
//! and WebSocket messages after a `101`. It changes nothing and never fails:
//! bytes that are no HTTP become one note, and what follows them is ignored.
//!
//! How an exchange that does not come to its end is told:
//!
//! | what happened | moment |
//! |---|---|
//! | the last byte of a stream came, or the server closed a body that only the close ends | `end` |
//! | a complete body that is no stream | nothing: the body says it |
//! | the client closed the connection before the exchange was over | `abort` |
//! | the server closed it early: in a head, in a body of known length, in a chunked body without its last chunk, in a WebSocket without both close frames | `cut` |
//! | the line was cut | `cut` |
//!
//! A *stream* is an event stream, or a body of unknown length that is not one
//! JSON text; its parts are told as they pass. A connection between two
//! exchanges closes, or is cut, without a word.

mod body;

use std::collections::VecDeque;

use crate::transcript::{Data, Moment, Place, What, When};
use crate::ws;
use body::{Body, Length};

/// The longest head of a request or response that is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most header fields that are read in one head.
const MAX_HEADERS: usize = 128;
/// The most that is kept of a body, an event or a message, in bytes.
const MAX_HELD: usize = 1024 * 1024;
/// An unfinished head is looked at byte by byte only while it is this short.
const SHORT_HEAD: usize = 4096;

/// What a tap tells, and what it leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lens {
    /// Headers of requests to tell, in this order; any case.
    pub request_headers: Vec<String>,
    /// Headers of responses to tell, in this order; any case.
    pub response_headers: Vec<String>,
    /// Tell the comments of an event stream.
    pub comments: bool,
    /// Tell the reconnection times of an event stream.
    pub retry: bool,
    /// Tell blocks that commit an ID and dispatch nothing.
    pub ids: bool,
    /// Tell WebSocket pings and pongs.
    pub pings: bool,
    /// Tell bodies that are no event streams.
    pub bodies: bool,
}

impl Default for Lens {
    /// What every answer to a task shares: requests and responses without
    /// headers, events, messages and bodies. No comments, reconnection times,
    /// bare IDs or pings.
    fn default() -> Self {
        Lens {
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            comments: false,
            retry: false,
            ids: false,
            pings: false,
            bodies: true,
        }
    }
}

/// What passed on a connection, in bytes and in exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests whose head came to its end.
    pub requests: u64,
    /// Bytes from the client.
    pub to_server: Bytes,
    /// Bytes from the server.
    pub to_client: Bytes,
}

/// The bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// In heads: the request or status line, the header fields, and the empty line behind them (RFC 9112 § 2.1).
    pub heads: u64,
    /// In everything else: bodies with their framing, and WebSocket frames.
    pub bodies: u64,
}

impl Bytes {
    fn pass(&mut self, bytes: &[u8]) {
        self.bodies += bytes.len() as u64;
    }

    /// Bytes that have passed before turn out to be a head.
    fn were_a_head(&mut self, length: usize) {
        self.bodies -= length as u64;
        self.heads += length as u64;
    }
}

/// Reads one connection.
///
/// ```
/// use wire::tap::{Lens, Tap};
///
/// let mut tap = Tap::new(None, Lens::default());
/// let mut exchanges = 0;
/// let mut next = || { exchanges += 1; exchanges };
/// let asked = tap.to_server(0, b"GET /prices HTTP/1.1\r\nhost: market\r\n\r\n", &mut next);
/// assert_eq!(asked[0].to_string(), "     0 ms  client → server  #1 GET /prices");
/// let answered = tap.to_client(10, b"HTTP/1.1 204 No Content\r\n\r\n");
/// assert_eq!(answered[0].to_string(), "    10 ms  server → client  #1 204");
/// assert_eq!(tap.open_exchange(), None);
/// ```
#[derive(Debug)]
pub struct Tap {
    client: Option<char>,
    lens: Lens,
    requests: Reading,
    responses: Reading,
    /// What the client sent behind a request for an upgrade, before the
    /// response could decide what it is.
    early: Vec<u8>,
    /// Exchanges that are not over, in the order of their requests.
    open: VecDeque<Exchange>,
    /// Bytes that are no HTTP have been noted.
    is_noted: bool,
    tally: Tally,
}

/// Where the reading of one direction stands.
#[derive(Debug)]
enum Reading {
    /// In a head, or before one.
    Head(Vec<u8>),
    /// In a body of this exchange.
    Body(Body, Option<u32>),
    /// Behind a request for an upgrade: the response decides what the bytes are.
    Undecided,
    /// After the upgrade to WebSocket.
    Frames(ws::Decoder, u32),
    /// In bytes that nobody here can read, or behind the connection's end.
    Ignored,
}

/// A request whose response is not complete.
#[derive(Debug)]
struct Exchange {
    number: u32,
    method: Method,
    wants_websocket: bool,
    /// Close frames seen, of the two that close a WebSocket.
    closes: u8,
}

/// The methods that change what follows a response's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Head,
    Connect,
    Other,
}

/// The parts of a head that decide what follows.
struct Head {
    start: Start,
    /// Names in lower case, values without outer blanks, in order.
    headers: Vec<(String, String)>,
    /// The head's own length in bytes.
    length: usize,
}

enum Start {
    Request { method: String, target: String },
    Response { status: u16 },
}

impl Exchange {
    fn asks_for_another_protocol(&self) -> bool {
        self.wants_websocket || self.method == Method::Connect
    }
}

impl Tap {
    /// A tap for one connection, of the client with this letter where there are several.
    pub fn new(client: Option<char>, lens: Lens) -> Tap {
        Tap {
            client,
            lens,
            requests: Reading::Head(Vec::new()),
            responses: Reading::Head(Vec::new()),
            early: Vec::new(),
            open: VecDeque::new(),
            is_noted: false,
            tally: Tally::default(),
        }
    }

    /// The client sent `bytes`. `at` is in milliseconds; `next_exchange` gives
    /// the number of each request that begins.
    pub fn to_server(
        &mut self,
        at: u64,
        bytes: &[u8],
        next_exchange: &mut impl FnMut() -> u32,
    ) -> Vec<Moment> {
        let mut told = self.told(at, Place::ToServer);
        self.tally.to_server.pass(bytes);
        let joined;
        let mut rest = bytes;
        if !self.early.is_empty() && !matches!(self.requests, Reading::Undecided) {
            joined = [&std::mem::take(&mut self.early), bytes].concat();
            rest = &joined;
        }
        while !rest.is_empty() {
            match &mut self.requests {
                Reading::Head(held) => {
                    let before = held.len();
                    held.extend_from_slice(rest);
                    match read_head(held, before, Head::request) {
                        Ok(None) => break,
                        Ok(Some(head)) => {
                            rest = rest.get(head.length - before..).unwrap_or_default();
                            self.tally.to_server.were_a_head(head.length);
                            self.tally.requests += 1;
                            self.begin_request(head, next_exchange(), &mut told);
                        }
                        Err(why) => self.give_up(why, &mut told),
                    }
                }
                Reading::Body(body, exchange) => {
                    told.exchange = *exchange;
                    rest = match body.read(rest, &self.lens, &mut told) {
                        Ok(rest) => rest,
                        Err(why) => {
                            self.give_up(why, &mut told);
                            break;
                        }
                    };
                    if body.is_over() {
                        self.requests = self.next_request();
                    }
                }
                Reading::Undecided => {
                    if self.early.len() + rest.len() > MAX_HEAD {
                        self.give_up("sent too much before its upgrade was answered", &mut told);
                    } else {
                        self.early.extend_from_slice(rest);
                    }
                    break;
                }
                Reading::Frames(..) => {
                    self.frames(Place::ToServer, rest, &mut told);
                    break;
                }
                Reading::Ignored => break,
            }
        }
        if let Reading::Body(body, exchange) = &mut self.requests {
            told.exchange = *exchange;
            body.flush(&self.lens, &mut told);
        }
        told.moments
    }

    /// The server sent `bytes`. `at` is in milliseconds.
    pub fn to_client(&mut self, at: u64, bytes: &[u8]) -> Vec<Moment> {
        let mut told = self.told(at, Place::ToClient);
        self.tally.to_client.pass(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.responses {
                Reading::Head(held) => {
                    let before = held.len();
                    held.extend_from_slice(rest);
                    match read_head(held, before, Head::response) {
                        Ok(None) => break,
                        Ok(Some(head)) => {
                            rest = rest.get(head.length - before..).unwrap_or_default();
                            self.tally.to_client.were_a_head(head.length);
                            self.begin_response(head, &mut told);
                        }
                        Err(why) => self.give_up(why, &mut told),
                    }
                }
                Reading::Body(body, exchange) => {
                    told.exchange = *exchange;
                    rest = match body.read(rest, &self.lens, &mut told) {
                        Ok(rest) => rest,
                        Err(why) => {
                            self.give_up(why, &mut told);
                            break;
                        }
                    };
                    if body.is_over() {
                        self.end_response();
                    }
                }
                Reading::Frames(..) => {
                    self.frames(Place::ToClient, rest, &mut told);
                    break;
                }
                Reading::Undecided | Reading::Ignored => break,
            }
        }
        if let Reading::Body(body, exchange) = &mut self.responses {
            told.exchange = *exchange;
            body.flush(&self.lens, &mut told);
        }
        told.moments
    }

    /// The client closed the connection: an `abort` for every exchange that is not over.
    pub fn closed_by_client(&mut self, at: u64) -> Vec<Moment> {
        let mut told = self.told(at, Place::ToServer);
        self.close(What::Abort, &mut told);
        told.moments
    }

    /// The server closed the connection: the `end` of a body that only this
    /// ends, a `cut` for every exchange that is not over.
    pub fn closed_by_server(&mut self, at: u64) -> Vec<Moment> {
        let mut told = self.told(at, Place::ToClient);
        if let Reading::Body(body, exchange) = &mut self.responses
            && body.ends_with_the_connection()
        {
            told.exchange = *exchange;
            body.end(&self.lens, &mut told);
            self.end_response();
        }
        told.place = Place::Network;
        self.close(What::Cut, &mut told);
        told.moments
    }

    /// The line was cut: a `cut` for every exchange that is not over.
    pub fn cut(&mut self, at: u64) -> Vec<Moment> {
        let mut told = self.told(at, Place::Network);
        self.close(What::Cut, &mut told);
        told.moments
    }

    /// What has passed so far. A head that has not come to its end counts with the bodies.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The number of the exchange that the server is answering, or has to answer next.
    pub fn open_exchange(&self) -> Option<u32> {
        self.open.front().map(|exchange| exchange.number)
    }

    fn told(&self, at: u64, place: Place) -> Told {
        Told { when: When::At(at), place, client: self.client, exchange: None, moments: Vec::new() }
    }

    fn close(&mut self, what: What, told: &mut Told) {
        for exchange in self.open.drain(..) {
            told.exchange = Some(exchange.number);
            told.add(what.clone());
        }
        self.requests = Reading::Ignored;
        self.responses = Reading::Ignored;
    }

    fn begin_request(&mut self, head: Head, number: u32, told: &mut Told) {
        told.exchange = Some(number);
        let headers = head.chosen(&self.lens.request_headers);
        let wants_websocket = head.has("upgrade", "websocket");
        let length = head.length_of_a_request_body();
        let body = length.map(|length| Body::new(length, &head));
        if let Start::Request { method, target } = head.start {
            let decisive = match method.as_str() {
                "HEAD" => Method::Head,
                "CONNECT" => Method::Connect,
                _ => Method::Other,
            };
            self.open.push_back(Exchange { number, method: decisive, wants_websocket, closes: 0 });
            told.add(What::Request { method, target, headers });
        }
        match body {
            Ok(body) if body.is_over() => self.requests = self.next_request(),
            Ok(body) => self.requests = Reading::Body(body, Some(number)),
            Err(why) => self.give_up(why, told),
        }
    }

    /// What the client may send after a complete request.
    fn next_request(&self) -> Reading {
        match self.open.back() {
            Some(last) if last.asks_for_another_protocol() => Reading::Undecided,
            _ => Reading::Head(Vec::new()),
        }
    }

    fn begin_response(&mut self, head: Head, told: &mut Told) {
        let Start::Response { status } = head.start else {
            return;
        };
        // A server may also speak unasked: 408 before it closes an idle connection.
        let exchange = self.open.front();
        let number = exchange.map(|exchange| exchange.number);
        let method = exchange.map_or(Method::Other, |exchange| exchange.method);
        let was_asked_to_switch = exchange.is_some_and(Exchange::asks_for_another_protocol);
        told.exchange = number;
        told.add(What::Response {
            status,
            content_type: head.essence(),
            headers: head.chosen(&self.lens.response_headers),
        });
        if status == 101 || (method == Method::Connect && (200..300).contains(&status)) {
            self.upgrade(told);
            return;
        }
        if (100..200).contains(&status) {
            // The final response is yet to come.
            self.responses = Reading::Head(Vec::new());
            return;
        }
        if was_asked_to_switch && matches!(self.requests, Reading::Undecided) {
            // Refused: the next bytes are a request.
            self.requests = Reading::Head(Vec::new());
        }
        let has_no_body = method == Method::Head || matches!(status, 204 | 304);
        let length = if has_no_body { Ok(Length::Known(0)) } else { head.length_of_a_response_body() };
        match length.map(|length| Body::new(length, &head)) {
            Ok(body) if body.is_over() => self.end_response(),
            Ok(body) => self.responses = Reading::Body(body, number),
            Err(why) => self.give_up(why, told),
        }
    }

    fn end_response(&mut self) {
        self.open.pop_front();
        self.responses = Reading::Head(Vec::new());
    }

    /// From here on both directions speak another protocol.
    fn upgrade(&mut self, told: &mut Told) {
        let websocket = self.open.front().filter(|first| first.wants_websocket);
        let Some(number) = websocket.map(|exchange| exchange.number) else {
            self.requests = Reading::Ignored;
            self.responses = Reading::Ignored;
            return;
        };
        let frames = |sender| Reading::Frames(ws::Decoder::new(sender, MAX_HELD), number);
        self.responses = frames(ws::Sender::Server);
        self.requests = frames(ws::Sender::Client);
        let early = std::mem::take(&mut self.early);
        told.place = Place::ToServer;
        self.frames(Place::ToServer, &early, told);
        told.place = Place::ToClient;
    }

    fn frames(&mut self, place: Place, bytes: &[u8], told: &mut Told) {
        let reading = match place {
            Place::ToServer => &mut self.requests,
            _ => &mut self.responses,
        };
        let Reading::Frames(decoder, number) = reading else {
            return;
        };
        told.exchange = Some(*number);
        for item in decoder.push(bytes) {
            let what = match item {
                Ok(ws::Message::Text(text)) => What::Message(Data::of_text(&text)),
                Ok(ws::Message::Binary(bytes)) => What::Message(Data::Bytes(bytes.len())),
                Ok(ws::Message::Ping(_)) if self.lens.pings => What::Ping,
                Ok(ws::Message::Pong(_)) if self.lens.pings => What::Pong,
                Ok(ws::Message::Ping(_) | ws::Message::Pong(_)) => continue,
                Ok(ws::Message::Close(code, reason)) => {
                    if let Some(exchange) = self.open.front_mut() {
                        exchange.closes += 1;
                        if exchange.closes == 2 {
                            self.open.pop_front();
                        }
                    }
                    What::Close(code, reason)
                }
                Err(violation) => {
                    let sender = told.sender();
                    let ws::Violation { code, rule } = violation;
                    told.note(format!("{sender} is to be refused with {code}: {rule}"));
                    continue;
                }
            };
            told.add(what);
        }
    }

    /// This direction cannot be read: says why, once a connection, and ignores the rest.
    fn give_up(&mut self, why: &str, told: &mut Told) {
        if !std::mem::replace(&mut self.is_noted, true) {
            let sender = told.sender();
            told.note(format!("{sender} {why}"));
        }
        match told.place {
            Place::ToServer => self.requests = Reading::Ignored,
            _ => self.responses = Reading::Ignored,
        }
    }
}

/// The moments of one call.
struct Told {
    when: When,
    place: Place,
    client: Option<char>,
    exchange: Option<u32>,
    moments: Vec<Moment>,
}

impl Told {
    fn add(&mut self, what: What) {
        self.add_at(self.place, what);
    }

    fn note(&mut self, words: String) {
        self.add_at(Place::Note, What::Note(words));
    }

    fn add_at(&mut self, place: Place, what: What) {
        self.moments.push(Moment {
            when: self.when,
            place,
            client: self.client,
            exchange: self.exchange,
            what,
        });
    }

    fn sender(&self) -> &'static str {
        match self.place {
            Place::ToServer => "the client",
            _ => "the server",
        }
    }
}

/// The head that `held` begins with, if it is complete. The first `before`
/// bytes were there at the last look.
fn read_head(
    held: &[u8],
    before: usize,
    parse: impl Fn(&[u8]) -> Result<Option<Head>, &'static str>,
) -> Result<Option<Head>, &'static str> {
    // Parsing from the start on every byte would cost a slow sender's peer
    // dear: a long head is parsed once its blank line is there.
    let tail = &held[before.saturating_sub(3)..];
    let may_be_complete =
        tail.windows(2).any(|pair| pair == b"\n\n") || tail.windows(3).any(|triple| triple == b"\n\r\n");
    if !may_be_complete && held.len() > SHORT_HEAD {
        return if held.len() > MAX_HEAD { Err("sent a head of more than 64 KiB") } else { Ok(None) };
    }
    parse(held)
}

const NO_HTTP: &str = "sent bytes that are no HTTP/1.1";

impl Head {
    fn request(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(bytes).map_err(|_| NO_HTTP)? else {
            return Ok(None);
        };
        Ok(Some(Head {
            start: Start::Request {
                method: request.method.unwrap_or_default().to_owned(),
                target: request.path.unwrap_or_default().to_owned(),
            },
            headers: fields(request.headers),
            length,
        }))
    }

    fn response(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(|_| NO_HTTP)? else {
            return Ok(None);
        };
        Ok(Some(Head {
            start: Start::Response { status: response.code.unwrap_or_default() },
            headers: fields(response.headers),
            length,
        }))
    }

    fn values<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(field, _)| field == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated header lists `token`, in any case.
    fn has(&self, name: &str, token: &str) -> bool {
        let mut listed = self.values(name).flat_map(|value| value.split(','));
        listed.any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// The media type without its parameters, in lower case.
    fn essence(&self) -> Option<String> {
        let value = self.values("content-type").next()?;
        let essence = value.split(';').next()?.trim();
        (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
    }

    /// The headers that a lens asks for.
    fn chosen(&self, names: &[String]) -> Vec<(String, String)> {
        let mut chosen = Vec::new();
        for name in names {
            let name = name.to_ascii_lowercase();
            for value in self.values(&name) {
                chosen.push((name.clone(), value.to_owned()));
            }
        }
        chosen
    }

    fn length_of_a_request_body(&self) -> Result<Length, &'static str> {
        Ok(self.framing()?.unwrap_or(Length::Known(0)))
    }

    fn length_of_a_response_body(&self) -> Result<Length, &'static str> {
        Ok(self.framing()?.unwrap_or(Length::UntilClose))
    }

    /// RFC 9112 § 6.3.
    fn framing(&self) -> Result<Option<Length>, &'static str> {
        const BAD_LENGTH: &str = "sent a Content-Length that is no one number";
        if let Some(codings) = self.values("transfer-encoding").next_back() {
            let last = codings.rsplit(',').next().unwrap_or_default().trim();
            return Ok(last.eq_ignore_ascii_case("chunked").then_some(Length::Chunked));
        }
        let mut length = None;
        for value in self.values("content-length").flat_map(|value| value.split(',')) {
            let value = value.trim();
            if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(BAD_LENGTH);
            }
            let value: u64 = value.parse().map_err(|_| BAD_LENGTH)?;
            if length.is_some_and(|length| length != value) {
                return Err(BAD_LENGTH);
            }
            length = Some(value);
        }
        Ok(length.map(Length::Known))
    }
}

fn fields(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let field = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value);
        (header.name.to_ascii_lowercase(), value.trim().to_owned())
    };
    headers.iter().map(field).collect()
}
