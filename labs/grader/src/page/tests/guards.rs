//! Clients that go wrong, and the sentence each of them gets.

use super::*;

/// `f` is called once; `expected` are the sentence's beginning and a part of the rest.
fn expect(client: &str, beginning: &str, part: &str) {
    let sentence = sentence(client);
    assert!(
        sentence.starts_with(beginning) && sentence.contains(part),
        "expected “{beginning} … {part}”, found “{sentence}”"
    );
}

#[test]
fn a_todo_that_nobody_has_begun_is_told_apart_from_a_crash() {
    let thrown = [
        "export function f() {\n  throw new Error('TODO 5');\n}",
        "export async function f() {\n  throw new Error('TODO 5');\n}",
        "export function f() {\n  setTimeout(() => { throw new Error('TODO 5'); }, 10);\n}",
        "const here = new EventTarget();\nhere.onx = 0; here.addEventListener('x', () => { throw new Error('TODO 5'); });\n\
         export const f = () => { here.dispatchEvent(new Event('x')); };",
    ];
    for client in thrown {
        let error = failure_of(&[("client.js", client)]);
        assert!(matches!(error, PageError::NotStarted { todo: 5, .. }), "{client}\n{error:?}");
        assert_eq!(error.place().line, 2, "{client}");
    }
}

#[test]
fn an_exception_is_told_with_its_place() {
    expect(
        "export const a = 1;\nfunction inner() {\n  undefinedThing.x();\n}\ninner();",
        "client.js:3:3: uncaught ReferenceError: undefinedThing is not defined.",
        "check its spelling and its import.",
    );
    expect(
        "export function f(){\n  setTimeout(function later() { null.x }, 10);\n}",
        "client.js:2:33: uncaught TypeError",
        "Something is used before it is there",
    );
    expect("const x = 1;\nthrow new Error('top');", "client.js:2:11: uncaught Error: top.", "");
    expect("await null;\nthrow new Error('late');", "client.js:2:11: uncaught Error: late.", "");
    expect(
        "export const f = () => {\n  new WebSocket('ftp://x');\n};",
        "client.js:2:7: uncaught SyntaxError",
        "",
    );
    expect("export function f() {\n  throw undefined;\n}", "the client: uncaught undefined", "");
}

#[test]
fn an_exception_in_an_imported_file_names_that_file() {
    let client = "import { g } from './lib/dep.js';\nexport function f() {\n  return g(null);\n}";
    let files = [("client.js", client), ("lib/dep.js", "export function g(x) {\n  return x.foo;\n}")];
    assert_eq!(failure_of(&files).place().to_string(), "lib/dep.js:2:10");
}

#[test]
fn a_rejection_that_nothing_handles_is_reported_at_the_end_of_its_task() {
    expect(
        "async function g(x) {\n  await null;\n  x.boom();\n}\nexport async function f(){\n  await g({});\n}",
        "client.js:3:5: a promise was rejected with TypeError: not a function.",
        "What is called here is no function",
    );
    expect(
        "export function f(){\n  Promise.reject('why');\n}",
        "client.js:2:11: a promise was rejected with a string",
        "\"why\"",
    );
    expect(
        "export async function f() {\n  await fetch('http://elsewhere.test/');\n}",
        "client.js:2:9: `fetch('http://elsewhere.test/')` is not available in the grader: the only host is `lab.test`",
        "write the path alone",
    );
    assert_eq!(
        say("const late = Promise.reject(new Error('x')); late.catch(() => say('said', 'in time'));"),
        ["in time"]
    );
}

#[test]
fn a_file_that_is_not_javascript_is_told_with_its_line() {
    let sentence = sentence("export function f() {\n  let x = ;\n}");
    assert!(sentence.starts_with("client.js:2:11: this is not JavaScript"), "{sentence}");
}

