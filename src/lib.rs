//! ESP, the ECS Stats Plotter.

pub mod cadence;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
pub mod command_line;
pub mod dimension;
pub mod endpoint;
pub mod exit;
pub mod limits;
pub mod log;
pub mod metric;
pub mod publisher;
pub mod region;
pub mod report;
pub mod sampler;
pub mod settings;
#[cfg(feature = "cloudwatch")]
pub mod sidecar;
pub mod stats;
pub mod task;
pub mod ticker;
pub mod timestamp;
pub mod utilisation;
pub mod wakeup;
