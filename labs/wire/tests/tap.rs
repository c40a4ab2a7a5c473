//! What a tap tells of a connection, in the text form.

use proptest::prelude::*;
use wire::tap::{Bytes, Lens, Tally, Tap};
use wire::ws::{Frame, Opcode, encode};
use wire::{Moment, Transcript};

/// A connection that a test plays, one call a millisecond.
struct Line {
    tap: Tap,
    at: u64,
    exchanges: u32,
    transcript: Transcript,
}

impl Line {
    fn new() -> Line {
        Line::seen_through(Lens::default())
    }

    fn seen_through(lens: Lens) -> Line {
        Line { tap: Tap::new(None, lens), at: 0, exchanges: 0, transcript: Transcript::default() }
    }

    fn ask(&mut self, bytes: impl AsRef<[u8]>) -> &mut Line {
        let exchanges = &mut self.exchanges;
        let mut next = || {
            *exchanges += 1;
            *exchanges
        };
        let moments = self.tap.to_server(self.at, bytes.as_ref(), &mut next);
        self.add(moments)
    }

    fn answer(&mut self, bytes: impl AsRef<[u8]>) -> &mut Line {
        let moments = self.tap.to_client(self.at, bytes.as_ref());
        self.add(moments)
    }

    fn client_closes(&mut self) -> &mut Line {
        let moments = self.tap.closed_by_client(self.at);
        self.add(moments)
    }

    fn server_closes(&mut self) -> &mut Line {
        let moments = self.tap.closed_by_server(self.at);
        self.add(moments)
    }

    fn is_cut(&mut self) -> &mut Line {
        let moments = self.tap.cut(self.at);
        self.add(moments)
    }

    fn add(&mut self, moments: Vec<Moment>) -> &mut Line {
        self.at += 1;
        self.transcript.moments.extend(moments);
        self
    }

    /// What was told, without the indentation of this file.
    #[track_caller]
    fn told(&self, expected: &str) {
        let text = self.transcript.to_string();
        let expected = Transcript::parse(expected).expect("the expectation parses").to_string();
        assert_eq!(text, expected, "\n{text}");
        assert_eq!(Transcript::parse(&text).as_ref(), Ok(&self.transcript), "it reads back");
    }
}

const GET: &str = "GET /prices/stream HTTP/1.1\r\nhost: market\r\naccept: text/event-stream\r\n\r\n";
const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

#[test]
fn an_event_stream_is_told_event_by_event() {
    let mut line = Line::new();
    line.ask(GET).answer(STREAM);
    line.answer(chunk("event: price\nid: 1\ndata: {\"symbol\":\"BMRI\", \"price\":6100}\n\n"));
    line.answer(chunk("data: two\ndata: lines\n\nid: 3\n\n: beat\n\nretry: 500\n\n"));
    line.told(
        r#"
        0 ms  client → server  #1 GET /prices/stream
        1 ms  server → client  #1 200 text/event-stream
        2 ms  server → client  #1 event price · id 1 · {"price":6100,"symbol":"BMRI"}
        3 ms  server → client  #1 event message · "two\nlines"
        "#,
    );
    assert_eq!(line.tap.open_exchange(), Some(1));
}

#[test]
fn heads_and_bodies_are_counted_however_the_bytes_are_cut() {
    let asked = "POST /orders HTTP/1.1\r\nhost: market\r\ncontent-length: 5\r\n\r\n";
    let answered = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let expected = Tally {
        requests: 1,
        to_server: Bytes { heads: asked.len() as u64, bodies: 5 },
        to_client: Bytes { heads: answered.len() as u64, bodies: 13 },
    };
    for size in [1, 2, 7, 1_000] {
        let mut line = Line::new();
        for part in format!("{asked}hello").as_bytes().chunks(size) {
            line.ask(part);
        }
        for part in format!("{answered}3\r\nyes\r\n0\r\n\r\n").as_bytes().chunks(size) {
            line.answer(part);
        }
        assert_eq!(line.tap.tally(), expected, "in parts of {size}");
    }
}

#[test]
fn frames_count_as_bodies_whether_they_came_before_the_101_or_after() {
    let mut line = Line::new();
    let asked = "GET /floor HTTP/1.1\r\nhost: market\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let answered = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    let frame = encode(&Frame::text("hi"), Some([1, 2, 3, 4]));
    line.ask(asked).ask(&frame).answer(answered).ask(&frame).answer(encode(&Frame::text("ho"), None));
    let told = line.tap.tally();
    assert_eq!((told.requests, told.to_server.heads, told.to_server.bodies), (1, asked.len() as u64, 16));
    assert_eq!((told.to_client.heads, told.to_client.bodies), (answered.len() as u64, 4));
}

