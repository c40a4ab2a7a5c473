//! Both halves meet: the student's client at the student's server.

use std::{cell::Cell, rc::Rc, time::Duration};

use feed::Feed;
use grader::{
    Bench, Check, Disturbance, Failure, Mark, invariant, scene, sweep,
    wire::{Moment, Place, What, When, transcript::Data},
};
use serde_json::{Value, json};

use super::world;

pub(crate) const BOTH_HALVES: Check = Check {
    name: "both_halves_meet",
    todo: None,
    file: "web/client.js",
    section: "lab",
    experiment: "cargo run -p lab2 and open its page; stop the lab with Ctrl-C, start it again, and watch.",
    scenes: &[
        scene!(
            both_halves_through_a_cut,
            "Orders are filled, one by one. The connection is cut while two more are in transit."
        ),
        scene!(
            both_halves_restarted,
            "The server is restarted under a visitor, with a log that begins at 1."
        ),
        scene!(
            both_halves_three_visitors,
            "Three visitors watch; all their connections are cut, again and again."
        ),
        sweep!(
            both_halves_whatever_happens,
            [],
            [Disturbance::Cut, Disturbance::Offline, Disturbance::Close],
            "Orders are filled while something happens to the network, the page or the market."
        ),
    ],
};

async fn both_halves_through_a_cut(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::named(&world::log_name(&bench), 100);
    bench.serve(lab2::app(feed.clone()));
    watch(&bench, None)?;
    bench.wait_s(1).await;
    for _ in 0..2 {
        fill(&bench, &feed, 1).await;
    }
    bench.note("two orders are filled, and the connection is cut");
    let cut = bench.now();
    publish(&bench, &feed).await;
    publish(&bench, &feed).await;
    bench.cut().await;
    come_back(&bench, cut).await?;
    fill(&bench, &feed, 1).await;
    expect_all(&bench, &[&feed], None).await
}

async fn both_halves_restarted(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::named(&world::log_name(&bench), 100);
    bench.serve(lab2::app(feed.clone()));
    watch(&bench, None)?;
    bench.wait_s(1).await;
    fill(&bench, &feed, 3).await;
    bench.note("the server is restarted");
    let restarted = Feed::named(&format!("{}-after", feed.epoch()), 100);
    let before = publish(&bench, &restarted).await;
    let down = bench.now();
    bench.serve(lab2::app(restarted.clone()));
    come_back(&bench, down).await?;
    if !bench.said("status").contains(&Data::Text("missed".to_owned())) {
        return Err(Failure::broken(
            "The server has a new log, whose numbers begin at 1, and the page was not told that it has missed something.",
        ));
    }
    fill(&bench, &restarted, 2).await;
    // What was published in the new log before the client came is what it has missed.
    let expected = [feed.after(0).await, restarted.after(before).await].map(|log| log.unwrap_or_default());
    expect_shown(&bench, &expected.concat(), None)
}

async fn both_halves_three_visitors(bench: Bench) -> Result<(), Failure> {
    // Who comes back when is chance: it is told only where something went wrong.
    let went_well = Rc::new(Cell::new(false));
    let well = went_well.clone();
    bench.leave_out(move |moment| well.get() && !matches!(moment.what, What::Note(_)));
    let feed = Feed::named(&world::log_name(&bench), 100).with_read_delay(Duration::from_millis(40));
    bench.serve(lab2::app(feed.clone()));
    let visitors = ['A', 'B', 'C'];
    for client in visitors {
        watch(&bench, Some(client))?;
    }
    bench.wait_ms(500).await;
    for round in 0..15 {
        publish(&bench, &feed).await;
        bench.wait_ms(bench.draw(120)).await;
        if round % 6 == 3 {
            bench.note("their connections are cut");
            bench.cut().await;
        }
    }
    bench.wait_s(10).await;
    for client in visitors {
        expect_all(&bench, &[&feed], Some(client)).await?;
    }
    bench.wait_s(60).await;
    if feed.subscribers() > visitors.len() {
        return Err(Failure::broken(format!(
            "Three visitors wait, and the feed has {} subscriptions: those of requests that were cut are still there.",
            feed.subscribers()
        )));
    }
    went_well.set(true);
    bench.note("fifteen orders, shown to all three, each once, in order");
    Ok(())
}

async fn both_halves_whatever_happens(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::named(&world::log_name(&bench), 100).with_read_delay(Duration::from_millis(40));
    bench.serve(lab2::app(feed.clone()));
    watch(&bench, None)?;
    let filling = async {
        for wait in [300, 20] {
            bench.wait_ms(wait).await;
            publish(&bench, &feed).await;
        }
        bench.wait_s(1).await;
        settle(&bench).await;
        publish(&bench, &feed).await;
        bench.wait_s(1).await;
        settle(&bench).await;
    };
    let closing = async {
        if bench.disturbed().await != Disturbance::Close {
            return std::future::pending().await;
        }
        feed.close();
        bench.wait_s(8).await;
        feed.reopen();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = filling => {}
        () = closing => {}
    }
    expect_all(&bench, &[&feed], None).await?;
    invariant::one_at_a_time(&bench, "5.one", is_request)
}

