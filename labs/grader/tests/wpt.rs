//! The web platform tests in the grader's page, where there is a checkout of them:
//!
//!     WPT=/path/to/wpt cargo test -p grader --test wpt -- --nocapture
//!
//! The areas of [`AREAS`] are played with the checkout's own harness, each file in a page of its own, against the few
//! server resources in `wpt/server.rs`. `WPT_ONLY=streams/piping` plays one folder and prints every failure.
//!
//! `wpt/expected.txt` lists what is expected to fail, and why. Whatever else fails would mislead a student, and fails
//! this test. Without `WPT` it says so and passes.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use grader::{Bench, Failure, Pulse, Scene, Sources, begin_trial, scene};
use serde_json::Value;
use wire::{What, transcript::Data};

#[path = "wpt/expected.rs"]
mod expected;
#[path = "wpt/server.rs"]
mod server;

/// What is played, in the order of the table.
const AREAS: &[(&str, &[&str])] = &[
    ("streams", &["streams"]),
    ("dom", &["dom/abort", "dom/events"]),
    ("encoding", &["encoding"]),
    (
        "fetch",
        &[
            "fetch/api/abort",
            "fetch/api/basic",
            "fetch/api/body",
            "fetch/api/headers",
            "fetch/api/redirect",
            "fetch/api/request",
            "fetch/api/response",
        ],
    ),
    ("url", &["url"]),
    ("eventsource", &["eventsource"]),
    ("websockets", &["websockets"]),
    (
        "timers",
        &["html/webappapis/timers", "html/webappapis/microtask-queuing", "html/webappapis/animation-frames"],
    ),
    (
        "structured clone",
        &["html/webappapis/structured-clone", "html/infrastructure/safe-passing-of-structured-data"],
    ),
];

/// Files that need what no page here has at all: other windows, workers, their server's own protocols.
const SKIPPED: &[&str] = &[
    "-manual",
    "Secure",
    "authentication",
    "basic-auth",
    "cookie",
    "cors",
    "crashtests",
    "credentials",
    "cross-origin",
    "document-domain",
    "encoding/legacy-",
    "encoding/single-byte",
    "encoding/textdecoder-fatal-single-byte",
    "scrolling/",
    "historical",
    "https.",
    "idlharness",
    "iframe",
    "keepalive",
    "multi-window",
    "non-same-origin",
    "realm",
    "referrer",
    "serviceworker",
    "tentative",
    "transferable",
    "unload-a-document",
    "window.open",
    "worker",
];

/// What a client reads that uses what the page has not: whatever fails with these words is missing, and says so.
const BY_NAME: &str = "is not available in the grader";

/// What the harness needs of a window and finds in every browser; and who hears of the results.
const SETUP: &str = "
    globalThis.parent = globalThis.top = globalThis;
    globalThis.opener = null;
    document.getElementsByTagName = () => [];
    globalThis.GLOBAL = { isWindow: () => true, isWorker: () => false, isShadowRealm: () => false };
    for (const type of ['error', 'unhandledrejection']) addEventListener(type, (event) => event.preventDefault());
";
const REPORT: &str = "
    setup({ output: false });
    add_result_callback((test) => say('result', { name: test.name, status: test.status, message: test.message }));
    add_completion_callback((tests, status) => say('complete', { status: status.status, message: status.message }));
";

/// A file, ready to be played.
struct Test {
    path: String,
    program: String,
    html: String,
}

/// What came of it: for each subtest its name and what was wrong, if anything was.
type Outcome = BTreeMap<String, Option<String>>;

thread_local! {
    /// The root of the checkout, and what is being played.
    static PLAYING: RefCell<Option<(PathBuf, String, String)>> = const { RefCell::new(None) };
}

