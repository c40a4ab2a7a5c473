//! The book, built when something it is made of has changed, and as a site for any web host.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    fs::{self, File, TryLockError},
    hash::{Hash, Hasher},
    io,
    path::{Component, Path, PathBuf},
};

use press::Address;

use crate::{StageError, editor, module, widgets};

/// The languages that are finished.
const LANGUAGES: [&str; 1] = ["en"];
/// What the book is made of, below the root of the repository.
const SOURCES: [&str; 10] = [
    "Cargo.lock",
    "book.toml",
    "book/src",
    "book/editor",
    "book/playground",
    "book/po",
    "book/theme",
    "book/widgets",
    "labs",
    "solutions",
];
/// Written into an exported site: the files that the export wrote.
const LIST: &str = ".beyond-fetch-site";
/// Finds the repository: `start` or the nearest folder above it with a book in it.
///
/// # Errors
/// [`StageError::NoBook`].
pub fn find_root(start: &Path) -> Result<PathBuf, StageError> {
    start
        .ancestors()
        .find(|folder| folder.join("book.toml").is_file() && folder.join("book/src").is_dir())
        .map(Path::to_path_buf)
        .ok_or_else(|| StageError::NoBook(start.to_path_buf()))
}

/// Where cargo puts what it builds for the repository at `root`.
pub fn target_folder(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target))
}

/// How far a build is, for whoever waits.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// Which reader a build is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum For {
    /// Pages that know that a stage serves them.
    Stage,
    /// Pages for any web host, and where they will stand if that is known.
    Web(Option<Address>),
}

/// Builds the book of the repository at `root` into a folder below `target`,
/// unless the folder holds what these very sources give already. Gives that
/// folder: a page that leads to the book, and a folder for each language.
///
/// # Errors
/// [`StageError::Book`] with the place of the fault, or [`StageError::File`].
pub fn build(root: &Path, target: &Path, reader: For, say: Say<'_>) -> Result<PathBuf, StageError> {
    let name = match reader {
        For::Stage => "book",
        For::Web(_) => "web",
    };
    let stage = target.join("stage");
    let (folder, key_file) = (stage.join(name), stage.join(format!("{name}.key")));
    // What another stage builds meanwhile will do for this one, too.
    let _turn = one_at_a_time(&stage, name, say)?;
    // Whoever installs a compiler, or Node, gets the bench or the editor with the next build.
    let compiler = module::compiler();
    let key = format!("{:016x}", key(root, &reader, (compiler.as_deref().ok(), editor::npm()))?);
    if folder.is_dir() && fs::read_to_string(&key_file).is_ok_and(|built| built == key) {
        return Ok(folder);
    }
    say("Building the book's elements …");
    let widgets = match widgets::build(root, target) {
        Ok(widgets) => Some(widgets),
        Err(why) => {
            // A book without them is a book: everything is there to be read.
            eprintln!("\r{why} The book is built without what one can play with.");
            None
        }
    };
    let mut may_be_there_next_time = widgets.is_none();
    let playground = match compiler {
        Ok(compiler) => {
            module::playground(root, target, &compiler, say).inspect_err(|_| may_be_there_next_time = true)
        }
        Err(missing) => Err(missing),
    };
    let playground = match playground {
        Ok(playground) => Some(playground),
        Err(why) => {
            eprintln!("\r{why} The book is built without the bench in its pages.");
            None
        }
    };
    say("Building the editor …");
    let editor = match editor::build(root, target) {
        Ok(editor) => Some(editor),
        Err(why) => {
            may_be_there_next_time |= editor::npm().is_some();
            eprintln!("\r{why} The labs in the pages have a plain text field instead of an editor.");
            None
        }
    };
    // Built aside and put in place at once: an interrupted build leaves no half of a book.
    let aside = stage.join(format!("{name}.{}", std::process::id()));
    remove(&aside)?;
    for language in LANGUAGES {
        let options = press::Options {
            widgets: widgets.clone(),
            playground: playground.clone(),
            editor: editor.clone(),
            language: language.to_owned(),
            languages: LANGUAGES.map(str::to_owned).to_vec(),
            on_stage: reader == For::Stage,
            address: match &reader {
                For::Stage => None,
                For::Web(address) => address.clone(),
            },
            ..press::Options::new(root, &aside)
        };
        let built = press(&options, say);
        if let Err(error) = built {
            let _ = remove(&aside);
            return Err(error);
        }
    }
    remove(&folder)?;
    fs::rename(&aside, &folder).map_err(StageError::at(&folder))?;
    let key = if may_be_there_next_time { String::new() } else { key };
    fs::write(&key_file, key).map_err(StageError::at(&key_file))?;
    Ok(folder)
}

