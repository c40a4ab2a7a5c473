//! What the plays hand out: names of logs, orders, positions. Plain with the first seed, awkward with the others.

use std::{cell::Cell, rc::Rc};

use grader::{
    Bench, Mark,
    awkward::{NAMES, TEXTS},
    wire::{Moment, What, When, transcript::Data},
};
use serde_json::{Value, json};

/// The name of a log, which nobody can know beforehand.
pub(crate) fn log_name(bench: &Bench) -> String {
    let day = ["monday", "tuesday", "wednesday", "thursday", "friday"][bench.draw(5) as usize];
    let plain = format!("{day}-{}", 1 + bench.draw(9));
    if bench.is_plain() { plain } else { format!("{} {plain}", bench.pick(&NAMES)) }
}

/// An order that is filled.
pub(crate) fn order(bench: &Bench) -> Value {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    let price = 5_000 + 25 * bench.draw(100);
    let plain = json!({ "symbol": symbol, "price": price });
    if bench.is_plain() {
        return plain;
    }
    match bench.draw(5) {
        0 => json!({ "symbol": bench.pick(&TEXTS), "price": price }),
        // The same once more: an update is told by its number.
        1 => json!({ "symbol": "BBCA", "price": 7_200 }),
        2 => json!({ "symbol": symbol, "price": 0, "note": null, "of": { "seq": 1, "data": [] } }),
        3 => json!({ "symbol": "", "price": -25 }),
        _ => plain,
    }
}

/// A text as a value in a query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Looks at everything that was told so far. Nothing is copied: a play may have very many moments.
pub(crate) fn look(bench: &Bench, mut see: impl FnMut(&Moment)) {
    bench.retell_all(|moment| see(moment));
}

/// The last such moment.
pub(crate) fn last(bench: &Bench, which: impl Fn(&Moment) -> bool) -> Option<Moment> {
    let (mut at, mut count) = (None, 0);
    look(bench, |moment| {
        if which(moment) {
            at = Some(count);
        }
        count += 1;
    });
    let mut found = None;
    count = 0;
    look(bench, |moment| {
        if at == Some(count) {
            found = Some(moment.clone());
        }
        count += 1;
    });
    found
}

/// When it was.
pub(crate) fn last_at(bench: &Bench, which: impl Fn(&Moment) -> bool) -> Option<Mark> {
    last(bench, which).map(|moment| bench.clock(&moment))
}

/// What the page has said under this label so far.
pub(crate) fn said(bench: &Bench, label: &str) -> Vec<Data> {
    let mut said = Vec::new();
    look(bench, |moment| {
        if let What::Said(spoken, data) = &moment.what
            && spoken == label
        {
            said.push(data.clone());
        }
    });
    said
}

/// A play of many rounds. Of those that went well nothing is told; where one goes wrong, the picture begins with it.
pub(crate) struct Rounds {
    bench: Bench,
    /// How many moments are left out.
    over: Rc<Cell<usize>>,
}

impl Rounds {
    pub(crate) fn new(bench: &Bench) -> Self {
        let over = Rc::new(Cell::new(0));
        let (untold, mut seen) = (over.clone(), 0);
        bench.leave_out(move |_| {
            seen += 1;
            seen <= untold.get()
        });
        Self { bench: bench.clone(), over }
    }

    /// A round begins: those before it went well.
    pub(crate) fn begin(&self) {
        let mut count = 0;
        look(&self.bench, |_| count += 1);
        self.over.set(count);
    }

    /// All went well: that is all there is to tell.
    pub(crate) fn end(self, words: &str) {
        self.begin();
        self.bench.note(words);
        self.bench.retell(|moment| matches!(moment.what, What::Note(_)), |moment| moment.when = When::At(0));
    }
}
