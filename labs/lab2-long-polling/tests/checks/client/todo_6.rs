//! TODO 6: patience.

use std::{cell::Cell, rc::Rc, time::Duration};

use grader::{
    Bench, Check, Disturbance, Failure, Page, invariant, scene, sweep,
    wire::{What, transcript::Data},
};

use super::{
    FILE, NO_NEWS, SHOWN, Visit, expect_status, is_request, send, settle,
    todo_5::Shop,
    waits::{FIRST_WAIT, HOT_LOOP, LONGEST_WAIT, NEVER_BACK, expect_random, expect_spread, too_late, window},
    words,
    world::Rounds,
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_waits_longer_each_time_and_at_random",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "log every wait (`console.log`), cargo run -p lab2, open its page in two tabs, stop the server (Ctrl-C) for a minute, and start it again: which tab comes back first?",
    scenes: &[
        scene!(
            todo_6_three_visitors,
            ["6.random", "6.window", "6.reconnecting"],
            "The server fails under three visitors. When do they come back?"
        ),
        scene!(
            todo_6_more_and_more_patient,
            ["6.window", "6.grows", "6.random", "6.reconnecting", "6.same-request", "6.starts-over"],
            "The server stays away for twelve attempts. It comes back, and fails once more, twice."
        ),
        scene!(
            todo_6_what_is_a_failure,
            ["6.failure", "6.same-request", "6.reconnecting"],
            "A status, a page that is no answer, an answer that breaks off, a connection that is cut, a refusal."
        ),
        scene!(
            todo_6_a_show_that_throws,
            ["6.show-throws"],
            "The page cannot show the second of three updates the first time."
        ),
        scene!(
            todo_6_again_and_again,
            ["6.grows", "6.random", "6.window", "6.starts-over"],
            "The server fails again and again: for moments, and then for half an hour."
        ),
        scene!(
            todo_6_in_a_row,
            ["6.in-a-row"],
            "Each answer begins well, and none can be used: nine in a row break off, are no JSON, or cannot be shown."
        ),
        scene!(
            todo_6_offline,
            ["6.offline"],
            "The browser says that there is no network. The server is on the same machine: it fails once, and is back."
        ),
        scene!(
            todo_6_online_again,
            ["6.online", "6.offline"],
            "Three visitors lose their network, and have it again in the same instant."
        ),
        sweep!(
            todo_6_whatever_happens,
            ["6.same-request", "6.window"],
            [Disturbance::Cut, Disturbance::Offline, Disturbance::OfflineOnly, Disturbance::Stall],
            "Orders are filled, and something happens to the network."
        ),
    ],
};

async fn todo_6_three_visitors(bench: Bench) -> Result<(), Failure> {
    // When they come back, and in which order, is random: it is told only where it went wrong.
    let went_well = Rc::new(Cell::new(false));
    let (well, mut requests) = (went_well.clone(), 0);
    bench.leave_out(move |moment| {
        requests += u32::from(is_request(moment));
        let is_told = is_request(moment) && (requests <= 3 || !well.get());
        !is_told && !matches!(moment.what, What::Note(_))
    });
    let (mut visit, _pages, mut asked) = three(&bench).await?;
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
            let back = visit.server.request_within(Duration::from_secs(60), NEVER_BACK).await;
            let back = back.map_err(|failure| failure.or_of("6.window"))?;
            came.push(back.at.since(failed));
            asked.push(back);
        }
        if words(&bench).last().is_some_and(|word| word == "live") {
            return Err(Failure::of(
                "6.failure",
                "The server answered 503, and the page was told 'live'. A 503 is a failure, and `fetch` does not reject it: the status is for you to look at.",
            ));
        }
        expect_status(&bench, "reconnecting", "The server answered 503", "6.reconnecting")?;
        // Their connections differ by some milliseconds.
        together &= came[2] - came[0] <= 60;
        slowest = slowest.max(came[2]);
        if came[2] > longest + 100 && !together {
            return Err(too_late(came[2], longest, "6.window"));
        }
    }
    if slowest <= 100 {
        return Err(Failure::of("6.random", HOT_LOOP));
    }
    if together {
        return Err(Failure::of(
            "6.random",
            "Three visitors lost the server at the same moment, and three times in a row all of them came back together. A thousand visitors would bring it down again each time. Draw each wait at random.",
        ));
    }
    bench.wait_ms(10_000_u64.saturating_sub(bench.now().since(began))).await;
    went_well.set(true);
    bench.note("each comes back in its own time");
    Ok(())
}

