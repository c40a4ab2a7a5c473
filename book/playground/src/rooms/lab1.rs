//! Lab 1 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Heads, Room, snapshots};

#[path = "../../../../labs/lab1-fetch/tests/checks/client.rs"]
mod client;

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab1",
        number: 1,
        title: "prices on request, over plain HTTP",
        folder: "labs/lab1-fetch",
        chapter: "01-one-exchange.md",
        contract: include_str!("../../../../labs/lab1-fetch/contract.md"),
        start: include_str!("../../../../labs/lab1-fetch/tests/start.txt"),
        checks: &[client::TODO_4, client::TODO_5, client::TODO_6],
    },
    snapshots: snapshots!["lab1-fetch":
        todo_4_answers_and_errors,
        todo_4_not_modified,
        todo_4_one_request,
        todo_4_not_json,
        todo_4_no_answer,
        todo_4_the_next_request,
        todo_4_given_up,
        todo_4_two_at_once,
        todo_5_asks_and_asks_again,
        todo_5_a_slow_answer,
        todo_5_no_answer,
        todo_5_the_tag_of_what_is_shown,
        todo_5_each_answer_is_shown,
        todo_5_fails_and_fails,
        todo_5_two_at_once,
        todo_5_aborted,
        todo_5_never_begins,
        todo_6_fresh_and_stale,
        todo_6_nothing_to_show,
        todo_6_every_failure,
        todo_6_too_late,
    ],
    app: lab1_solution::app,
    exports: &["poll"],
    start: "globalThis.stop = new AbortController();
        client.poll('/prices', {
            every: 2000,
            show: (prices) => say('show', prices),
            status: (status) => say('status', status),
            signal: stop.signal,
        });",
    stop: "stop.abort()",
    client: include_str!("../../../../solutions/lab1-fetch/web/client.js"),
    measured: "client.poll('/prices', {
        every: POLL,
        show: (prices) => say('show', prices),
        status: () => {},
        signal: new AbortController().signal,
    })",
    chromium: Heads { first: 491, later: 26 },
};
