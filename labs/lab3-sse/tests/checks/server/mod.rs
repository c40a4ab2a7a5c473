//! TODO 1 to 4: the server, asked by our own client.

mod todo_1;
mod todo_2;
mod todo_3;
mod todo_4;

use std::{cell::RefCell, time::Duration};

use feed::{Feed, Update};
use grader::{Ask, Bench, EventStream, Failure, Item, Mark, awkward::HEADS, wire::What};
use serde_json::{Value, json};

pub(crate) use {todo_1::TODO_1, todo_2::TODO_2, todo_3::TODO_3, todo_4::TODO_4};

const FILE: &str = "src/lib.rs";
const STREAM: &str = "/prices/stream";
/// What the contract calls *at once*, in milliseconds.
const AT_ONCE: u64 = 1_000;
/// How long a check waits for an event that should be there at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The feed behind the student's server. Only the plain play's log begins at 1.
struct Market {
    bench: Bench,
    feed: Feed,
    /// How long reading the log takes, in milliseconds.
    read_delay: u64,
    last: RefCell<Option<Value>>,
}

/// An update, and since when it is due at a visitor.
#[derive(Clone)]
struct Due {
    update: Update,
    since: Mark,
    /// Where `since` is told.
    told: u64,
}

/// Which clauses speak of an update that does not come as it should, and why that matters.
#[derive(Clone, Copy)]
struct Clauses {
    /// It does not arrive, or not at once.
    arrives: &'static str,
    /// It arrives again, or before its turn.
    once: &'static str,
    /// Its data is not what was published.
    data: &'static str,
    /// Why that matters, or how it comes about, in a sentence.
    why: &'static str,
}

impl Market {
    fn open(bench: &Bench) -> Self {
        Self::with(bench, 100, 0)
    }

    /// A market whose log holds `capacity` updates and takes so many milliseconds to be read.
    fn with(bench: &Bench, capacity: usize, read_delay: u64) -> Self {
        let feed = Feed::memory(capacity)
            .with_read_delay(Duration::from_millis(read_delay))
            .starting_after(head(bench));
        Self { bench: bench.clone(), feed, read_delay, last: RefCell::default() }
    }

    /// Starts the student's server.
    fn serve(&self) {
        self.bench.serve(lab3::app(self.feed.clone()));
    }

    /// A price that nobody can know beforehand; now and then the same as the one before.
    fn price(&self) -> Value {
        let again = !self.bench.is_plain() && self.bench.draw(3) == 0;
        if let Some(last) = self.last.borrow().clone().filter(|_| again) {
            return last;
        }
        let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][self.bench.draw(4) as usize];
        let price = json!({ "symbol": symbol, "price": 5_000 + 25 * self.bench.draw(100) });
        self.last.replace(Some(price.clone()));
        price
    }

    async fn publish(&self) -> Due {
        let price = self.price();
        self.publish_this(price).await
    }

    async fn publish_this(&self, data: Value) -> Due {
        let update = self.feed.publish(data).await;
        let since = self.bench.now();
        Due { update, since, told: self.bench.told_at(since) }
    }

    async fn publish_many(&self, count: usize) -> Vec<Due> {
        let mut updates = Vec::new();
        for _ in 0..count {
            updates.push(self.publish().await);
        }
        updates
    }

    /// A visitor who asks this.
    async fn visitor(&self, ask: Ask) -> Result<Visitor, Failure> {
        let came = self.bench.now();
        let told = self.bench.told_at(came);
        let stream =
            ask.send().await.and_then(grader::Answer::stream).map_err(|failure| failure.or_of("1.stream"))?;
        let asked = self.bench.moments().into_iter().rev();
        let exchange = asked
            .filter(|moment| matches!(moment.what, What::Response { .. }))
            .find_map(|moment| moment.exchange);
        Ok(Visitor { bench: self.bench.clone(), stream, came, told, read_delay: self.read_delay, exchange })
    }

    /// One who comes for the first time.
    async fn newcomer(&self) -> Result<Visitor, Failure> {
        self.visitor(self.bench.get(STREAM)).await
    }

    /// One who comes back, as a browser does.
    async fn comes_back(&self, position: u64) -> Result<Visitor, Failure> {
        self.visitor(self.bench.get(STREAM).header("last-event-id", &position.to_string())).await
    }

    /// One who comes back with a new `EventSource`.
    async fn comes_back_by_address(&self, position: u64) -> Result<Visitor, Failure> {
        self.visitor(self.bench.get(&format!("{STREAM}?after={position}"))).await
    }
}

/// One who reads the student's stream.
struct Visitor {
    bench: Bench,
    stream: EventStream,
    came: Mark,
    told: u64,
    read_delay: u64,
    exchange: Option<u32>,
}

impl Visitor {
    /// The next events are these updates.
    async fn hears_all(&mut self, updates: &[Due], clauses: Clauses) -> Result<(), Failure> {
        for due in updates {
            self.hears(due, clauses).await?;
        }
        Ok(())
    }

    /// The next event is this update, at once: what was published before the visitor came is due when the log is read.
    async fn hears(&mut self, due: &Due, clauses: Clauses) -> Result<(), Failure> {
        let told = self.hears_some_time(due, clauses).await?;
        self.arrived_at(told, Some(due.update.seq));
        Ok(())
    }

