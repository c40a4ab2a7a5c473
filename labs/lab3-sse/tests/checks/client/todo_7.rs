//! TODO 7: nobody is looking.

use std::time::Duration;

use grader::{Bench, Check, Disturbance, Failure, Page, Script, Stream, scene, sweep, wire::What};

use super::{
    FILE, Ticker,
    giving_up::{Answer, FATAL, refuse, reply},
    quiet,
    todo_7_sweeps::{todo_7_aborted_at_any_moment, todo_7_away_at_any_moment},
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_closes_while_nobody_looks",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "set `HIDDEN_FOR` to 5_000 for a while, cargo run -p lab3, open http://127.0.0.1:3003/ with the browser's network panel in a window of its own, and switch to another tab for three seconds, then for ten.",
    scenes: &[
        scene!(
            todo_7_hidden_for_long,
            ["7.hidden", "7.not-before", "7.visible"],
            "The tab is hidden for ten seconds, and later for five minutes."
        ),
        scene!(
            todo_7_hidden_again_and_again,
            ["7.not-before"],
            "The tab is hidden for 40 s, three times, and shown for a moment in between."
        ),
        scene!(
            todo_7_left_and_restored,
            ["7.left"],
            "The page is left, and restored from the back/forward cache."
        ),
        scene!(
            todo_7_hidden_while_waiting,
            ["7.never-two", "7.hidden"],
            "The tab is hidden and shown again while the client waits to come back, and hidden for long in the next wait."
        ),
        scene!(
            todo_7_shown_while_reconnecting,
            ["7.still-there"],
            "The tab is hidden and shown again while the browser is reconnecting."
        ),
        scene!(
            todo_7_away_while_asking,
            ["7.never-two", "7.hidden", "7.left"],
            "The page is not looked at while the client's question is in transit: the answer comes late."
        ),
        scene!(
            todo_7_the_market_is_closed,
            ["7.stays-closed"],
            "The market has closed. The tab is hidden and shown, and the page left and restored."
        ),
        sweep!(
            todo_7_aborted_at_any_moment,
            ["7.aborted"],
            [Disturbance::Abort],
            "The tab is hidden and shown, for a moment and for long, and the page left and restored. At some moment the signal is aborted."
        ),
        sweep!(
            todo_7_away_at_any_moment,
            ["7.never-two", "7.hidden", "7.left", "7.visible"],
            [Disturbance::Hide, Disturbance::HideLong, Disturbance::Leave],
            "The server is restarted, and a proxy answers 502 meanwhile. At some moment nobody looks any more."
        ),
    ],
};

async fn todo_7_hidden_for_long(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    bench.note("hidden for 10 s");
    page.set_visibility(true);
    bench.wait_s(5).await;
    ticker.price(&mut stream);
    bench.wait_s(5).await;
    if !stream.is_read() {
        return Err(Failure::of(
            "7.not-before",
            "The tab was hidden for 10 s only, and the stream is closed: somebody who looks away for a moment gains nothing by it.",
        ));
    }
    page.set_visibility(false);
    ticker.expect_shown().map_err(|_| {
        Failure::of(
            "7.not-before",
            "A price that came while the tab was hidden for a moment was not shown, and nobody will ask for it again: its stream was open all the time.",
        )
    })?;
    let otherwise = "The tab is visible again and its stream is still there; the client asks for another";
    quiet(&mut server, 120, "7.never-two", otherwise).await.map_err(|failure| match failure {
        // One that was closed for another is not two; but it was still there.
        Failure::Broken { words, .. } if !stream.is_read() => Failure::of("7.still-there", words),
        other => other,
    })?;
    if !stream.is_read() {
        return Err(Failure::of(
            "7.not-before",
            "The tab has been visible for two minutes, and its stream was closed: does the timer that was started when it was hidden still run?",
        ));
    }
    bench.note("hidden for five minutes");
    hidden_until_closed(&bench, &page, &stream).await?;
    quiet(
        &mut server,
        239,
        "7.hidden",
        "The tab is hidden and the stream closed, and the client asks for prices",
    )
    .await?;
    bench.note("visible again");
    page.set_visibility(false);
    let mut stream = ticker.opens_again(&mut server, "7.visible", "The tab is visible again").await?;
    ticker.goes_on(&mut stream).await?;
    if !bench.is_plain() {
        hidden_until_closed(&bench, &page, &stream).await?;
        page.set_visibility(false);
        stream = ticker.opens_again(&mut server, "7.visible", "The tab is visible again").await?;
        ticker.goes_on(&mut stream).await?;
    }
    one_stream(&mut server).await
}

