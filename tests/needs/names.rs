//! Names that move, and name servers that keep silent, that die, or that are not
//! configured at all. A name server takes port 53, and to be asked it takes a mount
//! namespace with its own `/etc/resolv.conf`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use esp_endpoints::{
    cloudwatch::CloudWatch,
    dns::NameServer,
    proxy::Proxy,
    sts::Sts,
    tls::{Certificate, NAME, Tls},
};

use crate::{
    harness::Case,
    namespace::{self, ROOT},
    program::{
        CpuWait, Esp, SOON,
        run::{PATIENCE, Run, healthy},
        wait_for_polls,
    },
};

pub(crate) const CASES: &[Case] = &[
    case("names::a_name_that_moves_is_followed_at_once", moves),
    case(
        "names::a_name_server_that_keeps_silent_delays_neither_sampling_nor_the_end",
        keeps_silent,
    ),
    case("names::a_name_server_that_speaks_again_costs_nothing", speaks_again),
    case("names::silent_first_name_server_delays_the_first_request_alone", silent_first),
    case("names::proxy_by_name_is_looked_up_as_any_name_is", proxy),
    case("names::sts_by_name_is_reached_behind_silent_name_servers", sts),
    case("names::sigterm_is_obeyed_while_a_name_is_looked_up", sigterm),
    case("names::name_servers_that_die_cost_nothing_while_the_address_is_good", die),
    case("names::without_a_resolv_conf_addresses_work_and_names_are_said", without_configuration),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &ROOT, is_alone: false, test }
}

const EACH_SECOND: (&str, &str) = ("PUBLISH_INTERVAL", "1s");
/// libcurl looks once a second at most whether a connection is still open.
const SELDOM: (&str, &str) = ("PUBLISH_INTERVAL", "3s");

/// A name server, and a directory with the configuration that leads to it.
struct Names {
    server: NameServer,
    directory: PathBuf,
}

impl Names {
    /// A name server at this address.
    fn start(address: Ipv4Addr) -> Self {
        Self::start_after(&[], address)
    }

    /// The same after others, which nobody is at: they are asked first.
    fn start_after(dead: &[Ipv4Addr], address: Ipv4Addr) -> Self {
        let server = NameServer::start((address, 53)).unwrap();
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("needs-names-{address}"));
        let etc = directory.join("etc");
        fs::create_dir_all(&etc).unwrap();
        let servers = dead.iter().copied().chain([address]);
        let lines: Vec<_> = servers.map(|server| format!("nameserver {server}\n")).collect();
        fs::write(etc.join("resolv.conf"), lines.concat()).unwrap();
        fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n").unwrap();
        Self { server, directory }
    }

    /// The command again, by whom these names are known.
    fn known_by(&self, command: &Command) -> Command {
        namespace::with_etc(command, Some(&self.directory.join("etc")))
    }

    fn run(&self, cloudwatch: CloudWatch, more: &[(&str, &str)]) -> Run {
        let url = format!("http://{NAME}:{}", cloudwatch.address().port());
        Run::start_with(healthy(), cloudwatch, &url, more, |command| {
            *command = self.known_by(command);
        })
    }
}

fn moves() {
    let names = Names::start(Ipv4Addr::new(127, 53, 0, 1));
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
    let (moved_at, mut wait) = (Instant::now(), CpuWait::from_now(run.esp.child.id()));
    assert!(moved.wait_for(2, PATIENCE), "the new address is not used");
    // Well within the minute that libcurl would have remembered the old one.
    let (took, waited) = (moved_at.elapsed(), wait.look());
    assert!(took < Duration::from_secs(20) + waited, "{took:?}, {waited:?} without CPU");
    let (status, log) = run.esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    let end = log.expect_all_published();
    let stored = run.cloudwatch.datums().len() + moved.datums().len();
    assert_eq!(end["published"].as_u64(), Some(stored as u64));
    assert_eq!(end["sent_again"], 0);
    log.assert_no_tick_missed();
}

