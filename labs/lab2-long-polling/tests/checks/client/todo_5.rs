//! TODO 5: the loop.

use std::{cell::RefCell, rc::Rc, time::Duration};

use grader::{Asked, Bench, Check, Disturbance, Failure, invariant, scene, sweep, wire::transcript::Data};
use serde_json::Value;
use tokio::sync::Notify;

use super::{FILE, Market, NO_NEWS, SHOWN, Visit, is_request, send, settle, world::Rounds};

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_asks_one_at_a_time_and_keeps_its_place",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "cargo run -p lab2-solution, open its page, and watch the network panel: one request is always pending.",
    scenes: &[
        scene!(
            todo_5_shows_updates,
            ["5.position", "5.first", "5.no-store", "5.shown", "5.epoch", "5.no-news", "5.at-once", "5.live"],
            "Half a minute of silence, then two orders in one answer, then one more. Then silence again."
        ),
        scene!(
            todo_5_a_slow_answer,
            ["5.one", "5.patient"],
            "The server holds the request for half a minute, and its answer takes some seconds to arrive."
        ),
        scene!(
            todo_5_answer_after_answer,
            ["5.shown", "5.position", "5.at-once"],
            "A busy market: many answers, one after another, with one update or with forty."
        ),
        sweep!(
            todo_5_whatever_happens_to_the_page,
            ["5.one", "5.shown"],
            [Disturbance::Hide, Disturbance::Leave, Disturbance::OfflineOnly],
            "The page is hidden, left, or told that there is no network, while the server goes on."
        ),
    ],
};

/// Tells each request that is made in another cache mode than it should: on the way two of them look alike.
const WATCH_THE_CACHE: &str = "{
    const { fetch } = globalThis;
    globalThis.fetch = (input, init) => {
        let cache = 'no-store';
        try { cache = new Request(input, init).cache; } catch { /* `fetch` says what is wrong with it. */ }
        if (cache !== 'no-store') say('cache', cache);
        globalThis.shownBefore = globalThis.shown;
        return fetch(input, init);
    };
    globalThis.shown = 0;
}";

async fn todo_5_shows_updates(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["cache-control"]);
    let mut visit = {
        let server = bench.script();
        let market = Market::open(&bench);
        let page = bench.page(&["longPoll"])?;
        page.eval(WATCH_THE_CACHE)?;
        page.eval(&market.calling("(update) => { shown += 1; say('show', update); }"))?;
        Visit { bench: bench.clone(), server, page, market }
    };
    let asked = visit.begin().await?;
    expect_no_store(&bench)?;
    visit.hold(30).await?;
    asked.status(204);
    let asked = visit.next(NO_NEWS).await?;
    expect_no_store(&bench)?;

    bench.wait_ms(100).await;
    visit.fill(asked, 2);
    let asked = visit.next(SHOWN).await?;
    bench.wait_s(2).await;
    visit.fill(asked, 1);
    let asked = visit.next(SHOWN).await?;
    expect_no_store(&bench)?;
    // All within one millisecond: only the page itself knows what came first.
    visit.page.eval("if (shownBefore !== shown) say('show', 'later')")?;
    if bench.said("show").contains(&Data::Text("later".to_owned())) {
        return Err(Failure::of(
            "5.one",
            "The next request was made before the updates of the last answer had been shown: if the page fails on one of them, it is not asked for again. First `show`, then the request.",
        ));
    }

    visit.hold(30).await?;
    asked.status(204);
    let asked = visit.next(NO_NEWS).await?;
    visit.hold(5).await?;
    drop(asked);
    Ok(())
}

fn expect_no_store(bench: &Bench) -> Result<(), Failure> {
    let Some(Data::Text(mode)) = bench.said("cache").pop() else { return Ok(()) };
    Err(Failure::of(
        "5.no-store",
        if mode == "reload" {
            "The request was made with `cache: 'reload'`: it does not read the cache, but it writes it, and Chromium lets a second request for the same address wait until it has. `no-store` does neither.".to_owned()
        } else {
            format!(
                "The request was made without `cache: 'no-store'` (its mode is '{mode}'). Chromium sends a second request for the same address only when the first has been answered: two tabs would wait for each other."
            )
        },
    ))
}

async fn todo_5_a_slow_answer(bench: Bench) -> Result<(), Failure> {
    let mut visit = Visit::open(&bench)?;
    visit.begin().await?.status(204);
    let asked = visit.next(NO_NEWS).await?;
    visit.hold(30).await?;
    let three = visit.market.fill(3);
    let body = visit.market.body(&three);
    let middle = (body.len() / 2..).find(|at| body.is_char_boundary(*at)).unwrap_or_default();
    let (head, tail) = body.split_at(middle);
    let mut answer = asked.open(200, &visit.market.headers());
    send(&bench, &mut answer, head.to_owned());
    let early = "One answer is still arriving and has not been read, and the client asks again: two requests at a time, for the same updates";
    visit.server.quiet(Duration::from_secs(9), early).await.map_err(|failure| {
        let given_up = bench.last_moment(|moment| moment.what == grader::wire::What::Abort).is_some();
        if given_up {
            Failure::of(
                "5.patient",
                "The answer took 39 s to arrive, and the client gave it up; the contract says that it may take 40 s.",
            )
        } else {
            failure.or_of("5.one")
        }
    })?;
    send(&bench, &mut answer, tail.to_owned());
    answer.end();
    let _held = visit.next(SHOWN).await?;
    visit.hold(5).await
}

