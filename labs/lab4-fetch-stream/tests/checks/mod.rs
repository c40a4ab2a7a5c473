//! What lab 4 asks.

use grader::Lab;

/// Lab 4, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab4",
    number: 4,
    title: "an assistant that answers token by token",
    folder: "labs/lab4-fetch-stream",
    chapter: "04-streaming-with-fetch.md",
    checks: &[],
};
