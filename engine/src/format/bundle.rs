//! Bundles: the bytes of many commits and marks in one object (FORMAT.md §9).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Corrupt, Reader, Writer};
use crate::id::BundleId;

/// Copies of sealed objects that never change, each as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Bundles of which this one has all that is worth having.
    pub replaces: Vec<BundleId>,
    /// The objects by their names.
    pub objects: BTreeMap<String, Bytes>,
}

impl Bundle {
    /// The body of the sealed object.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.varint(self.replaces.len() as u64);
        for id in &self.replaces {
            writer.raw(&id.0);
        }
        writer.varint(self.objects.len() as u64);
        for (name, object) in &self.objects {
            writer.bytes(name.as_bytes()).bytes(object);
        }
        writer.0
    }

    /// Reads the body of a sealed object.
    ///
    /// # Errors
    /// `Corrupt` where it is not in the form that a writer gives it.
    pub fn decode(body: &Bytes) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(body);
        let mut bundle = Self::default();
        let most = (reader.remaining() / BundleId::LEN) as u64;
        for _ in 0..reader.count("replaced bundles", most)? {
            bundle.replaces.push(BundleId(reader.array()?));
        }
        let most = (reader.remaining() / 2) as u64;
        let mut last: Option<String> = None;
        for _ in 0..reader.count("objects", most)? {
            let name = std::str::from_utf8(reader.bytes()?);
            let name = name.map_err(|_| Corrupt::new("a name that is no text"))?.to_owned();
            if last.is_some_and(|last| last >= name) {
                return Err(reader.corrupt("names that do not ascend"));
            }
            let object = body.slice_ref(reader.bytes()?);
            bundle.objects.insert(name.clone(), object);
            last = Some(name);
        }
        if reader.remaining() > 0 {
            return Err(reader.corrupt("bytes after the last object"));
        }
        Ok(bundle)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bundles_round_trip(
            replaces in prop::collection::vec(any::<[u8; 16]>(), 0..4),
            objects in prop::collection::btree_map("[a-z/]{0,9}", prop::collection::vec(any::<u8>(), 0..40), 0..6),
        ) {
            let objects = objects.into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
            let replaces = replaces.into_iter().map(BundleId).collect();
            let bundle = Bundle { replaces, objects };
            prop_assert_eq!(Bundle::decode(&bundle.encode().into()).unwrap(), bundle);
        }

        #[test]
        fn any_bytes_are_read_in_one_form_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Ok(bundle) = Bundle::decode(&bytes.clone().into()) {
                prop_assert_eq!(bundle.encode(), bytes);
            }
        }
    }
}
