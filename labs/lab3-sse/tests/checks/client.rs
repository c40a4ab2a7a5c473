//! TODO 5 to 7: the client, in a page of its own, before a server that does what the check says.

use std::time::Duration;

use grader::{
    Asked, Bench, Check, Failure, Mark, Page, Script, scene,
    wire::{Moment, What, transcript::Data},
};

const FILE: &str = "web/client.js";
const STREAM: &str = "/prices/stream";
/// Data of events that the client must not show.
const NO_PRICE: &str = r#"{"symbol":"NONE","price":0}"#;

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_shows_each_price_and_keeps_its_place",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "cargo run -p lab3-solution, open its page, and watch the EventStream tab of the browser's network panel.",
    scenes: &[
        scene!(
            todo_5_shows_prices,
            "Three prices move, among events that are no prices. Then the page is done with it."
        ),
        scene!(todo_5_never_begins, "The signal was aborted before the client is called."),
    ],
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_comes_back_and_knows_when_to_stop",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "log `source.readyState` in the error listener: 0 is CONNECTING, 2 is CLOSED.",
    scenes: &[
        scene!(todo_6_the_browser_reconnects, "The line is cut. The browser comes back by itself."),
        scene!(
            todo_6_after_a_502,
            "A proxy answers the browser's return with 502. That is fatal for an EventSource."
        ),
        scene!(
            todo_6_with_more_patience,
            "The server stays away: four times in a row, then once more after a stream that opened."
        ),
        scene!(todo_6_the_market_is_closed, "The line is cut, and the market has closed meanwhile."),
    ],
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_lets_go_while_nobody_looks",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "open the lab's page, switch to another tab for a minute, and watch the server's side with `ss -tn`.",
    scenes: &[
        scene!(todo_7_hidden_for_long, "The tab is hidden for ten seconds, and later for five minutes."),
        scene!(todo_7_left_and_restored, "The page is left, and restored from the back/forward cache."),
        scene!(
            todo_7_hidden_while_waiting,
            "The tab is hidden and shown again while the client waits to come back."
        ),
    ],
};

async fn todo_5_shows_prices(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["accept"]);
    let mut server = bench.script();
    let page = watch(&bench)?;
    let asked = server
        .request("The client asked for nothing: `watchPrices` opens an EventSource as soon as it is called")
        .await?;
    expect_event_source(&asked, STREAM)?;
    bench.wait_ms(100).await;
    let mut stream = asked.stream();
    bench.wait_ms(100).await;
    expect_status(&bench, "live", "The stream is open")?;
    let prices: Vec<String> = (0..3).map(|_| price(&bench)).collect();
    stream.event("price", 1, &prices[0]);
    bench.wait_ms(100).await;
    // Neither of these is a price.
    stream.send(format!("data: {NO_PRICE}\n\nevent: notice\ndata: {NO_PRICE}\n\n"));
    bench.wait_ms(100).await;
    // Two events in one chunk, as the network likes it.
    stream.send(format!(
        "event: price\nid: 2\ndata: {}\n\nevent: price\nid: 3\ndata: {}\n\n",
        prices[1], prices[2]
    ));
    bench.wait_ms(100).await;
    expect_shown(&bench, &prices)?;
    page.eval("stop.abort()")?;
    bench.wait_ms(100).await;
    if stream.is_read() {
        return Err(Failure::broken(
            "The signal was aborted and the stream is still open: `close()` the EventSource.",
        ));
    }
    server
        .quiet(Duration::from_secs(30), "The signal was aborted; the client must ask for nothing more")
        .await
}

async fn todo_5_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = bench.page(&["watchPrices"])?;
    page.eval(
        "client.watchPrices({ url: '/prices/stream', show: (price) => say('show', price), status: (status) => say('status', status), signal: AbortSignal.abort() })",
    )?;
    bench.note("the signal was aborted from the beginning");
    server
        .quiet(
            Duration::from_secs(10),
            "The signal was aborted from the beginning; the client must ask for nothing",
        )
        .await
}

async fn todo_6_the_browser_reconnects(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let mut server = bench.script();
    let _page = watch(&bench)?;
    let (mut stream, prices) = open_with_two_prices(&bench, &mut server).await?;
    bench.cut().await;
    stream.send(": nobody hears this\n\n");
    expect_status(&bench, "reconnecting", "The line was cut and the browser is at it")?;
    let again = server.request("The browser should be back after 3 s: has the client closed the EventSource that was reconnecting?").await?;
    if again.header("last-event-id") != Some("2") {
        return Err(Failure::broken(
            "The browser's own return carries `last-event-id: 2`. This request does not: the client has opened another EventSource while the first was reconnecting.",
        ));
    }
    stream = again.stream();
    let third = price(&bench);
    stream.event("price", 3, &third);
    bench.wait_ms(100).await;
    expect_status(&bench, "live", "The stream is open again")?;
    expect_shown(&bench, &[prices, vec![third]].concat())?;
    server.quiet(Duration::from_secs(30), "One stream is open; the client must not ask for another").await
}

