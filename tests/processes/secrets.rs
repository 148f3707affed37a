//! Peers that quote secrets in all that they send, and the whole output of the
//! program, in which none of them may be.

use std::{
    fmt::Write as _,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use esp_endpoints::{
    agent::Cadence,
    containers::Shape,
    http::{Request, Response, Server, Settings},
    metadata::MetadataEndpoint,
};

use crate::program::{Esp, SOON, agent};

const KEY_ID: &str = "ASIAQ3EGPLANTEDKEY77";
const SECRET_KEY: &str = "wJalr/XUtnFEMI+K7MDENG/bPxRfiCYPLANTEDkey";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEDoaCXVzLWVhc3QtMSJH/+MEUCIQDx3p2b7VZx8k9+sQplantedToken==";
const PASSWORD: &str = "pl4nted-pr0xy-pa55word";
const CONTAINER_TOKEN: &str = "plantedContainerAuthorizationToken0123456789";
const ALL: [&str; 5] = [KEY_ID, SECRET_KEY, TOKEN, PASSWORD, CONTAINER_TOKEN];

fn percent_encoded(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        encoded
            .extend([18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift & 63) as usize])));
    }
    encoded
}

/// Each secret in each form, and what would change a terminal.
fn planted(request: &Request) -> String {
    let header = |name| request.header(name).unwrap_or("none");
    let mut text = format!(
        "\u{1b}]0;owned\u{7}\u{9b}31m quoted: POST\n/service\n\nhost:x\nx-amz-security-token:{}\n\
         authorization:{}\nproxy-authorization:{}\n",
        header("x-amz-security-token"),
        header("authorization"),
        header("proxy-authorization"),
    );
    for secret in ALL {
        let encoded = percent_encoded(secret);
        let _ = write!(
            text,
            "so {secret} and {encoded} and {} and {} and \"{}\" and {} and {}\n{}.",
            encoded.to_lowercase(),
            percent_encoded(&encoded),
            secret.replace('/', "\\/"),
            base64(&format!("user:{secret}")),
            &secret[..secret.len() / 2],
            &secret[secret.len() / 2..],
        );
    }
    text
}

fn signature(request: &Request) -> Option<String> {
    let (_, signature) = request.header("authorization")?.split_once("Signature=")?;
    Some(signature.to_owned())
}

