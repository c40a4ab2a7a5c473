//! Small solutions and what is made of them.

use std::collections::BTreeSet;

use crate::schemata::{self, Schemata};
use crate::source::{Mutant, mutants, regions};

/// What each mutant of a client with this body has that the body has not, line by line.
fn client(body: &str) -> Vec<String> {
    changes(
        "web/client.js",
        &format!("function f() {{\n// ANCHOR: todo_1\n{body}\n// ANCHOR_END: todo_1\n}}\n"),
    )
}

/// The same of a server.
fn server(body: &str) -> Vec<String> {
    changes("src/lib.rs", &format!("fn f() {{\n// ANCHOR: todo_1\n{body}\n// ANCHOR_END: todo_1\n}}\n"))
}

fn changes(file: &str, text: &str) -> Vec<String> {
    mutants(file, text).iter().map(|mutant| mutant.name.hunk.new.join(" ")).collect()
}

#[track_caller]
fn assert_made(made: &[String], expected: &[&str]) {
    let made: BTreeSet<_> = made.iter().map(String::as_str).collect();
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    assert_eq!(made, expected);
}

#[test]
fn regions_are_found_by_their_todo() {
    let text =
        "a\n// ANCHOR: todo_12_say\nb\n// ANCHOR_END: todo_12_say\n// ANCHOR: app\nc\n// ANCHOR_END: app\n";
    let found: Vec<_> =
        regions(text).iter().map(|region| (region.todo, &text[region.range.clone()])).collect();
    assert_eq!(found, [(12, "b\n")], "only a TODO's");
}

#[test]
fn nothing_outside_of_a_region_is_changed() {
    let text = "f(1);\n// ANCHOR: todo_3\ng(h);\n// ANCHOR_END: todo_3\nf(2);\n";
    let made = mutants("web/client.js", text);
    let names: Vec<_> = made.iter().map(|mutant| mutant.name.to_string()).collect();
    assert_eq!(
        names,
        ["TODO 3 in web/client.js\n- g(h);\n", "TODO 3 in web/client.js\n- g(h);\n+ g();\n"],
        "named by TODO and lines"
    );
}

#[test]
fn two_that_read_the_same_are_counted() {
    let made = mutants("a.js", "// ANCHOR: todo_1\nstop();\ngo();\nstop();\n// ANCHOR_END: todo_1\n");
    let stops: Vec<_> = made
        .iter()
        .filter(|mutant| mutant.name.hunk.old == ["stop();"])
        .map(|mutant| mutant.name.nth)
        .collect();
    assert_eq!(stops, [1, 2]);
}

#[test]
fn comments_are_no_part_of_a_name() {
    let made = mutants("a.js", "{\n// ANCHOR: todo_1\nstop();\n// Why.\ngo();\n// ANCHOR_END: todo_1\n}\n");
    let swapped = made.iter().find(|mutant| mutant.name.hunk.new.len() == 2).expect("the two change places");
    assert_eq!(swapped.name.hunk.to_string(), "- stop();\n- go();\n+ go();\n+ stop();\n");
}

#[test]
fn a_condition_is_always_and_never_true_and_the_contrary() {
    assert_made(
        &client("if (a) return;"),
        &["", "if (true) return;", "if (false) return;", "if (!(a)) return;", "if (a) {}"],
    );
    assert_made(
        &client("while (a < b && c) f();"),
        &[
            "",
            "while (true) f();",
            "while (false) f();",
            "while (!(a < b && c)) f();",
            "while (a < b || c) f();",
            "while (a < b) f();",
            "while (c) f();",
            "while (a <= b && c) f();",
            "while (a >= b && c) f();",
            "while (a < b && c) {}",
        ],
    );
}

#[test]
fn values_and_operators_of_a_client() {
    assert_made(
        &client("let a = b ?? 12;"),
        &[
            "let a = b;",
            "let a = 12;",
            "let a = b ?? 13;",
            "let a = b ?? 11;",
            "let a = b ?? 0;",
            "let a = b ?? 24;",
            "let a = b ?? 6;",
        ],
    );
    assert_made(&client("let a = `${b} and`;"), &["let a = ` and`;", "let a = `${b}`;"]);
    assert_made(
        &client("let a = [...b, ...c];"),
        &["let a = [...c, ...b];", "let a = [ ...c];", "let a = [...b];"],
    );
    assert_made(&client("let a = [b, c];"), &["let a = [ c];", "let a = [b];"]);
    assert_made(&client("let a = b?.c;"), &["let a = b.c;"]);
    assert_made(&client("let a = 'x y';"), &["let a = '';"]);
    assert_made(&client("let a = 'x';"), &["let a = '';", "let a = 'mutant';"]);
}

#[test]
fn calls_of_a_client() {
    assert_made(
        &client("await f(a, { once: true });"),
        &[
            "",
            "f(a, { once: true });",
            "await a;",
            "await f( { once: true });",
            "await f(a);",
            "await f(a, {  });",
            "await f(a, { once: false });",
        ],
    );
    assert_made(
        &client("let a = b.filter((c) => c.d);"),
        &[
            "let a = b;",
            "let a = b.filter();",
            "let a = b.filter((c) => {});",
            "let a = b.filter((c) => true);",
            "let a = b.filter((c) => false);",
        ],
    );
}

