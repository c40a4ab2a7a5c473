//! TODO 5 to 7: the client, in a page of its own, before a server that does what the check says.

// Where this file stands says where these do, also for whoever includes it by its path.
#[path = "client/todo_5.rs"]
mod todo_5;
#[path = "client/todo_6.rs"]
mod todo_6;
#[path = "client/todo_7.rs"]
mod todo_7;
#[path = "client/waits.rs"]
mod waits;

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Mark, Page, Script, Stream, awkward,
    wire::{Moment, Place, What, When, transcript::Data},
};
use serde_json::{Value, json};

use super::world;

pub(crate) use {todo_5::TODO_5, todo_6::TODO_6, todo_7::TODO_7};

const FILE: &str = "web/client.js";
/// What "at once" is, in milliseconds.
const AT_ONCE: u64 = 50;

const NO_NEWS: &str = "204 means that nothing was published, and has no body to read: ask again";
const SHOWN: &str = "The updates were shown: ask for the next";
const ASKED_ALL_THE_SAME: &str = "The signal was aborted, and the client asks once more: whatever it was waiting for, it must look at the signal when it wakes";

/// A page with the client, and the server that it asks.
struct Visit {
    bench: Bench,
    server: Script,
    page: Page,
    market: Market,
}

impl Visit {
    /// Opens the client as the lab's page does.
    fn open(bench: &Bench) -> Result<Self, Failure> {
        Self::showing(bench, |_| "(update) => say('show', update)".to_owned())
    }

    /// The same with a `show` of the check's own: code, which may depend on the last number before it begins.
    fn showing(bench: &Bench, show: impl FnOnce(u64) -> String) -> Result<Self, Failure> {
        let server = bench.script();
        let market = Market::open(bench);
        let page = bench.page(&["longPoll"])?;
        page.eval(&market.calling(&show(market.seq)))?;
        Ok(Self { bench: bench.clone(), server, page, market })
    }

    /// The client's first request.
    async fn begin(&mut self) -> Result<Asked, Failure> {
        let asked = self.begin_of().await?;
        self.bench.wait_ms(100).await;
        Ok(asked)
    }

    /// The same, where other pages open as well.
    async fn begin_of(&mut self) -> Result<Asked, Failure> {
        let opened = self.bench.now();
        let asked = self
            .server
            .request("The client asked for nothing: `longPoll` asks as soon as it is called")
            .await
            .map_err(|failure| failure.or_of("5.first"))?;
        let waited = world::last_at(&self.bench, is_request).unwrap_or(opened).since(opened);
        if waited > AT_ONCE {
            return Err(Failure::of(
                "5.first",
                format!(
                    "`longPoll` was called, and its first request came {waited} ms later; the contract says at once."
                ),
            ));
        }
        self.market.expect_asked(&asked, "the `after` that it was given", ("5.first", "5.first"))?;
        if words(&self.bench).iter().any(|word| word == "live") {
            return Err(Failure::of(
                "5.live",
                "Nothing has been answered yet, and `status` was called with 'live'.",
            ));
        }
        Ok(asked)
    }

    /// The server holds the request; there must be no other.
    async fn hold(&mut self, seconds: u64) -> Result<(), Failure> {
        let quiet = self.server.quiet(
            Duration::from_secs(seconds),
            "One request waits for its answer, and the client makes another: one at a time",
        );
        let Err(failure) = quiet.await else { return Ok(()) };
        Err(if world::last(&self.bench, |moment| moment.what == What::Abort).is_some() {
            Failure::of(
                "5.patient",
                "The server held the request, and the client gave it up and asked again; the contract says that an answer may take 40 s. A server that holds a request for 30 s would never be heard.",
            )
        } else {
            failure.or_of("5.one")
        })
    }

    /// The client's next request, which follows what it heard last without delay.
    async fn next(&mut self, because: &str) -> Result<Asked, Failure> {
        let clause = if because == NO_NEWS { "5.no-news" } else { "5.at-once" };
        let asked = self
            .server
            .request_within(
                Duration::from_secs(60),
                &format!("{because}. The client asked for nothing more in a minute"),
            )
            .await
            .map_err(|failure| failure.or_of(clause))?;
        self.expect_at_once(because, "5.at-once")?;
        self.market.expect_shown()?;
        self.market.expect_asked(&asked, "the last update that was shown", ("5.position", "5.epoch"))?;
        expect_status(&self.bench, "live", "The server has answered", "5.live")?;
        Ok(asked)
    }

