//! Only the I/O side: receives from a source into a relay directory up to a position, and ends. For `dev/bench`.
//!
//! ```text
//! RELAYLITE_SOURCE_PASSWORD=... receive_only mysql://USER@HOST:PORT DIR FILE:POS
//! ```

use std::sync::Arc;
use std::time::Duration;

use relaylite::binlog::position::Position;
use relaylite::config::layer::Layer;
use relaylite::config::source::Start;
use relaylite::relay::dir::RelayDir;
use relaylite::relay::end::RelayEnd;
use relaylite::relay::received::Received;
use relaylite::relay::receiver::{Destination, Receiver};
use relaylite::relay::recover;
use relaylite::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

const SERVER_ID: u32 = 103;
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, directory, until] = arguments.as_slice() else {
        return Err(Error::new(ErrorKind::Config, "give URL, DIR and FILE:POS"));
    };
    let until: Position = until.parse()?;
    let mut layer = Layer::from_environment(|name| std::env::var(name).ok())?;
    layer.source = Some(url.clone());
    layer.server_id = Some(SERVER_ID);
    let mut source = relaylite::config::source_config(&layer)?;
    let relay = RelayDir::open(directory.as_ref())?;
    source.replica_uuid = relay.replica_uuid().to_owned();

    let mut connection = relaylite::source::connect(&source).await?;
    let source_id = connection.info().source_id.clone();
    let start = connection.resolve(&Start::Earliest).await?;
    connection.quit().await;
    let directory = relay.source_directory(&source_id)?;
    let durable = recover::recover(&directory, true)?;
    let destination = Destination::open(
        source_id,
        directory,
        durable,
        Received::default(),
        start,
        None,
    )?;
    let end = Arc::clone(&destination.end);
    let stop = CancellationToken::new();
    let receiver = Receiver {
        source,
        connect_retry: LOOK_INTERVAL,
        destination,
        waits_for_operator: false,
        state: Arc::default(),
        stop: stop.clone(),
    };
    let watcher = tokio::task::spawn_blocking(move || wait_for(&end, &until, &stop));
    receiver.run().await?;
    watcher
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "the watcher died").with_source(error))
}

/// Stops the receiver when everything before `until` is durable.
fn wait_for(end: &RelayEnd, until: &Position, stop: &CancellationToken) {
    loop {
        let durable = end.get().end;
        if durable
            .as_ref()
            .is_some_and(|end| end.order(until).is_some_and(|order| order.is_ge()))
        {
            stop.cancel();
            return;
        }
        let from = durable.unwrap_or_else(|| Position::new("", 0));
        end.wait_beyond(&from, LOOK_INTERVAL);
    }
}
