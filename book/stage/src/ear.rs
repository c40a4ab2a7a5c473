//! What a visitor's wire says, from bytes to moments.

use std::sync::Arc;

use wire::{
    Moment, What,
    tap::{Lens, Tap},
};

use crate::{
    line::{Ending, Listen},
    visitor::Visitor,
};

/// Hears one exchange and writes what it says into its visitor's transcript.
pub(crate) struct Ear {
    visitor: Arc<Visitor>,
    page: u32,
    /// What stands before the lab's own path in a request's.
    mount: String,
    tap: Tap,
}

impl Ear {
    /// An ear for the next exchange of one of the visitor's pages: with a lab that
    /// is mounted at `mount`, whose chapter is about these headers.
    pub(crate) fn new(
        visitor: Arc<Visitor>,
        page: u32,
        mount: String,
        request_headers: &[&str],
        response_headers: &[&str],
    ) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        // A live wire shows what a stream sends besides events; of the headers,
        // those that the chapter is about. A cookie is nobody's business.
        let lens = Lens {
            request_headers: owned(request_headers),
            response_headers: owned(response_headers),
            comments: true,
            retry: true,
            ids: true,
            pings: true,
            ..Lens::default()
        };
        Self { visitor, page, mount, tap: Tap::new(None, lens) }
    }

    /// As the chapter writes it: paths count from the lab's own root.
    fn at_home(&self, mut moment: Moment) -> Moment {
        if let What::Request { target, .. } = &mut moment.what
            && let Some(inner) = target.strip_prefix(&self.mount)
        {
            *target = inner.to_owned();
        }
        moment
    }
}

impl Listen for Ear {
    fn to_server(&mut self, bytes: &[u8]) {
        let visitor = Arc::clone(&self.visitor);
        let told = self.tap.to_server(visitor.now(), bytes, &mut || visitor.next_exchange(self.page));
        let told = told.into_iter().map(|moment| self.at_home(moment)).collect();
        visitor.write(self.page, told);
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
