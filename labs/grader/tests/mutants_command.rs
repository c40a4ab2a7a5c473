//! `cargo lab prove --mutants` on a workspace of its own: a small lab, and a cargo and a grader that only pretend.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its mutants are, in this order: 6101, 6099, 0, 12200 and 3050.
const LIB: &str = "\
pub fn app() -> u32 {
    // ANCHOR: todo_1
    6100
    // ANCHOR_END: todo_1
}
";

/// Its mutants are: without the statement, `return;`, `''` and `'mutant'`.
const CLIENT: &str = "\
export function watchPrices() {
  // ANCHOR: todo_2
  return 'live';
  // ANCHOR_END: todo_2
}
";

/// To this compiler 0 is no price. It says so at its place, as the real one does.
const CARGO: &str = r#"#!/bin/sh
line=$(grep -n '^    0$' proving/solutions/lab3-sse/src/lib.rs | cut -d: -f1)
if [ -n "$line" ]; then
  echo '{"reason":"compiler-message","package_id":"x#lab3-solution@0.1.0","message":{"level":"error","rendered":"error: no price\n --> proving/solutions/lab3-sse/src/lib.rs:'$line':5\n"}}'
  exit 101
fi
echo '{"reason":"compiler-artifact","target":{"name":"grade","kind":["test"]},"executable":"'"$GRADE"'"}'
echo '{"reason":"build-finished","success":true}'
"#;

/// Catches every client but one, and the servers whose numbers are in `CAUGHT`.
const GRADE: &str = r#"#!/bin/sh
[ "$1" = --fail-fast ] || exit 2
case " $CAUGHT " in *" $LAB_MUTANT "*) echo "failed todo_1_prices"; exit 1;; esac
grep -q "return 'live'" web/client.js && echo passed && exit
grep -q "return 'mutant'" web/client.js && echo passed && exit
grep -q "return ''" web/client.js && echo "failed both_halves" && exit 1
grep -q "return;" web/client.js && kill -SEGV $$
echo "failed todo_2_live"
exit 1
"#;

const HOLE: &str = "TODO 2 in web/client.js\n- return 'live';\n+ return 'mutant';\n";

struct Workspace {
    root: PathBuf,
}

impl Workspace {
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if root.exists() {
            fs::remove_dir_all(&root).expect("the last run's folder can be removed");
        }
        let workspace = Self { root };
        workspace.write("Cargo.toml", "[workspace]\nmembers = [\n    \"labs/lab3-sse\",\n]\n");
        for (side, package) in [("labs", "lab3"), ("solutions", "lab3-solution")] {
            workspace
                .write(&format!("{side}/lab3-sse/Cargo.toml"), &format!("[package]\nname = \"{package}\"\n"));
            workspace.write(&format!("{side}/lab3-sse/src/lib.rs"), LIB);
            workspace.write(&format!("{side}/lab3-sse/web/client.js"), CLIENT);
        }
        for (name, script) in [("cargo", CARGO), ("grade", GRADE)] {
            workspace.write(name, script);
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(workspace.root.join(name), executable).expect("permissions");
        }
        workspace
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folder");
        fs::write(&path, text).expect("file");
    }

    fn list(&self, text: &str) {
        self.write("solutions/lab3-sse/mutants.txt", text);
    }

    /// What it prints, and whether it was content. `caught` are the numbers of the servers that are.
    fn prove(&self, caught: &str, arguments: &[&str]) -> (String, bool) {
        let output = Command::new(env!("CARGO_BIN_EXE_mutants"))
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO", self.root.join("cargo"))
            .env("GRADE", self.root.join("grade"))
            .env("CAUGHT", caught)
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        (format!("{text}{error}"), output.status.success())
    }
}

/// The server's that compile.
const ALL: &str = "1 2 4 5";

#[test]
fn what_no_check_notices_is_shown_and_fails() {
    let workspace = Workspace::new("mutants-hole");
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(!content, "there is a hole: {text}");
    assert!(text.contains("return 'mutant';"), "it is shown: {text}");
    let client = text.lines().find(|line| line.starts_with("  client")).expect("a row");
    assert!(
        client
            .contains("4 made, 3 killed (2 only by another TODO's check, 1 stopped), 0 listed, 1 not listed"),
        "{client}"
    );
    let server = text.lines().find(|line| line.starts_with("  server")).expect("a row");
    assert!(server.contains("passed"), "{server}");
    assert!(server.contains("4 made, 4 killed"), "what does not compile is none: {server}");
    assert!(server.contains("1 more do not compile"), "and is counted apart: {server}");
    assert!(text.trim_end().ends_with("7 passed, 1 failed"), "{text}");
    let untouched =
        fs::read_to_string(workspace.root.join("solutions/lab3-sse/web/client.js")).expect("the file");
    assert_eq!(untouched, CLIENT, "everything happens on copies");
}

