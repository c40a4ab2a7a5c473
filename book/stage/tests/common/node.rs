//! A stage that can die: in a runtime of its own, over a book of one page.

use std::{fs, future::pending, net::SocketAddr};

use audience::root;
use feed::Feed;
use stage::{Site, Stage, server};
use tokio::{runtime::Runtime, sync::oneshot};

/// A stage, as if it were a process of its own.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) feed: Feed,
    runtime: Option<Runtime>,
}

impl Node {
    /// Starts a stage on a port of its own. `open` gives its feed; it runs where the stage does, and dies with it.
    pub(crate) async fn start(open: impl Future<Output = Feed> + Send + 'static) -> Self {
        Self::with(open, |site, feed| (Stage::new(&root(), site, &feed), feed)).await.0
    }

    /// The same, with a stage of what was opened; gives the path of the instructor's link, too.
    pub(crate) async fn with<O: Send + 'static>(
        open: impl Future<Output = O> + Send + 'static,
        stage: fn(Site, O) -> (Stage, Feed),
    ) -> (Self, String) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let (begun, begins) = oneshot::channel();
        runtime.spawn(async move {
            let opened = open.await;
            let site = tempfile::tempdir().expect("a folder for the site");
            let pages = site.path().join("en");
            fs::create_dir(&pages).expect("the folder is writable");
            for page in ["index.html", "404.html"] {
                fs::write(pages.join(page), "<!doctype html><title>Book</title>")
                    .expect("the folder is writable");
            }
            let site = Site::read(site.path()).expect("the site is read");
            let listener = server::listen(0).await.expect("a port is free");
            let address = listener.local_addr().expect("a listener has an address");
            let (stage, feed) = stage(site, opened);
            let link = stage.class().link().await.expect("the stage has a link");
            let _ = begun.send((address, feed, link));
            stage.serve(listener, pending()).await;
        });
        let (address, feed, link) = begins.await.expect("the stage begins");
        (Self { address, feed, runtime: Some(runtime) }, link)
    }

    /// Lets the stage die: nothing is drained, no farewell is said, every line is dropped where it is.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
