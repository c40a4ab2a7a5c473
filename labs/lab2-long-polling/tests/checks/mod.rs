//! What lab 2 asks.

use grader::Lab;

mod client;
mod server;
mod together;
mod world;

/// Lab 2, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab2",
    number: 2,
    title: "the order that was filled, over long polling",
    folder: "labs/lab2-long-polling",
    chapter: "02-long-polling.md",
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
