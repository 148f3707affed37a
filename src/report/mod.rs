//! What ESP tells its operator. Each kind of log line has a file: `start`,
//! `events`, `kernel`, `summary`, `slowness` and `trouble`; the last two decide how often a
//! lasting problem is repeated. [`own_metrics`] makes samples of ESP's own figures;
//! [`log`] is where lines go and what they look like. Nothing is logged each second.

mod events;
pub mod fatal;
pub mod kernel;
pub mod log;
pub mod own_metrics;
mod slowness;
mod start;
mod summary;
mod trouble;

pub use self::{
    events::{event, health_is_back, line_event, no_health, publisher_event, warm_up_event},
    slowness::Slowness,
    start::{dimensions, no_region, starting},
    summary::{stopped, summary},
    trouble::Trouble,
};
