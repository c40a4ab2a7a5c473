//! TODO 2: resume without gap or repeat.

use std::time::Duration;

use grader::{Bench, Check, Failure, Item, scene, wire::What};

use super::{Clauses, Due, FILE, Market, STREAM, Visitor};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_resumes_without_gap_or_repeat",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "cargo run -p lab3, and after some seconds, in another terminal: curl -N -H 'last-event-id: 2' http://127.0.0.1:3003/prices/stream. The first event should have the ID 3, and no number should be left out.",
    scenes: &[
        scene!(
            todo_2_after_a_cut,
            ["2.header", "2.once", "2.goes-on"],
            "The connection is cut after two events. Three more are published before the client is back."
        ),
        scene!(
            todo_2_first_visit,
            ["2.address", "2.once", "2.goes-on"],
            "A page that was loaded with price 2 on it opens its stream after it."
        ),
        scene!(
            todo_2_header_over_address,
            ["2.header-wins"],
            "An old address and a newer Last-Event-ID; then a new address and an older Last-Event-ID."
        ),
        scene!(
            todo_2_published_while_reading,
            ["2.in-between", "2.once"],
            "Reading the log takes 40 ms. A price moves early in it, another late."
        ),
        scene!(
            todo_2_nothing_missed,
            ["2.goes-on", "2.once"],
            "Two clients come back that have seen everything. Then a price moves."
        ),
        scene!(
            todo_2_two_come_back,
            ["2.header", "2.address"],
            "Three clients come back, each from a position of its own; one has seen nothing yet."
        ),
        scene!(todo_2_away_for_long, ["2.header"], "A client comes back that has missed 300 updates."),
        scene!(
            todo_2_busy_market,
            ["2.in-between", "2.once"],
            "A price moves every millisecond: before the client comes back, while the log is read, and after it."
        ),
    ],
};

const MISSED: Clauses = Clauses {
    arrives: "2.header",
    once: "2.once",
    data: "1.data",
    why: "The client had not seen it when it lost its connection, and will never ask for it again.",
};
const BY_ADDRESS: Clauses = Clauses {
    arrives: "2.address",
    why: "The client says in its address what it saw last, and will never ask for this one again.",
    ..MISSED
};
const IN_BETWEEN: Clauses = Clauses {
    arrives: "2.in-between",
    why: "It was published while the log was being read: it is not in what was read, and a subscription that begins later does not hear it.",
    ..MISSED
};
const NEW: Clauses = Clauses {
    arrives: "2.goes-on",
    why: "After what was missed the stream goes on with what is new, also where nothing was missed.",
    ..MISSED
};

async fn todo_2_after_a_cut(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    market.serve();
    let mut visitor = market.newcomer().await?;
    let mut position = 0;
    for _ in 0..2 {
        bench.wait_ms(100).await;
        let due = market.publish().await;
        visitor.hears(&due, NEW).await?;
        position = due.update.seq;
    }
    bench.cut().await;
    let missed = market.publish_many(3).await;
    bench.wait_ms(1_000).await;
    let visitor = market.comes_back(position).await?;
    goes_on(&market, visitor, &missed, MISSED).await
}

async fn todo_2_first_visit(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    let published = market.publish_many(4).await;
    market.serve();
    let visitor = market.comes_back_by_address(published[1].update.seq).await?;
    goes_on(&market, visitor, &published[2..], BY_ADDRESS).await
}

async fn todo_2_header_over_address(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let clauses = Clauses {
        arrives: "2.header-wins",
        once: "2.header-wins",
        why: "With both, the header counts, and it says that the client has not seen this one.",
        ..MISSED
    };
    let market = Market::open(&bench);
    let published = market.publish_many(5).await;
    market.serve();
    for (address, header) in [(0, 3), (3, 0)] {
        let ask = bench.get(&format!("{STREAM}?after={}", published[address].update.seq));
        let ask = ask.header("last-event-id", &published[header].update.seq.to_string());
        let mut visitor = market.visitor(ask).await?;
        visitor.hears_all(&published[header + 1..], clauses).await?;
        bench.wait_ms(100).await;
    }
    Ok(())
}

