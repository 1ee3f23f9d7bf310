//! `relaylite run`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::Settings;
use crate::config::Config;
use crate::config::limits::DRAIN_TIMEOUT;
use crate::config::target::TargetConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::{Outcome, Pipeline};
use crate::relay::dir::RelayDir;
use crate::serve::control::Control;
use crate::serve::http::Http;
use crate::serve::offline;
use crate::serve::published::Published;
use crate::serve::report::{self, Identity};

/// What the drain of the pipeline gets on top before the process ends without it.
const STOP_MARGIN: Duration = Duration::from_millis(500);

/// Threads for the network; the work is done on threads of its own.
const NETWORK_THREADS: usize = 2;

pub(super) fn run(settings: Settings) -> Result<ExitCode> {
    let config = Config::from_layer(settings.merged()?)?;
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(NETWORK_THREADS)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "the network runtime cannot start").with_source(error)
        })?;
    let outcome = runtime.block_on(replicate(config));
    // Threads that could not be drained in time must not keep the process: they are crash-safe.
    runtime.shutdown_background();
    match outcome? {
        Outcome::Until | Outcome::Stopped => Ok(ExitCode::SUCCESS),
        Outcome::Failed(error) => {
            super::complain(&error);
            // Wrong configuration found on the way is still that.
            Ok(super::exit_code(&error))
        }
    }
}

async fn replicate(config: Config) -> Result<Outcome> {
    let identity = Identity::of(&config);
    let relay_dir = config.relay_dir.clone();
    let target = match &config.target {
        // `status` may be called from elsewhere.
        TargetConfig::Sqlite { dir } => format!("sqlite:{}", std::path::absolute(dir)?.display()),
        TargetConfig::Mysql(_) => config.target.to_string(),
    };
    // From the first line of the log on, a signal ends it in order.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    log_start(&config);
    let stop = CancellationToken::new();
    let relay = RelayDir::open(&relay_dir)?;
    let published = Published::default();
    offline::remember_target(&relay_dir, &target)?;
    let control = Control::listen(&relay_dir)?;
    let http = match config.metrics_listen {
        Some(address) => Some(Http::listen(address, identity.clone(), published.clone()).await?),
        None => None,
    };
    let metrics = async {
        match &http {
            Some(http) => http.serve().await,
            None => std::future::pending().await,
        }
    };
    let serving = control.serve(
        || report::report(&identity, &published),
        |id| published.resyncs.request(id),
    );
    // A task of its own: what it does between two waits (reading back the relay log) must not keep signals waiting.
    let (shown, stopped) = (published.clone(), stop.clone());
    let running = tokio::spawn(async move {
        match Pipeline::open(config, relay, shown, &stopped).await? {
            Some(pipeline) => pipeline.run(stopped).await,
            None => Ok(Outcome::Stopped),
        }
    });
    let stopping = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: what is received is being applied");
        stop.cancel();
        tokio::time::sleep(DRAIN_TIMEOUT + STOP_MARGIN).await;
        tracing::warn!("not drained in time; what is open comes again at the next start");
    };
    let outcome = tokio::select! {
        outcome = running => outcome.map_err(|error| {
            Error::new(ErrorKind::Internal, "the pipeline panicked").with_source(error)
        })??,
        () = serving => Outcome::Stopped,
        () = metrics => Outcome::Stopped,
        () = stopping => Outcome::Stopped,
    };
    let end = report::report(&identity, &published);
    tracing::info!(
        file = end.relay_source_log_file.as_deref().unwrap_or("-"),
        pos = end.exec_source_log_pos.unwrap_or_default(),
        gtid = %end.executed_gtid_set,
        "ended"
    );
    if matches!(outcome, Outcome::Until) {
        super::warn_of_quarantine(&end.quarantine);
    }
    Ok(outcome)
}

fn log_start(config: &Config) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        source_host = %config.source.host,
        source_port = config.source.port,
        server_id = config.source.server_id,
        relay_dir = %config.relay_dir.display(),
        target = %config.target,
        workers = config.workers,
        "starting"
    );
}

fn start_log() {
    let filter =
        EnvFilter::try_from_env("RELAYLITE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
