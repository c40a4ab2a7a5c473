//! Both halves meet: the student's client at the student's server.

use feed::Feed;
use grader::{
    Bench, Check, Disturbance, Failure, Page, scene, sweep,
    wire::{Place, What, transcript::Data},
};
use serde_json::{Value, json};

pub(crate) const BOTH_HALVES: Check = Check {
    name: "both_halves_meet",
    todo: None,
    file: "web/client.js",
    section: "lab",
    experiment: "cargo run -p lab4 and open its page; ask, stop in the middle, and look at the bill.",
    scenes: &[
        scene!(both_halves_an_answer, "The user asks, and reads to the end."),
        scene!(both_halves_stopped, "The user presses Stop in the middle of the answer."),
        scene!(both_halves_failed, "The market closes in the middle of the answer."),
        sweep!(
            both_halves_at_every_moment,
            [],
            [Disturbance::Abort, Disturbance::Close],
            "At every moment of an answer the user presses Stop, or the market closes."
        ),
    ],
};

async fn both_halves_an_answer(bench: Bench) -> Result<(), Failure> {
    let (_feed, page) = ask(&bench).await?;
    bench.wait_s(1).await;
    let tokens = expect(&bench, &page, "finished", "The answer came to its end")?;
    if tokens != 10 {
        return Err(Failure::broken(format!("The answer has 10 tokens; {tokens} were shown.")));
    }
    Ok(())
}

async fn both_halves_stopped(bench: Bench) -> Result<(), Failure> {
    let (_feed, page) = ask(&bench).await?;
    bench.wait_ms(230).await;
    bench.note("Stop");
    page.eval("stop.abort()")?;
    bench.wait_s(1).await;
    let tokens = expect(&bench, &page, "stopped", "The user has pressed Stop")?;
    expect_bill(&bench, tokens, "The user pressed Stop").await?;
    bench.retell(
        |moment| matches!(moment.what, What::Body(_)),
        |moment| moment.what = What::Body(Data::of_text(&json!({ "tokens": tokens }).to_string())),
    );
    Ok(())
}

async fn both_halves_failed(bench: Bench) -> Result<(), Failure> {
    let (feed, page) = ask(&bench).await?;
    bench.wait_ms(230).await;
    bench.note("the market closes");
    feed.close();
    bench.wait_s(1).await;
    expect(&bench, &page, "failed", "The model failed in the middle of the answer")?;
    Ok(())
}

async fn both_halves_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let (feed, page) = ask(&bench).await?;
    let close = async {
        while bench.disturbed().await != Disturbance::Close {
            std::future::pending::<()>().await;
        }
        feed.close();
    };
    tokio::select! { biased; () = close => {}, () = bench.wait_s(1) => {} }
    bench.wait_s(1).await;
    let arrived = |which: &dyn Fn(&What) -> bool, moments: &[(u64, grader::wire::Moment)]| {
        moments.iter().any(|(_, moment)| moment.place == Place::ToClient && which(&moment.what))
    };
    let recorded = bench.recording();
    let before = &recorded[..recorded.len() - bench.since_disturbed().len()];
    let event =
        |word: &'static str| move |what: &What| matches!(what, What::Event { name, .. } if name == word);
    let (outcome, because) = match bench.disturbance() {
        Some((Disturbance::Abort, _)) if !arrived(&event("done"), before) => {
            ("stopped", "The user has pressed Stop")
        }
        _ if arrived(&event("done"), &recorded) => ("finished", "The server said `done`"),
        _ => ("failed", "The market has closed"),
    };
    let tokens = expect(&bench, &page, outcome, because)?;
    expect_bill(&bench, tokens, because).await
}

/// What was made is what was shown, but for a token in the making and one in transit.
async fn expect_bill(bench: &Bench, tokens: u64, because: &str) -> Result<(), Failure> {
    let bill: Value = bench.get("/tokens").send().await?.with_status(200)?.json().await?;
    let made = bill["tokens"].as_u64().unwrap_or_default();
    if made > tokens + 2 {
        return Err(Failure::broken(format!(
            "{because} after {tokens} tokens, and {made} were made and paid for."
        )));
    }
    Ok(())
}

/// The page asks how the market is, on which one price is known.
async fn ask(bench: &Bench) -> Result<(Feed, Page), Failure> {
    let feed = Feed::memory(100);
    feed.publish(json!({ "symbol": "BBCA", "price": 9_000 + 25 * bench.draw(40) })).await;
    bench.serve(lab4::app(feed.clone()));
    // What else the question carries is open.
    bench.leave_out(|moment| moment.place == Place::ToServer && matches!(moment.what, What::Body(_)));
    let page = bench.page(&["ask"])?;
    page.eval(
        "globalThis.stop = new AbortController();
        client.ask('How is BBCA?', {
            url: '/ask',
            token: 'demo',
            onToken: (token) => say('token', token),
            signal: stop.signal,
        }).then((answer) => { globalThis.answer = answer; });",
    )?;
    Ok((feed, page))
}

/// The answer ended like this, and its text is what was shown, which is what has arrived: how many tokens?
fn expect(bench: &Bench, page: &Page, outcome: &str, because: &str) -> Result<u64, Failure> {
    // The words of the last event are open, and so are IDs, and whether the head waits for the first token.
    bench.retell_all(|moment| {
        if let What::Event { name, id, data } = &mut moment.what {
            *id = None;
            if name != "message" {
                *data = Data::Text("…".to_owned());
            }
        }
    });
    let asked =
        bench.last_moment(|moment| matches!(moment.what, What::Request { .. })).unwrap_or(bench.now());
    bench.tell_as_window(asked, (10, 60), |moment| matches!(moment.what, What::Response { .. }));
    // Which side ends the connection first after the last word is open, too.
    if outcome != "stopped" {
        bench.leave_out(|moment| matches!(moment.what, What::Abort | What::End));
    }
    page.eval("say('answer', globalThis.answer ?? null)")?;
    let text = |data: Data| if let Data::Text(token) = data { Some(token) } else { None };
    let shown: Vec<String> = bench.said("token").into_iter().filter_map(text).collect();
    let arrived: Vec<String> = bench
        .moments()
        .into_iter()
        .filter_map(|moment| match moment.what {
            What::Event { name, data, .. } if name == "message" => text(data),
            _ => None,
        })
        .collect();
    if shown != arrived {
        let wrong = shown.iter().zip(&arrived).take_while(|(shown, arrived)| shown == arrived).count();
        let of = |tokens: &[String]| {
            tokens.get(wrong).map_or_else(|| "none".to_owned(), |token| json!(token).to_string())
        };
        return Err(Failure::broken(format!(
            "{because}. Of the tokens that arrived, number {} is {}; shown was {}.",
            wrong + 1,
            of(&arrived),
            of(&shown)
        )));
    }
    let expected = json!({ "outcome": outcome, "text": shown.concat() });
    if bench.said("answer").last() != Some(&Data::of_text(&expected.to_string())) {
        let is = bench.said("answer").pop();
        let is = match &is {
            Some(Data::Json(is) | Data::Text(is)) if is != "null" => is.as_str(),
            _ => "has not resolved",
        };
        return Err(Failure::broken(format!("{because}: `ask` should resolve to {expected}; yours: {is}.")));
    }
    Ok(shown.len() as u64)
}
