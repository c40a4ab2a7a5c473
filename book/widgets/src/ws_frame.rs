//! `<ws-frame>`: a message in, the frame's bytes out, each field named; bytes in, and what a peer makes of them.

use wire::ws::{self, Decoder, Frame, Header, Message, Opcode, Sender, Violation};

use crate::hex;
use crate::view::{
    Action, Element, Node, Widget, button, bytes, el, grouped, labelled, menu, option, paragraph,
};

/// The longest message that the peer here takes; it may choose any limit (RFC 6455 § 10.4).
const LIMIT: usize = 1 << 20;
/// How many frames are taken apart.
const FRAMES: usize = 12;
/// How much of a payload is written out, in bytes and in characters.
const SHOWN: usize = 24;
/// How much text or hexadecimal digits are taken.
const TYPED: usize = 4 * 1024;

const KINDS: [(&str, &str, Opcode); 6] = [
    ("text", "text message", Opcode::Text),
    ("binary", "binary message", Opcode::Binary),
    ("continuation", "continuation", Opcode::Continuation),
    ("ping", "ping", Opcode::Ping),
    ("pong", "pong", Opcode::Pong),
    ("close", "close", Opcode::Close),
];

const LENGTHS: [(&str, &str); 5] = [
    ("", "as typed"),
    ("125", "125 bytes: the longest in 7 bits"),
    ("126", "126 bytes: the first in 16 bits"),
    ("65535", "65 535 bytes: the longest in 16 bits"),
    ("65536", "65 536 bytes: the first in 64 bits"),
];

/// The key of the examples in RFC 6455 § 5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An example to begin with.
struct Example {
    name: &'static str,
    words: &'static str,
    /// Who sent these bytes.
    sender: Sender,
    /// The bytes; nothing where the form makes them.
    hex: &'static str,
}

const READ: [Example; 8] = [
    from_client("hello", "A word from the client", "8185 37fa213d 7f9f4d5158"),
    from_server("back", "The same word from the server", "8105 48656c6c6f"),
    from_server("fragments", "A ping between two fragments", "0103 48656c 8900 8002 6c6f"),
    from_client("ping", "A ping with two bytes in it", "8982 37fa213d 5f93"),
    from_server("bye", "The end: close 1000", "8805 03e8 627965"),
    from_server("empty", "A message of no bytes", "8100"),
    from_server("unfinished", "The beginning of a frame", "810b 53656c6c69"),
    from_server("reversed", "A length of 5 in the wrong byte order", "8105 48656c6c6f 817e0500 48656c6c6f"),
];

const REFUSED: [Example; 11] = [
    from_client("unmasked", "A client that does not mask", "8105 48656c6c6f"),
    from_server("masked", "A server that masks", "8185 37fa213d 7f9f4d5158"),
    from_server("reserved", "A reserved bit: compression nobody agreed on", "c107 f248cdc9c90700"),
    from_server("opcode", "An opcode that means nothing yet", "8300"),
    from_server("wasteful", "A length in more bytes than it needs", "817e0005 48656c6c6f"),
    from_server("half-ping", "A ping in fragments", "0900"),
    from_server("inside", "A message begun inside another", "0101 61 8101 62"),
    from_server("nothing", "A continuation of nothing", "8001 61"),
    from_server("not-utf8", "Text that is not UTF-8: half an é", "8101 c3"),
    from_server("1006", "Close code 1006, which nobody may send", "8802 03ee"),
    from_server("half-code", "Close with half a code", "8801 03"),
];

const fn from_client(name: &'static str, words: &'static str, hex: &'static str) -> Example {
    Example { name, words, sender: Sender::Client, hex }
}

const fn from_server(name: &'static str, words: &'static str, hex: &'static str) -> Example {
    Example { name, words, sender: Sender::Server, hex }
}

/// `<ws-frame>`.
#[derive(Clone, Debug)]
pub struct WsFrame {
    /// Whether bytes are read, and not written from the form.
    reads: bool,
    sender: Sender,
    // What the form says.
    kind: usize,
    text: String,
    code: String,
    length: &'static str,
    fin: bool,
    masks: bool,
    key: [u8; 4],
    // What is read.
    example: &'static str,
    hex: String,
}

