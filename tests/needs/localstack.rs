//! Against LocalStack, a CloudWatch that somebody else wrote: it reads what the
//! SDK sends, and its alarm judges it.
//!
//! Needs LocalStack at the URL in `ESP_TEST_LOCALSTACK`. `.ci/localstack` installs and
//! starts one.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use aws_sdk_cloudwatch::{
    Client,
    config::{BehaviorVersion, Credentials, IdentityCache, Region},
    types::{ComparisonOperator, Dimension, StateValue, Statistic},
};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use esp::cloudwatch::{Connector, Proxies, TimerSleep};
use esp_endpoints::{agent::Cadence, containers::Shape, metadata::MetadataEndpoint};
use serde_json::Value;

use crate::{
    harness::{Case, Need},
    program::{Esp, agent},
};

const URL: &str = "ESP_TEST_LOCALSTACK";

const LOCALSTACK: Need = Need {
    word: "localstack",
    lacks: || {
        std::env::var_os(URL)
            .is_none()
            .then(|| "takes LocalStack: `.ci/localstack` runs it".to_owned())
    },
};

pub(crate) const CASES: &[Case] = &[Case {
    name: "localstack::every_sample_is_there_once_and_an_alarm_of_ten_seconds_goes_off",
    need: &LOCALSTACK,
    is_alone: false,
    test: samples_and_alarm,
}];

const NAMESPACE: &str = "Shop";
const REGION: &str = "eu-west-1";
const ALARM: &str = "web-cpu-high";

fn client(url: &str) -> Client {
    let connector = Connector::new(None, Proxies::default()).unwrap();
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret-example", None, None, "test"))
        .http_client(SharedHttpClient::new(connector))
        .sleep_impl(SharedAsyncSleep::new(TimerSleep))
        .identity_cache(IdentityCache::no_cache())
        .build();
    Client::from_conf(config)
}

/// An alarm of 10 s, one of one.
async fn put_alarm(client: &Client) {
    let dimension = |name, value| Dimension::builder().name(name).value(value).build();
    client
        .put_metric_alarm()
        .alarm_name(ALARM)
        .namespace(NAMESPACE)
        .metric_name("CPUUtilization")
        .dimensions(dimension("ClusterName", "shop"))
        .dimensions(dimension("ServiceName", "web-service"))
        .statistic(Statistic::Average)
        .period(10)
        .evaluation_periods(1)
        .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
        .threshold(20.0)
        .treat_missing_data("notBreaching")
        .send()
        .await
        .unwrap();
}

async fn state(client: &Client) -> StateValue {
    let alarms = client.describe_alarms().alarm_names(ALARM).send().await.unwrap();
    alarms.metric_alarms()[0].state_value().unwrap().clone()
}

/// The datums that it holds, by its own door beside CloudWatch's API.
fn stored(url: &str) -> Vec<Value> {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /_aws/cloudwatch/metrics/raw HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let document: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    document["metrics"].as_array().unwrap().clone()
}

fn samples_and_alarm() {
    let url = std::env::var(URL).unwrap();
    let client = client(&url);
    smol::block_on(put_alarm(&client));
    let metadata = MetadataEndpoint::start(agent(Shape::Ec2CgroupV2, Cadence::STREAMING, |_| {}));
    let more = [("NAMESPACE", NAMESPACE), ("REGION", REGION)];
    let esp = Esp::run(&mut Esp::between(&metadata, &url, &more));
    // Half a CPU of two: 25 %, over the threshold. A period is judged after its
    // end, when the request with its samples has arrived.
    let started = Instant::now();
    while smol::block_on(state(&client)) != StateValue::Alarm {
        assert!(started.elapsed() < Duration::from_mins(2), "{:?}", stored(&url));
        std::thread::sleep(Duration::from_millis(500));
    }
    eprintln!("ALARM {:.1} s after the start", started.elapsed().as_secs_f64());
    let (status, log) = esp.stop("TERM");
    assert_eq!(status.code(), Some(0));
    let published = log.expect_all_published()["published"].as_u64().unwrap();
    let stored = stored(&url);
    assert_eq!(stored.len() as u64, published, "{}", log.text);
    for datum in &stored {
        assert_eq!(datum["ns"], NAMESPACE);
        let value = datum["v"].as_f64().unwrap();
        assert!((24.0..26.0).contains(&value), "{datum}");
    }
}