/// Three pages with a client each, and the request that each of them has made.
async fn three(bench: &Bench) -> Result<(Visit, Vec<Page>, Vec<grader::Asked>), Failure> {
    let server = bench.script();
    let market = super::Market::open(bench);
    let mut pages = Vec::new();
    for client in ['A', 'B', 'C'] {
        pages.push(bench.page_of(client, &["longPoll"])?);
    }
    let mut visit = Visit { bench: bench.clone(), server, page: pages[0].clone(), market };
    let mut asked = Vec::new();
    for page in &pages {
        page.eval(&visit.market.calling("(update) => say('show', update)"))?;
        asked.push(visit.begin_of().await?);
    }
    Ok((visit, pages, asked))
}

async fn todo_6_more_and_more_patient(bench: Bench) -> Result<(), Failure> {
    let mut visit = Visit::open(&bench)?;
    // The first three and the last of twelve stand for all.
    let mut requests = 0;
    bench.leave_out(move |moment| {
        requests += u32::from(is_request(moment));
        (4..12).contains(&requests) && !matches!(moment.what, What::Note(_))
    });
    let mut asked = visit.begin().await?;
    let mut waits = Vec::new();
    for failures in 0..12 {
        asked.status(bench.pick(&[503, 500, 502, 429]));
        let longest = window(failures);
        let (back, waited) = visit.come_back(longest).await?;
        waits.push((waited, longest));
        asked = back;
        if failures == 3 {
            bench.note("and so on: up to 8 s, 16 s, 30 s, 30 s …");
        }
    }
    expect_random(&waits)?;
    for _ in 0..2 {
        visit.fill(asked, 1);
        let back = visit.next("The server is back and has answered: ask for the next").await?;
        bench.wait_ms(100).await;
        back.status(503);
        asked = visit.start_over("The server had answered").await?;
    }
    asked.status(204);
    visit.next(NO_NEWS).await?.status(503);
    visit.start_over("204 is a success").await?;
    Ok(())
}

async fn todo_6_what_is_a_failure(bench: Bench) -> Result<(), Failure> {
    let mut visit = Visit::open(&bench)?;
    let asked = visit.begin().await?;
    visit.fill(asked, 1);
    let mut asked = visit.next(SHOWN).await?;
    let mut failures =
        vec!["502, with a page", "200, with a page", "an answer that breaks off", "the line is cut", "404"];
    if !bench.is_plain() {
        let more = ["202", "201", "203", "206", "304", "400", "401", "403", "408", "500", "504"];
        failures.truncate(2);
        failures.extend(more.into_iter().skip(bench.seed() as usize % 2).step_by(2));
        failures.extend(["refused", "not JSON", "nothing at all"]);
    }
    for failure in failures {
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
                let body = visit.market.body(&[visit.market.peek()]);
                let middle = (body.len() / 2..).find(|at| body.is_char_boundary(*at)).unwrap_or_default();
                let mut answer = asked.open(200, &visit.market.headers());
                send(&bench, &mut answer, body[..middle].to_owned());
                bench.wait_ms(100).await;
                drop(answer);
            }
            "the line is cut" => bench.cut().await,
            "refused" => {
                bench.refuse();
                bench.cut().await;
                // The first attempt may be refused, and the window of the second is twice as long.
                bench.wait_ms(300).await;
                bench.accept();
            }
            "not JSON" => asked.answer(200, &visit.market.headers(), "{ \"epoch\": \"1\", \"updates\": [}"),
            "nothing at all" => asked.answer(200, &visit.market.headers(), ""),
            status => {
                // Also one that would have updates in it.
                let body = visit.market.body(&[visit.market.peek()]);
                let problem = r#"{"title":"There is nothing here."}"#.to_owned();
                let is_answer = status.starts_with('2');
                let kind = if is_answer { "application/json" } else { "application/problem+json" };
                let body = if is_answer { body } else { problem };
                asked.answer(status.parse().unwrap_or(500), &[("content-type", kind)], body);
            }
        }
        let window = if failure == "refused" { 4 * FIRST_WAIT } else { FIRST_WAIT };
        let (back, heard, waited) = visit.back("6.window").await?;
        visit.expect_told(heard)?;
        visit.market.expect_shown()?;
        if waited > window + 30 {
            return Err(too_late(waited, window, "6.window"));
        }
        visit.market.expect_asked(
            &back,
            "the last update that was shown",
            ("6.same-request", "6.same-request"),
        )?;
        bench.leave_open(heard, (0, window), is_request);
        bench.wait_ms(100).await;
        visit.fill(back, 1);
        asked = visit.next(SHOWN).await?;
    }
    Ok(())
}

