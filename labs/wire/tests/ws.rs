//! WebSocket frames, rule by rule as RFC 6455 has them.

use proptest::prelude::*;
use wire::ws::{
    Decoder, Frame, Header, Message, Opcode, Sender, Violation, accept_key, apply_mask, encode, may_be_sent,
};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LIMIT: usize = 100_000;

fn from_server(bytes: &[u8]) -> Vec<Result<Message, Violation>> {
    Decoder::new(Sender::Server, LIMIT).push(bytes)
}

fn text(text: &str) -> Result<Message, Violation> {
    Ok(Message::Text(text.to_owned()))
}

fn part(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let payload = payload.to_vec();
    encode(&Frame { fin, opcode, payload }, None)
}

/// The code and the section that the last item is refused with.
#[track_caller]
fn refusal(items: &[Result<Message, Violation>]) -> (u16, &'static str) {
    match items.last() {
        Some(Err(violation)) => {
            let section = violation.rule.split_once("(§ ").expect("a rule names its section").1;
            (violation.code, section.trim_end_matches(')'))
        }
        other => panic!("this must be refused, not read as {other:?}"),
    }
}

#[test]
fn the_rfcs_examples_read_and_write_the_same() {
    // § 5.7
    let hello = Frame::text("Hello");
    let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(encode(&hello, None), unmasked);
    assert_eq!(encode(&hello, Some(KEY)), masked);
    assert_eq!(from_server(&unmasked), [text("Hello")]);
    assert_eq!(Decoder::new(Sender::Client, LIMIT).push(&masked), [text("Hello")]);
    assert_eq!(from_server(&[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]), [text("Hello")]);
    assert_eq!(
        from_server(&[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]),
        [Ok(Message::Ping(b"Hello".to_vec()))]
    );
    assert_eq!(encode(&Frame::binary(&[0; 256]), None)[..4], [0x82, 0x7e, 0x01, 0x00]);
    assert_eq!(encode(&Frame::binary(&[0; 65536]), None)[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn the_accept_key_is_the_rfcs() {
    // § 1.3
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn lengths_switch_at_126_and_at_65536() {
    for (length, header) in [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)] {
        let bytes = encode(&Frame::binary(&vec![7; length]), None);
        assert_eq!(bytes.len(), header + length, "{length} bytes");
        assert_eq!(from_server(&bytes), [Ok(Message::Binary(vec![7; length]))]);
        let masked = encode(&Frame::binary(&vec![7; length]), Some(KEY));
        assert_eq!(masked.len(), header + 4 + length, "{length} bytes, masked");
    }
}

#[test]
fn a_header_names_its_parts_even_where_they_are_refused() {
    assert_eq!(
        Header::read(&[0xf3, 0xfe, 0x00, 0x05, 1, 2, 3, 4, 99]),
        Some(Header {
            fin: true,
            reserved: 0b111,
            opcode: 3,
            mask: Some([1, 2, 3, 4]),
            payload_length: 5,
            length: 8,
        })
    );
    assert_eq!(Header::read(&[0x81]), None);
    assert_eq!(Header::read(&[0x81, 0x7f, 0, 0, 0]), None);
    assert_eq!(Header::read(&[0x81, 0x85, 0, 0, 0]), None);
}

#[test]
fn a_length_in_more_bytes_than_needed_is_refused() {
    assert_eq!(refusal(&from_server(&[0x82, 126, 0, 125])), (1002, "5.2"));
    assert_eq!(refusal(&from_server(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff])), (1002, "5.2"));
}

#[test]
fn a_length_with_its_highest_bit_set_is_refused() {
    assert_eq!(refusal(&from_server(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0])), (1002, "5.2"));
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_header() {
    let mut decoder = Decoder::new(Sender::Server, 200);
    assert_eq!(decoder.push(&encode(&Frame::binary(&[0; 200]), None)).len(), 1);
    assert_eq!(refusal(&decoder.push(&[0x82, 126, 0, 201])).0, 1009);

    let mut decoder = Decoder::new(Sender::Server, 200);
    assert_eq!(decoder.push(&part(Opcode::Text, false, &[b'a'; 150])), []);
    assert_eq!(refusal(&decoder.push(&[0x80, 51])).0, 1009, "the fragments count together");
    let huge = [0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(refusal(&from_server(&huge)).0, 1009);
}

#[test]
fn a_client_must_mask_and_a_server_must_not() {
    let frame = Frame::text("a");
    let mut from_client = Decoder::new(Sender::Client, LIMIT);
    assert_eq!(refusal(&from_client.push(&encode(&frame, None))), (1002, "5.1"));
    assert_eq!(refusal(&from_server(&encode(&frame, Some(KEY)))), (1002, "5.1"));
}

#[test]
fn masking_twice_gives_the_payload_back() {
    let mut payload = *b"masked";
    apply_mask(&mut payload, KEY);
    assert_ne!(&payload, b"masked");
    apply_mask(&mut payload, KEY);
    assert_eq!(&payload, b"masked");
}

#[test]
fn reserved_bits_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(refusal(&from_server(&[0x81 | bit, 0])), (1002, "5.2"), "{bit:#x}");
    }
}

#[test]
fn reserved_opcodes_are_refused() {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        assert_eq!(refusal(&from_server(&[0x80 | opcode, 0])), (1002, "5.2"), "{opcode:#x}");
    }
}

