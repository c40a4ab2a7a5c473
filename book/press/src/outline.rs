//! What a stage knows of the book beside its pages: the chapters, and the questions they ask.

use crate::{Options, PressError, fences, load, markdown, predict};

/// A chapter's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOutline {
    /// The name of its file: `03-server-sent-events.html`.
    pub file: String,
    /// Its title in the table of contents.
    pub title: String,
    /// The questions it asks, in their order.
    pub questions: Vec<QuestionOutline>,
}

/// A question of a chapter, *predict first*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionOutline {
    /// The id of its section on the page.
    pub id: String,
    /// The question, HTML.
    pub text: String,
    /// The answers, in their order.
    pub answers: Vec<AnswerOutline>,
}

/// An answer that one may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerOutline {
    /// Whether it is right.
    pub right: bool,
    /// The answer, HTML within a line.
    pub text: String,
}

/// The chapters of the book that `options` describe, in their order, as far as they are written.
///
/// # Errors
/// [`PressError::Book`] for a book.toml or SUMMARY.md that mdBook cannot read. A question that is not well formed is
/// left out: it fails the build with its place.
pub fn outline(options: &Options) -> Result<Vec<PageOutline>, PressError> {
    let book = load(options, &options.out).map_err(PressError::Book)?;
    let pages = book.book.chapters().filter_map(|chapter| {
        let file = chapter.source_path.as_ref()?.with_extension("html");
        let lines: Vec<&str> = chapter.content.lines().collect();
        let questions = fences::scan(&lines).iter().filter_map(question).collect();
        Some(PageOutline { file: file.to_str()?.to_owned(), title: chapter.name.clone(), questions })
    });
    Ok(pages.collect())
}

/// A question that has an id of its own: one that has none cannot be named from outside its page.
fn question(fence: &fences::Fence) -> Option<QuestionOutline> {
    let is_question = fence.info.split_whitespace().next() == Some("predict");
    let question = is_question.then(|| predict::read(fence).ok()).flatten()?;
    let answers = question
        .answers
        .iter()
        .map(|answer| AnswerOutline { right: answer.right, text: markdown::inline(&answer.text) });
    Some(QuestionOutline {
        id: question.id?,
        text: markdown::blocks(&question.text),
        answers: answers.collect(),
    })
}
