//! The instructor's console over plain HTTP: the feed, the weather, and who is connected.

use feed::{Market, Trading};
use serde_json::json;
use stage::Weather;
use tokio::{io::AsyncWriteExt, task::JoinHandle};

use super::play::{Answer, Ending, PATIENCE, Play, Streaming, in_order};

impl Play {
    /// Opens the console; gives its cookie.
    pub(super) async fn instructor(&self) -> String {
        let opened = self.get(&self.link).await;
        assert_eq!(opened.status, 303, "{opened:?}");
        opened.header("set-cookie").and_then(|set| set.split(';').next()).unwrap().to_owned()
    }

    /// Orders something, as the console's script does.
    async fn tell(&self, cookie: &str, room: &str, form: &str) -> Answer {
        let length = form.len().to_string();
        let headers =
            [("cookie", cookie), ("sec-fetch-site", "same-origin"), ("content-length", length.as_str())];
        let request = self.request("POST", room, &headers, "close");
        self.send(&[request.as_bytes(), form.as_bytes()].concat()).await
    }

    async fn obeys(&self, cookie: &str, room: &str, form: &str) {
        let answer = self.tell(cookie, room, form).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{room} {form}");
    }

    async fn refuses(&self, cookie: &str, room: &str, form: &str, says: &str) {
        let answer = self.tell(cookie, room, form).await;
        assert!((400..500).contains(&answer.status), "{room} {form}: {answer:?}");
        assert!(answer.body.contains(says), "{room} {form} is told: {}", answer.body);
    }

    async fn console(&self, cookie: &str) -> String {
        self.ask("GET", "/instructor", &[("cookie", cookie)]).await.body
    }

    /// A market that trades on the stage's feed as the desk says.
    pub(super) fn market(&self) -> JoinHandle<()> {
        tokio::spawn(Market::new(1).trade_as(self.feed.clone(), self.desk.orders()))
    }
}

#[tokio::test]
async fn a_market_that_is_paused_publishes_nothing_until_it_is_started() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    play.obeys(&instructor, "/instructor/feed/set", "pace=50&payload=").await;
    let market = play.market();
    play.until("the market trades", || play.feed.head() > 10).await;
    assert!(play.console(&instructor).await.contains("The market trades."));

    play.obeys(&instructor, "/instructor/feed/trade", "to=off").await;
    // An update that was under way then is there now; every other would be one more.
    let watched = play.feed.subscribe();
    let stood_at = play.feed.head();
    let console = play.console(&instructor).await;
    assert!(console.contains("The market is paused.") && console.contains("Start the market"), "{console}");
    play.obeys(&instructor, "/instructor/feed/set", "pace=50&payload=300").await;
    tokio::task::yield_now().await;
    assert!(play.feed.head() <= stood_at + 1, "{} after {stood_at}", play.feed.head());

    play.obeys(&instructor, "/instructor/feed/trade", "to=on").await;
    let heavy = || {
        play.feed.newest().is_some_and(|update| update.data["payload"].as_str().map(str::len) == Some(300))
    };
    play.until("updates bear their payload", heavy).await;
    drop(watched);
    market.abort();
}

#[tokio::test]
async fn what_the_market_cannot_do_is_told_with_its_bounds() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    for pace in ["", "0", "51", "-1", "NaN", "often"] {
        let form = format!("pace={pace}&payload=0");
        play.refuses(&instructor, "/instructor/feed/set", &form, "A price moves 0.1 to 50 times a second")
            .await;
    }
    for payload in ["8001", "-1", "much"] {
        let form = format!("pace=2&payload={payload}");
        play.refuses(&instructor, "/instructor/feed/set", &form, "0 to 8000 bytes more than it says").await;
    }
    play.refuses(&instructor, "/instructor/feed/trade", "to=perhaps", "`on` or `off`").await;
    assert_eq!(play.desk.trading(), Trading::default(), "nothing has changed");
    let shown = play.post_form("/instructor/feed/set", &instructor, "pace=%3Cb%3E").await;
    assert!(shown.body.contains("not “&lt;b&gt;”") && !shown.body.contains("<b>”"), "{shown:?}");
    let led_back = play.post_form("/instructor/feed/set", &instructor, "pace=0.5").await;
    assert_eq!((led_back.status, led_back.header("location")), (303, Some("/instructor#room-feed")));
}

