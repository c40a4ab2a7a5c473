//! TODO 5: one request at a time.

use std::time::Duration;

use grader::{
    Asked, Bench, Check,
    Disturbance::{Abort, AbortInside, Refuse, Stall},
    Failure, Script, awkward, scene, sweep,
    wire::What,
};

use super::{
    EVERY, FILE, HTML, JSON, PROBLEM, Rhythm, SLACK, expect_request, expect_shown, first_request, is_request,
    leave_out_status, open, shown, start, table, tag,
    todo_5_swept::{todo_5_a_bad_network, todo_5_stopped_at_any_moment, todo_5_stopped_inside},
};

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_polls_one_at_a_time",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "open the lab's page with the network panel set to Slow 3G and an interval of ¼ s: how many requests are under way, and what do they say in `if-none-match`? Then press Stop.",
    scenes: &[
        scene!(
            todo_5_asks_and_asks_again,
            ["5.at-once", "5.every", "5.show", "5.not-modified", "5.tag"],
            "Prices, nothing new, new prices, nothing new. Then the page is done with it."
        ),
        scene!(
            todo_5_a_slow_answer,
            ["5.one-at-a-time"],
            "An answer takes three and a half times as long as the interval."
        ),
        scene!(
            todo_5_fails_and_fails,
            ["5.every", "5.failure"],
            "Failure after failure, of every kind, and at last there are prices."
        ),
        scene!(todo_5_no_answer, ["5.no-answer", "5.one-at-a-time"], "A request is not answered at all."),
        scene!(
            todo_5_the_tag_of_what_is_shown,
            ["5.tag", "5.failure"],
            "Answers that fail have tags of their own: a 503, a body that is broken, a body that breaks off."
        ),
        scene!(
            todo_5_each_answer_is_shown,
            ["5.show"],
            "Answers that look like nothing new: the same prices again, none at all, and null."
        ),
        scene!(
            todo_5_two_at_once,
            ["5.apart"],
            "Two polls in one page, for two addresses, with tags of their own. One of them is stopped."
        ),
        scene!(todo_5_aborted, ["5.abort"], "The page is done with it while a request is under way."),
        scene!(
            todo_5_never_begins,
            ["5.abort-inside"],
            "The signal was aborted before the client is called."
        ),
        sweep!(
            todo_5_stopped_at_any_moment,
            ["5.abort"],
            [Abort],
            "Prices, a failure, nothing new, new prices. The page is done with it somewhere."
        ),
        sweep!(
            todo_5_stopped_inside,
            ["5.abort-inside"],
            [AbortInside],
            "Prices, a failure, nothing new, new prices. The page is done with it when `show` or `status` is called."
        ),
        sweep!(
            todo_5_a_bad_network,
            ["5.one-at-a-time", "5.every", "5.show", "5.tag"],
            [Refuse, Stall],
            "A new price every two seconds."
        ),
    ],
};

async fn todo_5_asks_and_asks_again(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["if-none-match"]);
    bench.show_response_headers(&["etag"]);
    leave_out_status(&bench);
    let mut server = bench.script();
    let page = start(&bench)?;
    let (first, second) = (table(&bench), table(&bench));
    let old = bench.pick(&[tag(&bench), "\"a,b\"".to_owned(), "\"\"".to_owned(), "\"W/\"".to_owned()]);
    let new = format!("W/{}", tag(&bench));

    let asked = first_request(&bench, &mut server).await?;
    expect_tag(&asked, None, "Nothing is shown yet")?;
    asked.answer(200, &[JSON, ("etag", &old)], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first])?;

    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, Some(&old), "It is the tag of what is shown")?;
    asked.answer(304, &[("etag", &old)], "");
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first])?;

    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, Some(&old), "A 304 changes nothing")?;
    asked.answer(200, &[JSON, ("etag", &new)], second.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first, &second])?;

    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, Some(&new), "A tag is sent back as it came, `W/` and all")?;
    // This one does not repeat the tag.
    asked.answer(304, &[], "");
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    if asked.header("if-none-match") != Some(&new) {
        return Err(Failure::of(
            "5.not-modified",
            format!(
                "The 304 came without a tag, and the next request has {}; it should name {new}, the tag of what is still shown.",
                asked
                    .header("if-none-match")
                    .map_or("no `if-none-match`".to_owned(), |named| format!("`if-none-match: {named}`"))
            ),
        ));
    }
    asked.answer(304, &[("etag", &new)], "");
    bench.wait_ms(100).await;
    expect_shown(&bench, &[&first, &second])?;
    page.eval("stop.abort()")?;
    quiet(&mut server, 30, "5.abort", "The signal was aborted; the client must ask for nothing more").await
}

