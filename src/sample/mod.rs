//! What a sample is: a value of a [`metric`], under its [`dimension`]s, within the
//! [`limits`] of CloudWatch. Where samples come from and when they are sent is
//! decided elsewhere.

pub mod dimension;
pub mod limits;
pub mod metric;

pub use self::metric::{Metric, MetricSet, Sample};
