//! A student's own lab on the stage, in place of its solution. Lab 3 is as students begin it: nothing is done.

use std::{net::SocketAddr, time::Duration};

use audience::{PATIENCE, root};
use feed::Feed;
use serde_json::json;
use stage::{OwnLab, Site, Stage, server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// A stage with lab 3 as it stands in labs/.
struct Play {
    address: SocketAddr,
    feed: Feed,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Play {
    async fn begin() -> Self {
        let own: OwnLab = "3=labs".parse().unwrap();
        assert!(own.is_built_in(), "this test is built with lab 3");
        let feed = Feed::memory(10);
        feed.publish(json!({ "symbol": "BMRI", "price": 5_400 })).await;
        let site = tempfile::tempdir().unwrap();
        let stage = Stage::with_own_labs(&root(), Site::read(site.path()).unwrap(), &feed, &[own]);
        let listener = server::listen(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move { stage.serve(listener, async { drop(stopped.await) }).await });
        Self { address, feed, stop, serving }
    }

    async fn ask(&self, target: &str) -> TcpStream {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        let host = self.address;
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        line.write_all(request.as_bytes()).await.unwrap();
        line
    }

    /// What the stage answers, head and all, until it closes the line.
    async fn answer(&self, target: &str) -> String {
        rest(self.ask(target).await).await
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
    }
}

async fn rest(mut line: TcpStream) -> String {
    let mut heard = String::new();
    timeout(PATIENCE, line.read_to_string(&mut heard)).await.expect("the line is closed").unwrap();
    heard
}

#[tokio::test]
async fn a_todo_that_is_not_done_says_so_and_the_other_labs_are_their_solutions() {
    let play = Play::begin().await;
    let unfinished = play.answer("/live/lab3/prices/stream?after=0").await;
    assert!(unfinished.starts_with("HTTP/1.1 500 "), "{unfinished}");
    assert!(
        unfinished.contains("The lab's server gave up here: not yet implemented: TODO 2"),
        "{unfinished}"
    );
    let other = play.answer("/live/lab1/prices").await;
    assert!(other.starts_with("HTTP/1.1 200 ") && other.contains("5400"), "{other}");
    play.end().await;
}

#[tokio::test]
async fn a_stream_that_gives_up_ends_and_nobody_else_s() {
    let play = Play::begin().await;
    let mut neighbour = play.ask("/live/lab4/").await;
    let line = play.ask("/live/lab3/prices/stream").await;
    let asked = Instant::now();
    while play.feed.subscribers() == 0 {
        assert!(asked.elapsed() < PATIENCE, "nobody listens");
        sleep(Duration::from_millis(5)).await;
    }
    play.feed.publish(json!({ "symbol": "BMRI", "price": 5_405 })).await;
    let stream = rest(line).await;
    assert!(stream.starts_with("HTTP/1.1 200 ") && !stream.contains("5405"), "{stream}");
    let mut first = [0; 12];
    neighbour.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop(neighbour);
    // Two connections have come and gone, one by a panic: the one that asks is the only one left.
    loop {
        let metrics = play.answer("/metrics").await;
        if metrics.contains("\nstage_connections 1\n") {
            break;
        }
        assert!(asked.elapsed() < PATIENCE, "{metrics}");
        sleep(Duration::from_millis(5)).await;
    }
    play.end().await;
}

#[tokio::test]
async fn the_page_is_the_student_s_too() {
    let play = Play::begin().await;
    let client = play.answer("/live/lab3/client.js").await;
    let own = std::fs::read_to_string(root().join("labs/lab3-sse/web/client.js")).unwrap();
    assert!(client.ends_with(&own), "{client}");
    assert!(own.contains("TODO"), "lab 3 is as students begin it");
    // The race is between what is finished.
    let solution = std::fs::read_to_string(root().join("solutions/lab3-sse/web/client.js")).unwrap();
    assert!(play.answer("/race/-/lab3/client.js").await.ends_with(&solution));
    play.end().await;
}
