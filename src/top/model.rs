//! What is known of the task and of each container: the newest values, their sources and
//! the last minutes. Pure: samples, the task document and the time are told. How it looks
//! is in `frame` and `lines`.

use super::{
    columns::{COLUMNS, Column, Part},
    history::History,
    safe,
};
use crate::{
    endpoint::task::{TaskContainer, TaskDocument},
    sample::Sample,
    time::Timestamp,
};

/// A value that is older is not shown: the longest renewal of the platforms is 10 s.
const SHOWN_S: f64 = 30.0;
/// The name of the task's own row. No container of ECS can have it.
const TASK: &str = "(task)";

/// All that is shown.
#[derive(Debug)]
pub(super) struct Model {
    /// That of the task first, then those of the containers by their place.
    rows: Vec<Row>,
    /// Whose rows are shown after one another, by their index.
    order: Vec<usize>,
    /// The names of the containers as the sampler has them.
    names: Vec<String>,
    /// What the task is, in words; empty until it is known.
    pub(super) task: String,
    /// Why the endpoint's last answer brought nothing.
    pub(super) trouble: Option<String>,
}

/// A container, or the task.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Without anything that a terminal would obey, and without spaces.
    pub(super) name: String,
    /// Its state, unless it runs.
    pub(super) state: Option<String>,
    values: [Option<Value>; COLUMNS],
    /// By [`Part`].
    sources: [Option<&'static str>; 3],
    /// What 100 % is, by [`Part`].
    bases: [Option<String>; 3],
    histories: [History; COLUMNS],
}

#[derive(Clone, Copy, Debug)]
struct Value {
    value: f64,
    read: Timestamp,
}

impl Default for Model {
    fn default() -> Self {
        let task = Row { name: TASK.to_owned(), ..Row::default() };
        Self {
            rows: vec![task],
            order: vec![0],
            names: Vec::new(),
            task: String::new(),
            trouble: None,
        }
    }
}

impl Model {
    /// The names of the measured containers, by place. A place keeps its name.
    pub(super) fn set_names(&mut self, names: &[String]) {
        if self.names == names {
            return;
        }
        for name in &names[self.names.len().min(names.len())..] {
            self.rows.push(Row { name: safe::name(name), ..Row::default() });
        }
        self.names = names.to_vec();
        self.order = (0..self.rows.len()).collect();
        // On EC2 the order of the document is random.
        self.order[1..].sort_by(|a, b| self.rows[*a].name.cmp(&self.rows[*b].name));
    }

    /// What the task document says.
    pub(super) fn set_task(&mut self, task: &TaskDocument) {
        let id = task.task_id().map(|id| format!("task {id}"));
        let family = task.family().map(|family| match task.revision() {
            Some(revision) => format!("{family}:{revision}"),
            None => family.to_owned(),
        });
        let cluster = task.cluster_name().map(|cluster| format!("cluster {cluster}"));
        let words: Vec<_> =
            [id, family, cluster, task.launch_type()].into_iter().flatten().collect();
        self.task = safe::words(&words.join(", "));
        for (row, name) in self.rows[1..].iter_mut().zip(&self.names) {
            let mut named =
                task.containers().iter().filter(|it| it.name() == Some(name)).peekable();
            let first = named.peek().and_then(|it| it.known_status());
            row.state =
                if named.any(TaskContainer::is_running) { None } else { first.map(safe::name) };
        }
    }

    /// A sample that came.
    pub(super) fn take(&mut self, sample: &Sample) {
        let Some(column) = sample.metric.metric().and_then(Column::of) else { return };
        let Some(row) = self.row_mut(sample.container) else { return };
        row.values[column as usize] = Some(Value { value: sample.value, read: sample.read });
        row.histories[column as usize].push(sample.read.unix_ms() / 1000, sample.value);
    }

    /// Where the values of a part are from, and what 100 % of them is; of the container of
    /// that place, or of the task.
    pub(super) fn set_source(
        &mut self,
        container: Option<u16>,
        part: Part,
        source: &'static str,
        basis: Option<String>,
    ) {
        if let Some(row) = self.row_mut(container) {
            row.sources[part as usize] = Some(source);
            row.bases[part as usize] = basis;
        }
    }

    /// The rows, in the order in which they are shown.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &Row> + Clone {
        self.order.iter().map(|place| &self.rows[*place])
    }

    fn row_mut(&mut self, container: Option<u16>) -> Option<&mut Row> {
        let place = container.map_or(0, |place| usize::from(place) + 1);
        self.rows.get_mut(place)
    }
}

