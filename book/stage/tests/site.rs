//! The static site in a folder of a plain file server, as project pages are: every link and every file of every page
//! is asked for, and in a real browser everything that scripts load.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use audience::{Browser, Kind, PATIENCE, look, root};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    response::Html,
    routing::get,
};
use press::Address;
use serde_json::{Value, json};
use stage::book;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};
use url::Url;

/// Where the site says that it stands.
const ADDRESS: &str = "https://example.org/beyond-fetch/";
/// What a page names, and a browser or a reader then asks for.
const NAMED: [&str; 9] = [
    "href=\"",
    "src=\"",
    "data-engine=\"",
    "data-index=\"",
    "data-playground=\"",
    "data-try-it=\"",
    "data-editor=\"",
    "data-offline=\"",
    "content=\"0; url=",
];
/// What nobody links to: the host finds it, or whoever lists the site.
const FOUND_BY_NAME: [&str; 3] = [".beyond-fetch-site", ".nojekyll", "sitemap.xml"];
/// The folders of scripts that some elements load, each with an entrance of its own name.
const PARTS: [&str; 2] = ["playground", "try-it"];
const CHAPTER: &str = "en/03-server-sent-events.html";

/// The site, exported once for all tests of this file.
fn exported() -> &'static Path {
    static SITE: std::sync::LazyLock<tempfile::TempDir> = std::sync::LazyLock::new(|| {
        let out = tempfile::tempdir().unwrap();
        // Cargo's own folder, so that the modules are not built a second time.
        let target =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder of cargo's target folder");
        let export = |said: &mut u32| {
            let address = Address::parse(ADDRESS).ok();
            book::export(&root(), target, out.path(), address, &mut |_| *said += 1).expect("the book builds")
        };
        let files = export(&mut 0);
        // Again, over what is there: nothing to build, and what others added stays.
        fs::write(out.path().join("CNAME"), "book.example").unwrap();
        let mut said = 0;
        assert_eq!(export(&mut said), files);
        let is_whole =
            fs::read_to_string(out.path().join("en/05-websocket.html")).unwrap().contains("data-widgets");
        assert!(said == 0 || !is_whole, "nothing has changed, so nothing is built");
        assert!(out.path().join("CNAME").is_file(), "what somebody else put there stays");
        fs::remove_file(out.path().join("CNAME")).unwrap();
        out
    });
    SITE.path()
}

/// A plain file server with the site in a folder.
fn host(site: &Path) -> Router {
    let wrong = ServeFile::new(site.join("404.html"));
    Router::new().nest_service("/beyond-fetch", ServeDir::new(site).not_found_service(wrong))
}

/// An answer: its status, its type, its text.
async fn ask(host: &Router, url: &Url) -> (StatusCode, String, String) {
    let request = Request::get(url.path()).body(Body::empty()).unwrap();
    let answer = host.clone().oneshot(request).await.unwrap();
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = to_bytes(answer.into_body(), 50_000_000).await.unwrap();
    (status, kind, String::from_utf8_lossy(&body).into_owned())
}

/// What a file of this name must be served as.
fn expected(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("html", |(_, ending)| ending) {
        "js" => "text/javascript",
        "css" => "text/css",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "xml" => "text/xml",
        _ => "text/html",
    }
}

/// Everything that a page names, as it names it. What is shown as text is escaped, and not seen here.
fn named(html: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        for naming in NAMED {
            for (at, _) in tag.match_indices(naming) {
                let value = tag[at + naming.len()..].split('"').next().unwrap_or_default();
                found.insert(value.replace("&amp;", "&"));
            }
        }
        if let Some((_, rest)) = tag.split_once("data-widgets=\"") {
            let module = rest.split('"').next().unwrap_or_default();
            found.extend([format!("{module}.js"), format!("{module}.wasm")]);
        }
        // The preview's picture, with the address that the site was built for.
        if let Some((_, rest)) = tag.split_once(&format!("content=\"{ADDRESS}")) {
            found.insert(format!("{ADDRESS}{}", rest.split('"').next().unwrap_or_default()));
        }
    }
    found
}

/// What a script names: the modules it imports and the files it asks for beside itself.
fn imported(script: &str) -> BTreeSet<String> {
    // (Not every quote begins a text: a comment has apostrophes.)
    let quoted = script.match_indices("'./").filter_map(|(at, _)| script[at + 1..].split('\'').next());
    quoted.filter(|text| text.ends_with(".js") || text.ends_with(".wasm")).map(str::to_owned).collect()
}

/// Which of [`PARTS`] an address lies in.
fn part_of(url: &Url) -> Option<&'static str> {
    PARTS.into_iter().find(|part| url.path().contains(&format!("/{part}-")))
}

