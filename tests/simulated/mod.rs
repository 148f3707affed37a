//! One sidecar in a simulated world: the real program from the sampling loop to
//! the AWS SDK, on a clock that jumps, between a metadata endpoint and a
//! CloudWatch that play a script of faults and keep books.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unchecked_time_subtraction, reason = "this clock never goes back")]

pub(crate) mod aws;
pub(crate) mod clock;
pub(crate) mod environment;
pub(crate) mod kernel;
pub(crate) mod ledger;
pub(crate) mod scenario;
pub(crate) mod script;
pub(crate) mod seed;
pub(crate) mod task;
pub(crate) mod world;
