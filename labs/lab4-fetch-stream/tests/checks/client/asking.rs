//! A page that asks, and what must come of it.

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Page, Script, Stream,
    wire::{Moment, Place, What, transcript::Data},
};
use serde_json::{Value, json};

/// What an ordinary question is.
const QUESTION: &str = "How is BBCA?";
pub(super) const URL: &str = "/ask";
const TOKEN: &str = "demo";

/// A page on which `begin(question, url, token)` asks and keeps what comes of it.
pub(super) fn open(bench: &Bench) -> Result<Page, Failure> {
    bench.leave_out(|moment| matches!(&moment.what, What::Said(label, _) if label == "shown"));
    let page = bench.page(&["ask"])?;
    page.eval(
        "globalThis.stop = new AbortController();
        globalThis.enough = Infinity;
        globalThis.begin = (question, url, token) => {
            const { signal } = stop;
            globalThis.answer = null;
            globalThis.shown = [];
            const onToken = (token) => {
                shown.push(token);
                say('token', token);
                if (shown.length === enough) stop.abort();
            };
            client.ask(question, { url, token, onToken, signal }).then(
                (is) => { globalThis.answer = is?.outcome ? { outcome: is.outcome, text: is.text } : `resolved with ${is}`; },
                (error) => {
                    // A bug is told with its place; what an aborted or broken connection throws is told with the contract.
                    const isOfTheConnection = error === signal.reason || error?.name === 'AbortError'
                        || /fetch|network/.test(error?.message);
                    if (!isOfTheConnection) throw error;
                    globalThis.answer = `rejected with ${error}`;
                },
            );
        };",
    )?;
    Ok(page)
}

/// The page asks this.
pub(super) fn begin(page: &Page, question: &str, url: &str, token: &str) -> Result<(), Failure> {
    Ok(page.eval(&format!("begin({}, {}, {})", json!(question), json!(url), json!(token)))?)
}

/// A page that asks, where how exactly it asks is nobody's business.
pub(super) fn ask_simply(bench: &Bench) -> Result<Page, Failure> {
    say_nothing_of_the_body(bench);
    let page = open(bench)?;
    begin(&page, QUESTION, URL, TOKEN)?;
    Ok(page)
}

/// The page asks once more, with a signal of its own.
pub(super) fn ask_again(bench: &Bench, page: &Page, note: &str) -> Result<(), Failure> {
    bench.note(note);
    page.eval("globalThis.stop = new AbortController()")?;
    begin(page, QUESTION, URL, TOKEN)
}

/// The client's request, whatever it looks like.
pub(super) async fn question(bench: &Bench, server: &mut Script) -> Result<Asked, Failure> {
    let asked = asked(server).await?;
    bench.retell(
        |moment| matches!(moment.what, What::Request { .. }),
        |moment| {
            moment.what =
                What::Request { method: "POST".to_owned(), target: URL.to_owned(), headers: Vec::new() };
        },
    );
    Ok(asked)
}

pub(super) async fn asked(server: &mut Script) -> Result<Asked, Failure> {
    let asked =
        server.request("The client asked nothing: `ask` sends the question as soon as it is called").await;
    asked.map_err(|failure| failure.or_of("5.request"))
}

pub(super) fn say_nothing_of_the_body(bench: &Bench) {
    bench.leave_out(|moment| moment.place == Place::ToServer && matches!(moment.what, What::Body(_)));
}

/// Which side ends the connection first after the last word is open.
pub(super) fn say_nothing_of_hanging_up(bench: &Bench) {
    bench.leave_out(|moment: &Moment| matches!(moment.what, What::Abort | What::End | What::Cut));
}

/// An event with this token.
pub(super) fn event(token: &str) -> String {
    let lines: Vec<String> = token.split('\n').map(|line| format!("data: {line}\n")).collect();
    lines.concat() + "\n"
}

/// The beginning of an answer.
pub(super) async fn answer_with_two_tokens(
    bench: &Bench,
    page: &Page,
    server: &mut Script,
) -> Result<(Stream, Vec<String>), Failure> {
    let asked = question(bench, server).await?;
    two_tokens(bench, page, asked.stream()).await
}

/// The same, of an answer that has begun.
pub(super) async fn two_tokens(
    bench: &Bench,
    page: &Page,
    mut stream: Stream,
) -> Result<(Stream, Vec<String>), Failure> {
    let tokens = vec!["BBCA".to_owned(), format!(" {}", 9_000 + 25 * bench.draw(40))];
    for token in &tokens {
        bench.wait_ms(100).await;
        stream.send(event(token));
    }
    bench.wait_ms(100).await;
    let shown = shown(bench, page)?;
    if shown != tokens {
        return Err(Failure::of(
            if shown.is_empty() { "5.arrival" } else { "5.tokens" },
            format!(
                "Two tokens have arrived, {}, and the answer goes on. `onToken` got {}: that is TODO 5.",
                list(&tokens),
                list(&shown)
            ),
        ));
    }
    Ok((stream, tokens))
}

