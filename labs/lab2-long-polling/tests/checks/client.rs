//! TODO 5 to 7: the client, in a page of its own, before a server that does what the check says.

use std::{cell::Cell, rc::Rc, time::Duration};

use grader::{
    Asked, Bench, Check, Failure, Mark, Page, Script, scene,
    wire::{Moment, Place, What, When, transcript::Data},
};
use serde_json::{Value, json};

const FILE: &str = "web/client.js";
/// What "at once" is, in milliseconds.
const AT_ONCE: u64 = 50;
/// The longest first wait, and the longest of all, in milliseconds.
const FIRST_WAIT: u64 = 500;
const LONGEST_WAIT: u64 = 30_000;

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_asks_one_at_a_time_and_keeps_its_place",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "cargo run -p lab2-solution, open its page, and watch the network panel: one line is always pending.",
    scenes: &[
        scene!(
            todo_5_shows_updates,
            "Half a minute of silence, then two orders in one answer, then one more. Then silence again."
        ),
        scene!(todo_5_a_slow_answer, "An answer takes two seconds to arrive."),
    ],
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_waits_longer_each_time_and_by_chance",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "log every wait, stop the server (Ctrl-C) for a minute, and start it again: with two tabs open, who comes first?",
    scenes: &[
        scene!(todo_6_three_visitors, "The server fails under three visitors. When do they come back?"),
        scene!(
            todo_6_more_and_more_patient,
            "The server stays away for twelve attempts. It comes back, and fails once more, twice."
        ),
        scene!(
            todo_6_what_is_a_failure,
            "A status, a page that is no answer, an answer that breaks off, a line that is cut, a refusal."
        ),
        scene!(todo_6_a_show_that_throws, "The page cannot show the second of three updates the first time."),
        scene!(todo_6_offline, "The machine loses its network for a minute."),
    ],
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_restarts_and_stops",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "cargo run -p lab2-solution, open its page, and press Stop: the line that was pending in the network panel is gone. Start, and restart the server: what does the page say?",
    scenes: &[
        scene!(todo_7_gone, "The client was away for so long that the log has forgotten its position."),
        scene!(todo_7_another_log, "The server was restarted. Its log has another name and starts at 1."),
        scene!(todo_7_stopped_while_asking, "The signal aborts while a request is held."),
        scene!(
            todo_7_stopped_while_waiting,
            "The signal aborts while the client waits for its next attempt."
        ),
        scene!(todo_7_stopped_while_offline, "The signal aborts while the machine is offline."),
        scene!(
            todo_7_stopped_while_showing,
            "`show` itself aborts the signal, at the second of three updates."
        ),
        scene!(todo_7_never_begins, "The signal was aborted before the client is called."),
    ],
};

async fn todo_5_shows_updates(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["cache-control"]);
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let _page = visit(&bench, market.seq)?;
    let asked = begin(&bench, &mut server, &market).await?;
    if asked.header("cache-control") != Some("no-cache") {
        return Err(Failure::broken(
            "The request was made without `cache: 'no-store'`. Chromium answers a second request for the same address only when the first has been answered: two tabs would wait for each other.",
        ));
    }
    hold(&mut server, 30).await?;
    asked.status(204);
    let asked = at_once(&bench, &mut server, NO_NEWS).await?;
    market.expect_asked(&bench, &asked)?;
    expect_status(&bench, "live", "The server has answered")?;

    bench.wait_ms(100).await;
    let two = market.fill(2);
    asked.answer(200, &JSON, market.answer(&two));
    let asked = at_once(&bench, &mut server, "The updates were shown: ask for the next").await?;
    market.expect_shown(&bench)?;
    market.expect_asked(&bench, &asked)?;

    bench.wait_s(2).await;
    let one = market.fill(1);
    asked.answer(200, &JSON, market.answer(&one));
    let asked = at_once(&bench, &mut server, "The update was shown: ask for the next").await?;
    market.expect_shown(&bench)?;
    market.expect_asked(&bench, &asked)?;

    hold(&mut server, 30).await?;
    asked.status(204);
    let asked = at_once(&bench, &mut server, NO_NEWS).await?;
    market.expect_asked(&bench, &asked)?;
    hold(&mut server, 5).await
}

