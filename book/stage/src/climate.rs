//! The climate: which connection meets which weather, and which connections there are.
//!
//! A request that one of the labs answers is *claimed* for as long as its
//! exchange goes on: it is one of the [`Connected`], it meets the weather that
//! was ordered for all, for its lab, for its technique, for its visitor and for
//! its visitor's page, all of them at once, and it can be cut. Whatever else a
//! connection carries (the book, a panel, the next request) has a clear sky.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use wire::{Place, What};

use crate::{
    line::{Passed, Tap},
    visitor::Visitor,
    weather::{NoSuchWeather, Weather},
};

/// For how many scopes weather can be ordered at once.
const ORDERS: usize = 1_000;

/// How updates travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Technique {
    /// One exchange, asked for when the client likes.
    Fetch,
    /// Long polling.
    Poll,
    /// Server-Sent Events.
    Sse,
    /// Streaming with fetch.
    Stream,
    /// WebSocket.
    Ws,
}

impl Technique {
    /// All of them, in the order of their chapters.
    pub const ALL: [Self; 5] = [Self::Fetch, Self::Poll, Self::Sse, Self::Stream, Self::Ws];

    /// The mark under which the style knows its colour and shape.
    pub fn mark(self) -> &'static str {
        ["fetch", "poll", "sse", "stream", "ws"][self as usize]
    }

    /// Its name, for a person.
    pub fn name(self) -> &'static str {
        ["One exchange", "Long polling", "Server-Sent Events", "Streaming with fetch", "WebSocket"]
            [self as usize]
    }
}

/// Whom weather is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Everything that a lab answers.
    All,
    /// The lab of this number.
    Lab(u8),
    /// Every lab that speaks so.
    Technique(Technique),
    /// The visitor of this number.
    Visitor(u64),
}

/// `all`, `lab3`, `sse`, `visitor12`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Lab(number) => write!(f, "lab{number}"),
            Self::Technique(technique) => f.write_str(technique.mark()),
            Self::Visitor(number) => write!(f, "visitor{number}"),
        }
    }
}

impl FromStr for Scope {
    type Err = NoSuchWeather;

    fn from_str(text: &str) -> Result<Self, NoSuchWeather> {
        let lab = || Some(Self::Lab(text.strip_prefix("lab")?.parse().ok()?));
        let visitor = || Some(Self::Visitor(text.strip_prefix("visitor")?.parse().ok()?));
        let technique = || {
            let named = Technique::ALL.into_iter().find(|technique| technique.mark() == text);
            named.map(Self::Technique)
        };
        let all = (text == "all").then_some(Self::All);
        all.or_else(lab).or_else(visitor).or_else(technique).ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            NoSuchWeather(format!(
                "Weather is for `all`, a lab (`lab3`), a technique (`fetch`, `poll`, `sse`, `stream`, `ws`) or a visitor (`visitor12`), not for “{text}”."
            ))
        })
    }
}

impl TryFrom<String> for Scope {
    type Error = NoSuchWeather;

    fn try_from(text: String) -> Result<Self, NoSuchWeather> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// Who speaks in an exchange.
#[derive(Clone)]
pub(crate) struct Who {
    /// The lab's number, where it is a lab.
    pub(crate) lab: Option<u8>,
    pub(crate) technique: Technique,
    /// The visitor and the number of their page, where it is a visitor's.
    pub(crate) page: Option<(Arc<Visitor>, u32)>,
    /// The address that the connection comes from.
    pub(crate) peer: Option<SocketAddr>,
}

impl Who {
    /// Whether this is the exchange of the same page, in the same technique, as that of `line`.
    pub(crate) fn is_like(&self, line: &Connected) -> bool {
        let page = self.page.as_ref().map(|(visitor, page)| (visitor.number(), *page));
        (self.lab, self.technique, page) == (line.lab, line.technique, line.visitor.zip(line.page))
    }

    fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::Lab(number) => self.lab == Some(number),
            Scope::Technique(technique) => self.technique == technique,
            Scope::Visitor(number) => {
                self.page.as_ref().is_some_and(|(visitor, _)| visitor.number() == number)
            }
        }
    }

    pub(crate) fn is_page(&self, visitor: &Visitor, page: Option<u32>) -> bool {
        self.page.as_ref().is_some_and(|(known, number)| {
            std::ptr::eq(&raw const **known, visitor) && page.is_none_or(|page| page == *number)
        })
    }
}

