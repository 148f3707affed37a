//! Ids in text that is to be shown to strangers: of tasks, containers and accounts.

use std::fmt::Write as _;

/// Shorter runs of digits name nothing.
const SHORTEST_ID: usize = 12;
/// What is left of an id, characters: enough to tell those of one report apart.
const LEFT: usize = 6;

/// `text` with each id shortened to its first six characters. An id is a run of at least
/// twelve hexadecimal digits; of an account's number, which
/// has decimal digits only, nothing is left.
pub(super) fn mask(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|it: char| it.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(start);
        masked += before;
        let length = from.find(|it: char| !it.is_ascii_hexdigit()).unwrap_or(from.len());
        let (run, after) = from.split_at(length);
        if run.len() < SHORTEST_ID {
            masked += run;
        } else if run.bytes().all(|it| it.is_ascii_digit()) {
            let _ = write!(masked, "<{} digits>", run.len());
        } else {
            let _ = write!(masked, "{}…", &run[..LEFT]);
        }
        rest = after;
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_and_the_form_of_a_path_stays() {
        let id = "64a8b67cc4e3d5d942f81bfcfc7dcd6fe58e0eccd0eb2a253fd1113653c4ee17";
        let task = "158d1c8083dd49d6b527399fd6414f5c";
        for (text, masked) in [
            (format!("/docker/{id}"), "/docker/64a8b6…"),
            (format!("/ecs/{task}/{task}-1234567890"), "/ecs/158d1c…/158d1c…-1234567890"),
            (format!("/system.slice/docker-{id}.scope"), "/system.slice/docker-64a8b6….scope"),
            ("/account/111122223333/é".to_owned(), "/account/<12 digits>/é"),
            ("/../0badcafe".to_owned(), "/../0badcafe"),
            ("/".to_owned(), "/"),
            (String::new(), ""),
        ] {
            assert_eq!(mask(&text), masked);
        }
    }
}
