//! Which samples share a document: those of the same 10 s of the wall clock, or
//! those with the same `read`. A state machine that is told the time.

use std::time::{Duration, Instant};

use crate::{
    sample::{metric::Sample, rarity::is_as_rare_as},
    time::Now,
};

/// The length of a window, which is the shortest period of an alarm: aligned to
/// the wall clock's multiples of it, as the periods are, each period gets its
/// own samples and no others.
const WINDOW: Duration = Duration::from_secs(10);
const WINDOW_MS: u64 = 10_000;

/// Samples that make documents together.
#[derive(Debug)]
pub(super) struct Window {
    /// Their documents' timestamp, which CloudWatch takes for all of them: the
    /// window's beginning, or their `read`.
    pub(super) unix_ms: u64,
    pub(super) samples: Vec<Sample>,
    opened_at: Instant,
}

/// The windows that are not over yet.
#[derive(Debug)]
pub(super) struct Windows {
    is_by_second: bool,
    /// How often the endpoint is asked.
    sample_interval: Duration,
    /// New samples come as rarely as windows end.
    is_rare: bool,
    open: Vec<Window>,
    /// The memory of a window that was written.
    spare: Vec<Sample>,
}

impl Windows {
    /// `is_by_second`: no window, but a document for each `read`.
    pub(super) fn new(is_by_second: bool, sample_interval: Duration) -> Self {
        let mut windows = Self {
            is_by_second,
            sample_interval,
            is_rare: false,
            open: Vec::new(),
            spare: Vec::new(),
        };
        windows.set_cadence(None);
        windows
    }

    /// Says how often samples come. If they come as rarely as windows end, each is
    /// written at once, with its own time: a window would only delay it.
    pub(super) fn set_cadence(&mut self, cadence: Option<Duration>) {
        let cadence = cadence.unwrap_or_default().max(self.sample_interval);
        self.is_rare = is_as_rare_as(cadence, WINDOW);
    }

    fn is_immediate(&self) -> bool {
        self.is_by_second || self.is_rare
    }

    /// Takes in a sample. One that is late for its window makes another with
    /// the same time, which is over at once.
    pub(super) fn push(&mut self, sample: Sample, now: Now) {
        let read_ms = sample.read.unix_ms();
        let unix_ms = if self.is_immediate() { read_ms } else { read_ms - read_ms % WINDOW_MS };
        if let Some(window) = self.open.iter_mut().find(|window| window.unix_ms == unix_ms) {
            window.samples.push(sample);
            return;
        }
        let mut samples = std::mem::take(&mut self.spare);
        samples.push(sample);
        self.open.push(Window { unix_ms, samples, opened_at: now.instant });
    }

    /// The next window that is over. To be asked after each poll: the first one after a
    /// window's end brings its last sample.
    pub(super) fn take_closed(&mut self, now: Now) -> Option<Window> {
        let is_immediate = self.is_immediate();
        let wall_ms = now.wall.unix_ms();
        self.take(|window| {
            is_immediate
                || wall_ms >= window.unix_ms + WINDOW_MS
                // If the clock was set back.
                || now.instant.saturating_duration_since(window.opened_at) >= WINDOW
        })
    }

    /// A window, over or not; for the end of a run.
    pub(super) fn take_any(&mut self) -> Option<Window> {
        self.take(|_| true)
    }

    fn take(&mut self, is_over: impl FnMut(&Window) -> bool) -> Option<Window> {
        let position = self.open.iter().position(is_over)?;
        Some(self.open.remove(position))
    }

    /// Takes back what [`Windows::take_closed`] gave, for its room.
    pub(super) fn put_back(&mut self, window: Window) {
        self.spare = window.samples;
        self.spare.clear();
    }

    /// Samples in windows that are not over.
    pub(super) fn samples(&self) -> usize {
        self.open.iter().map(|window| window.samples.len()).sum()
    }
}
