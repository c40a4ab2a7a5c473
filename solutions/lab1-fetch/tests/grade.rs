//! `cargo test -p lab1-solution`: the lab's own checks, on the solution.

extern crate lab1_solution as lab1;

use std::process::ExitCode;

#[path = "../../../labs/lab1-fetch/tests/checks/mod.rs"]
mod checks;

fn main() -> ExitCode {
    let built_from =
        [("src/lib.rs", include_str!("../src/lib.rs")), ("src/market.rs", include_str!("../src/market.rs"))];
    grader::harness::main(&checks::LAB, env!("CARGO_PKG_NAME"), env!("CARGO_MANIFEST_DIR"), &built_from)
}
