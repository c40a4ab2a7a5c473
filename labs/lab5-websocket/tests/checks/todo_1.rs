//! TODO 1: nothing before `join`.

use grader::{Bench, Check, Failure, scene};
use serde_json::json;

use super::server::{
    FILE, SOON, Told, all, connect, expect_error, join, joined, of_type, room, say_join,
    say_nothing_of_coming_and_going, serve, still_open, words,
};

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_join_comes_first_and_rooms_are_separate",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab5, and in its page's console: s = new WebSocket('/floor'); s.onmessage = (e) => console.log(e.data); then s.send('{\"type\":\"leave\"}').",
    scenes: &[
        scene!(
            todo_1_as_they_came,
            ["1.joined", "1.names"],
            "Nine traders come into one room, and two of them have the names of others."
        ),
        scene!(todo_1_two_rooms, ["1.rooms", "1.joined"], "Four traders come into three rooms."),
        scene!(
            todo_1_the_first_word,
            ["1.early", "1.once", "1.joined"],
            "Ann speaks and leaves before she has joined. Then she joins, and then she joins again, twice."
        ),
    ],
};

async fn todo_1_the_first_word(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    let room = room(&bench);
    serve(&bench);
    let mut bob = connect(&bench, 'B').await?;
    join(&mut bob, &room, "Bob", &["Bob"]).await?;
    let mut ann = connect(&bench, 'A').await?;
    bench.wait_ms(100).await;
    let (id, text) = words(&bench, 0);
    ann.send_json(&json!({ "type": "say", "id": id, "text": text }));
    expect_error(&mut ann, "1.early", "Ann spoke before she had joined").await?;
    bench.wait_ms(100).await;
    ann.send_json(&json!({ "type": "leave" }));
    expect_error(&mut ann, "1.early", "Ann said `leave` before she had joined").await?;
    bench.wait_ms(100).await;
    let early = "Ann was answered with an error, and her connection was closed: it should stay open";
    still_open(&ann, "1.early", early)?;
    say_join(&ann, &room, "Ann");
    joined(&mut ann, &room, &["Bob", "Ann"], "1.early", "Ann had asked out of turn, and now she joined")
        .await?;
    for other in ["metals", room.as_str()] {
        bench.wait_ms(100).await;
        say_join(&ann, other, "Ann");
        expect_error(&mut ann, "1.once", &format!("Ann had joined {room:?}, and joined {other:?} as well"))
            .await?;
    }
    bench.wait_ms(100).await;
    let mut cid = connect(&bench, 'C').await?;
    say_join(&cid, "metals", "Cid");
    joined(
        &mut cid,
        "metals",
        &["Cid"],
        "1.once",
        "Ann's second `join` was not to count; then Cid joined \"metals\"",
    )
    .await?;
    let mut dora = connect(&bench, 'D').await?;
    say_join(&dora, &room, "Dora");
    let because = format!("Ann's further `join`s were not to count; then Dora joined {room:?}");
    joined(&mut dora, &room, &["Bob", "Ann", "Dora"], "1.once", &because).await?;
    if !of_type(&all(&bob.listen(SOON).await)?, "said").is_empty() {
        return Err(Failure::of("1.early", "Ann had not joined, and Bob heard what she said."));
    }
    still_open(
        &ann,
        "1.once",
        "Ann joined a second time, was answered with an error, and her connection was closed: it should stay open.",
    )
}

async fn todo_1_two_rooms(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    let here = room(&bench);
    let upper = here.to_uppercase();
    let alike = if bench.seed() == 3 || upper == here { format!("{here} ") } else { upper };
    serve(&bench);
    let mut sockets = Vec::new();
    for (client, room, name, members) in [
        ('A', here.as_str(), "Ann", &["Ann"][..]),
        ('B', "metals", "Bob", &["Bob"]),
        ('C', &here, "Cid", &["Ann", "Cid"]),
        ('D', &alike, "Dora", &["Dora"]),
    ] {
        let mut socket = connect(&bench, client).await?;
        say_join(&socket, room, name);
        joined(&mut socket, room, members, "1.rooms", &format!("{name} joined {room:?}")).await?;
        sockets.push(socket);
        bench.wait_ms(100).await;
    }
    Ok(())
}

async fn todo_1_as_they_came(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    let room = room(&bench);
    serve(&bench);
    let names = ["Moe", "Ann", "Zoe", "Bob", "Cid", "Abe", "Dora", "Ann", "Moe"];
    let mut sockets = Vec::new();
    for (place, (client, name)) in ('A'..).zip(names).enumerate() {
        let mut socket = connect(&bench, client).await?;
        say_join(&socket, &room, name);
        let (clause, who) =
            if names[..place].contains(&name) { ("1.names", "A second ") } else { ("1.joined", "") };
        let because = format!("{who}{name} joined {room:?}");
        joined(&mut socket, &room, &names[..=place], clause, &because).await?;
        sockets.push(socket);
        bench.wait_ms(100).await;
    }
    for (socket, name) in sockets.iter().zip(names) {
        still_open(
            socket,
            "1.names",
            &format!("Another {name} came, and the connection of the first was closed."),
        )?;
    }
    Ok(())
}
