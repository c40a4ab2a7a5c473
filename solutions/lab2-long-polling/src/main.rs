//! Lab 2, for real: `cargo run -p lab2-solution`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    host::run(3002, concat!(env!("CARGO_MANIFEST_DIR"), "/web"), lab2_solution::app).await
}
