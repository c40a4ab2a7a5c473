//! What happens at each moment of a transcript, in a sentence or two.
//!
//! A sentence says what is seen on the wire and what follows from it by the standards, never whether a program is
//! right: many transcripts of the book show one that is wrong.

use wire::transcript::{Data, Moment, Place, Transcript, What, When};

use crate::view::grouped;
use crate::ws_frame::meaning;

/// A wait that is worth a word, in milliseconds.
const LONG: u64 = 400;

/// A sentence or more for each moment; `backticks` mark code.
pub(super) fn explained(transcript: &Transcript) -> Vec<String> {
    let mut teller =
        Teller { moments: &transcript.moments, exchanges: Vec::new(), seen: Vec::new(), keys: Vec::new() };
    (0..transcript.moments.len()).map(|index| teller.moment(index)).collect()
}

/// What is known of an exchange so far.
#[derive(Clone, Debug)]
struct Exchange {
    number: Option<u32>,
    client: Option<char>,
    /// The path, without its query.
    path: String,
    asked: When,
    /// Answered with an event stream.
    is_stream: bool,
    /// Answered with 101.
    is_socket: bool,
    /// Answered with a refusal or a failure.
    is_error: bool,
    /// Read by `fetch`: no `EventSource` could have asked like this.
    by_fetch: bool,
    /// How many parts of the body have come.
    parts: usize,
    /// Who sent a close frame first.
    closing: Option<Place>,
    /// When and how it came to an end.
    over: Option<(When, End)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Answered,
    Lost,
    Ended,
}

struct Teller<'a> {
    moments: &'a [Moment],
    exchanges: Vec<Exchange>,
    /// The last event ID that each client saw on each path.
    seen: Vec<(Option<char>, String, String)>,
    /// The idempotency keys that were sent.
    keys: Vec<String>,
}

