//! Many mutants of a server in one build: each function has all its mutants in it, and an environment variable says
//! which one runs. (The literature calls it mutant schemata.)

use std::collections::BTreeMap;
use std::ops::Range;

use tree_sitter::Node;

use crate::source::{Mutant, parse};

/// Names the mutant that is to run, from 1; without it the solution runs.
pub(crate) const VARIABLE: &str = "LAB_MUTANT";

/// What every build has at the end of `src/lib.rs`.
const SWITCH: &str = r#"
mod lab_mutant {
    pub(crate) fn active() -> usize {
        static ACTIVE: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| {
            std::env::var("LAB_MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(0)
        });
        *ACTIVE
    }
}
"#;

/// A file with mutants in it.
#[derive(Debug)]
pub(crate) struct Schemata {
    /// The text to compile.
    pub(crate) text: String,
    /// The lines of each mutant in it, from 1, by the mutant's number.
    lines: Vec<(usize, Range<usize>)>,
}

/// The block that can hold a mutant beside the original: the function's, or one inside where the function's type is
/// what its body makes it (`impl Stream`). Nothing where there is none.
pub(crate) fn block(text: &str, mutant: &Mutant) -> Option<Range<usize>> {
    let tree = parse(&tree_sitter_rust::LANGUAGE.into(), text);
    let edit = &mutant.edit.range;
    let mut node = tree.root_node().descendant_for_byte_range(edit.start, edit.end)?;
    // The outermost that has a type of its own, from inside out.
    let mut asynchronous = None;
    loop {
        let holds = |block: Node<'_>| block.start_byte() < edit.start && edit.end < block.end_byte();
        if node.kind() == "async_block"
            && let Some(block) = node.named_children(&mut node.walk()).find(|child| child.kind() == "block")
            && holds(block)
        {
            asynchronous = Some(block.byte_range());
        }
        if node.kind() == "function_item" {
            let body = node.child_by_field_name("body").filter(|body| holds(*body))?;
            let given = node.child_by_field_name("return_type").map_or("", |given| &text[given.byte_range()]);
            return if given.contains("impl ") { asynchronous } else { Some(body.byte_range()) };
        }
        node = node.parent()?;
    }
}

impl Schemata {
    /// Writes a file with these mutants in it, each under its number. `is_root` is said of `src/lib.rs`.
    pub(crate) fn of(text: &str, mutants: &[(usize, &Mutant, Range<usize>)], is_root: bool) -> Self {
        let mut blocks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, mutant, block) in mutants {
            blocks.entry((block.start, block.end)).or_default().push((*number, *mutant));
        }
        let mut schemata = Self { text: String::new(), lines: Vec::new() };
        let mut at = 0;
        for ((start, end), mutants) in blocks {
            let block = start..end;
            schemata.text.push_str(&text[at..block.start]);
            at = block.end;
            let numbers: Vec<_> = mutants.iter().map(|(number, _)| number.to_string()).collect();
            // First the original: what a type is left to be inferred from is right there.
            schemata.text.push_str(&format!(
                "{{ match crate::lab_mutant::active() {{\nnumber if ![{}].contains(&number) => {}\n",
                numbers.join(", "),
                &text[block.clone()]
            ));
            for (number, mutant) in mutants {
                let edit = &mutant.edit;
                let changed = format!(
                    "{}{}{}",
                    &text[block.start..edit.range.start],
                    edit.with,
                    &text[edit.range.end..block.end]
                );
                let first = schemata.text.matches('\n').count() + 1;
                schemata.text.push_str(&format!("{number} => {changed}\n"));
                let next = schemata.text.matches('\n').count() + 1;
                schemata.lines.push((number, first..next));
            }
            schemata.text.push_str("_ => unreachable!(), } }");
        }
        schemata.text.push_str(&text[at..]);
        if is_root {
            schemata.text.push_str(SWITCH);
        }
        schemata
    }

    /// Which mutants an error of the compiler is about. `file` is theirs. Where the first place that it names is no
    /// mutant's, all that it shows count.
    pub(crate) fn blamed(&self, file: &str, error: &str) -> Vec<usize> {
        let mut first = None;
        let mut shown = Vec::new();
        let mut in_file = false;
        for line in error.lines() {
            let line = line.trim_start();
            if let Some(place) = line.strip_prefix("--> ").or_else(|| line.strip_prefix("::: ")) {
                let mut parts = place.rsplitn(3, ':');
                let number = parts.nth(1).and_then(|number| number.parse().ok());
                in_file = parts.next().is_some_and(|path| path.replace('\\', "/").ends_with(file));
                if in_file && let Some(number) = number {
                    first = first.or(Some(number));
                    shown.push(number);
                }
            } else if in_file && let Some((number, _)) = line.split_once(" |") {
                shown.extend(number.trim().parse::<usize>().ok());
            }
        }
        let at = |line: usize| {
            self.lines.iter().find(|(_, lines)| lines.contains(&line)).map(|(number, _)| *number)
        };
        if let Some(number) = first.and_then(at) {
            return vec![number];
        }
        let mut numbers: Vec<_> = shown.into_iter().filter_map(at).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}
