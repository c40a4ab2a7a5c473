//! The body of a request or response, as it passes.

use super::{Head, Lens, MAX_HEAD, MAX_HELD, Told};
use crate::sse;
use crate::transcript::{Data, What};

/// What ends a body (RFC 9112 § 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes.
    Known(u64),
    /// The last chunk.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    frame: Frame,
    content: Content,
}

/// Where the reading stands in what delimits the body.
#[derive(Debug)]
enum Frame {
    /// So many bytes are left.
    Left(u64),
    Chunked(Chunk),
    UntilClose,
    Over,
}

/// Where the reading stands in a chunked body (RFC 9112 § 7.1).
#[derive(Debug)]
enum Chunk {
    /// In the line that gives the size.
    Size(Vec<u8>),
    /// So many bytes are left of the chunk.
    Data(u64),
    /// In the line break after the data.
    AfterData,
    /// In the trailers: whether their line is empty so far, and how many bytes they took.
    Trailers(bool, usize),
}

/// What the bytes mean.
#[derive(Debug)]
enum Content {
    /// Events, told as they pass.
    Events(Box<sse::Parser>),
    /// One payload, told when it is complete.
    Whole(Held),
    /// Parts of unknown meaning, told as they pass: what one call brought, and
    /// before it the beginning of a character that the last call cut.
    Parts(Held),
}

/// Bytes that wait to be told; past [`MAX_HELD`] they are only counted.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    count: usize,
}

impl Held {
    fn take_in(&mut self, bytes: &[u8]) {
        self.count = self.count.saturating_add(bytes.len());
        if self.count <= MAX_HELD {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.bytes = Vec::new();
        }
    }

    fn is_complete(&self) -> bool {
        self.bytes.len() == self.count
    }

    /// Everything that was held; nothing if there was nothing.
    fn tell(&mut self) -> Option<Data> {
        let held = std::mem::take(self);
        (held.count > 0)
            .then(|| if held.is_complete() { Data::of_bytes(&held.bytes) } else { Data::Bytes(held.count) })
    }

    /// As [`Self::tell`], but a character that is not complete goes on waiting.
    fn tell_characters(&mut self) -> Option<Data> {
        let cut = match std::str::from_utf8(&self.bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.bytes.len(),
        };
        let mut cut_character = Held::default();
        if self.is_complete() {
            cut_character.take_in(&self.bytes.split_off(cut));
            self.count = cut;
        }
        let data = self.tell();
        *self = cut_character;
        data
    }
}

impl Body {
    /// The body that follows `head`.
    pub(super) fn new(length: Length, head: &Head) -> Body {
        let is_encoded = head.values("content-encoding").any(|coding| coding != "identity");
        let essence = head.essence().unwrap_or_default();
        let is_json = essence == "application/json" || essence.ends_with("+json");
        let content = if essence == "text/event-stream" && !is_encoded {
            Content::Events(Box::default())
        } else if matches!(length, Length::Known(_)) || (is_json && !is_encoded) {
            Content::Whole(Held::default())
        } else {
            Content::Parts(Held::default())
        };
        let frame = match length {
            Length::Known(0) => Frame::Over,
            Length::Known(left) => Frame::Left(left),
            Length::Chunked => Frame::Chunked(Chunk::Size(Vec::new())),
            Length::UntilClose => Frame::UntilClose,
        };
        Body { frame, content }
    }

    /// Whether the last byte has been read.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.frame, Frame::Over)
    }

    /// Whether the server's close is this body's proper end.
    pub(super) fn ends_with_the_connection(&self) -> bool {
        matches!(self.frame, Frame::UntilClose)
    }

    /// Reads on; gives the bytes behind the body's end.
    ///
    /// # Errors
    /// Says why the bytes cannot be a body of this framing or are too many.
    pub(super) fn read<'a>(
        &mut self,
        mut bytes: &'a [u8],
        lens: &Lens,
        told: &mut Told,
    ) -> Result<&'a [u8], &'static str> {
        while !bytes.is_empty() && !self.is_over() {
            let (content, rest, is_last) = self.frame.next(bytes)?;
            bytes = rest;
            self.content.read(content, lens, told)?;
            if is_last {
                self.end(lens, told);
            }
        }
        Ok(bytes)
    }

    /// The body is complete.
    pub(super) fn end(&mut self, lens: &Lens, told: &mut Told) {
        self.frame = Frame::Over;
        match &mut self.content {
            Content::Events(_) => told.add(What::End),
            Content::Whole(held) => tell(held.tell(), lens, told),
            Content::Parts(held) => {
                tell(held.tell(), lens, told);
                told.add(What::End);
            }
        }
    }

    /// One call's bytes have been read: tells the parts that they brought.
    pub(super) fn flush(&mut self, lens: &Lens, told: &mut Told) {
        if let Content::Parts(held) = &mut self.content {
            tell(held.tell_characters(), lens, told);
        }
    }
}

