//! Profiles as text, and the settings that come of them. No file and no variable is read.

use super::{files::without_comment, *};
use crate::settings::url::is_endpoint_url;

fn profiles(text: &str) -> ProfileSet {
    let text = [text.to_owned(), String::new()];
    let text = text.each_ref().map(|text| hiding(text, |_, value| !value.is_empty()));
    smol::block_on(load(&Fs::from_slice(&[]), &Env::from_slice(&[]), &sources(&text), None))
        .unwrap()
}

/// Stands for a key in the environment.
const HAS_KEY: (&str, &str) = ("LOG_LEVEL", "debug");

fn complete(text: &str, more: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let required = [
        ("CONTAINER_NAME", "web"),
        ("NAMESPACE", "Shop"),
        ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
    ];
    let settings = Settings::read(&[more, &required].concat()[..]).unwrap();
    complete_from(settings, &profiles(text), more.contains(&HAS_KEY))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn url(url: Option<EndpointUrl>) -> Option<String> {
    url.map(|url| format!("{} ({})", url.url, url.variable))
}

#[test]
fn profile_says_what_the_environment_leaves_open() {
    let text = "[default]\nuse_fips_endpoint = True\nuse_dualstack_endpoint = FALSE\n";
    let settings = complete(text, &[]).unwrap();
    assert_eq!((settings.use_fips, settings.use_dual_stack), (Some(true), Some(false)));
    let settings = complete(text, &[("AWS_USE_FIPS_ENDPOINT", "false")]).unwrap();
    assert_eq!((settings.use_fips, settings.use_dual_stack), (Some(false), Some(false)));
    for text in ["", "[default]\n", "[profile other]\nendpoint_url = https://a\n"] {
        let settings = complete(text, &[]).unwrap();
        assert_eq!((settings.endpoint_url, settings.use_fips), (None, None), "{text}");
    }
}

#[test]
fn address_is_that_of_the_service_or_of_the_profile_or_of_the_environment() {
    let services = "[services s]\ncloudwatch =\n  endpoint_url = https://b\n";
    let of_all = "[default]\nendpoint_url = https://a # for all\n";
    let a = "https://a (endpoint_url in the profile default)";
    let b = "https://b (endpoint_url of cloudwatch in the services of the profile default)";
    let c = "https://c (AWS_ENDPOINT_URL)";
    let both = format!("{of_all}services = s\n{services}");
    let elsewhere = format!("{of_all}services = t\n{services}");
    let empty = both.replace("https://b", "");
    let environment = [("AWS_ENDPOINT_URL", "https://c")];
    for (text, more, of_cloudwatch, of_sts) in [
        (of_all, &[][..], Some(a), Some(a)),
        (&both, &[], Some(b), Some(a)),
        (&elsewhere, &[], Some(a), Some(a)),
        (&empty, &[], Some(a), Some(a)),
        (&both, &environment, Some(c), Some(c)),
        (&both, &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], None, None),
    ] {
        let settings = complete(text, more).unwrap();
        assert_eq!(url(settings.endpoint_url).as_deref(), of_cloudwatch, "{text} {more:?}");
        assert_eq!(url(settings.sts_endpoint_url).as_deref(), of_sts, "{text} {more:?}");
    }
}

#[test]
fn profile_that_ignores_addresses_has_none_unless_the_environment_says_otherwise() {
    let text = "[default]\nendpoint_url = https://a\nignore_configured_endpoint_urls = true\n";
    let settings = complete(text, &[]).unwrap();
    assert_eq!((settings.endpoint_url, settings.ignores_endpoint_urls), (None, Some(true)));
    let counts = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false");
    assert!(complete(text, &[counts]).unwrap().endpoint_url.is_some());
    let given = ("AWS_ENDPOINT_URL", "https://c");
    assert_eq!(
        complete(text, &[given]).unwrap_err(),
        ["ignore_configured_endpoint_urls=\"true\" in the profile default is not valid: expected \
          false, because AWS_ENDPOINT_URL is set: remove one of them"]
    );
    assert_eq!(
        url(complete(text, &[given, counts]).unwrap().endpoint_url).unwrap(),
        "https://c (AWS_ENDPOINT_URL)"
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "[default]\nendpoint_url = a\nuse_fips_endpoint = 1\nuse_dualstack_endpoint = on\n\
                ignore_configured_endpoint_urls = y\naws_session_token = a b\n";
    let errors = complete(text, &[]).unwrap_err();
    for (key, value) in [
        ("aws_session_token", "***"),
        ("use_fips_endpoint", "1"),
        ("use_dualstack_endpoint", "on"),
        ("ignore_configured_endpoint_urls", "y"),
        ("endpoint_url", "a"),
    ] {
        let begin = format!("{key}={value:?} in the profile default is not valid: expected ");
        assert_eq!(errors.iter().filter(|it| it.starts_with(&begin)).count(), 1, "{errors:?}");
    }
    assert_eq!(errors.len(), 5, "{errors:?}");
}

#[test]
fn role_has_somebody_who_signs_for_it() {
    let base = "[profile base]\naws_access_key_id = A\naws_secret_access_key = s\n";
    for (lines, said) in [
        ("source_profile = base", None),
        ("credential_source = ecscontainer", None),
        ("web_identity_token_file = /token", None),
        ("web_identity_token_file = /dev/zero", Some("web_identity_token_file=\"/dev/zero\"")),
        ("source_profile = nobody", Some("source_profile=\"nobody\"")),
        ("credential_source = Lambda", Some("credential_source=\"Lambda\"")),
        ("", Some("role_arn=\"arn:x\"")),
    ] {
        let text = format!("[default]\nrole_arn = arn:x\n{lines}\n{base}");
        match (complete(&text, &[]), said) {
            (Ok(_), None) => {}
            (Err(errors), Some(said)) => {
                let begin = format!("{said} in the profile default is not valid: expected ");
                assert!(errors.len() == 1 && errors[0].starts_with(&begin), "{errors:?}");
            }
            (complete, _) => panic!("{lines}: {complete:?}"),
        }
        assert!(complete(&text, &[HAS_KEY]).is_ok(), "{lines}");
    }
}

#[test]
fn profiles_that_name_each_other_end() {
    let text = "[default]\nsource_profile = a\n[profile a]\nsource_profile = b\n[profile b]\n\
                source_profile = a\n";
    assert!(complete(text, &[]).is_ok());
}

#[test]
fn keys_are_hidden_where_they_stand_and_nothing_else_changes() {
    let text = "# endpoint_url =\n[default]\nEndpoint_URL = # none\nregion = a\r\n\
                aws_access_key_id = A KID\n[services s]\nsts =\n  endpoint_url =\n\n\tx = endpoint_url\n\
                endpoint_url = https://a ; b\nendpoint_url";
    assert_eq!(hiding(text, |_, _| true), text);
    let none = hiding(text, |_, value| !value.is_empty());
    let expected = text
        .replace("Endpoint_URL", "esp_hidden_Endpoint_URL")
        .replace("  endpoint_url", "  esp_hidden_endpoint_url");
    assert_eq!(none, expected);
    let wrong = hiding(text, |key, value| key == ENDPOINT_URL && is_endpoint_url(value));
    assert_eq!(wrong, expected.replace("aws_access", "esp_hidden_aws_access"));
}

#[test]
fn comment_begins_after_a_blank() {
    for (value, expected) in
        [(" a ", "a"), (" a#b", "a#b"), (" a #b", "a"), ("a\t; b", "a"), (" # a", ""), ("#", "#")]
    {
        assert_eq!(without_comment(value), expected, "{value:?}");
    }
}
