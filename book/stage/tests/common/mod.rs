//! What the tests that need more than Rust share.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
};

/// Says why a test cannot be played, and fails where it must be.
///
/// # Panics
/// With `BEYOND_FETCH_BROWSER=required`.
pub(crate) fn missing(what: &str) {
    assert!(
        env::var("BEYOND_FETCH_BROWSER").map_or(true, |value| value != "required"),
        "{what}, and BEYOND_FETCH_BROWSER=required."
    );
    // Past the test harness, which keeps to itself what a passing test prints.
    let _ = writeln!(io::stderr(), "{what}: not played.");
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
