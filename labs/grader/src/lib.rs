//! grader.
