//! One race: a market, the five servers that tell of it, and what was counted.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use feed::{Feed, Market};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::settings::Settings;
use crate::{
    climate::{Climate, Technique},
    line::{Meter, Passed, Tap},
    visitor::Visitor,
    weather::Weather,
};

/// How many updates a race's log keeps.
const KEPT: usize = 256;
/// How long a race goes on at most.
pub(super) const LASTS: Duration = Duration::from_secs(60 * 60);
/// How long it goes on after its page has last asked for its numbers.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// The one share of a race.
const SHARE: &str = "BMRI";

/// One race. It bears the number of the visitor's page that it is run in.
pub(super) struct Run {
    pub(super) visitor: Arc<Visitor>,
    pub(super) page: u32,
    feed: Feed,
    began: Instant,
    /// When its page last asked for its numbers.
    asked: Mutex<Instant>,
    settings: watch::Sender<Settings>,
    over: watch::Sender<bool>,
    lanes: [Lane; 6],
    /// What the page itself asks.
    pub(super) own: Counted,
    /// How often the line was cut: the last cut says when it is there again.
    cuts: AtomicU64,
}

/// One of the servers.
pub(super) struct Lane {
    name: &'static str,
    pub(super) lab: u8,
    pub(super) technique: Technique,
    pub(super) app: Router,
    pub(super) counted: Counted,
}

/// What was asked, and by which connections.
#[derive(Default)]
pub(super) struct Counted {
    meter: Arc<Meter>,
    lines: Mutex<HashSet<SocketAddr>>,
}

impl Counted {
    /// Counts the exchange at hand, which came from there.
    pub(super) fn takes(&self, line: &Tap, peer: SocketAddr) {
        line.count_on(&self.meter);
        // As many as there are ports, where somebody tries hard.
        lock(&self.lines).insert(peer);
    }

    fn count(&self) -> Count {
        let Passed { to_server, to_client } = self.meter.passed();
        let connections = lock(&self.lines).len();
        Count { requests: self.meter.exchanges(), connections, to_server, to_client }
    }
}

/// What was counted of one technique.
#[derive(Serialize)]
struct Count {
    requests: u64,
    /// Different connections that they came by.
    connections: usize,
    /// Bytes from the browser.
    to_server: u64,
    /// Bytes to the browser.
    to_client: u64,
}

/// Everything that the page is told.
#[derive(Serialize)]
pub(super) struct Numbers {
    /// The stage's clock when this was said: milliseconds since the race began.
    now: f64,
    /// The number of the newest update.
    head: u64,
    #[serde(flatten)]
    settings: Settings,
    fetch: Count,
    poll: Count,
    sse: Count,
    stream: Count,
    ws: Count,
    /// Those who only held a connection.
    more: Count,
    /// What the page itself asked.
    own: Count,
}

impl Run {
    pub(super) fn new(visitor: Arc<Visitor>, settings: Settings) -> Self {
        let page = visitor.open(None).page;
        let feed = Feed::named(&page.to_string(), KEPT);
        let lane = |name, lab, technique, app: fn(Feed) -> Router| Lane {
            name,
            lab,
            technique,
            app: app(feed.clone()),
            counted: Counted::default(),
        };
        let lanes = [
            lane("fetch", 1, Technique::Fetch, lab1_solution::app),
            lane("poll", 2, Technique::Poll, lab2_solution::app),
            lane("sse", 3, Technique::Sse, lab3_solution::app),
            lane("stream", 4, Technique::Stream, lab4_solution::app),
            lane("ws", 5, Technique::Ws, lab5_solution::app),
            lane("more", 3, Technique::Sse, lab3_solution::app),
        ];
        let now = Instant::now();
        Self {
            visitor,
            page,
            feed,
            began: now,
            asked: Mutex::new(now),
            settings: watch::Sender::new(settings),
            over: watch::Sender::new(false),
            lanes,
            own: Counted::default(),
            cuts: AtomicU64::new(0),
        }
    }

