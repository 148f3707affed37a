//! The task definitions with which ESP reads the kernel: each is Fargate's, but for what
//! it gives to ESP.

use serde_json::{Value, json};

use super::files::{json as example, text};

/// Each with what it adds, as paths and values.
fn tiers() -> [(&'static str, Vec<(&'static str, Value)>); 3] {
    let pid_mode = || ("/pidMode", json!("task"));
    let (web, esp) = ("/containerDefinitions/0/user", "/containerDefinitions/1/user");
    let capabilities = "/containerDefinitions/1/linuxParameters/capabilities/add";
    [
        ("fargate-pid-mode", vec![pid_mode()]),
        (
            "fargate-pid-mode-same-user",
            vec![pid_mode(), (web, json!("1000:1000")), (esp, json!("1000:1000"))],
        ),
        (
            "fargate-pid-mode-ptrace",
            vec![pid_mode(), (esp, json!("0:0")), (capabilities, json!(["SYS_PTRACE"]))],
        ),
    ]
}

#[test]
fn each_is_fargates_but_for_what_it_gives_to_esp() {
    for (name, changes) in tiers() {
        let mut expected = example("task-definition/fargate.json");
        for (path, value) in changes {
            let (parent, key) = path.rsplit_once('/').unwrap();
            expected.pointer_mut(parent).unwrap()[key] = value;
        }
        assert_eq!(example(&format!("task-definition/{name}.json")), expected, "{name}");
    }
}

#[test]
fn each_is_explained() {
    let (readme, sources) = (text("examples/README.md"), text("docs/sources.md"));
    for (name, _) in tiers() {
        for page in [&readme, &sources] {
            assert!(page.contains(&format!("task-definition/{name}.json)")), "{name}");
        }
    }
    assert!(text("README.md").contains("](docs/sources.md)"));
}

/// The figures of docs/sources.md on a deployment, by the arithmetic of CloudWatch's
/// average: a task of weight 10 beside tasks of weight 1.
#[test]
fn a_task_with_ten_samples_weighs_as_ten_with_one() {
    let average = |share: f64, new: f64, old: f64| {
        (10.0 * share * new + (1.0 - share) * old) / (10.0 * share + (1.0 - share))
    };
    let sources = text("docs/sources.md");
    for (share, new, old, truth, seen) in [
        (0.1, 100.0, 30.0, 37.0, 66.8),
        (0.24, 100.0, 30.0, 46.8, 83.2),
        (0.1, 5.0, 90.0, 81.5, 45.3),
        (0.5, 5.0, 90.0, 47.5, 12.7),
        (0.5, 70.0, 50.0, 60.0, 68.2),
    ] {
        let mean: f64 = share * new + (1.0 - share) * old;
        assert!((mean - truth).abs() < 0.05 && (average(share, new, old) - seen).abs() < 0.05);
        let row =
            format!("| {} % | {new} % | {old} % | {truth:.1} % | {seen:.1} % |", share * 100.0);
        assert!(sources.contains(&row), "no {row}: {}", average(share, new, old));
    }
    // The most that it can be off, of the difference between new and old tasks.
    let errors =
        (0..=1000_u32).map(|it| f64::from(it) / 1000.0).map(|it| average(it, 1.0, 0.0) - it);
    assert!((errors.fold(0.0, f64::max) - 0.52).abs() < 0.001);
    // How many new tasks at 100 % beside old ones at 30 % raise the alarm at 60 %.
    assert!(average(0.07, 100.0, 30.0) >= 60.0 && average(0.069, 100.0, 30.0) < 60.0);
}
