//! TODO 7: Stop.

use grader::{Bench, Check, Disturbance, Failure, Page, scene, sweep, wire::What};

use super::{
    FILE,
    asking::{
        Ending, answer_with_two_tokens, ask_again, ask_simply, begin, event, expect_answer, open, question,
        say_nothing_of_hanging_up, say_nothing_of_the_body,
    },
    sweeps::todo_7_at_every_moment,
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_stops_when_told",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "cargo run -p lab4-solution, ask it to follow the market, press Stop, and watch the bill.",
    scenes: &[
        scene!(
            todo_7_in_the_answer,
            ["7.request", "7.silence", "7.stopped", "7.reason"],
            "The user has read three tokens and presses Stop. The server does not know yet."
        ),
        scene!(
            todo_7_in_a_chunk,
            ["7.silence", "7.stopped"],
            "Four tokens and the end come in one chunk; the page stops at the second."
        ),
        scene!(
            todo_7_before_the_answer,
            ["7.request", "7.stopped", "7.reason"],
            "The server thinks. The user does not wait."
        ),
        scene!(
            todo_7_never_begins,
            ["7.unasked", "7.stopped", "7.reason"],
            "The signal was aborted before the client is called."
        ),
        scene!(
            todo_7_any_reason,
            ["7.reason"],
            "The user presses Stop, and the page gives a reason of its own."
        ),
        scene!(todo_7_after_the_end, ["7.end"], "The answer is complete. Then Stop is pressed."),
        scene!(
            todo_7_after_the_last_word,
            ["7.end"],
            "The server has said the last word and leaves the body open. Then Stop is pressed."
        ),
        sweep!(
            todo_7_at_every_moment,
            ["7.request", "7.silence", "7.stopped", "7.reason", "7.end"],
            [Disturbance::Abort, Disturbance::AbortInside],
            "An answer of five tokens is stopped at every moment."
        ),
    ],
};

/// Why somebody aborts is nobody's business.
const REASONS: [&str; 8] = [
    "",
    "new Error('enough')",
    "'enough'",
    "new DOMException('It took too long.', 'TimeoutError')",
    "null",
    "new TypeError('Failed to fetch')",
    "{ name: 'Stop' }",
    "0",
];

/// Presses Stop, and says with which reason. `scene` counts the scenes, so that each reason has its turn.
fn press_stop(bench: &Bench, page: &Page, scene: usize) -> Result<String, Failure> {
    let turn = bench.seed() as usize * 4 + scene;
    let reason = if bench.is_plain() { REASONS[0] } else { REASONS[1 + turn % (REASONS.len() - 1)] };
    page.eval(&format!("stop.abort({reason})"))?;
    Ok(if reason.is_empty() { String::new() } else { format!(" (with the reason `{reason}`)") })
}

async fn todo_7_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    say_nothing_of_the_body(&bench);
    let page = open(&bench)?;
    let reason = press_stop(&bench, &page, 0)?;
    begin(&page, "How is BBCA?", "/ask", "demo")?;
    bench.note("the signal was aborted from the beginning");
    let because = format!("The signal was aborted from the beginning{reason}");
    let stopped = Ending::stopped(&[], &because, reason.is_empty());
    let answered = expect_answer(&bench, &page, &mut server, stopped).await;
    if bench.moments().iter().any(|moment| matches!(moment.what, What::Request { .. })) {
        return Err(Failure::of(
            "7.unasked",
            format!("{because}, and the client sends its request: nobody wants the answer."),
        ));
    }
    answered
}

async fn todo_7_in_the_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, mut tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send(event("."));
    tokens.push(".".to_owned());
    bench.wait_ms(100).await;
    // These are in transit when the button is pressed.
    stream.send("data: More\n\ndata:  and more\n\n");
    let reason = press_stop(&bench, &page, 1)?;
    bench.wait_ms(100).await;
    if stream.is_read() {
        return Err(Failure::of(
            "7.request",
            "The signal was aborted 100 ms ago, and the client still reads: the server goes on making tokens that are paid for. Abort the request.",
        ));
    }
    let because = format!("The user has pressed Stop{reason}");
    expect_answer(&bench, &page, &mut server, Ending::stopped(&tokens, &because, reason.is_empty())).await
}

async fn todo_7_in_a_chunk(bench: Bench) -> Result<(), Failure> {
    // Whether the body is at its end before the client lets go is a matter of microseconds.
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    page.eval("globalThis.enough = 2")?;
    let mut stream = question(&bench, &mut server).await?.stream();
    bench.wait_ms(100).await;
    let tokens: Vec<String> = (0..4).map(|_| format!(" {}", 100 + bench.draw(900))).collect();
    let chunk = tokens.iter().fold(String::new(), |chunk, token| chunk + &event(token));
    stream.send(chunk + "event: done\ndata: {}\n\n");
    bench.wait_ms(100).await;
    stream.end();
    let because = "The page stopped at the second token";
    expect_answer(&bench, &page, &mut server, Ending::stopped(&tokens[..2], because, true)).await
}

async fn todo_7_before_the_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let asked = question(&bench, &mut server).await?;
    bench.wait_s(2).await;
    let reason = press_stop(&bench, &page, 2)?;
    bench.wait_ms(100).await;
    if !bench.moments().iter().any(|moment| moment.what == What::Abort) {
        return Err(Failure::of(
            "7.request",
            "The signal was aborted while the server was thinking, and the request still waits for its answer: `fetch` takes a signal.",
        ));
    }
    drop(asked);
    let because = format!("The user has pressed Stop{reason} before the answer began");
    expect_answer(&bench, &page, &mut server, Ending::stopped(&[], &because, reason.is_empty())).await
}

async fn todo_7_any_reason(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    // The first is no reason at all; the others in two plays.
    let half = REASONS[1..].iter().skip((bench.seed() % 2) as usize).step_by(2);
    let reasons = if bench.is_plain() { vec![&REASONS[1]] } else { half.collect() };
    for (number, reason) in reasons.into_iter().enumerate() {
        if number > 0 {
            ask_again(&bench, &page, "and once more")?;
        }
        let (stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
        page.eval(&format!("stop.abort({reason})"))?;
        let because = format!("The user has pressed Stop (with the reason `{reason}`)");
        expect_answer(&bench, &page, &mut server, Ending::stopped(&tokens, &because, false)).await?;
        drop(stream);
    }
    Ok(())
}

async fn todo_7_after_the_end(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
    stream.send("event: done\ndata: {}\n\n");
    stream.end();
    bench.wait_ms(100).await;
    press_stop(&bench, &page, 3)?;
    bench.note("Stop, after the end");
    let because = "The answer was complete before Stop was pressed";
    expect_answer(&bench, &page, &mut server, Ending::of("7.end", "finished", &tokens, because)).await
}

async fn todo_7_after_the_last_word(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    for (word, outcome) in [("done", "finished"), ("error", "failed")] {
        let (mut stream, tokens) = answer_with_two_tokens(&bench, &page, &mut server).await?;
        stream.send(format!("event: {word}\ndata: {{}}\n\n"));
        bench.wait_ms(100).await;
        press_stop(&bench, &page, 4)?;
        bench.note("Stop, after the last word");
        bench.wait_ms(100).await;
        // A client may have read on to here.
        stream.end();
        let because =
            format!("The server had said `{word}` before Stop was pressed, and its body was still open");
        expect_answer(&bench, &page, &mut server, Ending::of("7.end", outcome, &tokens, &because)).await?;
        if word == "done" {
            ask_again(&bench, &page, "and once more")?;
        }
    }
    Ok(())
}