async fn todo_5_a_slow_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let _page = visit(&bench, market.seq)?;
    begin(&bench, &mut server, &market).await?.status(204);
    let asked = at_once(&bench, &mut server, NO_NEWS).await?;
    bench.wait_ms(100).await;
    let three = market.fill(3);
    let body = market.answer(&three);
    let (head, tail) = body.split_at(body.len() / 2);
    let mut answer = asked.open(200, &JSON);
    answer.send(head.to_owned());
    server
        .quiet(
            Duration::from_secs(2),
            "One answer is still arriving and has not been read, and the client asks again: two requests in flight, for the same updates",
        )
        .await?;
    answer.send(tail.to_owned());
    answer.end();
    let asked = at_once(&bench, &mut server, "The updates were shown: ask for the next").await?;
    market.expect_shown(&bench)?;
    market.expect_asked(&bench, &asked)?;
    hold(&mut server, 5).await
}

async fn todo_6_three_visitors(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let market = Market::open(&bench);
    // When they come back, and in which order, is chance: it is told only where it went wrong.
    let went_well = Rc::new(Cell::new(false));
    let (well, mut requests) = (went_well.clone(), 0);
    bench.leave_out(move |moment| {
        requests += u32::from(is_request(moment));
        let is_told = is_request(moment) && (requests <= 3 || !well.get());
        !is_told && !matches!(moment.what, What::Note(_))
    });
    let mut pages = Vec::new();
    let mut asked = Vec::new();
    for client in ['A', 'B', 'C'] {
        pages.push(visit_of(&bench, client, market.seq)?);
        let first = server.request(NOTHING_ASKED).await?;
        market.expect_asked(&bench, &first)?;
        asked.push(first);
    }
    bench.wait_ms(100).await;
    bench.note("the server fails: 503 for all three, three times");
    let began = bench.now();
    let (mut together, mut slowest) = (true, 0);
    for longest in [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT] {
        let failed = bench.now();
        for asked in asked.drain(..) {
            asked.status(503);
        }
        let mut came = Vec::new();
        for _ in 0..3 {
            let back = server.request_within(Duration::from_secs(60), NEVER_BACK).await?;
            came.push(back.at.since(failed));
            asked.push(back);
        }
        // Their lines differ by some milliseconds.
        together &= came[2] - came[0] <= 60;
        slowest = slowest.max(came[2]);
        if came[2] > longest + 100 && !together {
            return Err(too_late(came[2], longest));
        }
    }
    if slowest <= 100 {
        return Err(Failure::broken(HOT_LOOP));
    }
    if together {
        return Err(Failure::broken(
            "Three visitors lost the server at the same moment, and three times in a row all of them came back together. A thousand visitors would bring it down again each time. Draw each wait by chance.",
        ));
    }
    wait_until(&bench, began, 10_000).await;
    went_well.set(true);
    bench.note("each comes back in its own time");
    Ok(())
}

async fn todo_6_more_and_more_patient(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let _page = visit(&bench, market.seq)?;
    // The first three and the last of twelve stand for all.
    let mut requests = 0;
    bench.leave_out(move |moment| {
        requests += u32::from(is_request(moment));
        (4..12).contains(&requests) && !matches!(moment.what, What::Note(_))
    });
    let mut asked = begin(&bench, &mut server, &market).await?;
    let mut waits = Vec::new();
    for failures in 0..12 {
        asked.status(503);
        let longest = window(failures);
        let (back, waited) = come_back(&bench, &mut server, longest).await?;
        market.expect_asked(&bench, &back)?;
        waits.push((waited, longest));
        asked = back;
        if failures == 3 {
            bench.note("and so on: up to 8 s, 16 s, 30 s, 30 s …");
        }
    }
    expect_chance(&waits)?;
    expect_status(&bench, "reconnecting", "The server has failed twelve times")?;
    for _ in 0..2 {
        let one = market.fill(1);
        asked.answer(200, &JSON, market.answer(&one));
        let back =
            at_once(&bench, &mut server, "The server is back and has answered: ask for the next").await?;
        market.expect_shown(&bench)?;
        bench.wait_ms(100).await;
        expect_status(&bench, "live", "The server has answered")?;
        back.status(503);
        asked = start_over(&bench, &mut server, "The server had answered").await?;
        market.expect_asked(&bench, &asked)?;
    }
    asked.status(204);
    at_once(&bench, &mut server, NO_NEWS).await?.status(503);
    let back = start_over(&bench, &mut server, "204 is a success").await?;
    market.expect_asked(&bench, &back)
}

