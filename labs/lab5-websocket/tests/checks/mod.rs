//! What lab 5 asks.

use grader::Lab;

/// Lab 5, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab5",
    number: 5,
    title: "the trading floor, over WebSocket",
    folder: "labs/lab5-websocket",
    chapter: "05-websocket.md",
    checks: &[],
};
