//! Several stages, one feed: what clients see when a stage dies, and when Redis does.

mod class;
#[path = "../../../feed-redis/tests/common/gate.rs"]
mod gate;
#[path = "../common/node.rs"]
mod node;
#[path = "../common/peers.rs"]
mod peers;
#[path = "../../../feed-redis/tests/common/mod.rs"]
mod redis;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use audience::root;
use feed::{Feed, Health};
use feed_redis::{Address, Shared};
use node::Node;
use peers::{Events, Trader, ask, text};
use redis::{Redis, until};
use serde_json::{Value, json};
use stage::{Source, Stage};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const STREAM: &str = "/live/lab3/prices/stream";

async fn stage(redis: &Redis) -> Node {
    let address = redis.address();
    Node::start(async move { Shared::connect(&address, 1_000).await.expect("Redis answers").feed() }).await
}

/// A stage as `cargo stage --feed` starts one; and the path of the instructor's link.
async fn as_started(redis: &Address) -> (Node, String) {
    let source: Source = format!("redis://{redis}").parse().expect("that is an address");
    let open = async move { source.open().await.expect("Redis answers") };
    Node::with(open, |site, opened| {
        let feed = opened.feed.clone();
        (Stage::on(&root(), site, opened, &[]), feed)
    })
    .await
}

/// A client that comes back at the next stage whenever it loses one, and keeps account.
struct Client {
    technique: &'static str,
    /// The stages, in the order in which it tries them.
    stages: Vec<SocketAddr>,
    seen: Vec<u64>,
    /// How far it is, for whoever waits for that.
    progress: Arc<AtomicU64>,
    /// How far it is to go.
    goal: Arc<AtomicU64>,
    lost: u32,
}

impl Client {
    fn new(technique: &'static str, stages: Vec<SocketAddr>, goal: &Arc<AtomicU64>) -> Self {
        Self {
            technique,
            stages,
            seen: Vec::new(),
            progress: Arc::default(),
            goal: Arc::clone(goal),
            lost: 0,
        }
    }

    fn is_done(&self) -> bool {
        self.last() >= self.goal.load(Ordering::SeqCst)
    }

    fn last(&self) -> u64 {
        self.seen.last().copied().unwrap_or(0)
    }

    fn saw(&mut self, seq: u64) {
        self.seen.push(seq);
        self.progress.store(seq, Ordering::SeqCst);
    }

    /// Follows the feed to its goal.
    async fn run(mut self) -> Self {
        while !self.is_done() {
            let stage = self.stages[self.lost as usize % self.stages.len()];
            match self.technique {
                "SSE" => self.event_source(stage).await,
                "WebSocket" => self.socket(stage).await,
                _ => self.polls(stage).await,
            }
            if !self.is_done() {
                self.lost += 1;
                sleep(Duration::from_millis(10)).await;
            }
        }
        self
    }

    async fn event_source(&mut self, stage: SocketAddr) {
        let seen = self.last().to_string();
        let Ok(answer) = ask(stage, STREAM, &[("last-event-id", &seen)], "").await else { return };
        let mut events = Events::of(answer);
        while !self.is_done()
            && let Some(event) = events.next().await
        {
            self.saw(event.last_event_id.parse().expect("an event's ID is its number"));
        }
    }

    /// Asks once for what is newer; gives nothing if the stage is gone.
    async fn newer(&self, stage: SocketAddr) -> Option<Vec<u64>> {
        let answer = ask(stage, &format!("/live/lab2/updates?after={}", self.last()), &[], "").await.ok()?;
        let status = answer.status();
        let body = text(answer).await.ok()?;
        if status == 204 {
            return Some(Vec::new());
        }
        assert_eq!(status, 200, "the log refuses a position that it gave itself: {body}");
        let body: Value = serde_json::from_str(&body).expect("updates are JSON");
        let updates = body["updates"].as_array().expect("there is a list of updates");
        Some(updates.iter().map(|update| update["seq"].as_u64().expect("a number")).collect())
    }

    async fn polls(&mut self, stage: SocketAddr) {
        while !self.is_done()
            && let Some(newer) = self.newer(stage).await
        {
            newer.into_iter().for_each(|seq| self.saw(seq));
        }
    }

