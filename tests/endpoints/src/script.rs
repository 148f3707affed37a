//! Which fault the next request meets: first what was scripted, one request
//! each, then what holds always. What a fault *is* belongs to each endpoint.

use std::collections::VecDeque;

/// A queue of faults over a standing one. `None` in the queue is a request that
/// goes well.
#[derive(Debug)]
pub struct Script<F> {
    next: VecDeque<Option<F>>,
    always: Option<F>,
}

impl<F> Default for Script<F> {
    fn default() -> Self {
        Self { next: VecDeque::new(), always: None }
    }
}

impl<F: Clone> Script<F> {
    /// Adds faults for the coming requests, one each.
    pub fn push(&mut self, faults: impl IntoIterator<Item = Option<F>>) {
        self.next.extend(faults);
    }

    /// What every request meets once the queue is empty.
    pub fn always(&mut self, fault: Option<F>) {
        self.always = fault;
    }

    /// The fault of this request, if any.
    pub fn take(&mut self) -> Option<F> {
        self.next.pop_front().unwrap_or_else(|| self.always.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_comes_before_the_standing_fault() {
        let mut script = Script::default();
        script.push([Some('a'), None]);
        script.always(Some('z'));
        let met: Vec<_> = (0..4).map(|_| script.take()).collect();
        assert_eq!(met, [Some('a'), None, Some('z'), Some('z')]);
    }
}
