//! What can go wrong in a page, each with a sentence that a student can act on.

use std::{error::Error, fmt};

/// A position in one of the client's files, as far as the engine knows it.
///
/// Lines and columns count from 1. A place without a file stands for "unknown".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file's name, relative to the client's folder: `client.js`.
    pub file: String,
    /// The line; 0 where it is not known.
    pub line: u32,
    /// The column; 0 where it is not known.
    pub column: u32,
    /// The function's name, where it has one.
    pub function: Option<String>,
}

impl Place {
    /// Whether the engine named a file at all.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.file.is_empty()
    }

    /// The innermost frame of the client's own code in an engine's stack trace.
    ///
    /// Frames look like `at name (file:line:column)` or `at file:line:column`;
    /// native frames and the bench's own are passed over.
    pub(super) fn from_stack(stack: &str) -> Place {
        Place::frames(stack).next().unwrap_or_default()
    }

    /// The frames of the client's own code, innermost first.
    pub(super) fn frames(stack: &str) -> impl Iterator<Item = Place> {
        stack.lines().filter_map(Place::from_frame)
    }

    fn from_frame(frame: &str) -> Option<Place> {
        let frame = frame.trim().strip_prefix("at ")?;
        let (function, position) = match frame.rsplit_once(" (") {
            Some((function, position)) => (Some(function), position.strip_suffix(')')?),
            None => (None, frame),
        };
        let mut parts = position.rsplitn(3, ':');
        let column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        let file = parts.next()?;
        // `<input>` is what `JSON.parse` reads.
        if file.is_empty() || file.starts_with('<') || file.starts_with(super::loader::OWN) {
            return None;
        }
        let function = function.filter(|name| !name.starts_with('<')).map(str::to_owned);
        Some(Place { file: file.to_owned(), line, column, function })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place { file, .. } if file.is_empty() => f.write_str("the client"),
            Place { file, line: 0, .. } => f.write_str(file),
            Place { file, line, column: 0, .. } => write!(f, "{file}:{line}"),
            Place { file, line, column, .. } => write!(f, "{file}:{line}:{column}"),
        }
    }
}

/// Why a page stopped, or what it did that no page should.
///
/// Shown, each is one sentence: what happened, where, the likely cause and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// The client reached a TODO that nobody has begun: `throw new Error('TODO 5')`.
    NotStarted {
        /// The TODO's number.
        todo: u32,
        /// Where it is thrown.
        place: Place,
    },
    /// A file is not JavaScript.
    Syntax {
        /// The engine's words.
        message: String,
        /// Where it stopped reading.
        place: Place,
    },
    /// A module does not export what it must.
    MissingExport {
        /// The module.
        file: String,
        /// The name that was looked for.
        export: String,
        /// The names that are there, in order.
        has: Vec<String>,
    },
    /// An `import` (or the bench) names a file that does not exist.
    MissingFile {
        /// The name as it was written.
        file: String,
        /// The module that imports it; nothing for the page's own entry.
        importer: Option<String>,
    },
    /// A file is in an encoding that no browser reads in a script.
    Encoding {
        /// The file.
        file: String,
        /// Its encoding: `UTF-16`.
        encoding: String,
    },
    /// A module imports a file that is no script, without saying so.
    NotAScript {
        /// The file, as it was named.
        named: String,
        /// The module that imports it.
        importer: String,
    },
    /// A module still waits outside of its functions when it should have been loaded, so nobody can use what it exports.
    Unfinished {
        /// Where, or only the module that was opened: it waits itself, or one that it imports.
        place: Place,
        /// Whether anything is under way that may end it: a timer, a request.
        ends: bool,
    },
    /// An exception that nothing caught.
    Uncaught {
        /// The error's `name`.
        name: String,
        /// The error's `message`.
        message: String,
        /// Where it was thrown.
        place: Place,
    },
    /// A promise was rejected and nothing handled it by the end of the task.
    Rejection {
        /// The reason's `name`, or its type where it is no error.
        name: String,
        /// The reason's `message`.
        message: String,
        /// Where the reason was made.
        place: Place,
    },
    /// JavaScript ran on and on without giving the page back.
    BusyLoop {
        /// Where it was stopped.
        place: Place,
        /// From where that was called, innermost first, as far as it is the client's own code: the loop may stand there.
        callers: Vec<Place>,
    },
    /// One task queued microtasks without end.
    Microtasks {
        /// Where it was stopped.
        place: Place,
    },
    /// A loop goes round and round at one instant because the signal that it waits with is aborted.
    AfterAbort {
        /// Where.
        place: Place,
    },
    /// The page did far too much at one time: requests in one second, or tasks at one instant.
    Storm {
        /// How many there were.
        count: u32,
        /// What they were.
        what: Storm,
        /// Where the last one came from.
        place: Place,
    },
    /// The page asked for more memory than it is given.
    Memory {
        /// Where it asked.
        place: Place,
    },
    /// The client uses something that browsers have and this page lacks.
    NotAvailable {
        /// What it used: `localStorage`.
        what: String,
        /// What to do instead.
        hint: String,
        /// Where.
        place: Place,
    },
}

