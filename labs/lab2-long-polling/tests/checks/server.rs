//! TODO 1 to 4: the server, asked by our own client.

use std::time::Duration;

use feed::{Feed, Update};
use grader::{
    Answer, Ask, Bench, Check, Failure, Mark, scene,
    wire::{Moment, What, When, transcript::Data},
};
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";
/// What "at once" is, in milliseconds.
const AT_ONCE: u64 = 1_000;
/// How long a request is held, in milliseconds.
const HELD: (u64, u64) = (25_000, 30_000);
/// What the way there and back may add to it.
const UNDER_WAY: u64 = 200;
/// How long a check waits for an answer that is held.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_answers_what_is_newer_at_once",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab2, and in another terminal: curl -i 'http://127.0.0.1:3002/updates?after=2'",
    scenes: &[
        scene!(todo_1_first_visit, "Four orders were filled before anybody asked."),
        scene!(todo_1_between_two_polls, "Three orders are filled between two polls. How many arrive?"),
    ],
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_holds_until_there_is_news",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "time curl -i 'http://127.0.0.1:3002/updates?after=N' with the newest number you know: it waits for the next.",
    scenes: &[
        scene!(todo_2_news_while_waiting, "A visitor waits. Twelve seconds later an order is filled."),
        scene!(todo_2_silence, "Nothing happens for a minute."),
        scene!(todo_2_everyone_who_waits, "Three visitors wait for the same order."),
    ],
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_loses_nothing_between_looking_and_waiting",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "put `tokio::time::sleep(Duration::from_millis(500)).await` between your two lines, and fill an order in it.",
    scenes: &[
        scene!(
            todo_3_published_after_the_look,
            "Reading the log takes 40 ms. An order is filled just after the log was looked at."
        ),
        scene!(
            todo_3_published_before_the_look,
            "The same, but the order is filled just before the log is looked at."
        ),
        scene!(
            todo_3_a_busy_second,
            "Forty orders are filled in a second, and a visitor polls all the time."
        ),
    ],
};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_says_what_was_missed_and_leaves_nothing_behind",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "curl -i 'http://127.0.0.1:3002/updates?after=1&epoch=yesterday'",
    scenes: &[
        scene!(todo_4_gone, "The log keeps three updates. A visitor was away for five."),
        scene!(todo_4_another_log, "The server was restarted: its log has another name and starts at 1."),
        scene!(todo_4_visitors_go, "Two visitors wait. One goes; the line of the other is cut."),
    ],
};

async fn todo_1_first_visit(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    let published = publish(&bench, &feed, 4).await;
    bench.serve(lab2::app(feed.clone()));
    let found = newer(&bench, &feed, "/updates?after=0").await?;
    expect_updates(&found, &published)?;
    bench.wait_ms(500).await;
    // A client that knows the log by name.
    let found = newer(&bench, &feed, &format!("/updates?after=3&epoch={}", feed.epoch())).await?;
    expect_updates(&found, &published[3..])
}

async fn todo_1_between_two_polls(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    let mut published = publish(&bench, &feed, 2).await;
    bench.serve(lab2::app(feed.clone()));
    let found = newer(&bench, &feed, "/updates?after=0").await?;
    expect_updates(&found, &published)?;
    for _ in 0..3 {
        bench.wait_ms(100).await;
        published.extend(publish(&bench, &feed, 1).await);
    }
    bench.note("three orders were filled meanwhile");
    bench.wait_ms(100).await;
    let found = newer(&bench, &feed, &format!("/updates?after=2&epoch={}", feed.epoch())).await?;
    expect_updates(&found, &published[2..])
}

async fn todo_2_news_while_waiting(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    publish(&bench, &feed, 3).await;
    bench.serve(lab2::app(feed.clone()));
    for (seq, seconds) in [(3, 12), (4, 5)] {
        let target = format!("/updates?after={seq}&epoch={}", feed.epoch());
        let waiting = bench.get(&target).send_within(PATIENCE);
        let filling = async {
            bench.wait_s(seconds).await;
            fill(&bench, &feed).await
        };
        let asked = bench.now();
        let (answer, (filled, published)) = together(waiting, filling).await?;
        expect_held(&bench, &answer, asked, filled)?;
        let found = updates_of(&bench, &feed, answer, filled).await?;
        expect_updates(&found, &published)?;
        bench.wait_ms(100).await;
    }
    Ok(())
}

