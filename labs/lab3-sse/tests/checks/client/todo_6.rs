//! TODO 6: reconnecting, or closed?

use grader::{
    Asked, Bench, Check, Disturbance, Failure, Script, Stream, invariant, scene, sweep,
    wire::{What, transcript::Data},
};

use super::{
    FILE, Ticker,
    giving_up::{Answer, FATAL, PASSING, Refusal, refuse},
    is_event_source,
    market::Market,
    quiet,
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_comes_back_and_knows_when_to_stop",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "log `source.readyState` at the top of `lost`, cargo run -p lab3, open http://127.0.0.1:3003/ and stop the lab with Ctrl-C: 0, CONNECTING, the browser tries by itself. Put `return StatusCode::BAD_GATEWAY.into_response();` at the top of `prices` and start it again: 2, CLOSED, and the rest is yours.",
    scenes: &[
        scene!(
            todo_6_the_browser_reconnects,
            ["6.hands-off", "6.reconnecting", "6.live-again"],
            "The connection is cut. The browser comes back by itself."
        ),
        scene!(
            todo_6_after_a_502,
            ["6.passes", "6.asks", "6.body"],
            "A proxy answers the browser's return with 502. That is fatal for an EventSource."
        ),
        scene!(
            todo_6_with_more_patience,
            ["6.wait", "6.afresh", "6.random", "6.passes"],
            "The server stays away: four times in a row, then once more after a stream that opened."
        ),
        scene!(
            todo_6_no_answer,
            ["6.no-answer"],
            "A proxy answers with 502, and then the client's question gets no answer at all."
        ),
        scene!(
            todo_6_the_market_is_closed,
            ["6.closed"],
            "The stream ends, and the market has closed meanwhile."
        ),
        scene!(
            todo_6_away_for_long,
            ["6.longest", "6.random"],
            "The server stays away for a long time: the browser gives up forty times in a row."
        ),
        sweep!(
            todo_6_aborted_at_any_moment,
            ["6.aborted"],
            [Disturbance::Abort, Disturbance::AbortInside],
            "The server is restarted, and a proxy answers 502 meanwhile. At some moment the signal is aborted."
        ),
        sweep!(
            todo_6_cut_at_any_moment,
            ["6.hands-off", "6.passes"],
            [Disturbance::Cut, Disturbance::Refuse],
            "The server is restarted, and a proxy answers 502 meanwhile. At some moment the network fails, too."
        ),
    ],
};

async fn todo_6_the_browser_reconnects(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let _page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    // The first way is the plain one.
    for way in 0..if bench.is_plain() { 1 } else { 3 } {
        lose(&bench, stream, way).await;
        ticker.expect_status(
            "reconnecting",
            "6.reconnecting",
            "The connection was lost and the browser is at it",
        )?;
        let again = browser_returns(&ticker, &mut server).await?;
        stream = again.stream();
        ticker.goes_on(&mut stream).await?;
        ticker.expect_status("live", "6.live-again", "The stream is open again")?;
    }
    one_stream(&mut server, "6.hands-off").await
}

async fn todo_6_after_a_502(bench: Bench) -> Result<(), Failure> {
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let _page = ticker.watch()?;
    let stream = ticker.opened_with_two_prices(&mut server).await?;
    stream.end();
    let again = browser_returns(&ticker, &mut server).await?;
    refuse(&bench, again, bench.pick(&FATAL));
    let refusal = ticker.asks(&mut server, Answer::Status(bench.pick(&PASSING))).await?;
    let (asked, _) = back(&ticker, &mut server, refusal, (500, 1_000), "6.wait").await?;
    let mut stream = asked.stream();
    ticker.goes_on(&mut stream).await?;
    ticker.expect_status("live", "6.live-again", "The stream is open again")?;
    one_stream(&mut server, "6.passes").await
}

