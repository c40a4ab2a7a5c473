//! TODO 2: errors, for programs and for people.

use feed::Feed;
use grader::{Bench, Check, Failure, scene};
use serde_json::json;

use super::{FILE, SYMBOLS, expect_problem, publish_all};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_refuses_with_a_problem",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "curl -i http://127.0.0.1:3001/prices/NONE, and POST what is no order: curl -i -d '{}' http://127.0.0.1:3001/orders",
    scenes: &[
        scene!(
            todo_2_not_there,
            ["2.not-there", "2.media-type", "2.problem"],
            "A visitor asks for a symbol and for an order that are not there."
        ),
        scene!(
            todo_2_no_order,
            ["2.not-json", "2.not-called-json", "2.no-order", "2.impossible", "2.media-type", "2.problem"],
            "Five bodies that cannot be executed: broken JSON, no JSON, half an order, nothing of it, an unknown symbol."
        ),
    ],
};

/// Symbols that are not there, as they stand in a URL.
const NO_SYMBOLS: [&str; 7] =
    ["bmri", "BMRI%20", "%22quoted%22", "%3Cb%3E", "back%5Cslash", "__proto__", "%E6%9D%B1%0A%E4%BA%AC"];
/// What is no order's number, or the number of none.
const NO_ORDERS: [&str; 5] = ["0", "-1", "1.5", "18446744073709551616", "%22one%22"];

async fn todo_2_not_there(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed));
    let mut targets = vec![
        ("/prices/NONE".to_owned(), "for a symbol that is not there"),
        ("/orders/7".to_owned(), "for an order that is not there"),
    ];
    if !bench.is_plain() {
        targets.extend(NO_SYMBOLS.map(|symbol| (format!("/prices/{symbol}"), targets[0].1)));
        targets.extend(NO_ORDERS.map(|order| (format!("/orders/{order}"), targets[1].1)));
    }
    for (target, what) in targets {
        let answer = bench.get(&target).send().await?;
        expect_problem(&bench, "2.not-there", answer, 404, &format!("to GET {target}, {what},")).await?;
        bench.wait_ms(100).await;
    }
    Ok(())
}

const BROKEN: &str = "to a body that is no JSON";
const UNCALLED: &str = "to a body that is not called JSON";
const NO_ORDER: &str = "to JSON that is no order";
const OF_NOTHING: &str = "to an order of nothing";
const UNKNOWN: &str = "to an order of an unknown symbol";

/// A body, and what should come of it.
struct Bad {
    status: u16,
    clause: &'static str,
    media_type: &'static str,
    body: String,
    what: &'static str,
}

async fn todo_2_no_order(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["content-type"]);
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed));
    for Bad { status, clause, media_type, body, what } in bad_bodies(&bench) {
        let mut ask = bench.ask("POST", "/orders");
        ask = match media_type {
            "" => ask.bytes(body.clone()),
            _ => ask.body(media_type, body.clone()),
        };
        let answer = ask.send().await?;
        let what = match media_type {
            "" => format!("{what} (without a `content-type`), {body},"),
            _ => format!("{what} (`content-type: {media_type}`), {body},"),
        };
        expect_problem(&bench, clause, answer, status, &what).await?;
        bench.wait_ms(100).await;
    }
    Ok(())
}

/// The five of the plain play, and all that is like them.
fn bad_bodies(bench: &Bench) -> Vec<Bad> {
    let symbol = SYMBOLS[bench.draw(2) as usize];
    let json_type = || {
        bench.pick(&[
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/vnd.market+json",
        ])
    };
    let bad = |status, clause, media_type, what, body: String| Bad { status, clause, media_type, body, what };
    let of = |body: String| bad(400, "2.not-json", json_type(), BROKEN, body);
    let called =
        |media_type| bad(415, "2.not-called-json", media_type, UNCALLED, format!("buy 100 {symbol}"));
    let no_order = |body: serde_json::Value| bad(422, "2.no-order", json_type(), NO_ORDER, body.to_string());
    let unknown = |symbol: &str| {
        let order = json!({ "symbol": symbol, "side": "buy", "quantity": 100 });
        bad(422, "2.impossible", json_type(), UNKNOWN, order.to_string())
    };
    let nothing = json!({ "symbol": symbol, "side": "buy", "quantity": 0 });
    let mut all = vec![
        of(format!(r#"{{ "symbol": "{symbol}", "side": "#)),
        called("text/plain"),
        no_order(json!({ "symbol": symbol, "side": "buy" })),
        bad(422, "2.no-order", json_type(), OF_NOTHING, nothing.to_string()),
        unknown("NONE"),
    ];
    if bench.is_plain() {
        return all;
    }
    all.extend(
        ["", "{", "buy", "{'symbol': 'BMRI'}", "\u{feff}", "missing field"].map(str::to_owned).map(of),
    );
    let order = json!({ "symbol": symbol, "side": "buy", "quantity": 100 });
    all.extend(
        ["", "text/plain", "text/html", "application/x-www-form-urlencoded", "application/jsonx"]
            .map(|media_type| bad(415, "2.not-called-json", media_type, UNCALLED, order.to_string())),
    );
    // What the words of a mistake have in them says nothing of its kind.
    for side in
        ["hold", "BUY", "", "\"buy\"", "Content-Type", "missing field", "EOF while parsing", "back\\slash"]
    {
        all.push(no_order(json!({ "symbol": symbol, "side": side, "quantity": 100 })));
    }
    for quantity in [json!(-1), json!(1.5), json!("100"), json!(null), json!([100]), json!(4_294_967_296_u64)]
    {
        all.push(no_order(json!({ "symbol": symbol, "side": "sell", "quantity": quantity })));
    }
    all.extend(
        [json!([]), json!("buy"), json!(null), json!({}), json!({ "side": "buy", "quantity": 1 })]
            .map(no_order),
    );
    all.extend(["bmri", "", "\"quoted\"", "Content-Type", "__proto__", "<b>", "東京\n"].map(unknown));
    all
}