#[test]
fn a_missing_file_and_a_missing_export_are_told_by_name() {
    expect(
        "import { g } from './nope.js';",
        "client.js imports \"./nope.js\", and there is no such file",
        "",
    );
    expect("import _ from 'lodash';", "client.js imports \"lodash\"", "names are relative");
    let files = [("client.js", "import { h } from './dep.js';"), ("dep.js", "export const a = 1;")];
    assert_eq!(
        failure_of(&files),
        PageError::MissingExport { file: "dep.js".into(), export: "h".into(), has: Vec::new() }
    );
    assert!(matches!(failure_of(&[]), PageError::MissingFile { importer: None, .. }));
}

#[test]
fn what_the_bench_needs_must_be_exported_under_its_name() {
    let error = play(
        &[("client.js", "export const a = 1, watchprices = 2;")],
        Router::new(),
        |_, net, tape| async move {
            let sources = Sources::new([("client.js".into(), "export const a = 1, watchprices = 2;".into())]);
            let lane = net.lane(None, 1);
            let exports = &["watchPrices"];
            let opening = Opening { lane, tape, sources: &sources, entry: "client.js", seed: 0, exports };
            Page::open(opening).err().map(|error| error.to_string())
        },
    );
    assert_eq!(
        error.as_deref(),
        Some(
            "client.js does not export `watchPrices` (it exports `a`, `watchprices`); \
             write `export function watchPrices(…)`, with exactly this name."
        )
    );
}

#[test]
fn a_busy_loop_is_stopped_at_its_place_and_cannot_be_caught() {
    expect("export function f() {\n  while (true) {}\n}", "client.js:1", "`f` ran on and on");
    expect(
        "export function f() {\n  for (;;) { try { while (true) {} } catch {} }\n}",
        "client.js:1",
        "ran on and on",
    );
    expect("while (true) {}", "client.js:1", "ran on and on");
    expect(
        "export async function f() {\n  await null;\n  for (;;) {}\n}",
        "client.js:2",
        "`f` ran on and on",
    );
}

#[test]
fn a_loop_that_calls_into_the_page_is_stopped_at_its_place() {
    // The list grows as it is walked.
    expect(
        "export function f() {\n  const sent = [1];\n  const say = (text) => {\n    console.log(text);\n    \
         sent.push(text);\n  };\n  for (const text of sent) say(text);\n}",
        "client.js:",
        "`f` (client.js:7:",
    );
    // Each call has a megabyte with it. What memory it takes and gives back nobody counts but us.
    let large = "const large = 'x'.repeat(1 << 20);\nexport function f() {\n  ";
    for call in [
        "new TextEncoder().encode(large)",
        "new URL(`/?${large}`, location.href)",
        "new URLSearchParams(large)",
        "console.log(large)",
    ] {
        expect(&format!("{large}for (;;) {call};\n}}"), "client.js:3", "`f` ran on and on");
    }
    // Nor does it help to catch that.
    expect(
        &format!("{large}for (;;) {{ try {{ new TextEncoder().encode(large); }} catch {{}} }}\n}}"),
        "client.js:3",
        "`f` ran on and on",
    );
}

#[test]
fn a_regular_expression_that_never_ends_is_stopped() {
    expect(
        "export function f(){\n  return /(a+)+$/.test('a'.repeat(40) + 'b');\n}",
        "client.js:2:41:",
        "ran on and on",
    );
}

#[test]
fn microtasks_without_end_are_stopped_at_their_place() {
    expect(
        "export async function f() {\n  while (true) await null;\n}",
        "client.js:2:16: more than 100,000 microtasks",
        "",
    );
    expect(
        "export function f() {\n  const again = () => Promise.resolve().then(again);\n  again();\n}",
        "client.js:2:",
        "",
    );
}

#[test]
fn tasks_without_end_at_one_instant_are_stopped() {
    expect(
        "export function f() {\n  setTimeout(f, 0); setTimeout(f, 0);\n}",
        "client.js:2:32: 1001 tasks at one instant",
        "",
    );
}

