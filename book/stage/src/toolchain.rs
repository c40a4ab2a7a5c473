//! What building for WebAssembly needs besides the toolchain that is there.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::StageError;

/// Has rustup install the standard library for `target` if it is not there.
///
/// # Errors
/// [`StageError::Toolchain`], where there is no rustup or no network.
pub(crate) fn standard_library(target: &str) -> Result<(), StageError> {
    if has_standard_library(target) {
        return Ok(());
    }
    eprintln!("The Rust target {target} is missing; asking rustup for it.");
    let added = Command::new("rustup").args(["target", "add", target]).status();
    if added.is_ok_and(|status| status.success()) && has_standard_library(target) {
        return Ok(());
    }
    Err(StageError::Toolchain(format!(
        "The Rust target {target} is missing and rustup could not add it (no network?): run `rustup target add {target}` and try again."
    )))
}

fn has_standard_library(target: &str) -> bool {
    let told = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    told.is_ok_and(|told| {
        let folder = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        fs::read_dir(folder).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
        })
    })
}

/// The cargo that runs this program, or the one in the path.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Compiler flags, in cargo's encoding, which bears blanks in paths: `flags`, and such as keep the paths of this
/// machine, which panics would name, out of a module.
pub(crate) fn rust_flags(flags: &[&str], roots: &[&Path]) -> OsString {
    let cargo =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let paths =
        roots.iter().map(|root| (*root, "book")).chain(cargo.as_deref().map(|cargo| (cargo, "cargo")));
    let mut all: Vec<OsString> = flags.iter().map(OsString::from).collect();
    for (path, name) in paths {
        let mut prefix = path.as_os_str().to_owned();
        prefix.push("=");
        prefix.push(name);
        all.extend(["--remap-path-prefix".into(), prefix]);
    }
    all.join("\u{1f}".as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_bear_blanks_in_paths_and_hide_this_machine() {
        let flags = rust_flags(&["--cfg", "tokio_unstable"], &[Path::new("/home/a b/book")]);
        let flags = flags.into_string().unwrap();
        let begins = "--cfg\u{1f}tokio_unstable\u{1f}--remap-path-prefix\u{1f}/home/a b/book=book\u{1f}";
        assert!(flags.starts_with(begins), "{flags:?}");
        assert!(flags.ends_with("=cargo"), "{flags:?}");
    }

    #[test]
    fn a_target_that_does_not_exist_is_told_with_what_to_do() {
        let told = standard_library("wasm64-no-such").unwrap_err().to_string();
        assert!(told.contains("rustup target add wasm64-no-such"), "{told}");
    }
}
