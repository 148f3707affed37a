//! Sources of credentials at the name `localhost`, which not every system knows: a
//! minimal one has no `/etc/hosts`.

use std::{fs, net::ToSocketAddrs as _, path::Path};

use esp_endpoints::{
    agent::Cadence, cloudwatch::CloudWatch, containers::Shape, credentials::CredentialsEndpoint,
    metadata::MetadataEndpoint, sts::Sts,
};

use crate::{
    harness::{Case, Need},
    program::{Esp, agent, run::PATIENCE},
};

const NAME: Need = Need {
    word: "localhost",
    lacks: || {
        let known = ("localhost", 0).to_socket_addrs().is_ok_and(|mut all| all.next().is_some());
        (!known).then(|| "takes the name localhost, as /etc/hosts has it".to_owned())
    },
};

pub(crate) const CASES: &[Case] = &[
    case("localhost::container_credentials_may_be_there", container_credentials),
    case("localhost::source_of_a_profile_may_be_there", source_of_a_profile),
];

const fn case(name: &'static str, test: fn()) -> Case {
    Case { name, need: &NAME, is_alone: false, test }
}

fn metadata() -> MetadataEndpoint {
    MetadataEndpoint::start(agent(Shape::Ec2CgroupV1, Cadence::STREAMING, |_| {}))
}

fn container_credentials() {
    let (metadata, cloudwatch) = (metadata(), CloudWatch::start());
    let source = CredentialsEndpoint::start("KEY");
    let uri = source.uri().replace("127.0.0.1", "localhost");
    let more = [
        ("PUBLISH_INTERVAL", "1s"),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
    ];
    let esp = Esp::start(&metadata, &cloudwatch, &more);
    assert!(cloudwatch.wait_for(1, PATIENCE), "no credentials from {uri}");
    let (status, _) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
}

fn source_of_a_profile() {
    let (metadata, cloudwatch) = (metadata(), CloudWatch::start());
    let (sts, source) = (Sts::start("ASIAOFROLE"), CredentialsEndpoint::start("ASIATASK"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("needs-localhost");
    let role = "arn:aws:iam::111122223333:role/publisher";
    let profile = format!("[default]\nrole_arn = {role}\ncredential_source = EcsContainer\n");
    fs::write(&file, profile).unwrap();
    let mut command = Esp::between(&metadata, &cloudwatch.url(), &[]);
    for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    command
        .env("AWS_CONFIG_FILE", &file)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", source.uri().replace("127.0.0.1", "localhost"))
        .env("AWS_ENDPOINT_URL_CLOUDWATCH", cloudwatch.url())
        .env("AWS_ENDPOINT_URL_STS", sts.url())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = command.args(["check", "--publish"]).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(sts.asked()[0].key_id, "ASIATASK");
}
