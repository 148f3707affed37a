//! What `--help` says: of the program with every variable out of the table, and
//! of each subcommand. Text only; nothing is parsed or printed here.

use std::fmt::Write as _;

use crate::settings::{Variable, exit, variable};

/// Columns.
const WIDTH: usize = 80;

/// `esp --help`.
pub(super) fn program() -> String {
    let mut text = fill(
        0,
        "ESP, the ECS Stats Plotter: publishes the CPUUtilization of containers of its ECS \
         task, and the other metrics in METRICS, to CloudWatch as high-resolution metrics, so \
         that a 10-second alarm can scale the service.",
    );
    text += "\nUsage:\n";
    for (command, what) in [
        ("esp [FLAGS]", "run the sidecar until SIGTERM"),
        ("esp check [FLAGS]", "check the setup, print a report and exit"),
        ("esp check --offline [FLAGS]", "check the configuration alone, e.g. in CI"),
        ("esp check --source [FLAGS]", "what can be read from the kernel here"),
        ("esp health", "ask a running sidecar for its health"),
        ("esp top", "show the containers of the task live"),
    ] {
        let _ = writeln!(text, "  {command:<28} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "esp check --help, esp health --help and esp top --help say more. In a task definition the \
         variables are set like this:",
    );
    text += "\n  \"environment\": [{\"name\": \"CONTAINER_NAME\", \"value\": \"web\"},\n";
    text += "                  {\"name\": \"NAMESPACE\", \"value\": \"Shop\"}]\n\nVariables:\n";
    text += &fill(
        2,
        "Each is also a flag. The flag overrides the variable. An empty value counts as not set.",
    );
    for variable in variable::OWN {
        add(&mut text, variable);
    }
    text += "\nAlso read:\n";
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
    add_exit_codes(&mut text, &exit::OF_SIDECAR);
    let (code, meaning) = exit::AFTER_SECOND_SIGNAL;
    let _ = writeln!(text, "  {code}  {meaning}");
    text
}

/// `esp check --help`.
pub(super) fn check() -> String {
    let mut text = fill(
        0,
        "Says what the sidecar sees and would do with this configuration: the endpoint, the task, \
         its containers, the Region and the dimensions, a real value of each metric and what its \
         100 % is, and where the credentials come from. Each problem comes with what to do about \
         it. The check waits for two new samples of each container, as long as the cadence that it \
         sees needs: two seconds on EC2, up to 22 s on Fargate. It takes at most 90 s.",
    );
    text += "\nUsage: esp check [--publish | --offline | --source] [--json] [FLAGS]\n\n";
    for (flag, what) in [
        ("--publish", "also send one sample of one metric to CloudWatch, in the namespace"),
        ("--offline", "check the configuration alone; nobody is asked, no file is opened"),
        ("--source", "what of the kernel can be read here, for an issue; without a value"),
        ("--json", "one JSON document in place of the text, at the end"),
    ] {
        let _ = writeln!(text, "  {flag:<10} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "The variables and flags are the sidecar's: see esp --help. To check a task definition, run \
         the task once with this command override; the report is in the sidecar's log:",
    );
    text += "\n  \"containerOverrides\": [{\"name\": \"esp\", \"command\": [\"check\", \"--publish\"]}]\n\n";
    text += &fill(
        0,
        "With --offline it runs anywhere, for example in CI with the variables of a task \
         definition: ECS_CONTAINER_METADATA_URI_V4 need not be set, and the exit code is 0 or 64.",
    );
    text += "\n";
    text += &fill(
        0,
        "--source without a value is a probe to be pasted into an issue: kernel, cgroups, processes, \
         interfaces, and what the endpoint says beside them over two renewals. Ids are shortened, \
         containers have numbers, and nothing of the environment is shown. (--source auto is the \
         variable SOURCE.) It asks neither for credentials nor CloudWatch.",
    );
    add_exit_codes(&mut text, &exit::OF_CHECK);
    text
}

/// `esp health --help`.
pub(super) fn health() -> String {
    let mut text = fill(
        0,
        "Asks the sidecar that runs in this container for its health, and prints its answer, one \
         line. For the task definition's health check, in an image without a shell:",
    );
    text += "\n  \"healthCheck\": {\"command\": [\"CMD\", \"/esp\", \"health\"]}\n\n";
    text += &fill(
        0,
        "Healthy means that the endpoint answered within the last 3 x SAMPLE_INTERVAL + 60 s; the \
         start counts as an answer. With HEALTH_REQUIRES_PUBLISH=on it also means that CloudWatch \
         accepted a request within HEALTH_MAX_AGE. The sidecar reads those variables; this command \
         reads ECS_CONTAINER_METADATA_URI_V4 alone, by which it finds the sidecar of its task. It \
         waits at most one second.",
    );
    text += "\nUsage: esp health\n";
    add_exit_codes(&mut text, &exit::OF_HEALTH);
    text
}

/// `esp top --help`.
pub(super) fn top() -> String {
    let mut text = fill(
        0,
        "Shows the containers of the task each second: CPU, memory, network, how old the values \
         are, and whether they are from the task metadata endpoint or from the kernel; and a plot of \
         the last minutes. It measures by itself, with the sidecar's own code. It asks no running \
         sidecar, publishes nothing and needs no credentials. On a Docker host:",
    );
    text += "\n  docker exec -it CONTAINER /esp top\n\nUsage: esp top [--source SOURCE]\n\n";
    for (key, what) in [("q, Ctrl-C", "end"), ("p", "plot CPU, memory, received or sent bytes")] {
        let _ = writeln!(text, "  {key:<10} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "If stdout is not a terminal, or TERM is dumb or not set, it prints lines: first the names \
         of the columns, and then each second a line for the task and one for each container. A \
         value that is not known is -.",
    );
    text += "\n";
    text += &fill(
        0,
        "It reads ECS_CONTAINER_METADATA_URI_V4 and SOURCE, which is also a flag: auto, endpoint or \
         kernel. All containers are shown but those that AWS adds to the task.",
    );
    add_exit_codes(&mut text, &exit::OF_TOP);
    text
}

fn add_exit_codes(text: &mut String, codes: &[exit::Meaning]) {
    *text += "\nExit codes:\n";
    for (code, meaning) in codes {
        let _ = writeln!(text, "  {code:<3} {meaning}");
    }
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
        for line in [program(), check(), health(), top()].iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
