//! The trading desk: what is ordered of the market that moves the stage's feed, and where it stands.

use std::{fmt, sync::Arc};

use feed::{Feed, Health, Trading, Update};
use tokio::sync::watch;

/// How many times a second a price may move: slow enough to watch each one, and quick enough to be a blur.
const PACE: (f64, f64) = (0.1, 50.0);
/// How many bytes an update may have beyond what it says.
const PAYLOAD: usize = 8_000;

/// The desk of one stage's market. Clones are handles to the same one.
///
/// What the console orders comes by way of the class: stages that share one tell each other, and whichever trades obeys.
#[derive(Clone, Debug)]
pub struct Desk {
    feed: Feed,
    orders: Arc<watch::Sender<Trading>>,
}

/// Why an order is not obeyed, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchTrading(String);

impl fmt::Display for NoSuchTrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSuchTrading {}

impl Desk {
    /// The desk of a market that trades, or will trade, on `feed`.
    pub fn new(feed: &Feed) -> Self {
        Self { feed: feed.clone(), orders: Arc::new(watch::Sender::new(Trading::default())) }
    }

    /// What the market is to do; whoever trades listens here.
    pub fn orders(&self) -> watch::Receiver<Trading> {
        self.orders.subscribe()
    }

    /// How the market trades.
    pub fn trading(&self) -> Trading {
        *self.orders.borrow()
    }

    /// Starts the market, or pauses it.
    pub(crate) fn trade(&self, is_on: bool) {
        self.orders.send_modify(|trading| trading.is_on = is_on);
        tracing::info!(is_on, "the market was told");
    }

    /// Sets how often a price moves, in times a second, and how many bytes more than it says an update has.
    pub(crate) fn set(&self, per_second: f64, payload: usize) {
        self.orders.send_modify(|trading| (trading.per_second, trading.payload) = (per_second, payload));
        tracing::info!(per_second, payload, "the market was told");
    }

    /// Lets the market trade like this, as it does on other stages already.
    pub(crate) fn trade_like(&self, trading: Trading) {
        self.orders.send_replace(trading);
    }

    /// What a form says to [`Desk::set`].
    ///
    /// # Errors
    /// A sentence with the bounds.
    pub(crate) fn read(per_second: &str, payload: &str) -> Result<(f64, usize), NoSuchTrading> {
        let shown = |given: &str| given.chars().take(40).collect::<String>();
        let (slowest, quickest) = PACE;
        let pace = per_second.trim().parse().ok().filter(|pace| (slowest..=quickest).contains(pace));
        let Some(per_second) = pace else {
            return Err(NoSuchTrading(format!(
                "A price moves {slowest} to {quickest} times a second, not “{}”.",
                shown(per_second)
            )));
        };
        let bytes = match payload.trim() {
            "" => Some(0),
            given => given.parse().ok().filter(|bytes| *bytes <= PAYLOAD),
        };
        let Some(payload) = bytes else {
            return Err(NoSuchTrading(format!(
                "An update has 0 to {PAYLOAD} bytes more than it says, not “{}”.",
                shown(payload)
            )));
        };
        Ok((per_second, payload))
    }

    /// Begins the log anew, as a server does that is started again.
    ///
    /// # Errors
    /// A sentence where the log is others', too.
    pub fn begin_anew(&self) -> Result<(), NoSuchTrading> {
        if self.feed.begin_anew() {
            tracing::info!(epoch = self.feed.epoch(), "the log begins anew");
            return Ok(());
        }
        Err(NoSuchTrading(
            "This log is kept in a Redis that other stages may share: no console throws it away. A stage whose feed is in its own memory can do this."
                .to_owned(),
        ))
    }

    /// The log's name, and its newest update.
    pub(crate) fn stands_at(&self) -> (&str, u64, Option<Update>) {
        (self.feed.epoch(), self.feed.head(), self.feed.newest())
    }

    /// Why nothing is heard of the log, where nothing is.
    pub(crate) fn is_away(&self) -> Option<String> {
        match self.feed.health() {
            Health::Well => None,
            Health::Away { why } => Some(why),
        }
    }

    /// The bounds, for a form.
    pub(crate) fn bounds() -> ((f64, f64), usize) {
        (PACE, PAYLOAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_traded_is_refused_with_its_bounds() {
        for per_second in ["", "0", "0.05", "51", "-1", "NaN", "inf", "often"] {
            let said = Desk::read(per_second, "0").unwrap_err().to_string();
            assert!(said.starts_with("A price moves 0.1 to 50 times a second"), "{said}");
        }
        for payload in ["-1", "8001", "1e3", "much", "99999999999999999999"] {
            let said = Desk::read("2", payload).unwrap_err().to_string();
            assert!(said.contains("0 to 8000 bytes") && said.contains(payload), "{said}");
        }
        assert_eq!(Desk::read(" 0.5 ", ""), Ok((0.5, 0)));
        assert_eq!(Desk::read("50", "8000"), Ok((50.0, 8_000)));
    }

    #[test]
    fn each_order_changes_what_it_is_about() {
        let desk = Desk::new(&Feed::memory(1));
        desk.set(0.5, 0);
        desk.trade(false);
        assert_eq!(desk.trading(), Trading { is_on: false, per_second: 0.5, payload: 0 });
    }
}
