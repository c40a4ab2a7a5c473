//! TODO 4 to 7: the client, in a page of its own, before a server that does what the check says.

use std::{fmt::Write, time::Duration};

use grader::{
    Asked, Bench, Check, Failure, Page, SEEDS, Script, scene,
    wire::{
        Moment, Place, What,
        sse::{Item, Parser},
        transcript::Data,
    },
};
use serde_json::{Value, json};

const FILE: &str = "web/client.js";

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_reads_the_format_to_the_letter",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "let `push` begin with `console.log(JSON.stringify(new TextDecoder().decode(bytes)))`: it shows where the network has cut.",
    scenes: &[
        scene!(
            todo_4_rule_by_rule,
            "Small streams, rule by rule, each of them whole, cut at every byte, and byte by byte."
        ),
        scene!(todo_4_any_stream, "Streams that nobody has written, cut anywhere."),
        scene!(todo_4_from_the_line, "A stream arrives in seven chunks, cut where it hurts."),
    ],
};

pub(crate) const TODO_5: Check = Check {
    name: "todo_5_asks_and_hands_on_each_token",
    todo: Some(5),
    file: FILE,
    section: "todo-5",
    experiment: "cargo run -p lab4-solution, open its page, and look at the request in the browser's network panel.",
    scenes: &[scene!(todo_5_asks, "The page asks. Tokens arrive alone, in pairs and in pieces.")],
};

pub(crate) const TODO_6: Check = Check {
    name: "todo_6_tells_an_end_from_a_break",
    todo: Some(6),
    file: FILE,
    section: "todo-6",
    experiment: "cargo run -p lab4, ask in its page, and stop the server with Ctrl-C in the middle of the answer.",
    scenes: &[
        scene!(todo_6_finished, "An answer comes to its end. So does another, and then its line breaks."),
        scene!(
            todo_6_truncated,
            "Three answers break off: the stream ends, the line is cut, the last event is unfinished."
        ),
        scene!(todo_6_failed, "The model fails in the middle of an answer."),
        scene!(todo_6_no_answer, "There is no answer: another status, another type, no connection."),
    ],
};

pub(crate) const TODO_7: Check = Check {
    name: "todo_7_stops_when_told",
    todo: Some(7),
    file: FILE,
    section: "todo-7",
    experiment: "cargo run -p lab4-solution, ask it to follow the market, press Stop, and watch the bill.",
    scenes: &[
        scene!(
            todo_7_in_the_answer,
            "The user has read three tokens and presses Stop. The server does not know yet."
        ),
        scene!(todo_7_in_a_chunk, "Four tokens and the end come in one chunk; the page stops at the second."),
        scene!(todo_7_before_the_answer, "The server thinks. The user does not wait."),
        scene!(todo_7_never_begins, "The signal was aborted before the client is called."),
        scene!(todo_7_after_the_end, "The answer is complete. Then Stop is pressed."),
    ],
};

// ---- TODO 4

async fn todo_4_from_the_line(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = bench.page(&["EventStreamParser"])?;
    page.eval(
        "globalThis.parser = new client.EventStreamParser(({ type, data, lastEventId }) =>
            say('event', { type, data, lastEventId }));
        fetch('/stream').then(async (response) => {
            const reader = response.body.getReader();
            for (;;) {
                const { done, value } = await reader.read();
                if (done) break;
                parser.push(value);
            }
            parser.end();
        });",
    )?;
    let mut stream = server.request("The bench's own page asks for nothing").await?.stream();
    let price = 6_000 + 25 * bench.draw(40);
    let chunks = [
        "\u{feff}: the market is open\nid: 7\ndata: caf\u{e9}".as_bytes(),
        b" BMRI ",
        format!("{price}\r").as_bytes(),
        b"\n\r\nevent: note\r\nda",
        b"ta: {}\n\ndata: one\ndata:  two\n\ndata: three\n\n",
        b"retry: 2500\nid\ndata\n\n",
        b"data: never ended\n",
    ]
    .concat();
    // In the middle of the é, of a CRLF, of a name; between two blocks nothing is cut.
    let find =
        |needle: &[u8]| chunks.windows(needle.len()).position(|part| part == needle).unwrap_or_default();
    let cuts = [
        find("\u{e9}".as_bytes()) + 1,
        find(b"\r") - 2,
        find(b"\n\r\nevent"),
        find(b"ta: {}"),
        find(b"retry"),
        find(b"data: never"),
        chunks.len(),
    ];
    let mut expected = Parser::new();
    let mut events = Vec::new();
    let mut from = 0;
    for to in cuts {
        bench.wait_ms(100).await;
        stream.send(chunks[from..to].to_vec());
        events.extend(expected.push(&chunks[from..to]).into_iter().filter_map(event));
        from = to;
    }
    bench.wait_ms(100).await;
    stream.end();
    bench.wait_ms(100).await;
    let told = bench.said("event");
    for (number, event) in (1..).zip(&events) {
        let as_json = json!({ "type": event.0, "data": event.1, "lastEventId": event.2 });
        match told.get(number - 1) {
            Some(told) if *told == Data::of_text(&as_json.to_string()) => {}
            Some(Data::Json(told) | Data::Text(told)) => {
                return Err(Failure::broken(format!(
                    "Event {number} of this stream is {as_json}; the parser gives {told}."
                )));
            }
            Some(Data::Bytes(_)) | None => {
                return Err(Failure::broken(format!(
                    "Event {number} of this stream is {as_json}; the parser gives {} in all.",
                    told.len()
                )));
            }
        }
    }
    if told.len() > events.len() {
        return Err(Failure::broken(
            "There is an event too many. The last block of this stream has no blank line behind it: it is discarded.",
        ));
    }
    page.eval("say('retry', parser.retry)")?;
    Ok(())
}

