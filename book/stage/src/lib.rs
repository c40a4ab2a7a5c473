//! The stage: serves the book, runs the labs live, shows the wire.
//!
//! `cargo stage` is this library behind a command line. [`book`] has the book
//! built, [`site`] serves it from memory, [`live`] mounts the labs (of which
//! `labs` is the list) on the feed that [`source`] opens, [`server`] accepts connections and lets them go in the end. Under all of it lies
//! [`line`], the transport that can be tapped and cut; a browser is told from
//! another by `visitor`, and `guard` stands at the door. [`class`] is who is in the room.

pub mod book;
pub mod class;
mod ear;
pub mod error;
mod guard;
mod labs;
pub mod line;
pub mod live;
pub mod module;
pub mod server;
pub mod site;
pub mod source;
mod toolchain;
mod visitor;
pub mod widgets;

pub use error::StageError;
pub use server::Stage;
pub use site::Site;
pub use source::Source;
