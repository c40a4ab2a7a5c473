//! `--fail-fast N`: whether an answer that was changed in one place is caught, and by which check.
//!
//! `cargo lab prove --mutants` asks this hundreds of times, so the checks of TODO N come first, the first one that does
//! not pass is the last one played, and one line says what came of it.

use std::path::Path;

use super::{Patience, grade_on_a_thread};
use crate::{
    Sources,
    check::{Check, Standing},
};

/// Plays the checks one after another until one does not pass. Gives in one line what came of that one: `failed NAME`,
/// or `stopped NAME` where it did not end by itself.
pub(super) fn caught(checks: &[&Check], todo: u32, sources: &Sources, snapshots: &Path) -> Option<String> {
    let mut checks = checks.to_vec();
    // The check in which both halves meet is nobody's, and comes last.
    checks.sort_by_key(|check| check.todo.map_or(2, |of| u8::from(of != todo)));
    checks.into_iter().find_map(|check| {
        match grade_on_a_thread(check, sources, snapshots, Patience::default()).standing {
            Standing::Passed => None,
            // Only the harness itself fails a check without a scene: the thread was held, or span.
            Standing::Failed(finding) if finding.scene.is_none() => Some(format!("stopped {}", check.name)),
            _ => Some(format!("failed {}", check.name)),
        }
    })
}
