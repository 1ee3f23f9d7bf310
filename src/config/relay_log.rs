//! What the relay log may take of the disk, and how long applied files are kept.

use std::time::Duration;

use super::invalid;
use super::layer::Layer;
use crate::error::Result;

/// Settings of the relay log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLogConfig {
    /// `relay_log_purge`: what may go; `None` keeps everything.
    pub retention: Option<Retention>,
    /// `relay_log_space_limit`: bytes at which the I/O side waits for the applier side.
    pub space_limit: Option<u64>,
}

/// Until when files that nobody needs are kept. With neither setting, they go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// `relay_log_expire_seconds`: time since the file was last written to.
    pub age: Option<Duration>,
    /// `relay_log_retain_bytes`: as long as the relay log takes no more than this.
    pub bytes: Option<u64>,
}

impl Retention {
    /// Whether a file that nobody needs may go, in a relay log of `bytes`.
    pub fn is_over(&self, bytes: u64, age: impl FnOnce() -> Duration) -> bool {
        match (self.age, self.bytes) {
            (None, None) => true,
            (longest, most) => {
                most.is_some_and(|most| bytes > most)
                    || longest.is_some_and(|longest| age() >= longest)
            }
        }
    }
}

impl RelayLogConfig {
    /// Checks the settings.
    pub(super) fn from_layer(layer: &Layer) -> Result<Self> {
        let given = |value: Option<u64>| value.filter(|value| *value > 0);
        let retention = Retention {
            age: given(layer.relay_log_expire_seconds).map(Duration::from_secs),
            bytes: given(layer.relay_log_retain_bytes),
        };
        let space_limit = given(layer.relay_log_space_limit);
        let purge = layer.relay_log_purge.unwrap_or(true);
        if !purge && (space_limit.is_some() || retention != Retention::default()) {
            return Err(invalid(
                "relay_log_purge",
                "is off, so nothing ever makes room: leave relay_log_space_limit, relay_log_expire_seconds and \
                 relay_log_retain_bytes away, or turn it on",
            ));
        }
        Ok(Self {
            retention: purge.then_some(retention),
            space_limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_when_they_are_old_or_too_many() {
        let at = |age: Option<u64>, bytes| Retention {
            age: age.map(Duration::from_secs),
            bytes,
        };
        let is_over = |retention: Retention| retention.is_over(100, || Duration::from_secs(60));
        assert!(is_over(at(None, None)));
        assert!(is_over(at(Some(60), None)));
        assert!(!is_over(at(Some(61), None)));
        assert!(is_over(at(None, Some(99))));
        assert!(!is_over(at(None, Some(100))));
        assert!(is_over(at(Some(61), Some(99))));
        assert!(!is_over(at(Some(61), Some(100))));
    }

    #[test]
    fn a_limit_without_purging_is_refused() {
        let layer = Layer {
            relay_log_purge: Some(false),
            relay_log_space_limit: Some(1 << 30),
            ..Layer::default()
        };
        let error = RelayLogConfig::from_layer(&layer).unwrap_err();
        assert!(error.what().starts_with("`relay_log_purge`"), "{error}");
        let kept = RelayLogConfig::from_layer(&Layer {
            relay_log_space_limit: None,
            ..layer
        });
        assert_eq!(kept.unwrap().retention, None);
    }
}
