//! `<rt-predict>`: a question to be answered before one reads on: an answer, and how sure one is of it.
//!
//! Question, answers and explanations are the author's, and stay where they are; the widget knows how many there are
//! and which is right. Where it writes an answer's words it leaves an empty element with `data-copy`, and the page
//! copies them there. What was predicted goes to the page as well ([`Ask`]), for whoever collects votes.

use crate::view::{Action, Ask, Element, Node, Widget, button, el, paragraph};

/// How sure one may be.
const SURENESS: [&str; 3] = ["I guess", "Fairly sure", "Certain"];

/// What is said afterwards, by how sure one was: of a right answer, and of a wrong one.
const SAID: [[&str; 2]; 3] = [
    ["That is so. You guessed: now read why.", "It is not so. You did not claim to know: now you can."],
    ["That is so. Read why the others are not.", "It is not so. Read what speaks against it."],
    [
        "That is so, and you knew it.",
        "It is not so, and you were certain: these are the answers that one remembers.",
    ],
];

/// `<rt-predict>`.
#[derive(Clone, Debug)]
pub struct RtPredict {
    /// The question's id.
    id: String,
    /// Of each answer, whether it is right.
    right: Vec<bool>,
    chosen: Option<usize>,
    /// How sure one was, once that is said.
    sure: Option<usize>,
    /// Whether the page has heard of it.
    is_told: bool,
}

impl RtPredict {
    /// A question of which `score` says the id and, in ones and zeros, which answers are right: `clean-end 010`.
    pub fn new(score: &str) -> Option<RtPredict> {
        let (id, right) = score.split_once(' ')?;
        let right: Vec<bool> = right.bytes().map(|answer| answer == b'1').collect();
        (right.len() > 1).then(|| RtPredict {
            id: id.to_owned(),
            right,
            chosen: None,
            sure: None,
            is_told: true,
        })
    }

    fn asking(&self) -> Vec<Node> {
        let answers = (0..self.right.len()).map(|at| {
            let input = el("input")
                .set("type", "radio")
                .set("name", &self.id)
                .set("data-sets", "answer")
                .set("value", at)
                .flag("checked", self.chosen == Some(at));
            el("label").class("check").with(input).with(el("span").set("data-copy", at))
        });
        let answers =
            el("fieldset").with(el("legend").class("unseen").text("What do you say?")).with_all(answers);
        let is_open = self.chosen.is_none();
        let sureness = SURENESS
            .iter()
            .enumerate()
            .map(|(at, words)| button("sure", at, words).flag("disabled", is_open));
        let sureness = el("div")
            .class("row sureness")
            .set("role", "group")
            .set("aria-label", "How sure are you?")
            .with(el("span").class("hint").text(if is_open {
                "Choose, then say how sure you are."
            } else {
                "How sure are you?"
            }))
            .with_all(sureness);
        vec![answers.into(), sureness.into()]
    }

    fn told(&self, chosen: usize, sure: usize) -> Element {
        let is_right = self.right[chosen];
        let said = el("p")
            .with(el("b").text(format_args!("{}:", SURENESS[sure])))
            .text(" ")
            .with(el("span").set("data-copy", chosen));
        let verdict = if is_right { "verdict" } else { "verdict bad" };
        el("div").class(verdict).with(said).with(paragraph(SAID[sure][usize::from(!is_right)]))
    }
}

impl Widget for RtPredict {
    fn act(&mut self, action: &Action<'_>) {
        let number = action.value.parse().ok();
        match action.name {
            "answer" if self.sure.is_none() => {
                self.chosen = number.filter(|at| *at < self.right.len()).or(self.chosen);
            }
            "sure" if self.chosen.is_some() && self.sure.is_none() => {
                self.sure = number.filter(|at| *at < SURENESS.len());
                self.is_told = self.sure.is_none();
            }
            "again" => (self.chosen, self.sure, self.is_told) = (None, None, false),
            _ => {}
        }
    }

    fn ask(&mut self) -> Option<Ask> {
        if self.is_told {
            return None;
        }
        self.is_told = true;
        let json = match (self.chosen, self.sure) {
            (Some(answer), Some(sureness)) => {
                format!(r#"{{"answer":{answer},"sureness":{sureness},"right":{}}}"#, self.right[answer])
            }
            _ => "null".to_owned(),
        };
        Some(Ask { name: "predicted", json })
    }

    /// The author's list is part of it.
    fn folds(&self) -> bool {
        false
    }

    fn state(&self) -> Option<&'static str> {
        Some(if self.sure.is_some() { "told" } else { "asking" })
    }

    fn view(&self) -> Vec<Node> {
        let mut view = match (self.chosen, self.sure) {
            (Some(_), Some(_)) => Vec::new(),
            _ => self.asking(),
        };
        let status = el("div").set("role", "status");
        view.push(match (self.chosen, self.sure) {
            (Some(chosen), Some(sure)) => status.with(self.told(chosen, sure)).into(),
            _ => status.into(),
        });
        if self.sure.is_some() {
            view.push(el("div").class("row").with(button("again", "", "Ask me again")).into());
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::shown;

    /// The widget after these actions.
    fn after(actions: &[(&str, &str)]) -> RtPredict {
        let mut widget = RtPredict::new("clean-end 010").unwrap();
        for (name, value) in actions {
            widget.act(&Action::new(name, value));
        }
        widget
    }

    #[test]
    fn it_begins_with_the_answers_and_no_verdict() {
        insta::assert_snapshot!(shown(&after(&[])));
    }

    #[test]
    fn a_prediction_is_recalled_and_judged() {
        insta::assert_snapshot!(shown(&after(&[("answer", "0"), ("sure", "2")])));
        assert!(shown(&after(&[("answer", "1"), ("sure", "0")])).contains("You guessed"));
    }

    #[test]
    fn nothing_is_told_before_one_has_said_how_sure_one_is() {
        for actions in [&[("sure", "1")][..], &[("answer", "0")], &[("answer", "7"), ("sure", "0")]] {
            let mut widget = after(actions);
            assert_eq!(widget.state(), Some("asking"), "{actions:?}");
            assert_eq!(widget.ask(), None, "{actions:?}");
        }
    }

    #[test]
    fn the_page_hears_of_a_prediction_once_and_of_another_try() {
        let mut widget =
            after(&[("answer", "0"), ("answer", "1"), ("sure", "1"), ("answer", "2"), ("sure", "2")]);
        let told = r#"{"answer":1,"sureness":1,"right":true}"#;
        assert_eq!(widget.ask(), Some(Ask { name: "predicted", json: told.to_owned() }));
        assert_eq!(widget.ask(), None);
        widget.act(&Action::new("again", ""));
        assert_eq!(widget.ask().unwrap().json, "null");
        assert_eq!(shown(&widget), shown(&after(&[])));
    }

    #[test]
    fn a_score_is_read_as_it_is_written_or_not_at_all() {
        assert!(RtPredict::new("clean-end").is_none());
        assert!(RtPredict::new("clean-end 1").is_none());
        assert_eq!(RtPredict::new("a 100").unwrap().right, [true, false, false]);
    }
}
