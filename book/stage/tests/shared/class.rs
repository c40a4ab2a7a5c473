//! Several stages, one class: who joins or votes on one is on the board of all, and what becomes of it when a stage or
//! Redis goes.

use std::time::Instant;

use feed_redis::{Address, Log, Shared};
use hyper::{Response, body::Incoming, header};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use crate::{
    as_started,
    gate::{Gate, Passes},
    node::Node,
    peers::{Events, ask, text},
    redis::{PATIENCE, Redis, until},
};

const QUESTION: &str = "question=03-server-sent-events%23predict-clean-end";
const AWAY: &str = "The stage has lost its store";

/// A stage of the class.
struct Stage {
    node: Node,
    link: String,
}

async fn stage(redis: &Redis) -> Stage {
    stage_at(&redis.address()).await
}

async fn stage_at(redis: &Address) -> Stage {
    let (node, link) = as_started(redis).await;
    Stage { node, link }
}

/// An answer to its end.
#[derive(Debug)]
struct Told {
    status: u16,
    cookie: String,
    body: String,
}

/// What browsers and `cargo lab` ask of a stage.
impl Stage {
    async fn told(&self, target: &str, cookie: &str, form: &str) -> Told {
        let answer =
            ask(self.node.address, target, &[("cookie", cookie)], form).await.expect("the stage answers");
        Told::of(answer).await
    }

    async fn get(&self, target: &str, cookie: &str) -> Told {
        self.told(target, cookie, "").await
    }

    /// The instructor's cookie, by this stage's own link.
    async fn instructor(&self) -> String {
        let opened = self.get(&self.link, "").await;
        assert_eq!(opened.status, 303, "{opened:?}");
        opened.cookie
    }

    async fn visitor(&self) -> String {
        self.get("/class/me", "").await.cookie
    }

    /// Joins as `cargo lab join` does; gives name and token.
    async fn join(&self, name: &str) -> (String, String) {
        let body = json!({ "version": 1, "name": name }).to_string();
        let joined = self.told("/class/join", "", &body).await;
        assert_eq!(joined.status, 200, "{joined:?}");
        let joined: Value = serde_json::from_str(&joined.body).expect("what `cargo lab` reads");
        [&joined["name"], &joined["token"]].map(|text| text.as_str().expect("a text").to_owned()).into()
    }

    async fn report(&self, token: &str, done: &[u8]) -> u16 {
        let bearer = format!("Bearer {token}");
        let body = json!({ "version": 1, "lab": 3, "total": 7, "done": done, "open": [] }).to_string();
        let answer = ask(self.node.address, "/class/report", &[("authorization", &bearer)], &body).await;
        answer.expect("the stage answers").status().as_u16()
    }

    async fn vote(&self, cookie: &str, answer: u8) -> Told {
        self.told("/class/vote", cookie, &format!("{QUESTION}&answer={answer}")).await
    }

    async fn order(&self, instructor: &str, what: &str, form: &str) {
        let done = self.told(&format!("/instructor/class/{what}"), instructor, form).await;
        assert_eq!(done.status, 204, "{what} {form}: {done:?}");
    }

