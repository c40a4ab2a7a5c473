//! TODO 4 to 6: the client, in a page of its own, before a server that does what the check says.

use std::time::Duration;

use grader::{
    Asked, Bench, Check, Failure, Mark, Page, Script, scene,
    wire::{Moment, Place, What, transcript::Data},
};

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

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_tells_an_answer_from_an_error",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "in the browser's console: (await fetch('/prices/NONE')).ok, and what `fetch` throws when the server is stopped.",
    scenes: &[
        scene!(todo_4_answers_and_errors, "Six answers: prices, and five errors, each in another dress."),
        scene!(
            todo_4_not_json,
            "Two answers that are no answer: a sign-in page with status 200, and a line that breaks off."
        ),
        scene!(
            todo_4_no_answer,
            "The server says nothing; begins and says no more; and once more nothing, where nobody has said how long to wait."
        ),
        scene!(
            todo_4_the_next_request,
            "An answer comes in time. The next request is under way when the first one's time would be up."
        ),
        scene!(
            todo_4_given_up,
            "The caller gives up: while it waits, in the middle of a body, before it asks."
        ),
    ],
};

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_polls_one_at_a_time",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "open the lab's page with the network panel set to Slow 3G and an interval of ¼ s: how many requests are under way?",
    scenes: &[
        scene!(
            todo_5_asks_and_asks_again,
            "Prices, nothing new, new prices, nothing new. Then the page is done with it."
        ),
        scene!(todo_5_a_slow_answer, "An answer takes three and a half times as long as the interval."),
        scene!(todo_5_no_answer, "A request is not answered at all."),
        scene!(
            todo_5_the_tag_of_what_is_shown,
            "Answers that fail have tags of their own: a 503, a body that is broken, a body that breaks off."
        ),
        scene!(todo_5_aborted, "The page is done with it while a request is under way."),
        scene!(todo_5_never_begins, "The signal was aborted before the client is called."),
    ],
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_says_what_the_value_is_worth",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "cargo run -p lab1-solution, open its page, stop the server with Ctrl-C, and start it again.",
    scenes: &[
        scene!(
            todo_6_fresh_and_stale,
            "Prices; then the server is overloaded, answers again, and loses the line."
        ),
        scene!(
            todo_6_nothing_to_show,
            "The first two answers are errors. Then there are prices, and an error again."
        ),
    ],
};

