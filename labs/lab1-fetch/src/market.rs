//! What the server knows: the newest price of each symbol, and the orders that
//! were executed. Given: there is nothing to do in this file.

#![allow(dead_code, reason = "what the TODOs may call for")]

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use feed::{Cursor, Feed, Missed, Update};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio::sync::OnceCell;

use crate::Refusal;

/// How many orders are kept, with the keys under which they were placed. A server that forgets nothing ends in time.
const KEPT: usize = 1_000;

/// What somebody wants: `{ "symbol": "BMRI", "side": "buy", "quantity": 100 }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What is traded: a symbol that has a price.
    pub(crate) symbol: String,
    /// Which way.
    pub(crate) side: Side,
    /// How many of it; at least one.
    pub(crate) quantity: NonZeroU32,
}

/// Whether an order buys or sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// It buys.
    Buy,
    /// It sells.
    Sell,
}

/// An order that was executed:
/// `{ "id": 1, "symbol": "BMRI", "side": "buy", "quantity": 100, "price": 6125 }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Executed {
    /// Its number: the first is 1.
    pub(crate) id: u64,
    /// What was ordered.
    #[serde(flatten)]
    pub(crate) order: Order,
    /// The price when it was executed.
    pub(crate) price: Number,
}

/// What an idempotency key stands for.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The order that came with it first.
    pub(crate) order: Order,
    /// What became of that order; empty while it is being executed, or if that failed.
    pub(crate) executed: OnceCell<Executed>,
}

/// The market of one feed.
#[derive(Debug)]
pub(crate) struct Market {
    feed: Feed,
    prices: Mutex<Prices>,
    orders: Mutex<Orders>,
    /// What each `Idempotency-Key` stands for.
    pub(crate) keys: Mutex<HashMap<String, Arc<Attempt>>>,
}

/// The newest update of each symbol, as far as this log has been read.
#[derive(Debug, Default)]
struct Prices {
    epoch: String,
    read_to: u64,
    newest: BTreeMap<String, Update>,
}

#[derive(Debug, Default)]
struct Orders {
    count: u64,
    kept: VecDeque<Executed>,
}

impl Market {
    /// A market with the prices of this feed, and no orders yet.
    pub(crate) fn new(feed: Feed) -> Self {
        Self { feed, prices: Mutex::default(), orders: Mutex::default(), keys: Mutex::default() }
    }

    /// The name of the log that the prices come from. Another log counts from 1 again.
    pub(crate) fn epoch(&self) -> &str {
        self.feed.epoch()
    }

    /// The newest price of each symbol, in the order of symbols. Reading the log takes time.
    pub(crate) async fn prices(&self) -> BTreeMap<String, Update> {
        let mut place = lock(&self.prices).place_in(self.feed.epoch());
        let news = loop {
            match self.feed.after(place.clone()).await {
                Ok(news) => break news,
                // What was dropped is lost; what each symbol stands at is most likely in the rest.
                Err(Missed::Gone { oldest }) => place.seq = oldest.saturating_sub(1),
                // The log has begun anew just now. From 0 one may always begin.
                Err(Missed::OtherEpoch { now }) => place = Cursor { seq: 0, ..now },
            }
        };
        let mut prices = lock(&self.prices);
        // Whoever has read a log that is over has read too late.
        if place.epoch.as_deref() == Some(self.feed.epoch()) {
            prices.turn_to(self.feed.epoch());
            for update in news {
                prices.take(update);
            }
        }
        prices.newest.clone()
    }

    /// Executes an order at the newest price. That takes time: it reads the log.
    ///
    /// # Errors
    /// [`Refusal::Impossible`] where the symbol has no price.
    pub(crate) async fn execute(&self, order: &Order) -> Result<Executed, Refusal> {
        let price = self.price_of(&order.symbol).await?;
        let mut orders = lock(&self.orders);
        orders.count += 1;
        let executed = Executed { id: orders.count, order: order.clone(), price };
        orders.kept.push_back(executed.clone());
        if orders.kept.len() > KEPT {
            let oldest = orders.kept.pop_front().map_or(0, |order| order.id);
            // Whoever is still at work on an attempt has a handle to it.
            lock(&self.keys).retain(|_, attempt| {
                let is_kept = attempt.executed.get().is_some_and(|executed| executed.id > oldest);
                is_kept || Arc::strong_count(attempt) > 1
            });
        }
        Ok(executed)
    }

    /// Whether an order can be executed at all.
    ///
    /// # Errors
    /// [`Refusal::Impossible`] where its symbol has no price.
    pub(crate) async fn examine(&self, order: &Order) -> Result<(), Refusal> {
        self.price_of(&order.symbol).await.map(drop)
    }

    /// The orders that are kept, oldest first.
    pub(crate) fn orders(&self) -> Vec<Executed> {
        lock(&self.orders).kept.iter().cloned().collect()
    }

    /// One of them.
    pub(crate) fn order(&self, id: u64) -> Option<Executed> {
        lock(&self.orders).kept.iter().find(|order| order.id == id).cloned()
    }

    async fn price_of(&self, symbol: &str) -> Result<Number, Refusal> {
        let price = self.prices().await.remove(symbol).and_then(|update| match &update.data["price"] {
            serde_json::Value::Number(price) => Some(price.clone()),
            _ => None,
        });
        price.ok_or_else(|| Refusal::Impossible(format!("`{symbol}` is not traded here.")))
    }
}

impl Prices {
    /// How far this log has been read.
    fn place_in(&self, epoch: &str) -> Cursor {
        let seq = if self.epoch == epoch { self.read_to } else { 0 };
        Cursor::from((epoch, seq))
    }

    /// What another log told is over: its numbers are.
    fn turn_to(&mut self, epoch: &str) {
        if self.epoch != epoch {
            *self = Self { epoch: epoch.to_owned(), ..Self::default() };
        }
    }

    /// Several may read the log at once; what is newer stays.
    fn take(&mut self, update: Update) {
        self.read_to = self.read_to.max(update.seq);
        // A log may tell other things than prices.
        let Some(symbol) = update.data["symbol"].as_str().filter(|_| update.data["price"].is_number()) else {
            return;
        };
        let newest = self.newest.entry(symbol.to_owned()).or_insert_with(|| update.clone());
        if newest.seq < update.seq {
            *newest = update;
        }
    }
}

/// Locks what no panic leaves half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
