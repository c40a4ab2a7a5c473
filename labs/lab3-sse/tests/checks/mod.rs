//! What lab 3 asks.

use grader::Lab;

mod client;
mod server;
mod together;

/// Lab 3, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab3",
    number: 3,
    title: "the ticker, over Server-Sent Events",
    folder: "labs/lab3-sse",
    chapter: "03-server-sent-events.md",
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
        together::BOTH_HALVES,
    ],
};
