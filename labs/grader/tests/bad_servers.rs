//! Servers that go wrong: each gets a sentence, in time, and hurts nobody else.

use std::{convert::Infallible, path::Path, time::Duration};

use axum::{Router, body::Body, http::StatusCode, response::IntoResponse, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use grader::{
    Bench, Check, Failure, Lab, Report, Scene, Sources, Standing,
    harness::{Patience, grade_on_a_thread},
    scene,
};

/// Short, so that the tests are; long enough for a machine that is busy with other things.
const PATIENCE: Patience = Patience { held: Duration::from_millis(1_500), longest: Duration::from_secs(4) };

const LAB: Lab = Lab {
    name: "bad",
    number: 0,
    title: "servers that go wrong",
    folder: "labs/none",
    chapter: "none.md",
    contract: "",
    start: "",
    checks: &[],
};

/// What a student reads about a server in whose play `scene` goes wrong.
fn message(scenes: &'static [Scene]) -> String {
    let check = Check {
        name: "todo_1_goes_wrong",
        todo: Some(1),
        file: "src/lib.rs",
        section: "none",
        experiment: "nothing",
        scenes,
    };
    let nowhere = Path::new("there are no snapshots here");
    let verdict = grade_on_a_thread(&check, &Sources::default(), nowhere, PATIENCE);
    assert!(matches!(verdict.standing, Standing::Failed(_)), "it should have failed: {:?}", verdict.standing);
    // Lines are broken to fit a terminal; sentences are easier to look for unbroken.
    let text = Report::new(&LAB, &check, &verdict, None).text();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

/// Serves `app` and reads three events of `/`.
async fn read_events(bench: Bench, app: Router) -> Result<(), Failure> {
    bench.serve(app);
    let mut events = bench.get("/").send().await?.stream()?;
    for _ in 0..3 {
        events.event("An event did not arrive").await?;
    }
    Ok(())
}

fn event_stream(body: Body) -> impl IntoResponse {
    ([("content-type", "text/event-stream")], body)
}

fn chunks(chunks: &'static [&'static [u8]]) -> Body {
    Body::from_stream(stream::iter(chunks).map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk))))
}

