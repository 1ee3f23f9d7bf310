//! Between us and a real source: passes everything on up to a step of ours, and from there on answers as no server would.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use relaylite::binlog::checksum::{self, Checksum};

use crate::support::random::Random;
use crate::support::relaylite::wait_for;

/// How often the listener looks whether it is to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// An attack that never ends is given up after so many bytes: four times of what relaylite may take of one answer.
const ATTACK_BYTES: usize = 256 << 20;

/// Or after this time.
const ATTACK_TIME: Duration = Duration::from_secs(4);

const FULL: usize = 0xff_ffff;

/// What is answered in place of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    RandomBytes,
    /// A payload that goes on in the next packet for ever.
    FullPackets,
    /// Packets of one byte for ever.
    TinyPackets,
    WrongSequence,
    EndlessColumns,
    ColumnsBeyondCount,
    /// Rows of one NULL for ever: one byte each here, and many in memory.
    EndlessNulls,
    /// Rows of thousands of NULLs.
    WideNulls,
    BigRows,
    RowBeyondPacket,
    LocalFile,
    GiantError,
    SwitchLoop,
    GiantKey,
    OkOfGarbage,
    GiantGreeting,
    /// A byte now and then.
    Trickle,
    HangUp,
    /// Events of any type and content, with right checksums.
    RandomEvents,
    /// Events whose headers claim another size than they have.
    LyingEvents,
    /// What a source says whose limit is below an event's size.
    EventTooLarge,
    /// The source's own events, a bit of some of them changed and their checksums right.
    ChangedEvents,
}

impl Attack {
    /// In place of any answer.
    pub(super) const ANSWERS: [Self; 18] = [
        Self::RandomBytes,
        Self::FullPackets,
        Self::TinyPackets,
        Self::WrongSequence,
        Self::EndlessColumns,
        Self::ColumnsBeyondCount,
        Self::EndlessNulls,
        Self::WideNulls,
        Self::BigRows,
        Self::RowBeyondPacket,
        Self::LocalFile,
        Self::GiantError,
        Self::SwitchLoop,
        Self::GiantKey,
        Self::OkOfGarbage,
        Self::GiantGreeting,
        Self::Trickle,
        Self::HangUp,
    ];

    /// In place of events.
    pub(super) const EVENTS: [Self; 3] =
        [Self::RandomEvents, Self::LyingEvents, Self::ChangedEvents];
}

/// When the truth ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// In place of the answer to this packet of ours; 0 replaces the greeting.
    Packet(u64),
    /// In place of the events that we ask for.
    Dump,
}

/// When the truth ends, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) at: Moment,
    pub(super) attack: Attack,
    pub(super) random: u64,
}

#[derive(Debug, Default)]
struct Shared {
    plans: Mutex<Vec<Plan>>,
    accepted: AtomicU64,
    /// Connections that were honest to their end.
    honest: AtomicU64,
    /// The most packets of ours in one of them.
    packets: AtomicU64,
    stop: AtomicBool,
}

/// A running proxy.
#[derive(Debug)]
pub(super) struct HostileProxy {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl HostileProxy {
    /// In front of the server at `server`.
    pub(super) fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let inside = shared.clone();
        let listening = thread::spawn(move || {
            while !inside.stop.load(Ordering::Acquire) {
                let Ok((near, _)) = listener.accept() else {
                    thread::sleep(LOOK_INTERVAL);
                    continue;
                };
                near.set_nonblocking(false).unwrap();
                let number = inside.accepted.fetch_add(1, Ordering::AcqRel);
                let shared = inside.clone();
                // What goes wrong here is that the other end has gone.
                thread::spawn(move || serve(near, server, number, &shared).ok());
            }
        });
        Self {
            port,
            shared,
            listening: Some(listening),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What happens to the next connections, one after the other and over again; nothing with an empty list.
    pub(super) fn plan(&self, plans: Vec<Plan>) {
        *self.shared.plans.lock().unwrap() = plans;
    }

    /// Connections so far.
    pub(super) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// The most packets of ours in one honest connection, when all of them are over.
    pub(super) fn packets(&self) -> u64 {
        wait_for("the connections to end", || {
            self.shared.honest.load(Ordering::Acquire) == self.accepted()
        });
        self.shared.packets.load(Ordering::Acquire)
    }
}

impl Drop for HostileProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(listening) = self.listening.take() {
            listening.join().ok();
        }
    }
}

