//! What a technique costs: the same workload through each lab's solution, on the bench.
//!
//! One page watches one price. The price moves so many times, at moments drawn
//! by chance around a given pace. Every byte that passes between page and
//! server is counted, as is how long each price took to be seen, and for how
//! long the page showed an old one. Connections may be cut meanwhile.
//!
//! One page is enough. None of these servers does anything for one client that
//! it has done for another, but for reading the feed: what a thousand clients
//! cost is a thousand times this.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Failure, Mark, Session, Sources,
    wire::{
        Moment, What,
        tap::{Bytes, Tally},
    },
};
use serde::Serialize;
use serde_json::json;

use crate::rooms::Room;

mod moments;

use moments::{Behind, held, server_writes};

/// How long a page has to come to rest before the first price moves.
const SETTLING: Duration = Duration::from_secs(1);
/// How long a page has to come back after the last cut, before the price moves once more.
const RETURN: Duration = Duration::from_secs(10);
/// The first price. Each that follows is one higher, so that a price tells its number.
const FIRST_PRICE: u64 = 5_000;
/// All prices have as many digits as the first one.
const MOST_UPDATES: u32 = 4_999;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a long poll is held (`labs/lab2-long-polling/README.md`).
const HOLD: Duration = Duration::from_secs(30);
/// What a reader may be asked to wait for, in exchanges: some 100 ms.
const FITTING: f64 = 110.0;
/// `{"price":5000,"symbol":"BMRI"}`
const SMALLEST_PAYLOAD: u32 = 30;
/// `,"note":""`
const NOTE: u32 = 10;
const LARGEST_PAYLOAD: u32 = 16 * 1024;

/// What is published, and how often somebody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// How often the price moves: from 1 to 4 999 times; 0 for as often as fits into a fifth of a second of waiting.
    pub updates: u32,
    /// How much time passes from one move to the next, in the mean. Each move falls anywhere within its own such span.
    pub pace: Duration,
    /// How often the page asks, where the technique is short polling.
    pub poll: Duration,
    /// How long bytes are under way, each way.
    pub latency: Duration,
    /// How large an update is, as JSON: 30 bytes, or from 40 to 16 384.
    pub payload: u32,
    /// After how much time the connection is cut, in the mean, each time anywhere within its own such span; 0 for never.
    pub drops: Duration,
}

impl Default for Workload {
    /// A price a second, of 30 bytes, over a good line that holds.
    fn default() -> Self {
        Self {
            updates: 0,
            pace: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            latency: Duration::from_millis(20),
            payload: SMALLEST_PAYLOAD,
            drops: Duration::ZERO,
        }
    }
}

impl Workload {
    /// The same with as many updates as are played; an error says what is out of its bounds.
    fn checked(mut self) -> Result<Self, String> {
        let Self { pace, poll, latency, payload, drops, .. } = self;
        if self.updates > MOST_UPDATES {
            return Err(format!("A workload has from 1 to {MOST_UPDATES} updates, not {}.", self.updates));
        }
        if pace.is_zero() || poll.is_zero() {
            return Err("The times of this workload are out of bounds: none may be 0.".to_owned());
        }
        if self.updates == 0 {
            // What lasts is an exchange: short polls, long polls, and three listeners whose event is a fifth of one.
            let exchanges = |every: Duration| pace.as_secs_f64() / every.as_secs_f64();
            // A large update takes longer than the exchange around it.
            let each = exchanges(poll) + 1.6 + exchanges(HOLD) + f64::from(payload) / 4_000.0;
            self.updates = (FITTING / each).clamp(3.0, 60.0) as u32;
        }
        let lasts = pace.saturating_mul(self.updates);
        let is_dense = |every: Duration| lasts.as_secs_f64() / every.as_secs_f64() > f64::from(MOST_UPDATES);
        if lasts > LONGEST || latency > poll.max(pace) * 100 || is_dense(poll) {
            return Err("The times of this workload are out of bounds: it takes a week at most, and some thousands of polls.".to_owned());
        }
        if !drops.is_zero() && (is_dense(drops) || drops < Duration::from_millis(100)) {
            return Err(
                "Connections are cut ten times a second at most, and some thousands of times.".to_owned()
            );
        }
        if payload != SMALLEST_PAYLOAD && !(SMALLEST_PAYLOAD + NOTE..=LARGEST_PAYLOAD).contains(&payload) {
            return Err(format!(
                "An update has {SMALLEST_PAYLOAD} bytes, or from {} to {LARGEST_PAYLOAD}, not {payload}.",
                SMALLEST_PAYLOAD + NOTE
            ));
        }
        Ok(self)
    }

    /// The update with this price.
    fn update(&self, price: u64) -> serde_json::Value {
        let mut update = json!({ "symbol": "BMRI", "price": price });
        if self.payload > SMALLEST_PAYLOAD {
            update["note"] = "x".repeat((self.payload - SMALLEST_PAYLOAD - NOTE) as usize).into();
        }
        update
    }
}

