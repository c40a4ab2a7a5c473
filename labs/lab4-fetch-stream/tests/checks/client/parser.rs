//! A parser is tried with many streams; of those that it reads wrongly the smallest is shown, with the likely cause.

use grader::{
    Bench, Failure, Page,
    wire::{What, transcript::Data},
};
use serde_json::{Value, json};

use super::case::{Case, Reading, Told, written};

/// A page with a bench for parsers in it: `tryAll(cases)` says which case is the first that is
/// read otherwise than expected, and how.
pub(super) fn laboratory(bench: &Bench) -> Result<Page, Failure> {
    bench.leave_out(|moment| matches!(&moment.what, What::Said(label, _) if label == "read"));
    let page = bench.page(&["EventStreamParser"])?;
    page.eval(
        "const bytes = (text) => Uint8Array.from(text, (byte) => byte.charCodeAt(0));
        globalThis.read = (stream, [cuts, given, beside]) => {
            const events = globalThis.events = [];
            const parser = new client.EventStreamParser(({ type, data, lastEventId }) =>
                events.push([type, data, lastEventId]));
            const other = beside ? new client.EventStreamParser(() => {}) : null;
            let from = 0, late = null;
            for (const [index, to] of [...cuts, stream.length].entries()) {
                other?.push(bytes(index === 0 ? 'event: other\\nid: other\\ndata: \\xc3' : '\\xa9\\ndata: \\xc3'));
                parser.push(bytes(stream.slice(from, to)));
                if (events.length < given[index]) late ??= index;
                from = to;
            }
            parser.end();
            return [events, Number.isNaN(parser.retry) ? 'NaN' : (parser.retry ?? null), late];
        };
        globalThis.tryAll = (streams) => {
            let index = 0;
            for (const [stream, events, retry, cases] of streams) {
                const expected = JSON.stringify([events, retry, null]);
                for (const asked of cases) {
                    let seen;
                    try {
                        seen = read(stream, asked);
                    } catch (error) {
                        if (String(error?.message).startsWith('TODO')) throw error;
                        const place = /client\\.js:[0-9]+/.exec(error?.stack)?.[0] ?? 'client.js';
                        seen = `throws ${error} (${place})`;
                    }
                    if (JSON.stringify(seen) !== expected) return [index, seen];
                    index += 1;
                }
            }
            return null;
        };",
    )?;
    Ok(page)
}

/// The first case that the student's parser reads otherwise than the standard, and what it gives.
fn first_wrong(bench: &Bench, page: &Page, cases: &[Case]) -> Result<Option<(usize, Value)>, Failure> {
    let streams: Vec<Value> = cases
        .chunk_by(|one, other| one.stream == other.stream)
        .map(|cases| {
            let Reading { events, retry } = Reading::of(&cases[0].stream);
            let stream: String = cases[0].stream.iter().map(|byte| char::from(*byte)).collect();
            let cases: Vec<Value> =
                cases.iter().map(|case| json!([case.cuts, case.given(), case.beside])).collect();
            json!([stream, events, retry, cases])
        })
        .collect();
    page.eval(&format!("say('read', tryAll({}))", Value::from(streams)))?;
    let Some(Data::Json(wrong)) = bench.said("read").pop() else { return Ok(None) };
    let wrong: Option<(usize, Value)> = serde_json::from_str(&wrong).ok();
    Ok(wrong)
}

/// All of these are read as the standard says. A failure that speaks for no other clause is of this one.
pub(super) fn try_all(
    bench: &Bench,
    page: &Page,
    clause: &'static str,
    cases: Vec<Case>,
) -> Result<(), Failure> {
    let Some((index, mut seen)) = first_wrong(bench, page, &cases)? else { return Ok(()) };
    let mut case = cases[index].clone();
    // The smallest stream that shows it says most.
    loop {
        let smaller = case.smaller();
        match first_wrong(bench, page, &smaller)? {
            Some((index, still)) => (case, seen) = (smaller[index].clone(), still),
            None => break,
        }
    }
    // Once more, and a look at what a task of the parser's own gives after that.
    first_wrong(bench, page, std::slice::from_ref(&case))?;
    page.eval("say('read', events)")?;
    let later = bench.said("read").pop();
    let Some(Data::Json(later)) = later else { return Err(complaint(&case, &seen, clause)) };
    let later: Vec<Told> = serde_json::from_str(&later).unwrap_or_default();
    let expected = Reading::of(&case.stream).events;
    if later == expected && seen.is_array() && seen[0] != json!(expected) {
        return Err(too_late(&case.should()));
    }
    Err(complaint(&case, &seen, clause))
}