async fn todo_6_after_a_502(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let _page = watch(&bench)?;
    let (stream, prices) = open_with_two_prices(&bench, &mut server).await?;
    stream.end();
    let again = server.request("The stream ended; the browser should be back after 3 s").await?;
    again.status(502);
    let refusal = answer_the_question(&bench, &mut server, 502).await?;
    let (back, _) = come_back(&bench, &mut server, refusal, (500, 1_000)).await?;
    expect_event_source(&back, "/prices/stream?after=2")?;
    let mut stream = back.stream();
    let third = price(&bench);
    stream.event("price", 3, &third);
    bench.wait_ms(100).await;
    expect_status(&bench, "live", "The stream is open again")?;
    expect_shown(&bench, &[prices, vec![third]].concat())?;
    server.quiet(Duration::from_secs(30), "One stream is open; the client must not ask for another").await
}

async fn todo_6_with_more_patience(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_reconnecting(&bench);
    let mut server = bench.script();
    let _page = watch(&bench)?;
    let mut asked = server.request("The client asked for nothing").await?;
    let mut places = Vec::new();
    for window in [(500, 1_000), (1_000, 2_000), (2_000, 4_000), (4_000, 8_000)] {
        asked.status(503);
        let refusal = answer_the_question(&bench, &mut server, 503).await?;
        let waited;
        (asked, waited) = come_back(&bench, &mut server, refusal, window).await?;
        expect_event_source(&asked, STREAM)?;
        places.push(waited.saturating_sub(window.0) * 100 / (window.1 - window.0));
    }
    if places.iter().all(|place| place.abs_diff(places[0]) <= 5) {
        return Err(Failure::broken(
            "Every wait falls on the same place in its window: whoever lost the server together comes back together. Draw each wait by chance.",
        ));
    }
    let stream = asked.stream();
    bench.wait_ms(500).await;
    expect_status(&bench, "live", "The stream is open")?;
    bench.note("a stream that opens starts over");
    stream.end();
    server.request("The stream ended; the browser should be back after 3 s").await?.status(503);
    let refusal = answer_the_question(&bench, &mut server, 503).await?;
    come_back(&bench, &mut server, refusal, (500, 1_000)).await?.0.stream();
    expect_reconnecting(&bench)
}

async fn todo_6_the_market_is_closed(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let _page = watch(&bench)?;
    let (stream, prices) = open_with_two_prices(&bench, &mut server).await?;
    stream.end();
    let again = server.request("The stream ended; the browser should be back after 3 s").await?;
    again.status(204);
    answer_the_question(&bench, &mut server, 204).await?;
    bench.wait_ms(100).await;
    expect_status(&bench, "closed", "The server has answered 204")?;
    expect_shown(&bench, &prices)?;
    server
        .quiet(Duration::from_secs(300), "The market is closed; nobody should ask for its prices any more")
        .await
}

async fn todo_7_hidden_for_long(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let mut server = bench.script();
    let page = watch(&bench)?;
    let (stream, prices) = open_with_two_prices(&bench, &mut server).await?;
    bench.note("hidden for 10 s");
    page.set_visibility(true);
    bench.wait_s(10).await;
    if !stream.is_read() {
        return Err(Failure::broken(
            "The tab was hidden for 10 s only, and the stream is closed: the contract says 60 s.",
        ));
    }
    page.set_visibility(false);
    server
        .quiet(
            Duration::from_secs(120),
            "The tab is visible again; its stream is open, and the client asks for another",
        )
        .await?;
    if !stream.is_read() {
        return Err(Failure::broken(
            "The tab has been visible for two minutes, and its stream was closed: does the timer that was started when it was hidden still run?",
        ));
    }
    bench.note("hidden for five minutes");
    let hidden = bench.now();
    page.set_visibility(true);
    bench.wait_ms(59_900).await;
    if !stream.is_read() {
        return Err(Failure::broken(format!(
            "The stream was closed after less than 60 s ({} ms).",
            bench.now().since(hidden)
        )));
    }
    bench.wait_ms(1_100).await;
    if stream.is_read() {
        return Err(Failure::broken("The tab has been hidden for 61 s and the stream is still open."));
    }
    bench.tell_as_window(hidden, (60_000, 61_000), |moment| moment.what == What::Abort);
    server
        .quiet(
            Duration::from_secs(239),
            "The tab is hidden and the stream closed; nobody should ask for prices",
        )
        .await?;
    bench.note("visible again");
    page.set_visibility(false);
    let back = server.request("The tab is visible again; the client should open a stream at once").await?;
    expect_event_source(&back, "/prices/stream?after=2")?;
    let mut stream = back.stream();
    let third = price(&bench);
    stream.event("price", 3, &third);
    bench.wait_ms(100).await;
    expect_shown(&bench, &[prices, vec![third]].concat())?;
    server.quiet(Duration::from_secs(30), "One stream is open; the client must not ask for another").await
}

