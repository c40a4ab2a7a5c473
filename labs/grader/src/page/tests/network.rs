//! The page on the bench's network: what a cut, a refusal and a limit look like.

use axum::{body::Body, routing::get};
use bytes::Bytes;
use futures_util::stream;

use super::*;

/// A stream that says one thing and then nothing more.
fn silence(first: &'static str, content_type: &'static str) -> axum::response::Response {
    let parts = stream::unfold(Some(first), |first| async move {
        match first {
            Some(first) => Some((Ok::<_, std::convert::Infallible>(Bytes::from(first)), None)),
            None => std::future::pending().await,
        }
    });
    axum::response::IntoResponse::into_response((
        [(http::header::CONTENT_TYPE, content_type)],
        Body::from_stream(parts),
    ))
}

fn app() -> Router {
    Router::new()
        .route("/text", get(|| async { silence("begun", "text/plain") }))
        .route("/events", get(|| async { silence("id: 4\ndata: one\n\n", "text/event-stream") }))
        .route("/plain", get(|| async { "plain" }))
}

async fn open(page: Result<Page, PageError>, net: Net, tape: Tape, code: &str) -> Play {
    let play = Play { page: page.unwrap(), net, tape };
    play.page.eval(code).unwrap();
    sleep(Duration::from_millis(100)).await;
    play
}

#[test]
fn a_cut_breaks_a_body_off_with_an_error() {
    let code = "fetch('/text').then(async (response) => {
                    const reader = response.body.getReader();
                    say('said', new TextDecoder().decode((await reader.read()).value));
                    await reader.read().catch((error) => say('said', error.name));
                });";
    let said = play(&[("client.js", "")], app(), |page, net, tape| async move {
        let play = open(page, net, tape, code).await;
        play.net.cut();
        sleep(Duration::from_secs(1)).await;
        play.said("said")
    });
    assert_eq!(said, ["begun", "TypeError"]);
}

#[test]
fn an_event_source_comes_back_three_seconds_after_a_cut_with_its_last_event_id() {
    let code = "const at = () => Math.round(performance.now());
                let source = new EventSource('/events'); let lost;
                source.onmessage = (event) => say('said', `${event.data} ${event.lastEventId}`);
                source.onerror = () => { lost ??= at(); say('said', `error ${source.readyState}`); };
                source.onopen = () => { if (lost) say('said', `open after ${Math.round((at() - lost) / 100)}`); };";
    let said = play(&[("client.js", "")], app(), |page, net, tape| async move {
        tape.focus(|lens| lens.request_headers = vec!["last-event-id".into()]);
        let play = open(page, net, tape, code).await;
        play.net.cut();
        sleep(Duration::from_secs(10)).await;
        let moments = play.tape.transcript().moments;
        let mut requests = moments.iter().filter_map(|moment| match &moment.what {
            What::Request { headers, .. } => Some(headers.clone()),
            _ => None,
        });
        assert_eq!(requests.next_back().unwrap(), [("last-event-id".to_owned(), "4".to_owned())]);
        play.said("said")
    });
    assert_eq!(said, ["one 4", "error 0", "open after 30", "one 4"]);
}

#[test]
fn a_refused_connection_fails_a_fetch_and_lets_an_event_source_try_again() {
    let code = "fetch('/plain').catch((error) => say('said', error.name));
                const source = new EventSource('/events');
                source.onerror = () => say('said', `error ${source.readyState}`);
                source.onmessage = (event) => say('said', event.data);";
    let said = play(&[("client.js", "")], app(), |page, net, tape| async move {
        net.refuse(true);
        let play = open(page, net, tape, code).await;
        play.net.refuse(false);
        sleep(Duration::from_secs(5)).await;
        play.said("said")
    });
    assert_eq!(said, ["TypeError", "error 0", "one"]);
}

#[test]
fn the_seventh_request_waits_until_one_of_six_streams_ends() {
    let code = "const sources = Array.from({ length: 6 }, () => new EventSource('/events'));
                fetch('/plain').then(async (response) => say('said', await response.text()));
                setTimeout(() => { say('said', 'one closes'); sources[0].close(); }, 1000);";
    assert_eq!(say_with(app(), code), ["one closes", "plain"]);
}

#[test]
fn an_abort_lets_go_of_the_connection() {
    let code = "const controller = new AbortController();
                fetch('/text', { signal: controller.signal }).then((response) => response.text())
                    .catch((error) => say('said', error.name));
                setTimeout(() => controller.abort(), 500);";
    let said = play(&[("client.js", "")], app(), |page, net, tape| async move {
        let play = open(page, net, tape, code).await;
        sleep(Duration::from_secs(1)).await;
        let moments = play.tape.transcript().moments;
        assert!(moments.iter().any(|moment| moment.what == What::Abort), "{moments:?}");
        play.said("said")
    });
    assert_eq!(said, ["AbortError"]);
}

#[test]
fn a_body_that_nobody_reads_is_read_ahead_only_so_far() {
    let endless = || async {
        let parts = stream::unfold((), |()| async {
            sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(vec![b'x'; 16 * 1024])), ()))
        });
        Body::from_stream(parts)
    };
    let app = Router::new().route("/endless", get(endless));
    play(&[("client.js", "")], app, |page, net, tape| async move {
        let play =
            open(page, net, tape, "fetch('/endless').then((response) => { globalThis.kept = response; })")
                .await;
        let tasks = play.page.spent().tasks;
        assert!(tasks < 40, "{tasks} tasks: the page reads on and on");
    });
}

#[test]
fn binary_messages_need_array_buffers() {
    use axum::extract::ws::{Message, WebSocketUpgrade};
    let upgrade = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            let _ = socket.send(Message::binary(vec![1, 2])).await;
            let _ = socket.recv().await;
        })
    };
    let app = || Router::new().route("/ws", get(upgrade));
    let code = "const socket = new WebSocket('/ws'); socket.binaryType = 'arraybuffer';
                socket.onmessage = (event) => say('said', event.data);";
    assert_eq!(say_with(app(), code), ["2 bytes"]);
    play(&[("client.js", "")], app(), |page, net, tape| async move {
        let play =
            open(page, net, tape, "const socket = new WebSocket('/ws'); socket.onmessage = () => {};").await;
        let failure = play.page.failure().map(|failure| failure.to_string()).unwrap_or_default();
        assert!(failure.contains("socket.binaryType = 'arraybuffer'"), "{failure}");
    });
}
