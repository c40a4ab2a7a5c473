//! The stage in a real browser: the book, what one can play with, the labs' live pages.

mod common;

use std::{fs, time::Duration};

use audience::{Kind, Locator, PATIENCE, axe, root};
use common::{Play, play};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use wire::{Moment, Place, Transcript, What};

/// The grader's transcript of both halves, which browsers and the stage must draw too.
const GRADED: &str = "labs/lab3-sse/tests/snapshots/both_halves_through_a_cut.snap";
const CHAPTER: &str = "/en/03-server-sent-events.html";
const LABS: [u8; 5] = [1, 2, 3, 4, 5];

impl Play<'_> {
    /// Opens a lab's live page and waits until the lab's own page in it is ready.
    async fn open(&self, lab: u8) {
        self.go(&format!("/live/lab{lab}/")).await;
        self.until(
            "the lab's page is ready",
            &in_lab("location.pathname.endsWith('index.html') && lab.readyState === 'complete' && !!lab.getElementById('state')"),
        )
        .await;
    }

    /// Presses a button of the lab's own page.
    async fn press_in_lab(&self, selector: &str) {
        self.enter_frame(0).await.unwrap();
        self.press(selector).await;
        self.enter_parent_frame().await.unwrap();
    }

    /// Presses a button of the lab's own page twice, as a hasty hand does.
    async fn press_twice_in_lab(&self, selector: &str) {
        let place = format!(
            "const frame = document.getElementById('lab'); \
             const button = frame.contentDocument.querySelector('{selector}'); \
             button.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
             const [outer, inner] = [frame, button].map((element) => element.getBoundingClientRect()); \
             return [outer.x + frame.clientLeft + inner.x + inner.width / 2, outer.y + frame.clientTop + inner.y + inner.height / 2]"
        );
        let place = self.run(&place).await;
        let [x, y] = [0, 1].map(|side| place[side].as_f64().expect("a number"));
        self.press_at(x, y, 2).await;
    }

    /// Types into a field of the lab's own page, in place of what is in it.
    async fn type_in_lab(&self, selector: &str, words: &str) {
        self.enter_frame(0).await.unwrap();
        let field = self.find(Locator::Css(selector)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(words).await.unwrap();
        self.enter_parent_frame().await.unwrap();
    }

    /// Waits until an expression over `lab`, the lab's own document, is true.
    async fn until_in_lab(&self, what: &str, expression: &str) {
        self.until(what, &in_lab(expression)).await;
    }

    /// What an element of the lab's own page says.
    async fn text_in_lab(&self, id: &str) -> String {
        let text = self.run(&in_lab(&format!("lab.getElementById('{id}').innerText"))).await;
        text.as_str().expect("text").to_owned()
    }

    /// Waits until so many subscriptions to the feed are open.
    async fn until_subscribers(&self, count: usize) {
        let asked = Instant::now();
        while self.feed.subscribers() != count {
            assert!(asked.elapsed() < PATIENCE, "{} subscriptions, not {count}", self.feed.subscribers());
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn publish(&self, price: u32) {
        self.feed.publish(json!({ "symbol": "BMRI", "price": price })).await;
    }

    /// Lets something happen on a lab's page and its wire, as a visitor would.
    async fn stir(&self, lab: u8) {
        self.publish(6_100).await;
        self.open(lab).await;
        match lab {
            1 => self.press_in_lab("#order button").await,
            4 => self.press_in_lab("#ask").await,
            5 => {
                self.press_in_lab("#join").await;
                self.until_state("live").await;
                self.type_in_lab("#text", "Selling?").await;
                self.press_in_lab("#say").await;
            }
            _ => {}
        }
        let answered = match lab {
            1 => "lab.querySelectorAll('#log li').length === 1",
            2 => "lab.querySelectorAll('#fills tr').length > 0",
            3 => "lab.getElementById('state').dataset.state === 'live'",
            4 => "lab.getElementById('answer').innerText.includes('6100')",
            _ => "lab.getElementById('talk').innerText.includes('Selling?')",
        };
        self.until_in_lab(&format!("lab {lab} has answered"), answered).await;
        if lab > 1 {
            // (Of what is over nothing can be cut.)
            self.press(".stage-cut").await;
        }
        let drawn = if matches!(lab, 2 | 3 | 5) { "[data-kind=loss]" } else { "[data-kind=response]" };
        self.until("it is drawn", &format!("return !!document.querySelector('{drawn}')")).await;
    }

    /// The lab's page says so and so many prices, fills … have come.
    async fn until_count(&self, count: usize) {
        let expression = format!("lab.getElementById('count').textContent.startsWith('{count} ')");
        self.until_in_lab(&format!("the lab's page counts {count}"), &expression).await;
    }

    /// The lab's page is in this state.
    async fn until_state(&self, state: &str) {
        let expression = format!("lab.getElementById('state').dataset.state === '{state}'");
        self.until_in_lab(&format!("the lab's page says {state}"), &expression).await;
    }

    /// The visitor's own wire, as the stage's tap heard it.
    async fn wire(&self) -> Transcript {
        let script = "return fetch(document.getElementById('text').href).then((answer) => answer.text())";
        let text = self.run(script).await;
        text.as_str().expect("text").parse().expect("the wire's text is a transcript")
    }
}

/// A script that gives the value of an expression over `lab`, the lab's own document.
fn in_lab(expression: &str) -> String {
    format!(
        "const lab = document.getElementById('lab').contentDocument, {{ location }} = lab; return {expression}"
    )
}

/// What passed between client and server or happened to the line: when, and
/// what the grader leaves out, aside.
fn exchanges(transcript: &Transcript) -> Vec<(Place, Option<u32>, What)> {
    let told = |moment: &&Moment| {
        matches!(moment.place, Place::ToServer | Place::ToClient | Place::Network)
            && !matches!(moment.what, What::Retry(..) | What::Comment)
    };
    let what = |moment: &Moment| (moment.place, moment.exchange, moment.what.clone());
    transcript.moments.iter().filter(told).map(what).collect()
}

fn graded() -> Transcript {
    let snapshot =
        fs::read_to_string(root().join(GRADED)).unwrap_or_else(|error| panic!("{GRADED}: {error}"));
    let text = snapshot.splitn(3, "---\n").nth(2).unwrap_or_else(|| panic!("{GRADED} is no snapshot"));
    text.parse().unwrap_or_else(|error| panic!("{GRADED}: {error}"))
}

impl Play<'_> {
    /// Looks at a page from afar: it has words, no complaints on the console, and asks no other host.
    async fn look_at(&self, path: &str) {
        self.go(path).await;
        self.until("the page is loaded", "return document.readyState === 'complete'").await;
        let words = self.run("return document.querySelector('main').innerText.length").await;
        assert!(words.as_u64() > Some(100), "{path} is almost empty");
        assert_eq!(self.console().await, Vec::<String>::new(), "{path}");
        let elsewhere = "return performance.getEntriesByType('resource').map((entry) => entry.name)\
            .filter((name) => !name.startsWith(location.origin + '/') && !name.startsWith('data:'))";
        assert_eq!(self.run(elsewhere).await, json!([]), "{path} asks other hosts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_book_s_pages_are_light_and_silent_on_the_console_and_ask_no_other_host() {
    play(Kind::BOTH, async |play| {
        for path in ["/en/", "/en/00-the-map.html", "/en/05-websocket.html", CHAPTER] {
            play.look_at(path).await;
        }
        // What one can play with comes later, and is weighed for itself.
        let weight = "return ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))\
            .filter(({ name }) => !name.includes('/widgets-')).reduce((sum, entry) => sum + entry.encodedBodySize, 0)";
        let weight = play.run(weight).await.as_u64().unwrap();
        assert!(
            (10_000..=100_000).contains(&weight),
            "the chapter weighs {weight} bytes compressed, of 100,000"
        );
        let drawings = play.run("return document.querySelectorAll('main svg').length").await;
        assert!(drawings.as_u64() > Some(0), "the chapter draws its transcripts");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_pages_are_silent_on_the_console_and_ask_no_other_host() {
    play(Kind::BOTH, async |play| {
        play.publish(6_100).await;
        play.look_at("/live/").await;
        for lab in LABS {
            play.look_at(&format!("/live/lab{lab}/")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_no_fault_in_the_book_in_light_and_dark() {
    let Some(axe) = axe() else { return };
    play(Kind::BOTH, async |play| {
        for scheme in ["light", "dark"] {
            play.prefer(scheme).await;
            for path in ["/en/00-the-map.html", CHAPTER, "/en/05-websocket.html"] {
                play.go(path).await;
                assert_eq!(play.faults(&axe).await, json!([]), "{path} in {scheme}");
            }
        }
    })
    .await;
}

/// Each element to play with, and a chapter that has one.
const ELEMENTS: [(&str, &str); 4] = [
    ("rt-choose", "/en/00-the-map.html"),
    ("wire-player", CHAPTER),
    ("sse-bytes", "/en/04-streaming-with-fetch.html"),
    ("ws-frame", "/en/06-after-101.html"),
];

impl Play<'_> {
    /// Brings the first element of this name into sight and waits until it lives.
    async fn wake(&self, element: &str, path: &str) {
        self.go(path).await;
        self.alive(element).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_can_play_with_is_loaded_when_it_comes_near_and_not_before() {
    play(Kind::BOTH, async |play| {
        play.resize(1000, 400).await;
        // Chapters begin with a question; here nothing to play with is near the top.
        play.go("/en/welcome.html").await;
        sleep(Duration::from_millis(500)).await;
        let asked = "return performance.getEntriesByType('resource').filter(({ name }) => name.includes('/widgets-')).length";
        assert_eq!(play.run(asked).await, 0);
        play.alive("wire-player").await;
        assert_eq!(play.run(asked).await, 2, "the script and the module");
        for (element, path) in [ELEMENTS[0], ELEMENTS[2], ELEMENTS[3]] {
            play.wake(element, path).await;
            // What the author wrote is folded away, and opens.
            assert_ne!(play.text(&format!("{element} > .folded > summary")).await, "");
            play.keys(&format!("{element} > .folded > summary"), "\u{e007}").await;
            assert!(play.text(&format!("{element} > .folded")).await.len() > 200, "{path}");
            assert_eq!(play.console().await, Vec::<String>::new(), "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_module_an_element_is_text() {
    play(&[Kind::Chromium], async |play| {
        play.chromium("Network.enable", json!({})).await;
        play.chromium("Network.setBlockedURLs", json!({ "urls": ["*/widgets-*"] })).await;
        for (element, path) in ELEMENTS {
            play.go(path).await;
            play.see(element).await;
            sleep(Duration::from_millis(500)).await;
            let stays = format!(
                "const element = document.querySelector('{element}'); \
                 return !element.querySelector('.widget, .folded') && element.checkVisibility() && element.getBoundingClientRect().height > 200"
            );
            assert_eq!(play.run(&stays).await, true, "{element}");
            assert_ne!(play.console().await, Vec::<String>::new(), "(it was tried)");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_print_an_element_is_text() {
    play(&[Kind::Chromium], async |play| {
        for (element, path) in ELEMENTS {
            play.wake(element, path).await;
            let seen = format!(
                "const element = document.querySelector('{element}'), [widget, text] = ['.widget', '.folded > :last-child, svg'].map((part) => element.querySelector(part)); \
                 return [widget, text].map((part) => part.checkVisibility({{ contentVisibilityAuto: true }}))"
            );
            let on_screen = json!([true, element == "wire-player"]);
            assert_eq!(play.run(&seen).await, on_screen, "{element} on the screen");
            play.chromium("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
            assert_eq!(play.run(&seen).await, json!([false, true]), "{element} in print");
            play.chromium("Emulation.setEmulatedMedia", json!({ "media": "" })).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_played_and_stepped_through_by_keyboard() {
    play(Kind::BOTH, async |play| {
        play.wake("wire-player", CHAPTER).await;
        let now = async || {
            let script = "return [...document.querySelectorAll('wire-player')[0].querySelectorAll('g.moment')].findIndex((moment) => moment.classList.contains('now'))";
            play.run(script).await.as_i64().unwrap()
        };
        assert_eq!(now().await, -1, "the drawing stands whole");

        // It plays by itself, and something travels.
        play.keys("wire-player [data-does=play]", "\u{e007}").await;
        assert_eq!(play.focused().await, "play", "the focus stays on the button");
        play.until("a bead travels", "return !!document.querySelector('wire-player .bead')").await;
        play.until("the second moment", "return document.querySelector('wire-player .says b').innerText.startsWith('2 of ')").await;
        play.keys_here(" ").await;
        assert_eq!(play.text("wire-player [data-does=play]").await, "Play");
        let at = now().await;
        let marked = play
            .run("const drawing = document.querySelector('wire-player svg'); return ['.been', '.now', '.later', '.band', '.bead'].map((mark) => drawing.querySelectorAll(mark).length)")
            .await;
        let count = play.run("return document.querySelector('wire-player').querySelectorAll('g.moment').length").await.as_i64().unwrap();
        assert_eq!(marked, json!([at, 1, count - at - 1, 1, 0]));

        // On the slider: arrows step, Home and End go to the ends, the blank plays, Escape shows all.
        play.keys("wire-player [data-sets=moment]", "\u{e014}").await;
        assert_eq!(now().await, at + 1);
        let told = play.text("wire-player .says").await;
        play.keys_here("\u{e012}\u{e012}").await;
        assert_eq!(now().await, at - 1);
        assert_ne!(play.text("wire-player .says").await, told);
        play.keys_here("\u{e010}").await;
        assert_eq!(now().await, count - 1);
        assert_eq!(play.run("return document.querySelector('wire-player [data-does=next]').disabled").await, true);
        play.keys_here("\u{e011}").await;
        assert_eq!(now().await, 0);
        play.keys_here(" ").await;
        assert_eq!(play.text("wire-player [data-does=play]").await, "Pause");
        play.keys_here("\u{e00c}").await;
        assert_eq!(now().await, -1);
        assert_eq!(play.focused().await, "play", "the focus does not get lost");

        // Taken out of the page while it plays, and put back: nothing goes on behind it, and it lives again.
        play.keys_here("\u{e007}").await;
        play.run("const player = document.querySelector('wire-player'), place = player.parentElement; player.remove(); place.prepend(player)").await;
        play.until("it lives again", "return document.querySelector('wire-player').hasAttribute('data-ready')").await;
        assert_eq!(now().await, -1);
        assert_eq!(play.run("return document.querySelector('wire-player').querySelectorAll('.widget').length").await, 1);
        assert_eq!(play.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_moment_at_hand_is_in_sight_and_nothing_moves_for_who_wants_less_of_it() {
    play(Kind::BOTH, async |play| {
        play.resize(1000, 500).await;
        play.prefer_no_motion().await;
        play.wake("wire-player", CHAPTER).await;
        play.press("wire-player [data-does=play]").await;
        sleep(Duration::from_millis(300)).await;
        assert_eq!(play.run("return document.querySelectorAll('.bead').length").await, 0);
        play.press("wire-player [data-does=play]").await;
        for _ in 0..12 {
            play.press("wire-player [data-does=next]").await;
            let covered = play
                .run("const [now, bar, head] = ['.now', '.widget', 'header.top'].map((part) => (document.querySelector(`wire-player ${part}`) ?? document.querySelector(part)).getBoundingClientRect()); \
                      return now.bottom > bar.top || now.top < head.bottom")
                .await;
            assert_eq!(covered, false, "{}", play.text("wire-player .says").await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_drawing_of_the_chapters_can_be_played() {
    play(&[Kind::Chromium], async |play| {
        for chapter in ["00-the-map", "01-one-exchange", "02-long-polling", "03-server-sent-events", "04-streaming-with-fetch", "05-websocket"] {
            play.go(&format!("/en/{chapter}.html")).await;
            let counts = "return [...document.querySelectorAll('.exchange')].map((figure) => { \
                const player = figure.querySelector('wire-player'); \
                const moments = figure.querySelectorAll('g.moment').length; \
                return player ? player.getAttribute('score').split('\\n').length === moments : moments < 3; })";
            let counts = play.run(counts).await;
            let counts = counts.as_array().unwrap();
            assert!(counts.len() > 4 && counts.iter().all(|fits| *fits == true), "{chapter}: {counts:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_written_and_read_by_keyboard() {
    play(Kind::BOTH, async |play| {
        play.wake("ws-frame", "/en/06-after-101.html").await;
        let verdict = async || play.text("ws-frame [role=status]").await;
        assert_eq!(verdict().await, "The server has a text message: Hello.");

        play.keys("ws-frame [data-sets=text]", ", floor").await;
        assert_eq!(verdict().await, "The server has a text message: Hello, floor.");
        play.keys("ws-frame [data-sets=masks]", " ").await;
        assert!(verdict().await.contains("a client must mask every frame"));
        play.keys_here(" ").await;
        let bytes = play.text("ws-frame .parts").await;
        play.keys("ws-frame [data-does=key]", "\u{e007}").await;
        assert_ne!(play.text("ws-frame .parts").await, bytes, "another key, other bytes");
        assert_eq!(verdict().await, "The server has a text message: Hello, floor.");

        play.keys("ws-frame [data-does=mode][data-value=read]", "\u{e007}").await;
        // A menu: the first letters choose.
        play.keys("ws-frame [data-sets=example]", "Text that").await;
        assert!(verdict().await.contains("close code 1007"));
        let bytes = play.find(Locator::Css("ws-frame [data-sets=hex]")).await.unwrap();
        bytes.clear().await.unwrap();
        bytes.send_keys("0x81, 0x02, 0x68, 0x69").await.unwrap();
        assert_eq!(verdict().await, "The client has a text message: hi.");
        bytes.send_keys(" zz").await.unwrap();
        assert!(verdict().await.contains("no hexadecimal digit"));
        assert_eq!(play.focused().await, "hex");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_cut_anywhere_by_keyboard() {
    play(Kind::BOTH, async |play| {
        play.wake("sse-bytes", "/en/04-streaming-with-fetch.html").await;
        let pieces =
            "return [...document.querySelectorAll('sse-bytes .piece')].map((piece) => piece.innerText)";
        assert_eq!(play.run(pieces).await, json!(["event: price\\nid: 2\\ndata: 98", "00\\n\\n"]));
        play.keys("sse-bytes [data-does=nowhere]", "\u{e007}").await;
        let text = play.find(Locator::Css("sse-bytes [data-sets=text]")).await.unwrap();
        text.clear().await.unwrap();
        text.send_keys("data: é\n\n").await.unwrap();
        assert_eq!(play.run("return document.querySelectorAll('sse-bytes .event').length").await, 1);

        // One stop for Tab; arrows go from byte to byte. Between the two bytes of é:
        assert_eq!(
            play.run("return document.querySelectorAll('sse-bytes .bytes [tabindex=\"0\"]').length").await,
            1
        );
        play.keys("sse-bytes .bytes [tabindex=\"0\"]", "\u{e010}\u{e012}\u{e012} ").await;
        assert_eq!(play.run(pieces).await, json!(["data: \u{fffd}", "\u{fffd}\\n\\n"]));
        assert_eq!(play.focused().await, "cut", "the focus stays on the byte");
        assert!(play.text("sse-bytes .arrivals").await.contains("first of a character of 2"));
        play.keys_here(" \u{e013}").await;
        assert_eq!(play.run(pieces).await, json!(["data: é\\n\\n"]));
        assert_eq!(
            play.run("return document.querySelectorAll('sse-bytes .bytes [tabindex=\"0\"]').length").await,
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_answers_lead_to_a_chapter_by_keyboard() {
    play(Kind::BOTH, async |play| {
        play.wake("rt-choose", "/en/00-the-map.html").await;
        for (question, answer) in [("asked", 1), ("age", 1), ("talks", 0), ("sent", 0), ("between", 1)] {
            play.keys(&format!("rt-choose [name={question}][value=\"{answer}\"]"), " ").await;
            assert_eq!(play.focused().await, question);
        }
        assert_eq!(play.text("rt-choose .choice-name").await, "Long polling");
        // Arrows go from answer to answer.
        play.keys_here("\u{e013}").await;
        assert_eq!(play.text("rt-choose .choice-name").await, "Server-Sent Events");
        play.keys("rt-choose .result a[href^=\"03\"]", "\u{e007}").await;
        play.until("it is chapter 3", "return location.pathname.endsWith('/03-server-sent-events.html')")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_can_play_with_fits_a_phone_and_axe_finds_no_fault() {
    let Some(axe) = axe() else { return };
    play(Kind::BOTH, async |play| {
        play.resize(320, 800).await;
        for scheme in ["light", "dark"] {
            play.prefer(scheme).await;
            for (element, path) in ELEMENTS {
                play.wake(element, path).await;
                match element {
                    "wire-player" => play.press("wire-player [data-does=next]").await,
                    "rt-choose" => play.press("rt-choose [name=asked]").await,
                    "ws-frame" => play.press("ws-frame [data-value=read]").await,
                    _ => play.press("sse-bytes [data-does=everywhere]").await,
                }
                let beyond =
                    "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
                assert_eq!(play.run(beyond).await, 0, "{element} scrolls sideways");
                assert_eq!(play.faults(&axe).await, json!([]), "{element} in {scheme}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_no_fault_in_the_live_pages_in_light_and_dark() {
    let Some(axe) = axe() else { return };
    play(Kind::BOTH, async |play| {
        for scheme in ["light", "dark"] {
            play.prefer(scheme).await;
            play.go("/live/").await;
            assert_eq!(play.faults(&axe).await, json!([]), "the list in {scheme}");
            for lab in LABS {
                play.stir(lab).await;
                assert_eq!(play.faults(&axe).await, json!([]), "lab {lab}, the stage's page, in {scheme}");
                play.enter_frame(0).await.unwrap();
                assert_eq!(play.faults(&axe).await, json!([]), "lab {lab}, its own page, in {scheme}");
                play.enter_parent_frame().await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_live_page_fits_a_phone_and_is_reached_by_keyboard() {
    play(Kind::BOTH, async |play| {
        play.resize(320, 800).await;
        for lab in LABS {
            play.stir(lab).await;
            assert_eq!(play.run("return innerWidth").await, 320);
            for (what, page) in [("the stage's page", "document"), ("its own page", "lab")] {
                let beyond = format!("{page}.documentElement.scrollWidth - {page}.documentElement.clientWidth");
                assert_eq!(play.run(&in_lab(&beyond)).await, 0, "lab {lab}: {what} scrolls sideways");
            }

            // Everything that one can press or type into, in the page and in its frame; then Tab through it.
            play.run(
                "const lab = document.getElementById('lab').contentDocument; \
                 const inside = 'a[href], button:enabled, input:enabled, select:enabled, [tabindex=\"0\"]'; \
                 window.unreached = new Set([document, lab].flatMap((place) => [...place.querySelectorAll(inside)]) \
                     .filter((element) => element.checkVisibility())); \
                 for (const place of [document, lab]) place.addEventListener('focusin', ({ target }) => unreached.delete(target)); \
                 document.activeElement.blur(); \
                 getSelection().collapse(document.body, 0)",
            )
            .await;
            let count = play.run("return unreached.size").await.as_u64().unwrap();
            assert!(count > 6, "lab {lab} has {count} things to press");
            for _ in 0..count + 8 {
                play.press_tab().await;
            }
            let unreached = play
                .run("return [...unreached].filter((element) => element.isConnected && !element.disabled).map((element) => element.outerHTML)")
                .await;
            assert_eq!(unreached, json!([]), "lab {lab}: not reached by Tab");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_1_polls_and_an_order_that_is_sent_twice_is_executed_once() {
    play(Kind::BOTH, async |play| {
        play.publish(6_100).await;
        play.open(1).await;
        play.until_state("fresh").await;
        play.run(&in_lab("(lab.getElementById('every').value = '250', lab.getElementById('every').dispatchEvent(new Event('change')))")).await;
        play.publish(6_125).await;
        play.until_in_lab("the new price is shown", "lab.getElementById('prices').innerText.includes('6125')").await;
        play.until("some polls bring nothing new", "return document.getElementById('moments').innerText.includes('304')").await;

        let orders = "return fetch('orders').then((answer) => answer.json()).then((orders) => orders.length)";
        play.press_twice_in_lab("#order button").await;
        play.until_in_lab("both presses are answered", "lab.querySelectorAll('#log li').length === 2").await;
        assert_eq!(play.text_in_lab("log").await.matches("order 1:").count(), 2);
        assert_eq!(play.run(orders).await, 1);

        // The answer to the next one is lost. Chromium asks again by itself if the connection was not new; if not, the visitor does.
        play.press_in_lab("#renew").await;
        play.press("[action^=\"-/lose\"] button").await;
        play.until("it is armed", "return document.getElementById('hint').textContent.includes('will be lost')").await;
        for told in 3.. {
            play.press_in_lab("#order button").await;
            let answered = format!("lab.querySelectorAll('#log li').length === {told}");
            play.until_in_lab("the order is answered", &answered).await;
            if play.text_in_lab("log").await.contains("order 2:") {
                break;
            }
        }
        assert_eq!(play.run(orders).await, 2, "one order more, however often it was sent");
        let wire = play.wire().await;
        let lost = wire.moments.iter().position(|moment| moment.what == What::Cut).expect("an answer was lost");
        let sent = |moment: &&Moment| match &moment.what {
            What::Request { method, headers, .. } => method == "POST" && !headers.is_empty(),
            _ => false,
        };
        let before = wire.moments[..lost].iter().rfind(sent).expect("an order was sent");
        let after = wire.moments[lost..].iter().find(sent).expect("it was sent again");
        assert_eq!(before.what, after.what, "with the same key");
        assert_eq!(play.run("return document.querySelector('#lab').contentDocument.getElementById('todo').hidden").await, true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_2_shows_every_update_through_a_cut() {
    play(Kind::BOTH, async |play| {
        play.open(2).await;
        for price in 1..=2 {
            play.publish(price).await;
        }
        play.until_count(2).await;
        play.until(
            "a request is held",
            "return document.getElementById('moments').lastElementChild?.dataset.kind === 'request'",
        )
        .await;
        play.press(".stage-cut").await;
        for price in 3..=4 {
            play.publish(price).await;
        }
        play.until_count(4).await;
        play.until_state("live").await;
        play.publish(5).await;
        play.until_count(5).await;
        let rows = play
            .run(&in_lab(
                "[...lab.querySelectorAll('#fills tr')].map((row) => row.innerText.split(/\\s+/)[0])",
            ))
            .await;
        assert_eq!(rows, json!(["5", "4", "3", "2", "1"]), "each once, none missing");

        let wire = play.wire().await;
        let cut =
            wire.moments.iter().position(|moment| moment.what == What::Cut).expect("a held request was cut");
        let asked = |moment: &&Moment| matches!(moment.what, What::Request { .. });
        let before = wire.moments[..cut].iter().rfind(asked).unwrap();
        let after = wire.moments[cut..].iter().find(asked).unwrap();
        assert_eq!(before.what, after.what, "it was asked again from the same position");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_4_streams_an_answer_and_stop_stops_it() {
    play(Kind::BOTH, async |play| {
        play.publish(6_100).await;
        play.open(4).await;
        play.press_in_lab("#ask").await;
        play.until_state("closed").await;
        assert!(play.text_in_lab("answer").await.contains("BMRI 6100"));

        // An answer without end: each token is shown before the next is made.
        let idle = play.feed.subscribers();
        let follow = async || {
            play.type_in_lab("#question", "Follow the market").await;
            play.press_in_lab("#ask").await;
            play.until_state("live").await;
            play.until_subscribers(idle + 1).await;
            for count in 1..=2 {
                play.publish(6_100 + 25 * count).await;
                play.until_count(count as usize).await;
            }
        };
        follow().await;
        play.press_in_lab("#stop").await;
        play.until_state("stopped").await;
        play.until_subscribers(idle).await;
        play.publish(7_000).await;
        assert!(!play.text_in_lab("answer").await.contains("7000"));

        follow().await;
        play.press(".stage-cut").await;
        play.until_state("truncated").await;
        play.until_subscribers(idle).await;

        let wire = play.wire().await.to_string();
        for told in ["authorization: Bearer demo", "#1 event done", "#2 abort", "#3 cut"] {
            assert!(wire.contains(told), "no `{told}` in:\n{wire}");
        }
        assert!(!wire.contains("#4 "), "nothing is asked, and paid for, twice:\n{wire}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_5_two_tabs_chat_and_a_cut_in_between_loses_nothing() {
    play(Kind::BOTH, async |play| {
        let join = async |name: &str| {
            play.open(5).await;
            play.type_in_lab("#name", name).await;
            play.press_in_lab("#join").await;
            play.until_state("live").await;
        };
        let say = async |words: &str| {
            play.type_in_lab("#text", words).await;
            play.press_in_lab("#say").await;
        };
        let heard = async |said: &[&str]| {
            let talk = "[...lab.querySelectorAll('#talk li:not(.news)')].map((line) => line.innerText)";
            let expression = format!("JSON.stringify({talk}) === {}", json!(json!(said).to_string()));
            play.until_in_lab(&format!("the talk is {said:?}"), &expression).await;
        };
        let anna = play.window().await.unwrap();
        join("Anna").await;
        let budi = play.new_window(true).await.unwrap().handle;
        play.switch_to_window(budi.clone()).await.unwrap();
        join("Budi").await;
        say("Selling at 6100?").await;
        heard(&["Budi Selling at 6100?"]).await;

        // Budi is cut, and goes on talking; Anna's line stays.
        play.press(".stage-cut").await;
        play.until_state("reconnecting").await;
        say("Anyone?").await;
        play.until_state("live").await;
        let mut talk = vec!["Budi Selling at 6100?", "Budi Anyone?"];
        heard(&talk).await;

        play.switch_to_window(anna).await.unwrap();
        heard(&talk).await;
        say("<b>At 6125</b>").await;
        talk.push("Anna <b>At 6125</b>");
        heard(&talk).await;
        assert!(
            !play.wire().await.moments.iter().any(|moment| moment.what == What::Cut),
            "it was not her line"
        );

        play.switch_to_window(budi).await.unwrap();
        heard(&talk).await;
        let wire = play.wire().await.to_string();
        for told in ["#1 101", "origin: http://", "network          #1 cut", "#2 101", "Anyone?"] {
            assert!(wire.contains(told), "no `{told}` in:\n{wire}");
        }
        assert!(!wire.contains("#3 "), "one line at a time:\n{wire}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_and_the_stage_play_what_the_grader_s_transcript_says() {
    let graded = exchanges(&graded());
    let prices: Vec<Value> = graded
        .iter()
        .filter_map(|(_, _, what)| match what {
            What::Event { data: wire::transcript::Data::Json(json), .. } => serde_json::from_str(json).ok(),
            _ => None,
        })
        .collect();
    assert_eq!(prices.len(), 5, "{GRADED} has five prices: two, a cut, two, one more");
    play(Kind::BOTH, async |play| {
        play.open(3).await;
        play.until_state("live").await;
        for price in &prices[..2] {
            play.feed.publish(price.clone()).await;
        }
        play.until_count(2).await;

        play.press(".stage-cut").await;
        play.until_state("reconnecting").await;
        for price in &prices[2..4] {
            play.feed.publish(price.clone()).await;
        }
        play.until_count(4).await;
        play.until_state("live").await;
        play.feed.publish(prices[4].clone()).await;
        play.until_count(5).await;

        play.press("#close button").await;
        play.until_state("closed").await;
        // Closed for good: nobody comes back, though the market opens and moves again.
        play.press("#open button").await;
        play.feed.publish(prices[0].clone()).await;
        sleep(Duration::from_secs(5)).await;

        let wire = play.wire().await;
        assert_eq!(exchanges(&wire), graded, "the stage heard:\n{wire}\nand {GRADED} says otherwise");
        let drawn = play.run("return document.querySelectorAll('#moments li').length").await;
        assert_eq!(drawn, json!(wire.moments.len()), "the panel shows every moment");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_3_s_quiet_line_is_kept_alive_and_its_page_hears_nothing_of_that() {
    play(Kind::BOTH, async |play| {
        play.open(3).await;
        play.until_state("live").await;
        let moments = "[...document.querySelectorAll('#moments li')]";
        let heartbeat = format!("return {moments}.some((moment) => moment.innerText.includes('comment'))");
        play.until("a heartbeat is drawn", &heartbeat).await;
        assert_eq!(play.run(&in_lab("lab.getElementById('state').dataset.state")).await, "live");
        play.publish(6_100).await;
        play.until_count(1).await;

        let wire = play.wire().await;
        assert!(wire.moments.iter().any(|moment| moment.what == What::Comment), "no heartbeat in:\n{wire}");
        assert!(!wire.to_string().contains("#2 "), "one connection is enough:\n{wire}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_waits_while_it_is_paused_and_loses_nothing() {
    play(Kind::BOTH, async |play| {
        play.open(3).await;
        play.until_state("live").await;
        play.press("#pause").await;
        let drawn = play.run("return document.querySelectorAll('#moments li').length").await;
        for price in 1..=5 {
            play.feed.publish(json!({ "symbol": "BMRI", "price": price })).await;
        }
        play.until(
            "five moments wait",
            "return document.getElementById('count').textContent === '5 waiting'",
        )
        .await;
        assert_eq!(play.run("return document.querySelectorAll('#moments li').length").await, drawn);
        play.press("#pause").await;
        let all = drawn.as_u64().unwrap() + 5;
        play.until(
            "all are drawn",
            &format!("return document.querySelectorAll('#moments li').length === {all}"),
        )
        .await;
    })
    .await;
}
