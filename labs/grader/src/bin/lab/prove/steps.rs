//! The states between start and solution: a student who solves one TODO after the other is warned of nothing on the way.

use std::collections::BTreeMap;

use crate::repo::Files;

/// The lab's files after TODO 1, after TODO 1 and 2 …, up to the last but one whose code is Rust.
pub(super) fn between(start: &Files, solution: &Files) -> Vec<(u32, Files)> {
    let rust = |files: &Files| -> BTreeMap<String, String> {
        let texts = files.iter().filter(|(name, _)| name.ends_with(".rs"));
        texts
            .filter_map(|(name, bytes)| Some((name.clone(), String::from_utf8(bytes.clone()).ok()?)))
            .collect()
    };
    let (start_texts, solved) = (rust(start), rust(solution));
    let mut todos: Vec<u32> = solved.values().flat_map(|text| text.lines().filter_map(begins)).collect();
    todos.sort_unstable();
    todos.dedup();
    todos.pop();
    let state = |last: u32| {
        let mut files = start.clone();
        for (name, text) in &start_texts {
            if let Some(solved) = solved.get(name) {
                files.insert(name.clone(), up_to(text, solved, last).into_bytes());
            }
        }
        (last, files)
    };
    todos.into_iter().map(state).collect()
}

/// A text in which the regions of all TODOs up to this one are the solution's.
fn up_to(start: &str, solved: &str, last: u32) -> String {
    let mut regions = solved.lines().filter(|line| begins(line).is_some()).map(str::trim).map(|mark| {
        let inside = solved.lines().skip_while(move |line| line.trim() != mark).skip(1);
        (mark, inside.take_while(|line| !ends(line)).collect::<Vec<_>>())
    });
    let regions: BTreeMap<_, _> = regions.by_ref().collect();
    let mut text = String::new();
    let mut is_replaced = false;
    for line in start.lines() {
        is_replaced &= !ends(line);
        if !is_replaced {
            text.push_str(line);
            text.push('\n');
        }
        if begins(line).is_some_and(|todo| todo <= last)
            && let Some(solved) = regions.get(line.trim())
        {
            is_replaced = true;
            solved.iter().for_each(|line| text.extend([line, "\n"]));
        }
    }
    text
}

/// The TODO whose region begins in this line.
fn begins(line: &str) -> Option<u32> {
    let (_, name) = line.split_once("ANCHOR: todo_")?;
    name.trim().split('_').next()?.parse().ok()
}

fn ends(line: &str) -> bool {
    line.contains("ANCHOR_END: todo_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_solves_one_more_todo() {
        let text = |one: &str, two: &str, more: &str| {
            format!(
                "use x;\n// ANCHOR: todo_1\n{one}\n// ANCHOR_END: todo_1\n// ANCHOR: todo_2\n{two}\n\
                 // ANCHOR_END: todo_2\n// ANCHOR: todo_1_more\n{more}\n// ANCHOR_END: todo_1_more\nend\n"
            )
        };
        let files = |text: String| Files::from([("src/lib.rs".to_owned(), text.into_bytes())]);
        let start = files(text("todo!(1)", "todo!(2)", "todo!(1)"));
        let solution = files(text("one();\none();", "two();", "more();"));
        let steps = between(&start, &solution);
        assert_eq!(steps, [(1, files(text("one();\none();", "todo!(2)", "more();")))]);
    }
}
