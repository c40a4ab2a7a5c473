//! How much of the stage one visitor, and all of them, may have.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a stage allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are open at once; more wait at the door.
    pub connections: usize,
    /// How many of them may come from one address. A class behind one router is one address.
    pub per_address: usize,
    /// How long a client may take to send the head of a request, or to begin another one.
    pub head_within: Duration,
    /// How long a client may pause while it sends a request's body.
    pub body_within: Duration,
    /// How long a client may take nothing of what it is sent.
    pub stalled: Duration,
    /// How long bad weather may hold what is under way.
    pub held: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_000,
            // Six for each of three hundred browsers, and some to spare.
            per_address: 2_000,
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            stalled: Duration::from_secs(30),
            held: Duration::from_secs(600),
        }
    }
}

/// The doors of a stage: who is inside, by address.
pub(crate) struct Doors {
    room: Arc<Semaphore>,
    per_address: usize,
    inside: Mutex<HashMap<IpAddr, Inside>>,
}

#[derive(Default)]
struct Inside {
    count: usize,
    /// The log has been told that this address asks for more.
    is_told: bool,
}

/// Room for one more connection; nobody is inside yet.
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// A connection that is inside; dropped, it has left.
pub(crate) struct Entered {
    doors: Arc<Doors>,
    address: IpAddr,
    _room: Room,
}

impl Doors {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Semaphore::new(limits.connections)),
            per_address: limits.per_address,
            inside: Mutex::default(),
        })
    }

    /// Waits until there is room for one more.
    pub(crate) async fn room(&self) -> Room {
        let permit = Arc::clone(&self.room).acquire_owned().await;
        Room { _permit: permit.expect("nobody closes the doors' semaphore") }
    }

    /// Lets a connection in, if its address has not too many already. The
    /// first that is turned away is told to the log, and none until the
    /// address is below its limit again.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, room: Room) -> Option<Entered> {
        let mut inside = self.inside();
        let known = inside.entry(address).or_default();
        if known.count >= self.per_address {
            if !known.is_told {
                known.is_told = true;
                tracing::warn!(
                    %address,
                    limit = self.per_address,
                    "too many connections from one address: new ones are refused (--connections-per-address allows more)"
                );
            }
            return None;
        }
        known.count += 1;
        drop(inside);
        Some(Entered { doors: Arc::clone(self), address, _room: room })
    }

    fn inside(&self) -> MutexGuard<'_, HashMap<IpAddr, Inside>> {
        self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut inside = self.doors.inside();
        let Some(known) = inside.get_mut(&self.address) else { return };
        known.count -= 1;
        // A little below, so that one who comes and goes at the limit is told of once.
        if known.count < self.doors.per_address.div_ceil(2) {
            known.is_told = false;
        }
        if known.count == 0 {
            inside.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_so_many_and_another_has_its_own() {
        let doors = Doors::new(&Limits { per_address: 2, ..Limits::default() });
        let (one, two): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        let first = doors.enter(one, doors.room().await).unwrap();
        let _second = doors.enter(one, doors.room().await).unwrap();
        assert!(doors.enter(one, doors.room().await).is_none());
        let other = doors.enter(two, doors.room().await).unwrap();
        drop(first);
        assert!(doors.enter(one, doors.room().await).is_some(), "one has left");
        drop(other);
        assert_eq!(doors.inside().len(), 1, "who has gone is forgotten");
    }
}