#[tokio::test]
async fn a_log_that_begins_anew_ends_streams_and_has_another_epoch() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let cookie = play.visit().await;
    play.publish(6_100).await;
    let before = play.feed.epoch().to_owned();
    let mut stream = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    stream.until("retry:").await;
    play.obeys(&instructor, "/instructor/feed/anew", "").await;
    assert_eq!(stream.ending().await, Ending::Proper);
    assert_ne!(play.feed.epoch(), before);
    assert!(play.console(&instructor).await.contains(play.feed.epoch()), "the console names it");
    // Lab 1 knows nothing of the old log's prices any more.
    assert!(!play.get("/live/lab1/prices").await.body.contains("6100"));
    play.publish(6_125).await;
    assert!(play.get("/live/lab1/prices").await.body.contains("6125"));
    let told = play.get(&format!("/live/lab2/updates?after=1&epoch={before}")).await;
    assert_eq!(told.status, 409, "{told:?}");
}

#[tokio::test]
async fn each_weather_that_is_ordered_reaches_a_visitor_and_is_cleared() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let cookie = play.visit().await;
    let mut stream = play.stream("/live/lab3/prices/stream", &[("cookie", &cookie)]).await;
    stream.until("retry:").await;
    let met = || play.climate.connected(1)[0].weather;
    for (form, words, weather) in [
        ("latency=250", "250 ms under way", Weather { latency: 250, ..Weather::CLEAR }),
        ("jitter=40", "0 to 40 ms under way", Weather { jitter: 40, ..Weather::CLEAR }),
        ("reader=100", "reader of 100 B/s", Weather { reader: 100, ..Weather::CLEAR }),
        ("proxy=4", "proxy of 4 KB", Weather { proxy: 4, ..Weather::CLEAR }),
        ("hold=on", "hold", Weather { hold: true, ..Weather::CLEAR }),
        ("refuse=on", "refuse", Weather { refuse: true, ..Weather::CLEAR }),
        ("bad_gateway=on", "502", Weather { bad_gateway: true, ..Weather::CLEAR }),
    ] {
        for (scope, name) in [
            ("for=all", "Everybody"),
            ("for=lab3", "Lab 3 · The ticker"),
            ("for=sse", "Server-Sent Events"),
            ("for=all&visitor=1", "Visitor 1"),
        ] {
            play.obeys(&instructor, "/instructor/weather/order", &format!("{scope}&{form}")).await;
            assert_eq!(met(), weather, "{scope} {form}");
            let console = play.console(&instructor).await;
            assert!(
                console.contains(&format!("<strong>{name}</strong>: {words}<")),
                "{scope} {form}: {console}"
            );
            play.obeys(&instructor, "/instructor/weather/clear", "").await;
            assert_eq!(met(), Weather::CLEAR);
        }
    }
    play.obeys(&instructor, "/instructor/weather/order", "for=ws&hold=on").await;
    assert_eq!(met(), Weather::CLEAR, "that is for others");
    play.obeys(&instructor, "/instructor/weather/order", "for=lab3&latency=5").await;
    play.obeys(&instructor, "/instructor/weather/clear", "for=lab3").await;
    assert_eq!(play.climate.orders().len(), 1, "only the one that was meant is taken back");
    play.publish(6_100).await;
    stream.until("6100").await;
}

#[tokio::test]
async fn weather_that_cannot_be_is_told_and_changes_nothing() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    for (form, says) in [
        ("for=all", "No weather was chosen"),
        ("for=everybody&hold=on", "Weather is for `all`, a lab"),
        ("for=all&visitor=x&hold=on", "not for “visitorx”"),
        ("for=all&latency=10001", "0 (off) to 10000 (ms), not 10001"),
        ("for=all&latency=-1", "a whole number, not “-1”"),
        ("for=all&hold=perhaps", "`hold` is on or off."),
    ] {
        play.refuses(&instructor, "/instructor/weather/order", form, says).await;
    }
    play.refuses(&instructor, "/instructor/weather/clear", "for=nobody", "Weather is for `all`").await;
    assert!(play.climate.orders().is_empty());
}

