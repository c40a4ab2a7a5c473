//! The built book in memory, and how it is served.
//!
//! A path either names a file that was read at the start or it names nothing,
//! so no request reaches the disk. Each file knows its type, its entity tag and
//! the policy that its own inline scripts and styles need; its compressed form
//! is made when the first client asks for it.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    fs,
    hash::{Hash, Hasher},
    io::{self, Write},
    path::Path,
    sync::{Arc, OnceLock},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::guard::POLICY;

/// Smaller files do not gain by compression.
const WORTH_COMPRESSING: usize = 1_000;

/// Every file of a built site.
pub struct Site {
    files: HashMap<String, Arc<File>>,
    /// Folders without their trailing slash, so that a link which lacks it still arrives.
    folders: HashSet<String>,
}

struct File {
    kind: &'static str,
    bytes: Bytes,
    gzip: OnceLock<Bytes>,
    tag: HeaderValue,
    policy: Option<HeaderValue>,
    /// Its name, or that of a folder it is in, changes with its content.
    is_hashed: bool,
}

impl Site {
    /// Reads every file under `folder`.
    ///
    /// # Errors
    /// When the folder or something in it cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut site = Self { files: HashMap::new(), folders: HashSet::new() };
        site.read_folder(folder, "")?;
        Ok(site)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let path = format!("{prefix}{name}");
            // Follows links: a site may be put together of them.
            if fs::metadata(entry.path())?.is_dir() {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
                self.folders.insert(path);
            } else {
                let file = File::new(&path, fs::read(entry.path())?);
                self.files.insert(path, Arc::new(file));
            }
        }
        Ok(())
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Answers a request for a path of the site.
    pub async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let allow = [(header::ALLOW, "GET, HEAD")];
            return (StatusCode::METHOD_NOT_ALLOWED, allow, "The book is read only.\n").into_response();
        }
        let Some(path) = decode(uri.path()) else {
            return (StatusCode::BAD_REQUEST, "This address is not well formed.\n").into_response();
        };
        let path = path.trim_start_matches('/');
        let found = if path.is_empty() || path.ends_with('/') {
            self.files.get(&format!("{path}index.html"))
        } else {
            self.files.get(path)
        };
        match found {
            Some(file) => file.answer(StatusCode::OK, headers).await,
            None if self.folders.contains(path) => {
                // Of the request's own path, which is a well-formed address already.
                match HeaderValue::from_str(&format!("/{}/", uri.path().trim_matches('/'))) {
                    Ok(there) => (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, there)]).into_response(),
                    Err(_) => StatusCode::BAD_REQUEST.into_response(),
                }
            }
            None => self.not_found(path, headers).await,
        }
    }

    async fn not_found(&self, path: &str, headers: &HeaderMap) -> Response {
        let language = path.split('/').next().unwrap_or_default();
        let page = self.files.get(&format!("{language}/404.html")).or_else(|| self.files.get("en/404.html"));
        match page {
            Some(page) => page.answer(StatusCode::NOT_FOUND, headers).await,
            None => (StatusCode::NOT_FOUND, "There is no such page.\n").into_response(),
        }
    }
}

impl File {
    fn new(path: &str, bytes: Vec<u8>) -> Self {
        let kind = kind(path);
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        let policy = if kind == HTML {
            Some(policy(&String::from_utf8_lossy(&bytes)))
        } else {
            // A Worker takes its policy from its own script, not from the page.
            path.ends_with(WORKER).then(|| format!("{POLICY}; script-src 'self' 'wasm-unsafe-eval'"))
        };
        Self {
            kind,
            bytes: bytes.into(),
            gzip: OnceLock::new(),
            tag: HeaderValue::from_str(&tag).expect("hexadecimal digits between quotes"),
            policy: policy.and_then(|policy| HeaderValue::from_str(&policy).ok()),
            is_hashed: is_hashed(path),
        }
    }

