//! What follows when the browser has given up: the client's question, the answer, the wait.

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Mark, Script, Stream,
    wire::{Moment, What},
};

use super::{AT_ONCE, Ticker, is_event_source, is_request};

/// Answers on which a browser gives up, but for 204: the first is the plain one.
pub(super) const FATAL: [u16; 9] = [502, 404, 500, 503, 429, 401, 202, 403, 410];
/// What a question may be answered, when it does not mean closed: the first is the plain one.
pub(super) const PASSING: [u16; 9] = [502, 200, 404, 503, 202, 429, 500, 401, 410];

/// The browser has given up, and the client has learnt why. It may count its wait from either.
#[derive(Clone, Copy)]
pub(super) struct Refusal {
    /// When the browser gave up.
    lost: Mark,
    /// How long after that the client heard why, in milliseconds.
    heard_after: u64,
    answer: Answer,
}

impl Refusal {
    /// When the browser gave up.
    pub(super) fn since(&self) -> Mark {
        self.lost
    }
}

/// How the question ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Status(u16),
    /// No connection to the server comes about.
    Refused,
    /// The connection breaks before the answer comes.
    Broken,
}

impl Ticker {
    /// The browser has given up. The client asks why, and the question is answered like this.
    pub(super) async fn asks(&self, server: &mut Script, answer: Answer) -> Result<Refusal, Failure> {
        let bench = &self.0.bench;
        let lost = self.gives_up().await?;
        if answer == Answer::Refused {
            return self.asks_in_vain(lost).await;
        }
        let question = self.question(server, lost).await?;
        let mut body = None;
        match answer {
            Answer::Status(status) => body = reply(question, status),
            Answer::Refused | Answer::Broken => drop(question),
        }
        let is_end =
            |moment: &Moment| is_answer(moment) || matches!(moment.what, What::End | What::Cut | What::Abort);
        let heard = bench
            .until(Duration::from_secs(1), "The answer to the client's question was lost.", || {
                bench.last_moment(is_end).filter(|answer| *answer > lost)
            })
            .await?;
        if let Some(body) = body {
            bench.wait_ms(100).await;
            if body.is_read() {
                return Err(Failure::of(
                    "6.body",
                    "The client asked with GET and was answered with 200, and it leaves the body open: that is a stream that nobody reads, beside the one that it opens next. Cancel the body, or ask with HEAD.",
                ));
            }
        }
        Ok(Refusal { lost, heard_after: heard.since(lost), answer })
    }

    /// Waits for the answer that makes the browser give up: it is in transit.
    pub(super) async fn gives_up(&self) -> Result<Mark, Failure> {
        let bench = &self.0.bench;
        let answers = || bench.moments().iter().filter(|moment| is_answer(moment)).count();
        let before = answers();
        let arrived = || (answers() > before).then(|| bench.last_moment(is_answer)).flatten();
        bench.until(AT_ONCE, "The server's answer was lost.", arrived).await
    }

    /// The client's question. Its method, its headers and the position in its address are open.
    pub(super) async fn question(&self, server: &mut Script, lost: Mark) -> Result<Asked, Failure> {
        let bench = &self.0.bench;
        let told = bench.told_at(lost);
        let question = server.request_within(
            AT_ONCE,
            "The browser has given up on the stream; an `EventSource` that is CLOSED never comes back. The client should ask why, with one `fetch` of the same address.",
        );
        let question = question.await.map_err(|failure| failure.or_of("6.asks"))?;
        if is_event_source(&question) {
            return Err(Failure::of(
                "6.asks",
                "The client opened a new EventSource without asking why the old one had died: it would ask a closed market for ever.",
            ));
        }
        let path = question.target.split('?').next().unwrap_or_default();
        if path != self.0.path || !matches!(question.method.as_str(), "HEAD" | "GET") {
            return Err(Failure::of(
                "6.asks",
                format!(
                    "The client should ask for the stream's own address, with HEAD or GET; it asked {} {}.",
                    question.method, question.target
                ),
            ));
        }
        bench.tell_at(told, is_request);
        self.tell_as_question();
        Ok(question)
    }

    /// The last request was the client's question: it is told as HEAD, from the position, and without a body.
    fn tell_as_question(&self) {
        let bench = &self.0.bench;
        let address = self.address();
        bench.retell(is_request, |moment| {
            if let What::Request { method, target, .. } = &mut moment.what {
                "HEAD".clone_into(method);
                *target = address;
            }
        });
        let asked = bench.moments().into_iter().rev().find(is_request).and_then(|moment| moment.exchange);
        bench.leave_out(move |moment| {
            moment.exchange == asked && matches!(moment.what, What::Body(_) | What::End | What::Abort)
        });
    }

    /// No connection comes about: the client's question fails.
    async fn asks_in_vain(&self, lost: Mark) -> Result<Refusal, Failure> {
        let bench = &self.0.bench;
        let refused = |moment: &Moment| moment.what == What::Refused;
        let heard = bench
            .until(
                AT_ONCE,
                "The browser has given up on the stream, and the client should ask why; no connection was tried.",
                || bench.last_moment(refused).filter(|at| *at >= lost),
            )
            .await
            .map_err(|failure| failure.or_of("6.asks"))?;
        Ok(Refusal { lost, heard_after: heard.since(lost), answer: Answer::Refused })
    }

    /// The client comes back within the window, in milliseconds: its request, and how long it waited.
    pub(super) async fn comes_back(
        &self,
        server: &mut Script,
        refusal: Refusal,
        (from, to): (u64, u64),
        clause: &'static str,
    ) -> Result<(Asked, u64), Failure> {
        let bench = &self.0.bench;
        let asked = match refusal.answer {
            Answer::Status(status) => format!("The client's question was answered with {status}"),
            Answer::Refused | Answer::Broken => "The client's question got no answer".to_owned(),
        };
        let missing = format!(
            "{asked}, and the client does not come back: only a 204 means that the market is closed, and everything else may pass."
        );
        let back = server.request_within(Duration::from_secs(60), &missing).await;
        let back =
            back.map_err(|failure| failure.or_of(if clause == "6.no-answer" { clause } else { "6.passes" }))?;
        let waited = bench.last_moment(is_request).unwrap_or(back.at).since(refusal.lost);
        let latest = to + refusal.heard_after;
        if waited < from || waited > latest {
            let waited = if waited < from { waited } else { waited - refusal.heard_after };
            return Err(Failure::of(
                clause,
                format!("The client came back after {waited} ms; here it should wait for {from} to {to} ms."),
            ));
        }
        bench.leave_open(refusal.lost, (from, latest), is_request);
        self.expect_stream(&back, "6.passes")?;
        Ok((back, waited))
    }
}

/// Answers a question. A GET that is answered with 200 has a body that does not end by itself.
pub(super) fn reply(question: Asked, status: u16) -> Option<Stream> {
    if status == 200 && question.method == "GET" {
        return Some(question.stream());
    }
    let headers: &[_] = if status == 200 { &[("content-type", "text/event-stream")] } else { &[] };
    question.answer(status, headers, "");
    None
}

/// Answers a browser so that it gives up. A 200 with another content type does that, too.
pub(super) fn refuse(bench: &Bench, asked: Asked, status: u16) {
    if !bench.is_plain() && status == 500 {
        asked.answer(200, &[("content-type", "text/html")], "<h1>Please log in</h1>");
    } else {
        asked.status(status);
    }
}

fn is_answer(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. })
}
