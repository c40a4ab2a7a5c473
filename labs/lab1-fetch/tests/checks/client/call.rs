//! One call of `getJson`, and what became of it.

use std::time::Duration;

use grader::{
    Asked, Bench, Failure, Mark, Page, Script,
    wire::{Moment, What, transcript::Data},
};

use super::{PRICES, expect_request, is_request, shown};

/// A call, and what had happened before it.
pub(super) struct Call {
    bench: Bench,
    /// So many promises had been settled before.
    settled: usize,
    /// So many requests had been made before.
    requests: usize,
    /// When it began.
    pub(super) begun: Mark,
}

/// How the promise of a call was settled.
pub(super) struct Settled {
    pub(super) is_resolved: bool,
    /// The data, or what is told of the error.
    pub(super) data: Data,
    /// The error with its words and its place.
    pub(super) error: String,
    /// The error's message.
    pub(super) message: String,
}

impl Call {
    /// Calls `getJson` as this code says.
    pub(super) fn new(bench: &Bench, page: &Page, code: &str) -> Result<Self, Failure> {
        let moments = bench.moments();
        let call = Self {
            bench: bench.clone(),
            settled: moments.iter().filter(|moment| is_result(moment)).count(),
            requests: moments.iter().filter(|moment| is_request(moment)).count(),
            begun: bench.now(),
        };
        page.eval(code)?;
        Ok(call)
    }

    /// The request that it makes: `GET /prices`.
    pub(super) async fn request(&self, server: &mut Script) -> Result<Asked, Failure> {
        let asked = self.any_request(server).await?;
        expect_request(&asked, "4.one-request", PRICES)?;
        Ok(asked)
    }

    /// The request that it makes.
    pub(super) async fn any_request(&self, server: &mut Script) -> Result<Asked, Failure> {
        server.request_within(Duration::from_secs(5), "").await.map_err(|_| {
            let how = match self.settled() {
                Some(Settled { is_resolved: true, data, .. }) => {
                    format!("it resolved to {} without asking", shown(&data))
                }
                Some(Settled { error, .. }) => format!("it rejected with {error}"),
                None => "it neither asked nor failed".to_owned(),
            };
            Failure::of("4.one-request", format!("`getJson` made no request: {how}."))
        })
    }

    /// How it was settled, if it was.
    pub(super) fn settled(&self) -> Option<Settled> {
        let moments = self.bench.moments();
        let results: Vec<usize> =
            moments.iter().enumerate().filter(|(_, moment)| is_result(moment)).map(|(at, _)| at).collect();
        let at = *results.get(self.settled)?;
        let from = self.settled.checked_sub(1).map_or(0, |before| results[before]);
        let said = |wanted: &str| {
            moments[from..at].iter().rev().find_map(|moment| match &moment.what {
                What::Said(label, data) if label == wanted => Some(shown(data)),
                _ => None,
            })
        };
        let What::Said(label, data) = &moments[at].what else { return None };
        Some(Settled {
            is_resolved: label == "resolved",
            data: data.clone(),
            error: said("error").unwrap_or_else(|| shown(data)),
            message: said("message").unwrap_or_default(),
        })
    }

    /// How it was settled, and that it has asked once. Without a settlement `clause` is broken; `because` says what has
    /// happened, and `hint` what may be the reason.
    pub(super) fn expect_settled(
        &self,
        clause: &'static str,
        because: &str,
        hint: &str,
    ) -> Result<Settled, Failure> {
        self.expect_one_request()?;
        self.settled().ok_or_else(|| {
            let hint = if hint.is_empty() { String::new() } else { format!(" {hint}") };
            Failure::of(
                clause,
                format!("{because}, and the promise of `getJson` is neither resolved nor rejected.{hint}"),
            )
        })
    }

    /// That it has asked at most once.
    pub(super) fn expect_one_request(&self) -> Result<(), Failure> {
        let moments = self.bench.moments();
        let mut mine = moments.iter().filter(|moment| is_request(moment)).skip(self.requests);
        match (mine.next(), mine.next()) {
            (Some(first), Some(second)) => {
                let (first, second) = (self.bench.clock(first), self.bench.clock(second));
                Err(Failure::of(
                    "4.one-request",
                    format!(
                        "`getJson` was called once and asked a second time, {} ms after the first: it makes one request, and says what came of that. Whether to ask again is for its caller to decide.",
                        second.since(first)
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Settled {
    /// `resolves to …` or `rejects with …`, with the error's own words.
    pub(super) fn how(&self) -> String {
        if self.is_resolved {
            format!("resolves to {}", shown(&self.data))
        } else {
            format!("rejects with {}", self.error)
        }
    }

    /// Whether it is the answer with this body.
    pub(super) fn expect_data(&self, status: u16, body: &str) -> Result<(), Failure> {
        if self.is_resolved && self.data == Data::of_text(body) {
            return Ok(());
        }
        Err(Failure::of(
            "4.data",
            format!("The answer is {status} with the JSON {body}, and `getJson` {}.", self.how()),
        ))
    }
}

/// What is told of a promise of `getJson` that was settled.
pub(super) fn is_result(moment: &Moment) -> bool {
    matches!(&moment.what, What::Said(label, _) if label == "resolved" || label == "rejected")
}
