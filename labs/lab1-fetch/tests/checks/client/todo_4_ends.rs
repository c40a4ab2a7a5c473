//! TODO 4: a request that takes too long, and one whose caller gives up.

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Mark, Stream,
    wire::{What, transcript::Data},
};

use super::{
    JSON, PROBLEM, SLACK,
    call::{Call, is_result},
    open, shown, table,
};

/// What a server does that does not answer in time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Silent,
    SendsHalf,
    SendsBitByBit,
    /// Half of a problem document.
    SendsHalfAnError,
}

pub(super) async fn todo_4_no_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    let prices = table(&bench);
    page.eval("globalThis.other = new AbortController()")?;
    let mut cases = vec![
        ("{ timeout: 1000 }", 1_000, Server::Silent),
        ("{ timeout: 2000 }", 2_000, Server::SendsHalf),
        ("{}", 10_000, Server::Silent),
        ("{ timeout: 1500, signal: other.signal }", 1_500, Server::Silent),
        ("{ timeout: 1200, signal: other.signal }", 1_200, Server::SendsBitByBit),
    ];
    if !bench.is_plain() {
        cases.extend([
            ("{ timeout: 50 }", 50, Server::Silent),
            ("{ timeout: 60000 }", 60_000, Server::Silent),
            ("{ signal: other.signal }", 10_000, Server::SendsHalf),
            ("{}", 10_000, Server::SendsBitByBit),
            ("{ timeout: undefined }", 10_000, Server::Silent),
            ("{ timeout: 300 }", 300, Server::SendsHalfAnError),
        ]);
    }
    for (options, limit, how) in cases {
        let call = Call::new(&bench, &page, &format!("ask('/prices', {options})"))?;
        let from = call.begun;
        let asked = call.request(&mut server).await?;
        let held = Held::by(&bench, asked, how, &prices, from, limit - 1).await;
        if let Some(settled) = call.settled() {
            // Whether it is read is open.
            if how == Server::SendsHalfAnError && !settled.is_resolved {
                continue;
            }
            return Err(Failure::of(
                "4.timeout",
                format!("{limit} ms are not over yet, and `getJson` {}.", settled.how()),
            ));
        }
        bench.wait_ms(1 + SLACK).await;
        let what = match how {
            Server::Silent => "no answer has come",
            Server::SendsHalf => "half an answer has come",
            Server::SendsHalfAnError => "half an error has come",
            Server::SendsBitByBit => "the answer still comes bit by bit",
        };
        let hint = match how {
            Server::Silent if options.contains("signal") => {
                "The caller's `signal` and the time are both to end it; `AbortSignal.any` makes one signal of two."
            }
            Server::Silent => "",
            _ => {
                "The time is for the whole answer: the signal that ends it is to hold for the reading of the body, too, and it does not start anew with each piece."
            }
        };
        let settled = call.expect_settled("4.timeout", &format!("{limit} ms are over and {what}"), hint)?;
        let is_known = how == Server::SendsHalfAnError && !settled.is_resolved;
        if !is_known && settled.data != Data::Text("TimeoutError".to_owned()) {
            return Err(Failure::of(
                "4.timeout",
                format!(
                    "{limit} ms are over and {what}; `getJson` should reject with an error whose name is `TimeoutError`. It {}.",
                    settled.how()
                ),
            ));
        }
        bench.tell_as_window(from, (limit, limit + SLACK), is_result);
        if !was_aborted(&bench, from) {
            return Err(Failure::of(
                "4.ended",
                "The time is over, `getJson` has rejected, and the request is still under way: it costs a connection, and its answer may yet come. Give `fetch` a signal that ends it, and its body.",
            ));
        }
        bench.tell_as_window(from, (limit, limit + SLACK), |moment| moment.what == What::Abort);
        drop(held);
        bench.wait_ms(500).await;
    }
    Ok(())
}

/// An answer that is held back.
enum Held {
    Silent { _asked: Asked },
    Begun { _body: Stream },
}

impl Held {
    /// Answers as this server does, until `limit` ms after `from`.
    async fn by(bench: &Bench, asked: Asked, how: Server, body: &str, from: Mark, limit: u64) -> Self {
        let left = || limit.saturating_sub(bench.now().since(from));
        if how == Server::Silent {
            bench.wait_ms(left()).await;
            return Self::Silent { _asked: asked };
        }
        let (status, media_type) = if how == Server::SendsHalfAnError { (500, PROBLEM) } else { (200, JSON) };
        let mut stream = asked.open(status, &[media_type]);
        if how != Server::SendsBitByBit {
            stream.send(body[..body.len() / 2].to_owned());
        } else {
            let mut bytes = body.bytes();
            // Never two pieces further apart than a fifth of the time.
            while left() > limit / 5 {
                bench.wait_ms(limit / 5).await;
                stream.send(bytes.next().map_or_else(String::new, |byte| char::from(byte).to_string()));
            }
        }
        bench.wait_ms(left()).await;
        Self::Begun { _body: stream }
    }
}