impl Default for WsFrame {
    /// The first example of RFC 6455 § 5.7 that is masked.
    fn default() -> Self {
        WsFrame {
            reads: false,
            sender: Sender::Client,
            kind: 0,
            text: "Hello".to_owned(),
            code: "1000".to_owned(),
            length: "",
            fin: true,
            masks: true,
            key: KEY,
            example: "hello",
            hex: hex::write(&hex::read(READ[0].hex).unwrap_or_default()),
        }
    }
}

impl Widget for WsFrame {
    fn act(&mut self, action: &Action<'_>) {
        let value = action.value;
        match action.name {
            "mode" => self.reads = value == "read",
            "sender" => {
                self.sender = if value == "server" { Sender::Server } else { Sender::Client };
                // Whoever turns to the other side begins with what is right there.
                self.masks = self.sender == Sender::Client;
            }
            "kind" => self.kind = KINDS.iter().position(|(name, ..)| *name == value).unwrap_or(0),
            "text" => self.text = taken(value),
            "code" => self.code = value.chars().filter(char::is_ascii_digit).take(5).collect(),
            "length" => {
                self.length = LENGTHS.iter().find(|(name, _)| *name == value).map_or("", |(name, _)| name);
            }
            "fin" => self.fin = value == "true",
            "masks" => self.masks = value == "true",
            "key" => self.key = action.chance.to_be_bytes(),
            "hex" => {
                self.hex = taken(value);
                self.example = "";
            }
            "example" => {
                if let Some(example) = READ.iter().chain(&REFUSED).find(|example| example.name == value) {
                    self.example = example.name;
                    self.sender = example.sender;
                    self.masks = self.sender == Sender::Client;
                    self.hex = hex::write(&hex::read(example.hex).unwrap_or_default());
                }
            }
            "read-these" => {
                if let Ok(written) = self.written() {
                    self.hex = hex::write(&written);
                    self.example = "";
                    self.reads = true;
                }
            }
            _ => {}
        }
    }

    fn view(&self) -> Vec<Node> {
        let mode = |name, words| {
            let chosen = self.reads == (name == "read");
            button("mode", name, words).set("aria-pressed", chosen)
        };
        let modes = el("div").class("choice").set("role", "group").set("aria-label", "What to do");
        let mut view =
            vec![modes.with(mode("write", "Write a frame")).with(mode("read", "Read bytes")).into()];
        let outcome = if self.reads {
            view.push(self.reading().into());
            hex::read(&self.hex)
        } else {
            view.push(self.writing().into());
            self.written()
        };
        match outcome {
            Ok(stream) => view.push(frames(&stream, self.sender).into()),
            Err(what) => {
                view.push(el("p").class("verdict bad").set("role", "status").words(&what).into());
            }
        }
        view
    }
}

/// No more than is dealt with at once.
fn taken(text: &str) -> String {
    text.chars().take(TYPED).collect()
}

impl WsFrame {
    fn sender_menu(&self) -> Element {
        let choices = [("client", "the client"), ("server", "the server")];
        let chosen = if self.sender == Sender::Client { "client" } else { "server" };
        labelled("Sent by", menu("sender", choices, chosen))
    }

    fn writing(&self) -> Element {
        let (kind, _, opcode) = KINDS[self.kind];
        let field = |label: &str, sets, value: &str| {
            let input = el("input").set("type", "text").set("data-sets", sets).set("value", value);
            labelled(label, input.set("autocomplete", "off").set("spellcheck", "false"))
        };
        let check = |label: &str, sets, is_set: bool| {
            let input = el("input").set("type", "checkbox").set("data-sets", sets).flag("checked", is_set);
            el("label").class("check").with(input).with(el("span").words(label))
        };
        let mut form = el("div")
            .class("form")
            .with(self.sender_menu())
            .with(labelled("Frame", menu("kind", KINDS.map(|(name, words, _)| (name, words)), kind)));
        if opcode == Opcode::Close {
            form = form.with(field("Code", "code", &self.code).set("class", "short"));
        }
        let label = match opcode {
            Opcode::Close => "Reason",
            Opcode::Binary => "Payload, hexadecimal",
            _ => "Payload",
        };
        form.with(field(label, "text", &self.text).set("class", "wide"))
            .with(labelled("Length", menu("length", LENGTHS, self.length)).set("class", "wide"))
            .with(
                el("div")
                    .class("row wide")
                    .with(check("Last of its message (FIN)", "fin", self.fin))
                    .with(check("Masked", "masks", self.masks))
                    .with(button("key", "", "Another key").flag("disabled", !self.masks))
                    .with(button("read-these", "", "Change its bytes")),
            )
    }

