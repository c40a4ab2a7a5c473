//! What goes wrong, as a sentence for the person at the terminal.

use std::fmt::{self, Display};
use std::path::Path;

/// A failure that says what happened, where, and what to do about it.
#[derive(Debug)]
pub(crate) struct Sentence(String);

/// A result whose error can be printed as it is.
pub(crate) type Result<T> = std::result::Result<T, Sentence>;

impl Sentence {
    /// A sentence of one's own.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Something that could not be done to a file or a folder. `doing` completes "I could not …".
    pub(crate) fn io(doing: &str, path: &Path, error: impl Display) -> Self {
        Self(format!("I could not {doing} {}: {error}.", path.display()))
    }
}

impl Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
