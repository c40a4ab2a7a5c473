//! Keeps what a student's server panicked with, instead of printing it over the verdicts.

use std::{
    any::Any,
    cell::RefCell,
    panic::{self, PanicHookInfo},
    sync::Once,
};

/// A panic: its words and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    pub(crate) message: String,
    /// `labs/lab3-sse/src/lib.rs:41:5`, as the compiler names it.
    pub(crate) place: String,
}

impl Panic {
    /// The number in `todo!("TODO 2")`, or 0 for a bare `todo!()`; nothing for any other panic.
    pub(crate) fn todo(&self) -> Option<u32> {
        let words = self.message.strip_prefix("not yet implemented")?;
        Some(words.split_once("TODO ").map_or(0, |(_, rest)| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse().unwrap_or(0)
        }))
    }
}

thread_local! {
    /// A play runs on one thread, so what panics there belongs to it.
    static COLLECTED: RefCell<Option<Vec<Panic>>> = const { RefCell::new(None) };
}

/// From here on this thread's panics are collected, until [`collected`]. Other threads keep their hook.
pub(crate) fn collect() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let collected = COLLECTED.with_borrow_mut(|collected| match collected {
                Some(panics) => {
                    panics.push(describe(info));
                    true
                }
                None => false,
            });
            // Where a panic is the end of everything (wasm), nobody will ask for it later.
            if !collected || cfg!(panic = "abort") {
                before(info);
            }
        }));
    });
    COLLECTED.set(Some(Vec::new()));
}

/// What this thread has panicked with since [`collect`]. From here on its panics are its own again.
pub(crate) fn collected() -> Vec<Panic> {
    COLLECTED.take().unwrap_or_default()
}

fn describe(info: &PanicHookInfo<'_>) -> Panic {
    Panic {
        message: message(info.payload()),
        place: info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string),
    }
}

/// The words of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(a panic without words)".to_owned())
}
