//! The task metadata endpoint, a source of readings: its address ([`uri`]), the
//! connection to it ([`client`]), the bytes of its answers ([`response`]), and what
//! its two documents say: the task ([`task`], with [`injected`] and [`arn`]) and
//! the counters of its containers ([`stats`]).

pub mod arn;
pub mod client;
pub mod injected;
pub mod response;
pub mod stats;
mod tape;
pub mod task;
pub mod uri;

pub use client::{EndpointClient, EndpointError, Resource};
pub use uri::EndpointUri;
