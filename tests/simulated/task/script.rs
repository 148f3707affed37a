//! What is scripted of the task: faults of its endpoint, and what happens to containers.

use std::time::Duration;

use esp_endpoints::metadata::Fault;

use crate::simulated::script::Episode;

/// What can go wrong with a request to the endpoint.
#[derive(Clone, Debug)]
pub(crate) enum TaskFault {
    /// What the test endpoint can do.
    Endpoint(Fault),
    /// 200 and `{}`.
    EmptyObject,
    /// Nobody listens.
    Refused,
    /// The connection breaks.
    Reset,
    /// One container's entry in the stats is like this.
    Entry(&'static str),
    /// One container's entry is not there.
    NoEntry,
}

/// What is scripted of the endpoint.
pub(crate) struct TaskScript {
    pub(crate) faults: Vec<Episode<TaskFault>>,
    /// Of an answer without a fault.
    pub(crate) latency: Duration,
    /// The memory of all containers turns so often, between its usual and more.
    pub(crate) memory_turns: Option<Duration>,
    /// ESP may take its values from the kernel: it need not make samples of these.
    pub(crate) has_kernel: bool,
}

/// What happens to containers.
#[derive(Clone, Debug)]
pub(crate) enum TaskEvent {
    /// It starts over under its id.
    Restart(String),
    /// Another takes its place, under its name.
    Replace(String),
    /// It ends.
    Stop(String),
    /// It runs again, under its id.
    Start(String),
    /// The agent takes no samples.
    Stall(Duration),
    /// The host's clock is set to be so far ahead, milliseconds.
    SetClock(i64),
}
