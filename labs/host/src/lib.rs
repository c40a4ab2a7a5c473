//! Runs a lab for real: its server, its page, a market that moves.
//!
//! A lab's `main` is one call to [`run`]. This crate is also the one place
//! that names everything a running server needs, so that `cargo test -p lab3`
//! and `cargo run -p lab3` share one build of it.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use feed::{Feed, Market};
use tokio::net::TcpListener;
use tower_http::{services::ServeDir, set_header::SetResponseHeader};

/// How many updates a lab's feed keeps.
const KEPT: usize = 1_000;

/// The look that every lab's page shares with the book.
const LOOK: &str = concat!(
    include_str!("../../../book/theme/css/tokens.css"),
    include_str!("../../../book/theme/css/lab.css")
);

/// Serves `app` and its page on `127.0.0.1:port` until Ctrl-C, fed by a market
/// that moves one price every half second.
///
/// `web` is where the page stood when the program was compiled. The repository
/// may have been renamed or copied since: see `Candidates`.
///
/// Failure is told on standard error, in a sentence, and by the exit code.
pub async fn run(port: u16, web: impl AsRef<Path>, app: impl FnOnce(Feed) -> Router) -> ExitCode {
    let candidates = Candidates {
        manifest: env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
        program: env::current_exe().ok(),
        compiled: web.as_ref().to_owned(),
        here: env::current_dir().ok(),
    };
    let web = match candidates.find() {
        Ok(web) => web,
        Err(sentence) => {
            eprintln!("{sentence}");
            return ExitCode::FAILURE;
        }
    };
    match serve(port, &web, app).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            eprintln!(
                "Port {port} is in use: stop the other program (perhaps this lab, in another terminal) and try again."
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("The lab cannot be served on port {port}: {error}.");
            ExitCode::FAILURE
        }
    }
}

/// The file by which a page's folder is known.
const PAGE: &str = "index.html";

/// Where a lab's page may be.
struct Candidates {
    /// The package's folder, as `cargo run` names it.
    manifest: Option<PathBuf>,
    /// This program: cargo puts it into the repository, if nobody has told it otherwise.
    program: Option<PathBuf>,
    /// The page's folder when this program was compiled: `…/labs/lab3-sse/web`.
    compiled: PathBuf,
    /// The current folder.
    here: Option<PathBuf>,
}

impl Candidates {
    /// The first folder with a page in it.
    ///
    /// # Errors
    /// A sentence that says where there is none.
    fn find(&self) -> Result<PathBuf, String> {
        // `labs/lab3-sse/web`, which it is in any copy of the repository.
        let mut names: Vec<_> = self.compiled.iter().rev().take(3).collect();
        names.reverse();
        let inside: PathBuf = names.into_iter().collect();
        let around = |place: &Option<PathBuf>| {
            let folders = place.iter().flat_map(|place| place.ancestors());
            folders.map(|folder| folder.join(&inside)).find(|web| has_page(web))
        };
        let manifest = self.manifest.as_ref().map(|package| package.join("web"));
        if let Some(web) = manifest.clone().filter(|web| has_page(web)).or_else(|| around(&self.program)) {
            return Ok(web);
        }
        if has_page(&self.compiled) {
            return Ok(self.compiled.clone());
        }
        around(&self.here).ok_or_else(|| {
            let looked = manifest.iter().chain([&self.compiled]).map(|web| web.display().to_string());
            format!(
                "The lab's page is not found: there is no {PAGE} in {}, nor in {} of a folder around the program or the current one. \
                 Call `cargo run` inside the repository; `git checkout -- {}` brings back what was deleted.",
                looked.collect::<Vec<_>>().join(", nor in "),
                inside.display(),
                inside.display(),
            )
        })
    }
}

fn has_page(web: &Path) -> bool {
    web.join(PAGE).is_file()
}

async fn serve(port: u16, web: &Path, app: impl FnOnce(Feed) -> Router) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let feed = Feed::begun_now(KEPT);
    tokio::spawn(Market::new(1).trade(feed.clone()));
    println!("http://127.0.0.1:{port}/  (Ctrl-C ends it)");
    let app = with_page(app(feed), web);
    tokio::select! {
        served = axum::serve(listener, app).into_future() => served,
        // Open streams would keep a graceful shutdown waiting; a lab may just go.
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// The lab's own routes first, then its page and the shared look.
pub fn with_page(app: Router, web: impl AsRef<Path>) -> Router {
    // A browser asks before it uses its copy: whoever has edited `client.js` sees it at the next load.
    let fresh = SetResponseHeader::if_not_present(
        ServeDir::new(web),
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache"),
    );
    app.route("/look.css", get(look)).fallback_service(fresh)
}

async fn look() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css")], LOOK)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A copy of the repository with this lab's page, and a program in its target folder.
    fn copy(place: &Path, name: &str) -> (PathBuf, PathBuf) {
        let root = place.join(name);
        let web = root.join("labs/lab3-sse/web");
        fs::create_dir_all(&web).expect("a folder");
        fs::write(web.join(PAGE), "").expect("a file");
        (web, root.join("target/debug/lab3"))
    }

    #[test]
    fn a_lab_serves_the_page_of_the_copy_it_runs_in() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let (original, built) = copy(place.path(), "original");
        let (copied, program) = copy(place.path(), "a copy ü");
        let nowhere = place.path().join("gone");
        let find = |manifest: Option<&Path>, program: &Path, compiled: &Path, here: &Path| {
            let manifest = manifest.and_then(Path::parent).map(Path::to_owned);
            let (program, here) = (Some(program.to_owned()), Some(here.to_owned()));
            Candidates { manifest, program, compiled: compiled.to_owned(), here }.find()
        };
        let lost = nowhere.join("labs/lab3-sse/web");
        // `cargo run` in the copy, with a target folder of both.
        assert_eq!(find(Some(&copied), &built, &original, &nowhere).as_ref(), Ok(&copied));
        // The program itself, copied.
        assert_eq!(find(None, &program, &original, &nowhere).as_ref(), Ok(&copied));
        // Renamed: what was compiled in is there no more.
        assert_eq!(find(None, &program, &lost, &nowhere).as_ref(), Ok(&copied));
        // Built elsewhere.
        assert_eq!(find(None, &nowhere, &original, &nowhere).as_ref(), Ok(&original));
        assert_eq!(find(None, &nowhere, &lost, &copied).as_ref(), Ok(&copied));
        // Another package's folder is none of ours.
        assert_eq!(find(Some(&lost), &nowhere, &original, &nowhere).as_ref(), Ok(&original));
        let sentence = find(Some(&lost), &nowhere, &lost, &nowhere).expect_err("there is none");
        assert!(sentence.contains("there is no index.html in") && sentence.contains("gone"), "{sentence}");
    }
}