fn complaint(case: &Case, seen: &Value, clause: &'static str) -> Failure {
    let expected = Reading::of(&case.stream);
    let should = case.should();
    let Ok((events, retry, late)) = serde_json::from_value::<(Vec<Told>, Value, Value)>(seen.clone()) else {
        return match seen.as_str() {
            Some(thrown) => {
                Failure::of(clause_of_cuts(case, clause), format!("{should}; your parser {thrown}."))
            }
            None => Failure::of(
                "4.calls",
                format!(
                    "{should}; your parser gives {seen}: `onEvent` takes one object with `type`, `data` and `lastEventId`, each of them a text."
                ),
            ),
        };
    };
    if events != expected.events {
        let (clause, why) =
            why(case, &expected.events, &events).unwrap_or((clause_of_cuts(case, clause), ""));
        return Failure::of(clause, format!("{should}; your parser gives {}.{why}", told(&events)));
    }
    if !late.is_null() {
        return too_late(&should);
    }
    let set = |retry: &Value| {
        if retry.is_null() { "no `retry`".to_owned() } else { format!("a `retry` of {retry}") }
    };
    Failure::of(
        clause_of_cuts(case, "4.retry"),
        format!(
            "The stream {} should set {}; your parser has {}. ASCII digits and nothing else make a reconnection time, and it counts from its line on.",
            case.named(),
            set(&json!(expected.retry)),
            set(&retry),
        ),
    )
}

impl Case {
    /// The stream, in words.
    fn named(&self) -> String {
        let mut named = self.written();
        if !self.cuts.is_empty() {
            named += " (each bar is where a chunk ends)";
        }
        if self.beside {
            named += ", read while another parser reads a stream of its own,";
        }
        named
    }

    /// What it should give, in words.
    fn should(&self) -> String {
        format!("The stream {} should give {}", self.named(), told(&Reading::of(&self.stream).events))
    }
}

fn too_late(should: &str) -> Failure {
    Failure::of(
        "4.calls",
        format!(
            "{should}, and gives it later than in the `push` that completes it: `onEvent` is called before `push` returns, not in `end` or in a later task."
        ),
    )
}

