//! What else publishes the same load: the ideal publisher, which nobody can be, and ECS's own
//! metrics.

use crate::{
    alarm::Datum,
    assumptions::ECS_SENDS_S,
    cloudwatch::CloudWatch,
    dice::of_place,
    load::Load,
    moment::{SECOND_NS, ns},
    source::Source,
};

/// Each counter value in CloudWatch at the moment at which it exists: no asking, no request.
/// CloudWatch's own delay remains, since no publisher can take it away, unless `is_instant`.
pub(crate) fn ideal(
    source: Source,
    load: &Load,
    cloudwatch: &CloudWatch,
    is_instant: bool,
    until_ns: u64,
) -> Vec<Datum> {
    let Source::Endpoint { each_ns, phase_ns } = source else { return Vec::new() };
    let mut data = Vec::new();
    for read_ns in (phase_ns + each_ns..until_ns).step_by(each_ns as usize) {
        let delay_ns = if is_instant { 0 } else { cloudwatch.sees_after(read_ns) };
        data.push(Datum {
            second: read_ns / SECOND_NS,
            sum: load.mean(read_ns - each_ns, read_ns),
            count: 1.0,
            arrived_ns: read_ns + delay_ns,
        });
    }
    data
}

/// `AWS/ECS`: a point for each period of the wall clock, stamped with its beginning.
pub(crate) fn native(
    period_s: u64,
    load: &Load,
    cloudwatch: &CloudWatch,
    until_ns: u64,
) -> Vec<Datum> {
    let period_ns = period_s * SECOND_NS;
    let mut data = Vec::new();
    // The agent sends each 20 s, at the same moment each time.
    let (least, most) = ECS_SENDS_S;
    let sent_after_ns = ns(least + (most - least) * of_place(cloudwatch.seed, u64::MAX));
    for begin_ns in (0..until_ns - period_ns).step_by(period_ns as usize) {
        let end_ns = begin_ns + period_ns;
        let sent_ns = end_ns + sent_after_ns;
        data.push(Datum {
            second: begin_ns / SECOND_NS,
            sum: load.mean(begin_ns, end_ns),
            count: 1.0,
            arrived_ns: sent_ns + cloudwatch.sees_after(sent_ns),
        });
    }
    data
}
