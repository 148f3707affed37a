//! What an operator can do about a request that was not accepted. The log and
//! `esp check` both say it.

use super::{cause::Cause, clock::CLOCK_SKEW_SECONDS, subject::Subject};
use crate::publisher::Outcome;

/// For a request that the SDK cannot make, though there are credentials.
pub(super) const REQUEST_NOT_MADE: &str = "check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_CLOUDWATCH, \
    AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT and the Region";

/// For credentials that are not available.
pub(super) const fn cause_advice(cause: Cause) -> &'static str {
    match cause {
        Cause::NoSource => {
            "give the task definition a task role (taskRoleArn); ESP does not use the execution \
             role"
        }
        Cause::Misconfigured => {
            "correct the AWS variables and files that the error names, or remove them, so that ESP \
             uses the task role"
        }
        Cause::RoleRefused => {
            "allow sts:AssumeRole in the trust policy of the assumed role, and in the policy of \
             the role that assumes it"
        }
        Cause::KeyExpired => {
            "renew the key or the token with which ESP requests the role: that of source_profile \
             or of credential_source in the profile, or the file in AWS_WEB_IDENTITY_TOKEN_FILE"
        }
        Cause::KeyRefused => {
            "correct the key or the token with which ESP requests the role: that of source_profile \
             or of credential_source in the profile, or the file in AWS_WEB_IDENTITY_TOKEN_FILE; \
             also check the host's clock"
        }
        Cause::RoleInvalid => {
            "correct role_arn and role_session_name in the profile, or AWS_ROLE_ARN and \
             AWS_ROLE_SESSION_NAME, as the error says"
        }
        Cause::NotIssued => {
            "check that the task role exists and that its trust policy allows \
                 ecs-tasks.amazonaws.com, then start a new task; if \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI is set by hand, check it and its token"
        }
        Cause::Throttled => {
            "the source limits requests; try again, and check what else in the task sends it many \
             requests"
        }
        Cause::ServerError => {
            "try again; if the error remains, see the log of the source, such as the ECS agent's"
        }
        Cause::Unusable => {
            "check that AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_ENDPOINT_URL_STS, if one is \
                 set, points to a source of credentials"
        }
        Cause::Unreachable => {
            "check the address, and the variable that names it: \
             AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_STS; to \
             assume a role, ESP must reach STS in the Region"
        }
        Cause::NoAnswer => "try again; if the error remains, check that ESP can reach the source",
        Cause::Other => "correct what the error names",
    }
}

/// For a request that ended with `outcome`. Empty if there is nothing to do.
pub(super) fn advice(outcome: Outcome, subject: &Subject<'_>) -> String {
    let Subject { variable, region, namespace, .. } = subject;
    match (outcome, variable) {
        (Outcome::Accepted, _) => String::new(),
        (Outcome::Denied, _) => format!(
            "allow the task role cloudwatch:PutMetricData in {region}; if the policy has a \
             condition on cloudwatch:namespace, it must name {namespace}"
        ),
        (Outcome::Credentials, _) => {
            "ESP fetches credentials again; if that does not help, check where they come from and \
             whether they are still valid"
                .to_owned()
        }
        (Outcome::Invalid, _) => {
            "correct NAMESPACE, DIMENSIONS or the value that the answer names".to_owned()
        }
        (Outcome::Throttled, _) => "ESP retries".to_owned(),
        (Outcome::ClockSkew, _) => "set the host's clock".to_owned(),
        (Outcome::Unreachable, Some(variable)) => format!(
            "check {variable}, which has the address, and whether the subnet can reach it; also \
             check HTTPS_PROXY if it is set"
        ),
        (_, Some(variable)) => {
            format!("ESP retries; if the error remains, check {variable}, which has the address")
        }
        (Outcome::Unreachable, None) => format!(
            "give the subnet a NAT gateway, or the interface endpoint \
             com.amazonaws.{region}.monitoring with private DNS; also check HTTPS_PROXY if it is set"
        ),
        (Outcome::ServerError | Outcome::ConnectionLost | Outcome::NoAnswer, None) => {
            "ESP retries; if the error remains, see AWS's health dashboard".to_owned()
        }
    }
}

/// For an address whose name cannot be looked up.
pub(super) fn name_advice(subject: &Subject<'_>) -> String {
    let Subject { variable, region, region_from, .. } = subject;
    let servers = "check that the name servers of the subnet can be reached";
    match variable {
        Some(variable) => {
            format!("check {variable}, which has the address; if it is right, {servers}")
        }
        None => format!(
            "check that {region}, which is from {region_from}, is the name of a Region; if it is, \
             {servers}"
        ),
    }
}

/// For a certificate that is not trusted.
pub(super) fn trust_advice(subject: &Subject<'_>) -> String {
    let whose = match subject.variable {
        Some(variable) => format!("check {variable}, which has the address, and"),
        None => "if a proxy or a firewall replaces certificates,".to_owned(),
    };
    format!("{whose} put the path of its CA file into AWS_CA_BUNDLE; also check the host's clock")
}

/// For a signature that was refused because of the host's clock.
pub(super) fn clock_advice(ahead_seconds: i64) -> String {
    if ahead_seconds.abs() < CLOCK_SKEW_SECONDS {
        return "the host's clock is right again; ESP signs with it from now on".to_owned();
    }
    let side = if ahead_seconds < 0 { "behind" } else { "ahead" };
    let off = ahead_seconds.unsigned_abs();
    format!(
        "set the host's clock, which is {off} s {side}: ESP signs with CloudWatch's time, but \
         samples have the host's time"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::OUTCOMES;

    #[test]
    fn each_failure_has_an_advice_and_a_custom_address_is_not_amazons() {
        let subject = |variable| Subject {
            address: "https://monitoring.internal".to_owned(),
            variable,
            region: "eu-west-1",
            region_from: "AWS_REGION",
            namespace: "Shop",
        };
        for (variable, named) in
            [(None, "eu-west-1, which is from AWS_REGION"), (Some("X"), "check X,")]
        {
            let said = name_advice(&subject(variable));
            assert!(said.contains(named) && said.contains("name servers"), "{said}");
        }
        for outcome in OUTCOMES {
            let [own, custom] = [None, Some("AWS_ENDPOINT_URL")]
                .map(|variable| advice(outcome, &subject(variable)));
            assert_eq!(own.is_empty(), outcome == Outcome::Accepted, "{outcome:?}");
            for wrong in ["dashboard", "NAT gateway"] {
                assert!(!custom.contains(wrong), "{outcome:?}: {custom}");
            }
        }
    }

    #[test]
    fn the_clock_is_off_or_right_again() {
        assert!(clock_advice(-7200).contains("7200 s behind"));
        assert!(clock_advice(7200).contains("7200 s ahead"));
        assert!(clock_advice(3).contains("right again"));
    }
}
