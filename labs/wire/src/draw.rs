//! The drawing of a transcript.
