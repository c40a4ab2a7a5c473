//! TODO 3: a quiet stream stays open.

use std::time::Duration;

use grader::{
    Bench, Check, Failure, Item, Mark, scene,
    wire::{What, When},
};

use super::{Clauses, FILE, Market, Visitor, expect};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_keeps_a_quiet_stream_open",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "put `let updates = stream::pending().boxed();` at the top of `respond` for a while: the market is quiet then. cargo run -p lab3, and in another terminal: curl -N http://127.0.0.1:3003/prices/stream. It should show `retry:` at once, and a line that begins with `:` every 15 s.",
    scenes: &[
        scene!(
            todo_3_silence,
            ["3.comments", "3.retry", "3.range", "3.no-event"],
            "Nothing is published for a minute."
        ),
        scene!(
            todo_3_between_prices,
            ["3.comments", "3.no-event"],
            "A client comes back to a market in which a price moves now and then."
        ),
        scene!(
            todo_3_every_stream,
            ["3.retry", "3.range"],
            "A client comes for the first time, one comes back that has missed something, and one that has not."
        ),
        scene!(todo_3_the_client_is_gone, ["3.gone"], "Three clients come, and go without a word."),
    ],
};

/// No silence is longer than this, in milliseconds.
const SILENCE: u64 = 15_000;

const CLAUSES: Clauses = Clauses {
    arrives: "3.comments",
    once: "1.one-event",
    data: "1.data",
    why: "A comment must not take an event's place.",
};

async fn todo_3_silence(bench: Bench) -> Result<(), Failure> {
    bench.show_comments();
    bench.show_retry();
    let market = Market::open(&bench);
    market.serve();
    // How often exactly comments come, and whether there are others, is the server's business.
    let (mut began, mut seen) = (false, false);
    bench.leave_out(move |moment| match moment.what {
        What::Retry(..) => std::mem::replace(&mut began, true),
        What::Comment => !began || std::mem::replace(&mut seen, true),
        _ => false,
    });
    let mut visitor = market.newcomer().await?;
    let opened = bench.now();
    let heard = visitor.stream.listen(Duration::from_secs(if bench.is_plain() { 60 } else { 7_200 })).await;
    reconnection_time(&heard)?;
    bench.retell_all(|moment| {
        if let What::Retry(..) = moment.what {
            moment.what = What::Retry(1_000, 10_000);
        }
    });
    no_silence(&bench, &visitor, opened, &heard, "its beginning")?;
    let base = bench.told_at(opened);
    bench.retell_all(|moment| {
        if moment.what == What::Comment {
            moment.when = When::Within(base, base + SILENCE);
        }
    });
    bench.note("and so on, in every 15 s of silence");
    Ok(())
}

async fn todo_3_between_prices(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let seen = market.publish_many(2).await;
    market.serve();
    let mut visitor = market.comes_back(seen[0].update.seq).await?;
    let mut quiet_since = bench.now();
    visitor.hears(&seen[1], CLAUSES).await?;
    let mut what = format!("event {}", seen[1].update.seq);
    for silence in [50_000, 14_900, 31_000, bench.pick(&[20_000, 15_001, 29_999, 46_000])] {
        let heard = visitor.stream.listen(Duration::from_millis(silence)).await;
        no_silence(&bench, &visitor, quiet_since, &heard, &what)?;
        let last = heard.iter().rev().find_map(Item::at);
        quiet_since = last.unwrap_or(quiet_since);
        let due = market.publish().await;
        let event = visitor.event(&due.update, CLAUSES).await?;
        expect(&event, &due.update, CLAUSES)?;
        visitor.arrived_at(due.told, Some(due.update.seq));
        if event.at.since(quiet_since) > SILENCE {
            return Err(too_long(event.at.since(quiet_since), &what));
        }
        quiet_since = event.at;
        what = format!("event {}", due.update.seq);
    }
    Ok(())
}

