//! QuickJS, and the rules under which it runs: one task at a time, its
//! microtasks to their end, and never for ever.

use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    rc::Rc,
};

use rquickjs::{
    ArrayBuffer, CatchResultExt, CaughtError, Coerced, Context, Ctx, Error, Exception, Function, Module,
    Object, Persistent, Runtime, Value, context::EvalOptions, promise::PromiseState, qjs,
};
use tokio::time::Instant;
use wire::sse::Item;

use super::{
    Arrival, Spent,
    error::{PageError, Place, Storm},
    host::{self, Host, here},
    loader::{self, Names, Texts},
    socket::Signal,
};
use crate::tape::CLIENT;

/// What one task may burn, in jumps and calls; calls into the page cost more, see [`Host::spend`].
/// It counts work, not time, and so stops a client at the same place on every machine: after
/// hundredths of a second if it does nothing else, after half a second if it calls into the page.
const FUEL: u64 = 300 * INTERRUPT;
/// After about so many jumps and calls the engine calls its interrupt handler.
const INTERRUPT: u64 = 10_000;
/// So many callers of what was stopped are named.
const CALLERS: usize = 3;
/// How much more of it a task may burn that tries the page.
const TRIAL: u64 = 20;
/// How many microtasks one task may run.
const MICROTASKS: u32 = 100_000;
/// How many more run at most while the engine looks where they come from.
const LAST_MICROTASKS: u32 = 100_000;
/// How many tasks of the page's own may run at one instant.
const TASKS_AT_ONE_INSTANT: u32 = 1_000;
/// How much memory the engine may hold.
const MEMORY: usize = 64 << 20;
/// How deep the engine's stack may grow on any thread. A worker in the book's page has less.
const STACK: usize = if cfg!(target_family = "wasm") { 128 << 10 } else { 512 << 10 };
/// How deep on a thread that was started for it: some 10,000 calls, as in a browser.
#[cfg(not(target_family = "wasm"))]
const DEEP_STACK: usize = 8 << 20;
/// How large the stack of such a thread must be.
#[cfg(not(target_family = "wasm"))]
pub(crate) const THREAD_STACK: usize = 12 << 20;
/// How many rejections that were reported are kept, to see whether they are handled later.
const REPORTED: usize = 100;

thread_local! {
    static STACK_LIMIT: Cell<usize> = const { Cell::new(STACK) };
}

/// This thread was started with a stack of [`THREAD_STACK`]: pages that are opened in it hold as many calls as a browser.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn allow_deep_stack() {
    STACK_LIMIT.set(DEEP_STACK);
}

/// A rejected promise, its reason, and where it was rejected if the reason itself cannot say.
#[derive(Clone)]
struct Rejected {
    promise: Persistent<Value<'static>>,
    reason: Persistent<Value<'static>>,
    place: Place,
}

/// What became of promises that were rejected while nothing handled them (HTML § 8.1.4.7).
#[derive(Default)]
struct Rejections {
    /// In this task, and not reported yet.
    new: Vec<Rejected>,
    /// Reported, and not handled since.
    reported: Vec<Rejected>,
    /// Handled after they had been reported.
    handled_late: Vec<Rejected>,
}

impl Rejections {
    /// Something handles this promise from now on.
    fn handled<'js>(&mut self, ctx: &Ctx<'js>, promise: &Value<'js>) {
        let find = |list: &[Rejected]| {
            list.iter()
                .position(|entry| entry.promise.clone().restore(ctx).is_ok_and(|other| other == *promise))
        };
        if let Some(index) = find(&self.new) {
            self.new.remove(index);
        } else if let Some(index) = find(&self.reported) {
            let entry = self.reported.remove(index);
            self.handled_late.push(entry);
        }
    }
}

/// A JavaScript engine with a page's globals in it.
pub(super) struct Engine {
    // In the order in which they must be dropped: values before their engine.
    rejections: Rc<RefCell<Rejections>>,
    /// The prelude's entry for everything that happens: `dispatch(kind, …)`.
    dispatch: RefCell<Option<Persistent<Function<'static>>>>,
    /// `say(label, value)`, for the bench's own code.
    say: RefCell<Option<Persistent<Function<'static>>>>,
    /// The namespace of the client's module.
    client: RefCell<Option<Persistent<Object<'static>>>>,
    context: Context,
    runtime: Runtime,
    tasks: RefCell<Tasks>,
    pub(super) host: Rc<Host>,
}