#[test]
fn a_loop_that_goes_on_after_an_abort_is_told_so() {
    let sleep = "const sleep = (ms, signal) => new Promise((resolve) => setTimeout(resolve, signal.aborted ? 0 : ms));";
    let clients = [
        "while (true) { try { await fetch('/', { signal }); } catch {} }",
        "while (true) { try { await fetch('/', { signal }); } catch { await sleep(500, signal); } }",
        "while (true) { await sleep(500, signal); }",
        "while (true) { signal.throwIfAborted; await null; }",
    ];
    for code in clients {
        let client = format!(
            "{sleep}\nexport async function f() {{\n  const c = new AbortController(); const {{ signal }} = c;\n  \
             setTimeout(() => c.abort(), 700);\n  await sleep(700, signal);\n  {code}\n}}"
        );
        let sentence = sentence(&client);
        let is_told = sentence.contains("the signal is aborted") && sentence.contains("leave the loop when");
        assert!(is_told && sentence.starts_with("client.js:"), "{code}\n{sentence}");
    }
    // What spins by itself has another cause, also right after an abort.
    let spins = "export function f() {\n  const c = new AbortController();\n  c.signal.onabort = () => { for (;;); };\n  c.abort();\n}";
    expect(spins, "client.js:3:", "ran on and on");
}

#[test]
fn json_that_is_none_is_told_with_the_clients_line() {
    let app = || {
        Router::new()
            .route("/empty", axum::routing::get(|| async { axum::http::StatusCode::NO_CONTENT }))
            .route("/text", axum::routing::get(|| async { "<p>" }))
            .route("/blank", axum::routing::get(|| async { "" }))
    };
    let rejected = |path: &str| {
        let client = format!(
            "export async function f() {{\n  const r = await fetch('{path}');\n  await r.json();\n}}"
        );
        play(&[("client.js", &client)], app(), |page, net, tape| async move {
            let play = Play { page: page.unwrap(), net, tape };
            play.run("client.f()").await.map_err(|error| error.to_string()).unwrap_err()
        })
    };
    assert_eq!(
        rejected("/empty"),
        "client.js:3:11: a promise was rejected with SyntaxError: Unexpected end of JSON input: a response with status \
         204 has no body. Look at the status before you read the body."
    );
    assert!(
        rejected("/blank").contains("Unexpected end of JSON input: the body is empty."),
        "{}",
        rejected("/blank")
    );
    assert!(rejected("/text").starts_with("client.js:3:11: a promise"), "{}", rejected("/text"));
    assert!(
        rejected("/text").ends_with("Look at what was read before you parse it: it is no JSON."),
        "{}",
        rejected("/text")
    );
    expect(
        "export function f() {\n  JSON.parse('{');\n}",
        "client.js:2:8: uncaught SyntaxError",
        "Look at what was read before you parse it",
    );
}

