//! The weather over real sockets: each does what it says, to those it is for.
//!
//! No verdict here depends on how fast this machine is: what is late is late by
//! at least what was ordered, and everything else is waited for.

use std::time::{Duration, Instant};

use serde_json::json;
use stage::{Scope, Technique, Weather};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::tungstenite::{self, protocol::frame::coding::CloseCode};

use super::play::{Ending, Play, Streaming, in_order};

const PRICES: &str = "/live/lab3/prices/stream";
const CLEAR: Weather = Weather::CLEAR;
const HOLD: Weather = Weather { hold: true, ..CLEAR };

fn late(ms: u32) -> Weather {
    Weather { latency: ms, ..CLEAR }
}

impl Play {
    /// A stream of lab 3's that has begun.
    async fn prices(&self, cookie: &str) -> Streaming {
        let mut stream = self.stream(PRICES, &[("cookie", cookie)]).await;
        stream.until("retry:").await;
        stream
    }

    /// Bytes that bad weather has, on all connections.
    fn queue(&self) -> usize {
        self.climate.connected(100).iter().map(|line| line.queue).sum()
    }
}

/// The IDs of the events in a stream, in order.
fn ids(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
}

#[tokio::test]
async fn latency_makes_an_exchange_late_both_ways_and_its_neighbours_are_not() {
    let play = Play::begin().await;
    play.publish(6_100).await;
    play.order("lab1", late(400));
    let late = async {
        let asked = Instant::now();
        assert_eq!(play.get("/live/lab1/prices").await.status, 200);
        asked.elapsed()
    };
    let neighbours = async {
        let asked = Instant::now();
        for _ in 0..5 {
            play.stream("/live/lab2/updates?after=0", &[]).await.until("6100").await;
        }
        asked.elapsed() / 5
    };
    let (late, neighbour) = tokio::join!(late, neighbours);
    assert!(late >= Duration::from_millis(800), "there and back: {late:?}");
    assert!(neighbour < late, "{neighbour:?} against {late:?}");
}

#[tokio::test]
async fn what_is_late_keeps_its_order_and_every_byte() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    play.order("all", Weather { latency: 5, jitter: 40, ..CLEAR });
    let mut stream = play.prices(&cookie).await;
    for price in 1..=150 {
        play.publish(price).await;
        // In many parts, and no more than the feed keeps for one that is behind.
        if price % 10 == 0 {
            stream.until(&format!("\"price\":{}", price - 9)).await;
        }
    }
    stream.until("\"price\":150").await;
    assert_eq!(ids(&stream.text), (1..=150).collect::<Vec<_>>());

    let cookie = play.visit_lab(5).await;
    let mut trader = play.trader_in(&cookie, "general", "Anna").await;
    for number in 0..40 {
        let text = format!("{number} — é");
        trader.say(&json!({ "type": "say", "id": text, "text": text })).await;
    }
    for number in 0..40 {
        assert_eq!(trader.hears("said").await["text"], format!("{number} — é"));
    }
}

#[tokio::test]
async fn what_is_held_waits_and_arrives_when_the_line_heals() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut hers = play.prices(&anna).await;
    let mut his = play.prices(&budi).await;
    play.order("visitor1", HOLD);
    play.publish(1).await;
    play.publish(2).await;
    his.until("id: 2").await;
    play.until("hers is under way", || play.queue() > 100).await;
    assert!(hers.is_quiet(), "it does not arrive");
    // A request that is sent now has not arrived either.
    let mut asks = play.stream("/live/lab1/prices", &[("cookie", &anna)]).await;
    play.until("it is under way", || play.climate.connected(10).len() == 3).await;
    play.publish(3).await;
    his.until("id: 3").await;
    assert!(asks.is_quiet() && hers.is_quiet());

    play.order("visitor1", CLEAR);
    hers.until("id: 3").await;
    assert_eq!(ids(&hers.text), [1, 2, 3]);
    asks.until("\"price\":3").await;
    play.until("nothing is under way", || play.queue() == 0).await;
    in_order(
        &play.wire(&anna).await,
        &["network          hold", "network          heal", "event price · id 1"],
    );
    assert!(!play.wire(&budi).await.contains("hold"));

    // And the line is as before.
    play.publish(4).await;
    hers.until("id: 4").await;
}