    fn reading(&self) -> Element {
        let group = |label, examples: &[Example]| {
            el("optgroup").set("label", label).with_all(
                examples
                    .iter()
                    .map(|example| option(example.name, example.words, self.example == example.name)),
            )
        };
        let own = option("", "your own bytes", self.example.is_empty());
        let examples = el("select")
            .set("data-sets", "example")
            .with(own)
            .with(group("To be read", &READ))
            .with(group("To be refused", &REFUSED));
        let input = el("textarea")
            .set("data-sets", "hex")
            .set("rows", 3)
            .set("spellcheck", "false")
            .set("autocomplete", "off")
            .set("value", &self.hex);
        el("div")
            .class("form")
            .with(self.sender_menu())
            .with(labelled("Example", examples))
            .with(labelled("Bytes, hexadecimal", input).set("class", "wide"))
    }

    /// The bytes that the form asks for.
    fn written(&self) -> Result<Vec<u8>, String> {
        let (_, _, opcode) = KINDS[self.kind];
        let mut payload = match opcode {
            Opcode::Binary => hex::read(&self.text)?,
            _ => self.text.as_bytes().to_vec(),
        };
        if opcode == Opcode::Close && !self.code.is_empty() {
            let code: usize = self.code.parse().unwrap_or(usize::MAX);
            let code = u16::try_from(code).map_err(|_| {
                format!("A close code is two bytes, 0 to 65535; `{}` does not fit.", self.code)
            })?;
            let reason = payload;
            payload = code.to_be_bytes().to_vec();
            payload.extend_from_slice(&reason);
        }
        if let Ok(length) = self.length.parse() {
            // Repeated whole, so that text stays text; the rest is filled up with dots.
            let part = if payload.is_empty() { b".".to_vec() } else { payload };
            payload = part.repeat(length / part.len());
            payload.resize(length, b'.');
            if part.len() > length {
                payload = part[..length].to_vec();
            }
        }
        let frame = Frame { fin: self.fin, opcode, payload };
        Ok(ws::encode(&frame, self.masks.then_some(self.key)))
    }
}

/// A field of a frame: its name, where it stands, what stands there, and what that says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: &'static str,
    place: String,
    value: String,
    says: String,
}

/// The bytes of a frame that stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: &'static str,
    hex: String,
}

/// A frame taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dissected {
    fields: Vec<Field>,
    parts: Vec<Part>,
    /// How many bytes it has, or would have if the rest were there; nothing while the header is not complete.
    length: Option<u64>,
}

