//! TODO 1 to 3: the server, asked by our own client.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Check, Event, EventStream, Failure, Item, Mark, scene,
    wire::{Place, What, When, transcript::Data},
};
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_sends_each_token_as_an_event",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab4, and in another terminal the `curl -N` of the lab's README: one block for each token.",
    scenes: &[
        scene!(todo_1_each_token, "Somebody asks how the market is. Two prices are known."),
        scene!(
            todo_1_line_breaks,
            "A price bears a remark with line breaks, and what stands there looks like the end."
        ),
    ],
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_makes_only_what_is_heard",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "stop the `curl -N` of the lab's README with Ctrl-C in the middle of an answer, and then: curl http://127.0.0.1:3004/tokens",
    scenes: &[
        scene!(todo_2_as_it_is_made, "Somebody asks, and reads along."),
        scene!(todo_2_the_client_leaves, "The client hangs up after the fourth token."),
        scene!(
            todo_2_leaves_in_silence,
            "The client listens to a commentary without end, and hangs up while nothing happens."
        ),
    ],
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_says_how_it_ended",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "the `curl -N` of the lab's README ends with a block of type `done`. Would you know without it that the answer is complete?",
    scenes: &[
        scene!(todo_3_done, "An answer comes to its end."),
        scene!(todo_3_fails, "The market closes in the middle of an answer."),
    ],
};

async fn todo_1_each_token(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    let (bbca, goto) = (9_000 + 25 * bench.draw(40), 50 + bench.draw(20));
    feed.publish(json!({ "symbol": "GOTO", "price": goto })).await;
    feed.publish(json!({ "symbol": "BBCA", "price": bbca })).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, "How is the market?").await?;
    let (bbca, goto) = (format!(" {bbca}"), format!(" {goto}"));
    let tokens = [
        "Prices", " now:", "\n\nBBCA", &bbca, " ·", "\nGOTO", &goto, " ·", "\n\nThey", " move", " —", " ask",
        " again.",
    ];
    let result = expect_all(&mut answer, &tokens).await;
    whenever(&bench, asked);
    say_nothing_of_the_end(&bench);
    result
}

async fn todo_1_line_breaks(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    let price = 60 + bench.draw(10);
    let remark = "halted\nevent:done\ndata:{}\n\nuntil 10:00";
    feed.publish(json!({ "symbol": "GOTO", "price": price, "remark": remark })).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, "Why is GOTO so quiet?").await?;
    let price = format!(" {price}");
    let tokens = [
        "Prices",
        " now:",
        "\n\nGOTO",
        &price,
        " ·",
        " (halted",
        "\nevent:done",
        "\ndata:{}",
        "\n\nuntil",
        " 10:00)",
        "\n\nThey",
        " move",
        " —",
        " ask",
        " again.",
    ];
    let result = expect_all(&mut answer, &tokens).await;
    whenever(&bench, asked);
    say_nothing_of_the_end(&bench);
    result
}

async fn todo_2_as_it_is_made(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, "How is BBCA?").await?;
    // Whoever makes the whole answer before it sends a head has changed nothing.
    if bench.now().since(asked) > 300 {
        return Err(Failure::NotStarted(2));
    }
    the_head_may_wait(&bench, asked);
    let mut before = bench.now();
    for count in 1..=6 {
        let token = answer.event(&format!("Token {count} was made and did not arrive")).await?;
        let waited = token.at.since(before);
        if count > 1 && !(40..=60).contains(&waited) || waited > 60 {
            return Err(Failure::broken(format!(
                "Token {count} arrived {waited} ms after what came before it. A token is made every 50 ms: send each when it is made, not several together."
            )));
        }
        before = token.at;
    }
    say_nothing_of_the_form(&bench, &tokens);
    say_nothing_of_the_end(&bench);
    Ok(())
}

async fn todo_2_the_client_leaves(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, "How is BBCA?").await?;
    the_head_may_wait(&bench, asked);
    for count in 1..=4 {
        answer.event(&format!("Token {count} was made and did not arrive")).await?;
    }
    say_nothing_of_the_form(&bench, &tokens);
    bench.note("the client hangs up");
    drop(answer);
    bench.wait_s(1).await;
    let made = bill(&bench, 4).await?;
    if made > 5 {
        return Err(Failure::broken(format!(
            "The client hung up after 4 tokens, and {made} were made: {} were paid for and heard by nobody. Does the answer still run when the response's body is gone?",
            made - 4
        )));
    }
    Ok(())
}

