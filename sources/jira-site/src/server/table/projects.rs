//! Projects and what belongs to one.

use super::super::projects;
use super::{
    Endpoint, Field, Kind, PAGE, START_AT, Shape, boolean, choice, expand, get, integer, integers,
    max_results, text, texts,
};

const EXPANDS: &[&str] =
    &["description", "lead", "issueTypes", "url", "projectKeys", "insight", "permissions"];
const SOURCES: &[&str] = &["jira", "compass", "auto"];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/rest/api/3/project/search", "searchProjects", projects::search)
        .query(&[
            START_AT,
            max_results("50").most(100),
            choice("orderBy", ORDER).default("key"),
            integers("id").most(50),
            texts("keys").most(50),
            text("query"),
            text("typeKey"),
            integer("categoryId"),
            choice("action", &["view", "browse", "edit", "create"]).default("view"),
            expand(EXPANDS),
            Field::new("status", Kind::List(&Kind::Choice(&["live", "archived", "deleted"])))
                .default("live"),
        ])
        .unserved(&["properties", "propertyQuery"])
        .offset(50, 100)
        .shape(PAGE),
    get("/rest/api/3/project", "getAllProjects", projects::all)
        .query(&[expand(EXPANDS)])
        .unserved(&["recent", "properties"]),
    get("/rest/api/3/project/type", "getAllProjectTypes", projects::types),
    get("/rest/api/3/project/{projectIdOrKey}", "getProject", projects::project)
        .query(&[expand(EXPANDS)])
        .unserved(&["properties"])
        .object(&["self", "id", "key", "name", "lead", "components", "issueTypes", "versions"]),
    get(
        "/rest/api/3/project/{projectIdOrKey}/component",
        "getProjectComponentsPaginated",
        projects::components_page,
    )
    .query(&[
        START_AT,
        max_results("50"),
        choice("orderBy", COMPONENT_ORDER),
        choice("componentSource", SOURCES).default("jira"),
        text("query"),
    ])
    .offset(50, 50)
    .shape(PAGE),
    get(
        "/rest/api/3/project/{projectIdOrKey}/components",
        "getProjectComponents",
        projects::components,
    )
    .query(&[choice("componentSource", SOURCES).default("jira")]),
    get(
        "/rest/api/3/project/{projectIdOrKey}/version",
        "getProjectVersionsPaginated",
        projects::versions_page,
    )
    .query(&[
        START_AT,
        max_results("50"),
        choice("orderBy", VERSION_ORDER),
        text("query"),
        text("status"),
    ])
    .unserved(&["expand"])
    .offset(50, 50)
    .shape(PAGE),
    get("/rest/api/3/project/{projectIdOrKey}/versions", "getProjectVersions", projects::versions)
        .unserved(&["expand"]),
    get("/rest/api/3/project/{projectIdOrKey}/role", "getProjectRoles", projects::roles)
        .shape(Shape::Map),
    get("/rest/api/3/project/{projectIdOrKey}/role/{id}", "getProjectRole", projects::role)
        .query(&[boolean("excludeInactiveUsers")])
        .object(&["self", "id", "name", "actors"]),
    get(
        "/rest/api/3/project/{projectIdOrKey}/properties",
        "getProjectPropertyKeys",
        projects::property_keys,
    )
    .object(&["keys"]),
    get(
        "/rest/api/3/project/{projectIdOrKey}/properties/{propertyKey}",
        "getProjectProperty",
        projects::property,
    )
    .object(&["key", "value"]),
    get("/rest/api/3/project/{projectIdOrKey}/statuses", "getAllStatuses", projects::statuses),
    get("/rest/api/3/projectCategory", "getAllProjectCategories", projects::categories),
];

const ORDER: &[&str] = &[
    "category",
    "-category",
    "+category",
    "key",
    "-key",
    "+key",
    "name",
    "-name",
    "+name",
    "owner",
    "-owner",
    "+owner",
    "issueCount",
    "-issueCount",
    "+issueCount",
    "lastIssueUpdatedDate",
    "-lastIssueUpdatedDate",
    "+lastIssueUpdatedDate",
    "archivedDate",
    "+archivedDate",
    "-archivedDate",
    "deletedDate",
    "+deletedDate",
    "-deletedDate",
];

const COMPONENT_ORDER: &[&str] = &[
    "description",
    "-description",
    "+description",
    "issueCount",
    "-issueCount",
    "+issueCount",
    "lead",
    "-lead",
    "+lead",
    "name",
    "-name",
    "+name",
];

const VERSION_ORDER: &[&str] = &[
    "description",
    "-description",
    "+description",
    "name",
    "-name",
    "+name",
    "releaseDate",
    "-releaseDate",
    "+releaseDate",
    "sequence",
    "-sequence",
    "+sequence",
    "startDate",
    "-startDate",
    "+startDate",
];
