//! Into a tar archive: entries in order, contents read ahead of nothing but the frame cache.

use std::collections::HashMap;
use std::io::{BufWriter, Read};
use std::path::Path;
use std::sync::Arc;

use super::folder::settle;
use super::{RestoreOptions, RestoreReport, Selection};
use crate::context::RunContext;
use crate::entry::{Entry, EntryKind, LinkGroup};
use crate::error::Error;
use crate::monitor::Counter;
use crate::object::ReadObject;
use crate::ops::content::ContentStream;
use crate::ops::document::{self, DOCUMENT_LIMIT};
use crate::repo::Objects;
use crate::sink::{ArchiveSink, EntryPath, SinkError};

/// A document for people; `None` where it is none, or cannot be read.
fn pretty(content: ContentStream) -> Option<Vec<u8>> {
    let mut document = Vec::new();
    content.take(DOCUMENT_LIMIT + 1).read_to_end(&mut document).ok()?;
    document::pretty(&document)
}

pub(super) fn restore(
    objects: &Arc<Objects>,
    wanted: &Selection<'_>,
    path: &Path,
    options: &RestoreOptions,
    ctx: &RunContext,
) -> Result<RestoreReport, Error> {
    let mut report = RestoreReport::default();
    if options.dry_run {
        wanted.each(&mut report, ctx, &mut |wanted, report| {
            report.bytes += wanted.entry.size;
            report.planned.push((wanted.path, "restore"));
            Ok(())
        })?;
        return Ok(report);
    }
    let target = |source| SinkError::Target { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The name appears when the archive is whole.
    let file = tempfile::NamedTempFile::new_in(folder).map_err(target)?;
    let mut archive = ArchiveSink::create(BufWriter::new(file))?;
    let mut first_names: HashMap<LinkGroup, EntryPath> = HashMap::new();
    wanted.each(&mut report, ctx, &mut |wanted, report| {
        let entry = wanted.entry;
        ctx.monitor.count(Counter::EntriesRestored, 1);
        if let Some(group) = entry.metadata.link_group {
            if let Some(first) = first_names.get(&group) {
                settle(archive.hard_link(&wanted.path, first, &entry), report, ctx)?;
                return Ok(());
            }
            first_names.insert(group, wanted.path.clone());
        }
        let content = || ContentStream::new(objects.clone() as Arc<dyn ReadObject>, &entry);
        let text = options.is_for_people(&entry).then(|| pretty(content())).flatten();
        let (added, size) = match &text {
            Some(text) => {
                let size = text.len() as u64;
                let entry = Entry { size, ..entry.clone() };
                (archive.append(&wanted.path, &entry, &mut &text[..]), size)
            }
            None => (archive.append(&wanted.path, &entry, &mut content()), entry.size),
        };
        if settle(added, report, ctx)?
            && matches!(entry.kind, EntryKind::File | EntryKind::Document)
        {
            report.bytes += size;
            ctx.monitor.count(Counter::BytesRestored, size);
        }
        Ok(())
    })?;
    for problem in archive.take_problems() {
        report.note(ctx, problem);
    }
    let file = archive.finish()?.into_inner().map_err(|error| target(error.into_error()))?;
    let exists = path.exists() && options.overwrite == crate::sink::Overwrite::Never;
    if exists {
        return Err(Error::Invalid { what: format!("`{}` exists already", path.display()) });
    }
    file.persist(path).map_err(|error| target(error.error))?;
    Ok(report)
}
