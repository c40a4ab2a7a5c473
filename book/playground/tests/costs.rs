//! What each technique costs, measured. The tables of the book are this test's snapshot.

use std::{collections::BTreeMap, fmt::Write, sync::Mutex, time::Duration};

use playground::{Cost, Workload, cost};

/// A technique, in the order of the chapters.
struct Technique {
    lab: &'static str,
    /// As the book writes it.
    name: &'static str,
    /// The head of its first request as Chromium 156 sends it to the lab's own server on 127.0.0.1, in bytes:
    /// method, address and the 14 to 18 fields that a browser adds. Measured; `book/src/figures.md` says how.
    chromium: u64,
    /// What it adds to every later one: `cache-control: max-age=0`, where the page sets `if-none-match` itself.
    chromium_later: u64,
}

const TECHNIQUES: [Technique; 5] = [
    Technique {
        lab: "lab1",
        name: r#"<span class="technique fetch">fetch, polled</span>"#,
        chromium: 491,
        chromium_later: 26,
    },
    Technique {
        lab: "lab2",
        name: r#"<span class="technique poll">Long polling</span>"#,
        chromium: 543,
        chromium_later: 0,
    },
    Technique {
        lab: "lab3",
        name: r#"<span class="technique sse">SSE</span>"#,
        chromium: 555,
        chromium_later: 0,
    },
    Technique {
        lab: "lab4",
        name: r#"<span class="technique stream">Streaming fetch</span>"#,
        chromium: 620,
        chromium_later: 0,
    },
    Technique {
        lab: "lab5",
        name: r#"<span class="technique ws">WebSocket</span>"#,
        chromium: 500,
        chromium_later: 0,
    },
];

fn workload(updates: u32, pace_ms: u64, poll_ms: u64) -> Workload {
    let [pace, poll, latency] = [pace_ms, poll_ms, 20].map(Duration::from_millis);
    Workload { updates, pace, poll, latency }
}

/// Several tests ask for the same: each is played once.
static MEASURED: Mutex<BTreeMap<(&str, String), Cost>> = Mutex::new(BTreeMap::new());

fn measured(lab: &'static str, workload: &Workload) -> Cost {
    let key = (lab, format!("{workload:?}"));
    let mut measured = MEASURED.lock().unwrap();
    *measured.entry(key).or_insert_with(|| cost(lab, workload).unwrap_or_else(|error| panic!("{error}")))
}

/// All bytes, had Chromium sent the heads.
fn in_chromium(cost: &Cost, technique: &Technique) -> u64 {
    cost.bytes()
        + cost.requests * (technique.chromium - cost.first_head)
        + (cost.requests - 1) * technique.chromium_later
}

/// 1234567 as 1 234 567, with blanks that do not break.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join("\u{a0}")
}

fn each(whole: u64, parts: u64) -> String {
    grouped((whole + parts / 2) / parts)
}

fn lateness(ms: f64) -> String {
    match ms {
        ..1_000.0 => format!("{ms:.0}\u{a0}ms"),
        ..10_000.0 => format!("{:.1}\u{a0}s", ms / 1_000.0),
        _ => format!("{:.0}\u{a0}s", ms / 1_000.0),
    }
}

/// All techniques under one workload: a row each.
fn techniques(workload: &Workload) -> String {
    let updates = u64::from(workload.updates);
    let mut table = String::from(
        "| | Requests | Up, B | Down, B | In Chromium, B | Seen | Late (worst) |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for technique in &TECHNIQUES {
        let cost = measured(technique.lab, workload);
        let Cost { requests, heads_up, bodies_up, heads_down, bodies_down, shown, .. } = cost;
        writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} of\u{a0}{} | {} ({}) |",
            technique.name,
            grouped(requests),
            each(heads_up + bodies_up, updates),
            each(heads_down + bodies_down, updates),
            each(in_chromium(&cost, technique), updates),
            grouped(shown.into()),
            grouped(updates),
            lateness(cost.mean_delay),
            lateness(cost.worst_delay as f64),
        )
        .unwrap();
    }
    table
}

/// What a price costs in a browser, as the map's tiles.
fn tiles(workload: &Workload) -> String {
    let tile = |technique: &Technique| {
        let bytes = in_chromium(&measured(technique.lab, workload), technique);
        format!("- {} **{} B** a price\n", technique.name, each(bytes, workload.updates.into()))
    };
    TECHNIQUES.iter().map(tile).collect()
}

