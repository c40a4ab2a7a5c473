//! A port for a server that takes only a number.

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
};

/// A port that nobody listens on: drawn below those that the system gives out
/// by itself, so that it stays free while its server is down. Another test may
/// still draw the same one: whoever starts a server makes sure that it is theirs.
pub(crate) fn free() -> u16 {
    loop {
        let drawn = 20_000 + (RandomState::new().hash_one("port") % 10_000) as u16;
        if TcpListener::bind(("127.0.0.1", drawn)).is_ok() {
            return drawn;
        }
    }
}