async fn todo_4_rule_by_rule(bench: Bench) -> Result<(), Failure> {
    // Nothing is drawn here: once is enough.
    if bench.seed() != SEEDS[0] {
        return Ok(());
    }
    let page = laboratory(&bench)?;
    for (rule, streams) in RULES {
        for stream in *streams {
            let stream = stream.as_bytes().to_vec();
            let whole = Case { cuts: Vec::new(), stream: stream.clone() };
            let in_two = (1..stream.len()).map(|at| Case { cuts: vec![at], stream: stream.clone() });
            let in_bytes = Case { cuts: (1..stream.len()).collect(), stream: stream.clone() };
            try_all(&bench, &page, [whole].into_iter().chain(in_two).chain([in_bytes]).collect())?;
        }
        bench.note(rule);
        bench.wait_ms(1).await;
    }
    let stray = Case { stream: b"data: a\xffb\xe2\x82\n\n".to_vec(), cuts: vec![7, 10] };
    try_all(&bench, &page, vec![Case { cuts: Vec::new(), ..stray.clone() }, stray])?;
    bench.note("bytes that are no UTF-8 become U+FFFD");
    Ok(())
}

async fn todo_4_any_stream(bench: Bench) -> Result<(), Failure> {
    let page = laboratory(&bench)?;
    for _ in 0..8 {
        let cases = (0..16).map(|_| Case::drawn(&bench)).filter(Case::is_settled).collect();
        try_all(&bench, &page, cases)?;
        bench.wait_ms(1).await;
    }
    bench.note("all of them were read as the standard says");
    Ok(())
}

/// What the format says, and streams that show it, the shortest first.
const RULES: &[(&str, &[&str])] = &[
    (
        "a chunk is no event, and an event no chunk",
        &["data: a\n\n", "data: a\n\ndata: b\n\n", "data: a\ndata: b\n\n", "\n\n\ndata: a\n\n\n"],
    ),
    (
        "a line ends with LF, CRLF or CR",
        &[
            "data: a\r\r",
            "data: a\r\n\r\n",
            "data: a\n\r",
            "data: a\rdata: b\r\n\n",
            "data: a\r\ndata: b\r\n\r\n",
            "data: a\r\n\ndata: b\n\r\n",
            "data: a\r\rdata: b\r\r",
        ],
    ),
    ("a character may be cut in two", &["data: \u{e9}\n\n", "data: caf\u{e9} \u{25b2} 25 \u{1d11e}\n\n"]),
    (
        "behind the colon one blank goes, and no more",
        &[
            "data:a\n\n",
            "data:  a\n\n",
            "data: a \n\n",
            "data:\ta\n\n",
            "data:   \n\n",
            "data: a:b: c\n\n",
            "event:  b\ndata: a\n\n",
        ],
    ),
    (
        "one byte order mark, at the very beginning, is none of the text",
        &[
            "\u{feff}data: a\n\n",
            "\u{feff}\u{feff}data: a\n\n",
            "data: \u{feff}a\n\n",
            "data: a\n\n\u{feff}data: b\n\n",
            "\u{feff}data: a\n\ndata: \u{feff}b\n\n",
        ],
    ),
    (
        "other names are ignored, comments are silent",
        &[
            ": a\n\n",
            ":data: a\n\n",
            " data: a\n\n",
            "data : a\n\n",
            "Data: a\n\n",
            "date: a\n\n",
            "note: b\ndata: a\nnote\n\n",
            ": b\ndata: a\n:\n\n",
        ],
    ),
    ("a field without a colon is empty", &["data\n\n", "data:\n\n", "data\ndata\n\n", "data: a\ndata\n\n"]),
    (
        "a type is for one event",
        &[
            "event: b\ndata: a\n\n",
            "event: b\n\ndata: a\n\n",
            "event\ndata: a\n\n",
            "event: b\nevent: c\ndata: a\n\n",
            "event: b\nevent\ndata: a\n\n",
            "event: b\ndata: a\n\ndata: c\n\n",
        ],
    ),
    (
        "an ID stays until there is another",
        &[
            "id: 1\ndata: a\n\n",
            "data: a\nid: 1\n\n",
            "id: 1\n\ndata: a\n\n",
            "id: 1\ndata: a\n\ndata: b\n\n",
            "id: 1\ndata: a\n\nid\ndata: b\n\n",
            "id: 1\ndata: a\n\nid:\n\ndata: b\n\n",
            "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
        ],
    ),
    (
        "a reconnection time is made of digits",
        &[
            "retry: 2500\n\n",
            "retry: 007\n\n",
            "retry: 2500\n",
            "retry:2500\nretry\n\n",
            "retry: 2500\nretry: 12x\n\n",
            "retry: 2500\nretry:  12\n\n",
            "retry: -1\n\n",
            "retry: 1.5\n\n",
            "retry: 1e3\n\n",
            "retry: 0x10\n\n",
        ],
    ),
    (
        "what no blank line ends is no event",
        &["data: a\n", "data: a", "data: a\r", "data: a\n\ndata: b", "data: a\n\nevent: b\ndata: c\n"],
    ),
];

