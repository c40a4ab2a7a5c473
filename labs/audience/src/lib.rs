//! For tests: real browsers that look at what is served.
//!
//! [`look`] opens a browser, lets a scene use it, and closes it again. Where a
//! browser or its driver is not installed the test says so and passes; with
//! `BEYOND_FETCH_BROWSER=required` that is a failure, as it is in CI.

use std::{
    env, fs,
    io::{self, Write},
    path::PathBuf,
};

mod browser;
mod driver;

pub use browser::{Browser, PATIENCE, look};
pub use driver::Kind;
pub use fantoccini::{Locator, elements::Element};

/// Says why a test cannot be played, and fails where it must be.
///
/// # Panics
/// With `BEYOND_FETCH_BROWSER=required`.
pub fn missing(what: &str) {
    assert!(
        env::var("BEYOND_FETCH_BROWSER").map_or(true, |value| value != "required"),
        "{what}, and BEYOND_FETCH_BROWSER=required."
    );
    // Past the test harness, which keeps to itself what a passing test prints.
    let _ = writeln!(io::stderr(), "{what}: not played.");
}

/// The repository.
///
/// # Panics
/// If it has moved since the tests were built.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// The source of axe-core, where it is installed.
pub fn axe() -> Option<String> {
    let file = env::var_os("AXE_CORE")
        .map_or_else(|| root().join("target/browser/node_modules/axe-core/axe.min.js"), PathBuf::from);
    let axe = fs::read_to_string(&file);
    if axe.is_err() {
        missing(&format!(
            "axe-core is not at {} (npm install --prefix target/browser axe-core, or name the file in AXE_CORE)",
            file.display()
        ));
    }
    axe.ok()
}
