//! The map and the predictions, in a real browser.

mod common;

use std::time::Duration;

use audience::{Kind, axe};
use common::Play;
use playground::{Cost, Workload, cost};
use serde_json::{Value, json};

const CHAPTER: &str = "/en/00-the-map.html";
async fn play(scene: impl AsyncFn(&Play)) {
    common::play(&[Kind::Chromium], scene).await;
}

impl Play<'_> {
    /// Opens the chapter, loads the bench, and waits for the first picture. Gives whether this book has the bench in it.
    async fn open_map(&self) -> bool {
        self.go(CHAPTER).await;
        if self.run("return !document.documentElement.dataset.playground").await == true {
            audience::missing("The book was built without the bench (clang and wasi-libc build it)");
            return false;
        }
        self.alive("rt-map").await;
        self.press("rt-map [data-does=open]").await;
        self.drawn().await;
        true
    }

    /// Waits for the picture of the settings as they are.
    async fn drawn(&self) {
        self.until("the map is drawn", "return !!document.querySelector('rt-map .panels:not([data-old])') && document.querySelector('rt-map .told').innerText !== ''").await;
    }

    /// What each panel says: its title, and a value for each technique.
    async fn panels(&self) -> Value {
        self.run(
            "return [...document.querySelectorAll('rt-map .panel')].map((panel) => \
             [panel.querySelector('caption b').innerText, ...[...panel.querySelectorAll('.plot')].map((plot) => plot.textContent.replaceAll(/\\s/g, ' '))])",
        )
        .await
    }
}

