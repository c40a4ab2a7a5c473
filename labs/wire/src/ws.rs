//! WebSocket frames, to the letter of RFC 6455.
//!
//! [`encode`] writes a frame, [`Header::read`] names the parts of one without
//! judging it, and [`Decoder`] is the strict peer: it joins fragments and
//! refuses what the RFC tells an endpoint to refuse, with the close code that
//! it asks for. Extensions are not spoken.

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

/// The most that a control frame may carry (§ 5.5).
pub const MAX_CONTROL: usize = 125;

/// What a frame is for (§ 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// `0`: the next part of a fragmented message.
    Continuation,
    /// `1`: a text message, or its first part.
    Text,
    /// `2`: a binary message, or its first part.
    Binary,
    /// `8`: the beginning or the echo of the closing handshake.
    Close,
    /// `9`: asks for a pong.
    Ping,
    /// `10`: answers a ping.
    Pong,
}

impl Opcode {
    /// The opcode's four bits.
    pub fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xA,
        }
    }

    /// The opcode of four bits; nothing for the reserved ones.
    pub fn of_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether frames of this kind may stand between the fragments of a message (§ 5.5).
    pub fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// One frame, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The last frame of its message.
    pub fin: bool,
    /// What the frame is for.
    pub opcode: Opcode,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A text message in one frame.
    pub fn text(text: &str) -> Frame {
        Frame::whole(Opcode::Text, text.as_bytes())
    }

    /// A binary message in one frame.
    pub fn binary(bytes: &[u8]) -> Frame {
        Frame::whole(Opcode::Binary, bytes)
    }

    /// A close frame. A reason needs a code to stand behind: without one it is left out.
    pub fn close(code: Option<u16>, reason: &str) -> Frame {
        let mut payload = Vec::new();
        if let Some(code) = code {
            payload.extend_from_slice(&code.to_be_bytes());
            payload.extend_from_slice(reason.as_bytes());
        }
        Frame::whole(Opcode::Close, &payload)
    }

    /// A frame that is a message, or a control frame, by itself.
    pub fn whole(opcode: Opcode, payload: &[u8]) -> Frame {
        Frame { fin: true, opcode, payload: payload.to_vec() }
    }
}

/// The bytes of a frame (§ 5.2), its length in the fewest bytes.
///
/// `mask` is the masking key: a client must choose a new one for every frame,
/// a server must not mask (§ 5.1). Nothing is checked here, so that a test can
/// also send what a peer has to refuse.
pub fn encode(frame: &Frame, mask: Option<[u8; 4]>) -> Vec<u8> {
    let length = frame.payload.len();
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = Vec::with_capacity(14 + length);
    bytes.push(u8::from(frame.fin) << 7 | frame.opcode.bits());
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => bytes.push(masked | short),
        (_, Ok(medium)) => {
            bytes.push(masked | 126);
            bytes.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(mask.as_ref().map_or(&[], |key| &key[..]));
    let payload = bytes.len();
    bytes.extend_from_slice(&frame.payload);
    if let Some(key) = mask {
        apply_mask(&mut bytes[payload..], key);
    }
    bytes
}

/// Masks or unmasks a payload in place (§ 5.3).
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// The parts of a frame before its payload, as they stand in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The FIN bit.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3, as the three lowest bits.
    pub reserved: u8,
    /// The opcode's four bits, which may be reserved ones.
    pub opcode: u8,
    /// The masking key, if the MASK bit is set.
    pub mask: Option<[u8; 4]>,
    /// The payload's length in bytes, as announced.
    pub payload_length: u64,
    /// The header's own length in bytes: 2, 4 or 10, and 4 more for a mask.
    pub length: usize,
}

impl Header {
    /// Reads the header that `bytes` begin with; nothing if more bytes are needed.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (payload_length, rest) = match second & 0x7f {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length), rest)
            }
            short => (u64::from(short), rest),
        };
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest.split_first_chunk()?;
            (Some(*key), rest)
        };
        Some(Header {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 0x7,
            opcode: first & 0xf,
            mask,
            payload_length,
            length: bytes.len() - rest.len(),
        })
    }

    /// Whether fewer bytes could have said the length (§ 5.2).
    fn wastes_bytes_on_the_length(&self) -> bool {
        match self.length - 2 - self.mask.map_or(0, |key| key.len()) {
            0 => false,
            2 => self.payload_length < 126,
            _ => self.payload_length <= u64::from(u16::MAX),
        }
    }
}

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message, its fragments joined.
    Text(String),
    /// A binary message, its fragments joined.
    Binary(Vec<u8>),
    /// A ping and what its pong must repeat.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The close frame: its code, if it has one, and its reason. Nothing counts after it.
    Close(Option<u16>, String),
}

/// Why a peer must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The close code to fail the connection with (§ 7.4.1): 1002, 1007 or 1009.
    pub code: u16,
    /// The rule that was broken, in a sentence that names its section.
    pub rule: &'static str,
}

impl Violation {
    const fn protocol(rule: &'static str) -> Violation {
        Violation { code: 1002, rule }
    }

    const fn not_utf8(rule: &'static str) -> Violation {
        Violation { code: 1007, rule }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "close {}: {}", self.code, self.rule)
    }
}

impl std::error::Error for Violation {}

/// Who sent the bytes that a [`Decoder`] reads: only a client masks (§ 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Every frame must be masked.
    Client,
    /// No frame may be masked.
    Server,
}