/// Nothing is asked for so many seconds.
async fn quiet(server: &mut Script, seconds: u64, clause: &'static str, words: &str) -> Result<(), Failure> {
    server.quiet(Duration::from_secs(seconds), words).await.map_err(|failure| failure.or_of(clause))
}

async fn todo_5_a_slow_answer(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let every = bench.pick(&[EVERY, 250, 2_500]);
    let page = open(&bench)?;
    page.eval(&format!("globalThis.stop = new AbortController(); begin({{ every: {every} }})"))?;
    let (first, second) = (table(&bench), table(&bench));
    let asked = first_request(&bench, &mut server).await?;
    let overlapping = server.quiet(Duration::from_millis(every * 7 / 2), "").await.is_err();
    if overlapping {
        let has_let_go = bench.last_moment(|moment| moment.what == What::Abort).is_some();
        return Err(Failure::of(
            "5.one-at-a-time",
            if has_let_go {
                "The client ended a request that was under way, and asked again: a server that is slower than the interval is asked for ever and never heard."
            } else {
                "Two requests are in flight: the first has no answer yet. A slow server gets more and more of them, and the answer that comes last need not be the newest."
            },
        ));
    }
    let body = first.clone();
    asked.answer(200, &[JSON], body);
    let rhythm = Rhythm { every, ..Rhythm::after(&bench).await? };
    expect_shown(&bench, &[&first])?;
    let asked = rhythm.next(&bench, &mut server).await?;
    // The head comes at once, the body is slow.
    if !bench.is_plain() {
        let mut pieces = asked.open(200, &[JSON]);
        for piece in second.as_bytes().chunks(second.len().div_ceil(7)) {
            if server.quiet(Duration::from_millis(every / 2), "").await.is_err() {
                return Err(Failure::of(
                    "5.one-at-a-time",
                    "Two requests are in flight: of the first one's answer the body is not whole yet.",
                ));
            }
            pieces.send(piece.to_vec());
        }
        pieces.end();
        bench.wait_ms(100).await;
        return expect_shown(&bench, &[&first, &second]);
    }
    asked.answer(200, &[JSON], second.clone());
    bench.wait_ms(100).await;
    expect_shown(&bench, &[&first, &second])
}

async fn todo_5_no_answer(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let (first, old) = (table(&bench), table(&bench));
    let asked = first_request(&bench, &mut server).await?;
    let early = server.quiet(Duration::from_millis(9_900), "").await;
    let begun = bench.last_moment(is_request).unwrap_or(asked.at);
    if early.is_err() {
        return Err(Failure::of(
            "5.one-at-a-time",
            format!(
                "The first request has no answer yet, and 10 s are not over: the client asks again after {} ms, and two are in flight, or one was given up too early.",
                begun.since(asked.at)
            ),
        ));
    }
    // The next request may begin in the millisecond in which this one is ended.
    bench.leave_out(|moment| moment.what == What::Abort);
    bench
        .until(
            Duration::from_millis(90 + SLACK),
            "There is no answer after 10 s, and the request is still under way: nothing will ever be asked again, or two are in flight.",
            || bench.last_moment(|moment| moment.what == What::Abort),
        )
        .await
        .map_err(|failure| failure.or_of("5.no-answer"))?;
    let rhythm = Rhythm { begun, took: 10_000, every: EVERY };
    let next = rhythm.next(&bench, &mut server).await.map_err(|failure| match failure {
        Failure::Broken { words, .. } => Failure::of("5.no-answer", words),
        other => other,
    })?;
    // Too late for anybody to hear it.
    asked.answer(200, &[JSON], old);
    next.answer(200, &[JSON], first.clone());
    bench.wait_ms(100).await;
    expect_shown(&bench, &[&first])
}

