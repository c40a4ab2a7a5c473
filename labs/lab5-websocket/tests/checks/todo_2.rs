//! TODO 2: everybody hears everything, once, in one order.

use std::time::Duration;

use grader::{
    Bench, Check, Failure, Socket, burst, scene,
    wire::{What, transcript::Data},
};
use serde_json::{Value, json};

use super::server::{
    FILE, FLOOR, SOON, Told, all, connect, is_about, join, kind, of_type, serve, times_in_words, words,
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_everybody_hears_everything_once_in_one_order",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "cargo run -p lab5, open its page twice, and in each console: s = new WebSocket('/floor'); s.onmessage = (e) => console.log(e.data); then s.send('{\"type\":\"join\",\"room\":\"general\",\"name\":\"Ann\"}') and, in one of them, s.send('{\"type\":\"say\",\"id\":\"1\",\"text\":\"Hello\"}').",
    scenes: &[
        scene!(
            todo_2_everybody_in_the_room,
            ["2.everybody", "2.once", "2.speaker", "2.nobody-else", "2.entered"],
            "Three traders talk in a room. A fourth is in another room, a fifth has not joined."
        ),
        scene!(
            todo_2_said_again,
            ["2.speaker"],
            "Ann says something, and says it again under the same `id`."
        ),
        scene!(
            todo_2_one_order,
            ["2.order", "2.once"],
            "Ann and Bob talk at the same time, again and again. Cid listens."
        ),
        scene!(
            todo_2_in_a_burst,
            ["2.order"],
            "Ann, Bob and Cid say eight things each in one burst, to a server on tokio's scheduler for several threads."
        ),
        scene!(todo_2_nobody_waits, ["2.slow"], "Bob does not read any more. Ann talks, and Cid listens."),
    ],
};

const NAMES: [&str; 3] = ["Ann", "Bob", "Cid"];

/// Ann, Bob and Cid in the room `general`.
async fn three_in_a_room(bench: &Bench) -> Result<Vec<Socket>, Failure> {
    let mut sockets = Vec::new();
    for (place, (client, name)) in ['A', 'B', 'C'].into_iter().zip(NAMES).enumerate() {
        let mut socket = connect(bench, client).await?;
        join(&mut socket, "general", name, &NAMES[..=place]).await?;
        sockets.push(socket);
        bench.wait_ms(100).await;
    }
    Ok(sockets)
}

async fn todo_2_everybody_in_the_room(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    serve(&bench);
    let mut sockets = three_in_a_room(&bench).await?;
    let mut elsewhere = connect(&bench, 'D').await?;
    join(&mut elsewhere, "metals", "Dora", &["Dora"]).await?;
    let mut outside = connect(&bench, 'E').await?;
    // In the other plays the room is fuller.
    let mut guests = Vec::new();
    let mut members: Vec<String> = NAMES.map(str::to_owned).to_vec();
    for client in ('F'..='N').take_while(|_| !bench.is_plain()) {
        members.push(format!("guest {client}"));
        let mut guest = connect(&bench, client).await?;
        let names: Vec<&str> = members.iter().map(String::as_str).collect();
        join(&mut guest, "general", &members[members.len() - 1], &names).await?;
        guests.push(guest);
    }
    let mut said = Vec::new();
    for (place, (name, socket)) in NAMES.iter().zip(&sockets).enumerate() {
        bench.wait_ms(100).await;
        let (id, text) = match place {
            1 if !bench.is_plain() => (String::new(), String::new()),
            _ => words(&bench, place),
        };
        socket.send_json(&json!({ "type": "say", "id": id, "text": text }));
        said.push(json!({ "type": "said", "id": id, "from": name, "text": text }));
    }
    let mut heard = Vec::new();
    bench.wait(SOON).await;
    for socket in &mut sockets {
        heard.push(all(&socket.listen(Duration::ZERO).await)?);
    }
    if heard.iter().all(Vec::is_empty) {
        return Err(Failure::NotStarted(2));
    }
    for (listener, heard) in NAMES.iter().zip(&heard) {
        for message in &said {
            hears_once(listener, heard, message)?;
        }
    }
    for (guest, name) in guests.iter_mut().zip(&members[NAMES.len()..]) {
        let heard = all(&guest.listen(Duration::ZERO).await)?;
        for message in &said {
            hears_once(name, &heard, message)?;
        }
    }
    for (newcomer, early) in [("Bob", &["Ann"][..]), ("Cid", &["Ann", "Bob"])] {
        for (listener, heard) in NAMES.iter().zip(&heard) {
            let times = heard.iter().filter(|message| is_about(message, "entered", newcomer)).count();
            let expected = usize::from(early.contains(listener));
            if times != expected {
                return Err(Failure::of(
                    "2.entered",
                    format!(
                        "{newcomer} came into the room; {listener} should hear of it by `entered` {}, and heard it {}. (`join` tells it to those who are there already, and to nobody else.)",
                        times_in_words(expected),
                        times_in_words(times)
                    ),
                ));
            }
        }
    }
    for (who, socket) in
        [("Dora is in another room", &mut elsewhere), ("Somebody has not joined", &mut outside)]
    {
        if let Some(message) = all(&socket.listen(SOON).await)?.first() {
            return Err(Failure::of(
                "2.nobody-else",
                format!("{who}, and hears what goes on in this one: {message}."),
            ));
        }
    }
    Ok(())
}

