//! `mutants.txt` beside a solution: the mutants that no check can tell from it, each with its reason.
//!
//! ```text
//! TODO 6 in web/client.js
//! - failures += 1;
//! + failures += 2;
//! open: 3.6.open.wait
//! ```
//!
//! Several that have one reason stand in one entry, with a line `or` between them. Lines that begin with `#` are
//! comments, a blank line ends an entry, and an indented line continues the reason.

use std::collections::HashSet;
use std::path::Path;

use crate::repo::Lab;
use crate::sentence::{Result, Sentence};
use crate::source::{Hunk, Name};

/// The file's name, beside the solution.
pub(crate) const FILE: &str = "mutants.txt";

/// What is listed of a lab.
#[derive(Debug, Default)]
pub(crate) struct List {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Where it stands in the file.
    line: usize,
    names: Vec<Name>,
    reason: String,
}

impl List {
    /// Reads a lab's list; one that is not there is empty.
    pub(crate) fn read(lab: &Lab) -> Result<Self> {
        let path = lab.solution.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Sentence::io("read", &path, error)),
        };
        let list = Self::parse(&text)
            .map_err(|complaint| Sentence::new(format!("{}, {complaint}", path.display())))?;
        list.clauses_exist(&lab.folder.join("contract.md"))
            .map_err(|complaint| Sentence::new(format!("{}, {complaint}", path.display())))?;
        Ok(list)
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut open: Option<Entry> = None;
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
            let wrong = |what: &str| Err(format!("line {number}: {what}"));
            if line.trim().is_empty() {
                entries.extend(open.take().map(Entry::whole).transpose()?);
                continue;
            }
            if line.starts_with('#') {
                continue;
            }
            let Some(entry) = &mut open else {
                let Some(name) = place(line) else {
                    return wrong("an entry begins with a line like `TODO 6 in web/client.js`.");
                };
                open = Some(Entry { line: number, names: vec![name], reason: String::new() });
                continue;
            };
            let last = entry.names.last_mut().expect("an entry begins with one");
            if !entry.reason.is_empty() {
                if !line.starts_with(' ') {
                    return wrong("after the reason comes a blank line.");
                }
                entry.reason.push(' ');
                entry.reason.push_str(line.trim());
            } else if let Some(old) = line.strip_prefix("- ") {
                last.hunk.old.push(old.trim().to_owned());
            } else if let Some(new) = line.strip_prefix("+ ") {
                last.hunk.new.push(new.trim().to_owned());
            } else if let Some(rest) = line.strip_prefix("or") {
                let mut next = last.clone();
                next.hunk = Hunk::default();
                next.nth = nth(rest).unwrap_or(1);
                entry.names.push(next);
            } else if line.starts_with("equivalent: ") || line.starts_with("open: ") {
                entry.reason = line.to_owned();
            } else {
                return wrong("the reason is `equivalent: WHY` or `open: CLAUSE`.");
            }
        }
        entries.extend(open.map(Entry::whole).transpose()?);
        let mut names = HashSet::new();
        for entry in &entries {
            if let Some(twice) = entry.names.iter().find(|name| !names.insert(*name)) {
                return Err(format!("line {}: this is listed twice:\n{twice}", entry.line));
            }
        }
        Ok(Self { entries })
    }

    /// A clause that is said to leave something open stands in the contract.
    fn clauses_exist(&self, contract: &Path) -> std::result::Result<(), String> {
        // A lab may have none yet.
        let Ok(contract) = std::fs::read_to_string(contract) else { return Ok(()) };
        for entry in &self.entries {
            let Some(clause) = entry.reason.strip_prefix("open: ") else { continue };
            let clause =
                clause.split_whitespace().next().unwrap_or_default().trim_end_matches([':', ',', ';']);
            let names_it =
                |word: &str| word.trim_matches(|letter: char| "`*:,()[]|".contains(letter)) == clause;
            if !contract.split_whitespace().any(names_it) {
                return Err(format!("line {}: the contract has no clause `{clause}`.", entry.line));
            }
        }
        Ok(())
    }

    /// Whether a mutant is listed.
    pub(crate) fn has(&self, name: &Name) -> bool {
        self.names().any(|listed| listed == name)
    }

    /// Every mutant that is listed.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().flat_map(|entry| &entry.names)
    }
}

impl Entry {
    fn whole(self) -> std::result::Result<Self, String> {
        if self.reason.is_empty() {
            return Err(format!("line {}: this entry has no reason.", self.line));
        }
        if self.names.iter().any(|name| name.hunk == Hunk::default()) {
            return Err(format!("line {}: this entry has a change without lines.", self.line));
        }
        Ok(self)
    }
}

/// `TODO 6 in web/client.js (2)`
fn place(line: &str) -> Option<Name> {
    let (todo, rest) = line.strip_prefix("TODO ")?.split_once(" in ")?;
    let file = rest.split(" (").next()?.trim();
    Some(Name {
        file: file.to_owned(),
        todo: todo.parse().ok()?,
        nth: nth(rest).unwrap_or(1),
        hunk: Hunk::default(),
    })
}

/// The number in brackets at a line's end.
fn nth(text: &str) -> Option<usize> {
    text.trim_end().strip_suffix(')')?.rsplit_once('(')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
# Reasons.
TODO 6 in web/client.js
- failures += 1;
+ failures += 2;
or
- failures += 1;
+ failures += 0;
open: 3.6.open.wait: how long
  the wait is

TODO 1 in src/lib.rs (2)
- tell(members);
equivalent: nobody is there
";

    #[test]
    fn an_entry_names_one_mutant_or_several() {
        let list = List::parse(LIST).expect("a list");
        let names: Vec<_> = list.names().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "TODO 6 in web/client.js\n- failures += 1;\n+ failures += 2;\n",
                "TODO 6 in web/client.js\n- failures += 1;\n+ failures += 0;\n",
                "TODO 1 in src/lib.rs (2)\n- tell(members);\n",
            ]
        );
        assert_eq!(list.entries[0].reason, "open: 3.6.open.wait: how long the wait is");
    }

    #[test]
    fn an_entry_without_a_reason_is_none() {
        let complaint = List::parse("TODO 6 in web/client.js\n- a\n").expect_err("no reason");
        assert!(complaint.contains("no reason"), "{complaint}");
        let complaint =
            List::parse("TODO 6 in web/client.js\n- a\nbecause: so\n").expect_err("no known reason");
        assert!(complaint.contains("equivalent"), "{complaint}");
        let complaint = List::parse("TODO 6 in web/client.js\nequivalent: so\n").expect_err("no change");
        assert!(complaint.contains("without lines"), "{complaint}");
    }

    #[test]
    fn the_same_twice_is_an_error() {
        let complaint = List::parse(&format!("{LIST}\n{LIST}")).expect_err("twice");
        assert!(complaint.contains("twice"), "{complaint}");
    }
}
