//! What can be ordered of a class. Everything that changes it is one of these, on one stage as on several.

use serde::{Deserialize, Serialize};

use super::{
    key::{Hash, Refused},
    name::Name,
    room::{Asked, Counting, Graded},
    screen::Clock,
};
use crate::{climate::Scope, weather::Weather};

/// One change. What chance decides, and the time, were decided where it was ordered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub(crate) enum Order {
    /// A class begins, unless one is on.
    Begin,
    /// The class ends and is forgotten.
    End,
    /// A question is put to it.
    Ask { asked: Asked },
    /// It is shown more of the votes, or less.
    Count { stage: Counting },
    /// The question is put away.
    PutAway,
    /// Everyone is asked to a page.
    Call { path: String, now: u64 },
    /// And no longer.
    CallOff,
    /// Another page is on the instructor's screen.
    Turn { page: usize, now: u64 },
    /// The instructor's clock is set.
    Clock { to: Clock, now: u64 },
    /// Somebody has a name on the board from now on, or another one.
    Join { token: String, name: Name, code: String },
    /// Somebody takes theirs off.
    Leave { token: String },
    /// The instructor takes one off.
    Remove { number: u64 },
    /// Somebody's labs were graded.
    Graded { token: String, graded: Graded },
    /// Somebody votes.
    Vote { token: String, asked: Asked, answer: usize },
    /// The market starts, or pauses.
    Trade { is_on: bool },
    /// The market moves so many times a second, with so many bytes more than it says.
    Pace { per_second: f64, payload: usize },
    /// Weather is ordered for a scope that every stage has.
    Weather { scope: Scope, weather: Weather },
    /// All orders of weather are taken back.
    ClearSky,
    /// Every exchange of a scope is cut.
    Cut { scope: Scope },
    /// A link to the console is made.
    Link { link: Hash, until: Option<u64> },
    /// A link is exchanged for a session.
    Enter { link: Hash, session: Hash, now: u64 },
    /// All other sessions are over.
    KeepOnly { session: Hash },
}

/// Whom a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody who looks on.
    Nobody,
    /// The board and the console.
    Board,
    /// Every page of the book that is open, too.
    Everyone,
}

impl Order {
    /// Whom it concerns.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Begin
            | Self::End
            | Self::Ask { .. }
            | Self::Count { .. }
            | Self::PutAway
            | Self::Call { .. }
            | Self::CallOff => Reach::Everyone,
            Self::Turn { .. }
            | Self::Clock { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Remove { .. }
            | Self::Graded { .. }
            | Self::Vote { .. }
            | Self::Trade { .. }
            | Self::Pace { .. }
            | Self::Weather { .. }
            | Self::ClearSky
            | Self::Cut { .. }
            | Self::KeepOnly { .. } => Reach::Board,
            Self::Link { .. } | Self::Enter { .. } => Reach::Nobody,
        }
    }
}

/// What has become of an order that was carried out.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    /// What was ordered.
    Obeyed,
    /// Somebody is on the board under this name.
    Joined(Name),
    /// Whether the door has opened.
    Entered(Result<(), Refused>),
}
