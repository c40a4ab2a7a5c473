//! Lab 3.
