//! `/task` off simd-json's tape into owned structs. A field that is not what the
//! endpoint documents costs itself: it is left out and noted as a [`BadField`], and
//! everything else is read. Only a document that is not an object, or has no
//! container that can be read, is an error.

use std::{fmt, net::Ipv4Addr};

use simd_json::ErrorType;

use super::{
    ContainerLimits, ContainerNetwork, EphemeralStorage, TaskContainer, TaskDocument, TaskError,
    TaskLimits, bad_field::BadField,
};
use crate::{
    endpoint::tape::{Fields, Items, Value},
    time::timestamp::{Timestamp, TimestampError},
};

/// Containers that are looked at. ECS allows ten in a task definition, and adds
/// a few; a document may claim tens of thousands.
pub(super) const CONTAINERS_MAX: usize = 1000;

/// The longest text that is taken. An ARN has some hundred bytes, the value of a dimension
/// 1024; what is longer would only fill the log and the report.
const TEXT_BYTES_MAX: usize = 2048;

/// Bad fields that a document remembers: enough for a log line.
const BAD_FIELDS_MAX: usize = 8;

impl TaskDocument {
    /// Reads `body`, which it scribbles over. A field of another type than
    /// documented is left out and is one of [`TaskDocument::bad_fields`].
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the body is not JSON or not an object, or if it has
    /// containers of which none can be read.
    pub fn parse(body: &mut [u8]) -> Result<Self, TaskError> {
        let untouched = body.to_vec();
        let mut quoted;
        let tape = match simd_json::to_tape(body) {
            // One such number would cost the whole document.
            Err(error) if matches!(error.error(), ErrorType::InvalidNumber) => {
                quoted = quote_infinite_numbers(&untouched);
                simd_json::to_tape(&mut quoted)
            }
            result => result,
        };
        let tape = tape.map_err(TaskError::Json)?;
        let fields = Value::document(&tape.0).fields().ok_or(TaskError::NotAnObject)?;
        Reader::default().task(fields)
    }
}

