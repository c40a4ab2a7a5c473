//! Lab 5 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Heads, Room, snapshots};

#[path = "../../../../labs/lab5-websocket/tests/checks/client.rs"]
mod client;

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab5",
        number: 5,
        title: "the trading floor, over WebSocket",
        folder: "labs/lab5-websocket",
        chapter: "05-websocket.md",
        contract: include_str!("../../../../labs/lab5-websocket/contract.md"),
        start: include_str!("../../../../labs/lab5-websocket/tests/start.txt"),
        checks: &[client::TODO_5, client::TODO_6, client::TODO_7, client::TODO_8],
    },
    snapshots: snapshots!["lab5-websocket":
        todo_5_said_too_early,
        todo_5_leaves,
        todo_5_never_begins,
        todo_6_after_a_cut,
        todo_6_with_more_patience,
        todo_6_closed_by_the_floor,
        todo_6_sent_away,
        todo_6_left_while_waiting,
        todo_7_said_twice,
        todo_7_not_before_the_floor,
        todo_7_as_text,
        todo_8_lost_on_the_way,
        todo_8_only_the_answer_was_lost,
        todo_8_two_clients,
    ],
    app: lab5_solution::app,
    exports: &["joinFloor"],
    start: "globalThis.stop = new AbortController();
        globalThis.floor = client.joinFloor({
            url: '/floor',
            room: 'general',
            name: 'You',
            show: (message) => say('show', message),
            status: (status) => say('status', status),
            signal: stop.signal,
        });
        floor.say('Good morning.');",
    stop: "floor.leave()",
    client: include_str!("../../../../solutions/lab5-websocket/web/client.js"),
    measured: "client.joinFloor({
        url: '/floor',
        room: 'general',
        name: 'You',
        show: (message) => message.type === 'price' && say('show', message),
        status: () => {},
        signal: new AbortController().signal,
    })",
    chromium: Heads { first: 500, later: 0 },
};
