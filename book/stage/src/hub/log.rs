//! The hub's log: every update, framed once for each technique.

use std::{
    collections::VecDeque,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::{BufMut, Bytes, BytesMut};
use feed::{Cursor, Update};
use tokio::sync::watch;
use wire::ws;

/// How many updates the log holds at most, and how many bytes in all.
const UPDATES: usize = 1_000;
const BYTES: usize = 8 * 1024 * 1024;
/// How much is read at a time by whoever goes at a pace of their own.
const PART: usize = 16 * 1024;

/// How a subscriber is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By an event stream, in chunks (RFC 9112 § 7.1).
    Sse,
    /// By WebSocket.
    Ws,
}

/// A place in the log: the number of the update that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Which log it is: a feed whose log begins anew begins another.
    pub(super) era: u32,
    pub(super) next: u64,
}

/// Where the log ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) era: u32,
    /// The number of the newest update.
    pub(super) seq: u64,
    /// The log is written: it has everything that the feed has.
    pub(super) is_live: bool,
    /// The market is closed.
    pub(super) is_closed: bool,
}

/// What there is at a place.
pub(super) enum Read {
    /// So many bytes, where they lead, and how many updates they are.
    Some(Bytes, Place, u64),
    /// Nothing yet.
    Nothing,
    /// The log does not go back to that place; or the market is closed, and all is told.
    Over,
}

/// An update as it travels.
struct Framed {
    /// A chunk, and where in it the event lies.
    sse: Bytes,
    event: (usize, usize),
    ws: Bytes,
    json: Bytes,
}

impl Framed {
    fn new(Update { seq, data }: &Update) -> Self {
        let event = format!("event: price\nid: {seq}\ndata: {data}\n\n");
        let sse = chunk(event.as_bytes());
        let start = sse.len() - 2 - event.len();
        let said = format!("{{\"type\":\"price\",\"seq\":{seq},\"data\":{data}}}");
        Self {
            event: (start, start + event.len()),
            sse,
            ws: ws::encode(&ws::Frame::text(&said), None).into(),
            json: format!("{{\"seq\":{seq},\"data\":{data}}}").into(),
        }
    }

    fn bytes(&self, kind: Kind) -> &Bytes {
        match kind {
            Kind::Sse => &self.sse,
            Kind::Ws => &self.ws,
        }
    }

    fn size(&self) -> usize {
        self.sse.len() + self.ws.len() + self.json.len()
    }
}

/// One chunk of a body.
pub(super) fn chunk(data: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(data.len() + 12);
    bytes.put_slice(format!("{:x}\r\n", data.len()).as_bytes());
    bytes.put_slice(data);
    bytes.put_slice(b"\r\n");
    bytes.freeze()
}

pub(super) struct Log {
    kept: RwLock<Kept>,
    end: watch::Sender<End>,
}

struct Kept {
    epoch: String,
    era: u32,
    /// The number of the first that is kept, or would be.
    first: u64,
    updates: VecDeque<Framed>,
    bytes: usize,
}

impl Kept {
    fn seq(&self) -> u64 {
        self.first + self.updates.len() as u64 - 1
    }

    /// What is kept from `place` on; nothing if the log does not go back that far, or is another.
    fn from(&self, place: Place) -> Option<impl Iterator<Item = &Framed>> {
        let skipped = place.next.checked_sub(self.first).filter(|_| place.era == self.era)?;
        let skipped = usize::try_from(skipped).ok().filter(|skipped| *skipped <= self.updates.len())?;
        Some(self.updates.range(skipped..))
    }
}

impl Log {
    /// An empty log of this name.
    pub(super) fn new(epoch: &str) -> Self {
        let kept = Kept { epoch: epoch.to_owned(), era: 0, first: 1, updates: VecDeque::new(), bytes: 0 };
        Self { kept: RwLock::new(kept), end: watch::Sender::new(End::default()) }
    }

    /// Where the log ends, now and whenever that changes.
    pub(super) fn end(&self) -> watch::Receiver<End> {
        self.end.subscribe()
    }

    // ---- who writes

    /// Writes the next update down; one that is there already is left out. False if one is missing before it.
    pub(super) fn append(&self, update: &Update) -> bool {
        let framed = Framed::new(update);
        let mut kept = self.write();
        let seq = kept.seq();
        if update.seq != seq + 1 {
            return update.seq <= seq;
        }
        kept.bytes += framed.size();
        kept.updates.push_back(framed);
        while kept.updates.len() > UPDATES || kept.bytes > BYTES && kept.updates.len() > 1 {
            let Some(dropped) = kept.updates.pop_front() else { break };
            kept.bytes -= dropped.size();
            kept.first += 1;
        }
        drop(kept);
        self.tell(|end| end.seq = update.seq);
        true
    }

