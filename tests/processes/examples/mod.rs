//! The files under `examples/` for a deployment fit the program: the names that `esp`
//! publishes, the variables that it reads, and a run with the environment of an
//! example. The JSON files are read here; `tests/templates` compares the templates
//! with them.

mod alarms;
mod files;
mod running;
mod tiers;

use esp::{
    endpoint::task::TaskDocument,
    sample::{dimension::ResolvedDimensions, metric::Metric},
    sampler::Selection,
    settings::variable,
};
use esp_endpoints::containers::{Shape, Task};
use serde_json::{Value, json};

use files::{Example, text};

pub(crate) use files::json as example;

/// The periods of an alarm that `PutMetricAlarm` takes.
fn is_alarm_period(seconds: u64) -> bool {
    [10, 20, 30].contains(&seconds) || (seconds > 0 && seconds.is_multiple_of(60))
}

/// The dimensions that `esp` uses with an example's environment, by its own code.
fn dimensions(example: &Example) -> Value {
    let settings = example.settings();
    let mut task = Task::new(example.shape, "shop", "web");
    if example.shape == Shape::Fargate {
        task.service_name = None;
    }
    let task = TaskDocument::parse(&mut task.document()).unwrap();
    let Selection::Named(names) = &settings.containers else { panic!("all containers") };
    let resolved = ResolvedDimensions::resolve(
        &settings.dimensions,
        &settings.overrides,
        &task,
        names,
        names.len() == 1,
    );
    assert!(resolved.missing().is_empty(), "{:?}", resolved.missing());
    let [set] = resolved.sets(Some(0)) else { panic!("{resolved}") };
    set.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}

#[test]
fn the_environment_is_of_variables_that_esp_reads_and_accepts() {
    for example in Example::all() {
        let settings = example.settings();
        assert_eq!(settings.containers, Selection::Named(vec!["web".into()]));
        for (name, _) in example.environment() {
            assert!(variable::OWN.iter().any(|own| own.name == name), "{name}");
        }
    }
}

#[test]
fn the_proof_sets_variables_that_esp_reads() {
    let template = text("examples/proof/proof.yaml");
    let (_, rest) = template.split_once("Image: !Ref EspImage").unwrap();
    let (containers, _) = rest.split_once("\n  Service:\n").unwrap();
    let names = containers.lines().filter_map(|line| line.trim().strip_prefix("- { Name: "));
    let names: Vec<_> = names.map(|rest| rest.split(',').next().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == "CONTAINER_NAME").count(), 3);
    for name in names {
        assert!(variable::OWN.iter().any(|own| own.name == name), "{name}");
    }
}

#[test]
fn the_container_has_no_rights_and_is_restarted() {
    for example in Example::all() {
        let esp = example.esp();
        assert_eq!(esp["essential"], false);
        let restart = &esp["restartPolicy"];
        assert_eq!(restart["enabled"], true);
        // ECS's own limits. A wrong configuration stays wrong.
        assert!((60..=1800).contains(&restart["restartAttemptPeriod"].as_u64().unwrap()));
        assert_eq!(restart["ignoredExitCodes"], json!([64]));
        assert_eq!(format!("{:?}", esp::settings::exit::usage()), format!("{:?}", exit_code(64)));

        assert_eq!(esp["dependsOn"], json!([{"containerName": "web", "condition": "START"}]));
        assert!(example.container("web")["essential"].as_bool().unwrap());
        // Without it, ESP's health might count as the task's.
        assert!(example.container("web")["healthCheck"].is_object());

        assert_eq!((&esp["cpu"], &esp["memory"]), (&json!(32), &json!(64)));
        assert_eq!(esp["readonlyRootFilesystem"], true);
        assert_eq!(esp["linuxParameters"], json!({"capabilities": {"drop": ["ALL"]}}));
        let dockerfile = text("Dockerfile");
        assert!(dockerfile.contains(&format!("USER {}\n", esp["user"].as_str().unwrap())));
        let program = esp["healthCheck"]["command"][1].as_str().unwrap();
        assert!(dockerfile.contains(&format!("ENTRYPOINT [\"{program}\"]")));
        assert_eq!(esp["healthCheck"]["command"], json!(["CMD", program, "health"]));
        // ECS's own limits again, in seconds, which no tool here knows.
        for (key, range) in [
            ("interval", 5..=300),
            ("timeout", 2..=120),
            ("retries", 1..=10),
            ("startPeriod", 0..=300),
        ] {
            assert!(range.contains(&esp["healthCheck"][key].as_u64().unwrap()), "{key}");
        }
        assert_eq!(esp["logConfiguration"]["options"]["mode"], "non-blocking");
    }
}

