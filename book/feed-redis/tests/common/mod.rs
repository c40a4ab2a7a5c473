//! A Redis of a test's own: Debian's `redis-server` on a free port, with its data in a folder that goes with it.

#[path = "port.rs"]
mod port;

use std::{
    env,
    io::{self, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use feed_redis::{Address, Shared};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that can be ended and begun again on its port.
pub(crate) struct Redis {
    data: TempDir,
    pub(crate) port: u16,
    server: Option<Child>,
}

impl Redis {
    /// Starts one. Says so where there is none to be started, and gives nothing.
    ///
    /// # Panics
    /// Where there is none, with `BEYOND_FETCH_REDIS=required`.
    pub(crate) async fn start() -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(
                env::var("BEYOND_FETCH_REDIS").map_or(true, |value| value != "required"),
                "redis-server is not installed, and BEYOND_FETCH_REDIS=required."
            );
            // Past the test harness, which keeps to itself what a passing test prints.
            let _ = writeln!(
                io::stderr(),
                "redis-server is not installed (apt-get install redis-server): not played."
            );
            return None;
        }
        for _ in 0..10 {
            let port = port::free();
            let data = tempfile::tempdir().expect("a folder for the data");
            let mut redis = Self { data, port, server: None };
            if redis.begin().await {
                return Some(redis);
            }
        }
        panic!("redis-server does not start on any of ten ports");
    }

    /// Starts the server, with whatever data is there; false if it ends instead of answering.
    pub(crate) async fn begin(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(self.port.to_string()).arg("--dir").arg(self.data.path());
        // It saves when it is told to, and not by itself.
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = command.spawn().expect("redis-server starts");
        let began = Instant::now();
        loop {
            if server.try_wait().expect("the server can be asked about").is_some() {
                return false;
            }
            // Who answers there may be another test's.
            let itself = format!("process_id:{}\r\n", server.id());
            if self.try_say("INFO server").await.is_ok_and(|answer| answer.contains(&itself)) {
                self.server = Some(server);
                return true;
            }
            assert!(began.elapsed() < PATIENCE, "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the server at once, as a power cut does. What it has not saved is lost.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Has the server write its data.
    pub(crate) async fn save(&self) {
        let answer = self.say("SAVE").await;
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// Forgets what was saved.
    pub(crate) fn lose_data(&self) {
        let _ = std::fs::remove_file(self.data.path().join("dump.rdb"));
    }

    /// Says one command and gives what comes back, as it is on the wire.
    pub(crate) async fn say(&self, command: &str) -> String {
        self.try_say(command).await.unwrap_or_else(|error| panic!("`{command}` is not answered: {error}"))
    }

    async fn try_say(&self, command: &str) -> io::Result<String> {
        let mut line = TcpStream::connect(("127.0.0.1", self.port)).await?;
        line.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
        let mut answer = String::new();
        line.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    pub(crate) fn address(&self) -> Address {
        format!("redis://127.0.0.1:{}", self.port).parse().expect("that is an address")
    }

    /// A node of the log that is kept here.
    pub(crate) async fn node(&self, capacity: usize) -> Shared {
        Shared::connect(&self.address(), capacity).await.expect("Redis answers")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let asked = Instant::now();
    while !is_so() {
        assert!(asked.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
