//! What a feed promises: what all do, and what one in memory does besides.

mod contract;

use std::time::Duration;

use contract::numbers;
use feed::{Feed, Health, Market, Missed, Trading};
use serde_json::json;
use tokio::sync::watch;

contract::contract!(Some(async |capacity| Feed::memory(capacity)));

#[tokio::test]
async fn a_feed_in_memory_is_always_well_and_has_the_name_it_was_given() {
    let feed = Feed::named("monday", 8);
    assert_eq!((feed.epoch(), feed.health()), ("monday", Health::Well));
    assert_eq!(feed.publish_within(Duration::ZERO, 1).await.map(|update| update.seq), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_log_answers_with_what_was_there_half_way() {
    let feed = Feed::memory(8).with_read_delay(Duration::from_millis(20));
    feed.publish(1).await;
    let reading = tokio::spawn({
        let feed = feed.clone();
        async move { numbers(&feed, 0).await }
    });
    tokio::time::sleep(Duration::from_millis(5)).await;
    feed.publish(2).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    feed.publish(3).await;
    assert_eq!(reading.await.expect("reading does not panic"), [1, 2]);
}

#[test]
fn the_same_seed_moves_the_same_prices() {
    let ticks = |seed| {
        let mut market = Market::new(seed);
        (0..200).map(|_| market.tick()).collect::<Vec<_>>()
    };
    assert_eq!(ticks(7), ticks(7));
    assert_ne!(ticks(7), ticks(8));
    for price in ticks(7) {
        assert!(price["price"].as_i64().is_some_and(|price| price > 0), "{price}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_market_opens_with_every_price_and_moves_one_each_half_second() {
    let feed = Feed::memory(100);
    let trading = tokio::spawn(Market::new(7).trade(feed.clone()));
    tokio::time::sleep(Duration::from_millis(1_750)).await;
    trading.abort();
    let listed = Market::symbols().count() as u64;
    // A move at once, and one at 500, 1000 and 1500 ms.
    assert_eq!(feed.head(), listed + 4);
}

#[tokio::test(start_paused = true)]
async fn a_market_goes_on_from_the_prices_that_the_log_has() {
    let feed = Feed::memory(100);
    feed.publish(json!({ "symbol": "GOTO", "price": 70 })).await;
    feed.publish(json!({ "symbol": "GOTO", "price": 71 })).await;
    feed.publish(json!({ "symbol": "GOTO", "price": "none" })).await;
    let trading = tokio::spawn(Market::new(7).trade(feed.clone()));
    tokio::time::sleep(Duration::from_millis(4_750)).await;
    trading.abort();
    let told = feed.after(3).await.expect("the log holds all of it");
    let opened: Vec<_> = told[..3].iter().map(|update| &update.data["symbol"]).collect();
    assert_eq!(opened, ["BBCA", "BMRI", "TLKM"], "what the log does not know is told first");
    let moved: Vec<i64> = told[3..]
        .iter()
        .filter(|update| update.data["symbol"] == "GOTO")
        .map(|update| update.data["price"].as_i64().expect("a price is a number"))
        .collect();
    assert!(
        moved.first().is_some_and(|price| (66..=76).contains(price)),
        "71 moves by five at most: {moved:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_market_that_was_held_up_makes_nothing_up() {
    let feed = Feed::memory(100);
    let trading = tokio::spawn(Market::new(7).trade(feed.clone()));
    tokio::time::sleep(Duration::from_millis(250)).await;
    let before = feed.head();
    // As if the log had been out of reach: sixty moves are due at once.
    tokio::time::advance(Duration::from_secs(30)).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    trading.abort();
    assert_eq!(feed.head(), before + 1, "one move, and the next half a second later");
}

/// A market at which somebody gives orders.
fn ordered(feed: &Feed) -> (watch::Sender<Trading>, tokio::task::JoinHandle<()>) {
    let (orders, heard) = watch::channel(Trading::default());
    (orders, tokio::spawn(Market::new(7).trade_as(feed.clone(), heard)))
}

#[tokio::test(start_paused = true)]
async fn a_market_obeys_at_once_and_is_silent_while_it_pauses() {
    let feed = Feed::memory(1_000);
    let (orders, trading) = ordered(&feed);
    tokio::time::sleep(Duration::from_millis(250)).await;
    orders.send_modify(|trading| trading.is_on = false);
    let paused = feed.head();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(feed.head(), paused, "nothing moves");

    orders.send_modify(|trading| *trading = Trading { is_on: true, per_second: 10.0, payload: 1_000 });
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert_eq!(feed.head(), paused + 11, "one at once, and ten in a second");
    let newest = feed.newest().expect("there is one");
    assert_eq!(newest.data["payload"].as_str().map(str::len), Some(1_000), "{newest:?}");

    orders.send_modify(|trading| trading.per_second = 0.1);
    let slow = feed.head();
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!((slow + 2..=slow + 3).contains(&feed.head()), "one in ten seconds: {} after {slow}", feed.head());

    drop(orders);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(feed.head() >= slow + 4, "who cannot be ordered any more goes on");
    trading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_log_that_begins_anew_has_another_name_and_ends_subscriptions() {
    let feed = Feed::begun_now(100);
    let (_orders, trading) = ordered(&feed);
    let mut prices = feed.subscribe();
    tokio::time::sleep(Duration::from_millis(250)).await;
    let (epoch, seq) = (feed.epoch().to_owned(), feed.head());
    for _ in 0..3 {
        let before = feed.epoch().to_owned();
        assert!(feed.begin_anew());
        assert_ne!(feed.epoch(), before, "a name of its own each time, within one second, too");
    }
    assert_eq!(feed.head(), 0);
    while prices.recv().await.is_some() {}
    let missed = feed.after((epoch.as_str(), seq)).await;
    assert!(matches!(missed, Err(Missed::OtherEpoch { .. })), "{missed:?}");

    tokio::time::sleep(Duration::from_millis(500)).await;
    trading.abort();
    let told = feed.after(0).await.expect("the log holds all of it");
    let symbols: Vec<_> = told.iter().filter_map(|update| update.data["symbol"].as_str()).take(4).collect();
    assert_eq!(symbols, Market::symbols().collect::<Vec<_>>(), "the new log is told every price first");
}
