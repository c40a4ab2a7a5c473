// The little of the web platform tests' server that their tests of these areas need: files of the checkout, and the
// resources whose answer can be said in a line or two. Whatever else is asked for is a 404.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        Request,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::stream;
use tokio::time::sleep;

/// What their server puts into files that ask for it.
pub(crate) fn substitute(text: &str) -> String {
    let here = [("{{host}}", "lab.test"), ("{{ports[http][0]}}", "80"), ("{{ports[ws][0]}}", "80")];
    // Ports at which nobody is.
    let elsewhere = ["{{ports[http][1]}}", "{{ports[https][0]}}", "{{ports[https][1]}}", "{{ports[wss][0]}}"];
    let text = here.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    elsewhere.iter().fold(text, |text, name| text.replace(name, "8443"))
}

/// The server for the test at `path`: it finds files from the root, and from the test's folder and those above it.
pub(crate) fn app(root: &Path, path: &str) -> Router {
    let folders: Arc<Vec<PathBuf>> =
        Arc::new(root.join(path).ancestors().skip(1).map(Path::to_owned).collect());
    let answer = move |request: Request| {
        let folders = folders.clone();
        async move { answer(&folders, request).await }
    };
    let echo = |upgrade: WebSocketUpgrade| async { upgrade.protocols(["echo"]).on_upgrade(echo) };
    let protocol = |headers: HeaderMap, upgrade: WebSocketUpgrade| async move {
        let asked = headers.get("sec-websocket-protocol").and_then(|asked| asked.to_str().ok());
        let first = asked.and_then(|asked| asked.split(',').next()).unwrap_or_default().trim().to_owned();
        upgrade.protocols([first.clone()]).on_upgrade(|mut socket| async move {
            let _ = socket.send(Message::text(first)).await;
            let _ = socket.recv().await;
        })
    };
    let query = |request: axum::http::Uri, upgrade: WebSocketUpgrade| async move {
        let query = request.query().unwrap_or_default().to_owned();
        upgrade.on_upgrade(|mut socket| async move {
            let _ = socket.send(Message::text(query)).await;
            let _ = socket.recv().await;
        })
    };
    let drop = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|_| async {}) };
    Router::new()
        .route("/echo", any(echo))
        .route("/protocol", any(protocol))
        .route("/protocol_array", any(protocol))
        .route("/handshake_protocol", any(protocol))
        .route("/echo-query", any(query))
        .route("/echo_raw", any(drop))
        .fallback(answer)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        match message {
            Message::Text(text) if text.as_str() == "Goodbye" => {
                let _ = socket.send(Message::Text(text)).await;
                let frame = CloseFrame { code: 1000, reason: "".into() };
                let _ = socket.send(Message::Close(Some(frame))).await;
            }
            Message::Text(_) | Message::Binary(_) => {
                let _ = socket.send(message).await;
            }
            _ => {}
        }
    }
}

