//! The bench: everything a check needs to let a server and a client meet.

use std::{cell::RefCell, future::Future, rc::Rc, time::Duration};

use axum::Router;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use wire::{Moment, Place, Transcript, What, tap::Tally, transcript::Data};

use crate::{
    Failure, Page, PageError, SEEDS, Sources,
    client::Ask,
    net::Net,
    page::Opening,
    script::Script,
    serve,
    sweep::{self, Disturbance, Disturbed},
    tape::{Mark, Tape},
    tasks::spawn_local,
};

/// The client's module, which the page loads.
const ENTRY: &str = "client.js";

/// One bench for one play. Clones are handles to the same one.
#[derive(Clone)]
pub struct Bench(Rc<Inner>);

/// Finds the moments that a contract does not speak of.
type Which = Box<dyn FnMut(&Moment) -> bool>;

struct Inner {
    tape: Tape,
    net: Net,
    sources: Sources,
    seed: u64,
    chance: RefCell<u64>,
    clients: RefCell<u64>,
    server: RefCell<Option<JoinHandle<()>>>,
    pages: RefCell<Vec<Page>>,
    page_failed: mpsc::UnboundedSender<PageError>,
    left_out: RefCell<Vec<Which>>,
}

impl Bench {
    pub(crate) fn new(tape: Tape, sources: Sources, seed: u64) -> (Self, mpsc::UnboundedReceiver<PageError>) {
        let (page_failed, failures) = mpsc::unbounded_channel();
        let bench = Self(Rc::new(Inner {
            net: Net::new(tape.clone()),
            tape,
            sources,
            seed,
            chance: RefCell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1)),
            clients: RefCell::new(0),
            server: RefCell::default(),
            pages: RefCell::default(),
            page_failed,
            left_out: RefCell::default(),
        }));
        (bench, failures)
    }

    // ---- the server's side

    /// Starts the student's server. It takes the place of one that was started before.
    pub fn serve(&self, app: Router) {
        self.replace_server(serve::accept(self.0.net.listen(), self.0.tape.pulse().clone(), app));
    }

    /// Starts a server that does what the check says, request by request.
    pub fn script(&self) -> Script {
        let (script, accepting) = Script::start(self.0.net.listen(), self.0.tape.clone());
        self.replace_server(accepting);
        script
    }

    fn replace_server(&self, accepting: JoinHandle<()>) {
        if let Some(before) = self.0.server.replace(Some(accepting)) {
            before.abort();
        }
    }

    // ---- the client's side

    /// Begins a request of our own client: `GET target`.
    pub fn get(&self, target: &str) -> Ask {
        self.ask("GET", target)
    }

    /// Begins a request of our own client.
    pub fn ask(&self, method: &str, target: &str) -> Ask {
        Ask::new(self.0.net.lane(None, self.next_client()), self.0.tape.clone(), method, target)
    }

    /// The same, as `client A`, `client B` … in the transcript.
    pub fn ask_of(&self, client: char, method: &str, target: &str) -> Ask {
        Ask::new(self.0.net.lane(Some(client), self.next_client()), self.0.tape.clone(), method, target)
    }

    /// Opens the student's client in a page of its own. The module must export `exports`.
    ///
    /// # Errors
    /// Where the client's file is missing, has a syntax error, lacks an export
    /// or fails while it loads.
    pub fn page(&self, exports: &[&str]) -> Result<Page, Failure> {
        self.open_page(None, exports)
    }

    /// The same, as `client A`, `client B` … in the transcript.
    ///
    /// # Errors
    /// As [`Bench::page`].
    pub fn page_of(&self, client: char, exports: &[&str]) -> Result<Page, Failure> {
        self.open_page(Some(client), exports)
    }

    fn open_page(&self, client: Option<char>, exports: &[&str]) -> Result<Page, Failure> {
        let number = self.next_client();
        self.0.tape.pulse().turn_to("loading web/client.js");
        let page = Page::open(Opening {
            lane: self.0.net.lane(client, number),
            tape: self.0.tape.clone(),
            sources: &self.0.sources,
            entry: ENTRY,
            seed: self.0.seed + number,
            exports,
        })?;
        let (watched, failed) = (page.clone(), self.0.page_failed.clone());
        spawn_local(async move {
            // The play may be over: then nobody asks any more.
            let _ = failed.send(watched.failed().await);
        });
        self.0.pages.borrow_mut().push(page.clone());
        Ok(page)
    }

    fn next_client(&self) -> u64 {
        let mut clients = self.0.clients.borrow_mut();
        *clients += 1;
        *clients - 1
    }

    // ---- the weather

    /// Cuts every open connection and waits until both ends know.
    pub async fn cut(&self) {
        self.0.net.cut();
        self.wait_ms(20).await;
    }

    /// Cuts every open connection of this client, and waits until both ends know.
    pub async fn cut_of(&self, client: char) {
        self.0.net.cut_of(client);
        self.wait_ms(20).await;
    }

    /// Lets bytes wait in the line, in both directions.
    pub fn hold(&self) {
        self.0.net.hold(true);
    }

    /// Delivers what has waited.
    pub fn heal(&self) {
        self.0.net.hold(false);
    }

    /// Refuses new connections.
    pub fn refuse(&self) {
        self.0.net.refuse(true);
    }

    /// Accepts new connections again.
    pub fn accept(&self) {
        self.0.net.refuse(false);
    }

    /// How long bytes are under way on connections, from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.0.net.set_latency(latency);
    }

    /// How many bytes a second a connection carries each way; `None` for no limit.
    pub fn set_bandwidth(&self, bytes_per_second: Option<u64>) {
        self.0.net.set_bandwidth(bytes_per_second);
    }

    /// From now on how many bytes a socket of the server takes and gives at once is drawn from the seed, as the kernel
    /// decides it elsewhere.
    pub fn draw_socket_room(&self) {
        self.0.net.draw_room(self.draw(1 << 32));
    }

    // ---- what a sweep disturbs

    /// Waits until this play of a sweep is disturbed, and says by what; for ever in the undisturbed one.
    pub async fn disturbed(&self) -> Disturbance {
        let mut recorded = self.0.tape.recorded();
        loop {
            if let Some((what, _)) = self.disturbance() {
                return what;
            }
            // The tape lives as long as the bench: it is never closed.
            let _ = recorded.changed().await;
        }
    }

    /// What this play has been disturbed by, and when; nothing if it has not been so far.
    pub fn disturbance(&self) -> Option<(Disturbance, Mark)> {
        self.0.tape.disturbance().map(|(what, at, _)| (what, at))
    }

    /// What was recorded after the disturbance, as it was at the time, with times by the clock; nothing without one.
    pub fn since_disturbed(&self) -> Vec<Moment> {
        let Some((_, _, count)) = self.0.tape.disturbance() else { return Vec::new() };
        self.0.tape.recording().into_iter().skip(count).map(|(_, moment)| moment).collect()
    }

    /// Everything that was recorded so far, as it was at the time, each with its time by the clock in milliseconds.
    pub fn recording(&self) -> Vec<(u64, Moment)> {
        self.0.tape.recording()
    }

    /// Arranges for a disturbance.
    pub(crate) fn disturb(&self, disturbed: Disturbed) {
        if let Some(call) = disturbed.call {
            self.0.tape.abort_inside(call);
        }
        let Some(at) = disturbed.at else { return };
        let (bench, at) = (self.clone(), Instant::now() + Duration::from_millis(at));
        spawn_local(async move {
            sleep_until(at).await;
            bench.0.tape.disturb(disturbed.what);
            bench.make(disturbed).await;
        });
    }

    /// Makes a disturbance, as far as it is the bench's to make.
    async fn make(&self, disturbed: Disturbed) {
        let pages: Vec<Page> = self.0.pages.borrow().clone();
        let each = |act: &dyn Fn(&Page)| pages.iter().for_each(act);
        match disturbed.what {
            Disturbance::Abort => each(&|page| {
                // What it makes the client throw is the page's failure, and heard of as such.
                let _ = page.eval(sweep::abort(disturbed.number));
            }),
            Disturbance::Cut => self.cut().await,
            Disturbance::Refuse => {
                self.refuse();
                self.cut().await;
                self.wait_s(3).await;
                self.accept();
            }
            Disturbance::Hide | Disturbance::HideLong => {
                each(&|page| page.set_visibility(true));
                self.wait_s(if disturbed.what == Disturbance::Hide { 5 } else { 70 }).await;
                each(&|page| page.set_visibility(false));
            }
            Disturbance::Leave => {
                each(&Page::leave);
                self.wait_s(5).await;
                each(&Page::return_to);
            }
            Disturbance::Offline => {
                self.refuse();
                each(&|page| page.set_online(false));
                self.cut().await;
                self.wait_s(5).await;
                self.accept();
                each(&|page| page.set_online(true));
            }
            Disturbance::OfflineOnly => {
                each(&|page| page.set_online(false));
                self.wait_s(5).await;
                each(&|page| page.set_online(true));
            }
            Disturbance::Stall => {
                self.hold();
                self.wait_s(40).await;
                self.heal();
            }
            Disturbance::AbortInside
            | Disturbance::ClientGone
            | Disturbance::Close
            | Disturbance::Custom(_) => {}
        }
    }

    // ---- time and chance

    /// Lets time pass.
    pub async fn wait(&self, time: Duration) {
        sleep(time).await;
    }

    /// Lets so many milliseconds pass.
    pub async fn wait_ms(&self, ms: u64) {
        sleep(Duration::from_millis(ms)).await;
    }

    /// Lets so many seconds pass.
    pub async fn wait_s(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    /// Now.
    pub fn now(&self) -> Mark {
        self.0.tape.now()
    }

    /// The seed of this play: payloads are drawn from it, so that no answer can be known beforehand.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Whether this is the plain play, which the snapshot holds: the others draw from what is awkward.
    pub fn is_plain(&self) -> bool {
        self.0.seed == SEEDS[0]
    }

    /// One of these, drawn from the seed; the first of them in the plain play.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Clone>(&self, choices: &[T]) -> T {
        let index = if self.is_plain() { 0 } else { self.draw(choices.len() as u64) as usize };
        choices[index].clone()
    }

    /// A number below `bound`, drawn from the seed.
    pub fn draw(&self, bound: u64) -> u64 {
        let mut state = self.0.chance.borrow_mut();
        // xorshift64*: enough to keep answers from being guessed, and the same everywhere.
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound.max(1)
    }

    // ---- the transcript

    /// A narrator's line.
    pub fn note(&self, words: &str) {
        self.0.tape.note(words);
    }

    /// Tells these request headers (lower-case names) on connections that are opened from now on.
    pub fn show_request_headers(&self, names: &[&str]) {
        self.0
            .tape
            .focus(|lens| lens.request_headers = names.iter().map(|name| (*name).to_owned()).collect());
    }

    /// Tells these response headers (lower-case names) on connections that are opened from now on.
    pub fn show_response_headers(&self, names: &[&str]) {
        self.0
            .tape
            .focus(|lens| lens.response_headers = names.iter().map(|name| (*name).to_owned()).collect());
    }

    /// Tells comments of event streams on connections that are opened from now on.
    pub fn show_comments(&self) {
        self.0.tape.focus(|lens| lens.comments = true);
    }

    /// Tells reconnection times on connections that are opened from now on.
    pub fn show_retry(&self) {
        self.0.tape.focus(|lens| lens.retry = true);
    }

    /// Tells WebSocket pings and pongs on connections that are opened from now on.
    pub fn show_pings(&self) {
        self.0.tape.focus(|lens| lens.pings = true);
    }

    /// The contract leaves the time of the last such moment open: see the window, in milliseconds after `since`.
    ///
    /// What follows is told as if it had happened at the window's end.
    pub fn leave_open(&self, since: Mark, window: (u64, u64), which: impl Fn(&Moment) -> bool) {
        self.0.tape.leave_open(since, window, which);
    }

    /// The same, where nothing that follows depends on that moment: later times stay as they are.
    pub fn tell_as_window(&self, since: Mark, window: (u64, u64), which: impl Fn(&Moment) -> bool) {
        self.0.tape.tell_as_window(since, window, which);
    }

    /// The contract says *at once* and no millisecond: the last such moment is told at `told` (of [`Bench::told_at`]),
    /// and what follows as if it had happened then.
    pub fn tell_at(&self, told: u64, which: impl Fn(&Moment) -> bool) {
        self.0.tape.tell_at(told, which);
    }

    /// The contract leaves something of the last such moment open: `change` makes right answers alike.
    pub fn retell(&self, which: impl Fn(&Moment) -> bool, change: impl FnOnce(&mut Moment)) {
        self.0.tape.retell(which, change);
    }

    /// The same for every moment, in order.
    pub fn retell_all(&self, change: impl FnMut(&mut Moment)) {
        self.0.tape.retell_all(change);
    }

    /// The contract does not speak of such moments: they are left out of what
    /// is told when the play is over, however it ends.
    pub fn leave_out(&self, which: impl FnMut(&Moment) -> bool + 'static) {
        self.0.left_out.borrow_mut().push(Box::new(which));
    }

    /// Everything that was told so far.
    pub fn moments(&self) -> Vec<Moment> {
        self.0.tape.transcript().moments
    }

    /// When, by the clock, a moment happened that was told since the last [`Bench::leave_open`].
    pub fn clock(&self, moment: &Moment) -> Mark {
        self.0.tape.clock(moment)
    }

    /// At which millisecond of the transcript something that happens at this mark is told, since time was last left open.
    pub fn told_at(&self, mark: Mark) -> u64 {
        self.0.tape.told_at(mark)
    }

    /// When the last such moment happened, by the clock; nothing if there was none.
    pub fn last_moment(&self, which: impl Fn(&Moment) -> bool) -> Option<Mark> {
        self.moments().iter().rev().find(|moment| which(moment)).map(|moment| self.clock(moment))
    }

    /// What the page has said under this label so far (all of its words, in order).
    pub fn said(&self, label: &str) -> Vec<Data> {
        let said = self.moments().into_iter().filter_map(|moment| match moment.what {
            What::Said(spoken, data) if spoken == label => Some(data),
            _ => None,
        });
        said.collect()
    }

    /// What has passed so far on each connection, in bytes, in the order in which they were opened.
    pub fn traffic(&self) -> Vec<Tally> {
        self.0.net.tallies()
    }

    /// Waits until `happened` answers with something, asking whenever more
    /// was recorded, for at most `patience` of virtual time.
    ///
    /// # Errors
    /// `otherwise`, a sentence, when the time is over.
    pub async fn until<T>(
        &self,
        patience: Duration,
        otherwise: &str,
        mut happened: impl FnMut() -> Option<T>,
    ) -> Result<T, Failure> {
        let mut recorded = self.0.tape.recorded();
        let waiting = async {
            loop {
                if let Some(found) = happened() {
                    return found;
                }
                // The tape lives as long as the bench: it is never closed.
                let _ = recorded.changed().await;
            }
        };
        within(patience, waiting, || Failure::broken(otherwise)).await
    }

    pub(crate) fn told(&self) -> Transcript {
        let mut transcript = self.0.tape.transcript();
        for left_out in self.0.left_out.borrow_mut().iter_mut() {
            transcript.moments.retain(|moment| !left_out(moment));
        }
        say_each_status_once(&mut transcript);
        transcript
    }

    pub(crate) fn console(&self) -> Vec<String> {
        self.0.pages.borrow().iter().flat_map(Page::console).collect()
    }
}

/// A status that is told again says nothing new, and `connecting` is what everybody assumes.
fn say_each_status_once(transcript: &mut Transcript) {
    let mut told: Vec<(Option<char>, Data)> = Vec::new();
    transcript.moments.retain(|moment| {
        let (Place::Page, What::Said(label, status)) = (moment.place, &moment.what) else { return true };
        if label != "status" {
            return true;
        }
        if *status == Data::Text("connecting".to_owned()) {
            return false;
        }
        match told.iter_mut().find(|(client, _)| *client == moment.client) {
            Some((_, before)) => std::mem::replace(before, status.clone()) != *status,
            None => {
                told.push((moment.client, status.clone()));
                true
            }
        }
    });
}

/// `waiting`, for at most `patience` of virtual time.
pub(crate) async fn within<T>(
    patience: Duration,
    waiting: impl Future<Output = T>,
    otherwise: impl FnOnce() -> Failure,
) -> Result<T, Failure> {
    tokio::time::timeout(patience, waiting).await.map_err(|_| otherwise())
}