async fn todo_7_left_and_restored(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let mut server = bench.script();
    let page = watch(&bench)?;
    let (stream, prices) = open_with_two_prices(&bench, &mut server).await?;
    bench.note("the page is left");
    page.leave();
    bench.wait_ms(100).await;
    if stream.is_read() {
        return Err(Failure::broken("The page was left (`pagehide`) and the stream is still open."));
    }
    server.quiet(Duration::from_secs(10), "The page was left; nobody should ask for prices").await?;
    bench.note("the page is restored");
    page.return_to();
    let back =
        server.request("The page was restored (`pageshow`); the client should open a stream at once").await?;
    expect_event_source(&back, "/prices/stream?after=2")?;
    let mut stream = back.stream();
    let third = price(&bench);
    stream.event("price", 3, &third);
    bench.wait_ms(100).await;
    expect_shown(&bench, &[prices, vec![third]].concat())?;
    server.quiet(Duration::from_secs(30), "One stream is open; the client must not ask for another").await
}

async fn todo_7_hidden_while_waiting(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_status(&bench);
    let mut server = bench.script();
    let page = watch(&bench)?;
    server.request("The client asked for nothing").await?.status(503);
    let refusal = answer_the_question(&bench, &mut server, 503).await?;
    page.set_visibility(true);
    bench.wait_ms(100).await;
    page.set_visibility(false);
    // Shown again while it waits, the client may come back at once or when its time has come.
    let mut stream = come_back(&bench, &mut server, refusal, (0, 30_000)).await?.0.stream();
    stream.event("price", 1, &price(&bench));
    bench.wait_ms(100).await;
    server
        .quiet(
            Duration::from_secs(30),
            "One stream is open and the client asks for another: the timer that should bring it back went on after the page had opened one",
        )
        .await
}

/// Opens the client on the ticker, as the lab's page does.
fn watch(bench: &Bench) -> Result<Page, Failure> {
    let page = bench.page(&["watchPrices"])?;
    page.eval(
        "globalThis.stop = new AbortController();
        client.watchPrices({
            url: '/prices/stream',
            show: (price) => say('show', price),
            status: (status) => say('status', status),
            signal: stop.signal,
        });",
    )?;
    Ok(page)
}

/// The first stream, with prices 1 and 2 on it.
async fn open_with_two_prices(
    bench: &Bench,
    server: &mut Script,
) -> Result<(grader::Stream, Vec<String>), Failure> {
    let asked = server
        .request("The client asked for nothing: `watchPrices` opens an EventSource as soon as it is called")
        .await?;
    let mut stream = asked.stream();
    let prices: Vec<String> = (0..2).map(|_| price(bench)).collect();
    for (id, price) in (1..).zip(&prices) {
        bench.wait_ms(100).await;
        stream.event("price", id, price);
    }
    bench.wait_ms(100).await;
    expect_shown(bench, &prices)?;
    Ok((stream, prices))
}

/// Since when a client that was told to go away may be waiting.
#[derive(Clone, Copy)]
struct Refusal {
    /// The browser has given up.
    lost: Mark,
    /// How long after that the client heard why, in milliseconds. It may count from either.
    heard_after: u64,
}

/// The browser has given up: the client asks why, and hears `status`.
async fn answer_the_question(bench: &Bench, server: &mut Script, status: u16) -> Result<Refusal, Failure> {
    let is_answer = |moment: &Moment| matches!(moment.what, What::Response { .. });
    let question = server
        .request("An EventSource that was answered with an error is CLOSED for good; the client should ask why, with one `fetch` of the same address")
        .await?;
    if is_event_source(&question) {
        return Err(Failure::broken(
            "The client opened a new EventSource without asking why the old one died: it would ask a closed market for ever.",
        ));
    }
    if question.method != "HEAD" && question.method != "GET" {
        return Err(Failure::broken(format!(
            "The client should ask with HEAD, not with {}.",
            question.method
        )));
    }
    // A GET asks the same.
    bench.retell(
        |moment| matches!(moment.what, What::Request { .. }),
        |moment| {
            if let What::Request { method, .. } = &mut moment.what {
                *method = "HEAD".to_owned();
            }
        },
    );
    let lost = bench.last_moment(is_answer).unwrap_or(question.at);
    question.status(status);
    let heard = bench.until(Duration::from_secs(1), "The answer to the client's question was lost.", || {
        bench.last_moment(is_answer).filter(|answer| *answer > lost)
    });
    Ok(Refusal { lost, heard_after: heard.await?.since(lost) })
}

