//! Faults for real: the built program between the two endpoints, which play
//! scripts of trouble, over real sockets, TLS and name resolution. After each
//! script the books have to balance; see `program::ledger`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a test that was skipped must say so")]

mod answers;
mod clock;
mod connections;
mod credentials;
mod end;
mod environment;
mod metadata;
mod names;
#[path = "../program/mod.rs"]
mod program;
mod repeats;
mod run;
mod tls;