#[test]
fn what_is_awaited_and_fails_names_the_line_that_asked() {
    let endless = || async { std::future::pending::<&'static str>().await };
    let app = || Router::new().route("/", axum::routing::get(endless));
    let told = |code: &str, then: &str| {
        let client = format!("export async function f(signal) {{\n  {code}\n}}");
        let code = format!("const c = new AbortController(); client.f(c.signal); {then}");
        play(&[("client.js", &client)], app(), |page, net, tape| async move {
            let play = Play { page: page.unwrap(), net, tape };
            play.run(&code).await.map_err(|error| error.to_string()).unwrap_err()
        })
    };
    let abort = told("await fetch('/', { signal });", "setTimeout(() => c.abort(), 50)");
    assert!(abort.starts_with("client.js:2:9: a promise was rejected with AbortError"), "{abort}");
    assert!(abort.ends_with("the function must end here quietly, too."), "{abort}");
    let aborted = told("await null; await fetch('/', { signal });", "c.abort()");
    assert!(aborted.starts_with("client.js:2:21: a promise was rejected with AbortError"), "{aborted}");
    let twice = told("const r = new Response('a'); await r.text(); await r.text();", "");
    assert!(twice.contains("A body can be read once"), "{twice}");
    expect(
        "export function f() {\n  throw new Error('own');\n}",
        "client.js:2:13: uncaught Error: own.",
        "so what was running ended here",
    );
}

#[test]
fn a_hot_request_loop_is_stopped_and_names_its_url() {
    expect(
        "export async function f() {\n  for (;;) {\n    try { await fetch('/prices'); } catch {}\n  }\n}",
        "client.js:3:17: 41 requests within one second, the last to http://lab.test/prices;",
        "wait before the next request.",
    );
}

#[test]
fn memory_has_a_limit() {
    expect(
        "export function f(){\n  const a = []; for (;;) a.push(new Uint8Array(1 << 20));\n}",
        "client.js:2:53:",
        "more than 64 MB",
    );
    expect("export function f(){\n  let s = 'x'; for (;;) s += s;\n}", "client.js:2:30:", "more than 64 MB");
    expect(
        "export async function f(){\n  const a = []; for (;;) { await null; a.push(new Uint8Array(1 << 20)); }\n}",
        "client.js:2:67:",
        "more than 64 MB",
    );
}

#[test]
fn a_recursion_without_end_is_an_exception_like_any_other() {
    let without_end = [
        "export function f(){\n  return f() + 1;\n}",
        "export function f(){\n  const o = { get x() { return [1].map(() => o.x); } };\n  return o.x;\n}",
        "export function f(){\n  const o = { toJSON() { return JSON.stringify(o); } };\n  return JSON.stringify(o);\n}",
        "export function f(){\n  const o = { toString() { return 'a'.replace(/a/, () => `${o}`); } };\n  return `${o}`;\n}",
        "export function f(){\n  const p = new Proxy({}, { get: (t, k, r) => Reflect.get(r, k) });\n  return p.x;\n}",
        "export function f(){\n  const g = () => [2, 1].sort(g);\n  g();\n}",
        "export function f(){\n  JSON.parse('['.repeat(200000));\n}",
        "export function f(){\n  new Function('return ' + '('.repeat(100000))();\n}",
        "export async function f() {\n  await f();\n}",
    ];
    for client in without_end {
        expect(client, "client.js:2:", "The call stack is full");
    }
    assert_eq!(
        say(
            "let n = 0; const f = () => { n++; f(); }; try { f(); } catch (e) { say('said', e.name); say('said', n > 100); }"
        ),
        ["RangeError", "true"]
    );
}

/// Runs `act` on a thread like those on which checks are graded.
fn on_a_graders_thread(act: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(crate::page::THREAD_STACK);
    let ended = thread.spawn(|| {
        crate::page::allow_deep_stack();
        act();
    });
    ended.unwrap().join().unwrap();
}

#[test]
fn the_stack_holds_5000_calls_and_what_calls_through_the_browser() {
    on_a_graders_thread(|| {
        let code = "const deep = (n) => n === 0 ? 0 : 1 + deep(n - 1);
            const lines = (text) => { const at = text.indexOf('\\n'); return at < 0 ? [text] : [text.slice(0, at), ...lines(text.slice(at + 1))]; };
            const target = new EventTarget(); let depth = 0;
            target.addEventListener('x', () => { if (++depth < 500) target.dispatchEvent(new Event('x')); });
            target.dispatchEvent(new Event('x'));
            say('said', [deep(5000), lines('a\\n'.repeat(5000)).length, depth,
                         JSON.stringify(JSON.parse('['.repeat(5000) + ']'.repeat(5000))).length]);";
        assert_eq!(say(&code.replace("\\\\", "\\")), ["[5000,5001,500,10000]"]);
        expect("export function f(){\n  return f() + 1;\n}", "client.js:2:", "The call stack is full");
    });
}

#[test]
fn a_server_that_is_not_there_is_told_by_name() {
    let hint = "is not available in the grader: the only host is `lab.test`, by HTTP on port 80";
    for code in [
        "fetch('http://elsewhere.test/')",
        "fetch('http://lab.test:3999/x').catch(() => {})",
        "fetch('https://lab.test/x')",
        "new EventSource('http://lab.test:3999/events')",
        "new WebSocket('wss://lab.test/')",
        "new WebSocket('ws://lab.test:1/')",
    ] {
        expect(&format!("export async function f() {{\n  await {code};\n}}"), "client.js:2:", hint);
    }
    let redirect = |to: &'static str| axum::response::Redirect::temporary(to);
    let app = axum::Router::new()
        .route("/away", axum::routing::get(move || async move { redirect("//else.test/x") }));
    let found = play(&[("client.js", "")], app, |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        play.run("fetch('/away').catch(() => {})").await.map_err(|error| error.to_string())
    });
    assert!(
        found.as_ref().is_err_and(|found| found.contains("redirected to http://else.test/x")),
        "{found:?}"
    );
}

