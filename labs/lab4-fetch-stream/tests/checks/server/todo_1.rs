//! TODO 1: each token is an event.

use feed::Feed;
use grader::{Bench, Check, EventStream, Failure, awkward::TEXTS, scene};
use serde_json::json;

use super::{FILE, FOLLOW, ask, say_nothing_of_the_end, whenever};

pub(crate) const TODO_1: Check = Check {
    name: "todo_1_sends_each_token_as_an_event",
    todo: Some(1),
    file: FILE,
    section: "todo-1",
    experiment: "cargo run -p lab4, and in another terminal the `curl -N` of the lab's README: one block for each token.",
    scenes: &[
        scene!(
            todo_1_each_token,
            ["1.one-event", "1.stream", "1.no-type", "1.letter", "1.blanks", "1.lines"],
            "Somebody asks how the market is. Two prices are known."
        ),
        scene!(
            todo_1_line_breaks,
            ["1.lines", "1.blanks"],
            "A price has a remark with line breaks, and what stands there looks like the end."
        ),
        scene!(
            todo_1_any_token,
            ["1.letter", "1.blanks", "1.lines", "1.one-event"],
            "Tokens come with blanks and line breaks at both ends, and with signs that other formats use."
        ),
    ],
};

async fn todo_1_each_token(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    let (bbca, goto) = (9_000 + 25 * bench.draw(40), 50 + bench.draw(20));
    feed.publish(json!({ "symbol": "GOTO", "price": goto })).await;
    feed.publish(json!({ "symbol": "BBCA", "price": bbca })).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, "How is the market?").await?;
    let (bbca, goto) = (format!(" {bbca}"), format!(" {goto}"));
    let tokens = [
        "Prices", " now:", "\n\nBBCA", &bbca, " ·", "\nGOTO", &goto, " ·", "\n\nThey", " move", " —", " ask",
        " again.",
    ];
    let result = expect_all(&mut answer, &tokens).await;
    whenever(&bench, asked);
    say_nothing_of_the_end(&bench);
    result
}

async fn todo_1_line_breaks(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    let price = 60 + bench.draw(10);
    let remark = "halted\nevent:done\ndata:{}\n\nuntil 10:00";
    feed.publish(json!({ "symbol": "GOTO", "price": price, "remark": remark })).await;
    bench.serve(lab4::app(feed));
    let (mut answer, asked) = ask(&bench, "Why is GOTO so quiet?").await?;
    let price = format!(" {price}");
    let tokens = [
        "Prices",
        " now:",
        "\n\nGOTO",
        &price,
        " ·",
        " (halted",
        "\nevent:done",
        "\ndata:{}",
        "\n\nuntil",
        " 10:00)",
        "\n\nThey",
        " move",
        " —",
        " ask",
        " again.",
    ];
    let result = expect_all(&mut answer, &tokens).await;
    whenever(&bench, asked);
    say_nothing_of_the_end(&bench);
    result
}

/// Tokens on which a careless server stumbles, the first of them in the plain play.
const TOKENS: [&str; 22] = [
    " two  blanks ",
    "again",
    "again",
    "\n\nat both ends\n",
    "<b>bold</b> & \"quoted\" \\n",
    "data: x",
    ": no comment",
    "event: done\n\ndata: {}",
    " ",
    "\n",
    "\n\n",
    "\tindented\t",
    "{\"a\": 1}",
    "\"\"",
    "id: 7\nretry: 1",
    "\u{feff}mark",
    "\u{2028}\u{2029}\u{85}",
    "caf\u{e9} \u{25b2} \u{1d11e}",
    "a\0b",
    "%20+%0A",
    "null",
    "done",
];

async fn todo_1_any_token(bench: Bench) -> Result<(), Failure> {
    let feed = Feed::memory(100);
    let tokens: Vec<&str> = if bench.is_plain() {
        TOKENS[..8].to_vec()
    } else {
        // The one half, and the other.
        let half = [&TOKENS[..], &TEXTS].concat().into_iter().skip((bench.seed() % 2) as usize).step_by(2);
        half.filter(|token| !token.is_empty() && !token.contains('\r')).collect()
    };
    bench.serve(lab4::app(feed.clone()));
    // An answer that is sent whole comes when the market has closed.
    let say_and_close = async {
        for token in &tokens {
            bench.wait_ms(40).await;
            feed.publish(*token).await;
        }
        bench.wait_ms(40).await;
        feed.close();
    };
    let (answered, ()) = tokio::join!(ask(&bench, FOLLOW), say_and_close);
    let (mut answer, asked) = answered?;
    let result = expect_all(&mut answer, &tokens).await;
    whenever(&bench, asked);
    say_nothing_of_the_end(&bench);
    result
}

async fn expect_all(answer: &mut EventStream, tokens: &[&str]) -> Result<(), Failure> {
    for (index, token) in tokens.iter().enumerate() {
        expect(answer, index + 1, token, tokens.get(index + 1).copied()).await?;
    }
    Ok(())
}

/// The next event is this token. `next` is the one after it.
async fn expect(
    answer: &mut EventStream,
    number: usize,
    token: &str,
    next: Option<&str>,
) -> Result<(), Failure> {
    let event = answer.event(&format!("Token {number}, {token:?}, did not arrive")).await;
    let event = event.map_err(|failure| failure.or_of("1.one-event"))?;
    let data = &event.data;
    if event.name != "message" {
        return Err(Failure::of(
            "1.no-type",
            format!(
                "Token {number}, {token:?}, arrives as an event of type `{}`: a token has no type of its own, so that its reader sees `message`.",
                event.name
            ),
        ));
    }
    if data == token {
        return Ok(());
    }
    if next == Some(data) {
        return Err(Failure::of(
            "1.one-event",
            format!(
                "Token {number}, {token:?}, did not arrive: the next event is {data:?}, which is token {}.",
                number + 1
            ),
        ));
    }
    let arrives = format!("Token {number} is {token:?} and arrives as {data:?}");
    Err(if serde_json::from_str::<String>(data).is_ok_and(|text| text == token) {
        Failure::of(
            "1.letter",
            format!(
                "Token {number} is {token:?} and arrives as JSON, `{data}`: the contract says the token itself."
            ),
        )
    } else if token.contains('\n') && !data.contains('\n')
        || without_breaks(data) == without_breaks(token) && data.trim() != token.trim()
        || token.trim().contains('\n')
    {
        Failure::of(
            "1.lines",
            format!(
                "{arrives}. A line break ends a field, and two end the event: each line of the token needs a `data` field of its own."
            ),
        )
    } else if data.trim() != token.trim() {
        Failure::of(
            "1.letter",
            format!(
                "{arrives}. What another format would escape is a letter like any other here: the data is the token itself."
            ),
        )
    } else if token.trim_matches('\n') != token {
        Failure::of(
            "1.lines",
            format!(
                "{arrives}: a line break is lost. Each line of the token needs a `data` field of its own, an empty line, too."
            ),
        )
    } else if data.trim_end() == token.trim_end() {
        Failure::of("1.blanks", format!("{arrives}: blanks at its end are lost. They are the token's own."))
    } else if !token.starts_with(' ') {
        Failure::of(
            "1.letter",
            format!("{arrives}: white space is a part of the token like any other letter."),
        )
    } else {
        Failure::of(
            "1.blanks",
            format!(
                "{arrives}: a blank is lost. The first blank behind `data:` is the format's; the token's own comes after it."
            ),
        )
    })
}

/// The letters of a text, whatever stands between its lines.
fn without_breaks(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '\n' | ' ')).collect()
}
