//! Real container statistics: follows a Docker engine's stream for each container
//! and serves the last object, byte for byte, as the ECS agent does. Reads from
//! an engine only; it neither starts containers nor the engine.

use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::containers::{Container, Limits, NetworkMode, Task};
use crate::http::{read_chunk, read_chunks, read_exactly, read_line};
use crate::json::Object;
use crate::metadata::Documents;

/// A Docker engine behind its Unix socket.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    socket: PathBuf,
}

impl DockerEngine {
    /// The engine that `DOCKER_HOST=unix://…` names, or the usual socket.
    #[must_use]
    pub fn from_environment() -> Self {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        Self::at(host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock"))
    }

    /// The engine at that socket.
    #[must_use]
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Looks a container up by its name or id: its real id, its limits and its
    /// network as the ECS agent would describe them.
    ///
    /// # Errors
    /// When there is no engine, no such container, or no sense in the answer.
    pub fn container(&self, name: &str) -> io::Result<Container> {
        let (mut reader, chunked, length) = self.get(&format!("/containers/{name}/json"))?;
        let body = if chunked {
            read_chunks(&mut reader)?
        } else {
            let mut body = Vec::new();
            read_exactly(&mut reader, length, &mut body)?;
            body
        };
        describe(&body).ok_or_else(|| io::Error::other("no container in the engine's answer"))
    }

    /// Sends a request and reads the head of its answer: where the body starts,
    /// whether it is chunked, and its length if not.
    fn get(&self, path: &str) -> io::Result<(BufReader<UnixStream>, bool, u64)> {
        let mut stream = UnixStream::connect(&self.socket)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")?;
        let mut reader = BufReader::new(stream);
        let status = read_line(&mut reader)?;
        let (mut chunked, mut length) = (false, 0);
        loop {
            let line = read_line(&mut reader)?.to_ascii_lowercase();
            match line.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("transfer-encoding", "chunked")) => chunked = true,
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(_) => {}
                None => break,
            }
        }
        match status.split(' ').nth(1) {
            Some("200") => Ok((reader, chunked, length)),
            _ => Err(io::Error::other(format!("the engine answered {status:?} to {path}"))),
        }
    }
}

/// A task whose containers run in a Docker engine. Dropping it ends its threads.
#[derive(Debug)]
pub struct DockerAgent {
    task: Task,
    /// In the order of the task's containers.
    streams: Vec<Stream>,
}

impl DockerAgent {
    /// Adds the named containers to the task and follows their statistics.
    ///
    /// # Errors
    /// When one of them cannot be found or followed.
    pub fn start(engine: &DockerEngine, task: Task, names: &[&str]) -> io::Result<Self> {
        Self::renewing(engine, task, names, 1)
    }

    /// The same, which shows only one of so many objects, as Fargate's agent shows
    /// something new each 10 s.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn renewing(
        engine: &DockerEngine,
        mut task: Task,
        names: &[&str],
        one_in: u32,
    ) -> io::Result<Self> {
        let mut streams = Vec::new();
        for name in names {
            let container = engine.container(name)?;
            streams.push(Stream::start(engine, &container.docker_id, one_in)?);
            task.containers.push(container);
        }
        Ok(Self { task, streams })
    }

    /// The task with its containers.
    #[must_use]
    pub fn description(&self) -> &Task {
        &self.task
    }
}

impl Documents for DockerAgent {
    fn task(&mut self) -> Vec<u8> {
        self.task.document()
    }

    fn stats(&mut self) -> Vec<u8> {
        let mut document = Object::new();
        for stream in &self.streams {
            let last = stream.last.lock().unwrap();
            document = document.raw(&stream.docker_id, last.as_deref().unwrap_or("null"));
        }
        document.end().into_bytes()
    }
}

