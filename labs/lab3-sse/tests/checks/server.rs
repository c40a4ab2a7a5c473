//! TODO 1 to 4: the server, asked by our own client.

use std::time::Duration;

use feed::{Feed, Update};
use grader::{
    Bench, Check, EventStream, Failure, Item, scene,
    wire::{What, When},
};
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";
const STREAM: &str = "/prices/stream";

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_sends_each_update_as_an_event",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab3, and in another terminal: curl -N http://127.0.0.1:3003/prices/stream",
    scenes: &[
        scene!(todo_1_each_update, "A visitor listens. Three prices move."),
        scene!(todo_1_line_breaks, "A price carries a remark that has line breaks in it."),
    ],
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_resumes_without_gap_or_repeat",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "curl -N -H 'last-event-id: 2' http://127.0.0.1:3003/prices/stream: the first event has ID 3.",
    scenes: &[
        scene!(
            todo_2_after_a_cut,
            "The line is cut after two events. Three more are published before the client is back."
        ),
        scene!(todo_2_first_visit, "A page that was loaded with price 2 on it opens its stream after it."),
        scene!(
            todo_2_header_over_address,
            "An old address and a newer Last-Event-ID: the header knows better."
        ),
        scene!(
            todo_2_published_while_reading,
            "Reading the log takes 40 ms. A price moves early in it, another late."
        ),
    ],
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_keeps_a_quiet_line_alive",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "curl -N http://127.0.0.1:3003/prices/stream shows `retry:` first; with the market asleep, a line `:` every 15 s.",
    scenes: &[scene!(todo_3_silence, "Nothing is published for a minute.")],
};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_answers_204_when_the_market_is_closed",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "read what HTML § 9.2 says an EventSource does with 200, 204 and 500: only one of them ends it in peace.",
    scenes: &[
        scene!(todo_4_closed, "The market is closed. A visitor comes, and one comes back."),
        scene!(todo_4_closes, "The market closes while a visitor listens."),
    ],
};

async fn todo_1_each_update(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    let mut ticker = bench.get(STREAM).send().await?.stream()?;
    for _ in 0..3 {
        bench.wait_ms(100).await;
        let update = feed.publish(price(&bench)).await;
        expect(&mut ticker, &update).await?;
    }
    Ok(())
}

async fn todo_1_line_breaks(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    let mut ticker = bench.get(STREAM).send().await?.stream()?;
    bench.wait_ms(100).await;
    let mut data = price(&bench);
    data["remark"] = json!("halted\nuntil 10:00\r\rid: 99\n\nevent: fraud");
    let update = feed.publish(data).await;
    expect(&mut ticker, &update).await?;
    bench.wait_ms(100).await;
    let update = feed.publish(price(&bench)).await;
    expect(&mut ticker, &update).await
}

async fn todo_2_after_a_cut(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    let mut ticker = bench.get(STREAM).send().await?.stream()?;
    for _ in 0..2 {
        bench.wait_ms(100).await;
        let update = feed.publish(price(&bench)).await;
        expect(&mut ticker, &update).await?;
    }
    bench.cut().await;
    let missed = publish(&bench, &feed, 3).await;
    bench.wait_ms(1_000).await;
    let mut ticker = bench.get(STREAM).header("last-event-id", "2").send().await?.stream()?;
    expect_all(&mut ticker, &missed).await?;
    bench.wait_ms(100).await;
    let update = feed.publish(price(&bench)).await;
    expect(&mut ticker, &update).await
}

async fn todo_2_first_visit(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    let published = publish(&bench, &feed, 4).await;
    bench.serve(lab3::app(feed.clone()));
    let mut ticker = bench.get("/prices/stream?after=2").send().await?.stream()?;
    expect_all(&mut ticker, &published[2..]).await?;
    bench.wait_ms(100).await;
    let update = feed.publish(price(&bench)).await;
    expect(&mut ticker, &update).await
}

async fn todo_2_header_over_address(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100);
    let published = publish(&bench, &feed, 5).await;
    bench.serve(lab3::app(feed.clone()));
    let mut ticker =
        bench.get("/prices/stream?after=1").header("last-event-id", "4").send().await?.stream()?;
    expect_all(&mut ticker, &published[4..]).await?;
    bench.wait_ms(100).await;
    let update = feed.publish(price(&bench)).await;
    expect(&mut ticker, &update).await
}

async fn todo_2_published_while_reading(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100).with_read_delay(Duration::from_millis(40));
    let mut expected = publish(&bench, &feed, 3).await;
    bench.serve(lab3::app(feed.clone()));
    let asked = bench.now();
    let ask = bench.get(STREAM).header("last-event-id", "2").send();
    // 5 ms to the server, then 40 ms: the log is looked at at 25 ms, and the handler knows at 45 ms.
    let meanwhile = async {
        bench.wait_ms(15).await;
        let early = feed.publish(price(&bench)).await;
        bench.wait_ms(20).await;
        [early, feed.publish(price(&bench)).await]
    };
    let (answer, in_between) = tokio::join!(ask, meanwhile);
    expected.extend(in_between);
    let mut ticker = answer?.stream()?;
    // The head may be sent before the log is read, or after.
    bench.tell_as_window(asked, (10, 50), |moment| matches!(moment.what, What::Response { .. }));
    expect_all(&mut ticker, &expected[2..]).await?;
    bench.wait_ms(100).await;
    let update = feed.publish(price(&bench)).await;
    expect(&mut ticker, &update).await
}