/// An event: its type, its data, its last event ID.
type Told = (String, String, String);

fn event(item: Item) -> Option<Told> {
    match item {
        Item::Event(event) => Some((event.event_type, event.data, event.last_event_id)),
        _ => None,
    }
}

/// What a stream says: its events, and the reconnection time that it sets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    events: Vec<Told>,
    retry: Option<u64>,
}

impl Reading {
    /// By the letter of the standard.
    fn of(stream: &[u8]) -> Self {
        let mut parser = Parser::new();
        let events = parser.push(stream).into_iter().filter_map(event).collect();
        Self { events, retry: parser.reconnection_time() }
    }
}

/// A stream, and where it is cut: each number is where a chunk begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Case {
    stream: Vec<u8>,
    cuts: Vec<usize>,
}

impl Case {
    /// A stream that nobody can know beforehand.
    fn drawn(bench: &Bench) -> Self {
        let one_of = |choices: &[&str]| choices[bench.draw(choices.len() as u64) as usize].to_owned();
        let mut stream = one_of(&["", "", "", "\u{feff}", "\u{feff}\u{feff}"]);
        let end = |own: &str| if bench.draw(4) == 0 { one_of(&["\n", "\r\n", "\r"]) } else { own.to_owned() };
        let own = one_of(&["\n", "\n", "\r\n", "\r"]);
        for _ in 0..=bench.draw(3) {
            for _ in 0..=bench.draw(3) {
                stream +=
                    &one_of(&["data", "data", "data", "event", "id", "retry", "", "date", "\u{feff}data"]);
                stream += &one_of(&[": ", ": ", ": ", ":", ":  ", ""]);
                stream += &one_of(&[
                    "a",
                    "b ",
                    "caf\u{e9}",
                    "\u{25b2}",
                    "\u{1d11e}",
                    "25",
                    "1x",
                    "\0",
                    ":",
                    "",
                    "\u{feff}",
                ]);
                stream += &end(&own);
            }
            // Most blocks end; some go on.
            if bench.draw(5) > 0 {
                stream += &end(&own);
            }
        }
        if bench.draw(4) == 0 {
            stream += "data: c";
        }
        let stream = stream.into_bytes();
        let mut cuts: Vec<usize> = match bench.draw(4) {
            0 => (1..stream.len()).collect(),
            cuts => (0..2 * cuts).map(|_| bench.draw(stream.len() as u64) as usize).collect(),
        };
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut > 0);
        Self { stream, cuts }
    }

    /// The standard leaves no doubt about it: its last line has an end, or sets no reconnection time.
    fn is_settled(&self) -> bool {
        let with_end = [self.stream.as_slice(), b"\n"].concat();
        Reading::of(&self.stream).retry == Reading::of(&with_end).retry
    }

    /// Everything that is a little smaller: some lines less, or a cut less. Lines stay whole, so that they can be read.
    fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let is_border = |at: usize| match (self.stream[at - 1], self.stream.get(at)) {
            (b'\r', Some(b'\n')) => false,
            (b'\r' | b'\n', _) | (_, None) => true,
            _ => false,
        };
        let borders: Vec<usize> =
            [0].into_iter().chain((1..=self.stream.len()).filter(|at| is_border(*at))).collect();
        let mut length = borders.len() / 2;
        while length > 0 {
            for window in borders.windows(length + 1) {
                let (from, to) = (window[0], window[length]);
                let stream = [&self.stream[..from], &self.stream[to..]].concat();
                let moved =
                    self.cuts.iter().map(|cut| if *cut >= to { cut - (to - from) } else { (*cut).min(from) });
                let mut cuts: Vec<usize> = moved.filter(|cut| *cut > 0 && *cut < stream.len()).collect();
                cuts.dedup();
                smaller.push(Self { stream, cuts });
            }
            length /= 2;
        }
        if !self.cuts.is_empty() {
            smaller.push(Self { cuts: Vec::new(), ..self.clone() });
        }
        for left_out in 0..self.cuts.len() {
            let mut cuts = self.cuts.clone();
            cuts.remove(left_out);
            smaller.push(Self { cuts, ..self.clone() });
        }
        smaller.retain(Self::is_settled);
        smaller
    }

    /// As a string is written in a program, chunk by chunk.
    fn written(&self) -> String {
        let mut from = 0;
        let chunks = self.cuts.iter().copied().chain([self.stream.len()]).map(|to| {
            let chunk = written(&self.stream[from..to]);
            from = to;
            chunk
        });
        chunks.collect::<Vec<_>>().join(" | ")
    }
}