/// What a [`PageError::Storm`] is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storm {
    /// Requests within one virtual second, the last of them to this URL.
    Requests(String),
    /// Tasks that run at one instant, so that time cannot pass.
    Tasks,
}

impl PageError {
    /// Where it happened; [`Place::is_known`] tells whether the engine could say.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            PageError::NotStarted { place, .. }
            | PageError::Syntax { place, .. }
            | PageError::Unfinished { place, .. }
            | PageError::Uncaught { place, .. }
            | PageError::Rejection { place, .. }
            | PageError::BusyLoop { place, .. }
            | PageError::Microtasks { place }
            | PageError::AfterAbort { place }
            | PageError::Storm { place, .. }
            | PageError::Memory { place }
            | PageError::NotAvailable { place, .. } => place.clone(),
            PageError::MissingExport { file, .. }
            | PageError::MissingFile { file, .. }
            | PageError::Encoding { file, .. }
            | PageError::NotAScript { importer: file, .. } => {
                Place { file: file.clone(), ..Place::default() }
            }
        }
    }

    /// Whether the page is dead afterwards: no more of its JavaScript runs.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            PageError::NotStarted { .. }
                | PageError::Uncaught { .. }
                | PageError::Rejection { .. }
                | PageError::NotAvailable { .. }
        )
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::NotStarted { todo, place } => {
                write!(
                    f,
                    "{place}: TODO {todo} is not started yet; \
                     replace `throw new Error('TODO {todo}')` by your code."
                )
            }
            PageError::Syntax { message, place } => write!(
                f,
                "{place}: this is not JavaScript ({message}); \
                 look at this line and the one before it for a missing or surplus character."
            ),
            PageError::MissingExport { file, export, has } => {
                write!(f, "{file} does not export `{export}`")?;
                match has.as_slice() {
                    [] => {}
                    [one] => write!(f, " (it exports only `{one}`)")?,
                    many => write!(f, " (it exports `{}`)", many.join("`, `"))?,
                }
                write!(f, "; write `export function {export}(…)`, with exactly this name.")
            }
            PageError::MissingFile { file, importer: Some(importer) } => write!(
                f,
                "{importer} imports \"{file}\", and there is no such file; \
                 names are relative, with the ending: `import … from './todo.js'`."
            ),
            PageError::MissingFile { file, importer: None } => {
                write!(
                    f,
                    "there is no {file} in the folder web; `git checkout -- '*/{file}'` or `cargo lab reset` brings it back."
                )
            }
            PageError::Encoding { file, encoding } => {
                write!(f, "web/{file} is {encoding}; save it as UTF-8.")
            }
            PageError::NotAScript { named, importer } => write!(
                f,
                "{importer} imports \"{named}\", which is JSON and no script; write \
                 `import … from '{named}' with {{ type: 'json' }}`."
            ),
            PageError::Unfinished { place, ends } => write!(
                f,
                "{place}: {} awaits something at its top level that {}, so nothing that it exports can be \
                 called{}; move the `await` into the function that needs it.",
                place.file,
                if *ends { "takes time (a request, a timer)" } else { "never settles" },
                if *ends { " when the page starts" } else { "" },
            ),
            PageError::Uncaught { name, message, place } => {
                write!(f, "{place}: uncaught {name}: {}", stop(message))?;
                f.write_str(
                    advice(name, message).unwrap_or(" Nothing caught it, so what was running ended here."),
                )
            }
            PageError::Rejection { name, message, place } => {
                write!(f, "{place}: a promise was rejected with {name}: {}", stop(message))?;
                f.write_str(
                    advice(name, message)
                        .unwrap_or(" Nothing handled it, so the function that awaited it ended there."),
                )
            }
            PageError::BusyLoop { place, callers } => {
                write!(
                    f,
                    "{place}: {} ran on and on without giving the page back (a loop or a \
                     regular expression that never ends); let it end, or `await` something inside.",
                    match &place.function {
                        Some(function) => format!("`{function}`"),
                        None => "this".to_owned(),
                    }
                )?;
                for (index, caller) in callers.iter().enumerate() {
                    f.write_str(if index == 0 { " The loop may stand in what called it: " } else { ", " })?;
                    match &caller.function {
                        Some(function) => write!(f, "`{function}` ({caller})")?,
                        None => write!(f, "{caller}")?,
                    }
                }
                f.write_str(if callers.is_empty() { "" } else { "." })
            }
            PageError::Microtasks { place } => write!(
                f,
                "{place}: more than 100,000 microtasks in one task; a promise chain or a \
                 `while (true) await …` runs without ever letting time pass: wait for \
                 something that takes time, such as a timer or a response."
            ),
            PageError::AfterAbort { place } => write!(
                f,
                "{place}: the signal is aborted, and this goes round again and again: with an aborted signal \
                 `fetch` fails and a wait ends at once, so no time passes; leave the loop when \
                 `signal.aborted` is true."
            ),
            PageError::Storm { count, what: Storm::Requests(url), place } => write!(
                f,
                "{place}: {count} requests within one second, the last to {url}; a client that \
                 asks again at once when it fails or has its answer floods its server: wait \
                 before the next request."
            ),
            PageError::Storm { count, what: Storm::Tasks, place } => write!(
                f,
                "{place}: {count} tasks at one instant, so that time cannot pass; look for a \
                 timer that sets more than one timer, or an event that causes itself."
            ),
            PageError::Memory { place } => write!(
                f,
                "{place}: the page needs more than 64 MB; look for a list or a string that \
                 only ever grows."
            ),
            PageError::NotAvailable { what, hint, place } => {
                write!(f, "{place}: `{what}` is not available in the grader: {hint}.")
            }
        }
    }
}