#[test]
fn a_lens_decides_what_else_is_told() {
    let mut line = Line::seen_through(Lens {
        request_headers: vec!["Accept".into(), "last-event-id".into(), "x".into()],
        response_headers: vec!["cache-control".into()],
        comments: true,
        retry: true,
        ids: true,
        ..Lens::default()
    });
    line.ask("GET / HTTP/1.1\r\nLast-Event-ID: 7\r\nX: b\r\nX: a\r\nACCEPT:  text/event-stream \r\n\r\n");
    line.answer("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\ncontent-type: Text/Event-Stream\r\n\r\n");
    line.answer("id: 3\n\n: beat\n\nretry: 500\ndata: x\n\n");
    line.told(
        r#"
        0 ms  client → server  #1 GET /
                               accept: text/event-stream
                               last-event-id: 7
                               x: b
                               x: a
        1 ms  server → client  #1 200 text/event-stream
                               cache-control: no-store
        2 ms  server → client  #1 id 3
        2 ms  server → client  #1 comment
        2 ms  server → client  #1 retry 500 ms
        2 ms  server → client  #1 event message · "x"
        "#,
    );
}

#[test]
fn the_clean_end_of_an_event_stream_is_told() {
    let mut chunked = Line::new();
    chunked.ask(GET).answer(STREAM).answer(chunk("data: x\n\ndata: unfinished")).answer("0\r\n\r\n");
    chunked.server_closes();
    let told = r#"
        0 ms  client → server  #1 GET /prices/stream
        1 ms  server → client  #1 200 text/event-stream
        2 ms  server → client  #1 event message · "x"
        3 ms  server → client  #1 end
        "#;
    chunked.told(told);

    let mut until_close = Line::new();
    until_close.ask(GET).answer("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    until_close.answer("data: x\n\ndata: unfinished").server_closes();
    until_close.told(told);
}

#[test]
fn a_chunked_stream_without_its_last_chunk_was_cut() {
    let mut line = Line::new();
    line.ask(GET).answer(STREAM).server_closes().client_closes();
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  server → client  #1 200 text/event-stream
         2 ms  network  #1 cut",
    );
    assert_eq!(line.tap.open_exchange(), None);
}

#[test]
fn a_client_that_closes_an_open_exchange_aborts_it() {
    let mut line = Line::new();
    line.ask(GET).answer(STREAM).client_closes().answer(chunk("data: late\n\n")).server_closes();
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  server → client  #1 200 text/event-stream
         2 ms  client → server  #1 abort",
    );
}

#[test]
fn a_cut_is_told_once_and_ends_everything() {
    let mut line = Line::new();
    line.ask(GET).is_cut().answer(STREAM).client_closes().server_closes().is_cut();
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  network  #1 cut",
    );
}

#[test]
fn an_idle_connection_ends_without_a_word() {
    for end in [Line::client_closes, Line::server_closes, Line::is_cut] {
        let mut line = Line::new();
        line.ask(GET).answer("HTTP/1.1 204 No Content\r\n\r\n");
        end(&mut line);
        line.told(
            "0 ms  client → server  #1 GET /prices/stream
             1 ms  server → client  #1 204",
        );
        let mut fresh = Line::new();
        end(&mut fresh).told("");
    }
}

#[test]
fn a_body_of_known_length_is_told_once_when_it_is_complete() {
    let mut line = Line::new();
    line.ask("POST /orders HTTP/1.1\r\ncontent-length: 17\r\n\r\n{\"quantity\"").ask(": 100}");
    line.answer(b"HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\ncaf\xc3");
    line.answer(b"\xa9!");
    line.told(
        r#"
        0 ms  client → server  #1 POST /orders
        1 ms  client → server  #1 body {"quantity":100}
        2 ms  server → client  #1 201 text/plain
        3 ms  server → client  #1 body "café!"
        "#,
    );
}

#[test]
fn a_body_that_breaks_off_before_its_length_was_cut() {
    let mut line = Line::new();
    line.ask(GET).answer("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").server_closes();
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  server → client  #1 200
         2 ms  network  #1 cut",
    );
}

