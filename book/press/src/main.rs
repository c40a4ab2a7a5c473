//! `press`: the book's own steps for a plain `mdbook build`, and the whole build for who has no mdBook.

use mdbook_preprocessor::Preprocessor;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
press check             mdBook preprocessor: checks the chapters (the book on stdin, and back on stdout)
press draw              mdBook preprocessor: draws what chapters name
press STEP supports R   whether a step runs for the renderer R
press build DIR         builds the English book of this folder into DIR";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["check"] => step(&press::Check),
        ["draw"] => step(&press::Draw),
        ["check" | "draw", "supports", renderer] => {
            return ExitCode::from(u8::from(*renderer != "html"));
        }
        ["build", out] => build(PathBuf::from(out)),
        ["--help" | "-h" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(anyhow::anyhow!("press takes one of these:\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn step(step: &dyn Preprocessor) -> anyhow::Result<()> {
    let (context, book) = mdbook_preprocessor::parse_input(io::stdin())?;
    let book = step.run(&context, book)?;
    serde_json::to_writer(io::stdout(), &book)?;
    Ok(())
}

fn build(out: PathBuf) -> anyhow::Result<()> {
    let options = press::Options::new(std::env::current_dir()?, out);
    let report = press::build(&options, &mut |_| {})?;
    println!("{} pages in {} ({} ms)", report.pages, report.folder.display(), report.took.as_millis());
    Ok(())
}
