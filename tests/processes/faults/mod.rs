//! Faults for real: the built program between the two endpoints, which play
//! scripts of trouble, over real sockets, TLS and name resolution. After each
//! script the books have to balance; see `program::ledger`.

mod answers;
mod clock;
mod connections;
mod credentials;
mod end;
mod environment;
mod metadata;
mod names;
mod repeats;
mod tls;
