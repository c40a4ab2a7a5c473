//! Contract coverage: each clause is checked by a scene and broken by a wrong answer that breaks nothing else; each open
//! one is used by a right answer.

use grader::contract::{Clause, Contract};
use serde::Deserialize;

use crate::diff::Answer;
use crate::repo::Lab;

/// A scene and what it checks, as a lab's test binary lists them (`--clauses`).
#[derive(Debug, Deserialize)]
pub(super) struct Scene {
    scene: String,
    check: String,
    file: String,
    todo: Option<u32>,
    clauses: Vec<String>,
}

/// The checks that an answer can fail which changes only these files: those of its half, and the one of both.
pub(super) fn checks_of(scenes: &[Scene], changed: &[String]) -> Vec<String> {
    let changes = |half: &str| changed.iter().any(|name| name.starts_with(half));
    let (server, client) = (changes("src/"), changes("web/"));
    let mut names: Vec<String> = scenes
        .iter()
        .filter(|scene| scene.todo.is_none() || if scene.file.starts_with("src/") { server } else { client })
        .map(|scene| scene.check.clone())
        .collect();
    names.dedup();
    names
}

/// What covers one clause.
struct Covered<'a> {
    clause: &'a Clause<'a>,
    scenes: Vec<&'a str>,
    wrong: Vec<String>,
    right: Vec<String>,
}

impl Covered<'_> {
    fn is_whole(&self) -> bool {
        if self.clause.is_open() {
            !self.right.is_empty()
        } else {
            !self.scenes.is_empty() && !self.wrong.is_empty()
        }
    }

    fn line(&self, lab: u32) -> String {
        let mark = if self.is_whole() { ' ' } else { '!' };
        let name = format!("{lab}.{}", self.clause.name);
        let first = |names: &[String]| match names {
            [] => "-".to_owned(),
            [one] => one.clone(),
            [one, rest @ ..] => format!("{one} (+{})", rest.len()),
        };
        if self.clause.is_open() {
            return format!("{mark} {name:<34} open       {}", first(&self.right));
        }
        let scenes = match self.scenes.len() {
            1 => "1 scene".to_owned(),
            many => format!("{many} scenes"),
        };
        format!("{mark} {name:<34} {scenes:<10} {}", first(&self.wrong))
    }
}

/// How much of a contract is covered.
pub(super) struct Coverage {
    /// The table, a line for each clause.
    pub(super) table: Vec<String>,
    /// How many clauses are covered, and how many there are.
    pub(super) covered: usize,
    pub(super) clauses: usize,
    /// What names a clause that the contract does not have.
    pub(super) unknown: Vec<String>,
}

/// Holds the three sides together.
pub(super) fn coverage(
    lab: &Lab,
    contract: &Contract<'_>,
    scenes: &[Scene],
    wrong: &[Answer],
    right: &[Answer],
) -> Coverage {
    let number = lab.number.0;
    let full = |clause: &Clause<'_>| format!("{number}.{}", clause.name);
    let naming = |answers: &[Answer], key: &str, clause: &Clause<'_>| -> Vec<String> {
        let names = answers.iter().filter(|answer| answer.all(key).any(|name| name == full(clause)));
        names.map(Answer::name).collect()
    };
    let covered: Vec<Covered<'_>> = contract
        .clauses()
        .map(|clause| Covered {
            clause,
            scenes: scenes
                .iter()
                .filter(|scene| scene.clauses.iter().any(|name| name == clause.name))
                .map(|scene| scene.scene.as_str())
                .collect(),
            wrong: naming(wrong, "breaks", clause),
            right: naming(right, "uses", clause),
        })
        .collect();
    let mut unknown = Vec::new();
    for scene in scenes {
        if scene.clauses.is_empty() && scene.todo.is_some() {
            unknown.push(format!("{} names no clause.", scene.scene));
        }
        for name in &scene.clauses {
            match contract.clause(name) {
                None => unknown
                    .push(format!("{} checks `{name}`, and the contract has no such clause.", scene.scene)),
                Some(clause) if clause.is_open() => {
                    unknown.push(format!("{} checks `{name}`, and that is open.", scene.scene));
                }
                Some(clause) if scene.todo.is_some_and(|todo| todo != clause.todo()) => {
                    unknown.push(format!("{} checks `{name}`, which is of another TODO.", scene.scene));
                }
                Some(_) => {}
            }
        }
    }
    let known = |name: &str, open: bool| {
        contract.clauses().any(|clause| full(clause) == name && clause.is_open() == open)
    };
    for (answers, key, open) in [(wrong, "breaks", false), (right, "uses", true)] {
        for answer in answers {
            let names = answer.all(key).filter(|name| !known(name, open));
            unknown.extend(
                names.map(|name| format!("{}: `# {key}: {name}` names no such clause.", answer.name())),
            );
        }
    }
    Coverage {
        table: covered.iter().map(|covered| covered.line(number)).collect(),
        covered: covered.iter().filter(|covered| covered.is_whole()).count(),
        clauses: covered.len(),
        unknown,
    }
}