/// One container's stream of statistics, about one object a second.
#[derive(Debug)]
struct Stream {
    docker_id: String,
    last: Arc<Mutex<Option<String>>>,
    /// A second handle, to wake the thread from outside.
    socket: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    fn start(engine: &DockerEngine, docker_id: &str, one_in: u32) -> io::Result<Self> {
        let path = format!("/containers/{docker_id}/stats?stream=1");
        let (mut reader, _, _) = engine.get(&path)?;
        let socket = reader.get_ref().try_clone()?;
        let last = Arc::new(Mutex::new(None));
        let thread = std::thread::spawn({
            let last = Arc::clone(&last);
            move || {
                let (mut unread, mut objects) = (Vec::new(), 0_u32);
                // A chunk may hold part of an object or several; each ends its line.
                while matches!(read_chunk(&mut reader, &mut unread), Ok(true)) {
                    if let Some(end) = unread.iter().rposition(|byte| *byte == b'\n') {
                        let rest = unread.split_off(end + 1);
                        let whole = String::from_utf8_lossy(&unread);
                        if objects.is_multiple_of(one_in) {
                            *last.lock().unwrap() = whole.lines().last().map(str::to_owned);
                        }
                        objects += 1;
                        unread = rest;
                    }
                }
                // The container is gone, or the engine is: no data from here on.
                *last.lock().unwrap() = None;
            }
        });
        Ok(Self { docker_id: docker_id.into(), last, socket, thread: Some(thread) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A container as the engine's `inspect` describes it.
fn describe(body: &[u8]) -> Option<Container> {
    let inspect: Value = serde_json::from_slice(body).ok()?;
    let host = &inspect["HostConfig"];
    let shares = host["CpuShares"].as_f64().filter(|shares| *shares > 0.0);
    let memory = host["Memory"].as_u64().filter(|bytes| *bytes > 0);
    let state = inspect["State"]["Status"].as_str()?;
    Some(Container {
        docker_id: inspect["Id"].as_str()?.into(),
        known_status: if state == "running" { "RUNNING" } else { "STOPPED" }.into(),
        limits: Limits { cpu: shares, memory_mib: memory.map(|bytes| bytes >> 20) },
        network_mode: match host["NetworkMode"].as_str() {
            Some("host") => NetworkMode::Host,
            Some("none") => NetworkMode::None,
            _ => NetworkMode::Bridge,
        },
        ..Container::new(inspect["Name"].as_str()?.trim_start_matches('/'))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::containers::Shape;

    const INSPECT: &str = r#"{"Id":"0123abcd","Name":"/web","State":{"Status":"running"},
        "HostConfig":{"CpuShares":256,"Memory":134217728,"NetworkMode":"default"}}"#;

    /// An engine with one container, whose stream is cut mid-object by its chunks
    /// and then falls silent until the client leaves.
    fn engine(name: &str) -> DockerEngine {
        let file = format!("esp-endpoints-{}-{name}.sock", std::process::id());
        let socket = std::env::temp_dir().join(file);
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let request = read_line(&mut reader).unwrap();
                while !read_line(&mut reader).unwrap().is_empty() {}
                if request.contains("/json") {
                    let length = INSPECT.len();
                    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{INSPECT}")
                        .unwrap();
                    continue;
                }
                write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
                for chunk in ["{\"n\":1}\n{\"n\":", "2}\n{\"n\""] {
                    write!(stream, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
                }
                let _ = read_line(&mut reader);
            }
        });
        DockerEngine::at(socket)
    }

    #[test]
    fn the_last_whole_object_is_replayed_as_it_came() {
        let task = Task::new(Shape::Ec2CgroupV1, "prod", "web");
        let mut agent = DockerAgent::start(&engine("replay"), task, &["web"]).unwrap();
        let start = Instant::now();
        while agent.stats() != b"{\"0123abcd\":{\"n\":2}}" {
            assert!(start.elapsed() < Duration::from_secs(5), "the second object");
            std::thread::sleep(Duration::from_millis(5));
        }
        let container = &agent.description().containers[0];
        assert_eq!((container.name.as_str(), container.docker_id.as_str()), ("web", "0123abcd"));
        let limits = Limits { cpu: Some(256.0), memory_mib: Some(128) };
        assert_eq!(container.limits, limits);
        // Dropping ends the silent stream.
        drop(agent);
    }

    #[test]
    fn no_engine_is_an_error_and_nothing_worse() {
        assert!(DockerEngine::at("/nowhere/docker.sock").container("web").is_err());
    }
}
