//! Visitors: who is who, and what each one's own connections said.
//!
//! A visitor is a browser, told by a cookie that says nothing but a random
//! number. It is set when a live page is opened, read under `/live/` only, and
//! forgotten with the stage. What a [`Visitor`] holds is for that browser
//! alone: its transcript, its open connections, its market.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;
use wire::{Moment, Place, What, When};

use crate::line::Tap;

/// The cookie's name.
const COOKIE: &str = "stage_visitor";
/// How many visitors are kept in mind. The one who has been away longest is forgotten first.
const VISITORS: usize = 2_000;
/// How many moments of a visitor are kept.
const MOMENTS: usize = 1_000;
/// How many bytes of text these may have.
const BYTES: usize = 256 * 1024;
/// How long after the page was opened the wire is heard although no panel has come yet.
const PATIENCE: Duration = Duration::from_secs(30);

/// All visitors.
#[derive(Default)]
pub(crate) struct Visitors {
    known: Mutex<HashMap<String, Arc<Visitor>>>,
}

impl Visitors {
    /// The visitor whose cookie this request carries, if the stage gave it out.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<Visitor>> {
        let id = cookie(headers)?;
        let visitor = self.known().get(id).cloned()?;
        visitor.state().seen = Instant::now();
        Some(visitor)
    }

    /// The visitor of this request, or a new one with the cookie to set.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub(crate) fn welcome(
        &self,
        headers: &HeaderMap,
    ) -> Result<(Arc<Visitor>, Option<HeaderValue>), getrandom::Error> {
        if let Some(visitor) = self.find(headers) {
            return Ok((visitor, None));
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let set = format!("{COOKIE}={id}; Path=/live/; HttpOnly; SameSite=Strict");
        let visitor = Arc::new(Visitor::new());
        let mut known = self.known();
        if known.len() >= VISITORS {
            let oldest = known.iter().min_by_key(|(_, visitor)| visitor.state().seen);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                known.remove(&oldest);
            }
        }
        known.insert(id, Arc::clone(&visitor));
        Ok((visitor, HeaderValue::from_str(&set).ok()))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Visitor>>> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// One browser.
pub(crate) struct Visitor {
    began: Instant,
    panels: AtomicUsize,
    /// The number of the newest moment; whoever shows them waits here.
    head: watch::Sender<u64>,
    market: watch::Sender<Market>,
    state: Mutex<State>,
}

/// Whether the market is open for a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Market {
    Open,
    Closed,
}

struct State {
    seen: Instant,
    /// When the page was last opened; panels follow.
    opened: Option<Instant>,
    kept: VecDeque<Moment>,
    /// Of what is kept, as text, in bytes.
    size: usize,
    exchanges: u32,
    lines: Vec<Weak<Tap>>,
}

/// A place in a visitor's transcript: where a page was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// The number of the last moment before it.
    pub(crate) after: u64,
    /// Its time, in milliseconds since the visitor came.
    pub(crate) at: u64,
    /// How many exchanges came before it.
    pub(crate) exchanges: u32,
}

