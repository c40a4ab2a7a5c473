//! Builds the module behind the book's elements: `book/widgets` for wasm32-unknown-unknown, packed for a page.

use std::{collections::BTreeMap, path::Path, process::Command};

use press::Widgets;
use wasm_bindgen_cli_support::Bindgen;

use crate::{StageError, toolchain};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "widgets";
/// A profile of the workspace that keeps the sections which wasm-bindgen reads.
const PROFILE: &str = "widgets";

/// Builds the module of the repository at `root`, below `target`.
///
/// Cargo's progress goes to standard error. The build shares its folder with the page's other module, so that nothing
/// else is rebuilt for it.
///
/// # Errors
/// [`StageError::Toolchain`] says in one sentence what is missing and how to get it; [`StageError::Widgets`] when the
/// code does not compile or cannot be packed.
pub fn build(root: &Path, target: &Path) -> Result<Widgets, StageError> {
    toolchain::standard_library(TARGET)?;
    let folder = target.join("module");
    let built = Command::new(toolchain::cargo())
        .current_dir(root)
        // `cdylib` alone: with the library for tests beside it cargo optimises each crate by itself, whatever `lto` says.
        .args(["rustc", "--package", PACKAGE, "--lib", "--crate-type", "cdylib", "--profile", PROFILE])
        .args(["--target", TARGET, "--locked", "--quiet", "--target-dir"])
        .arg(&folder)
        // These come before whatever a shell sets for other builds.
        .env("CARGO_ENCODED_RUSTFLAGS", toolchain::rust_flags(&[], &[root]))
        .status();
    match built {
        Ok(status) if status.success() => {}
        Ok(_) => return Err(StageError::Widgets("cargo says why above".to_owned())),
        Err(error) => return Err(StageError::Toolchain(format!("cargo cannot be started: {error}."))),
    }
    let module = folder.join(TARGET).join(PROFILE).join(format!("{PACKAGE}.wasm"));
    packed(&module).map_err(|error| StageError::Widgets(format!("{error:#}")))
}

/// Has wasm-bindgen write the JavaScript around the module. The page says where the WebAssembly is.
fn packed(module: &Path) -> Result<Widgets, Box<dyn std::error::Error>> {
    let mut output = Bindgen::new()
        .input_path(module)
        .out_name(PACKAGE)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    let (script, wasm) = (output.js().to_owned(), output.wasm_mut().emit_wasm());
    let script = without_comments(&script);
    let names = hashed(&script);
    Ok(Widgets { script: renamed(script.as_bytes(), &names).try_into()?, wasm: renamed(&wasm, &names) })
}

/// A script that nobody reads, without comments and indentation. wasm-bindgen begins each line anew and writes neither
/// comments behind code nor texts of several lines.
fn without_comments(script: &str) -> String {
    let is_code = |line: &&str| !["//", "/**", "*"].iter().any(|comment| line.starts_with(comment));
    let lines: Vec<&str> =
        script.lines().map(str::trim).filter(|line| !line.is_empty()).filter(is_code).collect();
    lines.join("\n")
}

/// The names by which the module asks the script for what it needs, each with one of the same length to take its place.
///
/// They end with sixteen digits of a hash, which keeps the names of many crates apart and cannot be compressed: a
/// fortieth of all. Here is one crate, and a count does.
fn hashed(script: &str) -> BTreeMap<&str, String> {
    let words = script.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let hashed = words.filter(|word| {
        let digits = word.rsplit('_').next().unwrap_or_default();
        word.starts_with("__wbg_")
            && digits.len() == 16
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    let mut names = BTreeMap::new();
    let mut alike = BTreeMap::<&str, u32>::new();
    for name in hashed {
        let (begins, _) = name.split_at(name.len() - 16);
        names.entry(name).or_insert_with(|| {
            let count = alike.entry(begins).or_default();
            *count += 1;
            format!("{begins}{count:016}")
        });
    }
    names
}

/// Bytes in which each name has made way for another of the same length.
fn renamed(bytes: &[u8], names: &BTreeMap<&str, String>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (name, other) in names {
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(name.len()).position(|window| window == name.as_bytes()) {
            bytes[at + found..][..other.len()].copy_from_slice(other.as_bytes());
            at += found + other.len();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "/**\n * Words.\n */\nexport function a() {\n  // More.\n    return 2\n}\n__wbg_get_0123456789abcdef: 1,\n__wbg_get_fedcba9876543210: 2,\n__wbg_init: 3";

    #[test]
    fn a_script_loses_its_comments_and_no_code() {
        let script = without_comments(SCRIPT);
        assert!(script.starts_with("export function a() {\nreturn 2\n}\n__wbg_get_0"), "{script}");
    }

    #[test]
    fn names_that_end_in_a_hash_get_a_count_in_script_and_module_alike() {
        let names = hashed(SCRIPT);
        let told: Vec<&str> = names.values().map(String::as_str).collect();
        assert_eq!(told, ["__wbg_get_0000000000000001", "__wbg_get_0000000000000002"]);
        assert_eq!(renamed(b"..__wbg_get_fedcba9876543210..", &names), b"..__wbg_get_0000000000000002..");
    }
}
