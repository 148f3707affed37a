//! What the AWS SDK reads from the environment by itself, and what ESP does about each
//! variable. The SDK panics on some values and quietly ignores others, so none reaches
//! it unchecked: one that decides where data or credentials go is checked here or in
//! `variable`, one that ESP replaces by its own is ignored with a warning, and
//! `environment` takes out what the SDK would misread, empty values above all.
//!
//! CloudWatch's client is told everything. The sources of credentials still read the
//! environment themselves, and so does the client for STS, which they make: it takes its
//! address from it. What they read in files is checked in `cloudwatch::profile`.
//!
//! The table has every `AWS_*` variable that the SDK's sources name; a test compares
//! it with them. ESP's documented ones are in `variable` and only listed here.

use super::{
    Given, Kind, Lookup, SettingsWarning, Shown, Variable,
    environment::HEADER_BYTES_MAX,
    kind::words,
    reader::Reader,
    url::is_endpoint_url,
    variable::{AWS_SWITCH, Default, ENDPOINT_URL},
};

/// What ESP does about a variable.
#[derive(Clone, Copy, Debug)]
pub enum Treatment {
    /// It is in [`FOREIGN`](super::variable::FOREIGN): checked, and given to the SDK explicitly.
    Documented,
    /// The SDK reads it, for credentials or for its own address. A value of another
    /// kind than this is an error.
    Checked(Kind),
    /// The SDK reads it. A value of another kind than this has no effect or spoils a
    /// source of credentials that is asked last, and a warning says so.
    Harmless(Kind),
    /// ESP sets its own value, for this reason. A warning says so.
    Replaced(&'static str),
    /// It changes nothing in what ESP asks of the SDK.
    Unused,
}

/// A variable that the SDK reads.
#[derive(Clone, Copy, Debug)]
pub struct SdkVariable {
    /// Its name.
    pub name: &'static str,
    /// What ESP does about it.
    pub treatment: Treatment,
}

const fn row(name: &'static str, treatment: Treatment) -> SdkVariable {
    SdkVariable { name, treatment }
}

/// A part of a key. It becomes part of a header, and blanks in it are a mistake. AWS's
/// have at most 128 characters.
const KEY: Kind = Kind::Text {
    expected: || "at most 1024 visible ASCII characters without blanks or line ends".to_owned(),
    accepts: |text| is_visible(text) && text.len() <= 1024,
    shown: Shown::Nothing,
};

/// The SDK itself trims it.
const TOKEN: Kind = Kind::Text {
    expected: || "at most 16384 visible ASCII characters without blanks between them".to_owned(),
    accepts: |text| is_visible(text.trim()) && text.len() <= 16 << 10,
    shown: Shown::Nothing,
};

/// The value of a header, blanks included.
const HEADER: Kind = Kind::Text {
    expected: || "printable ASCII characters".to_owned(),
    accepts: is_printable,
    shown: Shown::Nothing,
};

/// The same of what is no secret.
const PRINTABLE: Kind = Kind::Text {
    expected: || format!("at most {HEADER_BYTES_MAX} printable ASCII characters"),
    accepts: |text| is_printable(text) && text.len() <= HEADER_BYTES_MAX,
    shown: Shown::Whole,
};

/// A name, a path, an ARN: what is wrong with it shows when credentials are asked.
const ANY: Kind = Kind::Text {
    expected: || "text without control characters".to_owned(),
    accepts: |text| !text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER),
    shown: Shown::Whole,
};

const RELATIVE_URI: Kind = Kind::Text {
    expected: || "a path that begins with /, as ECS sets it".to_owned(),
    accepts: |text| text.starts_with('/') && is_visible(text),
    shown: Shown::Whole,
};

const FULL_URI: Kind = Kind::Text {
    expected: || "http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH".to_owned(),
    accepts: |text| is_endpoint_url(text.split('?').next().unwrap_or_default()) && is_visible(text),
    shown: Shown::WithoutPassword,
};

/// What the SDK accepts in a user agent.
const APP_ID: Kind = Kind::Text {
    expected: || "at most 50 letters, digits and !#$%&'*+-.^_`|~".to_owned(),
    accepts: |text| {
        let is_part = |byte| u8::is_ascii_alphanumeric(&byte) || b"!#$%&'*+-.^_`|~".contains(&byte);
        text.len() <= 50 && text.bytes().all(is_part)
    },
    shown: Shown::Whole,
};

/// The SDK's client would end the program if there is no such file, and ask other hosts if
/// there is.
const NOT_TAKEN: Kind = Kind::Text {
    expected: || "nothing: name another address in AWS_ENDPOINT_URL_CLOUDWATCH".to_owned(),
    accepts: |_| false,
    shown: Shown::Whole,
};

const SWITCH: Kind = Kind::Choice(&words(&AWS_SWITCH));
const IP_VERSION: Kind = Kind::Choice(&["IPv4", "IPv6"]);

const RETRIES: &str = "ESP itself decides when it repeats a request";
const COMPRESSION: &str = "ESP itself decides what it compresses";

