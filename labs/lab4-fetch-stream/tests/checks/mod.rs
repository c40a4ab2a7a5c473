//! What lab 4 asks.

use grader::Lab;

mod client;
mod server;
mod together;

/// Lab 4, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab4",
    number: 4,
    title: "an assistant that answers token by token",
    folder: "labs/lab4-fetch-stream",
    chapter: "04-streaming-with-fetch.md",
    contract: include_str!("../../contract.md"),
    start: include_str!("../start.txt"),
    checks: &[
        server::TODO_1,
        server::TODO_2,
        server::TODO_3,
        client::TODO_4,
        client::TODO_5,
        client::TODO_6,
        client::TODO_7,
        together::BOTH_HALVES,
    ],
};