impl Visitor {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            panels: AtomicUsize::new(0),
            head: watch::Sender::new(0),
            market: watch::Sender::new(Market::Open),
            state: Mutex::new(State {
                seen: now,
                opened: None,
                kept: VecDeque::new(),
                size: 0,
                exchanges: 0,
                lines: Vec::new(),
            }),
        }
    }

    /// A page is opened: what follows is heard, and belongs to it.
    pub(crate) fn open(&self) -> Start {
        let mut state = self.state();
        state.opened = Some(Instant::now());
        Start { after: *self.head.borrow(), at: self.now(), exchanges: state.exchanges }
    }

    /// Milliseconds since the visitor came.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether anybody looks at this visitor's wire, or is about to.
    pub(crate) fn is_watched(&self) -> bool {
        self.panels.load(Ordering::Relaxed) > 0
            || self.state().opened.is_some_and(|opened| opened.elapsed() < PATIENCE)
    }

    /// Counts a panel that shows this visitor's wire for as long as it lives.
    pub(crate) fn panel(self: &Arc<Self>) -> Panel {
        self.panels.fetch_add(1, Ordering::Relaxed);
        Panel { visitor: Arc::clone(self), head: self.head.subscribe() }
    }

    /// A number for a new exchange; the first is 1.
    pub(crate) fn next_exchange(&self) -> u32 {
        let mut state = self.state();
        state.exchanges = state.exchanges.saturating_add(1);
        state.exchanges
    }

    /// Writes down what happened, with times as [`Visitor::now`] gives them.
    pub(crate) fn write(&self, moments: Vec<Moment>) {
        if moments.is_empty() {
            return;
        }
        let mut state = self.state();
        let added = moments.len() as u64;
        for moment in moments {
            state.size += size(&moment);
            state.kept.push_back(moment);
        }
        while state.kept.len() > MOMENTS || state.size > BYTES {
            let Some(dropped) = state.kept.pop_front() else { break };
            state.size -= size(&dropped);
        }
        // Under the lock, so that the numbers and the moments belong together.
        self.head.send_modify(|head| *head += added);
    }

    /// What happened after moment number `after`, with its numbers, as seen from `start`:
    /// times and exchanges count from there, and what other pages began before is left out.
    /// Moments that are no longer kept are told as one note.
    pub(crate) fn after(&self, after: u64, start: Start) -> Vec<(u64, Moment)> {
        let state = self.state();
        let head = *self.head.borrow();
        let first = head + 1 - state.kept.len() as u64;
        let since = |at: u64| When::At(at.saturating_sub(start.at));
        let mut told = Vec::new();
        if after + 1 < first {
            let lost = first - (after + 1);
            told.push((
                first - 1,
                Moment {
                    when: state.kept.front().map_or(When::At(0), |moment| match moment.when {
                        When::At(at) | When::Within(at, _) => since(at),
                    }),
                    place: Place::Note,
                    client: None,
                    exchange: None,
                    what: What::Note(format!("{lost} moments are no longer kept")),
                },
            ));
        }
        for (number, moment) in (first..).zip(&state.kept) {
            let exchange = moment.exchange.map(|exchange| exchange.checked_sub(start.exchanges));
            if number <= after || matches!(exchange, Some(None | Some(0))) {
                continue;
            }
            let when = match moment.when {
                When::At(at) | When::Within(at, _) => since(at),
            };
            told.push((number, Moment { when, exchange: exchange.flatten(), ..moment.clone() }));
        }
        told
    }

    /// Remembers a connection on which this visitor's lab speaks.
    pub(crate) fn speaks_on(&self, line: &Arc<Tap>) {
        line.claim();
        let mut state = self.state();
        state
            .lines
            .retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(line)));
        state.lines.push(Arc::downgrade(line));
    }

    /// Cuts every connection on which this visitor's lab speaks; gives how many.
    pub(crate) fn cut(&self) -> usize {
        let lines = self.state().lines.clone();
        lines.iter().filter_map(Weak::upgrade).filter(|line| line.cut_claimed()).count()
    }

    /// Whether the market is open for this visitor, and when that changes.
    pub(crate) fn market(&self) -> &watch::Sender<Market> {
        &self.market
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn size(moment: &Moment) -> usize {
    moment.to_string().len()
}

/// Somebody who looks at a visitor's wire.
pub(crate) struct Panel {
    pub(crate) visitor: Arc<Visitor>,
    /// The number of the newest moment.
    pub(crate) head: watch::Receiver<u64>,
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.visitor.panels.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Start = Start { after: 0, at: 0, exchanges: 0 };

    fn comment(exchange: u32) -> Vec<Moment> {
        vec![Moment {
            when: When::At(0),
            place: Place::ToClient,
            client: None,
            exchange: Some(exchange),
            what: What::Comment,
        }]
    }

    fn numbers(visitor: &Visitor, after: u64, start: Start) -> Vec<u64> {
        visitor.after(after, start).into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_transcript_resumes_after_a_number_without_a_gap() {
        let visitor = Visitor::new();
        for _ in 0..5 {
            visitor.write(comment(1));
        }
        assert_eq!(numbers(&visitor, 0, HERE), [1, 2, 3, 4, 5]);
        assert_eq!(numbers(&visitor, 3, HERE), [4, 5]);
        assert!(numbers(&visitor, 5, HERE).is_empty());
    }

    #[test]
    fn a_transcript_is_bounded_and_says_what_it_dropped() {
        let visitor = Visitor::new();
        for _ in 0..MOMENTS + 3 {
            visitor.write(comment(1));
        }
        let told = visitor.after(1, HERE);
        assert_eq!(told.len(), MOMENTS + 1);
        assert_eq!(told[0].0, 3, "the note stands where the last dropped moment stood");
        assert_eq!(told[0].1.what, What::Note("2 moments are no longer kept".into()));
        assert_eq!(told[1].0, 4);
    }

    #[test]
    fn a_transcript_is_bounded_in_bytes_too() {
        let visitor = Visitor::new();
        for _ in 0..100 {
            let mut long = comment(1);
            long[0].what = What::Note("x".repeat(10_000));
            visitor.write(long);
        }
        let told = visitor.after(0, HERE);
        assert!(told.len() < BYTES / 10_000 + 2, "{}", told.len());
        assert_eq!(told.last().unwrap().0, 100, "the newest is kept");
    }

    #[test]
    fn a_page_sees_its_own_exchanges_only_numbered_from_one() {
        let visitor = Visitor::new();
        let before = visitor.next_exchange();
        visitor.write(comment(before));
        let start = visitor.open();
        visitor.write(comment(before));
        let mine = visitor.next_exchange();
        visitor.write(comment(mine));
        let told = visitor.after(start.after, start);
        assert_eq!(told.iter().map(|(_, moment)| moment.exchange).collect::<Vec<_>>(), [Some(1)]);
    }

    #[test]
    fn only_a_cookie_that_the_stage_gave_out_finds_a_visitor() {
        let visitors = Visitors::default();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("stage_visitor=0123"));
        assert!(visitors.find(&headers).is_none());

        let (mine, cookie) = visitors.welcome(&HeaderMap::new()).unwrap();
        let cookie = cookie.unwrap();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        headers.insert(header::COOKIE, format!("other=1; {pair}").parse().unwrap());
        assert!(Arc::ptr_eq(&visitors.find(&headers).unwrap(), &mine));
    }

    #[test]
    fn visitors_are_bounded_and_the_one_longest_away_is_forgotten() {
        let visitors = Visitors::default();
        let first = Arc::downgrade(&visitors.welcome(&HeaderMap::new()).unwrap().0);
        for _ in 0..VISITORS {
            visitors.welcome(&HeaderMap::new()).unwrap();
        }
        assert_eq!(visitors.known().len(), VISITORS);
        assert!(first.upgrade().is_none());
    }

    #[test]
    fn a_wire_is_heard_while_a_panel_is_open_and_shortly_after_the_page_was() {
        let visitor = Arc::new(Visitor::new());
        assert!(!visitor.is_watched());
        let panel = visitor.panel();
        assert!(visitor.is_watched());
        drop(panel);
        assert!(!visitor.is_watched());
        visitor.open();
        assert!(visitor.is_watched());
    }
}