use Treatment::{Checked, Documented, Harmless, Replaced, Unused};

/// Every variable that the SDK reads.
pub const SDK_VARIABLES: [SdkVariable; 43] = [
    row("AWS_REGION", Documented),
    row("AWS_DEFAULT_REGION", Documented),
    row("AWS_ENDPOINT_URL", Documented),
    row("AWS_ENDPOINT_URL_CLOUDWATCH", Documented),
    row("AWS_ENDPOINT_URL_STS", Documented),
    row("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Documented),
    row("AWS_USE_FIPS_ENDPOINT", Documented),
    row("AWS_USE_DUALSTACK_ENDPOINT", Documented),
    row("SMITHY_CLIENT_SDK_CUSTOM_PARTITION", Checked(NOT_TAKEN)),
    // libcurl's.
    row("SSLKEYLOGFILE", Replaced("ESP does not write the keys of its connections to a file")),
    // Where credentials come from.
    row("AWS_ACCESS_KEY_ID", Checked(KEY)),
    row("AWS_SECRET_ACCESS_KEY", Checked(KEY)),
    row("SECRET_ACCESS_KEY", Checked(KEY)),
    row("AWS_SESSION_TOKEN", Checked(TOKEN)),
    row("AWS_ACCOUNT_ID", Harmless(ANY)),
    row("AWS_PROFILE", Checked(ANY)),
    row("AWS_CONFIG_FILE", Checked(ANY)),
    row("AWS_SHARED_CREDENTIALS_FILE", Checked(ANY)),
    row("AWS_LOGIN_CACHE_DIRECTORY", Checked(ANY)),
    row("AWS_WEB_IDENTITY_TOKEN_FILE", Checked(ANY)),
    row("AWS_ROLE_ARN", Checked(ANY)),
    row("AWS_ROLE_SESSION_NAME", Harmless(ANY)),
    row("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Checked(RELATIVE_URI)),
    row("AWS_CONTAINER_CREDENTIALS_FULL_URI", Checked(FULL_URI)),
    row("AWS_CONTAINER_AUTHORIZATION_TOKEN", Checked(HEADER)),
    row("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Checked(ANY)),
    row("AWS_EC2_METADATA_DISABLED", Harmless(SWITCH)),
    row("AWS_EC2_METADATA_SERVICE_ENDPOINT", Checked(ENDPOINT_URL)),
    row("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", Harmless(IP_VERSION)),
    // What goes into the header User-Agent. ECS sets the first.
    row("AWS_EXECUTION_ENV", Harmless(PRINTABLE)),
    row("AWS_SDK_UA_APP_ID", Harmless(APP_ID)),
    // What ESP decides itself.
    row("AWS_RETRY_MODE", Replaced(RETRIES)),
    row("AWS_MAX_ATTEMPTS", Replaced(RETRIES)),
    row("AWS_NEW_RETRIES_2026", Replaced(RETRIES)),
    row("AWS_DISABLE_REQUEST_COMPRESSION", Replaced(COMPRESSION)),
    row("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", Replaced(COMPRESSION)),
    row("AWS_DISABLE_CLOCK_SKEW_CORRECTION", Replaced("ESP corrects the clock itself")),
    // For other services, and for Lambda.
    row("AWS_REQUEST_CHECKSUM_CALCULATION", Unused),
    row("AWS_RESPONSE_CHECKSUM_VALIDATION", Unused),
    row("AWS_ACCOUNT_ID_ENDPOINT_MODE", Unused),
    row("AWS_LAMBDA_FUNCTION_NAME", Unused),
    row("AWS_AUTH_SCHEME_PREFERENCE", Unused),
    row("AWS_SIGV4A_SIGNING_REGION_SET", Unused),
];

impl SdkVariable {
    /// As a row of the table of variables, if a wrong value is an error.
    #[must_use]
    pub fn checked(self) -> Option<Variable> {
        match self.treatment {
            Treatment::Checked(kind) => Some(self.variable(kind)),
            _ => None,
        }
    }

    fn variable(self, kind: Kind) -> Variable {
        Variable {
            name: self.name,
            flag: None,
            placeholder: "VALUE",
            default: Default::From("the SDK's own"),
            kind,
            example: "",
            help: "",
        }
    }
}

/// Checks what the SDK will read. An empty value counts as not set.
pub(super) fn check(reader: &mut Reader<'_, impl Lookup + ?Sized>) {
    for row in SDK_VARIABLES {
        match row.treatment {
            Treatment::Checked(kind) => {
                // The SDK reads the value itself; an error is noted.
                let _ = reader.named(&row.variable(kind));
            }
            Treatment::Harmless(kind) => {
                let variable = row.variable(kind);
                let given = reader.given(&variable).filter(|given| !kind.accepts(&given.text));
                if let Some(given) = given {
                    warn(reader, &variable, &given, &format!("expected {}", kind.expected()));
                }
            }
            Treatment::Replaced(reason) => {
                let variable = row.variable(ANY);
                if let Some(given) = reader.given(&variable) {
                    warn(reader, &variable, &given, reason);
                }
            }
            Treatment::Documented | Treatment::Unused => {}
        }
    }
}

fn warn(
    reader: &mut Reader<'_, impl Lookup + ?Sized>,
    variable: &Variable,
    given: &Given,
    reason: &str,
) {
    let (name, text) = (&given.name, variable.shown(&given.text));
    reader.warn(SettingsWarning::new(
        format!("{name}={text:?} is ignored: {reason}"),
        format!("leave {name} out"),
    ));
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{super::variable::FOREIGN, *};
    use crate::settings::{Settings, SettingsErrors};

    fn read(name: &str, text: &str) -> Result<Settings, SettingsErrors> {
        let required = [
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
        ];
        Settings::read(&[&[(name, text)][..], &required].concat()[..])
    }

    #[test]
    fn documented_variables_are_in_the_documentation() {
        for row in SDK_VARIABLES {
            let is_documented = FOREIGN.iter().any(|variable| variable.name == row.name);
            assert_eq!(matches!(row.treatment, Documented), is_documented, "{}", row.name);
            assert_eq!(SDK_VARIABLES.iter().filter(|it| it.name == row.name).count(), 1);
        }
    }

    #[test]
    fn empty_value_of_every_variable_counts_as_not_set() {
        for row in SDK_VARIABLES {
            let settings = read(row.name, "").unwrap();
            assert!(settings.warnings.is_empty(), "{}: {:?}", row.name, settings.warnings);
        }
    }

    #[test]
    fn garbage_is_an_error_or_a_warning_that_names_the_variable() {
        // A file's bytes that are not Unicode, as the environment gives them.
        let garbage = "\u{fffd} ü\n";
        for row in SDK_VARIABLES {
            match (row.treatment, read(row.name, garbage)) {
                (Documented | Checked(_), Err(errors)) => {
                    let line = errors.to_string();
                    assert!(line.starts_with(&format!("{}=", row.name)), "{line}");
                    assert_eq!(line.lines().count(), 1, "{line}");
                }
                (Harmless(_) | Replaced(_), Ok(settings)) => {
                    let what = &settings.warnings[0].what;
                    assert!(what.starts_with(&format!("{}=", row.name)), "{what}");
                    assert!(what.contains(" is ignored: ") && !what.contains('\n'), "{what}");
                }
                (Unused, Ok(settings)) => assert!(settings.warnings.is_empty(), "{}", row.name),
                (_, read) => panic!("{}: {read:?}", row.name),
            }
        }
    }

    #[test]
    fn legal_values_of_the_sdk_and_of_other_tools_have_their_treatment() {
        for (name, text, is_ok, warns) in [
            ("AWS_RETRY_MODE", "legacy", true, true),
            ("AWS_RETRY_MODE", "standard", true, true),
            ("AWS_MAX_ATTEMPTS", "0", true, true),
            ("AWS_MAX_ATTEMPTS", "3", true, true),
            ("AWS_SDK_UA_APP_ID", "shop-web", true, false),
            ("AWS_SDK_UA_APP_ID", "shop web", true, true),
            ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE", true, false),
            ("AWS_EXECUTION_ENV", "Fargate ü", true, true),
            ("AWS_EXECUTION_ENV", &"x".repeat(300), true, true),
            ("AWS_ACCESS_KEY_ID", &"x".repeat(1025), false, false),
            ("AWS_SESSION_TOKEN", &"x".repeat(16385), false, false),
            ("AWS_SESSION_TOKEN", &"x".repeat(16384), true, false),
            ("AWS_SESSION_TOKEN", "abc=\n", true, false),
            ("AWS_SESSION_TOKEN", "abc\u{e9}", false, false),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", true, false),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n", false, false),
            ("AWS_SECRET_ACCESS_KEY", "a/b+c=", true, false),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/0af3", true, false),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "v2/credentials", false, false),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x?y=z", true, false),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "127.0.0.1:9", false, false),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc=", true, false),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "abc\r\nX: y", false, false),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6", true, false),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "6", true, true),
            ("AWS_EC2_METADATA_DISABLED", "legacy", true, true),
            ("AWS_ENDPOINT_URL_STS", "sts.internal", false, false),
            ("AWS_DISABLE_REQUEST_COMPRESSION", "true", true, true),
        ] {
            match read(name, text) {
                Ok(settings) => {
                    assert!(is_ok, "{name}={text}");
                    assert_eq!(!settings.warnings.is_empty(), warns, "{name}={text}");
                }
                Err(errors) => assert!(!is_ok, "{errors}"),
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        ] {
            let line = read(name, "hunter2 \u{e9}").unwrap_err().to_string();
            assert!(line.starts_with(&format!("{name}=\"***\" is not valid: ")), "{line}");
        }
    }

    #[test]
    fn without_requests_the_sdk_reads_nothing() {
        let lines = [
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
            ("OUTPUT", "emf"),
            ("AWS_SESSION_TOKEN", "\u{e9}"),
            ("AWS_RETRY_MODE", "legacy"),
        ];
        assert!(Settings::read(&lines[..]).unwrap().warnings.is_empty());
    }
}
