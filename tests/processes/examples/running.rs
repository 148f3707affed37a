//! The built program with the environment of an example: CloudWatch gets what the
//! example's alarms watch, over the way that the variables for networks name.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::mpsc,
    time::{Duration, SystemTime},
};

use esp_endpoints::{
    agent::Cadence,
    alarm::State,
    cloudwatch::CloudWatch,
    containers::{Limits, Shape},
    metadata::MetadataEndpoint,
};

use super::{
    alarms,
    files::{Example, json, pairs},
};
use crate::program::{Esp, agent};

/// The examples leave `PUBLISH_INTERVAL` at 10 s, and the machine may be busy.
const SOON: Duration = Duration::from_mins(1);

const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret-example")];

/// A task like the example's: `web` of the service `web`, which uses all of its half
/// CPU.
fn metadata(example: &Example) -> MetadataEndpoint {
    let service = (example.shape != Shape::Fargate).then(|| "web".to_owned());
    MetadataEndpoint::start(agent(example.shape, Cadence::STREAMING, |task| {
        task.service_name = service;
        task.limits = Limits { cpu: Some(0.5), memory_mib: Some(1024) };
    }))
}

fn start(example: &Example, metadata: &MetadataEndpoint, more: &[(&str, &str)]) -> Esp {
    let uri = metadata.uri();
    let mut variables = example.environment();
    variables.push(("ECS_CONTAINER_METADATA_URI_V4", &uri));
    variables.extend(CREDENTIALS);
    variables.extend(more);
    Esp { child: Esp::command(&variables).spawn().unwrap() }
}

fn the_alarms_see_it(example: &Example) {
    let (metadata, cloudwatch) = (metadata(example), CloudWatch::start());
    let esp = start(example, &metadata, &[("AWS_ENDPOINT_URL", &cloudwatch.url())]);
    assert!(cloudwatch.wait_for(2, SOON));
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0), "{}", log.text);
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);

    let datums = cloudwatch.datums();
    let (out, back) = (alarms::read("alarm-out"), alarms::read("alarm-in"));
    let watched: Vec<_> =
        datums.iter().filter(|datum| datum.metric_name == out.metric_name).collect();
    assert!(!watched.is_empty());
    for datum in watched {
        assert_eq!((&datum.namespace, &datum.dimensions), (&out.namespace, &out.dimensions));
        assert_eq!((&datum.namespace, &datum.dimensions), (&back.namespace, &back.dimensions));
    }
    // As CloudWatch would judge, once the last period with data is over.
    let last = datums.iter().map(|datum| datum.timestamp_ms).max().unwrap();
    let after = SystemTime::UNIX_EPOCH
        + Duration::from_millis(u64::try_from(last).unwrap())
        + Duration::from_secs(10);
    assert!(out.datapoints(&datums, after).iter().any(Option::is_some));
    assert_eq!(out.evaluate(&datums, after, State::Ok), State::Alarm);
    assert_eq!(back.evaluate(&datums, after, State::Ok), State::Ok);
}

#[test]
fn the_alarms_see_what_esp_sends_from_fargate() {
    the_alarms_see_it(&Example::fargate());
}

#[test]
fn the_alarms_see_what_esp_sends_from_ec2() {
    the_alarms_see_it(&Example::ec2());
}

/// The first line that a proxy gets with these variables. The test's own proxy
/// replaces one that they name.
fn asked_of_a_proxy(variables: &[(&str, &str)]) -> String {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    // Ends with its listener's first connection, or with the test.
    std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept()?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let _ = sender.send(line);
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    });
    let example = Example::fargate();
    let metadata = metadata(&example);
    let mut more: Vec<_> =
        variables.iter().filter(|(name, _)| *name != "HTTPS_PROXY").copied().collect();
    more.push(("HTTPS_PROXY", &address));
    let _esp = start(&example, &metadata, &more);
    asked.recv_timeout(SOON).expect("the proxy is asked")
}

#[test]
fn the_variables_for_networks_lead_where_they_say() {
    let hosts = [
        ("proxy", "monitoring.us-west-2.amazonaws.com"),
        ("fips", "monitoring-fips.us-west-2.amazonaws.com"),
        ("dual-stack", "monitoring.us-west-2.api.aws"),
    ];
    // Each waits for its first request: all at once.
    std::thread::scope(|scope| {
        for (file, host) in hosts {
            scope.spawn(move || {
                let environment = json(&format!("networks/{file}.json"));
                let asked = asked_of_a_proxy(&pairs(&environment));
                assert_eq!(asked, format!("CONNECT {host}:443 HTTP/1.1\r\n"), "{file}");
            });
        }
    });
}