#[test]
fn json_is_told_whole_however_it_travels() {
    let mut line = Line::new();
    line.ask(GET);
    line.answer("HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\ntransfer-encoding: chunked\r\n\r\n");
    line.answer(chunk("{\"status\":")).answer(chunk("404}")).answer("0\r\n\r\n");
    line.told(
        r#"
        0 ms  client → server  #1 GET /prices/stream
        1 ms  server → client  #1 404 application/problem+json
        4 ms  server → client  #1 body {"status":404}
        "#,
    );
}

#[test]
fn a_streaming_body_is_told_in_parts_one_a_call() {
    let mut line = Line::new();
    line.ask(GET);
    line.answer("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n");
    line.answer(chunk("one ") + &chunk("two "));
    line.answer(b"3\r\ncaf\r\n1\r\n\xc3")
        .answer(b"\r\n1\r\n\xa9\r\n")
        .answer("0;last\r\nx-trailer: 1\r\n\r\n");
    line.told(
        r#"
        0 ms  client → server  #1 GET /prices/stream
        1 ms  server → client  #1 200 text/plain
        2 ms  server → client  #1 body "one two "
        3 ms  server → client  #1 body "caf"
        4 ms  server → client  #1 body "é"
        5 ms  server → client  #1 end
        "#,
    );
}

#[test]
fn bytes_that_are_no_text_are_told_by_their_number() {
    let mut line = Line::new();
    line.ask(GET).answer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\xff\x00\x01");
    line.ask(GET).answer(b"HTTP/1.1 200 OK\r\n\r\n\xff\x00").answer(b"\xc3").server_closes();
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  server → client  #1 200
         1 ms  server → client  #1 body 3 bytes
         2 ms  client → server  #2 GET /prices/stream
         3 ms  server → client  #2 200
         3 ms  server → client  #2 body 2 bytes
         5 ms  server → client  #2 body 1 byte
         5 ms  server → client  #2 end",
    );
}

#[test]
fn a_body_over_a_mebibyte_is_told_by_its_length() {
    let mut line = Line::new();
    line.ask(GET).answer("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n");
    for _ in 0..300 {
        line.answer([b'a'; 10_000]);
    }
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  server → client  #1 200
         301 ms  server → client  #1 body 3000000 bytes",
    );
}

#[test]
fn bodies_can_be_left_out() {
    let mut line = Line::seen_through(Lens { bodies: false, ..Lens::default() });
    line.ask("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi")
        .answer("HTTP/1.1 200 OK\r\n\r\nho")
        .server_closes();
    line.told(
        "0 ms  client → server  #1 POST /
         1 ms  server → client  #1 200
         2 ms  server → client  #1 end",
    );
}

#[test]
fn responses_without_a_body_end_with_their_head() {
    let mut line = Line::new();
    line.ask("HEAD / HTTP/1.1\r\n\r\n").answer("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n");
    line.ask("GET /a HTTP/1.1\r\n\r\n").answer("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n");
    line.ask("GET /b HTTP/1.1\r\n\r\n").answer("HTTP/1.1 204 No Content\r\n\r\n");
    line.ask("GET /c HTTP/1.1\r\n\r\n").answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    line.told(
        "0 ms  client → server  #1 HEAD /
         1 ms  server → client  #1 200
         2 ms  client → server  #2 GET /a
         3 ms  server → client  #2 304
         4 ms  client → server  #3 GET /b
         5 ms  server → client  #3 204
         6 ms  client → server  #4 GET /c
         7 ms  server → client  #4 200",
    );
    assert_eq!(line.tap.open_exchange(), None);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut line = Line::new();
    line.ask("GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\ncontent-length: 1\r\n\r\nxGET /c HTTP/1.1\r\n\r\n");
    line.answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 N");
    assert_eq!(line.tap.open_exchange(), Some(3));
    line.answer("ot Found\r\ncontent-length: 0\r\n\r\n");
    line.told(
        r#"
        0 ms  client → server  #1 GET /a
        0 ms  client → server  #2 POST /b
        0 ms  client → server  #2 body "x"
        0 ms  client → server  #3 GET /c
        1 ms  server → client  #1 200
        1 ms  server → client  #1 body "a"
        1 ms  server → client  #2 204
        2 ms  server → client  #3 404
        "#,
    );
}

