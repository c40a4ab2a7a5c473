//! TODO 4: data, or an error that says which.

use std::time::Duration;

use grader::{
    Asked, Bench, Check, Disturbance::Abort, Failure, awkward, scene, sweep, wire::transcript::Data,
};

use super::{
    FILE, HTML, JSON, PROBLEM, SORRY,
    call::{Call, Settled},
    open, shown, table,
    todo_4_ends::{
        todo_4_aborted_at_any_moment, todo_4_given_up, todo_4_no_answer, todo_4_the_next_request,
        todo_4_two_at_once,
    },
};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_tells_an_answer_from_an_error",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "on the lab's page, in the browser's console: const { getJson } = await import('/client.js'); then await getJson('/nothing'); await getJson('/client.js'); await getJson('/client.js', { timeout: 1 }); await getJson('/client.js', { signal: AbortSignal.abort() })",
    scenes: &[
        scene!(
            todo_4_answers_and_errors,
            ["4.data", "4.http-error", "4.problem", "4.no-problem", "4.message"],
            "Six answers: prices, and five errors, each with a body of another kind."
        ),
        scene!(todo_4_not_modified, ["4.not-modified"], "A 304, as `poll` will get it when nothing is new."),
        scene!(
            todo_4_one_request,
            ["4.one-request", "4.data"],
            "An order is placed with `placeOrder`, which stands on `request`; then the server is overloaded."
        ),
        scene!(
            todo_4_not_json,
            ["4.broken"],
            "Two answers that are no answer: a sign-in page with status 200, and a connection that is lost in the middle of a body. Then it is lost before there is an answer."
        ),
        scene!(
            todo_4_no_answer,
            ["4.timeout", "4.ended"],
            "The server says nothing; begins and says no more; says nothing, where nobody has said how long to wait; says nothing while the caller has a signal; sends its answer bit by bit."
        ),
        scene!(
            todo_4_the_next_request,
            ["4.own-time"],
            "An answer comes in time. The next request is under way when the first one's time would be up."
        ),
        scene!(
            todo_4_given_up,
            ["4.abort", "4.ended", "4.never-asked"],
            "The caller gives up: while it waits, in the middle of a body, before it asks."
        ),
        scene!(
            todo_4_two_at_once,
            ["4.own-time"],
            "Two requests are under way, each with a time and a signal of its own. The first one's time is over, then the signal of a third is aborted."
        ),
        sweep!(
            todo_4_aborted_at_any_moment,
            ["4.abort", "4.ended"],
            [Abort],
            "Three requests, one after the other: prices, an error with a problem document, a 304. The caller gives up somewhere."
        ),
    ],
};

/// An answer, and what should become of it.
struct Case {
    status: u16,
    media_type: &'static str,
    body: String,
    /// What its `problem` is: the body, or nothing.
    problem: bool,
    /// What its message has in it.
    words: Option<String>,
}

impl Case {
    fn data(status: u16, media_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, media_type, body: body.into(), problem: false, words: None }
    }

    fn error(status: u16, media_type: &'static str, body: impl Into<String>) -> Self {
        Self::data(status, media_type, body)
    }

    fn problem(status: u16, media_type: &'static str, body: impl Into<String>) -> Self {
        Self { problem: true, ..Self::data(status, media_type, body) }
    }

    fn saying(self, words: &str) -> Self {
        Self { words: Some(words.to_owned()), ..self }
    }
}

pub(super) async fn todo_4_answers_and_errors(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    let prices = table(&bench);
    let mut cases = vec![
        Case::data(200, JSON.1, prices.clone()),
        Case::problem(
            404,
            PROBLEM.1,
            r#"{"status":404,"title":"Not Found","detail":"NONE is not traded here."}"#,
        )
        .saying("NONE is not traded here."),
        Case::problem(
            422,
            "application/problem+json; charset=utf-8",
            r#"{"status":422,"title":"No such order"}"#,
        )
        .saying("No such order"),
        Case::error(502, HTML.1, SORRY),
        Case::error(500, PROBLEM.1, "out of memory"),
        // An error, though its body looks like an answer.
        Case::error(503, "text/plain", prices.clone()),
    ];
    if !bench.is_plain() {
        // Each of the two other plays has every second one.
        cases = awkward_cases(&bench).into_iter().skip(bench.seed() as usize % 2).step_by(2).collect();
    }
    for case in &cases {
        let call = Call::new(&bench, &page, "ask('/prices', {})")?;
        answer(&bench, call.request(&mut server).await?, case.status, case.media_type, &case.body).await;
        bench.wait_ms(100).await;
        let clause = if case.status < 300 { "4.data" } else { "4.http-error" };
        let settled = call.expect_settled(clause, &format!("The answer {} has come", case.status), "")?;
        if case.status < 300 {
            settled.expect_data(case.status, &case.body)?;
        } else {
            expect_http_error(&bench, &settled, case)?;
        }
    }
    Ok(())
}

