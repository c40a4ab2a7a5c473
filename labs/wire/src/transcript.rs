//! The notation: a list of moments, each with a time, a place and what
//! happened there.

mod parse;
mod text;

pub use parse::ParseError;

/// Everything that happened, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The moments, in the order in which they are told.
    pub moments: Vec<Moment>,
}

/// One thing that happened at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When it happened, as far as the contract fixes it.
    pub when: When,
    /// Where it happened.
    pub place: Place,
    /// Which of several clients it happened to: `A`, `B` … Nothing where there is but one.
    pub client: Option<char>,
    /// The number that ties a response, its events and its end to their request.
    pub exchange: Option<u32>,
    /// What happened.
    pub what: What,
}

/// A time in whole milliseconds since the play began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Exactly then.
    At(u64),
    /// Anywhere in a window that the contract leaves open, both ends included.
    Within(u64, u64),
}

/// The column of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// What the client told its user.
    Page,
    /// `client → server`
    ToServer,
    /// `server → client`
    ToClient,
    /// The line itself.
    Network,
    /// A narrator's line.
    Note,
}

/// What happened, decoded and reduced to what the contract speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A request and the headers that matter, lower-case names.
    Request {
        /// `GET`, `POST` …
        method: String,
        /// Path and query.
        target: String,
        /// The headers that the check asked to see.
        headers: Vec<(String, String)>,
    },
    /// The head of a response.
    Response {
        /// The status code.
        status: u16,
        /// The media type's essence (`text/event-stream`), without parameters.
        content_type: Option<String>,
        /// The headers that the check asked to see.
        headers: Vec<(String, String)>,
    },
    /// A body, or a part of one, that is not an event stream.
    Body(Data),
    /// One event of an event stream (HTML § 9.2.6).
    Event {
        /// The event type; `message` where the stream names none.
        name: String,
        /// The `id` field of this block, if it has one.
        id: Option<String>,
        /// The data.
        data: Data,
    },
    /// A block that commits an ID and dispatches nothing.
    Id(String),
    /// A new reconnection time, as a range in milliseconds where the contract allows one.
    Retry(u64, u64),
    /// A comment line of an event stream. Its words are nobody's business.
    Comment,
    /// The sender ended the body as it should.
    End,
    /// The client let go of the exchange.
    Abort,
    /// A WebSocket message.
    Message(Data),
    /// A ping frame.
    Ping,
    /// A pong frame.
    Pong,
    /// A close frame: its code (nothing if it has none) and its reason.
    Close(Option<u16>, String),
    /// The line was cut; both ends see a reset.
    Cut,
    /// From here on bytes wait in the line.
    Hold,
    /// What waited is delivered.
    Heal,
    /// A connection attempt was refused.
    Refused,
    /// The page: a label and what it said (`status`, `reconnecting`).
    Said(String, Data),
    /// Free words.
    Note(String),
}

/// A payload, in a form that two right answers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A JSON object or array, compact, its keys sorted.
    Json(String),
    /// Any other text.
    Text(String),
    /// So many bytes that are not text.
    Bytes(usize),
}

impl Data {
    /// Text as it should be shown: a JSON object or array compact and with its
    /// keys sorted, anything else as it is.
    ///
    /// JSON that has no one compact form (numbers that no double can tell
    /// apart, more than 127 levels) stays text.
    pub fn of_text(text: &str) -> Data {
        compact(text).map_or_else(|| Data::Text(text.to_owned()), Data::Json)
    }

    /// A payload as it should be shown: text where it is UTF-8, else its length.
    pub fn of_bytes(bytes: &[u8]) -> Data {
        std::str::from_utf8(bytes).map_or(Data::Bytes(bytes.len()), Data::of_text)
    }
}

/// The compact form of a JSON object or array.
fn compact(text: &str) -> Option<String> {
    let rewrite = |text: &str| {
        let mut value: serde_json::Value = serde_json::from_str(text).ok()?;
        // Sorted already, unless some crate in the build turned on `preserve_order`.
        value.sort_all_objects();
        Some(value.to_string())
    };
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(['{', '[']).then_some(())?;
    let once = rewrite(text)?;
    // Reading a double may miss by its last bit, and writing it again differ.
    (rewrite(&once)? == once).then_some(once)
}
