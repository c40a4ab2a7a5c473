//! Clients that are no browsers, for whatever speaks for a stage: the stage itself, or a proxy before it.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

/// How long a peer waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks something on a connection of its own. POSTs what is not empty, as a page of that very origin does.
pub(crate) async fn ask(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Response<Incoming>> {
    let line = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(line)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut request = Request::builder().uri(target).header(header::HOST, address.to_string());
    if !body.is_empty() {
        request = request.method("POST").header(header::ORIGIN, format!("http://{address}"));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).map_err(io::Error::other)?;
    timeout(PATIENCE, sender.send_request(request)).await?.map_err(io::Error::other)
}

/// A body to its end, as text.
pub(crate) async fn text(response: Response<Incoming>) -> io::Result<String> {
    let body = timeout(PATIENCE, response.into_body().collect()).await?.map_err(io::Error::other)?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// An event stream.
pub(crate) struct Events {
    body: Incoming,
    parser: wire::sse::Parser,
    told: VecDeque<wire::sse::Event>,
}

impl Events {
    /// Reads an answer as an event stream.
    pub(crate) fn of(response: Response<Incoming>) -> Self {
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        assert!(
            response.status() == 200 && kind.is_some_and(|kind| kind.starts_with("text/event-stream")),
            "this is no event stream: {response:?}"
        );
        Self { body: response.into_body(), parser: wire::sse::Parser::new(), told: VecDeque::new() }
    }

    /// The next event; nothing once the stream has ended, well or not.
    pub(crate) async fn next(&mut self) -> Option<wire::sse::Event> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Some(event);
            }
            let frame =
                timeout(PATIENCE, self.body.frame()).await.expect("the stream says something, or ends");
            let bytes = frame?.ok()?.into_data().unwrap_or_default();
            let items = self.parser.push(&bytes);
            self.told.extend(items.into_iter().filter_map(|item| match item {
                wire::sse::Item::Event(event) => Some(event),
                _ => None,
            }));
        }
    }
}

/// A trader on the floor of lab 5.
pub(crate) struct Trader(WebSocketStream<TcpStream>);

impl Trader {
    /// Goes onto the floor, and into a room.
    pub(crate) async fn join(address: SocketAddr, name: &str) -> Result<Self, tungstenite::Error> {
        let mut trader = Self::open(address, "/live/lab5/floor").await?;
        let join = json!({ "type": "join", "room": "general", "name": name });
        trader.0.send(Message::text(join.to_string())).await?;
        while let Some(told) = trader.next().await {
            if told["type"] == "joined" {
                return Ok(trader);
            }
        }
        Err(tungstenite::Error::ConnectionClosed)
    }

    /// Opens a line, and says nothing yet.
    pub(crate) async fn open(address: SocketAddr, target: &str) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{address}{target}").into_client_request()?;
        let origin = format!("http://{address}").parse().expect("an origin is a header's value");
        request.headers_mut().insert(header::ORIGIN, origin);
        let line = TcpStream::connect(address).await?;
        let (socket, _) = timeout(PATIENCE, client_async(request, line)).await.map_err(io::Error::from)??;
        Ok(Self(socket))
    }

    /// The next message; nothing once the line is gone.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something is said, or the line ends")? {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).ok(),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Says something in the room.
    #[allow(dead_code, reason = "not every test talks")]
    pub(crate) async fn say(&mut self, text: &str) -> Result<(), tungstenite::Error> {
        self.0.send(Message::text(json!({ "type": "say", "id": "1", "text": text }).to_string())).await
    }

    /// Asks to be let go.
    #[allow(dead_code, reason = "not every test says goodbye")]
    pub(crate) async fn leave(&mut self) -> Result<(), tungstenite::Error> {
        self.0.send(Message::text(json!({ "type": "leave" }).to_string())).await
    }
}
