//! TODO 1 to 3: the server, asked by our own client.

use std::{cell::RefCell, time::Duration};

use feed::{Feed, Update};
use grader::{
    Answer, Bench, Check, Failure, scene,
    wire::{Moment, Place, What, transcript::Data},
};
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";
const PROBLEM: &str = "application/problem+json";
/// What the market lists.
const SYMBOLS: [&str; 2] = ["BMRI", "TLKM"];
const BMRI: usize = 0;
const TLKM: usize = 1;

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_says_not_modified",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "curl -i http://127.0.0.1:3001/prices/BMRI, and again with -H 'if-none-match: …' and the tag you got.",
    scenes: &[
        scene!(todo_1_asks_again, "A visitor asks for the prices, and asks again. A price moves."),
        scene!(todo_1_one_symbol, "A visitor follows one symbol. Another symbol moves, then this one."),
        scene!(
            todo_1_forms_of_the_question,
            "If-None-Match is a list of tags, weak or strong, or a star. Some name the tag, some do not."
        ),
        scene!(
            todo_1_another_log,
            "The server is restarted. Its log is another one, with other prices under the same numbers."
        ),
    ],
};

pub(crate) const TODO_2: Check = Check {
    name: "todo_2_refuses_with_a_problem",
    todo: Some(2),
    file: FILE,
    section: "todo-2",
    experiment: "curl -i http://127.0.0.1:3001/prices/NONE, and POST what is no order: curl -i -d '{}' http://127.0.0.1:3001/orders",
    scenes: &[
        scene!(todo_2_not_there, "A visitor asks for a symbol and for an order that are not there."),
        scene!(
            todo_2_no_order,
            "Five bodies that cannot be executed: broken JSON, no JSON, half an order, nothing of it, an unknown symbol."
        ),
    ],
};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_executes_an_order_once",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "open the lab's page, press Send twice with one key, and look at http://127.0.0.1:3001/orders.",
    scenes: &[
        scene!(
            todo_3_created,
            "An order without a key is placed, and looked up. The same once more is another."
        ),
        scene!(todo_3_sent_again, "Somebody presses the button twice, with one key."),
        scene!(
            todo_3_at_the_same_time,
            "Two requests with one key, while the order is still being executed."
        ),
        scene!(todo_3_another_order, "The key of one order comes with another one."),
        scene!(todo_3_cut_off, "The line is cut while the order is being executed. The client asks again."),
    ],
};

async fn todo_1_asks_again(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let first = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
    bench.wait_ms(1_000).await;
    visitor.fetch("/prices", Some(&first)).await?.expect_not_modified(&first)?;
    bench.wait_ms(400).await;
    bench.note("a price moves");
    feed.publish(price(&bench, BMRI)).await;
    bench.wait_ms(600).await;
    let second = visitor.fetch("/prices", Some(&first)).await?.expect_prices(&newest(&feed).await)?;
    expect_another(&first, &second, "A price has moved")?;
    bench.wait_ms(1_000).await;
    visitor.fetch("/prices", Some(&second)).await?.expect_not_modified(&second)?;
    bench.wait_ms(1_000).await;
    // Somebody who has nothing yet.
    let again = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
    expect_the_same(&second, &again)
}

async fn todo_1_one_symbol(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let first = visitor.fetch("/prices/BMRI", None).await?.expect_price(&newest(&feed).await[BMRI])?;
    bench.wait_ms(400).await;
    bench.note("another symbol moves");
    feed.publish(price(&bench, TLKM)).await;
    bench.wait_ms(600).await;
    visitor.fetch("/prices/BMRI", Some(&first)).await?.expect_not_modified(&first)?;
    bench.wait_ms(400).await;
    bench.note("this symbol moves");
    feed.publish(price(&bench, BMRI)).await;
    bench.wait_ms(600).await;
    let second =
        visitor.fetch("/prices/BMRI", Some(&first)).await?.expect_price(&newest(&feed).await[BMRI])?;
    expect_another(&first, &second, "BMRI has moved")
}

