//! What the page's scripts can ask of the world outside JavaScript: clock,
//! timers, network, console, the tape; and what the world keeps about the page.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::http::{HeaderName, HeaderValue, Method};
use ::url::{Url, form_urlencoded};
use bytes::Bytes;
use rquickjs::{
    ArrayBuffer, Ctx, Exception, Function, Object, TypedArray, context::EvalOptions, convert::List,
};
use tokio::{
    sync::{Notify, Semaphore, mpsc::UnboundedSender},
    time::Instant,
};
use wire::transcript::Data;

use super::{
    Arrival, ORIGIN, Opening,
    error::{PageError, Place, Storm},
    http::{self, Outgoing, Reading, Redirect},
    loader::{self, Missing, Sources},
    socket::{self, Command, Socket},
    url,
};
use crate::{net::Lane, tape::Tape};

/// More requests than this within one virtual second are a storm.
const REQUESTS_A_SECOND: usize = 40;
/// What a call into the page costs, in jumps and calls of JavaScript …
const CALL: u64 = 100;
/// … and how many bytes that go with it cost as much as one of them.
const BYTES: usize = 16;

thread_local! {
    static IS_TRIAL: Cell<bool> = const { Cell::new(false) };
}

/// From here on this thread's pages are tried themselves, by scripts that do what no client should: many requests and
/// tasks at a time, exceptions that nobody catches, everything that is not available. Nothing of it is a failure.
///
/// The thread's stack must have 12 MiB.
#[cfg(not(target_family = "wasm"))]
pub fn begin_trial() {
    IS_TRIAL.set(true);
    super::allow_deep_stack();
}

/// From how many uses of an aborted signal at one instant on they are a loop's.
pub(super) const LOOP: u32 = 100;

/// The world of one page.
pub(super) struct Host {
    pub(super) lane: Lane,
    pub(super) tape: Tape,
    pub(super) sources: Sources,
    pub(super) missing: Missing,
    seed: u64,
    opened: Instant,
    arrivals: UnboundedSender<Arrival>,
    connections: Arc<Semaphore>,
    requests: RefCell<HashMap<u32, http::InFlight>>,
    sockets: RefCell<HashMap<u32, Socket>>,
    /// When the latest requests were made, oldest first.
    recent: RefCell<VecDeque<Instant>>,
    pub(super) timers: RefCell<Timers>,
    /// Tells the event loop that its next timer may be another one.
    pub(super) rearmed: Notify,
    pub(super) console: RefCell<Vec<String>>,
    failure: RefCell<Option<PageError>>,
    failing: Notify,
    alive: Cell<bool>,
    /// Whether the page itself is tried, and no client: see [`begin_trial`].
    pub(super) is_trial: bool,
    /// What is left of the current task's fuel, in jumps and calls.
    pub(super) fuel: Cell<u64>,
    /// Set while the engine looks for the place of a storm of microtasks: how
    /// often it has looked so far.
    pub(super) looking: Cell<Option<u32>>,
    /// When something was last done with an aborted signal, and how often at that instant.
    aborted: Cell<Option<(Instant, u32)>>,
    /// Set while very many tasks run at one instant: from then on it is noted where they come from.
    pub(super) is_crowded: Cell<bool>,
    /// Where the last of them came from.
    pub(super) crowd: RefCell<Place>,
    /// The place, once it is found.
    pub(super) found: RefCell<Option<Place>>,
}

/// The timers of a page, in the order in which they fire.
#[derive(Default)]
pub(super) struct Timers {
    order: BTreeMap<(Instant, u64), u32>,
    by_id: HashMap<u32, (Instant, u64)>,
    armed: u64,
}

impl Timers {
    fn arm(&mut self, id: u32, at: Instant) {
        self.disarm(id);
        self.armed += 1;
        self.order.insert((at, self.armed), id);
        self.by_id.insert(id, (at, self.armed));
    }