#[test]
fn a_scheme_that_leads_to_no_server_fails_as_in_a_browser() {
    let code = "fetch('ftp://lab.test/').catch((error) => say('said', error.name));
                const source = new EventSource('ftp://lab.test/');
                source.onerror = () => say('said', source.readyState);";
    assert_eq!(say(code), ["TypeError", "2"]);
}

#[test]
fn what_browsers_refuse_or_do_otherwise_is_told_by_name() {
    let cases = [
        ("new Request('/', { mode: 'no-cors' })", "`mode: 'no-cors'` is not available", "leave it out"),
        ("fetch('data:,x').catch(() => {})", "`fetch('data:,x')` is not available", "use the value itself"),
        (
            "new ReadableStream({ type: 'bytes' })",
            "`new ReadableStream({ type: 'bytes' })`",
            "leave the type out",
        ),
        (
            "fetch('/', { method: 'POST', duplex: 'half', body: new ReadableStream() }).catch(() => {})",
            "`fetch(url, { body: stream })` is not available",
            "send a string or bytes",
        ),
    ];
    for (code, what, hint) in cases {
        let sentence = sentence(&format!("export function f() {{\n  {code};\n}}"));
        assert!(sentence.starts_with("client.js:2:"), "{sentence}");
        assert!(sentence.contains(what) && sentence.contains(hint), "{sentence}");
    }
}

#[test]
fn a_module_that_waits_at_its_top_level_is_told_by_name() {
    let never = "export const f = () => {};\nconst x = await new Promise(() => {});\nexport const g = x;";
    let sentence = sentence(never);
    assert_eq!(
        sentence,
        "client.js:2:11: client.js awaits something at its top level that never settles, so nothing that it exports \
         can be called; move the `await` into the function that needs it."
    );
    expect(
        "export const f = () => {};\nawait new Promise((resolve) => setTimeout(resolve, 5));",
        "client.js:2:1: client.js awaits something at its top level that takes time (a request, a timer)",
        "so nothing that it exports can be called when the page starts",
    );
    let files = [("client.js", "import './lib.js';"), ("lib.js", "await\nnew Promise(() => {});")];
    assert!(
        failure_of(&files).to_string().starts_with("client.js: client.js awaits"),
        "{}",
        failure_of(&files)
    );
}

#[test]
fn what_is_not_available_says_what_to_do_instead() {
    assert_eq!(
        sentence("export function f() {\n  localStorage.setItem('a', 'b');\n}"),
        "client.js:2:3: `localStorage` is not available in the grader: keep it in a variable."
    );
    // A client that goes on without it is told all the same.
    expect(
        "export function f() {\n  try { new Blob(['a']); } catch {}\n}",
        "client.js:2:13: `Blob` is not available",
        "",
    );
    expect(
        "export function f() {\n  document.body.innerHTML = '<b>';\n}",
        "client.js:2:3: `element.innerHTML`",
        "textContent",
    );
    assert_eq!(
        say(
            "say('said', typeof localStorage); say('said', 'Worker' in window); say('said', 'x' instanceof Blob);"
        ),
        ["function", "true", "false"]
    );
}

