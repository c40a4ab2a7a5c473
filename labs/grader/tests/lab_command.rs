//! `cargo lab` on workspaces of its own: small labs, and a cargo and a grader that only pretend.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const START_LIB: &str = "\
//! The ticker.

/// TODO 1: Serves prices.
pub fn app() -> u32 {
    // ANCHOR: todo_1
    todo!(\"TODO 1\")
    // ANCHOR_END: todo_1
}
";

const SOLVED_LIB: &str = "\
//! The ticker.

/// TODO 1: Serves prices.
pub fn app() -> u32 {
    // ANCHOR: todo_1
    let price = 6100;
    price
    // ANCHOR_END: todo_1
}
";

const START_CLIENT: &str = "\
export function watchPrices() { // TODO 2: Says live.
  // ANCHOR: todo_2
  throw new Todo(2);
  // ANCHOR_END: todo_2
}
";

const SOLVED_CLIENT: &str = "\
export function watchPrices() { // TODO 2: Says live.
  // ANCHOR: todo_2
  return 'live';
  // ANCHOR_END: todo_2
}
";

const SOLVED_MAIN: &str = "fn main() {\n    println!(\"{}\", lab3_solution::app());\n}\n";

const START_DIFF: &str = "\
diff --git a/src/lib.rs b/src/lib.rs
index 1111111..2222222 100644
--- a/src/lib.rs
+++ b/src/lib.rs
@@ -3,7 +3,6 @@
 /// TODO 1: Serves prices.
 pub fn app() -> u32 {
     // ANCHOR: todo_1
-    let price = 6100;
-    price
+    todo!(\"TODO 1\")
     // ANCHOR_END: todo_1
 }
diff --git a/web/client.js b/web/client.js
index 1111111..2222222 100644
--- a/web/client.js
+++ b/web/client.js
@@ -1,5 +1,5 @@
 export function watchPrices() { // TODO 2: Says live.
   // ANCHOR: todo_2
-  return 'live';
+  throw new Todo(2);
   // ANCHOR_END: todo_2
 }
";

const HINTS: &str = "\
# Hints

## TODO 1

### 1 · A question
What is a price?

### 2 · Where to look
At the market.

### 3 · The shape
```rust
let price = …;
```

## TODO 2

### 1 · A question
Who is live?
";

const CONTRACT: &str = "\
# The contract of lab 3

## 1 · Prices

Serves prices.

- `1.number`: A price is a number.

## 2 · Live

Says live.

- `2.live`: Somebody is live.
- `2.open.quotes`: Which quotes.
";

const README: &str = "\
# Lab 3 · The ticker

<!-- contract: 1 to 2 -->

### 1 · Prices

Serves prices.

- A price is a number. `3.1.number`

### 2 · Live

Says live.

- Somebody is live. `3.2.live`
- *Open:* Which quotes. `3.2.open.quotes`

<!-- end of contract -->

Goal.
";

const CHAPTER: &str = "\
# Which?

{{#contract ../../labs/lab3-sse/contract.md:1}}

{{#contract ../../labs/lab3-sse/contract.md:2}}
";

/// A workspace with lab 3 (solved by `start.diff` in reverse) and a lab 5 that is only a folder.
struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// A new one, named after the test that asks for it.
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if root.exists() {
            fs::remove_dir_all(&root).expect("the last run's folder can be removed");
        }
        let workspace = Self { root };
        workspace.write("Cargo.toml", "[workspace]\nmembers = [\n    \"labs/lab3-sse\",\n]\n");
        let lab = "labs/lab3-sse";
        workspace.write(&format!("{lab}/Cargo.toml"), "[package]\nname = \"lab3\"\n");
        workspace.write(&format!("{lab}/README.md"), README);
        workspace.write(&format!("{lab}/contract.md"), CONTRACT);
        let start = [(1, START_LIB), (2, START_CLIENT)].map(|(todo, text)| {
            format!("TODO {todo}: {}\n", grader::fingerprint(&grader::regions(text, todo)))
        });
        workspace.write(&format!("{lab}/tests/start.txt"), &start.concat());
        workspace.write("book/src/03-which.md", CHAPTER);
        workspace.write(&format!("{lab}/hints.md"), HINTS);
        workspace.write(&format!("{lab}/src/lib.rs"), START_LIB);
        let main = SOLVED_MAIN.replace("lab3_solution", "lab3");
        workspace.write(&format!("{lab}/src/main.rs"), &main);
        workspace.write(&format!("{lab}/web/client.js"), START_CLIENT);
        let solution = "solutions/lab3-sse";
        workspace.write(&format!("{solution}/Cargo.toml"), "[package]\nname = \"lab3-solution\"\n");
        workspace.write(&format!("{solution}/src/lib.rs"), SOLVED_LIB);
        workspace.write(&format!("{solution}/src/main.rs"), SOLVED_MAIN);
        workspace.write(&format!("{solution}/web/client.js"), SOLVED_CLIENT);
        workspace.write(&format!("{solution}/start.diff"), START_DIFF);
        workspace.write("labs/lab5-websocket/src/lib.rs", "");
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folder");
        fs::write(&path, text).expect("file");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Remembers a result of grading, as the test binary writes it.
    fn graded(&self, lib: &str, client: &str) {
        let done = [lib, client].iter().filter(|v| **v == "passed").count();
        let report = format!(
            r#"{{"lab":"lab3","done":{done},"total":2,"checks":[
            {{"name":"todo_1_prices","todo":1,"file":"src/lib.rs","line":5,"contract":"Prices.","verdict":"{lib}","message":""}},
            {{"name":"todo_2_live","todo":2,"file":"web/client.js","line":2,"contract":"Live.","verdict":"{client}","message":""}}]}}"#
        );
        self.write("target/lab/lab3.json", &report);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env_remove("COLUMNS")
            .env_remove("NO_COLOR");
        command
    }

    fn lab(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.args(arguments).output().expect("the command runs")
    }

    /// What a call prints, which must succeed.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.lab(arguments);
        let text = String::from_utf8(output.stdout).expect("text");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed: {text}{error}");
        text
    }

    /// The sentence of a call that must fail.
    fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.lab(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success(), "{arguments:?} succeeded: {text}");
        String::from_utf8(output.stderr).expect("text")
    }

    /// Every file of the lab that is the student's, by path.
    fn students(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let lab = self.path("labs/lab3-sse");
        let mut files = BTreeMap::new();
        for part in ["src", "web"] {
            collect(&lab.join(part), &lab, &mut files);
        }
        files
    }
}

