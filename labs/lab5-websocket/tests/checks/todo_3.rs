//! TODO 3: gone is gone.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Check, Disturbance, Failure, Mark, Socket, scene, sweep,
    wire::{
        What, When,
        ws::{Frame, Message, Opcode},
    },
};
use serde_json::json;

use super::server::{
    End, FILE, SOON, all, connect, is_about, join, joined, kind, of_type, say_join, serve, still_open,
    times_in_words, two_in_a_room, until_left,
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_gone_is_gone_however_it_went",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "cargo run -p lab5, open its page in two browsers, and in each console: s = new WebSocket('/floor'); s.onmessage = (e) => console.log(e.data); then s.send('{\"type\":\"join\",\"room\":\"general\",\"name\":\"Ann\"}'). Stop one browser with kill -STOP, and count the seconds until the other hears of it.",
    scenes: &[
        scene!(todo_3_by_a_close_frame, ["3.close", "3.once", "3.seat"], "Bob closes his connection."),
        scene!(todo_3_by_leave, ["3.leave", "3.once", "3.seat"], "Bob says that he leaves."),
        scene!(todo_3_by_an_error, ["3.error", "3.once", "3.seat"], "Bob's connection is cut."),
        scene!(
            todo_3_by_silence,
            ["3.silence", "3.pings", "3.once", "3.seat"],
            "Bob's connection stands, and nobody answers on it any more. Ann is quiet, and answers every ping."
        ),
        scene!(
            todo_3_while_prices_move,
            ["3.signs", "3.pings"],
            "Prices move every second and Ann talks. Bob's connection stands, and nobody answers on it."
        ),
        scene!(todo_3_not_yet, ["3.one-late"], "Bob answers every second ping only, for four minutes."),
        scene!(
            todo_3_pings_of_his_own,
            ["3.alive"],
            "Bob sends pings, too, and pongs that nobody asked for."
        ),
        scene!(
            todo_3_another_of_the_name,
            ["3.seat", "3.once"],
            "Bob's connection is lost, and he is back before anybody has noticed."
        ),
        sweep!(
            todo_3_at_every_moment,
            ["3.once", "3.seat"],
            [Disturbance::ClientGone],
            "Ann, Bob and Cid come and talk, and Bob leaves."
        ),
    ],
};

async fn todo_3_by_a_close_frame(bench: Bench) -> Result<(), Failure> {
    let (mut ann, bob, _feed, _told) = two_in_a_room(&bench, End::Told).await?;
    let code = bench.pick(&[Some(1000), Some(1001), None, Some(4000), Some(3000)]);
    bob.send(&Frame::close(code, ""));
    gone(&bench, &mut ann, "3.close", "Bob closed his connection").await
}

async fn todo_3_by_leave(bench: Bench) -> Result<(), Failure> {
    let (mut ann, mut bob, _feed, _told) = two_in_a_room(&bench, End::Told).await?;
    // The others need not wait until Bob's program answers.
    bob.fall_silent();
    bob.send_json(&json!({ "type": "leave" }));
    gone(&bench, &mut ann, "3.leave", "Bob said `leave`").await?;
    let (code, _) = bob
        .closed(SOON, "Bob said `leave`, and his connection was not closed with a close frame.")
        .await
        .map_err(|failure| failure.or_of("3.leave"))?;
    if code == Some(1000) {
        return Ok(());
    }
    Err(Failure::of(
        "3.leave",
        format!(
            "Bob said `leave`, and his connection was closed {}; it should be 1000: a client that hears another code may come back.",
            code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"))
        ),
    ))
}

