//! The endpoints this site knows: what each takes, how much of it, and what it answers.
//!
//! Every request is checked against this table, and `tests/openapi.rs` checks the table against Atlassian's OpenAPI document.

mod configuration;
mod issues;
mod projects;
mod search;
mod users;

use super::call::Call;
use super::{Answer, Refusal};

/// What an endpoint does with a request that passed the checks.
pub(super) type Handler = fn(&Call<'_>) -> Result<Answer, Refusal>;

/// A method of HTTP that the site serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Reads too: where the question is too long for a URL.
    Post,
}

impl Verb {
    /// The name as it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// The type of a query parameter or of a property of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A whole number that the document calls a string.
    Digits,
    /// `true` or `false`.
    Boolean,
    /// Any text.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Words with commas between them, of which only these are served.
    Words(&'static [&'static str]),
    /// Several values: repeated, or with commas between them, in a URL; an array in a body.
    List(&'static Kind),
}

/// A query parameter or a property of a request body.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name as Atlassian writes it.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Whether a request without it is refused.
    pub required: bool,
    /// What the document says is assumed where it is absent.
    pub default: Option<&'static str>,
    /// The least value, or the fewest items of a list.
    pub least: Option<i64>,
    /// The greatest value, or the most items of a list.
    pub most: Option<i64>,
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, required: false, default: None, least: None, most: None }
    }

    const fn required(mut self) -> Field {
        self.required = true;
        self
    }

    const fn default(mut self, value: &'static str) -> Field {
        self.default = Some(value);
        self
    }

    const fn least(mut self, least: i64) -> Field {
        self.least = Some(least);
        self
    }

    const fn most(mut self, most: i64) -> Field {
        self.most = Some(most);
        self
    }
}

const fn integer(name: &'static str) -> Field {
    Field::new(name, Kind::Integer)
}

const fn digits(name: &'static str) -> Field {
    Field::new(name, Kind::Digits)
}

const fn boolean(name: &'static str) -> Field {
    Field::new(name, Kind::Boolean).default("false")
}

const fn text(name: &'static str) -> Field {
    Field::new(name, Kind::Text)
}

const fn choice(name: &'static str, values: &'static [&'static str]) -> Field {
    Field::new(name, Kind::Choice(values))
}

const fn expand(served: &'static [&'static str]) -> Field {
    Field::new("expand", Kind::Words(served))
}

const fn texts(name: &'static str) -> Field {
    Field::new(name, Kind::List(&Kind::Text))
}

const fn integers(name: &'static str) -> Field {
    Field::new(name, Kind::List(&Kind::Integer))
}

const START_AT: Field = integer("startAt").default("0").least(0);

const fn max_results(default: &'static str) -> Field {
    integer("maxResults").default(default)
}

/// How an endpoint hands out long lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// All at once.
    Whole,
    /// By `startAt` and `maxResults`; whatever is asked, no page has more than `most` rows.
    Offset {
        /// Rows of a page where `maxResults` is absent.
        default: u64,
        /// The most rows of a page.
        most: u64,
    },
    /// By `nextPageToken` and `maxResults`.
    Token {
        /// Rows of a page where `maxResults` is absent.
        default: u64,
        /// The most rows of a page.
        most: u64,
    },
    /// By time: a page ends at `until`, where the next one begins.
    Feed {
        /// The rows of a page.
        most: u64,
    },
}

/// What an endpoint answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object with these properties at least.
    Object(&'static [&'static str]),
    /// An object whose property names are data.
    Map,
    /// An array.
    List,
    /// Bytes, or the way to them.
    Bytes,
    /// An error, always: the endpoint was removed.
    Gone,
}

const PAGE: Shape = Shape::Object(&["self", "maxResults", "startAt", "total", "isLast", "values"]);

/// Which address an endpoint is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The site.
    Site,
    /// The media store, which is another host and must not see the credentials of the site.
    Media,
}

/// One endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Where it is.
    pub host: Host,
    /// Its method.
    pub verb: Verb,
    /// Its path, with the names of parameters in braces.
    pub path: &'static str,
    /// The `operationId` of the document; empty for what the document does not have.
    pub operation: &'static str,
    /// The query parameters it serves.
    pub query: &'static [Field],
    /// Query parameters that the document has and this site does not serve.
    pub unserved: &'static [&'static str],
    /// The properties of its request body.
    pub body: Option<&'static [Field]>,
    /// What it answers with.
    pub shape: Shape,
    /// How its answer is cut in pages.
    pub paging: Paging,
    /// Whether it answers callers that say nothing of who they are.
    pub open: bool,
    /// What answers.
    pub(super) handler: Handler,
}

impl Endpoint {
    const fn new(verb: Verb, path: &'static str, operation: &'static str, run: Handler) -> Self {
        Endpoint {
            host: Host::Site,
            verb,
            path,
            operation,
            query: &[],
            unserved: &[],
            body: None,
            shape: Shape::List,
            paging: Paging::Whole,
            open: false,
            handler: run,
        }
    }

