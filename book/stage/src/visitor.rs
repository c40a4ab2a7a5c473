//! Visitors: who is who, and what each one's own connections said.
//!
//! A visitor is a browser, told by a cookie that says nothing but a random
//! number. It is set when a live page is opened, read under `/live/` only, and
//! forgotten with the stage. What a [`Visitor`] holds is for that browser
//! alone: its transcript, its market, the weather of its pages. Others know it by
//! a number, which opens nothing.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;
use wire::{Moment, Place, What, When};

use crate::weather::Weather;

/// The cookie's name.
const COOKIE: &str = "stage_visitor";
/// How many visitors are kept in mind. The one who has been away longest is forgotten first.
const VISITORS: usize = 2_000;
/// How long the transcript is kept of a visitor who is not heard of: a laptop may sleep through a break.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// How many moments of a visitor are kept.
const MOMENTS: usize = 1_000;
/// How many pages of a visitor are kept in mind.
const PAGES: usize = 32;
/// How many bytes of text these may have.
const BYTES: usize = 256 * 1024;
/// How long after the page was opened, or its panel went, the wire is heard although no panel is there.
const PATIENCE: Duration = Duration::from_secs(30);

/// All visitors.
#[derive(Default)]
pub(crate) struct Visitors {
    /// How many have ever come.
    came: AtomicU64,
    known: Mutex<HashMap<String, Arc<Visitor>>>,
}

impl Visitors {
    /// The visitor whose cookie this request carries, if the stage gave it out.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<Visitor>> {
        let id = cookie(headers, COOKIE)?;
        let visitor = self.known().get(id).cloned()?;
        visitor.state().seen = Instant::now();
        visitor.is_logged();
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
        let visitor = Arc::new(Visitor::new(self.came.fetch_add(1, Ordering::Relaxed) + 1));
        visitor.is_logged();
        let mut known = self.known();
        // Who comes makes room: of those who have gone the transcript is not kept.
        known.values().for_each(|visitor| visitor.forget_if_gone());
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

/// What the browser says under this cookie's name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

/// One browser.
pub(crate) struct Visitor {
    number: u64,
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
    /// When a page was last opened or a panel went; panels follow.
    expected: Option<Instant>,
    /// What happened, each with the page that it belongs to.
    kept: VecDeque<(u32, Moment)>,
    /// The time of the newest moment.
    newest: u64,
    /// Of what is kept, as text, in bytes.
    size: usize,
    /// How many pages were opened; each bears its number.
    opened: u32,
    /// The last of them.
    pages: VecDeque<Page>,
}

/// One opened page of a visitor, as far as its transcript needs to know.
struct Page {
    number: u32,
    /// How many exchanges it has had.
    exchanges: u32,
    /// The number of its newest moment that is no longer kept; 0 while all are.
    dropped: u64,
    /// Its next unsafe request is to lose its answer.
    loses: bool,
    /// What its own visitor ordered for it.
    weather: Weather,
}

/// Where a page began in its visitor's transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// The page's number.
    pub(crate) page: u32,
    /// The number of the last moment before it.
    pub(crate) after: u64,
    /// Its time, in milliseconds since the visitor came.
    pub(crate) at: u64,
}

impl Visitor {
    fn new(number: u64) -> Self {
        let now = Instant::now();
        Self {
            number,
            began: now,
            panels: AtomicUsize::new(0),
            head: watch::Sender::new(0),
            market: watch::Sender::new(Market::Open),
            state: Mutex::new(State {
                seen: now,
                expected: None,
                kept: VecDeque::new(),
                newest: 0,
                size: 0,
                opened: 0,
                pages: VecDeque::new(),
            }),
        }
    }

    /// What keeps the transcript of a connection that somebody else watches, whosever it is.
    pub(crate) fn nobody() -> Self {
        Self::new(0)
    }

    /// Has the log name the visitor in what it says about the request at hand.
    fn is_logged(&self) {
        tracing::Span::current().record("visitor", self.number);
    }

