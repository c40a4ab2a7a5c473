//! What every feed promises, wherever its log is: one suite for all.

use feed::{Cursor, Feed, Missed};
use serde_json::json;

/// Plays every test of the suite. `$new` begins a new, empty log that keeps the
/// last so many updates; nothing where that cannot be done here.
macro_rules! contract {
    ($new:expr) => {
        contract::contract!(@each $new;
            updates_are_numbered_from_one_without_a_hole,
            an_update_is_json_with_its_number_and_its_data,
            a_log_that_was_cut_short_says_so,
            a_position_of_another_log_is_told_apart,
            a_subscription_hears_what_comes_after_it_and_nothing_before,
            a_closed_feed_delivers_what_it_has_and_ends,
            a_reader_that_falls_too_far_behind_is_let_go_not_lied_to,
            a_reader_that_leaves_leaves_nothing_behind,
        );
    };
    (@each $new:expr; $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $test() {
                if let Some(new) = $new {
                    contract::$test(new).await;
                }
            }
        )+
    };
}
pub(crate) use contract;

/// The numbers of what came after `cursor`.
pub(crate) async fn numbers(feed: &Feed, cursor: impl Into<Cursor>) -> Vec<u64> {
    let updates = feed.after(cursor).await.expect("the log goes back that far");
    updates.into_iter().map(|update| update.seq).collect()
}

pub(crate) async fn updates_are_numbered_from_one_without_a_hole(new: impl AsyncFn(usize) -> Feed) {
    let feed = new(8).await;
    assert_eq!(feed.head(), 0);
    for n in 1..=3 {
        assert_eq!(feed.publish(json!({ "n": n })).await.seq, n);
    }
    assert_eq!(feed.head(), 3);
    assert_eq!(numbers(&feed, 0).await, [1, 2, 3]);
    assert_eq!(numbers(&feed, 2).await, [3]);
    assert_eq!(numbers(&feed, 3).await, [] as [u64; 0]);
}

pub(crate) async fn an_update_is_json_with_its_number_and_its_data(new: impl AsyncFn(usize) -> Feed) {
    let feed = new(1).await;
    let written = r#"{"seq":1,"data":{"price":6100,"symbol":"BMRI"}}"#;
    let update = feed.publish(json!({ "symbol": "BMRI", "price": 6100 })).await;
    assert_eq!(serde_json::to_string(&update).expect("an update is JSON"), written);
    assert_eq!(feed.after(0).await, Ok(vec![update]), "what is read is what was published");
}

pub(crate) async fn a_log_that_was_cut_short_says_so(new: impl AsyncFn(usize) -> Feed) {
    let feed = new(3).await;
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

pub(crate) async fn a_position_of_another_log_is_told_apart(new: impl AsyncFn(usize) -> Feed) {
    let feed = new(8).await;
    feed.publish(1).await;
    let epoch = feed.epoch().to_owned();
    assert_eq!(numbers(&feed, (epoch.as_str(), 0)).await, [1]);
    let now = Cursor::from((epoch.as_str(), 1));
    assert_eq!(feed.after(("sunday", 0)).await, Err(Missed::OtherEpoch { now: now.clone() }));
    // A number that this log has not reached can only come from another one.
    assert_eq!(feed.after(10).await, Err(Missed::OtherEpoch { now }));
}

pub(crate) async fn a_subscription_hears_what_comes_after_it_and_nothing_before(
    new: impl AsyncFn(usize) -> Feed,
) {
    let feed = new(8).await;
    feed.publish(1).await;
    let mut heard = feed.subscribe();
    feed.publish(2).await;
    feed.publish(3).await;
    assert_eq!(heard.recv().await.map(|update| update.seq), Some(2));
    assert_eq!(heard.recv().await.map(|update| update.seq), Some(3));
}

pub(crate) async fn a_closed_feed_delivers_what_it_has_and_ends(new: impl AsyncFn(usize) -> Feed) {
    let feed = new(8).await;
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

pub(crate) async fn a_reader_that_falls_too_far_behind_is_let_go_not_lied_to(
    new: impl AsyncFn(usize) -> Feed,
) {
    let feed = new(2).await;
    let mut slow = feed.subscribe();
    for n in 1..=9 {
        feed.publish(n).await;
    }
    assert_eq!(slow.recv().await, None, "a stream with a hole in it is worse than none");
}

pub(crate) async fn a_reader_that_leaves_leaves_nothing_behind(new: impl AsyncFn(usize) -> Feed) {
    let feed = new(2).await;
    let heard = feed.subscribe();
    assert_eq!(feed.subscribers(), 1);
    drop(heard);
    assert_eq!(feed.subscribers(), 0);
}
