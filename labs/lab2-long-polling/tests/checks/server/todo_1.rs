//! TODO 1: what is newer, at once.

use grader::{Bench, Check, Failure, scene};

use super::{FILE, Market, Rounds, expect_updates};

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_answers_what_is_newer_at_once",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab2, and in another terminal: curl -i 'http://127.0.0.1:3002/updates?after=2'",
    scenes: &[
        scene!(
            todo_1_first_visit,
            ["1.shape", "1.at-once", "1.epoch", "1.oldest-first"],
            "Four orders were filled before anybody asked."
        ),
        scene!(
            todo_1_between_two_polls,
            ["1.newer-only", "1.all"],
            "Three orders are filled between two polls. How many arrive?"
        ),
        scene!(
            todo_1_however_many,
            ["1.all"],
            "A visitor comes back after a long time: many orders have been filled."
        ),
    ],
};

async fn todo_1_first_visit(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    let published = market.publish(4).await;
    market.serve();
    let found = market.newer(&market.bare_target(0)).await?;
    expect_updates(&found, &published)?;
    bench.wait_ms(500).await;
    // A client that knows the log by name.
    let found = market.newer(&market.target(3)).await?;
    expect_updates(&found, &published[3..])
}

async fn todo_1_between_two_polls(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    let mut published = market.publish(2).await;
    market.serve();
    let found = market.newer(&market.bare_target(0)).await?;
    expect_updates(&found, &published)?;
    for _ in 0..3 {
        bench.wait_ms(100).await;
        published.extend(market.publish(1).await);
    }
    bench.note("three orders were filled meanwhile");
    bench.wait_ms(100).await;
    let found = market.newer(&market.target(2)).await?;
    expect_updates(&found, &published[2..])
}

async fn todo_1_however_many(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let market = Market::open(&bench, 2_000).await;
    market.serve();
    // Just beyond what somebody may take for a page.
    let count = [101, 257, 1_001][bench.seed() as usize % 3];
    let published = market.publish(count).await;
    let found = market.newer(&market.target(0)).await?;
    expect_updates(&found, &published)?;
    rounds.end("the answer had all that was newer, a hundred updates and more");
    Ok(())
}
