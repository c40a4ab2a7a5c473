//! The bench for the book's pages: `book/playground` for wasm32-wasip1, and the scripts that load it.
//!
//! The bench contains a C engine, so clang and wasi-libc compile a part of it.
//! Everything that differs from an ordinary build stands in [`build`]; nothing
//! of it is in `.cargo/config.toml`, where it would reach students' builds too.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[cfg(unix)]
use std::os::unix::fs::symlink;
#[cfg(windows)]
use std::os::windows::fs::symlink_dir as symlink;

use press::Playground;

use crate::{
    StageError,
    book::{self, Say},
    toolchain,
};

const TARGET: &str = "wasm32-wasip1";
/// The module's name, in cargo's folder and in the one it is put into.
const NAME: &str = "playground.wasm";
/// The one crate that is built otherwise than for the labs.
const PATCHED: &str = "tokio-tungstenite";
/// The compilers to try, the newest known to work first; `CC_wasm32_wasip1` comes before all.
const COMPILERS: [&str; 8] =
    ["clang-19", "clang-20", "clang-21", "clang-22", "clang-18", "clang-17", "clang-16", "clang"];
/// How the C in the bench is compiled.
///
/// `-U__wasi__`: QuickJS-ng drops its stack limit where that is defined.
/// `-D__wasi_api_h`: wasi-libc's header would refuse to go without it.
/// `-D__ANDROID__`: `malloc_usable_size`, with which the memory limit counts.
/// `-D__FILE__`: no path of this machine in the module.
/// `-DNDEBUG`: none of the engine's dumps for its developers.
/// `-mbulk-memory`: one instruction to copy memory, as the Rust in it has.
const C_FLAGS: &str = "--target=wasm32-wasi -U__wasi__ -D__wasi_api_h -D__ANDROID__ -DNDEBUG -mbulk-memory -Wno-builtin-macro-redefined -D__FILE__=__FILE_NAME__";

/// How the Rust in it is compiled.
///
/// `tokio_unstable`: else tokio does not build for this target.
/// `--compress-relocations`: the linker writes numbers as short as they are.
const RUST_FLAGS: [&str; 4] = ["--cfg", "tokio_unstable", "-C", "link-arg=--compress-relocations"];
/// The scripts beside the module, as they are in `book/playground`.
const SCRIPTS: [&str; 4] = ["bench.js", "playground.js", "wasi.js", "worker.js"];
/// What the module is made of, below the root of the repository, and a little more: cargo knows it exactly.
const SOURCES: [&str; 6] =
    ["Cargo.toml", "Cargo.lock", "book/playground/Cargo.toml", "book/playground/src", "labs", "solutions"];

/// Everything that a page needs of the bench. The module is built with `compiler`, unless the one from the time before
/// is of these very sources.
///
/// # Errors
/// As [`build`].
pub(crate) fn playground(
    root: &Path,
    target: &Path,
    compiler: &OsStr,
    say: Say<'_>,
) -> Result<Playground, StageError> {
    let stage = target.join("stage");
    let (built, key_file) = (stage.join(NAME), stage.join("playground.key"));
    let key = {
        let mut hasher = DefaultHasher::new();
        (compiler, book::this_program()?).hash(&mut hasher);
        for source in SOURCES {
            book::hash_below(&root.join(source), &mut hasher)?;
        }
        format!("{:016x}", hasher.finish())
    };
    let is_built = built.is_file() && fs::read_to_string(&key_file).is_ok_and(|known| known == key);
    if !is_built {
        say("Building the bench for the pages (the first time, a minute or two) …");
        let module = compiled(root, target, compiler, &["--quiet"])?;
        fs::create_dir_all(&stage).map_err(StageError::at(&stage))?;
        fs::copy(&module, &built).map_err(StageError::at(&module))?;
        fs::write(&key_file, key).map_err(StageError::at(&key_file))?;
    }
    let module = fs::read(&built).map_err(StageError::at(&built))?;
    // So that a page can say how far its fetch is, whatever the server says of a length.
    let weight = format!("export const weight = {};\n", module.len());
    let mut playground = Playground::default();
    for name in SCRIPTS {
        let path = root.join("book/playground").join(name);
        playground.files.insert(name.to_owned(), fs::read(&path).map_err(StageError::at(&path))?);
    }
    playground.files.insert("weight.js".to_owned(), weight.into_bytes());
    playground.files.insert(NAME.to_owned(), module);
    Ok(playground)
}

