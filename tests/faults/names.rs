//! Names: unknown ones, ones that move, and a name server that keeps silent.
//!
//! Those with a name server of their own need root on Linux, for port 53 and for
//! a mount namespace with its own `/etc/resolv.conf`; where that is not to be had
//! they say so and pass, unless `ESP_TEST_NAMES=required`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use esp_endpoints::{
    cloudwatch::CloudWatch,
    dns::NameServer,
    proxy::Proxy,
    tls::{Certificate, NAME, Tls},
};

use crate::{
    program::{Esp, namespace, wait_for_polls},
    run::{PATIENCE, Run, healthy, without_connection},
};

/// Replaces the resolver's configuration for what follows by that in a directory.
const IN_NAMESPACE: &str = r#"
    mount --bind "$1/resolv.conf" /etc/resolv.conf &&
    { [ ! -e /etc/nsswitch.conf ] || mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf; }"#;

/// libcurl looks once a second at most whether a connection is still open.
const SELDOM: (&str, &str) = ("PUBLISH_INTERVAL", "3s");

/// A name server, and a directory with the configuration that leads to it.
struct Names {
    server: NameServer,
    directory: PathBuf,
}

impl Names {
    /// A name server at this address; `None`, and a word about it, where there
    /// cannot be one.
    fn start(address: Ipv4Addr) -> Option<Self> {
        namespace::or_skipped(Self::try_start(&[], address))
    }

    /// The same after another name server, which nobody is at: it is asked first.
    fn start_after(dead: Ipv4Addr, address: Ipv4Addr) -> Option<Self> {
        namespace::or_skipped(Self::try_start(&[dead], address))
    }

    /// The same after several.
    fn start_after_all(dead: &[Ipv4Addr], address: Ipv4Addr) -> Option<Self> {
        namespace::or_skipped(Self::try_start(dead, address))
    }

