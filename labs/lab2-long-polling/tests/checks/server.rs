//! TODO 1 to 4: the server, asked by our own client.

mod todo_1;
mod todo_2;
mod todo_3;
mod todo_4;

use std::time::Duration;

use feed::{Feed, Update};
use grader::{
    Answer, Ask, Bench, Failure, Mark,
    awkward::HEADS,
    wire::{Moment, What, When, transcript::Data},
};
use serde_json::{Value, json};

use super::world::{self, Rounds};

pub(crate) use {todo_1::TODO_1, todo_2::TODO_2, todo_3::TODO_3, todo_4::TODO_4};

const FILE: &str = "src/lib.rs";
/// What "at once" is, in milliseconds.
const AT_ONCE: u64 = 1_000;
/// How long a request is held, in milliseconds.
const HELD: (u64, u64) = (25_000, 30_000);
/// What the way there and back, and reading the log, may add to it.
const IN_TRANSIT: u64 = 200;
/// How long a check waits for an answer that is held.
const PATIENCE: Duration = Duration::from_secs(40);

/// A log in memory, and who fills orders in it.
#[derive(Clone)]
struct Market {
    bench: Bench,
    feed: Feed,
    /// The number before that of its first update.
    before: u64,
}

impl Market {
    async fn open(bench: &Bench, keeps: usize) -> Self {
        Self::slow(bench, keeps, 0).await
    }

    /// The same; each read of the log takes so many milliseconds.
    async fn slow(bench: &Bench, keeps: usize, delay: u64) -> Self {
        let market = Self::empty(bench, keeps, delay, 1);
        // Where the log does not begin with 1, one update stands before those that a visitor asks for: the boundary is TODO 4's.
        if market.before > 0 {
            market.publish(1).await;
        }
        market
    }

    /// A log that has nothing in it yet: so many before the first that a visitor asks for.
    fn empty(bench: &Bench, keeps: usize, delay: u64, ahead: u64) -> Self {
        let (name, before) = (world::log_name(bench), bench.pick(&HEADS));
        let feed = Feed::named(&name, keeps)
            .starting_after(before.saturating_sub(ahead))
            .with_read_delay(Duration::from_millis(delay));
        Self { bench: bench.clone(), feed, before }
    }

    fn serve(&self) {
        self.bench.serve(lab2::app(self.feed.clone()));
    }

    /// What a client asks for that has seen the `nth` update of this log.
    fn target(&self, nth: u64) -> String {
        format!("{}&epoch={}", self.bare_target(nth), world::encoded(self.feed.epoch()))
    }

    /// The same, from a client that does not know the log's name.
    fn bare_target(&self, nth: u64) -> String {
        format!("/updates?after={}", self.before + nth)
    }

    /// What a client asks for that has seen everything.
    fn target_now(&self) -> String {
        self.target(self.feed.head() - self.before)
    }

    async fn publish(&self, count: usize) -> Vec<Update> {
        let mut updates = Vec::new();
        for _ in 0..count {
            updates.push(self.feed.publish(world::order(&self.bench)).await);
        }
        updates
    }

    /// An order is filled, with everyone looking: when, and which.
    async fn fill(&self) -> (Mark, Vec<Update>) {
        self.bench.note("an order is filled");
        (self.bench.now(), self.publish(1).await)
    }

    /// Asks for what is in the log already.
    async fn newer(&self, target: &str) -> Result<Vec<Update>, Failure> {
        self.newer_for(self.bench.get(target), target).await
    }

    async fn newer_for(&self, ask: Ask, target: &str) -> Result<Vec<Update>, Failure> {
        let asked = self.bench.now();
        let answer = ask.send_within(PATIENCE).await.map_err(|failure| failure.or_of("1.at-once"))?;
        let waited = self.bench.now().since(asked);
        if waited > AT_ONCE {
            return Err(Failure::of(
                "1.at-once",
                format!(
                    "GET {target} was held for {waited} ms, though what it asks for was in the log already: it should be answered at once."
                ),
            ));
        }
        self.updates_of(answer, asked).await
    }

    /// The updates of an answer that was due since `since`, told as if it had come at once.
    async fn updates_of(&self, answer: Answer, since: Mark) -> Result<Vec<Update>, Failure> {
        let came = world::last_at(&self.bench, is_response).unwrap_or(since);
        let waited = came.since(since);
        if waited > AT_ONCE {
            return Err(Failure::of(
                "2.news",
                format!(
                    "An order was filled while the request was held, and the answer came {waited} ms later; the contract says within 1 s. A request that waits should be woken by the update, not look now and then."
                ),
            ));
        }
        let updates = self.read(answer).await?;
        tell_at(&self.bench, since, 10, is_response);
        tell_at(&self.bench, came, 0, is_body);
        Ok(updates)
    }

