//! One browser, what can be done with it and what can be asked of it.

use std::{
    ops::Deref,
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
    key::Key,
    wd::WebDriverCompatibleCommand,
};
use futures_util::FutureExt;
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use url::Url;

use crate::{
    driver::{Driver, Kind},
    missing,
};

/// How long something may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One browser at a time: two cores, and timers that should not wait.
static TURN: Mutex<()> = Mutex::const_new(());

/// A browser that looks at one page at a time. What is not here, the
/// [`Client`] beneath it can do.
pub struct Browser {
    client: Client,
    kind: Kind,
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Opens a browser, plays `scene` with it, and closes it whether that ends well or not.
///
/// # Panics
/// As the scene does; the text of the page at hand is printed then. Where the
/// browser is missing, as [`missing`] does.
pub async fn look(kind: Kind, scene: impl AsyncFnOnce(&Browser)) {
    let _turn = TURN.lock().await;
    let Some(driver) = Driver::start(kind) else {
        return missing(&format!("The driver of {kind:?} is not installed ({})", kind.install()));
    };
    let profile = tempfile::tempdir().expect("a folder for the browser's profile");
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(kind.wishes(profile.path()));
    let client = match builder.connect(&driver.url()).await {
        Ok(client) => client,
        Err(error) => {
            return missing(&format!(
                "The driver of {kind:?} finds none that it can start ({}): {error}",
                kind.install()
            ));
        }
    };
    let browser = Browser { client, kind };
    let played = AssertUnwindSafe(scene(&browser)).catch_unwind().await;
    if played.is_err() {
        let _ = browser.enter_parent_frame().await;
        let text = browser.execute("return document.body.innerText", vec![]).await;
        eprintln!("The page in {kind:?} says:\n{}", text.unwrap_or_default().as_str().unwrap_or_default());
    }
    let _ = browser.client.close().await;
    drop(driver);
    if let Err(panicked) = played {
        resume_unwind(panicked);
    }
}

/// A command that a driver has and the standard lacks.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// What is asked of a browser it does, or the test fails with the driver's words.
#[allow(clippy::missing_panics_doc, reason = "each of these ends a test if the browser cannot do it")]
impl Browser {
    /// Which browser it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a script in the page gives.
    pub async fn run(&self, script: &str) -> Value {
        self.execute(script, vec![]).await.unwrap_or_else(|error| panic!("{error}, in the script\n{script}"))
    }

