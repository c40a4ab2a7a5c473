//! A server that serves by itself: what the sweeps disturb, and what must hold whatever happens.

use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    rc::Rc,
};

use grader::{
    Asked, Bench, Failure, Stream,
    wire::{Moment, What, transcript::Data},
};

use super::{Ticker, event, giving_up, is_event_source};

/// A market with a log. Clones are handles to the same one.
#[derive(Clone)]
pub(super) struct Market(Rc<Inner>);

struct Inner {
    ticker: Ticker,
    log: RefCell<Vec<(u64, String)>>,
    streams: RefCell<Vec<Stream>>,
    /// The bodies of questions that were asked with GET.
    questions: RefCell<Vec<Stream>>,
    /// While it is there, every request is answered so.
    refuses: Cell<Option<u16>>,
}

impl Deref for Market {
    type Target = Ticker;

    fn deref(&self) -> &Ticker {
        &self.0.ticker
    }
}

impl Market {
    pub(super) fn open(bench: &Bench) -> Self {
        bench.show_request_headers(&["accept", "cache-control", "pragma"]);
        let market = Self(Rc::new(Inner {
            ticker: Ticker::new(bench),
            log: RefCell::default(),
            streams: RefCell::default(),
            questions: RefCell::default(),
            refuses: Cell::default(),
        }));
        let serving = market.clone();
        bench.script().answer_all(move |asked| {
            serving.answer(asked);
            std::future::ready(())
        });
        market
    }

    fn answer(&self, asked: Asked) {
        if let Some(status) = self.0.refuses.get() {
            asked.status(status);
        } else if is_event_source(&asked) {
            let last = asked.header("last-event-id").map(str::to_owned).or_else(|| asked.query("after"));
            let position = last.and_then(|id| id.parse().ok()).unwrap_or(0);
            let mut stream = asked.stream();
            for (id, data) in self.0.log.borrow().iter().filter(|(id, _)| *id > position) {
                stream.send(event(*id, data));
            }
            self.0.streams.borrow_mut().push(stream);
        } else {
            self.0.questions.borrow_mut().extend(giving_up::reply(asked, 200));
        }
    }

    /// Publishes so many prices, in one go.
    pub(super) fn publish(&self, count: usize) {
        let prices: Vec<_> = (0..count).map(|_| self.next()).collect();
        let text: String = prices.iter().map(|(id, data)| event(*id, data)).collect();
        self.0.log.borrow_mut().extend(prices);
        self.0.streams.borrow_mut().iter_mut().for_each(|stream| stream.send(text.clone()));
    }

    /// Ends all streams, as a server does that is restarted.
    pub(super) fn end_streams(&self) {
        self.0.streams.take().into_iter().for_each(Stream::end);
    }

    /// From here on every request is answered with this status, or as usual.
    pub(super) fn refuse(&self, status: Option<u16>) {
        self.0.refuses.set(status);
    }

    /// Whether a stream is open at the client.
    pub(super) fn is_watched(&self) -> bool {
        self.0.streams.borrow().iter().chain(self.0.questions.borrow().iter()).any(Stream::is_read)
    }

    /// After an abort no request waits for its answer: the one that had none yet is ended, too.
    pub(super) fn expect_ended(&self, clause: &'static str) -> Result<(), Failure> {
        let bench = self.bench();
        if bench.disturbance().is_none() {
            return Ok(());
        }
        let after = bench.since_disturbed();
        let before: Vec<_> = bench.recording().into_iter().map(|(_, moment)| moment).collect();
        let before = &before[..before.len() - after.len()];
        let is_over = |what: &What| {
            matches!(what, What::Response { .. } | What::Abort | What::Cut | What::Refused | What::End)
        };
        for moment in before {
            let What::Request { method, target, .. } = &moment.what else { continue };
            let mine = |other: &&Moment| other.exchange == moment.exchange;
            let waited = !before.iter().filter(mine).any(|other| is_over(&other.what));
            if waited && !after.iter().filter(mine).any(|other| matches!(other.what, What::Abort | What::Cut))
            {
                return Err(Failure::of(
                    clause,
                    format!(
                        "The signal was aborted while {method} {target} was waiting for its answer, and the request went on. `fetch` ends it if it is given the signal."
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The page has shown everything that was published, each price once and in order. After an abort the end may lack.
    pub(super) fn expect_all(&self, may_lack: bool, clause: &'static str) -> Result<(), Failure> {
        let log = self.0.log.borrow();
        let expected: Vec<Data> = log.iter().map(|(_, data)| Data::of_text(data)).collect();
        grader::invariant::shown(&self.bench(), "show", &expected, may_lack, clause)
    }

    /// There never were two streams of an `EventSource` at once.
    pub(super) fn expect_never_two(&self, clause: &'static str) -> Result<(), Failure> {
        let mut open: Option<(u32, String)> = None;
        for (at, moment) in self.bench().recording() {
            let Some(exchange) = moment.exchange else { continue };
            let ends = match &moment.what {
                What::End | What::Abort | What::Cut | What::Body(_) => true,
                What::Response { status, .. } => *status != 200,
                _ => false,
            };
            if ends {
                // A client that closes one and opens the next does both in one millisecond.
                open = open.filter(|(other, _)| *other != exchange);
            } else if let Some(address) = stream_address(&moment) {
                if let Some((other, first)) = open {
                    let closes_now = self.bench().recording().iter().any(|(when, later)| {
                        *when <= at
                            && later.exchange == Some(other)
                            && matches!(later.what, What::Abort | What::Cut | What::End)
                    });
                    if !closes_now {
                        return Err(Failure::of(
                            clause,
                            format!(
                                "#{exchange} GET {address} was sent while #{other} GET {first} was still open: these are two streams at once, and each price comes twice."
                            ),
                        ));
                    }
                }
                open = Some((exchange, address));
            }
        }
        Ok(())
    }
}

/// The address that an `EventSource` asked for.
fn stream_address(moment: &Moment) -> Option<String> {
    let What::Request { method, target, headers, .. } = &moment.what else { return None };
    let header =
        |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let is_stream = method == "GET"
        && header("accept").is_some_and(|accept| accept.starts_with("text/event-stream"))
        && header("cache-control") == Some("no-cache")
        && header("pragma").is_none();
    is_stream.then(|| target.clone())
}