async fn todo_6_a_show_that_throws(bench: Bench) -> Result<(), Failure> {
    // At which of three updates, how often in a row, and what is thrown.
    let (nth, times) = (bench.pick(&[2_usize, 1, 3]), bench.pick(&[1_u32, 2, 3]));
    let thrown = bench.pick(&["new Error('The page has no row for this update.')", "'no row'", "null"]);
    let mut visit = Visit::showing(&bench, |_| {
        format!(
            "(update) => {{
                globalThis.thrown ??= 0;
                globalThis.calls ??= 0;
                calls += 1;
                if (calls >= {nth} && thrown < {times}) {{
                    thrown += 1;
                    say('show', 'throws');
                    throw {thrown};
                }}
                say('show', update);
            }}"
        )
    })?;
    visit.begin().await?.status(204);
    let asked = visit.next(NO_NEWS).await?;
    bench.wait_ms(100).await;
    let before = visit.market.clone();
    let three = visit.market.fill(3);
    let bad = three[nth - 1]["seq"].as_u64().unwrap_or_default();
    visit.market.answer(asked, &three);
    let all = visit.market.clone();
    // What has been shown before it throws.
    visit.market.shown.clone_from(&before.shown);
    visit.market.shown.extend(three[..nth - 1].iter().cloned());
    visit.market.seq =
        visit.market.shown.last().map_or(before.seq, |last| last["seq"].as_u64().unwrap_or_default());
    // The log's name is known with the answer; a client that has shown nothing of it may leave it at that.
    let mut back;
    let mut failures = 0;
    loop {
        let (asked, since, waited) = visit.back("6.window").await?;
        failures += 1;
        if waited > window(failures - 1) + 30 {
            return Err(too_late(waited, window(failures - 1), "6.window"));
        }
        let after: u64 =
            asked.query("after").and_then(|after| after.parse().ok()).unwrap_or(visit.market.seq);
        if after >= bad {
            return Err(Failure::of(
                "6.show-throws",
                format!(
                    "`show` threw at update {bad}, and the client asks for what comes after {after}: the page never showed {bad}, and never will. An update has been seen when `show` has returned."
                ),
            ));
        }
        if after < visit.market.seq {
            return Err(Failure::of(
                "6.show-throws",
                format!(
                    "`show` threw at update {bad}, and the client asks for what comes after {after}: everything up to {} has been shown, and comes a second time. The position moves with each update, not with the answer.",
                    visit.market.seq
                ),
            ));
        }
        visit.expect_told(since).map_err(|_| {
            Failure::of(
                "6.show-throws",
                format!("`show` threw at update {bad}, and the page was not told 'reconnecting': that is a failure like any other."),
            )
        })?;
        visit.market.known = nth > 1 || asked.query("epoch").is_some();
        visit.market.expect_asked(
            &asked,
            "the last update that was shown",
            ("6.show-throws", "6.same-request"),
        )?;
        bench.leave_open(since, (0, window(failures - 1)), is_request);
        back = asked;
        if failures == times {
            break;
        }
        bench.wait_ms(100).await;
        visit.market.answer(back, &three[nth - 1..]);
    }
    bench.wait_ms(100).await;
    visit.market.answer(back, &three[nth - 1..]);
    visit.market = all;
    let asked = visit.server.request_within(Duration::from_secs(60), SHOWN).await?;
    visit.expect_at_once(SHOWN, "5.at-once")?;
    let shown: Vec<Data> =
        bench.said("show").into_iter().filter(|said| *said != Data::Text("throws".to_owned())).collect();
    visit.market.expect_these(&shown, "6.show-throws")?;
    visit.market.expect_asked(&asked, "the last update that was shown", ("5.position", "5.epoch"))
}