#[tokio::test]
async fn the_console_s_stream_tells_what_changes_without_being_asked() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let mut events: Streaming = play.stream("/instructor/events", &[("cookie", &instructor)]).await;
    events.until("The sky is clear.").await;
    play.obeys(&instructor, "/instructor/weather/order", "for=all&hold=on").await;
    events.until("<strong>Everybody</strong>: hold").await;
    // Nobody tells the console of a price: it looks.
    play.publish(6_125).await;
    events.until("BMRI 6125").await;
}

/// The name of a connection at the console.
fn named(stream: &Streaming) -> String {
    format!("line={}", stream.line.local_addr().unwrap())
}

impl Play {
    /// A stream of a visitor's that has begun.
    pub(super) async fn listener(&self, cookie: &str) -> Streaming {
        let mut stream = self.stream("/live/lab3/-/1/prices/stream", &[("cookie", cookie)]).await;
        stream.until("retry:").await;
        stream
    }

    /// The transcript of what is watched, once it holds `words`.
    async fn watched(&self, instructor: &str, words: &str) -> String {
        let asked = tokio::time::Instant::now();
        loop {
            let wire = self.ask("GET", "/instructor/wire.txt", &[("cookie", instructor)]).await.body;
            if wire.contains(words) {
                return wire;
            }
            assert!(asked.elapsed() < PATIENCE, "no `{words}` in:\n{wire}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn connections_are_listed_with_where_they_are_and_one_visitor_s_alone() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    assert!(play.console(&instructor).await.contains("Nobody is connected to a lab."));
    let (anna, budi) = (play.visit().await, play.visit_lab(5).await);
    let mut hers = play.listener(&anna).await;
    let mut his = play.trader_in(&budi, "general", "Budi").await;
    play.publish(6_100).await;
    hers.until("6100").await;
    his.hears("price").await;
    let console = play.console(&instructor).await;
    for words in [
        "Server-Sent Events · lab 3 · visitor 1, page 1",
        "at update 1 · ",
        "WebSocket · lab 5 · visitor 2, page 1",
    ] {
        assert!(console.contains(words), "{words}: {console}");
    }
    assert!(console.contains(&hers.line.local_addr().unwrap().to_string()));

    play.obeys(&instructor, "/instructor/lines/show", "visitor=2").await;
    let console = play.console(&instructor).await;
    assert!(console.contains("visitor 2, page 1") && !console.contains("visitor 1, page 1"), "{console}");
    play.refuses(&instructor, "/instructor/lines/show", "visitor=x", "A visitor has a number").await;
    play.obeys(&instructor, "/instructor/lines/show", "visitor=").await;

    let mut many = Vec::new();
    for _ in 0..45 {
        many.push(play.stream("/live/lab2/updates?after=1", &[]).await);
    }
    play.until("all of them wait", || play.climate.connected(100).len() == 47).await;
    let console = play.console(&instructor).await;
    assert!(console.contains("And 7 more."), "{console}");
    assert_eq!(console.matches("class=\"room-acts\"").count(), 40);
}

#[tokio::test]
async fn one_connection_a_technique_and_all_are_cut_from_the_console() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let cookie = play.visit().await;
    let (one, two) = (play.listener(&cookie).await, play.listener(&cookie).await);
    let mut trader = play.trader_in(&cookie, "general", "Anna").await;
    let gone = named(&one);
    play.obeys(&instructor, "/instructor/lines/cut", &gone).await;
    assert_eq!(one.ending().await, Ending::Reset);
    play.until("it is gone", || play.climate.connected(10).len() == 2).await;
    play.refuses(&instructor, "/instructor/lines/cut", &gone, "over already").await;
    play.refuses(&instructor, "/instructor/lines/cut", "line=here", "named by the address").await;
    play.refuses(&instructor, "/instructor/lines/cut", "what=everything", "Weather is for `all`").await;
    play.obeys(&instructor, "/instructor/lines/cut", "what=sse").await;
    assert_eq!(two.ending().await, Ending::Reset);
    play.publish(6_100).await;
    trader.hears("price").await;
    play.obeys(&instructor, "/instructor/lines/cut", "what=all").await;
    trader.failure().await;
}

#[tokio::test]
async fn a_stream_is_watched_from_its_middle_to_its_end() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let cookie = play.visit().await;
    let (mut chosen, mut neighbour) = (play.listener(&cookie).await, play.listener(&cookie).await);
    play.publish(1).await;
    chosen.until("id: 1").await;
    let mut panel = play.stream("/instructor/wire", &[("cookie", &instructor)]).await;
    panel.until("text/event-stream").await;
    play.obeys(&instructor, "/instructor/wire/watch", &named(&chosen)).await;
    panel.until("event: other").await;
    play.publish(2).await;
    panel.until("event price · id 2").await;
    play.order("lab3", Weather { hold: true, ..Weather::CLEAR });
    play.publish(3).await;
    play.climate.clear();
    chosen.until("id: 3").await;
    neighbour.until("id: 3").await;
    let wire = play.watched(&instructor, "id 3").await;
    in_order(
        &wire,
        &[
            "watched from here on, in the midst of GET /live/lab3/-/1/prices/stream",
            "id 2",
            "hold",
            "heal",
            "id 3",
        ],
    );
    assert_eq!(wire.matches("id 3").count(), 1, "the neighbour is not heard: {wire}");
    assert!(!wire.contains("id 1") && !wire.contains("stage_visitor"), "{wire}");
    let transcript: wire::Transcript = wire.parse().expect("it is a transcript");
    assert_eq!(transcript.to_string(), wire);

    play.obeys(&instructor, "/instructor/lines/cut", &named(&chosen)).await;
    panel.until("the connection is over").await;
    in_order(&play.watched(&instructor, "over").await, &["cut", "the connection is over"]);
    assert!(play.console(&instructor).await.contains("It is over."));

    // Its page comes back, and at first there is no connection to be had.
    play.order("lab3", Weather { refuse: true, ..Weather::CLEAR });
    let back = [("cookie", cookie.as_str()), ("last-event-id", "2")];
    let refused = play.stream("/live/lab3/-/1/prices/stream", &back).await;
    assert_eq!(refused.ending().await, Ending::Reset);
    play.climate.clear();
    let mut chosen = play.stream("/live/lab3/-/1/prices/stream", &back).await;
    chosen.until("id: 3").await;
    panel.until("event price · id 3").await;
    let wire = play.watched(&instructor, "last-event-id: 2").await;
    let wire = wire.split_once("the connection is over").unwrap().1;
    in_order(
        wire,
        &[
            "#2 refused",
            "it comes back, from ",
            "#3 GET",
            "/prices/stream",
            "last-event-id: 2",
            "#3 200",
            "id 3",
        ],
    );
    let console = play.console(&instructor).await;
    assert!(!console.contains("It is over.") && console.contains("id=\"cut-watched\""), "{console}");
    play.obeys(&instructor, "/instructor/wire/leave", "").await;
    let none = play.ask("GET", "/instructor/wire.txt", &[("cookie", &instructor)]).await;
    assert_eq!(none.status, 404, "{none:?}");
}

#[tokio::test]
async fn a_websocket_and_a_connection_of_many_exchanges_are_watched_by_whoever_chooses() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let cookie = play.visit_lab(5).await;
    let mut trader = play.trader_in(&cookie, "general", "Anna").await;
    let floor = trader.0.get_ref().local_addr().unwrap();
    play.obeys(&instructor, "/instructor/wire/watch", &format!("line={floor}")).await;
    trader.say(&json!({ "type": "say", "id": "a", "text": "Hello, all" })).await;
    trader.hears("said").await;
    in_order(
        &play.watched(&instructor, "server → client").await,
        &["client → server  #1 message", "Hello, all", "server → client  #1 message"],
    );

