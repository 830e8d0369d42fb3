//! Search by JQL.

use super::super::search;
use super::{
    Endpoint, Shape, boolean, choice, expand, get, integers, max_results, post, text, texts,
};

const VALIDATION: &[&str] = &["strict", "warn", "none"];
const EXPANDS: &[&str] = &["names", "schema", "changelog"];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/rest/api/3/search/jql", "searchAndReconsileIssuesUsingJql", search::search)
        .query(&[
            text("jql"),
            text("nextPageToken"),
            max_results("50").least(1).most(5000),
            texts("fields").default("id"),
            expand(EXPANDS),
            texts("properties").most(5),
            boolean("fieldsByKeys"),
            boolean("failFast"),
            integers("reconcileIssues").most(50),
        ])
        .token(50, 5000)
        .object(&["issues", "isLast"]),
    post("/rest/api/3/search/jql", "searchAndReconsileIssuesUsingJqlPost", search::search)
        .body(&[
            text("jql"),
            text("nextPageToken"),
            max_results("50").least(1).most(5000),
            texts("fields"),
            expand(EXPANDS),
            texts("properties").most(5),
            boolean("fieldsByKeys"),
            integers("reconcileIssues").most(50),
        ])
        .token(50, 5000)
        .object(&["issues", "isLast"]),
    get("/rest/api/3/search", "searchForIssuesUsingJql", search::removed)
        .unserved(&[
            "jql",
            "startAt",
            "maxResults",
            "validateQuery",
            "fields",
            "expand",
            "properties",
            "fieldsByKeys",
            "failFast",
        ])
        .shape(Shape::Gone),
    post("/rest/api/3/search", "searchForIssuesUsingJqlPost", search::removed).shape(Shape::Gone),
    post("/rest/api/3/search/approximate-count", "countIssues", search::approximate_count)
        .body(&[text("jql")])
        .object(&["count"]),
    post("/rest/api/3/jql/parse", "parseJqlQueries", search::parse)
        .query(&[choice("validation", VALIDATION).default("strict").required()])
        .body(&[texts("queries").required().least(1)])
        .object(&["queries"]),
];
