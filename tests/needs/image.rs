//! The built image, run by a Docker engine as a task definition would have it: no
//! rights, a root file system that is read only, 16 MB of memory. What it has in
//! it, and that names, certificates and health work inside.
//!
//! Needs an engine and the image's name in `ESP_TEST_IMAGE`. `.ci/image` builds the
//! image and runs them.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::Cadence,
    cloudwatch::CloudWatch,
    containers::Shape,
    dns::NameServer,
    metadata::MetadataEndpoint,
    tls::{Certificate, NAME, Tls},
};
use serde_json::Value;

use crate::{
    engine::{self, docker},
    harness::{Case, Need},
    program::{Log, SOON, agent, assert_all_near},
};

/// What a task definition is advised to say, and more.
const CONFINED: [&str; 10] = [
    "--network=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=16m",
    "--memory-swap=16m",
    "--pids-limit=16",
    "--health-interval=1s",
    "--env=AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
    "--env=AWS_SECRET_ACCESS_KEY=secret-example",
];

/// An engine, and the image to test.
const IMAGE: Need = Need {
    word: "image",
    lacks: || {
        std::env::var_os("ESP_TEST_IMAGE")
            .is_none()
            .then(|| "takes the built image: `.ci/image` runs it".to_owned())
    },
};

pub(crate) const CASES: &[Case] = &[
    case(
        "image::it_holds_the_program_and_licence_texts_and_an_unprivileged_user_runs_it",
        contents,
    ),
    case("image::the_licence_texts_name_every_part_that_is_linked", licences),
    case("image::names_certificates_and_health_work_inside_without_rights_or_room", works),
    case("image::a_wrong_certificate_and_an_unknown_name_are_refused_inside", refuses),
    case("image::with_few_cpu_units_on_a_busy_host_it_goes_on", few_units),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &IMAGE, is_alone: true, test }
}

fn image() -> String {
    std::env::var("ESP_TEST_IMAGE").unwrap()
}

/// A container of the image, removed when dropped.
struct Container {
    name: String,
}

impl Container {
    fn run(name: &str, image: &str, options: &[String]) -> Self {
        let name = format!("esp-test-image-{name}-{}", std::process::id());
        let fixed = ["run", "--detach", "--name", &name];
        let options = options.iter().map(String::as_str);
        let arguments: Vec<_> =
            fixed.into_iter().chain(CONFINED).chain(options).chain([image]).collect();
        docker(&arguments).unwrap();
        Self { name }
    }

    fn inspect(&self, field: &str) -> String {
        docker(&["inspect", "--format", &format!("{{{{{field}}}}}"), &self.name]).unwrap()
    }

    /// What it has logged so far.
    fn log(&self) -> Log {
        let output = Command::new("docker").args(["logs", &self.name]).output().unwrap();
        Log::parse(&String::from_utf8(output.stderr).unwrap())
    }

    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}\n{}", self.log().text);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-f", &self.name]);
    }
}

/// A container that was never started, to read the image's files; removed when
/// dropped.
struct Created {
    id: String,
}

impl Created {
    fn of(image: &str) -> Self {
        Self { id: docker(&["create", image]).unwrap() }
    }

    /// What a shell prints; `$0` is the container.
    fn shell(&self, script: &str) -> Vec<u8> {
        let output =
            Command::new("sh").args(["-c", script, &self.id]).stderr(Stdio::inherit()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{script}");
        output.stdout
    }

    /// The paths of all files, in order.
    fn files(&self) -> Vec<String> {
        let list = String::from_utf8(self.shell("docker export $0 | tar --list")).unwrap();
        let mut files: Vec<_> = list.lines().map(str::to_owned).collect();
        files.sort();
        files
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        self.shell(&format!("docker cp $0:/{file} - | tar --extract --to-stdout"))
    }

    fn read(&self, file: &str) -> String {
        String::from_utf8(self.bytes(file)).unwrap()
    }

    fn notices(&self) -> String {
        let script =
            "docker cp $0:/THIRD-PARTY.txt.gz - | tar --extract --to-stdout | gzip --decompress";
        String::from_utf8(self.shell(script)).unwrap()
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        let _ = docker(&["rm", &self.id]);
    }
}

/// A name server, and the files that lead the container to it and to an
/// authority.
struct Names {
    server: NameServer,
    directory: PathBuf,
}

impl Names {
    fn start(address: Ipv4Addr, authority_pem: &str) -> Self {
        let server = NameServer::start((address, 53)).expect("as root, port 53 can be bound");
        server.answer(Some(Ipv4Addr::LOCALHOST));
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{address}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("resolv.conf"), format!("nameserver {address}\n")).unwrap();
        fs::write(directory.join("authority.pem"), authority_pem).unwrap();
        Self { server, directory }
    }

