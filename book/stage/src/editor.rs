//! Builds the editor of the lab in the page: `book/editor`, bundled with esbuild.
//!
//! What it is made of comes from npm, in the versions of its lock file, into a folder below `target`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use press::Editor;

use crate::StageError;

/// What npm reads.
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];
const ENTRY: &str = "main.js";
/// Written when npm has put everything in its place: the lock file that it went by.
const DONE: &str = ".installed";

/// Bundles the editor of the repository at `root`, below `target`.
///
/// # Errors
/// [`StageError::Toolchain`] says in one sentence what is missing; [`StageError::Editor`] when the code cannot be
/// bundled.
pub fn build(root: &Path, target: &Path) -> Result<Editor, StageError> {
    let (source, folder) = (root.join("book/editor"), target.join("editor"));
    fs::create_dir_all(&folder).map_err(StageError::at(&folder))?;
    for name in [MANIFESTS[0], MANIFESTS[1], ENTRY] {
        let from = source.join(name);
        fs::copy(&from, folder.join(name)).map_err(StageError::at(&from))?;
    }
    install(&folder)?;
    let bundled = Command::new("node")
        .current_dir(&folder)
        .args([
            "node_modules/esbuild/bin/esbuild",
            ENTRY,
            "--bundle",
            "--format=esm",
            "--target=es2022",
            "--minify",
            "--legal-comments=none",
        ])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| StageError::Editor(format!("esbuild cannot be started: {error}")))?;
    if !bundled.status.success() {
        return Err(StageError::Editor(String::from_utf8_lossy(&bundled.stderr).trim().to_owned()));
    }
    let script = String::from_utf8(bundled.stdout)
        .map_err(|error| StageError::Editor(format!("esbuild wrote no text: {error}")))?;
    Ok(Editor { script })
}

/// Where npm is, if it is anywhere on the path.
pub(crate) fn npm() -> Option<PathBuf> {
    let name = if cfg!(windows) { "npm.cmd" } else { "npm" };
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|npm| npm.is_file())
}

/// Has npm fetch what the lock file names, unless it is there.
fn install(folder: &Path) -> Result<(), StageError> {
    let lock = folder.join(MANIFESTS[1]);
    let lock = fs::read(&lock).map_err(StageError::at(&lock))?;
    let done = folder.join("node_modules").join(DONE);
    if fs::read(&done).is_ok_and(|before| before == lock) {
        return Ok(());
    }
    let npm = npm().ok_or_else(|| {
        StageError::Toolchain("Node and npm are not installed; the editor is bundled with them.".to_owned())
    })?;
    // Nobody should wait long for a network that is not there. (esbuild does without its install script.)
    let installed = Command::new(npm)
        .current_dir(folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .args([
            "--fetch-retries=1",
            "--fetch-retry-mintimeout=500",
            "--fetch-retry-maxtimeout=1000",
            "--fetch-timeout=20000",
        ])
        .stdin(Stdio::null())
        .output();
    match installed {
        Ok(output) if output.status.success() => fs::write(&done, lock).map_err(StageError::at(&done)),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let mut lines = said.lines().map(|line| line.trim_start_matches("npm error").trim());
            let first = lines.find(|line| !line.is_empty() && !line.starts_with("code "));
            Err(StageError::Toolchain(format!(
                "npm could not fetch what the editor is made of (no network?): {}.",
                first.unwrap_or("it does not say why").trim_end_matches('.')
            )))
        }
        Err(error) => Err(StageError::Toolchain(format!("npm cannot be started: {error}."))),
    }
}
