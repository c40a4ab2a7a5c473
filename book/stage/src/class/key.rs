//! The instructor's key: a link that works once, and the cookie it is exchanged for.
//!
//! A key and a session are 128 random bits each. The stage keeps their SHA-256 only, and compares all of it. A link
//! that worked is remembered as used, so that whoever opens it a second time is told so. Who guesses is made to wait,
//! longer each time, a few at a time; the others are sent away. The right key is never made to wait.
//!
//! Stages that share a class share its [`Keys`], hashes only: a link works once on any of them, and its cookie on all.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{html, shared::Sharing};
use crate::{guard::wants_page, server::Connection, visitor::cookie};

/// The cookie's name.
const COOKIE: &str = "stage_instructor";
/// How long a browser keeps it: a long day.
const SESSION: Duration = Duration::from_secs(16 * 60 * 60);
/// How many devices may be at the console; the one that came first is forgotten first.
const SESSIONS: usize = 8;
/// How many links wait to be opened.
const LINKS: usize = 8;
/// How many used links are told from wrong ones.
const USED: usize = 64;
/// How many guesses wait for their answer at once.
const GUESSES: usize = 4;
/// After this long without a guess, waiting begins anew.
const FORGIVEN: Duration = Duration::from_secs(60);

/// What the stage keeps of a secret.
pub(crate) type Hash = [u8; 32];

/// Who may come to the console. Clones are one door.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keys: Mutex<Keys>,
    guesses: Mutex<Guesses>,
    guessing: AtomicUsize,
    sent_away: AtomicU64,
    /// Where the keys come from, if other stages have them, too.
    shared: OnceLock<Weak<Sharing>>,
}

/// What opens the door. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keys {
    links: VecDeque<(Hash, Option<u64>)>,
    used: VecDeque<Hash>,
    sessions: VecDeque<(Hash, u64)>,
}

#[derive(Default)]
struct Guesses {
    number: u32,
    last: Option<Instant>,
}

/// Why a key opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was used before.
    Used,
    /// It never was one, or its time is over.
    Unknown,
    /// Nothing was shown that could be one.
    Missing,
}

impl Refused {
    fn sentence(self) -> &'static str {
        match self {
            Self::Used => {
                "This link has been used, and it works once. On the device that used it the console is at /instructor; there, “A link for another device” makes a new one."
            }
            Self::Unknown => {
                "This opens nothing: the console’s link is printed in the terminal where the stage was started, and it is a new one each time."
            }
            Self::Missing => {
                "The console is the instructor’s: its link is printed in the terminal where the stage was started. (If you came by that link from another page, load this one again.)"
            }
        }
    }
}

impl Keys {
    /// Lets a link's key in, once, until this time if there is one.
    pub(crate) fn add(&mut self, link: Hash, until: Option<u64>) {
        // The first one, from the terminal, is the last to be forgotten: it has no time limit.
        if self.links.len() >= LINKS {
            let timed = self.links.iter().position(|(_, until)| until.is_some()).unwrap_or(0);
            self.links.remove(timed);
        }
        self.links.push_back((link, until));
    }

    /// Takes a link's key; the session opens the door from now on.
    pub(crate) fn exchange(&mut self, link: &Hash, session: Hash, now: u64) -> Result<(), Refused> {
        self.links.retain(|(_, until)| until.is_none_or(|until| until > now));
        let Some(at) = self.links.iter().position(|(other, _)| same(other, link)) else {
            let used = self.used.iter().any(|used| same(used, link));
            return Err(if used { Refused::Used } else { Refused::Unknown });
        };
        self.links.remove(at);
        push(&mut self.used, *link, USED);
        push(&mut self.sessions, (session, now + SESSION.as_millis() as u64), SESSIONS);
        Ok(())
    }

    /// Lets in nobody from here on but who has this session; and nobody with a link that was made at the console.
    pub(crate) fn keep_only(&mut self, session: &Hash) {
        self.sessions.retain(|(other, _)| same(other, session));
        self.links.retain(|(_, until)| until.is_none());
    }

    /// Whether a link's key is one, or was.
    pub(crate) fn has(&self, link: &Hash) -> bool {
        let links = self.links.iter().map(|(link, _)| link);
        links.chain(&self.used).fold(false, |has, other| has | same(other, link))
    }

    /// Whether who has this session is the instructor.
    pub(crate) fn opens(&self, session: &Hash) -> bool {
        let now = now();
        self.sessions
            .iter()
            .fold(false, |known, (other, until)| known | (same(other, session) && *until > now))
    }
}