async fn todo_6_what_is_a_failure(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let _page = visit(&bench, market.seq)?;
    let mut asked = begin(&bench, &mut server, &market).await?;
    let one = market.fill(1);
    asked.answer(200, &JSON, market.answer(&one));
    asked = at_once(&bench, &mut server, "The update was shown: ask for the next").await?;
    for failure in
        ["502, with a page", "200, with a page", "an answer that breaks off", "the line is cut", "404"]
    {
        bench.note(failure);
        bench.wait_ms(100).await;
        match failure {
            "502, with a page" => {
                asked.answer(502, &[("content-type", "text/html")], "<h1>502 Bad Gateway</h1>");
            }
            "200, with a page" => {
                // What a hotel's network says to everyone who has not paid.
                asked.answer(200, &[("content-type", "text/html")], "<h1>Welcome</h1>");
            }
            "an answer that breaks off" => {
                let body = market.answer(&[market.peek()]);
                let mut answer = asked.open(200, &JSON);
                answer.send(body[..body.len() / 2].to_owned());
                bench.wait_ms(100).await;
                drop(answer);
            }
            "the line is cut" => bench.cut().await,
            _ => {
                let problem = r#"{"title":"There is nothing here."}"#;
                asked.answer(404, &[("content-type", "application/problem+json")], problem);
            }
        }
        let (back, _) = come_back(&bench, &mut server, window(0)).await?;
        market.expect_shown(&bench)?;
        market.expect_asked(&bench, &back)?;
        expect_status(&bench, "reconnecting", "The attempt has failed")?;
        bench.wait_ms(100).await;
        let one = market.fill(1);
        back.answer(200, &JSON, market.answer(&one));
        asked = at_once(&bench, &mut server, "The update was shown: ask for the next").await?;
        market.expect_shown(&bench)?;
    }
    Ok(())
}

async fn todo_6_a_show_that_throws(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let page = bench.page(&["longPoll"])?;
    let bad = market.seq + 2;
    page.eval(&format!(
        "globalThis.threw = false;
        {}",
        calling(
            market.seq,
            &format!(
                "(update) => {{
                    if (update.seq === {bad} && !threw) {{
                        threw = true;
                        say('show', 'throws');
                        throw new Error('The page has no row for this update.');
                    }}
                    say('show', update);
                }}"
            )
        )
    ))?;
    begin(&bench, &mut server, &market).await?.status(204);
    let asked = at_once(&bench, &mut server, NO_NEWS).await?;
    bench.wait_ms(100).await;
    let three = market.fill(3);
    asked.answer(200, &JSON, market.answer(&three));
    let (back, _) = come_back(&bench, &mut server, window(0)).await?;
    let after = back.query("after").unwrap_or_default();
    if after.parse::<u64>().is_ok_and(|after| after >= bad) {
        return Err(Failure::broken(format!(
            "`show` threw at update {bad}, and the client asks for what comes after {after}: the page never showed {bad}, and never will. An update has been seen when `show` has returned."
        )));
    }
    market.shown.truncate(1);
    market.seq = bad - 1;
    market.expect_asked(&bench, &back)?;
    bench.wait_ms(100).await;
    market.shown.extend(three[1..].iter().cloned());
    market.seq = bad + 1;
    back.answer(200, &JSON, market.answer(&three[1..]));
    let asked = at_once(&bench, &mut server, "The updates were shown: ask for the next").await?;
    market.expect_asked(&bench, &asked)?;
    let shown: Vec<Data> =
        bench.said("show").into_iter().filter(|said| *said != Data::Text("throws".to_owned())).collect();
    market.expect_these(&shown)
}

