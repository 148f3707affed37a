//! Tests of the configuration as a whole: what each variable accepts, what each error
//! says. What several say together is in `tests/together`.

mod foreign;
mod together;

use super::*;
use crate::sample::metric::Metric;

const REQUIRED: [(&str, &str); 3] = [
    ("CONTAINER_NAME", "web"),
    ("NAMESPACE", "Shop"),
    ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
];

fn read(more: &[(&str, &str)]) -> Result<Settings, SettingsErrors> {
    // A name given twice counts as its first: the test's own.
    Settings::read(&[more, &REQUIRED].concat()[..])
}

#[test]
fn two_variables_are_enough_inside_ecs() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.containers, Selection::Named(vec!["web".into()]));
    let metrics: Vec<_> = settings.metrics.iter().map(Metric::name).collect();
    assert_eq!(metrics, ["CPUUtilization", "MemoryUtilization"]);
    assert_eq!(settings.dimensions, DimensionSets::default());
    assert_eq!(settings.namespace, "Shop");
    assert_eq!(settings.region, None);
    assert_eq!(settings.sample_interval, Duration::from_secs(1));
    assert_eq!(settings.publish_interval, Duration::from_secs(10));
    assert_eq!(settings.log_level, LogLevel::Info);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.ca_bundle, None);
}

#[test]
fn the_region_has_an_order() {
    for (more, expected) in [
        (&[("AWS_DEFAULT_REGION", "us-east-1")][..], "us-east-1"),
        (&[("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_REGION", "us-west-2")], "us-west-2"),
        (&[("AWS_REGION", "us-west-2"), ("REGION", "eu-west-1")], "eu-west-1"),
        (&[("AWS_REGION", "us-west-2"), ("REGION", "")], "us-west-2"),
    ] {
        let settings = read(more).unwrap();
        assert_eq!(settings.region.as_deref(), Some(expected), "{more:?}");
        assert!(more.contains(&(settings.region_from.unwrap().as_str(), expected)), "{more:?}");
    }
}

#[test]
fn an_error_names_variable_value_and_expectation() {
    for (more, message) in [
        (
            ("CONTAINER_NAME", ""),
            "CONTAINER_NAME is not set: expected the name of a container in the task definition, \
             several names separated by commas, or * for all containers except those that AWS \
             adds, e.g. web",
        ),
        (
            ("CONTAINER_NAME", "my web"),
            "CONTAINER_NAME=\"my web\" is not valid: expected the name of a container in the task \
             definition, several names separated by commas, or * for all containers except those \
             that AWS adds, e.g. web",
        ),
        (
            ("NAMESPACE", "AWS/ECS"),
            "NAMESPACE=\"AWS/ECS\" is not valid: expected 1 to 255 printable ASCII characters, not all blank, not beginning with ':' or 'AWS/', e.g. Shop",
        ),
        (
            ("REGION", "Ireland"),
            "REGION=\"Ireland\" is not valid: expected the name of an AWS Region (for its FIPS endpoint also set AWS_USE_FIPS_ENDPOINT=true), e.g. eu-west-1",
        ),
        (
            ("AWS_REGION", "x.example.com"),
            "AWS_REGION=\"x.example.com\" is not valid: expected the name of an AWS Region (for its FIPS endpoint also set AWS_USE_FIPS_ENDPOINT=true), e.g. eu-west-1",
        ),
        (
            ("SERVICE_NAME", "wéb"),
            "SERVICE_NAME=\"wéb\" is not valid: expected 1 to 1024 printable ASCII characters, not all blank, not beginning with ':', or the ARN of a service, e.g. web",
        ),
        (
            ("SAMPLE_INTERVAL", "1"),
            "SAMPLE_INTERVAL=\"1\" is not valid: expected a whole number with ms, s, m or h, from 200ms to 1m, at most PUBLISH_INTERVAL, e.g. 1s",
        ),
        (
            ("LOG_LEVEL", "loud"),
            "LOG_LEVEL=\"loud\" is not valid: expected error, warn, warning, info, debug or trace, e.g. debug",
        ),
        (
            ("LOG_FORMAT", "xml"),
            "LOG_FORMAT=\"xml\" is not valid: expected json or text, e.g. text",
        ),
    ] {
        assert_eq!(read(&[more]).unwrap_err().to_string(), message);
    }
    let error = read(&[("ECS_CONTAINER_METADATA_URI_V4", "")]).unwrap_err();
    assert_eq!(error, SettingsError::NoEndpoint.into());
    assert!(error.to_string().contains("--example demo"));
}