/// The cookie for a browser that came by a link, and what is kept of it.
///
/// # Errors
/// When the system has no random numbers to give.
pub(crate) fn session() -> Result<(HeaderValue, Hash), getrandom::Error> {
    let session = random()?;
    let cookie = format!(
        "{COOKIE}={session}; Path=/instructor; Max-Age={}; HttpOnly; SameSite=Strict",
        SESSION.as_secs()
    );
    // Of hexadecimal digits and the text above, which a header may hold.
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| getrandom::Error::UNEXPECTED)?;
    Ok((cookie, hash(&session)))
}

impl Door {
    pub(crate) fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.keys.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Has the keys in common with other stages from now on.
    pub(crate) fn share(&self, sharing: &Arc<Sharing>) {
        let _ = self.0.shared.set(Arc::downgrade(sharing));
    }

    /// Whether the request comes from a browser that exchanged a link.
    async fn knows(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let session = session_of(headers).ok_or(Refused::Missing)?;
        if self.sure(|keys| keys.opens(&session)).await { Ok(()) } else { Err(Refused::Unknown) }
    }

    /// Whether something holds for the keys; where other stages have them, too, it may only just have become so.
    pub(crate) async fn sure(&self, holds: impl Fn(&Keys) -> bool) -> bool {
        if holds(&self.keys()) {
            return true;
        }
        let Some(sharing) = self.0.shared.get().and_then(Weak::upgrade) else { return false };
        sharing.catch_up().await;
        holds(&self.keys())
    }

    /// The answer to who has no right key, after a while.
    pub(crate) async fn refuse(
        &self,
        refused: Refused,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
    ) -> Response {
        // Who has shown nothing has not guessed, and who shows what was right once need not guess.
        if refused == Refused::Unknown {
            let Some(_turn) = Turn::take(&self.0.guessing) else {
                self.0.sent_away.fetch_add(1, Ordering::Relaxed);
                let wait = [(header::RETRY_AFTER, "60")];
                return (StatusCode::TOO_MANY_REQUESTS, wait, "Too many keys that open nothing.\n")
                    .into_response();
            };
            let pause = self.guessed();
            let sent_away = self.0.sent_away.swap(0, Ordering::Relaxed);
            tracing::warn!(
                ?peer,
                sent_away,
                "somebody came to the instructor's console with a key that opens nothing; answered in {pause:?}"
            );
            tokio::time::sleep(pause).await;
        }
        let words = refused.sentence();
        if wants_page(headers) {
            (StatusCode::FORBIDDEN, Html(html::notice("The instructor’s console", words))).into_response()
        } else {
            (StatusCode::FORBIDDEN, format!("{words}\n")).into_response()
        }
    }

    /// Counts a guess; gives how long its answer takes.
    fn guessed(&self) -> Duration {
        let mut guesses = self.0.guesses.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if guesses.last.is_none_or(|last| last.elapsed() > FORGIVEN) {
            guesses.number = 0;
        }
        guesses.last = Some(Instant::now());
        guesses.number = guesses.number.saturating_add(1);
        pause(guesses.number)
    }
}

/// How long the answer to the nth guess takes: twice as long each time, six seconds at most.
fn pause(guess: u32) -> Duration {
    Duration::from_millis(100 << guess.clamp(1, 6).saturating_sub(1)).mul_f32(2.0)
}

/// One of the few guesses that may wait for their answer.
struct Turn<'a>(&'a AtomicUsize);

impl<'a> Turn<'a> {
    fn take(guessing: &'a AtomicUsize) -> Option<Self> {
        let turn = Self(guessing);
        // Counted down again where there were too many, by dropping it.
        (guessing.fetch_add(1, Ordering::Relaxed) < GUESSES).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is kept of the session with which a browser comes.
pub(crate) fn session_of(headers: &HeaderMap) -> Option<Hash> {
    cookie(headers, COOKIE).map(hash)
}

/// Proof that a request comes from the instructor: a route that takes it is open to nobody else.
///
/// It works in every router whose state has a [`Door`] in it.
pub(crate) struct Instructor;

impl<S: Send + Sync> FromRequestParts<S> for Instructor
where
    Door: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let door = Door::from_ref(state);
        match door.knows(&parts.headers).await {
            Ok(()) => Ok(Self),
            Err(refused) => {
                let peer = parts.extensions.get::<Connection>().map(|connection| connection.peer);
                Err(door.refuse(refused, &parts.headers, peer).await)
            }
        }
    }
}

/// 128 random bits, as text.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// Looks at every byte, wherever the first difference is.
fn same(one: &Hash, other: &Hash) -> bool {
    one.iter().zip(other).fold(0, |differences, (one, other)| differences | (one ^ other)) == 0
}

