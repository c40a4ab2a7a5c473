//! Long polls: answers that are built once for all who ask from the same place.
//!
//! Who polls asks the same thing again and again: one request differs from the one before in a number. The first goes
//! through hyper, the router and its guard; then a [`Poller`] takes the line over, answers, and reads on. A request
//! that is the same but for its number has the same verdict, and is answered at once; whatever else comes, and
//! whatever comes in weather, goes back to hyper as it was sent.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, HttpBody},
    extract::{Extension, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use bytes::{BufMut, Bytes, BytesMut};
use feed::{Cursor, Missed};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    time::{sleep, timeout},
};

use super::{Hub, Shared, Ticket, admit, log::Place};
use crate::{
    carry::carry,
    climate::{Technique, Who},
    guard,
    line::{
        Answered, Line, Tap,
        handover::{Onward, Returned, take_over},
    },
    server::{Connection, asked_to_stop},
};

/// How long a request may wait for news, as in lab 2.
const HOLD: Duration = Duration::from_secs(30);
/// The longest head of a request that is read here.
const HEAD: usize = 8 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const NUMBER: &[u8] = b"after=";

/// The newest answer: to whoever was at this place, when the log ended there.
#[derive(Default)]
pub(super) struct Answers(Mutex<Option<(Place, u64, Told)>>);

/// News, as a body and as a whole answer.
#[derive(Clone)]
struct Told {
    body: Bytes,
    whole: Bytes,
    /// The number of the newest update in it.
    until: u64,
}

impl Answers {
    fn answer(&self, hub: &Shared, place: Place) -> Option<Told> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, until, told)) = &*newest
            && *known == place
            && hub.log.newest().next == until + 1
        {
            return Some(told.clone());
        }
        let (body, until) = hub.log.json(place)?;
        let whole = whole(StatusCode::OK, Some("application/json"), &body, true);
        let told = Told { body, whole, until };
        *newest = Some((place, until, told.clone()));
        Some(told)
    }
}

/// What the client has seen, as lab 2 asks for it.
#[derive(Deserialize)]
pub(super) struct Position {
    #[serde(default)]
    after: u64,
    epoch: Option<String>,
}

pub(super) async fn poll(
    State(hub): State<Hub>,
    Extension(connection): Extension<Connection>,
    position: Result<Query<Position>, QueryRejection>,
    request: Request,
) -> Response {
    let delivered = match admit(&hub, &connection, Technique::Poll).await {
        Ok(delivered) => delivered,
        Err(answer) => return answer,
    };
    let Connection { tap, peer } = connection;
    let mut answer = match position {
        Ok(Query(Position { after, epoch })) => {
            let ticket = hub.ticket().await;
            let head = tap.request();
            if may_be_taken_over(&request, &tap, &head) {
                let asked = Asked::read(&head);
                let ask = Ask { cursor: Cursor { epoch, seq: after }, delivered };
                let line = Arc::clone(&tap);
                take_over(
                    &tap,
                    Box::new(move |line_itself, onward| {
                        let poller = Poller {
                            hub,
                            ticket,
                            line: line_itself,
                            tap: line,
                            peer,
                            asked,
                            read: Vec::new(),
                        };
                        Box::pin(poller.polls(ask, onward))
                    }),
                );
                // Hyper is asked for nothing more.
                return pending().await;
            }
            let answer = newer(&ticket.0, &Cursor { epoch, seq: after }).await;
            respond(&ticket.0, answer)
        }
        Err(rejection) => problem(rejection.status(), &json!({ "title": rejection.body_text() })),
    };
    // What is news now is none for the next who asks.
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    carry(answer, tap, delivered).await
}

/// What is newer, as soon as there is something; nothing if there is none for too long.
async fn newer(hub: &Shared, cursor: &Cursor) -> Result<Option<Told>, Missed> {
    let news = async {
        let mut end = hub.log.end();
        let place = hub.place(cursor).await?;
        loop {
            end.borrow_and_update();
            if let Some(news) = hub.poll.answer(hub, place) {
                return Ok(Some(news));
            }
            if end.borrow().era != place.era || hub.log.oldest() > place.next {
                // The log has gone on without this place, or begun anew: the feed says what to tell.
                hub.place(cursor).await?;
            }
            if end.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    };
    timeout(HOLD, news).await.unwrap_or(Ok(None))
}

fn respond(hub: &Shared, answer: Result<Option<Told>, Missed>) -> Response {
    match answer {
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(Told { body, .. })) => {
            let kind = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, kind)], Body::from(body)).into_response()
        }
        Err(missed) => {
            let (status, members) = refusal(hub, &missed);
            problem(status, &members)
        }
    }
}

