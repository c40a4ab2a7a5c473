//! The elements that a reader can play with: their names, and where what they load lies in the site.

use crate::{Playground, Widgets};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// What an author may place.
pub(crate) const PLACED: [&str; 5] = ["rt-choose", "rt-map", "sse-bytes", "try-it", "ws-frame"];

/// Those that ask the bench.
const WITH_BENCH: [&str; 2] = ["rt-map", "try-it"];

/// Whether an element on this page is brought to life by the widgets' module.
pub(crate) fn has_element(html: &str) -> bool {
    has(html, "wire-player") || PLACED.iter().any(|name| has(html, name))
}

/// Whether an element on this page asks the bench.
pub(crate) fn asks_bench(html: &str) -> bool {
    WITH_BENCH.iter().any(|name| has(html, name))
}

fn has(html: &str, name: &str) -> bool {
    // A name is followed by a blank or an end; what is shown as code begins with `&lt;`.
    html.match_indices(&format!("<{name}"))
        .any(|(at, tag)| html[at + tag.len()..].starts_with([' ', '>', '\n']))
}

/// Puts the module into the site's folder `out`, under names that change with its content. Gives what they begin
/// with: `widgets-0123abcd`.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn place(widgets: &Widgets, out: &Path) -> Result<String, (PathBuf, io::Error)> {
    let mut hasher = DefaultHasher::new();
    (&widgets.script, &widgets.wasm).hash(&mut hasher);
    let name = format!("widgets-{:08x}", hasher.finish() as u32);
    let write = |ending: &str, bytes: &[u8]| {
        let path = out.join(format!("{name}.{ending}"));
        std::fs::write(&path, bytes).map_err(|error| (path, error))
    };
    write("js", widgets.script.as_bytes())?;
    write("wasm", &widgets.wasm)?;
    Ok(name)
}

/// Puts the bench into a folder of the site's folder `out` whose name changes with its content, and gives that name.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn place_bench(playground: &Playground, out: &Path) -> Result<String, (PathBuf, io::Error)> {
    let mut hasher = DefaultHasher::new();
    playground.files.hash(&mut hasher);
    let name = format!("playground-{:08x}", hasher.finish() as u32);
    let folder = out.join(&name);
    std::fs::create_dir_all(&folder).map_err(|error| (folder.clone(), error))?;
    for (file, bytes) in &playground.files {
        let path = folder.join(file);
        std::fs::write(&path, bytes).map_err(|error| (path, error))?;
    }
    Ok(name)
}
