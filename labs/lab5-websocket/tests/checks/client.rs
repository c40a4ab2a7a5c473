//! TODO 5 to 8: the client, in a page of its own, before a floor that says what the check says.

use std::time::Duration;

use grader::{
    Asked, Bench, Check, Failure, Mark, Page, Script, Socket, scene,
    wire::{Moment, Place, What, transcript::Data, ws::Message},
};
use serde_json::{Value, json};

const FILE: &str = "web/client.js";
const FLOOR: &str = "/floor";
/// Long enough for everything that should come at once.
const SOON: Duration = Duration::from_millis(200);

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_joins_first_and_lets_words_wait",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "in any page's console: s = new WebSocket('wss://example.org'); s.send('hello') and read what is thrown.",
    scenes: &[
        scene!(
            todo_5_said_too_early,
            "Ann speaks before the line is open, and again before the floor has let her in."
        ),
        scene!(todo_5_leaves, "Ann leaves. The page goes on."),
        scene!(todo_5_never_begins, "The signal was aborted before the client is called."),
    ],
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_comes_back_unless_it_was_sent_away",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "log `event.code` in the close listener, and stop the lab's server with Ctrl-C: which code comes, and does `error` fire before it?",
    scenes: &[
        scene!(
            todo_6_after_a_cut,
            "The line is cut. Later the floor goes away for a moment, with code 1001."
        ),
        scene!(
            todo_6_with_more_patience,
            "The floor cannot be reached, then it opens and closes at once; at last it lets Ann in, and is lost again."
        ),
        scene!(todo_6_closed_by_the_floor, "The floor closes the line with code 1000."),
        scene!(todo_6_sent_away, "The floor closes the line with a code of its own."),
        scene!(
            todo_6_left_while_waiting,
            "The line is lost, and Ann leaves while the client waits to come back."
        ),
    ],
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_shows_each_message_once_and_as_text",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "cargo run -p lab5-solution, open its page twice, and say <img src=x onerror=alert(1)>; then do it with your own client.",
    scenes: &[
        scene!(todo_7_said_twice, "The floor says one message twice, and another one in the same words."),
        scene!(todo_7_not_before_the_floor, "Ann says something, and the floor takes its time."),
        scene!(todo_7_as_text, "A name and words that look like HTML."),
    ],
};

pub(crate) const TODO_8: Check = Check {
    name: "todo_8_sends_again_what_was_not_acknowledged",
    todo: Some(8),
    file: FILE,
    section: "todo-8",
    experiment: "in the lab's page, say something while the server is stopped, then start it again.",
    scenes: &[
        scene!(
            todo_8_lost_on_the_way,
            "Of three messages the floor says the first. The line is cut, and Ann says a fourth."
        ),
        scene!(
            todo_8_only_the_answer_was_lost,
            "The floor has said it, but the line was cut before Ann heard of it."
        ),
        scene!(todo_8_two_clients, "Two clients say two things each."),
    ],
};

async fn todo_5_said_too_early(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let page = enter(&bench)?;
    let texts: Vec<String> = (0..4).map(|_| words(&bench)).collect();
    say(&page, &texts[0])?;
    say(&page, &texts[1])?;
    let asked = upgrade_asked(&mut server).await?;
    bench.wait_ms(100).await;
    let mut socket = asked.upgrade().await?;
    expect_join(&mut socket).await?;
    say(&page, &texts[2])?;
    if let Some(heard) = socket.next(SOON).await {
        return Err(Failure::broken(format!(
            "The floor has not said `joined` yet, and the client sends {}: a floor that does not let Ann in will refuse it, and it is lost.",
            shown(&heard.message)
        )));
    }
    let_in(&socket);
    let mut said = Vec::new();
    for text in &texts[..3] {
        said.push(expect_say(&mut socket, text).await?);
    }
    expect_status(&bench, "live", "The floor has said `joined`")?;
    bench.wait_ms(100).await;
    say(&page, &texts[3])?;
    said.push(expect_say(&mut socket, &texts[3]).await?);
    if let Some(heard) = socket.next(SOON).await {
        return Err(Failure::broken(format!(
            "Four things were said, and the client sends one more message: {}.",
            shown(&heard.message)
        )));
    }
    distinct(&said)?;
    server.quiet(Duration::from_secs(30), "One line is open; the client must not open another").await
}

