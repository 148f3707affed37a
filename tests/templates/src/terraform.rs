//! A Terraform module with its inputs, and the modules that it calls: resources
//! and outputs as values, and what each of them is created after. No provider is
//! asked: an attribute that a resource only has once it exists stays as the
//! expression that names it, in `${…}`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use hcl::{
    Block, Body,
    eval::{Context, Evaluate as _, FuncArgs, FuncDef, ParamType},
    expr::{Expression, ObjectKey},
};
use serde_json::{Map, Value, json};

/// References are followed as often as this. Those of a chain that is longer
/// stay.
const ROUNDS: usize = 8;

/// A module, evaluated.
#[derive(Debug, Default, PartialEq)]
pub struct Module {
    /// By `type.name`: attributes, and blocks as lists under their name. With
    /// `for_each` by `type.name["key"]`; with a `count` of 0 there is none.
    pub resources: BTreeMap<String, Value>,
    /// By name.
    pub outputs: BTreeMap<String, Value>,
    /// The modules that it calls, by the name of the call.
    pub modules: BTreeMap<String, Module>,
    /// What the text of each `type.name`, `module.name`, `local.name`, `var.name`
    /// and `output.name` refers to, in the same form; of a call's inputs and of its
    /// outputs as `module.call.name`.
    references: BTreeMap<String, BTreeSet<String>>,
}

impl Module {
    /// Whether Terraform creates one resource after another, at whatever distance.
    /// Names are `type.name` of this module or `module.call.type.name`.
    #[must_use]
    pub fn is_created_after(&self, later: &str, earlier: &str) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![later.to_owned()]);
        while let Some(node) = open.pop() {
            if node == earlier {
                return true;
            }
            if seen.insert(node.clone()) {
                open.extend(self.references_of(&node));
            }
        }
        false
    }

    fn references_of(&self, node: &str) -> Vec<String> {
        let own = self.references.get(node).into_iter().flatten().cloned();
        let Some((call, inner)) =
            node.strip_prefix("module.").map(|rest| rest.split_once('.').unwrap_or((rest, "")))
        else {
            return own.collect();
        };
        let Some(called) = self.modules.get(call) else { return own.collect() };
        let outside = |inner: &String| match inner.strip_prefix("var.") {
            Some(input) => format!("module.{call}.input.{input}"),
            None => format!("module.{call}.{inner}"),
        };
        let inside: Vec<_> = if inner.is_empty() {
            // `depends_on` of a call means all that it makes.
            called.references.keys().filter(|node| !node.starts_with("var.")).collect()
        } else {
            // An output is named like a resource's attribute.
            let output = format!("output.{inner}");
            let node = if called.references.contains_key(&output) { &output } else { inner };
            called.references.get(node).into_iter().flatten().collect()
        };
        own.chain(inside.into_iter().map(outside)).collect()
    }
}

/// Arguments of a call that are no inputs of the module.
const CALLS_OWN: [&str; 4] = ["count", "depends_on", "source", "version"];

/// Evaluates the module in this directory. An input that is not given has its
/// default.
#[must_use]
pub fn module(directory: &Path, inputs: &Value) -> Module {
    let mut blocks = Vec::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            let text = std::fs::read_to_string(&path).unwrap();
            let body = hcl::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            blocks.extend(body.into_blocks());
        }
    }
    let mut variables = Map::new();
    for block in blocks.iter().filter(|block| block.identifier() == "variable") {
        let name = label(block, 0);
        let default = block.body().attributes().find(|attribute| attribute.key() == "default");
        let default = default.map(|attribute| value(attribute.expr(), &Context::new()));
        let given = inputs.get(name).cloned().or(default);
        let given = given.unwrap_or_else(|| panic!("{}: no {name}", directory.display()));
        variables.insert(name.to_owned(), given);
    }
    let given = inputs.as_object().unwrap().keys();
    given.for_each(|name| assert!(variables.contains_key(name), "no variable {name}"));

    let references: BTreeMap<_, _> = blocks.iter().flat_map(references).collect();
    let (mut locals, mut evaluated) = (Map::new(), Module::default());
    for _ in 0..ROUNDS {
        let context = context(&variables, &locals, &evaluated);
        let mut next = Module { references: references.clone(), ..Module::default() };
        for block in blocks.iter().filter(|block| !is_absent(block, &context)) {
            match block.identifier() {
                "locals" => locals.extend(entries(block.body(), &context)),
                "resource" => {
                    let name = format!("{}.{}", label(block, 0), label(block, 1));
                    match each(block, &context) {
                        None => {
                            next.resources.insert(name, entries(block.body(), &context).into());
                        }
                        Some(keys) => next.resources.extend(keys.into_iter().map(|key| {
                            let mut context = context.clone();
                            context.declare_var("each", hcl::value!({ "value" = (&*key) }));
                            let resource = entries(block.body(), &context);
                            (format!("{name}[{key:?}]"), resource.into())
                        })),
                    }
                }
                "output" => {
                    let output = entries(block.body(), &context)["value"].clone();
                    next.outputs.insert(label(block, 0).to_owned(), output);
                }
                "module" => {
                    let mut inputs = entries(block.body(), &context);
                    let source = inputs.remove("source").unwrap();
                    inputs.retain(|name, _| !CALLS_OWN.contains(&&**name));
                    let called = module(&directory.join(source.as_str().unwrap()), &inputs.into());
                    next.modules.insert(label(block, 0).to_owned(), called);
                }
                _ => {}
            }
        }
        evaluated = next;
    }
    evaluated
}

