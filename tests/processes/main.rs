//! Real processes, real sockets, the real SDK: the built program between a task
//! metadata endpoint and a CloudWatch. One program for all these tests, since each
//! one more is linked with the SDK again. They wait most of the time, and so many run
//! beside each other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod beside;
mod blocked;
mod causes;
mod check;
mod configuration;
mod documents;
mod end_to_end;
mod examples;
mod faults;
mod flood;
mod health;
mod outputs;
mod own_faults;
mod profiles;
#[path = "../program/mod.rs"]
mod program;
mod proxy;
mod sdk_variables;
mod secrets;
mod sources;
mod top;
mod warm_up;
