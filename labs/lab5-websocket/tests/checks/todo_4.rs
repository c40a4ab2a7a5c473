//! TODO 4: bad input is answered, not obeyed.

use std::time::Duration;

use grader::{
    Bench, Check, Failure, Socket, scene,
    wire::{Place, What, transcript::Data},
};
use serde_json::json;

use super::server::{
    FILE, FLOOR, LONGEST, SOON, Told, all, connect, expect_error, join, joined, of_type, say_join,
    say_nothing_of_coming_and_going, serve, still_open,
};

pub(crate) const TODO_4: Check = Check {
    name: "todo_4_bad_input_is_answered_and_not_obeyed",
    todo: Some(4),
    file: FILE,
    section: "todo-4",
    experiment: "in the page's console: s = new WebSocket('/floor'); s.onclose = (e) => console.log(e.code, e.reason); then s.send('x'.repeat(4097)). And try the same from a page of another site.",
    scenes: &[
        scene!(
            todo_4_from_elsewhere,
            ["4.strangers", "4.no-origin"],
            "Pages of other origins ask to come in, and somebody without a page."
        ),
        scene!(
            todo_4_our_own_pages,
            ["4.own-page"],
            "Pages of our own ask to come in, at several hosts and ports."
        ),
        scene!(
            todo_4_nonsense,
            ["4.nonsense"],
            "Ann sends what is no JSON, and JSON that means nothing, outside and inside of a room."
        ),
        scene!(
            todo_4_too_long,
            ["4.too-long", "4.unheard", "4.longest"],
            "Messages of 4096 bytes, of 4097, and of a few more."
        ),
    ],
};

/// Messages that mean nothing.
const NONSENSE: [&str; 16] = [
    "",
    "null",
    "42",
    "\"leave\"",
    "{}",
    "{\"type\":null}",
    "{\"type\":\"LEAVE\"}",
    "{\"type\":\"said\",\"id\":\"1\",\"from\":\"Ann\",\"text\":\"Sold.\"}",
    "{\"type\":\"leave\"",
    "{\"type\":\"leave\"} and more",
    "{\"type\":\"join\",\"room\":\"general\"}",
    "{\"type\":\"join\",\"name\":\"Ann\"}",
    "{\"type\":\"say\",\"id\":\"1\"}",
    "{\"type\":\"say\",\"text\":\"Sold.\"}",
    "{\"type\":\"say\",\"id\":1,\"text\":\"Sold.\"}",
    "{\"type\":\"say\",\"id\":\"1\",\"text\":null}",
];

