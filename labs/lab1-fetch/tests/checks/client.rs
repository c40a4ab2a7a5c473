//! TODO 4 to 6: the client, in a page of its own, before a server that does what the check says.

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Mark, Page, Script,
    invariant::bare,
    wire::{Moment, Place, What, transcript::Data},
};

// This file is a part of the book's page, too: there it stands elsewhere in the tree of modules.
#[path = "client/call.rs"]
mod call;
#[path = "client/todo_4.rs"]
mod todo_4;
#[path = "client/todo_4_ends.rs"]
mod todo_4_ends;
#[path = "client/todo_5.rs"]
mod todo_5;
#[path = "client/todo_5_swept.rs"]
mod todo_5_swept;
#[path = "client/todo_6.rs"]
mod todo_6;

pub(crate) use self::{todo_4::TODO_4, todo_5::TODO_5, todo_6::TODO_6};

const FILE: &str = "web/client.js";
const PRICES: &str = "/prices";
/// How often the checks poll, in milliseconds.
const EVERY: u64 = 1_000;
/// A timer may be late by so much, in milliseconds.
const SLACK: u64 = 20;

const JSON: (&str, &str) = ("content-type", "application/json");
const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");
const HTML: (&str, &str) = ("content-type", "text/html");
const SORRY: &str = "<!doctype html><title>502</title><h1>Bad Gateway</h1>";

/// What the checks tell of the page and nobody needs to see: the error in full, and its message alone.
const ASIDES: [&str; 2] = ["error", "message"];

/// Opens the client in a page that can `ask` with `getJson`, and `begin` to poll.
fn open(bench: &Bench) -> Result<Page, Failure> {
    bench
        .leave_out(|moment| matches!(&moment.what, What::Said(label, _) if ASIDES.contains(&label.as_str())));
    let page = bench.page(&["HttpError", "getJson", "placeOrder", "poll"])?;
    page.eval(
        r"// A TODO that nobody has begun is none of the errors that a client may catch.
        globalThis.unlessBegun = (error) => {
            if (/^TODO \d+$/.test(error?.message)) throw error;
        };
        globalThis.words = (error) =>
            error instanceof client.HttpError
                ? { HttpError: error.status, problem: error.problem ?? null }
                : String(error?.name ?? error);
        // A string as it stands in JSON, so that no text is taken for another value.
        globalThis.plain = (data) => (typeof data === 'string' ? JSON.stringify(data) : (data ?? null));
        // An error with its words, and with its place where that is in the client.
        globalThis.inFull = (error) => {
            if (error instanceof client.HttpError) return `HttpError ${error.status}: ${error.message}`;
            const place = /client\.js:\d+(?::\d+)?/.exec(String(error?.stack ?? ''))?.[0];
            return `${error?.name ?? typeof error}: ${error?.message ?? error}${place ? ` (${place})` : ''}`;
        };
        globalThis.tell = (promise) =>
            promise.then(
                (data) => say('resolved', plain(data)),
                (error) => {
                    unlessBegun(error);
                    say('message', String(error?.message));
                    say('error', inFull(error));
                    say('rejected', words(error));
                },
            );
        globalThis.ask = (url, options) => tell(client.getJson(url, options));
        globalThis.begin = (options = {}) =>
            client.poll('/prices', {
                every: 1000,
                show: (data) => say('show', plain(data)),
                // Whether `show` or `status` is called first is open: `status` is told second.
                status: (word, error) =>
                    setTimeout(() => {
                        unlessBegun(error);
                        if (error !== undefined && error !== null) say('error', inFull(error));
                        say('status', word);
                        const reason = error instanceof client.HttpError ? `HttpError ${error.status}` : error?.name ?? error;
                        if (error !== undefined && error !== null) say('because', reason);
                    }, 0),
                signal: stop.signal,
                ...options,
            });",
    )?;
    Ok(page)
}

/// Opens the client and polls, as the lab's page does.
fn start(bench: &Bench) -> Result<Page, Failure> {
    let page = open(bench)?;
    page.eval("globalThis.stop = new AbortController(); begin()")?;
    Ok(page)
}

async fn first_request(bench: &Bench, server: &mut Script) -> Result<Asked, Failure> {
    let asked = server
        .request_within(Duration::from_millis(100), "")
        .await
        .map_err(|_| {
            Failure::of(
                "5.at-once",
                format!(
                    "The client asked for nothing yet: `poll` asks as soon as it is called, and waits after that.{}",
                    own_mistake(bench)
                ),
            )
        })?;
    expect_request(&asked, "5.at-once", PRICES)?;
    Ok(asked)
}

/// What the client told of an error that is its own, in a sentence; nothing where there is none.
fn own_mistake(bench: &Bench) -> String {
    match bench.said("error").last() {
        Some(error) if is_own(&shown(error)) => format!(" It failed with {}.", shown(error)),
        _ => String::new(),
    }
}

/// Whether an error in full is one that an engine throws at a program, at a place in it.
fn is_own(error: &str) -> bool {
    let kind = error.split(':').next().unwrap_or_default();
    matches!(kind, "TypeError" | "ReferenceError" | "RangeError" | "SyntaxError")
        && error.contains("client.js:")
}

/// When the last request began and how long it took: the next one counts from its beginning or from its end.
#[derive(Clone, Copy)]
struct Rhythm {
    begun: Mark,
    took: u64,
    every: u64,
}

