//! The race over real sockets: who may have one, what it counts, what a cut does to each technique.

use serde_json::{Value, json};
use stage::{Scope, Technique, Weather};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::play::{Answer, Ending, PATIENCE, Play};

/// The sizes of one keep-alive connection, as its client counts them.
struct Counting {
    io: TcpStream,
    sent: u64,
    got: Vec<u8>,
}

impl Counting {
    async fn open(play: &Play) -> Self {
        Self { io: TcpStream::connect(play.address).await.unwrap(), sent: 0, got: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
        self.sent += bytes.len() as u64;
    }

    /// Reads until `words` have come since `from`.
    async fn until(&mut self, from: usize, words: &str) {
        while !String::from_utf8_lossy(&self.got[from..]).contains(words) {
            let read = timeout(PATIENCE, self.io.read_buf(&mut self.got)).await;
            assert_ne!(
                read.unwrap_or_else(|_| panic!("no `{words}`")).unwrap(),
                0,
                "it ended without `{words}`"
            );
        }
    }

    /// One exchange whose answer says its length; gives its sizes, too.
    async fn ask(&mut self, request: &[u8]) -> (Answer, [u64; 2]) {
        let (sent, from) = (self.sent, self.got.len());
        self.send(request).await;
        self.until(from, "\r\n\r\n").await;
        let head = Answer::read(&self.got[from..]);
        let length: usize = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.got.len() < from + head.head.len() + 4 + length {
            timeout(PATIENCE, self.io.read_buf(&mut self.got)).await.expect("the answer ends").unwrap();
        }
        (Answer::read(&self.got[from..]), [self.sent - sent, (self.got.len() - from) as u64])
    }
}

/// A browser's race.
struct Race<'a> {
    play: &'a Play,
    cookie: String,
    number: u64,
}

impl<'a> Race<'a> {
    /// Begins one, in a browser that comes for the first time.
    async fn begin(play: &'a Play, form: &str) -> Self {
        let answer = play.post_form("/live/race/-/begin", "", form).await;
        let cookie = answer.header("set-cookie").expect("a visitor is given a cookie");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { play, cookie, number: number(&answer) }
    }

    fn path(&self, room: &str) -> String {
        format!("/live/race/-/{}/{room}", self.number)
    }

    fn get(&self, room: &str) -> Vec<u8> {
        self.play.request("GET", &self.path(room), &[("cookie", &self.cookie)], "keep-alive").into_bytes()
    }

    async fn post(&self, room: &str, form: &str) -> Answer {
        self.play.post_form(&self.path(room), &self.cookie, form).await
    }

