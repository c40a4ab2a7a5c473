//! Where one WebSocket message ends and the next begins, in what the server sends.

use wire::ws::Header;

/// The longest header of a frame that a server sends: it masks nothing.
const HEADER: usize = 10;

/// Follows the server's bytes from the head of its `101` on.
#[derive(Debug, Default)]
pub(super) struct Frames {
    at: At,
}

#[derive(Debug)]
enum At {
    /// In the response's head, of whose last empty line so many bytes have passed.
    Head(usize),
    /// In a frame's header.
    Header([u8; HEADER], usize),
    /// In a payload of which so many bytes are to come; whether it ends a message.
    Payload(u64, bool),
}

impl Default for At {
    fn default() -> Self {
        Self::Head(0)
    }
}

impl Frames {
    /// Whether a frame may be put in here.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.at, At::Header(_, 0))
    }

    /// How many of the next bytes belong to the frame at hand, at most; nothing where only the bytes can tell.
    pub(super) fn left_of_frame(&self) -> Option<u64> {
        match self.at {
            At::Payload(left, _) => Some(left),
            _ => None,
        }
    }

    /// Follows these bytes; gives how many messages came to their end in them.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        let mut messages = 0;
        while let Some(&byte) = bytes.first() {
            match &mut self.at {
                At::Head(matched) => {
                    bytes = &bytes[1..];
                    *matched = match (byte, *matched) {
                        (b'\r', 0 | 2) | (b'\n', 1 | 3) => *matched + 1,
                        (b'\r', _) => 1,
                        _ => 0,
                    };
                    if *matched == 4 {
                        self.at = At::Header([0; HEADER], 0);
                    }
                }
                At::Header(header, length) => {
                    bytes = &bytes[1..];
                    header[*length] = byte;
                    *length += 1;
                    // A server that masks (§ 5.1) has a longer header; it is not ours, and what it says is not counted.
                    let read = Header::read(&header[..*length]);
                    if let Some(read) =
                        read.or_else(|| (*length == HEADER).then(|| unmasked(header)).flatten())
                    {
                        let ends_message = read.fin && read.opcode < 8;
                        self.at = match read.payload_length {
                            0 => {
                                messages += u64::from(ends_message);
                                At::Header([0; HEADER], 0)
                            }
                            left => At::Payload(left, ends_message),
                        };
                    }
                }
                At::Payload(left, ends_message) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[taken..];
                    *left -= taken as u64;
                    if *left == 0 {
                        messages += u64::from(*ends_message);
                        self.at = At::Header([0; HEADER], 0);
                    }
                }
            }
        }
        messages
    }
}

/// The header without its mask bit, so that no header is longer than there is room for.
fn unmasked(header: &[u8; HEADER]) -> Option<Header> {
    let mut header = *header;
    header[1] &= 0x7f;
    Header::read(&header)
}

#[cfg(test)]
mod tests {
    use wire::ws::{Frame, encode};

    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

    #[test]
    fn messages_are_counted_however_their_bytes_are_cut() {
        let long = "x".repeat(70_000);
        let mut bytes = HEAD.to_vec();
        for frame in [
            Frame::text("one"),
            Frame::text(""),
            Frame::close(Some(1000), "no message"),
            Frame::text(&long[..300]),
            Frame::binary(long.as_bytes()),
        ] {
            bytes.extend(encode(&frame, None));
        }
        for size in [1, 2, 3, 7, 1_000, bytes.len()] {
            let mut frames = Frames::default();
            let messages: u64 = bytes.chunks(size).map(|part| frames.pass(part)).sum();
            assert_eq!(messages, 4, "in parts of {size}");
            assert!(frames.is_between());
        }
    }

    #[test]
    fn in_the_middle_of_a_head_a_header_and_a_payload_is_not_between() {
        let mut frames = Frames::default();
        assert!(!frames.is_between(), "before the head");
        frames.pass(HEAD);
        assert!(frames.is_between());
        frames.pass(&[0x81]);
        assert!(!frames.is_between() && frames.left_of_frame().is_none(), "in a header");
        frames.pass(&[3, b'a']);
        assert_eq!((frames.is_between(), frames.left_of_frame()), (false, Some(2)));
        frames.pass(b"bc");
        assert!(frames.is_between());
    }

    #[test]
    fn bytes_that_are_no_frames_do_no_harm() {
        let mut frames = Frames::default();
        frames.pass(HEAD);
        frames.pass(&[0xff; 5_000]);
    }
}
