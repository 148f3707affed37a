//! A `CloudFormation` template, in YAML or JSON, with its parameters resolved.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A template and the values of its parameters.
#[derive(Debug)]
pub struct Template {
    document: Value,
    parameters: BTreeMap<String, Value>,
}

impl Template {
    /// Reads YAML with `CloudFormation`'s tags. A parameter that is not given has
    /// its default.
    #[must_use]
    pub fn from_yaml(text: &str, parameters: &[(&str, &str)]) -> Self {
        Self::new(yaml(text), parameters)
    }

    /// Reads JSON.
    #[must_use]
    pub fn from_json(text: &str, parameters: &[(&str, &str)]) -> Self {
        Self::new(serde_json::from_str(text).unwrap(), parameters)
    }

    fn new(document: Value, given: &[(&str, &str)]) -> Self {
        let mut parameters: BTreeMap<_, _> = [
            ("AWS::Region", "eu-west-1"),
            ("AWS::AccountId", "111122223333"),
            ("AWS::Partition", "aws"),
        ]
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .into();
        for (name, parameter) in document["Parameters"].as_object().into_iter().flatten() {
            if let Some(default) = parameter.get("Default") {
                parameters.insert(name.clone(), default.clone());
            }
        }
        parameters.extend(given.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        Self { document, parameters }
    }

    /// The properties of each resource of a type that exists with these parameters,
    /// by the resource's name.
    #[must_use]
    pub fn resources(&self, kind: &str) -> BTreeMap<String, Value> {
        let resources = self.document["Resources"].as_object().unwrap();
        resources
            .iter()
            .filter(|(_, resource)| resource["Type"] == kind)
            .filter(|(_, resource)| resource.get("Condition").is_none_or(|it| self.holds(it)))
            .map(|(name, resource)| (name.clone(), self.resolve(&resource["Properties"])))
            .collect()
    }

    /// Whether one resource is created after another, at whatever distance; both by
    /// their names.
    #[must_use]
    pub fn is_created_after(&self, later: &str, earlier: &str) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![later.to_owned()]);
        while let Some(name) = open.pop() {
            if name == earlier {
                return true;
            }
            if let Some(resource) = self.document["Resources"].get(&name)
                && seen.insert(name)
            {
                mentioned(resource, &mut open);
            }
        }
        false
    }

    /// A condition, by its name or as an expression.
    fn holds(&self, condition: &Value) -> bool {
        if let Some(name) = condition.as_str() {
            return self.holds(&self.document["Conditions"][name]);
        }
        let entries = condition.as_object().unwrap_or_else(|| panic!("{condition}"));
        let (function, arguments) = entries.iter().next().unwrap();
        let mut all = arguments.as_array().into_iter().flatten();
        match &**function {
            "Condition" => self.holds(arguments),
            "Fn::Equals" => self.resolve(&arguments[0]) == self.resolve(&arguments[1]),
            "Fn::Or" => all.any(|it| self.holds(it)),
            "Fn::And" => all.all(|it| self.holds(it)),
            "Fn::Not" => !self.holds(&arguments[0]),
            other => panic!("{other}"),
        }
    }

    /// References to parameters become their values, and that to a log group its
    /// name; those to other resources stay.
    fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(entries) => {
                if let Some(known) = self.reference(entries) {
                    return known;
                }
                let resolved =
                    entries.iter().map(|(key, value)| (key.clone(), self.resolve(value)));
                resolved.collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn reference(&self, entries: &Map<String, Value>) -> Option<Value> {
        if entries.len() != 1 {
            return None;
        }
        if let Some(name) = entries.get("Ref").and_then(Value::as_str) {
            let resource = &self.document["Resources"][name];
            if resource["Type"] == "AWS::Logs::LogGroup" {
                return Some(self.resolve(&resource["Properties"]["LogGroupName"]));
            }
            return self.parameters.get(name).cloned();
        }
        if let Some(join) = entries.get("Fn::Join") {
            let parts = self.resolve(&join[1]);
            let texts: Option<Vec<_>> = parts.as_array()?.iter().map(Value::as_str).collect();
            return Some(json!(texts?.join(join[0].as_str()?)));
        }
        let text = entries.get("Fn::Sub")?.as_str()?;
        let mut parts = text.split("${");
        let mut whole = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            match self.parameters.get(name)? {
                Value::String(value) => whole += value,
                other => whole += &other.to_string(),
            }
            whole += rest;
        }
        Some(json!(whole))
    }
}

