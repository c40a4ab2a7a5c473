//! The console's room of the connections: how many there are of each technique, and each of them, to watch and to cut.

use std::{net::SocketAddr, sync::atomic::Ordering};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};

use super::Console;
use crate::{
    class::{
        Fields, done, html,
        key::Instructor,
        order::Order,
        room::{Result, Trouble},
    },
    climate::{Connected, Scope, Tally, Technique},
};

/// How many connections are listed.
const LISTED: usize = 40;

/// Where a browser without a script finds itself again.
const ROOM: &str = "/instructor#room-lines";

pub(super) fn router() -> Router<Console> {
    Router::new().route("/instructor/lines/cut", post(cut)).route("/instructor/lines/show", post(show))
}

/// How many there are, and the first of them.
pub(super) fn drawn(console: &Console) -> String {
    let visitor = match console.shown.load(Ordering::Relaxed) {
        0 => None,
        number => Some(number),
    };
    let (lines, all) = console.climate.lines(LISTED, visitor);
    let tallies: String = console.climate.tallies().iter().map(tally).collect();
    let cut_all =
        html::button("cut-all", "/instructor/lines/cut", &[("what", "all")], "stage-cut", "Cut them all");
    let rows: String = lines.iter().map(line).collect();
    let listed = match (all, visitor) {
        (0, None) => "<p class=\"stage-hint\">Nobody is connected to a lab.</p>".to_owned(),
        (0, Some(number)) => format!("<p class=\"stage-hint\">Visitor {number} is connected to no lab.</p>"),
        _ => format!("<ul class=\"room-rows room-lines\">{rows}</ul>"),
    };
    let more = match all.saturating_sub(lines.len()) {
        0 => String::new(),
        more => format!("<p class=\"stage-hint\">And {more} more. Name a visitor to see theirs.</p>"),
    };
    let everybody = visitor.map_or_else(String::new, |number| {
        format!(
            "<div class=\"stage-controls\"><span>Only visitor {number}’s are listed.</span>{}</div>",
            html::button("show-all", "/instructor/lines/show", &[], "", "List everybody’s")
        )
    });
    format!(
        "<ul class=\"room-rows room-tallies\">{tallies}</ul><div class=\"stage-controls\">{cut_all}</div>{everybody}{listed}{more}"
    )
}

/// A form that lists one visitor's connections.
pub(super) fn finder() -> &'static str {
    "<form method=\"post\" action=\"/instructor/lines/show\" class=\"room-find\" data-resets>\
     <label>One visitor’s, number <input id=\"show-visitor\" type=\"number\" name=\"visitor\" min=\"1\" inputmode=\"numeric\" required></label>\
     <button id=\"show\">List only theirs</button></form>"
}

fn tally((technique, tally): &(Technique, Tally)) -> String {
    let Tally { connections, delivered, queue, stalled, .. } = *tally;
    let mark = technique.mark();
    let stalled = if stalled > 0 { format!(", {stalled} take nothing") } else { String::new() };
    let cut = html::button(
        &format!("cut-{mark}"),
        "/instructor/lines/cut",
        &[("what", mark)],
        "stage-cut",
        &format!("Cut<span class=\"visually-hidden\"> all of {}</span>", technique.name()),
    );
    format!(
        "<li id=\"tally-{mark}\" data-technique=\"{mark}\"><div><span class=\"eyebrow\">{}</span> <strong>{connections}</strong> \
         <span class=\"room-detail\">{delivered} delivered, {} waiting{stalled}</span></div>{cut}</li>",
        technique.name(),
        bytes(queue)
    )
}

fn line(line: &Connected) -> String {
    // It comes from somewhere, outside of tests of the climate.
    let peer = line.peer.map_or_else(String::new, |peer| peer.to_string());
    let id: String = peer.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let form = |what: &str, class: &str, room: &str, words: &str| {
        html::button(
            &format!("{what}-{id}"),
            room,
            &[("line", &peer)],
            class,
            &format!("{words}<span class=\"visually-hidden\"> {peer}</span>"),
        )
    };
    let mut detail = vec![format!("for {}", time(line.since_ms))];
    if let Some(position) = line.position {
        detail.push(format!("at update {position}"));
    }
    detail.push(format!("{} delivered", line.delivered));
    detail.push(format!("{} waiting", bytes(line.queue)));
    if line.stalled_ms > 0 {
        detail.push(format!("takes nothing for {}", time(line.stalled_ms)));
    }
    detail.push(peer.clone());
    let weather = match line.weather.is_clear() {
        true => String::new(),
        false => format!("<span class=\"room-weather\">{}</span>", line.weather),
    };
    format!(
        "<li id=\"line-{id}\" data-technique=\"{}\"><div><span class=\"eyebrow\">{}</span> {weather}\
         <span class=\"room-detail\">{}</span></div><div class=\"room-acts\">{}{}</div></li>",
        line.technique.mark(),
        in_words(line),
        detail.join(" · "),
        form("watch", "", "/instructor/wire/watch", "Watch"),
        form("cut", "stage-cut", "/instructor/lines/cut", "Cut"),
    )
}

/// `Server-Sent Events · lab 3 · visitor 2, page 1`.
pub(super) fn in_words(line: &Connected) -> String {
    let mut words = vec![line.technique.name().to_owned()];
    words.push(line.lab.map_or_else(|| "the hub".to_owned(), |lab| format!("lab {lab}")));
    if let (Some(visitor), Some(page)) = (line.visitor, line.page) {
        words.push(format!("visitor {visitor}, page {page}"));
    }
    words.join(" · ")
}

fn time(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ ..100 => format!("{seconds} s"),
        seconds @ ..6_000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

fn bytes(count: usize) -> String {
    if count < 10_000 { format!("{count} B") } else { format!("{} KB", count / 1_000) }
}

/// The address that names a connection.
pub(super) fn named(fields: &Fields) -> Result<SocketAddr> {
    fields.get("line").parse().map_err(|_| {
        Trouble::Bad("A connection is named by the address it comes from, as in 127.0.0.1:50000.".to_owned())
    })
}

pub(super) const GONE: Trouble = Trouble::Nothing("That connection is over already.");

async fn cut(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let cut = match fields.get("what") {
        "" => named(&fields).and_then(|peer| match console.climate.tap_at(peer) {
            Some(tap) => {
                tap.cut();
                tracing::info!(%peer, "the instructor cut a connection");
                Ok(())
            }
            None => Err(GONE),
        }),
        scope => match scope.parse::<Scope>() {
            Ok(scope) => console.class.order(Order::Cut { scope }).await.map(drop),
            Err(refused) => Err(Trouble::from(refused)),
        },
    };
    console.class.redraw();
    done(&headers, ROOM, cut)
}

async fn show(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let shown = match Fields::read(&body).get("visitor").trim() {
        "" => Ok(0),
        number => number
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Trouble::Bad("A visitor has a number: the first who came is 1.".to_owned())),
    };
    let shown = shown.map(|number: u64| console.shown.store(number, Ordering::Relaxed));
    console.class.redraw();
    done(&headers, ROOM, shown)
}