async fn todo_6_with_more_patience(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_reconnecting(&bench);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let _page = ticker.watch()?;
    let mut asked = first_request(&mut server).await?;
    let mut places = Vec::new();
    for window in [(500, 1_000), (1_000, 2_000), (2_000, 4_000), (4_000, 8_000)] {
        let (from, to) = window;
        if !bench.is_plain() && from > 500 {
            // The browser's request breaks off before it is answered: it tries again, and no stream has opened.
            drop(asked);
            asked = server.request("A request broke off; the browser should try again after 3 s.").await?;
        }
        refuse(&bench, asked, bench.pick(&[503, 404, 500, 429]));
        let refusal = ticker.asks(&mut server, Answer::Status(bench.pick(&[503, 200, 404, 502]))).await?;
        let waited;
        (asked, waited) = back(&ticker, &mut server, refusal, window, "6.wait").await?;
        places.push(waited.saturating_sub(from) * 100 / (to - from));
    }
    if places.iter().all(|place| place.abs_diff(places[0]) <= 5) {
        return Err(Failure::of(
            "6.random",
            "Every wait ends at the same place in its window: clients that lost the server together come back together. Draw each wait at random.",
        ));
    }
    let stream = asked.stream();
    bench.wait_ms(500).await;
    ticker.expect_status("live", "6.live-again", "The stream is open")?;
    bench.note("a stream that opens starts over");
    stream.end();
    let again = browser_returns(&ticker, &mut server).await?;
    refuse(&bench, again, 503);
    let refusal = ticker.asks(&mut server, Answer::Status(503)).await?;
    back(&ticker, &mut server, refusal, (500, 1_000), "6.afresh").await?.0.stream();
    Ok(())
}

async fn todo_6_no_answer(bench: Bench) -> Result<(), Failure> {
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let _page = ticker.watch()?;
    let stream = ticker.opened_with_two_prices(&mut server).await?;
    stream.end();
    let mut again = browser_returns(&ticker, &mut server).await?;
    for window in [(500, 1_000), (1_000, 2_000)] {
        let answer = bench.pick(&[Answer::Refused, Answer::Broken]);
        refuse(&bench, again, bench.pick(&FATAL));
        if answer == Answer::Refused {
            // The answer is in transit; nothing comes after it.
            bench.refuse();
        }
        let refusal = ticker.asks(&mut server, answer).await?;
        bench.accept();
        (again, _) = back(&ticker, &mut server, refusal, window, "6.no-answer").await?;
    }
    let mut stream = again.stream();
    ticker.goes_on(&mut stream).await?;
    one_stream(&mut server, "6.no-answer").await
}

async fn todo_6_the_market_is_closed(bench: Bench) -> Result<(), Failure> {
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let _page = ticker.watch()?;
    let stream = ticker.opened_with_two_prices(&mut server).await?;
    stream.end();
    let mut again = browser_returns(&ticker, &mut server).await?;
    if bench.pick(&[false, true]) {
        // Trouble first, and then the word that ends it.
        refuse(&bench, again, bench.pick(&FATAL));
        let refusal = ticker.asks(&mut server, Answer::Status(bench.pick(&PASSING))).await?;
        (again, _) = back(&ticker, &mut server, refusal, (500, 1_000), "6.wait").await?;
    }
    refuse(&bench, again, bench.pick(&[204, 502]));
    ticker.asks(&mut server, Answer::Status(204)).await?;
    bench.wait_ms(100).await;
    ticker.expect_status("closed", "6.closed", "The server has answered 204")?;
    ticker.expect_shown()?;
    quiet(&mut server, 300, "6.closed", "The market is closed, and the client asks for its prices once more")
        .await
}

async fn todo_6_away_for_long(bench: Bench) -> Result<(), Failure> {
    let ticker = Ticker::new(&bench);
    // How each wait is drawn has been told; here only its bounds count.
    bench.leave_out(|moment| moment.exchange.is_some() || matches!(moment.what, What::Said(..)));
    let mut server = bench.script();
    let _page = ticker.watch()?;
    let mut asked = first_request(&mut server).await?;
    let mut places = Vec::new();
    for attempt in 0..40_u32 {
        let to = 30_000.min(1_000 << attempt.min(6));
        // Every status in turn, and now and then no answer at all.
        let turn = attempt as usize;
        refuse(&bench, asked, FATAL[turn % FATAL.len()]);
        let answer =
            if turn % 7 == 6 { Answer::Broken } else { Answer::Status(PASSING[turn % PASSING.len()]) };
        let refusal = ticker.asks(&mut server, answer).await?;
        let waited;
        let clause = if to < 30_000 { "6.wait" } else { "6.longest" };
        (asked, waited) = back(&ticker, &mut server, refusal, (to / 2, to), clause).await.map_err(
            |failure| match failure {
                Failure::Broken { clause, words } => Failure::Broken {
                    clause,
                    words: format!("The browser gave up {} times in a row. {words}", attempt + 1),
                },
                other => other,
            },
        )?;
        if to == 30_000 {
            places.push(waited);
        }
    }
    let (least, most) = (places.iter().min(), places.iter().max());
    if let (Some(least), Some(most)) = (least, most)
        && most - least < 3_000
    {
        return Err(Failure::of(
            "6.random",
            format!(
                "The longest waits all took between {least} and {most} ms: draw each from 15 to 30 s, at random."
            ),
        ));
    }
    bench.note("the client is still there after forty refusals, and waits for 15 to 30 s each time");
    Ok(())
}

