//! Where the stage's feed is kept: in its own memory, or in a Redis that several stages share.

use std::{fmt, str::FromStr, time::Duration};

use feed::{Feed, Market};
use feed_redis::{Address, ConnectError, Log, Shared};

use crate::{StageError, class, desk::Desk};

/// How many updates a stage's feed keeps.
const KEPT: usize = 1_000;

/// The log of a class that several stages hold. Names and votes are in it, so it does not outlive the stages for long.
const CLASS: Log = Log {
    name: "beyond-fetch:class",
    whose: "class",
    capacity: class::KEPT,
    forgotten_after: Some(Duration::from_secs(10 * 60)),
};

/// What `--feed` says.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// This process's memory: the feed begins anew with each stage.
    #[default]
    Memory,
    /// A Redis: every stage that names it shows the same feed.
    Redis(Address),
}

impl FromStr for Source {
    type Err = ConnectError;

    fn from_str(given: &str) -> Result<Self, ConnectError> {
        match given {
            "memory" => Ok(Self::Memory),
            address => address.parse().map(Self::Redis),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Redis(address) => write!(f, "redis://{address}"),
        }
    }
}

/// A feed, what it takes to trade on it, and where a class is kept that several stages hold.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The feed that every lab publishes from.
    pub feed: Feed,
    /// The log of the class, where stages share it.
    pub class: Option<Feed>,
    shared: Option<Shared>,
}

impl Source {
    /// Opens the feed.
    ///
    /// # Errors
    /// [`StageError::Feed`] where there is no such Redis.
    pub async fn open(&self) -> Result<Opened, StageError> {
        match self {
            Self::Memory => Ok(Opened { feed: Feed::begun_now(KEPT), class: None, shared: None }),
            Self::Redis(address) => {
                let shared = Shared::connect(address, KEPT).await.map_err(StageError::Feed)?;
                let class = Shared::open(address, CLASS).await.map_err(StageError::Feed)?;
                Ok(Opened { feed: shared.feed(), class: Some(class.feed()), shared: Some(shared) })
            }
        }
    }
}

impl Opened {
    /// Lets a market move prices on the feed, for ever, as the desk says. Where stages share it, one of them trades,
    /// and another goes on when it dies.
    pub(crate) async fn trade(self, desk: Desk) {
        let Self { feed, shared, .. } = self;
        let market = || Market::new(1).trade_as(feed.clone(), desk.orders());
        match shared {
            None => market().await,
            Some(shared) => shared.in_turn(market).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for given in ["memory", "redis://127.0.0.1:6379"] {
            assert_eq!(given.parse::<Source>().map(|source| source.to_string()).ok().as_deref(), Some(given));
        }
        let refused = "file:///tmp".parse::<Source>().expect_err("that is neither").to_string();
        assert!(refused.contains("write redis://HOST:PORT"), "{refused}");
    }
}