/// Builds the module of the repository at `root` and puts it into `out`; gives its path and its size in bytes.
///
/// # Errors
/// [`StageError::Toolchain`] says in one sentence what is missing and how to
/// get it; [`StageError::Module`] when the code does not compile.
pub fn build(root: &Path, target: &Path, out: &Path) -> Result<(PathBuf, u64), StageError> {
    let module = compiled(root, target, &compiler()?, &[])?;
    let placed = out.join(NAME);
    fs::create_dir_all(out).map_err(StageError::at(out))?;
    let size = fs::copy(&module, &placed).map_err(StageError::at(&module))?;
    Ok((placed, size))
}

/// The module, in cargo's folder.
///
/// Cargo's progress goes to standard error. The build has a target folder of
/// its own, so that nothing else is rebuilt for it.
fn compiled(root: &Path, target: &Path, compiler: &OsStr, flags: &[&str]) -> Result<PathBuf, StageError> {
    toolchain::standard_library(TARGET)?;
    let folder = target.join("module");
    let cargo = toolchain::cargo();
    let mirror = mirror(root, &folder.join("mirror"), &cargo)?;
    let built = Command::new(cargo)
        .current_dir(&mirror)
        .args([
            "rustc",
            "--package",
            "playground",
            "--lib",
            // Not the library for tests beside it: with that, cargo optimises each crate by itself, whatever `lto` says.
            "--crate-type",
            "cdylib",
            "--profile",
            "module",
            "--target",
            TARGET,
            "--locked",
        ])
        .args(flags)
        .arg("--target-dir")
        .arg(&folder)
        // These come before whatever a shell sets for other builds.
        .env("CARGO_ENCODED_RUSTFLAGS", toolchain::rust_flags(&RUST_FLAGS, &[root, &mirror]))
        // Else the engine's build script downloads a toolchain.
        .env("RQUICKJS_SYS_NO_WASI_SDK", "1")
        .env("CC_wasm32_wasip1", compiler)
        .env("AR_wasm32_wasip1", env::var_os("AR_wasm32_wasip1").unwrap_or_else(|| "ar".into()))
        .env("CFLAGS_wasm32_wasip1", C_FLAGS)
        .status();
    match built {
        Ok(status) if status.success() => {}
        Ok(_) => return Err(StageError::Module),
        Err(error) => return Err(StageError::Toolchain(format!("cargo cannot be started: {error}."))),
    }
    Ok(folder.join(TARGET).join("module").join(NAME))
}

/// The workspace once more, in `folder`, with one difference: tokio-tungstenite without its default feature `connect`.
///
/// axum's `ws` asks for that crate's default features. `connect` opens sockets, of which this target has none, so it
/// does not compile. Everything else is the repository's own by symbolic links: its code, and the versions of its lock.
fn mirror(root: &Path, folder: &Path, cargo: &OsStr) -> Result<PathBuf, StageError> {
    let source = source_of(root, PATCHED, cargo)?;
    let copy = folder.join("patched").join(PATCHED);
    copy_folder(&source, &copy)?;
    let unpatched = |what: &str| {
        StageError::Toolchain(format!(
            "{PATCHED} has changed: {what}. The page's module needs it without its feature `connect`; see `mirror` in book/stage/src/module.rs."
        ))
    };
    edit(&source.join("Cargo.toml"), &copy.join("Cargo.toml"), |manifest| {
        let (before, rest) =
            manifest.split_once("\ndefault = [").ok_or_else(|| unpatched("it has no default features"))?;
        let (_, after) = rest.split_once(']').ok_or_else(|| unpatched("its default features do not end"))?;
        Ok(format!("{before}\ndefault = [\"handshake\"]{after}"))
    })?;
    edit(&root.join("Cargo.toml"), &folder.join("Cargo.toml"), |manifest| {
        Ok(format!("{manifest}\n[patch.crates-io]\n{PATCHED} = {{ path = \"patched/{PATCHED}\" }}\n"))
    })?;
    edit(&root.join("Cargo.lock"), &folder.join("Cargo.lock"), |lock| {
        // A crate at a path has neither a source nor a checksum.
        let name = format!("name = \"{PATCHED}\"\n");
        let (before, rest) =
            lock.split_once(&name).ok_or_else(|| unpatched("Cargo.lock does not name it"))?;
        let (entry, after) =
            rest.split_once("\n\n").ok_or_else(|| unpatched("its entry in Cargo.lock does not end"))?;
        let entry: Vec<&str> = entry
            .lines()
            .filter(|line| !line.starts_with("source") && !line.starts_with("checksum"))
            .collect();
        Ok(format!("{before}{name}{}\n\n{after}", entry.join("\n")))
    })?;
    for name in ["book", "labs", "solutions"] {
        let link = folder.join(name);
        if fs::read_link(&link).is_ok_and(|to| to == root.join(name)) {
            continue;
        }
        let _ = fs::remove_file(&link);
        symlink(root.join(name), &link).map_err(StageError::at(&link))?;
    }
    Ok(folder.to_owned())
}

