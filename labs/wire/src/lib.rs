//! The transcript, and what reads it off a wire.
//!
//! Everything that happens on a wire is written down in one notation. The
//! grader produces it, the snapshots store it, the book draws it, the stage
//! streams it. This crate holds the notation ([`transcript`]), its drawing
//! ([`draw`]), and the decoders that turn bytes into it ([`tap`], over
//! [`sse`] and [`ws`]).

pub mod draw;
pub mod sse;
pub mod tap;
pub mod transcript;
pub mod ws;

pub use transcript::{Moment, Place, Transcript, What, When};
