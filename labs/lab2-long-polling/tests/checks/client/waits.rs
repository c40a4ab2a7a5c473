//! How long the client waits after a failure.

use std::{collections::BTreeMap, time::Duration};

use grader::{
    Asked, Failure, Mark,
    wire::{Moment, What, transcript::Data},
};

use super::{AT_ONCE, Visit, expect_status, heard_before_asking, is_request, is_said, live_first, world};

/// The longest first wait, and the longest of all, in milliseconds.
pub(super) const FIRST_WAIT: u64 = 500;
pub(super) const LONGEST_WAIT: u64 = 30_000;

pub(super) const HOT_LOOP: &str = "After a failure the client asks again at once, and at once again: a server that has fallen over is asked as fast as the connection allows, by everyone.";
pub(super) const NEVER_BACK: &str = "The client never came back: a failure is a reason to wait, not to stop";

/// How long the client may wait after so many failures in a row before this one.
pub(super) fn window(failures: u32) -> u64 {
    (FIRST_WAIT << failures.min(10)).min(LONGEST_WAIT)
}

impl Visit {
    /// The client comes back after a failure, with the same request, within the window: the request, and how long it waited.
    pub(super) async fn come_back(&mut self, longest: u64) -> Result<(Asked, u64), Failure> {
        self.come_back_asking(longest, "6.window").await
    }

    /// The same; a wait that is too long breaks this clause.
    pub(super) async fn come_back_asking(
        &mut self,
        longest: u64,
        clause: &'static str,
    ) -> Result<(Asked, u64), Failure> {
        let (asked, since, waited) = self.back(clause).await?;
        self.expect_told(since)?;
        // A connection that breaks is noticed when the news has come.
        if waited > longest + 30 {
            return Err(too_late(waited, longest, clause));
        }
        self.market.expect_asked(
            &asked,
            "the last update that was shown",
            ("6.same-request", "6.same-request"),
        )?;
        self.market.expect_shown()?;
        self.bench.leave_open(since, (0, longest), is_request);
        Ok((asked, waited))
    }

    /// The client comes back after a success and a failure: it has started over.
    pub(super) async fn start_over(&mut self, success: &str) -> Result<Asked, Failure> {
        let (asked, since, waited) = self.back("6.window").await?;
        self.expect_told(since)?;
        if waited > FIRST_WAIT + 30 {
            return Err(Failure::of(
                "6.starts-over",
                format!(
                    "{success}, and after the next failure the client waited {waited} ms: an attempt that succeeds starts over, at {FIRST_WAIT} ms at the most."
                ),
            ));
        }
        self.market.expect_asked(
            &asked,
            "the last update that was shown",
            ("6.same-request", "6.same-request"),
        )?;
        self.bench.leave_open(since, (0, FIRST_WAIT), is_request);
        Ok(asked)
    }

    /// The client's next request after a failure, since when it may have waited, and how long it did.
    pub(super) async fn back(&mut self, clause: &'static str) -> Result<(Asked, Mark, u64), Failure> {
        let bench = self.bench.clone();
        let never = if clause == "6.offline" {
            "`navigator.onLine` is false, and the client asks for nothing more, though the server would answer: a browser says so of a machine that has no network, and this server may be on that very machine. Ask all the same, after 30 s at the latest"
        } else {
            NEVER_BACK
        };
        let asked = self.server.request_within(Duration::from_secs(2_000), never).await;
        let asked = asked.map_err(|failure| failure.or_of(clause))?;
        let since = heard_before_asking(&bench);
        let waited = world::last_at(&bench, is_request).unwrap_or(since).since(since);
        live_first(&bench);
        Ok((asked, since, waited))
    }