async fn todo_2_silence(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    publish(&bench, &feed, 3).await;
    bench.serve(lab2::app(feed.clone()));
    for _ in 0..2 {
        let asked = bench.now();
        let ask = bench.get(&format!("/updates?after=3&epoch={}", feed.epoch())).send_within(PATIENCE);
        let answer = tokio::time::timeout(Duration::from_secs(35), ask).await.unwrap_or_else(|_| {
            Err(Failure::broken(
                "Nothing happened, and after 35 s the request is still held; the contract says 204 after 25 to 30 s. What stands in between closes a line that says nothing for a minute, and the client takes that for a failure.",
            ))
        })?;
        expect_held(&bench, &answer, asked, bench.now())?;
        let answer = answer.with_status(204)?;
        let waited = bench.now().since(asked);
        if waited < HELD.0 || waited > HELD.1 + UNDER_WAY {
            return Err(Failure::broken(format!(
                "Nothing happened, and the answer came after {waited} ms; the contract says 25 to 30 s. Sooner is a client that asks for nothing all the time; later is a proxy that closes the line first."
            )));
        }
        expect_no_body(answer).await?;
        bench.leave_open(asked, HELD, is_response);
        bench.wait_ms(100).await;
    }
    Ok(())
}

async fn todo_2_everyone_who_waits(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    let known = publish(&bench, &feed, 3).await;
    bench.serve(lab2::app(feed.clone()));
    let epoch = feed.epoch();
    let target = format!("/updates?after=3&epoch={epoch}");
    let ask = |client| bench.ask_of(client, "GET", &target).send_within(PATIENCE);
    let (b, c, d) = (ask('B'), ask('C'), ask('D'));
    let waiting = async { tokio::try_join!(b, c, d) };
    let filling = async {
        bench.wait_s(1).await;
        // Who has missed one need not wait with the others.
        let target = format!("/updates?after=2&epoch={epoch}");
        let found = newer_for(&bench, &feed, bench.ask_of('A', "GET", &target), &target).await;
        bench.wait_s(2).await;
        (found, fill(&bench, &feed).await)
    };
    let (waiting, (found, (filled, published))) = tokio::join!(waiting, filling);
    expect_updates(&found?, &known[2..])?;
    let (b, c, d) = waiting?;
    let waited = bench.now().since(filled);
    if waited > AT_ONCE {
        return Err(Failure::broken(format!(
            "An order was filled while three visitors waited for it, and the last of them heard of it {waited} ms later; the contract says within 1 s, for everyone who waits."
        )));
    }
    for answer in [b, c, d] {
        expect_updates(&read(&bench, &feed, answer).await?, &published)?;
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

async fn todo_3_published_after_the_look(bench: Bench) -> Result<(), Failure> {
    // 5 ms to the server, then 40 ms: the log is looked at at 25 ms, and the handler knows at 45 ms.
    published_while_looking(&bench, 35).await
}

async fn todo_3_published_before_the_look(bench: Bench) -> Result<(), Failure> {
    published_while_looking(&bench, 15).await
}

async fn published_while_looking(bench: &Bench, after: u64) -> Result<(), Failure> {
    let feed = Feed::named(&name(bench), 100).with_read_delay(Duration::from_millis(40));
    publish(bench, &feed, 3).await;
    bench.serve(lab2::app(feed.clone()));
    let target = format!("/updates?after=3&epoch={}", feed.epoch());
    let filling = async {
        bench.wait_ms(after).await;
        fill(bench, &feed).await
    };
    let asked = bench.now();
    let (answer, (filled, published)) = together(bench.get(&target).send_within(PATIENCE), filling).await?;
    let waited = bench.now().since(asked);
    if waited > AT_ONCE {
        return Err(Failure::broken(format!(
            "An order was filled {after} ms after the request, while the server was busy with its log, and {} {waited} ms after it: the request slept over the order. Whoever looks first and then listens does not hear what happens in between.",
            if answer.status == 204 { "the answer is 204," } else { "the answer came" }
        )));
    }
    let found = updates_of(bench, &feed, answer, filled).await?;
    expect_updates(&found, &published)?;
    bench.wait_ms(100).await;
    // What was told is not told again: the next request waits for the next order.
    let target = format!("/updates?after=4&epoch={}", feed.epoch());
    let filling = async {
        bench.wait_s(2).await;
        fill(bench, &feed).await
    };
    let asked = bench.now();
    let (answer, (filled, published)) = together(bench.get(&target).send_within(PATIENCE), filling).await?;
    expect_held(bench, &answer, asked, filled)?;
    let found = updates_of(bench, &feed, answer, filled).await?;
    expect_updates(&found, &published)
}

async fn todo_3_a_busy_second(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::named(&name(&bench), 100).with_read_delay(Duration::from_millis(40));
    bench.serve(lab2::app(feed.clone()));
    let began = bench.now();
    let filling = async {
        let mut published = Vec::new();
        for _ in 0..40 {
            bench.wait_ms(5 + bench.draw(41)).await;
            published.extend(publish(&bench, &feed, 1).await);
        }
        published
    };
    let polling = async {
        let mut found: Vec<Update> = Vec::new();
        while found.len() < 40 {
            let seen = found.last().map_or(0, |update| update.seq);
            let asked = bench.now();
            let answer = bench
                .get(&format!("/updates?after={seen}&epoch={}", feed.epoch()))
                .send_within(PATIENCE)
                .await?;
            if bench.now().since(asked) > AT_ONCE {
                return Err(Failure::broken(format!(
                    "Orders were being filled all the time, and the request for what comes after {seen} was held for {} ms: it slept over what happened between looking and waiting.",
                    bench.now().since(asked)
                )));
            }
            let news = read(&bench, &feed, answer).await?;
            let at = found.len();
            found.extend(news);
            let expected: Vec<u64> = (seen + 1..=seen + (found.len() - at) as u64).collect();
            let got: Vec<u64> = found[at..].iter().map(|update| update.seq).collect();
            if got != expected {
                return Err(wrong_numbers(&got, &expected));
            }
        }
        Ok(found)
    };
    let (found, published) = tokio::join!(polling, filling);
    expect_updates(&found?, &published)?;
    bench.wait_ms(5_000 - bench.now().since(began)).await;
    // How many polls it takes, and when they come, depends on how log and subscription are joined.
    bench.leave_out(|moment| !matches!(moment.what, What::Note(_)));
    bench.note("all forty have arrived, each once, in order");
    Ok(())
}

async fn todo_4_gone(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 3);
    let mut published = publish(&bench, &feed, 5).await;
    bench.serve(lab2::app(feed.clone()));
    let now = refused(&bench, &feed, &format!("/updates?after=1&epoch={}", feed.epoch()), 410).await?;
    published.extend(publish(&bench, &feed, 1).await);
    let target = format!("/updates?after={now}&epoch={}", feed.epoch());
    let found = newer(&bench, &feed, &target).await?;
    expect_updates(&found, &published[5..])?;
    bench.wait_ms(100).await;
    // The oldest that is kept is 4: whoever has seen 3 has missed nothing.
    let found = newer(&bench, &feed, &format!("/updates?after=3&epoch={}", feed.epoch())).await?;
    expect_updates(&found, &published[3..])?;
    bench.wait_ms(100).await;
    refused(&bench, &feed, "/updates?after=2", 410).await?;
    Ok(())
}

async fn todo_4_another_log(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    let mut published = publish(&bench, &feed, 6).await;
    bench.serve(lab2::app(feed.clone()));
    // A position that looks as if it were of this log.
    let now = refused(&bench, &feed, &format!("/updates?after=4&epoch={}-before", feed.epoch()), 409).await?;
    published.extend(publish(&bench, &feed, 1).await);
    let target = format!("/updates?after={now}&epoch={}", feed.epoch());
    let found = newer(&bench, &feed, &target).await?;
    expect_updates(&found, &published[6..])?;
    bench.wait_ms(100).await;
    // A number that this log has not reached can only come from another.
    refused(&bench, &feed, "/updates?after=10", 409).await?;
    Ok(())
}

async fn todo_4_visitors_go(bench: Bench) -> Result<(), Failure> {
    let feed = new_feed(&bench, 100);
    publish(&bench, &feed, 3).await;
    bench.serve(lab2::app(feed.clone()));
    // A server may have listeners of its own, from the start or from the first request on.
    newer(&bench, &feed, "/updates?after=2").await?;
    bench.wait_s(1).await;
    let before = feed.subscribers();
    let target = format!("/updates?after=3&epoch={}", feed.epoch());
    let ask = |client| bench.ask_of(client, "GET", &target).send_within(PATIENCE);
    let early = |what: &str| {
        Failure::broken(format!(
            "Nothing was published, and {what} was answered within seconds: it should wait."
        ))
    };

    bench.note("one goes after 3 s");
    if let Ok(answer) = tokio::time::timeout(Duration::from_secs(3), ask('A')).await {
        drop(answer?);
        return Err(early("client A"));
    }
    let gone = Failure::broken(
        "A client that waited has gone, and a second later its subscription is still there: left behind, it waits for an order that nobody will be told of. What runs in a task of its own does not end with the request.",
    );
    bench.wait_s(1).await;
    if feed.subscribers() > before {
        return Err(gone);
    }

    bench.note("one's line is cut");
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
    if feed.subscribers() > before {
        return Err(gone);
    }
    Ok(())
}

/// Asks for what must be in the log already.
async fn newer(bench: &Bench, feed: &Feed, target: &str) -> Result<Vec<Update>, Failure> {
    newer_for(bench, feed, bench.get(target), target).await
}

async fn newer_for(bench: &Bench, feed: &Feed, ask: Ask, target: &str) -> Result<Vec<Update>, Failure> {
    let asked = bench.now();
    let answer = ask.send_within(PATIENCE).await?;
    let waited = bench.now().since(asked);
    if waited > AT_ONCE {
        return Err(Failure::broken(format!(
            "GET {target} was held for {waited} ms, though what it asks for was in the log already: it should be answered at once."
        )));
    }
    updates_of(bench, feed, answer, asked).await
}

/// The updates of an answer that was due since `since`, told as if it had come at once.
async fn updates_of(bench: &Bench, feed: &Feed, answer: Answer, since: Mark) -> Result<Vec<Update>, Failure> {
    let came = bench.last_moment(is_response).unwrap_or(since);
    let waited = came.since(since);
    if waited > AT_ONCE {
        return Err(Failure::broken(format!(
            "An order was filled while the request was held, and the answer came {waited} ms later; the contract says within 1 s. Who waits should be woken, not look now and then."
        )));
    }
    let updates = read(bench, feed, answer).await?;
    tell_at(bench, since, 10, is_response);
    tell_at(bench, came, 0, is_body);
    Ok(updates)
}

/// Tells the last such moment at `ms` after `since`, and what follows as if it had been then.
fn tell_at(bench: &Bench, since: Mark, ms: u64, which: fn(&Moment) -> bool) {
    bench.leave_open(since, (ms, ms), which);
    bench.retell(which, |moment| {
        if let When::Within(at, _) = moment.when {
            moment.when = When::At(at);
        }
    });
}

/// Reads an answer of status 200.
async fn read(bench: &Bench, feed: &Feed, answer: Answer) -> Result<Vec<Update>, Failure> {
    let answer = answer.with_status(200)?;
    let media_type = answer.media_type();
    if media_type != "application/json" {
        return Err(Failure::broken(format!(
            "The answer's content type is `{media_type}`; the contract says `application/json`."
        )));
    }
    let body = answer.json().await?;
    let shape = || {
        Failure::broken(format!(
            "The answer should be `{{ \"epoch\": …, \"updates\": [{{ \"seq\": …, \"data\": … }}, …] }}`; it is {}.",
            body.to_string().chars().take(120).collect::<String>()
        ))
    };
    if body["epoch"] != feed.epoch() {
        return Err(Failure::broken(format!(
            "The answer's `epoch` should be \"{}\", the log's name; it is {}. Without it a client cannot tell this log from the next one, whose numbers start again.",
            feed.epoch(),
            body.get("epoch").map_or("missing".to_owned(), Value::to_string)
        )));
    }
    let updates = body["updates"].as_array().ok_or_else(shape)?;
    let updates: Vec<Update> = updates
        .iter()
        .map(|update| serde_json::from_value(update.clone()))
        .collect::<Result<_, _>>()
        .map_err(|_| shape())?;
    if updates.is_empty() {
        return Err(Failure::broken(
            "The answer has no updates in it: a client that gets one asks again at once, and so on. With nothing to tell the request should wait.",
        ));
    }
    let told = Data::of_text(&json!({ "epoch": feed.epoch(), "updates": updates }).to_string());
    // Client by client: several may have been told the same.
    bench.retell_all(|moment| {
        if matches!(&moment.what, What::Body(Data::Json(_))) && same_updates(&moment.what, &updates) {
            moment.what = What::Body(told.clone());
        }
    });
    Ok(updates)
}

/// Whether a body that was told has just these updates in it.
fn same_updates(what: &What, updates: &[Update]) -> bool {
    let What::Body(data) = what else { return false };
    let Ok(body) = serde_json::from_str::<Value>(&data.to_string()) else { return false };
    serde_json::from_value::<Vec<Update>>(body["updates"].clone()).is_ok_and(|told| told == updates)
}

/// These updates and no others, in this order.
fn expect_updates(found: &[Update], expected: &[Update]) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    let numbers = |updates: &[Update]| updates.iter().map(|update| update.seq).collect::<Vec<_>>();
    let (found_numbers, expected_numbers) = (numbers(found), numbers(expected));
    if found_numbers == expected_numbers {
        return Err(Failure::broken(
            "The updates have the right numbers and other data: `data` is what was published, as it is.",
        ));
    }
    Err(wrong_numbers(&found_numbers, &expected_numbers))
}