/// A server that says `answer` to everything, and how often it did.
struct Peer {
    server: Server,
    requests: Arc<AtomicU64>,
    signatures: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Peer {
    fn start(answer: fn(&Request) -> Response) -> Self {
        let requests = Arc::new(AtomicU64::new(0));
        let signatures = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (counted, kept) = (Arc::clone(&requests), Arc::clone(&signatures));
        let settings = Settings { port: 0, idle: Duration::from_secs(5) };
        let server = Server::start(settings, move |request: Request| {
            kept.lock().unwrap().extend(signature(&request));
            counted.fetch_add(1, Ordering::Relaxed);
            answer(&request)
        });
        Self { server: server.unwrap(), requests, signatures }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    fn wait_for(&self, requests: u64) {
        let start = Instant::now();
        while self.requests.load(Ordering::Relaxed) < requests {
            assert!(start.elapsed() < 3 * SOON, "no {requests} requests");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn cbor_text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x79, length[0], length[1]], text.as_bytes()].concat()
}

/// As AWS answers a wrong signature, and with more.
fn wrong_signature(request: &Request) -> Response {
    let pairs = [("__type", "com.amazon#SignatureDoesNotMatch"), ("message", &planted(request))]
        .map(|(name, value)| [cbor_text(name), cbor_text(value)].concat());
    let body = [vec![0xa2], pairs.concat()].concat();
    Response::new(403, "application/cbor", body)
        .with_header("smithy-protocol", "rpc-v2-cbor")
        .with_header("x-amzn-query-error", "SignatureDoesNotMatch;Sender")
}

fn page(request: &Request) -> Response {
    Response::new(403, "text/html", format!("<html>{}", planted(request)))
}

/// Of the length at which a body is cut in the middle of a secret.
fn cut_page(_: &Request) -> Response {
    Response::new(200, "text/html", format!("{}{TOKEN}{SECRET_KEY}", "x".repeat(105)))
}

fn json_error(request: &Request) -> Response {
    let body = serde_json::json!({ "code": "AccessDenied", "message": planted(request) });
    Response::new(403, "application/json", body.to_string())
}

fn broken_credentials(_: &Request) -> Response {
    let body = format!(
        r#"{{"AccessKeyId":"{KEY_ID}","SecretAccessKey":"{SECRET_KEY}","Token":"{TOKEN}","Expiration""#
    );
    Response::new(200, "application/json", body)
}

fn proxy_refusal(request: &Request) -> Response {
    Response::new(407, "text/plain", planted(request))
        .with_header("proxy-authenticate", &format!("Basic realm=\"{PASSWORD}\""))
}

fn assert_clean(output: &str, peer: &Peer) {
    let lower = output.to_lowercase();
    let decoded = lower.replace("%25", "%").replace("%2f", "/").replace("%2b", "+");
    let decoded = decoded.replace("%3d", "=").replace("\\\\/", "/").replace("\\/", "/");
    let signatures = peer.signatures.lock().unwrap().clone();
    let all = ALL.iter().map(ToString::to_string).chain(signatures);
    let all = all.flat_map(|secret| [base64(&format!("user:{secret}")), secret]);
    for secret in all {
        let secret = secret.to_lowercase();
        for window in
            secret.as_bytes().windows(10).skip(if secret.starts_with("dxn") { 6 } else { 0 })
        {
            let part = std::str::from_utf8(window).unwrap();
            for text in [&lower, &decoded] {
                assert!(!text.contains(part), "{part:?} of {secret} is in\n{output}");
            }
        }
    }
    let is_control = |c: &char| c.is_control() && *c != '\n';
    assert_eq!(output.chars().find(is_control), None, "{output}");
}

fn text_of(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap()
}

fn metadata() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

/// Runs the sidecar until the peer has answered, and `esp check --publish` in
/// both its forms; gives all that they wrote, each by itself.
fn outputs(peer: &Peer, variables: &[(&str, &str)], levels: &[&str]) -> Vec<String> {
    let metadata = metadata();
    let mut outputs = Vec::new();
    for level in levels {
        for format in ["json", "text"] {
            let logged =
                [("LOG_LEVEL", *level), ("LOG_FORMAT", format), ("PUBLISH_INTERVAL", "1s")];
            let more = [&logged, variables].concat();
            let mut command = Esp::between(&metadata, &peer.url(), &more);
            let before = peer.requests.load(Ordering::Relaxed);
            let child = command.spawn().unwrap();
            peer.wait_for(before + 1);
            thread::sleep(Duration::from_millis(500));
            let esp = Esp { child };
            esp.signal("TERM");
            outputs.push(esp.whole_output());
        }
    }
    for arguments in [&["check", "--publish"][..], &["check", "--publish", "--json"]] {
        let mut command = Esp::between(&metadata, &peer.url(), variables);
        outputs.push(text_of(&command.args(arguments).output().unwrap()));
    }
    outputs
}

const OWN: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", KEY_ID),
    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ("AWS_SESSION_TOKEN", TOKEN),
];
/// In use as well, if only for other peers.
const OTHERS: [(&str, &str); 2] = [
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", CONTAINER_TOKEN),
    ("ALL_PROXY", "http://user:pl4nted-pr0xy-pa55word@127.0.0.1:9"),
];

fn assert_all_clean(peer: &Peer, variables: &[(&str, &str)], levels: &[&str], marks: &[&str]) {
    for output in outputs(peer, variables, levels) {
        assert_clean(&output, peer);
        // It was said, and the secrets were in what was said.
        let is_silent =
            levels.contains(&"error") && !marks.iter().all(|mark| output.contains(mark));
        assert!(is_silent || marks.iter().all(|mark| output.contains(mark)), "{output}");
    }
}

#[test]
fn a_signature_mismatch_that_quotes_the_request_shows_no_secret_at_any_level() {
    let peer = Peer::start(wrong_signature);
    let variables = [&OWN[..], &OTHERS].concat();
    let levels = ["error", "warn", "info", "debug", "trace"];
    assert_all_clean(&peer, &variables, &levels, &["SignatureDoesNotMatch", "[redacted]"]);
}

#[test]
fn pages_of_others_show_no_secret() {
    let variables = [&OWN[..], &OTHERS].concat();
    let peer = Peer::start(page);
    assert_all_clean(&peer, &variables, &["trace"], &["answered 403"]);
    let peer = Peer::start(cut_page);
    assert_all_clean(&peer, &variables, &["trace"], &["answered 200", "xxxx[redacted]"]);
}

#[test]
fn a_source_of_credentials_shows_no_secret() {
    for (answer, mark) in [
        (json_error as fn(&Request) -> Response, "AccessDenied"),
        (broken_credentials, "answered 200"),
    ] {
        let peer = Peer::start(answer);
        let uri = format!("{}/credentials", peer.url());
        let variables = [
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
            OTHERS[0],
        ];
        // What it says of others' secrets is not known to be secret.
        for output in outputs(&peer, &variables, &["trace"]) {
            assert!(output.contains(mark), "{output}");
            for secret in [CONTAINER_TOKEN, SECRET_KEY, TOKEN] {
                let is_in_use = secret == CONTAINER_TOKEN || mark == "answered 200";
                assert!(!is_in_use || !output.contains(&secret[..10]), "{secret} in {output}");
            }
        }
    }
}

#[test]
fn a_proxy_s_password_is_not_shown() {
    let peer = Peer::start(proxy_refusal);
    // Of some characters a URL has the codes; the proxy is sent what they stand for.
    let encoded = PASSWORD.replace('-', "%2D").replace('a', "%61");
    let proxy = format!("http://user:{encoded}@{}", peer.server.address());
    let variables = [
        &OWN[..],
        &[
            ("HTTPS_PROXY", proxy.as_str()),
            ("AWS_ENDPOINT_URL", "https://monitoring.eu-west-1.amazonaws.com"),
            OTHERS[0],
        ],
    ];
    assert_all_clean(&peer, &variables.concat(), &["trace"], &[]);
    // And where the value itself is wrong.
    let wrong = format!("ftp://user:{PASSWORD}@x y");
    let metadata = metadata();
    let mut command = Esp::between(&metadata, &peer.url(), &[("HTTPS_PROXY", &wrong)]);
    let esp = Esp { child: command.spawn().unwrap() };
    thread::sleep(Duration::from_secs(2));
    esp.signal("TERM");
    let output = esp.whole_output();
    assert!(!output.contains("pl4nted"), "{output}");
}
