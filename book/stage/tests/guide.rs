//! The instructor's guide says what is so: each of its commands is run, and each name and each sentence that it quotes
//! is looked for where it should stand.
//!
//! In that chapter, bold is a name on a page of the stage, and italics are words of the stage, or of a page or a
//! command. `…` stands for what is different each time. A command that this file cannot run fails the test: no command
//! of the chapter escapes it. A stage that a command starts listens on a free port, and is the very program.

#[path = "common/peers.rs"]
#[allow(dead_code, reason = "what other tests ask of it")]
mod peers;
#[path = "../../feed-redis/tests/common/mod.rs"]
#[allow(dead_code, reason = "what other tests ask of it")]
mod redis;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use audience::root;
use hyper::{Response, body::Incoming, header};
use peers::{PATIENCE, ask, text};
use press::{Options, PageOutline};
use pulldown_cmark::{CodeBlockKind, Event, Options as Dialect, Parser, Tag, TagEnd};
use redis::Redis;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long a command may take to say what it should: it may have to build the book first.
const LONG: Duration = Duration::from_secs(600);
const FILE: &str = "instructors-guide";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What the chapter quotes.
#[derive(Default)]
struct Chapter {
    /// Each command with what it should print.
    commands: Vec<(String, Vec<String>)>,
    /// What stands in bold.
    names: Vec<String>,
    /// What stands in italics.
    sentences: Vec<String>,
}

fn chapter() -> String {
    fs::read_to_string(root().join(format!("book/src/{FILE}.md"))).expect("the chapter is there")
}

impl Chapter {
    fn read(source: &str) -> Self {
        let (mut chapter, mut fence, mut quoted) = (Self::default(), None, None::<String>);
        for event in Parser::new_ext(source, Dialect::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    fence = Some((&*info == "console", String::new()));
                }
                Event::End(TagEnd::CodeBlock) => {
                    if let Some((true, text)) = fence.take() {
                        chapter.typed(&text);
                    }
                }
                Event::Text(text) => {
                    if let Some((_, fenced)) = &mut fence {
                        fenced.push_str(&text);
                    }
                    if let Some(quoted) = &mut quoted {
                        quoted.push_str(&text);
                    }
                }
                Event::SoftBreak => {
                    if let Some(quoted) = &mut quoted {
                        quoted.push(' ');
                    }
                }
                Event::Code(code) => {
                    if is_command(&code) {
                        chapter.commands.push((code.to_string(), Vec::new()));
                    }
                    if let Some(quoted) = &mut quoted {
                        quoted.push_str(&code);
                    }
                }
                Event::Start(Tag::Strong | Tag::Emphasis) => quoted = Some(String::new()),
                Event::End(TagEnd::Strong) => chapter.names.extend(quoted.take()),
                Event::End(TagEnd::Emphasis) => chapter.sentences.extend(quoted.take()),
                _ => {}
            }
        }
        chapter
    }

    /// A fence of the console: what is typed, and what should come of it.
    fn typed(&mut self, text: &str) {
        for line in text.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => self.commands.push((command.to_owned(), Vec::new())),
                None if line.is_empty() => {}
                None => {
                    let (_, expected) = self.commands.last_mut().expect("a fence begins with a command");
                    expected.push(line.to_owned());
                }
            }
        }
    }
}

/// Whether code within a line is something to type: it has more than one word, and begins with a program of ours.
fn is_command(code: &str) -> bool {
    let mut words = code.split(' ').filter(|word| !word.contains('='));
    matches!(words.next(), Some("cargo" | "curl" | "node" | "npm" | "rustup"))
        && words.next().is_some()
        && code != "cargo test"
}

/// Whether `text` has `quoted` in it, where `…` is anything within a line.
fn says(text: &str, quoted: &str) -> bool {
    let parts: Vec<&str> = quoted.split('…').map(str::trim).filter(|part| !part.is_empty()).collect();
    text.lines().any(|line| {
        let mut rest = line;
        parts.iter().all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    })
}