/// Whether a request was ended on the network since then.
fn was_aborted(bench: &Bench, since: Mark) -> bool {
    bench.last_moment(|moment| moment.what == What::Abort).is_some_and(|aborted| aborted >= since)
}

pub(super) async fn todo_4_the_next_request(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    page.eval("globalThis.stop = new AbortController()")?;
    for wait in [0, 700] {
        let call = Call::new(&bench, &page, "ask('/prices', { timeout: 1000, signal: stop.signal })")?;
        let asked = call.request(&mut server).await?;
        bench.wait_ms(wait).await;
        let prices = table(&bench);
        asked.answer(200, &[JSON], prices.clone());
        bench.wait_ms(100).await;
        let settled = call.expect_settled("4.data", "The answer has come", "")?;
        if !settled.is_resolved {
            return Err(Failure::of(
                "4.own-time",
                format!(
                    "The answer came after {wait} ms and had 1000; `getJson` {}. Does the time of an earlier request, which was answered, still run?",
                    settled.how()
                ),
            ));
        }
        settled.expect_data(200, &prices)?;
        bench.wait_ms(300).await;
    }
    Ok(())
}

pub(super) async fn todo_4_two_at_once(bench: Bench) -> Result<(), Failure> {
    let begun = bench.now();
    let mut server = bench.script();
    let page = open(&bench)?;
    page.eval(
        "globalThis.stop = new AbortController();
        const named = (name, options) =>
            client.getJson('/prices', options).then(
                () => say(name, 'resolved'),
                (error) => {
                    unlessBegun(error);
                    say('error', inFull(error));
                    say(name, `rejected: ${error?.name}`);
                },
            );
        named('first', { timeout: 1000 });
        named('second', { timeout: 5000, signal: new AbortController().signal });
        named('third', { timeout: 5000, signal: stop.signal });",
    )?;
    let mut asked = Vec::new();
    for _ in 0..3 {
        let next = server.request_within(Duration::from_millis(500), "").await.map_err(|_| {
            Failure::of(
                "4.own-time",
                format!(
                    "`getJson` was called three times, and {} requests were made: one does not wait for another.",
                    asked.len()
                ),
            )
        })?;
        asked.push(next);
    }
    bench.wait_ms(1_000 + SLACK).await;
    bench.leave_out(|moment| moment.what == What::Abort);
    bench.tell_as_window(begun, (1_000, 1_000 + SLACK), |moment| matches!(moment.what, What::Said(..)));
    expect_each(&bench, &[("first", "rejected: TimeoutError")], "The first one's 1000 ms are over")?;
    page.eval("stop.abort()")?;
    bench.wait_ms(100).await;
    expect_each(
        &bench,
        &[("first", "rejected: TimeoutError"), ("third", "rejected: AbortError")],
        "The third one's signal is aborted",
    )?;
    for asked in asked {
        asked.answer(200, &[JSON], "[]");
    }
    bench.wait_ms(100).await;
    expect_each(
        &bench,
        &[("first", "rejected: TimeoutError"), ("third", "rejected: AbortError"), ("second", "resolved")],
        "The second has its answer",
    )
}

/// What became of the three so far.
fn expect_each(bench: &Bench, expected: &[(&str, &str)], because: &str) -> Result<(), Failure> {
    for name in ["first", "second", "third"] {
        let told: Vec<String> = bench.said(name).iter().map(shown).collect();
        let should: Vec<&str> =
            expected.iter().filter(|(other, _)| *other == name).map(|(_, result)| *result).collect();
        if told != should {
            let words =
                |list: &[&str]| if list.is_empty() { "under way".to_owned() } else { list.join(", ") };
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            return Err(Failure::of(
                "4.own-time",
                format!(
                    "{because}. The {name} of three requests should be {}; it is {}. Each request has a time, and a signal, of its own.",
                    words(&should),
                    words(&told)
                ),
            ));
        }
    }
    Ok(())
}

pub(super) async fn todo_4_given_up(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    let mut begins = vec![None, Some((200, JSON, "["))];
    if !bench.is_plain() {
        begins.push(Some((500, PROBLEM, "{\"title\":")));
    }
    for begins in begins {
        let call = Call::new(
            &bench,
            &page,
            "globalThis.stop = new AbortController(); ask('/prices', { timeout: 5000, signal: stop.signal })",
        )?;
        let asked = call.request(&mut server).await?;
        let _held = match begins {
            Some((status, media_type, part)) => {
                let mut body = asked.open(status, &[media_type]);
                body.send(part);
                Held::Begun { _body: body }
            }
            None => Held::Silent { _asked: asked },
        };
        bench.wait_ms(500).await;
        let from = bench.now();
        page.eval("stop.abort()")?;
        bench.wait_ms(100).await;
        expect_abort_error(
            &call,
            "The caller has given up (its `signal` is aborted)",
            "Give `fetch` a signal that aborts with the caller's; `AbortSignal.any` makes one signal of two.",
        )?;
        if !was_aborted(&bench, from) {
            return Err(Failure::of(
                "4.ended",
                "The caller has given up, `getJson` has rejected, and the request is still under way.",
            ));
        }
    }
    bench.note("the next signal was aborted from the beginning");
    let call = Call::new(&bench, &page, "ask('/prices', { signal: AbortSignal.abort() })")?;
    bench.wait_ms(100).await;
    let quiet = server.quiet(Duration::from_secs(10), "").await;
    if quiet.is_err() {
        return Err(Failure::of(
            "4.never-asked",
            "The signal was aborted before `getJson` was called, and it asks all the same: nobody waits for that answer. A signal that is aborted already sends no `abort` event any more; `signal.aborted` tells.",
        ));
    }
    expect_abort_error(
        &call,
        "The signal was aborted before `getJson` was called",
        "A signal that is aborted already sends no `abort` event any more; `signal.aborted` tells.",
    )
}

