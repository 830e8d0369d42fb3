//! Answers of odd shape: numbers as strings, properties that are null or missing. Nothing panics, nothing is lost; the backup ends
//! and is mended by the next, or it fails and says so.

use esker_jira_site::server::{Fault, When};

use super::{Bench, MODES, Mode, chain, holdings, rules, told};

/// What backups look at, and what people see.
const NAMES: [&[&str]; 19] = [
    &["displayName", "author", "updated", "created", "mimeType", "issuelinks", "items"],
    &["accountId"],
    &["total", "isLast", "startAt", "maxResults"],
    &["comment", "worklog", "attachment"],
    &["comments", "worklogs"],
    &["filename"],
    &["size"],
    &["id"],
    &["key"],
    &["fields"],
    &["issues"],
    &["values"],
    &["insight", "timeZone"],
    &["watches", "votes"],
    &["watchers", "voters"],
    &["keys"],
    &["value"],
    &["changeHistories"],
    &["issueId"],
];

#[test]
fn numbers_may_be_strings() {
    let bench = Bench::new();
    for mode in MODES {
        for short in [false, true] {
            let mut rules = rules(["*"], When::Always, &Fault::NumbersAsStrings);
            if short {
                rules.insert(0, ("*".to_owned(), When::Always, Fault::ShortPages(7)));
            }
            let run = bench.run(mode, &rules);
            let case = format!("numbers as strings, short pages {short}");
            assert!(run.result.is_ok(), "{case}: {:?}", run.result.err().map(|it| chain(&it)));
            bench.assert_nothing_lost(&run, &case);
            bench.assert_heals_in_full(run, &case);
        }
    }
}

#[test]
fn what_is_null_or_missing_loses_nothing() {
    let bench = Bench::new();
    for (place, names) in NAMES.into_iter().enumerate() {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        for (mode, next) in MODES.into_iter().zip(0..) {
            let fault = match (place + next) % 2 {
                0 => Fault::NullProperties(names.clone()),
                _ => Fault::MissingProperties(names.clone()),
            };
            let case = format!("{fault:?}");
            let run = bench.run(mode, &rules(["*"], When::Always, &fault));
            bench.assert_nothing_lost(&run, &case);
            match &run.result {
                Ok(_) if mode == Mode::Incremental => bench.assert_heals_in_full(run, &case),
                Ok(_) => {}
                Err(error) => {
                    let text = chain(error);
                    assert!(text.contains("makes no sense"), "{case}, {mode:?}: {text}");
                }
            }
        }
    }
}

/// What is stored as it came may be odd; a part that is missing is told.
#[test]
fn what_is_missing_is_told() {
    let bench = Bench::new();
    for (property, named) in [
        ("comments", "/comments"),
        ("worklogs", "/worklogs"),
        ("keys", "/properties.json"),
        ("fields", "`fields`"),
        ("accountId", "users/search"),
        ("size", "/attachments/"),
    ] {
        for mode in MODES {
            let fault = Fault::MissingProperties(vec![property.into()]);
            let run = bench.run(mode, &rules(["*"], When::Always, &fault));
            let told = told(run.report(property));
            assert!(told.iter().any(|it| it.contains(named)), "{property}, {mode:?}: {told:#?}");
        }
    }
    for mode in MODES {
        // Read by themselves where they do not come with the issue.
        for property in ["comment", "worklog", "watches", "votes", "changeHistories", "issueId"] {
            let fault = Fault::MissingProperties(vec![property.into()]);
            let on = ["POST /rest/api/3/issue/bulkfetch", "POST /rest/api/3/changelog/bulkfetch"];
            let run = bench.run(mode, &rules(on, When::Always, &fault));
            let report = run.report(property);
            assert_eq!(told(report), Vec::<String>::new(), "{property}, {mode:?}");
            let held = holdings(&run.repo);
            let missing: Vec<_> =
                bench.present.keys().filter(|path| !held.contains_key(*path)).collect();
            assert!(missing.is_empty(), "{property}, {mode:?}: {missing:#?}");
        }
    }
}
