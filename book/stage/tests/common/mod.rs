//! What the tests in a browser share: a stage to look at.

use std::{net::SocketAddr, ops::Deref, path::PathBuf, time::Duration};

use audience::{Browser, Kind, PATIENCE, look, root};
use feed::Feed;
use stage::{Site, Stage, book, server};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};

/// A stage with a market that moves only when told to, and a browser that looks at it.
pub(crate) struct Play<'a> {
    browser: &'a Browser,
    pub(crate) address: SocketAddr,
    pub(crate) feed: Feed,
}

impl Deref for Play<'_> {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        self.browser
    }
}

impl Play<'_> {
    /// Opens a page of the stage.
    pub(crate) async fn go(&self, path: &str) {
        self.goto(&format!("http://{}{path}", self.address)).await.unwrap();
    }
}

/// Plays `scene` in each of these browsers, on a stage of its own with the
/// real book, and closes the browser and the stage whether it ends well or not.
pub(crate) async fn play(kinds: &[Kind], scene: impl AsyncFn(&Play)) {
    for &kind in kinds {
        let mut served = None;
        look(kind, async |browser| {
            let feed = Feed::memory(100);
            let (address, stop, serving) = stage(book(), &feed).await;
            let play = Play { browser, address, feed };
            scene(&play).await;
            served = Some((stop, serving, play.feed));
        })
        .await;
        let Some((stop, serving, feed)) = served else { continue };
        let _ = stop.send(());
        serving.await.expect("the stage ends as it should");
        let asked = Instant::now();
        while feed.subscribers() > 0 {
            let left = feed.subscribers();
            assert!(asked.elapsed() < PATIENCE, "the stage has ended, and {left} still hear its market");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The real book, with everything that one can play with. Cargo's own folder, so that the module which `cargo stage`
/// builds is not built a second time.
fn book() -> Site {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let target = target.parent().expect("a folder of cargo's target folder");
    let folder = book::build(&root(), target, book::For::Stage, &mut |_| {}).expect("the book builds");
    Site::read(&folder).unwrap()
}

async fn stage(pages: Site, feed: &Feed) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = server::listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stage = Stage::new(&root(), pages, feed);
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        stage.serve(listener, async { drop(stopped.await) }).await;
    });
    (address, stop, served)
}
