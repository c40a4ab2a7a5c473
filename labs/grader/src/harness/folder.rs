//! The files of a lab: what is graded, and what it is compared with.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    Sources,
    check::Lab,
    memory,
    text::{self, Encoding},
};

/// Where a lab stands: its package's folder.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// Labs and solutions stand two folders below the root.
    pub(super) fn snapshots(&self, lab: &Lab) -> PathBuf {
        self.0.join("../..").join(lab.folder).join("tests/snapshots")
    }

    /// A file's text, as far as it is one.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let bytes = fs::read(self.0.join(name)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Where results are kept between runs.
    pub(super) fn memory(&self) -> PathBuf {
        let root = self.0.ancestors().nth(2).unwrap_or(&self.0);
        memory::folder(root, env::current_exe().ok().as_deref())
    }

    /// Why a binary that was built in the folder `built_in`, from these files, says nothing of this one.
    ///
    /// Cargo goes by the times of files. With one target folder for two copies of the repository it takes a binary of
    /// the one for the other's, and so it does where a file has become another one that is older.
    pub(super) fn is_another(
        &self,
        package: &str,
        built_in: &Path,
        built_from: &[(&str, &str)],
    ) -> Option<String> {
        let (name, _) = built_from.iter().find(|(name, built)| {
            let mine = fs::read_to_string(self.0.join(name)).unwrap_or_default();
            text::plain(&mine) != text::plain(built)
        })?;
        let is_here = fs::canonicalize(built_in).ok() == fs::canonicalize(&self.0).ok();
        Some(if is_here {
            format!(
                "Nothing is graded: {name} is not the file that these checks were built from. It was saved while they \
                 were compiled, or it is older than the build. Call the command again; if it says so again, \
                 `cargo clean -p {package}` makes cargo build the lab anew."
            )
        } else {
            format!(
                "Nothing is graded: {name} is not the file that these checks were built from. Cargo has taken them from \
                 {}, which builds into the same target folder as {}. `cargo clean -p {package}` makes cargo build \
                 yours; a target folder for each copy of the repository (`CARGO_TARGET_DIR`) keeps them apart.",
                built_in.display(),
                self.0.display(),
            )
        })
    }

    /// The client's files: all that a module of `web` can import from the server, under its path there.
    pub(super) fn client(&self) -> Client {
        let mut client = Client::default();
        self.collect("", &mut client);
        // Packages are many files. They are read where somebody asks for one.
        if client.texts.values().any(|text| text.contains("node_modules/")) {
            self.collect("node_modules", &mut client);
        }
        client
    }

    fn collect(&self, inside: &str, client: &mut Client) {
        // A link may lead back to where it stands.
        if inside.split('/').count() > DEEPEST {
            return;
        }
        for entry in fs::read_dir(self.0.join("web").join(inside)).into_iter().flatten().flatten() {
            let path = entry.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let name = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
            if path.is_dir() {
                if !name.ends_with("node_modules") {
                    self.collect(&name, client);
                }
            } else if path.extension().is_some_and(|ending| MODULES.iter().any(|known| ending == *known))
                && let Ok(bytes) = fs::read(&path)
            {
                client.add(name, &bytes);
            }
        }
    }
}

/// The endings of what a browser imports: `.js` and `.mjs` are served as scripts, and JSON where it is asked for by type.
const MODULES: [&str; 3] = ["js", "mjs", "json"];
/// So deep may folders stand in each other.
const DEEPEST: usize = 16;

/// The client's files, as they were read.
#[derive(Default)]
pub(super) struct Client {
    texts: BTreeMap<String, String>,
    /// Those that are no text, with what they are.
    others: BTreeMap<String, String>,
    /// What a student is to know of them, whatever the verdict.
    pub(super) remarks: Vec<String>,
}

impl Client {
    fn add(&mut self, name: String, bytes: &[u8]) {
        match text::decode(bytes) {
            Encoding::Utf8(text) => {
                self.texts.insert(name, text);
            }
            // Browsers read it all the same, and so may its contract hold.
            Encoding::Broken(text, line) => {
                self.remarks.push(format!(
                    "web/{name} is not UTF-8: line {line} has bytes that browsers show as \u{fffd}. Save it as UTF-8."
                ));
                self.texts.insert(name, text);
            }
            Encoding::Utf16 => {
                self.others.insert(name, "UTF-16".to_owned());
            }
        }
    }

    pub(super) fn into_sources(self) -> Sources {
        Sources::new(self.texts).with_others(self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_files_are_those_that_its_server_sends() {
        let lab = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = lab.path().join("web").join(name);
            fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folder");
            fs::write(path, bytes).expect("file");
        };
        write("client.js", b"import './lib/helper.js';\r\n");
        write("lib/deep/one.mjs", b"");
        write("lib/helper.js", b"// caf\xe9\n");
        write("prices.json", b"{}");
        write("notes.txt", b"");
        write("old.js", &[0xff, 0xfe, b'a', 0]);
        write("node_modules/dep/index.js", b"");
        let folder = Folder(lab.path().to_owned());
        let client = folder.client();
        let named = |name: &str| client.remarks.iter().any(|remark| remark.contains(name));
        assert!(named("web/lib/helper.js is not UTF-8: line 1"), "{:?}", client.remarks);
        assert_eq!(client.others.keys().collect::<Vec<_>>(), ["old.js"]);
        let sources = client.into_sources();
        let names: Vec<_> = sources.names().collect();
        assert_eq!(names, ["client.js", "lib/deep/one.mjs", "lib/helper.js", "prices.json"]);
        assert_eq!(sources.get("client.js"), Some("import './lib/helper.js';\n"));
        // A package is there for those who ask for it.
        write("client.js", b"import './node_modules/dep/index.js';");
        assert!(folder.client().into_sources().get("node_modules/dep/index.js").is_some());
    }

    #[test]
    fn a_binary_of_other_sources_says_nothing_of_these() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = |name: &str, lib: &str| {
            let folder = Folder(place.path().join(name));
            fs::create_dir_all(folder.0.join("src")).expect("a folder");
            fs::write(folder.0.join("src/lib.rs"), lib).expect("a file");
            folder
        };
        let (one, two) = (folder("one", "todo!()\r\n"), folder("a copy ü", "solved()\n"));
        let built = |text| [("src/lib.rs", text)];
        assert_eq!(one.is_another("lab3", &one.0, &built("todo!()\n")), None);
        assert_eq!(
            two.is_another("lab3", &one.0, &built("solved()\n")),
            None,
            "a renamed folder is no other one"
        );
        let other = one.is_another("lab3", &two.0, &built("solved()\n")).expect("it is another's");
        for part in
            ["src/lib.rs is not the file", "a copy ü", "one", "cargo clean -p lab3", "CARGO_TARGET_DIR"]
        {
            assert!(other.contains(part), "`{part}` is not in: {other}");
        }
        let changed = one.is_another("lab3", &one.0, &built("solved()\n")).expect("it was changed");
        assert!(changed.contains("saved while they were compiled"), "{changed}");
    }
}
