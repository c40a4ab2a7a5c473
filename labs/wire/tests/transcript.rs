//! The text form: what it looks like, and that nothing is lost in it.

use proptest::prelude::*;
use wire::transcript::{Data, Moment, ParseError, Place, Transcript, What, When};

const PLAY: &str = r#"     0 ms  client → server  #1 GET /prices/stream
                               accept: text/event-stream
    10 ms  server → client  #1 200 text/event-stream
                               etag: "v1"
    10 ms  server → client  #1 event price · id 1 · {"price":6100,"symbol":"BMRI"}
    10 ms  server → client  #1 event message · "two\nlines"
    10 ms  server → client  #1 event blob · id "" · 12 bytes
    10 ms  server → client  #1 id 7
    10 ms  server → client  #1 retry within 1000-10000 ms
    10 ms  server → client  #1 retry 3000 ms
 15010 ms  server → client  #1 comment
  1500 ms  network          #1 cut
  1505 ms  page             status: reconnecting
  1505 ms  page             price: {"price":6100,"symbol":"BMRI"}
1000-2000 ms  client → server  #2 GET /prices/stream?after=2
                                  last-event-id: 2
 30010 ms  server → client  #3 204
 30010 ms  network          refused
 30011 ms  note             the market opens again
 30020 ms  client A → server  #12 POST /orders
 30020 ms  client A → server  #12 body {"quantity":100}
 30030 ms  server → client A  #12 201 application/json
 30030 ms  server → client A  #12 body "done"
 30030 ms  page A             status: "12 bytes"
 30040 ms  client B → server  #13 message 1 byte
 30040 ms  server → client B  #13 ping
 30040 ms  client B → server  #13 pong
 30050 ms  client B → server  #13 close 1000 "bye"
 30050 ms  server → client B  #13 close 1001
 30060 ms  server → client B  #13 close
 30070 ms  network B          hold
 30080 ms  network B          heal
 30090 ms  server → client B  #13 end
 30090 ms  client B → server  #14 abort
"#;

#[test]
fn a_play_with_everything_in_it_reads_and_writes_the_same() {
    let transcript = PLAY.parse::<Transcript>().expect("the play parses");
    assert_eq!(transcript.moments.len(), 31, "every line became a moment");
    assert_eq!(transcript.to_string(), PLAY, "text → model → text");
}

#[test]
fn a_line_becomes_the_moment_it_describes() {
    let transcript = Transcript::parse(PLAY).expect("the play parses");
    let moment = |place, exchange, when, what| Moment { when, place, client: None, exchange, what };
    assert_eq!(
        transcript.moments[0],
        moment(
            Place::ToServer,
            Some(1),
            When::At(0),
            What::Request {
                method: "GET".into(),
                target: "/prices/stream".into(),
                headers: vec![("accept".into(), "text/event-stream".into())],
            }
        )
    );
    assert_eq!(
        transcript.moments[4],
        moment(
            Place::ToClient,
            Some(1),
            When::At(10),
            What::Event { name: "blob".into(), id: Some(String::new()), data: Data::Bytes(12) }
        )
    );
    assert_eq!(
        transcript.moments[10],
        moment(
            Place::Page,
            None,
            When::At(1505),
            What::Said("status".into(), Data::Text("reconnecting".into()))
        )
    );
    assert_eq!(transcript.moments[12].when, When::Within(1000, 2000));
    assert_eq!(transcript.moments[16].client, Some('A'));
}

#[test]
fn an_authors_blanks_and_key_order_are_forgiven() {
    let loose = "\n0 ms   client → server   #1   GET   /prices\r\n\taccept:  text/plain\n\n\
                 5 ms page    status:   live  \n\
                 9 ms  server → client  #1 event price ·  id 4  · { \"b\": 1, \"a\": [ 2 ] }\n";
    let tidy = r#"     0 ms  client → server  #1 GET /prices
                               accept: text/plain
     5 ms  page             status: live
     9 ms  server → client  #1 event price · id 4 · {"a":[2],"b":1}
"#;
    assert_eq!(Transcript::parse(loose).expect("it parses").to_string(), tidy);
}

