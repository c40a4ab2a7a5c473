//! What the tests share: a stage over plain TCP, and clients that are no browsers.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use feed::Feed;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use stage::{Climate, Desk, Limits, Site, Stage, Weather, server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) use super::answer::Answer;

/// A stage on a port of its own, over a small site and a market that moves only when told to.
pub(crate) struct Play {
    pub(crate) address: SocketAddr,
    pub(crate) feed: Feed,
    pub(crate) climate: Climate,
    pub(crate) desk: Desk,
    /// The way into the console, once.
    pub(crate) link: String,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

impl Play {
    pub(crate) async fn begin() -> Self {
        Self::within(Limits::default()).await
    }

    pub(crate) async fn within(limits: Limits) -> Self {
        let site = tempfile::tempdir().unwrap();
        let pages = site.path().join("en");
        fs::create_dir_all(pages.join("css")).unwrap();
        let page = format!(
            "<!doctype html><title>Book</title><script>let a = 1</script>{}",
            "<p>word".repeat(1_000)
        );
        fs::write(pages.join("index.html"), page).unwrap();
        fs::write(pages.join("404.html"), "<!doctype html><title>Nothing here</title>").unwrap();
        fs::write(pages.join("css/book-0123abcd.css"), "p { color: red }").unwrap();

        let feed = Feed::memory(100);
        let listener = server::listen(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Stage::new(&root(), Site::read(site.path()).unwrap(), &feed).with_limits(limits);
        let (climate, desk) = (stage.climate(), stage.desk());
        let link = stage.class().link().await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            stage.serve(listener, async { drop(stopped.await) }).await;
        });
        Self { address, feed, climate, desk, link, stop: Some(stop), served }
    }

