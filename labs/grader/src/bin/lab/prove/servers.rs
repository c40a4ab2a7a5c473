//! Builds the servers of many answers into one binary: each is a module of one crate, and an environment variable says
//! which one serves. Cargo, the checks and the linker then work once for all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cargo::{ANSWER, Build, Cargo};
use crate::repo::{Files, Lab};
use crate::sentence::{Result, Sentence};

use super::tree::Tree;

/// The file that serves a lab for real.
const MAIN: &str = "src/main.rs";
const ROOT: &str = "src/lib.rs";

/// A binary with several servers in it, and what the compiler has against those that are not in it, by their numbers
/// from 1.
pub(super) struct Built {
    pub(super) binary: PathBuf,
    pub(super) refused: BTreeMap<usize, String>,
}

/// Builds these answers in the solution's copy in the tree, and keeps the binary under this name.
pub(super) fn build(
    lab: &Lab,
    tree: &Tree,
    cargo: &Cargo<'_>,
    answers: &[&Files],
    name: &str,
) -> Result<Built> {
    let mut refused = BTreeMap::new();
    loop {
        let numbers: Vec<usize> =
            (1..=answers.len()).filter(|number| !refused.contains_key(number)).collect();
        tree.put(&tree.solution(lab), &together(answers, &numbers))?;
        let build = cargo.grade(&lab.solution_package(), false)?;
        match build.binary() {
            Ok(path) => return Ok(Built { binary: tree.keep(name, path)?, refused }),
            Err(complaint) => {
                let blamed = blamed(&build, &numbers);
                if blamed.is_empty() {
                    return Err(Sentence::new(complaint));
                }
                refused.extend(blamed);
            }
        }
    }
}

/// The files of a crate in which each answer is a module.
fn together(answers: &[&Files], numbers: &[usize]) -> Files {
    let mut files = Files::new();
    let mut root = "//! Many answers to one lab.\n\n".to_owned();
    for number in numbers {
        root += &format!("mod {};\n", module(*number));
    }
    root += &format!(
        "\n/// The answer that `{ANSWER}` names.\npub fn app(feed: feed::Feed) -> axum::Router {{\n    \
         match std::env::var(\"{ANSWER}\").as_deref() {{\n"
    );
    for number in numbers {
        root += &format!("        Ok(\"{number}\") => {}::app(feed),\n", module(*number));
    }
    root += &format!("        other => panic!(\"{ANSWER} names no answer: {{other:?}}\"),\n    }}\n}}\n");
    files.insert(ROOT.to_owned(), root.into_bytes());
    // Nobody runs it, and linking it takes a second.
    files.insert(MAIN.to_owned(), b"//! Nobody runs this one.\n\nfn main() {}\n".to_vec());
    for number in numbers {
        for (name, bytes) in answers[number - 1].iter().filter(|(name, _)| name.starts_with("src/")) {
            if name == MAIN {
                continue;
            }
            let inside = if name == ROOT { "mod.rs" } else { &name["src/".len()..] };
            let text =
                String::from_utf8_lossy(bytes).replace("crate::", &format!("crate::{}::", module(*number)));
            files.insert(format!("src/{}/{inside}", module(*number)), text.into_bytes());
        }
    }
    // The client is the solution's in all of them. Of what is no module here, `tests/grade.rs` may still want the text.
    let others = answers.first().into_iter().flat_map(|files| files.iter());
    let others = others.filter(|(name, _)| *name != ROOT && *name != MAIN);
    files.extend(others.map(|(name, text)| (name.clone(), text.clone())));
    files
}

fn module(number: usize) -> String {
    format!("answer_{number}")
}

/// Which answers the compiler's errors name, each with its own.
fn blamed(build: &Build, numbers: &[usize]) -> Vec<(usize, String)> {
    let named = numbers.iter().filter_map(|number| {
        let place = format!("src/{}/", module(*number));
        let errors: Vec<_> = build
            .errors
            .iter()
            .filter(|error| error.replace('\\', "/").contains(&place))
            .map(String::as_str)
            .collect();
        (!errors.is_empty()).then(|| (*number, as_alone(&errors.join("\n"), *number)))
    });
    named.collect()
}

/// A text about one of these answers as it would be if the answer stood alone.
pub(super) fn as_alone(text: &str, number: usize) -> String {
    let module = module(number);
    text.replace(&format!("src/{module}/mod.rs"), ROOT)
        .replace(&format!("src/{module}/"), "src/")
        .replace(&format!("crate::{module}::"), "crate::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_a_module_with_paths_of_its_own() {
        let files = |text: &str| -> Files {
            [
                (ROOT.to_owned(), text.as_bytes().to_vec()),
                ("src/market.rs".to_owned(), b"use crate::Refusal;".to_vec()),
                ("web/client.js".to_owned(), b"export {}".to_vec()),
            ]
            .into()
        };
        let (one, two) = (files("mod market; // one"), files("mod market; // two"));
        let together = together(&[&one, &two], &[2]);
        let names: Vec<_> = together.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "src/answer_2/market.rs",
                "src/answer_2/mod.rs",
                "src/lib.rs",
                "src/main.rs",
                "src/market.rs",
                "web/client.js"
            ]
        );
        assert_eq!(together["src/answer_2/market.rs"], b"use crate::answer_2::Refusal;");
        assert_eq!(
            as_alone("at src/answer_2/mod.rs:3: crate::answer_2::Refusal", 2),
            "at src/lib.rs:3: crate::Refusal"
        );
    }
}