    fn disarm(&mut self, id: u32) {
        if let Some(key) = self.by_id.remove(&id) {
            self.order.remove(&key);
        }
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next one, if it is due.
    pub(super) fn take_due(&mut self) -> Option<u32> {
        let due = self.next().is_some_and(|at| at <= Instant::now());
        let (_, id) = due.then(|| self.order.pop_first())??;
        self.by_id.remove(&id);
        Some(id)
    }
}

impl Host {
    pub(super) fn new(options: &Opening<'_>, arrivals: UnboundedSender<Arrival>) -> Rc<Host> {
        Rc::new(Host {
            lane: options.lane.clone(),
            tape: options.tape.clone(),
            sources: options.sources.clone(),
            missing: Missing::default(),
            seed: options.seed,
            opened: Instant::now(),
            arrivals,
            connections: Arc::new(Semaphore::new(http::CONNECTIONS)),
            requests: RefCell::default(),
            sockets: RefCell::default(),
            recent: RefCell::default(),
            timers: RefCell::default(),
            rearmed: Notify::new(),
            console: RefCell::default(),
            failure: RefCell::default(),
            failing: Notify::new(),
            alive: Cell::new(true),
            is_trial: IS_TRIAL.get(),
            fuel: Cell::new(0),
            looking: Cell::new(None),
            aborted: Cell::new(None),
            is_crowded: Cell::new(false),
            crowd: RefCell::default(),
            found: RefCell::default(),
        })
    }

    /// Whether the page still runs JavaScript.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.get()
    }

    /// What went wrong first.
    pub(super) fn failure(&self) -> Option<PageError> {
        self.failure.borrow().clone()
    }

    /// Waits for it.
    pub(super) async fn failed(&self) -> PageError {
        loop {
            let failing = self.failing.notified();
            if let Some(failure) = self.failure() {
                return failure;
            }
            failing.await;
        }
    }

    /// Takes the price of a call into the page off the task's fuel: the engine counts its own work only.
    fn spend(&self, ctx: &Ctx<'_>, bytes: usize) -> rquickjs::Result<()> {
        let cost = CALL + u64::try_from(bytes / BYTES).unwrap_or(u64::MAX);
        let left = self.fuel.get().saturating_sub(cost);
        self.fuel.set(left);
        if left > 0 { Ok(()) } else { Err(Exception::throw_internal(ctx, "interrupted")) }
    }

    /// Notes that something went wrong; a fatal failure ends the page's life.
    pub(super) fn fail(&self, error: PageError) {
        if !self.alive.get() {
            return;
        }
        if self.is_trial && !error.is_fatal() {
            self.console.borrow_mut().push(error.to_string());
            return;
        }
        let name = match &error {
            PageError::Uncaught { name, .. } | PageError::Rejection { name, .. } => Some(name),
            _ => None,
        };
        if let Some(name) = name {
            // Only the name: engines word their messages differently.
            self.tape.said(self.lane.client(), "uncaught", Data::Text(name.clone()));
        }
        if error.is_fatal() {
            self.alive.set(false);
            self.fuel.set(0);
            self.hang_up();
        }
        self.failure.borrow_mut().get_or_insert(error);
        self.failing.notify_waiters();
        self.rearmed.notify_one();
    }

    /// Drops every connection.
    pub(super) fn hang_up(&self) {
        self.requests.borrow_mut().clear();
        self.sockets.borrow_mut().clear();
    }

    /// Notes that the client sets a timer, or does something with an aborted signal. Where that is done over and over at
    /// one instant, it also notes from where.
    fn note_task(&self, ctx: &Ctx<'_>, is_aborted: bool) {
        if is_aborted {
            let now = Instant::now();
            let (_, before) = self.aborted.get().filter(|(at, _)| *at == now).unwrap_or((now, 0));
            self.aborted.set(Some((now, before + 1)));
        }
        if self.is_crowded.get() && (is_aborted || self.aborts() < LOOP) {
            let place = here(ctx);
            if place.is_known() {
                *self.crowd.borrow_mut() = place;
            }
        }
    }

    /// Whether a signal was aborted, or an aborted one was used, at this very instant.
    pub(super) fn has_aborted(&self) -> bool {
        self.aborts() > 0
    }

    /// How often an aborted signal was used at this instant.
    pub(super) fn aborts(&self) -> u32 {
        self.aborted.get().filter(|(at, _)| *at == Instant::now()).map_or(0, |(_, count)| count)
    }

    /// Whether anything is under way that may wake the page: a timer, a request, a socket.
    pub(super) fn is_waiting(&self) -> bool {
        self.timers.borrow().next().is_some()
            || !self.requests.borrow().is_empty()
            || !self.sockets.borrow().is_empty()
    }