async fn todo_6_offline(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let page = visit(&bench, market.seq)?;
    let asked = begin(&bench, &mut server, &market).await?;
    let one = market.fill(1);
    asked.answer(200, &JSON, market.answer(&one));
    let _held = at_once(&bench, &mut server, "The update was shown: ask for the next").await?;
    bench.wait_s(1).await;
    bench.note("offline");
    page.set_online(false);
    bench.cut().await;
    server
        .quiet(
            Duration::from_secs(60),
            "The machine is offline (`navigator.onLine` is false) and the client asks all the same; wait for `online` on `window`",
        )
        .await?;
    expect_status(&bench, "reconnecting", "The line was lost")?;
    bench.note("online again");
    page.set_online(true);
    let online = bench.now();
    let (back, _) = come_back_from(&bench, &mut server, Some(online), window(0)).await?;
    market.expect_asked(&bench, &back)?;
    bench.wait_ms(100).await;
    let one = market.fill(1);
    back.answer(200, &JSON, market.answer(&one));
    at_once(&bench, &mut server, "The update was shown: ask for the next").await?;
    market.expect_shown(&bench)
}

async fn todo_7_gone(bench: Bench) -> Result<(), Failure> {
    restarted(&bench, 410).await
}

async fn todo_7_another_log(bench: Bench) -> Result<(), Failure> {
    restarted(&bench, 409).await
}

async fn restarted(bench: &Bench, status: u16) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(bench);
    let _page = visit(bench, market.seq)?;
    let asked = begin(bench, &mut server, &market).await?;
    let two = market.fill(2);
    asked.answer(200, &JSON, market.answer(&two));
    let asked = at_once(bench, &mut server, "The updates were shown: ask for the next").await?;
    bench.wait_s(1).await;
    let before = market.clone();
    if status == 410 {
        market.seq += 20 + bench.draw(20);
    } else {
        market.epoch = format!("{}-after", market.epoch);
        market.seq = 1 + bench.draw(9);
    }
    let problem = json!({ "title": "You have missed something.", "epoch": market.epoch, "seq": market.seq });
    asked.answer(status, &[("content-type", "application/problem+json")], problem.to_string());
    let asked = server
        .request(&format!(
            "{status} says that the position is lost, and the answer says where to go on. The client asked for nothing more"
        ))
        .await?;
    if asked.query("after") == Some(before.seq.to_string())
        && asked.query("epoch").as_ref() == Some(&before.epoch)
    {
        return Err(Failure::broken(format!(
            "The server answered {status}, and the client asks the same again. It will hear the same again, for ever: this position does not come back."
        )));
    }
    expect_at_once(bench, "The answer says where to go on")?;
    market.expect_asked_from(bench, &asked, "the position in the answer")?;
    let told = bench.said("status");
    if !told.contains(&Data::Text("missed".to_owned())) {
        return Err(Failure::broken(
            "Updates were missed, and nobody called `status('missed')`: the page goes on as if it had shown everything.",
        ));
    }
    bench.wait_ms(100).await;
    let one = market.fill(1);
    asked.answer(200, &JSON, market.answer(&one));
    let asked = at_once(bench, &mut server, "The update was shown: ask for the next").await?;
    market.expect_shown(bench)?;
    market.expect_asked(bench, &asked)?;
    expect_status(bench, "live", "The server has answered")?;
    hold(&mut server, 5).await
}

async fn todo_7_stopped_while_asking(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let page = visit(&bench, market.seq)?;
    let asked = begin(&bench, &mut server, &market).await?;
    let one = market.fill(1);
    asked.answer(200, &JSON, market.answer(&one));
    let _held = at_once(&bench, &mut server, "The update was shown: ask for the next").await?;
    bench.wait_s(3).await;
    stop(&bench, &page, &mut server).await?;
    if bench.last_moment(|moment| moment.what == What::Abort).is_none() {
        return Err(Failure::broken(
            "The signal was aborted and the request is still held: it was not let go. Give `fetch` the signal.",
        ));
    }
    Ok(())
}

async fn todo_7_stopped_while_waiting(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let market = Market::open(&bench);
    let page = visit(&bench, market.seq)?;
    let mut asked = begin(&bench, &mut server, &market).await?;
    for failures in 0..6 {
        asked.status(503);
        // How long it waits is for TODO 6 to say.
        let since;
        (asked, since, _) = back(&bench, &mut server, None).await?;
        bench.leave_open(since, (0, window(failures)), is_request);
    }
    // The seventh wait may take half a minute.
    asked.status(503);
    bench.wait_ms(20).await;
    stop(&bench, &page, &mut server).await
}

