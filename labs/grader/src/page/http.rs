//! HTTP requests of the page, as a browser's network layer makes them: one
//! connection each, at most six at a time, redirects followed.

use std::{io, rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedSender},
    task::AbortHandle,
};
use url::Url;
use wire::sse;

use super::{Arrival, ORIGIN, url::join};
use crate::{net::Lane, tasks::spawn_local};

/// How many requests share the network at a time; the next one waits
/// (HTTP/1.1 connections per host in every browser).
pub(super) const CONNECTIONS: usize = 6;

/// How many redirects are followed before a request fails (Fetch § 4.4).
const MAX_REDIRECTS: usize = 20;

/// What becomes of a redirect (Fetch, *redirect mode*).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirect {
    Follow,
    Error,
    Manual,
}

/// How the page wants to hear the body.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// As chunks, one for each credit that the page gives.
    Chunks,
    /// As the items of an event stream, where the response is one; it goes on
    /// from this last event ID.
    Events(String),
}

/// One request as the page's script asked for it.
pub(super) struct Outgoing {
    pub(super) id: u32,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Bytes>,
    pub(super) redirect: Redirect,
    pub(super) reading: Reading,
}

/// The head of a response as the script sees it.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) url: String,
    pub(super) redirected: bool,
}

/// A request on its way: dropping it closes the connection.
pub(super) struct InFlight {
    task: AbortHandle,
    credit: Rc<Semaphore>,
}

impl InFlight {
    /// Lets one more chunk of the body come.
    pub(super) fn more(&self) {
        self.credit.add_permits(1);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a request; all that comes of it is told to `arrivals` under its id.
pub(super) fn start(
    request: Outgoing,
    lane: Lane,
    connections: Arc<Semaphore>,
    arrivals: UnboundedSender<Arrival>,
) -> InFlight {
    let credit = Rc::new(Semaphore::new(1));
    let reader = credit.clone();
    let task = spawn_local(async move {
        let id = request.id;
        let end = match run(request, &lane, connections, &reader, &arrivals).await {
            Ok(()) => Arrival::End(id),
            Err(problem) => {
                Arrival::Failed(id, problem.downcast().ok().map(|elsewhere: Box<Elsewhere>| elsewhere.0))
            }
        };
        // Nobody listens any more once the page is gone.
        let _ = arrivals.send(end);
    });
    InFlight { task: task.abort_handle(), credit }
}

type Problem = Box<dyn std::error::Error>;

/// A redirect that leads away from the one server there is: the URL.
#[derive(Debug)]
struct Elsewhere(String);

impl std::error::Error for Elsewhere {}

impl std::fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no {} here", self.0)
    }
}

async fn run(
    mut request: Outgoing,
    lane: &Lane,
    connections: Arc<Semaphore>,
    credit: &Semaphore,
    arrivals: &UnboundedSender<Arrival>,
) -> Result<(), Problem> {
    let _connection = connections.acquire_owned().await?;
    let mut redirects = 0;
    let (response, _driver) = loop {
        let (response, driver) = exchange(&request, lane).await?;
        let Some(next) = redirection(&request, &response)? else {
            break (response, driver);
        };
        redirects += 1;
        if redirects > MAX_REDIRECTS {
            return Err("too many redirects".into());
        }
        follow(&mut request, response.status(), next);
    };
    let id = request.id;
    let is_events = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| essence(value) == "text/event-stream");
    let head = Head {
        status: response.status().as_u16(),
        reason: response
            .extensions()
            .get::<hyper::ext::ReasonPhrase>()
            .map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned())
            .or_else(|| response.status().canonical_reason().map(str::to_owned))
            .unwrap_or_default(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| {
                // Header values are bytes; scripts see each as one code unit.
                let value = value.as_bytes().iter().map(|byte| char::from(*byte));
                (name.to_string(), value.collect())
            })
            .collect(),
        url: request.url.to_string(),
        redirected: redirects > 0,
    };
    let _ = arrivals.send(Arrival::Head(id, head));
    let parser = match &request.reading {
        Reading::Events(last_event_id) if is_events => Some(sse::Parser::resuming(last_event_id)),
        _ => None,
    };
    read(id, response.into_body(), parser, credit, arrivals).await
}

/// Reads a body to its end: as events, or chunk by chunk as the page asks for them.
async fn read(
    id: u32,
    mut body: Incoming,
    mut parser: Option<sse::Parser>,
    credit: &Semaphore,
    arrivals: &UnboundedSender<Arrival>,
) -> Result<(), Problem> {
    loop {
        if parser.is_none() {
            credit.acquire().await?.forget();
        }
        let Some(frame) = body.frame().await else {
            return Ok(());
        };
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        match &mut parser {
            Some(parser) => {
                for item in parser.push(&chunk) {
                    let _ = arrivals.send(Arrival::Item(id, item));
                }
            }
            None => {
                let _ = arrivals.send(Arrival::Chunk(id, chunk));
            }
        }
    }
}

/// One request and the head of its response, over a connection of its own.
async fn exchange(request: &Outgoing, lane: &Lane) -> Result<(http::Response<Incoming>, Driver), Problem> {
    if request.url.origin().ascii_serialization() != ORIGIN {
        return Err(Box::new(Elsewhere(request.url.to_string())));
    }
    let line = lane.connect().await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(line)).await?;
    // How it ends, the request is told.
    let driver = async move { drop(connection.await) };
    let driver = Driver(spawn_local(driver).abort_handle());
    let target = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut outgoing = http::Request::builder()
        .method(request.method.clone())
        .uri(target)
        .header(header::HOST, authority(&request.url));
    for (name, value) in &request.headers {
        outgoing = outgoing.header(name, value);
    }
    let body = request.body.clone().unwrap_or_default();
    let response = sender.send_request(outgoing.body(Full::new(body))?).await?;
    Ok((response, driver))
}

/// Where a response redirects to, if it does and the request follows.
fn redirection(request: &Outgoing, response: &http::Response<Incoming>) -> Result<Option<Url>, Problem> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(header::LOCATION);
    let (true, Some(location)) = (is_redirect, location) else {
        return Ok(None);
    };
    match request.redirect {
        Redirect::Manual => Ok(None),
        Redirect::Error => Err(Box::new(io::Error::other("a redirect, and none is allowed"))),
        // Browsers read a location as UTF-8.
        Redirect::Follow => {
            Ok(Some(join(Some(&request.url), &String::from_utf8_lossy(location.as_bytes())).ok_or("no URL")?))
        }
    }
}

/// Changes a request as a redirect asks (Fetch § 4.4, HTTP-redirect fetch).
fn follow(request: &mut Outgoing, status: StatusCode, mut next: Url) {
    if next.fragment().is_none() {
        next.set_fragment(request.url.fragment());
    }
    request.url = next;
    let becomes_get = match status.as_u16() {
        301 | 302 => request.method == Method::POST,
        303 => request.method != Method::GET && request.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        request.method = Method::GET;
        request.body = None;
        request.headers.retain(|(name, _)| {
            *name != header::CONTENT_TYPE
                && *name != header::CONTENT_LANGUAGE
                && *name != header::CONTENT_ENCODING
                && *name != header::CONTENT_LOCATION
        });
    }
}

/// `host` or `host:port`, as the `Host` header names it.
pub(super) fn authority(url: &Url) -> String {
    match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    }
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// The task that drives a connection; dropping it closes the connection.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
