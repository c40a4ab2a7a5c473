//! A connection that hyper hands over: it has read the request, perhaps sent the head of the answer, and is in the way
//! of what follows.
//!
//! A stream of events has [`after_head`] for its body, a handshake calls [`after_upgrade`]: there the exchange goes on
//! for as long as the connection. Whoever answers by itself calls [`take_over`], and may give the line back. All name
//! a [`Successor`], who gets the [`Line`], weather and tap and all; what hyper held for the connection is freed.

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

use super::{Frames, Inbound, Line, Socket, Tap};
use crate::limits::Limits;

/// Goes on with a line.
pub(crate) type Successor = Box<dyn FnOnce(Line, Onward) -> Succeeded + Send>;

/// A successor at work, until it has no more use for the line.
pub(crate) type Succeeded = Pin<Box<dyn Future<Output = Returned> + Send>>;

/// What a successor is given besides the line.
pub(crate) struct Onward {
    /// What was read from the line already.
    pub(crate) read: Bytes,
    /// Whether the stage drains.
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) limits: Limits,
}

/// A line that is hyper's again, if it is.
pub(crate) type Returned = Option<Line>;

/// How far the handing over is.
#[derive(Default)]
pub(super) enum Handing {
    /// Hyper keeps the line.
    #[default]
    Nobody,
    /// Hyper flushes the line next.
    WhenFlushed(Successor),
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

/// Lets `successor` take the line over as it is, with the request at hand not answered. Whoever calls this answers
/// hyper nothing more.
pub(crate) fn take_over(tap: &Tap, successor: Successor) {
    // Hyper flushes a line whenever it has asked for an answer, whether or not there is something to be sent.
    tap.heard().handing = Handing::WhenFlushed(successor);
    tap.handing.store(true, Ordering::Release);
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
            take_over(&self.tap, successor);
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
            // Nobody will ask how the request began.
            if !matches!(heard.handing, Handing::Nobody) {
                heard.head = Vec::new();
            }
            std::mem::take(&mut heard.handing)
        };
        match handing {
            Handing::Nobody | Handing::WhenFlushed(_) => None,
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
    // A copy, for the original would keep the whole of hyper's buffer.
    Some((parts.io.into_inner(), Bytes::copy_from_slice(&parts.read_buf)))
}

impl Line {
    /// Puts everything that this line is where its successor finds it.
    pub(super) fn hand_over(&mut self) {
        self.tap.handing.store(false, Ordering::Relaxed);
        let mut heard = self.tap.heard();
        match std::mem::take(&mut heard.handing) {
            Handing::WhenFlushed(successor) => {
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

    /// Lets `bytes` be read again.
    pub(crate) fn unread(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.inbound.get_or_insert_with(|| Box::new(Inbound::new())).put_back(bytes);
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
    /// The request at hand, as far as it has been read, and whatever came after it.
    pub(crate) fn request(&self) -> Vec<u8> {
        self.heard().head.clone()
    }

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