/// Bytes as a string in a program, with everything escaped that cannot be seen.
fn written(bytes: &[u8]) -> String {
    let mut written = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                // In a message two blanks look like one.
                ' ' if written.ends_with([' ', '"']) => written.push_str("\\x20"),
                '\0' => written.push_str("\\0"),
                '\u{feff}' => written.push_str("\\uFEFF"),
                letter => written.extend(letter.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(written, "\\x{byte:02X}");
        }
    }
    written + "\""
}

/// A page with a bench for parsers in it: `tryAll(cases)` says which case is the first that is
/// read otherwise than expected, and how.
fn laboratory(bench: &Bench) -> Result<Page, Failure> {
    bench.leave_out(|moment| matches!(&moment.what, What::Said(label, _) if label == "read"));
    let page = bench.page(&["EventStreamParser"])?;
    page.eval(
        "globalThis.read = ({ stream, cuts }) => {
            const events = [];
            const parser = new client.EventStreamParser(({ type, data, lastEventId }) =>
                events.push([type, data, lastEventId]));
            let from = 0;
            for (const to of [...cuts, stream.length]) {
                parser.push(Uint8Array.from(stream.slice(from, to)));
                from = to;
            }
            parser.end();
            return [events, parser.retry ?? null];
        };
        globalThis.tryAll = (cases) => {
            for (const [index, [asked, expected]] of cases.entries()) {
                let seen;
                try {
                    seen = read(asked);
                } catch (error) {
                    if (String(error?.message).startsWith('TODO')) throw error;
                    const place = /client\\.js:[0-9]+/.exec(error?.stack)?.[0] ?? 'client.js';
                    seen = `throws ${error} (${place})`;
                }
                if (JSON.stringify(seen) !== JSON.stringify(expected)) return [index, seen];
            }
            return null;
        };",
    )?;
    Ok(page)
}

/// The first case that the student's parser reads otherwise than the standard, and what it gives.
fn first_wrong(bench: &Bench, page: &Page, cases: &[Case]) -> Result<Option<(usize, Value)>, Failure> {
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| {
            let Reading { events, retry } = Reading::of(&case.stream);
            json!([{ "stream": case.stream, "cuts": case.cuts }, [events, retry]])
        })
        .collect();
    page.eval(&format!("say('read', tryAll({}))", Value::from(cases)))?;
    let Some(Data::Json(wrong)) = bench.said("read").pop() else { return Ok(None) };
    let wrong: Option<(usize, Value)> = serde_json::from_str(&wrong).ok();
    Ok(wrong)
}

/// All of these are read as the standard says.
fn try_all(bench: &Bench, page: &Page, cases: Vec<Case>) -> Result<(), Failure> {
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
    Err(complaint(&case, &seen))
}

fn complaint(case: &Case, seen: &Value) -> Failure {
    let expected = Reading::of(&case.stream);
    let borders = if case.cuts.is_empty() { "" } else { " (each bar is where a chunk ends)" };
    let Ok((events, retry)) = serde_json::from_value::<(Vec<Told>, Value)>(seen.clone()) else {
        return Failure::broken(format!(
            "The stream {}{borders} should give {}; your parser {}.",
            case.written(),
            told(&expected.events),
            seen.as_str().unwrap_or("gives something that is no event"),
        ));
    };
    if events == expected.events {
        let set = |retry: &Value| {
            if retry.is_null() { "no `retry`".to_owned() } else { format!("a `retry` of {retry}") }
        };
        return Failure::broken(format!(
            "The stream {}{borders} should set {}; your parser has {}. Digits and nothing else make a reconnection time, and it counts from its line on.",
            case.written(),
            set(&json!(expected.retry)),
            set(&retry),
        ));
    }
    Failure::broken(format!(
        "The stream {}{borders} should give {}; your parser gives {}.{}",
        case.written(),
        told(&expected.events),
        told(&events),
        why(case, &expected.events, &events),
    ))
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
        some => some.join(" and "),
    }
}

