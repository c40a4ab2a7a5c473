//! The assistant itself: scripted, but paid for by the token. Given, nothing to do here.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
    vec,
};

use feed::{Feed, Missed, Update};
use futures_util::{StreamExt, stream, stream::BoxStream};
use serde_json::Value;
use tokio::time::sleep;

/// How long it takes to make one token.
const PACE: Duration = Duration::from_millis(50);

/// A question that begins with this word is answered for ever.
const FOLLOW: &str = "follow";

/// The tokens of one answer, in order; an error is the last of its items.
///
/// A token is made when the stream is polled, and at no other time: who stops
/// polling stops the work, and who drops the stream ends it.
pub(crate) type Answer = BoxStream<'static, Result<String, ModelError>>;

/// Why an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelError {
    /// The market has closed: there is nothing more to say about it.
    MarketClosed,
    /// The commentary was read so slowly that the market has left it behind.
    FellBehind,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MarketClosed => {
                "the market has closed in the middle of the answer; ask again when it is open"
            }
            Self::FellBehind => "the market has moved on faster than this answer was read; ask again",
        })
    }
}

impl Error for ModelError {}

/// An assistant that knows one market. Clones share one bill.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    feed: Feed,
    made: Arc<AtomicU64>,
}

impl Model {
    /// An assistant that has made no token yet.
    pub(crate) fn new(feed: Feed) -> Self {
        Self { feed, made: Arc::default() }
    }

    /// How many tokens it has made, for all answers together. Each of them is paid for, read or not.
    pub(crate) fn tokens(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Answers a question, one token at a time.
    ///
    /// *Follow …* is answered with a commentary without end: one token for each
    /// update that is published from now on, a text as it is and all else as JSON.
    /// Anything else is answered with the prices of the symbols that the
    /// question names, or of all: a token every 50 ms. Such a token is a word with
    /// the blank or the line breaks before it.
    ///
    /// No token is empty, and none has a carriage return in it.
    ///
    /// Once the market closes the next item is an error, and the last.
    pub(crate) fn answer(&self, question: &str) -> Answer {
        let tokens =
            if question.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(FOLLOW)) {
                comment(self.feed.clone())
            } else {
                recite(self.feed.clone(), question.to_owned())
            };
        let made = self.made.clone();
        tokens
            .inspect(move |token| {
                if token.is_ok() {
                    made.fetch_add(1, Ordering::Relaxed);
                }
            })
            .boxed()
    }
}

/// One token for each update.
fn comment(feed: Feed) -> Answer {
    let updates = feed.subscribe();
    stream::unfold(Some((feed, updates)), |going_on| async {
        let (feed, mut updates) = going_on?;
        Some(match updates.recv().await {
            Some(update) => (Ok(remark(&update.data)), Some((feed, updates))),
            None if feed.is_closed() => (Err(ModelError::MarketClosed), None),
            None => (Err(ModelError::FellBehind), None),
        })
    })
    .boxed()
}

/// What an update is worth saying.
fn remark(data: &Value) -> String {
    match data.as_str() {
        Some(text) if !text.is_empty() => without_cr(text),
        _ => data.to_string(),
    }
}

/// A script, written from the prices as they stand when the answer begins.
fn recite(feed: Feed, question: String) -> Answer {
    let written = {
        let feed = feed.clone();
        async move { tokens(&script(&log(&feed).await, &question)) }
    };
    stream::once(written).flat_map(move |tokens| speak(feed.clone(), tokens)).boxed()
}

/// One token after the other, as long as the market is open.
fn speak(feed: Feed, tokens: vec::IntoIter<String>) -> Answer {
    stream::unfold(Some((feed, tokens)), |going_on| async {
        let (feed, mut tokens) = going_on?;
        let token = tokens.next()?;
        sleep(PACE).await;
        Some(if feed.is_closed() {
            (Err(ModelError::MarketClosed), None)
        } else {
            (Ok(token), Some((feed, tokens)))
        })
    })
    .boxed()
}

/// Everything that the feed still remembers, oldest first.
async fn log(feed: &Feed) -> Vec<Update> {
    let mut seen = 0;
    loop {
        match feed.after(seen).await {
            Ok(updates) => return updates,
            Err(Missed::Gone { oldest }) => seen = oldest - 1,
            // Only a number that the feed has never reached, or a name, is of another epoch.
            Err(Missed::OtherEpoch { .. }) => return Vec::new(),
        }
    }
}

/// What there is to say: a line for each symbol, its price and its last move.
fn script(log: &[Update], question: &str) -> String {
    let mut lines: Vec<(&str, i64, i64, Option<&str>)> = Vec::new();
    for Update { data, .. } in log {
        let (Some(symbol), Some(price)) = (data["symbol"].as_str(), data["price"].as_i64()) else { continue };
        let remark = data.get("remark").and_then(Value::as_str);
        match lines.iter_mut().find(|line| line.0 == symbol) {
            Some(line) => *line = (symbol, price, price - line.1, remark),
            None => lines.push((symbol, price, 0, remark)),
        }
    }
    let question = question.to_ascii_uppercase();
    if lines.iter().any(|line| question.contains(&line.0.to_ascii_uppercase())) {
        lines.retain(|line| question.contains(&line.0.to_ascii_uppercase()));
    }
    if lines.is_empty() {
        return "Nothing has been traded yet — ask again.".to_owned();
    }
    lines.sort_unstable_by_key(|line| line.0);
    let told = lines.iter().map(|(symbol, price, move_, remark)| {
        let moved = match move_ {
            0 => "·".to_owned(),
            up @ 1.. => format!("▲ {up}"),
            down => format!("▼ {}", -down),
        };
        let remark = remark.map(|remark| format!(" ({remark})")).unwrap_or_default();
        format!("{symbol} {price} {moved}{remark}")
    });
    let told = told.collect::<Vec<_>>().join("\n");
    format!("Prices now:\n\n{told}\n\nThey move — ask again.")
}

/// Cuts a text into words, each with the white space before it.
fn tokens(text: &str) -> vec::IntoIter<String> {
    let mut tokens = vec![String::new()];
    let mut before = ' ';
    for letter in without_cr(text).chars() {
        if letter.is_whitespace() && !before.is_whitespace() {
            tokens.push(String::new());
        }
        tokens.last_mut().expect("there is always a last token").push(letter);
        before = letter;
    }
    tokens.into_iter()
}

/// The text with LF at the end of every line.
fn without_cr(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