async fn todo_1_forms_of_the_question(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let prices = newest(&feed).await;
    let tag = visitor.fetch("/prices", None).await?.expect_prices(&prices)?;
    let named: [&[&str]; 5] = [
        &[r#"W/"{tag}""#],
        &[r#""{tag}""#],
        &[r#""an old one", W/"{tag}" ,"another""#],
        &[r#""an old one""#, r#""{tag}""#],
        &["*"],
    ];
    for lines in named {
        bench.wait_ms(100).await;
        visitor.fetch_if("/prices", lines, &tag).await?.expect_not_modified(&tag)?;
    }
    for line in [r#""an old one", W/"another""#, r#""x{tag}", "{tag}x""#] {
        bench.wait_ms(100).await;
        visitor.fetch_if("/prices", &[line], &tag).await?.expect_prices(&prices)?;
    }
    Ok(())
}

async fn todo_1_another_log(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::named("monday", 100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let monday = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
    bench.wait_ms(900).await;
    bench.note("another log begins");
    let other = Feed::named("tuesday", 100);
    for update in newest(&feed).await {
        let mut data = update.data;
        data["price"] = json!(data["price"].as_u64().unwrap_or_default() + 25);
        other.publish(data).await;
    }
    bench.serve(lab1::app(other.clone()));
    bench.wait_ms(100).await;
    let tuesday = visitor.fetch("/prices", Some(&monday)).await?;
    if tuesday.status == 304 {
        return Err(Failure::broken(
            "The server was restarted and has other prices, and the visitor is told that nothing has changed: in the new log (`epoch`) the same numbers stand for other prices.",
        ));
    }
    tuesday.expect_prices(&newest(&other).await)?;
    Ok(())
}

async fn todo_2_not_there(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed));
    let answer = bench.get("/prices/NONE").send().await?;
    expect_problem(&bench, answer, 404, "for a symbol that is not there").await?;
    bench.wait_ms(100).await;
    let answer = bench.get("/orders/7").send().await?;
    expect_problem(&bench, answer, 404, "for an order that is not there").await
}

async fn todo_2_no_order(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["content-type"]);
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed));
    let symbol = SYMBOLS[bench.draw(2) as usize];
    let json = "application/json";
    let bodies = [
        (400, json, format!(r#"{{ "symbol": "{symbol}", "side": "#), "for a body that is no JSON"),
        (415, "text/plain", format!("buy 100 {symbol}"), "for a body that is not called JSON"),
        (422, json, json!({ "symbol": symbol, "side": "buy" }).to_string(), "for JSON that is no order"),
        (
            422,
            json,
            json!({ "symbol": symbol, "side": "buy", "quantity": 0 }).to_string(),
            "for an order of nothing",
        ),
        (
            422,
            json,
            json!({ "symbol": "NONE", "side": "buy", "quantity": 100 }).to_string(),
            "for an order of an unknown symbol",
        ),
    ];
    for (status, media_type, body, what) in bodies {
        let answer = bench.ask("POST", "/orders").body(media_type, body).send().await?;
        expect_problem(&bench, answer, status, what).await?;
        bench.wait_ms(100).await;
    }
    expect_orders(&bench, &[]).await
}

async fn todo_3_created(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::ZERO).await;
    let first = place(&bench, None, &order).await?.created(&order).await?;
    bench.wait_ms(100).await;
    expect_stored(&bench, &first).await?;
    bench.wait_ms(100).await;
    let second = place(&bench, None, &order).await?.created(&order).await?;
    if second.location == first.location {
        return Err(Failure::broken(format!(
            "Two orders without a key are two orders, and both are at {}: nobody said that they are one.",
            first.location
        )));
    }
    bench.wait_ms(100).await;
    expect_orders(&bench, &[first.order, second.order]).await
}

async fn todo_3_sent_again(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::ZERO).await;
    let key = key(&bench);
    let first = place(&bench, Some(&key), &order).await?.created(&order).await?;
    bench.wait_ms(1_000).await;
    let second = place(&bench, Some(&key), &order).await?.created_again(&order).await?;
    expect_one(&first, &second)?;
    bench.wait_ms(100).await;
    expect_orders(&bench, &[first.order]).await?;
    bench.wait_ms(100).await;
    bench.note("another key is another order");
    let other_key = format!("{key}1");
    let other = place(&bench, Some(&other_key), &order).await?.created(&order).await?;
    if other.location == first.location {
        return Err(Failure::broken(
            "The same order under another key is another order: somebody wants it twice.",
        ));
    }
    Ok(())
}

