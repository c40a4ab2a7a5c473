//! The drawing of a transcript, and its list.

use proptest::prelude::*;
use wire::Transcript;
use wire::draw::{Drawing, Labels, list, svg};

const RESUME: &str = r#"
     0 ms  client → server  #1 GET /prices/stream
                               accept: text/event-stream
    10 ms  server → client  #1 200 text/event-stream
    10 ms  page             status: live
    10 ms  server → client  #1 event price · id 1 · {"price":6100,"symbol":"BMRI"}
   510 ms  server → client  #1 event price · id 2 · {"price":6125,"symbol":"BMRI"}
  1500 ms  network          #1 cut
  1505 ms  page             status: reconnecting
2500-4500 ms  client → server  #2 GET /prices/stream
                                  last-event-id: 2
  4510 ms  server → client  #2 200 text/event-stream
  4510 ms  server → client  #2 event price · id 3 · {"price":6075,"symbol":"BMRI"}
 19510 ms  server → client  #2 comment
 20000 ms  note             the market closes
 20000 ms  server → client  #2 end
 23000 ms  client → server  #3 HEAD /prices/stream?after=3
 23010 ms  server → client  #3 204
"#;

const FLOOR: &str = r#"
     0 ms  client A → server  #1 GET /floor
    10 ms  server → client A  #1 101
    12 ms  client B → server  #2 GET /floor
    20 ms  network B          #2 refused
    30 ms  client A → server  #1 message {"name":"Ani","room":"general","type":"join"}
    40 ms  network            hold
    50 ms  network            heal
    60 ms  server → client A  #1 ping
    61 ms  client A → server  #1 pong
    70 ms  page A             said: <b>"hello"</b> & welcome to the trading floor, where a line is long
    80 ms  client A → server  #1 close 1000 "bye"
    90 ms  client B → server  #3 POST /orders
    91 ms  client B → server  #3 body {"quantity":100}
    99 ms  server → client B  #3 body "filled"
   100 ms  server → client B  #3 body 512 bytes
   110 ms  network B          #3 cut
   120 ms  client B → server  #4 GET /ask
   130 ms  client B → server  #4 abort
"#;

fn read(text: &str) -> Transcript {
    Transcript::parse(text).expect("the play parses")
}

fn drawing(id: &str, title: &str) -> Drawing {
    Drawing { id: id.into(), title: title.into(), ..Drawing::default() }
}

#[test]
fn a_cut_stream_is_drawn() {
    let drawing = drawing("resume", "A stream survives a cut");
    insta::assert_snapshot!("resume.svg", svg(&read(RESUME), &drawing));
}

#[test]
fn a_cut_stream_is_listed() {
    insta::assert_snapshot!("resume.html", list(&read(RESUME), &Labels::default()));
}

#[test]
fn two_clients_are_drawn() {
    insta::assert_snapshot!("floor.svg", svg(&read(FLOOR), &drawing("floor", "Two traders")));
}

#[test]
fn two_clients_are_listed() {
    insta::assert_snapshot!("floor.html", list(&read(FLOOR), &Labels::default()));
}

#[test]
fn every_word_of_a_page_can_be_translated() {
    let mut labels = Labels { client: "klien".into(), server: "peladen".into(), ..Labels::default() };
    labels.cut = "sambungan terputus".into();
    labels.to = "ke".into();
    let page = list(&read(RESUME), &labels);
    assert!(page.contains("klien ke peladen") && page.contains("sambungan terputus"), "{page}");
    let picture = svg(&read(RESUME), &Drawing { labels, ..drawing("a", "b") });
    assert!(picture.contains(">peladen</text>") && picture.contains(">sambungan terputus</text>"));
    assert!(!picture.contains("server") && !picture.contains("client"), "{picture}");
}

#[test]
fn a_description_is_told_where_there_is_one() {
    let described = Drawing { description: "Two < three".into(), ..drawing("a b", "Title & more") };
    let picture = svg(&read(RESUME), &described);
    assert!(picture.contains("aria-labelledby=\"a-b-title a-b-desc\""), "an id holds no blank");
    assert!(picture.contains("<title id=\"a-b-title\">Title &amp; more</title>"));
    assert!(picture.contains("<desc id=\"a-b-desc\">Two &lt; three</desc>"));
}

#[test]
fn an_empty_transcript_is_drawn_and_listed() {
    let picture = svg(&Transcript::default(), &drawing("empty", "Nothing"));
    assert!(picture.contains(">client</text>") && picture.contains(">server</text>"), "{picture}");
    assert_eq!(list(&Transcript::default(), &Labels::default()), "<ol class=\"wire-list\">\n</ol>\n");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever a transcript holds, it stays text: every `<` and `&` in the
    /// output is ours, and tags are balanced.
    #[test]
    fn nothing_in_a_transcript_becomes_markup(words in "\\PC{0,80}", odd in any::<String>()) {
        use wire::transcript::{Data, Moment, Place, What, When};
        let moment = |place, what| Moment { when: When::At(1), place, client: None, exchange: None, what };
        let transcript = Transcript { moments: vec![
            moment(Place::Note, What::Note(words.clone())),
            moment(Place::Page, What::Said(odd.clone(), Data::Text(words.clone()))),
            moment(Place::ToServer, What::Request {
                method: odd.clone(), target: words.clone(), headers: vec![(words.clone(), odd.clone())],
            }),
            moment(Place::ToClient, What::Event {
                name: words.clone(), id: Some(odd.clone()), data: Data::Text(words.clone()),
            }),
            moment(Place::Network, What::Close(None, odd.clone())),
        ]};
        let described = Drawing { description: words.clone(), ..drawing(&odd, &odd) };
        for markup in [svg(&transcript, &described), list(&transcript, &Labels::default())] {
            check_markup(&markup)?;
        }
    }
}

/// A small reader of the XML that the drawing may use.
fn check_markup(markup: &str) -> Result<(), TestCaseError> {
    const KNOWN: [&str; 12] =
        ["svg", "title", "desc", "g", "path", "text", "circle", "rect", "ol", "li", "span", "tspan"];
    let mut open = Vec::new();
    for piece in markup.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        prop_assert!(KNOWN.contains(&name), "<{}> in\n{}", tag, markup);
        prop_assert!(tag.matches('"').count() % 2 == 0, "<{}>", tag);
        if tag.starts_with('/') {
            prop_assert_eq!(open.pop(), Some(name), "{}", markup);
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|known| entity.starts_with(known));
            prop_assert!(known, "&{} in\n{}", entity, markup);
        }
        prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{:?}", text);
    }
    prop_assert!(open.is_empty(), "{:?} left open in\n{}", open, markup);
    Ok(())
}