async fn todo_5_leaves(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    leave_out_leave(&bench);
    let mut server = bench.script();
    let page = enter(&bench)?;
    let mut socket = first_line(&bench, &mut server).await?;
    bench.wait_ms(100).await;
    page.eval("floor.leave()")?;
    let (code, _) =
        socket.closed(SOON, "Ann has left, and her line is still open: `close()` the WebSocket.").await?;
    if code.is_some_and(|code| code != 1000) {
        return Err(Failure::broken(format!(
            "Ann has left, and her line is closed with code {}; the contract says 1000, or no code.",
            code.unwrap_or_default()
        )));
    }
    say(&page, "Is anybody there?")?;
    server.quiet(Duration::from_secs(60), "Ann has left; the client must ask for nothing more").await
}

async fn todo_5_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = bench.page(&["joinFloor"])?;
    bench.note("the signal was aborted from the beginning");
    page.eval(
        "client.joinFloor({ url: 'ws://lab.test/floor', room: 'general', name: 'Ann', show() {}, status() {}, signal: AbortSignal.abort() })",
    )?;
    server
        .quiet(
            Duration::from_secs(10),
            "The signal was aborted from the beginning; the client must ask for nothing",
        )
        .await
}

async fn todo_6_after_a_cut(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let _page = enter(&bench)?;
    let socket = first_line(&bench, &mut server).await?;
    let first = price(&bench, 1);
    socket.send_json(&first);
    bench.wait_ms(100).await;
    let lost = bench.now();
    bench.cut().await;
    expect_status(&bench, "reconnecting", "The line was cut")?;
    let (asked, _) = come_back(&bench, &mut server, lost, (500, 1_000)).await?;
    let socket = join_again(&bench, asked).await?;
    let second = price(&bench, 2);
    socket.send_json(&second);
    bench.wait_ms(100).await;
    expect_prices(&bench, &[&first, &second])?;
    let lost = bench.now();
    socket.close(1001, "");
    bench.wait_ms(100).await;
    expect_status(
        &bench,
        "reconnecting",
        "The floor has closed the line with 1001, *going away*: it will be back",
    )?;
    let (asked, _) = come_back(&bench, &mut server, lost, (500, 1_000)).await?;
    let socket = join_again(&bench, asked).await?;
    let third = price(&bench, 3);
    socket.send_json(&third);
    bench.wait_ms(100).await;
    expect_prices(&bench, &[&first, &second, &third])?;
    server.quiet(Duration::from_secs(30), "One line is open; the client must not open another").await
}

async fn todo_6_with_more_patience(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let _page = enter(&bench)?;
    let mut asked = upgrade_asked(&mut server).await?;
    let mut places = Vec::new();
    for (round, window) in
        [(500, 1_000), (1_000, 2_000), (2_000, 4_000), (4_000, 8_000)].into_iter().enumerate()
    {
        // Twice it is refused, twice it opens and closes before it has said `joined`.
        let lost = if round < 2 {
            asked.status(503);
            bench.wait_ms(20).await;
            bench.last_moment(|moment| matches!(moment.what, What::Response { .. }))
        } else {
            let mut socket = asked.upgrade().await?;
            expect_join(&mut socket).await?;
            socket.close(1013, "");
            socket.next(SOON).await;
            bench.last_moment(|moment| {
                moment.place == Place::ToClient && matches!(moment.what, What::Close(..))
            })
        };
        let lost = lost.unwrap_or_else(|| bench.now());
        let waited;
        (asked, waited) = come_back(&bench, &mut server, lost, window).await?;
        places.push(waited.saturating_sub(window.0) * 100 / (window.1 - window.0));
    }
    if places.iter().all(|place| place.abs_diff(places[0]) <= 5) {
        return Err(Failure::broken(
            "Every wait falls on the same place in its window: whoever lost the floor together comes back together. Draw each wait by chance.",
        ));
    }
    let _socket = join_again(&bench, asked).await?;
    bench.wait_ms(500).await;
    bench.note("a line that was let in starts over");
    let lost = bench.now();
    bench.cut().await;
    let (asked, _) = come_back(&bench, &mut server, lost, (500, 1_000)).await?;
    let _socket = join_again(&bench, asked).await?;
    server.quiet(Duration::from_secs(60), "One line is open; the client must not open another").await
}

