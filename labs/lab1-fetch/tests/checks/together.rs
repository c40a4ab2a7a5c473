//! Both halves meet: the student's client at the student's server.

use std::time::Duration;

use feed::{Feed, Update};
use grader::{
    Bench, Check, Failure, Mark, Page, scene,
    wire::{Moment, Place, What, transcript::Data},
};
use serde_json::json;

/// How often the page polls, in milliseconds.
const EVERY: u64 = 1_000;
/// A timer may be late by so much, in milliseconds.
const SLACK: u64 = 20;
const SYMBOLS: [&str; 2] = ["BMRI", "TLKM"];

pub(crate) const BOTH_HALVES: Check = Check {
    name: "both_halves_meet",
    todo: None,
    file: "web/client.js",
    section: "lab",
    experiment: "cargo run -p lab1 and open its page; stop the lab with Ctrl-C, start it again, and watch.",
    scenes: &[
        scene!(
            both_halves_poll,
            "A page polls. Prices move, or do not; then the server is restarted with another log."
        ),
        scene!(
            both_halves_errors_and_orders,
            "A page asks for a symbol that is not there, and places one order twice at the same time."
        ),
    ],
};

async fn both_halves_poll(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::named("monday", 100);
    for symbol in [1, 0] {
        publish(&bench, &feed, symbol).await;
    }
    bench.serve(lab1::app(feed.clone()));
    let page = open(&bench)?;
    page.eval(
        "client.poll('/prices', {
            every: 1000,
            show: (data) => say('show', data),
            status: (word, error) => setTimeout(() => {
                unlessBegun(error);
                say('status', word);
            }, 0),
            signal: new AbortController().signal,
        });",
    )?;
    let mut tables = vec![newest(&feed).await];
    let mut last = answered(&bench, None, 200).await?;
    if bench.said("status").is_empty() {
        return Err(Failure::NotStarted(6));
    }
    expect_shown(&bench, &tables)?;
    last = answered(&bench, Some(last), 304).await?;
    for symbol in [0, 1] {
        publish(&bench, &feed, symbol).await;
    }
    tables.push(newest(&feed).await);
    last = answered(&bench, Some(last), 200).await?;
    expect_shown(&bench, &tables)?;
    for _ in 0..2 {
        last = answered(&bench, Some(last), 304).await?;
    }
    bench.note("the server is restarted with another log");
    let other = Feed::named("tuesday", 100);
    for update in feed.after(0).await.unwrap_or_default() {
        let mut data = update.data;
        data["price"] = json!(data["price"].as_u64().unwrap_or_default() + 25);
        other.publish(data).await;
    }
    bench.serve(lab1::app(other.clone()));
    tables.push(newest(&other).await);
    last = answered(&bench, Some(last), 200).await?;
    expect_shown(&bench, &tables)?;
    answered(&bench, Some(last), 304).await?;
    expect_shown(&bench, &tables)?;
    let fresh = Data::Text("fresh".to_owned());
    if bench.said("status").last() != Some(&fresh) {
        return Err(Failure::broken("The page has the newest prices, and does not say 'fresh'."));
    }
    Ok(())
}

