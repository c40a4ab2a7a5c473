//! `cargo lab prove`: a grader is as good as the wrong answers it catches and the right answers it
//! accepts. Everything happens on copies below the target folder.

mod coverage;
mod regions;
mod servers;
mod steps;
mod table;
mod texts;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use crate::cargo::{Cargo, Grading, Run};
use crate::diff::{self, Answer};
use crate::paint::{Paint, say};
use crate::repo::{Files, Lab, Repo, plain};
use crate::report::{Check, Report, Verdict};
use crate::sentence::{Result, Sentence};
use coverage::Scene;
use table::{Outcome, Table};
use tree::Tree;

/// A lab has at least this many wrong answers, in both languages …
const WRONG: usize = 8;
/// … and this many other right ones.
const RIGHT: usize = 3;

/// So many servers are built into one binary.
const TOGETHER: usize = 24;

/// What `cargo lab prove` was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    /// Only answers whose name contains this.
    pub(crate) only: Option<String>,
    /// Store the rendered failures.
    pub(crate) accept: bool,
    /// A lab that differs from its start is a failure.
    pub(crate) strict: bool,
    /// Play the diffs in this folder, and nothing else.
    pub(crate) trial: Option<PathBuf>,
}

/// What an answer is there to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The named test must catch it.
    Wrong,
    /// Every test must accept it.
    Right,
    /// Nothing: which test catches it is what one wants to know.
    Tried,
}

impl Kind {
    /// The word for it in the table.
    fn as_str(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Right => "right",
            Self::Tried => "tried",
        }
    }
}

/// Proves the labs, printing a table on the way. Gives whether everything held.
pub(crate) fn prove(repo: &Repo, labs: &[Lab], options: &Options, paint: Paint) -> Result<bool> {
    let tree = Tree::new(repo)?;
    let mut table = Table::new(paint);
    let mut met = false;
    for lab in labs {
        say!("{}", paint.bold(format!("lab {} · {}", lab.number, lab.name)));
        let prover = Prover {
            repo,
            lab,
            tree: &tree,
            options,
            cargo: Cargo {
                root: tree.root(),
                target: &repo.target,
                // What is stored and compared has no colour in it.
                paint: Paint::new(crate::paint::Color::Never),
            },
        };
        met |= prover.prove(&mut table)?;
    }
    if let Some(only) = &options.only
        && !met
    {
        return Err(Sentence::new(format!(
            "No answer has `{only}` in its name; they are in solutions/lab*/wrong and also-right."
        )));
    }
    Ok(table.finish())
}

/// Starts the command that makes mutants. It is one of its own: no student should have to compile its parsers.
pub(crate) fn mutants(repo: &Repo, options: &[String], paint: Paint) -> Result<bool> {
    let status = crate::cargo::command()
        .args(["run", "--quiet", "--package", "grader", "--features", "mutants", "--bin", "mutants", "--"])
        .args(["--color", if paint.is_on() { "always" } else { "never" }])
        .args(options)
        .current_dir(&repo.root)
        .status()
        .map_err(|error| Sentence::new(format!("I could not start cargo: {error}.")))?;
    Ok(status.success())
}

/// Writes `start.diff` from the lab's files as they are, for the maintainer who changed both.
pub(crate) fn write_start(repo: &Repo, lab: &Lab) -> Result<()> {
    let solution = plain(&crate::repo::files(&lab.solution)?);
    let given = plain(&lab.files()?);
    if !solution.keys().eq(given.keys()) {
        return Err(Sentence::new(format!(
            "labs/{0} and solutions/{0} do not have the same files in src/ and web/. A start \
             changes files, it adds and removes none.",
            lab.name
        )));
    }
    let mut text = String::new();
    for (name, solved) in &solution {
        let given = &given[name];
        // The package's name is changed without being told.
        if *given == lab.renamed(solved.clone()) {
            continue;
        }
        let (Ok(solved), Ok(given)) = (std::str::from_utf8(solved), std::str::from_utf8(given)) else {
            return Err(Sentence::new(format!("{name} differs, and is not text.")));
        };
        text.push_str(&diff::unified(solved, given, &format!("a/{name}"), &format!("b/{name}")));
    }
    let path = lab.solution.join("start.diff");
    fs::write(&path, text).map_err(|error| Sentence::io("write", &path, error))?;
    say!("{} is written.", repo.show(&path));
    Ok(())
}

