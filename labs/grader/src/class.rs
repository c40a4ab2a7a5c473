//! The class: what `cargo lab join` agrees on with a stage, and what each grading tells it.
//!
//! Whoever joins keeps a file in the target folder, `target/lab/class.json`, with the stage's address and a secret of
//! theirs. As long as it is there, a grading says which TODOs pass: their numbers, and nothing of the code. It says so
//! after the verdict is printed, in a second at most, and whatever goes wrong then is one quiet line: the grade and
//! the exit code are what they were.
//!
//! It is HTTP on a plain socket of the standard library: a student builds no client for it.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

/// The file's name, in `target/lab`.
pub const FILE: &str = "class.json";
/// How long a grading waits for the stage at most, and somebody who leaves.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How long somebody who joins does.
const JOINING: Duration = Duration::from_secs(5);
/// What is said here and at the stage.
const VERSION: u32 = 1;
/// The longest answer that is read, in bytes.
const ANSWER: u64 = 16 * 1024;
/// The longest sentence of a stage that is passed on, in characters.
const SENTENCE: usize = 300;

/// Where a stage is: `http://192.168.1.20:8080`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    host: String,
    port: u16,
}

impl TryFrom<String> for Address {
    type Error = String;

    /// Takes an address as it stands on the board or in a browser: `http://192.168.1.20:8080/join`, or without `http://`.
    fn try_from(typed: String) -> Result<Self, String> {
        let typed = typed.trim();
        let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
        let wrong =
            || format!("`{typed}` is not the address of a stage: it looks like http://192.168.1.20:8080.");
        let url = Url::parse(&whole).map_err(|_| wrong())?;
        if url.scheme() != "http" {
            return Err(format!("A stage speaks plain http, and `{typed}` asks for {}.", url.scheme()));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        Ok(Self { host: host.to_owned(), port: url.port_or_known_default().unwrap_or(80) })
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            80 => write!(f, "http://{}", self.host),
            port => write!(f, "http://{}:{port}", self.host),
        }
    }
}

/// The code in an address as a member's own page shows it, `http://192.168.1.20:8080/join/k7q2m9xa`; else nothing.
pub fn code_in(typed: &str) -> &str {
    let code = typed.trim().split_once("/join/").map_or("", |(_, code)| code.trim_end_matches('/'));
    if code.bytes().all(|byte| byte.is_ascii_alphanumeric()) { code } else { "" }
}

/// What whoever joined keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Where the stage is.
    pub address: Address,
    /// The name on the board.
    pub name: String,
    /// Proves to the stage who speaks.
    token: String,
}

/// Which TODOs a grading found done, and which not. Of those that were not graded it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The lab's number.
    pub lab: u32,
    /// How many TODOs it has.
    pub total: usize,
    /// Those that are done.
    pub done: Vec<u32>,
    /// Those that are not.
    pub open: Vec<u32>,
}

impl Membership {
    /// Joins the class at a stage. Without a name the stage makes one up. With a `code`, from [`code_in`], one joins as
    /// who one is there already: a phone and a laptop are one name on the board then. Who has joined there
    /// `before` gets another name, and keeps their place.
    ///
    /// # Errors
    /// A sentence: nobody answers, or the stage says why not.
    pub fn join(address: &Address, name: &str, code: &str, before: Option<&Self>) -> Result<Self, String> {
        /// What the stage answers; the name may have got a number.
        #[derive(Deserialize)]
        struct Joined {
            name: String,
            token: String,
        }
        let body = json!({ "version": VERSION, "name": name, "code": code });
        let token = before.filter(|before| before.address == *address).map(|before| &*before.token);
        let answer = ask(address, "/class/join", token, Some(&body), JOINING)?;
        let Joined { name, token } = serde_json::from_str(&answer)
            .map_err(|_| format!("What answers at {address} is no stage of this release."))?;
        // It becomes a header's value.
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("What answers at {address} is no stage of this release."));
        }
        Ok(Self { address: address.clone(), name: plain(&name), token })
    }

    /// Takes the name off the board.
    ///
    /// # Errors
    /// A sentence: nobody answers, or the stage says why not.
    pub fn leave(&self) -> Result<(), String> {
        ask(&self.address, "/class/leave", Some(&self.token), None, PATIENCE).map(drop)
    }

    /// Tells the class how far its member is, within [`PATIENCE`].
    ///
    /// # Errors
    /// A sentence: nobody answers in time, or the stage says why not.
    pub fn report(&self, progress: &Progress) -> Result<(), String> {
        let Progress { lab, total, done, open } = progress;
        let body = json!({ "version": VERSION, "lab": lab, "total": total, "done": done, "open": open });
        ask(&self.address, "/class/report", Some(&self.token), Some(&body), PATIENCE).map(drop)
    }

    /// The membership that was kept at `path`, if there is one.
    ///
    /// # Errors
    /// When there is a file and it cannot be read or understood.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it at `path`, for this user alone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        options.open(&fresh)?.write_all(format!("{text}\n").as_bytes())?;
        fs::rename(fresh, path)
    }
}

