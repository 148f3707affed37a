//! How the task metadata endpoint is spoken to: its address ([`uri`]), the
//! bytes of its answers ([`response`]) and the connection to it ([`client`]).
//! What the answers say is read elsewhere (`stats`, `task`).

pub mod client;
pub mod injected;
pub mod region;
pub mod response;
pub mod stats;
pub mod task;
pub mod uri;

pub use client::{EndpointClient, EndpointError, Resource};
pub use uri::EndpointUri;