/// The likely cause, where there is one.
fn why(case: &Case, expected: &[Told], seen: &[Told]) -> &'static str {
    let any = |events: &[Told], what: fn(&Told) -> bool| events.iter().any(what);
    let is_cut_at = |before: u8, after: u8| {
        case.cuts.iter().any(|cut| case.stream[cut - 1] == before && case.stream[*cut] == after)
    };
    let is_cut_in_a_character = case.cuts.iter().any(|cut| case.stream[*cut] & 0xc0 == 0x80);
    let ends_with_a_blank_line =
        Reading::of(&[&case.stream[..], b"\n\n"].concat()).events.len() == expected.len();
    let differs = |what: fn(&Told) -> &str| {
        expected.len() == seen.len() && expected.iter().zip(seen).any(|(a, b)| what(a) != what(b))
    };
    let is_like = |alike: fn(&Told, &Told) -> bool| {
        expected.len() == seen.len() && expected.iter().zip(seen).all(|(a, b)| alike(a, b))
    };
    let is_trimmed = is_like(|a, b| a.1.trim() == b.1.trim() && a.0.trim() == b.0.trim());
    if is_cut_in_a_character && any(seen, |event| event.1.contains('\u{fffd}')) {
        " A character was cut in two: one `TextDecoder` for the whole stream, told with `{ stream: true }` that more will come."
    } else if is_cut_at(b'\r', b'\n') {
        " A CRLF was cut in two: an LF that follows a CR belongs to it, in the next chunk, too."
    } else if case.stream.contains(&b'\r') {
        " A line ends with LF, with CRLF or with CR."
    } else if case.stream.windows(3).any(|mark| mark == "\u{feff}".as_bytes()) {
        " One byte order mark at the very beginning is dropped, and no other."
    } else if seen.len() > expected.len() && !ends_with_a_blank_line {
        " What no blank line ends is discarded."
    } else if seen.len() > expected.len() && any(seen, |event| event.1.is_empty()) {
        " A block without a `data` line is no event."
    } else if is_like(|a, b| a.1.ends_with(&b.1) || a.1.starts_with(&b.1))
        && any(expected, |event| event.1.contains('\n'))
    {
        " All `data` lines of a block are its data, joined by LF."
    } else if differs(|event| &event.2) {
        " An ID stays until another takes its place; an empty one does, one with a U+0000 in it does not."
    } else if is_trimmed && (differs(|event| &event.0) || differs(|event| &event.1)) {
        " Of the blanks behind the colon one is dropped, and no other."
    } else if differs(|event| &event.0) {
        " A type is for one event; without one, or with an empty one, it is a `message`."
    } else if differs(|event| &event.1) && any(expected, |event| event.1.contains(':')) {
        " The first colon ends the name; those behind it are part of the value."
    } else if !case.cuts.is_empty() {
        " In one chunk it is read well: what a chunk leaves unfinished belongs to the next."
    } else {
        ""
    }
}

// ---- TODO 5 to 7

async fn todo_5_asks(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["authorization", "content-type", "accept"]);
    let mut server = bench.script();
    let secret = format!("t-{}", bench.draw(1_000_000));
    let question = format!("How is BBCA at {}?", 9_000 + bench.draw(1_000));
    let page = ask(&bench, &question, &secret)?;
    let asked = expect_question(&bench, &mut server, &question, &secret).await?;
    bench.wait_ms(100).await;
    let mut stream = asked.stream();
    bench.wait_ms(100).await;
    let price = format!(" {}", 9_000 + 25 * bench.draw(40));
    stream.send("data: BBCA\n\n");
    bench.wait_ms(100).await;
    expect_tokens(&bench, &["BBCA"], "A token arrived alone")?;
    stream.send(format!("data: {price}\n\ndata:  \u{25b2}\n\n"));
    bench.wait_ms(100).await;
    expect_tokens(&bench, &["BBCA", &price, " \u{25b2}"], "Two tokens arrived in one chunk")?;
    // An event in pieces, and another that is none of ours.
    stream.send("data: \ndata:  caf".as_bytes().iter().chain(b"\xc3").copied().collect::<Vec<u8>>());
    bench.wait_ms(100).await;
    expect_tokens(&bench, &["BBCA", &price, " \u{25b2}"], "Half a token arrived")?;
    stream.send([&b"\xa9\n\n"[..], b"event: thinking\ndata: (nobody needs this)\n\ndata: .\n\n"].concat());
    bench.wait_ms(100).await;
    let tokens = ["BBCA", &price, " \u{25b2}", "\n caf\u{e9}", "."];
    expect_tokens(&bench, &tokens, "The other half arrived, and an event that is no token")?;
    server.quiet(Duration::from_secs(30), "The answer goes on; the client must not ask again").await?;
    drop(page);
    Ok(())
}

async fn todo_6_finished(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    stream.send("event: done\ndata: {}\n\n");
    stream.end();
    expect_answer(&bench, &page, &mut server, "finished", &tokens, "The server said `done`").await?;
    bench.note("and once more; after `done` the server goes on talking, and the line breaks");
    ask_again(&page)?;
    // A media type may have parameters.
    let stream = question(&bench, &mut server)
        .await?
        .open(200, &[("content-type", "text/event-stream;charset=utf-8")]);
    let (mut stream, tokens) = two_tokens(&bench, stream).await?;
    stream.send("event: done\ndata: {}\n\ndata: never mind\n\nevent: error\ndata: {}\n\n");
    bench.wait_ms(100).await;
    drop(stream);
    expect_answer(
        &bench,
        &page,
        &mut server,
        "finished",
        &tokens,
        "The server said `done`, whatever came after it (and its media type has a parameter)",
    )
    .await
}

