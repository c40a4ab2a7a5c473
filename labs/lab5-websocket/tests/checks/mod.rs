//! What lab 5 asks.

use grader::Lab;

mod client;
mod server;
mod together;

/// Lab 5, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab5",
    number: 5,
    title: "the trading floor, over WebSocket",
    folder: "labs/lab5-websocket",
    chapter: "05-websocket.md",
    contract: include_str!("../../contract.md"),
    start: include_str!("../start.txt"),
    checks: &[
        server::TODO_1,
        server::TODO_2,
        server::TODO_3,
        server::TODO_4,
        client::TODO_5,
        client::TODO_6,
        client::TODO_7,
        client::TODO_8,
        together::BOTH_HALVES,
    ],
};
