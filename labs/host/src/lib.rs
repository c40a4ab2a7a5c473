//! Runs a lab for real: its server, its page, a market that moves.
//!
//! A lab's `main` is one call to [`run`]. This crate is also the one place
//! that names everything a running server needs, so that `cargo test -p lab3`
//! and `cargo run -p lab3` share one build of it.

use std::{io, path::Path, process::ExitCode};

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

/// Serves `app` and the folder `web` on `127.0.0.1:port` until Ctrl-C, fed by
/// a market that moves one price every half second.
///
/// Failure is told on standard error, in a sentence, and by the exit code.
pub async fn run(port: u16, web: impl AsRef<Path>, app: impl FnOnce(Feed) -> Router) -> ExitCode {
    match serve(port, web.as_ref(), app).await {
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
