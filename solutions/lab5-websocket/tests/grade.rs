//! `cargo test -p lab5-solution`: the lab's own checks, on the solution.

extern crate lab5_solution as lab5;

use std::process::ExitCode;

#[path = "../../../labs/lab5-websocket/tests/checks/mod.rs"]
mod checks;

fn main() -> ExitCode {
    let built_from = [("src/lib.rs", include_str!("../src/lib.rs"))];
    grader::harness::main(&checks::LAB, env!("CARGO_PKG_NAME"), env!("CARGO_MANIFEST_DIR"), &built_from)
}