/// Takes the frame apart that `stream` begins with. `stream` is not empty.
fn dissect(stream: &[u8]) -> Dissected {
    let mut fields = Vec::new();
    let mut field = |name, place: String, value: String, says: String| {
        fields.push(Field { name, place, value, says });
    };
    let (first, second) = (stream[0], stream.get(1).copied());
    let opcode = Opcode::of_bits(first & 0xf);
    let (fin, reserved) = (first & 0x80 != 0, first >> 4 & 7);
    let says = match (fin, opcode.is_some_and(Opcode::is_control)) {
        (true, false) => "The last frame of its message, perhaps the only one.",
        (true, true) => "A control frame is always whole.",
        (false, _) => "More frames of this message follow.",
    };
    field("FIN", "byte 0, bit 0".to_owned(), u8::from(fin).to_string(), says.to_owned());
    let says =
        if reserved == 0 { "No extension is used." } else { "For an extension that both sides agreed on." };
    field("RSV1–3", "byte 0, bits 1–3".to_owned(), bits(reserved, 3), says.to_owned());
    let says = match opcode {
        Some(Opcode::Continuation) => "Continuation: goes on with the message begun before.",
        Some(Opcode::Text) => "Text: the payload is UTF-8.",
        Some(Opcode::Binary) => "Binary: bytes, and nobody looks at them.",
        Some(Opcode::Close) => "Close: the last frame that this side sends.",
        Some(Opcode::Ping) => "Ping: asks for a pong.",
        Some(Opcode::Pong) => "Pong: answers a ping.",
        None => "Reserved: means nothing yet.",
    };
    let value = format!("{} = {}", bits(first & 0xf, 4), first & 0xf);
    field("opcode", "byte 0, bits 4–7".to_owned(), value, says.to_owned());
    let mut parts = vec![Part { name: "header", hex: hex::write(&stream[..stream.len().min(2)]) }];
    let Some(second) = second else { return Dissected { fields, parts, length: None } };

    let is_masked = second & 0x80 != 0;
    let says = if is_masked { "A masking key follows." } else { "No key follows; the payload is readable." };
    field("MASK", "byte 1, bit 0".to_owned(), u8::from(is_masked).to_string(), says.to_owned());
    let short = second & 0x7f;
    let says = match short {
        126 => "The next 2 bytes hold the length.".to_owned(),
        127 => "The next 8 bytes hold the length.".to_owned(),
        short => format!("The payload has {}.", bytes(short.into())),
    };
    field("length", "byte 1, bits 1–7".to_owned(), short.to_string(), says);

    let mut at = 2;
    let wide = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if wide > 0 {
        let Some(length) = stream.get(at..at + wide) else {
            parts.push(Part { name: "length", hex: hex::write(&stream[at..]) });
            return Dissected { fields, parts, length: None };
        };
        let value = length.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        parts.push(Part { name: "length", hex: hex::write(length) });
        field(
            "length",
            place(at, wide as u64),
            hex::write(length),
            format!("The payload has {}; the highest byte comes first.", bytes(value)),
        );
        at += wide;
    }
    if is_masked {
        let key = stream.get(at..at + 4);
        let value = hex::write(key.unwrap_or(&stream[at..]));
        parts.push(Part { name: "key", hex: value.clone() });
        if key.is_none() {
            return Dissected { fields, parts, length: None };
        }
        let says = "Drawn anew for each frame. It hides nothing: it keeps scripts from choosing the bytes on the wire.";
        field("masking key", place(at, 4), value, says.to_owned());
    }
    // Everything that a header needs is there.
    let Some(header) = Header::read(stream) else { return Dissected { fields, parts, length: None } };
    let start = header.length;
    let rest = &stream[start..];
    let here = usize::try_from(header.payload_length).map_or(rest, |length| &rest[..length.min(rest.len())]);
    if !here.is_empty() {
        let mut clear = here.to_vec();
        ws::apply_mask(&mut clear, header.mask.unwrap_or_default());
        parts.push(Part { name: "payload", hex: shortened(here) });
        let told = told(&clear, opcode);
        let says = match header.mask {
            None => told,
            Some(key) => format!(
                "Each byte ⊕ one of the key: {:02x} ⊕ {:02x} = {:02x}. {told}",
                here[0], key[0], clear[0]
            ),
        };
        field("payload", place(start, here.len() as u64), shortened(here), says);
    }
    Dissected { fields, parts, length: (start as u64).checked_add(header.payload_length) }
}

/// The lowest bits of a byte, the highest of them first.
fn bits(byte: u8, count: u32) -> String {
    (0..count).rev().map(|bit| if byte >> bit & 1 == 1 { '1' } else { '0' }).collect()
}

fn place(start: usize, length: u64) -> String {
    match length {
        1 => format!("byte {start}"),
        length => format!("bytes {start}–{}", start as u64 + length - 1),
    }
}