fn collect(folder: &Path, base: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, base, files);
        } else {
            let name = path.strip_prefix(base).expect("below").to_path_buf();
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

// Status

#[test]
fn an_ungraded_lab_says_how_to_grade_it() {
    let workspace = Workspace::new("status-ungraded");
    let text = workspace.says(&[]);
    assert!(text.contains("lab3-sse"), "the lab is named: {text}");
    assert!(text.contains("The ticker"), "by its title: {text}");
    assert!(text.contains("not graded yet: cargo test -p lab3"), "and the way on: {text}");
    assert!(text.contains("lab5-websocket"), "the other lab too: {text}");
    assert!(!text.contains('\x1b'), "a pipe gets no colour: {text}");
}

#[test]
fn a_graded_lab_shows_what_is_done_and_the_next_step() {
    let workspace = Workspace::new("status-graded");
    workspace.graded("passed", "not_started");
    let text = workspace.says(&[]);
    assert!(text.contains("1 of 2"), "how much: {text}");
    assert!(text.contains("next: TODO 2 in web/client.js"), "what: {text}");
    assert!(!text.contains("edited since"), "nothing was: {text}");
}

#[test]
fn results_are_found_wherever_cargo_builds() {
    let workspace = Workspace::new("status-elsewhere");
    workspace.graded("passed", "not_started");
    for (name, folder) in
        [("CARGO_TARGET_DIR", "elsewhere"), ("CARGO_BUILD_TARGET_DIR", "elsewhere"), ("CARGO_TARGET_DIR", "")]
    {
        let mut command = workspace.command();
        command.env_remove("CARGO_TARGET_DIR").env(name, folder);
        let text = String::from_utf8(command.output().expect("the command runs").stdout).expect("text");
        assert!(text.contains("1 of 2"), "{name}={folder}: {text}");
    }
}

#[test]
fn a_result_older_than_an_edit_says_so() {
    let workspace = Workspace::new("status-stale");
    workspace.graded("passed", "passed");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    let file =
        fs::File::options().append(true).open(workspace.path("labs/lab3-sse/src/lib.rs")).expect("the file");
    file.set_modified(later).expect("its time");
    let text = workspace.says(&[]);
    assert!(text.contains("edited since"), "the result is old: {text}");
}

#[test]
fn a_broken_report_counts_as_none() {
    let workspace = Workspace::new("status-broken");
    workspace.write("target/lab/lab3.json", "{\"lab\":");
    let text = workspace.says(&[]);
    assert!(text.contains("not graded yet"), "no failure: {text}");
}

#[test]
fn any_folder_inside_the_repository_will_do() {
    let workspace = Workspace::new("status-inside");
    let output = workspace
        .command()
        .current_dir(workspace.path("labs/lab3-sse/src"))
        .output()
        .expect("the command runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("lab3-sse"), "found from within: {text}");
}

#[test]
fn an_unknown_lab_names_those_there_are() {
    let workspace = Workspace::new("unknown-lab");
    let sentence = workspace.refuses(&["reset", "4"]);
    assert_eq!(sentence, "There is no lab 4. There are labs 3 and 5.\n");
}

#[test]
fn what_is_no_number_is_refused_by_name() {
    let workspace = Workspace::new("no-number");
    let sentence = workspace.refuses(&["watch", "three"]);
    assert!(sentence.contains("`three` is not a lab's number"), "{sentence}");
}

#[test]
fn colour_comes_when_asked_for() {
    let workspace = Workspace::new("colour");
    let text = workspace.says(&["--color", "always"]);
    assert!(text.contains("\x1b["), "even into a pipe: {text}");
}

// Hints

#[test]
fn each_call_shows_the_next_hint() {
    let workspace = Workspace::new("hint-next");
    let first = workspace.says(&["hint", "3.1"]);
    assert!(first.contains("hint 1 of 3 · A question"), "{first}");
    assert!(first.contains("What is a price?"), "{first}");
    assert!(!first.contains("market"), "one at a time: {first}");
    let second = workspace.says(&["hint", "3.1"]);
    assert!(second.contains("At the market."), "{second}");
    let third = workspace.says(&["hint", "3.1"]);
    assert!(third.contains("let price = …;"), "{third}");
    let again = workspace.says(&["hint", "3.1"]);
    assert_eq!(again, third, "the last one stays");
    let other = workspace.says(&["hint", "3.2"]);
    assert!(other.contains("Who is live?"), "TODOs are counted apart: {other}");
}

#[test]
fn hints_can_be_asked_for_by_tier_and_all_at_once() {
    let workspace = Workspace::new("hint-tier");
    let second = workspace.says(&["hint", "3.1", "--tier", "2"]);
    assert!(second.contains("At the market."), "{second}");
    let all = workspace.says(&["hint", "3.1", "--all"]);
    for part in ["What is a price?", "At the market.", "let price = …;"] {
        assert!(all.contains(part), "{part} is missing: {all}");
    }
    let next = workspace.says(&["hint", "3.1"]);
    assert!(next.contains("What is a price?"), "that moved nothing: {next}");
    let sentence = workspace.refuses(&["hint", "3.1", "--tier", "4"]);
    assert!(sentence.contains("there is no number 4"), "{sentence}");
}

#[test]
fn a_lab_alone_gives_a_hint_for_its_next_open_todo() {
    let workspace = Workspace::new("hint-lab");
    let sentence = workspace.refuses(&["hint", "3"]);
    assert!(sentence.contains("cargo lab hint 3.1"), "ungraded: {sentence}");
    workspace.graded("passed", "failed");
    let text = workspace.says(&["hint", "3"]);
    assert!(text.contains("Who is live?"), "TODO 2 is next: {text}");
}

#[test]
fn a_todo_without_hints_names_those_with() {
    let workspace = Workspace::new("hint-unknown");
    let sentence = workspace.refuses(&["hint", "3.9"]);
    assert!(sentence.contains("it has some for TODO 1, 2"), "{sentence}");
}

// Reset

#[test]
fn reset_restores_the_start_and_keeps_every_byte() {
    let workspace = Workspace::new("reset");
    workspace.write("labs/lab3-sse/src/lib.rs", "my work\r\nwith odd line ends");
    workspace.write("labs/lab3-sse/web/client.js", "");
    workspace.write("labs/lab3-sse/src/own/module.rs", "// mine");
    fs::write(workspace.path("labs/lab3-sse/web/logo.png"), [0xff, 0, 0xfe]).expect("bytes");
    let before = workspace.students();
    workspace.graded("passed", "failed");
    workspace.says(&["hint", "3.1"]);

    let text = workspace.says(&["reset", "3"]);
    let kept = workspace.path(text.lines().last().expect("a path"));
    assert!(kept.starts_with(workspace.path("labs/lab3-sse/kept")), "{text}");
    let mut copied = BTreeMap::new();
    collect(&kept, &kept, &mut copied);
    assert_eq!(copied, before, "the copy is the student's files, byte for byte");

    assert_eq!(workspace.read("labs/lab3-sse/src/lib.rs"), START_LIB);
    assert_eq!(workspace.read("labs/lab3-sse/web/client.js"), START_CLIENT);
    let main = workspace.read("labs/lab3-sse/src/main.rs");
    assert!(main.contains("lab3::app()"), "under the lab's own name: {main}");
    let names: Vec<PathBuf> = workspace.students().into_keys().collect();
    assert_eq!(names.len(), 3, "nothing else is left: {names:?}");
    assert!(workspace.says(&[]).contains("not graded yet"), "the result is forgotten");
    let hint = workspace.says(&["hint", "3.1"]);
    assert!(hint.contains("hint 1 of 3"), "hints begin anew: {hint}");
}

#[test]
fn reset_twice_keeps_both_copies() {
    let workspace = Workspace::new("reset-twice");
    for work in ["first", "second"] {
        workspace.write("labs/lab3-sse/src/lib.rs", work);
        workspace.says(&["reset", "3"]);
    }
    let mut kept = Vec::new();
    for entry in fs::read_dir(workspace.path("labs/lab3-sse/kept")).expect("kept") {
        let path = entry.expect("an entry").path().join("src/lib.rs");
        kept.push(fs::read_to_string(path).expect("the copy"));
    }
    kept.sort();
    assert_eq!(kept, ["first", "second"], "no copy replaces another");
}

/// A clone as Git for Windows makes it: every line ends in CRLF.
fn with_crlf(workspace: &Workspace) {
    let mut files = BTreeMap::new();
    collect(&workspace.root, &workspace.root, &mut files);
    for (name, bytes) in files {
        let text = String::from_utf8(bytes).expect("they are text");
        fs::write(workspace.root.join(name), text.replace('\n', "\r\n")).expect("written");
    }
}

#[test]
fn a_clone_with_crlf_is_at_the_start_and_can_be_put_back_to_it() {
    let workspace = Workspace::new("crlf");
    with_crlf(&workspace);
    assert_eq!(workspace.says(&["reset", "3"]), "Lab 3 is at the start already.\n");
    let edited = START_LIB.replace('\n', "\r\n").replace("todo!", "unimplemented!");
    workspace.write("labs/lab3-sse/src/lib.rs", &edited);
    let kept = workspace.says(&["reset", "3"]);
    let kept = workspace.path(kept.lines().last().expect("a path"));
    assert_eq!(fs::read_to_string(kept.join("src/lib.rs")).expect("the copy"), edited, "byte for byte");
    assert_eq!(workspace.read("labs/lab3-sse/src/lib.rs"), START_LIB);
    let client = workspace.read("labs/lab3-sse/web/client.js");
    assert_eq!(client, START_CLIENT.replace('\n', "\r\n"), "what nobody edited is left alone");
    assert!(workspace.says(&["hint", "3.1"]).contains("What is a price?"));
}

#[test]
fn line_ends_and_byte_order_marks_are_no_difference_to_the_solution() {
    let workspace = Workspace::new("crlf-compare");
    workspace.write("labs/lab3-sse/src/lib.rs", &SOLVED_LIB.replace('\n', "\r\n"));
    workspace.write("labs/lab3-sse/web/client.js", &format!("\u{feff}{SOLVED_CLIENT}"));
    workspace.graded("passed", "passed");
    let text = workspace.says(&["compare", "3"]);
    assert_eq!(text, "the same: src/lib.rs, src/main.rs, web/client.js\n");
}

/// A stage that answers each request with the next of these; gives its address and what it was asked.
fn pretended(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (answer, line) in answers.iter().zip(listener.incoming()) {
            let mut line = line.expect("a connection");
            let mut part = [0; 4096];
            let length = line.read(&mut part).expect("a request");
            asked.push(String::from_utf8_lossy(&part[..length]).into_owned());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            line.write_all(format!("{head}{answer}").as_bytes()).expect("an answer");
        }
        asked
    });
    (address, answering)
}