async fn todo_7_hidden_again_and_again(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    for _ in 0..3 {
        bench.note("hidden for 40 s, then visible");
        page.set_visibility(true);
        bench.wait_s(40).await;
        page.set_visibility(false);
        bench.wait_ms(bench.pick(&[1_000, 1, 19_000])).await;
        if !stream.is_read() {
            return Err(Failure::of(
                "7.not-before",
                "The tab was never hidden for longer than 40 s, and the stream is closed: each time it is hidden the 60 s begin anew.",
            ));
        }
    }
    ticker.goes_on(&mut stream).await?;
    one_stream(&mut server).await
}

async fn todo_7_left_and_restored(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    for away in [10, bench.pick(&[90, 61, 600])] {
        bench.note("the page is left");
        page.leave();
        bench.wait_ms(100).await;
        if stream.is_read() {
            return Err(Failure::of(
                "7.left",
                "The page was left (`pagehide`) and the stream is still open.",
            ));
        }
        quiet(&mut server, away, "7.left", "The page was left, and the client asks for prices").await?;
        bench.note("the page is restored");
        page.return_to();
        stream = ticker.opens_again(&mut server, "7.left", "The page was restored (`pageshow`)").await?;
        ticker.goes_on(&mut stream).await?;
    }
    one_stream(&mut server).await
}

async fn todo_7_hidden_while_waiting(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut asked =
        server.request("The client asked for nothing.").await.map_err(|failure| failure.or_of("5.one"))?;
    asked.status(503);
    let refusal = ticker.asks(&mut server, Answer::Status(503)).await?;
    page.set_visibility(true);
    bench.wait_ms(100).await;
    page.set_visibility(false);
    // Shown again while it waits, the client may come back at once or when its time has come.
    (asked, _) = ticker.comes_back(&mut server, refusal, (0, 30_000), "7.visible").await?;
    let mut stream = asked.stream();
    ticker.goes_on(&mut stream).await?;
    one_stream(&mut server).await?;
    if bench.is_plain() {
        return Ok(());
    }
    // Again, and again: until a wait is longer than the tab is hidden.
    page.set_visibility(true);
    let hidden = bench.now();
    stream.end();
    asked = server.request("The stream ended; the browser should be back.").await?;
    while bench.now().since(hidden) < 61_000 {
        refuse(&bench, asked, bench.pick(&FATAL));
        let refusal = ticker.asks(&mut server, Answer::Status(503)).await?;
        let left = 61_000_u64.saturating_sub(refusal.since().since(hidden));
        match tokio::time::timeout(
            Duration::from_millis(left),
            server.request_within(Duration::from_secs(60), ""),
        )
        .await
        {
            Ok(back) => asked = back?,
            Err(_) => break,
        }
    }
    quiet(
        &mut server,
        300,
        "7.hidden",
        "The tab has been hidden for more than 61 s; the wait to come back should have ended with the stream, but the client asks",
    )
    .await?;
    page.set_visibility(false);
    let mut stream = ticker.opens_again(&mut server, "7.visible", "The tab is visible again").await?;
    ticker.goes_on(&mut stream).await?;
    one_stream(&mut server).await
}

async fn todo_7_shown_while_reconnecting(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    bench.show_request_headers(&["last-event-id"]);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let stream = ticker.opened_with_two_prices(&mut server).await?;
    stream.end();
    bench.wait_ms(bench.pick(&[500, 50, 2_000])).await;
    bench.note("hidden for a moment while the browser is reconnecting");
    page.set_visibility(true);
    bench.wait_ms(bench.pick(&[500, 100, 900])).await;
    page.set_visibility(false);
    let again = server.request("The stream ended; the browser should be back after 3 s.").await?;
    let last = ticker.seen().map(|id| id.to_string());
    if again.header("last-event-id") != last.as_deref() {
        return Err(Failure::of(
            "7.still-there",
            "The browser was reconnecting when the tab was shown again, and the client opened another EventSource: a stream that is CONNECTING is still there.",
        ));
    }
    let mut stream = again.stream();
    ticker.goes_on(&mut stream).await?;
    one_stream(&mut server).await
}