    /// Waits until a script gives `true`.
    pub async fn until(&self, what: &str, script: &str) {
        let asked = Instant::now();
        while self.run(script).await != true {
            assert!(asked.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The element that a selector finds first.
    pub async fn element(&self, selector: &str) -> crate::Element {
        let found = self.find(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("there is no {selector}: {error}"))
    }

    /// Presses an element as a hand does.
    pub async fn press(&self, selector: &str) {
        if self.kind == Kind::Firefox {
            // Its driver scrolls inside a frame, and leaves the frame itself out of sight.
            let script = format!(
                "document.querySelector('{selector}')?.scrollIntoView({{ block: 'nearest', behavior: 'instant' }})"
            );
            self.run(&script).await;
        }
        let pressed = self.element(selector).await.click().await;
        pressed.unwrap_or_else(|error| panic!("{selector} cannot be pressed: {error}"));
    }

    /// Gives an element the focus, and it the keys.
    pub async fn keys(&self, selector: &str, keys: &str) {
        let typed = self.element(selector).await.send_keys(keys).await;
        typed.unwrap_or_else(|error| panic!("{selector} takes no keys: {error}"));
    }

    /// Presses keys where the focus is.
    pub async fn keys_here(&self, keys: &str) {
        self.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses keys together where the focus is, be it in a shadow root: all go down, and come up again.
    pub async fn chord(&self, keys: &[char]) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for &value in keys {
            actions = actions.then(KeyAction::Down { value });
        }
        for &value in keys.iter().rev() {
            actions = actions.then(KeyAction::Up { value });
        }
        self.perform_actions(actions).await.unwrap();
    }

    /// Presses Tab where the focus is, in whichever frame that may be.
    pub async fn press_tab(&self) {
        self.chord(&[Key::Tab.into()]).await;
    }

    /// Presses so many times at once at this place of what is in sight.
    pub async fn press_at(&self, x: f64, y: f64, times: usize) {
        let there = PointerAction::MoveTo { duration: None, x: x.round(), y: y.round() };
        let mut mouse = MouseActions::new("mouse".to_owned()).then(there);
        for _ in 0..times {
            mouse = mouse
                .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
                .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        }
        self.perform_actions(mouse).await.unwrap();
    }

    /// Scrolls to an element.
    pub async fn see(&self, selector: &str) {
        self.run(&format!("document.querySelector('{selector}').scrollIntoView({{ behavior: 'instant' }})"))
            .await;
    }

    /// Scrolls to one of the book's elements and waits until it lives.
    pub async fn alive(&self, element: &str) {
        self.see(element).await;
        self.until(
            &format!("{element} lives"),
            &format!("return document.querySelector('{element}').hasAttribute('data-ready')"),
        )
        .await;
    }

    /// What the focused element is for: what it does, or what it sets.
    pub async fn focused(&self) -> Value {
        self.run("const { does, sets } = document.activeElement.dataset; return does ?? sets ?? null").await
    }

    /// What an element shows.
    pub async fn text(&self, selector: &str) -> String {
        let text = self.run(&format!("return document.querySelector('{selector}')?.innerText")).await;
        text.as_str().unwrap_or_else(|| panic!("there is no {selector}")).to_owned()
    }

    /// A page so wide and high.
    pub async fn resize(&self, width: u32, height: u32) {
        match self.kind {
            Kind::Chromium => {
                let size =
                    json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
                self.chromium("Emulation.setDeviceMetricsOverride", size).await;
            }
            // No window of Firefox is as narrow as a phone; the page in it can be.
            Kind::Firefox => {
                let script = format!(
                    "const {{ style }} = gBrowser.selectedBrowser; \
                     for (const [side, size] of [['width', {width}], ['height', {height}]]) \
                         for (const property of [side, `min-${{side}}`, `max-${{side}}`]) style.setProperty(property, `${{size}}px`, 'important'); \
                     done()"
                );
                self.firefox(&script).await;
                let is_so = format!("return innerWidth === {width} && innerHeight === {height}");
                self.until("the page has its size", &is_so).await;
            }
        }
    }

    /// The colour scheme that the reader prefers, `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        match self.kind {
            Kind::Chromium => self.media("prefers-color-scheme", scheme).await,
            Kind::Firefox => {
                let value = if scheme == "dark" { 0 } else { 1 };
                self.preference("layout.css.prefers-color-scheme.content-override", value).await;
            }
        }
        let is_so = format!("return matchMedia('(prefers-color-scheme: {scheme})').matches");
        self.until("the page knows which colours are preferred", &is_so).await;
    }

    /// The reader prefers that nothing moves.
    pub async fn prefer_no_motion(&self) {
        match self.kind {
            Kind::Chromium => self.media("prefers-reduced-motion", "reduce").await,
            Kind::Firefox => self.preference("ui.prefersReducedMotion", 1).await,
        }
        let is_so = "return matchMedia('(prefers-reduced-motion: reduce)').matches";
        self.until("the page knows that nothing is to move", is_so).await;
    }

    async fn media(&self, name: &str, value: &str) {
        let features = json!([{ "name": name, "value": value }]);
        self.chromium("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn preference(&self, name: &str, value: i32) {
        self.firefox(&format!("Services.prefs.setIntPref('{name}', {value}); done()")).await;
    }

    /// What the console has said since it was last asked: warnings and errors.
    pub async fn console(&self) -> Vec<String> {
        match self.kind {
            Kind::Chromium => {
                let body = json!({ "type": "browser" });
                let log = self.issue_cmd(Vendor { path: "se/log", body }).await.unwrap();
                let entries = log.as_array().expect("a list of entries");
                let is_bad = |entry: &&Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
                entries.iter().filter(is_bad).map(|entry| entry["message"].to_string()).collect()
            }
            Kind::Firefox => {
                let said = self.firefox(include_str!("firefox-console.js")).await;
                let said = said.as_array().expect("a list of sentences");
                said.iter().map(Value::to_string).collect()
            }
        }
    }

    /// What axe, whose source this is, finds fault with in the document at hand.
    pub async fn faults(&self, axe: &str) -> Value {
        self.run(axe).await;
        let script = "const done = arguments[0]; axe.run(document, { iframes: false }).then((found) => done(found.violations.map((fault) => \
             `${fault.impact}: ${fault.help}: ${fault.nodes.map((node) => node.target).join(' ')}`)))";
        self.execute_async(script, vec![]).await.unwrap()
    }

    /// A command of Chromium's own protocol, for what WebDriver cannot do.
    pub async fn chromium(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        let done = self.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// What a script gives to `done` that Firefox plays as its own, for what WebDriver cannot do.
    async fn firefox(&self, script: &str) -> Value {
        let switch = async |to: &str| {
            let body = json!({ "context": to });
            self.issue_cmd(Vendor { path: "moz/context", body }).await.unwrap();
        };
        switch("chrome").await;
        let given = self.execute_async(&format!("const done = arguments[0]; {script}"), vec![]).await;
        switch("content").await;
        given.unwrap_or_else(|error| panic!("{error}, in the script\n{script}"))
    }
}
