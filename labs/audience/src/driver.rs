//! The program that drives a browser, and ends with the test.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Map, Value, json};

/// A browser that one can have installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium, driven by chromedriver.
    Chromium,
}

impl Kind {
    /// What to install, as Debian names it.
    pub(crate) fn install(self) -> &'static str {
        match self {
            Self::Chromium => "Debian: apt-get install chromium chromium-driver",
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Chromium => {
                let mut command = Command::new("chromedriver");
                command.arg("--port=0");
                command
            }
        }
    }

    /// What the driver says once it listens, just before the number of its port.
    fn listens(self) -> &'static str {
        match self {
            Self::Chromium => "successfully on port ",
        }
    }

    /// How the browser is to be: of its own, unseen, and quiet towards the world.
    pub(crate) fn wishes(self, profile: &str) -> Map<String, Value> {
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
                    format!("--user-data-dir={profile}"),
                ]},
                "goog:loggingPrefs": { "browser": "ALL" },
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
        let port = |line: String| {
            let (_, port) = line.split_once(kind.listens())?;
            port.trim_end_matches('.').parse::<u16>().ok()
        };
        driver.port = BufReader::new(said?).lines().map_while(Result::ok).find_map(port)?;
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
