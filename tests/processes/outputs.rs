//! The built program writing to stdout: what CloudWatch Logs would extract from
//! its documents, beside what CloudWatch itself got; and lines for people.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, pipe},
    process::Child,
    sync::mpsc,
    time::{Duration, Instant, SystemTime},
};

use esp_endpoints::{
    agent::{Agent, Cadence},
    cloudwatch::{CloudWatch, Datum},
    containers::Shape,
    counters::{CounterReading, Steady},
    emf::extract,
    metadata::{Documents, MetadataEndpoint},
};

use crate::program::{Esp, Log, SOON, agent, assert_all_near, wait_for_polls};

/// The program with no AWS around it: no key, no Region, no endpoint but the
/// task's.
fn alone(metadata: &MetadataEndpoint, more: &[(&str, &str)]) -> Esp {
    let uri = metadata.uri();
    let mut command = Esp::command(&[
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("METRICS", "CPUUtilization"),
        ("ECS_CONTAINER_METADATA_URI_V4", &uri),
    ]);
    Esp { child: command.envs(more.iter().copied()).spawn().unwrap() }
}

/// Lines of stdout as they come, each with its time.
struct Lines(mpsc::Receiver<(String, SystemTime)>);

impl Lines {
    fn of(child: &mut Child) -> Self {
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let _ = sender.send((line.unwrap(), SystemTime::now()));
            }
        });
        Self(lines)
    }

    fn next(&self) -> (String, SystemTime) {
        self.0.recv_timeout(2 * SOON).expect("a line on stdout")
    }

    /// All that are left; for after the end.
    fn rest(self) -> Vec<(String, SystemTime)> {
        self.0.iter().collect()
    }
}

fn datums((line, received): &(String, SystemTime)) -> Vec<Datum> {
    extract(line, *received).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn threads(child: &Child) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap().trim().to_owned()
    };
    tasks.map(name).collect()
}

/// The agent's documents, without the ARN that names the Region.
struct Nowhere(Agent);

impl Documents for Nowhere {
    fn task(&mut self) -> Vec<u8> {
        let text = String::from_utf8(self.0.task()).unwrap();
        assert!(text.contains("\"TaskARN\""));
        text.replace("\"TaskARN\"", "\"Unknown\"").into_bytes()
    }

    fn stats(&mut self) -> Vec<u8> {
        self.0.stats()
    }
}

#[test]
fn emf_alone_needs_no_region_no_key_and_no_client() {
    let agent = agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {});
    let metadata = MetadataEndpoint::start(Nowhere(agent));
    // What is broken here is AWS's, and so nobody's.
    let more = [("OUTPUT", "emf"), ("AWS_CA_BUNDLE", "/nonexistent")];
    let mut esp = alone(&metadata, &more);
    let lines = Lines::of(&mut esp.child);
    let mut written = vec![lines.next()];
    assert_eq!(threads(&esp.child), ["esp", "async-io"]);
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(at.as_millis() % 10_000 < 6000, "soon after the window's end: {at:?}");
    std::thread::sleep(Duration::from_millis(2500));
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    written.extend(lines.rest());
    assert_eq!(written.len(), 2, "a window, and the one that the end cut short");

    let datums: Vec<_> = written.iter().flat_map(datums).collect();
    for datum in &datums {
        assert_eq!((&*datum.namespace, &*datum.metric_name), ("Shop", "CPUUtilization"));
        assert_eq!(datum.dimension("ClusterName"), Some("shop"));
        assert_eq!(datum.dimension("ServiceName"), Some("web-service"));
        assert_eq!((datum.unit.as_deref(), datum.storage_resolution), (Some("Percent"), Some(1)));
        assert_eq!(datum.timestamp_ms % 10_000, 0);
    }
    assert_eq!(datums[1].timestamp_ms - datums[0].timestamp_ms, 10_000);
    assert_all_near(&datums, 25.0, 0.5);
    let values: u64 = datums.iter().map(|datum| datum.values.len() as u64).sum();

    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);
    assert_eq!(log.expect("esp starts")["output"], "emf");
    assert_eq!(log.expect("publishing")["dimensions"], "ClusterName=shop, ServiceName=web-service");
    let end = log.expect_all_published();
    assert_eq!(
        (end["stdout_written"].as_u64(), end["stdout_lines"].as_u64()),
        (Some(values), Some(2))
    );
}

/// How often each value was published, by whose it is and the time up to
/// `unit_ms`.
fn count(datums: &[Datum], unit_ms: i64) -> BTreeMap<(String, String, i64, u64), u32> {
    let mut counts = BTreeMap::new();
    for datum in datums {
        for value in &datum.values {
            let name = format!("{}/{}", datum.namespace, datum.metric_name);
            let dimensions = format!("{:?}", datum.dimensions);
            let time = datum.timestamp_ms - datum.timestamp_ms % unit_ms;
            *counts.entry((name, dimensions, time, value.to_bits())).or_default() += 1;
        }
    }
    counts
}

