//! The instructor's key: a link that works once, and the cookie it is exchanged for.
//!
//! A key and a session are 128 random bits each. The stage keeps their SHA-256 only, and compares all of it. A link
//! that worked is remembered as used, so that whoever opens it a second time is told so. Who guesses is made to wait,
//! longer each time, a few at a time; the others are sent away. The right key is never made to wait.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::html;
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

type Hash = [u8; 32];

/// Who may come to the console. Clones are one door.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    guessing: AtomicUsize,
    sent_away: AtomicU64,
}

#[derive(Default)]
struct State {
    links: VecDeque<(Hash, Option<Instant>)>,
    used: VecDeque<Hash>,
    sessions: VecDeque<(Hash, Instant)>,
    guesses: u32,
    guessed: Option<Instant>,
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

impl Door {
    /// A key for a link that works once, within this time if there is one.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub(crate) fn link(&self, within: Option<Duration>) -> Result<String, getrandom::Error> {
        let key = random()?;
        let mut state = self.state();
        // The first one, from the terminal, is the last to be forgotten: it has no time limit.
        if state.links.len() >= LINKS {
            let timed = state.links.iter().position(|(_, until)| until.is_some()).unwrap_or(0);
            state.links.remove(timed);
        }
        state.links.push_back((hash(&key), within.map(|within| Instant::now() + within)));
        Ok(key)
    }

    /// Takes a link's key; gives the cookie for the browser.
    fn exchange(&self, key: &str) -> Result<HeaderValue, Refused> {
        let key = hash(key);
        let session = random().map_err(|_| Refused::Unknown)?;
        let mut state = self.state();
        let now = Instant::now();
        state.links.retain(|(_, until)| until.is_none_or(|until| until > now));
        let Some(at) = state.links.iter().position(|(link, _)| same(link, &key)) else {
            let used = state.used.iter().any(|used| same(used, &key));
            return Err(if used { Refused::Used } else { Refused::Unknown });
        };
        state.links.remove(at);
        push(&mut state.used, key, USED);
        push(&mut state.sessions, (hash(&session), now + SESSION), SESSIONS);
        let cookie = format!(
            "{COOKIE}={session}; Path=/instructor; Max-Age={}; HttpOnly; SameSite=Strict",
            SESSION.as_secs()
        );
        HeaderValue::from_str(&cookie).map_err(|_| Refused::Unknown)
    }

    /// Whether the request comes from a browser that exchanged a link.
    fn knows(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let session = hash(cookie(headers, COOKIE).ok_or(Refused::Missing)?);
        let now = Instant::now();
        let known = self
            .state()
            .sessions
            .iter()
            .fold(false, |known, (other, until)| known | (same(other, &session) && *until > now));
        if known { Ok(()) } else { Err(Refused::Unknown) }
    }

    /// Exchanges a key for the answer's cookie.
    ///
    /// # Errors
    /// The answer to who has no right key, after a while.
    pub(crate) async fn enter(
        &self,
        key: &str,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
    ) -> Result<HeaderValue, Response> {
        match self.exchange(key) {
            Ok(cookie) => Ok(cookie),
            Err(refused) => Err(self.refuse(refused, headers, peer).await),
        }
    }

    async fn refuse(&self, refused: Refused, headers: &HeaderMap, peer: Option<SocketAddr>) -> Response {
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
        let mut state = self.state();
        if state.guessed.is_none_or(|guessed| guessed.elapsed() > FORGIVEN) {
            state.guesses = 0;
        }
        state.guessed = Some(Instant::now());
        state.guesses = state.guesses.saturating_add(1);
        pause(state.guesses)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
        match door.knows(&parts.headers) {
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

fn hash(secret: &str) -> Hash {
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

    fn with(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&pair).unwrap())])
    }

    #[test]
    fn a_link_works_once() {
        let door = Door::default();
        let key = door.link(None).unwrap();
        let cookie = door.exchange(&key).unwrap();
        assert_eq!(door.exchange(&key), Err(Refused::Used));
        assert_eq!(door.knows(&with(&cookie)), Ok(()));
    }

    #[test]
    fn nothing_else_gets_in() {
        let door = Door::default();
        let key = door.link(None).unwrap();
        for wrong in
            ["", "0", &key[1..], &format!("{key}0"), &key.to_uppercase().replace(char::is_numeric, "A")]
        {
            assert_eq!(door.exchange(wrong), Err(Refused::Unknown), "{wrong}");
        }
        assert_eq!(door.knows(&HeaderMap::new()), Err(Refused::Missing));
        let own = HeaderValue::from_str(&format!("{COOKIE}={key}")).unwrap();
        assert_eq!(door.knows(&with(&own)), Err(Refused::Unknown), "a link's key is no session");
        assert!(door.exchange(&key).is_ok());
    }

    #[test]
    fn a_link_s_time_is_over_at_some_point() {
        let door = Door::default();
        let key = door.link(Some(Duration::ZERO)).unwrap();
        assert_eq!(door.exchange(&key), Err(Refused::Unknown));
    }

    #[test]
    fn links_and_sessions_are_bounded_and_the_terminal_s_link_stays() {
        let door = Door::default();
        let first = door.link(None).unwrap();
        for _ in 0..3 * LINKS {
            door.link(Some(Duration::from_secs(60))).unwrap();
        }
        assert_eq!(door.state().links.len(), LINKS);
        let cookie = door.exchange(&first).unwrap();
        for _ in 0..SESSIONS {
            let key = door.link(None).unwrap();
            door.exchange(&key).unwrap();
        }
        assert_eq!(door.knows(&with(&cookie)), Err(Refused::Unknown), "the first device is forgotten first");
    }

    #[test]
    fn each_guess_waits_longer_up_to_a_bound() {
        let pauses: Vec<_> = (0..9).map(pause).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [200, 200, 400, 800, 1_600, 3_200, 6_400, 6_400, 6_400]);
    }

    #[tokio::test(start_paused = true)]
    async fn few_guesses_wait_and_the_right_key_does_not() {
        let door = Door::default();
        let key = door.link(None).unwrap();
        let began = tokio::time::Instant::now();
        let guesses: Vec<_> = (0..GUESSES + 3)
            .map(|_| {
                let door = door.clone();
                tokio::spawn(async move {
                    door.enter("guess", &HeaderMap::new(), None).await.unwrap_err().status()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(door.enter(&key, &HeaderMap::new(), None).await.is_ok());
        assert_eq!(began.elapsed(), Duration::ZERO, "the right key never waits");
        let mut told = Vec::new();
        for guess in guesses {
            told.push(guess.await.unwrap());
        }
        let sent_away = told.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count();
        assert_eq!(sent_away, 3, "{told:?}");
        assert!(began.elapsed() >= pause(GUESSES as u32));
    }
}
