//! What lab 2 asks.

use grader::Lab;

/// Lab 2, with its checks in the order of the TODOs.
pub(crate) const LAB: Lab = Lab {
    name: "lab2",
    number: 2,
    title: "the order that was filled, over long polling",
    folder: "labs/lab2-long-polling",
    chapter: "02-long-polling.md",
    checks: &[],
};