async fn plays_a_file(bench: Bench) -> Result<(), Failure> {
    let (root, path, program) = PLAYING.take().expect("it was set");
    bench.serve(server::app(&root, &path));
    let page = bench.page(&["run"])?;
    let harness =
        fs::read_to_string(root.join("resources/testharness.js")).expect("the checkout has its harness");
    let text = |code: &str| Value::from(code).to_string();
    page.eval(&format!(
        "globalThis.say = say; client.run({})",
        text(&format!("{SETUP}\n{harness}\n{REPORT}"))
    ))?;
    page.eval(&format!("client.run({})", text(&program)))?;
    page.eval("setTimeout(() => dispatchEvent(new Event('load')), 1)")?;
    for _ in 0..60 {
        bench.wait_s(2).await;
        if !bench.said("complete").is_empty() {
            break;
        }
    }
    page.failure().map_or(Ok(()), |failure| Err(failure.into()))
}

fn play(root: &Path, test: &Test) -> Outcome {
    let scene: Scene = scene!(plays_a_file, "The page plays a file.");
    let client = "export const run = (code) => (0, eval)(code);".to_owned();
    let sources =
        Sources::new([("client.js".to_owned(), client), ("index.html".to_owned(), test.html.clone())]);
    PLAYING.set(Some((root.to_owned(), test.path.clone(), test.program.clone())));
    let played = scene.play(&sources, 1, &Pulse::default());
    let mut outcome = Outcome::new();
    let mut is_complete = false;
    for moment in played.transcript.moments {
        let What::Said(label, Data::Json(said)) = moment.what else { continue };
        let said: Value = serde_json::from_str(&said).expect("it is JSON");
        match label.as_str() {
            "result" => {
                let name = said["name"].as_str().unwrap_or_default().to_owned();
                let problem = (said["status"] != 0)
                    .then(|| said["message"].as_str().unwrap_or("no message").to_owned());
                outcome.insert(name, problem);
            }
            "complete" => {
                is_complete = true;
                if said["status"] != 0 {
                    outcome.insert("(the harness)".to_owned(), Some(said["message"].to_string()));
                }
            }
            _ => {}
        }
    }
    if let Err(failure) = played.result {
        outcome.insert("(the page)".to_owned(), Some(format!("{failure:?}")));
    } else if !is_complete {
        outcome.insert(
            "(the page)".to_owned(),
            Some(format!("it came to no end; console: {:?}", played.console)),
        );
    }
    outcome
}

/// The files of a folder that can be played, and how many cannot.
fn tests_below(root: &Path, folder: &str, skipped: &mut usize) -> Vec<Test> {
    let mut tests = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                if !path.ends_with("resources") && !path.ends_with("support") {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            let is_script = name.ends_with(".any.js") || name.ends_with(".window.js");
            if !is_script && !name.ends_with(".html") && !name.ends_with(".htm") {
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let is_skipped = SKIPPED
                .iter()
                .any(|part| name.contains(part) || (*part == "iframe" && text.contains("<iframe")));
            let program = match is_script {
                true => program_of_script(root, &path, &text),
                false => program_of_page(root, &path, &text),
            };
            match program {
                Some(program) if !is_skipped => {
                    let html = if is_script { String::new() } else { text };
                    tests.push(Test { path: name, program, html });
                }
                _ => *skipped += 1,
            }
        }
    }
    tests.sort_by(|one, other| one.path.cmp(&other.path));
    tests
}

/// A script that a test names, from the root or from its own folder.
fn named(root: &Path, path: &Path, name: &str) -> Option<String> {
    let name = name.split('?').next().unwrap_or_default();
    let file = match name.strip_prefix('/') {
        Some(absolute) => root.join(absolute),
        None => path.parent()?.join(name),
    };
    Some(server::substitute(&fs::read_to_string(file).ok()?))
}

fn program_of_script(root: &Path, path: &Path, text: &str) -> Option<String> {
    let mut program = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("// META:")) {
        match line.trim().split_once('=') {
            Some(("script", name)) => program += &(named(root, path, name)? + "\n"),
            Some(("global", globals)) if !globals.contains("window") => return None,
            _ => {}
        }
    }
    Some(program + &server::substitute(text))
}