    /// Forgets a request that has ended; it holds its connection no longer.
    pub(super) fn ended(&self, id: u32) {
        self.requests.borrow_mut().remove(&id);
    }

    /// Forgets a socket that has closed.
    pub(super) fn closed(&self, id: u32) {
        self.sockets.borrow_mut().remove(&id);
    }

    /// Notes one more request, and whether there are too many by now.
    fn is_storm(&self) -> bool {
        let now = Instant::now();
        let mut recent = self.recent.borrow_mut();
        while recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        recent.push_back(now);
        recent.len() > REQUESTS_A_SECOND && !self.is_trial
    }

    fn storm(&self, ctx: &Ctx<'_>, url: &Url) {
        self.fail(PageError::Storm {
            count: u32::try_from(self.recent.borrow().len()).unwrap_or(u32::MAX),
            what: Storm::Requests(url.to_string()),
            place: here(ctx),
        });
    }

    /// Makes the object through which the prelude reaches all this.
    pub(super) fn object<'js>(self: &Rc<Self>, ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
        let object = Object::new(ctx.clone())?;
        object.set("origin", ORIGIN)?;
        // Two halves: a JavaScript number holds 53 bits.
        object.set("seed", List((self.seed as u32, (self.seed >> 32) as u32)))?;
        object.set("elements", self.elements())?;
        self.add_clock(ctx, &object)?;
        self.add_words(ctx, &object)?;
        self.add_text(ctx, &object)?;
        self.add_requests(ctx, &object)?;
        self.add_sockets(ctx, &object)?;
        Ok(object)
    }

    /// Tag and id of the elements that the page's HTML names.
    fn elements(&self) -> Vec<Vec<String>> {
        let html = self.sources.get("index.html").unwrap_or_default();
        let elements = loader::elements(html).into_iter();
        elements.map(|(tag, id)| vec![tag, id]).collect()
    }

    fn add_clock<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, object: &Object<'js>) -> rquickjs::Result<()> {
        let host = self.clone();
        object.set(
            "milliseconds",
            // The play's time, so that all pages and the tape agree.
            Function::new(ctx.clone(), move || host.tape.now().0 as f64)?,
        )?;
        let host = self.clone();
        object.set(
            "sinceOpened",
            Function::new(ctx.clone(), move || host.opened.elapsed().as_micros() as f64 / 1000.0)?,
        )?;
        let host = self.clone();
        object.set(
            "arm",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, id: u32, milliseconds: f64| {
                host.spend(&ctx, 0)?;
                host.note_task(&ctx, false);
                // `as` saturates: a delay beyond all measure stays a far one.
                let delay = Duration::from_millis((milliseconds as u64).min(1 << 40));
                host.timers.borrow_mut().arm(id, Instant::now() + delay);
                host.rearmed.notify_one();
                rquickjs::Result::Ok(())
            })?,
        )?;
        let host = self.clone();
        object
            .set("aborted", Function::new(ctx.clone(), move |ctx: Ctx<'js>| host.note_task(&ctx, true))?)?;
        let host = self.clone();
        object.set(
            "disarm",
            Function::new(ctx.clone(), move |id: u32| {
                host.timers.borrow_mut().disarm(id);
            })?,
        )
    }

    fn add_words<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, object: &Object<'js>) -> rquickjs::Result<()> {
        let host = self.clone();
        object.set(
            "log",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, line: String| {
                host.spend(&ctx, line.len())?;
                host.console.borrow_mut().push(line);
                rquickjs::Result::Ok(())
            })?,
        )?;
        let host = self.clone();
        object.set(
            "say",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, label: String, kind: String, text: String| {
                host.spend(&ctx, text.len())?;
                let data = match kind.as_str() {
                    "json" => serde_json::from_str::<serde_json::Value>(&text)
                        .map_or(Data::Text(text), |value| Data::Json(value.to_string())),
                    "bytes" => Data::Bytes(text.parse().unwrap_or_default()),
                    _ => Data::Text(text),
                };
                rquickjs::Result::Ok(host.tape.said(host.lane.client(), &label, data))
            })?,
        )?;
        let host = self.clone();
        object.set(
            "absent",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, what: String, hint: String| {
                host.spend(&ctx, 0)?;
                // Only the first is reported, and looking for the place takes its time.
                if host.failure().is_none() {
                    host.fail(PageError::NotAvailable { what, hint, place: here(&ctx) });
                }
                rquickjs::Result::Ok(())
            })?,
        )
    }

    fn add_text<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, object: &Object<'js>) -> rquickjs::Result<()> {
        let host = self.clone();
        object.set(
            "encode",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, text: String| {
                host.spend(&ctx, text.len())?;
                ArrayBuffer::new_copy(ctx, text.as_bytes())
            })?,
        )?;
        let host = self.clone();
        object.set(
            "decode",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, array: TypedArray<'js, u8>, stream: bool| {
                host.spend(&ctx, array.len())?;
                rquickjs::Result::Ok(decode(array, stream))
            })?,
        )?;
        let host = self.clone();
        object.set(
            "parseUrl",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, text: String, base: Option<String>| {
                host.spend(&ctx, text.len())?;
                let base = match base.map(|base| url::join(None, &base)) {
                    Some(None) => return Ok(None),
                    base => base.flatten(),
                };
                url::join(base.as_ref(), &text).map(|url| url::parts(&ctx, &url)).transpose()
            })?,
        )?;
        let host = self.clone();
        object.set(
            "changeUrl",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, href: String, part: String, value: String| {
                host.spend(&ctx, href.len() + value.len())?;
                let Ok(mut url) = Url::parse(&href) else {
                    return Ok(None);
                };
                url::change(&mut url, &part, &value);
                url::parts(&ctx, &url).map(Some)
            })?,
        )?;
        let host = self.clone();
        object.set(
            "parseQuery",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, query: String| {
                host.spend(&ctx, query.len())?;
                let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
                let pairs = pairs.map(|(name, value)| vec![name, value]);
                rquickjs::Result::Ok(pairs.collect::<Vec<Vec<String>>>())
            })?,
        )?;
        let host = self.clone();
        object.set(
            "writeQuery",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, pairs: Vec<Vec<String>>| {
                host.spend(&ctx, pairs.iter().flatten().map(String::len).sum())?;
                let mut query = form_urlencoded::Serializer::new(String::new());
                for pair in &pairs {
                    if let [name, value] = pair.as_slice() {
                        query.append_pair(name, value);
                    }
                }
                rquickjs::Result::Ok(query.finish())
            })?,
        )
    }

    fn add_requests<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, object: &Object<'js>) -> rquickjs::Result<()> {
        let host = self.clone();
        object.set(
            "request",
            Function::new(
                ctx.clone(),
                move |ctx: Ctx<'js>, id: u32, request: Object<'js>| -> rquickjs::Result<()> {
                    let url: String = request.get("url")?;
                    host.spend(&ctx, url.len())?;
                    let Ok(url) = Url::parse(&url) else {
                        return Err(Exception::throw_type(&ctx, "Invalid URL"));
                    };
                    if host.is_storm() {
                        host.storm(&ctx, &url);
                        return Ok(());
                    }
                    let method: String = request.get("method")?;
                    let headers: Vec<Vec<String>> = request.get("headers")?;
                    let body: Option<TypedArray<'js, u8>> = request.get("body")?;
                    let redirect: String = request.get("redirect")?;
                    let outgoing = Outgoing {
                        id,
                        method: Method::from_bytes(method.as_bytes())
                            .map_err(|_| Exception::throw_type(&ctx, "invalid method"))?,
                        url,
                        headers: headers.iter().filter_map(|pair| header(pair)).collect(),
                        body: body.map(|body| Bytes::from(copy(&body))),
                        redirect: match redirect.as_str() {
                            "error" => Redirect::Error,
                            "manual" => Redirect::Manual,
                            _ => Redirect::Follow,
                        },
                        reading: match request.get("eventsAfter")? {
                            Some(last_event_id) => Reading::Events(last_event_id),
                            None => Reading::Chunks,
                        },
                    };
                    if host.is_alive() {
                        let (lane, connections) = (host.lane.clone(), host.connections.clone());
                        let flight = http::start(outgoing, lane, connections, host.arrivals.clone());
                        host.requests.borrow_mut().insert(id, flight);
                    }
                    Ok(())
                },
            )?,
        )?;
        let host = self.clone();
        object.set(
            "more",
            Function::new(ctx.clone(), move |id: u32| {
                if let Some(request) = host.requests.borrow().get(&id) {
                    request.more();
                }
            })?,
        )?;
        let host = self.clone();
        object.set("abort", Function::new(ctx.clone(), move |id: u32| host.ended(id))?)
    }

    fn add_sockets<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, object: &Object<'js>) -> rquickjs::Result<()> {
        let host = self.clone();
        object.set(
            "socket",
            Function::new(
                ctx.clone(),
                move |ctx: Ctx<'js>, id: u32, url: String, protocols: Vec<String>| {
                    let Ok(url) = Url::parse(&url) else {
                        return Err(Exception::throw_type(&ctx, "Invalid URL"));
                    };
                    if host.is_storm() {
                        host.storm(&ctx, &url);
                    }
                    if host.is_alive() {
                        let arrivals = host.arrivals.clone();
                        let socket = socket::open(id, url, protocols, host.lane.clone(), arrivals);
                        host.sockets.borrow_mut().insert(id, socket);
                    }
                    Ok(())
                },
            )?,
        )?;
        let command = |host: &Rc<Self>, id: u32, command: Command| {
            if let Some(socket) = host.sockets.borrow().get(&id) {
                socket.command(command);
            }
        };
        let host = self.clone();
        object.set(
            "sendText",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, id: u32, text: String| {
                host.spend(&ctx, text.len())?;
                command(&host, id, Command::Text(text));
                rquickjs::Result::Ok(())
            })?,
        )?;
        let host = self.clone();
        object.set(
            "sendBytes",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, id: u32, bytes: TypedArray<'js, u8>| {
                host.spend(&ctx, bytes.len())?;
                command(&host, id, Command::Binary(copy(&bytes)));
                rquickjs::Result::Ok(())
            })?,
        )?;
        let host = self.clone();
        object.set(
            "closeSocket",
            Function::new(ctx.clone(), move |id: u32, code: Option<u16>, reason: String| {
                command(&host, id, Command::Close(code, reason));
            })?,
        )?;
        let host = self.clone();
        object.set("dropSocket", Function::new(ctx.clone(), move |id: u32| host.closed(id))?)
    }
}