fn serve(mut near: TcpStream, server: u16, number: u64, shared: &Shared) -> std::io::Result<()> {
    let plan = {
        let plans = shared.plans.lock().unwrap();
        let at = usize::try_from(number).unwrap() % plans.len().max(1);
        plans.get(at).copied()
    };
    if let Some(plan) = plan.filter(|plan| plan.at == Moment::Packet(0)) {
        return attack(&mut near, plan, 0);
    }
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    let (mut from, mut to) = (far.try_clone()?, near.try_clone()?);
    let changes = Arc::new(AtomicBool::new(false));
    let changing = changes.clone();
    let mut random = Random::new(plan.map_or(0, |plan| plan.random), 1);
    let answers = thread::spawn(move || {
        while let Ok((header, mut payload)) = read_packet(&mut from) {
            if changing.load(Ordering::Acquire) && random.percent(4) {
                change_event(&mut payload, &mut random);
            }
            if to.write_all(&[&header[..], &payload].concat()).is_err() {
                break;
            }
        }
        to
    });
    let mut packets = 0;
    let mut far_end = far;
    while let Ok((header, payload)) = read_packet(&mut near) {
        packets += 1;
        let is_dump = header[3] == 0 && [0x12, 0x1e].contains(&payload[0]);
        let is_due = |at| match at {
            Moment::Packet(number) => number == packets,
            Moment::Dump => is_dump,
        };
        if is_dump && plan.is_some_and(|plan| plan.attack == Attack::ChangedEvents) {
            changes.store(true, Ordering::Release);
        } else if let Some(plan) = plan.filter(|plan| is_due(plan.at)) {
            far_end.shutdown(Shutdown::Both)?;
            answers.join().ok();
            return attack(&mut near, plan, header[3].wrapping_add(1));
        }
        far_end.write_all(&header)?;
        far_end.write_all(&payload)?;
    }
    shared.packets.fetch_max(packets, Ordering::AcqRel);
    shared.honest.fetch_add(1, Ordering::AcqRel);
    far_end.shutdown(Shutdown::Both).ok();
    if let Ok(to) = answers.join() {
        to.shutdown(Shutdown::Both).ok();
    }
    Ok(())
}

fn read_packet(from: &mut TcpStream) -> std::io::Result<([u8; 4], Vec<u8>)> {
    let mut header = [0; 4];
    from.read_exact(&mut header)?;
    let bytes = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    let mut payload = vec![0; bytes];
    from.read_exact(&mut payload)?;
    Ok((header, payload))
}

/// Changes some bits of an event behind its header, and makes its checksum right again.
fn change_event(payload: &mut Vec<u8>, random: &mut Random) {
    if payload.first() != Some(&0) || payload.len() < 1 + 19 + 4 + 1 {
        return;
    }
    let mut event = payload.split_off(1);
    event.truncate(event.len() - 4);
    for _ in 0..random.range(1..4) {
        let at = random.size(19..event.len());
        event[at] ^= 1 << random.range(0..8);
    }
    checksum::seal(&mut event, Checksum::Crc32).unwrap();
    payload.extend(event);
}

/// One answer, until the other end has had enough.
fn attack(to: &mut TcpStream, plan: Plan, sequence: u8) -> std::io::Result<()> {
    to.set_write_timeout(Some(ATTACK_TIME))?;
    let random = Random::new(plan.random, 0);
    let mut attacker = Attacker {
        to,
        sequence,
        sent: 0,
        since: Instant::now(),
        random,
    };
    attacker.run(plan.attack)?;
    to.shutdown(Shutdown::Both)
}

struct Attacker<'a> {
    to: &'a mut TcpStream,
    sequence: u8,
    sent: usize,
    since: Instant,
    random: Random,
}

