//! A TCP proxy between a replica and its source that does to the connection what networks do: cut it, delay it, swallow
//! everything without a word, change a byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a thread of the proxy looks for a new fault.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What happens to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// They pass.
    None,
    /// They pass, each portion a moment later.
    Delay,
    /// They stay in the proxy, in both directions, and nobody is told: a half-open connection.
    Blackhole,
    /// New connections are closed at once.
    Refuse,
}

impl Fault {
    const ALL: [Self; 4] = [Self::None, Self::Delay, Self::Blackhole, Self::Refuse];
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToSource,
    ToReplica,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where new connections go.
    target: AtomicU16,
    fault: AtomicU8,
    /// Raised by each cut: connections of an older one are closed.
    cuts: AtomicU64,
    /// Bytes that the source may still send before the next cut; 0 when none is set.
    bytes_to_cut: AtomicU64,
    accepted: AtomicU64,
    /// What to change next, for each direction: 0 for nothing. Odd, and the rest says which byte.
    corrupt: [AtomicU64; 2],
    stop: AtomicBool,
}

impl Shared {
    fn fault(&self) -> Fault {
        Fault::ALL[usize::from(self.fault.load(Ordering::Acquire))]
    }

    /// Changes a byte that was asked for.
    fn corrupt(&self, way: Way, bytes: &mut [u8]) {
        let random = self.corrupt[way as usize].swap(0, Ordering::AcqRel);
        if random != 0 {
            let at = usize::try_from((random >> 8) % bytes.len() as u64).unwrap();
            bytes[at] ^= 1 << ((random >> 4) % 8);
        }
    }

    /// How many of these bytes pass before a cut that was asked for.
    fn passes_before_cut(&self, bytes: usize) -> usize {
        let left = self.bytes_to_cut.load(Ordering::Acquire);
        if left == 0 {
            return bytes;
        }
        let after = left.saturating_sub(bytes as u64);
        self.bytes_to_cut.store(after, Ordering::Release);
        if after == 0 {
            usize::try_from(left).unwrap().min(bytes) - 1
        } else {
            bytes
        }
    }

    fn is_over(&self, cuts: u64) -> bool {
        self.stop.load(Ordering::Acquire) || self.cuts.load(Ordering::Acquire) != cuts
    }
}

/// A running proxy. Dropping it closes everything.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// A proxy on a free port, to a port of this machine.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(port),
            ..Shared::default()
        });
        let inside = shared.clone();
        let listening = thread::spawn(move || listen(&listener, &inside));
        Self {
            port: own_port,
            shared,
            listening: Some(listening),
        }
    }

    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where connections go from now on, as when an address moves to another server.
    pub(crate) fn move_to(&self, port: u16) {
        self.shared.target.store(port, Ordering::Release);
        self.cut();
    }

    /// What happens from now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.shared.fault.store(fault as u8, Ordering::Release);
    }

    /// Closes all connections.
    pub(crate) fn cut(&self) {
        self.shared.cuts.fetch_add(1, Ordering::AcqRel);
    }

    /// Closes all connections when the source has sent so many more bytes, wherever that is.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.shared.bytes_to_cut.store(bytes, Ordering::Release);
    }

    /// Changes one byte of what comes next one way, where somebody can notice it: in a dump (events have checksums), or
    /// in any connection under TLS. `random` says which one of what comes at once.
    pub(crate) fn corrupt_next(&self, way: Way, random: u64) {
        self.shared.corrupt[way as usize].store(random | 1, Ordering::Release);
    }

    /// Changes nothing any more, if that byte has not come by.
    pub(crate) fn spare(&self) {
        for corrupt in &self.shared.corrupt {
            corrupt.store(0, Ordering::Release);
        }
        self.shared.bytes_to_cut.store(0, Ordering::Release);
    }

    /// Connections accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Acquire)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(listening) = self.listening.take() {
            listening.join().ok();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.stop.load(Ordering::Acquire) {
        let Ok((near, _)) = listener.accept() else {
            thread::sleep(LOOK_INTERVAL);
            continue;
        };
        shared.accepted.fetch_add(1, Ordering::AcqRel);
        let port = shared.target.load(Ordering::Acquire);
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let (Fault::None | Fault::Delay | Fault::Blackhole, Ok(far)) = (shared.fault(), far) else {
            continue; // dropped, so closed
        };
        let cuts = shared.cuts.load(Ordering::Acquire);
        let guarded = Arc::new(AtomicBool::new(false));
        for (from, to, way) in [(&near, &far, Way::ToSource), (&far, &near, Way::ToReplica)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (shared, guarded) = (shared.clone(), guarded.clone());
            thread::spawn(move || {
                pump(&from, &to, way, cuts, &guarded, &shared);
                from.shutdown(Shutdown::Both).ok();
                to.shutdown(Shutdown::Both).ok();
            });
        }
    }
}

/// Moves bytes one way until an end closes or the connection is cut.
fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    way: Way,
    cuts: u64,
    guarded: &AtomicBool,
    shared: &Shared,
) {
    from.set_nonblocking(false).unwrap();
    from.set_read_timeout(Some(LOOK_INTERVAL)).unwrap();
    let mut buffer = vec![0u8; 64 << 10];
    while !shared.is_over(cuts) {
        let read = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => return,
        };
        if shared.fault() == Fault::Delay {
            thread::sleep(Duration::from_millis(30));
        }
        while shared.fault() == Fault::Blackhole {
            if shared.is_over(cuts) {
                return;
            }
            thread::sleep(LOOK_INTERVAL);
        }
        if guarded.load(Ordering::Acquire) {
            shared.corrupt(way, &mut buffer[..read]);
        } else if way == Way::ToSource && begins_guard(&buffer[..read]) {
            guarded.store(true, Ordering::Release);
        }
        let passes = match way {
            Way::ToReplica => shared.passes_before_cut(read),
            Way::ToSource => read,
        };
        if to.write_all(&buffer[..passes]).is_err() {
            return;
        }
        if passes < read {
            shared.cuts.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Whether from here on a changed byte is noticed: the client begins TLS, or asks for a dump.
fn begins_guard(sent: &[u8]) -> bool {
    const DUMPS: [u8; 2] = [0x12, 0x1e];
    match sent {
        [0x16, 3, ..] => true,
        [_, _, 0, 0, command, ..] => DUMPS.contains(command),
        _ => false,
    }
}