fn exit_code(code: u8) -> std::process::ExitCode {
    std::process::ExitCode::from(code)
}

#[test]
fn every_setting_of_the_container_has_its_reason_in_the_readme() {
    let readme = text("examples/README.md");
    for example in Example::all() {
        for key in example.esp().as_object().unwrap().keys() {
            let is_reasoned = readme.lines().any(|line| {
                line.starts_with('|')
                    && line.split('|').nth(1).unwrap_or("").contains(&format!("`{key}`"))
            });
            assert!(is_reasoned, "no row for `{key}`");
        }
    }
}

#[test]
fn the_readme_shows_the_container_as_it_is_in_the_example() {
    let readme = text("README.md");
    let block = readme.split("```json\n").find(|block| block.starts_with("{\n  \"name\": \"esp\""));
    let block = block.expect("the container's definition").split("```").next().unwrap();
    let shown: Value = serde_json::from_str(block).unwrap();
    let [fargate, _] = Example::all();
    assert_eq!(&shown, fargate.esp());
}

#[test]
fn the_commands_turn_on_the_circuit_breaker_as_the_stacks_do() {
    let readme = text("examples/README.md");
    let commands = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(commands.contains("aws ecs update-service --cluster shop --service web"));
    assert!(commands.contains("deploymentCircuitBreaker={enable=true,rollback=true}"));
}

#[test]
fn the_permission_is_for_one_action_in_one_namespace() {
    let policy = example("iam/publish.json");
    let namespace = Example::all()[0].settings().namespace;
    let statement = json!([{
        "Effect": "Allow",
        "Action": "cloudwatch:PutMetricData",
        "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": namespace}},
    }]);
    assert_eq!(policy["Statement"], statement);
    assert!(text("README.md").contains(&text("examples/iam/publish.json")), "the README shows it");
}

#[test]
fn the_role_is_for_tasks_of_one_account() {
    let trust = example("iam/trust.json");
    let [statement] = &trust["Statement"].as_array().unwrap()[..] else { panic!("{trust}") };
    assert_eq!(statement["Effect"], "Allow");
    assert_eq!(statement["Action"], "sts:AssumeRole");
    let principal = serde_json::json!({ "Service": "ecs-tasks.amazonaws.com" });
    assert_eq!(statement["Principal"], principal);
    let account = &statement["Condition"]["StringEquals"]["aws:SourceAccount"];
    assert!(account.as_str().is_some_and(|account| account.len() == 12), "{account}");
    for template in ["terraform/service/main.tf", "cloudformation/service.yaml"] {
        assert!(text(&format!("examples/{template}")).contains("ecs-tasks.amazonaws.com"));
    }
}

#[test]
fn the_alarms_watch_what_esp_publishes() {
    for each in Example::all() {
        let settings = each.settings();
        for alarm in ["alarm-out", "alarm-in"].map(|name| example(&format!("scaling/{name}.json")))
        {
            assert_eq!(alarm["Namespace"], settings.namespace);
            let metric = Metric::by_name(alarm["MetricName"].as_str().unwrap()).unwrap();
            assert!(settings.metrics.iter().any(|published| published == metric));
            // Percent, as the thresholds are. Without `Unit` every datum counts.
            assert_eq!((metric.unit(), &alarm["Unit"]), ("Percent", &Value::Null));
            assert_eq!(alarm["Dimensions"], dimensions(&each));
            let number = |key: &str| alarm[key].as_u64().unwrap();
            assert!(is_alarm_period(number("Period")));
            assert!(number("DatapointsToAlarm") <= number("EvaluationPeriods"));
            assert!(number("Period") * number("EvaluationPeriods") <= 86_400);
        }
    }
}

