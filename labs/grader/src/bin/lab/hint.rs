//! `cargo lab hint 3.2`: three hints for each TODO, each saying a little more than the one before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use crate::paint::{self, Paint, say};
use crate::repo::{Lab, Number, Repo};
use crate::report::Report;
use crate::sentence::{Result, Sentence};

/// Longer lines are hard to read, however wide the terminal is.
const WIDEST: usize = 80;

/// A TODO as it is typed: `3.2`, or `3` for the next one that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    lab: Number,
    todo: Option<u32>,
}

/// Which hints to show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// The first one not shown yet.
    Next,
    /// This one, counted from 1.
    Tier(usize),
    /// All of them.
    All,
}

/// One hint: its heading and its text.
#[derive(Debug, PartialEq, Eq)]
struct Hint {
    heading: String,
    text: String,
}

/// How many hints of each TODO (`3.2`) have been shown.
type Shown = BTreeMap<String, usize>;

/// Prints a hint.
pub(crate) fn hint(repo: &Repo, step: Step, which: Which, paint: Paint) -> Result<()> {
    let lab = repo.lab(step.lab)?;
    let todo = match step.todo {
        Some(todo) => todo,
        None => next_todo(repo, &lab)?,
    };
    let path = lab.folder.join("hints.md");
    let text = std::fs::read_to_string(&path).map_err(|error| Sentence::io("read", &path, error))?;
    let todos = parse(&text);
    let Some(hints) = todos.get(&todo).filter(|hints| !hints.is_empty()) else {
        let there_are: Vec<String> = todos.keys().map(u32::to_string).collect();
        return Err(Sentence::new(format!(
            "{} has no hints for TODO {todo} of lab {}; it has some for TODO {}.",
            repo.show(&path),
            lab.number,
            there_are.join(", ")
        )));
    };

    let key = format!("{}.{todo}", lab.number);
    let mut shown = recall(repo);
    let before = shown.get(&key).copied().unwrap_or(0);
    let range = match which {
        Which::All => 0..hints.len(),
        Which::Tier(tier) if (1..=hints.len()).contains(&tier) => tier - 1..tier,
        Which::Tier(tier) => {
            return Err(Sentence::new(format!(
                "TODO {key} has {} hints; there is no number {tier}.",
                hints.len()
            )));
        }
        Which::Next => {
            let tier = before.min(hints.len() - 1);
            tier..tier + 1
        }
    };
    let width = paint::columns().unwrap_or(WIDEST).min(WIDEST);
    for (place, hint) in hints.iter().enumerate().take(range.end).skip(range.start) {
        say!(
            "{}",
            paint.bold(format!("TODO {key} · hint {} of {} · {}", place + 1, hints.len(), hint.heading))
        );
        say!("\n{}\n", wrap(&hint.text, width));
    }
    if range.end < hints.len() {
        say!("{}", paint.dim(format!("The next one: cargo lab hint {key}")));
    } else if range.start > 0 {
        say!("{}", paint.dim(format!("That was the last one. All together: cargo lab hint {key} --all")));
    }
    // A tier asked for by name moves nothing: the next plain call goes on where the last one was.
    if matches!(which, Which::Next) && range.end > before {
        shown.insert(key, range.end);
        remember(repo, &shown)?;
    }
    Ok(())
}

/// Forgets which hints of a lab were shown.
pub(crate) fn forget(repo: &Repo, lab: &Lab) -> Result<()> {
    let mut shown = recall(repo);
    let before = shown.len();
    let prefix = format!("{}.", lab.number);
    shown.retain(|key, _| !key.starts_with(&prefix));
    if shown.len() == before {
        return Ok(());
    }
    remember(repo, &shown)
}

/// The TODO to work on, by the last grading.
fn next_todo(repo: &Repo, lab: &Lab) -> Result<u32> {
    let next = Report::read(&repo.report(lab)).and_then(|report| report.next()?.todo);
    next.ok_or_else(|| {
        Sentence::new(format!("Which TODO of lab {0}? Write `cargo lab hint {0}.1` for TODO 1.", lab.number))
    })
}