/// Waits until no other process builds this book; others wait until what this gives is dropped.
fn one_at_a_time(stage: &Path, name: &str, say: Say<'_>) -> Result<File, StageError> {
    fs::create_dir_all(stage).map_err(StageError::at(stage))?;
    let path = stage.join(format!("{name}.lock"));
    let file = File::create(&path).map_err(StageError::at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say("Another stage builds the book: waiting for it …");
            file.lock().map_err(StageError::at(&path))?;
        }
        // Where files cannot be locked, two stages must not be started in the same moment.
        Err(TryLockError::Error(error)) => tracing::debug!(%error, "the build of the book is not locked"),
    }
    Ok(file)
}

fn remove(folder: &Path) -> Result<(), StageError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StageError::File(folder.to_path_buf(), error))
        }
        _ => Ok(()),
    }
}

/// A number that changes with anything the book is made of: its sources, this program, and the tools that are
/// there for its optional parts.
fn key(root: &Path, reader: &For, tools: impl Hash) -> Result<u64, StageError> {
    let mut hasher = DefaultHasher::new();
    (reader, tools, this_program()?).hash(&mut hasher);
    for source in SOURCES {
        hash_below(&root.join(source), &mut hasher)?;
    }
    Ok(hasher.finish())
}

/// Changes when this program is built anew.
pub(crate) fn this_program() -> Result<impl Hash, StageError> {
    let program = env::current_exe().and_then(fs::metadata).map_err(StageError::at("this program"))?;
    Ok((program.len(), program.modified().ok()))
}

/// Feeds `hasher` with a file, or with all files below a folder but what was built there.
pub(crate) fn hash_below(path: &Path, hasher: &mut DefaultHasher) -> Result<(), StageError> {
    let Ok(about) = fs::metadata(path) else { return Ok(()) };
    path.hash(hasher);
    if !about.is_dir() {
        fs::read(path).map_err(StageError::at(path))?.hash(hasher);
        return Ok(());
    }
    let entries =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut entries: Vec<PathBuf> = entries.map_err(StageError::at(path))?;
    entries.sort();
    for entry in entries {
        let is_built = entry.file_name().is_some_and(|name| name == "target" || name == "node_modules");
        if !is_built {
            hash_below(&entry, hasher)?;
        }
    }
    Ok(())
}

fn press(options: &press::Options, say: Say<'_>) -> Result<(), StageError> {
    say("Building the book …");
    let built = press::build(options, &mut |progress| say(&format!("Building the book: {progress}")));
    built.map(drop).map_err(|error| StageError::Book(error.to_string()))
}

/// Builds the static site into `out`, for any web host to serve as it is, in a
/// folder of the host or at its root. Gives the number of files.
///
/// With the `address` where it will stand, pages name it (canonical links, the
/// preview of a link), the site has a sitemap, and the page for a wrong address
/// finds its style below a folder, too.
///
/// What an earlier export wrote into `out` is replaced; what anybody else put
/// there stays (a `.git`, a `CNAME`), but a folder that no export has written
/// into must be empty.
///
/// # Errors
/// [`StageError::ForeignFolder`], or why the book cannot be built or written.
pub fn export(
    root: &Path,
    target: &Path,
    out: &Path,
    address: Option<Address>,
    say: Say<'_>,
) -> Result<usize, StageError> {
    let list = out.join(LIST);
    let written = match fs::read_to_string(&list) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !is_free(out)? {
                return Err(StageError::ForeignFolder(out.to_path_buf()));
            }
            String::new()
        }
        Err(error) => return Err(StageError::File(list, error)),
    };
    let folder = build(root, target, For::Web(address), say)?;
    for old in written.lines().map(Path::new).filter(|old| is_below(old)) {
        let old = out.join(old);
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StageError::File(old, error));
            }
            _ => {}
        }
        // Folders go once they are empty, and not before.
        for parent in old.ancestors().skip(1).take_while(|parent| *parent != out) {
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
    }
    // Without it GitHub Pages leaves out what begins with an underscore.
    let mut files = vec![PathBuf::from(".nojekyll")];
    fs::create_dir_all(out).map_err(StageError::at(out))?;
    fs::write(out.join(".nojekyll"), "").map_err(StageError::at(out))?;
    copy(&folder, out, Path::new(""), &mut files)?;
    let names: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    fs::write(&list, names).map_err(StageError::at(&list))?;
    Ok(files.len())
}

