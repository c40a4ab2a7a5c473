//! Whose turn it is: what only one of the nodes may do.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use redis::RedisResult;
use tokio::time::sleep;

use crate::Shared;

const TAKE: &str = include_str!("turn.lua");

/// How long a turn lasts that is not asked for again.
const TURN_LASTS: Duration = Duration::from_secs(3);

/// How often it is asked for.
const BEAT: Duration = Duration::from_secs(1);

impl Shared {
    /// Does `work` while it is this node's turn, and begins it anew each time
    /// it gets the turn; never ends. The others wait until the turn's holder
    /// has not been heard of for three seconds.
    ///
    /// A holder that was stopped for that long and goes on may work a moment
    /// longer than its turn: for what must never be done twice this is not enough.
    pub async fn in_turn<W: Future<Output = ()>>(&self, work: impl Fn() -> W) {
        loop {
            let asked = Instant::now();
            if matches!(self.take_turn().await, Ok(true)) {
                tracing::info!("it is this stage's turn to trade");
                let mut work = pin!(work());
                let mut turn = pin!(self.keep_turn(asked));
                tokio::select! {
                    () = &mut turn => {}
                    // Whoever is done keeps the turn, or the next would do it again.
                    () = &mut work => turn.await,
                }
                tracing::info!("it is no longer this stage's turn to trade");
            }
            sleep(BEAT).await;
        }
    }

    /// Returns once the turn is lost, which was asked for at `asked`.
    async fn keep_turn(&self, asked: Instant) {
        let mut ends = asked + TURN_LASTS;
        loop {
            sleep(BEAT).await;
            let asked = Instant::now();
            let left = ends.saturating_duration_since(asked);
            match tokio::time::timeout(left, self.take_turn()).await {
                Ok(Ok(true)) => ends = asked + TURN_LASTS,
                // Out of reach: the turn lasts until it could be another's.
                Ok(Err(error)) if !left.is_zero() => tracing::debug!(%error, "the turn is not confirmed"),
                _ => return,
            }
        }
    }

    async fn take_turn(&self) -> RedisResult<bool> {
        let mut command = redis::cmd("EVAL");
        command.arg(TAKE).arg(1).arg(self.node.turn()).arg(&self.node.id).arg(TURN_LASTS.as_millis() as u64);
        self.node.ask(&command).await
    }
}
