//! A stage whose market is moved from outside, for a load generator: `POST /pub` on the port 10,000 above the stage's
//! publishes its body.
//!
//! `cargo run --release -p stage --example fanout -- 21000`

use std::{env, error::Error, fs};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use feed::Feed;
use stage::{Limits, Site, Stage, book, server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).ok_or("which port?")?.parse()?;
    tracing_subscriber::fmt().with_env_filter("warn").init();
    let pages = tempfile::tempdir()?;
    fs::create_dir_all(pages.path().join("en"))?;
    fs::write(pages.path().join("en/404.html"), "<!doctype html><title>Nothing here</title>")?;
    // As `cargo stage` has it; everybody comes from one address, and there may be ten thousand of them.
    let feed = Feed::begun_now(1_000);
    let limits = Limits { connections: 20_000, per_address: 20_000, ..Limits::default() };
    rlimit::increase_nofile_limit(20_200)?;
    let root = book::find_root(&env::current_dir()?)?;
    let stage = Stage::new(&root, Site::read(pages.path())?, &feed).with_limits(limits);
    let publish = Router::new().route("/pub", post(publish)).with_state(feed);
    let publisher = server::listen(port + 10_000).await?;
    tokio::spawn(async move { axum::serve(publisher, publish).await });
    stage.serve(server::listen(port).await?, async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}

async fn publish(State(feed): State<Feed>, text: String) -> StatusCode {
    feed.publish(text).await;
    StatusCode::NO_CONTENT
}
