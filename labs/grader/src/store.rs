//! Stores snapshots, with insta, for those who maintain a lab.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use wire::Transcript;

use crate::{
    check::{Compared, Scene},
    snapshot::seal,
};

/// Compares what was recorded with the scene's snapshot in the folder
/// `snapshots`, and writes it as insta's settings ask (`INSTA_UPDATE=always`).
pub(crate) fn store(snapshots: &Path, scene: &Scene, recorded: &Transcript) -> Compared {
    let text = recorded.to_string();
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(snapshots);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(format!("{} · {}", scene.says, seal(text.trim_end_matches('\n'))));
    let stored =
        catch_unwind(AssertUnwindSafe(|| settings.bind(|| insta::assert_snapshot!(scene.name, text))));
    match stored {
        Ok(()) => Compared::Same,
        Err(_) => Compared::Unusable("insta could not write the snapshot.".to_owned()),
    }
}
