//! TODO 2: tokens are money.

use std::{cell::Cell, time::Duration};

use feed::Feed;
use grader::{
    Answer, Bench, Check, Disturbance, EventStream, Failure, Item, scene, sweep,
    wire::{What, transcript::Data},
};
use serde_json::json;

use super::{
    FILE, FOLLOW, QUESTION, ask, asking, bill, one_price, price, say_nothing_of_the_end,
    say_nothing_of_the_form, the_head_may_wait,
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_makes_only_what_is_heard",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "let `respond` begin with `let answer = answer.inspect(|made| println!(\"{made:?}\")).boxed();`, ask for \"Follow the market\" with the `curl -N` of the lab's README, and stop it with Ctrl-C: is anything made after that?",
    scenes: &[
        scene!(todo_2_as_it_is_made, ["2.when-made"], "Somebody asks, and reads along."),
        scene!(todo_2_the_client_leaves, ["2.work-stops"], "The client hangs up after the fourth token."),
        scene!(
            todo_2_leaves_in_silence,
            ["2.silence", "2.work-stops", "2.when-made"],
            "The client listens to a commentary without end, and hangs up while nothing happens."
        ),
        sweep!(
            todo_2_at_every_moment,
            ["2.work-stops", "2.silence", "2.others"],
            [Disturbance::ClientGone],
            "Two clients listen and go, at every moment. A third stays."
        ),
    ],
};

async fn todo_2_as_it_is_made(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, QUESTION).await?;
    the_head_may_wait(&bench, asked);
    for count in 1..=6 {
        let token = answer.event(&format!("Token {count} was made and did not arrive")).await?;
        // It is made 50 ms after the one before it, and under way for 10 ms in all.
        let (should, is) = (10 + 50 * count, token.at.since(asked));
        if is > should + 10 {
            return Err(Failure::of(
                "2.when-made",
                format!(
                    "Token {count} was made {} ms after the question and arrived {is} ms after it. Send each token when it is made, not together with others.",
                    should - 5
                ),
            ));
        }
    }
    say_nothing_of_the_form(&bench, &tokens);
    say_nothing_of_the_end(&bench);
    Ok(())
}

async fn todo_2_the_client_leaves(bench: Bench) -> Result<(), Failure> {
    let (feed, tokens) = one_price(&bench).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, QUESTION).await?;
    the_head_may_wait(&bench, asked);
    for count in 1..=4 {
        answer.event(&format!("Token {count} was made and did not arrive")).await?;
    }
    say_nothing_of_the_form(&bench, &tokens);
    bench.note("the client hangs up");
    drop(answer);
    bench.wait_s(1).await;
    let made = bill(&bench).await?;
    if made > 5 {
        return Err(Failure::of(
            "2.work-stops",
            format!(
                "The client hung up after 4 tokens, and {made} were made: {} were paid for and heard by nobody. Does the answer still run when the response's body is gone?",
                made - 4
            ),
        ));
    }
    // One that was in the making may be told as if it had not been.
    tell_the_bill(&bench, 4);
    Ok(())
}

/// What was in the making when the client went may have been made.
fn tell_the_bill(bench: &Bench, tokens: u64) {
    bench.retell(
        |moment| matches!(moment.what, What::Body(_)),
        |moment| moment.what = What::Body(Data::of_text(&json!({ "tokens": tokens }).to_string())),
    );
}

/// Asks for a commentary; the market moves 100 ms later, since the head may come with the first token.
async fn follow(bench: &Bench, feed: &Feed) -> Result<(EventStream, String), Failure> {
    let asked = bench.now();
    let publish = async {
        bench.wait_ms(100).await;
        feed.publish(price(bench)).await
    };
    let (answer, first) = tokio::join!(ask(bench, FOLLOW), publish);
    let (answer, _) = answer.map_err(|failure| failure.or_of("2.when-made"))?;
    bench.tell_as_window(asked, (10, 105), |moment| matches!(moment.what, What::Response { .. }));
    Ok((answer, first.data.to_string()))
}