/// What it cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// How often the price moved.
    pub updates: u32,
    /// How long that took, in milliseconds.
    pub lasted: u64,
    /// How often the connection was cut.
    pub cuts: u32,
    /// Requests that were made, those before the first move among them.
    pub requests: u64,
    /// Requests that were made before the first move.
    pub first_requests: u64,
    /// Bytes in the head of the first request.
    pub first_head: u64,
    /// The same as Chromium sends it, which is longer.
    pub chromium_head: u64,
    /// Bytes from the page, in heads of requests.
    pub heads_up: u64,
    /// Bytes from the page, in bodies and frames.
    pub bodies_up: u64,
    /// Bytes to the page, in heads of answers.
    pub heads_down: u64,
    /// Bytes to the page, in bodies, with their framing, and in frames.
    pub bodies_down: u64,
    /// All bytes both ways before the first move, had Chromium sent the heads.
    pub opening: u64,
    /// All bytes both ways, had Chromium sent the heads.
    pub in_chromium: u64,
    /// Of the bytes down, the updates themselves as JSON, each counted once.
    pub payload: u64,
    /// How many of the prices the page showed.
    pub shown: u32,
    /// How often it showed one that it had shown before.
    pub repeats: u32,
    /// How old a price was, in milliseconds, when the page showed it or a newer one: in the mean.
    pub mean_delay: f64,
    /// The same at worst.
    pub worst_delay: u64,
    /// For how long, in milliseconds, what the page showed had been out of date: in half of the time no longer.
    pub behind_median: u64,
    /// In 99 % of the time no longer.
    pub behind_p99: u64,
    /// How often the server had something to send: an answer, an event, a message, a heartbeat.
    pub writes: u64,
    /// For how long, in milliseconds, requests were open at the server, all together.
    pub held: u64,
}

impl Cost {
    /// All bytes, both ways.
    pub fn bytes(&self) -> u64 {
        self.heads_up + self.bodies_up + self.heads_down + self.bodies_down
    }
}

/// What passed on all connections together.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    requests: u64,
    up: Bytes,
    down: Bytes,
}

impl Traffic {
    fn of(tallies: &[Tally]) -> Self {
        tallies.iter().fold(Self::default(), |sum, tally| Self {
            requests: sum.requests + tally.requests,
            up: plus(sum.up, tally.to_server),
            down: plus(sum.down, tally.to_client),
        })
    }

    fn bytes(&self) -> u64 {
        self.up.heads + self.up.bodies + self.down.heads + self.down.bodies
    }

    /// All bytes, had Chromium sent the heads of the requests; the first of them has `first_head` bytes on the bench.
    fn in_chromium(&self, room: &Room, first_head: u64) -> u64 {
        let more = room.chromium.first.saturating_sub(first_head);
        self.bytes() + self.requests * more + self.requests.saturating_sub(1) * room.chromium.later
    }
}

fn plus(one: Bytes, other: Bytes) -> Bytes {
    Bytes { heads: one.heads + other.heads, bodies: one.bodies + other.bodies }
}

/// Plays the workload through a lab's solution. Natively and in the page, the answer is the same.
///
/// # Errors
/// A sentence, where there is no such lab, where the workload is out of its bounds, or where the solution fails.
pub fn cost(lab: &str, workload: &Workload) -> Result<Cost, String> {
    let room = Room::named(lab)?;
    let workload = workload.checked()?;
    let client = Sources::new([("client.js".to_owned(), room.client.to_owned())]);
    let mut session = Session::open(client, 1);
    let played = session.with(async |bench| play(&bench, room, &workload).await);
    match session.failure().map_or(played, Err) {
        Ok(cost) => Ok(cost),
        Err(failure) => Err(format!("The solution of {lab} failed while it was measured: {failure:?}.")),
    }
}