fn refusal(hub: &Shared, missed: &Missed) -> (StatusCode, Value) {
    let status = match missed {
        Missed::Gone { .. } => StatusCode::GONE,
        Missed::OtherEpoch { .. } => StatusCode::CONFLICT,
    };
    let Cursor { epoch, seq } = hub.log.cursor();
    (status, json!({ "title": missed.to_string(), "epoch": epoch, "seq": seq }))
}

const PROBLEM: &str = "application/problem+json";

/// An error that says what it is: `application/problem+json` (RFC 9457).
fn problem(status: StatusCode, members: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, PROBLEM)], members.to_string()).into_response()
}

/// An answer as its bytes, dressed as the guard dresses every answer.
fn whole(status: StatusCode, kind: Option<&'static str>, body: &[u8], stays: bool) -> Bytes {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !stays {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())) {
        headers.insert(header::DATE, date);
    }
    guard::dress(&mut headers);
    let mut bytes = BytesMut::with_capacity(512 + body.len());
    bytes.put_slice(format!("HTTP/1.1 {status}\r\n").as_bytes());
    for (name, value) in &headers {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(b"\r\n");
    bytes.put_slice(body);
    bytes.freeze()
}

/// Whether hyper has nothing of the line but this request, whose connection stays open.
fn may_be_taken_over(request: &Request, tap: &Tap, head: &[u8]) -> bool {
    let stays = request.headers().get(header::CONNECTION).is_none_or(|value| {
        value.to_str().is_ok_and(|value| value.trim().eq_ignore_ascii_case("keep-alive"))
    });
    let is_simple = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream();
    stays && is_simple && tap.is_plain() && is_one_head(head)
}

fn is_one_head(bytes: &[u8]) -> bool {
    let end = bytes.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD);
    bytes.starts_with(b"GET ") && end.is_some_and(|end| end + END_OF_HEAD.len() == bytes.len())
}

/// How a client asks, but for the number that it has seen.
struct Asked {
    before: Box<[u8]>,
    after: Box<[u8]>,
}

impl Asked {
    /// Reads it from a request's head. Nothing if it says no number.
    fn read(head: &[u8]) -> Option<Self> {
        let line = head.windows(2).position(|bytes| bytes == b"\r\n")?;
        let number = head[..line].windows(NUMBER.len()).position(|bytes| bytes == NUMBER)? + NUMBER.len();
        // Behind something else (`?before_after=`) it is another parameter.
        if !matches!(head[number - NUMBER.len() - 1], b'?' | b'&') {
            return None;
        }
        let end = number + head[number..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (end > number).then(|| Self { before: head[..number].into(), after: head[end..].into() })
    }

    /// The number in this head, if it is the same but for that.
    fn number(&self, head: &[u8]) -> Option<u64> {
        let number = head.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        if !number.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(number).ok()?.parse().ok()
    }
}

/// A question at hand.
struct Ask {
    cursor: Cursor,
    delivered: Arc<AtomicU64>,
}

/// A line on which the same is asked again and again.
struct Poller {
    hub: Hub,
    ticket: Ticket,
    line: Line,
    tap: Arc<Tap>,
    peer: SocketAddr,
    /// How it is asked, where there is a number in that.
    asked: Option<Asked>,
    /// What was read of the next request.
    read: Vec<u8>,
}

/// What comes after an answer.
enum Next {
    Ask(Ask),
    /// Something that is not for the poller.
    Back,
    Gone,
}

impl Poller {
    async fn polls(mut self, mut ask: Ask, mut onward: Onward) -> Returned {
        loop {
            let (bytes, stays) = self.answer(&ask, &mut onward).await?;
            let tap = Arc::clone(&self.tap);
            tokio::select! {
                biased;
                () = tap.until_cut() => return None,
                told = self.line.write_all(&bytes) => told.ok()?,
            }
            if !stays {
                let _ = self.line.shutdown().await;
                return None;
            }
            ask.delivered.fetch_add(1, Ordering::Relaxed);
            drop(bytes);
            ask = match self.next(&ask.cursor, &mut onward).await {
                Next::Ask(ask) => ask,
                Next::Gone => return None,
                Next::Back => {
                    self.line.unread(Bytes::from(self.read));
                    return Some(self.line);
                }
            };
        }
    }

    /// The answer, and whether the connection stays; nothing if nobody is there to have it.
    async fn answer(&mut self, ask: &Ask, onward: &mut Onward) -> Option<(Bytes, bool)> {
        let (hub, tap) = (Arc::clone(&self.ticket.0), Arc::clone(&self.tap));
        let mut news = std::pin::pin!(newer(&hub, &ask.cursor));
        let answer = loop {
            tokio::select! {
                biased;
                () = tap.until_cut() => return None,
                () = asked_to_stop(&mut onward.draining) => {
                    return Some((whole(StatusCode::NO_CONTENT, None, b"", false), false));
                }
                answer = news.as_mut() => break answer,
                read = std::future::poll_fn(|context| self.poll_read(context)) => read.ok()?,
            }
        };
        Some(match answer {
            Ok(Some(told)) => {
                tap.reaches(told.until);
                tap.is_answered(answered(StatusCode::OK));
                (told.whole, true)
            }
            Ok(None) => (whole(StatusCode::NO_CONTENT, None, b"", true), true),
            Err(missed) => {
                let (status, members) = refusal(&hub, &missed);
                tap.is_answered(answered(status));
                (whole(status, Some(PROBLEM), members.to_string().as_bytes(), true), true)
            }
        })
    }

