//! What lab 5 asks.

use grader::Lab;

mod client;
mod crowd;
mod server;
mod todo_1;
mod todo_2;
mod todo_3;
mod todo_4;
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
        todo_1::TODO_1,
        todo_2::TODO_2,
        todo_3::TODO_3,
        todo_4::TODO_4,
        todo_5::TODO_5,
        todo_6::TODO_6,
        todo_7::TODO_7,
        todo_8::TODO_8,
        together::BOTH_HALVES,
    ],
};
