//! TODO 5, disturbed at every moment.

use std::cell::Cell;

use grader::{
    Asked, Bench, Disturbance, Failure, Mark, Page, Script, invariant,
    wire::{Moment, Place, What, transcript::Data},
};

use super::{EVERY, JSON, PROBLEM, SLACK, is_request, open};

/// Polls, and tells each call as it is made: `say` may abort the signal within it.
pub(super) fn start_swept(bench: &Bench) -> Result<Page, Failure> {
    let page = open(bench)?;
    page.eval(
        "globalThis.stop = new AbortController();
        client.poll('/prices', {
            every: 1000,
            show: (data) => say('show', plain(data)),
            status: (word, error) => {
                unlessBegun(error);
                say('status', word);
            },
            signal: stop.signal,
        });",
    )?;
    Ok(page)
}

/// Lets `ms` pass; if the play is disturbed meanwhile, lets so many seconds pass from there.
pub(super) async fn run(bench: &Bench, ms: u64, after: impl Fn(Disturbance) -> u64) {
    for _ in 0..ms / 50 {
        bench.wait_ms(50).await;
        if let Some((what, _)) = bench.disturbance() {
            return bench.wait_s(after(what)).await;
        }
    }
}

pub(super) async fn todo_5_stopped_at_any_moment(bench: Bench) -> Result<(), Failure> {
    stopped(&bench, "5.abort").await
}

pub(super) async fn todo_5_stopped_inside(bench: Bench) -> Result<(), Failure> {
    stopped(&bench, "5.abort-inside").await
}

async fn stopped(bench: &Bench, clause: &'static str) -> Result<(), Failure> {
    let begun = bench.now();
    let server = bench.script();
    let _page = start_swept(bench)?;
    let (clock, count) = (bench.clone(), Cell::new(0));
    server.answer_all(move |asked| {
        count.set(count.get() + 1);
        answer(clock.clone(), asked, count.get())
    });
    run(bench, 3_300, |_| 12).await;
    invariant::silent_after_abort(bench, clause)?;
    let Some((_, aborted)) = bench.disturbance() else { return Ok(()) };
    let aborted = aborted.since(begun);
    let later = bench
        .recording()
        .into_iter()
        .find(|(at, moment)| *at > aborted + 1 && moment.place == Place::ToClient);
    match later {
        Some((at, _)) => Err(Failure::of(
            clause,
            format!(
                "{} ms after the abort the answer still comes: the request is not ended. Give `request` the signal.",
                at - aborted
            ),
        )),
        None => Ok(()),
    }
}

