//! The evaluator by tables made by hand, some of them those of AWS's documentation of missing
//! data.

use super::*;

fn alarm(breaches: usize, periods: usize, missing: Treat) -> Alarm {
    Alarm {
        statistic: Statistic::Average,
        period_s: 10,
        breaches,
        periods,
        look_back: 2,
        threshold: 60.0,
        is_below: false,
        is_inclusive: true,
        missing,
        window: Window::Aligned,
        evaluated_each_s: 10.0,
    }
}

/// One letter a period, the oldest first: `X` beyond, `0` within, `-` nothing.
fn points(periods: &str) -> Vec<Option<f64>> {
    let point = |letter| match letter {
        'X' => Some(90.0),
        '0' => Some(10.0),
        _ => None,
    };
    periods.chars().rev().map(point).collect()
}

#[test]
fn missing_periods_count_only_where_there_are_too_few() {
    use State::{Alarm as A, InsufficientData as I, Ok as O};
    // What is kept shows as INSUFFICIENT_DATA in the column of `ignore`.
    for (m, n, periods, expected) in [
        // (missing, ignore, breaching, not breaching)
        (3, 3, "0-X-X", [O, O, O, O]),
        (3, 3, "0----", [O, O, O, O]),
        (3, 3, "-----", [I, I, A, O]),
        (3, 3, "0XX-X", [A, A, A, A]),
        (3, 3, "--X--", [A, I, A, O]),
        (2, 3, "0-X-X", [A, A, A, A]),
        (2, 3, "00X0X", [A, A, A, A]),
        (2, 3, "0-X--", [O, O, A, O]),
        (2, 3, "----0", [O, O, A, O]),
        (2, 3, "---X-", [A, I, A, O]),
        (1, 2, "-X--", [A, A, A, A]),
        (1, 2, "X-0-", [A, A, A, A]),
        (1, 2, "X000", [O, O, O, O]),
        (1, 1, "X-0", [O, O, O, O]),
        (1, 1, "X--", [A, A, A, A]),
    ] {
        let each = [Treat::AsMissing, Treat::Ignore, Treat::Breaching, Treat::NotBreaching];
        for (missing, expected) in each.into_iter().zip(expected) {
            let state = alarm(m, n, missing).judge(&points(periods), I);
            assert_eq!(state, expected, "{m} of {n}, {periods}, {missing:?}");
        }
    }
}

fn datum(second: u64, value: f64, arrived_s: f64) -> Datum {
    Datum { second, sum: value, count: 1.0, arrived_ns: ns(arrived_s) }
}

#[test]
fn aligned_periods_end_with_the_wall_clock_and_sliding_ones_with_the_evaluation() {
    let data: Vec<_> = (0..40).map(|second| datum(second, second as f64, 0.0)).collect();
    let aligned = alarm(1, 1, Treat::NotBreaching);
    let sliding = Alarm { window: Window::Sliding, ..aligned };
    for (at_s, of_aligned, of_sliding) in
        [(30.0, 24.5, 24.5), (33.4, 24.5, 27.5), (39.9, 24.5, 33.5), (40.0, 34.5, 34.5)]
    {
        assert_eq!(aligned.points(&data, ns(at_s))[0], Some(of_aligned), "{at_s}");
        assert_eq!(sliding.points(&data, ns(at_s))[0], Some(of_sliding), "{at_s}");
    }
    // The one before, and the two that are looked back at.
    assert_eq!(aligned.points(&data, ns(33.4)), [Some(24.5), Some(14.5), Some(4.5)]);
    assert_eq!(aligned.points(&data, ns(20.0)), [Some(14.5), Some(4.5), None]);
}

#[test]
fn what_has_not_arrived_is_not_seen_and_what_is_decided_stays_decided() {
    let one = alarm(1, 1, Treat::NotBreaching);
    // A period of 10 s, half of which comes late: its average is that of the other half.
    let mut data: Vec<_> = (0..5).map(|second| datum(second, 0.0, 8.0)).collect();
    data.extend((5..10).map(|second| datum(second, 100.0, 11.0)));
    assert_eq!(one.points(&data, ns(10.0))[0], Some(0.0));
    assert_eq!(one.points(&data, ns(11.0))[0], Some(50.0));
    // Hot throughout, but only after the one evaluation that looks at it as the last: 1 of 1
    // misses it for good while data keep coming, 1 of 2 does not.
    let mut data: Vec<_> = (0..10).map(|second| datum(second, 0.0, 9.0)).collect();
    data.extend((10..20).map(|second| datum(second, 100.0, 20.5)));
    data.extend((20..40).map(|second| datum(second, 0.0, second as f64)));
    assert_eq!(one.first_alarm(&data, 0, 0, ns(60.0)), None);
    let two = Alarm { periods: 2, ..one };
    assert_eq!(two.first_alarm(&data, 0, 0, ns(60.0)), Some(ns(30.0)));
}

