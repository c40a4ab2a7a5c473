//! What can go wrong when a shared log is first looked for, in sentences that say what to do.

use std::{error::Error, fmt};

/// Why there is no feed on Redis.
#[derive(Debug)]
pub enum ConnectError {
    /// What was given is no address of a Redis.
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// No Redis that can be used has answered.
    NoRedis {
        /// Where one was looked for.
        place: String,
        /// What was heard instead.
        why: String,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { given, why } => write!(
                f,
                "`{given}` is no address of a Redis ({why}): write redis://HOST:PORT, as in redis://127.0.0.1:6379."
            ),
            Self::NoRedis { place, why } => write!(
                f,
                "There is no usable Redis at {place} ({why}): start one there with `redis-server`, or correct the address."
            ),
        }
    }
}

impl Error for ConnectError {}