async fn todo_7_stopped_while_offline(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let market = Market::open(&bench);
    let page = visit(&bench, market.seq)?;
    let _held = begin(&bench, &mut server, &market).await?;
    bench.wait_s(1).await;
    bench.note("offline");
    page.set_online(false);
    bench.cut().await;
    bench.wait_s(10).await;
    stop(&bench, &page, &mut server).await?;
    bench.note("online again");
    page.set_online(true);
    server
        .quiet(Duration::from_secs(60), "The signal was aborted; the client must ask for nothing more")
        .await
}

async fn todo_7_stopped_while_showing(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let mut market = Market::open(&bench);
    let page = bench.page(&["longPoll"])?;
    let last = market.seq + 2;
    page.eval(&calling(
        market.seq,
        &format!("(update) => {{ say('show', update); if (update.seq === {last}) stop.abort(); }}"),
    ))?;
    begin(&bench, &mut server, &market).await?.status(204);
    let asked = at_once(&bench, &mut server, NO_NEWS).await?;
    bench.wait_ms(100).await;
    let three = market.fill(3);
    asked.answer(200, &JSON, market.answer(&three));
    server
        .quiet(Duration::from_secs(120), "The signal was aborted; the client must ask for nothing more")
        .await?;
    if bench.said("show").len() > 2 {
        return Err(Failure::broken(
            "`show` aborted the signal at the second of three updates, and was given the third: a page that has said stop may be gone.",
        ));
    }
    market.shown.truncate(2);
    market.expect_shown(&bench)
}

async fn todo_7_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = bench.page(&["longPoll"])?;
    page.eval(
        "client.longPoll({ url: '/updates', after: 0, show: (update) => say('show', update), status: (status) => say('status', status), signal: AbortSignal.abort() })",
    )?;
    bench.note("the signal was aborted from the beginning");
    server
        .quiet(
            Duration::from_secs(60),
            "The signal was aborted from the beginning; the client must ask for nothing",
        )
        .await
}

const JSON: [(&str, &str); 2] = [("content-type", "application/json"), ("cache-control", "no-store")];
const NOTHING_ASKED: &str = "The client asked for nothing: `longPoll` asks as soon as it is called";
const NEVER_BACK: &str = "The client never came back: a failure is a reason to wait, not to stop";

const NO_NEWS: &str = "204 means that nothing was published, and has no body to read: ask again";
const HOT_LOOP: &str = "After a failure the client asks again at once, and at once again: a server that has fallen over is asked as fast as the line allows, by everyone. (A 503 is a failure; `fetch` does not reject it.)";

/// What the scripted server publishes, and what the page must have shown of it.
#[derive(Clone)]
struct Market {
    bench: Bench,
    epoch: String,
    /// The last update that the client has been told of.
    seq: u64,
    /// Whether the client knows the log by name.
    known: bool,
    shown: Vec<Value>,
}

impl Market {
    fn open(bench: &Bench) -> Self {
        let day = ["monday", "tuesday", "wednesday", "thursday", "friday"][bench.draw(5) as usize];
        Self {
            bench: bench.clone(),
            epoch: format!("{day}-{}", 1 + bench.draw(9)),
            seq: 20 + bench.draw(60),
            known: false,
            shown: Vec::new(),
        }
    }

    /// So many orders are filled, and will be shown.
    fn fill(&mut self, count: usize) -> Vec<Value> {
        let mut updates = Vec::new();
        for _ in 0..count {
            let update = self.peek();
            self.seq += 1;
            self.shown.push(update.clone());
            updates.push(update);
        }
        self.known = true;
        updates
    }