/// Statuses of errors, from both ends of their classes.
const STATUSES: [u16; 12] = [400, 401, 403, 404, 409, 418, 429, 499, 500, 503, 599, 300];

fn awkward_cases(bench: &Bench) -> Vec<Case> {
    let status = || STATUSES[bench.draw(STATUSES.len() as u64) as usize];
    let quoted = |text: &str| format!("\"{}\"", escaped(text));
    let text = awkward::TEXTS[1 + bench.draw(awkward::TEXTS.len() as u64 - 1) as usize];
    let mut cases: Vec<Case> = [
        "null",
        "0",
        "false",
        "\"\"",
        "[]",
        "{}",
        r#"{"error":"no error","status":500}"#,
        r#"[null,{"a":null,"b":[1.5,-0.001,1e21,true]}]"#,
    ]
    .map(|body| Case::data(200, JSON.1, body))
    .into();
    cases.push(Case::data(200, "application/json; charset=utf-8", format!(r#"{{"text":{}}}"#, quoted(text))));
    cases.push(Case::data(201, "Application/JSON", r#"{"id":1}"#));
    let as_problem = [
        "Application/Problem+JSON",
        "APPLICATION/PROBLEM+JSON; charset=UTF-8",
        "application/problem+json;charset=utf-8",
        "application/problem+json ; charset=utf-8",
        "application/problem+json; profile=\"a;b\"",
    ];
    for media_type in as_problem {
        let title = r#"{"status":400,"title":"Only a title"}"#;
        cases.push(Case::problem(status(), media_type, title).saying("Only a title"));
    }
    for text in awkward::TEXTS.into_iter().filter(|text| !text.trim().is_empty()) {
        let body = format!(r#"{{"title":"Not this one","detail":{}}}"#, quoted(text));
        cases.push(Case::problem(status(), PROBLEM.1, body).saying(text));
    }
    // A problem document without words is one all the same.
    cases.push(Case::problem(status(), PROBLEM.1, "{}"));
    cases.push(Case::problem(status(), PROBLEM.1, r#"{"balance":0}"#));
    let looks_like_one = r#"{"status":400,"title":"Not for us","detail":"Not for us"}"#;
    let not_as_problem = [
        "application/json",
        "application/json; charset=utf-8",
        "text/json",
        "application/vnd.market+json",
        "application/problem+xml",
        "application/problem",
        "application/problem+jsonl",
        "application/x-problem+json",
        "text/plain; name=\"application/problem+json\"",
        "",
    ];
    cases.extend(not_as_problem.map(|media_type| Case::error(status(), media_type, looks_like_one)));
    cases.extend(
        ["", "{", r#"{"status":500"#, "<h1>out of memory</h1>", "undefined"]
            .map(|body| Case::error(status(), PROBLEM.1, body)),
    );
    cases
}

/// A text as it stands in JSON, between its quotes.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' | '\\' => format!("\\{char}"),
            char if (char as u32) < 0x20 => format!("\\u{:04x}", char as u32),
            char => char.to_string(),
        })
        .collect()
}

/// Answers whole, or in pieces where the play is not the plain one.
async fn answer(bench: &Bench, asked: Asked, status: u16, media_type: &str, body: &str) {
    let head: &[(&str, &str)] = if media_type.is_empty() { &[] } else { &[("content-type", media_type)] };
    let chunks = awkward::chunks(bench, body.to_owned());
    if chunks.len() < 2 {
        return asked.answer(status, head, body.to_owned());
    }
    let mut pieces = asked.open(status, head);
    for chunk in chunks {
        pieces.send(chunk);
        bench.wait_ms(1).await;
    }
    pieces.end();
}

fn expect_http_error(bench: &Bench, settled: &Settled, case: &Case) -> Result<(), Failure> {
    let Case { status, media_type, body, problem, words } = case;
    let what = if media_type.is_empty() {
        format!("The answer is {status} without a content type")
    } else {
        format!("The answer is {status} with `{media_type}`")
    };
    if settled.is_resolved {
        return Err(Failure::of(
            "4.http-error",
            format!(
                "The answer is {status}, and `getJson` resolves to {}: an error page is no data. `fetch` rejects only where there is no answer; look at `response.ok`.",
                shown(&settled.data)
            ),
        ));
    }
    let told = shown(&settled.data);
    if !told.starts_with(&format!(r#"{{"HttpError":{status},"#)) {
        let why = if settled.error.starts_with("SyntaxError") {
            " Only `application/problem+json` is worth parsing, and even that may be broken."
        } else {
            ""
        };
        return Err(Failure::of(
            "4.http-error",
            format!(
                "{what}; `getJson` should reject with an HttpError of status {status}. It {}.{why}",
                settled.how()
            ),
        ));
    }
    let expected = if *problem { body.as_str() } else { "null" };
    if settled.data != Data::of_text(&format!(r#"{{"HttpError":{status},"problem":{expected}}}"#)) {
        return Err(if *problem {
            Failure::of(
                "4.problem",
                format!(
                    "{what}, a problem document; the HttpError should have it as its `problem`, {body}. It is {told}. A media type has no capitals that count, and parameters may follow it."
                ),
            )
        } else {
            Failure::of(
                "4.no-problem",
                format!(
                    "{what} and the body {body}; the HttpError should have no `problem`: only `application/problem+json` that can be parsed is one. It is {told}."
                ),
            )
        });
    }
    match words {
        Some(words) if !settled.message.contains(words.as_str()) => {
            bench.note(&format!("the error's message: {}", settled.message));
            Err(Failure::of(
                "4.message",
                format!(
                    "The problem says \"{words}\", and the error's message is \"{}\": nobody will read what is wrong.",
                    settled.message
                ),
            ))
        }
        _ => Ok(()),
    }
}

pub(super) async fn todo_4_not_modified(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    let call = Call::new(&bench, &page, "ask('/prices', {})")?;
    call.request(&mut server).await?.answer(304, &[("etag", "\"v1\"")], "");
    bench.wait_ms(100).await;
    let settled = call.expect_settled("4.not-modified", "The answer 304 has come", "")?;
    if !settled.is_resolved {
        let why = if settled.error.starts_with("SyntaxError") {
            "It has no body, so there is nothing to parse."
        } else {
            "`ok` is false for it, and yet nothing has failed: what the client has is what there is. `poll` would tell a failure whenever nothing is new."
        };
        return Err(Failure::of(
            "4.not-modified",
            format!("The answer is 304, and `getJson` {}. {why}", settled.how()),
        ));
    }
    if shown(&settled.data) != "null" {
        return Err(Failure::of(
            "4.not-modified",
            format!("The answer is 304, which has no data, and `getJson` {}.", settled.how()),
        ));
    }
    Ok(())
}

pub(super) async fn todo_4_one_request(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["content-type", "idempotency-key"]);
    let mut server = bench.script();
    let page = open(&bench)?;
    let quantity = 100 * (1 + bench.draw(9));
    let key = bench.pick(&["key-1", "Key 1", "a,b", "\"quoted\""]);
    let order = format!(r#"{{"symbol":"BMRI","side":"buy","quantity":{quantity}}}"#);
    let call =
        Call::new(&bench, &page, &format!("tell(client.placeOrder('/orders', {order}, {}))", quoted(key)))?;
    let asked = call.any_request(&mut server).await?;
    let body = String::from_utf8_lossy(&asked.body).into_owned();
    let wrong = if asked.method != "POST" || asked.target != "/orders" {
        Some(format!("it asks {} {}, and not POST /orders", asked.method, asked.target))
    } else if asked.header("idempotency-key") != Some(key) {
        Some(format!("its `idempotency-key` is {}", asked.header("idempotency-key").unwrap_or("missing")))
    } else if asked.header("content-type") != JSON.1.into() {
        Some(format!("its `content-type` is {}", asked.header("content-type").unwrap_or("missing")))
    } else if Data::of_text(&body) != Data::of_text(&order) {
        Some(format!("its body is {}", if body.is_empty() { "missing" } else { &body }))
    } else {
        None
    };
    if let Some(wrong) = wrong {
        return Err(Failure::of(
            "4.one-request",
            format!(
                "`placeOrder` calls `request` with `init`: method POST, headers and a body. The request is another one: {wrong}. Pass on all of `init` to `fetch`."
            ),
        ));
    }
    let executed = format!(r#"{{"id":1,"symbol":"BMRI","side":"buy","quantity":{quantity},"price":6125}}"#);
    asked.answer(201, &[JSON, ("location", "/orders/1")], executed.clone());
    bench.wait_ms(100).await;
    call.expect_settled("4.data", "The answer 201 has come", "")?.expect_data(201, &executed)?;
    let call = Call::new(&bench, &page, "ask('/prices', {})")?;
    call.request(&mut server).await?.answer(
        503,
        &[PROBLEM, ("retry-after", "1")],
        r#"{"title":"Overloaded"}"#,
    );
    let _ = server.quiet(Duration::from_secs(30), "").await;
    call.expect_settled("4.http-error", "The answer 503 has come", "")?;
    if bench.is_plain() {
        return Ok(());
    }
    for (url, target) in [
        ("prices", "/prices"),
        ("http://lab.test/prices", "/prices"),
        ("/prices?of=BMRI%20TLKM&x=1", "/prices?of=BMRI%20TLKM&x=1"),
        ("/prices/%22#top", "/prices/%22"),
    ] {
        let call = Call::new(&bench, &page, &format!("ask('{url}', {{}})"))?;
        let asked = call.any_request(&mut server).await?;
        super::expect_request(&asked, "4.one-request", target)?;
        asked.answer(200, &[JSON], "[]");
        bench.wait_ms(100).await;
        call.expect_settled("4.data", "The answer 200 has come", "")?.expect_data(200, "[]")?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

pub(super) async fn todo_4_not_json(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    // What comes instead is open.
    page.eval("globalThis.words = () => '…'")?;
    let rejected = |call: &Call, because: &str| {
        let settled = call.expect_settled("4.broken", because, "")?;
        if settled.is_resolved {
            return Err(Failure::of("4.broken", format!("{because}, and `getJson` {}.", settled.how())));
        }
        Ok(())
    };
    let bodies: &[&str] = if bench.is_plain() {
        &["<!doctype html><title>Sign in</title>"]
    } else {
        &["<!doctype html><title>Sign in</title>", "", "[{\"seq\":1,", "undefined", "{} and more"]
    };
    for body in bodies {
        let call = Call::new(&bench, &page, "ask('/prices', {})")?;
        call.request(&mut server).await?.answer(200, &[HTML], *body);
        bench.wait_ms(100).await;
        rejected(&call, "The answer is 200, and its body is no JSON")?;
    }
    let call = Call::new(&bench, &page, "ask('/prices', {})")?;
    let mut body = call.request(&mut server).await?.open(200, &[JSON]);
    // Whole JSON, and yet not the whole body.
    body.send(bench.pick(&["[{\"seq\":1,", "[]", "[] "]));
    bench.wait_ms(100).await;
    drop(body);
    bench.wait_ms(100).await;
    rejected(&call, "The connection was lost in the middle of the body")?;
    let call = Call::new(&bench, &page, "ask('/prices', {})")?;
    drop(call.request(&mut server).await?);
    bench.wait_ms(100).await;
    rejected(&call, "The connection was lost before there was an answer")?;
    if bench.is_plain() {
        return Ok(());
    }
    for media_type in [PROBLEM, HTML] {
        let call = Call::new(&bench, &page, "ask('/prices', {})")?;
        let mut body = call.request(&mut server).await?.open(500, &[media_type]);
        body.send("{\"title\":");
        bench.wait_ms(100).await;
        drop(body);
        bench.wait_ms(100).await;
        rejected(&call, "The connection was lost in the middle of an error")?;
    }
    bench.refuse();
    let call = Call::new(&bench, &page, "ask('/prices', {})")?;
    bench.wait_ms(100).await;
    rejected(&call, "The server cannot be reached")
}
