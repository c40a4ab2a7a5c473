//! TODO 3: one order for one key.

use std::time::Duration;

use feed::Feed;
use grader::{
    Answer, Bench, Check, Failure, scene,
    wire::{Place, What},
};
use serde_json::{Value, json};

use super::{FILE, SYMBOLS, expect_problem, is_body, is_head, price, publish_all};

pub(crate) const TODO_3: Check = Check {
    name: "todo_3_executes_an_order_once",
    todo: Some(3),
    file: FILE,
    section: "todo-3",
    experiment: "curl -i -H 'idempotency-key: k1' --json '{\"symbol\":\"BMRI\",\"side\":\"buy\",\"quantity\":1}' http://127.0.0.1:3001/orders, twice; then curl http://127.0.0.1:3001/orders",
    scenes: &[
        scene!(
            todo_3_created,
            ["3.created", "3.location", "3.another-key"],
            "An order without a key is placed, and looked up. The same once more is another."
        ),
        scene!(
            todo_3_another_market,
            ["3.own-market"],
            "A key comes to one market, and then to another: the server was started again, with another log."
        ),
        scene!(
            todo_3_sent_again,
            ["3.same-answer", "3.once", "3.another-key"],
            "Somebody presses the button three times, with one key, and a price moves meanwhile."
        ),
        scene!(
            todo_3_at_the_same_time,
            ["3.at-once", "3.once"],
            "Two requests with one key, while the order is still being executed. A third comes later."
        ),
        scene!(
            todo_3_another_order,
            ["3.another-order"],
            "The key of one order comes with another one, and then with its own again."
        ),
        scene!(
            todo_3_cut_off,
            ["3.cut-off"],
            "The connection is cut while the order is being executed. The client asks again."
        ),
        scene!(
            todo_3_one_of_two_is_cut_off,
            ["3.cut-off", "3.at-once"],
            "Two requests with one key are under way, and the first client goes."
        ),
    ],
};

/// How long a log that takes its time needs for each reading: an order is read for twice.
const READING: Duration = Duration::from_millis(40);

async fn todo_3_created(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::ZERO).await;
    let first = place(&bench, None, &order).await?.created(&order).await?;
    bench.wait_ms(100).await;
    expect_stored(&bench, &first).await?;
    bench.wait_ms(100).await;
    let second = place(&bench, None, &order).await?.created(&order).await?;
    if second.location == first.location {
        return Err(Failure::of(
            "3.another-key",
            format!(
                "Two orders without a key are two orders, and both are at {}: nobody said that they are one.",
                first.location
            ),
        ));
    }
    bench.wait_ms(100).await;
    expect_orders(&bench, "3.another-key", &[first.order, second.order]).await
}

async fn todo_3_another_market(bench: Bench) -> Result<(), Failure> {
    let first = open_market(&bench, Duration::ZERO).await;
    let key = format!("two-markets-{}", key(&bench));
    place(&bench, Some(&key), &first).await?.created(&first).await?;
    bench.wait_ms(900).await;
    bench.note("another market opens: `app` is called once more");
    let other = another_quantity(&first);
    let feed = Feed::named("another", 100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed));
    bench.wait_ms(100).await;
    let placed = place(&bench, Some(&key), &other).await?;
    if placed.answer.status != 201 {
        return Err(Failure::of(
            "3.own-market",
            format!(
                "A market that has just been opened answers {} to its first order: it knows the key of an order in another market. What is remembered belongs into the `Market` of this `app`, not into a `static`.",
                placed.answer.status
            ),
        ));
    }
    let placed = placed.created(&other).await.map_err(|failure| failure.or_of("3.own-market"))?;
    bench.wait_ms(100).await;
    expect_orders(&bench, "3.own-market", &[placed.order]).await
}