    /// The visitor's number: the first who came is 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A page is opened: what its client says is heard from now on. It begins
    /// in the weather of the page it follows, where it follows one.
    pub(crate) fn open(&self, follows: Option<u32>) -> Start {
        let mut state = self.state();
        let weather = follows.and_then(|page| state.page(page)).map_or(Weather::CLEAR, |page| page.weather);
        state.expected = Some(Instant::now());
        state.opened = state.opened.saturating_add(1);
        let number = state.opened;
        if state.pages.len() == PAGES {
            state.pages.pop_front();
        }
        state.pages.push_back(Page { number, exchanges: 0, dropped: 0, loses: false, weather });
        Start { page: number, after: *self.head.borrow(), at: self.now() }
    }

    /// The page with this number, if it was opened; else the newest.
    pub(crate) fn page(&self, number: Option<u32>) -> u32 {
        let newest = self.state().opened;
        number.filter(|page| (1..=newest).contains(page)).unwrap_or(newest)
    }

    /// Milliseconds since the visitor came.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether anybody looks at this visitor's wire, or is about to.
    pub(crate) fn is_watched(&self) -> bool {
        self.panels.load(Ordering::Relaxed) > 0
            || self.state().expected.is_some_and(|since| since.elapsed() < PATIENCE)
    }

    /// Counts a panel that shows this visitor's wire for as long as it lives.
    pub(crate) fn panel(self: &Arc<Self>) -> Panel {
        self.panels.fetch_add(1, Ordering::Relaxed);
        Panel { visitor: Arc::clone(self), head: self.head.subscribe() }
    }

    /// A number for a page's new exchange; the first is 1.
    pub(crate) fn next_exchange(&self, page: u32) -> u32 {
        let mut state = self.state();
        // A page that is no longer kept in mind starts over; nobody looks at it any more.
        state.page(page).map_or(1, |page| {
            page.exchanges = page.exchanges.saturating_add(1);
            page.exchanges
        })
    }

    /// Writes down what happened to a page, with times as [`Visitor::now`] gives them.
    pub(crate) fn write(&self, page: u32, moments: Vec<Moment>) {
        if moments.is_empty() {
            return;
        }
        let mut state = self.state();
        let added = moments.len() as u64;
        for mut moment in moments {
            // Two connections write: the one whose clock was read first may come last.
            if let When::At(at) = &mut moment.when {
                *at = state.newest.max(*at);
                state.newest = *at;
            }
            state.size += size(&moment);
            state.kept.push_back((page, moment));
        }
        while state.kept.len() > MOMENTS || state.size > BYTES {
            let number = *self.head.borrow() + added + 1 - state.kept.len() as u64;
            let Some((page, dropped)) = state.kept.pop_front() else { break };
            state.size -= size(&dropped);
            if let Some(page) = state.page(page) {
                page.dropped = number;
            }
        }
        // Under the lock, so that the numbers and the moments belong together.
        self.head.send_modify(|head| *head += added);
    }

    /// Lets go of the transcript, if nobody has looked at it for long.
    fn forget_if_gone(&self) {
        if self.is_watched() {
            return;
        }
        let mut state = self.state();
        if state.seen.elapsed() < REMEMBERED {
            return;
        }
        let head = *self.head.borrow();
        let kept = std::mem::take(&mut state.kept);
        state.size = 0;
        for (number, (page, _)) in (head + 1 - kept.len() as u64..).zip(kept) {
            if let Some(page) = state.page(page) {
                page.dropped = number;
            }
        }
    }

    /// What happened to a page after moment number `after`, with the moments'
    /// numbers; times count from the page's start. Moments that are no longer
    /// kept are told as one note.
    pub(crate) fn after(&self, after: u64, start: Start) -> Vec<(u64, Moment)> {
        let state = self.state();
        let head = *self.head.borrow();
        let first = head + 1 - state.kept.len() as u64;
        let since = |when: When| match when {
            When::At(at) | When::Within(at, _) => When::At(at.saturating_sub(start.at)),
        };
        let mut told = Vec::new();
        let dropped =
            state.pages.iter().find(|page| page.number == start.page).map_or(0, |page| page.dropped);
        if dropped > after {
            let when = state.kept.front().map_or(When::At(0), |(_, moment)| since(moment.when));
            let what = What::Note("what came before is no longer kept".to_owned());
            told.push((dropped, Moment { when, place: Place::Note, client: None, exchange: None, what }));
        }
        let of_the_page =
            (first..).zip(&state.kept).filter(|(number, (page, _))| *number > after && *page == start.page);
        told.extend(
            of_the_page
                .map(|(number, (_, moment))| (number, Moment { when: since(moment.when), ..moment.clone() })),
        );
        told
    }