async fn todo_4_answers_and_errors(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    leave_out_said(&bench, "message");
    let prices = table(&bench);
    let answers = [
        (200, JSON, prices.clone(), None),
        (
            404,
            PROBLEM,
            r#"{"status":404,"title":"Not Found","detail":"NONE is not traded here."}"#.to_owned(),
            Some("NONE is not traded here."),
        ),
        (
            422,
            ("content-type", "application/problem+json; charset=utf-8"),
            r#"{"status":422,"title":"No such order"}"#.to_owned(),
            Some("No such order"),
        ),
        (502, HTML, SORRY.to_owned(), None),
        (500, PROBLEM, "out of memory".to_owned(), None),
        // An error, though its body looks like an answer.
        (503, ("content-type", "text/plain"), prices.clone(), None),
    ];
    for (status, media_type, body, words) in answers {
        let told = said_in_all(&bench);
        page.eval("ask('/prices', {})")?;
        let asked = server.request("`getJson` asked for nothing.").await?;
        expect_request(&asked, "GET")?;
        asked.answer(status, &[media_type], body.clone());
        bench.wait_ms(100).await;
        let (label, said) = result(&bench, told, "the answer has come")?;
        if status == 200 {
            expect_resolved(&label, &said, &body)?;
            continue;
        }
        if label == "resolved" {
            return Err(Failure::broken(format!(
                "The answer is {status}, and `getJson` resolves to its body: an error page is no data. `fetch` rejects only where there is no answer; look at `response.ok`."
            )));
        }
        let problem = words.map_or("null", |_| body.as_str());
        let expected = Data::of_text(&format!(r#"{{"HttpError":{status},"problem":{problem}}}"#));
        if said != expected {
            return Err(Failure::broken(format!(
                "The answer is {status} with `{}`; `getJson` should reject with an HttpError of status {status} {}. It rejects with {}.{}",
                media_type.1,
                if words.is_some() { "and the body as its problem" } else { "and no problem" },
                shown(&said),
                if shown(&said).contains("SyntaxError") {
                    " Only `application/problem+json` is worth parsing, and even that may be broken."
                } else {
                    ""
                }
            )));
        }
        let message = bench.said("message").pop().map(|message| shown(&message)).unwrap_or_default();
        if let Some(words) = words.filter(|words| !message.contains(words)) {
            return Err(Failure::broken(format!(
                "The server says \"{words}\", and the error's message is \"{message}\": nobody will read what is wrong."
            )));
        }
    }
    Ok(())
}

async fn todo_4_not_json(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    // What comes instead is open.
    page.eval("globalThis.words = () => '…'")?;
    leave_out_said(&bench, "message");
    let told = said_in_all(&bench);
    page.eval("ask('/prices', {})")?;
    server.request("`getJson` asked for nothing.").await?.answer(
        200,
        &[HTML],
        "<!doctype html><title>Sign in</title>",
    );
    bench.wait_ms(100).await;
    expect_rejected(&bench, told, "The answer is a page, and no JSON")?;
    let told = said_in_all(&bench);
    page.eval("ask('/prices', {})")?;
    let asked = server.request("`getJson` asked for nothing.").await?;
    let mut body = asked.open(200, &[JSON]);
    body.send("[{\"seq\":1,");
    bench.wait_ms(100).await;
    drop(body);
    bench.wait_ms(100).await;
    expect_rejected(&bench, told, "The line broke off in the middle of the body")
}

async fn todo_4_no_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    leave_out_said(&bench, "message");
    let prices = table(&bench);
    for (options, limit, begins) in
        [("{ timeout: 1000 }", 1_000, false), ("{ timeout: 2000 }", 2_000, true), ("{}", 10_000, false)]
    {
        let (told, from) = (said_in_all(&bench), bench.now());
        page.eval(&format!("ask('/prices', {options})"))?;
        let asked = server.request("`getJson` asked for nothing.").await?;
        let (mut silent, mut begun) = (None, None);
        if begins {
            let mut body = asked.open(200, &[JSON]);
            body.send(prices[..prices.len() / 2].to_owned());
            begun = Some(body);
        } else {
            silent = Some(asked);
        }
        let passed = bench.now().since(from);
        bench.wait_ms(limit - passed - 1).await;
        if said_in_all(&bench) > told {
            return Err(Failure::broken(format!("`getJson` gave up after less than {limit} ms.")));
        }
        bench.wait_ms(1 + SLACK).await;
        let what = if begins { "half an answer has come" } else { "no answer has come" };
        let (label, said) = result(&bench, told, &format!("{limit} ms are over and {what}"))?;
        if label == "resolved" || said != Data::Text("TimeoutError".to_owned()) {
            return Err(Failure::broken(format!(
                "{limit} ms are over and {what}; `getJson` should reject with an error whose name is `TimeoutError`. It {} {}.",
                if label == "resolved" { "resolves to" } else { "rejects with" },
                shown(&said)
            )));
        }
        let aborted = bench.last_moment(|moment| moment.what == What::Abort);
        if aborted.is_none_or(|aborted| aborted < from) {
            return Err(Failure::broken(
                "The time is over, and the request is still under way: it costs a connection, and its answer may yet come. Give `fetch` a signal that ends it, and its body.",
            ));
        }
        bench.tell_as_window(from, (limit, limit + SLACK), |moment| moment.what == What::Abort);
        bench.tell_as_window(from, (limit, limit + SLACK), is_result);
        drop((silent.take(), begun.take()));
        bench.wait_ms(500).await;
    }
    Ok(())
}

async fn todo_4_the_next_request(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    leave_out_said(&bench, "message");
    page.eval("globalThis.stop = new AbortController()")?;
    for wait in [0, 700] {
        let told = said_in_all(&bench);
        page.eval("ask('/prices', { timeout: 1000, signal: stop.signal })")?;
        let asked = server.request("`getJson` asked for nothing.").await?;
        bench.wait_ms(wait).await;
        let prices = table(&bench);
        asked.answer(200, &[JSON], prices.clone());
        bench.wait_ms(100).await;
        let (label, said) = result(&bench, told, "the answer has come")?;
        if label != "resolved" {
            return Err(Failure::broken(format!(
                "The answer came after {wait} ms and had 1000; `getJson` rejects with {}. Does the time of an earlier request, which was answered, still run?",
                shown(&said)
            )));
        }
        expect_resolved(&label, &said, &prices)?;
        bench.wait_ms(300).await;
    }
    Ok(())
}

async fn todo_4_given_up(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    leave_out_said(&bench, "message");
    for begins in [false, true] {
        let told = said_in_all(&bench);
        page.eval(
            "globalThis.stop = new AbortController(); ask('/prices', { timeout: 5000, signal: stop.signal })",
        )?;
        let asked = server.request("`getJson` asked for nothing.").await?;
        let (mut silent, mut begun) = (None, None);
        if begins {
            let mut body = asked.open(200, &[JSON]);
            body.send("[");
            begun = Some(body);
        } else {
            silent = Some(asked);
        }
        bench.wait_ms(500).await;
        let from = bench.now();
        page.eval("stop.abort()")?;
        bench.wait_ms(100).await;
        expect_abort_error(&bench, told)?;
        if bench.last_moment(|moment| moment.what == What::Abort).is_none_or(|aborted| aborted < from) {
            return Err(Failure::broken("The caller has given up, and the request is still under way."));
        }
        drop((silent.take(), begun.take()));
    }
    bench.note("the next signal was aborted from the beginning");
    let told = said_in_all(&bench);
    page.eval("ask('/prices', { signal: AbortSignal.abort() })")?;
    bench.wait_ms(100).await;
    expect_abort_error(&bench, told)?;
    server
        .quiet(
            Duration::from_secs(10),
            "The signal was aborted from the beginning; `getJson` must ask for nothing",
        )
        .await
}

async fn todo_5_asks_and_asks_again(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["if-none-match"]);
    bench.show_response_headers(&["etag"]);
    leave_out_status(&bench);
    let mut server = bench.script();
    let page = start(&bench)?;
    let (first, second) = (table(&bench), table(&bench));
    let (old, new) = (tag(&bench), format!("W/{}", tag(&bench)));

    let asked = first_request(&mut server).await?;
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
    expect_tag(&asked, Some(&new), "A 304 without a tag changes nothing")?;
    asked.answer(304, &[("etag", &new)], "");
    bench.wait_ms(100).await;
    expect_shown(&bench, &[&first, &second])?;
    page.eval("stop.abort()")?;
    server
        .quiet(Duration::from_secs(30), "The signal was aborted; the client must ask for nothing more")
        .await
}