    /// The last request followed what the client heard last without delay; it is told as if there were none.
    fn expect_at_once(&self, because: &str, clause: &'static str) -> Result<(), Failure> {
        let bench = &self.bench;
        let heard = heard_before_asking(bench);
        let asked = world::last_at(bench, is_request).unwrap_or(heard);
        let waited = asked.since(heard);
        if waited > AT_ONCE {
            let failed = words(bench).last().is_some_and(|word| word == "reconnecting");
            return Err(Failure::of(
                if failed && because == NO_NEWS { "5.no-news" } else { clause },
                format!(
                    "{because}. {} The next request came {waited} ms later; the contract says at once: whatever happens meanwhile waits as long.",
                    if failed { "The client took it for a failure." } else { "" }
                ),
            ));
        }
        live_first(bench);
        bench.leave_open(heard, (0, 0), is_request);
        bench.retell(is_request, |moment| {
            if let When::Within(at, _) = moment.when {
                moment.when = When::At(at);
            }
        });
        Ok(())
    }

    /// Lets time pass in which the client must ask for nothing.
    async fn quiet(&mut self, seconds: u64, clause: &'static str, otherwise: &str) -> Result<(), Failure> {
        let quiet = self.server.quiet(Duration::from_secs(seconds), otherwise).await;
        quiet.map_err(|failure| failure.or_of(clause))
    }

    /// So many orders are filled, and this is the answer that tells of them.
    fn fill(&mut self, asked: Asked, count: usize) {
        let updates = self.market.fill(count);
        self.market.answer(asked, &updates);
    }
}

/// What the scripted server publishes, and what the page must have shown of it.
#[derive(Clone)]
struct Market {
    bench: Bench,
    /// The `url` that the client is given, and the path that it stands for.
    url: (&'static str, &'static str),
    epoch: String,
    /// The last update that the client has been told of.
    seq: u64,
    /// Whether the client knows the log by name.
    known: bool,
    /// All that was told, of this log and of those before it.
    shown: Vec<Value>,
    /// Where in this list the present log begins.
    begins: usize,
}

impl Market {
    fn open(bench: &Bench) -> Self {
        let epoch = world::log_name(bench);
        let plain = 20 + bench.draw(60);
        Self {
            bench: bench.clone(),
            url: bench.pick(&[
                ("/updates", "/updates"),
                ("updates", "/updates"),
                ("/live/lab2/updates", "/live/lab2/updates"),
                ("http://lab.test/orders/1/updates", "/orders/1/updates"),
            ]),
            epoch,
            seq: bench.pick(&[plain, 0, 1, 4_294_967_295, 9_007_199_254_740_000]),
            known: false,
            shown: Vec::new(),
            begins: 0,
        }
    }

    /// The call that starts the client.
    fn calling(&self, show: &str) -> String {
        let ((url, _), after) = (self.url, self.seq);
        format!(
            "globalThis.stop = new AbortController();
            client.longPoll({{
                url: '{url}',
                after: {after},
                show: {show},
                status: (status) => say('status', status),
                signal: stop.signal,
            }});"
        )
    }

    /// So many orders are filled, and will be shown.
    fn fill(&mut self, count: usize) -> Vec<Value> {
        let mut updates = Vec::new();
        for _ in 0..count {
            let update = self.peek();
            self.seq = update["seq"].as_u64().unwrap_or_default();
            self.shown.push(update.clone());
            updates.push(update);
        }
        self.known = true;
        updates
    }

    /// The next update, which is not told yet.
    fn peek(&self) -> Value {
        // The client is sent numbers, and counts nothing: elsewhere a log may leave some out.
        let left_out = self.bench.pick(&[0, 0, 0, 4]);
        json!({ "seq": self.seq + 1 + left_out, "data": world::order(&self.bench) })
    }

    /// The body of an answer with these updates.
    fn body(&self, updates: &[Value]) -> String {
        let (epoch, updates) = (json!(self.epoch), json!(updates));
        if self.bench.pick(&[true, true, false]) {
            json!({ "epoch": epoch, "updates": updates }).to_string()
        } else {
            format!("\n{{ \"next\": [{{ \"seq\": 1 }}], \"updates\": {updates:#},\n\"epoch\": {epoch} }}\n")
        }
    }

    fn headers(&self) -> [(&'static str, &'static str); 2] {
        let json = self.bench.pick(&["application/json", "application/json; charset=utf-8"]);
        [("content-type", json), ("cache-control", "no-store")]
    }

