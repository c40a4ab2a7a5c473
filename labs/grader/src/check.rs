//! Checks: what a lab asks, played in scenes.

use std::{future::Future, pin::Pin, time::Duration};

use contract::Contract;
use tokio::{runtime::Runtime, task::LocalSet, time::sleep};
use wire::Transcript;

use crate::{
    Bench, PageError, Sources,
    panics::{self, Panic},
    sweep::{self, Disturbance, Disturbed},
    tape::{Pulse, Tape},
    tasks,
};

/// A play may last this long by its own clock; a check that waits for ever ends here.
const LONGEST_PLAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A lab, as far as its grader needs to know it.
#[derive(Clone, Copy)]
pub struct Lab {
    /// The package's name: `lab3`.
    pub name: &'static str,
    /// Its number, which is its chapter's.
    pub number: u32,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Where it stands, from the repository's root: `labs/lab3-sse`. Its snapshots are its solution's, too.
    pub folder: &'static str,
    /// The chapter's file in `book/src`.
    pub chapter: &'static str,
    /// What it asks: the text of its `contract.md`.
    pub contract: &'static str,
    /// What students begin with: the text of `tests/start.txt`, which `cargo lab prove --accept` writes.
    pub start: &'static str,
    /// What is checked, in the order of the TODOs.
    pub checks: &'static [Check],
}

impl Lab {
    /// The contract, read. One that cannot be read has no sections: `cargo lab prove` says why.
    pub fn contract(&self) -> Contract<'static> {
        Contract::parse(self.contract).unwrap_or(Contract { sections: Vec::new() })
    }

    /// The contract of one check, in a sentence or two.
    pub fn summary(&self, check: &Check) -> String {
        self.contract().section(check.todo).map(|section| section.summary.clone()).unwrap_or_default()
    }
}

/// What one TODO must do, and the scenes that show whether it does.
#[derive(Clone, Copy)]
pub struct Check {
    /// The test's name, which says what must hold.
    pub name: &'static str,
    /// The TODO that it grades; nothing for the one in which both halves meet.
    pub todo: Option<u32>,
    /// The student's file, from the lab's folder.
    pub file: &'static str,
    /// The section of the chapter that explains it: an anchor.
    pub section: &'static str,
    /// One experiment that shows more.
    pub experiment: &'static str,
    /// The scenes, played in this order until one fails.
    pub scenes: &'static [Scene],
}

/// A short play with a known end.
#[derive(Clone, Copy)]
pub struct Scene {
    /// Its name, which is its snapshot's.
    pub name: &'static str,
    /// What happens in it, in one sentence.
    pub says: &'static str,
    /// The clauses of the contract that it checks, by name (`2.once`). A difference from its snapshot, and a failure
    /// that names no clause, is of the first.
    pub clauses: &'static [&'static str],
    /// What it is disturbed by, at each of its moments. A scene with disturbances is a sweep: it has no snapshot.
    pub disturbances: &'static [Disturbance],
    /// The play. [`scene!`](crate::scene) and [`sweep!`](crate::sweep) make one of an async function.
    pub play: fn(Bench) -> Play,
}

/// A play under way.
pub type Play = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// Makes a [`Scene`] of an `async fn(Bench) -> Result<(), Failure>` in scope: its name, the clauses that it checks, what
/// happens.
#[macro_export]
macro_rules! scene {
    ($play:ident, $says:literal) => {
        $crate::scene!($play, [], $says)
    };
    ($play:ident, [$($clause:literal),* $(,)?], $says:literal) => {
        $crate::sweep!($play, [$($clause),*], [], $says)
    };
}

/// Makes a sweep of such a function: its name, the clauses that it checks, what it is disturbed by, what happens.
#[macro_export]
macro_rules! sweep {
    ($play:ident, [$($clause:literal),* $(,)?], [$($disturbance:expr),* $(,)?], $says:literal) => {
        $crate::Scene {
            name: stringify!($play),
            says: $says,
            clauses: &[$($clause),*],
            disturbances: &[$($disturbance),*],
            play: |bench| Box::pin($play(bench)),
        }
    };
}

/// Why a play ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It came upon a TODO that nobody has begun (0 where the TODO does not say its number).
    NotStarted(u32),
    /// The contract was broken, or kept waiting.
    Broken {
        /// The clause that was broken (`2.once`), where the check says which.
        clause: Option<&'static str>,
        /// What happened: a sentence for the student.
        words: String,
    },
    /// The server panicked.
    Panicked {
        /// Its words.
        message: String,
        /// File, line and column.
        place: String,
    },
    /// The page failed.
    Page(PageError),
}