    fn options(&self, metadata: &MetadataEndpoint, url: &str) -> Vec<String> {
        let mount = |file: &str, to: &str| {
            format!("--volume={}:{to}:ro", self.directory.join(file).display())
        };
        let variables = [
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("METRICS", "CPUUtilization"),
            ("PUBLISH_INTERVAL", "1s"),
            ("ECS_CONTAINER_METADATA_URI_V4", &metadata.uri()),
            ("AWS_ENDPOINT_URL", url),
            ("AWS_CA_BUNDLE", "/authority.pem"),
        ];
        let variables = variables.iter().map(|(name, value)| format!("--env={name}={value}"));
        [mount("resolv.conf", "/etc/resolv.conf"), mount("authority.pem", "/authority.pem")]
            .into_iter()
            .chain(variables)
            .collect()
    }
}

fn endpoint() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

fn https(cloudwatch: &CloudWatch, name: &str) -> String {
    format!("https://{name}:{}", cloudwatch.address().port())
}

/// Inodes of the sockets that process `pid` has open.
fn sockets(pid: &str) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let socket = |link: PathBuf| {
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        Some(inode)
    };
    links.filter_map(socket).collect()
}

/// Inodes of TCP sockets that listen, and of all UDP sockets.
fn open_ports() -> Vec<String> {
    let rows = |file: &str| {
        let text = fs::read_to_string(format!("/proc/net/{file}")).unwrap_or_default();
        let rows = text.lines().skip(1).map(|row| {
            let columns: Vec<_> = row.split_whitespace().map(str::to_owned).collect();
            (columns[3].clone(), columns[9].clone())
        });
        rows.collect::<Vec<_>>()
    };
    let tcp = ["tcp", "tcp6"].map(rows).concat().into_iter().filter(|(state, _)| state == "0A");
    let udp = ["udp", "udp6"].map(rows).concat();
    tcp.chain(udp).map(|(_, inode)| inode).collect()
}

fn contents() {
    let image = image();
    let config = docker(&["image", "inspect", "--format", "{{json .Config}}", &image]).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/esp"]));
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD", "/esp", "health"]));
    assert!(config["ExposedPorts"].is_null() && config["Volumes"].is_null(), "{config}");
    for label in ["title", "description", "licenses"] {
        assert!(config["Labels"][format!("org.opencontainers.image.{label}")].is_string());
    }
    let layers = docker(&["image", "inspect", "--format", "{{len .RootFS.Layers}}", &image]);
    assert_eq!(layers.unwrap(), "1", "the program's");
    let created = Created::of(&image);
    // The engine adds what it mounts over when it runs the container.
    let engines = |file: &str| {
        ["dev/", "etc/", "proc/", "sys/", ".docker"].iter().any(|it| file.starts_with(it))
    };
    let files: Vec<_> = created.files().into_iter().filter(|file| !engines(file)).collect();
    assert_eq!(files, ["LICENSE", "THIRD-PARTY.txt.gz", "esp"]);
    let shell = docker(&["run", "--rm", "--entrypoint", "/bin/sh", &image]).unwrap_err();
    assert!(shell.contains("no such file"), "{shell}");
    assert!(docker(&["run", "--rm", &image, "--version"]).unwrap().starts_with("esp "));
}

fn licences() {
    let created = Created::of(&image());
    assert_eq!(created.read("LICENSE"), fs::read_to_string("LICENSE").unwrap());
    let notices = created.notices();
    // One line a part: name, version, licence.
    let parts: Vec<Vec<_>> = notices.lines().map(|line| line.split('\t').collect()).collect();
    let version = |name: &str| {
        let part = parts.iter().find(|part| part.len() == 3 && part[0] == name);
        part.unwrap_or_else(|| panic!("no {name}"))[1].to_owned()
    };
    for name in ["glibc", "libgcc", "AWS-LC", "libcurl", "zlib", "Rust's standard library"] {
        assert!(version(name).contains('.'), "{name} {}", version(name));
    }
    // The program itself has these two versions in it.
    let program = created.bytes("esp");
    let says = |text: &str| program.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(says(&version("libcurl")) && says(&version("zlib")));
    // Crates of Cargo.lock at their versions, and no tool of the tests.
    let lock = fs::read_to_string("Cargo.lock").unwrap();
    for name in ["isahc", "rustls", "simd-json", "aws-sdk-cloudwatch", "smol"] {
        let entry = format!("name = \"{name}\"\nversion = \"{}\"", version(name));
        assert!(lock.contains(&entry), "{entry}");
    }
    assert!(!parts.iter().any(|part| part[0] == "rcgen" || part[0] == "criterion"));
    for text in [
        "GNU LESSER GENERAL PUBLIC LICENSE",
        "GCC RUNTIME LIBRARY EXCEPTION",
        "Apache License",
        "Community Data License Agreement",
        "Blue Oak Model License",
        "Daniel Stenberg",
        "Jean-loup Gailly",
    ] {
        assert!(notices.contains(text), "{text}");
    }
}