async fn todo_3_at_the_same_time(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::from_millis(40)).await;
    let key = key(&bench);
    let asked = bench.now();
    let (first, second) = tokio::join!(place(&bench, Some(&key), &order), async {
        bench.wait_ms(10).await;
        place(&bench, Some(&key), &order).await
    });
    // How long the order takes, and the second request with it, is the server's business.
    for exchange in [1, 2] {
        for is_part in [is_head, is_body] {
            bench.tell_as_window(asked, (10, 500), |moment| {
                moment.place == Place::ToClient && moment.exchange == Some(exchange) && is_part(moment)
            });
        }
    }
    let (first, second) = (first?, second?);
    let first = first.created(&order).await?;
    let second = second.created_again(&order).await?;
    expect_one(&first, &second)?;
    bench.wait_ms(1_000 - bench.now().since(asked)).await;
    expect_orders(&bench, &[first.order]).await
}

async fn todo_3_another_order(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::ZERO).await;
    let key = key(&bench);
    let first = place(&bench, Some(&key), &order).await?.created(&order).await?;
    bench.wait_ms(1_000).await;
    let mut other = order.clone();
    other["quantity"] = json!(order["quantity"].as_u64().unwrap_or_default() + 1);
    let placed = place(&bench, Some(&key), &other).await?;
    if placed.answer.status == 201 {
        return Err(Failure::broken(
            "The key belongs to an order that was executed; under it comes another order, and the answer is 201. Whoever sent it believes that it was executed as it stands there.",
        ));
    }
    expect_problem(&bench, placed.answer, 422, "for a key that comes with another order").await?;
    bench.wait_ms(100).await;
    expect_orders(&bench, &[first.order]).await
}

async fn todo_3_cut_off(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::from_millis(40)).await;
    let key = key(&bench);
    let cut = async {
        // 5 ms to the server, 40 ms to examine the order, 40 ms to execute it.
        bench.wait_ms(60).await;
        bench.cut().await;
    };
    let (lost, ()) = tokio::join!(place(&bench, Some(&key), &order), cut);
    drop(lost);
    bench.wait_ms(1_000).await;
    let asked = bench.now();
    let again = place(&bench, Some(&key), &order).await.map_err(|_| {
        Failure::broken(
            "The line was cut while the order was being executed, and whoever asks again under its key gets no answer: it waits for work that nobody does any more. (A request that is cut off is dropped where it awaits.)",
        )
    })?;
    for is_part in [is_head, is_body] {
        bench.tell_as_window(asked, (10, 500), |moment| moment.place == Place::ToClient && is_part(moment));
    }
    if again.answer.status != 201 {
        return Err(Failure::broken(format!(
            "The line was cut while the order was being executed. Whoever asks again under its key gets {}, and never hears what became of the order; the contract says 201.",
            again.answer.status
        )));
    }
    let placed = again.created(&order).await?;
    bench.wait_ms(1_000 - bench.now().since(asked)).await;
    expect_orders(&bench, &[placed.order]).await
}

/// Somebody who keeps tags. What a tag is made of is the server's business: they are told as `"v1"`, `"v2"` …
struct Visitor {
    bench: Bench,
    /// What stands between the quotes of the tags met so far.
    tags: RefCell<Vec<String>>,
}

/// The answer to a request for prices.
struct Got {
    target: String,
    asked_with: Vec<String>,
    status: u16,
    media_type: String,
    tag: Option<String>,
    text: String,
}

impl Visitor {
    fn new(bench: &Bench) -> Self {
        bench.show_request_headers(&["if-none-match"]);
        bench.show_response_headers(&["etag"]);
        Self { bench: bench.clone(), tags: RefCell::default() }
    }