async fn todo_3_sent_again(bench: Bench) -> Result<(), Failure> {
    let (feed, order) = open_feed(&bench, Duration::ZERO).await;
    let key = key(&bench);
    let first = place(&bench, Some(&key), &order).await?.created(&order).await?;
    bench.wait_ms(400).await;
    bench.note("the prices move");
    for symbol in [0, 1] {
        feed.publish(price(&bench, symbol)).await;
    }
    bench.wait_ms(600).await;
    for _ in 0..2 {
        let again = place(&bench, Some(&key), &order).await?.created_again(&order).await?;
        expect_one(&first, &again)?;
        bench.wait_ms(100).await;
    }
    expect_orders(&bench, "3.once", std::slice::from_ref(&first.order)).await?;
    bench.wait_ms(100).await;
    bench.note("another key is another order");
    let mut orders = vec![first];
    for other_key in other_keys(&bench, &key) {
        let other = place(&bench, Some(&other_key), &order).await?;
        if other.answer.status != 201 {
            return Err(Failure::of(
                "3.another-key",
                format!(
                    "The key `{other_key}` comes for the first time, after `{key}`, and is answered {}: another key is another order.",
                    other.answer.status
                ),
            ));
        }
        let other = other.created(&order).await?;
        if orders.iter().any(|known| known.location == other.location) {
            return Err(Failure::of(
                "3.another-key",
                format!(
                    "The key `{other_key}` comes for the first time, after `{key}`, and its answer is that of an order which was placed before: the same order under another key is another order. Somebody wants it twice."
                ),
            ));
        }
        orders.push(other);
        bench.wait_ms(100).await;
    }
    Ok(())
}

/// Keys that are this one but for a little.
fn other_keys(bench: &Bench, key: &str) -> Vec<String> {
    let mut others = vec![format!("{key}1")];
    if !bench.is_plain() {
        others.extend([
            key.to_uppercase(),
            key[..key.len() - 1].to_owned(),
            format!("\"{key}\""),
            format!("{key}, {key}"),
            key.replace('-', "_"),
            format!("{key}é"),
            format!("{key}è"),
            key.repeat(40),
        ]);
    }
    others
}

async fn todo_3_at_the_same_time(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, READING).await;
    let key = key(&bench);
    let asked = bench.now();
    let gap = bench.pick(&[10, 0, 1, 40, 41, 79]);
    let later = |ms: u64| {
        let (bench, key, order) = (bench.clone(), key.clone(), order.clone());
        async move {
            bench.wait_ms(ms).await;
            place(&bench, Some(&key), &order).await
        }
    };
    let (first, second) = tokio::join!(later(0), later(gap));
    // How long the order takes, and the second request with it, is the server's business.
    for exchange in [1, 2] {
        for is_part in [is_head, is_body] {
            bench.tell_as_window(asked, (10, 500), |moment| {
                moment.place == Place::ToClient && moment.exchange == Some(exchange) && is_part(moment)
            });
        }
    }
    let at_once = |failure: Failure| failure.or_of("3.at-once");
    let first = first.map_err(at_once)?.created_at_once(&order, gap).await?;
    let second = second.map_err(at_once)?.created_at_once(&order, gap).await?;
    if first.location != second.location || first.order != second.order {
        return Err(Failure::of(
            "3.at-once",
            format!(
                "Two requests with one key, {gap} ms apart, and two orders: {} and {}. Somebody has bought twice. The key is to be remembered before the work begins, in one step with looking for it.",
                first.location, second.location
            ),
        ));
    }
    bench.wait_ms(1_000 - bench.now().since(asked)).await;
    expect_orders(&bench, "3.at-once", std::slice::from_ref(&first.order)).await?;
    if !bench.is_plain() {
        // Once it is remembered, it stays so.
        let third = place(&bench, Some(&key), &order).await?.created_again(&order).await?;
        expect_one(&first, &third)?;
        return expect_orders(&bench, "3.once", &[first.order]).await;
    }
    Ok(())
}

