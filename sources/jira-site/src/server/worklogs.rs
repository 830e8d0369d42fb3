//! Handlers of worklogs and of the feeds that tell which changed.

use jiff::Timestamp;
use jiff::fmt::strtime;
use serde_json::{Value, json};

use super::call::Call;
use super::table::Paging;
use super::{Answer, Refusal, issues, paging};

pub(super) fn worklogs(call: &Call<'_>) -> Result<Answer, Refusal> {
    let worklogs = call.state.worklogs_json(issues::named(call)?, call.base);
    let mut worklogs = worklogs.ok_or_else(Refusal::no_issue)?;
    let after = call.integer("startedAfter").unwrap_or(i64::MIN);
    let before = call.integer("startedBefore").unwrap_or(i64::MAX);
    worklogs.retain(|worklog| {
        started(worklog).is_none_or(|started| (after..before).contains(&started))
    });
    Ok(Answer::json(paging::named_page(call, "worklogs", worklogs)))
}

/// When the work of a worklog began, in milliseconds.
fn started(worklog: &Value) -> Option<i64> {
    let time = strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", worklog["started"].as_str()?).ok()?;
    Some(time.to_timestamp().ok()?.as_millisecond())
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, Refusal> {
    let ids = call.integers("ids").unwrap_or_default();
    let ids = ids.into_iter().filter_map(|id| u64::try_from(id).ok());
    let worklogs = ids.filter_map(|id| call.state.worklog_json(id, call.base));
    Ok(Answer::json(Value::Array(worklogs.collect())))
}

pub(super) fn updated(call: &Call<'_>) -> Result<Answer, Refusal> {
    let since = since(call);
    Ok(feed(call, since, call.state.worklogs_updated(since)))
}

pub(super) fn deleted(call: &Call<'_>) -> Result<Answer, Refusal> {
    let since = since(call);
    Ok(feed(call, since, call.state.worklogs_deleted(since)))
}

fn since(call: &Call<'_>) -> Timestamp {
    let since = call.integer("since").unwrap_or_default();
    Timestamp::from_millisecond(since).unwrap_or(Timestamp::MAX)
}

/// A page of a feed: it ends where the next one begins, or at the last minute, of which nothing is told yet.
fn feed(call: &Call<'_>, since: Timestamp, mut entries: Vec<(u64, i64)>) -> Answer {
    let Paging::Feed { most } = call.endpoint.paging else {
        return Answer::json(Value::Null);
    };
    let is_last = entries.len() as u64 <= most;
    entries.truncate(most as usize);
    let since = since.as_millisecond();
    let until = match entries.last() {
        Some((_, time)) if !is_last => *time,
        _ => call.state.feed_until().as_millisecond().max(since),
    };
    let url = |since: i64| format!("{}{}?since={since}", call.base, paging::own_path(call));
    let values: Vec<Value> = entries
        .into_iter()
        .map(|(id, time)| json!({ "worklogId": id, "updatedTime": time, "properties": [] }))
        .collect();
    let mut page = json!({
        "values": values,
        "since": since,
        "until": until,
        "self": url(since),
        "lastPage": is_last,
    });
    if !is_last {
        page["nextPage"] = Value::from(url(until));
    }
    Answer::json(page)
}
