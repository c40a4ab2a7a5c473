//! How the stage does, for Prometheus: `GET /metrics`, in the OpenMetrics text format.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use crate::climate::{Climate, Tally, Technique};

/// What the stage counts while it serves.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Connections that are open, of whatever kind.
    pub(crate) open: AtomicU64,
    /// Connections that were turned away: too many from one address.
    pub(crate) turned_away: AtomicU64,
    /// Connections that were cut because their client took nothing for too long, by technique; the last are no lab's.
    dropped: [AtomicU64; 6],
}

impl Counts {
    /// A reader that takes nothing is let go.
    pub(crate) fn drops(&self, technique: Option<Technique>) {
        let index = technique.map_or(self.dropped.len() - 1, |technique| technique as usize);
        self.dropped[index].fetch_add(1, Ordering::Relaxed);
    }
}

/// The stage's metrics.
pub(crate) struct Metrics(Registry);

impl Metrics {
    pub(crate) fn new(climate: &Climate, counts: &Arc<Counts>) -> Arc<Self> {
        let mut registry = Registry::with_prefix("stage");
        registry.register_collector(Box::new(Now { climate: climate.clone(), counts: Arc::clone(counts) }));
        Arc::new(Self(registry))
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// Answers `GET /metrics`.
pub(crate) async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is so at the moment of asking.
struct Now {
    climate: Climate,
    counts: Arc<Counts>,
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Now").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let tallies = self.climate.tallies();
        let mut gauge = |name, help, unit: Option<&Unit>, value: fn(&Tally) -> f64| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (technique, tally) in &tallies {
                labelled(&mut family, technique.mark(), |mut one| one.encode_gauge(&value(tally)))?;
            }
            Ok(())
        };
        gauge("exchanges", "Exchanges with a lab that go on", None, |tally| tally.connections as f64)?;
        gauge("queue", "What is under way to clients, held by bad weather", Some(&Unit::Bytes), |tally| {
            tally.queue as f64
        })?;
        gauge("stalled", "Connections whose client takes nothing of what it is sent", None, |tally| {
            tally.stalled as f64
        })?;
        gauge("lag", "For how long the slowest client has taken nothing", Some(&Unit::Seconds), |tally| {
            tally.lag.as_secs_f64()
        })?;

        let mut delivered = encoder.encode_descriptor(
            "deliveries",
            "Updates that were given to a client's line",
            None,
            MetricType::Counter,
        )?;
        for (technique, tally) in &tallies {
            labelled(&mut delivered, technique.mark(), |mut one| {
                one.encode_counter::<NoLabelSet, _, u64>(&tally.delivered, None)
            })?;
        }
        let mut dropped = encoder.encode_descriptor(
            "dropped_readers",
            "Connections that were cut because their client took nothing for too long",
            None,
            MetricType::Counter,
        )?;
        let techniques = Technique::ALL.into_iter().map(Technique::mark).chain(["none"]);
        for (technique, count) in techniques.zip(&self.counts.dropped) {
            let count = count.load(Ordering::Relaxed);
            labelled(&mut dropped, technique, |mut one| {
                one.encode_counter::<NoLabelSet, _, u64>(&count, None)
            })?;
        }

        let open = self.counts.open.load(Ordering::Relaxed) as i64;
        encoder
            .encode_descriptor("connections", "Open connections", None, MetricType::Gauge)?
            .encode_gauge(&open)?;
        let turned_away = self.counts.turned_away.load(Ordering::Relaxed);
        encoder
            .encode_descriptor(
                "turned_away",
                "Connections that were refused: too many from one address",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&turned_away, None)
    }
}

fn labelled(
    family: &mut MetricEncoder<'_>,
    technique: &'static str,
    one: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    one(family.encode_family(&[("technique", technique)])?)
}
