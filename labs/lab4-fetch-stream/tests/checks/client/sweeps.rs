//! An answer that is disturbed at every moment: what must hold whatever happens.

use grader::{
    Bench, Disturbance, Failure, Mark,
    wire::{Moment, Place, What, transcript::Data},
};
use serde_json::{Value, json};

use super::asking::{list, say_nothing_of_the_body};

/// What came of an answer, by what was recorded.
struct Swept {
    /// What was recorded before the disturbance, each with its time by the clock, and after it.
    before: Vec<(u64, Moment)>,
    after: Vec<(u64, Moment)>,
    /// What `ask` resolved to, and when.
    answer: Option<(u64, String)>,
    start: Mark,
}

/// The page asks; the server sends five tokens, alone, in pairs and in pieces, and `done`.
async fn answered(bench: &Bench) -> Result<Swept, Failure> {
    let start = bench.now();
    say_nothing_of_the_body(bench);
    let prices: Vec<u64> = (0..5).map(|_| 100 + bench.draw(900)).collect();
    let (server, time) = (bench.script(), bench.clone());
    server.answer_all(move |asked| {
        let (bench, prices) = (time.clone(), prices.clone());
        async move {
            bench.wait_ms(50).await;
            let mut stream = asked.stream();
            for chunk in [
                format!("data: {}\n\n", prices[0]),
                format!("data:  {}\n\ndata: \n\nda", prices[1]),
                format!("ta: {}\n", prices[2]),
                format!("\ndata: {}\n\nevent: note\ndata: {}\n\n", prices[3], prices[4]),
                "event: done\ndata: {}\n\n".to_owned(),
            ] {
                bench.wait_ms(50).await;
                stream.send(chunk);
            }
            bench.wait_ms(50).await;
            stream.end();
        }
    });
    let page = bench.page(&["ask"])?;
    page.eval(
        "globalThis.stop = new AbortController();
        client.ask('How is BBCA?', {
            url: '/ask',
            token: 'demo',
            onToken: (token) => say('token', token),
            signal: stop.signal,
        }).then(
            (is) => say('answer', { outcome: is?.outcome, text: is?.text }),
            (error) => say('answer', `rejected with ${error}`),
        );",
    )?;
    bench.wait_s(60).await;
    let mut before = bench.recording();
    let after = before.split_off(before.len() - bench.since_disturbed().len());
    let answer = before.iter().chain(&after).find_map(|(at, moment)| match &moment.what {
        What::Said(label, Data::Json(answer) | Data::Text(answer)) if label == "answer" => {
            Some((*at, answer.clone()))
        }
        _ => None,
    });
    Ok(Swept { before, after, answer, start })
}

impl Swept {
    fn all(&self) -> impl Iterator<Item = &Moment> {
        self.before.iter().chain(&self.after).map(|(_, moment)| moment)
    }

    /// The outcome and the text are these.
    fn expect(
        &self,
        outcome: &str,
        text: &str,
        because: &str,
        clause: &'static str,
        of_text: &'static str,
    ) -> Result<(), Failure> {
        let expected = json!({ "outcome": outcome, "text": text });
        let Some((_, answer)) = &self.answer else {
            return Err(Failure::of(
                clause,
                format!("{because}, and `ask` has never resolved: its outcome is `{outcome}`."),
            ));
        };
        let is: Value = serde_json::from_str(answer).unwrap_or_default();
        if !is.is_object() {
            let clause = if outcome == "stopped" { clause } else { "6.answer" };
            return Err(Failure::of(
                clause,
                format!("{because}: `ask` resolves to {expected}; yours {answer}."),
            ));
        }
        if is["outcome"] != expected["outcome"] {
            let says = &is["outcome"];
            return Err(Failure::of(
                clause,
                format!("{because}: the outcome is `{outcome}`; `ask` says {says}."),
            ));
        }
        if is["text"] != expected["text"] {
            let (should, says) = (&expected["text"], &is["text"]);
            return Err(Failure::of(
                of_text,
                format!("{because}: the text is what went to `onToken`, {should}; `ask` says {says}."),
            ));
        }
        Ok(())
    }