    /// Reads an answer of status 200.
    async fn read(&self, answer: Answer) -> Result<Vec<Update>, Failure> {
        if answer.status != 200 {
            return Err(Failure::of(
                "1.shape",
                format!("The answer should be 200 with the updates; it is {}.", answer.status),
            ));
        }
        let media_type = answer.media_type();
        if media_type != "application/json" {
            return Err(Failure::of(
                "1.shape",
                format!("The answer's content type is `{media_type}`; the contract says `application/json`."),
            ));
        }
        let body = answer.json().await.map_err(|failure| failure.or_of("1.shape"))?;
        let shape = || {
            Failure::of(
                "1.shape",
                format!(
                    "The answer should be `{{ \"epoch\": …, \"updates\": [{{ \"seq\": …, \"data\": … }}, …] }}`; it is {}.",
                    body.to_string().chars().take(120).collect::<String>()
                ),
            )
        };
        let name = self.feed.epoch();
        if body["epoch"] != name {
            return Err(Failure::of(
                "1.epoch",
                format!(
                    "The answer's `epoch` should be \"{name}\", the log's name; it is {}. Without it a client cannot tell this log from the next one, whose numbers start again.",
                    body.get("epoch").map_or("missing".to_owned(), Value::to_string)
                ),
            ));
        }
        let updates = body["updates"].as_array().ok_or_else(shape)?;
        let updates: Vec<Update> = updates
            .iter()
            .map(|update| serde_json::from_value(update.clone()))
            .collect::<Result<_, _>>()
            .map_err(|_| shape())?;
        if updates.is_empty() {
            return Err(Failure::of(
                "2.held",
                "The answer has no updates in it: a client that gets one asks again at once, and so on. With nothing newer the request should wait.",
            ));
        }
        let told = Data::of_text(&json!({ "epoch": name, "updates": updates }).to_string());
        // Client by client: several may have been told the same, one after the other.
        let (mut all, mut at) = (0, 0);
        world::look(&self.bench, |_| all += 1);
        self.bench.retell_all(|moment| {
            at += 1;
            if at + 200 > all && is_body(moment) && same_updates(&moment.what, &updates) {
                moment.what = What::Body(told.clone());
            }
        });
        Ok(updates)
    }

    /// A request that waits for news, and what happens meanwhile; the answer, and when each began.
    async fn held<T>(
        &self,
        ask: Ask,
        meanwhile: impl Future<Output = T>,
    ) -> Result<(Answer, Mark, T), Failure> {
        let asked = self.bench.now();
        let (answer, meanwhile) = tokio::join!(ask.send_within(PATIENCE), meanwhile);
        let answer = answer.map_err(|failure| failure.or_of("2.no-news"))?;
        Ok((answer, asked, meanwhile))
    }

    /// Nothing was newer until `filled`: the answer must not have come before.
    fn expect_held(
        &self,
        answer: &Answer,
        asked: Mark,
        filled: Mark,
        clause: &'static str,
    ) -> Result<(), Failure> {
        let came = world::last_at(&self.bench, is_response).unwrap_or(asked);
        let waited = came.since(asked);
        // With a 204 it is for the caller to say when.
        if came < filled || (answer.status == 200 && waited < 1_000) {
            return Err(Failure::of(
                clause,
                format!(
                    "Nothing was newer, and the answer ({}) came after {waited} ms: a client that is told nothing asks again at once, and so on. The request should wait, for an update or for 25 to 30 s.",
                    answer.status.as_u16()
                ),
            ));
        }
        Ok(())
    }