impl Row {
    /// The newest value, if it is not too old.
    pub(super) fn value(&self, column: Column, now: Timestamp) -> Option<f64> {
        let value = self.values[column as usize]?;
        (seconds(value.read, now) <= SHOWN_S).then_some(value.value)
    }

    /// How long ago the counters of a part were read, seconds.
    pub(super) fn age_s(&self, part: Part, now: Timestamp) -> Option<f64> {
        self.value(part.column(), now)?;
        Some(seconds(self.values[part.column() as usize]?.read, now))
    }

    /// Where the values of a part are from: `kernel` or `endpoint`; `None` if there is no
    /// value.
    pub(super) fn source(&self, part: Part, now: Timestamp) -> Option<&'static str> {
        self.value(part.column(), now)?;
        self.sources[part as usize]
    }

    /// What 100 % of a column is.
    pub(super) fn basis(&self, column: Column) -> Option<&str> {
        let part = match column {
            Column::Cpu => Part::Cpu,
            Column::Memory => Part::Memory,
            _ => return None,
        };
        self.bases[part as usize].as_deref()
    }

    /// The last minutes of a column.
    pub(super) const fn history(&self, column: Column) -> &History {
        &self.histories[column as usize]
    }
}

/// From `read` to `now`; zero if the two clocks are not quite the same.
#[expect(clippy::cast_precision_loss, reason = "precise enough to show")]
fn seconds(read: Timestamp, now: Timestamp) -> f64 {
    now.ns_since(read).unwrap_or(0) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Metric;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ns((1_795_514_400_000 + ms) * 1_000_000)
    }

    fn sample(metric: Metric, container: Option<u16>, ms: u64, value: f64) -> Sample {
        Sample { read: at(ms), value, metric: metric.into(), container }
    }

    fn task(text: &str) -> TaskDocument {
        TaskDocument::parse(&mut text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn rows_are_in_the_order_of_their_names_and_samples_go_by_their_place() {
        let mut model = Model::default();
        model.set_names(&["web".to_owned()]);
        model.take(&sample(Metric::CpuUtilization, Some(0), 0, 1.0));
        // One that appears later.
        model.set_names(&["web".to_owned(), "app".to_owned()]);
        model.take(&sample(Metric::CpuUtilization, Some(1), 0, 2.0));
        model.take(&sample(Metric::TaskCpuUtilization, None, 0, 3.0));
        // Of a place that nobody knows.
        model.take(&sample(Metric::CpuUtilization, Some(7), 0, 4.0));
        let rows = model.rows().map(|row| (row.name.as_str(), row.value(Column::Cpu, at(0))));
        let expected = [("(task)", Some(3.0)), ("app", Some(2.0)), ("web", Some(1.0))];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_value_has_an_age_and_a_source_until_it_is_too_old() {
        let mut model = Model::default();
        model.take(&sample(Metric::TaskCpuUtilization, None, 500, 3.0));
        model.set_source(None, Part::Cpu, "kernel", Some("task limit of 2 vCPU".to_owned()));
        model.set_source(None, Part::Memory, "endpoint", None);
        let row = model.rows().next().unwrap();
        assert_eq!(row.age_s(Part::Cpu, at(2000)), Some(1.5));
        assert_eq!(row.source(Part::Cpu, at(30_500)), Some("kernel"));
        assert_eq!(row.source(Part::Cpu, at(30_501)), None);
        assert_eq!(row.value(Column::Cpu, at(30_501)), None);
        // Of a clock that is a little behind.
        assert_eq!(row.age_s(Part::Cpu, at(0)), Some(0.0));
        // Without a value there is no source.
        assert_eq!(row.source(Part::Memory, at(2000)), None);
        assert_eq!(row.basis(Column::Cpu), Some("task limit of 2 vCPU"));
    }

    #[test]
    fn the_task_document_says_what_it_is_and_what_does_not_run() {
        let mut model = Model::default();
        model.set_names(&["web".to_owned(), "init".to_owned()]);
        model.set_task(&task(
            r#"{"Cluster": "shop", "TaskARN": "arn:aws:ecs:eu-west-1:111122223333:task/shop/98de",
                "Family": "web\u001b[2J", "Revision": "7", "LaunchType": "EC2", "Containers": [
                {"DockerId": "a", "Name": "web", "KnownStatus": "STOPPED"},
                {"DockerId": "b", "Name": "web", "KnownStatus": "RUNNING"},
                {"DockerId": "c", "Name": "init", "KnownStatus": "STOPPED"}]}"#,
        ));
        assert_eq!(model.task, r"task 98de, web\u001b[2J:7, cluster shop, EC2");
        let states: Vec<_> = model.rows().map(|row| row.state.as_deref()).collect();
        assert_eq!(states, [None, Some("STOPPED"), None]);
    }
}