async fn todo_6_offline(bench: Bench) -> Result<(), Failure> {
    let mut visit = Visit::open(&bench)?;
    let asked = visit.begin().await?;
    visit.fill(asked, 1);
    let asked = visit.next(SHOWN).await?;
    bench.wait_s(1).await;
    bench.note("`navigator.onLine` is false; the network works");
    visit.page.set_online(false);
    visit.hold(3).await?;
    asked.status(503);
    let mut times = bench.pick(&[1, 2, 9]);
    let mut asked = loop {
        let (asked, _) = visit.come_back_asking(LONGEST_WAIT, "6.offline").await?;
        times -= 1;
        if times == 0 {
            break asked;
        }
        asked.status(503);
    };
    bench.wait_ms(100).await;
    for _ in 0..2 {
        visit.fill(asked, 1);
        asked = visit.next(SHOWN).await?;
        bench.wait_ms(100).await;
    }
    visit.hold(5).await
}

async fn todo_6_online_again(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let (mut visit, pages, mut asked) = three(&bench).await?;
    let mut together = 0;
    for seconds in [12, 40, 3] {
        rounds.begin();
        bench.note("offline: all connections are cut, and new ones refused");
        bench.refuse();
        pages.iter().for_each(|page| page.set_online(false));
        bench.cut().await;
        asked.clear();
        bench.wait_s(seconds).await;
        bench.note("online again");
        bench.accept();
        let online = bench.now();
        pages.iter().for_each(|page| page.set_online(true));
        let mut came = Vec::new();
        for _ in 0..3 {
            let back = visit.server.request_within(Duration::from_secs(120), NEVER_BACK).await;
            let back = back.map_err(|failure| failure.or_of("6.online"))?;
            came.push(back.at.since(online));
            asked.push(back);
        }
        if came[2] > LONGEST_WAIT + 100 {
            return Err(Failure::of(
                "6.offline",
                format!(
                    "The network was back, and one of three visitors came back {} ms later; the contract says that no wait is longer than 30 s.",
                    came[2]
                ),
            ));
        }
        together += u32::from(came[2] - came[0] <= 40);
        bench.wait_ms(100).await;
        for asked in asked.drain(..) {
            asked.status(204);
        }
        for _ in 0..3 {
            let next = visit.server.request_within(Duration::from_secs(60), NO_NEWS).await;
            asked.push(next.map_err(|failure| failure.or_of("5.at-once"))?);
        }
        bench.wait_ms(100).await;
    }
    for client in ['A', 'B', 'C'] {
        invariant::one_at_a_time(&bench, "5.one", |moment| {
            is_request(moment) && moment.client == Some(client)
        })?;
    }
    if together == 3 {
        return Err(Failure::of(
            "6.online",
            "Three visitors had their network back in the same instant, and came back together. A train that leaves a tunnel has a thousand of them: let each wait a random time after `online`, too.",
        ));
    }
    rounds.end("each comes back in its own time");
    Ok(())
}

