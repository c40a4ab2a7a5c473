//! TODO 5: the client joins first, and what is said too early waits.

use grader::{
    Bench, Check, Disturbance, Failure, Page, Socket, scene, sweep,
    wire::{What, transcript::Data, ws::Message},
};
use serde_json::json;

use super::client::{
    FILE, Floor, SOON, Told, all_shown, expect_say, expect_status, is_farewell, leave_out_leave, named, say,
    texts,
};
use super::crowd::Crowd;

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_joins_first_and_lets_words_wait",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "in any page's console: s = new WebSocket('wss://example.org'); s.send('hello') and read what is thrown.",
    scenes: &[
        scene!(
            todo_5_said_too_early,
            ["5.never-throws", "5.url", "5.join", "5.live", "5.waits", "5.once"],
            "Ann speaks before the connection is open, and again before the floor has let her in."
        ),
        scene!(
            todo_5_shows_everything,
            ["5.shows", "5.live"],
            "People come, talk and go, prices move, and one of them does not move at all."
        ),
        scene!(todo_5_leaves, ["5.leave"], "Ann leaves. The page goes on."),
        scene!(
            todo_5_leaves_early,
            ["5.leave"],
            "Ann leaves while the connection is being opened, and again before the floor has let her in."
        ),
        scene!(
            todo_5_never_begins,
            ["5.never-begins"],
            "The signal was aborted before the client is called."
        ),
        sweep!(
            todo_5_at_every_moment,
            ["5.leave"],
            [Disturbance::Abort, Disturbance::AbortInside],
            "Ann and Bob talk, and Ann's signal is aborted."
        ),
    ],
};