fn shortened(payload: &[u8]) -> String {
    match payload.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} … {} more", hex::write(&payload[..SHOWN]), grouped(more as u64)),
        _ => hex::write(payload),
    }
}

/// What a payload says, once it is not masked.
fn told(clear: &[u8], opcode: Option<Opcode>) -> String {
    match (opcode, clear) {
        (Some(Opcode::Close), [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            let reason = match reason {
                [] => "no reason".to_owned(),
                reason => format!("the reason {}", quoted(reason)),
            };
            format!("Code {code}, {}; {reason}.", meaning(code))
        }
        (Some(Opcode::Binary), _) => format!("Bytes: `{}`.", shortened(clear)),
        _ => format!("It says {}.", quoted(clear)),
    }
}

fn quoted(clear: &[u8]) -> String {
    let text = String::from_utf8_lossy(clear);
    let mut shown: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() || c == '`' { '\u{b7}' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// What a close code says (RFC 6455 § 7.4.1, IANA's registry).
pub(crate) fn meaning(code: u16) -> &'static str {
    match code {
        1000 => "all is done",
        1001 => "going away",
        1002 => "the protocol was broken",
        1003 => "data of a kind that is not taken",
        1005 | 1006 | 1015 => "which no frame may carry: it tells a program what no frame said",
        1007 => "text that is not UTF-8",
        1008 => "against the rules of the house",
        1009 => "too long",
        1010 => "an extension is missing",
        1011 => "the server failed",
        1012 => "the server starts anew",
        1013 => "try again later",
        1014 => "a bad answer from behind",
        3000..=3999 => "registered by a library",
        4000..=4999 => "the application's own",
        _ => "which means nothing",
    }
}

/// What the other side makes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    is_bad: bool,
    words: String,
}

fn frames(stream: &[u8], sender: Sender) -> Element {
    let peer = match sender {
        Sender::Client => "The server",
        Sender::Server => "The client",
    };
    let out = el("div").class("frames");
    let mut drawn = Vec::new();
    if stream.is_empty() {
        return out.with(el("p").class("verdict").set("role", "status").text("No bytes, no frame."));
    }
    let mut decoder = Decoder::new(sender, LIMIT);
    let (mut rest, mut is_over) = (stream, false);
    let mut is_within_a_message = false;
    let mut verdicts = el("ul").class("verdicts");
    for number in 1.. {
        if rest.is_empty() {
            break;
        }
        if number > FRAMES {
            let left = format!("After that {} are left, which are not shown.", bytes(rest.len() as u64));
            verdicts = verdicts.with(el("li").class("verdict").text(left));
            break;
        }
        let frame = dissect(rest);
        let whole = frame
            .length
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| *length <= rest.len());
        let (these, after) = rest.split_at(whole.unwrap_or(rest.len()));
        let verdict = if is_over {
            Verdict {
                is_bad: false,
                words: format!("{peer} does not read this any more: the connection is over."),
            }
        } else {
            let items = decoder.push(these);
            is_over = matches!(items.last(), Some(Ok(Message::Close(..)) | Err(_)));
            judged(peer, &items, &frame, these, whole.is_some(), is_within_a_message)
        };
        if whole.is_some() && these[0] & 0x8 == 0 {
            is_within_a_message = these[0] & 0x80 == 0;
        }
        let is_alone = number == 1 && after.is_empty();
        let name = if is_alone { String::new() } else { format!("Frame {number}. ") };
        drawn.push(picture(&frame, &name, these.len()));
        let class = if verdict.is_bad { "verdict bad" } else { "verdict" };
        verdicts = verdicts.with(el("li").class(class).words(&format!("{name}{}", verdict.words)));
        rest = after;
    }
    let status = el("div").set("role", "status").set("aria-label", "What the other side does");
    let out = out.with(status.with(verdicts)).with_all(drawn);
    out.with(paragraph("Bits are counted from the highest, as in RFC 6455 § 5.2.").set("class", "hint"))
}