async fn todo_5_the_tag_of_what_is_shown(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["if-none-match"]);
    bench.show_response_headers(&["etag"]);
    leave_out_status(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let (first, second) = (table(&bench), table(&bench));
    let tags: Vec<String> = (0..4).map(|_| tag(&bench)).collect();
    let kept = |asked: &Asked| {
        let because = "It is the tag of what is shown, not of an answer that failed";
        expect_tag(asked, Some(&tags[0]), because).map_err(|failure| match failure {
            Failure::Broken { words, .. } => Failure::of("5.failure", words),
            other => other,
        })
    };

    first_request(&bench, &mut server).await?.answer(200, &[JSON, ("etag", &tags[0])], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first])?;

    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(503, &[PROBLEM, ("etag", &tags[1])], r#"{"status":503,"title":"Service Unavailable"}"#);
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    kept(&asked)?;
    asked.answer(200, &[JSON, ("etag", &tags[2])], "[{\"seq\":1,");
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    kept(&asked)?;
    let mut body = asked.open(200, &[JSON, ("etag", &tags[3])]);
    body.send("[{\"seq\":1,");
    bench.wait_ms(100).await;
    drop(body);
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    kept(&asked)?;
    expect_shown(&bench, &[&first])?;

    bench.note("an answer without a tag");
    asked.answer(200, &[JSON], second.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first, &second])?;
    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, None, "What is shown came without a tag")?;
    asked.answer(200, &[JSON], second.clone());
    Ok(())
}

async fn todo_5_each_answer_is_shown(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let page = open(&bench)?;
    // The first play asks every second, the second four times a second, the third every half minute.
    let every = [EVERY, 250, 30_000][(bench.seed() as usize + 2) % 3];
    page.eval(&format!("globalThis.stop = new AbortController(); begin({{ every: {every} }})"))?;
    let prices = table(&bench);
    let mut bodies = vec![prices.clone(), prices.clone(), "[]".to_owned(), "null".to_owned()];
    if !bench.is_plain() {
        let text = bench.pick(&awkward::TEXTS).replace(['"', '\\', '\n', '\r'], "'");
        bodies.extend(["0", "\"\"", "false", "{}", "null"].map(str::to_owned));
        bodies.extend([format!("[{{\"symbol\":\"{text}\"}}]"), prices.clone()]);
    }
    let mut asked = first_request(&bench, &mut server).await?;
    let mut seen = Vec::new();
    for body in &bodies {
        seen.push(body);
        let tag = tag(&bench);
        asked.answer(200, &[JSON, ("etag", &tag)], body.clone());
        let rhythm = Rhythm { every, ..Rhythm::after(&bench).await? };
        expect_shown(&bench, &seen)?;
        asked = rhythm.next(&bench, &mut server).await?;
        expect_tag(&asked, Some(&tag), "It is the tag of what is shown, whatever that is")?;
    }
    Ok(())
}

/// How a request fails.
#[derive(Clone, Copy)]
enum Fails {
    Error(u16),
    NoJson,
    BreaksOff,
    NoAnswer,
}

