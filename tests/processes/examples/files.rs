//! The files under `examples/`, as the tests want them.

use esp::settings::{Settings, variable};
use esp_endpoints::containers::Shape;
use serde_json::Value;

/// A file of the repository.
pub(crate) fn text(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file under `examples/`.
pub(crate) fn json(path: &str) -> Value {
    let path = format!("examples/{path}");
    serde_json::from_str(&text(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A task definition, and the platform that it is for.
pub(crate) struct Example {
    pub(crate) shape: Shape,
    task_definition: Value,
}

impl Example {
    /// Fargate's, then EC2's.
    pub(crate) fn all() -> [Self; 2] {
        [Self::fargate(), Self::ec2()]
    }

    pub(crate) fn fargate() -> Self {
        Self { shape: Shape::Fargate, task_definition: json("task-definition/fargate.json") }
    }

    pub(crate) fn ec2() -> Self {
        Self { shape: Shape::Ec2CgroupV2, task_definition: json("task-definition/ec2.json") }
    }

    pub(crate) fn container(&self, name: &str) -> &Value {
        let containers = self.task_definition["containerDefinitions"].as_array().unwrap();
        containers.iter().find(|container| container["name"] == name).unwrap()
    }

    pub(crate) fn esp(&self) -> &Value {
        self.container("esp")
    }

    /// Names and values, of `esp`.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        pairs(&self.esp()["environment"])
    }

    /// The environment as the program reads it.
    pub(crate) fn settings(&self) -> Settings {
        let mut table = self.environment();
        table.push((variable::ENDPOINT.name, "http://169.254.170.2/v4/0af3"));
        Settings::read(&table[..]).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What ECS calls `environment`.
pub(crate) fn pairs(environment: &Value) -> Vec<(&str, &str)> {
    environment
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["name"].as_str().unwrap(), entry["value"].as_str().unwrap()))
        .collect()
}
