//! The weather that a visitor orders on a live page, in a real browser.

use std::ops::Deref;

use audience::{Browser, Kind, axe, look};
use serde_json::json;

use super::play::Play;

/// A browser that looks at a stage.
pub(crate) struct Scene<'a> {
    browser: &'a Browser,
    pub(crate) play: Play,
}

impl Deref for Scene<'_> {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        self.browser
    }
}

/// Plays `scene` in each of these browsers, on a stage of its own.
pub(crate) async fn play(kinds: &[Kind], scene: impl AsyncFn(&Scene)) {
    for &kind in kinds {
        look(kind, async |browser| {
            scene(&Scene { browser, play: Play::begin().await }).await;
        })
        .await;
    }
}

impl Scene<'_> {
    /// Opens a page of the stage.
    pub(crate) async fn go(&self, path: &str) {
        self.goto(&format!("http://{}{path}", self.play.address)).await.unwrap();
    }

    /// Opens lab 3's live page, with its stream under way.
    async fn listens(&self) {
        self.go("/live/lab3/").await;
        self.until(
            "the ticker listens",
            "return document.getElementById('lab').contentDocument?.getElementById('state')?.dataset.state === 'live'",
        )
        .await;
    }

    async fn until_weather(&self, words: &str) {
        let is_on = format!("return document.getElementById('weather-now').textContent === '{words}'");
        self.until(&format!("the weather is: {words}"), &is_on).await;
    }

    /// Waits until a line of the wire has these words.
    async fn until_told(&self, words: &str) {
        let told = format!("return document.getElementById('moments').textContent.includes('{words}')");
        self.until(&format!("the wire tells: {words}"), &told).await;
    }

    /// What the ticker shows.
    async fn shown(&self) -> String {
        let table =
            "return document.getElementById('lab').contentDocument.querySelector('table').textContent";
        self.run(table).await.as_str().unwrap_or_default().to_owned()
    }

    async fn until_shown(&self, price: u32) {
        let shows = format!(
            "return document.getElementById('lab').contentDocument.querySelector('table').textContent.includes('{price}')"
        );
        self.until(&format!("the ticker shows {price}"), &shows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_holds_the_line_and_lets_it_go_by_keyboard() {
    play(Kind::BOTH, async |scene| {
        scene.listens().await;
        scene.play.publish(6_100).await;
        scene.until_shown(6100).await;
        let in_the_way = "return document.querySelector('[name=hold]').checkVisibility()";
        assert_eq!(scene.run(in_the_way).await, false, "closed, the group is one thing to pass by Tab");
        scene.keys("#weather summary", " ").await;
        assert_eq!(scene.run("return document.getElementById('weather').open").await, true);

        scene.keys("[name=hold]", " ").await;
        scene.until_weather("hold").await;
        scene.until_told("hold").await;
        scene.play.publish(6_125).await;
        // The next word of another visitor's line would have come by now: the panel's own comes the same way.
        scene.keys("[name=latency]", "50\u{e007}").await;
        scene.until_weather("50 ms under way, hold").await;
        scene.until_told("bytes are under way for 50 ms").await;
        assert!(!scene.shown().await.contains("6125"), "it is held");

        scene.keys("[name=hold]", " ").await;
        scene.until_weather("50 ms under way").await;
        scene.until_shown(6125).await;
        scene.press("#weather [name=clear]").await;
        scene.until_weather("clear").await;
        let fields = "return [...document.querySelectorAll('#weather input')].filter((field) => field.checked || (field.type === 'number' && field.value)).length";
        assert_eq!(scene.run(fields).await, 0, "the fields say so, too");
        scene.play.publish(6_150).await;
        scene.until_shown(6150).await;
        assert_eq!(scene.console().await, [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_comes_back_when_the_sky_is_clear() {
    play(&[Kind::Chromium], async |scene| {
        scene.listens().await;
        scene.play.publish(1).await;
        scene.until_shown(1).await;
        scene.press("#weather summary").await;
        scene.press("[name=refuse]").await;
        scene.until_weather("refuse").await;
        scene.press(".stage-cut").await;
        scene.until_told("cut").await;
        scene.play.publish(7_777).await;
        scene.until_told("refused").await;
        scene.press("#weather [name=clear]").await;
        scene.until_weather("clear").await;
        // By itself, with the position it had: nothing is lost.
        scene.until_shown(7_777).await;
        scene.until_told("last-event-id: 1").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_the_form_brings_the_page_back_in_its_weather() {
    play(&[Kind::Chromium], async |scene| {
        scene.chromium("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        scene.go("/live/lab3/").await;
        scene.press("#weather summary").await;
        scene.press("[name=hold]").await;
        scene.press("#weather form button").await;
        let now = "return document.getElementById('weather-now')?.textContent === 'hold' && location.search === '?follows=1'";
        scene.until("the page is back, and held", now).await;
        let state = "return [document.getElementById('weather').open, document.querySelector('[name=hold]').checked]";
        assert_eq!(scene.run(state).await, json!([true, true]));
        scene.press("#weather [name=clear]").await;
        let now = "return document.getElementById('weather-now')?.textContent === 'clear' && location.search === '?follows=2'";
        scene.until("the page is back, and the sky is clear", now).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_group_fits_a_phone_and_axe_finds_no_fault_in_it() {
    let axe = axe();
    play(Kind::BOTH, async |scene| {
        scene.resize(320, 800).await;
        scene.listens().await;
        scene.press("#weather summary").await;
        let beyond = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(scene.run(beyond).await, 0, "it scrolls sideways");
        for scheme in ["light", "dark"] {
            scene.prefer(scheme).await;
            if let Some(axe) = &axe {
                assert_eq!(scene.faults(axe).await, json!([]), "{scheme}");
            }
        }
    })
    .await;
}
