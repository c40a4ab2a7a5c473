//! The hub: the feed for many, as an event stream, a WebSocket and a long poll.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use stage::{Limits, Technique, Weather};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use super::play::{Answer, Ending, PATIENCE, Play, Streaming, Trader, in_order};

const SHAKE: [(&str, &str); 3] = [
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

impl Play {
    /// A stream of the hub that is open.
    async fn follows(&self, query: &str, headers: &[(&str, &str)]) -> Streaming {
        let mut stream = self.stream(&format!("/feed/stream{query}"), headers).await;
        stream.until("retry: 3000").await;
        stream
    }

    /// The same by WebSocket.
    async fn listens(&self, query: &str) -> Trader {
        let request = format!("ws://{}/feed/socket{query}", self.address).into_client_request().unwrap();
        let line = TcpStream::connect(self.address).await.unwrap();
        let (socket, _) = timeout(PATIENCE, client_async(request, line)).await.expect("it answers").unwrap();
        Trader(socket)
    }

    /// A WebSocket's line after its handshake, for whoever writes the bytes.
    async fn bare_socket(&self) -> Streaming {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        line.write_all(self.request("GET", "/feed/socket", &SHAKE, "upgrade").as_bytes()).await.unwrap();
        let mut answer = Streaming { line, text: String::new() };
        answer.until("\r\n\r\n").await;
        assert!(answer.text.starts_with("HTTP/1.1 101"), "{}", answer.text);
        answer
    }

    /// How many exchanges the climate knows of a technique, and what was ever delivered by it.
    fn tally(&self, technique: Technique) -> (usize, u64) {
        let (_, tally) = self.climate.tallies()[technique as usize];
        (tally.connections, tally.delivered)
    }

    async fn publish_all(&self, prices: impl IntoIterator<Item = u32>) {
        for price in prices {
            self.publish(price).await;
        }
    }
}

impl Streaming {
    /// Reads until the event of this number has come, to its end.
    async fn until_told(&mut self, number: u64) {
        reads_on(self, number).await;
        assert_eq!(ids(&self.text).last(), Some(&number), "it ended before {number}:\n{}", self.text);
    }
}

/// The numbers of the events in a stream's text. One that has not come to its end is none.
fn ids(text: &str) -> Vec<u64> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let lines = whole.lines().filter_map(|line| line.strip_prefix("id: "));
    lines.map(|id| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn an_event_stream_says_what_lab_3_s_does() {
    let play = Play::begin().await;
    let mut hub = play.follows("", &[]).await;
    let mut lab = play.stream("/live/lab3/prices/stream", &[]).await;
    lab.until("retry: 3000").await;
    play.publish_all(1..=3).await;
    for stream in [&mut hub, &mut lab] {
        stream.until_told(3).await;
        stream.until("\"price\":3").await;
    }
    let events = |stream: &Streaming| {
        let lines = stream.text.lines().skip_while(|line| !line.starts_with("retry"));
        let said = lines.filter(|line| line.contains(": ")).map(str::to_owned);
        said.collect::<Vec<_>>()
    };
    assert_eq!(events(&hub), events(&lab));
    assert!(hub.text.starts_with("HTTP/1.1 200 OK\r\n"), "{}", hub.text);
    in_order(&hub.text, &["content-type: text/event-stream\r\n", "content-security-policy: ", "\r\n\r\n"]);

    let head = play.ask("HEAD", "/feed/stream", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    play.feed.close();
    assert_eq!(hub.ending().await, Ending::Proper, "a stream that is open when the market closes ends");
    assert_eq!(play.get("/feed/stream").await.status, 204);
    play.feed.reopen();
    let mut again = play.follows("?after=3", &[]).await;
    play.publish(4).await;
    again.until_told(4).await;
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_each_once() {
    let play = Play::begin().await;
    play.publish_all(1..=5).await;
    let mut by_header = play.follows("?after=1", &[("last-event-id", "3")]).await;
    let mut by_address = play.follows("?after=3", &[]).await;
    let mut newcomer = play.follows("", &[]).await;
    let mut of_another_log = play.follows("?after=3&epoch=other", &[]).await;
    let mut no_number = play.follows("?after=x", &[]).await;
    let mut trader = play.listens("?after=3").await;
    play.publish(6).await;
    for (stream, expected) in [
        (&mut by_header, &[4, 5, 6][..]),
        (&mut by_address, &[4, 5, 6]),
        (&mut newcomer, &[6]),
        (&mut of_another_log, &[6]),
        (&mut no_number, &[6]),
    ] {
        stream.until_told(6).await;
        assert_eq!(ids(&stream.text), expected);
    }
    for seq in 4..=6 {
        assert_eq!(trader.hears("price").await["seq"], seq);
    }
}

/// Reads on until number `last` has come or the line breaks.
async fn reads_on(stream: &mut Streaming, last: u64) {
    let mut part = [0; 512];
    while ids(&stream.text).last() != Some(&last) {
        match timeout(PATIENCE, stream.line.read(&mut part)).await.expect("something comes, or the end") {
            Ok(0) | Err(_) => return,
            Ok(count) => stream.text.push_str(&String::from_utf8_lossy(&part[..count])),
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_across_cuts() {
    const LAST: u64 = 400;
    let play = Play::begin().await;
    let (feed, climate) = (play.feed.clone(), play.climate.clone());
    let publishing = tokio::spawn(async move {
        for price in 1..=LAST {
            feed.publish(json!({ "price": price })).await;
            if price % 40 == 0 {
                climate.cut("sse".parse().unwrap());
            }
            tokio::task::yield_now().await;
            // Slower than who comes back: the feed of these tests keeps a hundred.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let (mut seen, mut lines) = (Vec::new(), 0);
    while seen.last() != Some(&LAST) {
        let after = seen.last().copied().unwrap_or(0).to_string();
        let mut stream = play.stream("/feed/stream", &[("last-event-id", &after)]).await;
        reads_on(&mut stream, LAST).await;
        seen.extend(ids(&stream.text));
        lines += 1;
    }
    publishing.await.unwrap();
    assert_eq!(seen, (1..=LAST).collect::<Vec<_>>());
    assert!(lines > 1, "it was cut, and came back");
}

#[tokio::test]
async fn a_socket_says_each_price_as_the_floor_does_and_answers_pings() {
    let play = Play::begin().await;
    let mut trader = play.listens("").await;
    play.publish(9_925).await;
    let said = trader.hears("price").await;
    assert_eq!(said, json!({ "type": "price", "seq": 1, "data": { "symbol": "BMRI", "price": 9_925 } }));
    trader.0.send(Message::Ping("are you there?".into())).await.unwrap();
    let pong = timeout(PATIENCE, trader.0.next()).await.expect("a pong comes").unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there?".into()));
    play.publish(9_950).await;
    assert_eq!(trader.hears("price").await["seq"], 2, "what follows is whole");
    assert_eq!(play.tally(Technique::Ws), (1, 2));
    trader.0.send(Message::Close(None)).await.unwrap();
    assert!(trader.heard_nothing_more().await);
    drop(trader);
    play.until("it has left", || play.tally(Technique::Ws) == (0, 2) && play.feed.subscribers() == 0).await;
}

#[tokio::test]
async fn frames_that_break_the_rules_close_the_socket_and_nobody_else_s() {
    let play = Play::begin().await;
    let mut neighbour = play.follows("", &[]).await;
    let mut long = play.listens("").await;
    long.0.send(Message::text("x".repeat(5_000))).await.unwrap();
    assert_eq!(long.goodbye().await, Some(CloseCode::Size));
    for (what, bytes) in [("unmasked", &b"\x81\x02hi"[..]), ("garbage", b"GET / HTTP/1.1\r\n\r\n")] {
        let mut line = play.bare_socket().await.line;
        line.write_all(bytes).await.unwrap();
        let mut said = [0; 4];
        timeout(PATIENCE, line.read_exact(&mut said)).await.expect("a close frame comes").unwrap();
        assert_eq!((said[0], u16::from_be_bytes([said[2], said[3]])), (0x88, 1002), "{what}");
    }
    play.publish(1).await;
    neighbour.until_told(1).await;
}

#[tokio::test]
async fn no_page_of_another_site_listens_and_no_odd_handshake_is_answered() {
    let play = Play::begin().await;
    let shake = |more: &[(&'static str, &'static str)]| [&SHAKE, more].concat();
    for (headers, status) in [
        (shake(&[("origin", "http://evil.example")]), "403"),
        (shake(&[("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")]), "403"),
        (SHAKE[..2].to_vec(), "400"),
        (vec![SHAKE[0], ("sec-websocket-version", "8"), SHAKE[2]], "400"),
        (SHAKE[1..].to_vec(), "426"),
    ] {
        let mut line = TcpStream::connect(play.address).await.unwrap();
        line.write_all(play.request("GET", "/feed/socket", &headers, "upgrade").as_bytes()).await.unwrap();
        let mut answer = Streaming { line, text: String::new() };
        answer.until("\r\n\r\n").await;
        assert!(answer.text.starts_with(&format!("HTTP/1.1 {status}")), "{headers:?}: {}", answer.text);
    }
    play.until("nobody is left", || play.tally(Technique::Ws).0 == 0).await;
}

#[tokio::test]
async fn a_poll_is_answered_as_lab_2_s_is() {
    let play = Play::begin().await;
    play.publish_all(1..=2).await;
    for query in ["?after=1", "", "?after=x", "?after=1&epoch=other", "?after=9"] {
        let hub = play.get(&format!("/feed/poll{query}")).await;
        let lab = play.get(&format!("/live/lab2/updates{query}")).await;
        assert_eq!(
            (hub.status, hub.header("content-type")),
            (lab.status, lab.header("content-type")),
            "{query}"
        );
        let json = |answer: &Answer| serde_json::from_str::<Value>(&answer.body).unwrap();
        assert_eq!(json(&hub), json(&lab), "{query}");
        assert_eq!(hub.header("cache-control"), Some("no-store"));
    }
    // The next update is number 3: whoever waits for it is told when it comes.
    let mut held = play.stream("/feed/poll?after=2&epoch=1", &[]).await;
    play.until("it is held", || play.tally(Technique::Poll).0 == 1 && play.feed.subscribers() == 1).await;
    assert!(held.is_quiet());
    play.publish(3).await;
    held.until("\"price\":3").await;
    // The same connection asks again.
    held.text.clear();
    held.line.write_all(play.request("GET", "/feed/poll?after=3", &[], "close").as_bytes()).await.unwrap();
    play.publish(4).await;
    held.until("\"seq\":4").await;
    assert!(!held.text.contains("\"seq\":3"));
    // A position that is too old.
    play.publish_all(5..=120).await;
    let gone = play.get("/feed/poll?after=2").await;
    assert!(gone.status == 410 || gone.status == 200, "{gone:?}");
}

#[tokio::test]
async fn a_place_that_the_log_no_longer_holds_is_gone() {
    let play = Play::begin().await;
    // Nobody is there: the hub reads what the feed holds when somebody comes.
    play.publish_all(1..=150).await;
    let gone = play.get("/feed/poll?after=2").await;
    assert_eq!(gone.status, 410);
    assert_eq!(play.get("/live/lab2/updates?after=2").await.body, gone.body);
    let mut stream = play.follows("?after=2", &[]).await;
    play.publish(151).await;
    stream.until_told(151).await;
    assert_eq!(ids(&stream.text), [151], "it hears what comes from now on, and its number tells");
}

/// A reader of the hub who takes as little as its system allows.
async fn stops_reading(play: &Play) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut line = socket.connect(play.address).await.unwrap();
    line.write_all(play.request("GET", "/feed/stream", &[], "keep-alive").as_bytes()).await.unwrap();
    line
}

#[tokio::test]
async fn a_reader_that_stops_delays_nobody_and_is_cut() {
    let play = Play::within(Limits { stalled: Duration::from_millis(400), ..Limits::default() }).await;
    let mut neighbour = play.follows("", &[]).await;
    let mut trader = play.listens("").await;
    let mut stopped = Vec::new();
    for _ in 0..20 {
        stopped.push(stops_reading(&play).await);
    }
    play.until("they all listen", || play.tally(Technique::Sse).0 == 21).await;
    let mut seq = 0;
    while play.tally(Technique::Sse).0 > 1 {
        seq += 1;
        play.feed.publish(json!({ "price": seq, "long": "x".repeat(8_000) })).await;
        neighbour.until_told(seq).await;
        neighbour.text.clear();
        assert_eq!(trader.hears("price").await["seq"], seq);
    }
    for mut line in stopped {
        let read =
            timeout(PATIENCE, line.read_to_end(&mut Vec::new())).await.expect("the stage cuts the line");
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    let metrics = play.get("/metrics").await.body;
    assert!(metrics.contains("stage_dropped_readers_total{technique=\"sse\"} 20\n"), "{metrics}");
}

#[tokio::test]
async fn a_reader_who_pauses_gets_every_byte_in_its_order() {
    const LAST: u64 = 200;
    let play = Play::begin().await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(Streaming { line: stops_reading(&play).await, text: String::new() });
    }
    play.until("they all listen", || play.tally(Technique::Sse).0 == 3).await;
    let is_stalled = || play.climate.tallies()[Technique::Sse as usize].1.stalled == 3;
    let mut seq = 0;
    while !is_stalled() || seq < LAST {
        seq += 1;
        play.feed.publish(json!({ "price": seq, "long": "x".repeat(2_000) })).await;
        // The hub's own turn comes in between.
        tokio::task::yield_now().await;
    }
    for stream in &mut lines {
        stream.until_told(seq).await;
        assert_eq!(ids(&stream.text), (1..=seq).collect::<Vec<_>>());
    }
    // The shard has them again.
    play.publish(0).await;
    for stream in &mut lines {
        stream.until_told(seq + 1).await;
    }
}

#[tokio::test]
async fn a_stage_that_stops_ends_streams_and_says_goodbye() {
    let mut play = Play::begin().await;
    let stream = play.follows("", &[]).await;
    let mut trader = play.listens("").await;
    play.publish(1).await;
    assert_eq!(trader.hears("price").await["seq"], 1);
    play.stop.take().unwrap().send(()).unwrap();
    let (ending, code) = tokio::join!(stream.ending(), trader.goodbye());
    assert_eq!((ending, code), (Ending::Proper, Some(CloseCode::Away)));
    drop(trader);
    timeout(PATIENCE, &mut play.served).await.expect("the stage ends").unwrap();
    assert_eq!(play.feed.subscribers(), 0);
}

#[tokio::test]
async fn weather_reaches_a_hub_s_connection_and_not_its_neighbours() {
    let play = Play::begin().await;
    let mut held = play.follows("", &[]).await;
    let mut trader = play.listens("").await;
    play.publish(1).await;
    held.until_told(1).await;
    play.order("sse", Weather { hold: true, ..Weather::CLEAR });
    play.publish_all(2..=4).await;
    for seq in 1..=4 {
        assert_eq!(trader.hears("price").await["seq"], seq);
    }
    let is_under_way = || play.climate.tallies()[Technique::Sse as usize].1.queue > 0;
    play.until("they are under way", is_under_way).await;
    assert!(held.is_quiet(), "what is held does not arrive");
    play.order("sse", Weather::CLEAR);
    held.until_told(4).await;
    play.publish(5).await;
    held.until_told(5).await;
    assert_eq!(ids(&held.text), [1, 2, 3, 4, 5]);

    // Every byte in its turn, however slowly it is taken.
    play.order("sse", Weather { reader: 2_000, ..Weather::CLEAR });
    play.publish_all(6..=9).await;
    held.until_told(9).await;
    play.order("sse", Weather { proxy: 1, ..Weather::CLEAR });
    for seq in 10..=40 {
        play.publish(seq).await;
    }
    held.until("id: 20\n").await;
    play.climate.clear();
    held.until_told(40).await;
    assert_eq!(ids(&held.text), (1..=40).collect::<Vec<_>>());

    play.order("ws", Weather { refuse: true, ..Weather::CLEAR });
    let refused = play.stream("/feed/socket", &SHAKE).await;
    assert_eq!(refused.ending().await, Ending::Reset);
    play.order("ws", Weather { bad_gateway: true, ..Weather::CLEAR });
    assert_eq!(play.ask("GET", "/feed/socket", &SHAKE).await.status, 502);
    assert_eq!(play.climate.cut("sse".parse().unwrap()), 1);
    assert_eq!(held.ending().await, Ending::Reset);
    play.publish(41).await;
    while trader.hears("price").await["seq"] != 41 {}
}

#[tokio::test]
async fn a_proxy_s_weather_and_an_old_http_have_the_stream_from_hyper() {
    let play = Play::begin().await;
    let mut old = TcpStream::connect(play.address).await.unwrap();
    old.write_all(b"GET /feed/stream?after=0 HTTP/1.0\r\nhost: x\r\n\r\n").await.unwrap();
    let mut old = Streaming { line: old, text: String::new() };
    old.until("retry: 3000\n\n").await;
    play.publish(1).await;
    old.until("event: price\nid: 1\ndata: {").await;
    assert!(!old.text.contains("chunked") && old.text.contains("\r\n\r\nretry"), "{}", old.text);

    play.order("sse", Weather { proxy: 1, ..Weather::CLEAR });
    let mut behind = play.stream("/feed/stream?after=0", &[]).await;
    play.until("it has come", || play.tally(Technique::Sse).0 == 2).await;
    assert!(behind.is_quiet(), "the head waits, too");
    play.publish_all(2..=60).await;
    behind.until("id: 20\n").await;
    play.climate.clear();
    behind.until_told(60).await;
    assert_eq!(ids(&behind.text), (1..=60).collect::<Vec<_>>());
}

/// Reads answers until this has come, and forgets them.
async fn until_answered(line: &mut Streaming, words: &str) -> String {
    line.until(words).await;
    std::mem::take(&mut line.text)
}

#[tokio::test]
async fn a_line_that_polls_may_ask_for_anything_else_in_any_weather() {
    let play = Play::begin().await;
    play.publish_all(1..=3).await;
    let ask = |target: &str| play.request("GET", target, &[], "keep-alive");
    let line = TcpStream::connect(play.address).await.unwrap();
    let mut line = Streaming { line, text: String::new() };
    for after in 0..3 {
        // However its bytes are cut.
        for part in ask(&format!("/feed/poll?after={after}")).as_bytes().chunks(7) {
            line.line.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        let told = until_answered(&mut line, "\"seq\":3,\"data\":{\"price\":3,\"symbol\":\"BMRI\"}}]}").await;
        assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
        in_order(&told, &["content-security-policy: ", "\r\n\r\n{\"epoch\":\"1\",\"updates\":["]);
        assert_eq!(told.matches("\"seq\"").count(), 3 - after, "{told}");
    }
    assert_eq!(play.tally(Technique::Poll), (1, 3), "each is an exchange that was delivered");
    // A page of the book, then polls again.
    line.line.write_all(play.request("HEAD", "/en/", &[], "keep-alive").as_bytes()).await.unwrap();
    line.until("content-type: text/html").await;
    assert!(until_answered(&mut line, "\r\n\r\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    play.until("the page is no exchange of the hub's", || play.tally(Technique::Poll).0 == 0).await;
    line.line.write_all(ask("/feed/poll?after=9").as_bytes()).await.unwrap();
    assert!(until_answered(&mut line, "\"title\":").await.starts_with("HTTP/1.1 409"));
    // A poll that waits, and the next behind it on the same line.
    let two = [ask("/feed/poll?after=3"), ask("/feed/poll?after=4")].concat();
    line.line.write_all(two.as_bytes()).await.unwrap();
    play.until("it waits", || play.tally(Technique::Poll).0 == 1).await;
    play.publish(4).await;
    until_answered(&mut line, "\"seq\":4").await;
    play.publish(5).await;
    until_answered(&mut line, "\"seq\":5").await;
    // Weather meets the next that is asked, and the one that waits.
    play.order("poll", Weather { bad_gateway: true, ..Weather::CLEAR });
    line.line.write_all(ask("/feed/poll?after=5").as_bytes()).await.unwrap();
    assert!(until_answered(&mut line, "the server.\n").await.contains("HTTP/1.1 502"));
    play.order("poll", Weather::CLEAR);
    play.until("nobody follows the market", || play.feed.subscribers() == 0).await;
    line.line.write_all(ask("/feed/poll?after=5").as_bytes()).await.unwrap();
    play.until("it waits", || play.feed.subscribers() == 1).await;
    assert!(line.is_quiet());
    play.order("poll", Weather { hold: true, ..Weather::CLEAR });
    play.publish(6).await;
    let is_under_way = || play.climate.tallies()[Technique::Poll as usize].1.queue > 0;
    play.until("the answer is under way", is_under_way).await;
    assert!(line.is_quiet(), "what is held does not arrive");
    play.order("poll", Weather::CLEAR);
    until_answered(&mut line, "\"seq\":6").await;
    assert_eq!(play.climate.cut("poll".parse().unwrap()), 1);
    assert_eq!(line.ending().await, Ending::Reset);
}

#[tokio::test]
async fn a_poll_that_waits_is_let_go_with_the_stage_and_with_its_client() {
    let mut play = Play::begin().await;
    let mut waits = play.stream("/feed/poll?after=0", &[]).await;
    let leaves = play.stream("/feed/poll?after=0", &[]).await;
    play.until("both wait", || play.tally(Technique::Poll).0 == 2).await;
    drop(leaves);
    play.until("one has left", || play.tally(Technique::Poll).0 == 1).await;
    play.stop.take().unwrap().send(()).unwrap();
    waits.until("connection: close").await;
    assert!(waits.text.starts_with("HTTP/1.1 204"), "{}", waits.text);
    timeout(PATIENCE, &mut play.served).await.expect("the stage ends").unwrap();
}
