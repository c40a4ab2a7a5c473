//! TODO 8: what was not acknowledged is sent again.

use grader::{
    Bench, Check, Disturbance, Failure, scene, sweep,
    wire::{What, transcript::Data},
};
use serde_json::{Value, json};

use super::client::{FILE, Floor, Told, acknowledge, all_said, expect_say, say, shown, texts};
use super::crowd::Crowd;

pub(crate) const TODO_8: Check = Check {
    name: "todo_8_sends_again_what_was_not_acknowledged",
    todo: Some(8),
    file: FILE,
    section: "todo-8",
    experiment: "in the lab's page, say something while the server is stopped, then start it again.",
    scenes: &[
        scene!(
            todo_8_lost_on_the_way,
            ["8.again", "8.same-id", "8.order", "8.acknowledged"],
            "Of three messages the floor says the first. The connection is cut, and Ann says a fourth."
        ),
        scene!(
            todo_8_only_the_answer_was_lost,
            ["8.same-id", "8.again"],
            "The floor has said it, but the connection was cut before Ann heard of it."
        ),
        scene!(
            todo_8_lost_again_and_again,
            ["8.every-loss", "8.waiting", "8.same-id", "8.order", "8.acknowledged"],
            "What Ann said is lost four times, once for minutes, before the floor has said it."
        ),
        scene!(
            todo_8_many_clients,
            ["8.unique"],
            "Four clients of the same name say fifty things each, at the same time."
        ),
        scene!(
            todo_8_a_hundred_lost,
            ["8.again", "8.order", "8.acknowledged"],
            "Ann says a hundred and twenty things, the floor says twenty of them, and the connection is cut."
        ),
        scene!(
            todo_8_said_by_another,
            ["8.own-id", "8.acknowledged"],
            "The floor says the second of three messages, another in the words of the third, and one that is nobody's."
        ),
        scene!(todo_8_two_clients, ["8.unique"], "Two clients say two things each."),
        sweep!(
            todo_8_at_every_moment,
            ["8.again", "8.same-id", "8.order", "8.acknowledged"],
            [Disturbance::Cut],
            "Ann says three things, and the floor says each."
        ),
    ],
};

async fn todo_8_lost_on_the_way(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    let texts = texts(&bench, 4);
    let mut said = Vec::new();
    for text in &texts[..3] {
        bench.wait_ms(100).await;
        say(&page, text)?;
        said.push(expect_say(&mut socket, text, "5.once").await?);
    }
    acknowledge(&floor, &socket, &said[0]);
    bench.wait_ms(100).await;
    let lost = bench.now();
    bench.cut().await;
    bench.wait_ms(100).await;
    say(&page, &texts[3])?;
    let asked = floor.returns_after(lost, 0).await?;
    let mut socket = floor.again(asked).await?;
    let again = all_said(&mut socket).await?;
    expect_again(&again, &said[1..], &[&texts[3]], &said[..1])?;
    for message in &again {
        acknowledge(&floor, &socket, message);
    }
    bench.wait_ms(100).await;
    bench.note("all of it is acknowledged now");
    let lost = bench.now();
    bench.cut().await;
    let asked = floor.returns_after(lost, 0).await?;
    let mut socket = floor.again(asked).await?;
    nothing_again(&all_said(&mut socket).await?)
}

async fn todo_8_only_the_answer_was_lost(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    bench.wait_ms(100).await;
    let text = texts(&bench, 1).remove(0);
    say(&page, &text)?;
    let said = expect_say(&mut socket, &text, "5.once").await?;
    bench.note("the others have heard it");
    let lost = bench.now();
    bench.cut().await;
    let asked = floor.returns_after(lost, 0).await?;
    let mut socket = floor.again(asked).await?;
    let again = all_said(&mut socket).await?;
    expect_again(&again, std::slice::from_ref(&said), &[], &[])?;
    acknowledge(&floor, &socket, &said);
    acknowledge(&floor, &socket, &said);
    bench.wait_ms(100).await;
    match shown(&bench, "said").len() {
        1 => Ok(()),
        0 => Err(Failure::of("5.shows", "The floor has said Ann's words, and they were not shown to her.")),
        more => Err(Failure::of("7.once", format!("Ann's words were shown to her {more} times."))),
    }
}

