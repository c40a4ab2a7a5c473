//! TODO 7: restart and stop.

use std::{cell::Cell, rc::Rc, time::Duration};

use grader::{
    Asked, Bench, Check, Disturbance, Failure, invariant, scene, sweep,
    wire::{Moment, What},
};

use super::{
    ASKED_ALL_THE_SAME, FILE, NO_NEWS, SHOWN, Visit, is_request, settle, todo_5::Shop, waits::window, words,
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_restarts_and_stops",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "cargo run -p lab2-solution, open its page, and press Stop: the request that was pending in the network panel is cancelled. Start, and restart the server: what does the page say? Then the same with yours, cargo run -p lab2.",
    scenes: &[
        scene!(
            todo_7_gone,
            ["7.position", "7.missed", "7.at-once", "7.goes-on"],
            "The client was away for so long that the log has forgotten its position."
        ),
        scene!(
            todo_7_another_log,
            ["7.position", "7.missed", "7.at-once", "7.goes-on"],
            "The server was restarted. Its log has another name and starts at 1."
        ),
        scene!(
            todo_7_stopped_while_asking,
            ["7.no-error", "7.silence", "7.aborted"],
            "The signal aborts while a request is held."
        ),
        scene!(
            todo_7_stopped_while_waiting,
            ["7.no-error", "7.silence"],
            "The signal aborts while the client waits for its next attempt."
        ),
        scene!(
            todo_7_stopped_while_offline,
            ["7.no-error", "7.silence"],
            "The signal aborts while the machine is offline."
        ),
        scene!(
            todo_7_stopped_while_showing,
            ["7.no-error", "7.silence"],
            "`show` itself aborts the signal, at the second of three updates."
        ),
        scene!(
            todo_7_never_begins,
            ["7.never-begins"],
            "The signal was aborted before the client is called."
        ),
        sweep!(
            todo_7_stopped_at_any_moment,
            ["7.no-error", "7.silence", "7.aborted"],
            [Disturbance::Abort, Disturbance::AbortInside],
            "Updates, failures, a restart: and at some moment of it the signal aborts."
        ),
        sweep!(
            todo_7_restarted_whatever_happens,
            ["7.goes-on", "7.missed"],
            [Disturbance::Cut, Disturbance::Refuse, Disturbance::OfflineOnly],
            "The server is restarted under the client, and something happens to the network."
        ),
    ],
};

async fn todo_7_gone(bench: Bench) -> Result<(), Failure> {
    restarted(&bench, 410).await
}

async fn todo_7_another_log(bench: Bench) -> Result<(), Failure> {
    restarted(&bench, 409).await
}

async fn restarted(bench: &Bench, status: u16) -> Result<(), Failure> {
    let mut visit = Visit::open(bench)?;
    let mut asked = visit.begin().await?;
    // Once; in the awkward plays a second time, after all was well again.
    for round in 0..bench.pick(&[1, 2]) {
        visit.fill(asked, 2);
        asked = visit.next(SHOWN).await?;
        bench.wait_s(1).await;
        asked = restart(&mut visit, asked, status, round).await?;
        bench.wait_ms(100).await;
        visit.fill(asked, 1);
        asked = next_after_restart(&mut visit).await?;
    }
    visit.hold(5).await?;
    drop(asked);
    Ok(())
}

/// The server answers 409 or 410; the client's next request.
async fn restart(visit: &mut Visit, asked: Asked, status: u16, round: u64) -> Result<Asked, Failure> {
    let bench = visit.bench.clone();
    let before = visit.market.clone();
    if status == 410 {
        visit.market.seq += 20 + bench.draw(20);
    } else {
        visit.market.epoch = format!("{}-after", visit.market.epoch);
        let plain = 1 + bench.draw(9);
        // The number may by chance be the same, or none yet.
        visit.market.seq = bench.pick(&[plain, before.seq, 0, before.seq + 1]);
    }
    visit.market.restart(asked, status);
    let told_before = words(&bench).iter().filter(|word| *word == "missed").count();
    let asked = visit
        .server
        .request(&format!(
            "{status} says that the position is lost, and the answer says where to go on. The client asked for nothing more"
        ))
        .await
        .map_err(|failure| failure.or_of("7.position"))?;
    if asked.query("after") == Some(before.seq.to_string())
        && asked.query("epoch").as_ref() == Some(&before.epoch)
    {
        return Err(Failure::of(
            "7.position",
            format!(
                "The server answered {status}, and the client asks the same again. It will hear the same again, for ever: this position does not come back."
            ),
        ));
    }
    visit.expect_at_once("The answer says where to go on", "7.at-once")?;
    visit.market.expect_asked(&asked, "the position in the answer", ("7.position", "7.position"))?;
    // 'missed' may come before or after another word of the same moment, and once in a play is enough for its first round.
    let told = words(&bench).iter().filter(|word| *word == "missed").count();
    if told < told_before.max(1) || (round > 0 && told < 2) {
        return Err(Failure::of(
            "7.missed",
            format!(
                "The server answered {status}: updates were missed, and nobody called `status('missed')`. The page goes on as if it had shown everything."
            ),
        ));
    }
    Ok(asked)
}