async fn todo_3_by_an_error(bench: Bench) -> Result<(), Failure> {
    let (mut ann, bob, _feed, _told) = two_in_a_room(&bench, End::Told).await?;
    if bench.seed() == 2 {
        // A process that dies: the connection ends without a close frame.
        drop(bob);
        return gone(&bench, &mut ann, "3.error", "Bob's connection ended without a close frame").await;
    }
    bench.cut_of('B').await;
    gone(&bench, &mut ann, "3.error", "Bob's connection was cut").await
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
    let (mut ann, mut bob, _feed, _told) = two_in_a_room(&bench, End::Open).await?;
    let began = bench.now();
    bob.fall_silent();
    let left = until_left(&mut ann, "Bob", Duration::from_millis(61_000)).await;
    still_open(
        &ann,
        "3.one-late",
        "Ann said nothing for a minute, and answered every ping; her connection was closed all the same.",
    )?;
    let pings = pings(&mut bob).await;
    every_20_s(began, &pings, "")?;
    let base = bench.told_at(began);
    bench.retell_all(|moment| {
        if moment.what == What::Ping && moment.client == Some('B') {
            moment.when = When::Within(base, base + 20_000);
        }
    });
    in_time(&bench, began, left, &pings, "3.silence", "")?;
    let _cid = once_and_no_ghost(&bench, &mut ann, "Bob fell silent").await?;
    bench.wait_s(15).await;
    while bob.next(Duration::ZERO).await.is_some() {}
    if bob.has_ended() {
        return Ok(());
    }
    Err(Failure::of(
        "3.silence",
        "Bob is gone, and the server holds on to his connection: nobody will ever close it.",
    ))
}

/// The pings that came so far.
async fn pings(socket: &mut Socket) -> Vec<Mark> {
    let mut pings = Vec::new();
    while let Some(heard) = socket.next(Duration::ZERO).await {
        if matches!(heard.message, Message::Ping(_)) {
            pings.push(heard.at);
        }
    }
    pings
}

/// No 20 seconds were without a ping.
fn every_20_s(began: Mark, pings: &[Mark], circumstances: &str) -> Result<(), Failure> {
    if pings.is_empty() {
        return Err(Failure::of(
            "3.pings",
            format!(
                "No ping came in a minute{circumstances}: a connection that fails in silence looks like a quiet one, until somebody asks."
            ),
        ));
    }
    let mut before = began;
    for &ping in pings {
        if ping.since(before) > 20_500 {
            return Err(Failure::of(
                "3.pings",
                format!("No ping came for {} ms{circumstances}; one is due every 20 s.", ping.since(before)),
            ));
        }
        before = ping;
    }
    Ok(())
}

/// Bob, who has been silent since `began`, is gone after 40 to 61 s.
fn in_time(
    bench: &Bench,
    began: Mark,
    left: Option<Mark>,
    pings: &[Mark],
    clause: &'static str,
    circumstances: &str,
) -> Result<(), Failure> {
    let Some(left) = left else {
        return Err(Failure::of(
            clause,
            format!(
                "Bob has answered nothing for 61 s, {} pings among it{circumstances}, and he is still a member: a ghost.{}",
                pings.len(),
                if clause == "3.signs" {
                    " Only what Bob sends may set his count back, and the count must outlive `heard`: `talk` drops that call at every price."
                } else {
                    ""
                }
            ),
        ));
    };
    let silent = left.since(began);
    if silent < 40_000 {
        return Err(Failure::of(
            "3.one-late",
            format!(
                "Bob was silent for {silent} ms{circumstances} and is gone: two pings in a row must be missed, which takes 40 s at least."
            ),
        ));
    }
    bench.leave_open(began, (40_000, 61_000), |moment| {
        moment.client == Some('A') && kind(moment).as_deref() == Some("left")
    });
    Ok(())
}

async fn todo_3_while_prices_move(bench: Bench) -> Result<(), Failure> {
    bench.leave_out(|moment| matches!(kind(moment).as_deref(), Some("say" | "said" | "price")));
    let (mut ann, mut bob, feed, _told) = two_in_a_room(&bench, End::Open).await?;
    bench.note("from here on a price moves every second, and Bob is silent");
    let began = bench.now();
    bob.fall_silent();
    for second in 0..61 {
        publish(&bench, &feed).await;
        if second % 7 == 3 {
            ann.send_json(&json!({ "type": "say", "id": second.to_string(), "text": "Sold." }));
        }
        bench.wait_s(1).await;
    }
    let pings = pings(&mut bob).await;
    let circumstances = " while a price moved every second";
    every_20_s(began, &pings, circumstances)?;
    let mut left = None;
    while let Some(heard) = ann.next(Duration::ZERO).await {
        if all(std::slice::from_ref(&heard))?.iter().any(|message| is_about(message, "left", "Bob")) {
            left = left.or(Some(heard.at));
        }
    }
    in_time(&bench, began, left, &pings, "3.signs", circumstances)?;
    still_open(
        &ann,
        "3.one-late",
        "Ann answered every ping while prices moved; her connection was closed all the same.",
    )
}

