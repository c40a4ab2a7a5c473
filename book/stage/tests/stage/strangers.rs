//! Visitors who mean no good, or whose machine does not: each gets a status, a
//! close code or a cut and a line in the log, and everybody else's stream goes on.
//!
//! | what somebody does | what comes of it | test |
//! |---|---|---|
//! | stops reading, or a thousand do | a cut after half a minute | [`a_reader_that_stops_is_cut`], [`a_thousand_readers_that_stop_are_cut`], [`a_trader_who_stops_reading_is_cut`] |
//! | says nothing, or ends half of the line | a cut, or an end | [`half_a_connection_is_let_go`] |
//! | is gone without a word | the system asks after it; a WebSocket is pinged | `server::tests`, lab 5's `todo_3` |
//! | never ends a head | a cut | [`a_head_that_never_ends_is_not_waited_for`] |
//! | sends too long a head, or no HTTP | 400, 414, 431 | `an_odd_request_gets_a_4xx_and_harms_nobody` |
//! | sends too long a body, or never ends it | 413, 4xx | [`a_body_that_is_too_long_or_never_ends_is_refused`] |
//! | sends too long a frame, or garbage after the upgrade | close 1009, a cut | [`frames_over_the_limit_and_garbage_after_the_upgrade_close_the_line`] |
//! | upgrades or posts from another site | 403 | [`an_upgrade_that_another_site_asks_for_is_refused_everywhere`], [`what_another_site_posts_is_refused_everywhere`] |
//! | comes to the console without a token, with an old one, by trying | 403, later, and 429 | [`nobody_gets_into_the_console_without_its_key`] |
//! | votes twice | the second vote replaces the first | `each_browser_has_one_vote_until_the_answer_is_told` in `tests/class.rs` |
//! | has a name of 10,000 characters, with markup, control characters, from right to left | 400, or text | [`whoever_spoils_the_class_gets_a_sentence_and_spoils_nothing`] |
//! | reports progress for another | 403, or it is one's own | the same |
//! | asks for files outside | 404 | [`a_way_up_leads_nowhere`] |
//! | opens 10,000 connections | resets beyond the limit of an address | [`ten_thousand_connections_from_one_address_leave_room_for_others`] |
//! | has the weather hold a line for ever | a cut after ten minutes | [`what_the_weather_holds_for_too_long_is_cut`] |
//! | would steer another's race, or open a thousand | 404, a sentence | `race` |
//! | stops reading, breaks frames or comes from elsewhere at `/feed/…` | the same as at the labs | `hub` |
//! | lets what lets one in be logged | it is not | `log` |

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use serde_json::json;
use stage::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

use super::play::{Answer, Ending, PATIENCE, Play, Streaming};

/// A tenth of what is usual, so that no test waits long for it.
const SHORT: Limits = Limits {
    connections: 5_000,
    per_address: 4_000,
    head_within: Duration::from_millis(300),
    body_within: Duration::from_millis(300),
    stalled: Duration::from_millis(400),
    held: Duration::from_millis(300),
};

/// What the stage logs while this lives, on this thread.
pub(super) struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct Pen(Arc<Mutex<Vec<u8>>>);