async fn panics_in_the_handler(bench: Bench) -> Result<(), Failure> {
    async fn handler() -> StatusCode {
        let nothing: [StatusCode; 0] = [];
        *nothing.first().expect("there should be a status")
    }
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_panic_in_a_handler_is_told_with_its_place() {
    let text = message(&[scene!(panics_in_the_handler, "")]);
    assert_says(&text, &["The server panicked at", "bad_servers.rs:", "there should be a status"]);
}

async fn panics_in_the_stream(bench: Bench) -> Result<(), Failure> {
    let events = || async {
        let events = stream::iter(0..).map(|n| {
            assert!(n < 2, "only two events were planned");
            Ok::<_, Infallible>(Bytes::from("data: 1\n\n"))
        });
        event_stream(Body::from_stream(events))
    };
    read_events(bench, Router::new().route("/", get(events))).await
}

#[test]
fn a_panic_in_a_stream_is_told_with_its_place() {
    let text = message(&[scene!(panics_in_the_stream, "")]);
    assert_says(&text, &["The server panicked at", "bad_servers.rs:", "only two events were planned"]);
}

async fn blocks_the_thread(bench: Bench) -> Result<(), Failure> {
    async fn handler() {
        std::thread::sleep(Duration::from_secs(20));
    }
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_handler_that_blocks_the_thread_is_named() {
    let text = message(&[scene!(blocks_the_thread, "")]);
    assert_says(
        &text,
        &["The server held its thread", "while it was answering GET /", "`std::thread::sleep`"],
    );
}

async fn blocks_in_a_task(bench: Bench) -> Result<(), Failure> {
    async fn handler() -> impl IntoResponse {
        tokio::spawn(async { std::thread::sleep(Duration::from_secs(20)) });
        event_stream(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()))
    }
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_task_that_blocks_the_thread_is_noticed() {
    let text = message(&[scene!(blocks_in_a_task, "")]);
    assert_says(&text, &["Nothing moved for", "a task of the server blocks its thread"]);
}

async fn spins(bench: Bench) -> Result<(), Failure> {
    async fn handler() {
        loop {
            tokio::task::yield_now().await;
        }
    }
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_handler_that_spins_is_stopped() {
    let text = message(&[scene!(spins, "")]);
    assert_says(&text, &["without letting time pass", "answering GET /", "yield_now"]);
}

async fn never_answers(bench: Bench) -> Result<(), Failure> {
    read_events(bench, Router::new().route("/", get(std::future::pending::<StatusCode>))).await
}

#[test]
fn a_server_that_never_answers_is_not_waited_for() {
    let text = message(&[scene!(never_answers, "")]);
    assert_says(&text, &["No answer to GET / within 5 s"]);
}

async fn answers_500(bench: Bench) -> Result<(), Failure> {
    let handler = || async { (StatusCode::INTERNAL_SERVER_ERROR, "sorry") };
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_server_that_answers_500_is_told_what_was_expected() {
    let text = message(&[scene!(answers_500, "")]);
    assert_says(&text, &["GET / is answered with 500 Internal Server Error; the contract says 200."]);
}

async fn ends_early(bench: Bench) -> Result<(), Failure> {
    let handler = || async { event_stream(chunks(&[b"data: 1\n\n"])) };
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_stream_that_ends_early_is_told_apart_from_one_that_is_silent() {
    let text = message(&[scene!(ends_early, "")]);
    assert_says(&text, &["An event did not arrive: the stream ended."]);
}

async fn breaks_off(bench: Bench) -> Result<(), Failure> {
    let handler = || async {
        let parts =
            stream::iter([Ok(Bytes::from("data: 1\n\n")), Err("the cable is out")]).then(|part| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                part
            });
        event_stream(Body::from_stream(parts))
    };
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn a_stream_that_breaks_off_is_shown_cut() {
    let text = message(&[scene!(breaks_off, "")]);
    assert_says(&text, &["#1 cut", "An event did not arrive: the stream ended."]);
}

async fn sends_broken_bytes(bench: Bench) -> Result<(), Failure> {
    let handler =
        || async { event_stream(chunks(&[b"\xff\xfe\x00\n\r\xc3", b"\n\ndata\n\n", b"\x80:::\n\n"])) };
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn broken_bytes_are_read_as_the_standard_reads_them() {
    let text = message(&[scene!(sends_broken_bytes, "")]);
    assert_says(&text, &["An event did not arrive: the stream ended."]);
}

async fn sends_a_page(bench: Bench) -> Result<(), Failure> {
    let handler = || async { axum::response::Html("<h1>502</h1>") };
    read_events(bench, Router::new().route("/", get(handler))).await
}

#[test]
fn an_answer_that_is_no_event_stream_is_told_what_it_is() {
    let text = message(&[scene!(sends_a_page, "")]);
    assert_says(&text, &["The answer to GET / is `text/html`", "`text/event-stream`"]);
}

async fn passes(bench: Bench) -> Result<(), Failure> {
    bench.serve(Router::new());
    bench.get("/").send().await?.with_status(404)?;
    Ok(())
}

#[test]
fn a_missing_snapshot_is_no_pass() {
    let text = message(&[scene!(passes, "")]);
    assert_says(&text, &["tests/snapshots/passes.snap is missing", "git checkout"]);
}

#[test]
fn a_snapshot_that_was_changed_by_hand_is_no_measure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let changed =
        "---\nsource: x\ndescription: d · seal 0000000000000000\n---\n     0 ms  note             hi\n";
    std::fs::write(folder.path().join("passes.snap"), changed).expect("a file in it");
    let scenes: &'static [Scene] = &[scene!(passes, "")];
    let check = Check {
        name: "todo_1_goes_wrong",
        todo: Some(1),
        file: "src/lib.rs",
        section: "",
        experiment: "",
        scenes,
    };
    let verdict = grade_on_a_thread(&check, &Sources::default(), folder.path(), PATIENCE);
    let text =
        Report::new(&LAB, &check, &verdict, None).text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_says(&text, &["tests/snapshots/passes.snap has been changed", "git checkout"]);
}
