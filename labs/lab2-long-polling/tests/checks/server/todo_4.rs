//! TODO 4: say what was missed, leave nothing behind.

use std::time::Duration;

use grader::{Bench, Check, Failure, scene, wire::What, wire::transcript::Data};
use serde_json::json;

use super::{AT_ONCE, FILE, Market, PATIENCE, Rounds, expect_updates, is_body, is_response, tell_at, world};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_says_what_was_missed_and_leaves_nothing_behind",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "cargo run -p lab2, and in another terminal: curl -i 'http://127.0.0.1:3002/updates?after=1&epoch=yesterday'. For what is left behind, print `feed.subscribers()` at the beginning of `answer`, and stop a curl that waits with Ctrl-C, again and again.",
    scenes: &[
        scene!(
            todo_4_gone,
            ["4.gone", "4.boundary", "4.problem", "4.position"],
            "The log keeps three updates. A visitor was away for five."
        ),
        scene!(
            todo_4_another_log,
            ["4.other-log", "4.past-the-end", "4.problem", "4.position"],
            "The server was restarted: its log has another name and starts at 1."
        ),
        scene!(
            todo_4_visitors_go,
            ["4.nothing-left"],
            "Two visitors wait. One goes; the connection of the other is cut."
        ),
        scene!(
            todo_4_nothing_is_left,
            ["4.nothing-left"],
            "Visitors come and go: after some milliseconds or seconds, with an answer or without."
        ),
    ],
};

async fn todo_4_gone(bench: Bench) -> Result<(), Failure> {
    let keeps = bench.pick(&[3, 1, 7, 64]);
    let market = Market::empty(&bench, keeps as usize, 0, 0);
    let mut published = market.publish(keeps as usize + 2).await;
    market.serve();
    refused(&market, &market.target(1), 410).await?;
    let now = published.len() as u64;
    published.extend(market.publish(1).await);
    let found = market.newer(&market.target(now)).await?;
    expect_updates(&found, &published[now as usize..])?;
    bench.wait_ms(100).await;
    // The oldest that is kept is the fourth: a client that has seen the third has missed nothing.
    let asked = bench.now();
    let answer = bench.get(&market.target(3)).send_within(PATIENCE).await?;
    if answer.status != 200 {
        return Err(Failure::of(
            "4.boundary",
            format!(
                "The oldest update that the log keeps is {}, and a client that has seen everything up to {} is answered with {}: it has missed nothing. 200, with all that is newer.",
                market.before + 4,
                market.before + 3,
                answer.status
            ),
        ));
    }
    let found = market.updates_of(answer, asked).await?;
    expect_updates(&found, &published[3..])?;
    bench.wait_ms(100).await;
    refused(&market, &market.bare_target(2), 410).await
}

async fn todo_4_another_log(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    let mut published = market.publish(6).await;
    market.serve();
    // A position that looks as if it were of this log.
    let name = market.feed.epoch().to_owned();
    let others = [format!("{name}-before"), String::new(), format!("{name} "), name.to_uppercase()];
    let others = others.iter().map(|other| world::encoded(other)).take(if bench.is_plain() { 1 } else { 4 });
    for other in others {
        refused(&market, &format!("{}&epoch={other}", market.bare_target(4)), 409).await?;
        if !bench.is_plain() {
            // Old, and past the end: that it is of another log counts.
            refused(&market, &format!("/updates?after=0&epoch={other}"), 409).await?;
            refused(&market, &format!("{}&epoch={other}", market.bare_target(90)), 409).await?;
        }
    }
    published.extend(market.publish(1).await);
    let found = market.newer(&market.target(6)).await?;
    expect_updates(&found, &published[6..])?;
    bench.wait_ms(100).await;
    // A number that this log has not reached can only come from another.
    refused(&market, &market.bare_target(10), 409).await?;
    if !bench.is_plain() {
        for past in [8, 1_000_000] {
            refused(&market, &market.target(past), 409).await?;
            refused(&market, &market.bare_target(past), 409).await?;
        }
    }
    Ok(())
}