/// An exchange that goes on, for somebody who watches.
#[derive(Clone, Debug, Serialize)]
pub struct Connected {
    /// Its number; no other has it.
    pub number: u64,
    /// The lab's number, where it is a lab.
    pub lab: Option<u8>,
    /// How it travels.
    pub technique: Technique,
    /// The visitor's number, where it is a visitor's.
    pub visitor: Option<u64>,
    /// The number of the visitor's page.
    pub page: Option<u32>,
    /// The address it comes from.
    pub peer: Option<SocketAddr>,
    /// For how long it has gone on, in milliseconds.
    pub since_ms: u64,
    /// How many updates were delivered.
    pub delivered: u64,
    /// The number of the last of them, where it is known: an event stream says it.
    pub position: Option<u64>,
    /// Bytes from the client, on its connection.
    pub bytes_to_server: u64,
    /// Bytes to the client, on its connection.
    pub bytes_to_client: u64,
    /// Bytes that are under way to the client.
    pub queue: usize,
    /// For how long the client has taken nothing, in milliseconds; 0 while it takes what it is sent.
    pub stalled_ms: u64,
    /// The weather that it meets.
    pub weather: Weather,
}

/// The climate of one stage. Clones are handles to the same one.
#[derive(Clone, Default)]
pub struct Climate(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Taken before `lines`, where both are.
    orders: Mutex<BTreeMap<Scope, Weather>>,
    lines: Mutex<HashMap<u64, Entry>>,
    next: AtomicU64,
    /// Who hears of each exchange that is claimed, and whether anybody does.
    waiting: Mutex<Option<Waiting>>,
    is_waited_for: AtomicBool,
    /// What was delivered in exchanges that are over, by technique.
    delivered: [AtomicU64; 5],
}

/// Hears of an exchange whose request has just been read.
pub(crate) type Waiting = Arc<dyn Fn(&Who, &Arc<Tap>) + Send + Sync>;

struct Entry {
    who: Who,
    since: Instant,
    tap: Weak<Tap>,
    delivered: Arc<AtomicU64>,
}

/// What is so now, of one technique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Exchanges that go on.
    pub connections: usize,
    /// Updates that were ever delivered.
    pub delivered: u64,
    /// Bytes that are under way to clients.
    pub queue: usize,
    /// Connections whose client takes nothing.
    pub stalled: usize,
    /// For how long the slowest of them has taken nothing.
    pub lag: Duration,
}

impl Climate {
    /// Orders weather for a scope, instead of what was ordered for it before; a clear sky takes it back.
    ///
    /// # Errors
    /// A sentence, where there is no such weather.
    pub fn order(&self, scope: Scope, weather: Weather) -> Result<(), NoSuchWeather> {
        let weather = weather.checked()?;
        let mut orders = self.0.orders();
        if weather.is_clear() {
            orders.remove(&scope);
        } else if orders.len() >= ORDERS && !orders.contains_key(&scope) {
            return Err(NoSuchWeather(format!(
                "There are orders for {ORDERS} scopes already: clear some of them first."
            )));
        } else {
            orders.insert(scope, weather);
        }
        let told = self.0.blow(&orders, |who| who.is_in(scope));
        drop(orders);
        tell(told);
        tracing::info!(%scope, %weather, "weather");
        Ok(())
    }

    /// Takes every order back. What visitors ordered for their own pages stays.
    pub fn clear(&self) {
        let mut orders = self.0.orders();
        orders.clear();
        let told = self.0.blow(&orders, |_| true);
        drop(orders);
        tell(told);
        tracing::info!("clear sky");
    }

    /// Is as it is on other stages that hold the same class. A visitor's number is each stage's own, and so is what was
    /// ordered for it.
    pub(crate) fn become_like(&self, others: Vec<(Scope, Weather)>) {
        let mut orders = self.0.orders();
        orders.retain(|scope, _| matches!(scope, Scope::Visitor(_)));
        orders.extend(others.into_iter().take(ORDERS));
        let told = self.0.blow(&orders, |_| true);
        drop(orders);
        tell(told);
    }

    /// What is ordered for more than one stage.
    pub(crate) fn common_orders(&self) -> Vec<(Scope, Weather)> {
        let orders = self.orders().into_iter();
        orders.filter(|(scope, _)| !matches!(scope, Scope::Visitor(_))).collect()
    }

