//! What the page's module answers, asked natively. `compare.mjs` asks the module itself.

use std::{fs, path::Path};

use grader::{SEEDS, Sources};
use playground::{Outcome, Run, Step, check, list, pair, picture, play, solution as solved, sources};

fn client_of(folder: &str) -> Sources {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("web/client.js");
    client(&fs::read_to_string(path).unwrap())
}

fn client(text: &str) -> Sources {
    Sources::new([("client.js".to_owned(), text.to_owned())])
}

fn solution() -> Sources {
    client_of("solutions/lab3-sse")
}

/// Every check of every lab, with the lab's folder.
fn checks() -> Vec<(&'static str, &'static str, &'static str)> {
    list()
        .into_iter()
        .flat_map(|lab| lab.checks.into_iter().map(move |check| (lab.name, lab.folder, check.name)))
        .collect()
}

#[test]
fn every_solution_passes_every_check_with_the_transcripts_of_the_snapshots() {
    for (lab, folder, name) in checks() {
        let solution = client_of(&folder.replacen("labs", "solutions", 1));
        let graded = check(lab, name, &solution).unwrap();
        assert_eq!(graded.verdict, "passed", "{lab}, {name}: {:#?}", graded.lines);
        assert!(graded.lines.is_empty(), "{lab}, {name}");
        for scene in graded.scenes {
            assert!(scene.holds, "{lab}, {}", scene.name);
            assert_eq!(Some(scene.transcript), scene.expected, "{lab}, {}", scene.name);
        }
    }
}

#[test]
fn every_untouched_client_is_not_started() {
    for (lab, folder, name) in checks() {
        let graded = check(lab, name, &client_of(folder)).unwrap();
        assert!(["not_started", "waits"].contains(&graded.verdict), "{lab}, {name}: {}", graded.verdict);
    }
}

#[test]
fn a_wrong_client_fails_with_words_and_both_transcripts() {
    let name = "todo_5_shows_each_price_and_keeps_its_place";
    let text = solution().get("client.js").unwrap().replace("'price', (event)", "'message', (event)");
    let graded = check("lab3", name, &client(&text)).unwrap();
    assert_eq!(graded.verdict, "failed");
    assert!(graded.line.is_some_and(|line| line > 1));
    assert!(
        graded.lines.iter().any(|line| line.voice == "plain" && line.words.contains("What happened")),
        "{:#?}",
        graded.lines
    );
    assert!(graded.lines.iter().any(|line| line.voice == "expected"));
    let last = graded.scenes.last().unwrap();
    assert!(!last.holds);
    assert_ne!(Some(&last.transcript), last.expected.as_ref());
}

#[test]
fn a_failure_with_another_seed_than_the_first_shows_its_own_transcript() {
    // It knows the first seed's prices by heart.
    let text = "export function watchPrices({ url, show, status, signal }) {
        if (signal.aborted) return;
        const source = new EventSource(url);
        source.onopen = () => status('live');
        const known = [7200, 6375, 7475];
        source.addEventListener('price', (event) => {
            const price = JSON.parse(event.data);
            show({ ...price, price: known.shift() });
        });
        signal.addEventListener('abort', () => source.close());
    }";
    let graded = check("lab3", "todo_5_shows_each_price_and_keeps_its_place", &client(text)).unwrap();
    assert_eq!(graded.verdict, "failed");
    let scenes: Vec<_> =
        graded.scenes.iter().map(|scene| (scene.name, scene.holds, scene.expected.is_some())).collect();
    assert_eq!(scenes, [("todo_5_shows_prices", true, true), ("todo_5_shows_prices", false, false)]);
}

#[test]
fn a_scene_plays_the_same_every_time_and_differently_with_every_seed() {
    let played = |seed| play("lab3", "todo_5_shows_prices", seed, &solution()).unwrap();
    let [one, two, three] = SEEDS.map(played);
    assert_eq!(one, played(SEEDS[0]));
    assert_eq!(one.outcome, Outcome::Well);
    assert_ne!(one.transcript, two.transcript);
    assert_ne!(two.transcript, three.transcript);
}

