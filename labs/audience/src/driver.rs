//! The program that drives a browser, and ends with the test.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::{Map, Value, json};

use crate::root;

/// A browser that one can have installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium, driven by chromedriver.
    Chromium,
    /// Firefox, driven by geckodriver.
    Firefox,
}

impl Kind {
    /// Both, one after the other: for scenes that any browser must play.
    pub const BOTH: &[Self] = &[Self::Chromium, Self::Firefox];

    /// What to install, as Debian names it.
    pub(crate) fn install(self) -> &'static str {
        match self {
            Self::Chromium => "Debian: apt-get install chromium chromium-driver",
            Self::Firefox => {
                "Debian: apt-get install firefox-esr; cargo install geckodriver --locked --root target/browser"
            }
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Chromium => {
                let mut command = Command::new("chromedriver");
                command.arg("--port=0");
                command
            }
            Self::Firefox => {
                let ours = root().join("target/browser/bin/geckodriver");
                let ours = if ours.is_file() { ours } else { PathBuf::from("geckodriver") };
                let mut command = Command::new(env::var_os("GECKODRIVER").unwrap_or(ours.into()));
                // Firefox's own scripts can do what WebDriver cannot: see `Browser::firefox`.
                command.args(["--port=0", "--websocket-port=0", "--allow-system-access"]);
                command
            }
        }
    }

    /// What the driver says once it listens, just before the number of its port.
    fn listens(self) -> &'static str {
        match self {
            Self::Chromium => "successfully on port ",
            Self::Firefox => "Listening on 127.0.0.1:",
        }
    }

    /// How the browser is to be: of its own, unseen, and quiet towards the world.
    pub(crate) fn wishes(self, profile: &Path) -> Map<String, Value> {
        let wishes = match self {
            Self::Chromium => json!({
                "goog:chromeOptions": { "args": [
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    // The only host there is; no look-up leaves the machine.
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                    format!("--user-data-dir={}", profile.display()),
                ]},
                "goog:loggingPrefs": { "browser": "ALL" },
            }),
            Self::Firefox => json!({
                "moz:firefoxOptions": {
                    // No page is larger than its window: see `Browser::resize`.
                    "args": ["-headless", "-width", "1400", "-height", "1200"],
                    "prefs": {
                        // Nobody listens there: the only host there is is this one.
                        "network.proxy.type": 1,
                        "network.proxy.http": "127.0.0.1",
                        "network.proxy.http_port": 9,
                        "network.proxy.ssl": "127.0.0.1",
                        "network.proxy.ssl_port": 9,
                    },
                },
            }),
        };
        let Value::Object(wishes) = wishes else { unreachable!("an object was just written") };
        wishes
    }
}

/// A driver of our own.
pub(crate) struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts one on a port that is free; `None` where there is no such driver.
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        let mut process = kind.command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let said = process.stdout.take();
        let mut driver = Self { process, port: 0 };
        let mut lines = BufReader::new(said?).lines().map_while(Result::ok);
        let (found, port) = mpsc::channel();
        thread::spawn(move || {
            let port = lines.find_map(|line| {
                let (_, port) = line.split_once(kind.listens())?;
                port.trim_end_matches('.').parse::<u16>().ok()
            });
            let _ = found.send(port);
            // A driver and its browser talk on, and may not find the line closed.
            lines.for_each(drop);
        });
        driver.port = port.recv().ok()??;
        Some(driver)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
