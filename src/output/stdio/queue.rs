//! Lines that wait for a stream to take them: within a number of bytes, whole
//! lines only, the oldest dropped first. Pure but for the stream it is handed.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use super::WRITE_BYTES_MAX;

/// What an empty queue keeps of the room that a full one needed, bytes.
const KEPT_BYTES: usize = 32 * 1024;

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// Lines that the stream took.
    pub lines_written: u64,
    /// Samples in them.
    pub samples_written: u64,
    /// Lines dropped because the queue was full or the reader was gone.
    pub lines_dropped: u64,
    /// Samples in them.
    pub samples_dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    /// What is still to be written of it.
    bytes: usize,
    samples: u32,
}

/// The queue.
#[derive(Debug)]
pub struct LineQueue {
    /// The lines one after another; what is before `start` is written.
    bytes: Vec<u8>,
    start: usize,
    lines: VecDeque<Line>,
    /// The stream has the beginning of the first line: it must get the rest.
    is_begun: bool,
    capacity_bytes: usize,
    figures: QueueFigures,
}

impl LineQueue {
    /// A queue of at most `capacity_bytes`, of which none is set aside.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            lines: VecDeque::new(),
            is_begun: false,
            capacity_bytes,
            figures: QueueFigures::default(),
        }
    }

    /// Takes in a line, with its line feed, in the place of the oldest if there
    /// is no room. `samples` is for the figures.
    pub fn push(&mut self, line: &[u8], samples: u32) {
        while self.bytes_waiting() + line.len() > self.capacity_bytes {
            let oldest = usize::from(self.is_begun);
            let Some(dropped) = self.lines.remove(oldest) else {
                // It is longer than what there is room for at all.
                self.count_dropped(samples);
                return;
            };
            let begun = self.lines.front().filter(|_| self.is_begun);
            let from = self.start + begun.map_or(0, |line| line.bytes);
            self.bytes.drain(from..from + dropped.bytes);
            self.count_dropped(dropped.samples);
        }
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(line);
        self.lines.push_back(Line { bytes: line.len(), samples });
    }

    /// Writes as much as `stream` takes at the moment.
    ///
    /// # Errors
    ///
    /// What the stream says, except that it has no room. Nothing is lost by it.
    pub fn write_to(&mut self, stream: &mut (impl Write + ?Sized)) -> io::Result<()> {
        while !self.lines.is_empty() {
            match stream.write(&self.bytes[self.start..self.start + self.next_bytes()]) {
                Ok(0) => break,
                Ok(count) => self.note_written(count),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// The lines that a pipe takes or leaves as one, so that none is cut where
    /// that can be helped; at least the first.
    fn next_bytes(&self) -> usize {
        let mut sum = 0;
        for line in &self.lines {
            if sum > 0 && sum + line.bytes > WRITE_BYTES_MAX {
                break;
            }
            sum += line.bytes;
        }
        sum
    }

    fn note_written(&mut self, mut count: usize) {
        self.start += count;
        while let Some(line) = self.lines.front_mut() {
            if count < line.bytes {
                line.bytes -= count;
                self.is_begun |= count > 0;
                return;
            }
            count -= line.bytes;
            self.figures.lines_written += 1;
            self.figures.samples_written += u64::from(line.samples);
            self.lines.pop_front();
            self.is_begun = false;
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.start = 0;
    }

    /// Drops all lines: nobody will read them.
    pub fn drop_all(&mut self) {
        while let Some(line) = self.lines.pop_front() {
            self.count_dropped(line.samples);
        }
        self.bytes.clear();
        self.start = 0;
        self.is_begun = false;
    }

    fn count_dropped(&mut self, samples: u32) {
        self.figures.lines_dropped += 1;
        self.figures.samples_dropped += u64::from(samples);
    }

    /// Whether no line waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes_waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Samples in the lines that wait.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.samples)).sum()
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn figures(&self) -> QueueFigures {
        self.figures
    }
}
