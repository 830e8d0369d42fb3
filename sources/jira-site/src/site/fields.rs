//! Which fields there are.

/// What a custom field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Select(&'static [&'static str]),
    Radio(&'static [&'static str]),
    Checkboxes(&'static [&'static str]),
    MultiSelect(&'static [&'static str]),
    Cascade(&'static [(&'static str, &'static [&'static str])]),
    User,
    Users,
    Date,
    DateTime,
    Line,
    Paragraphs,
    Url,
    Labels,
    Team,
    Sprint,
    EpicLink,
    ParentLink,
    Rank,
    ServiceLevel,
    Development,
    RequestType,
}

/// A custom field.
pub(crate) struct Custom {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Team-managed projects do not have it.
    pub(crate) classic_only: bool,
}

const fn custom(number: u32, name: &'static str, kind: Kind) -> Custom {
    Custom { number, name, kind, classic_only: false }
}

const fn classic(number: u32, name: &'static str, kind: Kind) -> Custom {
    Custom { number, name, kind, classic_only: true }
}

pub(crate) const TEAM: u32 = 10001;
pub(crate) const EPIC_LINK: u32 = 10014;
pub(crate) const START_DATE: u32 = 10015;
pub(crate) const STORY_POINTS: u32 = 10016;
pub(crate) const RANK: u32 = 10019;
pub(crate) const SPRINT: u32 = 10020;
pub(crate) const FLAGGED: u32 = 10021;
pub(crate) const SEVERITY: u32 = 10030;
pub(crate) const PLATFORMS: u32 = 10031;
pub(crate) const REGION: u32 = 10032;
pub(crate) const REVIEWER: u32 = 10033;
pub(crate) const APPROVERS: u32 = 10034;
pub(crate) const PROMISED: u32 = 10035;
pub(crate) const VALUE: u32 = 10036;
pub(crate) const ROOT_CAUSE: u32 = 10037;
pub(crate) const REFERENCE: u32 = 10038;
pub(crate) const CUSTOMER: u32 = 10039;
pub(crate) const TIME_TO_RESOLUTION: u32 = 10040;
pub(crate) const TIME_TO_RESPONSE: u32 = 10041;
pub(crate) const KEYWORDS: u32 = 10042;
pub(crate) const RISK: u32 = 10043;

pub(crate) const CUSTOM: [Custom; 27] = [
    custom(10000, "Development", Kind::Development),
    custom(TEAM, "Team", Kind::Team),
    classic(10010, "Request Type", Kind::RequestType),
    classic(EPIC_LINK, "Epic Link", Kind::EpicLink),
    custom(START_DATE, "Start date", Kind::Date),
    custom(STORY_POINTS, "Story point estimate", Kind::Number),
    classic(10018, "Parent Link", Kind::ParentLink),
    custom(RANK, "Rank", Kind::Rank),
    custom(SPRINT, "Sprint", Kind::Sprint),
    custom(FLAGGED, "Flagged", Kind::Checkboxes(&["Impediment"])),
    custom(10022, "Target start", Kind::Date),
    custom(10023, "Target end", Kind::Date),
    custom(
        SEVERITY,
        "Severity",
        Kind::Select(&["S1 – critical", "S2 – major", "S3 – minor", "S4"]),
    ),
    custom(
        PLATFORMS,
        "Affected platforms",
        Kind::MultiSelect(&["Web", "Android", "iOS", "Desktop", "API", "Batch"]),
    ),
    classic(
        REGION,
        "Region",
        Kind::Cascade(&[
            ("Europe", &["Germany", "España", "France", "Polska"]),
            ("Asia Pacific", &["Australia", "日本", "한국", "India"]),
            ("Americas", &["Brasil", "Canada", "México", "USA"]),
        ]),
    ),
    custom(REVIEWER, "Reviewer", Kind::User),
    custom(APPROVERS, "Approvers", Kind::Users),
    custom(PROMISED, "Promised for", Kind::DateTime),
    custom(VALUE, "Business value", Kind::Number),
    custom(ROOT_CAUSE, "Root cause", Kind::Paragraphs),
    custom(REFERENCE, "External reference", Kind::Url),
    custom(CUSTOMER, "Customer", Kind::Line),
    classic(TIME_TO_RESOLUTION, "Time to resolution", Kind::ServiceLevel),
    classic(TIME_TO_RESPONSE, "Time to first response", Kind::ServiceLevel),
    custom(KEYWORDS, "Keywords", Kind::Labels),
    custom(RISK, "Change risk", Kind::Radio(&["Low", "Medium", "High"])),
    custom(10044, "(migrated) Customer", Kind::Line),
];