    /// Answers with these updates: whole, or in pieces where all is awkward.
    fn answer(&self, asked: Asked, updates: &[Value]) {
        let body = self.body(updates);
        if self.bench.is_plain() {
            return asked.answer(200, &self.headers(), body);
        }
        let mut answer = asked.open(200, &self.headers());
        send(&self.bench, &mut answer, body);
        answer.end();
    }

    /// A 409 or 410 with the position where the log stands now.
    fn restart(&self, asked: Asked, status: u16) {
        let headers = [("content-type", "application/problem+json")];
        if self.bench.is_plain() {
            return asked.answer(status, &headers, self.problem());
        }
        let mut answer = asked.open(status, &headers);
        send(&self.bench, &mut answer, self.problem());
        answer.end();
    }

    fn problem(&self) -> String {
        json!({ "title": "You have missed something.", "epoch": self.epoch, "seq": self.seq }).to_string()
    }

    /// The client asks for what comes after `position`; if not, the number or the name breaks one of these clauses.
    fn expect_asked(
        &self,
        asked: &Asked,
        position: &str,
        (of_number, of_name): (&'static str, &'static str),
    ) -> Result<(), Failure> {
        canonical(&self.bench);
        let path = asked.target.split('?').next().unwrap_or_default();
        let (given, expected) = self.url;
        if asked.method != "GET" || path != expected {
            return Err(Failure::of(
                "5.first",
                format!(
                    "The client asks with {} {}; it should be a GET of the `url` that it was given, {given}.",
                    asked.method, asked.target
                ),
            ));
        }
        let seq = self.seq;
        let wrong = match asked.query("after").map(|after| after.parse::<u64>().map_err(|_| after)) {
            Some(Ok(after)) if after == seq => None,
            Some(Ok(after))
                if after < seq && self.shown.iter().any(|update| update["seq"].as_u64() > Some(after)) =>
            {
                Some(format!(
                    "The client asks for what comes after {after}; {position} is {seq}. It will be sent again what it has shown."
                ))
            }
            Some(Ok(after)) => {
                Some(format!("The client asks for what comes after {after}; {position} is {seq}."))
            }
            Some(Err(after)) => Some(format!(
                "The client asks for what comes after `{after}`, which is no number; {position} is {seq}."
            )),
            None => Some(
                "The request has no `after`: the server cannot know what this client has seen.".to_owned(),
            ),
        };
        if let Some(words) = wrong {
            return Err(Failure::of(of_number, words));
        }
        let epoch = asked.query("epoch");
        let words = match (&epoch, self.known) {
            (Some(epoch), true) if *epoch == self.epoch => return Ok(()),
            (None, false) => return Ok(()),
            (None, true) => format!(
                "The answer named the log (`epoch` \"{}\"), and this request does not: after a restart of the server its number would be taken for one of the new log.",
                self.epoch
            ),
            (Some(epoch), true) => format!(
                "The request names the log \"{epoch}\"; the log is called \"{}\".{}",
                self.epoch,
                if world::encoded(&self.epoch) == self.epoch {
                    ""
                } else {
                    " (A name may have any characters in it: `URLSearchParams` and `encodeURIComponent` know how to write them into an address.)"
                }
            ),
            (Some(epoch), false) => {
                format!("The request names a log, \"{epoch}\", before the server has named any.")
            }
        };
        Err(Failure::of(of_name, words))
    }

    /// What the page has shown is what was told, each update once and in order.
    fn expect_shown(&self) -> Result<(), Failure> {
        self.expect_these(&world::said(&self.bench, "show"), "5.shown")
    }

    fn expect_these(&self, shown: &[Data], clause: &'static str) -> Result<(), Failure> {
        let told = |update: &Value| Data::of_text(&update.to_string());
        // What was right before is right now: most of it need not be written out again.
        let same = self.shown.len() == shown.len();
        if same && self.shown.iter().zip(shown).rev().take(50).all(|(update, shown)| told(update) == *shown) {
            return Ok(());
        }
        let expected: Vec<Data> = self.shown.iter().map(told).collect();
        let data_only: Vec<Data> = self.shown.iter().map(|update| told(&update["data"])).collect();
        let twice = shown.iter().enumerate().find(|(at, update)| shown[..*at].contains(update));
        Err(Failure::of(
            clause,
            if shown == data_only {
                "`show` was given the data only: it takes the whole update, `{ seq, data }`, so that the page can see whether one is missing.".to_owned()
            } else if let Some((_, twice)) = twice {
                format!("This update was shown twice: {twice}.")
            } else if let Some(missing) = expected.iter().find(|update| !shown.contains(update)) {
                format!(
                    "The answers had {} updates so far, and {} were shown. This one was not, or not as it came: {missing}.",
                    expected.len(),
                    shown.len()
                )
            } else {
                "What was shown is not what was sent: `show` takes each update of an answer, `{ seq, data }`, in order.".to_owned()
            },
        ))
    }
}

