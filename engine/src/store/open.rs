//! From an address to a store.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use tokio::runtime::Handle;

use super::options::StoreOptions;
use super::{Store, StoreError, remote};

/// What to do where the folder does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    Existing,
    Made,
}

pub(super) fn open(
    url: &str,
    folder: Folder,
    options: &StoreOptions,
    runtime: Handle,
) -> Result<Store, StoreError> {
    let refused = |what: &str| StoreError::Url { url: without_password(url), what: what.into() };
    match url.split_once("://") {
        None if url.is_empty() => Err(refused("it is empty")),
        None => local(url.into(), url, folder, runtime),
        Some(("file", path)) if path.starts_with('/') => local(path.into(), url, folder, runtime),
        Some(("file", _)) => Err(refused("the path after `file://` must begin with `/`")),
        Some(("memory", _)) => Ok(Store::new(Arc::new(InMemory::new()), url, runtime)),
        Some((_, rest)) if authority(rest).contains('@') => {
            Err(refused("credentials do not belong into an address"))
        }
        Some((scheme, rest)) => remote::open(scheme, rest, options, runtime).unwrap_or_else(|| {
            Err(refused(&format!(
                "this version knows folders, `file://`, `memory://`, `s3://`, `gs://`, `az://`, `http://` and `https://`, and not `{scheme}://`"
            )))
        }),
    }
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The address without what stands before the `@` of its host.
pub(super) fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if authority(rest).contains('@') => {
            let at = authority(rest).rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://…@{}", rest.get(at..).unwrap_or_default())
        }
        _ => url.into(),
    }
}

fn local(path: PathBuf, label: &str, folder: Folder, runtime: Handle) -> Result<Store, StoreError> {
    let failed = |source| StoreError::Folder { path: path.display().to_string(), source };
    match folder {
        Folder::Made => std::fs::create_dir_all(&path).map_err(failed)?,
        Folder::Existing => {
            std::fs::read_dir(&path).map_err(failed)?;
        }
    }
    let open = |fsync| {
        LocalFileSystem::new_with_prefix(&path)
            .map(|store| Arc::new(store.with_fsync(fsync)) as Arc<dyn object_store::ObjectStore>)
            .map_err(|source| StoreError::Failed { name: path.display().to_string(), source })
    };
    let mut store = Store::new(open(true)?, label, runtime);
    store.volatile = open(false)?;
    store.folder = Some(Arc::new(path));
    Ok(store)
}
