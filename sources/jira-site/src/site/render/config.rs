//! What issues refer to: fields, types, statuses, priorities, resolutions, link types, roles.

use serde_json::{Value, json};

use crate::site::catalogue::{
    GROUPS, ISSUE_TYPES, IssueType, LINK_TYPES, LinkType, PRIORITIES, Priority, RESOLUTIONS, ROLES,
    STATUS_CATEGORIES, STATUSES, Status, StatusCategory,
};
use crate::site::fields::{CUSTOM, Custom, SYSTEM, System};
use crate::site::state::State;

impl State {
    /// `GET /serverInfo`.
    pub fn server_info_json(&self, base: &str) -> Value {
        json!({
            "baseUrl": base,
            "displayUrl": base,
            "displayUrlServicedeskHelpCenter": base,
            "version": "1001.0.0-SNAPSHOT",
            "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud",
            "buildNumber": 100_291,
            "buildDate": "2026-02-24T12:59:12.000+1100",
            "serverTime": self.stamp(self.now()),
            "scmInfo": "948b370c557f4bbf768b92203f3aca5d86ee9758",
            "serverTitle": self.title,
            "defaultLocale": {"locale": "en_US"},
            "serverTimeZone": self.options.time_zone,
        })
    }

    /// `GET /_edge/tenant_info`.
    pub fn tenant_info_json(&self) -> Value {
        json!({"cloudId": self.cloud_id()})
    }

    /// `GET /field`: all fields at once.
    pub fn fields_json(&self) -> Vec<Value> {
        SYSTEM.iter().map(system_field_json).chain(CUSTOM.iter().map(custom_field_json)).collect()
    }

    /// `GET /issuetype`.
    pub fn issue_types_json(&self, base: &str) -> Vec<Value> {
        ISSUE_TYPES.iter().map(|issue_type| issue_type_json(issue_type, base)).collect()
    }

    /// `GET /status`.
    pub fn statuses_json(&self, base: &str) -> Vec<Value> {
        STATUSES.iter().map(|status| status_json(status, base)).collect()
    }

    /// `GET /statuscategory`.
    pub fn status_categories_json(&self, base: &str) -> Vec<Value> {
        STATUS_CATEGORIES.iter().map(|category| category_json(category, base)).collect()
    }

    /// `GET /priority`, or the values of a page of `GET /priority/search`.
    pub fn priorities_json(&self, base: &str) -> Vec<Value> {
        let full = |priority: &Priority| {
            let mut json = priority_json(priority, base);
            json["statusColor"] = json!(priority.color);
            json["description"] = json!(priority.description);
            json["isDefault"] = json!(priority.id == "3");
            json
        };
        PRIORITIES.iter().map(full).collect()
    }

    /// `GET /resolution`, or the values of a page of `GET /resolution/search`.
    pub fn resolutions_json(&self, base: &str) -> Vec<Value> {
        (0..RESOLUTIONS.len()).map(|place| resolution_json(place, base)).collect()
    }

    /// The list inside `GET /issueLinkType`, under `issueLinkTypes`.
    pub fn link_types_json(&self, base: &str) -> Vec<Value> {
        LINK_TYPES.iter().map(|link_type| link_type_json(link_type, base)).collect()
    }

    /// `GET /role`.
    pub fn roles_json(&self, base: &str) -> Vec<Value> {
        ROLES
            .iter()
            .map(|(id, name, description)| {
                let (group, group_id) = GROUPS[(*id as usize) % GROUPS.len()];
                json!({
                    "self": format!("{base}/rest/api/3/role/{id}"),
                    "name": name,
                    "id": id,
                    "description": description,
                    "actors": [{
                        "id": id + 8000,
                        "displayName": group,
                        "type": "atlassian-group-role-actor",
                        "name": group,
                        "actorGroup": {"name": group, "displayName": group, "groupId": group_id},
                    }],
                })
            })
            .collect()
    }
}

/// System fields that `*navigable` leaves out.
const NOT_NAVIGABLE: [&str; 4] = ["attachment", "comment", "timetracking", "worklog"];

fn system_field_json(field: &System) -> Value {
    let mut json = json!({
        "id": field.id,
        "key": field.id,
        "name": field.name,
        "custom": false,
        "orderable": !field.id.starts_with("aggregate"),
        "navigable": !NOT_NAVIGABLE.contains(&field.id),
        "searchable": !field.clauses.is_empty(),
        "clauseNames": field.clauses,
    });
    if let Some((of, items)) = field.schema {
        json["schema"] = json!({"type": of, "system": field.id});
        if let Some(items) = items {
            json["schema"]["items"] = json!(items);
        }
    }
    json
}

fn custom_field_json(field: &Custom) -> Value {
    let id = format!("customfield_{}", field.number);
    let (of, items, custom) = field.kind.schema();
    let mut schema = json!({"type": of, "custom": custom, "customId": field.number});
    if let Some(items) = items {
        schema["items"] = json!(items);
    }
    json!({
        "id": id,
        "key": id,
        "name": field.name,
        "untranslatedName": field.name,
        "custom": true,
        "orderable": true,
        "navigable": true,
        "searchable": true,
        "clauseNames": [format!("cf[{}]", field.number), field.name],
        "schema": schema,
    })
}

pub(super) fn issue_type_json(issue_type: &IssueType, base: &str) -> Value {
    let avatar = issue_type.avatar;
    json!({
        "self": format!("{base}/rest/api/3/issuetype/{}", issue_type.id),
        "id": issue_type.id,
        "description": issue_type.description,
        "iconUrl": format!("{base}/rest/api/2/universal_avatar/view/type/issuetype/avatar/{avatar}?size=medium"),
        "name": issue_type.name,
        "subtask": issue_type.level < 0,
        "avatarId": avatar,
        "hierarchyLevel": issue_type.level,
    })
}

pub(super) fn status_json(status: &Status, base: &str) -> Value {
    let mut json = json!({
        "self": format!("{base}/rest/api/3/status/{}", status.id),
        "description": status.description,
        "iconUrl": format!("{base}/images/icons/statuses/generic.png"),
        "name": status.name,
        "id": status.id,
    });
    json["statusCategory"] = category_json(&STATUS_CATEGORIES[status.category], base);
    json
}

pub(super) fn category_json(category: &StatusCategory, base: &str) -> Value {
    json!({
        "self": format!("{base}/rest/api/3/statuscategory/{}", category.id),
        "id": category.id,
        "key": category.key,
        "colorName": category.color,
        "name": category.name,
    })
}

pub(super) fn priority_json(priority: &Priority, base: &str) -> Value {
    json!({
        "self": format!("{base}/rest/api/3/priority/{}", priority.id),
        "iconUrl": format!("{base}/images/icons/priorities/{}.svg", priority.name.to_lowercase()),
        "name": priority.name,
        "id": priority.id,
    })
}

pub(super) fn resolution_json(place: usize, base: &str) -> Value {
    let (id, name, description) = RESOLUTIONS[place];
    json!({
        "self": format!("{base}/rest/api/3/resolution/{id}"),
        "id": id,
        "description": description,
        "name": name,
    })
}

pub(super) fn link_type_json(link_type: &LinkType, base: &str) -> Value {
    json!({
        "id": link_type.id,
        "name": link_type.name,
        "inward": link_type.inward,
        "outward": link_type.outward,
        "self": format!("{base}/rest/api/3/issueLinkType/{}", link_type.id),
    })
}