async fn todo_5_answer_after_answer(bench: Bench) -> Result<(), Failure> {
    let rounds = Rounds::new(&bench);
    let mut visit = Visit::open(&bench)?;
    let mut asked = visit.begin().await?;
    for round in 0..10 {
        rounds.begin();
        bench.wait_ms(bench.draw(400)).await;
        if round % 5 == 3 {
            asked.status(204);
            asked = visit.next(NO_NEWS).await?;
        } else {
            let count = if round % 3 == 1 { 40 } else { 1 + bench.draw(3) as usize };
            visit.fill(asked, count);
            asked = visit.next(SHOWN).await?;
        }
    }
    rounds.end("everything was shown, once and in order, and the client was always back at once");
    drop(asked);
    Ok(())
}

/// A log that a scripted server answers from by itself.
#[derive(Clone)]
pub(super) struct Shop(Rc<RefCell<Market>>, Rc<Notify>);

impl Shop {
    pub(super) fn open(bench: &Bench) -> Self {
        Self(Rc::new(RefCell::new(Market::open(bench))), Rc::default())
    }

    pub(super) fn calling(&self, show: &str) -> String {
        self.0.borrow().calling(show)
    }

    pub(super) fn fill(&self, count: usize) {
        self.0.borrow_mut().fill(count);
        self.1.notify_waiters();
    }

    /// Another log begins, after this number; requests that wait are of the old one.
    pub(super) fn begin_anew(&self, seq: u64) {
        let mut market = self.0.borrow_mut();
        market.epoch = format!("{}-after", market.epoch);
        market.seq = seq;
        market.begins = market.shown.len();
        self.1.notify_waiters();
    }

    /// Whether a request has a position of a log that was here before.
    pub(super) fn is_of_another_log(&self, asked: &Asked) -> bool {
        asked.query("epoch").is_some_and(|epoch| epoch != self.0.borrow().epoch)
    }

    /// The 409 for it, which takes its time.
    pub(super) async fn refuse(&self, asked: Asked) {
        let (bench, problem) = {
            let market = self.0.borrow();
            (market.bench.clone(), market.problem())
        };
        slowly(&bench, asked, 409, problem).await;
    }

    /// Answers with everything that is newer, in two pieces.
    pub(super) async fn answer_slowly(&self, asked: Asked) {
        let (bench, body) = {
            let market = self.0.borrow();
            (market.bench.clone(), market.body(&self.newer(&asked)))
        };
        slowly(&bench, asked, 200, body).await;
    }

    /// What a request asks for, as far as it is there.
    fn newer(&self, asked: &Asked) -> Vec<Value> {
        let market = self.0.borrow();
        let after: u64 = asked.query("after").and_then(|after| after.parse().ok()).unwrap_or_default();
        let of_this_log = market.shown[market.begins..].iter();
        of_this_log.filter(|update| update["seq"].as_u64() > Some(after)).cloned().collect()
    }

    /// Answers with what is newer, or with 204 after some seconds: few while a sweep looks for its moments.
    pub(super) async fn answer(&self, asked: Asked) {
        let bench = self.0.borrow().bench.clone();
        let longest = Duration::from_secs(if bench.disturbance().is_some() { 25 } else { 4 });
        let news = async {
            while self.newer(&asked).is_empty() && !self.is_of_another_log(&asked) {
                self.1.notified().await;
            }
        };
        let _ = tokio::time::timeout(longest, news).await;
        if self.is_of_another_log(&asked) {
            return self.refuse(asked).await;
        }
        let newer = self.newer(&asked);
        if newer.is_empty() { asked.status(204) } else { self.0.borrow().answer(asked, &newer) }
    }

    /// Everything, once and in order; with `may_lack`, as far as it was shown.
    pub(super) fn expect_shown(&self, may_lack: bool, clause: &'static str) -> Result<(), Failure> {
        let market = self.0.borrow();
        let expected: Vec<Data> =
            market.shown.iter().map(|update| Data::of_text(&update.to_string())).collect();
        invariant::shown(&market.bench, "show", &expected, may_lack, clause)
    }
}

/// An answer in two pieces, with some time between them.
async fn slowly(bench: &Bench, asked: Asked, status: u16, body: String) {
    let mut answer = asked.open(status, &[("content-type", "application/json")]);
    bench.wait_ms(50).await;
    let (head, tail) = body.split_at(8);
    answer.send(head.to_owned());
    bench.wait_ms(50).await;
    answer.send(tail.to_owned());
    answer.end();
}

async fn todo_5_whatever_happens_to_the_page(bench: Bench) -> Result<(), Failure> {
    let shop = Shop::open(&bench);
    let page = {
        let script = bench.script();
        let serving = shop.clone();
        script.answer_all(move |asked| {
            let shop = serving.clone();
            async move { shop.answer(asked).await }
        });
        bench.page(&["longPoll"])?
    };
    page.eval(&shop.calling("(update) => say('show', update)"))?;
    for (wait, count) in [(400, 2), (900, 1)] {
        bench.wait_ms(wait).await;
        shop.fill(count);
    }
    bench.wait_s(5).await;
    settle(&bench).await;
    shop.fill(1);
    bench.wait_s(2).await;
    settle(&bench).await;
    invariant::one_at_a_time(&bench, "5.one", is_request)?;
    shop.expect_shown(false, "5.shown")
}
