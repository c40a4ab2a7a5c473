//! What a technique costs: the same workload through each lab's solution, on the bench.
//!
//! One page watches one price. The price moves so many times, at moments drawn
//! by chance around a given pace. Every byte that passes between page and
//! server is counted, as is how long each price took to be seen.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Failure, Session, Sources,
    wire::{What, tap::Tally},
};
use serde::Serialize;
use serde_json::json;

use crate::rooms::Room;

/// How long a page has to come to rest before the first price moves.
const SETTLING: Duration = Duration::from_secs(1);
/// The first price. Each that follows is one higher, so that a price tells its number.
const FIRST_PRICE: u64 = 5_000;
/// All prices have as many digits as the first one.
const MOST_UPDATES: u32 = 5_000;
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What is published, and how often somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// How often the price moves: from 1 to 5 000 times.
    pub updates: u32,
    /// How much time passes from one move to the next, in the mean. Each move falls anywhere within its own such span.
    pub pace: Duration,
    /// How often the page asks, where the technique is short polling.
    pub poll: Duration,
    /// How long bytes are under way, each way.
    pub latency: Duration,
}

/// What it cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Requests that were made.
    pub requests: u64,
    /// Bytes in the head of the first request: a browser's own head is longer, see `tests/costs.rs`.
    pub first_head: u64,
    /// Bytes from the page, in heads of requests.
    pub heads_up: u64,
    /// Bytes from the page, in bodies and frames.
    pub bodies_up: u64,
    /// Bytes to the page, in heads of answers.
    pub heads_down: u64,
    /// Bytes to the page, in bodies, with their framing, and in frames.
    pub bodies_down: u64,
    /// Of these bytes, the updates themselves as JSON, each counted once.
    pub payload: u64,
    /// How many of the prices the page showed.
    pub shown: u32,
    /// How old a price was, in milliseconds, when the page showed it or a newer one: in the mean.
    pub mean_delay: f64,
    /// The same at worst.
    pub worst_delay: u64,
}

impl Cost {
    /// All bytes, both ways.
    pub fn bytes(&self) -> u64 {
        self.heads_up + self.bodies_up + self.heads_down + self.bodies_down
    }
}

/// Plays the workload through a lab's solution. Natively and in the page, the answer is the same.
///
/// # Errors
/// A sentence, where there is no such lab, where the workload is out of its bounds, or where the solution fails.
pub fn cost(lab: &str, workload: &Workload) -> Result<Cost, String> {
    let room = Room::named(lab)?;
    let Workload { updates, pace, poll, latency } = *workload;
    if !(1..=MOST_UPDATES).contains(&updates) {
        return Err(format!("A workload has from 1 to {MOST_UPDATES} updates, not {updates}."));
    }
    if pace.is_zero()
        || poll.is_zero()
        || pace.saturating_mul(updates) > LONGEST
        || latency > poll.max(pace) * 100
    {
        return Err("The times of this workload are out of bounds: it takes a day at most.".to_owned());
    }
    let client = Sources::new([("client.js".to_owned(), room.client.to_owned())]);
    let mut session = Session::open(client, 1);
    let played = session.with(async |bench| play(&bench, room, workload).await);
    match session.failure().map_or(played, Err) {
        Ok(cost) => Ok(cost),
        Err(failure) => Err(format!("The solution of {lab} failed while it was measured: {failure:?}.")),
    }
}

async fn play(bench: &Bench, room: &Room, workload: &Workload) -> Result<Cost, Failure> {
    let feed = Feed::memory(workload.updates as usize);
    bench.set_latency(workload.latency);
    bench.serve((room.app)(feed.clone()));
    let page = bench.page(room.exports)?;
    page.eval(&room.measured.replace("POLL", &workload.poll.as_millis().to_string()))?;
    bench.wait(SETTLING).await;
    let (mut published, mut payload) = (Vec::new(), 0);
    for price in (FIRST_PRICE..).take(workload.updates as usize) {
        let span = u64::try_from(workload.pace.as_micros()).unwrap_or(u64::MAX);
        let early = Duration::from_micros(bench.draw(span));
        bench.wait(early).await;
        let data = json!({ "symbol": "BMRI", "price": price });
        payload += data.to_string().len() as u64;
        published.push(bench.now());
        feed.publish(data).await;
        bench.wait(workload.pace - early).await;
    }
    let traffic = bench.traffic();
    // What was published last may still be under way, or wait to be asked for.
    bench.wait(workload.poll + workload.latency * 4 + SETTLING).await;
    let shown: Vec<_> = bench
        .moments()
        .into_iter()
        .filter_map(|moment| match &moment.what {
            What::Said(label, data) if label == "show" => {
                Some((bench.clock(&moment), prices(&data.to_string())))
            }
            _ => None,
        })
        .collect();
    let (mut seen, mut delays) = (0, Vec::new());
    for (price, published) in (FIRST_PRICE..).zip(published) {
        seen += u32::from(shown.iter().any(|(_, prices)| prices.contains(&price)));
        let known =
            shown.iter().find(|(at, prices)| *at >= published && prices.iter().any(|seen| *seen >= price));
        let Some((at, _)) = known else {
            return Err(Failure::broken(format!(
                "price {price} was published, and neither it nor a newer one was shown"
            )));
        };
        delays.push(at.since(published));
    }
    let sum = |part: fn(&Tally) -> u64| traffic.iter().map(part).sum();
    Ok(Cost {
        requests: sum(|tally| tally.requests),
        first_head: traffic.first().map_or(0, |first| first.to_server.heads),
        heads_up: sum(|tally| tally.to_server.heads),
        bodies_up: sum(|tally| tally.to_server.bodies),
        heads_down: sum(|tally| tally.to_client.heads),
        bodies_down: sum(|tally| tally.to_client.bodies),
        payload,
        shown: seen,
        mean_delay: delays.iter().sum::<u64>() as f64 / delays.len() as f64,
        worst_delay: delays.iter().copied().max().unwrap_or(0),
    })
}

/// The prices that a text of JSON speaks of, however deep.
fn prices(text: &str) -> Vec<u64> {
    let after = text.split("\"price\":").skip(1);
    after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_found_in_whatever_a_lab_shows() {
        assert_eq!(prices(r#"{"price":5001,"symbol":"BMRI"}"#), [5001]);
        assert_eq!(prices(r#"[{"data":{"price":5001}},{"data":{"price":64,"symbol":"GOTO"}}]"#), [5001, 64]);
        assert!(prices("no price").is_empty());
    }

    #[test]
    fn a_workload_out_of_bounds_is_told_in_a_sentence() {
        let good = Workload {
            updates: 3,
            pace: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            latency: Duration::from_millis(5),
        };
        assert!(cost("lab3", &good).is_ok());
        assert!(cost("lab3", &Workload { updates: 0, ..good }).unwrap_err().contains("from 1 to 5000"));
        assert!(
            cost("lab3", &Workload { pace: Duration::ZERO, ..good }).unwrap_err().contains("out of bounds")
        );
        assert!(cost("lab3", &Workload { pace: LONGEST, ..good }).unwrap_err().contains("out of bounds"));
    }
}
