//! A [`Feed`] that several processes share, on Redis Streams.
//!
//! Each process, a *node*, has a whole copy of the log, which one task writes
//! as it reads the stream; readers and subscribers of the feed know nothing of
//! it. `feed` knows nothing of Redis, so no lab builds a client of it.
//!
//! | key | what |
//! |---|---|
//! | `beyond-fetch` | a hash: the log's `epoch`, and its `head`, the number of its newest update |
//! | `beyond-fetch:log` | the stream, cut to the log's capacity; an update's ID is `NUMBER-0` |
//! | `beyond-fetch:turn` | the node whose turn it is (see [`Shared::in_turn`]); expires |
//!
//! That is the feed. Another [`Log`] has another name in place of `beyond-fetch`, and can be one that Redis forgets
//! some time after the last node has gone.
//!
//! An entry has its `epoch`, its `data` as JSON, and in `by` a mark that no
//! other has. Everything that must happen in one step is a script in Lua.
//!
//! # What holds
//! - Numbers begin at 1 and none is left out, whichever node publishes.
//! - A position is good on every node. One that a node has not reached yet makes it ask Redis before it answers.
//! - An update is appended once, though its publisher had to ask twice.
//! - Redis out of reach: subscriptions stay and are silent, what the copy
//!   holds can be read, publishing waits, and [`Feed::health`] says why. A
//!   node comes back by itself, after a delay that doubles up to two seconds
//!   and is drawn, so that not all come at once; it catches up from where it was.
//! - If the stream has been cut past that place, or if Redis has lost updates
//!   that were told already (the log then is another one, with another epoch),
//!   subscriptions end, and whoever comes back learns that something is missing.

mod error;
mod node;
mod reader;
mod turn;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use feed::Feed;
use redis::IntoConnectionInfo;

pub use error::ConnectError;
use node::Node;

/// How long a Redis may take to answer, at first and ever after.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a Redis is: `redis://HOST:PORT/DB`.
#[derive(Clone)]
pub struct Address(redis::ConnectionInfo);

impl FromStr for Address {
    type Err = ConnectError;

    fn from_str(given: &str) -> Result<Self, ConnectError> {
        let refused =
            |why: &str| ConnectError::Address { given: without_password(given), why: why.to_owned() };
        match given.split_once("://") {
            Some(("redis", _)) => {}
            Some(("rediss", _)) => return Err(refused("encrypted connections are not built in")),
            Some(_) => return Err(refused("another protocol")),
            None => return Err(refused("no redis:// in front")),
        }
        let info = given.into_connection_info().map_err(|error| refused(&told(&error)))?;
        Ok(Self(info))
    }
}

impl fmt::Display for Address {
    /// Host and port: what may be in a log, unlike a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.addr())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Which log is meant, and what it is like. All nodes say the same of it.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// Its name in Redis.
    pub name: &'static str,
    /// Whose it is, for a sentence: the *feed's* Redis.
    pub whose: &'static str,
    /// How many updates it keeps.
    pub capacity: usize,
    /// How long after the last node has gone Redis forgets it; never, where there is nothing here.
    pub forgotten_after: Option<Duration>,
}

impl Log {
    /// The feed, with so many updates.
    pub fn feed(capacity: usize) -> Self {
        Self { name: "beyond-fetch", whose: "feed", capacity, forgotten_after: None }
    }
}

/// A log that this process shares with others.
#[derive(Clone, Debug)]
pub struct Shared {
    node: Arc<Node>,
    feed: Feed,
}

impl Shared {
    /// Finds the feed, or begins it, and takes a copy of it. It keeps the last `capacity` updates.
    ///
    /// # Errors
    /// As [`Shared::open`].
    pub async fn connect(address: &Address, capacity: usize) -> Result<Self, ConnectError> {
        Self::open(address, Log::feed(capacity)).await
    }

    /// Finds a log, or begins it, and takes a copy of it.
    ///
    /// # Errors
    /// [`ConnectError::NoRedis`], after two seconds at most for each answer.
    pub async fn open(address: &Address, log: Log) -> Result<Self, ConnectError> {
        let refused = |error: &redis::RedisError| ConnectError::NoRedis {
            place: address.to_string(),
            why: told(error),
        };
        let node = Arc::new(Node::new(address, log).map_err(|error| refused(&error))?);
        let told = node.attach(&Default::default()).await.map_err(|error| refused(&error))?;
        let (feed, copy) = Feed::copy_of(Arc::<Node>::clone(&node), &told.epoch, log.capacity);
        let caught_up = reader::spawn(Arc::clone(&node), copy, told.epoch);
        // From its first moment the feed has what the log has, unless Redis has just gone again.
        let _ = tokio::time::timeout(PATIENCE, caught_up).await;
        Ok(Self { node, feed })
    }

    /// The feed. Once it and its clones are gone, the copy is no longer written.
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }
}

/// An error of the client in few words, for the end of a sentence.
fn told(error: &redis::RedisError) -> String {
    if error.is_timeout() {
        return String::from("no answer in time");
    }
    if error.kind() == redis::ErrorKind::Parse {
        return String::from("what answers there does not speak its protocol");
    }
    let words: Vec<String> = error.to_string().split_whitespace().map(str::to_owned).collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

/// An address as it may be shown.
fn without_password(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => address.to_owned(),
    }
}