#[test]
fn containers_and_metrics_are_lists() {
    let named =
        |names: &[&str]| Selection::Named(names.iter().map(|name| (*name).to_owned()).collect());
    for (text, expected) in [
        ("web", Some(named(&["web"]))),
        ("web, log_router", Some(named(&["web", "log_router"]))),
        ("*", Some(Selection::All)),
        ("web,", None),
        ("web,web", None),
        ("web,*", None),
    ] {
        let selection = read(&[("CONTAINER_NAME", text)]).ok().map(|s| s.containers);
        assert_eq!(selection, expected, "{text}");
    }
    for (text, expected) in [
        ("CPUUsage", Some(1)),
        ("CPUUsage, RestartCount", Some(2)),
        ("all", Some(12)),
        ("CPUUsage,", None),
        ("cpuusage", None),
    ] {
        let metrics = read(&[("METRICS", text)]).ok().map(|s| s.metrics.iter().count());
        assert_eq!(metrics, expected, "{text}");
    }
    let error = read(&[("METRICS", "CPU")]).unwrap_err().to_string();
    for metric in crate::sample::metric::ALL {
        assert!(error.contains(metric.name()), "{error}");
    }
    assert!(read(&[("DIMENSIONS", "Cluster")]).unwrap_err().to_string().contains("TaskId"));
}

#[test]
fn intervals_have_limits() {
    for (name, text, is_valid) in [
        ("SAMPLE_INTERVAL", "199ms", false),
        ("SAMPLE_INTERVAL", "200ms", true),
        ("SAMPLE_INTERVAL", "60s", true),
        ("SAMPLE_INTERVAL", "1m", true),
        ("SAMPLE_INTERVAL", "61s", false),
        ("PUBLISH_INTERVAL", "999ms", false),
        ("PUBLISH_INTERVAL", "1s", true),
        ("PUBLISH_INTERVAL", "1h", true),
        ("PUBLISH_INTERVAL", "3601s", false),
    ] {
        assert_eq!(read(&[(name, text)]).is_ok(), is_valid, "{name}={text}");
    }
}

#[test]
fn the_buffer_is_bounded_in_time_and_in_bytes() {
    for (more, samples) in [
        // A minute more than BUFFER, for the request that is under way.
        (&[][..], 2 * 3660),
        (&[("METRICS", "CPUUtilization")], 3660),
        (&[("BUFFER", "10m"), ("METRICS", "CPUUtilization"), ("CONTAINER_NAME", "a,b")], 2 * 660),
        (&[("METRICS", "TaskCPUUtilization"), ("CONTAINER_NAME", "*")], 3660),
        (&[("BUFFER", "24h"), ("METRICS", "all"), ("CONTAINER_NAME", "*")], 174_762),
    ] {
        assert_eq!(read(more).unwrap().buffer_samples(), samples, "{more:?}");
    }
    for (name, text, is_valid) in [
        ("BUFFER", "59s", false),
        ("BUFFER", "24h", true),
        ("BUFFER", "25h", false),
        ("SHUTDOWN_GRACE", "0s", true),
        ("SHUTDOWN_GRACE", "121s", false),
    ] {
        assert_eq!(read(&[(name, text)]).is_ok(), is_valid, "{name}={text}");
    }
}

#[test]
fn outputs_are_one_or_several_but_only_one_has_stdout() {
    let emf = LineFormat::Emf(EmfResolution::TenSeconds);
    for (text, cloudwatch, lines) in [
        ("", true, None),
        ("cloudwatch", true, None),
        ("emf", false, Some(emf)),
        ("stdout", false, Some(LineFormat::Readable)),
        ("cloudwatch, emf", true, Some(emf)),
        ("stdout,cloudwatch", true, Some(LineFormat::Readable)),
    ] {
        let settings = read(&[("OUTPUT", text)]).unwrap();
        assert_eq!(settings.outputs, Outputs { cloudwatch, lines }, "{text}");
        assert_eq!(settings.buffer_samples() > 0, cloudwatch, "{text}");
    }
    for text in ["emf,stdout", "cloudwatch,stdout,emf", "EMF", "emf,", ",", "none"] {
        let error = read(&[("OUTPUT", text)]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "OUTPUT=\"{text}\" is not valid: expected cloudwatch, emf or stdout, several separated by \
                 commas, but not emf and stdout together, because both write to stdout, e.g. cloudwatch,stdout"
            )
        );
    }
}