fn expect_abort_error(call: &Call, because: &str, hint: &str) -> Result<(), Failure> {
    let settled = call.expect_settled("4.abort", because, hint)?;
    if !settled.is_resolved && settled.data == Data::Text("AbortError".to_owned()) {
        return Ok(());
    }
    Err(Failure::of(
        "4.abort",
        format!(
            "{because}; `getJson` should reject with the signal's reason, an `AbortError`. It {}.",
            settled.how()
        ),
    ))
}

pub(super) async fn todo_4_aborted_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let begun = bench.now();
    let server = bench.script();
    let page = open(&bench)?;
    page.eval(
        "globalThis.stop = new AbortController();
        (async () => {
            for (const name of ['prices', 'problem', 'nothing-new']) {
                const result = await client.getJson(`/${name}`, { timeout: 5000, signal: stop.signal }).then(
                    () => 'resolved',
                    (error) => {
                        unlessBegun(error);
                        say('error', inFull(error));
                        if (stop.signal.aborted && (error === stop.signal.reason || error?.name === 'AbortError')) return 'aborted';
                        return error instanceof client.HttpError ? 'HttpError' : String(error?.name ?? error);
                    },
                );
                say(name, result);
                if (stop.signal.aborted) break;
            }
        })();",
    )?;
    let clock = bench.clone();
    server.answer_all(move |asked| answer_slowly(clock.clone(), asked));
    bench.wait_ms(2_000).await;
    let told: Vec<(u64, String, String)> = bench
        .recording()
        .into_iter()
        .filter_map(|(at, moment)| match moment.what {
            What::Said(label, data) if label != "error" => Some((at, label, shown(&data))),
            _ => None,
        })
        .collect();
    let Some((_, aborted)) = bench.disturbance() else { return Ok(()) };
    let aborted = aborted.since(begun);
    let should = [("prices", "resolved"), ("problem", "HttpError"), ("nothing-new", "resolved")];
    let (before, after): (Vec<_>, Vec<_>) = told.into_iter().partition(|(at, ..)| *at < aborted);
    if before.len() == should.len() {
        return Ok(());
    }
    let name = should[before.len()].0;
    let error = bench.said("error").last().map(shown).unwrap_or_default();
    match after.as_slice() {
        [(at, _, result)] if result == "aborted" && *at <= aborted + 2 => {}
        [(at, _, result)] if result == "aborted" => {
            return Err(Failure::of(
                "4.abort",
                format!(
                    "The promise of `getJson('/{name}')` rejects {} ms after that, and not at once.",
                    at - aborted
                ),
            ));
        }
        [] => {
            return Err(Failure::of(
                "4.abort",
                format!("The promise of `getJson('/{name}')` is neither resolved nor rejected."),
            ));
        }
        [(_, _, result), ..] => {
            let how = match result.as_str() {
                "resolved" => "resolves all the same".to_owned(),
                "HttpError" => "rejects with an HttpError".to_owned(),
                _ => format!("rejects with {error}"),
            };
            return Err(Failure::of(
                "4.abort",
                format!(
                    "`getJson('/{name}')` should reject with the signal's reason or an `AbortError`; it {how}. The caller has given up, and wants to hear nothing else."
                ),
            ));
        }
    }
    let later = bench
        .recording()
        .into_iter()
        .find(|(at, moment)| *at > aborted + 1 && moment.place == grader::wire::Place::ToClient);
    match later {
        Some((at, _)) => Err(Failure::of(
            "4.ended",
            format!(
                "`getJson('/{name}')` has rejected, and {} ms after the abort its answer still comes: the request was not ended.",
                at - aborted
            ),
        )),
        None => Ok(()),
    }
}

/// Each answer in pieces, with time between them.
async fn answer_slowly(bench: Bench, asked: Asked) {
    bench.wait_ms(50).await;
    let (status, head, body) = match asked.target.as_str() {
        "/prices" => (200, JSON, "[{\"seq\":1,\"data\":{}}]"),
        "/problem" => (422, PROBLEM, r#"{"status":422,"detail":"No."}"#),
        _ => return asked.answer(304, &[], ""),
    };
    let mut pieces = asked.open(status, &[head]);
    for piece in body.as_bytes().chunks(body.len() / 2) {
        bench.wait_ms(50).await;
        pieces.send(piece.to_vec());
    }
    bench.wait_ms(50).await;
    pieces.end();
}
