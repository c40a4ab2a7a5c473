//! The labs on the stage: the one list of what each is and what it needs.

use std::{any::Any, path::Path, str::FromStr};

use axum::{
    Router,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use feed::Feed;
use tower_http::catch_panic::CatchPanicLayer;

use crate::climate::Technique;

/// A lab, as the stage knows it.
pub(crate) struct Entry {
    pub(crate) number: u8,
    pub(crate) title: &'static str,
    pub(crate) technique: Technique,
    /// The name of its chapter's page.
    pub(crate) chapter: &'static str,
    /// What it is about, for the list of labs.
    pub(crate) about: &'static str,
    /// What to try on its page.
    pub(crate) invitation: &'static str,
    /// The paths that its own protocol speaks on. The rest is its page's files,
    /// which are not drawn.
    wire: &'static [&'static str],
    /// The headers that its chapter is about.
    pub(crate) request_headers: &'static [&'static str],
    pub(crate) response_headers: &'static [&'static str],
    /// What can be broken here.
    pub(crate) controls: &'static [Control],
    /// Its folder, among the labs and among the solutions.
    pub(crate) folder: &'static str,
    app: fn(Feed) -> Router,
    /// The student's, in a stage that was built with it.
    own: Option<fn(Feed) -> Router>,
}

/// The student's lab, where this build has it.
macro_rules! own {
    ($feature:literal, $lab:ident) => {{
        #[cfg(feature = $feature)]
        let own: Option<fn(Feed) -> Router> = Some($lab::app);
        #[cfg(not(feature = $feature))]
        let own = None;
        own
    }};
}

/// What a visitor can do to the line or to the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Cut the page's open connections.
    Cut,
    /// Lose the answer to the page's next unsafe request.
    Lose,
    /// Close the market, and open it again.
    Market,
}

pub(crate) static LABS: [Entry; 5] = [
    Entry {
        number: 1,
        title: "Prices on request",
        technique: Technique::Fetch,
        chapter: "01-one-exchange",
        about: "Ask, and be told: polling with entity tags, and an order that is executed once.",
        invitation: "Each poll names the version it has. Ask every ¼ s: how many answers are news? Lose the answer to an order: who asks again, and how does the server know?",
        wire: &["/prices", "/orders"],
        request_headers: &["if-none-match", "idempotency-key"],
        response_headers: &["etag", "location"],
        controls: &[Control::Lose],
        folder: "lab1-fetch",
        app: lab1_solution::app,
        own: own!("lab1", lab1),
    },
    Entry {
        number: 2,
        title: "The order that was filled",
        technique: Technique::Poll,
        chapter: "02-long-polling",
        about: "Ask, and the server answers when it has something to say.",
        invitation: "Every request says what was seen last, and waits for what is newer. Cut the line while one waits: who asks again, and is anything lost?",
        wire: &["/updates"],
        request_headers: &[],
        response_headers: &["retry-after"],
        controls: &[Control::Cut],
        folder: "lab2-long-polling",
        app: lab2_solution::app,
        own: own!("lab2", lab2),
    },
    Entry {
        number: 3,
        title: "The ticker",
        technique: Technique::Sse,
        chapter: "03-server-sent-events",
        about: "One answer that never ends, and a browser that comes back by itself.",
        invitation: "Cut the line: who comes back, and with what? Close the market: who stays away?",
        wire: &["/prices"],
        request_headers: &["last-event-id"],
        response_headers: &[],
        controls: &[Control::Cut, Control::Market],
        folder: "lab3-sse",
        app: lab3_solution::app,
        own: own!("lab3", lab3),
    },
    Entry {
        number: 4,
        title: "The assistant",
        technique: Technique::Stream,
        chapter: "04-streaming-with-fetch",
        about: "An answer that arrives token by token, to a request with a body and a header.",
        invitation: "Stop an answer, then cut one: the server ends its work both times. Which of the two may the page call complete?",
        wire: &["/ask"],
        request_headers: &["accept", "authorization"],
        response_headers: &[],
        controls: &[Control::Cut],
        folder: "lab4-fetch-stream",
        app: lab4_solution::app,
        own: own!("lab4", lab4),
    },
    Entry {
        number: 5,
        title: "The trading floor",
        technique: Technique::Ws,
        chapter: "05-websocket",
        about: "One connection on which both sides speak when they like: a chat in rooms.",
        invitation: "Open this page twice and talk. Cut one of them, and go on typing there: what was said without a line arrives later, once.",
        wire: &["/floor"],
        request_headers: &["upgrade", "origin"],
        response_headers: &[],
        controls: &[Control::Cut],
        folder: "lab5-websocket",
        app: lab5_solution::app,
        own: own!("lab5", lab5),
    },
];

