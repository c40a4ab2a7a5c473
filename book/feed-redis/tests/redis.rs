//! What a feed on Redis promises: what every feed does, and what becomes of it when Redis goes, comes back and forgets.

mod common;
#[path = "../../../labs/feed/tests/contract/mod.rs"]
mod contract;
#[path = "common/gate.rs"]
mod gate;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{PATIENCE, Redis, until};
use contract::numbers;
use feed::{Cursor, Feed, Health, Missed, Subscription, Update};
use feed_redis::{Address, Shared};
use gate::{Gate, Passes};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{io::AsyncWriteExt, time::timeout};

contract::contract!(
    Redis::start().await.map(|redis| async move |capacity| redis.node(capacity).await.feed())
);

/// The next update's number; nothing once the subscription has ended.
async fn next(heard: &mut Subscription) -> Option<u64> {
    let update = timeout(PATIENCE, heard.recv()).await.expect("something is heard, or the end");
    update.map(|update| update.seq)
}

fn is_away(feed: &Feed) -> bool {
    matches!(feed.health(), Health::Away { .. })
}

fn is_well(feed: &Feed) -> bool {
    feed.health() == Health::Well
}

/// What can be done to a feed.
#[derive(Clone, Debug)]
enum Deed {
    Publish(i64),
    /// Reads after this number, of this log or of another.
    After(u64, bool),
    Subscribe,
    /// Hears the next, if there is one.
    Hear(usize),
    Leave(usize),
    Close,
    Reopen,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => any::<i64>().prop_map(Deed::Publish),
        4 => (0..24_u64, prop::bool::weighted(0.8)).prop_map(|(seq, ours)| Deed::After(seq, ours)),
        2 => Just(Deed::Subscribe),
        5 => any::<usize>().prop_map(Deed::Hear),
        1 => any::<usize>().prop_map(Deed::Leave),
        1 => Just(Deed::Close),
        2 => Just(Deed::Reopen),
    ];
    prop::collection::vec(deed, 1..40)
}

/// Does all of it, and tells what was seen.
async fn done(feed: &Feed, deeds: &[Deed]) -> Vec<String> {
    let mut heard: Vec<Subscription> = Vec::new();
    let mut seen = Vec::new();
    for deed in deeds {
        seen.push(match deed {
            Deed::Publish(value) => format!("{:?}", feed.publish(*value).await),
            Deed::After(seq, ours) => {
                let epoch = if *ours { feed.epoch() } else { "of nobody" };
                // The two logs have names of their own, and both mean the same.
                format!("{:?}", feed.after((epoch, *seq)).await)
                    .replace(&format!("{:?}", feed.epoch()), "EPOCH")
            }
            Deed::Subscribe => {
                heard.push(feed.subscribe());
                format!("{} listen", feed.subscribers())
            }
            Deed::Hear(which) if !heard.is_empty() => {
                let which = which % heard.len();
                // What has been published is there at once: nothing is waited for.
                let next = heard[which].recv();
                format!("{:?}", timeout(Duration::ZERO, next).await.map_err(|_| "nothing yet"))
            }
            Deed::Leave(which) if !heard.is_empty() => {
                drop(heard.swap_remove(which % heard.len()));
                format!("{} listen", feed.subscribers())
            }
            Deed::Hear(_) | Deed::Leave(_) => String::new(),
            Deed::Close => {
                feed.close();
                String::from("closed")
            }
            Deed::Reopen => {
                feed.reopen();
                format!("head {}", feed.head())
            }
        });
    }
    seen
}

#[test]
fn whatever_is_done_a_feed_on_redis_does_what_one_in_memory_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let Some(redis) = runtime.block_on(Redis::start()) else { return };
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let played = runner.run(&(1..8_usize, deeds()), |(capacity, deeds)| {
        let (here, there) = runtime.block_on(async {
            redis.say("FLUSHALL").await;
            let shared = redis.node(capacity).await.feed();
            (done(&Feed::named("one", capacity), &deeds).await, done(&shared, &deeds).await)
        });
        prop_assert_eq!(here, there);
        Ok(())
    });
    played.unwrap();
}