async fn todo_2_leaves_in_silence(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    bench.serve(lab4::app(feed.clone()));
    let (mut answer, first) = follow(&bench, &feed).await?;
    let silent = |failure: Failure| failure.or_of("2.when-made");
    answer.event("The market moved, and the commentary does not say so").await.map_err(silent)?;
    bench.wait_ms(100).await;
    let published = bench.now();
    let second = feed.publish(price(&bench)).await;
    let missing = "The market moved once more, and the commentary does not say so";
    let token = answer.event(missing).await.map_err(silent)?;
    let late = token.at.since(published);
    if late > 20 {
        return Err(Failure::of(
            "2.when-made",
            format!(
                "The market moved, and the token that says so arrived {late} ms later: send each token when it is made."
            ),
        ));
    }
    say_nothing_of_the_form(&bench, &[first, second.data.to_string()]);
    bench.note("nothing happens on the market, and the client hangs up");
    drop(answer);
    bench.wait_ms(100).await;
    if feed.subscribers() > 0 {
        return Err(Failure::of("2.silence", STILL_LISTENS));
    }
    bench.note("the market moves on");
    for _ in 0..3 {
        feed.publish(price(&bench)).await;
        bench.wait_ms(100).await;
    }
    let made = bill(&bench).await?;
    if made > 2 {
        return Err(Failure::of(
            "2.work-stops",
            format!("The client hung up after 2 tokens, and {made} were made."),
        ));
    }
    Ok(())
}

const STILL_LISTENS: &str = "The client has been gone for 100 ms, and its commentary still listens to the market: it would notice only with the next token, if there ever is one. What waits for the next token must notice that the client is gone, too.";

async fn todo_2_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let (feed, _) = one_price(&bench).await;
    bench.serve(lab4::app(feed.clone()));
    let (published, heard) = (Cell::new(0), Cell::new(0));
    let publish = async || {
        feed.publish(price(&bench)).await;
        published.set(published.get() + 1);
    };
    let stays = async {
        // Two have asked before.
        bench.wait_ms(10).await;
        let mut answer = ask(&bench, FOLLOW).await.map_err(|failure| failure.or_of("2.others"))?.0;
        while let Some(item) = answer.item(Duration::from_secs(10)).await {
            heard.set(heard.get() + u32::from(matches!(item, Item::Event(_))));
        }
        // It has ended, or says nothing any more: that is seen below.
        std::future::pending().await
    };
    let read = async |question: &str| {
        if let Ok(Ok(mut answer)) = asking(&bench, question).send().await.map(Answer::stream) {
            while answer.item(Duration::from_secs(1)).await.is_some() {}
        }
    };
    let listen = async {
        tokio::select! {
            biased;
            _ = bench.disturbed() => {}
            () = bench.wait_ms(700) => {}
            _ = async { tokio::join!(read(QUESTION), read(FOLLOW)) } => {}
            // Once they are gone the market stands still.
            () = async {
                for pause in [30, 110, 110, 110] {
                    bench.wait_ms(pause).await;
                    publish().await;
                }
                std::future::pending().await
            } => {}
        }
    };
    let listen_and_go = async {
        listen.await;
        let before = bill(&bench).await?;
        bench.wait_ms(100).await;
        if feed.subscribers() > 1 {
            return Err(Failure::of("2.silence", STILL_LISTENS));
        }
        bench.wait_s(1).await;
        let after = bill(&bench).await?;
        if after > before + 1 {
            return Err(Failure::of(
                "2.work-stops",
                format!(
                    "{before} tokens had been made when the clients were gone, and a second later there are {after}, though the market stands still: they are paid for and heard by nobody."
                ),
            ));
        }
        publish().await;
        bench.wait_ms(100).await;
        Ok(())
    };
    tokio::select! {
        biased;
        result = stays => result,
        result = listen_and_go => result,
    }?;
    let (published, heard) = (published.get(), heard.get());
    if heard != published {
        return Err(Failure::of(
            "2.others",
            format!(
                "Two clients went, and one stayed that follows the market. The market moved {published} times, and it got {heard} tokens."
            ),
        ));
    }
    Ok(())
}