/// Waits until whatever happened is over, and the longest wait or hold is, too.
async fn settle(bench: &Bench) {
    if let Some((_, at)) = bench.disturbance() {
        bench.wait_ms(75_000_u64.saturating_sub(bench.now().since(at))).await;
    }
}

fn watch(bench: &Bench, client: Option<char>) -> Result<(), Failure> {
    let page = match client {
        Some(client) => bench.page_of(client, &["longPoll"])?,
        None => bench.page(&["longPoll"])?,
    };
    page.eval(
        "client.longPoll({
            url: '/updates',
            after: 0,
            show: (update) => say('show', update),
            status: (status) => say('status', status),
            signal: new AbortController().signal,
        });",
    )?;
    Ok(())
}

/// Orders are filled one after the other, with time for everyone to hear of each.
async fn fill(bench: &Bench, feed: &Feed, count: usize) {
    for _ in 0..count {
        let (from, filled) = (bench.moments().len(), bench.now());
        publish(bench, feed).await;
        bench.wait_s(2).await;
        tell_at_once(bench, from, filled);
    }
}

async fn publish(bench: &Bench, feed: &Feed) -> u64 {
    feed.publish(world::order(bench)).await.seq
}

/// The client comes back, and has heard what there is.
async fn come_back(bench: &Bench, lost: Mark) -> Result<(), Failure> {
    let back = |moment: &&Moment| is_request(moment) && bench.clock(moment) >= lost;
    let (at, came) = bench
        .until(
            Duration::from_secs(60),
            "The connection was lost, and nobody came back within a minute.",
            || {
                let moments = bench.moments();
                let at = moments.iter().position(|moment| back(&moment))?;
                Some((at, bench.clock(&moments[at])))
            },
        )
        .await?;
    // The wait begins when the connection is known to be lost.
    let known = bench.last_moment(|moment| moment.what == What::Cut).unwrap_or(lost);
    bench.leave_open(known, (0, 500), is_request);
    canonical(bench);
    bench.wait_s(3).await;
    tell_at_once(bench, at + 1, came);
    Ok(())
}

/// What followed at once is told as if it had taken 10 ms, in the order of cause and effect.
fn tell_at_once(bench: &Bench, from: usize, since: Mark) {
    canonical(bench);
    let told = bench.told_at(since) + 10;
    let mut followed: Vec<Moment> = bench.moments().into_iter().skip(from).collect();
    let mut ask = 0;
    // Request by request: what is heard, what is told of it, what is asked for then.
    followed.sort_by_cached_key(|moment| {
        let round = ask;
        ask += u32::from(is_request(moment));
        let rank = match (&moment.what, moment.place) {
            (What::Said(label, _), _) => 2 + u32::from(label != "status"),
            (What::Request { .. }, _) => 4,
            (_, Place::Note) => 0,
            _ => 1,
        };
        (round, rank)
    });
    let mut followed = followed.into_iter();
    let mut at = 0;
    bench.retell_all(|moment| {
        if at >= from
            && let Some(next) = followed.next()
        {
            *moment = next;
            moment.when = When::At(told);
        }
        at += 1;
    });
}

/// What the contract leaves open in requests and answers: the order of parameters, other members.
fn canonical(bench: &Bench) {
    bench.retell_all(|moment| match &mut moment.what {
        What::Request { target, .. } => {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let find = |name: &str| {
                query
                    .split('&')
                    .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                    .map(str::to_owned)
            };
            let epoch = find("epoch").map(|epoch| format!("&epoch={epoch}")).unwrap_or_default();
            *target = format!("{path}?after={}{epoch}", find("after").unwrap_or_default());
        }
        What::Body(data) => {
            let Ok(mut body) = serde_json::from_str::<Value>(&data.to_string()) else { return };
            if let Some(members) = body.as_object_mut() {
                members.retain(|name, _| ["epoch", "seq", "updates"].contains(&name.as_str()));
                *data = Data::of_text(&body.to_string());
            }
        }
        _ => {}
    });
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// The page has shown everything that was published, once and in order.
async fn expect_all(bench: &Bench, feeds: &[&Feed], client: Option<char>) -> Result<(), Failure> {
    let mut published = Vec::new();
    for feed in feeds {
        published.extend(feed.after(0).await.map_err(|missed| Failure::broken(missed.to_string()))?);
    }
    expect_shown(bench, &published, client)
}

fn expect_shown(bench: &Bench, updates: &[feed::Update], client: Option<char>) -> Result<(), Failure> {
    let expected: Vec<Data> = updates
        .iter()
        .map(|update| Data::of_text(&json!({ "seq": update.seq, "data": update.data }).to_string()))
        .collect();
    let shown: Vec<Data> = bench
        .moments()
        .into_iter()
        .filter(|moment| moment.client == client)
        .filter_map(|moment| match moment.what {
            What::Said(label, data) if label == "show" => Some(data),
            _ => None,
        })
        .collect();
    if shown == expected {
        return Ok(());
    }
    let lost = expected.iter().filter(|update| !shown.contains(update)).count();
    Err(Failure::broken(format!(
        "{} orders were filled and {} shown; {lost} never arrived.",
        expected.len(),
        shown.len()
    )))
}