fn wrong_numbers(found: &[u64], expected: &[u64]) -> Failure {
    let mut in_order = found.to_vec();
    in_order.sort_unstable();
    let twice = in_order.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    Failure::broken(if let Some(seq) = twice {
        format!(
            "Update {seq} comes twice in one answer ({found:?}): what is published while the log is being read may be in the log and in the subscription."
        )
    } else if let Some(old) = found.iter().find(|seq| **seq < expected[0]) {
        format!(
            "Update {old} comes again: the client asked for what is newer than {}, and the answer has {found:?}.",
            expected[0] - 1
        )
    } else if in_order == expected {
        format!("The answer has the updates in the order {found:?}; the contract says oldest first.")
    } else if let Some(lost) = expected.iter().find(|seq| !found.contains(seq)) {
        format!(
            "Update {lost} did not come: the answer has {found:?}, and {expected:?} were newer than the cursor. A client that goes on from {} never hears of it.",
            found.last().copied().unwrap_or_default()
        )
    } else {
        format!("The answer has {found:?}; newer than the cursor are {expected:?}.")
    })
}

/// Nothing was newer until `filled`: the answer must not have come before.
fn expect_held(bench: &Bench, answer: &Answer, asked: Mark, filled: Mark) -> Result<(), Failure> {
    let came = bench.last_moment(is_response).unwrap_or(asked);
    let waited = came.since(asked);
    // With a 204 it is for the caller to say when.
    if came < filled || (answer.status == 200 && waited < 1_000) {
        return Err(Failure::broken(format!(
            "Nothing was newer, and the answer ({}) came after {waited} ms: a client that is told nothing asks again at once, and so on. The request should wait, for an update or for 25 to 30 s.",
            answer.status.as_u16()
        )));
    }
    Ok(())
}

