//! The streams of labs 3 and 4 as `curl -N` shows them: the client that everybody has at hand.
//!
//! Where curl is not installed the tests say so and pass; with
//! `BEYOND_FETCH_BROWSER=required` that is a failure, as it is in CI.

use std::{
    io::{self, BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use audience::{missing, root};
use axum::Router;
use feed::Feed;
use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime};

const PATIENCE: Duration = Duration::from_secs(20);

/// A lab that runs as `cargo run` runs it, over a market that moves only when told to.
struct Lab {
    runtime: Runtime,
    address: String,
    feed: Feed,
}

impl Lab {
    fn run(folder: &str, app: fn(Feed) -> Router) -> Self {
        let runtime = Runtime::new().unwrap();
        let feed = Feed::memory(100);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let web = root().join("solutions").join(folder).join("web");
        let app = host::with_page(app(feed.clone()), web);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { runtime, address, feed }
    }

    fn publish(&self, price: u32) {
        self.runtime.block_on(self.feed.publish(json!({ "symbol": "BMRI", "price": price })));
    }

    /// Waits until so many subscriptions are open.
    fn until_subscribers(&self, count: usize) {
        let asked = Instant::now();
        while self.feed.subscribers() != count {
            assert!(asked.elapsed() < PATIENCE, "{} subscriptions, not {count}", self.feed.subscribers());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A curl that is running: its lines, as they come.
struct Curl {
    process: Child,
    lines: Receiver<String>,
    said: String,
}

impl Curl {
    /// Starts `curl -N` with these arguments; nothing if there is no curl.
    fn start(arguments: &[&str]) -> Option<Self> {
        let started = Command::new("curl")
            .args(["--no-buffer", "--silent", "--show-error", "--include", "--noproxy", "*"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn();
        let mut process = match started {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing("curl is not installed (Debian: apt-get install curl)");
                return None;
            }
            started => started.expect("curl starts"),
        };
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let (told, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Some(Self { process, lines, said: String::new() })
    }

    /// Reads until `words` have come.
    fn until(&mut self, words: &str) {
        let asked = Instant::now();
        while !self.said.contains(words) {
            let left = PATIENCE.saturating_sub(asked.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said += &format!("{line}\n"),
                Err(_) => panic!("curl did not say `{words}`:\n{}", self.said),
            }
        }
    }

    /// Waits for its end, and says whether it is content.
    fn ends_well(mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn lab_3_shows_each_price_as_it_moves_and_resumes() {
    let lab = Lab::run("lab3-sse", lab3_solution::app);
    let url = format!("{}/prices/stream", lab.address);
    let Some(mut curl) = Curl::start(&[&url]) else { return };
    curl.until("content-type: text/event-stream");
    lab.until_subscribers(1);
    // Each is there before the next is published: nobody on the way keeps them back.
    for (id, price) in [(1, 6_100), (2, 6_125)] {
        lab.publish(price);
        curl.until(&format!("id: {id}\n"));
        curl.until(&price.to_string());
    }
    drop(curl);
    // The server hears that nobody listens when it next has something to say.
    lab.publish(6_150);
    lab.until_subscribers(0);

    let Some(mut again) = Curl::start(&["--header", "Last-Event-ID: 1", &url]) else { return };
    again.until("id: 3\n");
    assert!(again.said.contains("id: 2\n") && !again.said.contains("id: 1\n"), "{}", again.said);
}

#[test]
fn lab_4_shows_each_token_as_it_is_made_and_stops_when_curl_does() {
    let lab = Lab::run("lab4-fetch-stream", lab4_solution::app);
    let url = format!("{}/ask", lab.address);
    let ask = |question: &str, token: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        let data = json!({ "question": question }).to_string();
        let json = "Content-Type: application/json";
        Curl::start(&["--header", &authorization, "--header", json, "--data", &data, &url])
    };
    let Some(mut curl) = ask("Follow the market", "demo") else { return };
    lab.until_subscribers(1);
    for price in [6_100, 6_125] {
        lab.publish(price);
        curl.until(&price.to_string());
    }
    // (curl keeps the head to itself until there is some body.)
    curl.until("content-type: text/event-stream");
    drop(curl);
    lab.until_subscribers(0);

    let Some(mut whole) = ask("How is BMRI?", "demo") else { return };
    whole.until("event: done");
    assert!(whole.said.contains("6125"), "{}", whole.said);
    assert!(whole.ends_well());

    let Some(mut stranger) = ask("How is BMRI?", "guess") else { return };
    stranger.until("401");
    stranger.until("application/problem+json");
    assert!(stranger.ends_well());
}