async fn todo_6_again_and_again(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let mut visit = Visit::open(&bench)?;
    let mut asked = visit.begin().await?;
    let mut waits = Vec::new();
    // One or two in a row, and well again; or very many in a row, past every number that a shift can take.
    let (times, in_a_row) = if bench.seed() == 2 { (1, 45) } else { (14, 2) };
    for _ in 0..times {
        for failures in 0..in_a_row {
            rounds.begin();
            asked.status(503);
            let longest = window(failures);
            let (back, waited) = if failures == 0 {
                let from = bench.now();
                (visit.start_over("The server had answered").await?, bench.now().since(from))
            } else {
                visit.come_back(longest).await?
            };
            waits.push((waited.min(longest), longest));
            asked = back;
        }
        asked.status(204);
        asked = visit.next(NO_NEWS).await?;
    }
    rounds.begin();
    expect_spread(&waits)?;
    asked.status(503);
    visit.start_over("After all those failures the server had answered").await?;
    rounds.end("each wait was within its window, some of them short and some long");
    Ok(())
}

async fn todo_6_in_a_row(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let mut visit = Visit::showing(&bench, |_| {
        "(update) => { if (update.data.symbol === 'bad') throw new Error('no row'); say('show', update); }"
            .to_owned()
    })?;
    let mut asked = visit.begin().await?;
    let kinds = ["breaks off", "is no JSON", "has an update that cannot be shown"];
    let kind = kinds[bench.seed() as usize % 3];
    let mut longest = 0;
    for failures in 0..9 {
        rounds.begin();
        bench.wait_ms(50).await;
        match kind {
            "breaks off" => {
                let mut answer = asked.open(200, &visit.market.headers());
                answer.send(visit.market.body(&[visit.market.peek()])[..20].to_owned());
                bench.wait_ms(20).await;
                drop(answer);
            }
            "is no JSON" => asked.answer(200, &visit.market.headers(), "<h1>Welcome</h1>"),
            _ => {
                let bad = format!(
                    r#"{{"epoch":{},"updates":[{{"seq":{},"data":{{"symbol":"bad","price":1}}}}]}}"#,
                    serde_json::Value::from(visit.market.epoch.as_str()),
                    visit.market.seq + 1
                );
                asked.answer(200, &visit.market.headers(), bad);
            }
        }
        let (back, _, waited) = visit.back("6.window").await?;
        if waited > window(failures) + 30 {
            return Err(too_late(waited, window(failures), "6.window"));
        }
        longest = longest.max(waited);
        asked = back;
    }
    if longest <= FIRST_WAIT + 30 {
        return Err(Failure::of(
            "6.in-a-row",
            format!(
                "Nine answers in a row began with 200, and each {kind}. No wait after them was longer than {longest} ms: the failures are not counted. An attempt has succeeded when its answer has been read and shown, not when its head is there."
            ),
        ));
    }
    visit.fill(asked, 1);
    asked = visit.next(SHOWN).await?;
    rounds.end("what began well and could not be used was a failure like any other");
    drop(asked);
    Ok(())
}

async fn todo_6_whatever_happens(bench: Bench) -> Result<(), Failure> {
    let shop = Shop::open(&bench);
    let (script, serving) = (bench.script(), shop.clone());
    script.answer_all(move |asked| {
        let shop = serving.clone();
        async move { shop.answer(asked).await }
    });
    let page = bench.page(&["longPoll"])?;
    page.eval(&shop.calling("(update) => say('show', update)"))?;
    for (wait, count) in [(400, 3), (300, 1)] {
        bench.wait_ms(wait).await;
        shop.fill(count);
    }
    bench.wait_s(5).await;
    settle(&bench).await;
    shop.fill(1);
    bench.wait_s(2).await;
    settle(&bench).await;
    invariant::one_at_a_time(&bench, "5.one", is_request)?;
    shop.expect_shown(false, "6.same-request")?;
    expect_status(&bench, "live", "All is well again", "5.live")
}
