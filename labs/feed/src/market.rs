//! A small market whose prices move the same way for everybody.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::{Feed, Update};

/// How often a price moves.
const PACE: Duration = Duration::from_millis(500);

const LISTED: [(&str, i64); 4] = [("BBCA", 9_850), ("BMRI", 6_100), ("GOTO", 64), ("TLKM", 2_780)];

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
    pub async fn trade(mut self, feed: Feed) {
        let told = self.go_on_from(&feed.kept());
        let untold: Vec<Value> =
            self.prices().filter(|price| !told.iter().any(|told| price["symbol"] == *told)).collect();
        for price in untold {
            feed.publish(price).await;
        }
        let mut bell = tokio::time::interval(PACE);
        // Where the log was out of reach for a while, nothing is made up for.
        bell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            bell.tick().await;
            if !feed.is_closed() {
                feed.publish(self.tick()).await;
            }
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