/// Adds what a resource names: `DependsOn`, and references in whatever it has.
fn mentioned(value: &Value, names: &mut Vec<String>) {
    let texts = |value: &Value, names: &mut Vec<String>| match value {
        Value::Array(items) => {
            names.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        other => names.extend(other.as_str().map(str::to_owned)),
    };
    match value {
        Value::Array(items) => items.iter().for_each(|item| mentioned(item, names)),
        Value::Object(entries) => {
            for (key, inner) in entries {
                match (&**key, inner) {
                    ("Ref" | "DependsOn" | "Fn::GetAtt", _) => texts(inner, names),
                    ("Fn::Sub", Value::String(text)) => {
                        let inside = text.split("${").skip(1);
                        let inner = inside.filter_map(|part| part.split(['}', '.']).next());
                        names.extend(inner.map(str::to_owned));
                    }
                    _ => mentioned(inner, names),
                }
            }
        }
        _ => {}
    }
}

/// YAML as JSON, `CloudFormation`'s tags in their long form.
#[must_use]
pub fn yaml(text: &str) -> Value {
    plain(&Yaml::load_from_str(text).unwrap()[0])
}

fn plain(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => json!(value),
            Scalar::Integer(value) => json!(value),
            Scalar::FloatingPoint(value) => json!(value.into_inner()),
            Scalar::String(value) => json!(value),
        },
        Yaml::Sequence(items) => items.iter().map(plain).collect(),
        Yaml::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), plain(value)))
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Tagged(tag, value) => {
            let name = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            let value = plain(value);
            match (&*name, value.as_str().and_then(|text| text.split_once('.'))) {
                ("Fn::GetAtt", Some((resource, attribute))) => json!({name: [resource, attribute]}),
                _ => json!({name: value}),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_created_after_those_that_it_names() {
        let text = "
Resources:
  First: {Type: A, Properties: {}}
  Second: {Type: A, Properties: {Value: !GetAtt First.Arn}}
  Third: {Type: A, Properties: {Value: !Sub 'x-${Second}'}}
  Fourth: {Type: A, DependsOn: [Third], Metadata: {After: !If [Some, !Ref Beside, '']}, Properties: {}}
  Beside: {Type: A, Properties: {}}
";
        let template = Template::from_yaml(text, &[]);
        for earlier in ["First", "Second", "Third", "Beside"] {
            assert!(template.is_created_after("Fourth", earlier), "{earlier}");
        }
        assert!(!template.is_created_after("Third", "Beside"));
        assert!(!template.is_created_after("First", "Fourth"));
    }

    #[test]
    fn parameters_are_resolved_and_resources_stay() {
        let text = "
Parameters:
  Name: {Type: String, Default: web}
  Least: {Type: Number, Default: 2}
  Given: {Type: String}
Conditions:
  IsWeb: !Equals [!Ref Name, web]
  IsNeither: !And [!Not [!Condition IsWeb], !Or [!Equals [a, b], !Condition IsWeb]]
Resources:
  There: {Type: A::B::D, Condition: IsWeb, Properties: {}}
  Absent: {Type: A::B::D, Condition: IsNeither, Properties: {}}
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub '/ecs/${Name}/${AWS::Region}'}
  Thing:
    Type: A::B::C
    Properties:
      Values: [!Ref Name, !Ref Least, !Ref Given, !Ref Log, !Ref Other, !GetAtt Other.Arn, !Sub '${Other}-x', !Join ['.', [a, !Ref Name]]]
      Text: '10'
";
        let template = Template::from_yaml(text, &[("Given", "g")]);
        let thing = &template.resources("A::B::C")["Thing"];
        let expected = json!([
            "web", 2, "g", "/ecs/web/eu-west-1",
            {"Ref": "Other"}, {"Fn::GetAtt": ["Other", "Arn"]}, {"Fn::Sub": "${Other}-x"},
            "a.web",
        ]);
        assert_eq!((&thing["Values"], &thing["Text"]), (&expected, &json!("10")));
        assert!(template.resources("A::B::D").into_keys().eq(["There"]));
    }
}
