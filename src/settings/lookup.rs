//! Where the text of a variable comes from: the environment, flags, or a test's
//! table. Only [`Environment`] asks for the process's own.

use super::{Variable, environment, variable};

/// Where values come from.
pub trait Lookup {
    /// What was given for `variable`. An empty text counts as nothing given.
    fn get(&self, variable: &Variable) -> Option<Given>;
}

/// A value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// How it was named: `SAMPLE_INTERVAL` or `--sample-interval`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A table of names and values, for tests and for programs that bring their own.
impl Lookup for [(&str, &str)] {
    fn get(&self, variable: &Variable) -> Option<Given> {
        let (name, text) = self.iter().find(|(name, _)| *name == variable.name)?;
        Some(Given { name: (*name).to_owned(), text: (*text).to_owned() })
    }
}

/// The environment of the process.
#[derive(Clone, Copy, Debug)]
pub struct Environment;

impl Lookup for Environment {
    fn get(&self, variable: &Variable) -> Option<Given> {
        // What is not Unicode turns into U+FFFD, which no variable accepts: it
        // ends as an error that shows it, not as a value that was overlooked.
        let text = environment::given(variable.name)?.to_string_lossy().into_owned();
        Some(Given { name: variable.name.to_owned(), text })
    }
}

/// Another lookup, for a check outside ECS: if it has no metadata endpoint, the one
/// of the documentation stands for it, so that everything else can be checked.
#[derive(Clone, Copy, Debug)]
pub struct Offline<'a, L: Lookup + ?Sized>(pub &'a L);

impl<L: Lookup + ?Sized> Offline<'_, L> {
    /// Whether the endpoint is one that was given.
    #[must_use]
    pub fn has_endpoint(&self) -> bool {
        self.given(&variable::ENDPOINT).is_some()
    }

    fn given(&self, variable: &Variable) -> Option<Given> {
        self.0.get(variable).filter(|given| !given.text.is_empty())
    }
}

impl<L: Lookup + ?Sized> Lookup for Offline<'_, L> {
    fn get(&self, variable: &Variable) -> Option<Given> {
        self.given(variable).or_else(|| {
            (variable.name == variable::ENDPOINT.name).then(|| Given {
                name: variable.name.to_owned(),
                text: variable.example.to_owned(),
            })
        })
    }
}

/// Another lookup, for `esp top`: the endpoint and the source as they are given, all
/// containers, and nothing else, since nothing is published.
#[derive(Clone, Copy, Debug)]
pub struct OfTask<'a, L: Lookup + ?Sized>(pub &'a L);

impl<L: Lookup + ?Sized> Lookup for OfTask<'_, L> {
    fn get(&self, variable: &Variable) -> Option<Given> {
        let fixed = [
            (variable::CONTAINER_NAME.name, "*"),
            // Required, and of no use.
            (variable::NAMESPACE.name, "none"),
        ];
        if [variable::ENDPOINT.name, variable::SOURCE.name].contains(&variable.name) {
            self.0.get(variable)
        } else {
            Lookup::get(&fixed[..], variable)
        }
    }
}
