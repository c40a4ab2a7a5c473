//! The scratch workspace of `cargo lab prove`: copies of labs and solutions under the target
//! folder, on the real bench. It shares the target folder, so that nothing of others is rebuilt.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::repo::{Files, Lab, Repo};
use crate::sentence::{Result, Sentence};

/// The labs stand one folder deeper than in the real workspace. Cargo names what it builds by the
/// path from the workspace's root: with the same path, a wrong answer's build could be taken for
/// the student's.
const DEEPER: &str = "proving";

/// Folders that no build needs.
const LEFT_OUT: [&str; 4] = ["kept", "node_modules", "wrong", "also-right"];

/// The scratch workspace.
#[derive(Debug)]
pub(super) struct Tree {
    base: PathBuf,
    root: PathBuf,
    /// Held while proving: two at once would swap each other's files.
    _lock: File,
}

impl Tree {
    /// Makes the workspace, without labs.
    pub(super) fn new(repo: &Repo) -> Result<Self> {
        let base = repo.target.join("prove");
        let root = base.join("tree");
        fs::create_dir_all(&root).map_err(|error| Sentence::io("create", &root, error))?;
        let lock = base.join("lock");
        let file = File::create(&lock).map_err(|error| Sentence::io("create", &lock, error))?;
        if file.try_lock().is_err() {
            return Err(Sentence::new(format!(
                "Another `cargo lab prove` is at work in {}; wait for it to end.",
                base.display()
            )));
        }
        let path = repo.root.join("Cargo.toml");
        let manifest = fs::read_to_string(&path).map_err(|error| Sentence::io("read", &path, error))?;
        write(&root.join("Cargo.toml"), trim(&manifest, repo)?.as_bytes())?;
        for name in ["Cargo.lock", "rust-toolchain.toml", ".cargo/config.toml", ".config/insta.yaml"] {
            let path = repo.root.join(name);
            if path.is_file() {
                let bytes = fs::read(&path).map_err(|error| Sentence::io("read", &path, error))?;
                write(&root.join(name), &bytes)?;
            }
        }
        for lab in repo.labs()? {
            // A workspace needs all its members, whichever is proved.
            if lab.solution.is_dir() {
                mirror(&lab.folder, &at(&root, "labs", &lab))?;
                mirror(&lab.solution, &at(&root, "solutions", &lab))?;
            }
        }
        Ok(Self { base, root, _lock: file })
    }

    /// The workspace's folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A folder for results, apart from the student's.
    pub(super) fn memory(&self) -> PathBuf {
        self.base.join("memory")
    }

    /// Where a run over this folder writes its report.
    pub(super) fn report(&self, folder: &Path) -> PathBuf {
        folder.join("report.json")
    }

    /// The lab's copy.
    pub(super) fn lab(&self, lab: &Lab) -> PathBuf {
        at(&self.root, "labs", lab)
    }

    /// The solution's copy.
    pub(super) fn solution(&self, lab: &Lab) -> PathBuf {
        at(&self.root, "solutions", lab)
    }

    /// Makes a copy of the solution in which nothing is built, of this name: for what runs while
    /// something else is. The lab is beside it: its snapshots are the solution's, too.
    pub(super) fn aside(&self, lab: &Lab, name: &str) -> Result<PathBuf> {
        let root = self.base.join(name);
        let copy = at(&root, "solutions", lab);
        mirror(&self.lab(lab), &at(&root, "labs", lab))?;
        mirror(&self.solution(lab), &copy)?;
        Ok(copy)
    }

    /// Makes the student's files of a copy exactly these. A file that is so already keeps its
    /// time, so that cargo rebuilds nothing for it; one that is not is new, even when it goes back
    /// to what it was.
    pub(super) fn put(&self, folder: &Path, files: &Files) -> Result<()> {
        for name in crate::repo::names(folder)? {
            if !files.contains_key(&name) {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(|error| Sentence::io("remove", &path, error))?;
            }
        }
        for (name, bytes) in files {
            write(&folder.join(name), bytes)?;
        }
        Ok(())
    }

    /// Copies a binary to where the next build does not overwrite it.
    pub(super) fn keep(&self, name: &str, binary: &Path) -> Result<PathBuf> {
        let memory = self.memory();
        let kept = memory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        fs::create_dir_all(&memory)
            .and_then(|()| fs::copy(binary, &kept))
            .map_err(|error| Sentence::io("copy the checks to", &kept, error))?;
        Ok(kept)
    }

    /// Removes a binary that was kept.
    pub(super) fn forget(&self, kept: &Path) -> Result<()> {
        fs::remove_file(kept).map_err(|error| Sentence::io("remove", kept, error))
    }
}

fn at(root: &Path, side: &str, lab: &Lab) -> PathBuf {
    root.join(DEEPER).join(side).join(&lab.name)
}

/// The root manifest for the scratch workspace: labs and solutions are its members, everything of
/// the house is used from where it stands.
fn trim(manifest: &str, repo: &Repo) -> Result<String> {
    let mut text = String::new();
    let mut inside_list = false;
    for line in manifest.lines() {
        if inside_list {
            inside_list = !line.contains(']');
            continue;
        }
        if line.starts_with("members") || line.starts_with("default-members") {
            inside_list = !line.contains(']');
            if line.starts_with("members") {
                text.push_str(&format!("members = [\"{DEEPER}/labs/*\", \"{DEEPER}/solutions/*\"]\n"));
            }
            continue;
        }
        match line.split_once("path = \"") {
            None => text.push_str(line),
            Some((before, after)) => {
                let path = after.split('"').next().unwrap_or(after);
                let rest = &after[path.len()..].trim_start_matches('"');
                let lab = path.starts_with("labs/lab") || path.starts_with("solutions/");
                let path =
                    if lab { format!("{DEEPER}/{path}") } else { repo.root.join(path).display().to_string() };
                // A literal string: a path may have a backslash in it.
                text.push_str(&format!("{before}path = '{path}'{rest}"));
            }
        }
        text.push('\n');
    }
    if inside_list {
        return Err(Sentence::new("The workspace's Cargo.toml has a list of members that does not end."));
    }
    Ok(text)
}

/// Makes one folder a copy of another, touching only what differs.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(|error| Sentence::io("create", to, error))?;
    let list = |folder: &Path| -> Result<Vec<fs::DirEntry>> {
        fs::read_dir(folder).and_then(Iterator::collect).map_err(|error| Sentence::io("list", folder, error))
    };
    for entry in list(to)? {
        let theirs = from.join(entry.file_name());
        let path = entry.path();
        let gone = if path.is_dir() && !theirs.is_dir() {
            fs::remove_dir_all(&path)
        } else if !path.is_dir() && !theirs.is_file() {
            fs::remove_file(&path)
        } else {
            Ok(())
        };
        gone.map_err(|error| Sentence::io("remove", &path, error))?;
    }
    for entry in list(from)? {
        let name = entry.file_name();
        let (path, copy) = (entry.path(), to.join(&name));
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if path.is_dir() {
            mirror(&path, &copy)?;
        } else {
            let bytes = fs::read(&path).map_err(|error| Sentence::io("read", &path, error))?;
            write(&copy, &bytes)?;
        }
    }
    Ok(())
}

/// Writes a file unless it says so already.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| Sentence::io("create", folder, error))?;
    }
    fs::write(path, bytes).map_err(|error| Sentence::io("write", path, error))
}