    /// What is ordered.
    pub fn orders(&self) -> Vec<(Scope, Weather)> {
        self.0.orders().iter().map(|(&scope, &weather)| (scope, weather)).collect()
    }

    /// Cuts every exchange of a scope; gives how many.
    pub fn cut(&self, scope: Scope) -> usize {
        self.cut_where(|who| who.is_in(scope))
    }

    /// Cuts the exchange of this number; says whether it went on.
    pub fn cut_one(&self, number: u64) -> bool {
        let tap = self.0.lines().get(&number).and_then(|entry| entry.tap.upgrade());
        tap.inspect(|tap| tap.cut()).is_some()
    }

    pub(crate) fn cut_where(&self, is_meant: impl Fn(&Who) -> bool) -> usize {
        let meant: Vec<_> = {
            let lines = self.0.lines();
            let meant = lines.values().filter(|entry| is_meant(&entry.who));
            meant.filter_map(|entry| entry.tap.upgrade()).collect()
        };
        for tap in &meant {
            tap.cut();
        }
        meant.len()
    }

    /// The exchanges that go on, the oldest first, `most` of them at most.
    pub fn connected(&self, most: usize) -> Vec<Connected> {
        self.told(most, |_| true, |number, _| number).0
    }

    /// The exchanges that go on, or one visitor's: in an order in which the next exchange of a connection stands where
    /// the last one did, `most` of them at most; and how many there are.
    pub fn lines(&self, most: usize, visitor: Option<u64>) -> (Vec<Connected>, usize) {
        let is_meant = |who: &Who| visitor.is_none_or(|number| who.is_in(Scope::Visitor(number)));
        self.told(most, is_meant, |_, who| {
            let page = who.page.as_ref().map(|(visitor, page)| (visitor.number(), *page));
            (who.technique, who.lab, page, who.peer)
        })
    }

    fn told<K: Ord>(
        &self,
        most: usize,
        is_meant: impl Fn(&Who) -> bool,
        key: impl Fn(u64, &Who) -> K,
    ) -> (Vec<Connected>, usize) {
        let (taps, all): (Vec<_>, usize) = {
            let lines = self.0.lines();
            let mut lines: Vec<_> = lines.iter().filter(|(_, entry)| is_meant(&entry.who)).collect();
            lines.sort_by_cached_key(|(number, entry)| key(**number, &entry.who));
            let all = lines.len();
            let taps = lines
                .into_iter()
                .filter_map(|(&number, entry)| {
                    Some((number, entry.who.clone(), entry.since, entry.delivered(), entry.tap.upgrade()?))
                })
                .take(most)
                .collect();
            (taps, all)
        };
        let told = taps.into_iter().map(|(number, who, since, delivered, tap)| {
            let Passed { to_server, to_client } = tap.passed();
            Connected {
                number,
                lab: who.lab,
                technique: who.technique,
                visitor: who.page.as_ref().map(|(visitor, _)| visitor.number()),
                page: who.page.map(|(_, page)| page),
                peer: who.peer,
                since_ms: milliseconds(since.elapsed()),
                delivered: delivered + tap.messages(),
                position: tap.position(),
                bytes_to_server: to_server,
                bytes_to_client: to_client,
                queue: tap.queue(),
                stalled_ms: tap.stalled_for().map_or(0, milliseconds),
                weather: tap.weather(),
            }
        });
        (told.collect(), all)
    }

    /// The exchange that goes on on the connection from this address.
    pub(crate) fn line_at(&self, peer: SocketAddr) -> Option<Connected> {
        self.told(1, |who| who.peer == Some(peer), |number, _| number).0.pop()
    }

    /// The tap on the connection that comes from this address, where an exchange goes on there.
    pub(crate) fn tap_at(&self, peer: SocketAddr) -> Option<Arc<Tap>> {
        let lines = self.0.lines();
        let mut from_there = lines.values().filter(|entry| entry.who.peer == Some(peer));
        from_there.find_map(|entry| entry.tap.upgrade())
    }