fn tell(data: Option<Data>, lens: &Lens, told: &mut Told) {
    if let Some(data) = data
        && lens.bodies
    {
        told.add(What::Body(data));
    }
}

impl Content {
    fn read(&mut self, bytes: &[u8], lens: &Lens, told: &mut Told) -> Result<(), &'static str> {
        match self {
            Content::Whole(held) | Content::Parts(held) => held.take_in(bytes),
            Content::Events(parser) => {
                for item in parser.push(bytes) {
                    let what = match item {
                        sse::Item::Event(event) => What::Event {
                            name: event.event_type,
                            id: event.id_field,
                            data: Data::of_text(&event.data),
                        },
                        sse::Item::Id(id) if lens.ids => What::Id(id),
                        sse::Item::Retry(time) if lens.retry => What::Retry(time, time),
                        sse::Item::Comment(_) if lens.comments => What::Comment,
                        sse::Item::Id(_) | sse::Item::Retry(_) | sse::Item::Comment(_) => continue,
                    };
                    told.add(what);
                }
                if parser.buffered() > MAX_HELD {
                    return Err("sent an event of more than 1 MiB");
                }
            }
        }
        Ok(())
    }
}

impl Frame {
    /// Splits off the content that `bytes` begin with, if any: the content,
    /// what follows, and whether the body ends between them.
    fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8], bool), &'static str> {
        match self {
            Frame::Over => Ok((&[], bytes, false)),
            Frame::UntilClose => Ok((bytes, &[], false)),
            Frame::Left(left) => {
                let (content, rest) = split(bytes, left);
                Ok((content, rest, *left == 0))
            }
            Frame::Chunked(chunk) => chunk.next(bytes),
        }
    }
}

/// Splits off up to `left` bytes and counts them off.
fn split<'a>(bytes: &'a [u8], left: &mut u64) -> (&'a [u8], &'a [u8]) {
    let length = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= length as u64;
    bytes.split_at(length)
}

impl Chunk {
    fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8], bool), &'static str> {
        const NO_CHUNK: &str = "sent a chunked body whose framing is broken";
        if let Chunk::Data(left) = self {
            let (content, rest) = split(bytes, left);
            if *left == 0 {
                *self = Chunk::AfterData;
            }
            return Ok((content, rest, false));
        }
        let (byte, rest) = (bytes[0], &bytes[1..]);
        let mut is_last = false;
        match self {
            Chunk::Size(line) => {
                line.push(byte);
                if line.len() > MAX_HEAD {
                    return Err(NO_CHUNK);
                }
                if byte == b'\n' {
                    let size = match httparse::parse_chunk_size(line) {
                        Ok(httparse::Status::Complete((_, size))) if line[0] != b'\r' => size,
                        _ => return Err(NO_CHUNK),
                    };
                    *self = match size {
                        0 => Chunk::Trailers(true, 0),
                        size => Chunk::Data(size),
                    };
                }
            }
            Chunk::AfterData => match byte {
                b'\r' => {}
                b'\n' => *self = Chunk::Size(Vec::new()),
                _ => return Err(NO_CHUNK),
            },
            Chunk::Trailers(is_empty, count) => {
                *count += 1;
                if *count > MAX_HEAD {
                    return Err(NO_CHUNK);
                }
                match byte {
                    b'\n' if *is_empty => is_last = true,
                    b'\n' => *is_empty = true,
                    b'\r' => {}
                    _ => *is_empty = false,
                }
            }
            Chunk::Data(_) => {}
        }
        Ok((&[], rest, is_last))
    }
}
