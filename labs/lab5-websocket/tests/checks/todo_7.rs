//! TODO 7: each message once, and what people write as text.

use grader::{
    Bench, Check, Failure, Page, awkward, scene,
    wire::{What, transcript::Data},
};
use serde_json::{Value, json};

use super::client::{FILE, Floor, Told, expect_say, plain_or, say, shown, texts, words};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_shows_each_message_once_and_as_text",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "cargo run -p lab5-solution, open its page twice, and say <img src=x onerror=alert(1)>; then do it with your own client.",
    scenes: &[
        scene!(
            todo_7_said_twice,
            ["7.once", "7.by-id"],
            "The floor says one message twice, and another one in the same words."
        ),
        scene!(todo_7_any_id, ["7.by-id", "7.once"], "Messages with IDs of all kinds come twice each."),
        scene!(
            todo_7_said_again_later,
            ["7.once"],
            "The floor says a message again: after three hundred others, and on the next connection."
        ),
        scene!(todo_7_not_before_the_floor, ["7.floor"], "Ann says something, and the floor takes its time."),
        scene!(
            todo_7_as_text,
            ["7.no-element", "7.text"],
            "Names and words that look like HTML, and long ones."
        ),
    ],
};

fn said(id: &str, from: &str, text: &str) -> Value {
    json!({ "type": "said", "id": id, "from": from, "text": text })
}

/// IDs that are easily taken for each other, or for something that every object has.
const IDS: [&str; 18] = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "length",
    "",
    " ",
    "0",
    "00",
    "-0",
    "0.0",
    "1e0",
    "1",
    "bob",
    "BOB",
    "bob ",
    "\u{e9}",
    "e\u{301}",
];

async fn todo_7_any_id(bench: Bench) -> Result<(), Failure> {
    bench.leave_out(|moment| !matches!(moment.what, What::Note(_)));
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let socket = floor.first().await?;
    let first = bench.draw(IDS.len() as u64) as usize;
    let ids: Vec<&str> = (0..IDS.len()).map(|place| IDS[(first + place) % IDS.len()]).collect();
    for _ in 0..2 {
        for id in &ids {
            socket.send_json(&said(id, "Bob", "Sold."));
        }
    }
    bench.wait_ms(100).await;
    for id in ids {
        let times = shown(&bench, "said").iter().filter(|message| message["id"] == *id).count();
        match times {
            1 => {}
            0 => {
                return Err(Failure::of(
                    "7.by-id",
                    format!(
                        "The floor sent a message with the `id` {id:?}, which had never been shown, and `show` was not called: any string may be an `id`, and two that differ are two."
                    ),
                ));
            }
            more => {
                return Err(Failure::of(
                    "7.once",
                    format!("A message with the `id` {id:?} came twice, and it was shown {more} times."),
                ));
            }
        }
    }
    bench.note("messages with all kinds of IDs were shown once each");
    Ok(())
}

async fn todo_7_said_twice(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let socket = floor.first().await?;
    let texts = texts(&bench, 2);
    let [one, two, three] =
        [said("bob-1", "Bob", &texts[0]), said("cid-1", "Cid", &texts[1]), said("bob-2", "Bob", &texts[0])];
    // Whoever says it, and in whatever words: the `id` is the one that was shown.
    let mut changed = said("", "Dan", &texts[1]);
    changed["id"] = one["id"].clone();
    for message in [&one, &two, &one, &three, &two, &changed] {
        bench.wait_ms(100).await;
        socket.send_json(message);
    }
    bench.wait_ms(100).await;
    let shown = shown(&bench, "said");
    let times = |message: &Value| shown.iter().filter(|shown| *shown == message).count();
    if let Some(message) = [&one, &two].into_iter().find(|message| times(message) > 1) {
        return Err(Failure::of(
            "7.once",
            format!(
                "{message} came twice, and it was shown twice: somebody lost the connection and sent it again."
            ),
        ));
    }
    if let Some(message) = [&one, &two].into_iter().find(|message| times(message) == 0) {
        return Err(Failure::of(
            "7.by-id",
            format!(
                "The floor sent {message}, whose `id` had never been shown, and `show` was not called: any string may be an `id`."
            ),
        ));
    }
    if times(&changed) > 0 {
        return Err(Failure::of(
            "7.once",
            format!("{one} was shown, and then {changed}: it has the same `id`, and is the same message."),
        ));
    }
    if times(&three) == 0 {
        return Err(Failure::of(
            "7.by-id",
            format!(
                "Bob said the same words once more, under another `id` ({}), and they were not shown: only the `id` says whether it is the same message.",
                three["id"]
            ),
        ));
    }
    if shown == [one, two, three] {
        return Ok(());
    }
    Err(Failure::of(
        "5.shows",
        "What was shown is not what the floor said: `show` takes each message, in the order in which it came.",
    ))
}