async fn todo_5_said_too_early(bench: Bench) -> Result<(), Failure> {
    let _told = Told::without_ids(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let texts = texts(&bench, 4);
    say(&page, &texts[0])?;
    say(&page, &texts[1])?;
    let asked = floor.asked().await?;
    bench.wait_ms(100).await;
    let mut socket = asked.upgrade().await?;
    floor.expect_join(&mut socket, "5.join").await?;
    say(&page, &texts[2])?;
    if let Some(heard) = socket.next(SOON).await {
        let words = named(&heard.message);
        return Err(if words.contains(r#""join""#) {
            Failure::of(
                "5.join",
                "The client has said `join`, and says it a second time on the same connection.",
            )
        } else {
            Failure::of(
                "5.waits",
                format!(
                    "The floor has not said `joined` yet, and the client sends {words}: a floor that does not let Ann in will refuse it, and it is lost."
                ),
            )
        });
    }
    if bench.said("status").iter().any(|status| *status == Data::Text("live".to_owned())) {
        return Err(Failure::of(
            "5.live",
            "The connection is open, and the floor has not said `joined` yet; the page says `live` already.",
        ));
    }
    floor.let_in(&socket);
    let mut said = Vec::new();
    for text in &texts[..3] {
        said.push(expect_say(&mut socket, text, "5.waits").await?);
    }
    expect_status(&bench, "live", "5.live", "The floor has said `joined`")?;
    bench.wait_ms(100).await;
    say(&page, &texts[3])?;
    said.push(expect_say(&mut socket, &texts[3], "5.once").await?);
    if let Some(heard) = socket.next(SOON * 40).await {
        return Err(Failure::of(
            "5.once",
            format!(
                "Four things were said on one connection, and the client sends one more message: {}.",
                named(&heard.message)
            ),
        ));
    }
    floor.only_one(20).await
}

async fn todo_5_shows_everything(bench: Bench) -> Result<(), Failure> {
    let _told = Told::without_ids(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    let texts = texts(&bench, 2);
    let price = floor.price(1);
    let mut same_price = price.clone();
    same_price["seq"] = json!(2);
    let mut messages = vec![json!({ "type": "joined", "room": floor.room, "members": [floor.name] })];
    let floor_says = [
        json!({ "type": "entered", "name": "Bob" }),
        price,
        json!({ "type": "said", "id": "bob-1", "from": "Bob", "text": texts[0] }),
        same_price,
        json!({ "type": "left", "name": "Bob" }),
        json!({ "type": "entered", "name": "Bob" }),
        json!({ "type": "error", "reason": "Join a room first." }),
        json!({ "type": "left", "name": "Bob" }),
    ];
    for message in &floor_says {
        socket.send_json(message);
        bench.wait_ms(100).await;
    }
    messages.extend(floor_says);
    say(&page, &texts[1])?;
    let mine = expect_say(&mut socket, &texts[1], "5.once").await?;
    // What becomes of the client's own words is TODO 8.
    let _ = mine;
    let shown = all_shown(&bench);
    let Some(place) =
        (0..messages.len().max(shown.len())).find(|&place| shown.get(place) != messages.get(place))
    else {
        return Ok(());
    };
    Err(Failure::of(
        "5.shows",
        match (messages.get(place), shown.get(place)) {
            (Some(sent), None) => format!("The floor sent {sent}, and `show` was not called with it."),
            (Some(sent), Some(shown)) => {
                format!("The floor sent {sent}, and `show` was called with {shown} in its place.")
            }
            (None, _) => format!("`show` was called once more than the floor spoke, with {}.", shown[place]),
        },
    ))
}

/// How the page ends it.
fn go(bench: &Bench, page: &Page) -> Result<(), Failure> {
    let plain = "floor.leave()";
    Ok(page.eval(bench.pick(&[
        plain,
        "stop.abort()",
        "stop.abort(new Error('The tab is closed.'))",
        "floor.leave(); stop.abort(); floor.leave()",
    ]))?)
}

/// Says something after the end. Whether that throws is open.
fn say_after_the_end(page: &Page) -> Result<(), Failure> {
    Ok(page.eval("try { floor.say('Is anybody there?'); } catch { /* as it likes */ }")?)
}

async fn todo_5_leaves(bench: Bench) -> Result<(), Failure> {
    let _told = Told::without_ids(&bench);
    leave_out_leave(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    bench.wait_ms(100).await;
    go(&bench, &page)?;
    let shown = all_shown(&bench).len();
    // What is in transit when she leaves arrives after that.
    let late = json!({ "type": "entered", "name": "Bob" });
    socket.send_json(&late);
    bench.leave_out(
        |moment| matches!(&moment.what, What::Message(data) if format!("{data:?}").contains("entered")),
    );
    let (code, _) = socket
        .closed(SOON, "Ann has left, and her connection is still open: `close()` the WebSocket.")
        .await
        .map_err(|failure| failure.or_of("5.leave"))?;
    if let Some(code) = code.filter(|code| *code != 1000) {
        return Err(Failure::of(
            "5.leave",
            format!(
                "Ann has left, and her connection is closed with code {code}; it should be 1000, or no code."
            ),
        ));
    }
    bench.wait_ms(100).await;
    say_after_the_end(&page)?;
    floor.quiet(60, "5.leave", "Ann has left, and the client opened another connection").await?;
    if all_shown(&bench).len() > shown {
        return Err(Failure::of(
            "5.leave",
            format!("Ann has left, and `show` was called with {late} all the same."),
        ));
    }
    Ok(())
}

async fn todo_5_leaves_early(bench: Bench) -> Result<(), Failure> {
    let _told = Told::without_ids(&bench);
    leave_out_leave(&bench);
    // How a connection ends that is not needed any more is open.
    bench.leave_out(|moment| {
        matches!(moment.what, What::Close(..) | What::Abort | What::Cut | What::Response { .. })
    });
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    say(&page, "Hello?")?;
    let asked = floor.asked().await?;
    go(&bench, &page)?;
    bench.wait_ms(50).await;
    if let Ok(mut socket) = asked.upgrade().await {
        nothing_more(&mut socket).await?;
    }
    floor
        .quiet(60, "5.leave", "Ann left while the connection was being opened, and the client opened another")
        .await?;
    bench.note("she comes again, and leaves before the floor has said `joined`");
    page.eval(&floor.joining())?;
    say(&page, "Hello?")?;
    let mut socket = floor.asked().await?.upgrade().await?;
    floor.expect_join(&mut socket, "5.join").await?;
    go(&bench, &page)?;
    floor.let_in(&socket);
    bench.leave_out(
        |moment| matches!(&moment.what, What::Message(data) if format!("{data:?}").contains("joined")),
    );
    nothing_more(&mut socket).await?;
    bench.wait_ms(100).await;
    say_after_the_end(&page)?;
    floor
        .quiet(
            60,
            "5.leave",
            "Ann left before the floor had said `joined`, and the client opened another connection",
        )
        .await?;
    match all_shown(&bench).first() {
        None => Ok(()),
        Some(shown) => Err(Failure::of(
            "5.leave",
            format!("Ann has left, and `show` was called with {shown} all the same."),
        )),
    }
}

/// The client says nothing more on this connection, but for `leave`, and closes it.
async fn nothing_more(socket: &mut Socket) -> Result<(), Failure> {
    while let Some(heard) = socket.next(SOON * 10).await {
        match heard.message {
            Message::Text(text) if !text.contains(r#""leave""#) => {
                return Err(Failure::of(
                    "5.leave",
                    format!("Ann has left, and the client sends {text} all the same."),
                ));
            }
            Message::Close(Some(code), _) if code != 1000 => {
                return Err(Failure::of(
                    "5.leave",
                    format!(
                        "Ann has left, and her connection is closed with code {code}; it should be 1000, or no code."
                    ),
                ));
            }
            Message::Close(..) => return Ok(()),
            _ => {}
        }
    }
    if socket.has_ended() {
        return Ok(());
    }
    Err(Failure::of(
        "5.leave",
        "Ann has left, and her connection is still open: `close()` the WebSocket, also one that is not open yet.",
    ))
}

async fn todo_5_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut floor = Floor::open(&bench);
    let page = bench.page(&["joinFloor"])?;
    bench.note("the signal was aborted from the beginning");
    page.eval(&floor.joining().replace("globalThis.floor", "stop.abort(); globalThis.floor"))?;
    say_after_the_end(&page)?;
    bench.leave_out(|moment| is_farewell(&moment.what));
    let words = "The signal was aborted before `joinFloor` was called, and the client opened a connection";
    floor.quiet(10, "5.never-begins", words).await?;
    Ok(page.eval("floor.leave()")?)
}

async fn todo_5_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let floor = Floor::open(&bench);
    let texts = texts(&bench, 3);
    let page = floor.enter()?;
    let crowd = Crowd::on(floor, None);
    for text in &texts {
        bench.wait_ms(40).await;
        say_unless_aborted(&page, text)?;
    }
    bench.wait_s(60).await;
    crowd.silent_after_abort("5.leave")
}

/// Says something. Once the signal is aborted, whether that throws is open.
pub(crate) fn say_unless_aborted(page: &Page, text: &str) -> Result<(), Failure> {
    let text = json!(text);
    Ok(page.eval(&format!(
        "try {{ floor.say({text}); }} catch (error) {{ if (!stop.signal.aborted) throw error; }}"
    ))?)
}