#[test]
fn members_that_browsers_have_are_told_by_name() {
    let cases = [
        (
            "document.body.animate([], 100)",
            "`element.animate` is not available in the grader: set a class instead.",
        ),
        (
            "document.body.insertAdjacentHTML('beforeend', '<b>')",
            "`element.insertAdjacentHTML` is not available",
        ),
        (
            "console.log(document.body.getBoundingClientRect().top)",
            "`element.getBoundingClientRect` is not available",
        ),
        ("document.getElementsByClassName('a')", "`document.getElementsByClassName` is not available"),
        (
            "document.cookie = 'a=b'",
            "`document.cookie` is not available in the grader: keep it in a variable.",
        ),
        ("document.createTextNode('').splitText(0)", "`node.splitText` is not available"),
        (
            "performance.mark('a')",
            "`performance.mark` is not available in the grader: use performance.now().",
        ),
        (
            "new KeyboardEvent('keydown')",
            "`KeyboardEvent` is not available in the grader: use new Event(type)",
        ),
        ("new Event('x').initEvent('y')", "`event.initEvent` is not available"),
        ("URL.createObjectURL({})", "`URL.createObjectURL` is not available"),
        ("crypto.subtle.digest('SHA-1', new Uint8Array())", "`crypto.subtle` is not available"),
        ("navigator.locks.request('a', () => {})", "`navigator.locks` is not available"),
        (
            "navigator.sendBeacon('/')",
            "`navigator.sendBeacon` is not available in the grader: use fetch with keepalive",
        ),
        (
            "ReadableStream.from([])",
            "`ReadableStream.from` is not available in the grader: not every browser has it",
        ),
        ("location.reload()", "`location.reload` is not available"),
        ("event.preventDefault()", "`event` is not available in the grader: take the event as a parameter"),
        ("new TextDecoder('latin1')", "`new TextDecoder('latin1')` is not available"),
        ("new Response('').blob()", "`blob()` is not available"),
    ];
    for (code, what) in cases {
        let sentence = sentence(&format!("export function f() {{\n  {code};\n}}"));
        assert!(sentence.starts_with("client.js:2:") && sentence.contains(what), "{code}\n{sentence}");
    }
    let looks = "say('said', [typeof document.body.animate, 'animate' in document.body, 'mark' in performance,
        typeof ReadableStream.from, typeof new Request('/').blob, typeof KeyboardEvent]);
        document.body.own = 1; say('said', [document.body.own, 'nothing' in document.body, document.body.nothing ?? 'none']);";
    assert_eq!(
        say(looks),
        ["[\"function\",true,true,\"function\",\"function\",\"function\"]", "[1,false,\"none\"]"]
    );
}

#[test]
fn a_page_that_is_dead_runs_no_more() {
    let client = "export function f() {\n  setTimeout(() => console.log('later'), 10);\n  while (true) {}\n}";
    play(&[("client.js", client)], Router::new(), |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        assert!(matches!(play.run("client.f()").await, Err(PageError::BusyLoop { .. })));
        assert!(play.page.eval("say('said', 'still here')").is_err());
        sleep(Duration::from_secs(1)).await;
        assert!(play.said("said").is_empty() && play.page.console().is_empty());
    });
}

#[test]
fn a_page_goes_on_after_an_exception_as_in_a_browser() {
    let client = "export function f() {\n  setTimeout(() => console.log('later'), 10);\n  null.x;\n}";
    play(&[("client.js", client)], Router::new(), |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        assert!(matches!(play.run("client.f()").await, Err(PageError::Uncaught { .. })));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(play.page.console(), ["later"]);
        assert_eq!(play.said("uncaught"), ["TypeError"]);
        let failed = tokio::time::timeout(Duration::from_secs(1), play.page.failed()).await;
        assert!(matches!(failed, Ok(PageError::Uncaught { .. })));
    });
}

#[test]
fn what_the_client_deals_with_is_no_failure() {
    let code = "window.onerror = (message) => { say('said', message); return true; };
                addEventListener('unhandledrejection', (e) => { say('said', e.reason.message); e.preventDefault(); });
                setTimeout(() => { throw new TypeError('one'); });
                setTimeout(() => Promise.reject(new Error('two')));";
    assert_eq!(say(code), ["Uncaught TypeError: one", "two"]);
}

