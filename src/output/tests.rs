//! Lines made of samples on a clock of its own. Documents are read back by the
//! test endpoints' reader, which knows the format's rules and nothing of ours.

#![allow(clippy::cast_precision_loss, reason = "small numbers")]

mod blocked;
mod random;
mod readable;

use std::time::{Instant, SystemTime};

use esp_endpoints::{cloudwatch::Datum, emf::extract};

use super::*;
use crate::{
    endpoint::task::TaskDocument,
    sample::{
        dimension::{DimensionOverrides, DimensionSets},
        metric::Metric,
    },
    time::timestamp::Timestamp,
};

const SECOND: Duration = Duration::from_secs(1);
/// A multiple of ten seconds.
const START_MS: u64 = 1_795_514_400_000;

fn settings(more: &[(&str, &str)]) -> Settings {
    let required = [
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
    ];
    Settings::read(&[more, &required].concat()[..]).unwrap()
}

fn resolve(sets: &str, names: &[String], is_one: bool) -> ResolvedDimensions {
    let text = r#"{"Cluster": "shop", "Family": "web-task", "Revision": "7", "ServiceName": "web",
        "TaskARN": "arn:aws:ecs:eu-west-1:1:task/shop/0af3", "LaunchType": "EC2"}"#;
    let task = TaskDocument::parse(&mut text.as_bytes().to_vec()).unwrap();
    let sets = DimensionSets::parse(sets).unwrap();
    ResolvedDimensions::resolve(&sets, &DimensionOverrides::default(), &task, names, is_one)
}

/// An output on a simulated clock, and what it has written.
struct Bench {
    output: LineOutput,
    start: Instant,
    now_ms: u64,
    written: Vec<u8>,
    events: Vec<LineEvent>,
}

impl Bench {
    fn new(more: &[(&str, &str)], sets: &str, names: &[&str]) -> Self {
        let settings = settings(more);
        let mut output = LineOutput::new(settings.outputs.lines.unwrap(), &settings);
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        assert!(output.set_dimensions(&resolve(sets, &names, names.len() == 1), &names));
        let (start, events) = (Instant::now(), Vec::new());
        Self { output, start, now_ms: START_MS, written: Vec::new(), events }
    }

    fn emf(more: &[(&str, &str)]) -> Self {
        Self::new(&[more, &[("OUTPUT", "emf")]].concat(), "ClusterName,ServiceName", &["web"])
    }

    fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.now_ms - START_MS),
            wall: Timestamp::from_unix_ns(self.now_ms * 1_000_000),
        }
    }

    fn push(
        &mut self,
        metric: impl Into<Measured>,
        container: Option<u16>,
        read_ms: u64,
        value: f64,
    ) {
        let read = Timestamp::from_unix_ns(read_ms * 1_000_000);
        self.output.push(Sample { read, value, metric: metric.into(), container }, self.now());
    }

    /// One sample of the container's CPU, read just now.
    fn sample(&mut self, value: f64) {
        self.push(Metric::CpuUtilization, Some(0), self.now_ms, value);
    }

    /// The end of a poll.
    fn advance(&mut self) {
        self.output.advance(self.now());
        self.write();
    }

    fn finish(&mut self) {
        self.output.finish();
        self.write();
    }

    fn write(&mut self) {
        assert!(self.output.write_to(&mut self.written).unwrap());
        self.events.extend(self.output.events());
    }

    /// The lines since the last call.
    fn lines(&mut self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut self.written)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    /// What CloudWatch Logs would extract from them, by line.
    fn datums(&mut self) -> Vec<Vec<Datum>> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(self.now_ms);
        let extract = |line: String| extract(&line, now).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.lines().into_iter().map(extract).collect()
    }

    /// Polls each second for `seconds`: a sample of this second's number, read
    /// 300 ms before.
    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ms += 1000;
            let read_ms = self.now_ms - 300;
            self.push(Metric::CpuUtilization, Some(0), read_ms, (read_ms / 1000 % 100) as f64);
            self.advance();
        }
    }
}

/// Timestamps since the start, ms, and values, of documents with one metric.
fn times_and_values(datums: &[Vec<Datum>]) -> Vec<(u64, Vec<f64>)> {
    let of = |line: &Vec<Datum>| {
        assert_eq!(line.len(), 1);
        let unix_ms = u64::try_from(line[0].timestamp_ms).unwrap();
        (unix_ms - START_MS, line[0].values.clone())
    };
    datums.iter().map(of).collect()
}

