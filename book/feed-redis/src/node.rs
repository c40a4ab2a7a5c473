//! A node: what it asks Redis, beside the reading of the stream.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use feed::{Answer, Cursor, Keeper};
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, aio::MultiplexedConnection,
};
use serde_json::Value;
use tokio::{
    sync::{Mutex, watch},
    time::sleep,
};

use crate::{Address, Log, PATIENCE};

const ATTACH: &str = include_str!("attach.lua");
const PUBLISH: &str = include_str!("publish.lua");

/// How long a node waits before it tries again, the first time and at most.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The last update that a node has told, or where it stands in an empty log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Empty while the node knows no log.
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    pub(crate) mark: String,
}

/// One of the processes that share a log.
pub(crate) struct Node {
    client: Client,
    place: String,
    /// Unlike every other's.
    pub(crate) id: String,
    log: Log,
    /// The log's stream.
    pub(crate) stream: String,
    /// Counts what was published here.
    published: AtomicU64,
    /// What this node's copy has.
    pub(crate) told: watch::Sender<Told>,
    /// The connection for everything but reading; nothing once it has failed.
    line: Mutex<Option<MultiplexedConnection>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("place", &self.place).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Node {
    pub(crate) fn new(address: &Address, log: Log) -> RedisResult<Self> {
        let client = Client::open(address.0.clone())?;
        Ok(Self {
            client,
            place: address.to_string(),
            id: drawn()?,
            stream: format!("{}:log", log.name),
            log: Log { capacity: log.capacity.max(1), ..log },
            published: AtomicU64::new(0),
            told: watch::Sender::new(Told::default()),
            line: Mutex::new(None),
        })
    }

    /// Where Redis is, for people.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Whose log it is, for people.
    pub(crate) fn whose(&self) -> &'static str {
        self.log.whose
    }

    /// The key of what only one node may do.
    pub(crate) fn turn(&self) -> String {
        format!("{}:turn", self.log.name)
    }

    /// A new connection on which an answer may take that much longer than usual.
    pub(crate) async fn connect(&self, longer: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE + longer));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Asks something on the node's own connection, which is made anew after a failure.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut line = {
            let mut kept = self.line.lock().await;
            match &*kept {
                Some(line) => line.clone(),
                None => kept.insert(self.connect(Duration::ZERO).await?).clone(),
            }
        };
        let answer = command.query_async(&mut line).await;
        if answer.as_ref().is_err_and(|error: &RedisError| error.code().is_none()) {
            // No error that Redis itself has told: the line is of no more use.
            *self.line.lock().await = None;
        }
        answer
    }

    /// Which log this is, to a node that has told so much of it. Gives where the log stands.
    pub(crate) async fn attach(&self, told: &Told) -> RedisResult<Place> {
        self.ask(&self.attaching(told)?).await.map(|(epoch, seq)| Place { epoch, seq })
    }

    /// The command that [`Node::attach`] asks.
    pub(crate) fn attaching(&self, told: &Told) -> RedisResult<Cmd> {
        let mut command = redis::cmd("EVAL");
        command.arg(ATTACH).arg(2).arg(self.log.name).arg(&self.stream);
        command.arg(drawn()?).arg(&told.epoch).arg(told.seq).arg(&told.mark);
        command.arg(self.forgotten_after());
        Ok(command)
    }

    /// In milliseconds; 0 for never.
    fn forgotten_after(&self) -> u64 {
        self.log.forgotten_after.map_or(0, |time| time.as_millis() as u64)
    }

    async fn append(&self, told: &Told, mark: &str, data: &str, again: bool) -> RedisResult<Option<u64>> {
        let mut command = redis::cmd("EVAL");
        command.arg(PUBLISH).arg(2).arg(self.log.name).arg(&self.stream);
        command.arg(&told.epoch).arg(told.seq).arg(mark).arg(data);
        command.arg(self.log.capacity).arg(if again { "again" } else { "first" });
        command.arg(self.forgotten_after());
        self.ask(&command).await
    }

    async fn publish(&self, data: Value) -> Cursor {
        let mark = format!("{}-{}", self.id, self.published.fetch_add(1, Ordering::Relaxed));
        let data = data.to_string();
        let mut told = self.told.subscribe();
        let mut wait = Wait::default();
        let mut again = false;
        loop {
            let now = told.borrow_and_update().clone();
            match self.append(&now, &mark, &data, again).await {
                Ok(Some(seq)) => return Cursor { epoch: Some(now.epoch), seq },
                // The log is another one, and the reader will soon say which.
                Ok(None) => {
                    tokio::select! { _ = told.changed() => {}, () = wait.long_enough() => {} }
                }
                Err(error) => {
                    tracing::debug!(%error, "an update waits for Redis");
                    again = true;
                    wait.long_enough().await;
                }
            }
        }
    }

    async fn stands_at(&self) -> Cursor {
        let mut wait = Wait::default();
        loop {
            // Without a claim of its own: only the reader knows what has been told.
            match self.attach(&Told::default()).await {
                Ok(Place { epoch, seq }) => return Cursor { epoch: Some(epoch), seq },
                Err(error) => {
                    tracing::debug!(%error, "a position waits for Redis");
                    wait.long_enough().await;
                }
            }
        }
    }
}

impl Keeper for Node {
    fn publish(&self, data: Value) -> Answer<'_, Cursor> {
        Box::pin(Node::publish(self, data))
    }

    fn stands_at(&self) -> Answer<'_, Cursor> {
        Box::pin(Node::stands_at(self))
    }
}

/// Where a log stands.
pub(crate) struct Place {
    pub(crate) epoch: String,
    pub(crate) seq: u64,
}

/// A name that nobody else draws.
fn drawn() -> RedisResult<String> {
    let number = getrandom::u64().map_err(std::io::Error::other)?;
    Ok(format!("{number:016x}"))
}

/// The pauses between attempts: each is twice as long as the last and then
/// shortened by up to a half, so that nodes that fell together do not come back together.
#[derive(Default)]
pub(crate) struct Wait {
    failed: u32,
}

impl Wait {
    pub(crate) async fn long_enough(&mut self) {
        let full = SHORTEST.saturating_mul(2_u32.saturating_pow(self.failed)).min(LONGEST);
        self.failed = self.failed.saturating_add(1);
        // Without a drawn number the full pause will do.
        let share = getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX));
        sleep(full.mul_f64(1.0 - share / 2.0)).await;
    }

    pub(crate) fn is_over(&mut self) {
        self.failed = 0;
    }
}
