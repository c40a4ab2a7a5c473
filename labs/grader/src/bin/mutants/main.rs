//! `cargo lab prove --mutants`: changes each solution between its `ANCHOR: todo_N` and `ANCHOR_END: todo_N`, one token or
//! statement at a time, and looks whether the lab's checks notice. A change that none notices is a hole in a check, or it
//! is listed beside the solution with the reason why it is none ([`list`]).
//!
//! It is a command of its own because it needs parsers that no student should have to compile.

#[allow(dead_code, reason = "shared with `cargo lab`, which uses the rest")]
#[path = "../lab/cargo.rs"]
mod cargo;
#[allow(dead_code, reason = "shared with `cargo lab`, which uses the rest")]
#[path = "../lab/diff.rs"]
mod diff;
#[allow(dead_code, reason = "shared with `cargo lab`, which uses the rest")]
#[path = "../lab/paint.rs"]
mod paint;
#[allow(dead_code, reason = "shared with `cargo lab`, which uses the rest")]
#[path = "../lab/repo.rs"]
mod repo;
#[allow(dead_code, reason = "shared with `cargo lab`, which uses the rest")]
#[path = "../lab/report.rs"]
mod report;
#[path = "../lab/sentence.rs"]
mod sentence;
#[allow(dead_code, reason = "shared with `cargo lab`, which uses the rest")]
#[path = "../lab/prove/tree.rs"]
mod tree;

mod builds;
mod javascript;
mod list;
mod play;
mod prove;
mod rust;
mod sample;
mod schemata;
mod source;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;

use crate::paint::{Color, Paint};
use crate::repo::{Number, Repo};
use crate::sentence::Result;

/// Look whether the checks notice when a solution is changed in one place.
#[derive(Debug, Parser)]
#[command(name = "cargo lab prove --mutants")]
struct Arguments {
    /// The lab's number; all labs without it
    lab: Option<Number>,

    /// Try only so many, drawn from all of them
    #[arg(long, value_name = "N")]
    sample: Option<usize>,

    /// Draw the same ones again
    #[arg(long, value_name = "SEED", requires = "sample")]
    seed: Option<u64>,

    /// Only those whose place or changed lines contain this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Show, too, what only the check of another TODO notices
    #[arg(long)]
    elsewhere: bool,

    /// Colour what is printed
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let repo = Repo::find()?;
    let labs = match arguments.lab {
        Some(number) => vec![repo.lab(number)?],
        None => repo.labs()?,
    };
    let sample = arguments.sample.map(|number| sample::Sample::new(number, arguments.seed));
    let options = prove::Options {
        only: arguments.only.as_deref(),
        sample,
        elsewhere: arguments.elsewhere,
        paint: Paint::new(arguments.color),
    };
    prove::prove(&repo, &labs, &options)
}