impl Attacker<'_> {
    fn run(&mut self, attack: Attack) -> std::io::Result<()> {
        match attack {
            Attack::RandomBytes => self.for_ever(|this| {
                let bytes: Vec<u8> = (0..4096)
                    .flat_map(|_| this.random.next_u64().to_le_bytes())
                    .collect();
                this.raw(&bytes)
            }),
            Attack::FullPackets => {
                let mut payload = vec![b'x'; FULL];
                payload[0] = [0, 1, 10, 0xfe, 0xff][self.random.size(0..5)];
                self.for_ever(|this| this.packet(&payload))
            }
            Attack::TinyPackets => {
                let byte = [0, 1, 3, 10, 0xfb, 0xfc, 0xff][self.random.size(0..7)];
                self.for_ever(|this| this.packet(&[byte]))
            }
            Attack::WrongSequence => {
                self.sequence = self.sequence.wrapping_add(7);
                self.packet(&[0; 9])
            }
            Attack::EndlessColumns => {
                self.packet(&[0xfc, 0, 16])?;
                let mut column = b"\x03def\0\0\0\xfd\x00\x00\x10".to_vec();
                column.resize(column.len() + (1 << 20), b'n');
                column.extend(b"\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0");
                self.for_ever(|this| this.packet(&column))
            }
            Attack::ColumnsBeyondCount => {
                self.packet(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x0f")?;
                self.for_ever(|this| this.column())
            }
            Attack::EndlessNulls => {
                self.columns(1)?;
                self.for_ever(|this| this.many(&[0xfb]))
            }
            Attack::WideNulls => {
                self.columns(4096)?;
                let row = vec![0xfb; 4096];
                self.for_ever(|this| this.many(&row))
            }
            Attack::BigRows => {
                self.columns(1)?;
                let mut row = b"\xfd\x00\x00\xe0".to_vec();
                row.resize(row.len() + 0xe0_0000, b'v');
                self.for_ever(|this| this.packet(&row))
            }
            Attack::RowBeyondPacket => {
                self.columns(1)?;
                self.packet(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x0fabc")
            }
            Attack::LocalFile => self.packet(b"\xfb/etc/passwd"),
            Attack::GiantError => {
                let mut error = b"\xff\x15\x04#28000".to_vec();
                error.resize(FULL - 1, b'e');
                self.packet(&error)
            }
            Attack::SwitchLoop => self.for_ever(|this| {
                this.packet(b"\xfemysql_native_password\x0001234567890123456789\0")?;
                let (header, _) = read_packet(this.to)?;
                this.sequence = header[3].wrapping_add(1);
                Ok(())
            }),
            Attack::GiantKey => {
                let mut key = b"\x01-----BEGIN PUBLIC KEY-----\n".to_vec();
                let bytes = [40 << 10, 8 << 20][self.random.size(0..2)];
                key.resize(key.len() + bytes, b'A');
                key.extend(b"\n-----END PUBLIC KEY-----\n");
                self.packet(&key)
            }
            Attack::OkOfGarbage => {
                let mut ok = vec![0];
                ok.extend((0..2000).map(|_| self.random.next_u64().to_le_bytes()[0]));
                self.packet(&ok)
            }
            Attack::GiantGreeting => {
                let mut greeting = vec![10];
                greeting.resize(FULL - 1, b'9');
                self.packet(&greeting)
            }
            Attack::Trickle => {
                self.raw(&[0xff, 0xff, 0, self.sequence])?;
                self.for_ever(|this| {
                    thread::sleep(Duration::from_millis(50));
                    this.raw(&[0])
                })
            }
            Attack::HangUp | Attack::ChangedEvents => Ok(()),
            Attack::EventTooLarge => self.packet(
                b"\xff\xd4\x04#HY000log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source",
            ),
            Attack::RandomEvents => self.for_ever(|this| this.event(0)),
            Attack::LyingEvents => self.for_ever(|this| {
                let lie = [1, 7, 4_000, 1 << 20, 1 << 30, u32::MAX][this.random.size(0..6)];
                this.event(lie)
            }),
        }
    }

    fn for_ever(
        &mut self,
        mut once: impl FnMut(&mut Self) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        while self.sent < ATTACK_BYTES && self.since.elapsed() < ATTACK_TIME {
            once(self)?;
        }
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sent += bytes.len();
        self.to.write_all(bytes)
    }

    fn framed(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let [low, middle, high, ..] = payload.len().to_le_bytes();
        out.extend([low, middle, high, self.sequence]);
        out.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn packet(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let mut out = Vec::new();
        self.framed(payload, &mut out);
        self.raw(&out)
    }

    /// The same packet some thousand times in one write.
    fn many(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let mut out = Vec::new();
        while out.len() < 1 << 18 {
            self.framed(payload, &mut out);
        }
        self.raw(&out)
    }

    /// An event of its own size and `lie` bytes more.
    fn event(&mut self, lie: u32) -> std::io::Result<()> {
        let body = self.random.size(0..300);
        let mut event: Vec<u8> = (0..19 + body)
            .map(|_| self.random.next_u64().to_le_bytes()[0])
            .collect();
        // Mostly kinds that there are.
        event[4] %= 48;
        let size = u32::try_from(event.len() + 4).unwrap();
        event[9..13].copy_from_slice(&size.wrapping_add(lie).to_le_bytes());
        checksum::seal(&mut event, Checksum::Crc32).unwrap();
        event[9..13].copy_from_slice(&size.wrapping_add(lie).to_le_bytes());
        event.insert(0, 0);
        self.packet(&event)
    }

    fn columns(&mut self, count: u16) -> std::io::Result<()> {
        let [low, high] = count.to_le_bytes();
        self.packet(&[0xfc, low, high])?;
        for _ in 0..count {
            self.column()?;
        }
        self.packet(&[0xfe, 0, 0, 2, 0])
    }

    fn column(&mut self) -> std::io::Result<()> {
        self.packet(b"\x03def\0\0\0\x01c\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0")
    }
}
