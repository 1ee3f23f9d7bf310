//! The status as metrics, in the text format of Prometheus, made anew for each reader from what the stages publish.
//!
//! Names begin with `relaylite_`; docs/operating.md lists them. What is not known has no value: `seconds_behind_source`
//! is absent while either side is down, as `Seconds_Behind_Source` is null then.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::published::Published;
use super::report::{self, Identity};
use super::status::{LaneReport, StatusReport};
use crate::relay::ack::{ACK_MICROS_BOUNDS, AckStatistics};

/// Content type of [`Metrics::text`].
pub(super) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

const MICROS_PER_SECOND: f64 = 1e6;

/// What is read at each request.
pub(super) struct Metrics {
    registry: Registry,
}

impl Metrics {
    pub(super) fn new(identity: Identity, published: Published) -> Self {
        let mut registry = Registry::with_prefix("relaylite");
        registry.register_collector(Box::new(Stages {
            identity,
            published,
        }));
        Self { registry }
    }

    /// All metrics as they are now.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

struct Stages {
    identity: Identity,
    published: Published,
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stages").finish_non_exhaustive()
    }
}

impl Collector for Stages {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let report = report::report(&self.identity, &self.published);
        let mut page = Page { encoder };
        page.sides(&report)?;
        page.lag(&report)?;
        page.stream(&report)?;
        page.semi_sync(&report, &self.published.io.get().acks)?;
        page.tables(&report)?;
        page.lanes(&report.lanes)
    }
}

/// Name, help and value of what is counted for each database.
type LaneCounter = (&'static str, &'static str, fn(&LaneReport) -> u64);

