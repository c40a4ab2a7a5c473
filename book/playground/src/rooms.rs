//! What the module holds of each lab.

use axum::Router;
use feed::Feed;
use grader::{Check, Lab, Scene};

mod lab1;
mod lab2;
mod lab3;
mod lab4;
mod lab5;

/// Embeds the snapshots of these scenes of a lab.
macro_rules! snapshots {
    ($folder:literal: $($scene:ident),* $(,)?) => {
        &[$((
            stringify!($scene),
            include_str!(concat!("../../../../labs/", $folder, "/tests/snapshots/", stringify!($scene), ".snap")),
        )),*]
    };
}
use snapshots;

/// A lab with what it takes to grade its client and to run it.
pub(crate) struct Room {
    /// The lab, with the checks of its client only.
    pub(crate) lab: Lab,
    /// The snapshots of its scenes: name and file.
    pub(crate) snapshots: &'static [(&'static str, &'static str)],
    /// The solution's client.
    pub(crate) client: &'static str,
    /// The solution's server.
    pub(crate) app: fn(Feed) -> Router,
    /// What the client must export to be run.
    pub(crate) exports: &'static [&'static str],
    /// Starts the client, as the lab's page does.
    pub(crate) start: &'static str,
    /// Has it stop, as the page's button does.
    pub(crate) stop: &'static str,
    /// Starts the client where it is measured: each price that it is told, however wrapped, goes to `say('show', …)`.
    /// `POLL` stands for the time between two requests, in milliseconds.
    pub(crate) measured: &'static str,
    /// The heads of its requests in a browser.
    pub(crate) chromium: Heads,
}

/// Heads of requests as Chromium 156 sends them to the lab's own server on 127.0.0.1, in bytes: method, address and the
/// 14 to 18 fields that a browser adds. Measured; `book/src/figures.md` says how.
pub(crate) struct Heads {
    /// The first one.
    pub(crate) first: u64,
    /// What it adds to every later one: `cache-control: max-age=0`, where the page sets `if-none-match` itself.
    pub(crate) later: u64,
}

/// The labs, in the book's order.
pub(crate) static ROOMS: &[Room] = &[lab1::ROOM, lab2::ROOM, lab3::ROOM, lab4::ROOM, lab5::ROOM];

impl Room {
    /// The lab of this name.
    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        ROOMS.iter().find(|room| room.lab.name == name).ok_or_else(|| {
            let names: Vec<_> = ROOMS.iter().map(|room| room.lab.name).collect();
            format!("There is no lab `{name}` in this module; there is {}.", names.join(", "))
        })
    }

    pub(crate) fn check(&self, name: &str) -> Result<&'static Check, String> {
        let found = self.lab.checks.iter().find(|check| check.name == name);
        found.ok_or_else(|| format!("{} has no check `{name}`.", self.lab.name))
    }

    pub(crate) fn scene(&self, name: &str) -> Result<&'static Scene, String> {
        let mut scenes = self.lab.checks.iter().flat_map(|check| check.scenes);
        let found = scenes.find(|scene| scene.name == name);
        found.ok_or_else(|| format!("{} has no scene `{name}`.", self.lab.name))
    }

    /// The snapshot's file of a scene.
    pub(crate) fn snapshot(&self, scene: &str) -> Option<&'static str> {
        self.snapshots.iter().find(|(name, _)| *name == scene).map(|(_, file)| *file)
    }
}

#[cfg(test)]
mod tests {
    use grader::snapshot_transcript;

    use super::*;

    #[test]
    fn every_scene_has_its_snapshot_and_every_snapshot_its_scene() {
        for room in ROOMS {
            let mut scenes: Vec<_> = room
                .lab
                .checks
                .iter()
                .flat_map(|check| check.scenes)
                .filter(|scene| !scene.is_sweep())
                .map(|scene| scene.name)
                .collect();
            let mut embedded: Vec<_> = room.snapshots.iter().map(|(name, _)| *name).collect();
            scenes.sort_unstable();
            embedded.sort_unstable();
            assert_eq!(
                scenes, embedded,
                "the scenes of {} and the snapshots that the module embeds",
                room.lab.name
            );
        }
    }

    #[test]
    fn every_snapshot_can_be_read_and_fits_its_seal() {
        for room in ROOMS {
            for (name, file) in room.snapshots {
                let read = snapshot_transcript(name, file);
                assert!(read.is_ok(), "{}: {read:?}", room.lab.name);
            }
        }
    }

    #[test]
    fn names_are_found_once_or_told_in_a_sentence() {
        let room = Room::named("lab3").unwrap();
        assert_eq!(room.scene("todo_5_never_begins").unwrap().name, "todo_5_never_begins");
        assert_eq!(
            Room::named("lab33").err().unwrap(),
            "There is no lab `lab33` in this module; there is lab1, lab2, lab3, lab4, lab5."
        );
        assert_eq!(room.check("todo_9").err().unwrap(), "lab3 has no check `todo_9`.");
        assert_eq!(room.scene("a_scene").err().unwrap(), "lab3 has no scene `a_scene`.");
    }
}