/// Finds a custom field by its number.
pub(crate) fn by_number(number: u32) -> Option<&'static Custom> {
    CUSTOM.iter().find(|field| field.number == number)
}

/// The number in `customfield_10016`.
pub(crate) fn number_of(field: &str) -> Option<u32> {
    field.strip_prefix("customfield_")?.parse().ok()
}

impl Kind {
    /// The name of an option, of a cascade one of the first level.
    pub(crate) fn option(self, place: usize) -> Option<&'static str> {
        match self {
            Kind::Select(options)
            | Kind::Radio(options)
            | Kind::Checkboxes(options)
            | Kind::MultiSelect(options) => options.get(place).copied(),
            Kind::Cascade(options) => options.get(place).map(|(name, _)| *name),
            _ => None,
        }
    }

    pub(crate) fn option_count(self) -> usize {
        match self {
            Kind::Select(options)
            | Kind::Radio(options)
            | Kind::Checkboxes(options)
            | Kind::MultiSelect(options) => options.len(),
            Kind::Cascade(options) => options.len(),
            _ => 0,
        }
    }

    /// The type, the type of the items and the key of the field's type, as the field's schema gives them.
    pub(crate) fn schema(self) -> (&'static str, Option<&'static str>, &'static str) {
        match self {
            Kind::Number => {
                ("number", None, "com.atlassian.jira.plugin.system.customfieldtypes:float")
            }
            Kind::Select(_) => {
                ("option", None, "com.atlassian.jira.plugin.system.customfieldtypes:select")
            }
            Kind::Radio(_) => {
                ("option", None, "com.atlassian.jira.plugin.system.customfieldtypes:radiobuttons")
            }
            Kind::Checkboxes(_) => (
                "array",
                Some("option"),
                "com.atlassian.jira.plugin.system.customfieldtypes:multicheckboxes",
            ),
            Kind::MultiSelect(_) => (
                "array",
                Some("option"),
                "com.atlassian.jira.plugin.system.customfieldtypes:multiselect",
            ),
            Kind::Cascade(_) => (
                "option-with-child",
                None,
                "com.atlassian.jira.plugin.system.customfieldtypes:cascadingselect",
            ),
            Kind::User => {
                ("user", None, "com.atlassian.jira.plugin.system.customfieldtypes:userpicker")
            }
            Kind::Users => (
                "array",
                Some("user"),
                "com.atlassian.jira.plugin.system.customfieldtypes:multiuserpicker",
            ),
            Kind::Date => {
                ("date", None, "com.atlassian.jira.plugin.system.customfieldtypes:datepicker")
            }
            Kind::DateTime => {
                ("datetime", None, "com.atlassian.jira.plugin.system.customfieldtypes:datetime")
            }
            Kind::Line => {
                ("string", None, "com.atlassian.jira.plugin.system.customfieldtypes:textfield")
            }
            Kind::Paragraphs => {
                ("string", None, "com.atlassian.jira.plugin.system.customfieldtypes:textarea")
            }
            Kind::Url => ("string", None, "com.atlassian.jira.plugin.system.customfieldtypes:url"),
            Kind::Labels => (
                "array",
                Some("string"),
                "com.atlassian.jira.plugin.system.customfieldtypes:labels",
            ),
            Kind::Team => {
                ("team", None, "com.atlassian.jira.plugin.system.customfieldtypes:atlassian-team")
            }
            Kind::Sprint => ("array", Some("json"), "com.pyxis.greenhopper.jira:gh-sprint"),
            Kind::EpicLink => ("any", None, "com.pyxis.greenhopper.jira:gh-epic-link"),
            Kind::ParentLink => ("any", None, "com.atlassian.jpo:jpo-custom-field-parent"),
            Kind::Rank => ("any", None, "com.pyxis.greenhopper.jira:gh-lexo-rank"),
            Kind::ServiceLevel => {
                ("sd-servicelevelagreement", None, "com.atlassian.servicedesk:sd-sla-field")
            }
            Kind::Development => (
                "any",
                None,
                "com.atlassian.jira.plugins.jira-development-integration-plugin:devsummarycf",
            ),
            Kind::RequestType => {
                ("sd-customerrequesttype", None, "com.atlassian.servicedesk:vp-origin")
            }
        }
    }
}