async fn todo_2_leaves_in_silence(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    bench.serve(lab4::app(feed.clone()));
    let asked = bench.now();
    let publish = async {
        bench.wait_ms(100).await;
        feed.publish(price(&bench)).await
    };
    // The head may come with the first token, so that comes meanwhile.
    let (answer, first) = tokio::join!(ask(&bench, "Follow the market"), publish);
    let (mut answer, _) = answer?;
    bench.tell_as_window(asked, (10, 105), |moment| matches!(moment.what, What::Response { .. }));
    answer.event("The market moved, and the commentary does not say so").await?;
    bench.wait_ms(100).await;
    let second = feed.publish(price(&bench)).await;
    answer.event("The market moved once more, and the commentary does not say so").await?;
    say_nothing_of_the_form(&bench, &[first, second].map(|update| update.data.to_string()));
    bench.note("nothing happens on the market, and the client hangs up");
    drop(answer);
    bench.wait_ms(100).await;
    if feed.subscribers() > 0 {
        return Err(Failure::broken(
            "The client has gone for 100 ms, and its commentary still listens to the market: it would notice only with the next token, if there ever is one. Who waits for the next token must hear that the client hangs up, too.",
        ));
    }
    bench.note("the market moves on");
    for _ in 0..3 {
        feed.publish(price(&bench)).await;
        bench.wait_ms(100).await;
    }
    let made = bill(&bench, 2).await?;
    if made > 2 {
        return Err(Failure::broken(format!("The client hung up after 2 tokens, and {made} were made.")));
    }
    Ok(())
}

async fn todo_3_done(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed.clone()));
    let (mut answer, asked) = ask(&bench, "How is BBCA?").await?;
    let heard = answer.listen(Duration::from_secs(2)).await;
    whenever(&bench, asked);
    say_nothing_of_the_form(&bench, &tokens);
    let (made, others) = sort(heard);
    match &others[..] {
        [] => {
            bench.leave_out(|moment| moment.exchange.is_some_and(|exchange| exchange > 1));
            let (answered, ()) = tokio::join!(ask(&bench, "And now?"), close_after(&bench, &feed, 230));
            let (made_then, others) = sort(answered?.0.listen(Duration::from_secs(2)).await);
            // Tokens and nothing else, whatever happens: nobody has begun.
            if (made, made_then) == (tokens.len(), 4) && others.is_empty() {
                return Err(Failure::NotStarted(3));
            }
            return Err(Failure::broken(
                "The answer is complete, and no event `done` says so: to its reader it looks like one that was cut off. (An event without data is never dispatched: give it some.)",
            ));
        }
        [done] if done.name == "done" => {}
        [error, ..] if error.name == "error" => {
            return Err(Failure::broken("The answer is complete, and an event `error` ends it."));
        }
        [done, more, ..] if done.name == "done" => {
            return Err(Failure::broken(format!(
                "After `done` there is another event, `{}`: after the last word comes nothing.",
                more.name
            )));
        }
        [other, ..] => {
            return Err(Failure::broken(format!(
                "The answer ends with an event of type `{}`; the contract says `done`.",
                other.name
            )));
        }
    }
    if made != tokens.len() {
        return Err(Failure::broken(format!(
            "The answer has {} tokens; {made} came before `done`.",
            tokens.len()
        )));
    }
    expect_end(&bench, &answer)
}

async fn todo_3_fails(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed.clone()));
    bench.note("the market will close in 230 ms");
    let (answered, ()) = tokio::join!(ask(&bench, "How is BBCA?"), close_after(&bench, &feed, 230));
    let (mut answer, asked) = answered?;
    let heard = answer.listen(Duration::from_secs(2)).await;
    whenever(&bench, asked);
    say_nothing_of_the_form(&bench, &tokens[..4]);
    let (made, others) = sort(heard);
    let was_cut = bench.moments().iter().any(|moment| moment.what == What::Cut);
    match &others[..] {
        [] if was_cut => {
            return Err(Failure::broken(
                "The model failed, and the server broke the connection off: its reader takes that for a bad line. The status is sent, but the stream is still yours: say it with an event `error`.",
            ));
        }
        [] => {
            return Err(Failure::broken(
                "The model failed in the middle of the answer, and no event `error` says so. (An event without data is never dispatched: give it some.)",
            ));
        }
        [error] if error.name == "error" => {}
        [error, more, ..] if error.name == "error" => {
            return Err(Failure::broken(format!(
                "After `error` there is another event, `{}`: half an answer is told as a whole one, or the last word is not the last.",
                more.name
            )));
        }
        [other, ..] => {
            return Err(Failure::broken(format!(
                "The model failed, and the stream says `{}`; the contract says `error`.",
                other.name
            )));
        }
    }
    if made != 4 {
        return Err(Failure::broken(format!(
            "4 tokens were made before the market closed; {made} came before `error`. What was made and paid for is sent."
        )));
    }
    expect_end(&bench, &answer)
}

/// A market on which one symbol has a price that nobody can know beforehand, and what there is to say about it.
async fn one_price(bench: &Bench) -> (Feed, Vec<String>) {
    let feed = Feed::memory(100);
    let price = 9_000 + 25 * bench.draw(40);
    feed.publish(json!({ "symbol": "BBCA", "price": price })).await;
    let price = format!(" {price}");
    let tokens = ["Prices", " now:", "\n\nBBCA", &price, " ·", "\n\nThey", " move", " —", " ask", " again."];
    (feed, tokens.map(str::to_owned).to_vec())
}

async fn ask(bench: &Bench, question: &str) -> Result<(EventStream, Mark), Failure> {
    let asked = bench.now();
    let question = json!({ "question": question }).to_string();
    let ask =
        bench.ask("POST", "/ask").header("authorization", "Bearer demo").body("application/json", question);
    Ok((ask.send().await?.stream()?, asked))
}