    /// The next update, which is not told yet.
    fn peek(&self) -> Value {
        let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][self.bench.draw(4) as usize];
        let price = 5_000 + 25 * self.bench.draw(100);
        json!({ "seq": self.seq + 1, "data": { "symbol": symbol, "price": price } })
    }

    /// The body of an answer with these updates.
    fn answer(&self, updates: &[Value]) -> String {
        json!({ "epoch": self.epoch, "updates": updates }).to_string()
    }

    /// The client asks for what comes after the last update it was told of.
    fn expect_asked(&self, bench: &Bench, asked: &Asked) -> Result<(), Failure> {
        self.expect_asked_from(bench, asked, "the last update that was shown")
    }

    fn expect_asked_from(&self, bench: &Bench, asked: &Asked, position: &str) -> Result<(), Failure> {
        let path = asked.target.split('?').next().unwrap_or_default();
        if asked.method != "GET" || path != "/updates" {
            return Err(Failure::broken(format!(
                "The client asks with {} {}; it should be GET of the `url` it was given, /updates.",
                asked.method, asked.target
            )));
        }
        let seq = self.seq;
        match asked.query("after").map(|after| after.parse::<u64>().map_err(|_| after)) {
            Some(Ok(after)) if after == seq => {}
            Some(Ok(after)) if position == "the last update that was shown" && after < seq => {
                return Err(Failure::broken(format!(
                    "The client asks for what comes after {after}, and the last update that was shown is {seq}: it will be told again of what it has shown."
                )));
            }
            Some(Ok(after)) => {
                return Err(Failure::broken(format!(
                    "The client asks for what comes after {after}; {position} is {seq}."
                )));
            }
            Some(Err(after)) => {
                return Err(Failure::broken(format!(
                    "The client asks for what comes after `{after}`, which is no number; {position} is {seq}."
                )));
            }
            None => {
                return Err(Failure::broken(
                    "The request has no `after`: the server cannot know what this client has seen.",
                ));
            }
        }
        let epoch = asked.query("epoch");
        match (&epoch, self.known) {
            (Some(epoch), true) if *epoch == self.epoch => {}
            (None, false) => {}
            (None, true) => {
                return Err(Failure::broken(format!(
                    "The answer named the log (`epoch` \"{}\"), and this request does not: after a restart of the server its number would be taken for one of the new log.",
                    self.epoch
                )));
            }
            (Some(epoch), true) => {
                return Err(Failure::broken(format!(
                    "The request names the log \"{epoch}\"; the log is now called \"{}\".",
                    self.epoch
                )));
            }
            (Some(epoch), false) => {
                return Err(Failure::broken(format!(
                    "The request names a log, \"{epoch}\", before the server has named any."
                )));
            }
        }
        // The order of the parameters, and others beside them, are open.
        let target = match epoch {
            Some(epoch) => format!("/updates?after={seq}&epoch={epoch}"),
            None => format!("/updates?after={seq}"),
        };
        bench.retell(is_request, |moment| {
            if let What::Request { target: told, .. } = &mut moment.what {
                *told = target;
            }
        });
        Ok(())
    }

    /// What the page has shown is what was told, each update once and in order.
    fn expect_shown(&self, bench: &Bench) -> Result<(), Failure> {
        self.expect_these(&bench.said("show"))
    }

    fn expect_these(&self, shown: &[Data]) -> Result<(), Failure> {
        let told = |update: &Value| Data::of_text(&update.to_string());
        let expected: Vec<Data> = self.shown.iter().map(told).collect();
        if shown == expected {
            return Ok(());
        }
        let data_only: Vec<Data> = self.shown.iter().map(|update| told(&update["data"])).collect();
        Err(Failure::broken(if shown == data_only {
            "`show` was given the data only: it takes the whole update, `{ seq, data }`, so that the page can see whether one is missing.".to_owned()
        } else if shown.len() < expected.len() && expected.starts_with(shown) {
            format!("{} of {} updates were shown.", shown.len(), expected.len())
        } else if let Some(twice) =
            shown.iter().enumerate().find(|(at, update)| shown[..*at].contains(update))
        {
            format!("This update was shown twice: {}.", twice.1)
        } else {
            "What was shown is not what was told: `show` takes each update of an answer, `{ seq, data }`, in order."
                .to_owned()
        }))
    }
}

/// Opens the client as the lab's page does.
fn visit(bench: &Bench, after: u64) -> Result<Page, Failure> {
    let page = bench.page(&["longPoll"])?;
    page.eval(&calling(after, "(update) => say('show', update)"))?;
    Ok(page)
}

fn visit_of(bench: &Bench, client: char, after: u64) -> Result<Page, Failure> {
    let page = bench.page_of(client, &["longPoll"])?;
    page.eval(&calling(after, "(update) => say('show', update)"))?;
    Ok(page)
}

/// The call that starts the client.
fn calling(after: u64, show: &str) -> String {
    format!(
        "globalThis.stop = new AbortController();
        client.longPoll({{
            url: '/updates',
            after: {after},
            show: {show},
            status: (status) => say('status', status),
            signal: stop.signal,
        }});"
    )
}