/// A system field: its id, its name, the names it has in JQL, its type with the type of its items.
pub(crate) struct System {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) clauses: &'static [&'static str],
    pub(crate) schema: Option<(&'static str, Option<&'static str>)>,
}

const fn system(
    id: &'static str,
    name: &'static str,
    clauses: &'static [&'static str],
    of: &'static str,
) -> System {
    System { id, name, clauses, schema: Some((of, None)) }
}

const fn list(
    id: &'static str,
    name: &'static str,
    clauses: &'static [&'static str],
    of: &'static str,
) -> System {
    System { id, name, clauses, schema: Some(("array", Some(of))) }
}

pub(crate) const SYSTEM: [System; 41] = [
    system("summary", "Summary", &["summary"], "string"),
    system("issuetype", "Issue Type", &["issuetype", "type"], "issuetype"),
    System { id: "parent", name: "Parent", clauses: &["parent"], schema: None },
    System {
        id: "issuekey",
        name: "Key",
        clauses: &["id", "issue", "issuekey", "key"],
        schema: None,
    },
    system("project", "Project", &["project"], "project"),
    system("status", "Status", &["status"], "status"),
    System {
        id: "statusCategory",
        name: "Status Category",
        clauses: &["statusCategory"],
        schema: None,
    },
    system(
        "statuscategorychangedate",
        "Status Category Changed",
        &["statusCategoryChangedDate"],
        "datetime",
    ),
    system("resolution", "Resolution", &["resolution"], "resolution"),
    system("resolutiondate", "Resolved", &["resolutiondate", "resolved"], "datetime"),
    system("priority", "Priority", &["priority"], "priority"),
    list("labels", "Labels", &["labels"], "string"),
    list("components", "Components", &["component"], "component"),
    list("versions", "Affects versions", &["affectedVersion"], "version"),
    list("fixVersions", "Fix versions", &["fixVersion"], "version"),
    system("assignee", "Assignee", &["assignee"], "user"),
    system("reporter", "Reporter", &["reporter"], "user"),
    system("creator", "Creator", &["creator"], "user"),
    system("created", "Created", &["created", "createdDate"], "datetime"),
    system("updated", "Updated", &["updated", "updatedDate"], "datetime"),
    system("duedate", "Due date", &["due", "duedate"], "date"),
    system("lastViewed", "Last Viewed", &["lastViewed"], "datetime"),
    system("description", "Description", &["description"], "string"),
    system("environment", "Environment", &["environment"], "string"),
    list("attachment", "Attachment", &["attachments"], "attachment"),
    system("comment", "Comment", &["comment"], "comments-page"),
    list("issuelinks", "Linked Issues", &["issueLink"], "issuelinks"),
    list("subtasks", "Sub-tasks", &["subtasks"], "issuelinks"),
    list("worklog", "Log Work", &[], "worklog"),
    system("watches", "Watchers", &["watchers"], "watches"),
    system("votes", "Votes", &["votes"], "votes"),
    system("security", "Security Level", &["level"], "securitylevel"),
    system("issuerestriction", "Restrict to", &[], "issuerestriction"),
    system("timetracking", "Time tracking", &[], "timetracking"),
    system("timespent", "Time Spent", &["timespent"], "number"),
    system("timeestimate", "Remaining Estimate", &["remainingEstimate", "timeestimate"], "number"),
    system(
        "timeoriginalestimate",
        "Original estimate",
        &["originalEstimate", "timeoriginalestimate"],
        "number",
    ),
    system("aggregatetimespent", "Σ Time Spent", &[], "number"),
    system("workratio", "Work Ratio", &["workratio"], "number"),
    system("progress", "Progress", &["progress"], "progress"),
    system("aggregateprogress", "Σ Progress", &[], "progress"),
];
