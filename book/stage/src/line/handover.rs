//! A connection that hyper hands over: it has read the request and sent the head of the answer, and is in the way of
//! what follows.
//!
//! A stream of events has [`after_head`] for its body, a handshake calls [`after_upgrade`]. Both name a [`Successor`],
//! who gets the [`Line`], weather and tap and all; what hyper held for the connection is freed. The exchange goes on
//! for as long as the connection.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::{
    body::Frame,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;

use super::{Frames, Line, Socket, Tap};

/// Goes on with a line, given what was read from it already and whether the stage drains.
pub(crate) type Successor =
    Box<dyn FnOnce(Line, Bytes, watch::Receiver<bool>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// How far the handing over is.
#[derive(Default)]
pub(super) enum Handing {
    /// Hyper keeps the line.
    #[default]
    Nobody,
    /// The answer's head is on its way.
    AfterHead(Successor),
    /// The line comes out of hyper with an upgrade.
    AfterUpgrade(OnUpgrade, Successor),
    /// Here it is.
    Handed(Line, Successor),
}

/// The body of an answer whose line `successor` takes over as soon as the head has been sent.
pub(crate) fn after_head(tap: &Arc<Tap>, successor: Successor) -> Body {
    Body::new(AfterHead { tap: Arc::clone(tap), successor: Some(successor) })
}

/// Lets `successor` take the line over after the upgrade that is about to be answered.
pub(crate) fn after_upgrade(tap: &Tap, upgrade: OnUpgrade, successor: Successor) {
    tap.lasting.store(true, Ordering::Relaxed);
    tap.heard().handing = Handing::AfterUpgrade(upgrade, successor);
}

struct AfterHead {
    tap: Arc<Tap>,
    successor: Option<Successor>,
}

impl hyper::body::Body for AfterHead {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // Hyper asks for the body when it has written the head into its buffer; next it flushes that.
        if let Some(successor) = self.successor.take() {
            self.tap.lasting.store(true, Ordering::Relaxed);
            self.tap.heard().handing = Handing::AfterHead(successor);
            self.tap.handing.store(true, Ordering::Release);
        }
        Poll::Pending
    }
}

impl Tap {
    /// Returns once somebody is to have the line whom hyper stands in the way of.
    pub(crate) async fn until_handed(&self) {
        self.handed.notified().await;
    }

    /// The line and who gets it, now that hyper has let go of it.
    pub(crate) async fn handed(&self) -> Option<(Line, Bytes, Successor)> {
        let handing = {
            let mut heard = self.heard();
            // The request has been answered, and no other follows.
            if !matches!(heard.handing, Handing::Nobody) {
                heard.head = Vec::new();
            }
            std::mem::take(&mut heard.handing)
        };
        match handing {
            Handing::Nobody | Handing::AfterHead(_) => None,
            Handing::Handed(line, successor) => Some((line, Bytes::new(), successor)),
            Handing::AfterUpgrade(upgrade, successor) => {
                // An error means that the connection ended before the answer was sent.
                let (line, read) = taken(upgrade.await.ok()?)?;
                Some((line, read, successor))
            }
        }
    }
}

fn taken(upgraded: Upgraded) -> Option<(Line, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<Line>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

impl Line {
    /// Puts everything that this line is where its successor finds it.
    pub(super) fn hand_over(&mut self) {
        self.tap.handing.store(false, Ordering::Relaxed);
        let mut heard = self.tap.heard();
        match std::mem::take(&mut heard.handing) {
            Handing::AfterHead(successor) => {
                let line = Self {
                    socket: self.socket.take(),
                    tap: Arc::clone(&self.tap),
                    inbound: self.inbound.take(),
                    outbound: self.outbound.take(),
                    frames: Frames::default(),
                    goodbye: None,
                };
                heard.handing = Handing::Handed(line, successor);
                drop(heard);
                self.tap.handed.notify_one();
            }
            other => heard.handing = other,
        }
    }

    /// The way past the weather, while there is none and nothing is under way.
    pub(crate) fn direct(&self) -> Option<Direct> {
        let is_under_way = self.outbound.as_ref().is_some_and(|outbound| !outbound.is_done());
        let socket = self.socket.as_ref().filter(|_| !is_under_way && self.tap.is_plain())?;
        Some(Direct(Arc::clone(socket)))
    }
}

impl Tap {
    /// Whether nobody hears the line and the sky is clear: what is sent on it may go straight to the socket.
    pub(crate) fn is_plain(&self) -> bool {
        !self.weathered.load(Ordering::Acquire) && !self.listening.load(Ordering::Relaxed)
    }
}

/// Writes to a line's socket, where the line has nothing to add.
pub(crate) struct Direct(Arc<Socket>);

impl Direct {
    /// Sends as much as the socket takes now.
    ///
    /// # Errors
    /// What the socket says; `WouldBlock` where it takes nothing.
    pub(crate) fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        let Socket { io, tap } = &*self.0;
        if tap.is_cut() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let sent = io.try_write(bytes);
        match &sent {
            Ok(count) => {
                tap.flows();
                tap.sent(*count, &[bytes]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tap.stalls(),
            Err(_) => {}
        }
        sent
    }
}