async fn answer(folders: &[PathBuf], request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let find = |name: &str| query.iter().find(|(its, _)| its == name).map(|(_, value)| value.clone());
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap_or_default();
    let text = |name: &'static str| {
        head.headers.get(name).cloned().unwrap_or_else(|| HeaderValue::from_static("NO"))
    };
    let method = HeaderValue::from_str(head.method.as_str()).expect("a method is a token");
    let about = || {
        [
            ("x-request-method", method.clone()),
            ("x-request-content-type", text("content-type")),
            ("x-request-content-length", text("content-length")),
            ("x-request-content-encoding", text("content-encoding")),
            ("x-request-content-language", text("content-language")),
            ("x-request-content-location", text("content-location")),
        ]
    };
    let events = |body: String| ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response();
    match path.rsplit('/').next().unwrap_or_default() {
        "echo-content.py" | "method.py" => {
            (about(), [(header::CONTENT_TYPE, "text/plain")], body).into_response()
        }
        "inspect-headers.py" => {
            let mut headers = HeaderMap::new();
            for name in find("headers").unwrap_or_default().split('|') {
                let echoed = axum::http::HeaderName::try_from(format!("x-request-{name}"));
                if let (Ok(echoed), Some(value)) = (echoed, head.headers.get(name)) {
                    headers.insert(echoed, value.clone());
                }
            }
            (headers, "").into_response()
        }
        "status.py" => {
            let code = find("code").and_then(|code| code.parse().ok()).unwrap_or(200);
            let kind = HeaderValue::try_from(find("type").unwrap_or_default()).expect("a media type");
            let body = find("content").unwrap_or_default();
            let mut response = (
                StatusCode::from_u16(code).unwrap_or(StatusCode::OK),
                [(header::CONTENT_TYPE, kind), ("x-request-method".parse().expect("a name"), method)],
                body,
            )
                .into_response();
            if let Some(words) = find("text") {
                let reason = hyper::ext::ReasonPhrase::try_from(words.into_bytes()).expect("a reason");
                response.extensions_mut().insert(reason);
            }
            response
        }
        "redirect.py" => redirect(&query),
        "redirect-empty-location.py" => (StatusCode::FOUND, [(header::LOCATION, "")]).into_response(),
        "trickle.py" => {
            let count = find("count").and_then(|count| count.parse().ok()).unwrap_or(50);
            let pause = find("ms").and_then(|ms| ms.parse().ok()).unwrap_or(500);
            trickle("TEST_TRICKLE\n", count, Duration::from_millis(pause))
        }
        "infinite-slow-response.py" => trickle(".", u32::MAX, Duration::from_millis(10)),
        "script-with-header.py" => "console.log('Script loaded')".into_response(),
        "message.py" => {
            let pause = find("sleep").and_then(|ms| ms.parse().ok()).unwrap_or(0);
            sleep(Duration::from_millis(pause)).await;
            let kind = find("mime").unwrap_or_else(|| "text/event-stream".to_owned());
            let message = find("message").unwrap_or_else(|| "data: data".to_owned());
            let end = if find("newline").as_deref() == Some("none") { "" } else { "\n\n" };
            ([(header::CONTENT_TYPE, kind)], format!("{message}{end}\n")).into_response()
        }
        "message2.py" => {
            let part = "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n";
            let mut response = trickle(part, u32::MAX, Duration::from_secs(2));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        }
        "last-event-id.py" => match head.headers.get("last-event-id").filter(|id| !id.is_empty()) {
            Some(id) => {
                let body = [b"data: ", id.as_bytes(), b"\n\n"].concat();
                ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
            }
            None => {
                let id = find("idvalue").unwrap_or_else(|| "\u{2026}".to_owned());
                events(format!("id: {id}\nretry: 200\ndata: hello\n\n"))
            }
        },
        "last-event-id2.py" => events(
            match find("type").as_deref() {
                Some("2") => "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
                Some("3") => "id: 1\ndata: 1\n\nid\ndata:2\n\ndata:3\n\n",
                _ => "id: 1\ndata: 1\n\ndata: 2\n\nid: 2\ndata:3\n\ndata:4\n\n",
            }
            .to_owned(),
        ),
        "status-error.py" => {
            let status = find("status").and_then(|code| code.parse().ok()).unwrap_or(404);
            let body = if matches!(status, 204 | 205) { "" } else { "data: data\n\n" };
            (StatusCode::from_u16(status).expect("a status"), events(body.to_owned())).into_response()
        }
        "accept.event_stream" => events(format!("data: {}\n\n", text("accept").to_str().unwrap_or_default())),
        "cache-control.event_stream" => {
            events(format!("data: {}\n\n", text("cache-control").to_str().unwrap_or_default()))
        }
        _ => file(folders, &path),
    }
}

fn redirect(query: &[(String, String)]) -> Response {
    let find = |name: &str| query.iter().find(|(its, _)| its == name).map(|(_, value)| value.clone());
    let status =
        find("redirect_status").or_else(|| find("status")).and_then(|code| code.parse().ok()).unwrap_or(302);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    let Some(mut location) = find("location") else { return status.into_response() };
    if find("simple").is_none() && !location.split('/').next().unwrap_or_default().contains(':') {
        let rest = query.iter().filter(|(name, _)| name != "location");
        let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        location = format!("{location}{}{written}", if location.contains('?') { "&" } else { "?" });
    }
    let location = HeaderValue::from_bytes(location.as_bytes()).unwrap_or(HeaderValue::from_static("/"));
    (status, [(header::LOCATION, location)]).into_response()
}

/// The same part again and again, with pauses.
fn trickle(part: &'static str, count: u32, pause: Duration) -> Response {
    let parts = stream::unfold(0, move |sent| async move {
        (sent < count).then_some(())?;
        sleep(pause).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(part.as_bytes())), sent + 1))
    });
    ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(parts)).into_response()
}

/// A file of the checkout. Python is not run.
fn file(folders: &[PathBuf], path: &str) -> Response {
    let name = path.trim_start_matches('/');
    if name.is_empty() || name.contains("..") || name.ends_with(".py") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let kind = match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("js") => "text/javascript",
        Some("event_stream") => "text/event-stream",
        _ => "text/plain",
    };
    // From the root a path is what it says; from the test's folder, what a relative URL meant.
    match folders.iter().find_map(|folder| std::fs::read(folder.join(name)).ok()) {
        Some(bytes) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