fn label(block: &Block, place: usize) -> &str {
    block.labels()[place].as_str()
}

fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|it| it.key() == name).map(hcl::Attribute::expr)
}

/// Whether its `count` says that there is none.
fn is_absent(block: &Block, context: &Context<'_>) -> bool {
    attribute(block, "count").is_some_and(|count| value(count, context) == json!(0))
}

/// The keys of a `for_each` over texts.
fn each(block: &Block, context: &Context<'_>) -> Option<Vec<String>> {
    let keys = value(attribute(block, "for_each")?, context);
    let texts = keys.as_array()?.iter().map(|key| key.as_str().map(str::to_owned));
    texts.collect()
}

/// What a block, or each entry of it that has a name of its own, refers to.
fn references(block: &Block) -> Vec<(String, BTreeSet<String>)> {
    let labels = block.labels().iter().map(hcl::BlockLabel::as_str).collect::<Vec<_>>().join(".");
    let of_attributes = |prefix: &str| -> Vec<_> {
        let named = block.body().attributes().filter(|it| !CALLS_OWN.contains(&it.key()));
        named.map(|it| (format!("{prefix}.{}", it.key()), names(it.expr()))).collect()
    };
    let whole = || mentioned(&hcl::format::to_string(block).unwrap());
    match block.identifier() {
        "locals" => of_attributes("local"),
        "output" => vec![(format!("output.{labels}"), whole())],
        "resource" => vec![(labels, whole())],
        "data" => vec![(format!("data.{labels}"), whole())],
        "module" => {
            let mut all = of_attributes(&format!("module.{labels}.input"));
            let own = ["count", "depends_on"].into_iter().filter_map(|it| attribute(block, it));
            all.push((format!("module.{labels}"), own.flat_map(names).collect()));
            all
        }
        _ => Vec::new(),
    }
}

fn names(expression: &Expression) -> BTreeSet<String> {
    mentioned(&hcl::format::to_string(expression).unwrap())
}

/// Names in a text of the language that could be references: all words with a dot,
/// in the form of [`Module::references`]. One that names nothing leads nowhere.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c));
    let name = |word: &str| {
        let length = if word.starts_with("module.") || word.starts_with("data.") { 3 } else { 2 };
        word.split('.').take(length).collect::<Vec<_>>().join(".")
    };
    words.filter(|word| word.contains('.')).map(name).collect()
}

/// What expressions may name: `var`, `local`, `module` and each type of resource.
fn context(
    variables: &Map<String, Value>,
    locals: &Map<String, Value>,
    evaluated: &Module,
) -> Context<'static> {
    let mut context = Context::new();
    let mut declare = |name: &str, entries: Value| {
        context.declare_var(hcl::Identifier::sanitized(name), hcl::to_value(entries).unwrap());
    };
    declare("var", variables.clone().into());
    declare("local", locals.clone().into());
    let modules = evaluated.modules.iter();
    declare(
        "module",
        modules.map(|(name, module)| (name.clone(), json!(module.outputs))).collect(),
    );
    let mut kinds: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (name, resource) in &evaluated.resources {
        let (kind, name) = name.split_once('.').unwrap();
        kinds.entry(kind).or_default().insert(name.to_owned(), resource.clone());
    }
    for (kind, resources) in kinds {
        declare(kind, resources.into());
    }
    let any = || FuncDef::builder().variadic_param(ParamType::Any);
    context.declare_func("merge", any().build(merge));
    context.declare_func("length", any().build(length));
    context.declare_func("toset", any().build(|arguments| Ok(arguments[0].clone())));
    context.declare_func("jsonencode", any().build(jsonencode));
    context
}