    fn asked_once(&self) -> Result<(), Failure> {
        let asked = |moment: &&Moment| matches!(moment.what, What::Request { .. } | What::Refused);
        if self.all().filter(asked).count() > 1 {
            return Err(Failure::of(
                "6.once",
                "The client asked a second time: a question is paid for each time it is asked.",
            ));
        }
        Ok(())
    }
}

/// The tokens that went to `onToken`.
fn shown<'a>(moments: impl Iterator<Item = &'a Moment>) -> Vec<String> {
    let shown = moments.filter_map(|moment| match &moment.what {
        What::Said(label, Data::Text(token) | Data::Json(token)) if label == "token" => Some(token.clone()),
        _ => None,
    });
    shown.collect()
}

/// Whether an event of this type has arrived.
fn has_arrived(moment: &Moment, event: &str) -> bool {
    moment.place == Place::ToClient && matches!(&moment.what, What::Event { name, .. } if name == event)
}

pub(super) async fn todo_6_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let swept = answered(&bench).await?;
    let arrived = swept.all().filter(|moment| has_arrived(moment, "message"));
    let tokens: Vec<String> = arrived
        .filter_map(|moment| match &moment.what {
            What::Event { data: Data::Text(token) | Data::Json(token), .. } => Some(token.clone()),
            _ => None,
        })
        .collect();
    let is_shown = shown(swept.all());
    if is_shown != tokens {
        return Err(Failure::of(
            "5.tokens",
            format!("The tokens that have arrived are {}; `onToken` got {}.", list(&tokens), list(&is_shown)),
        ));
    }
    swept.asked_once()?;
    let head = swept.all().any(|moment| matches!(moment.what, What::Response { .. }));
    let done = swept.all().any(|moment| has_arrived(moment, "done"));
    let stalled = matches!(bench.disturbance(), Some((Disturbance::Stall, _)));
    let (outcome, because, clause) = match (head, done) {
        (false, _) => ("failed", "The connection broke before the head of an answer came", "6.connection"),
        (true, true) if stalled => ("finished", "The server said `done`, after a pause", "6.patience"),
        (true, true) => ("finished", "The server said `done`", "6.finished"),
        (true, false) => ("truncated", "The connection broke, and nobody had said `done`", "6.truncated"),
    };
    swept.expect(outcome, &tokens.concat(), because, clause, "6.text")
}

pub(super) async fn todo_7_at_every_moment(bench: Bench) -> Result<(), Failure> {
    let swept = answered(&bench).await?;
    swept.asked_once()?;
    let is_shown = shown(swept.all());
    let Some((what, at)) = bench.disturbance() else {
        return swept.expect(
            "finished",
            &is_shown.concat(),
            "The server said `done`",
            "6.finished",
            "6.text",
        );
    };
    let at = at.since(swept.start);
    let before = || swept.before.iter().map(|(_, moment)| moment);
    if before().any(|moment| has_arrived(moment, "done")) {
        let because = "The server had said `done` before";
        return swept.expect("finished", &is_shown.concat(), because, "7.end", "7.end");
    }
    let more = shown(swept.after.iter().map(|(_, moment)| moment));
    if !more.is_empty() {
        return Err(Failure::of("7.silence", format!("{} went to `onToken` all the same.", list(&more))));
    }
    let because = match what {
        Disturbance::AbortInside => "`onToken` has aborted",
        _ => "The user has pressed Stop",
    };
    swept.expect("stopped", &is_shown.concat(), because, "7.stopped", "7.stopped")?;
    let resolved = swept.answer.as_ref().map_or(0, |(resolved, _)| resolved.saturating_sub(at));
    if resolved > 100 {
        return Err(Failure::of(
            "7.stopped",
            format!("`ask` resolves {resolved} ms later: whoever has pressed Stop waits for nothing."),
        ));
    }
    let aborted = |(ms, moment): &(u64, Moment)| moment.what == What::Abort && *ms <= at + 100;
    if !swept.after.iter().any(aborted) {
        return Err(Failure::of(
            "7.request",
            "The request was not aborted: the server goes on making tokens that are paid for.",
        ));
    }
    Ok(())
}
