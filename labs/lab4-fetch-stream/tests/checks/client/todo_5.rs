//! TODO 5: one question, and its tokens.

use std::time::Duration;

use grader::{
    Asked, Bench, Check, Failure, Page, Script, Stream,
    awkward::{TEXTS, chunks},
    scene,
    wire::{What, transcript::Data},
};
use serde_json::{Value, json};

use super::{
    FILE,
    asking::{URL, ask_simply, asked, begin, event, list, open, question, shown},
};

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_asks_and_hands_on_each_token",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "cargo run -p lab4-solution, ask in its page, and look at the request in the browser's network panel: its method, its headers, its body, and when each piece of the answer comes.",
    scenes: &[
        scene!(
            todo_5_asks,
            [
                "5.request",
                "5.body",
                "5.authorization",
                "5.content-type",
                "5.accept",
                "5.arrival",
                "5.tokens",
                "5.other-types",
            ],
            "The page asks. Tokens arrive alone, in pairs and in pieces."
        ),
        scene!(
            todo_5_any_question,
            ["5.request", "5.body", "5.authorization"],
            "The page asks other questions, at other addresses, with other tokens."
        ),
        scene!(
            todo_5_any_tokens,
            ["5.tokens", "5.arrival", "5.other-types"],
            "Tokens come that are empty, equal, blank, or look like something else."
        ),
    ],
};

async fn todo_5_asks(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["authorization", "content-type", "accept"]);
    let mut server = bench.script();
    let secret = format!("t-{}", bench.draw(1_000_000));
    let asks = format!("How is BBCA at {}?", 9_000 + bench.draw(1_000));
    let page = open(&bench)?;
    begin(&page, &asks, URL, &secret)?;
    let asked = expect_question(&bench, &mut server, &asks, URL, &secret).await?;
    bench.wait_ms(100).await;
    let mut answer = Answer { page, stream: Some(asked.stream()), tokens: Vec::new() };
    bench.wait_ms(100).await;
    let price = format!(" {}", 9_000 + 25 * bench.draw(40));
    answer.send(&bench, "data: BBCA\n\n", &["BBCA"], "A token has arrived alone").await?;
    let chunk = format!("data: {price}\n\ndata:  \u{25b2}\n\n");
    answer.send(&bench, chunk, &[&price, " \u{25b2}"], "Two tokens have arrived in one chunk").await?;
    // An event in pieces, and another that is none of ours.
    answer.send(&bench, b"data: \ndata:  caf\xc3".to_vec(), &[], "Half a token has arrived").await?;
    let chunk = [&b"\xa9\n\n"[..], b"event: thinking\ndata: (nobody needs this)\n\ndata: .\n\n"].concat();
    let because = "The other half has arrived, and an event `thinking`, which is no token";
    answer.send(&bench, chunk, &["\n caf\u{e9}", "."], because).await?;
    let otherwise = "The answer goes on, and the client asks again: one question is one request";
    let quiet = server.quiet(Duration::from_secs(30), otherwise).await;
    quiet.map_err(|failure| failure.or_of("5.request"))
}

/// What may stand in a URL, and in a bearer token (RFC 6750).
const URLS: [&str; 4] = ["/ask", "/assistant/ask?v=2&q=%20", "/ask/", "/a/../ask-it"];
const SECRETS: [&str; 4] = ["demo", "abc~d.e-f_g+h/==", "0", "DEMO"];

async fn todo_5_any_question(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["authorization", "content-type", "accept"]);
    let mut server = bench.script();
    let page = open(&bench)?;
    for (number, asks) in share(&bench, &TEXTS, 2).into_iter().enumerate() {
        let (url, secret) = (URLS[number % URLS.len()], SECRETS[number / 2 % SECRETS.len()]);
        page.eval("globalThis.stop = new AbortController()")?;
        begin(&page, asks, url, secret)?;
        let url = if url.contains("..") { "/ask-it" } else { url };
        let asked = expect_question(&bench, &mut server, asks, url, secret).await?;
        asked.answer(503, &[("content-type", "application/problem+json")], "{}");
        bench.wait_ms(100).await;
    }
    Ok(())
}

/// The first few of a list in the plain play; in the two others the one half and the other.
fn share<T: Copy>(bench: &Bench, list: &[T], plain: usize) -> Vec<T> {
    if bench.is_plain() {
        return list[..plain].to_vec();
    }
    list.iter().copied().skip((bench.seed() % 2) as usize).step_by(2).collect()
}