#[test]
fn the_same_client_is_stopped_at_the_same_step_every_time() {
    let client = "let n = 0;\nexport function f() {\n  for (;;) console.log(n++);\n}";
    let count = || {
        play(&[("client.js", client)], Router::new(), |page, net, tape| async move {
            let play = Play { page: page.unwrap(), net, tape };
            let _ = play.run("client.f()").await;
            play.page.console().len()
        })
    };
    assert_eq!(count(), count());
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    let lines = "const a = `one\r\ntwo`;\r\nexport function f() {\r\n  // a comment\r\n  null.x;\r\n}\r\n";
    for client in [lines.to_owned(), format!("\u{feff}{lines}"), lines.replace("\r\n", "\n")] {
        expect(&client, "client.js:5:3: uncaught TypeError", "");
    }
    let client = "import { text } from './text.js';\r\nexport function f() {\r\n  throw new Error(JSON.stringify(text));\r\n}";
    let error =
        failure_of(&[("client.js", client), ("text.js", "\u{feff}export const text = `a\r\nb`;\r\n")]);
    assert!(error.to_string().starts_with("client.js:3:34: uncaught Error: \"a\\nb\"."), "{error}");
}

#[test]
fn a_file_in_another_encoding_is_named() {
    let failure = |texts: &[(&str, &str)], other: &str| {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let sources =
            Sources::new(texts.iter().map(owned)).with_others([(other.to_owned(), "UTF-16".to_owned())]);
        play(&[], Router::new(), |_, net, tape| async move {
            let lane = net.lane(None, 1);
            let opening =
                Opening { lane, tape, sources: &sources, entry: "client.js", seed: 0, exports: &[] };
            Page::open(opening).err().map(|error| error.to_string())
        })
    };
    assert_eq!(failure(&[], "client.js").as_deref(), Some("web/client.js is UTF-16; save it as UTF-8."));
    let client = ("client.js", "import './lib/dep.js';");
    assert_eq!(
        failure(&[client], "lib/dep.js").as_deref(),
        Some("web/lib/dep.js is UTF-16; save it as UTF-8.")
    );
}

#[test]
fn what_a_browser_imports_can_be_imported() {
    let client = "import { one } from './lib/deep/one.mjs';\nimport { two } from './two.js?v=2';\n\
                  import three from './three.json' with { type: 'json' };\n\
                  export const f = () => { throw new Error(`${one}, ${two}, ${three.of[0]}`); };";
    let files = [
        ("client.js", client),
        ("lib/deep/one.mjs", "export { one } from '../other.js?v=1';"),
        ("lib/other.js", "export const one = 1;"),
        ("two.js", "export const two = 2;"),
        ("three.json", "\u{feff}{ \"of\": [\"th\\u0072ee\"] }\r\n"),
    ];
    let error = failure_of(&files).to_string();
    assert!(error.contains("uncaught Error: 1, 2, three."), "{error}");

    let files = [("client.js", "import three from './three.json';"), ("three.json", "{}")];
    assert_eq!(
        failure_of(&files).to_string(),
        "client.js imports \"./three.json\", which is JSON and no script; \
         write `import … from './three.json' with { type: 'json' }`."
    );
}

#[test]
fn a_module_that_waits_outside_of_its_functions_is_not_loaded() {
    expect(
        "await new Promise(() => {});\nexport const f = 1;",
        "client.js:1:1: client.js awaits something at its top level that never settles",
        "move the `await` into the function that needs it",
    );
    assert!(
        failure_of(&[
            ("client.js", "import { x } from './dep.js';"),
            ("dep.js", "await new Promise(() => {}); export const x = 1;")
        ])
        .to_string()
        .starts_with("dep.js:1:1: dep.js awaits something")
    );
    // What comes with the microtasks is there in time.
    expect(
        "export const a = await Promise.resolve(1);\nthrow new Error(`${a}`);",
        "client.js:2:20: uncaught Error: 1.",
        "",
    );
}