#[test]
fn who_joins_keeps_a_secret_until_they_leave() {
    let workspace = Workspace::new("join");
    let kept = workspace.path("target/lab/class.json");
    let (address, answering) = pretended(&[
        r#"{"version":1,"name":"Sari","token":"0a"}"#,
        r#"{"version":1,"name":"Sari 2","token":"0b"}"#,
        "",
    ]);
    let text = workspace.says(&["join", &address, "--name", "Sari"]);
    assert!(text.starts_with(&format!("You are on the board of {address} as Sari.\n")), "{text}");
    assert!(text.contains("nothing of your code") && text.contains("target/lab/class.json"), "{text}");
    let text = workspace.says(&["join", &address, "--name", "Sari"]);
    assert!(text.contains(" as Sari 2."), "the name that the board has: {text}");
    assert!(kept.exists());
    let text = workspace.says(&["leave"]);
    assert!(text.contains("off the board"), "{text}");
    assert!(!kept.exists(), "nothing is told any more");

    let asked = answering.join().expect("it was asked three times");
    assert!(asked[0].starts_with("POST /class/join ") && !asked[0].contains("authorization"), "{}", asked[0]);
    assert!(
        asked[1].contains("authorization: Bearer 0a\r\n"),
        "who joins again keeps their place: {}",
        asked[1]
    );
    assert!(asked[2].starts_with("POST /class/leave ") && asked[2].contains("Bearer 0b"), "{}", asked[2]);
}

