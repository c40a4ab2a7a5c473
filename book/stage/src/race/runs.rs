//! The races that are on: one for each browser, so many at most.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    run::Run,
    settings::{Refusal, Settings},
};
use crate::{climate::Climate, visitor::Visitor};

/// How many races go on at once: a large class. At their fastest and largest, 300 of them took 230 MB.
pub(super) const MOST: usize = 300;

/// The races that are on, by their visitor's number.
#[derive(Clone, Default)]
pub(super) struct Runs(Arc<Mutex<HashMap<u64, Arc<Run>>>>);

impl Runs {
    /// This visitor's race, if it bears that number.
    pub(super) fn of(&self, visitor: &Visitor, page: u32) -> Option<Arc<Run>> {
        self.list().get(&visitor.number()).filter(|run| run.page == page).cloned()
    }

    /// Begins a race for a visitor. The one that they had is over: two would share six connections.
    ///
    /// # Errors
    /// [`Refusal::NoRoom`].
    pub(super) fn begin(
        &self,
        visitor: &Arc<Visitor>,
        settings: Settings,
        climate: &Climate,
    ) -> Result<Arc<Run>, Refusal> {
        let mut list = self.list();
        if list.len() >= MOST && !list.contains_key(&visitor.number()) {
            return Err(Refusal::NoRoom);
        }
        let run = Arc::new(Run::new(Arc::clone(visitor), settings));
        let before = list.insert(visitor.number(), Arc::clone(&run));
        drop(list);
        if let Some(before) = before {
            before.finish(climate);
        }
        let (runs, climate, trading) = (self.clone(), climate.clone(), Arc::clone(&run));
        tokio::spawn(async move {
            trading.trade().await;
            runs.end(&trading, &climate);
        });
        Ok(run)
    }

    /// Ends a race, if it is not over yet.
    pub(super) fn end(&self, run: &Arc<Run>, climate: &Climate) {
        let number = run.visitor.number();
        let mut list = self.list();
        if !list.get(&number).is_some_and(|known| Arc::ptr_eq(known, run)) {
            return;
        }
        list.remove(&number);
        drop(list);
        run.finish(climate);
        tracing::info!(visitor = number, race = run.page, "a race is over");
    }

    fn list(&self) -> MutexGuard<'_, HashMap<u64, Arc<Run>>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::HeaderMap;
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::{
        race::run::{LASTS, PATIENCE},
        visitor::Visitors,
    };

    fn visitor(visitors: &Visitors) -> Arc<Visitor> {
        visitors.welcome(&HeaderMap::new()).expect("there are random numbers").0
    }

    fn count(runs: &Runs) -> usize {
        runs.list().len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_race_that_nobody_looks_at_is_over_and_one_that_is_looked_at_ends_in_time() {
        let (runs, climate, visitors) = (Runs::default(), Climate::default(), Visitors::default());
        let visitor = visitor(&visitors);
        let begin =
            || runs.begin(&visitor, Settings { paused: true, ..Settings::default() }, &climate).unwrap();
        let left = begin();
        sleep(PATIENCE - Duration::from_secs(1)).await;
        left.is_asked_for();
        sleep(PATIENCE - Duration::from_secs(1)).await;
        assert!(runs.of(&visitor, left.page).is_some(), "somebody asked for it meanwhile");
        sleep(Duration::from_secs(2)).await;
        assert!(runs.of(&visitor, left.page).is_none(), "nobody asks for it");

        let watched = begin();
        for _ in 0..LASTS.as_secs() / 60 {
            assert!(runs.of(&visitor, watched.page).is_some());
            watched.is_asked_for();
            sleep(Duration::from_secs(60)).await;
        }
        advance(Duration::from_secs(1)).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(count(&runs), 0, "every race ends");
    }

    #[tokio::test]
    async fn a_browser_has_one_race_and_all_of_them_together_so_many() {
        let (runs, climate, visitors) = (Runs::default(), Climate::default(), Visitors::default());
        let paused = Settings { paused: true, ..Settings::default() };
        let begin = |visitor: &Arc<Visitor>| runs.begin(visitor, paused, &climate);
        let first = visitor(&visitors);
        let one = begin(&first).unwrap();
        let two = begin(&first).unwrap();
        assert_ne!(one.page, two.page);
        assert!(runs.of(&first, one.page).is_none() && runs.of(&first, two.page).is_some());
        for _ in 1..MOST {
            begin(&visitor(&visitors)).unwrap();
        }
        let late = visitor(&visitors);
        assert_eq!(begin(&late).err(), Some(Refusal::NoRoom));
        begin(&first).expect("who has one may begin another");
        runs.end(&one, &climate);
        assert_eq!(count(&runs), MOST, "what is over already ends nothing");
        let newest = runs.of(&first, 3).unwrap();
        runs.end(&newest, &climate);
        begin(&late).expect("there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_market_keeps_its_pace_and_pauses_and_each_price_says_its_number() {
        let (runs, climate, visitors) = (Runs::default(), Climate::default(), Visitors::default());
        let settings = Settings { pace: 10, payload: 5, paused: false };
        let run = runs.begin(&visitor(&visitors), settings, &climate).unwrap();
        sleep(Duration::from_secs(10)).await;
        let head = run.head();
        assert!((99..=101).contains(&head), "ten a second for ten seconds: {head}");
        run.set(Settings { paused: true, ..settings });
        sleep(Duration::from_secs(10)).await;
        assert_eq!(run.head(), head, "nothing moves");
        run.set(Settings { pace: 1, ..settings });
        sleep(Duration::from_secs(5)).await;
        assert!((4..=6).contains(&(run.head() - head)), "one a second for five: {}", run.head() - head);
        for update in run.updates().await {
            assert_eq!(update.data["number"], update.seq);
            assert_eq!((&update.data["symbol"], &update.data["more"]), (&"BMRI".into(), &"xxxxx".into()));
        }
    }
}
