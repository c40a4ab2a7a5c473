//! A file of a solution, its TODO regions, and what one edit makes of it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use tree_sitter::{Language, Node, Parser, Tree};

use crate::{javascript, rust};

/// The part of a file that solves a TODO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// The TODO's number.
    pub(crate) todo: u32,
    /// Where it is, in bytes.
    pub(crate) range: Range<usize>,
}

/// One change of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// What is replaced, in bytes.
    pub(crate) range: Range<usize>,
    /// By what.
    pub(crate) with: String,
}

/// A solution, changed in one place.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// Where it stands and what it changes. This is how a list names it.
    pub(crate) name: Name,
    /// The change.
    pub(crate) edit: Edit,
}

/// A mutant's name: no line numbers in it, so that it stays right when something else changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    /// The file, from the solution's folder.
    pub(crate) file: String,
    /// The TODO.
    pub(crate) todo: u32,
    /// Counts those of one TODO that read the same, from 1.
    pub(crate) nth: usize,
    /// The change, line by line.
    pub(crate) hunk: Hunk,
}

/// The lines that go and the lines that come, without blanks at their ends, and without comments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Hunk {
    /// Lines of the solution.
    pub(crate) old: Vec<String>,
    /// What the mutant has in their place.
    pub(crate) new: Vec<String>,
}

impl Edit {
    /// The text with this change.
    pub(crate) fn apply(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.range.start], self.with, &text[self.range.end..])
    }
}

impl std::fmt::Display for Hunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.old.iter().try_for_each(|line| writeln!(f, "- {line}"))?;
        self.new.iter().try_for_each(|line| writeln!(f, "+ {line}"))
    }
}

impl std::fmt::Display for Name {
    /// As a list has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TODO {} in {}", self.todo, self.file)?;
        if self.nth > 1 {
            write!(f, " ({})", self.nth)?;
        }
        write!(f, "\n{}", self.hunk)
    }
}

impl Hunk {
    fn between(old: &str, new: &str) -> Self {
        let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
        let shorter = old.len().min(new.len());
        let before = (0..shorter).take_while(|&n| old[n] == new[n]).count();
        let after = (1..=shorter - before).take_while(|&n| old[old.len() - n] == new[new.len() - n]).count();
        let lines = |all: &[&str]| {
            all[before..all.len() - after]
                .iter()
                .map(|line| line.trim().to_owned())
                .filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("/*"))
                .collect()
        };
        Self { old: lines(&old), new: lines(&new) }
    }
}

/// The regions between `ANCHOR: todo_N…` and `ANCHOR_END: todo_N…`.
pub(crate) fn regions(text: &str) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut open: Option<(u32, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if let Some((todo, start)) = open {
            if number(line, "ANCHOR_END: todo_") == Some(todo) {
                regions.push(Region { todo, range: start..at });
                open = None;
            }
        } else {
            open = number(line, "ANCHOR: todo_").map(|todo| (todo, next));
        }
        at = next;
    }
    regions
}

fn number(line: &str, mark: &str) -> Option<u32> {
    let (_, rest) = line.split_once(mark)?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The grammar of a file, by its ending.
fn language(file: &str) -> Option<Language> {
    if file.ends_with(".js") {
        Some(tree_sitter_javascript::LANGUAGE.into())
    } else if file.ends_with(".rs") {
        Some(tree_sitter_rust::LANGUAGE.into())
    } else {
        None
    }
}

/// Parses a text, which may have errors in it.
pub(crate) fn parse(language: &Language, text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(language).expect("the grammars are of this parser's version");
    parser.parse(text, None).expect("without a limit it always gives a tree")
}

/// All mutants of a file that parse, each once, in the order of the text.
pub(crate) fn mutants(file: &str, text: &str) -> Vec<Mutant> {
    let Some(language) = language(file) else { return Vec::new() };
    let tree = parse(&language, text);
    let mut mutants = Vec::new();
    let mut made = HashSet::from([text.to_owned()]);
    let mut read_the_same: HashMap<Name, usize> = HashMap::new();
    for region in regions(text) {
        let mut edits = if file.ends_with(".js") {
            javascript::edits(text, tree.root_node(), &region.range)
        } else {
            rust::edits(text, tree.root_node(), &region.range)
        };
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        for edit in edits {
            let changed = edit.apply(text);
            if made.contains(&changed) || parse(&language, &changed).root_node().has_error() {
                continue;
            }
            let hunk = Hunk::between(text, &changed);
            let mut name = Name { file: file.to_owned(), todo: region.todo, nth: 0, hunk };
            let nth = read_the_same.entry(name.clone()).or_default();
            *nth += 1;
            name.nth = *nth;
            made.insert(changed);
            mutants.push(Mutant { name, edit });
        }
    }
    mutants
}

/// Collects edits within a region.
pub(crate) struct Edits<'a> {
    /// The text that is changed.
    pub(crate) text: &'a str,
    /// Nothing outside of it is touched.
    pub(crate) within: Range<usize>,
    /// What was collected.
    pub(crate) all: Vec<Edit>,
}

impl<'a> Edits<'a> {
    /// The text of a node.
    pub(crate) fn of(&self, node: Node<'_>) -> &'a str {
        &self.text[node.byte_range()]
    }

    /// Replaces a part of the text.
    pub(crate) fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        if self.within.start <= range.start && range.end <= self.within.end {
            self.all.push(Edit { range, with: with.into() });
        }
    }