/// JSON in which each number too large for a float is a string, which then is a bad
/// field like any other.
fn quote_infinite_numbers(json: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(json.len() + 16);
    let (mut rest, mut is_in_string) = (json, false);
    while let [byte, after @ ..] = rest {
        let length = match byte {
            b'\\' if is_in_string => 2.min(rest.len()),
            b'"' => {
                is_in_string = !is_in_string;
                1
            }
            b'-' | b'0'..=b'9' if !is_in_string => {
                let is_part =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                1 + after.iter().take_while(|byte| is_part(byte)).count()
            }
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        let number = std::str::from_utf8(token).ok().and_then(|text| text.parse::<f64>().ok());
        if !is_in_string && number.is_some_and(f64::is_infinite) {
            quoted.extend([b"\"", token, b"\""].concat());
        } else {
            quoted.extend_from_slice(token);
        }
        rest = after;
    }
    quoted
}

/// Where a value is, from the inside out.
#[derive(Clone, Copy)]
enum Path<'a> {
    Top(&'a str),
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(key) => f.write_str(key),
            Self::Field(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// What was bad so far.
#[derive(Default)]
struct Reader {
    bad: Vec<BadField>,
}

impl Reader {
    fn task(mut self, fields: Fields<'_, '_>) -> Result<TaskDocument, TaskError> {
        let mut task = TaskDocument::default();
        let mut is_unreadable = false;
        for (key, value) in fields {
            let at = Path::Top(key);
            match key {
                "Cluster" => task.cluster = self.text(value, at),
                "TaskARN" => task.task_arn = self.text(value, at),
                "Family" => task.family = self.text(value, at),
                "ServiceName" => task.service_name = self.text(value, at),
                "Revision" => task.revision = self.text(value, at),
                "LaunchType" => task.launch_type = self.text(value, at),
                "AvailabilityZone" => task.availability_zone = self.text(value, at),
                "Limits" => task.limits = self.task_limits(value, at),
                "EphemeralStorageMetrics" => {
                    task.ephemeral_storage = self.ephemeral_storage(value, at);
                }
                "Containers" => {
                    task.containers = self.containers(value, at);
                    let is_unset =
                        value.is_null() || value.items().is_some_and(|items| items.count() == 0);
                    is_unreadable = task.containers.is_empty() && !is_unset;
                }
                _ => {}
            }
        }
        task.bad_fields = self.bad;
        if is_unreadable {
            return Err(TaskError::NoContainer);
        }
        Ok(task)
    }

    fn task_limits(&mut self, value: Value<'_, '_>, at: Path<'_>) -> TaskLimits {
        let mut limits = TaskLimits::default();
        for (key, value) in self.fields(value, at) {
            let at = Path::Field(&at, key);
            match key {
                "CPU" => limits.cpu_vcpu = self.number(value, at),
                "Memory" => limits.memory_mib = self.number(value, at),
                _ => {}
            }
        }
        limits
    }

    fn ephemeral_storage(&mut self, value: Value<'_, '_>, at: Path<'_>) -> EphemeralStorage {
        let mut storage = EphemeralStorage { is_listed: !value.is_null(), ..Default::default() };
        for (key, value) in self.fields(value, at) {
            let at = Path::Field(&at, key);
            match key {
                "Utilized" => storage.utilized_mib = self.number(value, at),
                "Reserved" => storage.reserved_mib = self.number(value, at),
                _ => {}
            }
        }
        storage
    }

    fn containers(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Vec<TaskContainer> {
        let mut containers = Vec::new();
        for (index, item) in self.items(value, at).take(CONTAINERS_MAX).enumerate() {
            let at = Path::Item(&at, index);
            if let Some(fields) = self.item_fields(item, at) {
                containers.push(self.container(fields, at));
            }
        }
        containers
    }

    fn container(&mut self, fields: Fields<'_, '_>, at: Path<'_>) -> TaskContainer {
        let mut container = TaskContainer::default();
        for (key, value) in fields {
            let at = Path::Field(&at, key);
            match key {
                "DockerId" => container.docker_id = self.text(value, at),
                "Name" => container.name = self.text(value, at),
                "KnownStatus" => container.known_status = self.text(value, at),
                "Type" => container.kind = self.text(value, at),
                "StartedAt" => container.started_at = self.time(value, at),
                "Health" => container.health = self.health(value, at),
                "RestartCount" => {
                    container.restart_count = self.count(value, at);
                    container.lists_restart_count = !value.is_null();
                }
                "Limits" => container.limits = self.container_limits(value, at),
                "Networks" => container.networks = self.networks(value, at),
                _ => {}
            }
        }
        container
    }

    fn health(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Option<String> {
        let status = self.fields(value, at).find(|(key, _)| *key == "status");
        status.and_then(|(key, value)| self.text(value, Path::Field(&at, key)))
    }

    fn container_limits(&mut self, value: Value<'_, '_>, at: Path<'_>) -> ContainerLimits {
        let mut limits = ContainerLimits::default();
        for (key, value) in self.fields(value, at) {
            let at = Path::Field(&at, key);
            match key {
                "CPU" => limits.cpu_units = self.number(value, at),
                "Memory" => limits.memory_mib = self.number(value, at),
                _ => {}
            }
        }
        limits
    }

    fn networks(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Vec<ContainerNetwork> {
        let mut networks = Vec::new();
        for (index, item) in self.items(value, at).enumerate() {
            let at = Path::Item(&at, index);
            let Some(fields) = self.item_fields(item, at) else { continue };
            let mut network = ContainerNetwork::default();
            for (key, value) in fields {
                let at = Path::Field(&at, key);
                match key {
                    "NetworkMode" => network.mode = self.text(value, at),
                    "MACAddress" => network.mac_address = self.text(value, at),
                    "IPv4Addresses" => network.ipv4_addresses = self.addresses(value, at),
                    _ => {}
                }
            }
            networks.push(network);
        }
        networks
    }

    fn addresses(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Vec<Ipv4Addr> {
        let mut addresses = Vec::new();
        for (index, item) in self.items(value, at).enumerate() {
            match item.string().map(str::parse) {
                // A container that has ended has one without letters.
                Some(Err(_)) if item.string() == Some("") => {}
                Some(Ok(address)) => addresses.push(address),
                _ => self.note(item, Path::Item(&at, index), "an IPv4 address"),
            }
        }
        addresses
    }

    /// An object's fields; none if it is not set.
    fn fields<'tape, 'body>(
        &mut self,
        value: Value<'tape, 'body>,
        at: Path<'_>,
    ) -> impl Iterator<Item = (&'body str, Value<'tape, 'body>)> + use<'tape, 'body> {
        let fields = value.fields();
        if fields.is_none() && !value.is_null() {
            self.note(value, at, "an object");
        }
        fields.into_iter().flatten()
    }

    /// The fields of an item of an array, which cannot be `null`.
    fn item_fields<'tape, 'body>(
        &mut self,
        value: Value<'tape, 'body>,
        at: Path<'_>,
    ) -> Option<Fields<'tape, 'body>> {
        let fields = value.fields();
        if fields.is_none() {
            self.note(value, at, "an object");
        }
        fields
    }

    /// An array's items; none if it is not set.
    fn items<'tape, 'body>(
        &mut self,
        value: Value<'tape, 'body>,
        at: Path<'_>,
    ) -> impl Iterator<Item = Value<'tape, 'body>> + use<'tape, 'body> {
        let items: Option<Items<'tape, 'body>> = value.items();
        if items.is_none() && !value.is_null() {
            self.note(value, at, "an array");
        }
        items.into_iter().flatten()
    }

    fn text(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Option<String> {
        let Some(text) = value.string() else { return self.expect(None, value, at, "a string") };
        let short = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX).map(str::to_owned);
        self.expect(short, value, at, "a string of at most 2048 bytes")
    }

    fn number(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Option<f64> {
        self.expect(value.float(), value, at, "a number")
    }

    fn count(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Option<u32> {
        let count = value.unsigned().and_then(|number| u32::try_from(number).ok());
        self.expect(count, value, at, "a whole number from 0 to 4294967295")
    }

    /// A time; none before 1970, which is how Go writes a time that is not set.
    fn time(&mut self, value: Value<'_, '_>, at: Path<'_>) -> Option<Timestamp> {
        match value.string().map(Timestamp::parse) {
            Some(Ok(time)) => Some(time),
            Some(Err(TimestampError::BeforeEpoch)) => None,
            _ => self.expect(None, value, at, "an RFC 3339 timestamp"),
        }
    }

    /// `read`, which is noted as bad if the value is set and could not be read.
    fn expect<T>(
        &mut self,
        read: Option<T>,
        value: Value<'_, '_>,
        at: Path<'_>,
        expected: &'static str,
    ) -> Option<T> {
        if read.is_none() && !value.is_null() {
            self.note(value, at, expected);
        }
        read
    }

    fn note(&mut self, value: Value<'_, '_>, at: Path<'_>, expected: &'static str) {
        if self.bad.len() < BAD_FIELDS_MAX {
            self.bad.push(BadField { path: at.to_string(), value: value.to_string(), expected });
        }
    }
}

#[cfg(test)]
mod tests;
