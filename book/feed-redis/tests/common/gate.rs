//! What stands between one node and its Redis, and can be shut.

use feed_redis::Address;
use tokio::{
    io::copy,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What passes a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    All,
    /// What the node asks arrives; the answers do not.
    Questions,
    Nothing,
}

/// A relay in front of a Redis.
pub(crate) struct Gate {
    port: u16,
    passes: watch::Sender<Passes>,
}

impl Gate {
    pub(crate) async fn before(redis: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let passes = watch::Sender::new(Passes::All);
        let mode = passes.subscribe();
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                tokio::spawn(relay(node, redis, mode.clone()));
            }
        });
        Self { port, passes }
    }

    pub(crate) fn address(&self) -> Address {
        format!("redis://127.0.0.1:{}", self.port).parse().expect("that is an address")
    }

    /// Every change cuts the connections that are open, but for one: they can become deaf.
    pub(crate) fn let_pass(&self, passes: Passes) {
        self.passes.send_replace(passes);
    }
}

async fn relay(mut node: TcpStream, redis: u16, mut mode: watch::Receiver<Passes>) {
    if *mode.borrow_and_update() == Passes::Nothing {
        return;
    }
    let Ok(mut redis) = TcpStream::connect(("127.0.0.1", redis)).await else { return };
    let mut deaf = mode.clone();
    let (mut asks, mut hears) = node.split();
    let (mut answers, mut asked) = redis.split();
    let changed = async {
        // A connection that becomes deaf stays; any other change ends it.
        while mode.changed().await.is_ok() && *mode.borrow_and_update() == Passes::Questions {}
    };
    let to_node = async {
        tokio::select! {
            biased;
            _ = deaf.wait_for(|mode| *mode == Passes::Questions) => {}
            _ = copy(&mut answers, &mut hears) => {}
        }
        std::future::pending::<()>().await;
    };
    tokio::select! { () = changed => {}, _ = copy(&mut asks, &mut asked) => {}, () = to_node => {} }
}
