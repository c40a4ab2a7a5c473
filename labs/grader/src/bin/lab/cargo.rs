//! Builds a lab's test binary with cargo, and runs it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde::Deserialize;

use crate::paint::Paint;
use crate::report::Report;
use crate::sentence::{Result, Sentence};

/// Each check is stopped within 15 s; this is for a binary that hangs altogether.
const DEADLINE: Duration = Duration::from_secs(180);

/// Names which of the servers in a binary is graded, from 1, where `cargo lab prove` has built several into one.
pub(crate) const ANSWER: &str = "LAB_ANSWER";

/// A workspace to build in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cargo<'a> {
    /// The folder of the workspace's manifest.
    pub(crate) root: &'a Path,
    /// Cargo's target folder.
    pub(crate) target: &'a Path,
    /// Whether compilers and checks may colour what they say.
    pub(crate) paint: Paint,
}

/// What came of a build.
#[derive(Debug, Default)]
pub(crate) struct Build {
    /// The test binary that grades, when it was built.
    pub(crate) grade: Option<PathBuf>,
    /// Warnings in the package, as the compiler words them.
    pub(crate) warnings: Vec<String>,
    /// Errors, as the compiler words them.
    pub(crate) errors: Vec<String>,
    /// What cargo itself said, where it was captured.
    pub(crate) said: String,
    /// Whether cargo was content.
    pub(crate) success: bool,
}

/// What came of a run of the test binary.
#[derive(Debug)]
pub(crate) struct Run {
    /// The report, when it wrote one.
    pub(crate) report: Result<Report>,
    /// All it printed.
    pub(crate) output: String,
}

/// One line of `--message-format=json`.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerArtifact {
        target: Target,
        executable: Option<PathBuf>,
    },
    CompilerMessage {
        package_id: String,
        message: Message,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    rendered: Option<String>,
}

/// A cargo to call from the one that runs us.
pub(crate) fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    // `cargo run` tells us about our own package; the next cargo must not take it for its.
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "INSTA_WORKSPACE_ROOT"].iter().any(|ours| text.starts_with(ours))
        {
            command.env_remove(&name);
        }
    }
    command
}