async fn todo_3_silence(bench: Bench) -> Result<(), Failure> {
    bench.show_comments();
    bench.show_retry();
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    // How often exactly comments come, and whether there are others, is the server's business.
    let (mut began, mut told) = (false, false);
    bench.leave_out(move |moment| match moment.what {
        What::Retry(..) => {
            began = true;
            false
        }
        What::Comment => !began || std::mem::replace(&mut told, true),
        _ => false,
    });
    let mut ticker = bench.get(STREAM).send().await?.stream()?;
    let opened = bench.now();
    let heard = ticker.listen(Duration::from_secs(60)).await;
    let retry = heard.iter().find_map(|item| if let Item::Retry(ms) = item { Some(*ms) } else { None });
    let comments =
        || heard.iter().filter_map(|item| if let Item::Comment(at) = item { Some(*at) } else { None });
    if retry.is_none() && comments().next().is_none() {
        return Err(Failure::NotStarted(3));
    }
    match retry {
        None => {
            return Err(Failure::broken(
                "The stream does not name a reconnection time: there is no `retry` field in it.",
            ));
        }
        Some(ms @ (..1_000 | 10_001..)) => {
            return Err(Failure::broken(format!("`retry` is {ms} ms; the contract says 1000 to 10000 ms.")));
        }
        Some(_) => {}
    }
    bench.retell(
        |moment| matches!(moment.what, What::Retry(..)),
        |moment| moment.what = What::Retry(1_000, 10_000),
    );
    if comments().next().is_none() {
        return Err(Failure::broken(
            "No comment came in a minute of silence: whatever stands in between takes the line for dead. (An event is no comment: it reaches the page.)",
        ));
    }
    let mut before = opened;
    for now in comments().chain([bench.now()]) {
        if now.since(before) > 15_000 {
            return Err(Failure::broken(format!(
                "The line was silent for {} ms; a proxy that waits 15 s would have closed it.",
                now.since(before)
            )));
        }
        before = now;
    }
    if ticker.has_ended() {
        return Err(Failure::broken("The server ended the stream in the silence."));
    }
    let base = bench.told_at(opened);
    bench.retell_all(|moment| {
        if moment.what == What::Comment {
            moment.when = When::Within(base, base + 15_000);
        }
    });
    bench.note("and so on, in every 15 s of silence");
    Ok(())
}

async fn todo_4_closed(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100);
    publish(&bench, &feed, 3).await;
    feed.close();
    bench.serve(lab3::app(feed));
    bench.get(STREAM).send().await?.with_status(204)?;
    bench.wait_ms(100).await;
    bench.get(STREAM).header("last-event-id", "2").send().await?.with_status(204)?;
    bench.wait_ms(100).await;
    Ok(())
}

async fn todo_4_closes(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["last-event-id"]);
    let feed = Feed::memory(100);
    bench.serve(lab3::app(feed.clone()));
    let mut ticker = bench.get(STREAM).send().await?.stream()?;
    bench.wait_ms(100).await;
    let update = feed.publish(price(&bench)).await;
    expect(&mut ticker, &update).await?;
    feed.close();
    ticker.listen(Duration::from_secs(1)).await;
    if !ticker.has_ended() {
        return Err(Failure::broken(
            "The market has closed and the stream goes on: its visitors wait for prices that cannot come.",
        ));
    }
    bench.get(STREAM).header("last-event-id", "1").send().await?.with_status(204)?;
    bench.wait_ms(100).await;
    Ok(())
}

/// A price that nobody can know beforehand.
fn price(bench: &Bench) -> Value {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    json!({ "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) })
}

async fn publish(bench: &Bench, feed: &Feed, count: usize) -> Vec<Update> {
    let mut updates = Vec::new();
    for _ in 0..count {
        updates.push(feed.publish(price(bench)).await);
    }
    updates
}

async fn expect_all(ticker: &mut EventStream, updates: &[Update]) -> Result<(), Failure> {
    for update in updates {
        expect(ticker, update).await?;
    }
    Ok(())
}

/// The next event is this update.
async fn expect(ticker: &mut EventStream, update: &Update) -> Result<(), Failure> {
    let seq = update.seq;
    let event = ticker.event(&format!("Update {seq} was published and did not arrive")).await?;
    if event.name != "price" {
        return Err(Failure::broken(format!(
            "Update {seq} arrives as an event of type `{}`: `addEventListener('price', …)` will not hear it.",
            event.name
        )));
    }
    match &event.id {
        None => {
            return Err(Failure::broken(format!(
                "The event of update {seq} has no `id`: a client that loses the line here cannot say what it saw last."
            )));
        }
        Some(id) if *id != seq.to_string() => {
            let is_this_one =
                serde_json::from_str::<Value>(&event.data).is_ok_and(|data| data == update.data);
            return Err(Failure::broken(match id.parse::<u64>() {
                _ if is_this_one => {
                    format!(
                        "Update {seq} arrives with the ID `{id}`: the ID is the update's own number, on every connection."
                    )
                }
                Ok(id) if id < seq => format!("Update {id} comes again, and {seq} is next."),
                Ok(id) => format!("Update {seq} is lost: the stream goes on with {id}."),
                Err(_) => format!("The ID of update {seq} should be `{seq}`; it is `{id}`."),
            }));
        }
        Some(_) => {}
    }
    match serde_json::from_str::<Value>(&event.data) {
        Ok(data) if data == update.data => Ok(()),
        Ok(data) => {
            Err(Failure::broken(format!("The data of event {seq} should be {}; it is {data}.", update.data)))
        }
        Err(_) => Err(Failure::broken(format!(
            "The data of event {seq} is not JSON, but `{}`.",
            event.data.chars().take(60).collect::<String>()
        ))),
    }
}
