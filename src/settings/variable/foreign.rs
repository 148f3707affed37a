//! Variables that ECS, AWS and proxies define, and that ESP reads besides its own.
//! They have no flags. What else the AWS SDK reads is in `settings::sdk`.

use super::{Default, REGION, Variable};
use crate::{
    endpoint::{EndpointUri, uri},
    settings::{
        kind::{Kind, Shown, one_of, words},
        url::{PROXY_SCHEMES, is_endpoint_url, is_no_proxy, is_proxy},
    },
};

/// The words of a switch of AWS's.
pub const AWS_SWITCH: [(&str, bool); 2] = [("true", true), ("false", false)];

const AWS_SWITCH_WORDS: Kind = Kind::Choice(&words(&AWS_SWITCH));

/// A path; whether there is a file is not asked here.
const PEM_FILE: Kind = Kind::Text {
    expected: || "a readable file with certificates in PEM form".to_owned(),
    accepts: |text| !text.contains('\0'),
    shown: Shown::Whole,
};

pub(in crate::settings) const ENDPOINT_URL: Kind = Kind::Text {
    expected: || "http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]".to_owned(),
    accepts: is_endpoint_url,
    shown: Shown::WithoutPassword,
};

const PROXY_URL: Kind = Kind::Text {
    expected: || {
        format!(
            "[SCHEME://][USER:PASSWORD@]HOST[:PORT] (SCHEME is {}, by default http; PORT is by \
             default 1080, or 443 with https)",
            one_of(PROXY_SCHEMES.into_iter())
        )
    },
    accepts: is_proxy,
    shown: Shown::WithoutPassword,
};

const NO_PROXY_HOSTS: Kind = Kind::Text {
    expected: || {
        "names of hosts and domains, addresses and networks (10.0.0.0/8), without ports and \
         wildcards, separated by commas; or * alone"
            .to_owned()
    },
    accepts: is_no_proxy,
    shown: Shown::WithoutPassword,
};

/// The endpoint's address, which ECS sets.
pub const ENDPOINT: Variable = Variable {
    name: "ECS_CONTAINER_METADATA_URI_V4",
    flag: None,
    placeholder: "URI",
    default: Default::From("set by ECS"),
    kind: Kind::Text {
        expected: || uri::EXPECTED.to_owned(),
        accepts: |text| EndpointUri::parse(text).is_some(),
        shown: Shown::Whole,
    },
    example: "http://169.254.170.2/v4/0af3",
    help: "The task metadata endpoint.",
};

/// The SDKs' own Region.
pub const AWS_REGION: Variable = Variable {
    name: "AWS_REGION",
    flag: None,
    placeholder: "REGION",
    default: Default::From("AWS_DEFAULT_REGION"),
    kind: REGION.kind,
    example: "eu-west-1",
    help: "The Region if REGION is not set.",
};

/// The SDKs' own Region, by its older name.
pub const AWS_DEFAULT_REGION: Variable = Variable {
    name: "AWS_DEFAULT_REGION",
    flag: None,
    placeholder: "REGION",
    default: Default::From("from the task's ARN"),
    kind: REGION.kind,
    example: "eu-west-1",
    help: "The Region if AWS_REGION is not set either.",
};

/// Certificates to trust in place of the bundled ones.
pub const AWS_CA_BUNDLE: Variable = Variable {
    name: "AWS_CA_BUNDLE",
    flag: None,
    placeholder: "FILE",
    default: Default::From("SSL_CERT_FILE, otherwise the built-in root certificates"),
    kind: PEM_FILE,
    example: "/etc/ssl/proxy.pem",
    help: "A file with the certificates to trust in connections to AWS.",
};

/// The same under its general name.
pub const SSL_CERT_FILE: Variable = Variable {
    name: "SSL_CERT_FILE",
    flag: None,
    placeholder: "FILE",
    default: Default::From("the built-in root certificates"),
    kind: PEM_FILE,
    example: "/etc/ssl/proxy.pem",
    help: "The same, if AWS_CA_BUNDLE is not set.",
};

/// The address of CloudWatch.
pub const AWS_ENDPOINT_URL_CLOUDWATCH: Variable = Variable {
    name: "AWS_ENDPOINT_URL_CLOUDWATCH",
    flag: None,
    placeholder: "URL",
    default: Default::From("AWS_ENDPOINT_URL"),
    kind: ENDPOINT_URL,
    example: "https://monitoring.internal",
    help: "The address of CloudWatch, if it is not the usual one. You cannot use it together \
           with FIPS or dual-stack endpoints.",
};

/// The address of STS.
pub const AWS_ENDPOINT_URL_STS: Variable = Variable {
    name: "AWS_ENDPOINT_URL_STS",
    flag: None,
    placeholder: "URL",
    default: Default::From("AWS_ENDPOINT_URL"),
    kind: ENDPOINT_URL,
    example: "https://sts.internal",
    help: "The address of STS. ESP needs STS only if a profile or a web identity assumes a \
           role.",
};

