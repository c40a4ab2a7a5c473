//! TODO 6: the client comes back, unless the floor means it.

use std::time::Duration;

use grader::{
    Bench, Check, Disturbance, Failure, scene, sweep,
    wire::{Place, What, ws::Message},
};

use serde_json::json;

use super::client::{
    FILE, Floor, Loss, SOON, Told, close, expect_status, is_request, leave_out_leave, plain_or, say, shown,
};
use super::crowd::Crowd;

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_comes_back_unless_it_was_sent_away",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "log `event.code` in the close listener, and stop the lab's server with Ctrl-C: which code comes, and does `error` fire before it?",
    scenes: &[
        scene!(
            todo_6_after_a_cut,
            ["6.returns", "6.waits", "6.join", "6.once", "6.one", "6.reset"],
            "The connection is cut. Later the floor goes away for a moment, with code 1001."
        ),
        scene!(
            todo_6_called_back,
            ["6.returns"],
            "The floor closes the connection, with codes that pass and without one."
        ),
        scene!(
            todo_6_sent_away,
            ["6.final"],
            "The floor closes the connection, with codes that will be the same the next time."
        ),
        scene!(
            todo_6_for_minutes,
            ["6.waits", "6.one", "6.cap", "6.random"],
            "For minutes the floor cannot be reached."
        ),
        scene!(
            todo_6_with_more_patience,
            ["6.not-by-open", "6.random", "6.reset"],
            "The floor cannot be reached, then it opens and closes at once; at last it lets Ann in, and is lost again."
        ),
        scene!(todo_6_two_clients, ["6.random"], "Two clients cannot reach the floor, at the same time."),
        scene!(todo_6_silence, ["6.silence"], "For a quarter of an hour the floor says nothing."),
        scene!(
            todo_6_left_while_waiting,
            ["6.left"],
            "The connection is lost, and Ann leaves while the client waits to come back."
        ),
        sweep!(
            todo_6_at_every_moment,
            ["6.one", "6.join", "6.returns", "6.left"],
            [Disturbance::Refuse, Disturbance::Abort, Disturbance::AbortInside],
            "Ann is on the floor, and it goes away for a moment."
        ),
    ],
};

async fn todo_6_after_a_cut(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let socket = floor.first().await?;
    let first = floor.price(1);
    socket.send_json(&first);
    bench.wait_ms(100).await;
    let lost = bench.now();
    bench.cut().await;
    expect_status(&bench, "reconnecting", "6.returns", "The connection was cut")?;
    let (asked, _) = floor.comes_back(lost, 0, Loss::LetIn).await?;
    let socket = floor.again(asked).await?;
    let second = floor.price(2);
    socket.send_json(&second);
    bench.wait_ms(100).await;
    expect_prices(&bench, &[&first, &second])?;
    let lost = bench.now();
    socket.close(1001, "");
    bench.wait_ms(100).await;
    expect_status(
        &bench,
        "reconnecting",
        "6.returns",
        "The floor has closed the connection with 1001, *going away*: it will be back",
    )?;
    let (asked, _) = floor.comes_back(lost, 0, Loss::LetIn).await?;
    let socket = floor.again(asked).await?;
    let third = floor.price(3);
    socket.send_json(&third);
    bench.wait_ms(100).await;
    expect_prices(&bench, &[&first, &second, &third])?;
    floor.only_one(20).await
}