    /// Writes down that something happens to a page now, or to its line.
    pub(crate) fn narrate(&self, page: u32, told: Vec<(Place, What)>) {
        let when = When::At(self.now());
        let moment = |(place, what)| Moment { when, place, client: None, exchange: None, what };
        self.write(page, told.into_iter().map(moment).collect());
    }

    /// Writes down that a page was refused a connection.
    pub(crate) fn is_refused(&self, page: u32) {
        let exchange = Some(self.next_exchange(page));
        let when = When::At(self.now());
        let refused = Moment { when, place: Place::Network, client: None, exchange, what: What::Refused };
        self.write(page, vec![refused]);
    }

    /// Orders weather for one page, and gives what was there before.
    pub(crate) fn order(&self, page: u32, weather: Weather) -> Weather {
        let mut state = self.state();
        state.page(page).map_or(Weather::CLEAR, |page| std::mem::replace(&mut page.weather, weather))
    }

    /// The weather that was ordered for a page.
    pub(crate) fn weather(&self, page: u32) -> Weather {
        self.state().page(page).map_or(Weather::CLEAR, |page| page.weather)
    }

    /// The page's next unsafe request will be answered, and its answer lost.
    pub(crate) fn lose_next_answer(&self, page: u32) {
        if let Some(page) = self.state().page(page) {
            page.loses = true;
        }
    }

    /// Whether the answer to the page's unsafe request at hand is to be lost. Once asked for, it is over.
    pub(crate) fn loses_answer(&self, page: u32) -> bool {
        self.state().page(page).is_some_and(|page| std::mem::take(&mut page.loses))
    }

    /// Whether the market is open for this visitor, and when that changes.
    pub(crate) fn market(&self) -> &watch::Sender<Market> {
        &self.market
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn page(&mut self, number: u32) -> Option<&mut Page> {
        self.pages.iter_mut().find(|page| page.number == number)
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
        // It may come back: its stream broke, or the page is loaded again.
        self.visitor.state().expected = Some(Instant::now());
        self.visitor.panels.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Start = Start { page: 1, after: 0, at: 0 };

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
        let visitor = Visitor::new(1);
        for _ in 0..5 {
            visitor.write(1, comment(1));
        }
        assert_eq!(numbers(&visitor, 0, HERE), [1, 2, 3, 4, 5]);
        assert_eq!(numbers(&visitor, 3, HERE), [4, 5]);
        assert!(numbers(&visitor, 5, HERE).is_empty());
    }

    #[test]
    fn a_transcript_is_bounded_and_says_what_it_dropped() {
        let visitor = Visitor::new(1);
        visitor.open(None);
        for _ in 0..MOMENTS + 3 {
            visitor.write(1, comment(1));
        }
        let told = visitor.after(1, HERE);
        assert_eq!(told.len(), MOMENTS + 1);
        assert_eq!(told[0].0, 3, "the note stands where the last dropped moment stood");
        assert_eq!(told[0].1.what, What::Note("what came before is no longer kept".into()));
        assert_eq!(told[1].0, 4);
        assert_eq!(numbers(&visitor, 3, HERE)[0], 4, "whoever has seen what was dropped misses nothing");
    }

    #[test]
    fn who_has_gone_leaves_no_transcript_and_who_comes_back_is_told_so() {
        let visitors = Visitors::default();
        let came = || visitors.welcome(&HeaderMap::new()).unwrap().0;
        let (gone, here) = (came(), came());
        for visitor in [&gone, &here] {
            visitor.write(visitor.open(None).page, comment(1));
        }
        let long_ago = Instant::now().checked_sub(REMEMBERED).expect("the machine runs for longer");
        gone.state().seen = long_ago;
        here.state().seen = long_ago;
        gone.state().expected = None;
        let panel = here.panel();
        came();
        let told = gone.after(0, HERE);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1.what, What::Note("what came before is no longer kept".into()));
        assert_eq!(here.after(0, HERE)[0].1.what, What::Comment, "somebody looks at this one");
        gone.write(1, comment(2));
        assert_eq!(numbers(&gone, 1, HERE), [2], "its numbers go on");
        drop(panel);
    }

