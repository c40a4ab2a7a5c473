//! Sweeps: a play that went well is played again with one disturbance at each of its moments.
//!
//! What nobody wrote a scene for is found that way: an abort while a question is pending, a connection that is lost
//! during a wait. A sweep's play serves by itself and asserts what must hold whatever happens.

use std::collections::BTreeMap;

use wire::{Moment, Place, Transcript, What};

/// How long after a moment it is disturbed, in milliseconds.
const AFTER: u64 = 1;
/// So many plays at most; in a longer sweep some moments are passed over, evenly.
const PLAYS: usize = 300;

/// One thing that may happen at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The signal is aborted: `stop.abort(…)`, with a reason that changes from play to play.
    Abort,
    /// The signal is aborted within a call that the client makes to tell its page something.
    AbortInside,
    /// All connections are cut.
    Cut,
    /// All connections are cut, and new ones refused for 3 s.
    Refuse,
    /// The tab is hidden for 5 s.
    Hide,
    /// The tab is hidden for 70 s.
    HideLong,
    /// The page is left (`pagehide`), and restored 5 s later.
    Leave,
    /// The machine loses its network for 5 s: `offline`, and no connection.
    Offline,
    /// The browser says `offline` for 5 s, and the network works.
    OfflineOnly,
    /// Bytes are held for 40 s.
    Stall,
    /// A client of the check's own goes: for the play to do.
    ClientGone,
    /// The feed closes: for the play to do.
    Close,
    /// Something of the play's own.
    Custom(u8),
}

impl Disturbance {
    /// Completes "When …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Abort => "the signal is aborted",
            Self::AbortInside => "the signal is aborted from within the call",
            Self::Cut => "all connections are cut",
            Self::Refuse => "all connections are cut and new ones refused for 3 s",
            Self::Hide => "the tab is hidden for 5 s",
            Self::HideLong => "the tab is hidden for 70 s",
            Self::Leave => "the page is left, and restored after 5 s",
            Self::Offline => "the machine is offline for 5 s",
            Self::OfflineOnly => "the browser reports `offline` for 5 s while the network works",
            Self::Stall => "the network delivers nothing for 40 s",
            Self::ClientGone => "the client goes",
            Self::Close => "the feed closes",
            Self::Custom(_) => "this happens",
        }
    }
}

/// A disturbance and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disturbed {
    pub(crate) what: Disturbance,
    /// By the play's clock, in milliseconds; nothing for [`Disturbance::AbortInside`].
    pub(crate) at: Option<u64>,
    /// In which of the client's calls to its page, counted from 1, where it happens inside one.
    pub(crate) call: Option<u64>,
    /// Counts the plays of a sweep: what may differ from one to the next is chosen by it.
    pub(crate) number: usize,
}

/// One play of a sweep.
pub(crate) struct Planned {
    pub(crate) disturbed: Disturbed,
    /// `1 ms after «client → server #2 HEAD /prices» (at 1041 ms)`
    pub(crate) when: String,
}

/// All plays of a sweep over what the undisturbed play recorded: each moment, with its time by the clock.
pub(crate) fn plan(disturbances: &[Disturbance], recorded: &[(u64, Moment)]) -> Vec<Planned> {
    let mut instants: BTreeMap<u64, &Moment> = BTreeMap::new();
    for (at, moment) in recorded {
        // The last of an instant: the disturbance comes after all of them.
        instants.insert(*at, moment);
    }
    let calls = || {
        recorded
            .iter()
            .filter(|(_, moment)| moment.place == Place::Page && matches!(moment.what, What::Said(..)))
    };
    let mut plays = Vec::new();
    for &what in disturbances {
        if what == Disturbance::AbortInside {
            for (index, (at, moment)) in calls().enumerate() {
                let disturbed = Disturbed { what, at: None, call: Some(index as u64 + 1), number: 0 };
                plays.push(Planned { disturbed, when: format!("«{}» (at {at} ms)", name(moment)) });
            }
            continue;
        }
        for (&at, moment) in &instants {
            let disturbed = Disturbed { what, at: Some(at + AFTER), call: None, number: 0 };
            plays.push(Planned {
                disturbed,
                when: format!("{AFTER} ms after «{}» (at {at} ms)", name(moment)),
            });
        }
    }
    let step = plays.len().div_ceil(PLAYS).max(1);
    let mut plays: Vec<_> = plays.into_iter().step_by(step).collect();
    for (number, play) in plays.iter_mut().enumerate() {
        play.disturbed.number = number;
    }
    plays
}

/// A moment in its notation, without its time and on one line.
fn name(moment: &Moment) -> String {
    let text = Transcript { moments: vec![moment.clone()] }.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split_once(" ms ").map_or(line, |(_, rest)| rest);
    let words: Vec<_> = line.split_whitespace().collect();
    words.join(" ").chars().take(80).collect()
}

/// How the signal is aborted in the `number`th play: a client must recognise an abort by its signal, not by the reason.
pub(crate) fn abort(number: usize) -> &'static str {
    [
        "stop.abort()",
        "stop.abort(new Error('no longer wanted'))",
        "stop.abort(new DOMException('It took too long.', 'TimeoutError'))",
        "stop.abort('enough')",
        "stop.abort(null)",
    ][number % 5]
}
