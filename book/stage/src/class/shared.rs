//! A class that several stages hold together.
//!
//! What is ordered on any of them goes into one log that all of them read (a [`Feed`], on Redis), and each does it to
//! its own room when it reads it. So all rooms are the same, one after the other; a vote on two stages is one vote,
//! and a link works once. Whoever ordered it hears what has become of it from the stage where they did.
//!
//! | entry | what |
//! |---|---|
//! | `{"by":…,"what":{"order":…}}` | an [`Order`], and whose |
//! | `{"by":…,"what":{"room":…}}` | the whole class as it was after entry `at` |
//!
//! The log is bounded, so the whole class is put into it again and again: whoever comes late, or was away for long,
//! begins with that. A log begins with it, too: the first one there is what all begin with, a further one counts if it
//! knows of more orders. That is how the class outlives a Redis that has lost its data: the stages tell it to the new log.
//!
//! While Redis is away the class can be looked at and nothing can be ordered: whoever tries is told so at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use feed::{Cursor, Feed, Health, Missed, Update};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    Class, Everything,
    key::random,
    order::{Done, Order},
    room::{Result, Trouble},
};

/// How many entries the log keeps.
pub(crate) const KEPT: usize = 1_000;
/// After so many entries the whole class is put into it.
const WHOLE: u64 = 250;
/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What everyone is told while the log is out of reach.
pub(crate) const AWAY: &str = "The stage has lost its store; what you see may be behind.";
const NOT_DONE: Trouble = Trouble::Away(
    "The stage has lost its store: that was not done. Try again when the note about it has gone.",
);
const PERHAPS: Trouble = Trouble::Away(
    "The stage has lost its store: that may not have been done. Look again, and repeat it if need be, when the note about it has gone.",
);

/// An entry of the log.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// Which stage's, and which of its.
    by: String,
    what: What,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Order(Order),
    Room(Box<Whole>),
}

/// The whole class.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Whole {
    /// The number of the entry after which it was so.
    at: u64,
    /// How many orders have made it what it is.
    orders: u64,
    class: Everything,
}

/// Where a stage stands in the log.
#[derive(Clone, Default)]
struct Stand {
    place: Option<Cursor>,
    /// The log has told what the class was at first.
    is_open: bool,
}

/// A stage's part in it.
pub(crate) struct Sharing {
    feed: Feed,
    name: String,
    ordered: AtomicU64,
    /// Who waits for what becomes of their order.
    waiting: Mutex<HashMap<String, oneshot::Sender<Result<Done>>>>,
    stand: watch::Sender<Stand>,
    /// Ends with this.
    tasks: Mutex<JoinSet<()>>,
}

impl Sharing {
    /// Lets `class` be the one that stands in this log.
    pub(super) fn begin(class: &Arc<Class>, feed: Feed) -> Arc<Self> {
        let sharing = Arc::new(Self {
            feed,
            name: random().unwrap_or_default(),
            ordered: AtomicU64::new(0),
            waiting: Mutex::default(),
            stand: watch::Sender::default(),
            tasks: Mutex::default(),
        });
        let mut tasks = sharing.tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tasks.spawn(follow(Arc::downgrade(class), Arc::downgrade(&sharing), sharing.feed.clone()));
        tasks.spawn(tell_health(Arc::downgrade(class), sharing.feed.clone()));
        drop(tasks);
        sharing
    }

    /// How the log is.
    pub(super) fn health(&self) -> Health {
        self.feed.health()
    }

    fn is_away(&self) -> bool {
        self.health() != Health::Well
    }

    /// Has something done on every stage; gives what has become of it on this one.
    pub(super) async fn order(&self, order: Order) -> Result<Done> {
        let mut stand = self.stand.subscribe();
        let is_open = timeout(PATIENCE, stand.wait_for(|stand| stand.is_open));
        if self.is_away() || is_open.await.is_err() {
            return Err(NOT_DONE);
        }
        let (answer, done) = oneshot::channel();
        let ticket = Ticket { sharing: self, by: self.next() };
        self.waiting().insert(ticket.by.clone(), answer);
        self.publish(&Entry { by: ticket.by.clone(), what: What::Order(order) }, PATIENCE).await?;
        timeout(PATIENCE, done).await.ok().and_then(std::result::Result::ok).unwrap_or(Err(PERHAPS))
    }

