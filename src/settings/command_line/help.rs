//! What `--help` says: of the program with every variable out of the table, and
//! of each subcommand. Text only; nothing is parsed or printed here.

use std::fmt::Write as _;

use crate::settings::{Variable, variable};

/// Columns.
const WIDTH: usize = 80;

/// `esp --help`.
pub(super) fn program() -> String {
    let mut text = fill(
        0,
        "ESP, the ECS Stats Plotter: reads the stats of the containers of its ECS task each second \
         and publishes their CPUUtilization, and what else METRICS names, to CloudWatch as \
         high-resolution metrics, so that an alarm can scale the service within seconds.",
    );
    text += "\nUsage:\n";
    for (command, what) in [
        ("esp [FLAGS]", "runs the sidecar, until SIGTERM"),
        ("esp check [--publish] [--json] [FLAGS]", "says what it would do, and ends"),
        ("esp health", "asks it whether it is well"),
    ] {
        let _ = writeln!(text, "  {command:<39} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "esp check --help and esp health --help say more. In a task definition the variables are \
         set like this:",
    );
    text += "\n  \"environment\": [{\"name\": \"CONTAINER_NAME\", \"value\": \"web\"},\n";
    text += "                  {\"name\": \"NAMESPACE\", \"value\": \"Shop\"}]\n\nVariables:\n";
    text +=
        &fill(2, "Each is also a flag, which goes before it. An empty value counts as not given.");
    for variable in variable::OWN {
        add(&mut text, variable);
    }
    text += "\nRead besides:\n";
    for variable in variable::FOREIGN {
        add(&mut text, variable);
    }
    text += "\n";
    text += &fill(
        2,
        "And what the AWS SDKs read for credentials: environment, profile, web identity, the task \
         role's endpoint, instance metadata.",
    );
    text += "\nOther flags:\n  -h, --help     this text\n  -V, --version  the version\n";
    text += "\nExit codes:\n";
    for (code, what) in [
        ("0", "the sidecar after SIGTERM; a check that is ready; good health"),
        ("1", "esp health: not healthy, or nobody answers"),
        ("64", "a configuration that cannot work"),
        ("69, 75, 77", "esp check only; see its own help"),
        ("70", "a fault of esp's own: the last line names the task and the place"),
        ("71", "the system refuses a signal handler"),
        ("128 + n", "a second signal, of number n, which did not wait"),
    ] {
        let _ = writeln!(text, "  {code:<11} {what}");
    }
    text
}

/// `esp check --help`.
pub(super) fn check() -> String {
    let mut text = fill(
        0,
        "Says what the sidecar sees and would do with this configuration: the endpoint, the task, \
         its containers, the Region and the dimensions, a real value of each metric and what its \
         100 % is, and whose credentials it has. What does not work comes with what to do about \
         it. It waits for two new samples of each container, as long as the cadence that it sees \
         needs: two seconds on EC2, up to 22 s on Fargate. It takes at most 90 s.",
    );
    text += "\nUsage: esp check [--publish] [--json] [FLAGS]\n\n";
    for (flag, what) in [
        ("--publish", "also send one sample of one metric to CloudWatch, in the namespace"),
        ("--json", "one JSON document in place of the text, at the end"),
    ] {
        let _ = writeln!(text, "  {flag:<10} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "The variables and flags are the sidecar's: see esp --help. To check a task definition, run \
         it once with another command for the sidecar's container, whose log then has what is \
         said:",
    );
    text += "\n  \"containerOverrides\": [{\"name\": \"esp\", \"command\": [\"check\", \"--publish\"]}]\n";
    text += "\nExit codes:\n";
    for (code, what) in [
        ("0", "ready"),
        ("64", "the configuration cannot work"),
        ("69", "the metadata endpoint, or with --publish CloudWatch, cannot be reached"),
        ("75", "temporary, try again: no sample yet, throttled, a server's error"),
        ("77", "no credentials, or the permission is refused"),
    ] {
        let _ = writeln!(text, "  {code:<3} {what}");
    }
    text
}

/// `esp health --help`.
pub(super) fn health() -> String {
    let mut text = fill(
        0,
        "Asks the sidecar that runs in this task whether it is well, and prints its one line. For \
         the task definition's health check, in an image without a shell:",
    );
    text += "\n  \"healthCheck\": {\"command\": [\"CMD\", \"/esp\", \"health\"]}\n\n";
    text += &fill(
        0,
        "Healthy means that the endpoint has answered within the last three times SAMPLE_INTERVAL \
         and 60 s, the start counting as an answer; with HEALTH_REQUIRES_PUBLISH=on also that \
         CloudWatch has accepted a request within HEALTH_MAX_AGE. Those variables are read by the \
         sidecar; this command reads ECS_CONTAINER_METADATA_URI_V4 alone, by which it finds the \
         sidecar of its task. It waits for a second at the most.",
    );
    text += "\nUsage: esp health\n\nExit codes:\n";
    text += "  0   healthy\n  1   not healthy, or nobody answers\n";
    text += "  64  ECS_CONTAINER_METADATA_URI_V4 is missing or no URI\n";
    text
}

fn add(text: &mut String, variable: &Variable) {
    let flag = variable.flag.map(|flag| format!("  --{flag}")).unwrap_or_default();
    let _ = writeln!(text, "\n  {}{flag} {}", variable.name, variable.placeholder);
    *text += &fill(6, &variable.help());
    *text += &fill(6, &format!("Default: {}.", variable.default.words("")));
    *text += &fill(6, &format!("Value: {}.", variable.kind.expected()));
    *text += &fill(6, &format!("Example: {}={}", variable.name, variable.example));
}

/// `text` in lines of at most [`WIDTH`] columns, where its words allow that.
fn fill(indent: usize, text: &str) -> String {
    let mut filled = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(filled, "{:indent$}{line}", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    let _ = writeln!(filled, "{:indent$}{line}", "");
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_its_default_values_and_example() {
        let words = program().split_whitespace().collect::<Vec<_>>().join(" ");
        for variable in variable::OWN.into_iter().chain(variable::FOREIGN) {
            let flag = variable.flag.map(|flag| format!(" --{flag}")).unwrap_or_default();
            let (name, example) = (variable.name, variable.example);
            let row = format!(
                " {name}{flag} {} {} Default: {}. Value: {}. Example: {name}={example}",
                variable.placeholder,
                variable.help(),
                variable.default.words(""),
                variable.kind.expected(),
            );
            assert!(words.contains(&row), "{row}");
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        for line in [program(), check(), health()].iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
