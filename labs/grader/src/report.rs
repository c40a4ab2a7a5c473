//! What a student reads: the verdict, what was expected, what happened, what to try.
//!
//! The words are the same in a terminal and in the book's page.

use std::fmt::Write;

use wire::{Moment, Place, Transcript, What, When};

use crate::{
    align::meet,
    check::{Check, Failure, Finding, Lab, Standing, Verdict},
    invariant::bare,
    region::is_unchanged,
    text::plain as plain_text,
};

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
            .and_then(|expected| Difference::between(&expected.moments, &self.finding.observed.moments));
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
        if difference.expected.is_empty() && difference.after.is_none() {
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

/// The first place where two transcripts part.
struct Difference<'a> {
    before: &'a [Moment],
    /// What was expected from there on, up to where they agree again.
    expected: &'a [Moment],
    observed: &'a [Moment],
    /// Where they agree again, if they do.
    after: Option<&'a Moment>,
}

impl<'a> Difference<'a> {
    fn between(expected: &'a [Moment], observed: &'a [Moment]) -> Option<Self> {
        let same = expected.iter().zip(observed).take_while(|(a, b)| a == b).count();
        let (left, right) = (&expected[same..], &observed[same..]);
        if left.is_empty() && right.is_empty() {
            return None;
        }
        let (until_left, until_right) = meet(left, right).unwrap_or((left.len(), right.len()));
        Some(Self {
            after: left.get(until_left),
            before: &expected[same.saturating_sub(BEFORE)..same],
            expected: &left[..until_left],
            observed: &right[..until_right],
        })
    }

    /// What the difference means, as far as the transcripts alone can tell.
    fn explain(&self, observed: &Transcript) -> Option<String> {
        match (self.expected, self.observed) {
            ([missing, ..], []) => Some(format!("{} is missing.", name(missing))),
            ([], [extra, ..]) => {
                let before = &observed.moments[..position(&observed.moments, extra)];
                let again = before
                    .iter()
                    .any(|moment| moment.place == extra.place && alike(&moment.what, &extra.what));
                Some(if again {
                    format!("{} comes a second time.", name(extra))
                } else {
                    format!("{} should not be there.", name(extra))
                })
            }
            ([expected, ..], [yours, ..]) => Some(explain_pair(expected, yours, self)),
            ([], []) => None,
        }
    }
}

fn position(moments: &[Moment], wanted: &Moment) -> usize {
    moments.iter().rposition(|moment| std::ptr::eq(moment, wanted)).unwrap_or(moments.len())
}

/// The same event, message or request, apart from when and on which exchange.
fn alike(one: &What, other: &What) -> bool {
    one == other
        && matches!(one, What::Event { .. } | What::Message(_) | What::Request { .. } | What::Said(..))
}

fn explain_pair(expected: &Moment, yours: &Moment, difference: &Difference<'_>) -> String {
    if expected.what == yours.what && expected.place == yours.place {
        return match (expected.when, yours.when) {
            (When::At(then), When::At(now)) if now > then => {
                format!("{} comes {} ms too late.", name(yours), now - then)
            }
            (When::At(then), When::At(now)) if now < then => {
                format!("{} comes {} ms too early.", name(yours), then - now)
            }
            _ if expected.exchange != yours.exchange => {
                format!("{} comes on another connection than it should.", name(yours))
            }
            _ => format!("{} comes at another time than it should.", name(yours)),
        };
    }
    let later = difference.observed.iter().any(|moment| alike(&moment.what, &expected.what));
    match (&expected.what, &yours.what) {
        (
            What::Event { id: Some(a), name: kind, data },
            What::Event { id: Some(b), name: other, data: theirs },
        ) => {
            if kind != other {
                return format!("The event's type is `{other}`; the contract says `{kind}`.");
            }
            match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) if b > a && !later => {
                    let lost = if b - a == 1 {
                        format!("Event {a} is")
                    } else {
                        format!("Events {a} to {} are", b - 1)
                    };
                    format!("{lost} lost: the stream goes on with {b}.")
                }
                (Ok(a), Ok(b)) if b > a => format!("Event {b} comes before event {a}."),
                (Ok(a), Ok(b)) if b < a => format!("Event {b} comes again, or too late: {a} is next."),
                _ if a != b => format!("The event's ID is `{b}`; expected is `{a}`."),
                _ if data != theirs => "The event is the right one; its data is not.".to_owned(),
                _ => format!("{} instead of {}.", name(yours), name(expected)),
            }
        }
        (What::Event { id: Some(_), .. }, What::Event { id: None, .. }) => {
            "The event carries no `id`: a client that comes back will not know where it was.".to_owned()
        }
        (What::Response { status: a, .. }, What::Response { status: b, .. }) if a != b => {
            format!("The answer's status is {b}; the contract says {a}.")
        }
        (What::Response { content_type: a, .. }, What::Response { content_type: b, .. }) if a != b => {
            format!(
                "The answer's content type is {}; the contract says {}.",
                b.as_deref().unwrap_or("missing"),
                a.as_deref().unwrap_or("that there is none")
            )
        }
        (What::Response { headers: a, .. }, What::Response { headers: b, .. }) if a != b => {
            headers_differ("The answer", a, b)
        }
        (What::Request { headers: a, target: x, .. }, What::Request { headers: b, target: y, .. })
            if x == y && a != b =>
        {
            headers_differ("The request", a, b)
        }
        (What::Request { target: a, .. }, What::Request { target: b, .. }) if a != b => {
            format!("The client asks for {b}; expected is {a}.")
        }
        (What::Said(label, a), What::Said(other, b)) if label == other => {
            format!("`{label}` is told {}; expected is {}.", bare(b), bare(a))
        }
        _ => format!("{} comes where {} should.", name(yours), lower(&name(expected))),
    }
}