#[test]
fn an_empty_text_is_an_empty_transcript() {
    assert_eq!(Transcript::parse(""), Ok(Transcript::default()));
    assert_eq!(Transcript::parse(" \n\n"), Ok(Transcript::default()));
}

#[track_caller]
fn refused(text: &str) -> String {
    Transcript::parse(text).expect_err("the text is no transcript").to_string()
}

#[test]
fn an_error_names_line_column_and_what_was_expected() {
    assert_eq!(
        Transcript::parse("     0 ms  client → server  #1 GET /\n    10 ms  nowhere  cut"),
        Err(ParseError {
            line: 2,
            column: 12,
            message: "expected a place: `page`, `client → server`, `server → client`, `network` \
                      or `note`, found `nowhere`"
                .into()
        })
    );
    assert_eq!(
        refused("ten ms  page  status: live"),
        "line 1, column 1: expected a time in milliseconds such as `10 ms` or `500-1000 ms`, \
         found `ten`"
    );
    assert_eq!(
        refused("10 s  page  status: live"),
        "line 1, column 4: expected `ms` after the time, found `s`"
    );
    assert_eq!(
        refused("10 ms  client → server  #1 GET"),
        "line 1, column 31: expected a request target such as `/prices`, the line ends here"
    );
    assert_eq!(
        refused("10 ms  server → client  #x 200"),
        "line 1, column 26: expected the number of an exchange such as `#1`, found `x`"
    );
    assert_eq!(
        refused("10 ms  server → client  #1 event price · {\"a\":}"),
        "line 1, column 42: expected valid JSON, found `{\"a\":}`"
    );
    assert_eq!(
        refused("10 ms  server → client  #1 event price"),
        "line 1, column 39: expected ` · ` and the event's data, the line ends here"
    );
    assert_eq!(
        refused("10 ms  network  #1 cut off"),
        "line 1, column 24: expected the end of the line, found `off`"
    );
    assert_eq!(
        refused("10 ms  network  cut\n           accept: text/plain"),
        "line 2, column 12: expected a moment that begins with a time such as `10 ms`; a header \
         may stand only below a request or a response, found `accept:`"
    );
    assert_eq!(
        refused("10 ms  page  status"),
        "line 1, column 14: expected what the page said, such as `status: live`, found `status`"
    );
    assert_eq!(
        refused("99999999999999999999 ms  page  status: live"),
        "line 1, column 1: expected a time in milliseconds such as `10 ms` or `500-1000 ms`, \
         found `99999999999999999999`"
    );
    assert_eq!(
        refused("10 ms  server → client  70000"),
        "line 1, column 25: expected a status code such as `200`, found `70000`"
    );
}

