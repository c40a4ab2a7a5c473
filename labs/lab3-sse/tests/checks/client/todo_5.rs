//! TODO 5: watch.

use grader::{Bench, Check, Disturbance, Failure, Page, awkward::TEXTS, invariant, scene, sweep};

use super::{FILE, NO_PRICE, Ticker, event, market::Market, quiet};

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_shows_each_price_and_keeps_its_place",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "log `event.type`, `event.data` and `event.lastEventId` in each listener, cargo run -p lab3 (its server needs TODO 1), open http://127.0.0.1:3003/, and hold the console against the EventStream tab of the browser's network panel.",
    scenes: &[
        scene!(
            todo_5_shows_prices,
            ["5.shows", "5.one", "5.live", "5.only-prices", "5.aborted"],
            "Three prices move, among events that are no prices. Then the page is done with it."
        ),
        scene!(
            todo_5_position,
            ["5.position", "5.shows"],
            "The page is left and restored, twice. Each time the client opens a new stream."
        ),
        scene!(
            todo_5_show_throws,
            ["5.shown-first"],
            "The page cannot show the third price: `show` throws. Then the page is left and restored."
        ),
        scene!(todo_5_never_begins, ["5.aborted"], "The signal was aborted before the client is called."),
        sweep!(
            todo_5_aborted_at_any_moment,
            ["5.aborted"],
            [Disturbance::Abort, Disturbance::AbortInside],
            "Prices move, two of them in one chunk; the page is left and restored. At some moment the signal is aborted."
        ),
    ],
};

async fn todo_5_shows_prices(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["accept"]);
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened(&mut server).await?;
    bench.wait_ms(200).await;
    ticker.expect_status("live", "5.live", "The stream is open")?;
    ticker.goes_on(&mut stream).await?;
    // None of these is a price.
    let mut others = format!("data: {NO_PRICE}\n\nevent: notice\ndata: {NO_PRICE}\n\n");
    if !bench.is_plain() {
        others +=
            &format!("event: Price\ndata: {NO_PRICE}\n\nevent: prices\ndata: {NO_PRICE}\n\n: price\n\n");
    }
    ticker.send(&mut stream, &others);
    bench.wait_ms(100).await;
    // Two events in one chunk, as the network likes it.
    let (first, mut second) = (ticker.next(), ticker.next());
    if !bench.is_plain() {
        // The second says what the first has said.
        second.1.clone_from(&first.1);
    }
    stream.send(format!("{}{}", event(first.0, &first.1), event(second.0, &second.1)));
    ticker.shows([first, second]);
    // And prices of everything that may be in a text.
    for text in TEXTS.iter().filter(|_| !bench.is_plain()) {
        let price = (ticker.next().0, ticker.quote(text));
        ticker.send(&mut stream, &event(price.0, &price.1));
        ticker.shows([price]);
    }
    bench.wait_ms(100).await;
    ticker.expect_shown()?;
    quiet(&mut server, 1, "5.one", "One stream is open, and the client opens another").await?;
    if !stream.is_read() {
        return Err(Failure::of(
            "5.one",
            "The stream was closed while prices moved: it stays open until somebody wants it closed.",
        ));
    }
    page.eval("stop.abort()")?;
    bench.wait_ms(100).await;
    if stream.is_read() {
        return Err(Failure::of(
            "5.aborted",
            "The signal was aborted and the stream is still open: is it `source` that holds the EventSource? `close()` closes that one.",
        ));
    }
    quiet(&mut server, 30, "5.aborted", "The signal was aborted; the client must ask for nothing more").await
}

async fn todo_5_position(bench: Bench) -> Result<(), Failure> {
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    for _ in 0..2 {
        leave(&bench, &page, &stream).await?;
        stream = ticker.restored(&page, &mut server).await?;
        ticker.goes_on(&mut stream).await?;
    }
    ticker.expect_status("live", "5.live", "The stream is open")
}

