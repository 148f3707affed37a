//! A Docker engine for the tests that need one, by the `docker` command: an image
//! with a shell, and containers of it. `.ci/docker` and `.ci/image` see to it that
//! there is one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::harness::Need;

/// An image with nothing but busybox in it.
pub(crate) const IMAGE: &str = "esp-test-busybox";

/// An engine on its socket, the `docker` command and a static busybox.
pub(crate) const ENGINE: Need = Need { word: "docker", lacks };

/// Somebody's engine gets an image and containers only if that is asked for.
fn lacks() -> Option<String> {
    static LACKS: LazyLock<Option<String>> = LazyLock::new(|| prepare().err());
    if !ENGINE.is_required() {
        return Some("takes a Docker engine: `.ci/docker` runs it".to_owned());
    }
    LACKS.as_ref().map(|lacks| format!("takes a Docker engine and a static busybox ({lacks})"))
}

/// Runs `docker` and gives what it printed.
pub(crate) fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Makes the image; the reason where that cannot be done here.
pub(crate) fn prepare() -> Result<(), String> {
    docker(&["info", "--format", "{{.ServerVersion}}"])?;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let busybox =
        busybox.into_iter().find(|path| path.exists()).ok_or("there is no static busybox")?;
    let context = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("busybox");
    fs::create_dir_all(&context).map_err(|e| e.to_string())?;
    fs::copy(busybox, context.join("busybox")).map_err(|e| e.to_string())?;
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY busybox /bin/busybox\n")
        .map_err(|e| e.to_string())?;
    docker(&["build", "-q", "-t", IMAGE, context.to_str().unwrap()]).map(drop)
}

/// A container that runs until it is dropped.
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) id: String,
}

impl Container {
    pub(crate) fn start(name: &str, options: &[&str], script: &str) -> Self {
        let name = format!("esp-test-{name}-{}", std::process::id());
        let fixed = ["run", "-d", "--rm", "--network", "bridge", "--name", &name];
        let command = [IMAGE, "/bin/busybox", "sh", "-c", script];
        let id = docker(&[&fixed, options, &command].concat()).unwrap();
        Self { name, id }
    }

    /// A file of the container's cgroup, of whichever version this host has.
    pub(crate) fn cgroup_file(&self, v1_controller: &str, v1: &str, v2: &str) -> PathBuf {
        let v2_scope = format!("/sys/fs/cgroup/system.slice/docker-{}.scope/{v2}", self.id);
        let v2_group = format!("/sys/fs/cgroup/docker/{}/{v2}", self.id);
        let v1 = format!("/sys/fs/cgroup/{v1_controller}/docker/{}/{v1}", self.id);
        let candidates = [v1, v2_scope, v2_group].map(PathBuf::from);
        candidates.into_iter().find(|path| path.exists()).expect("the container's cgroup")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-f", &self.name]);
    }
}
