//! What a class leaves behind, if the instructor wants that: `--keep FILE`, a line of JSON for each thing that happened.
//!
//! Lines are added at the end, as things happen, so that nothing is lost with a stage that ends badly. They hold names,
//! progress and the count of votes, and nobody's code, address or single vote.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::StageError;

/// How many lines wait for a slow disk.
const WAITING: usize = 1_024;
/// How long the end of the stage waits for it.
const FLUSH: Duration = Duration::from_secs(2);

/// A file that is written to.
pub struct Keep(SyncSender<Said>);

/// What the writer is told.
enum Said {
    Line(String),
    /// To answer once everything before it is written.
    Ask(SyncSender<()>),
}

impl Keep {
    /// Opens the file, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StageError::Keep`].
    pub fn open(path: &Path) -> Result<Self, StageError> {
        let failed = |error| StageError::Keep(path.to_path_buf(), error);
        let mut file: File = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let (lines, waiting) = sync_channel::<Said>(WAITING);
        let shown = path.display().to_string();
        // A disk may be slow, and a class does not wait for it.
        let writer = thread::Builder::new().name("keep".to_owned()).spawn(move || {
            for said in waiting {
                let line = match said {
                    Said::Line(line) => line,
                    Said::Ask(answer) => {
                        let _ = answer.send(());
                        continue;
                    }
                };
                if let Err(error) = file.write_all(line.as_bytes()) {
                    tracing::error!(%error, "{shown} cannot be written: what happens from now on is not kept");
                    return;
                }
            }
        });
        writer.map_err(failed)?;
        Ok(Self(lines))
    }

    /// Adds a line, with the time in milliseconds since 1970.
    pub(super) fn write(&self, mut what: Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        what["at"] = json!(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        if let Err(TrySendError::Full(_)) = self.0.try_send(Said::Line(format!("{what}\n"))) {
            tracing::warn!("the disk is slow: a line of --keep is lost");
        }
    }

    /// Waits until everything is written, for a short while.
    pub(crate) fn flush(&self) {
        let (answer, written) = sync_channel(1);
        if self.0.try_send(Said::Ask(answer)).is_ok() && written.recv_timeout(FLUSH).is_err() {
            tracing::warn!("the disk is slow: the last lines of --keep may be lost");
        }
    }
}
