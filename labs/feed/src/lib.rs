//! The event log that every lab publishes from.
//!
//! A [`Feed`] numbers what is published and keeps the last of it. Three calls
//! are all there is: [`Feed::publish`] appends, [`Feed::after`] reads the log,
//! [`Feed::subscribe`] hears what comes from now on. Reading and hearing are
//! two calls on purpose: between them time passes, and an update that is
//! published there belongs to whoever thought of it.
//!
//! The log is in memory, or it is kept elsewhere and several processes share
//! it (see [`Keeper`]). Whoever reads or hears a feed notices no difference.

mod copy;
mod epoch;
mod market;

use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

use copy::Elsewhere;
use epoch::Epochs;

pub use copy::{Answer, Copy, Health, Keeper};
pub use market::{Market, Trading};

/// One published update: `{ "seq": 1, "data": { … } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Its number in the log: the first is 1, and no number is left out.
    pub seq: u64,
    /// What was published.
    pub data: Value,
}

/// A place in a log: everything up to and including `seq` has been seen.
///
/// Where `epoch` is given, the place is in that log and in no other; a bare
/// number trusts the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The log's name, which changes when it starts again at 1.
    pub epoch: Option<String>,
    /// The last number that was seen; 0 stands before the first.
    pub seq: u64,
}

impl From<u64> for Cursor {
    fn from(seq: u64) -> Self {
        Self { epoch: None, seq }
    }
}

impl From<(&str, u64)> for Cursor {
    fn from((epoch, seq): (&str, u64)) -> Self {
        Self { epoch: Some(epoch.to_owned()), seq }
    }
}

/// Why [`Feed::after`] cannot say what came after a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The log has dropped updates that this cursor has not seen.
    Gone {
        /// The oldest number that the log still holds.
        oldest: u64,
    },
    /// The cursor belongs to another log, or points past the end of this one.
    OtherEpoch {
        /// Where this log stands now.
        now: Cursor,
    },
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { oldest } => {
                write!(f, "the log no longer goes back that far: its oldest update is {oldest}")
            }
            Self::OtherEpoch { now } => write!(
                f,
                "this position is of another log: the log is now {} at {}",
                now.epoch.as_deref().unwrap_or("unnamed"),
                now.seq
            ),
        }
    }
}

impl Error for Missed {}

/// Why [`Feed::publish_within`] has given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    within: Duration,
    why: Option<String>,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the log did not confirm the update within {:?}, so it may or may not be in it",
            self.within
        )?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

impl Error for Unreachable {}

/// A log of updates with one writer's end and any number of readers.
///
/// Cloning a feed gives another handle to the same log.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The log's names; one in memory keeps its first.
    epochs: Epochs,
    /// How many updates the log keeps.
    capacity: usize,
    /// How long reading the log takes: nothing in memory, a round trip in a database.
    read_delay: Duration,
    log: Mutex<Log>,
    closed: watch::Sender<bool>,
    /// Who keeps the log, if `log` is a copy.
    elsewhere: Option<Elsewhere>,
}

#[derive(Debug)]
struct Log {
    kept: VecDeque<Update>,
    head: u64,
    /// Gone once the feed is closed: that is how subscriptions end.
    live: Option<broadcast::Sender<Update>>,
}

impl Log {
    /// Appends an update, and tells whoever listens.
    fn push(&mut self, update: Update, capacity: usize) {
        self.head = update.seq;
        if self.kept.len() == capacity {
            self.kept.pop_front();
        }
        self.kept.push_back(update.clone());
        if let Some(live) = &self.live {
            // An error means that nobody listens just now.
            let _ = live.send(update);
        }
    }
}

impl Feed {
    /// An empty log in memory that keeps the last `capacity` updates (at least one).
    pub fn memory(capacity: usize) -> Self {
        Self::named("1", capacity)
    }

    /// An empty log in memory with a name of its own, its *epoch*.
    pub fn named(epoch: &str, capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self(Arc::new(Shared {
            epochs: Epochs::new(epoch),
            capacity,
            read_delay: Duration::ZERO,
            log: Mutex::new(Log {
                kept: VecDeque::new(),
                head: 0,
                live: Some(broadcast::Sender::new(capacity)),
            }),
            closed: watch::Sender::new(false),
            elsewhere: None,
        }))
    }

