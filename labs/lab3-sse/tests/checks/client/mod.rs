//! TODO 5 to 7: the client, in a page of its own, before a server that does what the check says.

mod giving_up;
mod market;
mod todo_5;
mod todo_6;
mod todo_7;
mod todo_7_sweeps;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use grader::{
    Asked, Bench, Failure, Page, Script, Stream,
    awkward::{HEADS, TEXTS, chunks},
    invariant,
    wire::{Moment, What, transcript::Data},
};

pub(crate) use {todo_5::TODO_5, todo_6::TODO_6, todo_7::TODO_7};

const FILE: &str = "web/client.js";
/// Data of events that the client must not show.
const NO_PRICE: &str = r#"{"symbol":"NONE","price":0}"#;
/// What the contract calls *at once*.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The stream's address as the client is given it, and as the server sees it. The first is the plain one.
const ADDRESSES: [(&str, &str); 4] = [
    ("/prices/stream", "/prices/stream"),
    ("prices/stream", "/prices/stream"),
    ("/markets/z%C3%BCrich/ticker", "/markets/z%C3%BCrich/ticker"),
    ("http://lab.test/t", "/t"),
];

/// What is to be streamed to the client: where, and which prices. Clones are handles to the same one.
#[derive(Clone)]
struct Ticker(Rc<Inner>);

struct Inner {
    bench: Bench,
    url: &'static str,
    path: &'static str,
    /// The ID of the last price, and of the last that the client must have seen.
    last: Cell<u64>,
    seen: Cell<Option<u64>>,
    /// The data of the prices that were sent, in order.
    sent: RefCell<Vec<String>>,
}

impl Ticker {
    fn new(bench: &Bench) -> Self {
        let (url, path) = bench.pick(&ADDRESSES);
        // Seed by seed: once the IDs grow by a digit, once they are large.
        let heads = [7, HEADS[HEADS.len() - 1]];
        let last = Cell::new(if bench.is_plain() { 0 } else { heads[bench.seed() as usize % 2] });
        Self(Rc::new(Inner {
            bench: bench.clone(),
            url,
            path,
            last,
            seen: Cell::default(),
            sent: RefCell::default(),
        }))
    }

    /// Opens the client on it, as the lab's page does. `globalThis.fault` makes `show` throw.
    fn watch(&self) -> Result<Page, Failure> {
        let page = self.0.bench.page(&["watchPrices"])?;
        page.eval(&format!(
            "globalThis.stop = new AbortController();
            client.watchPrices({{
                url: '{}',
                show: (price) => {{
                    if (globalThis.fault) throw new Error('the page cannot show this price');
                    say('show', price);
                }},
                status: (status) => say('status', status),
                signal: stop.signal,
            }});",
            self.0.url
        ))?;
        Ok(page)
    }

    fn bench(&self) -> Bench {
        self.0.bench.clone()
    }

    /// The ID of the last price that the client must have shown.
    fn seen(&self) -> Option<u64> {
        self.0.seen.get()
    }

    /// The address that a stream from the client's position has.
    fn address(&self) -> String {
        self.0.seen.get().map_or_else(|| self.0.path.to_owned(), |id| format!("{}?after={id}", self.0.path))
    }

