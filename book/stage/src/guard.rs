//! What every answer of the stage carries, and what no request gets past.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use hyper::body::Body as _;
use tokio::sync::watch;
use tracing::{Instrument, field};

use crate::{line::Answered, server::Connection};

/// The longest path and query that is looked at, in bytes.
const TARGET: usize = 4 * 1024;

/// What a page may load where it brings no policy of its own: things of this host.
pub(crate) const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// Refuses what is too long or comes from another site, and dresses the answer.
/// Whoever is refused has a line in the log, without what stands behind the `?`.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let connection = request.extensions().get::<Connection>().cloned();
    let span = tracing::info_span!(
        "request",
        %method,
        path = shown(uri.path()),
        lab = field::Empty,
        technique = field::Empty,
        visitor = field::Empty
    );
    if let Some(Connection { tap, .. }) = &connection {
        tap.is_asked(format!("{method} {uri}"));
        tap.is_in(&span);
    }
    let mut response = match refusal(&request) {
        Some(refused) => refused.into_response(),
        None => next.run(request).instrument(span.clone()).await,
    };
    if let Some(Connection { tap, .. }) = &connection {
        let content_type = response.headers().get(header::CONTENT_TYPE);
        tap.is_answered(Answered {
            status: response.status().as_u16(),
            content_type: content_type.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned(),
            is_stream: response.body().size_hint().exact().is_none(),
        });
    }
    let status = response.status();
    // A wrong address is nobody's offence, unless it tries to leave what is served.
    if status.is_client_error() && (status != StatusCode::NOT_FOUND || climbs(uri.path())) {
        span.in_scope(|| tracing::info!(status = status.as_u16(), "a request was refused"));
    }
    dress(response.headers_mut());
    response
}

/// Adds what every answer of the stage carries.
pub(crate) fn dress(headers: &mut HeaderMap) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("same-origin"));
    }
}

/// A path as it may stand in the log: not all of a long one, and nothing that lets anybody in.
fn shown(path: &str) -> String {
    match path.strip_prefix("/join/") {
        // Who has the code is taken for its owner.
        Some(_) => String::from("/join/…"),
        None => path.chars().take(80).collect(),
    }
}

/// Whether a path has a way up in it, however it is written.
fn climbs(path: &str) -> bool {
    let plain = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    plain.split(['/', '\\']).any(|part| part == "..")
}

fn refusal(request: &Request) -> Option<(StatusCode, &'static str)> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET {
        return Some((StatusCode::URI_TOO_LONG, "This address is too long.\n"));
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && !is_same_origin(request.headers()) {
        return Some((StatusCode::FORBIDDEN, "Only the stage's own pages may ask for this.\n"));
    }
    // A handshake is a safe request that a page of any site may send, cookies and all. The floor of lab 5 looks
    // for itself, which is what its chapter is about.
    let headers = request.headers();
    if headers.contains_key(header::UPGRADE)
        && headers.contains_key(header::ORIGIN)
        && !request.uri().path().starts_with("/live/lab5/")
        && !is_same_origin(headers)
    {
        return Some((StatusCode::FORBIDDEN, "Only the stage's own pages may open a WebSocket here.\n"));
    }
    None
}

/// Whether the browser says that a page of this very origin sent the request:
/// by `Sec-Fetch-Site` (Fetch Metadata), or by `Origin` where it sends no such header.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
        }
        _ => false,
    }
}

/// Whether whoever asks would show a page: a browser that follows a link or sends a form, and no script.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The body of a request, that fails if its client pauses for longer than `time`.
pub(crate) fn in_time(body: Body, time: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let parts = tokio_stream::StreamExt::timeout(body.into_data_stream(), time);
    let parts = parts.map(|part| part.unwrap_or_else(|late| Err(axum::Error::new(late))));
    // What has failed once has failed: a timeout goes on ticking.
    let mut failed = false;
    Body::from_stream(parts.take_while(move |part| {
        let goes_on = !failed;
        failed = part.is_err();
        std::future::ready(goes_on)
    }))
}

/// Ends every event stream once the stage drains: a stream that never ends
/// would keep a graceful stop waiting for ever. Clients come back by themselves.
pub(crate) async fn end_streams(
    draining: Arc<watch::Sender<bool>>,
    request: Request,
    next: Next,
) -> Response {
    until(next.run(request).await, draining.subscribe(), |draining| *draining)
}

/// Ends the body of an event stream, as its sender would, once `done` says so.
pub(crate) fn until<T: Send + Sync + 'static>(
    response: Response,
    mut signal: watch::Receiver<T>,
    done: fn(&T) -> bool,
) -> Response {
    if !is_event_stream(response.headers()) {
        return response;
    }
    response.map(|body| {
        let signalled = async move {
            if signal.wait_for(done).await.is_err() {
                // Nobody is left to signal.
                std::future::pending::<()>().await;
            }
        };
        Body::from_stream(body.into_data_stream().take_until(Box::pin(signalled)))
    })
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_not_shown_and_a_long_path_not_all_of_it() {
        assert_eq!(shown("/live/lab3/prices"), "/live/lab3/prices");
        assert_eq!(shown("/join/abcdefgh"), "/join/…");
        assert_eq!(shown(&format!("/{}", "é".repeat(100))).chars().count(), 80);
    }

    fn asked(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        is_same_origin(&headers)
    }

    #[test]
    fn a_way_up_is_seen_however_it_is_written() {
        for path in ["/..", "/en/../x", "/en/%2e%2E/x", "/en/..%2fx", "/en/.%2e%5Cx", "/en/..\\x"] {
            assert!(climbs(path), "{path}");
        }
        for path in ["/", "/en/", "/en/a..b", "/en/...", "/en/.hidden", "/%"] {
            assert!(!climbs(path), "{path}");
        }
    }

    #[test]
    fn a_page_of_this_origin_may_ask() {
        assert!(asked(&[("sec-fetch-site", "same-origin")]));
        assert!(asked(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")]));
    }

    #[test]
    fn nobody_else_may_ask() {
        for headers in [
            &[][..],
            &[("host", "127.0.0.1:8080")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("host", "a"), ("origin", "http://a")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:9090")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://evil.example")],
            &[("host", "127.0.0.1:8080"), ("origin", "null")],
            &[("origin", "http://127.0.0.1:8080")],
        ] {
            assert!(!asked(headers), "{headers:?}");
        }
    }
}
