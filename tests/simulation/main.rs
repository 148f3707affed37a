//! What ESP does on a simulated clock, and models of what it measures: hours pass in
//! seconds, without sockets and without waiting. `.ci/simulation` plays more of it,
//! optimised.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod asking;
#[path = "../simulated/books.rs"]
mod books;
#[path = "../simulated/outages.rs"]
mod outages;
mod random;
#[path = "../simulated/mod.rs"]
mod simulated;
mod truth;
mod week;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what the simulated week allocates.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