    /// An empty log in memory whose epoch is the time, in seconds since 1970: a server that is started again has another log.
    pub fn begun_now(capacity: usize) -> Self {
        Self::named(&seconds_since_1970().to_string(), capacity)
    }

    /// Lets each read of the log take this long, as a log on another machine
    /// does: the answer says what was there half-way.
    ///
    /// # Panics
    /// If the feed has been cloned already.
    pub fn with_read_delay(mut self, delay: Duration) -> Self {
        Arc::get_mut(&mut self.0).expect("the delay is set before the feed is shared").read_delay = delay;
        self
    }

    /// A log whose first update has the number after `head`: those before it are gone.
    ///
    /// # Panics
    /// If the feed has been cloned already.
    #[must_use]
    pub fn starting_after(mut self, head: u64) -> Self {
        let shared = Arc::get_mut(&mut self.0).expect("the first number is set before the feed is shared");
        shared.log.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).head = head;
        self
    }

    /// The log's name. Positions of different epochs cannot be compared.
    pub fn epoch(&self) -> &str {
        self.0.epochs.now()
    }

    /// The number of the newest update; 0 while there is none.
    pub fn head(&self) -> u64 {
        self.log().head
    }

    /// The newest update, while the log holds one.
    pub fn newest(&self) -> Option<Update> {
        self.log().kept.back().cloned()
    }

    /// Begins the log anew, as that of a server which is started again: its epoch is another, its numbers begin at 1,
    /// and subscriptions end. Says whether it was done: a log that is kept elsewhere is others', too.
    pub fn begin_anew(&self) -> bool {
        if self.0.elsewhere.is_some() {
            return false;
        }
        // Of two restarts in one second each has its name.
        let seconds = (seconds_since_1970()..).find(|name| !self.0.epochs.contains(&name.to_string()));
        self.begin(&seconds.unwrap_or_default().to_string());
        true
    }

    /// The log is another one from here on, and still empty. Subscriptions end:
    /// their next update would be of a log that they do not know.
    fn begin(&self, epoch: &str) {
        let mut log = self.log();
        self.0.epochs.push(epoch);
        log.kept.clear();
        log.head = 0;
        self.end_subscriptions(&mut log.live);
    }

    /// Ends every subscription of a feed that stays open.
    fn end_subscriptions(&self, live: &mut Option<broadcast::Sender<Update>>) {
        if live.is_some() {
            *live = Some(broadcast::Sender::new(self.0.capacity));
        }
    }

    /// Appends an update and tells every subscriber.
    ///
    /// Publishing on a closed feed appends to the log and tells nobody. Where
    /// the log is kept elsewhere this takes until it has confirmed the update,
    /// however long it is out of reach; the update is appended once.
    pub async fn publish(&self, data: impl Into<Value>) -> Update {
        let data = data.into();
        let Some(elsewhere) = &self.0.elsewhere else {
            let mut log = self.log();
            let update = Update { seq: log.head + 1, data };
            log.push(update.clone(), self.0.capacity);
            return update;
        };
        let place = elsewhere.keeper.publish(data.clone()).await;
        // Whoever publishes and then reads finds it.
        elsewhere.reach(self, &place).await;
        Update { seq: place.seq, data }
    }

    /// [`Feed::publish`] for whoever will not wait for a log that is out of reach.
    ///
    /// # Errors
    /// [`Unreachable`] if the log has not confirmed the update within that time.
    pub async fn publish_within(
        &self,
        within: Duration,
        data: impl Into<Value>,
    ) -> Result<Update, Unreachable> {
        tokio::time::timeout(within, self.publish(data)).await.map_err(|_| {
            let why = match self.health() {
                Health::Well => None,
                Health::Away { why } => Some(why),
            };
            Unreachable { within, why }
        })
    }

    /// Everything in the log that is newer than `cursor`, oldest first. By the
    /// time the answer is there, the log may have more.
    ///
    /// # Errors
    /// [`Missed::Gone`] when updates after the cursor have been dropped,
    /// [`Missed::OtherEpoch`] when the cursor is not of this log. Where the log
    /// is kept elsewhere it is asked before that is said, and waited for while
    /// it is out of reach.
    pub async fn after(&self, cursor: impl Into<Cursor>) -> Result<Vec<Update>, Missed> {
        let cursor = cursor.into();
        self.travel().await;
        let mut answer = self.read(&cursor);
        if let (Err(Missed::OtherEpoch { .. }), Some(elsewhere)) = (&answer, &self.0.elsewhere) {
            // Perhaps the copy is behind: a client that comes from another process is ahead of it.
            let now = elsewhere.keeper.stands_at().await;
            elsewhere.reach(self, &now).await;
            answer = self.read(&cursor);
        }
        self.travel().await;
        answer
    }

    /// Half of the way to the log and back.
    async fn travel(&self) {
        if !self.0.read_delay.is_zero() {
            tokio::time::sleep(self.0.read_delay / 2).await;
        }
    }

    fn read(&self, cursor: &Cursor) -> Result<Vec<Update>, Missed> {
        let log = self.log();
        let other_log = cursor.epoch.as_ref().is_some_and(|epoch| epoch != self.epoch());
        if other_log || cursor.seq > log.head {
            return Err(Missed::OtherEpoch {
                now: Cursor { epoch: Some(self.epoch().to_owned()), seq: log.head },
            });
        }
        let oldest = log.head + 1 - log.kept.len() as u64;
        if cursor.seq + 1 < oldest {
            return Err(Missed::Gone { oldest });
        }
        Ok(log.kept.iter().filter(|update| update.seq > cursor.seq).cloned().collect())
    }

    /// Hears every update that is published from now on, until the feed is closed.
    pub fn subscribe(&self) -> Subscription {
        let log = self.log();
        let live = match &log.live {
            Some(live) => live.subscribe(),
            // A sender that is dropped at once: the subscription ends at once.
            None => broadcast::Sender::new(1).subscribe(),
        };
        Subscription(BroadcastStream::new(live))
    }

    /// All that the log holds.
    fn kept(&self) -> Vec<Update> {
        self.log().kept.iter().cloned().collect()
    }

    /// Closes the market: subscriptions end once they have delivered what was published.
    /// A log that several processes share goes on for the others.
    pub fn close(&self) {
        self.log().live = None;
        self.0.closed.send_replace(true);
    }

    /// Opens a closed market again. The log goes on where it was.
    pub fn reopen(&self) {
        let mut log = self.log();
        if log.live.is_none() {
            log.live = Some(broadcast::Sender::new(self.0.capacity));
        }
        self.0.closed.send_replace(false);
    }

    /// Whether the market is closed.
    pub fn is_closed(&self) -> bool {
        *self.0.closed.borrow()
    }

    /// Returns once the market is open.
    pub async fn opened(&self) {
        // An error would mean that the feed is gone, of which this is a handle.
        let _ = self.0.closed.subscribe().wait_for(|closed| !closed).await;
    }

    /// How many subscriptions are open.
    pub fn subscribers(&self) -> usize {
        self.log().live.as_ref().map_or(0, broadcast::Sender::receiver_count)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nothing panics while it holds the lock, so the log is whole even if the lock is poisoned.
        self.0.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The updates that are published while it is open, in order.
///
/// A subscriber that falls more than the log's capacity behind has its
/// subscription ended, rather than being handed a stream with a hole in it:
/// it still knows its position and can read the log from there.
#[derive(Debug)]
pub struct Subscription(BroadcastStream<Update>);

impl Stream for Subscription {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        Pin::new(&mut self.0).poll_next(context).map(|item| match item {
            Some(Ok(update)) => Some(update),
            Some(Err(BroadcastStreamRecvError::Lagged(_))) | None => None,
        })
    }
}

impl Subscription {
    /// The next update; nothing once the feed is closed.
    pub async fn recv(&mut self) -> Option<Update> {
        self.next().await
    }
}