fn push<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn link(keys: &mut Keys, until: Option<u64>) -> Hash {
        let link = hash(&random().unwrap());
        keys.add(link, until);
        link
    }

    /// Exchanges a link; gives the browser's headers from then on.
    fn enter(keys: &mut Keys, link: &Hash) -> Result<HeaderMap, Refused> {
        let (cookie, session) = session().unwrap();
        keys.exchange(link, session, now())?;
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        Ok(HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&pair).unwrap())]))
    }

    fn with(keys: Keys) -> Door {
        let door = Door::default();
        *door.keys() = keys;
        door
    }

    #[tokio::test]
    async fn a_link_works_once() {
        let mut keys = Keys::default();
        let key = link(&mut keys, None);
        let headers = enter(&mut keys, &key).unwrap();
        assert_eq!(enter(&mut keys, &key), Err(Refused::Used));
        assert_eq!(with(keys).knows(&headers).await, Ok(()));
    }

    #[tokio::test]
    async fn nothing_else_gets_in() {
        let key = random().unwrap();
        let mut keys = Keys::default();
        keys.add(hash(&key), None);
        for wrong in
            ["", "0", &key[1..], &format!("{key}0"), &key.to_uppercase().replace(char::is_numeric, "A")]
        {
            assert_eq!(enter(&mut keys, &hash(wrong)), Err(Refused::Unknown), "{wrong}");
        }
        let door = with(keys);
        assert_eq!(door.knows(&HeaderMap::new()).await, Err(Refused::Missing));
        let own = HeaderValue::from_str(&format!("{COOKIE}={key}")).unwrap();
        let own = HeaderMap::from_iter([(header::COOKIE, own)]);
        assert_eq!(door.knows(&own).await, Err(Refused::Unknown), "a link's key is no session");
        assert!(enter(&mut door.keys(), &hash(&key)).is_ok());
    }

    #[test]
    fn a_link_s_time_is_over_at_some_point() {
        let mut keys = Keys::default();
        let key = link(&mut keys, Some(NOW));
        assert_eq!(keys.clone().exchange(&key, hash("session"), NOW - 1), Ok(()));
        assert_eq!(keys.exchange(&key, hash("session"), NOW), Err(Refused::Unknown));
    }

    #[tokio::test]
    async fn links_and_sessions_are_bounded_and_the_terminal_s_link_stays() {
        let mut keys = Keys::default();
        let first = link(&mut keys, None);
        for _ in 0..3 * LINKS {
            link(&mut keys, Some(u64::MAX));
        }
        assert_eq!(keys.links.len(), LINKS);
        let headers = enter(&mut keys, &first).unwrap();
        for _ in 0..SESSIONS {
            let key = link(&mut keys, None);
            enter(&mut keys, &key).unwrap();
        }
        let door = with(keys);
        assert_eq!(door.knows(&headers).await, Err(Refused::Unknown), "the first device is forgotten first");
    }

    #[test]
    fn all_other_devices_can_be_sent_away() {
        let mut keys = Keys::default();
        let [first, second] = [link(&mut keys, None), link(&mut keys, None)];
        let terminal = link(&mut keys, None);
        let [own, other] = [hash("own"), hash("other")];
        keys.exchange(&first, own, now()).unwrap();
        keys.exchange(&second, other, now()).unwrap();
        let made_by_other = link(&mut keys, Some(u64::MAX));
        keys.keep_only(&own);
        assert!(keys.opens(&own) && !keys.opens(&other));
        assert_eq!(keys.exchange(&made_by_other, hash("again"), now()), Err(Refused::Unknown));
        assert_eq!(
            keys.exchange(&terminal, hash("again"), now()),
            Ok(()),
            "the terminal's link is nobody else's"
        );
    }

    #[test]
    fn each_guess_waits_longer_up_to_a_bound() {
        let pauses: Vec<_> = (0..9).map(pause).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [200, 200, 400, 800, 1_600, 3_200, 6_400, 6_400, 6_400]);
    }

    #[tokio::test(start_paused = true)]
    async fn few_guesses_wait() {
        let door = Door::default();
        let began = tokio::time::Instant::now();
        let guesses: Vec<_> = (0..GUESSES + 3)
            .map(|_| {
                let door = door.clone();
                tokio::spawn(
                    async move { door.refuse(Refused::Unknown, &HeaderMap::new(), None).await.status() },
                )
            })
            .collect();
        let mut told = Vec::new();
        for guess in guesses {
            told.push(guess.await.unwrap());
        }
        let sent_away = told.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count();
        assert_eq!(sent_away, 3, "{told:?}");
        assert!(began.elapsed() >= pause(GUESSES as u32));
    }
}
