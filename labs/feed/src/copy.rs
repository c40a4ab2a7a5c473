//! A feed whose log is kept elsewhere: several processes share it, and each has a copy.
//!
//! Whoever keeps the log is a [`Keeper`]; whoever brings its updates here
//! writes them into a [`Copy`]. Readers and subscribers of the [`Feed`] notice
//! no difference, with one exception: a position that the copy has not reached
//! may be one that the log has, so the keeper is asked before it is refused.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
};

use serde_json::Value;
use tokio::sync::watch;

use crate::{Cursor, Feed, Shared, Update};

/// What a keeper will have answered.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps a log that several processes share.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// Appends to the log, once, as soon as it can be reached; says where it stands now.
    fn publish(&self, data: Value) -> Answer<'_, Cursor>;

    /// Where the log stands, as soon as it can be reached.
    fn stands_at(&self) -> Answer<'_, Cursor>;
}

/// How a feed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It hears of every update. A feed in memory always does.
    Well,
    /// Its log cannot be reached: subscriptions stay and are silent, and what the copy holds can be read.
    Away {
        /// Why, as a sentence's end.
        why: String,
    },
}

/// What a feed has besides its log, if that is a copy.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    pub(crate) keeper: Arc<dyn Keeper>,
    pub(crate) health: watch::Sender<Health>,
    /// Told whenever the copy has changed.
    moved: watch::Sender<()>,
}

impl Elsewhere {
    /// Waits until the copy of `feed` has everything up to `place`, or is of a later log.
    pub(crate) async fn reach(&self, feed: &Feed, place: &Cursor) {
        let mut moved = self.moved.subscribe();
        while !feed.has_reached(place) {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The end at which a feed's copy of a log is written.
///
/// It does not keep the feed alive.
#[derive(Clone, Debug)]
pub struct Copy {
    feed: Weak<Shared>,
    /// Ends when the feed is gone.
    health: watch::Receiver<Health>,
}

impl Feed {
    /// A feed that is a copy of the log `epoch`, still empty, and the end at which it is written.
    /// It keeps the last `capacity` updates, which should be as many as the log does.
    pub fn copy_of(keeper: Arc<dyn Keeper>, epoch: &str, capacity: usize) -> (Self, Copy) {
        let (health, seen) = watch::channel(Health::Well);
        let mut feed = Self::named(epoch, capacity);
        let shared = Arc::get_mut(&mut feed.0).expect("nobody else has this feed yet");
        shared.elsewhere = Some(Elsewhere { keeper, health, moved: watch::Sender::new(()) });
        let copy = Copy { feed: Arc::downgrade(&feed.0), health: seen };
        (feed, copy)
    }

    /// How the feed is.
    pub fn health(&self) -> Health {
        self.0.elsewhere.as_ref().map_or(Health::Well, |elsewhere| elsewhere.health.borrow().clone())
    }

    /// Returns once the feed is otherwise than `known`; for a feed in memory, never.
    pub async fn is_otherwise(&self, known: &Health) {
        let changed = match &self.0.elsewhere {
            Some(elsewhere) => elsewhere.health.subscribe().wait_for(|now| now != known).await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending::<()>().await;
        }
    }

    fn has_reached(&self, place: &Cursor) -> bool {
        let log = self.log();
        match &place.epoch {
            Some(epoch) if epoch != self.epoch() => self.0.epochs.contains(epoch),
            _ => log.head >= place.seq,
        }
    }
}

impl Copy {
    /// The log is another one from here on, and still empty. Subscriptions end:
    /// their next update would be of a log that they do not know.
    pub fn begin(&self, epoch: &str) {
        self.write(|feed| feed.begin(epoch));
    }

    /// The log's next update. One that the copy has is left out; where updates
    /// are missing before it, the copy begins anew with it and subscriptions
    /// end, rather than being handed a stream with a hole in it.
    pub fn append(&self, update: Update) {
        self.write(|feed| {
            let mut log = feed.log();
            if update.seq <= log.head {
                return;
            }
            if update.seq > log.head + 1 {
                log.kept.clear();
                feed.end_subscriptions(&mut log.live);
            }
            log.push(update, feed.0.capacity);
        });
    }

    /// Says how the feed is from here on. Gives whether that is a change between well and away.
    pub fn set_health(&self, health: Health) -> bool {
        self.feed.upgrade().is_some_and(|shared| {
            let Some(elsewhere) = &shared.elsewhere else { return false };
            elsewhere.health.send_if_modified(|now| {
                let changes = (*now == Health::Well) != (health == Health::Well);
                *now = health;
                changes
            })
        })
    }

    /// Returns once nobody has the feed any more.
    pub async fn unwanted(&self) {
        let mut health = self.health.clone();
        while health.changed().await.is_ok() {}
    }

    fn write(&self, change: impl FnOnce(&Feed)) {
        if let Some(feed) = self.feed.upgrade().map(Feed) {
            change(&feed);
            if let Some(elsewhere) = &feed.0.elsewhere {
                elsewhere.moved.send_replace(());
            }
        }
    }
}