async fn todo_5_fails_and_fails(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let mut failures =
        vec![Fails::Error(500), Fails::NoAnswer, Fails::NoJson, Fails::BreaksOff, Fails::Error(404)];
    let mut asked = first_request(&bench, &mut server).await?;
    let mut is_shown = None;
    if !bench.is_plain() {
        let statuses = [400, 401, 403, 410, 413, 418, 429, 451, 501, 502, 503, 504, 300, 599];
        failures.extend(statuses.into_iter().skip(bench.seed() as usize % 2).step_by(2).map(Fails::Error));
        failures.extend([Fails::NoAnswer, Fails::NoAnswer, Fails::NoJson]);
        let (prices, tag) = (table(&bench), tag(&bench));
        asked.answer(200, &[JSON, ("etag", &tag)], prices.clone());
        let rhythm = Rhythm::after(&bench).await?;
        expect_shown(&bench, &[&prices])?;
        asked = rhythm.next(&bench, &mut server).await?;
        is_shown = Some((prices, tag));
    }
    for failure in failures {
        let rhythm = match failure {
            Fails::Error(status) => {
                asked.answer(status, &[HTML, ("retry-after", "30")], "<!doctype html><h1>Sorry</h1>");
                Rhythm::after(&bench).await?
            }
            Fails::NoJson => {
                asked.answer(200, &[JSON], "[{\"seq\":1,");
                Rhythm::after(&bench).await?
            }
            Fails::BreaksOff => {
                let mut body = asked.open(200, &[JSON]);
                body.send("[{\"seq\":1,");
                bench.wait_ms(50).await;
                drop(body);
                Rhythm::after(&bench).await?
            }
            Fails::NoAnswer => {
                drop(asked);
                Rhythm::after(&bench).await?
            }
        };
        asked = rhythm.next(&bench, &mut server).await?;
        if let Some((_, tag)) = &is_shown {
            let because = "A failure changes neither what is shown nor its tag";
            expect_tag(&asked, Some(tag), because).map_err(|failure| match failure {
                Failure::Broken { words, .. } => Failure::of("5.failure", words),
                other => other,
            })?;
        }
    }
    let prices = table(&bench);
    asked.answer(200, &[JSON], prices.clone());
    bench.wait_ms(100).await;
    let mut all: Vec<&String> = is_shown.iter().map(|(shown, _)| shown).collect();
    all.push(&prices);
    expect_shown(&bench, &all)
}

async fn todo_5_two_at_once(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let page = open(&bench)?;
    page.eval(
        "globalThis.stop = new AbortController();
        const of = (symbol, signal) => client.poll(`/prices/${symbol}`, {
            every: 1000,
            show: (data) => say(symbol, data),
            status: (word, error) => unlessBegun(error),
            signal,
        });
        of('BMRI', stop.signal);
        of('TLKM', new AbortController().signal);",
    )?;
    let (bmri, tlkm) = (tag(&bench), tag(&bench));
    let tag_of = |target: &str| if target == "/prices/BMRI" { bmri.clone() } else { tlkm.clone() };
    // Whose request comes first in a round is open, and so is when a round begins.
    bench.leave_out(|moment| !matches!(moment.what, What::Said(..) | What::Note(_)));
    for round in 0..3 {
        if round == 2 {
            page.eval("stop.abort()")?;
        }
        let mut targets = Vec::new();
        for _ in 0..if round == 2 { 1 } else { 2 } {
            let asked = server.request_within(Duration::from_millis(EVERY + 200), "").await.map_err(|_| {
                Failure::of(
                    "5.apart",
                    format!(
                        "{} of two polls of one page asks{}: a poll is stopped by its own signal, and waits for its own answer.",
                        if targets.is_empty() { "None" } else { "One" },
                        if round == 2 { ", though only BMRI was stopped" } else { "" }
                    ),
                )
            })?;
            let target = asked.target.clone();
            if round == 2 && target != "/prices/TLKM" {
                return Err(Failure::of("5.apart", format!("BMRI was stopped, and {target} is asked for.")));
            }
            if round > 0 && asked.header("if-none-match") != Some(&tag_of(&target)) {
                let named = asked.header("if-none-match").unwrap_or("nothing");
                bench.note(&format!("GET {target} names {named} in `if-none-match`"));
                return Err(Failure::of(
                    "5.apart",
                    format!(
                        "The request for {target} has the `if-none-match` {}; the tag of what is shown there is {}. Two polls run in this page, and each has a tag of its own.",
                        asked.header("if-none-match").unwrap_or("that is missing"),
                        tag_of(&target)
                    ),
                ));
            }
            if round == 0 {
                asked.answer(200, &[JSON, ("etag", &tag_of(&target))], format!("\"{target}\""));
            } else {
                asked.answer(304, &[], "");
            }
            targets.push(target);
        }
        bench.wait_ms(100).await;
    }
    for (symbol, expected) in [("BMRI", "/prices/BMRI"), ("TLKM", "/prices/TLKM")] {
        let told: Vec<String> = bench.said(symbol).iter().map(shown).collect();
        if told != [expected] {
            return Err(Failure::of(
                "5.apart",
                format!(
                    "The `show` of the poll for {expected} was called with [{}]; it should be [{expected}].",
                    told.join(", ")
                ),
            ));
        }
    }
    Ok(())
}

