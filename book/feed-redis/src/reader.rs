//! The task that reads the stream into a node's copy.

use std::{convert::Infallible, sync::Arc, time::Duration};

use feed::{Copy, Health, Update};
use redis::RedisResult;
use tokio::sync::oneshot;

use crate::{
    node::{Node, Place, Told, Wait},
    told,
};

/// How long Redis may have nothing to say before the node looks whether this still is its log.
const BEAT: Duration = Duration::from_secs(1);

/// How many updates are read at a time.
const BATCH: usize = 256;

/// The ID before a stream's first entry.
const START: &str = "0-0";

/// An entry as Redis tells it: its ID, and names and values in turn.
type Entry = (String, Vec<String>);

/// Reads until nobody wants the feed any more. What it gives ends once the
/// copy has what the log had.
pub(crate) fn spawn(node: Arc<Node>, copy: Copy, epoch: String) -> oneshot::Receiver<Infallible> {
    let (first, caught_up) = oneshot::channel();
    let told = Told { epoch, ..Told::default() };
    node.told.send_replace(told.clone());
    tokio::spawn(async move {
        let mut reader = Reader {
            node,
            copy,
            told,
            read_to: String::from(START),
            stranger: None,
            wait: Wait::default(),
            first: Some(first),
        };
        // A copy of its own: the reader itself is busy.
        let unwanted = reader.copy.clone();
        tokio::select! { () = unwanted.unwanted() => {}, () = reader.run() => {} }
    });
    caught_up
}

struct Reader {
    node: Arc<Node>,
    copy: Copy,
    told: Told,
    /// The ID of the last entry that was read.
    read_to: String,
    /// The ID of an entry that is of another log than this was said to be.
    stranger: Option<String>,
    wait: Wait,
    /// Dropped once the copy has what the log had.
    first: Option<oneshot::Sender<Infallible>>,
}

impl Reader {
    async fn run(&mut self) {
        loop {
            let why = match self.read().await {
                Ok(never) => match never {},
                Err(error) => told(&error),
            };
            if self.copy.set_health(Health::Away { why: why.clone() }) {
                tracing::warn!(
                    place = self.node.place(),
                    "the {}'s Redis is out of reach ({why}): visitors stay and hear nothing new until it is back",
                    self.node.whose()
                );
            }
            self.wait.long_enough().await;
        }
    }

    /// Reads on one connection until that fails.
    async fn read(&mut self) -> RedisResult<Infallible> {
        let mut line = self.node.connect(BEAT).await?;
        loop {
            let (epoch, seq) = self.node.attaching(&self.told)?.query_async(&mut line).await?;
            let log = Place { epoch, seq };
            if log.epoch != self.told.epoch {
                self.begin(&log.epoch);
            }
            let mut reading = redis::cmd("XREAD");
            reading
                .arg("COUNT")
                .arg(BATCH)
                .arg("BLOCK")
                .arg(BEAT.as_millis() as u64)
                .arg("STREAMS")
                .arg(&self.node.stream);
            loop {
                if self.told.seq >= log.seq {
                    self.is_well();
                }
                let mut next = reading.clone();
                next.arg(&self.read_to);
                let read: Option<Vec<(String, Vec<Entry>)>> = next.query_async(&mut line).await?;
                let Some(streams) = read else { break };
                if !self.take(streams.into_iter().flat_map(|(_, entries)| entries)) {
                    break;
                }
            }
        }
    }

    /// Takes entries into the copy; false if one seems to be of another log.
    fn take(&mut self, entries: impl Iterator<Item = Entry>) -> bool {
        for (id, fields) in entries {
            match understood(&id, &fields) {
                Some((epoch, mark, update)) if epoch == self.told.epoch => {
                    (self.told.seq, self.told.mark) = (update.seq, mark);
                    self.copy.append(update);
                }
                // Perhaps the log has just become another one; asked again, Redis says which.
                Some(_) if self.stranger.as_ref() != Some(&id) => {
                    self.stranger = Some(id);
                    return false;
                }
                _ => tracing::warn!(
                    place = self.node.place(),
                    "entry {id} of the stream {} was not written by a stage and is left out",
                    self.node.stream
                ),
            }
            self.read_to = id;
        }
        self.node.told.send_replace(self.told.clone());
        true
    }

    fn begin(&mut self, epoch: &str) {
        tracing::warn!(
            place = self.node.place(),
            "the {}'s log in Redis is another one: it begins at 1 again, and whoever comes back is told",
            self.node.whose()
        );
        self.told = Told { epoch: epoch.to_owned(), ..Told::default() };
        self.read_to = String::from(START);
        self.copy.begin(epoch);
        self.node.told.send_replace(self.told.clone());
    }

    fn is_well(&mut self) {
        self.wait.is_over();
        self.first = None;
        if self.copy.set_health(Health::Well) {
            tracing::warn!(
                place = self.node.place(),
                seq = self.told.seq,
                "the {0}'s Redis is back, and the {0} has caught up",
                self.node.whose()
            );
        }
    }
}

/// An entry's epoch, mark and update.
fn understood(id: &str, fields: &[String]) -> Option<(String, String, Update)> {
    let field = |name: &str| {
        let pair = fields.chunks_exact(2).find(|pair| pair[0] == name)?;
        Some(pair[1].clone())
    };
    let seq = id.strip_suffix("-0")?.parse().ok()?;
    let data = serde_json::from_str(&field("data")?).ok()?;
    Some((field("epoch")?, field("by")?, Update { seq, data }))
}
