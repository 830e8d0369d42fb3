//! What issues refer to, and the site itself.

use super::super::configuration;
use super::{
    Endpoint, Field, Kind, PAGE, START_AT, boolean, choice, digits, expand, get, integer,
    max_results, text, texts,
};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/rest/api/3/serverInfo", "getServerInfo", configuration::server_info)
        .object(&["baseUrl", "deploymentType", "version", "serverTime", "serverTitle"])
        .open(),
    // Not in the document; clients use it to learn the cloud id.
    get("/_edge/tenant_info", "", configuration::tenant_info).object(&["cloudId"]).open(),
    get("/rest/api/3/configuration", "getConfiguration", configuration::settings).object(&[
        "attachmentsEnabled",
        "timeTrackingEnabled",
        "timeTrackingConfiguration",
    ]),
    get("/rest/api/3/permissions", "getAllPermissions", configuration::permissions)
        .object(&["permissions"]),
    get("/rest/api/3/mypermissions", "getMyPermissions", configuration::my_permissions)
        .query(&[
            text("projectKey"),
            text("projectId"),
            text("issueKey"),
            text("issueId"),
            text("permissions"),
        ])
        .unserved(&["projectUuid", "projectConfigurationUuid", "commentId"])
        .object(&["permissions"]),
    get("/rest/api/3/field", "getFields", configuration::fields),
    get("/rest/api/3/field/search", "getFieldsPaginated", configuration::fields_page)
        .query(&[
            START_AT,
            max_results("50"),
            Field::new("type", Kind::List(&Kind::Choice(&["custom", "system"]))),
            texts("id"),
            text("query"),
            choice("orderBy", FIELD_ORDER),
            expand(&[]),
        ])
        .unserved(&["projectIds"])
        .offset(50, 50)
        .shape(PAGE),
    get("/rest/api/3/issuetype", "getIssueAllTypes", configuration::issue_types),
    get("/rest/api/3/issuetype/{id}", "getIssueType", configuration::issue_type).object(&[
        "self",
        "id",
        "name",
        "description",
        "subtask",
    ]),
    get("/rest/api/3/status", "getStatuses", configuration::statuses),
    get("/rest/api/3/statuses/search", "search", configuration::statuses_page)
        .query(&[
            text("projectId"),
            START_AT,
            max_results("200"),
            text("searchString"),
            text("statusCategory"),
        ])
        .offset(200, 200)
        .shape(PAGE),
    get("/rest/api/3/priority", "getPriorities", configuration::priorities),
    get("/rest/api/3/priority/search", "searchPriorities", configuration::priorities_page)
        .query(&[
            digits("startAt").default("0"),
            digits("maxResults").default("50"),
            texts("id"),
            text("priorityName").default(""),
            boolean("onlyDefault"),
        ])
        .unserved(&["projectId", "expand"])
        .offset(50, 50)
        .shape(PAGE),
    get("/rest/api/3/resolution", "getResolutions", configuration::resolutions),
    get("/rest/api/3/resolution/search", "searchResolutions", configuration::resolutions_page)
        .query(&[
            digits("startAt").default("0"),
            digits("maxResults").default("50"),
            texts("id"),
            boolean("onlyDefault"),
        ])
        .offset(50, 50)
        .shape(PAGE),
    get("/rest/api/3/issueLinkType", "getIssueLinkTypes", configuration::link_types)
        .object(&["issueLinkTypes"]),
    get("/rest/api/3/role", "getAllProjectRoles", configuration::roles),
    get("/rest/api/3/label", "getAllLabels", configuration::labels)
        .query(&[START_AT, max_results("1000")])
        .offset(1000, 1000)
        .shape(PAGE),
    get("/rest/api/3/events", "getEvents", configuration::events),
    get("/rest/api/3/auditing/record", "getAuditRecords", configuration::audit_records)
        .query(&[
            integer("offset").default("0"),
            integer("limit").default("1000"),
            text("filter"),
            text("from"),
            text("to"),
        ])
        .object(&["offset", "limit", "total", "records"]),
];

const FIELD_ORDER: &[&str] = &[
    "contextsCount",
    "-contextsCount",
    "+contextsCount",
    "lastUsed",
    "-lastUsed",
    "+lastUsed",
    "name",
    "-name",
    "+name",
    "screensCount",
    "-screensCount",
    "+screensCount",
    "projectsCount",
    "-projectsCount",
    "+projectsCount",
];
