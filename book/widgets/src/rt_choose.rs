//! `<rt-choose>`: five questions, and the technique that fits.
//!
//! The questions and their order are those of chapter 0; each answer either ends the asking or leads on.

use crate::view::{Action, Element, Node, Widget, button, el, paragraph};

/// A question and what may be answered.
struct Question {
    name: &'static str,
    words: &'static str,
    answers: &'static [Answer],
}

struct Answer {
    words: &'static str,
    /// Why the answer counts, told with the result.
    because: &'static str,
}

const QUESTIONS: [Question; 5] = [
    Question {
        name: "asked",
        words: "Must the page hear of it without asking?",
        answers: &[
            Answer {
                words: "No: a catalogue, a search, a form",
                because: "Somebody asks, and gets an answer: that is what HTTP is.",
            },
            Answer {
                words: "Yes: it changes on the server, and the page should show it",
                because: "The news is made on the server, and nobody knows when.",
            },
        ],
    },
    Question {
        name: "age",
        words: "How old may it be when it is shown?",
        answers: &[
            Answer { words: "Minutes", because: "What may be minutes old can be asked for now and then." },
            Answer {
                words: "A second, or less",
                because: "Asking every second costs an exchange a second, and misses what comes and goes between.",
            },
        ],
    },
    Question {
        name: "talks",
        words: "Who talks?",
        answers: &[
            Answer {
                words: "The server almost alone; a click goes up now and then",
                because: "What goes up now and then can be a POST of its own.",
            },
            Answer {
                words: "The client as often as the server, or binary both ways",
                because: "Both sides talk: an exchange for each word from the page would cost more than the word.",
            },
        ],
    },
    Question {
        name: "sent",
        words: "What goes with the question?",
        answers: &[
            Answer {
                words: "Nothing but a URL and cookies",
                because: "A URL and cookies are all that `EventSource` can send, and all that is needed.",
            },
            Answer {
                words: "A token in a header, a body, a Stop button; one answer that comes in pieces",
                because: "`EventSource` sends no header and no body; `fetch` does, and can stop.",
            },
        ],
    },
    Question {
        name: "between",
        words: "Who stands between you?",
        answers: &[
            Answer { words: "Nobody whom I cannot change", because: "Nobody between you holds bytes back." },
            Answer {
                words: "A proxy that holds answers back until they are complete",
                because: "A proxy that waits for the end of an answer holds back a stream, which has none.",
            },
            Answer {
                words: "A proxy that knows no `Upgrade`",
                because: "Without `Upgrade` no WebSocket is opened.",
            },
        ],
    },
];

const ASKED: usize = 0;
const AGE: usize = 1;
const TALKS: usize = 2;
const SENT: usize = 3;
const BETWEEN: usize = 4;

/// What comes out.
struct Choice {
    class: &'static str,
    name: &'static str,
    /// How it is used here.
    how: &'static str,
    /// What it costs, and what is left to write.
    price: &'static [&'static str],
    chapter: (&'static str, &'static str),
}

const FETCH: Choice = Choice {
    class: "fetch",
    name: "fetch",
    how: "Ask when somebody wants to know.",
    price: &[
        "An exchange has some 600 bytes of heads around it.",
        "A request may be sent and its answer lost: name what must not happen twice.",
    ],
    chapter: ("01-one-exchange.html", "Chapter 1"),
};
const TIMER: Choice = Choice {
    class: "fetch",
    name: "fetch, on a timer",
    how: "Ask again now and then, with an `ETag`, so that no news is 304 and no body.",
    price: &[
        "News is late by half the interval, on average.",
        "What comes and goes between two questions is never seen.",
        "It has the fewest ways to break: the next question repairs the last.",
    ],
    chapter: ("01-one-exchange.html", "Chapter 1"),
};
const POLL: Choice = Choice {
    class: "poll",
    name: "Long polling",
    how: "Ask, and let the server hold the answer until there is news: each is a complete answer, and passes where streams do not. What goes up is a POST.",
    price: &[
        "Each piece of news costs a whole exchange.",
        "Yours to write: the cursor, the time limit, coming back at a decent pace.",
    ],
    chapter: ("02-long-polling.html", "Chapter 2"),
};
const SSE: Choice = Choice {
    class: "sse",
    name: "Server-Sent Events",
    how: "One answer that does not end, read by `EventSource`. What goes up is a POST.",
    price: &[
        "After a cut it comes back by itself and says where it was; after an answer other than 200 it gives up for good.",
        "Text only, and no brake in the page.",
        "Six connections per host over HTTP/1.1, all tabs together.",
    ],
    chapter: ("03-server-sent-events.html", "Chapter 3"),
};
const STREAM: Choice = Choice {
    class: "stream",
    name: "Streaming fetch",
    how: "Ask by `fetch`, and read the answer as it comes.",
    price: &[
        "Yours to write: the parser, coming back after a cut, and whether that may be done at all.",
        "The end must be said in words: a body that ends tells nothing.",
        "A slow reader slows the sender.",
    ],
    chapter: ("04-streaming-with-fetch.html", "Chapter 4"),
};
const WEBSOCKET: Choice = Choice {
    class: "ws",
    name: "WebSocket",
    how: "One line, and both sides speak whenever they like.",
    price: &[
        "Yours to write: coming back, where you were, what was acknowledged, who is gone.",
        "No status codes, no headers of your own, no brake while receiving.",
        "No CORS: the server must look at `Origin`.",
    ],
    chapter: ("05-websocket.html", "Chapter 5"),
};