async fn publish(bench: &Bench, feed: &Feed) {
    feed.publish(json!({ "symbol": "BBCA", "price": 5_000 + 25 * bench.draw(100) })).await;
}

async fn todo_3_not_yet(bench: Bench) -> Result<(), Failure> {
    let (mut ann, mut bob, feed, _told) = two_in_a_room(&bench, End::Open).await?;
    bob.fall_silent();
    let until = Duration::from_secs(240);
    let began = bench.now();
    let lively = (!bench.is_plain()).then(|| {
        let bench = bench.clone();
        tokio::task::spawn_local(async move {
            loop {
                bench.wait_s(5).await;
                publish(&bench, &feed).await;
            }
        })
    });
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
    if let Some(lively) = lively {
        lively.abort();
    }
    if bob.has_ended() || all(&ann.listen(SOON).await)?.iter().any(|message| message["type"] == "left") {
        return Err(Failure::of(
            "3.one-late",
            format!(
                "Bob answered every second ping, and he was taken for gone after {pings}: one pong may be late, only two in a row are silence.",
            ),
        ));
    }
    bench.note("four minutes later");
    let mut cid = connect(&bench, 'C').await?;
    say_join(&cid, "general", "Cid");
    joined(
        &mut cid,
        "general",
        &["Ann", "Bob", "Cid"],
        "3.one-late",
        "Bob answered every second ping; then Cid joined",
    )
    .await
}

async fn todo_3_pings_of_his_own(bench: Bench) -> Result<(), Failure> {
    let (mut ann, mut bob, _feed, _told) = two_in_a_room(&bench, End::Open).await?;
    bench.note("Bob sends pings and pongs");
    for payload in [&b""[..], b"still there?", &[0xFF; 125]] {
        bob.send(&Frame::whole(Opcode::Ping, payload));
        bench.wait_ms(100).await;
        bob.send(&Frame::whole(Opcode::Pong, payload));
        bench.wait_ms(100).await;
    }
    bob.listen(Duration::ZERO).await;
    if bob.has_ended() || until_left(&mut ann, "Bob", SOON).await.is_some() {
        return Err(Failure::of(
            "3.alive",
            "Bob sent a ping of his own, and was taken for gone: a ping is the surest sign that somebody is there.",
        ));
    }
    let mut cid = connect(&bench, 'C').await?;
    say_join(&cid, "general", "Cid");
    joined(&mut cid, "general", &["Ann", "Bob", "Cid"], "3.alive", "Bob sent pings; then Cid joined").await
}

async fn todo_3_another_of_the_name(bench: Bench) -> Result<(), Failure> {
    let (mut ann, bob, _feed, _told) = two_in_a_room(&bench, End::Open).await?;
    let mut again = connect(&bench, 'C').await?;
    join(&mut again, "general", "Bob", &["Ann", "Bob", "Bob"]).await?;
    bench.note("the first Bob's connection ends");
    match bench.seed() {
        1 => bench.cut_of('B').await,
        2 => bob.close(1001, ""),
        _ => bob.send_json(&json!({ "type": "leave" })),
    }
    bench.wait(SOON).await;
    again.listen(Duration::ZERO).await;
    still_open(&again, "3.seat", "One of two Bobs went, and the other's connection was closed with it.")?;
    let times =
        all(&ann.listen(SOON).await)?.iter().filter(|message| is_about(message, "left", "Bob")).count();
    if times != 1 {
        return Err(Failure::of(
            "3.once",
            format!(
                "One of two Bobs is gone, and Ann should hear of it by `left` once; she heard it {}.",
                times_in_words(times)
            ),
        ));
    }
    let mut dora = connect(&bench, 'D').await?;
    say_join(&dora, "general", "Dora");
    joined(
        &mut dora,
        "general",
        &["Ann", "Bob", "Dora"],
        "3.seat",
        "Of two Bobs the first is gone; then Dora joined",
    )
    .await
}