/// The scripts of an HTML file, joined; nothing where it is no test that can be played.
fn program_of_page(root: &Path, path: &Path, text: &str) -> Option<String> {
    if !text.contains("testharness.js") || text.contains("type=\"module\"") || text.contains("type=module") {
        return None;
    }
    let mut program = String::new();
    for part in text.split("<script").skip(1) {
        let (tag, rest) = part.split_once('>')?;
        let source = tag.split("src=").nth(1).map(|source| {
            source.trim_matches(['"', '\'', ' ']).split(['"', '\'', ' ']).next().unwrap_or_default()
        });
        match source {
            Some(source) if source.contains("testharness") || source.contains("testdriver") => {}
            Some(source) => program += &(named(root, path, source)? + "\n"),
            None => program += &(rest.split("</script").next()?.to_owned() + "\n"),
        }
    }
    Some(server::substitute(&program))
}

#[test]
fn the_page_does_what_the_web_platform_tests_ask_but_for_what_is_listed() {
    let Some(root) = env::var_os("WPT").map(PathBuf::from) else {
        eprintln!("WPT names no checkout of the web platform tests: they were not played.");
        return;
    };
    let only = env::var("WPT_ONLY").unwrap_or_default();
    let expected = expected::read();
    let mut surprises = Vec::new();
    let mut used: BTreeMap<usize, usize> = BTreeMap::new();
    let mut total = [0; 7];
    println!(
        "{:<18}{:>6}{:>9}{:>9}{:>8}{:>6}{:>6}{:>6}{:>9}",
        "area", "files", "skipped", "subtests", "passed", "a", "b", "c", "unlisted"
    );
    for (area, folders) in AREAS {
        let mut skipped = 0;
        let tests: Vec<Test> = folders
            .iter()
            .flat_map(|folder| tests_below(&root, folder, &mut skipped))
            .filter(|test| test.path.contains(&only))
            .collect();
        let outcomes = played(&root, &tests);
        let mut row = [tests.len(), skipped, 0, 0, 0, 0, 0, 0];
        for (test, outcome) in tests.iter().zip(outcomes) {
            for (name, problem) in outcome {
                row[2] += 1;
                let Some(problem) = problem else {
                    row[3] += 1;
                    continue;
                };
                if !only.is_empty() {
                    println!("{} · {name}\n    {problem}", test.path);
                }
                if problem.contains(BY_NAME) {
                    row[4 + expected::Kind::B as usize] += 1;
                    continue;
                }
                match expected.iter().position(|rule| rule.covers(&test.path, &name)) {
                    Some(index) => {
                        row[4 + expected[index].kind as usize] += 1;
                        *used.entry(index).or_default() += 1;
                    }
                    None => {
                        row[7] += 1;
                        surprises.push(format!("{} · {name}\n    {problem}", test.path));
                    }
                }
            }
        }
        println!(
            "{area:<18}{:>6}{:>9}{:>9}{:>8}{:>6}{:>6}{:>6}{:>9}",
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]
        );
        total
            .iter_mut()
            .zip([row[0], row[2], row[3], row[4], row[5], row[6], row[7]])
            .for_each(|(sum, one)| *sum += one);
    }
    println!(
        "all: {} files, {} subtests, {} passed, a {}, b {}, c {}, unlisted {}",
        total[0], total[1], total[2], total[3], total[4], total[5], total[6]
    );
    for (index, rule) in expected.iter().enumerate() {
        let found = used.get(&index).copied().unwrap_or_default();
        if found > rule.most {
            surprises.push(format!(
                "expected.txt lists {} failures for {}, and there are {found}",
                rule.most, rule.prefix
            ));
        } else if found < rule.most && only.is_empty() {
            println!(
                "expected.txt lists {} failures for {}, and there are only {found}",
                rule.most, rule.prefix
            );
        }
    }
    assert!(surprises.is_empty(), "not listed in wpt/expected.txt:\n{}", surprises.join("\n"));
}

/// Plays them all, as many at a time as there are processors, each on a thread with the stack that a trial needs.
fn played(root: &Path, tests: &[Test]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<usize, Outcome>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let work = || {
                begin_trial();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(index) else { break };
                    let outcome = play(root, test);
                    outcomes.lock().unwrap().insert(index, outcome);
                }
            };
            thread::Builder::new()
                .stack_size(12 << 20)
                .spawn_scoped(scope, work)
                .expect("a thread can be started");
        }
    });
    outcomes.into_inner().unwrap().into_values().collect()
}
