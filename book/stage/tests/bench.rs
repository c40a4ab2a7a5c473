//! The bench in a page of a real browser: how it loads, what it says where that fails, and that whatever a client does
//! to it, the next question is answered.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use audience::{Browser, Kind, look, missing, root};
use feed::Feed;
use serde_json::{Value, json};
use stage::{Site, Stage, book, server};
use tokio::sync::oneshot;

/// What the book's pages would load, where it could be built: once for all tests of this file.
fn built() -> Option<&'static Path> {
    static BUILT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let target =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder of cargo's target folder");
        let site = book::build(&root(), target, book::For::Stage, &mut |_| {}).expect("the book builds");
        let mut folders = fs::read_dir(site).unwrap().map(|entry| entry.unwrap().path());
        folders.find(|folder| folder.join("playground.wasm").is_file())
    });
    BUILT.as_deref()
}

/// A site with one page that asks the bench, one that may not, and the bench beside some that are broken.
fn site(bench: &Path) -> tempfile::TempDir {
    let site = tempfile::tempdir().unwrap();
    let write = |file: &str, content: &[u8]| {
        let path = site.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let page = |attribute: &str| {
        format!(
            "<!doctype html><html lang=\"en\"{attribute}><title>A page</title><link rel=\"icon\" href=\"data:,\"><p>Words.</p></html>"
        )
    };
    write("page.html", page(" data-playground=\"bench/\"").as_bytes());
    write("strict.html", page("").as_bytes());
    // In each of these one file is another one, or none.
    let broken: [(&str, &str, Option<&[u8]>); 6] = [
        ("bench", "", None),
        ("gone", "playground.wasm", None),
        ("no-module", "playground.wasm", Some(b"<!doctype html><p>There is no such page.</p>")),
        ("older", "playground.wasm", Some(b"\0asm\x01\0\0\0")),
        ("no-worker", "worker.js", None),
        ("sleepy", "worker.js", Some(b"import './sleeper.js';\nimport './awake.js';\n")),
    ];
    for (folder, other, content) in broken {
        for entry in fs::read_dir(bench).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let bytes = fs::read(&path).unwrap();
            match (name == other, content) {
                (true, Some(content)) => write(&format!("{folder}/{name}"), content),
                (true, None) => {}
                (false, _) => write(&format!("{folder}/{name}"), &bytes),
            }
        }
    }
    let sleeper = b"addEventListener('message', ({ data }) => { while (data.values?.[0] === 'sleep'); });\n";
    write("sleepy/sleeper.js", sleeper);
    write("sleepy/awake.js", &fs::read(bench.join("worker.js")).unwrap());
    site
}

/// A page of a real stage, with its real policy.
struct Page<'a> {
    browser: &'a Browser,
    address: String,
}

impl Page<'_> {
    async fn go(&self, page: &str) {
        self.browser.goto(&format!("{}/{page}", self.address)).await.unwrap();
    }

    /// Runs the body of an async function in the page; gives what it returns, or `{ threw: [name, message] }`.
    /// `Playground` is that of `folder`.
    async fn run(&self, folder: &str, body: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; \
             (async () => {{ const {{ Playground }} = await import('/{folder}/playground.js'); {body} }})() \
             .then(done, (error) => done({{ threw: [error.name, error.message] }}))"
        );
        self.browser
            .execute_async(&script, vec![])
            .await
            .unwrap_or_else(|error| panic!("{error}, in\n{body}"))
    }

    /// The sentence with which the bench of `folder` does not open.
    async fn does_not_open(&self, folder: &str) -> String {
        let told = self.run(folder, "await Playground.open({ limit: 5 }); return 'it opened'").await;
        told["threw"][1].as_str().unwrap_or_else(|| panic!("{folder}: {told}")).to_owned()
    }
}

/// Plays a scene in Chromium on a stage with [`site`].
async fn play(scene: impl AsyncFnOnce(&Page)) {
    let Some(bench) = built() else {
        return missing("There is no bench to try (clang and wasi-libc build it)");
    };
    look(Kind::Chromium, async |browser| {
        let folder = site(bench);
        let listener = server::listen(0).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stage = Stage::new(&root(), Site::read(folder.path()).unwrap(), &Feed::memory(10));
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move { stage.serve(listener, async { drop(stopped.await) }).await });
        let page = Page { browser, address };
        page.go("page.html").await;
        scene(&page).await;
        let _ = stop.send(());
        served.await.expect("the stage ends as it should");
    })
    .await;
}