/// Short polling at several intervals: a row each.
fn intervals(updates: u32, pace_ms: u64) -> String {
    let technique = &TECHNIQUES[0];
    let minutes = u64::from(updates) * pace_ms / 60_000;
    let mut table = String::from(
        "| Asked every | Requests a minute | B a minute | In Chromium, B | Seen | Late (worst) |\n|--:|--:|--:|--:|--:|--:|\n",
    );
    for seconds in [1, 2, 5, 10, 30, 60] {
        let cost = measured(technique.lab, &workload(updates, pace_ms, seconds * 1_000));
        writeln!(
            table,
            "| {seconds}\u{a0}s | {:.1} | {} | {} | {} of\u{a0}{updates} | {} ({}) |",
            cost.requests as f64 / minutes as f64,
            each(cost.bytes(), minutes),
            each(in_chromium(&cost, technique), minutes),
            cost.shown,
            lateness(cost.mean_delay),
            lateness(cost.worst_delay as f64),
        )
        .unwrap();
    }
    table
}

#[test]
fn the_books_tables_are_what_the_solutions_cost() {
    let tables = [
        ("tiles", tiles(&workload(300, 100, 100))),
        ("minute", techniques(&workload(60, 60_000, 60_000))),
        ("second", techniques(&workload(120, 1_000, 2_000))),
        ("tenth", techniques(&workload(300, 100, 100))),
        ("polling", intervals(300, 1_000)),
        ("polling-quiet", intervals(20, 30_000)),
    ];
    let anchored = tables
        .map(|(name, table)| format!("<!-- ANCHOR: {name} -->\n\n{table}\n<!-- ANCHOR_END: {name} -->\n"));
    insta::assert_snapshot!("costs", anchored.concat());
}

/// The chapter's prose speaks of these figures; its tables are included.
#[test]
fn the_maps_words_have_the_tables_figures() {
    let chapter = include_str!("../../src/00-the-map.md");
    let at = |technique: usize, workload: &Workload| {
        let technique = &TECHNIQUES[technique];
        each(in_chromium(&measured(technique.lab, workload), technique), workload.updates.into())
            .replace('\u{a0}', " ")
    };
    let (minute, tenth) = (workload(60, 60_000, 60_000), workload(300, 100, 100));
    let words = [
        format!("{} bytes a minute, and thirty", at(0, &minute)),
        format!("dearer still, at {}:", at(1, &minute)),
        format!("{} bytes a minute: the price, its number", at(2, &minute)),
        format!("{} bytes a minute. Not because", at(3, &minute)),
        format!("{} bytes a minute. A frame", at(4, &minute)),
        format!("a price costs {} bytes", at(0, &tenth)),
        format!("Long polled: {}.", at(1, &tenth)),
        format!("{} bytes a price by event stream, {} by WebSocket", at(2, &tenth), at(4, &tenth)),
    ];
    for words in words {
        assert!(chapter.contains(&words), "chapter 0 should say: {words}");
    }
}

#[test]
fn listening_loses_no_update_and_asking_on_a_timer_does() {
    let workload = workload(120, 1_000, 2_000);
    for Technique { lab, .. } in &TECHNIQUES[1..] {
        let cost = measured(lab, &workload);
        assert_eq!(cost.shown, workload.updates, "{lab}");
        assert!(cost.worst_delay < 200, "{lab}: {cost:?}");
    }
    let polled = measured("lab1", &workload);
    assert!(polled.shown < workload.updates, "{polled:?}");
    assert!((800.0..1_300.0).contains(&polled.mean_delay), "half the interval, and a little: {polled:?}");
}

#[test]
fn the_counts_hold_what_must_have_passed() {
    for Technique { lab, chromium, .. } in &TECHNIQUES {
        let cost = measured(lab, &workload(10, 1_000, 1_000));
        assert!(cost.heads_up >= cost.requests * cost.first_head, "{lab}: {cost:?}");
        assert!(cost.first_head < *chromium, "{lab}: a browser sends more than the bench: {cost:?}");
        let row = format!("| {chromium} B | {} B |", cost.first_head);
        assert!(
            include_str!("../../src/figures.md").contains(&row),
            "{lab}: the page of figures should say: {row}"
        );
        // Polling does not carry every update.
        assert!(*lab == "lab1" || cost.bodies_down >= cost.payload, "{lab}: {cost:?}");
    }
}
