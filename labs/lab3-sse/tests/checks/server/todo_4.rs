//! TODO 4: closed means closed.

use std::time::Duration;

use grader::{Bench, Check, Disturbance, Failure, Item, scene, sweep, wire::What};

use super::{AT_ONCE, Clauses, Due, FILE, Market, STREAM, Visitor, expect};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_answers_204_when_the_market_is_closed",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "put `return market_closed();` at the top of `prices` for a while. cargo run -p lab3, and in another terminal: curl -i http://127.0.0.1:3003/prices/stream. The first line should say 204; an EventSource that is answered so does not come back.",
    scenes: &[
        scene!(todo_4_closed, ["4.204"], "The market is closed. A visitor comes, and two come back."),
        scene!(todo_4_closes, ["4.ends", "4.204"], "The market closes while two visitors listen."),
        scene!(
            todo_4_last_prices,
            ["4.last-prices", "4.ends"],
            "Three prices move, and in the same moment the market closes."
        ),
        sweep!(
            todo_4_at_any_moment,
            ["4.ends", "4.last-prices"],
            [Disturbance::Close],
            "A client comes back; reading the log takes 40 ms, and prices move. The market closes at some moment."
        ),
    ],
};

const CLAUSES: Clauses = Clauses {
    arrives: "4.last-prices",
    once: "2.once",
    data: "1.data",
    why: "It was published before the market closed.",
};

async fn todo_4_closed(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let seen = market.publish_many(3).await;
    market.feed.close();
    market.serve();
    let position = seen[1].update.seq;
    for ask in [
        bench.get(STREAM),
        bench.get(STREAM).header("last-event-id", &position.to_string()),
        bench.get(&format!("{STREAM}?after={position}")),
    ] {
        closed(&bench, ask).await?;
    }
    Ok(())
}

async fn todo_4_closes(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let seen = market.publish_many(2).await;
    market.serve();
    let mut newcomer = market.newcomer().await?;
    let mut back = market.comes_back(seen[0].update.seq).await?;
    back.hears(&seen[1], CLAUSES).await?;
    bench.wait_ms(100).await;
    let due = market.publish().await;
    newcomer.hears(&due, CLAUSES).await?;
    back.hears(&due, CLAUSES).await?;
    bench.wait_ms(bench.pick(&[100, 20_000])).await;
    market.feed.close();
    let ended = ends(&mut [&mut newcomer, &mut back], &[]).await?;
    bench.wait_ms(100).await;
    let ask = bench.get(STREAM).header("last-event-id", &due.update.seq.to_string());
    closed(&bench, ask).await?;
    bench.tell_at(ended + AT_ONCE, |moment| matches!(moment.what, What::Request { .. }));
    Ok(())
}

async fn todo_4_last_prices(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let seen = market.publish_many(2).await;
    market.serve();
    let mut newcomer = market.newcomer().await?;
    let mut back = market.comes_back(seen[1].update.seq).await?;
    bench.wait_ms(100).await;
    let last = market.publish_many(3).await;
    market.feed.close();
    ends(&mut [&mut newcomer, &mut back], &last).await.map(drop)
}

async fn todo_4_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let market = Market::with(&bench, 100, 40);
    let mut published = market.publish_many(3).await;
    market.serve();
    let position = published[1].update.seq;
    // A price moves every 9 ms, until the market closes.
    let trading = async {
        let mut moved = Vec::new();
        let moving = async {
            for _ in 0..12 {
                bench.wait_ms(9).await;
                moved.push(market.publish().await);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            _ = bench.disturbed() => market.feed.close(),
            () = moving => {}
            () = bench.wait_ms(300) => {}
        }
        moved
    };
    let listening = async {
        let ask = bench.get(STREAM).header("last-event-id", &position.to_string());
        let answer = ask.send().await?;
        if market.feed.is_closed() && answer.status.as_u16() == 204 {
            return Ok((None, Vec::new()));
        }
        let mut stream = answer.stream()?;
        let heard = stream.listen(Duration::from_secs(2)).await;
        Ok::<_, Failure>((Some(stream.has_ended()), heard))
    };
    let (moved, listened) = tokio::join!(trading, listening);
    let (ended, heard) = listened.map_err(|failure| failure.or_of("1.stream"))?;
    let Some(ended) = ended else { return Ok(()) };
    published.extend(moved);
    if market.feed.is_closed() && !ended {
        return Err(Failure::of(
            "4.ends",
            "The market has closed and the stream goes on: its visitor waits for prices that cannot come.",
        ));
    }
    let mut events = heard.iter().filter_map(event);
    for due in &published[2..] {
        let Some(event) = events.next() else {
            return Err(lost(due));
        };
        expect(event, &due.update, CLAUSES)?;
    }
    Ok(())
}

/// The answer is 204; which headers it has is open.
async fn closed(bench: &Bench, ask: grader::Ask) -> Result<(), Failure> {
    let answer = ask.send().await?;
    bench.retell_all(|moment| {
        if let What::Response { status: 204, content_type, .. } = &mut moment.what {
            *content_type = None;
        }
    });
    match answer.status.as_u16() {
        204 => {}
        200 => {
            return Err(Failure::of(
                "4.204",
                "A closed market answers 200: an EventSource takes an empty stream for a connection that was lost, and comes back all night. 204 makes it stay away.",
            ));
        }
        other => {
            return Err(Failure::of(
                "4.204",
                format!(
                    "A closed market answers {other}: that reads like a fault, and a client cannot tell closing time from one. 204 says that all is well and nothing more will come."
                ),
            ));
        }
    }
    bench.wait_ms(100).await;
    Ok(())
}

/// After these last updates the streams end, at once: where the closing is told.
async fn ends(visitors: &mut [&mut Visitor], last: &[Due]) -> Result<u64, Failure> {
    let bench = visitors[0].bench.clone();
    let closed = bench.told_at(bench.now());
    bench.wait_ms(AT_ONCE).await;
    for visitor in visitors {
        let heard = visitor.stream.listen(Duration::from_millis(1)).await;
        let mut events = heard.iter().filter_map(event);
        for due in last {
            let Some(event) = events.next() else { return Err(lost(due)) };
            expect(event, &due.update, CLAUSES)?;
            visitor.arrived_at(due.told, Some(due.update.seq));
        }
        if let Some(event) = events.next() {
            return Err(Failure::of(
                "4.ends",
                format!(
                    "Nothing more was published, and an event of type `{}` came: what ends a stream is its end, and the 204 after it.",
                    event.name
                ),
            ));
        }
        if !visitor.stream.has_ended() {
            return Err(Failure::of(
                "4.ends",
                "The market has closed and the stream goes on: its visitors wait for prices that cannot come.",
            ));
        }
        visitor.arrived_at(closed, None);
    }
    Ok(closed)
}

fn event(item: &Item) -> Option<&grader::Event> {
    if let Item::Event(event) = item { Some(event) } else { None }
}

fn lost(due: &Due) -> Failure {
    Failure::of(
        "4.last-prices",
        format!(
            "Update {} was published before the market closed, and the stream ended without it: what a subscription still holds is sent first.",
            due.update.seq
        ),
    )
}
