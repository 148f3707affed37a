//! Reads variables one after the other and collects everything that is wrong, so
//! that the user sees all errors at once. Which values a variable takes is in its
//! row of the table.

use std::time::Duration;

use super::{
    Given, Lookup, SettingsError, SettingsErrors, SettingsWarning, Variable, kind::meaning,
};

/// The variables of one [`Lookup`], and what was found wrong with them so far.
pub(super) struct Reader<'a, L: Lookup + ?Sized> {
    lookup: &'a L,
    errors: Vec<SettingsError>,
    warnings: Vec<SettingsWarning>,
}

impl<'a, L: Lookup + ?Sized> Reader<'a, L> {
    pub(super) fn new(lookup: &'a L) -> Self {
        Self { lookup, errors: Vec::new(), warnings: Vec::new() }
    }

    /// What was given for `variable`; an empty text is nothing.
    pub(super) fn given(&self, variable: &Variable) -> Option<Given> {
        self.lookup.get(variable).filter(|given| !given.text.is_empty())
    }

    /// What was given for `variable`, or else its default, with the name to use in
    /// an error.
    pub(super) fn given_or_default(&self, variable: &Variable) -> Option<Given> {
        self.given(variable).or_else(|| {
            let text = variable.default.value()?.to_owned();
            Some(Given { name: variable.name.to_owned(), text })
        })
    }

    /// The value that was given, or else the default. `None`: there is neither, or
    /// the text is not valid, which is an error then.
    pub(super) fn value<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let given = self.given_or_default(variable)?;
        let value = parse(&given.text);
        if value.is_none() {
            self.invalid(variable, &given, variable.expected());
        }
        value
    }

    /// The value of a variable that has to be given.
    pub(super) fn required<T>(
        &mut self,
        variable: &'static Variable,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.given(variable).is_none() {
            let (name, expected) = (variable.name, variable.expected());
            self.errors.push(SettingsError::Missing { name, expected });
        }
        self.value(variable, parse)
    }

    /// The text of a variable that has to be given.
    pub(super) fn required_text(&mut self, variable: &'static Variable) -> Option<String> {
        self.required(variable, |text| variable.accepts(text).then(|| text.to_owned()))
    }

    /// What was given, if it is valid.
    pub(super) fn named(&mut self, variable: &Variable) -> Option<Given> {
        let given = self.given(variable)?;
        self.value(variable, |text| variable.accepts(text).then_some(given))
    }

    /// The first of two variables that is set. Both are checked.
    pub(super) fn named_text(&mut self, first: &Variable, second: &Variable) -> Option<Given> {
        let (first, second) = (self.named(first), self.named(second));
        first.or(second)
    }

    /// The duration that was given, or else the default.
    pub(super) fn duration(&mut self, variable: &Variable) -> Option<Duration> {
        self.value(variable, |text| variable.kind.duration(text))
    }

    /// What the word that was given, or else the default, stands for in `table`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        variable: &Variable,
        table: &[(&'static str, T)],
    ) -> Option<T> {
        self.value(variable, |text| meaning(table, text))
    }

    /// Notes that `given` cannot be used.
    pub(super) fn invalid(&mut self, variable: &Variable, given: &Given, expected: String) {
        let (name, value) = (given.name.clone(), variable.shown(&given.text));
        self.errors.push(SettingsError::Invalid { name, value, expected });
    }

    /// Notes that the value of `variable`, given or default, cannot be used
    /// together with another variable.
    pub(super) fn conflict(&mut self, variable: &Variable, expected: String) {
        if let Some(given) = self.given_or_default(variable) {
            self.invalid(variable, &given, expected);
        }
    }

    pub(super) fn error(&mut self, error: SettingsError) {
        self.errors.push(error);
    }

    pub(super) fn warn(&mut self, warning: SettingsWarning) {
        self.warnings.push(warning);
    }

    /// The warnings, or all errors if there are any.
    pub(super) fn finish(self) -> Result<Vec<SettingsWarning>, SettingsErrors> {
        SettingsErrors::of(self.errors).map_or(Ok(self.warnings), Err)
    }
}