    /// `GET target`, naming the tag that is known, as it came.
    async fn fetch(&self, target: &str, known: Option<&str>) -> Result<Got, Failure> {
        match known {
            Some(tag) if tag.starts_with("W/") => {
                self.send(target, &[r#"W/"{tag}""#], tag, r#""{tag}""#).await
            }
            Some(tag) => self.fetch_if(target, &[r#""{tag}""#], tag).await,
            None => self.fetch_if(target, &[], "").await,
        }
    }

    /// `GET target`, with these lines of `If-None-Match`; `{tag}` in them is what stands between this tag's quotes.
    async fn fetch_if(&self, target: &str, lines: &[&str], tag: &str) -> Result<Got, Failure> {
        self.send(target, lines, tag, "").await
    }

    /// The same; where `told` is a line, that is what is told.
    async fn send(&self, target: &str, lines: &[&str], tag: &str, told: &str) -> Result<Got, Failure> {
        let asked_with: Vec<_> = lines.iter().map(|line| line.replace("{tag}", opaque(tag))).collect();
        let mut ask = self.bench.get(target);
        for line in &asked_with {
            ask = ask.header("if-none-match", line);
        }
        let answer = ask.send().await?;
        self.bench.retell(
            |moment| matches!(moment.what, What::Request { .. }),
            |moment| {
                if let What::Request { headers, .. } = &mut moment.what {
                    for ((_, value), line) in headers.iter_mut().zip(lines) {
                        let line = if told.is_empty() { line } else { told };
                        *value = line.replace("{tag}", &self.name(tag));
                    }
                }
            },
        );
        self.bench.retell(is_head, |moment| {
            if let What::Response { status, content_type, headers } = &mut moment.what {
                // A 304 may describe what it does not send.
                if *status == 304 {
                    *content_type = None;
                }
                for (_, tag) in headers.iter_mut().filter(|(_, tag)| is_tag(tag)) {
                    *tag = format!("\"{}\"", self.name(tag));
                }
            }
        });
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let (status, media_type) = (answer.status.as_u16(), answer.media_type());
        Ok(Got { target: target.to_owned(), asked_with, status, media_type, tag, text: answer.text().await? })
    }

    /// What this tag is called in the transcript.
    fn name(&self, tag: &str) -> String {
        let mut tags = self.tags.borrow_mut();
        let place = tags.iter().position(|known| known == opaque(tag)).unwrap_or_else(|| {
            tags.push(opaque(tag).to_owned());
            tags.len() - 1
        });
        format!("v{}", place + 1)
    }
}

impl Got {
    /// The prices, and their tag.
    fn expect_prices(self, prices: &[Update]) -> Result<String, Failure> {
        self.expect(&json!(prices))
    }

    /// One price, and its tag.
    fn expect_price(self, price: &Update) -> Result<String, Failure> {
        self.expect(&json!(price))
    }

    fn expect(self, expected: &Value) -> Result<String, Failure> {
        let Self { target, asked_with, status, media_type, tag, text } = self;
        if status == 304 {
            return Err(Failure::broken(if tag.is_some() && asked_with.first() == tag.as_ref() {
                format!(
                    "What GET {target} should say has changed, and its tag is still {}: whoever names it is told that nothing has changed, and goes on showing something old.",
                    asked_with[0]
                )
            } else if asked_with.is_empty() {
                format!(
                    "GET {target} is answered with 304, and nobody has named a tag: this visitor has nothing yet."
                )
            } else {
                format!(
                    "GET {target} is answered with 304, and `if-none-match: {}` does not name the tag of what is there now: the visitor goes on showing something old.",
                    asked_with.join(", ")
                )
            }));
        }
        if status != 200 {
            return Err(Failure::broken(format!(
                "GET {target} is answered with {status}; the contract says 200."
            )));
        }
        if media_type != "application/json" {
            return Err(Failure::broken(format!(
                "The answer to GET {target} is `{media_type}`; the prices are `application/json`."
            )));
        }
        let Some(tag) = tag else {
            return Err(Failure::broken(format!(
                "The answer to GET {target} has no `etag`: the visitor cannot say what it has."
            )));
        };
        if !is_tag(&tag) {
            return Err(Failure::broken(format!(
                "The `etag` is `{tag}`. A tag stands in double quotes, with or without `W/` in front (RFC 9110 § 8.8.3)."
            )));
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(body) if body == *expected => Ok(tag),
            Ok(body) => Err(Failure::broken(format!(
                "The answer to GET {target} should be {expected}; it is {body}."
            ))),
            Err(error) => Err(Failure::broken(format!("The answer to GET {target} is not JSON: {error}."))),
        }
    }

    /// 304 with this tag, and without a body.
    fn expect_not_modified(self, tag: &str) -> Result<(), Failure> {
        let Self { target, asked_with, status, tag: told, text, .. } = self;
        let asked_with = asked_with.join(", ");
        if status == 200 {
            return Err(Failure::broken(match told {
                Some(told) if opaque(&told) != opaque(tag) => format!(
                    "Nothing has changed, and GET {target} has another tag than before. A tag that changes by itself is worth nothing: every request transfers everything."
                ),
                _ if asked_with == tag => format!(
                    "`if-none-match: {asked_with}` names the tag of what is there, and GET {target} sends everything again."
                ),
                _ => format!(
                    "`if-none-match: {asked_with}` names the tag {tag}, and GET {target} sends everything again. One tag of a list is enough, a star stands for all, and `W/` does not count (RFC 9110 § 13.1.2)."
                ),
            }));
        }
        if status != 304 {
            return Err(Failure::broken(format!(
                "GET {target} with `if-none-match: {asked_with}` is answered with {status}; the contract says 304."
            )));
        }
        match told {
            Some(told) if opaque(&told) == opaque(tag) => {}
            Some(told) => {
                return Err(Failure::broken(format!(
                    "The 304 has the tag {told}; what the visitor has is {tag}."
                )));
            }
            None => {
                return Err(Failure::broken(
                    "The 304 has no `etag`. It has the headers that the 200 would have, so that a visitor who named several tags knows which one counts (RFC 9110 § 15.4.5).",
                ));
            }
        }
        if text.is_empty() { Ok(()) } else { Err(Failure::broken("The 304 has a body.")) }
    }
}

/// What stands between the quotes of a tag.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

/// RFC 9110 § 8.8.3.
fn is_tag(tag: &str) -> bool {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)))
}

fn expect_another(before: &str, now: &str, because: &str) -> Result<(), Failure> {
    if opaque(before) == opaque(now) {
        return Err(Failure::broken(format!(
            "{because}, and the tag is still {now}: whoever names it is told that nothing has changed."
        )));
    }
    Ok(())
}

fn expect_the_same(before: &str, now: &str) -> Result<(), Failure> {
    if opaque(before) != opaque(now) {
        return Err(Failure::broken(
            "Nothing has changed, and the tag is another than before: the same answer has the same tag.",
        ));
    }
    Ok(())
}

/// An order on its way back.
struct Placed {
    answer: Answer,
}

/// An order that was executed, as its answer says.
struct Created {
    location: String,
    order: Value,
}

/// A market with prices whose log takes so long to read, and an order for it.
async fn open_market(bench: &Bench, read_delay: Duration) -> Value {
    bench.show_request_headers(&["idempotency-key"]);
    bench.show_response_headers(&["location"]);
    let feed = Feed::memory(100).with_read_delay(read_delay);
    publish_all(bench, &feed).await;
    bench.serve(lab1::app(feed));
    let side = ["buy", "sell"][bench.draw(2) as usize];
    json!({ "symbol": SYMBOLS[bench.draw(2) as usize], "side": side, "quantity": 100 * (1 + bench.draw(9)) })
}

/// A key that nobody can know beforehand.
fn key(bench: &Bench) -> String {
    format!("order-{}", 1_000 + bench.draw(9_000))
}

async fn place(bench: &Bench, key: Option<&str>, order: &Value) -> Result<Placed, Failure> {
    let mut ask = bench.ask("POST", "/orders");
    if let Some(key) = key {
        ask = ask.header("idempotency-key", key);
    }
    let answer = ask.body("application/json", order.to_string()).send().await?;
    // The address may be a path or a whole URL.
    bench.retell_all(|moment| {
        if let What::Response { headers, .. } = &mut moment.what {
            for (_, location) in headers {
                *location = resolved(location);
            }
        }
    });
    Ok(Placed { answer })
}

impl Placed {
    /// The answer to an order whose key has come before: it is that of the first time.
    async fn created_again(self, order: &Value) -> Result<Created, Failure> {
        if self.answer.status != 201 {
            return Err(Failure::broken(format!(
                "The same order comes again under its key, and is answered with {}. Whoever sends it again has not heard the first answer, and needs it: 201, and the order.",
                self.answer.status
            )));
        }
        self.created(order).await
    }

