"""Reads the site with PyPI `jira` and PyPI `atlassian-python-api`, and compares what they find with what it holds."""

import json
import sys

from atlassian import Jira
from atlassian.jira import JiraCloud
from jira import JIRA

JQL = "project is not EMPTY ORDER BY key ASC"

with open(sys.argv[1]) as file:
    site = json.load(file)


def check(client, name, found, expected):
    if found != expected:
        sys.exit(f"{client}: {found} {name}, and there are {expected}")
    print(f"{client}: {found} {name}")


def check_all(client, found):
    for name, count in found.items():
        check(client, name, count, site["counts"][name])


def pycontribs():
    """Version 2 of the API, page by page."""
    client = JIRA(server=site["url"], basic_auth=(site["email"], site["token"]))
    if client.server_info()["deploymentType"] != "Cloud":
        sys.exit("jira: the site is not in the cloud")
    issues = client.enhanced_search_issues(JQL, maxResults=False, expand="changelog")
    found = dict.fromkeys(["comments", "worklogs", "watchers", "votes", "remote_links"], 0)
    found["attachments"] = found["attachment_bytes"] = 0
    for issue in issues:
        while page := client.comments(issue, start_at=found.get(issue.key, 0), max_results=50):
            found[issue.key] = found.get(issue.key, 0) + len(page)
        found["comments"] += found.pop(issue.key, 0)
        found["worklogs"] += len(client.worklogs(issue))
        found["watchers"] += len(client.watchers(issue).watchers)
        found["votes"] += client.votes(issue).votes
        found["remote_links"] += len(client.remote_links(issue))
        for attachment in issue.fields.attachment:
            found["attachments"] += 1
            found["attachment_bytes"] += len(attachment.get())
    found["issues"] = len(issues)
    projects = client.projects()
    found["projects"] = len(projects)
    found["components"] = sum(len(client.project_components(project)) for project in projects)
    found["versions"] = sum(len(client.project_versions(project)) for project in projects)
    check_all("jira", found)
    check("jira", "issues counted", client.approximate_issue_count(JQL), site["counts"]["issues"])
    one = client.issue(issues[0].key)
    if one.fields.summary != issues[0].fields.summary or not client.fields():
        sys.exit("jira: an issue is not the one that was found")
    for read in ["statuses", "priorities", "resolutions", "issue_types", "issue_link_types"]:
        if not getattr(client, read)():
            sys.exit(f"jira: there are no {read}")


def atlassian_python_api():
    """Version 3 of the API by the client that is made from the document, and the older one beside it."""
    login = {"username": site["email"], "password": site["token"]}
    client = JiraCloud(site["url"], **login)
    issues = client.enhanced_jql_get_list_of_tickets(JQL, fields="*all")
    found = {"issues": len(issues), "comments": 0, "history_entries": 0, "history_items": 0}
    found["worklogs"] = found["properties"] = 0
    for issue in issues:
        key = issue["key"]
        start = 0
        while page := client.get_comments(key, start_at=start, max_results=100)["comments"]:
            start += len(page)
        found["comments"] += start
        start = 0
        while page := client.get_change_logs(key, start_at=start, max_results=20)["values"]:
            start += len(page)
            found["history_items"] += sum(len(change["items"]) for change in page)
        found["history_entries"] += start
        found["worklogs"] += len(client.get_issue_worklog(key)["worklogs"])
        found["properties"] += len(client.get_issue_property_keys(key)["keys"])
    found["projects"] = client.search_projects(expand="insight")["total"]
    check_all("atlassian-python-api", found)
    older = Jira(site["url"], cloud=True, **login)
    attachments = [row for issue in issues for row in issue["fields"]["attachment"]]
    contents = [older.get_attachment_content(row["id"]) for row in attachments]
    if [len(content) for content in contents] != [row["size"] for row in attachments]:
        sys.exit("atlassian-python-api: a file is not as long as its metadata say")
    check_all("atlassian-python-api", {"attachment_bytes": sum(map(len, contents))})


pycontribs()
atlassian_python_api()
