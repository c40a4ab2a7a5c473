// The server that the conformance checks talk to: in the bench's network for
// the grader's page, on a loopback port for a real browser. Stateless, so that
// both find the same.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        Path, Query, Request,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::sleep;

/// The checks themselves: one ES module with a function `run`.
pub(crate) const CHECKS: &str = include_str!("checks.js");

/// How long a server takes between two parts of an answer.
const PAUSE: Duration = Duration::from_millis(30);

/// Everything that the checks ask for, and the checks.
pub(crate) fn app() -> Router {
    Router::new()
        .route(
            "/",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
                    "<!doctype html><title>Conformance</title>",
                )
            }),
        )
        .route(
            "/checks.js",
            get(|| async { ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], CHECKS) }),
        )
        .route("/echo", any(echo))
        .route("/status/{code}", any(status))
        .route("/redirect/{code}", any(redirect))
        .route("/loop", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/loop")]) }))
        .route(
            "/headers",
            get(|| async { ([("x-one", "1"), ("x-two", "a, b"), ("etag", "\"v1\"")], "headers") }),
        )
        .route("/chunks", get(chunks))
        .route("/endless", get(endless))
        .route("/broken", get(broken))
        .route(
            "/slow",
            get(|| async {
                sleep(Duration::from_secs(5)).await;
                "late"
            }),
        )
        .route("/large", get(|| async { "0123456789abcdef".repeat(16 * 1024) }))
        .route("/events/format", get(format))
        .route("/events/resume", get(resume))
        .route("/events/retry", get(retry))
        .route("/events/type", get(|| async { ([(header::CONTENT_TYPE, "text/plain")], "data: no\n\n") }))
        .route(
            "/ws/echo",
            any(|upgrade: WebSocketUpgrade| async { upgrade.protocols(["chat"]).on_upgrade(echo_messages) }),
        )
        .route("/ws/close", any(close))
        .route("/ws/drop", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|_| async {}) }))
        .route("/ws/greet", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(greet) }))
}

/// What the request looked like, as far as scripts decide it.
async fn echo(request: Request) -> impl IntoResponse {
    let (head, body) = request.into_parts();
    let told = ["accept", "content-type", "cache-control", "pragma", "last-event-id", "x-test"];
    let headers: serde_json::Map<String, serde_json::Value> = told
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), head.headers.get(name)?.to_str().ok()?.into())))
        .collect();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    axum::Json(serde_json::json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "headers": headers,
        "hasOrigin": head.headers.contains_key(header::ORIGIN),
        "body": String::from_utf8_lossy(&body),
    }))
}

async fn status(Path(code): Path<u16>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    match code {
        204 | 304 => status.into_response(),
        _ => (status, format!("{{\"status\":{code}}}")).into_response(),
    }
}

async fn redirect(Path(code): Path<u16>, Query(query): Query<Vec<(String, String)>>) -> Response {
    let to = query.into_iter().find(|(name, _)| name == "to").map(|(_, to)| to);
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::FOUND);
    (status, [(header::LOCATION, to.unwrap_or_else(|| "/echo".into()))]).into_response()
}

/// Parts with pauses between them, so that each arrives by itself.
fn parts(parts: Vec<&'static [u8]>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::iter(parts).then(|part| async move {
        sleep(PAUSE).await;
        Ok(Bytes::from_static(part))
    })
}

/// A character cut in two, and a CRLF.
async fn chunks() -> Response {
    let parts = parts(vec![b"one\r", b"\ncaf\xc3", b"\xa9 ", b"\xf0\x9f\x98", b"\x80 end"]);
    ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(parts)).into_response()
}

async fn endless() -> Response {
    let ticks = stream::unfold(0, |tick| async move {
        sleep(PAUSE).await;
        Some((Ok::<_, Infallible>(Bytes::from(format!("tick {tick}\n"))), tick + 1))
    });
    Body::from_stream(ticks).into_response()
}

/// Begins an answer and breaks off.
async fn broken() -> Response {
    let parts = parts(vec![b"begun"]).map(|part| part.map_err(|never| match never {}));
    let broken = parts.chain(stream::once(async {
        sleep(PAUSE).await;
        Err(std::io::Error::other("broken off"))
    }));
    Body::from_stream(broken).into_response()
}

fn event_stream(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response()
}

/// What an event stream may contain; the connection stays open.
async fn format() -> Response {
    let text: &[&[u8]] = &[
        b"\xef\xbb\xbfdata: after a byte order mark\n\n",
        b":a comment\ndata\ndata:two\ndata:  three\n\n",
        b"event: named\ndata: crlf\r\n\r\nevent: named\rdata: cr\r\r",
        b"id: 7\ndata: with an id\n\n",
        b"data: keeps it\n\n",
        b"id: 8\n\n",
        b"data: has the one before\n\n",
        b"id: a\0b\nunknown: x\n DATA: no\ndata: caf\xc3",
        b"\xa9 \xff\n\nevent: nothing\n\n",
        b"id\ndata: reset\n\nevent: end\ndata:\n\ndata: never finished\n",
    ];
    let open = stream::once(async {
        sleep(Duration::from_secs(3)).await;
        Ok(Bytes::new())
    });
    event_stream(Body::from_stream(parts(text.to_vec()).chain(open)))
}

/// A stream that ends, goes on where it was left, ends, and is then over for good.
async fn resume(headers: HeaderMap) -> Response {
    match headers.get("last-event-id").map(|id| id.as_bytes()) {
        None => event_stream(Body::from("retry: 20\nid: 1\ndata: first\n\n")),
        Some(b"1") => event_stream(Body::from("id: \u{e9}2\ndata: second\n\ndata: cut off")),
        Some(id) if id == "\u{e9}2".as_bytes() => event_stream(Body::from("id: 3\ndata: third\n\n")),
        Some(_) => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A stream that asks for a fast return, and is not there when the client comes back.
async fn retry(headers: HeaderMap) -> Response {
    if headers.contains_key("last-event-id") {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    event_stream(Body::from("retry: 20\n\nid: 1\ndata: once\n\n"))
}

async fn echo_messages(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            Message::Text(_) | Message::Binary(_) => message,
            _ => continue,
        };
        if socket.send(answer).await.is_err() {
            break;
        }
    }
}

/// Says something at once.
async fn greet(mut socket: WebSocket) {
    for word in ["one", "two", "three"] {
        let _ = socket.send(Message::text(word)).await;
    }
    let _ = socket.recv().await;
}

/// Closes at once: with `?code=…&reason=…`, or with an empty frame.
async fn close(upgrade: WebSocketUpgrade, Query(query): Query<Vec<(String, String)>>) -> Response {
    let find = |name: &str| query.iter().find(|(its, _)| its == name).map(|(_, value)| value.clone());
    let code = find("code").and_then(|code| code.parse().ok());
    let frame = code.map(|code| CloseFrame { code, reason: find("reason").unwrap_or_default().into() });
    upgrade.on_upgrade(|mut socket| async move {
        let _ = socket.send(Message::Close(frame)).await;
        while let Some(Ok(_)) = socket.recv().await {}
    })
}