/// Prices, a failure, nothing new, new prices, bit by bit.
async fn answer(bench: Bench, asked: Asked, number: u64) {
    bench.wait_ms(40).await;
    match number {
        1 => asked.answer(200, &[JSON, ("etag", "\"a\"")], "[1]"),
        2 => asked.answer(503, &[PROBLEM], r#"{"status":503,"title":"The market is overloaded"}"#),
        3 => asked.answer(304, &[("etag", "\"a\"")], ""),
        _ => {
            let mut pieces = asked.open(200, &[JSON, ("etag", "\"b\"")]);
            for piece in ["[", "2]"] {
                bench.wait_ms(40).await;
                pieces.send(piece);
            }
            bench.wait_ms(40).await;
            pieces.end();
        }
    }
}

pub(super) async fn todo_5_a_bad_network(bench: Bench) -> Result<(), Failure> {
    let begun = bench.now();
    bench.show_request_headers(&["if-none-match"]);
    let server = bench.script();
    let _page = start_swept(&bench)?;
    serve_versions(&bench, server);
    run(&bench, 2_300, recovery).await;
    expect_one_at_a_time(&bench, begun)?;
    expect_each_shown(&bench)?;
    expect_tags(&bench)
}

/// How long a disturbance lasts, and some rounds after it, in seconds.
pub(super) fn recovery(what: Disturbance) -> u64 {
    match what {
        // What has waited for 40 s arrives; a request that was made meanwhile has 10 s.
        Disturbance::Stall => 53,
        Disturbance::Refuse => 6,
        _ => 3,
    }
}

/// A server whose prices move every two seconds.
pub(super) fn serve_versions(bench: &Bench, server: Script) {
    let (clock, begun) = (bench.clone(), bench.now());
    server.answer_all(move |asked| {
        let bench = clock.clone();
        async move {
            bench.wait_ms(30).await;
            let version = bench.now().since(begun) / 2_000;
            let tag = format!("\"v{version}\"");
            if asked.header("if-none-match") == Some(&tag) {
                asked.answer(304, &[("etag", &tag)], "");
            } else {
                asked.answer(200, &[JSON, ("etag", &tag)], format!("[{version}]"));
            }
        }
    });
}

/// Requests and their ends: never two at once, none too early, and none too late.
fn expect_one_at_a_time(bench: &Bench, begun: Mark) -> Result<(), Failure> {
    invariant::one_at_a_time(bench, "5.one-at-a-time", is_request)?;
    // When each exchange began, and when it ended, if it has.
    let mut spans: Vec<(u32, u64, Option<u64>)> = Vec::new();
    for (at, moment) in bench.recording() {
        let Some(exchange) = moment.exchange else { continue };
        match &moment.what {
            What::Request { .. } => spans.push((exchange, at, None)),
            // That a connection is refused is known up to 30 ms after it was asked for.
            What::Refused => spans.push((exchange, at.saturating_sub(30), Some(at))),
            What::Body(_) | What::Abort | What::Cut | What::Response { status: 304, .. } => {
                let mine = spans.iter_mut().find(|(other, ..)| *other == exchange);
                mine.into_iter().for_each(|(.., ended)| *ended = Some(at));
            }
            _ => {}
        }
    }
    for (before, next) in spans.iter().zip(spans.iter().skip(1)) {
        let (asked, slack) = if next.2 == Some(next.1 + 30) { (next.1 + 30, 30) } else { (next.1, 0) };
        if asked + 1 < before.1 + EVERY {
            return Err(Failure::of(
                "5.every",
                format!(
                    "The client asks {} ms after it has asked before; `every` is {EVERY} ms.",
                    asked - before.1
                ),
            ));
        }
        if before.2.is_some_and(|ended| asked > ended + EVERY + SLACK + slack) {
            return Err(Failure::of(
                "5.every",
                format!(
                    "The client asks {} ms after the request before was over; `every` is {EVERY} ms, also after a failure.",
                    asked - before.2.unwrap_or_default()
                ),
            ));
        }
    }
    // The last request may be waiting for an answer: 10 s.
    let over = bench.now().since(begun);
    let ended = spans.last().map_or(0, |(_, asked, ended)| ended.unwrap_or(*asked));
    if over > ended + 10_000 + EVERY + SLACK {
        return Err(Failure::of(
            "5.every",
            format!("{} ms after its last request the client has not asked again.", over - ended),
        ));
    }
    Ok(())
}

/// Every body of a 200 that arrived was shown, once and in order.
fn expect_each_shown(bench: &Bench) -> Result<(), Failure> {
    let recording = bench.recording();
    let bodies: Vec<Data> = recording
        .iter()
        .filter_map(|(_, moment)| match &moment.what {
            What::Body(data) => Some(data.clone()),
            _ => None,
        })
        .collect();
    invariant::shown(bench, "show", &bodies, false, "5.show")
}

/// Each request names the tag of what is shown when it is made.
fn expect_tags(bench: &Bench) -> Result<(), Failure> {
    let mut is_shown: Option<String> = None;
    for (_, moment) in bench.recording() {
        match &moment.what {
            What::Said(label, data) if label == "show" => {
                is_shown = Some(super::shown(data).replace('[', "\"v").replace(']', "\""));
            }
            What::Request { .. } => {
                let named = if_none_match(&moment);
                if named != is_shown {
                    let words = |tag: &Option<String>| tag.clone().unwrap_or_else(|| "nothing".to_owned());
                    return Err(Failure::of(
                        "5.tag",
                        format!(
                            "The request names {} in `if-none-match`; the tag of what is shown is {}.",
                            words(&named),
                            words(&is_shown)
                        ),
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn if_none_match(request: &Moment) -> Option<String> {
    let What::Request { headers, .. } = &request.what else { return None };
    headers.iter().find(|(name, _)| name == "if-none-match").map(|(_, value)| value.clone())
}
