//! A small market whose prices move the same way for everybody.

use std::{future::pending, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{Feed, Update};

const LISTED: [(&str, i64); 4] = [("BBCA", 9_850), ("BMRI", 6_100), ("GOTO", 64), ("TLKM", 2_780)];

/// How a market trades.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trading {
    /// Whether prices move at all.
    pub is_on: bool,
    /// How many times a second one moves.
    pub per_second: f64,
    /// How many bytes each update has beyond what it says.
    pub payload: usize,
}

impl Default for Trading {
    /// Twice a second, and nothing but what is said.
    fn default() -> Self {
        Self { is_on: true, per_second: 2.0, payload: 0 }
    }
}

impl Trading {
    /// From one move to the next; nothing while there are none.
    fn pace(&self) -> Option<Duration> {
        let pace = Duration::try_from_secs_f64(1.0 / self.per_second).ok();
        pace.filter(|pace| self.is_on && !pace.is_zero())
    }

    /// The update with its payload.
    fn weighed(&self, mut data: Value) -> Value {
        if self.payload > 0 {
            data["payload"] = "x".repeat(self.payload).into();
        }
        data
    }
}

/// An endless source of prices: the same seed gives the same prices.
#[derive(Clone, Debug)]
pub struct Market {
    state: u64,
    prices: [(&'static str, i64); LISTED.len()],
}

impl Market {
    /// A market that opens with the same prices for every seed and moves them differently.
    pub fn new(seed: u64) -> Self {
        Self {
            // SplitMix64 takes any state, so any seed will do.
            state: seed,
            prices: LISTED,
        }
    }

    /// The symbols on the market's list.
    pub fn symbols() -> impl Iterator<Item = &'static str> {
        LISTED.iter().map(|(symbol, _)| *symbol)
    }

    /// What the market stands at: a price for each symbol.
    pub fn prices(&self) -> impl Iterator<Item = Value> {
        self.prices.iter().map(|(symbol, price)| json!({ "symbol": symbol, "price": price }))
    }

    /// One price moves by one to five ticks: `{ "symbol": "BMRI", "price": 6125 }`.
    pub fn tick(&mut self) -> Value {
        let which = self.below(self.prices.len() as u64) as usize;
        let up = self.below(2) == 1;
        let ticks = 1 + self.below(5) as i64;
        let (symbol, price) = &mut self.prices[which];
        let step = tick_size(*price) * ticks;
        // A price never falls to zero: it bounces.
        *price = if up || *price <= step { *price + step } else { *price - step };
        json!({ "symbol": symbol, "price": price })
    }

    /// Publishes what the market stands at, and then one move every half
    /// second, for ever. While the market is closed nothing moves.
    ///
    /// Prices that the log has already are gone on from: whoever traded before
    /// has perhaps died in another process.
    pub async fn trade(self, feed: Feed) {
        let (_kept, orders) = watch::channel(Trading::default());
        self.trade_as(feed, orders).await;
    }

    /// [`Market::trade`], as whoever holds the other end of `orders` likes: a
    /// change is obeyed at once. A log that begins anew is told what the market
    /// stands at before anything else.
    pub async fn trade_as(mut self, feed: Feed, mut orders: watch::Receiver<Trading>) {
        let mut told = self.go_on_from(&feed.kept());
        let mut epoch = feed.epoch();
        let mut next = Instant::now();
        let mut is_ordered = true;
        loop {
            let trading = *orders.borrow_and_update();
            let pace = trading.pace();
            let moves = async {
                match pace {
                    Some(pace) => {
                        // A pace that has become quicker counts at once.
                        next = next.min(Instant::now() + pace);
                        sleep_until(next).await;
                        pace
                    }
                    None => pending().await,
                }
            };
            let pace = tokio::select! {
                order = orders.changed(), if is_ordered => {
                    // Whoever could order is gone: it stays as it is.
                    is_ordered = order.is_ok();
                    continue;
                }
                pace = moves => pace,
            };
            if epoch != feed.epoch() {
                epoch = feed.epoch();
                told.clear();
            }
            if !feed.is_closed() {
                let untold: Vec<Value> =
                    self.prices().filter(|price| !told.iter().any(|told| price["symbol"] == *told)).collect();
                for price in untold {
                    feed.publish(trading.weighed(price)).await;
                }
                told = Self::symbols().collect();
                feed.publish(trading.weighed(self.tick())).await;
            }
            // Where the log was out of reach for a while, nothing is made up for.
            let now = Instant::now();
            next = if next + pace > now { next + pace } else { now + pace };
        }
    }

    /// Takes the newest prices out of a log, and moves them otherwise than
    /// those before; gives the symbols that it found.
    fn go_on_from(&mut self, log: &[Update]) -> Vec<&'static str> {
        let mut told = Vec::new();
        for update in log.iter().rev() {
            let Some(price) = update.data["price"].as_i64().filter(|price| *price > 0) else { continue };
            let listed = self.prices.iter_mut().find(|(symbol, _)| update.data["symbol"] == *symbol);
            if let Some((symbol, stands_at)) = listed
                && !told.contains(symbol)
            {
                told.push(*symbol);
                *stands_at = price;
            }
        }
        self.state = self.state.wrapping_add(log.last().map_or(0, |update| update.seq));
        told
    }

    /// A number below `bound`, by SplitMix64. Good enough for prices, and the same everywhere.
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// The smallest step of a price, as exchanges fix it by price band.
fn tick_size(price: i64) -> i64 {
    match price {
        ..200 => 1,
        200..500 => 2,
        500..2_000 => 5,
        2_000..5_000 => 10,
        _ => 25,
    }
}