fn judged(
    peer: &str,
    items: &[Result<Message, Violation>],
    frame: &Dissected,
    these: &[u8],
    is_whole: bool,
    is_within_a_message: bool,
) -> Verdict {
    let good = |words: String| Verdict { is_bad: false, words };
    match items.first() {
        Some(Ok(Message::Text(text))) if text.is_empty() => {
            good(format!("{peer} has an empty text message."))
        }
        Some(Ok(Message::Text(text))) => {
            good(format!("{peer} has a text message: {}.", quoted(text.as_bytes())))
        }
        Some(Ok(Message::Binary(payload))) => {
            good(format!("{peer} has a binary message of {}.", bytes(payload.len() as u64)))
        }
        Some(Ok(Message::Ping(payload))) => {
            let same = match payload.len() {
                0 => "without payload".to_owned(),
                length => format!("with the same {}", bytes(length as u64)),
            };
            let goes_on = if is_within_a_message { " The message around it goes on." } else { "" };
            good(format!("{peer} answers with a pong {same}, as soon as it can (§ 5.5.2).{goes_on}"))
        }
        Some(Ok(Message::Pong(_))) => {
            good(format!("{peer} takes it for a sign of life and answers nothing (§ 5.5.3)."))
        }
        Some(Ok(Message::Close(..))) => good(format!(
            "{peer} answers with a close frame and sends nothing after it; then the TCP connection is closed, by the server first (§ 5.5.1, § 7.1.1)."
        )),
        Some(Err(Violation { code, rule })) => Verdict {
            is_bad: true,
            words: format!("{peer} must end the connection, with close code {code}: {rule}."),
        },
        None if is_whole => {
            good(format!("{peer} keeps this part and waits for the last frame of the message (§ 5.4)."))
        }
        None => good(match frame.length {
            Some(length) => format!(
                "{peer} waits: {} of the frame are still to come.",
                bytes(length - these.len() as u64)
            ),
            None => format!("{peer} waits: the header is not complete."),
        }),
    }
}

fn picture(frame: &Dissected, name: &str, here: usize) -> Element {
    let parts = frame.parts.iter().map(|part| {
        el("span")
            .class("part")
            .set("data-part", part.name)
            .with(el("code").text(&part.hex))
            .with(el("small").text(part.name))
    });
    let payload = frame.fields.iter().any(|field| field.name == "payload");
    let length = frame.length.unwrap_or(here as u64);
    let words = match (frame.length, payload) {
        (None, _) => format!("{name}{} of a header", bytes(here as u64)),
        (Some(_), false) => format!("{name}{}, all of them header", bytes(length)),
        (Some(_), true) => format!("{name}{} in all", bytes(length)),
    };
    let fields = frame.fields.iter().map(|field| {
        el("li")
            .set("data-part", part_of(field))
            .with(el("div").with(el("b").text(field.name)).text(" ").with(el("small").text(&field.place)))
            .with(el("p").with(el("code").text(&field.value)).text(" ").words(&field.says))
    });
    el("section")
        .class("frame")
        .set("aria-label", words.clone())
        .with(el("p").class("hint").text(words))
        .with(el("div").class("parts").with_all(parts))
        .with(el("ol").class("fields").with_all(fields))
}