    /// Sends these bytes on a new connection and reads the answer to its end.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Answer {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        // A stage that has refused may have closed before everything is sent.
        let _ = line.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, line.read_to_end(&mut answer)).await.expect("the answer ends");
        Answer::read(&answer)
    }

    pub(crate) async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(self.request(method, target, headers, "close").as_bytes()).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        connection: &str,
    ) -> String {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: {connection}\r\n{headers}\r\n",
            self.address
        )
    }

    /// Opens lab 3's live page, as a browser that comes for the first time; gives its cookie.
    pub(crate) async fn visit(&self) -> String {
        self.visit_lab(3).await
    }

    pub(crate) async fn visit_lab(&self, number: u8) -> String {
        let answer = self.get(&format!("/live/lab{number}/")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.cookie()
    }

    pub(crate) async fn stream(&self, target: &str, headers: &[(&str, &str)]) -> Streaming {
        self.stream_by("GET", target, headers).await
    }

    pub(crate) async fn stream_by(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Streaming {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        line.write_all(self.request(method, target, headers, "keep-alive").as_bytes()).await.unwrap();
        Streaming { line, text: String::new() }
    }

    pub(crate) async fn post(&self, target: &str, cookie: &str) -> Answer {
        self.ask(
            "POST",
            target,
            &[("cookie", cookie), ("sec-fetch-site", "same-origin"), ("content-length", "0")],
        )
        .await
    }

    /// Posts JSON, as the lab's own page does.
    pub(crate) async fn post_json(
        &self,
        target: &str,
        cookie: &str,
        headers: &[(&str, &str)],
        json: &str,
    ) -> Answer {
        self.send(&self.json(target, cookie, headers, json)).await
    }

    pub(crate) fn json(&self, target: &str, cookie: &str, headers: &[(&str, &str)], json: &str) -> Vec<u8> {
        let length = json.len().to_string();
        let own = [
            ("cookie", cookie),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
        ];
        let request = self.request("POST", target, &[&own, headers].concat(), "close");
        [request.as_bytes(), json.as_bytes()].concat()
    }

    pub(crate) async fn wire(&self, cookie: &str) -> String {
        self.ask("GET", "/live/lab3/-/wire.txt", &[("cookie", cookie)]).await.body
    }

    /// The visitor's wire, once it holds `words`.
    pub(crate) async fn wire_with(&self, cookie: &str, words: &str) -> String {
        let asked = Instant::now();
        loop {
            let wire = self.wire(cookie).await;
            if wire.contains(words) {
                return wire;
            }
            assert!(asked.elapsed() < PATIENCE, "no `{words}` in:\n{wire}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let asked = Instant::now();
        while !is_so() {
            assert!(asked.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Orders weather for a scope: `all`, `lab3`, `sse`, `visitor1`.
    pub(crate) fn order(&self, scope: &str, weather: Weather) {
        self.climate.order(scope.parse().unwrap(), weather).unwrap();
    }

    /// Posts a form, as a browser without script does.
    pub(crate) async fn post_form(&self, target: &str, cookie: &str, form: &str) -> Answer {
        let length = form.len().to_string();
        let headers = [
            ("cookie", cookie),
            ("sec-fetch-site", "same-origin"),
            ("accept", "text/html"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", length.as_str()),
        ];
        let request = self.request("POST", target, &headers, "close");
        self.send(&[request.as_bytes(), form.as_bytes()].concat()).await
    }

    pub(crate) async fn publish(&self, price: u32) {
        self.feed.publish(json!({ "symbol": "BMRI", "price": price })).await;
    }
}

/// An answer that goes on.
pub(crate) struct Streaming {
    pub(crate) line: TcpStream,
    pub(crate) text: String,
}

impl Streaming {
    /// Reads until `words` have come.
    pub(crate) async fn until(&mut self, words: &str) {
        let mut part = [0; 4096];
        while !self.text.contains(words) {
            let read = timeout(PATIENCE, self.line.read(&mut part)).await;
            let count = read.unwrap_or_else(|_| panic!("no `{words}` in:\n{}", self.text)).unwrap();
            assert_ne!(count, 0, "the stream ended without `{words}`:\n{}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&part[..count]));
        }
    }

    /// Whether nothing has come that was not read.
    pub(crate) fn is_quiet(&self) -> bool {
        let would_block = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        self.line.try_read(&mut [0; 1]).is_err_and(would_block)
    }

    /// Reads to the end: whether it is the proper end of a chunked body, a reset, or neither.
    pub(crate) async fn ending(mut self) -> Ending {
        let mut part = [0; 4096];
        loop {
            if self.text.ends_with("0\r\n\r\n") {
                return Ending::Proper;
            }
            match timeout(PATIENCE, self.line.read(&mut part)).await.expect("the stream ends") {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ending::Reset,
                Err(_) | Ok(0) => return Ending::Broken,
                Ok(count) => self.text.push_str(&String::from_utf8_lossy(&part[..count])),
            }
        }
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Ending {
    Proper,
    Reset,
    Broken,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A trader on lab 5's floor, by a WebSocket client that is no browser.
pub(crate) struct Trader(pub(crate) WebSocketStream<TcpStream>);

impl Play {
    /// Asks for the floor, with `origin` where there is one.
    pub(crate) async fn knock(
        &self,
        cookie: &str,
        origin: Option<&str>,
    ) -> Result<Trader, tungstenite::Error> {
        let mut request = format!("ws://{}/live/lab5/floor", self.address).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("cookie", cookie.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        let line = TcpStream::connect(self.address).await?;
        let (socket, _) = timeout(PATIENCE, client_async(request, line)).await.expect("an answer comes")?;
        Ok(Trader(socket))
    }

    pub(crate) async fn trader(&self, cookie: &str) -> Trader {
        self.knock(cookie, Some(&format!("http://{}", self.address))).await.expect("the floor is open")
    }

    /// A trader who sits in the room already.
    pub(crate) async fn trader_in(&self, cookie: &str, room: &str, name: &str) -> Trader {
        let mut trader = self.trader(cookie).await;
        trader.say(&json!({ "type": "join", "room": room, "name": name })).await;
        let joined = trader.hears("joined").await;
        assert_eq!(joined["room"], room);
        trader
    }
}

impl Trader {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.0.send(tungstenite::Message::text(message.to_string())).await.expect("the line is open");
    }

    /// The next message of this type; others are let pass.
    pub(crate) async fn hears(&mut self, kind: &str) -> Value {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await;
            let message = message.unwrap_or_else(|_| panic!("no {kind}")).expect("the line is open").unwrap();
            let Ok(text) = message.into_text() else { continue };
            let Ok(said) = serde_json::from_str::<Value>(&text) else { continue };
            if said["type"] == kind {
                return said;
            }
        }
    }

    /// Reads to the end of the line; whether it has one.
    pub(crate) async fn heard_nothing_more(&mut self) -> bool {
        let end = async { while let Some(Ok(_)) = self.0.next().await {} };
        timeout(PATIENCE, end).await.is_ok()
    }

    /// Reads to the end of the line; the code it was closed with.
    pub(crate) async fn goodbye(&mut self) -> Option<CloseCode> {
        let end = async {
            let mut code = None;
            while let Some(Ok(message)) = self.0.next().await {
                if let tungstenite::Message::Close(Some(frame)) = message {
                    code = Some(frame.code);
                }
            }
            code
        };
        timeout(PATIENCE, end).await.expect("the line ends")
    }

    /// Reads until the line fails, and says how.
    pub(crate) async fn failure(&mut self) -> tungstenite::Error {
        let failure = async {
            loop {
                match self.0.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error,
                    None => panic!("the line ended as it should"),
                }
            }
        };
        timeout(PATIENCE, failure).await.expect("the line fails")
    }
}

/// Fails unless these words stand in the text, in this order.
pub(crate) fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let Some(at) = rest.find(word) else { panic!("no `{word}` where it should stand in:\n{text}") };
        rest = &rest[at + word.len()..];
    }
}
