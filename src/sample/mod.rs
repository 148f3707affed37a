//! What a sample is: a value of a [`metric`] or of one of ESP's [`own_figures`],
//! under its [`dimension`]s, within the [`limits`] of CloudWatch. Also what every
//! output needs to know of samples: whether they come rarely ([`rarity`]), and when
//! dropped ones are logged ([`drop_notices`]).
//! Where samples come from and when they are sent is decided elsewhere.

pub mod dimension;
pub mod drop_notices;
pub mod limits;
pub mod metric;
pub mod own_figures;
pub mod rarity;

pub use self::{
    metric::{Measured, Metric, MetricSet, Sample},
    own_figures::{OwnFigures, OwnMetric},
};