/// A problem with the position where the log stands.
async fn refused(market: &Market, target: &str, status: u16) -> Result<(), Failure> {
    let (bench, feed) = (&market.bench, &market.feed);
    let of = |words: String| {
        let clause = match status {
            410 => "4.gone",
            _ if target.contains("epoch=") && !target.ends_with(&world::encoded(feed.epoch())) => {
                "4.other-log"
            }
            _ => "4.past-the-end",
        };
        Failure::of(clause, words)
    };
    let held = || {
        of(format!(
            "GET {target} is held, as if its position were right and there were just no news yet; the contract says {status}, at once."
        ))
    };
    let asked = bench.now();
    let answer = tokio::time::timeout(Duration::from_secs(4), bench.get(target).send());
    let answer = answer.await.map_err(|_| held())??;
    if answer.status == 204 || bench.now().since(asked) > AT_ONCE {
        return Err(held());
    }
    if answer.status == 200 {
        return Err(of(format!(
            "GET {target} is answered with 200, as if nothing were amiss; the contract says {status}. {}",
            if status == 410 {
                "The log no longer goes back that far: the client has missed updates, and is not told."
            } else {
                "This position is of another log: the same number means something else there."
            }
        )));
    }
    if answer.status != status {
        return Err(of(format!(
            "GET {target} is answered with {}; the contract says {status}. {}",
            answer.status,
            if status == 410 {
                "The position is of this log, which no longer goes back that far."
            } else {
                "The position is not of this log: its name is another, or its number lies past the end."
            }
        )));
    }
    let media_type = answer.media_type();
    if media_type != "application/problem+json" {
        return Err(Failure::of(
            "4.problem",
            format!(
                "The {status} is `{media_type}`; the contract says `application/problem+json`, so that a client can read where to go on."
            ),
        ));
    }
    let body = answer.json().await.map_err(|failure| failure.or_of("4.problem"))?;
    if body["epoch"] != feed.epoch() || body["seq"] != feed.head() {
        let says = |member: &str| {
            body.get(member)
                .map_or(format!("it has no `{member}`"), |value| format!("its `{member}` is {value}"))
        };
        return Err(Failure::of(
            "4.position",
            format!(
                "The {status} should name the position where the log stands now, `epoch` \"{}\" and `seq` {}; {}, and {}. Where should the client go on?",
                feed.epoch(),
                feed.head(),
                says("epoch"),
                says("seq")
            ),
        ));
    }
    bench.retell(is_body, |moment| {
        moment.what =
            What::Body(Data::of_text(&json!({ "epoch": feed.epoch(), "seq": feed.head() }).to_string()));
    });
    let came = world::last_at(bench, is_response).unwrap_or(asked);
    tell_at(bench, asked, 10, is_response);
    tell_at(bench, came, 0, is_body);
    bench.wait_ms(100).await;
    Ok(())
}

async fn todo_4_visitors_go(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench, 100).await;
    market.publish(3).await;
    market.serve();
    // A server may have listeners of its own, from the start or from the first request on.
    market.newer(&market.bare_target(2)).await?;
    bench.wait_s(1).await;
    let before = market.feed.subscribers();
    let target = market.target_now();
    let ask = |client| bench.ask_of(client, "GET", &target).send_within(PATIENCE);
    let early = |what: &str| {
        Failure::of(
            "2.held",
            format!("Nothing was published, and {what} was answered within seconds: it should wait."),
        )
    };

    bench.note("one goes after 3 s");
    if let Ok(answer) = tokio::time::timeout(Duration::from_secs(3), ask('A')).await {
        drop(answer?);
        return Err(early("client A"));
    }
    bench.wait_s(1).await;
    expect_nothing_left(&market, before, "A client that waited has gone")?;

    bench.note("the connection of the other is cut");
    let cutting = async {
        bench.wait_s(2).await;
        bench.cut_of('B').await;
    };
    let (answer, ()) = tokio::join!(ask('B'), cutting);
    if let Ok(answer) = answer {
        drop(answer);
        return Err(early("client B"));
    }
    bench.wait_s(1).await;
    expect_nothing_left(&market, before, "The connection of a client that waited was cut")
}

async fn todo_4_nothing_is_left(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let market = Market::slow(&bench, 3, bench.pick(&[40, 0, 120])).await;
    market.publish(5).await;
    market.serve();
    market.newer(&market.target(4)).await?;
    bench.wait_s(1).await;
    let before = market.feed.subscribers();
    let near = (1..30).map(|step| 5 * step);
    for after in near.chain([400, 3_000, 24_000]) {
        rounds.begin();
        let ask = bench.get(&market.target_now()).send_within(PATIENCE);
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(after), ask).await {
            drop(answer?);
            return Err(Failure::of(
                "2.held",
                "Nothing was published, and a request that should wait was answered.",
            ));
        }
        bench.wait_s(1).await;
        expect_nothing_left(&market, before, &format!("A client has gone {after} ms after it had asked"))?;
    }
    let asks = [
        (market.target(1), "A client was answered with 410"),
        (market.bare_target(90), "A client was answered with 409"),
        (market.target(4), "A client was answered at once"),
        (market.target_now(), "Nothing was published, and a client was answered with 204"),
    ];
    for (target, who) in asks {
        rounds.begin();
        drop(bench.get(&target).send_within(PATIENCE).await?);
        bench.wait_s(1).await;
        expect_nothing_left(&market, before, who)?;
    }
    rounds.begin();
    let filling = async {
        bench.wait_s(2).await;
        market.publish(1).await
    };
    let (answer, ..) = market.held(bench.get(&market.target_now()), filling).await?;
    drop(answer);
    bench.wait_s(1).await;
    expect_nothing_left(&market, before, "A client waited, and was answered with the next update")?;
    rounds.end("no subscription was left, however a request had ended");
    Ok(())
}

fn expect_nothing_left(market: &Market, before: usize, who: &str) -> Result<(), Failure> {
    let now = market.feed.subscribers();
    if now <= before {
        return Ok(());
    }
    Err(Failure::of(
        "4.nothing-left",
        format!(
            "{who}, and a second later its subscription is still there ({now} now, {before} before it): left behind, it waits for an order that nobody will be told of. What runs in a task of its own does not end with the request."
        ),
    ))
}
