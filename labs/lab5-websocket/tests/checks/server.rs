//! What the checks of the server share: our own WebSocket peers, and what is read from them.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Failure, Heard, Mark, Socket, awkward,
    wire::{Moment, Place, What, transcript::Data, ws::Message},
};
use serde_json::{Value, json};

pub(crate) const FILE: &str = "src/lib.rs";
pub(crate) const FLOOR: &str = "/floor";
/// The longest message that is read, in bytes.
pub(crate) const LONGEST: usize = 4096;
/// Long enough for everything that should come at once.
pub(crate) const SOON: Duration = Duration::from_millis(500);

/// Whether the contract says how Bob's connection ends.
pub(crate) enum End {
    Told,
    Open,
}

/// The student's server, on a network that takes and gives in drawn pieces in all plays but the plain one.
pub(crate) fn serve(bench: &Bench) -> Feed {
    let feed = Feed::memory(100);
    if !bench.is_plain() {
        bench.draw_socket_room();
    }
    bench.serve(lab5::app(feed.clone()));
    feed
}

/// Ann and Bob, in the room `general` of the student's server.
pub(crate) async fn two_in_a_room(bench: &Bench, end: End) -> Result<(Socket, Socket, Feed, Told), Failure> {
    let told = Told::on(bench);
    // How Bob's connection ends is told; what is said on it after that is the server's business.
    let mut has_ended = matches!(end, End::Open);
    bench.leave_out(move |moment| {
        moment.client == Some('B')
            && matches!(moment.what, What::Close(..) | What::Abort | What::Cut)
            && std::mem::replace(&mut has_ended, true)
    });
    let feed = serve(bench);
    let mut ann = connect(bench, 'A').await?;
    join(&mut ann, "general", "Ann", &["Ann"]).await?;
    bench.wait_ms(100).await;
    let mut bob = connect(bench, 'B').await?;
    join(&mut bob, "general", "Bob", &["Ann", "Bob"]).await?;
    bench.wait_ms(100).await;
    // TODO 2 may not be done.
    ann.listen(Duration::ZERO).await;
    Ok((ann, bob, feed, told))
}

pub(crate) async fn connect(bench: &Bench, client: char) -> Result<Socket, Failure> {
    bench.ask_of(client, "GET", FLOOR).upgrade().await
}

/// Says `join`, and no more.
pub(crate) fn say_join(socket: &Socket, room: &str, name: &str) {
    socket.send_json(&json!({ "type": "join", "room": room, "name": name }));
}

/// Joins, and finds these members.
pub(crate) async fn join(
    socket: &mut Socket,
    room: &str,
    name: &str,
    members: &[&str],
) -> Result<(), Failure> {
    say_join(socket, room, name);
    joined(socket, room, members, "1.joined", &format!("{name} joined {room:?}")).await
}

/// The answer to a `join`; members that should not be there, or lack, break this clause.
pub(crate) async fn joined(
    socket: &mut Socket,
    room: &str,
    members: &[&str],
    clause: &'static str,
    because: &str,
) -> Result<(), Failure> {
    let answer = socket
        .json(&format!("{because}; the answer should be `joined`"))
        .await
        .map_err(|failure| failure.or_of(clause))?;
    if answer["type"] != "joined" {
        return Err(Failure::of(
            clause,
            format!("{because}; the answer should be `joined`, and it is {answer}."),
        ));
    }
    if answer["room"] != room {
        return Err(Failure::of(
            "1.joined",
            format!("{because}; the `room` of `joined` should be {room:?}, and it is {}.", answer["room"]),
        ));
    }
    if answer["members"] == json!(members) {
        return Ok(());
    }
    Err(Failure::of(
        clause,
        format!(
            "{because}; `members` should be {}, and it is {}: everybody in this room, and nobody else, in the order in which they came.",
            json!(members),
            answer["members"]
        ),
    ))
}

/// The next message is an error.
pub(crate) async fn expect_error(
    socket: &mut Socket,
    clause: &'static str,
    because: &str,
) -> Result<(), Failure> {
    let what = format!("{because}; it should be answered with `error`");
    loop {
        let answer = socket.json(&what).await.map_err(|failure| failure.or_of(clause))?;
        return match answer["type"].as_str() {
            Some("entered" | "left" | "price") => continue,
            Some("error") if answer["reason"].is_string() => Ok(()),
            Some("error") => {
                Err(Failure::of(clause, format!("{because}; the error has no `reason` to read: {answer}.")))
            }
            _ => Err(Failure::of(clause, format!("{what}, and the answer is {answer}."))),
        };
    }
}

