//! The words that the book itself says around an author's text, per language.

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Labels {
    /// The language's code, as in `<html lang>`.
    pub(crate) code: &'static str,
    /// Its name in itself.
    pub(crate) name: &'static str,
    pub(crate) chapter: &'static str,
    pub(crate) appendix: &'static str,
    pub(crate) read: &'static str,
    pub(crate) lab: &'static str,
    pub(crate) demo: &'static str,
    pub(crate) minutes: &'static str,
    pub(crate) needs: &'static str,
    pub(crate) note: &'static str,
    pub(crate) tip: &'static str,
    pub(crate) important: &'static str,
    pub(crate) warning: &'static str,
    pub(crate) caution: &'static str,
    pub(crate) instructor: &'static str,
    pub(crate) predict: &'static str,
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) exchange: &'static str,
    pub(crate) in_words: &'static str,
    pub(crate) in_tables: &'static str,
    pub(crate) drawn_from: &'static str,
    pub(crate) line: &'static str,
    pub(crate) lines: &'static str,
    pub(crate) languages: &'static str,
}

/// English, the language the book is written in.
pub(crate) static ENGLISH: Labels = Labels {
    code: "en",
    name: "English",
    chapter: "Chapter",
    appendix: "Appendix",
    read: "Read",
    lab: "Lab",
    demo: "Demo",
    minutes: "min",
    needs: "Needs",
    note: "Note",
    tip: "Tip",
    important: "Important",
    warning: "Watch out",
    caution: "Careful",
    instructor: "For the instructor",
    predict: "Predict first",
    right: "Yes.",
    wrong: "No.",
    exchange: "An exchange",
    in_words: "The same in words",
    in_tables: "Three markets, measured when the book was built",
    drawn_from: "Drawn from",
    line: "line",
    lines: "lines",
    languages: "Languages",
};

impl Labels {
    /// The words of a language, if the book has them.
    pub(crate) fn of(code: &str) -> Option<&'static Labels> {
        [&ENGLISH].into_iter().find(|labels| labels.code == code)
    }
}