/// The client's first request.
async fn begin(bench: &Bench, server: &mut Script, market: &Market) -> Result<Asked, Failure> {
    let asked = server.request(NOTHING_ASKED).await?;
    market.expect_asked(bench, &asked)?;
    bench.wait_ms(100).await;
    Ok(asked)
}

/// The server holds the request; there must be no other.
async fn hold(server: &mut Script, seconds: u64) -> Result<(), Failure> {
    server
        .quiet(
            Duration::from_secs(seconds),
            "One request waits for its answer, and the client makes another: one at a time",
        )
        .await
}

/// The client's next request, which follows what it heard last without delay.
async fn at_once(bench: &Bench, server: &mut Script, because: &str) -> Result<Asked, Failure> {
    let asked = server
        .request_within(
            Duration::from_secs(60),
            &format!("{because}. The client asked for nothing more in a minute"),
        )
        .await?;
    expect_at_once(bench, because)?;
    Ok(asked)
}

/// The last request followed what the client heard last without delay; it is told as if there were none.
fn expect_at_once(bench: &Bench, because: &str) -> Result<(), Failure> {
    let heard = heard_before_asking(bench);
    let asked = bench.last_moment(is_request).unwrap_or(heard);
    let waited = asked.since(heard);
    if waited > AT_ONCE {
        return Err(Failure::broken(format!(
            "{because}. The next request came {waited} ms later; the contract says at once: whatever happens meanwhile waits as long."
        )));
    }
    live_first(bench);
    bench.leave_open(heard, (0, 0), is_request);
    bench.retell(is_request, |moment| {
        if let When::Within(at, _) = moment.when {
            moment.when = When::At(at);
        }
    });
    Ok(())
}

/// Lets time pass until so many milliseconds after a mark.
async fn wait_until(bench: &Bench, since: Mark, ms: u64) {
    bench.wait_ms(ms.saturating_sub(bench.now().since(since))).await;
}

/// When the client heard of something last, before its last request.
fn heard_before_asking(bench: &Bench) -> Mark {
    let moments = bench.moments();
    let asked = moments.iter().rposition(is_request).unwrap_or_default();
    let heard = moments[..asked].iter().rev().find(|moment| is_heard(moment));
    heard.map_or(bench.now(), |moment| bench.clock(moment))
}

/// The client comes back after what it heard last, within the window: its request, and how long it waited.
async fn come_back(bench: &Bench, server: &mut Script, longest: u64) -> Result<(Asked, u64), Failure> {
    come_back_from(bench, server, None, longest).await
}

/// The same, counted from a mark where the client hears nothing.
async fn come_back_from(
    bench: &Bench,
    server: &mut Script,
    since: Option<Mark>,
    longest: u64,
) -> Result<(Asked, u64), Failure> {
    let (back, since, waited) = back(bench, server, since).await?;
    // A line that breaks is noticed when the news has come.
    if waited > longest + 30 {
        return Err(too_late(waited, longest));
    }
    bench.leave_open(since, (0, longest), is_request);
    Ok((back, waited))
}

/// The client comes back after a success and a failure: it has started over.
async fn start_over(bench: &Bench, server: &mut Script, success: &str) -> Result<Asked, Failure> {
    let (back, since, waited) = back(bench, server, None).await?;
    if waited > FIRST_WAIT {
        return Err(Failure::broken(format!(
            "{success}, and after the next failure the client waited {waited} ms: an attempt that succeeds starts over, at {FIRST_WAIT} ms at the most."
        )));
    }
    bench.leave_open(since, (0, FIRST_WAIT), is_request);
    Ok(back)
}

/// The client's next request after a failure, since when it may have waited, and how long it did.
async fn back(
    bench: &Bench,
    server: &mut Script,
    since: Option<Mark>,
) -> Result<(Asked, Mark, u64), Failure> {
    let back = server.request_within(Duration::from_secs(2_000), NEVER_BACK).await?;
    let since = since.unwrap_or_else(|| heard_before_asking(bench));
    let waited = bench.last_moment(is_request).unwrap_or(since).since(since);
    live_first(bench);
    Ok((back, since, waited))
}