/// Proves one lab.
struct Prover<'a> {
    repo: &'a Repo,
    lab: &'a Lab,
    tree: &'a Tree,
    options: &'a Options,
    cargo: Cargo<'a>,
}

/// An answer that is built, and waits to be graded.
struct Server {
    binary: PathBuf,
    /// Which of the servers in that binary is the answer's, from 1; nothing where there is only the solution's.
    number: Option<usize>,
    files: Files,
    /// The checks that it can fail.
    checks: Vec<String>,
}

impl Prover<'_> {
    /// Gives whether the lab had an answer that was asked for.
    fn prove(&self, table: &mut Table) -> Result<bool> {
        if let Some(folder) = &self.options.trial {
            return self.trial(folder, table);
        }
        let wrong = self.answers("wrong")?;
        let right = self.answers("also-right")?;
        let wanted = |answer: &&Answer| match &self.options.only {
            Some(only) => answer.name().contains(only.as_str()),
            None => true,
        };
        let met = wrong.iter().chain(&right).any(|answer| wanted(&answer));
        if self.options.only.is_some() && !met {
            return Ok(false);
        }

        let solution = plain(&crate::repo::files(&self.lab.solution)?);
        if self.options.only.is_none() {
            let start = self.lab.start();
            table.row("start", &format!("is labs/{}", self.lab.name), || self.start_is_lab(&start));
            if let Ok(start) = &start {
                self.untouched(start, table)?;
                self.steps(start, &solution, table)?;
            }
            table.row("contract", "is one text", || self.one_text(&start));
            table.row("regions", "differ only inside TODO bodies", || self.regions(&start, &solution));
            table.row("solution", "is clean under clippy", || {
                let build = self.cargo.clippy(&self.lab.solution_package())?;
                Ok(if build.success { Outcome::passed() } else { Outcome::failed(build.complaint()) })
            });
        }
        let mut binary = None;
        table.row("solution", "passes everything", || match self.solution_binary()? {
            Err(complaint) => Ok(Outcome::failed(complaint)),
            Ok(path) => {
                let run = self.run(&path, &self.tree.solution(self.lab), None, &[])?;
                binary = Some(path);
                Ok(passes_everything(&run))
            }
        });
        let Some(binary) = binary else {
            // Without a solution that compiles no answer says anything.
            return Ok(true);
        };
        if self.options.only.is_none() {
            table.row("answers", "are enough", || self.enough(&wrong, &right, &solution));
        }
        if self.options.only.is_none() {
            self.coverage(&binary, &wrong, &right, table);
        }
        let wrong = wrong.iter().filter(wanted).map(|answer| (Kind::Wrong, answer));
        let right = right.iter().filter(wanted).map(|answer| (Kind::Right, answer));
        self.all_answers(wrong.chain(right), &solution, &binary, table)?;
        Ok(true)
    }

    /// Plays the diffs in a folder: which of them are caught, by which test, and which by none.
    fn trial(&self, folder: &Path, table: &mut Table) -> Result<bool> {
        let solution = plain(&crate::repo::files(&self.lab.solution)?);
        let paths = diffs(folder)?;
        let answers: Vec<_> = paths.iter().map(|path| Answer::read_body(path)).collect::<Result<_>>()?;
        let binary = self.solution_binary()?.map_err(Sentence::new)?;
        self.all_answers(answers.iter().map(|answer| (Kind::Tried, answer)), &solution, &binary, table)?;
        Ok(true)
    }

    /// What README, chapter, comments and `tests/start.txt` say is what the contract says.
    fn one_text(&self, start: &Result<Files>) -> Result<Outcome> {
        let Ok(start) = start else {
            return Ok(Outcome::failed("There is no start to compare with.".to_owned()));
        };
        let text = texts::read(self.lab)?;
        let contract = texts::parse(self.lab, &text)?;
        let complaints = texts::drift(self.repo, self.lab, &contract, start, self.options.accept)?;
        Ok(if complaints.is_empty() { Outcome::passed() } else { Outcome::failed(complaints.join("\n")) })
    }

    /// Each clause has a scene, a wrong answer and, where it is open, a right one.
    fn coverage(&self, binary: &Path, wrong: &[Answer], right: &[Answer], table: &mut Table) {
        let mut sums = (0, 0);
        table.row("contract", "is covered", || {
            let text = texts::read(self.lab)?;
            let contract = texts::parse(self.lab, &text)?;
            let scenes = crate::cargo::clauses(binary)?;
            let found = coverage::coverage(self.lab, &contract, &scenes, wrong, right);
            sums = (found.covered, found.clauses);
            let note = format!("{} of {} clauses", found.covered, found.clauses);
            let is_whole = found.covered == found.clauses && found.clauses > 0 && found.unknown.is_empty();
            let lines = [found.unknown, found.table].concat().join("\n");
            Ok(if is_whole { Outcome::passed().with(lines) } else { Outcome::failed(lines) }.because(note))
        });
        table.covered(sums.0, sums.1);
    }

    /// A server is compiled while the one before it runs; clients only have to run, so they do it
    /// beside both: a row for each server as it comes, then the clients.
    fn all_answers<'a>(
        &self,
        answers: impl Iterator<Item = (Kind, &'a Answer)>,
        solution: &Files,
        binary: &Path,
        table: &mut Table,
    ) -> Result<()> {
        let (clients, servers): (Vec<_>, Vec<_>) = answers.partition(|(_, answer)| {
            // One that does not apply says so in its row.
            answer.apply(&mut solution.clone()).is_ok_and(|changed| is_client_only(&changed))
        });
        let scenes = &crate::cargo::clauses::<Scene>(binary)?[..];
        let clients_folder = self.tree.aside(self.lab, "clients")?;
        let servers_folder = self.tree.aside(self.lab, "servers")?;
        std::thread::scope(|scope| -> Result<()> {
            let (send, outcomes) = mpsc::channel();
            let (clients, servers) = (&clients, &servers);
            scope.spawn(move || {
                for (kind, answer) in clients {
                    let from = Instant::now();
                    let outcome = self.client(*kind, answer, solution, scenes, binary, &clients_folder);
                    if send.send((outcome, from.elapsed())).is_err() {
                        return;
                    }
                }
            });
            // Few are built ahead: each is a whole binary on the disk.
            let (send, built) = mpsc::sync_channel(1);
            scope.spawn(move || {
                for (number, part) in servers.chunks(TOGETHER).enumerate() {
                    if send.send(self.build(part, solution, scenes, number)).is_err() {
                        return;
                    }
                }
            });
            for part in servers.chunks(TOGETHER) {
                let built = built.recv().expect("each server is built, or why not is told");
                let binary = built.iter().find_map(|built| Some(built.as_ref().ok()?.binary.clone()));
                for ((kind, answer), built) in part.iter().zip(built) {
                    table.row(kind.as_str(), &answer.name(), || match built {
                        Err(outcome) => Ok(outcome),
                        Ok(server) => self.judge(*kind, answer, &server, &servers_folder),
                    });
                }
                binary.map_or(Ok(()), |binary| self.tree.forget(&binary))?;
            }
            for ((kind, answer), (outcome, took)) in clients.iter().zip(outcomes) {
                table.settled(kind.as_str(), &answer.name(), outcome, took);
            }
            Ok(())
        })?;
        self.tree.put(&self.tree.solution(self.lab), solution)
    }

    /// The lab's folder holds what `start.diff` makes of the solution.
    fn start_is_lab(&self, start: &Result<Files>) -> Result<Outcome> {
        let start = match start {
            Ok(start) => start,
            Err(sentence) => return Ok(Outcome::failed(sentence.to_string())),
        };
        let yours = plain(&self.lab.files()?);
        let names: Vec<&str> = start
            .keys()
            .chain(yours.keys().filter(|name| !start.contains_key(*name)))
            .filter(|name| start.get(*name) != yours.get(*name))
            .map(String::as_str)
            .collect();
        if names.is_empty() {
            return Ok(Outcome::passed());
        }
        let edited = format!("{} edited", names.join(", "));
        if !self.options.strict {
            return Ok(Outcome::noted(format!("{edited}; proving the start instead")));
        }
        let mut text = format!("{edited}: labs/{} is not the start.\n", self.lab.name);
        for name in names {
            let old = text_of(start.get(name));
            let new = text_of(yours.get(name));
            text.push_str(&diff::unified(
                &old,
                &new,
                &format!("start/{name}"),
                &format!("labs/{}/{name}", self.lab.name),
            ));
        }
        Ok(Outcome::failed(text))
    }

    /// The untouched lab compiles without a warning, and says *not started* for each TODO.
    fn untouched(&self, start: &Files, table: &mut Table) -> Result<()> {
        let folder = self.tree.lab(self.lab);
        self.tree.put(&folder, start)?;
        let mut binary = None;
        table.row("start", "compiles without warnings", || {
            let build = self.cargo.tests(&self.lab.package())?;
            Ok(match build.binary() {
                Err(complaint) => Outcome::failed(complaint),
                Ok(path) => {
                    binary = Some(path.to_path_buf());
                    if build.warnings.is_empty() {
                        Outcome::passed()
                    } else {
                        Outcome::failed(build.warnings.join("\n"))
                    }
                }
            })
        });
        let Some(binary) = binary else { return Ok(()) };
        table.row("start", "says `not started` for every TODO", || {
            let run = self.run(&binary, &folder, None, &[])?;
            let report = match &run.report {
                Ok(report) => report,
                Err(sentence) => return Ok(Outcome::failed(no_report(sentence, &run))),
            };
            let other: Vec<String> = report
                .checks
                .iter()
                .filter(|check| match check.todo {
                    Some(_) => check.verdict != Verdict::NotStarted,
                    // The last one has nothing to bring together yet.
                    None => check.verdict == Verdict::Passed,
                })
                .map(tell)
                .collect();
            let todos = report.checks.iter().any(|check| check.todo.is_some());
            Ok(match (todos, other.as_slice()) {
                (false, _) => Outcome::failed("It has no TODO at all.".to_owned()),
                (true, []) => Outcome::passed(),
                (true, other) => Outcome::failed(other.join("\n")),
            })
        });
        Ok(())
    }

    /// On the way from the start to the solution, TODO by TODO, the compiler has nothing to say either.
    fn steps(&self, start: &Files, solution: &Files, table: &mut Table) -> Result<()> {
        let steps = steps::between(start, solution);
        if steps.is_empty() {
            return Ok(());
        }
        let folder = self.tree.lab(self.lab);
        table.row("start", "compiles without warnings, TODO by TODO", || {
            for (todo, files) in steps {
                self.tree.put(&folder, &files)?;
                let build = self.cargo.check(&self.lab.package())?;
                if !build.success || !build.warnings.is_empty() {
                    let said = if build.success { build.warnings.join("\n") } else { build.complaint() };
                    return Ok(Outcome::failed(format!("With TODO 1 to {todo} solved:\n{}", said.trim())));
                }
            }
            Ok(Outcome::passed())
        });
        self.tree.put(&folder, start)
    }

    /// Outside of `ANCHOR: todo_N` regions lab and solution are the same text.
    fn regions(&self, start: &Result<Files>, solution: &Files) -> Result<Outcome> {
        let Ok(start) = start else {
            return Ok(Outcome::failed("There is no start to compare with.".to_owned()));
        };
        let mut complaints = Vec::new();
        let manifest = |folder: &Path| {
            let path = folder.join("Cargo.toml");
            fs::read(&path).map_err(|error| Sentence::io("read", &path, error))
        };
        let mut start = start.clone();
        let mut solution = solution.clone();
        start.insert("Cargo.toml".into(), manifest(&self.lab.folder)?);
        solution.insert("Cargo.toml".into(), manifest(&self.lab.solution)?);
        for name in start.keys().filter(|name| !solution.contains_key(*name)) {
            complaints.push(format!("{name} is only in the lab."));
        }
        for (name, solved) in solution {
            let Some(given) = start.get(&name) else {
                complaints.push(format!("{name} is only in the solution."));
                continue;
            };
            let solved = self.lab.renamed(solved);
            if let Err(complaint) = regions::same_outside(&name, given, &solved) {
                complaints.push(complaint);
            }
        }
        complaints.extend(self.other_snapshots()?);
        Ok(if complaints.is_empty() { Outcome::passed() } else { Outcome::failed(complaints.join("\n")) })
    }

    /// The snapshots that only one side has, or that differ. A solution without any shares the lab's.
    fn other_snapshots(&self) -> Result<Vec<String>> {
        const SNAPSHOTS: &str = "tests/snapshots";
        if !self.lab.solution.join(SNAPSHOTS).is_dir() {
            return Ok(Vec::new());
        }
        let lab = crate::repo::files_in(&self.lab.folder, &[SNAPSHOTS])?;
        let solution = crate::repo::files_in(&self.lab.solution, &[SNAPSHOTS])?;
        let names = lab.keys().chain(solution.keys().filter(|name| !lab.contains_key(*name)));
        Ok(names
            .filter(|name| lab.get(*name) != solution.get(*name))
            .map(|name| format!("{name} is not the same in lab and solution."))
            .collect())
    }

    /// Builds the solution, and keeps its binary where the next build does not overwrite it.
    fn solution_binary(&self) -> Result<std::result::Result<PathBuf, String>> {
        let build = self.cargo.tests(&self.lab.solution_package())?;
        let built = match build.binary() {
            Err(complaint) => return Ok(Err(complaint)),
            Ok(path) => path,
        };
        if !build.warnings.is_empty() {
            return Ok(Err(build.warnings.join("\n")));
        }
        let path = self.tree.keep(&self.lab.package(), built)?;
        Ok(Ok(path))
    }

    /// There are as many answers as the design asks for, and both halves are tried.
    fn enough(&self, wrong: &[Answer], right: &[Answer], solution: &Files) -> Result<Outcome> {
        let mut clients = 0;
        for answer in wrong {
            // One that does not apply is reported in its own row.
            let changed = answer.apply(&mut solution.clone()).unwrap_or_default();
            clients += usize::from(is_client_only(&changed));
        }
        let servers = wrong.len() - clients;
        let counted =
            format!("{servers} wrong in Rust, {clients} wrong in JavaScript, {} also right", right.len());
        let half = WRONG / 2;
        Ok(if wrong.len() < WRONG || servers < half || clients < half || right.len() < RIGHT {
            Outcome::failed(format!("{counted}; at least {half}, {half} and {RIGHT} are needed."))
        } else {
            Outcome::passed().because(counted)
        })
    }

    /// Applies an answer to the solution. Gives what it changed, or what is wrong with it.
    fn applied(
        &self,
        kind: Kind,
        answer: &Answer,
        solution: &Files,
    ) -> std::result::Result<(Files, Vec<String>), Outcome> {
        if let Some(complaint) = header_fault(kind, answer) {
            return Err(Outcome::failed(complaint));
        }
        let mut files = solution.clone();
        match answer.apply(&mut files) {
            Ok(changed) => Ok((files, changed)),
            Err(sentence) => Err(Outcome::failed(sentence.to_string())),
        }
    }

    /// Grades a client in the solution's binary.
    fn client(
        &self,
        kind: Kind,
        answer: &Answer,
        solution: &Files,
        scenes: &[Scene],
        binary: &Path,
        folder: &Path,
    ) -> Result<Outcome> {
        match self.applied(kind, answer, solution) {
            Ok((files, changed)) => {
                let checks = coverage::checks_of(scenes, &changed);
                let server = Server { binary: binary.to_owned(), number: None, files, checks };
                self.judge(kind, answer, &server, folder)
            }
            Err(outcome) => Ok(outcome),
        }
    }

    /// Builds the servers of these answers into one binary; gives why for each that cannot be judged.
    fn build(
        &self,
        answers: &[(Kind, &Answer)],
        solution: &Files,
        scenes: &[Scene],
        part: usize,
    ) -> Vec<std::result::Result<Server, Outcome>> {
        let applied: Vec<_> =
            answers.iter().map(|(kind, answer)| self.applied(*kind, answer, solution)).collect();
        let ready: Vec<&Files> = applied.iter().flatten().map(|(files, _)| files).collect();
        let name = format!("{}-servers-{part}", self.lab.package());
        let built = servers::build(self.lab, self.tree, &self.cargo, &ready, &name);
        let mut numbers = 1..;
        let one = |applied: std::result::Result<(Files, Vec<String>), Outcome>| {
            let (files, changed) = applied?;
            let checks = coverage::checks_of(scenes, &changed);
            let number = numbers.next().expect("there are more numbers than answers");
            match &built {
                Err(sentence) => Err(Outcome::failed(sentence.to_string())),
                Ok(built) => match built.refused.get(&number) {
                    Some(errors) => Err(Outcome::failed(errors.clone())),
                    None => Ok(Server { binary: built.binary.clone(), number: Some(number), files, checks }),
                },
            }
        };
        applied.into_iter().map(one).collect()
    }

    /// Runs a binary over an answer's files, and judges the verdict.
    fn judge(&self, kind: Kind, answer: &Answer, server: &Server, folder: &Path) -> Result<Outcome> {
        self.tree.put(folder, &server.files)?;
        let run = self.run(&server.binary, folder, server.number, &server.checks)?;
        match kind {
            Kind::Wrong => self.caught(answer, &run),
            Kind::Right => Ok(passes_everything(&run)),
            Kind::Tried => Ok(who_catches(&run)),
        }
    }

    /// The named test fails, no other does, and what it says is to the point and as stored.
    fn caught(&self, answer: &Answer, run: &Run) -> Result<Outcome> {
        let report = match &run.report {
            Ok(report) => report,
            Err(sentence) => return Ok(Outcome::failed(no_report(sentence, run))),
        };
        let name = answer.get("caught by").unwrap_or_default();
        let Some(catcher) = report.checks.iter().find(|check| check.name == name) else {
            let names: Vec<&str> = report.checks.iter().map(|c| c.name.as_str()).collect();
            return Ok(Outcome::failed(format!("There is no test {name}. There are {}.", names.join(", "))));
        };
        if catcher.verdict != Verdict::Failed {
            let failed = failures(report);
            return Ok(Outcome::failed(format!(
                "{name} {}, and should have failed. {}",
                catcher.verdict.as_str(),
                if failed.is_empty() {
                    "No other test caught it either.".to_owned()
                } else {
                    format!("Caught instead by:\n{}", failed.join("\n"))
                }
            )));
        }
        if let Some(complaint) = names_another_clause(answer, catcher) {
            return Ok(Outcome::failed(format!(
                "{complaint} It says:\n{}",
                self.as_in_lab(&catcher.message)
            )));
        }
        let expected: Vec<&str> = answer.all("also fails").collect();
        let unexpected: Vec<String> = report
            .checks
            .iter()
            .filter(|check| match check.verdict {
                Verdict::Passed | Verdict::Waits => false,
                // Where both halves meet, any fault may show.
                _ if check.todo.is_none() => false,
                _ => check.name != name && !expected.contains(&check.name.as_str()),
            })
            .map(tell)
            .collect();
        if !unexpected.is_empty() {
            return Ok(Outcome::failed(format!(
                "It is one misconception, and other tests fail too (if that is right, add \
                 `# also fails: NAME`):\n{}",
                unexpected.join("\n")
            )));
        }
        let message = self.as_in_lab(&catcher.message);
        for phrase in answer.all("says") {
            if !flat(&message).contains(&flat(phrase)) {
                return Ok(Outcome::failed(format!(
                    "The message does not say `{phrase}`. It says:\n{}",
                    message
                )));
            }
        }
        self.as_stored(answer, &message).map(|outcome| outcome.because(format!("caught by {name}")))
    }

    /// What students see is what was stored beside the answer.
    fn as_stored(&self, answer: &Answer, message: &str) -> Result<Outcome> {
        let path = answer.path().with_extension("txt");
        let stored = match fs::read_to_string(&path) {
            Ok(text) => Some(text.replace("\r\n", "\n")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Sentence::io("read", &path, error)),
        };
        if stored.as_deref() == Some(message) {
            return Ok(Outcome::passed());
        }
        let shown = self.repo.show(&path);
        if self.options.accept {
            fs::write(&path, message).map_err(|error| Sentence::io("write", &path, error))?;
            return Ok(Outcome::passed().because(format!("stored in {shown}")));
        }
        Ok(Outcome::failed(match stored {
            None => format!("{shown} is missing; `--accept` writes it:\n{message}"),
            Some(stored) => format!(
                "What students see has changed; `--accept` stores it:\n{}",
                diff::unified(&stored, message, &shown, "now")
            ),
        }))
    }

    /// A message as a student reads it: in the lab, not in a copy of its solution.
    fn as_in_lab(&self, message: &str) -> String {
        let copy = self.tree.solution(self.lab);
        let copy = copy.strip_prefix(self.tree.root()).unwrap_or(&copy);
        let text = message.replace(&copy.display().to_string(), &self.repo.show(&self.lab.folder));
        let bytes = self.lab.renamed(text.trim_end().as_bytes().to_vec());
        format!("{}\n", String::from_utf8_lossy(&bytes))
    }

    /// Runs a binary over a package's folder in the tree.
    fn run(&self, binary: &Path, folder: &Path, answer: Option<usize>, checks: &[String]) -> Result<Run> {
        let report = self.tree.report(folder);
        let mut run = Grading {
            binary,
            folder,
            root: self.tree.root(),
            target: &self.tree.memory(),
            report: &report,
            paint: self.cargo.paint,
            answer,
            checks,
        }
        .run()?;
        if let (Some(number), Ok(report)) = (answer, &mut run.report) {
            for check in &mut report.checks {
                check.message = servers::as_alone(&check.message, number);
            }
        }
        Ok(run)
    }

    /// The diffs in one folder of the solution, by name.
    fn answers(&self, folder: &str) -> Result<Vec<Answer>> {
        let folder = self.lab.solution.join(folder);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        diffs(&folder)?.iter().map(|path| Answer::read(path)).collect()
    }
}

