//! The stage behind a real nginx: what its defaults do to each technique, and what `nginx.conf` mends.

#[path = "common/node.rs"]
mod node;
#[path = "common/peers.rs"]
mod peers;
#[path = "../../feed-redis/tests/common/port.rs"]
mod port;

use std::{
    env, fs,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use feed::Feed;
use node::Node;
use peers::{Events, PATIENCE, Trader, ask, text};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite;

/// What we recommend.
const RECOMMENDED: &str = include_str!("../nginx.conf");

/// What one writes first.
const DEFAULTS: &str = "server { listen 80; location / { proxy_pass http://127.0.0.1:8080; } }";

const STREAM: &str = "/live/lab3/prices/stream";

/// An nginx before stages that share a feed.
struct Nginx {
    stages: Vec<Node>,
    address: SocketAddr,
    server: Child,
    _folder: TempDir,
}

impl Nginx {
    /// Starts so many stages, and an nginx before them. Says so where there is no nginx, and gives nothing.
    ///
    /// # Panics
    /// Where there is none, with `BEYOND_FETCH_NGINX=required`.
    async fn before(count: usize, site: &str) -> Option<Self> {
        let asked = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
        // A user's path may lack the folder for what usually root runs.
        let found = ["nginx", "/usr/sbin/nginx"].into_iter().find(|nginx| {
            *nginx == "nginx" && asked.is_ok() || *nginx != "nginx" && fs::exists(nginx).unwrap_or(false)
        });
        let Some(nginx) = found else {
            assert!(
                env::var("BEYOND_FETCH_NGINX").map_or(true, |value| value != "required"),
                "nginx is not installed, and BEYOND_FETCH_NGINX=required."
            );
            // Past the test harness, which keeps to itself what a passing test prints.
            let _ =
                writeln!(io::stderr(), "nginx is not installed (apt-get install nginx-light): not played.");
            return None;
        };
        let feed = Feed::memory(100);
        let mut stages = Vec::new();
        for _ in 0..count {
            let feed = feed.clone();
            stages.push(Node::start(async { feed }).await);
        }
        for _ in 0..10 {
            let address = SocketAddr::from(([127, 0, 0, 1], port::free()));
            let folder = tempfile::tempdir().expect("a folder for nginx");
            let file = folder.path().join("nginx.conf");
            fs::write(&file, configuration(site, address, &stages)).expect("the folder is writable");
            // All of its paths are below this folder, so nothing of the machine's own nginx is touched.
            let mut command = Command::new(nginx);
            command.arg("-p").arg(folder.path()).arg("-c").arg(&file).args(["-e", "stderr"]);
            let mut server = command.stdin(Stdio::null()).spawn().expect("nginx starts");
            if is_up(&mut server, folder.path()).await {
                return Some(Self { stages, address, server, _folder: folder });
            }
        }
        panic!("nginx does not start on any of ten ports: it says why above");
    }

    /// What the stages share.
    fn feed(&self) -> &Feed {
        &self.stages[0].feed
    }

    async fn publish(&self, price: i64) {
        self.feed().publish(json!({ "symbol": "BMRI", "price": price })).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Feed) -> bool) {
        let asked = Instant::now();
        while !is_so(self.feed()) {
            assert!(asked.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A whole configuration around a site. One process serves, so that whoever started it can end it.
fn configuration(site: &str, address: SocketAddr, stages: &[Node]) -> String {
    let with = |text: &str, from: &str, to: String| {
        assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in the configuration");
        text.replace(from, &to)
    };
    let site = with(site, "listen 80;", format!("listen {address};"));
    let named: Vec<String> = stages.iter().map(|stage| format!("{};", stage.address)).collect();
    let site = with(&site, "127.0.0.1:8080;", named.join(" server "));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr crit;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}{site}\n}}\n"
    )
}

