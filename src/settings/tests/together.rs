//! Tests of what variables have to do with each other.

use std::time::Instant;

use super::{read, *};
use crate::{
    publisher::{Action, Outcome, Publisher},
    sample::metric::Sample,
    time::{Now, Timestamp},
};

/// The errors, each as its line.
fn errors(more: &[(&str, &str)]) -> Vec<String> {
    read(more).map_or_else(|errors| errors.iter().map(ToString::to_string).collect(), |_| vec![])
}

/// The warnings' first halves.
fn warnings(more: &[(&str, &str)]) -> Vec<String> {
    read(more).unwrap().warnings.into_iter().map(|warning| warning.what).collect()
}

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_help() {
    let more = [
        ("ECS_CONTAINER_METADATA_URI_V4", ""),
        ("CONTAINER_NAME", "my web"),
        ("NAMESPACE", ""),
        ("SAMPLE_INTERVAL", "1"),
        ("PUBLISH_INTERVAL", "30m"),
        ("BUFFER", "10m"),
        ("LOG_LEVEL", "loud"),
        ("AWS_USE_FIPS_ENDPOINT", "yes"),
    ];
    let all = errors(&more);
    let names = [
        "ECS_CONTAINER_METADATA_URI_V4 is not set",
        "CONTAINER_NAME=\"my web\" is not valid",
        "NAMESPACE is not set",
        "SAMPLE_INTERVAL=\"1\" is not valid",
        "LOG_LEVEL=\"loud\" is not valid",
        "AWS_USE_FIPS_ENDPOINT=\"yes\" is not valid",
        "PUBLISH_INTERVAL=\"30m\" is not valid",
    ];
    assert_eq!(all.len(), names.len(), "{all:#?}");
    for (line, begin) in all.iter().zip(names) {
        assert!(line.starts_with(begin), "{line}");
    }
    let text = read(&more).unwrap_err().to_string();
    assert_eq!(text.lines().collect::<Vec<_>>(), all);
}

#[test]
fn samples_do_not_wait_longer_than_the_buffer_keeps_them() {
    for (sample, publish, buffer, expected) in [
        ("1s", "10m", "10m", None),
        ("1s", "1h", "1h", None),
        ("1m", "1m", "1m", None),
        (
            "1s",
            "601s",
            "10m",
            Some(
                "PUBLISH_INTERVAL=\"601s\" is not valid: expected at most BUFFER, which is 10m, \
                 because ESP drops samples that wait longer",
            ),
        ),
        (
            "30s",
            "29s",
            "1h",
            Some(
                "PUBLISH_INTERVAL=\"29s\" is not valid: expected at least SAMPLE_INTERVAL, which is \
                 30s",
            ),
        ),
    ] {
        let more = [("SAMPLE_INTERVAL", sample), ("PUBLISH_INTERVAL", publish), ("BUFFER", buffer)];
        assert_eq!(errors(&more), expected.into_iter().collect::<Vec<_>>(), "{more:?}");
        // Lines on stdout do not wait for a request.
        let lines = [&more[..], &[("OUTPUT", "stdout")]].concat();
        assert_eq!(read(&lines).is_ok(), sample != "30s", "{lines:?}");
    }
}

#[test]
fn slow_samples_slow_down_the_default_of_publishing_only() {
    let settings = read(&[("SAMPLE_INTERVAL", "30s")]).unwrap();
    assert_eq!(settings.publish_interval, Duration::from_secs(30));
    assert!(read(&[("SAMPLE_INTERVAL", "30s"), ("PUBLISH_INTERVAL", "10s")]).is_err());
    assert!(read(&[("SAMPLE_INTERVAL", "200ms"), ("PUBLISH_INTERVAL", "999ms")]).is_err());
}

const EVERYTHING: [(&str, &str); 3] =
    [("CONTAINER_NAME", "*"), ("METRICS", "all"), ("SAMPLE_INTERVAL", "200ms")];