#[test]
fn statements_of_a_client() {
    assert_made(&client("a();\nb();"), &["", "b(); a();"]);
    assert_made(&client("for (;;) {\n  break;\n}"), &["", "continue;"]);
    assert_made(&client("return a;"), &["", "return;"]);
    assert_made(
        &client("try { a(); } catch { b(); }"),
        &["", "{ a(); }", "try { a(); } catch {}", "try {  } catch { b(); }", "try { a(); } catch {  }"],
    );
    assert_made(
        &client("let a = /^b+$/i;"),
        &[
            "let a = /(?:)/i;",
            "let a = /(?!)/i;",
            "let a = /b+$/i;",
            "let a = /^b*$/i;",
            "let a = /^b$/i;",
            "let a = /^b+/i;",
            "let a = /^b+$/;",
        ],
    );
}

#[test]
fn statements_and_guards_of_a_server() {
    assert_made(&server("a();\nb();"), &["", "b(); a();"]);
    assert_made(
        &server("match a {\n    Some(b) if b < 1 => {}\n    _ => c(d),\n}"),
        &[
            "",
            "Some(b) => {}",
            "Some(b) if true => {}",
            "Some(b) if false => {}",
            "Some(b) if b <= 1 => {}",
            "Some(b) if b >= 1 => {}",
            "Some(b) if b < 2 => {}",
            "Some(b) if b < 0 => {}",
            "_ => d,",
        ],
    );
}

#[test]
fn chains_and_results_of_a_server() {
    assert_made(
        &server("Ok(a.filter(|b| c).next())"),
        &[
            "Err(a.filter(|b| c).next())",
            "Ok(a.filter(|b| c))",
            "Ok(a.next())",
            "Ok(a.filter(|b| true).next())",
            "Ok(a.filter(|b| false).next())",
        ],
    );
}

#[test]
fn what_a_panic_would_say_is_left_alone() {
    assert_made(&server("a.expect(\"it is there\")"), &["a", "\"it is there\""]);
}

#[test]
fn macros_of_a_server_are_taken_apart() {
    assert_made(
        &server("json!({ \"a\": b(1), \"c\": d })"),
        &[
            "json!({  \"c\": d })",
            "json!({ \"a\": b(1),  })",
            "json!({ \"a\": 1, \"c\": d })",
            "json!({ \"a\": b(2), \"c\": d })",
            "json!({ \"a\": b(0), \"c\": d })",
        ],
    );
    let made = server(
        "tokio::select! {\n    a = b(), if c => {\n        d();\n        e();\n    }\n    f = g => h.i(),\n}",
    );
    for line in
        ["", "a = b() => {", "a = b(), if false => {", "a = b(), if !(c) => {", "e(); d();", "f = g => h,"]
    {
        assert!(made.iter().any(|made| made == line), "`{line}` is missing: {made:#?}");
    }
}

const SERVER: &str = "\
fn a() -> u32 {
    // ANCHOR: todo_1
    1
    // ANCHOR_END: todo_1
}
fn b() -> impl Stream<Item = u32> {
    // ANCHOR: todo_2
    once(async {
        2
    })
    // ANCHOR_END: todo_2
}
";

#[test]
fn a_server_has_its_mutants_beside_the_original() {
    let made = mutants("src/lib.rs", SERVER);
    let held: Vec<(usize, &Mutant, _)> = (1..)
        .zip(&made)
        .filter_map(|(number, mutant)| Some((number, mutant, schemata::block(SERVER, mutant)?)))
        .collect();
    let blocks: BTreeSet<_> = held.iter().map(|(.., block)| &SERVER[block.clone()]).collect();
    assert_eq!(
        blocks,
        BTreeSet::from([
            "{\n    // ANCHOR: todo_1\n    1\n    // ANCHOR_END: todo_1\n}",
            "{\n        2\n    }"
        ]),
        "the function's body, and the async block's where the function's type is its body's"
    );
    let alone: Vec<_> = made.iter().filter(|mutant| schemata::block(SERVER, mutant).is_none()).collect();
    assert_eq!(alone.len(), 1, "`once(…)` without its call is built alone: {alone:?}");

    let written = Schemata::of(SERVER, &held, true);
    let line = |text: &str| written.text.lines().position(|line| line == text).map(|at| at + 1).expect(text);
    let error = |line: usize| format!("error: no\n  --> a/src/lib.rs:{line}:9\n   |\n{line} | x\n   | ^\n");
    let zero = line("    0");
    let number = |zero: usize| written.blamed("src/lib.rs", &error(zero));
    let [blamed] = number(zero)[..] else { panic!("one is blamed for a line of its own") };
    assert_eq!(made[blamed - 1].edit.with, "0");
    assert!(number(line("    1")).is_empty(), "nobody is blamed for the original");
    let elsewhere = format!("error: no\n --> a/src/lib.rs:1:1\n  |\n1 | x\n  | -\n...\n{zero} | x\n  | ^\n");
    assert_eq!(written.blamed("src/lib.rs", &elsewhere), [blamed], "what is shown beside counts, too");
    assert!(written.blamed("src/other.rs", &error(zero)).is_empty(), "in that file only");
}