/// Waits until it listens; false if it could not. nginx writes its number down once it has all of its ports.
async fn is_up(server: &mut Child, folder: &Path) -> bool {
    let began = Instant::now();
    while !folder.join("nginx.pid").exists() {
        if server.try_wait().expect("the server can be asked about").is_some() {
            return false;
        }
        assert!(began.elapsed() < PATIENCE, "nginx does not begin");
        sleep(Duration::from_millis(10)).await;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_technique_works_through_what_we_recommend() {
    let Some(nginx) = Nginx::before(1, RECOMMENDED).await else { return };
    let address = nginx.address;

    // One exchange, and an order that a page of this origin may place.
    nginx.publish(6_100).await;
    let page = ask(address, "/en/", &[("accept-encoding", "gzip")], "").await.unwrap();
    assert_eq!(page.status(), 200);
    let prices = ask(address, "/live/lab1/prices", &[], "").await.unwrap();
    let tag = prices.headers()["etag"].to_str().unwrap().to_owned();
    let again = ask(address, "/live/lab1/prices", &[("if-none-match", &tag)], "").await.unwrap();
    assert_eq!(again.status(), 304);
    let order = json!({ "symbol": "BMRI", "side": "buy", "quantity": 1 }).to_string();
    let ordered = ask(address, "/live/lab1/orders", &[("idempotency-key", "\"1\"")], &order).await.unwrap();
    assert_eq!(ordered.status(), 201, "{}", text(ordered).await.unwrap());

    // A long poll is held, and answered when there is something to say.
    let held = tokio::spawn(async move { ask(address, "/live/lab2/updates?after=1", &[], "").await });
    nginx.until("the poll is held", |feed| feed.subscribers() == 1).await;
    nginx.publish(6_125).await;
    let answer: Value = serde_json::from_str(&text(held.await.unwrap().unwrap()).await.unwrap()).unwrap();
    assert_eq!(answer["updates"][0]["seq"], 2);

    // Each event arrives before the next is published.
    let mut events = Events::of(ask(address, STREAM, &[("last-event-id", "2")], "").await.unwrap());
    let body = json!({ "question": "Follow the market" }).to_string();
    let mut tokens =
        Events::of(ask(address, "/live/lab4/ask", &[("authorization", "Bearer demo")], &body).await.unwrap());
    let mut trader = Trader::join(address, "Anna").await.unwrap();
    nginx.until("all three listen", |feed| feed.subscribers() == 3).await;
    for seq in 3..8_u64 {
        let price = 6_000 + 25 * seq as i64;
        nginx.publish(price).await;
        assert_eq!(events.next().await.map(|event| event.last_event_id), Some(seq.to_string()));
        assert_eq!(trader.next().await.map(|told| told["seq"].clone()), Some(json!(seq)));
        while !tokens.next().await.expect("the commentary goes on").data.contains(&price.to_string()) {}
    }

    // Whoever leaves is gone on the other side of the proxy, too: the stage stops its work.
    drop((events, tokens, trader));
    nginx.until("nobody listens any more", |feed| feed.subscribers() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_defaults_nginx_holds_a_stream_back_until_it_ends() {
    let Some(nginx) = Nginx::before(1, DEFAULTS).await else { return };
    let mut line = TcpStream::connect(nginx.address).await.unwrap();
    let request = format!("GET {STREAM} HTTP/1.1\r\nhost: lab.test\r\nlast-event-id: 0\r\n\r\n");
    line.write_all(request.as_bytes()).await.unwrap();
    nginx.until("the stream is open", |feed| feed.subscribers() == 1).await;
    let mut direct =
        Events::of(ask(nginx.stages[0].address, STREAM, &[("last-event-id", "0")], "").await.unwrap());
    for seq in 1..=5_u64 {
        nginx.publish(6_000 + 25 * seq as i64).await;
        assert_eq!(direct.next().await.map(|event| event.last_event_id), Some(seq.to_string()));
        // nginx is one process with one loop: what it is asked after the event, it answers after it has had the event.
        for _ in 0..3 {
            let page = ask(nginx.address, "/en/", &[], "").await.unwrap();
            assert_eq!(page.status(), 200);
            text(page).await.unwrap();
        }
    }
    let mut early = [0; 4096];
    let early = match line.try_read(&mut early) {
        Ok(count) => String::from_utf8_lossy(&early[..count]).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => String::new(),
        Err(error) => panic!("{error}"),
    };
    assert!(!early.contains("id:"), "the client has waited for five events and got:\n{early}");

    nginx.feed().close();
    let mut late = Vec::new();
    let end = async { while !late.ends_with(b"0\r\n\r\n") && line.read_buf(&mut late).await.unwrap() > 0 {} };
    timeout(PATIENCE, end).await.expect("the stream ends when the market does");
    let late = early + &String::from_utf8_lossy(&late);
    for seq in 1..=5 {
        assert!(late.contains(&format!("id: {seq}")), "held back, not lost:\n{late}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_defaults_nginx_lets_requests_through_and_no_websocket() {
    let Some(nginx) = Nginx::before(1, DEFAULTS).await else { return };
    nginx.publish(6_100).await;
    let polled = ask(nginx.address, "/live/lab2/updates?after=0", &[], "").await.unwrap();
    assert!(text(polled).await.unwrap().contains(r#""seq":1"#));
    match Trader::join(nginx.address, "Anna").await {
        Err(tungstenite::Error::Http(refused)) => assert!(refused.status().is_client_error(), "{refused:?}"),
        Err(other) => panic!("refused by other means than an answer: {other}"),
        Ok(_) => panic!("HTTP/1.0 has no upgrade, and yet it was made"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_dies_behind_the_proxy_is_replaced_at_the_next_request() {
    let Some(mut nginx) = Nginx::before(2, RECOMMENDED).await else { return };
    let address = nginx.address;
    let open = async |seen: u64| {
        Events::of(ask(address, STREAM, &[("last-event-id", &seen.to_string())], "").await.unwrap())
    };
    // In turn: two at each stage.
    let mut streams = [open(0).await, open(0).await, open(0).await, open(0).await];
    let mut seen = [0; 4];
    nginx.until("all four listen", |feed| feed.subscribers() == 4).await;
    nginx.publish(6_100).await;
    for (stream, seen) in streams.iter_mut().zip(&mut seen) {
        *seen = stream.next().await.unwrap().last_event_id.parse().unwrap();
    }
    nginx.stages[0].kill();
    nginx.until("two have lost their stage", |feed| feed.subscribers() == 2).await;
    nginx.publish(6_125).await;
    nginx.publish(6_150).await;
    let mut lost = 0;
    for (stream, seen) in streams.iter_mut().zip(&mut seen) {
        while *seen < 3 {
            match stream.next().await {
                Some(event) => {
                    let number: u64 = event.last_event_id.parse().unwrap();
                    assert_eq!(number, *seen + 1, "no gap and no repeat");
                    *seen = number;
                }
                None => {
                    lost += 1;
                    *stream = open(*seen).await;
                }
            }
        }
    }
    assert_eq!(lost, 2, "who was at the other stage noticed nothing");
}
