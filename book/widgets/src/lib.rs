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
//! | `<rt-map>` | [`RtMap`]: what five techniques cost, played with the reader's settings |
//! | `<rt-predict>` | [`RtPredict`]: a question, and how sure one is of the answer |
//!
//! `book/theme/js/elements.js` defines the elements and loads this module when the first one comes near.

mod hex;
#[cfg(target_family = "wasm")]
pub mod page;
mod rt_choose;
mod rt_map;
mod rt_predict;
mod sse_bytes;
mod view;
mod wire_player;
mod ws_frame;

pub use rt_choose::RtChoose;
pub use rt_map::{RtMap, map_row};
pub use rt_predict::RtPredict;
pub use sse_bytes::SseBytes;
pub use view::{Action, Ask, Element, Node, Played, Widget};
pub use wire_player::{WirePlayer, score};
pub use ws_frame::WsFrame;

/// The widget for an element's name, if there is one; a `wire-player` needs what [`score`] gives, and `rt-predict` has
/// a score of its own.
pub fn widget(name: &str, score: &str) -> Option<Box<dyn Widget>> {
    Some(match name {
        "ws-frame" => Box::new(WsFrame::default()),
        "sse-bytes" => Box::new(SseBytes::default()),
        "rt-choose" => Box::new(RtChoose::default()),
        "rt-map" => Box::new(RtMap::default()),
        "rt-predict" => Box::new(RtPredict::new(score)?),
        "wire-player" => Box::new(WirePlayer::new(score)?),
        _ => return None,
    })
}