async fn todo_8_lost_again_and_again(bench: Bench) -> Result<(), Failure> {
    if bench.seed() > 2 {
        // A third draw shows nothing more.
        return Ok(());
    }
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    let texts = texts(&bench, 4);
    let mut said = Vec::new();
    for text in &texts[..2] {
        say(&page, text)?;
        said.push(expect_say(&mut socket, text, "5.once").await?);
    }
    for round in 0..4 {
        let lost = bench.now();
        let mut new = Vec::new();
        bench.cut().await;
        let mut asked = floor.returns_after(lost, 0).await?;
        if round == 1 {
            bench.note("for some minutes each connection is lost before the floor has said `joined`");
            for failures in 1..8 {
                let mut socket = asked.upgrade().await?;
                floor.expect_join(&mut socket, "6.join").await?;
                let lost = bench.now();
                bench.cut().await;
                if failures == 3 {
                    say(&page, &texts[3])?;
                    new = vec![texts[3].as_str()];
                }
                asked = floor.returns_after(lost, failures).await?;
            }
        }
        socket = floor.again(asked).await?;
        let again = all_said(&mut socket).await?;
        expect_again(&again, &said, &new, &[]).map_err(|failure| match failure.clause() {
            Some("5.waits") => Failure::of(
                "8.waiting",
                "Ann said something while connections came to nothing, one after the other, and it is not sent on the one that lets her in: what waits is hers, and no connection's.",
            ),
            Some("8.again") if round > 0 => Failure::of(
                "8.every-loss",
                format!(
                    "What Ann said was lost for the {} time before the floor had said it, and it was not sent again: it is hers until it is acknowledged.",
                    ["first", "second", "third", "fourth"][round]
                ),
            ),
            _ => failure,
        })?;
        said = again;
        if round == 2 {
            // What is said meanwhile takes its place behind.
            say(&page, &texts[2])?;
            said.push(expect_say(&mut socket, &texts[2], "5.once").await?);
        }
    }
    for message in &said {
        bench.wait_s(20).await;
        acknowledge(&floor, &socket, message);
    }
    bench.wait_ms(100).await;
    bench.note("a minute later all of it is acknowledged");
    let lost = bench.now();
    bench.cut().await;
    let asked = floor.returns_after(lost, 0).await?;
    let mut socket = floor.again(asked).await?;
    nothing_again(&all_said(&mut socket).await?)
}

async fn todo_8_said_by_another(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    let texts = texts(&bench, 3);
    let mut said = Vec::new();
    for text in &texts {
        say(&page, text)?;
        said.push(expect_say(&mut socket, text, "5.once").await?);
    }
    bench.note("the floor says the second, and Bob the third one's words");
    acknowledge(&floor, &socket, &said[1]);
    acknowledge(&floor, &socket, &said[1]);
    socket.send_json(&json!({ "type": "said", "id": "bob-1", "from": "Bob", "text": texts[2] }));
    // Somebody else of the same name, on another page.
    socket.send_json(&json!({ "type": "said", "id": "bob-2", "from": floor.name, "text": texts[0] }));
    bench.wait_ms(100).await;
    let lost = bench.now();
    bench.cut().await;
    let asked = floor.returns_after(lost, 0).await?;
    let mut socket = floor.again(asked).await?;
    let again = all_said(&mut socket).await?;
    expect_again(&again, &[said[0].clone(), said[2].clone()], &[], &said[1..2]).map_err(|failure| {
        match failure.clause() {
            Some("8.again") => Failure::of(
                "8.own-id",
                "The floor had said one message of Ann's, and others of other people; her first and third were lost, and not both are sent again: only a `said` with its own `id` acknowledges a message.",
            ),
            _ => failure,
        }
    })
}

async fn todo_8_two_clients(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let mut said = Vec::new();
    let mut pages = Vec::new();
    for client in ['A', 'B'] {
        let page = floor.enter_as(bench.page_of(client, &["joinFloor"])?)?;
        let mut socket = floor.first_of(client).await?;
        for text in texts(&bench, 2) {
            say(&page, &text)?;
            said.push(expect_say(&mut socket, &text, "5.once").await?);
            acknowledge(&floor, &socket, &said[said.len() - 1]);
            bench.wait_ms(100).await;
        }
        pages.push((page, socket));
    }
    distinct(&said)
}

async fn todo_8_a_hundred_lost(bench: Bench) -> Result<(), Failure> {
    if !bench.is_plain() {
        // It is long, and another draw shows nothing more.
        return Ok(());
    }
    let _told = Told::without_ids(&bench);
    bench
        .leave_out(|moment| matches!(&moment.what, What::Message(Data::Json(json)) if json.contains("Sold")));
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    page.eval("for (let number = 0; number < 120; number += 1) floor.say(`Sold ${number}.`);")?;
    let said = all_said(&mut socket).await?;
    bench.note("a hundred and twenty things were said, and the floor says the first twenty");
    for message in said.iter().take(20) {
        acknowledge(&floor, &socket, message);
    }
    bench.wait_ms(100).await;
    let lost = bench.now();
    bench.cut().await;
    let asked = floor.returns_after(lost, 0).await?;
    let mut socket = floor.again(asked).await?;
    let again = all_said(&mut socket).await?;
    expect_again(&again, said.get(20..).unwrap_or_default(), &[], said.get(..20).unwrap_or_default())?;
    bench.note("the other hundred are sent again");
    Ok(())
}

