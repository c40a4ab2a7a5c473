//! The lab in the page, in a real browser: written, graded and run as a reader does it.
//!
//! The texts come from the solutions and the answers that prove the grader; what the page says of them is held
//! against what the bench says natively.

mod common;

use std::{fs, time::Duration};

use audience::{Kind, PATIENCE, axe, missing, root};
use common::{Play, play};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The page's keys (WebDriver § 17.4.2).
const ENTER: &str = "\u{e007}";
const CONTROL: char = '\u{e009}';
const ESCAPE: char = '\u{e00c}';
const TAB: char = '\u{e004}';

/// A lab, its folder below `labs` and `solutions`, and its chapter.
const LABS: [(u8, &str, &str); 5] = [
    (1, "lab1-fetch", "/en/01-one-exchange.html"),
    (2, "lab2-long-polling", "/en/02-long-polling.html"),
    (3, "lab3-sse", "/en/03-server-sent-events.html"),
    (4, "lab4-fetch-stream", "/en/04-streaming-with-fetch.html"),
    (5, "lab5-websocket", "/en/05-websocket.html"),
];

/// Plays `scene` where the book has what a lab in the page is made of, which takes clang and Node.
async fn try_it(scene: impl AsyncFn(&Play)) {
    try_it_in(&[Kind::Chromium], scene).await;
}

/// The same in these browsers.
async fn try_it_in(kinds: &[Kind], scene: impl AsyncFn(&Play)) {
    play(kinds, async |play| {
        play.go(chapter(1)).await;
        let built = play.run("const { playground, editor } = document.documentElement.dataset; return !!playground && !!editor");
        if built.await == true {
            scene(play).await;
        } else {
            missing("The book was built without the bench or without the editor (Debian: apt-get install clang wasi-libc nodejs npm)");
        }
    })
    .await;
}

fn chapter(lab: u8) -> &'static str {
    LABS[usize::from(lab) - 1].2
}

