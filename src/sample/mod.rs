//! What a sample is: a value of a [`metric`], under its [`dimension`]s, within the
//! [`limits`] of CloudWatch. And what every output needs to know of samples: whether
//! they come rarely ([`renewal`]), and when dropped ones are logged ([`dropping`]).
//! Where samples come from and when they are sent is decided elsewhere.

pub mod dimension;
pub mod dropping;
pub mod limits;
pub mod metric;
pub mod renewal;

pub use self::metric::{Metric, MetricSet, Sample};
