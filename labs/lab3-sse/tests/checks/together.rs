//! Both halves meet: the student's client at the student's server.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Check, Failure, Mark, scene,
    wire::{Moment, What, transcript::Data},
};
use serde_json::json;

pub(crate) const BOTH_HALVES: Check = Check {
    name: "both_halves_meet",
    todo: None,
    file: "web/client.js",
    section: "lab",
    experiment: "cargo run -p lab3 and open its page; stop the lab with Ctrl-C, start it again, and watch.",
    scenes: &[
        scene!(
            both_halves_through_a_cut,
            [],
            "Prices move, the connection is cut, prices move on, the market closes."
        ),
        scene!(
            both_halves_three_visitors,
            [],
            "Three visitors watch; all their connections are cut at once."
        ),
    ],
};

async fn both_halves_through_a_cut(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    watch(&bench, None)?;
    bench.wait_ms(500).await;
    for _ in 0..2 {
        publish(&bench, &feed, 1, 5).await?;
    }
    let cut = bench.now();
    bench.cut().await;
    for _ in 0..2 {
        publish(&bench, &feed, 0, 0).await?;
    }
    back(&bench, cut, 1).await?;
    publish(&bench, &feed, 1, 6).await?;
    expect_all(&bench, &feed, None).await?;
    bench.note("the market closes");
    let closed = bench.now();
    feed.close();
    back(&bench, closed, 1).await?;
    bench
        .until(Duration::from_secs(60), "The market has closed and the page does not say so.", || {
            bench.said("status").last().filter(|status| **status == Data::Text("closed".to_owned())).cloned()
        })
        .await?;
    bench.retell_all(|moment| {
        if let What::Response { status: 204, content_type, .. } = &mut moment.what {
            *content_type = None;
        }
    });
    // How the question is asked is open: with HEAD or with GET, and from which position.
    bench.retell(is_request, |moment| {
        if let What::Request { method, target, .. } = &mut moment.what {
            "HEAD".clone_into(method);
            *target = format!("/prices/stream?after={}", feed.head());
        }
    });
    Ok(())
}

async fn both_halves_three_visitors(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    // Who of them hears it first is nobody's business.
    bench.leave_out(|moment| {
        matches!(moment.what, What::Event { .. })
            || matches!(&moment.what, What::Said(label, _) if label == "show")
    });
    for client in ['A', 'B', 'C'] {
        watch(&bench, Some(client))?;
    }
    bench.wait_ms(500).await;
    publish(&bench, &feed, 3, 19).await?;
    let cut = bench.now();
    bench.cut().await;
    publish(&bench, &feed, 0, 0).await?;
    back(&bench, cut, 3).await?;
    publish(&bench, &feed, 3, 20).await?;
    for client in ['A', 'B', 'C'] {
        expect_all(&bench, &feed, Some(client)).await?;
    }
    Ok(())
}

fn watch(bench: &Bench, client: Option<char>) -> Result<(), Failure> {
    let page = match client {
        Some(client) => bench.page_of(client, &["watchPrices"])?,
        None => bench.page(&["watchPrices"])?,
    };
    page.eval(
        "client.watchPrices({
            url: '/prices/stream',
            show: (price) => say('show', price),
            status: (status) => say('status', status),
            signal: new AbortController().signal,
        });",
    )?;
    Ok(())
}

/// A price moves; whoever is connected has a second to show it.
///
/// `latency` is that of the connection where there is one, in milliseconds.
async fn publish(bench: &Bench, feed: &Feed, watching: usize, latency: u64) -> Result<(), Failure> {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    let shown = bench.said("show").len() + watching;
    let since = bench.told_at(bench.now());
    let update = feed.publish(json!({ "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) })).await;
    let missing = format!(
        "Update {} was published, and within a second it was not shown to everybody who watches.",
        update.seq
    );
    bench
        .until(Duration::from_secs(1), &missing, || (bench.said("show").len() >= shown).then_some(()))
        .await?;
    let id = update.seq.to_string();
    if watching == 1 {
        bench.tell_at(
            since + latency,
            |moment| matches!(&moment.what, What::Event { id: Some(this), .. } if *this == id),
        );
    }
    bench.wait_ms(100 - latency).await;
    Ok(())
}

/// All visitors have come back since `then`. When exactly is for the server to say: `retry` is its own.
async fn back(bench: &Bench, then: Mark, visitors: usize) -> Result<(), Failure> {
    let since = |moment: &&Moment| is_request(moment) && bench.clock(moment) >= then;
    let came = || bench.moments().iter().filter(since).map(|moment| moment.exchange).collect::<Vec<_>>();
    let first = bench
        .until(Duration::from_secs(15), "The line was lost, and nobody came back within 15 s.", || {
            let came = came();
            (came.len() >= visitors).then(|| came[0])
        })
        .await?;
    bench.leave_open(then, (1_000, 10_000), |moment| is_request(moment) && moment.exchange == first);
    bench.wait_ms(500).await;
    Ok(())
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// The page has shown everything that was published, once and in order.
async fn expect_all(bench: &Bench, feed: &Feed, client: Option<char>) -> Result<(), Failure> {
    let published = feed.after(0).await.map_err(|missed| Failure::broken(missed.to_string()))?;
    let expected: Vec<Data> =
        published.iter().map(|update| Data::of_text(&update.data.to_string())).collect();
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
    let lost = expected.iter().filter(|price| !shown.contains(price)).count();
    Err(Failure::broken(format!(
        "{} prices were published and {} were shown; {lost} never arrived.",
        expected.len(),
        shown.len()
    )))
}