    const fn query(mut self, query: &'static [Field]) -> Self {
        self.query = query;
        self
    }

    const fn unserved(mut self, names: &'static [&'static str]) -> Self {
        self.unserved = names;
        self
    }

    const fn body(mut self, body: &'static [Field]) -> Self {
        self.body = Some(body);
        self
    }

    const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    const fn object(self, properties: &'static [&'static str]) -> Self {
        self.shape(Shape::Object(properties))
    }

    const fn offset(mut self, default: u64, most: u64) -> Self {
        self.paging = Paging::Offset { default, most };
        self
    }

    const fn token(mut self, default: u64, most: u64) -> Self {
        self.paging = Paging::Token { default, most };
        self
    }

    const fn feed(mut self, most: u64) -> Self {
        self.paging = Paging::Feed { most };
        self
    }

    const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    const fn media(mut self) -> Self {
        self.host = Host::Media;
        self.open()
    }

    /// The name that counters and faults use: `GET /rest/api/3/issue/{issueIdOrKey}`.
    pub fn name(&self) -> String {
        format!("{} {}", self.verb.name(), self.path)
    }

    /// The values of the path's parameters where `segments` is such a path.
    fn matches(&self, segments: &[String]) -> Option<PathValues> {
        let mut found = Vec::new();
        let mut given = segments.iter();
        for part in self.path.split('/').skip(1) {
            let segment = given.next()?;
            match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !segment.is_empty() => found.push((name, segment.clone())),
                None if part == segment => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(found)
    }
}

const fn get(path: &'static str, operation: &'static str, run: Handler) -> Endpoint {
    Endpoint::new(Verb::Get, path, operation, run)
}

const fn post(path: &'static str, operation: &'static str, run: Handler) -> Endpoint {
    Endpoint::new(Verb::Post, path, operation, run)
}

/// Every endpoint of the site.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    [
        configuration::ENDPOINTS,
        issues::ENDPOINTS,
        projects::ENDPOINTS,
        search::ENDPOINTS,
        users::ENDPOINTS,
    ]
    .into_iter()
    .flatten()
}

/// Finds the endpoint of that name, as [`Endpoint::name`] gives it.
pub fn by_name(name: &str) -> Option<&'static Endpoint> {
    endpoints().find(|endpoint| endpoint.name() == name)
}

/// The values of a path's parameters, by their names.
pub(super) type PathValues = Vec<(&'static str, String)>;

/// What a method and a path lead to.
pub(super) enum Found {
    Endpoint(&'static Endpoint, PathValues),
    OtherMethod,
    Nothing,
}

/// Finds the endpoint of a path in its decoded segments, which begin behind the first slash.
///
/// `project/search` is also a `project/{projectIdOrKey}`: the fewest parameters win.
pub(super) fn find(host: Host, method: &str, segments: &[String]) -> Found {
    let mut best: Option<(&'static Endpoint, PathValues)> = None;
    let mut other_method = false;
    for endpoint in endpoints().filter(|endpoint| endpoint.host == host) {
        let Some(parameters) = endpoint.matches(segments) else { continue };
        if endpoint.verb.name() != method {
            other_method = true;
        } else if best.as_ref().is_none_or(|(_, fewest)| parameters.len() < fewest.len()) {
            best = Some((endpoint, parameters));
        }
    }
    match best {
        Some((endpoint, parameters)) => Found::Endpoint(endpoint, parameters),
        None if other_method => Found::OtherMethod,
        None => Found::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> String {
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        match find(Host::Site, method, &segments) {
            Found::Endpoint(endpoint, parameters) => {
                let values: Vec<&str> = parameters.iter().map(|(_, value)| &**value).collect();
                format!("{} {}", endpoint.path, values.join(" ")).trim_end().to_owned()
            }
            Found::OtherMethod => "405".to_owned(),
            Found::Nothing => "404".to_owned(),
        }
    }

    #[test]
    fn paths_lead_to_their_endpoint() {
        for (method, path, expected) in [
            ("GET", "/rest/api/3/project/search", "/rest/api/3/project/search"),
            ("GET", "/rest/api/3/project/ABC", "/rest/api/3/project/{projectIdOrKey} ABC"),
            (
                "GET",
                "/rest/api/3/issue/A-1/properties/k",
                "/rest/api/3/issue/{issueIdOrKey}/properties/{propertyKey} A-1 k",
            ),
            ("DELETE", "/rest/api/3/issue/A-1", "405"),
            ("GET", "/rest/api/3/issue/", "404"),
            ("GET", "/rest/api/3/issue/A-1/nothing", "404"),
            ("GET", "/rest/api/3/project/ABC/", "404"),
        ] {
            assert_eq!(found(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = endpoints().map(Endpoint::name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
