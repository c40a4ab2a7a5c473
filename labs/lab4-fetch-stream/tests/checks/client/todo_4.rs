//! TODO 4: the parser.

use grader::{
    Bench, Check, Failure, SEEDS, scene,
    wire::{sse::Parser, transcript::Data},
};
use serde_json::json;

use super::{
    FILE,
    case::{Case, event},
    parser::{laboratory, try_all},
};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_reads_the_format_to_the_letter",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "let `push` begin with `console.log(JSON.stringify(new TextDecoder().decode(bytes)))`: it shows where the network has cut.",
    scenes: &[
        scene!(
            todo_4_rule_by_rule,
            [
                "4.cuts",
                "4.calls",
                "4.line-ends",
                "4.utf8",
                "4.blank",
                "4.fields",
                "4.bom",
                "4.names",
                "4.comments",
                "4.data",
                "4.blocks",
                "4.type",
                "4.id",
                "4.retry",
                "4.unfinished",
                "4.apart",
            ],
            "Small streams, rule by rule, each of them whole, cut at every byte, and byte by byte."
        ),
        scene!(
            todo_4_any_stream,
            ["4.cuts", "4.calls", "4.apart", "4.utf8"],
            "Streams that nobody has written, cut anywhere."
        ),
        scene!(
            todo_4_from_the_line,
            ["4.calls", "4.cuts"],
            "A stream arrives in seven chunks, cut where it hurts."
        ),
    ],
};

async fn todo_4_rule_by_rule(bench: Bench) -> Result<(), Failure> {
    // Nothing is drawn here: once is enough.
    if bench.seed() != SEEDS[0] {
        return Ok(());
    }
    let page = laboratory(&bench)?;
    let beside = |stream: &[u8]| Case { beside: true, ..Case::whole(stream) };
    let halves = Case { cuts: vec![7, 8, 12], ..beside("data: \u{e9}\n\ndata: b\n\n".as_bytes()) };
    try_all(&bench, &page, "4.cuts", vec![beside(b"data: a\n\n"), halves])?;
    bench.note("two parsers share nothing");
    bench.wait_ms(1).await;
    for (clause, rule, streams) in RULES {
        for stream in *streams {
            try_all(&bench, &page, clause, Case::every_cut(stream))?;
        }
        bench.note(rule);
        bench.wait_ms(1).await;
    }
    try_all(&bench, &page, "4.cuts", vec![Case::whole("data: a\n\n".repeat(2_500).as_bytes())])?;
    bench.note("a chunk may have thousands of lines");
    Ok(())
}

async fn todo_4_any_stream(bench: Bench) -> Result<(), Failure> {
    let page = laboratory(&bench)?;
    for _ in 0..8 {
        let cases = (0..24).map(|_| Case::drawn(&bench)).filter(Case::is_settled).collect();
        try_all(&bench, &page, "4.blocks", cases)?;
        bench.wait_ms(1).await;
    }
    bench.note("all of them were read as the standard says");
    Ok(())
}

