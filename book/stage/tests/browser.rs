//! The stage in a real browser: Chromium, driven by chromedriver.
//!
//! Where they are not installed the tests say so and pass; with
//! `BEYOND_FETCH_BROWSER=required` that is a failure, as it is in CI.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    panic::AssertUnwindSafe,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::http::Method;
use fantoccini::{Client, ClientBuilder, Locator, wd::WebDriverCompatibleCommand};
use feed::Feed;
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use stage::{Site, Stage, book, server};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinHandle,
    time::{Instant, sleep},
};
use url::Url;
use wire::{Moment, Place, Transcript, What};

/// The grader's transcript of both halves, which Chromium and the stage must draw too.
const GRADED: &str = "labs/lab3-sse/tests/snapshots/both_halves_through_a_cut.snap";
const CHAPTER: &str = "/en/03-server-sent-events.html";
const LIVE: &str = "/live/lab3/";
const PATIENCE: Duration = Duration::from_secs(20);

/// One browser at a time: two cores, and timers that should not wait.
static TURN: Mutex<()> = Mutex::const_new(());

/// Says why a test cannot be played, and fails where it must be.
fn missing(what: &str) {
    assert!(
        env::var("BEYOND_FETCH_BROWSER").map_or(true, |value| value != "required"),
        "{what}, and BEYOND_FETCH_BROWSER=required."
    );
    // Past the test harness, which keeps to itself what a passing test prints.
    let _ = writeln!(io::stderr(), "{what}: not played.");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// chromedriver, which ends with the test.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Option<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let said = BufReader::new(process.stdout.take()?);
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            line.strip_suffix('.')?.split_once("successfully on port ")?.1.parse::<u16>().ok()
        });
        match port {
            Some(port) => Some(Self { process, port }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                None
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A stage with the real book, a market that moves only when told to, and a browser that looks at it.
struct Play {
    browser: Client,
    address: SocketAddr,
    feed: Feed,
}

/// Plays `scene`, and closes the browser and the stage whether it ends well or not.
async fn play(scene: impl AsyncFnOnce(&Play)) {
    let _turn = TURN.lock().await;
    let Some(driver) = Driver::start() else {
        return missing("chromedriver is not installed (Debian: apt-get install chromium chromium-driver)");
    };
    let profile = tempfile::tempdir().unwrap();
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &format!("--user-data-dir={}", profile.path().display()),
    ];
    let wishes = json!({
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let Value::Object(wishes) = wishes else { unreachable!("an object was just written") };
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let browser =
        match builder.capabilities(wishes).connect(&format!("http://127.0.0.1:{}", driver.port)).await {
            Ok(browser) => browser,
            Err(error) => {
                return missing(&format!("chromedriver finds no Chromium that it can start ({error})"));
            }
        };

    let feed = Feed::memory(100);
    let (address, stop, served) = stage(&feed).await;
    let on_stage = Play { browser: browser.clone(), address, feed };
    let played = AssertUnwindSafe(scene(&on_stage)).catch_unwind().await;
    if played.is_err() {
        let _ = on_stage.browser.clone().enter_parent_frame().await;
        let text = on_stage.browser.execute("return document.body.innerText", vec![]).await;
        eprintln!("the page says:\n{}", text.unwrap_or_default().as_str().unwrap_or_default());
    }
    let _ = browser.close().await;
    let _ = stop.send(());
    let _ = served.await;
    drop(driver);
    if let Err(panicked) = played {
        std::panic::resume_unwind(panicked);
    }
}

async fn stage(feed: &Feed) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = book::build(&root(), &target, book::For::Stage, &mut |_| {}).expect("the book builds");
    let listener = server::listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stage = Stage::new(&root(), Site::read(&folder).unwrap(), feed);
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        stage.serve(listener, async { drop(stopped.await) }).await;
    });
    (address, stop, served)
}

/// A command that chromedriver has and the standard lacks.
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

impl Play {
    async fn go(&self, path: &str) {
        self.browser.goto(&format!("http://{}{path}", self.address)).await.unwrap();
    }

