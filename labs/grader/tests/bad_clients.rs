//! Clients that hold the page in a way that counting their steps does not find: the watchdog does, and blames nobody else.

use std::{path::Path, time::Duration};

use grader::{
    Bench, Check, Failure, Lab, Report, Sources, Standing,
    harness::{Patience, grade_on_a_thread},
    scene,
};

/// Short, so that the tests are; long enough for a machine that is busy with other things.
const PATIENCE: Patience = Patience { held: Duration::from_secs(3), longest: Duration::from_secs(8) };

const LAB: Lab = Lab {
    name: "bad",
    number: 0,
    title: "clients that go wrong",
    folder: "labs/none",
    chapter: "none.md",
    contract: "",
    start: "",
    checks: &[],
};

async fn begins(bench: Bench) -> Result<(), Failure> {
    let page = bench.page(&["begin"])?;
    page.eval("client.begin()")?;
    bench.wait_s(3_600).await;
    Ok(())
}

/// What a student reads about this client.
fn message(client: &str) -> String {
    message_within(PATIENCE, client)
}

fn message_within(patience: Patience, client: &str) -> String {
    let check = Check {
        name: "todo_1_goes_wrong",
        todo: Some(1),
        file: "web/client.js",
        section: "none",
        experiment: "nothing",
        scenes: &[scene!(begins, "")],
    };
    let nowhere = Path::new("there are no snapshots here");
    let sources = Sources::new([("client.js".to_owned(), client.to_owned())]);
    let verdict = grade_on_a_thread(&check, &sources, nowhere, patience);
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
    assert!(!text.contains("server"), "nobody else is blamed:\n{text}");
}

#[test]
fn steps_that_take_long_are_stopped_at_their_place() {
    // Each call takes a while and counts as one step: it would be most of a minute until they are too many.
    // It is stopped by what it does, not by the clock: a busy machine may take its time.
    let text = message_within(
        Patience { held: Duration::from_secs(10), longest: Duration::from_secs(60) },
        "const large = 'x'.repeat(1 << 14);\n\
         export function begin() {\n  for (;;) large.lastIndexOf('y');\n}\n",
    );
    assert_says(&text, &["client.js:3", "`begin` ran on and on"]);
}

#[test]
fn a_call_that_cannot_be_stopped_is_the_client_s_all_the_same() {
    let text = message(
        "export function begin() {\n  const list = Array.from({ length: 10_000 }, () => 'x'.repeat(100));\n  \
         for (;;) JSON.stringify(list);\n}\n",
    );
    assert_says(&text, &["The client's JavaScript ran for 3 s", "web/client.js"]);
}

#[test]
fn a_client_at_work_all_the_time_is_not_said_to_stop_time() {
    let text = message("export function begin() {\n  setInterval(() => JSON.stringify([]), 1);\n}\n");
    assert_says(
        &text,
        &["The check was stopped after 8 s: the client's JavaScript was at work all the time"],
    );
}