/// `<rt-choose>`.
#[derive(Clone, Debug, Default)]
pub struct RtChoose {
    /// The answer to each question, if it was given.
    answers: [Option<usize>; 5],
}

impl RtChoose {
    /// The questions that are to be asked, by the answers so far, and what comes out when all are answered.
    ///
    /// The second choice is what would fit if nobody stood between.
    fn path(&self) -> (Vec<usize>, Option<(&'static Choice, &'static Choice)>) {
        let mut asked = Vec::new();
        let mut answer = |question: usize| {
            asked.push(question);
            self.answers[question]
        };
        let choice = (|| {
            if answer(ASKED)? == 0 {
                return Some((&FETCH, &FETCH));
            }
            if answer(AGE)? == 0 {
                return Some((&TIMER, &TIMER));
            }
            let favourite = if answer(TALKS)? == 1 {
                &WEBSOCKET
            } else if answer(SENT)? == 0 {
                &SSE
            } else {
                &STREAM
            };
            let fits = match (answer(BETWEEN)?, favourite.class) {
                (1, "sse" | "stream") | (2, "ws") => &POLL,
                _ => favourite,
            };
            Some((fits, favourite))
        })();
        (asked, choice)
    }

    fn question(&self, number: usize) -> Element {
        let question = &QUESTIONS[number];
        let answers = question.answers.iter().enumerate().map(|(index, answer)| {
            let input = el("input")
                .set("type", "radio")
                .set("name", question.name)
                .set("data-sets", question.name)
                .set("value", index)
                .flag("checked", self.answers[number] == Some(index));
            el("label").class("check").with(input).with(el("span").words(answer.words))
        });
        el("fieldset")
            .with(el("legend").text(format_args!("{}. {}", number + 1, question.words)))
            .with_all(answers)
    }

    fn result(&self, asked: &[usize], choice: &Choice, favourite: &Choice) -> Element {
        // A detour is taken for one reason.
        let is_detour = choice.name != favourite.name;
        let reasons = asked
            .iter()
            .filter(|question| !is_detour || [ASKED, BETWEEN].contains(question))
            .filter_map(|question| {
                let answer = &QUESTIONS[*question].answers[self.answers[*question]?];
                Some(el("li").words(answer.because))
            });
        let mut result = el("div")
            .class("result")
            .with(el("p").class("hint").text("Take"))
            .with(el("p").class("choice-name").with(technique(choice)))
            .with(paragraph(choice.how))
            .with(paragraph("Because:").set("class", "hint"))
            .with(el("ul").with_all(reasons))
            .with(paragraph("What it costs:").set("class", "hint"))
            .with(el("ul").with_all(choice.price.iter().map(|price| el("li").words(price))));
        if is_detour {
            result = result
                .with(el("p").text("If the proxy can be changed: ").with(technique(favourite)).text("."));
        }
        if choice.class != "fetch" {
            result = result.with(
                el("p")
                    .words("And what must survive a cut? If only the latest counts, send the latest on every connect. If each counts, you need numbers and a log: ")
                    .with(el("a").set("href", "07-delivery.html").text("chapter 7"))
                    .text("."),
            );
        }
        let (href, words) = choice.chapter;
        result.with(el("div").class("row").with(el("a").set("href", href).text(words)).with(button(
            "again",
            "",
            "Begin again",
        )))
    }
}

