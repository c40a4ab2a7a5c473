//! TODO 2: otherwise hold.

use futures_util::future::join_all;
use grader::{Bench, Check, Failure, scene, wire::When};

use super::{
    AT_ONCE, FILE, Market, PATIENCE, Rounds, expect_first_of, expect_updates, is_body, is_response, world,
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_holds_until_there_is_news",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "cargo run -p lab2, and in another terminal: time curl -i 'http://127.0.0.1:3002/updates?after=N' with the newest number you know. It waits for the next order: one is filled every half second.",
    scenes: &[
        scene!(
            todo_2_news_while_waiting,
            ["2.news", "2.held"],
            "A visitor waits. Twelve seconds later an order is filled."
        ),
        scene!(todo_2_silence, ["2.no-news", "2.held"], "Nothing happens for a minute."),
        scene!(todo_2_everyone_who_waits, ["2.everyone"], "Three visitors wait for the same order."),
        scene!(
            todo_2_a_closed_market,
            ["2.closed"],
            "The market is closed. Then it opens, and closes while a visitor waits."
        ),
        scene!(
            todo_2_what_was_seen,
            ["2.seen"],
            "An order is filled that the visitor has seen already, at another server of the same market."
        ),
        scene!(
            todo_2_a_burst,
            ["2.burst"],
            "A visitor waits, and many orders are filled in one moment: more than the log keeps."
        ),
    ],
};

async fn todo_2_news_while_waiting(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    market.publish(3).await;
    market.serve();
    for seconds in [12, 5] {
        let filling = async {
            bench.wait_s(seconds).await;
            market.fill().await
        };
        let ask = bench.get(&market.target_now());
        let (answer, asked, (filled, published)) = market.held(ask, filling).await?;
        market.expect_held(&answer, asked, filled, "2.held")?;
        let found = market.updates_of(answer, filled).await?;
        expect_updates(&found, &published)?;
        bench.wait_ms(100).await;
    }
    Ok(())
}

async fn todo_2_silence(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    market.publish(3).await;
    market.serve();
    for _ in 0..2 {
        market.silence(&market.target_now(), "2.held", "Nothing happened", async {}).await?;
    }
    Ok(())
}

async fn todo_2_everyone_who_waits(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    let known = market.publish(3).await;
    market.serve();
    // Three with names; in the awkward plays a crowd beside them.
    let crowd = [30, 0, 55][bench.seed() as usize % 3];
    let target = market.target_now();
    let ask = |client| bench.ask_of(client, "GET", &target).send_within(PATIENCE);
    let mut waiting = vec![ask('B'), ask('C'), ask('D')];
    waiting.extend((0..crowd).map(|_| bench.get(&target).send_within(PATIENCE)));
    let filling = async {
        bench.wait_s(1).await;
        // A client that has missed one need not wait with the others.
        let target = market.target(2);
        let found = market.newer_for(bench.ask_of('A', "GET", &target), &target).await;
        bench.wait_s(2).await;
        (found, market.fill().await)
    };
    let (waiting, (found, (filled, published))) = tokio::join!(join_all(waiting), filling);
    expect_updates(
        &found.map_err(|_| alone("a visitor who asked for what was in the log already"))?,
        &known[2..],
    )?;
    let answers = waiting.into_iter().collect::<Result<Vec<_>, _>>().map_err(|_| alone("one of them"))?;
    let waited = bench.now().since(filled);
    // The connections of a crowd are slower, one after the other.
    if waited > AT_ONCE + 10 * crowd {
        return Err(Failure::of(
            "2.everyone",
            format!(
                "An order was filled while {} visitors waited for it, and the last of them heard of it {waited} ms later; the contract says within 1 s, for everyone who waits.",
                answers.len()
            ),
        ));
    }
    for answer in answers {
        if answer.status != 200 {
            return Err(Failure::of(
                "2.everyone",
                format!(
                    "An order was filled, and one of those who waited for it is answered with {}.",
                    answer.status
                ),
            ));
        }
        expect_updates(&market.read(answer).await?, &published)?;
    }
    // How long it takes within the second, and who is told first, is open.
    let told = bench.told_at(filled) + 10;
    bench.retell_all(|moment| {
        if moment.client != Some('A') && (is_response(moment) || is_body(moment)) {
            moment.when = When::At(told);
        }
    });
    leave_who_is_first_open(&bench);
    Ok(())
}

fn alone(who: &str) -> Failure {
    Failure::of(
        "2.everyone",
        format!(
            "Several visitors waited, and {who} was not answered in time: do they wait for each other? A lock that is held over an `await` does that."
        ),
    )
}

/// Moments of one millisecond, client by client.
fn leave_who_is_first_open(bench: &Bench) {
    let mut answers: Vec<_> =
        bench.moments().into_iter().filter(|moment| is_response(moment) || is_body(moment)).collect();
    answers.sort_by_key(|moment| moment.client);
    let mut answers = answers.into_iter();
    bench.retell_all(|moment| {
        if (is_response(moment) || is_body(moment))
            && let Some(answer) = answers.next()
        {
            *moment = answer;
        }
    });
}

