//! What search finds: what the account may see, as late as the index is.

use jiff::Timestamp;

use super::clock::earlier;
use super::jql::{Jql, JqlError, Seen};
use super::model::Issue;
use super::state::State;

impl State {
    /// Lists the ids of the issues that a query finds at a time, in the query's order.
    ///
    /// With a slow index an issue is found by its earlier `updated`, a new one not yet, and a deleted one still:
    /// [`indexed_key`](Self::indexed_key) knows it.
    ///
    /// # Errors
    /// Values that do not exist on the site (a project, a status) are refused, as are queries without a restriction.
    pub fn search(&self, jql: &Jql, now: Timestamp) -> Result<Vec<u64>, JqlError> {
        let passes = jql.predicate(self, now)?;
        let horizon = earlier(now, self.options.index_lag);
        let deleted = self.still_listed(horizon);
        let listed =
            self.issues.values().chain(deleted).filter_map(|issue| self.seen(issue, horizon));
        let mut found: Vec<_> = listed.filter(|seen| passes(seen)).collect();
        found.sort_by(|one, other| jql.compare(self, one, other));
        Ok(found.into_iter().map(|seen| seen.issue.id).collect())
    }

    /// The key of an issue that search listed, even if it has been deleted since.
    pub fn indexed_key(&self, issue: u64) -> Option<String> {
        let deleted = || self.graves.iter().find(|(_, grave)| grave.id == issue);
        self.key(issue).or_else(|| deleted().map(|(_, grave)| self.key_of(grave)))
    }

    /// Deleted issues that the index has not noticed yet.
    fn still_listed(&self, horizon: Timestamp) -> impl Iterator<Item = &Issue> {
        self.graves.iter().filter(move |(deleted, _)| *deleted > horizon).map(|(_, issue)| issue)
    }

    /// An issue as the index had it at a time; `None` where it does not list it.
    fn seen<'a>(&self, issue: &'a Issue, horizon: Timestamp) -> Option<Seen<'a>> {
        if issue.created > horizon
            || issue.unlisted
            || issue.archived.is_some()
            || !self.may_read(issue)
        {
            return None;
        }
        let before = |&&touched: &&Timestamp| touched <= horizon;
        let updated = match issue.touched.iter().rev().find(before) {
            Some(touched) => *touched,
            None if issue.updated <= horizon => issue.updated,
            None => issue.created,
        };
        Some(Seen { issue, updated })
    }
}
