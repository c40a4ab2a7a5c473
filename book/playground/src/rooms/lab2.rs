//! Lab 2 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Room, snapshots};

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab2",
        number: 2,
        title: "the order that was filled, over long polling",
        folder: "labs/lab2-long-polling",
        chapter: "02-long-polling.md",
        checks: &[],
    },
    snapshots: snapshots!["lab2-long-polling":],
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
};