    pub(super) fn lane(&self, name: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.name == name)
    }

    /// Milliseconds since the race began.
    pub(super) fn now(&self) -> f64 {
        // To the microsecond: more is noise, and a long number in each update.
        (self.began.elapsed().as_secs_f64() * 1e6).round() / 1e3
    }

    /// The number of the newest update.
    pub(super) fn head(&self) -> u64 {
        self.feed.head()
    }

    pub(super) fn settings(&self) -> Settings {
        *self.settings.borrow()
    }

    pub(super) fn set(&self, settings: Settings) {
        self.settings.send_replace(settings);
    }

    /// Somebody looks.
    pub(super) fn is_asked_for(&self) {
        *lock(&self.asked) = Instant::now();
    }

    pub(super) fn numbers(&self) -> Numbers {
        let [fetch, poll, sse, stream, ws, more] = self.lanes.each_ref().map(|lane| lane.counted.count());
        let (own, settings, head) = (self.own.count(), self.settings(), self.head());
        Numbers { now: self.now(), head, settings, fetch, poll, sse, stream, ws, more, own }
    }

    /// Cuts every line, and refuses new ones for so many seconds. Gives how many were cut.
    pub(super) fn cut(self: &Arc<Self>, climate: &Climate, seconds: u64) -> usize {
        let cut = self.cuts.fetch_add(1, Ordering::SeqCst) + 1;
        self.refuse(climate, seconds > 0);
        let lines = climate.cut_where(|who| who.is_page(&self.visitor, Some(self.page)));
        if seconds > 0 {
            let (run, climate) = (Arc::clone(self), climate.clone());
            tokio::spawn(async move {
                sleep(Duration::from_secs(seconds)).await;
                if run.cuts.load(Ordering::SeqCst) == cut {
                    run.refuse(&climate, false);
                }
            });
        }
        lines
    }

    fn refuse(&self, climate: &Climate, refuse: bool) {
        let now = self.visitor.weather(self.page);
        self.visitor.order(self.page, Weather { refuse, ..now });
        climate.has_turned(&self.visitor, self.page);
    }

    /// Moves the share's price at its pace, until the race is over or nobody looks any more. Each move falls anywhere
    /// within its own span of time, as on the map of chapter 0: a question that comes at a beat meets no beat.
    pub(super) async fn trade(&self) {
        let mut settings = self.settings.subscribe();
        let mut over = self.over.subscribe();
        let mut market = Market::new(u64::from(self.page));
        // When the span of the next move begins, and how far into it the move falls, as a part of it.
        let (mut span, mut part) = (self.began, chance());
        while !*over.borrow_and_update() {
            let Settings { pace, payload, paused } = *settings.borrow_and_update();
            let pace = Duration::from_secs(1) / pace;
            let due = span + pace.mul_f64(part);
            let patient_until = *lock(&self.asked) + PATIENCE;
            let moves = tokio::select! {
                // Errors would mean that the race is gone, which holds the senders.
                _ = over.changed() => false,
                _ = settings.changed() => false,
                () = sleep_until(patient_until.min(self.began + LASTS)) => {
                    if self.is_left() {
                        return;
                    }
                    false
                }
                () = sleep_until(due), if !paused => true,
            };
            if moves {
                // What a pause or a busy machine has held up is not made up for.
                span = if due.elapsed() < pace { span + pace } else { Instant::now() };
                part = chance();
                self.publish(&mut market, payload).await;
            }
        }
    }

    async fn publish(&self, market: &mut Market, payload: usize) {
        let mut price = std::iter::repeat_with(|| market.tick())
            .find(|price| price["symbol"] == SHARE)
            .expect("the share is on the market's list, so its turn comes");
        price["number"] = Value::from(self.head() + 1);
        if payload > 0 {
            price["more"] = Value::from("x".repeat(payload));
        }
        price["at"] = Value::from(self.now());
        self.feed.publish(price).await;
    }

    /// Whether its page is gone, or has had its time.
    fn is_left(&self) -> bool {
        lock(&self.asked).elapsed() >= PATIENCE || self.began.elapsed() >= LASTS
    }

    /// Ends the market, and every line of the race.
    pub(super) fn finish(&self, climate: &Climate) {
        self.over.send_replace(true);
        self.feed.close();
        climate.cut_where(|who| who.is_page(&self.visitor, Some(self.page)));
    }
}

/// Anything from 0 to 1. A system without random numbers has a market that keeps time.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |drawn| f64::from(drawn) / f64::from(u32::MAX))
}

#[cfg(test)]
impl Run {
    /// What its log holds.
    pub(super) async fn updates(&self) -> Vec<feed::Update> {
        self.feed.after(0).await.expect("the log has not dropped anything yet")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
