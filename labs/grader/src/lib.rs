//! The test bench: a virtual network, a virtual clock and a JavaScript page.
//!
//! A lab's checks are short plays. Each runs on a [`Bench`] of its own, on one
//! thread, in tokio's paused time: no port, no file, no wall clock. What
//! happens is recorded as a transcript, and the transcript is compared with
//! the one that the lab's snapshots hold.
//!
//! The library reads no files and starts no threads, so that it runs in the
//! book's page (wasm) as it runs under `cargo test`. What only a terminal
//! needs stands in [`harness`] and [`class`].

mod align;
pub mod awkward;
mod bench;
#[cfg(not(target_family = "wasm"))]
pub mod burst;
mod check;
#[cfg(not(target_family = "wasm"))]
pub mod class;
mod client;
pub mod invariant;
mod net;
mod page;
mod panics;
mod region;
mod report;
mod script;
mod serve;
mod session;
mod snapshot;
mod socket;
#[cfg(feature = "insta")]
mod store;
mod sweep;
mod tape;
mod tasks;
pub mod text;

#[cfg(not(target_family = "wasm"))]
pub mod harness;
#[cfg(not(target_family = "wasm"))]
pub mod memory;

pub use align::align;
pub use bench::Bench;
pub use check::{Check, Compared, Failure, Finding, Lab, Play, Played, SEEDS, Scene, Standing, Verdict};
pub use client::{Answer, Ask, Event, EventStream, Item};
pub use net::{Lane, Line};
#[doc(hidden)]
#[cfg(not(target_family = "wasm"))]
pub use page::begin_trial;
pub use page::{Page, PageError, Place, Sources, Spent, Storm};
pub use region::{fingerprint, regions};
pub use report::{Report, Said, Voice};
pub use script::{Asked, Script, Stream};
pub use session::Session;
pub use snapshot::snapshot_transcript;
pub use socket::{Heard, Socket};
pub use sweep::Disturbance;
pub use tape::{Mark, Pulse, Tape};
pub use {contract, wire};