async fn todo_7_away_while_asking(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    for (hides, back_first) in [(false, false), (true, true), (true, false), (false, true)] {
        if hides {
            bench.note("hidden for 61 s; before its end the stream ends, and the client asks why");
            page.set_visibility(true);
            bench.wait_s(56).await;
        }
        stream.end();
        let again = server.request("The stream ended; the browser should be back after 3 s.").await?;
        again.status(bench.pick(&FATAL));
        let lost = ticker.gives_up().await?;
        let question = ticker.question(&mut server, lost).await?;
        // The answer is late, but not so late that a client would do without it.
        let (clause, because) = if hides {
            bench.wait_ms(2_000).await;
            ("7.visible", "The tab is visible again")
        } else {
            bench.note("left for 2 s while the question is in transit");
            page.leave();
            bench.wait_s(2).await;
            ("7.left", "The page was restored")
        };
        let back = || if hides { page.set_visibility(false) } else { page.return_to() };
        let mut question = Some(question);
        if !back_first {
            question.take().and_then(|question| reply(question, 503));
            let (clause, words) = if hides {
                (
                    "7.hidden",
                    "The tab is hidden and its stream closed; the answer to a question that was asked before must open none",
                )
            } else {
                (
                    "7.left",
                    "The page was left; the answer to a question that was asked before must open no stream",
                )
            };
            quiet(&mut server, 35, clause, words).await?;
        }
        back();
        stream = ticker.opens_again(&mut server, clause, because).await?;
        bench.wait_ms(100).await;
        // A client may have aborted the question meanwhile: then nobody hears this.
        question.take().and_then(|question| reply(question, 503));
        quiet(
            &mut server,
            35,
            "7.never-two",
            "One stream is open, and the answer to a question that was asked before it makes the client open another: after `await`, `source` may be a new one, or none",
        )
        .await?;
        ticker.goes_on(&mut stream).await?;
    }
    one_stream(&mut server).await
}

async fn todo_7_the_market_is_closed(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let stream = ticker.opened_with_two_prices(&mut server).await?;
    stream.end();
    let again = server.request("The stream ended; the browser should be back after 3 s.").await?;
    again.status(204);
    ticker.asks(&mut server, Answer::Status(204)).await?;
    bench.wait_ms(100).await;
    for seconds in [10, 300] {
        bench.note(&format!("hidden for {seconds} s, then visible"));
        page.set_visibility(true);
        bench.wait_s(seconds).await;
        page.set_visibility(false);
        quiet(
            &mut server,
            60,
            "7.stays-closed",
            "The market has closed; to look at the page again does not open it, but the client asks",
        )
        .await?;
    }
    bench.note("the page is left, and restored");
    page.leave();
    bench.wait_s(10).await;
    page.return_to();
    quiet(
        &mut server,
        60,
        "7.stays-closed",
        "The market has closed; to restore the page does not open it, but the client asks",
    )
    .await
}

/// The tab is hidden, and its stream is closed after 60 to 61 s.
async fn hidden_until_closed(bench: &Bench, page: &Page, stream: &Stream) -> Result<(), Failure> {
    let hidden = bench.now();
    page.set_visibility(true);
    bench.wait_ms(59_900).await;
    if !stream.is_read() {
        return Err(Failure::of(
            "7.not-before",
            "The tab has been hidden for less than 60 s, and its stream is closed.",
        ));
    }
    bench.wait_ms(1_100).await;
    if stream.is_read() {
        return Err(Failure::of(
            "7.hidden",
            "The tab has been hidden for 61 s and the stream is still open.",
        ));
    }
    bench.tell_as_window(hidden, (60_000, 61_000), |moment| moment.what == What::Abort);
    Ok(())
}

async fn one_stream(server: &mut Script) -> Result<(), Failure> {
    quiet(
        server,
        30,
        "7.never-two",
        "One stream is open, and the client asks for another (does a timer go on that should bring it back, after the page had opened one?)",
    )
    .await
}

/// What `status` is told while nobody looks is open.
fn say_nothing_of_status(bench: &Bench) {
    bench.leave_out(|moment| matches!(&moment.what, What::Said(label, _) if label == "status"));
}