    /// The log goes on at `oldest`: what comes before that cannot be had any more.
    pub(super) fn skip_to(&self, oldest: u64) {
        let mut kept = self.write();
        kept.updates.clear();
        (kept.bytes, kept.first) = (0, oldest);
        drop(kept);
        self.tell(|end| end.seq = oldest.saturating_sub(1));
    }

    /// Another log begins.
    pub(super) fn begin(&self, epoch: &str) {
        let mut kept = self.write();
        let era = kept.era + 1;
        *kept = Kept { epoch: epoch.to_owned(), era, first: 1, updates: VecDeque::new(), bytes: 0 };
        drop(kept);
        self.tell(|end| (end.era, end.seq) = (era, 0));
    }

    pub(super) fn tell(&self, what: impl FnOnce(&mut End)) {
        self.end.send_modify(what);
    }

    // ---- who reads

    /// Up to where the log is written.
    pub(super) fn cursor(&self) -> Cursor {
        let kept = self.read();
        Cursor { epoch: Some(kept.epoch.clone()), seq: kept.seq() }
    }

    /// The place after everything that is there.
    pub(super) fn newest(&self) -> Place {
        let kept = self.read();
        Place { era: kept.era, next: kept.seq() + 1 }
    }

    /// The number of the oldest that is kept.
    pub(super) fn oldest(&self) -> u64 {
        self.read().first
    }

    /// The place after `cursor`, if that is one of this log and everything after it is kept.
    pub(super) fn place(&self, cursor: &Cursor) -> Option<Place> {
        let kept = self.read();
        let is_ours = cursor.epoch.as_ref().is_none_or(|epoch| *epoch == kept.epoch);
        let place = Place { era: kept.era, next: cursor.seq.checked_add(1)? };
        (is_ours && kept.from(place).is_some()).then_some(place)
    }

    /// What there is at `place`, framed; not much at a time.
    pub(super) fn frames(&self, kind: Kind, place: Place) -> Read {
        self.collected(place, kind == Kind::Sse, |framed| framed.bytes(kind).clone())
    }

    /// The same as bare events, for whoever frames them otherwise.
    pub(super) fn events(&self, place: Place) -> Read {
        self.collected(place, true, |framed| framed.sse.slice(framed.event.0..framed.event.1))
    }

    fn collected(&self, place: Place, ends: bool, bytes_of: impl Fn(&Framed) -> Bytes) -> Read {
        let is_closed = self.end.borrow().is_closed;
        let kept = self.read();
        let Some(mut framed) = kept.from(place) else { return Read::Over };
        let Some(first) = framed.next() else {
            return if ends && is_closed { Read::Over } else { Read::Nothing };
        };
        let (mut bytes, mut count) = (BytesMut::from(bytes_of(first)), 1);
        for more in framed {
            if bytes.len() > PART {
                break;
            }
            bytes.extend_from_slice(&bytes_of(more));
            count += 1;
        }
        Read::Some(bytes.freeze(), Place { next: place.next + count, ..place }, count)
    }

    /// Appends to `run` everything that is there from `place` on; calls `ends` where each update ends in it. False if
    /// the log does not go back to that place.
    pub(super) fn extend(
        &self,
        kind: Kind,
        place: Place,
        run: &mut Vec<u8>,
        mut ends: impl FnMut(usize),
    ) -> bool {
        let kept = self.read();
        let Some(framed) = kept.from(place) else { return false };
        for framed in framed {
            run.extend_from_slice(framed.bytes(kind));
            ends(run.len());
        }
        true
    }

    /// The log's name and what is newer than `place`, as JSON: `{ "epoch": "1", "updates": [ … ] }`. Nothing if there
    /// is nothing newer, or the log does not go back to that place.
    pub(super) fn json(&self, place: Place) -> Option<(Bytes, u64)> {
        let kept = self.read();
        let mut updates = kept.from(place)?.peekable();
        updates.peek()?;
        let mut bytes = BytesMut::new();
        bytes.put_slice(b"{\"epoch\":");
        bytes.put_slice(serde_json::Value::from(kept.epoch.as_str()).to_string().as_bytes());
        bytes.put_slice(b",\"updates\":[");
        for (index, update) in updates.enumerate() {
            if index > 0 {
                bytes.put_u8(b',');
            }
            bytes.put_slice(&update.json);
        }
        bytes.put_slice(b"]}");
        Some((bytes.freeze(), kept.seq()))
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        // Nothing panics while it holds the lock, so the log is whole even if the lock is poisoned.
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}
