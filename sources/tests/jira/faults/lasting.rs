//! Faults that last. Where one part fails the rest is stored, the part is told, and what the last snapshot has of it stays; what
//! everything hangs on fails the backup. Nothing is taken for deleted, and the next backup without the fault is whole.

use esker_jira_site::server::{Fault, When};

use super::{Bench, MODES, rules};

/// Parts of the site: where they are asked for, what names them, what is in their paths.
const PARTS: [(&str, &str, &str); 17] = [
    ("GET /rest/api/3/issue/{issueIdOrKey}/remotelink", "remote-links", "/remote-links.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/watchers", "watchers", "/watchers.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/votes", "votes", "/votes.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/properties", "properties", "/properties.json"),
    ("GET /rest/api/3/issue/{issueIdOrKey}/comment", "/comments", "/comments/"),
    ("GET /rest/api/3/attachment/content/{id}", "/attachments/", "/attachments/"),
    ("GET /media/file/{fileId}/binary", "/attachments/", "/attachments/"),
    ("GET /rest/api/3/users/search", "users/search", "/users/"),
    ("GET /rest/api/3/user/bulk", "user/bulk", "/users/"),
    ("GET /rest/api/3/field", "/configuration/fields", "/configuration/fields"),
    ("GET /rest/api/3/issuetype", "/configuration/issue-types", "/configuration/issue-types"),
    ("GET /rest/api/3/status", "/configuration/statuses", "/configuration/statuses"),
    ("GET /rest/api/3/issueLinkType", "/configuration/link-types", "/configuration/link-types"),
    ("GET /rest/api/3/project/{projectIdOrKey}", "/projects/", "/project.json"),
    ("GET /rest/api/3/project/{projectIdOrKey}/component", "/components", "/components/"),
    ("GET /rest/api/3/project/{projectIdOrKey}/version", "/versions", "/versions/"),
    (
        "GET /rest/api/3/issue/{issueIdOrKey}/properties/{propertyKey}",
        "properties",
        "/properties.json",
    ),
];

#[test]
fn a_part_that_fails_is_told_and_mended() {
    let bench = Bench::new();
    for (endpoint, named, path) in PARTS {
        for status in [403, 404, 500] {
            let case = format!("{endpoint}: {status}");
            for mode in MODES {
                let failing = rules([endpoint], When::Always, &Fault::status(status));
                let run = bench.run(mode, &failing);
                eprintln!("{case} {mode:?} {} {}", run.fired, run.requests.values().sum::<u64>());
                if run.fired == 0 {
                    continue;
                }
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    bench.assert_partial(&run, &case, named, |it| it.contains(path));
                    if !(path == "/attachments/" && status == 404) {
                        bench.assert_heals(run, &case);
                    }
                }));
            }
        }
    }
}