async fn todo_3_another_order(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, Duration::ZERO).await;
    let key = key(&bench);
    let first = place(&bench, Some(&key), &order).await?.created(&order).await?;
    bench.wait_ms(1_000).await;
    let mut others = vec![("quantity", another_quantity(&order))];
    if !bench.is_plain() {
        let mut other = order.clone();
        other["side"] = json!(if order["side"] == "buy" { "sell" } else { "buy" });
        others.push(("side", other));
        let mut other = order.clone();
        other["symbol"] = json!(SYMBOLS[usize::from(order["symbol"] == SYMBOLS[0])]);
        others.push(("symbol", other));
    }
    for (member, other) in others {
        let placed = place(&bench, Some(&key), &other).await?;
        if placed.answer.status == 201 {
            return Err(Failure::of(
                "3.another-order",
                format!(
                    "The key belongs to an order that was executed, {order}. Under it comes {other}, whose {member} is another, and the answer is 201: its sender believes that it was executed as it stands there."
                ),
            ));
        }
        let what = format!("to a key that comes with another order, whose {member} is another,");
        expect_problem(&bench, "3.another-order", placed.answer, 422, &what).await?;
        bench.wait_ms(100).await;
    }
    let again = place(&bench, Some(&key), &order).await?;
    if again.answer.status != 201 {
        return Err(Failure::of(
            "3.another-order",
            format!(
                "Another order came under the key and was refused. Then the key's own order comes again, and is answered {}: the key still stands for the order that was executed.",
                again.answer.status
            ),
        ));
    }
    let again = again.created(&order).await?;
    if again.location != first.location {
        return Err(Failure::of(
            "3.another-order",
            format!(
                "Another order came under the key and was refused. Then the key's own order comes again, and it is executed once more, as {}; it is {}.",
                again.location, first.location
            ),
        ));
    }
    bench.wait_ms(100).await;
    expect_orders(&bench, "3.another-order", &[first.order]).await
}

async fn todo_3_cut_off(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, READING).await;
    // 5 ms to the server, 40 ms to examine the order, 40 ms to execute it, 5 ms back.
    let moments: Vec<u64> = if bench.is_plain() { vec![60] } else { (4..=94).step_by(9).collect() };
    let mut orders = Vec::new();
    for at in moments {
        let key = format!("{}-{at}", key(&bench));
        let cut = async {
            bench.wait_ms(at).await;
            bench.cut().await;
        };
        let (lost, ()) = tokio::join!(place(&bench, Some(&key), &order), cut);
        drop(lost);
        bench.wait_ms(1_000).await;
        let asked = bench.now();
        let again = place(&bench, Some(&key), &order).await.map_err(|_| {
            Failure::of(
                "3.cut-off",
                format!(
                    "The connection was cut {at} ms after the order had been sent, and the client that asks again under its key gets no answer: it waits for work that nobody does any more. (The handler of a request that is cut off is dropped where it awaits.)"
                ),
            )
        })?;
        for is_part in [is_head, is_body] {
            bench.tell_as_window(asked, (10, 500), |moment| {
                moment.place == Place::ToClient && is_part(moment)
            });
        }
        if again.answer.status != 201 {
            return Err(Failure::of(
                "3.cut-off",
                format!(
                    "The connection was cut {at} ms after the order had been sent. The client that asks again under its key gets {}, and never hears what became of the order; the contract says 201.",
                    again.answer.status
                ),
            ));
        }
        orders.push(again.created(&order).await?.order);
        bench.wait_ms(1_000 - bench.now().since(asked)).await;
        expect_orders(&bench, "3.cut-off", &orders).await?;
    }
    Ok(())
}

