//! TODO 3: lose nothing between looking and waiting.

use feed::Update;
use grader::{Bench, Check, Failure, scene};

use super::{
    AT_ONCE, FILE, Market, PATIENCE, Rounds, expect_updates, is_response, numbers, world, wrong_numbers,
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_loses_nothing_between_looking_and_waiting",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "between your look and your wait, fill an order yourself: `feed.publish(json!({ \"symbol\": \"TLKM\", \"price\": 2780 })).await;`. Then cargo run -p lab2, and curl with the newest number you know: is that order in the answer at once, or only together with the market's next?",
    scenes: &[
        scene!(
            todo_3_published_after_the_look,
            ["3.meanwhile", "3.once"],
            "Reading the log takes 40 ms. An order is filled just after the log was looked at."
        ),
        scene!(
            todo_3_published_before_the_look,
            ["3.meanwhile", "3.once"],
            "The same, but the order is filled just before the log is looked at."
        ),
        scene!(
            todo_3_a_busy_second,
            ["3.once", "3.meanwhile"],
            "Forty orders are filled in a second, and a visitor polls all the time."
        ),
        scene!(
            todo_3_at_every_moment,
            ["3.meanwhile", "3.once"],
            "A visitor asks, and an order is filled: 0 ms later, 15 ms later, 30 ms later … and so on."
        ),
    ],
};

async fn todo_3_published_after_the_look(bench: Bench) -> Result<(), Failure> {
    // 5 ms to the server, then 40 ms: the log is looked at at 25 ms, and the handler knows at 45 ms.
    published_while_looking(&bench, 35).await
}

async fn todo_3_published_before_the_look(bench: Bench) -> Result<(), Failure> {
    published_while_looking(&bench, 15).await
}

async fn published_while_looking(bench: &Bench, after: u64) -> Result<(), Failure> {
    let market = Market::slow(bench, 100, 40).await;
    market.publish(3).await;
    market.serve();
    meanwhile(&market, after).await?;
    bench.wait_ms(100).await;
    // What was told is not told again: the next request waits for the next order.
    let filling = async {
        bench.wait_s(2).await;
        market.fill().await
    };
    let ask = bench.get(&market.target_now());
    let (answer, asked, (filled, published)) = market.held(ask, filling).await?;
    market.expect_held(&answer, asked, filled, "3.once")?;
    let found = market.updates_of(answer, filled).await?;
    expect_updates(&found, &published)
}

/// A request, and an order that is filled so many milliseconds later.
async fn meanwhile(market: &Market, after: u64) -> Result<(), Failure> {
    let bench = &market.bench;
    let filling = async {
        bench.wait_ms(after).await;
        market.fill().await
    };
    let ask = bench.get(&market.target_now());
    let (answer, asked, (filled, published)) = market.held(ask, filling).await?;
    let came = world::last_at(bench, is_response).unwrap_or(asked);
    let waited = came.since(filled);
    if waited > AT_ONCE {
        return Err(Failure::of(
            "3.meanwhile",
            format!(
                "An order was filled {after} ms after the request had been sent, while the server was busy with it, and {} {waited} ms later: the request missed the wake-up. Whoever looks first and then listens does not hear what happens in between.",
                if answer.status == 204 { "the answer is 204," } else { "the answer came" }
            ),
        ));
    }
    if came < filled {
        return Err(Failure::of(
            "3.once",
            format!(
                "Nothing was newer yet, and the request was answered ({}): what has been answered does not come again.",
                answer.status.as_u16()
            ),
        ));
    }
    let found = market.updates_of(answer, filled).await?;
    expect_updates(&found, &published)
}

async fn todo_3_a_busy_second(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let market = Market::slow(&bench, 100, 40).await;
    market.serve();
    let filling = async {
        let mut published = Vec::new();
        for _ in 0..40 {
            bench.wait_ms(5 + bench.draw(41)).await;
            published.extend(market.publish(1).await);
        }
        published
    };
    let polling = async {
        let mut found: Vec<Update> = Vec::new();
        while found.len() < 40 {
            rounds.begin();
            let seen = found.len() as u64;
            let asked = bench.now();
            let answer = bench.get(&market.target(seen)).send_within(PATIENCE).await?;
            let waited = bench.now().since(asked);
            if waited > AT_ONCE {
                return Err(Failure::of(
                    "3.meanwhile",
                    format!(
                        "Orders were being filled all the time, and the request for what comes after {} was held for {waited} ms: it missed what happened between looking and waiting.",
                        market.before + seen
                    ),
                ));
            }
            let news = market.read(answer).await?;
            let expected: Vec<u64> = (1..=news.len() as u64).map(|nth| market.before + seen + nth).collect();
            if numbers(&news) != expected {
                return Err(wrong_numbers(&numbers(&news), &expected));
            }
            found.extend(news);
        }
        Ok(found)
    };
    let (found, published) = tokio::join!(polling, filling);
    expect_updates(&found?, &published)?;
    // How many polls it takes, and when they come, depends on how log and subscription are joined.
    rounds.end("all forty have arrived, each once, in order");
    Ok(())
}

async fn todo_3_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let market = Market::slow(&bench, 100, bench.pick(&[40, 0, 120])).await;
    market.publish(3).await;
    market.serve();
    let near = (0..16).map(|step| 15 * step);
    let drawn = (0..12).map(|_| 240 + bench.draw(1_300));
    let far = [2_200, 5_100, 9_900, 24_000];
    for after in near.chain(drawn).chain(far) {
        rounds.begin();
        meanwhile(&market, after).await?;
    }
    rounds.end("whenever the order was filled, the answer came at once");
    Ok(())
}
