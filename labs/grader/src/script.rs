//! A server that does what a check tells it, request by request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use wire::ws;

use crate::{
    Failure,
    bench::within,
    net::Line,
    socket::Socket,
    tape::{Mark, Tape},
    tasks::{spawn, spawn_local, task},
};

/// How long a check waits for a request that should be made at once.
const PATIENCE: Duration = Duration::from_secs(5);

type Part = Result<Frame<Bytes>, &'static str>;
type Body = Either<Full<Bytes>, StreamBody<UnboundedReceiverStream<Part>>>;

/// A server in the check's hands.
pub struct Script {
    asked: mpsc::UnboundedReceiver<Asked>,
    tape: Tape,
}

impl Script {
    pub(crate) fn start(
        mut connections: mpsc::UnboundedReceiver<Line>,
        tape: Tape,
    ) -> (Self, JoinHandle<()>) {
        let (requests, asked) = mpsc::unbounded_channel();
        let clock = tape.clone();
        let accepting = spawn(async move {
            let mut open = JoinSet::new();
            while let Some(line) = connections.recv().await {
                open.spawn(task(serve_connection(line, requests.clone(), clock.clone())));
            }
        });
        (Self { asked, tape }, accepting)
    }

    /// The client's next request.
    ///
    /// # Errors
    /// `otherwise`, a sentence, if it makes none within five seconds.
    pub async fn request(&mut self, otherwise: &str) -> Result<Asked, Failure> {
        self.request_within(PATIENCE, otherwise).await
    }

    /// The client's next request, if it comes in time.
    ///
    /// # Errors
    /// `otherwise`, a sentence, if it does not.
    pub async fn request_within(&mut self, patience: Duration, otherwise: &str) -> Result<Asked, Failure> {
        let asked = within(patience, self.asked.recv(), || Failure::broken(otherwise)).await?;
        asked
            .ok_or_else(|| Failure::broken("the check has replaced its server while it waited for a request"))
    }

    /// Lets time pass in which the client must ask for nothing.
    ///
    /// # Errors
    /// `otherwise`, a sentence, if it does ask.
    pub async fn quiet(&mut self, time: Duration, otherwise: &str) -> Result<(), Failure> {
        match tokio::time::timeout(time, self.asked.recv()).await {
            Ok(Some(asked)) => {
                Err(Failure::broken(format!("{otherwise} (it asked for {} {})", asked.method, asked.target)))
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// From here on answers every request as `answer` says, each in a task of its own, for as long as the play lasts.
    pub fn answer_all<F: Future<Output = ()> + 'static>(
        mut self,
        mut answer: impl FnMut(Asked) -> F + 'static,
    ) {
        spawn_local(async move {
            while let Some(asked) = self.asked.recv().await {
                spawn_local(answer(asked));
            }
        });
    }

    /// Now.
    pub fn now(&self) -> Mark {
        self.tape.now()
    }
}

/// A request that waits for its answer. Dropping it closes the connection without one.
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// When it arrived at the server.
    pub at: Mark,
    reply: oneshot::Sender<Response<Body>>,
    upgrade: OnUpgrade,
    tape: Tape,
}

impl Asked {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The value of a parameter of the query, or nothing.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Answers with a status and nothing else.
    pub fn status(self, status: u16) {
        self.answer(status, &[], "");
    }

    /// Answers at once, whole.
    pub fn answer(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        let body = Full::new(body.into());
        self.send(response(status, headers, Either::Left(body)));
    }

    /// Answers `200 text/event-stream` and leaves the stream open.
    pub fn stream(self) -> Stream {
        self.open(200, &[("content-type", "text/event-stream"), ("cache-control", "no-store")])
    }

    /// Answers with this head and leaves the body open.
    pub fn open(self, status: u16, headers: &[(&str, &str)]) -> Stream {
        let (parts, body) = mpsc::unbounded_channel();
        self.send(response(
            status,
            headers,
            Either::Right(StreamBody::new(UnboundedReceiverStream::new(body))),
        ));
        Stream(Some(parts))
    }

    /// Answers the opening handshake of a WebSocket (RFC 6455 § 4.2.2) and speaks with the client from then on.
    ///
    /// # Errors
    /// Where the request is no such handshake, or the client is gone.
    pub async fn upgrade(self) -> Result<Socket, Failure> {
        let what = format!("{} {}", self.method, self.target);
        let Some(key) = self.header("sec-websocket-key").map(str::to_owned) else {
            return Err(Failure::broken(format!("{what} is no opening handshake of a WebSocket.")));
        };
        let accept = ws::accept_key(&key);
        let mut headers =
            vec![("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &accept)];
        // The first that the client offers, so that one who offers several has an answer.
        let offered = self.header("sec-websocket-protocol").and_then(|all| all.split(',').next());
        let offered = offered.map(|protocol| protocol.trim().to_owned());
        headers.extend(offered.as_deref().map(|protocol| ("sec-websocket-protocol", protocol)));
        let response = response(101, &headers, Either::Left(Full::default()));
        let _ = self.reply.send(response);
        let upgraded = self
            .upgrade
            .await
            .map_err(|_| Failure::broken(format!("The client was gone before {what} was answered.")))?;
        Ok(Socket::new(upgraded, ws::Sender::Server, self.tape))
    }

    fn send(self, response: Response<Body>) {
        // The client may be gone already; the transcript tells.
        let _ = self.reply.send(response);
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a check answers with a status that exists");
    for (name, value) in headers {
        let name: header::HeaderName = name.parse().expect("a check sends headers that exist");
        response
            .headers_mut()
            .append(name, value.parse().expect("a check sends header values that may be sent"));
    }
    response
}

/// The body of an answer, as it is being sent. Dropping it breaks off; [`Stream::end`] ends it as it should.
pub struct Stream(Option<mpsc::UnboundedSender<Part>>);

impl Stream {
    /// Sends bytes as they are, in one chunk.
    pub fn send(&mut self, bytes: impl Into<Bytes>) {
        if let Some(parts) = &self.0 {
            // The client may be gone; then nobody reads.
            let _ = parts.send(Ok(Frame::data(bytes.into())));
        }
    }

    /// Sends an event with a type, an ID and data of one line.
    pub fn event(&mut self, name: &str, id: u64, data: &str) {
        self.send(format!("event: {name}\nid: {id}\ndata: {data}\n\n"));
    }

    /// Whether the client still reads.
    pub fn is_read(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| !parts.is_closed())
    }

    /// Ends the body as it should.
    pub fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(parts) = &self.0 {
            let _ = parts.send(Err("the check breaks this answer off"));
        }
    }
}

async fn serve_connection(line: Line, requests: mpsc::UnboundedSender<Asked>, tape: Tape) {
    let ask = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let (requests, tape) = (requests.clone(), tape.clone());
        async move {
            let upgrade = hyper::upgrade::on(&mut request);
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let (reply, answered) = oneshot::channel();
            let asked = Asked {
                method: head.method.to_string(),
                target: head.uri.to_string(),
                headers: head.headers,
                body,
                at: tape.now(),
                reply,
                upgrade,
                tape,
            };
            // A check that has ended answers nobody; the connection closes with it.
            let _ = requests.send(asked);
            answered.await.map_err(|_| "the check has closed this connection")
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(line), ask)
        .with_upgrades()
        .await;
}
