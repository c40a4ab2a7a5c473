//! Builds the module behind the book's elements: `book/widgets` for wasm32-unknown-unknown, packed for a page.

use std::{path::Path, process::Command};

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
        .args(["build", "--package", PACKAGE, "--lib", "--profile", PROFILE])
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
    Ok(Widgets { script: output.js().to_owned(), wasm: output.wasm_mut().emit_wasm() })
}