/// A header as the prelude names it: name and value, each a byte string.
fn header(pair: &[String]) -> Option<(HeaderName, HeaderValue)> {
    let [name, value] = pair else { return None };
    let value: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value?).ok()?))
}

/// The place in the client's code from which the engine is being called.
pub(super) fn here(ctx: &Ctx<'_>) -> Place {
    let mut options = EvalOptions::default();
    options.filename = Some(format!("{}here", loader::OWN));
    let stack = ctx.eval_with_options::<String, _>("new Error().stack", options);
    Place::from_stack(&stack.unwrap_or_default())
}

/// The bytes of a typed array, copied.
#[allow(unsafe_code)]
pub(super) fn copy(array: &TypedArray<'_, u8>) -> Vec<u8> {
    // SAFETY: no JavaScript runs between taking the slice and copying it, and
    // the copy does not borrow from the engine.
    let bytes = unsafe { array.as_bytes() };
    // A detached buffer has no bytes.
    bytes.map(<[u8]>::to_vec).unwrap_or_default()
}

/// UTF-8 decode (Encoding § 8.1.1) of one chunk: the text, how many bytes it
/// took, and whether any were invalid. With `stream`, an incomplete sequence
/// at the end is left for the next chunk.
fn decode(array: TypedArray<'_, u8>, stream: bool) -> List<(String, usize, bool)> {
    let bytes = copy(&array);
    let mut text = String::with_capacity(bytes.len());
    let mut used = 0;
    let mut invalid = false;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        used += chunk.valid().len();
        let rest = chunk.invalid();
        if rest.is_empty() {
            continue;
        }
        let is_last = used + rest.len() == bytes.len();
        let is_incomplete = std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_none());
        if stream && is_last && is_incomplete {
            break;
        }
        used += rest.len();
        invalid = true;
        text.push(char::REPLACEMENT_CHARACTER);
    }
    List((text, used, invalid))
}
