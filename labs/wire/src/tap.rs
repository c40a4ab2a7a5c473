//! Reads both directions of one connection and tells what they say.