    /// The next price, as an event that its ID goes with.
    fn next(&self) -> (u64, String) {
        let bench = &self.0.bench;
        let is_first = self.0.sent.borrow().is_empty();
        let step = if bench.is_plain() || is_first { 1 } else { 1 + bench.draw(9) };
        self.0.last.set(self.0.last.get() + step);
        let again = !bench.is_plain() && bench.draw(4) == 0;
        let last = self.0.sent.borrow().last().cloned().filter(|_| again);
        let price = last.unwrap_or_else(|| {
            let symbol = if bench.is_plain() {
                ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize]
            } else {
                TEXTS[bench.draw(TEXTS.len() as u64) as usize]
            };
            self.quote(symbol)
        });
        (self.0.last.get(), price)
    }

    /// The price of something, as JSON.
    fn quote(&self, symbol: &str) -> String {
        let bench = &self.0.bench;
        let price = 5_000 + 25 * bench.draw(100);
        let price = if bench.is_plain() { price } else { bench.pick(&[price, 0]) };
        format!(r#"{{"symbol":{},"price":{price}}}"#, serde_json::Value::from(symbol))
    }

    /// These prices were sent: the client must show them, and has seen them from then on.
    fn shows(&self, prices: impl IntoIterator<Item = (u64, String)>) {
        for (id, data) in prices {
            self.0.sent.borrow_mut().push(data);
            self.0.seen.set(Some(id));
        }
    }

    /// Sends the next price. The client must show it, and has seen it from then on.
    fn price(&self, stream: &mut Stream) {
        let (id, data) = self.next();
        self.send(stream, &event(id, &data));
        self.shows([(id, data)]);
    }

    /// Sends bytes, in chunks that are drawn.
    fn send(&self, stream: &mut Stream, text: &str) {
        for chunk in chunks(&self.0.bench, text.to_owned()) {
            stream.send(chunk);
        }
    }

    /// The client's first request, at once, answered with a stream.
    async fn opened(&self, server: &mut Script) -> Result<Stream, Failure> {
        let asked = server.request_within(
            AT_ONCE,
            "The client asked for nothing: `watchPrices` opens an `EventSource` as soon as it is called.",
        );
        let asked = asked.await.map_err(|failure| failure.or_of("5.one"))?;
        self.expect_stream(&asked, "5.one")?;
        if self.0.bench.said("status").contains(&Data::Text("live".to_owned())) {
            return Err(Failure::of(
                "5.live",
                "The request is still in transit, and the page says `live` already: a stream is open when `open` fires.",
            ));
        }
        Ok(asked.stream())
    }

    /// The first stream, with two prices on it that were shown.
    async fn opened_with_two_prices(&self, server: &mut Script) -> Result<Stream, Failure> {
        let mut stream = self.opened(server).await?;
        for _ in 0..2 {
            self.0.bench.wait_ms(100).await;
            self.price(&mut stream);
        }
        self.0.bench.wait_ms(100).await;
        self.expect_shown()?;
        Ok(stream)
    }

    /// One more price on a stream that is open again: it is shown, and the page says 'live'.
    async fn goes_on(&self, stream: &mut Stream) -> Result<(), Failure> {
        self.price(stream);
        self.0.bench.wait_ms(100).await;
        self.expect_shown()
    }

    /// The client opens a stream from its position, at once.
    async fn opens_again(
        &self,
        server: &mut Script,
        clause: &'static str,
        because: &str,
    ) -> Result<Stream, Failure> {
        let bench = &self.0.bench;
        let since = bench.told_at(bench.now());
        let missing =
            format!("{because}; the client should open a stream at once, and it asked for nothing.");
        let asked = server.request_within(AT_ONCE, &missing).await;
        let asked = asked.map_err(|failure| failure.or_of(clause))?;
        bench.tell_at(since, is_request);
        self.expect_stream(&asked, clause)?;
        Ok(asked.stream())
    }

    /// The request is an `EventSource`'s, from the client's position.
    fn expect_stream(&self, asked: &Asked, clause: &'static str) -> Result<(), Failure> {
        if !is_event_source(asked) {
            return Err(Failure::of(
                clause,
                format!(
                    "Here an `EventSource` should open a stream; {} {} is the request of something else.",
                    asked.method, asked.target
                ),
            ));
        }
        let address = self.address();
        if asked.target == address {
            return Ok(());
        }
        let (clause, why) = match (asked.query("after"), self.0.seen.get()) {
            (None, Some(id)) => (
                "5.position",
                format!(
                    "it has shown the price with the ID {id}, so its position is {id}, and `address()` puts it into `?after=`. Without a position the server starts over, or leaves out what was missed. The position is `event.lastEventId`, kept when a price is shown"
                ),
            ),
            (Some(after), Some(id)) if after == "undefined" || after == "null" => (
                "5.position",
                format!(
                    "`{after}` is no position: an `EventSource` has no `lastEventId`, the event has. The last price that was shown had the ID {id}"
                ),
            ),
            (Some(after), Some(id)) if after != id.to_string() => (
                "5.position",
                format!(
                    "the last price that was shown had the ID {id}, and not {after}: the position is the event's ID, whatever the numbers before it were"
                ),
            ),
            (Some(_), None) => ("5.position", "no price was shown yet, so there is no position".to_owned()),
            _ => (clause, format!("the address that it was given is `{}`", self.0.url)),
        };
        Err(Failure::of(
            clause,
            format!("The client asks for {} and should ask for {address}: {why}.", asked.target),
        ))
    }

    /// The page shows every price that was sent, once and in order.
    fn expect_shown(&self) -> Result<(), Failure> {
        let shown = self.0.bench.said("show");
        let sent = self.0.sent.borrow();
        let expected: Vec<Data> = sent.iter().map(|price| Data::of_text(price)).collect();
        if shown == expected {
            return Ok(());
        }
        let right = expected.iter().zip(&shown).take_while(|(is, should)| is == should).count();
        let next = expected.get(right);
        let is_said_again = right > 0 && expected.get(right - 1) == next;
        let words = match shown.iter().find(|shown| matches!(shown, Data::Text(_))) {
            _ if shown.contains(&Data::of_text(NO_PRICE)) => {
                return Err(Failure::of(
                    "5.only-prices",
                    "An event that is no price was shown: `onmessage` hears events without a type, and those of type `price` go to `addEventListener('price', …)`.",
                ));
            }
            Some(text) => format!(
                "`show` was called with the text {}: it takes the price itself, `JSON.parse(event.data)`.",
                invariant::bare(text)
            ),
            None if expected.starts_with(&shown) || is_said_again => {
                let price = next.map(invariant::bare).unwrap_or_default();
                if is_said_again {
                    format!(
                        "{price} was sent twice, and `show` was called with it once: two events that say the same are two prices."
                    )
                } else {
                    format!(
                        "The event of type `price` with {price} was sent, and `show` was not called for it. An event that has a type reaches `addEventListener('price', …)`, and not `onmessage`."
                    )
                }
            }
            None => return invariant::shown(&self.0.bench, "show", &expected, false, "5.shows"),
        };
        Err(Failure::of("5.shows", words))
    }

    /// What the page was told last is this status; 'connecting' may be said at any time.
    fn expect_status(&self, status: &str, clause: &'static str, because: &str) -> Result<(), Failure> {
        let said = self.0.bench.said("status");
        let said = said.iter().rev().find(|word| **word != Data::Text("connecting".to_owned()));
        let words = match said {
            Some(Data::Text(now)) if now == status => return Ok(()),
            Some(Data::Text(now)) => {
                format!("{because}; the page still says `{now}` instead of `{status}`.")
            }
            Some(_) => format!("`status` takes a word; call it with '{status}'."),
            None => format!("{because}, and nobody called `status('{status}')`."),
        };
        Err(Failure::of(clause, words))
    }
}

/// The client asks for nothing in this time.
async fn quiet(
    server: &mut Script,
    seconds: u64,
    clause: &'static str,
    otherwise: &str,
) -> Result<(), Failure> {
    match server.request_within(Duration::from_secs(seconds), "").await {
        Ok(asked) => {
            Err(Failure::of(clause, format!("{otherwise}: it asked for {} {}.", asked.method, asked.target)))
        }
        Err(_) => Ok(()),
    }
}

/// The event of a price.
fn event(id: u64, data: &str) -> String {
    format!("event: price\nid: {id}\ndata: {data}\n\n")
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// Whether the request is an `EventSource`'s. A `fetch` may carry the same `Accept`; an `EventSource` has
/// `Cache-Control: no-cache`, too, and a `fetch` that is not to be cached adds `Pragma`.
fn is_event_source(asked: &Asked) -> bool {
    asked.method == "GET"
        && asked.header("accept").is_some_and(|accept| accept.starts_with("text/event-stream"))
        && asked.header("cache-control") == Some("no-cache")
        && asked.header("pragma").is_none()
}
