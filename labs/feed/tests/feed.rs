//! What a feed promises.

use std::time::Duration;

use feed::{Cursor, Feed, Market, Missed};
use serde_json::json;

async fn numbers(feed: &Feed, cursor: impl Into<Cursor>) -> Vec<u64> {
    let updates = feed.after(cursor).await.expect("the log goes back that far");
    updates.into_iter().map(|update| update.seq).collect()
}

#[tokio::test]
async fn updates_are_numbered_from_one_without_a_hole() {
    let feed = Feed::memory(8);
    assert_eq!(feed.head(), 0);
    for n in 1..=3 {
        assert_eq!(feed.publish(json!({ "n": n })).await.seq, n);
    }
    assert_eq!(feed.head(), 3);
    assert_eq!(numbers(&feed, 0).await, [1, 2, 3]);
    assert_eq!(numbers(&feed, 2).await, [3]);
    assert_eq!(numbers(&feed, 3).await, [] as [u64; 0]);
}

#[tokio::test]
async fn an_update_is_json_with_its_number_and_its_data() {
    let update = Feed::memory(1).publish(json!({ "symbol": "BMRI", "price": 6100 })).await;
    let text = serde_json::to_string(&update).expect("an update is JSON");
    assert_eq!(text, r#"{"seq":1,"data":{"price":6100,"symbol":"BMRI"}}"#);
}

#[tokio::test]
async fn a_log_that_was_cut_short_says_so() {
    let feed = Feed::memory(3);
    for n in 1..=5 {
        feed.publish(n).await;
    }
    assert_eq!(numbers(&feed, 2).await, [3, 4, 5]);
    assert_eq!(feed.after(1).await, Err(Missed::Gone { oldest: 3 }));
    assert_eq!(
        feed.after(0).await.unwrap_err().to_string(),
        "the log no longer goes back that far: its oldest update is 3"
    );
}

#[tokio::test]
async fn a_position_of_another_log_is_told_apart() {
    let feed = Feed::named("monday", 8);
    feed.publish(1).await;
    assert_eq!(numbers(&feed, ("monday", 0)).await, [1]);
    let now = Cursor::from(("monday", 1));
    assert_eq!(feed.after(("sunday", 0)).await, Err(Missed::OtherEpoch { now: now.clone() }));
    // A number that this log has not reached can only come from another one.
    assert_eq!(feed.after(10).await, Err(Missed::OtherEpoch { now }));
}

#[tokio::test]
async fn a_subscription_hears_what_comes_after_it_and_nothing_before() {
    let feed = Feed::memory(8);
    feed.publish(1).await;
    let mut heard = feed.subscribe();
    feed.publish(2).await;
    feed.publish(3).await;
    assert_eq!(heard.recv().await.map(|update| update.seq), Some(2));
    assert_eq!(heard.recv().await.map(|update| update.seq), Some(3));
}

#[tokio::test]
async fn a_closed_feed_delivers_what_it_has_and_ends() {
    let feed = Feed::memory(8);
    let mut heard = feed.subscribe();
    feed.publish(1).await;
    feed.close();
    assert!(feed.is_closed());
    assert_eq!(heard.recv().await.map(|update| update.seq), Some(1));
    assert_eq!(heard.recv().await, None);
    assert_eq!(feed.subscribe().recv().await, None);

    feed.reopen();
    let mut heard = feed.subscribe();
    assert_eq!(feed.publish(2).await.seq, 2);
    assert_eq!(heard.recv().await.map(|update| update.seq), Some(2));
}

#[tokio::test]
async fn a_reader_that_falls_too_far_behind_is_let_go_not_lied_to() {
    let feed = Feed::memory(2);
    let mut slow = feed.subscribe();
    for n in 1..=9 {
        feed.publish(n).await;
    }
    assert_eq!(slow.recv().await, None, "a stream with a hole in it is worse than none");
}

#[tokio::test]
async fn a_reader_that_leaves_leaves_nothing_behind() {
    let feed = Feed::memory(2);
    let heard = feed.subscribe();
    assert_eq!(feed.subscribers(), 1);
    drop(heard);
    assert_eq!(feed.subscribers(), 0);
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
