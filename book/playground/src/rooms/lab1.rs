//! Lab 1 in the module: the lab's own checks of the client, the solution's server.

use grader::Lab;

use super::{Room, snapshots};

/// The lab, as far as the page can grade it: what is
/// said of it here is what the lab says itself; `tests/labs.rs` sees to that.
pub(crate) const ROOM: Room = Room {
    lab: Lab {
        name: "lab1",
        number: 1,
        title: "prices on request, over plain HTTP",
        folder: "labs/lab1-fetch",
        chapter: "01-one-exchange.md",
        checks: &[],
    },
    snapshots: snapshots!["lab1-fetch":],
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
};