impl Cargo<'_> {
    /// Builds the test target `grade` of a package, and only what it needs. With `progress`,
    /// cargo shows on the terminal what it is compiling.
    pub(crate) fn grade(&self, package: &str, progress: bool) -> Result<Build> {
        let arguments = ["test", "--no-run", "--test", "grade"];
        self.call(package, &arguments, &[], progress)
    }

    /// Builds all that `cargo test -p` would.
    pub(crate) fn tests(&self, package: &str) -> Result<Build> {
        self.call(package, &["test", "--no-run"], &[], false)
    }

    /// Compiles the library of a package, as far as errors and warnings need it.
    pub(crate) fn check(&self, package: &str) -> Result<Build> {
        self.call(package, &["check", "--lib"], &[], false)
    }

    /// Lints a package, every warning being an error.
    pub(crate) fn clippy(&self, package: &str) -> Result<Build> {
        let arguments = ["clippy", "--all-targets", "--no-deps"];
        self.call(package, &arguments, &["--", "-D", "warnings"], false)
    }

    fn call(&self, package: &str, arguments: &[&str], rest: &[&str], progress: bool) -> Result<Build> {
        let format = if self.paint.is_on() { "json-diagnostic-rendered-ansi" } else { "json" };
        let mut command = command();
        command
            .args(arguments)
            .args(["--package", package])
            .arg(format!("--message-format={format}"))
            .args(rest)
            .current_dir(self.root)
            .env("CARGO_TARGET_DIR", self.target)
            .stdin(Stdio::null());
        if progress {
            command.stderr(Stdio::inherit());
        } else {
            command.stderr(Stdio::piped());
        }
        let child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Sentence::new(format!("I could not start cargo: {error}.")))?;
        let output = child
            .wait_with_output()
            .map_err(|error| Sentence::new(format!("I lost cargo while it built: {error}.")))?;

        // An identity ends in `#lab3@0.1.0`.
        let ours = format!("#{package}@");
        let mut build = Build {
            success: output.status.success(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            ..Build::default()
        };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match serde_json::from_str(line) {
                Ok(Line::CompilerArtifact { target, executable: Some(path) })
                    if target.name == "grade" && target.kind.iter().any(|kind| kind == "test") =>
                {
                    build.grade = Some(path);
                }
                Ok(Line::CompilerMessage { package_id, message }) => {
                    let text = message.rendered.unwrap_or_default();
                    // A summary such as "1 warning emitted" says nothing new.
                    let summary = text.contains("warning emitted")
                        || text.contains("warnings emitted")
                        || text.contains("aborting due to");
                    match message.level.as_str() {
                        _ if summary => {}
                        // Other packages' warnings are not this one's fault.
                        "warning" if !package_id.contains(&ours) => {}
                        "warning" if !build.warnings.contains(&text) => build.warnings.push(text),
                        "error" if !build.errors.contains(&text) => build.errors.push(text),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Ok(build)
    }
}

impl Build {
    /// The test binary, or what the compiler had against it.
    pub(crate) fn binary(&self) -> std::result::Result<&Path, String> {
        match &self.grade {
            Some(path) if self.success => Ok(path),
            _ => Err(self.complaint()),
        }
    }

    /// What stood in the way: the compiler's errors, else cargo's own words.
    pub(crate) fn complaint(&self) -> String {
        if self.errors.is_empty() {
            let said = self.said.trim();
            if said.is_empty() && self.success {
                return "The package has no test target `grade`.".to_owned();
            }
            return said.to_owned();
        }
        self.errors.join("\n").trim_end().to_owned()
    }
}

/// How a test binary is to be run.
#[derive(Debug)]
pub(crate) struct Grading<'a> {
    /// The test binary.
    pub(crate) binary: &'a Path,
    /// The package's folder, from which it reads `web/`.
    pub(crate) folder: &'a Path,
    /// The folder of the workspace, so that nobody has to ask cargo for it.
    pub(crate) root: &'a Path,
    /// The target folder to remember results in.
    pub(crate) target: &'a Path,
    /// Where it writes its report.
    pub(crate) report: &'a Path,
    /// Whether it may colour what it prints.
    pub(crate) paint: Paint,
    /// Which of several servers in the binary is graded, from 1.
    pub(crate) answer: Option<usize>,
    /// The checks to play, by name; all without any.
    pub(crate) checks: &'a [String],
}

impl Grading<'_> {
    /// Runs the checks, capturing what is printed.
    pub(crate) fn run(&self) -> Result<Run> {
        let trouble = |error| Sentence::io("run", self.binary, error);
        if let Some(folder) = self.report.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Sentence::io("create", folder, error))?;
        }
        // A report from before would pass for this run's if the binary died early.
        match std::fs::remove_file(self.report) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Sentence::io("replace", self.report, error));
            }
            _ => {}
        }
        let (mut reader, writer) = std::io::pipe().map_err(trouble)?;
        let mut command = Command::new(self.binary);
        command
            .current_dir(self.folder)
            .env("CARGO_MANIFEST_DIR", self.folder)
            .env("CARGO_TARGET_DIR", self.target)
            .env("INSTA_WORKSPACE_ROOT", self.root)
            .env("INSTA_UPDATE", "no")
            .env("RUST_BACKTRACE", "0")
            .env("LAB_REPORT", self.report)
            .env("LAB_COLOR", if self.paint.is_on() { "always" } else { "never" })
            .stdin(Stdio::null())
            .stderr(writer.try_clone().map_err(trouble)?)
            .stdout(writer);
        if !self.checks.is_empty() {
            command.arg("--exact").args(self.checks);
        }
        if let Some(number) = self.answer {
            command.env(ANSWER, number.to_string());
        }
        if let Some(columns) = crate::paint::columns() {
            command.env("COLUMNS", columns.to_string());
        }
        let mut child = command.spawn().map_err(trouble)?;
        // The command holds the pipe's other end: while it lives, reading never ends.
        drop(command);

        let (done, printed) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is still worth showing.
            let _ = reader.read_to_end(&mut bytes);
            let _ = done.send(bytes);
        });
        let (bytes, hung) = match printed.recv_timeout(DEADLINE) {
            Ok(bytes) => (bytes, false),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                child.kill().map_err(trouble)?;
                (printed.recv().unwrap_or_default(), true)
            }
        };
        let status = child.wait().map_err(trouble)?;
        let report = if hung {
            Err(Sentence::new(format!(
                "The checks did not come to an end within {} s; I stopped them.",
                DEADLINE.as_secs()
            )))
        } else if !self.report.exists() {
            Err(Sentence::new(format!("The checks ended ({status}) before they could report.")))
        } else {
            Report::fresh(self.report)
        };
        Ok(Run { report, output: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

/// Which clauses each scene of a test binary checks.
pub(crate) fn clauses<T: serde::de::DeserializeOwned>(binary: &Path) -> Result<Vec<T>> {
    let output = Command::new(binary)
        .arg("--clauses")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Sentence::io("run", binary, error))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Sentence::new(format!("I do not understand what `grade --clauses` says: {error}.")))
}