/// Everything below a folder.
fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        match entry.path().is_dir() {
            true => files(&entry.path(), &format!("{name}/"), found),
            false => drop(found.insert(name)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_of_every_page_arrives_and_no_file_is_left_over() {
    let site = exported();
    let host = host(site);
    let here = Url::parse("http://host/beyond-fetch/").unwrap();
    let mut asked: BTreeMap<Url, String> = BTreeMap::new();
    let mut targets: BTreeSet<(Url, String, String)> = BTreeSet::new();
    let mut left =
        vec![(here.clone(), "the door".to_owned()), (here.join("404.html").unwrap(), "a host".to_owned())];
    let mut faults = BTreeSet::new();
    while let Some((url, from)) = left.pop() {
        if asked.contains_key(&url) {
            continue;
        }
        let (status, kind, text) = ask(&host, &url).await;
        let name = url.path_segments().and_then(Iterator::last).unwrap_or_default();
        if status != StatusCode::OK {
            faults.insert(format!("{from} leads to {url}: {status}"));
        }
        if !kind.starts_with(expected(name)) {
            faults.insert(format!("{url} comes as `{kind}`"));
        }
        for elsewhere in
            ["src=\"http", "src=\"//", "<link rel=\"stylesheet\" href=\"http", "url(http", "@import"]
        {
            if text.contains(elsewhere) && !kind.starts_with("text/javascript") {
                faults.insert(format!("{url} loads something from another host: {elsewhere}"));
            }
        }
        let names = match expected(name) {
            "text/html" => named(&text),
            "text/javascript" if part_of(&url).is_some() => imported(&text),
            _ => BTreeSet::new(),
        };
        for name in names {
            let name = match name.strip_prefix(ADDRESS) {
                Some(name) => format!("/beyond-fetch/{name}"),
                None => name,
            };
            let Ok(mut to) = url.join(&name) else {
                faults.insert(format!("{url} names `{name}`, which is no address"));
                continue;
            };
            if to.host_str() != here.host_str() || to.scheme() != "http" {
                continue;
            }
            if !to.path().starts_with(here.path()) {
                faults.insert(format!("{url} leads out of the folder: {to}"));
                continue;
            }
            if let Some(fragment) = to.fragment() {
                let fragment = fragment.to_owned();
                to.set_fragment(None);
                targets.insert((to.clone(), fragment, url.to_string()));
            }
            if let Some(part) = part_of(&to).filter(|_| to.path().ends_with('/')) {
                to = to.join(&format!("{part}.js")).unwrap();
            }
            left.push((to, url.to_string()));
        }
        asked.insert(url, text);
    }
    for (page, fragment, from) in targets {
        let text = asked.get(&page).map(String::as_str).unwrap_or_default();
        if !text.contains(&format!(" id=\"{fragment}\"")) {
            faults.insert(format!("{from} leads to #{fragment} of {page}, and it has no such place"));
        }
    }
    let mut unused = BTreeSet::new();
    files(site, "", &mut unused);
    for url in asked.keys() {
        let name = url.path().trim_start_matches(here.path());
        unused.remove(&if name.is_empty() { "index.html".to_owned() } else { name.to_owned() });
    }
    for name in FOUND_BY_NAME {
        assert!(unused.remove(name), "there is no {name}");
    }
    // Each language has it where the stage looks.
    unused.remove("en/404.html");
    // What no chapter asks for yet.
    let is_asked = |part: &str| asked.values().any(|text| text.contains(&format!(" data-{part}=\"")));
    unused.retain(|name| PARTS.iter().all(|part| is_asked(part) || !name.starts_with(&format!("{part}-"))));
    faults.extend(unused.iter().map(|name| format!("no page uses {name}")));
    assert!(faults.is_empty(), "{}", faults.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(asked.len() > 30, "{} files only", asked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sitemap_names_the_pages_and_each_says_the_same_address_of_itself() {
    let sitemap = fs::read_to_string(exported().join("sitemap.xml")).unwrap();
    let places: Vec<&str> = sitemap
        .split("<loc>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</loc>"))
        .map(|(place, _)| place)
        .collect();
    assert!(places.len() > 12, "{sitemap}");
    for place in places {
        let file = place.strip_prefix(ADDRESS).expect("a page below the address");
        let page = fs::read_to_string(exported().join(file)).unwrap();
        let canonical = format!("<link rel=\"canonical\" href=\"{place}\">");
        assert!(page.contains(&canonical), "{file} does not say {canonical}");
        let picture = format!("<meta property=\"og:image\" content=\"{ADDRESS}preview.png\">");
        assert!(page.contains(&picture), "{file} does not say {picture}");
    }
}

/// A server on a port of this machine, until it is stopped with every connection that it has.
struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Served {
    async fn begin(address: &str, host: Router) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = axum::serve(listener, host).with_graceful_shutdown(async { drop(stopped.await) });
        let ended = tokio::spawn(async { serving.await.unwrap() });
        Self { address, stop, ended }
    }

    /// The address of the site's folder.
    fn folder(&self) -> String {
        format!("http://{}/beyond-fetch/", self.address)
    }

    async fn end(self) {
        let _ = self.stop.send(());
        self.ended.await.unwrap();
    }
}

/// Serves the site while a scene is played in Chromium; gives the folder's address to it.
async fn in_chromium(scene: impl AsyncFnOnce(&Browser, &str)) {
    let served = Served::begin("127.0.0.1:0", host(exported())).await;
    let folder = served.folder();
    look(Kind::Chromium, async |browser| scene(browser, &folder).await).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_every_page_s_scripts_find_what_they_load() {
    in_chromium(async |browser, folder| {
        browser.goto(folder).await.unwrap();
        browser.until("the door leads on", "return location.pathname === '/beyond-fetch/en/index.html' && document.readyState === 'complete'").await;
        let pages = browser
            .run("return [...document.querySelectorAll('#contents .chapter a'), document.querySelector('.tools a')].map((link) => link.href)")
            .await;
        let pages: Vec<&str> = pages.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(pages.len() > 12, "{pages:?}");
        for page in pages {
            browser.goto(page).await.unwrap();
            // The elements that live, one after the other, as a reader who scrolls meets them.
            let script = "const all = [...document.querySelectorAll('main *')]; \
                return all.filter(({ localName }) => customElements.get(localName)).length";
            let count = browser.run(script).await.as_u64().unwrap();
            let known = browser.run("return 'widgets' in document.documentElement.dataset").await;
            assert!(count == 0 || known == true, "{page} has {count} elements and names no module");
            // Some of each kind: the whole book on one page has dozens of players.
            for at in 0..count.min(12) {
                let script = format!(
                    "const all = [...document.querySelectorAll('main *')].filter(({{ localName }}) => customElements.get(localName)); \
                     const each = all[{at}]; \
                     each.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
                     return each.hasAttribute('data-ready')"
                );
                browser.until(&format!("element {at} of {page} lives"), &script).await;
            }
            assert_eq!(browser.console().await, Vec::<String>::new(), "{page}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_of_any_depth_has_style_and_leads_on() {
    in_chromium(async |browser, folder| {
        for wrong in ["nothing", "en/nothing.html", "en/no/such/page/at/all"] {
            browser.goto(&format!("{folder}{wrong}")).await.unwrap();
            let position =
                browser.run("return getComputedStyle(document.querySelector('.top')).position").await;
            assert_eq!(position, json!("sticky"), "{wrong} has no style");
            // What the browser says of the answer's own status aside.
            let said = browser.console().await;
            assert!(
                said.iter().all(|said| said.contains(wrong) && said.contains("404")),
                "{wrong}: {said:?}"
            );
        }
        browser.press("#search-open").await;
        browser.keys("#search input", "heartbeat").await;
        browser.until("something is found", "return !!document.querySelector('#search-results a')").await;
        browser.press("#search-results a").await;
        browser
            .until(
                "a chapter is open",
                "return !!document.querySelector('main .eyebrow, main .lede, main h1:not(#not-here)')",
            )
            .await;
        browser.press(".brand").await;
        let began = Instant::now();
        while !browser.current_url().await.unwrap().path().ends_with("/en/index.html") {
            assert!(began.elapsed() < PATIENCE, "the name of the book leads home");
        }
        assert_eq!(browser.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_there_without_a_network_and_never_instead_of_what_is_new() {
    for &kind in Kind::BOTH {
        offline_and_back(kind).await;
    }
}

async fn offline_and_back(kind: Kind) {
    let served = Served::begin("127.0.0.1:0", host(exported())).await;
    let (address, chapter) = (served.address.to_string(), format!("{}{CHAPTER}", served.folder()));
    look(kind, async |browser| {
        browser.goto(&chapter).await.unwrap();
        browser.alive("wire-player").await;
        // Everything that the page has loaded, itself and the elements' module.
        let all_kept = "const loaded = performance.getEntriesByType('resource').map(({ name }) => name); \
            const hashed = loaded.filter((name) => /-[0-9a-f]{8}\\./.test(name)); \
            const kept = await Promise.all([location.href, ...hashed].map((name) => caches.match(name))); \
            return hashed.some((name) => name.endsWith('.wasm')) && kept.every(Boolean)";
        browser.until("the chapter is kept", &format!("return (async () => {{ {all_kept} }})()")).await;
        let version = browser.run("return caches.keys()").await;

        served.end().await;
        browser.goto(&chapter).await.unwrap();
        let position = browser.run("return getComputedStyle(document.querySelector('.top')).position").await;
        assert_eq!(position, json!("sticky"), "the chapter has its style without a network");
        browser.alive("wire-player").await;
        browser.goto(&chapter.replace("03-server-sent-events", "04-streaming-with-fetch")).await.unwrap();
        assert_eq!(browser.text("h1").await, "No network");
        browser.press("a[href$=\"03-server-sent-events.html\"]").await;
        browser.until("the chapter is found", "return !!document.querySelector('main .lede')").await;

        // The network is back, and the page is another.
        let new = Router::new().fallback(async || Html("<!doctype html><title>New</title><h1>New</h1>"));
        let served = Served::begin(&address, new).await;
        browser.goto(&chapter).await.unwrap();
        assert_eq!(browser.text("h1").await, "New", "a page is never older than the network's");
        served.end().await;

        // Another version of the site: what was kept of the one before goes.
        let script = fs::read_to_string(exported().join("offline.js")).unwrap().replace("} `;", "} `; // newer");
        let script = script.replace("${ours}", "${ours}newer ");
        let newer = get(async || ([(header::CONTENT_TYPE, "text/javascript")], script));
        let newer = Router::new().route("/beyond-fetch/offline.js", newer).merge(host(exported()));
        let served = Served::begin(&address, newer).await;
        let replaced = format!(
            "return caches.keys().then((keys) => keys.length === 1 && keys[0].includes('newer') && !{version}.includes(keys[0]))"
        );
        // A browser looks for a new version some time after a visit, once nothing else is to do.
        let (asked, mut visited) = (Instant::now(), None::<Instant>);
        while visited.is_none() || browser.run(&replaced).await != true {
            assert!(asked.elapsed() < 2 * PATIENCE, "what an old version kept is still there");
            if visited.is_none_or(|visited| visited.elapsed() > PATIENCE / 4) {
                browser.goto(&chapter).await.unwrap();
                visited = Some(Instant::now());
            }
            sleep(Duration::from_millis(50)).await;
        }
        served.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_does_what_it_can_in_a_browser_that_lacks_things() {
    in_chromium(async |browser, folder| {
        // No storage, as where cookies are forbidden; no dialogs, no clipboard, no workers, no WebAssembly: an old one.
        let poor = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } }); \
            delete HTMLDialogElement.prototype.showModal; delete Navigator.prototype.clipboard; \
            delete Navigator.prototype.serviceWorker; delete window.Worker; delete window.WebAssembly";
        browser.chromium("Page.addScriptToEvaluateOnNewDocument", json!({ "source": poor })).await;
        browser.goto(&format!("{folder}{CHAPTER}")).await.unwrap();
        browser.until("the theme can be chosen", "return !document.querySelector('#themes').hidden").await;
        browser.run("document.querySelector('#themes [value=dark]').click()").await;
        let paper = "return getComputedStyle(document.documentElement).backgroundColor";
        assert_eq!(browser.run(paper).await, json!("rgb(20, 23, 28)"), "the page is dark");
        let bars = "return [...document.querySelectorAll('meta[name=theme-color]')].map((meta) => meta.content)";
        assert_eq!(browser.run(bars).await, json!(["#14171c", "#14171c"]), "the browser's bars are, too");
        let hidden = "return document.querySelector('#search-open').hidden && !document.querySelector('.copy')";
        assert_eq!(browser.run(hidden).await, json!(true), "what cannot work is not offered");
        browser.see("wire-player").await;
        browser.until("the player says why it stays a drawing", "return !!document.querySelector('wire-player svg')").await;
        let lives = browser.run("return !!document.querySelector('wire-player[data-ready]')").await;
        assert_eq!(lives, json!(false), "nothing pretends to live");

        // No script at all: everything that is text, every link, every answer.
        browser.chromium("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        browser.goto(&format!("{folder}{CHAPTER}")).await.unwrap();
        for (selector, words) in [("#contents", "One exchange"), ("main", "What survives a disconnect?"), (".onward", "Next")] {
            let text = browser.element(selector).await.text().await.unwrap();
            assert!(text.contains(words), "{selector} without a script: {text}");
        }
        for hidden in ["#contents-toggle", "#search-open", "#themes"] {
            let shown = browser.element(hidden).await.is_displayed().await.unwrap();
            assert!(!shown, "{hidden} needs a script and is offered without one");
        }
        browser.chromium("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
    })
    .await;
}
