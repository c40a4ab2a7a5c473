//! `cargo lab`: the student's other command. Shows progress, grades on save, gives hints, begins a
//! lab anew, compares it with its solution; and proves the grader for those who maintain it.

mod cargo;
mod class;
mod compare;
mod diff;
mod hint;
mod paint;
mod prove;
mod repo;
mod report;
mod reset;
mod sentence;
mod status;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::paint::{Color, Paint};
use crate::repo::{Number, Repo};
use crate::sentence::Result;

/// Your progress through the labs, and help on the way.
///
/// Without a command: each lab, how many of its checks hold, and the next step.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lab",
    bin_name = "cargo lab",
    after_help = "`cargo test -p lab3` grades lab 3 once; `cargo run -p lab3` serves it."
)]
struct Arguments {
    /// Colour what is printed
    #[arg(long, global = true, value_enum, default_value_t)]
    color: Color,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Grade a lab again on every save
    ///
    /// A change in web/ is graded at once; a change in src/ is compiled first. Ctrl-C ends it.
    Watch {
        /// The lab's number
        lab: Number,
    },

    /// Show a hint for a TODO, a little more each time
    ///
    /// There are three for each: a question, where to look, and the shape of the code. Each call
    /// shows the next one.
    Hint {
        /// The lab and the TODO, as in 3.2; only the lab, for its next open TODO
        #[arg(value_name = "LAB.TODO")]
        step: hint::Step,

        /// Show this hint: 1, 2 or 3
        #[arg(long, value_name = "N", conflicts_with = "all")]
        tier: Option<usize>,

        /// Show all three
        #[arg(long)]
        all: bool,
    },

    /// Put a lab back to the start, keeping a copy of your files
    ///
    /// The copy goes to kept/ in the lab's folder, under the date and time (UTC), and is verified
    /// before anything is written. On any trouble nothing is changed.
    Reset {
        /// The lab's number
        lab: Number,
    },

    /// Compare your files with the solution, once the lab passes
    ///
    /// Side by side where the terminal is wide enough, as a unified diff otherwise.
    Compare {
        /// The lab's number
        lab: Number,

        /// Show it even though the lab does not pass yet
        #[arg(long)]
        spoil: bool,
    },

    /// Put your progress on the board of a class
    ///
    /// From then on each grading tells the stage which TODOs pass, and nothing of your code. What
    /// proves to the stage that it is you is kept in target/lab/class.json, until `cargo lab leave`.
    Join {
        /// The stage's address, as it stands on the board; or with your code, as on your own page there
        #[arg(value_name = "ADDRESS")]
        address: String,

        /// Your name on the board; you are asked for one without it
        #[arg(long)]
        name: Option<String>,
    },

    /// Take your name off the board, and tell the class nothing more
    Leave,

    /// Prove the grader: the start, the solution, wrong answers and other right ones
    ///
    /// For those who maintain the labs. Works on copies in the target folder, and writes elsewhere
    /// only what --accept and --write-start are there for.
    Prove {
        /// The lab's number; all labs without it
        lab: Option<Number>,

        /// Only the answers whose name contains this
        #[arg(long, value_name = "NAME")]
        only: Option<String>,

        /// Store what students see for each wrong answer, beside it
        #[arg(long)]
        accept: bool,

        /// Fail if a lab's files are not the start as it is handed out
        #[arg(long)]
        strict: bool,

        /// First write start.diff anew: what turns the solution's files into the lab's as they are
        #[arg(long, requires = "lab", conflicts_with = "only")]
        write_start: bool,

        /// Only play the diffs in this folder, and say which of them no check catches
        #[arg(long = "try", value_name = "FOLDER", requires = "lab", conflicts_with_all = ["accept", "strict", "write_start"])]
        trial: Option<std::path::PathBuf>,

        /// Change the solutions, one token or statement at a time, and look whether the checks notice
        ///
        /// What none of them notices is to be listed in mutants.txt beside the solution, with its reason.
        #[arg(long, conflicts_with_all = ["accept", "strict", "write_start"])]
        mutants: bool,

        /// Show, too, which mutants only the check of another TODO notices
        #[arg(long, requires = "mutants")]
        elsewhere: bool,

        /// Try only so many mutants, drawn from all of them
        #[arg(long, value_name = "N", requires = "mutants")]
        sample: Option<usize>,

        /// Draw the same mutants again
        #[arg(long, value_name = "SEED", requires = "sample")]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let paint = Paint::new(arguments.color);
    let repo = Repo::find()?;
    match arguments.command {
        None => status::status(&repo, paint)?,
        Some(Command::Watch { lab }) => watch::watch(&repo, &repo.lab(lab)?, paint)?,
        Some(Command::Hint { step, tier, all }) => {
            let which = match (tier, all) {
                (_, true) => hint::Which::All,
                (Some(tier), _) => hint::Which::Tier(tier),
                (None, _) => hint::Which::Next,
            };
            hint::hint(&repo, step, which, paint)?;
        }
        Some(Command::Reset { lab }) => reset::reset(&repo, &repo.lab(lab)?, paint)?,
        Some(Command::Compare { lab, spoil }) => {
            compare::compare(&repo, &repo.lab(lab)?, spoil, paint)?;
        }
        Some(Command::Join { address, name }) => class::join(&repo, address, name)?,
        Some(Command::Leave) => class::leave(&repo)?,
        Some(Command::Prove { lab, only, mutants: true, elsewhere, sample, seed, .. }) => {
            let mut options: Vec<String> = lab.iter().map(ToString::to_string).collect();
            options.extend(only.map(|only| format!("--only={only}")));
            options.extend(elsewhere.then(|| "--elsewhere".to_owned()));
            options.extend(sample.map(|number| format!("--sample={number}")));
            options.extend(seed.map(|seed| format!("--seed={seed}")));
            if !prove::mutants(&repo, &options, paint)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Some(Command::Prove { lab, only, accept, strict, write_start, trial, .. }) => {
            let labs = match lab {
                Some(number) => vec![repo.lab(number)?],
                None => repo.labs()?,
            };
            if write_start {
                for lab in &labs {
                    prove::write_start(&repo, lab)?;
                }
            }
            let options = prove::Options { only, accept, strict, trial };
            if !prove::prove(&repo, &labs, &options, paint)? {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