async fn todo_2_a_closed_market(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    let published = market.publish(3).await;
    market.serve();
    bench.note("the market is closed");
    market.feed.close();
    let closed = "The market is closed, which is no news";
    market.silence(&market.target_now(), "2.closed", closed, async {}).await?;
    // What is in the log is there all the same.
    let found = market.newer(&market.target(1)).await?;
    expect_updates(&found, &published[1..])?;
    bench.wait_ms(100).await;

    bench.note("it opens");
    market.feed.reopen();
    let closing = async {
        bench.wait_s(bench.pick(&[10, 1, 20])).await;
        bench.note("it closes while the request waits");
        market.feed.close();
    };
    let closed = "The market closed while the request waited, which is no news";
    let target = market.target_now();
    market.silence(&target, "2.closed", closed, closing).await?;

    bench.note("it opens");
    market.feed.reopen();
    let closing = async {
        bench.wait_s(5).await;
        let filled = market.fill().await;
        market.feed.close();
        filled
    };
    let (answer, asked, (filled, last)) = market.held(bench.get(&target), closing).await?;
    market.expect_held(&answer, asked, filled, "2.held")?;
    let found = market.updates_of(answer, filled).await?;
    expect_updates(&found, &last)
}

async fn todo_2_what_was_seen(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let market = Market::slow(&bench, 100, 40).await;
    market.publish(3).await;
    market.serve();
    bench.note("the visitor has seen the next order already");
    let filling = async {
        // The request arrives after 5 ms, and the log is looked at after 25 ms.
        bench.wait_ms(15).await;
        market.publish(1).await;
        bench.wait_s(6).await;
        market.fill().await
    };
    let (answer, _, (filled, published)) = market.held(bench.get(&market.target(4)), filling).await?;
    // When the request came the number was past the log's end.
    if answer.status == 409 {
        rounds.end(NO_NEWS);
        return Ok(());
    }
    if world::last_at(&bench, is_response).is_some_and(|came| came < filled) {
        return Err(Failure::of(
            "2.seen",
            format!(
                "The client has seen everything up to {}. Then that update was published, and the answer ({}) came at once: what the subscription brings need not be newer than the cursor.",
                market.before + 4,
                answer.status.as_u16()
            ),
        ));
    }
    let found = market.updates_of(answer, filled).await?;
    expect_updates(&found, &published)?;
    rounds.end(NO_NEWS);
    Ok(())
}

/// What is told where all went well.
const NO_NEWS: &str = "what the visitor had seen was no news";

async fn todo_2_a_burst(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let keeps = bench.pick(&[4, 1, 7]);
    let market = Market::open(&bench, keeps).await;
    market.publish(3).await;
    market.serve();
    for count in [2, keeps - 1, keeps, keeps + 1, 2 * keeps, 9 * keeps + 1] {
        if count == 0 {
            continue;
        }
        rounds.begin();
        let target = market.target_now();
        let bursting = async {
            bench.wait_s(3).await;
            bench.note(&format!("{count} orders are filled in one moment"));
            (bench.now(), market.publish(count).await)
        };
        let (answer, asked, (filled, published)) = market.held(bench.get(&target), bursting).await?;
        market.expect_held(&answer, asked, filled, "2.held")?;
        let waited = world::last_at(&bench, is_response).unwrap_or(asked).since(filled);
        let status = answer.status.as_u16();
        let fits = count <= keeps;
        if waited > AT_ONCE {
            return Err(Failure::of(
                if fits { "2.news" } else { "2.burst" },
                format!(
                    "{count} updates were published in one moment, in a log that keeps {keeps}, and the request that waited for them was answered {waited} ms later ({status}). A subscription that falls behind further than the log goes back is ended: `recv` gives `None`, though the market is open."
                ),
            ));
        }
        if status == 200 {
            let found = market.read(answer).await?;
            if !fits && found.first().is_some_and(|first| first.seq != published[0].seq) {
                return Err(Failure::of(
                    "2.burst",
                    format!(
                        "The client had seen everything before {}, and the answer begins with {}: it is not told that updates are missing. Either what follows the cursor without a gap, or 410.",
                        published[0].seq, found[0].seq
                    ),
                ));
            }
            expect_first_of(&found, &published)?;
        } else if fits || status != 410 {
            return Err(Failure::of(
                if fits { "2.news" } else { "2.burst" },
                format!(
                    "{count} updates were published in one moment, in a log that keeps {keeps}, and the request that waited for them is answered with {status}."
                ),
            ));
        }
        bench.wait_ms(100).await;
    }
    rounds.end("however many were published in one moment, the request that waited was answered at once");
    Ok(())
}
