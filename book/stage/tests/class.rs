//! The class over plain HTTP: who gets in, who is on the board, who votes for what, and who hears of it.

#[path = "common/answer.rs"]
mod answer;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use answer::Answer;
use audience::{Kind, axe, look};
use feed::Feed;
use grader::class::{Address, Membership, Progress, code_in};
use serde_json::{Value, json};
use stage::{Site, Stage, class::keep::Keep, server};
use tokio::{sync::oneshot, task::JoinHandle};

const PATIENCE: Duration = Duration::from_secs(20);
const QUESTION: &str = "question=03-server-sent-events%23predict-clean-end";

/// A stage with a class that has not begun.
struct Play {
    address: SocketAddr,
    link: String,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Play {
    async fn begin(keep: Option<Keep>) -> Arc<Self> {
        Self::with(tempfile::tempdir().unwrap().path(), keep).await
    }

    /// With these pages.
    async fn with(pages: &Path, keep: Option<Keep>) -> Arc<Self> {
        let site = Site::read(pages).unwrap();
        let listener = server::listen(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Stage::new(&root(), site, &Feed::memory(10));
        if let Some(keep) = keep {
            stage.class().keep(keep);
        }
        let link = stage.class().link().await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move { stage.serve(listener, async { drop(stopped.await) }).await });
        Arc::new(Self { address, link, stop: Some(stop), served })
    }

    /// A request of a page of this stage, on a connection of its own.
    fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let mut line = self.open(method, target, headers, body, "close");
        let mut text = Vec::new();
        let _ = line.read_to_end(&mut text);
        Answer::read(&text)
    }

    fn open(&self, method: &str, target: &str, headers: &str, body: &str, connection: &str) -> TcpStream {
        let mut line = TcpStream::connect(self.address).unwrap();
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = self.address;
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\nconnection: {connection}\r\n\
             content-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        // A stage that refuses may have closed before everything is sent.
        let _ = line.write_all(request.as_bytes());
        line
    }

    fn get(&self, target: &str, cookie: &str) -> Answer {
        self.send("GET", target, &format!("cookie: {cookie}\r\n"), "")
    }

    fn post(&self, target: &str, cookie: &str, form: &str) -> Answer {
        self.send("POST", target, &format!("cookie: {cookie}\r\n"), form)
    }

    fn stream(&self, target: &str, headers: &str) -> Stream {
        Stream { line: self.open("GET", target, headers, "", "keep-alive"), text: String::new(), read: 0 }
    }

    /// Opens the console; gives its cookie.
    fn instructor(&self) -> String {
        let answer = self.get(&self.link, "");
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.cookie()
    }

    /// A browser that can vote.
    fn visitor(&self) -> String {
        self.get("/class/me", "").cookie()
    }

    fn join(&self, name: &str) -> Answer {
        self.send("POST", "/class/join", "", &json!({ "version": 1, "name": name }).to_string())
    }

    fn token(&self, name: &str) -> String {
        let joined = self.join(name);
        assert_eq!(joined.status, 200, "{joined:?}");
        let joined: Value = serde_json::from_str(&joined.body).unwrap();
        joined["token"].as_str().unwrap().to_owned()
    }

    fn report(&self, token: &str, report: &Value) -> Answer {
        self.send("POST", "/class/report", &format!("authorization: Bearer {token}\r\n"), &report.to_string())
    }

    fn board(&self) -> String {
        self.get("/class", "").body
    }
}

/// An event stream.
struct Stream {
    line: TcpStream,
    text: String,
    read: usize,
}

#[derive(Debug, Default)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    /// The next event that has data; nothing if the stream ends.
    fn next(&mut self) -> Option<Event> {
        loop {
            let rest = &self.text[self.read..];
            if let Some(end) = rest.find("\n\n") {
                let block = rest[..end].to_owned();
                self.read += end + 2;
                // Chunks are cut at events: their lengths stand on lines of their own, without a colon.
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                if let Some(data) = field("data") {
                    let data = serde_json::from_str(data).unwrap();
                    let [name, id] = ["event", "id"].map(|name| field(name).unwrap_or_default().to_owned());
                    return Some(Event { name, id, data });
                }
                continue;
            }
            let mut part = [0; 65_536];
            let length = self.line.read(&mut part).expect("something comes in time");
            if length == 0 {
                return None;
            }
            self.text.push_str(&String::from_utf8_lossy(&part[..length]));
        }
    }

    /// The events up to one for which this holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Event) -> bool) -> Event {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let event = self.next().unwrap_or_else(|| panic!("the stream ended before: {what}"));
            if holds(&event) {
                return event;
            }
        }
        panic!("not in time: {what}")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Plays a scene that waits on plain sockets, beside the stage.
