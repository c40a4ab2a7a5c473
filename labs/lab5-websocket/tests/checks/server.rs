//! TODO 1 to 4: the server, asked by our own WebSocket peers.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Check, Failure, Heard, Mark, Socket, scene,
    wire::{
        Moment, Place, What, When,
        transcript::Data,
        ws::{Frame, Message, Opcode},
    },
};
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";
const FLOOR: &str = "/floor";
/// The longest message that is read, in bytes.
const LONGEST: usize = 4096;
/// Long enough for everything that should come at once.
const SOON: Duration = Duration::from_millis(500);

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_join_comes_first_and_rooms_are_separate",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab5, and in its page's console: s = new WebSocket('/floor'); s.onmessage = (e) => console.log(e.data); then s.send('{\"type\":\"leave\"}').",
    scenes: &[
        scene!(
            todo_1_the_first_word,
            "Ann speaks before she has joined. Then she joins, and then she joins once more."
        ),
        scene!(todo_1_two_rooms, "Three traders come into two rooms."),
    ],
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_everybody_hears_everything_once_in_one_order",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "open the lab's page in three windows, two of them in one room, and talk.",
    scenes: &[
        scene!(
            todo_2_everybody_in_the_room,
            "Three traders talk in a room. A fourth is in another room, a fifth has not joined."
        ),
        scene!(todo_2_one_order, "Ann and Bob talk at the same time, again and again. Cid listens."),
    ],
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_gone_is_gone_however_it_went",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "open the lab's page in two browsers, stop one of them with kill -STOP, and count the seconds until the other hears of it.",
    scenes: &[
        scene!(todo_3_by_a_close_frame, "Bob closes his line."),
        scene!(todo_3_by_leave, "Bob says that he leaves."),
        scene!(todo_3_by_an_error, "Bob's line is cut."),
        scene!(
            todo_3_by_silence,
            "Bob's line stands, and nobody answers on it any more. Ann is quiet, and answers every ping."
        ),
        scene!(todo_3_not_yet, "Bob answers every second ping only, for four minutes."),
    ],
};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_bad_input_is_answered_and_not_obeyed",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "in the page's console: s = new WebSocket('/floor'); s.onclose = (e) => console.log(e.code, e.reason); then s.send('x'.repeat(4097)). And try the same from a page of another site.",
    scenes: &[
        scene!(
            todo_4_nonsense,
            "Ann sends what is no JSON, and JSON that means nothing, outside and inside of a room."
        ),
        scene!(todo_4_too_long, "Messages of 4096 bytes, of 4097, and of a few more."),
        scene!(todo_4_from_elsewhere, "Pages of seven origins ask to come in, and somebody without a page."),
    ],
};

async fn todo_1_the_first_word(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    let room = room(&bench);
    bench.serve(lab5::app(Feed::memory(100)));
    let mut bob = connect(&bench, 'B').await?;
    join(&mut bob, &room, "Bob", &["Bob"]).await?;
    let mut ann = connect(&bench, 'A').await?;
    bench.wait_ms(100).await;
    let (id, text) = words(&bench);
    ann.send_json(&json!({ "type": "say", "id": id, "text": text }));
    expect_error(&mut ann, "Ann spoke before she had joined; she should be answered with `error`").await?;
    bench.wait_ms(100).await;
    join(&mut ann, &room, "Ann", &["Bob", "Ann"]).await?;
    bench.wait_ms(100).await;
    ann.send_json(&json!({ "type": "join", "room": "metals", "name": "Ann" }));
    expect_error(&mut ann, "Ann joined a second time; she should be answered with `error`").await?;
    bench.wait_ms(100).await;
    let mut cid = connect(&bench, 'C').await?;
    join(&mut cid, "metals", "Cid", &["Cid"]).await?;
    if all(&bob.listen(SOON).await)?.iter().any(|message| message["type"] == "said") {
        return Err(Failure::broken("Ann had not joined, and Bob heard what she said."));
    }
    still_open(
        &ann,
        "Ann was answered with an error, and her line was closed: the contract says it stays open.",
    )
}

