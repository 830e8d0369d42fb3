//! Issues and what belongs to one: changelog, comments, worklogs, links, attachments, properties.

use super::super::{attachments, comments, issues, worklogs};
use super::{
    Endpoint, Field, Kind, PAGE, START_AT, Shape, boolean, choice, expand, get, integer, integers,
    max_results, post, text, texts,
};

const ISSUE_EXPANDS: &[&str] = &["names", "schema", "changelog"];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/rest/api/3/issue/{issueIdOrKey}", "getIssue", issues::issue)
        .query(&[
            texts("fields").default("*all"),
            boolean("fieldsByKeys"),
            expand(ISSUE_EXPANDS),
            texts("properties").default("null"),
            boolean("updateHistory"),
            boolean("failFast"),
        ])
        .object(&["id", "key", "self", "expand", "fields"]),
    post("/rest/api/3/issue/bulkfetch", "bulkFetchIssues", issues::bulk_fetch)
        .body(&[
            texts("issueIdsOrKeys").required().least(1).most(100),
            texts("fields"),
            boolean("fieldsByKeys"),
            Field::new("expand", Kind::List(&Kind::Words(ISSUE_EXPANDS))),
            texts("properties").most(5),
        ])
        .object(&["issues", "issueErrors"]),
    post("/rest/api/3/changelog/bulkfetch", "getBulkChangelogs", issues::bulk_changelogs)
        .body(&[
            texts("issueIdsOrKeys").required().least(1).most(1000),
            texts("fieldIds").least(0).most(10),
            integer("maxResults").default("1000").least(1).most(10_000),
            text("nextPageToken"),
        ])
        .token(1000, 10_000)
        .object(&["issueChangeLogs"]),
    get("/rest/api/3/issue/{issueIdOrKey}/changelog", "getChangeLogs", issues::changelog)
        .query(&[START_AT, max_results("100")])
        .offset(100, 100)
        .shape(PAGE),
    post(
        "/rest/api/3/issue/{issueIdOrKey}/changelog/list",
        "getChangeLogsByIds",
        issues::changelog_list,
    )
    .body(&[integers("changelogIds").required()])
    .object(&["startAt", "maxResults", "total", "histories"]),
    get("/rest/api/3/issue/{issueIdOrKey}/comment", "getComments", comments::comments)
        .query(&[
            START_AT,
            max_results("100"),
            choice("orderBy", &["created", "-created", "+created"]),
            expand(&[]),
        ])
        .offset(100, 100)
        .object(&["startAt", "maxResults", "total", "comments"]),
    post("/rest/api/3/comment/list", "getCommentsByIds", comments::comment_list)
        .query(&[expand(&[])])
        .body(&[integers("ids").required().least(1).most(1000)])
        .shape(PAGE),
    get("/rest/api/3/issue/{issueIdOrKey}/worklog", "getIssueWorklog", worklogs::worklogs)
        .query(&[
            START_AT,
            max_results("5000"),
            integer("startedAfter"),
            integer("startedBefore"),
            expand(&[]).default(""),
        ])
        .offset(5000, 5000)
        .object(&["startAt", "maxResults", "total", "worklogs"]),
    get("/rest/api/3/worklog/updated", "getIdsOfWorklogsModifiedSince", worklogs::updated)
        .query(&[integer("since").default("0"), expand(&[]).default("")])
        .feed(1000)
        .object(&["values", "since", "until", "self", "lastPage"]),
    get("/rest/api/3/worklog/deleted", "getIdsOfWorklogsDeletedSince", worklogs::deleted)
        .query(&[integer("since").default("0")])
        .feed(1000)
        .object(&["values", "since", "until", "self", "lastPage"]),
    post("/rest/api/3/worklog/list", "getWorklogsForIds", worklogs::list)
        .query(&[expand(&[]).default("")])
        .body(&[integers("ids").required().least(1).most(1000)]),
    get("/rest/api/3/issue/{issueIdOrKey}/remotelink", "getRemoteIssueLinks", issues::remote_links)
        .query(&[text("globalId")]),
    get("/rest/api/3/issue/{issueIdOrKey}/watchers", "getIssueWatchers", issues::watchers)
        .object(&["self", "isWatching", "watchCount", "watchers"]),
    get("/rest/api/3/issue/{issueIdOrKey}/votes", "getVotes", issues::votes)
        .object(&["self", "votes", "hasVoted", "voters"]),
    get(
        "/rest/api/3/issue/{issueIdOrKey}/properties",
        "getIssuePropertyKeys",
        issues::property_keys,
    )
    .object(&["keys"]),
    get(
        "/rest/api/3/issue/{issueIdOrKey}/properties/{propertyKey}",
        "getIssueProperty",
        issues::property,
    )
    .object(&["key", "value"]),
    get("/rest/api/3/issueLink/{linkId}", "getIssueLink", issues::link).object(&[
        "id",
        "type",
        "inwardIssue",
        "outwardIssue",
    ]),
    get("/rest/api/3/attachment/meta", "getAttachmentMeta", attachments::settings)
        .object(&["enabled", "uploadLimit"]),
    get("/rest/api/3/attachment/{id}", "getAttachment", attachments::metadata)
        .object(&["self", "id", "filename", "author", "created", "size", "mimeType", "content"]),
    get("/rest/api/3/attachment/content/{id}", "getAttachmentContent", attachments::content)
        .query(&[boolean("redirect").default("true")])
        .shape(Shape::Bytes),
    get(attachments::MEDIA_PATH, "", attachments::media)
        .query(&[text("token").required(), text("client"), boolean("dl"), text("name")])
        .shape(Shape::Bytes)
        .media(),
];