async fn todo_7_said_again_later(bench: Bench) -> Result<(), Failure> {
    if !bench.is_plain() {
        // It is long, and another draw shows nothing more.
        return Ok(());
    }
    let _told = Told::on(&bench);
    // Three hundred messages tell nothing by themselves.
    bench.leave_out(|moment| match &moment.what {
        What::Message(Data::Json(json)) | What::Said(_, Data::Json(json)) => json.contains("crowd-"),
        _ => false,
    });
    let mut floor = Floor::open(&bench);
    let _page = floor.enter()?;
    let socket = floor.first().await?;
    let message = said("bob-1", "Bob", &words(&bench));
    socket.send_json(&message);
    bench.wait_ms(100).await;
    bench.note("three hundred others are said");
    for number in 0..300 {
        socket.send_json(&said(&format!("crowd-{number}"), "Cid", "Sold."));
    }
    bench.wait_ms(100).await;
    socket.send_json(&message);
    bench.wait_ms(100).await;
    let again = |words: &str| {
        let times = shown(&bench, "said").iter().filter(|shown| **shown == message).count();
        if times == 1 {
            Ok(())
        } else {
            Err(Failure::of(
                "7.once",
                format!("{message} came again {words}, and it was shown {times} times."),
            ))
        }
    };
    again("after three hundred others")?;
    let lost = bench.now();
    bench.cut().await;
    let asked = floor.returns_after(lost, 0).await?;
    let socket = floor.again(asked).await?;
    socket.send_json(&message);
    bench.wait_ms(100).await;
    again("on the next connection")
}

async fn todo_7_not_before_the_floor(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    let mut floor = Floor::open(&bench);
    let page = floor.enter()?;
    let mut socket = floor.first().await?;
    bench.wait_ms(100).await;
    let texts = texts(&bench, 2);
    say(&page, &texts[0])?;
    expect_say(&mut socket, &texts[0], "5.once").await?;
    bench.wait_ms(1_000).await;
    if !shown(&bench, "said").is_empty() {
        return Err(Failure::of(
            "7.floor",
            "Ann's words were shown before the floor has said them: she sees them where nobody else does, and the order is not the room's.",
        ));
    }
    let other = said("bob-1", "Bob", &texts[1]);
    socket.send_json(&other);
    bench.wait_ms(100).await;
    match &shown(&bench, "said")[..] {
        [only] if *only == other => Ok(()),
        [] => Err(Failure::of("5.shows", format!("The floor said {other}, and it was not shown."))),
        shown => Err(Failure::of(
            "7.floor",
            format!("The floor said {other}; what was shown is {}.", json!(shown)),
        )),
    }
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
    let elements = described(&bench, &page, "Eve", &price)?;
    let wild = [
        ("Eve".to_owned(), format!("<img src=x onerror=\"steal()\"> {price}")),
        ("<b onclick=\"steal()\">Eve</b>".to_owned(), price.clone()),
        ("Eve & Co".to_owned(), format!("{price} &lt;script&gt; <script>steal()</script>")),
        ("Eve".to_owned(), format!("{price} see javascript:steal() and www.example.com/{price}")),
        ("Eve".to_owned(), "**bold**, _slanted_, `code` and :smile:".to_owned()),
        ("E".repeat(300), "o".repeat(4_000)),
        (plain_or(&bench, "Eve", &[" Eve "]).to_owned(), price.clone()),
    ];
    let texts = awkward::TEXTS.iter().map(|text| ("Eve".to_owned(), (*text).to_owned()));
    let names = awkward::NAMES.iter().map(|name| ((*name).to_owned(), price.clone()));
    for (who, what) in wild.into_iter().chain(texts).chain(names) {
        let became = described(&bench, &page, &who, &what)?;
        if became != elements {
            return Err(Failure::of(
                "7.no-element",
                format!(
                    "{what:?} by {who:?} became elements of the page: {became}, where plain words make {elements}. Whoever may write there may run scripts here."
                ),
            ));
        }
    }
    bench.note("names and words that look like HTML are shown to the letter");
    Ok(())
}

/// The elements within `line(who, what)`, whose text has both to the letter.
fn described(bench: &Bench, page: &Page, who: &str, what: &str) -> Result<Value, Failure> {
    page.eval(&format!("describe({}, {})", json!(who), json!(what)))?;
    let Some(Data::Json(described)) = bench.said("line").pop() else {
        return Err(Failure::of("7.text", "`line` gave nothing that could be looked at."));
    };
    let described: Value = serde_json::from_str(&described).unwrap_or_default();
    if described["isElement"] != true {
        return Err(Failure::of("7.text", "`line` should give an element: `document.createElement('li')`."));
    }
    let text = described["text"].as_str().unwrap_or_default();
    match [who, what].into_iter().find(|part| !text.contains(part)) {
        None => Ok(described["elements"].clone()),
        Some(part) => Err(Failure::of(
            "7.text",
            format!(
                "`line` was given {}, and its text is {}: what people write is shown to the letter.",
                shortened(part),
                shortened(text)
            ),
        )),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(120) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?} and so on ({} characters)", &text[..at], text.chars().count()),
    }
}
