//! Names that no name server knows. What takes a name server of a test's own is in
//! `tests/needs/names.rs`.

use std::{fs, path::Path};

use crate::program::{
    Esp,
    run::{healthy, without_connection},
    wait_for_polls,
};

#[test]
fn an_unknown_name_is_said_and_delays_neither_sampling_nor_the_end() {
    without_connection("https://monitoring.invalid");
}

#[test]
fn name_that_a_misspelt_region_makes_is_shown() {
    let metadata = healthy();
    let variables = [("AWS_REGION", "eu-wset-1"), ("SHUTDOWN_GRACE", "0s")];
    let mut command = Esp::between(&metadata, "", &variables);
    command.env_remove("AWS_ENDPOINT_URL");
    let esp = Esp::run(&mut command);
    wait_for_polls(&metadata, 14);
    let (_, log) = esp.stop("TERM");
    let error = log.expect("publishing to CloudWatch fails")["error"].as_str().unwrap();
    let address = "https://monitoring.eu-wset-1.amazonaws.com (Region eu-wset-1 from AWS_REGION): cannot \
                   look up the name monitoring.eu-wset-1.amazonaws.com: ";
    assert!(error.starts_with(address), "{error}");
    assert!(
        error.contains("; check that eu-wset-1, which is from AWS_REGION, is the name of a Region"),
        "{error}"
    );
}

#[test]
fn check_tells_a_misspelt_region_by_what_named_it() {
    let role = "[default]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\n\
                [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = secret-base\n";
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-names-role");
    fs::write(&profile, role).unwrap();
    let region = ("REGION", "xx-nowhere-9");
    let of_role = ("AWS_CONFIG_FILE", profile.to_str().unwrap());
    let no_keys = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    for (variables, said) in [
        (
            vec![region],
            "https://monitoring.xx-nowhere-9.amazonaws.com (Region xx-nowhere-9 from REGION): ",
        ),
        (
            [&[region, of_role], &no_keys[..]].concat(),
            "https://sts.xx-nowhere-9.amazonaws.com/ (Region xx-nowhere-9 from REGION): ",
        ),
    ] {
        let metadata = healthy();
        let mut command = Esp::between(&metadata, "", &variables);
        command.env_remove("AWS_ENDPOINT_URL").args(["check", "--publish"]);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(matches!(output.status.code(), Some(69 | 75)), "{text}");
        assert!(text.contains(said) && text.contains("cannot look up the name"), "{text}");
        assert!(
            text.contains("the name of a Region") || text.contains("STS in the Region"),
            "{text}"
        );
    }
}
