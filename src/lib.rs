//! ESP, the ECS Stats Plotter: the stats of an ECS task's containers, each second,
//! as high-resolution metrics in CloudWatch.
//!
//! The data flows one way. [`endpoint`] asks the task metadata endpoint and makes
//! [`reading`]s of what it answers; [`kernel`] reads the same counters at their source,
//! and [`proof`] decides which of those are believed. [`sampler`] turns readings into
//! [`sample`]s; [`publisher`] decides when they are sent; `cloudwatch` sends them.
//! [`output`] makes lines of them for stdout, if that is wanted.
//!
//! [`proof`], [`sampler`] and [`publisher`] do no I/O and are told the [`time`].
//! [`endpoint`], [`kernel`], [`output`] and `cloudwatch` do I/O. `sidecar` has the
//! clock and the tasks, and connects the rest.
//! Besides, there is the configuration ([`settings`]), what the operator is told
//! ([`report`]), and what an operator asks: `check` before, [`health`] and `top` while
//! it runs.

#![forbid(unsafe_code)]
#[cfg(feature = "cloudwatch")]
pub mod check;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
pub mod endpoint;
pub mod health;
pub mod kernel;
pub mod output;
pub mod proof;
pub mod publisher;
pub mod reading;
pub mod report;
pub mod sample;
pub mod sampler;
pub mod secrets;
pub mod settings;
#[cfg(feature = "cloudwatch")]
pub mod sidecar;
pub mod time;
#[cfg(feature = "cloudwatch")]
pub mod top;