    async fn numbers(&self) -> Value {
        let answer = self.play.ask("GET", &self.path("numbers"), &[("cookie", &self.cookie)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).expect("the numbers are JSON")
    }

    /// Waits until the stage counts this of a technique.
    async fn until_counted(&self, technique: &str, requests: u64, connections: u64, sizes: [u64; 2]) {
        let asked = Instant::now();
        let expected = json!({
            "requests": requests, "connections": connections, "to_server": sizes[0], "to_client": sizes[1],
        });
        loop {
            let numbers = self.numbers().await;
            if numbers[technique] == expected {
                return;
            }
            let found = &numbers[technique];
            assert!(asked.elapsed() < PATIENCE, "{technique}: {found} is counted, and {expected} passed");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn until_head(&self, least: u64) {
        let asked = Instant::now();
        while self.numbers().await["head"].as_u64().unwrap() < least {
            assert!(asked.elapsed() < PATIENCE, "update {least} is not published");
        }
    }
}

fn number(begun: &Answer) -> u64 {
    assert_eq!(begun.status, 200, "{begun:?}");
    let told: Value = serde_json::from_str(&begun.body).expect("what begins is told as JSON");
    told["race"].as_u64().expect("a race has a number")
}

/// A masked frame with this text, as a browser sends it.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).expect("a short message"), 0, 0, 0, 0];
    frame.extend(text.bytes());
    frame
}

#[tokio::test]
async fn every_byte_is_counted_once_and_for_its_technique() {
    let play = Play::begin().await;
    let race = Race::begin(&play, "paused=on").await;

    // One connection, and three who speak on it in turn.
    let mut shared = Counting::open(&play).await;
    let (first, one) = shared.ask(&race.get("fetch/prices")).await;
    assert_eq!(first.status, 200);
    let (_, own) = shared.ask(&race.get("numbers")).await;
    let (_, not_of_the_race) =
        shared.ask(play.request("GET", "/healthz", &[], "keep-alive").as_bytes()).await;
    assert!(own[1] > 100 && not_of_the_race[1] > 100);
    let tag = first.header("etag").unwrap().to_owned();
    let again = play.request(
        "GET",
        &race.path("fetch/prices"),
        &[("cookie", &race.cookie), ("if-none-match", &tag)],
        "keep-alive",
    );
    let (second, two) = shared.ask(again.as_bytes()).await;
    assert_eq!(second.status, 304);
    race.until_counted("fetch", 2, 1, [one[0] + two[0], one[1] + two[1]]).await;

    let mut sse = Counting::open(&play).await;
    sse.send(&race.get("sse/prices/stream")).await;
    sse.until(0, "retry:").await;
    let question = json!({ "question": "follow BMRI" }).to_string();
    let length = question.len().to_string();
    let asked = play.request(
        "POST",
        &race.path("stream/ask"),
        &[
            ("cookie", &race.cookie),
            ("sec-fetch-site", "same-origin"),
            ("authorization", "Bearer demo"),
            ("content-type", "application/json"),
            ("content-length", &length),
        ],
        "keep-alive",
    );
    let mut stream = Counting::open(&play).await;
    stream.send(asked.as_bytes()).await;
    // In pieces: what comes after the head is counted, too.
    stream.send(question.as_bytes()).await;
    stream.until(0, "\r\n\r\n").await;
    let mut poll = Counting::open(&play).await;
    poll.send(&race.get("poll/updates?after=0")).await;
    let mut ws = Counting::open(&play).await;
    let upgrade = [
        ("cookie", &*race.cookie),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    ws.send(play.request("GET", &race.path("ws/floor"), &upgrade, "upgrade").as_bytes()).await;
    ws.until(0, "\r\n\r\n").await;
    ws.send(&masked(r#"{"type":"join","room":"race","name":"me"}"#)).await;
    ws.until(0, "joined").await;

    race.post("set", "pace=20&payload=100&paused=off").await;
    race.until_head(3).await;
    race.post("set", "paused=on").await;
    let head = race.numbers().await["head"].as_u64().unwrap();
    for (technique, line) in [("sse", &mut sse), ("stream", &mut stream), ("ws", &mut ws)] {
        let newest = format!("\"number\":{head},\"price\":");
        line.until(0, &newest).await;
        let from = String::from_utf8_lossy(&line.got).rfind(&newest).unwrap();
        let end = match technique {
            "ws" => "}}",
            _ => "}\n\n\r\n",
        };
        line.until(from, end).await;
        race.until_counted(technique, 1, 1, [line.sent, line.got.len() as u64]).await;
    }
    poll.until(0, "]}").await;
    race.until_counted("poll", 1, 1, [poll.sent, poll.got.len() as u64]).await;
    race.until_counted("fetch", 2, 1, [one[0] + two[0], one[1] + two[1]]).await;
}

#[tokio::test]
async fn a_cut_ends_every_line_of_the_race_and_no_other_and_new_ones_are_refused_meanwhile() {
    let play = Play::begin().await;
    let (mine, other) = (Race::begin(&play, "").await, Race::begin(&play, "").await);
    let streams = async |race: &Race<'_>| {
        let mut sse = play.stream(&race.path("sse/prices/stream"), &[("cookie", &race.cookie)]).await;
        sse.until("retry:").await;
        let mut more = play.stream(&race.path("more/prices/stream"), &[("cookie", &race.cookie)]).await;
        more.until("retry:").await;
        [sse, more]
    };
    let [sse, more] = streams(&mine).await;
    let [mut untouched, _] = streams(&other).await;

    let told: Value = serde_json::from_str(&mine.post("cut", "seconds=10").await.body).unwrap();
    assert_eq!((&told["lines"], &told["seconds"]), (&json!(2), &json!(10)));
    assert_eq!(sse.ending().await, Ending::Reset);
    assert_eq!(more.ending().await, Ending::Reset);
    let refused = play.ask("GET", &mine.path("fetch/prices"), &[("cookie", &mine.cookie)]).await;
    assert_eq!((refused.status, refused.head.as_str()), (0, ""), "there is no connection to be had");
    assert_eq!(mine.numbers().await["sse"]["requests"], 1, "the page's own questions come through");
    let head = other.numbers().await["head"].as_u64().unwrap();
    untouched.until(&format!("id: {}\n", head + 2)).await;

    // A cut of no time at all: the line is there again.
    mine.post("cut", "seconds=0").await;
    assert_eq!(play.ask("GET", &mine.path("fetch/prices"), &[("cookie", &mine.cookie)]).await.status, 200);
}

#[tokio::test]
async fn a_line_that_was_cut_comes_back_by_itself_and_who_resumes_has_lost_nothing() {
    let play = Play::begin().await;
    let race = Race::begin(&play, "pace=20").await;
    let mut sse = play.stream(&race.path("sse/prices/stream?after=0"), &[("cookie", &race.cookie)]).await;
    sse.until("id: 2\n").await;
    race.post("cut", "seconds=1").await;
    let text = sse.text.clone();
    assert_eq!(sse.ending().await, Ending::Reset);
    let last = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok()).max().unwrap();
    let after = format!("sse/prices/stream?after={last}");
    let asked = Instant::now();
    let mut again = loop {
        let mut again = play.stream(&race.path(&after), &[("cookie", &race.cookie)]).await;
        let mut part = [0; 1];
        // Refused, it ends without a byte.
        if matches!(again.line.read(&mut part).await, Ok(1)) {
            break again;
        }
        assert!(asked.elapsed() < PATIENCE, "the line stays down");
    };
    again.until(&format!("id: {}\n", last + 1)).await;
    let first = again.text.lines().find_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok());
    assert_eq!(first, Some(last + 1), "it goes on where it was:\n{}", again.text);
}

#[tokio::test]
async fn a_race_is_its_own_browser_s_and_is_over_when_another_begins() {
    let play = Play::begin().await;
    let (mine, theirs) = (Race::begin(&play, "").await, Race::begin(&play, "").await);
    for room in ["numbers", "fetch/prices", "sse/prices/stream", "ws/floor"] {
        let stranger = play.get(&mine.path(room)).await;
        assert_eq!(stranger.status, 403, "{room}");
        assert!(stranger.body.contains("open /race and begin one"), "{}", stranger.body);
    }
    // Both are the first race of their browser: the numbers are alike, and open nothing.
    assert_eq!(mine.number, theirs.number);
    theirs.post("set", "pace=20&payload=2000").await;
    theirs.post("end", "").await;
    let numbers = mine.numbers().await;
    assert_eq!((&numbers["pace"], &numbers["payload"]), (&json!(2), &json!(0)));
    let over = theirs.post("set", "pace=1").await;
    assert_eq!(over.status, 410, "{over:?}");
    assert!(over.body.starts_with("This race is over."), "{}", over.body);

    let mut stream = play.stream(&mine.path("sse/prices/stream"), &[("cookie", &mine.cookie)]).await;
    stream.until("retry:").await;
    let again = play.post_form("/live/race/-/begin", &mine.cookie, "pace=1").await;
    assert_eq!(again.header("set-cookie"), None, "it is the same browser");
    assert_ne!(number(&again), mine.number);
    assert_ne!(stream.ending().await, Ending::Broken);
    assert_eq!(mine.post("cut", "").await.status, 410);
    for unknown in ["0", "99", "x", "-1", "18446744073709551616"] {
        let answer =
            play.ask("GET", &format!("/live/race/-/{unknown}/numbers"), &[("cookie", &mine.cookie)]).await;
        assert_eq!(answer.status, 410, "{unknown}");
    }
}

#[tokio::test]
async fn what_a_race_cannot_do_it_says_in_a_sentence() {
    let play = Play::begin().await;
    let race = Race::begin(&play, "paused=on").await;
    for (room, form, words) in [
        ("set", "pace=0", "`pace` takes whole numbers from 1 to 20 (updates a second), not “0”."),
        ("set", "payload=1000000", "`payload` takes whole numbers from 0 to 2000 (bytes)"),
        ("set", "paused=soon", "`paused` is on or off."),
        ("set", "speed=9", "A race has `pace`, `payload` and `paused` to be set here, and no “speed”."),
        ("cut", "seconds=3600", "`seconds` takes whole numbers from 0 to 10"),
    ] {
        let answer = race.post(room, form).await;
        assert_eq!(answer.status, 422, "{room} {form}");
        assert!(answer.body.contains(words), "{room} {form}: {}", answer.body);
    }
    assert_eq!(play.post_form("/live/race/-/begin", "", "pace=21").await.status, 422);
    assert_eq!(race.post("set", &"x".repeat(70_000)).await.status, 413);
    let numbers = race.numbers().await;
    assert_eq!((&numbers["pace"], &numbers["paused"]), (&json!(2), &json!(true)), "nothing has changed");

    let get = async |room: &str| play.ask("GET", &race.path(room), &[("cookie", &race.cookie)]).await;
    for room in ["http3/prices", "sse/../../numbers", "set/x"] {
        let answer = get(room).await;
        assert_eq!(answer.status, 404, "{room}");
    }
    assert!(get("http3/prices").await.body.contains("`fetch`, `poll`, `sse`, `stream`, `ws`"));
    for room in ["set", "cut", "end"] {
        assert_eq!(get(room).await.status, 405, "{room}");
    }
    let foreign = play
        .ask(
            "POST",
            &race.path("cut"),
            &[("cookie", &race.cookie), ("sec-fetch-site", "cross-site"), ("content-length", "0")],
        )
        .await;
    assert_eq!(foreign.status, 403, "another site's page cuts nothing");
}

#[tokio::test]
async fn the_instructor_s_weather_reaches_a_race_and_its_metrics_count_it() {
    let play = Play::begin().await;
    let race = Race::begin(&play, "pace=20").await;
    let mut sse = play.stream(&race.path("sse/prices/stream"), &[("cookie", &race.cookie)]).await;
    sse.until("id: ").await;
    let connected = play.climate.connected(10);
    let line = connected.iter().find(|line| line.technique == Technique::Sse).expect("the stream is known");
    let (lab, visitor) = (line.lab, line.visitor.expect("it is a visitor's"));
    assert_eq!(lab, Some(3), "it is lab 3's server");
    let metrics = play.get("/metrics").await.body;
    assert!(metrics.contains("stage_exchanges{technique=\"sse\"} 1"), "{metrics}");

    play.climate.cut(Scope::Visitor(visitor));
    assert_eq!(sse.ending().await, Ending::Reset);
    for scope in [Scope::All, Scope::Technique(Technique::Fetch), Scope::Visitor(visitor)] {
        play.climate.order(scope, Weather { bad_gateway: true, ..Weather::CLEAR }).unwrap();
        let answer = play.ask("GET", &race.path("fetch/prices"), &[("cookie", &race.cookie)]).await;
        assert_eq!(answer.status, 502, "{scope}");
        race.numbers().await;
        play.climate.clear();
    }
    assert_eq!(play.ask("GET", &race.path("fetch/prices"), &[("cookie", &race.cookie)]).await.status, 200);
}

#[tokio::test]
async fn the_page_and_its_files_are_served_and_the_labs_own_clients() {
    let play = Play::begin().await;
    let page = play.get("/race").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for script in ["race", "race-clock", "race-lane", "race-limit", "race-recall", "race-run", "race-runners"]
    {
        let file = play.get(&format!("/race/-/{script}.js")).await;
        assert_eq!(file.header("content-type"), Some("text/javascript; charset=utf-8"), "{script}");
    }
    assert_eq!(play.get("/race/-/race.css").await.status, 200);
    assert!(play.get("/live/").await.body.contains("href=\"/race\""), "the labs' list leads to the race");
    for odd in ["/race/", "/live/race", "/live/race/"] {
        let answer = play.get(odd).await;
        assert_eq!((answer.status, answer.header("location")), (308, Some("/race")), "{odd}");
    }
    assert_eq!(play.get("/race/-/nothing.js").await.status, 404);
}