async fn todo_3_one_of_two_is_cut_off(bench: Bench) -> Result<(), Failure> {
    let order = open_market(&bench, READING).await;
    let moments: Vec<u64> = if bench.is_plain() { vec![60] } else { (20..=90).step_by(10).collect() };
    let mut orders = Vec::new();
    for at in moments {
        let key = format!("{}-{at}", key(&bench));
        let asked = bench.now();
        let goes = async {
            // Dropping the request closes its connection.
            let first = place_of(&bench, Some('A'), Some(&key), &order);
            drop(tokio::time::timeout(Duration::from_millis(at), first).await);
        };
        let stays = async {
            bench.wait_ms(10).await;
            place_of(&bench, Some('B'), Some(&key), &order).await
        };
        let ((), second) = tokio::join!(goes, stays);
        let second = second.map_err(|_| {
            Failure::of(
                "3.cut-off",
                format!(
                    "Two requests with one key, 10 ms apart. The first client goes after {at} ms, and the second never gets an answer: it waits for work that nobody does any more. (The handler of a request whose client has gone is dropped where it awaits.)"
                ),
            )
        })?;
        for is_part in [is_head, is_body] {
            bench.tell_as_window(asked, (10, 500), |moment| {
                moment.place == Place::ToClient && moment.client == Some('B') && is_part(moment)
            });
        }
        if second.answer.status != 201 {
            return Err(Failure::of(
                "3.cut-off",
                format!(
                    "Two requests with one key, 10 ms apart. The first client goes after {at} ms, and the second is answered {}; the contract says 201: it has a right to the order, and to one of it.",
                    second.answer.status
                ),
            ));
        }
        orders.push(second.created(&order).await?.order);
        bench.wait_ms(1_000 - bench.now().since(asked)).await;
        expect_orders(&bench, "3.cut-off", &orders).await?;
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
    open_feed(bench, read_delay).await.1
}

/// The same, with its feed.
async fn open_feed(bench: &Bench, read_delay: Duration) -> (Feed, Value) {
    bench.show_request_headers(&["idempotency-key"]);
    bench.show_response_headers(&["location"]);
    let feed = Feed::memory(100).with_read_delay(read_delay);
    publish_all(bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let side = ["buy", "sell"][bench.draw(2) as usize];
    let symbol = SYMBOLS[bench.draw(2) as usize];
    (feed, json!({ "symbol": symbol, "side": side, "quantity": 100 * (1 + bench.draw(9)) }))
}

fn another_quantity(order: &Value) -> Value {
    let mut other = order.clone();
    other["quantity"] = json!(order["quantity"].as_u64().unwrap_or_default() + 1);
    other
}

/// A key that nobody can know beforehand.
fn key(bench: &Bench) -> String {
    format!("order-{}", 1_000 + bench.draw(9_000))
}

async fn place(bench: &Bench, key: Option<&str>, order: &Value) -> Result<Placed, Failure> {
    place_of(bench, None, key, order).await
}

async fn place_of(
    bench: &Bench,
    client: Option<char>,
    key: Option<&str>,
    order: &Value,
) -> Result<Placed, Failure> {
    let mut ask = match client {
        Some(client) => bench.ask_of(client, "POST", "/orders"),
        None => bench.ask("POST", "/orders"),
    };
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
            return Err(Failure::of(
                "3.same-answer",
                format!(
                    "The same order comes again under its key, and is answered {}. A client that sends it again has not heard the first answer, and needs it: 201, and the order.",
                    self.answer.status
                ),
            ));
        }
        self.created(order).await.map_err(|failure| failure.or_of("3.same-answer"))
    }

    /// The answer to one of two that come at the same time.
    async fn created_at_once(self, order: &Value, gap: u64) -> Result<Created, Failure> {
        if self.answer.status != 201 {
            return Err(Failure::of(
                "3.at-once",
                format!(
                    "Two requests with one key, {gap} ms apart, and one of them is answered {}. Both ask for the same order, and both have not heard the answer: 201, and the order.",
                    self.answer.status
                ),
            ));
        }
        self.created(order).await
    }

    /// 201, with an address and with this order.
    async fn created(self, order: &Value) -> Result<Created, Failure> {
        let answer = self.answer;
        if answer.status != 201 {
            return Err(Failure::of(
                "3.created",
                format!("An order is answered {}; the contract says 201.", answer.status),
            ));
        }
        let Some(location) = answer.headers.get("location").and_then(|location| location.to_str().ok())
        else {
            return Err(Failure::of(
                "3.location",
                "The order was created, and the answer does not say where: 201 comes with a `location`, the address of the order. `created` makes such an answer.",
            ));
        };
        let location = resolved(location);
        let media_type = answer.media_type();
        if media_type != "application/json" {
            return Err(Failure::of(
                "3.created",
                format!("The new order is sent as `{media_type}`, not as `application/json`."),
            ));
        }
        let created = answer.json().await.map_err(|failure| failure.or_of("3.created"))?;
        for member in ["symbol", "side", "quantity"] {
            if created[member] != order[member] {
                return Err(Failure::of(
                    "3.created",
                    format!(
                        "The answer to an order of {order} should be this order, executed; it is {created}."
                    ),
                ));
            }
        }
        Ok(Created { location, order: created })
    }
}

