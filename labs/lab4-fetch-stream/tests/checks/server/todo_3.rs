//! TODO 3: the stream says how it ended.

use std::time::Duration;

use feed::Feed;
use grader::{Bench, Check, Disturbance, Event, EventStream, Failure, scene, sweep, wire::What};

use super::{
    FILE, FOLLOW, QUESTION, ask, asking, bill, close_after, is_last_word, one_price, price,
    say_how_it_ended_only, say_nothing_of_the_form, sort, whenever,
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_says_how_it_ended",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "the `curl -N` of the lab's README should end with a block of type `done`, with a line `data:` in it. Would you know without it that the answer is complete?",
    scenes: &[
        scene!(todo_3_done, ["3.done", "3.data", "3.last", "3.end"], "An answer comes to its end."),
        scene!(
            todo_3_fails,
            ["3.error", "3.data", "3.last", "3.end"],
            "The market closes in the middle of an answer."
        ),
        scene!(todo_3_falls_behind, ["3.error"], "The market moves faster than a commentary on it is read."),
        sweep!(
            todo_3_at_every_moment,
            ["3.error", "3.done", "3.last", "3.end"],
            [Disturbance::Close],
            "An answer is being made, and the market closes at any moment."
        ),
        sweep!(
            todo_3_in_a_commentary,
            ["3.error", "3.last", "3.end"],
            [Disturbance::Close],
            "A client follows the market, and it closes at any moment."
        ),
    ],
};

async fn todo_3_done(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed.clone()));
    let (mut answer, asked) = ask(&bench, QUESTION).await?;
    let heard = answer.listen(Duration::from_secs(2)).await;
    whenever(&bench, asked);
    say_nothing_of_the_form(&bench, &tokens);
    let (made, others) = sort(heard);
    match &others[..] {
        [] if says_nothing(&bench, "done", None).await? => {
            return Err(without_data("The answer is complete", "done"));
        }
        [] => {
            return Err(Failure::of(
                "3.done",
                "The answer is complete, and no event `done` says so: to its reader it looks like one that was cut off.",
            ));
        }
        [done] if done.name == "done" => {}
        [error, ..] if error.name == "error" => {
            return Err(Failure::of("3.done", "The answer is complete, and an event `error` ends it."));
        }
        [done, more, ..] if done.name == "done" => return Err(after("done", more)),
        [other, ..] => {
            return Err(Failure::of(
                "3.done",
                format!("The answer ends with an event of type `{}`; the contract says `done`.", other.name),
            ));
        }
    }
    if made != tokens.len() {
        return Err(Failure::of(
            "3.done",
            format!("The answer has {} tokens; {made} came before `done`.", tokens.len()),
        ));
    }
    expect_end(&bench, &answer)
}

async fn todo_3_fails(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed.clone()));
    // A token is made every 50 ms, the first 55 ms after the question.
    let close_at = bench.pick(&[230, 30, 80, 180, 480]);
    let should = (close_at - 5) / 50;
    bench.note(&format!("the market will close in {close_at} ms"));
    let (answered, ()) = tokio::join!(ask(&bench, QUESTION), close_after(&bench, &feed, close_at));
    let (mut answer, asked) = answered?;
    let heard = answer.listen(Duration::from_secs(2)).await;
    whenever(&bench, asked);
    say_nothing_of_the_form(&bench, &tokens[..should as usize]);
    let (made, others) = sort(heard);
    match &others[..] {
        [] if was_cut(&bench) => return Err(broken_off()),
        [] => {
            feed.reopen();
            if says_nothing(&bench, "error", Some((&feed, 230))).await? {
                return Err(without_data("The model failed in the middle of the answer", "error"));
            }
            return Err(Failure::of(
                "3.error",
                "The model failed in the middle of the answer, and no event `error` says so.",
            ));
        }
        [error] if error.name == "error" => {}
        [error, more, ..] if error.name == "error" => return Err(after("error", more)),
        [other, ..] => {
            return Err(Failure::of(
                "3.error",
                format!("The model failed, and the stream says `{}`; the contract says `error`.", other.name),
            ));
        }
    }
    if made as u64 != should {
        return Err(Failure::of(
            "3.error",
            format!(
                "{should} tokens were made before the market closed; {made} came before `error`. What was made and paid for is sent."
            ),
        ));
    }
    expect_end(&bench, &answer)
}

async fn todo_3_falls_behind(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(4);
    bench.serve(lab4::app(feed.clone()));
    bench.note("the market will move ten times in one moment");
    let burst = async {
        bench.wait_ms(100).await;
        let first = feed.publish(price(&bench)).await;
        bench.wait_ms(100).await;
        for _ in 0..10 {
            feed.publish(price(&bench)).await;
        }
        first.data.to_string()
    };
    let (answered, first) = tokio::join!(ask(&bench, FOLLOW), burst);
    let (mut answer, asked) = answered?;
    let heard = answer.listen(Duration::from_secs(2)).await;
    whenever(&bench, asked);
    say_nothing_of_the_form(&bench, &[first]);
    let (made, others) = sort(heard);
    match &others[..] {
        [error] if error.name == "error" && made == 1 => expect_end(&bench, &answer),
        _ if was_cut(&bench) => Err(broken_off()),
        [error, more, ..] if error.name == "error" => Err(after("error", more)),
        _ => Err(Failure::of(
            "3.error",
            format!(
                "The commentary fell behind after one token, and the model failed. The stream has {made} tokens and then {}; after the first comes `error`.",
                others.first().map_or_else(|| "nothing".to_owned(), |event| format!("`{}`", event.name))
            ),
        )),
    }
}

