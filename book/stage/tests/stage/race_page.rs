//! The race's page, in real browsers: five clients at once, and what is measured of them.

use std::time::Duration;

use audience::{Kind, PATIENCE, axe};
use serde_json::{Value, json};
use stage::{Scope, Technique, Weather};
use tokio::time::{Instant, sleep};

use super::browser::{Scene, play};

const TECHNIQUES: [&str; 5] = ["fetch", "poll", "sse", "stream", "ws"];

impl Scene<'_> {
    /// Opens the page and starts a race.
    async fn races(&self) {
        self.go("/race").await;
        self.until("the page is ready", "return !document.getElementById('predict').hidden").await;
        self.press("#start").await;
        self.until_all_show(1).await;
    }

    /// What the board says of a technique in a column: the large figure and the small words.
    async fn figure(&self, technique: &str, column: &str) -> String {
        self.text(&format!("#board [data-technique={technique}] [data-column={column}] b")).await
    }

    async fn words(&self, technique: &str, column: &str) -> String {
        self.text(&format!("#board [data-technique={technique}] [data-column={column}] small")).await
    }

    /// The number of the update that a technique shows.
    async fn shows(&self, technique: &str) -> u64 {
        let shown = self.figure(technique, "shows").await;
        digits(&shown)
    }

    /// Waits until every technique shows this update or a later one.
    async fn until_all_show(&self, number: u64) {
        let all = format!(
            "return [...document.querySelectorAll('#board [data-what=shows]')].every((shown) => Number(shown.innerText.replaceAll(/\\D/g, '')) >= {number})"
        );
        self.until(&format!("all of them show update {number}"), &all).await;
    }

    async fn until_all_say(&self, column: &str, words: &str) {
        let all = format!(
            "return [...document.querySelectorAll('#board td[data-column={column}] small')].every((small) => small.innerText.includes('{words}'))"
        );
        self.until(&format!("all of them say: {words}"), &all).await;
    }

    /// The stage's own counts of this page's race.
    async fn numbers(&self) -> Value {
        let ask = "const [number, done] = arguments; fetch(`/live/race/-/${number}/numbers`).then((answer) => answer.json()).then(done)";
        self.execute_async(ask, vec![json!(1)]).await.unwrap()
    }

    async fn pauses(&self) {
        self.press("#pause").await;
        self.until("the market is paused", "return document.getElementById('pause').ariaPressed === 'true'")
            .await;
        self.until_all_say("shows", "up to date").await;
    }
}

