//! What a grading tells the class: it is the same grade whatever the stage does, and nobody waits for it for long.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, ExitCode, Output},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use grader::{
    Bench, Check, Failure, Lab,
    class::{Address, FILE, Membership, PATIENCE, Progress, code_in, tell},
    harness, scene,
};
use serde_json::{Value, json};

/// Set for the run in which this binary is a lab's own.
const AS_LAB: &str = "BEYOND_FETCH_AS_LAB";

/// Lab 9, whose one TODO cannot pass: its snapshot is nowhere.
static LAB: Lab = Lab {
    name: "lab9",
    number: 9,
    title: "a lab for this test",
    folder: "labs/lab9-nowhere",
    chapter: "09-which-one.md",
    contract: "",
    start: "",
    checks: &[Check {
        name: "a_lab_of_its_own",
        todo: Some(1),
        file: "src/lib.rs",
        section: "nowhere",
        experiment: "none.",
        scenes: &[scene!(nothing_happens, "Nothing happens.")],
    }],
};

async fn nothing_happens(_: Bench) -> Result<(), Failure> {
    Ok(())
}

/// Not a test by itself: what `cargo test -p lab9` would be, in a process of its own.
#[test]
fn a_lab_of_its_own() {
    if env::var_os(AS_LAB).is_some() {
        let code = harness::main(&LAB, "lab9", env!("CARGO_MANIFEST_DIR"), &[]);
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 1 });
    }
}

/// Grades lab 9 in a workspace of its own, with this membership.
fn grade(membership: Option<&Value>) -> Output {
    let root = tempfile::tempdir().unwrap();
    let memory = root.path().join("target/lab");
    // Cargo may build elsewhere.
    let binary = root.path().join("elsewhere/debug/deps/grade");
    fs::create_dir_all(binary.parent().unwrap()).unwrap();
    fs::copy(env::current_exe().unwrap(), &binary).unwrap();
    if let Some(membership) = membership {
        keep(&memory.join(FILE), membership);
    }
    let run = Command::new(&binary)
        .args(["--exact", "a_lab_of_its_own", "--nocapture"])
        .env(AS_LAB, "1")
        .env_remove("LAB_REPORT")
        .env("CARGO_MANIFEST_DIR", root.path().join("labs/lab9-nowhere"))
        .env("LAB_COLOR", "never")
        .output()
        .unwrap();
    let report = memory.join("lab9.json");
    assert!(report.exists(), "the report is written whatever the class says: {run:?}");
    run
}

fn keep(path: &Path, membership: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, membership.to_string()).unwrap();
}

fn at(address: SocketAddr) -> Value {
    json!({ "address": format!("http://{address}"), "name": "Sari", "token": "0123abcd" })
}

fn progress() -> Progress {
    Progress { lab: 3, total: 7, done: vec![1, 2], open: vec![3] }
}

/// A stage that only pretends: it does this with each connection, and passes on what it was sent.
fn pretend(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = channel();
    thread::spawn(move || {
        for line in listener.incoming() {
            let mut line = line.unwrap();
            let _ = heard.send(request(&mut line));
            answer(&mut line);
        }
    });
    (address, hears)
}

/// Reads a request with its body.
fn request(line: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut part = [0; 4096];
    loop {
        let length = line.read(&mut part).unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&part[..length]));
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if whole || length == 0 {
            return text;
        }
    }
}

fn answers(bytes: impl Into<Vec<u8>>) -> (SocketAddr, Receiver<String>) {
    let bytes = bytes.into();
    pretend(move |line| {
        let _ = line.write_all(&bytes);
    })
}

/// A line that is held open until the test is over.
fn silent() -> SocketAddr {
    pretend(|_| thread::sleep(Duration::from_secs(600))).0
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn told(membership: &Value) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    keep(&path, membership);
    tell(&path, &progress())
}

#[test]
fn what_is_sent_is_numbers_and_nothing_else() {
    let (address, heard) = answers("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(told(&at(address)), None);
    let request = heard.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /class/report HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: Bearer 0123abcd\r\n"), "{head}");
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!(sent, json!({ "version": 1, "lab": 3, "total": 7, "done": [1, 2], "open": [3] }));
}

#[test]
fn without_a_membership_nothing_is_said_and_nothing_sent() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(tell(&folder.path().join(FILE), &progress()), None);
}