async fn todo_6_truncated(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (stream, tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    stream.end();
    let because = "The stream ended as streams end, but nobody said `done`";
    expect_answer(&bench, &page, &mut server, "truncated", &tokens, because).await?;
    bench.note("and once more");
    ask_again(&page)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    bench.cut().await;
    stream.send(": nobody hears this\n\n");
    expect_answer(&bench, &page, &mut server, "truncated", &tokens, "The line was cut in the middle").await?;
    bench.note("and once more");
    ask_again(&page)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    stream.send("data: half\n\nevent: done\ndata: {}\n");
    stream.end();
    let tokens = [tokens, vec!["half".to_owned()]].concat();
    let because = "The stream ended in the middle of its last event, before the blank line that makes it one";
    expect_answer(&bench, &page, &mut server, "truncated", &tokens, because).await
}

async fn todo_6_failed(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    stream.send("event: error\ndata: {\"detail\":\"the market has closed\"}\n\n");
    stream.end();
    expect_answer(
        &bench,
        &page,
        &mut server,
        "failed",
        &tokens,
        "The server said `error` in the middle of the answer",
    )
    .await
}

async fn todo_6_no_answer(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let problem = r#"{"title":"Service Unavailable","status":503}"#;
    question(&bench, &mut server).await?.answer(
        503,
        &[("content-type", "application/problem+json")],
        problem,
    );
    expect_answer(
        &bench,
        &page,
        &mut server,
        "failed",
        &[],
        "The status is 503, and `fetch` does not reject that",
    )
    .await?;
    bench.note("and once more, where a proxy wants a login");
    ask_again(&page)?;
    question(&bench, &mut server).await?.answer(
        200,
        &[("content-type", "text/html")],
        "<!doctype html><title>Log in</title>",
    );
    expect_answer(
        &bench,
        &page,
        &mut server,
        "failed",
        &[],
        "The answer is a page of HTML, with status 200, and no event stream",
    )
    .await?;
    bench.note("and once more, where nobody listens");
    bench.refuse();
    ask_again(&page)?;
    expect_answer(&bench, &page, &mut server, "failed", &[], "There was no connection").await
}

async fn todo_7_in_the_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, mut tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    stream.send("data: .\n\n");
    tokens.push(".".to_owned());
    bench.wait_ms(100).await;
    // These are under way when the button is pressed.
    stream.send("data: More\n\ndata:  and more\n\n");
    page.eval("stop.abort()")?;
    bench.wait_ms(100).await;
    if stream.is_read() {
        return Err(Failure::broken(
            "The signal was aborted 100 ms ago, and the client still reads: the server goes on making tokens that are paid for. Let go of the request.",
        ));
    }
    expect_answer(&bench, &page, &mut server, "stopped", &tokens, "The user has pressed Stop").await
}

async fn todo_7_in_a_chunk(bench: Bench) -> Result<(), Failure> {
    // Whether the line is at its end before the client lets go is a matter of microseconds.
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    page.eval("globalThis.enough = 2")?;
    let mut stream = question(&bench, &mut server).await?.stream();
    bench.wait_ms(100).await;
    let tokens: Vec<String> = (0..4).map(|_| format!(" {}", 100 + bench.draw(900))).collect();
    let chunk = tokens.iter().fold(String::new(), |chunk, token| chunk + "data: " + token + "\n\n");
    stream.send(chunk + "event: done\ndata: {}\n\n");
    bench.wait_ms(100).await;
    stream.end();
    expect_answer(&bench, &page, &mut server, "stopped", &tokens[..2], "The page stopped at the second token")
        .await
}

async fn todo_7_before_the_answer(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let asked = question(&bench, &mut server).await?;
    bench.wait_s(2).await;
    page.eval("stop.abort()")?;
    bench.wait_ms(100).await;
    if !bench.moments().iter().any(|moment| moment.what == What::Abort) {
        return Err(Failure::broken(
            "The signal was aborted while the server was thinking, and the request still waits for its answer: `fetch` takes a signal.",
        ));
    }
    drop(asked);
    expect_answer(
        &bench,
        &page,
        &mut server,
        "stopped",
        &[],
        "The user has pressed Stop before the answer began",
    )
    .await
}

async fn todo_7_never_begins(bench: Bench) -> Result<(), Failure> {
    let mut server = bench.script();
    say_nothing_of_the_body(&bench);
    let page = open(&bench)?;
    page.eval("stop.abort(); begin('How is BBCA?', 'demo')")?;
    bench.note("the signal was aborted from the beginning");
    expect_answer(&bench, &page, &mut server, "stopped", &[], "The signal was aborted from the beginning")
        .await
}

