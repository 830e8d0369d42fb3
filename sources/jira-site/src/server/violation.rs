//! What a client did that the real site refuses, or ignores without a word.

use std::fmt;

/// What kind of mistake a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViolationKind {
    /// There is no such endpoint.
    UnknownEndpoint,
    /// The endpoint is there, but not with this method.
    WrongMethod,
    /// The endpoint has no such parameter; the real site ignores it.
    UnknownParameter,
    /// The real site has this parameter or expansion, this one does not serve it.
    Unserved,
    /// A value of the wrong type, or not one of those allowed.
    WrongValue,
    /// More than is allowed at once.
    OverTheLimit,
    /// A parameter that must be there is not.
    Missing,
    /// A header that should be there is not, or is wrong.
    WrongHeader,
    /// No credentials, or wrong ones.
    Unauthorized,
    /// Credentials were sent where they must not go.
    LeakedCredentials,
    /// An endpoint that Atlassian removed.
    Removed,
}

/// A request that the real site refuses, or of which it ignores something.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What kind of mistake it is.
    pub kind: ViolationKind,
    /// The request: its method and path.
    pub request: String,
    /// What is wrong, in words.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request, self.message)
    }
}

/// The violations of one request, while it is looked at.
#[derive(Debug)]
pub(super) struct Complaints<'a> {
    request: String,
    found: &'a mut Vec<Violation>,
}

impl<'a> Complaints<'a> {
    pub(super) fn new(request: String, found: &'a mut Vec<Violation>) -> Self {
        Complaints { request, found }
    }

    pub(super) fn add(&mut self, kind: ViolationKind, message: impl Into<String>) {
        let request = self.request.clone();
        self.found.push(Violation { kind, request, message: message.into() });
    }
}