async fn close_after(bench: &Bench, feed: &Feed, ms: u64) {
    bench.wait_ms(ms).await;
    feed.close();
}

/// How many tokens were made. One that was in the making may be told as if it had not been.
async fn bill(bench: &Bench, heard: u64) -> Result<u64, Failure> {
    let bill = bench.get("/tokens").send().await?.with_status(200)?.json().await?;
    let made = bill["tokens"].as_u64().unwrap_or_default();
    if made == heard + 1 {
        bench.retell(
            |moment| matches!(moment.what, What::Body(_)),
            |moment| moment.what = What::Body(Data::of_text(&json!({ "tokens": heard }).to_string())),
        );
    }
    Ok(made)
}

/// A price that nobody can know beforehand.
fn price(bench: &Bench) -> Value {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    json!({ "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) })
}

/// How many tokens there were, and what else. A token is what looks like the first event.
fn sort(heard: Vec<Item>) -> (usize, Vec<Event>) {
    let events: Vec<Event> = heard
        .into_iter()
        .filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None })
        .collect();
    let Some(first) = events.first().map(|event| event.name.clone()) else { return (0, Vec::new()) };
    let (tokens, others): (Vec<Event>, Vec<Event>) =
        events.into_iter().partition(|event| event.name == first && !is_last_word(&event.name));
    (tokens.len(), others)
}

fn is_last_word(name: &str) -> bool {
    matches!(name, "done" | "error")
}

async fn expect_all(answer: &mut EventStream, tokens: &[&str]) -> Result<(), Failure> {
    for (number, token) in (1..).zip(tokens) {
        expect(answer, number, token).await?;
    }
    Ok(())
}

/// The next event is this token.
async fn expect(answer: &mut EventStream, number: usize, token: &str) -> Result<(), Failure> {
    let event = answer.event(&format!("Token {number}, {token:?}, did not arrive")).await?;
    let data = &event.data;
    if event.name != "message" {
        return Err(Failure::broken(format!(
            "Token {number}, {token:?}, arrives as an event of type `{}`: a token has no type of its own, so that its reader sees `message`.",
            event.name
        )));
    }
    if data == token {
        return Ok(());
    }
    Err(Failure::broken(if serde_json::from_str::<String>(data).is_ok_and(|text| text == token) {
        format!(
            "Token {number} is {token:?} and arrives as JSON, `{data}`: the contract says the token itself."
        )
    } else if data.trim() == token.trim() && !token.contains('\n') {
        format!(
            "Token {number} is {token:?} and arrives as {data:?}: a blank is lost. The first blank behind `data:` is the format's; the token's own comes after it."
        )
    } else if token.contains('\n') {
        format!(
            "Token {number} is {token:?} and arrives as {data:?}. A line break ends a field, and two end the event: each line of the token needs a `data` field of its own."
        )
    } else {
        format!("Token {number} should be {token:?}; it is {data:?}.")
    }))
}

fn expect_end(bench: &Bench, answer: &EventStream) -> Result<(), Failure> {
    if !answer.has_ended() {
        return Err(Failure::broken("The last word is said, and the response goes on: end it."));
    }
    if bench.moments().iter().any(|moment| moment.what == What::Cut) {
        return Err(Failure::broken(
            "The last word is said, and then the connection breaks: end the response as it should.",
        ));
    }
    Ok(())
}

/// The head may go out at once, or with the first token.
fn the_head_may_wait(bench: &Bench, asked: Mark) {
    bench.tell_as_window(asked, (10, 60), |moment| matches!(moment.what, What::Response { .. }));
}

/// This contract does not speak of time: what the server sends may come at any.
fn whenever(bench: &Bench, asked: Mark) {
    let base = bench.told_at(asked);
    bench.retell_all(|moment| {
        if moment.place == Place::ToClient && moment.exchange == Some(1) {
            moment.when = When::Within(base + 10, base + 1_000);
        }
    });
}

/// How the answer ends is another TODO.
fn say_nothing_of_the_end(bench: &Bench) {
    say_how_it_ended_only(bench);
    bench.leave_out(|moment| match &moment.what {
        What::Event { name, .. } => is_last_word(name),
        What::End | What::Cut => true,
        _ => false,
    });
}

/// IDs are open, and the words of `done` and `error`.
fn say_how_it_ended_only(bench: &Bench) {
    bench.retell_all(|moment| {
        if let What::Event { name, id, data } = &mut moment.what {
            *id = None;
            if is_last_word(name) {
                *data = Data::Text("…".to_owned());
            }
        }
    });
}

/// What a token looks like is another TODO and is told as it should be.
fn say_nothing_of_the_form(bench: &Bench, tokens: &[String]) {
    let mut tokens = tokens.iter();
    say_how_it_ended_only(bench);
    bench.retell_all(|moment| {
        if let What::Event { name, data, .. } = &mut moment.what
            && !is_last_word(name)
            && let Some(token) = tokens.next()
        {
            "message".clone_into(name);
            *data = Data::of_text(token);
        }
    });
}
