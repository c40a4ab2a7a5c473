//! What the native bench says of many clients, as JSON on standard output, for `compare.mjs`.
//!
//! The clients are each lab's untouched one, the solution's, the solution's
//! with every `wrong/client-*.diff` and `also-right/client-*.diff` applied,
//! and, for lab 3, those of `clients/`, which go wrong in other ways. With each
//! comes what [`playground`] answers to everything that can be asked about it; with a wrong answer, to the check
//! that catches it.
//! Arguments, if there are any, are parts of names: only such clients are asked about.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write},
    iter,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use grader::SEEDS;
use playground::{Listed, Run, Workload, check, cost, list, play, sources};
use serde_json::{Value, json};

type Files = BTreeMap<String, String>;

/// A run that meets everything that can be ordered: steps in milliseconds, or commands.
const RUN: &[&str] = &[
    "1700",
    "cut",
    "5000",
    "hide",
    "30000",
    "show",
    "1000",
    "hold",
    "3333.3",
    "heal",
    "500",
    "latency 250",
    "2000",
    "restart",
    "7000",
    "refuse",
    "cut",
    "9000",
    "accept",
    "60000",
    "leave",
    "2000",
    "return",
    "4000",
    "close market",
    "40000",
    "open market",
    "3000",
    "stop",
    "5000",
];

fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let told = clients().and_then(|mut clients| {
        clients.retain(|client| is_wanted(&client.name));
        answers(&clients)
    });
    match told {
        Ok(answers) => {
            // Whoever reads may have gone.
            let _ = writeln!(io::stdout(), "{answers}");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A client's files.
struct Client {
    /// Says where it comes from: `lab3/wrong/client-no-chance`.
    name: String,
    lab: &'static str,
    files: Files,
    /// The check that must catch it, where it is a wrong answer: it is asked about, and no other.
    caught_by: Option<String>,
}

impl Client {
    /// Whether it is the lab's own, the solution's, or none at all: about these everything is asked.
    fn is_plain(&self) -> bool {
        !["/wrong/", "/also-right/", "/clients/"].iter().any(|kind| self.name.contains(kind))
    }
}

/// Every client, in order.
fn clients() -> Result<Vec<Client>, String> {
    let root = root();
    let mut clients = Vec::new();
    for Listed { name: lab, folder, .. } in list() {
        let mut add = |name: &str, files, caught_by| {
            clients.push(Client { name: format!("{lab}/{name}"), lab, files, caught_by });
        };
        let solved = root.join(folder.replacen("labs", "solutions", 1));
        let solution = client(&solved.join("web/client.js"))?;
        add("untouched", client(&root.join(folder).join("web/client.js"))?, None);
        add("solution", solution.clone(), None);
        add("no files", Files::new(), None);
        for kind in ["wrong", "also-right"] {
            for path in list_of(&solved.join(kind), "client-", "diff")? {
                add(&format!("{kind}/{}", stem(&path)), apply(&path, &solution)?, caught_by(&path)?);
            }
        }
        if lab == "lab3" {
            for path in list_of(&root.join("book/playground/clients"), "", "js")? {
                add(&format!("clients/{}", stem(&path)), client(&path)?, None);
            }
        }
    }
    Ok(clients)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))
}

fn client(path: &Path) -> Result<Files, String> {
    Ok(Files::from([("client.js".to_owned(), read(path)?)]))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a folder whose name begins and ends so, in order.
fn list_of(folder: &Path, prefix: &str, extension: &str) -> Result<Vec<PathBuf>, String> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("{} cannot be listed: {error}.", folder.display()))?;
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| stem(path).starts_with(prefix) && path.extension().is_some_and(|end| end == extension))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(format!("There is no {prefix}*.{extension} in {}.", folder.display()));
    }
    Ok(paths)
}

/// The solution with a diff applied. The diff's header lines, which begin with `#`, are for its readers.
fn apply(path: &Path, solution: &Files) -> Result<Files, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{} does not apply: {error}.", path.display());
    let text = read(path)?;
    let diff: String =
        text.lines().skip_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let patch = diffy::Patch::from_str(&diff).map_err(|error| wrong(&error))?;
    let client = &solution["client.js"];
    let changed = diffy::apply(client, &patch).map_err(|error| wrong(&error))?;
    Ok(Files::from([("client.js".to_owned(), changed)]))
}

