//! `cargo lab join`: a name on the board of a class; and `leave`.

use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

use grader::class::{Address, FILE, Membership, code_in};

use crate::paint::{print, say};
use crate::repo::Repo;
use crate::sentence::{Result, Sentence};

/// Joins the class at a stage, and keeps what proves it for the gradings to come.
pub(crate) fn join(repo: &Repo, address: String, name: Option<String>) -> Result<()> {
    let code = code_in(&address).to_owned();
    let address = Address::try_from(address).map_err(Sentence::new)?;
    let path = path(repo);
    let name = match name {
        Some(name) => name,
        // Who has a code has a name there.
        None if !code.is_empty() => String::new(),
        None => ask()?,
    };
    let before = Membership::read(&path).ok().flatten();
    let membership = Membership::join(&address, &name, &code, before.as_ref())
        .map_err(|why| Sentence::new(format!("You have not joined: {why}")))?;
    // A name on another board would stand there for good. That its stage is gone is no trouble.
    if let Some(before) = before.filter(|before| before.address != address) {
        let _ = before.leave();
    }
    membership.write(&path).map_err(|error| Sentence::io("keep your membership in", &path, error))?;
    say!("You are on the board of {address} as {}.", membership.name);
    say!(
        "From now on `cargo test -p lab3` and `cargo lab watch 3` say there which TODOs pass, and nothing of your code."
    );
    say!("That is kept in {}; `cargo lab leave` ends it.", repo.show(&path));
    Ok(())
}

/// Leaves the class. Whatever the stage says, nothing is told to it any more.
pub(crate) fn leave(repo: &Repo) -> Result<()> {
    let path = path(repo);
    let membership = Membership::read(&path);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say!("You have joined no class.");
            return Ok(());
        }
        Err(error) => return Err(Sentence::io("remove", &path, error)),
        Ok(()) => {}
    }
    let left = match membership {
        Ok(Some(membership)) => membership.leave(),
        _ => Ok(()),
    };
    match left {
        Ok(()) => say!("You have left the class; your name is off the board."),
        Err(why) => say!(
            "You have left the class: it is told nothing more. (Your name may stand on the board still: {why})"
        ),
    }
    Ok(())
}

fn path(repo: &Repo) -> PathBuf {
    repo.memory().join(FILE)
}

/// Asks for a name, where somebody is there to answer; without one the stage makes one up.
fn ask() -> Result<String> {
    if !stdin().is_terminal() {
        return Ok(String::new());
    }
    print("Your name on the board, which everyone in the room sees: ");
    let mut name = String::new();
    let read = stdin().read_line(&mut name);
    read.map_err(|error| {
        Sentence::new(format!("I could not read your name: {error}. Give it with --name."))
    })?;
    Ok(name.trim().to_owned())
}
