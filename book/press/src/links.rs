//! Checks what chapters point to: files, headings, pictures; and that a page loads nothing from elsewhere and
//! carries nothing that a strict Content-Security-Policy refuses.

use crate::elements::PLACED;
use crate::fault::Reporter;
use crate::fences::listed;
use crate::includes::normalised;
use crate::markdown;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// Where the stage serves what is not a page of the book.
const LIVE: [&str; 4] = ["/live/", "/race", "/class", "/instructor"];

/// What a chapter offers to links, and where it points itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// The ids of its headings, figures and other elements.
    pub(crate) anchors: HashSet<String>,
    /// What it points to, with the line.
    pub(crate) links: Vec<Link>,
}

/// One link, as it stands in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
    /// Whether the page loads it by itself: a picture.
    pub(crate) loaded: bool,
}

/// Reads a piece of a chapter. `line` gives the source's line for a line of this text, both as the caller counts.
pub(crate) fn read(text: &str, line: &dyn Fn(usize) -> usize, page: &mut Page, report: &mut Reporter<'_>) {
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let line_at = |offset: usize| line(starts.partition_point(|start| *start <= offset) - 1);
    let mut generated = HashSet::new();
    let mut heading: Option<(Option<String>, String, usize)> = None;
    let mut html: Option<(usize, String)> = None;
    for (event, range) in Parser::new_ext(text, markdown::options()).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { id, .. }) => {
                heading = Some((id.map(|id| id.to_string()), String::new(), range.start));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((id, words, start)) = heading.take() {
                    match id {
                        Some(id) => anchor(id, line_at(start), page, report),
                        None => {
                            let id = unique(&id_of(&words), &mut generated);
                            page.anchors.insert(id);
                        }
                    }
                }
            }
            Event::Text(words) | Event::Code(words) => match (&mut html, &mut heading) {
                (Some((_, html)), _) => html.push_str(&words),
                (None, Some((_, heading, _))) => heading.push_str(&words),
                (None, None) => {}
            },
            Event::Start(Tag::Link { dest_url, .. }) => page.links.push(Link {
                line: line_at(range.start),
                target: dest_url.to_string(),
                loaded: false,
            }),
            Event::Start(Tag::Image { dest_url, .. }) => page.links.push(Link {
                line: line_at(range.start),
                target: dest_url.to_string(),
                loaded: true,
            }),
            Event::Start(Tag::HtmlBlock) => html = Some((range.start, String::new())),
            Event::Html(part) => {
                if let Some((_, html)) = &mut html {
                    html.push_str(&part);
                }
            }
            Event::End(TagEnd::HtmlBlock) => {
                if let Some((start, html)) = html.take() {
                    read_html(&html, &|at| line_at(start + at), page, report);
                }
            }
            Event::InlineHtml(part) => {
                read_html(&part, &|at| line_at(range.start + at), page, report);
            }
            _ => {}
        }
    }
}

/// Notes an id that links may point to.
pub(crate) fn anchor(id: String, line: usize, page: &mut Page, report: &mut Reporter<'_>) {
    if !page.anchors.insert(id.clone()) {
        report.at(line, format!("the id `{id}` is given twice in this chapter."));
    }
}

/// mdBook's id for a heading without one.
fn id_of(words: &str) -> String {
    words
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || matches!(c, '_' | '-') => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

fn unique(id: &str, used: &mut HashSet<String>) -> String {
    let mut candidate = id.to_owned();
    let mut count = 0;
    while !used.insert(candidate.clone()) {
        count += 1;
        candidate = format!("{id}-{count}");
    }
    candidate
}

/// A tag in raw HTML.
struct RawTag<'a> {
    at: usize,
    name: String,
    attributes: Vec<(String, &'a str)>,
}

/// The opening tags of a piece of HTML. Comments are left out.
fn tags(html: &str) -> Vec<RawTag<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = html[at..].find('<').map(|open| open + at) {
        let rest = &html[open..];
        if rest.starts_with("<!--") {
            at = rest.find("-->").map_or(html.len(), |end| open + end + 3);
            continue;
        }
        at = open + 1;
        if !html[at..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let name_end = html[at..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .map_or(html.len(), |end| at + end);
        let mut tag =
            RawTag { at: open, name: html[at..name_end].to_ascii_lowercase(), attributes: Vec::new() };
        at = name_end;
        loop {
            let rest = html[at..].trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            at = html.len() - rest.len();
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let name_end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
                .unwrap_or(rest.len())
                .max(rest.chars().next().map_or(1, char::len_utf8));
            let name = rest[..name_end].to_ascii_lowercase();
            let after = rest[name_end..].trim_start();
            let (value, after) = match after.strip_prefix('=').map(str::trim_start) {
                None => ("", &rest[name_end..]),
                Some(value) => match value.chars().next() {
                    Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
                    _ => value
                        .split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len())),
                },
            };
            tag.attributes.push((name, value));
            at = html.len() - after.len();
        }
        found.push(tag);
    }
    found
}

