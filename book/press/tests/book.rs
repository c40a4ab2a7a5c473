//! Whole books, built in a folder of their own with this repository's book.toml and theme.

use press::{Address, Options, PressError, Progress, Report};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A repository with the real book.toml and theme, and chapters of its own.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new(chapters: &[(&str, &str)]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let this = Self(tempfile::tempdir().unwrap());
        this.write("book.toml", &fs::read_to_string(here.join("book.toml")).unwrap());
        copy(&here.join("book/theme"), &this.0.path().join("book/theme"));
        let mut summary = String::from("# Summary\n\n");
        for (file, text) in chapters {
            summary.push_str(&format!("- [The {file}]({file})\n"));
            this.write(&format!("book/src/{file}"), text);
        }
        this.write("book/src/SUMMARY.md", &summary);
        this.write(
            "labs/lib.rs",
            "use axum;\n// ANCHOR: todo_1\n    fn one() {\n        todo!()\n    }\n// ANCHOR_END: todo_1\n",
        );
        this.write(
            "labs/cut.snap",
            "---\nsource: grade.rs\nexpression: played\n---\n     0 ms  client → server  #1 GET /prices\n    10 ms  server → client  #1 204\n",
        );
        this
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn options(&self) -> Options {
        Options::new(self.0.path(), self.0.path().join("site"))
    }

    fn build(&self) -> Result<Report, PressError> {
        press::build(&self.options(), &mut |_| {})
    }

    /// What is told about a book that is not built.
    fn told(&self) -> String {
        self.build().unwrap_err().to_string()
    }

    fn page(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join("site/en").join(name)).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

/// The text between two words of a page.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("no {from} in {page}")) + from.len();
    let end = page[start..].find(to).unwrap_or_else(|| panic!("no {to} after {from}"));
    &page[start..start + end]
}

const EVERYTHING: &str = r#"<!-- minutes: read 14, lab 35; needs: chapter [1](01-first.md); technique: sse -->
# What survives a disconnect? { #disconnect }

A ticker is easy while the line holds.

## Predict { #predict }

```predict id="clean-end"
What does `EventSource` do?

- [ ] It ends. — See [below](#drawn).
- [x] It waits. — It does.
```

## Drawn { #drawing }

```transcript id="drawn" title="A *closed* market"
{{#include ../../labs/cut.snap}}
```

```rust
{{#include ../../labs/lib.rs:todo_1}}
```

> [!WARNING] Careful with `retry`
> It waits.
>
> ```js
> const a = "<b>";
> ```

| technique | bytes |
|---|--:|
| <span class="technique sse">SSE</span> | 14 |
"#;

const FIRST: &str = "# First { #first }\n\nSee [the drawing](03-sse.md#drawn).\n";

#[test]
fn a_book_with_everything_is_built() {
    let repository = Repository::new(&[("01-first.md", FIRST), ("03-sse.md", EVERYTHING)]);
    let mut steps = Vec::new();
    let report = press::build(&repository.options(), &mut |step| steps.push(step)).unwrap();
    assert_eq!(steps, [Progress::Read(2), Progress::Written, Progress::Done]);
    // Two chapters, the index, the page for print, the page for a wrong address.
    assert_eq!(report.pages, 5);
    assert_eq!(report.folder, repository.0.path().join("site/en"));
    assert!(report.took.as_secs() < 2, "{:?}", report.took);

    let page = repository.page("03-sse.html");
    let main = between(&page, "<main id=\"text\" tabindex=\"-1\">", "</main>");
    let svg = between(main, "<div class=\"drawing\">", "</div>");
    let list = between(main, "The same in words</summary>", "</details></figure>");
    // How a transcript is drawn is `wire`'s affair, and tested there.
    insta::assert_snapshot!(main.replace(svg, "(the drawing)").replace(list, "(the list)"));
    assert!(svg.starts_with("<svg"), "{svg}");
    assert!(page.contains("<a aria-current=\"page\" href=\"03-sse.html\">"));
}

