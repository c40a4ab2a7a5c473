//! A server on another scheduler: tokio's own for several threads, with one worker.
//!
//! On the bench's single thread tasks run in the order in which they were spawned, so an answer that leaves the order of
//! its messages to tasks looks right. Here the task that was spawned last runs first (the worker's LIFO slot), as may
//! happen in any program under `#[tokio::main]`. With one worker the schedule is the same on every run.
//!
//! This is no play: it has no virtual time and no transcript, and it lasts a few milliseconds.

use std::{sync::mpsc, thread, time::Duration};

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::DuplexStream,
    runtime::{Builder, Handle},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{Failure, panics, serve, tape::Pulse};

/// Real time in which a burst must be over. It needs a hundredth of it.
const LONGEST: Duration = Duration::from_secs(3);

/// How many bytes may be in transit on a connection: a burst arrives whole.
const ROOM: usize = 256 * 1024;

/// A way to the server. It is handed to the play.
#[derive(Clone)]
pub struct Dial(Router);

/// A WebSocket at the server.
pub struct Talk(WebSocketStream<DuplexStream>);

/// Serves `app` there and plays `clients` on the same worker.
///
/// # Errors
/// A sentence of the play's own, or one that says that the server did not answer in time.
pub fn burst<T, F>(app: Router, clients: impl FnOnce(Dial) -> F + Send + 'static) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let (done, outcome) = mpsc::channel();
    // A runtime cannot be waited for from within another one.
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .on_thread_start(panics::collect)
            .build();
        let Ok(runtime) = runtime else { return };
        let play = runtime.spawn(clients(Dial(app)));
        if let Ok(played) = runtime.block_on(play) {
            // Whoever asked may have given up.
            let _ = done.send(played);
        }
        runtime.shutdown_background();
    });
    match outcome.recv_timeout(LONGEST) {
        Ok(played) => played.map_err(Failure::broken),
        Err(_) => Err(Failure::broken(
            "The server was sent a burst of messages and did not answer all of it: a task of it waits for ever, or panicked.",
        )),
    }
}

impl Dial {
    /// Opens a WebSocket at this path.
    ///
    /// # Errors
    /// A sentence, where the server does not upgrade.
    pub async fn socket(&self, path: &str) -> Result<Talk, String> {
        let (client, server) = tokio::io::duplex(ROOM);
        let app = self.0.clone();
        Handle::current().spawn(serve::serve_connection(server, Pulse::default(), app));
        let request =
            format!("ws://lab.test{path}").into_client_request().map_err(|error| error.to_string())?;
        let (socket, _) = client_async(request, client)
            .await
            .map_err(|error| format!("GET {path} was not upgraded to a WebSocket: {error}."))?;
        Ok(Talk(socket))
    }
}

impl Talk {
    /// Sends all of these texts in one burst.
    ///
    /// # Errors
    /// A sentence, where the connection is closed.
    pub async fn send(&mut self, texts: impl IntoIterator<Item = String>) -> Result<(), String> {
        let closed = |error| format!("The server closed a connection on which it was spoken to: {error}.");
        for text in texts {
            self.0.feed(Message::text(text)).await.map_err(closed)?;
        }
        self.0.flush().await.map_err(closed)
    }

    /// The next text that comes; nothing once the connection is closed.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match self.0.next().await? {
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        extract::ws::{self, WebSocket, WebSocketUpgrade},
        routing::any,
    };

    /// Sends back what it hears: at once, or by a task for each message.
    fn echo(by_tasks: bool) -> Router {
        let answer = move |upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(move |socket| async move {
                let (sender, mut mailbox) = tokio::sync::mpsc::channel::<ws::Message>(64);
                let (mut to, mut from): (_, futures_util::stream::SplitStream<WebSocket>) = socket.split();
                tokio::spawn(async move {
                    while let Some(message) = mailbox.recv().await {
                        if to.send(message).await.is_err() {
                            return;
                        }
                    }
                });
                while let Some(Ok(message)) = from.next().await {
                    let sender = sender.clone();
                    if by_tasks {
                        tokio::spawn(async move { sender.send(message).await });
                    } else if sender.send(message).await.is_err() {
                        return;
                    }
                }
            })
        };
        Router::new().route("/echo", any(answer))
    }

    fn heard(by_tasks: bool) -> Result<Vec<String>, Failure> {
        burst(echo(by_tasks), |dial| async move {
            let mut talk = dial.socket("/echo").await?;
            talk.send((0..8).map(|number| number.to_string())).await?;
            let mut heard = Vec::new();
            while heard.len() < 8 {
                heard.push(talk.next().await.ok_or("it ended")?);
            }
            Ok(heard)
        })
    }

    #[test]
    fn an_order_that_the_server_keeps_is_kept() {
        let in_order: Vec<_> = (0..8).map(|number| number.to_string()).collect();
        for _ in 0..20 {
            assert_eq!(heard(false), Ok(in_order.clone()));
        }
    }

    #[test]
    fn an_order_that_is_left_to_tasks_is_lost_and_every_time_in_the_same_way() {
        let first = heard(true).expect("all of it comes");
        assert!(!first.is_sorted(), "{first:?}");
        for _ in 0..20 {
            assert_eq!(heard(true), Ok(first.clone()));
        }
    }
}
