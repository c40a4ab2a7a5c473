//! What is wrong in a chapter, and where: a list, so that one build names everything.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, relative to the repository's root where it lies inside.
    pub file: PathBuf,
    /// The line, counted from 1. Nothing where only mdBook saw it, which names no lines.
    pub line: Option<usize>,
    /// A sentence: what is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Everything that is wrong in a book. Never empty when it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Gives the list back as an error if there is anything in it, in the order of files and lines.
    pub(crate) fn into_result(mut self) -> Result<(), Faults> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.0 {
            writeln!(f, "{fault}")?;
        }
        match self.0.len() {
            1 => write!(f, "1 fault in the book"),
            count => write!(f, "{count} faults in the book"),
        }
    }
}

impl std::error::Error for Faults {}

/// Collects what is wrong in one file.
pub(crate) struct Reporter<'a> {
    file: &'a Path,
    faults: &'a mut Faults,
}

impl<'a> Reporter<'a> {
    /// Faults of `file` go to `faults`.
    pub(crate) fn new(file: &'a Path, faults: &'a mut Faults) -> Self {
        Self { file, faults }
    }

    /// Notes a fault at a line, counted from 1.
    pub(crate) fn at(&mut self, line: usize, what: impl Into<String>) {
        self.faults.0.push(Fault { file: self.file.to_path_buf(), line: Some(line), what: what.into() });
    }

    /// Notes a fault whose line is not known.
    pub(crate) fn somewhere(&mut self, what: impl Into<String>) {
        self.faults.0.push(Fault { file: self.file.to_path_buf(), line: None, what: what.into() });
    }
}