#[test]
fn a_clone_with_crlf_makes_the_same_book() {
    let chapter = "---\nlede: What it is about.\n---\n# One { #one }\n\n> [!TIP] \"`Handler` is not satisfied\"\n> A guard is alive.\n\n\
                   | The feed | What it gives |\n|---|---|\n| `filter` | `filter(\\|update\\| ready(true))` |\n\n\
                   ```rust\n{{#include ../../labs/lib.rs:todo_1}}\n```\n\n```transcript\n{{#include ../../labs/cut.snap}}\n```\n";
    let page = |crlf: bool| {
        let repository = Repository::new(&[("01-first.md", chapter)]);
        if crlf {
            for file in ["book/src/01-first.md", "labs/lib.rs", "labs/cut.snap"] {
                let path = repository.0.path().join(file);
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, text.replace('\n', "\r\n")).unwrap();
            }
        }
        repository.build().unwrap_or_else(|error| panic!("{error}"));
        repository.page("01-first.html").replace("\r\n", "\n")
    };
    let plain = page(false);
    assert!(plain.contains("<code>filter(|update| ready(true))</code>"), "{plain}");
    assert!(plain.contains("<code>Handler</code> is not satisfied"), "{plain}");
    assert_eq!(plain, page(true));
}

#[test]
fn an_element_to_play_with_holds_markdown_and_the_page_knows_its_module() {
    let chapter = "# Bytes { #bytes }\n\nWords.\n\n<ws-frame>\n\n| a | b |\n|---|---|\n| `81` | c |\n\n</ws-frame>\n\n```transcript\n     0 ms  note             \"one\"\n     1 ms  note             two\n     2 ms  page             status: \"<b>\"\n```\n";
    let repository = Repository::new(&[("06-bytes.md", chapter)]);
    let widgets = press::Widgets { script: "export default 1".to_owned(), wasm: b"\0asm".to_vec() };
    press::build(&Options { widgets: Some(widgets), ..repository.options() }, &mut |_| {}).unwrap();
    let page = repository.page("06-bytes.html");
    let module = between(&page, " data-widgets=\"../", "\"");
    for (ending, bytes) in [("js", &b"export default 1"[..]), ("wasm", b"\0asm")] {
        let file = repository.0.path().join("site").join(format!("{module}.{ending}"));
        assert_eq!(fs::read(&file).unwrap(), bytes, "{}", file.display());
    }
    let inside = between(&page, "<ws-frame data-fold=\"The same in words\">", "</ws-frame>");
    assert!(inside.contains("<td><code>81</code></td>"), "{inside}");
    let score = between(&page, "<wire-player score=\"", "\"");
    assert_eq!(score.lines().count(), 3, "{score}");
    assert!(score.contains("&lt;b"), "{score}");
    // Built without it, the page says nothing of a module.
    repository.build().unwrap();
    assert!(!repository.page("06-bytes.html").contains("data-widgets"));
}

#[test]
fn the_bench_lies_beside_the_pages_and_those_that_ask_it_know_where() {
    let asking = "# Ask { #ask }\n\nWords.\n\n<try-it lab=\"3\">\n\nText.\n\n</try-it>\n";
    let repository = Repository::new(&[("03-ask.md", asking), ("04-not.md", "# Not { #not }\n\nWords.\n")]);
    let files = [("playground.js", &b"export {}"[..]), ("playground.wasm", b"\0asm")];
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    let playground = press::Playground { files: files.clone().into() };
    let options = Options { playground: Some(playground), ..repository.options() };
    press::build(&options, &mut |_| {}).unwrap();
    let page = repository.page("03-ask.html");
    let folder = between(&page, " data-playground=\"../", "/\"");
    for (name, bytes) in files {
        let file = repository.0.path().join("site").join(folder).join(name);
        assert_eq!(fs::read(&file).unwrap(), bytes, "{}", file.display());
    }
    assert!(!repository.page("04-not.html").contains("data-playground"));
}

