//! Both halves meet: the student's clients at the student's server.

use std::time::Duration;

use feed::Feed;
use grader::{
    Bench, Check, Failure, Page, scene,
    wire::{Moment, Place, What, transcript::Data},
};
use serde_json::{Value, json};

pub(crate) const BOTH_HALVES: Check = Check {
    name: "both_halves_meet",
    todo: None,
    file: "web/client.js",
    section: "lab",
    experiment: "cargo run -p lab5, open its page in two windows, talk, stop the lab with Ctrl-C, talk on, and start it again.",
    scenes: &[
        scene!(both_halves_talk, "Ann and Bob talk. Two prices move. Bob leaves."),
        scene!(both_halves_through_a_cut, "Ann's line is cut while she talks, and Bob talks on."),
    ],
};

async fn both_halves_talk(bench: Bench) -> Result<(), Failure> {
    let _told = Told(bench.clone());
    leave_out_endings(&bench);
    let feed = Feed::memory(100);
    bench.serve(lab5::app(feed.clone()));
    let ann = enter(&bench, 'A', "Ann")?;
    bench.wait_ms(100).await;
    let bob = enter(&bench, 'B', "Bob")?;
    bench.wait_ms(100).await;
    let mut said = Vec::new();
    for (page, name) in [(&ann, "Ann"), (&bob, "Bob"), (&ann, "Ann")] {
        said.push(speak(&bench, page, name)?);
        bench.wait_ms(100).await;
    }
    for _ in 0..2 {
        let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
        feed.publish(json!({ "symbol": symbol, "price": 5_000 + 25 * bench.draw(100) })).await;
        bench.wait_ms(100).await;
    }
    for client in ['A', 'B'] {
        sees(&bench, client, &said)?;
        let prices = shown(&bench, client, "price").len();
        if prices != 2 {
            return Err(Failure::broken(format!(
                "Two prices moved, and client {client} was shown {prices}."
            )));
        }
    }
    bob.eval("floor.leave()")?;
    bench.wait_ms(100).await;
    if shown(&bench, 'A', "left").len() != 1 {
        return Err(Failure::broken("Bob has left, and Ann was not told so, once."));
    }
    Ok(())
}

async fn both_halves_through_a_cut(bench: Bench) -> Result<(), Failure> {
    let _told = Told(bench.clone());
    leave_out_endings(&bench);
    leave_out_echoes(&bench);
    bench.serve(lab5::app(Feed::memory(100)));
    let ann = enter(&bench, 'A', "Ann")?;
    bench.wait_ms(100).await;
    let bob = enter(&bench, 'B', "Bob")?;
    bench.wait_ms(100).await;
    let mut said = vec![speak(&bench, &ann, "Ann")?];
    bench.wait_ms(100).await;
    // The first of these reaches the floor, and its echo is lost; the second does not get that far.
    let heard = speak(&bench, &ann, "Ann")?;
    bench.wait_ms(4).await;
    let lost = speak(&bench, &ann, "Ann")?;
    bench.wait_ms(3).await;
    let cut = bench.now();
    bench.cut_of('A').await;
    let missed = speak(&bench, &bob, "Bob")?;
    bench.wait_ms(100).await;
    let waiting = speak(&bench, &ann, "Ann")?;
    bench
        .until(Duration::from_secs(5), "Ann's line was cut, and she did not come back within 5 s.", || {
            bench
                .moments()
                .iter()
                .any(|moment| is_request(moment) && moment.client == Some('A') && bench.clock(moment) > cut)
                .then_some(())
        })
        .await?;
    bench.leave_open(cut, (500, 1_050), |moment| is_request(moment) && moment.client == Some('A'));
    bench.wait_ms(500).await;
    let mut by_bob = said.clone();
    by_bob.extend([heard.clone(), missed, lost.clone(), waiting.clone()]);
    said.extend([heard, lost, waiting]);
    sees(&bench, 'B', &by_bob)?;
    // What Bob said meanwhile was said to the room, and Ann was not in it: chapter 7.
    sees(&bench, 'A', &said)
}

fn enter(bench: &Bench, client: char, name: &str) -> Result<Page, Failure> {
    let page = bench.page_of(client, &["joinFloor"])?;
    page.eval(&format!(
        "globalThis.floor = client.joinFloor({{
            url: 'ws://lab.test/floor',
            room: 'general',
            name: {},
            show: (message) => say('show', message),
            status: (status) => say('status', status),
            signal: new AbortController().signal,
        }});",
        json!(name)
    ))?;
    Ok(page)
}