/// Whether nothing is in a folder but what version control keeps there.
fn is_free(folder: &Path) -> Result<bool, StageError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".git"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(StageError::File(folder.to_path_buf(), error)),
    }
}

/// A list may have been edited: only names below the folder are believed.
fn is_below(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

fn copy(from: &Path, to: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result<(), StageError> {
    let here = from.join(below);
    for entry in fs::read_dir(&here).map_err(StageError::at(&here))? {
        let entry = entry.map_err(StageError::at(&here))?;
        let name = below.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(to.join(&name)).map_err(StageError::at(to.join(&name)))?;
            copy(from, to, &name, files)?;
        } else {
            fs::copy(entry.path(), to.join(&name)).map_err(StageError::at(to.join(&name)))?;
            files.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_the_folder_are_believed() {
        assert!(is_below(Path::new("en/index.html")));
        for odd in ["", "/etc/passwd", "../x", "en/../../x", "./x/.."] {
            assert!(!is_below(Path::new(odd)), "{odd}");
        }
    }

    #[test]
    fn a_second_build_waits_for_the_first_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let first = one_at_a_time(folder.path(), "book", &mut |_| panic!("nobody else builds")).unwrap();
        let web = one_at_a_time(folder.path(), "web", &mut |_| panic!("nobody builds this one"));
        assert!(web.is_ok());
        let path = folder.path().to_path_buf();
        let (says, said) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            one_at_a_time(&path, "book", &mut |words| says.send(words.to_owned()).unwrap()).map(drop)
        });
        assert_eq!(said.recv().unwrap(), "Another stage builds the book: waiting for it …");
        assert!(!second.is_finished());
        drop(first);
        assert!(second.join().unwrap().is_ok());
    }

    #[test]
    fn a_folder_without_a_book_is_told() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(find_root(empty.path()), Err(StageError::NoBook(_))));
    }

    #[test]
    fn the_key_changes_with_a_source_and_with_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let chapter = root.path().join("book/src/a.md");
        fs::create_dir_all(chapter.parent().unwrap()).unwrap();
        fs::write(&chapter, "one").unwrap();
        let one = key(root.path(), &For::Stage, ()).unwrap();
        assert_eq!(key(root.path(), &For::Stage, ()).unwrap(), one);
        let web = key(root.path(), &For::Web(None), ()).unwrap();
        assert_ne!(web, one);
        let address = Address::parse("https://example.org/").ok();
        assert_ne!(key(root.path(), &For::Web(address), ()).unwrap(), web);
        assert_ne!(key(root.path(), &For::Stage, "clang").unwrap(), one);
        fs::create_dir_all(root.path().join("solutions/x/target")).unwrap();
        fs::write(root.path().join("solutions/x/target/y"), "built").unwrap();
        let with_target = key(root.path(), &For::Stage, ()).unwrap();
        fs::write(root.path().join("solutions/x/target/y"), "again").unwrap();
        assert_eq!(key(root.path(), &For::Stage, ()).unwrap(), with_target);
        fs::write(&chapter, "two").unwrap();
        assert_ne!(key(root.path(), &For::Stage, ()).unwrap(), with_target);
    }

    #[test]
    fn a_folder_that_somebody_else_filled_is_left_alone() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(out.path().join("thesis.txt"), "my thesis").unwrap();
        let refused = export(root.path(), root.path(), out.path(), None, &mut |_| {});
        assert!(matches!(refused, Err(StageError::ForeignFolder(_))));
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }
}