async fn todo_3_at_every_moment(bench: Bench) -> Result<(), Failure> {
    closed_at_any_moment(&bench, QUESTION, Some(10)).await
}

async fn todo_3_in_a_commentary(bench: Bench) -> Result<(), Failure> {
    closed_at_any_moment(&bench, FOLLOW, None).await
}

/// The market moves, and closes when it is disturbed, at last after a second. `whole` is how many tokens a complete answer
/// has.
async fn closed_at_any_moment(bench: &Bench, question: &str, whole: Option<usize>) -> Result<(), Failure> {
    let (feed, _) = one_price(bench).await;
    bench.serve(lab4::app(feed.clone()));
    let market = async {
        for pause in [60, 110, 110] {
            bench.wait_ms(pause).await;
            feed.publish(price(bench)).await;
        }
        bench.wait_ms(720).await;
    };
    let close = async {
        tokio::select! { biased; _ = bench.disturbed() => {}, () = market => {} }
        feed.close();
    };
    let listen = async {
        let answer = asking(bench, question).send().await?;
        // The market was closed before the question came.
        if answer.status == 503 {
            return Ok(None);
        }
        let mut answer = answer.stream()?;
        let heard = answer.listen(Duration::from_secs(2)).await;
        Ok::<_, Failure>(Some((answer, sort(heard))))
    };
    let (heard, ()) = tokio::join!(listen, close);
    let Some((answer, (tokens, others))) = heard? else { return Ok(()) };
    let is_whole = whole == Some(tokens);
    let (clause, should, how) = if is_whole {
        ("3.done", "done", "the answer is complete")
    } else {
        ("3.error", "error", "the model has failed")
    };
    match &others[..] {
        [last] if last.name == should => expect_end(bench, &answer)?,
        [first, more, ..] if is_last_word(&first.name) => return Err(after(&first.name, more)),
        [] if was_cut(bench) => return Err(broken_off()),
        others => {
            let says =
                others.first().map_or_else(|| "nothing".to_owned(), |event| format!("`{}`", event.name));
            return Err(Failure::of(
                clause,
                format!("After {tokens} tokens {how}: then comes `{should}`, and here {says}."),
            ));
        }
    }
    let made = bill(bench).await?;
    if made != tokens as u64 {
        return Err(Failure::of(
            clause,
            format!(
                "{made} tokens were made, and {tokens} came before `{should}`. What was made and paid for is sent."
            ),
        ));
    }
    Ok(())
}

/// Whether the same question is answered with a block of this type that has no data. The market closes, where it is said
/// when.
async fn says_nothing(bench: &Bench, word: &str, close: Option<(&Feed, u64)>) -> Result<bool, Failure> {
    bench.leave_out(|moment| moment.exchange.is_some_and(|exchange| exchange > 1));
    let closing = async {
        if let Some((feed, ms)) = close {
            close_after(bench, feed, ms).await;
        }
    };
    let (answer, ()) = tokio::join!(asking(bench, QUESTION).send(), closing);
    let Ok(text) = answer?.text().await else { return Ok(false) };
    let field = |line: &str| {
        line.split_once(':').is_some_and(|(name, value)| name == "event" && value.trim() == word)
    };
    Ok(text.lines().any(field))
}

fn without_data(because: &str, word: &str) -> Failure {
    Failure::of(
        "3.data",
        format!(
            "{because}, and the stream says `event: {word}` in a block without data. Such a block is no event: no client ever hears it. Give it some, `{{}}` will do. (axum's `.data(\"\")` writes no `data` line.)"
        ),
    )
}

fn after(word: &str, more: &Event) -> Failure {
    Failure::of(
        "3.last",
        format!("After `{word}` there is another event, `{}`: after the last word comes nothing.", more.name),
    )
}

fn was_cut(bench: &Bench) -> bool {
    bench.moments().iter().any(|moment| moment.what == What::Cut)
}

fn broken_off() -> Failure {
    Failure::of(
        "3.error",
        "The model failed, and the server broke the connection off: its reader takes that for a bad network. The status is sent, but the stream is still yours: say it with an event `error`.",
    )
}

fn expect_end(bench: &Bench, answer: &EventStream) -> Result<(), Failure> {
    say_how_it_ended_only(bench);
    if !answer.has_ended() {
        return Err(Failure::of("3.end", "The last word is said, and the response goes on: end it."));
    }
    if was_cut(bench) {
        return Err(Failure::of(
            "3.end",
            "The last word is said, and then the connection breaks: end the response as it should.",
        ));
    }
    Ok(())
}