impl Teller<'_> {
    fn moment(&mut self, index: usize) -> String {
        let moments = self.moments;
        let moment = &moments[index];
        let client = client(moment.client);
        match &moment.what {
            What::Request { method, target, headers } => self.request(moment, method, target, headers),
            What::Response { status, content_type, headers } => {
                self.response(moment, *status, content_type.as_deref(), headers)
            }
            What::Body(data) => self.body(moment, data),
            What::Event { name, id, data } => self.event(moment, name, id.as_deref(), data),
            What::Id(id) => {
                self.remember(moment, id);
                if id.is_empty() {
                    return "The block has no data and fires nothing. Its empty `id` makes the client forget the last event ID.".to_owned();
                }
                format!("The block has no data and fires nothing. But the last event ID is `{}` from now on.", plain(id))
            }
            What::Retry(from, to) => {
                let time = time(if from == to { When::At(*from) } else { When::Within(*from, *to) });
                format!("The server says how long to wait before coming back: {time}.")
            }
            What::Comment => "A comment. It fires no event in the page; it keeps the line from looking dead to whoever stands between.".to_owned(),
            What::End => self.end(moment),
            What::Abort => {
                self.close(moment, End::Ended);
                "The client lets go: the connection is closed, and the server learns of it by that alone.".to_owned()
            }
            What::Message(data) => {
                let kind = kind(data).map(|kind| format!(" of type `{kind}`")).unwrap_or_default();
                let is_first = |way| !self.moments[..index].iter().any(|before| before.place == way && matches!(before.what, What::Message(_)));
                match moment.place {
                    Place::ToServer if is_first(Place::ToServer) => format!("{client} sends a message{kind}. No answer belongs to it, as one does to a request: what answers what, the messages must say themselves."),
                    Place::ToServer => format!("{client} sends a message{kind}."),
                    way if is_first(way) => format!("The server sends {} a message{kind}. It may do so whenever it likes.", client.to_lowercase_first()),
                    _ => format!("The server sends {} a message{kind}.", client.to_lowercase_first()),
                }
            }
            What::Ping => format!("Is anybody there? {} answers a ping by itself; no program hears of it.", if moment.place == Place::ToServer { "The server" } else { "A browser" }),
            What::Pong => "The answer to the ping. It proves that the line carries bytes both ways.".to_owned(),
            What::Close(code, _) => self.closing(moment, *code),
            What::Cut => {
                let open = self.lose(moment);
                let waits = match open {
                    0 => "",
                    1 => " The exchange that was open is lost, and whatever was under way.",
                    _ => " All that was open is lost, and whatever was under way.",
                };
                format!("The line is cut. Both ends see an error, with no status and no reason.{waits}")
            }
            What::Hold => "From here on bytes wait in the line. Nobody is told: it looks like silence.".to_owned(),
            What::Heal => "The line carries again: what waited arrives, in its order.".to_owned(),
            What::Refused => {
                self.close(moment, End::Lost);
                format!("Nobody accepts the connection. {client} gets an error, and no status.")
            }
            What::Said(label, data) => said(moment, label, data),
            What::Note(words) => sentence(words),
        }
    }

    /// The exchange that a moment belongs to.
    fn of(&mut self, moment: &Moment) -> Option<&mut Exchange> {
        self.exchanges
            .iter_mut()
            .rev()
            .find(|exchange| exchange.number == moment.exchange && moment.exchange.is_some())
    }

    fn close(&mut self, moment: &Moment, how: End) {
        let when = moment.when;
        if let Some(exchange) = self.of(moment) {
            exchange.over = Some((when, how));
        } else if how == End::Lost {
            // A connection that was refused carried no request.
            let client = moment.client;
            self.exchanges.push(Exchange { client, over: Some((when, how)), ..Exchange::new(moment, "") });
        }
    }

    /// Ends what a cut ends; gives how much that is.
    fn lose(&mut self, moment: &Moment) -> usize {
        let is_hit = |exchange: &&mut Exchange| {
            exchange.over.is_none()
                && match (moment.exchange, moment.client) {
                    (Some(number), _) => exchange.number == Some(number),
                    (None, Some(client)) => exchange.client == Some(client),
                    (None, None) => true,
                }
        };
        let hit: Vec<&mut Exchange> = self.exchanges.iter_mut().filter(is_hit).collect();
        let count = hit.len();
        for exchange in hit {
            exchange.over = Some((moment.when, End::Lost));
        }
        count
    }

    fn request(
        &mut self,
        moment: &Moment,
        method: &str,
        target: &str,
        headers: &[(String, String)],
    ) -> String {
        let client = client(moment.client);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header =
            |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let opens_a_socket = self.moments.iter().any(|later| {
            later.exchange == moment.exchange
                && moment.exchange.is_some()
                && (matches!(later.what, What::Response { status: 101, .. } | What::Message(_)))
        });
        let before = self.exchanges.iter().rev().find(|before| {
            before.client == moment.client && (before.path == path || before.number.is_none())
        });
        let again = match before.and_then(|before| before.over) {
            Some((then, End::Lost)) => came_back(then, moment.when, "the line was lost"),
            Some((then, End::Ended)) => came_back(then, moment.when, "the last one ended"),
            _ => String::new(),
        };
        let mut told = match method {
            _ if opens_a_socket => {
                format!("{client} asks to open a WebSocket{again}. The request is plain HTTP still.")
            }
            "HEAD" => format!("{client} asks for the head alone: a status is all it needs."),
            "GET" => format!("{client} asks{again}."),
            _ => format!("{client} sends a {method} request{again}."),
        };
        if let Some(id) = header("last-event-id") {
            told.push_str(&format!(" `last-event-id: {}` says which event it saw last.", plain(id)));
            self.seen.push((moment.client, path.to_owned(), id.to_owned()));
        }
        if let Some(after) = query.split('&').find_map(|pair| pair.strip_prefix("after=")) {
            told.push_str(&match after {
                "0" => " `after=0`: it has seen nothing yet.".to_owned(),
                after => format!(" `after={}` says what it has seen already.", plain(after)),
            });
            if after != "0" {
                self.seen.push((moment.client, path.to_owned(), after.to_owned()));
            }
        }
        if header("if-none-match").is_some() {
            told.push_str(" It has a copy and names its version: if that is still the right one, the body can stay where it is.");
        }
        if let Some(key) = header("idempotency-key") {
            if self.keys.iter().any(|known| known == key) {
                told.push_str(" The key is the same as before: the same order, and not a second one.");
            } else {
                told.push_str(
                    " The key names this one order, so that it can be sent again and executed once.",
                );
                self.keys.push(key.to_owned());
            }
        }
        if header("authorization").is_some() {
            told.push_str(" A token in a header: `fetch` can send one, `EventSource` cannot.");
        }
        if header("origin").is_some() {
            told.push_str(
                " `origin` says which site's page asks; a browser writes it, and no script can change it.",
            );
        }
        if header("accept").is_some_and(|accept| accept.contains("text/event-stream")) {
            told.push_str(" It wants an event stream.");
        }
        self.exchanges.push(Exchange {
            by_fetch: method != "GET" || header("authorization").is_some(),
            ..Exchange::new(moment, path)
        });
        told
    }

    fn response(
        &mut self,
        moment: &Moment,
        status: u16,
        content_type: Option<&str>,
        headers: &[(String, String)],
    ) -> String {
        let is_stream = content_type == Some("text/event-stream");
        let before = self.of(moment).cloned();
        let path = before.as_ref().map_or("", |exchange| exchange.path.as_str());
        // Streamed before, to somebody who reads with `EventSource`.
        let was_stream = self
            .exchanges
            .iter()
            .any(|earlier| earlier.path == path && earlier.is_stream && !earlier.by_fetch);
        let was_socket = self.exchanges.iter().any(|earlier| earlier.path == path && earlier.is_socket);
        let by_fetch = before.as_ref().is_some_and(|exchange| exchange.by_fetch);
        let held = before
            .as_ref()
            .and_then(|exchange| between(exchange.asked, moment.when))
            .filter(|held| *held >= LONG);
        if let Some(exchange) = self.of(moment) {
            exchange.is_stream = is_stream;
            exchange.is_socket = status == 101;
            exchange.is_error = status >= 400;
            if !is_stream && status != 101 {
                exchange.over = Some((moment.when, End::Answered));
            }
        }
        let held =
            held.map(|held| format!(" The server took {} ms for it.", grouped(held))).unwrap_or_default();
        let mut told = match status {
            101 => "`101 Switching Protocols`: from here on this line carries frames, both ways, and no HTTP.".to_owned(),
            200 if is_stream => "The head of an answer that goes on: whenever there is something to tell, an event follows.".to_owned(),
            200..=203 => format!("An answer: `{status}`.{held}"),
            204 if by_fetch => "`204`: all is well, and there is nothing more.".to_owned(),
            204 if was_stream => "`204`: all is well, and there is nothing more. To an `EventSource` this is the end; it does not come back.".to_owned(),
            204 => format!("`204`: there is nothing to tell, and no body.{held}"),
            304 => format!("`304`: the copy is still right. No body travels.{held}"),
            300..=399 => format!("`{status}`: look elsewhere. A browser goes there by itself."),
            400..=599 if was_socket => format!("`{status}`: no WebSocket is opened. The page hears of an error, and not of which."),
            400..=599 if was_stream && !by_fetch => format!("`{status}`: something is wrong, perhaps not for long. But to an `EventSource` an answer other than 200 is the end; it does not come back."),
            400..=499 => format!("`{status}`: the server refuses. To `fetch` that is an answer like any other; it does not throw.{held}"),
            500..=599 => format!("`{status}`: something failed, in the server or behind it. To `fetch` that is an answer like any other; it does not throw."),
            status => format!("An answer: `{status}`."),
        };
        for (name, value) in headers {
            match name.as_str() {
                "etag" => told.push_str(" Its `etag` names this version."),
                "location" => told.push_str(&format!(" What was made is at `{}`.", plain(value))),
                "cache-control" if value == "no-cache" => {
                    told.push_str(" `no-cache`: keep it, and ask each time whether it is still right.")
                }
                "cache-control" if value == "no-store" => told.push_str(" `no-store`: nobody keeps a copy."),
                "retry-after" => told.push_str(" `retry-after` says when to ask again."),
                _ => {}
            }
        }
        told
    }

    fn body(&mut self, moment: &Moment, data: &Data) -> String {
        let what = match data {
            Data::Json(_) => "JSON",
            Data::Text(_) => "text",
            Data::Bytes(_) => "bytes",
        };
        if moment.place == Place::ToServer {
            return format!("The request's body: {what}.");
        }
        let goes_on = self.moments.iter().filter(|other| {
            other.exchange == moment.exchange
                && other.place == moment.place
                && matches!(other.what, What::Body(_))
        });
        let of_many = goes_on.count() > 1;
        match self.of(moment) {
            Some(exchange) if of_many => {
                exchange.parts += 1;
                format!("Part {} of the body: {what}. Where it was cut means nothing.", exchange.parts)
            }
            Some(exchange) if exchange.is_error => format!("The body says what is wrong: {what}."),
            _ => format!("The answer's body: {what}."),
        }
    }

    fn event(&mut self, moment: &Moment, name: &str, id: Option<&str>, data: &Data) -> String {
        let by_fetch = self.of(moment).is_some_and(|exchange| exchange.by_fetch);
        let mut told = match name {
            "message" if by_fetch => "An event without a type.".to_owned(),
            "message" => "An event without a type: to the page it is a `message`.".to_owned(),
            name => format!("An event of type `{}`.", plain(name)),
        };
        if *data == Data::Text(String::new()) {
            told.push_str(" Its data is empty.");
        }
        let Some(id) = id else { return told };
        if id.is_empty() {
            self.remember(moment, id);
            told.push_str(" Its `id` is empty: the last event ID is forgotten.");
            return told;
        }
        let before = self.remember(moment, id);
        match before
            .as_deref()
            .and_then(|before| Some((before.parse::<u64>().ok()?, id.parse::<u64>().ok()?)))
        {
            Some((before, now)) if now <= before => {
                told.push_str(&format!(" After {before} comes {now}, which the client has seen already."));
            }
            Some((before, now)) if now == before + 2 => {
                told.push_str(&format!(" After {before} comes {now}; {} did not come.", before + 1));
            }
            Some((before, now)) if now > before + 2 => {
                told.push_str(&format!(" After {before} comes {now}; what lies between did not come."));
            }
            _ if by_fetch => told.push_str(&format!(" Its `id` is `{}`.", plain(id))),
            _ => told.push_str(&format!(
                " The browser keeps its `id`, `{}`: with it the client will come back.",
                plain(id)
            )),
        }
        told
    }

    /// Notes the last event ID; gives the one before.
    fn remember(&mut self, moment: &Moment, id: &str) -> Option<String> {
        let path = self.of(moment).map(|exchange| exchange.path.clone()).unwrap_or_default();
        let known = self.seen.iter().rev().find(|(client, of, _)| *client == moment.client && *of == path);
        let before = known.map(|(.., id)| id.clone());
        self.seen.push((moment.client, path, id.to_owned()));
        before
    }

    fn end(&mut self, moment: &Moment) -> String {
        let exchange = self.of(moment).cloned();
        self.close(moment, End::Ended);
        match exchange {
            _ if moment.place == Place::ToServer => "The client has sent all of it.".to_owned(),
            Some(exchange) if exchange.is_stream && !exchange.by_fetch => {
                "The server ends the stream, properly. An `EventSource` takes that for a lost line: it waits, and comes back.".to_owned()
            }
            Some(exchange) if exchange.is_stream => {
                "The body ends, properly. Whether everything was said, only what was said can tell.".to_owned()
            }
            _ => "The body is complete.".to_owned(),
        }
    }

    fn closing(&mut self, moment: &Moment, code: Option<u16>) -> String {
        let (place, when) = (moment.place, moment.when);
        let who = match place {
            Place::ToServer => client(moment.client),
            _ => "The server".to_owned(),
        };
        let code = match code {
            Some(code) => format!("code {code}, {}", meaning(code)),
            None => "without a code".to_owned(),
        };
        let exchange = self.of(moment);
        let is_echo =
            exchange.as_ref().is_some_and(|exchange| exchange.closing.is_some_and(|first| first != place));
        if let Some(exchange) = exchange {
            exchange.closing.get_or_insert(place);
            exchange.over = Some((when, End::Ended));
        }
        match is_echo {
            true => format!(
                "{who} answers with a close frame of its own ({code}). Now the connection can be closed."
            ),
            false => format!("{who} ends the conversation with a close frame: {code}."),
        }
    }
}