/// Where cargo keeps a crate's source; it is downloaded if it is not there yet.
fn source_of(root: &Path, name: &str, cargo: &OsStr) -> Result<PathBuf, StageError> {
    let cannot = |why: &str| {
        StageError::Toolchain(format!("cargo does not say where the source of {name} is: {why}."))
    };
    let told = Command::new(cargo)
        .current_dir(root)
        .args(["metadata", "--locked", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot(&error.to_string()))?;
    let told: serde_json::Value =
        serde_json::from_slice(&told.stdout).map_err(|error| cannot(&error.to_string()))?;
    let packages = told["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let manifest = packages
        .iter()
        .find(|package| package["name"] == name)
        .and_then(|found| found["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder.map(Path::to_owned).ok_or_else(|| cannot("the workspace does not use it"))
}

/// Copies a crate's files, without its manifest.
fn copy_folder(from: &Path, to: &Path) -> Result<(), StageError> {
    fs::create_dir_all(to).map_err(StageError::at(to))?;
    for entry in fs::read_dir(from).map_err(StageError::at(from))? {
        let entry = entry.map_err(StageError::at(from))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else if entry.file_name() != "Cargo.toml" {
            edit_bytes(&from, &to, Ok)?;
        }
    }
    Ok(())
}

/// Writes to `to` what `change` makes of the text in `from`.
fn edit(
    from: &Path,
    to: &Path,
    change: impl FnOnce(String) -> Result<String, StageError>,
) -> Result<(), StageError> {
    edit_bytes(from, to, |bytes| change(String::from_utf8_lossy(&bytes).into_owned()).map(String::into_bytes))
}

/// The same with bytes. A file that would not change is left alone: cargo goes by its time.
fn edit_bytes(
    from: &Path,
    to: &Path,
    change: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, StageError>,
) -> Result<(), StageError> {
    let changed = change(fs::read(from).map_err(StageError::at(from))?)?;
    if fs::read(to).is_ok_and(|before| before == changed) {
        return Ok(());
    }
    fs::write(to, changed).map_err(StageError::at(to))
}

/// A compiler that makes wasm and finds the C library for it.
///
/// # Errors
/// [`StageError::Toolchain`]: what is missing, and how to get it.
pub(crate) fn compiler() -> Result<OsString, StageError> {
    let chosen = env::var_os("CC_wasm32_wasip1");
    let names = chosen.map_or_else(|| COMPILERS.map(OsString::from).to_vec(), |chosen| vec![chosen]);
    choose(&names).map_err(|found| StageError::Toolchain(found.into()))
}

/// The first of `names` that compiles a C program for the target, or what is missing.
fn choose(names: &[OsString]) -> Result<OsString, &'static str> {
    let mut missing = "Building the page's module needs clang: install it with wasi-libc (on Debian and Ubuntu `sudo apt-get install --no-install-recommends clang-19 wasi-libc`) and try again.";
    for name in names {
        if !compiles(name, "int nothing;\n") {
            continue;
        }
        if compiles(name, "#include <stdlib.h>\n") {
            return Ok(name.clone());
        }
        missing = "clang is here, but the C library for WebAssembly is not: install wasi-libc (on Debian and Ubuntu `sudo apt-get install --no-install-recommends wasi-libc`) and try again.";
    }
    Err(missing)
}

fn compiles(compiler: &OsStr, program: &str) -> bool {
    let started = Command::new(compiler)
        .args(["--target=wasm32-wasi", "-x", "c", "-fsyntax-only", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut running) = started else { return false };
    let written = running.stdin.take().is_some_and(|mut input| input.write_all(program.as_bytes()).is_ok());
    running.wait().is_ok_and(|status| status.success() && written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_compiler_is_told_with_what_to_install() {
        let told = choose(&["no-such-clang".into()]).unwrap_err();
        assert!(told.contains("clang-19 wasi-libc"), "{told}");
    }
}