/// The metrics in the order in which they are shown.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn sides(&mut self, report: &StatusReport) -> fmt::Result {
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            (
                "source_version",
                report.source_version.as_deref().unwrap_or_default(),
            ),
        ];
        self.metric(
            "info",
            "Which relaylite this is, and what it follows.",
            MetricType::Gauge,
        )?
        .encode_family(&labels)?
        .encode_gauge(&1_u64)?;
        self.gauge(
            "receiving",
            "1 while the I/O side is connected to the source.",
            Some(u64::from(report.io_running == "Yes")),
        )?;
        self.gauge(
            "applying",
            "1 while the applier side runs.",
            Some(u64::from(report.sql_running == "Yes")),
        )?;
        self.gauge(
            "last_io_errno",
            "MySQL's number of the last I/O error; 0 for none.",
            Some(u64::from(report.last_io_errno)),
        )?;
        self.gauge(
            "last_sql_errno",
            "MySQL's number of the last applier error; 0 for none.",
            Some(u64::from(report.last_sql_errno)),
        )
    }

    fn lag(&mut self, report: &StatusReport) -> fmt::Result {
        self.gauge(
            "seconds_behind_source",
            "The larger of the next two; absent while either side is down.",
            report.seconds_behind_source,
        )?;
        self.gauge(
            "receive_lag_seconds",
            "How old the last event was when it came.",
            report.receive_lag_seconds,
        )?;
        self.gauge(
            "oldest_unapplied_seconds",
            "Age of the oldest transaction that is received and not applied.",
            report.oldest_unapplied_seconds,
        )?;
        self.gauge(
            "behind_source_bytes",
            "Bytes of relay log not yet applied in every database.",
            report.bytes_behind_source,
        )?;
        self.gauge(
            "clock_difference_seconds",
            "Our clock less the source's.",
            report.clock_difference_seconds,
        )?;
        if let Some(cause) = &report.lag_cause {
            self.metric(
                "lag_cause",
                "1 for the cause of lag that is seen.",
                MetricType::Gauge,
            )?
            .encode_family(&[("cause", cause)])?
            .encode_gauge(&1_u64)?;
        }
        Ok(())
    }

    fn stream(&mut self, report: &StatusReport) -> fmt::Result {
        self.counter(
            "connections",
            "Connections to the source since the process started.",
            report.connections,
        )?;
        self.gauge(
            "connection_received_bytes",
            "Bytes received on this connection.",
            Some(report.received_bytes),
        )?;
        self.gauge(
            "connection_heartbeats",
            "Heartbeats received on this connection.",
            Some(report.received_heartbeats),
        )?;
        self.gauge(
            "relay_log_bytes",
            "Bytes of the relay log on the disk.",
            Some(report.relay_log_space),
        )?;
        let full = report.disk_full.as_deref().unwrap_or_default();
        let mut disks = self.metric(
            "disk_full",
            "1 while a write to this disk finds no room.",
            MetricType::Gauge,
        )?;
        for disk in ["relay log", "target"] {
            disks
                .encode_family(&[("disk", disk)])?
                .encode_gauge(&u64::from(full.contains(disk)))?;
        }
        self.gauge(
            "prepared_xa_transactions",
            "XA transactions that the source has prepared and not decided.",
            Some(report.prepared_xa),
        )?;
        self.counter(
            "passed_over_statements",
            "Statements that changed no table.",
            report.passed_over_statements,
        )?;
        self.counter(
            "sequence_row_events",
            "Row events of sequences, which are passed over.",
            report.sequence_row_events,
        )?;
        self.counter(
            "left_out_statements",
            "Statements left out by the rules.",
            report.left_out_statements,
        )?;
        self.counter(
            "left_out_row_events",
            "Row events left out by the rules.",
            report.left_out_row_events,
        )
    }

    fn semi_sync(&mut self, report: &StatusReport, acks: &AckStatistics) -> fmt::Result {
        self.gauge(
            "semi_sync",
            "1 while the source waits for our acknowledgements.",
            Some(u64::from(report.semi_sync_status == "ON")),
        )?;
        self.counter(
            "semi_sync_acked_events",
            "Events that the source waited for and that were acknowledged.",
            acks.events,
        )?;
        let bounds = ACK_MICROS_BOUNDS.map(|micros| micros as f64 / MICROS_PER_SECOND);
        let bounds = bounds.into_iter().chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(acks.counts).collect();
        self.metric(
            "semi_sync_ack_seconds",
            "From the arrival of an event to its acknowledgement, behind the fsync.",
            MetricType::Histogram,
        )?
        .encode_histogram::<NoLabelSet>(
            acks.total.as_secs_f64(),
            acks.sent,
            &buckets,
            None,
        )
    }

    fn tables(&mut self, report: &StatusReport) -> fmt::Result {
        self.gauge(
            "quarantined_tables",
            "Tables that are set aside.",
            Some(report.quarantine.len() as u64),
        )?;
        let mut resyncs = self.metric(
            "resyncs",
            "Tables that are to be read afresh, by state.",
            MetricType::Gauge,
        )?;
        for state in ["waiting", "copying", "failed"] {
            let count = report.resyncs.iter().filter(|resync| resync.state == state);
            resyncs
                .encode_family(&[("state", state)])?
                .encode_gauge(&(count.count() as u64))?;
        }
        Ok(())
    }

    fn lanes(&mut self, lanes: &[LaneReport]) -> fmt::Result {
        let counters: [LaneCounter; 4] = [
            ("transactions", "Source transactions committed.", |lane| {
                lane.transactions
            }),
            ("row_changes", "Row changes applied.", |lane| lane.rows),
            ("target_commits", "Commits of the target.", |lane| {
                lane.commits
            }),
            (
                "invalid_texts",
                "Texts that were not valid in their charset, and are BLOBs in the target.",
                |lane| lane.invalid_texts,
            ),
        ];
        for (name, help, value) in counters {
            let mut metric = self.metric(name, help, MetricType::Counter)?;
            for lane in lanes {
                counter(
                    &mut metric.encode_family(&[("database", &lane.database)])?,
                    value(lane),
                )?;
            }
        }
        let mut queued = self.metric(
            "queued_bytes",
            "Bytes queued for the database.",
            MetricType::Gauge,
        )?;
        for lane in lanes {
            queued
                .encode_family(&[("database", &lane.database)])?
                .encode_gauge(&lane.queued_bytes)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: Option<impl EncodeGaugeValue>,
    ) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        self.metric(name, help, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    /// A number that only grows while the process lives; its name ends with `_total`.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        counter(&mut self.metric(name, help, MetricType::Counter)?, value)
    }

    fn metric<'a>(
        &'a mut self,
        name: &'a str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'a>, fmt::Error> {
        self.encoder.encode_descriptor(name, help, None, kind)
    }
}

fn counter(metric: &mut MetricEncoder<'_>, value: impl EncodeCounterValue) -> fmt::Result {
    metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
}