#[tokio::test]
async fn a_line_that_was_upgraded_is_held_both_ways() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit_lab(5).await, play.visit_lab(5).await);
    let mut hers = play.trader_in(&anna, "general", "Anna").await;
    let mut his = play.trader_in(&budi, "general", "Budi").await;
    assert_eq!(hers.hears("entered").await["name"], "Budi");
    play.order("visitor1", HOLD);
    hers.say(&json!({ "type": "say", "id": "a", "text": "Held" })).await;
    his.say(&json!({ "type": "say", "id": "b", "text": "Not held" })).await;
    assert_eq!(his.hears("said").await["text"], "Not held");
    play.until("hers is under way", || play.queue() > 0).await;
    play.climate.clear();
    assert_eq!(his.hears("said").await["text"], "Held");
    assert_eq!(hers.hears("said").await["text"], "Not held");
    assert_eq!(hers.hears("said").await["text"], "Held");
}

#[tokio::test]
async fn a_slow_reader_is_slow_and_the_server_has_to_wait_for_it() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut hers = play.prices(&anna).await;
    let mut his = play.prices(&budi).await;
    play.order("visitor1", Weather { reader: 1_000, ..CLEAR });
    let began = Instant::now();
    let before = hers.text.len();
    for price in 1..=20 {
        play.publish(price).await;
    }
    his.until("\"price\":20").await;
    hers.until("\"price\":10").await;
    let (time, bytes) = (began.elapsed(), hers.text.len() - before);
    let least = Duration::from_millis(bytes as u64 * 9 / 10).saturating_sub(Duration::from_millis(100));
    assert!(time >= least, "{bytes} bytes in {time:?}");

    // Slower still, and more than the line has room for: the server's write waits.
    play.order("visitor1", Weather { reader: 1, ..CLEAR });
    for price in 0..60 {
        play.feed.publish(json!({ "price": price, "long": "x".repeat(3_000) })).await;
        his.until(&format!("id: {}\n", price + 21)).await;
    }
    play.until("there is no room", || play.queue() >= 60_000).await;
    assert!(play.queue() <= 64 * 1024, "{}", play.queue());
    let waits = |line: &stage::climate::Connected| line.visitor == Some(1) && line.stalled_ms == 0;
    assert!(play.climate.connected(10).iter().any(waits), "it is slow, and takes what it is sent");

    play.climate.clear();
    hers.until("id: 80\n").await;
    assert_eq!(ids(&hers.text), (1..=80).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_asks_anew_is_refused_and_who_listens_goes_on() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut open = play.prices(&cookie).await;
    play.order("lab3", Weather { refuse: true, ..CLEAR });
    let refused = play.stream(PRICES, &[("cookie", &cookie)]).await;
    assert_eq!(refused.ending().await, Ending::Reset);
    assert_eq!(play.get("/live/lab1/prices").await.status, 200, "another lab");
    assert_eq!(play.get("/live/lab3/client.js").await.status, 200, "the lab's page");
    play.publish(1).await;
    open.until("id: 1").await;
    play.climate.clear();
    play.prices(&cookie).await;
    let wire = play.wire_with(&cookie, "#3 200").await;
    in_order(
        &wire,
        &[
            "new connections are refused",
            "network          #2 refused",
            "new connections are accepted",
            "#3 GET",
        ],
    );
}

#[tokio::test]
async fn a_proxy_without_its_server_answers_502_to_whoever_asks_anew() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut open = play.prices(&cookie).await;
    play.order("all", Weather { bad_gateway: true, ..CLEAR });
    for target in [PRICES, "/live/lab1/prices", "/live/lab2/updates?after=0"] {
        let answer = play.get(target).await;
        assert_eq!(answer.status, 502, "{target}: {answer:?}");
        assert!(answer.body.starts_with("Bad gateway"), "{}", answer.body);
    }
    match play.knock(&cookie, None).await {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 502),
        other => panic!("{:?}", other.map(drop)),
    }
    play.publish(1).await;
    open.until("id: 1").await;
    assert_eq!(play.get("/en/").await.status, 200, "the book has a server of its own");
}

