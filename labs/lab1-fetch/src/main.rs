//! Lab 1, for real: `cargo run -p lab1`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    host::run(3001, concat!(env!("CARGO_MANIFEST_DIR"), "/web"), lab1::app).await
}