fn merge(arguments: FuncArgs) -> Result<hcl::Value, String> {
    let mut merged = hcl::Map::new();
    for argument in arguments.into_values() {
        match argument {
            hcl::Value::Object(entries) => merged.extend(entries),
            other => return Err(format!("no map: {other}")),
        }
    }
    Ok(merged.into())
}

#[expect(clippy::needless_pass_by_value, reason = "what a function of the language is given")]
fn length(arguments: FuncArgs) -> Result<hcl::Value, String> {
    arguments[0].as_array().map(|items| items.len().into()).ok_or("no list".into())
}

#[expect(clippy::needless_pass_by_value, reason = "what a function of the language is given")]
fn jsonencode(arguments: FuncArgs) -> Result<hcl::Value, String> {
    serde_json::to_string(&arguments[0]).map(Into::into).map_err(|error| error.to_string())
}

fn entries(body: &Body, context: &Context<'_>) -> Map<String, Value> {
    let mut entries = Map::new();
    for attribute in body.attributes() {
        entries.insert(attribute.key().to_owned(), value(attribute.expr(), context));
    }
    for block in body.blocks() {
        let list = entries.entry(block.identifier()).or_insert_with(|| json!([]));
        let inner = self::entries(block.body(), context);
        list.as_array_mut().expect("a block under the name of an attribute").push(inner.into());
    }
    entries
}

/// As far as it is known.
fn value(expression: &Expression, context: &Context<'_>) -> Value {
    if let Ok(known) = expression.evaluate(context) {
        return serde_json::to_value(known).unwrap();
    }
    match expression {
        Expression::Array(items) => items.iter().map(|item| value(item, context)).collect(),
        Expression::Object(entries) => entries
            .iter()
            .map(|(key, inner)| (key_text(key, context), value(inner, context)))
            .collect::<Map<_, _>>()
            .into(),
        other => json!(format!("${{{}}}", hcl::format::to_string(other).unwrap())),
    }
}

fn key_text(key: &ObjectKey, context: &Context<'_>) -> String {
    match key {
        ObjectKey::Identifier(name) => name.to_string(),
        ObjectKey::Expression(expression) => {
            value(expression, context).as_str().expect("a text as key").to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_evaluated_as_far_as_nothing_has_to_exist() {
        let directory = std::env::temp_dir().join(format!("esp-templates-{}", std::process::id()));
        let inner = directory.join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |path: &Path, text: &str| std::fs::write(path.join("main.tf"), text).unwrap();
        write(
            &directory,
            r#"
variable "name" {}
variable "more" { default = null }
locals {
  map = merge({ A = var.name }, var.more == null ? {} : { B = var.more })
}
resource "thing" "none" {
  count = length([])
}
resource "thing" "each" {
  for_each = toset(["a.b", "c"])
  name     = "x-${each.value}"
}
resource "thing" "last" {
  text       = module.inner.both
  depends_on = [thing.each]
}
resource "thing" "one" {
  name = "${var.name}-one"
  list = [for name, value in local.map : { name = name, value = value }]
  step { size = 1 }
  step { size = -2 }
}
module "inner" {
  source = "./inner"
  name   = thing.one.name
  id     = thing.one.id
}
output "text" { value = jsonencode({ from = module.inner.both }) }
"#,
        );
        write(
            &inner,
            r#"
variable "name" {}
variable "id" {}
output "both" {
  value      = [var.name, var.id]
  depends_on = [thing.inside]
}
resource "thing" "inside" {}
resource "thing" "beside" {}
"#,
        );
        let read = module(&directory, &json!({"name": "web"}));
        std::fs::remove_dir_all(&directory).unwrap();
        let thing = &read.resources["thing.one"];
        assert_eq!(thing["name"], "web-one");
        assert_eq!(thing["list"], json!([{"name": "A", "value": "web"}]));
        assert_eq!(thing["step"], json!([{"size": 1}, {"size": -2}]));
        assert_eq!(read.outputs["text"], r#"{"from":["web-one","${thing.one.id}"]}"#);
        assert!(!read.resources.contains_key("thing.none"));
        assert_eq!(read.resources[r#"thing.each["a.b"]"#]["name"], "x-a.b");
        for earlier in ["thing.each", "module.inner.thing.inside", "thing.one"] {
            assert!(read.is_created_after("thing.last", earlier), "{earlier}");
        }
        for (later, earlier) in [
            ("thing.one", "thing.last"),
            ("thing.last", "module.inner.thing.beside"),
            ("module.inner.thing.inside", "thing.one"),
        ] {
            assert!(!read.is_created_after(later, earlier), "{later} {earlier}");
        }
    }
}
