//! A stage with a student's labs is another build of this program: one whose labs do not compile would be none at all.

use std::{env, process::Command};

use crate::{OwnLab, StageError, toolchain};

/// Has cargo build the stage with these labs, and puts that in this one's place, with the arguments it was given.
///
/// # Errors
/// [`StageError::OwnLabs`] where they do not compile.
pub fn serve_with(labs: &[OwnLab]) -> Result<(), StageError> {
    let features: Vec<String> = labs.iter().map(|lab| lab.feature()).collect();
    let cargo = |verb: &str| {
        let mut cargo = Command::new(toolchain::cargo());
        cargo.args([verb, "--package", "stage", "--features", &features.join(",")]);
        cargo
    };
    if !cargo("build").status().is_ok_and(|status| status.success()) {
        return Err(StageError::OwnLabs(features.join(" and ")));
    }
    let mut stage = cargo("run");
    stage.arg("--quiet").arg("--").args(env::args_os().skip(1));
    // In the place of this one where the system can do that, so that Ctrl-C has one program to tell.
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(&mut stage);
        Err(StageError::File("cargo".into(), error))
    }
    #[cfg(not(unix))]
    match stage.status() {
        // What went wrong has been said by the other program.
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => Err(StageError::File("cargo".into(), error)),
    }
}