#[test]
fn whatever_the_stage_does_is_one_line_that_a_terminal_can_be_shown() {
    let refusing = "The class does not know you\u{1b}[31m, or\r\n\tnot any more.";
    let refusing = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{refusing}", refusing.len());
    let page = "<html>Login</html>";
    let page = format!("HTTP/1.1 302 Found\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    let long = format!("HTTP/1.1 500 Oh\r\n\r\n{}", "x".repeat(1_000_000));
    let cases = [
        (at(nobody()), "nobody answers at http://127.0.0.1:"),
        (at(answers(refusing).0), "The class does not know you [31m, or not any more."),
        (at(answers(page).0), "answers with status 302."),
        (at(answers("SSH-2.0-OpenSSH_9.2\r\n").0), "is no stage."),
        (at(answers([0xff, 0xfe, 0, 1]).0), "is no stage."),
        (at(answers("").0), "is no stage."),
        (at(answers(long).0), "xxx"),
        (json!({ "address": "ftp://somewhere", "name": "Sari", "token": "0" }), "cannot be read"),
        (json!({ "not": "a membership" }), "cannot be read"),
        (
            json!({ "address": "http://no.such.host.invalid:1", "name": "Sari", "token": "0" }),
            "(The class was not told: ",
        ),
    ];
    for (membership, says) in cases {
        let line = told(&membership).expect("a failure is told");
        assert!(line.contains(says), "{line}");
        assert!(
            line.starts_with("(The class was not told: ") && line.ends_with("`cargo lab leave` ends that.)"),
            "{line}"
        );
        assert!(!line.contains(char::is_control) && line.chars().count() < 500, "{line}");
    }
}

#[test]
fn nobody_waits_for_a_stage_that_is_slow() {
    let dripping = pretend(|line| {
        while line.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    for address in [silent(), dripping.0] {
        let began = Instant::now();
        let line = told(&at(address)).expect("it was not told");
        assert!(line.contains("no answer from http://127.0.0.1:"), "{line}");
        // The stage would have held it for ten minutes.
        assert!(began.elapsed() < 10 * PATIENCE, "{:?}", began.elapsed());
    }
}

#[test]
fn the_grade_is_the_same_with_every_stage_and_with_none() {
    let alone = grade(None);
    let words = String::from_utf8(alone.stdout.clone()).unwrap();
    assert!(words.contains("lab9: 0 of 1 done"), "{words}");
    assert_eq!(alone.status.code(), Some(1), "{words}");

    let (listening, heard) = answers("HTTP/1.1 204 No Content\r\n\r\n");
    let told = grade(Some(&at(listening)));
    assert_eq!((told.status, &told.stdout), (alone.status, &alone.stdout));
    assert!(heard.recv().unwrap().ends_with(r#"{"done":[],"lab":9,"open":[1],"total":1,"version":1}"#));

    for address in [nobody(), silent(), answers("garbage\r\n\r\n").0] {
        let untold = grade(Some(&at(address)));
        assert_eq!(untold.status, alone.status);
        let said = String::from_utf8(untold.stdout).unwrap();
        let rest = said.strip_prefix(&words).unwrap_or_else(|| panic!("the verdict comes first:\n{said}"));
        assert_eq!(rest.lines().count(), 1, "one quiet line: {rest}");
    }
}

#[test]
fn an_address_is_taken_as_it_stands_on_the_board() {
    let address = |typed: &str| Address::try_from(typed.to_owned());
    for typed in [
        "http://192.168.1.20:8080",
        "http://192.168.1.20:8080/join",
        " 192.168.1.20:8080/class ",
        "192.168.1.20:8080",
    ] {
        assert_eq!(address(typed).unwrap().to_string(), "http://192.168.1.20:8080", "{typed}");
    }
    assert_eq!(address("http://stage.local/").unwrap().to_string(), "http://stage.local");
    assert_eq!(address("http://[fe80::1]:8080/").unwrap().to_string(), "http://[fe80::1]:8080");
    for wrong in ["", "http://", "https://stage.example", "ftp://x", "a b", "http://a\r\nb: c/"] {
        let told = address(wrong).map(|address| address.to_string());
        // A line end in an address is taken out by the standard (URL § 4.4), and never reaches a request.
        assert!(told.is_err() || !told.clone().unwrap().contains(char::is_whitespace), "{wrong}: {told:?}");
    }
    assert!(address("https://stage.example").unwrap_err().contains("plain http"));
}

#[test]
fn a_code_is_what_stands_behind_join() {
    assert_eq!(code_in(" http://192.168.1.20:8080/join/k7q2m9xa/ "), "k7q2m9xa");
    for none in [
        "http://192.168.1.20:8080/join",
        "192.168.1.20:8080",
        "http://x/join/",
        "http://x/join/a b",
        "http://x/join/a/b",
    ] {
        assert_eq!(code_in(none), "", "{none}");
    }
}

#[test]
fn who_joins_is_told_in_a_sentence_why_not() {
    let join = |address: SocketAddr| {
        Membership::join(&Address::try_from(format!("http://{address}")).unwrap(), "Sari", "", None)
            .unwrap_err()
    };
    assert!(join(nobody()).starts_with("nobody answers at "));
    let full = "HTTP/1.1 503 Full\r\ncontent-length: 18\r\n\r\nThe board is full.";
    assert_eq!(join(answers(full).0), "The board is full.");
    for odd in ["{}", "<html>", r#"{"name":"Sari","token":"a\r\nb"}"#] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{odd}", odd.len());
        assert!(join(answers(answer).0).ends_with("is no stage of this release."), "{odd}");
    }
}

#[cfg(unix)]
#[test]
fn what_proves_who_one_is_is_kept_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab").join(FILE);
    let membership: Membership = serde_json::from_value(at(nobody())).unwrap();
    membership.write(&path).unwrap();
    assert_eq!(Membership::read(&path).unwrap(), Some(membership));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