#[test]
fn a_document_is_as_the_specification_says() {
    let mut bench = Bench::emf(&[]);
    for (second, value) in [(1, 25.0), (2, 33.333_333_333_333_336), (3, 0.0), (4, 1e-7)] {
        bench.push(Metric::CpuUtilization, Some(0), START_MS + second * 1000, value);
        bench.push(Metric::MemoryUtilization, Some(0), START_MS + second * 1000, 12.5);
    }
    bench.finish();
    assert_eq!(
        bench.lines(),
        [concat!(
            r#"{"_aws":{"Timestamp":1795514400000,"CloudWatchMetrics":[{"Namespace":"Shop","#,
            r#""Dimensions":[["ClusterName","ServiceName"]],"Metrics":["#,
            r#"{"Name":"CPUUtilization","Unit":"Percent","StorageResolution":1},"#,
            r#"{"Name":"MemoryUtilization","Unit":"Percent","StorageResolution":1}]}]},"#,
            r#""ClusterName":"shop","ServiceName":"web","#,
            r#""CPUUtilization":[25,33.333333333333336,0,1e-7],"#,
            r#""MemoryUtilization":[12.5,12.5,12.5,12.5]}"#
        )]
    );
}

#[test]
fn windows_are_the_wall_clocks_and_are_written_at_the_first_poll_after_them() {
    let mut bench = Bench::emf(&[]);
    bench.now_ms += 6_100;
    bench.run(3);
    assert_eq!(bench.lines(), [""; 0], "the window is not over");
    bench.run(1);
    let lines = times_and_values(&bench.datums());
    assert_eq!(lines, [(0, vec![6.0, 7.0, 8.0, 9.0])]);
    bench.run(9);
    assert_eq!(bench.lines(), [""; 0]);
    bench.run(1);
    let lines = times_and_values(&bench.datums());
    assert_eq!(lines, [(10_000, (10..20).map(f64::from).collect())]);
    bench.run(2);
    bench.finish();
    assert_eq!(times_and_values(&bench.datums()), [(20_000, vec![20.0, 21.0])]);
}

#[test]
fn a_poll_without_a_sample_ends_a_window_too() {
    let mut bench = Bench::emf(&[]);
    bench.sample(1.0);
    bench.now_ms += 9_999;
    bench.advance();
    assert_eq!(bench.lines(), [""; 0]);
    bench.now_ms += 1;
    bench.advance();
    assert_eq!(times_and_values(&bench.datums()), [(0, vec![1.0])]);
}

#[test]
fn a_late_sample_has_a_document_of_its_own_with_its_windows_time() {
    let mut bench = Bench::emf(&[]);
    bench.run(10);
    bench.lines();
    bench.push(Metric::CpuUtilization, Some(0), START_MS + 9_900, 50.0);
    bench.advance();
    assert_eq!(times_and_values(&bench.datums()), [(0, vec![50.0])]);
    bench.run(10);
    assert_eq!(times_and_values(&bench.datums())[0].1.len(), 10, "the next is whole");
}

#[test]
fn by_second_each_read_has_a_document_at_once() {
    let mut bench = Bench::emf(&[("EMF_RESOLUTION", "1s")]);
    for second in 1..4_u32 {
        bench.run(1);
        let datums = bench.datums();
        let (unix_ms, values) = times_and_values(&datums).pop().unwrap();
        assert_eq!(
            (unix_ms, values),
            (u64::from(second) * 1000 - 300, vec![f64::from(second - 1)])
        );
    }
    // What has the same time shares a document.
    bench.sample(1.0);
    bench.push(Metric::MemoryUtilization, Some(0), bench.now_ms, 2.0);
    bench.advance();
    assert_eq!(bench.datums().iter().map(Vec::len).collect::<Vec<_>>(), [2]);
}

#[test]
fn rare_samples_are_written_at_once() {
    for (interval, cadence, is_immediate) in [
        ("1s", None, false),
        ("1s", Some(SECOND), false),
        ("1s", Some(5 * SECOND), false),
        ("1s", Some(Duration::from_millis(9_990)), true),
        ("1s", Some(20 * SECOND), true),
        ("10s", None, true),
        ("60s", Some(SECOND), true),
    ] {
        let mut bench = Bench::emf(&[("SAMPLE_INTERVAL", interval)]);
        bench.output.set_cadence(cadence);
        bench.now_ms += 3_456;
        bench.sample(1.0);
        bench.advance();
        let expected = if is_immediate { vec![(3_456, vec![1.0])] } else { vec![] };
        assert_eq!(times_and_values(&bench.datums()), expected, "{interval} {cadence:?}");
    }
}

#[test]
fn a_window_is_written_when_samples_turn_out_to_be_rare() {
    let mut bench = Bench::emf(&[]);
    bench.sample(1.0);
    bench.advance();
    bench.output.set_cadence(Some(10 * SECOND));
    bench.now_ms += 1000;
    bench.advance();
    assert_eq!(times_and_values(&bench.datums()), [(0, vec![1.0])]);
}

#[test]
fn a_clock_that_is_set_back_holds_a_window_for_its_length_only() {
    let mut bench = Bench::emf(&[]);
    let read_ms = bench.now_ms + 3_600_000;
    bench.push(Metric::CpuUtilization, Some(0), read_ms, 1.0);
    for _ in 0..9 {
        bench.now_ms += 1000;
        bench.advance();
        assert_eq!(bench.lines(), [""; 0]);
    }
    bench.now_ms += 1000;
    bench.advance();
    assert_eq!(times_and_values(&bench.datums()), [(3_600_000, vec![1.0])]);
}