/// Which header one message lacks, or has too much, or has with another value.
fn headers_differ(whose: &str, expected: &[(String, String)], yours: &[(String, String)]) -> String {
    let value = |name: &String| yours.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    match expected.iter().find(|header| !yours.contains(header)) {
        Some((name, should)) => match value(name) {
            Some(is) => format!("{whose} has `{name}: {is}`; expected is `{name}: {should}`."),
            None => format!("{whose} should have the header `{name}: {should}`."),
        },
        None => {
            let more = yours.iter().find(|header| !expected.contains(header));
            format!("{whose} has a header too many: `{}`.", more.map_or("", |(name, _)| name))
        }
    }
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

/// What a moment is called in a sentence that begins with it.
fn name(moment: &Moment) -> String {
    match &moment.what {
        What::Request { method, target, .. } => format!("The request {method} {target}"),
        What::Response { status, .. } => format!("The answer {status}"),
        What::Body(data) => format!("The body {}", bare(data)),
        What::Event { name, id: Some(id), .. } => format!("The event `{name}` with ID {id}"),
        What::Event { name, id: None, .. } => format!("An event `{name}` without ID"),
        What::Id(id) => format!("A block that only sets the ID {id}"),
        What::Retry(..) => "The reconnection time".to_owned(),
        What::Comment => "A comment".to_owned(),
        What::End => "The end of the stream".to_owned(),
        What::Abort => "The client closing the connection".to_owned(),
        What::Message(data) => format!("The message {}", bare(data)),
        What::Ping => "A ping".to_owned(),
        What::Pong => "A pong".to_owned(),
        What::Close(Some(code), _) => format!("The close frame with code {code}"),
        What::Close(None, _) => "A close frame without a code".to_owned(),
        What::Cut | What::Hold | What::Heal => "The weather".to_owned(),
        What::Refused => "A refused connection".to_owned(),
        What::Said(label, data) if moment.place == Place::Page => {
            format!("`{label}` being told {}", bare(data))
        }
        What::Said(label, _) => format!("`{label}`"),
        What::Note(words) => format!("The note “{words}”"),
    }
}

/// At most `width` characters; what is cut off is marked.
fn shorten(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width - 1).chain(['…']).collect()
}

/// Breaks words into lines of at most `width` characters, but never within a word or between two backquotes: what is
/// quoted keeps its spaces.
fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in unbreakable(words) {
        let line = lines.last_mut().expect("there is always a last line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The pieces of a text between which a line may be broken.
fn unbreakable(text: &str) -> Vec<&str> {
    let (mut pieces, mut from, mut quoted) = (Vec::new(), None, false);
    for (index, char) in text.char_indices() {
        if char == '`' {
            // A quote that nothing closes is none.
            quoted = !quoted && text[index + 1..].contains('`');
        }
        match (char.is_whitespace() && !quoted, from) {
            (true, Some(start)) => {
                pieces.push(&text[start..index]);
                from = None;
            }
            (false, None) => from = Some(index),
            _ => {}
        }
    }
    pieces.extend(from.map(|start| &text[start..]));
    pieces
}

/// The body of an insta snapshot: what stands below its header.
fn snapshot_body(file: &str) -> &str {
    let body =
        file.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or(file, |(_, body)| body);
    body.trim_end_matches('\n')
}

/// The transcript that a snapshot holds.
///
/// # Errors
/// A sentence, where the snapshot was changed by hand or cannot be read.
pub fn snapshot_transcript(name: &str, file: &str) -> Result<Transcript, String> {
    let file = plain_text(file);
    let body = snapshot_body(&file);
    let intact = file.lines().any(|line| line.starts_with("description:") && line.contains(&seal(body)));
    if !intact {
        return Err(format!(
            "The snapshot tests/snapshots/{name}.snap has been changed: it is what the lab asks for, and no longer fits its seal. `git checkout -- '*.snap'` brings it back."
        ));
    }
    Transcript::parse(body)
        .map_err(|error| format!("The snapshot tests/snapshots/{name}.snap cannot be read: {error}."))
}

/// What a snapshot's header says of its body, so that a change by hand is noticed (FNV-1a, 64 bits).
pub(crate) fn seal(body: &str) -> String {
    let hash = body.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("seal {hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_means_the_same_with_the_line_ends_of_any_machine() {
        let body = "     0 ms  note             hi\n     5 ms  note             there";
        let file = format!("---\nsource: x\ndescription: d · {}\n---\n{body}\n", seal(body));
        let read = snapshot_transcript("name", &file).expect("it is whole");
        assert_eq!(read.moments.len(), 2);
        for file in [file.replace('\n', "\r\n"), format!("\u{feff}{file}")] {
            assert_eq!(snapshot_transcript("name", &file).as_ref(), Ok(&read));
        }
        let changed = file.replace("there", "here").replace('\n', "\r\n");
        let why = snapshot_transcript("name", &changed).expect_err("its seal is another's");
        assert!(why.contains("has been changed"), "{why}");
    }
}