    /// The same, where the transcript does not show it: when it should arrive, but for the way.
    async fn hears_some_time(&mut self, due: &Due, clauses: Clauses) -> Result<u64, Failure> {
        let seq = due.update.seq;
        let event = self.event(&due.update, clauses).await?;
        if let Err(failure) = expect(&event, &due.update, clauses) {
            return Err(self.out_of_order(&event, seq, clauses).await.unwrap_or(failure));
        }
        let latency = self.stream.latency().as_millis() as u64;
        // While the log is being read, what is published waits for it.
        let read = latency + self.read_delay;
        let (since, told, after) = if due.since > self.came && due.told >= self.told + read {
            (due.since, due.told, 0)
        } else {
            (self.came, self.told, read)
        };
        let late = event.at.since(since).saturating_sub(after + latency);
        if late > AT_ONCE {
            return Err(Failure::of(
                clauses.arrives,
                format!("Update {seq} arrived {late} ms late: an update goes out at once, within a second."),
            ));
        }
        Ok(told + after)
    }

    /// Something else came: perhaps the update comes later.
    async fn out_of_order(&mut self, event: &grader::Event, seq: u64, clauses: Clauses) -> Option<Failure> {
        let came: u64 = event.id.as_ref()?.parse().ok().filter(|came| *came > seq)?;
        let later = self.stream.listen(Duration::from_secs(1)).await;
        let is_it = |item: &Item| matches!(item, Item::Event(event) if event.id == Some(seq.to_string()));
        later.iter().any(is_it).then(|| {
            Failure::of(
                clauses.once,
                format!("Update {came} comes before update {seq}: updates come in order."),
            )
        })
    }

    /// The next event.
    async fn event(&mut self, update: &Update, clauses: Clauses) -> Result<grader::Event, Failure> {
        let until = self.bench.now();
        while let Some(item) = self.stream.item(PATIENCE).await {
            if let Item::Event(event) = item {
                return Ok(event);
            }
            if self.bench.now().since(until) > PATIENCE.as_millis() as u64 {
                break;
            }
        }
        let how = if self.stream.has_ended() { "the stream ended" } else { "nothing more came within 5 s" };
        let words = format!("Update {} was published and did not arrive: {how}. {}", update.seq, clauses.why);
        Err(Failure::of(clauses.arrives, words))
    }

    /// The contract says *at once*: this event, or the stream's end, is told at once after `told`.
    fn arrived_at(&self, told: u64, seq: Option<u64>) {
        let (exchange, seq) = (self.exchange, seq.map(|seq| seq.to_string()));
        self.bench.tell_at(told + self.stream.latency().as_millis() as u64, |moment| {
            moment.exchange == exchange
                && match &moment.what {
                    What::Event { id, .. } => seq.is_some() && *id == seq,
                    What::End => seq.is_none(),
                    _ => false,
                }
        });
    }
}

/// After which number the log begins, seed by seed: once its numbers grow by a digit, once they are large.
fn head(bench: &Bench) -> u64 {
    if bench.is_plain() { 0 } else { [7, HEADS[HEADS.len() - 1]][bench.seed() as usize % 2] }
}

/// The event is this update.
fn expect(event: &grader::Event, update: &Update, clauses: Clauses) -> Result<(), Failure> {
    let seq = update.seq;
    if event.name != "price" {
        return Err(Failure::of(
            "1.type",
            format!(
                "Update {seq} arrives as an event of type `{}`: `addEventListener('price', …)` will not hear it.",
                event.name
            ),
        ));
    }
    let data = serde_json::from_str::<Value>(&event.data);
    let Some(id) = &event.id else {
        return Err(Failure::of(
            "1.id",
            format!(
                "The event of update {seq} has no `id`: a client that loses its connection here cannot say what it saw last."
            ),
        ));
    };
    if *id != seq.to_string() {
        let is_this_one = data.is_ok_and(|data| data == update.data);
        return Err(match id.parse::<u64>() {
            Ok(id) if id < seq && !is_this_one => Failure::of(
                clauses.once,
                format!("Update {id} comes again: the client has it already, and {seq} is next."),
            ),
            Ok(id) if id > seq && !is_this_one => Failure::of(
                clauses.arrives,
                format!("Update {seq} is lost: the stream goes on with {id}. {}", clauses.why),
            ),
            _ => Failure::of(
                "1.id",
                format!(
                    "Update {seq} arrives with the ID `{id}`: the ID is the update's own number, on every connection."
                ),
            ),
        });
    }
    if data.as_ref().is_ok_and(|data| *data == update.data) {
        return Ok(());
    }
    let (is, should) = (short(&event.data), short(&update.data.to_string()));
    let words = if clauses.data == "1.whole" {
        format!(
            "A line break in the data has torn the event of update {seq} apart: what arrives of its data is `{is}`. In JSON a line break is written as a backslash and a letter, and the data stays on one line."
        )
    } else if data.is_ok() {
        format!("The data of event {seq} should be {should}; it is {is}.")
    } else {
        format!("The data of event {seq} is not JSON: `{is}`. It should be {should}.")
    };
    Err(Failure::of(clauses.data, words))
}

fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(59).chain(['…']).collect() }
}