/// A lab that is to be the student's own instead of its solution: `3=labs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLab(u8);

impl FromStr for OwnLab {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let number = given.strip_suffix("=labs").and_then(|number| number.parse().ok());
        let own = number.filter(|number| LABS.iter().any(|entry| entry.number == *number)).map(Self);
        let last = LABS.len();
        own.ok_or_else(|| {
            format!("write `--lab 3=labs` to serve lab 3 as it stands in labs/; there are labs 1 to {last}")
        })
    }
}

impl OwnLab {
    /// The feature of this crate with which a stage has the lab.
    pub fn feature(self) -> String {
        format!("lab{}", self.0)
    }

    /// Whether this stage was built with the lab.
    pub fn is_built_in(self) -> bool {
        LABS.iter().any(|entry| entry.number == self.0 && entry.own.is_some())
    }
}

/// A lab that is mounted.
pub(crate) struct Lab {
    pub(crate) entry: &'static Entry,
    /// Where: `/live/lab3`.
    pub(crate) path: String,
    pub(crate) app: Router,
    /// The same over a market that is closed, where it can be closed.
    pub(crate) closed: Option<Router>,
}

impl Lab {
    /// Every lab of the repository at `root`, publishing from `feed`: its solution, or the student's where `own` says so.
    pub(crate) fn all(root: &Path, feed: &Feed, own: &[OwnLab]) -> Vec<Self> {
        let over = Feed::memory(1);
        over.close();
        let mount = |entry: &'static Entry| {
            let own = entry.own.filter(|_| own.contains(&OwnLab(entry.number)));
            let (labs, app) = own.map_or(("solutions", entry.app), |own| ("labs", own));
            let app = |feed: &Feed| match own {
                None => app(feed.clone()),
                Some(_) => app(feed.clone()).layer(CatchPanicLayer::custom(unfinished)),
            };
            let closes = entry.controls.contains(&Control::Market);
            Self {
                entry,
                path: format!("/live/lab{}", entry.number),
                app: host::with_page(app(feed), root.join(labs).join(entry.folder).join("web")),
                closed: closes.then(|| app(&over)),
            }
        };
        LABS.iter().map(mount).collect()
    }

    /// Whether the lab's own protocol speaks on `path`, which counts from the lab's root.
    pub(crate) fn speaks_on(&self, path: &str) -> bool {
        let under = |&wire: &&str| {
            path.strip_prefix(wire).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.entry.wire.iter().any(under)
    }

    /// Whether the lab has this control.
    pub(crate) fn has(&self, control: Control) -> bool {
        self.entry.controls.contains(&control)
    }
}

/// What is answered where a student's lab has given up. (Standard error has said where.)
fn unfinished(panic: Box<dyn Any + Send>) -> Response {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref().copied()).unwrap_or("no words");
    let said = format!("The lab's server gave up here: {words}. The stage's terminal says where.\n");
    (StatusCode::INTERNAL_SERVER_ERROR, said).into_response()
}

/// Whether a request asks for something to be done, rather than told (RFC 9110 § 9.2.1).
pub(crate) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_of_one_s_own_is_named_by_its_number() {
        assert_eq!("3=labs".parse::<OwnLab>().unwrap().feature(), "lab3");
        for odd in ["", "3", "3=", "3=solutions", "0=labs", "6=labs", "lab3=labs", "three=labs"] {
            let said = odd.parse::<OwnLab>().unwrap_err();
            assert!(said.starts_with("write `--lab 3=labs`"), "{said}");
        }
    }
}