async fn todo_8_many_clients(bench: Bench) -> Result<(), Failure> {
    if !bench.is_plain() {
        // Another draw shows nothing more.
        return Ok(());
    }
    bench.leave_out(|moment| !matches!(moment.what, What::Note(_)));
    let mut floor = Floor::open(&bench);
    let mut pages = Vec::new();
    for client in 'A'..='D' {
        let page = floor.enter_as(bench.page_of(client, &["joinFloor"])?)?;
        let socket = floor.first_of(client).await?;
        pages.push((page, socket));
    }
    for (page, _) in &pages {
        page.eval("for (let number = 0; number < 50; number += 1) floor.say('Sold.');")?;
    }
    let mut said = Vec::new();
    for (_, socket) in &mut pages {
        said.extend(all_said(socket).await?);
    }
    if said.len() != 200 {
        return Err(Failure::of(
            "5.once",
            format!(
                "Four clients said the same word fifty times each, and {} messages were sent.",
                said.len()
            ),
        ));
    }
    bench.note("two hundred messages, all of them said at the same time, have two hundred IDs");
    distinct(&said)
}

async fn todo_8_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let floor = Floor::open(&bench);
    let texts = texts(&bench, 3);
    let page = floor.enter()?;
    let crowd = Crowd::on(floor, None);
    for text in &texts {
        bench.wait_ms(37).await;
        say(&page, text)?;
    }
    bench.wait_s(90).await;
    crowd.all_arrived(&texts)
}

/// After the return: what was lost, as it was, then the new texts, and nothing of what was acknowledged.
fn expect_again(
    again: &[Value],
    lost: &[Value],
    new: &[&str],
    acknowledged: &[Value],
) -> Result<(), Failure> {
    if again.is_empty() && !lost.is_empty() {
        return Err(Failure::of(
            "8.again",
            format!(
                "{} not acknowledged when the connection was lost, and nothing is sent after the return: to Ann they were said, and nobody will ever hear them.",
                match lost.len() {
                    1 => "One message was".to_owned(),
                    more => format!("{more} messages were"),
                }
            ),
        ));
    }
    let is_again = |message: &&Value| again.iter().any(|other| other["id"] == message["id"]);
    if let Some(message) = acknowledged.iter().find(is_again) {
        return Err(Failure::of(
            "8.acknowledged",
            format!(
                "{} was acknowledged before the connection was lost, and it is sent again.",
                message["text"]
            ),
        ));
    }
    for message in lost {
        let same: Vec<&Value> = again.iter().filter(|other| other["text"] == message["text"]).collect();
        let text = &message["text"];
        match same[..] {
            [] => {
                let words = format!(
                    "{text} was not acknowledged when the connection was lost, and it is not sent again."
                );
                return Err(Failure::of("8.again", words));
            }
            [only] if only["id"] == message["id"] => {}
            [_] => {
                let words = format!(
                    "{text} is sent again under another `id`: whoever has heard it already will be shown it twice."
                );
                return Err(Failure::of("8.same-id", words));
            }
            [..] => {
                let words = format!("{text} is sent {} times on the new connection.", same.len());
                return Err(Failure::of("8.again", words));
            }
        }
    }
    let order: Vec<&str> = again.iter().map(|message| message["text"].as_str().unwrap_or_default()).collect();
    let expected: Vec<&str> =
        lost.iter().filter_map(|message| message["text"].as_str()).chain(new.iter().copied()).collect();
    if order == expected {
        return Ok(());
    }
    for text in new {
        match order.iter().filter(|other| other == &text).count() {
            1 => {}
            0 => {
                return Err(Failure::of(
                    "5.waits",
                    format!("{text:?} was said while there was no connection, and it is not sent."),
                ));
            }
            times => {
                return Err(Failure::of(
                    "5.once",
                    format!("{text:?} was said once, and it is sent {times} times."),
                ));
            }
        }
    }
    Err(Failure::of(
        "8.order",
        format!(
            "What was not acknowledged goes out first, in the order in which it was said, and then what is new: {expected:?}. It went out as {order:?}."
        ),
    ))
}

/// Everything was acknowledged: nothing is sent again.
fn nothing_again(again: &[Value]) -> Result<(), Failure> {
    match again.first() {
        None => Ok(()),
        Some(message) => Err(Failure::of(
            "8.acknowledged",
            format!(
                "{} was acknowledged on the connection before, and it is sent again: everybody's clients would have to sort it out, for ever.",
                message["text"]
            ),
        )),
    }
}

/// No ID is there twice.
fn distinct(said: &[Value]) -> Result<(), Failure> {
    for (place, message) in said.iter().enumerate() {
        if let Some(other) = said[..place].iter().find(|other| other["id"] == message["id"]) {
            return Err(Failure::of(
                "8.unique",
                format!(
                    "Of {} messages {} and {} were sent under the same `id`: whoever shows each message once will show one of them.",
                    said.len(),
                    other["text"],
                    message["text"]
                ),
            ));
        }
    }
    Ok(())
}
