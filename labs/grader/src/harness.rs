//! `cargo test -p lab3`: reads the student's files, grades each check on a
//! thread of its own, prints the verdicts, and writes the report that
//! `cargo lab` reads.

mod fail_fast;
mod folder;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    io::{IsTerminal, Write},
    mem,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use folder::Folder;
use serde_json::json;
use wire::Transcript;

use crate::{
    SEEDS, Sources,
    check::{Check, Compared, Failure, Finding, Lab, Played, SWEPT, Scene, Standing, Verdict},
    class, page,
    report::{Report, Said, Voice},
    snapshot::snapshot_transcript,
    tape::{CLIENT, Pulse},
};

/// Set by `cargo lab prove`, which builds the servers of several answers into one binary: which of them is graded.
const ANSWER: &str = "LAB_ANSWER";

/// How much real time a check may take. One that goes well needs a hundredth of it.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// In this time something must happen.
    pub held: Duration,
    /// All of the check must be over in this time.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { held: Duration::from_secs(5), longest: Duration::from_secs(15) }
    }
}

/// What the command line asks for, as far as a test runner is asked.
#[derive(Default)]
struct Wishes {
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    /// Say which clauses each scene checks, as JSON.
    clauses: bool,
    ignored_only: bool,
    /// Play this TODO's checks first, and none after one that does not pass.
    fail_fast: Option<u32>,
    /// Play every scene this often and compare the transcripts with each other.
    repeat: Option<usize>,
}

impl Wishes {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wishes = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let (flag, mut value) = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (argument, None),
            };
            let mut needed = |flag: &str| {
                value.take().or_else(|| arguments.next()).ok_or_else(|| format!("{flag} needs a value."))
            };
            match flag.as_str() {
                "--exact" => wishes.exact = true,
                "--list" => wishes.list = true,
                "--clauses" => wishes.clauses = true,
                "--ignored" => wishes.ignored_only = true,
                "--skip" => {
                    let name = needed("--skip")?;
                    wishes.skipped.push(name);
                }
                "--repeat" => {
                    let times = needed("--repeat")?;
                    wishes.repeat =
                        Some(times.parse().map_err(|_| format!("--repeat takes a number, not `{times}`."))?);
                }
                "--fail-fast" => {
                    let todo = needed("--fail-fast")?;
                    wishes.fail_fast = Some(
                        todo.parse()
                            .map_err(|_| format!("--fail-fast takes a TODO's number, not `{todo}`."))?,
                    );
                }
                // What cargo, nextest and editors pass to any test runner, and what changes nothing here.
                "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" => {
                    needed(&flag)?;
                }
                "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" | "--include-ignored"
                | "--test" => {}
                _ if flag.starts_with('-') => {
                    return Err(format!(
                        "{flag} is not known here. Known are names of checks, --exact, --skip NAME, --list, --repeat N and --fail-fast N."
                    ));
                }
                _ => wishes.filters.push(flag),
            }
        }
        Ok(wishes)
    }

    fn want(&self, check: &Check) -> bool {
        let names = |filter: &String| {
            if self.exact { check.name == filter } else { check.name.contains(filter.as_str()) }
        };
        !self.ignored_only
            && (self.filters.is_empty() || self.filters.iter().any(names))
            && !self.skipped.iter().any(names)
    }
}

/// Says a line on standard output. Whoever reads it may have gone (`| head`): the checks go on, and so does the report.
macro_rules! say {
    ($($words:tt)*) => {{
        let _ = writeln!(io::stdout(), $($words)*);
    }};
}

