//! The workflows of GitHub, as far as their text says what they do: what they run is
//! pinned, what runs code of others cannot write, and nothing is published that the
//! checks have not passed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

fn path(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of each workflow, by its file's name.
fn workflows() -> BTreeMap<String, String> {
    let files = fs::read_dir(path(".github/workflows")).unwrap().map(|file| file.unwrap().path());
    let named =
        |file: PathBuf| (file.file_name().unwrap().to_str().unwrap().to_owned(), text(&file));
    let all: BTreeMap<_, _> = files.map(named).collect();
    assert!(all.len() >= 4, "{:?}", all.keys());
    all
}

/// A job, by the names of its workflow and of itself.
struct Job {
    name: String,
    definition: Value,
}

impl Job {
    fn all() -> Vec<Self> {
        let mut jobs = Vec::new();
        for (file, text) in workflows() {
            let workflow = esp_templates::yaml(&text);
            // What a job does not name it does not have.
            assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{file}");
            let named = workflow["jobs"].as_object().unwrap().clone().into_iter();
            jobs.extend(
                named.map(|(name, definition)| Self { name: format!("{file}/{name}"), definition }),
            );
        }
        jobs
    }

    fn steps(&self) -> &[Value] {
        self.definition["steps"].as_array().map_or(&[], Vec::as_slice)
    }

    /// All that its steps run in a shell.
    fn commands(&self) -> String {
        let runs = self.steps().iter().filter_map(|step| step["run"].as_str());
        runs.collect::<Vec<_>>().join("\n")
    }

    fn can_write(&self) -> bool {
        let permissions = self.definition["permissions"].as_object().into_iter().flatten();
        permissions.into_iter().any(|(_, permission)| permission == "write")
    }

    /// The jobs of its workflow that have to end well before it starts.
    fn needs(&self, jobs: &[Self]) -> Vec<String> {
        let needs = &self.definition["needs"];
        let direct: Vec<_> = match needs {
            Value::String(one) => vec![one.as_str()],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let (file, _) = self.name.split_once('/').unwrap();
        let mut all = Vec::new();
        for name in direct {
            let name = format!("{file}/{name}");
            all.extend(jobs.iter().find(|job| job.name == name).expect(&name).needs(jobs));
            all.push(name);
        }
        all
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

#[test]
fn each_action_is_pinned_by_commit_with_its_version_beside_it() {
    let mut count = 0;
    for (file, text) in workflows() {
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let used = line.split("uses:").nth(1).unwrap().trim();
            if used.starts_with("./") {
                continue;
            }
            let (action, version) =
                used.split_once(" # v").unwrap_or_else(|| panic!("{file}: {used}"));
            let commit = action.split_once('@').unwrap_or_else(|| panic!("{file}: {used}")).1;
            assert!(is_hex(commit, 40), "{file}: {used}");
            assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{file}: {used}");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

#[test]
fn the_builder_is_pinned_by_digest() {
    let dockerfile = text(&path("Dockerfile"));
    let images = dockerfile.lines().filter_map(|line| line.strip_prefix("ARG RUST_IMAGE="));
    let [image] = images.collect::<Vec<_>>()[..] else { panic!("{dockerfile}") };
    let (name, digest) = image.split_once("@sha256:").expect("a digest");
    assert!(is_hex(digest, 64), "{digest}");
    // The oldest Rust that builds it is the one that ships it.
    let manifest = text(&path("Cargo.toml"));
    let rust = name.strip_prefix("rust:").unwrap().split('-').next().unwrap();
    assert!(manifest.contains(&format!("rust-version = \"{rust}\"")), "{rust}");
    let from = dockerfile.lines().filter(|line| line.starts_with("FROM "));
    assert!(from.eq(["FROM ${RUST_IMAGE} AS build", "FROM scratch"]));
}

#[test]
fn what_cargo_installs_is_pinned() {
    let mut count = 0;
    for file in fs::read_dir(path(".ci")).unwrap() {
        let script = text(&file.unwrap().path()).replace("\\\n", " ");
        for line in script.lines().filter(|line| line.contains("cargo install ")) {
            if line.trim_start().starts_with('#') {
                continue;
            }
            assert!(line.contains("--locked") && line.contains("--version"), "{line}");
            count += 1;
        }
    }
    assert!(count >= 3, "{count}");
}

#[test]
fn compilers_are_pinned() {
    let mut count = 0;
    let mut nightlies = Vec::new();
    for (file, text) in workflows() {
        for line in text.lines().filter(|line| line.contains("rustup toolchain install")) {
            let (_, named) = line.split_once("install ").unwrap();
            let is_pinned =
                ["\"$version\" ", "\"$FUZZ_TOOLCHAIN\" "].iter().any(|it| named.starts_with(it));
            assert!(is_pinned, "{file}: {line}");
            count += 1;
        }
        let named = text.lines().filter_map(|line| line.trim().strip_prefix("FUZZ_TOOLCHAIN: "));
        nightlies.extend(named.map(str::to_owned));
    }
    assert!(count >= 5, "{count}");
    assert_eq!(nightlies.len(), 2, "{nightlies:?}");
    assert_eq!(nightlies[0], nightlies[1]);
    let date: Vec<_> = nightlies[0].strip_prefix("nightly-").unwrap().split('-').collect();
    assert_eq!(date.iter().map(|part| part.len()).collect::<Vec<_>>(), [4, 2, 2]);
}

#[test]
fn what_is_published_is_joined_and_signed_by_digest() {
    let jobs = Job::all();
    let commands = |name: &str| jobs.iter().find(|job| job.name == name).unwrap().commands();
    let manifest = commands("release.yml/manifest");
    let create = manifest.lines().find(|line| line.contains("imagetools create")).unwrap();
    assert!(create.ends_with("\"$image@$amd64\" \"$image@$arm64\""), "{create}");
    assert!(commands("release.yml/publish").contains(">\"digest-$ARCH\""));
}

#[test]
fn no_check_of_a_release_may_leave_something_out() {
    for job in Job::all().iter().filter(|job| job.name.starts_with("ci.yml/")) {
        let checks = job.steps().iter().filter(|step| {
            step["run"].as_str().is_some_and(|run| run.lines().any(|line| line.starts_with(".ci/")))
        });
        for step in checks {
            // It alone looks at the variable.
            assert!(step["run"].as_str().unwrap().starts_with(".ci/run"), "{}", job.name);
            assert_eq!(step["env"]["REQUIRE_ALL"], "${{ inputs.require_all }}", "{}", job.name);
        }
    }
}

#[test]
fn root_installs_packages_and_nothing_else() {
    // Cargo as root leaves files that the runner's user cannot replace.
    for job in Job::all() {
        for command in job.commands().split(['\n', ';', '|', '&']) {
            let Some((_, as_root)) = command.split_once("sudo ") else { continue };
            assert!(as_root.starts_with("apt-get "), "{}: {command}", job.name);
        }
    }
}

#[test]
fn a_job_that_may_write_runs_no_code_of_the_repository() {
    let mut count = 0;
    for job in Job::all().iter().filter(|job| job.can_write()) {
        for step in job.steps() {
            let action = step["uses"].as_str().unwrap_or_default();
            assert!(!action.starts_with("actions/checkout@"), "{}", job.name);
        }
        for code in ["cargo", ".ci/", "build/", "docker build ", "docker run", "npm", "pip"] {
            assert!(!job.commands().contains(code), "{}: {code}", job.name);
        }
        count += 1;
    }
    assert!(count >= 4, "{count}");
}

#[test]
fn nothing_is_published_before_all_checks_have_passed() {
    let jobs = Job::all();
    let mut count = 0;
    let publishes = |job: &Job| {
        ["docker push", "imagetools create", "gh release"]
            .iter()
            .any(|it| job.commands().contains(it))
    };
    for job in jobs.iter().filter(|job| publishes(job)) {
        let needs = job.needs(&jobs);
        for needed in ["version", "checks", "build"] {
            let needed = format!("release.yml/{needed}");
            assert!(needs.contains(&needed), "{} does not need {needed}", job.name);
        }
        // A condition could let it run after a failure.
        assert!(job.definition["if"].is_null(), "{}", job.name);
        count += 1;
    }
    assert_eq!(count, 3);
    let checks = jobs.iter().find(|job| job.name == "release.yml/checks").unwrap();
    assert_eq!(checks.definition["uses"], "./.github/workflows/ci.yml");
    assert_eq!(checks.definition["with"]["require_all"], "1");
    let run = jobs.iter().find(|job| job.name == "ci.yml/checks").unwrap();
    assert!(run.commands().lines().any(|line| line == ".ci/run"), "all checks");
}
