//! TODO 1 to 3: the server, asked by our own client.

mod todo_1;
mod todo_2;
mod todo_3;

pub(crate) use todo_1::TODO_1;
pub(crate) use todo_2::TODO_2;
pub(crate) use todo_3::TODO_3;

use feed::Feed;
use grader::{
    Ask, Bench, Event, EventStream, Failure, Item, Mark,
    wire::{Place, What, When, transcript::Data},
};
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";

/// A question about what `one_price` tells, and one that is answered without end.
const QUESTION: &str = "How is BBCA?";
const FOLLOW: &str = "Follow the market";

/// A market on which one symbol has a price that nobody can know beforehand, and what there is to say about it.
async fn one_price(bench: &Bench) -> (Feed, Vec<String>) {
    let feed = Feed::memory(100);
    let price = 9_000 + 25 * bench.draw(40);
    feed.publish(json!({ "symbol": "BBCA", "price": price })).await;
    let price = format!(" {price}");
    let tokens = ["Prices", " now:", "\n\nBBCA", &price, " ·", "\n\nThey", " move", " —", " ask", " again."];
    (feed, tokens.map(str::to_owned).to_vec())
}

/// A price that nobody can know beforehand.
fn price(bench: &Bench) -> Value {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    json!({ "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) })
}

/// A question, ready to be sent.
fn asking(bench: &Bench, question: &str) -> Ask {
    let question = json!({ "question": question }).to_string();
    bench.ask("POST", "/ask").header("authorization", "Bearer demo").body("application/json", question)
}

async fn ask(bench: &Bench, question: &str) -> Result<(EventStream, Mark), Failure> {
    let asked = bench.now();
    let answer = asking(bench, question).send().await.and_then(grader::Answer::stream);
    Ok((answer.map_err(|failure| failure.or_of("1.stream"))?, asked))
}

async fn close_after(bench: &Bench, feed: &Feed, ms: u64) {
    bench.wait_ms(ms).await;
    feed.close();
}

/// How many tokens were made so far, for everybody together.
async fn bill(bench: &Bench) -> Result<u64, Failure> {
    let bill = bench.get("/tokens").send().await?.with_status(200)?.json().await?;
    Ok(bill["tokens"].as_u64().unwrap_or_default())
}

/// How many tokens there were, and what else. A token is what looks like the first event.
fn sort(heard: Vec<Item>) -> (usize, Vec<Event>) {
    let events: Vec<Event> = heard
        .into_iter()
        .filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None })
        .collect();
    let Some(first) = events.first().map(|event| event.name.clone()) else { return (0, Vec::new()) };
    let (tokens, others): (Vec<Event>, Vec<Event>) =
        events.into_iter().partition(|event| event.name == first && !is_last_word(&event.name));
    (tokens.len(), others)
}

fn is_last_word(name: &str) -> bool {
    matches!(name, "done" | "error")
}

/// The head may go out at once, or with the first token.
fn the_head_may_wait(bench: &Bench, asked: Mark) {
    bench.tell_as_window(asked, (10, 60), |moment| matches!(moment.what, What::Response { .. }));
}

/// This contract does not speak of time: what the server sends may come at any.
fn whenever(bench: &Bench, asked: Mark) {
    let base = bench.told_at(asked);
    bench.retell_all(|moment| {
        if moment.place == Place::ToClient && moment.exchange == Some(1) {
            moment.when = When::Within(base + 10, base + 1_000);
        }
    });
}

/// How the answer ends is another TODO.
fn say_nothing_of_the_end(bench: &Bench) {
    say_how_it_ended_only(bench);
    bench.leave_out(|moment| match &moment.what {
        What::Event { name, .. } => is_last_word(name),
        What::End | What::Cut => true,
        _ => false,
    });
}

/// IDs are open, and the words of `done` and `error`.
fn say_how_it_ended_only(bench: &Bench) {
    bench.retell_all(|moment| {
        if let What::Event { name, id, data } = &mut moment.what {
            *id = None;
            if is_last_word(name) {
                *data = Data::Text("…".to_owned());
            }
        }
    });
}

/// What a token looks like is another TODO and is told as it should be.
fn say_nothing_of_the_form(bench: &Bench, tokens: &[String]) {
    let mut tokens = tokens.iter();
    say_how_it_ended_only(bench);
    bench.retell_all(|moment| {
        if let What::Event { name, data, .. } = &mut moment.what
            && !is_last_word(name)
            && let Some(token) = tokens.next()
        {
            "message".clone_into(name);
            *data = Data::of_text(token);
        }
    });
}