    async fn publish(&self, entry: &Entry, within: Duration) -> Result<()> {
        let entry = serde_json::to_value(entry).map_err(|error| Trouble::Bad(error.to_string()))?;
        self.feed.publish_within(within, entry).await.map(drop).map_err(|_| PERHAPS)
    }

    /// Returns once this stage has done everything that was in the log when it was asked; not much later in any case.
    pub(super) async fn catch_up(&self) {
        let caught_up = async {
            // No log has come so far, so Redis is asked how far it has, and the copy waits until it has that.
            let epoch = self.feed.epoch().to_owned();
            let asked = self.feed.after(Cursor { epoch: Some(epoch), seq: u64::MAX }).await;
            let Err(Missed::OtherEpoch { now }) = asked else { return };
            let has = |stand: &Stand| {
                stand.place.as_ref().is_some_and(|place| place.epoch == now.epoch && place.seq >= now.seq)
            };
            let _ = self.stand.subscribe().wait_for(has).await;
        };
        if !self.is_away() {
            let _ = timeout(PATIENCE, caught_up).await;
        }
    }

    fn next(&self) -> String {
        format!("{}-{}", self.name, self.ordered.fetch_add(1, Ordering::Relaxed))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Result<Done>>>> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// An order whose end somebody waits for, or waits no longer.
struct Ticket<'a> {
    sharing: &'a Sharing,
    by: String,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.sharing.waiting().remove(&self.by);
    }
}

/// Tells everyone when the log goes and when it comes back.
async fn tell_health(class: Weak<Class>, feed: Feed) {
    loop {
        let known = feed.health();
        feed.is_otherwise(&known).await;
        let Some(class) = class.upgrade() else { return };
        class.tell(super::order::Reach::Everyone);
    }
}

/// Reads the log and does what stands there, for as long as there is a class.
async fn follow(class: Weak<Class>, sharing: Weak<Sharing>, feed: Feed) {
    let mut follower = Follower {
        class,
        sharing,
        place: Cursor { epoch: Some(feed.epoch().to_owned()), seq: 0 },
        feed,
        orders: 0,
        is_open: false,
        whole: 0,
        mine: None,
        is_new: true,
    };
    while follower.read().await.is_some() {}
}

struct Follower {
    class: Weak<Class>,
    sharing: Weak<Sharing>,
    feed: Feed,
    /// What was done last.
    place: Cursor,
    orders: u64,
    is_open: bool,
    /// Where the whole class was put into the log last.
    whole: u64,
    /// The class as it was in the log before this one.
    mine: Option<Whole>,
    /// What is read was there before this stage was.
    is_new: bool,
}

impl Follower {
    /// Reads what there is and then what comes, until the log is another one or has gone on without this stage;
    /// gives nothing once the class is gone.
    async fn read(&mut self) -> Option<()> {
        let mut live = self.feed.subscribe();
        match self.feed.after(self.place.clone()).await {
            Ok(updates) => {
                for update in updates {
                    self.take(&update)?;
                }
            }
            Err(Missed::Gone { oldest }) => {
                let kept = Cursor { seq: oldest - 1, ..self.place.clone() };
                // Cut again meanwhile, or another log: once more from the beginning.
                let Ok(updates) = self.feed.after(kept).await else { return Some(()) };
                self.leap(&updates)?;
            }
            Err(Missed::OtherEpoch { now }) => {
                self.mine = Some(self.whole()?);
                self.place = Cursor { seq: 0, ..now };
                (self.is_open, self.whole) = (false, 0);
                self.stands();
                return Some(());
            }
        }
        self.open_log()?;
        self.is_new = false;
        self.stands();
        while let Some(update) = live.recv().await {
            if update.seq > self.place.seq + 1 {
                break;
            }
            if update.seq > self.place.seq {
                self.take(&update)?;
                self.stands();
            }
        }
        Some(())
    }