    /// Nothing newer is published while this request waits, whatever happens `meanwhile`: 204 after 25 to 30 s.
    async fn silence(
        &self,
        target: &str,
        early: &'static str,
        because: &str,
        meanwhile: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let asked = self.bench.now();
        let ask = self.bench.get(target).send_within(PATIENCE);
        let ask = async { tokio::time::timeout(Duration::from_secs(35), ask).await };
        let (answer, ()) = tokio::join!(ask, meanwhile);
        let answer = answer.map_err(|_| {
            Failure::of(
                "2.no-news",
                format!(
                    "{because}, and after 35 s the request is still held; the contract says 204 after 25 to 30 s. What stands in between closes a connection that carries nothing for a minute, and the client takes that for a failure."
                ),
            )
        })??;
        let waited = world::last_at(&self.bench, is_response).unwrap_or(asked).since(asked);
        let status = answer.status.as_u16();
        if waited < HELD.0 {
            return Err(Failure::of(
                early,
                format!(
                    "{because}, and the answer ({status}) came after {waited} ms; the contract says after 25 to 30 s. A client that is answered sooner asks for nothing all the time."
                ),
            ));
        }
        if status != 204 {
            return Err(Failure::of(
                "2.no-news",
                format!(
                    "{because}, and the answer is {}; the contract says 204: no news is no error.",
                    answer.status
                ),
            ));
        }
        if waited > HELD.1 + IN_TRANSIT {
            return Err(Failure::of(
                "2.no-news",
                format!(
                    "{because}, and the 204 came after {waited} ms; the contract says after 25 to 30 s. Later is a proxy that closes the connection first."
                ),
            ));
        }
        if !answer.text().await?.is_empty() {
            return Err(Failure::of("2.no-news", "A 204 has no body."));
        }
        self.bench.retell(is_response, |moment| {
            // What headers it has is open.
            if let What::Response { content_type, .. } = &mut moment.what {
                *content_type = None;
            }
        });
        self.bench.leave_open(asked, HELD, is_response);
        self.bench.wait_ms(100).await;
        Ok(())
    }
}

/// Tells the last such moment at `ms` after `since`, and what follows as if it had been then.
fn tell_at(bench: &Bench, since: Mark, ms: u64, which: fn(&Moment) -> bool) {
    bench.leave_open(since, (ms, ms), which);
    bench.retell(which, |moment| {
        if let When::Within(at, _) = moment.when {
            moment.when = When::At(at);
        }
    });
}

/// Whether a body that was told has just these updates in it.
fn same_updates(what: &What, updates: &[Update]) -> bool {
    let What::Body(data) = what else { return false };
    let Ok(body) = serde_json::from_str::<Value>(&data.to_string()) else { return false };
    serde_json::from_value::<Vec<Update>>(body["updates"].clone()).is_ok_and(|told| told == updates)
}

fn numbers(updates: &[Update]) -> Vec<u64> {
    updates.iter().map(|update| update.seq).collect()
}

/// These updates and no others, in this order.
fn expect_updates(found: &[Update], expected: &[Update]) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    let (found_numbers, expected_numbers) = (numbers(found), numbers(expected));
    if found_numbers == expected_numbers {
        return Err(Failure::of(
            "1.shape",
            "The updates have the right numbers and other data: `data` is what was published, as it is.",
        ));
    }
    Err(wrong_numbers(&found_numbers, &expected_numbers))
}

/// The first of these updates, and no others: the rest may come in the next answer.
fn expect_first_of(found: &[Update], expected: &[Update]) -> Result<(), Failure> {
    expect_updates(found, &expected[..found.len().clamp(1, expected.len())])
}

fn wrong_numbers(found: &[u64], expected: &[u64]) -> Failure {
    let mut in_order = found.to_vec();
    in_order.sort_unstable();
    let twice = in_order.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let before = expected[0] - 1;
    if let Some(seq) = twice {
        Failure::of(
            "3.once",
            format!(
                "Update {seq} comes twice in one answer ({}): what is published while the log is being read may be in the log and in the subscription.",
                few(found)
            ),
        )
    } else if let Some(old) = found.iter().find(|seq| **seq <= before) {
        Failure::of(
            "1.newer-only",
            format!(
                "Update {old} comes again: the client asked for what is newer than {before}, and the answer has {}.",
                few(found)
            ),
        )
    } else if in_order == expected {
        Failure::of(
            "1.oldest-first",
            format!(
                "The answer has the updates in the order {}; the contract says oldest first.",
                few(found)
            ),
        )
    } else if let Some(lost) = expected.iter().find(|seq| !found.contains(seq)) {
        Failure::of(
            "1.all",
            format!(
                "Update {lost} did not come: the answer has {}, and {} were newer than {before}, the client's cursor. A client that goes on from {} never hears of it.",
                few(found),
                few(expected),
                found.last().copied().unwrap_or_default()
            ),
        )
    } else {
        Failure::of(
            "1.all",
            format!("The answer has {}; newer than {before} are {}.", few(found), few(expected)),
        )
    }
}

/// A list of numbers that does not fill the screen.
fn few(numbers: &[u64]) -> String {
    match numbers {
        [first, second, .., last] if numbers.len() > 8 => {
            format!("[{first}, {second}, … {last}] ({} of them)", numbers.len())
        }
        _ => format!("{numbers:?}"),
    }
}

fn is_response(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. })
}

fn is_body(moment: &Moment) -> bool {
    matches!(moment.what, What::Body(_))
}
