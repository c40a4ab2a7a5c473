//! What a student reads: the verdict, what was expected, what happened, what to try.
//!
//! The words are the same in a terminal and in the book's page.

mod difference;
mod wrap;

use std::fmt::Write;

use wire::{Moment, Transcript, What};

use crate::{
    check::{Check, Failure, Finding, Lab, Standing, Verdict},
    region::is_unchanged,
};
use difference::Difference;
use wrap::{shorten, wrap};

/// Moments told before the first difference, and after it on either side.
const BEFORE: usize = 3;
const FROM_THERE: usize = 4;
/// The label of the sentence that matters most.
const WHAT_HAPPENED: &str = "What happened";

/// What one check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The check's name.
    pub name: &'static str,
    /// `TODO 2`, or the name of the test in which both halves meet.
    pub title: String,
    /// The contract, in a sentence or two.
    pub contract: String,
    /// The clause that was broken, with the lab's number: `3.2.once`. Nothing unless the check failed.
    pub clause: Option<String>,
    /// The student's file.
    pub file: &'static str,
    /// The line in it where the TODO stands, counted from 1.
    pub line: Option<usize>,
    /// How it stands, in a word.
    pub verdict: &'static str,
    /// The failure, told; empty for any other verdict but one that waits.
    pub lines: Vec<Said>,
}

/// A line of a report and the voice it is said in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The voice.
    pub voice: Voice,
    /// The words.
    pub words: String,
}

/// Who says a line: a terminal and a page give each a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The grader, in plain words.
    Plain,
    /// What both transcripts say.
    Context,
    /// What was expected.
    Expected,
    /// What the student's answer did.
    Yours,
}

impl Report {
    /// Puts a verdict into words. `source` is the text of the student's file, if there is one.
    pub fn new(lab: &Lab, check: &Check, verdict: &Verdict, source: Option<&str>) -> Self {
        let line = source.and_then(|text| todo_line(text, check.todo?));
        // *Not started* is said of what a student began with, and of nothing else. Where the file is not at hand, or the
        // check is of both halves, the play knows best.
        let unchanged = source.zip(check.todo).map(|(source, todo)| is_unchanged(lab.start, source, todo));
        let mut clause = None;
        let (word, lines) = match &verdict.standing {
            Standing::Passed => ("passed", Vec::new()),
            Standing::NotStarted if unchanged == Some(false) => ("failed", vec![reached_a_todo(check)]),
            Standing::NotStarted => ("not_started", Vec::new()),
            // For a student who begins at the top both are not started.
            Standing::Waits(todo)
                if unchanged.unwrap_or_else(|| check.todo.is_some_and(|mine| *todo < mine)) =>
            {
                ("not_started", Vec::new())
            }
            Standing::Waits(todo) => {
                ("waits", vec![plain(format!("It needs TODO {todo}, which is not started."))])
            }
            Standing::Failed(_) if unchanged == Some(true) => ("not_started", Vec::new()),
            Standing::Failed(finding) => {
                clause = finding.clause().map(|name| format!("{}.{name}", lab.number));
                ("failed", Telling::new(lab, check, finding).told())
            }
        };
        Self {
            name: check.name,
            title: check.todo.map_or_else(|| "Both halves".to_owned(), |todo| format!("TODO {todo}")),
            contract: lab.summary(check),
            clause,
            file: check.file,
            line,
            verdict: word,
            lines,
        }
    }

    /// Where the TODO stands: `src/lib.rs:41`.
    pub fn place(&self) -> String {
        self.line.map_or_else(|| self.file.to_owned(), |line| format!("{}:{line}", self.file))
    }

    /// What happened, in one line; empty unless the check failed.
    pub fn in_short(&self) -> String {
        let from = self.lines.iter().position(|line| line.words.trim_start().starts_with(WHAT_HAPPENED));
        let lines = self.lines[from.unwrap_or(self.lines.len())..].iter().enumerate();
        let paragraph =
            lines.take_while(|(index, line)| *index == 0 || line.words.starts_with("                  "));
        let words =
            paragraph.flat_map(|(_, line)| line.words.split_whitespace()).collect::<Vec<_>>().join(" ");
        words.strip_prefix(WHAT_HAPPENED).unwrap_or(&words).trim().to_owned()
    }

    /// All lines as text.
    pub fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |text, line| text + &line.words + "\n")
    }
}

/// The line that says `TODO 2`, counted from 1.
fn todo_line(text: &str, todo: u32) -> Option<usize> {
    let marker = format!("TODO {todo}");
    let stands_in = |line: &str| {
        line.split(&marker).skip(1).any(|after| !after.starts_with(|next: char| next.is_ascii_digit()))
    };
    text.lines().position(stands_in).map(|index| index + 1)
}

/// For a TODO that was begun and still throws or panics as an unfinished one does.
fn reached_a_todo(check: &Check) -> Said {
    let left = if check.file.ends_with(".rs") { "a `todo!(…)`" } else { "a `throw new Error('TODO …')`" };
    let words = format!("Your code reached {left} that is still in it: finish that branch, too.");
    plain(format!("  {WHAT_HAPPENED:<15} {words}"))
}

fn plain(words: impl Into<String>) -> Said {
    Said { voice: Voice::Plain, words: words.into() }
}

struct Telling<'a> {
    lab: &'a Lab,
    check: &'a Check,
    finding: &'a Finding,
    lines: Vec<Said>,
}

