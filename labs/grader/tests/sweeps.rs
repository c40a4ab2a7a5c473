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

/// Without `biased`, tokio draws which branch it looks at first, and two plays of one scene may part.
#[test]
fn checks_choose_what_is_ready_in_the_order_in_which_it_stands() {
    fn read(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("it can be read");
                let unbiased = |part: &&str| !part.trim_start().starts_with("biased;");
                found.extend(
                    text.split("select! {").skip(1).filter(unbiased).map(|_| path.display().to_string()),
                );
            }
        }
    }
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for lab in std::fs::read_dir(labs).expect("the labs are there").flatten() {
        if lab.file_name().to_string_lossy().starts_with("lab") {
            read(&lab.path().join("tests"), &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new(), "these files have a `select!` without `biased;`");
}
