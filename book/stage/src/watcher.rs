//! Watches one connection, whosever it is, from the middle of whatever it carries: for the instructor's console.
//!
//! [`crate::ear`] hears an exchange of a visitor's page from its first byte. Here somebody joins later: of the exchange
//! at hand only its request and the head of its answer are known, so the reading begins where a chunk of the body
//! begins (RFC 9112 § 7.1), or a frame (RFC 6455 § 5.2), and each exchange after it is heard whole. What a page's
//! files and its panel say is left out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use wire::{
    Moment, Place, What,
    tap::{Lens, Tap},
    ws::Header,
};

use crate::{
    labs::LABS,
    line::{Answered, Ending, Exchange, Listen},
    visitor::Visitor,
    weather::Weather,
};

/// The page of the transcript: it has one.
pub(crate) const PAGE: u32 = 1;
/// The longest line that gives a chunk's size.
const SIZE: usize = 18;

/// Hears a connection and writes what it says into a transcript.
pub(crate) struct Watcher {
    transcript: Arc<Visitor>,
    is_over: Arc<AtomicBool>,
    tap: Tap,
    to_server: Joining,
    to_client: Joining,
    /// The exchange that is of no interest.
    muted: Option<u32>,
    weather: Weather,
}

/// Where the reading of one direction stands.
enum Joining {
    /// Every byte is read.
    Joined,
    /// At the next frame, by this header's mask bit.
    AtFrame { masked: bool },
    /// At the answer's head, where it has not been sent yet; else at the next chunk. The bytes since the last place
    /// where one could begin are kept.
    AtChunk { head: String, held: Vec<u8> },
    /// At the next exchange.
    AtNext,
}

/// Whether nothing of interest goes on in this exchange: it is answered, or a page's own affair.
pub(crate) fn is_quiet(Exchange { asked, answered }: &Exchange) -> bool {
    let is_answered = answered.as_ref().is_some_and(|answer| !answer.is_stream && answer.status != 101);
    let target = asked.split_once(' ').map_or("", |(_, target)| target);
    is_answered || !is_spoken_on(target)
}

impl Watcher {
    /// Joins a connection in this exchange and this weather.
    pub(crate) fn new(
        transcript: &Arc<Visitor>,
        is_over: &Arc<AtomicBool>,
        exchange: &Exchange,
        weather: Weather,
    ) -> Self {
        let mut watcher = Self::from_its_head(transcript, is_over, weather);
        watcher.join(exchange);
        let target = exchange.asked.split_once(' ').map(|(_, target)| target);
        watcher.note(match target.filter(|target| is_spoken_on(target)) {
            None => "watched from here on".to_owned(),
            Some(_) => format!("watched from here on, in the midst of {}", exchange.asked),
        });
        watcher.note_weather();
        watcher
    }

    /// Hears an exchange, and those after it, from its first byte.
    pub(crate) fn from_its_head(
        transcript: &Arc<Visitor>,
        is_over: &Arc<AtomicBool>,
        weather: Weather,
    ) -> Self {
        Self {
            transcript: Arc::clone(transcript),
            is_over: Arc::clone(is_over),
            tap: Tap::new(None, lens()),
            to_server: Joining::Joined,
            to_client: Joining::Joined,
            muted: None,
            weather,
        }
    }

    fn note_weather(&self) {
        if !self.weather.is_clear() {
            self.note(format!("the weather is: {}", self.weather));
        }
    }

    /// Tells the tap what it has missed.
    fn join(&mut self, Exchange { asked, answered }: &Exchange) {
        if asked.is_empty() {
            return;
        }
        let upgraded = answered.as_ref().is_some_and(|answered| answered.status == 101);
        const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\n";
        let upgrade = if upgraded { UPGRADE } else { "" };
        let request = format!("{asked} HTTP/1.1\r\n{upgrade}\r\n");
        let transcript = &self.transcript;
        let told = self.tap.to_server(0, request.as_bytes(), &mut || transcript.next_exchange(PAGE));
        self.chosen(told);
        match answered {
            None => {}
            Some(_) if upgraded => {
                self.tap
                    .to_client(0, format!("HTTP/1.1 101 Switching Protocols\r\n{UPGRADE}\r\n").as_bytes());
                self.to_server = Joining::AtFrame { masked: true };
                self.to_client = Joining::AtFrame { masked: false };
            }
            Some(Answered { status, content_type, is_stream: true }) => {
                let head = format!(
                    "HTTP/1.1 {status} \r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
                );
                self.to_client = Joining::AtChunk { head, held: Vec::new() };
            }
            Some(_) => self.to_client = Joining::AtNext,
        }
    }

    /// Without the exchanges that are of no interest.
    fn chosen(&mut self, told: Vec<Moment>) -> Vec<Moment> {
        let is_chosen = |moment: &Moment| {
            if let What::Request { target, .. } = &moment.what {
                self.muted = moment.exchange.filter(|_| !is_spoken_on(target));
            }
            moment.exchange.is_none() || moment.exchange != self.muted
        };
        told.into_iter().filter(is_chosen).collect()
    }