/// The first update from the new position has been sent.
async fn next_after_restart(visit: &mut Visit) -> Result<Asked, Failure> {
    let asked = visit
        .server
        .request_within(Duration::from_secs(60), "The update was shown: ask for the next")
        .await
        .map_err(|failure| failure.or_of("7.goes-on"))?;
    visit.expect_at_once(SHOWN, "5.at-once")?;
    let shown = visit.bench.said("show");
    visit.market.expect_these(&shown, "7.goes-on")?;
    visit.market.expect_asked(&asked, "the last update that was shown", ("7.goes-on", "7.goes-on"))?;
    super::expect_status(&visit.bench, "live", "The server has answered", "5.live")?;
    Ok(asked)
}

/// Aborts the signal; from then on there is silence.
async fn stop(visit: &mut Visit) -> Result<(), Failure> {
    let bench = visit.bench.clone();
    let said = |bench: &Bench| bench.said("status").len() + bench.said("show").len();
    let before = said(&bench);
    bench.note("the signal is aborted");
    visit.page.eval(bench.pick(&[
        "stop.abort()",
        "stop.abort(new DOMException('It took too long.', 'TimeoutError'))",
        "stop.abort('enough')",
    ]))?;
    visit.quiet(120, "7.silence", ASKED_ALL_THE_SAME).await?;
    if said(&bench) > before {
        return Err(Failure::of(
            "7.silence",
            format!(
                "The signal was aborted, and the page was told something after that ('{}'): an abort is the end, not a failure. (What it rejects with need not be an AbortError: look at the signal.)",
                words(&bench).last().cloned().unwrap_or_default()
            ),
        ));
    }
    Ok(())
}

async fn todo_7_stopped_while_asking(bench: Bench) -> Result<(), Failure> {
    let mut visit = Visit::open(&bench)?;
    let asked = visit.begin().await?;
    visit.fill(asked, 1);
    let _held = visit.next(SHOWN).await?;
    bench.wait_s(3).await;
    stop(&mut visit).await?;
    if bench.last_moment(|moment| moment.what == What::Abort).is_none() {
        return Err(Failure::of(
            "7.aborted",
            "The signal was aborted, and the server still holds the request: it was not aborted. Give `fetch` the signal.",
        ));
    }
    Ok(())
}

async fn todo_7_stopped_while_waiting(bench: Bench) -> Result<(), Failure> {
    let mut visit = Visit::open(&bench)?;
    let mut asked = visit.begin().await?;
    for failures in 0..6 {
        asked.status(503);
        // How long it waits is for TODO 6 to say.
        let since;
        (asked, since, _) = visit.back("6.window").await?;
        super::canonical(&bench);
        bench.leave_open(since, (0, window(failures)), is_request);
    }
    // The seventh wait may take half a minute.
    asked.status(503);
    bench.wait_ms(20).await;
    stop(&mut visit).await
}

async fn todo_7_stopped_while_offline(bench: Bench) -> Result<(), Failure> {
    // How often the client asks while the network refuses is open.
    bench.leave_out(|moment| moment.what == What::Refused);
    let mut visit = Visit::open(&bench)?;
    let _held = visit.begin().await?;
    bench.wait_s(1).await;
    bench.note("offline");
    bench.refuse();
    visit.page.set_online(false);
    bench.cut().await;
    bench.wait_s(10).await;
    bench.accept();
    stop(&mut visit).await?;
    bench.note("online again");
    visit.page.set_online(true);
    visit.quiet(60, "7.silence", "The signal was aborted, and `online` brought the client back").await
}

async fn todo_7_stopped_while_showing(bench: Bench) -> Result<(), Failure> {
    let then = bench.pick(&["", "throw new Error('The page is gone.')", "throw 'gone'"]);
    let mut visit = Visit::showing(&bench, |_| {
        format!(
            "(update) => {{
                globalThis.calls ??= 0;
                calls += 1;
                say('show', update);
                if (calls === 2) {{ stop.abort(); {then} }}
            }}"
        )
    })?;
    visit.begin().await?.status(204);
    let asked = visit.next(NO_NEWS).await?;
    bench.wait_ms(100).await;
    visit.fill(asked, 3);
    visit
        .quiet(
            120,
            "7.silence",
            "`show` aborted the signal, and the client asks once more: silence from then on",
        )
        .await?;
    if bench.said("show").len() > 2 {
        return Err(Failure::of(
            "7.silence",
            "`show` aborted the signal at the second of three updates, and was given the third: a page that has said stop may be gone.",
        ));
    }
    if words(&bench).last().is_some_and(|word| word == "reconnecting") {
        return Err(Failure::of(
            "7.silence",
            "`show` aborted the signal and threw, and the page was told 'reconnecting': after an abort nothing that is thrown is a failure. (It need not be what the signal rejects with.)",
        ));
    }
    visit.market.shown.truncate(2);
    visit.market.expect_these(&bench.said("show"), "7.silence")
}

