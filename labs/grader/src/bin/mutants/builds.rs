//! Builds the mutants of a server: as many as possible into one binary.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use crate::cargo::Cargo;
use crate::repo::{Files, Lab};
use crate::schemata::{self, Schemata};
use crate::sentence::Result;
use crate::source::Mutant;
use crate::tree::Tree;

/// A mutant under its number, with the block that can hold it beside the original.
type Held<'a> = (usize, &'a Mutant, Range<usize>);

/// A binary, and the mutants in it by their numbers.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) binary: PathBuf,
    pub(crate) numbers: Vec<usize>,
    /// Whether a number must be said for one to run.
    pub(crate) several: bool,
}

/// Builds in the solution's copy in the tree.
pub(crate) struct Builder<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) tree: &'a Tree,
    pub(crate) cargo: Cargo<'a>,
    pub(crate) solution: &'a Files,
    /// Counts the binaries.
    pub(crate) kept: usize,
}

impl Builder<'_> {
    /// Builds these mutants. Those that do not compile are in no binary.
    pub(crate) fn all(&mut self, mutants: &[Mutant]) -> Result<Vec<Built>> {
        let mut together = Vec::new();
        let mut alone = Vec::new();
        for (number, mutant) in (1..).zip(mutants) {
            match schemata::block(self.text(&mutant.name.file), mutant) {
                Some(block) => together.push((number, mutant, block)),
                None => alone.push((number, mutant)),
            }
        }
        let mut built = Vec::new();
        self.together(together, &mut built)?;
        for (number, mutant) in alone {
            let file = &mutant.name.file;
            let changed = mutant.edit.apply(self.text(file));
            let mut files = self.solution.clone();
            files.insert(file.clone(), changed.into_bytes());
            if let Ok(binary) = self.build(&files)? {
                built.push(Built { binary, numbers: vec![number], several: false });
            }
        }
        self.tree.put(&self.tree.solution(self.lab), self.solution)?;
        Ok(built)
    }

    /// Takes out what the compiler blames until the rest compiles. If it blames nobody, each half is tried.
    fn together(&mut self, mut mutants: Vec<Held<'_>>, built: &mut Vec<Built>) -> Result<()> {
        while !mutants.is_empty() {
            let (files, schemata) = self.write(&mutants);
            let errors = match self.build(&files)? {
                Ok(binary) => {
                    let numbers = mutants.iter().map(|(number, ..)| *number).collect();
                    built.push(Built { binary, numbers, several: true });
                    return Ok(());
                }
                Err(errors) => errors,
            };
            let blamed: Vec<_> = schemata
                .iter()
                .flat_map(|(file, schemata)| errors.iter().flat_map(|error| schemata.blamed(file, error)))
                .collect();
            let before = mutants.len();
            mutants.retain(|(number, ..)| !blamed.contains(number));
            if mutants.len() < before {
                continue;
            }
            if before == 1 {
                return Ok(());
            }
            let rest = mutants.split_off(before / 2);
            self.together(rest, built)?;
        }
        Ok(())
    }

    /// The solution's files with these mutants in them.
    fn write(&self, mutants: &[Held<'_>]) -> (Files, BTreeMap<String, Schemata>) {
        let mut files = self.solution.clone();
        let mut written = BTreeMap::new();
        let root = "src/lib.rs";
        let mut names: Vec<&str> = mutants.iter().map(|(_, mutant, _)| mutant.name.file.as_str()).collect();
        names.push(root);
        names.sort_unstable();
        names.dedup();
        for name in names {
            let here: Vec<_> =
                mutants.iter().filter(|(_, mutant, _)| mutant.name.file == name).cloned().collect();
            let schemata = Schemata::of(self.text(name), &here, name == root);
            files.insert(name.to_owned(), schemata.text.clone().into_bytes());
            written.insert(name.to_owned(), schemata);
        }
        (files, written)
    }

    /// A binary of these files, or the compiler's errors.
    fn build(&mut self, files: &Files) -> Result<std::result::Result<PathBuf, Vec<String>>> {
        self.tree.put(&self.tree.solution(self.lab), files)?;
        let build = self.cargo.grade(&self.lab.solution_package(), false)?;
        Ok(match build.binary() {
            Ok(path) => {
                self.kept += 1;
                let name = format!("{}-mutants-{}", self.lab.solution_package(), self.kept);
                Ok(self.tree.keep(&name, path)?)
            }
            Err(_) => Err(build.errors),
        })
    }

    fn text(&self, file: &str) -> &str {
        self.solution.get(file).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}
