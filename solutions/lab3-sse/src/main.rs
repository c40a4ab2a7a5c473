//! Lab 3, for real: `cargo run -p lab3-solution`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    host::run(3003, concat!(env!("CARGO_MANIFEST_DIR"), "/web"), lab3_solution::app).await
}
