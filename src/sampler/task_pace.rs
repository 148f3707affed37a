//! When `/task` has to be read again. The agent logs a line for each request, so it is
//! read rarely: at the start, when the stats show something new, while a container is
//! missing, while one that counts is about to start, and every half minute if something
//! may have changed unseen. Pure: told the time.

use std::time::{Duration, Instant};

/// Between two readings, at least.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause; also the one between readings for what only `/task` says.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// If the endpoint is asked each 10 s, the third time is a little early.
const SLACK: Duration = Duration::from_millis(500);
/// After so long without news, the next news are followed at once.
const CALM: Duration = Duration::from_mins(1);

/// While a container is starting, the pause is one part of this many of the time for
/// which it has been: its start is seen within a second or two, and one that never
/// starts costs little.
const STARTING_PARTS: u32 = 16;
const STARTING_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Ids in the stats that `/task` does not list, as many as are remembered.
const STRANGERS_MAX: usize = 64;

/// The state of it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a reason of its own")]
pub(super) struct TaskPace {
    read_at: Option<Instant>,
    /// After a try that failed, or while a container is missing; doubled each time.
    pause: Duration,
    has_failed: bool,
    is_incomplete: bool,
    /// Since when a container of the document has been about to start.
    starting_since: Option<Instant>,
    /// The stats showed something that the last document did not know.
    has_news: bool,
    /// Doubled while news keep coming: an id that comes and goes is no news.
    news_pause: Duration,
    news_at: Option<Instant>,
    /// Hashes of the ids that the stats have and the document has not.
    strangers: Vec<u64>,
    /// How many of them were known when the document was last read.
    tolerated: usize,
    /// Whether the last answer had such an id.
    has_strangers: bool,
}

impl Default for TaskPace {
    fn default() -> Self {
        Self {
            read_at: None,
            pause: PAUSE_MIN,
            has_failed: false,
            is_incomplete: true,
            starting_since: None,
            has_news: false,
            news_pause: PAUSE_MIN,
            news_at: None,
            strangers: Vec::with_capacity(STRANGERS_MAX),
            tolerated: 0,
            has_strangers: false,
        }
    }
}

impl TaskPace {
    /// Whether a document has been read.
    pub(super) fn has_read(&self) -> bool {
        self.read_at.is_some()
    }

    /// Whether to read it now. `may_change` says that something of interest may have
    /// changed in it without a sign in the stats.
    pub(super) fn is_due(&self, now: Instant, may_change: impl FnOnce() -> bool) -> bool {
        let Some(read_at) = self.read_at else { return true };
        let since = now.saturating_duration_since(read_at);
        if self.has_failed {
            return since >= self.pause;
        }
        (self.has_news && since >= self.news_pause)
            || (self.is_incomplete && since >= self.pause)
            || self.starting_for().is_some_and(|it| since >= starting_pause(it))
            || (since + SLACK >= PAUSE_MAX && (self.has_strangers || may_change()))
    }

    /// Whether it is to be read as soon as it may be, and not only now and then.
    pub(super) fn is_pressing(&self) -> bool {
        self.read_at.is_none()
            || self.has_failed
            || self.has_news
            || self.is_incomplete
            || self.starting_for().is_some_and(|it| it < CALM)
    }

    /// For how long, up to the last document, a container has been about to start.
    fn starting_for(&self) -> Option<Duration> {
        Some(self.read_at?.saturating_duration_since(self.starting_since?))
    }

    /// It could not be read. While one is known it is not asked for at every poll.
    pub(super) fn on_failed(&mut self, now: Instant) {
        if self.read_at.is_some() {
            self.read_at = Some(now);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
            self.has_failed = true;
        }
    }

    /// It has been read. `is_incomplete`: a container that is to be measured is not
    /// there yet. `is_starting`: one that counts will start, and only the next document
    /// says when.
    pub(super) fn on_read(&mut self, now: Instant, is_incomplete: bool, is_starting: bool) {
        if self.has_news {
            let is_calm = self.news_at.is_none_or(|at| now.saturating_duration_since(at) >= CALM);
            self.news_pause =
                if is_calm { PAUSE_MIN } else { (self.news_pause * 2).min(PAUSE_MAX) };
            self.news_at = Some(now);
        }
        self.read_at = Some(now);
        self.has_failed = false;
        self.has_news = false;
        self.tolerated = self.strangers.len();
        self.is_incomplete = is_incomplete;
        self.starting_since = is_starting.then(|| self.starting_since.unwrap_or(now));
        self.pause = if is_incomplete { (self.pause * 2).min(PAUSE_MAX) } else { PAUSE_MIN };
    }

    /// The answer has an id that the document does not have.
    pub(super) fn on_stranger(&mut self, id: u64) {
        if self.strangers.contains(&id) {
            return;
        }
        if self.strangers.len() == STRANGERS_MAX {
            self.strangers.clear();
        }
        self.strangers.push(id);
        self.has_news = true;
    }

    /// An answer has been taken in. `has_news`: a container had stats in the one before
    /// and has none in this one, or has some although it had stopped.
    pub(super) fn on_answer(&mut self, has_strangers: bool, has_news: bool) {
        self.has_strangers = has_strangers;
        self.has_news |= has_news;
    }
}

fn starting_pause(starting_for: Duration) -> Duration {
    (starting_for / STARTING_PARTS).clamp(PAUSE_MIN, STARTING_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it is read, in seconds, if `each` says at each second what the answer has.
    fn read_at(seconds: u64, mut each: impl FnMut(u64, &mut TaskPace)) -> Vec<u64> {
        let start = Instant::now();
        let mut pace = TaskPace::default();
        let mut read = Vec::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            pace.on_answer(false, false);
            each(second, &mut pace);
            if pace.is_due(now, || false) {
                pace.on_read(now, false, false);
                read.push(second);
            }
        }
        read
    }

    #[test]
    fn each_new_id_makes_it_be_read_once() {
        let read = read_at(200, |second, pace| {
            if second == 20 {
                pace.on_stranger(7);
            }
            if second == 120 {
                pace.on_stranger(8);
            }
        });
        assert_eq!(read, [0, 20, 120]);
    }

    #[test]
    fn an_id_that_comes_and_goes_is_no_news() {
        let read = read_at(300, |second, pace| {
            if second % 2 == 0 {
                pace.on_stranger(7);
                pace.on_answer(true, false);
            }
        });
        assert!(read.len() <= 12, "{read:?}");
        let read = read_at(300, |second, pace| {
            if second % 2 == 0 {
                pace.on_answer(false, true);
            }
        });
        assert!(read.len() <= 15, "{read:?}");
    }

    #[test]
    fn ids_that_are_always_new_are_read_for_less_and_less_often() {
        let read = read_at(300, |second, pace| pace.on_stranger(second));
        assert!(read.len() <= 15, "{read:?}");
    }

    #[test]
    fn two_events_in_a_row_are_both_followed_soon() {
        let read = read_at(100, |second, pace| {
            if [20, 25].contains(&second) {
                pace.on_answer(false, true);
            }
        });
        assert_eq!(read, [0, 20, 25]);
    }
}