impl Failure {
    /// The contract was broken, in these words. Which clause is for the scene to say.
    pub fn broken(words: impl Into<String>) -> Self {
        Self::Broken { clause: None, words: words.into() }
    }

    /// This clause of the contract was broken, in these words.
    pub fn of(clause: &'static str, words: impl Into<String>) -> Self {
        Self::Broken { clause: Some(clause), words: words.into() }
    }

    /// The same failure, of this clause unless it names another.
    #[must_use]
    pub fn or_of(self, clause: &'static str) -> Self {
        match self {
            Self::Broken { clause: None, words } => Self::Broken { clause: Some(clause), words },
            other => other,
        }
    }

    /// The clause that was broken, where it is known.
    pub fn clause(&self) -> Option<&'static str> {
        match self {
            Self::Broken { clause, .. } => *clause,
            _ => None,
        }
    }
}

impl From<PageError> for Failure {
    fn from(error: PageError) -> Self {
        match error {
            PageError::NotStarted { todo, .. } => Self::NotStarted(todo),
            error => Self::Page(error),
        }
    }
}

/// How a play went.
#[derive(Clone, Debug)]
pub struct Played {
    /// What was recorded until it ended.
    pub transcript: Transcript,
    /// Why it ended early, if it did.
    pub result: Result<(), Failure>,
    /// What the page logged to its console, line by line.
    pub console: Vec<String>,
    /// At which millisecond of the transcript it ended.
    pub ended: u64,
    /// Everything that was recorded, each with its time by the clock: the moments of a sweep.
    pub(crate) recorded: Vec<(u64, wire::Moment)>,
}

impl Scene {
    /// Whether it is a sweep, which has no snapshot.
    pub fn is_sweep(&self) -> bool {
        !self.disturbances.is_empty()
    }

    /// Plays it from the start, by a clock of its own, with payloads and
    /// chance drawn from `seed`.
    ///
    /// `sources` are the client's files. The same sources, the same server and
    /// the same seed give the same transcript, to the letter.
    pub fn play(&self, sources: &Sources, seed: u64, pulse: &Pulse) -> Played {
        self.disturbed(sources, seed, pulse, None)
    }

    /// Plays a sweep: undisturbed, and then with each disturbance at each moment, until a play fails.
    ///
    /// Gives the play that failed, and what it was disturbed by, in words that complete "When …". Without a failure it
    /// is the undisturbed one.
    pub fn sweep(&self, sources: &Sources, seed: u64, pulse: &Pulse) -> (Played, Option<String>) {
        self.sweep_with(sources, seed, pulse, |_| {})
    }

    /// The same, and `each` is shown every play.
    pub(crate) fn sweep_with(
        &self,
        sources: &Sources,
        seed: u64,
        pulse: &Pulse,
        mut each: impl FnMut(&Played),
    ) -> (Played, Option<String>) {
        let undisturbed = self.play(sources, seed, pulse);
        each(&undisturbed);
        if undisturbed.result.is_err() {
            return (undisturbed, None);
        }
        for planned in sweep::plan(self.disturbances, &undisturbed.recorded) {
            let played = self.disturbed(sources, seed, pulse, Some(planned.disturbed));
            each(&played);
            if played.result.is_err() {
                let when = format!("{}, {}", planned.disturbed.what.words(), planned.when);
                return (played, Some(when));
            }
        }
        (undisturbed, None)
    }

    fn disturbed(&self, sources: &Sources, seed: u64, pulse: &Pulse, disturbed: Option<Disturbed>) -> Played {
        panics::collect();
        let runtime = paused_runtime();
        let stage = LocalSet::new();
        tasks::block_on(&stage, &runtime, async {
            let tape = Tape::new(pulse.clone());
            let (bench, mut page_failed) = Bench::new(tape.clone(), sources.clone(), seed);
            if let Some(disturbed) = disturbed {
                bench.disturb(disturbed);
            }
            let result = tokio::select! {
                biased;
                Some(error) = page_failed.recv() => Err(Failure::from(error)),
                result = (self.play)(bench.clone()) => result,
                () = sleep(LONGEST_PLAY) => Err(Failure::broken("nothing happened any more for a whole day of virtual time")),
            };
            let result =
                result.and_then(|()| page_failed.try_recv().map_or(Ok(()), |error| Err(error.into())));
            Played {
                transcript: bench.told(),
                result: blame(result, panics::collected()),
                console: bench.console(),
                ended: tape.told_at(tape.now()),
                recorded: tape.recording(),
            }
        })
    }
}

/// One thread and a clock that moves only when everybody waits for it.
pub(crate) fn paused_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing that could be missing")
}

