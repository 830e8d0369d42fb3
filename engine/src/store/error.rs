//! Why the store did not do as asked, and which failures are worth another try.

use crate::problem::ErrorKind;

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such object.
    #[error("`{name}` is not in the repository")]
    Missing {
        /// Its name.
        name: String,
    },
    /// The object is larger than anything of its kind may be.
    #[error("`{name}` has {length} bytes, more than the {limit} that it may have")]
    TooLarge {
        /// Its name.
        name: String,
        /// How large it is.
        length: u64,
        /// How large it may be.
        limit: u64,
    },
    /// There is no room left.
    #[error("there is no room left in the repository for `{name}`")]
    Full {
        /// What was to be written.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// The credentials do not allow it.
    #[error("the store does not permit access to `{name}`")]
    Denied {
        /// What was asked for.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// Anything else.
    #[error("the store failed at `{name}`")]
    Failed {
        /// What was asked for.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// The address of the repository makes no sense, or names a store that this build does not know.
    #[error("`{url}` cannot be a repository: {what}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The bucket or container of the address does not exist.
    #[error("the bucket or container of `{place}` does not exist")]
    NoBucket {
        /// The address.
        place: String,
    },
    /// There is nothing to show to the store.
    #[error("there are no credentials for `{url}`: set {variables}")]
    NoCredentials {
        /// The address.
        url: String,
        /// Settings, any of which would do.
        variables: &'static str,
    },
    /// A setting makes no sense. Its value is not told: it may be a secret.
    #[error("the setting {name} cannot be used: {what}")]
    Setting {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Somebody on the way could read the credentials.
    #[error(
        "`{url}` would be asked over plain HTTP, which shows credentials to everybody on the way"
    )]
    PlainHttp {
        /// The address of the store or its endpoint.
        url: String,
    },
    /// Objects cannot be locked there.
    #[error("`{place}` cannot lock objects: {what}")]
    Unlockable {
        /// The address.
        place: String,
        /// Why.
        what: String,
    },
    /// An object is stored and could not be locked.
    #[error("`{name}` cannot be locked")]
    Lock {
        /// Its name.
        name: String,
        /// The store's words.
        source: object_store::Error,
    },
    /// The folder of the repository cannot be used.
    #[error("the folder `{path}` cannot be used")]
    Folder {
        /// Which folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl StoreError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } | Self::NoBucket { .. } => ErrorKind::NotFound,
            Self::TooLarge { .. } => ErrorKind::Corrupt,
            Self::Full { .. } => ErrorKind::Full,
            Self::Denied { .. } | Self::NoCredentials { .. } => ErrorKind::Credentials,
            Self::Failed { .. } => ErrorKind::Unavailable,
            Self::Unlockable { .. } => ErrorKind::Unsupported,
            Self::Lock { source, .. } if matches!(status(source), Some(401 | 403)) => {
                ErrorKind::Credentials
            }
            Self::Lock { .. } => ErrorKind::Unavailable,
            Self::Url { .. } | Self::Setting { .. } | Self::PlainHttp { .. } => ErrorKind::Invalid,
            Self::Folder { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::StorageFull => ErrorKind::Full,
                _ => ErrorKind::Unavailable,
            },
        }
    }

    /// Names the object that a request was about.
    pub(super) fn of(name: &str, source: object_store::Error) -> Self {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let name = name.to_owned();
        match source {
            NotFound { .. } => Self::Missing { name },
            PermissionDenied { .. } | Unauthenticated { .. } => Self::Denied { name, source },
            // What a listing or a deletion of many is told has no kind of its own.
            source if matches!(status(&source), Some(401 | 403)) => Self::Denied { name, source },
            source if is_full(&source) => Self::Full { name, source },
            source => Self::Failed { name, source },
        }
    }
}

/// An error and its causes.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// True where a listing finds no bucket: a folder that is not there is an empty one.
pub(super) fn is_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) || status(error) == Some(404)
}

fn is_full(error: &object_store::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    causes(error).any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|it| matches!(it.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }) || status(error) == Some(507)
}

/// The HTTP status that a server answered with.
///
/// `object_store` keeps it in a private type, so its words are read; tests hold them fast. Without them a refused request
/// would be repeated in vain, and told as a failure of the store.
fn status(error: &object_store::Error) -> Option<u16> {
    causes(error).find_map(|cause| {
        let text = cause.to_string();
        let rest = text.split_once("non-2xx status code: ")?.1;
        rest.get(..3)?.parse().ok()
    })
}

/// True where the same request may fare better in a moment.
pub(super) fn is_worth_repeating(error: &object_store::Error) -> bool {
    use object_store::Error::{Generic, JoinError};
    if !matches!(error, Generic { .. } | JoinError { .. }) || is_full(error) {
        return false;
    }
    match status(error) {
        // Too slow, too many at once; 405 is how a WebDAV server answers when two writers make one folder.
        Some(405 | 408 | 425 | 429) => true,
        Some(501) => false,
        Some(status) => status >= 500,
        None => true,
    }
}
