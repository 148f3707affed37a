//! The two endpoints ESP stands between, for its tests, its demo and its
//! benchmarks: the ECS task metadata endpoint that it reads, and the `CloudWatch`
//! that it writes to.
//!
//! Threads and blocking sockets, independent of the `esp` crate, so that a
//! mistake in ESP's own HTTP or arithmetic cannot hide in a shared helper. Every
//! server binds 127.0.0.1 and ends its threads when it is dropped; nothing here
//! prints.
//!
//! ```
//! use esp_endpoints::cloudwatch::CloudWatch;
//! use esp_endpoints::metadata::MetadataEndpoint;
//!
//! let metadata = MetadataEndpoint::fixed("{}", "{}");
//! let cloudwatch = CloudWatch::start();
//! assert!(metadata.uri().contains("/v4/"));
//! assert!(cloudwatch.url().starts_with("http://127.0.0.1:"));
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test support: a failure here should stop the test that it serves"
)]

pub mod agent;
pub mod alarm;
pub mod cbor;
pub mod clock;
pub mod cloudwatch;
pub mod containers;
pub mod counters;
pub mod credentials;
pub mod deaf;
pub mod dns;
pub mod docker;
pub mod emf;
pub mod http;
mod json;
pub mod limits;
pub mod metadata;
pub mod process;
pub mod proxy;
pub mod random;
pub mod script;
pub mod service;
pub mod sts;
pub mod tls;