async fn todo_4_nonsense(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    serve(&bench);
    let mut ann = connect(&bench, 'A').await?;
    let number = bench.draw(1_000);
    let mut nonsense = vec![
        format!("BBCA at {number}?"),
        format!(r#"{{"type":"dance","tempo":{number}}}"#),
        r#"{"type":"say"}"#.to_owned(),
    ];
    if !bench.is_plain() {
        nonsense.extend(NONSENSE.map(str::to_owned));
    }
    for inside in [false, true] {
        for text in &nonsense {
            bench.wait_ms(100).await;
            ann.send_text(text);
            expect_error(&mut ann, "4.nonsense", &format!("Ann sent {text:?}, which means nothing")).await?;
        }
        bench.wait_ms(100).await;
        if !inside {
            say_join(&ann, "general", "Ann");
            joined(
                &mut ann,
                "general",
                &["Ann"],
                "4.nonsense",
                "What Ann had sent meant nothing; then she joined",
            )
            .await?;
        }
    }
    let mut bob = connect(&bench, 'B').await?;
    join(&mut bob, "general", "Bob", &["Ann", "Bob"]).await?;
    still_open(
        &ann,
        "4.nonsense",
        "Ann sent what means nothing, and her connection was closed: it should stay open.",
    )
}

/// What a message of this many bytes may be.
fn dull(bytes: usize) -> String {
    let empty = json!({ "type": "say", "id": "long", "text": "" }).to_string();
    json!({ "type": "say", "id": "long", "text": "x".repeat(bytes - empty.len()) }).to_string()
}

async fn todo_4_too_long(bench: Bench) -> Result<(), Failure> {
    let _told = Told::on(&bench);
    say_nothing_of_coming_and_going(&bench);
    // Whether the server waits for the answer to its close frame is its own business; what others hear is checked.
    bench.leave_out(|moment| {
        matches!(
            (moment.place, &moment.what),
            (Place::ToServer, What::Close(..)) | (_, What::Cut | What::Abort)
        ) || moment.client == Some('W')
            // Who hears what was said is TODO 2.
            || (moment.place == Place::ToClient && matches!(moment.what, What::Message(Data::Bytes(_))))
    });
    serve(&bench);
    let mut ann = connect(&bench, 'A').await?;
    bench.note("a message of 4096 bytes, most of them spaces");
    let word = json!({ "type": "join", "room": "general", "name": "Ann" }).to_string();
    ann.send_text(&format!("{word}{}", " ".repeat(LONGEST - word.len())));
    joined(
        &mut ann,
        "general",
        &["Ann"],
        "4.longest",
        "Ann's `join` has 4096 bytes, and that is not too long",
    )
    .await?;
    let short = "x".repeat(LONGEST);
    bench.leave_out(|moment| moment.client == Some('V'));
    let mut vera = connect(&bench, 'V').await?;
    vera.send_text(&short);
    expect_error(
        &mut vera,
        "4.longest",
        "Vera sent 4096 letters that mean nothing, and that is not too long",
    )
    .await?;
    join(&mut vera, "longest", "Vera", &["Vera"]).await?;
    vera.send_text(&dull(LONGEST));
    if let Some(answer) = not_obeyed(&mut vera).await? {
        return Err(Failure::of(
            "4.longest",
            format!(
                "Vera said something of 4096 bytes, which is not too long, and was answered with {answer}."
            ),
        ));
    }
    // 2100 letters, of two bytes each.
    let accents = json!({ "type": "say", "id": "long", "text": "é".repeat(2_100) }).to_string();
    for (client, name, message, what) in [
        ('B', "Bob", dull(LONGEST + 1), "4097 bytes"),
        ('C', "Cid", accents, "fewer than 4096 characters and more than 4096 bytes"),
        ('D', "Dora", dull(12_000), "12000 bytes"),
        ('E', "Eve", "x".repeat(LONGEST + 1), "4097 bytes that mean nothing"),
        ('G', "Gus", format!("{}{}", dull(100), " ".repeat(LONGEST - 99)), "4097 bytes, most of them spaces"),
        ('F', "Fay", "📈".repeat(1_100), "1100 characters and 4400 bytes"),
    ] {
        bench.wait_ms(100).await;
        let mut socket = connect(&bench, client).await?;
        // Fay speaks before she has joined.
        let mut witness = None;
        if client != 'F' {
            let mut first = connect(&bench, 'W').await?;
            join(&mut first, name, "Abe", &["Abe"]).await?;
            join(&mut socket, name, name, &["Abe", name]).await?;
            witness = Some(first);
        }
        socket.send_text(&message);
        closed_as_too_long(&mut socket, what).await?;
        if let Some(witness) = &mut witness
            && !of_type(&all(&witness.listen(SOON).await)?, "said").is_empty()
        {
            return Err(Failure::of(
                "4.unheard",
                format!(
                    "A message of {what} came and was closed with 1009; the others in the room heard it before."
                ),
            ));
        }
    }
    still_open(&ann, "4.too-long", "Other connections were closed, and Ann's with them.")
}

/// An error, or the end; nothing where the message was obeyed.
async fn not_obeyed(socket: &mut Socket) -> Result<Option<String>, Failure> {
    let heard = all(&socket.listen(SOON).await)?;
    if socket.has_ended() {
        return Ok(Some("the end of the connection".to_owned()));
    }
    Ok(of_type(&heard, "error").first().map(ToString::to_string))
}

async fn closed_as_too_long(socket: &mut Socket, what: &str) -> Result<(), Failure> {
    let (code, _) = socket
        .closed(
            SOON,
            &format!("A message of {what} came, and the connection was not closed with a close frame."),
        )
        .await
        .map_err(|failure| failure.or_of("4.too-long"))?;
    if code == Some(1009) {
        return Ok(());
    }
    Err(Failure::of(
        "4.too-long",
        format!(
            "A message of {what} came, and the connection was closed {}; it should be 1009, *message too big*.",
            code.map_or_else(|| "without a code".to_owned(), |code| format!("with code {code}"))
        ),
    ))
}

async fn todo_4_from_elsewhere(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["origin"]);
    bench.leave_out(|moment| matches!(moment.what, What::Body(_) | What::Abort | What::Cut));
    serve(&bench);
    let host = bench.pick(&["lab.test", "lab.test:3005", "[::1]:3005"]);
    let name = host.split(":3005").next().unwrap_or_default();
    let port = 8_000 + bench.draw(1_000);
    for origin in [
        "http://evil.example".to_owned(),
        format!("http://{name}.evil.example"),
        format!("http://evil-{name}"),
        format!("http://evil.example/{host}"),
        format!("http://{name}:{port}"),
        "null".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://{host}@evil.example"),
        format!("http://{host}5"),
    ] {
        let answer = bench
            .ask("GET", FLOOR)
            .host(host)
            .header("origin", &origin)
            .asking_for_websocket()
            .send()
            .await
            .map_err(|failure| failure.or_of("4.strangers"))?;
        bench.retell(
            |moment| matches!(moment.what, What::Response { .. }),
            |moment| {
                if let What::Response { content_type, .. } = &mut moment.what {
                    *content_type = None;
                }
            },
        );
        if answer.status.as_u16() != 403 {
            return Err(Failure::of(
                "4.strangers",
                format!(
                    "A page of the origin `{origin}` asked `{host}` to come in, and was answered with {}; it should be 403. Whoever opens that page lends it the cookies of this site.",
                    answer.status
                ),
            ));
        }
        drop(answer);
        bench.wait_ms(100).await;
    }
    let answer = bench.ask("GET", FLOOR).host(host).asking_for_websocket().send().await?;
    may_enter(&answer.status.as_u16(), "4.no-origin", "Somebody without an `Origin` asked to come in")
}

fn may_enter(status: &u16, clause: &'static str, because: &str) -> Result<(), Failure> {
    if *status == 101 {
        return Ok(());
    }
    Err(Failure::of(clause, format!("{because}, and was answered with {status}; it should be 101.")))
}

async fn todo_4_our_own_pages(bench: Bench) -> Result<(), Failure> {
    bench.show_request_headers(&["origin"]);
    bench.leave_out(|moment| matches!(moment.what, What::Body(_) | What::Abort | What::Cut));
    serve(&bench);
    for host in
        ["lab.test", "lab.test:3005", "127.0.0.1:3005", "[::1]:3005", "localhost:3005", "[2001:db8::1]"]
    {
        let origin = format!("{}://{host}", bench.pick(&["http", "https"]));
        let answer = bench
            .ask("GET", FLOOR)
            .host(host)
            .header("origin", &origin)
            .asking_for_websocket()
            .send()
            .await?;
        let because = format!("Our own page, of the origin `{origin}`, asked `{host}` to come in");
        may_enter(&answer.status.as_u16(), "4.own-page", &because)?;
        drop(answer);
        bench.wait_ms(100).await;
    }
    bench.wait(Duration::from_millis(100)).await;
    Ok(())
}
