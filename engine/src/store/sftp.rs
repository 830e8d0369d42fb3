//! Stores over SFTP, by OpenDAL. It runs the `ssh` of this machine, so keys, agents and known hosts are those of the user.
//!
//! An object appears by a rename, after all of it was written. OpenDAL's rename replaces what is there, so the name is
//! looked up before: two writers at a time may both succeed, and such a store is never proven.

use std::fmt;
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, Extensions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, RenameTargetMode, Result,
};
use opendal::{Buffer, EntryMode, ErrorKind, Metadata, Operator, services::Sftp};

const STORE: &str = "SFTP";

/// The files of a server.
#[derive(Debug, Clone)]
pub(super) struct SftpStore(Operator);

/// `host` may have a user before and a port behind it. Paths begin at the root, or at the user's own folder.
pub(super) fn open(host: &str, from_home: bool) -> opendal::Result<Arc<dyn ObjectStore>> {
    let builder = Sftp::default().endpoint(&format!("ssh://{host}"));
    let builder = if from_home { builder } else { builder.root("/") };
    Ok(Arc::new(SftpStore(Operator::new(builder)?)))
}

/// All that an error has to say: what `ssh` said stands at the end of the chain.
fn whole_text(error: &opendal::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

fn failed(path: &str, error: opendal::Error) -> Error {
    let path = path.to_owned();
    let text = whole_text(&error);
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound { path, source: error.into() },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: error.into() },
        // Asking again would not help, and might lock the user out.
        _ if ["Permission denied", "Host key verification failed"]
            .iter()
            .any(|what| text.contains(what)) =>
        {
            Error::Unauthenticated { path, source: text.into() }
        }
        _ => Error::Generic { store: STORE, source: text.into() },
    }
}

fn meta(location: Path, metadata: &Metadata) -> ObjectMeta {
    let modified = metadata.last_modified().map(std::time::SystemTime::from);
    ObjectMeta {
        location,
        last_modified: modified.unwrap_or(std::time::UNIX_EPOCH).into(),
        size: metadata.content_length(),
        e_tag: None,
        version: None,
    }
}

impl SftpStore {
    async fn stat(&self, location: &Path) -> Result<ObjectMeta> {
        let path = location.as_ref();
        let metadata = self.0.stat(path).await.map_err(|error| failed(path, error))?;
        if metadata.mode() == EntryMode::DIR {
            let source = "it is a folder".into();
            return Err(Error::NotFound { path: path.into(), source });
        }
        Ok(meta(location.clone(), &metadata))
    }

    /// Writes a file and looks whether all of it is there.
    async fn write(&self, location: &Path, payload: PutPayload) -> Result<()> {
        let path = location.as_ref();
        let length = payload.content_length() as u64;
        let bytes = payload.into_iter().collect::<Buffer>();
        self.0.write(path, bytes).await.map_err(|error| failed(path, error))?;
        let found = self.stat(location).await?.size;
        if found != length {
            let source = format!("{found} of {length} bytes were written").into();
            return Err(Error::Generic { store: STORE, source });
        }
        Ok(())
    }

    async fn refuse_taken(&self, location: &Path) -> Result<()> {
        match self.stat(location).await {
            Ok(_) => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "it was looked up".into(),
            }),
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The files and the folders right below a folder, whose name ends with `/` unless it is empty.
    async fn list_folder(self, folder: String) -> Result<(Vec<ObjectMeta>, Vec<String>)> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        let mut entries = self.0.lister(&folder).await.map_err(|error| failed(&folder, error))?;
        while let Some(entry) = entries.try_next().await.map_err(|error| failed(&folder, error))? {
            let (path, metadata) = entry.into_parts();
            if metadata.mode() == EntryMode::DIR {
                // A folder lists itself, too.
                if path != folder && path != "/" {
                    folders.push(path);
                }
            } else if let Ok(location) = Path::parse(&path) {
                files.push(meta(location, &metadata));
            }
        }
        Ok((files, folders))
    }
}

impl fmt::Display for SftpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

fn unsupported(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.into(), implementer: STORE.into() }
}

#[async_trait::async_trait]
impl ObjectStore for SftpStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match options.mode {
            PutMode::Overwrite => self.write(location, payload).await?,
            _ => return Err(unsupported("conditional writes")),
        }
        Ok(PutResult { e_tag: None, version: None, extensions: Extensions::new() })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unsupported("uploads in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let meta = self.stat(location).await?;
        let range = match &options.range {
            None => 0..meta.size,
            Some(GetRange::Bounded(range)) if range.start > meta.size => {
                let source = "the range begins behind its end".into();
                return Err(Error::Generic { store: STORE, source });
            }
            Some(GetRange::Bounded(range)) => range.start..range.end.min(meta.size),
            Some(GetRange::Offset(start)) => (*start).min(meta.size)..meta.size,
            Some(GetRange::Suffix(length)) => meta.size.saturating_sub(*length)..meta.size,
        };
        let payload = if options.head || range.is_empty() {
            stream::empty().boxed()
        } else {
            let path = location.to_string();
            let reader = self.0.reader(&path).await.map_err(|error| failed(&path, error))?;
            let body = reader.into_bytes_stream(range.clone()).await;
            let body = body.map_err(|error| failed(&path, error))?;
            body.map_err(|error| Error::Generic { store: STORE, source: error.into() }).boxed()
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta,
            range,
            attributes: object_store::Attributes::new(),
            extensions: Extensions::new(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Path| {
            let store = store.clone();
            async move {
                let path = location.as_ref();
                store.0.delete(path).await.map_err(|error| failed(path, error))?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let first = match prefix {
            Some(prefix) if !prefix.as_ref().is_empty() => format!("{prefix}/"),
            _ => String::new(),
        };
        let store = self.clone();
        let folders = stream::try_unfold(vec![first], move |mut left| {
            let store = store.clone();
            async move {
                let Some(folder) = left.pop() else {
                    return Ok(None);
                };
                let (files, folders) = store.list_folder(folder).await?;
                left.extend(folders);
                Ok::<_, Error>(Some((stream::iter(files.into_iter().map(Ok)), left)))
            }
        });
        folders.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(unsupported("listing one folder"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unsupported("copying"))
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if options.target_mode == RenameTargetMode::Create {
            self.refuse_taken(to).await?;
        }
        let renamed = self.0.rename(from.as_ref(), to.as_ref()).await;
        renamed.map_err(|error| failed(to.as_ref(), error))
    }
}