async fn expect_no_body(answer: Answer) -> Result<(), Failure> {
    if answer.text().await?.is_empty() {
        return Ok(());
    }
    Err(Failure::broken("A 204 has no body."))
}

/// A problem with the position where the log stands: its number.
async fn refused(bench: &Bench, feed: &Feed, target: &str, status: u16) -> Result<u64, Failure> {
    let asked = bench.now();
    let held = || {
        Failure::broken(format!(
            "GET {target} is held, as if its position were right and there were just no news yet; the contract says {status}, at once."
        ))
    };
    let answer = tokio::time::timeout(Duration::from_secs(4), bench.get(target).send());
    let answer = answer.await.map_err(|_| held())??;
    if answer.status == 204 {
        return Err(held());
    }
    if answer.status == 200 {
        return Err(Failure::broken(format!(
            "GET {target} is answered with 200, as if nothing were amiss; the contract says {status}. {}",
            if status == 410 {
                "The log no longer goes back that far: the client has missed updates, and is not told."
            } else {
                "This position is of another log: the same number means something else there."
            }
        )));
    }
    let answer = answer.with_status(status)?;
    let media_type = answer.media_type();
    if media_type != "application/problem+json" {
        return Err(Failure::broken(format!(
            "The {status} is `{media_type}`; the contract says `application/problem+json`, so that a client can read where to go on."
        )));
    }
    let body = answer.json().await?;
    if body["epoch"] != feed.epoch() || body["seq"] != feed.head() {
        return Err(Failure::broken(format!(
            "The {status} should name the position where the log stands now, `epoch` \"{}\" and `seq` {}; it says {} and {}. Where should the client go on?",
            feed.epoch(),
            feed.head(),
            body["epoch"],
            body["seq"]
        )));
    }
    bench.retell(is_body, |moment| {
        moment.what =
            What::Body(Data::of_text(&json!({ "epoch": feed.epoch(), "seq": feed.head() }).to_string()));
    });
    let came = bench.last_moment(is_response).unwrap_or(asked);
    tell_at(bench, asked, 10, is_response);
    tell_at(bench, came, 0, is_body);
    bench.wait_ms(100).await;
    Ok(feed.head())
}