/// Tells the class of the membership at `path`, if there is one. Gives the line to print if that failed.
pub fn tell(path: &Path, progress: &Progress) -> Option<String> {
    let told = match Membership::read(path) {
        Ok(None) => return None,
        Ok(Some(membership)) => membership.report(progress),
        Err(error) => Err(format!("{} cannot be read: {error}.", path.display())),
    };
    let why = told.err()?;
    Some(format!("(The class was not told: {why} `cargo lab leave` ends that.)"))
}

/// Sends one request and reads its answer, all of it within this time; gives the body of a 2xx.
fn ask(
    address: &Address,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
    within: Duration,
) -> Result<String, String> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let token = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    // The stage refuses what comes from pages of other sites; this is none.
    let origin = match address.port {
        80 => address.host.clone(),
        port => format!("{}:{port}", address.host),
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {origin}\r\norigin: http://{origin}\r\nconnection: close\r\n{token}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // On a thread of its own: looking up a name has no time limit, and whoever waits here does.
    let (done, answered) = mpsc::channel();
    let asking = {
        let address = address.clone();
        thread::Builder::new().name("class".to_owned()).spawn(move || {
            let _ = done.send(exchange(&address, &request, Instant::now() + within));
        })
    };
    asking.map_err(|error| format!("the machine starts no more threads: {error}."))?;
    let answer = match answered.recv_timeout(within) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if is_late(&error) => return Err(late(address, within)),
        Ok(Err(error)) => return Err(format!("nobody answers at {address} ({error}).")),
        Err(_) => return Err(late(address, within)),
    };
    let answer = String::from_utf8_lossy(&answer);
    let parted = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse::<u16>().ok()?;
        Some((status, body))
    });
    match parted {
        Some((200..300, body)) => Ok(body.to_owned()),
        Some((_, body)) if !plain(body).is_empty() && !body.contains('<') => Err(plain(body)),
        Some((status, _)) => Err(format!("{address} answers with status {status}.")),
        None => Err(format!("What answers at {address} is no stage.")),
    }
}

fn late(address: &Address, within: Duration) -> String {
    format!("no answer from {address} within {} s.", within.as_secs())
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn exchange(address: &Address, request: &str, until: Instant) -> io::Result<Vec<u8>> {
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        // Zero would mean: for ever.
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let host = address.host.trim_start_matches('[').trim_end_matches(']');
    let mut line = Err(io::Error::new(io::ErrorKind::NotFound, "the name leads nowhere"));
    for socket in (host, address.port).to_socket_addrs()? {
        line = TcpStream::connect_timeout(&socket, left()?);
        if line.is_ok() {
            break;
        }
    }
    let mut line = line?;
    line.set_write_timeout(Some(left()?))?;
    line.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while (answer.len() as u64) < ANSWER && !is_whole(&answer) {
        line.set_read_timeout(Some(left()?))?;
        match line.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What is there already may say enough: a stage that refuses a body may not read all of it.
            Err(error) if !answer.is_empty() && !is_late(&error) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// Whether an answer's head is there and as much of its body as the head announces.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) => answer.len() >= end + 4 + length,
        None => head.split(' ').nth(1) == Some("204"),
    }
}

/// What a stage says, as one line that a terminal can be shown.
fn plain(words: &str) -> String {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SENTENCE).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
