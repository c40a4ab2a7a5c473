//! Where things are: the workspace, its labs, their solutions, and what is remembered between runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use grader::memory;

use crate::sentence::{Result, Sentence};

/// The folders of a lab that belong to the student: what `reset` restores and `compare` compares.
const STUDENTS: [&str; 2] = ["src", "web"];

/// The files of one side of a lab, named from its folder with `/` (`src/lib.rs`).
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The workspace this command was called in.
#[derive(Debug)]
pub(crate) struct Repo {
    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, absolute.
    pub(crate) target: PathBuf,
}

/// A lab by its number, as it is typed: `3` or `lab3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u32);

/// One lab and its solution.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    /// The lab's number.
    pub(crate) number: Number,
    /// The name of its folder: `lab3-sse`.
    pub(crate) name: String,
    /// What the student edits.
    pub(crate) folder: PathBuf,
    /// The same, finished.
    pub(crate) solution: PathBuf,
}

impl Repo {
    /// Finds the workspace around the current folder.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::current_dir()
            .map_err(|error| Sentence::new(format!("I could not tell which folder this is: {error}.")))?;
        let root = here
            .ancestors()
            .find(|folder| {
                folder.join("Cargo.toml").is_file()
                    && folder.join("labs").is_dir()
                    && folder.join("solutions").is_dir()
            })
            .ok_or_else(|| {
                Sentence::new(format!(
                    "{} is not inside the book's repository (I looked upwards for a folder with \
                     labs/ and solutions/). Change into it and call again.",
                    here.display()
                ))
            })?
            .to_path_buf();
        // What cargo was told by the environment, it takes from where it was called. What its settings tell it is seen
        // by where it has put this program.
        let told = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"];
        let told = told.into_iter().filter_map(std::env::var_os).find(|folder| !folder.is_empty());
        let target = match told {
            Some(folder) => here.join(folder),
            None => built().unwrap_or_else(|| root.join("target")),
        };
        Ok(Self { root, target })
    }

    /// The labs there are, by number.
    pub(crate) fn labs(&self) -> Result<Vec<Lab>> {
        let folder = self.root.join("labs");
        let trouble = |error| Sentence::io("list the labs in", &folder, error);
        let mut labs = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(trouble)? {
            let name = entry.map_err(trouble)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let Some((number, _)) = name.split_once('-') else {
                continue;
            };
            let Some(Ok(number)) = number.strip_prefix("lab").map(u32::from_str) else {
                continue;
            };
            labs.push(Lab {
                number: Number(number),
                name: name.to_owned(),
                folder: folder.join(name),
                solution: self.root.join("solutions").join(name),
            });
        }
        labs.sort_by_key(|lab| lab.number);
        Ok(labs)
    }

    /// The lab of this number.
    pub(crate) fn lab(&self, number: Number) -> Result<Lab> {
        let labs = self.labs()?;
        if let Some(lab) = labs.iter().find(|lab| lab.number == number) {
            return Ok(lab.clone());
        }
        let there_are: Vec<String> = labs.iter().map(|lab| lab.number.0.to_string()).collect();
        Err(Sentence::new(match there_are.as_slice() {
            [] => format!("There is no lab {number}: labs/ holds none yet."),
            [one] => format!("There is no lab {number}. There is lab {one}."),
            [rest @ .., last] => {
                format!("There is no lab {number}. There are labs {} and {last}.", rest.join(", "))
            }
        }))
    }

    /// Where results and hints already shown are remembered. Nothing here is precious.
    pub(crate) fn memory(&self) -> PathBuf {
        memory::folder(&self.root, std::env::current_exe().ok().as_deref())
    }

    /// The result of the last time this lab was graded.
    pub(crate) fn report(&self, lab: &Lab) -> PathBuf {
        self.memory().join(format!("{}.json", lab.package()))
    }

    /// A path as it reads from the workspace's folder, for messages.
    pub(crate) fn show(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        path.display().to_string()
    }
}

impl Lab {
    /// The package the student grades: `lab3`.
    pub(crate) fn package(&self) -> String {
        format!("lab{}", self.number)
    }

    /// The package of the solution: `lab3-solution`.
    pub(crate) fn solution_package(&self) -> String {
        format!("lab{}-solution", self.number)
    }

    /// The first heading of the lab's README, without what every lab's says (`Lab 3 · `).
    pub(crate) fn title(&self) -> Option<String> {
        let readme = std::fs::read_to_string(self.folder.join("README.md")).ok()?;
        let heading = readme.lines().find_map(|line| line.strip_prefix("# "))?;
        let heading = heading.split(" {").next().unwrap_or(heading).trim();
        let lab = format!("Lab {}", self.number);
        let title = heading
            .strip_prefix(&lab)
            .map(|rest| rest.trim_start_matches([' ', ':', '·', '-', '–', '.']))
            .filter(|rest| !rest.is_empty())
            .unwrap_or(heading);
        Some(title.to_owned())
    }