#[test]
fn bytes_of_the_store_suffice_for_the_samples_between_two_requests() {
    let with = |publish| [&EVERYTHING[..], &[("PUBLISH_INTERVAL", publish)]].concat();
    // 10 containers with 9 metrics and 3 of the task, five times a second.
    assert_eq!(errors(&with("315s")), [""; 0]);
    assert_eq!(
        errors(&with("316s")),
        [
            "PUBLISH_INTERVAL=\"316s\" is not valid: expected at most 315s, because 93 samples every \
          200ms fill the 4 MiB for unsent samples within that time"
        ]
    );
    assert_eq!(
        warnings(&with("1m")),
        ["BUFFER=1h is reduced to 315s, because 93 samples every 200ms fill the 4 MiB for unsent \
          samples within that time"]
    );
    assert_eq!(warnings(&[("BUFFER", "24h")]), [""; 0]);
}

#[test]
fn requests_can_carry_all_samples() {
    let with = |sets: &'static str| [&EVERYTHING[..], &[("DIMENSIONS", sets)]].concat();
    assert_eq!(errors(&with("ServiceName;Stage=prod")), [""; 0]);
    let three = with("ServiceName;Stage=prod;TaskId");
    assert_eq!(
        errors(&three),
        [
            "SAMPLE_INTERVAL=\"200ms\" is not valid: expected a longer interval, or fewer containers, \
          metrics or sets of dimensions: 93 samples every 200ms in 3 sets of dimensions are more \
          than ESP can send, which is one request a second with 1000 values"
        ]
    );
    assert_eq!(errors(&[&three[..], &[("OUTPUT", "emf")]].concat()), [""; 0]);
}

#[test]
fn values_of_the_task_need_a_set_without_container() {
    let with = |metrics, sets| [("METRICS", metrics), ("DIMENSIONS", sets)];
    for sets in ["ContainerName", "ContainerName,Stage=prod;ClusterName,ContainerName"] {
        let all = errors(&with("TaskCPUUtilization,TaskMemoryUtilization", sets));
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].contains("expected a set without ContainerName, because task-level metrics have \
                             no container: METRICS contains only TaskCPUUtilization, TaskMemoryUtilization"),
            "{}",
            all[0]
        );
        assert_eq!(
            warnings(&with("CPUUtilization,TaskCPUUtilization", sets)),
            ["TaskCPUUtilization will not be published: each set in DIMENSIONS has ContainerName"]
        );
        assert_eq!(warnings(&with("CPUUtilization", sets)), [""; 0]);
        let own = [("DIMENSIONS", sets), ("SELF_METRICS", "on")];
        assert!(warnings(&own)[0].starts_with("ESP's own metrics (SELF_METRICS) will not"));
    }
    assert_eq!(errors(&with("TaskCPUUtilization", "ContainerName;Stage=prod")), [""; 0]);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    for (more, name) in [
        (
            &[("EMF_RESOLUTION", "1s")][..],
            "EMF_RESOLUTION=\"1s\" has no effect, because OUTPUT does not contain emf",
        ),
        (
            &[("OUTPUT", "emf"), ("BUFFER", "2h")],
            "BUFFER=\"2h\" has no effect, because OUTPUT does not contain cloudwatch",
        ),
        (
            &[("OUTPUT", "stdout"), ("PUBLISH_INTERVAL", "5s")],
            "PUBLISH_INTERVAL=\"5s\" has no effect, because OUTPUT does not contain cloudwatch",
        ),
        (
            &[("HEALTH_MAX_AGE", "1m")],
            "HEALTH_MAX_AGE=\"1m\" has no effect, because HEALTH_REQUIRES_PUBLISH is off",
        ),
    ] {
        assert_eq!(warnings(more), [name]);
    }
    assert_eq!(warnings(&[]), [""; 0]);
    assert_eq!(warnings(&[("OUTPUT", "cloudwatch,emf"), ("EMF_RESOLUTION", "1s")]), [""; 0]);
}

#[test]
fn publishing_is_health_only_where_that_is_asked_for() {
    let on = ("HEALTH_REQUIRES_PUBLISH", "on");
    for (more, expected) in [
        (&[][..], Ok(None)),
        (&[("HEALTH_MAX_AGE", "2m")], Ok(None)),
        (&[on], Ok(Some(60))),
        (&[on, ("PUBLISH_INTERVAL", "1m")], Ok(Some(210))),
        (&[on, ("HEALTH_MAX_AGE", "10s")], Ok(Some(10))),
        (&[on, ("HEALTH_MAX_AGE", "24h")], Ok(Some(86_400))),
        (&[("HEALTH_MAX_AGE", "9s")], Err(())),
        (&[("HEALTH_MAX_AGE", "25h")], Err(())),
        (&[("HEALTH_REQUIRES_PUBLISH", "yes")], Err(())),
    ] {
        let seconds = read(more).map(|s| s.health_max_age.map(|age| age.as_secs()));
        assert_eq!(seconds.map_err(drop), expected, "{more:?}");
    }
}