#[test]
fn who_cannot_join_is_told_why_and_keeps_what_they_had() {
    let workspace = Workspace::new("join-not");
    let kept = r#"{"address":"http://127.0.0.1:1","name":"Sari","token":"0a"}"#;
    workspace.write("target/lab/class.json", kept);
    for (address, says) in [
        ("http://127.0.0.1:1", "You have not joined: nobody answers at http://127.0.0.1:1"),
        ("https://127.0.0.1:1", "A stage speaks plain http"),
        ("ticker", "You have not joined: "),
        ("", "is not the address of a stage"),
    ] {
        let sentence = workspace.refuses(&["join", address, "--name", "Sari"]);
        assert!(sentence.contains(says), "{address}: {sentence}");
    }
    assert_eq!(workspace.read("target/lab/class.json"), kept);
    let text = workspace.says(&["leave"]);
    assert!(
        text.contains("it is told nothing more"),
        "the stage is gone, and one leaves all the same: {text}"
    );
    assert_eq!(workspace.says(&["leave"]), "You have joined no class.\n");
}

#[test]
fn reset_brings_a_deleted_file_back() {
    let workspace = Workspace::new("reset-deleted");
    fs::remove_file(workspace.path("labs/lab3-sse/web/client.js")).expect("removed");
    workspace.says(&["reset", "3"]);
    assert_eq!(workspace.read("labs/lab3-sse/web/client.js"), START_CLIENT);
}

#[test]
fn reset_at_the_start_does_nothing() {
    let workspace = Workspace::new("reset-nothing");
    let text = workspace.says(&["reset", "3"]);
    assert_eq!(text, "Lab 3 is at the start already.\n");
    assert!(!workspace.path("labs/lab3-sse/kept").exists(), "no empty copy");
}

#[test]
fn reset_changes_nothing_when_it_cannot_keep_a_copy() {
    let workspace = Workspace::new("reset-no-copy");
    workspace.write("labs/lab3-sse/src/lib.rs", "my work");
    workspace.write("labs/lab3-sse/kept", "a file where the folder must go");
    let before = workspace.students();
    let sentence = workspace.refuses(&["reset", "3"]);
    assert!(sentence.contains("your files are as they were"), "{sentence}");
    assert_eq!(workspace.students(), before, "not a byte has changed");
}

#[test]
fn reset_changes_nothing_when_the_start_does_not_fit() {
    let workspace = Workspace::new("reset-no-start");
    workspace.write("labs/lab3-sse/src/lib.rs", "my work");
    workspace.write("solutions/lab3-sse/src/lib.rs", "something else\n");
    let before = workspace.students();
    let sentence = workspace.refuses(&["reset", "3"]);
    assert!(sentence.contains("it no longer fits src/lib.rs"), "{sentence}");
    assert_eq!(workspace.students(), before, "not a byte has changed");
}

#[test]
fn reset_changes_nothing_when_a_folder_is_in_the_way() {
    let workspace = Workspace::new("reset-folder");
    workspace.write("labs/lab3-sse/src/lib.rs", "my work");
    fs::remove_file(workspace.path("labs/lab3-sse/web/client.js")).expect("removed");
    workspace.write("labs/lab3-sse/web/client.js/note.txt", "mine");
    let before = workspace.students();
    let sentence = workspace.refuses(&["reset", "3"]);
    assert!(sentence.contains("is a folder"), "{sentence}");
    assert_eq!(workspace.students(), before, "not a byte has changed");
}

#[cfg(unix)]
#[test]
fn reset_changes_nothing_in_a_folder_it_may_not_write() {
    use std::os::unix::fs::PermissionsExt;

    let workspace = Workspace::new("reset-read-only");
    workspace.write("labs/lab3-sse/src/lib.rs", "my work");
    workspace.write("labs/lab3-sse/web/client.js", "mine too");
    let before = workspace.students();
    let web = workspace.path("labs/lab3-sse/web");
    let allow = |mode| fs::set_permissions(&web, fs::Permissions::from_mode(mode));
    allow(0o555).expect("permissions");
    // The administrator may write everywhere; then there is nothing to refuse.
    let refused = fs::write(web.join("probe"), "").is_err();
    let output = workspace.lab(&["reset", "3"]);
    allow(0o755).expect("permissions");
    if refused {
        let sentence = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "it must refuse");
        assert!(sentence.contains("Nothing was changed"), "{sentence}");
        assert_eq!(workspace.students(), before, "not a byte has changed, in src/ either");
    }
}

#[cfg(unix)]
#[test]
fn reset_replaces_a_link_and_spares_what_it_points_to() {
    let workspace = Workspace::new("reset-link");
    workspace.write("elsewhere/lib.rs", "my work");
    let lib = workspace.path("labs/lab3-sse/src/lib.rs");
    fs::remove_file(&lib).expect("removed");
    std::os::unix::fs::symlink(workspace.path("elsewhere/lib.rs"), &lib).expect("a link");
    workspace.says(&["reset", "3"]);
    assert_eq!(workspace.read("elsewhere/lib.rs"), "my work", "outside of the lab");
    assert_eq!(workspace.read("labs/lab3-sse/src/lib.rs"), START_LIB);
}

// Compare

#[test]
fn compare_waits_until_the_lab_passes() {
    let workspace = Workspace::new("compare-refuses");
    let sentence = workspace.refuses(&["compare", "3"]);
    assert!(sentence.contains("has not been graded yet"), "{sentence}");
    workspace.graded("passed", "failed");
    let sentence = workspace.refuses(&["compare", "3"]);
    assert!(sentence.contains("1 of 2"), "{sentence}");
    assert!(sentence.contains("--spoil"), "and says how to insist: {sentence}");
    assert!(!sentence.contains("6100"), "it gives nothing away: {sentence}");
    workspace.graded("passed", "passed");
    let text = workspace.says(&["compare", "3"]);
    assert!(text.contains("+    let price = 6100;"), "{text}");
}