fn read_html(html: &str, line: &dyn Fn(usize) -> usize, page: &mut Page, report: &mut Reporter<'_>) {
    for tag in tags(html) {
        let line = line(tag.at);
        if matches!(
            tag.name.as_str(),
            "script" | "style" | "iframe" | "link" | "object" | "embed" | "base" | "form"
        ) {
            report.at(
                line,
                format!(
                    "a chapter holds no `<{}>`; what every page needs belongs into book/theme.",
                    tag.name
                ),
            );
        }
        if tag.name.contains('-') && !PLACED.contains(&tag.name.as_str()) {
            report.at(
                line,
                format!("there is no element `<{}>` to place; there are {}.", tag.name, listed(&PLACED)),
            );
        }
        for (name, value) in tag.attributes {
            match name.as_str() {
                "id" => anchor(value.to_owned(), line, page, report),
                "href" | "src" | "poster" => page.links.push(Link {
                    line,
                    target: value.to_owned(),
                    loaded: name != "href",
                }),
                "style" => report.at(
                    line,
                    "a chapter holds no `style=\"…\"`; give the element a class and style that in book/theme.",
                ),
                name if name.starts_with("on") => report.at(
                    line,
                    format!("a chapter holds no script, and `{name}=\"…\"` is one."),
                ),
                _ => {}
            }
        }
    }
}

/// Checks where everything points. `pages` are the chapters by their path within the folder of chapters.
pub(crate) fn check(
    file: &Path,
    chapters: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    report: &mut Reporter<'_>,
) {
    let Some(page) = pages.get(file) else { return };
    for link in &page.links {
        if let Err(what) = target(link, file, chapters, pages) {
            report.at(link.line, what);
        }
    }
}

fn target(link: &Link, file: &Path, chapters: &Path, pages: &BTreeMap<PathBuf, Page>) -> Result<(), String> {
    let target = link.target.as_str();
    if target.is_empty() {
        return Err("this link points nowhere.".to_owned());
    }
    let scheme = target.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    match scheme {
        _ if target.starts_with("//") || (link.loaded && scheme.is_some_and(|scheme| scheme != "data")) => {
            return Err(format!(
                "`{target}` would be loaded from elsewhere; put the file beside the chapters."
            ));
        }
        Some("http" | "https" | "mailto") => return Ok(()),
        Some("data") if link.loaded => return Ok(()),
        Some(scheme) => return Err(format!("a link of the kind `{scheme}:` is not for a book.")),
        None => {}
    }
    if target.starts_with('/') {
        return match LIVE.iter().any(|live| target.starts_with(live)) {
            true => Ok(()),
            false => Err(format!(
                "`{target}` begins with `/`; pages of the book are linked by their file: `[…](03-server-sent-events.md)`."
            )),
        };
    }
    let (path, fragment) = match target.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (target, None),
    };
    let place = match path {
        "" => file.to_path_buf(),
        path => normalised(&file.parent().unwrap_or(Path::new("")).join(path)),
    };
    if let Some(page) = pages.get(&place) {
        return match fragment {
            Some(fragment) if !page.anchors.contains(fragment) => Err(missing_anchor(fragment, &place, page)),
            _ => Ok(()),
        };
    }
    if place.starts_with("..") {
        return Err(format!(
            "`{path}` lies outside book/src and is not part of the site; write the path as code instead."
        ));
    }
    if path.ends_with(".html") && pages.contains_key(&place.with_extension("md")) {
        return Err(format!(
            "link the chapter's source, `{}`, instead of `{path}`.",
            place.with_extension("md").display()
        ));
    }
    match chapters.join(&place).is_file() {
        true if path.ends_with(".md") => Err(format!("`{path}` is not in SUMMARY.md, so it has no page.")),
        true => Ok(()),
        false => Err(format!("there is no file `{path}` in book/src.")),
    }
}

