//! The stage: serves the book, runs the labs live, shows the wire.
//!
//! `cargo stage` is this library behind a command line. [`book`] has the book
//! built, [`site`] serves it from memory, [`live`] mounts the labs (of which
//! `labs` is the list) on the feed that [`source`] opens
//! and the [`desk`] gives orders to, [`server`] accepts connections and lets them go in the end.
//! Under all of it lies [`line`], the transport that can be tapped, cut and put through [`weather`], whose
//! [`climate`] knows every exchange; `race` lets five labs run side by side; `hub` tells the feed to many at once; a browser
//! is told from another by `visitor`, `guard` and [`limits`] stand at the door, and `metrics` counts. [`class`] is who
//! is in the room, with the instructor's console, for which `watcher` hears a connection from its middle on.

pub mod book;
mod carry;
pub mod class;
pub mod climate;
pub mod desk;
mod ear;
pub mod editor;
pub mod error;
mod guard;
mod health;
mod hub;
mod labs;
pub mod limits;
pub mod line;
pub mod live;
mod metrics;
pub mod module;
pub mod own_labs;
mod race;
pub mod server;
pub mod site;
pub mod source;
mod toolchain;
mod visitor;
mod watcher;
pub mod weather;
pub mod widgets;

pub use climate::{Climate, Scope, Technique};
pub use desk::Desk;
pub use error::StageError;
pub use labs::OwnLab;
pub use limits::Limits;
pub use server::Stage;
pub use site::Site;
pub use source::Source;
pub use weather::Weather;
