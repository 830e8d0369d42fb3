//! What the site holds, as small as can be: the JSON is made when it is asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

/// A Jira id; each kind of thing counts for itself.
pub(crate) type Id = u64;

/// The place of a user in the list of users.
pub(crate) type UserIndex = usize;

pub(crate) struct User {
    pub(crate) account_id: String,
    pub(crate) name: String,
    /// `None` where the profile hides it.
    pub(crate) email: Option<String>,
    pub(crate) time_zone: &'static str,
    pub(crate) account_type: &'static str,
    pub(crate) active: bool,
    /// A deleted user keeps an account id and loses everything else.
    pub(crate) deleted: bool,
}

pub(crate) struct Project {
    pub(crate) id: Id,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) lead: UserIndex,
    /// Team-managed projects have fewer custom fields.
    pub(crate) team_managed: bool,
    pub(crate) category: Option<usize>,
    pub(crate) components: Vec<Component>,
    pub(crate) versions: Vec<Version>,
    pub(crate) sprints: Vec<Sprint>,
    pub(crate) last_number: u32,
    /// The account may not browse it, although an administrator sees that it exists.
    pub(crate) hidden: bool,
}

pub(crate) struct Component {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) lead: Option<UserIndex>,
}

pub(crate) struct Version {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) released: bool,
    pub(crate) archived: bool,
    pub(crate) start: Option<Date>,
    pub(crate) release: Option<Date>,
}

pub(crate) struct Sprint {
    pub(crate) id: Id,
    pub(crate) board: Id,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) goal: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

pub(crate) struct Issue {
    pub(crate) id: Id,
    pub(crate) project: Id,
    pub(crate) number: u32,
    /// Keys it had before it was moved; they still lead to it.
    pub(crate) old_keys: Vec<String>,
    /// The place in [`catalogue::ISSUE_TYPES`](super::catalogue::ISSUE_TYPES); the other catalogues are meant likewise below.
    pub(crate) kind: usize,
    pub(crate) parent: Option<Id>,
    pub(crate) children: Vec<Id>,
    pub(crate) summary: String,
    pub(crate) description: Document,
    pub(crate) environment: Document,
    pub(crate) status: usize,
    pub(crate) status_since: Timestamp,
    pub(crate) resolution: Option<usize>,
    pub(crate) resolved: Option<Timestamp>,
    pub(crate) priority: Option<usize>,
    pub(crate) labels: Vec<String>,
    pub(crate) components: Vec<Id>,
    pub(crate) affected_versions: Vec<Id>,
    pub(crate) fix_versions: Vec<Id>,
    pub(crate) assignee: Option<UserIndex>,
    pub(crate) reporter: Option<UserIndex>,
    pub(crate) creator: UserIndex,
    pub(crate) due: Option<Date>,
    pub(crate) original_estimate: Option<u64>,
    pub(crate) remaining_estimate: Option<u64>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) custom: BTreeMap<u32, FieldValue>,
    pub(crate) links: Vec<Id>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) worklogs: Vec<Worklog>,
    pub(crate) remote_links: Vec<RemoteLink>,
    pub(crate) watchers: Vec<UserIndex>,
    pub(crate) voters: Vec<UserIndex>,
    pub(crate) properties: BTreeMap<String, Value>,
    pub(crate) history: Vec<Change>,
    /// What a mishap wrote over a field that the model does not hold in such a form.
    pub(crate) overwritten: BTreeMap<String, Value>,
    pub(crate) archived: Option<Timestamp>,
    /// The account may not see it, by issue security.
    pub(crate) hidden: bool,
    /// The search index misses it.
    pub(crate) unlisted: bool,
    /// The latest values of `updated`, oldest first, as far back as a slow index may need them.
    pub(crate) touched: Vec<Timestamp>,
}

/// A rich text: a seed that is written out when asked for, or what a mishap put there.
#[derive(Clone)]
pub(crate) enum Document {
    None,
    Written {
        seed: u64,
        size: Size,
        /// The attachment that is shown at its end.
        media: Option<Id>,
    },
    Given(Value),
}

/// How long a rich text is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Line,
    Short,
    Long,
    /// Near the limit of 32,767 characters.
    Full,
}

/// The value of a custom field.
#[derive(Clone)]
pub(crate) enum FieldValue {
    Number(f64),
    /// The place in the field's options.
    Choice(usize),
    Choices(Vec<usize>),
    /// The place in the field's options and in the options of that one.
    Cascade(usize, Option<usize>),
    User(UserIndex),
    Users(Vec<UserIndex>),
    Date(Date),
    Time(Timestamp),
    Text(String),
    Labels(Vec<String>),
    Document(Document),
    Team(usize),
    Sprints(Vec<Id>),
    /// A service level that runs or has been stopped.
    ServiceLevel {
        goal: u64,
        start: Timestamp,
        stop: Option<Timestamp>,
    },
    /// What a mishap put there.
    Given(Value),
}

pub(crate) struct Attachment {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) author: Option<UserIndex>,
    pub(crate) created: Timestamp,
    pub(crate) size: u64,
    pub(crate) mime: &'static str,
    /// Equal seeds, sizes and types have equal bytes.
    pub(crate) seed: u64,
}

pub(crate) struct Comment {
    pub(crate) id: Id,
    pub(crate) author: Option<UserIndex>,
    pub(crate) update_author: Option<UserIndex>,
    pub(crate) body: Document,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) public: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Visibility {
    Role(usize),
    Group(usize),
}

pub(crate) struct Worklog {
    pub(crate) id: Id,
    pub(crate) author: Option<UserIndex>,
    pub(crate) comment: Document,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) started: Timestamp,
    pub(crate) seconds: u64,
    pub(crate) visibility: Option<Visibility>,
}

pub(crate) struct RemoteLink {
    pub(crate) id: Id,
    pub(crate) global_id: Option<String>,
    pub(crate) application: Option<(&'static str, &'static str)>,
    pub(crate) relationship: Option<&'static str>,
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) resolved: bool,
}

pub(crate) struct Link {
    pub(crate) id: Id,
    pub(crate) kind: usize,
    /// The issue that shows the outward words, as "blocks".
    pub(crate) from: Id,
    /// The issue that shows the inward words, as "is blocked by".
    pub(crate) to: Id,
}

pub(crate) struct Change {
    pub(crate) id: Id,
    pub(crate) author: Option<UserIndex>,
    pub(crate) created: Timestamp,
    pub(crate) items: Vec<ChangeItem>,
}

pub(crate) struct ChangeItem {
    pub(crate) field: &'static str,
    pub(crate) custom: bool,
    pub(crate) field_id: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) from_text: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) to_text: Option<String>,
}

/// The ids that the next things of each kind will have.
#[derive(Default)]
pub(crate) struct NextIds {
    pub(crate) issue: Id,
    pub(crate) comment: Id,
    pub(crate) worklog: Id,
    pub(crate) attachment: Id,
    pub(crate) link: Id,
    pub(crate) remote_link: Id,
    pub(crate) change: Id,
}
