//! playground.