/// A smallest case that is still cut is read well in one chunk, and one that still has another parser beside it alone.
fn clause_of_cuts(case: &Case, otherwise: &'static str) -> &'static str {
    if case.beside {
        "4.apart"
    } else if case.cuts.is_empty() {
        otherwise
    } else {
        "4.cuts"
    }
}

/// Events, in words.
fn told(events: &[Told]) -> String {
    let told = events.iter().map(|(name, data, id)| {
        let id = if id.is_empty() {
            String::new()
        } else {
            format!(" with the last ID {}", written(id.as_bytes()))
        };
        let name = if name == "message" {
            "a `message`".to_owned()
        } else {
            format!("an event {}", written(name.as_bytes()))
        };
        format!("{name} {}{id}", written(data.as_bytes()))
    });
    match told.collect::<Vec<_>>() {
        none if none.is_empty() => "no event".to_owned(),
        many if many.len() > 9 => format!("{} events", many.len()),
        some => some.join(" and "),
    }
}

/// The likely cause, where there is one, and the clause that speaks of it.
fn why(case: &Case, expected: &[Told], seen: &[Told]) -> Option<(&'static str, &'static str)> {
    let stream = &case.stream;
    let any = |events: &[Told], what: fn(&Told) -> bool| events.iter().any(what);
    let is_cut_at = |before: u8, after: u8| {
        case.cuts.iter().any(|cut| *cut > 0 && stream[cut - 1] == before && stream.get(*cut) == Some(&after))
    };
    let is_cut_in_a_character =
        case.cuts.iter().any(|cut| stream.get(*cut).is_some_and(|byte| byte & 0xc0 == 0x80));
    let has_an_empty_chunk = case.chunks().any(<[u8]>::is_empty);
    let has = |text: &str| stream.windows(text.len()).any(|part| part == text.as_bytes());
    let ends_with_a_blank_line = Reading::of(&[&stream[..], b"\n\n"].concat()).events.len() == expected.len();
    let differs = |what: fn(&Told) -> &str| {
        expected.len() == seen.len() && expected.iter().zip(seen).any(|(a, b)| what(a) != what(b))
    };
    let is_like = |alike: fn(&Told, &Told) -> bool| {
        expected.len() == seen.len() && expected.iter().zip(seen).all(|(a, b)| alike(a, b))
    };
    let is_trimmed =
        is_like(|a, b| a.0.trim() == b.0.trim() && a.1.trim() == b.1.trim() && a.2.trim() == b.2.trim());
    let lines_of_others = ["\u{2028}", "\u{2029}", "\u{85}", "\u{b}", "\u{c}"];
    let found = if case.beside {
        (
            "4.apart",
            " Alone it is read well: what a parser remembers belongs to the parser, and not to the module.",
        )
    } else if is_cut_in_a_character && any(seen, |event| event.1.contains('\u{fffd}')) {
        (
            "4.cuts",
            " A character was cut in two: one `TextDecoder` for the whole stream, told with `{ stream: true }` that more will come.",
        )
    } else if is_cut_at(b'\r', b'\n') && has_an_empty_chunk {
        (
            "4.cuts",
            " A CRLF was cut in two with an empty chunk between: nothing is no LF, and the LF still comes.",
        )
    } else if is_cut_at(b'\r', b'\n') {
        ("4.cuts", " A CRLF was cut in two: an LF that follows a CR belongs to it, in the next chunk, too.")
    } else if !case.cuts.is_empty() {
        ("4.cuts", " In one chunk it is read well: what a chunk leaves unfinished belongs to the next.")
    } else if seen.len() > expected.len() && !ends_with_a_blank_line {
        ("4.unfinished", " What no blank line ends is discarded.")
    } else if lines_of_others.iter().any(|end| has(end)) {
        (
            "4.line-ends",
            " U+2028 and its like are letters of a value: a line ends with LF, CRLF or CR, and with nothing else.",
        )
    } else if std::str::from_utf8(stream).is_err() {
        ("4.utf8", " What is not UTF-8 becomes U+FFFD, and the stream goes on.")
    } else if has("\u{feff}") {
        ("4.bom", " One byte order mark at the very beginning is dropped, and no other.")
    } else if stream.contains(&b'\r') {
        ("4.line-ends", " A line ends with LF, with CRLF or with CR.")
    } else if seen.len() > expected.len() && any(seen, |event| event.1.is_empty()) {
        ("4.blocks", " A block without a `data` line is no event.")
    } else if is_like(|a, b| a.1.ends_with(&b.1) || a.1.starts_with(&b.1))
        && differs(|event| &event.1)
        && any(expected, |event| event.1.contains('\n'))
    {
        ("4.data", " All `data` lines of a block are its data, joined by LF.")
    } else if is_trimmed && expected != seen {
        ("4.blank", " Of the blanks behind the colon one is dropped, and no other.")
    } else if differs(|event| &event.2) {
        (
            "4.id",
            " An ID stays until another takes its place; an empty one does, one with a U+0000 in it does not.",
        )
    } else if differs(|event| &event.0) {
        ("4.type", " A type is for one event; without one, or with an empty one, it is a `message`.")
    } else if differs(|event| &event.1) && any(expected, |event| event.1.contains(':')) {
        ("4.fields", " The first colon ends the name; those behind it are part of the value.")
    } else {
        return of_a_line(stream);
    };
    Some(found)
}

/// What is unusual about a line of this stream, and the clause that speaks of it.
fn of_a_line(stream: &[u8]) -> Option<(&'static str, &'static str)> {
    let lines = stream.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
    lines.into_iter().find_map(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if name.is_empty() {
            Some(("4.comments", " A line that begins with a colon is a comment."))
        } else if ![&b"data"[..], b"event", b"id", b"retry"].contains(&name) {
            Some(("4.names", " Any name but `data`, `event`, `id` and `retry` is ignored, to the letter."))
        } else if !line.contains(&b':') {
            Some(("4.fields", " Without a colon the whole line is the name, and the value is empty."))
        } else {
            None
        }
    })
}