/// A technique's name with its sign.
fn technique(choice: &Choice) -> Element {
    el("span").set("class", format_args!("technique {}", choice.class)).text(choice.name)
}

impl Widget for RtChoose {
    fn act(&mut self, action: &Action<'_>) {
        if action.name == "again" {
            self.answers = [None; 5];
        }
        let Some(number) = QUESTIONS.iter().position(|question| question.name == action.name) else { return };
        let chosen = action.value.parse().ok().filter(|index| *index < QUESTIONS[number].answers.len());
        self.answers[number] = chosen.or(self.answers[number]);
    }

    /// The technique that came out: the map on the same page marks it.
    fn state(&self) -> Option<&'static str> {
        Some(self.path().1?.0.class)
    }

    fn view(&self) -> Vec<Node> {
        let (asked, choice) = self.path();
        let questions =
            el("div").class("questions").with_all(asked.iter().map(|number| self.question(*number)));
        let mut status = el("div").class("outcome").set("role", "status");
        status = match choice {
            Some((choice, favourite)) => status.with(self.result(&asked, choice, favourite)),
            None => status,
        };
        vec![questions.into(), status.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::shown;
    use std::path::Path;

    /// The widget after these answers, in the order of the questions.
    fn answered(answers: &[usize]) -> RtChoose {
        let mut widget = RtChoose::default();
        for answer in answers {
            let (asked, _) = widget.path();
            let question = QUESTIONS[*asked.last().unwrap()].name;
            widget.act(&Action::new(question, &answer.to_string()));
        }
        widget
    }

    /// Every way through the questions.
    fn ways() -> Vec<Vec<usize>> {
        let mut ways = Vec::new();
        let mut open = vec![Vec::new()];
        while let Some(way) = open.pop() {
            let (asked, choice) = answered(&way).path();
            if choice.is_some() {
                ways.push(way);
                continue;
            }
            for answer in 0..QUESTIONS[*asked.last().unwrap()].answers.len() {
                open.push([&way[..], &[answer]].concat());
            }
        }
        ways.sort();
        ways
    }

    #[test]
    fn each_way_leads_to_a_choice() {
        let told: Vec<String> =
            ways().iter().map(|way| format!("{way:?} {}", answered(way).path().1.unwrap().0.name)).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn it_begins_with_the_first_question() {
        insta::assert_snapshot!(shown(&RtChoose::default()));
    }

    #[test]
    fn a_choice_comes_with_reasons_price_and_chapter() {
        insta::assert_snapshot!(shown(&answered(&[1, 1, 0, 0, 1])));
    }

    #[test]
    fn another_answer_changes_the_way_and_keeps_the_rest() {
        let mut widget = answered(&[1, 1, 0, 0, 0]);
        assert_eq!(widget.path().1.unwrap().0.name, "Server-Sent Events");
        assert_eq!(widget.state(), Some("sse"));
        widget.act(&Action::new("talks", "1"));
        assert_eq!(widget.path().1.unwrap().0.name, "WebSocket");
        widget.act(&Action::new("talks", "7"));
        assert_eq!(widget.path().1.unwrap().0.name, "WebSocket");
        widget.act(&Action::new("again", ""));
        assert_eq!(widget.path().0, [ASKED]);
        assert_eq!(widget.state(), None);
    }

    #[test]
    fn the_chapters_are_there_and_ask_the_same() {
        let chapters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
        for choice in [&FETCH, &TIMER, &POLL, &SSE, &STREAM, &WEBSOCKET] {
            let chapter = chapters.join(choice.chapter.0).with_extension("md");
            assert!(chapter.is_file(), "{}", chapter.display());
        }
        let map = std::fs::read_to_string(chapters.join("00-the-map.md")).unwrap();
        for (number, question) in (1..).zip(&QUESTIONS) {
            let words = format!("**{number}. {}**", question.words);
            assert!(map.contains(&words), "chapter 0 asks otherwise: {words}");
        }
    }
}