async fn todo_5_show_throws(bench: Bench) -> Result<(), Failure> {
    let ticker = Ticker::new(&bench);
    let mut server = bench.script();
    let page = ticker.watch()?;
    let mut stream = ticker.opened_with_two_prices(&mut server).await?;
    // What a page throws is reported to its window, and nothing else comes of it.
    page.eval(
        "for (const type of ['error', 'unhandledrejection']) {
            addEventListener(type, (event) => event.preventDefault());
        }
        globalThis.fault = true;",
    )?;
    bench.note("`show` throws");
    let (id, data) = ticker.next();
    ticker.send(&mut stream, &event(id, &data));
    bench.wait_ms(100).await;
    if !stream.is_read() {
        return Err(Failure::of(
            "5.shown-first",
            "`show` threw, and the client closed its stream: the next price may be one that the page can show.",
        ));
    }
    page.eval("globalThis.fault = false")?;
    bench.note("the page is left, and restored");
    leave(&bench, &page, &stream).await?;
    let mut stream = ticker.restored(&page, &mut server).await.map_err(|failure| match failure.clause() {
        Some("5.position") => Failure::of(
            "5.shown-first",
            format!(
                "`show` threw at the price with the ID {id}, and the client asks for what comes after it: the page has never shown that price. The position moves when `show` has returned."
            ),
        ),
        _ => failure,
    })?;
    ticker.send(&mut stream, &event(id, &data));
    ticker.shows([(id, data)]);
    ticker.goes_on(&mut stream).await?;
    if bench.is_plain() {
        return Ok(());
    }
    // Here the stream goes on: what comes next is shown, and is the position.
    page.eval("globalThis.fault = true")?;
    let (id, data) = ticker.next();
    ticker.send(&mut stream, &event(id, &data));
    bench.wait_ms(100).await;
    page.eval("globalThis.fault = false")?;
    ticker.goes_on(&mut stream).await?;
    leave(&bench, &page, &stream).await?;
    let mut stream = ticker.restored(&page, &mut server).await?;
    ticker.goes_on(&mut stream).await
}

async fn todo_5_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = bench.page(&["watchPrices"])?;
    page.eval(
        "client.watchPrices({ url: '/prices/stream', show: (price) => say('show', price), status: (status) => say('status', status), signal: AbortSignal.abort() })",
    )?;
    bench.note("the signal was aborted from the beginning");
    quiet(
        &mut server,
        10,
        "5.aborted",
        "The signal was aborted from the beginning; the client must ask for nothing",
    )
    .await
}

async fn todo_5_aborted_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    let page = market.watch()?;
    for _ in 0..2 {
        bench.wait_ms(100).await;
        market.publish(2);
        bench.wait_ms(100).await;
        page.eval("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")?;
        bench.wait_ms(100).await;
        page.eval("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")?;
    }
    bench.wait_ms(100).await;
    market.publish(1);
    bench.wait_s(10).await;
    invariant::silent_after_abort(&bench, "5.aborted")?;
    let aborted = bench.disturbance().is_some();
    if aborted && market.is_watched() {
        return Err(Failure::of("5.aborted", "The signal was aborted, and a stream is still open."));
    }
    market.expect_all(aborted, "5.shows")
}

impl Ticker {
    /// The page is restored: the client opens a stream from its position.
    async fn restored(&self, page: &Page, server: &mut grader::Script) -> Result<grader::Stream, Failure> {
        // Without the `visibilitychange` that comes before it: that is for TODO 7.
        page.eval("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")?;
        self.opens_again(server, "5.one", "The page was restored").await
    }
}

/// The page is left, and its stream is closed.
async fn leave(bench: &Bench, page: &Page, stream: &grader::Stream) -> Result<(), Failure> {
    page.eval("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")?;
    bench.wait_ms(100).await;
    if stream.is_read() {
        return Err(Failure::of(
            "5.one",
            "The page was left and the stream is still open: is it `source` that holds the EventSource? `close()` closes that one.",
        ));
    }
    Ok(())
}
