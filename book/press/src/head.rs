//! What a page says of itself to those who see only its head: a search engine, or whoever is shown a link to it. And
//! the files at the site's root that are made for them.

use crate::address::Address;
use crate::labels::Labels;
use crate::markdown;

/// Replaced by what depends on the page and on the site's address.
const HEAD: &str = "<!--press:head-->";
/// The picture beside a link to the site, at the site's root: 1200 by 630 (`book/theme/preview.svg`).
pub(crate) const PREVIEW: &str = "preview.png";
const PREVIEW_ALT: &str = "Beyond fetch: five ways from a server into a page";
/// Pages that no search should find: the book once more, and the answer to a wrong address.
const UNLISTED: [&str; 2] = ["print.html", "404.html"];

/// What the heads of one language's pages are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    /// The book's title.
    pub(crate) title: &'a str,
    /// Where the site will stand. Without it nothing is said that needs a whole address.
    pub(crate) address: Option<&'a Address>,
    /// The language of these pages.
    pub(crate) labels: &'a Labels,
    /// All languages of the site.
    pub(crate) languages: &'a [&'a Labels],
}

impl Site<'_> {
    /// Completes a page's head: its own description, and what is said where it is shown as a link.
    pub(crate) fn completed(&self, name: &str, html: &str) -> String {
        // The first page stands for the book, and has its description.
        let described = describe(html).filter(|_| !is_first(name, html));
        let html = match &described {
            Some(description) => {
                let known = attribute(html, "<meta name=\"description\" content=\"").unwrap_or_default();
                html.replacen(&named("description", known), &named("description", description), 1)
            }
            None => html.to_owned(),
        };
        let head = match UNLISTED.contains(&name) {
            true => "<meta name=\"robots\" content=\"noindex\">".to_owned(),
            false => self.head(name, &html),
        };
        html.replacen(HEAD, &head, 1)
    }

    fn head(&self, name: &str, html: &str) -> String {
        let title = text_between(html, "<title>", "</title>").unwrap_or(self.title);
        let description = attribute(html, "<meta name=\"description\" content=\"").unwrap_or_default();
        let name = match is_first(name, html) {
            true => "index.html",
            false => name,
        };
        let mut head = vec![
            property("og:type", if name == "index.html" { "website" } else { "article" }),
            property("og:site_name", &markdown::escape(self.title)),
            property("og:title", title),
            property("og:description", description),
        ];
        if let Some(address) = self.address {
            let of = |language: &Labels| address.of(&format!("{}/{name}", language.code));
            head.push(link("canonical", &of(self.labels), ""));
            if self.languages.len() > 1 {
                head.extend(
                    self.languages.iter().map(|language| link("alternate", &of(language), language.code)),
                );
                head.extend(self.languages.first().map(|first| link("alternate", &of(first), "x-default")));
            }
            head.push(property("og:url", &of(self.labels)));
            head.extend(picture(address));
        }
        head.join("\n")
    }

    /// The page at the site's root: it leads to the first language. `index` is that language's finished first page.
    pub(crate) fn door(&self, index: &str) -> String {
        let (code, title) = (self.labels.code, markdown::escape(self.title));
        let description = attribute(index, "<meta name=\"description\" content=\"").unwrap_or_default();
        let mut head = vec![
            "<!doctype html>".to_owned(),
            format!("<html lang=\"{code}\">"),
            "<meta charset=\"utf-8\">".to_owned(),
            format!("<title>{title}</title>"),
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">".to_owned(),
            "<meta name=\"color-scheme\" content=\"light dark\">".to_owned(),
            format!("<meta http-equiv=\"refresh\" content=\"0; url={code}/index.html\">"),
            named("description", description),
            property("og:type", "website"),
            property("og:title", &title),
            property("og:description", description),
        ];
        if let Some(address) = self.address {
            let there = address.of(&format!("{code}/index.html"));
            head.extend([link("canonical", &there, ""), property("og:url", &there)]);
            head.extend(picture(address));
        }
        let icons = index.lines().filter(|line| {
            ["<link rel=\"icon\"", "<link rel=\"apple-touch-icon\""].iter().any(|icon| line.starts_with(icon))
        });
        head.extend(icons.map(|icon| icon.replacen("href=\"", &format!("href=\"{code}/"), 1)));
        head.push(format!("<p><a href=\"{code}/index.html\">{title}</a></p>"));
        head.push("</html>\n".to_owned());
        head.join("\n")
    }
}