async fn play(bench: &Bench, room: &Room, workload: &Workload) -> Result<Cost, Failure> {
    let updates = workload.updates as usize;
    // One more than is counted: see below.
    let feed = Feed::memory(updates + 1);
    bench.show_comments();
    bench.show_pings();
    bench.set_latency(workload.latency);
    bench.serve((room.app)(feed.clone()));
    let page = bench.page(room.exports)?;
    page.eval(&room.measured.replace("POLL", &workload.poll.as_millis().to_string()))?;
    // Four ways and more: a WebSocket is opened, and then joined.
    bench.wait(SETTLING.max(workload.latency * 6)).await;

    let began = bench.now();
    // Milliseconds since then; what was before is at 0.
    let at = |mark: Mark| mark.since(began);
    let opening = Traffic::of(&bench.traffic());
    let cuts = plan_cuts(bench, workload);
    let cut_count = cuts.len() as u32;
    let cutting = tokio::task::spawn_local(cut(bench.clone(), cuts));
    let (mut published, mut payload) = (Vec::new(), 0);
    for price in (FIRST_PRICE..).take(updates) {
        let span = u64::try_from(workload.pace.as_micros()).unwrap_or(u64::MAX);
        let early = Duration::from_micros(bench.draw(span));
        bench.wait(early).await;
        let data = workload.update(price);
        payload += data.to_string().len() as u64;
        published.push(at(bench.now()));
        feed.publish(data).await;
        bench.wait(workload.pace - early).await;
    }
    let lasted = at(bench.now());
    let tallies = bench.traffic();
    cutting.abort();
    let told = bench.moments();
    if cut_count > 0 {
        // Who comes back to a feed without numbers hears nothing until the price moves again.
        bench.wait(RETURN).await;
        feed.publish(workload.update(FIRST_PRICE + updates as u64)).await;
    }
    // What was published last may still be under way, or wait to be asked for.
    bench.wait(workload.poll + workload.latency * 4 + SETTLING).await;

    let shown: Vec<(u64, Vec<u64>)> = bench
        .moments()
        .into_iter()
        .filter_map(|moment| match &moment.what {
            What::Said(label, data) if label == "show" => {
                Some((at(bench.clock(&moment)), prices(&data.to_string())))
            }
            _ => None,
        })
        .collect();
    let (mut seen, mut repeats, mut delays) = (0, 0, Vec::new());
    let mut behind = Behind::new(lasted);
    for (price, published) in (FIRST_PRICE..).zip(published) {
        let times = shown.iter().flat_map(|(_, prices)| prices).filter(|seen| **seen == price).count() as u32;
        seen += times.min(1);
        repeats += times.saturating_sub(1);
        let known = shown
            .iter()
            .find(|(at, prices)| *at >= published && prices.iter().any(|seen| *seen >= price))
            .map(|(at, _)| *at);
        let Some(known) = known else {
            return Err(Failure::broken(format!(
                "price {price} was published, and neither it nor a newer one was shown"
            )));
        };
        behind.of_update(published, known);
        delays.push(known - published);
    }
    let first_head = tallies.first().map_or(0, |first| first.to_server.heads);
    let traffic = Traffic::of(&tallies);
    let clock = |moment: &Moment| at(bench.clock(moment));
    Ok(Cost {
        updates: workload.updates,
        lasted,
        cuts: cut_count,
        requests: traffic.requests,
        first_requests: opening.requests,
        first_head,
        chromium_head: room.chromium.first,
        heads_up: traffic.up.heads,
        bodies_up: traffic.up.bodies,
        heads_down: traffic.down.heads,
        bodies_down: traffic.down.bodies,
        opening: opening.in_chromium(room, first_head),
        in_chromium: traffic.in_chromium(room, first_head),
        payload,
        shown: seen,
        repeats,
        mean_delay: delays.iter().sum::<u64>() as f64 / delays.len() as f64,
        worst_delay: delays.iter().copied().max().unwrap_or(0),
        behind_median: behind.longest_of(50),
        behind_p99: behind.longest_of(99),
        writes: server_writes(told.iter().filter(|moment| clock(moment) > 0)),
        held: held(&told, clock, lasted),
    })
}

/// When the connection is cut, as waits from one cut to the next.
fn plan_cuts(bench: &Bench, workload: &Workload) -> Vec<Duration> {
    let (mut waits, mut left, mut rest) = (Vec::new(), Duration::ZERO, workload.pace * workload.updates);
    while !workload.drops.is_zero() && rest >= workload.drops {
        rest -= workload.drops;
        let span = u64::try_from(workload.drops.as_micros()).unwrap_or(u64::MAX);
        let early = Duration::from_micros(bench.draw(span));
        waits.push(left + early);
        left = workload.drops - early;
    }
    waits
}

async fn cut(bench: Bench, waits: Vec<Duration>) {
    for wait in waits {
        bench.wait(wait).await;
        // The next wait is not longer for it: a cut takes until both ends know.
        let bench = bench.clone();
        tokio::task::spawn_local(async move { bench.cut().await });
    }
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
        let good = Workload { updates: 3, ..Workload::default() };
        assert!(cost("lab3", &good).is_ok());
        assert!(cost("lab3", &Workload { updates: 5_000, ..good }).unwrap_err().contains("from 1 to 4999"));
        assert!(
            cost("lab3", &Workload { pace: Duration::ZERO, ..good }).unwrap_err().contains("out of bounds")
        );
        assert!(cost("lab3", &Workload { pace: LONGEST, ..good }).unwrap_err().contains("out of bounds"));
        let hasty = Workload { poll: Duration::from_nanos(1), ..good };
        assert!(cost("lab3", &hasty).unwrap_err().contains("thousands of polls"));
        assert!(cost("lab3", &Workload { payload: 31, ..good }).unwrap_err().contains("not 31"));
        let torn = Workload { drops: Duration::from_millis(1), ..good };
        assert!(cost("lab3", &torn).unwrap_err().contains("ten times a second"));
    }
}