#[test]
fn emf_and_cloudwatch_get_the_same_values_for_the_same_times() {
    for (resolution, unit_ms) in [("10s", 10_000), ("1s", 1)] {
        let agent = agent(Shape::Ec2CgroupV2, Cadence::STREAMING, |_| {});
        let reading = CounterReading::new(SystemTime::now(), 1_000_000);
        agent.attach("esp", Steady::new(0.1, reading));
        let metadata = MetadataEndpoint::start(agent);
        let cloudwatch = CloudWatch::start();
        let more = [
            ("OUTPUT", "cloudwatch,emf"),
            ("EMF_RESOLUTION", resolution),
            ("PUBLISH_INTERVAL", "2s"),
            ("METRICS", "all"),
            ("CONTAINER_NAME", "*"),
            ("DIMENSIONS", "ServiceName;Stage=test"),
        ];
        let mut esp = Esp::start(&metadata, &cloudwatch, &more);
        let lines = Lines::of(&mut esp.child);
        assert!(cloudwatch.wait_for(150, 2 * SOON));
        let (status, log) = esp.stop("TERM");
        assert_eq!(status.code(), Some(0));
        log.expect_all_published();
        log.expect_all_published();
        let written = lines.rest();
        let emf: Vec<_> = written.iter().flat_map(datums).collect();
        assert_eq!(count(&emf, unit_ms), count(&cloudwatch.datums(), unit_ms), "{resolution}");
        assert!(written.iter().all(|(line, _)| line.len() < 16_000));
    }
}

#[test]
fn by_second_a_document_comes_each_second() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let mut esp = alone(&metadata, &[("OUTPUT", "emf"), ("EMF_RESOLUTION", "1s")]);
    let lines = Lines::of(&mut esp.child);
    let written: Vec<_> = (0..4).map(|_| lines.next()).collect();
    let times: Vec<_> = written.iter().map(|line| datums(line)[0].timestamp_ms).collect();
    // A document of its own for each sample, and no sample twice.
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert!(written.iter().all(|line| datums(line)[0].values.len() == 1), "{times:?}");
    esp.stop("TERM");
}

#[test]
fn on_fargate_a_document_comes_when_its_sample_does() {
    let cadence = Cadence { period: Duration::from_secs(10), phase: Duration::from_secs(4) };
    let metadata = MetadataEndpoint::start(agent(Shape::Fargate, cadence, |_| {}));
    // Polled as seldom as samples come, so that it need not be learnt.
    let mut esp = alone(&metadata, &[("OUTPUT", "emf"), ("SAMPLE_INTERVAL", "10s")]);
    let lines = Lines::of(&mut esp.child);
    let line = lines.next();
    let datum = &datums(&line)[0];
    assert_eq!(datum.values.len(), 1);
    assert_ne!(datum.timestamp_ms % 10_000, 0, "its own time, not a window's");
    esp.stop("TERM");
}

#[test]
fn readable_lines_are_for_people() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let more = [("OUTPUT", "stdout"), ("METRICS", "CPUUtilization,MemoryUtilized")];
    let mut esp = alone(&metadata, &more);
    let lines = Lines::of(&mut esp.child);
    let lines: Vec<_> = (0..6).map(|_| lines.next().0).collect();
    let columns: Vec<Vec<_>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
    for columns in &columns {
        let (value, unit) = match columns[1] {
            "CPUUtilization" => (25.0, "%"),
            "MemoryUtilized" => (256.0, "MiB"),
            other => panic!("{other} in {lines:#?}"),
        };
        assert!((columns[2].parse::<f64>().unwrap() - value).abs() < 0.5, "{lines:#?}");
        let expected = [unit, "web", "ClusterName=shop", "ServiceName=web-service"];
        assert_eq!(columns[3..], expected, "{lines:#?}");
        assert!(columns[0].len() == 13 && columns[0].ends_with('Z'), "{lines:#?}");
    }
    assert!(lines.iter().all(|line| line.find("web") == lines[0].find("web")), "{lines:#?}");
    let (_, log) = esp.stop("TERM");
    log.expect_all_published();
}

#[test]
fn a_stdout_whose_reader_is_gone_is_said_and_counted_and_kills_nothing() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let mut esp = alone(&metadata, &[("OUTPUT", "emf"), ("EMF_RESOLUTION", "1s")]);
    drop(esp.child.stdout.take());
    wait_for_polls(&metadata, 6);
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    let warnings: Vec<_> = log.lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(warnings.len(), 1, "once a minute: {}", log.text);
    let error = log.expect("writing to stdout fails")["error"].as_str().unwrap();
    assert!(error.contains("roken pipe"), "{error}");
    let end = log.expect("all samples were published except");
    assert_eq!(
        (end["stdout_written"].as_u64(), end["stdout_pending"].as_u64()),
        (Some(0), Some(0))
    );
    assert!(end["dropped"].as_u64().unwrap() >= 4, "{end}");
}

#[test]
fn what_stdout_does_not_take_within_the_grace_is_said() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let uri = metadata.uri();
    let (reader, stdout) = pipe().unwrap();
    // One page, which the other lines fill after a few seconds.
    rustix::pipe::fcntl_setpipe_size(&stdout, 4096).unwrap();
    let mut command = Esp::command(&[
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("METRICS", "all"),
        ("OUTPUT", "emf"),
        ("EMF_RESOLUTION", "1s"),
        ("SHUTDOWN_GRACE", "1s"),
        ("ECS_CONTAINER_METADATA_URI_V4", &uri),
    ]);
    let mut esp = Esp { child: command.stdout(stdout).spawn().unwrap() };
    drop(command);
    wait_for_polls(&metadata, 12);
    let asked = Instant::now();
    let status = esp.end("TERM", Duration::from_secs(4));
    assert!(asked.elapsed() >= Duration::from_secs(1), "the grace is used");
    assert_eq!(status.code(), Some(0));
    let mut text = String::new();
    esp.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    let log = Log::parse(&text);
    let end = log.expect("esp stops with unsent samples");
    assert!(end["unwritten"].as_u64().unwrap() > 0, "{end}");
    // What did go in is whole documents.
    let mut text = String::new();
    BufReader::new(reader).read_to_string(&mut text).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    let now = SystemTime::now();
    let written: usize = text.lines().map(|line| datums(&(line.to_owned(), now)).len()).sum();
    assert_eq!(end["stdout_written"].as_u64(), Some(written as u64));
}