fn too_late(waited: u64, longest: u64) -> Failure {
    Failure::broken(if longest == LONGEST_WAIT {
        format!("The client waited {waited} ms; the contract says at most 30 s, however often it has failed.")
    } else {
        format!("The client came back after {waited} ms; the contract says {longest} ms at the most here.")
    })
}

/// How long the client may wait after so many failures before this one.
fn window(failures: u32) -> u64 {
    (FIRST_WAIT << failures.min(10)).min(LONGEST_WAIT)
}

/// Waits and their windows: they are drawn by chance, and grow.
fn expect_chance(waits: &[(u64, u64)]) -> Result<(), Failure> {
    let alike = |values: &[u64], by: u64| values.iter().all(|value| value.abs_diff(values[0]) <= by);
    let lengths: Vec<u64> = waits.iter().map(|(waited, _)| *waited).collect();
    let places: Vec<u64> = waits.iter().map(|(waited, longest)| waited * 100 / longest).collect();
    let longest = lengths.iter().max().copied().unwrap_or_default();
    if longest <= AT_ONCE {
        return Err(Failure::broken(HOT_LOOP));
    }
    if alike(&lengths, AT_ONCE) || alike(&places, 5) {
        return Err(Failure::broken(
            "Every wait falls on the same place in its window: whoever lost the server together comes back together. Draw each wait by chance.",
        ));
    }
    if longest <= 2_000 {
        return Err(Failure::broken(format!(
            "The client failed twelve times in a row, and its longest wait was {longest} ms: the waits do not grow. From the seventh failure on the window is 30 s."
        )));
    }
    Ok(())
}

/// Aborts the signal; from then on there is silence.
async fn stop(bench: &Bench, page: &Page, server: &mut Script) -> Result<(), Failure> {
    let said = bench.said("status").len() + bench.said("show").len();
    bench.note("the signal is aborted");
    page.eval("stop.abort()")?;
    server
        .quiet(
            Duration::from_secs(120),
            "The signal was aborted, and the client asks once more: whatever it was waiting for, it must look at the signal when it wakes",
        )
        .await?;
    if bench.said("status").len() + bench.said("show").len() > said {
        return Err(Failure::broken(
            "The signal was aborted, and the page was told something after that: an abort is the end, not an error, and needs no words.",
        ));
    }
    Ok(())
}

/// Whether 'live' is said before the updates of an answer are shown, or after, is open: it is told first.
fn live_first(bench: &Bench) {
    let mut told = bench.moments();
    let is_page = |moment: &Moment| moment.place == Place::Page;
    let is_status = |moment: &Moment| matches!(&moment.what, What::Said(label, _) if label == "status");
    let mut from = 0;
    while from < told.len() {
        let same = |moment: &Moment| is_page(moment) && moment.when == told[from].when;
        let length = told[from..].iter().take_while(|moment| same(moment)).count();
        // Only what an answer brought: 'live' among updates.
        let run = from..from + length;
        if told[run.clone()].iter().any(|moment| !is_status(moment))
            && told[run.clone()]
                .iter()
                .filter(|moment| is_status(moment))
                .all(|moment| is_said(moment, "live") || is_said(moment, "connecting"))
        {
            told[run].sort_by_key(|moment| !is_status(moment));
        }
        from += length.max(1);
    }
    let mut told = told.into_iter();
    bench.retell_all(|moment| {
        if let Some(sorted) = told.next() {
            *moment = sorted;
        }
    });
}

fn is_said(moment: &Moment, word: &str) -> bool {
    matches!(&moment.what, What::Said(_, Data::Text(said)) if said == word)
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// What reaches the client, with its end: an answer, its body, a line that breaks.
fn is_heard(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. } | What::Body(_) | What::End | What::Cut | What::Refused)
}

/// What the page was told last is this status.
fn expect_status(bench: &Bench, status: &str, because: &str) -> Result<(), Failure> {
    let told = bench.said("status");
    match told.iter().rfind(|told| **told != Data::Text("connecting".to_owned())) {
        Some(Data::Text(now)) if now == status => Ok(()),
        Some(Data::Text(now)) => {
            Err(Failure::broken(format!("{because}; the page still says `{now}` instead of `{status}`.")))
        }
        Some(_) => Err(Failure::broken(format!("`status` takes a word; call it with '{status}'."))),
        None => Err(Failure::broken(format!("{because}, and nobody called `status('{status}')`."))),
    }
}
