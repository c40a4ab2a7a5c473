//! What lab 5 asks.

use grader::Lab;

mod client;
mod crowd;
mod server;
mod todo_5;
mod todo_6;
mod todo_7;
mod todo_8;
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
        todo_5::TODO_5,
        todo_6::TODO_6,
        todo_7::TODO_7,
        todo_8::TODO_8,
        together::BOTH_HALVES,
    ],
};
