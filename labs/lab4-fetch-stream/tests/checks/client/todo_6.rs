//! TODO 6: how an answer ended.

use std::time::Duration;

use grader::{Bench, Check, Disturbance, Failure, Page, Script, scene, sweep, wire::What};

use super::{
    FILE,
    asking::{
        Ending, answer_with_two_tokens, ask_again, ask_simply, event, expect_answer, question,
        say_nothing_of_hanging_up, two_tokens,
    },
    sweeps::todo_6_at_every_moment,
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_tells_an_end_from_a_break",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "cargo run -p lab4-solution, ask in its page, and stop the server with Ctrl-C in the middle of the answer: what does the page say?",
    scenes: &[
        scene!(
            todo_6_no_answer,
            ["6.status", "6.type", "6.connection", "6.answer"],
            "There is no answer: another status, another type, no connection."
        ),
        scene!(
            todo_6_other_statuses,
            ["6.status", "6.no-wait"],
            "A status is another than 200, and the body looks like an answer."
        ),
        scene!(
            todo_6_finished,
            ["6.finished", "6.last-word", "6.text"],
            "An answer comes to its end. So does another, and then the connection breaks."
        ),
        scene!(
            todo_6_other_types,
            ["6.type", "6.no-wait"],
            "The media type is another, or the same in other letters."
        ),
        scene!(
            todo_6_truncated,
            ["6.truncated", "6.once", "6.answer"],
            "Answers break off: the stream ends, the connection is cut, the last event is unfinished."
        ),
        scene!(todo_6_failed, ["6.error", "6.once"], "The model fails in the middle of an answer."),
        scene!(
            todo_6_last_words,
            ["6.last-word", "6.finished", "6.error", "6.truncated"],
            "The last word comes early, twice, with other data, or is none."
        ),
        scene!(todo_6_pauses, ["6.patience"], "The server thinks for a while, and pauses in the middle."),
        sweep!(
            todo_6_at_every_moment,
            ["6.answer", "6.truncated", "6.connection", "6.once", "6.text", "6.patience"],
            [Disturbance::Cut, Disturbance::Refuse, Disturbance::Stall],
            "An answer of five tokens is disturbed at every moment."
        ),
    ],
};

async fn todo_6_no_answer(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let problem = r#"{"title":"Service Unavailable","status":503}"#;
    let media_type = [("content-type", "application/problem+json")];
    question(&bench, &mut server).await?.answer(503, &media_type, problem);
    let because = "The status is 503, and `fetch` does not reject that";
    expect_answer(&bench, &page, &mut server, Ending::of("6.status", "failed", &[], because)).await?;
    ask_again(&bench, &page, "and once more, where a proxy wants a login")?;
    let login = "<!doctype html><title>Log in</title>";
    question(&bench, &mut server).await?.answer(200, &[("content-type", "text/html")], login);
    let because = "The answer is a page of HTML, with status 200, and no event stream";
    expect_answer(&bench, &page, &mut server, Ending::of("6.type", "failed", &[], because)).await?;
    ask_again(&bench, &page, "and once more, where the server closes the connection without an answer")?;
    drop(question(&bench, &mut server).await?);
    let because = "The connection was closed before there was an answer";
    expect_answer(&bench, &page, &mut server, Ending::of("6.connection", "failed", &[], because)).await?;
    bench.refuse();
    ask_again(&bench, &page, "and once more, where nobody listens")?;
    let because = "There was no connection";
    expect_answer(&bench, &page, &mut server, Ending::of("6.connection", "failed", &[], because)).await
}

/// Every class, and its borders.
const STATUSES: [u16; 20] =
    [503, 206, 201, 202, 203, 204, 226, 299, 300, 400, 401, 403, 404, 415, 422, 429, 499, 500, 502, 599];

async fn todo_6_other_statuses(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let statuses: Vec<u16> = if bench.is_plain() {
        STATUSES[..2].to_vec()
    } else {
        STATUSES.iter().copied().skip(bench.draw(2) as usize).step_by(2).collect()
    };
    for (number, status) in statuses.into_iter().enumerate() {
        if number > 0 {
            ask_again(&bench, &page, "and once more")?;
        }
        let asked = question(&bench, &mut server).await?;
        let media_type = [("content-type", "text/event-stream")];
        let body = event("BBCA") + "event: done\ndata: {}\n\n";
        let is_open = number % 2 == 1 && status != 204;
        let because =
            format!("The status is {status}, and the body is an event stream with a token and `done` in it");
        let clause = "6.status";
        if is_open {
            let mut stream = asked.open(status, &media_type);
            stream.send(body);
            expect_without_waiting(&bench, &page, &mut server, clause, &because).await?;
            stream.end();
        } else {
            asked.answer(status, &media_type, if status == 204 { String::new() } else { body });
            expect_answer(&bench, &page, &mut server, Ending::of(clause, "failed", &[], &because)).await?;
        }
    }
    Ok(())
}

