//! A container as it really is: what it has used at any moment.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use esp_endpoints::counters::{CounterReading, Counters};

use crate::simulated::clock::Clock;

/// What each container uses: CPUs, and bytes.
pub(crate) const CORES: f64 = 0.5;
const MEMORY_BYTES: u64 = 300 << 20;
const INACTIVE_BYTES: u64 = 44 << 20;

/// A container as it really is.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) used_ns: u64,
    /// Since when it has used more than that.
    pub(super) since: Duration,
    /// How often it was started.
    pub(super) starts: u32,
    /// What it had used when the kernel began to lie about it, and whether the endpoint has
    /// told since.
    pub(super) lied: Option<(u64, Duration)>,
    pub(super) is_told: bool,
}

pub(super) struct TruthCounters {
    pub(super) clock: Clock,
    pub(super) memory_turns: Option<Duration>,
    pub(super) truth: Arc<Mutex<Truth>>,
}

impl Counters for TruthCounters {
    fn read(&mut self) -> CounterReading {
        let truth = self.truth.lock().unwrap();
        let ran = self.clock.elapsed() - truth.since;
        let used_ns = u64::try_from(ran.mul_f64(CORES).as_nanos()).unwrap();
        let ran_ms = u64::try_from(ran.as_millis()).unwrap();
        let mut reading = CounterReading::new(self.clock.host_time(), truth.used_ns + used_ns);
        let turns = |each: Duration| self.clock.elapsed().as_millis() / each.as_millis();
        let is_turned = self.memory_turns.is_some_and(|each| turns(each) % 2 == 1);
        let more = if is_turned { 2 * (MEMORY_BYTES - INACTIVE_BYTES) } else { 0 };
        reading.memory_usage_bytes = MEMORY_BYTES + more;
        reading.memory_inactive_file_bytes = INACTIVE_BYTES;
        reading.memory_cache_bytes = INACTIVE_BYTES;
        (reading.rx_bytes, reading.tx_bytes) = (ran_ms * 100, ran_ms * 50);
        (reading.read_bytes, reading.write_bytes) = (ran_ms * 10, ran_ms * 20);
        reading
    }
}
