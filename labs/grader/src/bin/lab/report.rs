//! The result of grading, as a lab's test binary writes it for us.

use std::path::Path;

use serde::Deserialize;

use crate::sentence::{Result, Sentence};

/// One run of a lab's checks. Its count is of TODOs; the check in which both halves meet is on top.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    /// How many TODOs are done.
    pub(crate) done: u32,
    /// How many there are.
    pub(crate) total: u32,
    /// Each check, in the order of the TODOs.
    pub(crate) checks: Vec<Check>,
}

/// One check and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Check {
    /// Its test's name: `todo_2_resumes_after_last_event_id`.
    pub(crate) name: String,
    /// The TODO it grades; none for the test in which both halves meet.
    pub(crate) todo: Option<u32>,
    /// The file the TODO is in, from the lab's folder.
    #[serde(default)]
    pub(crate) file: Option<String>,
    /// The clause that it says was broken: `3.2.once`.
    #[serde(default)]
    pub(crate) clause: Option<String>,
    /// What came of it.
    pub(crate) verdict: Verdict,
    /// What the student reads when it failed.
    #[serde(default)]
    pub(crate) message: String,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The contract holds.
    Passed,
    /// It does not.
    Failed,
    /// The TODO is still a `todo!()`.
    NotStarted,
    /// Another TODO comes first.
    Waits,
}

impl Report {
    /// Reads a report, or nothing where there is none (or one that is not whole).
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Reads the report a run has just written.
    pub(crate) fn fresh(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| Sentence::io("read the report", path, error))?;
        serde_json::from_slice(&text).map_err(|error| {
            Sentence::new(format!("The report in {} is not one I understand: {error}.", path.display()))
        })
    }

    /// Whether everything holds.
    pub(crate) fn passes(&self) -> bool {
        self.total > 0 && self.next().is_none()
    }

    /// Where to go on: the first check that does not hold yet.
    pub(crate) fn next(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.verdict != Verdict::Passed)
    }
}

impl Check {
    /// The check as a next step: `TODO 5 in web/client.js`.
    pub(crate) fn step(&self) -> String {
        match (self.todo, &self.file) {
            (Some(todo), Some(file)) => format!("TODO {todo} in {file}"),
            (Some(todo), None) => format!("TODO {todo}"),
            (None, _) => "both halves together".to_owned(),
        }
    }
}

impl Verdict {
    /// The verdict in a sentence.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotStarted => "not started",
            Self::Waits => "waits",
        }
    }
}
