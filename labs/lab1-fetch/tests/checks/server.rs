//! TODO 1 to 3: the server, asked by our own client.

use feed::{Feed, Missed, Update};
use grader::{
    Answer, Bench, Failure,
    wire::{Moment, Place, What, transcript::Data},
};
use serde_json::{Value, json};

mod todo_1;
mod todo_2;
mod todo_3;

pub(crate) use self::{todo_1::TODO_1, todo_2::TODO_2, todo_3::TODO_3};

const FILE: &str = "src/lib.rs";
const PROBLEM: &str = "application/problem+json";
/// What the market lists.
const SYMBOLS: [&str; 2] = ["BMRI", "TLKM"];
const BMRI: usize = 0;
const TLKM: usize = 1;

/// A problem document of this status. Its words are the server's business. `clause` is that of the status.
async fn expect_problem(
    bench: &Bench,
    clause: &'static str,
    answer: Answer,
    status: u16,
    what: &str,
) -> Result<(), Failure> {
    let (told, media_type) = (answer.status.as_u16(), answer.media_type());
    let text = answer.text().await?;
    if told != status {
        return Err(Failure::of(
            clause,
            format!("The answer {what} is {told}; the contract says {status}. {}", why(told, status)),
        ));
    }
    if media_type != PROBLEM {
        return Err(Failure::of(
            "2.media-type",
            format!(
                "The {status} {what} is `{media_type}`, not `{PROBLEM}`: no client can see that it explains itself."
            ),
        ));
    }
    let problem = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(problem)) => problem,
        Ok(other) => {
            return Err(Failure::of(
                "2.problem",
                format!("The body of the {status} {what} should be a JSON object; it is {other}."),
            ));
        }
        Err(error) => {
            return Err(Failure::of(
                "2.problem",
                format!(
                    "The body of the {status} {what} is no JSON ({error}): {text}  Let `serde_json` write it: words may have quotes in them."
                ),
            ));
        }
    };
    if problem.get("status") != Some(&json!(status)) {
        return Err(Failure::of(
            "2.problem",
            format!(
                "The problem's `status` should be {status}, as a number; it is {}.",
                problem.get("status").map_or("missing".to_owned(), Value::to_string)
            ),
        ));
    }
    let says =
        |member: &str| problem.get(member).and_then(Value::as_str).is_some_and(|words| !words.is_empty());
    if !says("title") && !says("detail") {
        return Err(Failure::of(
            "2.problem",
            format!("The problem says neither in `title` nor in `detail` what is wrong: {text}"),
        ));
    }
    let alike = json!({ "status": status, "title": "…" }).to_string();
    bench.retell(
        |moment| moment.place == Place::ToClient && is_body(moment),
        |moment| moment.what = What::Body(Data::of_text(&alike)),
    );
    Ok(())
}

/// Why it matters that the status is this one and not that.
fn why(told: u16, status: u16) -> &'static str {
    match (told, status) {
        (..400, _) => "A program that looks at the status takes the error for a success.",
        (500.., _) => "5xx says that the server is to blame, and that it may help to ask again.",
        (_, 400) => {
            "400 says that the request cannot be read at all: whoever wrote the program has a mistake to find."
        }
        (_, 404) => {
            "404 says that nothing is there: a program stops asking, and does not look for a mistake in its request."
        }
        (_, 415) => {
            "415 says that the `content-type` is not one that the server reads: the body may be right, and nobody should look for a mistake in it."
        }
        (_, 422) => {
            "422 says that the request could be read and cannot be done: the program is right, and its user has to decide."
        }
        _ => "",
    }
}

fn is_head(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. })
}

fn is_body(moment: &Moment) -> bool {
    matches!(moment.what, What::Body(_))
}

/// A price that nobody can know beforehand.
fn price(bench: &Bench, symbol: usize) -> Value {
    json!({ "symbol": SYMBOLS[symbol], "price": 5_000 + 25 * bench.draw(100) })
}

/// A price for each symbol, in another order than that of the table.
async fn publish_all(bench: &Bench, feed: &Feed) {
    for symbol in [TLKM, BMRI] {
        feed.publish(price(bench, symbol)).await;
    }
}

/// What `GET /prices` should say: the newest update of each symbol.
async fn newest(feed: &Feed) -> Vec<Update> {
    let updates = match feed.after(0).await {
        Err(Missed::Gone { oldest }) => feed.after(oldest.saturating_sub(1)).await,
        log => log,
    }
    .unwrap_or_default();
    let newest =
        |symbol: &&str| updates.iter().rev().find(|update| update.data["symbol"] == **symbol).cloned();
    SYMBOLS.iter().filter_map(newest).collect()
}
