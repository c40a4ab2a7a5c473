//! TODO 1: tags, and who has what already.

use std::cell::RefCell;

use feed::{Feed, Update};
use grader::{Bench, Check, Failure, awkward, scene, wire::What};
use serde_json::{Value, json};

use super::{BMRI, FILE, SYMBOLS, TLKM, is_head, newest, price, publish_all};

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_says_not_modified",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "curl -i http://127.0.0.1:3001/prices/BMRI, and again with -H 'if-none-match: …' and the tag you got.",
    scenes: &[
        scene!(
            todo_1_asks_again,
            ["1.tag", "1.same", "1.another", "1.not-modified"],
            "A visitor asks for the prices, and asks again. A price moves. (What is in your tags is yours to choose: they are shown as \"v1\", \"v2\" …)"
        ),
        scene!(
            todo_1_one_symbol,
            ["1.same", "1.another"],
            "A visitor follows one symbol. Another symbol moves, then this one. (Your tags are shown as \"v1\", \"v2\" …)"
        ),
        scene!(
            todo_1_forms_of_the_question,
            ["1.list", "1.weak", "1.star", "1.no-match"],
            "If-None-Match is a list of tags, weak or strong, in one line or in several, or a star. Some name the tag, some do not. (Your tag is shown as \"v1\".)"
        ),
        scene!(
            todo_1_every_move,
            ["1.another"],
            "Prices move, and each table has the same digits as the one before, in other places. (Your tags are shown as \"v1\", \"v2\" …)"
        ),
        scene!(
            todo_1_another_log,
            ["1.another-log"],
            "The server is restarted. Its log is another one, with other prices under the same numbers. (Your tags are shown as \"v1\", \"v2\" …)"
        ),
    ],
};

async fn todo_1_asks_again(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::memory(100).starting_after(bench.pick(&awkward::HEADS));
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let first = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
    bench.wait_ms(1_000).await;
    visitor.fetch("/prices", Some(&first)).await?.expect_not_modified("1.not-modified", &first)?;
    bench.wait_ms(400).await;
    bench.note("a price moves");
    feed.publish(price(&bench, BMRI)).await;
    bench.wait_ms(600).await;
    let second = visitor.fetch("/prices", Some(&first)).await?.expect_prices(&newest(&feed).await)?;
    expect_another("1.another", &first, &second, "A price has moved")?;
    bench.wait_ms(1_000).await;
    visitor.fetch("/prices", Some(&second)).await?.expect_not_modified("1.not-modified", &second)?;
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
    visitor.fetch("/prices/BMRI", Some(&first)).await?.expect_not_modified("1.not-modified", &first)?;
    bench.wait_ms(400).await;
    bench.note("this symbol moves");
    feed.publish(price(&bench, BMRI)).await;
    bench.wait_ms(600).await;
    let second =
        visitor.fetch("/prices/BMRI", Some(&first)).await?.expect_price(&newest(&feed).await[BMRI])?;
    expect_another("1.another", &first, &second, "BMRI has moved")
}