async fn todo_6_closed_by_the_floor(bench: Bench) -> Result<(), Failure> {
    stays_away(bench, 1000).await
}

async fn todo_6_sent_away(bench: Bench) -> Result<(), Failure> {
    let code = 4_000 + u16::try_from(bench.draw(1_000)).unwrap_or_default();
    stays_away(bench, code).await
}

async fn stays_away(bench: Bench, code: u16) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let _page = enter(&bench)?;
    let socket = first_line(&bench, &mut server).await?;
    bench.wait_ms(100).await;
    socket.close(code, "");
    server
        .quiet(
            Duration::from_secs(300),
            &format!("The floor has closed the line with code {code}, which means that it is over; the client came back"),
        )
        .await?;
    expect_status(&bench, "closed", &format!("The floor has closed the line with code {code}"))
}

async fn todo_6_left_while_waiting(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    leave_out_leave(&bench);
    let mut server = bench.script();
    let page = enter(&bench)?;
    upgrade_asked(&mut server).await?.status(503);
    bench.wait_ms(200).await;
    expect_status(&bench, "reconnecting", "The floor could not be reached")?;
    bench.note("Ann leaves");
    page.eval("stop.abort()")?;
    server
        .quiet(
            Duration::from_secs(60),
            "Ann left while the client waited to come back, and it came back: clear the timer",
        )
        .await
}

async fn todo_7_said_twice(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let _page = enter(&bench)?;
    let socket = first_line(&bench, &mut server).await?;
    let text = words(&bench);
    let other = words(&bench);
    let said =
        |id: &str, from: &str, text: &str| json!({ "type": "said", "id": id, "from": from, "text": text });
    let [one, two, three] =
        [said("bob-1", "Bob", &text), said("cid-1", "Cid", &other), said("bob-2", "Bob", &text)];
    for message in [&one, &two, &one, &three, &two] {
        bench.wait_ms(100).await;
        socket.send_json(message);
    }
    bench.wait_ms(100).await;
    let shown = said_so_far(&bench);
    let times = |message: &Value| shown.iter().filter(|shown| *shown == message).count();
    if times(&one) > 1 || times(&two) > 1 {
        return Err(Failure::broken(
            "A message came twice with the same `id`, and it was shown twice: somebody lost the line and sent it again.",
        ));
    }
    if times(&three) == 0 {
        return Err(Failure::broken(
            "Bob said the same words once more, under another `id`, and they were not shown: only the `id` tells a repetition from a repeat.",
        ));
    }
    if shown != [one, two, three] {
        return Err(Failure::broken(
            "What was shown is not what the floor said: `show` takes each message, in the order in which it came.",
        ));
    }
    Ok(())
}

async fn todo_7_not_before_the_floor(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let page = enter(&bench)?;
    let mut socket = first_line(&bench, &mut server).await?;
    bench.wait_ms(100).await;
    let text = words(&bench);
    say(&page, &text)?;
    expect_say(&mut socket, &text).await?;
    bench.wait_ms(1_000).await;
    if !said_so_far(&bench).is_empty() {
        return Err(Failure::broken(
            "Ann's words were shown before the floor has said them: she sees them where nobody else does, and the order is not the room's.",
        ));
    }
    let other = json!({ "type": "said", "id": "bob-1", "from": "Bob", "text": words(&bench) });
    socket.send_json(&other);
    bench.wait_ms(100).await;
    if said_so_far(&bench) == [other] {
        return Ok(());
    }
    Err(Failure::broken("Bob's words came from the floor, and they were not shown."))
}

