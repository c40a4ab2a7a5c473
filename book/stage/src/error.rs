//! What can go wrong with a stage, in sentences that say what to do.

use std::{error::Error, fmt, io, path::PathBuf};

/// Why the stage does not do what it was asked for.
#[derive(Debug)]
pub enum StageError {
    /// Another program listens on the port.
    PortInUse(u16),
    /// The port cannot be listened on for another reason.
    Port(u16, io::Error),
    /// The folder the command was started in is not in the book's repository.
    NoBook(PathBuf),
    /// The book cannot be built; the sentence names the place.
    Book(String),
    /// A folder holds files that this command did not write.
    ForeignFolder(PathBuf),
    /// What the class does cannot be written down there.
    Keep(PathBuf, io::Error),
    /// A file or folder cannot be read or written.
    File(PathBuf, io::Error),
    /// Something that building the page's module needs is not there.
    Toolchain(String),
    /// The page's module does not build; cargo has said why.
    Module,
    /// The module behind the book's elements does not build, or cannot be packed; why.
    Widgets(String),
    /// The feed is to be kept in a Redis that is not there.
    Feed(feed_redis::ConnectError),
    /// The stage cannot be built with a student's labs; cargo has said why.
    OwnLabs(String),
    /// The editor of the lab in the page cannot be bundled; why.
    Editor(String),
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortInUse(port) => write!(
                f,
                "Port {port} is in use: stop the other program (perhaps a stage in another terminal), or choose another port with `cargo stage --port {}`.",
                port.checked_add(1).unwrap_or(8080)
            ),
            Self::Port(port, error) => write!(
                f,
                "The stage cannot listen on port {port}: {error}. Choose another one with `cargo stage --port 8080`."
            ),
            Self::NoBook(folder) => write!(
                f,
                "There is no book in {} or above it: run `cargo stage` in the repository of Beyond fetch.",
                folder.display()
            ),
            Self::Book(sentence) => f.write_str(sentence),
            Self::ForeignFolder(folder) => write!(
                f,
                "{} holds files that `cargo stage build` did not write, so it is left alone: name another folder with --out, or empty this one.",
                folder.display()
            ),
            Self::Keep(path, error) => write!(
                f,
                "What the class does cannot be kept in {}: {error}. Name a file that can be written with --keep, or leave that out.",
                path.display()
            ),
            Self::File(path, error) => write!(f, "{}: {error}.", path.display()),
            Self::Toolchain(sentence) => f.write_str(sentence),
            Self::Feed(error) => {
                write!(f, "{error} Without --feed the stage keeps its feed in its own memory.")
            }
            Self::Widgets(why) => write!(f, "The book's elements cannot be built: {why}."),
            Self::Editor(why) => write!(f, "The editor cannot be built: {why}."),
            Self::OwnLabs(labs) => write!(
                f,
                "The stage cannot be built with {labs} from labs/: the compiler says why above. Without --lab it serves the solutions."
            ),
            Self::Module => f.write_str("The page's module cannot be built: cargo says why above."),
        }
    }
}

impl Error for StageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Port(_, error) | Self::Keep(_, error) | Self::File(_, error) => Some(error),
            Self::Feed(error) => Some(error),
            _ => None,
        }
    }
}

impl StageError {
    /// An I/O error at `path`.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File(path, error)
    }
}