#[test]
fn what_only_another_check_notices_is_shown_when_asked_for() {
    let workspace = Workspace::new("mutants-elsewhere");
    let words = "Only both_halves notices this one:\n      TODO 2 in web/client.js\n      - return 'live';\n      + return '';\n";
    let (text, _) = workspace.prove(ALL, &["--elsewhere"]);
    assert!(text.contains(words), "{text}");
    let (text, _) = workspace.prove(ALL, &[]);
    assert!(!text.contains("Only both_halves"), "and else only counted: {text}");
}

#[test]
fn a_server_that_survives_is_shown_by_its_lines() {
    let workspace = Workspace::new("mutants-server");
    let (text, content) = workspace.prove("1 2 5", &["3", "--only", "src/lib.rs"]);
    assert!(!content, "{text}");
    assert!(text.contains("TODO 1 in src/lib.rs\n      - 6100\n      + 12200\n"), "number 4 it was: {text}");
    assert!(!text.contains("client"), "only what was asked for: {text}");
}

#[test]
fn what_is_listed_with_a_reason_passes() {
    let workspace = Workspace::new("mutants-listed");
    workspace.list(&format!("{HOLE}equivalent: nobody reads it\n"));
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(content, "{text}");
    assert!(text.contains("1 listed, 0 not listed"), "{text}");
    workspace.list(HOLE);
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(!content && text.contains("no reason"), "not without one: {text}");
}

#[test]
fn an_open_clause_is_one_of_the_contract() {
    let workspace = Workspace::new("mutants-clause");
    workspace.write("labs/lab3-sse/contract.md", "- `3.2.open.word`: which word it is\n");
    workspace.list(&format!("{HOLE}open: 3.2.open.word\n"));
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(content, "{text}");
    workspace.list(&format!("{HOLE}open: 3.2.open.wrod\n"));
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(!content && text.contains("no clause `3.2.open.wrod`"), "{text}");
}

#[test]
fn an_entry_that_is_no_longer_needed_is_reported() {
    let workspace = Workspace::new("mutants-stale");
    let caught = "TODO 2 in web/client.js\n- return 'live';\n+ return '';\nequivalent: it was once\n";
    let unknown = "TODO 2 in web/client.js\n- return 'dead';\nequivalent: it was once\n";
    workspace.list(&format!("{HOLE}equivalent: nobody reads it\n\n{caught}\n{unknown}"));
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(!content, "{text}");
    assert!(text.contains("lists this one, and both_halves catches it"), "caught by now: {text}");
    assert!(text.contains("lists what is no mutant of the solution"), "gone by now: {text}");
    assert!(text.contains("- return 'dead';"), "it is shown: {text}");
    assert!(text.trim_end().ends_with("7 passed, 2 failed"), "each is a failure: {text}");
}

#[test]
fn a_sample_is_drawn_and_can_be_drawn_again() {
    let workspace = Workspace::new("mutants-sample");
    let (text, _) = workspace.prove(ALL, &["--sample", "3"]);
    let first = text.lines().next().expect("a line");
    let seed = first.strip_prefix("3 of 9 mutants, drawn with --seed ").expect(first);
    let (again, _) = workspace.prove(ALL, &["--sample", "3", "--seed", seed]);
    let without_time = |text: &str| {
        let words = text.split_whitespace().filter(|word| word.parse::<f32>().is_err());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_time(&text), without_time(&again), "the same ones");
}

#[test]
fn a_solution_that_does_not_pass_says_so() {
    let workspace = Workspace::new("mutants-red");
    workspace.write("solutions/lab3-sse/web/client.js", &CLIENT.replace("'live'", "''"));
    let (text, content) = workspace.prove(ALL, &[]);
    assert!(!content && text.contains("The solution itself does not pass both_halves."), "{text}");
}
