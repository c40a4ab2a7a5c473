//! TODO 4 to 7: the client, in a page of its own, before a server that does what the check says.

mod asking;
mod case;
mod parser;
mod sweeps;
mod todo_4;
mod todo_5;
mod todo_6;
mod todo_7;

pub(crate) use todo_4::TODO_4;
pub(crate) use todo_5::TODO_5;
pub(crate) use todo_6::TODO_6;
pub(crate) use todo_7::TODO_7;

const FILE: &str = "web/client.js";
