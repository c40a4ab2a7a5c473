//! The grader and the solutions' servers as one module, for the lab in the book's page.
//!
//! This is the very program that `cargo test -p lab3` runs: the client's
//! checks are included from the lab, by path, and the verdict, its words and
//! its transcripts are the same, byte for byte. There is no second
//! implementation. `compare.mjs` proves that for the solution, for every
//! answer that proves the grader, and for clients that go wrong.
//!
//! # What it offers
//! - [`list`]: the labs and their checks.
//! - [`check`]: how one check stands with these sources.
//! - [`play`]: one scene with one seed.
//! - [`Run`]: the student's client against the solution's server, in steps of
//!   virtual time, with a market that moves and weather to order.
//! - [`picture`] and [`pair`]: transcripts drawn; [`solution`]: the client as it could be.
//!
//! Natively these are plain functions, so that they can be tested; in the
//! module (`exports`) they take pointers and lengths and answer with JSON.
//!
//! # Who speaks to it
//! - `bench.js` is the other side of `exports`, in a Worker or in Node, and
//!   `wasi.js` the little that the module needs of an operating system.
//! - `worker.js` is the Worker, and `playground.js` what a page imports: it
//!   fetches the module and says how far it is, compiles it once for the page,
//!   gives each element a Worker, has a fresh instance ready after a trap, and
//!   ends a Worker that gives no answer. Its errors are sentences for the
//!   reader.
//! - `compare.mjs` compares, in Node or in a browser.
//!
//! The stage puts all of it into one folder of the site, whose name changes
//! with its content (`book/stage/src/module.rs`, `press::Options`); a page
//! with an element that asks the bench names that folder in
//! `<html data-playground>`.
//!
//! # Building it
//! `cargo stage` and `cargo stage build` build it where clang and wasi-libc
//! are, because the page's engine is C (`sudo apt-get install
//! --no-install-recommends clang-19 wasi-libc`), and say so where they are
//! missing. `cargo stage module --out DIR` puts `playground.wasm` alone into a
//! folder; then `node book/playground/compare.mjs DIR/playground.wasm`
//! compares in Node, and with `--in chromium` in a browser's Worker. What
//! differs from an ordinary build is written down in
//! `book/stage/src/module.rs`.

mod cost;
#[cfg(target_family = "wasm")]
mod exports;
mod picture;
mod rooms;
mod run;
mod verdict;

pub use cost::{Cost, Workload, cost};
pub use picture::{Drawn, Pair, pair, picture, solution};
pub use run::{Run, Step};
pub use verdict::{Graded, Line, Outcome, Played, Recorded, check, play};

use grader::Sources;
use serde::Serialize;

use rooms::{ROOMS, Room};

/// A lab, as a page offers it.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its package's name, by which everything else here asks for it: `lab3`.
    pub name: &'static str,
    /// Its number, which is its chapter's.
    pub number: u32,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Where it stands, from the repository's root.
    pub folder: &'static str,
    /// The chapter's file in `book/src`.
    pub chapter: &'static str,
    /// The checks of its client, in the order of the TODOs.
    pub checks: Vec<ListedCheck>,
}

/// A check, as a page offers it.
#[derive(Debug, Serialize)]
pub struct ListedCheck {
    /// Its name, which says what must hold.
    pub name: &'static str,
    /// The TODO that it grades.
    pub todo: Option<u32>,
    /// The contract, in a sentence or two.
    pub contract: String,
    /// The student's file, from the lab's folder.
    pub file: &'static str,
    /// The section of the chapter that explains it: an anchor.
    pub section: &'static str,
    /// The scenes in which it is played.
    pub scenes: Vec<ListedScene>,
}

/// A scene, as a page offers it.
#[derive(Debug, Serialize)]
pub struct ListedScene {
    /// Its name.
    pub name: &'static str,
    /// What happens in it, in one sentence.
    pub says: &'static str,
}

/// Every lab that is in the module, with the checks of its client.
pub fn list() -> Vec<Listed> {
    let labs = ROOMS.iter().map(|Room { lab, .. }| Listed {
        name: lab.name,
        number: lab.number,
        title: lab.title,
        folder: lab.folder,
        chapter: lab.chapter,
        checks: lab
            .checks
            .iter()
            .map(|check| ListedCheck {
                name: check.name,
                todo: check.todo,
                contract: lab.summary(check),
                file: check.file,
                section: check.section,
                scenes: check
                    .scenes
                    .iter()
                    .map(|scene| ListedScene { name: scene.name, says: scene.says })
                    .collect(),
            })
            .collect(),
    });
    labs.collect()
}

/// Reads a client's files from JSON: an object of texts by name, `{"client.js": "…"}`.
///
/// # Errors
/// A sentence, where it is anything else.
pub fn sources(json: &str) -> Result<Sources, String> {
    let files: std::collections::BTreeMap<String, String> = serde_json::from_str(json)
        .map_err(|error| format!("The client's files must be an object of texts by name: {error}."))?;
    Ok(Sources::new(files))
}