async fn todo_7_as_text(bench: Bench) -> Result<(), Failure> {
    let page = bench.page(&["joinFloor", "line"])?;
    bench.leave_out(|moment| matches!(&moment.what, What::Said(label, _) if label == "line"));
    page.eval(
        "globalThis.describe = (who, what) => {
            const item = client.line(who, what);
            if (!item || typeof item.querySelectorAll !== 'function') { say('line', { isElement: false }); return; }
            say('line', { isElement: true, text: item.textContent, elements: item.querySelectorAll('*').map((element) => element.localName) });
        };",
    )?;
    let price = words(&bench);
    let wild = [
        ("Eve".to_owned(), format!("<img src=x onerror=\"steal()\"> {price}")),
        ("<b onclick=\"steal()\">Eve</b>".to_owned(), price.clone()),
        ("Eve & Co".to_owned(), format!("{price} &lt;script&gt; <script>steal()</script>")),
    ];
    let mut tame = None;
    for (who, what) in std::iter::once(&("Eve".to_owned(), price)).chain(&wild) {
        page.eval(&format!("describe({}, {})", json!(who), json!(what)))?;
        let Some(Data::Json(described)) = bench.said("line").pop() else {
            return Err(Failure::broken("`line` could not be looked at."));
        };
        let described: Value = serde_json::from_str(&described).unwrap_or_default();
        if described["isElement"] != true {
            return Err(Failure::broken(
                "`line` should answer with an element: `document.createElement('li')`.",
            ));
        }
        let text = described["text"].as_str().unwrap_or_default();
        for part in [who, what] {
            if !text.contains(part.as_str()) {
                return Err(Failure::broken(format!(
                    "`line` was given {part:?}, and its text is {text:?}: what people write is shown to the letter."
                )));
            }
        }
        let elements = tame.get_or_insert_with(|| described["elements"].clone());
        if *elements != described["elements"] {
            return Err(Failure::broken(format!(
                "{what:?} by {who:?} became elements of the page ({}): whoever may write there may run scripts here.",
                described["elements"]
            )));
        }
    }
    bench.note("a name and words that look like HTML are shown to the letter");
    Ok(())
}

async fn todo_8_lost_on_the_way(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let page = enter(&bench)?;
    let mut socket = first_line(&bench, &mut server).await?;
    let texts: Vec<String> = (0..4).map(|_| words(&bench)).collect();
    let mut said = Vec::new();
    for text in &texts[..3] {
        bench.wait_ms(100).await;
        say(&page, text)?;
        said.push(expect_say(&mut socket, text).await?);
    }
    acknowledge(&socket, &said[0]);
    bench.wait_ms(100).await;
    let lost = bench.now();
    bench.cut().await;
    bench.wait_ms(100).await;
    say(&page, &texts[3])?;
    let (asked, _) = come_back(&bench, &mut server, lost, (500, 1_000)).await?;
    let mut socket = join_again(&bench, asked).await?;
    let again = all_said(&mut socket).await?;
    expect_again(&again, &said, &texts[3])?;
    for message in &again {
        acknowledge(&socket, message);
    }
    bench.wait_ms(100).await;
    bench.note("all of it is acknowledged now");
    let lost = bench.now();
    bench.cut().await;
    let (asked, _) = come_back(&bench, &mut server, lost, (500, 1_000)).await?;
    let mut socket = join_again(&bench, asked).await?;
    if let Some(message) = all_said(&mut socket).await?.first() {
        return Err(Failure::broken(format!(
            "{} was acknowledged on the line before, and is sent again: everybody's clients would have to sort it out, for ever.",
            message["text"]
        )));
    }
    Ok(())
}

async fn todo_8_only_the_answer_was_lost(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let page = enter(&bench)?;
    let mut socket = first_line(&bench, &mut server).await?;
    bench.wait_ms(100).await;
    let text = words(&bench);
    say(&page, &text)?;
    let said = expect_say(&mut socket, &text).await?;
    bench.note("the others have heard it");
    let lost = bench.now();
    bench.cut().await;
    let (asked, _) = come_back(&bench, &mut server, lost, (500, 1_000)).await?;
    let mut socket = join_again(&bench, asked).await?;
    let again = all_said(&mut socket).await?;
    let [message] = &again[..] else {
        return Err(Failure::broken(format!(
            "One message was not acknowledged, and {} are sent after the return.",
            again.len()
        )));
    };
    if message["id"] != said["id"] {
        return Err(Failure::broken(
            "The message is sent again under another `id`: the others have it already, and cannot tell.",
        ));
    }
    acknowledge(&socket, message);
    acknowledge(&socket, message);
    bench.wait_ms(100).await;
    match said_so_far(&bench).len() {
        1 => Ok(()),
        0 => Err(Failure::broken("The floor has said Ann's words, and they were not shown to her.")),
        more => Err(Failure::broken(format!("Ann's words were shown to her {more} times."))),
    }
}