async fn todo_3_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let feed = serve(&bench);
    let mut ann = connect(&bench, 'A').await?;
    join(&mut ann, "general", "Ann", &["Ann"]).await?;
    let mut eve = connect(&bench, 'E').await?;
    join(&mut eve, "metals", "Eve", &["Eve"]).await?;
    let bobs = {
        let bench = bench.clone();
        tokio::task::spawn_local(async move {
            let stay = async {
                let mut bob = connect(&bench, 'B').await?;
                say_join(&bob, "general", "Bob");
                for number in 0..2 {
                    bench.wait_ms(60).await;
                    bob.send_json(&json!({ "type": "say", "id": format!("bob-{number}"), "text": "Sold." }));
                }
                bench.wait_ms(60).await;
                bob.send_json(&json!({ "type": "leave" }));
                bob.listen(SOON).await;
                Ok::<_, Failure>(())
            };
            // Whatever is dropped here ends without a close frame.
            tokio::select! {
                biased;
                _ = stay => {}
                _ = bench.disturbed() => {}
            }
        })
    };
    bench.wait_ms(50).await;
    let mut cid = connect(&bench, 'C').await?;
    say_join(&cid, "general", "Cid");
    for number in 0..2 {
        bench.wait_ms(60).await;
        cid.send_json(&json!({ "type": "say", "id": format!("cid-{number}"), "text": "Bought." }));
        publish(&bench, &feed).await;
    }
    bench.wait_s(2).await;
    bobs.abort();
    bench.wait_s(1).await;
    for (name, socket) in [("Ann", &mut ann), ("Cid", &mut cid)] {
        let heard = all(&socket.listen(Duration::ZERO).await)?;
        let times = |kind: &str| heard.iter().filter(|message| is_about(message, kind, "Bob")).count();
        let was_there = heard.iter().any(|message| {
            message["members"].as_array().is_some_and(|members| members.contains(&json!("Bob")))
        });
        let came = times("entered") + usize::from(was_there);
        if times("left") != came {
            return Err(Failure::of(
                "3.once",
                format!(
                    "{name} knew {} of a Bob who came, and heard {} that he left.",
                    if came == 0 { "nothing".to_owned() } else { times_in_words(came) },
                    times_in_words(times("left"))
                ),
            ));
        }
    }
    if let Some(message) = of_type(&all(&eve.listen(Duration::ZERO).await)?, "left").first() {
        return Err(Failure::of("3.once", format!("Eve is in another room, and heard {message}.")));
    }
    let mut dora = connect(&bench, 'D').await?;
    say_join(&dora, "general", "Dora");
    joined(&mut dora, "general", &["Ann", "Cid", "Dora"], "3.seat", "Bob is gone; then Dora joined").await
}

/// Ann hears that Bob has left, once, and he is no member any more.
async fn gone(bench: &Bench, ann: &mut Socket, clause: &'static str, because: &str) -> Result<(), Failure> {
    if until_left(ann, "Bob", SOON).await.is_none() {
        return Err(Failure::of(
            clause,
            format!(
                "{because}, and Ann was not told `left`: to her he is still there, and will never answer."
            ),
        ));
    }
    once_and_no_ghost(bench, ann, because).await?;
    Ok(())
}

/// `left` does not come again, and whoever comes now does not find Bob.
async fn once_and_no_ghost(bench: &Bench, ann: &mut Socket, because: &str) -> Result<Socket, Failure> {
    if until_left(ann, "Bob", SOON).await.is_some() {
        return Err(Failure::of("3.once", format!("{because}, and Ann was told `left` twice.")));
    }
    let mut cid = connect(bench, 'C').await?;
    say_join(&cid, "general", "Cid");
    joined(&mut cid, "general", &["Ann", "Cid"], "3.seat", &format!("{because}; then Cid joined")).await?;
    bench.wait_ms(100).await;
    Ok(cid)
}
