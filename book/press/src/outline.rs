//! What a stage knows of the book beside its pages: the chapters, the questions they ask, and what they say to whoever
//! teaches them.

use crate::{Options, PressError, fences, load, markdown, notes, predict};

/// A chapter's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOutline {
    /// The name of its file: `03-server-sent-events.html`.
    pub file: String,
    /// Its title in the table of contents.
    pub title: String,
    /// The questions it asks, in their order.
    pub questions: Vec<QuestionOutline>,
    /// Its notes for the instructor, in their order.
    pub notes: Vec<NoteOutline>,
}

/// A note for the instructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteOutline {
    /// How long it takes, in minutes.
    pub minutes: u16,
    /// The same as the chapter says it: `20 min, and the lab`.
    pub time: String,
    /// The note, HTML. Its links lead to where a stage has the book.
    pub text: String,
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
        let file = file.to_str()?.to_owned();
        let lead = |link: &str| led(link, &options.language, &file);
        let notes = notes::for_the_instructor(&lines).into_iter().filter_map(|note| self::note(note, lead));
        Some(PageOutline { notes: notes.collect(), title: chapter.name.clone(), questions, file })
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

/// A note that says how long it takes. One that does not fails the build with its place.
fn note((time, text): (String, String), lead: impl Fn(&str) -> String) -> Option<NoteOutline> {
    let minutes = time.split_once(" min")?.0.parse().ok()?;
    Some(NoteOutline { minutes, text: markdown::blocks_leading(&text, lead), time })
}

/// Where a link of the page `file` leads from anywhere on a stage.
fn led(link: &str, language: &str, file: &str) -> String {
    if link.contains("://") || link.starts_with('/') {
        return link.to_owned();
    }
    let (page, id) = link.split_once('#').map_or((link, None), |(page, id)| (page, Some(id)));
    let page = match page.strip_suffix(".md") {
        Some(name) => format!("{name}.html"),
        None if page.is_empty() => file.to_owned(),
        None => page.to_owned(),
    };
    let id = id.map(|id| format!("#{id}")).unwrap_or_default();
    format!("/{language}/{page}{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_s_links_lead_from_anywhere() {
        let from = |link| led(link, "en", "03-server-sent-events.html");
        assert_eq!(from("#fatal"), "/en/03-server-sent-events.html#fatal");
        assert_eq!(from("05-websocket.md#close"), "/en/05-websocket.html#close");
        assert_eq!(from("figures.md"), "/en/figures.html");
        assert_eq!(from("/live/lab3/"), "/live/lab3/");
        assert_eq!(from("https://html.spec.whatwg.org/#x"), "https://html.spec.whatwg.org/#x");
    }

    #[test]
    fn a_note_is_found_where_it_stands_and_not_in_a_fence() {
        let text = "```text\n> [!INSTRUCTOR] 6 min\n> Closed.\n```\n\n> [!INSTRUCTOR] 20 min, and the lab\n> - **2 min.** Ask, see [here](#x).\n>\n> More.\n\nText.\n\n> [!INSTRUCTOR] soon\n> x\n";
        let lines: Vec<&str> = text.lines().collect();
        let found: Vec<_> = notes::for_the_instructor(&lines)
            .into_iter()
            .filter_map(|found| note(found, |link| format!("/en/a.html{link}")))
            .collect();
        assert_eq!(
            found,
            [NoteOutline {
                minutes: 20,
                time: "20 min, and the lab".to_owned(),
                text: "<ul> <li><strong>2 min.</strong> Ask, see <a href=\"/en/a.html#x\">here</a>.</li> </ul> <p>More.</p>"
                    .to_owned()
            }]
        );
    }
}