#[test]
fn containers_have_documents_of_their_own_and_share_the_tasks_where_it_is_theirs() {
    let sets = "ClusterName,ServiceName";
    let push = |bench: &mut Bench| {
        for container in [Some(0), Some(1), None] {
            let metric = container.map_or(Metric::TaskCpuUtilization, |_| Metric::CpuUtilization);
            bench.push(metric, container, bench.now_ms, 1.0);
        }
        bench.finish();
        bench.datums()
    };
    let mut several = Bench::new(&[("OUTPUT", "emf")], sets, &["web", "log"]);
    let datums = push(&mut several);
    let names: Vec<_> = datums.iter().map(|line| line[0].dimension("ContainerName")).collect();
    assert_eq!(names, [None, Some("web"), Some("log")]);
    // Of one container the second is not known, and so has no dimensions.
    let mut one = Bench::new(&[("OUTPUT", "emf")], sets, &["web"]);
    let datums = push(&mut one);
    assert_eq!(datums.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    assert_eq!(one.output.figures().stdout_dropped_invalid, 1);
}

#[test]
fn sets_share_a_document_unless_they_disagree_about_a_value() {
    for (sets, lines, datums) in [
        ("ServiceName;ClusterName;", 1, 3),
        ("ServiceName,Stage=a;ServiceName,Stage=b;Stage=a", 2, 3),
        ("Stage=a;Stage=b;Stage=c", 3, 3),
        (";", 1, 1),
    ] {
        let mut bench = Bench::new(&[("OUTPUT", "emf")], sets, &["web"]);
        bench.sample(1.0);
        bench.sample(2.0);
        bench.finish();
        let extracted = bench.datums();
        let sum: usize = extracted.iter().map(Vec::len).sum();
        assert_eq!((extracted.len(), sum), (lines, datums), "{sets}");
        let figures = bench.output.figures();
        assert_eq!(
            (figures.stdout_taken, figures.stdout_written),
            (2, 2),
            "{sets}: each sample counts once"
        );
        assert_eq!(figures.stdout_lines, lines as u64);
    }
}

#[test]
fn long_dimensions_are_spread_over_lines_and_too_long_ones_are_logged_once() {
    let constants = |count: usize, value: &str| {
        let one = |n| format!("N{n}={value}");
        (0..count).map(one).collect::<Vec<_>>().join(",")
    };
    let long = "x".repeat(1000);
    for (sets, lines, is_logged) in [
        (constants(13, &long), 1, false),
        (format!("{};{};Stage=a", constants(7, &long), constants(6, &long)), 2, false),
        (constants(16, &long), 0, true),
        (constants(9, &"\"".repeat(1000)), 0, true),
        (format!("{};Stage=a", constants(16, &long)), 1, true),
    ] {
        let mut bench = Bench::new(&[("OUTPUT", "emf")], &sets, &["web"]);
        for _ in 0..2 {
            bench.sample(1.0);
            bench.finish();
        }
        assert_eq!(bench.datums().len(), 2 * lines, "{sets:.20}");
        let logged = bench.events.iter().filter(|e| **e == LineEvent::DimensionsTooLong).count();
        assert_eq!(logged, usize::from(is_logged), "{sets:.20}");
    }
}

#[test]
fn what_cloudwatch_would_refuse_is_counted_and_named_once() {
    let mut bench = Bench::emf(&[]);
    for value in [f64::NAN, f64::INFINITY, 2f64.powi(361), 1.0] {
        bench.sample(value);
    }
    bench.push(Metric::MemoryUtilization, Some(0), START_MS - 15 * 86_400_000, 1.0);
    bench.finish();
    assert_eq!(times_and_values(&bench.datums()), [(0, vec![1.0])]);
    assert_eq!(bench.events.len(), 2, "{:?}", bench.events);
    let figures = bench.output.figures();
    assert_eq!(
        (figures.stdout_taken, figures.stdout_written, figures.stdout_dropped_invalid),
        (5, 1, 4)
    );
}

#[test]
fn own_figures_have_the_resolution_of_a_minute() {
    let mut bench = Bench::emf(&[]);
    for metric in OwnMetric::all() {
        bench.push(Measured::Own(metric), None, START_MS, 1.0);
    }
    bench.sample(1.0);
    bench.finish();
    let datums = bench.datums();
    assert_eq!((datums.len(), datums[0].len()), (1, OwnMetric::all().count() + 1));
    for datum in &datums[0] {
        let expected = if datum.metric_name.starts_with("ESP/") { 60 } else { 1 };
        assert_eq!(datum.storage_resolution, Some(expected), "{}", datum.metric_name);
    }
}