struct Tasks {
    total: u64,
    instant: Instant,
    at_instant: u32,
}

/// How an exception came to the engine's attention.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Surfaced {
    Uncaught,
    Rejected,
}

impl Engine {
    /// An engine with the prelude in it and no client yet.
    pub(super) fn new(host: Rc<Host>) -> Result<Engine, PageError> {
        let out_of_memory = |_| PageError::Memory { place: Place::default() };
        let runtime = Runtime::new().map_err(out_of_memory)?;
        let context = Context::full(&runtime).map_err(out_of_memory)?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(STACK_LIMIT.get());
        let (world, raw) = (host.clone(), context.as_raw());
        runtime.set_interrupt_handler(Some(Box::new(move || {
            if let Some(tries) = world.looking.get() {
                return look(&world, raw, tries);
            }
            // What one call into the engine does is not counted. Where that takes long, the watchdog asks for an end.
            if world.tape.pulse().is_to_stop() {
                world.fuel.set(0);
                return true;
            }
            let left = world.fuel.get();
            world.fuel.set(left.saturating_sub(INTERRUPT));
            left == 0
        })));
        let rejections: Rc<RefCell<Rejections>> = Rc::default();
        let tracked = rejections.clone();
        runtime.set_host_promise_rejection_tracker(Some(Box::new(
            move |ctx, promise, reason, is_handled| {
                let mut rejections = tracked.borrow_mut();
                if is_handled {
                    rejections.handled(&ctx, &promise);
                } else {
                    let place = if reason.is_object() { Place::default() } else { here(&ctx) };
                    let (promise, reason) = (Persistent::save(&ctx, promise), Persistent::save(&ctx, reason));
                    rejections.new.push(Rejected { promise, reason, place });
                }
            },
        )));
        runtime.set_loader(
            Names { sources: host.sources.clone(), missing: host.missing.clone() },
            Texts(host.sources.clone()),
        );
        let engine = Engine {
            rejections,
            dispatch: RefCell::default(),
            say: RefCell::default(),
            client: RefCell::default(),
            context,
            runtime,
            tasks: RefCell::new(Tasks { total: 0, instant: Instant::now(), at_instant: 0 }),
            host,
        };
        engine.begin();
        engine.run(|ctx| engine.prepare(ctx));
        engine.host.tape.pulse().wait();
        match engine.host.failure() {
            Some(failure) => Err(failure),
            None => Ok(engine),
        }
    }

