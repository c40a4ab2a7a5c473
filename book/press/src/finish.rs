//! What is left to do on the pages that mdBook wrote: links between languages, the current page's mark, no inline
//! style, and no file that no page uses.

use crate::address::Address;
use crate::elements::{PLACED, asks_bench, has_element, tries_a_lab};
use crate::head;
use std::io;
use std::path::{Path, PathBuf};

/// Replaced by the links to the other languages.
const LANGUAGES: &str = "<!--press:languages-->";

/// The script that keeps what was read, at the site's root.
pub(crate) const OFFLINE: &str = "offline.js";

/// mdBook writes these whatever the theme; ours uses none of them.
const UNUSED: [&str; 10] = [
    "ayu-highlight",
    "clipboard",
    "css",
    "fonts",
    "highlight",
    "mark",
    "searcher",
    "toc",
    "tomorrow-night",
    ".nojekyll",
];

/// What brings the class to a page on a stage, which serves these two by itself.
const CLASS: &str = "<link rel=\"stylesheet\" href=\"/class/-/here.css\">\n<script type=\"module\" src=\"/class/-/here.js\"></script>\n";

/// How the pages of one language are finished.
pub(crate) struct Finish<'a> {
    /// What the pages say of themselves, their language among it.
    pub(crate) site: head::Site<'a>,
    /// Whether a stage serves these pages.
    pub(crate) on_stage: bool,
    /// What the names of the widgets' module begin with; it lies above the pages.
    pub(crate) widgets: Option<String>,
    /// The name of the bench's folder; it lies above the pages.
    pub(crate) playground: Option<String>,
    /// The name of the folder with the scripts of `<try-it>`; it lies above the pages.
    pub(crate) try_it: Option<String>,
    /// The name of the editor's script; it lies above the pages.
    pub(crate) editor: Option<String>,
}

impl Finish<'_> {
    /// Finishes everything in `folder`, the language's own. Gives the names of the pages, in order.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub(crate) fn folder(&self, folder: &Path) -> Result<Vec<String>, (PathBuf, io::Error)> {
        let mut pages = Vec::new();
        let entries = std::fs::read_dir(folder).map_err(|error| (folder.to_path_buf(), error))?;
        for entry in entries {
            let path = entry.map_err(|error| (folder.to_path_buf(), error))?.path();
            let failed = |error| (path.clone(), error);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_unused(&name) {
                match path.is_dir() {
                    true => std::fs::remove_dir_all(&path).map_err(failed)?,
                    false => std::fs::remove_file(&path).map_err(failed)?,
                }
            } else if name.ends_with(".html") {
                let html = std::fs::read_to_string(&path).map_err(failed)?;
                std::fs::write(&path, self.page(&name, &html)).map_err(failed)?;
                pages.push(name);
            }
        }
        pages.sort();
        Ok(pages)
    }

    fn page(&self, name: &str, html: &str) -> String {
        let mut html = html
            .replace(
                "<div style=\"break-before: page; page-break-before: always;\"",
                "<div class=\"page-break\"",
            )
            // A corner of a table that says nothing is no heading.
            .replace("<th></th>", "<td></td>")
            .replace(LANGUAGES, &self.languages(name));
        // What is for the other reader would be a link to nowhere, seen by whoever sees no style.
        html = without(&html, if self.on_stage { "off-stage" } else { "on-stage" });
        for cell in ["<th", "<td"] {
            for side in ["left", "center", "right"] {
                html = html.replace(
                    &format!("{cell} style=\"text-align: {side}\""),
                    &format!("{cell} class=\"{side}\""),
                );
            }
        }
        for element in PLACED {
            // The words under which the author's content is folded away.
            let words = match element {
                "rt-map" => self.site.labels.in_tables,
                _ => self.site.labels.in_words,
            };
            html = html.replace(&format!("<{element}>"), &format!("<{element} data-fold=\"{words}\">"));
        }
        if let Some(widgets) = self.widgets.as_ref().filter(|_| has_element(&html)) {
            html = html.replacen("<html ", &format!("<html data-widgets=\"../{widgets}\" "), 1);
        }
        if let Some(playground) = self.playground.as_ref().filter(|_| asks_bench(&html)) {
            html = html.replacen("<html ", &format!("<html data-playground=\"../{playground}/\" "), 1);
        }
        if tries_a_lab(&html) {
            let editor = self.editor.iter().map(|editor| format!("data-editor=\"../{editor}\" "));
            let scripts = self.try_it.iter().map(|folder| format!("data-try-it=\"../{folder}/\" "));
            let known: String = editor.chain(scripts).collect();
            html = html.replacen("<html ", &format!("<html {known}"), 1);
        }
        if self.on_stage {
            html = html.replacen("<html ", "<html data-stage ", 1);
            html = html.replacen("</head>", &format!("{CLASS}</head>"), 1);
        } else if name != "404.html" {
            html = html.replacen("<html ", &format!("<html data-offline=\"../{OFFLINE}\" "), 1);
        }
        html = with_current(&self.site.completed(name, &html), name);
        match name {
            // It answers for addresses of any depth.
            "404.html" => {
                let root = self.site.address.map_or("/", Address::path);
                head::absolute(&html, &format!("{root}{}/", self.site.labels.code))
            }
            _ => html,
        }
    }

    /// The links to this page in the languages of the site; nothing if there is one language only.
    fn languages(&self, name: &str) -> String {
        if self.site.languages.len() < 2 {
            return String::new();
        }
        let items: String = self
            .site
            .languages
            .iter()
            .map(|language| {
                let (code, label) = (language.code, language.name);
                let current = match code == self.site.labels.code {
                    true => " aria-current=\"true\"",
                    false => "",
                };
                format!("<li><a href=\"../{code}/{name}\" lang=\"{code}\" hreflang=\"{code}\"{current}>{label}</a></li>")
            })
            .collect();
        format!(
            "<nav class=\"languages\" aria-label=\"{}\"><ul>{items}</ul></nav>",
            self.site.labels.languages
        )
    }
}

