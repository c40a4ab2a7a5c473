//! The elements in the book's pages that one can play with.
//!
//! Each is a [`Widget`]: plain Rust that takes what a reader does and gives what is to be seen, a tree of [`Node`]s.
//! It knows no browser, and its tests run natively. The page's side (`page`, for WebAssembly only) is the same for all
//! of them: it brings the tree into the document and the reader's doings back.
//!
//! | element | widget |
//! |---|---|
//! | `<ws-frame>` | [`WsFrame`]: a WebSocket frame, byte by byte |
//! | `<sse-bytes>` | [`SseBytes`]: an event stream that comes in pieces |
//! | `<wire-player>` | [`WirePlayer`]: plays the transcript whose drawing stands inside |
//! | `<rt-choose>` | [`RtChoose`]: five questions, and the technique that fits |
//!
//! `book/theme/js/elements.js` defines the elements and loads this module when the first one comes near.

mod hex;
#[cfg(target_family = "wasm")]
pub mod page;
mod rt_choose;
mod sse_bytes;
mod view;
mod wire_player;
mod ws_frame;

pub use rt_choose::RtChoose;
pub use sse_bytes::SseBytes;
pub use view::{Action, Element, Node, Played, Widget};
pub use wire_player::{WirePlayer, score};
pub use ws_frame::WsFrame;

/// The widget for an element's name, if there is one; a `wire-player` needs what [`score`] gives.
pub fn widget(name: &str, score: &str) -> Option<Box<dyn Widget>> {
    Some(match name {
        "ws-frame" => Box::new(WsFrame::default()),
        "sse-bytes" => Box::new(SseBytes::default()),
        "rt-choose" => Box::new(RtChoose::default()),
        "wire-player" => Box::new(WirePlayer::new(score)?),
        _ => return None,
    })
}
