//! *Predict first*: a question, its answers, and behind each answer why it holds or not.
//!
//! Each answer is a `<details>`, so that it works with no script. The whole stands in an `<rt-predict>`
//! (`book/widgets`), which asks for an answer before it tells; its score says which answers are right.

use crate::fences::{Fence, Info};
use crate::labels::Labels;
use crate::markdown;

/// What may stand behind a `predict` fence.
pub(crate) const OPTIONS: [&str; 1] = ["id"];

/// A question with its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Where links may point to it.
    pub(crate) id: Option<String>,
    /// The question, Markdown.
    pub(crate) text: String,
    /// The answers in their order.
    pub(crate) answers: Vec<Answer>,
}

/// One answer that a reader may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether it is right.
    pub(crate) right: bool,
    /// The answer, Markdown within a line.
    pub(crate) text: String,
    /// Why it is right or wrong, Markdown within a line.
    pub(crate) why: String,
}

/// Reads the fence.
///
/// # Errors
/// The line, counted from the opening fence, and a sentence.
pub(crate) fn read(fence: &Fence) -> Result<Question, (usize, String)> {
    let info = Info::read(&fence.info, &OPTIONS).map_err(|what| (0, what))?;
    let mut question = String::new();
    let mut items: Vec<(usize, bool, String)> = Vec::new();
    for (at, line) in (1..).zip(&fence.body) {
        if let Some((right, text)) = item(line) {
            items.push((at, right, text.to_owned()));
        } else if let Some((_, _, text)) = items.last_mut() {
            if !line.trim().is_empty() && !line.starts_with(' ') {
                return Err((
                    at,
                    "this line belongs to no answer: answers begin with `- [ ] ` or `- [x] `, and go on in indented lines."
                        .to_owned(),
                ));
            }
            text.push(' ');
            text.push_str(line.trim());
        } else {
            question.push_str(line);
            question.push('\n');
        }
    }
    let question = question.trim().to_owned();
    if question.is_empty() {
        return Err((0, "the question is missing: it stands before the answers.".to_owned()));
    }
    if items.len() < 2 {
        return Err((
            0,
            "a prediction offers two answers or more, each a line `- [ ] answer — explanation`.".to_owned(),
        ));
    }
    if !items.iter().any(|(_, right, _)| *right) {
        return Err((0, "no answer is marked as right with `- [x] `.".to_owned()));
    }
    let mut answers = Vec::new();
    for (at, right, text) in items {
        let (text, why) = text
            .split_once(" — ")
            .map(|(text, why)| (text.trim().to_owned(), why.trim().to_owned()))
            .filter(|(text, why)| !text.is_empty() && !why.is_empty())
            .ok_or_else(|| {
                (at, "an answer and its explanation are parted by ` — `, and neither is empty.".to_owned())
            })?;
        answers.push(Answer { right, text, why });
    }
    Ok(Question { id: info.get("id").map(str::to_owned), text: question, answers })
}

fn item(line: &str) -> Option<(bool, &str)> {
    let rest = line.strip_prefix("- [")?;
    let (mark, text) = rest.split_once("] ")?;
    match mark {
        " " => Some((false, text)),
        "x" | "X" => Some((true, text)),
        _ => None,
    }
}

/// The question as HTML on one line. `name` is its id if the author gave none; no other in the book has it.
pub(crate) fn draw(question: &Question, name: &str, labels: &Labels) -> String {
    let id = markdown::escape(question.id.as_deref().unwrap_or(name));
    let answers: String = question
        .answers
        .iter()
        .map(|answer| {
            let (verdict, word) = match answer.right {
                true => ("right", labels.right),
                false => ("wrong", labels.wrong),
            };
            format!(
                "<li><details data-verdict=\"{verdict}\"><summary><span>{}</span></summary><p><strong>{word}</strong> {}</p></details></li>",
                markdown::inline(&answer.text),
                markdown::inline(&answer.why)
            )
        })
        .collect();
    let right: String = question.answers.iter().map(|answer| if answer.right { '1' } else { '0' }).collect();
    format!(
        "<section class=\"predict\" id=\"{id}\" aria-labelledby=\"{id}-question\"><rt-predict score=\"{id} {right}\"><div class=\"question\" id=\"{id}-question\"><span class=\"kind\">{}</span> {}</div><ul class=\"answers\">{answers}</ul></rt-predict></section>",
        labels.predict,
        markdown::blocks(&question.text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fences::scan;
    use crate::labels::ENGLISH;

    fn question(text: &str) -> Result<Question, (usize, String)> {
        read(&scan(&text.lines().collect::<Vec<_>>())[0])
    }

    const CLEAN_END: &str = "```predict id=\"clean-end\"\nThe server ends the stream cleanly. What does `EventSource` do?\n\n- [ ] It is done: `readyState` is CLOSED. — So would `fetch`,\n  which reads *one* body.\n- [x] It waits, then connects again. — A stream is [never done](#resume).\n```";

    #[test]
    fn each_answer_opens_to_its_explanation() {
        insta::assert_snapshot!(draw(&question(CLEAN_END).unwrap(), "chapter-1", &ENGLISH));
    }

    #[test]
    fn a_question_without_an_id_has_the_one_it_is_given() {
        let mut asked = question(CLEAN_END).unwrap();
        asked.id = None;
        assert!(draw(&asked, "03-predict-2", &ENGLISH).contains("id=\"03-predict-2\""));
    }

    #[test]
    fn a_wrong_question_is_told_with_its_line() {
        let told = |body: &str| question(&format!("```predict\n{body}\n```")).unwrap_err();
        insta::assert_debug_snapshot!([
            told("- [x] a — b\n- [ ] c — d"),
            told("Q?\n- [x] a — b"),
            told("Q?\n- [ ] a — b\n- [ ] c — d"),
            told("Q?\n- [x] a — b\n- [ ] c, and no reason"),
            told("Q?\n- [x] a — b\nstray\n- [ ] c — d"),
            told("Q?\n- [x] a — \n- [ ] c — d"),
        ]);
    }
}