/// Grades a lab: the whole `main` of its `tests/grade.rs`.
///
/// `folder` is the package's folder (`env!("CARGO_MANIFEST_DIR")`); the
/// environment's `CARGO_MANIFEST_DIR` goes before it, so that a binary that
/// was moved with its lab still finds the files. `package` is its name.
/// `built_from` are files of the package as they were compiled into the binary.
pub fn main(lab: &Lab, package: &str, folder: &str, built_from: &[(&str, &str)]) -> ExitCode {
    let built_in = Path::new(folder);
    let folder = Folder(env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| folder.into(), PathBuf::from));
    let wishes = match Wishes::read(env::args().skip(1)) {
        Ok(wishes) => wishes,
        Err(sentence) => {
            eprintln!("{sentence}");
            return ExitCode::from(2);
        }
    };
    let wanted: Vec<_> = lab.checks.iter().filter(|check| wishes.want(check)).collect();
    if wishes.clauses {
        say!("{}", clauses(&wanted));
        return ExitCode::SUCCESS;
    }
    if wishes.list {
        for check in wanted {
            say!("{}: test", check.name);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(times) = wishes.repeat {
        return repeat(&wanted, &folder.client().into_sources(), times);
    }
    if let Some(todo) = wishes.fail_fast {
        let caught =
            fail_fast::caught(&wanted, todo, &folder.client().into_sources(), &folder.snapshots(lab));
        say!("{}", caught.as_deref().unwrap_or("passed"));
        return if caught.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let is_proved = env::var_os(ANSWER).is_some();
    if !is_proved && let Some(sentence) = folder.is_another(package, built_in, built_from) {
        eprintln!("{sentence}");
        return ExitCode::FAILURE;
    }
    grade(lab, package, &wanted, &folder)
}

/// `[{"scene": "todo_2_after_a_cut", "todo": 2, "clauses": ["2.once"]}, …]`
fn clauses(checks: &[&Check]) -> String {
    let scenes = checks.iter().flat_map(|check| {
        check.scenes.iter().map(move |scene| {
            json!({
                "scene": scene.name,
                "check": check.name,
                "file": check.file,
                "todo": check.todo,
                "clauses": scene.clauses,
            })
        })
    });
    json!(scenes.collect::<Vec<_>>()).to_string()
}

fn grade(lab: &Lab, package: &str, wanted: &[&Check], folder: &Folder) -> ExitCode {
    let paint = Paint::choose();
    say!("\n{} · {}\n", paint.strong(package), lab.title);
    let mut client = folder.client();
    let remarks = mem::take(&mut client.remarks);
    let sources = client.into_sources();
    let snapshots = folder.snapshots(lab);
    let mut reports = Vec::new();
    side_by_side(wanted, &sources, &snapshots, |check, verdict| {
        let source = folder.text(check.file);
        let report = Report::new(lab, check, &verdict, source.as_deref());
        say!("{}", paint.line(&report));
        reports.push(report);
    });
    for remark in remarks {
        say!("\n  {remark}");
    }
    let mut failures = reports.iter().filter(|report| report.verdict == "failed");
    if let Some(first) = failures.next() {
        say!("\n{}", paint.failure(first));
    }
    // One thing at a time: what comes later often has the same reason.
    for later in failures {
        say!("\n{}", paint.later(later, package));
    }
    let passed = reports.iter().filter(|report| report.verdict == "passed").count();
    let failed = reports.len() - passed;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    say!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out\n",
        lab.checks.len() - wanted.len()
    );
    say!("{}", summary(package, lab, &reports));
    if let Err(error) = write_report(package, lab, folder, &reports) {
        eprintln!("(The report for `cargo lab` could not be written: {error}.)");
    }
    // Last of all: the student has the verdict, and nothing that happens here changes it.
    if let Some(line) = tell_class(package, lab, folder, &reports) {
        say!("{line}");
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `lab3: 4 of 7 done · next: TODO 5 in web/client.js`
fn summary(package: &str, lab: &Lab, reports: &[Report]) -> String {
    let next = match reports.iter().find(|report| report.verdict != "passed") {
        Some(report) if report.title == "Both halves" => " · next: let both halves meet".to_owned(),
        Some(report) => format!(" · next: {} in {}", report.title, report.file),
        None if reports.len() < lab.checks.len() => String::new(),
        None => format!(" · all of it passes: cargo run -p {package}"),
    };
    if reports.len() < lab.checks.len() {
        let passed = reports.iter().filter(|report| report.verdict == "passed").count();
        return format!("{package}: {passed} of the {} checks asked for pass{next}", reports.len());
    }
    let (done, total) = progress(lab, reports);
    format!("{package}: {done} of {total} done{next}")
}

/// How many TODOs are done, and how many there are. The check in which both halves meet is nobody's TODO.
fn progress(lab: &Lab, reports: &[Report]) -> (usize, usize) {
    let todos = || lab.checks.iter().filter(|check| check.todo.is_some());
    let passed =
        |check: &&Check| reports.iter().any(|report| report.name == check.name && report.verdict == "passed");
    (todos().filter(passed).count(), todos().count())
}

/// Grades several checks at once, as far as the machine has cores, and tells the verdicts in the order of the checks.
///
/// Those that run the student's server come one after another: a `static` of theirs is the same for all benches of this
/// process, and which of two is quicker must decide nothing.
fn side_by_side(
    checks: &[&Check],
    sources: &Sources,
    snapshots: &Path,
    mut tell: impl FnMut(&Check, Verdict),
) {
    // From the end: there stand the checks that open pages, which take longest.
    let (servers, clients): (Vec<_>, Vec<_>) =
        checks.iter().rev().copied().partition(|check| runs_the_server(check));
    let (done, verdicts) = mpsc::channel();
    let next = AtomicUsize::new(0);
    let grade = |check: &Check, done: &mpsc::Sender<_>| {
        let verdict = grade_on_a_thread(check, sources, snapshots, Patience::default());
        // The receiver outlives the workers.
        let _ = done.send((check.name, verdict));
    };
    let grade_clients = |done: &mpsc::Sender<_>| {
        while let Some(check) = clients.get(next.fetch_add(1, Ordering::Relaxed)) {
            grade(check, done);
        }
    };
    let grade_servers = |done: &mpsc::Sender<_>| servers.iter().for_each(|check| grade(check, done));
    let (grade_servers, grade_clients) = (&grade_servers, &grade_clients);
    thread::scope(|scope| {
        let server_done = done.clone();
        scope.spawn(move || {
            grade_servers(&server_done);
            grade_clients(&server_done);
        });
        let others = thread::available_parallelism().map_or(1, usize::from).saturating_sub(1);
        for _ in 0..others.max(1).min(clients.len()) {
            let done = done.clone();
            scope.spawn(move || grade_clients(&done));
        }
        drop(done);
        let mut early = BTreeMap::new();
        for check in checks {
            while !early.contains_key(check.name) {
                let Ok((name, verdict)) = verdicts.recv() else { return };
                early.insert(name, verdict);
            }
            if let Some(verdict) = early.remove(check.name) {
                tell(check, verdict);
            }
        }
    });
}

/// Whether the student's Rust runs in it: as the half that is graded, or as one of two.
fn runs_the_server(check: &Check) -> bool {
    check.todo.is_none() || check.file.ends_with(".rs")
}

/// Grades on a thread of its own: a student's code may hold it for ever, and the other checks still have their say.
///
/// `snapshots` is the folder that holds what is expected.
pub fn grade_on_a_thread(check: &Check, sources: &Sources, snapshots: &Path, patience: Patience) -> Verdict {
    let pulse = Pulse::default();
    let (done, verdict) = mpsc::channel();
    let grading = {
        let (check, sources, snapshots, pulse) =
            (*check, sources.clone(), snapshots.to_owned(), pulse.clone());
        let thread = thread::Builder::new().name(check.name.to_owned()).stack_size(page::THREAD_STACK);
        thread.spawn(move || {
            page::allow_deep_stack();
            let verdict = check.grade(&sources, &pulse, |scene, played| settle(&snapshots, scene, played));
            // The harness may have given up on this check.
            let _ = done.send(verdict);
        })
    };
    if let Err(error) = grading {
        return run_failed(check, format!("The machine starts no more threads: {error}."));
    }
    let began = Instant::now();
    let mut alive = (pulse.beats(), began);
    loop {
        match verdict.recv_timeout(Duration::from_millis(100)) {
            Ok(verdict) => return verdict,
            Err(RecvTimeoutError::Disconnected) => {
                return run_failed(
                    check,
                    "The check itself panicked: please report this as a fault of the grader.".to_owned(),
                );
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if pulse.beats() != alive.0 {
            alive = (pulse.beats(), Instant::now());
        }
        // If JavaScript can still be stopped, the verdict comes from the page, with the place.
        if alive.1.elapsed() > patience.held * 3 / 5 && pulse.busy_with() == CLIENT {
            pulse.ask_to_stop();
        }
        if alive.1.elapsed() > patience.held {
            return run_failed(check, held(check, &pulse.busy_with(), patience.held));
        }
        if began.elapsed() > patience.longest {
            return run_failed(check, spinning(&pulse.last_busy_with(), patience.longest));
        }
    }
}

/// Why nothing moves. Blames only what was seen at work, or what alone is left.
fn held(check: &Check, busy_with: &str, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if busy_with.starts_with("answering") {
        format!(
            "The server held its thread for {seconds} s while it was {busy_with}: a loop that never awaits, `std::thread::sleep`, or a lock that nobody gives back. Everything else on the server waits for it, too."
        )
    } else if busy_with == CLIENT {
        format!(
            "The client's JavaScript ran for {seconds} s without giving the page back, and could not be stopped to see where. Look in web/client.js for a single call that has very much to do: sorting, copying or `JSON.stringify` of a list that only ever grows."
        )
    } else if runs_the_server(check) {
        format!(
            "Nothing moved for {seconds} s, and neither the client nor the handler of a request was at work: a task of the server blocks its thread, one that it has spawned (`tokio::spawn`, `on_upgrade`). Look there for a loop that never awaits, `std::thread::sleep`, or a lock that nobody gives back."
        )
    } else {
        format!(
            "Nothing moved for {seconds} s, and no code of yours was at work. Run the check once more; if it says so again, please report this as a fault of the grader."
        )
    }
}

fn spinning(last: &str, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if last == CLIENT {
        format!(
            "The check was stopped after {seconds} s: the client's JavaScript was at work all the time, in many short tasks. Look for a timer of a few milliseconds, or for something that is sent again and again without a pause."
        )
    } else {
        format!(
            "The check was stopped after {seconds} s: a task wakes itself again and again without letting time pass (last seen {last}). Look for a loop around `yield_now`, or a `poll` that wakes its own waker."
        )
    }
}

fn run_failed(check: &Check, sentence: String) -> Verdict {
    let finding = Finding {
        scene: None,
        expected: None,
        observed: Transcript::default(),
        failure: Some(Failure::broken(sentence)),
        console: Vec::new(),
        ended: 0,
        disturbed: None,
    };
    Verdict { check: check.name, standing: Standing::Failed(Box::new(finding)) }
}

/// Compares a play with its snapshot, or stores it where a maintainer asks for that.
fn settle(snapshots: &Path, scene: &Scene, played: &Played) -> Compared {
    #[cfg(feature = "insta")]
    if played.result.is_ok() && env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        return crate::store::store(snapshots, scene, &played.transcript);
    }
    let path = snapshots.join(format!("{}.snap", scene.name));
    let stored = fs::read_to_string(&path).map_err(|_| {
        format!(
            "The snapshot tests/snapshots/{}.snap is missing: `git checkout -- '*.snap'` brings it back.",
            scene.name
        )
    });
    match stored.and_then(|file| snapshot_transcript(scene.name, &file)) {
        Err(why) => Compared::Unusable(why),
        Ok(expected) if expected == played.transcript => Compared::Same,
        Ok(expected) => Compared::Differs(expected),
    }
}

/// A sweep is some hundred plays, and is repeated so many times more seldom.
const SWEEPS_MORE_SELDOM: usize = 20;

/// Plays every scene many times: the same answer must give the same transcript.
fn repeat(checks: &[&Check], sources: &Sources, times: usize) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    let mut count = |scene: &Scene, seed: u64, times: usize, play: &dyn Fn() -> Vec<String>| {
        let first = play();
        let other = (1..times).map(|_| play()).find(|again| *again != first);
        let Some(other) = other else {
            passed += 1;
            return;
        };
        failed += 1;
        let differs = first.iter().zip(&other).find(|(one, other)| one != other);
        let (one, other) = differs.map_or(("", ""), |(one, other)| (one, other));
        say!("{} differs from itself (seed {seed}):\n{one}\n{other}", scene.name);
    };
    let told = |played: &Played| format!("{}\n{:?}", played.transcript, played.result);
    let pulse = Pulse::default();
    for scene in checks.iter().flat_map(|check| check.scenes) {
        if scene.is_sweep() {
            count(scene, SWEPT, (times / SWEEPS_MORE_SELDOM).max(2), &|| {
                let mut all = Vec::new();
                scene.sweep_with(sources, SWEPT, &pulse, |played| all.push(told(played)));
                all
            });
            continue;
        }
        for seed in SEEDS {
            count(scene, seed, times, &|| vec![told(&scene.play(sources, seed, &pulse))]);
        }
    }
    say!(
        "each scene played {times} times, all plays of each sweep {} times\n{passed} passed, {failed} failed",
        (times / SWEEPS_MORE_SELDOM).max(2)
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the class, if the student joined one. A solution is nobody's progress.
fn tell_class(package: &str, lab: &Lab, folder: &Folder, reports: &[Report]) -> Option<String> {
    if package != format!("lab{}", lab.number) {
        return None;
    }
    class::tell(&folder.memory().join(class::FILE), &told(lab, reports))
}

/// Which TODOs the checks that were run found done, and which not.
fn told(lab: &Lab, reports: &[Report]) -> class::Progress {
    let mut todos: BTreeMap<u32, bool> = BTreeMap::new();
    let graded = reports.iter().filter_map(|report| {
        let check = lab.checks.iter().find(|check| check.name == report.name)?;
        Some((check.todo?, report.verdict == "passed"))
    });
    for (todo, passed) in graded {
        *todos.entry(todo).or_insert(true) &= passed;
    }
    let of = |done: bool| todos.iter().filter(|todo| *todo.1 == done).map(|todo| *todo.0).collect();
    let total = lab.checks.iter().filter_map(|check| check.todo).collect::<BTreeSet<_>>().len();
    class::Progress { lab: lab.number, total, done: of(true), open: of(false) }
}

/// `LAB_REPORT` names the file; else it is `target/lab/lab3.json`.
fn write_report(package: &str, lab: &Lab, folder: &Folder, reports: &[Report]) -> io::Result<()> {
    // A part of the checks says nothing about the lab as a whole.
    if reports.len() < lab.checks.len() && env::var_os("LAB_REPORT").is_none() {
        return Ok(());
    }
    let path = match env::var_os("LAB_REPORT") {
        Some(path) => PathBuf::from(path),
        None => folder.memory().join(format!("{package}.json")),
    };
    let done =
        reports.iter().filter(|report| report.verdict == "passed" && report.title != "Both halves").count();
    let total = lab.checks.iter().filter(|check| check.todo.is_some()).count();
    let checks: Vec<_> = reports
        .iter()
        .map(|report| {
            let check = lab.checks.iter().find(|check| check.name == report.name);
            json!({
                "name": report.name,
                "todo": check.and_then(|check| check.todo),
                "file": report.file,
                "line": report.line,
                "contract": report.contract,
                "clause": report.clause,
                "verdict": report.verdict,
                "message": report.text(),
            })
        })
        .collect();
    let report = json!({ "lab": package, "done": done, "total": total, "checks": checks });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Written beside and moved into place: whoever reads it never sees half a report.
    let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::File::create(&fresh)?.write_all(format!("{report:#}\n").as_bytes())?;
    fs::rename(fresh, path)
}

/// Colours, where they are wanted.
struct Paint(bool);

impl Paint {
    fn choose() -> Self {
        Self(match env::var("LAB_COLOR").as_deref() {
            Ok("always") => true,
            Ok("never") => false,
            _ => env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal(),
        })
    }

    fn paint(&self, code: &str, words: &str) -> String {
        if self.0 { format!("\x1b[{code}m{words}\x1b[0m") } else { words.to_owned() }
    }

    fn strong(&self, words: &str) -> String {
        self.paint("1", words)
    }

    /// A check in the list.
    fn line(&self, report: &Report) -> String {
        let (mark, code, note) = match report.verdict {
            "passed" => ("✓", "32", String::new()),
            "failed" => ("✗", "31", format!("  {}", report.place())),
            "waits" => (
                "·",
                "2",
                report.lines.first().map_or_else(String::new, |line| format!("  ({})", line.words)),
            ),
            _ => ("·", "2", "  (not started)".to_owned()),
        };
        format!(
            "  {} {:<11} {}{}",
            self.paint(code, mark),
            report.title,
            report.contract,
            self.paint("2", &note)
        )
    }

    fn later(&self, report: &Report, package: &str) -> String {
        let again = self.paint("2", &format!("cargo test -p {package} {}", report.name));
        format!("{} {}  {}\n  {again}", self.paint("31", "✗"), report.title, report.in_short())
    }

    fn failure(&self, report: &Report) -> String {
        let mut text = format!(
            "{} {}  {}\n\n",
            self.paint("31", "✗"),
            self.strong(&format!("{} · {}", report.title, report.contract)),
            self.paint("2", &report.place())
        );
        for Said { voice, words } in &report.lines {
            text += &match voice {
                Voice::Plain => words.clone(),
                Voice::Context => self.paint("2", words),
                Voice::Expected => self.paint("32", words),
                Voice::Yours => self.paint("31", words),
            };
            text.push('\n');
        }
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bench, Failure, scene};

    /// How many plays with a server are at it, and how many were at most.
    static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);

    async fn a_server_runs(_: Bench) -> Result<(), Failure> {
        MOST.fetch_max(AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // The thread's time, not the bench's: as long as another check takes to begin.
        thread::sleep(Duration::from_millis(30));
        AT_ONCE.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    #[test]
    fn what_runs_the_student_s_server_has_its_statics_to_itself() {
        let check = |name, todo, file| Check {
            name,
            todo,
            file,
            section: "none",
            experiment: "nothing",
            scenes: &[scene!(a_server_runs, "A server runs.")],
        };
        let checks = [
            check("todo_1", Some(1), "src/lib.rs"),
            check("todo_2", Some(2), "src/lib.rs"),
            check("both_halves", None, "web/client.js"),
        ];
        let mut told = Vec::new();
        let nowhere = Path::new("there are no snapshots here");
        side_by_side(&checks.each_ref(), &Sources::default(), nowhere, |check, _| told.push(check.name));
        assert_eq!(told, ["todo_1", "todo_2", "both_halves"]);
        assert_eq!(MOST.load(Ordering::SeqCst), 1, "so many servers ran at the same time");
    }
}