/// What the format says, and streams that show it, the shortest first.
const RULES: &[(&str, &str, &[&[u8]])] = &[
    (
        "4.cuts",
        "a chunk is no event, and an event no chunk",
        &[b"data: a\n\n", b"data: a\n\ndata: b\n\n", b"data: a\ndata: b\n\n", b"\n\n\ndata: a\n\n\n"],
    ),
    (
        "4.line-ends",
        "a line ends with LF, CRLF or CR",
        &[
            b"data: a\r\r",
            b"data: a\r\n\r\n",
            b"data: a\n\r",
            b"data: a\rdata: b\r\n\n",
            b"data: a\r\ndata: b\r\n\r\n",
            b"data: a\r\n\ndata: b\n\r\n",
            b"data: a\r\rdata: b\r\r",
        ],
    ),
    (
        "4.utf8",
        "a character may be cut in two",
        &["data: \u{e9}\n\n".as_bytes(), "data: caf\u{e9} \u{25b2} 25 \u{1d11e}\n\n".as_bytes()],
    ),
    (
        "4.blank",
        "behind the colon one blank goes, and no more",
        &[
            b"data:a\n\n",
            b"data:  a\n\n",
            b"data: a \n\n",
            b"data:\ta\n\n",
            b"data:   \n\n",
            "data:\u{a0}a\n\n".as_bytes(),
            b"event:  b\ndata: a\n\n",
            b"id:  1 \ndata: a\n\n",
        ],
    ),
    ("4.fields", "the first colon ends the name", &[b"data: a:b: c\n\n", b"data::a\n\n", b"data: :a\n\n"]),
    (
        "4.names",
        "other names are ignored",
        &[
            b" data: a\n\n",
            b"data : a\n\n",
            b"Data: a\n\n",
            b"DATA: a\n\n",
            b"dat: a\n\n",
            b"datas: a\n\n",
            b"date: a\n\n",
            b"Event: b\nID: 1\ndata: a\n\n",
            b"note: b\ndata: a\nnote\n\n",
            b"__proto__: b\nconstructor: c\ntoString\ndata: a\n\n",
        ],
    ),
    (
        "4.line-ends",
        "a line ends with nothing else",
        &[
            "data: a\u{2028}b\n\n".as_bytes(),
            "data: a\u{2029}\n\n".as_bytes(),
            "data: \u{85}a\n\n".as_bytes(),
            b"data: a\x0bb\x0c\n\n",
            "id: a\u{2028}b\ndata: c\n\n".as_bytes(),
        ],
    ),
    (
        "4.bom",
        "one byte order mark, at the very beginning, is none of the text",
        &[
            "\u{feff}data: a\n\n".as_bytes(),
            "\u{feff}\u{feff}data: a\n\n".as_bytes(),
            "data: \u{feff}a\n\n".as_bytes(),
            "data: a\n\n\u{feff}data: b\n\n".as_bytes(),
            "\u{feff}data: a\n\ndata: \u{feff}b\n\n".as_bytes(),
        ],
    ),
    (
        "4.comments",
        "comments are silent",
        &[b": a\n\n", b":data: a\n\n", b": b\ndata: a\n:\n\n", b"data: a\n::b\n\n"],
    ),
    (
        "4.fields",
        "a field without a colon is empty",
        &[b"data\n\n", b"data:\n\n", b"data\ndata\n\n", b"data: a\ndata\n\n"],
    ),
    (
        "4.data",
        "the lines of a block are its data, joined by LF",
        &[
            b"data\ndata: a\n\n",
            b"data: a\ndata:\ndata: b\n\n",
            b"data: a\nid: 1\ndata: a\n\n",
            b"data:\ndata:\ndata:\n\n",
        ],
    ),
    (
        "4.blocks",
        "a block without data is no event",
        &[b"event: b\n\n", b"id: 1\n\n", b"event: b\n\ndata: a\n\n", b"retry: 25\n\n", b"\n\n"],
    ),
    (
        "4.type",
        "a type is for one event",
        &[
            b"event: b\ndata: a\n\n",
            b"data: a\nevent: b\n\n",
            b"event\ndata: a\n\n",
            b"event: b\nevent: c\ndata: a\n\n",
            b"event: b\nevent\ndata: a\n\n",
            b"event: b\ndata: a\n\ndata: c\n\n",
            b"event: __proto__\ndata: a\n\n",
        ],
    ),
    (
        "4.id",
        "an ID stays until there is another",
        &[
            b"id: 1\ndata: a\n\n",
            b"data: a\nid: 1\n\n",
            b"id: 1\n\ndata: a\n\n",
            b"id: 1\ndata: a\n\ndata: b\n\n",
            b"id: 1\ndata: a\n\nid\ndata: b\n\n",
            b"id: 1\ndata: a\n\nid:\n\ndata: b\n\n",
            b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
            b"id: 1\nid: \x002\ndata: b\n\n",
            b"id: 007\ndata: a\n\n",
        ],
    ),
    (
        "4.retry",
        "a reconnection time is made of digits",
        &[
            b"retry: 2500\n\n",
            b"retry: 007\n\n",
            b"retry: 0\n\n",
            b"retry: 2500\n",
            b"retry: 2500\nretry: 100\n\n",
            b"retry:2500\nretry\n\n",
            b"retry: 2500\nretry: 12x\n\n",
            b"retry: 2500\nretry:  12\n\n",
            b"retry: 12 \n\n",
            b"retry: -1\n\n",
            b"retry: +5\n\n",
            b"retry: 1.5\n\n",
            b"retry: 1e3\n\n",
            b"retry: 1_000\n\n",
            b"retry: 0x10\n\n",
            "retry: \u{662}\u{665}\n\n".as_bytes(),
            "retry: 25\nretry: \u{ff12}\n\n".as_bytes(),
        ],
    ),
    (
        "4.unfinished",
        "what no blank line ends is no event",
        &[b"data: a\n", b"data: a", b"data: a\r", b"data: a\n\ndata: b", b"data: a\n\nevent: b\ndata: c\n"],
    ),
    (
        "4.utf8",
        "bytes that are no UTF-8 become U+FFFD",
        &[
            b"data: a\xffb\n\n",
            b"data: a\xe2\x82\n\n",
            b"data: \xf0\x9d\x84a\n\n",
            b"data: \xc0\xaf\xed\xa0\x80\n\n",
            b"\xff\ndata: a\n\n",
        ],
    ),
];

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