/// This member heard this message, once.
fn hears_once(listener: &str, heard: &[Value], message: &Value) -> Result<(), Failure> {
    let (from, text) = (message["from"].as_str().unwrap_or_default(), &message["text"]);
    let same: Vec<&Value> = heard.iter().filter(|other| other["id"] == message["id"]).collect();
    let (clause, words) = match same[..] {
        [only] if ["type", "from", "text"].iter().all(|field| only[field] == message[field]) => return Ok(()),
        [] if from == listener => (
            "2.speaker",
            format!(
                "{listener} said {text}, and did not hear it: to whoever said it, `said` is the acknowledgement that it has arrived."
            ),
        ),
        [] => (
            "2.everybody",
            format!("{from} said {text} under the `id` {}, and {listener} did not hear it.", message["id"]),
        ),
        [only] => ("2.everybody", format!("{listener} should have heard {message}, and heard {only}.")),
        [..] => (
            "2.once",
            format!("{from} said {text} once, and {listener} heard it {}.", times_in_words(same.len())),
        ),
    };
    Err(Failure::of(clause, words))
}

async fn todo_2_said_again(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    // Whether the others hear it once more is open.
    bench.leave_out(|moment| moment.client == Some('B') && kind(moment).as_deref() == Some("said"));
    serve(&bench);
    let mut sockets = three_in_a_room(&bench).await?;
    bench.leave_out(|moment| {
        let is_cids =
            matches!(&moment.what, What::Message(Data::Json(json)) if json.contains(r#""from":"Cid""#));
        is_cids || moment.client == Some('C')
    });
    let (id, text) = words(&bench, 0);
    for (place, name) in [(0, "Ann"), (0, "Ann"), (0, "Ann"), (2, "Cid")] {
        let socket = &mut sockets[place];
        socket.listen(Duration::ZERO).await;
        socket.send_json(&json!({ "type": "say", "id": id, "text": text }));
        bench.wait(SOON).await;
        let heard = of_type(&all(&socket.listen(Duration::ZERO).await)?, "said");
        match heard.iter().filter(|message| message["id"] == *id && message["from"] == name).count() {
            1 => {}
            0 => {
                return Err(Failure::of(
                    "2.speaker",
                    format!(
                        "{name} said {text:?} under the `id` {id:?}, which had been used before, and did not hear `said`: a client that has lost the first answer would repeat it for ever."
                    ),
                ));
            }
            times => {
                return Err(Failure::of(
                    "2.once",
                    format!(
                        "{name} said {text:?} one more time, and heard it {} for that.",
                        times_in_words(times)
                    ),
                ));
            }
        }
        bench.wait_ms(100).await;
    }
    Ok(())
}

async fn todo_2_one_order(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    // Who is first when two speak at once is for the server to say.
    bench.leave_out(|moment| matches!(kind(moment).as_deref(), Some("say" | "said")));
    serve(&bench);
    let mut sockets = three_in_a_room(&bench).await?;
    bench.note("Ann and Bob say forty-five things each");
    let mut number = 0;
    for apart in (0..15).cycle().take(45) {
        // Bob's connection is some milliseconds longer than Ann's: in some of these rounds both arrive together.
        for (socket, wait) in [(&sockets[1], apart), (&sockets[0], 50 - apart)] {
            number += 1;
            socket.send_json(&json!({ "type": "say", "id": format!("id-{number}"), "text": "Sold." }));
            bench.wait_ms(wait).await;
        }
    }
    bench.wait(SOON).await;
    let mut orders = Vec::new();
    for socket in &mut sockets {
        let said = of_type(&all(&socket.listen(Duration::ZERO).await)?, "said");
        orders.push(
            said.iter()
                .map(|message| message["id"].as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>(),
        );
    }
    for (name, order) in NAMES.iter().zip(&orders) {
        if order.len() != number {
            return Err(Failure::of(
                "2.once",
                format!("{number} messages were said in the room, and {name} heard {}.", order.len()),
            ));
        }
    }
    one_order(&orders)?;
    bench.note("all three heard the same ninety messages in the same order");
    Ok(())
}

/// What Ann, Bob and Cid heard, by ID, is the same.
fn one_order(orders: &[Vec<String>]) -> Result<(), Failure> {
    let Some(listener) = orders.iter().position(|order| *order != orders[2]) else { return Ok(()) };
    let place =
        orders[listener].iter().zip(&orders[2]).position(|(one, other)| one != other).unwrap_or_default();
    let from = place.saturating_sub(1);
    let part = |order: &[String]| order[from..(from + 4).min(order.len())].join(", ");
    Err(Failure::of(
        "2.order",
        format!(
            "{} and Cid heard the same messages in another order: {} heard … {} …, and Cid … {} …. There must be one place where a message gets its turn, for all members and for whoever said it.",
            NAMES[listener],
            NAMES[listener],
            part(&orders[listener]),
            part(&orders[2])
        ),
    ))
}

async fn todo_2_in_a_burst(bench: Bench) -> Result<(), Failure> {
    if !bench.is_plain() {
        // It is the same each time.
        return Ok(());
    }
    let heard = burst::burst(lab5::app(feed::Feed::memory(100)), |dial| async move {
        let mut talks = Vec::new();
        for name in NAMES {
            let mut talk = dial.socket(FLOOR).await?;
            talk.send([json!({ "type": "join", "room": "general", "name": name }).to_string()]).await?;
            talk.next().await.ok_or("A connection was closed that had said `join`.")?;
            talks.push(talk);
        }
        for (talk, name) in talks.iter_mut().zip(NAMES) {
            let say = |number| {
                json!({ "type": "say", "id": format!("{name} {number}"), "text": "Sold." }).to_string()
            };
            talk.send((1..=8).map(say)).await?;
        }
        let mut orders = Vec::new();
        for talk in &mut talks {
            let mut order = Vec::new();
            while order.len() < 24 {
                let text = talk
                    .next()
                    .await
                    .ok_or("A member was sent away that had said eight things in a burst.")?;
                let message: Value = serde_json::from_str(&text).unwrap_or_default();
                if message["type"] == "said" {
                    order.push(message["id"].as_str().unwrap_or_default().to_owned());
                }
            }
            orders.push(order);
        }
        Ok(orders)
    });
    let orders = heard.map_err(|failure| failure.or_of("2.order"))?;
    for name in NAMES {
        let mine: Vec<&String> = orders[2].iter().filter(|id| id.starts_with(name)).collect();
        if !mine.is_sorted() {
            return Err(Failure::of(
                "2.order",
                format!(
                    "{name} said eight things in a burst, {name} 1 to {name} 8, and they were heard as {mine:?}. Tasks run in any order on a server with several threads: what is spawned for each message has no order."
                ),
            ));
        }
    }
    one_order(&orders)?;
    bench.note("all three heard the same twenty-four messages in the same order, and each one's in the order in which they were said");
    Ok(())
}

async fn todo_2_nobody_waits(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    bench.leave_out(|moment| {
        let is_talk = match &moment.what {
            What::Message(Data::Json(json)) => json.contains(r#""say""#) || json.contains(r#""said""#),
            What::Message(Data::Bytes(_)) => true,
            _ => false,
        };
        // What becomes of Bob is open.
        is_talk || moment.client == Some('B') || kind(moment).as_deref() == Some("left")
    });
    serve(&bench);
    let mut sockets = three_in_a_room(&bench).await?;
    if !bench.is_plain() {
        return Ok(());
    }
    bench.note("Bob does not read any more, and Ann says a hundred and forty long things");
    sockets[1].stop_reading();
    let text = "o".repeat(4_000);
    for number in 0..140 {
        sockets[0].send_json(&json!({ "type": "say", "id": number.to_string(), "text": text }));
        bench.wait_ms(10).await;
    }
    bench.wait(SOON).await;
    for place in [0, 2] {
        let heard = of_type(&all(&sockets[place].listen(Duration::ZERO).await)?, "said").len();
        if heard != 140 {
            return Err(Failure::of(
                "2.slow",
                format!(
                    "Bob does not read, and Ann said 140 things; half a second later {} has heard {heard} of them. One member's full connection must not hold up the room.",
                    NAMES[place]
                ),
            ));
        }
    }
    bench.note("Ann and Cid have heard all of them");
    Ok(())
}