    #[test]
    fn a_page_is_told_of_its_own_losses_only() {
        let visitor = Visitor::new(1);
        let (quiet, loud) = (visitor.open(None), visitor.open(None));
        for _ in 0..MOMENTS {
            visitor.write(loud.page, comment(1));
        }
        visitor.write(quiet.page, comment(1));
        assert_eq!(numbers(&visitor, 0, quiet), [MOMENTS as u64 + 1]);
    }

    #[test]
    fn a_page_has_weather_of_its_own_and_hands_it_to_the_page_that_follows_it() {
        let visitor = Visitor::new(1);
        let (mine, other) = (visitor.open(None).page, visitor.open(None).page);
        let late = Weather { latency: 100, ..Weather::CLEAR };
        assert_eq!(visitor.order(mine, late), Weather::CLEAR);
        assert_eq!((visitor.weather(mine), visitor.weather(other)), (late, Weather::CLEAR));
        assert_eq!(visitor.weather(visitor.open(Some(mine)).page), late);
        assert_eq!(visitor.weather(visitor.open(Some(99)).page), Weather::CLEAR);
        assert_eq!(visitor.order(mine, Weather::CLEAR), late);
    }

    #[test]
    fn an_answer_is_lost_once_and_for_one_page() {
        let visitor = Visitor::new(1);
        let (mine, other) = (visitor.open(None).page, visitor.open(None).page);
        visitor.lose_next_answer(mine);
        assert!(!visitor.loses_answer(other));
        assert!(visitor.loses_answer(mine));
        assert!(!visitor.loses_answer(mine));
    }

    #[test]
    fn a_transcript_is_bounded_in_bytes_too() {
        let visitor = Visitor::new(1);
        for _ in 0..100 {
            let mut long = comment(1);
            long[0].what = What::Note("x".repeat(10_000));
            visitor.write(1, long);
        }
        let told = visitor.after(0, HERE);
        assert!(told.len() < BYTES / 10_000 + 2, "{}", told.len());
        assert_eq!(told.last().unwrap().0, 100, "the newest is kept");
    }

    #[test]
    fn a_page_sees_its_own_exchanges_only_numbered_from_one() {
        let visitor = Visitor::new(1);
        let first = visitor.open(None);
        visitor.write(first.page, comment(visitor.next_exchange(first.page)));
        let second = visitor.open(None);
        // The first page says a last word, while the second begins.
        visitor.write(first.page, comment(visitor.next_exchange(first.page)));
        visitor.write(second.page, comment(visitor.next_exchange(second.page)));
        let told = |start: Start| -> Vec<_> {
            visitor
                .after(start.after, start)
                .into_iter()
                .map(|(_, moment)| moment.exchange.unwrap())
                .collect()
        };
        assert_eq!(told(first), [1, 2]);
        assert_eq!(told(second), [1]);
    }

    #[test]
    fn a_page_that_was_never_opened_is_taken_for_the_newest() {
        let visitor = Visitor::new(1);
        visitor.open(None);
        visitor.open(None);
        assert_eq!(visitor.page(Some(1)), 1);
        for odd in [None, Some(0), Some(3), Some(u32::MAX)] {
            assert_eq!(visitor.page(odd), 2, "{odd:?}");
        }
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
    fn a_wire_is_heard_while_a_panel_is_open_and_shortly_before_and_after() {
        let visitor = Arc::new(Visitor::new(1));
        assert!(!visitor.is_watched());
        visitor.open(None);
        assert!(visitor.is_watched());
        let long_ago = Instant::now().checked_sub(PATIENCE);
        visitor.state().expected = long_ago;
        assert!(!visitor.is_watched());
        let panel = visitor.panel();
        assert!(visitor.is_watched());
        drop(panel);
        assert!(visitor.is_watched(), "it may come back");
        visitor.state().expected = long_ago;
        assert!(!visitor.is_watched());
    }
}