/// An answer, and what happens while it is awaited.
async fn together<A, B>(
    waiting: impl Future<Output = Result<A, Failure>>,
    meanwhile: impl Future<Output = B>,
) -> Result<(A, B), Failure> {
    let (answer, meanwhile) = tokio::join!(waiting, meanwhile);
    Ok((answer?, meanwhile))
}

/// Moments of one millisecond, client by client.
fn leave_who_is_first_open(bench: &Bench) {
    let mut answers: Vec<Moment> =
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

fn is_response(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. })
}

fn is_body(moment: &Moment) -> bool {
    matches!(moment.what, What::Body(_))
}

/// A log with a name that nobody can know beforehand.
fn new_feed(bench: &Bench, capacity: usize) -> Feed {
    Feed::named(&name(bench), capacity)
}

fn name(bench: &Bench) -> String {
    let day = ["monday", "tuesday", "wednesday", "thursday", "friday"][bench.draw(5) as usize];
    format!("{day}-{}", 1 + bench.draw(9))
}

/// An order is filled, with everyone looking: when, and which.
async fn fill(bench: &Bench, feed: &Feed) -> (Mark, Vec<Update>) {
    bench.note("an order is filled");
    (bench.now(), publish(bench, feed, 1).await)
}

async fn publish(bench: &Bench, feed: &Feed, count: usize) -> Vec<Update> {
    let mut updates = Vec::new();
    for _ in 0..count {
        let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
        let fill = json!({ "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) });
        updates.push(feed.publish(fill).await);
    }
    updates
}