/// The check that a wrong answer's header names.
fn caught_by(path: &Path) -> Result<Option<String>, String> {
    let text = read(path)?;
    let mut header = text.lines().take_while(|line| line.starts_with('#'));
    Ok(header.find_map(|line| line.strip_prefix("# caught by: ")).map(|name| name.trim().to_owned()))
}

fn answers(clients: &[Client]) -> Result<Value, String> {
    let clients = in_turn(clients)?;
    let costs = list().iter().map(|lab| measured(lab.name)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "list": text(&list()), "costs": costs, "clients": clients }))
}

/// Asks about all clients, on as many threads as there are cores; the answers are in the clients' order.
fn in_turn(clients: &[Client]) -> Result<Vec<Value>, String> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
    let ask = || {
        let places = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = places.map_while(|place| Some((place, clients.get(place)?)));
        mine.map(|(place, client)| (place, answer(client))).collect::<Vec<_>>()
    };
    let mut told: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..threads).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().flat_map(|thread| thread.join().expect("asking does not panic")).collect()
    });
    told.sort_by_key(|(place, _)| *place);
    told.into_iter().map(|(_, answer)| answer).collect()
}

/// What a lab's technique costs for a workload of a minute, with cuts and all.
fn measured(lab: &str) -> Result<Value, String> {
    let (updates, payload, times) = (60, 100, [1_000, 2_000, 20, 15_000]);
    let [pace, poll, latency, drops] = times.map(Duration::from_millis);
    let cost = cost(lab, &Workload { updates, pace, poll, latency, payload, drops })?;
    let [pace, poll, latency, drops] = times;
    let workload = json!([updates, pace, poll, latency, payload, drops]);
    Ok(json!({ "lab": lab, "workload": workload, "answer": text(&cost) }))
}

/// Every answer as the text that the module must give, byte for byte.
fn answer(client: &Client) -> Result<Value, String> {
    let Client { name, lab, files, caught_by } = client;
    let files = json!(files);
    let read = sources(&files.to_string())?;
    let began = Instant::now();
    let (mut checks, mut plays) = (Vec::new(), Vec::new());
    for listed in list().into_iter().filter(|listed| listed.name == *lab).flat_map(|listed| listed.checks) {
        if caught_by.as_ref().is_some_and(|check| check != listed.name) {
            continue;
        }
        let graded = check(lab, listed.name, &read)?;
        checks.push(json!({ "check": listed.name, "verdict": graded.verdict, "answer": text(&graded) }));
        for scene in listed.scenes {
            // The check has played every seed already; what one play answers is compared with one.
            let seeds = if client.is_plain() { &SEEDS } else { &SEEDS[..1] };
            for &seed in seeds {
                let played = text(&play(lab, scene.name, seed, &read)?);
                plays.push(json!({ "scene": scene.name, "seed": seed, "answer": played }));
            }
        }
    }
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // A diff's client runs as the solution's does.
    let run = if client.is_plain() || name.contains("/clients/") { run(lab, &read)? } else { json!([]) };
    Ok(
        json!({ "name": name, "lab": lab, "sources": files, "ms": ms, "checks": checks, "plays": plays, "run": run }),
    )
}

/// The run of the script above: what was done and what was answered, in order.
fn run(lab: &str, read: &grader::Sources) -> Result<Value, String> {
    let (mut run, step) = Run::open(lab, read.clone(), 1)?;
    let mut told = vec![json!({ "do": "open", "answer": text(&step) })];
    for line in RUN {
        let step = match line.parse::<f64>() {
            Ok(ms) => run.step(ms)?,
            Err(_) => run.command(line)?,
        };
        told.push(json!({ "do": line, "answer": text(&step) }));
    }
    Ok(json!(told))
}

fn text<T: serde::Serialize>(answer: &T) -> String {
    serde_json::to_string(answer).unwrap_or_else(|error| error.to_string())
}
