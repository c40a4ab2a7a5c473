//! Sweeps find what no scene was written for, name its moment, and find nothing where nothing is wrong.

use grader::{
    Bench, Disturbance, Failure, Played, Pulse, Scene, Sources, invariant, sweep,
    wire::{Moment, What, transcript::Data},
};

/// A client that asks every second and shows what it gets. `wait` is what it does between two requests, `check` what
/// it does when an answer is there.
fn client(wait: &str, check: &str) -> Sources {
    let text = format!(
        "export async function poll({{ show, signal }}) {{
            while (!signal.aborted) {{
                const answer = await fetch('/now', {{ signal }}).catch(() => null);
                const text = answer === null ? null : await answer.text().catch(() => null);
                {check}
                if (text !== null) show(text);
                {wait}
            }}
        }}"
    );
    Sources::new([("client.js".to_owned(), text)])
}

const WAITS: &str = "await new Promise((done) => { const timer = setTimeout(done, 1000); signal.addEventListener('abort', () => { clearTimeout(timer); done(); }); });";
const LOOKS: &str = "if (signal.aborted) return;";

async fn three_answers(bench: Bench) -> Result<(), Failure> {
    let mut count = 0;
    bench.script().answer_all(move |asked| {
        count += 1;
        let text = count.to_string();
        async move { asked.answer(200, &[("content-type", "text/plain")], text) }
    });
    bench.page(&["poll"])?.eval(
        "globalThis.stop = new AbortController();
        client.poll({ show: (text) => say('show', text), signal: stop.signal });",
    )?;
    bench.wait_ms(2_500).await;
    invariant::silent_after_abort(&bench, "1.silence")?;
    invariant::one_at_a_time(&bench, "1.one", |moment: &Moment| matches!(moment.what, What::Request { .. }))?;
    let expected: Vec<_> = (1..=3).map(|number| Data::Text(number.to_string())).collect();
    let disturbed = bench.disturbance().is_some();
    if disturbed { Ok(()) } else { invariant::shown(&bench, "show", &expected, false, "1.shown") }
}

const SWEEP: Scene = sweep!(
    three_answers,
    ["1.silence"],
    [Disturbance::Abort, Disturbance::AbortInside, Disturbance::Cut, Disturbance::Offline],
    "Three answers."
);

fn swept(client: &Sources) -> (Played, Option<String>) {
    SWEEP.sweep(client, 2, &Pulse::default())
}

#[test]
fn a_client_that_is_right_passes_at_every_moment() {
    let (played, disturbed) = swept(&client(WAITS, LOOKS));
    assert_eq!((played.result, disturbed), (Ok(()), None));
}

#[test]
fn a_play_that_fails_undisturbed_is_told_without_a_disturbance() {
    let (played, disturbed) = swept(&client(&format!("show('more'); {WAITS}"), LOOKS));
    let Err(Failure::Broken { clause, words }) = played.result else { panic!("{:?}", played.result) };
    assert_eq!((clause, disturbed), (Some("1.shown"), None), "{words}");
}

#[test]
fn an_abort_from_inside_a_call_is_found() {
    let source = client(&format!("if (signal.aborted && text !== null) show('late'); {WAITS}"), "");
    let (played, disturbed) = swept(&source);
    let Err(Failure::Broken { clause, words }) = played.result else { panic!("{:?}", played.result) };
    assert_eq!(clause, Some("1.silence"), "{words}");
    assert!(words.contains("in the same moment `show` was called with `late`"), "{words}");
    let disturbed = disturbed.expect("it was disturbed");
    assert!(disturbed.starts_with("the signal is aborted from within the call"), "{disturbed}");
    assert!(played.transcript.to_string().contains("the signal is aborted"), "{}", played.transcript);
}

#[test]
fn the_moment_is_named() {
    // A timer that an abort does not clear, and that asks once more.
    let source = client(
        "await new Promise((done) => setTimeout(done, 1000)); if (signal.aborted) fetch('/late').catch(() => null);",
        LOOKS,
    );
    let (played, disturbed) = swept(&source);
    let Err(Failure::Broken { words, .. }) = played.result else { panic!("{:?}", played.result) };
    assert!(words.contains("it asked for GET /late"), "{words}");
    let disturbed = disturbed.expect("it was disturbed");
    assert!(disturbed.contains("1 ms after «page show"), "{disturbed}");
}

#[test]
fn the_same_sweep_finds_the_same() {
    let source = client("", "");
    let (first, again) = (swept(&source), swept(&source));
    assert_eq!(first.0.transcript, again.0.transcript);
    assert_eq!(first.1, again.1);
}