impl Exchange {
    fn new(moment: &Moment, path: &str) -> Self {
        Exchange {
            number: moment.exchange,
            client: moment.client,
            path: path.to_owned(),
            asked: moment.when,
            is_stream: false,
            is_socket: false,
            is_error: false,
            by_fetch: false,
            parts: 0,
            closing: None,
            over: None,
        }
    }
}

fn client(letter: Option<char>) -> String {
    letter.map_or("The client".to_owned(), |letter| format!("Client {letter}"))
}

/// A name in the middle of a sentence.
trait InASentence {
    fn to_lowercase_first(&self) -> String;
}

impl InASentence for String {
    fn to_lowercase_first(&self) -> String {
        let mut rest = self.chars();
        rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
    }
}

fn came_back(then: When, now: When, since: &str) -> String {
    match between(then, now) {
        Some(wait) => format!(" again, {} ms after {since}", grouped(wait)),
        None => format!(" again, after {since}"),
    }
}

/// The time between two moments, if both are exact.
fn between(then: When, now: When) -> Option<u64> {
    match (then, now) {
        (When::At(then), When::At(now)) => now.checked_sub(then),
        _ => None,
    }
}

fn time(when: When) -> String {
    match when {
        When::At(time) => format!("{} ms", grouped(time)),
        When::Within(from, to) => format!("{} to {} ms", grouped(from), grouped(to)),
    }
}