/// Tokens on which a careless client stumbles, the first of them in the plain play.
const TOKENS: [&str; 24] = [
    "",
    "again",
    "again",
    "\n\nBBCA",
    " two  blanks ",
    "{\"a\": 1}",
    "",
    "\n",
    "\u{feff}mark",
    "[DONE]",
    "done",
    "error: none",
    "0",
    "null",
    "false",
    "\t",
    "data: x",
    ": no comment",
    "line\n",
    "\u{2028}",
    "e\u{301}",
    "\u{a0}\u{200b}",
    "\0",
    "undefined",
];

/// Types that are none of ours.
const TYPES: [&str; 9] =
    ["thinking", "Message", "token", "messages", "end", "close", "__proto__", "data", "Done"];

async fn todo_5_any_tokens(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let stream = question(&bench, &mut server).await?.stream();
    let mut answer = Answer { page, stream: Some(stream), tokens: Vec::new() };
    let mut tokens: Vec<String> = share(&bench, &TOKENS, 8).into_iter().map(str::to_owned).collect();
    if !bench.is_plain() {
        // What a CR would be, an event stream cannot carry. After many tokens some come again, and one twice.
        tokens.extend(share(&bench, &TEXTS, 0).into_iter().map(without_cr));
        tokens.extend_from_within(..4);
        tokens.extend_from_within(3..4);
    }
    for (number, token) in (1..).zip(&tokens) {
        let mut before = String::new();
        if !bench.is_plain() && bench.draw(3) == 0 {
            let other = TYPES[bench.draw(TYPES.len() as u64) as usize];
            before = format!("event: {other}\ndata: {number}\n\n");
        }
        let own = if bench.is_plain() {
            ""
        } else {
            ["", "event: message\n", "id: 7\n", "event\n"][bench.draw(4) as usize]
        };
        let text = before + own + &event(token);
        let mut pieces = chunks(&bench, text);
        let last = pieces.pop().unwrap_or_default();
        for piece in pieces {
            if let Some(stream) = &mut answer.stream {
                stream.send(piece);
            }
        }
        let because = format!("Token {number} is {}, and has arrived", Value::from(token.as_str()));
        answer.send(&bench, last.to_vec(), &[token], &because).await?;
    }
    Ok(())
}