    /// The floor has no positions: the client listens first, and looks up in the log what came before.
    async fn socket(&mut self, stage: SocketAddr) {
        let Ok(mut trader) = Trader::join(stage, "Anna").await else { return };
        while !self.is_done()
            && let Some(told) = trader.next().await
        {
            let Some(seq) = told["seq"].as_u64() else { continue };
            while self.last() + 1 < seq {
                let Some(newer) = self.newer(stage).await else { return };
                newer.into_iter().for_each(|seq| self.saw(seq));
            }
            // What was looked up may be told again.
            if seq > self.last() {
                self.saw(seq);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_dies_under_load_costs_no_client_an_update_and_tells_none_twice() {
    let Some(redis) = Redis::start().await else { return };
    let (mut dies, stays) = (stage(&redis).await, stage(&redis).await);
    let (mut clients, mut progress) = (JoinSet::new(), Vec::new());
    let goal = Arc::new(AtomicU64::new(u64::MAX));
    for technique in ["SSE", "WebSocket", "long polling"] {
        for number in 0..12 {
            // Three of each begin where nothing happens.
            let stages = if number < 9 { vec![dies.address, stays.address] } else { vec![stays.address] };
            let client = Client::new(technique, stages, &goal);
            progress.push(Arc::clone(&client.progress));
            clients.spawn(client.run());
        }
    }
    // Somebody publishes from a third place until everybody has seen enough, as fast as the slowest takes it in:
    // who falls a whole log behind is sent away, and that is another test's affair.
    let enough = Arc::new(AtomicBool::new(false));
    let market = redis.node(1_000).await.feed();
    let publishing = tokio::spawn({
        let (market, enough, progress) = (market.clone(), Arc::clone(&enough), progress.clone());
        async move {
            while !enough.load(Ordering::SeqCst) {
                let seen = progress.iter().map(|seen| seen.load(Ordering::SeqCst));
                let slowest = seen.min().unwrap_or(0);
                if market.head() > slowest + 500 {
                    // Never quite still: a trader who has just come back hears by the next price what they missed.
                    sleep(Duration::from_millis(20)).await;
                }
                market.publish(json!({ "symbol": "BMRI", "price": 6_100 })).await;
            }
        }
    });
    until("every client has a share", || progress.iter().all(|seen| seen.load(Ordering::SeqCst) >= 100))
        .await;
    dies.kill();
    let end = market.head() + 300;
    goal.store(end, Ordering::SeqCst);

    let mut moved = 0;
    loop {
        let Ok(client) = timeout(peers::PATIENCE, clients.join_next()).await else {
            panic!(
                "{} clients do not come to their end: they stand at {progress:?}, their stage at {} ({:?}), the market at {} ({:?})",
                clients.len(),
                stays.feed.head(),
                stays.feed.health(),
                market.head(),
                market.health()
            );
        };
        let Some(client) = client else { break };
        let Client { technique, stages, mut seen, lost, .. } = client.expect("a client does not panic");
        // Whoever was ahead, or had many at once, has seen more.
        seen.truncate(end as usize);
        assert!(seen.iter().copied().eq(1..=end), "{technique}, {lost} stages lost: {seen:?}");
        if stages.len() == 1 {
            assert_eq!(lost, 0, "{technique}: who was at the other stage noticed nothing");
        }
        moved += u32::from(lost > 0);
    }
    assert_eq!(moved, 27, "the clients of the stage that died went on at the other");
    enough.store(true, Ordering::SeqCst);
    publishing.await.expect("publishing does not panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_stay_while_redis_is_away_and_hear_all_of_it_when_it_is_back() {
    let Some(mut redis) = Redis::start().await else { return };
    let (one, two) = (stage(&redis).await, stage(&redis).await);
    let market = redis.node(1_000).await.feed();
    let mut visitors = JoinSet::new();
    let goal = Arc::new(AtomicU64::new(4));
    let mut progress = Vec::new();
    for stage in [one.address, two.address] {
        for technique in ["SSE", "WebSocket", "long polling"] {
            let visitor = Client::new(technique, vec![stage], &goal);
            progress.push(Arc::clone(&visitor.progress));
            visitors.spawn(visitor.run());
        }
    }
    let all_saw = |goal| progress.iter().all(|seen| seen.load(Ordering::SeqCst) >= goal);
    let all_listen = || one.feed.subscribers() == 3 && two.feed.subscribers() == 3;
    until("every visitor listens", all_listen).await;
    market.publish(1).await;
    market.publish(2).await;
    until("every visitor hears", || all_saw(2) && all_listen()).await;

    redis.save().await;
    redis.kill();
    let says_so = |feed: &Feed| matches!(feed.health(), Health::Away { .. });
    until("both stages say that Redis is away", || says_so(&one.feed) && says_so(&two.feed)).await;
    assert!(all_listen(), "every visitor stays");
    // A stage goes on to be a stage.
    let page = ask(one.address, "/en/", &[], "").await.expect("the book is served");
    assert_eq!(page.status(), 200);
    let known = ask(two.address, "/live/lab2/updates?after=0", &[], "").await.expect("the log is read");
    assert!(text(known).await.unwrap().contains(r#""seq":2"#), "what the stage has can be read");

    assert!(redis.begin().await);
    market.publish(3).await;
    market.publish(4).await;
    while let Some(visitor) = visitors.join_next().await {
        let Client { technique, seen, lost, .. } = visitor.expect("a visitor does not panic");
        assert_eq!((technique, seen, lost), (technique, vec![1, 2, 3, 4], 0));
    }
    until("both stages are well", || [&one, &two].iter().all(|stage| stage.feed.health() == Health::Well))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_has_forgotten_is_told_to_visitors_and_they_come_back() {
    let Some(mut redis) = Redis::start().await else { return };
    let stage = stage(&redis).await;
    let epoch = stage.feed.epoch().to_owned();
    stage.feed.publish(1).await;
    let mut events = Events::of(ask(stage.address, STREAM, &[("last-event-id", "0")], "").await.unwrap());
    assert!(events.next().await.is_some());
    let mut trader = Trader::join(stage.address, "Anna").await.unwrap();
    let asked = format!("/live/lab2/updates?after=1&epoch={epoch}");
    let held = tokio::spawn(async move { ask(stage.address, &asked, &[], "").await });
    until("all three listen", || stage.feed.subscribers() == 3).await;

    redis.kill();
    redis.lose_data();
    assert!(redis.begin().await);
    assert!(events.next().await.is_none(), "the stream ends, and an EventSource comes back by itself");
    assert!(trader.next().await.is_none(), "the floor's line is closed");
    let refused = held.await.unwrap().unwrap();
    assert_eq!(refused.status(), 409, "a position of another log");
    let now: Value = serde_json::from_str(&text(refused).await.unwrap()).unwrap();
    assert_ne!(now["epoch"], json!(epoch));

    let mut trader = Trader::join(stage.address, "Anna").await.unwrap();
    let mut events = Events::of(ask(stage.address, STREAM, &[], "").await.unwrap());
    stage.feed.publish(2).await;
    assert_eq!(events.next().await.map(|event| event.last_event_id), Some("1".to_owned()));
    assert_eq!(trader.next().await.map(|told| told["seq"].clone()), Some(json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stage_trades_and_when_it_dies_the_market_goes_on_from_its_prices() {
    let Some(redis) = Redis::start().await else { return };
    let start = async || as_started(&redis.address()).await.0;
    let mut first = start().await;
    let second = start().await;
    until("the market opens", || second.feed.head() >= 6).await;
    first.kill();
    // What the first had still on its way is in the log by now, or never.
    let holder = redis.say("GET beyond-fetch:turn").await;
    let asked = std::time::Instant::now();
    while redis.say("GET beyond-fetch:turn").await == holder {
        assert!(asked.elapsed() < redis::PATIENCE, "nobody takes over");
        sleep(Duration::from_millis(50)).await;
    }
    let died_at = second.feed.head();
    until("the market goes on", || second.feed.head() >= died_at + 3).await;

    let mut prices = std::collections::BTreeMap::new();
    for (n, update) in second.feed.after(0).await.unwrap().into_iter().enumerate() {
        assert_eq!(update.seq, n as u64 + 1);
        let symbol = update.data["symbol"].as_str().unwrap().to_owned();
        let price = update.data["price"].as_i64().unwrap();
        if let Some(before) = prices.insert(symbol.clone(), price) {
            assert!(
                before != price && (before - price).abs() <= 125,
                "{symbol} leaps from {before} to {price}"
            );
        }
    }
}