fn keeps_silent() {
    let names = Names::start(Ipv4Addr::new(127, 53, 0, 4));
    let run = names.run(CloudWatch::start(), &[("SHUTDOWN_GRACE", "1s")]);
    run.polls(14);
    let ended = run.end_within(Duration::from_secs(3));
    assert!(names.server.queries() >= 2);
    assert!(ended.ledger.requests("unreachable") >= 1, "{}", ended.log.text);
    let error = ended.log.expect("publishing to CloudWatch fails")["error"].as_str().unwrap();
    assert!(error.contains(NAME) && error.contains("look"), "{error}");
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
}

fn speaks_again() {
    let names = Names::start(Ipv4Addr::new(127, 53, 0, 5));
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

fn silent_first() {
    let (dead, good) = (Ipv4Addr::new(127, 53, 0, 6), Ipv4Addr::new(127, 53, 0, 7));
    let names = Names::start_after(&[dead], good);
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

fn proxy() {
    let dead = [11, 12].map(|host| Ipv4Addr::new(127, 53, 0, host));
    let good = Ipv4Addr::new(127, 53, 0, 13);
    let names = Names::start_after(&dead, good);
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
        *command = names.known_by(command);
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

fn sts() {
    let dead = [14, 15].map(|host| Ipv4Addr::new(127, 53, 0, host));
    let good = Ipv4Addr::new(127, 53, 0, 16);
    let names = Names::start_after(&dead, good);
    let _silent = dead.map(|dead| UdpSocket::bind((dead, 53)).unwrap());
    names.server.answer(Some(Ipv4Addr::LOCALHOST));
    let sts = Sts::start("ASIAOFWEB");
    let by_name = sts.url().replace("127.0.0.1", "sts.example");
    let token = names.directory.join("token");
    fs::write(&token, "token-of-the-task").unwrap();
    let more = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/x"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &by_name),
    ];
    let started = Instant::now();
    let run = names.run(CloudWatch::start(), &more);
    run.goes_through(1);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    let ended = run.end();
    assert_eq!(ended.ledger.copies, 0);
    assert_eq!(ended.ledger.requests("credentials"), 0);
    ended.assert_all_published();
}

fn sigterm() {
    let (dead, good) = (Ipv4Addr::new(127, 53, 0, 8), Ipv4Addr::new(127, 53, 0, 9));
    let names = Names::start_after(&[dead], good);
    let _silent = UdpSocket::bind((dead, 53)).unwrap();
    let run = names.run(CloudWatch::start(), &[("SHUTDOWN_GRACE", "1s")]);
    run.polls(3);
    let ended = run.end_within(Duration::from_secs(3));
    assert_eq!(ended.ledger.figure("unsent"), ended.ledger.figure("taken"));
}

fn die() {
    let names = Names::start(Ipv4Addr::new(127, 53, 0, 10));
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

/// No resolver's configuration, no hosts, no certificates.
fn without_configuration() {
    let (metadata, cloudwatch) = (healthy(), CloudWatch::start());
    let command = Esp::between(&metadata, &cloudwatch.url(), &[EACH_SECOND]);
    let esp = Esp::run(&mut namespace::with_etc(&command, None));
    assert!(cloudwatch.wait_for(3, SOON));
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);

    let more = [EACH_SECOND, ("SHUTDOWN_GRACE", "1s")];
    let command = Esp::between(&metadata, "https://monitoring.example", &more);
    let esp = Esp::run(&mut namespace::with_etc(&command, None));
    wait_for_polls(&metadata, 4);
    let (status, log) = esp.stop_within("TERM", Duration::from_secs(3));
    assert_eq!(status.code(), Some(0));
    let error = log.expect("publishing to CloudWatch fails")["error"].to_string();
    assert!(error.contains("cannot look up the name monitoring.example"), "{error}");
    log.assert_no_tick_missed();
}
