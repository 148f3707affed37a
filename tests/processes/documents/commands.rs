//! Commands as documents show them: their words, and what they name.

use super::{in_repository, text};

/// One command: what it sets in its environment, and its words.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Command {
    pub(super) environment: Vec<(String, String)>,
    pub(super) words: Vec<String>,
}

impl Command {
    fn of(words: Vec<String>) -> Self {
        let mut command = Self::default();
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if command.words.is_empty() => {
                    command.environment.push((name.to_owned(), value.to_owned()));
                }
                _ => command.words.push(word),
            }
        }
        command
    }

    /// What follows the flag.
    pub(super) fn after(&self, flag: &str) -> Option<&str> {
        let place = self.words.iter().position(|word| word == flag)?;
        self.words.get(place + 1).map(String::as_str)
    }

    /// What `docker run --rm -e NAME=value ... esp ...` runs in the image, whose program is
    /// `esp`.
    pub(super) fn in_image(&self) -> Option<Self> {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let mut rest = words.strip_prefix(&["docker", "run", "--rm"])?;
        let mut run = Self::default();
        while let ["-e", variable, after @ ..] = rest {
            let (name, value) = variable.split_once('=')?;
            run.environment.push((name.to_owned(), value.to_owned()));
            rest = after;
        }
        run.words = rest.iter().map(|&word| word.to_owned()).collect();
        (rest.first() == Some(&"esp")).then_some(run)
    }

    /// Fails unless the program and what it is told to run are in the repository.
    pub(super) fn check(&self) {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let is_there = |path: &str| assert!(in_repository(path).exists(), "{path}: {words:?}");
        match words[..] {
            ["cargo", "build" | "run" | "test" | "bench" | "fetch", ..] => self.check_cargo(),
            ["cargo", "fuzz", ..] | ["rustup", "run", "nightly", "cargo", "fuzz", ..] => {
                is_there("fuzz/Cargo.toml");
            }
            // What the machine has, or gets.
            ["rustup" | "mkdir", ..] | ["cargo", "install", ..] | ["docker", "push", _] => {}
            ["docker", "build", ..] => {
                is_there("Dockerfile");
                // The build has no `.git`, so nobody else tells it the commit.
                let commit = self.after("--build-arg").expect("a build argument");
                assert_eq!(commit, "ESP_COMMIT=$(git rev-parse HEAD)", "{words:?}");
                assert!(text("Dockerfile").contains("ARG ESP_COMMIT"));
            }
            ["docker", "exec", "-it", _, program, ..] => {
                let entry = format!("ENTRYPOINT [\"{program}\"]");
                assert!(text("Dockerfile").contains(&entry), "{words:?}");
            }
            ["docker", "run", ..] => assert!(self.in_image().is_some(), "{words:?}"),
            ["gh", "attestation", "verify", image, ..] => {
                assert!(image.starts_with("oci://ghcr.io/"), "{image}");
                assert!(text(".github/workflows/release.yml").contains("actions/attest@"));
            }
            [".ci/run", ref checks @ ..] => {
                for check in checks {
                    is_there(&format!(".ci/{check}"));
                }
            }
            [program, ..] if program.contains('/') => is_there(program),
            // Those have tests of their own.
            ["esp" | "aws", ..] => {}
            _ => panic!("no test knows how to check this command: {self:?}"),
        }
    }

    fn check_cargo(&self) {
        let is_there = |path: String| assert!(in_repository(&path).exists(), "{path}: {self:?}");
        let package = self.after("-p").map_or("", |name| match name {
            "esp-benches" => "benches/",
            "esp-latency" => "latency/",
            "esp-endpoints" => "tests/endpoints/",
            "esp-templates" => "tests/templates/",
            other => panic!("no package {other}"),
        });
        is_there(format!("{package}Cargo.toml"));
        if let Some(example) = self.after("--example") {
            is_there(format!("examples/{example}/main.rs"));
        }
        if let Some(bench) = self.after("--bench") {
            let manifest = text(&format!("{package}Cargo.toml"));
            assert!(manifest.contains(&format!("name = \"{bench}\"")), "{bench}");
        }
        if let Some(test) = self.after("--test") {
            let [folder, file] =
                ["/main.rs", ".rs"].map(|end| in_repository(&format!("tests/{test}{end}")));
            assert!(folder.exists() || file.exists(), "{test}: {self:?}");
        }
    }
}

/// The commands of a block for a shell. It knows quotes, `\` at the end of a line,
/// comments, and `$(COMMAND)`: in `NAME=$(COMMAND)` it is the command, later a part of a word.
pub(super) fn commands(block: &str) -> Vec<Command> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut quote = None;
    let block = block.replace("\\\n", " ") + "\n";
    let mut characters = block.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            end if quote == Some(end) => quote = None,
            _ if quote.is_some() => word.get_or_insert_default().push(character),
            '\'' | '"' => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            '#' if word.is_none() => while characters.next_if(|it| *it != '\n').is_some() {},
            '$' if characters.peek() == Some(&'(') && !words.is_empty() => {
                let word = word.get_or_insert_default();
                word.push(character);
                for inner in characters.by_ref() {
                    word.push(inner);
                    if inner == ')' {
                        break;
                    }
                }
            }
            // What is in the brackets is the command.
            '$' if characters.peek() == Some(&'(') => {
                characters.next();
                word = None;
            }
            ')' => {}
            ' ' => words.extend(word.take()),
            '\n' => {
                words.extend(word.take());
                if !words.is_empty() {
                    all.push(Command::of(std::mem::take(&mut words)));
                }
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    assert!(quote.is_none(), "an open quote: {block}");
    all
}

#[test]
fn a_block_is_split_into_commands() {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let block = "A=b esp check \\\n  --json # why\nx=$(aws s 'a\n b' \"\")\nd C=$(g h) -t e .\n";
    let [esp, aws, docker] = &commands(block)[..] else { panic!() };
    assert_eq!(esp.environment, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(esp.words, words(&["esp", "check", "--json"]));
    assert_eq!(aws.words, words(&["aws", "s", "a\n b", ""]));
    assert_eq!(docker.words, words(&["d", "C=$(g h)", "-t", "e", "."]));
}