async fn todo_5_aborted(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let page = start(&bench)?;
    let (first, second) = (table(&bench), table(&bench));
    first_request(&bench, &mut server).await?.answer(200, &[JSON], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    bench.wait_ms(100).await;
    let told = bench.said("status").len();
    let from = bench.now();
    page.eval(bench.pick(&[
        "stop.abort()",
        "stop.abort(new Error('no longer wanted'))",
        "stop.abort(new DOMException('It took too long.', 'TimeoutError'))",
        "stop.abort('enough')",
    ]))?;
    bench.wait_ms(100).await;
    if bench.last_moment(|moment| moment.what == What::Abort).is_none_or(|aborted| aborted < from) {
        return Err(Failure::of(
            "5.abort",
            "The signal was aborted, and the request is still under way: give `request` the signal.",
        ));
    }
    asked.answer(200, &[JSON], second);
    quiet(&mut server, 30, "5.abort", "The signal was aborted; the client must ask for nothing more").await?;
    if let Some(word) = bench.said("status").get(told) {
        bench.note(&format!("`status` was called with '{}'", shown(word)));
        return Err(Failure::of(
            "5.abort",
            format!(
                "The page has aborted the request itself, and `status` is called with '{}': an abort is no failure, whatever its reason, and nobody listens any more. `signal.aborted` tells.",
                shown(word)
            ),
        ));
    }
    expect_shown(&bench, &[&first])
}

async fn todo_5_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    page.eval("globalThis.stop = new AbortController(); stop.abort(); begin()")?;
    bench.note("the signal was aborted from the beginning");
    quiet(
        &mut server,
        10,
        "5.abort-inside",
        "The signal was aborted from the beginning; the client must ask for nothing",
    )
    .await?;
    match bench.said("status").first() {
        Some(word) => Err(Failure::of(
            "5.abort-inside",
            format!(
                "The signal was aborted from the beginning, and `status` is called with '{}'.",
                shown(word)
            ),
        )),
        None => Ok(()),
    }
}

fn expect_tag(asked: &Asked, expected: Option<&str>, because: &str) -> Result<(), Failure> {
    expect_request(asked, "5.at-once", super::PRICES)?;
    let named = asked.header("if-none-match");
    if named == expected {
        return Ok(());
    }
    Err(Failure::of(
        "5.tag",
        match (named, expected) {
            (None, Some(tag)) => format!(
                "The request has no `if-none-match`; it should be {tag}. {because}. Without it the server sends everything again."
            ),
            (Some(named), None) => {
                format!("The request says `if-none-match: {named}`. {because}: there is nothing to name.")
            }
            (Some(named), Some(tag)) if tag.contains(named) => {
                format!(
                    "The request says `if-none-match: {named}`; it should be {tag}. A tag goes back as it came, with its quotes and its `W/`."
                )
            }
            (Some(named), Some(tag)) => {
                format!("The request says `if-none-match: {named}`; it should be {tag}. {because}.")
            }
            (None, None) => return Ok(()),
        },
    ))
}