    /// What is so now, technique by technique.
    pub fn tallies(&self) -> [(Technique, Tally); 5] {
        let mut tallies = Technique::ALL.map(|technique| {
            let delivered = self.0.delivered[technique as usize].load(Ordering::Relaxed);
            (technique, Tally { delivered, ..Tally::default() })
        });
        let lines: Vec<_> = {
            let lines = self.0.lines();
            lines
                .values()
                .map(|entry| (entry.who.technique, entry.delivered(), entry.tap.upgrade()))
                .collect()
        };
        for (technique, delivered, tap) in lines {
            let tally = &mut tallies[technique as usize].1;
            tally.delivered += delivered;
            let Some(tap) = tap else { continue };
            tally.connections += 1;
            tally.delivered += tap.messages();
            tally.queue += tap.queue();
            if let Some(lag) = tap.stalled_for() {
                tally.stalled += 1;
                tally.lag = tally.lag.max(lag);
            }
        }
        tallies
    }

    /// Claims the exchange at hand on `tap` and puts it into its weather. What
    /// is delivered in it is to be counted on what this gives.
    pub(crate) fn claim(&self, tap: &Arc<Tap>, who: Who) -> Arc<AtomicU64> {
        let delivered = Arc::new(AtomicU64::new(0));
        let number = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        tap.claim(Claim { climate: Arc::downgrade(&self.0), number, technique: who.technique });
        let orders = self.0.orders();
        let mut lines = self.0.lines();
        let weather = weather_of(&orders, &who);
        let waited_for = self.0.is_waited_for.load(Ordering::Relaxed).then(|| who.clone());
        let entry =
            Entry { who, since: Instant::now(), tap: Arc::downgrade(tap), delivered: Arc::clone(&delivered) };
        lines.insert(number, entry);
        // Under the lock, as every change: the newest order is the last to be heard of.
        tap.set_weather(weather);
        drop((lines, orders));
        if let Some(who) = waited_for
            && let Some(waiting) = self.0.waiting().clone()
        {
            waiting(&who, tap);
        }
        delivered
    }

    /// Lets `waiting` hear of each exchange from now on, instead of whoever did.
    pub(crate) fn await_exchanges(&self, waiting: Option<Waiting>) {
        self.0.is_waited_for.store(waiting.is_some(), Ordering::Relaxed);
        *self.0.waiting() = waiting;
    }

    /// What is ordered over the exchanges of `who`, beside what their page has ordered for itself.
    pub(crate) fn over(&self, who: &Who) -> Weather {
        ordered(&self.0.orders(), who, Weather::CLEAR)
    }

    /// A visitor's page has ordered other weather for itself.
    pub(crate) fn has_turned(&self, visitor: &Visitor, page: u32) {
        let orders = self.0.orders();
        // The page's transcript has been told by whoever ordered it.
        drop(self.0.blow(&orders, |who| who.is_page(visitor, Some(page))));
    }
}

/// Whose transcript is to tell what.
type Told = Vec<(Arc<Visitor>, u32, Vec<(Place, What)>)>;

impl Shared {
    /// Puts those who are meant into their weather. Gives what their pages' transcripts are to tell.
    fn blow(&self, orders: &BTreeMap<Scope, Weather>, is_meant: impl Fn(&Who) -> bool) -> Told {
        let mut told: Told = Vec::new();
        let mut taps = Vec::new();
        let lines = self.lines();
        for entry in lines.values().filter(|entry| is_meant(&entry.who)) {
            let Some(tap) = entry.tap.upgrade() else { continue };
            let (before, after) = (tap.weather(), weather_of(orders, &entry.who));
            tap.set_weather(after);
            // A tap must not go while the lines are locked: it would take its claim along.
            taps.push(tap);
            if let Some((visitor, page)) = &entry.who.page
                && before != after
                && !told.iter().any(|(known, number, _)| Arc::ptr_eq(known, visitor) && number == page)
            {
                told.push((Arc::clone(visitor), *page, before.turns_into(&after)));
            }
        }
        drop(lines);
        told
    }