impl Rhythm {
    /// The answer was given just now. It arrives, and the page has heard it.
    async fn after(bench: &Bench) -> Result<Self, Failure> {
        let arrived = || bench.moments().iter().filter(|moment| is_answer(moment)).count();
        let before = arrived();
        bench
            .until(Duration::from_secs(1), "The check's answer did not arrive.", || {
                (arrived() > before).then_some(())
            })
            .await?;
        Ok(Self::since(bench).await)
    }

    /// The answer has arrived just now.
    async fn since(bench: &Bench) -> Self {
        let begun = bench.last_moment(is_request).unwrap_or(bench.now());
        let took = bench.now().since(begun);
        // Whatever the page does with the answer, it does at once. The next request may be under way by then, and not here yet.
        bench.wait_ms(2).await;
        Self { begun, took, every: EVERY }
    }

    /// The next request, in its window.
    async fn next(self, bench: &Bench, server: &mut Script) -> Result<Asked, Failure> {
        let Self { begun, took, every } = self;
        let asked =
            server.request_within(Duration::from_millis(2 * every + 60_000), "").await.map_err(|_| {
                Failure::of(
                    "5.every",
                    format!(
                        "The client stopped asking: it goes on after each answer and each failure.{}",
                        own_mistake(bench)
                    ),
                )
            })?;
        expect_request(&asked, "5.at-once", PRICES)?;
        let at = bench.last_moment(is_request).unwrap_or(asked.at).since(begun);
        if at + 1 < every {
            return Err(Failure::of(
                "5.every",
                format!(
                    "The next request came {at} ms after the last one began, which is {} ms too early; `every` is {every} ms.",
                    every - at
                ),
            ));
        }
        if at > took + every + SLACK {
            return Err(Failure::of(
                "5.every",
                format!(
                    "The next request came {} ms after the last one was over, which is {} ms too late; `every` is {every} ms, also after a failure.",
                    at - took,
                    at - took - every
                ),
            ));
        }
        bench.leave_open(begun, (took.max(every), took + every), is_request);
        Ok(asked)
    }
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// Anything of an answer, or of its sudden end.
fn is_answer(moment: &Moment) -> bool {
    moment.place == Place::ToClient || moment.what == What::Cut
}

fn leave_out_said(bench: &Bench, label: &'static str) {
    bench.leave_out(move |moment| matches!(&moment.what, What::Said(spoken, _) if spoken == label));
}

/// What the value is worth is another TODO's business.
fn leave_out_status(bench: &Bench) {
    leave_out_said(bench, "status");
    leave_out_said(bench, "because");
}

fn expect_request(asked: &Asked, clause: &'static str, target: &str) -> Result<(), Failure> {
    if asked.method != "GET" || asked.target != target {
        return Err(Failure::of(
            clause,
            format!("The client asks for {} {}; it was told to GET {target}.", asked.method, asked.target),
        ));
    }
    Ok(())
}

fn expect_shown(bench: &Bench, tables: &[&String]) -> Result<(), Failure> {
    let seen = bench.said("show");
    let expected: Vec<Data> = tables.iter().map(|table| Data::of_text(table)).collect();
    if seen == expected {
        return Ok(());
    }
    Err(if seen.len() < expected.len() && expected.starts_with(&seen) {
        Failure::of(
            "5.show",
            format!(
                "{} of {} new answers were shown when they were there; {} was not.{}",
                seen.len(),
                expected.len(),
                bare(&expected[seen.len()]),
                own_mistake(bench)
            ),
        )
    } else if seen.len() > expected.len() && seen.starts_with(&expected) {
        Failure::of(
            after(bench),
            format!(
                "`show` was called {} times for {} new, the last time with {}: a 304 or a failure has nothing to show, and an answer is shown once.",
                seen.len(),
                if expected.len() == 1 {
                    "1 answer that was".to_owned()
                } else {
                    format!("{} answers that were", expected.len())
                },
                seen.last().map(bare).unwrap_or_default()
            ),
        )
    } else {
        let at = seen.iter().zip(&expected).take_while(|(seen, expected)| seen == expected).count();
        Failure::of(
            "5.show",
            format!(
                "`show` was called with {}; the answer was {}. It takes the parsed data of each new answer, in order.",
                seen.get(at).map(bare).unwrap_or_default(),
                expected.get(at).map(bare).unwrap_or_default()
            ),
        )
    })
}

/// Which clause speaks of what is shown after the last answer.
fn after(bench: &Bench) -> &'static str {
    let moments = bench.moments();
    let last = moments.iter().rev().find_map(|moment| match moment.what {
        What::Response { status, .. } => Some(status),
        _ => None,
    });
    match last {
        Some(200) | None => "5.show",
        Some(304) => "5.not-modified",
        Some(_) => "5.failure",
    }
}

fn shown(data: &Data) -> String {
    match data {
        Data::Json(text) | Data::Text(text) => text.clone(),
        Data::Bytes(length) => format!("{length} bytes"),
    }
}

/// A table of prices that nobody can know beforehand.
fn table(bench: &Bench) -> String {
    let price = |seq: u64, symbol: &str| {
        format!(r#"{{"seq":{seq},"data":{{"symbol":"{symbol}","price":{}}}}}"#, 5_000 + 25 * bench.draw(100))
    };
    format!("[{},{}]", price(1, "BBCA"), price(2, "BMRI"))
}

/// A strong tag that nobody can know beforehand.
fn tag(bench: &Bench) -> String {
    format!("\"{:04x}\"", bench.draw(0x1_0000))
}