impl Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> Self {
        Self::of("stage=info")
    }

    /// What these filters let pass, as RUST_LOG has them.
    pub(super) fn of(filters: &str) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let pen = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filters))
            .with_ansi(false)
            .with_writer(move || Pen(Arc::clone(&pen)))
            .finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines with these words.
    fn lines(&self, words: &str) -> usize {
        self.text().lines().filter(|line| line.contains(words)).count()
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

/// Somebody else, whose stream goes on.
struct Neighbour {
    stream: Streaming,
    heard: u64,
}

impl Neighbour {
    async fn of(play: &Play) -> Self {
        // From another address than everybody who means no good.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut line = socket.connect(play.address).await.unwrap();
        let request = play.request("GET", "/live/lab3/prices/stream", &[], "keep-alive");
        line.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Streaming { line, text: String::new() };
        stream.until("retry:").await;
        Self { stream, heard: play.feed.head() }
    }

    /// Hears everything that was published, and one more.
    async fn goes_on(&mut self, play: &Play) {
        play.publish(1).await;
        while self.heard < play.feed.head() {
            self.heard += 1;
            self.stream.until(&format!("id: {}\n", self.heard)).await;
        }
        self.stream.text.clear();
    }
}

/// Reads until the stage has closed the line, or cut it.
async fn closed(line: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, line.read_to_end(&mut answer)).await.expect("the stage closes the line");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let log = Log::begin();
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    for part in ["GET /en/ HT", "GET /en/ HTTP/1.1\r\nhost: a\r\nx-long: ", ""] {
        let mut line = TcpStream::connect(play.address).await.unwrap();
        line.write_all(part.as_bytes()).await.unwrap();
        closed(&mut line).await;
    }
    // Even where something comes again and again.
    let mut line = TcpStream::connect(play.address).await.unwrap();
    line.write_all(b"GET /en/ HTTP/1.1\r\n").await.unwrap();
    let (mut read, mut write) = line.split();
    let drip = async {
        while write.write_all(b"x: 1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        ended = timeout(PATIENCE, read.read_to_end(&mut answer)) => drop(ended.expect("the stage closes the line")),
    }
    neighbour.goes_on(&play).await;
    assert_eq!(log.lines("a client was let go"), 4);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_never_ends_is_refused() {
    let log = Log::begin();
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    let cookie = play.visit_lab(1).await;
    for target in ["/live/lab1/orders", "/live/lab4/ask", "/live/lab1/-/weather", "/class/join"] {
        let post = |framing: (&str, &str), body: &str| {
            let headers = [
                ("cookie", cookie.as_str()),
                ("sec-fetch-site", "same-origin"),
                ("authorization", "Bearer demo"),
                ("idempotency-key", "k1"),
                ("content-type", "application/json"),
                framing,
            ];
            format!("{}{body}", play.request("POST", target, &headers, "close"))
        };
        let long = "x".repeat(100_000);
        let answer = play.send(post(("content-length", "100000"), &long).as_bytes()).await;
        assert_eq!(answer.status, 413, "{target}: {answer:?}");
        let chunk = format!("{:x}\r\n{long}\r\n", long.len());
        let answer = play.send(post(("transfer-encoding", "chunked"), &chunk.repeat(3)).as_bytes()).await;
        assert_eq!(answer.status, 413, "{target}: {answer:?}");
        let answer = play.send(post(("content-length", "100"), "{").as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
    }
    assert_eq!(log.lines("a request was refused"), 12);
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn frames_over_the_limit_and_garbage_after_the_upgrade_close_the_line() {
    let log = Log::begin();
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    let cookie = play.visit_lab(5).await;
    let mut other = play.trader_in(&cookie, "general", "Budi").await;

    let mut loud = play.trader_in(&cookie, "general", "Anna").await;
    loud.say(&json!({ "type": "say", "id": "1", "text": "x".repeat(5_000) })).await;
    assert_eq!(loud.goodbye().await, Some(CloseCode::Size));

    let huge: [u8; 14] = [0x81, 0xff, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 2, 3, 4];
    for garbage in [&huge[..], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 100], b"\x81\x05hello", b"\x83\x80\0\0\0\0"]
    {
        let trader = play.trader_in(&cookie, "general", "Anna").await;
        let mut line = trader.0.into_inner();
        line.write_all(garbage).await.unwrap();
        closed(&mut line).await;
    }
    play.until("each has a line in the log", || log.lines("a WebSocket is over") == 6).await;
    // A line that is closed with bytes of the server's unread.
    let trader = play.trader_in(&cookie, "general", "Anna").await;
    play.publish(1).await;
    drop(trader);

    other.say(&json!({ "type": "say", "id": "2", "text": "Still here" })).await;
    assert_eq!(other.hears("said").await["text"], "Still here");
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn an_upgrade_that_another_site_asks_for_is_refused_everywhere() {
    let log = Log::begin();
    let play = Play::begin().await;
    let mut neighbour = Neighbour::of(&play).await;
    for target in ["/en/", "/live/lab3/-/wire", "/live/lab5/floor", "/nothing"] {
        let headers = [
            ("origin", "http://evil.example"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut line = TcpStream::connect(play.address).await.unwrap();
        line.write_all(play.request("GET", target, &headers, "upgrade").as_bytes()).await.unwrap();
        let mut answer = Streaming { line, text: String::new() };
        answer.until("\r\n\r\n").await;
        assert!(answer.text.starts_with("HTTP/1.1 403"), "{target}: {}", answer.text);
    }
    assert_eq!(log.lines("a request was refused"), 4);
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn what_another_site_posts_is_refused_everywhere() {
    let log = Log::begin();
    let play = Play::begin().await;
    let mut neighbour = Neighbour::of(&play).await;
    let instructor = play.instructor().await;
    let targets = ["/live/lab1/orders", "/live/lab3/-/cut", "/class/join", "/instructor/class/end"];
    for target in targets {
        for foreign in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
            // What a browser sends along.
            let headers = [("cookie", instructor.as_str()), ("content-length", "0"), foreign];
            let answer = play.ask("POST", target, &headers).await;
            assert_eq!(answer.status, 403, "{target}: {answer:?}");
        }
    }
    assert_eq!(log.lines("a request was refused"), 2 * targets.len());
    let console = play.ask("GET", "/instructor", &[("cookie", &instructor)]).await.body;
    assert!(console.contains("The class is on"), "nothing was ended: {console}");
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn a_way_up_leads_nowhere() {
    let log = Log::begin();
    let play = Play::begin().await;
    let mut neighbour = Neighbour::of(&play).await;
    let ways = [
        "/../../../../etc/passwd",
        "/en/../../Cargo.toml",
        "/en/%2e%2e/%2e%2e/etc/passwd",
        "/en/..%2f..%2fCargo.toml",
        "/en/..%5c..%5cCargo.toml",
        "/live/lab3/../../Cargo.toml",
        "/live/lab3/..%2f..%2fsrc%2flib.rs",
        "/live/lab3/-/1/%2e%2e/%2e%2e/Cargo.toml",
    ];
    for way in ways {
        let answer = play.get(way).await;
        assert!(matches!(answer.status, 400 | 404), "{way}: {answer:?}");
        assert!(!answer.body.contains("[package]") && !answer.body.contains("root:"), "{way}: {answer:?}");
    }
    assert_eq!(log.lines("a request was refused"), ways.len());
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn half_a_connection_is_let_go() {
    let log = Log::begin();
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    // One that says nothing, and one that has asked once and says nothing more.
    let mut silent = TcpStream::connect(play.address).await.unwrap();
    assert_eq!(closed(&mut silent).await, "");
    let mut idle = play.stream("/en/", &[]).await;
    idle.until("<p>word").await;
    closed(&mut idle.line).await;
    // One that has ended its own half in the middle of a stream, and of a talk.
    let mut stream = play.stream("/live/lab3/prices/stream", &[]).await;
    stream.until("retry:").await;
    let trader = play.trader_in(&play.visit_lab(5).await, "general", "Anna").await;
    play.until("both listen", || play.feed.subscribers() == 3).await;
    stream.line.shutdown().await.unwrap();
    let mut line = trader.0.into_inner();
    line.shutdown().await.unwrap();
    play.until("both are let go", || play.feed.subscribers() == 1).await;
    assert_eq!(log.lines("a client was let go"), 1, "who says nothing has a line in the log");
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn nobody_gets_into_the_console_without_its_key() {
    let log = Log::begin();
    let play = Play::begin().await;
    let mut neighbour = Neighbour::of(&play).await;
    let refused = |answer: &Answer, says: &str| {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains(says), "{answer:?}");
    };
    // Without a token, and with one of another stage.
    refused(&play.get("/instructor").await, "The console is the instructor’s");
    let old = "stage_instructor=0123456789abcdef0123456789abcdef";
    for room in ["/instructor", "/instructor/events"] {
        refused(&play.ask("GET", room, &[("cookie", old)]).await, "opens nothing");
    }
    refused(&play.post("/instructor/class/end", old).await, "opens nothing");
    // With a link that was used.
    play.instructor().await;
    refused(&play.get(&play.link).await, "has been used");
    assert_eq!(log.lines("a request was refused"), 5);

    // By trying. The neighbour hears of every price meanwhile.
    let tried = async {
        let guesses = (0..20).map(|guess| {
            let target = format!("/instructor?key={guess:032x}");
            let play = &play;
            async move { play.get(&target).await }
        });
        futures_util::future::join_all(guesses).await
    };
    let mut tried = std::pin::pin!(tried);
    let answers = loop {
        tokio::select! {
            answers = &mut tried => break answers,
            () = neighbour.goes_on(&play) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(answers.iter().all(|answer| matches!(answer.status, 403 | 429)), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.status == 429), "at most four wait at a time: {answers:?}");
    assert_eq!(log.lines("a request was refused"), 5 + 20);
    let answered = answers.iter().filter(|answer| answer.status == 403).count();
    // What was a token once, or elsewhere, is a guess, too.
    assert_eq!(log.lines("a key that opens nothing"), 3 + answered);
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn whoever_spoils_the_class_gets_a_sentence_and_spoils_nothing() {
    let log = Log::begin();
    let play = Play::begin().await;
    let mut neighbour = Neighbour::of(&play).await;
    let instructor = play.instructor().await;
    let join = async |name: &str| {
        let body = json!({ "version": 1, "name": name }).to_string();
        play.post_json("/class/join", "", &[], &body).await
    };
    // Names.
    let long = "x".repeat(10_000);
    let names = [
        (long.as_str(), "40 characters at most"),
        ("a\u{0}b", "U+0000"),
        ("\u{1b}[2J", "U+001B"),
        ("Sari\u{202e}", "U+202E"),
        ("\u{2066}Sari", "U+2066"),
        ("  ", "a letter or a digit"),
    ];
    for (name, says) in names {
        let answer = join(name).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(says), "{answer:?}");
    }
    let token = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        let joined: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        joined["token"].as_str().unwrap().to_owned()
    };
    // Markup is a name like any other, and so is one that is written from right to left.
    let budi = token(&join("<script>alert(1)</script>").await);
    token(&join("سارة").await);
    let board = play.get("/class").await.body;
    assert!(board.contains("&lt;script&gt;alert(1)") && !board.contains("<script>alert"), "{board}");
    assert!(board.contains("<bdi class=\"class-name\">سارة</bdi>"), "{board}");

    // A report for another, by a token that nobody has, or one's own with another's name in it.
    let report = |token: &str| {
        let body = json!({ "version": 1, "lab": 3, "total": 7, "done": [1, 2], "open": [3], "name": "سارة" });
        (format!("Bearer {token}"), body.to_string())
    };
    for stranger in ["", "0123456789abcdef0123456789abcdef", &budi[1..]] {
        let (bearer, body) = report(stranger);
        let answer = play.post_json("/class/report", "", &[("authorization", &bearer)], &body).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let (bearer, body) = report(&budi);
    let answer = play.post_json("/class/report", "", &[("authorization", &bearer)], &body).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let board = play.get("/class").await.body;
    assert_eq!(board.matches("2 of 7").count(), 1, "{board}");
    let card = board.split("class-member\">").find(|card| card.contains("2 of 7")).unwrap();
    assert!(card.contains("alert(1)"), "it is told of whoever sent it: {card}");

    assert_eq!(log.lines("a request was refused"), names.len() + 3);
    let console = play.ask("GET", "/instructor", &[("cookie", &instructor)]).await;
    assert_eq!(console.status, 200);
    neighbour.goes_on(&play).await;
}

/// A connection that takes as little as its system allows.
async fn stops_reading(play: &Play) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut line = socket.connect(play.address).await.unwrap();
    let request = play.request("GET", "/live/lab3/prices/stream", &[], "keep-alive");
    line.write_all(request.as_bytes()).await.unwrap();
    line
}

async fn readers_that_stop(count: usize) {
    let log = Log::begin();
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    let mut stopped = Vec::new();
    for _ in 0..count {
        stopped.push(stops_reading(&play).await);
    }
    play.until("they all listen", || play.feed.subscribers() == count + 1).await;
    // Until the system takes no more for any of them.
    let dropped = || play.feed.subscribers() == 1;
    while !dropped() {
        play.feed.publish(json!({ "symbol": "BMRI", "long": "x".repeat(8_000) })).await;
        neighbour.goes_on(&play).await;
    }
    neighbour.goes_on(&play).await;
    for mut line in stopped {
        // What it had not taken is lost: a reset, not an end.
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, line.read_to_end(&mut rest)).await.expect("the stage cuts the line");
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    let metrics = play.get("/metrics").await.body;
    assert!(
        metrics.contains(&format!("stage_dropped_readers_total{{technique=\"sse\"}} {count}\n")),
        "{metrics}"
    );
    assert_eq!(log.lines("a client took nothing for too long"), count);
}

#[tokio::test]
async fn a_reader_that_stops_is_cut() {
    readers_that_stop(1).await;
}

#[tokio::test]
async fn a_thousand_readers_that_stop_are_cut() {
    readers_that_stop(1_000).await;
}

#[tokio::test]
async fn a_trader_who_stops_reading_is_cut() {
    let log = Log::begin();
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    let cookie = play.visit_lab(5).await;
    let mut trader = play.trader_in(&cookie, "general", "Anna").await;
    let cut = || log.lines("a client took nothing for too long") == 1;
    while !cut() {
        play.feed.publish(json!({ "symbol": "BMRI", "long": "x".repeat(30_000) })).await;
        neighbour.goes_on(&play).await;
    }
    trader.failure().await;
}

#[tokio::test]
async fn what_the_weather_holds_for_too_long_is_cut() {
    let play = Play::within(SHORT).await;
    let mut neighbour = Neighbour::of(&play).await;
    let cookie = play.visit().await;
    let mut held = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    held.until("retry:").await;
    play.post_form("/live/lab3/-/weather?page=1", &cookie, "hold=on").await;
    assert_eq!(held.ending().await, Ending::Reset);
    neighbour.goes_on(&play).await;
}

#[tokio::test]
async fn ten_thousand_connections_from_one_address_leave_room_for_others() {
    let log = Log::begin();
    // Those inside say nothing for as long as the others take, which is their own affair here.
    let head_within = Duration::from_secs(600);
    let play = Play::within(Limits { per_address: 200, head_within, ..Limits::default() }).await;
    let mut neighbour = Neighbour::of(&play).await;
    let mut inside = Vec::new();
    let mut refused = 0;
    for number in 0..10_000 {
        let mut line = TcpStream::connect(play.address).await.unwrap();
        if number < 200 {
            inside.push(line);
            continue;
        }
        // Whoever is refused is told at once, and nothing is kept of it.
        let read = timeout(PATIENCE, line.read(&mut [0; 1])).await.expect("an end comes");
        refused += usize::from(read.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
        if number % 1_000 == 0 {
            neighbour.goes_on(&play).await;
        }
    }
    assert_eq!(refused, 9_800);
    assert_eq!(log.lines("too many connections from one address"), 1);
    inside.truncate(50);
    let asked = async {
        // One that is inside still is served, and once some have left others come in.
        loop {
            let Ok(mut line) = TcpStream::connect(play.address).await else { continue };
            let request = play.request("GET", "/metrics", &[], "close");
            if line.write_all(request.as_bytes()).await.is_err() {
                continue;
            }
            let metrics = closed(&mut line).await;
            if metrics.contains("stage_turned_away_total") {
                break metrics;
            }
        }
    };
    let metrics = timeout(PATIENCE, asked).await.expect("others come in");
    assert!(metrics.contains("stage_connections 52\n"), "{metrics}");
}

#[tokio::test]
async fn the_stage_counts_what_it_does() {
    let play = Play::begin().await;
    let mut prices = play.stream("/live/lab3/prices/stream", &[]).await;
    prices.until("retry:").await;
    let mut trader = play.trader_in(&play.visit_lab(5).await, "general", "Anna").await;
    for price in 1..=3 {
        play.publish(price).await;
    }
    prices.until("id: 3").await;
    for _ in 0..3 {
        trader.hears("price").await;
    }
    play.get("/live/lab1/prices").await;
    let answer = play.get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let metrics = answer.body;
    for line in [
        "# TYPE stage_exchanges gauge",
        "stage_exchanges{technique=\"sse\"} 1.0",
        "stage_exchanges{technique=\"ws\"} 1.0",
        "# TYPE stage_deliveries counter",
        "stage_deliveries_total{technique=\"fetch\"} 1",
        // The reconnection time, and three prices.
        "stage_deliveries_total{technique=\"sse\"} 4",
        // What Anna was told when she joined, and three prices.
        "stage_deliveries_total{technique=\"ws\"} 4",
        "stage_queue_bytes{technique=\"sse\"} 0.0",
        "stage_stalled{technique=\"sse\"} 0.0",
        "stage_lag_seconds{technique=\"poll\"} 0.0",
        "stage_dropped_readers_total{technique=\"ws\"} 0",
        "stage_turned_away_total 0",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|told| told == line), "no `{line}` in:\n{metrics}");
    }
    trader.0.close(None).await.unwrap();
    while let Some(Ok(message)) = trader.0.next().await {
        assert!(!matches!(message, Message::Text(_)));
    }
    drop(prices);
    play.until("they have gone", || play.climate.connected(9).is_empty()).await;
    let metrics = play.get("/metrics").await.body;
    // What was counted stays counted; the close frame is no message.
    for line in ["stage_deliveries_total{technique=\"ws\"} 4", "stage_exchanges{technique=\"ws\"} 0.0"] {
        assert!(metrics.lines().any(|told| told == line), "no `{line}` in:\n{metrics}");
    }
}
