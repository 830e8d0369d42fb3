//! The site's fixed configuration: what issues refer to by id.

/// A type of issue; the position in the hierarchy is Jira's.
pub(crate) struct IssueType {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) avatar: u32,
    pub(crate) level: i32,
}

pub(crate) const EPIC: usize = 0;
pub(crate) const STORY: usize = 1;
pub(crate) const TASK: usize = 2;
pub(crate) const BUG: usize = 3;
pub(crate) const SUBTASK: usize = 4;

pub(crate) const ISSUE_TYPES: [IssueType; 5] = [
    IssueType {
        id: "10000",
        name: "Epic",
        description: "A big piece of work that has many smaller ones.",
        avatar: 10307,
        level: 1,
    },
    IssueType {
        id: "10001",
        name: "Story",
        description: "What a user wants to do, in the user's words.",
        avatar: 10315,
        level: 0,
    },
    IssueType {
        id: "10002",
        name: "Task",
        description: "A small, distinct piece of work.",
        avatar: 10318,
        level: 0,
    },
    IssueType {
        id: "10004",
        name: "Bug",
        description: "Something that does not do what it should.",
        avatar: 10303,
        level: 0,
    },
    IssueType {
        id: "10003",
        name: "Subtask",
        description: "A part of the work of another issue.",
        avatar: 10316,
        level: -1,
    },
];

pub(crate) struct StatusCategory {
    pub(crate) id: u32,
    pub(crate) key: &'static str,
    pub(crate) color: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) const STATUS_CATEGORIES: [StatusCategory; 4] = [
    StatusCategory { id: 1, key: "undefined", color: "medium-gray", name: "No Category" },
    StatusCategory { id: 2, key: "new", color: "blue-gray", name: "To Do" },
    StatusCategory { id: 4, key: "indeterminate", color: "yellow", name: "In Progress" },
    StatusCategory { id: 3, key: "done", color: "green", name: "Done" },
];

pub(crate) const DONE_CATEGORY: usize = 3;

pub(crate) struct Status {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) category: usize,
}

pub(crate) const STATUSES: [Status; 6] = [
    Status { id: "10000", name: "To Do", description: "", category: 1 },
    Status {
        id: "3",
        name: "In Progress",
        description: "This issue is being actively worked on at the moment by the assignee.",
        category: 2,
    },
    Status {
        id: "10001",
        name: "In Review",
        description: "Somebody else looks at it.",
        category: 2,
    },
    Status { id: "10003", name: "Blocked", description: "", category: 2 },
    Status { id: "10002", name: "Done", description: "", category: 3 },
    Status { id: "10004", name: "Won't Do", description: "It was decided against.", category: 3 },
];

pub(crate) struct Priority {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) color: &'static str,
    pub(crate) description: &'static str,
}

pub(crate) const PRIORITIES: [Priority; 5] = [
    Priority {
        id: "1",
        name: "Highest",
        color: "#d04437",
        description: "This problem will block progress.",
    },
    Priority {
        id: "2",
        name: "High",
        color: "#f15C75",
        description: "Serious problem that could block progress.",
    },
    Priority {
        id: "3",
        name: "Medium",
        color: "#f79232",
        description: "Has the potential to affect progress.",
    },
    Priority {
        id: "4",
        name: "Low",
        color: "#707070",
        description: "Minor problem or easily worked around.",
    },
    Priority {
        id: "5",
        name: "Lowest",
        color: "#999999",
        description: "Trivial problem with little or no impact on progress.",
    },
];

/// An id, a name and a description.
pub(crate) type Named = (&'static str, &'static str, &'static str);

pub(crate) const RESOLUTIONS: [Named; 5] = [
    ("10000", "Done", "Work has been completed on this issue."),
    ("10001", "Won't Do", "This issue won't be actioned."),
    ("10002", "Duplicate", "The problem is a duplicate of an existing issue."),
    ("10003", "Cannot Reproduce", "All attempts at reproducing this issue failed."),
    ("10004", "Known Error", ""),
];

pub(crate) struct LinkType {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) inward: &'static str,
    pub(crate) outward: &'static str,
}

pub(crate) const LINK_TYPES: [LinkType; 5] = [
    LinkType { id: "10000", name: "Blocks", inward: "is blocked by", outward: "blocks" },
    LinkType { id: "10001", name: "Cloners", inward: "is cloned by", outward: "clones" },
    LinkType { id: "10002", name: "Duplicate", inward: "is duplicated by", outward: "duplicates" },
    LinkType { id: "10003", name: "Relates", inward: "relates to", outward: "relates to" },
    LinkType { id: "10006", name: "Problem/Incident", inward: "is caused by", outward: "causes" },
];

pub(crate) const ROLES: [(u32, &str, &str); 3] = [
    (10002, "Administrators", "A project role that represents administrators in a project"),
    (10003, "Developers", "A project role that represents developers in a project"),
    (10004, "Viewers", ""),
];

pub(crate) const GROUPS: [(&str, &str); 3] = [
    ("jira-software-users", "276f955c-63d7-42c8-9520-92d01dca0625"),
    ("site-admins", "6e87dc72-4f1f-421f-9382-2fee8b652487"),
    ("support-engineers", "0c1b6a52-7e0d-4a53-a9f1-3f6a5f6f7b11"),
];

pub(crate) const PROJECT_CATEGORIES: [Named; 2] = [
    ("10000", "Products", "What customers buy"),
    ("10001", "Internal", "What nobody outside sees"),
];

pub(crate) const TEAMS: [(&str, &str); 4] = [
    ("36885b3c-1bf0-4f85-a357-c5b858c31de4", "Platform"),
    ("7f5f4b0e-0d3b-4c86-8d0b-1c2f4f7d2a90", "Payments"),
    ("a28ad7c4-9ee0-4c0d-9a4f-0e2d5a0b7c66", "Mobile"),
    ("d4b8e0f1-52c7-4e0a-b3f9-6a7c8d9e0f12", "Émile & Søren's crew"),
];

/// Where the search index finds something by its id or its name.
pub(crate) fn place<'a>(
    names: impl IntoIterator<Item = (&'a str, &'a str)>,
    id_or_name: &str,
) -> Option<usize> {
    names
        .into_iter()
        .position(|(id, name)| id == id_or_name || name.eq_ignore_ascii_case(id_or_name))
}
