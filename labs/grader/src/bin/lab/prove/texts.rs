//! One text: what README, chapter, comments and the grader say of a lab's contract is what `contract.md` says.

use std::fs;
use std::path::PathBuf;

use grader::contract::{Contract, readme};
use grader::{fingerprint, regions};

use crate::diff;
use crate::repo::{Files, Lab, Repo};
use crate::sentence::{Result, Sentence};

/// Where the README's part begins (`<!-- contract: 1 to 4 -->`) and ends.
const BEGINS: &str = "<!-- contract: ";
const ENDS: &str = "<!-- end of contract -->";
/// What students begin with, in fingerprints.
const START: &str = "tests/start.txt";

/// The text of a lab's contract.
pub(super) fn read(lab: &Lab) -> Result<String> {
    let path = lab.folder.join("contract.md");
    let text = fs::read_to_string(&path).map_err(|error| Sentence::io("read", &path, error))?;
    Ok(text.replace("\r\n", "\n"))
}

/// Reads it as a contract.
pub(super) fn parse<'a>(lab: &Lab, text: &'a str) -> Result<Contract<'a>> {
    Contract::parse(text).map_err(|fault| Sentence::new(format!("labs/{}/contract.md, {fault}", lab.name)))
}

/// Every place that does not say what the contract says. With `accept`, what can be written is written.
pub(super) fn drift(
    repo: &Repo,
    lab: &Lab,
    contract: &Contract<'_>,
    start: &Files,
    accept: bool,
) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for (path, should) in [readme_of(lab, contract)?, start_of(lab, contract, start)?] {
        let is = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        match should {
            Err(complaint) => complaints.push(complaint),
            Ok(should) if is == should => {}
            Ok(should) if accept => {
                fs::write(&path, should).map_err(|error| Sentence::io("write", &path, error))?;
            }
            Ok(should) => complaints.push(format!(
                "{} is not what contract.md and the start make of it; `--accept` writes it:\n{}",
                repo.show(&path),
                diff::unified(&is, &should, "now", "from contract.md")
            )),
        }
    }
    complaints.extend(comments(contract, start));
    complaints.extend(chapter(repo, lab, contract)?);
    Ok(complaints)
}

type Written = (PathBuf, std::result::Result<String, String>);

/// The README with its parts made from the contract.
fn readme_of(lab: &Lab, contract: &Contract<'_>) -> Result<Written> {
    let path = lab.folder.join("README.md");
    let text = fs::read_to_string(&path).map_err(|error| Sentence::io("read", &path, error))?;
    let text = text.replace("\r\n", "\n");
    let mut made = String::new();
    let mut rest = text.as_str();
    let mut shown = Vec::new();
    while let Some((before, after)) = rest.split_once(BEGINS) {
        let parts = after.split_once(" -->").and_then(|(which, after)| {
            let (from, to) = which.split_once(" to ")?;
            let (_, after) = after.split_once(ENDS)?;
            Some((which, from.parse::<u32>().ok()?..=to.parse::<u32>().ok()?, after))
        });
        let Some((which, todos, after)) = parts else {
            return Ok((path, Err(format!("README.md: after `{BEGINS}` come `1 to 4 -->`, and `{ENDS}`."))));
        };
        shown.extend(todos.clone());
        made += &format!("{before}{BEGINS}{which} -->\n\n{}{ENDS}", readme(contract, lab.number.0, todos));
        rest = after;
    }
    made += rest;
    let missing: Vec<_> = contract.sections.iter().filter_map(|section| section.todo).collect();
    if shown != missing {
        let complaint = format!("README.md shows the contract of {shown:?}; contract.md has {missing:?}.");
        return Ok((path, Err(complaint)));
    }
    Ok((path, Ok(made)))
}

/// The fingerprints of what students begin with.
fn start_of(lab: &Lab, contract: &Contract<'_>, start: &Files) -> Result<Written> {
    let mut text = String::new();
    for todo in contract.sections.iter().filter_map(|section| section.todo) {
        let found: Vec<String> = sources(start).map(|(_, source)| regions(source, todo)).collect();
        text += &format!("TODO {todo}: {}\n", fingerprint(&found.concat()));
    }
    Ok((lab.folder.join(START), Ok(text)))
}

/// The student's files that are text.
fn sources(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    files
        .iter()
        .filter(|(name, _)| name.ends_with(".rs") || name.ends_with(".js"))
        .filter_map(|(name, bytes)| Some((name.as_str(), std::str::from_utf8(bytes).ok()?)))
}

/// The comment at each TODO begins with the contract's summary.
fn comments(contract: &Contract<'_>, start: &Files) -> Vec<String> {
    let said: Vec<String> = sources(start).map(|(_, text)| prose(text)).collect();
    let missing = contract.sections.iter().filter_map(|section| {
        let comment = format!("TODO {}: {}", section.todo?, section.summary);
        let is_there = said.iter().any(|text| text.contains(&comment));
        (!is_there).then(|| format!("No comment in the lab's files begins like this: {comment}"))
    });
    missing.collect()
}

/// A source's words without comment signs, in one line.
fn prose(text: &str) -> String {
    let words = text.lines().flat_map(|line| {
        let line = line.trim_start();
        let signs = ["///", "//!", "//", "* "];
        signs.iter().find_map(|sign| line.strip_prefix(sign)).unwrap_or(line).split_whitespace()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The chapter shows each section.
fn chapter(repo: &Repo, lab: &Lab, contract: &Contract<'_>) -> Result<Vec<String>> {
    let folder = repo.root.join("book/src");
    let begins = format!("{:02}-", lab.number.0);
    let trouble = |error| Sentence::io("list", &folder, error);
    let mut chapter = None;
    for entry in fs::read_dir(&folder).map_err(trouble)? {
        let path = entry.map_err(trouble)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begins)) {
            chapter = Some(path);
        }
    }
    let Some(path) = chapter else { return Ok(vec![format!("book/src has no chapter {begins}….md.")]) };
    let text = fs::read_to_string(&path).map_err(|error| Sentence::io("read", &path, error))?;
    let missing = contract.sections.iter().filter_map(|section| {
        let line = format!("{{{{#contract ../../labs/{}/contract.md:{}}}}}", lab.name, section.todo?);
        (!text.contains(&line)).then(|| format!("{} lacks the line {line}", repo.show(&path)))
    });
    Ok(missing.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_signs_and_line_ends_do_not_count() {
        let rust = "/// TODO 1: Each update is\n/// one event.\nfn event() {}\n";
        let js = "  // TODO 5: One `EventSource`:\n  // it is opened.\n";
        assert!(prose(rust).contains("TODO 1: Each update is one event."));
        assert!(prose(js).contains("TODO 5: One `EventSource`: it is opened."));
    }
}