async fn todo_8_two_clients(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut server = bench.script();
    let mut said = Vec::new();
    let mut pages = Vec::new();
    for client in ['A', 'B'] {
        let page = enter_as(&bench, bench.page_of(client, &["joinFloor"])?)?;
        let mut socket = first_line(&bench, &mut server).await?;
        for _ in 0..2 {
            let text = words(&bench);
            say(&page, &text)?;
            said.push(expect_say(&mut socket, &text).await?);
            acknowledge(&socket, &said[said.len() - 1]);
            bench.wait_ms(100).await;
        }
        pages.push((page, socket));
    }
    distinct(&said)
}

/// Opens the client on the floor, as the lab's page does.
fn enter(bench: &Bench) -> Result<Page, Failure> {
    enter_as(bench, bench.page(&["joinFloor"])?)
}

fn enter_as(bench: &Bench, page: Page) -> Result<Page, Failure> {
    let _ = bench;
    page.eval(
        "globalThis.stop = new AbortController();
        globalThis.floor = client.joinFloor({
            url: 'ws://lab.test/floor',
            room: 'general',
            name: 'Ann',
            show: (message) => say('show', message),
            status: (status) => say('status', status),
            signal: stop.signal,
        });",
    )?;
    Ok(page)
}

fn say(page: &Page, text: &str) -> Result<(), Failure> {
    Ok(page.eval(&format!("floor.say({})", json!(text)))?)
}

/// The client asks for its first line.
async fn upgrade_asked(server: &mut Script) -> Result<Asked, Failure> {
    let asked = server
        .request("The client asked for nothing: `joinFloor` opens a WebSocket as soon as it is called")
        .await?;
    is_upgrade(&asked)?;
    Ok(asked)
}

fn is_upgrade(asked: &Asked) -> Result<(), Failure> {
    if asked.target == FLOOR && asked.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
    {
        return Ok(());
    }
    Err(Failure::broken(format!(
        "The client asked for {} {}, where a WebSocket at {FLOOR} was to be opened.",
        asked.method, asked.target
    )))
}

/// A line that the client has opened, and the floor has let it in.
async fn first_line(bench: &Bench, server: &mut Script) -> Result<Socket, Failure> {
    let asked = upgrade_asked(server).await?;
    let mut socket = asked.upgrade().await?;
    expect_join(&mut socket).await?;
    let_in(&socket);
    bench.wait_ms(100).await;
    expect_status(bench, "live", "The floor has said `joined`")?;
    Ok(socket)
}

/// The same, on a line after the first.
async fn join_again(bench: &Bench, asked: Asked) -> Result<Socket, Failure> {
    let mut socket = asked.upgrade().await?;
    expect_join(&mut socket).await?;
    let_in(&socket);
    bench.wait_ms(100).await;
    expect_status(bench, "live", "The floor has said `joined` again")?;
    Ok(socket)
}

fn let_in(socket: &Socket) {
    socket.send_json(&json!({ "type": "joined", "room": "general", "members": ["Ann"] }));
}

async fn expect_join(socket: &mut Socket) -> Result<(), Failure> {
    let join = socket.json("The line is open; the client's first message should be `join`").await?;
    if join["type"] == "join" && join["room"] == "general" && join["name"] == "Ann" {
        return Ok(());
    }
    Err(Failure::broken(format!(
        "The client's first message on a line should be `join`, with its room and name; it is {join}."
    )))
}

/// The client's next message says this.
async fn expect_say(socket: &mut Socket, text: &str) -> Result<Value, Failure> {
    let say = socket.json(&format!("Ann said {text:?}, and it was not sent")).await?;
    if say["type"] != "say" || say["text"] != text {
        return Err(Failure::broken(format!("Ann said {text:?}; what was sent instead is {say}.")));
    }
    if say["id"].as_str().is_none_or(str::is_empty) {
        return Err(Failure::broken(format!(
            "Ann said {text:?}, and it was sent without an `id`: nobody can acknowledge it."
        )));
    }
    Ok(say)
}

/// What the client says before it falls silent.
async fn all_said(socket: &mut Socket) -> Result<Vec<Value>, Failure> {
    let mut said = Vec::new();
    while let Some(heard) = socket.next(SOON).await {
        match heard.message {
            Message::Text(text) => said.push(serde_json::from_str(&text).unwrap_or(Value::String(text))),
            Message::Ping(_) | Message::Pong(_) => {}
            other => {
                return Err(Failure::broken(format!(
                    "The client should send what was not acknowledged; it sends {}.",
                    shown(&other)
                )));
            }
        }
    }
    Ok(said)
}