/// Where a play of a sweep was disturbed, waits until that is over and the longest wait is, too.
async fn settle(bench: &Bench) {
    if let Some((_, at)) = bench.disturbance() {
        bench.wait_ms(75_000_u64.saturating_sub(bench.now().since(at))).await;
    }
}

/// Sends a text: whole, or in pieces where all is awkward.
fn send(bench: &Bench, answer: &mut Stream, text: String) {
    if text.len() > 1_000 {
        return answer.send(text);
    }
    for chunk in awkward::chunks(bench, text) {
        answer.send(chunk);
    }
}

/// When the client heard of something last, before its last request.
fn heard_before_asking(bench: &Bench) -> Mark {
    let (mut heard, mut before) = (None, None);
    world::look(bench, |moment| {
        if is_request(moment) {
            before.clone_from(&heard);
        } else if is_heard(moment) {
            heard = Some(moment.clone());
        }
    });
    before.map_or(bench.now(), |moment| bench.clock(&moment))
}

/// What the contract leaves open in a request: the order of its parameters, and others beside them.
fn canonical(bench: &Bench) {
    bench.retell_all(|moment| {
        let What::Request { target, .. } = &mut moment.what else { return };
        let Some((path, query)) = target.split_once('?') else { return };
        let find = |name: &str| {
            query.split('&').find(|pair| pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        };
        let named: Vec<&str> = ["after", "epoch"].into_iter().filter_map(find).collect();
        *target = format!("{path}?{}", named.join("&"));
    });
}

/// Whether 'live' is said before the updates of an answer are shown, or after, is open: it is told first.
fn live_first(bench: &Bench) {
    // What came before the request before this one has been put in order already.
    let (mut before, mut last, mut count) = (0, 0, 0);
    world::look(bench, |moment| {
        if is_request(moment) {
            (before, last) = (last, count);
        }
        count += 1;
    });
    let mut told = Vec::new();
    count = 0;
    world::look(bench, |moment| {
        if count >= before {
            told.push(moment.clone());
        }
        count += 1;
    });
    let is_page = |moment: &Moment| moment.place == Place::Page;
    let is_status = |moment: &Moment| matches!(&moment.what, What::Said(label, _) if label == "status");
    let mut from = 0;
    while from < told.len() {
        let same = |moment: &Moment| is_page(moment) && moment.when == told[from].when;
        let length = told[from..].iter().take_while(|moment| same(moment)).count();
        // Only what an answer brought: 'live' among updates.
        let run = from..from + length;
        if told[run.clone()].iter().any(|moment| !is_status(moment))
            && told[run.clone()]
                .iter()
                .filter(|moment| is_status(moment))
                .all(|moment| is_said(moment, "live") || is_said(moment, "connecting"))
        {
            told[run].sort_by_key(|moment| !is_status(moment));
        }
        from += length.max(1);
    }
    let mut told = told.into_iter();
    count = 0;
    bench.retell_all(|moment| {
        if count >= before
            && let Some(sorted) = told.next()
        {
            *moment = sorted;
        }
        count += 1;
    });
}

fn is_said(moment: &Moment, word: &str) -> bool {
    matches!(&moment.what, What::Said(_, Data::Text(said)) if said == word)
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// What reaches the client, with its end: an answer, its body, a connection that breaks.
fn is_heard(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. } | What::Body(_) | What::End | What::Cut | What::Refused)
}

/// What `status` has been called with, but for 'connecting', which may come at any time.
fn words(bench: &Bench) -> Vec<String> {
    let words = world::said(bench, "status").into_iter().map(|word| match word {
        Data::Text(word) => word,
        other => other.to_string(),
    });
    words.filter(|word| word != "connecting").collect()
}

/// What `status` was called with last is this word.
fn expect_status(bench: &Bench, status: &str, because: &str, clause: &'static str) -> Result<(), Failure> {
    match words(bench).last() {
        Some(now) if now == status => Ok(()),
        Some(now) => Err(Failure::of(
            clause,
            format!("{because}, and `status` was last called with '{now}'; the contract says '{status}'."),
        )),
        None => Err(Failure::of(clause, format!("{because}, and nobody called `status('{status}')`."))),
    }
}