fn works() {
    let image = image();
    let tls = Tls::new(Certificate::Valid);
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start_tls(&tls));
    let names = Names::start(Ipv4Addr::new(127, 53, 1, 1), tls.authority_pem());
    let options = names.options(&metadata, &https(&cloudwatch, NAME));
    let esp = Container::run("works", &image, &options);
    esp.until("ten datums", || cloudwatch.datums().len() >= 10);
    assert_all_near(&cloudwatch.datums(), 25.0, 0.5);
    esp.until("health", || esp.inspect(".State.Health.Status") == "healthy");
    let said = docker(&["exec", &esp.name, "/esp", "health"]).unwrap();
    assert!(said.starts_with("healthy: "), "{said}");

    let ports = open_ports();
    let open = sockets(&esp.inspect(".State.Pid"));
    assert!(open.len() >= 3, "endpoint, CloudWatch and the one for its health: {open:?}");
    let listening: Vec<_> = open.iter().filter(|inode| ports.contains(inode)).collect();
    assert!(listening.is_empty(), "an open port: {listening:?}");
    // A line for each file that differs from the image's; the mounts' places are
    // the engine's.
    let changes = docker(&["diff", &esp.name]).unwrap();
    let is_mount = |line: &&str| ["/etc", "/authority.pem"].iter().any(|it| line.contains(it));
    let changes: Vec<_> = changes.lines().filter(|line| !is_mount(line)).collect();
    assert!(changes.is_empty(), "{changes:?}");

    docker(&["stop", &esp.name]).unwrap();
    assert_eq!(esp.inspect(".State.OOMKilled"), "false");
    assert_eq!(esp.inspect(".State.ExitCode"), "0");
    let log = esp.log();
    let end = log.expect_all_published();
    assert_eq!(end["published"].as_u64(), Some(cloudwatch.datums().len() as u64));
    assert!(log.lines.iter().all(|line| line["level"] == "INFO"), "{}", log.text);
}

fn refuses() {
    let image = image();
    let tls = Tls::new(Certificate::Valid);
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start_tls(&tls));
    let stranger = Tls::new(Certificate::Valid);
    let names = Names::start(Ipv4Addr::new(127, 53, 1, 2), stranger.authority_pem());
    let options = names.options(&metadata, &https(&cloudwatch, NAME));
    let esp = Container::run("stranger", &image, &options);
    esp.until("a refusal", || esp.log().find("publishing to CloudWatch fails").is_some());
    let error = esp.log().expect("publishing to CloudWatch fails")["error"].to_string();
    assert!(error.contains("certificate"), "{error}");
    assert!(cloudwatch.requests().is_empty());
    drop(esp);

    let unknown = Names::start(Ipv4Addr::new(127, 53, 1, 3), tls.authority_pem());
    unknown.server.answer(None);
    let options = unknown.options(&metadata, &https(&cloudwatch, "nowhere.example"));
    let esp = Container::run("unknown", &image, &options);
    esp.until("a refusal", || esp.log().find("publishing to CloudWatch fails").is_some());
    let error = esp.log().expect("publishing to CloudWatch fails")["error"].to_string();
    assert!(error.contains("the name nowhere.example is still being looked up"), "{error}");
}

/// CPU units, the polls in the seconds while the host is busy, and those missed.
fn beside_busy_containers(image: &str, units: u32, seconds: u64) -> (u64, u64) {
    let (metadata, cloudwatch) = (endpoint(), CloudWatch::start());
    let address = Ipv4Addr::new(127, 53, 2, u8::try_from(units).unwrap());
    let names = Names::start(address, "");
    let mut options = names.options(&metadata, &cloudwatch.url());
    options.retain(|option| !option.starts_with("--env=AWS_CA_BUNDLE"));
    options.push(format!("--cpu-shares={units}"));
    let esp = Container::run(&format!("units-{units}"), image, &options);
    // The start takes more CPU than the rest of the minute.
    esp.until("a datum", || !cloudwatch.datums().is_empty());
    let cpus = std::thread::available_parallelism().unwrap().get();
    let busy: Vec<_> = (0..2 * cpus)
        .map(|number| {
            let name = format!("busy-{units}-{number}");
            engine::Container::start(&name, &[], "while :; do :; done")
        })
        .collect();
    let before = metadata.stats_requests();
    std::thread::sleep(Duration::from_secs(seconds));
    let polls = metadata.stats_requests() - before;
    drop(busy);
    let published = cloudwatch.datums().len();
    esp.until("more datums", || cloudwatch.datums().len() >= published + 3);
    docker(&["stop", &esp.name]).unwrap();
    assert_eq!(esp.inspect(".State.ExitCode"), "0");
    let missed = esp.log().expect("esp stops")["missed_ticks"].as_u64().unwrap();
    eprintln!("{units} CPU units, {} spinning containers, {seconds} s: {polls} polls", 2 * cpus);
    (polls, missed)
}

fn few_units() {
    let image = image();
    engine::prepare().unwrap();
    // What the examples give it, and the least that ECS knows. How much that is depends
    // on what else the machine does; `starved` has control groups for that. Here it lives,
    // goes on, and knows what it missed.
    for units in [32, 2] {
        let seconds = 20;
        let (polls, missed) = beside_busy_containers(&image, units, seconds);
        eprintln!("{missed} ticks missed with {units} CPU units");
        // A request follows a renewal, which is 1003 ms after the one before.
        assert!(polls >= 1 && polls + missed + 3 >= seconds, "{polls} polls, {missed} missed");
    }
}
