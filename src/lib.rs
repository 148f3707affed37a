//! ESP, the ECS Stats Plotter: the stats of an ECS task's containers, each second,
//! as high-resolution metrics in CloudWatch.
//!
//! The data flows one way. [`endpoint`] brings bytes; [`stats`] and [`task`] read
//! them; [`sampler`] turns them into samples, with the arithmetic of
//! [`utilisation`]; [`publisher`] decides when they are sent, under the names of
//! [`metric`] and [`dimension`]; `cloudwatch` sends them. [`output`] makes lines
//! of them for stdout, where that is wanted. The state machines are told the
//! time; `sidecar` has the clock, the sockets and the tasks. The rest is
//! configuration ([`settings`], [`command_line`]), what is said ([`report`],
//! [`log`]) on streams that nobody waits for ([`stdio`]), and what an operator
//! asks: `check` before, [`health`] while it runs.

#![forbid(unsafe_code)]
pub mod cadence;
#[cfg(feature = "cloudwatch")]
pub mod check;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
pub mod command_line;
pub mod dimension;
pub mod endpoint;
pub mod exit;
pub mod figures;
pub mod health;
pub mod limits;
pub mod log;
pub mod metric;
pub mod output;
pub mod publisher;
pub mod region;
pub mod report;
pub mod sampler;
pub mod settings;
#[cfg(feature = "cloudwatch")]
pub mod sidecar;
pub mod stats;
pub mod stdio;
pub mod task;
pub mod ticker;
pub mod timestamp;
pub mod utilisation;
pub mod waiting;
