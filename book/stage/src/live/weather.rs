//! The weather that a visitor orders for their own page.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use url::form_urlencoded;

use super::{House, Named, Numbers, named_page};
use crate::{guard, weather::Weather};

const GROUP: &str = include_str!("../../web/weather.html");
const FIELDS: &str = include_str!("../../web/weather-fields.html");

/// The group of controls, as the page shows it in this weather, and in what the instructor has ordered over it.
pub(super) fn group(weather: &Weather, over: &Weather) -> String {
    let over = match over.is_clear() {
        true => String::new(),
        // What is ordered later stands in the wire beside it.
        false => format!(
            "      <p class=\"stage-hint\" id=\"weather-over\">When you opened this page, the instructor had ordered weather for it: <strong>{over}</strong>.</p>\n"
        ),
    };
    over + &GROUP
        .replace("{open}", if weather.is_clear() { "" } else { " open" })
        .replace("{now}", &weather.to_string())
        .replace("{fields}", &fields(weather))
}

/// The fields of a form that orders weather, with this one in them.
pub(crate) fn fields(weather: &Weather) -> String {
    let number = |value: u32| if value == 0 { String::new() } else { value.to_string() };
    let checked = |is_on: bool| if is_on { " checked" } else { "" };
    FIELDS
        .replace("{latency}", &number(weather.latency))
        .replace("{jitter}", &number(weather.jitter))
        .replace("{reader}", &number(weather.reader))
        .replace("{proxy}", &number(weather.proxy))
        .replace("{hold}", checked(weather.hold))
        .replace("{refuse}", checked(weather.refuse))
        .replace("{bad_gateway}", checked(weather.bad_gateway))
}

/// Orders the weather that the form asks for. Who has a script is told what is
/// on now; who has none gets the page again, in that weather.
pub(super) async fn order(
    State(house): State<Arc<House>>,
    Named(lab): Named,
    query: Numbers,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let Some(visitor) = house.visitors.find(&headers) else {
        return (StatusCode::FORBIDDEN, "Open the lab's page first.\n").into_response();
    };
    let body = match Bytes::from_request(request, &()).await {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let fields: Vec<_> = form_urlencoded::parse(&body).collect();
    // The button that clears the sky says so, whatever stands in the fields.
    let clears = fields.iter().any(|(name, _)| name == "clear");
    let asked = match clears {
        true => Ok(Weather::CLEAR),
        false => Weather::of_form(fields.iter().map(|(name, value)| (&**name, &**value))),
    };
    let weather = match asked {
        Ok(weather) => weather,
        Err(why) => return (StatusCode::UNPROCESSABLE_ENTITY, format!("{why}\n")).into_response(),
    };
    let page = visitor.page(named_page(&query));
    let before = visitor.order(page, weather);
    visitor.narrate(page, before.turns_into(&weather));
    house.climate.has_turned(&visitor, page);
    tracing::info!(visitor = visitor.number(), page, %weather, "a visitor ordered weather");
    if guard::wants_page(&headers) {
        Redirect::to(&format!("{}/?follows={page}", lab.path)).into_response()
    } else {
        weather.to_string().into_response()
    }
}
