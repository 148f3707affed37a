//! Tells the program what it was built from: the commit and the profile. A report from
//! the field then says what ran.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Characters of a commit's name that are kept.
const SHORT: usize = 12;

fn main() {
    println!("cargo::rerun-if-env-changed=ESP_COMMIT");
    let given = env::var("ESP_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| commit_of(Path::new("."))).unwrap_or_else(|| "unknown".into());
    let short: String = commit.chars().filter(char::is_ascii_alphanumeric).take(SHORT).collect();
    println!("cargo::rustc-env=ESP_COMMIT={short}");
    println!("cargo::rustc-env=ESP_PROFILE={}", profile().unwrap_or_else(|| "unknown".into()));
}

/// The folder of the target directory, which has the name of the profile: `debug` for
/// `dev`. It is three above `OUT_DIR`, which is `PROFILE/build/esp-HASH/out`.
fn profile() -> Option<String> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    Some(out.ancestors().nth(3)?.file_name()?.to_str()?.to_owned())
}

/// The commit that is checked out at `root`; `None` without a repository. Git itself is
/// not asked: a machine with Rust may be without it.
fn commit_of(root: &Path) -> Option<String> {
    let dot_git = root.join(".git");
    let git = match fs::read_to_string(&dot_git) {
        // A work tree of its own: a file that says where.
        Ok(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => dot_git,
    };
    let head = read(&git.join("HEAD"))?;
    // Each commit is added to it, also one that makes a file for a branch that had none.
    watch(&git.join("logs/HEAD"));
    let Some(name) = head.strip_prefix("ref:").map(str::trim) else { return Some(head) };
    // Branches are kept once for all work trees.
    let common = match fs::read_to_string(git.join("commondir")) {
        Ok(path) => git.join(path.trim()),
        Err(_) => git,
    };
    read(&common.join(name)).or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        let line = packed.lines().find(|line| line.ends_with(&format!(" {name}")))?;
        Some(line.split(' ').next()?.to_owned())
    })
}

/// A file's text, and Cargo runs this again when it changes.
fn read(file: &Path) -> Option<String> {
    watch(file);
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

/// Cargo runs this again when the file changes. Not if it is not there: Cargo would take
/// that for a change, each time, and compile everything again with each command.
fn watch(file: &Path) {
    if file.exists() {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}