/// The client comes back within the window, in milliseconds: its request, and how long it waited.
async fn come_back(
    bench: &Bench,
    server: &mut Script,
    refusal: Refusal,
    (from, to): (u64, u64),
) -> Result<(Asked, u64), Failure> {
    let back = server
        .request_within(
            Duration::from_secs(60),
            "The client gave up for good: an error is a reason to wait, not to stop",
        )
        .await?;
    let waited = bench.last_moment(is_request).unwrap_or(back.at).since(refusal.lost);
    let latest = to + refusal.heard_after;
    if waited < from || waited > latest {
        return Err(Failure::broken(format!(
            "The client came back after {waited} ms; the contract says {from} to {to} ms here."
        )));
    }
    bench.leave_open(refusal.lost, (from, latest), is_request);
    Ok((back, waited))
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

fn is_event_source(asked: &Asked) -> bool {
    asked.header("accept").is_some_and(|accept| accept.starts_with("text/event-stream"))
}

fn expect_event_source(asked: &Asked, target: &str) -> Result<(), Failure> {
    if !is_event_source(asked) {
        return Err(Failure::broken(format!(
            "{} {} should be an EventSource's request; its `accept` is `{}`.",
            asked.method,
            asked.target,
            asked.header("accept").unwrap_or("missing")
        )));
    }
    if asked.target != target {
        return Err(Failure::broken(format!(
            "The client asks for {}; from its position it is {target}.",
            asked.target
        )));
    }
    Ok(())
}

/// What the page was told last is this status.
fn expect_status(bench: &Bench, status: &str, because: &str) -> Result<(), Failure> {
    let told = bench.said("status");
    match told.last() {
        Some(Data::Text(now)) if now == status => Ok(()),
        Some(Data::Text(now)) => {
            Err(Failure::broken(format!("{because}; the page still says `{now}` instead of `{status}`.")))
        }
        Some(_) => Err(Failure::broken(format!("`status` takes a word; call it with '{status}'."))),
        None => Err(Failure::broken(format!("{because}, and nobody called `status('{status}')`."))),
    }
}

/// Whether 'reconnecting' is said before the client asks why, or after, is open: it is not told, but asked for.
fn say_nothing_of_reconnecting(bench: &Bench) {
    bench.leave_out(|moment| {
        matches!(&moment.what, What::Said(label, Data::Text(status)) if label == "status" && status == "reconnecting")
    });
}

fn expect_reconnecting(bench: &Bench) -> Result<(), Failure> {
    if bench.said("status").contains(&Data::Text("reconnecting".to_owned())) {
        return Ok(());
    }
    Err(Failure::broken("The line was lost, and nobody called `status('reconnecting')`."))
}

/// What `status` is told while nobody looks is open.
fn say_nothing_of_status(bench: &Bench) {
    bench.leave_out(|moment| matches!(&moment.what, What::Said(label, _) if label == "status"));
}

fn expect_shown(bench: &Bench, prices: &[String]) -> Result<(), Failure> {
    let shown = bench.said("show");
    let expected: Vec<Data> = prices.iter().map(|price| Data::of_text(price)).collect();
    if shown == expected {
        return Ok(());
    }
    Err(Failure::broken(if shown.contains(&Data::of_text(NO_PRICE)) {
        "An event that is no price was shown. `onmessage` hears events without a type; those of type `price` go to `addEventListener('price', …)`.".to_owned()
    } else if shown.len() < expected.len() && expected.starts_with(&shown) {
        format!("{} of {} prices were shown.", shown.len(), expected.len())
    } else if shown.len() > expected.len() && shown.starts_with(&expected) {
        "More was shown than there were prices: a price twice, or an event that is no price.".to_owned()
    } else {
        "What was shown is not what was sent: `show` takes the parsed data of each `price` event, in order."
            .to_owned()
    }))
}

/// A price that nobody can know beforehand.
fn price(bench: &Bench) -> String {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    format!(r#"{{"symbol":"{symbol}","price":{}}}"#, 5_000 + 25 * bench.draw(100))
}