#[test]
fn what_is_not_there_is_told_in_a_sentence() {
    assert_eq!(check("lab3", "todo_1", &solution()).err().unwrap(), "lab3 has no check `todo_1`.");
    assert_eq!(play("lab3", "a", 1, &solution()).err().unwrap(), "lab3 has no scene `a`.");
    let unknown = "There is no lab `lab0` in this module; there is lab1, lab2, lab3, lab4, lab5.";
    assert_eq!(check("lab0", "todo_1", &solution()).err().unwrap(), unknown);
    assert_eq!(Run::open("lab0", solution(), 1).err().unwrap(), unknown);
    let told = sources("[1]").unwrap_err();
    assert!(told.starts_with("The client's files must be an object of texts by name: "), "{told}");
}

/// Plays it all, in steps of `ms`, for `total` milliseconds.
fn in_steps(sources: Sources, ms: f64, total: f64, seed: u64) -> String {
    let (mut run, step) = Run::open("lab3", sources, seed).unwrap();
    assert_eq!(step.failure, None);
    let mut told = step.transcript;
    let mut passed = 0.0;
    while passed < total {
        let next = ms.min(total - passed);
        told += &run.step(next).unwrap().transcript;
        passed += next;
    }
    told
}

#[test]
fn a_run_tells_the_same_whatever_its_steps() {
    let whole = in_steps(solution(), 5_000.0, 5_000.0, 1);
    assert!(whole.contains("status: live"), "{whole}");
    assert!(whole.matches("event price").count() >= 9, "{whole}");
    for ms in [0.7, 1.0, 16.7, 250.0, 1_000.0] {
        assert_eq!(in_steps(solution(), ms, 5_000.0, 1), whole, "in steps of {ms} ms");
    }
    assert_ne!(in_steps(solution(), 5_000.0, 5_000.0, 2), whole, "another seed, another market");
}

/// The solution's run, some way in.
fn run() -> Run {
    let (mut run, step) = Run::open("lab3", solution(), 1).unwrap();
    assert_eq!(step.failure, None);
    let step = run.step(1_200.0).unwrap();
    assert_eq!(step.now, 1_200);
    assert!(step.transcript.contains("status: live"), "{}", step.transcript);
    run
}

/// The numbers of the prices that were shown, in order.
fn ids(transcript: &str) -> Vec<u64> {
    let ids = transcript.lines().filter_map(|line| line.split("event price · id ").nth(1));
    ids.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
}

fn command(run: &mut Run, command: &str, then_ms: f64) -> Step {
    let told = run.command(command).unwrap().transcript;
    let mut step = run.step(then_ms).unwrap();
    step.transcript.insert_str(0, &told);
    step
}

#[test]
fn a_cut_is_seen_and_nothing_is_lost() {
    let (mut run, step) = Run::open("lab3", solution(), 1).unwrap();
    let mut told = step.transcript;
    told += &run.step(2_000.0).unwrap().transcript;
    told += &command(&mut run, "cut", 10_000.0).transcript;
    assert!(told.contains("network          #1 cut"), "{told}");
    assert!(told.contains("status: reconnecting"), "{told}");
    let ids = ids(&told);
    let first = ids[0];
    assert_eq!(ids, (first..first + ids.len() as u64).collect::<Vec<_>>(), "{told}");
    assert!(ids.len() > 20, "{told}");
}

#[test]
fn bytes_that_are_held_arrive_when_the_line_heals() {
    let mut run = run();
    let held = command(&mut run, "hold", 3_000.0).transcript;
    assert!(held.contains("hold") && ids(&held).is_empty(), "{held}");
    let healed = command(&mut run, "heal", 100.0).transcript;
    assert!(healed.contains("heal") && ids(&healed).len() >= 5, "{healed}");
}