#[test]
fn silence_scales_neither_out_nor_in() {
    let (out, back) = (example("scaling/alarm-out.json"), example("scaling/alarm-in.json"));
    assert_eq!(out["TreatMissingData"], "notBreaching");
    // Not "ignore" either: an alarm that is on when ESP falls silent would stay
    // on, and go on removing tasks.
    assert_eq!(back["TreatMissingData"], "missing");
    // One task of two that takes over the other's load is not beyond the other.
    let threshold = |alarm: &Value| alarm["Threshold"].as_f64().unwrap();
    assert!(threshold(&back) < threshold(&out) / 2.0);
}

#[test]
fn the_policies_change_the_service_with_cooldowns_of_their_own() {
    let target = example("scaling/target.json");
    for (name, sign) in [("policy-out", 1), ("policy-in", -1)] {
        let policy = example(&format!("scaling/{name}.json"));
        for key in ["ServiceNamespace", "ResourceId", "ScalableDimension"] {
            assert_eq!(policy[key], target[key]);
        }
        assert_eq!(policy["ResourceId"], "service/shop/web");
        let steps = &policy["StepScalingPolicyConfiguration"];
        assert!(steps["Cooldown"].as_u64().unwrap() < 301, "{steps}");
        // From the threshold on without a gap, to infinity.
        let mut edge = json!(0);
        for step in steps["StepAdjustments"].as_array().unwrap() {
            assert_eq!(step["ScalingAdjustment"].as_i64().unwrap().signum(), sign);
            let (near, far) = if sign > 0 { ("Lower", "Upper") } else { ("Upper", "Lower") };
            assert_eq!(step[format!("MetricInterval{near}Bound")], edge);
            edge = step[format!("MetricInterval{far}Bound")].clone();
        }
        assert_eq!(edge, Value::Null);
    }
}

#[test]
fn the_dashboard_shows_what_esp_publishes() {
    let [fargate, _] = Example::all();
    let settings = fargate.settings();
    let dashboard = example("dashboard.json");
    let mut seen = Vec::new();
    for widget in dashboard["widgets"].as_array().unwrap() {
        let mut previous = Vec::new();
        for line in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            let mut line: Vec<_> =
                line.as_array().unwrap().iter().filter(|v| v.is_string()).cloned().collect();
            // CloudWatch's shorthand for the line above.
            if line == [json!("...")] {
                line.clone_from(&previous);
            }
            let pairs: Value = line[2..]
                .chunks(2)
                .map(|pair| json!({"Name": pair[0], "Value": pair[1]}))
                .collect();
            assert_eq!((&line[0], &pairs), (&json!(settings.namespace), &dimensions(&fargate)));
            let metric = Metric::by_name(line[1].as_str().unwrap()).unwrap();
            assert!(settings.metrics.iter().any(|published| published == metric));
            seen.push(metric);
            previous = line;
        }
        // The axis has the unit of its values.
        if !previous.is_empty() && widget["properties"]["yAxis"]["left"]["label"] == "%" {
            assert_eq!(Metric::by_name(previous[1].as_str().unwrap()).unwrap().unit(), "Percent");
        }
    }
    for metric in settings.metrics.iter() {
        assert!(seen.contains(&metric), "{}", metric.name());
    }
    let thresholds: Vec<_> = dashboard
        .pointer("/widgets/0/properties/annotations/horizontal")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["value"].clone())
        .collect();
    let alarms = ["alarm-out", "alarm-in"].map(|name| example(&format!("scaling/{name}.json")));
    assert_eq!(thresholds, alarms.each_ref().map(|alarm| alarm["Threshold"].clone()));
    let text = dashboard.to_string();
    for alarm in &alarms {
        assert!(text.contains(&format!(":alarm:{}\"", alarm["AlarmName"].as_str().unwrap())));
    }
}
