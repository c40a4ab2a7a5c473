//! What lab 1 asks.

use grader::Lab;

mod client;
mod server;
mod together;

/// Lab 1, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab1",
    number: 1,
    title: "prices on request, over plain HTTP",
    folder: "labs/lab1-fetch",
    chapter: "01-one-exchange.md",
    contract: include_str!("../../contract.md"),
    start: include_str!("../start.txt"),
    checks: &[
        server::TODO_1,
        server::TODO_2,
        server::TODO_3,
        client::TODO_4,
        client::TODO_5,
        client::TODO_6,
        together::BOTH_HALVES,
    ],
};