#[test]
fn fragments_are_joined() {
    let bytes = [
        part(Opcode::Binary, false, &[1]),
        part(Opcode::Continuation, false, &[]),
        part(Opcode::Continuation, false, &[2]),
        part(Opcode::Continuation, true, &[3]),
        part(Opcode::Text, true, b"next"),
    ];
    assert_eq!(from_server(&bytes.concat()), [Ok(Message::Binary(vec![1, 2, 3])), text("next")]);
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let bytes = [
        part(Opcode::Text, false, b"one "),
        part(Opcode::Ping, true, b"?"),
        part(Opcode::Pong, true, b""),
        part(Opcode::Continuation, true, b"message"),
    ];
    assert_eq!(
        from_server(&bytes.concat()),
        [Ok(Message::Ping(b"?".to_vec())), Ok(Message::Pong(vec![])), text("one message")]
    );
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    assert_eq!(refusal(&from_server(&part(Opcode::Continuation, true, b""))), (1002, "5.4"));
    let done = [part(Opcode::Text, true, b"a"), part(Opcode::Continuation, true, b"b")].concat();
    let items = from_server(&done);
    assert_eq!(items[0], text("a"), "what came before the fault is told");
    assert_eq!(refusal(&items), (1002, "5.4"));
}

#[test]
fn a_new_message_inside_a_fragmented_one_is_refused() {
    for opcode in [Opcode::Text, Opcode::Binary] {
        let bytes = [part(Opcode::Text, false, b"a"), part(opcode, true, b"b")].concat();
        assert_eq!(refusal(&from_server(&bytes)), (1002, "5.4"));
    }
}

#[test]
fn a_fragmented_control_frame_is_refused() {
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        assert_eq!(refusal(&from_server(&part(opcode, false, b""))), (1002, "5.5"));
    }
}

#[test]
fn a_control_frame_carries_125_bytes_at_most() {
    assert_eq!(from_server(&part(Opcode::Ping, true, &[b'a'; 125])), [Ok(Message::Ping(vec![b'a'; 125]))]);
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        assert_eq!(refusal(&from_server(&part(opcode, true, &[b'a'; 126]))), (1002, "5.5"));
    }
}

#[test]
fn a_control_frame_is_no_part_of_a_messages_size() {
    let mut decoder = Decoder::new(Sender::Server, 10);
    assert_eq!(decoder.push(&part(Opcode::Ping, true, &[0; 125])).len(), 1);
}

#[test]
fn a_close_frame_may_be_empty_or_carry_a_code_and_a_reason() {
    let close = |code, reason: &str| from_server(&encode(&Frame::close(code, reason), None));
    assert_eq!(close(None, ""), [Ok(Message::Close(None, String::new()))]);
    assert_eq!(close(Some(1000), ""), [Ok(Message::Close(Some(1000), String::new()))]);
    assert_eq!(close(Some(4000), "é"), [Ok(Message::Close(Some(4000), "é".into()))]);
}

#[test]
fn half_a_close_code_is_refused() {
    assert_eq!(refusal(&from_server(&part(Opcode::Close, true, &[3]))), (1002, "5.5.1"));
}

#[test]
fn only_codes_that_may_be_sent_are_taken() {
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1014, 3000, 4999] {
        assert!(may_be_sent(code), "{code}");
        let frame = Frame::close(Some(code), "");
        assert_eq!(from_server(&encode(&frame, None)).len(), 1, "{code}");
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
        let frame = Frame::close(Some(code), "");
        assert_eq!(refusal(&from_server(&encode(&frame, None))), (1002, "7.4"), "{code}");
    }
}

