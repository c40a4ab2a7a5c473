//! A floor that serves by itself, for the sweeps of the client: it lets everybody in, says what it hears, and remembers.

use std::{cell::RefCell, rc::Rc, time::Duration};

use grader::{
    Asked, Bench, Disturbance, Failure,
    wire::{Moment, Place, What, transcript::Data, ws::Message},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Floor, is_farewell, shown};

/// How long the floor takes for everything it says.
const TURN: Duration = Duration::from_millis(15);

/// What a floor that serves by itself has heard.
pub(crate) struct Crowd {
    bench: Bench,
    heard: Rc<RefCell<Heard>>,
}

#[derive(Default)]
struct Heard {
    /// What was said on each connection, in the order in which they were opened.
    said: Vec<Vec<Value>>,
    /// Messages before `join`, a second `join`, and what is no message of the protocol.
    out_of_turn: Vec<String>,
    open: usize,
    most_open: usize,
}

impl Crowd {
    /// From here on the floor answers by itself. It closes the first connection after `ends`, with code 1001.
    pub(crate) fn on(floor: Floor, ends: Option<Duration>) -> Self {
        let heard = Rc::new(RefCell::new(Heard::default()));
        let crowd = Self { bench: floor.bench.clone(), heard: Rc::clone(&heard) };
        let (room, name) = (floor.room, floor.name);
        let mut ends = ends;
        floor.server.answer_all(move |asked| {
            let until = Instant::now() + ends.take().unwrap_or(Duration::from_secs(100_000));
            serve(asked, Rc::clone(&heard), room.clone(), name.clone(), until)
        });
        crowd
    }

    /// After an abort nothing is opened, sent or shown any more, and the connection is closed.
    pub(crate) fn silent_after_abort(&self, clause: &'static str) -> Result<(), Failure> {
        let Some((Disturbance::Abort | Disturbance::AbortInside, _)) = self.bench.disturbance() else {
            return Ok(());
        };
        let mut after = self.bench.recording();
        // The last moment before them is the note of what happened.
        let after = after.split_off(after.len() - self.bench.since_disturbed().len() - 1);
        let aborted = after[0].0;
        let did = |at: u64, moment: &Moment| match &moment.what {
            _ if is_farewell(&moment.what) => None,
            What::Request { method, target, .. } => Some(format!("the client asked for {method} {target}")),
            What::Said(label, _) => Some(format!("`{label}` was called")),
            // What was sent within the call is in transit when the signal is aborted in it.
            What::Message(_) if moment.place == Place::ToServer && at > aborted => {
                Some("the client sent another message".to_owned())
            }
            _ => None,
        };
        for (at, moment) in &after[1..] {
            if let Some(did) = did(*at, moment) {
                let when = match at - aborted {
                    0 => "in the same moment".to_owned(),
                    ms => format!("{ms} ms later"),
                };
                return Err(Failure::of(clause, format!("The signal was aborted, and {when} {did}.")));
            }
        }
        if self.heard.borrow().open > 0 {
            return Err(Failure::of(
                clause,
                "The signal was aborted, and a minute later the connection is still open.",
            ));
        }
        Ok(())
    }

    /// There were never two connections at a time, and each began with `join`.
    pub(crate) fn one_at_a_time(&self) -> Result<(), Failure> {
        let heard = self.heard.borrow();
        if heard.most_open > 1 {
            return Err(Failure::of(
                "6.one",
                format!("{} connections were open at a time.", heard.most_open),
            ));
        }
        if let Some(message) = heard.out_of_turn.first() {
            return Err(Failure::of(
                "6.join",
                format!(
                    "The client sent {message} out of turn: on every connection `join` comes first, once, and `joined` is the answer to it."
                ),
            ));
        }
        Ok(())
    }

    /// Unless it was sent away, the client is on the floor in the end.
    pub(crate) fn is_back(&self) -> Result<(), Failure> {
        if self.heard.borrow().open == 1 {
            return Ok(());
        }
        Err(Failure::of(
            "6.returns",
            "A minute and a half later no connection is open: the client has not come back.",
        ))
    }

