//! What every target is held to, whatever it looks at: 100 ms of CPU time for an
//! input, and 64 MiB of memory. Which properties hold besides is each target's
//! own business.

use std::{
    alloc::System,
    time::{Duration, Instant},
};

use cap::Cap;
use rustix::time::{ClockId, clock_gettime};

/// What all that a target has allocated may come to at any moment. Fuzzer,
/// corpus and sanitizer have memory of their own, which does not count here.
pub const MEMORY_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// What an input may take of a CPU.
pub const CPU_LIMIT: Duration = Duration::from_millis(100);

/// How often an input is tried that took too long: the first time pays for page
/// faults and cold caches.
const TRIES: usize = 3;

/// Past the limit an allocation fails, which aborts: libFuzzer takes that for the
/// crash that it is.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY_LIMIT_BYTES);

/// Bytes that are allocated now.
#[must_use]
pub fn allocated_bytes() -> usize {
    ALLOCATOR.allocated()
}

/// Runs `check`, which must do the same each time.
///
/// The clock on the wall is read, since that costs nothing; only an input that
/// was slow by it is run again by the CPU time of the thread, which does not
/// grow while others have the CPU.
///
/// # Panics
///
/// Where each of a few tries took more than [`CPU_LIMIT`].
pub fn run(check: impl Fn()) {
    let start = Instant::now();
    check();
    if start.elapsed() <= CPU_LIMIT {
        return;
    }
    let times = (0..TRIES).map(|_| {
        let start = cpu_time();
        check();
        cpu_time().saturating_sub(start)
    });
    let least = times.min().unwrap_or_default();
    assert!(least <= CPU_LIMIT, "hangs: {} ms of CPU time", least.as_millis());
}

/// What this thread has had of the CPU.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has the CPU for that long, whatever the clock on the wall says.
    fn work(time: Duration) {
        let end = cpu_time() + time;
        while cpu_time() < end {}
    }

    #[test]
    #[should_panic(expected = "hangs: ")]
    fn an_input_that_takes_too_long_fails() {
        run(|| work(CPU_LIMIT * 2));
    }

    #[test]
    fn one_that_has_to_wait_for_the_cpu_does_not() {
        run(|| std::thread::sleep(CPU_LIMIT * 2));
    }

    #[test]
    fn one_that_is_slow_once_does_not() {
        let is_first = std::cell::Cell::new(true);
        run(|| work(if is_first.replace(false) { CPU_LIMIT * 2 } else { Duration::ZERO }));
    }

    #[test]
    fn memory_past_the_limit_cannot_be_had() {
        let mut bytes = Vec::<u8>::new();
        assert!(bytes.try_reserve_exact(MEMORY_LIMIT_BYTES).is_err());
        let before = allocated_bytes();
        bytes.try_reserve_exact(MEMORY_LIMIT_BYTES / 2).unwrap();
        assert!(allocated_bytes() >= before + MEMORY_LIMIT_BYTES / 4);
    }
}