    fn write(&mut self, told: Vec<Moment>) {
        let told = self.chosen(told);
        self.transcript.write(PAGE, told);
    }

    fn note(&self, words: String) {
        self.transcript.narrate(PAGE, vec![(Place::Note, What::Note(words))]);
    }
}

impl Listen for Watcher {
    fn to_server(&mut self, bytes: &[u8]) {
        let Some(bytes) = self.to_server.pass(bytes) else { return };
        let transcript = Arc::clone(&self.transcript);
        let told = self.tap.to_server(transcript.now(), &bytes, &mut || transcript.next_exchange(PAGE));
        self.write(told);
    }

    fn to_client(&mut self, bytes: &[u8]) -> bool {
        if !self.transcript.is_watched() {
            return false;
        }
        // An answer that is joined from its head on needs none of ours.
        let is_head = bytes.starts_with(b"HTTP/1.");
        if let Joining::AtChunk { head, held } = &self.to_client
            && held.is_empty()
            && !is_head
        {
            self.tap.to_client(0, head.as_bytes());
        }
        if is_head && !matches!(self.to_client, Joining::AtFrame { .. }) {
            self.to_client = Joining::Joined;
        }
        if let Some(bytes) = self.to_client.pass(bytes) {
            let told = self.tap.to_client(self.transcript.now(), &bytes);
            self.write(told);
        }
        true
    }

    fn ended(&mut self, how: Ending) {
        let now = self.transcript.now();
        let told = match how {
            Ending::Cut => self.tap.cut(now),
            Ending::Client => self.tap.closed_by_client(now),
            Ending::Server => self.tap.closed_by_server(now),
        };
        self.write(told);
        self.note("the connection is over".to_owned());
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn begins(&mut self) {
        if !matches!((&self.to_server, &self.to_client), (Joining::Joined, Joining::Joined)) {
            // What was joined too late is over.
            self.tap = Tap::new(None, lens());
            self.to_server = Joining::Joined;
            self.to_client = Joining::Joined;
        }
    }

    fn turns(&mut self, weather: Weather) {
        let before = std::mem::replace(&mut self.weather, weather);
        self.transcript.narrate(PAGE, before.turns_into(&weather));
    }
}

impl Joining {
    /// The bytes that can be read, from the first that can be on.
    fn pass(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Joined => Some(bytes.to_vec()),
            Self::AtNext => None,
            Self::AtFrame { masked } => {
                let begins = begins_frame(bytes, *masked);
                if begins {
                    *self = Self::Joined;
                }
                begins.then(|| bytes.to_vec())
            }
            Self::AtChunk { held, .. } => {
                let is_first = held.is_empty();
                held.extend_from_slice(bytes);
                let Some(start) = chunk(held, is_first) else {
                    // Never empty again: the head has been told.
                    let old = held.len().saturating_sub(SIZE + 4);
                    held.drain(..old);
                    return None;
                };
                let rest = held.split_off(start);
                *self = Self::Joined;
                Some(rest)
            }
        }
    }
}

/// Whether these bytes begin with a frame that begins a message, or that stands for itself.
fn begins_frame(bytes: &[u8], masked: bool) -> bool {
    Header::read(bytes).is_some_and(|header| {
        header.reserved == 0
            && matches!(header.opcode, 0x1 | 0x2 | 0x8..=0xa)
            && header.mask.is_some() == masked
    })
}

/// Where a chunk begins: with the first byte, if what was sent began here, or behind the end of another.
fn chunk(bytes: &[u8], is_first: bool) -> Option<usize> {
    if is_first && has_size(bytes) {
        return Some(0);
    }
    let line_ends = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"\r\n");
    line_ends.map(|(at, _)| at + 2).find(|at| has_size(&bytes[*at..]))
}

/// Whether these bytes begin with the line that gives a chunk's size.
fn has_size(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    (1..=SIZE - 2).contains(&digits) && bytes[digits..].starts_with(b"\r\n")
}

/// What is told: what every lab's chapter is about. A cookie is nobody's business.
fn lens() -> Lens {
    let mut lens = Lens { comments: true, retry: true, ids: true, pings: true, ..Lens::default() };
    for lab in &LABS {
        for (headers, names) in [
            (&mut lens.request_headers, lab.request_headers),
            (&mut lens.response_headers, lab.response_headers),
        ] {
            headers.extend(names.iter().map(|&name| name.to_owned()));
            headers.sort_unstable();
            headers.dedup();
        }
    }
    lens
}

/// Whether a technique speaks under this target: not a page, its files, its panel, or the book.
fn is_spoken_on(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let Some((_, inside)) = path.strip_prefix("/live/").and_then(|inside| inside.split_once('/')) else {
        return ["/race/", "/feed/"].iter().any(|room| path.starts_with(room)) && !is_file(path);
    };
    let inside = match inside.strip_prefix("-/").map(|page| page.split_once('/')) {
        None => inside,
        Some(Some((page, inside))) if page.bytes().all(|byte| byte.is_ascii_digit()) => inside,
        Some(_) => return false,
    };
    !inside.is_empty() && !is_file(inside)
}

