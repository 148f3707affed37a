//! Tests of the variables that AWS, ECS and proxies define.

use super::{read, *};

fn errors(more: &[(&str, &str)]) -> Vec<String> {
    read(more).map_or_else(|errors| errors.iter().map(ToString::to_string).collect(), |_| vec![])
}

#[test]
fn aws_switches_are_true_or_false() {
    for name in [
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ] {
        for (text, expected) in
            [("true", Some(true)), ("TRUE", Some(true)), ("False", Some(false)), ("", None)]
        {
            let settings = read(&[(name, text)]).unwrap();
            let value = match name {
                "AWS_USE_FIPS_ENDPOINT" => settings.use_fips,
                "AWS_USE_DUALSTACK_ENDPOINT" => settings.use_dual_stack,
                _ => settings.ignores_endpoint_urls,
            };
            assert_eq!(value, expected, "{name}={text}");
        }
        for text in ["1", "0", "on", "yes", "tru", " true", "true ", "\u{fffd}"] {
            assert_eq!(
                errors(&[(name, text)]),
                [format!("{name}={text:?} is not valid: expected true or false, e.g. true")]
            );
        }
    }
}

#[test]
fn cloudwatch_has_its_own_address_or_that_of_all_services() {
    let all = ("AWS_ENDPOINT_URL", "https://aws.internal");
    let own = ("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:4566");
    let sts = ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:4567");
    for (more, of_cloudwatch, of_others) in [
        (&[all][..], Some(all), Some(all)),
        (&[own], Some(own), None),
        (&[all, own], Some(own), Some(all)),
        (&[all, sts], Some(all), Some(sts)),
        (&[sts], None, Some(sts)),
        (&[all, (sts.0, "")], Some(all), Some(all)),
        (&[sts, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], None, None),
        (&[all, (own.0, "")], Some(all), Some(all)),
        (&[(all.0, ""), (own.0, "")], None, None),
        (&[all, own, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], None, None),
    ] {
        let settings = read(more).unwrap();
        let pair = |url: Option<EndpointUrl>| url.map(|url| (url.variable, url.url));
        let expected = |it: Option<(&str, &str)>| it.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pair(settings.endpoint_url), expected(of_cloudwatch), "{more:?}");
        assert_eq!(pair(settings.sts_endpoint_url), expected(of_others), "{more:?}");
    }
    for name in [all.0, own.0] {
        assert_eq!(
            errors(&[(name, "monitoring.internal")]),
            [format!(
                "{name}=\"monitoring.internal\" is not valid: expected http://HOST[:PORT][/PATH] or \
                 https://HOST[:PORT][/PATH], e.g. {}",
                if name == all.0 { "https://aws.internal" } else { "https://monitoring.internal" }
            )]
        );
    }
}

#[test]
fn address_of_ones_own_is_neither_fips_nor_dual_stack() {
    let url = ("AWS_ENDPOINT_URL", "https://aws.internal");
    for name in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        assert_eq!(
            errors(&[url, (name, "true")]),
            [format!(
                "{name}=\"true\" is not valid: expected false, because AWS_ENDPOINT_URL is set: \
                 put the FIPS or dual-stack address there, or remove AWS_ENDPOINT_URL"
            )]
        );
        for others in [
            [url, (name, "false")],
            [("OUTPUT", "emf"), (name, "true")],
            [(url.0, ""), (name, "true")],
        ] {
            assert_eq!(errors(&others), [""; 0], "{others:?}");
        }
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert_eq!(errors(&[url, (name, "true"), ignored]), [""; 0]);
    }
}