    /// Puts the prelude in, which makes a browser of the engine.
    fn prepare<'js>(&self, ctx: &Ctx<'js>) -> rquickjs::Result<()> {
        let host = self.host.object(ctx)?;
        let reporter = self.host.clone();
        host.set(
            "report",
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, error: Value<'js>| {
                let error = classify(&ctx, &reporter, caught(error), Surfaced::Uncaught);
                reporter.fail(error);
            })?,
        )?;
        ctx.globals().set("__host", host)?;
        let main =
            loader::declare_prelude(ctx, loader::MAIN).ok_or_else(|| Error::new_loading(loader::MAIN))??;
        let (main, _) = main.eval()?;
        let dispatch: Function = main.get("dispatch")?;
        let say: Function = main.get("say")?;
        *self.dispatch.borrow_mut() = Some(Persistent::save(ctx, dispatch));
        *self.say.borrow_mut() = Some(Persistent::save(ctx, say));
        Ok(())
    }

    /// Loads the client's module and looks for its exports.
    pub(super) fn load(&self, entry: &str, exports: &[&str]) -> Result<(), PageError> {
        let Some(text) = self.host.sources.get(entry) else {
            return Err(self.host.sources.absent(entry, entry, None));
        };
        let mut loaded = None;
        self.begin();
        self.run(|ctx| {
            let module = Module::declare(ctx.clone(), entry, text);
            match module.and_then(Module::eval).catch(ctx) {
                Ok((module, promise)) => {
                    let namespace = Persistent::save(ctx, module.namespace()?);
                    loaded = Some((namespace, Persistent::save(ctx, promise)));
                }
                Err(problem) => self.host.fail(self.unloadable(ctx, problem)),
            }
            Ok(())
        });
        self.microtasks();
        let mut has = Vec::new();
        if let Some((namespace, promise)) = loaded {
            self.run(|ctx| {
                let (namespace, promise) = (namespace.restore(ctx)?, promise.restore(ctx)?);
                if promise.state() == PromiseState::Rejected {
                    // What a module throws is no forgotten promise of the client's.
                    self.rejections.borrow_mut().handled(ctx, promise.as_value());
                    if let Some(Err(problem)) = promise.result::<Value>().map(|r| r.catch(ctx)) {
                        self.host.fail(self.unloadable(ctx, problem));
                    }
                    return Ok(());
                }
                if promise.state() == PromiseState::Pending {
                    let place = self.host.sources.top_level_await(entry);
                    self.host.fail(PageError::Unfinished { place, ends: self.host.is_waiting() });
                    return Ok(());
                }
                has = namespace.keys::<String>().collect::<Result<_, _>>()?;
                *self.client.borrow_mut() = Some(Persistent::save(ctx, namespace));
                Ok(())
            });
        }
        self.finish();
        if let Some(failure) = self.host.failure() {
            return Err(failure);
        }
        match exports.iter().find(|name| !has.iter().any(|other| other == *name)) {
            None => Ok(()),
            Some(missing) => {
                Err(PageError::MissingExport { file: entry.to_owned(), export: (*missing).to_owned(), has })
            }
        }
    }

    /// Why the client's module could not be loaded.
    fn unloadable(&self, ctx: &Ctx<'_>, problem: CaughtError<'_>) -> PageError {
        if let Some(absent) = self.host.missing.take() {
            return absent;
        }
        match classify(ctx, &self.host, problem, Surfaced::Uncaught) {
            PageError::Uncaught { name, message, place } if name == "SyntaxError" => {
                match missing_export(&message) {
                    Some((file, export)) => PageError::MissingExport { file, export, has: Vec::new() },
                    None => PageError::Syntax { message, place },
                }
            }
            other => other,
        }
    }

    /// Runs the bench's own code as one task.
    pub(super) fn eval(&self, code: &str) {
        if !self.may_begin() {
            return;
        }
        self.run(|ctx| {
            let (client, say) = (self.client.borrow().clone(), self.say.borrow().clone());
            let (Some(client), Some(say)) = (client, say) else {
                return Ok(());
            };
            let mut options = EvalOptions::default();
            options.filename = Some(format!("{}bench", loader::OWN));
            let code = format!("(client, say) => {{\n{code}\n}}");
            let code: Function = ctx.eval_with_options(code, options)?;
            code.call((client.restore(ctx)?, say.restore(ctx)?))
        });
        self.finish();
    }

    /// Runs one task: a call of the prelude's `dispatch`.
    pub(super) fn task(&self, call: impl for<'js> FnOnce(&Ctx<'js>, Function<'js>) -> rquickjs::Result<()>) {
        if !self.may_begin() {
            return;
        }
        self.run(|ctx| match self.dispatch.borrow().clone() {
            Some(dispatch) => call(ctx, dispatch.restore(ctx)?),
            None => Ok(()),
        });
        self.finish();
    }

    /// Runs the timer that is due.
    pub(super) fn timer(&self) {
        let due = self.host.timers.borrow_mut().take_due();
        let Some(id) = due else { return };
        if self.is_storm() {
            return;
        }
        self.task(|_, dispatch| dispatch.call(("timer", id)));
    }

    /// Runs the task that something from outside causes.
    pub(super) fn arrived(&self, arrival: Arrival) {
        match arrival {
            Arrival::Head(id, head) => self.task(|ctx, dispatch| {
                let headers = head.headers.into_iter();
                let headers: Vec<Vec<String>> = headers.map(|(n, v)| vec![n, v]).collect();
                let object = Object::new(ctx.clone())?;
                object.set("status", head.status)?;
                object.set("statusText", head.reason)?;
                object.set("headers", headers)?;
                object.set("url", head.url)?;
                object.set("redirected", head.redirected)?;
                dispatch.call(("head", id, object))
            }),
            Arrival::Chunk(id, bytes) => self.task(|ctx, dispatch| {
                let buffer = ArrayBuffer::new_copy(ctx.clone(), &bytes)?;
                dispatch.call(("chunk", id, buffer))
            }),
            Arrival::Item(id, item) => match item {
                Item::Event(event) => self.task(|_, dispatch| {
                    dispatch.call(("event", id, event.event_type, event.data, event.last_event_id))
                }),
                Item::Id(last) => self.task(|_, dispatch| dispatch.call(("eventId", id, last))),
                Item::Retry(ms) => {
                    self.task(|_, dispatch| dispatch.call(("retry", id, ms as f64)));
                }
                Item::Comment(_) => {}
            },
            Arrival::End(id) => {
                self.host.ended(id);
                self.task(|_, dispatch| dispatch.call(("end", id)));
            }
            Arrival::Failed(id, elsewhere) => {
                self.host.ended(id);
                if self.is_storm() {
                    return;
                }
                self.task(|_, dispatch| dispatch.call(("failed", id, elsewhere)));
            }
            Arrival::Socket(id, signal) => self.signalled(id, signal),
        }
    }

    fn signalled(&self, id: u32, signal: Signal) {
        match signal {
            Signal::Open(protocol) => {
                self.task(|_, dispatch| dispatch.call(("socketOpen", id, protocol)));
            }
            Signal::Text(text) => {
                self.task(|_, dispatch| dispatch.call(("socketMessage", id, text)));
            }
            Signal::Binary(bytes) => self.task(|ctx, dispatch| {
                let buffer = ArrayBuffer::new_copy(ctx.clone(), &bytes)?;
                dispatch.call(("socketMessage", id, buffer))
            }),
            Signal::Sent(size) => {
                self.task(|_, dispatch| dispatch.call(("socketSent", id, size as f64)));
            }
            Signal::Closing => self.task(|_, dispatch| dispatch.call(("socketClosing", id))),
            Signal::Closed { code, reason, clean, failed } => {
                self.host.closed(id);
                self.task(|_, dispatch| dispatch.call(("socketClosed", id, code, reason, clean, failed)));
            }
        }
    }

    /// What the page has used up.
    pub(super) fn spent(&self) -> Spent {
        let memory = self.runtime.memory_usage().memory_used_size;
        Spent { tasks: self.tasks.borrow().total, memory: u64::try_from(memory).unwrap_or_default() }
    }

    /// Counts the page's own tasks; too many at one instant end it.
    fn is_storm(&self) -> bool {
        let mut tasks = self.tasks.borrow_mut();
        let now = Instant::now();
        if tasks.instant != now {
            tasks.instant = now;
            tasks.at_instant = 0;
        }
        tasks.at_instant += 1;
        let count = tasks.at_instant;
        self.host.is_crowded.set(count > TASKS_AT_ONE_INSTANT / 2);
        if count > TASKS_AT_ONE_INSTANT && !self.host.is_trial {
            let place = self.host.crowd.take();
            self.host.fail(match self.host.has_aborted() {
                true => PageError::AfterAbort { place },
                false => PageError::Storm { count, what: Storm::Tasks, place },
            });
        }
        count > TASKS_AT_ONE_INSTANT && !self.host.is_trial
    }

    fn may_begin(&self) -> bool {
        let may = self.host.is_alive();
        if may {
            self.begin();
        }
        may
    }

    /// A new task begins, with a full tank.
    fn begin(&self) {
        self.tasks.borrow_mut().total += 1;
        self.host.fuel.set(if self.host.is_trial { FUEL * TRIAL } else { FUEL });
        self.host.tape.pulse().turn_to(CLIENT);
    }

    /// One call into JavaScript.
    fn run(&self, call: impl for<'js> FnOnce(&Ctx<'js>) -> rquickjs::Result<()>) {
        self.context.with(|ctx| {
            if let Err(problem) = call(&ctx).catch(&ctx) {
                let error = classify(&ctx, &self.host, problem, Surfaced::Uncaught);
                self.host.fail(error);
            }
        });
    }

    /// The end of a task: its microtasks, then the rejections that remain.
    fn finish(&self) {
        self.microtasks();
        self.rejections();
        self.host.tape.pulse().wait();
    }

    fn microtasks(&self) {
        for _ in 0..MICROTASKS {
            if !self.host.is_alive() {
                return;
            }
            match self.microtask() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.host.fail(error),
            }
        }
        // Too many. They go on only until an interrupt finds the client's own
        // code at work, and so the place.
        self.host.looking.set(Some(0));
        for _ in 0..LAST_MICROTASKS {
            let ran = self.microtask();
            if self.host.found.borrow().is_some() {
                break;
            }
            if matches!(ran, Ok(false)) {
                // It came to its end just in time.
                self.host.looking.set(None);
                return;
            }
        }
        let place = self.host.found.take().unwrap_or_default();
        self.host.fail(match self.host.has_aborted() {
            true => PageError::AfterAbort { place },
            false => PageError::Microtasks { place },
        });
    }

    /// Runs one microtask; false where there is none.
    fn microtask(&self) -> Result<bool, PageError> {
        self.runtime.execute_pending_job().map_err(|_| {
            self.context.with(|ctx| {
                let problem = CaughtError::from_error(&ctx, Error::Exception);
                classify(&ctx, &self.host, problem, Surfaced::Uncaught)
            })
        })
    }

    /// HTML § 8.1.4.7: what is still rejected at the end of the task is reported, and what is handled only now.
    fn rejections(&self) {
        let (new, late) = {
            let mut rejections = self.rejections.borrow_mut();
            let new = std::mem::take(&mut rejections.new);
            rejections.reported.extend(new.iter().cloned());
            let surplus = rejections.reported.len().saturating_sub(REPORTED);
            rejections.reported.drain(..surplus);
            (new, std::mem::take(&mut rejections.handled_late))
        };
        for Rejected { promise, reason, .. } in late {
            self.run(|ctx| {
                let (promise, reason) = (promise.restore(ctx)?, reason.restore(ctx)?);
                match self.dispatch.borrow().clone() {
                    Some(dispatch) => dispatch.restore(ctx)?.call(("rejectionHandled", promise, reason)),
                    None => Ok(()),
                }
            });
            self.microtasks();
        }
        for Rejected { promise, reason, place } in new {
            if !self.host.is_alive() {
                return;
            }
            self.run(|ctx| {
                let (promise, reason) = (promise.restore(ctx)?, reason.restore(ctx)?);
                let dispatch = self.dispatch.borrow().clone();
                // Nothing where the client has dealt with it; else the stack of what asked, if anybody knows.
                let stack: Option<String> = match dispatch {
                    Some(dispatch) => dispatch.restore(ctx)?.call(("rejection", promise, reason.clone()))?,
                    None => Some(String::new()),
                };
                if let Some(stack) = stack {
                    let mut error = classify(ctx, &self.host, caught(reason), Surfaced::Rejected);
                    if let PageError::Rejection { place: its, .. } = &mut error
                        && !its.is_known()
                    {
                        *its = if place.is_known() { place } else { Place::from_stack(&stack) };
                    }
                    self.host.fail(error);
                }
                Ok(())
            });
            self.microtasks();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The engine's own closures hold these lists too; their values must go first.
        drop(self.rejections.take());
    }
}

