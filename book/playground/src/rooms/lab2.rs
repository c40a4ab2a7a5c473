//! Lab 2 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Heads, Room, snapshots};

#[path = "../../../../labs/lab2-long-polling/tests/checks/client.rs"]
mod client;
#[path = "../../../../labs/lab2-long-polling/tests/checks/world.rs"]
mod world;

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab2",
        number: 2,
        title: "the order that was filled, over long polling",
        folder: "labs/lab2-long-polling",
        chapter: "02-long-polling.md",
        contract: include_str!("../../../../labs/lab2-long-polling/contract.md"),
        start: include_str!("../../../../labs/lab2-long-polling/tests/start.txt"),
        checks: &[client::TODO_5, client::TODO_6, client::TODO_7],
    },
    snapshots: snapshots!["lab2-long-polling":
        todo_5_shows_updates,
        todo_5_a_slow_answer,
        todo_5_answer_after_answer,
        todo_6_three_visitors,
        todo_6_more_and_more_patient,
        todo_6_what_is_a_failure,
        todo_6_a_show_that_throws,
        todo_6_offline,
        todo_6_online_again,
        todo_6_again_and_again,
        todo_6_in_a_row,
        todo_7_gone,
        todo_7_another_log,
        todo_7_stopped_while_asking,
        todo_7_stopped_while_waiting,
        todo_7_stopped_while_offline,
        todo_7_stopped_while_showing,
        todo_7_never_begins,
    ],
    app: lab2_solution::app,
    exports: &["longPoll"],
    start: "globalThis.stop = new AbortController();
        client.longPoll({
            url: '/updates',
            after: 0,
            show: (update) => say('show', update),
            status: (status) => say('status', status),
            signal: stop.signal,
        });",
    stop: "stop.abort()",
    client: include_str!("../../../../solutions/lab2-long-polling/web/client.js"),
    measured: "client.longPoll({
        url: '/updates',
        after: 0,
        show: (update) => say('show', update),
        status: () => {},
        signal: new AbortController().signal,
    })",
    chromium: Heads { first: 543, later: 0 },
};
