//! `cargo lab reset 3`: back to the start. The order is what keeps work safe: everything is read,
//! then copied, then the copy is read back; only then is a file replaced, whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::paint::{Paint, say};
use crate::repo::{Files, Lab, Repo, plain};
use crate::sentence::{Result, Sentence};

/// Puts a lab back to the start and prints where the student's files are kept.
pub(crate) fn reset(repo: &Repo, lab: &Lab, paint: Paint) -> Result<()> {
    let start = lab.start()?;
    let yours = lab.files()?;
    let compared = plain(&yours);
    if compared == start {
        say!("Lab {} is at the start already.", lab.number);
        return Ok(());
    }
    refuse_odd_places(lab, &start)?;
    let kept = keep(lab, &yours)?;
    let staged = stage(lab, &start, &compared)?;
    let result = unchanged_since(lab, &start, &yours).and_then(|()| staged.replace());
    if let Err(sentence) = result {
        staged.discard();
        return Err(Sentence::new(format!(
            "{sentence} Your files as they were are in {}.",
            repo.show(&kept)
        )));
    }
    for name in yours.keys().filter(|name| !start.contains_key(*name)) {
        let path = lab.folder.join(name);
        fs::remove_file(&path).map_err(|error| {
            Sentence::new(format!(
                "{} Your files as they were are in {}.",
                Sentence::io("remove", &path, error),
                repo.show(&kept)
            ))
        })?;
    }
    // The last result and the hints shown belong to the files that are gone from here.
    let report = repo.report(lab);
    match fs::remove_file(&report) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Sentence::io("forget", &report, error));
        }
        _ => {}
    }
    crate::hint::forget(repo, lab)?;

    say!("Lab {} is at the start again. Your files are kept in", lab.number);
    say!("{}", paint.bold(repo.show(&kept)));
    Ok(())
}

/// Refuses when something stands where a file of the start must go.
fn refuse_odd_places(lab: &Lab, start: &Files) -> Result<()> {
    for name in start.keys() {
        let path = lab.folder.join(name);
        if path.is_dir() {
            return Err(Sentence::new(format!(
                "{} is a folder, where the lab has a file. Move it away and call again; nothing \
                 was changed.",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Copies the student's files to `kept/<date>` and reads the copy back.
fn keep(lab: &Lab, yours: &Files) -> Result<PathBuf> {
    let unchanged = |sentence: Sentence| {
        Sentence::new(format!("{sentence} Without a copy I reset nothing: your files are as they were."))
    };
    let kept = lab.folder.join("kept");
    fs::create_dir_all(&kept).map_err(|error| unchanged(Sentence::io("create", &kept, error)))?;
    let date = stamp(SystemTime::now());
    let mut folder = kept.join(&date);
    let mut again = 1;
    // `create_dir` and not `create_dir_all`: a copy kept before is never written into.
    while let Err(error) = fs::create_dir(&folder) {
        if error.kind() != std::io::ErrorKind::AlreadyExists || again > 99 {
            return Err(unchanged(Sentence::io("create", &folder, error)));
        }
        again += 1;
        folder = kept.join(format!("{date}-{again}"));
    }
    for (name, bytes) in yours {
        let path = folder.join(name);
        copy(&path, bytes).map_err(|error| unchanged(Sentence::io("write", &path, error)))?;
    }
    for (name, bytes) in yours {
        let path = folder.join(name);
        let copied = fs::read(&path).map_err(|error| unchanged(Sentence::io("read back", &path, error)))?;
        if copied != *bytes {
            return Err(unchanged(Sentence::new(format!(
                "The copy {} differs from your file.",
                path.display()
            ))));
        }
    }
    Ok(folder)
}

/// Writes a new file to the disk itself, and its folders.
fn copy(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The start's files, written beside the places they will take.
struct Staged {
    /// Where each is, and where it goes.
    files: Vec<(PathBuf, PathBuf)>,
}

/// Writes what must change beside its place. On trouble nothing remains of it. `yours` is what is there, to be compared.
fn stage(lab: &Lab, start: &Files, yours: &Files) -> Result<Staged> {
    let mut staged = Staged { files: Vec::new() };
    for (name, bytes) in start {
        if yours.get(name) == Some(bytes) {
            continue;
        }
        let path = lab.folder.join(name);
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{file_name}.{}", std::process::id()));
        staged.files.push((beside.clone(), path));
        if let Err(error) = copy(&beside, bytes) {
            staged.discard();
            return Err(Sentence::new(format!(
                "{} Nothing was changed.",
                Sentence::io("write", &beside, error)
            )));
        }
    }
    Ok(staged)
}

impl Staged {
    /// Puts every file in its place.
    fn replace(&self) -> Result<()> {
        for (beside, path) in &self.files {
            fs::rename(beside, path).map_err(|error| Sentence::io("replace", path, error))?;
        }
        Ok(())
    }

    /// Removes what has not taken its place.
    fn discard(&self) {
        for (beside, _) in &self.files {
            // It may never have been written; a leftover harms nobody.
            let _ = fs::remove_file(beside);
        }
    }
}

/// Makes sure that no editor saved anything since the copy was made.
fn unchanged_since(lab: &Lab, start: &Files, yours: &Files) -> Result<()> {
    let saved = |path: &Path| {
        Sentence::new(format!(
            "{} was saved while I was copying, so I changed nothing. Call again.",
            path.display()
        ))
    };
    for (name, bytes) in yours {
        let path = lab.folder.join(name);
        let now = fs::read(&path).map_err(|error| Sentence::io("read", &path, error))?;
        if now != *bytes {
            return Err(saved(&path));
        }
    }
    for name in start.keys().filter(|name| !yours.contains_key(*name)) {
        let path = lab.folder.join(name);
        if path.exists() {
            return Err(saved(&path));
        }
    }
    Ok(())
}

/// A moment in UTC as the name of a folder: `2026-11-22T13-05-10`.
fn stamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    // Years counted from March, so that the leap day is a year's last; 400 of them repeat.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!(
        "{:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}",
        400 * era + year + next,
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_named_by_the_calendar() {
        for (seconds, name) in [
            (0, "1970-01-01T00-00-00"),
            (951_782_399, "2000-02-28T23-59-59"),
            (951_782_400, "2000-02-29T00-00-00"),
            (1_795_352_710, "2026-11-22T13-05-10"),
            (4_107_542_400, "2100-03-01T00-00-00"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(stamp(moment), name, "{seconds} s after the epoch");
        }
    }
}
