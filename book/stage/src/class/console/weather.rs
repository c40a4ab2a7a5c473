//! The console's room of the weather: what is ordered, for whom, and what more there could be.

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post};

use super::Console;
use crate::{
    class::{Fields, done, html, key::Instructor, order::Order, room::Trouble},
    climate::{Climate, Scope, Technique},
    labs::LABS,
    live,
    weather::{NoSuchWeather, Weather},
};

/// Where a browser without a script finds itself again.
const ROOM: &str = "/instructor#room-weather";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/instructor/weather/order", post(order))
        .route("/instructor/weather/clear", post(clear))
}

/// What is ordered now.
pub(super) fn drawn(climate: &Climate) -> String {
    let orders = climate.orders();
    if orders.is_empty() {
        return "<p><strong>The sky is clear.</strong></p>".to_owned();
    }
    let items: String = orders
        .iter()
        .map(|(scope, weather)| {
            let scope_name = scope.to_string();
            let clear = html::button(
                &format!("clear-{scope}"),
                "/instructor/weather/clear",
                &[("for", &scope_name)],
                "",
                "Clear",
            );
            format!(
                "<li id=\"order-{scope}\"{}><div><strong>{}</strong>: {weather}</div>{clear}</li>",
                mark(*scope),
                in_words(*scope)
            )
        })
        .collect();
    let all = html::button("clear-sky", "/instructor/weather/clear", &[], "primary", "Clear sky, everywhere");
    format!("<ul class=\"room-rows\">{items}</ul><div class=\"stage-controls\">{all}</div>")
}

/// A form that orders some.
pub(super) fn form() -> String {
    let option = |scope: Scope| format!("<option value=\"{scope}\">{}</option>", in_words(scope));
    let techniques: String = Technique::ALL.map(|technique| option(Scope::Technique(technique))).concat();
    let labs: String = LABS.iter().map(|lab| option(Scope::Lab(lab.number))).collect();
    format!(
        "<h3>Order some</h3><form method=\"post\" action=\"/instructor/weather/order\" class=\"room-form\" data-resets>\
         <div class=\"stage-fields\"><label>For <select id=\"weather-for\" name=\"for\">{}\
         <optgroup label=\"A technique\">{techniques}</optgroup><optgroup label=\"A lab\">{labs}</optgroup></select></label>\
         <label>or for one visitor, number <span><input id=\"weather-visitor\" type=\"number\" name=\"visitor\" min=\"1\" inputmode=\"numeric\"></span></label></div>\
         {}<div class=\"stage-controls\"><button id=\"order\">Order this weather</button></div></form>\
         <p class=\"stage-hint\">It replaces what was ordered for the same before. Whoever is meant twice meets both. The book, this console and everybody’s own panels keep a clear sky.</p>",
        option(Scope::All),
        live::fields(&Weather::CLEAR),
    )
}

/// A scope as one says it.
pub(super) fn in_words(scope: Scope) -> String {
    match scope {
        Scope::All => "Everybody".to_owned(),
        Scope::Technique(technique) => technique.name().to_owned(),
        Scope::Lab(number) => match LABS.iter().find(|lab| lab.number == number) {
            Some(lab) => format!("Lab {number} · {}", lab.title),
            None => format!("Lab {number}"),
        },
        Scope::Visitor(number) => format!("Visitor {number}"),
    }
}

fn mark(scope: Scope) -> String {
    match scope {
        Scope::Technique(technique) => format!(" data-technique=\"{}\"", technique.mark()),
        _ => String::new(),
    }
}

impl From<NoSuchWeather> for Trouble {
    fn from(refused: NoSuchWeather) -> Self {
        Self::Bad(refused.to_string())
    }
}

async fn order(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    match read(&Fields::read(&body)) {
        Ok((scope, weather)) => ordered(&console, &headers, scope, weather).await,
        Err(trouble) => done(&headers, ROOM, Err(trouble)),
    }
}

fn read(fields: &Fields) -> Result<(Scope, Weather), Trouble> {
    // A number that is there means its visitor, whatever stands in the list beside it.
    let scope = match fields.get("visitor").trim() {
        "" => fields.get("for").parse()?,
        number => format!("visitor{number}").parse()?,
    };
    let weather = Weather::of_form(fields.all())?;
    if weather.is_clear() {
        return Err(Trouble::Bad("No weather was chosen: fill a field or tick a box.".to_owned()));
    }
    Ok((scope, weather))
}

async fn ordered(console: &Console, headers: &HeaderMap, scope: Scope, weather: Weather) -> Response {
    // A visitor's number is this stage's own; everything else, every stage that holds the class has.
    let Scope::Visitor(_) = scope else {
        return super::order(&console.class, headers, Order::Weather { scope, weather }).await;
    };
    let ordered = console.climate.order(scope, weather);
    console.class.redraw();
    done(headers, ROOM, ordered.map_err(Trouble::from))
}

async fn clear(_: Instructor, State(console): State<Console>, headers: HeaderMap, body: Bytes) -> Response {
    match Fields::read(&body).get("for") {
        "" => super::order(&console.class, &headers, Order::ClearSky).await,
        scope => match scope.parse() {
            Ok(scope) => ordered(&console, &headers, scope, Weather::CLEAR).await,
            Err(refused) => done(&headers, ROOM, Err(Trouble::from(refused))),
        },
    }
}