async fn todo_5_a_slow_answer(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let (first, second) = (table(&bench), table(&bench));
    let asked = first_request(&mut server).await?;
    let overlapping = server.quiet(Duration::from_millis(3_500), "").await.is_err();
    if overlapping {
        let has_let_go = bench.last_moment(|moment| moment.what == What::Abort).is_some();
        return Err(Failure::broken(if has_let_go {
            "The client let go of a request that was under way, and asked again: a server that is slower than the interval is asked for ever and never heard."
        } else {
            "Two requests are in flight: the first has no answer yet. A slow server gets more and more of them, and the answer that comes last need not be the newest."
        }));
    }
    asked.answer(200, &[JSON], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first])?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(200, &[JSON], second.clone());
    bench.wait_ms(100).await;
    expect_shown(&bench, &[&first, &second])
}

async fn todo_5_no_answer(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let _page = start(&bench)?;
    let (first, old) = (table(&bench), table(&bench));
    let asked = first_request(&mut server).await?;
    server
        .quiet(
            Duration::from_millis(9_900),
            "The first request has no answer yet, and 10 s are not over: the client asks again, and two are in flight",
        )
        .await?;
    let begun = bench.last_moment(is_request).unwrap_or(asked.at);
    // The next request may begin in the millisecond in which this one is let go.
    bench.leave_out(|moment| moment.what == What::Abort);
    bench
        .until(
            Duration::from_millis(90 + SLACK),
            "There is no answer after 10 s, and the request is still under way: nothing will ever be asked again, or two are in flight.",
            || bench.last_moment(|moment| moment.what == What::Abort),
        )
        .await?;
    let rhythm = Rhythm { begun, took: 10_000 };
    let next = rhythm.next(&bench, &mut server).await?;
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
    let because = "It is the tag of what is shown, not of an answer that failed";

    first_request(&mut server).await?.answer(200, &[JSON, ("etag", &tags[0])], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_shown(&bench, &[&first])?;

    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(503, &[PROBLEM, ("etag", &tags[1])], r#"{"status":503,"title":"Service Unavailable"}"#);
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, Some(&tags[0]), because)?;
    asked.answer(200, &[JSON, ("etag", &tags[2])], "[{\"seq\":1,");
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, Some(&tags[0]), because)?;
    let mut body = asked.open(200, &[JSON, ("etag", &tags[3])]);
    body.send("[{\"seq\":1,");
    bench.wait_ms(100).await;
    drop(body);
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    expect_tag(&asked, Some(&tags[0]), because)?;
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

async fn todo_5_aborted(bench: Bench) -> Result<(), Failure> {
    leave_out_status(&bench);
    let mut server = bench.script();
    let page = start(&bench)?;
    let (first, second) = (table(&bench), table(&bench));
    first_request(&mut server).await?.answer(200, &[JSON], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    let asked = rhythm.next(&bench, &mut server).await?;
    bench.wait_ms(100).await;
    let told = bench.said("status").len();
    let from = bench.now();
    page.eval("stop.abort()")?;
    bench.wait_ms(100).await;
    if bench.last_moment(|moment| moment.what == What::Abort).is_none_or(|aborted| aborted < from) {
        return Err(Failure::broken(
            "The signal was aborted, and the request is still under way: give `request` the signal.",
        ));
    }
    asked.answer(200, &[JSON], second);
    server
        .quiet(Duration::from_secs(30), "The signal was aborted; the client must ask for nothing more")
        .await?;
    if let Some(word) = bench.said("status").get(told) {
        return Err(Failure::broken(format!(
            "The page has aborted the request itself, and `status` is told '{}': an abort is no failure, and nobody listens any more.",
            shown(word)
        )));
    }
    expect_shown(&bench, &[&first])
}

async fn todo_5_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = open(&bench)?;
    page.eval("globalThis.stop = new AbortController(); stop.abort(); begin()")?;
    bench.note("the signal was aborted from the beginning");
    server
        .quiet(
            Duration::from_secs(10),
            "The signal was aborted from the beginning; the client must ask for nothing",
        )
        .await
}

async fn todo_6_fresh_and_stale(bench: Bench) -> Result<(), Failure> {
    leave_out_said(&bench, "because");
    let mut server = bench.script();
    let _page = start(&bench)?;
    let first = table(&bench);
    let asked = first_request(&mut server).await?;
    bench.wait_ms(500).await;
    if !bench.said("status").is_empty() {
        expect_status(&bench, "loading", "The first answer is under way")?;
    }
    asked.answer(200, &[JSON, ("etag", "\"a\"")], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    if bench.said("status").is_empty() {
        return Err(Failure::NotStarted(6));
    }
    expect_status(&bench, "fresh", "There is an answer")?;
    if !bench.said("status").contains(&Data::Text("loading".to_owned())) {
        return Err(Failure::broken(
            "Until the first answer came, nobody called `status('loading')`: an empty table looks like a market without prices.",
        ));
    }
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(503, &[PROBLEM], r#"{"status":503,"title":"The market is overloaded"}"#);
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(&bench, "stale", "An answer has failed, and a value is shown")?;
    expect_reason(&bench, Some("HttpError 503"))?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(304, &[("etag", "\"a\"")], "");
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(
        &bench,
        "fresh",
        "A 304 has come: what is shown is what there is (`ok` is false for it, and yet it has not failed)",
    )?;
    let asked = rhythm.next(&bench, &mut server).await?;
    drop(asked);
    bench.wait_ms(100).await;
    expect_status(&bench, "stale", "The line was lost, and a value is shown")?;
    expect_reason(&bench, None)?;
    expect_shown(&bench, &[&first])
}

async fn todo_6_nothing_to_show(bench: Bench) -> Result<(), Failure> {
    leave_out_said(&bench, "because");
    // Whoever says 'loading' again when it tries again may.
    let mut has_failed = false;
    bench.leave_out(move |moment| match &moment.what {
        What::Said(label, Data::Text(word)) if label == "status" => {
            has_failed |= word == "error";
            has_failed && word == "loading"
        }
        _ => false,
    });
    let mut server = bench.script();
    let _page = start(&bench)?;
    let first = table(&bench);
    first_request(&mut server).await?.answer(502, &[HTML], SORRY);
    let rhythm = Rhythm::after(&bench).await?;
    if bench.said("status").is_empty() {
        return Err(Failure::NotStarted(6));
    }
    expect_status(&bench, "error", "The first answer has failed, and there is nothing to show")?;
    expect_reason(&bench, Some("HttpError 502"))?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(500, &[PROBLEM], r#"{"status":500,"title":"The log cannot be read"}"#);
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(&bench, "error", "The second answer has failed, and there is still nothing to show")?;
    expect_reason(&bench, Some("HttpError 500"))?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(200, &[JSON], first.clone());
    let rhythm = Rhythm::after(&bench).await?;
    expect_status(&bench, "fresh", "There is an answer at last")?;
    let asked = rhythm.next(&bench, &mut server).await?;
    asked.answer(502, &[HTML], SORRY);
    bench.wait_ms(100).await;
    expect_status(&bench, "stale", "An answer has failed, and a value is shown")?;
    expect_shown(&bench, &[&first])
}

/// Opens the client in a page that can `ask` with `getJson`, and `begin` to poll.
fn open(bench: &Bench) -> Result<Page, Failure> {
    let page = bench.page(&["HttpError", "getJson", "poll"])?;
    page.eval(
        "// A TODO that nobody has begun is none of the errors that a client may catch.
        globalThis.unlessBegun = (error) => {
            if (/^TODO \\d+$/.test(error?.message)) throw error;
        };
        globalThis.words = (error) =>
            error instanceof client.HttpError
                ? { HttpError: error.status, problem: error.problem ?? null }
                : String(error?.name ?? error);
        globalThis.ask = (url, options) =>
            client.getJson(url, options).then(
                (data) => say('resolved', data),
                (error) => {
                    unlessBegun(error);
                    say('message', String(error?.message));
                    say('rejected', words(error));
                },
            );
        globalThis.begin = () =>
            client.poll('/prices', {
                every: 1000,
                show: (data) => say('show', data),
                // Whether `show` or `status` is called first is open: `status` is told second.
                status: (word, error) =>
                    setTimeout(() => {
                        unlessBegun(error);
                        say('status', word);
                        const reason = error instanceof client.HttpError ? `HttpError ${error.status}` : error?.name ?? error;
                        if (error !== undefined && error !== null) say('because', reason);
                    }, 0),
                signal: stop.signal,
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

async fn first_request(server: &mut Script) -> Result<Asked, Failure> {
    let asked = server
        .request_within(
            Duration::from_millis(100),
            "The client asked for nothing yet: `poll` asks as soon as it is called, and waits after that.",
        )
        .await?;
    expect_request(&asked, "GET")?;
    Ok(asked)
}

/// When the last request began and how long it took: the next one counts from its beginning or from its end.
#[derive(Clone, Copy)]
struct Rhythm {
    begun: Mark,
    took: u64,
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
        let begun = bench.last_moment(is_request).unwrap_or(bench.now());
        let took = bench.now().since(begun);
        // Whatever the page does with the answer, it does at once. The next request may be under way by then, and not here yet.
        bench.wait_ms(2).await;
        Ok(Self { begun, took })
    }

    /// The next request, in its window.
    async fn next(self, bench: &Bench, server: &mut Script) -> Result<Asked, Failure> {
        let Self { begun, took } = self;
        let asked = server
            .request_within(
                Duration::from_secs(60),
                "The client stopped asking: it goes on after each answer and each failure.",
            )
            .await?;
        expect_request(&asked, "GET")?;
        let at = bench.last_moment(is_request).unwrap_or(asked.at).since(begun);
        if at + 1 < EVERY {
            return Err(Failure::broken(format!(
                "The next request came {at} ms after the last one began; `every` is {EVERY} ms."
            )));
        }
        if at > took + EVERY + SLACK {
            return Err(Failure::broken(format!(
                "The next request came {} ms after the last one was over; `every` is {EVERY} ms.",
                at - took
            )));
        }
        bench.leave_open(begun, (took.max(EVERY), took + EVERY), is_request);
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

fn is_result(moment: &Moment) -> bool {
    matches!(&moment.what, What::Said(label, _) if label == "resolved" || label == "rejected")
}

fn leave_out_said(bench: &Bench, label: &'static str) {
    bench.leave_out(move |moment| matches!(&moment.what, What::Said(spoken, _) if spoken == label));
}

/// What the value is worth is another TODO's business.
fn leave_out_status(bench: &Bench) {
    leave_out_said(bench, "status");
    leave_out_said(bench, "because");
}

fn expect_request(asked: &Asked, method: &str) -> Result<(), Failure> {
    if asked.method != method || asked.target != PRICES {
        return Err(Failure::broken(format!(
            "The client asks for {} {}; it was told to {method} {PRICES}.",
            asked.method, asked.target
        )));
    }
    Ok(())
}

/// How many promises of `getJson` have been settled.
fn said_in_all(bench: &Bench) -> usize {
    bench.moments().iter().filter(|moment| is_result(moment)).count()
}

/// What became of the `getJson` that was called when `told` others had been settled.
fn result(bench: &Bench, told: usize, because: &str) -> Result<(String, Data), Failure> {
    let settled = bench.moments().into_iter().filter(is_result).nth(told);
    match settled.map(|moment| moment.what) {
        Some(What::Said(label, data)) => Ok((label, data)),
        _ => Err(Failure::broken(format!(
            "{because}, and the promise of `getJson` is neither resolved nor rejected."
        ))),
    }
}

fn expect_resolved(label: &str, said: &Data, body: &str) -> Result<(), Failure> {
    if label == "rejected" {
        return Err(Failure::broken(format!(
            "The answer is 200 with prices, and `getJson` rejects with {}.",
            shown(said)
        )));
    }
    if *said != Data::of_text(body) {
        return Err(Failure::broken(format!(
            "`getJson` should resolve to the data, {body}; it resolves to {}.",
            shown(said)
        )));
    }
    Ok(())
}

fn expect_rejected(bench: &Bench, told: usize, because: &str) -> Result<(), Failure> {
    let (label, said) = result(bench, told, because)?;
    if label == "rejected" {
        return Ok(());
    }
    Err(Failure::broken(format!("{because}, and `getJson` resolves to {}.", shown(&said))))
}

fn expect_abort_error(bench: &Bench, told: usize) -> Result<(), Failure> {
    let (label, said) = result(bench, told, "The caller has given up (`signal` is aborted)")?;
    if label == "rejected" && said == Data::Text("AbortError".to_owned()) {
        return Ok(());
    }
    Err(Failure::broken(format!(
        "The caller has given up; `getJson` should reject with the signal's reason, an `AbortError`. It {} {}.",
        if label == "rejected" { "rejects with" } else { "resolves to" },
        shown(&said)
    )))
}

fn expect_tag(asked: &Asked, expected: Option<&str>, because: &str) -> Result<(), Failure> {
    let named = asked.header("if-none-match");
    if named == expected {
        return Ok(());
    }
    Err(Failure::broken(match (named, expected) {
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
    }))
}

fn expect_status(bench: &Bench, status: &str, because: &str) -> Result<(), Failure> {
    match bench.said("status").last() {
        Some(Data::Text(now)) if now == status => Ok(()),
        Some(now) => {
            Err(Failure::broken(format!("{because}; the page says '{}' instead of '{status}'.", shown(now))))
        }
        None => Err(Failure::broken(format!("{because}, and nobody called `status('{status}')`."))),
    }
}

/// The last failure was told with its error; with this one, if it has a name.
fn expect_reason(bench: &Bench, expected: Option<&str>) -> Result<(), Failure> {
    let moments = bench.moments();
    let last = moments.iter().rev().find_map(|moment| match &moment.what {
        What::Said(label, data) if label == "because" || label == "status" => {
            Some((label == "because", data))
        }
        _ => None,
    });
    match (last, expected) {
        (Some((true, told)), Some(expected)) if shown(told) != expected => Err(Failure::broken(format!(
            "The second argument of `status` is {}; it should be the error that came, {expected}.",
            shown(told)
        ))),
        (Some((true, _)), _) => Ok(()),
        _ => Err(Failure::broken(
            "`status` is told that something failed, and not what: the error is its second argument.",
        )),
    }
}

fn expect_shown(bench: &Bench, tables: &[&String]) -> Result<(), Failure> {
    let seen = bench.said("show");
    let expected: Vec<Data> = tables.iter().map(|table| Data::of_text(table)).collect();
    if seen == expected {
        return Ok(());
    }
    Err(Failure::broken(if seen.len() < expected.len() && expected.starts_with(&seen) {
        format!("{} of {} new answers were shown.", seen.len(), expected.len())
    } else if seen.len() > expected.len() && seen.starts_with(&expected) {
        format!(
            "`show` was called {} times for {} new, the last time with {}: a 304 or a failure has nothing to show.",
            seen.len(),
            if expected.len() == 1 {
                "1 answer that was".to_owned()
            } else {
                format!("{} answers that were", expected.len())
            },
            seen.last().map(shown).unwrap_or_default()
        )
    } else {
        "What was shown is not what was sent: `show` takes the parsed data of each new answer, in order."
            .to_owned()
    }))
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
