//! The built program with streams that nobody reads, as a log driver that stalls
//! leaves them: sampling and publishing go on, and the end comes in time.

use std::{
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, metadata::MetadataEndpoint,
};
use rustix::pipe::fcntl_getpipe_size;

use crate::program::{AT_ONCE, Esp, Log, SOON, agent, assert_all_near, wait_for_polls};

/// A pipe without room.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    // Exactly what it holds, so this does not wait.
    writer.write_all(&vec![b' '; fcntl_getpipe_size(&writer).unwrap()]).unwrap();
    (reader, writer)
}

/// All that comes after what [`full_pipe`] put in; waits for the writers' end.
fn rest(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text.trim_start_matches(' ').to_owned()
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_is_written_later() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let (reader, stderr) = full_pipe();
    let more = [("PUBLISH_INTERVAL", "1s"), ("LOG_LEVEL", "debug")];
    let mut command = Esp::between(&metadata, &cloudwatch.url(), &more);
    let mut esp = Esp { child: command.stderr(stderr).spawn().unwrap() };
    // The command keeps the pipe's end as long as it lives.
    drop(command);
    assert!(cloudwatch.wait_for(5, SOON));
    wait_for_polls(&metadata, 6);
    assert_all_near(&cloudwatch.datums(), 25.0, 0.5);

    let log = std::thread::spawn(move || Log::parse(&rest(reader)));
    // Read now: the lines that waited come with one of the next ticks.
    wait_for_polls(&metadata, 3);
    assert_eq!(esp.end("TERM", AT_ONCE).code(), Some(0));
    let log = log.join().unwrap();
    assert_eq!(log.lines[0]["message"], "esp starts");
    log.expect("measuring");
    log.expect("published");
    log.expect_all_published();
    assert!(log.find("were dropped").is_none(), "{}", log.text);
}

#[test]
fn a_log_that_is_never_read_delays_the_end_by_a_moment_only() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let (_reader, stderr) = full_pipe();
    let mut command = Esp::between(&metadata, &cloudwatch.url(), &[("LOG_LEVEL", "trace")]);
    let mut esp = Esp { child: command.stderr(stderr).spawn().unwrap() };
    wait_for_polls(&metadata, 3);
    assert_eq!(esp.end("TERM", AT_ONCE).code(), Some(0));
    assert!(!cloudwatch.datums().is_empty(), "what was pending is sent");
}

#[test]
fn with_both_streams_blocked_sampling_keeps_its_pace_and_the_end_its_grace() {
    for output in ["emf", "stdout", "cloudwatch,emf"] {
        let metadata =
            MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
        let cloudwatch = CloudWatch::start();
        let ((out_reader, stdout), (log_reader, stderr)) = (full_pipe(), full_pipe());
        let more = [
            ("OUTPUT", output),
            ("EMF_RESOLUTION", "1s"),
            ("PUBLISH_INTERVAL", "1s"),
            ("LOG_LEVEL", "debug"),
            ("SHUTDOWN_GRACE", "1s"),
        ];
        let mut command = Esp::between(&metadata, &cloudwatch.url(), &more);
        let mut esp = Esp { child: command.stdout(stdout).stderr(stderr).spawn().unwrap() };
        drop(command);
        wait_for_polls(&metadata, 6);
        if output == "cloudwatch,emf" {
            assert!(cloudwatch.wait_for(4, SOON), "publishing goes on");
        }
        // Now both are read, and what waited comes.
        let out = std::thread::spawn(move || rest(out_reader));
        let log = std::thread::spawn(move || Log::parse(&rest(log_reader)));
        wait_for_polls(&metadata, 3);
        assert_eq!(esp.end("TERM", Duration::from_secs(4)).code(), Some(0));
        let (out, log) = (out.join().unwrap(), log.join().unwrap());
        let written = log.expect_all_published()["stdout_lines"].as_u64().unwrap();
        assert_eq!((out.lines().count() as u64, out.ends_with('\n')), (written, true), "{output}");
        assert!(written >= 3, "{output}: {written} lines");
    }
}

#[test]
fn with_both_streams_blocked_to_the_end_it_comes_within_the_grace() {
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}));
    let cloudwatch = CloudWatch::start();
    let ((_out_reader, stdout), (_log_reader, stderr)) = (full_pipe(), full_pipe());
    let more = [("OUTPUT", "emf"), ("EMF_RESOLUTION", "1s"), ("SHUTDOWN_GRACE", "2s")];
    let mut command = Esp::between(&metadata, &cloudwatch.url(), &more);
    let mut esp = Esp { child: command.stdout(stdout).stderr(stderr).spawn().unwrap() };
    wait_for_polls(&metadata, 3);
    let asked = Instant::now();
    // The grace, 0.2 s for the log, and what a busy machine adds.
    assert_eq!(esp.end("TERM", Duration::from_secs(5)).code(), Some(0));
    assert!(asked.elapsed() >= Duration::from_secs(2), "stdout has the whole grace");
}