#[test]
fn a_close_reason_must_be_utf8() {
    let payload = [&1000u16.to_be_bytes()[..], &[0xff]].concat();
    assert_eq!(refusal(&from_server(&part(Opcode::Close, true, &payload))), (1007, "5.5.1"));
}

#[test]
fn nothing_counts_after_a_close_frame() {
    let mut decoder = Decoder::new(Sender::Server, LIMIT);
    let bytes = [part(Opcode::Close, true, b""), part(Opcode::Text, true, b"late")].concat();
    assert_eq!(decoder.push(&bytes), [Ok(Message::Close(None, String::new()))]);
    assert_eq!(decoder.push(&[0xff; 64]), []);
}

#[test]
fn nothing_counts_after_a_violation() {
    let mut decoder = Decoder::new(Sender::Server, LIMIT);
    assert_eq!(decoder.push(&[0xf1, 0]).len(), 1);
    assert_eq!(decoder.push(&part(Opcode::Text, true, b"late")), []);
}

#[test]
fn a_character_may_be_cut_by_fragments() {
    let euro = "€".as_bytes();
    let bytes = [part(Opcode::Text, false, &euro[..1]), part(Opcode::Continuation, true, &euro[1..])];
    assert_eq!(from_server(&bytes.concat()), [text("€")]);
}

#[test]
fn text_must_be_utf8() {
    assert_eq!(refusal(&from_server(&part(Opcode::Text, true, &[0xff]))), (1007, "8.1"));
    let surrogate = [0xed, 0xa0, 0x80];
    assert_eq!(refusal(&from_server(&part(Opcode::Text, true, &surrogate))), (1007, "8.1"));
    let cut = [part(Opcode::Text, false, &[0xe2]), part(Opcode::Continuation, true, b"")];
    assert_eq!(refusal(&from_server(&cut.concat())), (1007, "8.1"));
}

#[test]
fn binary_need_not_be_utf8() {
    assert_eq!(from_server(&part(Opcode::Binary, true, &[0xff])), [Ok(Message::Binary(vec![0xff]))]);
}

/// Frames that may or may not be in order, and bytes that may be none.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop::sample::select(vec![
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
    ]);
    let payload = prop_oneof![
        any::<String>().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u16>(), any::<String>()).prop_map(|(code, reason)| [
            &code.to_be_bytes()[..],
            reason.as_bytes()
        ]
        .concat()),
    ];
    let mask = prop_oneof![4 => Just(None), 1 => any::<[u8; 4]>().prop_map(Some)];
    let frame = (any::<bool>(), opcode, payload, mask)
        .prop_map(|(fin, opcode, payload, mask)| encode(&Frame { fin, opcode, payload }, mask));
    let piece = prop_oneof![9 => frame, 1 => prop::collection::vec(any::<u8>(), 0..20)];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn a_message_arrives_as_it_was_sent(
        payload in prop::collection::vec(any::<u8>(), 0..1000),
        pieces in 1..5usize,
        mask in any::<[u8; 4]>(),
    ) {
        let size = payload.len().div_ceil(pieces).max(1);
        let mut parts: Vec<&[u8]> = payload.chunks(size).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let last = parts.len() - 1;
        let bytes: Vec<u8> = parts.iter().enumerate().flat_map(|(index, part)| {
            let opcode = if index == 0 { Opcode::Binary } else { Opcode::Continuation };
            let payload = part.to_vec();
            encode(&Frame { fin: index == last, opcode, payload }, Some(mask))
        }).collect();
        let items = Decoder::new(Sender::Client, LIMIT).push(&bytes);
        prop_assert_eq!(items, [Ok(Message::Binary(payload))]);
    }

    #[test]
    fn any_chunking_means_the_same(
        bytes in conversation(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = from_server(&bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut decoder = Decoder::new(Sender::Server, LIMIT);
        let chunked: Vec<_> =
            cuts.windows(2).flat_map(|cut| decoder.push(&bytes[cut[0]..cut[1]])).collect();
        prop_assert_eq!(&chunked, &whole);
        let mut decoder = Decoder::new(Sender::Server, LIMIT);
        let bytewise: Vec<_> = bytes.chunks(1).flat_map(|byte| decoder.push(byte)).collect();
        prop_assert_eq!(bytewise, whole);
    }

    #[test]
    fn any_bytes_are_read_or_refused_once(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for sender in [Sender::Client, Sender::Server] {
            let items = Decoder::new(sender, 1000).push(&bytes);
            let refused = items.iter().filter(|item| item.is_err()).count();
            prop_assert!(refused <= 1);
            prop_assert!(refused == 0 || items.last().unwrap().is_err());
        }
    }
}