async fn todo_7_after_the_end(bench: Bench) -> Result<(), Failure> {
    say_nothing_of_hanging_up(&bench);
    let mut server = bench.script();
    let page = ask_simply(&bench)?;
    let (mut stream, tokens) = answer_with_two_tokens(&bench, &mut server).await?;
    stream.send("event: done\ndata: {}\n\n");
    stream.end();
    bench.wait_ms(100).await;
    page.eval("stop.abort()")?;
    bench.note("Stop, after the end");
    expect_answer(
        &bench,
        &page,
        &mut server,
        "finished",
        &tokens,
        "The answer was complete before Stop was pressed",
    )
    .await
}

/// A page on which `begin(question, token)` asks and keeps what comes of it.
fn open(bench: &Bench) -> Result<Page, Failure> {
    let page = bench.page(&["ask"])?;
    page.eval(
        "globalThis.stop = new AbortController();
        globalThis.enough = Infinity;
        globalThis.begin = (question, token) => {
            let count = 0;
            globalThis.answer = null;
            const show = (token) => {
                say('token', token);
                count += 1;
                if (count === enough) stop.abort();
            };
            client.ask(question, { url: '/ask', token, onToken: show, signal: stop.signal }).then(
                ({ outcome, text }) => { globalThis.answer = { outcome, text }; },
                (error) => {
                    // A bug is told with its place; what an aborted or broken line throws is told with the contract.
                    const isOfTheLine = error?.name === 'AbortError' || /fetch|network/.test(error?.message);
                    if (!isOfTheLine) throw error;
                    globalThis.answer = `rejected with ${error}`;
                },
            );
        };",
    )?;
    Ok(page)
}

/// A page that asks this.
fn ask(bench: &Bench, question: &str, token: &str) -> Result<Page, Failure> {
    let page = open(bench)?;
    page.eval(&format!("begin({}, {})", json!(question), json!(token)))?;
    Ok(page)
}

/// The same, where how exactly it asks is nobody's business.
fn ask_simply(bench: &Bench) -> Result<Page, Failure> {
    say_nothing_of_the_body(bench);
    ask(bench, "How is BBCA?", "demo")
}

fn ask_again(page: &Page) -> Result<(), Failure> {
    Ok(page.eval("begin('How is BBCA?', 'demo')")?)
}

/// The client's request, whatever it looks like.
async fn question(bench: &Bench, server: &mut Script) -> Result<Asked, Failure> {
    let asked = asked(server).await?;
    bench.retell(
        |moment| matches!(moment.what, What::Request { .. }),
        |moment| {
            moment.what =
                What::Request { method: "POST".to_owned(), target: "/ask".to_owned(), headers: Vec::new() };
        },
    );
    Ok(asked)
}

async fn asked(server: &mut Script) -> Result<Asked, Failure> {
    server.request("The client asked nothing: `ask` sends the question as soon as it is called").await
}

fn say_nothing_of_the_body(bench: &Bench) {
    bench.leave_out(|moment| moment.place == Place::ToServer && matches!(moment.what, What::Body(_)));
}

/// The request that this question makes, and nothing that the contract leaves open.
async fn expect_question(
    bench: &Bench,
    server: &mut Script,
    question_: &str,
    token: &str,
) -> Result<Asked, Failure> {
    let asked = asked(server).await?;
    if asked.method != "POST" || asked.target != "/ask" {
        return Err(Failure::broken(format!(
            "The client sends {} {}; the contract says POST to `url`, here /ask.",
            asked.method, asked.target
        )));
    }
    let credentials = asked.header("authorization").unwrap_or("missing");
    if credentials
        .split_once(' ')
        .is_none_or(|(scheme, sent)| !scheme.eq_ignore_ascii_case("bearer") || sent.trim() != token)
    {
        return Err(Failure::broken(format!(
            "The header `Authorization` should be `Bearer {token}`; it is `{credentials}`."
        )));
    }
    let essence = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let content_type = asked.header("content-type").unwrap_or("missing");
    if essence(content_type) != "application/json" {
        return Err(Failure::broken(format!(
            "The body is JSON, and `Content-Type` says `{content_type}`: without `application/json` the server refuses to read it (415)."
        )));
    }
    let accept = asked.header("accept").unwrap_or("missing");
    if !accept.split(',').any(|range| essence(range) == "text/event-stream") {
        return Err(Failure::broken(format!(
            "The client can read an event stream only, and does not say so: `Accept` is `{accept}`."
        )));
    }
    let body: Option<Value> = serde_json::from_slice(&asked.body).ok();
    if body.as_ref().is_none_or(|body| body["question"] != json!(question_)) {
        return Err(Failure::broken(format!(
            "The body should be JSON, {}; it is `{}`.",
            json!({ "question": question_ }),
            String::from_utf8_lossy(&asked.body)
        )));
    }
    // Parameters, other types, other members are open.
    bench.retell(
        |moment| matches!(moment.what, What::Request { .. }),
        |moment| {
            if let What::Request { headers, .. } = &mut moment.what {
                for (name, value) in headers {
                    match name.as_str() {
                        "authorization" => *value = format!("Bearer {token}"),
                        "content-type" => "application/json".clone_into(value),
                        _ => "text/event-stream".clone_into(value),
                    }
                }
            }
        },
    );
    bench.retell(
        |moment| matches!(moment.what, What::Body(_)),
        |moment| moment.what = What::Body(Data::of_text(&json!({ "question": question_ }).to_string())),
    );
    Ok(asked)
}