/// The list of pages that a search engine asks for. `pages` are the names in a language's folder, and `index` is its
/// first page, which is there twice.
pub(crate) fn sitemap(address: &Address, languages: &[&Labels], pages: &[String], index: &str) -> String {
    let is_listed = |name: &str| name == "index.html" || !(UNLISTED.contains(&name) || is_first(name, index));
    let places = languages.iter().flat_map(|language| {
        let listed = pages.iter().filter(|name| is_listed(name));
        listed.map(|name| {
            let place = markdown::escape(&address.of(&format!("{}/{name}", language.code)));
            format!("<url><loc>{place}</loc></url>\n")
        })
    });
    let places: String = places.collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{places}</urlset>\n"
    )
}

/// What a crawler is told. It asks at the root of a host and nowhere else (RFC 9309 § 2.3).
pub(crate) fn robots(address: &Address) -> Option<String> {
    (address.path() == "/")
        .then(|| format!("User-agent: *\nAllow: /\nSitemap: {}\n", address.of("sitemap.xml")))
}

/// Makes what a page points to absolute below `base`, so that the page is right at whatever address it answers for.
/// (A `<base>` would send links within the page elsewhere.)
pub(crate) fn absolute(html: &str, base: &str) -> String {
    let mut out = String::with_capacity(html.len() + 1024);
    let mut rest = html;
    while let Some((at, value)) = next_target(rest) {
        out.push_str(&rest[..at]);
        if value.is_empty() || value.starts_with(['#', '/', '"']) || value.contains(':') {
            // Within the page, or absolute already.
        } else {
            out.push_str(base);
        }
        rest = &rest[at..];
    }
    out.push_str(rest);
    out
}

/// Where the value of the next attribute begins that points somewhere, and the value.
fn next_target(html: &str) -> Option<(usize, &str)> {
    const POINTING: [&str; 5] =
        [" href=\"", " src=\"", " data-engine=\"", " data-index=\"", " data-widgets=\""];
    let (at, pointing) =
        POINTING.iter().filter_map(|pointing| Some((html.find(pointing)?, pointing))).min()?;
    let start = at + pointing.len();
    let end = html[start..].find('"').map_or(html.len(), |end| start + end);
    Some((start, &html[start..end]))
}

/// Whether a page is the book's first, of which index.html is a copy.
fn is_first(name: &str, html: &str) -> bool {
    let list = html.split_once("<ol class=\"chapter\">").map(|(_, list)| list);
    let first = list.and_then(|list| text_between(list, "href=\"", "\""));
    name == "index.html" || first == Some(name)
}

/// A page's own description: its lede, or its first paragraph.
fn describe(html: &str) -> Option<String> {
    let (_, main) = html.split_once("<main")?;
    let lede = text_between(main, "<div class=\"lede\">", "</div>").unwrap_or(main);
    let words = words(text_between(lede, "<p>", "</p>")?);
    (!words.is_empty()).then_some(words)
}

/// The text of a piece of HTML as the value of an attribute.
fn words(html: &str) -> String {
    let mut out = String::new();
    for (count, part) in html.split('<').enumerate() {
        let text = if count == 0 { Some(part) } else { part.split_once('>').map(|(_, text)| text) };
        out.push_str(text.unwrap_or_default());
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', "&quot;")
}

fn text_between<'a>(html: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(from)?;
    rest.split_once(to).map(|(text, _)| text)
}

fn attribute<'a>(html: &'a str, opening: &str) -> Option<&'a str> {
    text_between(html, opening, "\"")
}

fn named(name: &str, content: &str) -> String {
    format!("<meta name=\"{name}\" content=\"{content}\">")
}

fn property(name: &str, content: &str) -> String {
    format!("<meta property=\"{name}\" content=\"{content}\">")
}

fn link(relation: &str, address: &str, language: &str) -> String {
    let language = match language {
        "" => String::new(),
        code => format!(" hreflang=\"{code}\""),
    };
    format!("<link rel=\"{relation}\"{language} href=\"{}\">", markdown::escape(address))
}

