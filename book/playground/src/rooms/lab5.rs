//! Lab 5 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Room, snapshots};

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab5",
        number: 5,
        title: "the trading floor, over WebSocket",
        folder: "labs/lab5-websocket",
        chapter: "05-websocket.md",
        checks: &[],
    },
    snapshots: snapshots!["lab5-websocket":],
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
};