#[test]
fn the_resolution_of_emf_is_checked_and_otherwise_ignored_without_it() {
    for (text, resolution) in [
        ("", EmfResolution::TenSeconds),
        ("10s", EmfResolution::TenSeconds),
        ("10000ms", EmfResolution::TenSeconds),
        ("1s", EmfResolution::Second),
    ] {
        let settings = read(&[("OUTPUT", "emf"), ("EMF_RESOLUTION", text)]).unwrap();
        assert_eq!(settings.outputs.lines, Some(LineFormat::Emf(resolution)), "{text}");
    }
    assert_eq!(read(&[("EMF_RESOLUTION", "1s")]).unwrap().outputs, Outputs::default());
    for text in ["5s", "1", "60s", "second"] {
        let error = read(&[("EMF_RESOLUTION", text)]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("EMF_RESOLUTION=\"{text}\" is not valid: expected 10s or 1s, e.g. 1s")
        );
    }
}

#[test]
fn cluster_and_service_may_be_given_by_their_arns() {
    let arn = |resource| format!("arn:aws:ecs:eu-west-1:111122223333:{resource}");
    for (name, resource, expected) in [
        ("CLUSTER_NAME", "cluster/shop", Some("shop")),
        ("SERVICE_NAME", "service/shop/web", Some("web")),
        ("SERVICE_NAME", "service/web", Some("web")),
        ("SERVICE_NAME", "cluster/shop", None),
        ("CLUSTER_NAME", "service/shop/web", None),
        ("CLUSTER_NAME", "cluster/", None),
    ] {
        let arn = arn(resource);
        match (read(&[(name, &arn)]), expected) {
            (Ok(settings), Some(expected)) => {
                let DimensionOverrides { cluster_name, service_name } = settings.overrides;
                assert_eq!(cluster_name.or(service_name).as_deref(), Some(expected), "{arn}");
                let what =
                    format!("{name}={arn:?} is an ARN; ESP uses the name in it, {expected:?}");
                assert_eq!(settings.warnings[0].what, what);
                assert_eq!(settings.warnings[0].next, format!("set {name} to {expected}"));
            }
            (Err(errors), None) => {
                let line = errors.to_string();
                assert!(line.starts_with(&format!("{name}={arn:?} is not valid: ")), "{line}");
                assert!(line.contains(", or the ARN of a "), "{line}");
            }
            (read, expected) => panic!("{name}={arn}: {read:?} instead of {expected:?}"),
        }
    }
    let settings = read(&[("SERVICE_NAME", "team/web")]).unwrap();
    assert_eq!(settings.overrides.service_name.as_deref(), Some("team/web"));
    assert!(settings.warnings.is_empty());
}

#[test]
fn certificates_have_an_order() {
    let both = [("SSL_CERT_FILE", "/a.pem"), ("AWS_CA_BUNDLE", "/b.pem")];
    let bundle = read(&both).unwrap().ca_bundle.unwrap();
    assert_eq!((bundle.variable.as_str(), bundle.path), ("AWS_CA_BUNDLE", "/b.pem".into()));
    let bundle = read(&both[..1]).unwrap().ca_bundle.unwrap();
    assert_eq!(bundle.variable, "SSL_CERT_FILE");
}

#[test]
fn names_are_distinct_and_flags_follow_them() {
    for (position, variable) in variable::OWN.iter().enumerate() {
        let usual = variable.name.to_lowercase().replace('_', "-");
        // `esp check --publish` sends a value.
        let flag = if usual == "publish" { "publish-mode" } else { &usual };
        assert_eq!(variable.flag.unwrap(), flag);
        assert!(variable::OWN[..position].iter().all(|other| other.name != variable.name));
    }
}

#[test]
fn a_view_of_the_task_needs_the_endpoint_alone() {
    let endpoint = (variable::ENDPOINT.name, "http://169.254.170.2/v4/0af3");
    // Whatever else is wrong is of no use to it.
    let given = [endpoint, ("SOURCE", "endpoint"), ("SAMPLE_INTERVAL", "never"), ("METRICS", "x")];
    let settings = Settings::read(&OfTask(&given[..])).unwrap();
    assert_eq!(settings.containers, Selection::All);
    assert_eq!((settings.source, settings.sample_interval.as_secs()), (SourceChoice::Endpoint, 1));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    let errors = Settings::read(&OfTask(&[("SOURCE", "x")][..])).unwrap_err();
    let names =
        errors.iter().map(|error| error.to_string().split([' ', '=']).next().map(str::to_owned));
    let expected = [variable::ENDPOINT.name, "SOURCE"].map(|name| Some(name.to_owned()));
    assert_eq!(names.collect::<Vec<_>>(), expected);
}