async fn todo_1_two_rooms(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    let here = room(&bench);
    bench.serve(lab5::app(Feed::memory(100)));
    let mut ann = connect(&bench, 'A').await?;
    join(&mut ann, &here, "Ann", &["Ann"]).await?;
    bench.wait_ms(100).await;
    let mut bob = connect(&bench, 'B').await?;
    join(&mut bob, "metals", "Bob", &["Bob"]).await?;
    bench.wait_ms(100).await;
    let mut cid = connect(&bench, 'C').await?;
    join(&mut cid, &here, "Cid", &["Ann", "Cid"]).await
}

async fn todo_2_everybody_in_the_room(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    bench.serve(lab5::app(Feed::memory(100)));
    let mut sockets = Vec::new();
    for (client, name, members) in
        [('A', "Ann", &["Ann"][..]), ('B', "Bob", &["Ann", "Bob"]), ('C', "Cid", &["Ann", "Bob", "Cid"])]
    {
        let mut socket = connect(&bench, client).await?;
        join(&mut socket, "general", name, members).await?;
        sockets.push(socket);
        bench.wait_ms(100).await;
    }
    let mut elsewhere = connect(&bench, 'D').await?;
    join(&mut elsewhere, "metals", "Dora", &["Dora"]).await?;
    let mut outside = connect(&bench, 'E').await?;
    let names = ["Ann", "Bob", "Cid"];
    let mut said = Vec::new();
    for (name, socket) in names.iter().zip(&sockets) {
        bench.wait_ms(100).await;
        let (id, text) = words(&bench);
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
    for (listener, heard) in names.iter().zip(&heard) {
        for message in &said {
            hears_once(listener, heard, message)?;
        }
    }
    for (newcomer, early) in [("Bob", &["Ann"][..]), ("Cid", &["Ann", "Bob"])] {
        for (listener, heard) in names.iter().zip(&heard) {
            let times = heard.iter().filter(|message| is_about(message, "entered", newcomer)).count();
            let expected = usize::from(early.contains(listener));
            if times != expected {
                return Err(Failure::broken(format!(
                    "{newcomer} came into the room; {listener} should hear `entered` {}, and heard it {}. (`join` tells it to those who are there already, and to nobody else.)",
                    times_in_words(expected),
                    times_in_words(times)
                )));
            }
        }
    }
    if !all(&elsewhere.listen(SOON).await)?.is_empty() {
        return Err(Failure::broken(
            "Dora is in another room, and hears what goes on in this one: rooms leak.",
        ));
    }
    if !all(&outside.listen(SOON).await)?.is_empty() {
        return Err(Failure::broken("Somebody has not joined, and hears what goes on in a room."));
    }
    Ok(())
}

async fn todo_2_one_order(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    // Who is first when two speak at once is for the server to say.
    bench.leave_out(|moment| matches!(kind(moment).as_deref(), Some("say" | "said")));
    bench.serve(lab5::app(Feed::memory(100)));
    let names = ["Ann", "Bob", "Cid"];
    let mut sockets = Vec::new();
    for (client, name) in ['A', 'B', 'C'].into_iter().zip(names) {
        let mut socket = connect(&bench, client).await?;
        let members = &names[..=sockets.len()];
        join(&mut socket, "general", name, members).await?;
        sockets.push(socket);
        bench.wait_ms(100).await;
    }
    bench.note("Ann and Bob say forty-five things each");
    for apart in (0..15).cycle().take(45) {
        // Bob's line is some milliseconds longer than Ann's: in some of these rounds both arrive together.
        for (socket, wait) in [(&sockets[1], apart), (&sockets[0], 50 - apart)] {
            let (id, text) = words(&bench);
            socket.send_json(&json!({ "type": "say", "id": id, "text": text }));
            bench.wait_ms(wait).await;
        }
    }
    bench.wait(SOON).await;
    let mut orders = Vec::new();
    for socket in &mut sockets {
        let heard = all(&socket.listen(Duration::ZERO).await)?;
        let said = heard.iter().filter(|message| message["type"] == "said");
        orders.push(said.map(|message| message["id"].to_string()).collect::<Vec<_>>());
    }
    for (name, order) in names.iter().zip(&orders) {
        if order.len() != 90 {
            return Err(Failure::broken(format!(
                "90 messages were said in the room, and {name} heard {}.",
                order.len()
            )));
        }
    }
    if let Some(place) = orders.iter().position(|order| *order != orders[2]) {
        return Err(Failure::broken(format!(
            "{} heard the same messages as Cid in another order. There must be one place where a message gets its turn, for all members and for whoever said it.",
            names[place]
        )));
    }
    bench.note("all three heard the same ninety messages in the same order");
    Ok(())
}

async fn todo_3_by_a_close_frame(bench: Bench) -> Result<(), Failure> {
    let (mut ann, bob, _told) = two_in_a_room(&bench, End::Told).await?;
    bob.close(1000, "");
    gone(&bench, &mut ann, "Bob closed his line").await
}

async fn todo_3_by_leave(bench: Bench) -> Result<(), Failure> {
    let (mut ann, mut bob, _told) = two_in_a_room(&bench, End::Told).await?;
    bob.send_json(&json!({ "type": "leave" }));
    gone(&bench, &mut ann, "Bob said `leave`").await?;
    let (code, _) =
        bob.closed(SOON, "Bob said `leave`, and his line was not closed with a close frame.").await?;
    if code == Some(1000) {
        return Ok(());
    }
    Err(Failure::broken(format!(
        "Bob said `leave`, and his line was closed {}; the contract says 1000: a client that hears another code comes back.",
        code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"))
    )))
}

async fn todo_3_by_an_error(bench: Bench) -> Result<(), Failure> {
    let (mut ann, _bob, _told) = two_in_a_room(&bench, End::Told).await?;
    bench.cut_of('B').await;
    gone(&bench, &mut ann, "Bob's line was cut").await
}

async fn todo_3_by_silence(bench: Bench) -> Result<(), Failure> {
    bench.show_pings();
    let (mut has_joined, mut told) = (false, false);
    bench.leave_out(move |moment| match moment.what {
        What::Message(_) if moment.client == Some('B') => {
            has_joined |= kind(moment).as_deref() == Some("joined");
            false
        }
        // How often is checked; the first one to a member is told.
        What::Ping => moment.client != Some('B') || !has_joined || std::mem::replace(&mut told, true),
        What::Pong => true,
        _ => false,
    });
    let (mut ann, mut bob, _told) = two_in_a_room(&bench, End::Open).await?;
    let began = bench.now();
    bob.fall_silent();
    let left = until_left(&mut ann, Duration::from_millis(61_000)).await;
    still_open(
        &ann,
        "Ann said nothing for a minute, and answered every ping; her line was closed all the same.",
    )?;
    let mut pings = Vec::new();
    while let Some(heard) = bob.next(Duration::ZERO).await {
        if matches!(heard.message, Message::Ping(_)) {
            pings.push(heard.at);
        }
    }
    if pings.is_empty() {
        return Err(Failure::broken(
            "No ping came in a minute: a line that fails in silence looks like a quiet one, until somebody asks.",
        ));
    }
    let mut before = began;
    for &ping in &pings {
        if ping.since(before) > 20_500 {
            return Err(Failure::broken(format!(
                "No ping came for {} ms; the contract says one every 20 s.",
                ping.since(before)
            )));
        }
        before = ping;
    }
    let base = bench.told_at(began);
    bench.retell_all(|moment| {
        if moment.what == What::Ping && moment.client == Some('B') {
            moment.when = When::Within(base, base + 20_000);
        }
    });
    let Some(left) = left else {
        return Err(Failure::broken(format!(
            "Bob has answered nothing for 61 s, {} pings among it, and he is still a member: a ghost.",
            pings.len()
        )));
    };
    if left.since(began) < 40_000 {
        return Err(Failure::broken(format!(
            "Bob was silent for {} ms and is gone; the contract says that two pings in a row must be missed, which takes 40 s at least.",
            left.since(began)
        )));
    }
    bench.leave_open(began, (40_000, 61_000), |moment| {
        moment.client == Some('A') && kind(moment).as_deref() == Some("left")
    });
    let _cid = once_and_no_ghost(&bench, &mut ann, "Bob fell silent").await?;
    bench.wait_s(15).await;
    while bob.next(Duration::ZERO).await.is_some() {}
    if bob.has_ended() {
        return Ok(());
    }
    Err(Failure::broken("Bob is gone, and the server holds on to his line: nobody will ever close it."))
}

async fn todo_3_not_yet(bench: Bench) -> Result<(), Failure> {
    let (mut ann, mut bob, _told) = two_in_a_room(&bench, End::Open).await?;
    bob.fall_silent();
    let until = Duration::from_secs(240);
    let began = bench.now();
    let mut pings = 0;
    while let Some(heard) =
        bob.next(until.saturating_sub(Duration::from_millis(bench.now().since(began)))).await
    {
        if let Message::Ping(data) = heard.message {
            pings += 1;
            if pings % 2 == 0 {
                bob.send(&Frame::whole(Opcode::Pong, &data));
            }
        }
    }
    if bob.has_ended() || all(&ann.listen(SOON).await)?.iter().any(|message| message["type"] == "left") {
        return Err(Failure::broken(format!(
            "Bob answered every second ping, and he was taken for gone after {pings}: one pong may be late, only two in a row are silence.",
        )));
    }
    bench.note("four minutes later");
    let mut cid = connect(&bench, 'C').await?;
    join(&mut cid, "general", "Cid", &["Ann", "Bob", "Cid"]).await
}

async fn todo_4_nonsense(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    bench.serve(lab5::app(Feed::memory(100)));
    let mut ann = connect(&bench, 'A').await?;
    let number = bench.draw(1_000);
    let nonsense = [
        format!("BBCA at {number}?"),
        format!(r#"{{"type":"dance","tempo":{number}}}"#),
        r#"{"type":"say"}"#.to_owned(),
    ];
    for inside in [false, true] {
        for text in &nonsense {
            bench.wait_ms(100).await;
            ann.send_text(text);
            expect_error(
                &mut ann,
                &format!(
                    "{text:?} means nothing; it should be answered with `error`, and the line stay open"
                ),
            )
            .await?;
        }
        bench.wait_ms(100).await;
        if !inside {
            join(&mut ann, "general", "Ann", &["Ann"]).await?;
        }
    }
    let mut bob = connect(&bench, 'B').await?;
    join(&mut bob, "general", "Bob", &["Ann", "Bob"]).await
}

async fn todo_4_too_long(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    // Whether the server waits for the answer to its close frame is its own business.
    bench.leave_out(|moment| {
        matches!(
            (moment.place, &moment.what),
            (Place::ToServer, What::Close(..)) | (_, What::Cut | What::Abort)
        )
    });
    bench.serve(lab5::app(Feed::memory(100)));
    let mut ann = connect(&bench, 'A').await?;
    bench.note("a message of 4096 bytes, most of them blanks");
    let word = json!({ "type": "join", "room": "general", "name": "Ann" }).to_string();
    ann.send_text(&format!("{word}{}", " ".repeat(LONGEST - word.len())));
    joined(&mut ann, "general", &["Ann"], "Ann's `join` has 4096 bytes, and that is not too long").await?;
    let dull = |bytes: usize| {
        let empty = json!({ "type": "say", "id": "long", "text": "" }).to_string();
        json!({ "type": "say", "id": "long", "text": "x".repeat(bytes - empty.len()) }).to_string()
    };
    // 2100 letters, of two bytes each.
    let accents = json!({ "type": "say", "id": "long", "text": "é".repeat(2_100) }).to_string();
    for (client, name, message, what) in [
        ('B', "Bob", dull(LONGEST + 1), "4097 bytes"),
        ('C', "Cid", accents, "fewer than 4096 characters and more than 4096 bytes"),
        ('D', "Dora", dull(12_000), "12000 bytes"),
    ] {
        bench.wait_ms(100).await;
        let mut socket = connect(&bench, client).await?;
        socket.send_json(&json!({ "type": "join", "room": name, "name": name }));
        joined(&mut socket, name, &[name], &format!("{name} joins a room of that name")).await?;
        socket.send_text(&message);
        let (code, _) = socket
            .closed(
                SOON,
                &format!("A message of {what} came, and the line was not closed with a close frame."),
            )
            .await?;
        if code != Some(1009) {
            return Err(Failure::broken(format!(
                "A message of {what} came, and the line was closed {}; the contract says 1009, *message too big*.",
                code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"))
            )));
        }
    }
    // Which words stand beside the code is open.
    bench.retell_all(|moment| {
        if let What::Close(_, reason) = &mut moment.what {
            reason.clear();
        }
    });
    still_open(&ann, "Other lines were closed, and Ann's with them.")
}

async fn todo_4_from_elsewhere(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["origin"]);
    bench.leave_out(|moment| matches!(moment.what, What::Body(_) | What::Abort | What::Cut));
    bench.serve(lab5::app(Feed::memory(100)));
    let port = 8_000 + bench.draw(1_000);
    for origin in [
        "http://evil.example".to_owned(),
        "http://lab.test.evil.example".to_owned(),
        "http://evil-lab.test".to_owned(),
        "http://evil.example/lab.test".to_owned(),
        format!("http://lab.test:{port}"),
        "null".to_owned(),
    ] {
        let answer = bench.ask("GET", FLOOR).header("origin", &origin).asking_for_websocket().send().await?;
        bench.retell(
            |moment| matches!(moment.what, What::Response { .. }),
            |moment| {
                if let What::Response { content_type, .. } = &mut moment.what {
                    *content_type = None;
                }
            },
        );
        if answer.status.as_u16() != 403 {
            return Err(Failure::broken(format!(
                "A page of the origin `{origin}` asked to come in, and was answered with {}; the contract says 403. Whoever opens that page lends it the cookies of this site.",
                answer.status
            )));
        }
        drop(answer);
        bench.wait_ms(100).await;
    }
    let _ours = bench.ask("GET", FLOOR).header("origin", "http://lab.test").upgrade().await?;
    bench.wait_ms(100).await;
    let _program = bench.ask("GET", FLOOR).upgrade().await?;
    bench.wait_ms(100).await;
    Ok(())
}

/// Whether the contract says how Bob's line ends.
enum End {
    Told,
    Open,
}

/// Ann and Bob, in the room `general` of the student's server.
async fn two_in_a_room(bench: &Bench, end: End) -> Result<(Socket, Socket, Told), Failure> {
    let told = Told::on(bench);
    // How Bob's line ends is told; what is said on it after that is the server's business.
    let mut has_ended = matches!(end, End::Open);
    bench.leave_out(move |moment| {
        moment.client == Some('B')
            && matches!(moment.what, What::Close(..) | What::Abort | What::Cut)
            && std::mem::replace(&mut has_ended, true)
    });
    bench.serve(lab5::app(Feed::memory(100)));
    let mut ann = connect(bench, 'A').await?;
    join(&mut ann, "general", "Ann", &["Ann"]).await?;
    bench.wait_ms(100).await;
    let mut bob = connect(bench, 'B').await?;
    join(&mut bob, "general", "Bob", &["Ann", "Bob"]).await?;
    bench.wait_ms(100).await;
    // TODO 2 may not be done.
    ann.listen(Duration::ZERO).await;
    Ok((ann, bob, told))
}

/// Ann hears that Bob has left, once, and he is no member any more.
async fn gone(bench: &Bench, ann: &mut Socket, because: &str) -> Result<(), Failure> {
    if until_left(ann, SOON).await.is_none() {
        return Err(Failure::broken(format!(
            "{because}, and Ann was not told `left`: to her he is still there, and will never answer."
        )));
    }
    once_and_no_ghost(bench, ann, because).await?;
    Ok(())
}

/// `left` does not come again, and whoever comes now does not find Bob.
async fn once_and_no_ghost(bench: &Bench, ann: &mut Socket, because: &str) -> Result<Socket, Failure> {
    if until_left(ann, SOON).await.is_some() {
        return Err(Failure::broken(format!("{because}, and Ann was told `left` twice.")));
    }
    let mut cid = connect(bench, 'C').await?;
    cid.send_json(&json!({ "type": "join", "room": "general", "name": "Cid" }));
    joined(
        &mut cid,
        "general",
        &["Ann", "Cid"],
        &format!("{because}; then Cid came, and should find Ann and himself"),
    )
    .await?;
    bench.wait_ms(100).await;
    Ok(cid)
}

/// When this member hears that Bob has left.
async fn until_left(socket: &mut Socket, patience: Duration) -> Option<Mark> {
    let wait = async {
        loop {
            let heard = socket.next(patience).await?;
            if all(std::slice::from_ref(&heard))
                .is_ok_and(|all| all.iter().any(|told| is_about(told, "left", "Bob")))
            {
                return Some(heard.at);
            }
        }
    };
    tokio::time::timeout(patience, wait).await.ok().flatten()
}

async fn connect(bench: &Bench, client: char) -> Result<Socket, Failure> {
    bench.ask_of(client, "GET", FLOOR).upgrade().await
}

/// Joins, and finds these members.
async fn join(socket: &mut Socket, room: &str, name: &str, members: &[&str]) -> Result<(), Failure> {
    socket.send_json(&json!({ "type": "join", "room": room, "name": name }));
    joined(socket, room, members, &format!("{name} joined `{room}`; the answer should be `joined`")).await
}

/// The answer to a `join`.
async fn joined(socket: &mut Socket, room: &str, members: &[&str], what: &str) -> Result<(), Failure> {
    let answer = socket.json(what).await?;
    if answer["type"] != "joined" {
        return Err(Failure::broken(format!("{what}: it is {answer}.")));
    }
    if answer["room"] != room {
        return Err(Failure::broken(format!(
            "{what}: its `room` should be \"{room}\", and it is {}.",
            answer["room"]
        )));
    }
    if answer["members"] != json!(members) {
        return Err(Failure::broken(format!(
            "{what}. `members` should be {}, and it is {}: everybody in this room, and nobody else, in the order in which they came.",
            json!(members),
            answer["members"]
        )));
    }
    Ok(())
}

/// The next message is an error.
async fn expect_error(socket: &mut Socket, what: &str) -> Result<(), Failure> {
    let mut answer = socket.json(what).await?;
    while matches!(answer["type"].as_str(), Some("entered" | "left")) {
        answer = socket.json(what).await?;
    }
    if answer["type"] != "error" {
        return Err(Failure::broken(format!("{what}: the answer is {answer}.")));
    }
    if !answer["reason"].is_string() {
        return Err(Failure::broken(format!("{what}: the error has no `reason` to read.")));
    }
    Ok(())
}

fn still_open(socket: &Socket, otherwise: &str) -> Result<(), Failure> {
    if socket.has_ended() { Err(Failure::broken(otherwise)) } else { Ok(()) }
}

/// This member heard this message, once.
fn hears_once(listener: &str, heard: &[Value], message: &Value) -> Result<(), Failure> {
    let (from, text) = (message["from"].as_str().unwrap_or_default(), &message["text"]);
    let same: Vec<&Value> = heard.iter().filter(|other| other["id"] == message["id"]).collect();
    match same[..] {
        [] if from == listener => Err(Failure::broken(format!(
            "{listener} said {text}, and did not hear it: to whoever said it, `said` is the acknowledgement that it has arrived."
        ))),
        [] => Err(Failure::broken(format!("{from} said {text}, and {listener} did not hear it."))),
        [only] if ["type", "from", "text"].iter().all(|field| only[field] == message[field]) => Ok(()),
        [only] => Err(Failure::broken(format!("{listener} should have heard {message}, and heard {only}."))),
        [..] => Err(Failure::broken(format!(
            "{from} said {text} once, and {listener} heard it {}.",
            times_in_words(same.len())
        ))),
    }
}

/// What was heard, as JSON; pings and such are left out.
fn all(heard: &[Heard]) -> Result<Vec<Value>, Failure> {
    let texts = heard.iter().filter_map(|heard| match &heard.message {
        Message::Text(text) => Some(text),
        _ => None,
    });
    texts
        .map(|text| {
            serde_json::from_str(text)
                .map_err(|_| Failure::broken(format!("The server sent {text:?}, which is not JSON.")))
        })
        .collect()
}

fn is_about(message: &Value, kind: &str, name: &str) -> bool {
    message["type"] == kind && message["name"] == name
}

fn times_in_words(times: usize) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// The type of a message of the floor.
fn kind(moment: &Moment) -> Option<String> {
    let What::Message(Data::Json(json)) = &moment.what else { return None };
    serde_json::from_str::<Value>(json).ok()?["type"].as_str().map(str::to_owned)
}

/// Who is told that somebody came is TODO 2, and that somebody went TODO 3.
fn say_nothing_of_coming_and_going(bench: &Bench) {
    bench.leave_out(|moment| matches!(kind(moment).as_deref(), Some("entered" | "left")));
}

/// Makes right answers alike when the play is over, however it ends.
struct Told(Bench);

impl Told {
    fn on(bench: &Bench) -> Self {
        Self(bench.clone())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.0.retell_all(|moment| match &mut moment.what {
            What::Message(data @ Data::Json(_)) => plain(data),
            What::Close(_, reason) => reason.clear(),
            _ => {}
        });
    }
}

/// A message without what the contract leaves open: the words of an error, and fields that nobody asked for.
fn plain(data: &mut Data) {
    let Data::Json(json) = &*data else { return };
    if json.len() > 500 {
        *data = Data::Bytes(json.len());
        return;
    }
    let Ok(mut message) = serde_json::from_str::<Value>(json) else { return };
    let fields: &[&str] = match message["type"].as_str() {
        Some("joined") => &["type", "room", "members"],
        Some("entered" | "left") => &["type", "name"],
        Some("said") => &["type", "id", "from", "text"],
        Some("error") => {
            message["reason"] = json!("…");
            &["type", "reason"]
        }
        _ => return,
    };
    if let Some(message) = message.as_object_mut() {
        message.retain(|field, _| fields.contains(&field.as_str()));
    }
    *data = Data::of_text(&message.to_string());
}

/// A room that nobody can know beforehand.
fn room(bench: &Bench) -> String {
    ["general", "banks", "telecoms", "energy"][bench.draw(4) as usize].to_owned()
}

/// Something to say, with an ID, that nobody can know beforehand.
fn words(bench: &Bench) -> (String, String) {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    let price = 5_000 + 25 * bench.draw(100);
    (format!("id-{}", bench.draw(1_000_000)), format!("{symbol} at {price}?"))
}