    fn orders(&self) -> MutexGuard<'_, BTreeMap<Scope, Weather>> {
        self.orders.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn tell(told: Told) {
    for (visitor, page, what) in told {
        visitor.narrate(page, what);
    }
}

fn weather_of(orders: &BTreeMap<Scope, Weather>, who: &Who) -> Weather {
    let own = who.page.as_ref().map_or(Weather::CLEAR, |(visitor, page)| visitor.weather(*page));
    ordered(orders, who, own)
}

/// What is ordered for `who`, on top of `own`.
fn ordered(orders: &BTreeMap<Scope, Weather>, who: &Who, own: Weather) -> Weather {
    let meant = orders.iter().filter(|(scope, _)| who.is_in(**scope)).map(|(_, weather)| *weather);
    meant.fold(own, Weather::and)
}

impl Entry {
    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

/// Stands for an exchange among those that go on; dropped, it is over.
pub(crate) struct Claim {
    climate: Weak<Shared>,
    number: u64,
    technique: Technique,
}

impl Claim {
    pub(crate) fn technique(&self) -> Technique {
        self.technique
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(climate) = self.climate.upgrade() else { return };
        let entry = climate.lines().remove(&self.number);
        let Some(entry) = entry else { return };
        let tap = entry.tap.upgrade();
        let delivered = entry.delivered() + tap.map_or(0, |tap| tap.messages());
        climate.delivered[self.technique as usize].fetch_add(delivered, Ordering::Relaxed);
        tracing::debug!(
            number = self.number,
            technique = self.technique.mark(),
            lab = entry.who.lab,
            peer = entry.who.peer.map(tracing::field::display),
            delivered,
            ms = milliseconds(entry.since.elapsed()),
            "an exchange is over"
        );
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(lab: u8, technique: Technique) -> Who {
        Who { lab: Some(lab), technique, page: None, peer: None }
    }

    fn late(ms: u32) -> Weather {
        Weather { latency: ms, ..Weather::CLEAR }
    }

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["all", "lab3", "sse", "ws", "visitor12"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for odd in ["", "lab", "lab999", "visitor-1", "SSE", "everybody"] {
            let said = odd.parse::<Scope>().unwrap_err().to_string();
            assert!(said.starts_with("Weather is for `all`"), "{said}");
        }
    }

    #[test]
    fn each_exchange_meets_what_was_ordered_for_it_now_and_later() {
        let climate = Climate::default();
        climate.order(Scope::Technique(Technique::Sse), late(100)).unwrap();
        let (prices, floor) = (Arc::new(Tap::default()), Arc::new(Tap::default()));
        climate.claim(&prices, who(3, Technique::Sse));
        climate.claim(&floor, who(5, Technique::Ws));
        assert_eq!((prices.weather(), floor.weather()), (late(100), Weather::CLEAR));

        climate.order(Scope::Lab(3), Weather { hold: true, ..Weather::CLEAR }).unwrap();
        climate.order(Scope::All, late(20)).unwrap();
        assert_eq!(prices.weather(), Weather { hold: true, ..late(100) });
        assert_eq!(floor.weather(), late(20));

        climate.order(Scope::Lab(3), Weather::CLEAR).unwrap();
        assert_eq!(prices.weather(), late(100));
        climate.clear();
        assert_eq!((prices.weather(), floor.weather()), (Weather::CLEAR, Weather::CLEAR));
        assert!(climate.orders().is_empty());
    }

    #[test]
    fn an_exchange_that_is_over_meets_no_weather_and_is_not_cut() {
        let climate = Climate::default();
        climate.order(Scope::All, late(100)).unwrap();
        let tap = Arc::new(Tap::default());
        climate.claim(&tap, who(1, Technique::Fetch)).store(3, Ordering::Relaxed);
        assert_eq!(climate.connected(10).len(), 1);
        // Its connection carries another one.
        climate.claim(&tap, who(2, Technique::Poll));
        assert_eq!(climate.connected(10)[0].lab, Some(2));
        assert_eq!(climate.cut(Scope::Lab(1)), 0);
        assert_eq!(climate.tallies()[0].1, Tally { delivered: 3, ..Tally::default() });
        assert_eq!(climate.tallies()[1].1.connections, 1);
        drop(tap);
        assert!(climate.connected(10).is_empty(), "the connection is gone");
    }

    #[test]
    fn orders_are_bounded() {
        let climate = Climate::default();
        for number in 0..ORDERS as u64 {
            climate.order(Scope::Visitor(number), late(1)).unwrap();
        }
        assert!(climate.order(Scope::All, late(1)).is_err());
        climate.order(Scope::Visitor(1), late(2)).expect("one that is there can be changed");
        climate.order(Scope::Visitor(1), Weather::CLEAR).unwrap();
        climate.order(Scope::All, late(1)).expect("there is room again");
    }
}