#[tokio::test]
async fn two_nodes_that_publish_at_the_same_time_number_without_a_hole_and_tell_the_same() {
    let Some(redis) = Redis::start().await else { return };
    let (one, two) = (redis.node(1_000).await.feed(), redis.node(1_000).await.feed());
    let publish = |feed: &Feed, name: &'static str| {
        let feed = feed.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                feed.publish(serde_json::json!({ "by": name, "n": n })).await;
            }
        })
    };
    let mut heard = two.subscribe();
    let (first, second) = (publish(&one, "one"), publish(&two, "two"));
    let (first, second) = tokio::join!(first, second);
    first.and(second).expect("both publish to their end");
    for seq in 1..=400 {
        assert_eq!(next(&mut heard).await, Some(seq));
    }
    until("both have all of it", || one.head() == 400 && two.head() == 400).await;
    assert_eq!(one.after(0).await, two.after(0).await);
    assert_eq!(one.epoch(), two.epoch());
    for name in ["one", "two"] {
        let all = one.after(0).await.unwrap();
        let own: Vec<&Update> = all.iter().filter(|update| update.data["by"] == name).collect();
        assert!(own.iter().enumerate().all(|(n, update)| update.data["n"] == n), "{name}'s order is kept");
    }
}

#[tokio::test]
async fn a_position_that_a_node_has_not_reached_yet_is_not_refused() {
    let Some(redis) = Redis::start().await else { return };
    let gate = Gate::before(redis.port).await;
    let ahead = redis.node(100).await.feed();
    let behind = Shared::connect(&gate.address(), 100).await.unwrap().feed();
    gate.let_pass(Passes::Nothing);
    until("the node is cut off", || is_away(&behind)).await;
    for n in 0..3 {
        ahead.publish(n).await;
    }
    // A client that lost the node ahead asks here what came after the second, before anything has come through.
    let mut asked = pin!(behind.after((ahead.epoch(), 2)));
    let early = timeout(Duration::ZERO, &mut asked).await;
    assert!(early.is_err(), "nobody here can know, and yet the answer is {early:?}");
    gate.let_pass(Passes::All);
    let missed = timeout(PATIENCE, asked).await.expect("Redis is asked");
    assert_eq!(missed.map(|updates| updates.len()), Ok(1));
}

#[tokio::test]
async fn a_node_that_comes_later_has_what_the_log_holds() {
    let Some(redis) = Redis::start().await else { return };
    let first = redis.node(3).await.feed();
    for n in 1..=5 {
        first.publish(n).await;
    }
    let later = redis.node(3).await.feed();
    assert_eq!((later.epoch(), later.head()), (first.epoch(), 5));
    assert_eq!(numbers(&later, 2).await, [3, 4, 5]);
    assert_eq!(later.after(0).await, Err(Missed::Gone { oldest: 3 }));
}

#[tokio::test]
async fn the_log_stays_as_long_as_it_may_be() {
    let Some(redis) = Redis::start().await else { return };
    let feed = redis.node(10).await.feed();
    for n in 0..500 {
        feed.publish(n).await;
    }
    let length = redis.say("XLEN beyond-fetch:log").await;
    assert!(length.starts_with(":10\r\n"), "{length}");
    let keys = redis.say("DBSIZE").await;
    assert!(keys.starts_with(":2\r\n"), "a log and its name: {keys}");
}