async fn play(scene: impl FnOnce(&Play) + Send + 'static) {
    let play = Play::begin(None).await;
    tokio::task::spawn_blocking(move || scene(&play)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instructor_s_link_works_once() {
    play(|play| {
        let looked_at = play.send("HEAD", &play.link, "", "");
        assert_eq!(looked_at.header("set-cookie"), None, "a look is no use: {looked_at:?}");

        let opened = play.get(&play.link, "");
        assert_eq!((opened.status, opened.header("location")), (303, Some("/instructor")));
        let set = opened.header("set-cookie").unwrap();
        for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/instructor"] {
            assert!(set.contains(part), "{set}");
        }
        let console = play.get("/instructor", &opened.cookie());
        assert_eq!((console.status, console.header("cache-control")), (200, Some("no-store")));
        let key = play.link.split_once('=').unwrap().1;
        assert!(!console.body.contains(key), "the key stands nowhere any more");

        let again = play.get(&play.link, "");
        assert_eq!(again.status, 403);
        assert!(again.body.contains("has been used"), "{}", again.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instructor_can_send_every_other_device_away() {
    play(|play| {
        let thief = play.instructor();
        let line = play.open("GET", "/instructor/events", &format!("cookie: {thief}\r\n"), "", "close");
        let mut open = Stream { line, text: String::new(), read: 0 };
        open.next().unwrap();
        let device = play.post("/instructor/link", &thief, "").body;
        let link = device.split_once("/instructor?key=").unwrap().1.split('"').next().unwrap();
        let own = play.get(&format!("/instructor?key={link}"), "").cookie();
        assert_eq!(play.post("/instructor/alone", &own, "").status, 204);
        assert_eq!(play.get("/instructor", &thief).status, 403);
        assert_eq!(play.get("/instructor", &own).status, 200);
        while open.next().is_some() {}
    })
    .await;
}

/// Every room of the console.
const ROOMS: [(&str, &str); 25] = [
    ("GET", "/instructor"),
    ("GET", "/instructor/events"),
    ("POST", "/instructor/link"),
    ("POST", "/instructor/alone"),
    ("POST", "/instructor/class/begin"),
    ("POST", "/instructor/class/end"),
    ("POST", "/instructor/class/ask"),
    ("POST", "/instructor/class/count"),
    ("POST", "/instructor/class/away"),
    ("POST", "/instructor/class/call"),
    ("POST", "/instructor/class/call-off"),
    ("POST", "/instructor/class/remove"),
    ("POST", "/instructor/feed/trade"),
    ("POST", "/instructor/feed/set"),
    ("POST", "/instructor/feed/anew"),
    ("POST", "/instructor/weather/order"),
    ("POST", "/instructor/weather/clear"),
    ("POST", "/instructor/lines/cut"),
    ("POST", "/instructor/lines/show"),
    ("POST", "/instructor/notes/page"),
    ("POST", "/instructor/notes/clock"),
    ("POST", "/instructor/wire/watch"),
    ("POST", "/instructor/wire/leave"),
    ("GET", "/instructor/wire"),
    ("GET", "/instructor/wire.txt"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_gets_into_the_console() {
    play(|play| {
        let visitor = play.visitor();
        let token = visitor.split_once('=').unwrap().1;
        for (method, room) in ROOMS {
            for cookie in ["", visitor.as_str()] {
                let refused = play.send(method, room, &format!("cookie: {cookie}\r\n"), "");
                assert_eq!(refused.status, 403, "{method} {room}: {refused:?}");
                assert!(refused.body.contains("The console is the instructor’s"), "{refused:?}");
            }
        }
        // A visitor's token is no instructor's session.
        let guess = play.get("/instructor", &format!("stage_instructor={token}"));
        assert_eq!(guess.status, 403, "{guess:?}");
        assert!(guess.body.contains("opens nothing"), "{guess:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_site_s_page_can_do_nothing_with_the_instructor_s_browser() {
    play(|play| {
        let instructor = play.instructor();
        for (method, room) in ROOMS.into_iter().filter(|(method, _)| *method == "POST") {
            for foreign in ["sec-fetch-site: cross-site", "sec-fetch-site: same-site"] {
                let refused = play.send(method, room, &format!("cookie: {instructor}\r\n{foreign}\r\n"), "");
                assert_eq!(refused.status, 403, "{room}: {refused:?}");
            }
        }
        for room in ["/class/vote", "/class/me/name", "/class/me/leave", "/class/join", "/class/report", "/class/leave"] {
            let mut line = TcpStream::connect(play.address).unwrap();
            let host = play.address;
            write!(line, "POST {room} HTTP/1.1\r\nhost: {host}\r\norigin: http://evil.example\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
            let mut text = String::new();
            line.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("HTTP/1.1 403 "), "{room}: {text}");
        }
        assert!(play.board().contains("Nobody has joined"), "nothing has happened");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_slowed_and_sent_away_and_the_right_key_comes_in_meanwhile() {
    play(|play| {
        std::thread::scope(|scope| {
            let guesses: Vec<_> = (0..12)
                .map(|guess| scope.spawn(move || play.get(&format!("/instructor?key={guess:032x}"), "")))
                .collect();
            play.instructor();
            let told: Vec<_> = guesses.into_iter().map(|guess| guess.join().unwrap()).collect();
            assert!(told.iter().all(|answer| matches!(answer.status, 403 | 429)), "{told:?}");
            let sent_away = told.iter().filter(|answer| answer.status == 429).count();
            assert!(sent_away > 0, "at most four wait at a time");
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_text_and_told_apart() {
    play(|play| {
        assert_eq!(play.join("Sari").status, 409, "no class is on yet");
        play.instructor();
        play.token("<img src=x onerror=alert(1)>");
        play.token("Sari");
        assert!(play.join(" sari ").body.contains(r#""name":"sari 2""#));
        let board = play.board();
        assert!(board.contains("&lt;img src=x onerror=alert(1)&gt;"), "{board}");
        assert!(!board.contains("<img"), "{board}");
        for (name, says) in [
            ("x".repeat(10_000), "A name has 40 characters at most, and this one has 10000."),
            ("Sari\u{202e}".to_owned(), "U+202E"),
            ("a\u{0}b".to_owned(), "U+0000"),
            ("\u{1b}[2J".to_owned(), "U+001B"),
            ("   ".to_owned(), "A name has a letter or a digit in it."),
        ] {
            let refused = play.join(&name);
            assert_eq!(refused.status, 400, "{refused:?}");
            assert!(refused.body.contains(says), "{refused:?}");
        }
        // A browser's form says the same, and a name is changed in place.
        let browser = play.visitor();
        assert_eq!(play.post("/class/me/name", &browser, "name=%E2%80%AEevil").status, 400);
        assert_eq!(play.post("/class/me/name", &browser, "name=Budi").status, 204);
        assert_eq!(play.post("/class/me/name", &browser, "name=Budi+B.").status, 204);
        let board = play.board();
        assert!(board.contains(">Budi B.<") && !board.contains(">Budi<"), "{board}");
        assert!(board.contains("4 have joined"), "{board}");
        let huge = play.send("POST", "/class/join", "", &"x".repeat(200_000));
        assert_eq!(huge.status, 413, "{huge:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instructor_takes_a_name_off_and_its_bearer_is_told() {
    play(|play| {
        let instructor = play.instructor();
        let token = play.token("A rude name");
        let console = play.get("/instructor", &instructor).body;
        let number = console.split_once("id=\"remove-").unwrap().1.split_once('"').unwrap().0.to_owned();
        assert_eq!(
            play.post("/instructor/class/remove", &instructor, &format!("number={number}")).status,
            204
        );
        assert!(!play.board().contains("A rude name"));
        let told =
            play.report(&token, &json!({ "version": 1, "lab": 3, "total": 7, "done": [], "open": [1] }));
        assert_eq!((told.status, told.body.contains("join it first")), (403, true), "{told:?}");
        assert_eq!(
            play.post("/instructor/class/remove", &instructor, &format!("number={number}")).status,
            404
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reports_for_another_and_no_nonsense() {
    play(|play| {
        play.instructor();
        let (sari, budi) = (play.token("Sari"), play.token("Budi"));
        let report = |done: Value| json!({ "version": 1, "lab": 3, "total": 7, "done": done, "open": [7] });
        assert_eq!(play.report(&sari, &report(json!([1, 2, 3]))).status, 204);
        for stranger in ["", "0123456789abcdef0123456789abcdef", &sari[1..]] {
            assert_eq!(play.report(stranger, &report(json!([1, 2, 3, 4, 5, 6]))).status, 403, "{stranger}");
        }
        let mut as_sari = report(json!([1]));
        as_sari["name"] = json!("Sari");
        assert_eq!(play.report(&budi, &as_sari).status, 204, "it is Budi's, whatever it calls itself");
        let board = play.board();
        let cards: Vec<&str> = board.split("class-member\">").skip(1).collect();
        assert!(cards[0].contains("Sari") && cards[0].contains("<b>3 of 7</b>"), "{}", cards[0]);
        assert!(cards[1].contains("Budi") && cards[1].contains("<b>1 of 7</b>"), "{}", cards[1]);
        assert!(cards[0].contains("open are TODOs 4, 5, 6, 7"), "{}", cards[0]);

        for (wrong, says) in [
            (json!({ "version": 2 }), "This stage speaks version 1"),
            (json!({ "lab": 3 }), "missing field `version`"),
            (json!([]), "not what `cargo lab` sends"),
            (json!({ "version": 1, "lab": 99, "total": 7, "done": [], "open": [] }), "There is no lab 99"),
            (json!({ "version": 1, "lab": 3, "total": 7, "done": [8], "open": [] }), "There is no TODO 8"),
            (
                json!({ "version": 1, "lab": 3, "total": -7, "done": [], "open": [] }),
                "not what `cargo lab` sends",
            ),
            (json!({ "version": 1, "lab": 3, "total": 200, "done": [], "open": [] }), "1 to 32 TODOs"),
        ] {
            let refused = play.report(&sari, &wrong);
            assert_eq!(refused.status, 400, "{wrong}: {refused:?}");
            assert!(refused.body.contains(says), "{wrong}: {refused:?}");
        }
        assert!(play.board().contains("<b>3 of 7</b>"), "nothing of it counted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_browser_has_one_vote_until_the_answer_is_told() {
    play(|play| {
        let instructor = play.instructor();
        let (one, two) = (play.visitor(), play.visitor());
        let vote = |cookie: &str, answer: &str| {
            play.post("/class/vote", cookie, &format!("{QUESTION}&answer={answer}"))
        };
        assert_eq!(vote(&one, "1").status, 409, "it is not asked yet");
        assert_eq!(play.post("/instructor/class/ask", &instructor, "question=nothing%23at-all").status, 404);
        assert_eq!(play.post("/instructor/class/ask", &instructor, QUESTION).status, 204);
        assert_eq!([vote(&one, "1").status, vote(&one, "3").status, vote(&one, "3").status], [204; 3]);
        assert_eq!(vote(&two, "2").status, 204);
        for odd in ["0", "5", "99999999999999999999", "-1", "x", ""] {
            let refused = vote(&two, odd);
            assert_eq!(refused.status, 400, "{odd}: {refused:?}");
            assert!(refused.body.contains("answers 1 to 4"), "{odd}: {refused:?}");
        }
        let other = play.post("/class/vote", &one, "question=03-server-sent-events%23no-such&answer=1");
        assert_eq!(other.status, 404, "{other:?}");
        let another = play.post("/class/vote", &one, "question=01-one-exchange%23predict-304&answer=1");
        assert_eq!(another.status, 409, "{another:?}");
        for stranger in ["", "stage_class=0123456789abcdef0123456789abcdef"] {
            let refused = vote(stranger, "1");
            assert_eq!(
                (refused.status, refused.body.contains("does not know you")),
                (403, true),
                "{refused:?}"
            );
        }
        // The class sees how many, the console sees what for.
        let board = play.board();
        assert!(board.contains("2 votes") && !board.contains("class-count"), "{board}");
        let counts = |page: &str| -> Vec<String> {
            let bars = page.split("class-count\">").skip(1);
            bars.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
        };
        assert_eq!(counts(&play.get("/instructor", &instructor).body), ["0", "1", "1", "0"]);
        assert_eq!(play.post("/instructor/class/count", &instructor, "stage=shown").status, 204);
        assert_eq!(counts(&play.board()), ["0", "1", "1", "0"]);
        assert!(!play.board().contains("✓ Right"));
        assert_eq!(vote(&two, "3").status, 204, "one may still change one's mind");
        assert_eq!(play.post("/instructor/class/count", &instructor, "stage=revealed").status, 204);
        let late = vote(&two, "1");
        assert_eq!((late.status, late.body.contains("votes are closed")), (409, true), "{late:?}");
        assert_eq!(counts(&play.board()), ["0", "0", "2", "0"]);
        assert!(play.board().contains("✓ Right"));
        assert!(play.get("/class/me", &one).body.contains("You were right."));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_s_stream_says_what_changed_and_is_resumed() {
    play(|play| {
        play.instructor();
        let mut stream = play.stream("/class/events", "");
        let first = stream.next().unwrap();
        let parts = |event: &Event| event.data.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            (first.name.as_str(), parts(&first)),
            ("parts", vec!["labs".into(), "members".into(), "question".into()])
        );
        play.token("Sari");
        let joined = stream.next().unwrap();
        assert_eq!(parts(&joined), ["members"], "only what has changed");
        assert!(joined.data["members"].as_str().unwrap().contains("Sari"));
        drop(stream);

        // Whoever has everything waits for what is new; whoever missed something is given all of it.
        let mut up_to_date = play.stream("/class/events", &format!("last-event-id: {}\r\n", joined.id));
        let mut behind = play.stream("/class/events", &format!("last-event-id: {}\r\n", first.id));
        let mut elsewhere = play.stream("/class/events", "last-event-id: 0123-7\r\n");
        for stream in [&mut behind, &mut elsewhere] {
            let all = stream.next().unwrap();
            assert_eq!(parts(&all).len(), 3);
            assert!(all.data["members"].as_str().unwrap().contains("Sari"));
        }
        play.token("Budi");
        let next = up_to_date.next().unwrap();
        assert!(
            next.data["members"].as_str().unwrap().contains("Budi"),
            "the first event is the next change: {next:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_of_many_is_few_events() {
    play(|play| {
        play.instructor();
        let began = Instant::now();
        let mut stream = play.stream("/class/events", "");
        stream.next().unwrap();
        for number in 0..60 {
            play.token(&format!("Student {number}"));
        }
        stream.until("everyone is on the board", |event| {
            event.data["members"].as_str().is_some_and(|members| members.contains("60 have joined"))
        });
        let events = stream.text.matches("event: parts").count();
        // A quarter of a second lies between two of them.
        let most = began.elapsed().as_millis() / 250 + 2;
        assert!(events as u128 <= most, "{events} events, and {most} at most");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_book_hears_of_the_class_while_one_is_on() {
    play(|play| {
        assert_eq!(play.get("/class/here", "").status, 204, "an EventSource stops at 204");
        let instructor = play.instructor();
        let mut page = play.stream("/class/here", "");
        let first = page.next().unwrap();
        assert_eq!(
            (&first.data["question"], &first.data["call"], &first.data["store"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert!(
            page.text.to_lowercase().contains("set-cookie: stage_class="),
            "the browser can vote from now on"
        );

        let call = |form: &str| play.post("/instructor/class/call", &instructor, form);
        assert_eq!(call("page=%2Fen%2F03-server-sent-events.html&spot=resume").status, 204);
        let called = page.next().unwrap();
        assert_eq!(
            called.data["call"],
            json!({ "number": 1, "path": "/en/03-server-sent-events.html#resume" })
        );
        for elsewhere in [
            "page=https%3A%2F%2Fevil.example",
            "page=%2F%2Fevil.example",
            "page=%2F%5Cevil.example",
            "page=&spot=",
        ] {
            assert_eq!(call(elsewhere).status, 400, "{elsewhere}");
        }

        play.post("/instructor/class/ask", &instructor, QUESTION);
        let asked = page.next().unwrap();
        assert_eq!(asked.data["question"]["id"], "predict-clean-end");
        assert_eq!(asked.data["question"]["answers"].as_array().unwrap().len(), 4);
        assert_eq!(asked.data["question"]["right"], Value::Null, "nobody is told too early");
        let voter = play.visitor();
        play.post("/class/vote", &voter, &format!("{QUESTION}&answer=3"));
        play.post("/instructor/class/count", &instructor, "stage=revealed");
        let revealed = page.next().unwrap();
        assert_eq!(revealed.data["question"]["stage"], "revealed", "a vote is no event for everyone");
        assert_eq!(revealed.data["question"]["counts"], json!([0, 0, 1, 0]));
        assert_eq!(revealed.data["question"]["right"], json!([2]));

        play.post("/instructor/class/end", &instructor, "");
        let over = page.next().unwrap();
        assert_eq!((over.name.as_str(), &over.data["question"]), ("over", &Value::Null));
        assert_eq!(play.get("/class/here", "").status, 204);
        assert!(play.board().contains("Nobody has joined"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cargo_lab_joins_reports_and_leaves() {
    play(|play| {
        let address = Address::try_from(format!("http://{}/join", play.address)).unwrap();
        let early = Membership::join(&address, "Sari", "", None).unwrap_err();
        assert!(early.contains("No class is on"), "{early}");
        play.instructor();
        let sari = Membership::join(&address, "Sari", "", None).unwrap();
        let nameless = Membership::join(&address, "", "", None).unwrap();
        assert_eq!((sari.name.as_str(), nameless.name.as_str()), ("Sari", "Student"));
        sari.report(&Progress { lab: 3, total: 7, done: vec![1, 2, 3, 4], open: vec![5, 6, 7] }).unwrap();
        sari.report(&Progress { lab: 1, total: 2, done: vec![1, 2], open: vec![] }).unwrap();
        let board = play.board();
        assert!(board.contains("<b>4 of 7</b>") && board.contains("Lab 1 ✓"), "{board}");
        assert!(board.contains("1 of 1"), "one of one has finished lab 1: {board}");
        // Another name, the same place: progress stays, and nobody stands there twice.
        let renamed = Membership::join(&address, "Sari D.", "", Some(&sari)).unwrap();
        let board = play.board();
        assert!(board.contains("2 have joined") && board.contains(">Sari D.<"), "{board}");
        assert!(board.contains("<b>4 of 7</b>"), "{board}");
        // Who has a name on a phone joins with its code, and is one person.
        let phone = play.visitor();
        play.post("/class/me/name", &phone, "name=Budi");
        let page = play.get("/class/me", &phone).body;
        let typed = page.split_once("cargo lab join ").unwrap().1.split('<').next().unwrap();
        let budi = Membership::join(&address, "", code_in(typed), None).unwrap();
        assert_eq!(budi.name, "Budi");
        budi.report(&Progress { lab: 2, total: 6, done: vec![1], open: vec![] }).unwrap();
        let board = play.board();
        assert!(board.contains("3 have joined") && board.contains("<b>1 of 6</b>"), "{board}");
        let wrong = Membership::join(&address, "", "zzzzzzzz", None).unwrap_err();
        assert!(wrong.contains("Nobody here has this code"), "{wrong}");
        renamed.leave().unwrap();
        assert!(renamed.leave().unwrap_err().contains("does not know you"));
        let told = renamed.report(&Progress { lab: 3, total: 7, done: vec![], open: vec![1] }).unwrap_err();
        assert!(told.contains("join it first"), "{told}");
        assert!(!play.board().contains("Sari"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_names_progress_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("class.jsonl");
    let play = Play::begin(Some(Keep::open(&file).unwrap())).await;
    let (mut play, mut board) = tokio::task::spawn_blocking(move || {
        let instructor = play.instructor();
        let token = play.token("Sari");
        play.report(&token, &json!({ "version": 1, "lab": 3, "total": 7, "done": [1], "open": [2] }));
        play.post("/instructor/class/ask", &instructor, QUESTION);
        let voter = play.visitor();
        play.post("/class/vote", &voter, &format!("{QUESTION}&answer=2"));
        play.post("/instructor/class/count", &instructor, "stage=revealed");
        play.post("/instructor/class/end", &instructor, "");
        let mut board = play.stream("/class/events", "");
        board.next().unwrap();
        (play, board)
    })
    .await
    .unwrap();
    // The stage writes everything down before it is gone.
    let play = Arc::get_mut(&mut play).unwrap();
    play.stop.take().unwrap().send(()).unwrap();
    (&mut play.served).await.unwrap();
    assert!(board.next().is_none(), "whoever looks at the board is let go");
    let kept = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = kept
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            assert!(line["at"].take().as_u64().unwrap() > 1_700_000_000_000, "{line}");
            line.as_object_mut().unwrap().remove("at");
            line
        })
        .collect();
    let question = "03-server-sent-events#predict-clean-end";
    assert_eq!(
        lines,
        [
            json!({ "what": "begun" }),
            json!({ "what": "joined", "name": "Sari" }),
            json!({ "what": "graded", "name": "Sari", "lab": 3, "done": 1, "total": 7 }),
            json!({ "what": "asked", "question": question }),
            json!({ "what": "revealed", "question": question, "votes": [0, 1, 0, 0] }),
            json!({ "what": "ended" }),
        ]
    );
}

#[test]
fn a_file_that_cannot_be_written_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = Keep::open(folder.path()).err().expect("a folder is no file").to_string();
    assert!(told.starts_with("What the class does cannot be kept in ") && told.contains("--keep"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_without_script_is_led_back_to_its_page() {
    play(|play| {
        let instructor = play.instructor();
        let html = |cookie: &str| format!("cookie: {cookie}\r\naccept: text/html\r\n");
        let asked = play.send("POST", "/instructor/class/ask", &html(&instructor), QUESTION);
        assert_eq!((asked.status, asked.header("location")), (303, Some("/instructor")));
        let browser = play.visitor();
        let page = play.get("/class/me", &browser).body;
        assert!(page.contains("action=\"/class/vote\"") && page.contains("value=\"4\""), "{page}");
        let voted = play.send("POST", "/class/vote", &html(&browser), &format!("{QUESTION}&answer=1"));
        assert_eq!((voted.status, voted.header("location")), (303, Some("/class/me")));
        assert!(play.get("/class/me", &browser).body.contains("Your vote is counted."));
        let refused = play.send("POST", "/class/me/name", &html(&browser), "name=");
        assert_eq!(refused.status, 400);
        assert!(
            refused.body.contains("<p class=\"stage-lede\">A name has a letter or a digit in it.</p>"),
            "{refused:?}"
        );
        let device = play.post("/instructor/link", &instructor, "");
        let key = device.body.split_once("/instructor?key=").unwrap().1.split('"').next().unwrap();
        assert_eq!(play.get(&format!("/instructor?key={key}"), "").status, 303);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_class_carries_the_policy() {
    play(|play| {
        let instructor = play.instructor();
        for page in [
            "/class",
            "/class/me",
            "/instructor",
            "/class/-/parts.js",
            "/class/-/console.js",
            "/class/-/here.js",
            "/class/-/here.css",
        ] {
            let answer = play.get(page, &instructor);
            assert_eq!(answer.status, 200, "{page}: {answer:?}");
            let policy = answer.header("content-security-policy").unwrap_or_default();
            assert!(
                policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
                "{page}: {policy}"
            );
            assert!(!answer.body.contains(" style=") && !answer.body.contains("<style"), "{page}");
        }
    })
    .await;
}

/// The real chapters, without what one can play with: it takes no part in this.
fn book() -> tempfile::TempDir {
    let pages = tempfile::tempdir().unwrap();
    let options = press::Options { on_stage: true, ..press::Options::new(root(), pages.path()) };
    press::build(&options, &mut |_| {}).expect("the book builds");
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lesson_in_a_browser() {
    let pages = book();
    for &kind in Kind::BOTH {
        lesson(kind, pages.path()).await;
    }
}

async fn lesson(kind: Kind, pages: &Path) {
    look(kind, async |browser| {
        let play = Play::with(pages, None).await;
        let instructor = play.instructor();
        let on = |path: &str| format!("http://{}{path}", play.address);
        let post = |path: &str, form: &str| assert_eq!(play.post(path, &instructor, form).status, 204, "{path} {form}");

        // The board fills while one looks at it, and a name is text there.
        browser.goto(&on("/class")).await.unwrap();
        browser.until("nobody has joined", "return document.body.innerText.includes('Nobody has joined yet')").await;
        let sari = play.token("<b>Sari</b>");
        browser.until("a name is on the board", "return document.querySelector('.class-name')?.textContent === '<b>Sari</b>'").await;
        play.report(&sari, &json!({ "version": 1, "lab": 3, "total": 7, "done": [1, 2], "open": [3] }));
        browser.until("two TODOs are done", "return document.querySelectorAll('[data-todo=done]').length === 2").await;

        // A page of the book is asked elsewhere: nothing is taken from who reads.
        browser.goto(&on("/en/01-one-exchange.html")).await.unwrap();
        browser.run("document.querySelector('#search-open, main a')?.focus()").await;
        let focus = "return document.activeElement.outerHTML";
        let before = browser.run(focus).await;
        post("/instructor/class/call", "page=%2Fen%2F03-server-sent-events.html");
        browser.until("a banner", "return document.querySelector('.class-banner a')?.textContent.includes('Server-Sent Events') ?? false").await;
        assert_eq!(browser.run(focus).await, before, "the focus stays where it was");
        assert_eq!(browser.current_url().await.unwrap().path(), "/en/01-one-exchange.html");
        browser.press(".class-banner button").await;
        browser.until("no banner", "return document.querySelector('.class-banner').hidden").await;
        browser.refresh().await.unwrap();
        post("/instructor/class/call", "page=%2Fen%2F02-long-polling.html");
        browser.until("the next call, and not the one before", "return document.querySelector('.class-banner a')?.pathname === '/en/02-long-polling.html'").await;
        // Followed from now on, by keyboard.
        browser.keys(".class-banner input", " ").await;
        browser.until("the page is there", "return location.pathname === '/en/02-long-polling.html'").await;
        browser.until("it follows", "return document.querySelector('.class-banner')?.innerText.includes('You follow the class') ?? false").await;
        post("/instructor/class/call", "page=%2Fen%2F03-server-sent-events.html");
        browser.until("it has followed", "return location.pathname === '/en/03-server-sent-events.html'").await;
        browser.until("it hears of the class", "return document.querySelector('.class-banner')?.innerText.includes('You follow the class') ?? false").await;

        // The question of this page is put to the class: the answers wait until they are told. What was predicted
        // before, which `<rt-predict>` announces, is chosen already.
        browser.run("document.querySelector('#predict-clean-end rt-predict').dispatchEvent(new CustomEvent('predicted', \
            { bubbles: true, detail: { id: 'predict-clean-end', answer: 1, sureness: 0, right: false } }))").await;
        post("/instructor/class/ask", QUESTION);
        browser.until("a ballot", "return document.querySelectorAll('#predict-clean-end .class-ballot input').length === 4").await;
        let chosen = "return document.querySelector('.class-ballot input:checked')?.value";
        assert_eq!(browser.run(chosen).await, "2");
        let hidden = "return getComputedStyle(document.querySelector('#predict-clean-end .answers')).display";
        assert_eq!(browser.run(hidden).await, "none");
        browser.keys(".class-ballot input", " ").await;
        browser.keys_here("\u{e015}\u{e015}\u{e007}").await;
        browser.until("a vote that is counted", "return document.querySelector('.class-ballot [role=status]').textContent.includes('is counted')").await;
        assert!(play.get("/instructor", &instructor).body.contains("1 vote<"));
        browser.refresh().await.unwrap();
        browser.until("the vote is remembered", "return document.querySelector('.class-ballot input:checked')?.value === '3'").await;
        post("/instructor/class/count", "stage=revealed");
        browser.until("the result", "return document.querySelector('.class-ballot [data-right]')?.innerText.includes('(you)') ?? false").await;
        assert_ne!(browser.run(hidden).await, "none");

        // The console, on a device of its own, and every page of the class: no fault, and nothing that a phone cuts off.
        let device = play.post("/instructor/link", &instructor, "").body;
        let link = device.split_once("href=\"http://").unwrap().1.split_once('/').unwrap().1;
        browser.goto(&on(&format!("/{}", link.split('"').next().unwrap()))).await.unwrap();
        browser.until("the console", "return location.pathname === '/instructor' && location.search === ''").await;
        browser.press("#remove-1").await;
        browser.until("the name is gone", "return document.querySelectorAll('.class-name').length === 0").await;
        browser.press("#away").await;
        browser.until("the question is away", "return !document.querySelector('#away')").await;
        assert_eq!(browser.run("return document.activeElement.id").await, "ballot", "the keyboard goes on where it was");
        play.token("Budi");
        post("/instructor/class/ask", QUESTION);
        let axe = axe();
        for (width, scheme) in [(320, "light"), (1920, "dark")] {
            browser.resize(width, 900).await;
            browser.prefer(scheme).await;
            for path in ["/instructor", "/class", "/class/me", "/en/03-server-sent-events.html", "/en/02-long-polling.html"] {
                browser.goto(&on(path)).await.unwrap();
                browser.until("the page has its parts", "return document.readyState === 'complete'").await;
                if path.starts_with("/en/") {
                    let heard = "return [...document.querySelectorAll('.class-ballot, .class-banner:not([hidden])')].length > 0";
                    browser.until("the page hears of the class", heard).await;
                }
                let wide = browser.run("return document.documentElement.scrollWidth").await;
                assert!(wide.as_u64().unwrap() <= u64::from(width), "{path} is {wide} wide on {width}");
                // Both draw the same document: one of them is enough for axe.
                if let Some(axe) = axe.as_ref().filter(|_| kind == Kind::Chromium) {
                    assert_eq!(browser.faults(axe).await, json!([]), "{path} in {scheme}");
                }
            }
        }
        assert_eq!(browser.console().await, Vec::<String>::new());
        post("/instructor/class/end", "");
    })
    .await;
}
