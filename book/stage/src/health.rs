//! Whether the stage is well: for balancers, and for whoever looks after it.
//!
//! | path | what |
//! |---|---|
//! | `GET /healthz` | 200 as long as the stage serves, for a balancer |
//! | `GET /healthz/store` | 503 while the Redis of its feed or its class is out of reach, for whoever is to mend it |
//!
//! The body says in a sentence how it is. A stage that has lost its store stays in the balancer: its visitors stay, what
//! it knows can be read, and every other stage has lost the same store. A balancer that sent visitors away from all of
//! them would make a pause into an outage.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use feed::{Feed, Health};

use crate::class::Class;

#[derive(Clone)]
struct Patient {
    class: Arc<Class>,
    feed: Feed,
}

/// The rooms in which one asks how the stage is.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(class: &Arc<Class>, feed: &Feed) -> Router<S> {
    Router::new()
        .route("/healthz", get(stage))
        .route("/healthz/store", get(store))
        .with_state(Patient { class: Arc::clone(class), feed: feed.clone() })
}

impl Patient {
    /// What is wrong, as a sentence; nothing if all is well.
    fn complaint(&self) -> Option<String> {
        let what = match (self.feed.health(), self.class.health()) {
            (Health::Well, Health::Well) => return None,
            (Health::Away { why }, Health::Well) => format!("the store of its feed ({why})"),
            (Health::Well, Health::Away { why }) => format!("the store of its class ({why})"),
            (Health::Away { why }, Health::Away { .. }) => {
                format!("the store of its feed and its class ({why})")
            }
        };
        Some(format!(
            "The stage is up and has lost {what}: visitors stay, and it catches up when that is back.\n"
        ))
    }
}

const UNCACHED: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

async fn stage(State(patient): State<Patient>) -> Response {
    (UNCACHED, patient.complaint().unwrap_or_else(|| "The stage is up.\n".to_owned())).into_response()
}

async fn store(State(patient): State<Patient>) -> Response {
    match patient.complaint() {
        Some(complaint) => (StatusCode::SERVICE_UNAVAILABLE, UNCACHED, complaint).into_response(),
        None => (UNCACHED, "The store is within reach.\n").into_response(),
    }
}