/// The whole number in a text, whatever stands between its digits.
fn digits(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("there is no number in “{text}”"))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_five_deliver_and_the_page_shows_what_the_stage_has_counted() {
    play(Kind::BOTH, async |scene| {
        scene.races().await;
        scene.until_all_show(6).await;
        scene.pauses().await;
        for technique in TECHNIQUES {
            assert_eq!(digits(&scene.words(technique, "missed").await), 0, "{technique} shows nothing twice");
            let late = scene.figure(technique, "late").await;
            assert!(late.ends_with(" ms") || late.ends_with(" s"), "{technique} is late by {late}");
        }
        for resumes in ["poll", "sse", "stream", "ws"] {
            assert_eq!(scene.figure(resumes, "missed").await, "0", "{resumes} is told everything");
        }
        // Short polling goes on asking: the page and the stage are compared between two of its questions.
        let asked = Instant::now();
        loop {
            let read = "return [...document.querySelectorAll('#board tr')].map((row) => [row.dataset.technique, row.querySelector('[data-what=requests]').innerText, row.querySelector('[data-column=bytes] small').innerText])";
            let (before, numbers, after) = (scene.run(read).await, scene.numbers().await, scene.run(read).await);
            let write = "const [numbers, done] = arguments; import('/race/-/race-board.js').then(({ size, whole }) => \
                 done(['fetch', 'poll', 'sse', 'stream', 'ws'].map((mark) => [mark, whole(numbers[mark].requests), `${size(numbers[mark].to_server + numbers[mark].to_client)} in all`])))";
            let counted = scene.execute_async(write, vec![numbers.clone()]).await.unwrap();
            if before == after && before == counted {
                break;
            }
            assert!(asked.elapsed() < PATIENCE, "the page says {before}, then {after}; the stage counts {counted}");
        }
        let numbers = scene.numbers().await;
        let price = |mark: &str| {
            let count = &numbers[mark];
            count["to_server"].as_u64().unwrap() + count["to_client"].as_u64().unwrap()
        };
        assert!(price("poll") > 2 * price("sse"), "an exchange for each update costs more than an event: {numbers}");
        assert_eq!(scene.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_takes_updates_from_those_who_cannot_say_where_they_were_and_from_nobody_else() {
    play(Kind::BOTH, async |scene| {
        scene.go("/race").await;
        scene.until("the page is ready", "return !document.getElementById('predict').hidden").await;
        scene.press("[name=dear][value=ws]").await;
        scene.press("[name=loses][value=sse]").await;
        scene.press("#start").await;
        scene.until_all_show(2).await;
        scene.press("#cut").await;
        scene
            .until(
                "the cut is told",
                "return document.getElementById('said').innerText.includes('lines were cut after update')",
            )
            .await;
        scene.until_all_say("cut", "back in").await;
        let mut lost = Vec::new();
        for technique in TECHNIQUES {
            let (figure, back) = (scene.figure(technique, "cut").await, scene.words(technique, "cut").await);
            lost.push((technique, digits(&figure)));
            assert_eq!(digits(&scene.words(technique, "missed").await), 0, "{technique} shows nothing twice");
            // Nobody gets a line for three seconds: whoever was cut is away for longer.
            if ["ws", "stream"].contains(&technique) {
                let seconds: f64 =
                    back.trim_start_matches("back in ").trim_end_matches(" s").parse().unwrap();
                assert!(seconds >= 2.9, "{technique}: {back}");
            }
        }
        for (technique, lost) in lost {
            let resumes = ["poll", "sse"].contains(&technique);
            assert_eq!(lost == 0, resumes, "{technique} has lost {lost}");
            if resumes {
                assert_eq!(scene.figure(technique, "missed").await, "0", "{technique} has shown everything");
            }
        }
        let recalled = "return document.getElementById('recall').innerText";
        scene
            .until(
                "the prediction is recalled",
                &format!("{recalled}.includes('You expected: Server-Sent Events.')"),
            )
            .await;
        let recalled = scene.run(recalled).await.as_str().unwrap().to_owned();
        for words in [
            "Most bytes an update so far:",
            "You expected: WebSocket.",
            "In the cut updates were lost by: Short polling (",
        ] {
            assert!(recalled.contains(words), "no “{words}” in:\n{recalled}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_market_pauses_quickens_and_is_weighed_and_a_new_race_counts_from_nothing() {
    play(&[Kind::Chromium], async |scene| {
        scene.races().await;
        scene.pauses().await;
        let paused = scene.numbers().await;
        assert_eq!(paused["paused"], true);
        let questions = paused["own"]["requests"].as_u64().unwrap() + 3;
        let later = loop {
            let later = scene.numbers().await;
            if later["own"]["requests"].as_u64().unwrap() > questions {
                break later;
            }
        };
        assert_eq!(later["head"], paused["head"], "nothing moves");

        scene.press("#pause").await;
        scene.until("it goes on", "return document.getElementById('pause').ariaPressed === 'false'").await;
        let set = |id: &str, value: &str| {
            format!(
                "const field = document.getElementById('{id}'); field.value = '{value}'; field.dispatchEvent(new Event('change')); return null"
            )
        };
        scene.run(&set("pace", "20")).await;
        scene.run(&set("payload", "2000")).await;
        scene.run(&set("every", "250")).await;
        let asked = Instant::now();
        while (scene.numbers().await["pace"] != 20, scene.numbers().await["payload"] != 2000) != (false, false) {
            assert!(asked.elapsed() < PATIENCE, "the stage does not hear of it");
        }
        let head = scene.numbers().await["head"].as_u64().unwrap();
        scene.until_all_show(head + 20).await;
        // Each update alone has 2 000 bytes by now.
        let dear = "return [...document.querySelectorAll('#board [data-what=bytes]')].every((price) => Number(price.innerText.replaceAll(/\\D/g, '')) > 2_000)";
        scene.until("an update takes more than its payload", dear).await;

        // Slowly, so that its first updates are seen.
        scene.run(&set("pace", "1")).await;
        scene.press("#again").await;
        let over = "const done = arguments[0]; fetch('/live/race/-/1/numbers').then((answer) => done(answer.status === 410))";
        while scene.execute_async(over, vec![]).await.unwrap() != true {
            assert!(asked.elapsed() < PATIENCE, "the first race goes on");
        }
        let begun = format!(
            "const shown = Number(document.querySelector('#board [data-technique=sse] [data-what=shows]').innerText.replaceAll(/\\D/g, '')); return shown > 0 && shown < {head}"
        );
        scene.until("another market begins with its first update", &begun).await;
        assert_eq!(scene.figure("ws", "cut").await, "–");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_connections_are_a_limit_that_one_can_run_into_and_leave() {
    play(Kind::BOTH, async |scene| {
        scene.races().await;
        let held = |count: u8| format!("return document.getElementById('slots').dataset.held === '{count}'");
        scene.until("three are held", &held(3)).await;
        scene.press("#limit").await;
        scene.until("six are held", &held(6)).await;
        scene.until("it is said who waits", "return document.getElementById('limit-said').innerText.includes('wait in the browser, unseen')").await;
        assert_eq!(scene.text("#slots").await.matches("A stream more").count(), 4);
        let stuck = [scene.shows("fetch").await, scene.shows("poll").await];
        let goal = stuck[0].max(stuck[1]) + 5;
        let asked = Instant::now();
        for goes_on in ["sse", "stream", "ws"] {
            while scene.shows(goes_on).await < goal {
                assert!(asked.elapsed() < PATIENCE, "{goes_on} does not go on");
                sleep(Duration::from_millis(50)).await;
            }
        }
        assert_eq!([scene.shows("fetch").await, scene.shows("poll").await], stuck, "they wait for a connection");
        scene.press("#limit").await;
        scene.until_all_show(goal).await;
        assert_eq!(scene.figure("poll", "missed").await, "0", "long polling has only been late");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_used_by_keyboard_fits_a_phone_and_axe_finds_no_fault_in_it() {
    let axe = axe();
    play(Kind::BOTH, async |scene| {
        scene.resize(320, 800).await;
        scene.go("/race").await;
        scene.until("the page is ready", "return !document.getElementById('predict').hidden").await;
        let beyond = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(scene.run(beyond).await, 0, "the prediction scrolls sideways");
        scene.keys("#start", "\u{e007}").await;
        scene.until_all_show(1).await;
        scene.until("the focus is on the controls", "return document.activeElement.id === 'pause'").await;
        assert_eq!(scene.run(beyond).await, 0, "the board scrolls sideways");

        scene.keys("#board [data-technique=fetch] [data-column=late] button", "\u{e007}").await;
        let open = "return document.getElementById('what-late').matches(':popover-open')";
        scene.until("the number is explained", open).await;
        assert!(scene.text("#what-late").await.contains("99 of 100 were no later"));
        scene.keys_here("\u{e00c}").await;
        scene.until("Escape closes it", &open.replace("return ", "return !")).await;

        for (width, scheme) in [(320, "light"), (1280, "dark"), (1280, "light")] {
            scene.resize(width, 800).await;
            scene.prefer(scheme).await;
            assert_eq!(scene.run(beyond).await, 0, "it scrolls sideways at {width}");
            if let Some(axe) = &axe {
                assert_eq!(scene.faults(axe).await, json!([]), "{width} {scheme}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instructor_s_weather_shows_on_the_board_and_whoever_resumes_catches_up() {
    play(&[Kind::Chromium], async |scene| {
        scene.races().await;
        let held = Weather { hold: true, ..Weather::CLEAR };
        scene.play.climate.order(Scope::Technique(Technique::Sse), held).unwrap();
        scene
            .until("only the event stream is behind", "return document.querySelector('#board [data-technique=sse]').hasAttribute('data-behind') && !document.querySelector('#board [data-technique=ws]').hasAttribute('data-behind')")
            .await;
        scene.play.climate.clear();
        scene.pauses().await;
        assert_eq!(scene.figure("sse", "missed").await, "0", "what was held arrives");

        scene.press("#pause").await;
        scene.play.climate.cut(Scope::Technique(Technique::Ws));
        scene.until("the socket is opened again", "return Number(document.querySelector('#board [data-technique=ws] [data-what=requests]').innerText) === 2").await;
        let (now, ws) = (scene.shows("sse").await, "#board [data-technique=ws] [data-what=shows]");
        scene.until("it goes on", &format!("return Number(document.querySelector('{ws}').innerText.replaceAll(/\\D/g, '')) > {now}")).await;
        assert_eq!(scene.words("stream", "requests").await, "1 connection", "nobody else was cut");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_is_over_when_its_page_is_left() {
    play(Kind::BOTH, async |scene| {
        scene.races().await;
        scene.go("/live/").await;
        let asked = Instant::now();
        let status = "const done = arguments[0]; fetch('/live/race/-/1/numbers').then((answer) => done(answer.status))";
        while scene.execute_async(status, vec![]).await.unwrap() != 410 {
            assert!(asked.elapsed() < PATIENCE, "it goes on without its page");
        }
        while !scene.play.climate.connected(10).is_empty() {
            assert!(asked.elapsed() < PATIENCE, "its lines are open still");
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_skipped_late_or_repeated_are_told_apart() {
    play(&[Kind::Chromium], async |scene| {
        scene.go("/race").await;
        let script = "const done = arguments[0]; import('/race/-/race-lane.js').then(({ Lane, Latencies, Tape }) => {
            const [lane, tape] = [new Lane(), new Tape()];
            const shows = (number, here) => lane.shows({ number, at: number * 100, price: 1 }, here);
            for (const number of [5, 6, 6, 9]) shows(number, 0);
            const gap = [lane.missed, lane.repeated, lane.shown, lane.now.number];
            shows(7, 0);
            const late = [lane.missed, lane.repeated, lane.shown, lane.now.number];
            lane.isCut(11, 1_000);
            shows(11, 1_500);
            const away = lane.cut.back;
            shows(14, 4_000);
            for (let number = 1; number <= 20; number += 1) tape.knows({ number, at: number * 100, price: 1 });
            const latencies = new Latencies();
            for (let ms = 1; ms <= 1_000; ms += 1) latencies.add(ms);
            latencies.add(0);
            const within = [0.5, 0.99].map((part) => latencies.within(part));
            done({ gap, late, away, cut: [lane.cut.back, lane.cut.lost],
                outdated: [tape.outdated(14), tape.outdated(20)], within, all: latencies.spread(1, 10_000, 24).reduce((a, b) => a + b) });
        })";
        let told = scene.execute_async(script, vec![]).await.unwrap();
        assert_eq!(told["gap"], json!([2, 1, 3, 9]), "7 and 8 are missing, 6 came twice");
        assert_eq!(told["late"], json!([1, 1, 4, 9]), "7 came late, and is not missing any more");
        assert_eq!(told["away"], Value::Null, "11 was published before the cut");
        assert_eq!(told["cut"], json!([3_000, 3]), "10 was skipped, and 12 and 13, before 14 came");
        assert_eq!(told["outdated"], json!([1_500, null]));
        assert_eq!(told["all"], 1_001, "nothing falls off the scale");
        for (at, exact) in [(0, 500.0), (1, 990.0)] {
            let read = told["within"][at].as_f64().unwrap();
            assert!((read / exact - 1.0).abs() < 0.06, "{read} is read, and {exact} is so");
        }

        let script = "const done = arguments[0]; import('/race/-/race-clock.js').then(({ Clock }) => {
            const clock = new Clock();
            clock.hears(0, 100, 1_080);
            clock.hears(200, 210, 1_205);
            clock.hears(300, 400, 1_399);
            done([clock.at(500), clock.uncertainty, clock.answers]);
        })";
        let told = scene.execute_async(script, vec![]).await.unwrap();
        assert_eq!(told, json!([1_500, 5, 3]), "the quickest answer is believed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_the_page_says_where_the_measurements_are() {
    play(&[Kind::Chromium], async |scene| {
        scene.chromium("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        scene.go("/race").await;
        let said = scene.text("main").await;
        assert!(said.contains("Chapter 0 has what it costs, measured"), "{said}");
        assert!(!said.contains("Start the race"), "nothing is offered that does not work:\n{said}");
    })
    .await;
}
