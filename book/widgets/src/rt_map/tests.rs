use super::*;
use crate::view::tests::shown;

/// As the bench answers, in part.
fn cost(requests: u64, bytes: u64, shown: u64, behind: [u64; 2], held: u64) -> String {
    format!(
        r#"{{"updates":60,"lasted":60000,"cuts":0,"requests":{},"first_requests":1,"opening":700,"in_chromium":{},"shown":{shown},"repeats":0,"behind_median":{},"behind_p99":{},"writes":{},"held":{held}}}"#,
        requests + 1,
        bytes + 700,
        behind[0],
        behind[1],
        requests.max(60),
    )
}

fn costs() -> [String; 5] {
    [
        cost(30, 21_000, 29, [700, 2_400], 1_200),
        cost(60, 45_720, 60, [0, 40], 57_600),
        cost(0, 3_840, 60, [0, 20], 60_000),
        cost(0, 2_700, 60, [0, 20], 60_000),
        cost(0, 3_960, 60, [0, 20], 60_000),
    ]
}

/// Answers what the widget asks for, as the bench would; gives what was asked.
fn serve(widget: &mut RtMap, most: usize) -> Vec<String> {
    let mut asked = Vec::new();
    while asked.len() < most
        && let Some(ask) = widget.ask()
    {
        asked.push(format!("{} {}", ask.name, ask.json));
        match ask.name {
            "open" => widget.answer("ready", ""),
            _ => {
                let lab = TECHNIQUES.iter().position(|(lab, ..)| ask.json.contains(lab)).unwrap();
                widget.answer("cost", &costs()[lab]);
            }
        }
    }
    asked
}

fn opened() -> RtMap {
    let mut widget = RtMap::default();
    widget.act(&Action::new("open", ""));
    widget
}

#[test]
fn before_it_is_asked_for_there_is_a_button_and_the_authors_table() {
    let mut widget = RtMap::default();
    assert_eq!(widget.ask(), None, "nothing is loaded that nobody asked for");
    assert!(!widget.folds());
    insta::assert_snapshot!(shown(&widget));
}

#[test]
fn it_asks_for_each_technique_in_turn_and_draws_them() {
    let mut widget = opened();
    insta::assert_snapshot!("asked", serve(&mut widget, 99).join("\n"));
    assert!(widget.folds());
    insta::assert_snapshot!("drawn", shown(&widget));
}

#[test]
fn going_back_asks_for_nothing() {
    let mut widget = opened();
    serve(&mut widget, 99);
    let before = shown(&widget);
    widget.act(&Action::new("latency", "6"));
    assert!(
        shown(&widget).contains("<div class=\"panels\" data-old>"),
        "the old picture stands until the new one is complete"
    );
    assert_eq!(serve(&mut widget, 99).len(), 5);
    widget.act(&Action::new("preset", "1"));
    assert_eq!(serve(&mut widget, 99).len(), 0);
    assert_eq!(shown(&widget), before);
}

#[test]
fn a_newer_change_overtakes_an_older_one_and_nothing_that_was_played_is_lost() {
    let mut widget = opened();
    serve(&mut widget, 3);
    assert!(widget.ask().unwrap().json.contains("lab3"));
    widget.act(&Action::new("pace", "9"));
    assert_eq!(widget.ask(), None, "one question at a time");
    widget.answer("cost", &costs()[2]);
    let asked = serve(&mut widget, 99);
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert!(asked.iter().all(|asked| asked.contains("\"pace\":100,")), "{asked:?}");
    widget.act(&Action::new("pace", "6"));
    assert_eq!(serve(&mut widget, 99).len(), 2, "three of five were played before");
}

#[test]
fn more_pages_are_a_multiple_and_play_nothing() {
    let mut widget = opened();
    serve(&mut widget, 99);
    widget.act(&Action::new("clients", "4"));
    assert_eq!(serve(&mut widget, 99).len(), 0);
    let shown = shown(&widget).replace('\u{a0}', " ");
    for words in ["300 k", "457 MB", "9 600", "0 to 20 ms"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn both_ends_of_every_slider_are_played() {
    for setting in &SETTINGS {
        for step in [0, setting.steps.len() - 1] {
            let mut widget = opened();
            widget.act(&Action::new(setting.name, &step.to_string()));
            widget.act(&Action::new(setting.name, &setting.steps.len().to_string()));
            let words = format!("aria-valuetext=\"{}\"", setting.steps[step].1);
            assert!(serve(&mut widget, 99).len() == 6 && shown(&widget).contains(&words), "{words}");
        }
    }
}

#[test]
fn a_bench_that_does_not_come_leaves_the_table_and_may_be_tried_again() {
    let mut widget = opened();
    widget.ask();
    assert_eq!(widget.ask(), None);
    widget.answer("progress", r#"{"loaded":700000,"total":2800000}"#);
    assert!(shown(&widget).contains("700 of 2800 KB"));
    widget.answer("failed", "The connection is gone.");
    assert!(!widget.folds());
    insta::assert_snapshot!(shown(&widget));
    widget.act(&Action::new("open", ""));
    assert_eq!(widget.ask().unwrap().name, "open");
    widget.answer("absent", "This copy has no bench.");
    assert!(!shown(&widget).contains("<button"));
}

#[test]
fn a_bench_that_fails_later_leaves_the_picture_that_is_there() {
    let mut widget = opened();
    serve(&mut widget, 99);
    widget.act(&Action::new("latency", "0"));
    widget.ask();
    widget.answer("failed", "It took too long.");
    assert!(
        widget.folds() && shown(&widget).contains("It took too long.") && shown(&widget).contains("panels")
    );
}
