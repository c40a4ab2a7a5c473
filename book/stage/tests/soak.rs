//! Does a stage stay as it is, while a class comes and goes for half an hour?
//!
//!     cargo test --release -p stage --test soak -- --ignored --nocapture
//!
//! `cargo stage` itself runs in a process of its own, and 150 visitors at a time do what a class does: they follow the
//! market by every technique, open the book and the labs' pages, watch their own wire, order weather, join, vote.
//! Each stays for some seconds, and another one comes in its place; many go without a word, some stop reading, some
//! talk nonsense. An instructor asks questions meanwhile. Each minute a line says what the stage's process takes, and
//! what the visitors have seen. `SOAK_MINUTES` (30) and `SOAK_VISITORS` (150) change the size.
//!
//! Nothing may be lost or told twice to whoever reads; once all have gone, nothing may be open; and the stage's
//! memory may not have grown since what is bounded was full.

#[path = "common/peers.rs"]
mod peers;

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use audience::root;
use http_body_util::BodyExt;
use hyper::{Response, body::Incoming, header};
use peers::{Events, Trader, ask, text};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::TcpSocket,
    task::JoinSet,
    time::{sleep, timeout},
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const QUESTIONS: [&str; 3] = [
    "question=03-server-sent-events%23predict-clean-end",
    "question=00-the-map%23predict-slow",
    "question=00-the-map%23predict-fast",
];

/// What the visitors of one kind have seen.
#[derive(Default)]
struct Tally {
    kind: &'static str,
    visits: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    repeated: AtomicU64,
    /// Came back after a cut, and went on where they were.
    resumed: AtomicU64,
}

impl Tally {
    /// Counts update number `seq` after number `last`; gives the new last one.
    fn saw(&self, last: u64, seq: u64) -> u64 {
        self.received.fetch_add(1, Ordering::Relaxed);
        if last > 0 && seq > last + 1 {
            self.lost.fetch_add(seq - last - 1, Ordering::Relaxed);
        }
        if seq <= last {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        last.max(seq)
    }

    fn count(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }
}

/// Numbers that look like chance, the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The kinds of visitors, with how many of a hundred are of it.
const KINDS: [(&str, u64); 11] = [
    ("polls", 7),
    ("long polls", 10),
    ("SSE", 12),
    ("streaming", 7),
    ("WebSocket", 12),
    ("the hub", 14),
    ("races", 2),
    ("the class", 14),
    ("live pages", 12),
    ("the book", 5),
    ("strangers", 5),
];

/// One visitor, while it stays.
struct Visitor<'a> {
    stage: SocketAddr,
    tally: &'a Tally,
    dice: Dice,
    ends: Instant,
}

