//! The labs on the stage: the one list of what each is and what it needs.

use std::path::Path;

use axum::{Router, http::Method};
use feed::Feed;

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
    /// The folder of its solution.
    folder: &'static str,
    app: fn(Feed) -> Router,
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
    },
];

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
    /// Every lab of the repository at `root`, publishing from `feed`.
    pub(crate) fn all(root: &Path, feed: &Feed) -> Vec<Self> {
        let over = Feed::memory(1);
        over.close();
        let mount = |entry: &'static Entry| {
            let web = root.join("solutions").join(entry.folder).join("web");
            let closes = entry.controls.contains(&Control::Market);
            Self {
                entry,
                path: format!("/live/lab{}", entry.number),
                app: host::with_page((entry.app)(feed.clone()), web),
                closed: closes.then(|| (entry.app)(over.clone())),
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

/// Whether a request asks for something to be done, rather than told (RFC 9110 § 9.2.1).
pub(crate) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}
