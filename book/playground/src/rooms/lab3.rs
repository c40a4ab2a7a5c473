//! Lab 3 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Heads, Room, snapshots};

#[path = "../../../../labs/lab3-sse/tests/checks/client/mod.rs"]
mod client;

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab3",
        number: 3,
        title: "the ticker, over Server-Sent Events",
        folder: "labs/lab3-sse",
        chapter: "03-server-sent-events.md",
        contract: include_str!("../../../../labs/lab3-sse/contract.md"),
        start: include_str!("../../../../labs/lab3-sse/tests/start.txt"),
        checks: &[client::TODO_5, client::TODO_6, client::TODO_7],
    },
    snapshots: snapshots!["lab3-sse":
        todo_5_shows_prices,
        todo_5_position,
        todo_5_show_throws,
        todo_5_never_begins,
        todo_6_the_browser_reconnects,
        todo_6_after_a_502,
        todo_6_with_more_patience,
        todo_6_no_answer,
        todo_6_the_market_is_closed,
        todo_6_away_for_long,
        todo_7_hidden_for_long,
        todo_7_hidden_again_and_again,
        todo_7_left_and_restored,
        todo_7_hidden_while_waiting,
        todo_7_shown_while_reconnecting,
        todo_7_away_while_asking,
        todo_7_the_market_is_closed,
    ],
    app: lab3_solution::app,
    exports: &["watchPrices"],
    start: "globalThis.stop = new AbortController();
        client.watchPrices({
            url: '/prices/stream',
            show: (price) => say('show', price),
            status: (status) => say('status', status),
            signal: stop.signal,
        });",
    stop: "stop.abort()",
    client: include_str!("../../../../solutions/lab3-sse/web/client.js"),
    measured: "client.watchPrices({
        url: '/prices/stream',
        show: (price) => say('show', price),
        status: () => {},
        signal: new AbortController().signal,
    })",
    chromium: Heads { first: 555, later: 0 },
};