impl Visitor<'_> {
    fn stays(&self) -> bool {
        Instant::now() < self.ends
    }

    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    async fn come(&mut self) -> Option<()> {
        match self.tally.kind {
            "polls" => self.polls().await,
            "long polls" => self.long_polls("/live/lab2/updates").await,
            "SSE" => self.listens("/live/lab3/prices/stream", "").await,
            "streaming" => self.asks_the_assistant().await,
            "WebSocket" => self.trades().await,
            "the hub" => self.follows_the_hub().await,
            "races" => self.races().await,
            "the class" => self.takes_part().await,
            "live pages" => self.looks_at_a_lab().await,
            "the book" => self.reads().await,
            _ => self.means_no_good().await,
        }
    }

    async fn polls(&mut self) -> Option<()> {
        let mut tag = String::new();
        while self.stays() {
            let headers: &[_] = if tag.is_empty() { &[] } else { &[("if-none-match", tag.as_str())] };
            let answer = ask(self.stage, "/live/lab1/prices", headers, "").await.ok()?;
            tag = answer.headers().get(header::ETAG)?.to_str().ok()?.to_owned();
            self.tally.count();
            text(answer).await.ok()?;
            sleep(Duration::from_millis(900)).await;
        }
        Some(())
    }

    async fn long_polls(&mut self, path: &str) -> Option<()> {
        let (mut last, mut epoch) = (0, String::new());
        while self.stays() {
            let target = format!("{path}?after={last}{epoch}");
            let asked = async { text(ask(self.stage, &target, &[], "").await?).await };
            // Some go while they wait.
            let body = timeout(self.left(), asked).await.ok()?.ok()?;
            let Ok(body) = serde_json::from_str::<Value>(&body) else { continue };
            if let Some(updates) = body["updates"].as_array() {
                for update in updates {
                    last = self.tally.saw(last, update["seq"].as_u64()?);
                }
            } else {
                // Nothing is known of the log yet: begin where it stands.
                last = body["seq"].as_u64()?;
            }
            epoch = format!("&epoch={}", body["epoch"].as_str()?);
        }
        Some(())
    }

    /// Follows the ticker, under a mount and with a cookie or without; is cut at times, and comes back.
    async fn listens(&mut self, target: &str, cookie: &str) -> Option<()> {
        let mut last = 0;
        while self.stays() {
            let seen = last.to_string();
            let headers = [("cookie", cookie), ("last-event-id", seen.as_str())];
            let headers = if last == 0 { &headers[..1] } else { &headers[..] };
            let answer = match ask(self.stage, target, headers, "").await {
                Ok(answer) if answer.status() == 200 => answer,
                // Bad weather.
                _ => {
                    sleep(Duration::from_millis(500)).await;
                    continue;
                }
            };
            let mut events = Events::of(answer);
            let rounds = 4 + self.dice.below(20);
            for _ in 0..rounds {
                let event = match timeout(self.left(), events.next()).await {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(_) => return Some(()),
                };
                last = self.tally.saw(last, event.last_event_id.parse().ok()?);
            }
            self.tally.resumed.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    }

    async fn asks_the_assistant(&mut self) -> Option<()> {
        while self.stays() {
            let headers = [("authorization", "Bearer demo")];
            let body = json!({ "question": "How is BBCA?" }).to_string();
            let answer = ask(self.stage, "/live/lab4/ask", &headers, &body).await.ok()?;
            let mut events = Events::of(answer);
            // Every third is stopped in the middle.
            let most = if self.dice.below(3) == 0 { 3 } else { usize::MAX };
            let mut heard = 0;
            while heard < most
                && let Some(event) = events.next().await
            {
                heard += 1;
                self.tally.count();
                if event.event_type == "done" {
                    break;
                }
                if event.event_type == "error" {
                    self.tally.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            sleep(Duration::from_millis(500 + self.dice.below(1_500))).await;
        }
        Some(())
    }

    async fn trades(&mut self) -> Option<()> {
        let name = format!("Trader {}", self.dice.below(1_000));
        let mut trader = Trader::join(self.stage, &name).await.ok()?;
        let mut last = 0;
        while self.stays() {
            let Ok(told) = timeout(self.left(), trader.next()).await else { break };
            let Some(told) = told else {
                self.tally.lost.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            match told["type"].as_str() {
                Some("price") => last = self.tally.saw(last, told["seq"].as_u64()?),
                Some(_) => self.tally.count(),
                None => return None,
            }
            if self.dice.below(60) == 0 {
                trader.say("Selling").await.ok()?;
            }
        }
        // Half of them go without a word.
        if self.dice.below(2) == 0 {
            trader.leave().await.ok()?;
            while trader.next().await.is_some() {}
        }
        Some(())
    }

    async fn follows_the_hub(&mut self) -> Option<()> {
        match self.dice.below(3) {
            0 => self.listens("/feed/stream", "").await,
            1 => self.long_polls("/feed/poll").await,
            _ => {
                let mut trader = Trader::open(self.stage, "/feed/socket").await.ok()?;
                let mut last = 0;
                while let Ok(told) = timeout(self.left(), trader.next()).await {
                    last = self.tally.saw(last, told?["seq"].as_u64()?);
                }
                Some(())
            }
        }
    }

    /// Begins a race, cuts it, follows one of its lanes; one of three leaves without a word.
    async fn races(&mut self) -> Option<()> {
        let begun = ask(self.stage, "/live/race/-/begin", &[FORM], "pace=5").await.ok()?;
        if begun.status() != 200 {
            // There are as many as there may be.
            return None;
        }
        let cookie = cookie(&begun)?;
        let begun: Value = serde_json::from_str(&text(begun).await.ok()?).ok()?;
        let race = format!("/live/race/-/{}", begun["race"]);
        let follows = async |visitor: &mut Self| {
            visitor.listens(&format!("{race}/sse/prices/stream"), &cookie).await;
        };
        let (stage, half) = (self.stage, self.left() / 2);
        let cuts = async {
            sleep(half).await;
            posts(stage, &format!("{race}/cut"), &cookie, "seconds=1").await;
            let numbers = ask(stage, &format!("{race}/numbers"), &[("cookie", &cookie)], "").await;
            drop(numbers);
        };
        let is_polite = self.dice.below(3) > 0;
        tokio::join!(follows(self), cuts);
        if is_polite {
            posts(stage, &format!("{race}/end"), &cookie, "end=").await?;
        }
        Some(())
    }

    async fn takes_part(&mut self) -> Option<()> {
        // A phone without a name, and one that joins.
        for _ in 0..3 {
            text(ask(self.stage, "/class/me", &[], "").await.ok()?).await.ok()?;
        }
        let answer = ask(self.stage, "/class/me", &[], "").await.ok()?;
        let cookie = cookie(&answer)?;
        text(answer).await.ok()?;
        let name = format!("name=Student {}", self.dice.below(10_000));
        self.posts("/class/me/name", &cookie, &name).await?;
        let events = ask(self.stage, "/class/me/events", &[("cookie", &cookie)], "").await.ok()?;
        let mut events = Events::of(events);
        while self.stays() {
            let vote =
                format!("{}&answer={}", QUESTIONS[self.dice.below(3) as usize], 1 + self.dice.below(3));
            self.posts("/class/vote", &cookie, &vote).await?;
            let report = json!({ "version": 1, "lab": 1 + self.dice.below(5), "total": 7, "done": [1, 2], "open": [3] });
            let joined = ask(self.stage, "/class/join", &[], r#"{"version":1,"name":""}"#).await.ok()?;
            let joined: Value = serde_json::from_str(&text(joined).await.ok()?).unwrap_or_default();
            let bearer = format!("Bearer {}", joined["token"].as_str().unwrap_or_default());
            let bearer = [("authorization", bearer.as_str())];
            text(ask(self.stage, "/class/report", &bearer, &report.to_string()).await.ok()?).await.ok()?;
            let pause = self.left().min(Duration::from_secs(3));
            let heard = async {
                while let Some(event) = events.next().await {
                    self.tally.count();
                    drop(event);
                }
            };
            let _ = timeout(pause, heard).await;
            text(ask(self.stage, "/class/leave", &bearer, " ").await.ok()?).await.ok()?;
        }
        // Two of three take their name off; the others' are taken off when the class ends.
        if self.dice.below(3) > 0 {
            self.posts("/class/me/leave", &cookie, "leave=").await?;
        }
        Some(())
    }

    /// Opens the page of a lab, watches the wire, and orders weather; the lab is the page's.
    async fn looks_at_a_lab(&mut self) -> Option<()> {
        let page = ask(self.stage, "/live/lab3/", &[], "").await.ok()?;
        let cookie = cookie(&page)?;
        text(page).await.ok()?;
        let headers = [("cookie", cookie.as_str())];
        let wire = ask(self.stage, "/live/lab3/-/wire?page=1&after=0", &headers, "").await.ok()?;
        let mut wire = Events::of(wire);
        let watching = tokio::spawn(async move { while wire.next().await.is_some() {} });
        let weather = ["latency=80&jitter=40", "reader=2000", "proxy=400", "latency=20", "clear="]
            [self.dice.below(5) as usize];
        self.posts("/live/lab3/-/weather?page=1", &cookie, weather).await?;
        if self.dice.below(2) == 0 {
            let (stage, cookie) = (self.stage, cookie.clone());
            let pause = self.left() / 2;
            tokio::spawn(async move {
                sleep(pause).await;
                let cut = ask(stage, "/live/lab3/-/cut?page=1", &[("cookie", &cookie), FORM], " ").await;
                drop(cut);
            });
        }
        let followed = self.listens("/live/lab3/-/1/prices/stream", &cookie).await;
        watching.abort();
        followed
    }

    async fn reads(&mut self) -> Option<()> {
        for page in
            ["/en/", "/en/00-the-map.html", "/en/03-server-sent-events.html", "/live/", "/class", "/nothing"]
        {
            text(ask(self.stage, page, &[("accept-encoding", "gzip")], "").await.ok()?).await.ok()?;
            self.tally.count();
            sleep(Duration::from_millis(300)).await;
        }
        Some(())
    }

    /// Stops reading, never ends its head, or says what is no HTTP.
    async fn means_no_good(&mut self) -> Option<()> {
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_recv_buffer_size(4_096).ok()?;
        let mut line = socket.connect(self.stage).await.ok()?;
        let page = format!("GET /en/00-the-map.html HTTP/1.1\r\nhost: {}\r\n\r\n", self.stage);
        let words = match self.dice.below(4) {
            0 => page.repeat(100),
            1 => "GET /en/ HTTP/1.1\r\nx-long: ".to_owned(),
            2 => "\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(),
            _ => format!("GET /live/lab3/prices/stream HTTP/1.1\r\nhost: {}\r\n\r\n", self.stage),
        };
        // A stage that takes no more of it is right.
        let _ = timeout(Duration::from_secs(1), line.write_all(words.as_bytes())).await;
        self.tally.count();
        // Longer than a stage waits for it.
        sleep(self.left().max(Duration::from_secs(45))).await;
        Some(())
    }

    async fn posts(&self, target: &str, cookie: &str, form: &str) -> Option<String> {
        posts(self.stage, target, cookie, form).await
    }
}

async fn posts(stage: SocketAddr, target: &str, cookie: &str, form: &str) -> Option<String> {
    text(ask(stage, target, &[("cookie", cookie), FORM], form).await.ok()?).await.ok()
}

/// The cookie that an answer sets.
fn cookie(answer: &Response<Incoming>) -> Option<String> {
    let set = answer.headers().get(header::SET_COOKIE)?.to_str().ok()?;
    set.split(';').next().map(str::to_owned)
}

/// `cargo stage`, as it is started for a class.
struct Running {
    process: Child,
    address: SocketAddr,
    /// Where the instructor's link leads.
    link: String,
}

impl Running {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage"));
        command.args(["--port", "0"]).current_dir(root()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the stage starts");
        let lines = BufReader::new(process.stdout.take().expect("its output is ours")).lines();
        let (mut address, mut link) = (None, None);
        for line in lines.map_while(Result::ok) {
            let Some((_, url)) = line.split_once("http://") else { continue };
            let end = url.find(['/', ' ']).unwrap_or(url.len());
            if line.contains("console") {
                link = Some(url[end..].to_owned());
                break;
            }
            address = url[..end].parse().ok();
        }
        let address = address.expect("the stage says where it is");
        Self { process, address, link: link.expect("the stage prints the instructor's link") }
    }

    /// What its process holds in memory, in KiB, and for how long its processors worked.
    fn takes(&self) -> (u64, Duration) {
        let id = self.process.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("Linux tells of a process");
        let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let held = held.and_then(|held| held.trim().strip_suffix(" kB")?.parse().ok());
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("Linux tells of a process");
        // The 14th and the 15th field, in hundredths of a second; the second one is a name with blanks, perhaps.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let worked: u64 = fields[11..13].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        (held.expect("VmRSS is a number"), Duration::from_millis(worked * 10))
    }

    /// A number of `/metrics`.
    async fn metric(&self, name: &str) -> f64 {
        let metrics = ask(self.address, "/metrics", &[], "").await.expect("the stage answers");
        let metrics = text(metrics).await.expect("the metrics are text");
        let told: Vec<f64> = metrics
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        assert!(!told.is_empty(), "there is no `{name}` in:\n{metrics}");
        told.iter().sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks a question, shows the votes, reveals, puts it away, and begins again; looks at the console all the while.
async fn instructs(stage: SocketAddr, cookie: String, over: Arc<AtomicBool>) {
    let headers = [("cookie", cookie.as_str())];
    let events = ask(stage, "/instructor/events", &headers, "").await.expect("the console has a stream");
    let looks = tokio::spawn(async move {
        let mut body = events.into_body();
        while let Some(Ok(_)) = body.frame().await {}
    });
    let mut round = 0;
    while !over.load(Ordering::Relaxed) {
        round += 1;
        let does = async |room: &str, form: &str| {
            let target = format!("/instructor/class/{room}");
            posts(stage, &target, &cookie, form).await.expect("the console answers");
            sleep(Duration::from_secs(2)).await;
        };
        does("ask", QUESTIONS[round % 3]).await;
        does("call", "page=/en/03-server-sent-events.html&spot=").await;
        does("count", "stage=shown").await;
        does("count", "stage=revealed").await;
        does("away", "away=").await;
        does("call-off", "off=").await;
        if round % 40 == 0 {
            does("end", "end=").await;
            does("begin", "begin=").await;
        }
    }
    looks.abort();
}

fn asked(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |given| given.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "takes half an hour: cargo test --release -p stage --test soak -- --ignored --nocapture"]
async fn a_stage_stays_as_it_is_while_a_class_comes_and_goes() {
    if !cfg!(target_os = "linux") {
        eprintln!("The soak asks Linux what a process takes: it is left out here.");
        return;
    }
    let (minutes, visitors) = (asked("SOAK_MINUTES", 30), asked("SOAK_VISITORS", 150));
    let stage = Running::start();
    let opened = ask(stage.address, &stage.link, &[], "").await.expect("the link opens");
    let instructor = cookie(&opened).expect("the link gives a cookie");
    let over = Arc::new(AtomicBool::new(false));
    let tallies: Arc<Vec<Tally>> =
        Arc::new(KINDS.iter().map(|(kind, _)| Tally { kind, ..Tally::default() }).collect());

    let mut tasks = JoinSet::new();
    tasks.spawn(instructs(stage.address, instructor, Arc::clone(&over)));
    for number in 0..visitors {
        let (stage, over, tallies) = (stage.address, Arc::clone(&over), Arc::clone(&tallies));
        tasks.spawn(async move {
            let mut dice = Dice(number);
            // They do not all come at the same moment.
            sleep(Duration::from_millis(dice.below(5_000))).await;
            while !over.load(Ordering::Relaxed) {
                let mut drawn = dice.below(KINDS.iter().map(|(_, share)| share).sum());
                let kind = KINDS.iter().position(|(_, share)| {
                    let is_it = drawn < *share;
                    drawn = drawn.saturating_sub(*share);
                    is_it
                });
                let tally = &tallies[kind.expect("one of them is drawn")];
                let stays = Duration::from_millis(2_000 + dice.below(18_000));
                let dice = Dice(dice.below(u64::MAX));
                let mut visitor = Visitor { stage, tally, dice, ends: Instant::now() + stays };
                tally.visits.fetch_add(1, Ordering::Relaxed);
                if visitor.come().await.is_none() {
                    // Turned away, or cut: another one comes.
                    sleep(Duration::from_millis(200)).await;
                }
            }
        });
    }

    println!("min     RSS MiB  CPU s  open  visits  received  resumed  lost  repeated");
    let began = Instant::now();
    let mut held = Vec::new();
    for minute in 1..=minutes {
        sleep((began + Duration::from_secs(60 * minute)).saturating_duration_since(Instant::now())).await;
        let (rss, worked) = stage.takes();
        held.push(rss);
        let sum = |of: fn(&Tally) -> &AtomicU64| -> u64 {
            tallies.iter().map(|tally| of(tally).load(Ordering::Relaxed)).sum()
        };
        println!(
            "{minute:>3}  {:>10.1}  {:>5.1}  {:>4}  {:>6}  {:>8}  {:>7}  {:>4}  {:>8}",
            rss as f64 / 1024.0,
            worked.as_secs_f64(),
            stage.metric("stage_connections").await,
            sum(|tally| &tally.visits),
            sum(|tally| &tally.received),
            sum(|tally| &tally.resumed),
            sum(|tally| &tally.lost),
            sum(|tally| &tally.repeated),
        );
    }
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a visitor's own mistakes are none of the stage's");
    }
    for tally in tallies.iter() {
        let [visits, received, resumed, lost, repeated] =
            [&tally.visits, &tally.received, &tally.resumed, &tally.lost, &tally.repeated]
                .map(|count| count.load(Ordering::Relaxed));
        let kind = tally.kind;
        println!(
            "{kind:<11} {visits:>6} visits, {received:>7} received, {resumed:>5} resumed, {lost} lost, {repeated} repeated"
        );
    }
    let dropped = stage.metric("stage_dropped_readers_total").await;
    println!("{dropped} readers that took nothing were cut.");

    // Whoever is left is the one who asks.
    let gone = async {
        while stage.metric("stage_connections").await > 1.0 {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(60), gone).await.expect("once all have gone, no connection is open");
    let exchanges = stage.metric("stage_exchanges").await;
    assert_eq!(exchanges, 0.0, "once all have gone, no exchange goes on");
    let (rss, _) = stage.takes();
    println!("All have gone: {:.1} MiB", rss as f64 / 1024.0);
    for tally in tallies.iter() {
        let [lost, repeated] = [&tally.lost, &tally.repeated].map(|count| count.load(Ordering::Relaxed));
        assert_eq!((lost, repeated), (0, 0), "{}: so many were lost, and so many told twice", tally.kind);
    }
    // What is bounded (visitors, guests, transcripts) takes some minutes to fill.
    let Some((early, late)) = held.len().checked_sub(20).map(|_| (&held[8..13], &held[held.len() - 5..]))
    else {
        println!("Too short to judge memory: that takes 20 minutes.");
        return;
    };
    let [early, late] = [early, late].map(|minutes| minutes.iter().sum::<u64>() / minutes.len() as u64);
    assert!(
        late <= early + early / 20,
        "the stage held {early} KiB in the minutes 9 to 13, and {late} KiB in the last five: it grows"
    );
}
