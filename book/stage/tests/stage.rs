//! The stage over plain TCP: what it serves, refuses, shows and cuts.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use feed::Feed;
use serde_json::json;
use stage::{Site, Stage, StageError, book, server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A stage on a port of its own, over a small site and a market that moves only when told to.
struct Play {
    address: SocketAddr,
    feed: Feed,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Play {
    async fn begin() -> Self {
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
        let stage = Stage::new(&root(), Site::read(site.path()).unwrap(), &feed);
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            stage.serve(listener, async { drop(stopped.await) }).await;
        });
        Self { address, feed, stop: Some(stop), served }
    }

    /// Sends these bytes on a new connection and reads the answer to its end.
    async fn send(&self, bytes: &[u8]) -> Answer {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        // A stage that has refused may have closed before everything is sent.
        let _ = line.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, line.read_to_end(&mut answer)).await.expect("the answer ends");
        Answer::read(&answer)
    }

    async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(self.request(method, target, headers, "close").as_bytes()).await
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], connection: &str) -> String {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: {connection}\r\n{headers}\r\n",
            self.address
        )
    }

    /// Opens the live page, as a browser that comes for the first time; gives its cookie.
    async fn visit(&self) -> String {
        let answer = self.get("/live/lab3/").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a visitor is given a cookie");
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn stream(&self, target: &str, headers: &[(&str, &str)]) -> Streaming {
        self.stream_by("GET", target, headers).await
    }

    async fn stream_by(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Streaming {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        line.write_all(self.request(method, target, headers, "keep-alive").as_bytes()).await.unwrap();
        Streaming { line, text: String::new() }
    }

    async fn post(&self, target: &str, cookie: &str) -> Answer {
        self.ask(
            "POST",
            target,
            &[("cookie", cookie), ("sec-fetch-site", "same-origin"), ("content-length", "0")],
        )
        .await
    }

    async fn wire(&self, cookie: &str) -> String {
        self.ask("GET", "/live/lab3/-/wire.txt", &[("cookie", cookie)]).await.body
    }

    /// The visitor's wire, once it holds `words`.
    async fn wire_with(&self, cookie: &str, words: &str) -> String {
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

    async fn publish(&self, price: u32) {
        self.feed.publish(json!({ "symbol": "BMRI", "price": price })).await;
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// An answer that goes on.
struct Streaming {
    line: TcpStream,
    text: String,
}

impl Streaming {
    /// Reads until `words` have come.
    async fn until(&mut self, words: &str) {
        let mut part = [0; 4096];
        while !self.text.contains(words) {
            let read = timeout(PATIENCE, self.line.read(&mut part)).await;
            let count = read.unwrap_or_else(|_| panic!("no `{words}` in:\n{}", self.text)).unwrap();
            assert_ne!(count, 0, "the stream ended without `{words}`:\n{}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&part[..count]));
        }
    }

    /// Reads to the end: whether it is the proper end of a chunked body, a reset, or neither.
    async fn ending(mut self) -> Ending {
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
enum Ending {
    Proper,
    Reset,
    Broken,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[tokio::test]
async fn the_root_leads_to_the_english_book() {
    let play = Play::begin().await;
    let answer = play.get("/").await;
    assert_eq!((answer.status, answer.header("location")), (307, Some("/en/")));
    assert_eq!(play.get("/en/").await.status, 200);
    let without_slash = play.get("/en").await;
    assert_eq!((without_slash.status, without_slash.header("location")), (301, Some("/en/")));
}

#[tokio::test]
async fn a_page_travels_compressed_and_is_revalidated() {
    let play = Play::begin().await;
    let plain = play.get("/en/index.html").await;
    assert_eq!(plain.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(plain.header("cache-control"), Some("no-cache"));
    assert_eq!(plain.header("content-encoding"), None);

    let packed = play.ask("GET", "/en/index.html", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let length = |answer: &Answer| answer.header("content-length").unwrap().parse::<usize>().unwrap();
    assert!(length(&packed) * 10 < length(&plain), "{} of {}", length(&packed), length(&plain));

    let tag = plain.header("etag").unwrap();
    let again = play.ask("GET", "/en/index.html", &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));

    let head = play.ask("HEAD", "/en/index.html", &[]).await;
    assert_eq!((head.status, length(&head), head.body.as_str()), (200, length(&plain), ""));
}

#[tokio::test]
async fn a_file_with_its_hash_in_its_name_is_kept_for_ever() {
    let play = Play::begin().await;
    let style = play.get("/en/css/book-0123abcd.css").await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let play = Play::begin().await;
    for target in
        ["/", "/en/", "/en/nothing", "/live/lab3/", "/live/lab3/client.js", "/live/-/stage.css", "/%zz"]
    {
        let answer = play.get(target).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
            "{target}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
    }
    let page = play.get("/en/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("'sha256-LAfYd7pbFUgwfQu8b4q135PeTG2z+/coPEUYCd74eCQ='"), "{policy}");
}

#[tokio::test]
async fn an_odd_request_gets_a_4xx_and_harms_nobody() {
    let play = Play::begin().await;
    let host = play.address;
    let long = "a".repeat(5_000);
    let very_long = "a".repeat(70_000);
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let odd: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("an unknown method", format!("BREW /en/ HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a post to a page", format!("POST /en/ HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a delete from nowhere", format!("DELETE /en/ HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[403]),
        ("a post to a room that is read", format!("POST /live/lab3/-/wire HTTP/1.1\r\nhost: {host}\r\nsec-fetch-site: same-origin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a get of a room that acts", format!("GET /live/lab3/-/cut HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[405]),
        ("a long address", format!("GET /{long} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[414]),
        ("a very long address", format!("GET /{very_long} HTTP/1.1\r\nhost: {host}\r\n\r\n").into(), &[414, 431]),
        ("a long header", format!("GET /en/ HTTP/1.1\r\nhost: {host}\r\nx: {very_long}\r\n\r\n").into(), &[431]),
        ("many headers", format!("GET /en/ HTTP/1.1\r\nhost: {host}\r\n{many}\r\n").into(), &[431]),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400]),
        ("a request line of words", b"hello there stage\r\n\r\n".to_vec(), &[400]),
        ("a broken escape", format!("GET /en/%zz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("half an escape", format!("GET /en/% HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("no UTF-8", format!("GET /en/%ff%fe HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("a zero byte", format!("GET /en/%00 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("a way up", format!("GET /../../../../etc/passwd HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("an escaped way up", format!("GET /en/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a way up from the lab's page", format!("GET /live/lab3/../../Cargo.toml HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("an escaped one", format!("GET /live/lab3/..%2f..%2fCargo.toml HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[404]),
        ("a broken escape in the lab", format!("GET /live/lab3/%zz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 404]),
        ("a place in a wire that is no number", format!("GET /live/lab3/-/wire?after=x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400]),
        ("a star", format!("GET * HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 404]),
        ("a proxy's request", format!("CONNECT evil.example:443 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").into(), &[400, 403, 404, 405]),
    ];
    for (what, bytes, allowed) in odd {
        let answer = play.send(&bytes).await;
        assert!(allowed.contains(&answer.status), "{what}: {answer:?}");
    }
    assert_eq!(play.get("/en/").await.status, 200);
}

#[tokio::test]
async fn a_visitor_s_cookie_stays_in_the_browser_and_on_the_live_pages() {
    let play = Play::begin().await;
    let answer = play.get("/live/lab3/").await;
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/live/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap();
    let again = play.ask("GET", "/live/lab3/", &[("cookie", pair)]).await;
    assert_eq!(again.header("set-cookie"), None, "a visitor who comes back stays the same");
    assert_ne!(play.visit().await, pair, "another one is another");
}

#[tokio::test]
async fn the_lab_s_own_page_and_client_are_served_as_they_are() {
    let play = Play::begin().await;
    for file in ["index.html", "client.js"] {
        let served = play.get(&format!("/live/lab3/{file}")).await;
        let own = fs::read_to_string(root().join("solutions/lab3-sse/web").join(file)).unwrap();
        assert_eq!(served.body, own, "{file}");
    }
}

#[tokio::test]
async fn a_visitor_sees_their_own_wire_as_it_happens() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &cookie)]).await;
    panel.until("text/event-stream").await;

    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    play.publish(6_100).await;
    prices.until("id: 1").await;

    panel.until("event price · id 1").await;
    panel.until("6100").await;
    let wire = play.wire(&cookie).await;
    let transcript: wire::Transcript = wire.parse().expect("the wire's text is a transcript");
    assert_eq!(transcript.to_string(), wire);
    assert!(wire.contains("client → server  #1 GET /live/lab3/prices/stream\n"), "{wire}");
    assert!(wire.contains("server → client  #1 200 text/event-stream\n"), "{wire}");
    assert!(!wire.contains("stage_visitor"), "the cookie is nobody's business:\n{wire}");
}

#[tokio::test]
async fn nobody_sees_another_visitor_s_wire() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &anna)]).await;
    prices.until("text/event-stream").await;
    play.wire_with(&anna, "#1 GET").await;
    assert_eq!(play.wire(&budi).await, "");
    for cookie in ["", "stage_visitor=", "stage_visitor=00000000000000000000000000000000"] {
        let answer = play.ask("GET", "/live/lab3/-/wire.txt", &[("cookie", cookie)]).await;
        assert_eq!(answer.status, 404, "{cookie}");
        let answer = play.ask("GET", "/live/lab3/-/wire", &[("cookie", cookie)]).await;
        assert_eq!(answer.status, 204, "{cookie}");
    }
}

#[tokio::test]
async fn a_panel_that_comes_back_goes_on_where_it_broke_off() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    play.publish(1).await;
    let wire = play.wire_with(&cookie, "id 1 ·").await;
    let seen = wire.lines().filter(|line| line.contains(" ms ")).count();
    play.publish(2).await;
    let last = seen.to_string();
    let headers = [("cookie", cookie.as_str()), ("last-event-id", last.as_str())];
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &headers).await;
    panel.until("event price · id 2").await;
    assert!(!panel.text.contains("event price · id 1"), "{}", panel.text);
    assert!(panel.text.contains(&format!("id: {}", seen + 1)), "{}", panel.text);
}

#[tokio::test]
async fn each_of_a_visitor_s_pages_has_its_own_transcript() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    play.ask("GET", "/live/lab3/", &[("cookie", &cookie)]).await;
    let from = |page: u32| format!("http://{}/live/lab3/index.html?page={page}", play.address);
    for (page, method) in [(2, "GET"), (1, "HEAD")] {
        let headers = [("cookie", cookie.as_str()), ("referer", &from(page))];
        let mut stream = play.stream_by(method, "/live/lab3/prices/stream", &headers).await;
        stream.until("text/event-stream").await;
    }
    play.wire_with(&cookie, "#1 GET").await;
    assert!(!play.wire(&cookie).await.contains("HEAD"), "the newest page did not send it");
    let first = play.ask("GET", "/live/lab3/-/wire.txt?page=1", &[("cookie", &cookie)]).await.body;
    assert!(first.contains("#1 HEAD") && !first.contains("GET"), "{first}");
}

#[tokio::test]
async fn the_page_s_other_files_are_not_drawn() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    // One connection, as a browser uses it: the page's file first, then the stream.
    let mut line = play.stream("/live/lab3/client.js", &[("cookie", &cookie)]).await;
    line.until("watchPrices").await;
    let stream = play.request("GET", "/live/lab3/prices/stream", &[("cookie", &cookie)], "keep-alive");
    line.line.write_all(stream.as_bytes()).await.unwrap();
    line.until("text/event-stream").await;
    let wire = play.wire_with(&cookie, "200 text/event-stream").await;
    assert!(wire.contains("#1 GET /live/lab3/prices/stream"), "{wire}");
    assert!(!wire.contains("client.js"), "{wire}");
}

#[tokio::test]
async fn a_cut_resets_the_visitor_s_own_stream_and_no_other() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut hers = play.stream("/live/lab3/prices/stream", &[("cookie", &anna)]).await;
    let mut his = play.stream("/live/lab3/prices/stream", &[("cookie", &budi)]).await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &anna)]).await;
    hers.until("text/event-stream").await;
    his.until("text/event-stream").await;

    assert_eq!(play.post("/live/lab3/-/cut", &anna).await.status, 204);
    assert_eq!(hers.ending().await, Ending::Reset);
    panel.until("\"words\":\"cut\"").await;
    assert!(play.wire(&anna).await.contains("network          #1 cut"));

    play.publish(7).await;
    his.until("id: 1").await;
    assert!(!play.wire(&budi).await.contains("cut"));

    let mut again =
        play.stream("/live/lab3/prices/stream", &[("cookie", &anna), ("last-event-id", "0")]).await;
    again.until("id: 1").await;
    play.wire_with(&anna, "last-event-id: 0").await;
}

#[tokio::test]
async fn a_client_that_leaves_is_told_as_an_abort() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    drop(prices);
    play.wire_with(&cookie, "#1 abort").await;
}

#[tokio::test]
async fn a_market_closes_for_the_visitor_who_closes_it() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut hers = play.stream("/live/lab3/prices/stream", &[("cookie", &anna)]).await;
    hers.until("text/event-stream").await;

    assert_eq!(play.post("/live/lab3/-/close", &anna).await.status, 204);
    assert_eq!(hers.ending().await, Ending::Proper);
    let ask = async |cookie: &str| {
        let mut stream = play.stream("/live/lab3/prices/stream", &[("cookie", cookie)]).await;
        stream.until("\r\n\r\n").await;
        Answer::read(stream.text.as_bytes()).status
    };
    assert_eq!(ask(&anna).await, 204);
    assert_eq!(ask(&budi).await, 200);
    let wire = play.wire_with(&anna, "204").await;
    assert!(
        wire.contains("server → client  #1 end\n") && wire.contains("server → client  #2 204\n"),
        "{wire}"
    );

    assert_eq!(play.post("/live/lab3/-/open", &anna).await.status, 204);
    assert_eq!(ask(&anna).await, 200);
}

#[tokio::test]
async fn only_the_stage_s_own_pages_may_cut() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    for from in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example"), ("x-nothing", "1")] {
        let headers = [("cookie", cookie.as_str()), ("content-length", "0"), from];
        assert_eq!(play.ask("POST", "/live/lab3/-/cut", &headers).await.status, 403, "{from:?}");
    }
    let stranger = play.post("/live/lab3/-/cut", "stage_visitor=1").await;
    assert_eq!(stranger.status, 403);
    play.publish(1).await;
    prices.until("id: 1").await;
}

#[tokio::test]
async fn a_form_without_script_comes_back_to_the_page() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let origin = format!("http://{}", play.address);
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-length", "0"),
        ("origin", origin.as_str()),
        ("accept", "text/html,*/*"),
    ];
    let answer = play.ask("POST", "/live/lab3/-/cut", &headers).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/live/lab3/")));
}

#[tokio::test]
async fn open_streams_do_not_keep_the_stage_from_stopping() {
    let mut play = Play::begin().await;
    let cookie = play.visit().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &cookie)]).await;
    prices.until("text/event-stream").await;
    panel.until("text/event-stream").await;
    let idle = TcpStream::connect(play.address).await.unwrap();
    // A client that has sent half a request and no more.
    let mut slow = TcpStream::connect(play.address).await.unwrap();
    slow.write_all(b"GET /en/ HT").await.unwrap();

    let asked = Instant::now();
    play.stop.take().unwrap().send(()).unwrap();
    assert_eq!(prices.ending().await, Ending::Proper);
    assert_eq!(panel.ending().await, Ending::Proper);
    timeout(Duration::from_secs(5), &mut play.served).await.expect("the stage stops").unwrap();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert!(TcpStream::connect(play.address).await.is_err(), "nobody listens any more");
    drop((idle, slow));
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let play = Play::begin().await;
    let error = server::listen(play.address.port()).await.unwrap_err();
    assert!(matches!(error, StageError::PortInUse(_)));
    let sentence = error.to_string();
    assert!(sentence.contains("is in use") && sentence.contains("--port"), "{sentence}");
}

#[test]
fn the_book_is_built_once_and_exported_as_a_site_that_asks_no_other_host() {
    let (target, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut said = 0;
    let files = book::export(&root(), target.path(), out.path(), &mut |_| said += 1).unwrap();
    assert!(files > 20 && said > 0, "{files} files, {said} words");
    for file in [".nojekyll", "index.html", "en/index.html", "en/03-server-sent-events.html"] {
        assert!(out.path().join(file).is_file(), "{file}");
    }
    let chapter = fs::read_to_string(out.path().join("en/03-server-sent-events.html")).unwrap();
    for asks in ["src=\"http", "src=\"//", "<link rel=\"stylesheet\" href=\"http", "url(http", "@import"] {
        assert!(!chapter.contains(asks), "the chapter loads something from elsewhere: {asks}");
    }

    // Again, over what is there: nothing to build, and what others added stays.
    fs::write(out.path().join("CNAME"), "book.example").unwrap();
    said = 0;
    assert_eq!(book::export(&root(), target.path(), out.path(), &mut |_| said += 1).unwrap(), files);
    assert_eq!(said, 0, "nothing has changed, so nothing is built");
    assert!(out.path().join("CNAME").is_file());
}
