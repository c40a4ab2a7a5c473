//! An assistant that answers token by token: an event stream, asked for with a POST.

mod model;

use std::convert::Infallible;

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::{get, post},
};
use feed::Feed;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::json;
#[allow(unused_imports, reason = "what the TODOs may call for")]
use {futures_util::stream, std::future::ready};

use model::{Answer, Model};

/// Who may ask. A real assistant knows its users; this one knows a password.
const TOKEN: &str = "demo";

// ANCHOR: app
/// `POST /ask`: an answer, token by token. `GET /tokens`: how many were made, and paid for.
pub fn app(feed: Feed) -> Router {
    let desk = Desk { model: Model::new(feed.clone()), feed };
    Router::new().route("/ask", post(ask)).route("/tokens", get(tokens)).with_state(desk)
}

#[derive(Clone)]
struct Desk {
    model: Model,
    feed: Feed,
}

/// `{ "question": "How is BBCA?" }`
#[derive(Deserialize)]
struct Question {
    question: String,
}

async fn ask(
    State(desk): State<Desk>,
    headers: HeaderMap,
    asked: Result<Json<Question>, JsonRejection>,
) -> Response {
    if !may_ask(&headers) {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"assistant\"")];
        return (challenge, problem(StatusCode::UNAUTHORIZED, "Send `Authorization: Bearer demo`."))
            .into_response();
    }
    let Question { question } = match asked {
        Ok(Json(question)) => question,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    if desk.feed.is_closed() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "The market is closed: ask when it is open.");
    }
    respond(desk.model.answer(&question)).await
}
// ANCHOR_END: app

/// TODO 1: Each token is one event. It has no type of its own; its data is the
/// token, to the letter. Blanks and line breaks in it stay what they are.
fn event(token: &str) -> Event {
    // ANCHOR: todo_1
    let _ = token;
    todo!("TODO 1")
    // ANCHOR_END: todo_1
}

/// TODO 2: A token is sent when it is made. When the client goes, the work
/// stops. Tokens are money.
async fn respond(answer: Answer) -> Response {
    // ANCHOR: todo_2
    let whole: Vec<Event> = events(answer).collect().await;
    Sse::new(stream::iter(whole).map(Ok::<_, Infallible>)).into_response()
    // ANCHOR_END: todo_2
}

/// TODO 3: After the last token comes one event `done`. If the model fails, one
/// event `error` comes instead. Then the response ends. (The status was sent
/// long before, so only the stream itself can say how it ended.)
fn events(answer: Answer) -> impl Stream<Item = Event> + Send + 'static {
    // ANCHOR: todo_3
    answer.filter_map(|made| ready(made.ok().map(|token| event(&token))))
    // ANCHOR_END: todo_3
}

fn may_ask(headers: &HeaderMap) -> bool {
    let credentials =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    credentials.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token == TOKEN)
}

async fn tokens(State(desk): State<Desk>) -> impl IntoResponse {
    Json(json!({ "tokens": desk.model.tokens() }))
}

/// An error that is known before the answer begins (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = json!({ "title": title, "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
}