async fn todo_6_with_more_patience(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let mut asked = floor.asked().await?;
    let mut places = Vec::new();
    for round in 0..4 {
        // Twice it is refused, twice it opens and closes before it has said `joined`.
        let (lost, loss) = if round < 2 {
            asked.status(plain_or(&bench, 503_u16, &[502, 500, 429, 403, 404, 200]));
            bench.wait_ms(20).await;
            (bench.last_moment(|moment| matches!(moment.what, What::Response { .. })), Loss::NeverOpened)
        } else {
            let mut socket = asked.upgrade().await?;
            floor.expect_join(&mut socket, "6.join").await?;
            if round == 3 {
                // Something is said, and it is not `joined`.
                socket.send_json(&json!({ "type": "error", "reason": "The floor is full." }));
            }
            close(&socket, plain_or(&bench, Some(1013), &[Some(1001), Some(1011), Some(1012), None]));
            socket.next(SOON).await;
            let lost = bench.last_moment(|moment| {
                moment.place == Place::ToClient && matches!(moment.what, What::Close(..))
            });
            (lost, Loss::OnlyOpened)
        };
        let lost = lost.unwrap_or_else(|| bench.now());
        let waited;
        (asked, waited) = floor.comes_back(lost, round, loss).await?;
        let whole = 1_000 << round;
        places.push(waited.saturating_sub(whole / 2) * 200 / whole);
    }
    if places.iter().all(|place| place.abs_diff(places[0]) <= 5) {
        return Err(Failure::of(
            "6.random",
            "Every wait ends at the same place between half and whole: clients that lost the floor together come back together. Make each wait random.",
        ));
    }
    let _socket = floor.again(asked).await?;
    bench.wait_ms(500).await;
    bench.note("after a connection that was let in the waits start over");
    let lost = bench.now();
    bench.cut().await;
    let (asked, _) = floor.comes_back(lost, 0, Loss::LetIn).await?;
    let _socket = floor.again(asked).await?;
    floor.only_one(20).await
}

async fn todo_6_for_minutes(bench: Bench) -> Result<(), Failure> {
    if bench.seed() > 2 {
        // A third draw shows nothing more.
        return Ok(());
    }
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut asked = floor.asked().await?;
    let mut longest = Vec::new();
    for round in 0..plain_or(&bench, 9_u32, &[16]) {
        if round == 2 && !bench.is_plain() {
            // What the browser says of the network is not what the network does.
            page.set_online(false);
        }
        asked.status(503);
        bench.wait_ms(20).await;
        let lost = bench.last_moment(|moment| matches!(moment.what, What::Response { .. }));
        let waited;
        (asked, waited) =
            floor.comes_back(lost.unwrap_or_else(|| bench.now()), round.min(20), Loss::NeverOpened).await?;
        if round == 0 {
            floor.no_other_beside(2_000).await?;
        }
        if round >= 5 {
            longest.push(waited);
        }
    }
    if longest.iter().all(|waited| waited.abs_diff(longest[0]) <= 300) {
        return Err(Failure::of(
            "6.random",
            format!(
                "The longest waits are all {} s: the 30 s are random from half to the whole, too.",
                longest[0] / 1_000
            ),
        ));
    }
    Ok(())
}

