//! TODO 7, swept: nobody looks, or the signal is aborted, at every moment.

use std::cell::RefCell;

use grader::{Bench, Disturbance, Failure, invariant, wire::What};

use super::{is_request, market::Market, todo_6::through_a_restart};

pub(super) async fn todo_7_away_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    let _page = market.watch()?;
    let failed = RefCell::new(None);
    let watching = async {
        let outcome = watch_the_absence(&bench, &market).await;
        failed.replace(outcome.err());
        std::future::pending::<()>().await;
    };
    let playing = async {
        through_a_restart(&market).await;
        bench.wait_s(60).await;
        market.publish(1);
        bench.wait_s(40).await;
    };
    tokio::select! {
        biased;
        () = playing => {}
        () = watching => {}
    }
    if let Some(failure) = failed.take() {
        return Err(failure);
    }
    market.expect_never_two("7.never-two")?;
    market.expect_all(false, "7.visible")
}

/// What a client does, and does not, while it is disturbed by somebody who looks away.
async fn watch_the_absence(bench: &Bench, market: &Market) -> Result<(), Failure> {
    let requests = || {
        bench
            .recording()
            .iter()
            .filter(|(_, moment)| is_request(moment) || moment.what == What::Refused)
            .count()
    };
    let (from, until, clause, away) = match bench.disturbed().await {
        Disturbance::HideLong => (61_000, 69_900, "7.hidden", "The tab has been hidden for 61 s"),
        Disturbance::Leave => (100, 4_900, "7.left", "The page was left"),
        _ => return Ok(()),
    };
    bench.wait_ms(from).await;
    if market.is_watched() {
        return Err(Failure::of(clause, format!("{away}, and its stream is still open.")));
    }
    let before = requests();
    bench.wait_ms(until - from).await;
    if requests() > before {
        return Err(Failure::of(
            clause,
            format!("{away}; the client must ask for nothing until somebody looks again."),
        ));
    }
    bench.wait_ms(1_100).await;
    if requests() == before {
        let clause = if clause == "7.hidden" { "7.visible" } else { clause };
        return Err(Failure::of(
            clause,
            "Somebody looks again; the client should open a stream at once, and asked for nothing within a second.",
        ));
    }
    Ok(())
}

pub(super) async fn todo_7_aborted_at_any_moment(bench: Bench) -> Result<(), Failure> {
    let market = Market::open(&bench);
    let page = market.watch()?;
    bench.wait_ms(100).await;
    market.publish(2);
    for seconds in [10, 70] {
        bench.wait_ms(100).await;
        bench.note("hidden");
        page.set_visibility(true);
        bench.wait_s(seconds).await;
        bench.note("visible again");
        page.set_visibility(false);
    }
    bench.wait_ms(100).await;
    bench.note("left");
    page.leave();
    bench.wait_s(5).await;
    bench.note("restored");
    page.return_to();
    bench.wait_ms(100).await;
    market.publish(1);
    bench.wait_s(90).await;
    invariant::silent_after_abort(&bench, "7.aborted")?;
    let aborted = bench.disturbance().is_some();
    if aborted && market.is_watched() {
        return Err(Failure::of("7.aborted", "The signal was aborted, and a stream is still open."));
    }
    market.expect_all(aborted, "7.visible")
}
