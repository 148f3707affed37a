//! What documents show as code: JSON is read, commands name what exists, `esp` is run,
//! variables have values that ESP accepts, and the README's commands for AWS say what
//! the examples say.

use serde_json::{Map, Value, json};

use super::{
    commands::{Command, commands},
    documents, fences, in_repository, text,
};
use crate::{examples::example, program::Esp};
use esp::settings::{Settings, variable};

/// All blocks of the documents, with the document's path.
fn blocks(language: &str) -> Vec<(String, String)> {
    let of = |path: String| {
        let (blocks, _) = fences(&text(&path));
        let of_language = blocks.into_iter().filter(|(it, _)| it == language);
        of_language.map(|(_, block)| (path.clone(), block)).collect::<Vec<_>>()
    };
    documents().into_iter().flat_map(of).collect()
}

/// What documents have between single backticks.
fn inline_code() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for path in documents() {
        let (_, prose) = fences(&text(&path));
        // Not over the end of a paragraph, so that one odd backtick spoils no more.
        for paragraph in prose.split("\n\n") {
            let code = paragraph.split('`').skip(1).step_by(2);
            all.extend(code.map(|code| (path.clone(), code.replace('\n', " "))));
        }
    }
    all
}

#[test]
fn blocks_are_in_languages_that_are_checked() {
    for path in documents() {
        for (language, block) in fences(&text(&path)).0 {
            assert!(["json", "sh", "text"].contains(&&*language), "{path}: {language:?} {block}");
        }
    }
}

#[test]
fn json_can_be_read() {
    let blocks = blocks("json");
    assert!(blocks.len() > 5);
    for (path, block) in blocks {
        // Members of an object that is elsewhere.
        let whole = if block.starts_with('"') { format!("{{{block}}}") } else { block };
        let read: Result<Value, _> = serde_json::from_str(&whole);
        assert!(read.is_ok(), "{path}: {read:?}: {whole}");
    }
}

#[test]
fn commands_name_what_exists() {
    let of_blocks = blocks("sh").into_iter().map(|(_, block)| block);
    let indented = documents().into_iter().flat_map(|path| {
        let (_, prose) = fences(&text(&path));
        let lines = prose.lines().filter_map(|line| line.strip_prefix("    ").map(str::to_owned));
        lines.filter(|line| line.starts_with("cargo ")).collect::<Vec<_>>()
    });
    let starts = ["cargo ", ".ci/", "build/", "REQUIRE_ALL=1 "];
    let inline = inline_code().into_iter().map(|(_, code)| code);
    let inline = inline.filter(|code| starts.iter().any(|start| code.starts_with(start)));
    let all: Vec<_> =
        of_blocks.chain(indented).chain(inline).flat_map(|block| commands(&block)).collect();
    assert!(all.len() > 40, "{}", all.len());
    all.iter().for_each(Command::check);
}

#[test]
fn esp_runs_as_it_is_shown() {
    let shown: Vec<_> = blocks("sh")
        .into_iter()
        .flat_map(|(_, block)| commands(&block))
        .map(|command| command.in_image().unwrap_or(command))
        .filter(|command| command.words[0] == "esp")
        .collect();
    assert!(shown.len() > 1, "{shown:?}");
    for command in shown {
        let variables: Vec<_> =
            command.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        let ended = Esp::command(&variables).args(&command.words[1..]).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{command:?}");
    }
}

#[test]
fn variables_have_values_that_esp_accepts() {
    let mut count = 0;
    for (path, code) in inline_code() {
        let Some((name, value)) = code.split_once('=') else { continue };
        let mut known = variable::OWN.into_iter().chain(variable::FOREIGN);
        if value.contains(' ') || !known.any(|variable| variable.name == name) {
            continue;
        }
        count += 1;
        let table = [
            (name, value),
            ("CONTAINER_NAME", "web"),
            ("NAMESPACE", "Shop"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0af3"),
        ];
        // Words in capitals stand for a value.
        let is_stand_in = value.contains("HOST") || value.contains("REGION");
        let read = Settings::read(&table[..]);
        assert!(is_stand_in || read.is_ok(), "{path}: {code}: {read:?}");
    }
    assert!(count > 20, "{count}");
}

#[test]
fn flags_for_the_aws_cli_name_files_that_exist() {
    for (path, block) in blocks("sh") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for word in commands(&block).iter().flat_map(|command| &command.words) {
            if let Some(file) = word.strip_prefix("file://") {
                assert!(in_repository(&format!("{folder}/{file}")).exists(), "{path}: {file}");
            }
        }
    }
}

/// `--evaluation-periods` as the API has it.
fn key(flag: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    flag.split('-').map(capital).collect()
}

/// The values of a flag as the API has them.
fn value(words: &[String]) -> Value {
    let [word] = words else { return pairs(words) };
    if word.contains("Name=") {
        return pairs(words);
    }
    match serde_json::from_str(word) {
        Ok(value @ (Value::Object(_) | Value::Number(_))) => value,
        _ => json!(word),
    }
}

/// `Name=a,Value=b` and so on.
fn pairs(words: &[String]) -> Value {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap();
        (name.to_owned(), json!(value))
    };
    words.iter().map(|word| word.split(',').map(pair).collect::<Map<_, _>>()).collect()
}

/// What a command gives to the API, without what the CLI itself takes.
fn input(command: &Command) -> Value {
    let mut input = Map::new();
    let flags = command.words[3..].chunk_by(|_, next| !next.starts_with("--"));
    for flag in flags {
        let name = flag[0].strip_prefix("--").unwrap();
        if !["query", "output", "alarm-actions"].contains(&name) {
            input.insert(key(name), value(&flag[1..]));
        }
    }
    Value::Object(input)
}

#[test]
fn the_readmes_commands_for_aws_say_what_the_examples_say() {
    let (blocks, _) = fences(&text("README.md"));
    let all = blocks.iter().filter(|(language, _)| language == "sh");
    let all: Vec<_> = all.flat_map(|(_, block)| commands(block)).collect();
    let aws: Vec<_> = all.iter().filter(|command| command.words[0] == "aws").collect();
    let expected = [
        ("application-autoscaling", "register-scalable-target", "target"),
        ("application-autoscaling", "put-scaling-policy", "policy-out"),
        ("cloudwatch", "put-metric-alarm", "alarm-out"),
    ];
    assert_eq!(aws.len(), expected.len());
    for (command, (service, operation, file)) in aws.iter().zip(expected) {
        assert_eq!(command.words[1..3], [service, operation]);
        assert_eq!(input(command), example(&format!("scaling/{file}.json")), "{file}");
    }
    assert_eq!(aws[2].after("--alarm-actions"), Some("$out"));
}