#[test]
fn with_emf_no_dimension_is_called_like_a_metric() {
    let long = format!("{}=x", "n".repeat(251));
    for (sets, is_valid) in [
        ("ServiceName;Stage=prod", true),
        ("ServiceName;Stage=prod,CPUUtilization=x", false),
        ("ESP/Backlog=x", false),
        ("_aws=x", false),
        (&long, false),
    ] {
        assert!(read(&[("DIMENSIONS", sets)]).is_ok(), "{sets}");
        let result = read(&[("DIMENSIONS", sets), ("OUTPUT", "cloudwatch,emf")]);
        assert_eq!(result.is_ok(), is_valid, "{sets}");
    }
    let error = read(&[("DIMENSIONS", "_aws=x"), ("OUTPUT", "emf")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "DIMENSIONS=\"_aws=x\" is not valid: expected names of at most 250 characters that are not \
         the name of a metric, because OUTPUT contains emf; \"_aws\" is not allowed"
    );
}

/// What is dropped while a dozen requests go out as the publisher wants them, and each
/// is answered after 10 s.
fn dropped(settings: &Settings) -> u64 {
    let start = Instant::now();
    let now = |ms: u64| Now {
        instant: start + Duration::from_millis(ms),
        wall: Timestamp::from_unix_ns((1_800_000_000_000 + ms) * 1_000_000),
    };
    let mut publisher = Publisher::new(settings.publish_interval, settings.buffer_samples(), 1);
    publisher.set_task_arn("arn:aws:ecs:eu-west-1:111122223333:task/shop/0af3", now(0));
    publisher.set_cadence(Some(settings.sample_interval));
    let interval_ms = u64::try_from(settings.sample_interval.as_millis()).unwrap();
    let publish_ms = u64::try_from(settings.publish_interval.as_millis()).unwrap();
    let mut answered_ms = None;
    for ms in (0..12 * publish_ms + 60_000).step_by(200) {
        if ms % interval_ms == 0 {
            for metric in settings.metrics.iter() {
                let read = now(ms).wall;
                publisher.push(
                    Sample { read, value: 1.0, metric: metric.into(), container: Some(0) },
                    now(ms),
                );
            }
        }
        if answered_ms.is_some_and(|at| at <= ms) {
            answered_ms = None;
            publisher.on_outcome(Outcome::Accepted, now(ms));
        }
        if answered_ms.is_none() && matches!(publisher.poll(now(ms)), Action::Send(_)) {
            answered_ms = Some(ms + 10_000);
        }
    }
    assert!(publisher.figures().published > 0);
    publisher.figures().dropped(crate::sample::own_figures::Scope::Cloudwatch)
}

#[test]
fn publish_interval_as_long_as_the_buffer_loses_no_sample() {
    for (sample, both) in
        [("1s", "1m"), ("1s", "10m"), ("1m", "1m"), ("59s", "1m"), ("200ms", "7m"), ("7s", "1h")]
    {
        let more = [("SAMPLE_INTERVAL", sample), ("PUBLISH_INTERVAL", both), ("BUFFER", both)];
        let settings = read(&more).unwrap();
        assert_eq!(dropped(&settings), 0, "{more:?}");
    }
}

#[test]
fn longest_publish_interval_that_the_bytes_allow_loses_no_sample() {
    let more = [("SAMPLE_INTERVAL", "200ms"), ("METRICS", "all"), ("BUFFER", "1h")];
    let settings = read(&[&more[..], &[("PUBLISH_INTERVAL", "2852s")]].concat()).unwrap();
    assert_eq!(dropped(&settings), 0);
    assert!(read(&[&more[..], &[("PUBLISH_INTERVAL", "2853s")]].concat()).is_err());
}

#[test]
fn publisher_with_an_interval_that_is_refused_would_drop_samples() {
    let mut settings = read(&[("PUBLISH_INTERVAL", "1m"), ("BUFFER", "1m")]).unwrap();
    settings.publish_interval = Duration::from_mins(10);
    assert!(dropped(&settings) > 0);
}