async fn todo_7_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = bench.page(&["longPoll"])?;
    let reason = bench.pick(&["", "new Error('no')", "'no'"]);
    page.eval(&format!(
        "client.longPoll({{ url: '/updates', after: 0, show: (update) => say('show', update), status: (status) => say('status', status), signal: AbortSignal.abort({reason}) }})",
    ))?;
    bench.note("the signal was aborted from the beginning");
    let quiet = server
        .quiet(
            Duration::from_secs(60),
            "The signal was aborted from the beginning; the client must ask for nothing",
        )
        .await;
    quiet.map_err(|failure| failure.or_of("7.never-begins"))?;
    match words(&bench).last() {
        Some(word) => Err(Failure::of(
            "7.never-begins",
            format!("The signal was aborted from the beginning, and the page was told '{word}'."),
        )),
        None => Ok(()),
    }
}

async fn todo_7_stopped_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let shop = Shop::open(&bench);
    let (script, serving, clock) = (bench.script(), shop.clone(), bench.clone());
    let count = Rc::new(Cell::new(0));
    script.answer_all(move |asked| {
        let (shop, bench) = (serving.clone(), clock.clone());
        count.set(count.get() + 1);
        let nth = count.get();
        async move { eventful(&bench, &shop, asked, nth).await }
    });
    let page = bench.page(&["longPoll"])?;
    page.eval(&shop.calling(
        "(update) => {
            say('show', update);
            globalThis.calls ??= 0;
            calls += 1;
            if (calls === 2) throw new Error('no row');
        }",
    ))?;
    // Until all of it is over; then as long as any wait may last.
    bench.wait_s(10).await;
    settle(&bench).await;
    expect_aborted(&bench)?;
    invariant::silent_after_abort(&bench, "7.silence")
}

/// What the server does with each request: something of everything.
async fn eventful(bench: &Bench, shop: &Shop, asked: Asked, nth: u32) {
    bench.wait_ms(100).await;
    match nth {
        1 => {
            shop.fill(2);
            shop.answer_slowly(asked).await;
        }
        3 => asked.status(503),
        4 => {
            let mut answer = asked.open(200, &[("content-type", "application/json")]);
            answer.send("{\"epoch\": ");
            bench.wait_ms(100).await;
            drop(answer);
        }
        5 => {
            shop.begin_anew(3);
            shop.refuse(asked).await;
        }
        6 => {
            shop.fill(1);
            shop.answer(asked).await;
        }
        _ => shop.answer(asked).await,
    }
}

/// A request that was under way when the signal aborted was aborted with it.
fn expect_aborted(bench: &Bench) -> Result<(), Failure> {
    if bench.disturbance().is_none() {
        return Ok(());
    }
    let mut open: Option<(u32, String)> = None;
    for (_, moment) in bench.recording() {
        let ends = matches!(
            moment.what,
            What::End | What::Abort | What::Cut | What::Refused | What::Response { status: 204 | 503, .. }
        );
        match &moment.what {
            What::Request { method, target, .. } => {
                open = moment.exchange.map(|exchange| (exchange, format!("{method} {target}")));
            }
            What::Body(_) => open = None,
            _ if ends && open.as_ref().map(|(exchange, _)| *exchange) == moment.exchange => open = None,
            _ => {}
        }
    }
    let Some((exchange, asked)) = open else { return Ok(()) };
    Err(Failure::of(
        "7.aborted",
        format!("#{exchange} {asked} was still held by the server a minute later: give `fetch` the signal."),
    ))
}

fn is_missed(moment: &Moment) -> bool {
    super::is_said(moment, "missed")
}

async fn todo_7_restarted_whatever_happens(bench: Bench) -> Result<(), Failure> {
    let shop = Shop::open(&bench);
    let (script, serving) = (bench.script(), shop.clone());
    script.answer_all(move |asked| {
        let shop = serving.clone();
        async move { shop.answer(asked).await }
    });
    let page = bench.page(&["longPoll"])?;
    page.eval(&shop.calling("(update) => say('show', update)"))?;
    bench.wait_ms(300).await;
    shop.fill(2);
    bench.wait_s(1).await;
    settle(&bench).await;
    shop.begin_anew(0);
    bench.wait_s(2).await;
    settle(&bench).await;
    shop.fill(1);
    bench.wait_s(2).await;
    settle(&bench).await;
    invariant::one_at_a_time(&bench, "5.one", is_request)?;
    shop.expect_shown(false, "7.goes-on")?;
    let missed = bench.recording().iter().filter(|(_, moment)| is_missed(moment)).count();
    if missed == 0 {
        return Err(Failure::of(
            "7.missed",
            "The server was restarted under the client, and nobody called `status('missed')`.",
        ));
    }
    Ok(())
}