/// What is no event stream, though some of it looks so.
const OTHER_TYPES: [&str; 10] = [
    "text/html",
    "text/event-stream-v2",
    "application/x-event-stream",
    "text/html; note=\"text/event-stream\"",
    "text/plain;charset=utf-8",
    "multipart/mixed; boundary=text/event-stream",
    "text/event",
    "application/json",
    "text/event-streams; charset=utf-8",
    "application/octet-stream",
];

/// What is one.
const SAME_TYPES: [&str; 6] = [
    "text/event-stream;charset=utf-8",
    "Text/Event-Stream",
    "text/event-stream; charset=\"utf-8\"; q=1",
    "TEXT/EVENT-STREAM ; CHARSET=UTF-8",
    "text/event-stream;",
    "text/event-stream; profile=text/html",
];

async fn todo_6_other_types(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let of_seed = |types: &[&'static str]| -> Vec<&'static str> {
        let from = bench.draw(2) as usize;
        if bench.is_plain() {
            types[..2].to_vec()
        } else {
            types.iter().copied().skip(from).step_by(2).collect()
        }
    };
    for (number, other) in of_seed(&OTHER_TYPES).into_iter().enumerate() {
        if number > 0 {
            ask_again(&bench, &page, "and once more")?;
        }
        let mut stream = question(&bench, &mut server).await?.open(200, &[("content-type", other)]);
        stream.send(event("BBCA") + "event: done\ndata: {}\n\n");
        let because = format!("The media type is `{other}`, which is no event stream");
        if number % 2 == 0 {
            expect_without_waiting(&bench, &page, &mut server, "6.type", &because).await?;
            stream.end();
        } else {
            stream.end();
            expect_answer(&bench, &page, &mut server, Ending::of("6.type", "failed", &[], &because)).await?;
        }
    }
    if !bench.is_plain() {
        ask_again(&bench, &page, "and once more, without a media type")?;
        let mut stream = question(&bench, &mut server).await?.open(200, &[]);
        stream.send(event("BBCA") + "event: done\ndata: {}\n\n");
        stream.end();
        let because = "The answer has no media type";
        expect_answer(&bench, &page, &mut server, Ending::of("6.type", "failed", &[], because)).await?;
    }
    for same in of_seed(&SAME_TYPES) {
        ask_again(&bench, &page, "and once more")?;
        let stream = question(&bench, &mut server).await?.open(200, &[("content-type", same)]);
        let (mut stream, tokens) = two_tokens(&bench, &page, stream).await.map_err(|failure| match failure {
            Failure::Broken { clause: Some("5.arrival"), .. } => Failure::of(
                "6.type",
                format!("The media type is `{same}`, which is `text/event-stream` with capitals or parameters, and no token of the answer went to `onToken`."),
            ),
            other => other,
        })?;
        stream.send("event: done\ndata: {}\n\n");
        stream.end();
        let because = format!(
            "The media type is `{same}`, which is `text/event-stream` with capitals or parameters, and the server said `done`"
        );
        expect_answer(&bench, &page, &mut server, Ending::of("6.type", "finished", &tokens, &because))
            .await?;
    }
    Ok(())
}

/// The answer has failed, though its body is still open.
async fn expect_without_waiting(
    bench: &Bench,
    page: &Page,
    server: &mut Script,
    clause: &'static str,
    because: &str,
) -> Result<(), Failure> {
    let ending = Ending::of(clause, "failed", &[], because);
    expect_answer(bench, page, server, ending).await.map_err(|failure| match failure {
        Failure::Broken { words, .. } if words.contains("has not resolved") => Failure::of(
            "6.no-wait",
            format!("{because}. Its body is still open, and `ask` waits for its end: the head alone says that this is no answer."),
        ),
        other => other,
    })
}

async fn todo_6_finished(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send("event: done\ndata: {}\n\n");
    stream.end();
    let because = "The server said `done`";
    expect_answer(&bench, &page, &mut server, Ending::of("6.finished", "finished", &tokens, because)).await?;
    ask_again(
        &bench,
        &page,
        "and once more; after `done` the server goes on talking, and the connection breaks",
    )?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send("event: done\ndata: {}\n\ndata: never mind\n\nevent: error\ndata: {}\n\n");
    bench.wait_ms(100).await;
    drop(stream);
    let because = "The server said `done`, whatever came after it";
    expect_answer(&bench, &page, &mut server, Ending::of("6.last-word", "finished", &tokens, because)).await
}

async fn todo_6_truncated(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let truncated = |tokens, because| Ending::of("6.truncated", "truncated", tokens, because);
    let (stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.end();
    let because = "The stream ended as streams end, but nobody said `done`";
    expect_answer(&bench, &page, &mut server, truncated(&tokens, because)).await?;
    ask_again(&bench, &page, "and once more")?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    bench.cut().await;
    stream.send(": nobody hears this\n\n");
    let because = "The connection was cut in the middle of the answer";
    expect_answer(&bench, &page, &mut server, truncated(&tokens, because)).await?;
    ask_again(&bench, &page, "and once more")?;
    let (mut stream, mut tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send("data: half\n\nevent: done\ndata: {}\n");
    stream.end();
    tokens.push("half".to_owned());
    let because = "The stream ended in the middle of its last event, before the blank line that makes it one";
    expect_answer(&bench, &page, &mut server, truncated(&tokens, because)).await?;
    ask_again(&bench, &page, "and once more; the connection is cut before the first token")?;
    let stream = question(&bench, &mut server).await?.stream();
    bench.wait_ms(100).await;
    bench.cut().await;
    let because = "The answer had begun, and the connection was cut before its first token";
    expect_answer(&bench, &page, &mut server, truncated(&[], because)).await?;
    drop(stream);
    ask_again(&bench, &page, "and once more; the stream ends before the first token")?;
    let stream = question(&bench, &mut server).await?.stream();
    bench.wait_ms(100).await;
    stream.end();
    let because = "The answer had begun, and the stream ended before its first token";
    expect_answer(&bench, &page, &mut server, truncated(&[], because)).await
}

async fn todo_6_failed(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send("event: error\ndata: {\"detail\":\"the market has closed\"}\n\n");
    stream.end();
    let because = "The server said `error` in the middle of the answer";
    expect_answer(&bench, &page, &mut server, Ending::of("6.error", "failed", &tokens, because)).await
}

/// What the data of `done` and `error` may be.
const WORDS: [&str; 8] =
    ["{}", "", "null", "[DONE]", "{\"outcome\":\"failed\"}", "false", "error", "two\nlines"];

/// Types that are no last word.
const NO_WORDS: [&str; 9] =
    ["Done", "DONE", "done ", "end", "close", "complete", "Error", "errors", "message-done"];

async fn todo_6_last_words(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let last = |word: &str, data: &str| format!("event: {word}\n{}", event(data));
    let words = |word: &str| match word {
        "done" => ("6.finished", "finished"),
        _ => ("6.error", "failed"),
    };
    // The first thing that the server says.
    for word in ["done", "error"] {
        let data = bench.pick(&WORDS);
        let mut stream = question(&bench, &mut server).await?.stream();
        bench.wait_ms(100).await;
        stream.send(last(word, data));
        stream.end();
        let (clause, outcome) = words(word);
        let because = format!("The server said `{word}`, with the data {data:?}, before any token");
        expect_answer(&bench, &page, &mut server, Ending::of(clause, outcome, &[], &because)).await?;
        ask_again(&bench, &page, "and once more")?;
    }
    // The first of two, at once and with a token between.
    for (first, second, between) in [("error", "done", ""), ("done", "error", "data: never mind\n\n")] {
        let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
        let data = bench.pick(&WORDS);
        stream.send(last(first, data) + between + &last(second, "{}"));
        stream.end();
        let because = format!("The server said `{first}` first, and `{second}` after it");
        let ending = Ending::of("6.last-word", words(first).1, &tokens, &because);
        expect_answer(&bench, &page, &mut server, ending).await?;
        ask_again(&bench, &page, "and once more")?;
    }
    let other = bench.pick(&NO_WORDS);
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send(last(other, "{}"));
    stream.end();
    let because = format!("The last event was an event {other:?}, which is neither `done` nor `error`");
    expect_answer(&bench, &page, &mut server, Ending::of("6.truncated", "truncated", &tokens, &because)).await
}

async fn todo_6_pauses(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let asked = question(&bench, &mut server).await?;
    let patient = |failure: Failure| match failure {
        Failure::Broken { words, .. } => Failure::of("6.patience", words),
        other => other,
    };
    let because = "The server thought for five minutes before it answered, and the client asked again";
    server.quiet(Duration::from_secs(300), because).await.map_err(patient)?;
    let (mut stream, tokens) = two_tokens(&bench, &page, asked.stream()).await.map_err(|failure| {
        match failure {
            Failure::Broken { clause: Some("5.arrival"), .. } => Failure::of(
                "6.patience",
                "The server thought for five minutes, and then answered. No token of it went to `onToken`: a pause is no end.",
            ),
            other => other,
        }
    })?;
    let because = "The server paused for an hour in the middle of the answer, and the client asked again";
    server.quiet(Duration::from_secs(3_600), because).await.map_err(patient)?;
    let gave_up = |moment: &grader::wire::Moment| moment.what == What::Abort;
    if bench.moments().iter().any(gave_up) {
        return Err(Failure::of(
            "6.patience",
            "The server paused in the middle of the answer, and the client closed the connection: a pause is no end.",
        ));
    }
    stream.send("event: done\ndata: {}\n\n");
    stream.end();
    let because = "The server paused for an hour in the middle of the answer, went on and said `done`";
    expect_answer(&bench, &page, &mut server, Ending::of("6.patience", "finished", &tokens, because)).await
}
