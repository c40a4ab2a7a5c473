//! What each technique costs, measured. The tables of the book are this test's snapshot.

use std::{collections::BTreeMap, fmt::Write, sync::Mutex, time::Duration};

use playground::{Cost, Workload, cost};

/// The labs and their techniques as the book writes them, in the order of the chapters.
const TECHNIQUES: [(&str, &str); 5] = [
    ("lab1", r#"<span class="technique fetch">fetch, polled</span>"#),
    ("lab2", r#"<span class="technique poll">Long polling</span>"#),
    ("lab3", r#"<span class="technique sse">SSE</span>"#),
    ("lab4", r#"<span class="technique stream">Streaming fetch</span>"#),
    ("lab5", r#"<span class="technique ws">WebSocket</span>"#),
];

fn workload(updates: u32, pace_ms: u64, poll_ms: u64) -> Workload {
    Workload { updates, ..of_the_map(pace_ms, poll_ms) }
}

/// As many updates as the map plays in a page, with its settings for the line.
fn of_the_map(pace_ms: u64, poll_ms: u64) -> Workload {
    let [pace, poll] = [pace_ms, poll_ms].map(Duration::from_millis);
    Workload { pace, poll, ..Workload::default() }
}

/// The map's presets.
fn presets() -> [(&'static str, Workload); 3] {
    [
        ("minute", of_the_map(60_000, 60_000)),
        ("second", of_the_map(1_000, 2_000)),
        ("tenth", of_the_map(100, 100)),
    ]
}

/// Several tests ask for the same: each is played once.
static MEASURED: Mutex<BTreeMap<(&str, String), Cost>> = Mutex::new(BTreeMap::new());

fn measured(lab: &'static str, workload: &Workload) -> Cost {
    let key = (lab, format!("{workload:?}"));
    let mut measured = MEASURED.lock().unwrap();
    *measured.entry(key).or_insert_with(|| cost(lab, workload).unwrap_or_else(|error| panic!("{error}")))
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

/// All techniques under one workload, a row each, in the map's own figures.
fn techniques(workload: &Workload) -> String {
    let rows = TECHNIQUES.map(|(lab, name)| {
        let cost = serde_json::to_string(&measured(lab, workload)).unwrap();
        (name, widgets::map_row(&cost))
    });
    let titles: String = rows[0].1.iter().map(|(title, _)| format!(" {title} |")).collect();
    let played = measured(TECHNIQUES[0].0, workload).updates;
    let mut table = format!("| {played} prices played |{titles}\n|---|{}\n", "--:|".repeat(rows[0].1.len()));
    for (name, row) in rows {
        let cells: String = row.iter().map(|(_, figure)| format!(" {figure} |")).collect();
        writeln!(table, "| {name} |{cells}").unwrap();
    }
    table
}

/// What a price costs in a browser once the line is open.
fn a_price(lab: &'static str, workload: &Workload) -> String {
    let cost = measured(lab, workload);
    each(cost.in_chromium - cost.opening, cost.updates.into())
}

/// What a price costs in a browser, as the map's tiles.
fn tiles(workload: &Workload) -> String {
    TECHNIQUES.map(|(lab, name)| format!("- {name} **{} B** a price\n", a_price(lab, workload))).concat()
}

/// Short polling at several intervals: a row each.
fn intervals(updates: u32, pace_ms: u64) -> String {
    let minutes = u64::from(updates) * pace_ms / 60_000;
    let mut table = String::from(
        "| Asked every | Requests a minute | B a minute | In Chromium, B | Seen | Late (worst) |\n|--:|--:|--:|--:|--:|--:|\n",
    );
    for seconds in [1, 2, 5, 10, 30, 60] {
        let cost = measured("lab1", &workload(updates, pace_ms, seconds * 1_000));
        writeln!(
            table,
            "| {seconds}\u{a0}s | {:.1} | {} | {} | {} of\u{a0}{updates} | {} ({}) |",
            cost.requests as f64 / minutes as f64,
            each(cost.bytes(), minutes),
            each(cost.in_chromium, minutes),
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
    let [(_, minute), (_, second), (_, tenth)] = presets();
    let tables = [
        ("tiles", tiles(&tenth)),
        ("minute", techniques(&minute)),
        ("second", techniques(&second)),
        ("tenth", techniques(&tenth)),
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
    let at = |lab: usize, workload: &Workload| a_price(TECHNIQUES[lab].0, workload).replace('\u{a0}', " ");
    let [(_, minute), _, (_, tenth)] = presets();
    let opening = grouped(measured("lab3", &minute).opening).replace('\u{a0}', " ");
    let words = [
        format!("{} bytes a minute, and thirty", at(0, &minute)),
        format!("dearer still, at {}:", at(1, &minute)),
        format!("{} bytes a minute: the price, its number", at(2, &minute)),
        format!("Opening the stream cost {opening} once"),
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
    for (lab, _) in &TECHNIQUES[1..] {
        let cost = measured(lab, &workload);
        assert_eq!((cost.shown, cost.repeats), (workload.updates, 0), "{lab}");
        assert!(cost.worst_delay < 200, "{lab}: {cost:?}");
        assert_eq!(cost.behind_median, 0, "{lab}: {cost:?}");
    }
    let polled = measured("lab1", &workload);
    assert!(polled.shown < workload.updates, "{polled:?}");
    assert!((800.0..1_300.0).contains(&polled.mean_delay), "half the interval, and a little: {polled:?}");
    assert!((200..1_300).contains(&polled.behind_median) && polled.behind_p99 > 1_300, "{polled:?}");
}

#[test]
fn who_comes_back_with_a_position_loses_nothing_to_a_cut() {
    let torn = Workload { updates: 60, drops: Duration::from_secs(10), ..Workload::default() };
    for (lab, _) in TECHNIQUES {
        let (cost, whole) =
            (measured(lab, &torn), measured(lab, &Workload { drops: Duration::ZERO, ..torn }));
        assert_eq!((cost.cuts, whole.cuts), (6, 0), "{lab}");
        assert_eq!(cost.repeats, 0, "{lab}: no price is shown twice: {cost:?}");
        match lab {
            // Who asks on a timer misses some anyway.
            "lab1" => {}
            "lab2" | "lab3" => assert_eq!(cost.shown, torn.updates, "{lab} has a position: {cost:?}"),
            _ => assert!(cost.shown < whole.shown, "{lab} has none: {cost:?}"),
        }
        if lab != "lab1" {
            assert!(cost.behind_p99 > whole.behind_p99, "{lab}: coming back takes time: {cost:?}");
            assert!(cost.requests >= whole.requests + 6, "{lab} comes back after each cut: {cost:?}");
        }
    }
}

#[test]
fn the_settings_of_the_line_and_of_the_market_show() {
    let plain = Workload { updates: 20, ..Workload::default() };
    for (lab, _) in &TECHNIQUES[1..] {
        let cost = measured(lab, &plain);
        let late = measured(lab, &Workload { latency: Duration::from_millis(500), ..plain });
        assert!(late.behind_p99 >= 480 && late.worst_delay >= 500, "{lab}: {late:?}");
        let large = measured(lab, &Workload { payload: 1_000, ..plain });
        assert_eq!(large.payload, 20 * 1_000, "{lab}");
        let more = large.in_chromium - cost.in_chromium;
        // Lengths and chunks have more digits.
        assert!((20 * 970..20 * 980).contains(&more), "{lab}: {more} bytes more");
    }
}

#[test]
fn the_map_plays_as_much_as_one_waits_for() {
    for (name, workload) in presets() {
        let cost = measured("lab1", &workload);
        assert!((20..=60).contains(&cost.updates), "{name}: {} updates", cost.updates);
    }
    // Both ends of its sliders.
    for (pace, poll) in [(300_000, 75_000), (300_000, 3_000_000), (50, 12), (50, 500)] {
        let workload = Workload { payload: 10_000, ..of_the_map(pace, poll) };
        let exchanges = TECHNIQUES.map(|(lab, _)| measured(lab, &workload).requests).iter().sum::<u64>();
        assert!(exchanges <= 150, "a price every {pace} ms, polled every {poll} ms: {exchanges} exchanges");
    }
}

#[test]
fn the_counts_hold_what_must_have_passed() {
    for (lab, _) in TECHNIQUES {
        let cost = measured(lab, &workload(10, 1_000, 1_000));
        assert!(cost.heads_up >= cost.requests * cost.first_head, "{lab}: {cost:?}");
        let more = cost.requests * (cost.chromium_head - cost.first_head);
        let later = if lab == "lab1" { 26 * (cost.requests - 1) } else { 0 };
        assert_eq!(cost.in_chromium, cost.bytes() + more + later, "{lab}: {cost:?}");
        let row = format!("| {} B | {} B |", cost.chromium_head, cost.first_head);
        assert!(
            include_str!("../../src/figures.md").contains(&row),
            "{lab}: the page of figures should say: {row}"
        );
        assert!(cost.opening > cost.first_head && cost.opening < cost.in_chromium, "{lab}: {cost:?}");
        // Polling does not carry every update.
        assert!(lab == "lab1" || cost.bodies_down >= cost.payload, "{lab}: {cost:?}");
        // The line of a listener is open all the time.
        assert!(matches!(lab, "lab1" | "lab2") || cost.held == cost.lasted, "{lab}: {cost:?}");
        assert!(cost.writes >= u64::from(cost.shown), "{lab}: {cost:?}");
    }
}
