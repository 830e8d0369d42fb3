//! The change-list interface: N objects, of which some change.

use bytes::Bytes;
use esker_engine::context::RunContext;
use esker_engine::entry::{Entry, EntryKind};
use esker_engine::source::{
    Base, ChangeSink, CollectionEnd, Completeness, CompletenessState, Payload, ScanEnd, ScanMode,
    Source, SourceError, SourceInfo,
};

/// A source that says what changed: all objects at first, then those of the list.
pub struct Documents {
    /// How many objects there are.
    pub objects: u64,
    /// Objects that changed since, by number, and their versions.
    pub changes: Vec<(u64, u64)>,
    /// The content of an object in a version.
    pub content: fn(u64, u64) -> Vec<u8>,
}

/// A source of one collection.
pub fn describe(kind: &str) -> SourceInfo {
    SourceInfo {
        kind: kind.into(),
        identity: "bench".into(),
        name: "bench".into(),
        collections: vec!["issues".into()],
    }
}

/// The end of a scan that saw everything.
pub fn complete(found: u64) -> ScanEnd {
    let completeness = Completeness {
        state: CompletenessState::Complete,
        expected: Some(found),
        found,
        detail: String::new(),
        parts: Vec::new(),
    };
    let end = CollectionEnd { name: "issues".into(), cursor: None, completeness };
    ScanEnd { collections: vec![end], ..ScanEnd::default() }
}

#[async_trait::async_trait]
impl Source for Documents {
    fn describe(&self) -> SourceInfo {
        describe("documents")
    }

    async fn scan(
        &self,
        base: Option<&Base>,
        _: ScanMode,
        changes: &ChangeSink,
        _: &RunContext,
    ) -> Result<ScanEnd, SourceError> {
        let first = base.is_none();
        let all: Box<dyn Iterator<Item = (u64, u64)> + Send> = if first {
            Box::new((0..self.objects).map(|number| (number, 0)))
        } else {
            Box::new(self.changes.iter().copied())
        };
        for (number, version) in all {
            let key = Bytes::from(number.to_be_bytes().to_vec());
            let entry = Entry {
                version: Bytes::from(version.to_be_bytes().to_vec()),
                ..Entry::new(EntryKind::Document)
            };
            let payload = Payload::Bytes((self.content)(number, version).into());
            changes.put(0, key, entry, payload).await?;
        }
        Ok(complete(self.objects))
    }
}