#[tokio::test]
async fn a_buffering_proxy_holds_a_stream_and_nothing_else() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut open = play.prices(&cookie).await;
    play.order("all", Weather { proxy: 2, ..CLEAR });
    let mut held = play.stream(PRICES, &[("cookie", &cookie)]).await;
    play.until("both are there", || play.feed.subscribers() >= 2).await;
    play.publish(6_100).await;
    assert!(play.get("/live/lab1/prices").await.body.contains("6100"), "what has a length passes");
    let mut trader = play.trader_in(&play.visit_lab(5).await, "general", "Anna").await;
    play.publish(6_125).await;
    assert_eq!(trader.hears("price").await["data"]["price"], 6_125, "a tunnel is none of its business");
    assert!(held.is_quiet() && open.is_quiet(), "not even a head comes");

    // A buffer full of them comes at once.
    for price in 1..=60 {
        play.publish(price).await;
    }
    held.until("6100").await;
    open.until("6125").await;
    assert!(held.text.starts_with("HTTP/1.1 200"));
    assert!(!held.text.contains("\"price\":60,") && !held.text.contains("id: 62\n"), "{}", held.text);
    // The rest comes when the proxy goes.
    play.climate.clear();
    held.until("id: 62").await;
    assert_eq!(ids(&held.text), (1..=62).collect::<Vec<_>>());
    let wire = play.wire(&cookie).await;
    in_order(
        &wire,
        &["a proxy holds each answer until it has 2 KB of it", "the proxy passes on what it gets"],
    );
}

#[tokio::test]
async fn weather_is_for_the_lab_the_technique_or_the_visitor_it_was_ordered_for() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    let mut lines = [play.prices(&anna).await, play.prices(&budi).await];
    let ask = async |line: usize| {
        let cookie = [&anna, &budi][line];
        play.stream("/live/lab2/updates?after=0", &[("cookie", cookie)]).await
    };
    let mut polls = [ask(0).await, ask(1).await];
    play.until("all are there", || play.climate.connected(9).len() == 4).await;
    for (scope, held) in [
        ("lab3", [true, true, false, false]),
        ("poll", [false, false, true, true]),
        ("visitor2", [false, true, false, true]),
        ("all", [true; 4]),
    ] {
        play.order(scope, HOLD);
        let connected = play.climate.connected(9);
        let meets: Vec<bool> = connected.iter().map(|line| line.weather.hold).collect();
        let who: Vec<_> = connected.iter().map(|line| (line.lab, line.visitor)).collect();
        assert_eq!(who, [(Some(3), Some(1)), (Some(3), Some(2)), (Some(2), Some(1)), (Some(2), Some(2))]);
        assert_eq!(meets, held, "{scope}");
        play.order(scope, CLEAR);
    }
    // Nothing is left of it.
    play.publish(7).await;
    for line in lines.iter_mut().chain(&mut polls) {
        line.until("\"price\":7").await;
    }
}

#[tokio::test]
async fn the_book_the_pages_and_the_panels_have_a_clear_sky() {
    let play = Play::begin().await;
    play.order("all", HOLD);
    for target in ["/en/", "/live/", "/live/lab3/", "/live/lab3/client.js", "/metrics", "/healthz"] {
        assert_eq!(play.get(target).await.status, 200, "{target}");
    }
    let cookie = play.visit().await;
    let mut panel = play.stream("/live/lab3/-/wire?after=0", &[("cookie", &cookie)]).await;
    panel.until("text/event-stream").await;
    let held = play.stream(PRICES, &[("cookie", &cookie)]).await;
    panel.until("GET /prices/stream").await;
    assert!(held.is_quiet());
}

#[tokio::test]
async fn the_next_request_on_a_connection_meets_its_own_weather() {
    let play = Play::begin().await;
    play.publish(1).await;
    let mut line = play.stream("/live/lab1/prices", &[]).await;
    line.until("\"price\":1").await;
    play.order("lab1", HOLD);
    let file = play.request("GET", "/live/lab1/client.js", &[], "keep-alive");
    line.line.write_all(file.as_bytes()).await.unwrap();
    line.until("export").await;
    let again = play.request("GET", "/live/lab1/prices", &[], "keep-alive");
    line.line.write_all(again.as_bytes()).await.unwrap();
    play.until("it is held", || play.climate.connected(9).iter().any(|line| line.weather.hold)).await;
    line.text.clear();
    play.climate.clear();
    line.until("\"price\":1").await;
}