async fn todo_6_aborted_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    let _page = market.watch()?;
    through_a_restart(&market).await;
    invariant::silent_after_abort(&bench, "6.aborted")?;
    market.expect_ended("6.aborted")?;
    let aborted = bench.disturbance().is_some();
    if aborted && market.is_watched() {
        return Err(Failure::of("6.aborted", "The signal was aborted, and a stream is still open."));
    }
    market.expect_all(aborted, "6.passes")
}

async fn todo_6_cut_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    let _page = market.watch()?;
    through_a_restart(&market).await;
    market.expect_never_two("6.hands-off")?;
    market.expect_all(false, "6.passes")?;
    market.expect_status("live", "6.passes", "The server has been back for a minute")
}

/// The client comes back within the window, and has said that it is reconnecting.
async fn back(
    ticker: &Ticker,
    server: &mut Script,
    refusal: Refusal,
    window: (u64, u64),
    clause: &'static str,
) -> Result<(Asked, u64), Failure> {
    let back = ticker.comes_back(server, refusal, window, clause).await?;
    ticker.expect_status(
        "reconnecting",
        "6.passes",
        "The browser had given up, and the client was about to come back",
    )?;
    Ok(back)
}

/// Prices move, the server is restarted, a proxy answers for it with 502, and prices move on.
pub(super) async fn through_a_restart(market: &Market) {
    let bench = market.bench();
    bench.wait_ms(100).await;
    market.publish(2);
    bench.wait_ms(100).await;
    market.refuse(Some(502));
    market.end_streams();
    bench.wait_ms(5_100).await;
    market.refuse(None);
    market.publish(1);
    bench.wait_s(20).await;
    market.publish(2);
    bench.wait_s(40).await;
}

/// The connection is lost, in one of three ways.
async fn lose(bench: &Bench, mut stream: Stream, way: u8) {
    match way {
        0 => {
            bench.cut().await;
            stream.send(": nobody hears this\n\n");
        }
        1 => {
            stream.end();
            bench.wait_ms(20).await;
        }
        _ => {
            // And the server is away for a minute: the browser tries in vain, and goes on trying.
            bench.refuse();
            stream.end();
            bench.wait_s(61).await;
            bench.accept();
        }
    }
}

/// The browser comes back by itself, with the ID of the last event.
async fn browser_returns(ticker: &Ticker, server: &mut Script) -> Result<Asked, Failure> {
    let again = server.request(
        "The browser should be back after 3 s: has the client closed the EventSource that was reconnecting?",
    );
    let again = again.await.map_err(|failure| failure.or_of("6.hands-off"))?;
    if !is_event_source(&again) {
        return Err(Failure::of(
            "6.hands-off",
            format!(
                "The browser is reconnecting, and the client asked {} {}: there is nothing to ask as long as the browser tries.",
                again.method, again.target
            ),
        ));
    }
    let last = ticker.seen().map(|id| id.to_string());
    if again.header("last-event-id") != last.as_deref() {
        return Err(Failure::of(
            "6.hands-off",
            format!(
                "The browser's own return carries `last-event-id: {}`. This request does not: the client has opened another EventSource while the first was reconnecting.",
                last.unwrap_or_default()
            ),
        ));
    }
    Ok(again)
}

async fn first_request(server: &mut Script) -> Result<Asked, Failure> {
    server.request("The client asked for nothing.").await.map_err(|failure| failure.or_of("5.one"))
}

async fn one_stream(server: &mut Script, clause: &'static str) -> Result<(), Failure> {
    quiet(server, 30, clause, "One stream is open, and the client asks for another").await
}

/// Whether 'reconnecting' is said before the client asks why, or after, is open: it is not told, but asked for.
fn say_nothing_of_reconnecting(bench: &Bench) {
    bench.leave_out(|moment| {
        matches!(&moment.what, What::Said(label, Data::Text(status)) if label == "status" && status == "reconnecting")
    });
}