fn said(moment: &Moment, label: &str, data: &Data) -> String {
    let page = moment.client.map_or("The page".to_owned(), |letter| format!("Page {letter}"));
    let value = match data {
        Data::Text(text) if !text.contains(char::is_control) => plain(text),
        data => plain(&data.to_string()),
    };
    match label {
        "status" => format!("{page} tells its user: `{value}`."),
        "show" => match data {
            Data::Text(text) if text == "throws" => format!("{page} throws while it shows one."),
            _ => format!("{page} shows it."),
        },
        "token" if value.is_empty() => format!("{page} shows an empty token."),
        "token" => format!("{page} shows the token `{value}`."),
        "resolved" => format!("{page}: the promise is fulfilled."),
        "rejected" => format!("{page}: the promise is rejected, with `{value}`."),
        label if value.is_empty() => format!("{page} says `{}`.", plain(label)),
        label => format!("{page} says `{}`: `{value}`.", plain(label)),
    }
}

/// What a message calls itself: the text of its field `type`.
fn kind(data: &Data) -> Option<&str> {
    let Data::Json(json) = data else { return None };
    let (_, after) = json.split_once("\"type\":\"")?;
    let (kind, _) = after.split_once('"')?;
    kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-').then_some(kind)
}

/// Text between backticks.
fn plain(text: &str) -> String {
    let mut plain: String =
        text.chars().map(|c| if c == '`' || c.is_control() { '\u{b7}' } else { c }).take(80).collect();
    if text.chars().nth(80).is_some() {
        plain.push('…');
    }
    plain
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let words = plain(words);
    let mut rest = words.chars();
    let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if words.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let transcript = Transcript::parse(text).unwrap();
        let lines = transcript.moments.iter().zip(explained(&transcript));
        lines
            .map(|(moment, says)| {
                format!("{}\n        {says}\n", moment.to_string().lines().next().unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn a_stream_through_a_cut() {
        insta::assert_snapshot!(told(
            "     0 ms  client → server  #1 GET /prices/stream
                               accept: text/event-stream
    10 ms  server → client  #1 200 text/event-stream
    10 ms  page             status: live
    10 ms  server → client  #1 retry within 1000-10000 ms
    10 ms  server → client  #1 event price · id 1 · {\"price\":6100}
   510 ms  server → client  #1 event message · \"\"
   510 ms  page             show: {\"price\":6100}
   600 ms  server → client  #1 comment
   700 ms  network          hold
   800 ms  network          heal
  1500 ms  network          #1 cut
  1505 ms  page             status: reconnecting
  2500-4500 ms  client → server  #2 GET /prices/stream
                               last-event-id: 1
  4510 ms  server → client  #2 200 text/event-stream
  4510 ms  server → client  #2 event price · id 1 · {\"price\":6100}
  4510 ms  server → client  #2 event price · id 3 · {\"price\":6075}
  4510 ms  server → client  #2 event price · id 9 · {\"price\":6075}
  4520 ms  server → client  #2 id 10
 20000 ms  note             the market closes
 20000 ms  server → client  #2 end
 23000 ms  client → server  #3 GET /prices/stream
                               last-event-id: 10
 23010 ms  server → client  #3 502
 24000 ms  network          #4 refused
 25000 ms  client → server  #5 HEAD /prices/stream?after=10
 25010 ms  server → client  #5 204
"
        ));
    }

    #[test]
    fn exchanges() {
        insta::assert_snapshot!(told(
            "     0 ms  client → server  #1 GET /prices?after=0
    10 ms  server → client  #1 200 application/json
                               etag: \"v1\"
                               cache-control: no-cache
    10 ms  server → client  #1 body [{\"price\":6100}]
  1010 ms  client → server  #2 GET /prices
                               if-none-match: \"v1\"
  1020 ms  server → client  #2 304
  2000 ms  client → server  #3 POST /orders
                               idempotency-key: order-1
  2000 ms  client → server  #3 body {\"symbol\":\"BMRI\"}
  2020 ms  network          cut
  2120 ms  client → server  #4 POST /orders
                               idempotency-key: order-1
  2130 ms  server → client  #4 201 application/json
                               location: /orders/1
  2130 ms  page             resolved: {\"id\":1}
  3000 ms  client → server  #5 GET /updates?after=1
 33000 ms  server → client  #5 204
 33001 ms  client → server  #6 GET /updates?after=1
 33500 ms  client → server  #6 abort
 33500 ms  page             rejected: AbortError
 34000 ms  client → server  #7 GET /orders/2
 34010 ms  server → client  #7 404 application/problem+json
 34010 ms  server → client  #7 body {\"status\":404}
"
        ));
    }

    #[test]
    fn a_stream_read_by_fetch() {
        insta::assert_snapshot!(told(
            "     0 ms  client → server  #1 POST /ask
                               authorization: Bearer t-17
     0 ms  client → server  #1 body {\"question\":\"BMRI?\"}
    10 ms  server → client  #1 200 text/event-stream
    60 ms  server → client  #1 event message · \"BMRI\"
    60 ms  page             token: BMRI
   320 ms  server → client  #1 event done · {}
   320 ms  server → client  #1 end
   320 ms  page             answer: {\"outcome\":\"finished\"}
"
        ));
    }

    #[test]
    fn a_socket_with_two_clients() {
        insta::assert_snapshot!(told(
            "     0 ms  client A → server  #1 GET /floor
                                 origin: http://lab.test
    10 ms  server → client A  #1 101
    10 ms  client A → server  #1 message {\"room\":\"general\",\"type\":\"join\"}
    20 ms  server → client A  #1 message {\"type\":\"joined\"}
    30 ms  client B → server  #2 GET /floor
    40 ms  server → client B  #2 101
 20010 ms  server → client A  #1 ping
 20020 ms  client A → server  #1 pong
 30000 ms  client A → server  #1 message \"a `backtick`\"
 30010 ms  server → client B  #2 close 1001
 30020 ms  client B → server  #2 close 1001
 31000 ms  network A          cut
 32000 ms  client A → server  #3 GET /floor
 32010 ms  server → client A  #3 403
"
        ));
    }
}