    /// 201, with an address and with this order.
    async fn created(self, order: &Value) -> Result<Created, Failure> {
        let answer = self.answer.with_status(201)?;
        let Some(location) = answer.headers.get("location").and_then(|location| location.to_str().ok())
        else {
            return Err(Failure::broken(
                "The order was created, and the answer does not say where: 201 comes with a `location`.",
            ));
        };
        let location = resolved(location);
        let media_type = answer.media_type();
        if media_type != "application/json" {
            return Err(Failure::broken(format!(
                "The new order is sent as `{media_type}`, not as `application/json`."
            )));
        }
        let created = answer.json().await?;
        for member in ["symbol", "side", "quantity"] {
            if created[member] != order[member] {
                return Err(Failure::broken(format!(
                    "The answer to an order of {order} should be this order, executed; it is {created}."
                )));
            }
        }
        Ok(Created { location, order: created })
    }
}

/// Two answers that are one.
fn expect_one(first: &Created, second: &Created) -> Result<(), Failure> {
    if first.location != second.location {
        return Err(Failure::broken(format!(
            "One key, and two orders: {} and {}. Somebody has bought twice.",
            first.location, second.location
        )));
    }
    if first.order != second.order {
        return Err(Failure::broken(format!(
            "One key, and two answers: {} and then {}.",
            first.order, second.order
        )));
    }
    Ok(())
}

async fn expect_stored(bench: &Bench, created: &Created) -> Result<(), Failure> {
    let stored = bench.get(&created.location).send().await?;
    if stored.status != 200 {
        return Err(Failure::broken(format!(
            "The `location` of the new order leads to {}, and there is {}.",
            created.location, stored.status
        )));
    }
    let stored = stored.json().await?;
    if stored != created.order {
        return Err(Failure::broken(format!(
            "At {} stands {stored}; the answer to the order was {}.",
            created.location, created.order
        )));
    }
    Ok(())
}

/// `GET /orders` says what was executed.
async fn expect_orders(bench: &Bench, expected: &[Value]) -> Result<(), Failure> {
    let orders = bench.get("/orders").send().await?.with_status(200)?.json().await?;
    if orders == json!(expected) {
        return Ok(());
    }
    let count = orders.as_array().map_or(0, Vec::len);
    Err(Failure::broken(if count > expected.len() {
        format!("{count} orders were executed, and {} should have been.", expected.len())
    } else {
        format!("The orders should be {}; they are {orders}.", json!(expected))
    }))
}

/// A `Location`, as it is meant in an answer to `/orders`.
fn resolved(location: &str) -> String {
    let location = location.strip_prefix("http:").unwrap_or(location);
    let location = location.strip_prefix("//lab.test").unwrap_or(location);
    match location.strip_prefix('/') {
        Some(_) => location.to_owned(),
        None => format!("/{}", location.strip_prefix("./").unwrap_or(location)),
    }
}

/// A problem document of this status. Its words are the server's business.
async fn expect_problem(bench: &Bench, answer: Answer, status: u16, what: &str) -> Result<(), Failure> {
    let (told, media_type) = (answer.status.as_u16(), answer.media_type());
    let text = answer.text().await?;
    if told != status {
        return Err(Failure::broken(if told < 400 {
            format!(
                "The answer is {told} {what}; the contract says {status}. Whoever looks at the status takes an error for a success."
            )
        } else if told >= 500 {
            format!(
                "The answer is {told} {what}; the contract says {status}. 5xx says that the server is to blame, and that it may help to ask again."
            )
        } else {
            format!("The answer is {told} {what}; the contract says {status}.")
        }));
    }
    if media_type != PROBLEM {
        return Err(Failure::broken(format!(
            "The {status} is `{media_type}`, not `{PROBLEM}`: no client can tell that it explains itself."
        )));
    }
    let Ok(Value::Object(problem)) = serde_json::from_str::<Value>(&text) else {
        return Err(Failure::broken(format!("The body of the {status} is no JSON object: {text}")));
    };
    if problem.get("status") != Some(&json!(status)) {
        return Err(Failure::broken(format!(
            "The problem's `status` should be {status}, as a number; it is {}.",
            problem.get("status").map_or("missing".to_owned(), Value::to_string)
        )));
    }
    let says =
        |member: &str| problem.get(member).and_then(Value::as_str).is_some_and(|words| !words.is_empty());
    if !says("title") && !says("detail") {
        return Err(Failure::broken(format!(
            "The problem says neither in `title` nor in `detail` what is wrong: {text}"
        )));
    }
    let alike = json!({ "status": status, "title": "…" }).to_string();
    bench.retell(
        |moment| moment.place == Place::ToClient && is_body(moment),
        |moment| moment.what = What::Body(Data::of_text(&alike)),
    );
    Ok(())
}

fn is_head(moment: &Moment) -> bool {
    matches!(moment.what, What::Response { .. })
}

fn is_body(moment: &Moment) -> bool {
    matches!(moment.what, What::Body(_))
}

/// A price that nobody can know beforehand.
fn price(bench: &Bench, symbol: usize) -> Value {
    json!({ "symbol": SYMBOLS[symbol], "price": 5_000 + 25 * bench.draw(100) })
}

/// A price for each symbol, in another order than that of the table.
async fn publish_all(bench: &Bench, feed: &Feed) {
    for symbol in [TLKM, BMRI] {
        feed.publish(price(bench, symbol)).await;
    }
}

/// What `GET /prices` should say: the newest update of each symbol.
async fn newest(feed: &Feed) -> Vec<Update> {
    let updates = feed.after(0).await.unwrap_or_default();
    let newest =
        |symbol: &&str| updates.iter().rev().find(|update| update.data["symbol"] == **symbol).cloned();
    SYMBOLS.iter().filter_map(newest).collect()
}