    /// The student's files as they are now.
    pub(crate) fn files(&self) -> Result<Files> {
        files(&self.folder)
    }

    /// The solution's files, under the lab's own names: what the student's would be when done. Their line ends are LF.
    pub(crate) fn solved(&self) -> Result<Files> {
        self.need_solution()?;
        let files = plain(&files(&self.solution)?);
        Ok(files.into_iter().map(|(name, bytes)| (name, self.renamed(bytes))).collect())
    }

    /// The solution's text with the lab's names in it: `lab3_solution` is `lab3` there.
    pub(crate) fn renamed(&self, bytes: Vec<u8>) -> Vec<u8> {
        match String::from_utf8(bytes) {
            Ok(text) => {
                let package = self.package();
                text.replace(&format!("{package}_solution"), &package)
                    .replace(&format!("{package}-solution"), &package)
                    .replace(&format!("solutions/{}", self.name), &format!("labs/{}", self.name))
                    .into_bytes()
            }
            // An image is the same on both sides.
            Err(error) => error.into_bytes(),
        }
    }

    /// The lab's files as they are handed out: the solution with `start.diff` applied. Their line ends are LF.
    pub(crate) fn start(&self) -> Result<Files> {
        self.need_solution()?;
        let path = self.solution.join("start.diff");
        let diff = crate::diff::Answer::read(&path)?;
        let mut start = plain(&files(&self.solution)?);
        diff.apply(&mut start)?;
        Ok(start.into_iter().map(|(name, bytes)| (name, self.renamed(bytes))).collect())
    }

    /// When the student last saved a file of this lab.
    pub(crate) fn edited(&self) -> Option<SystemTime> {
        let mut latest = None;
        for name in names(&self.folder).ok()? {
            let modified = self.folder.join(name).metadata().ok()?.modified().ok();
            latest = latest.max(modified);
        }
        latest
    }

    fn need_solution(&self) -> Result<()> {
        if self.solution.is_dir() {
            return Ok(());
        }
        Err(Sentence::new(format!(
            "Lab {} has no solution here: {} is missing. Restore it with \
             `git checkout -- solutions`.",
            self.number,
            self.solution.display()
        )))
    }
}

/// The target folder that this program was built into.
fn built() -> Option<PathBuf> {
    memory::target(&std::env::current_exe().ok()?)
}

/// Files without what Git or an editor makes of their line ends, and without byte order marks: what
/// is to be compared. What is not text stays as it is.
pub(crate) fn plain(files: &Files) -> Files {
    let plain = |bytes: &Vec<u8>| match std::str::from_utf8(bytes) {
        Ok(text) => grader::text::plain(text).into_owned().into_bytes(),
        Err(_) => bytes.clone(),
    };
    files.iter().map(|(name, bytes)| (name.clone(), plain(bytes))).collect()
}

/// The student's files under one side of a lab.
pub(crate) fn files(folder: &Path) -> Result<Files> {
    files_in(folder, &STUDENTS)
}

/// The files of some parts of a folder. A part that is not there has none.
pub(crate) fn files_in(folder: &Path, parts: &[&str]) -> Result<Files> {
    let read = |name: String| {
        let path = folder.join(&name);
        let bytes = std::fs::read(&path).map_err(|error| Sentence::io("read", &path, error))?;
        Ok((name, bytes))
    };
    names_in(folder, parts)?.into_iter().map(read).collect()
}

/// The names of the student's files, without reading them.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    names_in(folder, &STUDENTS)
}

fn names_in(folder: &Path, parts: &[&str]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for part in parts {
        if folder.join(part).is_dir() {
            collect(folder, part, &mut names)?;
        }
    }
    names.sort();
    Ok(names)
}

/// Every file below `folder/inside`, named from `folder`. A link to a folder is refused: what
/// lies behind it is not this lab's.
fn collect(folder: &Path, inside: &str, names: &mut Vec<String>) -> Result<()> {
    let path = folder.join(inside);
    let trouble = |error| Sentence::io("list", &path, error);
    for entry in std::fs::read_dir(&path).map_err(trouble)? {
        let entry = entry.map_err(trouble)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(Sentence::new(format!(
                "{} has a name that is not Unicode. Rename it and call again.",
                entry.path().display()
            )));
        };
        let name = format!("{inside}/{name}");
        let kind = entry.file_type().map_err(trouble)?;
        if kind.is_dir() {
            // Tools a student may have tried; never part of a lab, and large.
            if !name.ends_with("/node_modules") {
                collect(folder, &name, names)?;
            }
        } else if kind.is_symlink() && entry.path().is_dir() {
            return Err(Sentence::new(format!(
                "{} is a link to a folder, which I will not follow. Take it out of the lab and \
                 call again.",
                entry.path().display()
            )));
        } else {
            names.push(name);
        }
    }
    Ok(())
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        text.strip_prefix("lab")
            .unwrap_or(text)
            .parse()
            .map(Number)
            .map_err(|_| format!("`{text}` is not a lab's number; write `3` for lab 3"))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
