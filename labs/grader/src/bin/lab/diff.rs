//! Unified diffs with a header: `start.diff`, the wrong answers and the other right ones.

use std::path::{Path, PathBuf};

use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};

use crate::repo::Files;
use crate::sentence::{Result, Sentence};

/// A diff against a solution, and the lines `# key: value` it begins with.
#[derive(Debug)]
pub(crate) struct Answer {
    path: PathBuf,
    header: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// Reads a diff. A header line that starts with `#` and two blanks continues the one before.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Sentence::io("read", path, error))?;
        let text = text.replace("\r\n", "\n");
        let mut header: Vec<(String, String)> = Vec::new();
        let mut body = text.as_str();
        let mut number = 0;
        while let Some(line) = body.strip_prefix('#') {
            let (line, rest) = line.split_once('\n').unwrap_or((line, ""));
            body = rest;
            number += 1;
            let continues = line.starts_with("  ") || line.trim().is_empty();
            match (header.last_mut(), line.split_once(": ")) {
                (Some((_, value)), _) if continues => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                (_, Some((key, value))) => {
                    header.push((key.trim().to_owned(), value.trim().to_owned()));
                }
                _ => {
                    return Err(Sentence::new(format!(
                        "{}, line {number}: `#{line}` is not `# key: value`.",
                        path.display()
                    )));
                }
            }
        }
        Ok(Self { path: path.to_path_buf(), header, body: body.to_owned() })
    }

    /// Reads a diff whose header may say anything.
    pub(crate) fn read_body(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Sentence::io("read", path, error))?;
        let body = text.lines().skip_while(|line| line.starts_with('#'));
        let body = body.fold(String::new(), |body, line| body + line + "\n");
        Ok(Self { path: path.to_path_buf(), header: Vec::new(), body })
    }

    /// The diff's name: its file's, without the ending.
    pub(crate) fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the header says under this key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.header.iter().find(|(name, _)| name == key)?;
        Some(value.trim())
    }

    /// Everything the header says under this key, line by line.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.header.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.trim())
    }

    /// The keys of the header.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.header.iter().map(|(key, _)| key.as_str())
    }

    /// Applies the diff, and gives the names of the files it changed.
    pub(crate) fn apply(&self, files: &mut Files) -> Result<Vec<String>> {
        let wrong = |what: String| Sentence::new(format!("{}: {what}", self.path.display()));
        let options = if self.body.starts_with("diff --git ") || self.body.contains("\ndiff --git ") {
            ParseOptions::gitdiff()
        } else {
            ParseOptions::unidiff()
        };
        let mut changed = Vec::new();
        for patch in PatchSet::parse(&self.body, options) {
            let patch = patch.map_err(|error| wrong(format!("this is no diff: {error}.")))?;
            let Some(hunks) = patch.patch().as_text() else {
                return Err(wrong("I apply text only, this is binary.".into()));
            };
            let prefixed = self.body.contains("--- a/") || self.body.contains("+++ b/");
            let operation = patch.operation().strip_prefix(usize::from(prefixed));
            let (old, new) = match &operation {
                FileOperation::Modify { original, modified } => {
                    (Some(original.as_ref()), Some(modified.as_ref()))
                }
                FileOperation::Create(new) => (None, Some(new.as_ref())),
                FileOperation::Delete(old) => (Some(old.as_ref()), None),
                FileOperation::Rename { .. } | FileOperation::Copy { .. } => {
                    return Err(wrong(
                        "I do not apply renames or copies; take the file away and add the other.".into(),
                    ));
                }
            };
            let before = match old {
                None => String::new(),
                Some(name) => {
                    let bytes = files.remove(name).ok_or_else(|| {
                        wrong(format!(
                            "it changes {name}, and the solution has no such file (paths start at \
                             the solution's folder)."
                        ))
                    })?;
                    changed.push(name.to_owned());
                    let text = String::from_utf8(bytes)
                        .map_err(|_| wrong(format!("it changes {name}, which is not text.")))?;
                    grader::text::plain(&text).into_owned()
                }
            };
            let after = diffy::apply(&before, hunks).map_err(|error| {
                wrong(format!(
                    "it no longer fits {} ({error}). The file has changed since: make the diff \
                     anew.",
                    old.or(new).unwrap_or_default()
                ))
            })?;
            if let Some(name) = new {
                if !name.starts_with("src/") && !name.starts_with("web/") {
                    return Err(wrong(format!("{name} is outside of src/ and web/.")));
                }
                files.insert(name.to_owned(), after.into_bytes());
                changed.push(name.to_owned());
            }
        }
        changed.sort();
        changed.dedup();
        if changed.is_empty() && !self.body.trim().is_empty() {
            return Err(wrong("I found no change in it.".into()));
        }
        Ok(changed)
    }
}

/// What turns one text into the other, as a unified diff with three lines of context.
pub(crate) fn unified(old: &str, new: &str, old_name: &str, new_name: &str) -> String {
    diffy::DiffOptions::new()
        .set_original_filename(old_name.to_owned())
        .set_modified_filename(new_name.to_owned())
        .create_patch(old, new)
        .to_string()
}