    // A client that asks again and again does so on one connection, and each time is told.
    let mut polls = play.stream("/live/lab2/updates?after=0", &[("cookie", &cookie)]).await;
    play.until("it waits", || play.climate.connected(10).len() == 2).await;
    let mut panel = play.stream("/instructor/wire", &[("cookie", &instructor)]).await;
    panel.until("Hello, all").await;
    play.obeys(&instructor, "/instructor/wire/watch", &named(&polls)).await;
    panel.until("in the midst of GET /live/lab2/updates?after=0").await;
    play.publish(6_100).await;
    polls.until("6100").await;
    let again = play.request("GET", "/live/lab2/updates?after=1", &[("cookie", &cookie)], "keep-alive");
    polls.line.write_all(again.as_bytes()).await.unwrap();
    let wire = play.watched(&instructor, "#2 GET /live/lab2/updates?after=1").await;
    in_order(&wire, &["#1 200 application/json", "6100", "#2 GET"]);
    assert!(!wire.contains("Hello"), "what was watched before is another transcript: {wire}");
    // It may take another connection for its next question, and is followed there.
    play.publish(6_125).await;
    polls.until("6125").await;
    let mut next = play.stream("/live/lab2/updates?after=2", &[("cookie", &cookie)]).await;
    play.publish(6_150).await;
    next.until("6150").await;
    in_order(
        &play.watched(&instructor, "6150").await,
        &["6125", "it goes on, from ", "#3 GET /live/lab2/updates?after=2", "6150"],
    );
    play.refuses(&instructor, "/instructor/wire/watch", "line=127.0.0.1:1", "over already").await;
    play.refuses(&instructor, "/instructor/wire/watch", "line=", "named by the address").await;
}

