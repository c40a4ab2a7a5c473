//! stage.
fn main() {}