#[tokio::test]
async fn one_exchange_a_technique_and_all_are_cut() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let (one, two) = (play.prices(&cookie).await, play.prices(&cookie).await);
    let mut trader = play.trader(&cookie).await;
    let held = play.stream("/live/lab2/updates?after=0", &[]).await;
    play.until("all are there", || play.climate.connected(9).len() == 4).await;
    let first = play.climate.connected(9)[0].number;
    assert!(play.climate.cut_one(first));
    assert_eq!(one.ending().await, Ending::Reset);
    play.until("it is gone", || !play.climate.cut_one(first)).await;
    assert_eq!(play.climate.cut(Scope::Technique(Technique::Sse)), 1);
    assert_eq!(two.ending().await, Ending::Reset);
    play.until("it is gone", || play.climate.connected(9).len() == 2).await;
    assert_eq!(play.climate.cut(Scope::All), 2);
    assert_eq!(held.ending().await, Ending::Reset);
    trader.failure().await;
}

#[tokio::test]
async fn who_leaves_in_bad_weather_is_gone() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let mut stream = play.prices(&cookie).await;
    let trader = play.trader_in(&cookie, "general", "Anna").await;
    play.order("all", Weather { latency: 30, reader: 100_000, ..CLEAR });
    play.publish(1).await;
    stream.until("id: 1").await;
    drop((stream, trader));
    play.until("both have gone", || play.climate.connected(9).is_empty()).await;

    // Behind a line that holds nobody can tell; when it heals, everybody can.
    let stream = play.prices(&cookie).await;
    play.order("all", HOLD);
    drop(stream);
    play.climate.clear();
    play.until("it has gone", || play.climate.connected(9).is_empty() && play.feed.subscribers() == 0).await;
}

#[tokio::test]
async fn a_cut_in_bad_weather_loses_what_is_under_way() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let stream = play.prices(&cookie).await;
    play.order("all", HOLD);
    play.publish(1).await;
    play.until("it is under way", || play.queue() > 0).await;
    assert_eq!(play.post("/live/lab3/-/cut", &cookie).await.status, 204);
    assert_eq!(stream.ending().await, Ending::Reset);
    in_order(&play.wire_with(&cookie, "#1 cut").await, &["hold", "network          #1 cut"]);
    assert!(!play.wire(&cookie).await.contains("event price"), "it has not reached its client");
}

#[tokio::test]
async fn a_stage_that_stops_lets_what_is_held_arrive_and_says_goodbye() {
    let mut play = Play::begin().await;
    let cookie = play.visit_lab(5).await;
    let mut stream = play.prices(&cookie).await;
    let mut trader = play.trader_in(&cookie, "general", "Anna").await;
    play.order("all", Weather { latency: 10_000, ..HOLD });
    let request = play.request("GET", "/live/lab1/prices", &[], "close");
    let mut asks = TcpStream::connect(play.address).await.unwrap();
    asks.write_all(request.as_bytes()).await.unwrap();
    play.publish(1).await;
    play.until("it is under way", || play.climate.connected(9).len() == 3 && play.queue() > 100).await;
    play.stop.take().unwrap().send(()).unwrap();
    stream.until("id: 1").await;
    assert_eq!(stream.ending().await, Ending::Proper);
    assert_eq!(trader.hears("price").await["data"]["price"], 1);
    assert_eq!(trader.goodbye().await, Some(CloseCode::Away));
    drop(trader);
    Streaming { line: asks, text: String::new() }.until("\"price\":1").await;
    (&mut play.served).await.unwrap();
    assert!(play.climate.connected(9).is_empty(), "nobody is left");
}

// ---- what a visitor orders

