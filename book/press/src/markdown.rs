//! Markdown as mdBook reads it, and small pieces of it turned into HTML on one line.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// What mdBook switches on with the options in book.toml.
pub(crate) fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_SMART_PUNCTUATION
}

/// Paragraphs, lists and so on as HTML on one line, so that it stays one HTML block in the chapter
/// (CommonMark § 4.6 ends a block at a blank line).
pub(crate) fn blocks(text: &str) -> String {
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(text, options()));
    out.trim().replace('\n', " ")
}

/// What [`blocks`] gives, with each link leading where `lead` says.
pub(crate) fn blocks_leading(text: &str, lead: impl Fn(&str) -> String) -> String {
    let events = Parser::new_ext(text, options()).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: lead(&dest_url).into(), title, id })
        }
        event => event,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out.trim().replace('\n', " ")
}

/// Words within a line as HTML: what [`blocks`] gives, without the paragraph around it.
pub(crate) fn inline(text: &str) -> String {
    let events = Parser::new_ext(text.trim(), options())
        .filter(|event| !matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)));
    let mut out = String::new();
    html::push_html(&mut out, events);
    out.trim().replace('\n', " ")
}

/// Text with the characters that mean something between tags and in an attribute in double quotes written so that
/// they don't, and its line ends as character references, so that code with blank lines stays one HTML block.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c => out.push(c),
        }
    }
    out
}

/// The text of a piece of HTML as a reader sees it: tags gone, and what [`escape`] has written read.
pub(crate) fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let read = text.replace("&#10;", "\n").replace("&lt;", "<").replace("&gt;", ">");
    read.replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_markdown_has_no_paragraph_around_it() {
        assert_eq!(
            inline("`a` and *b*,\n[c](d.md)"),
            "<code>a</code> and <em>b</em>, <a href=\"d.md\">c</a>"
        );
    }

    #[test]
    fn blocks_stay_on_one_line() {
        assert_eq!(blocks("one\n\ntwo"), "<p>one</p> <p>two</p>");
    }

    #[test]
    fn escaped_text_has_no_line_end_and_no_tag() {
        assert_eq!(escape("a<b>\n\n&\"c"), "a&lt;b&gt;&#10;&#10;&amp;&quot;c");
    }
}
