//! The page: a browser's tab for the student's client, as far as the labs need
//! one: QuickJS, the bench's network, the bench's clock.
//!
//! It runs as a browser runs a page (HTML § 8.1.7): it takes one task at a
//! time — something that arrived, or a timer that is due —, makes one call into
//! JavaScript, and then runs the microtasks to their end. All time is tokio's,
//! so in a paused runtime a day passes in no time, and always in the same way.
//!
//! What the page has of a browser stands in `page/prelude/*.js`; what it lacks,
//! and what to use instead, in `page/prelude/absent.js`. Where it differs from
//! a real one on purpose:
//!
//! - There is no HTTP cache: every response comes from the server, so that a
//!   check sees every request.
//! - There is one server, `http://lab.test` on port 80. Another host, port or
//!   scheme, in a URL or in a redirect, is told by name ([`PageError::NotAvailable`]),
//!   also where the client catches the exception. So blocked ports need no list.
//! - `mode: 'no-cors'` is told by name: with one origin nobody needs it, and it
//!   drops headers without a word.
//! - A stream as the body of a request is told by name: Chromium sends one over
//!   HTTP/2 only, Firefox and Safari not at all, and the labs speak HTTP/1.1.
//! - `ReadableStream.from`, byte streams and their readers, blobs and forms are
//!   told by name: not every browser has the first, and no lab needs the others.
//! - Binary WebSocket messages come as `ArrayBuffer`; a socket that asks for
//!   blobs is told by name.
//! - Text is UTF-8: another encoding's `TextDecoder` is told by name.
//! - A host outside ASCII is put in lower case and in Punycode, and not
//!   normalised further (`page/url.rs`).
//! - An `await` at a module's top level must be over when the module has been
//!   loaded; one that waits is told by name.
//! - The stack holds some 10,000 calls where a check is graded, some 800 in the
//!   book's page, whose Worker has less.
//!
//! Nothing a client does hangs or crashes the bench: see [`PageError`].

mod engine;
mod error;
mod host;
mod http;
mod loader;
mod socket;
#[cfg(test)]
mod tests;
mod url;

use std::rc::Rc;

use bytes::Bytes;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use wire::sse;

pub use error::{PageError, Place, Storm};
#[cfg(not(target_family = "wasm"))]
pub use host::begin_trial;
pub use loader::Sources;

use crate::{net::Lane, tape::Tape, tasks::spawn_local};
use engine::Engine;
#[cfg(not(target_family = "wasm"))]
pub(crate) use engine::{THREAD_STACK, allow_deep_stack};
use host::Host;

/// The page's origin, and its only server's.
const ORIGIN: &str = "http://lab.test";

/// What it takes to open a page.
pub struct Opening<'a> {
    /// The page's way into the network.
    pub lane: Lane,
    /// Where the page's words are written, and whose clock is the page's.
    pub tape: Tape,
    /// The client's files.
    pub sources: &'a Sources,
    /// The module to load: `client.js`.
    pub entry: &'a str,
    /// What `Math.random` and `crypto` draw from: the same seed, the same numbers.
    pub seed: u64,
    /// What the module must export.
    pub exports: &'a [&'a str],
}

/// An open page. Clones are handles to the same one; it closes with the last.
///
/// A page lives inside a [`tokio::task::LocalSet`]: all of its methods must be
/// called from within one.
#[derive(Clone)]
pub struct Page(Rc<Tab>);

struct Tab {
    engine: Rc<Engine>,
    tasks: AbortHandle,
}

/// What a page has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Tasks that have run.
    pub tasks: u64,
    /// Bytes of memory in use.
    pub memory: u64,
}

/// Something that reached the page from outside.
enum Arrival {
    /// The head of a response.
    Head(u32, http::Head),
    /// A part of its body.
    Chunk(u32, Bytes),
    /// An item of its event stream.
    Item(u32, sse::Item),
    /// The end of its body.
    End(u32),
    /// The request failed on the way, or in the middle of its body.
    /// Where it was redirected to another server, that URL.
    Failed(u32, Option<String>),
    /// Something happened on a WebSocket.
    Socket(u32, socket::Signal),
}

impl Page {
    /// Opens a page and loads its module, with everything that it imports.
    ///
    /// # Errors
    /// A missing file, a syntax error, a missing export, or whatever the module
    /// itself does wrong while it is being loaded.
    pub fn open(options: Opening<'_>) -> Result<Page, PageError> {
        let (sender, arrivals) = unbounded_channel();
        let host = Host::new(&options, sender);
        let engine = Rc::new(Engine::new(host)?);
        engine.load(options.entry, options.exports)?;
        let tasks = spawn_local(run(engine.clone(), arrivals)).abort_handle();
        Ok(Page(Rc::new(Tab { engine, tasks })))
    }

    /// Runs code of the bench as one task: a script with the module's
    /// namespace as `client` and with `say(label, value)`, which writes on the
    /// tape what the page tells its user. `globalThis` keeps things for later.
    ///
    /// # Errors
    /// What the code threw, or what the page had already failed of.
    pub fn eval(&self, code: &str) -> Result<(), PageError> {
        self.0.engine.eval(code);
        self.failure().map_or(Ok(()), Err)
    }

    /// Hides the tab or shows it again: `document.visibilityState`, and
    /// `visibilitychange` where that is news.
    pub fn set_visibility(&self, hidden: bool) {
        self.0.engine.task(|_, dispatch| dispatch.call(("visibility", hidden)));
    }

    /// The user leaves the page: `pagehide` on `window`, with `persisted` true
    /// as for a page that is kept for the way back. Then the page is hidden.
    pub fn leave(&self) {
        self.0.engine.task(|_, dispatch| dispatch.call(("transition", "pagehide")));
    }

    /// The user comes back to it: the page is visible, and then `pageshow` on `window`.
    pub fn return_to(&self) {
        self.0.engine.task(|_, dispatch| dispatch.call(("transition", "pageshow")));
    }

    /// The machine loses its network, or has it again: `navigator.onLine`, and
    /// `online` or `offline` on `window` where that is news. The lines
    /// themselves are the network's business.
    pub fn set_online(&self, online: bool) {
        self.0.engine.task(|_, dispatch| dispatch.call(("online", online)));
    }

    /// What went wrong first, if anything did.
    #[must_use]
    pub fn failure(&self) -> Option<PageError> {
        self.0.engine.host.failure()
    }

    /// Waits until something goes wrong; pending for as long as all is well.
    pub async fn failed(&self) -> PageError {
        self.0.engine.host.failed().await
    }

    /// What the client wrote to its console, line by line.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        self.0.engine.host.console.borrow().clone()
    }

    /// What the page has used up so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.0.engine.spent()
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.tasks.abort();
        self.engine.host.hang_up();
    }
}

/// The page's event loop.
async fn run(engine: Rc<Engine>, mut arrivals: UnboundedReceiver<Arrival>) {
    while engine.host.is_alive() {
        let due = engine.host.timers.borrow().next();
        tokio::select! { biased;
            Some(arrival) = arrivals.recv() => engine.arrived(arrival),
            () = until(due) => engine.timer(),
            () = engine.host.rearmed.notified() => {}
        }
    }
}

/// Waits for a point in time; for ever where there is none.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
