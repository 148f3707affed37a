//! ESP's settings where nothing is set, out of its own table of variables.

use esp::{
    publisher::adaptive::Rule,
    settings::{parse_duration, variable},
};

use crate::{
    race::{Offset, Runner},
    source::Kind,
};

/// `PUBLISH_INTERVAL`, seconds.
pub(crate) fn interval_s() -> f64 {
    let text = variable::PUBLISH_INTERVAL.default.value();
    text.and_then(parse_duration).map_or(10.0, |interval| interval.as_secs_f64())
}

/// What `PUBLISH` means.
pub(crate) fn rule() -> Option<Rule> {
    let word = variable::PUBLISH.default.value();
    let meant = variable::PUBLISH_WORDS.iter().find(|(known, _)| Some(*known) == word);
    meant.filter(|(_, is_adaptive)| *is_adaptive).map(|_| Rule::CHOSEN)
}

/// Where a task's requests lie: anywhere in the interval, by the task's ARN.
pub(crate) fn offset() -> Offset {
    Offset::Within(interval_s())
}

/// ESP as it is without a variable set, on this source.
pub(crate) fn esp(kind: Kind) -> Runner {
    esp_with(kind, rule())
}

/// The same with this rule, or with none.
pub(crate) fn esp_with(kind: Kind, rule: Option<Rule>) -> Runner {
    Runner::Esp { kind, interval_s: interval_s(), offset: offset(), rule }
}
