//! Lab 5 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Heads, Room, snapshots};

#[path = "../../../../labs/lab5-websocket/tests/checks/client.rs"]
mod client;
#[path = "../../../../labs/lab5-websocket/tests/checks/crowd.rs"]
mod crowd;
#[path = "../../../../labs/lab5-websocket/tests/checks/todo_5.rs"]
mod todo_5;
#[path = "../../../../labs/lab5-websocket/tests/checks/todo_6.rs"]
mod todo_6;
#[path = "../../../../labs/lab5-websocket/tests/checks/todo_7.rs"]
mod todo_7;
#[path = "../../../../labs/lab5-websocket/tests/checks/todo_8.rs"]
mod todo_8;

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
        checks: &[todo_5::TODO_5, todo_6::TODO_6, todo_7::TODO_7, todo_8::TODO_8],
    },
    snapshots: snapshots!["lab5-websocket":
        todo_5_said_too_early,
        todo_5_shows_everything,
        todo_5_leaves,
        todo_5_leaves_early,
        todo_5_never_begins,
        todo_6_after_a_cut,
        todo_6_called_back,
        todo_6_sent_away,
        todo_6_for_minutes,
        todo_6_with_more_patience,
        todo_6_two_clients,
        todo_6_silence,
        todo_6_left_while_waiting,
        todo_7_said_twice,
        todo_7_any_id,
        todo_7_said_again_later,
        todo_7_not_before_the_floor,
        todo_7_as_text,
        todo_8_lost_on_the_way,
        todo_8_only_the_answer_was_lost,
        todo_8_lost_again_and_again,
        todo_8_a_hundred_lost,
        todo_8_said_by_another,
        todo_8_two_clients,
        todo_8_many_clients,
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