#[tokio::test]
async fn the_notes_of_the_page_on_screen_follow_the_class_and_its_clock_outlives_a_reload() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    play.obeys(&instructor, "/instructor/class/call", "page=%2Fen%2F03-server-sent-events.html&spot=resume")
        .await;
    let console = play.console(&instructor).await;
    for words in [" min, and the lab", "2 min · Predict.", "href=\"/en/03-server-sent-events.html#fatal\""] {
        assert!(console.contains(words), "{words}: {console}");
    }
    play.obeys(&instructor, "/instructor/notes/page", "page=00-the-map.html").await;
    play.obeys(&instructor, "/instructor/notes/clock", "to=on").await;
    let mut events = play.stream("/instructor/events", &[("cookie", &instructor)]).await;
    events.until("aria-current").await;
    let asked = tokio::time::Instant::now();
    while play.console(&instructor).await.contains("<strong>0:00</strong>") {
        assert!(asked.elapsed() < PATIENCE, "the clock does not count");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    play.obeys(&instructor, "/instructor/notes/clock", "to=off").await;
    let stopped = play.console(&instructor).await;
    assert!(stopped.contains("Start the clock") && !stopped.contains("<strong>0:00</strong>"), "{stopped}");
    // The time of one page is not another's.
    play.obeys(&instructor, "/instructor/class/call", "page=%2Fen%2F02-long-polling.html").await;
    assert!(play.console(&instructor).await.contains("<strong>0:00</strong> of "));
    play.obeys(&instructor, "/instructor/notes/page", "page=00-the-map.html").await;
    assert!(!play.console(&instructor).await.contains("<strong>0:00</strong>"));
    play.obeys(&instructor, "/instructor/notes/clock", "to=zero").await;
    assert!(play.console(&instructor).await.contains("<strong>0:00</strong> of "));

    play.refuses(&instructor, "/instructor/notes/page", "page=..%2Fsecret", "no such page").await;
    play.refuses(&instructor, "/instructor/notes/clock", "to=noon", "`on`, `off` or to `zero`").await;
}

#[tokio::test]
async fn whoever_follows_the_hub_is_listed_watched_and_cut_too() {
    let play = Play::begin().await;
    let instructor = play.instructor().await;
    let mut chosen = play.stream("/feed/stream", &[]).await;
    chosen.until("retry:").await;
    play.publish(1).await;
    chosen.until("id: 1").await;
    play.until("the console knows where it is", || play.climate.connected(1)[0].position == Some(1)).await;
    play.obeys(&instructor, "/instructor/wire/watch", &named(&chosen)).await;
    play.publish(2).await;
    chosen.until("id: 2").await;
    in_order(
        &play.watched(&instructor, "id 2").await,
        &["in the midst of GET /feed/stream", "event price · id 2"],
    );
    play.obeys(&instructor, "/instructor/lines/cut", "what=sse").await;
    assert_eq!(chosen.ending().await, Ending::Reset);
    play.watched(&instructor, "the connection is over").await;
}
