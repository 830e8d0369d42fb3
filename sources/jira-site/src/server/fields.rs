//! Which fields of an issue a request asks for, and the issue with only those.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::call::Call;

/// The most changelog entries that come with an issue.
const EMBEDDED_CHANGES: usize = 40;

/// A choice of fields.
#[derive(Debug)]
pub(super) struct Selection {
    all: bool,
    navigable: bool,
    named: BTreeSet<String>,
    excluded: BTreeSet<String>,
    /// The fields that `*navigable` stands for.
    navigable_fields: BTreeSet<String>,
}

impl Selection {
    /// Reads the parameter `fields`; `default` holds where it is absent, and where it only excludes.
    pub(super) fn of(call: &Call<'_>, default: &str) -> Selection {
        let navigable = call.state.fields_json().into_iter().filter(|f| f["navigable"] == true);
        let navigable = navigable.filter_map(|field| field["id"].as_str().map(str::to_owned));
        Selection::new(&call.texts("fields").unwrap_or_default(), default, navigable.collect())
    }

    fn new(asked: &[&str], default: &str, navigable_fields: BTreeSet<String>) -> Selection {
        let mut selection = Selection {
            all: false,
            navigable: false,
            named: BTreeSet::new(),
            excluded: BTreeSet::new(),
            navigable_fields,
        };
        let words = asked.iter().flat_map(|words| words.split(',')).map(str::trim);
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        if words.iter().all(|word| word.starts_with('-')) {
            selection.add(default);
        }
        for word in words {
            selection.add(word);
        }
        selection
    }

    fn add(&mut self, word: &str) {
        match (word, word.strip_prefix('-')) {
            ("*all", _) => self.all = true,
            ("*navigable", _) => self.navigable = true,
            (_, Some(name)) => drop(self.excluded.insert(name.to_owned())),
            _ => drop(self.named.insert(word.to_owned())),
        }
    }

    fn keeps(&self, name: &str) -> bool {
        !self.excluded.contains(name)
            && (self.all
                || self.named.contains(name)
                || self.navigable && self.navigable_fields.contains(name))
    }

    /// Whether only ids are asked for.
    pub(super) fn is_id_only(&self) -> bool {
        self.is_identity_only() && !self.named.contains("key")
    }

    /// Whether only ids and keys are asked for.
    pub(super) fn is_identity_only(&self) -> bool {
        let identity = ["id", "key"];
        !self.all && !self.navigable && self.named.iter().all(|name| identity.contains(&&**name))
    }
}

/// An issue as a call asks for it: chosen fields, properties, expansions.
pub(super) fn issue(call: &Call<'_>, id: u64, selection: &Selection) -> Option<Value> {
    let mut issue = call.state.issue_json(id, call.base)?;
    let fields = issue.get_mut("fields").and_then(Value::as_object_mut)?;
    fields.retain(|name, _| selection.keeps(name));
    if selection.is_identity_only() {
        issue.as_object_mut()?.remove("fields");
    }
    if let Some(properties) = properties(call, id) {
        issue["properties"] = properties;
    }
    if call.expands("changelog") {
        issue["changelog"] = embedded_changelog(call, id);
    }
    Some(issue)
}

/// Adds what `expand=names,schema` asks for to an issue or to a page of them.
pub(super) fn describe(call: &Call<'_>, selection: &Selection, target: &mut Value) {
    if !call.expands("names") && !call.expands("schema") {
        return;
    }
    let fields: Vec<Value> = call
        .state
        .fields_json()
        .into_iter()
        .filter(|field| field["id"].as_str().is_some_and(|id| selection.keeps(id)))
        .collect();
    for (word, part) in [("names", "name"), ("schema", "schema")] {
        if call.expands(word) {
            let entries = fields.iter().filter_map(|field| {
                let value = field.get(part)?;
                Some((field["id"].as_str()?.to_owned(), value.clone()))
            });
            target[word] = Value::Object(entries.collect::<Map<_, _>>());
        }
    }
}

fn properties(call: &Call<'_>, id: u64) -> Option<Value> {
    let asked = call.texts("properties")?;
    let asked: Vec<&str> = asked.iter().flat_map(|words| words.split(',')).collect();
    let excluded = |key: &str| asked.iter().any(|word| word.strip_prefix('-') == Some(key));
    let kept = call.state.properties(id)?.iter().filter(|(key, _)| {
        (asked.contains(&"*all") || asked.contains(&key.as_str())) && !excluded(key)
    });
    Some(Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

/// The latest changes, newest first.
fn embedded_changelog(call: &Call<'_>, id: u64) -> Value {
    let mut histories = call.state.changelog_json(id, call.base).unwrap_or_default();
    let total = histories.len();
    histories.reverse();
    histories.truncate(EMBEDDED_CHANGES);
    let shown = histories.len();
    json!({ "startAt": 0, "maxResults": shown, "total": total, "histories": histories })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_chosen() {
        for (asked, default, kept) in [
            (&[][..], "id", ""),
            (&[], "*all", "a b c n"),
            (&[], "*navigable", "n"),
            (&["a,b", "c"], "id", "a b c"),
            (&["-a"], "*all", "b c n"),
            (&["*all", "-a"], "id", "b c n"),
            (&["*navigable", "a"], "id", "a n"),
            (&["a", "-a"], "*all", ""),
            (&["key"], "id", ""),
        ] {
            let navigable = BTreeSet::from(["n".to_owned()]);
            let selection = Selection::new(asked, default, navigable);
            let found: Vec<&str> =
                ["a", "b", "c", "n"].into_iter().filter(|name| selection.keeps(name)).collect();
            assert_eq!(found.join(" "), kept, "{asked:?} {default}");
        }
    }

    #[test]
    fn large_pages_are_for_identities() {
        for (asked, id_only, identity_only) in [
            (&[][..], true, true),
            (&["id"], true, true),
            (&["key"], false, true),
            (&["id,key"], false, true),
            (&["summary"], false, false),
            (&["*all"], false, false),
        ] {
            let selection = Selection::new(asked, "id", BTreeSet::new());
            assert_eq!(selection.is_id_only(), id_only, "{asked:?}");
            assert_eq!(selection.is_identity_only(), identity_only, "{asked:?}");
        }
    }
}