async fn todo_6_two_clients(bench: Bench) -> Result<(), Failure> {
    if !bench.is_plain() {
        // Another draw shows nothing more.
        return Ok(());
    }
    bench.leave_out(|moment| !matches!(moment.what, What::Note(_)));
    let floor = Floor::open(&bench);
    let _pages = [
        floor.enter_as(bench.page_of('A', &["joinFloor"])?)?,
        floor.enter_as(bench.page_of('B', &["joinFloor"])?)?,
    ];
    floor.server.answer_all(|asked| async move { asked.status(503) });
    bench.wait_s(20).await;
    let waits = |client| {
        let asked: Vec<u64> = bench
            .recording()
            .into_iter()
            .filter(|(_, moment)| is_request(moment) && moment.client == Some(client))
            .map(|(at, _)| at)
            .collect();
        asked.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let (ann, bob) = (waits('A'), waits('B'));
    if ann.len() < 3 || bob.len() < 3 {
        return Err(Failure::of(
            "6.returns",
            "For 20 s the floor answered two clients with 503, and one of them did not come back three times.",
        ));
    }
    // Their connections are not equally long.
    if ann.iter().zip(&bob).take(3).all(|(ann, bob)| ann.abs_diff(*bob) <= 40) {
        return Err(Failure::of(
            "6.random",
            format!(
                "Two clients that lost the floor together came back together, three times: after {:?} ms and {:?} ms. What a client can compute is not random.",
                &ann[..3],
                &bob[..3]
            ),
        ));
    }
    bench.note("two clients that could not reach the floor did not come back together");
    Ok(())
}

/// Codes after which coming back would meet the same answer.
const FINAL: [u16; 12] = [1000, 4001, 1009, 1002, 4000, 1008, 1003, 4999, 1010, 1007, 4400, 4998];

async fn todo_6_sent_away(bench: Bench) -> Result<(), Failure> {
    let _told = Told::without_ids(&bench);
    let mut floor = Floor::open(&bench);
    // All three plays together take all codes.
    let codes = FINAL.into_iter().skip(bench.seed() as usize - 1).step_by(3);
    for (client, code) in ('A'..).zip(codes) {
        let page = floor.enter_as(bench.page_of(client, &["joinFloor"])?)?;
        let mut socket = floor.first_of(client).await?;
        let text = super::client::words(&bench);
        say(&page, &text)?;
        super::client::expect_say(&mut socket, &text, "5.once").await?;
        socket.close(code, "");
        floor
            .quiet(
                300,
                "6.final",
                &format!("The floor has closed the connection with code {code}, which is final; the client came back"),
            )
            .await?;
        page.eval("try { floor.say('Is anybody there?'); } catch { /* as it likes */ }")?;
        let words =
            "The floor has closed the connection for good, and what was said after that opened another";
        floor.quiet(10, "6.final", words).await?;
        let told = floor.status_of(client);
        if told.as_deref() != Some("closed") {
            return Err(Failure::of(
                "6.final",
                format!(
                    "The floor has closed the connection with code {code}, which is final; the page still says `{}` instead of `closed`.",
                    told.unwrap_or_default()
                ),
            ));
        }
    }
    Ok(())
}

/// Codes after which it is worth coming back, and the end without one.
const PASSING: [Option<u16>; 8] =
    [Some(1001), None, Some(1011), Some(1012), Some(1013), Some(3000), Some(3008), Some(3999)];

async fn todo_6_called_back(bench: Bench) -> Result<(), Failure> {
    if bench.seed() > 2 {
        // A third draw shows nothing more.
        return Ok(());
    }
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let mut socket = floor.first().await?;
    for code in PASSING {
        let lost = bench.now();
        close(&socket, code);
        let how = code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"));
        bench.wait_ms(100).await;
        expect_status(
            &bench,
            "reconnecting",
            "6.returns",
            &format!("The floor has closed the connection {how}, which is not among the final ones"),
        )?;
        let (asked, _) = floor.comes_back(lost, 0, Loss::LetIn).await?;
        socket = floor.again(asked).await?;
    }
    Ok(())
}

async fn todo_6_silence(bench: Bench) -> Result<(), Failure> {
    if !bench.is_plain() {
        // Another draw shows nothing more.
        return Ok(());
    }
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let mut socket = floor.first().await?;
    let words = "The floor had nothing to say, and the client opened another connection: the floor's pings do not reach a page, so its silence proves nothing";
    floor.quiet(15 * 60, "6.silence", words).await?;
    while let Some(heard) = socket.next(Duration::ZERO).await {
        if let Message::Close(..) = heard.message {
            return Err(Failure::of(
                "6.silence",
                "The floor had nothing to say, and the client closed the connection.",
            ));
        }
    }
    expect_status(&bench, "live", "6.silence", "The connection is open, and nothing has ended it")
}

async fn todo_6_left_while_waiting(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    leave_out_leave(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    floor.asked().await?.status(503);
    bench.wait_ms(200).await;
    expect_status(&bench, "reconnecting", "6.returns", "The floor could not be reached")?;
    bench.note("Ann leaves");
    page.eval(bench.pick(&["stop.abort()", "floor.leave()", "stop.abort('enough')"]))?;
    floor
        .quiet(
            60,
            "6.left",
            "Ann left while the client waited to come back, and it came back: clear the timer",
        )
        .await
}

async fn todo_6_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let crowd = Crowd::on(floor, Some(Duration::from_millis(300)));
    bench.wait_s(90).await;
    crowd.one_at_a_time()?;
    crowd.silent_after_abort("6.left")?;
    match bench.disturbance() {
        Some((Disturbance::Abort | Disturbance::AbortInside, _)) => Ok(()),
        _ => crowd.is_back(),
    }
}

/// The market's prices were shown, each once.
fn expect_prices(bench: &Bench, prices: &[&serde_json::Value]) -> Result<(), Failure> {
    let shown = shown(bench, "price");
    if shown.iter().collect::<Vec<_>>() == prices {
        return Ok(());
    }
    Err(if shown.len() > prices.len() {
        Failure::of(
            "6.once",
            format!(
                "The floor sent {} prices, and {} were shown: is there a listener, or a connection, left over from before the return?",
                prices.len(),
                shown.len()
            ),
        )
    } else {
        Failure::of(
            "5.shows",
            format!("The floor sent {} prices, and {} were shown.", prices.len(), shown.len()),
        )
    })
}
