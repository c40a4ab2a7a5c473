//! The table that `cargo lab prove` prints while it goes.

use std::time::{Duration, Instant};

use crate::paint::{self, Paint, say};
use crate::sentence::Result;

/// Counts what held and what did not.
#[derive(Debug)]
pub(super) struct Table {
    paint: Paint,
    passed: usize,
    failed: usize,
    /// Clauses of contracts: those that are covered, and all.
    clauses: (usize, usize),
}

/// What came of one row.
#[derive(Debug)]
pub(super) struct Outcome {
    verdict: Verdict,
    /// Said on the row itself.
    note: String,
    /// Said below the row.
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    /// Worth saying, and not counted.
    Noted,
}

impl Table {
    /// An empty table.
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, passed: 0, failed: 0, clauses: (0, 0) }
    }

    /// Prints one row: what is tried at once, its outcome when it is known.
    pub(super) fn row(&mut self, kind: &str, what: &str, prove: impl FnOnce() -> Result<Outcome>) {
        let from = Instant::now();
        paint::print(format_args!("  {kind:<8}  {what:<44}  "));
        let outcome = prove();
        self.end(outcome, from.elapsed());
    }

    /// Prints one row whose outcome is known already.
    pub(super) fn settled(&mut self, kind: &str, what: &str, outcome: Result<Outcome>, took: Duration) {
        paint::print(format_args!("  {kind:<8}  {what:<44}  "));
        self.end(outcome, took);
    }

    fn end(&mut self, outcome: Result<Outcome>, took: Duration) {
        let outcome = outcome.unwrap_or_else(|sentence| Outcome::failed(sentence.to_string()));
        let verdict = match outcome.verdict {
            Verdict::Passed => {
                self.passed += 1;
                self.paint.good("passed")
            }
            Verdict::Failed => {
                self.failed += 1;
                self.paint.bad("FAILED")
            }
            Verdict::Noted => self.paint.warn("noted "),
        };
        let seconds = format!("{:>5.1} s", took.as_secs_f32());
        say!("{}", format!("{verdict}  {}  {}", self.paint.dim(seconds), outcome.note).trim_end());
        for line in outcome.detail.trim_end().lines() {
            say!("{}", format!("      {line}").trim_end());
        }
    }

    /// Adds up how much of the contracts is covered.
    pub(super) fn covered(&mut self, covered: usize, clauses: usize) {
        self.clauses.0 += covered;
        self.clauses.1 += clauses;
    }

    /// Prints the sum, and gives whether everything held.
    pub(super) fn finish(self) -> bool {
        if let (covered, clauses @ 1..) = self.clauses {
            say!("\ncontract coverage: {covered} of {clauses} clauses");
        }
        say!("\n{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}

impl Outcome {
    /// It holds.
    pub(super) fn passed() -> Self {
        Self { verdict: Verdict::Passed, note: String::new(), detail: String::new() }
    }

    /// It does not, for this reason (one line or many).
    pub(super) fn failed(detail: String) -> Self {
        Self { verdict: Verdict::Failed, note: String::new(), detail }
    }

    /// It could not be tried, which is nobody's fault.
    pub(super) fn noted(note: String) -> Self {
        Self { verdict: Verdict::Noted, note, detail: String::new() }
    }

    /// Adds what is said below the row.
    pub(super) fn with(mut self, detail: String) -> Self {
        self.detail = detail;
        self
    }

    /// Adds a word to the row, unless one stands there.
    pub(super) fn because(mut self, note: String) -> Self {
        if self.note.is_empty() {
            self.note = note;
        }
        self
    }
}