    async fn answer(self: &Arc<Self>, status: StatusCode, asked: &HeaderMap) -> Response {
        let compresses = compresses(self.kind) && self.bytes.len() >= WORTH_COMPRESSING;
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, self.tag.clone());
        let keep = if self.is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        if compresses {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        if status == StatusCode::OK && names(asked, &self.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        let body = if compresses && takes_gzip(asked) {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            self.compressed().await
        } else {
            self.bytes.clone()
        };
        (status, headers, Body::from(body)).into_response()
    }

    async fn compressed(self: &Arc<Self>) -> Bytes {
        if let Some(bytes) = self.gzip.get() {
            return bytes.clone();
        }
        let file = Arc::clone(self);
        let compress = move || file.gzip.get_or_init(|| gzip(&file.bytes)).clone();
        // An error means that the stage is ending.
        tokio::task::spawn_blocking(compress).await.unwrap_or_default()
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte").into()
}

/// The script of the bench's Worker, in a folder of its own.
const WORKER: &str = "/worker.js";
const HTML: &str = "text/html; charset=utf-8";

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "txt" | "md" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

fn compresses(kind: &str) -> bool {
    kind.starts_with("text/")
        || matches!(kind, "application/json" | "image/svg+xml" | "application/wasm" | "application/xml")
}

/// mdBook puts eight hexadecimal digits of the content's hash before the ending; a folder's name ends with those of
/// all that is in it.
fn is_hashed(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.rsplit('.').nth(1).unwrap_or_default();
    ends_with_hash(stem) || folders.split('/').any(ends_with_hash)
}

fn ends_with_hash(stem: &str) -> bool {
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether `If-None-Match` names this tag (RFC 9110 § 13.1.2).
fn names(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let refused = parts.any(|part| {
                part.strip_prefix("q=").is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
            });
            named && !refused
        })
}

/// The path with its percent-encoding undone; nothing where that is broken,
/// is not UTF-8 or hides a control character.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match byte {
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                rest = tail;
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(digits[0])? * 16 + digit(digits[1])?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|path| !path.contains(char::is_control))
}

/// The policy of a page: this host alone, and the inline scripts and styles
/// that the page was built with, each named by its hash. A page with elements
/// that one can play with may compile WebAssembly.
fn policy(html: &str) -> String {
    let mut sources = String::from("'self'");
    if [" data-widgets=\"", " data-playground=\""].iter().any(|module| html.contains(module)) {
        sources.push_str(" 'wasm-unsafe-eval'");
    }
    for script in inline(html, "script") {
        sources.push_str(&hash_source(script));
    }
    let mut policy = format!("{POLICY}; script-src {sources}");
    let styles: String = inline(html, "style").map(hash_source).collect();
    if !styles.is_empty() {
        policy.push_str(&format!("; style-src 'self'{styles}"));
    }
    policy
}

fn hash_source(text: &str) -> String {
    format!(" 'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// What stands inside each `<element>` that has no `src`.
fn inline<'a>(html: &'a str, element: &'static str) -> impl Iterator<Item = &'a str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let open = rest.find(&format!("<{element}"))?;
            let tag = &rest[open + 1 + element.len()..];
            let end = tag.find('>')?;
            let (attributes, content) = (&tag[..end], &tag[end + 1..]);
            let close = content.find(&format!("</{element}"))?;
            rest = &content[close..];
            let is_this = attributes.is_empty() || attributes.starts_with(char::is_whitespace);
            if is_this && !attributes.contains("src=") {
                return Some(&content[..close]);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_or_refused() {
        assert_eq!(decode("/en/a%20b.html").as_deref(), Some("/en/a b.html"));
        assert_eq!(decode("/en/%C3%A9").as_deref(), Some("/en/é"));
        for broken in ["/%", "/%2", "/%zz", "/%+1", "/%ff", "/a%00b", "/a%0ab"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn hashed_names_are_told_from_others() {
        assert!(is_hashed("book-a0b1c2d3.js"));
        assert!(is_hashed("highlight-3a5abaab.css"));
        assert!(is_hashed("playground-3a5abaab/playground.wasm"));
        for name in
            ["book.js", "03-server-sent-events.html", "a-deadbee.js", "index.html", "a-DEADBEEF.js", "x"]
        {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn a_page_s_policy_names_its_inline_scripts_by_hash() {
        // printf 'let a = 1' | openssl dgst -sha256 -binary | base64
        let hash = "'sha256-LAfYd7pbFUgwfQu8b4q135PeTG2z+/coPEUYCd74eCQ='";
        let told = policy("<script src=\"a.js\"></script><p><script type=\"module\">let a = 1</script>");
        assert_eq!(told.matches("sha256-").count(), 1);
        assert!(told.contains(hash), "{told}");
        assert!(!told.contains("unsafe"), "{told}");
        for module in ["data-widgets=\"../widgets-12345678\"", "data-playground=\"../playground-12345678/\""]
        {
            let told = policy(&format!("<html {module}><script src=\"a.js\"></script>"));
            assert!(told.ends_with("; script-src 'self' 'wasm-unsafe-eval'"), "{told}");
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let asked = |value: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(asked("gzip, deflate, br"));
        assert!(asked("br;q=1.0, gzip;q=0.8"));
        assert!(!asked("br, deflate"));
        assert!(!asked("gzip;q=0"));
        assert!(!asked("gzip;q=0.0, identity"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn an_entity_tag_is_recognised_in_a_list() {
        let tag = HeaderValue::from_static("\"1\"");
        let asked = |value: &'static str| {
            names(&HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]), &tag)
        };
        assert!(asked("\"1\"") && asked("\"0\", W/\"1\"") && asked("*"));
        assert!(!asked("\"2\"") && !asked("1"));
    }
}
