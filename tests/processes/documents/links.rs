//! Each link of a document leads to a file of the repository, and to a heading of it.
//! Links to other places are not followed.

use std::collections::BTreeMap;

use super::{documents, fences, in_repository, text};

/// The anchors that GitHub gives to a document's headings.
fn anchors(document: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (_, text) = fences(document);
    let headings = text.lines().filter_map(|line| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len()).then(|| heading.strip_prefix(' ')).flatten()
    });
    let mut all = Vec::new();
    for heading in headings {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        let anchor: String = kept.map(|it| if it == ' ' { '-' } else { it }).collect();
        let count = seen.entry(anchor.clone()).or_default();
        all.push(if *count == 0 { anchor.clone() } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    all
}

/// What is wrong with a link in the document at `from`.
fn wrong(from: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if path.is_empty() { from.to_owned() } else { format!("{folder}/{path}") };
    let path = path.trim_start_matches('/');
    if !in_repository(path).exists() {
        return Some(format!("{from}: there is no {path}"));
    }
    let is_known = anchor.is_empty() || anchors(&text(path)).iter().any(|known| known == anchor);
    (!is_known).then(|| format!("{from}: {path} has no heading for #{anchor}"))
}

#[test]
fn each_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    let mut faults = Vec::new();
    for from in documents() {
        let (_, prose) = fences(&text(&from));
        for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            count += 1;
            faults.extend(wrong(&from, target));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 80, "{count}");
}

#[test]
fn each_page_of_the_documentation_can_be_reached_from_the_readme() {
    let readme = text("README.md");
    for path in documents().iter().filter(|path| path.starts_with("docs/")) {
        assert!(readme.contains(&format!("]({path})")), "{path}");
    }
}

#[test]
fn a_link_to_nothing_is_found() {
    assert!(wrong("docs/metrics.md", "operations.md#exit-codes").is_none());
    assert!(wrong("docs/metrics.md", "#what-100--is").is_none());
    assert!(wrong("README.md", "docs/operations.md#no-such-heading").is_some());
    assert!(wrong("docs/metrics.md", "README.md").is_some());
    assert_eq!(anchors("# A `b`, c\n\n## A b c\n"), ["a-b-c", "a-b-c-1"]);
}