#[test]
fn a_server_that_refuses_is_found_again_when_it_accepts() {
    let mut run = run();
    run.command("refuse").unwrap();
    let away = command(&mut run, "cut", 20_000.0).transcript;
    assert!(away.contains("refused") && ids(&away).is_empty(), "{away}");
    let back = command(&mut run, "accept", 40_000.0).transcript;
    assert!(back.contains("status: live") && !ids(&back).is_empty(), "{back}");
}

#[test]
fn a_restart_cuts_the_stream_and_the_client_comes_back() {
    let mut run = run();
    let told = command(&mut run, "restart", 10_000.0).transcript;
    assert!(told.contains("the server restarts") && told.contains("#1 cut"), "{told}");
    assert!(told.contains("#2 200 text/event-stream") && told.contains("status: live"), "{told}");
}

#[test]
fn latency_delays_what_comes_later() {
    let mut run = run();
    let told = command(&mut run, "latency 250", 2_000.0).transcript;
    assert!(told.contains("bytes are under way for 250 ms"), "{told}");
    // Prices move on every half second; 250 ms later they arrive.
    assert!(
        told.lines().any(|line| line.contains("event price") && line.trim_start().starts_with("1750 ms")),
        "{told}"
    );
}

#[test]
fn a_closed_market_is_told_and_left_alone() {
    let mut run = run();
    let told = command(&mut run, "close market", 60_000.0).transcript;
    assert!(told.contains("204") && told.contains("status: closed"), "{told}");
    assert_eq!(run.step(60_000.0).unwrap().transcript, "");
}

#[test]
fn a_hidden_tab_lets_go_and_comes_back_when_it_is_seen() {
    let mut run = run();
    let hidden = command(&mut run, "hide", 61_000.0).transcript;
    assert!(hidden.contains("abort"), "{hidden}");
    assert!(ids(&run.step(5_000.0).unwrap().transcript).is_empty());
    let seen = command(&mut run, "show", 2_000.0).transcript;
    assert!(seen.contains("?after=") && !ids(&seen).is_empty(), "{seen}");
}

#[test]
fn a_user_who_stops_hears_nothing_more() {
    let mut run = run();
    run.command("stop").unwrap();
    run.step(100.0).unwrap();
    assert_eq!(run.step(60_000.0).unwrap().transcript, "");
}

#[test]
fn a_run_tells_what_went_wrong_and_goes_on() {
    let (mut run, step) =
        Run::open("lab3", client("export function watchPrices() { for (;;); }"), 1).unwrap();
    let Some(Outcome::Page { words, file, line: 1, fatal: true, .. }) = step.failure else {
        panic!("{step:?}")
    };
    assert_eq!(file, "client.js");
    assert!(words.contains("ran on and on"), "{words}");
    let step = run.step(1_000.0).unwrap();
    assert_eq!((step.now, step.failure), (1_000, None));

    let (mut run, step) = Run::open("lab3", client("export function watchPrices() { oops"), 1).unwrap();
    assert!(matches!(step.failure, Some(Outcome::Page { fatal: true, .. })), "{step:?}");
    assert_eq!(run.command("hide").unwrap().transcript, "");

    let (_, step) = Run::open("lab3", client_of("labs/lab3-sse"), 1).unwrap();
    assert_eq!(step.failure, Some(Outcome::NotStarted { todo: 5 }));
}

#[test]
fn a_run_tells_each_line_of_the_console_once() {
    let text = "export function watchPrices() { let n = 0; setInterval(() => console.log(`tick ${(n += 1)}`), 1000); }";
    let (mut run, _) = Run::open("lab3", client(text), 1).unwrap();
    assert_eq!(run.step(2_500.0).unwrap().console, ["tick 1", "tick 2"]);
    assert_eq!(run.step(1_000.0).unwrap().console, ["tick 3"]);
}

