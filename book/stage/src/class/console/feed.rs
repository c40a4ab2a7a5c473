//! The console's room of the feed: the market starts and pauses, its pace, its payload, its log.

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};
use feed::Update;
use serde_json::Value;

use super::Console;
use crate::{
    class::{Fields, done, html, key::Instructor, order::Order, room::Trouble},
    desk::Desk,
};

/// Where a browser without a script finds itself again.
const ROOM: &str = "/instructor#room-feed";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/instructor/feed/trade", post(trade))
        .route("/instructor/feed/set", post(set))
        .route("/instructor/feed/anew", post(anew))
}

/// Where the market stands, and what can be ordered of it.
pub(super) fn drawn(desk: &Desk) -> String {
    let trading = desk.trading();
    let (state, to, class, word) = match trading.is_on {
        true => ("The market trades.", "off", "", "Pause the market"),
        false => ("The market is paused.", "on", "primary", "Start the market"),
    };
    let away = desk.is_away().map_or_else(String::new, |why| {
        format!(
            "<p class=\"class-call\">The log is out of reach: {}. Nothing is published, and visitors stay.</p>",
            html::escape(&why)
        )
    });
    let (epoch, seq, newest) = desk.stands_at();
    let price = newest.as_ref().map_or_else(|| "none yet".to_owned(), price);
    let ((slowest, quickest), most) = Desk::bounds();
    let (pace, payload) = (trading.per_second, trading.payload);
    format!(
        "{away}<p><strong>{state}</strong></p>\
         <dl class=\"room-figures\"><div><dt>Price</dt><dd>{price}</dd></div><div><dt>Update</dt><dd>{seq}</dd></div>\
         <div><dt>Epoch</dt><dd>{}</dd></div></dl>\
         <div class=\"stage-controls\">{}</div>\
         <form method=\"post\" action=\"/instructor/feed/set\" class=\"room-form\"><div class=\"stage-fields\">\
         <label>Moves a second <span><input id=\"pace\" type=\"number\" name=\"pace\" value=\"{pace}\" min=\"{slowest}\" max=\"{quickest}\" step=\"any\" inputmode=\"decimal\"></span></label>\
         <label>Payload, beside the price <span><input id=\"payload\" type=\"number\" name=\"payload\" value=\"{payload}\" min=\"0\" max=\"{most}\" inputmode=\"numeric\"> bytes</span></label>\
         </div><div class=\"stage-controls\"><button id=\"set-feed\">Set pace and payload</button></div></form>\
         <p class=\"stage-hint\">From {slowest} to {quickest} moves a second; {most} bytes at most. The market obeys at once, for everybody.</p>\
         <details id=\"anew-what\"><summary>Begin the log anew</summary>\
         <p>What clients see of a server that was started again: another epoch, numbers from 1, every stream ends. \
         Whoever knows the epoch notices at once. Who compares bare numbers, as lab 3 does, hears nothing until they have passed its own, or its page is loaded again.</p>{}</details>",
        html::escape(epoch),
        html::button("trade", "/instructor/feed/trade", &[("to", to)], class, word),
        html::button("anew", "/instructor/feed/anew", &[], "stage-cut", "Begin anew, now"),
    )
}

/// `BMRI 6125`, or what an update says that is no price.
fn price(update: &Update) -> String {
    match (&update.data["symbol"], &update.data["price"]) {
        (Value::String(symbol), price @ Value::Number(_)) => format!("{} {price}", html::escape(symbol)),
        _ => html::escape(&update.data.to_string().chars().take(40).collect::<String>()),
    }
}

async fn trade(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let is_on = match Fields::read(&body).get("to") {
        "on" => true,
        "off" => false,
        _ => return done(&headers, ROOM, Err(Trouble::Bad("The market is `on` or `off`.".to_owned()))),
    };
    let told = console.class.order(Order::Trade { is_on }).await;
    done(&headers, ROOM, told.map(drop))
}

async fn set(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let told = match Desk::read(fields.get("pace"), fields.get("payload")) {
        Ok((per_second, payload)) => console.class.order(Order::Pace { per_second, payload }).await.map(drop),
        Err(refused) => Err(Trouble::Bad(refused.to_string())),
    };
    done(&headers, ROOM, told)
}

async fn anew(_: Instructor, State(console): State<Console>, headers: HeaderMap) -> Response {
    let begun = console.desk.begin_anew();
    // Every console is told.
    console.class.redraw();
    done(&headers, ROOM, begun.map_err(|refused| Trouble::Bad(refused.to_string())))
}