/// The address of every service of AWS.
pub const AWS_ENDPOINT_URL: Variable = Variable {
    name: "AWS_ENDPOINT_URL",
    flag: None,
    placeholder: "URL",
    default: Default::From("the Region's own endpoints"),
    kind: ENDPOINT_URL,
    example: "https://aws.internal",
    help: "The address of every AWS service, unless one of the two variables above sets it.",
};

/// Whether the three above count.
pub const AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: Variable = Variable {
    name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    flag: None,
    placeholder: "SWITCH",
    default: Default::From("false"),
    kind: AWS_SWITCH_WORDS,
    example: "true",
    help: "If true, ESP ignores the three variables above, and endpoint_url in a profile.",
};

/// FIPS endpoints.
pub const AWS_USE_FIPS_ENDPOINT: Variable = Variable {
    name: "AWS_USE_FIPS_ENDPOINT",
    flag: None,
    placeholder: "SWITCH",
    default: Default::From("false"),
    kind: AWS_SWITCH_WORDS,
    example: "true",
    help: "If true, ESP connects to monitoring-fips.REGION.amazonaws.com, in Regions that \
           have it.",
};

/// Dual-stack endpoints.
pub const AWS_USE_DUALSTACK_ENDPOINT: Variable = Variable {
    name: "AWS_USE_DUALSTACK_ENDPOINT",
    flag: None,
    placeholder: "SWITCH",
    default: Default::From("false"),
    kind: AWS_SWITCH_WORDS,
    example: "true",
    help: "If true, ESP connects to monitoring.REGION.api.aws, which also has IPv6 addresses.",
};

/// The proxy towards AWS. The lower-case name counts first, as for libcurl.
pub const HTTPS_PROXY_LOWER: Variable = Variable {
    name: "https_proxy",
    flag: None,
    placeholder: "URL",
    default: Default::From("HTTPS_PROXY"),
    kind: PROXY_URL,
    example: "http://proxy.internal:3128",
    help: "The proxy for https addresses. ESP uses it for CloudWatch and STS, with CONNECT. \
           ESP never uses a proxy for the metadata endpoint, the task role's endpoint and \
           instance metadata.",
};

/// The same by its other name.
pub const HTTPS_PROXY: Variable = Variable {
    name: "HTTPS_PROXY",
    flag: None,
    placeholder: "URL",
    default: Default::From("all_proxy, then ALL_PROXY, otherwise none"),
    kind: PROXY_URL,
    example: "http://proxy.internal:3128",
    help: "The same, if https_proxy is not set.",
};

/// The proxy for plain HTTP, which has no other name, as for libcurl.
pub const HTTP_PROXY_LOWER: Variable = Variable {
    name: "http_proxy",
    flag: None,
    placeholder: "URL",
    default: Default::From("all_proxy, then ALL_PROXY, otherwise none"),
    kind: PROXY_URL,
    example: "http://proxy.internal:3128",
    help: "The proxy for http addresses. ESP connects to http addresses only if you set one. \
           It does not read HTTP_PROXY.",
};

/// The proxy for everything.
pub const ALL_PROXY_LOWER: Variable = Variable {
    name: "all_proxy",
    flag: None,
    placeholder: "URL",
    default: Default::From("ALL_PROXY"),
    kind: PROXY_URL,
    example: "socks5h://proxy.internal:1080",
    help: "The proxy if none of the variables above names one.",
};

/// The same by its other name.
pub const ALL_PROXY: Variable = Variable {
    name: "ALL_PROXY",
    flag: None,
    placeholder: "URL",
    default: Default::From("none"),
    kind: PROXY_URL,
    example: "socks5h://proxy.internal:1080",
    help: "The same, if all_proxy is not set.",
};

/// What is reached without it.
pub const NO_PROXY_LOWER: Variable = Variable {
    name: "no_proxy",
    flag: None,
    placeholder: "NAMES",
    default: Default::From("NO_PROXY"),
    kind: NO_PROXY_HOSTS,
    example: ".api.aws",
    help: "The hosts to which ESP connects without the proxy. A domain includes all hosts in \
           it.",
};

/// The same by its other name.
pub const NO_PROXY: Variable = Variable {
    name: "NO_PROXY",
    flag: None,
    placeholder: "NAMES",
    default: Default::From("nothing"),
    kind: NO_PROXY_HOSTS,
    example: ".api.aws",
    help: "The same, if no_proxy is not set.",
};

/// What is read besides ESP's own variables, and has no flag.
pub const FOREIGN: [&Variable; 18] = [
    &ENDPOINT,
    &AWS_REGION,
    &AWS_DEFAULT_REGION,
    &AWS_CA_BUNDLE,
    &SSL_CERT_FILE,
    &AWS_ENDPOINT_URL_CLOUDWATCH,
    &AWS_ENDPOINT_URL_STS,
    &AWS_ENDPOINT_URL,
    &AWS_IGNORE_CONFIGURED_ENDPOINT_URLS,
    &AWS_USE_FIPS_ENDPOINT,
    &AWS_USE_DUALSTACK_ENDPOINT,
    &HTTPS_PROXY_LOWER,
    &HTTPS_PROXY,
    &HTTP_PROXY_LOWER,
    &ALL_PROXY_LOWER,
    &ALL_PROXY,
    &NO_PROXY_LOWER,
    &NO_PROXY,
];