/// A client's text: `labs`, where nothing is done, or `solutions`.
fn client(of: &str, lab: u8) -> String {
    let path = root().join(of).join(LABS[usize::from(lab) - 1].1).join("web/client.js");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The TODOs of a lab's client: numbers, and what the solution has there.
fn todos(lab: u8) -> Vec<(u32, String)> {
    let solution = client("solutions", lab);
    let listed = playground::list().into_iter().find(|listed| listed.name == format!("lab{lab}")).unwrap();
    let numbers = listed.checks.iter().filter_map(|check| check.todo);
    numbers.map(|todo| (todo, region(&solution, todo))).collect()
}

/// What stands between the anchors of a TODO.
fn region(text: &str, todo: u32) -> String {
    let (start, end) = (format!("ANCHOR: todo_{todo}\n"), format!("ANCHOR_END: todo_{todo}\n"));
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no {start}"));
    let (inside, _) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    inside.rsplit_once('\n').map_or("", |(lines, _)| lines).to_owned()
}

/// What the bench says natively of a client, check by check: verdict and words.
fn natively(lab: u8, text: &str) -> Vec<(String, String)> {
    let text = text.to_owned();
    // The bench has a runtime of its own, and keeps to itself what its thread panics with.
    std::thread::spawn(move || graded(lab, &text)).join().unwrap()
}

fn graded(lab: u8, text: &str) -> Vec<(String, String)> {
    let name = format!("lab{lab}");
    let sources = playground::sources(&json!({ "client.js": text }).to_string()).unwrap();
    let listed = playground::list().into_iter().find(|listed| listed.name == name).unwrap();
    let graded = listed.checks.iter().map(|check| playground::check(&name, check.name, &sources).unwrap());
    graded
        .map(|graded| {
            let words: String = graded.lines.iter().map(|line| format!("{}\n", line.words)).collect();
            (graded.verdict.to_owned(), words)
        })
        .collect()
}

/// What the page says of the client that it has graded last, as [`natively`] does.
async fn in_page(play: &Play<'_>) -> Vec<(String, String)> {
    let said = play
        .run(
            "const told = new Map([...document.querySelectorAll('.try-verdict')].map((block) => \
                 [block.querySelector('summary b').textContent, block.querySelector('.try-told').textContent])); \
             return [...document.querySelectorAll('.try-tasks li')].map((task) => \
                 [task.dataset.verdict, told.get(task.querySelector('b').textContent) ?? ''])",
        )
        .await;
    serde_json::from_value(said).unwrap()
}

/// Goes to a lab's chapter and opens the lab by keyboard.
async fn open(play: &Play<'_>, lab: u8) {
    play.go(chapter(lab)).await;
    play.alive("try-it").await;
    play.keys("try-it .row button", ENTER).await;
    opened(play).await;
    play.until(
        "the lab has the focus",
        "return document.activeElement === document.querySelector('.try-it.open .try-title')",
    )
    .await;
}

/// Waits until the lab is open. A busy machine may take a while to compile the bench, the more so in Firefox.
async fn opened(play: &Play<'_>) {
    let asked = Instant::now();
    while play.run("return !!document.querySelector('.try-it.open')").await != true {
        let status = play.run("return document.querySelector('try-it .try-status')?.textContent").await;
        assert!(asked.elapsed() < 4 * PATIENCE, "the lab does not open; it says {status}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Puts a text where the focus is, in place of what is selected there, as one pastes it.
async fn paste(play: &Play<'_>, text: &str) {
    let copy = format!(
        "window.before = document.activeElement; \
         const area = document.body.appendChild(document.createElement('textarea')); \
         area.id = 'clipboard'; area.value = {}; area.focus(); area.select()",
        Value::from(text)
    );
    // The editor keeps its own selection while another element has the focus.
    play.run(&copy).await;
    play.chord(&[CONTROL, 'c']).await;
    play.run(
        "document.getElementById('clipboard').remove(); \
         const inside = before.shadowRoot?.querySelector('.cm-content') ?? before; inside.focus({ preventScroll: true })",
    )
    .await;
    play.chord(&[CONTROL, 'v']).await;
}

/// Puts a whole text into the editor.
async fn write(play: &Play<'_>, text: &str) {
    play.keys(".try-tasks li button", ENTER).await;
    play.chord(&[CONTROL, 'a']).await;
    paste(play, text).await;
}

/// Has the page grade what is written, and waits for its verdict.
async fn check(play: &Play<'_>) -> String {
    play.keys(".try-buttons .primary", ENTER).await;
    play.until(
        "the verdict is there",
        "return !document.querySelector('.try-buttons [aria-disabled]') && !document.querySelector('.try-tasks [data-verdict=asking]') \
             && !document.querySelector('.try-tasks [data-verdict=unknown]')",
    )
    .await;
    play.text(".try-it > .try-status").await
}

/// How far the document reaches beyond the window, sideways.
const BEYOND: &str = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";

#[tokio::test(flavor = "multi_thread")]
async fn labs_2_and_4_are_solved_on_a_phone_by_keyboard_with_the_words_of_cargo_test() {
    try_it(async |play| {
        play.resize(390, 844).await;
        for lab in [2, 4] {
            open(play, lab).await;
            let untouched = client("labs", lab);
            let todos = todos(lab);
            let count = todos.len();
            let said = check(play).await;
            assert!(said.starts_with(&format!("lab{lab}, the client's half: 0 of {count} done")), "{said}");
            assert_eq!(in_page(play).await, natively(lab, &untouched), "lab {lab}, untouched");

            // TODO by TODO; the last one wrongly first.
            let mut text = untouched;
            for (index, (todo, solved)) in todos.iter().enumerate() {
                let open = region(&text, *todo);
                if index + 1 == count {
                    let wrong = text.replacen(&open, "    return;\n", 1);
                    write(play, &wrong).await;
                    let said = check(play).await;
                    assert!(said.contains(&format!("{} of {count} done · next: TODO {todo}", count - 1)), "{said}");
                    assert_eq!(in_page(play).await, natively(lab, &wrong), "lab {lab}, TODO {todo} is wrong");
                    play.until(
                        "what was expected stands beside what happened",
                        "const sides = document.querySelectorAll('.try-verdict[open] .try-side svg.wire'); return sides.length > 0",
                    )
                    .await;
                    let wraps = "return [...document.querySelectorAll('.try-verdict[open] .try-wrapped')].map((line) => \
                         [line.querySelector('b').textContent.trim(), line.scrollWidth <= line.clientWidth && line.clientHeight > 0])";
                    assert_eq!(
                        play.run(wraps).await,
                        json!([["What happened", true], ["Try", true]]),
                        "a phone shows them without scrolling"
                    );
                    play.chord(&[CONTROL, 'z']).await;
                    write(play, &text).await;
                }
                if open.trim().lines().count() == 1 {
                    // The button selects what stands for the TODO; what is pasted takes its place.
                    play.keys(&format!(".try-tasks li:nth-child({}) button", index + 1), ENTER).await;
                    paste(play, solved.trim_start()).await;
                    text = text.replacen(open.trim(), solved.trim_start(), 1);
                } else {
                    text = text.replacen(&open, solved, 1);
                    write(play, &text).await;
                }
            }
            let said = check(play).await;
            assert!(said.contains(&format!("{count} of {count} done")), "{said}");
            assert_eq!(in_page(play).await, natively(lab, &text), "lab {lab}, solved");
            assert_eq!(text, client("solutions", lab), "TODO by TODO it has become the solution");
            assert_eq!(play.run(BEYOND).await, 0, "lab {lab} scrolls sideways");

            // After a pass the solution is compared without being asked twice.
            play.keys(".try-buttons button:last-child", ENTER).await;
            play.until("the solution is shown", "return !document.querySelector('.try-solution').hidden").await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lab_begins_with_its_own_untouched_client_to_the_letter() {
    try_it(async |play| {
        for (lab, ..) in LABS {
            play.go(chapter(lab)).await;
            let text = play
                .run("return document.querySelector('try-it figure.code pre code').textContent + '\\n'")
                .await;
            assert_eq!(text, client("labs", lab), "lab {lab}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_is_marked_where_it_is() {
    try_it_in(Kind::BOTH, async |play| {
        open(play, 3).await;
        let broken = client("solutions", 3).replacen("function close() {", "function close( {", 1);
        let line = 1 + broken.lines().position(|line| line.contains("function close(")).unwrap();
        write(play, &broken).await;
        check(play).await;
        assert_eq!(in_page(play).await, natively(3, &broken));
        let marked = "const { shadowRoot: root } = document.querySelector('.try-editor > div'); \
             return [root.querySelector('.wrong-line')?.textContent, root.querySelector('.why')?.textContent]";
        play.until("the editor shows the place", &format!("{marked}[0] != null")).await;
        let marked = play.run(marked).await;
        let number: usize = marked[0].as_str().expect("a line is marked").parse().unwrap();
        assert!((line..=line + 1).contains(&number), "line {number} is marked, and {line} is broken");
        assert!(marked[1].as_str().expect("the reason is told").contains("this is not JavaScript"), "{marked}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_ended_with_its_place_and_the_page_lives() {
    try_it(async |play| {
        open(play, 3).await;
        let endless = client("solutions", 3).replacen(
            "    close();\n    source = new",
            "    for (;;) failures += 1;\n    source = new",
            1,
        );
        let line = 1 + endless.lines().position(|line| line.contains("for (;;)")).unwrap();
        write(play, &endless).await;
        check(play).await;
        assert_eq!(in_page(play).await, natively(3, &endless));
        assert!(play.text(".try-verdicts").await.contains(&format!("client.js:{line}")));

        // And where it runs.
        play.keys(".try-buttons button:nth-child(2)", ENTER).await;
        play.until(
            "the run has told of it",
            "return document.querySelector('.try-run .try-status').textContent.includes('This run is over.')",
        )
        .await;
        assert!(play.text(".try-run .try-status").await.contains(&format!("client.js:{line}")));
        // The same bench goes on.
        write(play, &client("solutions", 3)).await;
        let said = check(play).await;
        assert!(said.contains("3 of 3 done"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_kept_reset_brought_back_and_downloaded() {
    let downloads = tempfile::tempdir().unwrap();
    try_it(async |play| {
        let folder = downloads.path().display().to_string();
        play.chromium("Browser.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": folder }))
            .await;
        open(play, 1).await;
        let mine = client("labs", 1).replacen("TODO 4", "MY TODO 4", 1);
        write(play, &mine).await;
        let kept = "return localStorage.getItem('beyond-fetch/lab1/client.js')";
        play.until("it is kept", &format!("{kept}?.includes('MY TODO 4') === true", kept = kept)).await;

        play.go("/en/welcome.html").await;
        open(play, 1).await;
        assert_eq!(play.run(kept).await, mine, "to the letter");

        play.keys(".try-buttons button:nth-child(3)", ENTER).await;
        let file = downloads.path().join("client.js");
        let asked = Instant::now();
        while fs::read_to_string(&file).map_or(true, |text| text != mine) {
            assert!(asked.elapsed() < PATIENCE, "client.js is downloaded");
            sleep(Duration::from_millis(50)).await;
        }

        play.keys(".try-buttons button:nth-child(4)", ENTER).await;
        play.keys(".try-ask .bad", ENTER).await;
        play.until("it is forgotten", &format!("{kept} === null")).await;
        play.keys(".try-buttons button:nth-child(5)", ENTER).await;
        play.until("it is back", &format!("{kept}?.includes('MY TODO 4') === true")).await;
        assert_eq!(play.run(kept).await, mine);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_drawn_as_it_happens_and_a_cut_shows() {
    try_it_in(Kind::BOTH, async |play| {
        open(play, 3).await;
        assert_eq!(
            play.run("return document.querySelector('.try-it a[href=\"/live/lab3/\"]').textContent").await,
            "the lab on this stage"
        );
        write(play, &client("solutions", 3)).await;
        play.keys(".try-buttons button:nth-child(2)", ENTER).await;
        let drawn = |words: &str| {
            format!("return document.querySelector('.try-run-scene').textContent.includes('{words}')")
        };
        play.until("prices come", &drawn("price · id")).await;
        // Time goes only when it is told to.
        play.keys(".try-run-bar button", ENTER).await;
        play.until(
            "it stands still",
            "return document.querySelector('.try-run-bar button').textContent === 'Go on'",
        )
        .await;
        play.keys(".try-weather .bad", ENTER).await;
        play.keys(".try-run-bar button:nth-of-type(2)", ENTER).await;
        play.until("the cut is drawn", &drawn("the connection is cut")).await;
        // From one thing that happens to the next, whenever that is.
        play.until(
            "a step is over",
            "return document.querySelector('.try-run-scene').textContent.includes('reconnecting')",
        )
        .await;
        play.keys(".try-run-bar button:nth-of-type(2)", ENTER).await;
        play.until("the client comes back and says where it was", &drawn("last-event-id")).await;
        // And on, as fast as one likes.
        play.keys(".try-run-bar select", "16").await;
        play.keys(".try-run-bar button", ENTER).await;
        play.until("what is long ago is left out", &drawn("moments are left out")).await;
        assert_eq!(play.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_editor_is_left_by_keyboard_and_keeps_its_keys_to_itself() {
    try_it_in(Kind::BOTH, async |play| {
        open(play, 2).await;
        play.keys(".try-tasks li button", ENTER).await;
        let in_editor = "return document.activeElement === document.querySelector('.try-editor > div')";
        play.until("the code of the TODO has the focus", in_editor).await;
        play.chord(&['/']).await;
        assert_eq!(
            play.run("return document.getElementById('search').open").await,
            false,
            "the slash was typed"
        );
        play.chord(&[TAB]).await;
        assert_eq!(play.run(in_editor).await, true, "Tab indents");
        play.chord(&[ESCAPE]).await;
        play.chord(&[TAB]).await;
        play.until(
            "Escape, then Tab leaves",
            "return document.activeElement === document.querySelector('.try-buttons button')",
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_bench_the_editor_or_storage_it_says_so_and_goes_on() {
    try_it(async |play| {
        let block = async |what: &[&str]| {
            play.chromium("Network.enable", json!({})).await;
            play.chromium("Network.setBlockedURLs", json!({ "urls": what })).await;
        };
        // The bench.
        block(&["*playground.wasm"]).await;
        play.go(chapter(3)).await;
        play.alive("try-it").await;
        play.keys("try-it .row button", ENTER).await;
        play.until("it says so", "return document.querySelector('try-it .try-status').textContent.includes('could not be fetched')")
            .await;
        assert!(play.text("try-it .try-status").await.contains("cargo test -p lab3"));
        assert!(play.text("try-it").await.contains("labs/lab3-sse/web/client.js"), "the text is still there");
        // It is tried again.
        block(&[]).await;
        play.keys("try-it .row button", ENTER).await;
        opened(play).await;

        // The editor.
        block(&["*editor-*"]).await;
        open(play, 3).await;
        assert!(play.text(".try-it").await.contains("plain text field"));
        let field = play.element(".try-field").await;
        field.clear().await.unwrap();
        let broken = client("solutions", 3).replacen("function close() {", "function close( {", 1);
        play.run(&format!("const field = document.querySelector('.try-field'); field.value = {}; field.dispatchEvent(new Event('input'))", Value::from(broken.clone())))
            .await;
        check(play).await;
        assert_eq!(in_page(play).await, natively(3, &broken));
        assert!(play.text(".try-problems").await.contains("this is not JavaScript"));
        block(&[]).await;

        // Storage.
        let source = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })";
        play.chromium("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await;
        open(play, 3).await;
        assert!(play.text(".try-it").await.contains("This browser keeps nothing"));
        let said = check(play).await;
        assert!(said.contains("0 of 3 done"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_client_gets_a_sentence() {
    try_it(async |play| {
        open(play, 3).await;
        let odd = format!("\u{0}\u{feff}\u{202e}ð\u{7}\n{}", client("solutions", 3));
        write(play, &odd).await;
        check(play).await;
        let said = in_page(play).await;
        assert!(
            said.iter().all(|(verdict, words)| verdict == "failed" && words.contains("client.js:1")),
            "{said:?}"
        );

        write(play, &format!("// {}\n", "long ".repeat(420)).repeat(100)).await;
        play.keys(".try-buttons .primary", ENTER).await;
        play.until(
            "it says so",
            "return document.querySelector('.try-it > .try-status').textContent.includes('up to 200')",
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_no_fault_in_an_open_lab_in_light_and_dark_and_it_fits_a_phone() {
    let Some(axe) = axe() else { return };
    try_it(async |play| {
        play.resize(320, 800).await;
        for scheme in ["light", "dark"] {
            play.prefer(scheme).await;
            open(play, 3).await;
            write(
                play,
                &client("solutions", 3).replacen("over = true;\n", "", 1).replacen(
                    "position = event.lastEventId;",
                    "",
                    1,
                ),
            )
            .await;
            check(play).await;
            play.keys(".try-buttons button:nth-child(2)", ENTER).await;
            play.until("it runs", "return !!document.querySelector('.try-run-scene svg')").await;
            play.keys(".try-run-bar button", ENTER).await;
            play.keys(".try-buttons button:last-child", ENTER).await;
            play.until("the solution is shown", "return !document.querySelector('.try-solution').hidden")
                .await;
            assert_eq!(play.run(BEYOND).await, 0, "it scrolls sideways in {scheme}");
            assert_eq!(play.faults(&axe).await, json!([]), "an open lab in {scheme}");
        }
    })
    .await;
}
