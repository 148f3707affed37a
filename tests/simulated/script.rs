//! When something goes wrong, and how often.

use std::time::Duration;

/// A time in which a fault may happen.
#[derive(Clone, Debug)]
pub(crate) struct Episode<F> {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    /// Of a hundred requests this many meet it.
    pub(crate) percent: u8,
    pub(crate) fault: F,
}

/// The fault that a request meets now, if any.
pub(crate) fn pick<'a, F>(
    episodes: &'a [Episode<F>],
    now: Duration,
    random: &mut fastrand::Rng,
) -> Option<&'a F> {
    let now = episodes.iter().filter(|episode| (episode.from..episode.until).contains(&now));
    now.filter(|episode| random.u8(..100) < episode.percent).map(|episode| &episode.fault).next()
}
