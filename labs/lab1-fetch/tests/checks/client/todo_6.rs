//! TODO 6: what the shown value is worth.

use std::time::Duration;

use grader::{
    Asked, Bench, Check,
    Disturbance::{Refuse, Stall},
    Failure, scene, sweep,
    wire::{What, transcript::Data},
};

use super::{
    EVERY, FILE, HTML, JSON, PROBLEM, Rhythm, SLACK, SORRY, expect_shown, first_request, is_request,
    leave_out_said, shown, start, table,
    todo_5_swept::{recovery, run, serve_versions, start_swept},
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_says_what_the_value_is_worth",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "cargo run -p lab1, open its page, stop the server with Ctrl-C, and start it again.",
    scenes: &[
        scene!(
            todo_6_fresh_and_stale,
            ["6.loading", "6.fresh", "6.stale", "6.reason"],
            "Prices; then the server is overloaded, answers again, and the connection is lost."
        ),
        scene!(
            todo_6_nothing_to_show,
            ["6.error", "6.reason", "6.fresh", "6.stale"],
            "The first two answers are errors. Then there are prices, and an error again."
        ),
        scene!(
            todo_6_every_failure,
            ["6.error", "6.stale", "6.reason"],
            "Failures of other kinds: not found, no JSON, a lost connection; first without a value, then with one that has no tag."
        ),
        scene!(
            todo_6_too_late,
            ["6.error", "6.stale", "6.reason"],
            "A request is not answered in time; first without a value, then with one."
        ),
        sweep!(
            todo_6_a_bad_network,
            ["6.fresh", "6.stale", "6.error"],
            [Refuse, Stall],
            "A new price every two seconds."
        ),
    ],
};