    /// Replaces a node.
    pub(crate) fn put(&mut self, node: Node<'_>, with: impl Into<String>) {
        self.replace(node.byte_range(), with);
    }

    /// Puts a part of a node in its place.
    pub(crate) fn keep(&mut self, node: Node<'_>, part: Node<'_>) {
        self.put(node, self.of(part));
    }

    /// A condition: always, never, and the contrary.
    pub(crate) fn condition(&mut self, node: Node<'_>) {
        self.put(node, "true");
        self.put(node, "false");
        // What is a comparison gets its contrary as such, what is negated loses that.
        let operator = node.child_by_field_name("operator").map_or("", |operator| self.of(operator));
        let negated = self.of(node).starts_with('!');
        if !negated && opposite(operator).is_none() {
            self.put(node, format!("!({})", self.of(node)));
        }
    }

    /// An expression of two sides: other operators, and one side alone.
    pub(crate) fn binary(&mut self, node: Node<'_>) {
        let (Some(left), Some(operator), Some(right)) = (
            node.child_by_field_name("left"),
            node.child_by_field_name("operator"),
            node.child_by_field_name("right"),
        ) else {
            return;
        };
        let others: &[&str] = match self.of(operator) {
            "&&" => &["||"],
            "||" => &["&&"],
            "<" => &["<=", ">="],
            "<=" => &["<", ">"],
            ">" => &[">=", "<="],
            ">=" => &[">", "<"],
            "+" => &["-"],
            "-" => &["+"],
            "*" => &["/"],
            "/" | "%" | "**" => &["*"],
            other => &[opposite(other).unwrap_or(other)],
        };
        for other in others {
            self.put(operator, *other);
        }
        if matches!(self.of(operator), "&&" | "||" | "??") {
            self.keep(node, left);
            self.keep(node, right);
        }
    }

    /// `+=` becomes `-=`, and the like.
    pub(crate) fn assignment(&mut self, operator: Node<'_>) {
        let other = match self.of(operator) {
            "+=" => "-=",
            "-=" => "+=",
            "*=" => "/=",
            "/=" | "**=" => "*=",
            "||=" | "&&=" | "??=" => "=",
            _ => return,
        };
        self.put(operator, other);
    }

    /// A whole number: beside it, none, half and double.
    pub(crate) fn number(&mut self, node: Node<'_>) {
        let text = self.of(node);
        let digits =
            text.find(|letter: char| !letter.is_ascii_digit() && letter != '_').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let Ok(number) = number.replace('_', "").parse::<u64>() else { return };
        let mut others = vec![number + 1, number.saturating_sub(1), 0];
        if number >= 10 {
            others.extend([number * 2, number / 2]);
        }
        for other in others.into_iter().filter(|other| *other != number) {
            self.put(node, format!("{other}{suffix}"));
        }
    }

    /// A string: an empty one, and another where it is a word of a protocol and not a sentence.
    pub(crate) fn string(&mut self, node: Node<'_>) {
        let text = self.of(node);
        let Some(quote) = text.chars().next_back() else { return };
        let begin = text.find(quote).unwrap_or(0) + 1;
        let inner = &text[begin..text.len() - 1];
        let with = |inner: &str| format!("{}{inner}{quote}", &text[..begin]);
        if !inner.is_empty() {
            self.put(node, with(""));
        }
        if inner.is_empty() || !inner.contains(' ') {
            self.put(node, with("mutant"));
        }
    }

    /// Two statements that stand one after the other change places.
    pub(crate) fn swap_statements(&mut self, block: Node<'_>) {
        for pair in children(block).windows(2) {
            if pair.iter().all(|statement| statement.kind() == "expression_statement") {
                self.swap(pair[0], pair[1]);
            }
        }
    }

    /// Two nodes change places; what stands between them stays.
    pub(crate) fn swap(&mut self, first: Node<'_>, second: Node<'_>) {
        let between = &self.text[first.end_byte()..second.start_byte()];
        let swapped = format!("{}{between}{}", self.of(second), self.of(first));
        self.replace(first.start_byte()..second.end_byte(), swapped);
    }

    /// An element of a list goes, and a comma with it.
    pub(crate) fn drop_from_list(&mut self, element: Node<'_>) {
        let range = match (comma(element.next_sibling()), comma(element.prev_sibling())) {
            (Some(comma), _) => element.start_byte()..comma.end_byte(),
            (None, Some(comma)) => comma.start_byte()..element.end_byte(),
            (None, None) => element.byte_range(),
        };
        self.replace(range, "");
    }
}

fn comma(node: Option<Node<'_>>) -> Option<Node<'_>> {
    node.filter(|node| node.kind() == ",")
}

/// The comparison that holds where this one does not.
fn opposite(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "===" => "!==",
        "!==" => "===",
        "==" => "!=",
        "!=" => "==",
        "<" => ">=",
        ">=" => "<",
        ">" => "<=",
        "<=" => ">",
        _ => return None,
    })
}

/// The children of a node that are more than punctuation or a comment.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).filter(|child| !child.kind().ends_with("comment")).collect()
}