fn missing_anchor(fragment: &str, place: &Path, page: &Page) -> String {
    let mut close: Vec<&String> =
        page.anchors.iter().filter(|id| id.contains(fragment) || fragment.contains(id.as_str())).collect();
    close.sort();
    match close.first() {
        Some(id) => {
            format!("`{}` has no heading or figure `#{fragment}`; did you mean `#{id}`?", place.display())
        }
        None => format!("`{}` has no heading or figure `#{fragment}`.", place.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;

    fn checked(chapters: &[(&str, &str)], files: &[&str]) -> Faults {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(dir.path().join(file), "x").unwrap();
        }
        let mut faults = Faults::default();
        let mut pages = BTreeMap::new();
        for (file, text) in chapters {
            let mut page = Page::default();
            let path = PathBuf::from(file);
            read(text, &|line| line + 1, &mut page, &mut Reporter::new(&path, &mut faults));
            pages.insert(path, page);
        }
        for file in pages.keys() {
            check(file, dir.path(), &pages, &mut Reporter::new(file, &mut faults));
        }
        faults
    }

    #[test]
    fn good_links_pass() {
        let faults = checked(
            &[
                (
                    "01.md",
                    "# One { #one }\n\n[two](02.md) [part](02.md#what-survives-a-cut) [here](#one) [again](#one-1)\n\n## One\n\n## One\n\n![picture](p.svg) [out](https://example.org/) [live](/live/lab3/) <a href=\"02.md#raw\">x</a>\n",
                ),
                (
                    "02.md",
                    "# What survives a cut?\n\n<div id=\"raw\">\n\nx\n\n</div>\n\n```html\n<script src=\"http://shown.example\"></script> [not](a-link.md)\n```\n",
                ),
            ],
            &["p.svg"],
        );
        assert_eq!(faults.0, []);
    }

    #[test]
    fn every_broken_link_is_told_with_its_line() {
        let faults = checked(
            &[
                (
                    "01.md",
                    "# One { #one }\n\n[a](03.md)\n[b](02.md#cut) [c](#two)\n\n![d](none.png)\n\n[e](../README.md) [f](/en/02.html) [g](02.html) [h]() [i](draft.md)\n",
                ),
                ("02.md", "# Cut { #resume-cut }\n\n## Cut { #resume-cut }\n"),
            ],
            &["draft.md"],
        );
        insta::assert_snapshot!(faults);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_is_inline() {
        let faults = checked(
            &[(
                "01.md",
                "![a](https://example.org/a.png)\n\n<img src=\"//example.org/b.png\">\n\n<script>\nx\n</script>\n\n<p style=\"color:red\">x</p>\n\nWords <b onclick='go()'>here</b>, [j](javascript:go()).\n\n<div\n  class=\"x\"\n  id=\"two\"></div>\n<!-- <script> in a comment -->\n\n<ws-frame>\n\nx\n\n</ws-frame>\n\n<ws-frames>\n\nx\n\n</ws-frames>\n",
            )],
            &[],
        );
        insta::assert_snapshot!(faults);
    }

    #[test]
    fn odd_html_ends_the_reading_without_a_panic() {
        for html in [
            "<",
            "<a",
            "<a href",
            "<a href=",
            "<a href='",
            "<a =é>",
            "<!--",
            "<é>",
            "<a é='x' b>",
            "<a b=c/>",
            "< a",
        ] {
            assert!(tags(html).len() <= 1, "{html}");
        }
    }
}
