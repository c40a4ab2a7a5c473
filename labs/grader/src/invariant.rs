//! What must hold in every play of a sweep, whatever disturbed it.

use wire::{Moment, Place, What, transcript::Data};

use crate::{Bench, Disturbance, Failure};

/// After an abort there is silence: the client asks for nothing, says nothing and tells nothing. Other disturbances
/// leave it free to.
///
/// # Errors
/// The first thing that it did all the same, as a failure of this clause.
pub fn silent_after_abort(bench: &Bench, clause: &'static str) -> Result<(), Failure> {
    let Some((what, at)) = bench.disturbance() else { return Ok(()) };
    if !matches!(what, Disturbance::Abort | Disturbance::AbortInside) {
        return Ok(());
    }
    let after = bench.since_disturbed();
    let Some(moment) = after.iter().find(|moment| is_of_the_client(moment)) else { return Ok(()) };
    let later = match moment.when {
        wire::When::At(ms) | wire::When::Within(_, ms) => ms.saturating_sub(at.0),
    };
    let did = match &moment.what {
        What::Request { method, target, .. } => format!("it asked for {method} {target}"),
        What::Said(label, data) => format!("`{label}` was called with {}", bare(data)),
        _ => "it sent another message".to_owned(),
    };
    let when = if later == 0 { "in the same moment".to_owned() } else { format!("{later} ms later") };
    Err(Failure::of(clause, format!("After the abort the client must be silent; {when} {did}.")))
}

/// A request, a message or a call of the page. What is in transit when the signal is aborted may still arrive, and a
/// WebSocket is closed with a frame.
fn is_of_the_client(moment: &Moment) -> bool {
    match moment.what {
        What::Request { .. } | What::Said(..) => true,
        What::Message(_) => moment.place == Place::ToServer,
        _ => false,
    }
}

/// Never two at once: an exchange that `which` finds begins only when the one before it has ended.
///
/// # Errors
/// The second of two that overlap, as a failure of this clause.
pub fn one_at_a_time(
    bench: &Bench,
    clause: &'static str,
    which: impl Fn(&Moment) -> bool,
) -> Result<(), Failure> {
    struct Span {
        exchange: u32,
        asked: String,
        from: u64,
        until: Option<u64>,
    }
    let mut spans: Vec<Span> = Vec::new();
    for (at, moment) in bench.recording() {
        let Some(exchange) = moment.exchange else { continue };
        match &moment.what {
            What::Request { method, target, .. } if which(&moment) => {
                spans.push(Span { exchange, asked: format!("{method} {target}"), from: at, until: None });
            }
            What::End
            | What::Abort
            | What::Cut
            | What::Body(_)
            | What::Close(..)
            | What::Response { status: 204 | 304, .. } => {
                let span = spans.iter_mut().find(|span| span.exchange == exchange);
                span.into_iter().for_each(|span| span.until = Some(at));
            }
            _ => {}
        }
    }
    for (index, later) in spans.iter().enumerate() {
        // One that ends at the very millisecond has ended before: a client that closes and opens does both at once.
        let open = spans[..index].iter().find(|earlier| earlier.until.is_none_or(|until| until > later.from));
        if let Some(earlier) = open {
            return Err(Failure::of(
                clause,
                format!(
                    "#{} {} was sent while #{} {} was still open: there are two at once.",
                    later.exchange, later.asked, earlier.exchange, earlier.asked
                ),
            ));
        }
    }
    Ok(())
}

/// What the client called `label` with is `expected`: each once, in order. With `may_lack`, the end may be missing: what
/// an abort has cut off.
///
/// # Errors
/// What is missing, comes twice, or is out of order, as a failure of this clause.
pub fn shown(
    bench: &Bench,
    label: &str,
    expected: &[Data],
    may_lack: bool,
    clause: &'static str,
) -> Result<(), Failure> {
    let shown = bench.said(label);
    let wrong = shown.iter().zip(expected).position(|(is, should)| is != should);
    let words = match wrong {
        Some(index) if shown[..index].contains(&shown[index]) => {
            format!("`{label}` was called with {} a second time.", bare(&shown[index]))
        }
        Some(index) => format!(
            "`{label}` was called with {} where {} comes next.",
            bare(&shown[index]),
            bare(&expected[index])
        ),
        None if shown.len() > expected.len() => {
            format!("`{label}` was called once more than it should, with {}.", bare(&shown[expected.len()]))
        }
        None if shown.len() < expected.len() && !may_lack => {
            format!("`{label}` was never called with {}.", bare(&expected[shown.len()]))
        }
        None => return Ok(()),
    };
    Err(Failure::of(clause, words))
}

/// A value as it reads within a sentence.
pub fn bare(data: &Data) -> String {
    let shorten = |text: &str| {
        if text.chars().count() > 60 {
            text.chars().take(59).chain(['…']).collect()
        } else {
            text.to_owned()
        }
    };
    match data {
        Data::Text(text) => format!("`{}`", shorten(text)),
        Data::Json(json) => shorten(json),
        Data::Bytes(length) => format!("{length} bytes"),
    }
}