/// The same as the bench plays it natively.
fn natively(workload: &Workload) -> Value {
    let workload = *workload;
    let row = move |lab| {
        let cost: Cost = cost(lab, &workload).unwrap();
        widgets::map_row(&serde_json::to_string(&cost).unwrap())
    };
    // The bench has a clock of its own, which cannot run within another one's.
    let rows = move || ["lab1", "lab2", "lab3", "lab4", "lab5"].map(row);
    let rows = std::thread::spawn(rows).join().expect("the solutions can be measured");
    let panel = |at: usize| {
        let mut panel = vec![rows[0][at].0.to_owned()];
        panel.extend(rows.iter().map(|row| row[at].1.replace('\u{a0}', " ")));
        panel
    };
    json!((0..rows[0].len()).map(panel).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_draws_what_the_tables_say_and_what_the_bench_plays_natively() {
    common::play(Kind::BOTH, async |play| {
        if !play.open_map().await {
            return;
        }
        for (preset, table) in [(1, 0), (2, 1), (0, 2)] {
            play.press(&format!("rt-map [data-does=preset][data-value=\"{preset}\"]")).await;
            play.drawn().await;
            let table = format!(
                "const table = document.querySelectorAll('rt-map .folded table')[{table}]; \
                 const cells = [...table.querySelectorAll('tr')].map((row) => [...row.children].map((cell) => cell.textContent.trim().replaceAll(/\\s/g, ' '))); \
                 return cells[0].slice(1).map((title, at) => [title, ...cells.slice(1).map((row) => row[at + 1])])"
            );
            assert_eq!(play.panels().await, play.run(&table).await, "preset {preset}");
        }
        // Settings for which there is no table.
        play.keys("rt-map [data-sets=drops]", "\u{e014}\u{e014}").await;
        play.keys("rt-map [data-sets=latency]", "\u{e014}").await;
        play.drawn().await;
        let workload = Workload {
            pace: Duration::from_secs(60),
            poll: Duration::from_secs(60),
            latency: Duration::from_millis(50),
            drops: Duration::from_secs(600),
            ..Workload::default()
        };
        assert_eq!(play.panels().await, natively(&workload));
        assert_eq!(play.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_is_set_by_keyboard_and_going_back_plays_nothing_again() {
    common::play(Kind::BOTH, async |play| {
        if !play.open_map().await {
            return;
        }
        // Every question to the bench, and every sentence that is read out, is counted.
        play.run(
            "const map = document.querySelector('rt-map'); window.told = []; \
             const answer = map.answer.bind(map); window.answers = 0; \
             map.answer = (name, text) => { window.answers += name === 'cost' ? 1 : 0; answer(name, text); }; \
             new MutationObserver(() => told.push(map.querySelector('.told').innerText)) \
               .observe(map.querySelector('.told'), { childList: true, characterData: true, subtree: true }); \
             return null",
        )
        .await;
        let first = play.panels().await;
        play.keys("rt-map [data-sets=pace]", "\u{e014}").await;
        assert_eq!(play.focused().await, "pace");
        play.until("it is told in words", "return document.querySelector('rt-map [data-sets=pace]').getAttribute('aria-valuetext') === 'twice a second'").await;
        play.drawn().await;
        assert_ne!(play.panels().await, first);
        assert_eq!(play.run("return answers").await, 5);
        assert_eq!(play.run("return told.length").await, 1, "one sentence is read out for a change");

        // Back: at once, before anything else can happen.
        play.keys_here("\u{e012}").await;
        assert_eq!(play.panels().await, first);
        assert_eq!(play.run("return [answers, !!document.querySelector('.panels[data-old]')]").await, json!([5, false]));

        // Both ends.
        play.keys_here("\u{e010}").await;
        play.drawn().await;
        play.keys_here("\u{e011}").await;
        play.drawn().await;
        assert_eq!(play.run("return answers").await, 15);
        assert_eq!(play.run("return document.querySelector('rt-map .folded').open").await, false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_change_overtakes_an_older_one() {
    play(async |play| {
        if !play.open_map().await {
            return;
        }
        play.run(
            "const map = document.querySelector('rt-map'), asked = map.asked.bind(map); window.paces = []; \
             map.asked = (name, what) => { paces.push(what.pace); return asked(name, what); }; \
             const pace = map.querySelector('[data-sets=pace]'); \
             for (const step of [0, 1, 2, 3, 9]) { pace.value = step; pace.dispatchEvent(new Event('input', { bubbles: true })); } \
             return null",
        )
        .await;
        play.drawn().await;
        // The first was under way already; those in between nobody waits for.
        assert_eq!(play.run("return paces").await, json!([300_000, 100, 100, 100, 100, 100]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bench_that_does_not_come_is_a_sentence_and_the_tables_stay() {
    play(async |play| {
        play.chromium("Network.enable", json!({})).await;
        for blocked in ["*/playground-*", "*/playground.wasm"] {
            play.chromium("Network.setBlockedURLs", json!({ "urls": [blocked] })).await;
            play.go(CHAPTER).await;
            if play.run("return !document.documentElement.dataset.playground").await == true {
                return audience::missing("The book was built without the bench (clang and wasi-libc build it)");
            }
            play.alive("rt-map").await;
            play.press("rt-map [data-does=open]").await;
            play.until("it is told", "return document.querySelector('rt-map [data-does=open]')?.innerText === 'Try again'").await;
            let told = play.text("rt-map .opening .hint").await;
            assert!(told.len() > 30 && told.ends_with(['.', '?']), "{told}");
            let tables = "return [...document.querySelectorAll('rt-map table')].filter((table) => table.checkVisibility()).length";
            assert_eq!(play.run(tables).await, 3, "{blocked}");
            play.console().await;
        }
        play.chromium("Network.setBlockedURLs", json!({ "urls": [] })).await;
        play.press("rt-map [data-does=open]").await;
        play.drawn().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_without_the_bench_says_so_and_shows_the_tables() {
    play(async |play| {
        play.go(CHAPTER).await;
        // What the page of such a book looks like.
        play.chromium(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": "document.addEventListener('readystatechange', () => document.documentElement.removeAttribute('data-playground'))" }),
        )
        .await;
        play.go(CHAPTER).await;
        play.alive("rt-map").await;
        play.until("it is told", "return document.querySelector('rt-map .opening').innerText.includes('without the bench')").await;
        assert_eq!(play.run("return document.querySelectorAll('rt-map button').length").await, 0);
        assert_eq!(play.run("return document.querySelector('rt-map table').checkVisibility()").await, true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_choice_is_marked_on_the_map() {
    common::play(Kind::BOTH, async |play| {
        if !play.open_map().await {
            return;
        }
        let marked = "return [...document.querySelectorAll('rt-map .panel .chosen')].filter((mark) => mark.checkVisibility()).map((mark) => mark.closest('tr').className)";
        assert_eq!(play.run(marked).await, json!([]));
        play.alive("rt-choose").await;
        for (question, answer) in [("asked", 1), ("age", 1), ("talks", 1), ("between", 0)] {
            play.keys(&format!("rt-choose [name={question}][value=\"{answer}\"]"), " ").await;
        }
        assert_eq!(play.run(marked).await, json!(["ws", "ws", "ws", "ws", "ws", "ws"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_and_a_prediction_fit_a_phone_and_axe_finds_no_fault() {
    let Some(axe) = axe() else { return };
    play(async |play| {
        for (width, scheme) in [(320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")] {
            play.resize(width, 900).await;
            play.prefer(scheme).await;
            if !play.open_map().await {
                return;
            }
            play.keys("rt-predict [name=predict-slow][value=\"1\"]", " ").await;
            let beyond = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(play.run(beyond).await, 0, "at {width} pixels the page scrolls sideways");
            assert_eq!(play.faults(&axe).await, json!([]), "asking, {width} pixels, {scheme}");
            play.press("#predict-slow [data-does=sure][data-value=\"2\"]").await;
            assert_eq!(play.run(beyond).await, 0, "at {width} pixels the page scrolls sideways");
            assert_eq!(play.faults(&axe).await, json!([]), "told, {width} pixels, {scheme}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_for_who_wants_less_of_it_and_in_print_the_tables_stand() {
    play(async |play| {
        if !play.open_map().await {
            return;
        }
        let moves = "return getComputedStyle(document.querySelector('rt-map .mark')).transitionDuration !== '0s'";
        assert_eq!(play.run(moves).await, true);
        play.prefer_no_motion().await;
        assert_eq!(play.run(moves).await, false);
        play.chromium("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
        let seen = "return ['.widget', '.folded table'].map((part) => document.querySelector('rt-map ' + part).checkVisibility({ contentVisibilityAuto: true }))";
        assert_eq!(play.run(seen).await, json!([false, true]));
        // Of the questions, those that have come to life.
        let seen = "return [...document.querySelectorAll('rt-predict[data-state]')].every((one) => !one.querySelector('.widget').checkVisibility() \
            && one.querySelector('.answers details p').checkVisibility({ contentVisibilityAuto: true }))";
        assert_eq!(play.run(seen).await, true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_is_made_by_keyboard_told_and_announced() {
    common::play(Kind::BOTH, async |play| {
        play.go(CHAPTER).await;
        play.alive("rt-predict").await;
        play.run("window.votes = []; document.addEventListener('predicted', ({ detail }) => votes.push(detail)); return null").await;
        let seen = "return [...document.querySelectorAll('#predict-slow .answers p')].filter((why) => why.checkVisibility({ contentVisibilityAuto: true })).length";
        assert_eq!(play.run(seen).await, 0, "nothing is given away");
        let sure = "#predict-slow [data-does=sure]";
        assert_eq!(play.run(&format!("return document.querySelector('{sure}').disabled")).await, true);

        play.keys("#predict-slow [value=\"0\"]", " ").await;
        // Arrows go from answer to answer, and on.
        play.keys_here("\u{e015}").await;
        assert_eq!(play.focused().await, "answer");
        play.keys(&format!("{sure}[data-value=\"1\"]"), "\u{e007}").await;
        assert_eq!(play.run(seen).await, 4, "every answer is explained");
        let told = play.text("#predict-slow [role=status]").await;
        assert!(told.contains("Fairly sure: Server-Sent Events.") && told.contains("It is not so."), "{told}");
        assert_eq!(
            play.run("return [...document.querySelectorAll('#predict-slow [data-chosen]')].map((one) => one.innerText.split('\\n')[0].trim())").await,
            json!(["Server-Sent Events."])
        );
        let vote = json!([{ "id": "predict-slow", "answer": 1, "sureness": 1, "right": false }]);
        assert_eq!(play.run("return votes").await, vote);
        // The focus is not lost, and the other question waits.
        assert_eq!(play.run("return document.activeElement.dataset.does").await, "again");
        assert_eq!(play.run("return document.querySelector('#predict-fast rt-predict')?.dataset.state ?? 'asking'").await, "asking");

        play.keys_here("\u{e007}").await;
        assert_eq!(play.run(seen).await, 0);
        assert_eq!(play.run("return votes.length").await, 1, "a new try is no vote");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_does_not_move_the_page_when_it_comes_to_life() {
    play(async |play| {
        for width in [390, 1280] {
            play.resize(width, 900).await;
            play.go(CHAPTER).await;
            play.alive("rt-predict").await;
            let moved = "return new Promise((resolve) => new PerformanceObserver((list) => \
                 resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0))).observe({ type: 'layout-shift', buffered: true }) || setTimeout(() => resolve(0), 300))";
            let moved = play.run(moved).await.as_f64().unwrap();
            assert!(moved < 0.05, "the page moved by {moved} at {width} pixels");
        }
    })
    .await;
}

/// What one waits for: `cargo test -p stage --test map -- --nocapture every_setting`.
#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_played_to_both_its_ends() {
    play(async |play| {
        if !play.open_map().await {
            return;
        }
        let change = "const map = document.querySelector('rt-map'); \
            const change = (slider, value) => new Promise((resolve) => { \
              const began = performance.now(); \
              slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); \
              const look = () => map.querySelector('.panels[data-old]') ? requestAnimationFrame(look) : resolve(performance.now() - began); \
              look(); \
            }); \
            const took = []; \
            for (const slider of [...map.querySelectorAll('[type=range]:not([data-sets=clients])')]) { \
              const middle = slider.value; \
              for (const value of [slider.min, slider.max]) took.push(await change(slider, value)); \
              took.push(await change(slider, middle)); \
            } \
            return took.map(Math.round)";
        let took = play.run(&format!("return (async () => {{ {change} }})()")).await;
        println!("milliseconds from a change to its picture, and back: {took}");
        assert_eq!(took.as_array().map(Vec::len), Some(15), "{took}");
        assert_eq!(play.run("return document.querySelector('rt-map .told').innerText !== ''").await, true);
    })
    .await;
}