async fn todo_3_every_stream(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let seen = market.publish_many(3).await;
    market.serve();
    let position = seen[0].update.seq;
    let head = position + 2;
    let mut visitors = vec![
        (market.newcomer().await?, 0),
        (market.comes_back(position).await?, 2),
        (market.comes_back_by_address(head).await?, 0),
    ];
    // A crowd, too, in which each may be given a time of its own.
    for _ in 0..if bench.is_plain() { 0 } else { 20 } {
        visitors.push((market.newcomer().await?, 0));
    }
    for (mut visitor, events) in visitors {
        let heard = visitor.stream.listen(Duration::from_secs(1)).await;
        reconnection_time(&heard)?;
        if heard.iter().filter(|item| matches!(item, Item::Event(_))).count() > events {
            return Err(Failure::of(
                "3.no-event",
                "The reconnection time came with an event of its own: a block that has only a `retry` field is none.",
            ));
        }
    }
    Ok(())
}

async fn todo_3_the_client_is_gone(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    bench.leave_out(|moment| matches!(moment.what, What::Event { .. }));
    let market = Market::open(&bench);
    let seen = market.publish_many(2).await;
    market.serve();
    let before = market.feed.subscribers();
    let mut visitors = vec![
        market.newcomer().await?,
        market.comes_back(seen[0].update.seq).await?,
        market.comes_back_by_address(seen[1].update.seq).await?,
    ];
    bench.wait_ms(100).await;
    if bench.pick(&[true, false]) {
        market.publish().await;
        bench.wait_ms(bench.pick(&[100, 14_000])).await;
    }
    // One after another, and the last of them after a while.
    visitors.pop();
    bench.wait_ms(bench.pick(&[100, 0, 7_000])).await;
    drop(visitors);
    bench.wait_ms(SILENCE + 500).await;
    let left = market.feed.subscribers().saturating_sub(before);
    if left > 0 {
        let are = if left == 1 { "is" } else { "are" };
        return Err(Failure::of(
            "3.gone",
            format!(
                "{left} of 3 subscriptions {are} still open 15 s after the clients have gone: does something go on that nobody reads, such as a task that ignores that its send fails?"
            ),
        ));
    }
    Ok(())
}

/// The stream begins with a reconnection time, and all that it names are in their range.
fn reconnection_time(heard: &[Item]) -> Result<(), Failure> {
    let first = heard.iter().find(|item| matches!(item, Item::Event(_) | Item::Retry(_)));
    let named = heard.iter().any(|item| matches!(item, Item::Retry(_)));
    match first {
        Some(Item::Retry(_)) => {}
        Some(Item::Event(event)) if named => {
            return Err(Failure::of(
                "3.retry",
                format!(
                    "The event with the ID {} comes before the reconnection time: the stream begins with a `retry`.",
                    event.id.as_deref().unwrap_or("(none)")
                ),
            ));
        }
        _ => {
            return Err(Failure::of(
                "3.retry",
                "The stream does not begin with a reconnection time: there is no `retry` field in it. Without one each browser waits as long as it likes.",
            ));
        }
    }
    for item in heard {
        if let Item::Retry(ms @ (..1_000 | 10_001..)) = item {
            return Err(Failure::of(
                "3.range",
                format!("`retry` is {ms}, and it counts milliseconds: the contract says 1000 to 10000."),
            ));
        }
    }
    Ok(())
}

/// From `since` on there was a comment in every 15 s, and nothing that a page would notice.
fn no_silence(
    bench: &Bench,
    visitor: &Visitor,
    since: Mark,
    heard: &[Item],
    what: &str,
) -> Result<(), Failure> {
    if let Some(event) =
        heard.iter().find_map(|item| if let Item::Event(event) = item { Some(event) } else { None })
    {
        return Err(Failure::of(
            "3.no-event",
            format!(
                "Nothing was published, and an event of type `{}` came: a page notices it. A comment is a line that begins with a colon.",
                event.name
            ),
        ));
    }
    if visitor.stream.has_ended() {
        return Err(Failure::of(
            "3.comments",
            format!("The server ended the stream in the silence after {what}."),
        ));
    }
    let mut before = since;
    for now in heard.iter().filter_map(Item::at).chain([bench.now()]) {
        if now.since(before) > SILENCE {
            return Err(too_long(now.since(before), what));
        }
        before = now;
    }
    Ok(())
}

fn too_long(silence: u64, what: &str) -> Failure {
    Failure::of(
        "3.comments",
        format!(
            "After {what} the stream was silent for {silence} ms: a proxy that waits 15 s would have taken the connection for dead."
        ),
    )
}
