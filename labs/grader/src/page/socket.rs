//! WebSocket connections of the page (RFC 6455 by tungstenite; what the script
//! may see of them by HTML's WebSockets Standard).

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use url::Url;

use super::{Arrival, ORIGIN};
use crate::{
    net::{Lane, Line},
    tasks::spawn_local,
};

/// How long a closing handshake may take before the connection is given up,
/// and how long the server may keep a closed connection open (as Chromium does).
const CLOSING_HANDSHAKE: Duration = Duration::from_secs(60);
const CLOSED_BY_PEER: Duration = Duration::from_secs(2);

/// A message from the script to its socket.
pub(super) enum Command {
    /// Sends text.
    Text(String),
    /// Sends bytes.
    Binary(Vec<u8>),
    /// Starts the closing handshake.
    Close(Option<u16>, String),
}

/// What a socket tells the script.
pub(super) enum Signal {
    /// The handshake succeeded, with this subprotocol (empty for none).
    Open(String),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// So many bytes have left the buffer.
    Sent(usize),
    /// The closing handshake has started from the other side.
    Closing,
    /// The connection is gone.
    Closed {
        /// The close code (RFC 6455 § 7.4).
        code: u16,
        /// The peer's reason.
        reason: String,
        /// Whether the closing handshake was completed.
        clean: bool,
        /// Whether the connection *failed*, which also fires `error`.
        failed: bool,
    },
}

/// A socket of the page: dropping it drops the connection.
pub(super) struct Socket {
    commands: UnboundedSender<Command>,
    task: AbortHandle,
}

impl Socket {
    /// Hands a command on; after the end it changes nothing any more.
    pub(super) fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens a connection to `url`; all that happens on it is told under `id`.
pub(super) fn open(
    id: u32,
    url: Url,
    protocols: Vec<String>,
    lane: Lane,
    arrivals: UnboundedSender<Arrival>,
) -> Socket {
    let (commands, inbox) = unbounded_channel();
    let task = spawn_local(async move {
        let tell = |signal| {
            // Nobody listens any more once the page is gone.
            let _ = arrivals.send(Arrival::Socket(id, signal));
        };
        let end = match connect(&url, &protocols, &lane).await {
            Ok((stream, protocol)) => {
                tell(Signal::Open(protocol));
                talk(stream, inbox, &tell).await
            }
            Err(_) => lost(true),
        };
        tell(end);
    });
    Socket { commands, task: task.abort_handle() }
}

/// The end of a connection without a closing handshake.
fn lost(failed: bool) -> Signal {
    Signal::Closed { code: 1006, reason: String::new(), clean: false, failed }
}

/// The opening handshake: the stream and the chosen subprotocol.
async fn connect(
    url: &Url,
    protocols: &[String],
    lane: &Lane,
) -> Result<(WebSocketStream<Line>, String), Box<dyn std::error::Error>> {
    let line = lane.connect().await?;
    let mut request = url.as_str().into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(header::ORIGIN, HeaderValue::from_static(ORIGIN));
    if !protocols.is_empty() {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(&protocols.join(", "))?);
    }
    let (stream, response) = client_async(request, line).await?;
    let protocol = match response.headers().get(header::SEC_WEBSOCKET_PROTOCOL) {
        Some(protocol) => protocol.to_str()?.to_owned(),
        None => String::new(),
    };
    Ok((stream, protocol))
}

/// Carries messages both ways until the connection ends.
async fn talk(
    mut stream: WebSocketStream<Line>,
    mut inbox: UnboundedReceiver<Command>,
    tell: &impl Fn(Signal),
) -> Signal {
    // What the peer's close frame said.
    let mut closed_by_peer: Option<(u16, String)> = None;
    let mut patience: Option<tokio::time::Instant> = None;
    loop {
        let deadline = async {
            match patience {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { biased;
            Some(command) = inbox.recv() => match command {
                Command::Text(text) => {
                    let size = text.len();
                    // A lost line shows on the reading side.
                    let _ = stream.send(Message::text(text)).await;
                    tell(Signal::Sent(size));
                }
                Command::Binary(bytes) => {
                    let size = bytes.len();
                    let _ = stream.send(Message::binary(bytes)).await;
                    tell(Signal::Sent(size));
                }
                Command::Close(code, reason) => {
                    let frame = code.map(|code| CloseFrame {
                        code: CloseCode::from(code),
                        reason: reason.into(),
                    });
                    let _ = stream.close(frame).await;
                    patience.get_or_insert(tokio::time::Instant::now() + CLOSING_HANDSHAKE);
                }
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => tell(Signal::Text(text.to_string())),
                Some(Ok(Message::Binary(bytes))) => tell(Signal::Binary(bytes)),
                Some(Ok(Message::Close(frame))) => {
                    closed_by_peer = Some(frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.to_string())
                    }));
                    tell(Signal::Closing);
                    // The answering close frame must leave before the end.
                    let _ = stream.flush().await;
                    patience = Some(tokio::time::Instant::now() + CLOSED_BY_PEER);
                }
                Some(Ok(_)) => {}
                Some(Err(problem)) => break end(closed_by_peer, fails(&problem)),
                None => break end(closed_by_peer, false),
            },
            () = deadline => break end(closed_by_peer, false),
        }
    }
}

fn end(closed_by_peer: Option<(u16, String)>, failed: bool) -> Signal {
    match closed_by_peer {
        Some((code, reason)) => Signal::Closed { code, reason, clean: true, failed: false },
        None => lost(failed),
    }
}

/// Whether the peer broke the protocol, so that the connection *fails*
/// (RFC 6455 § 7.1.7), rather than just being lost.
fn fails(problem: &tungstenite::Error) -> bool {
    use tungstenite::error::{Error, ProtocolError};
    match problem {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => false,
        Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_) => true,
        _ => false,
    }
}
