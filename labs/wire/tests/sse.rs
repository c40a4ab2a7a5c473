//! The event stream format, rule by rule as HTML § 9.2.5 and § 9.2.6 have it.

use proptest::prelude::*;
use wire::sse::{Event, Item, Parser};

fn parse(stream: impl AsRef<[u8]>) -> Vec<Item> {
    Parser::new().push(stream.as_ref())
}

fn parse_in_chunks<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Item> {
    let mut parser = Parser::new();
    chunks.into_iter().flat_map(|chunk| parser.push(chunk)).collect()
}

/// An event of the default type with no ID.
fn message(data: &str) -> Item {
    event("message", data, "", None)
}

fn event(event_type: &str, data: &str, last_event_id: &str, id_field: Option<&str>) -> Item {
    Item::Event(Event {
        event_type: event_type.to_owned(),
        data: data.to_owned(),
        last_event_id: last_event_id.to_owned(),
        id_field: id_field.map(str::to_owned),
    })
}

#[test]
fn a_blank_line_dispatches_the_event() {
    assert_eq!(parse("data: live\n"), []);
    assert_eq!(parse("data: live\n\n"), [message("live")]);
}

#[test]
fn data_lines_are_joined_by_line_feeds() {
    assert_eq!(parse("data: YHOO\ndata: +2\ndata: 10\n\n"), [message("YHOO\n+2\n10")]);
}

#[test]
fn the_standards_four_blocks_give_two_events_and_two_ids() {
    let stream =
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(
        parse(stream),
        [
            Item::Comment(" test stream".into()),
            event("message", "first event", "1", Some("1")),
            event("message", "second event", "", Some("")),
            message(" third event"),
        ]
    );
}

#[test]
fn empty_data_lines_count() {
    assert_eq!(
        parse("data\n\ndata\ndata\n\ndata:"),
        [message(""), message("\n")],
        "the last block is discarded: it has no blank line after it"
    );
}

#[test]
fn one_space_after_the_colon_is_taken_off() {
    assert_eq!(parse("data:test\n\ndata: test\n\n"), [message("test"), message("test")]);
    assert_eq!(parse("data:  test\n\n"), [message(" test")]);
    assert_eq!(parse("data:\ttest\n\n"), [message("\ttest")]);
}

#[test]
fn the_first_colon_ends_the_name() {
    assert_eq!(parse("data: a: b\n\n"), [message("a: b")]);
    assert_eq!(parse("data::\n\n"), [message(":")]);
}

#[test]
fn a_line_without_a_colon_is_a_name_with_an_empty_value() {
    assert_eq!(parse("event: price\nevent\ndata: x\n\n"), [message("x")]);
}

#[test]
fn cr_lf_and_crlf_all_end_a_line() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!("data: a{end}data: b{end}{end}data: c{end}{end}");
        assert_eq!(parse(&stream), [message("a\nb"), message("c")], "{end:?}");
    }
    assert_eq!(parse("data: a\rdata: b\ndata: c\r\n\n"), [message("a\nb\nc")]);
    assert_eq!(parse("data: a\n\r"), [message("a")], "LF CR are two line ends");
}

#[test]
fn crlf_may_be_cut_in_two() {
    assert_eq!(
        parse_in_chunks([&b"data: a\r"[..], b"\ndata: b\r", b"\n\r", b"\n"]),
        [message("a\nb")],
        "no LF of a CRLF ends another line"
    );
}

#[test]
fn a_line_ended_by_cr_does_not_wait_for_the_next_byte() {
    assert_eq!(parse("data: a\r\r"), [message("a")]);
    assert_eq!(
        parse_in_chunks([&b"data: a\r\r"[..], b"", b"\ndata: b\n\n"]),
        [message("a"), message("b")],
        "the LF that follows belongs to the CR, whatever lies between"
    );
}

#[test]
fn other_line_separators_are_characters() {
    assert_eq!(parse("data: a\u{2028}b\u{85}c\u{b}d\n\n"), [message("a\u{2028}b\u{85}c\u{b}d")]);
}

