//! What a visitor's wire says, from bytes to moments.

use std::sync::Arc;

use wire::tap::{Lens, Tap};

use crate::{
    line::{Ending, Listen},
    visitor::Visitor,
};

/// Hears one exchange and writes what it says into its visitor's transcript.
pub(crate) struct Ear {
    visitor: Arc<Visitor>,
    page: u32,
    tap: Tap,
}

impl Ear {
    /// An ear for the next exchange of one of the visitor's pages.
    pub(crate) fn new(visitor: Arc<Visitor>, page: u32) -> Self {
        // A live wire shows what a stream sends besides events; of the headers,
        // the one that the chapter is about. A cookie is nobody's business.
        let lens = Lens {
            request_headers: vec!["last-event-id".to_owned()],
            comments: true,
            retry: true,
            ids: true,
            pings: true,
            ..Lens::default()
        };
        Self { visitor, page, tap: Tap::new(None, lens) }
    }
}

impl Listen for Ear {
    fn to_server(&mut self, bytes: &[u8]) {
        let visitor = &self.visitor;
        visitor.write(
            self.page,
            self.tap.to_server(visitor.now(), bytes, &mut || visitor.next_exchange(self.page)),
        );
    }

    fn to_client(&mut self, bytes: &[u8]) -> bool {
        let is_watched = self.visitor.is_watched();
        if is_watched {
            self.visitor.write(self.page, self.tap.to_client(self.visitor.now(), bytes));
        }
        is_watched
    }

    fn ended(&mut self, how: Ending) {
        let now = self.visitor.now();
        self.visitor.write(
            self.page,
            match how {
                Ending::Cut => self.tap.cut(now),
                Ending::Client => self.tap.closed_by_client(now),
                Ending::Server => self.tap.closed_by_server(now),
            },
        );
    }
}
