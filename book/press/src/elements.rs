//! The elements that a reader can play with: their names, and where their module lies in the site.

use crate::Widgets;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// What an author may place.
pub(crate) const PLACED: [&str; 3] = ["rt-choose", "sse-bytes", "ws-frame"];

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
