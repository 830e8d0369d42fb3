// Reads the site with npm `jira.js`, and compares what it finds with what the site holds.

import { readFileSync } from "node:fs";
import { Version3Client } from "jira.js";

const site = JSON.parse(readFileSync(process.argv[2], "utf8"));
const client = new Version3Client({
  host: site.url,
  authentication: { basic: { email: site.email, apiToken: site.token } },
});

function check(name, found, expected = site.counts[name]) {
  if (found !== expected) {
    console.error(`jira.js: ${found} ${name}, and there are ${expected}`);
    process.exit(1);
  }
  console.log(`jira.js: ${found} ${name}`);
}

const jql = "project is not EMPTY ORDER BY key ASC";
const ids = [];
let nextPageToken;
do {
  const page = await client.issueSearch.searchForIssuesUsingJqlEnhancedSearchPost({
    jql,
    nextPageToken,
    maxResults: 50,
    fields: ["key"],
  });
  ids.push(...page.issues.map((issue) => issue.id));
  nextPageToken = page.nextPageToken;
} while (nextPageToken);
check("issues", ids.length);
check("issues counted", (await client.issueSearch.countIssues({ jql })).count, ids.length);

const issues = [];
for (let start = 0; start < ids.length; start += 100) {
  const issueIdsOrKeys = ids.slice(start, start + 100);
  const page = await client.issues.bulkFetchIssues({ issueIdsOrKeys, fields: ["*all"] });
  issues.push(...page.issues);
}
check("issues fetched", issues.length, ids.length);

let [entries, items] = [0, 0];
nextPageToken = undefined;
do {
  const page = await client.issues.getBulkChangelogs({ issueIdsOrKeys: ids, maxResults: 100, nextPageToken });
  for (const { changeHistories } of page.issueChangeLogs) {
    entries += changeHistories.length;
    items += changeHistories.reduce((sum, change) => sum + change.items.length, 0);
  }
  nextPageToken = page.nextPageToken;
} while (nextPageToken);
check("history_entries", entries);
check("history_items", items);

let [comments, worklogs, watchers, attachments, bytes] = [0, 0, 0, 0, 0];
for (const issue of issues) {
  const issueIdOrKey = issue.id;
  for (let startAt = 0; ; ) {
    const page = await client.issueComments.getComments({ issueIdOrKey, startAt, maxResults: 100 });
    startAt += page.comments.length;
    if (page.comments.length === 0 || startAt >= page.total) {
      comments += startAt;
      break;
    }
  }
  worklogs += (await client.issueWorklogs.getIssueWorklog({ issueIdOrKey })).worklogs.length;
  watchers += (await client.issueWatchers.getIssueWatchers({ issueIdOrKey })).watchers.length;
  for (const attachment of issue.fields.attachment ?? []) {
    const content = await client.issueAttachments.getAttachmentContent({ id: attachment.id, redirect: false });
    attachments += 1;
    bytes += content.byteLength;
  }
}
check("comments", comments);
check("worklogs", worklogs);
check("watchers", watchers);
check("attachments", attachments);
check("attachment_bytes", bytes);
check("projects", (await client.projects.searchProjects({ maxResults: 100 })).total);

const feed = await client.issueWorklogs.getIdsOfWorklogsModifiedSince({ since: 0 });
const changed = feed.values.map((row) => row.worklogId);
const listed = await client.issueWorklogs.getWorklogsForIds({ ids: changed });
check("worklogs listed", listed.length, changed.length);
if ((await client.issueFields.getFields()).length === 0) process.exit(1);
