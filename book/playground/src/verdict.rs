//! Checks and single scenes, with their transcripts.

use grader::{Compared, Failure, PageError, Pulse, Report, Sources, Standing, Voice, snapshot_transcript};
use serde::Serialize;

use crate::rooms::Room;

/// How a check stands, in the words of `cargo test`.
#[derive(Debug, Serialize)]
pub struct Graded {
    /// The check's name.
    pub name: &'static str,
    /// `TODO 5`.
    pub title: String,
    /// The contract, in a sentence or two.
    pub contract: String,
    /// The student's file, from the lab's folder.
    pub file: &'static str,
    /// The line in it where the TODO stands, counted from 1.
    pub line: Option<usize>,
    /// `passed`, `failed`, `not_started` or `waits`.
    pub verdict: &'static str,
    /// The failure, told.
    pub lines: Vec<Line>,
    /// What was recorded, scene by scene, up to the one that failed.
    pub scenes: Vec<Recorded>,
}

/// A line of a verdict and the voice it is said in.
#[derive(Debug, Serialize)]
pub struct Line {
    /// `plain`, `context`, `expected` or `yours`.
    pub voice: &'static str,
    /// The words.
    pub words: String,
}

/// A scene as it was played in a check, and as it should have been.
#[derive(Debug, Serialize)]
pub struct Recorded {
    /// The scene's name.
    pub name: &'static str,
    /// What happens in it, in one sentence.
    pub says: &'static str,
    /// Whether it went as it should.
    pub holds: bool,
    /// What was recorded, as text.
    pub transcript: String,
    /// What should have been recorded, as text. Nothing where nobody can know:
    /// payloads of other seeds than the first are in no snapshot.
    pub expected: Option<String>,
}

/// One scene with one seed.
#[derive(Debug, PartialEq, Serialize)]
pub struct Played {
    /// The scene's name.
    pub scene: &'static str,
    /// The seed.
    pub seed: u64,
    /// What was recorded, as text.
    pub transcript: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What the page wrote to its console, line by line.
    pub console: Vec<String>,
}

/// How a play, or a run so far, ended.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// It came to its end.
    Well,
    /// It came upon a TODO that nobody has begun (0 where the TODO does not say its number).
    NotStarted {
        /// The TODO's number.
        todo: u32,
    },
    /// The contract was broken.
    Broken {
        /// How, in a sentence.
        words: String,
    },
    /// The server panicked.
    Panicked {
        /// With which words, and where.
        words: String,
    },
    /// The page failed.
    Page {
        /// What happened, where, the likely cause and what to do.
        words: String,
        /// The student's file, where it is known: `client.js`.
        file: String,
        /// The line in it; 0 where it is not known.
        line: u32,
        /// The column; 0 where it is not known.
        column: u32,
        /// Whether the page runs no more JavaScript.
        fatal: bool,
    },
}

impl From<PageError> for Outcome {
    fn from(error: PageError) -> Self {
        let place = error.place();
        Self::Page {
            words: error.to_string(),
            file: place.file,
            line: place.line,
            column: place.column,
            fatal: error.is_fatal(),
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotStarted(todo) => Self::NotStarted { todo },
            Failure::Broken { words, .. } => Self::Broken { words },
            Failure::Panicked { message, place } => {
                Self::Panicked { words: format!("The server panicked at {place}: {message}") }
            }
            Failure::Page(error) => error.into(),
        }
    }
}

/// Grades these sources with one check.
///
/// # Errors
/// A sentence, where there is no such lab or check.
pub fn check(lab: &str, check: &str, sources: &Sources) -> Result<Graded, String> {
    let room = Room::named(lab)?;
    let check = room.check(check)?;
    let mut scenes: Vec<Recorded> = Vec::new();
    let verdict = check.grade(sources, &Pulse::default(), |scene, played| {
        let expected = room
            .snapshot(scene.name)
            .ok_or_else(|| format!("The module holds no snapshot of {}.", scene.name))
            .and_then(|file| snapshot_transcript(scene.name, file));
        let compared = match &expected {
            Ok(expected) if *expected == played.transcript => Compared::Same,
            Ok(expected) => Compared::Differs(expected.clone()),
            Err(why) => Compared::Unusable(why.clone()),
        };
        scenes.push(Recorded {
            name: scene.name,
            says: scene.says,
            holds: played.result.is_ok() && matches!(compared, Compared::Same),
            transcript: played.transcript.to_string(),
            expected: expected.ok().map(|expected| expected.to_string()),
        });
        compared
    });
    if let Standing::Failed(finding) = &verdict.standing
        && let Some(scene) = finding.scene
        && scenes.last().is_some_and(|last| last.holds)
    {
        // It held with the first seed and failed with another.
        scenes.push(Recorded {
            name: scene.name,
            says: scene.says,
            holds: false,
            transcript: finding.observed.to_string(),
            expected: None,
        });
    }
    // The student's files are known by their name in `web`.
    let source = sources.get(check.file.strip_prefix("web/").unwrap_or(check.file));
    let report = Report::new(&room.lab, check, &verdict, source);
    Ok(Graded {
        name: report.name,
        title: report.title,
        contract: report.contract,
        file: report.file,
        line: report.line,
        verdict: report.verdict,
        lines: report
            .lines
            .into_iter()
            .map(|said| Line { voice: voice(said.voice), words: said.words })
            .collect(),
        scenes,
    })
}

fn voice(voice: Voice) -> &'static str {
    match voice {
        Voice::Plain => "plain",
        Voice::Context => "context",
        Voice::Expected => "expected",
        Voice::Yours => "yours",
    }
}

/// Plays one scene with these sources and this seed.
///
/// # Errors
/// A sentence, where there is no such lab or scene.
pub fn play(lab: &str, scene: &str, seed: u64, sources: &Sources) -> Result<Played, String> {
    let scene = Room::named(lab)?.scene(scene)?;
    let played = scene.play(sources, seed, &Pulse::default());
    Ok(Played {
        scene: scene.name,
        seed,
        transcript: played.transcript.to_string(),
        outcome: played.result.map_or_else(Outcome::from, |()| Outcome::Well),
        console: played.console,
    })
}
