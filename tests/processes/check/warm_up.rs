//! `WARMUP` in `esp check`: what it is, and whether it can be waited for.

use super::*;

#[test]
fn a_health_check_that_is_not_there_is_said() {
    for (health, is_there) in [(None, false), (Some("UNKNOWN"), true)] {
        let metadata = with_all_stats(agent(Shape::Fargate, Cadence::STREAMING, |task| {
            task.containers[0].health = health.map(str::to_owned);
        }));
        for (warm_up, said_of_it) in
            [("healthy", "warm-up           until HEALTHY"), ("30s", "30 s after StartedAt")]
        {
            let said = check(&metadata.uri(), NOBODY, &[], &[("WARMUP", warm_up)]);
            assert_eq!(said.code, 0, "{}", said.text);
            said.expect(&[said_of_it]);
            let warning = "WARMUP=healthy has no effect on web: it has no health check";
            let is_warned = said.text.contains(warning);
            assert_eq!(is_warned, warm_up == "healthy" && !is_there, "{}", said.text);
        }
    }
}