#[test]
fn compare_spoils_when_asked_to() {
    let workspace = Workspace::new("compare-spoils");
    let text = workspace.says(&["compare", "3", "--spoil"]);
    assert!(text.contains("-    todo!(\"TODO 1\")"), "yours: {text}");
    assert!(text.contains("+    let price = 6100;"), "the solution's: {text}");
    assert!(text.contains("the same: src/main.rs"), "the package's name is no difference: {text}");
}

#[test]
fn compare_stands_side_by_side_where_there_is_room() {
    let workspace = Workspace::new("compare-wide");
    let show = |columns: &str| {
        let mut command = workspace.command();
        command.args(["compare", "3", "--spoil"]).env("COLUMNS", columns);
        String::from_utf8(command.output().expect("it runs").stdout).expect("text")
    };
    let wide = show("120");
    let line = wide.lines().find(|line| line.contains("todo!(\"TODO 1\")"));
    assert!(
        line.is_some_and(|line| line.contains("let price = 6100;")),
        "yours and the solution's on one line:\n{wide}"
    );
    assert!(wide.lines().all(|line| line.chars().count() <= 120), "{wide}");
    let narrow = show("60");
    assert!(narrow.contains("@@"), "a unified diff instead:\n{narrow}");
}

// Watching and proving need a cargo. This one compiles nothing; what it "built" is a script that
// reads the package's files: `WRONG_1` in lib.rs and `WRONG_2` in client.js are wrong answers.
#[cfg(unix)]
mod with_a_pretended_cargo {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Child, Stdio};
    use std::sync::mpsc::{self, Receiver};
    use std::time::{Duration, Instant};

    use super::*;

    const CARGO: &str = r#"#!/bin/sh
echo "$@" >> "$CALLS"
if bad=$(grep -rl DOES_NOT_COMPILE . --include=*.rs | head -n 1) && [ -n "$bad" ]; then
  echo '{"reason":"compiler-message","package_id":"x#lab3@0.1.0","message":{"level":"error","rendered":"error: that is not Rust ('"$bad"')"}}'
  exit 101
fi
echo '{"reason":"compiler-artifact","target":{"name":"lab3","kind":["lib"]},"executable":null}'
echo '{"reason":"compiler-artifact","target":{"name":"grade","kind":["test"]},"executable":"'"$GRADE"'"}'
echo '{"reason":"build-finished","success":true}'
"#;

    const GRADE: &str = r#"#!/bin/sh
if [ "$1" = --clauses ]; then
  echo '[{"scene":"a_price","check":"todo_1_prices","file":"src/lib.rs","todo":1,"clauses":["1.number"]},{"scene":"somebody","check":"todo_2_live","file":"web/client.js","todo":2,"clauses":["2.live"]}]'
  exit