    fn try_start(dead: &[Ipv4Addr], address: Ipv4Addr) -> Result<Self, String> {
        let server = NameServer::start((address, 53)).map_err(|error| error.to_string())?;
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-names-{address}"));
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let write = |name, text: &str| {
            fs::write(directory.join(name), text).map_err(|error| error.to_string())
        };
        let servers = dead.iter().copied().chain([address]);
        let lines: Vec<_> = servers.map(|server| format!("nameserver {server}\n")).collect();
        write("resolv.conf", &lines.concat())?;
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
    let end = log.expect_all_published();
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
    assert!(ended.ledger.requests("unreachable") >= 1, "{}", ended.log.text);
    let error = ended.log.expect("publishing to CloudWatch fails")["error"].as_str().unwrap();
    assert!(error.contains(NAME) && error.contains("look"), "{error}");
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
}

#[test]
fn a_name_server_that_speaks_again_costs_nothing() {
    let Some(names) = Names::start(Ipv4Addr::new(127, 53, 0, 5)) else { return };
    let run = names.run(CloudWatch::start(), &[]);
    // A request waits for 10 s.
    run.polls(13);
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    run.goes_through(6);
    let ended = run.end();
    assert!(ended.ledger.requests("unreachable") >= 1);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_one_trouble("publishing to CloudWatch");
    ended.assert_all_published();
}

#[test]
fn silent_first_name_server_delays_the_first_request_alone() {
    let (dead, good) = (Ipv4Addr::new(127, 53, 0, 6), Ipv4Addr::new(127, 53, 0, 7));
    let Some(names) = Names::start_after(dead, good) else { return };
    // Bound, so that no error comes back, and never read from.
    let _silent = UdpSocket::bind((dead, 53)).unwrap();
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    let started = Instant::now();
    let run = names.run(CloudWatch::start(), &[]);
    run.goes_through(1);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    let queries = names.server.queries();
    let before = run.cloudwatch.requests().len();
    assert!(run.cloudwatch.wait_for_requests(before + 3, Duration::from_secs(15)));
    assert_eq!(names.server.queries(), queries);
    let ended = run.end();
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_all_published();
}

#[test]
fn proxy_by_name_is_looked_up_as_any_name_is() {
    let dead = [11, 12].map(|host| Ipv4Addr::new(127, 53, 0, host));
    let good = Ipv4Addr::new(127, 53, 0, 13);
    let Some(names) = Names::start_after_all(&dead, good) else { return };
    let _silent = dead.map(|dead| UdpSocket::bind((dead, 53)).unwrap());
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    let tls = Tls::new(Certificate::Valid);
    let cloudwatch = CloudWatch::start_tls(&tls);
    let proxy = Proxy::start(cloudwatch.address()).unwrap();
    let authority = names.directory.join("authority.pem");
    fs::write(&authority, tls.authority_pem()).unwrap();
    // With the silent ones before it, a look-up takes longer than a connection may.
    let by_name = proxy.url().replace("127.0.0.1", "proxy.example");
    let more = [
        ("AWS_CA_BUNDLE", authority.to_str().unwrap()),
        ("HTTPS_PROXY", by_name.as_str()),
        ("PUBLISH_INTERVAL", "2s"),
    ];
    let started = Instant::now();
    let url = format!("https://{NAME}");
    let run = Run::start_with(healthy(), cloudwatch, &url, &more, |command| {
        *command = namespace::enter(command, IN_NAMESPACE, &names.directory);
    });
    run.goes_through(1);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    let queries = names.server.queries();
    run.goes_through(3);
    assert_eq!(names.server.queries(), queries);
    assert_eq!(proxy.asked(), [format!("CONNECT {NAME}:443 HTTP/1.1")]);
    let ended = run.end();
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_all_published();
}

#[test]
fn sigterm_is_obeyed_while_a_name_is_looked_up() {
    let (dead, good) = (Ipv4Addr::new(127, 53, 0, 8), Ipv4Addr::new(127, 53, 0, 9));
    let Some(names) = Names::start_after(dead, good) else { return };
    let _silent = UdpSocket::bind((dead, 53)).unwrap();
    let run = names.run(CloudWatch::start(), &[("SHUTDOWN_GRACE", "1s")]);
    run.polls(3);
    let ended = run.end_within(Duration::from_secs(3));
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
}

#[test]
fn name_servers_that_die_cost_nothing_while_the_address_is_good() {
    let Some(names) = Names::start(Ipv4Addr::new(127, 53, 0, 10)) else { return };
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    let mut run = names.run(CloudWatch::start(), &[SELDOM]);
    run.is_quiet_after(1);
    names.server.answer(None);
    run.goes_through(2);
    // CloudWatch closes its connections too, and is there again.
    run.is_quiet_after(1);
    run.cloudwatch.stop_accepting();
    run.cloudwatch.accept_again();
    run.goes_through(3);
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    run.goes_through(2);
    let ended = run.end();
    assert_eq!(ended.ledger.requests("unreachable"), 0);
    assert_eq!(ended.ledger.copies, 0);
    ended.assert_no_trouble();
    ended.assert_all_published();
}

#[test]
fn name_that_a_misspelt_region_makes_is_shown() {
    let metadata = healthy();
    let variables = [("AWS_REGION", "eu-wset-1"), ("SHUTDOWN_GRACE", "0s")];
    let mut command = Esp::between(&metadata, "", &variables);
    command.env_remove("AWS_ENDPOINT_URL");
    let esp = Esp::run(&mut command);
    wait_for_polls(&metadata, 14);
    let (_, log) = esp.stop("TERM");
    let error = log.expect("publishing to CloudWatch fails")["error"].as_str().unwrap();
    let address = "https://monitoring.eu-wset-1.amazonaws.com (Region eu-wset-1 from AWS_REGION): cannot \
                   look up the name monitoring.eu-wset-1.amazonaws.com: ";
    assert!(error.starts_with(address), "{error}");
    assert!(
        error.contains("; check that eu-wset-1, which is from AWS_REGION, is the name of a Region"),
        "{error}"
    );
}

#[test]
fn check_tells_a_misspelt_region_by_what_named_it() {
    let role = "[default]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\n\
                [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = secret-base\n";
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-names-role");
    fs::write(&profile, role).unwrap();
    let region = ("REGION", "xx-nowhere-9");
    let of_role = ("AWS_CONFIG_FILE", profile.to_str().unwrap());
    let no_keys = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    for (variables, said) in [
        (
            vec![region],
            "https://monitoring.xx-nowhere-9.amazonaws.com (Region xx-nowhere-9 from REGION): ",
        ),
        (
            [&[region, of_role], &no_keys[..]].concat(),
            "https://sts.xx-nowhere-9.amazonaws.com/ (Region xx-nowhere-9 from REGION): ",
        ),
    ] {
        let metadata = healthy();
        let mut command = Esp::between(&metadata, "", &variables);
        command.env_remove("AWS_ENDPOINT_URL").args(["check", "--publish"]);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(matches!(output.status.code(), Some(69 | 75)), "{text}");
        assert!(text.contains(said) && text.contains("cannot look up the name"), "{text}");
        assert!(
            text.contains("the name of a Region") || text.contains("STS in the Region"),
            "{text}"
        );
    }
}