pub(crate) fn still_open(socket: &Socket, clause: &'static str, otherwise: &str) -> Result<(), Failure> {
    if socket.has_ended() { Err(Failure::of(clause, otherwise)) } else { Ok(()) }
}

/// What was heard, as JSON; pings and such are left out.
pub(crate) fn all(heard: &[Heard]) -> Result<Vec<Value>, Failure> {
    let texts = heard.iter().filter_map(|heard| match &heard.message {
        Message::Text(text) => Some(text),
        _ => None,
    });
    texts
        .map(|text| {
            serde_json::from_str(text)
                .map_err(|_| Failure::broken(format!("The server sent {text:?}, which is not JSON.")))
        })
        .collect()
}

/// The messages of this type among them.
pub(crate) fn of_type(heard: &[Value], kind: &str) -> Vec<Value> {
    heard.iter().filter(|message| message["type"] == kind).cloned().collect()
}

pub(crate) fn is_about(message: &Value, kind: &str, name: &str) -> bool {
    message["type"] == kind && message["name"] == name
}

/// When this member hears that somebody has left.
pub(crate) async fn until_left(socket: &mut Socket, name: &str, patience: Duration) -> Option<Mark> {
    let wait = async {
        loop {
            let heard = socket.next(patience).await?;
            if all(std::slice::from_ref(&heard))
                .is_ok_and(|all| all.iter().any(|told| is_about(told, "left", name)))
            {
                return Some(heard.at);
            }
        }
    };
    tokio::time::timeout(patience, wait).await.ok().flatten()
}

pub(crate) fn times_in_words(times: usize) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// The type of a message of the floor.
pub(crate) fn kind(moment: &Moment) -> Option<String> {
    let What::Message(Data::Json(json)) = &moment.what else { return None };
    serde_json::from_str::<Value>(json).ok()?["type"].as_str().map(str::to_owned)
}

/// Who is told that somebody came is TODO 2, and that somebody went TODO 3.
pub(crate) fn say_nothing_of_coming_and_going(bench: &Bench) {
    bench.leave_out(|moment| matches!(kind(moment).as_deref(), Some("entered" | "left")));
}

/// A room that nobody can know beforehand.
pub(crate) fn room(bench: &Bench) -> String {
    if bench.is_plain() {
        return ["general", "banks", "telecoms", "energy"][bench.draw(4) as usize].to_owned();
    }
    awkward::NAMES[1 + bench.draw(awkward::NAMES.len() as u64 - 1) as usize].to_owned()
}

/// Something to say, with an ID, that nobody can know beforehand; each of the `place`s has another ID.
pub(crate) fn words(bench: &Bench, place: usize) -> (String, String) {
    if bench.is_plain() {
        let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
        let price = 5_000 + 25 * bench.draw(100);
        return (format!("id-{}", bench.draw(1_000_000)), format!("{symbol} at {price}?"));
    }
    let wild = awkward::TEXTS[(place + bench.draw(15) as usize) % awkward::TEXTS.len()];
    (format!("{} {place}", bench.pick(&awkward::NAMES)), format!(" {wild}\n "))
}

/// Makes right answers alike when the play is over, however it ends.
pub(crate) struct Told(Bench);

impl Told {
    pub(crate) fn on(bench: &Bench) -> Self {
        Self(bench.clone())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.0.retell_all(|moment| match &mut moment.what {
            What::Message(Data::Text(text)) if text.len() > 500 => {
                moment.what = What::Message(Data::Bytes(text.len()))
            }
            What::Message(data @ Data::Json(_)) => plain(data, moment.place),
            What::Close(_, reason) => reason.clear(),
            _ => {}
        });
    }
}

/// A message without what the contract leaves open: the words of an error, and fields that nobody asked for.
fn plain(data: &mut Data, place: Place) {
    let Data::Json(json) = &*data else { return };
    if json.len() > 500 {
        *data = Data::Bytes(json.len());
        return;
    }
    let Ok(mut message) = serde_json::from_str::<Value>(json) else { return };
    let fields: &[&str] = match message["type"].as_str() {
        Some("joined") => &["type", "room", "members"],
        Some("entered" | "left") => &["type", "name"],
        Some("said") => &["type", "id", "from", "text"],
        Some("error") if place == Place::ToClient => {
            message["reason"] = json!("…");
            &["type", "reason"]
        }
        _ => return,
    };
    if let Some(message) = message.as_object_mut() {
        message.retain(|field, _| fields.contains(&field.as_str()));
    }
    *data = Data::of_text(&message.to_string());
}