#[test]
fn json_is_compact_and_its_keys_are_sorted_at_every_level() {
    let json = |text: &str| Data::Json(text.to_owned());
    assert_eq!(
        Data::of_text(" { \"b\" : 1, \"a\" : { \"z\" : [ ], \"y\" : null } }\n"),
        json(r#"{"a":{"y":null,"z":[]},"b":1}"#)
    );
    assert_eq!(Data::of_text("[1, 2]"), json("[1,2]"));
}

#[test]
fn what_is_no_json_object_or_array_stays_text() {
    for text in ["", "6100", "true", "\"live\"", "{", "[1,]", "{}{}", "null", "1e999", "[1e999]"] {
        assert_eq!(Data::of_text(text), Data::Text(text.to_owned()), "{text:?}");
    }
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert_eq!(Data::of_text(&deep), Data::Text(deep.clone()));
}

#[test]
fn bytes_are_text_where_they_are_utf8() {
    assert_eq!(Data::of_bytes(b"{\"a\": 1}"), Data::Json("{\"a\":1}".into()));
    assert_eq!(Data::of_bytes("é".as_bytes()), Data::Text("é".into()));
    assert_eq!(Data::of_bytes(&[0xc3]), Data::Bytes(1));
}

/// Words that look like something else of the notation.
fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "[a-z]{1,8}",
        "[ ·→:#\"\\\\\n\r\t0-9a-zé\u{85}\u{2028}\u{feff}\u{202e}]{0,12}",
        prop::sample::select(vec![
            "id 4",
            "· id 4 ·",
            "12 bytes",
            "1 byte",
            "12 bytes more",
            "json \"x\"",
            "{\"a\":1}",
            "[",
            "\"",
            "\\",
            "\\\"\"",
            "#1",
            "#1 cut",
            "a: b",
            "10 ms",
            "10 ms  page  a: b",
            "live ",
            " live",
            "\"v1\"",
            "W/\"v1\"",
            "GET",
            "note",
            "said",
            "end",
        ])
        .prop_map(str::to_owned),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        odd_text().prop_map(|text| Data::of_text(&text)),
        odd_text().prop_map(Data::Text),
        odd_text().prop_map(Data::Json),
        any::<usize>().prop_map(Data::Bytes),
        (odd_text(), any::<f64>(), any::<i64>()).prop_map(|(key, float, integer)| {
            Data::of_text(&serde_json::json!([{ key: float, "n": integer }]).to_string())
        }),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((odd_text(), odd_text()), 0..3)
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        (odd_text(), odd_text(), headers()).prop_map(|(method, target, headers)| What::Request {
            method,
            target,
            headers
        }),
        (any::<u16>(), prop::option::of(odd_text()), headers())
            .prop_map(|(status, content_type, headers)| What::Response { status, content_type, headers }),
        data().prop_map(What::Body),
        (odd_text(), prop::option::of(odd_text()), data()).prop_map(|(name, id, data)| What::Event {
            name,
            id,
            data
        }),
        odd_text().prop_map(What::Id),
        (any::<u64>(), any::<u64>()).prop_map(|(from, to)| What::Retry(from, to)),
        data().prop_map(What::Message),
        (prop::option::of(any::<u16>()), odd_text()).prop_map(|(code, reason)| What::Close(code, reason)),
        (odd_text(), data()).prop_map(|(label, data)| What::Said(label, data)),
        odd_text().prop_map(What::Note),
        prop::sample::select(vec![
            What::Comment,
            What::End,
            What::Abort,
            What::Ping,
            What::Pong,
            What::Cut,
            What::Hold,
            What::Heal,
            What::Refused,
        ]),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    let when = prop_oneof![
        any::<u64>().prop_map(When::At),
        (0..100_000u64).prop_map(When::At),
        (any::<u64>(), any::<u64>()).prop_map(|(from, to)| When::Within(from, to)),
    ];
    let place = prop::sample::select(vec![
        Place::Page,
        Place::ToServer,
        Place::ToClient,
        Place::Network,
        Place::Note,
    ]);
    let client = prop::option::of(prop_oneof![
        prop::char::range('A', 'C'),
        any::<char>(),
        prop::sample::select(vec!['→', '·', '"', ' ', '\n', '#', '\\', 'é']),
    ]);
    let exchange = prop::option::of(any::<u32>());
    (when, place, client, exchange, what()).prop_map(|(when, place, client, exchange, what)| Moment {
        when,
        place,
        client,
        exchange,
        what,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn every_model_survives_its_text(moments in prop::collection::vec(moment(), 0..6)) {
        let transcript = Transcript { moments };
        let text = transcript.to_string();
        let back = Transcript::parse(&text);
        prop_assert_eq!(back.as_ref(), Ok(&transcript), "\n{}", text);
        prop_assert_eq!(back.unwrap().to_string(), text);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(text in any::<String>()) {
        check_any_text(&text)?;
    }

    #[test]
    fn a_damaged_transcript_is_read_or_refused(at in 0..PLAY.len(), with in odd_text()) {
        let mut text = PLAY.to_owned();
        let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &with);
        check_any_text(&text)?;
    }
}

/// What parses keeps its meaning when written again; what does not is blamed
/// on a place that exists.
fn check_any_text(text: &str) -> Result<(), TestCaseError> {
    match Transcript::parse(text) {
        Ok(transcript) => {
            let again = Transcript::parse(&transcript.to_string());
            prop_assert_eq!(again, Ok(transcript));
        }
        Err(error) => {
            let line = text.lines().nth(error.line - 1);
            prop_assert!(line.is_some(), "{error}");
            prop_assert!(error.column <= line.unwrap().chars().count() + 1, "{error}");
        }
    }
    Ok(())
}