    /// The colour scheme that the reader prefers.
    async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let body = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.browser.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// What the console has said since it was last asked: warnings and errors.
    async fn console(&self) -> Vec<String> {
        let log = self
            .browser
            .issue_cmd(Vendor { path: "se/log", body: json!({ "type": "browser" }) })
            .await
            .unwrap();
        let entries = log.as_array().expect("a list of entries");
        let is_bad = |entry: &&Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
        entries.iter().filter(is_bad).map(|entry| entry["message"].to_string()).collect()
    }

    async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, vec![]).await.unwrap()
    }

    async fn press(&self, selector: &str) {
        self.browser.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Waits until a script gives `true`.
    async fn until(&self, what: &str, script: &str) {
        let asked = Instant::now();
        while self.run(script).await != true {
            assert!(asked.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The lab's page says so and so many prices have come.
    async fn until_prices(&self, count: usize) {
        let script = format!(
            "return document.getElementById('lab').contentDocument.getElementById('count').textContent.startsWith('{count} price')"
        );
        self.until(&format!("{count} prices on the lab's page"), &script).await;
    }

    /// The lab's page is in this state.
    async fn until_state(&self, state: &str) {
        let script = format!(
            "return document.getElementById('lab').contentDocument.getElementById('state').dataset.state === '{state}'"
        );
        self.until(&format!("the lab's page says {state}"), &script).await;
    }

    /// The visitor's own wire, as the stage's tap heard it.
    async fn wire(&self) -> Transcript {
        let script = "return fetch(document.getElementById('text').href).then((answer) => answer.text())";
        let text = self.run(script).await;
        text.as_str().expect("text").parse().expect("the wire's text is a transcript")
    }
}

/// What passed between client and server or happened to the line: when, and
/// what the grader leaves out, aside. Addresses count from the lab's own root.
fn exchanges(transcript: &Transcript) -> Vec<(Place, Option<u32>, What)> {
    let told = |moment: &&Moment| {
        matches!(moment.place, Place::ToServer | Place::ToClient | Place::Network)
            && !matches!(moment.what, What::Retry(..) | What::Comment)
    };
    let from_the_lab = |moment: &Moment| {
        let mut what = moment.what.clone();
        if let What::Request { target, .. } = &mut what
            && let Some(inner) = target.strip_prefix("/live/lab3")
        {
            *target = inner.to_owned();
        }
        (moment.place, moment.exchange, what)
    };
    transcript.moments.iter().filter(told).map(from_the_lab).collect()
}

fn graded() -> Transcript {
    let snapshot =
        fs::read_to_string(root().join(GRADED)).unwrap_or_else(|error| panic!("{GRADED}: {error}"));
    let text = snapshot.splitn(3, "---\n").nth(2).unwrap_or_else(|| panic!("{GRADED} is no snapshot"));
    text.parse().unwrap_or_else(|error| panic!("{GRADED}: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_light_and_silent_on_the_console_and_ask_no_other_host() {
    play(async |play| {
        for path in ["/en/", CHAPTER, LIVE] {
            play.go(path).await;
            play.until("the page is loaded", "return document.readyState === 'complete'").await;
            let words = play.run("return document.querySelector('main').innerText.length").await;
            assert!(words.as_u64() > Some(100), "{path} is almost empty");
            assert_eq!(play.console().await, Vec::<String>::new(), "{path}");
            let elsewhere = "return performance.getEntriesByType('resource').map((entry) => entry.name)\
                .filter((name) => !name.startsWith(location.origin + '/') && !name.startsWith('data:'))";
            assert_eq!(play.run(elsewhere).await, json!([]), "{path} asks other hosts");
        }
        play.go(CHAPTER).await;
        let weight = "return ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))\
            .reduce((sum, entry) => sum + entry.encodedBodySize, 0)";
        let weight = play.run(weight).await.as_u64().unwrap();
        assert!(
            (10_000..=100_000).contains(&weight),
            "the chapter weighs {weight} bytes compressed, of 100,000"
        );
        let drawings = play.run("return document.querySelectorAll('main svg').length").await;
        assert!(drawings.as_u64() > Some(0), "the chapter draws its transcripts");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_no_fault_in_light_and_dark() {
    let file = env::var_os("AXE_CORE")
        .map_or_else(|| root().join("target/browser/node_modules/axe-core/axe.min.js"), PathBuf::from);
    let Ok(axe) = fs::read_to_string(&file) else {
        return missing(&format!(
            "axe-core is not at {} (npm install --prefix target/browser axe-core, or name the file in AXE_CORE)",
            file.display()
        ));
    };
    play(async |play| {
        for scheme in ["light", "dark"] {
            play.prefer(scheme).await;
            for path in ["/en/00-the-map.html", CHAPTER, LIVE] {
                play.go(path).await;
                if path == LIVE {
                    // With something in the panel.
                    play.feed.publish(json!({ "symbol": "BMRI", "price": 6_100 })).await;
                    play.press(".stage-cut").await;
                    play.until("a cut is drawn", "return !!document.querySelector('[data-kind=loss]')").await;
                }
                play.run(&axe).await;
                let faults = play
                    .browser
                    .execute_async(
                        "const done = arguments[0]; axe.run().then((found) => done(found.violations.map((fault) => \
                         `${fault.impact}: ${fault.help}: ${fault.nodes.map((node) => node.target).join(' ')}`)))",
                        vec![],
                    )
                    .await
                    .unwrap();
                assert_eq!(faults, json!([]), "{path} in {scheme}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_and_the_stage_play_what_the_grader_s_transcript_says() {
    let graded = exchanges(&graded());
    let prices: Vec<Value> = graded
        .iter()
        .filter_map(|(_, _, what)| match what {
            What::Event { data: wire::transcript::Data::Json(json), .. } => serde_json::from_str(json).ok(),
            _ => None,
        })
        .collect();
    assert_eq!(prices.len(), 5, "{GRADED} has five prices: two, a cut, two, one more");
    play(async |play| {
        play.go(LIVE).await;
        play.until_state("live").await;
        for price in &prices[..2] {
            play.feed.publish(price.clone()).await;
        }
        play.until_prices(2).await;

        play.press(".stage-cut").await;
        play.until_state("reconnecting").await;
        for price in &prices[2..4] {
            play.feed.publish(price.clone()).await;
        }
        play.until_prices(4).await;
        play.until_state("live").await;
        play.feed.publish(prices[4].clone()).await;
        play.until_prices(5).await;

        play.press("#close button").await;
        play.until_state("closed").await;
        // Closed for good: nobody comes back, though the market opens and moves again.
        play.press("#open button").await;
        play.feed.publish(prices[0].clone()).await;
        sleep(Duration::from_secs(5)).await;

        let wire = play.wire().await;
        assert_eq!(exchanges(&wire), graded, "the stage heard:\n{wire}\nand {GRADED} says otherwise");
        let drawn = play.run("return document.querySelectorAll('#moments li').length").await;
        assert_eq!(drawn, json!(wire.moments.len()), "the panel shows every moment");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_waits_while_it_is_paused_and_loses_nothing() {
    play(async |play| {
        play.go(LIVE).await;
        play.until_state("live").await;
        play.press("#pause").await;
        let drawn = play.run("return document.querySelectorAll('#moments li').length").await;
        for price in 1..=5 {
            play.feed.publish(json!({ "symbol": "BMRI", "price": price })).await;
        }
        play.until(
            "five moments wait",
            "return document.getElementById('count').textContent === '5 waiting'",
        )
        .await;
        assert_eq!(play.run("return document.querySelectorAll('#moments li').length").await, drawn);
        play.press("#pause").await;
        let all = drawn.as_u64().unwrap() + 5;
        play.until(
            "all are drawn",
            &format!("return document.querySelectorAll('#moments li').length === {all}"),
        )
        .await;
    })
    .await;
}
