//! What a page does, seen from outside: its words on the tape, and its failures.

use std::time::Duration;

use axum::Router;
use tokio::{task::LocalSet, time::sleep};
use wire::{What, transcript::Data};

use super::{Opening, Page, PageError, Sources};
use crate::{
    net::Net,
    serve,
    tape::{Pulse, Tape},
};

mod guards;
mod network;
mod platform;

/// A play for one page: the page, and the world around it.
struct Play {
    page: Page,
    net: Net,
    tape: Tape,
}

impl Play {
    /// What the page has said under this label, in its words.
    fn said(&self, label: &str) -> Vec<String> {
        let moments = self.tape.transcript().moments;
        let said = moments.into_iter().filter_map(|moment| match moment.what {
            What::Said(its, data) if its == label => Some(match data {
                Data::Json(text) | Data::Text(text) => text,
                Data::Bytes(length) => format!("{length} bytes"),
            }),
            _ => None,
        });
        said.collect()
    }

    /// Runs code of the bench's and gives time for what comes of it.
    async fn run(&self, code: &str) -> Result<(), PageError> {
        self.page.eval(code)?;
        sleep(Duration::from_secs(60)).await;
        self.page.failure().map_or(Ok(()), Err)
    }
}

/// Plays `act` in paused time, on a thread of one.
fn play<T, F: Future<Output = T>>(
    files: &[(&str, &str)],
    app: Router,
    act: impl FnOnce(Result<Page, PageError>, Net, Tape) -> F,
) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let tape = Tape::new(Pulse::default());
        let net = Net::new(tape.clone());
        let _server = serve::accept(net.listen(), Pulse::default(), app);
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let page = Page::open(Opening {
            lane: net.lane(None, 0),
            tape: tape.clone(),
            sources: &Sources::new(files),
            entry: "client.js",
            seed: 7,
            exports: &[],
        });
        act(page, net, tape).await
    })
}

/// What the page says under `said` while it runs `code`, against `app`.
fn say_with(app: Router, code: &str) -> Vec<String> {
    play(&[("client.js", "")], app, |page, net, tape| async move {
        let play = Play { page: page.unwrap(), net, tape };
        if let Err(error) = play.run(code).await {
            panic!("{error}\nconsole: {:?}", play.page.console());
        }
        play.said("said")
    })
}

/// What the page says under `said` while it runs `code`, with nobody to talk to.
fn say(code: &str) -> Vec<String> {
    say_with(Router::new(), code)
}

/// How a client fails whose `f` is called once.
fn failure_of(files: &[(&str, &str)]) -> PageError {
    play(files, Router::new(), |page, net, tape| async move {
        let page = match page {
            Ok(page) => page,
            Err(error) => return error,
        };
        let play = Play { page, net, tape };
        match play.run("client.f?.()").await {
            Err(error) => error,
            Ok(()) => panic!("the client did not fail; console: {:?}", play.page.console()),
        }
    })
}

/// The sentence for a client that is one file.
fn sentence(client: &str) -> String {
    failure_of(&[("client.js", client)]).to_string()
}
