//! HTTP, for programs that watch: `GET /metrics`.
//!
//! Anybody who can connect is answered: the setting says where. Nothing secret is among the metrics, the names of databases are.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::metrics::{Metrics, TEXT_FORMAT};
use super::published::Published;
use super::report::Identity;
use crate::config::limits::{
    METRICS_CONNECTIONS_MAX, METRICS_REQUEST_BYTES_MAX, METRICS_REQUEST_MS,
};
use crate::error::{Error, ErrorKind, Result};

/// A listening server. Its connections end with the runtime.
pub struct Http {
    listener: TcpListener,
    metrics: Arc<Metrics>,
}

impl Http {
    /// Listens on `address`.
    ///
    /// # Errors
    /// `Config` when the address cannot be had.
    pub async fn listen(
        address: SocketAddr,
        identity: Identity,
        published: Published,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let what = format!(
                "`metrics_listen`: cannot listen on {address}; choose another address or port"
            );
            Error::new(ErrorKind::Config, what).with_source(error)
        })?;
        tracing::info!(address = %listener.local_addr()?, "metrics are served at /metrics");
        Ok(Self {
            listener,
            metrics: Arc::new(Metrics::new(identity, published)),
        })
    }

    /// Answers until dropped.
    pub async fn serve(&self) {
        let connections = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
        loop {
            let Ok(permit) = connections.clone().acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: they come back.
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
                continue;
            };
            let metrics = self.metrics.clone();
            tokio::spawn(async move {
                connection(stream, &metrics).await;
                drop(permit);
            });
        }
    }
}

const ACCEPT_RETRY_MS: u64 = 1_000;

async fn connection(stream: TcpStream, metrics: &Metrics) {
    let answers =
        service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, metrics)) });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(METRICS_REQUEST_MS))
        .max_buf_size(METRICS_REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answers);
    // Whoever asked may have gone, or asked for something that is no HTTP.
    if let Err(error) = served.await {
        tracing::debug!(%error, "a client of the metrics");
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, text) = match (request.uri().path(), is_read) {
        ("/metrics", true) => (StatusCode::OK, metrics.text()),
        ("/metrics", false) => (StatusCode::METHOD_NOT_ALLOWED, "GET only\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "see /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
