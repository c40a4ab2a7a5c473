//! `cargo lab watch 3`: grades on every save.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::cargo::{Cargo, Grading};
use crate::paint::{self, Paint, say};
use crate::repo::{Lab, Repo};
use crate::sentence::{Result, Sentence};

/// How often the files are looked at. A lab has a dozen; looking costs well under a millisecond.
const LOOK: Duration = Duration::from_millis(20);

/// What tells one state of a file from the next.
type Stamp = (Option<SystemTime>, u64);

/// The state of every file that matters, by path.
type Stamps = BTreeMap<PathBuf, Stamp>;

/// Grades a lab now and whenever a file of it is saved. Ends only with an error, or by Ctrl-C.
pub(crate) fn watch(repo: &Repo, lab: &Lab, paint: Paint) -> Result<()> {
    let cargo = Cargo { root: &repo.root, target: &repo.target, paint };
    let mut seen = look(lab);
    let mut built: Option<PathBuf> = None;
    let mut progress = true;
    loop {
        let from = Instant::now();
        let fresh = built.is_some();
        if !fresh {
            working("building …", paint);
            let build = cargo.grade(&lab.package(), progress)?;
            progress = false;
            match build.binary() {
                Ok(binary) => built = Some(binary.to_path_buf()),
                Err(complaint) => {
                    show(&complaint);
                    say!("");
                    say!("{}", paint.bad(format!("{} does not compile yet.", lab.package())));
                }
            }
        }
        if let Some(binary) = &built {
            match grade(repo, lab, binary, paint) {
                Ok(output) => show(&output),
                // The binary may have been rebuilt or removed behind our back.
                Err(error) => {
                    show(&error.to_string());
                    built = None;
                }
            }
        }
        say!(
            "\n{}",
            paint.dim(format!(
                "{:.1} s · watching {} · Ctrl-C ends",
                from.elapsed().as_secs_f32(),
                repo.show(&lab.folder)
            ))
        );
        let changed = wait_for_save(lab, &mut seen);
        if changed.iter().any(|path| !is_client(lab, path)) {
            built = None;
        }
    }
}

/// Runs the checks and keeps the report.
fn grade(repo: &Repo, lab: &Lab, binary: &Path, paint: Paint) -> Result<String> {
    let memory = repo.memory();
    let scratch = memory.join(format!("watch-{}.json", std::process::id()));
    let run = Grading {
        binary,
        folder: &lab.folder,
        root: &repo.root,
        target: &repo.target,
        report: &scratch,
        paint,
        answer: None,
        checks: &[],
    }
    .run()?;
    let mut output = run.output;
    match run.report {
        Ok(_) => {
            let path = repo.report(lab);
            std::fs::rename(&scratch, &path)
                .map_err(|error| Sentence::io("keep the report as", &path, error))?;
        }
        Err(sentence) => {
            let _ = std::fs::remove_file(&scratch);
            output.push_str(&format!("\n{sentence}\n"));
        }
    }
    Ok(output)
}

/// Says on a terminal that a verdict is on its way.
fn working(what: &str, paint: Paint) {
    if std::io::stdout().is_terminal() {
        say!("{}", paint.dim(what));
    }
}

/// Shows a verdict on a clean screen; what was there stays in the terminal's history.
fn show(text: &str) {
    if std::io::stdout().is_terminal() {
        // Scrolls the old screen up before going home, instead of wiping it.
        let rows = terminal_size::terminal_size().map_or(0, |(_, rows)| usize::from(rows.0));
        paint::print(format_args!("{}\x1b[H\x1b[J", "\n".repeat(rows)));
    }
    say!("{}", text.trim_end());
}

/// Waits until files differ from what was seen and have come to rest, and says which.
fn wait_for_save(lab: &Lab, seen: &mut Stamps) -> Vec<PathBuf> {
    let mut now = look(lab);
    while now == *seen {
        std::thread::sleep(LOOK);
        now = look(lab);
    }
    // An editor that empties a file before it writes it must not be graded in between.
    loop {
        std::thread::sleep(LOOK);
        let later = look(lab);
        if later == now {
            break;
        }
        now = later;
    }
    let changed =
        now.keys().chain(seen.keys()).filter(|path| now.get(*path) != seen.get(*path)).cloned().collect();
    *seen = now;
    changed
}

/// Whether a path is read when the checks run, so that nothing must be rebuilt for it.
fn is_client(lab: &Lab, path: &Path) -> bool {
    path.starts_with(lab.folder.join("web"))
}

/// The files whose change asks for another grading.
fn look(lab: &Lab) -> Stamps {
    let mut stamps = Stamps::new();
    for part in ["src", "web", "tests"] {
        collect(&lab.folder.join(part), &mut stamps);
    }
    stamp(lab.folder.join("Cargo.toml"), &mut stamps);
    stamps
}

/// Stamps every file below. What cannot be read at this moment is looked at again soon.
fn collect(folder: &Path, stamps: &mut Stamps) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Editors' own files: swap files, backups, locks, vim's probe.
        if name.starts_with('.')
            || name.ends_with('~')
            || name.ends_with(".snap.new")
            || name == "4913"
            || name == "node_modules"
        {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), stamps),
            _ => stamp(entry.path(), stamps),
        }
    }
}

fn stamp(path: PathBuf, stamps: &mut Stamps) {
    if let Ok(data) = path.metadata() {
        stamps.insert(path, (data.modified().ok(), data.len()));
    }
}
