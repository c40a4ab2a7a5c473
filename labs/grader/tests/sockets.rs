//! WebSocket on the bench: a peer for a server's checks, and one for a client's.

use std::time::Duration;

use axum::{
    Router,
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    routing::get,
};
use grader::{
    Bench, Failure, Pulse, Session, Sources, scene,
    wire::ws::{Frame, Opcode},
};

/// Says everything back; closes with 4000 at "bye"; pings at "ping".
fn echo() -> Router {
    async fn talk(mut socket: WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Text(text) = message else { continue };
            let answer = match text.as_str() {
                "bye" => Message::Close(Some(CloseFrame { code: 4000, reason: "as you wish".into() })),
                "ping" => Message::Ping("x".into()),
                _ => Message::Text(text),
            };
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    }
    Router::new().route("/", get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(talk)))
}

fn words(outcome: Result<(), Failure>) -> String {
    match outcome {
        Err(Failure::Broken { words, .. }) => words,
        other => panic!("a broken contract should have been told: {other:?}"),
    }
}

#[test]
fn a_peer_talks_to_a_server_and_closes() {
    let mut session = Session::open(Sources::default(), 1);
    session.with(async |bench| {
        bench.show_pings();
        bench.serve(echo());
        let mut peer = bench.ask_of('A', "GET", "/").upgrade().await.unwrap();
        peer.send_text("hello");
        assert_eq!(peer.text("The echo").await.unwrap(), "hello");
        peer.send_text("ping");
        bench.wait_ms(100).await;
        peer.send_text("bye");
        let closed = peer.closed(Duration::from_secs(1), "no close").await.unwrap();
        assert_eq!(closed, (Some(4000), "as you wish".to_owned()));
        bench.wait_ms(100).await;
        assert!(peer.next(Duration::from_secs(1)).await.is_none() && peer.has_ended());
    });
    assert_eq!(
        session.take().to_string(),
        "     0 ms  client A → server  #1 GET /
    10 ms  server → client A  #1 101
    10 ms  client A → server  #1 message \"hello\"
    20 ms  server → client A  #1 message \"hello\"
    20 ms  client A → server  #1 message \"ping\"
    30 ms  server → client A  #1 ping
    30 ms  client A → server  #1 pong
   120 ms  client A → server  #1 message \"bye\"
   130 ms  server → client A  #1 close 4000 \"as you wish\"
   130 ms  client A → server  #1 close 4000
"
    );
}

#[test]
fn a_silent_peer_answers_neither_ping_nor_close() {
    let mut session = Session::open(Sources::default(), 1);
    session.with(async |bench| {
        bench.show_pings();
        bench.serve(echo());
        let mut peer = bench.get("/").upgrade().await.unwrap();
        peer.fall_silent();
        peer.send_text("ping");
        peer.send_text("bye");
        let heard = peer.listen(Duration::from_secs(1)).await;
        assert_eq!(heard.len(), 2, "{heard:?}");
    });
    let told = session.take().to_string();
    assert!(
        !told.contains("client → server  #1 pong") && !told.contains("client → server  #1 close"),
        "{told}"
    );
}

#[test]
fn what_a_peer_should_have_said_is_missed_in_a_sentence() {
    let mut session = Session::open(Sources::default(), 1);
    let (quiet, closed) = session.with(async |bench| {
        bench.serve(echo());
        let mut peer = bench.get("/").upgrade().await.unwrap();
        let quiet = peer.text("The welcome").await.map(drop);
        peer.send_text("bye");
        (quiet, peer.text("The welcome").await.map(drop))
    });
    assert_eq!(words(quiet), "The welcome: nothing more came within 5 s.");
    assert_eq!(words(closed), "The welcome: the connection was closed instead (code 4000).");
}

#[test]
fn an_upgrade_that_is_refused_is_told_with_its_status() {
    let mut session = Session::open(Sources::default(), 1);
    let refused = session.with(async |bench| {
        bench.serve(Router::new());
        bench.get("/floor").upgrade().await.map(drop)
    });
    assert_eq!(words(refused), "GET /floor is answered with 404 Not Found; the contract says 101.");
}

#[test]
fn a_script_speaks_frames_to_the_page_and_one_client_can_be_cut() {
    let client = "export function talk(say) {
        const socket = new WebSocket('/floor');
        socket.onopen = () => socket.send('hello');
        socket.onmessage = (event) => say('show', event.data);
        socket.onclose = (event) => say('close', event.code);
    }";
    let mut session = Session::open(Sources::new([("client.js".to_owned(), client.to_owned())]), 1);
    session.with(async |bench| {
        let mut server = bench.script();
        let mut peers = Vec::new();
        for letter in ['A', 'B'] {
            bench.page_of(letter, &["talk"]).unwrap().eval("client.talk(say)").unwrap();
            let asked = server.request("no socket").await.unwrap();
            assert_eq!(asked.header("origin"), Some("http://lab.test"));
            peers.push(asked.upgrade().await.unwrap());
        }
        assert_eq!(peers[0].text("The hello").await.unwrap(), "hello");
        // A message in two frames, and a ping between them.
        peers[0].send(&Frame { fin: false, opcode: Opcode::Text, payload: b"bu".into() });
        peers[0].send(&Frame::whole(Opcode::Ping, b""));
        peers[0].send(&Frame { fin: true, opcode: Opcode::Continuation, payload: b"y".into() });
        bench.wait_ms(100).await;
        bench.cut_of('A').await;
        bench.wait_ms(100).await;
        assert!(
            peers[0]
                .next(Duration::from_secs(1))
                .await
                .is_some_and(|heard| matches!(heard.message, grader::wire::ws::Message::Pong(_)))
        );
        assert!(peers[0].next(Duration::from_secs(1)).await.is_none() && peers[0].has_ended());
        assert!(!peers[1].has_ended(), "only A was cut");
        peers[1].close(1000, "");
        bench.wait_ms(100).await;
    });
    let told = session.take().to_string();
    for line in ["client A → server  #1 message \"hello\"", "show: buy", "close: 1006", "close: 1000"] {
        assert!(told.contains(line), "`{line}` is not in:\n{told}");
    }
}

#[test]
fn a_socket_of_drawn_room_loses_nothing_and_gives_it_in_many_pieces() {
    async fn in_pieces(bench: Bench) -> Result<(), Failure> {
        bench.draw_socket_room();
        let whole = "0123456789".repeat(500);
        let text = whole.clone();
        bench.serve(Router::new().route(
            "/echo",
            axum::routing::post(move |body: axum::body::Body| async move {
                let mut pieces = 0;
                let mut stream = body.into_data_stream();
                while let Some(Ok(piece)) = futures_util::StreamExt::next(&mut stream).await {
                    pieces += usize::from(!piece.is_empty());
                }
                (axum::http::HeaderMap::from_iter([("x-pieces".parse().unwrap(), pieces.into())]), text)
            }),
        ));
        let answer = bench.ask("POST", "/echo").body("text/plain", whole.clone()).send().await?;
        let pieces =
            answer.headers.get("x-pieces").and_then(|pieces| pieces.to_str().ok()?.parse::<u32>().ok());
        if pieces.is_none_or(|pieces| pieces < 3) {
            return Err(Failure::broken(format!("the body was read in {pieces:?} pieces")));
        }
        if answer.text().await? != whole {
            return Err(Failure::broken("the answer is not what was sent"));
        }
        Ok(())
    }
    let played =
        scene!(in_pieces, "A long body goes both ways.").play(&Sources::default(), 2, &Pulse::default());
    assert_eq!(played.result, Ok(()));
}