#[test]
fn one_byte_order_mark_at_the_start_is_ignored() {
    let mark = "\u{feff}";
    assert_eq!(parse(format!("{mark}data: a\n\n")), [message("a")]);
    assert_eq!(parse(format!("{mark}{mark}data: a\n\n")), [], "the second names a field");
    assert_eq!(parse(format!("\n{mark}data: a\n\n")), [], "one later on does, too");
    assert_eq!(parse(format!("data: {mark}a\n\n")), [message("\u{feff}a")]);
    assert_eq!(parse_in_chunks([&b"\xef"[..], b"\xbb", b"\xbfdata: a\n\n"]), [message("a")]);
}

#[test]
fn a_character_may_be_cut_anywhere() {
    assert_eq!(parse_in_chunks("data: é€𝄞\n\n".as_bytes().chunks(1)), [message("é€𝄞")]);
}

#[test]
fn broken_utf8_becomes_replacement_characters() {
    assert_eq!(parse(b"data: \xff\n\n"), [message("\u{fffd}")]);
    assert_eq!(
        parse(b"data: \xe2\x82\n\n"),
        [message("\u{fffd}")],
        "one for a character that a line end breaks off"
    );
    assert_eq!(
        parse(b"data: \xf0\x90\x28\xc0\xaf\n\n"),
        [message("\u{fffd}(\u{fffd}\u{fffd}")],
        "one for each maximal part, as in the Encoding Standard"
    );
}

#[test]
fn a_comment_is_no_field() {
    assert_eq!(
        parse(":\n: beat\n:data: x\n\n"),
        [Item::Comment("".into()), Item::Comment(" beat".into()), Item::Comment("data: x".into())]
    );
    assert_eq!(
        parse("data: a\n:\ndata: b\n\n"),
        [Item::Comment("".into()), message("a\nb")],
        "a comment does not end a block"
    );
}

#[test]
fn the_event_field_names_the_type() {
    assert_eq!(parse("event: price\ndata: x\n\n"), [event("price", "x", "", None)]);
    assert_eq!(parse("event: a\nevent: b\ndata: x\n\n"), [event("b", "x", "", None)], "the last one counts");
}

#[test]
fn the_type_lasts_for_one_block() {
    assert_eq!(parse("event: price\ndata: x\n\ndata: y\n\n"), [event("price", "x", "", None), message("y")]);
    assert_eq!(
        parse("event: price\n\ndata: y\n\n"),
        [message("y")],
        "a block without data dispatches nothing and loses its type"
    );
}

#[test]
fn the_last_event_id_stays_until_it_is_set_again() {
    assert_eq!(
        parse("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"),
        [
            event("message", "a", "1", Some("1")),
            event("message", "b", "1", None),
            event("message", "c", "", Some("")),
        ]
    );
}

#[test]
fn an_id_without_data_is_committed_by_the_blank_line() {
    let mut parser = Parser::new();
    assert_eq!(parser.push(b"id: 7\n"), []);
    assert_eq!(parser.last_event_id(), "", "not before");
    assert_eq!(parser.push(b"\n"), [Item::Id("7".into())]);
    assert_eq!(parser.last_event_id(), "7");
    assert_eq!(parser.push(b"\n\n"), [], "an empty block commits nothing new");
    assert_eq!(parser.push(b"data: a\n\n"), [event("message", "a", "7", None)]);
}

#[test]
fn an_id_with_a_null_in_it_is_ignored() {
    assert_eq!(
        parse("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid: 3\nid: \0\ndata: c\n\n"),
        [
            event("message", "a", "1", Some("1")),
            event("message", "b", "1", None),
            event("message", "c", "3", Some("3")),
        ]
    );
}

#[test]
fn a_null_in_data_or_type_is_a_character() {
    assert_eq!(parse("event: a\0\ndata: \0\n\n"), [event("a\0", "\0", "", None)]);
}

#[test]
fn retry_sets_the_reconnection_time_with_its_line() {
    let mut parser = Parser::new();
    assert_eq!(parser.reconnection_time(), None);
    assert_eq!(parser.push(b"retry: 3000\n"), [Item::Retry(3000)]);
    assert_eq!(parser.reconnection_time(), Some(3000));
    assert_eq!(parser.push(b"retry:007\n"), [Item::Retry(7)]);
}

