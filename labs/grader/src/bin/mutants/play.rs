//! Plays a lab's checks against a mutant until one catches it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::schemata::VARIABLE;
use crate::sentence::{Result, Sentence};
use crate::source::Mutant;

/// Each check is stopped within 15 s; this is for a binary that hangs altogether.
const DEADLINE: Duration = Duration::from_secs(180);

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every check passed.
    Survived,
    /// This check failed.
    Failed(String),
    /// It was stopped: in this check, if it is known.
    Stopped(String),
}

impl Outcome {
    /// The check that caught it.
    pub(crate) fn caught_by(&self) -> Option<&str> {
        match self {
            Self::Survived => None,
            Self::Failed(check) | Self::Stopped(check) => Some(check),
        }
    }
}

/// What is played: a binary, and the file that is changed or the number that is active.
#[derive(Clone, Debug)]
pub(crate) struct Play<'a> {
    /// The mutant.
    pub(crate) mutant: &'a Mutant,
    /// The test binary.
    pub(crate) binary: PathBuf,
    /// Its number in a binary that has several.
    pub(crate) active: Option<usize>,
    /// The changed file of the client, by its name.
    pub(crate) file: Option<(String, String)>,
}

/// Plays all of them, one in each folder at a time. The folders are copies of the solution, and are so again afterwards.
pub(crate) fn all(plays: &[Play<'_>], folders: &[PathBuf]) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; plays.len()]);
    std::thread::scope(|scope| {
        let workers: Vec<_> = folders
            .iter()
            .map(|folder| {
                let (next, outcomes) = (&next, &outcomes);
                scope.spawn(move || -> Result<()> {
                    while let Some((at, play)) = next_of(plays, next) {
                        let outcome = play.in_folder(folder)?;
                        outcomes.lock().expect("nobody panics with it")[at] = Some(outcome);
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    let outcomes = outcomes.into_inner().expect("nobody panics with it");
    Ok(outcomes.into_iter().map(|outcome| outcome.expect("each was played")).collect())
}

fn next_of<'p, 'm>(plays: &'p [Play<'m>], next: &AtomicUsize) -> Option<(usize, &'p Play<'m>)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    plays.get(at).map(|play| (at, play))
}

impl Play<'_> {
    fn in_folder(&self, folder: &Path) -> Result<Outcome> {
        let Some((name, text)) = &self.file else { return self.run(folder) };
        let path = folder.join(name);
        let trouble = |error| Sentence::io("change", &path, error);
        let solution = std::fs::read(&path).map_err(trouble)?;
        std::fs::write(&path, text).map_err(trouble)?;
        let outcome = self.run(folder);
        std::fs::write(&path, solution).map_err(trouble)?;
        outcome
    }

    fn run(&self, folder: &Path) -> Result<Outcome> {
        run(&self.binary, folder, self.mutant.name.todo, self.active)
    }
}

/// Runs a test binary over a folder, the checks of this TODO first.
pub(crate) fn run(binary: &Path, folder: &Path, todo: u32, active: Option<usize>) -> Result<Outcome> {
    let trouble = |error| Sentence::io("run", binary, error);
    let mut child = Command::new(binary)
        .args(["--fail-fast", &todo.to_string()])
        .current_dir(folder)
        .env("CARGO_MANIFEST_DIR", folder)
        .env("INSTA_UPDATE", "no")
        .env("RUST_BACKTRACE", "0")
        .env(VARIABLE, active.unwrap_or(0).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(trouble)?;
    let mut reader = child.stdout.take().expect("it is piped");
    let (done, printed) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = reader.read_to_end(&mut text);
        let _ = done.send(text);
    });
    let Ok(text) = printed.recv_timeout(DEADLINE) else {
        child.kill().and_then(|()| child.wait()).map_err(trouble)?;
        return Ok(Outcome::Stopped(String::new()));
    };
    let status = child.wait().map_err(trouble)?;
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().next_back().unwrap_or_default();
    match last.split_once(' ').unwrap_or((last, "")) {
        ("passed", "") => Ok(Outcome::Survived),
        ("failed", check) => Ok(Outcome::Failed(check.to_owned())),
        ("stopped", check) => Ok(Outcome::Stopped(check.to_owned())),
        // A stack that overflows ends the process.
        _ if status.code().is_none() => Ok(Outcome::Stopped(String::new())),
        _ => Err(Sentence::new(format!("{} ended ({status}) without a verdict.", binary.display()))),
    }
}
