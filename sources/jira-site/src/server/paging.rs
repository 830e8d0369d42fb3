//! Pages by `startAt` and `maxResults`.

use serde_json::{Value, json};

use super::call::Call;
use super::table::Paging;

/// What Jira calls the page size where there are no pages.
const WHOLE: u64 = 1_048_576;

/// The part of a list that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) size: u64,
}

impl Window {
    /// The window that a call asks for, no larger than its endpoint allows.
    pub(super) fn of(call: &Call<'_>) -> Window {
        let (default, most) = match call.endpoint.paging {
            Paging::Offset { default, most } | Paging::Token { default, most } => (default, most),
            Paging::Feed { most } => (most, most),
            Paging::Whole => (WHOLE, WHOLE),
        };
        let asked = |name| call.integer(name).and_then(|value| u64::try_from(value).ok());
        Window {
            start: asked("startAt").unwrap_or_default(),
            size: asked("maxResults").unwrap_or(default).min(most),
        }
    }

    /// Takes the window's rows out of all.
    pub(super) fn cut<T>(self, rows: Vec<T>) -> Vec<T> {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        rows.into_iter().skip(start).take(size).collect()
    }

    /// Whether nothing comes behind the window.
    pub(super) fn is_last(self, total: usize) -> bool {
        self.start.saturating_add(self.size) >= total as u64
    }
}

/// Answers with the page of `rows` that a call asks for: the bean with `values`.
pub(super) fn page(call: &Call<'_>, rows: Vec<Value>) -> Value {
    let window = Window::of(call);
    let total = rows.len();
    let url = |start: u64| {
        let (base, path) = (call.base, own_path(call));
        format!("{base}{path}?maxResults={}&startAt={start}", window.size)
    };
    let mut page = json!({
        "self": url(window.start),
        "maxResults": window.size,
        "startAt": window.start,
        "total": total,
        "isLast": window.is_last(total),
        "values": window.cut(rows),
    });
    if !window.is_last(total) && window.size > 0 {
        page["nextPage"] = Value::from(url(window.start + window.size));
    }
    page
}

/// Answers with the page of `rows` that a call asks for, under a name of its own and with nothing but the figures.
pub(super) fn named_page(call: &Call<'_>, name: &str, rows: Vec<Value>) -> Value {
    let window = Window::of(call);
    let mut page = json!({
        "startAt": window.start,
        "maxResults": window.size,
        "total": rows.len(),
    });
    page[name] = Value::Array(window.cut(rows));
    page
}

/// The path of a call without what stands before `/rest`.
pub(super) fn own_path<'a>(call: &'a Call<'_>) -> &'a str {
    let path = &*call.request.path;
    path.find("/rest/").map_or(path, |at| &path[at..])
}