/// Tags that are nobody's, though a star or a comma is in them.
const OTHERS: [&str; 6] =
    [r#""a*b""#, r#""*""#, r#"W/"*""#, r#""a,b""#, r#""one,*,two""#, r#""a", "one,*", "*,two""#];

async fn todo_1_forms_of_the_question(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::memory(100);
    publish_all(&bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let prices = newest(&feed).await;
    let tag = visitor.fetch("/prices", None).await?.expect_prices(&prices)?;
    let named: [(&'static str, &[&str]); 8] = [
        ("1.list", &[r#""old", "{tag}" ,"another""#]),
        ("1.list", &[r#""old""#, r#""{tag}""#]),
        ("1.list", &[r#""{tag}""#, r#""old", "another""#]),
        ("1.list", &[r#""old""#, r#""{tag}","another""#, r#"W/"third""#]),
        ("1.list", &[r#", ,"{tag}",, "another""#]),
        ("1.weak", &[r#"W/"{tag}""#]),
        ("1.weak", &[r#""old", W/"{tag}""#]),
        ("1.star", &["*"]),
    ];
    for (clause, lines) in named {
        bench.wait_ms(100).await;
        visitor.fetch_if("/prices", lines, &tag).await?.expect_not_modified(clause, &tag)?;
    }
    let mut others: Vec<String> =
        [r#""old", W/"another""#, r#""x{tag}", "{tag}x""#, r#""a*b", "*""#].map(str::to_owned).into();
    if !bench.is_plain() {
        others.extend(OTHERS.map(str::to_owned));
        others.extend(looks_like(&tag));
    }
    for line in others {
        bench.wait_ms(100).await;
        visitor.fetch_if("/prices", &[&line], &tag).await?.expect_prices(&prices)?;
    }
    Ok(())
}

/// Tags that are this one but for a letter.
fn looks_like(tag: &str) -> Vec<String> {
    let tag = opaque(tag);
    let (upper, lower) = (tag.to_uppercase(), tag.to_lowercase());
    let mut alike = vec![format!("\"{tag}{tag}\"")];
    // With one character left there is nothing to leave out.
    if tag.len() > 1 && tag.is_ascii() {
        alike.push(format!("\"{}\"", &tag[1..]));
        alike.push(format!("\"{}\"", &tag[..tag.len() - 1]));
    }
    alike.extend([upper, lower].into_iter().filter(|other| other != tag).map(|other| format!("\"{other}\"")));
    alike
}

async fn todo_1_every_move(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let feed = Feed::memory(1_000);
    let of = |symbol: usize, price: u64| json!({ "symbol": SYMBOLS[symbol], "price": price });
    // The last digit of each price is the number that the update has the next time.
    let base = 5_000 + 100 * bench.draw(40);
    let [tlkm, bmri] = [base, base + 10 * (1 + bench.draw(9))];
    feed.publish(of(TLKM, tlkm + 3)).await;
    feed.publish(of(BMRI, bmri + 4)).await;
    bench.serve(lab1::app(feed.clone()));
    let first = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
    let single = visitor.fetch("/prices/BMRI", None).await?.expect_price(&newest(&feed).await[BMRI])?;
    bench.wait_ms(400).await;
    bench.note("both prices move by a few");
    feed.publish(of(TLKM, tlkm + 1)).await;
    feed.publish(of(BMRI, bmri + 2)).await;
    bench.wait_ms(600).await;
    let second = visitor.fetch("/prices", Some(&first)).await?.expect_prices(&newest(&feed).await)?;
    expect_another("1.another", &first, &second, "The prices have moved")?;
    let other =
        visitor.fetch("/prices/BMRI", Some(&single)).await?.expect_price(&newest(&feed).await[BMRI])?;
    expect_another("1.another", &single, &other, "BMRI has moved")?;
    if bench.is_plain() {
        return Ok(());
    }
    // A tag of a few bits has to repeat itself sooner or later; this is sooner.
    let mut tags = vec![first, second];
    for _ in 0..60 {
        feed.publish(price(&bench, bench.draw(2) as usize)).await;
        bench.wait_ms(10).await;
        let now = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
        if let Some(before) = tags.iter().find(|tag| opaque(tag) == opaque(&now)) {
            return Err(Failure::of(
                "1.another",
                format!(
                    "The tag {before} comes again, and the prices are others than when it came first: a client that still has those is told that nothing has changed. (The prices have moved {} times.)",
                    tags.len()
                ),
            ));
        }
        tags.push(now);
    }
    Ok(())
}

async fn todo_1_another_log(bench: Bench) -> Result<(), Failure> {
    let visitor = Visitor::new(&bench);
    let mut logs = vec![("monday", "tuesday", 0)];
    if !bench.is_plain() {
        // In the last of these a name and a number, one after the other, are the same as another name and number.
        logs.extend([("1795369166", "1795369167", 0), ("log", "LOG", 0), ("1", "11", 10)]);
    }
    for (before, after, more) in logs {
        another_log(&bench, &visitor, before, after, more).await?;
    }
    Ok(())
}

/// The server of the log `before`, with so many updates more than it needs, is restarted with the log `after`.
async fn another_log(
    bench: &Bench,
    visitor: &Visitor,
    before: &str,
    after: &str,
    more: u64,
) -> Result<(), Failure> {
    let feed = Feed::named(before, 100);
    for _ in 0..more {
        feed.publish(price(bench, TLKM)).await;
    }
    publish_all(bench, &feed).await;
    bench.serve(lab1::app(feed.clone()));
    let monday = visitor.fetch("/prices", None).await?.expect_prices(&newest(&feed).await)?;
    bench.wait_ms(900).await;
    bench.note("another log begins");
    let other = Feed::named(after, 100);
    for update in newest(&feed).await {
        let mut data = update.data;
        data["price"] = json!(data["price"].as_u64().unwrap_or_default() + 25);
        other.publish(data).await;
    }
    bench.serve(lab1::app(other.clone()));
    bench.wait_ms(100).await;
    let tuesday = visitor.fetch("/prices", Some(&monday)).await?;
    if tuesday.status == 304 {
        return Err(Failure::of(
            "1.another-log",
            format!(
                "The server was restarted and has other prices, and the visitor is told that nothing has changed: it named {monday}, a tag of the log `{before}`. In the log `{after}` the numbers stand for other prices."
            ),
        ));
    }
    let tuesday = tuesday.expect_prices(&newest(&other).await)?;
    expect_another("1.another-log", &monday, &tuesday, "The prices are those of another log")?;
    bench.wait_ms(100).await;
    visitor.fetch("/prices", Some(&tuesday)).await?.expect_not_modified("1.not-modified", &tuesday)
}

/// Somebody who keeps tags. What a tag is made of is the server's business: they are told as `"v1"`, `"v2"` …
struct Visitor {
    bench: Bench,
    /// What stands between the quotes of the tags met so far, each with the address that it is a tag of.
    tags: RefCell<Vec<(String, String)>>,
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
                        *value = line.replace("{tag}", &self.name(target, tag));
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
                    *tag = format!("\"{}\"", self.name(target, tag));
                }
            }
        });
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let (status, media_type) = (answer.status.as_u16(), answer.media_type());
        Ok(Got { target: target.to_owned(), asked_with, status, media_type, tag, text: answer.text().await? })
    }

    /// What this tag is called in the transcript: tags are counted for each address.
    fn name(&self, target: &str, tag: &str) -> String {
        let mut tags = self.tags.borrow_mut();
        let known = (target.to_owned(), opaque(tag).to_owned());
        if !tags.contains(&known) {
            tags.push(known.clone());
        }
        let place = tags.iter().filter(|(other, _)| other == target).position(|other| *other == known);
        format!("v{}", place.map_or(0, |place| place + 1))
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
        let asked_with = self.asked_with();
        let Self { target, status, media_type, tag, text, .. } = self;
        if status == 304 {
            return Err(if tag.as_ref().is_some_and(|tag| *tag == asked_with) {
                Failure::of(
                    "1.another",
                    format!(
                        "What GET {target} should say has changed, and its tag is still {asked_with}: a client that names it is told that nothing has changed, and goes on showing something old."
                    ),
                )
            } else if asked_with.is_empty() {
                Failure::of(
                    "1.no-match",
                    format!(
                        "GET {target} is answered with 304, and no tag was named: this visitor has nothing yet."
                    ),
                )
            } else {
                Failure::of(
                    "1.no-match",
                    format!(
                        "GET {target} is answered with 304, and `if-none-match: {asked_with}` does not name the tag of what is there now{}: the visitor goes on showing something old.",
                        tag.map_or(String::new(), |tag| format!(", {tag}"))
                    ),
                )
            });
        }
        if status != 200 {
            return Err(Failure::of(
                "1.no-match",
                format!("GET {target} is answered with {status}; the contract says 200, with the prices."),
            ));
        }
        if media_type != "application/json" {
            return Err(Failure::of(
                "1.no-match",
                format!("The answer to GET {target} is `{media_type}`; the prices are `application/json`."),
            ));
        }
        let Some(tag) = tag else {
            return Err(Failure::of(
                "1.tag",
                format!(
                    "The answer to GET {target} has no `etag`: the visitor cannot say what it has, and gets everything each time."
                ),
            ));
        };
        if !is_tag(&tag) {
            return Err(Failure::of(
                "1.tag",
                format!(
                    "The `etag` of GET {target} is `{tag}`. A tag stands in double quotes, which are part of it, with or without `W/` in front (RFC 9110 § 8.8.3)."
                ),
            ));
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(body) if body == *expected => Ok(tag),
            Ok(body) => Err(Failure::of(
                "1.no-match",
                format!("The answer to GET {target} should be {expected}; it is {body}."),
            )),
            Err(error) => Err(Failure::of(
                "1.no-match",
                format!("The answer to GET {target} is not JSON ({error}): {text}"),
            )),
        }
    }

    /// 304 with this tag, and without a body. A header that names the tag and gets everything breaks `clause`.
    fn expect_not_modified(self, clause: &'static str, tag: &str) -> Result<(), Failure> {
        let asked_with = self.asked_with();
        let Self { target, status, tag: told, text, .. } = self;
        if status == 200 {
            return Err(match told {
                Some(told) if opaque(&told) != opaque(tag) => Failure::of(
                    "1.same",
                    format!(
                        "Nothing in GET {target} has changed, and its tag is {told}; before it was {tag}. A tag that changes by itself is worth nothing: every request transfers everything."
                    ),
                ),
                _ if asked_with == tag => Failure::of(
                    clause,
                    format!(
                        "`if-none-match: {asked_with}` names the tag of what is there, and GET {target} sends everything again."
                    ),
                ),
                _ => Failure::of(
                    clause,
                    format!(
                        "`if-none-match: {asked_with}` names the tag {tag}, and GET {target} sends everything again. One tag of a list is enough, a star stands for all, and `W/` does not count (RFC 9110 § 13.1.2)."
                    ),
                ),
            });
        }
        if status != 304 {
            return Err(Failure::of(
                clause,
                format!(
                    "GET {target} with `if-none-match: {asked_with}` is answered with {status}; the contract says 304."
                ),
            ));
        }
        match told {
            Some(told) if opaque(&told) == opaque(tag) => {}
            Some(told) => {
                return Err(Failure::of(
                    "1.not-modified",
                    format!("The 304 has the tag {told}; what the visitor has is {tag}."),
                ));
            }
            None => {
                return Err(Failure::of(
                    "1.not-modified",
                    "The 304 has no `etag`. It has the headers that the 200 would have, so that a visitor who named several tags knows which one counts (RFC 9110 § 15.4.5).",
                ));
            }
        }
        if text.is_empty() { Ok(()) } else { Err(Failure::of("1.not-modified", "The 304 has a body.")) }
    }

    /// The request's `If-None-Match`, line by line.
    fn asked_with(&self) -> String {
        self.asked_with.join("` and `if-none-match: ")
    }
}

/// What stands between the quotes of a tag.
fn opaque(tag: &str) -> &str {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted)
}

/// RFC 9110 § 8.8.3.
fn is_tag(tag: &str) -> bool {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)))
}

fn expect_another(clause: &'static str, before: &str, now: &str, because: &str) -> Result<(), Failure> {
    if opaque(before) == opaque(now) {
        return Err(Failure::of(
            clause,
            format!(
                "{because}, and the tag is still {now}: a client that names it is told that nothing has changed."
            ),
        ));
    }
    Ok(())
}

fn expect_the_same(before: &str, now: &str) -> Result<(), Failure> {
    if opaque(before) != opaque(now) {
        return Err(Failure::of(
            "1.same",
            format!(
                "Nothing has changed, and the tag is {now}; before it was {before}. The same answer has the same tag, else it is sent again for nothing."
            ),
        ));
    }
    Ok(())
}