#[test]
fn a_page_loads_only_its_own_files_and_carries_nothing_inline() {
    let repository = Repository::new(&[("01-first.md", FIRST), ("03-sse.md", EVERYTHING)]);
    let report = repository.build().unwrap();
    for name in ["index.html", "01-first.html", "03-sse.html", "404.html", "print.html"] {
        let page = repository.page(name);
        let mut loaded = 0;
        for tag in page.split('<').filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
            assert!(!tag.contains(" style="), "{name}: {tag}");
            assert!(!tag.contains(" onclick"), "{name}: {tag}");
            assert!(!tag.starts_with("style"), "{name}: {tag}");
            let file = match tag.split_once(' ').unwrap_or((tag, "")) {
                ("script", attributes) => between(attributes, "src=\"", "\"").to_owned(),
                ("link" | "dialog", attributes) if attributes.contains("href=\"") => {
                    between(attributes, "href=\"", "\"").to_owned()
                }
                ("dialog", attributes) => between(attributes, "data-engine=\"", "\"").to_owned(),
                _ => continue,
            };
            // The page for a wrong address names its files from the root of the host.
            let path = match file.strip_prefix("/en/") {
                Some(file) => report.folder.join(file),
                None => report.folder.join(&file),
            };
            assert!(path.is_file(), "{name} loads {file}, which is not there");
            loaded += 1;
        }
        // Four style sheets, three scripts, the icon in three ways, the search engine.
        assert_eq!(loaded, 11, "{name}");
        assert!(!page.contains("press:languages"), "{name}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_file_and_line() {
    let wrong = r#"<!-- minutes: read soon -->
# Wrong { #wrong }

See [nothing](02-none.md), [the cut](03-sse.md#cut).

```rust
{{#include ../../labs/lib.rs:todo_9}}
```

```transcript
{{#include ../../labs/nowhere.snap}}
```

```transcript title="x"
     0 ms  client → server  #1 GET /prices
     oops
```

> [!NOTE]
> ```predict
> Q?
> - [x] only [one](#gone) — answer
> ```

```mermaid
```

![picture](https://example.org/x.png)
"#;
    let repository =
        Repository::new(&[("01-wrong.md", wrong), ("03-sse.md", "# S\n\n```rust\nnever closed\n")]);
    insta::assert_snapshot!(repository.told());
}

#[test]
fn a_snapshot_that_is_no_transcript_is_told_with_its_own_line() {
    let repository =
        Repository::new(&[("01-a.md", "# A\n\n```transcript\n{{#include ../../labs/cut.snap}}\n```\n")]);
    repository
        .write("labs/cut.snap", "---\nsource: x\n---\n     0 ms  client → server  #1 GET /\n  who knows\n");
    let told = repository.told();
    assert!(told.starts_with("book/src/01-a.md:3: this is not a transcript"), "{told}");
    assert!(told.contains("(`labs/cut.snap`, line 5)"), "{told}");
}

#[test]
fn what_mdbook_only_warns_of_fails_the_build() {
    let repository = Repository::new(&[("01-a.md", "# A\n\n<div class=\"map\">\n\n- never closed\n")]);
    let told = repository.told();
    assert!(told.starts_with("book/src/01-a.md: unclosed HTML tag `<div>`"), "{told}");
}

#[test]
fn a_chapter_that_is_not_there_is_told() {
    let repository = Repository::new(&[("01-first.md", "# First\n")]);
    repository.write("book/src/SUMMARY.md", "# Summary\n\n- [Gone](02-gone.md)\n");
    let told = repository.told();
    assert!(told.contains("02-gone.md"), "{told}");
    repository.write("book/src/SUMMARY.md", "# Summary\n");
    assert_eq!(repository.told(), "The book cannot be built: SUMMARY.md lists no chapter.");
}

#[test]
fn pages_know_that_a_stage_serves_them() {
    let repository = Repository::new(&[("01-first.md", "# First\n")]);
    let mut options = repository.options();
    options.on_stage = true;
    press::build(&options, &mut |_| {}).unwrap();
    assert!(repository.page("01-first.html").contains("<html data-stage lang=\"en\""));
    options.on_stage = false;
    press::build(&options, &mut |_| {}).unwrap();
    assert!(!repository.page("01-first.html").contains("data-stage"));
}

#[test]
fn the_site_has_a_door_and_the_wrong_address_finds_its_style() {
    let repository = Repository::new(&[("01-first.md", "# First\n\nThe first words.\n")]);
    let mut options = repository.options();
    let at_root = |name: &str| fs::read_to_string(repository.0.path().join("site").join(name)).ok();
    press::build(&options, &mut |_| {}).unwrap();
    let page = at_root("404.html").unwrap();
    assert!(page.contains("<link rel=\"stylesheet\" href=\"/en/book/theme/css/book-"), "{page}");
    for name in ["sitemap.xml", "robots.txt", "preview.png"] {
        assert!(at_root(name).is_none(), "{name} needs an address");
    }

    options.address = Address::parse("https://example.org/workshop/").ok();
    press::build(&options, &mut |_| {}).unwrap();
    let door = at_root("index.html").unwrap();
    for told in [
        "content=\"0; url=en/index.html\"",
        "<meta name=\"description\" content=\"An interactive workshop book",
        "<link rel=\"canonical\" href=\"https://example.org/workshop/en/index.html\">",
        "<link rel=\"icon\" href=\"en/favicon-",
    ] {
        assert!(door.contains(told), "no {told} in {door}");
    }
    let page = at_root("404.html").unwrap();
    assert_eq!(page, repository.page("404.html"));
    for told in
        ["href=\"/workshop/en/book/theme/css/book-", "href=\"/workshop/en/01-first.html\"", "href=\"#text\""]
    {
        assert!(page.contains(told), "no {told} in {page}");
    }
    assert!(!page.contains("<base"), "a link within the page would lead away from it");
    let sitemap = at_root("sitemap.xml").unwrap();
    assert!(sitemap.contains("<loc>https://example.org/workshop/en/index.html</loc>"), "{sitemap}");
    assert!(at_root("robots.txt").is_none(), "no crawler asks in a folder");
    assert!(repository.0.path().join("site/preview.png").is_file());
}

#[test]
fn the_browser_s_own_colour_is_the_paper_s() {
    let repository = Repository::new(&[("01-first.md", "# First\n")]);
    repository.build().unwrap();
    let (page, tokens) = (repository.page("01-first.html"), include_str!("../../theme/css/tokens.css"));
    let paper = between(tokens, "--paper: light-dark(", ")");
    let (light, dark) = paper.split_once(", ").unwrap();
    for (scheme, colour) in [("light", light), ("dark", dark)] {
        let told = format!(
            "<meta name=\"theme-color\" content=\"{colour}\" media=\"(prefers-color-scheme: {scheme})\">"
        );
        assert!(page.contains(&told), "no {told}");
    }
}

#[test]
fn a_language_that_the_book_lacks_is_told() {
    let repository = Repository::new(&[("01-first.md", "# First\n")]);
    let mut options = repository.options();
    options.language = "tlh".to_owned();
    let error = press::build(&options, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "The book is not written in the language `tlh`.");
}

#[test]
fn the_binary_speaks_mdbooks_protocol() {
    let press = env!("CARGO_BIN_EXE_press");
    let supports = |renderer| Command::new(press).args(["draw", "supports", renderer]).status().unwrap();
    assert!(supports("html").success());
    assert!(!supports("epub").success());

    let repository = Repository::new(&[]);
    let step = |name: &str, content: &str| {
        let input = format!(
            r#"[{{"root":{root},"config":{{"book":{{"src":"book/src","language":"en"}}}},"renderer":"html","mdbook_version":"0.5.4"}},{{"items":[{{"Chapter":{{"name":"One","content":{content},"number":null,"sub_items":[],"path":"01-a.md","source_path":"01-a.md","parent_names":[]}}}}]}}]"#,
            root = serde_json::to_string(repository.0.path()).unwrap(),
            content = serde_json::to_string(content).unwrap(),
        );
        let mut child = Command::new(press)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let drawn = step("draw", "# A\n\n```rust\nlet a;\n```\n");
    assert!(drawn.status.success());
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    assert!(drawn.contains(r#"<figure class=\"code\" data-language=\"rust\">"#), "{drawn}");

    let refused = step("check", "# A\n\n[x](gone.md)\n");
    assert!(!refused.status.success());
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(told, "book/src/01-a.md:3: there is no file `gone.md` in book/src.\n1 fault in the book\n");
}

#[test]
fn a_stage_knows_the_chapters_and_the_questions_that_have_an_id() {
    let book = Repository::new(&[
        ("00-the-map.md", "# Map { #map }\n"),
        (
            "03-events.md",
            "# Events { #events }\n\n```predict id=\"clean-end\"\nWhat of `EventSource`?\n\n- [ ] It stops. — No.\n- [x] It *waits*. — Yes.\n```\n\n```predict\nNameless?\n\n- [ ] One. — No.\n- [x] Two. — Yes.\n```\n",
        ),
    ]);
    let pages = press::outline(&book.options()).unwrap();
    let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
    assert_eq!(files, ["00-the-map.html", "03-events.html"]);
    assert_eq!(pages[1].title, "The 03-events.md");
    let [question] = pages[1].questions.as_slice() else { panic!("one question has an id: {pages:?}") };
    assert_eq!(
        (question.id.as_str(), question.text.as_str()),
        ("clean-end", "<p>What of <code>EventSource</code>?</p>")
    );
    let answers: Vec<_> =
        question.answers.iter().map(|answer| (answer.right, answer.text.as_str())).collect();
    assert_eq!(answers, [(false, "It stops."), (true, "It <em>waits</em>.")]);
}
