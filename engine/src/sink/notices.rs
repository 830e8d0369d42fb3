//! Trouble that many entries share, told once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::EntryPath;
use crate::problem::{Problem, ProblemKind};

/// What was told: the first entry of each topic, and how many there were.
#[derive(Default)]
pub(super) struct Notices {
    told: Mutex<BTreeMap<String, (Problem, u64)>>,
}

impl Notices {
    /// Notes trouble of a topic with one entry.
    pub(super) fn tell(
        &self,
        topic: &str,
        path: &EntryPath,
        kind: ProblemKind,
        message: impl FnOnce() -> String,
    ) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = told.get_mut(topic) {
            *count += 1;
            return;
        }
        let problem = Problem { path: path.to_string(), kind, message: message(), stale: false };
        told.insert(topic.to_owned(), (problem, 1));
    }

    /// Takes what was told so far, one problem a topic.
    pub(super) fn take(&self) -> Vec<Problem> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *told)
            .into_values()
            .map(|(mut problem, count)| {
                if count > 1 {
                    let message = &problem.message;
                    problem.message = format!("{message} (and {} more like this)", count - 1);
                }
                problem
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_told_once_with_its_count() {
        let notices = Notices::default();
        for (topic, name) in [("b", "1"), ("a", "2"), ("b", "3"), ("b", "4")] {
            let path = EntryPath::from_key(name.as_bytes()).unwrap();
            notices.tell(topic, &path, ProblemKind::NotPermitted, || "no".into());
        }
        let told: Vec<_> = notices.take().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["`2`: no", "`1`: no (and 2 more like this)"]);
        assert!(notices.take().is_empty());
    }
}