/// A file as a JavaScript string.
fn text_of(file: &str) -> String {
    json!(fs::read_to_string(root().join(file)).unwrap()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bench_is_fetched_once_says_how_far_it_is_and_grades() {
    play(async |page| {
        let solution = text_of("solutions/lab3-sse/web/client.js");
        let told = page
            .run(
                "bench",
                &format!(
                    "const seen = []; \
                     const [one, other] = await Promise.all([Playground.open({{ onProgress: (now) => seen.push(now) }}), Playground.open()]); \
                     const labs = (await one.list()).map((lab) => lab.name); \
                     const lab = (await other.list()).find(({{ name }}) => name === 'lab3'); \
                     const graded = await one.check('lab3', lab.checks[0].name, {{ 'client.js': {solution} }}); \
                     const opened = await other.open('lab3', 1, {{ 'client.js': {solution} }}); \
                     const stepped = await other.step(2000); \
                     const fetched = performance.getEntriesByName(new URL('/bench/playground.wasm', location).href); \
                     one.end(); other.end(); \
                     return {{ labs, verdict: graded.verdict, scenes: graded.scenes.length, now: stepped.now, transcript: stepped.transcript, \
                               fetched: fetched.map(({{ encodedBodySize, decodedBodySize }}) => [encodedBodySize, decodedBodySize]), seen }}"
                ),
            )
            .await;
        assert_eq!(told["labs"], json!(["lab1", "lab2", "lab3", "lab4", "lab5"]), "{told}");
        assert_eq!(told["verdict"], "passed", "{told}");
        assert!(told["scenes"].as_u64().unwrap() > 0, "{told}");
        assert_eq!(told["now"], 2000, "{told}");
        assert!(told["transcript"].as_str().unwrap().contains("page             show: "), "{told}");
        let fetched = told["fetched"].as_array().unwrap();
        assert_eq!(fetched.len(), 1, "two benches of one page fetch it once: {fetched:?}");
        let [travelled, whole] = [0, 1].map(|at| fetched[0][at].as_u64().unwrap());
        assert!(travelled < whole / 2, "it travels compressed, {travelled} bytes for {whole}");
        // Truthful: in bytes of the module itself, never backwards, and whole in the end.
        let seen: Vec<(u64, u64)> = (told["seen"].as_array().unwrap().iter())
            .map(|now| (now["loaded"].as_u64().unwrap(), now["total"].as_u64().unwrap()))
            .collect();
        assert!(seen.len() > 2 && seen.is_sorted(), "{seen:?}");
        assert!(seen.iter().all(|(_, total)| *total == whole), "{seen:?}");
        assert_eq!(seen.last(), Some(&(whole, whole)));
        assert_eq!(page.browser.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_an_instance_the_next_question_is_answered() {
    play(async |page| {
        let deep = text_of("book/playground/clients/deep-json.js");
        let solution = text_of("solutions/lab3-sse/web/client.js");
        let told = page
            .run(
                "bench",
                &format!(
                    "const bench = await Playground.open(); \
                     const said = async (answer) => {{ try {{ return (await answer).verdict ?? 'answered' }} catch (error) {{ return [error.name, error.message] }} }}; \
                     const [lab] = (await bench.list()).filter(({{ name }}) => name === 'lab3'); \
                     const check = lab.checks[0].name; \
                     return [ \
                         await said(bench.open('lab3', 1, {{ 'client.js': {solution} }})), \
                         await said(bench.check('lab9', check, {{}})), \
                         await said(bench.check('lab3', 'todo_99', {{}})), \
                         await said(bench.step(-1)), \
                         await said(bench.command('rain')), \
                         await said(bench.check('lab3', check, {{ 'client.js': () => 1 }})), \
                         await said(bench.step(16)), \
                         await said(bench.check('lab3', check, {{ 'client.js': {deep} }})), \
                         await said(bench.step(16)), \
                         await said(bench.check('lab3', check, {{ 'client.js': {solution} }})), \
                     ]"
                ),
            )
            .await;
        let told = told.as_array().unwrap_or_else(|| panic!("{told}"));
        assert_eq!(told[0], "answered");
        assert_eq!(
            told[1],
            json!(["Refused", "There is no lab `lab9` in this module; there is lab1, lab2, lab3, lab4, lab5."])
        );
        assert_eq!(told[2], json!(["Refused", "lab3 has no check `todo_99`."]));
        assert_eq!(told[3], json!(["Refused", "A step takes from 0 to 3600000 ms, not -1."]));
        assert_eq!(told[4], json!(["Refused", "There is no command `rain`."]));
        assert_eq!(told[5][0], "DataCloneError", "what cannot travel is the caller's mistake");
        assert_eq!(told[6], "answered", "a run goes on after all that");
        assert_eq!(told[7][0], "Trap", "{}", told[7]);
        assert!(told[7][1].as_str().unwrap().starts_with("The client went deeper than this stack reaches"), "{}", told[7]);
        assert_eq!(told[8], json!(["Refused", "No run is open."]), "the run went with its instance");
        assert_eq!(told[9], "passed", "a fresh instance grades");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bench_that_does_not_answer_is_stopped_and_starts_afresh() {
    play(async |page| {
        // Its Worker falls asleep at the word.
        let told = page
            .run(
                "sleepy",
                "const bench = await Playground.open({ limit: 2 }); \
                 const said = async (answer) => { try { return (await answer).length ?? 'answered' } catch (error) { return [error.name, error.message] } }; \
                 let frames = 0; \
                 const count = () => { frames += 1; requestAnimationFrame(count); }; \
                 count(); \
                 const asleep = said(bench.command('sleep')); \
                 const behind = said(bench.list()); \
                 const told = [await asleep, await behind, frames > 10]; \
                 const ended = said(bench.command('sleep')); \
                 const never = said(bench.list()); \
                 await new Promise((next) => setTimeout(next)); \
                 bench.end(); \
                 return [...told, await ended, await never]",
            )
            .await;
        let stopped = "The bench gave no answer for 2 seconds, so it was stopped. It starts afresh with the next try.";
        assert_eq!(
            told,
            json!([["Stopped", stopped], 5, true, ["Stopped", "The bench was ended."], ["Stopped", "The bench was ended."]]),
            "the page stays awake, who waits behind is answered, and who ends it hears so"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_keeps_the_bench_from_opening_is_told_in_a_sentence() {
    play(async |page| {
        let reload = "Perhaps the book was built anew since this page was opened: reload the page.";
        for (folder, sentence) in [
            ("gone", format!("The bench could not be fetched: the server answered 404. {reload}")),
            ("no-module", format!("What the server sent is not the bench's module. {reload}")),
            ("older", format!("The bench's module and its script are not of one build. {reload}")),
            ("no-worker", format!("The bench's Worker did not load. {reload}")),
        ] {
            page.go("page.html").await;
            assert_eq!(page.does_not_open(folder).await, sentence);
        }
        page.go("strict.html").await;
        assert_eq!(
            page.does_not_open("bench").await,
            "The bench may not run on this page: the server's Content-Security-Policy lacks 'wasm-unsafe-eval'."
        );
        for (lacks, sentence) in [
            ("WebAssembly", "This browser runs no WebAssembly, or not on this page, and the bench is made of it."),
            ("Worker", "This browser has no Web Workers, and the bench needs one so that the page stays awake."),
        ] {
            page.go("page.html").await;
            page.browser.run(&format!("delete globalThis.{lacks}")).await;
            assert_eq!(page.does_not_open("bench").await, sentence);
        }
        // The script is there, and then the network goes; it comes back, and the next try succeeds.
        page.go("page.html").await;
        page.run("bench", "return 'loaded'").await;
        let network = |offline: bool| json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        page.browser.chromium("Network.emulateNetworkConditions", network(true)).await;
        assert_eq!(
            page.does_not_open("bench").await,
            "The bench could not be fetched: this device is offline."
        );
        page.browser.chromium("Network.emulateNetworkConditions", network(false)).await;
        let told = page.run("bench", "return (await (await Playground.open()).list()).length").await;
        assert_eq!(told, 5);
    })
    .await;
}