/// The beginning of an answer.
async fn answer_with_two_tokens(
    bench: &Bench,
    server: &mut Script,
) -> Result<(grader::Stream, Vec<String>), Failure> {
    let asked = question(bench, server).await?;
    two_tokens(bench, asked.stream()).await
}

async fn two_tokens(
    bench: &Bench,
    mut stream: grader::Stream,
) -> Result<(grader::Stream, Vec<String>), Failure> {
    let shown = bench.said("token").len();
    let tokens = vec!["BBCA".to_owned(), format!(" {}", 9_000 + 25 * bench.draw(40))];
    for token in &tokens {
        bench.wait_ms(100).await;
        stream.send(format!("data: {token}\n\n"));
    }
    bench.wait_ms(100).await;
    expect_tokens_from(bench, shown, &tokens, "Two tokens arrived")?;
    Ok((stream, tokens))
}

/// What `ask` makes of it, a moment later, and that it leaves it at that.
async fn expect_answer(
    bench: &Bench,
    page: &Page,
    server: &mut Script,
    outcome: &str,
    tokens: &[String],
    because: &str,
) -> Result<(), Failure> {
    bench.wait_ms(100).await;
    page.eval("say('answer', answer ?? 'none yet')")?;
    let otherwise = format!(
        "{because}, and the client asked again by itself: a question is paid for each time it is asked. Whether to ask again is for the user to say."
    );
    let told = bench.said("answer").pop();
    let told = match &told {
        Some(Data::Json(told) | Data::Text(told)) => told.as_str(),
        Some(Data::Bytes(_)) | None => "nothing",
    };
    if told == "none yet" {
        // Perhaps because it is at it again.
        server.quiet(Duration::from_secs(60), &otherwise).await?;
        return Err(Failure::broken(format!(
            "{because}, and `ask` has not resolved: its outcome is `{outcome}`."
        )));
    }
    let is = serde_json::from_str::<Value>(told).unwrap_or_default();
    let expected = json!({ "outcome": outcome, "text": tokens.concat() });
    let shown = shown_of_this_answer(bench);
    if shown.len() > tokens.len() {
        return Err(Failure::broken(format!(
            "{because}: {} was handed to `onToken` all the same.",
            shown.last().map_or_else(String::new, bare)
        )));
    }
    if is != expected {
        return Err(Failure::broken(if is["outcome"] != expected["outcome"] && is["outcome"].is_string() {
            format!("{because}: the outcome is `{outcome}`; `ask` says {}.", is["outcome"])
        } else if is["text"] != expected["text"] && is["text"].is_string() {
            format!("{because}: the text so far is {}; `ask` says {}.", expected["text"], is["text"])
        } else {
            format!("{because}: `ask` should resolve to {expected}, and it is {told}.")
        }));
    }
    server.quiet(Duration::from_secs(60), &otherwise).await?;
    // A connection that is refused never reaches the server.
    if bench.moments().iter().filter(|moment| moment.what == What::Refused).count() > 1 {
        return Err(Failure::broken(otherwise));
    }
    Ok(())
}

/// The tokens that were shown since the client asked last.
fn shown_of_this_answer(bench: &Bench) -> Vec<Data> {
    let moments = bench.moments();
    let asked =
        moments.iter().rposition(|moment| matches!(moment.what, What::Request { .. })).unwrap_or_default();
    let shown = moments[asked..].iter().filter_map(|moment| match &moment.what {
        What::Said(label, token) if label == "token" => Some(token.clone()),
        _ => None,
    });
    shown.collect()
}

fn bare(data: &Data) -> String {
    match data {
        Data::Json(text) | Data::Text(text) => format!("{text:?}"),
        Data::Bytes(length) => format!("{length} bytes"),
    }
}

fn expect_tokens(bench: &Bench, tokens: &[&str], because: &str) -> Result<(), Failure> {
    let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
    expect_tokens_from(bench, 0, &tokens, because)
}

/// These tokens were shown since `from`, and no other.
fn expect_tokens_from(bench: &Bench, from: usize, tokens: &[String], because: &str) -> Result<(), Failure> {
    let shown = bench.said("token");
    let shown: Vec<String> = shown.iter().skip(from).map(bare).collect();
    let expected: Vec<String> = tokens.iter().map(|token| format!("{token:?}")).collect();
    if shown == expected {
        return Ok(());
    }
    let list = |tokens: &[String]| if tokens.is_empty() { "nothing".to_owned() } else { tokens.join(", ") };
    Err(Failure::broken(format!(
        "{because}: shown so far should be {}; it is {}.",
        list(&expected),
        list(&shown)
    )))
}

/// Who hangs up first after the last word is open.
fn say_nothing_of_hanging_up(bench: &Bench) {
    bench.leave_out(|moment: &Moment| matches!(moment.what, What::Abort | What::End | What::Cut));
}
