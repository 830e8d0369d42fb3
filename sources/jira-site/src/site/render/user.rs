//! Users, groups and the calling account.

use serde_json::{Value, json};

use crate::site::catalogue::GROUPS;
use crate::site::model::{User, UserIndex};
use crate::site::random::mix;
use crate::site::state::State;

/// The place of the calling account in the list of users.
pub(super) const CALLER: UserIndex = 0;

impl State {
    /// `GET /myself`: the calling account with its time zone, groups and application roles.
    pub fn myself_json(&self, base: &str) -> Value {
        let mut caller = self.person_json(Some(CALLER), base);
        let groups: Vec<_> = GROUPS.iter().map(|(name, id)| group_json(name, id, base)).collect();
        caller["locale"] = json!("en_AU");
        caller["groups"] = json!({"size": groups.len(), "items": groups});
        caller["applicationRoles"] = json!({
            "size": 1, "items": [{"key": "jira-software", "name": "Jira Software"}],
        });
        caller["expand"] = json!("groups,applicationRoles");
        caller
    }

    /// `GET /users/search`: every user that can be listed; deleted ones cannot.
    pub fn users_json(&self, base: &str) -> Vec<Value> {
        let listed = self.users.iter().enumerate().filter(|(_, user)| !user.deleted);
        listed.map(|(place, _)| self.person_json(Some(place), base)).collect()
    }

    /// `GET /user?accountId=`: one user, deactivated or deleted ones too.
    pub fn user_json(&self, account_id: &str, base: &str) -> Option<Value> {
        let place = self.users.iter().position(|user| user.account_id == account_id)?;
        let mut user = self.person_json(Some(place), base);
        user["groups"] = json!({"size": 1, "items": []});
        user["applicationRoles"] = json!({"size": 1, "items": []});
        user["expand"] = json!("groups,applicationRoles");
        Some(user)
    }

    /// `GET /group/bulk`: the values of the page, `{name, groupId}`.
    pub fn groups_json(&self) -> Vec<Value> {
        GROUPS.iter().map(|(name, id)| json!({"name": name, "groupId": id})).collect()
    }

    /// A user as other things refer to them; nobody is null, and a deleted user has no name.
    pub(super) fn person_json(&self, user: Option<UserIndex>, base: &str) -> Value {
        let Some((place, user)) = user.and_then(|place| Some((place, self.users.get(place)?)))
        else {
            return Value::Null;
        };
        let mut json = json!({
            "self": format!("{base}/rest/api/3/user?accountId={}", percent_encode(&user.account_id)),
            "accountId": user.account_id,
            "active": user.active,
            "timeZone": if place == CALLER { &self.options.time_zone } else { user.time_zone },
            "accountType": user.account_type,
        });
        json["avatarUrls"] = self.user_avatars(place, user);
        if user.deleted {
            json["accountType"] = json!("unknown");
            return json;
        }
        json["displayName"] = json!(user.name);
        if let Some(email) = &user.email {
            json["emailAddress"] = json!(email);
        }
        json
    }

    /// The addresses change now and then although nobody changes the picture.
    fn user_avatars(&self, place: UserIndex, user: &User) -> Value {
        let hash = mix(place as u64 + 1) ^ self.ticks;
        let initials: String =
            user.name.split(' ').filter_map(|word| word.chars().next()).take(2).collect();
        let url = |size: u32| {
            format!("https://avatars.example.com/{hash:016x}/{}/{size}", percent_encode(&initials))
        };
        json!({"48x48": url(48), "24x24": url(24), "16x16": url(16), "32x32": url(32)})
    }
}

fn group_json(name: &str, id: &str, base: &str) -> Value {
    json!({"name": name, "groupId": id, "self": format!("{base}/rest/api/3/group?groupId={id}")})
}

pub(super) fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            encoded.extend(['%', char::from(high), char::from(low)]);
        }
    }
    encoded
}