/// Looks, in the middle of an interrupt, where the client's code is at work;
/// true once that is known, which stops it.
#[allow(unsafe_code)]
fn look(world: &Host, raw: NonNull<qjs::JSContext>, tries: u32) -> bool {
    // SAFETY: the handler runs only while this very context executes code, so
    // it is alive, and the engine's thread is ours.
    let ctx = unsafe { Ctx::from_raw(raw) };
    let place = here(&ctx);
    if place.is_known() {
        *world.found.borrow_mut() = Some(place);
        return true;
    }
    // An interrupt comes every 10,000 steps. Where a round of the storm takes a divisor of that, it would always come
    // between two calls: take a few steps out of turn, another number each time. (Far fewer than 10,000, so no interrupt
    // meets this one.)
    let mut options = EvalOptions::default();
    options.filename = Some(format!("{}look", loader::OWN));
    let surplus = tries.wrapping_mul(0x9E37_79B9) >> 28;
    let steps = format!("{{ const step = () => {{}};{} }}", "step();".repeat(surplus as usize));
    let _ = ctx.eval_with_options::<(), _>(steps, options);
    world.looking.set(Some(tries + 1));
    false
}

/// A thrown value, sorted as rquickjs does.
fn caught(value: Value<'_>) -> CaughtError<'_> {
    match value.as_object().cloned().and_then(Exception::from_object) {
        Some(exception) => CaughtError::Exception(exception),
        None => CaughtError::Value(value),
    }
}

/// What an exception means for the student.
fn classify(ctx: &Ctx<'_>, host: &Host, problem: CaughtError<'_>, surfaced: Surfaced) -> PageError {
    let was_stopped = host.fuel.get() == 0;
    let object = match &problem {
        CaughtError::Exception(exception) => Some(exception.as_object().clone()),
        CaughtError::Value(value) => value.as_object().cloned(),
        CaughtError::Error(_) => None,
    };
    let text = |property: &str| -> Option<String> {
        let value = object.as_ref()?.get::<_, Option<Coerced<String>>>(property);
        // A getter of the client's may throw: then there is nothing to read.
        value.inspect_err(|_| drop(ctx.catch())).ok()?.map(|text| text.0)
    };
    let stack = text("stack").unwrap_or_default();
    let place = Place::from_stack(&stack);
    let name = text("name");
    let mut message = text("message");
    if name.as_deref() == Some("SyntaxError")
        && stack.contains("<input>:")
        && let Some(message) = &mut message
        && !message.contains("JSON")
    {
        message.push_str(" (this is not valid JSON)");
    }
    if was_stopped && host.aborts() > host::LOOP {
        return PageError::AfterAbort { place };
    }
    if was_stopped {
        let callers = Place::frames(&stack).skip(1).take(CALLERS).collect();
        return PageError::BusyLoop { place, callers };
    }
    let is_out_of_memory = match &problem {
        CaughtError::Value(value) => value.is_null() && surfaced == Surfaced::Uncaught,
        CaughtError::Error(error) => matches!(error, Error::Allocation),
        CaughtError::Exception(_) => {
            name.as_deref() == Some("InternalError")
                && matches!(message.as_deref(), Some("out of memory" | "string too long"))
        }
    };
    if is_out_of_memory {
        return PageError::Memory { place };
    }
    if name.as_deref() == Some("Error")
        && let Some(todo) = message.as_deref().and_then(todo_number)
    {
        return PageError::NotStarted { todo, place };
    }
    let (name, message) = match &problem {
        CaughtError::Error(error) => ("Error".to_owned(), error.to_string()),
        CaughtError::Value(value) if value.is_string() => {
            let text = value.as_string().and_then(|text| text.to_string().ok());
            let text = text.unwrap_or_default();
            ("a string".to_owned(), format!("\"{text}\""))
        }
        CaughtError::Value(value) if object.is_none() => {
            (value.type_name().to_owned(), "not an Error".to_owned())
        }
        _ => (name.unwrap_or_else(|| "Error".to_owned()), message.unwrap_or_default()),
    };
    match surfaced {
        Surfaced::Uncaught => PageError::Uncaught { name, message, place },
        Surfaced::Rejected => PageError::Rejection { name, message, place },
    }
}

/// Reads the engine's words for an import of a name that a module lacks:
/// the module and the name.
fn missing_export(message: &str) -> Option<(String, String)> {
    let rest = message.strip_prefix("Could not find export '")?;
    let (export, rest) = rest.split_once("' in module '")?;
    let file = rest.strip_suffix('\'')?;
    Some((file.to_owned(), export.to_owned()))
}

/// The number in the message of `throw new Error('TODO 5')`.
fn todo_number(message: &str) -> Option<u32> {
    let number = message.strip_prefix("TODO ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}
