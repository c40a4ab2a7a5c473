//! Lab 4, for real: `cargo run -p lab4`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    host::run(3004, concat!(env!("CARGO_MANIFEST_DIR"), "/web"), lab4::app).await
}