    /// Reads the next request.
    async fn next(&mut self, cursor: &Cursor, onward: &mut Onward) -> Next {
        let tap = Arc::clone(&self.tap);
        let mut late = std::pin::pin!(sleep(onward.limits.head_within));
        loop {
            if let Some(end) = self.read.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD) {
                let end = end + END_OF_HEAD.len();
                let number = self.asked.as_ref().and_then(|asked| asked.number(&self.read[..end]));
                let Some(seq) = number else { return Next::Back };
                let page = None;
                let who = Who { lab: None, technique: Technique::Poll, page, peer: Some(self.peer) };
                // A new exchange has its own claim, and its own weather.
                let delivered = self.hub.0.climate.claim(&tap, who);
                if !tap.is_plain() {
                    return Next::Back;
                }
                let line = self.read.windows(2).position(|bytes| bytes == b"\r\n").unwrap_or(end);
                let line = String::from_utf8_lossy(&self.read[..line]);
                tap.is_asked(line.trim_end_matches(" HTTP/1.1").to_owned());
                self.read.drain(..end);
                let cursor = Cursor { epoch: cursor.epoch.clone(), seq };
                return Next::Ask(Ask { cursor, delivered });
            }
            if self.read.len() > HEAD {
                // Hyper says what is too long.
                return Next::Back;
            }
            tokio::select! {
                biased;
                () = tap.until_cut() => return Next::Gone,
                read = std::future::poll_fn(|context| self.poll_read(context)) => {
                    if read.is_err() {
                        return Next::Gone;
                    }
                }
                () = asked_to_stop(&mut onward.draining), if self.read.is_empty() => return Next::Gone,
                () = late.as_mut() => return Next::Gone,
            }
        }
    }

    /// Reads what has come; an error if that was the end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.read.len() > HEAD {
            // Enough, until what is there has been looked at.
            return Poll::Pending;
        }
        let mut part = [0; 1024];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut self.line).poll_read(context, &mut part))?;
        if part.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.read.extend_from_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

fn answered(status: StatusCode) -> Answered {
    let content_type = if status.is_success() { "application/json" } else { PROBLEM }.to_owned();
    Answered { status: status.as_u16(), content_type, is_stream: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_with_another_number_is_told_from_any_other() {
        let head = |line: &str| format!("GET {line} HTTP/1.1\r\nhost: x\r\naccept: */*\r\n\r\n").into_bytes();
        let asked = Asked::read(&head("/feed/poll?after=2&epoch=1")).unwrap();
        assert_eq!(asked.number(&head("/feed/poll?after=345&epoch=1")), Some(345));
        for other in
            ["/feed/poll?after=3&epoch=2", "/feed/poll?after=-3&epoch=1", "/feed/poll?after=&epoch=1", "/"]
        {
            assert_eq!(asked.number(&head(other)), None, "{other}");
        }
        let other_headers = b"GET /feed/poll?after=3&epoch=1 HTTP/1.1\r\nhost: y\r\naccept: */*\r\n\r\n";
        assert_eq!(asked.number(other_headers), None);
        for none in ["/feed/poll", "/feed/poll?after=", "/feed/poll?hereafter=2", "/feed/poll?epoch=1"] {
            assert!(Asked::read(&head(none)).is_none(), "{none}");
        }
        let two = [head("/feed/poll?after=2"), head("/feed/poll?after=3")].concat();
        assert!(is_one_head(&head("/")) && !is_one_head(&two), "hyper has read the second, too");
        assert!(!is_one_head(b"rest of a bodyGET / HTTP/1.1\r\n\r\n") && !is_one_head(b""));
    }

    #[test]
    fn an_answer_has_the_length_that_it_says() {
        let text = whole(StatusCode::OK, Some("application/json"), b"{}", true);
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n{}"), "{text}");
        assert!(
            text.contains("content-length: 2\r\n") && text.contains("content-security-policy: "),
            "{text}"
        );
        let none = whole(StatusCode::NO_CONTENT, None, b"", false);
        let none = std::str::from_utf8(&none).unwrap();
        assert!(!none.contains("content-length") && none.contains("connection: close\r\n"), "{none}");
    }
}