/// The hints by TODO: `## TODO 2` begins one, `### 1 · A question` begins a hint.
fn parse(text: &str) -> BTreeMap<u32, Vec<Hint>> {
    let mut todos: BTreeMap<u32, Vec<Hint>> = BTreeMap::new();
    let mut todo = None;
    let mut hint: Option<Hint> = None;
    let mut fenced = false;
    let mut close = |todo: Option<u32>, hint: Option<Hint>| {
        if let (Some(todo), Some(mut hint)) = (todo, hint) {
            hint.text = hint.text.trim().to_owned();
            todos.entry(todo).or_default().push(hint);
        }
    };
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced && line.starts_with("# ") {
            close(todo.take(), hint.take());
        } else if let Some(heading) = line.strip_prefix("## ").filter(|_| !fenced) {
            close(todo, hint.take());
            todo = heading.strip_prefix("TODO ").and_then(|rest| {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().ok()
            });
        } else if let Some(heading) = line.strip_prefix("### ").filter(|_| !fenced) {
            close(todo, hint.take());
            // The number is ours to say: "hint 1 of 3".
            let heading =
                heading.trim_start_matches(|c: char| c.is_ascii_digit() || " ·.:".contains(c)).to_owned();
            hint = Some(Hint { heading, text: String::new() });
        } else if let Some(hint) = &mut hint {
            hint.text.push_str(line);
            hint.text.push('\n');
        }
    }
    close(todo, hint.take());
    todos
}

/// Breaks long lines between words, but never in code.
fn wrap(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced || line.chars().count() <= width {
            lines.push(line.to_owned());
            continue;
        }
        let mut words = line.split_whitespace();
        let mut now = words.next().unwrap_or_default().to_owned();
        for word in words {
            if now.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut now));
            } else {
                now.push(' ');
            }
            now.push_str(word);
        }
        lines.push(now);
    }
    lines.join("\n")
}

fn memory(repo: &Repo) -> PathBuf {
    repo.memory().join("hints.json")
}

/// What was shown before; a file that is not whole counts as nothing shown.
fn recall(repo: &Repo) -> Shown {
    std::fs::read(memory(repo)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn remember(repo: &Repo, shown: &Shown) -> Result<()> {
    let path = memory(repo);
    let trouble = |error| Sentence::io("remember in", &path, error);
    std::fs::create_dir_all(repo.memory()).map_err(trouble)?;
    let text = serde_json::to_string_pretty(shown).expect("numbers by name are JSON");
    std::fs::write(&path, text).map_err(trouble)
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (lab, todo) = match text.split_once('.') {
            Some((lab, todo)) => (lab, Some(todo)),
            None => (text, None),
        };
        let todo = todo
            .map(u32::from_str)
            .transpose()
            .map_err(|_| format!("`{text}` is not a TODO; write `3.2` for TODO 2 of lab 3"))?;
        Ok(Self { lab: lab.parse()?, todo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words_and_code_does_not() {
        let text = wrap("one two three\n```\nlet one_two_three = 4;\n```\nfour", 8);
        assert_eq!(text, "one two\nthree\n```\nlet one_two_three = 4;\n```\nfour");
    }

    #[test]
    fn hints_are_read_by_todo_and_tier() {
        let todos = parse(
            "# Hints\nIntro.\n\n## TODO 2 · resume\n\n### 1 · A question\nWhy?\n\n\
             ### 2 · Where to look\n```rust\n### not a heading\n```\n## TODO 3\n\
             ### 1 · A question\nHow?\n",
        );
        assert_eq!(todos.len(), 2, "two TODOs");
        let two = &todos[&2];
        assert_eq!(two.len(), 2, "a heading inside a fence is code");
        assert_eq!(two[0].heading, "A question", "without its number");
        assert_eq!(two[0].text, "Why?", "without blank lines around");
        assert!(two[1].text.contains("### not a heading"), "the code stays");
        assert_eq!(todos[&3][0].text, "How?", "the last hint counts too");
    }
}
