//! TODO 1: each update is an event.

use grader::{Bench, Check, Failure, awkward::TEXTS, scene};
use serde_json::{Value, json};

use super::{Clauses, FILE, Market};

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_sends_each_update_as_an_event",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab3, and in another terminal: curl -N http://127.0.0.1:3003/prices/stream",
    scenes: &[
        scene!(
            todo_1_each_update,
            ["1.one-event", "1.stream", "1.type", "1.id", "1.data"],
            "A visitor listens. Three prices move."
        ),
        scene!(
            todo_1_two_visitors,
            ["1.id", "1.one-event"],
            "A visitor listens, and after two prices another one comes."
        ),
        scene!(todo_1_line_breaks, ["1.whole"], "A price carries a remark that has line breaks in it."),
        scene!(
            todo_1_any_data,
            ["1.data", "1.whole", "1.one-event"],
            "Updates of all kinds are published in one go."
        ),
    ],
};

const CLAUSES: Clauses = Clauses {
    arrives: "1.one-event",
    once: "1.one-event",
    data: "1.data",
    why: "Each update is one event, on every stream that is open, also if it says what the one before said.",
};

async fn todo_1_each_update(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    market.serve();
    let mut visitor = market.newcomer().await?;
    for _ in 0..3 {
        bench.wait_ms(100).await;
        visitor.hears(&market.publish().await, CLAUSES).await?;
    }
    Ok(())
}

async fn todo_1_two_visitors(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    market.serve();
    let mut first = market.newcomer().await?;
    for _ in 0..2 {
        bench.wait_ms(100).await;
        first.hears(&market.publish().await, CLAUSES).await?;
    }
    let mut second = market.newcomer().await?;
    for _ in 0..2 {
        bench.wait_ms(100).await;
        let due = market.publish().await;
        first.hears(&due, CLAUSES).await?;
        second.hears(&due, CLAUSES).await?;
    }
    Ok(())
}

async fn todo_1_line_breaks(bench: Bench) -> Result<(), Failure> {
    let clauses = Clauses { data: "1.whole", arrives: "1.whole", ..CLAUSES };
    let market = Market::open(&bench);
    market.serve();
    let mut visitor = market.newcomer().await?;
    bench.wait_ms(100).await;
    let mut data = market.price();
    data["remark"] = json!("halted\nuntil 10:00\r\rid: 99\n\nevent: fraud");
    visitor.hears(&market.publish_this(data).await, clauses).await?;
    bench.wait_ms(100).await;
    visitor.hears(&market.publish().await, clauses).await
}

async fn todo_1_any_data(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    market.serve();
    let mut visitor = market.newcomer().await?;
    bench.wait_ms(100).await;
    let mut all: Vec<Value> = TEXTS.iter().map(|text| json!({ "symbol": text, "price": 0 })).collect();
    all.extend([
        json!(null),
        json!(false),
        json!(0),
        json!(-0.5),
        json!(u64::MAX),
        json!(""),
        json!("a\nb"),
        json!([]),
        json!({}),
        json!([1, [2, { "deep": [null] }]]),
        json!({ "symbol": "LONG", "remark": "0123456789".repeat(3_000) }),
        json!({ "id": 7, "event": "trade", "data": "\n\n", "retry": 1, "seq": 1 }),
    ]);
    if bench.is_plain() {
        all.truncate(3);
    }
    let mut published = Vec::new();
    while !all.is_empty() {
        let next = if bench.is_plain() { 0 } else { bench.draw(all.len() as u64) as usize };
        published.push(market.publish_this(all.remove(next)).await);
    }
    visitor.hears_all(&published, CLAUSES).await
}