#[test]
fn odd_steps_and_commands_are_refused_in_a_sentence() {
    let mut run = run();
    for ms in [-1.0, f64::NAN, f64::INFINITY, 3_600_001.0] {
        assert!(
            run.step(ms).err().is_some_and(|told| told.starts_with("A step takes from 0 to 3600000 ms")),
            "{ms}"
        );
    }
    assert_eq!(run.command("rain").err().unwrap(), "There is no command `rain`.");
    assert_eq!(run.command("cut everything").err().unwrap(), "There is no command `cut everything`.");
    for latency in ["latency", "latency -1", "latency much", "latency 60001"] {
        assert!(
            run.command(latency).err().is_some_and(|told| told.starts_with("`latency` takes whole")),
            "{latency}"
        );
    }
}

const EXPECTED: &str = "     0 ms  client → server  #1 GET /prices
    10 ms  server → client  #1 200 text/event-stream
    10 ms  page             status: live
  1000 ms  network          #1 cut
  1000 ms  page             status: reconnecting
  4000 ms  client → server  #2 GET /prices
                               last-event-id: 2
";

#[test]
fn two_transcripts_are_drawn_row_by_row_and_what_one_lacks_has_a_row_of_its_own() {
    let yours = EXPECTED
        .replace("                               last-event-id: 2\n", "")
        .replace("status: live", "status: `live`");
    let pair = pair(EXPECTED, &yours, "lab3-x").unwrap();
    assert_eq!(pair.rows, "0 0\n1 1\n2 -\n- 2\n3 3\n4 4\n5 -\n- 5");
    assert_eq!((pair.before, pair.after), (0, 0));
    let score: Vec<_> = pair.score.lines().collect();
    assert_eq!(score[2], "10 10 Expected only: 10 ms, page: status: live.");
    assert_eq!(score[3], "10 10 Yours only: 10 ms, page: status: 'live'.");
    assert_eq!(
        score[6],
        "4000 4000 Expected only: 4\u{a0}000 ms, client to server: #2 GET /prices, last-event-id: 2."
    );
    assert_eq!(pair.expected.svg.matches("class=\"moment\"").count(), 6);
    assert!(pair.yours.svg.contains("lab3-x-yours-title") && pair.yours.list.starts_with("<ol"));
}

#[test]
fn of_long_transcripts_the_place_where_they_part_is_drawn() {
    let lines = |from: u32, to: u32| {
        (from..to).map(|ms| format!("{ms:>6} ms  note             n\n")).collect::<String>()
    };
    let pair = pair(&lines(0, 300), &(lines(0, 100) + &lines(101, 300)), "x").unwrap();
    assert_eq!((pair.before, pair.after), (92, 176));
    assert_eq!(pair.rows.lines().nth(8), Some("8 -"));
    // A storm has thousands of moments.
    let storm = picture(&lines(0, 5_000), "x", "A storm").unwrap();
    assert_eq!(storm.svg.matches("class=\"moment\"").count(), 400);
}

#[test]
fn what_is_no_transcript_is_refused_and_the_same_twice_has_no_difference() {
    assert!(picture("oops", "x", "y").unwrap_err().starts_with("What is to be drawn is no transcript"));
    let same = pair(EXPECTED, EXPECTED, "x").unwrap();
    assert_eq!(same.rows, "0 0\n1 1\n2 2\n3 3\n4 4\n5 5");
    let nothing = pair(EXPECTED, "", "x").unwrap();
    assert!(nothing.rows.lines().all(|row| row.ends_with(" -")), "{}", nothing.rows);
}

#[test]
fn the_solution_is_shown_as_it_is_or_refused() {
    assert_eq!(solved("lab3").unwrap(), solution().get("client.js").unwrap());
    assert!(solved("lab33").unwrap_err().contains("There is no lab `lab33`"));
}