    /// The page was told of the failure before the wait.
    pub(super) fn expect_told(&self, failed: Mark) -> Result<(), Failure> {
        let bench = &self.bench;
        let shown =
            world::said(bench, "show").into_iter().filter(|said| *said != Data::Text("throws".to_owned()));
        if shown.count() > self.market.shown.len() {
            return Err(Failure::of(
                "6.failure",
                "The answer was a failure, and the update in it was shown: only a 200 has updates for the page. With any other status they may be a part of something, or of somebody else.",
            ));
        }
        if super::words(bench).last().is_some_and(|word| word == "live") {
            return Err(Failure::of(
                "6.failure",
                "An attempt has failed, and the page still says 'live'. (Of itself `fetch` rejects only if there was no answer: a status is for you to look at.)",
            ));
        }
        expect_status(bench, "reconnecting", "An attempt has failed", "6.reconnecting")?;
        let is_told = |moment: &Moment| {
            matches!(&moment.what, What::Said(label, _) if label == "status")
                && is_said(moment, "reconnecting")
        };
        let told = world::last_at(bench, is_told).unwrap_or(failed).since(failed);
        if told > AT_ONCE {
            return Err(Failure::of(
                "6.reconnecting",
                format!(
                    "The attempt has failed, and the page was told {told} ms later: during the wait it says that all is well. First 'reconnecting', then the wait."
                ),
            ));
        }
        Ok(())
    }
}

pub(super) fn too_late(waited: u64, longest: u64, clause: &'static str) -> Failure {
    Failure::of(
        clause,
        if longest == LONGEST_WAIT {
            format!(
                "The client waited {waited} ms; the contract says at most 30 s, however often it has failed."
            )
        } else {
            format!(
                "The client came back after {waited} ms; the contract says {longest} ms at the most here."
            )
        },
    )
}

/// Waits and their windows, of one client that failed many times in a row: they are random, and grow.
pub(super) fn expect_random(waits: &[(u64, u64)]) -> Result<(), Failure> {
    let alike = |values: &[u64], by: u64| values.iter().all(|value| value.abs_diff(values[0]) <= by);
    let lengths: Vec<u64> = waits.iter().map(|(waited, _)| *waited).collect();
    let places: Vec<u64> = waits.iter().map(|(waited, longest)| waited * 100 / longest).collect();
    let longest = lengths.iter().max().copied().unwrap_or_default();
    if longest <= AT_ONCE {
        return Err(Failure::of("6.random", HOT_LOOP));
    }
    if alike(&lengths, AT_ONCE) || alike(&places, 5) {
        return Err(Failure::of(
            "6.random",
            "Every wait falls on the same place in its window: clients that lost the server together come back together. Draw each wait at random.",
        ));
    }
    if longest <= 2_000 {
        return Err(Failure::of(
            "6.grows",
            format!(
                "The client failed {} times in a row, and its longest wait was {longest} ms: the waits do not grow. From the seventh failure on the window is 30 s.",
                waits.len()
            ),
        ));
    }
    Ok(())
}

/// Many waits: in each window there are short and long ones, and after a while the long ones do not stop.
pub(super) fn expect_spread(waits: &[(u64, u64)]) -> Result<(), Failure> {
    let mut by_window: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (waited, longest) in waits {
        by_window.entry(*longest).or_default().push(*waited);
    }
    for (window, waits) in by_window.iter().filter(|(_, waits)| waits.len() >= 12) {
        let (shortest, longest) = (
            waits.iter().min().copied().unwrap_or_default(),
            waits.iter().max().copied().unwrap_or_default(),
        );
        let many = waits.len();
        if longest - shortest <= window / 10 {
            return Err(Failure::of(
                "6.random",
                format!(
                    "Of {many} waits in the window of {window} ms all lie between {shortest} and {longest} ms: clients that lost the server together come back together."
                ),
            ));
        }
        if longest <= window / 2 {
            return Err(Failure::of(
                "6.grows",
                format!(
                    "Of {many} waits in the window of {window} ms the longest was {longest} ms: they leave half of it unused, and the server has less time to get up."
                ),
            ));
        }
        if let Some(at) = waits.windows(6).position(|six| six.iter().all(|waited| waited * 10 < *window)) {
            return Err(Failure::of(
                "6.grows",
                format!(
                    "From the {}th wait in the window of {window} ms on, six in a row are shorter than a tenth of it (the first takes {} ms): the waits have become short again. (500 × 2 to the 31 is more than the bit operators can count.)",
                    at + 1,
                    waits[at]
                ),
            ));
        }
    }
    Ok(())
}