#[test]
fn retry_takes_ascii_digits_only() {
    for value in ["", " ", "3s", "-1", "+1", "1.5", "1e3", " 1", "1 ", "٣", "1000 x"] {
        assert_eq!(parse(format!("retry: {value}\n\n")), [], "{value:?}");
    }
    assert_eq!(parse("retry\n\n"), []);
}

#[test]
fn a_retry_too_big_to_count_is_the_biggest() {
    assert_eq!(parse("retry: 99999999999999999999999\n"), [Item::Retry(u64::MAX)]);
}

#[test]
fn unknown_fields_are_ignored_and_names_are_exact() {
    assert_eq!(parse("Data: a\n data: b\ndata : c\ndatum: d\nEVENT: e\ndata: f\n\n"), [message("f")]);
}

#[test]
fn an_unfinished_block_is_discarded() {
    let mut parser = Parser::new();
    parser.push(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
    assert_eq!(parser.last_event_id(), "1", "2 was never dispatched");
    assert!(parser.buffered() > 0);
}

#[test]
fn a_line_without_its_end_is_none() {
    assert_eq!(parse("retry: 1000"), []);
    assert_eq!(parse("data: a\n\n: beat"), [message("a")]);
}

#[test]
fn a_resumed_stream_keeps_the_id_of_the_one_before() {
    let mut parser = Parser::resuming("41");
    assert_eq!(parser.last_event_id(), "41");
    assert_eq!(
        parser.push(b"data: a\n\nid: 42\ndata: b\n\n"),
        [event("message", "a", "41", None), event("message", "b", "42", Some("42"))]
    );
}

/// The standard's algorithm on a whole stream, written down line by line with
/// no thought of chunks: what the parser must agree with.
fn by_the_book(stream: &[u8]) -> Vec<Item> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let Some((complete, _unfinished)) = text.rsplit_once('\n') else {
        return Vec::new();
    };
    let (mut items, mut data, mut kind, mut id) = (Vec::new(), String::new(), String::new(), String::new());
    let mut id_field = None;
    for line in complete.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                let kind = if kind.is_empty() { "message" } else { &kind };
                let data = data.strip_suffix('\n').unwrap();
                items.push(event(kind, data, &id, id_field.as_deref()));
            } else if let Some(id) = id_field {
                items.push(Item::Id(id));
            }
            (data, kind, id_field) = (String::new(), String::new(), None);
        } else if let Some(comment) = line.strip_prefix(':') {
            items.push(Item::Comment(comment.to_owned()));
        } else {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => kind = value.to_owned(),
                "data" => data = format!("{data}{value}\n"),
                "id" if !value.contains('\0') => {
                    id = value.to_owned();
                    id_field = Some(id.clone());
                }
                "retry" if value.chars().all(|c| c.is_ascii_digit()) && !value.is_empty() => {
                    items.push(Item::Retry(value.parse().unwrap_or(u64::MAX)));
                }
                _ => {}
            }
        }
    }
    items
}

/// Bytes that are made of what the format knows, or of anything.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        &b"data"[..],
        b"data:",
        b"data: ",
        b"event: ",
        b"id: ",
        b"id",
        b"retry: ",
        b"12",
        b":",
        b" ",
        b"x",
        b"\n",
        b"\n",
        b"\r",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\xa9",
        b"\xe2\x82\xac",
        b"\xf0\x9d",
        b"\xff",
    ]);
    prop_oneof![
        prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn any_chunking_means_the_same(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.push(0);
        cuts.push(stream.len());
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        prop_assert_eq!(parse_in_chunks(chunks), parse(&stream));
        prop_assert_eq!(parse_in_chunks(stream.chunks(1)), parse(&stream));
    }

    #[test]
    fn any_bytes_mean_what_the_standard_says(stream in stream()) {
        prop_assert_eq!(parse(&stream), by_the_book(&stream));
    }
}