async fn todo_6_fresh_and_stale(bench: Bench) -> Result<(), Failure> {
    leave_out_said(&bench, "because");
    let mut server = bench.script();
    let _page = start(&bench)?;
    let first = if bench.is_plain() { table(&bench) } else { "null".to_owned() };
    let asked = first_request(&bench, &mut server).await?;
    bench.wait_ms(500).await;
    if !bench.said("status").is_empty() {
        expect_status(&bench, "6.loading", "loading", "The first answer is under way")?;
    }
    asked.answer(200, &[JSON, ("etag", "\"a\"")], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    if bench.said("status").is_empty() {
        return Err(Failure::NotStarted(6));
    }
    expect_status(&bench, "6.fresh", "fresh", "There is an answer")?;
    if !bench.said("status").contains(&Data::Text("loading".to_owned())) {
        return Err(Failure::of(
            "6.loading",
            "Until the first answer came, `status('loading')` was not called: an empty table looks like a market without prices.",
        ));
    }
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(503, &[PROBLEM], r#"{"status":503,"title":"The market is overloaded"}"#);
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(&bench, "6.stale", "stale", "An answer has failed (503), and a value is shown")?;
    expect_reason(&bench, &["HttpError 503"])?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(304, &[("etag", "\"a\"")], "");
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(
        &bench,
        "6.fresh",
        "fresh",
        "A 304 has come: what is shown is what there is (`ok` is false for it, and yet it has not failed)",
    )?;
    let asked = rhythm.next(&bench, &mut server).await?;
    drop(asked);
    bench.wait_ms(100).await;
    expect_status(&bench, "6.stale", "stale", "The connection was lost, and a value is shown")?;
    expect_reason::<&str>(&bench, &[])?;
    expect_shown(&bench, &[&first])
}

/// Who says 'loading' again when it tries again may.
fn leave_out_loading_after_an_error(bench: &Bench) {
    let mut has_failed = false;
    bench.leave_out(move |moment| match &moment.what {
        What::Said(label, Data::Text(word)) if label == "status" => {
            has_failed |= word == "error";
            has_failed && word == "loading"
        }
        _ => false,
    });
}

async fn todo_6_nothing_to_show(bench: Bench) -> Result<(), Failure> {
    leave_out_said(&bench, "because");
    leave_out_loading_after_an_error(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let first = table(&bench);
    first_request(&bench, &mut server).await?.answer(502, &[HTML], SORRY);
    let rhythm = Rhythm::after(&bench).await?;
    if bench.said("status").is_empty() {
        return Err(Failure::NotStarted(6));
    }
    expect_status(
        &bench,
        "6.error",
        "error",
        "The first answer has failed (502), and there is nothing to show",
    )?;
    expect_reason(&bench, &["HttpError 502"])?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(500, &[PROBLEM], r#"{"status":500,"title":"The log cannot be read"}"#);
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(
        &bench,
        "6.error",
        "error",
        "The second answer has failed (500), and there is still nothing to show",
    )?;
    // Whether the word is told again for another error is open.
    expect_reason(&bench, &["HttpError 500", "HttpError 502"])?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(200, &[JSON], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(&bench, "6.fresh", "fresh", "There is an answer at last")?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(502, &[HTML], SORRY);
    bench.wait_ms(100).await;
    expect_status(&bench, "6.stale", "stale", "An answer has failed (502), and a value is shown")?;
    expect_reason(&bench, &["HttpError 502"])?;
    expect_shown(&bench, &[&first])
}

/// What somebody between client and server sends.
const PAGE: &str = "<!doctype html><h1>Sorry</h1>";

/// How a request fails.
#[derive(Clone, Copy)]
enum Fails {
    Error(u16, &'static str),
    NoJson,
    Lost,
}

async fn todo_6_every_failure(bench: Bench) -> Result<(), Failure> {
    leave_out_said(&bench, "because");
    leave_out_loading_after_an_error(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let problem = r#"{"status":404,"title":"NONE is not traded here."}"#;
    let mut failures = vec![Fails::Error(404, problem), Fails::NoJson, Fails::Lost, Fails::Error(429, PAGE)];
    if !bench.is_plain() {
        let statuses = [400, 401, 403, 410, 422, 500, 501, 504, 599, 300];
        let mine = statuses.into_iter().skip(bench.seed() as usize % 2).step_by(2);
        failures.extend(mine.map(|status| Fails::Error(status, problem)));
    }
    // In the third play nothing comes between the failures.
    let is_mended = bench.seed() != 3;
    let mut asked = first_request(&bench, &mut server).await?;
    for has_value in [false, true] {
        if has_value {
            asked.answer(200, &[JSON], bench.pick(&["[1]", "null", "[]", "0", "\"\""]));
            let rhythm = Rhythm::after(&bench).await?;
            expect_status(&bench, "6.fresh", "fresh", "There is an answer at last")?;
            asked = rhythm.next(&bench, &mut server).await?;
        }
        for failure in &failures {
            let (what, reason) = match *failure {
                Fails::Error(status, _) => {
                    (format!("The answer is {status}"), Some(format!("HttpError {status}")))
                }
                // Which error these two give is open.
                Fails::NoJson => ("The answer is 200 and no JSON".to_owned(), None),
                Fails::Lost => ("The connection was lost".to_owned(), None),
            };
            let rhythm = fail(&bench, asked, *failure).await?;
            if bench.said("status").is_empty() {
                return Err(Failure::NotStarted(6));
            }
            if has_value {
                expect_status(&bench, "6.stale", "stale", &format!("{what}, and a value is shown"))?;
                // Whether a word is told again for another error is open.
                expect_reason(&bench, if is_mended { reason.as_slice() } else { &[] })?;
            } else {
                expect_status(&bench, "6.error", "error", &format!("{what}, and there is nothing to show"))?;
            }
            asked = rhythm.next(&bench, &mut server).await?;
            if has_value && is_mended {
                asked.answer(304, &[], "");
                let rhythm = Rhythm::after(&bench).await?;
                expect_status(&bench, "6.fresh", "fresh", "A 304 has come")?;
                asked = rhythm.next(&bench, &mut server).await?;
            }
        }
    }
    Ok(())
}

/// Lets this request fail, and the page hear of it.
async fn fail(bench: &Bench, asked: Asked, failure: Fails) -> Result<Rhythm, Failure> {
    match failure {
        Fails::Error(status, body) => {
            let media_type = if body == PAGE { HTML } else { PROBLEM };
            asked.answer(status, &[media_type], body);
        }
        Fails::NoJson => asked.answer(200, &[JSON, ("etag", "\"broken\"")], "[{\"seq\":1,"),
        Fails::Lost => drop(asked),
    }
    Rhythm::after(bench).await
}

async fn todo_6_too_late(bench: Bench) -> Result<(), Failure> {
    if bench.is_plain() {
        // A client that asks again too early is TODO 5's business: no transcript of it is expected here.
        return Ok(());
    }
    leave_out_said(&bench, "because");
    leave_out_loading_after_an_error(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let mut asked = first_request(&bench, &mut server).await?;
    for (clause, word, what) in
        [("6.error", "error", "and there is nothing to show"), ("6.stale", "stale", "and a value is shown")]
    {
        let begun = bench.last_moment(is_request).unwrap_or(asked.at);
        let left = 9_900 - bench.now().since(begun);
        let is_early = server.quiet(Duration::from_millis(left), "").await.is_err();
        let late = Duration::from_millis(100 + SLACK);
        let ended = || bench.last_moment(|moment| moment.what == What::Abort).filter(|ended| *ended > begun);
        if is_early || bench.until(late, "", ended).await.is_err() {
            return Ok(());
        }
        bench.wait_ms(2).await;
        if bench.said("status").is_empty() {
            return Err(Failure::NotStarted(6));
        }
        expect_status(&bench, clause, word, &format!("There was no answer for 10 s, {what}"))?;
        expect_reason(&bench, &["TimeoutError"])?;
        drop(asked);
        asked = Rhythm { begun, took: 10_000, every: EVERY }.next(&bench, &mut server).await?;
        if word == "error" {
            asked.answer(200, &[JSON], "[1]");
            asked = Rhythm::after(&bench).await?.next(&bench, &mut server).await?;
        }
    }
    Ok(())
}

async fn todo_6_a_bad_network(bench: Bench) -> Result<(), Failure> {
    let server = bench.script();
    let _page = start_swept(&bench)?;
    serve_versions(&bench, server);
    run(&bench, 1_200, recovery).await;
    let mut is_shown = false;
    let mut last = None;
    for (_, moment) in bench.recording() {
        let What::Said(label, data) = &moment.what else { continue };
        if label == "show" {
            is_shown = true;
            continue;
        }
        if label != "status" {
            continue;
        }
        let word = shown(data);
        match (word.as_str(), is_shown) {
            ("error", true) => {
                return Err(Failure::of(
                    "6.stale",
                    "`status` was called with 'error' while a value is shown.",
                ));
            }
            ("stale", false) => {
                return Err(Failure::of(
                    "6.error",
                    "`status` was called with 'stale', and no value is shown.",
                ));
            }
            ("loading", true) => {
                return Err(Failure::of(
                    "6.loading",
                    "`status` was called with 'loading' while a value is shown.",
                ));
            }
            _ => {}
        }
        last = Some(word);
    }
    match last.as_deref() {
        None => Err(Failure::NotStarted(6)),
        Some("fresh") => Ok(()),
        Some(word) => Err(Failure::of(
            "6.fresh",
            format!(
                "The network works again, answers come, and the last word of `status` is still '{word}'."
            ),
        )),
    }
}

fn expect_status(bench: &Bench, clause: &'static str, status: &str, because: &str) -> Result<(), Failure> {
    if status == "error" && asks_again_aloud(bench) {
        return Ok(());
    }
    match bench.said("status").last() {
        Some(Data::Text(now)) if now == status => Ok(()),
        Some(now) => {
            let error = match bench.said("error").last() {
                Some(error) if status != "fresh" && matches!(shown(now).as_str(), "stale" | "error") => {
                    format!(" The error that came with it is {}.", shown(error))
                }
                _ => String::new(),
            };
            Err(Failure::of(
                clause,
                format!("{because}; the page says '{}' instead of '{status}'.{error}", shown(now)),
            ))
        }
        None => Err(Failure::of(clause, format!("{because}, and `status('{status}')` was not called."))),
    }
}

/// Whether it has just said 'error', and then 'loading' because it asks again.
fn asks_again_aloud(bench: &Bench) -> bool {
    let moments = bench.moments();
    let mut words = moments.iter().rev().filter_map(|moment| match &moment.what {
        What::Said(label, word) if label == "status" => Some((bench.clock(moment), shown(word))),
        _ => None,
    });
    let (last, before) = (words.next(), words.next());
    last.is_some_and(|(_, word)| word == "loading")
        && before.is_some_and(|(at, word)| word == "error" && bench.now().since(at) <= SLACK)
}

/// The last failure was told with its error: one of these, or any where none is named.
fn expect_reason<W: AsRef<str>>(bench: &Bench, expected: &[W]) -> Result<(), Failure> {
    let moments = bench.moments();
    let last = moments.iter().rev().find_map(|moment| match &moment.what {
        // Who has failed may be loading again.
        What::Said(label, data) if label == "status" && shown(data) == "loading" => None,
        What::Said(label, data) if label == "because" || label == "status" => {
            Some((label == "because", data))
        }
        _ => None,
    });
    match last {
        Some((true, told))
            if expected.is_empty() || expected.iter().any(|word| word.as_ref() == shown(told)) =>
        {
            Ok(())
        }
        Some((true, told)) => Err(reason(
            bench,
            &format!("the second argument: {}", shown(told)),
            format!(
                "The second argument of `status` is {}; it should be the error that came, {}.",
                shown(told),
                expected[0].as_ref()
            ),
        )),
        _ => Err(reason(
            bench,
            "the second argument is missing",
            "`status` is told that something failed, and not what: the error is its second argument."
                .to_owned(),
        )),
    }
}

/// The clause of the second argument is broken; the note shows where.
fn reason(bench: &Bench, note: &str, words: String) -> Failure {
    bench.note(note);
    Failure::of("6.reason", words)
}
