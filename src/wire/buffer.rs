//! The bytes that have arrived and are not yet read.

/// A buffer of fixed room between the socket and the packets: written at its end, read at its start.
pub(super) struct ReadBuffer {
    /// All of it is initialised; what counts is `start..end`.
    room: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// An empty buffer of `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            room: vec![0; capacity],
            start: 0,
            end: 0,
        }
    }

    /// Makes it hold at least `capacity` bytes.
    pub(super) fn grow(&mut self, capacity: usize) {
        if capacity > self.room.len() {
            self.room.resize(capacity, 0);
        }
    }

    /// What has arrived and is not yet consumed.
    pub(super) fn unread(&self) -> &[u8] {
        self.room.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops the first `n` unread bytes.
    pub(super) fn consume(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Where the next bytes go. Moves what is unread to the front when less than half of the room is left behind it,
    /// so that the socket is read in large pieces. Empty when the buffer is full.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 && self.room.len() - self.end < self.room.len() / 2 {
            self.room.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.room.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that `n` bytes were written to the front of [`Self::space`].
    pub(super) fn filled(&mut self, n: usize) {
        self.end = self.room.len().min(self.end.saturating_add(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut buffer = ReadBuffer::new(16);
        let mut written = 0u8;
        let mut read = 0u8;
        for step in 0..200usize {
            let space = buffer.space();
            let n = space.len().min(1 + step % 7);
            for byte in &mut space[..n] {
                *byte = written;
                written = written.wrapping_add(1);
            }
            buffer.filled(n);
            let take = buffer.unread().len().min(step % 5 + 1);
            for byte in &buffer.unread()[..take] {
                assert_eq!(*byte, read);
                read = read.wrapping_add(1);
            }
            buffer.consume(take);
        }
        buffer.grow(32);
        assert!(buffer.unread().iter().all(|b| {
            let good = *b == read;
            read = read.wrapping_add(1);
            good
        }));
    }
}