#[tokio::test]
async fn a_redis_that_comes_back_with_its_data_goes_on_and_nobody_is_sent_away() {
    let Some(mut redis) = Redis::start().await else { return };
    let (one, two) = (redis.node(100).await.feed(), redis.node(100).await.feed());
    let epoch = one.epoch().to_owned();
    let mut heard = two.subscribe();
    one.publish("before").await;
    assert_eq!(next(&mut heard).await, Some(1));

    redis.save().await;
    redis.kill();
    until("both say that Redis is away", || is_away(&one) && is_away(&two)).await;
    assert_eq!(numbers(&two, 0).await, [1], "what the copy holds can be read");
    assert_eq!(two.subscribers(), 1, "whoever listens stays");
    let refused = one.publish_within(Duration::from_millis(50), "lost").await.unwrap_err().to_string();
    assert!(refused.starts_with("the log did not confirm the update within 50ms"), "{refused}");
    let waiting = tokio::spawn({
        let one = one.clone();
        async move { one.publish("meanwhile").await }
    });

    assert!(redis.begin().await);
    assert_eq!(waiting.await.expect("publishing does not panic").seq, 2);
    one.publish("after").await;
    assert_eq!((next(&mut heard).await, next(&mut heard).await), (Some(2), Some(3)));
    until("both are well again", || is_well(&one) && is_well(&two)).await;
    let all: Vec<_> =
        two.after((epoch.as_str(), 0)).await.unwrap().into_iter().map(|update| update.data).collect();
    assert_eq!(all, ["before", "meanwhile", "after"]);
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_is_another_log_and_everybody_is_told() {
    let Some(mut redis) = Redis::start().await else { return };
    let (one, two) = (redis.node(100).await.feed(), redis.node(100).await.feed());
    let before = one.epoch().to_owned();
    one.publish("before").await;
    until("both have it", || two.head() == 1).await;
    let mut heard = two.subscribe();

    redis.kill();
    redis.lose_data();
    assert!(redis.begin().await);
    assert_eq!(next(&mut heard).await, None, "the next update would be of an unknown log");
    until("both have the new log", || one.epoch() != before && one.epoch() == two.epoch()).await;
    assert_eq!(one.publish("after").await.seq, 1);
    until("both have it", || two.head() == 1).await;
    let now = Cursor::from((two.epoch(), 1));
    assert_eq!(two.after((before.as_str(), 1)).await, Err(Missed::OtherEpoch { now }));
    assert_eq!(numbers(&two, (one.epoch(), 0)).await, [1]);
}

#[tokio::test]
async fn a_redis_that_comes_back_with_older_data_numbers_nothing_twice() {
    let Some(mut redis) = Redis::start().await else { return };
    let (one, two) = (redis.node(100).await.feed(), redis.node(100).await.feed());
    let before = one.epoch().to_owned();
    one.publish("saved").await;
    redis.save().await;
    one.publish("told, and lost").await;
    until("both have told it", || two.head() == 2).await;

    redis.kill();
    assert!(redis.begin().await);
    let update = timeout(PATIENCE, one.publish("after")).await.expect("another log takes it");
    assert_eq!((update.seq, one.epoch() != before), (1, true), "number 2 of that log is told already");
    until("the other node follows", || two.epoch() == one.epoch() && two.head() == 1).await;
    assert!(matches!(two.after((before.as_str(), 2)).await, Err(Missed::OtherEpoch { .. })));
}

#[tokio::test]
async fn a_log_that_was_replaced_behind_a_node_s_back_is_told_apart() {
    let Some(redis) = Redis::start().await else { return };
    let (told, behind) = (redis.node(100).await.feed(), redis.node(100).await.feed());
    let before = told.epoch().to_owned();
    for n in 0..3 {
        told.publish(n).await;
    }
    until("both have told it", || behind.head() == 3).await;
    // As a Redis would that has lost the third update and been given another one: no number tells.
    for command in [
        "XDEL beyond-fetch:log 3-0",
        "EVAL \"redis.call('DEL', KEYS[1]); for n = 1, 3 do redis.call('XADD', KEYS[1], n .. '-0', 'epoch', \
         redis.call('HGET', 'beyond-fetch', 'epoch'), 'by', 'other-' .. n, 'data', n) end\" 1 beyond-fetch:log",
    ] {
        redis.say(command).await;
    }
    until("the log is another one", || told.epoch() != before && told.epoch() == behind.epoch()).await;
}

#[tokio::test]
async fn nothing_is_published_into_a_log_that_has_lost_what_was_told() {
    let Some(redis) = Redis::start().await else { return };
    let feed = redis.node(100).await.feed();
    let before = feed.epoch().to_owned();
    feed.publish(1).await;
    feed.publish(2).await;
    // The second update is gone, and nobody has been disconnected: only the publisher's own number tells.
    let answer = redis
        .say(
            "EVAL \"local first = redis.call('XRANGE', KEYS[1], '1-0', '1-0')[1]; redis.call('DEL', KEYS[1]); \
             redis.call('XADD', KEYS[1], '1-0', unpack(first[2])); return redis.call('HSET', KEYS[2], 'head', 1)\" \
             2 beyond-fetch:log beyond-fetch",
        )
        .await;
    assert!(answer.starts_with(":0"), "{answer}");
    let update = timeout(PATIENCE, feed.publish(3)).await.expect("another log takes it");
    assert_eq!((update.seq, feed.epoch() != before), (1, true), "number 2 of that log is told already");
}

#[tokio::test]
async fn data_that_is_wiped_under_a_running_node_is_another_log() {
    let Some(redis) = Redis::start().await else { return };
    let feed = redis.node(100).await.feed();
    let before = feed.epoch().to_owned();
    for n in 0..3 {
        feed.publish(n).await;
    }
    redis.say("FLUSHALL").await;
    let update = timeout(PATIENCE, feed.publish("after")).await.expect("the new log takes it");
    assert_eq!((update.seq, feed.epoch() != before), (1, true));
}

#[tokio::test]
async fn an_entry_that_no_stage_wrote_does_not_stop_the_log() {
    let Some(redis) = Redis::start().await else { return };
    for entry in ["2-0 price 6100", "1-5 price 6100", "2-0 epoch of-nobody by me data 6100", "2-0 data {"] {
        redis.say("FLUSHALL").await;
        let feed = redis.node(100).await.feed();
        feed.publish(1).await;
        let answer = redis.say(&format!("XADD beyond-fetch:log {entry}")).await;
        assert!(answer.starts_with('$'), "{answer}");
        let update = timeout(PATIENCE, feed.publish(2)).await;
        let update = update.unwrap_or_else(|_| panic!("the log does not go on after `{entry}`"));
        assert_eq!(numbers(&feed, 0).await.last(), Some(&update.seq), "{entry}");
        until("the feed is well again", || is_well(&feed)).await;
    }
}

#[tokio::test]
async fn a_node_that_was_cut_off_catches_up_without_a_gap_or_a_repeat() {
    let Some(redis) = Redis::start().await else { return };
    let gate = Gate::before(redis.port).await;
    let one = redis.node(100).await.feed();
    let two = Shared::connect(&gate.address(), 100).await.unwrap().feed();
    let mut heard = two.subscribe();
    for round in 0..5 {
        gate.let_pass(Passes::Nothing);
        until("the node knows", || is_away(&two)).await;
        for n in 0..20 {
            one.publish(n).await;
        }
        assert_eq!(two.head(), round * 20, "nothing has come through");
        gate.let_pass(Passes::All);
        for seq in round * 20 + 1..=round * 20 + 20 {
            assert_eq!(next(&mut heard).await, Some(seq));
        }
        until("the node is well", || is_well(&two)).await;
    }
}

#[tokio::test]
async fn a_node_that_was_cut_off_for_too_long_ends_its_subscriptions_and_says_what_is_gone() {
    let Some(redis) = Redis::start().await else { return };
    let gate = Gate::before(redis.port).await;
    let one = redis.node(5).await.feed();
    let two = Shared::connect(&gate.address(), 5).await.unwrap().feed();
    let mut heard = two.subscribe();
    one.publish(1).await;
    assert_eq!(next(&mut heard).await, Some(1));
    gate.let_pass(Passes::Nothing);
    until("the node knows", || is_away(&two)).await;
    for n in 2..=10 {
        one.publish(n).await;
    }
    gate.let_pass(Passes::All);
    assert_eq!(next(&mut heard).await, None, "2 to 5 are gone, and 6 would hide that");
    until("the node has caught up", || two.head() == 10).await;
    assert_eq!(two.after(1).await, Err(Missed::Gone { oldest: 6 }));
    assert_eq!(numbers(&two, 5).await, [6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn an_update_whose_confirmation_is_lost_is_appended_once() {
    let Some(redis) = Redis::start().await else { return };
    let gate = Gate::before(redis.port).await;
    let deaf = Shared::connect(&gate.address(), 100).await.unwrap().feed();
    let other = redis.node(100).await.feed();
    deaf.publish("first").await;
    gate.let_pass(Passes::Questions);
    let publishing = tokio::spawn({
        let deaf = deaf.clone();
        async move { deaf.publish("once").await }
    });
    until("it is in the log", || other.head() == 2).await;
    other.publish("later").await;
    gate.let_pass(Passes::All);
    assert_eq!(publishing.await.expect("publishing does not panic").seq, 2);
    assert_eq!(deaf.publish("last").await.seq, 4);
    let all: Vec<_> = other.after(0).await.unwrap().into_iter().map(|update| update.data).collect();
    assert_eq!(all, ["first", "once", "later", "last"]);
}

#[tokio::test]
async fn one_node_has_the_turn_and_its_death_hands_it_over() {
    let Some(redis) = Redis::start().await else { return };
    let works = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let join = |node: Shared, which: usize| {
        let works = Arc::clone(&works);
        tokio::spawn(async move {
            node.in_turn(|| async {
                works[which].fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            })
            .await;
        })
    };
    let began = |which: usize| works[which].load(Ordering::SeqCst);
    let first = join(redis.node(10).await, 0);
    until("the first works", || began(0) == 1).await;
    let second = join(redis.node(10).await, 1);
    // For longer than a turn lasts the second asks in vain: the first one's is kept.
    let holder = redis.say("GET beyond-fetch:turn").await;
    let (mut calm_since, mut looked) = (Instant::now(), Instant::now());
    while calm_since.elapsed() < Duration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let stood_still = looked.elapsed() > Duration::from_secs(1);
        looked = Instant::now();
        if stood_still {
            // This process was not let run, so its turn may rightly have been lost: nothing can be told.
            calm_since = looked;
        } else if redis.say("GET beyond-fetch:turn").await == holder {
            assert_eq!((began(0), began(1)), (1, 0), "who has the turn works, and goes on");
        }
    }
    let holder = redis.say("GET beyond-fetch:turn").await;
    first.abort();
    until("the second has taken over", || began(1) == 1).await;
    assert_ne!(redis.say("GET beyond-fetch:turn").await, holder);
    second.abort();
}

#[tokio::test]
async fn a_turn_that_cannot_be_confirmed_is_given_up_and_taken_again() {
    let Some(mut redis) = Redis::start().await else { return };
    let (began, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = |counter: &Arc<AtomicUsize>| counter.load(Ordering::SeqCst);
    /// Counts when it is dropped.
    struct Work(Arc<AtomicUsize>);
    impl Drop for Work {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let node = redis.node(10).await;
    let working = tokio::spawn({
        let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
        async move {
            node.in_turn(|| async {
                let _work = Work(Arc::clone(&ended));
                began.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            })
            .await;
        }
    });
    until("the work begins", || counts(&began) == 1).await;
    redis.kill();
    until("the turn is given up", || counts(&ended) == 1).await;
    assert_eq!(counts(&began), 1, "nobody can have confirmed another turn");
    assert!(redis.begin().await);
    until("the work begins anew", || counts(&began) == 2).await;
    working.abort();
}

#[tokio::test]
async fn a_feed_that_nobody_has_any_more_is_no_longer_read_for() {
    let Some(redis) = Redis::start().await else { return };
    let clients = async || {
        let list = redis.say("CLIENT LIST TYPE normal").await;
        list.matches("cmd=xread").count()
    };
    let feed = redis.node(10).await.feed();
    feed.publish(1).await;
    let asked = Instant::now();
    while clients().await != 1 {
        assert!(asked.elapsed() < PATIENCE, "the reader reads");
    }
    drop(feed);
    while clients().await != 0 {
        assert!(asked.elapsed() < PATIENCE, "the reader has gone");
    }
}

#[tokio::test]
async fn a_wrong_address_or_a_redis_that_is_not_there_gets_a_sentence() {
    let refused = |given: &str| given.parse::<Address>().expect_err(given).to_string();
    assert_eq!(
        refused("localhost:6379"),
        "`localhost:6379` is no address of a Redis (no redis:// in front): write redis://HOST:PORT, as in redis://127.0.0.1:6379."
    );
    assert!(refused("http://127.0.0.1").contains("another protocol"));
    assert!(refused("rediss://127.0.0.1").contains("encrypted connections are not built in"));
    for given in
        ["redis://", "redis://127.0.0.1:port", "redis://127.0.0.1:6379/first", "redis://:secret@host:x"]
    {
        let sentence = refused(given);
        assert!(sentence.contains("write redis://HOST:PORT") && !sentence.contains("secret"), "{sentence}");
    }
    let with_password: Address = "redis://:secret@127.0.0.1:6379/2".parse().unwrap();
    assert_eq!(with_password.to_string(), "127.0.0.1:6379");
    assert!(!format!("{with_password:?}").contains("secret"));

    // Something else answers there, and then nothing.
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let address: Address = format!("redis://127.0.0.1:{port}").parse().unwrap();
    let web_server = async {
        let (mut line, _) = other.accept().await.unwrap();
        line.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        line
    };
    let (refused, _line) = tokio::join!(Shared::connect(&address, 1), web_server);
    let sentence = refused.expect_err("that is no Redis").to_string();
    assert!(sentence.contains("(what answers there does not speak its protocol)"), "{sentence}");
    drop(other);
    let sentence = Shared::connect(&address, 1).await.expect_err("nobody is there").to_string();
    assert!(sentence.starts_with(&format!("There is no usable Redis at 127.0.0.1:{port} (")), "{sentence}");
    assert!(sentence.ends_with("start one there with `redis-server`, or correct the address."), "{sentence}");
}