/// A program that runs until this is dropped, and what it has printed.
struct Running {
    process: Child,
    printed: Arc<Mutex<String>>,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let shown = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{shown} does not start: {error}"));
        let printed = Arc::<Mutex<String>>::default();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(process.stdout.take().expect("its output is ours")),
            Box::new(process.stderr.take().expect("its output is ours")),
        ];
        for stream in streams {
            let (printed, sender) = (Arc::clone(&printed), sender.clone());
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let mut printed = printed.lock().unwrap();
                    printed.push_str(&line);
                    printed.push('\n');
                    let _ = sender.send(line);
                }
            });
        }
        Self { process, printed, lines }
    }

    /// Waits for a line with these words.
    fn until(&self, words: &str) -> String {
        loop {
            match self.lines.recv_timeout(LONG) {
                Ok(line) if line.contains(words) => return line,
                Ok(_) => {}
                Err(why) => panic!("no `{words}` ({why}) in:\n{}", self.printed()),
            }
        }
    }

    /// Waits for its end; whether it went well, and what it printed.
    fn end(mut self) -> (bool, String) {
        while self.lines.recv_timeout(LONG).is_ok() {}
        let status = self.process.wait().expect("it can be waited for");
        (status.success(), self.printed())
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A stage that serves.
struct Stage {
    running: Running,
    address: SocketAddr,
    /// Where the instructor's link leads.
    link: String,
}

impl Stage {
    fn start(command: Command) -> Self {
        let running = Running::start(command);
        let at = |line: &str| line.split_once("http://").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        let address = at(&running.until("Ctrl-C ends it"));
        let address = address.split('/').next().unwrap().parse().expect("the stage says where it is");
        let link = at(&running.until("instructor's console"));
        let link = link[link.find('/').expect("a link has a path")..].to_owned();
        Self { running, address, link }
    }

    /// What it has printed, with the addresses that the chapter has.
    fn printed(&self) -> String {
        as_in_the_chapter(&self.running.printed(), self.address.port())
    }

    async fn page(&self, target: &str, cookie: &str) -> String {
        let answer = ask(self.address, target, &[("cookie", cookie), ("accept", "text/html")], "").await;
        text(answer.expect("the stage answers")).await.expect("a page is text")
    }

    async fn post(&self, target: &str, cookie: &str, form: &str) -> String {
        let answer = ask(self.address, target, &[("cookie", cookie), FORM], form).await;
        let answer = answer.expect("the stage answers");
        assert!(answer.status().as_u16() < 400, "{target} {form}: {answer:?}");
        text(answer).await.expect("an answer is text")
    }

    async fn opened(&self) -> String {
        cookie(&ask(self.address, &self.link, &[], "").await.expect("the stage answers"))
    }
}

fn cookie(answer: &Response<Incoming>) -> String {
    let set = answer.headers().get(header::SET_COOKIE).and_then(|set| set.to_str().ok());
    let set = set.unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    set.split(';').next().unwrap_or_default().to_owned()
}

/// The port that was chosen, and the addresses of this machine, as the chapter has them.
fn as_in_the_chapter(printed: &str, port: u16) -> String {
    let mut told = String::new();
    for (at, part) in printed.split("http://").enumerate() {
        let Some((host, rest)) = part.split_once(&format!(":{port}")).filter(|_| at > 0) else {
            told.push_str(if at > 0 { "http://" } else { "" });
            told.push_str(part);
            continue;
        };
        let host = if host == "127.0.0.1" { host } else { "192.168.1.20" };
        told.push_str(&format!("http://{host}:8080{rest}"));
    }
    let next = port.checked_add(1).unwrap_or(8080);
    told.replace(&format!("Port {port} "), "Port 8080 ").replace(&format!("--port {next}`"), "--port 8081`")
}

/// What the commands of the chapter need.
struct Workshop {
    folder: TempDir,
    redis: Option<Redis>,
    /// A stage whose class has begun, for whoever joins.
    class: Stage,
    /// `cargo lab`, as it was built.
    lab: PathBuf,
}

impl Workshop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder of our own");
        let class = Stage::start(stage(&["--public", "--port", "0"]));
        class.opened().await;
        Self { folder, redis: Redis::start().await, class, lab: lab() }
    }

    /// Runs a command, and holds what it prints against what the chapter says of it. Gives all that was printed.
    async fn run(&self, command: &str, expected: &[String]) -> String {
        let mut words: Vec<&str> = command.split(' ').collect();
        let mut environment = Vec::new();
        while let Some((name, value)) = words[0].split_once('=') {
            environment.push((name, value));
            words.remove(0);
        }
        let printed = match words[..] {
            ["cargo", "stage", ref rest @ ..]
                if rest.contains(&"--help") || rest.first() == Some(&"build") =>
            {
                let site = self.folder.path().join("site");
                let rest: Vec<&str> = rest
                    .iter()
                    .map(|word| if *word == "site" { site.to_str().unwrap() } else { word })
                    .collect();
                let (went_well, printed) = Running::start(stage(&rest)).end();
                assert!(went_well, "`{command}`:\n{printed}");
                if rest[0] == "build" {
                    let page = site.join("en").join(format!("{FILE}.html"));
                    assert!(page.is_file(), "`{command}` writes this very chapter");
                }
                printed
            }
            ["cargo", "stage", ref rest @ ..] => self.serve(command, rest, &environment, expected).await,
            ["cargo", "lab", ref rest @ ..] => {
                let address = format!("http://{}", self.class.address);
                let mut lab = Command::new(&self.lab);
                lab.args(rest.iter().map(|word| word.replace("http://192.168.1.20:8080", &address)));
                // What is kept of a membership stays here.
                lab.current_dir(root()).env("CARGO_TARGET_DIR", self.folder.path());
                let (went_well, printed) = Running::start(lab).end();
                assert_eq!(went_well, !command.ends_with(":1"), "`{command}`:\n{printed}");
                printed
            }
            ["curl", address] => {
                let target = address.strip_prefix("http://192.168.1.20:8080").expect("it asks the stage");
                self.class.page(target, "").await
            }
            ["cargo", "test", "-p", lab] => {
                // An unfinished lab fails as it should; CI proves that of each of them.
                let ci = fs::read_to_string(root().join(".ci/run")).expect("there is a CI");
                assert!(ci.contains("\ncargo lab prove"), "CI runs what `{command}` does");
                let number = lab.strip_prefix("lab").expect("a lab is tested");
                let labs = fs::read_dir(root().join("labs")).expect("there are labs").flatten();
                let mut names = labs.map(|entry| entry.file_name().to_string_lossy().into_owned());
                assert!(names.any(|name| name.starts_with(&format!("lab{number}-"))), "there is a {lab}");
                String::new()
            }
            _ => panic!(
                "The guide says `{command}`, and this test does not know how to run it: teach it, so that no command of the guide is untried."
            ),
        };
        for line in expected {
            assert!(
                says(&printed, line)
                    || says(&printed, "this machine has no address on a network") && line.contains("192.168"),
                "`{command}` should say\n  {line}\nand says\n{printed}"
            );
        }
        printed
    }

    /// A stage that serves, or that cannot.
    async fn serve(
        &self,
        command: &str,
        options: &[&str],
        environment: &[(&str, &str)],
        expected: &[String],
    ) -> String {
        let expects = |words: &str| expected.iter().any(|line| line.contains(words));
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let taken = (taken.local_addr().expect("it has a number").port(), taken);
        let keep = self.folder.path().join("class.jsonl");
        let mut arguments: Vec<String> = Vec::new();
        let (mut port, mut place) = (0, None);
        let mut options = options.iter();
        while let Some(&option) = options.next() {
            match option {
                "--port" => {
                    options.next();
                    port = if expects("is in use") { taken.0 } else { 0 };
                }
                "class.jsonl" => arguments.push(keep.display().to_string()),
                address if address.starts_with("redis://") => {
                    let at = match &self.redis {
                        _ if expects("no usable Redis") => taken.0,
                        Some(redis) => redis.port,
                        // There is none on this machine, which was said.
                        None => return String::new(),
                    };
                    place = Some(at);
                    arguments.push(format!("redis://127.0.0.1:{at}"));
                }
                other => arguments.push(other.to_owned()),
            }
        }
        arguments.extend(["--port".to_owned(), port.to_string()]);
        let mut stage = stage(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        stage.envs(environment.iter().copied());
        if expects("is in use") || expects("no usable Redis") {
            if place.is_some() {
                // Nobody answers there.
                drop(taken.1);
            }
            let (went_well, printed) = Running::start(stage).end();
            assert!(!went_well, "`{command}` fails:\n{printed}");
            let printed = as_in_the_chapter(&printed, taken.0);
            return printed.replace(&format!("127.0.0.1:{}", taken.0), "127.0.0.1:6379");
        }
        let stage = Stage::start(stage);
        let up = ask(stage.address, "/healthz", &[], "").await.expect("the stage answers");
        assert_eq!(up.status(), 200, "`{command}`");
        if arguments.iter().any(|option| option == "--keep") {
            stage.opened().await;
            let kept = async {
                while !fs::read_to_string(&keep).is_ok_and(|kept| kept.contains("begun")) {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            timeout(PATIENCE, kept)
                .await
                .unwrap_or_else(|_| panic!("`{command}` keeps that the class has begun"));
        }
        if arguments.iter().any(|option| option == "--public") {
            stage.running.until("over a network");
            stage.running.until(if stage.printed().contains("no address") { "nobody" } else { "Project" });
        }
        stage.printed()
    }
}

/// `cargo stage` with these arguments.
fn stage(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stage"));
    command.args(arguments).current_dir(root());
    command
}

/// `cargo lab`, built as the alias has it.
fn lab() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder of cargo's target folder");
    let arguments =
        ["build", "--quiet", "--package", "grader", "--features", "cli", "--bin", "lab", "--target-dir"];
    let built = Command::new(env!("CARGO")).args(arguments).arg(target).current_dir(root()).status();
    assert!(built.is_ok_and(|status| status.success()), "`cargo lab` is built");
    target.join("debug").join(format!("lab{}", std::env::consts::EXE_SUFFIX))
}

/// The aliases that the commands stand for.
#[test]
fn the_commands_are_what_cargo_makes_of_them() {
    let aliases = fs::read_to_string(root().join(".cargo/config.toml")).expect("there are aliases");
    for alias in [
        r#"stage = "run --package stage --""#,
        r#"lab = "run --quiet --package grader --features cli --bin lab --""#,
    ] {
        assert!(aliases.contains(alias), "`{alias}` is what this test runs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_runs_and_every_name_and_sentence_stands_where_the_guide_says() {
    let chapter = Chapter::read(&chapter());
    assert!(chapter.commands.len() > 10 && chapter.names.len() > 20 && chapter.sentences.len() > 10);
    let workshop = Workshop::open().await;
    let mut told = String::new();
    let mut runs = BTreeMap::new();
    for (command, expected) in &chapter.commands {
        // What was run once, and said nothing else, need not be run again.
        if expected.is_empty() && runs.contains_key(command) {
            continue;
        }
        told.push_str(&workshop.run(command, expected).await);
        runs.insert(command, ());
    }

    let pages = pages(&workshop.class).await;
    let nowhere: Vec<&String> = chapter.names.iter().filter(|name| !is_named(&pages, name)).collect();
    assert!(nowhere.is_empty(), "These stand on no page of the stage, and the guide says so: {nowhere:?}");

    told.push_str(&workshop.class.printed());
    let words = plain(&pages) + "\n" + &told + "\n" + &sources();
    let unsaid: Vec<&String> = chapter.sentences.iter().filter(|sentence| !says(&words, sentence)).collect();
    assert!(unsaid.is_empty(), "Nothing of the stage says this, and the guide says that it does: {unsaid:?}");
}

/// Everything that a class sees of the stage, as HTML.
async fn pages(stage: &Stage) -> String {
    let mut pages = String::new();
    // Nobody's link any more: it has been used.
    pages += &stage.page(&stage.link, "").await;
    pages += &stage.page("/class", "").await;
    for lab in 1..=5 {
        pages += &stage.page(&format!("/live/lab{lab}/"), "").await;
        pages += &stage.page(&format!("/live/lab{lab}/-/1/index.html"), "").await;
    }
    pages += &stage.page("/live/", "").await;
    pages += &stage.page("/race", "").await;
    let visitor = cookie(&ask(stage.address, "/class/me", &[], "").await.expect("the stage answers"));
    pages += &stage.page("/class/me", &visitor).await;
    stage.post("/class/me/name", &visitor, "name=Sari").await;
    pages += &stage.page("/class/me", &visitor).await;

    // Another instructor's stage, since this one's link is used.
    let other = Stage::start(self::stage(&["--port", "0"]));
    let instructor = other.opened().await;
    let visitor = cookie(&ask(other.address, "/class/me", &[], "").await.expect("the stage answers"));
    other.post("/class/me/name", &visitor, "name=Sari").await;
    pages += &other.page("/class", "").await;
    let question = "question=00-the-map%23predict-slow";
    // Somebody is connected.
    let stream = ask(other.address, "/live/lab3/prices/stream", &[], "").await.expect("the stage answers");
    for (room, form) in [
        ("weather/order", "for=all&latency=20"),
        ("class/ask", question),
        ("class/call", "page=%2Fen%2F00-the-map.html&spot="),
        ("class/count", "stage=shown"),
        ("class/count", "stage=revealed"),
    ] {
        other.post(&format!("/instructor/{room}"), &instructor, form).await;
        pages += &other.page("/instructor", &instructor).await;
        pages += &other.page("/class/me", &visitor).await;
    }
    pages += &other.post("/instructor/link", &instructor, "link=").await;
    other.post("/instructor/class/end", &instructor, "end=").await;
    pages += &other.page("/instructor", &instructor).await;
    drop(stream);
    pages
}

/// Whether a page has an element or an attribute with these words and no others.
fn is_named(html: &str, name: &str) -> bool {
    html.match_indices(name).any(|(at, _)| {
        let before = html[..at].trim_end().chars().next_back();
        let after = html[at + name.len()..].trim_start().chars().next();
        matches!(before, Some('>' | '"')) && matches!(after, Some('<' | '"'))
    })
}

/// A page's words, one line for each element.
fn plain(html: &str) -> String {
    let mut words = String::new();
    for part in html.split('<') {
        let (_, text) = part.split_once('>').unwrap_or(("", part));
        if !text.trim().is_empty() {
            words.push_str(&text.split_whitespace().collect::<Vec<_>>().join(" "));
            words.push('\n');
        }
    }
    words.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")
}

/// What the stage, the labs' pages and their commands may say, as it stands in their source: for sentences about what
/// cannot be brought about here, a machine without clang for example.
fn sources() -> String {
    let mut words = String::new();
    let mut folders =
        vec!["book/stage/src", "book/stage/web", "book/feed-redis/src", "labs/grader/src", "solutions"]
            .into_iter()
            .map(|folder| root().join(folder))
            .collect::<Vec<_>>();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            let is_source =
                path.extension().is_some_and(|kind| ["rs", "js", "html"].iter().any(|known| kind == *known));
            if path.is_dir() {
                folders.push(path);
            } else if is_source {
                // A string may go on in the next line.
                let source = fs::read_to_string(&path).expect("a source is text");
                words.push_str(
                    &source
                        .replace("\\\n", " ")
                        .split(' ')
                        .filter(|word| !word.is_empty())
                        .collect::<Vec<_>>()
                        .join(" "),
                );
                words.push('\n');
            }
        }
    }
    words
}

#[test]
fn the_lesson_s_minutes_and_questions_are_the_chapters() {
    let source = chapter();
    let outline =
        press::outline(&Options::new(root(), root().join("target"))).expect("the book has an outline");
    let (mut talk, mut labs, mut rows) = (0, 0, 0);
    for row in source.lines().filter(|line| line.starts_with("| [")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let file = cells[1].split_once('(').and_then(|(_, rest)| rest.strip_suffix(".md)"));
        let file = file.unwrap_or_else(|| panic!("`{row}` links to a chapter"));
        let chapter =
            fs::read_to_string(root().join(format!("book/src/{file}.md"))).expect("the chapter is there");
        let note = chapter.split_once("[!INSTRUCTOR] ").map(|(_, note)| note);
        let note = note.unwrap_or_else(|| panic!("{file} has notes for the instructor"));
        let minutes: u32 = note.split(' ').next().unwrap().parse().expect("the notes have their minutes");
        // They are the sum of those beside each point.
        let points = note.lines().filter_map(|line| line.strip_prefix("> - **")?.split_once(" min"));
        let sum: u32 = points.filter_map(|(minutes, _)| minutes.parse::<u32>().ok()).sum();
        assert_eq!(sum, minutes, "{file}: the points of the notes add up to what stands above them");
        assert_eq!(cells[2], minutes.to_string(), "{file}: the talk");
        talk += minutes;
        let lab = chapter
            .lines()
            .next()
            .and_then(|head| head.split_once("lab "))
            .map_or("", |(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
        assert_eq!(cells[3], lab, "{file}: the lab");
        labs += lab.parse().unwrap_or(0);
        rows += 1;
        let page = |page: &&PageOutline| page.file == format!("{file}.html");
        let page = outline.iter().find(page).expect("the chapter is in the outline");
        let to = format!("({file}.md#");
        let mut asked = cells[4].split(&to).skip(1).peekable();
        assert!(asked.peek().is_some(), "{file}: a question to open");
        for link in asked {
            let id = link.split(')').next().unwrap_or_default();
            assert!(page.questions.iter().any(|question| question.id == id), "{file} asks no `{id}`");
        }
    }
    assert_eq!(rows, 6, "chapters 0 to 5");
    let sum = format!("{talk} minutes of talk, {labs} of labs");
    assert!(source.contains(&sum), "a day is {sum}");
}

#[test]
fn a_quoted_line_is_found_where_it_stands_and_nowhere_else() {
    assert!(says("Port 8080 is in use: stop it.", "Port … is in use"));
    assert!(!says("Port 8080\nis in use", "Port … is in use"));
    assert!(!says("is in use: Port", "Port … is in use"));
    assert!(is_named("<button class=\"\">Ask</button>", "Ask") && is_named("<option value=\"Ask\">", "Ask"));
    assert!(!is_named("<p>Ask him</p>", "Ask"));
    assert!(is_command("cargo stage --port 8081") && is_command("RUST_LOG=info cargo stage"));
    assert!(!is_command("cargo") && !is_command("--public"));
}