async fn both_halves_errors_and_orders(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["idempotency-key"]);
    let feed = Feed::memory(100).with_read_delay(Duration::from_millis(40));
    for symbol in [1, 0] {
        publish(&bench, &feed, symbol).await;
    }
    bench.serve(lab1::app(feed.clone()));
    let page = open(&bench)?;
    let asked = bench.now();
    page.eval("tell(client.getJson('/prices/NONE'))")?;
    wait_for_results(&bench, 1).await?;
    bench.retell(
        |moment| moment.place == Place::ToClient && matches!(moment.what, What::Body(_)),
        |moment| moment.what = What::Body(Data::of_text(r#"{"status":404,"title":"…"}"#)),
    );
    tell_as_windows(&bench, asked, &[1]);
    let told = bench.said("rejected");
    if told != [Data::of_text(r#"{"HttpError":404,"problem":404}"#)] {
        return Err(Failure::broken(
            "There is no symbol NONE; the page should hear of an HttpError with status 404, and its problem with the same status.",
        ));
    }
    bench.wait_ms(1_000 - bench.now().since(asked)).await;
    let asked = bench.now();
    let side = ["buy", "sell"][bench.draw(2) as usize];
    let order = json!({
        "symbol": SYMBOLS[bench.draw(2) as usize],
        "side": side,
        "quantity": 100 * (1 + bench.draw(9)),
    });
    page.eval(&format!(
        "for (let click = 0; click < 2; click += 1) tell(client.placeOrder('/orders', {order}, 'order-1'))"
    ))?;
    wait_for_results(&bench, 3).await?;
    tell_as_windows(&bench, asked, &[2, 3]);
    let told = bench.said("resolved");
    if told.len() != 2 || told[0] != told[1] {
        return Err(Failure::broken(
            "Somebody clicked twice, with one key; both clicks should hear of the same order.",
        ));
    }
    bench.wait_ms(1_000 - bench.now().since(asked)).await;
    let orders = bench.get("/orders").send().await?.with_status(200)?.json().await?;
    match orders.as_array().map(Vec::len) {
        Some(1) => Ok(()),
        _ => Err(Failure::broken(format!("One order was placed; executed were {orders}."))),
    }
}

fn open(bench: &Bench) -> Result<Page, Failure> {
    let page = bench.page(&["HttpError", "getJson", "placeOrder", "poll"])?;
    page.eval(
        "// A TODO that nobody has begun is none of the errors that a client may catch.
        globalThis.unlessBegun = (error) => {
            if (/^TODO \\d+$/.test(error?.message)) throw error;
        };
        globalThis.tell = (promise) =>
            promise.then(
                (data) => say('resolved', data),
                (error) => {
                    unlessBegun(error);
                    say('rejected', error instanceof client.HttpError
                        ? { HttpError: error.status, problem: error.problem?.status ?? null }
                        : String(error));
                },
            );",
    )?;
    Ok(page)
}

/// The page's next exchange, from its request to the end of its answer: when it began and when it was over.
async fn answered(bench: &Bench, before: Option<(Mark, Mark)>, status: u16) -> Result<(Mark, Mark), Failure> {
    let since = |moment: &&Moment, mark: Mark| bench.clock(moment) > mark;
    let asked = || {
        let moments = bench.moments();
        let later = moments.iter().rfind(|moment| is_request(moment))?;
        before.is_none_or(|(begun, _)| since(&later, begun)).then(|| (bench.clock(later), later.exchange))
    };
    let (begun, exchange) = bench
        .until(
            Duration::from_secs(60),
            "The page has stopped asking: after each answer it asks again.",
            asked,
        )
        .await?;
    if let Some((earlier, ended)) = before {
        if begun.since(earlier) + 1 < EVERY || begun.since(ended) > EVERY + SLACK {
            return Err(Failure::broken(format!(
                "The page asks {} ms after it has asked before, and {} ms after it was answered; `every` is {EVERY} ms.",
                begun.since(earlier),
                begun.since(ended)
            )));
        }
        let took = ended.since(earlier);
        bench.leave_open(earlier, (took.max(EVERY), took + EVERY), is_request);
    }
    bench.wait_ms(400).await;
    let moments = bench.moments();
    let of_this = |moment: &&Moment| moment.place == Place::ToClient && moment.exchange == exchange;
    let told = moments.iter().filter(of_this).find_map(|moment| match moment.what {
        What::Response { status, .. } => Some(status),
        _ => None,
    });
    bench.retell(
        |moment| matches!(moment.what, What::Response { status: 304, .. }),
        |moment| {
            if let What::Response { content_type, .. } = &mut moment.what {
                *content_type = None;
            }
        },
    );
    match told {
        Some(told) if told == status => {}
        Some(200) => {
            return Err(Failure::broken(
                "Nothing has changed, and the whole table is sent again: the page names the tag that it was given, and the server answers 304.",
            ));
        }
        Some(304) => {
            return Err(Failure::broken(
                "The prices have changed, and the page is told that they have not: it goes on showing the old ones.",
            ));
        }
        Some(told) => {
            return Err(Failure::broken(format!(
                "The page is answered with {told}; the contract says {status}."
            )));
        }
        None => return Err(Failure::broken("The page's request has no answer after 400 ms.")),
    }
    let ended = moments.iter().rfind(of_this).map_or(begun, |moment| bench.clock(moment));
    // The request is told at the end of its window, and the clock counts on from there.
    let begun = moments.iter().rfind(|moment| is_request(moment)).map_or(begun, |moment| bench.clock(moment));
    Ok((begun, ended))
}

async fn wait_for_results(bench: &Bench, count: usize) -> Result<(), Failure> {
    let settled = || bench.said("resolved").len() + bench.said("rejected").len();
    bench
        .until(
            Duration::from_millis(500),
            "The server has not answered within 500 ms, or the page has not heard it.",
            || (settled() >= count).then_some(()),
        )
        .await
}

/// How long the server reads its log, and how often, is its business.
fn tell_as_windows(bench: &Bench, since: Mark, exchanges: &[u32]) {
    for _ in exchanges {
        bench.tell_as_window(since, (10, 500), |moment| {
            is_exact(moment)
                && matches!(&moment.what, What::Said(label, _) if label == "resolved" || label == "rejected")
        });
    }
    for exchange in exchanges {
        for is_part in [is_head, is_body] {
            bench.tell_as_window(since, (10, 500), |moment| {
                moment.place == Place::ToClient && moment.exchange == Some(*exchange) && is_part(moment)
            });
        }
    }
}

fn is_exact(moment: &Moment) -> bool {
    matches!(moment.when, grader::wire::When::At(_))
}

fn is_head(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. })
}

fn is_body(moment: &Moment) -> bool {
    matches!(moment.what, What::Body(_))
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// A price that nobody can know beforehand.
async fn publish(bench: &Bench, feed: &Feed, symbol: usize) {
    feed.publish(json!({ "symbol": SYMBOLS[symbol], "price": 5_000 + 25 * bench.draw(100) })).await;
}

/// The newest update of each symbol, as the server tells it.
async fn newest(feed: &Feed) -> String {
    let updates = feed.after(0).await.unwrap_or_default();
    let newest =
        |symbol: &&str| updates.iter().rev().find(|update| update.data["symbol"] == **symbol).cloned();
    json!(SYMBOLS.iter().filter_map(newest).collect::<Vec<Update>>()).to_string()
}

/// Every table was shown once, in order.
fn expect_shown(bench: &Bench, tables: &[String]) -> Result<(), Failure> {
    let expected: Vec<Data> = tables.iter().map(|table| Data::of_text(table)).collect();
    let seen = bench.said("show");
    if seen == expected {
        return Ok(());
    }
    let lost = expected.iter().filter(|table| !seen.contains(table)).count();
    Err(Failure::broken(format!(
        "The table has changed {} times and was shown {} times; {lost} of its states were never shown.",
        expected.len(),
        seen.len()
    )))
}
