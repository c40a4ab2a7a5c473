//! The names that a feed's log has had.

use std::sync::OnceLock;

/// A log's name, and the one that came after it: a list that only grows, so
/// that a name can be lent for as long as the feed is.
#[derive(Debug)]
pub(crate) struct Epochs {
    name: String,
    next: OnceLock<Box<Epochs>>,
}

impl Epochs {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), next: OnceLock::new() }
    }

    /// The newest name.
    pub(crate) fn now(&self) -> &str {
        &self.last().name
    }

    /// Whether the log has, or once had, this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.iter().any(|epoch| epoch.name == name)
    }

    /// Puts a name after the newest. Whoever calls holds the log's lock, so nobody else does at the same time.
    pub(crate) fn push(&self, name: &str) {
        let _ = self.last().next.set(Box::new(Self::new(name)));
    }

    fn last(&self) -> &Self {
        self.iter().last().unwrap_or(self)
    }

    fn iter(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |epoch| epoch.next.get().map(|next| &**next))
    }
}
