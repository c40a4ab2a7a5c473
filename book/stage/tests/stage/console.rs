//! The instructor's console over plain HTTP: the feed, the weather, and who is connected.

use feed::{Market, Trading};
use stage::Weather;
use tokio::task::JoinHandle;

use super::play::{Answer, Play, Streaming};

impl Play {
    /// Opens the console; gives its cookie.
    async fn instructor(&self) -> String {
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
    fn market(&self) -> JoinHandle<()> {
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
    assert_eq!((led_back.status, led_back.header("location")), (303, Some("/instructor")));
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
    assert_eq!(stream.ending().await, super::play::Ending::Proper);
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
