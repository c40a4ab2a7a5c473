//! What the bench decides for the page: clock, chance, the window's fate. What
//! a real browser can judge stands in `tests/conformance`.

use super::*;

#[test]
fn time_begins_with_the_play_and_is_virtual() {
    let code = "say('said', new Date().toISOString());
                say('said', Date.now() - Date.UTC(2026, 0, 1));
                setTimeout(() => say('said', new Date().toISOString()), 90061001);
                setTimeout(() => say('said', Math.round(performance.now())), 1500);
                say('said', new Date(2026, 6, 1).getTimezoneOffset());
                say('said', [typeof Date(), new Date() instanceof Date, new Date(5).getTime()]);";
    let said = play(&[("client.js", "")], Router::new(), |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        play.run(code).await.unwrap();
        sleep(Duration::from_secs(100_000)).await;
        play.said("said")
    });
    assert_eq!(
        said,
        ["2026-01-01T00:00:00.000Z", "0", "0", "[\"string\",true,5]", "1500", "2026-01-02T01:01:01.001Z"]
    );
}

#[test]
fn nested_timers_wait_at_least_4_ms_from_the_sixth_on() {
    let code = "const times = []; const again = () => { times.push(Math.round(performance.now()));
                if (times.length < 9) setTimeout(again); else say('said', times); }; setTimeout(again);";
    assert_eq!(say(code), ["[0,0,0,0,0,4,8,12,16]"]);
}

#[test]
fn chance_follows_the_seed() {
    let code =
        "say('said', Math.random()); say('said', crypto.randomUUID()); say('said', Math.random() < 1);";
    let first = say(code);
    assert_eq!(first, say(code));
    assert_ne!(first[0], say("Math.random(); say('said', Math.random())")[0]);
}

#[test]
fn the_bench_hides_the_page_leaves_it_and_takes_its_network() {
    let said = play(&[("client.js", "")], Router::new(), |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        play.page
            .eval(
                "document.addEventListener('visibilitychange', () => say('said', document.visibilityState));
                 addEventListener('pagehide', (event) => say('said', `pagehide ${event.persisted}`));
                 window.onpageshow = () => say('said', 'pageshow');
                 for (const type of ['online', 'offline']) {
                   addEventListener(type, () => say('said', `${type} ${navigator.onLine}`));
                 }",
            )
            .unwrap();
        play.page.set_visibility(true);
        play.page.set_visibility(true);
        play.page.set_visibility(false);
        play.page.leave();
        play.page.return_to();
        play.page.set_online(false);
        play.page.set_online(true);
        play.said("said")
    });
    assert_eq!(
        said,
        [
            "hidden",
            "visible",
            "pagehide true",
            "hidden",
            "visible",
            "pageshow",
            "offline false",
            "online true"
        ]
    );
}

#[test]
fn elements_of_the_pages_html_are_in_its_document() {
    let html = "<body id='all'><p id=\"status\"></p><ul id=prices></ul>";
    let client = "export const f = () => {
        document.getElementById('status').textContent = 'live';
        document.querySelector('#prices').append('a');
        console.log(document.body.id, document.body.textContent, document.getElementById('no'));
        throw new Error('TODO 1');
    };";
    play(&[("client.js", client), ("index.html", html)], Router::new(), |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        let _ = play.run("client.f()").await;
        assert_eq!(play.page.console(), ["all livea null"]);
    });
}

#[test]
fn the_console_keeps_lines_and_hides_the_benchs_own_frames() {
    let client = "export const f = () => {
        console.log('a', 1, { b: [1, 'x'], c: null }, new Map([[1, 2]]));
        console.warn('%s is %d', 'x', 4.5, new Error('m'));
        const target = new EventTarget();
        target.addEventListener('x', () => console.log(new Error('m').stack.includes('client.js')));
        target.addEventListener('x', () => console.log(new Error('m').stack));
        target.dispatchEvent(new Event('x'));
        throw new Error('TODO 1');
    };";
    play(&[("client.js", client)], Router::new(), |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        let _ = play.run("client.f()").await;
        let console = play.page.console();
        assert_eq!(console[0], "a 1 { b: [1, \"x\"], c: null } Map {1 => 2}");
        assert_eq!(console[1], "warn: x is 4 Error: m");
        assert_eq!(console[2], "true");
        assert!(console[3].contains("client.js:6") && !console[3].contains("grader:"), "{}", console[3]);
    });
}

#[test]
fn a_page_says_words_objects_and_bytes() {
    let said = say(
        "say('said', 'live'); say('said', { b: 1, a: [2] }); say('said', new Uint8Array(3)); say('said', 7);",
    );
    assert_eq!(said, ["live", "{\"a\":[2],\"b\":1}", "3 bytes", "7"]);
}

#[test]
fn a_page_that_is_closed_leaves_nothing_behind() {
    play(&[("client.js", "")], Router::new(), |page, _net, tape| async move {
        let page = page.unwrap();
        page.eval("setInterval(() => say('said', 'tick'), 10); fetch('/').catch(() => {});").unwrap();
        assert!(page.spent().tasks > 0 && page.spent().memory > 0);
        drop(page);
        let before = tape.transcript().moments.len();
        sleep(Duration::from_secs(1)).await;
        let after = tape.transcript().moments;
        assert!(!after.iter().any(|moment| matches!(moment.what, What::Said(..))), "{before} {after:?}");
    });
}