#[test]
fn an_interim_response_is_not_the_answer() {
    let mut line = Line::new();
    line.ask("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    line.answer("HTTP/1.1 100 Continue\r\n\r\n").ask("hi").answer("HTTP/1.1 204 No Content\r\n\r\n");
    line.told(
        r#"
        0 ms  client → server  #1 POST /
        1 ms  server → client  #1 100
        2 ms  client → server  #1 body "hi"
        3 ms  server → client  #1 204
        "#,
    );
}

const UPGRADE: &str = "GET /floor HTTP/1.1\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

fn masked(frame: &Frame) -> Vec<u8> {
    encode(frame, Some([1, 2, 3, 4]))
}

#[test]
fn after_101_both_directions_are_websocket() {
    let mut line = Line::seen_through(Lens { pings: true, ..Lens::default() });
    line.ask(UPGRADE).answer([SWITCH.as_bytes(), &encode(&Frame::text("welcome"), None)].concat());
    line.ask(masked(&Frame::text("{\"type\": \"join\"}"))).answer(encode(&Frame::binary(&[1, 2, 3]), None));
    line.answer(encode(&Frame::whole(Opcode::Ping, b""), None)).ask(masked(&Frame::whole(Opcode::Pong, b"")));
    assert_eq!(line.tap.open_exchange(), Some(1));
    line.ask(masked(&Frame::close(Some(1000), "bye"))).answer(encode(&Frame::close(Some(1000), ""), None));
    assert_eq!(line.tap.open_exchange(), None);
    line.server_closes();
    line.told(
        r#"
        0 ms  client → server  #1 GET /floor
        1 ms  server → client  #1 101
        1 ms  server → client  #1 message "welcome"
        2 ms  client → server  #1 message {"type":"join"}
        3 ms  server → client  #1 message 3 bytes
        4 ms  server → client  #1 ping
        5 ms  client → server  #1 pong
        6 ms  client → server  #1 close 1000 "bye"
        7 ms  server → client  #1 close 1000
        "#,
    );
}

#[test]
fn a_websocket_without_both_close_frames_was_cut_or_aborted() {
    let open = |line: &mut Line| {
        line.ask(UPGRADE).answer(SWITCH).answer(encode(&Frame::close(Some(1001), ""), None));
    };
    let mut line = Line::new();
    open(&mut line);
    line.server_closes();
    assert!(line.transcript.to_string().ends_with("     3 ms  network          #1 cut\n"));
    let mut line = Line::new();
    open(&mut line);
    line.client_closes();
    assert!(line.transcript.to_string().ends_with("     3 ms  client → server  #1 abort\n"));
}

#[test]
fn what_a_client_sends_before_its_101_is_read_after_it() {
    let mut line = Line::new();
    line.ask([UPGRADE.as_bytes(), &masked(&Frame::text("early"))].concat()).answer(SWITCH);
    line.told(
        r#"
        0 ms  client → server  #1 GET /floor
        1 ms  server → client  #1 101
        1 ms  client → server  #1 message "early"
        "#,
    );
}

#[test]
fn a_refused_upgrade_leaves_a_connection_for_requests() {
    let mut line = Line::new();
    line.ask(UPGRADE.to_owned() + "GET /next HT")
        .answer("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    line.ask("TP/1.1\r\n\r\n").answer("HTTP/1.1 204 No Content\r\n\r\n");
    line.told(
        "0 ms  client → server  #1 GET /floor
         1 ms  server → client  #1 403
         2 ms  client → server  #2 GET /next
         3 ms  server → client  #2 204",
    );
}

#[test]
fn a_broken_frame_is_noted() {
    let mut line = Line::new();
    line.ask(UPGRADE).answer(SWITCH).ask(encode(&Frame::text("unmasked"), None)).ask("more");
    line.told(
        "0 ms  client → server  #1 GET /floor
         1 ms  server → client  #1 101
         2 ms  note  #1 the client is to be refused with 1002: a client must mask every frame (§ 5.1)",
    );
}

#[test]
fn bytes_that_are_no_http_are_noted_once_and_then_ignored() {
    let mut line = Line::new();
    line.ask(b"\x16\x03\x01\x02\x00").ask(GET).answer(b"\x15\x03\x01").client_closes();
    line.told("0 ms  note  the client sent bytes that are no HTTP/1.1");

    let mut line = Line::new();
    line.ask(GET).answer("220 mail.example ESMTP\r\n\r\n").answer(STREAM).server_closes();
    line.told(
        "0 ms  client → server  #1 GET /prices/stream
         1 ms  note  the server sent bytes that are no HTTP/1.1
         3 ms  network  #1 cut",
    );
}

#[test]
fn a_broken_framing_is_noted() {
    for (fields, body, note) in [
        ("content-length: 1, 2", "", "sent a Content-Length that is no one number"),
        ("content-length: -1", "", "sent a Content-Length that is no one number"),
        ("transfer-encoding: chunked", "xyz\r\n", "sent a chunked body whose framing is broken"),
        ("transfer-encoding: chunked", "1\r\nab\r\n", "sent a chunked body whose framing is broken"),
        ("transfer-encoding: chunked", "\r\n\r\n", "sent a chunked body whose framing is broken"),
    ] {
        let mut line = Line::new();
        line.ask(GET).answer(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}"));
        let text = line.transcript.to_string();
        assert!(text.contains(&format!("the server {note}\n")), "{fields} {body:?}:\n{text}");
    }
}

#[test]
fn a_head_without_end_is_noted_and_let_go() {
    let mut line = Line::new();
    line.ask("GET / HTTP/1.1\r\n");
    for _ in 0..2000 {
        line.ask("x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    }
    let text = line.transcript.to_string();
    assert!(text.ends_with("note             the client sent a head of more than 64 KiB\n"), "{text}");
    assert_eq!(line.transcript.moments.len(), 1);
}

#[test]
fn an_event_without_end_is_noted_and_let_go() {
    let mut line = Line::new();
    line.ask(GET).answer("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ");
    for _ in 0..120 {
        line.answer([b'a'; 10_000]);
    }
    let text = line.transcript.to_string();
    assert!(text.ends_with("#1 the server sent an event of more than 1 MiB\n"), "{text}");
}

#[test]
fn a_server_that_speaks_unasked_is_told_without_a_number() {
    let mut line = Line::new();
    line.answer("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n").server_closes();
    line.told("0 ms  server → client  408");
}

#[test]
fn a_client_has_its_letter_in_every_moment() {
    let mut tap = Tap::new(Some('B'), Lens::default());
    let mut moments = tap.to_server(0, GET.as_bytes(), &mut || 4);
    moments.extend(tap.cut(5));
    assert_eq!(
        Transcript { moments }.to_string(),
        "     0 ms  client B → server  #4 GET /prices/stream\n     5 ms  network B          #4 cut\n"
    );
}

/// A connection with a bit of everything.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let requests = [
        GET.as_bytes(),
        b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n",
        UPGRADE.as_bytes(),
        &masked(&Frame::text("é")),
        &masked(&Frame::close(None, "")),
    ];
    let responses = [
        STREAM,
        &chunk("id: 1\ndata: é\r"),
        &chunk("\n\r\ndata: b\n\n"),
        "0\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplainHTTP/1.1 101 Switching\r\n\r\n",
    ];
    let frames = [encode(&Frame::text("hi"), None), encode(&Frame::close(Some(1000), ""), None)];
    (requests.concat(), [responses.concat().into_bytes(), frames.concat()].concat())
}

/// What one direction after the other tells, in chunks of these sizes.
fn play((requests, responses): &(Vec<u8>, Vec<u8>), sizes: &[usize]) -> Vec<Moment> {
    let mut tap = Tap::new(None, Lens { pings: true, ..Lens::default() });
    let mut exchanges = 0;
    let mut next = || {
        exchanges += 1;
        exchanges
    };
    let mut moments = Vec::new();
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = &requests[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
        moments.extend(tap.to_server(0, now, &mut next));
        rest = later;
    }
    rest = responses;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
        moments.extend(tap.to_client(0, now));
        rest = later;
    }
    moments.extend(tap.closed_by_server(0));
    moments
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_chunking_tells_the_same(sizes in prop::collection::vec(1..60usize, 1..10)) {
        let conversation = conversation();
        let whole = play(&conversation, &[]);
        prop_assert_eq!(whole.len(), 15, "{}", Transcript { moments: whole });
        prop_assert_eq!(play(&conversation, &sizes), whole);
    }

    #[test]
    fn damaged_bytes_are_told_or_noted_once(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        sizes in prop::collection::vec(1..60usize, 1..10),
    ) {
        let mut conversation = conversation();
        for (at, byte, in_requests) in damage {
            let bytes = if in_requests { &mut conversation.0 } else { &mut conversation.1 };
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let text = Transcript { moments: play(&conversation, &sizes) }.to_string();
        prop_assert!(text.matches("no HTTP").count() <= 1, "{}", text);
        prop_assert!(Transcript::parse(&text).is_ok(), "{}", text);
    }

    #[test]
    fn any_bytes_at_all_are_survived(
        requests in prop::collection::vec(any::<u8>(), 0..300),
        responses in prop::collection::vec(any::<u8>(), 0..300),
        sizes in prop::collection::vec(1..60usize, 1..10),
    ) {
        play(&(requests, responses), &sizes);
    }
}
