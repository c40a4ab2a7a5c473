//! Hears what mdBook only warns of, so that it can fail the build as well.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

/// Runs `work` and gives its result with the warnings and errors that were logged meanwhile on this thread.
pub(crate) fn heard<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let ear = Ear::default();
    let messages = Arc::clone(&ear.messages);
    let result = tracing::dispatcher::with_default(&Dispatch::new(ear), work);
    let messages = std::mem::take(&mut *messages.lock().unwrap_or_else(PoisonError::into_inner));
    (result, messages)
}

#[derive(Default)]
struct Ear {
    messages: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= &Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}").replace('\n', " ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_heard_and_chatter_is_not() {
        let (result, heard) = heard(|| {
            tracing::info!("building");
            tracing::warn!("unclosed {}", "tag");
            7
        });
        assert_eq!(result, 7);
        assert_eq!(heard, ["unclosed tag"]);
    }
}