    /// Waits until a page of this stage says something.
    async fn until(&self, target: &str, cookie: &str, what: &str, says: impl Fn(&str) -> bool) -> String {
        let asked = Instant::now();
        loop {
            let page = self.get(target, cookie).await.body;
            if says(&page) {
                return page;
            }
            assert!(asked.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?} on {target}: {page}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn board(&self, what: &str, says: impl Fn(&str) -> bool) -> String {
        self.until("/class", "", what, says).await
    }
}

impl Told {
    async fn of(answer: Response<Incoming>) -> Self {
        let status = answer.status().as_u16();
        let set = answer.headers().get(header::SET_COOKIE).and_then(|set| set.to_str().ok());
        let cookie = set.and_then(|set| set.split(';').next()).unwrap_or_default().to_owned();
        Self { status, cookie, body: text(answer).await.expect("the answer has an end") }
    }
}

/// The votes for each answer, where a page shows them.
fn counts(page: &str) -> Vec<&str> {
    page.split("class-count\">").skip(1).filter_map(|rest| rest.split('<').next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_and_votes_on_one_stage_is_on_the_board_of_the_other() {
    let Some(redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let instructor = one.instructor().await;

    // The console is open on both, by one cookie, at once: a balancer may send the next request anywhere.
    assert_eq!(two.get("/instructor", &instructor).await.status, 200);
    let again = two.get(&one.link, "").await;
    assert_eq!((again.status, again.body.contains("has been used")), (403, true), "{again:?}");
    let other = two.instructor().await;
    assert_eq!(
        one.get("/instructor", &other).await.status,
        200,
        "each stage's own link opens the same console"
    );

    let (name, sari) = one.join("Sari").await;
    assert_eq!(name, "Sari");
    assert_eq!(two.join(" sari ").await.0, "sari 2", "names are told apart, whichever stage takes them");
    assert_eq!(two.report(&sari, &[1, 2]).await, 204, "a token is good on every stage");
    for stage in [&one, &two] {
        let board = stage
            .board("both names and the progress", |page| {
                page.contains("2 have joined") && page.contains("<b>2 of 7</b>")
            })
            .await;
        assert!(board.contains(">Sari<") && board.contains(">sari 2<"), "{board}");
    }

    // A browser keeps its cookie, wherever it comes.
    let browser = one.visitor().await;
    assert_eq!(two.told("/class/me/name", &browser, "name=Budi").await.status, 204);
    let page = one.until("/class/me", &browser, "its name", |page| page.contains(">Budi<")).await;
    assert!(page.contains("You are on the board as"), "{page}");

    // A question that is opened on one is voted on at the other; one browser has one vote.
    let (here, there) = (one.visitor().await, two.visitor().await);
    one.order(&instructor, "ask", QUESTION).await;
    two.until("/class/me", &there, "the question", |page| page.contains("action=\"/class/vote\"")).await;
    for (stage, cookie, answer) in [(&one, &here, 1), (&two, &here, 3), (&two, &there, 2), (&one, &there, 3)]
    {
        let voted = stage.vote(cookie, answer).await;
        assert_eq!(voted.status, 204, "{voted:?}");
    }
    for stage in [&one, &two] {
        let shown = ["0", "0", "2", "0"];
        stage.until("/instructor", &instructor, "two votes", |page| counts(page) == shown).await;
    }
    for stranger in ["", "stage_class=nobody"] {
        let refused = two.vote(stranger, 1).await;
        assert_eq!((refused.status, refused.body.contains("does not know you")), (403, true), "{refused:?}");
    }
    two.order(&instructor, "count", "stage=revealed").await;
    one.board("the answer", |page| page.contains("✓ Right")).await;
    let late = one.vote(&here, 1).await;
    assert_eq!((late.status, late.body.contains("votes are closed")), (409, true), "{late:?}");

    // Everyone is brought to a page, and a name is removed, from either console.
    let mut page = Events::of(ask(one.node.address, "/class/here", &[], "").await.unwrap());
    two.order(&instructor, "call", "page=%2Fen%2F02-long-polling.html").await;
    loop {
        let told: Value = serde_json::from_str(&page.next().await.expect("the page hears").data).unwrap();
        if told["call"]["path"] == "/en/02-long-polling.html" {
            break;
        }
    }
    // The other console has the notes of that page, and the same clock.
    let started = one.told("/instructor/notes/clock", &instructor, "to=on").await;
    assert_eq!(started.status, 204, "{started:?}");
    let page =
        two.until("/instructor", &other, "the clock runs", |page| page.contains("Pause the clock")).await;
    assert!(page.contains("value=\"02-long-polling.html\" selected"), "{page}");
    two.order(&other, "remove", "number=1").await;
    one.board("no Sari", |page| !page.contains(">Sari<")).await;
    one.order(&instructor, "end", "-").await;
    two.board("no class", |page| page.contains("Nobody has joined") || page.contains("No class is on")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_at_the_same_moment_on_two_stages_is_one() {
    let Some(redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let instructor = one.instructor().await;
    one.order(&instructor, "ask", QUESTION).await;
    let mut voters = Vec::new();
    for _ in 0..20 {
        voters.push(one.visitor().await);
    }
    let votes = voters.iter().flat_map(|voter| [one.vote(voter, 1), two.vote(voter, 2)]);
    for voted in futures_util::future::join_all(votes).await {
        assert_eq!(voted.status, 204, "{voted:?}");
    }
    let all = |page: &str| page.contains("20 votes");
    let here = one.until("/instructor", &instructor, "twenty votes", all).await;
    let there = two.until("/instructor", &instructor, "twenty votes", all).await;
    assert_eq!(counts(&here), counts(&there), "whichever of the two counts, it is the same on both");
    let sum: usize = counts(&here).iter().map(|count| count.parse::<usize>().unwrap()).sum();
    assert_eq!(sum, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_console_orders_it_the_market_obeys_wherever_it_trades() {
    let Some(redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let instructor = one.instructor().await;
    let order = async |stage: &Stage, what: &str, form: &str| {
        let done = stage.told(&format!("/instructor/feed/{what}"), &instructor, form).await;
        assert_eq!(done.status, 204, "{what} {form}: {done:?}");
    };
    // One of the two trades, and the other does not.
    for (stage, payload) in [(&one, 100), (&two, 200)] {
        order(stage, "set", &format!("pace=20&payload={payload}")).await;
        let weighs = |feed: &feed::Feed| {
            let newest = feed.newest();
            newest.and_then(|update| update.data["payload"].as_str().map(str::len))
        };
        until("the updates weigh that much", || {
            [&one, &two].iter().all(|stage| weighs(&stage.node.feed) == Some(payload))
        })
        .await;
    }
    order(&two, "trade", "to=off").await;
    let late = stage(&redis).await;
    for stage in [&one, &two, &late] {
        let page = stage
            .until("/instructor", &instructor, "a pause", |page| page.contains("The market is paused."))
            .await;
        assert!(page.contains("value=\"20\"") && page.contains("value=\"200\""), "{page}");
    }
    let refused = one.told("/instructor/feed/set", &instructor, "pace=51").await;
    assert_eq!((refused.status, refused.body.contains("0.1 to 50 times")), (400, true), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weather_is_the_same_on_every_stage_and_a_cut_reaches_all_of_them_once() {
    let Some(redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let instructor = one.instructor().await;
    let order = async |stage: &Stage, what: &str, form: &str| {
        let done = stage.told(&format!("/instructor/{what}"), &instructor, form).await;
        assert_eq!(done.status, 204, "{what} {form}: {done:?}");
    };
    order(&one, "weather/order", "for=lab1&bad_gateway=on").await;
    let late = stage(&redis).await;
    for stage in [&one, &two, &late] {
        stage.until("/live/lab1/prices", "", "bad weather", |body| body.contains("Bad gateway")).await;
        let page = stage.get("/instructor", &instructor).await.body;
        assert!(page.contains("id=\"order-lab1\""), "{page}");
    }
    order(&two, "weather/order", "visitor=1&bad_gateway=on").await;
    order(&two, "weather/clear", "for=lab1").await;
    for stage in [&one, &late] {
        let is_clear = |page: &str| page.contains("The sky is clear.");
        stage
            .until(
                "/instructor",
                &instructor,
                "a clear sky, whatever another stage's visitor 1 has",
                is_clear,
            )
            .await;
    }
    order(&one, "weather/clear", "-").await;
    two.until("/instructor", &instructor, "a clear sky", |page| page.contains("The sky is clear.")).await;

    const STREAM: &str = "/live/lab3/prices/stream";
    let mut cut = Vec::new();
    for stage in [&one, &two] {
        cut.push(Events::of(ask(stage.node.address, STREAM, &[], "").await.expect("the market is open")));
    }
    order(&two, "lines/cut", "what=sse").await;
    for events in &mut cut {
        while events.next().await.is_some() {}
    }
    // It is over: who comes back, or comes late, is not cut by it.
    let last = stage(&redis).await;
    let head = last.node.feed.head();
    let mut events = Events::of(ask(last.node.address, STREAM, &[], "").await.expect("the market is open"));
    until("the market moves", || last.node.feed.head() > head + 2).await;
    assert!(events.next().await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_dies_and_the_class_goes_on_at_the_others_and_at_one_that_comes_late() {
    let Some(redis) = Redis::start().await else { return };
    let (mut dies, stays) = (stage(&redis).await, stage(&redis).await);
    let instructor = dies.instructor().await;
    let (_, sari) = dies.join("Sari").await;
    dies.order(&instructor, "ask", QUESTION).await;
    let voter = dies.visitor().await;
    assert_eq!(dies.vote(&voter, 3).await.status, 204);
    dies.node.kill();
    // More than the log holds: who comes late begins with a whole class, and not with its orders.
    for done in 0..1_100_u32 {
        assert_eq!(stays.report(&sari, &[1 + (done % 7) as u8]).await, 204);
    }
    let late = stage(&redis).await;
    for stage in [&stays, &late] {
        assert_eq!(stage.get("/instructor", &instructor).await.status, 200, "the console's cookie is good");
        let page = stage.until("/instructor", &instructor, "the vote", |page| page.contains("1 vote<")).await;
        assert_eq!(counts(&page), ["0", "0", "1", "0"]);
        stage.board("all that Sari did", |page| page.contains("Lab 3 ✓")).await;
    }
    assert_eq!(late.vote(&voter, 1).await.status, 204, "the voter may change their mind there");
    stays
        .until("/instructor", &instructor, "the other vote", |page| counts(page) == ["1", "0", "0", "0"])
        .await;
    assert_eq!(late.join("Budi").await.0, "Budi");
    stays.board("Budi", |page| page.contains(">Budi<")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_everyone_is_told_and_nothing_is_lost_without_a_word() {
    let Some(mut redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let instructor = one.instructor().await;
    let (_, sari) = one.join("Sari").await;
    one.order(&instructor, "ask", QUESTION).await;
    let voter = two.visitor().await;
    let well = two.get("/healthz/store", "").await;
    assert_eq!((well.status, well.body.as_str()), (200, "The store is within reach.\n"));
    let mut page = Events::of(ask(two.node.address, "/class/here", &[("cookie", &voter)], "").await.unwrap());
    let mut notice = async |is_away: bool| loop {
        let told: Value = serde_json::from_str(&page.next().await.expect("the visitor stays").data).unwrap();
        let says = told["store"].as_str().unwrap_or_default();
        if says.is_empty() != is_away {
            break says.to_owned();
        }
    };
    notice(false).await;

    redis.save().await;
    redis.kill();
    assert_eq!(notice(true).await, "The stage has lost its store; what you see may be behind.");
    for stage in [&one, &two] {
        for (target, cookie) in [("/class", ""), ("/class/me", voter.as_str()), ("/instructor", &instructor)]
        {
            stage.until(target, cookie, "the notice", |page| page.contains(AWAY)).await;
        }
        let balancer = stage.get("/healthz", "").await;
        assert_eq!((balancer.status, balancer.body.contains("visitors stay")), (200, true), "{balancer:?}");
        let alarm = stage.get("/healthz/store", "").await;
        assert_eq!((alarm.status, alarm.body.contains("feed and its class")), (503, true), "{alarm:?}");
        let board = stage.get("/class", "").await.body;
        assert!(board.contains(">Sari<"), "what is known is shown: {board}");
    }
    for refused in [two.vote(&voter, 1).await, one.told("/instructor/class/away", &instructor, "-").await] {
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.body.contains("was not done") && refused.body.contains("Try again"), "{refused:?}");
    }
    assert_eq!(one.report(&sari, &[1]).await, 503);

    assert!(redis.begin().await);
    assert_eq!(notice(false).await, "");
    for stage in [&one, &two] {
        let is_well = |page: &str| page.contains("within reach");
        stage.until("/healthz/store", "", "both stages are well", is_well).await;
        stage.board("no notice", |page| !page.contains(AWAY)).await;
    }
    assert_eq!(two.vote(&voter, 3).await.status, 204);
    let votes = one.until("/instructor", &instructor, "the vote", |page| page.contains("1 vote<")).await;
    assert_eq!(counts(&votes), ["0", "0", "1", "0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_class_pages_are_told_that_redis_is_away_and_then_have_nothing_to_hear() {
    let Some(mut redis) = Redis::start().await else { return };
    let one = stage(&redis).await;
    let here = async || ask(one.node.address, "/class/here", &[], "").await.expect("the stage answers");
    assert_eq!(here().await.status(), 204);
    redis.kill();
    one.board("the notice", |page| page.contains(AWAY)).await;
    let mut page = Events::of(here().await);
    let mut told = async || {
        let event = page.next().await.expect("the page is told");
        let data: Value = serde_json::from_str(&event.data).expect("that is JSON");
        (event.event_type, data["store"].as_str().map(str::to_owned))
    };
    let (kind, notice) = told().await;
    assert_eq!((kind.as_str(), notice.is_some_and(|notice| notice.contains(AWAY))), ("class", true));
    assert!(redis.begin().await);
    assert_eq!(told().await, ("over".to_owned(), None));
    assert!(page.next().await.is_none(), "the stream has an end");
    assert_eq!(here().await.status(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_was_cut_off_has_all_of_it_afterwards() {
    let Some(redis) = Redis::start().await else { return };
    let gate = Gate::before(redis.port).await;
    let (one, two) = (stage(&redis).await, stage_at(&gate.address()).await);
    let instructor = one.instructor().await;
    let (_, sari) = one.join("Sari").await;
    one.order(&instructor, "ask", QUESTION).await;
    let voter = two.visitor().await;
    assert_eq!(two.vote(&voter, 1).await.status, 204);

    // What is asked arrives and is never answered: whoever votes is told that it is not known.
    gate.let_pass(Passes::Questions);
    let unsure = two.vote(&voter, 3).await;
    assert_eq!((unsure.status, unsure.body.contains("may not have been done")), (503, true), "{unsure:?}");
    let counted = |page: &str| counts(page) == ["0", "0", "1", "0"];
    one.until("/instructor", &instructor, "the vote", counted).await;

    // More happens than the log holds.
    gate.let_pass(Passes::Nothing);
    two.board("the notice", |page| page.contains(AWAY)).await;
    for done in 0..1_100_u32 {
        assert_eq!(one.report(&sari, &[1 + (done % 7) as u8]).await, 204);
    }
    one.join("Budi").await;
    let refused = two.vote(&voter, 2).await;
    assert_eq!((refused.status, refused.body.contains("was not done")), (503, true), "{refused:?}");

    gate.let_pass(Passes::All);
    two.board("no notice", |page| !page.contains(AWAY)).await;
    let members = |page: String| page.split_once("class-done").expect("a board").1.to_owned();
    let here = members(one.board("Budi", |page| page.contains(">Budi<")).await);
    let there = members(two.board("Budi", |page| page.contains(">Budi<")).await);
    assert!(here == there && here.contains("Lab 3 ✓"), "{here}\n\n{there}");
    two.until("/instructor", &instructor, "the vote", counted).await;
    assert_eq!(two.vote(&voter, 3).await.status, 204, "a vote that is repeated is one vote");
    one.until("/instructor", &instructor, "one vote", |page| counted(page) && page.contains("1 vote<")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_has_forgotten_is_told_the_class_by_the_stages() {
    let Some(mut redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let instructor = one.instructor().await;
    let (_, sari) = one.join("Sari").await;
    one.order(&instructor, "ask", QUESTION).await;
    let voter = two.visitor().await;
    assert_eq!(two.vote(&voter, 3).await.status, 204);
    one.until("/instructor", &instructor, "the vote", |page| page.contains("1 vote<")).await;

    redis.kill();
    redis.lose_data();
    one.board("it is away", |page| page.contains(AWAY)).await;
    assert!(redis.begin().await);
    let late = stage(&redis).await;
    for stage in [&one, &two, &late] {
        let page = stage.until("/instructor", &instructor, "the vote", |page| page.contains("1 vote<")).await;
        assert_eq!(counts(&page), ["0", "0", "1", "0"]);
        stage.board("Sari", |page| page.contains(">Sari<")).await;
    }
    assert_eq!(late.report(&sari, &[1, 2, 3]).await, 204);
    two.board("her progress", |page| page.contains("<b>3 of 7</b>")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_release_writes_into_the_log_is_left_out() {
    let Some(redis) = Redis::start().await else { return };
    let one = stage(&redis).await;
    let instructor = one.instructor().await;
    one.order(&instructor, "ask", QUESTION).await;
    let log = Log { name: "beyond-fetch:class", whose: "class", capacity: 1_000, forgotten_after: None };
    let log = Shared::open(&redis.address(), log).await.expect("Redis answers").feed();
    let order = |order: Value| json!({ "by": "another-1", "what": { "order": order } });
    let elsewhere = json!({ "page": 999, "question": 0, "answers": 3 });
    for entry in [
        json!("nonsense"),
        json!({ "by": "another-0" }),
        json!({ "by": "another-0", "what": { "room": {} } }),
        order(json!({ "do": "dance" })),
        order(json!({ "do": "ask", "asked": elsewhere })),
        order(json!({ "do": "vote", "token": "t", "asked": elsewhere, "answer": 7 })),
        order(json!({ "do": "turn", "page": 999, "now": u64::MAX })),
        order(json!({ "do": "leave", "token": "" })),
    ] {
        log.publish(entry).await;
    }
    // The class goes on, and a stage that comes later reads the same.
    assert_eq!(one.join("Sari").await.0, "Sari");
    let late = stage(&redis).await;
    for stage in [&one, &late] {
        stage
            .board("Sari and the question", |page| page.contains(">Sari<") && page.contains("0 votes"))
            .await;
        assert_eq!(stage.get("/instructor", &instructor).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_no_key_of_the_console_and_forgets_the_class_when_the_stages_are_gone() {
    let Some(redis) = Redis::start().await else { return };
    let one = stage(&redis).await;
    let instructor = one.instructor().await;
    one.join("Sari").await;
    let held = redis.say("XRANGE beyond-fetch:class:log - +").await;
    assert!(held.contains("Sari") && held.contains("enter"), "{held}");
    let key = one.link.split_once('=').expect("a key").1;
    let session = instructor.split_once('=').expect("a cookie").1;
    for secret in [key, session] {
        assert!(!held.contains(secret), "a secret stands in Redis: {held}");
    }
    for name in ["beyond-fetch:class", "beyond-fetch:class:log"] {
        let left = redis.say(&format!("PTTL {name}")).await;
        let left: i64 = left.lines().next().unwrap().trim_start_matches(':').parse().expect("a time");
        assert!((1..=600_000).contains(&left), "{name} goes in {left} ms");
    }
}