/// Says something that nobody can know beforehand: the name, and the words.
fn speak(bench: &Bench, page: &Page, name: &str) -> Result<(String, String), Failure> {
    let symbol = ["BBCA", "BMRI", "GOTO", "TLKM"][bench.draw(4) as usize];
    let text = format!("{symbol} at {}?", 5_000 + 25 * bench.draw(100));
    page.eval(&format!("floor.say({})", json!(text)))?;
    Ok((name.to_owned(), text))
}

/// This client was shown exactly this, in this order.
fn sees(bench: &Bench, client: char, said: &[(String, String)]) -> Result<(), Failure> {
    let seen: Vec<(String, String)> = shown(bench, client, "said")
        .iter()
        .map(|message| {
            let field = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            (field("from"), field("text"))
        })
        .collect();
    if seen == said {
        return Ok(());
    }
    let missing = said.iter().filter(|one| !seen.contains(one)).count();
    Err(Failure::broken(match missing {
        0 if seen.len() > said.len() => format!("Client {client} was shown a message twice."),
        0 => format!("Client {client} was shown every message, and not in the order of the room."),
        _ => {
            format!("{} messages were said, and client {client} was not shown {missing} of them.", said.len())
        }
    }))
}

fn shown(bench: &Bench, client: char, kind: &str) -> Vec<Value> {
    let shown = bench.moments().into_iter().filter_map(|moment| match moment.what {
        What::Said(label, Data::Json(json)) if label == "show" && moment.client == Some(client) => {
            serde_json::from_str::<Value>(&json).ok()
        }
        _ => None,
    });
    shown.filter(|message| message["type"] == kind).collect()
}

fn is_request(moment: &Moment) -> bool {
    matches!(moment.what, What::Request { .. })
}

/// Whether the client says `leave`, and who closes the line first, is open.
fn leave_out_endings(bench: &Bench) {
    bench.leave_out(|moment| match &moment.what {
        What::Message(Data::Json(json)) => json.contains(r#""type":"leave""#),
        What::Said(label, Data::Text(status)) => label == "status" && status == "closed",
        What::Close(..) | What::Abort => true,
        What::Cut => moment.client != Some('A'),
        _ => false,
    });
}

/// Whether the room hears once more what was sent once more is open.
fn leave_out_echoes(bench: &Bench) {
    let mut heard: Vec<(Option<char>, String)> = Vec::new();
    bench.leave_out(move |moment| {
        let (Place::ToClient, What::Message(Data::Json(json))) = (moment.place, &moment.what) else {
            return false;
        };
        let Ok(message) = serde_json::from_str::<Value>(json) else { return false };
        if message["type"] != "said" {
            return false;
        }
        let this = (moment.client, message["id"].to_string());
        if heard.contains(&this) {
            return true;
        }
        heard.push(this);
        false
    });
}

/// Makes right answers alike when the play is over: IDs are called by the order in which they
/// appear, and fields that nobody asked for are left out.
struct Told(Bench);

impl Drop for Told {
    fn drop(&mut self) {
        let mut ids: Vec<String> = Vec::new();
        self.0.retell_all(|moment| {
            let (What::Message(data) | What::Said(_, data)) = &mut moment.what else { return };
            let Data::Json(json) = &*data else { return };
            let Ok(Value::Object(mut message)) = serde_json::from_str(json) else { return };
            let fields: &[&str] = match message.get("type").and_then(Value::as_str) {
                Some("join") => &["type", "room", "name"],
                Some("say") => &["type", "id", "text"],
                Some("joined") => &["type", "room", "members"],
                Some("entered" | "left") => &["type", "name"],
                Some("said") => &["type", "id", "from", "text"],
                Some("price") => &["type", "seq", "data"],
                _ => return,
            };
            message.retain(|field, _| fields.contains(&field.as_str()));
            if let Some(id) = message.get("id").and_then(Value::as_str).map(str::to_owned) {
                if moment.place == Place::ToServer && !ids.contains(&id) {
                    ids.push(id.clone());
                }
                if let Some(place) = ids.iter().position(|other| *other == id) {
                    message.insert("id".to_owned(), json!(format!("id-{}", place + 1)));
                }
            }
            *data = Data::of_text(&Value::Object(message).to_string());
        });
    }
}
