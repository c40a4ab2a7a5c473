//! Prices on request: a market over plain HTTP.

mod market;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
    routing::get,
};
use feed::Feed;
use market::{Market, Order};
use serde::Serialize;
#[allow(unused_imports, reason = "what the TODOs may call for")]
use {
    axum::http::{StatusCode, header},
    market::{Attempt, Executed, lock},
    serde_json::json,
    tokio::sync::OnceCell,
};

// ANCHOR: app
/// `GET /prices` and `GET /prices/BMRI`: the newest prices. `POST /orders`
/// places an order; `GET /orders` and `GET /orders/1` show what was executed.
pub fn app(feed: Feed) -> Router {
    Router::new()
        .route("/prices", get(prices))
        .route("/prices/{symbol}", get(price))
        .route("/orders", get(orders).post(place))
        .route("/orders/{id}", get(order))
        .with_state(Arc::new(Market::new(feed)))
}

async fn prices(State(market): State<Arc<Market>>, asked: HeaderMap) -> Response {
    let prices: Vec<_> = market.prices().await.into_values().collect();
    let newest = prices.iter().map(|update| update.seq).max().unwrap_or(0);
    unless_known(&asked, market.epoch(), newest, prices)
}

async fn price(
    State(market): State<Arc<Market>>,
    symbol: Result<Path<String>, PathRejection>,
    asked: HeaderMap,
) -> Result<Response, Refusal> {
    let Path(symbol) = symbol.map_err(|_| Refusal::Unknown("That is no symbol.".to_owned()))?;
    let Some(price) = market.prices().await.remove(&symbol) else {
        return Err(Refusal::Unknown(format!("`{symbol}` is not traded here.")));
    };
    Ok(unless_known(&asked, market.epoch(), price.seq, price))
}

async fn place(
    State(market): State<Arc<Market>>,
    asked: HeaderMap,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(order) = order.map_err(Refusal::Unreadable)?;
    market.examine(&order).await?;
    let key = asked.get("idempotency-key").map(name_of_key);
    once(&market, key, order).await
}

async fn orders(State(market): State<Arc<Market>>) -> Response {
    ([("cache-control", "no-cache")], Json(market.orders())).into_response()
}

async fn order(
    State(market): State<Arc<Market>>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Response, Refusal> {
    let order = id.ok().and_then(|Path(id)| market.order(id));
    let order = order.ok_or_else(|| Refusal::Unknown("There is no such order.".to_owned()))?;
    Ok(Json(order).into_response())
}
// ANCHOR_END: app

/// TODO 1: Each 200 for prices carries an `ETag`; a request that names it in
/// `If-None-Match` is answered 304, with the tag and without a body.
///
/// `representation` is what a 200 sends as JSON; `newest` is the number of the
/// newest update in it, in the log called `epoch`. RFC 9110 § 13.1.2 has the
/// header's forms: a list in one line or in several, or `*`.
fn unless_known(asked: &HeaderMap, epoch: &str, newest: u64, representation: impl Serialize) -> Response {
    // ANCHOR: todo_1
    let _ = (asked, epoch, newest, representation);
    todo!("TODO 1")
    // ANCHOR_END: todo_1
}

/// Why a request is refused.
#[derive(Debug)]
#[allow(dead_code, reason = "what the TODOs may call for")]
enum Refusal {
    /// There is nothing at this address.
    Unknown(String),
    /// The body is no order. axum tells why: it is no JSON, does not say that
    /// it is, or says something else than an order.
    Unreadable(JsonRejection),
    /// The request can be read, and cannot be done.
    Impossible(String),
}

impl IntoResponse for Refusal {
    /// TODO 2: An error is a problem document (RFC 9457), `application/problem+json`,
    /// with the status that says what is wrong.
    ///
    /// The body repeats the `status` as a number, and says in `title` or in
    /// `detail` what is wrong.
    fn into_response(self) -> Response {
        // ANCHOR: todo_2
        todo!("TODO 2")
        // ANCHOR_END: todo_2
    }
}

/// TODO 3: An order is answered 201 with its `Location`; under one
/// `Idempotency-Key` it is executed once, however often and however close
/// together it comes.
///
/// [`created`] makes the answer; every time it is the same. If the request that
/// came first was cut off, the next one does the work. A key that comes with
/// another order is a [`Refusal::Impossible`].
///
/// # Errors
/// Why the order is refused.
async fn once(market: &Market, key: Option<String>, order: Order) -> Result<Response, Refusal> {
    // ANCHOR: todo_3
    let _ = (market, key, order);
    todo!("TODO 3")
    // ANCHOR_END: todo_3
}

/// 201, with the order's address: relative to `/orders`, so that the market may stand below any path.
#[allow(dead_code, reason = "what the TODOs may call for")]
fn created(executed: &Executed) -> Response {
    let location = format!("orders/{}", executed.id);
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(executed)).into_response()
}

/// A key's bytes as a name. What is not ASCII is written out, so that no two keys become one.
fn name_of_key(key: &HeaderValue) -> String {
    key.as_bytes().escape_ascii().to_string()
}