async fn todo_2_published_while_reading(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::with(&bench, 100, 40);
    let mut expected = market.publish_many(3).await;
    market.serve();
    let asked = bench.now();
    // 5 ms to the server, then 40 ms: the log is looked at at 25 ms, and the handler knows at 45 ms.
    let meanwhile = async {
        bench.wait_ms(15).await;
        let early = market.publish().await;
        bench.wait_ms(20).await;
        [early, market.publish().await]
    };
    let (visitor, in_between) = tokio::join!(market.comes_back(expected[1].update.seq), meanwhile);
    expected.extend(in_between);
    // The head may be sent before the log is read, or after.
    bench.tell_as_window(asked, (10, 50), |moment| matches!(moment.what, What::Response { .. }));
    goes_on(&market, visitor?, &expected[2..], IN_BETWEEN).await
}

async fn todo_2_nothing_missed(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let seen = market.publish_many(2).await;
    market.serve();
    let position = seen[1].update.seq;
    let mut visitors = [market.comes_back(position).await?, market.comes_back_by_address(position).await?];
    for visitor in &mut visitors {
        for item in visitor.stream.listen(Duration::from_secs(2)).await {
            if let Item::Event(event) = item {
                return Err(Failure::of(
                    "2.once",
                    format!(
                        "The client has seen everything up to {position}, and the event with the ID {} arrives: it has that one already.",
                        event.id.as_deref().unwrap_or("(none)")
                    ),
                ));
            }
        }
    }
    for _ in 0..2 {
        bench.wait_ms(100).await;
        let due = market.publish().await;
        for visitor in &mut visitors {
            visitor.hears(&due, NEW).await?;
        }
    }
    Ok(())
}

async fn todo_2_two_come_back(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let market = Market::open(&bench);
    let published = market.publish_many(4).await;
    market.serve();
    let first = published[0].update.seq;
    let mut by_header = market.comes_back(first + 1).await?;
    let mut from_the_beginning = market.comes_back(first - 1).await?;
    let mut by_address = market.comes_back_by_address(first).await?;
    by_header.hears_all(&published[2..], MISSED).await?;
    from_the_beginning.hears_all(&published, MISSED).await?;
    by_address.hears_all(&published[1..], BY_ADDRESS).await?;
    bench.wait_ms(100).await;
    let due = market.publish().await;
    for visitor in [&mut by_header, &mut from_the_beginning, &mut by_address] {
        visitor.hears(&due, NEW).await?;
    }
    Ok(())
}

async fn todo_2_away_for_long(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    bench.leave_out(|moment| matches!(moment.what, What::Event { .. }));
    let market = Market::with(&bench, 1_000, 0);
    let published = market.publish_many(301).await;
    market.serve();
    let visitor = market.comes_back(published[0].update.seq).await?;
    bench.note("300 events, and then what is new");
    goes_on(&market, visitor, &published[1..], MISSED).await
}

async fn todo_2_busy_market(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    bench.leave_out(|moment| matches!(moment.what, What::Event { .. }));
    let market = Market::with(&bench, 1_000, bench.pick(&[40, 1, 7, 120]));
    let mut published = market.publish_many(3).await;
    market.serve();
    let position = published[1].update.seq;
    let asked = bench.now();
    let moving = async {
        let mut moved = Vec::new();
        for _ in 0..160 {
            moved.push(market.publish().await);
            bench.wait_ms(1).await;
        }
        moved
    };
    let (visitor, moved) = tokio::join!(market.comes_back(position), moving);
    published.extend(moved);
    bench.tell_as_window(asked, (10, 200), |moment| matches!(moment.what, What::Response { .. }));
    bench.note("every update after the position, once and in order");
    let mut visitor = visitor?;
    for due in &published[2..] {
        visitor.hears_some_time(due, IN_BETWEEN).await?;
    }
    bench.wait_ms(100).await;
    visitor.hears_some_time(&market.publish().await, NEW).await.map(drop)
}

/// The visitor gets what it missed, and then what is new.
async fn goes_on(
    market: &Market,
    mut visitor: Visitor,
    missed: &[Due],
    clauses: Clauses,
) -> Result<(), Failure> {
    visitor.hears_all(missed, clauses).await?;
    market.bench.wait_ms(100).await;
    visitor.hears(&market.publish().await, NEW).await
}
