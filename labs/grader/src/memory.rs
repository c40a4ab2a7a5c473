//! Where results are kept between runs: what a grading leaves for `cargo lab`, and `cargo lab join` for the gradings.
//!
//! Both must come to the same folder, wherever cargo builds (`CARGO_TARGET_DIR`, `build.target-dir`, `build.build-dir`,
//! one folder for several clones). So it stands with the workspace; only where nobody may write there, beside the build.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

/// Cargo marks the folder that it builds in with this file.
const MARK: &str = "CACHEDIR.TAG";

/// The folder for the workspace at `root`: its `target/lab`. `binary` is the program that asks.
pub fn folder(root: &Path, binary: Option<&Path>) -> PathBuf {
    let ours = root.join("target/lab");
    if is_writable(&ours).is_ok() {
        return ours;
    }
    binary.and_then(target).map_or(ours, |target| target.join("lab"))
}

/// Cargo's target folder, by a program that was built into it.
pub fn target(binary: &Path) -> Option<PathBuf> {
    let folder = binary.ancestors().skip(1).find(|folder| folder.join(MARK).is_file());
    folder.map(Path::to_path_buf)
}

/// Only trying tells, whatever the permissions say.
fn is_writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".{}", process::id()));
    fs::write(&probe, "")?;
    fs::remove_file(probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_workspace_s_wherever_cargo_builds() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let (root, elsewhere) = (place.path().join("my clone ü"), place.path().join("elsewhere"));
        let grade = elsewhere.join("x86_64-unknown-linux-gnu/debug/deps/grade-0123");
        let lab = elsewhere.join("debug/lab");
        for binary in [&grade, &lab] {
            fs::create_dir_all(binary.parent().expect("it is in a folder")).expect("a folder");
        }
        fs::write(elsewhere.join(MARK), "").expect("a file");
        fs::create_dir(&root).expect("a folder");
        for binary in [Some(&*grade), Some(&*lab), None] {
            assert_eq!(folder(&root, binary), root.join("target/lab"));
        }
        // Where nothing can be written, not even by root.
        fs::remove_dir_all(root.join("target")).expect("removed");
        fs::write(root.join("target"), "").expect("a file");
        for binary in [&grade, &lab] {
            assert_eq!(folder(&root, Some(binary)), elsewhere.join("lab"));
        }
    }
}
