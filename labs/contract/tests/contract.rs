//! What the reader of a contract accepts, and what it says of the rest.

use contract::{Contract, readme};

const TEXT: &str = "\
# The contract of lab 3

At once is within 50 ms.

## 1 · Each update is an event

Each update is one event: type `price`,
its number as ID.

- `1.one-event`: Every update becomes one event,
  in order.
- `1.open.order`: The order of fields.

## 2 · Nothing missed

A client gets what it missed.

- `2.once`: Each update once.

## Both halves · Through a cut

Every price once.
";

#[test]
fn sections_summaries_and_clauses_are_read_across_lines() {
    let contract = Contract::parse(TEXT).expect("it is a contract");
    assert_eq!(contract.sections.len(), 3);
    let first = contract.section(Some(1)).expect("TODO 1 has a section");
    assert_eq!(first.title, "Each update is an event");
    assert_eq!(first.summary, "Each update is one event: type `price`, its number as ID.");
    assert_eq!(first.clauses[0].text, "Every update becomes one event, in order.");
    assert!(!first.clauses[0].is_open());
    assert!(first.clauses[1].is_open());
    assert_eq!(contract.clause("2.once").map(contract::Clause::todo), Some(2));
    assert_eq!(contract.section(None).map(|both| both.summary.as_str()), Some("Every price once."));
}

#[test]
fn a_readme_shows_the_sections_asked_for_with_full_names() {
    let contract = Contract::parse(TEXT).expect("it is a contract");
    assert_eq!(
        readme(&contract, 3, 1..=1),
        "### 1 · Each update is an event\n\n\
         Each update is one event: type `price`, its number as ID.\n\n\
         - Every update becomes one event, in order. `3.1.one-event`\n\
         - *Open:* The order of fields. `3.1.open.order`\n\n"
    );
}

#[test]
fn carriage_returns_change_nothing() {
    let with = TEXT.replace('\n', "\r\n");
    assert_eq!(Contract::parse(&with), Contract::parse(TEXT));
}

#[test]
fn each_fault_names_its_line() {
    let faults = [
        ("## First\n", 1, "`## First` is not"),
        ("## 1 · A\n\nDo it.\n\n- once: no name\n", 5, "is not ``- `1.name`: what must hold``"),
        ("## 1 · A\n\nDo it.\n\n- `2.once`: of another\n", 5, "`2.once` is not a name for this section"),
        ("## 1 · A\n\nDo it.\n\n- `1.a`: b\n- `1.a`: c\n", 6, "There is a clause `1.a` already"),
        ("## 1 · A\n\nDo it.\n\n- `1.a`: b\nmore\n", 6, "After the clauses"),
        ("## 1 · A\n\nDo it.\n\n## 1 · B\n", 5, "There is a section like `1 · B` already"),
        ("## 1 · A\n", 0, "The section `A` has no summary"),
    ];
    for (text, line, words) in faults {
        let fault = Contract::parse(text).expect_err(text);
        assert_eq!(fault.line, line, "{text}");
        assert!(fault.sentence.contains(words), "{text}: {fault}");
    }
}