#[test]
fn with_the_look_back_a_period_that_is_empty_yet_is_passed_over() {
    // Requests each 10 s that come a second after an evaluation: the last period is empty then.
    let mut data = Vec::new();
    for second in 0..60 {
        let value = if second < 20 { 0.0 } else { 100.0 };
        data.push(datum(second, value, (second / 10 + 1) as f64 * 10.0 + 1.0));
    }
    let with = alarm(1, 1, Treat::NotBreaching);
    let without = Alarm { look_back: 0, ..with };
    assert_eq!(with.first_alarm(&data, 0, 0, ns(70.0)), Some(ns(40.0)));
    assert_eq!(without.first_alarm(&data, 0, 0, ns(60.0)), None);
}

#[test]
fn the_threshold_itself_breaches_if_it_is_said_to() {
    let data = [datum(0, 60.0, 0.0)];
    let inclusive = Alarm { look_back: 0, ..alarm(1, 1, Treat::NotBreaching) };
    assert_eq!(inclusive.first_alarm(&data, 0, 0, ns(30.0)), Some(ns(10.0)));
    let exclusive = Alarm { is_inclusive: false, ..inclusive };
    assert_eq!(exclusive.first_alarm(&data, 0, 0, ns(30.0)), None);
}

#[test]
fn evaluations_begin_at_their_phase_and_go_on_from_there() {
    let data: Vec<_> = (0..100).map(|second| datum(second, 100.0, 0.0)).collect();
    let one = alarm(1, 1, Treat::NotBreaching);
    for (phase_s, from_s, expected_s) in [(3.0, 0.0, 13.0), (3.0, 13.0, 13.0), (3.0, 13.5, 23.0)] {
        let at = one.first_alarm(&data, ns(phase_s), ns(from_s), ns(100.0));
        assert_eq!(at, Some(ns(expected_s)), "{phase_s} {from_s}");
    }
}

#[test]
fn a_low_alarm_breaches_below_its_threshold() {
    let low = Alarm { is_below: true, is_inclusive: false, ..alarm(1, 1, Treat::AsMissing) };
    for (value, expected) in [(59.9, State::Alarm), (60.0, State::Ok), (60.1, State::Ok)] {
        assert_eq!(low.judge(&[Some(value)], State::Ok), expected, "{value}");
    }
}

#[test]
fn the_maximum_and_the_90th_percentile_are_those_of_single_samples() {
    // A hundred samples in a period, from 1 to 100.
    let data: Vec<_> = (0..100_u32)
        .map(|number| datum(u64::from(number / 10), f64::from(number) + 1.0, 0.0))
        .collect();
    let one = Alarm { look_back: 0, ..alarm(1, 1, Treat::NotBreaching) };
    for (statistic, expected) in [
        (Statistic::Average, 50.5),
        (Statistic::Maximum, 100.0),
        (Statistic::P90 { ignores_few: false }, 90.0),
    ] {
        let points = Alarm { statistic, ..one }.points(&data, ns(10.0));
        assert_eq!(points, [Some(expected)], "{statistic:?}");
    }
    assert_eq!(p90(Vec::new()), None);
}

#[test]
fn a_percentile_of_too_few_samples_can_leave_the_state_as_it_is() {
    let hot = |samples: u32| -> Vec<Datum> { (0..samples).map(|_| datum(3, 100.0, 0.0)).collect() };
    let of = |ignores_few| Alarm {
        statistic: Statistic::P90 { ignores_few },
        ..alarm(1, 1, Treat::NotBreaching)
    };
    for (samples, ignores_few, expected) in
        [(99, true, State::Ok), (100, true, State::Alarm), (99, false, State::Alarm)]
    {
        let state = of(ignores_few).evaluate(&hot(samples), ns(10.0), State::Ok);
        assert_eq!(state, expected, "{samples} {ignores_few}");
    }
    assert_eq!(of(true).evaluate(&hot(99), ns(10.0), State::Alarm), State::Alarm);
}