/// A server that panicked is the reason for whatever came after it, or did not.
pub(crate) fn blame(result: Result<(), Failure>, panics: Vec<Panic>) -> Result<(), Failure> {
    let unfinished = panics.iter().find_map(Panic::todo);
    match (result, unfinished, panics.into_iter().next()) {
        (Err(Failure::NotStarted(todo)), _, _) => Err(Failure::NotStarted(todo)),
        (_, Some(todo), _) => Err(Failure::NotStarted(todo)),
        (_, None, Some(panic)) => Err(Failure::Panicked { message: panic.message, place: panic.place }),
        (result, None, None) => result,
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The check.
    pub check: &'static str,
    /// How it stands.
    pub standing: Standing,
}

/// How a check stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Every scene went as it should.
    Passed,
    /// Nobody has begun the TODO.
    NotStarted,
    /// It cannot be graded before another TODO is begun.
    Waits(u32),
    /// A scene went wrong.
    Failed(Box<Finding>),
}

/// What went wrong, with what is needed to say it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The scene, or nothing where the run itself failed (a missing file, a held thread).
    pub scene: Option<Scene>,
    /// What should have been recorded, if anybody knows.
    pub expected: Option<Transcript>,
    /// What was recorded.
    pub observed: Transcript,
    /// Why the play ended early; nothing where only the transcripts differ.
    pub failure: Option<Failure>,
    /// The page's console.
    pub console: Vec<String>,
    /// At which millisecond of the transcript the play ended: what was expected later is not missing.
    pub ended: u64,
    /// What the play was disturbed by, where it is one of a sweep, in words that complete "When …".
    pub disturbed: Option<String>,
}

impl Finding {
    /// The clause that was broken: the failure's, else the scene's first.
    pub fn clause(&self) -> Option<&'static str> {
        let of_failure = self.failure.as_ref().and_then(Failure::clause);
        of_failure.or_else(|| self.scene?.clauses.first().copied())
    }
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every scene is played once with each of these; the first is the one that snapshots hold.
pub const SEEDS: [u64; 3] = [1, 2, 3];

/// A sweep's plays are many: one seed is enough, and not the plain one.
pub(crate) const SWEPT: u64 = 2;

impl Check {
    /// Plays every scene with every seed and says how the check stands.
    ///
    /// `settle` compares what was recorded with seed one to what is known of
    /// the scene: it answers with the expected transcript where they differ.
    pub fn grade(
        &self,
        sources: &Sources,
        pulse: &Pulse,
        mut settle: impl FnMut(&Scene, &Played) -> Compared,
    ) -> Verdict {
        let standing = self
            .scenes
            .iter()
            .find_map(|scene| {
                if scene.is_sweep() {
                    let (played, disturbed) = scene.sweep(sources, SWEPT, pulse);
                    return self.weigh(scene, played, Compared::Same, disturbed);
                }
                SEEDS.iter().find_map(|&seed| {
                    let played = scene.play(sources, seed, pulse);
                    let compared = if seed == SEEDS[0] { settle(scene, &played) } else { Compared::Same };
                    self.weigh(scene, played, compared, None)
                })
            })
            .unwrap_or(Standing::Passed);
        Verdict { check: self.name, standing }
    }

    /// Nothing if the scene went as it should.
    fn weigh(
        &self,
        scene: &Scene,
        played: Played,
        compared: Compared,
        disturbed: Option<String>,
    ) -> Option<Standing> {
        let (expected, failure) = match (played.result, compared) {
            (Ok(()), Compared::Same) => return None,
            (Ok(()), Compared::Differs(expected)) => (Some(expected), None),
            (Ok(()), Compared::Unusable(why)) => (None, Some(Failure::broken(why))),
            (Err(Failure::NotStarted(todo)), _) => {
                return Some(match self.todo {
                    Some(mine) if mine == todo => Standing::NotStarted,
                    _ if todo != 0 => Standing::Waits(todo),
                    _ => Standing::NotStarted,
                });
            }
            (Err(failure), Compared::Differs(expected)) => (Some(expected), Some(failure)),
            (Err(failure), _) => (None, Some(failure)),
        };
        Some(Standing::Failed(Box::new(Finding {
            scene: Some(*scene),
            expected,
            observed: played.transcript,
            failure,
            console: played.console,
            ended: played.ended,
            disturbed,
        })))
    }
}

/// How a recorded play compares with what is known of its scene.
#[derive(Clone, Debug)]
pub enum Compared {
    /// They are equal.
    Same,
    /// They differ; this was expected.
    Differs(Transcript),
    /// What is known cannot be used, for this reason.
    Unusable(String),
}