fn picture(address: &Address) -> [String; 5] {
    [
        property("og:image", &markdown::escape(&address.of(PREVIEW))),
        property("og:image:width", "1200"),
        property("og:image:height", "630"),
        property("og:image:alt", PREVIEW_ALT),
        named("twitter:card", "summary_large_image"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::ENGLISH;

    static OTHER: Labels = Labels { code: "xx", name: "Other", ..ENGLISH };

    const PAGE: &str = "<title>One · Book</title>\n<meta name=\"description\" content=\"The book.\">\n<!--press:head-->\n<ol class=\"chapter\"><li><a href=\"01.html\">One</a></li><li><a href=\"02.html\">Two</a></li></ol><main id=\"text\"><p class=\"eyebrow\">Chapter 2</p><div class=\"lede\">\n<p>The <code>\"a\" &lt; b</code>\nof <em>it</em>.</p>\n</div><p>More.</p></main>";

    fn completed(name: &str, address: Option<&Address>, languages: &[&Labels]) -> String {
        Site { title: "Book", address, labels: &ENGLISH, languages }.completed(name, PAGE)
    }

    #[test]
    fn a_page_is_described_by_its_lede() {
        let page = completed("02.html", None, &[&ENGLISH]);
        assert_eq!(page.matches("content=\"The &quot;a&quot; &lt; b of it.\"").count(), 2, "{page}");
        assert!(!page.contains("The book."), "{page}");
        assert!(
            !page.contains("canonical") && !page.contains("og:image") && !page.contains("og:url"),
            "{page}"
        );
    }

    #[test]
    fn with_an_address_a_page_says_where_it_is_in_every_language() {
        let address = Address::parse("https://example.org/b/").unwrap();
        let page = completed("02.html", Some(&address), &[&ENGLISH, &OTHER]);
        for told in [
            "<link rel=\"canonical\" href=\"https://example.org/b/en/02.html\">",
            "<link rel=\"alternate\" hreflang=\"en\" href=\"https://example.org/b/en/02.html\">",
            "<link rel=\"alternate\" hreflang=\"xx\" href=\"https://example.org/b/xx/02.html\">",
            "<link rel=\"alternate\" hreflang=\"x-default\" href=\"https://example.org/b/en/02.html\">",
            "<meta property=\"og:url\" content=\"https://example.org/b/en/02.html\">",
            "<meta property=\"og:image\" content=\"https://example.org/b/preview.png\">",
            "<meta property=\"og:title\" content=\"One · Book\">",
        ] {
            assert!(page.contains(told), "no {told} in {page}");
        }
        assert!(!completed("02.html", Some(&address), &[&ENGLISH]).contains("alternate"));
    }

    #[test]
    fn the_first_chapter_and_its_copy_are_one_page() {
        let address = Address::parse("https://example.org/").unwrap();
        for name in ["index.html", "01.html"] {
            let page = completed(name, Some(&address), &[&ENGLISH]);
            assert!(
                page.contains("<link rel=\"canonical\" href=\"https://example.org/en/index.html\">"),
                "{page}"
            );
        }
    }

    #[test]
    fn the_print_and_the_wrong_address_are_not_to_be_found() {
        let address = Address::parse("https://example.org/").unwrap();
        for name in UNLISTED {
            let page = completed(name, Some(&address), &[&ENGLISH]);
            assert!(page.contains("noindex") && !page.contains("canonical"), "{page}");
        }
        let pages = ["01.html", "02.html", "404.html", "index.html", "print.html"].map(str::to_owned);
        let sitemap = sitemap(&address, &[&ENGLISH, &OTHER], &pages, PAGE);
        assert_eq!(sitemap.matches("<loc>").count(), 4, "{sitemap}");
        for place in ["en/index.html", "en/02.html", "xx/index.html", "xx/02.html"] {
            assert!(sitemap.contains(&format!("<loc>https://example.org/{place}</loc>")), "{sitemap}");
        }
    }

    #[test]
    fn crawlers_are_told_at_the_root_of_a_host_only() {
        let robots = |text| robots(&Address::parse(text).unwrap());
        assert!(robots("https://example.org").unwrap().contains("Sitemap: https://example.org/sitemap.xml"));
        assert_eq!(robots("https://example.org/b/"), None);
    }

    #[test]
    fn only_what_is_relative_becomes_absolute() {
        assert_eq!(
            absolute(
                "<a href=\"#x\"><a href=\"/y\"><a href=\"https://z\"><a href=\"\"><a href=\"a.html#b\"><html data-widgets=\"../w\"><script src=\"s.js\">",
                "/b/en/"
            ),
            "<a href=\"#x\"><a href=\"/y\"><a href=\"https://z\"><a href=\"\"><a href=\"/b/en/a.html#b\"><html data-widgets=\"/b/en/../w\"><script src=\"/b/en/s.js\">"
        );
    }

    #[test]
    fn odd_html_has_no_description_and_no_panic() {
        for html in
            ["", "<main", "<main><p>", "<main><p></p>", "<main><p><b></p>", "<main><div class=\"lede\"><p>"]
        {
            assert_eq!(describe(html), None, "{html}");
        }
    }
}