fi
one=passed two=passed
grep -q 'todo!' src/lib.rs && one=not_started
grep -q 'new Todo' web/client.js && two=not_started
grep -q WRONG_1 src/lib.rs && one=failed
grep -q WRONG_2 web/client.js && two=failed
[ -e web/DIES ] && echo 'thread main panicked' && exit 134
done=0
[ $one = passed ] && done=$((done+1))
[ $two = passed ] && done=$((done+1))
echo "verdict: $done of 2"
cat > "$LAB_REPORT" <<EOF
{"lab":"lab3","done":$done,"total":2,"checks":[
{"name":"todo_1_prices","todo":1,"file":"src/lib.rs","line":5,"contract":"Prices.","clause":"3.1.number","verdict":"$one","message":"A price is\na number."},
{"name":"todo_2_live","todo":2,"file":"web/client.js","line":2,"contract":"Live.","clause":"3.2.live","verdict":"$two","message":"Nobody is live."}]}
EOF
"#;

    const WRONG_LIB: &str = "\
# caught by: todo_1_prices
# breaks: 3.1.number
# misconception: A price is a word.
# says: price is a number
--- a/src/lib.rs
+++ b/src/lib.rs
@@ -4,5 +4,5 @@
 pub fn app() -> u32 {
     // ANCHOR: todo_1
-    let price = 6100;
-    price
+    // WRONG_1
+    0
     // ANCHOR_END: todo_1
";

    const WRONG_CLIENT: &str = "\
# caught by: todo_2_live
# breaks: 3.2.live
# misconception: Everybody
#   is live.
# says: Nobody is live
--- a/web/client.js
+++ b/web/client.js
@@ -1,5 +1,5 @@
 export function watchPrices() { // TODO 2: Says live.
   // ANCHOR: todo_2
-  return 'live';
+  return 'WRONG_2';
   // ANCHOR_END: todo_2
 }
";

    const RIGHT_CLIENT: &str = "\
# right because: quotes do not matter
# uses: 3.2.open.quotes
--- a/web/client.js
+++ b/web/client.js
@@ -1,5 +1,5 @@
 export function watchPrices() { // TODO 2: Says live.
   // ANCHOR: todo_2
-  return 'live';
+  return \"live\";
   // ANCHOR_END: todo_2
 }
";

    impl Workspace {
        /// A workspace with four wrong answers in each language and three right ones, all accepted.
        fn to_prove(name: &str) -> Self {
            let workspace = Self::with_cargo(name);
            for place in 1..=4 {
                workspace.answer(&format!("wrong/server-{place}.diff"), WRONG_LIB);
                workspace.answer(&format!("wrong/client-{place}.diff"), WRONG_CLIENT);
                workspace.answer(&format!("wrong/server-{place}.txt"), "A price is\na number.\n");
                workspace.answer(&format!("wrong/client-{place}.txt"), "Nobody is live.\n");
            }
            for place in 1..=3 {
                workspace.answer(&format!("also-right/quotes-{place}.diff"), RIGHT_CLIENT);
            }
            workspace
        }

        fn with_cargo(name: &str) -> Self {
            let workspace = Self::new(name);
            fs::remove_dir_all(workspace.path("labs/lab5-websocket")).expect("removed");
            for (name, script) in [("cargo", CARGO), ("grade", GRADE)] {
                workspace.write(name, script);
                let executable = fs::Permissions::from_mode(0o755);
                fs::set_permissions(workspace.path(name), executable).expect("permissions");
            }
            workspace
        }

        fn answer(&self, name: &str, text: &str) {
            self.write(&format!("solutions/lab3-sse/{name}"), text);
        }

        fn command_with_cargo(&self) -> Command {
            let mut command = self.command();
            command
                .env("CARGO", self.path("cargo"))
                .env("GRADE", self.path("grade"))
                .env("CALLS", self.path("calls"));
            command
        }

        /// What `cargo lab prove` prints, and whether it was content.
        fn prove(&self, arguments: &[&str]) -> (String, bool) {
            let mut command = self.command_with_cargo();
            let output = command.arg("prove").args(arguments).output().expect("it runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let error = String::from_utf8_lossy(&output.stderr);
            (format!("{text}{error}"), output.status.success())
        }
    }

    fn last(text: &str) -> &str {
        text.lines().last().unwrap_or_default()
    }

    #[test]
    fn prove_holds_for_a_whole_lab() {
        let workspace = Workspace::to_prove("prove");
        let (text, content) = workspace.prove(&[]);
        assert!(content, "{text}");
        assert_eq!(last(&text), "20 passed, 0 failed", "{text}");
        assert!(text.contains("4 wrong in Rust, 4 wrong in JavaScript, 3 also right"), "{text}");
        assert_eq!(workspace.read("labs/lab3-sse/src/lib.rs"), START_LIB);
        assert_eq!(workspace.read("solutions/lab3-sse/src/lib.rs"), SOLVED_LIB);
        let calls = workspace.read("calls");
        assert_eq!(
            calls.lines().filter(|call| !call.starts_with("clippy")).count(),
            3,
            "lab, solution and the four servers in one are built, and no client:\n{calls}"
        );
        let proving = workspace.path("target/prove/tree/Cargo.toml");
        let manifest = fs::read_to_string(proving).expect("the scratch workspace");
        assert!(manifest.contains("proving/labs/*"), "{manifest}");
    }

    #[test]
    fn prove_holds_in_a_clone_with_crlf() {
        let workspace = Workspace::to_prove("prove-crlf");
        let scripts = ["cargo", "grade"].map(|name| (name, workspace.read(name)));
        with_crlf(&workspace);
        for (name, script) in scripts {
            workspace.write(name, &script);
        }
        let (text, content) = workspace.prove(&["--strict"]);
        assert!(content, "{text}");
        assert_eq!(last(&text), "20 passed, 0 failed", "{text}");
    }

    #[test]
    fn prove_counts_the_clauses_that_are_covered() {
        let workspace = Workspace::to_prove("prove-coverage");
        let (text, _) = workspace.prove(&[]);
        assert!(text.contains("contract coverage: 3 of 3 clauses"), "{text}");
        // A clause that no scene checks and no answer breaks, and one left open that nobody uses.
        let more = format!("{CONTRACT}- `2.once`: Once.\n- `2.open.case`: Which case.\n");
        workspace.write("labs/lab3-sse/contract.md", &more);
        let (text, content) = workspace.prove(&["--accept"]);
        assert!(!content, "{text}");
        assert!(text.contains("! 3.2.once"), "{text}");
        assert!(text.contains("! 3.2.open.case"), "{text}");
        assert!(text.contains("contract coverage: 3 of 5 clauses"), "{text}");
    }

    #[test]
    fn prove_fails_when_one_text_says_something_else() {
        let places = [
            ("labs/lab3-sse/README.md", "A price is a number.", "README.md is not what contract.md"),
            ("labs/lab3-sse/tests/start.txt", "TODO 2: ", "start.txt is not what contract.md"),
            (
                "labs/lab3-sse/contract.md",
                "Serves prices.",
                "No comment in the lab's files begins like this: TODO 1",
            ),
            ("book/src/03-which.md", "contract.md:2", "03-which.md lacks the line {{#contract"),
        ];
        for (path, words, complaint) in places {
            let workspace = Workspace::to_prove("prove-one-text");
            let text = workspace.read(path).replacen(words, "Something else", 1);
            workspace.write(path, &text);
            let (text, content) = workspace.prove(&[]);
            assert!(!content, "{path}: {text}");
            assert!(text.contains(complaint), "{path}: {text}");
        }
    }

    #[test]
    fn prove_accepts_a_readme_and_fingerprints_made_anew() {
        let workspace = Workspace::to_prove("prove-accepts-texts");
        workspace.write("labs/lab3-sse/README.md", &README.replace("A price", "A prize"));
        workspace.write("labs/lab3-sse/tests/start.txt", "");
        let (text, content) = workspace.prove(&["--accept"]);
        assert!(content, "{text}");
        assert_eq!(workspace.read("labs/lab3-sse/README.md"), README);
    }

    #[test]
    fn prove_fails_when_the_message_is_of_another_clause() {
        let workspace = Workspace::to_prove("prove-clause");
        let other = WRONG_LIB.replace("# breaks: 3.1.number", "# breaks: 3.2.live");
        workspace.answer("wrong/server-2.diff", &other);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("It breaks 3.2.live, and the message is of 3.1.number"), "{text}");
    }

    #[test]
    fn prove_fails_for_a_wrong_answer_that_nobody_catches() {
        let workspace = Workspace::to_prove("prove-uncaught");
        let harmless = WRONG_CLIENT.replace("WRONG_2", "harmless");
        workspace.answer("wrong/client-1.diff", &harmless);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("todo_2_live passed, and should have failed"), "{text}");
        assert_eq!(last(&text), "19 passed, 1 failed", "{text}");
    }

    #[test]
    fn prove_fails_when_the_wrong_test_catches() {
        let workspace = Workspace::to_prove("prove-other");
        let other = WRONG_CLIENT.replace("todo_2_live", "todo_1_prices");
        workspace.answer("wrong/client-1.diff", &other);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("todo_2_live: failed"), "it says which did: {text}");
    }

    #[test]
    fn prove_fails_when_other_tests_fail_too_unless_allowed() {
        let workspace = Workspace::to_prove("prove-both");
        let (_, hunk) = WRONG_LIB.split_once("---").expect("a header");
        let both = format!("{WRONG_CLIENT}---{hunk}");
        workspace.answer("wrong/client-1.diff", &both);
        let (text, content) = workspace.prove(&["--only", "client-1"]);
        assert!(!content, "{text}");
        assert!(text.contains("# also fails: NAME"), "{text}");
        let allowed = format!("# also fails: todo_1_prices\n{both}");
        workspace.answer("wrong/client-1.diff", &allowed);
        let (text, content) = workspace.prove(&["--only", "client-1"]);
        assert!(content, "{text}");
        assert_eq!(last(&text), "2 passed, 0 failed", "{text}");
    }

    #[test]
    fn prove_fails_when_the_message_is_not_to_the_point() {
        let workspace = Workspace::to_prove("prove-says");
        let other = WRONG_LIB.replace("price is a number", "words are not numbers");
        workspace.answer("wrong/server-2.diff", &other);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("The message does not say `words are not numbers`"), "{text}");
    }

    #[test]
    fn prove_compares_what_students_see_with_what_was_stored() {
        let workspace = Workspace::to_prove("prove-stored");
        workspace.answer("wrong/server-2.txt", "A price is\na word.\n");
        let (text, content) = workspace.prove(&["3"]);
        assert!(!content, "{text}");
        assert!(text.contains("-a word."), "the difference is shown: {text}");
        assert!(text.contains("+a number."), "the difference is shown: {text}");
        let (text, content) = workspace.prove(&["3", "--accept"]);
        assert!(content, "{text}");
        let stored = workspace.read("solutions/lab3-sse/wrong/server-2.txt");
        assert_eq!(stored, "A price is\na number.\n", "accepted");
    }

    #[test]
    fn answers_without_a_header_are_only_tried() {
        let workspace = Workspace::to_prove("prove-try");
        workspace.write("new/caught.diff", &WRONG_CLIENT.replace("# breaks: 3.2.live\n", "# any words\n"));
        workspace.write("new/not-caught.diff", &WRONG_LIB.replace("WRONG_1", "harmless"));
        workspace.write("new/odd.diff", "no diff\n");
        let (text, content) = workspace.prove(&["3", "--try", "new"]);
        assert!(!content, "one does not apply: {text}");
        assert!(text.contains("caught by todo_2_live (3.2.live)"), "{text}");
        assert!(text.contains("passes everything"), "{text}");
        assert_eq!(last(&text), "1 passed, 1 failed", "{text}");
    }

    #[test]
    fn prove_fails_for_a_right_answer_that_is_refused() {
        let workspace = Workspace::to_prove("prove-refused");
        let refused = RIGHT_CLIENT.replace("\"live\"", "'WRONG_2'");
        workspace.answer("also-right/quotes-2.diff", &refused);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("Nobody is live."), "the message is shown: {text}");
        assert_eq!(last(&text), "19 passed, 1 failed", "{text}");
    }

    #[test]
    fn prove_fails_for_an_incomplete_or_unknown_header() {
        let workspace = Workspace::to_prove("prove-header");
        let silent = WRONG_LIB.replace("# says: price is a number\n", "");
        workspace.answer("wrong/server-1.diff", &silent);
        let odd = format!("# colour: red\n{WRONG_LIB}");
        workspace.answer("wrong/server-2.diff", &odd);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("lacks the line `# says: …`"), "{text}");
        assert!(text.contains("do not know the header line `# colour: …`"), "{text}");
    }

    #[test]
    fn prove_shows_the_compilers_words() {
        let workspace = Workspace::to_prove("prove-compiler");
        let broken = WRONG_LIB.replace("WRONG_1", "DOES_NOT_COMPILE");
        workspace.answer("wrong/server-3.diff", &broken);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("error: that is not Rust"), "{text}");
        assert_eq!(last(&text), "19 passed, 1 failed", "the others go on: {text}");
    }

    #[test]
    fn prove_says_when_checks_die_without_a_report() {
        let workspace = Workspace::to_prove("prove-dies");
        let dies = "# right because: it is not\n--- /dev/null\n+++ b/web/DIES\n@@ -0,0 +1 @@\n+x\n";
        workspace.answer("also-right/dies.diff", dies);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("before they could report"), "{text}");
        assert!(text.contains("thread main panicked"), "with its last words: {text}");
        assert_eq!(last(&text), "20 passed, 1 failed", "the others go on: {text}");
    }

    #[test]
    fn prove_spares_a_lab_that_is_being_edited_unless_strict() {
        let workspace = Workspace::to_prove("prove-edited");
        workspace.write("labs/lab3-sse/src/lib.rs", "// my own work WRONG_1");
        let (text, content) = workspace.prove(&[]);
        assert!(content, "{text}");
        assert!(text.contains("src/lib.rs edited; proving the start"), "{text}");
        assert_eq!(last(&text), "19 passed, 0 failed", "{text}");
        let (text, content) = workspace.prove(&["--strict"]);
        assert!(!content, "{text}");
        assert!(text.contains("+// my own work"), "with the difference: {text}");
        let work = workspace.read("labs/lab3-sse/src/lib.rs");
        assert_eq!(work, "// my own work WRONG_1", "untouched");
    }

    #[test]
    fn prove_fails_when_lab_and_solution_drift_apart() {
        let workspace = Workspace::to_prove("prove-drift");
        let path = "solutions/lab3-sse/start.diff";
        let drifted = workspace
            .read(path)
            .replace(" pub fn app() -> u32 {", "-pub fn app() -> u32 {\n+pub fn app() -> u64 {");
        workspace.write(path, &drifted);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("src/lib.rs differs outside of its TODO regions"), "{text}");
    }

    #[test]
    fn a_start_written_anew_is_the_lab_as_it_is() {
        let workspace = Workspace::to_prove("prove-write-start");
        workspace.write("solutions/lab3-sse/start.diff", "of another time\n");
        let (text, content) = workspace.prove(&["3", "--write-start", "--strict"]);
        assert!(content, "{text}");
        assert_eq!(last(&text), "20 passed, 0 failed", "{text}");
        let written = workspace.read("solutions/lab3-sse/start.diff");
        assert!(!written.contains("main.rs"), "the name goes without saying: {written}");
    }

    #[test]
    fn prove_fails_when_snapshots_drift_apart() {
        let workspace = Workspace::to_prove("prove-snapshots");
        workspace.write("labs/lab3-sse/tests/snapshots/a.snap", "one");
        workspace.answer("tests/snapshots/a.snap", "two");
        workspace.answer("tests/snapshots/b.snap", "more");
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("a.snap is not the same in lab and solution"), "{text}");
        assert!(text.contains("b.snap is not the same in lab and solution"), "{text}");
    }

    #[test]
    fn a_stored_message_names_the_lab_and_not_the_copy_that_was_proved() {
        let workspace = Workspace::to_prove("prove-place");
        let script =
            workspace.read("grade").replace("Nobody is live", "proving/solutions/lab3-sse/src/lib.rs:5");
        workspace.write("grade", &script);
        let answer = WRONG_CLIENT.replace("# says: Nobody is live", "# says: lib.rs:5");
        workspace.answer("wrong/client-1.diff", &answer);
        let (text, content) = workspace.prove(&["--only", "client-1", "--accept"]);
        assert!(content, "{text}");
        let stored = workspace.read("solutions/lab3-sse/wrong/client-1.txt");
        assert_eq!(stored, "labs/lab3-sse/src/lib.rs:5.\n");
    }

    #[test]
    fn prove_fails_for_a_start_that_is_not_quite_one() {
        let workspace = Workspace::to_prove("prove-start");
        let path = "solutions/lab3-sse/start.diff";
        let drifted = workspace.read(path).replace("throw new Todo(2);", "return 'live';;");
        workspace.write(path, &drifted);
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("todo_2_live: passed"), "it is solved already: {text}");
    }

    #[test]
    fn prove_fails_for_too_few_answers() {
        let workspace = Workspace::to_prove("prove-few");
        fs::remove_file(workspace.path("solutions/lab3-sse/wrong/client-4.diff")).expect("gone");
        let (text, content) = workspace.prove(&[]);
        assert!(!content, "{text}");
        assert!(text.contains("at least 4, 4 and 3 are needed"), "{text}");
    }

    #[test]
    fn mutants_are_a_command_of_their_own() {
        let workspace = Workspace::to_prove("prove-mutants");
        let (text, content) = workspace.prove(&["3", "--mutants", "--sample", "5", "--seed", "7"]);
        assert!(content, "{text}");
        let call = "run --quiet --package grader --features mutants --bin mutants -- --color never 3 --sample=5 --seed=7";
        assert_eq!(workspace.read("calls").trim_end(), call, "with what was asked for");
    }

    #[test]
    fn prove_of_a_name_that_is_not_there_says_so() {
        let workspace = Workspace::to_prove("prove-nobody");
        let (text, content) = workspace.prove(&["--only", "nobody"]);
        assert!(!content, "{text}");
        assert!(text.contains("No answer has `nobody` in its name"), "{text}");
    }

    /// A running `cargo lab watch 3`, ended when dropped.
    struct Watch {
        child: Child,
        lines: Receiver<String>,
    }

    impl Watch {
        fn start(workspace: &Workspace) -> Self {
            let mut command = workspace.command_with_cargo();
            let mut child = command
                .args(["watch", "3"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            let stdout = child.stdout.take().expect("a pipe");
            let (send, lines) = mpsc::channel();
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
            Self { child, lines }
        }

        /// Waits until it prints a line with this text and is ready for the next save.
        fn until(&self, text: &str) {
            let end = Instant::now() + Duration::from_secs(20);
            let mut read = Vec::new();
            let mut found = false;
            loop {
                let left = end.saturating_duration_since(Instant::now());
                let Ok(line) = self.lines.recv_timeout(left) else {
                    panic!("no `{text}` in {read:#?}");
                };
                found |= line.contains(text);
                if found && line.contains("Ctrl-C ends") {
                    return;
                }
                read.push(line);
            }
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            // It may have ended by itself, which the test has noticed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn watch_grades_a_client_without_building_and_a_server_after_it() {
        let workspace = Workspace::with_cargo("watch");
        let watch = Watch::start(&workspace);
        watch.until("verdict: 0 of 2");
        let calls = || workspace.read("calls").lines().count();
        assert_eq!(calls(), 1, "built once at the beginning");

        let saved = Instant::now();
        workspace.write("labs/lab3-sse/web/client.js", SOLVED_CLIENT);
        watch.until("verdict: 1 of 2");
        let took = saved.elapsed();
        assert_eq!(calls(), 1, "a client needs no build");
        assert!(took < Duration::from_millis(500), "it took {took:?}");

        workspace.write("labs/lab3-sse/src/lib.rs", SOLVED_LIB);
        watch.until("verdict: 2 of 2");
        assert_eq!(calls(), 2, "a server does");

        workspace.write("labs/lab3-sse/src/lib.rs", "DOES_NOT_COMPILE");
        watch.until("error: that is not Rust");
        workspace.write("labs/lab3-sse/src/lib.rs", SOLVED_LIB);
        watch.until("verdict: 2 of 2");
        drop(watch);

        let status = workspace.says(&[]);
        assert!(status.contains("2 of 2"), "the result is remembered: {status}");
    }

    #[test]
    fn watch_goes_on_when_the_checks_die() {
        let workspace = Workspace::with_cargo("watch-dies");
        let watch = Watch::start(&workspace);
        watch.until("verdict: 0 of 2");
        workspace.write("labs/lab3-sse/web/DIES", "");
        watch.until("before they could report");
        fs::remove_file(workspace.path("labs/lab3-sse/web/DIES")).expect("removed");
        watch.until("verdict: 0 of 2");
    }
}