/// The diffs in a folder, by name.
fn diffs(folder: &Path) -> Result<Vec<PathBuf>> {
    let trouble = |error| Sentence::io("list", folder, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(trouble)? {
        let path = entry.map_err(trouble)?.path();
        if path.extension().is_some_and(|ending| ending == "diff") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Which tests catch an answer; one that none catches is noted.
fn who_catches(run: &Run) -> Outcome {
    let report = match &run.report {
        Ok(report) => report,
        Err(sentence) => return Outcome::failed(no_report(sentence, run)),
    };
    let caught: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed)
        .map(|check| format!("{} ({})", check.name, check.clause.as_deref().unwrap_or("no clause")))
        .collect();
    match caught.as_slice() {
        [] => Outcome::noted("passes everything".to_owned()),
        names => Outcome::passed().because(format!("caught by {}", names.join(", "))),
    }
}

/// What a header lacks, or has too much.
fn header_fault(kind: Kind, answer: &Answer) -> Option<String> {
    let (needed, allowed): (&[&str], &[&str]) = match kind {
        Kind::Wrong => (&["caught by", "breaks", "misconception", "says"], &["also fails"]),
        Kind::Right => (&["right because"], &["uses"]),
        Kind::Tried => return None,
    };
    if let Some(key) = needed.iter().find(|key| answer.get(key).is_none_or(str::is_empty)) {
        return Some(format!("Its header lacks the line `# {key}: …`."));
    }
    let unknown = answer.keys().find(|key| !needed.contains(key) && !allowed.contains(key))?;
    Some(format!("I do not know the header line `# {unknown}: …`."))
}

/// A wrong answer breaks one clause, and what the student reads is of that clause.
fn names_another_clause(answer: &Answer, catcher: &Check) -> Option<String> {
    let [breaks] = answer.all("breaks").collect::<Vec<_>>()[..] else {
        return Some("It should break one clause: one line `# breaks: N.N.name`.".to_owned());
    };
    let said = catcher.clause.as_deref().unwrap_or("no clause at all");
    (said != breaks).then(|| format!("It breaks {breaks}, and the message is of {said}."))
}

fn passes_everything(run: &Run) -> Outcome {
    match &run.report {
        Err(sentence) => Outcome::failed(no_report(sentence, run)),
        Ok(report) if report.passes() => {
            Outcome::passed().because(format!("{} of {}", report.done, report.total))
        }
        Ok(report) => {
            let mut text = failures(report).join("\n");
            // One message is enough to begin with; the others are a run of the tests away.
            if let Some(check) = report.checks.iter().find(|check| check.verdict == Verdict::Failed) {
                text.push_str("\n\n");
                text.push_str(check.message.trim_end());
            }
            Outcome::failed(text)
        }
    }
}

/// Every check that does not hold, in a line each.
fn failures(report: &Report) -> Vec<String> {
    report.checks.iter().filter(|check| check.verdict != Verdict::Passed).map(tell).collect()
}

fn tell(check: &Check) -> String {
    format!("{}: {}", check.name, check.verdict.as_str())
}

fn no_report(sentence: &Sentence, run: &Run) -> String {
    format!("{sentence}\n{}", run.output.trim_end())
}

/// Whether nothing must be rebuilt for these files.
fn is_client_only(changed: &[String]) -> bool {
    changed.iter().all(|name| name.starts_with("web/"))
}

/// A text in one line, so that where it wraps does not matter.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text_of(bytes: Option<&Vec<u8>>) -> String {
    String::from_utf8_lossy(bytes.map_or(&[], Vec::as_slice)).into_owned()
}