/// Whether a file or folder is one of [`UNUSED`], with or without mdBook's hash in its name.
fn is_unused(name: &str) -> bool {
    UNUSED.iter().any(|unused| {
        name.strip_prefix(unused).is_some_and(|rest| {
            rest.is_empty() || rest == ".html" || {
                let hash = rest.strip_prefix('-').unwrap_or_default();
                let hash = hash.split('.').next().unwrap_or_default();
                hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit())
            }
        })
    })
}

/// Leaves out every `<div>` of a class, with all that is in it.
fn without(html: &str, class: &str) -> String {
    let opening = format!("<div class=\"{class}\">");
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, inside)) = rest.split_once(&opening) {
        let Some(end) = end_of_div(inside) else { break };
        out.push_str(before);
        rest = &inside[end..];
    }
    out.push_str(rest);
    out
}

/// Where the `<div>` ends whose inside this is.
fn end_of_div(inside: &str) -> Option<usize> {
    const END: &str = "</div>";
    let mut open = 1;
    let mut at = 0;
    while open > 0 {
        let next = at + inside[at..].find(END)? + END.len();
        open += inside[at..next].matches("<div").count();
        open -= 1;
        at = next;
    }
    Some(at)
}

/// Marks this page's own link in the list of chapters.
fn with_current(html: &str, name: &str) -> String {
    let Some(list) = html.find("<ol class=\"chapter\">") else {
        return html.to_owned();
    };
    let link = match name {
        // index.html is a copy of the first chapter.
        "index.html" => "<a href=\"".to_owned(),
        name => format!("<a href=\"{name}\""),
    };
    let (before, after) = html.split_at(list);
    let marked = after.replacen(&link, &link.replacen("<a ", "<a aria-current=\"page\" ", 1), 1);
    format!("{before}{marked}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{ENGLISH, Labels};

    static OTHER: Labels = Labels { code: "xx", name: "Other", ..ENGLISH };

    const PAGE: &str = "<html lang=\"en\"><nav><!--press:languages--><ol class=\"chapter\"><li><a href=\"01.html\">One</a></li><li><a href=\"02.html\">Two</a></li></ol></nav><th></th><td style=\"text-align: right\">1</td>";

    static ONE: [&Labels; 1] = [&ENGLISH];

    /// A book in these languages of which nothing optional was built.
    fn bare<'a>(languages: &'a [&'a Labels]) -> Finish<'a> {
        Finish {
            site: head::Site { title: "Book", address: None, labels: &ENGLISH, languages },
            on_stage: false,
            widgets: None,
            playground: None,
            try_it: None,
            editor: None,
        }
    }

    fn finished(name: &str, languages: &[&Labels], on_stage: bool) -> String {
        let finish = Finish { on_stage, ..bare(languages) };
        finish.page(name, PAGE)
    }

    #[test]
    fn a_page_is_marked_in_the_list_and_carries_no_inline_style() {
        assert_eq!(
            finished("02.html", &[&ENGLISH], true),
            "<html data-stage lang=\"en\"><nav><ol class=\"chapter\"><li><a href=\"01.html\">One</a></li><li><a aria-current=\"page\" href=\"02.html\">Two</a></li></ol></nav><td></td><td class=\"right\">1</td>"
        );
    }

    #[test]
    fn a_page_knows_where_the_widgets_are() {
        let widgets = Some("widgets-0123abcd".to_owned());
        let finish = Finish { widgets, ..bare(&ONE) };
        assert_eq!(
            finish.page("x.html", "<html lang=\"en\"><ws-frame><p>words</p></ws-frame>&lt;ws-frame&gt;"),
            "<html data-offline=\"../offline.js\" data-widgets=\"../widgets-0123abcd\" lang=\"en\"><ws-frame data-fold=\"The same in words\"><p>words</p></ws-frame>&lt;ws-frame&gt;"
        );
    }

    #[test]
    fn a_page_knows_where_the_bench_is_if_it_asks_it() {
        let playground = Some("playground-0123abcd".to_owned());
        let finish = Finish { playground, ..bare(&ONE) };
        let known =
            |html: &str| finish.page("x.html", html).contains(" data-playground=\"../playground-0123abcd/\"");
        assert!(known("<html lang=\"en\"><try-it lab=\"3\"><p>words</p></try-it>"));
        assert!(known("<html lang=\"en\"><rt-map><p>words</p></rt-map>"));
        assert!(!known(
            "<html lang=\"en\"><ws-frame></ws-frame><try-item></try-item><code>&lt;try-it&gt;</code>"
        ));
    }

    #[test]
    fn each_reader_gets_what_is_for_that_reader() {
        let page = "a<div class=\"on-stage\">b<div>c</div><div><div>d</div></div></div>e<div class=\"off-stage\">f</div>g<div class=\"on-stage\">h</div>";
        assert_eq!(without(page, "on-stage"), "ae<div class=\"off-stage\">f</div>g");
        assert_eq!(without(page, "off-stage"), page.replace("<div class=\"off-stage\">f</div>", ""));
        assert_eq!(
            without("a<div class=\"on-stage\">never closed", "on-stage"),
            "a<div class=\"on-stage\">never closed"
        );
    }

    #[test]
    fn a_page_knows_where_the_editor_is_if_a_lab_can_be_tried_on_it() {
        let finish = Finish {
            try_it: Some("try-it-1".to_owned()),
            editor: Some("editor-2.js".to_owned()),
            ..bare(&ONE)
        };
        let page = finish.page("x.html", "<html lang=\"en\"><try-it lab=\"3\">words</try-it>");
        assert!(page.contains(" data-editor=\"../editor-2.js\" data-try-it=\"../try-it-1/\""), "{page}");
        let page = finish.page("x.html", "<html lang=\"en\"><rt-map></rt-map>");
        assert!(!page.contains("data-editor") && !page.contains("data-try-it"), "{page}");
    }

    #[test]
    fn the_first_page_is_the_index() {
        assert!(
            finished("index.html", &[&ENGLISH], false).contains("<a aria-current=\"page\" href=\"01.html\">")
        );
    }

    #[test]
    fn languages_link_to_the_same_page() {
        assert!(finished("02.html", &[&ENGLISH, &OTHER], false).contains(
            "<li><a href=\"../en/02.html\" lang=\"en\" hreflang=\"en\" aria-current=\"true\">English</a></li><li><a href=\"../xx/02.html\" lang=\"xx\" hreflang=\"xx\">Other</a></li>"
        ));
    }

    #[test]
    fn only_files_that_no_page_uses_are_removed() {
        for name in ["highlight-493f70e1.css", "toc.html", "mark-09e88c2c.min.js", "fonts", "css"] {
            assert!(is_unused(name), "{name}");
        }
        for name in [
            "highlights.html",
            "book-1234abcd.js",
            "elasticlunr-ef4e11c1.min.js",
            "toc-of-lies.html",
            "marks",
        ] {
            assert!(!is_unused(name), "{name}");
        }
    }
}