impl<'a> Telling<'a> {
    fn new(lab: &'a Lab, check: &'a Check, finding: &'a Finding) -> Self {
        Self { lab, check, finding, lines: Vec::new() }
    }

    fn told(mut self) -> Vec<Said> {
        if let Some(scene) = self.finding.scene {
            self.say(scene.says);
            self.lines.push(plain(""));
        }
        let difference = self
            .finding
            .expected
            .as_ref()
            .and_then(|expected| Difference::between(&expected.moments, &self.finding.observed.moments))
            .and_then(|difference| {
                if self.finding.failure.is_some() {
                    difference.until(self.finding.ended)
                } else {
                    Some(difference)
                }
            });
        match &difference {
            Some(difference) => self.show(difference),
            None if self.finding.scene.is_some() => self.show_what_happened(),
            None => {}
        }
        let explained = difference.as_ref().and_then(|difference| difference.explain(&self.finding.observed));
        // The check knows better than the picture.
        let happened = self.finding.failure.as_ref().map(sentence).or(explained);
        if let Some(happened) = happened {
            let when = self.finding.disturbed.as_ref();
            let when = when.map_or_else(String::new, |when| format!("When {when}: "));
            self.label(WHAT_HAPPENED, &format!("{when}{happened}"));
        }
        self.name_the_clause();
        if let [.., last] = self.finding.console.as_slice() {
            self.label("The console", &format!("its last line is: {last}"));
        }
        self.label("Try", self.check.experiment);
        self.label("Read", &format!("book/src/{}#{}", self.lab.chapter, self.check.section));
        if let Some(todo) = self.check.todo {
            self.label("Hint", &format!("cargo lab hint {}.{todo}", self.lab.number));
        }
        self.lines
    }

    /// The contract's own words for what was broken.
    fn name_the_clause(&mut self) {
        let Some(name) = self.finding.clause() else { return };
        let contract = self.lab.contract();
        if let Some(clause) = contract.clause(name) {
            self.label("The contract", &format!("{}.{name}: {}", self.lab.number, clause.text));
        }
    }

    fn say(&mut self, words: &str) {
        self.lines.extend(wrap(words, 92).into_iter().map(|line| plain(format!("  {line}"))));
    }

    /// `  Try            curl …`, wrapped with its label standing free.
    fn label(&mut self, label: &str, words: &str) {
        for (index, line) in wrap(words, 76).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.lines.push(plain(format!("  {label:<15} {line}")));
        }
    }

    fn show(&mut self, difference: &Difference<'_>) {
        for moment in difference.before {
            self.tell(Voice::Context, ' ', moment, "");
        }
        if difference.expected.is_empty() && difference.after.is_none() && !difference.goes_on {
            self.lines
                .push(Said { voice: Voice::Expected, words: "  - (nothing more)    expected".to_owned() });
        }
        // A play that ended here has nothing to hold against what was expected later.
        let told = difference.observed.len().clamp(1, FROM_THERE);
        for (index, moment) in difference.expected.iter().take(told).enumerate() {
            self.tell(Voice::Expected, '-', moment, if index == 0 { "expected" } else { "" });
        }
        if difference.observed.is_empty() && difference.after.is_none() {
            self.lines.push(Said { voice: Voice::Yours, words: "  + (nothing more)    yours".to_owned() });
        }
        for (index, moment) in difference.observed.iter().take(FROM_THERE).enumerate() {
            self.tell(Voice::Yours, '+', moment, if index == 0 { "yours" } else { "" });
        }
        if let Some(after) = difference.after
            && difference.observed.len() <= FROM_THERE
        {
            self.tell(Voice::Context, ' ', after, "");
        }
        self.lines.push(plain(""));
    }

    /// Where nobody knows what should have happened, the end of what did; in a play of a sweep from the disturbance on.
    fn show_what_happened(&mut self) {
        let moments = &self.finding.observed.moments;
        let disturbed = self.finding.disturbed.as_ref().and_then(|words| {
            let note = |moment: &Moment| matches!(&moment.what, What::Note(note) if words.starts_with(note.as_str()));
            moments.iter().position(note)
        });
        let from = disturbed
            .map_or(moments.len().saturating_sub(BEFORE + FROM_THERE), |at| at.saturating_sub(BEFORE));
        for moment in moments[from..].iter().take(2 * (BEFORE + FROM_THERE)) {
            self.tell(Voice::Context, ' ', moment, "");
        }
        if !moments.is_empty() {
            self.lines.push(plain(""));
        }
    }

    fn tell(&mut self, voice: Voice, mark: char, moment: &Moment, whose: &str) {
        let text = Transcript { moments: vec![moment.clone()] }.to_string();
        for (index, line) in text.lines().enumerate() {
            let line = shorten(line, 96);
            let mut words = format!("  {mark} {line}");
            if index == 0 && !whose.is_empty() {
                let _ = write!(words, "    {whose}");
            }
            self.lines.push(Said { voice, words });
        }
    }
}

/// What a failure says, in a sentence.
fn sentence(failure: &Failure) -> String {
    match failure {
        Failure::NotStarted(0) => "It came upon a TODO that is not started.".to_owned(),
        Failure::NotStarted(todo) => format!("It came upon TODO {todo}, which is not started."),
        Failure::Broken { words, .. } => words.clone(),
        Failure::Panicked { message, place } => format!("The server panicked at {place}: {message}"),
        Failure::Page(error) => error.to_string(),
    }
}