/// After the return: `said[1..]` as they were, then the new text.
fn expect_again(again: &[Value], said: &[Value], new: &str) -> Result<(), Failure> {
    if again.is_empty() {
        return Err(Failure::broken(
            "Two messages were not acknowledged when the line was lost, and nothing is sent after the return: to Ann they were said, and nobody will ever hear them.",
        ));
    }
    if again.iter().any(|message| message["text"] == said[0]["text"]) {
        return Err(Failure::broken(format!(
            "{} was acknowledged before the line was lost, and is sent again.",
            said[0]["text"]
        )));
    }
    for message in &said[1..] {
        let same: Vec<&Value> = again.iter().filter(|other| other["text"] == message["text"]).collect();
        match same[..] {
            [] => {
                return Err(Failure::broken(format!(
                    "{} was not acknowledged when the line was lost, and it is not sent again.",
                    message["text"]
                )));
            }
            [only] if only["id"] == message["id"] => {}
            [_] => {
                return Err(Failure::broken(format!(
                    "{} is sent again under another `id`: whoever has heard it already will be shown it twice.",
                    message["text"]
                )));
            }
            [..] => {
                return Err(Failure::broken(format!(
                    "{} is sent {} times on the new line.",
                    message["text"],
                    same.len()
                )));
            }
        }
    }
    let order: Vec<&Value> = again.iter().map(|message| &message["text"]).collect();
    if order == [&said[1]["text"], &said[2]["text"], &json!(new)] {
        return Ok(());
    }
    let times = order.iter().filter(|text| ***text == new).count();
    Err(Failure::broken(match times {
        0 => format!("{new:?} was said while there was no line, and it is not sent."),
        1 => "What was not acknowledged goes out first, in the order in which it was said, and then what is new; here the order is another.".to_owned(),
        _ => format!("{new:?} was said once, and it is sent {times} times."),
    }))
}

/// The floor says it, to whoever said it, too.
fn acknowledge(socket: &Socket, say: &Value) {
    socket.send_json(&json!({ "type": "said", "id": say["id"], "from": "Ann", "text": say["text"] }));
}

/// No ID is there twice.
fn distinct(said: &[Value]) -> Result<(), Failure> {
    for (place, message) in said.iter().enumerate() {
        if let Some(other) = said[..place].iter().find(|other| other["id"] == message["id"]) {
            return Err(Failure::broken(format!(
                "{} and {} were sent under the same `id`: whoever shows each message once will show one of them.",
                other["text"], message["text"]
            )));
        }
    }
    Ok(())
}