/// The tokens of this answer that went to `onToken` so far, to the letter.
pub(super) fn shown(bench: &Bench, page: &Page) -> Result<Vec<Value>, Failure> {
    page.eval("say('shown', JSON.stringify(shown))")?;
    let shown = bench.said("shown").pop();
    let Some(Data::Json(shown) | Data::Text(shown)) = shown else { return Ok(Vec::new()) };
    Ok(serde_json::from_str(&shown).unwrap_or_default())
}

/// Tokens, in words.
pub(super) fn list<T: Clone + Into<Value>>(tokens: &[T]) -> String {
    let written: Vec<String> = tokens.iter().map(|token| token.clone().into().to_string()).collect();
    if written.is_empty() { "nothing".to_owned() } else { written.join(", ") }
}

/// How an answer must have ended, and the clauses that say so.
pub(super) struct Ending<'a> {
    outcome: &'a str,
    tokens: &'a [String],
    /// Why: the beginning of a sentence.
    because: &'a str,
    clause: &'static str,
    /// The clauses of the text, and of a token more.
    text: &'static str,
    more: &'static str,
    /// The clause of a promise that is rejected.
    resolves: &'static str,
}

impl<'a> Ending<'a> {
    pub(super) fn of(clause: &'static str, outcome: &'a str, tokens: &'a [String], because: &'a str) -> Self {
        Self { outcome, tokens, because, clause, text: "6.text", more: clause, resolves: "6.answer" }
    }

    /// The answer was stopped. A plain reason has been tried before any other.
    pub(super) fn stopped(tokens: &'a [String], because: &'a str, plainly: bool) -> Self {
        let clause = if plainly { "7.stopped" } else { "7.reason" };
        let stopped = Self::of(clause, "stopped", tokens, because);
        Self { text: "7.stopped", more: "7.silence", resolves: clause, ..stopped }
    }
}

/// What `ask` makes of it, a moment later, and that it leaves it at that.
pub(super) async fn expect_answer(
    bench: &Bench,
    page: &Page,
    server: &mut Script,
    ending: Ending<'_>,
) -> Result<(), Failure> {
    let Ending { outcome, tokens, because, .. } = ending;
    bench.wait_ms(100).await;
    page.eval("say('answer', answer ?? 'none yet')")?;
    let otherwise = format!(
        "{because}, and the client asked again by itself: a question is paid for each time it is asked. Whether to ask again is for the user to say."
    );
    let told = bench.said("answer").pop();
    let told = match &told {
        Some(Data::Json(told) | Data::Text(told)) => told.as_str(),
        Some(Data::Bytes(_)) | None => "nothing",
    };
    if told == "none yet" {
        // Perhaps because it is at it again.
        quiet(server, &otherwise).await?;
        return Err(Failure::of(
            ending.clause,
            format!("{because}, and 100 ms later `ask` has not resolved: its outcome is `{outcome}`."),
        ));
    }
    let is = serde_json::from_str::<Value>(told).unwrap_or_default();
    let expected = json!({ "outcome": outcome, "text": tokens.concat() });
    let shown = shown(bench, page)?;
    if shown.len() > tokens.len() {
        let more = &shown[tokens.len()..];
        return Err(Failure::of(
            ending.more,
            format!("{because}: {} went to `onToken` all the same.", list(more)),
        ));
    }
    if !is.is_object() {
        return Err(Failure::of(
            ending.resolves,
            format!("{because}: `ask` resolves to {expected}; yours {told}."),
        ));
    }
    if is["outcome"] != expected["outcome"] {
        let says = &is["outcome"];
        return Err(Failure::of(
            ending.clause,
            format!("{because}: the outcome is `{outcome}`; `ask` says {says}."),
        ));
    }
    if shown != tokens {
        return Err(Failure::of(
            "5.tokens",
            format!("{because}: `onToken` should have got {}; it got {}.", list(tokens), list(&shown)),
        ));
    }
    if is["text"] != expected["text"] {
        let (should, says) = (&expected["text"], &is["text"]);
        return Err(Failure::of(
            ending.text,
            format!("{because}: the text is what went to `onToken`, {should}; `ask` says {says}."),
        ));
    }
    quiet(server, &otherwise).await?;
    // A connection that is refused never reaches the server.
    if bench.moments().iter().filter(|moment| moment.what == What::Refused).count() > 1 {
        return Err(Failure::of("6.once", otherwise));
    }
    Ok(())
}

/// A minute in which the client must not ask.
async fn quiet(server: &mut Script, otherwise: &str) -> Result<(), Failure> {
    let quiet = server.quiet(Duration::from_secs(60), otherwise).await;
    quiet.map_err(|failure| failure.or_of("6.once"))
}