fn is_file(path: &str) -> bool {
    path.rsplit('/').next().is_none_or(|name| name.is_empty() || name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(asked: &str, answered: Option<(u16, &str, bool)>) -> (Watcher, Arc<Visitor>) {
        let transcript = Arc::new(Visitor::nobody());
        transcript.open(None);
        let answered = answered.map(|(status, content_type, is_stream)| Answered {
            status,
            content_type: content_type.to_owned(),
            is_stream,
        });
        let exchange = Exchange { asked: asked.to_owned(), answered };
        let watcher = Watcher::new(&transcript, &Arc::default(), &exchange, Weather::CLEAR);
        (watcher, transcript)
    }

    /// What was told, without times and without the note that begins it.
    fn told(transcript: &Visitor) -> Vec<String> {
        let start = crate::visitor::Start { page: PAGE, after: 0, at: 0 };
        let moments = transcript.after(1, start).into_iter();
        moments.map(|(_, moment)| moment.to_string().split_once(" ms  ").unwrap().1.to_owned()).collect()
    }

    const EVENT: &[u8] = b"18\r\nevent: price\nid: 7\ndata: 1\n\n\r\n";

    #[test]
    fn a_stream_is_joined_where_a_chunk_begins_however_its_bytes_are_cut() {
        let event = EVENT.to_vec();
        let event = [format!("{:x}\r\n", event.len() - 6).as_bytes(), &event[4..]].concat();
        let bytes = [&b"rest of one\n\n\r\n"[..], &event, &event, b"0\r\n\r\n"].concat();
        for size in [1, 2, 3, 5, bytes.len()] {
            let (mut watcher, transcript) =
                watch("GET /live/lab3/-/2/prices/stream", Some((200, "text/event-stream", true)));
            for part in bytes.chunks(size) {
                assert!(watcher.to_client(part));
            }
            let told = told(&transcript);
            let event = "server → client  #1 event price · id 7 · \"1\"";
            assert_eq!(told, [event, event, "server → client  #1 end"], "in parts of {size}");
        }
    }

    #[test]
    fn an_answer_that_begins_after_all_is_heard_from_its_head() {
        for answered in [None, Some((200, "text/event-stream", true))] {
            let (mut watcher, transcript) = watch("GET /live/lab3/prices/stream", answered);
            watcher.to_client(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            );
            watcher.to_client(b"7\r\ndata: 1\r\n2\r\n\n\n\r\n");
            assert_eq!(
                told(&transcript),
                ["server → client  #1 200 text/event-stream", "server → client  #1 event message · \"1\""]
            );
        }
    }

    #[test]
    fn a_websocket_is_joined_at_a_frame_in_each_direction() {
        use wire::ws::{Frame, encode};
        let (mut watcher, transcript) = watch("GET /live/lab5/floor", Some((101, "", false)));
        watcher.to_client(b"{\"rest\":\"of a message\"}");
        watcher.to_server(b"masked or not");
        watcher.to_client(&encode(&Frame::text("hello"), None));
        watcher.to_server(&encode(&Frame::text("hi"), Some([1, 2, 3, 4])));
        watcher.ended(Ending::Cut);
        assert_eq!(
            told(&transcript),
            [
                "server → client  #1 message \"hello\"",
                "client → server  #1 message \"hi\"",
                "network          #1 cut",
                "note             the connection is over"
            ]
        );
        assert!(watcher.is_over.load(Ordering::Relaxed));
    }

    #[test]
    fn of_a_connection_between_two_exchanges_the_next_is_heard_and_a_page_s_files_are_not() {
        let (mut watcher, transcript) =
            watch("GET /live/lab1/prices", Some((200, "application/json", false)));
        watcher.to_client(b"what is left of it");
        for (target, body) in [("/live/lab1/page.js", "let a"), ("/live/lab1/-/2/prices", "[1]")] {
            watcher.begins();
            watcher.to_server(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes());
            let length = body.len();
            watcher.to_client(
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
                    .as_bytes(),
            );
        }
        assert_eq!(
            told(&transcript),
            [
                "client → server  #3 GET /live/lab1/-/2/prices",
                "server → client  #3 200 application/json",
                "server → client  #3 body [1]"
            ]
        );
    }

    #[test]
    fn what_a_page_and_its_panel_load_is_not_spoken() {
        for spoken in [
            "/live/lab3/prices/stream?after=2",
            "/live/lab3/-/7/prices/stream",
            "/live/lab5/floor",
            "/feed/poll?after=1",
        ] {
            assert!(is_spoken_on(spoken), "{spoken}");
        }
        for silent in [
            "/live/lab3/",
            "/live/lab3",
            "/live/lab3/-/7/client.js",
            "/live/lab3/-/wire?page=1",
            "/live/lab3/-/cut",
            "/en/",
            "/class/here",
            "/instructor/wire",
            "/race",
        ] {
            assert!(!is_spoken_on(silent), "{silent}");
        }
    }
}