/// The part that a field stands in.
fn part_of(field: &Field) -> &'static str {
    match field.name {
        "payload" => "payload",
        "masking key" => "key",
        "length" if field.place.starts_with("bytes") => "length",
        _ => "header",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::shown;

    fn after(actions: &[(&str, &str)]) -> WsFrame {
        let mut widget = WsFrame::default();
        for (name, value) in actions {
            widget.act(&Action::new(name, value));
        }
        widget
    }

    /// What the other side makes of the bytes, without the rest.
    fn verdicts(widget: &WsFrame) -> String {
        let shown = shown(widget);
        shown.lines().map(str::trim).filter(|line| line.contains("verdict")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_word_from_the_client_is_the_rfc_s_own_example() {
        insta::assert_snapshot!(shown(&WsFrame::default()));
        // RFC 6455 § 5.7.
        assert_eq!(hex::write(&WsFrame::default().written().unwrap()), "81 85 37 fa 21 3d 7f 9f 4d 51 58");
    }

    #[test]
    fn the_three_lengths_are_told() {
        let told: Vec<String> = LENGTHS[1..]
            .iter()
            .map(|(length, _)| {
                let widget = after(&[("sender", "server"), ("length", length)]);
                let frame = dissect(&widget.written().unwrap());
                format!("{length}: {:?}\n{}", frame.length, lines(&frame))
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    fn lines(frame: &Dissected) -> String {
        frame
            .fields
            .iter()
            .map(|field| format!("  {} · {} · {} · {}\n", field.name, field.place, field.value, field.says))
            .collect()
    }

    #[test]
    fn each_example_is_what_it_is_called() {
        let told: Vec<String> = READ
            .iter()
            .chain(&REFUSED)
            .map(|example| {
                format!(
                    "{}\n{}\n",
                    example.words,
                    verdicts(&after(&[("mode", "read"), ("example", example.name)]))
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
        for example in &REFUSED {
            let told = verdicts(&after(&[("mode", "read"), ("example", example.name)]));
            assert!(told.contains("must end the connection"), "{}", example.words);
        }
    }

    #[test]
    fn bytes_are_read_field_by_field() {
        insta::assert_snapshot!(shown(&after(&[("mode", "read"), ("example", "fragments")])));
    }

    #[test]
    fn whatever_is_pasted_is_answered() {
        for text in [
            "",
            "8",
            "81",
            "81 7e",
            "81 7f 00",
            "81 ff 80 00 00 00 00 00 00 00",
            "ff ff ff ff ff ff ff ff ff ff ff ff ff ff",
            "88 82 00 00 00 00",
            "0x81, 0x00",
        ] {
            let told = verdicts(&after(&[("mode", "read"), ("hex", text)]));
            assert!(!told.is_empty(), "{text}");
        }
        let many = verdicts(&after(&[("mode", "read"), ("hex", &"81 00 ".repeat(20))]));
        assert!(many.ends_with("After that 16 bytes are left, which are not shown.</li>"), "{many}");
        assert!(verdicts(&after(&[("mode", "read"), ("hex", "81 zz")])).contains("no hexadecimal digit"));
        assert!(verdicts(&after(&[("kind", "binary"), ("text", "8")])).contains("binary message of 1 byte"));
        assert!(verdicts(&after(&[("kind", "close"), ("code", "99999")])).contains("does not fit"));
    }

    #[test]
    fn every_rule_can_be_broken_in_the_form() {
        insta::assert_snapshot!(
            [
                after(&[("masks", "false")]),
                after(&[("sender", "server"), ("masks", "true")]),
                after(&[("fin", "false")]),
                after(&[("kind", "ping"), ("fin", "false")]),
                after(&[("kind", "ping"), ("length", "126")]),
                after(&[("kind", "continuation")]),
                after(&[("kind", "close"), ("code", "1006")]),
                after(&[("kind", "close"), ("code", ""), ("text", "x")]),
                after(&[("kind", "close"), ("code", "4000"), ("text", "away for lunch")]),
            ]
            .map(|widget| verdicts(&widget))
            .join("\n")
        );
    }

    #[test]
    fn another_key_changes_the_bytes_and_not_the_message() {
        let mut widget = WsFrame::default();
        widget.act(&Action { name: "key", value: "", chance: 0x0102_0304 });
        assert_eq!(widget.written().unwrap()[2..6], [1, 2, 3, 4]);
        assert!(verdicts(&widget).contains("<code>Hello</code>"));
        widget.act(&Action::new("read-these", ""));
        assert!(widget.reads && widget.hex.starts_with("81 85 01 02 03 04"));
    }

    #[test]
    fn a_length_repeats_what_was_typed_and_stays_text() {
        let widget = after(&[("text", "é"), ("length", "125")]);
        assert!(verdicts(&widget).contains("text message"));
        assert!(verdicts(&after(&[("text", &"x".repeat(300)), ("length", "125")])).contains("text message"));
        assert_eq!(
            after(&[("text", ""), ("length", "126"), ("masks", "false")]).written().unwrap().len(),
            130
        );
    }
}