/// Two answers that are one.
fn expect_one(first: &Created, again: &Created) -> Result<(), Failure> {
    if first.location != again.location {
        return Err(Failure::of(
            "3.once",
            format!(
                "One key, and two orders: {} and {}. Somebody has bought twice.",
                first.location, again.location
            ),
        ));
    }
    if first.order != again.order {
        return Err(Failure::of(
            "3.same-answer",
            format!(
                "One key, and two answers: {} and then {}. The order was executed once, and what is said of it stays.",
                first.order, again.order
            ),
        ));
    }
    Ok(())
}

async fn expect_stored(bench: &Bench, created: &Created) -> Result<(), Failure> {
    if !created.location.starts_with('/') {
        return Err(Failure::of(
            "3.location",
            format!(
                "The `location` of the new order is {}, which is another server than the one that was asked, `lab.test`. Send a path, or take the host from the request.",
                created.location
            ),
        ));
    }
    let stored = bench.get(&created.location).send().await?;
    if stored.status != 200 {
        return Err(Failure::of(
            "3.location",
            format!(
                "The `location` of the new order leads to {} (from /orders, where it was placed), and there is {}.",
                created.location, stored.status
            ),
        ));
    }
    let stored = stored.json().await.map_err(|failure| failure.or_of("3.location"))?;
    if stored != created.order {
        return Err(Failure::of(
            "3.location",
            format!(
                "At {} stands {stored}; the answer to the order was {}.",
                created.location, created.order
            ),
        ));
    }
    Ok(())
}

/// `GET /orders` says what was executed.
async fn expect_orders(bench: &Bench, clause: &'static str, expected: &[Value]) -> Result<(), Failure> {
    let orders = bench.get("/orders").send().await?.with_status(200)?.json().await?;
    if orders == json!(expected) {
        return Ok(());
    }
    let count = orders.as_array().map_or(0, Vec::len);
    let should = match expected.len() {
        1 => "1 should have been".to_owned(),
        many => format!("{many} should have been"),
    };
    Err(Failure::of(
        clause,
        match count.cmp(&expected.len()) {
            std::cmp::Ordering::Greater => {
                format!("{count} orders were executed, and {should}: GET /orders lists {orders}.")
            }
            std::cmp::Ordering::Less => format!(
                "GET /orders lists {count} orders, and {should}: an order that was answered with 201 is not there. Orders are executed by `market.execute`, which also lists them."
            ),
            std::cmp::Ordering::Equal => format!(
                "GET /orders lists {orders}; the answers to these orders were {}. What is said of an order should be what was executed.",
                json!(expected)
            ),
        },
    ))
}

/// A `Location`, as it is meant in an answer to `/orders` (RFC 3986 § 5.2): a path, or a whole URL of another server.
fn resolved(location: &str) -> String {
    let on_host = location.strip_prefix("http:").unwrap_or(location);
    let path = match on_host.strip_prefix("//") {
        Some(rest) => match rest.split_once('/') {
            Some(("lab.test", path)) => format!("/{path}"),
            _ => return location.to_owned(),
        },
        None if location.contains("://") => return location.to_owned(),
        // `/orders` is one segment deep: what is relative is so to `/`.
        None => on_host.to_owned(),
    };
    let mut segments = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}
