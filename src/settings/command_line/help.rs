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
        "ESP, the ECS Stats Plotter, is a sidecar for Amazon ECS. It publishes metrics of the \
         containers of its task to CloudWatch, such as CPUUtilization, with a resolution of one \
         second, so that a 10-second alarm can scale the service.",
    );
    text += "\nUsage:\n";
    for (command, what) in [
        ("esp [FLAGS]", "run the sidecar until SIGTERM"),
        ("esp check [FLAGS]", "check the setup, print a report and exit"),
        ("esp check --offline [FLAGS]", "check only the configuration, e.g. in CI"),
        ("esp check --source [FLAGS]", "report what ESP can read from the kernel"),
        ("esp health", "ask the running sidecar for its health"),
        ("esp top", "show the containers of the task live"),
    ] {
        let _ = writeln!(text, "  {command:<28} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "For more, run esp check --help, esp health --help or esp top --help. This is how a task \
         definition sets variables:",
    );
    text += "\n  \"environment\": [{\"name\": \"CONTAINER_NAME\", \"value\": \"web\"},\n";
    text += "                  {\"name\": \"NAMESPACE\", \"value\": \"Shop\"}]\n\nVariables:\n";
    text += &fill(
        2,
        "Each variable is also a flag. The flag overrides the variable. An empty value counts as \
         not set.",
    );
    for variable in variable::OWN {
        add(&mut text, variable);
    }
    text += "\nESP also reads these variables, which have no flag:\n";
    for variable in variable::FOREIGN {
        add(&mut text, variable);
    }
    text += "\n";
    text += &fill(
        2,
        "ESP finds credentials as the AWS SDKs do: in the environment, a profile, a web identity, \
         the task role's endpoint or instance metadata.",
    );
    text +=
        "\nOther flags:\n  -h, --help     print this text\n  -V, --version  print the version\n";
    add_exit_codes(&mut text, &exit::OF_SIDECAR);
    let (code, meaning) = exit::AFTER_SECOND_SIGNAL;
    let _ = writeln!(text, "  {code}  {meaning}");
    text
}

/// `esp check --help`.
pub(super) fn check() -> String {
    let mut text = fill(
        0,
        "Checks the setup and prints a report: the endpoint, the task, its containers, the Region, \
         the dimensions, a real value of each metric and what 100 % of it is, and where the \
         credentials come from. The report says what to do about each problem. The check waits for \
         two new samples of each container, which takes two seconds on EC2 and up to 22 s on \
         Fargate. It takes at most 90 s.",
    );
    text += "\nUsage: esp check [--publish | --offline | --source] [--json] [FLAGS]\n\n";
    for (flag, what) in [
        ("--publish", "also send one sample of one metric to CloudWatch"),
        ("--offline", "check only the configuration; open no connection and no file"),
        ("--source", "report what ESP can read from the kernel; takes no value"),
        ("--json", "print one JSON document at the end, instead of the text"),
    ] {
        let _ = writeln!(text, "  {flag:<10} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "The check has the same variables and flags as the sidecar: see esp --help. To check a task \
         definition, run the task once with this override. The report is in the log of the \
         sidecar's container:",
    );
    text += "\n  \"containerOverrides\": [{\"name\": \"esp\", \"command\": [\"check\", \"--publish\"]}]\n\n";
    text += &fill(
        0,
        "With --offline, the check runs anywhere, for example in CI with the variables of a task \
         definition. It does not need ECS_CONTAINER_METADATA_URI_V4. Its exit code is 0 or 64.",
    );
    text += "\n";
    text += &fill(
        0,
        "--source without a value makes a report to paste into an issue: the kernel, cgroups, \
         processes and interfaces, and what the endpoint reports at the same time, over two new \
         samples. The report shortens ids, numbers the containers, and shows nothing of the \
         environment. It needs no credentials and does not connect to CloudWatch. (With a value, \
         as in --source auto, the flag sets the variable SOURCE.)",
    );
    add_exit_codes(&mut text, &exit::OF_CHECK);
    text
}

/// `esp health --help`.
pub(super) fn health() -> String {
    let mut text = fill(
        0,
        "Asks the sidecar in this container for its health, and prints the answer in one line. It \
         is for the health check in the task definition:",
    );
    text += "\n  \"healthCheck\": {\"command\": [\"CMD\", \"/esp\", \"health\"]}\n\n";
    text += &fill(
        0,
        "Healthy means that the endpoint answered within the last 3 x SAMPLE_INTERVAL + 60 s. The \
         start counts as an answer. With HEALTH_REQUIRES_PUBLISH=on, it also means that CloudWatch \
         accepted a request within HEALTH_MAX_AGE. The sidecar reads these variables. This command \
         reads only ECS_CONTAINER_METADATA_URI_V4, to find the sidecar of its task. It waits at \
         most one second.",
    );
    text += "\nUsage: esp health\n";
    add_exit_codes(&mut text, &exit::OF_HEALTH);
    text
}

/// `esp top --help`.
pub(super) fn top() -> String {
    let mut text = fill(
        0,
        "Shows the containers of the task live: CPU, memory and network, how old the values are, \
         their source (the task metadata endpoint or the kernel), and a plot of the last minutes. It \
         takes its own measurements, with the same code as the sidecar. It does not ask the running \
         sidecar, publishes nothing and needs no credentials. On a Docker host:",
    );
    text += "\n  docker exec -it CONTAINER /esp top\n\nUsage: esp top [--source SOURCE]\n\n";
    for (key, what) in
        [("q, Ctrl-C", "end"), ("p", "change the plot: CPU, memory, received or sent bytes")]
    {
        let _ = writeln!(text, "  {key:<10} {what}");
    }
    text += "\n";
    text += &fill(
        0,
        "If stdout is not a terminal, or if TERM is dumb or not set, it prints lines. The first \
         line has the names of the columns. After that, it prints a line for the task and one for \
         each container every second. - means that there is no value.",
    );
    text += "\n";
    text += &fill(
        0,
        "It reads ECS_CONTAINER_METADATA_URI_V4 and SOURCE (auto, endpoint or kernel), which is \
         also a flag. It shows all containers except those that AWS adds to the task.",
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