#[tokio::test]
async fn a_visitor_orders_weather_for_one_page_of_their_own() {
    let play = Play::begin().await;
    let (anna, budi) = (play.visit().await, play.visit().await);
    play.ask("GET", "/live/lab3/", &[("cookie", &anna)]).await;
    let open = async |cookie: &str, page: u32| {
        let mut stream =
            play.stream(&format!("/live/lab3/-/{page}/prices/stream"), &[("cookie", cookie)]).await;
        stream.until("retry:").await;
        stream
    };
    let (mut hers, mut other, mut his) = (open(&anna, 1).await, open(&anna, 2).await, open(&budi, 1).await);
    let ordered = play.post_form("/live/lab3/-/weather?page=1", &anna, "hold=on&latency=50").await;
    assert_eq!((ordered.status, ordered.header("location")), (303, Some("/live/lab3/?follows=1")));
    play.publish(1).await;
    other.until("id: 1").await;
    his.until("id: 1").await;
    play.until("hers is under way", || play.queue() > 0).await;
    assert!(hers.is_quiet());

    // Without script the page is loaded again, and is in the same weather.
    let page = play.ask("GET", "/live/lab3/?follows=1", &[("cookie", &anna)]).await.body;
    assert!(page.contains("<details class=\"stage-weather\" id=\"weather\" open>"), "{page}");
    assert!(page.contains("50 ms under way, hold") && page.contains("name=\"hold\" checked"), "{page}");
    assert!(page.contains("name=\"latency\" value=\"50\"") && page.contains("action=\"-/weather?page=3\""));

    let cleared = play.post_form("/live/lab3/-/weather?page=1", &anna, "hold=on&latency=50&clear=1").await;
    assert_eq!(cleared.status, 303);
    hers.until("id: 1").await;
    let wire = play.ask("GET", "/live/lab3/-/wire.txt?page=1", &[("cookie", &anna)]).await.body;
    in_order(
        &wire,
        &[
            "note             bytes are under way for 50 ms",
            "network          hold",
            "note             bytes are under way for 0 ms",
            "network          heal",
            "event price · id 1",
        ],
    );
    let transcript: wire::Transcript = wire.parse().expect("the wire's text is a transcript");
    assert_eq!(transcript.to_string(), wire);
    // A script stays on its page, and is told what is on.
    let script = [
        ("cookie", anna.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("accept", "text/plain"),
        ("content-length", "10"),
    ];
    let request = play.request("POST", "/live/lab3/-/weather?page=1", &script, "close");
    let told = play.send(format!("{request}reader=100").as_bytes()).await;
    assert_eq!((told.status, told.body.as_str()), (200, "reader of 100 B/s"));
    let fresh = play.ask("GET", "/live/lab3/?utm=x", &[("cookie", &anna)]).await;
    assert!(fresh.status == 200 && fresh.body.contains("<span id=\"weather-now\">clear</span>"));
}

#[tokio::test]
async fn weather_that_cannot_be_made_is_refused_in_a_sentence_and_changes_nothing() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let target = "/live/lab3/-/weather?page=1";
    assert_eq!(play.post_form(target, &cookie, "latency=100").await.status, 303);
    for (form, words) in [
        ("latency=99999", "`latency` takes whole numbers from 0 (off) to 10000 (ms), not 99999."),
        ("latency=-1", "`latency` takes a whole number, not “-1”."),
        ("reader=a%20lot", "`reader` takes a whole number, not “a lot”."),
        ("hold=perhaps", "`hold` is on or off."),
        ("proxy=%ff%fe", "`proxy` takes a whole number"),
    ] {
        let answer = play.post_form(target, &cookie, form).await;
        assert_eq!(answer.status, 422, "{form}: {answer:?}");
        assert!(answer.body.starts_with(words), "{form}: {}", answer.body);
    }
    let page = play.ask("GET", "/live/lab3/?follows=1", &[("cookie", &cookie)]).await.body;
    assert!(page.contains("<span id=\"weather-now\">100 ms under way</span>"), "{page}");

    let stranger = play.post_form(target, "stage_visitor=1", "hold=on").await;
    assert_eq!(stranger.status, 403);
    let elsewhere = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site"), ("content-length", "0")];
    assert_eq!(play.ask("POST", target, &elsewhere).await.status, 403);
    let large = play.post_form(target, &cookie, &format!("hold={}", "x".repeat(100_000))).await;
    assert_eq!(large.status, 413);
}

#[tokio::test]
async fn a_page_says_what_was_ordered_over_it_when_it_is_opened() {
    let play = Play::begin().await;
    let cookie = play.visit().await;
    let says = async |lab: u8| {
        let page = play.ask("GET", &format!("/live/lab{lab}/"), &[("cookie", &cookie)]).await.body;
        let said = page.split_once("the instructor had ordered weather for it: <strong>");
        said.map(|(_, rest)| rest.split('<').next().unwrap().to_owned())
    };
    assert_eq!(says(3).await, None);
    play.order("lab3", HOLD);
    play.order("sse", late(80));
    play.order("visitor2", late(900));
    assert_eq!(says(3).await.as_deref(), Some("80 ms under way, hold"));
    assert_eq!(says(5).await, None, "another lab is in the sun");
    play.order("all", late(20));
    assert_eq!(says(5).await.as_deref(), Some("20 ms under way"));
}
