//! Names: unknown ones, ones that move, and a name server that keeps silent.
//!
//! Those with a name server of their own need root on Linux, for port 53 and for
//! a mount namespace with its own `/etc/resolv.conf`; where that is not to be had
//! they say so and pass, unless `ESP_TEST_NAMES=required`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use esp_endpoints::{cloudwatch::CloudWatch, dns::NameServer, tls::NAME};

use crate::{
    program::namespace,
    run::{PATIENCE, Run, healthy, without_connection},
};

/// Replaces the resolver's configuration for what follows by that in a directory.
const IN_NAMESPACE: &str = r#"
    mount --bind "$1/resolv.conf" /etc/resolv.conf &&
    { [ ! -e /etc/nsswitch.conf ] || mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf; }"#;

/// A name server, and a directory with the configuration that leads to it.
struct Names {
    server: NameServer,
    directory: PathBuf,
}

impl Names {
    /// A name server at this address; `None`, and a word about it, where there
    /// cannot be one.
    fn start(address: Ipv4Addr) -> Option<Self> {
        namespace::or_skipped(Self::try_start(address))
    }

    fn try_start(address: Ipv4Addr) -> Result<Self, String> {
        let server = NameServer::start((address, 53)).map_err(|error| error.to_string())?;
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-names-{address}"));
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let write = |name, text: &str| {
            fs::write(directory.join(name), text).map_err(|error| error.to_string())
        };
        write("resolv.conf", &format!("nameserver {address}\n"))?;
        write("nsswitch.conf", "hosts: files dns\n")?;
        namespace::is_possible(IN_NAMESPACE, &directory)?;
        Ok(Self { server, directory })
    }

    fn run(&self, cloudwatch: CloudWatch, more: &[(&str, &str)]) -> Run {
        let url = format!("http://{NAME}:{}", cloudwatch.address().port());
        Run::start_with(healthy(), cloudwatch, &url, more, |command| {
            *command = namespace::enter(command, IN_NAMESPACE, &self.directory);
        })
    }
}

#[test]
fn an_unknown_name_is_said_and_delays_neither_sampling_nor_the_end() {
    without_connection("https://monitoring.invalid");
}

#[test]
fn a_name_that_moves_is_followed_at_once() {
    let Some(names) = Names::start(Ipv4Addr::new(127, 53, 0, 1)) else { return };
    let (old, new) = (Ipv4Addr::new(127, 53, 0, 2), Ipv4Addr::new(127, 53, 0, 3));
    names.server.answer(Some(old));
    let cloudwatch = CloudWatch::start_at(SocketAddr::from((old, 0))).unwrap();
    let port = cloudwatch.address().port();
    let mut run = names.run(cloudwatch, &[("PUBLISH_INTERVAL", "2s")]);
    run.is_quiet_after(2);
    // A lookup for the one connection; A and AAAA are two questions.
    assert!(names.server.queries() <= 2, "{}", names.server.queries());
    names.server.answer(Some(new));
    run.cloudwatch.stop_accepting();
    let moved = CloudWatch::start_at(SocketAddr::from((new, port))).unwrap();
    let moved_at = Instant::now();
    assert!(moved.wait_for(2, PATIENCE), "the new address is not used");
    // Well within the minute that libcurl would have remembered the old one.
    assert!(moved_at.elapsed() < Duration::from_secs(20), "{:?}", moved_at.elapsed());
    let (status, log) = run.esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    let end = log.expect("esp stops; everything is published");
    let stored = run.cloudwatch.datums().len() + moved.datums().len();
    assert_eq!(end["published"].as_u64(), Some(stored as u64));
    assert_eq!((&end["sent_again"], &end["missed_ticks"]), (&0.into(), &0.into()));
}

#[test]
fn a_name_server_that_keeps_silent_delays_neither_sampling_nor_the_end() {
    let Some(names) = Names::start(Ipv4Addr::new(127, 53, 0, 4)) else { return };
    let run = names.run(CloudWatch::start(), &[("SHUTDOWN_GRACE", "1s")]);
    run.polls(14);
    let ended = run.end_within(Duration::from_secs(3));
    assert!(names.server.queries() >= 2);
    assert!(ended.ledger.requests("unreachable") >= 2, "{}", ended.log.text);
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
}

#[test]
fn a_name_server_that_speaks_again_costs_nothing() {
    let Some(names) = Names::start(Ipv4Addr::new(127, 53, 0, 5)) else { return };
    let run = names.run(CloudWatch::start(), &[]);
    run.polls(6);
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    run.goes_through(6);
    let ended = run.end();
    assert!(ended.ledger.requests("unreachable") >= 1);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble("publishing to CloudWatch");
    ended.assert_all_published();
}
