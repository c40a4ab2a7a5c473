//! The grader's page and a real browser run one script against one server and
//! must find the same: `conformance/checks.js`, `conformance/server.rs`.
//!
//! `conformance/expected.json` is what a browser finds, as read by a person;
//! `conformance/differences.json` lists the checks in which the page differs,
//! each with what the page finds instead and why that is right for the labs.
//! With `BEYOND_FETCH_WRITE=1` the first is written from Chromium.

use std::{collections::BTreeMap, env, fs, net::Ipv4Addr, path::PathBuf, time::Duration};

use audience::{Browser, Kind, look};
use grader::{Bench, Failure, Pulse, Scene, Sources, scene};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde::Deserialize;
use serde_json::Value;
use wire::{What, transcript::Data};

#[path = "conformance/server.rs"]
mod server;

type Outcomes = BTreeMap<String, Value>;

/// A check in which the page is not like a browser.
#[derive(Deserialize)]
struct Difference {
    /// What the page finds.
    page: Value,
    /// Why that is right.
    reason: String,
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name)
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let text = fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fails with these words: the bench keeps panics to itself, and their messages with them.
fn fail(words: &str) -> ! {
    eprintln!("{words}");
    panic!("{words}")
}

/// Names every check whose outcome is another one.
fn compare(found: &Outcomes, expected: &Outcomes) {
    let mut report = String::new();
    for (name, expected) in expected {
        match found.get(name) {
            Some(found) if found == expected => {}
            Some(found) => report += &format!("\n{name}\n  expected {expected}\n  found    {found}\n"),
            None => report += &format!("\n{name}\n  is expected, and no such check was run\n"),
        }
    }
    for name in found.keys().filter(|name| !expected.contains_key(*name)) {
        report += &format!("\n{name}\n  has no expectation yet: {}\n", found[name]);
    }
    if !report.is_empty() {
        fail(&format!("the outcomes differ:\n{report}"));
    }
}

async fn runs_the_checks(bench: Bench) -> Result<(), Failure> {
    // Slow enough that a script of many requests is no storm.
    bench.set_latency(Duration::from_millis(15));
    bench.serve(server::app());
    let page = bench.page(&["run"])?;
    page.eval("client.run().then((outcomes) => say('outcomes', outcomes))")?;
    bench.wait_s(300).await;
    page.failure().map_or(Ok(()), |failure| Err(failure.into()))
}

fn outcomes_in_the_page() -> Outcomes {
    let scene: Scene = scene!(runs_the_checks, "The page runs every check.");
    let sources = Sources::new([("client.js".to_owned(), server::CHECKS.to_owned())]);
    let played = scene.play(&sources, 1, &Pulse::default());
    if let Err(failure) = played.result {
        fail(&format!("{failure:?}\nconsole: {:?}", played.console));
    }
    let said = played.transcript.moments.into_iter().find_map(|moment| match moment.what {
        What::Said(label, Data::Json(outcomes)) if label == "outcomes" => Some(outcomes),
        _ => None,
    });
    let Some(said) = said else { fail(&format!("the page said no outcomes; console: {:?}", played.console)) };
    serde_json::from_str(&said).expect("they are JSON")
}

#[test]
fn the_page_finds_what_a_browser_finds_but_for_the_listed_differences() {
    let mut expected: Outcomes = read("expected.json");
    let differences: BTreeMap<String, Difference> = read("differences.json");
    for (name, difference) in differences {
        assert!(!difference.reason.is_empty(), "{name}: a difference needs its reason");
        let browser = expected.insert(name.clone(), difference.page.clone());
        assert!(
            browser.is_some_and(|browser| browser != difference.page),
            "{name}: listed as a difference, and there is none"
        );
    }
    compare(&outcomes_in_the_page(), &expected);
}

#[test]
fn the_page_finds_the_same_every_time() {
    compare(&outcomes_in_the_page(), &outcomes_in_the_page());
}

#[tokio::test]
async fn chromium_finds_what_is_expected() {
    look(Kind::Chromium, async |browser| {
        let found = outcomes_in(browser).await;
        if env::var_os("BEYOND_FETCH_WRITE").is_some() {
            let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
            fs::write(file("expected.json"), text).unwrap();
        }
        compare(&found, &read("expected.json"));
    })
    .await;
}

async fn outcomes_in(browser: &Browser) -> Outcomes {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Parts of an answer are to arrive one by one.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(server::app());
            tokio::spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            });
        }
    });
    browser.goto(&format!("http://127.0.0.1:{port}/")).await.unwrap();
    let script = "const done = arguments[0];
        import('/checks.js').then((checks) => checks.run()).then((outcomes) => done(JSON.stringify(outcomes)));";
    let outcomes = browser.execute_async(script, Vec::new()).await.expect("the script runs to its end");
    server.abort();
    serde_json::from_str(outcomes.as_str().expect("a string")).expect("they are JSON")
}
