//! A lab's contract: what each TODO must do, in clauses that have names.
//!
//! Every lab has one file, `contract.md`, and everything else that states the contract comes from it or is compared
//! with it: the section in the lab's README, the box in the chapter, the comment at the TODO, the sentence in the
//! grader's message.
//!
//! ```text
//! # The contract of lab 3
//!
//! Anything, up to the first section.
//!
//! ## 1 · Each update is an event
//!
//! Each update is one event: type `price`, its number as ID, its data as JSON.
//!
//! - `1.one-event`: Every update that is published becomes one event, in order.
//! - `1.open.order`: The order of fields and of JSON keys.
//! ```
//!
//! A section is of one TODO, or of `Both halves`. Its first paragraph is its summary; then come its clauses. What a
//! clause named `N.open.…` speaks of is left to the student.
//!
//! This crate reads text and knows no file: callers include it or read it.

use std::fmt;

/// A lab's contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract<'a> {
    /// Its sections, in order.
    pub sections: Vec<Section<'a>>,
}

/// What is asked of one TODO, or of both halves together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The TODO's number; nothing for the section of both halves.
    pub todo: Option<u32>,
    /// The title: `Each update is an event`.
    pub title: &'a str,
    /// The summary, in one or two sentences, on one line.
    pub summary: String,
    /// The clauses, in order.
    pub clauses: Vec<Clause<'a>>,
}

/// One statement of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause<'a> {
    /// Its name without the lab's number: `1.one-event`.
    pub name: &'a str,
    /// What must hold, or what is left open: Markdown, on one line.
    pub text: String,
}

/// What is wrong with the text of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it, in a sentence.
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

impl std::error::Error for Fault {}

impl Clause<'_> {
    /// Whether it names what is left to the student.
    pub fn is_open(&self) -> bool {
        self.name.split('.').nth(1) == Some("open")
    }

    /// The TODO that it belongs to.
    pub fn todo(&self) -> u32 {
        todo_of(self.name).unwrap_or_default()
    }
}

/// The TODO that a clause's name begins with.
fn todo_of(name: &str) -> Option<u32> {
    name.split_once('.')?.0.parse().ok()
}

impl<'a> Contract<'a> {
    /// Reads a contract.
    ///
    /// # Errors
    /// The first line that is not as the crate's documentation says, or a name that comes twice.
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut sections: Vec<Section<'a>> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let fault = |sentence: String| Fault { line: index + 1, sentence };
            if let Some(heading) = line.strip_prefix("## ") {
                let section = heading_of(heading).ok_or_else(|| {
                    fault(format!("`## {heading}` is not `## 1 · Title` or `## Both halves · Title`."))
                })?;
                if sections.iter().any(|other| other.todo == section.todo) {
                    return Err(fault(format!("There is a section like `{heading}` already.")));
                }
                sections.push(section);
                continue;
            }
            let Some(section) = sections.last_mut() else { continue };
            if line.trim().is_empty() {
                continue;
            }
            if let Some(item) = line.strip_prefix("- ") {
                let clause = clause_of(item)
                    .ok_or_else(|| fault(format!("`{line}` is not ``- `1.name`: what must hold``.")))?;
                if todo_of(clause.name) != section.todo {
                    return Err(fault(format!("`{}` is not a name for this section.", clause.name)));
                }
                if section.clauses.iter().any(|other| other.name == clause.name) {
                    return Err(fault(format!("There is a clause `{}` already.", clause.name)));
                }
                section.clauses.push(clause);
            } else if let Some(clause) = section.clauses.last_mut() {
                if !line.starts_with("  ") {
                    return Err(fault(
                        "After the clauses nothing else may come; indent a clause's next line by two spaces."
                            .to_owned(),
                    ));
                }
                join(&mut clause.text, line);
            } else {
                join(&mut section.summary, line);
            }
        }
        match sections.iter().find(|section| section.summary.is_empty()) {
            Some(section) => {
                Err(Fault { line: 0, sentence: format!("The section `{}` has no summary.", section.title) })
            }
            None => Ok(Self { sections }),
        }
    }

    /// The section of a TODO, or of both halves.
    pub fn section(&self, todo: Option<u32>) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.todo == todo)
    }

    /// All clauses, in order.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause<'a>> {
        self.sections.iter().flat_map(|section| &section.clauses)
    }

    /// The clause of this name (`1.one-event`).
    pub fn clause(&self, name: &str) -> Option<&Clause<'a>> {
        self.clauses().find(|clause| clause.name == name)
    }
}

impl Section<'_> {
    /// The clauses as a list in Markdown, with the lab's number before each name; what is open comes last, and says so.
    pub fn list(&self, lab: u32) -> String {
        let (open, closed): (Vec<_>, Vec<_>) = self.clauses.iter().partition(|clause| clause.is_open());
        let mut text = String::new();
        for clause in closed {
            text += &format!("- {} `{lab}.{}`\n", clause.text, clause.name);
        }
        for clause in open {
            text += &format!("- *Open:* {} `{lab}.{}`\n", clause.text, clause.name);
        }
        text
    }
}

/// What a README shows of some sections: titles, summaries and clauses, numbered as the TODOs are.
pub fn readme(contract: &Contract<'_>, lab: u32, todos: std::ops::RangeInclusive<u32>) -> String {
    let mut text = String::new();
    for section in &contract.sections {
        let Some(todo) = section.todo.filter(|todo| todos.contains(todo)) else { continue };
        text += &format!("### {todo} · {}\n\n{}\n\n{}\n", section.title, section.summary, section.list(lab));
    }
    text
}

fn heading_of(heading: &str) -> Option<Section<'_>> {
    let (which, title) = heading.split_once(" · ")?;
    let todo = if which == "Both halves" { None } else { Some(which.parse().ok()?) };
    Some(Section { todo, title: title.trim(), summary: String::new(), clauses: Vec::new() })
}

fn clause_of(item: &str) -> Option<Clause<'_>> {
    let (name, text) = item.strip_prefix('`')?.split_once("`:")?;
    let is_name = name.split('.').skip(1).count() >= 1
        && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-'));
    (is_name && !text.trim().is_empty()).then(|| Clause { name, text: text.trim().to_owned() })
}

fn join(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(line.trim());
}
