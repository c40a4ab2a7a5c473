//! The instructor's console in a real browser, with visitors who are connected meanwhile.

use audience::{Kind, axe};
use serde_json::json;
use stage::Weather;

use super::browser::{Scene, play};

impl Scene<'_> {
    /// Opens the console, and waits until its stream has come.
    async fn teaches(&self) {
        self.go(&self.play.link.clone()).await;
        self.until("the console", "return location.pathname === '/instructor' && location.search === ''")
            .await;
        self.until("its wire listens", "return !document.getElementById('pause').hidden").await;
    }

    async fn until_says(&self, part: &str, words: &str) {
        let says = format!("return document.getElementById('{part}').textContent.includes('{words}')");
        self.until(&format!("{part} says: {words}"), &says).await;
    }

    async fn has_focus(&self, id: &str) {
        assert_eq!(self.run("return document.activeElement.id").await, id);
    }

    /// Waits until a price that is published now is shown: whatever was told before has been, too.
    async fn until_looked(&self, price: u32) {
        self.play.publish(price).await;
        self.until_says("feed", &price.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instructor_teaches_by_keyboard() {
    play(Kind::BOTH, async |scene| {
        let (anna, budi) = (scene.play.visit().await, scene.play.visit_lab(5).await);
        let mut hers = scene.play.listener(&anna).await;
        let mut his = scene.play.trader_in(&budi, "general", "Budi").await;
        scene.teaches().await;
        scene.until_says("lines", "lab 3 · visitor 1, page 1").await;
        scene.until_says("lines", "lab 5 · visitor 2, page 1").await;

        // One connection is watched, and what is ordered for it is told there.
        let address = hers.line.local_addr().unwrap().to_string();
        let name = address.replace(['.', ':'], "-");
        scene.keys(&format!("#watch-{name}"), "\u{e007}").await;
        scene.until_says("watched", &address).await;
        scene.has_focus(&format!("watch-{name}")).await;
        let told = |words: &str| {
            format!("return document.querySelector('.stage-wire ol').textContent.includes('{words}')")
        };
        scene.until("it is watched", &told("watched from here on")).await;
        scene.keys("#room-weather [name=hold]", " ").await;
        scene.keys("#order", "\u{e007}").await;
        scene.until_says("orders", "Everybody: hold").await;
        scene.until("the wire tells", &told("hold")).await;
        assert_eq!(
            scene.run("return document.querySelector('#room-weather [name=hold]').checked").await,
            false
        );
        scene.play.publish(6_100).await;
        scene.keys("#clear-sky", "\u{e007}").await;
        scene.until_says("orders", "The sky is clear.").await;
        hers.until("6100").await;
        assert_eq!(his.hears("price").await["data"]["price"], 6_100);
        scene.until("the wire tells of it", &told("6100")).await;

        // A row that is drawn anew each second keeps the focus.
        scene.run(&format!("document.getElementById('cut-{name}').focus()")).await;
        scene.until_looked(6_125).await;
        scene.until_looked(6_150).await;
        scene.has_focus(&format!("cut-{name}")).await;
        scene.keys_here("\u{e007}").await;
        scene.until_says("watched", "It is over.").await;
        scene.until("the wire tells of its end", &told("the connection is over")).await;

        // What cannot be is said, and what was typed stays to be mended.
        scene.run("document.getElementById('pace').removeAttribute('max')").await;
        scene.run("document.getElementById('pace').value = ''").await;
        scene.keys("#pace", "99\u{e007}").await;
        scene.until_says("said", "0.1 to 50 times a second").await;
        scene.until_looked(6_175).await;
        assert_eq!(scene.run("return document.getElementById('pace').value").await, "99");
        scene.keys("#trade", "\u{e007}").await;
        scene.until_says("feed", "The market is paused.").await;
        scene.has_focus("trade").await;
        assert!(!scene.play.desk.trading().is_on);

        // A group that was opened stays so, and the clock outlives a reload.
        scene.keys("#anew-what summary", "\u{e007}").await;
        scene.keys("#clock", "\u{e007}").await;
        scene
            .until("the clock runs", "return document.querySelector('#notes [aria-current]') !== null")
            .await;
        assert_eq!(scene.run("return document.getElementById('anew-what').open").await, true);
        scene.refresh().await.unwrap();
        scene.until_says("notes", "Pause the clock").await;
        scene.until_says("watched", "It is over.").await;
        scene.until("the wire is there again", &told("the connection is over")).await;
        let logged = scene.console().await;
        assert!(
            logged.iter().all(|line| line.contains("/instructor/feed/set")),
            "only what was refused: {logged:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_the_feed_and_the_weather_obey() {
    play(&[Kind::Chromium], async |scene| {
        scene.chromium("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        scene.go(&scene.play.link.clone()).await;
        scene.press("#trade").await;
        scene.until_says("feed", "The market is paused.").await;
        scene.press("#room-weather [name=hold]").await;
        scene.press("#order").await;
        scene.until_says("orders", "Everybody: hold").await;
        scene.press("#clear-sky").await;
        scene.until_says("orders", "The sky is clear.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_fits_a_phone_and_axe_finds_no_fault_in_it() {
    let axe = axe();
    play(&[Kind::Chromium], async |scene| {
        let mut visitors = Vec::new();
        for _ in 0..3 {
            visitors.push(scene.play.listener(&scene.play.visit().await).await);
        }
        scene.play.order("sse", Weather { latency: 250, jitter: 50, ..Weather::CLEAR });
        scene.play.order("visitor2", Weather { proxy: 4, ..Weather::CLEAR });
        scene.teaches().await;
        let one = scene.run("return document.querySelector('[id^=watch-]').id").await;
        scene.press(&format!("#{}", one.as_str().unwrap())).await;
        scene.until("it is watched", "return document.querySelector('.stage-wire li') !== null").await;
        for (width, scheme) in [(320, "light"), (390, "dark"), (1280, "light"), (1920, "dark")] {
            scene.resize(width, 900).await;
            scene.prefer(scheme).await;
            let beyond = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(scene.run(beyond).await, 0, "it scrolls sideways on {width}");
            if let Some(axe) = &axe {
                assert_eq!(scene.faults(axe).await, json!([]), "{scheme} on {width}");
            }
        }
    })
    .await;
}