    /// All of this was said by one client: it arrived in order under one ID each, was sent again only while it was not
    /// acknowledged, and was shown once.
    pub(crate) fn all_arrived(&self, texts: &[String]) -> Result<(), Failure> {
        let heard = self.heard.borrow();
        let mut arrived: Vec<(&Value, &Value)> = Vec::new();
        for said in &heard.said {
            let places: Vec<_> =
                said.iter().map(|message| texts.iter().position(|text| message["text"] == **text)).collect();
            if let Some(place) = (1..places.len()).find(|&place| places[place] <= places[place - 1]) {
                let clause = if places[place] == places[place - 1] { "8.again" } else { "8.order" };
                return Err(Failure::of(
                    clause,
                    format!(
                        "On one connection {} was sent after {}.",
                        said[place]["text"],
                        said[place - 1]["text"]
                    ),
                ));
            }
            for message in said {
                match arrived.iter().find(|(text, _)| **text == message["text"]) {
                    Some((_, id)) if **id != message["id"] => {
                        return Err(Failure::of(
                            "8.same-id",
                            format!("{} was sent again under another `id`.", message["text"]),
                        ));
                    }
                    Some(_) => {}
                    None => arrived.push((&message["text"], &message["id"])),
                }
            }
        }
        if let Some(text) = texts.iter().find(|text| !arrived.iter().any(|(other, _)| **other == **text)) {
            return Err(Failure::of(
                "8.again",
                format!("{text:?} was said, and the floor has never heard it."),
            ));
        }
        self.none_after_its_acknowledgement()?;
        let shown = shown(&self.bench, "said");
        for text in texts {
            let times = shown.iter().filter(|message| message["text"] == **text).count();
            if times != 1 {
                return Err(Failure::of(
                    "7.once",
                    format!("{text:?} was said once, and `show` was called with it {times} times."),
                ));
            }
        }
        Ok(())
    }

    fn none_after_its_acknowledgement(&self) -> Result<(), Failure> {
        let mut acknowledged: Vec<Value> = Vec::new();
        for (_, moment) in self.bench.recording() {
            let What::Message(Data::Json(json)) = &moment.what else { continue };
            let message: Value = serde_json::from_str(json).unwrap_or_default();
            if moment.place == Place::ToClient && message["type"] == "said" {
                acknowledged.push(message["id"].clone());
            } else if message["type"] == "say" && acknowledged.contains(&message["id"]) {
                return Err(Failure::of(
                    "8.acknowledged",
                    format!(
                        "The floor had said {} on the connection before, and it was sent again.",
                        message["text"]
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// One connection.
async fn serve(asked: Asked, heard: Rc<RefCell<Heard>>, room: String, name: String, until: Instant) {
    let Ok(mut socket) = asked.upgrade().await else { return };
    let this = {
        let mut heard = heard.borrow_mut();
        heard.open += 1;
        heard.most_open = heard.most_open.max(heard.open);
        heard.said.push(Vec::new());
        heard.said.len() - 1
    };
    let mut has_joined = false;
    loop {
        let Some(message) = socket.next(until.saturating_duration_since(Instant::now())).await else {
            if !socket.has_ended() {
                socket.close(1001, "");
                let _ = socket.next(Duration::from_secs(5)).await;
            }
            break;
        };
        let text = match message.message {
            Message::Text(text) => text,
            Message::Close(..) => break,
            _ => continue,
        };
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        match message["type"].as_str() {
            Some("join") if !has_joined => {
                has_joined = true;
                sleep(TURN).await;
                socket.send_json(&json!({ "type": "joined", "room": room, "members": [name] }));
            }
            Some("leave") => {}
            Some("say") if has_joined => {
                heard.borrow_mut().said[this].push(message.clone());
                sleep(TURN).await;
                let said =
                    json!({ "type": "said", "id": message["id"], "from": name, "text": message["text"] });
                socket.send_json(&said);
            }
            _ => heard.borrow_mut().out_of_turn.push(text),
        }
    }
    heard.borrow_mut().open -= 1;
}
