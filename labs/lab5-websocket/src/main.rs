//! Lab 5, for real: `cargo run -p lab5`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    host::run(3005, concat!(env!("CARGO_MANIFEST_DIR"), "/web"), lab5::app).await
}