/// Reads one direction of a WebSocket connection, bytes cut anywhere.
///
/// ```
/// use wire::ws::{Decoder, Frame, Message, Sender, encode};
///
/// let mut decoder = Decoder::new(Sender::Client, 4096);
/// let bytes = encode(&Frame::text("hello"), Some([1, 2, 3, 4]));
/// assert_eq!(decoder.push(&bytes), [Ok(Message::Text("hello".into()))]);
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    sender: Sender,
    max_message: usize,
    buffer: Vec<u8>,
    /// The message whose last frame has not come yet.
    fragments: Option<Fragments>,
    /// A close frame or a violation has ended the stream.
    is_over: bool,
}

#[derive(Clone, Debug)]
struct Fragments {
    is_text: bool,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder for what `sender` sends; a message of more than `max_message`
    /// bytes is refused with 1009 as soon as a header announces it.
    pub fn new(sender: Sender, max_message: usize) -> Decoder {
        Decoder { sender, max_message, buffer: Vec::new(), fragments: None, is_over: false }
    }

    /// Takes the next bytes and gives what they complete.
    ///
    /// A violation is always the last item; like a close frame it ends the
    /// stream, and what follows is ignored.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Result<Message, Violation>> {
        let mut items = Vec::new();
        if self.is_over {
            return items;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut read = 0;
        while let Some(header) = Header::read(&buffer[read..]) {
            let opcode = match self.admit(&header) {
                Ok(opcode) => opcode,
                Err(violation) => {
                    items.push(Err(violation));
                    break;
                }
            };
            // The header is admitted: its length is no more than the limit.
            let start = read + header.length;
            let end = start + header.payload_length as usize;
            let Some(payload) = buffer.get_mut(start..end) else {
                buffer.drain(..read);
                self.buffer = buffer;
                return items;
            };
            apply_mask(payload, header.mask.unwrap_or_default());
            read = end;
            match self.take(opcode, header.fin, payload) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    items.push(Ok(message));
                    if opcode == Opcode::Close {
                        break;
                    }
                }
                Err(violation) => {
                    items.push(Err(violation));
                    break;
                }
            }
        }
        self.is_over = matches!(items.last(), Some(Ok(Message::Close(..)) | Err(_)));
        if self.is_over {
            self.fragments = None;
        } else {
            buffer.drain(..read);
            self.buffer = buffer;
        }
        items
    }

    /// Judges a frame by its header.
    fn admit(&self, header: &Header) -> Result<Opcode, Violation> {
        const fn refuse(rule: &'static str) -> Result<Opcode, Violation> {
            Err(Violation::protocol(rule))
        }
        if header.reserved != 0 {
            return refuse("a reserved bit is set and no extension was agreed on (§ 5.2)");
        }
        let Some(opcode) = Opcode::of_bits(header.opcode) else {
            return refuse("the opcode is a reserved one (§ 5.2)");
        };
        match (self.sender, header.mask) {
            (Sender::Client, None) => return refuse("a client must mask every frame (§ 5.1)"),
            (Sender::Server, Some(_)) => return refuse("a server must not mask a frame (§ 5.1)"),
            _ => {}
        }
        if header.payload_length >> 63 != 0 {
            return refuse("the highest bit of a 64-bit length is set (§ 5.2)");
        }
        if header.wastes_bytes_on_the_length() {
            return refuse("the length is not in the fewest bytes (§ 5.2)");
        }
        let begun = match (&self.fragments, opcode) {
            (_, Opcode::Close | Opcode::Ping | Opcode::Pong) => {
                if !header.fin {
                    return refuse("a control frame is fragmented (§ 5.5)");
                }
                if header.payload_length > MAX_CONTROL as u64 {
                    return refuse("a control frame carries more than 125 bytes (§ 5.5)");
                }
                return Ok(opcode);
            }
            (None, Opcode::Continuation) => {
                return refuse("a continuation frame has no message to continue (§ 5.4)");
            }
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return refuse("a new message begins inside a fragmented one (§ 5.4)");
            }
            (fragments, _) => fragments.as_ref().map_or(0, |begun| begun.payload.len()),
        };
        if header.payload_length > self.max_message.saturating_sub(begun) as u64 {
            return Err(Violation {
                code: 1009,
                rule: "the message is longer than this peer takes (§ 7.4.1)",
            });
        }
        Ok(opcode)
    }

    /// Takes an admitted frame; gives the message that it completes.
    fn take(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) -> Result<Option<Message>, Violation> {
        Ok(Some(match opcode {
            Opcode::Ping => Message::Ping(payload.to_vec()),
            Opcode::Pong => Message::Pong(payload.to_vec()),
            Opcode::Close => close(payload)?,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                let mut message = self
                    .fragments
                    .take()
                    .unwrap_or(Fragments { is_text: opcode == Opcode::Text, payload: Vec::new() });
                message.payload.extend_from_slice(payload);
                if !fin {
                    self.fragments = Some(message);
                    return Ok(None);
                }
                if message.is_text {
                    Message::Text(
                        String::from_utf8(message.payload)
                            .map_err(|_| Violation::not_utf8("a text message is not UTF-8 (§ 8.1)"))?,
                    )
                } else {
                    Message::Binary(message.payload)
                }
            }
        }))
    }
}

/// The body of a close frame (§ 5.5.1).
fn close(payload: &[u8]) -> Result<Message, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(Message::Close(None, String::new())),
        [_] => {
            return Err(Violation::protocol("a close frame carries half a code (§ 5.5.1)"));
        }
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !may_be_sent(code) {
        return Err(Violation::protocol("a close frame carries a code that none may send (§ 7.4)"));
    }
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok(Message::Close(Some(code), reason.to_owned())),
        Err(_) => Err(Violation::not_utf8("a close reason is not UTF-8 (§ 5.5.1)")),
    }
}

/// Whether a close frame may carry `code` (§ 7.4, and IANA's registry for 1012
/// to 1014). 1005, 1006 and 1015 only tell an application what no frame said.
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (§ 4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.trim());
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(&hash.finalize())
}