#[test]
fn proxy_is_the_one_that_libcurl_takes() {
    let (http, https) = (
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL", "https://aws.internal"),
    );
    let a = |name: &'static str| (name, "http://a:1");
    let b = |name: &'static str| (name, "http://b:1");
    for (more, expected) in [
        (&[b("HTTPS_PROXY")][..], Some("HTTPS_PROXY")),
        (&[b("HTTPS_PROXY"), a("https_proxy")], Some("https_proxy")),
        (&[https, b("ALL_PROXY"), a("all_proxy")], Some("all_proxy")),
        (&[https, b("HTTPS_PROXY"), a("all_proxy")], Some("HTTPS_PROXY")),
        (&[https, a("http_proxy")], None),
        (&[http, a("http_proxy"), b("HTTPS_PROXY")], Some("http_proxy")),
        (&[http, b("HTTPS_PROXY"), a("ALL_PROXY")], Some("ALL_PROXY")),
        (&[http, a("HTTP_PROXY")], None),
        (&[("https_proxy", ""), b("HTTPS_PROXY")], Some("HTTPS_PROXY")),
    ] {
        let settings = read(more).unwrap();
        assert_eq!(settings.proxy().map(|proxy| proxy.variable.as_str()), expected, "{more:?}");
    }
    let both = [("NO_PROXY", "a"), ("no_proxy", "b")];
    assert_eq!(read(&both).unwrap().no_proxy.as_deref(), Some("b"));
    // As for libcurl, an empty one leaves it to the other.
    let both = [("NO_PROXY", "a"), ("no_proxy", "")];
    assert_eq!(read(&both).unwrap().no_proxy.as_deref(), Some("a"));
}

#[test]
fn proxy_that_libcurl_would_refuse_is_an_error_without_its_password() {
    for name in ["HTTPS_PROXY", "https_proxy", "http_proxy", "all_proxy", "ALL_PROXY"] {
        let all = errors(&[(name, "ftp://x y")]);
        assert_eq!(all.len(), 1, "{all:?}");
        let begin = format!("{name}=\"ftp://x y\" is not valid: expected [SCHEME://]");
        assert!(all[0].starts_with(&begin), "{}", all[0]);
        let all = errors(&[(name, "ftp://user:hunter2@proxy:21")]);
        assert!(all[0].starts_with(&format!("{name}=\"ftp://***@proxy:21\"")), "{}", all[0]);
        let settings =
            read(&[(name, "http://user:hunter2@proxy:21"), ("HTTPS_PROXY", "")]).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
    assert_eq!(errors(&[("NO_PROXY", "http://x")]).len(), 1);
}

#[test]
fn region_of_every_variable_has_the_shape_of_one() {
    for name in ["REGION", "AWS_REGION", "AWS_DEFAULT_REGION"] {
        for good in ["eu-west-1", "us-gov-east-1", "eusc-de-east-1", "ap-southeast-7"] {
            assert_eq!(errors(&[(name, good)]), [""; 0]);
        }
        for bad in [
            "eu-west",
            "EU-WEST-1",
            " eu-west-1",
            "eu-west-1a",
            "aws-global",
            "fips-us-east-1",
            "us-east-1-fips",
            "Ireland",
            "eu-west-1.amazonaws.com",
            "eu_west_1",
        ] {
            let all = errors(&[(name, bad)]);
            assert_eq!(all.len(), 1, "{name}={bad}");
            assert!(all[0].starts_with(&format!("{name}={bad:?} is not valid: ")), "{}", all[0]);
        }
    }
}

#[test]
fn every_variable_of_the_table_refuses_what_it_does_not_accept() {
    // What is no value of any variable but a path or a name.
    let garbage = "\u{1}garbage ü";
    for variable in variable::OWN.into_iter().chain(variable::FOREIGN) {
        let is_refused = !errors(&[(variable.name, garbage)]).is_empty();
        assert_eq!(is_refused, !variable.accepts(garbage), "{}", variable.name);
        let is_file = variable.placeholder == "FILE";
        assert_eq!(is_refused, !is_file, "{}", variable.name);
    }
}

#[test]
fn long_value_is_cut_in_the_error() {
    let long = "x".repeat(100_000);
    for name in ["REGION", "HTTPS_PROXY", "SAMPLE_INTERVAL"] {
        let error = &errors(&[(name, &long)])[0];
        assert!(error.len() < 1000, "{name}: {}", error.len());
    }
}