/// The client comes back within the window, in milliseconds: its request, and how long it waited.
async fn come_back(
    bench: &Bench,
    server: &mut Script,
    lost: Mark,
    (from, to): (u64, u64),
) -> Result<(Asked, u64), Failure> {
    // The line is some milliseconds long, and the client may count from when it heard of the end.
    let latest = to + 50;
    let asked = server
        .request_within(
            Duration::from_secs(60),
            "The line was lost, and the client never came back: a lost line fires `close` with code 1006, and not always `error`",
        )
        .await?;
    is_upgrade(&asked)?;
    let waited = bench.last_moment(is_request).unwrap_or(asked.at).since(lost);
    if waited < from || waited > latest {
        let two = if waited < from {
            " (One loss, one return: `error` and `close` may both fire for it.)"
        } else {
            ""
        };
        return Err(Failure::broken(format!(
            "The client came back after {waited} ms; the contract says {from} to {to} ms here.{two}"
        )));
    }
    bench.leave_open(lost, (from, latest), is_request);
    Ok((asked, waited))
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// What the page was told last is this status.
fn expect_status(bench: &Bench, status: &str, because: &str) -> Result<(), Failure> {
    let told = bench.said("status");
    match told.last() {
        Some(Data::Text(now)) if now == status => Ok(()),
        Some(Data::Text(now)) => {
            Err(Failure::broken(format!("{because}; the page still says `{now}` instead of `{status}`.")))
        }
        Some(_) => Err(Failure::broken(format!("`status` takes a word; call it with '{status}'."))),
        None => Err(Failure::broken(format!("{because}, and nobody called `status('{status}')`."))),
    }
}

/// The `said` messages that were shown so far.
fn said_so_far(bench: &Bench) -> Vec<Value> {
    shown_so_far(bench, "said")
}

fn shown_so_far(bench: &Bench, kind: &str) -> Vec<Value> {
    let shown = bench.said("show").into_iter().filter_map(|data| match data {
        Data::Json(json) => serde_json::from_str::<Value>(&json).ok(),
        Data::Text(_) | Data::Bytes(_) => None,
    });
    shown.filter(|message| message["type"] == kind).collect()
}

/// The market's prices were shown, each once.
fn expect_prices(bench: &Bench, prices: &[&Value]) -> Result<(), Failure> {
    let shown = shown_so_far(bench, "price");
    if shown.iter().collect::<Vec<_>>() == prices {
        return Ok(());
    }
    Err(Failure::broken(if shown.len() > prices.len() {
        format!(
            "The floor sent {} prices, and {} were shown: is there a listener, or a line, left over from before the return?",
            prices.len(),
            shown.len()
        )
    } else {
        format!("The floor sent {} prices, and {} were shown.", prices.len(), shown.len())
    }))
}

/// A message, as a student may read it.
fn shown(message: &Message) -> String {
    match message {
        Message::Text(text) => text.clone(),
        Message::Binary(bytes) => format!("{} bytes that are no text", bytes.len()),
        Message::Ping(_) => "a ping".to_owned(),
        Message::Pong(_) => "a pong".to_owned(),
        Message::Close(code, _) => {
            format!(
                "a close frame ({})",
                code.map_or_else(|| "without a code".to_owned(), |code| code.to_string())
            )
        }
    }
}

/// Whether the client says `leave` before it closes, and what `status` is told then, is open.
fn leave_out_leave(bench: &Bench) {
    bench.leave_out(|moment| match &moment.what {
        What::Message(Data::Json(json)) => json.contains(r#""type":"leave""#),
        What::Said(label, Data::Text(status)) => label == "status" && status == "closed",
        _ => false,
    });
}

/// Makes right answers alike when the play is over, however it ends: what an
/// ID looks like is open, and only which are the same is told.
struct Told(Bench);

impl Told {
    fn on(bench: &Bench) -> Self {
        Self(bench.clone())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let ids = ids_of_says(&self.0);
        self.0.retell_all(|moment| match &mut moment.what {
            What::Message(data) | What::Said(_, data) => plain(data, &ids),
            What::Close(code, reason) => {
                reason.clear();
                // `close()` and `close(1000)` mean the same, and so do their echoes.
                code.get_or_insert(1000);
            }
            _ => {}
        });
    }
}

/// The IDs that clients drew, in the order in which they were first sent.
fn ids_of_says(bench: &Bench) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for moment in bench.moments() {
        let (Place::ToServer, What::Message(Data::Json(json))) = (moment.place, moment.what) else {
            continue;
        };
        let Ok(message) = serde_json::from_str::<Value>(&json) else { continue };
        if let (Some("say"), Some(id)) = (message["type"].as_str(), message["id"].as_str())
            && !ids.iter().any(|other| other == id)
        {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// A message with its ID called by its place among all, and without fields that nobody asked for.
fn plain(data: &mut Data, ids: &[String]) {
    let Data::Json(json) = &*data else { return };
    let Ok(Value::Object(mut message)) = serde_json::from_str(json) else { return };
    match message.get("type").and_then(Value::as_str) {
        Some("join") => message.retain(|field, _| ["type", "room", "name"].contains(&field.as_str())),
        Some("say") => message.retain(|field, _| ["type", "id", "text"].contains(&field.as_str())),
        _ => {}
    }
    let place = message.get("id").and_then(|id| ids.iter().position(|other| id == other));
    if let Some(place) = place {
        message.insert("id".to_owned(), json!(format!("id-{}", place + 1)));
    }
    *data = Data::of_text(&Value::Object(message).to_string());
}

/// An update of the market, as the floor tells it.
fn price(bench: &Bench, seq: u64) -> Value {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    json!({ "type": "price", "seq": seq, "data": { "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) } })
}

/// Something to say that nobody can know beforehand.
fn words(bench: &Bench) -> String {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    format!("{symbol} at {}?", 5_000 + 25 * bench.draw(100))
}