    /// Tells a log that has nothing yet, or has less, what the class is.
    fn open_log(&mut self) -> Option<()> {
        let mine = match self.mine.take() {
            Some(mine) => mine,
            None => self.whole()?,
        };
        if !self.is_open || mine.orders > self.orders {
            self.publish(mine)?;
        }
        Some(())
    }

    /// Puts a whole class into the log as soon as that can be done.
    fn publish(&mut self, whole: Whole) -> Option<()> {
        let sharing = self.sharing.upgrade()?;
        self.whole = self.place.seq;
        tokio::spawn(async move {
            let entry = Entry { by: sharing.next(), what: What::Room(Box::new(whole)) };
            while sharing.publish(&entry, PATIENCE).await.is_err() {}
        });
        Some(())
    }

    fn whole(&self) -> Option<Whole> {
        Some(Whole { at: self.place.seq, orders: self.orders, class: self.class.upgrade()?.whole() })
    }

    fn stands(&self) {
        if let Some(sharing) = self.sharing.upgrade() {
            sharing.stand.send_replace(Stand { place: Some(self.place.clone()), is_open: self.is_open });
        }
    }

    /// Begins with the newest class that the log has whole, and does what came after it.
    fn leap(&mut self, updates: &[Update]) -> Option<()> {
        let oldest = updates.first().map_or(0, |update| update.seq);
        let newest = updates.iter().rev().find_map(|update| match read(update) {
            // One that was long on its way may be older than what is left of the log.
            Some(Entry { what: What::Room(whole), .. }) if whole.at + 1 >= oldest => Some(whole),
            _ => None,
        });
        if let Some(whole) = newest {
            (self.place.seq, self.orders) = (whole.at, whole.orders);
            self.become_like(*whole)?;
        } else {
            tracing::warn!(
                "the class's log has lost what this stage has not seen: names or votes may be missing here"
            );
        }
        for update in updates.iter().filter(|update| update.seq > self.place.seq).collect::<Vec<_>>() {
            self.take(update)?;
        }
        Some(())
    }

    fn become_like(&mut self, whole: Whole) -> Option<()> {
        self.is_open = true;
        self.class.upgrade()?.become_like(whole.class);
        Some(())
    }

    /// Does what an entry says.
    fn take(&mut self, update: &Update) -> Option<()> {
        self.place.seq = update.seq;
        let Some(Entry { by, what }) = read(update) else { return Some(()) };
        let (class, sharing) = (self.class.upgrade()?, self.sharing.upgrade()?);
        match what {
            What::Room(whole) => {
                self.whole = update.seq;
                if !self.is_open || whole.orders > self.orders {
                    self.orders = whole.orders;
                    self.become_like(*whole)?;
                }
            }
            What::Order(order) => {
                let done = match self.is_open {
                    true => {
                        self.orders += 1;
                        class.carry_out(order, !self.is_new)
                    }
                    false => Err(NOT_DONE),
                };
                let own = sharing.waiting().remove(&by);
                if let Some(own) = own {
                    let _ = own.send(done);
                    // One stage's task, and that of the next whose order comes if this one dies.
                    if update.seq - self.whole >= WHOLE {
                        let whole = self.whole()?;
                        self.publish(whole)?;
                    }
                }
            }
        }
        Some(())
    }
}

/// What an update says; nothing, and a line in the log, if it is of another release. (Why stays untold: that would
/// quote what it says.)
fn read(update: &Update) -> Option<Entry> {
    let entry = Entry::deserialize(&update.data).ok();
    if entry.is_none() {
        tracing::warn!(
            seq = update.seq,
            "an entry of the class's log is not understood and left out: is another release of the stage running?"
        );
    }
    entry
}