fn without_cr(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// An answer that is being sent, and what should have been shown of it.
struct Answer {
    page: Page,
    stream: Option<Stream>,
    tokens: Vec<String>,
}

impl Answer {
    /// Sends bytes that complete these tokens. 100 ms later they have gone to `onToken`, and nothing else.
    async fn send(
        &mut self,
        bench: &Bench,
        bytes: impl Into<Vec<u8>>,
        tokens: &[&str],
        because: &str,
    ) -> Result<(), Failure> {
        if let Some(stream) = &mut self.stream {
            stream.send(bytes.into());
        }
        self.tokens.extend(tokens.iter().map(|token| (*token).to_owned()));
        bench.wait_ms(100).await;
        let is = shown(bench, &self.page)?;
        if is == self.tokens { Ok(()) } else { Err(self.complaint(bench, &is, because).await?) }
    }

    async fn complaint(&mut self, bench: &Bench, is: &[Value], because: &str) -> Result<Failure, Failure> {
        let should = &self.tokens;
        let agree =
            is.iter().zip(should).take_while(|(is, should)| is.as_str() == Some(should.as_str())).count();
        let so_far = |is: &[Value]| {
            format!(
                "`onToken` should have got {} so far; it got {}.",
                list(last_of(should)),
                list(last_of(is))
            )
        };
        if agree == is.len() && agree < should.len() {
            // Too late, or never?
            if let Some(stream) = self.stream.take() {
                stream.end();
            }
            bench.wait_ms(100).await;
            let at_the_end = shown(bench, &self.page)?;
            let missing = Value::from(should[agree].as_str());
            return Ok(if at_the_end == *should {
                Failure::of(
                    "5.arrival",
                    format!(
                        "{because}, and the answer goes on. 100 ms later {missing} has not gone to `onToken`; it does later. Read the body piece by piece, and hand each token on when its event is complete: neither with the next one, nor when all of the body is there, as with `await response.text()`."
                    ),
                )
            } else if at_the_end.len() > is.len() {
                Failure::of("5.tokens", format!("{because}. {}", so_far(&at_the_end)))
            } else {
                Failure::of(
                    "5.tokens",
                    format!(
                        "{because}: {missing} never goes to `onToken`. Whatever the data of a `message` is, it is a token."
                    ),
                )
            });
        }
        let Some((is_token, token)) = is.get(agree).zip(should.get(agree)) else {
            let more = &is[agree.min(is.len() - 1)..];
            let clause = if more.len() == 1 && should.last().is_some_and(|last| more[0] == *last) {
                "5.tokens"
            } else {
                "5.other-types"
            };
            return Ok(Failure::of(
                clause,
                format!("{because}: {} went to `onToken` all the same.", list(more)),
            ));
        };
        let after = &is[agree + 1..];
        if after.iter().zip(&should[agree..]).all(|(is, should)| is == should)
            && should[agree..].len() == after.len()
        {
            let again = agree > 0 && *is_token == should[agree - 1];
            let clause = if again { "5.tokens" } else { "5.other-types" };
            return Ok(Failure::of(clause, format!("{because}: {is_token} went to `onToken` all the same.")));
        }
        let is_trimmed = is_token.as_str().is_some_and(|is| is.trim() == token.trim());
        Ok(if is_trimmed {
            Failure::of(
                "5.tokens",
                format!(
                    "{because}. The token is {}, and {is_token} goes to `onToken`: the blanks and line breaks at its ends are its own.",
                    Value::from(token.as_str())
                ),
            )
        } else {
            Failure::of("5.tokens", format!("{because}. {}", so_far(is)))
        })
    }
}

/// The last few of a list: enough to see where it goes wrong.
fn last_of<T>(list: &[T]) -> &[T] {
    &list[list.len().saturating_sub(5)..]
}

/// The request that this question makes, and nothing that the contract leaves open.
async fn expect_question(
    bench: &Bench,
    server: &mut Script,
    question: &str,
    url: &str,
    token: &str,
) -> Result<Asked, Failure> {
    let asked = asked(server).await?;
    if asked.method != "POST" || asked.target != url {
        return Err(Failure::of(
            "5.request",
            format!(
                "The client sends {} {}; the contract says POST to `url`, here {url}.",
                asked.method, asked.target
            ),
        ));
    }
    let credentials = asked.header("authorization").unwrap_or("missing");
    if credentials
        .split_once(' ')
        .is_none_or(|(scheme, sent)| !scheme.eq_ignore_ascii_case("bearer") || sent.trim() != token)
    {
        return Err(Failure::of(
            "5.authorization",
            format!("The header `Authorization` should be `Bearer {token}`; it is `{credentials}`."),
        ));
    }
    let essence = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let content_type = asked.header("content-type").unwrap_or("missing");
    if essence(content_type) != "application/json" {
        return Err(Failure::of(
            "5.content-type",
            format!(
                "The body is JSON, and `Content-Type` is `{content_type}`: without `application/json` the server refuses to read it (415)."
            ),
        ));
    }
    let accept = asked.header("accept").unwrap_or("missing");
    if !accept.split(',').any(|range| essence(range) == "text/event-stream") {
        return Err(Failure::of(
            "5.accept",
            format!("The client can read an event stream only, and does not say so: `Accept` is `{accept}`."),
        ));
    }
    let body: Option<Value> = serde_json::from_slice(&asked.body).ok();
    if body.as_ref().is_none_or(|body| body["question"] != json!(question)) {
        return Err(Failure::of(
            "5.body",
            format!(
                "The body should be JSON, {}; it is `{}`.",
                json!({ "question": question }),
                String::from_utf8_lossy(&asked.body)
            ),
        ));
    }
    // Parameters, other types, other members are open.
    bench.retell(
        |moment| matches!(moment.what, What::Request { .. }),
        |moment| {
            if let What::Request { headers, .. } = &mut moment.what {
                for (name, value) in headers {
                    match name.as_str() {
                        "authorization" => *value = format!("Bearer {token}"),
                        "content-type" => "application/json".clone_into(value),
                        _ => "text/event-stream".clone_into(value),
                    }
                }
            }
        },
    );
    bench.retell(
        |moment| matches!(moment.what, What::Body(_)),
        |moment| moment.what = What::Body(Data::of_text(&json!({ "question": question }).to_string())),
    );
    Ok(asked)
}