impl Error for PageError {}

/// A message with its full stop.
fn stop(message: &str) -> String {
    let message = message.trim_end();
    if message.is_empty() {
        "(no message).".to_owned()
    } else if message.ends_with(['.', '!', '?']) {
        message.to_owned()
    } else {
        format!("{message}.")
    }
}

/// The advice for a stack that is full.
const OVERFLOW: &str = " The call stack is full: a function calls itself, or data is nested, without end or too deep; \
                        look for the case in which it must stop.";

fn is_overflow(name: &str, message: &str) -> bool {
    name == "RangeError" && message.contains("call stack")
}

/// What to do about an exception, for those that have a likely cause.
fn advice(name: &str, message: &str) -> Option<&'static str> {
    let says = |part: &str| message.contains(part);
    Some(match name {
        "ReferenceError" => " A name is used that nothing declares: check its spelling and its import.",
        _ if is_overflow(name, message) => OVERFLOW,
        "TypeError" if says("undefined") || says("null") => {
            " Something is used before it is there: check what this line reads it from."
        }
        "TypeError" if says("not a function") => {
            " What is called here is no function: check its spelling and what it was set to."
        }
        "TypeError" if says("Failed to fetch") => {
            " No answer came, and nothing here says what the client does then."
        }
        "TypeError" if says("network error") => {
            " The answer broke off, and nothing here says what the client does then."
        }
        "TypeError" if says("body stream") => {
            " A body can be read once: keep what you have read, or read a `clone()` of the response."
        }
        "SyntaxError" if says("has no body") => " Look at the status before you read the body.",
        "SyntaxError" if says("JSON") => " Look at what was read before you parse it: it is no JSON.",
        "AbortError" => {
            " An abort ends what is awaited with this error: the function must end here quietly, too."
        }
        "TimeoutError" => " It took too long, and nothing here says what the client does then.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_innermost_frame_of_the_clients_own_code() {
        let stack = "    at push (native)\n    at dispatch (grader:events.js:10:3)\n    \
                     at show (lib/view.js:7:9)\n    at client.js:1:1\n";
        let place = Place::from_stack(stack);
        assert_eq!(place.to_string(), "lib/view.js:7:9");
        assert_eq!(Place::from_stack("    at client.js:2:11\n").to_string(), "client.js:2:11");
        assert_eq!(place.function.as_deref(), Some("show"));
        assert!(!Place::from_stack("    at exec (native)\n").is_known());
    }
}
