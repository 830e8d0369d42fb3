//! The subset of JQL that backups and common clients use.
//!
//! A query is parsed without a site; names, keys and dates in it are read when it is evaluated on one.

mod date;
mod evaluate;
mod parse;
#[cfg(test)]
mod tests;
mod token;

pub(super) use evaluate::Seen;

/// Why a query is refused, in Jira's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JqlError {
    /// What Jira puts into `errorMessages`.
    pub message: String,
}

impl JqlError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// The new search refuses a query that could find every issue of the site.
    pub(super) fn unbounded() -> Self {
        Self::new(
            "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.",
        )
    }
}

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jql {
    filter: Option<Clause>,
    order: Vec<Sort>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Clause {
    And(Vec<Clause>),
    Or(Vec<Clause>),
    Not(Box<Clause>),
    Test(Test),
}

/// One comparison; the name of the field stays as it was written, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    field: Field,
    name: String,
    operator: Operator,
    operands: Vec<Operand>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Text(String),
    Empty,
    CurrentUser,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
    ContainsNot,
    In,
    NotIn,
    Is,
    IsNot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Project,
    Key,
    Created,
    Updated,
    Resolved,
    Status,
    StatusCategory,
    Assignee,
    Reporter,
    Creator,
    IssueType,
    Priority,
    Resolution,
    Labels,
    Parent,
    Summary,
    Text,
    Rank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sort {
    field: Field,
    descending: bool,
}

impl Field {
    fn named(name: &str) -> Result<Self, JqlError> {
        Ok(match name.to_lowercase().as_str() {
            "project" => Self::Project,
            "key" | "issuekey" | "issue" | "id" => Self::Key,
            "created" | "createddate" => Self::Created,
            "updated" | "updateddate" => Self::Updated,
            "resolved" | "resolutiondate" => Self::Resolved,
            "status" => Self::Status,
            "statuscategory" => Self::StatusCategory,
            "assignee" => Self::Assignee,
            "reporter" => Self::Reporter,
            "creator" => Self::Creator,
            "issuetype" | "type" => Self::IssueType,
            "priority" => Self::Priority,
            "resolution" => Self::Resolution,
            "labels" => Self::Labels,
            "parent" => Self::Parent,
            "summary" => Self::Summary,
            "text" => Self::Text,
            "rank" => Self::Rank,
            _ => {
                return Err(JqlError::new(format!(
                    "Field '{name}' does not exist or you do not have permission to view it."
                )));
            }
        })
    }
}

impl Jql {
    /// Parses a query.
    ///
    /// # Errors
    /// What is no JQL, fields that do not exist and operators that a field does not have are refused.
    pub fn parse(text: &str) -> Result<Self, JqlError> {
        parse::parse(text)
    }

    /// Whether the query restricts what it finds; the new search refuses those that do not.
    pub fn is_bounded(&self) -> bool {
        self.filter.is_some()
    }
}
