//! The repository that is copied from: what is read there is verified, and damage is told apart from a store that does not
//! answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Error;
use crate::format::name::ObjectName;
use crate::id::ObjectId;
use crate::index::Place;
use crate::object::{Class, ObjectError, ReadObject};
use crate::problem::ErrorKind;
use crate::repo::{Objects, RepoError};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads objects of the repository that is copied from.
pub(super) struct Origin {
    objects: Arc<Objects>,
    damage: Mutex<Option<ObjectId>>,
    outage: Mutex<Option<Error>>,
}

impl Origin {
    pub(super) fn new(objects: Arc<Objects>) -> Self {
        Self { objects, damage: Mutex::default(), outage: Mutex::default() }
    }

    pub(super) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    /// An object that was found damaged or missing since the last call.
    pub(super) fn take_damage(&self) -> Option<ObjectId> {
        locked(&self.damage).take()
    }

    /// Why the store did not answer: a reason to stop, for nothing is known of what is there.
    pub(super) fn take_outage(&self) -> Option<Error> {
        locked(&self.outage).take()
    }

    /// True once the store did not answer.
    pub(super) fn is_out_of_reach(&self) -> bool {
        locked(&self.outage).is_some()
    }

    /// Finds out whether all places of an object are damaged, or some of them are only out of reach.
    fn judge(&self, id: &ObjectId) -> Result<(), RepoError> {
        self.objects.places(id)?.iter().try_for_each(|place| self.judge_place(place))
    }

    fn judge_place(&self, place: &Place) -> Result<(), RepoError> {
        let Err(RepoError::Store(error)) = self.objects.fetch_frame(&place.pack, place.frame)
        else {
            return Ok(());
        };
        if error.kind() == ErrorKind::NotFound {
            return Ok(());
        }
        // Stores refuse ranges beyond the end of a truncated pack, each in words of its own.
        let name = ObjectName::Pack { id: place.pack.id, kind: place.pack.kind }.to_string();
        match self.objects.store().length(&name) {
            Ok(length) if length != place.pack.length => Ok(()),
            _ => Err(error.into()),
        }
    }

    fn out_of_reach(&self, error: Error) -> ObjectError {
        let message = error.to_string();
        locked(&self.outage).get_or_insert(error);
        ObjectError::Failed { source: message.into() }
    }
}

impl ReadObject for Origin {
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        if self.is_out_of_reach() {
            return Err(ObjectError::Failed { source: "the store did not answer before".into() });
        }
        let error = match self.objects.read(class, id) {
            Ok(object) => return Ok(object),
            Err(error @ (ObjectError::Missing { .. } | ObjectError::Damaged { .. })) => error,
            Err(error) => return Err(self.out_of_reach(error.into())),
        };
        if let Err(outage) = self.judge(id) {
            return Err(self.out_of_reach(outage.into()));
        }
        locked(&self.damage).get_or_insert(*id);
        Err(error)
    }
}

/// Reads nodes of trees and lists there, and keeps them until they are taken.
pub(super) struct Nodes {
    origin: Arc<Origin>,
    taken: Mutex<Vec<Bytes>>,
}

impl Nodes {
    pub(super) fn new(origin: Arc<Origin>) -> Self {
        Self { origin, taken: Mutex::default() }
    }

    /// What was read since the last call.
    pub(super) fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut *locked(&self.taken))
    }
}

impl ReadObject for Nodes {
    fn read(&self, class: Class, id: &ObjectId) -> Result<Bytes, ObjectError> {
        let object = self.origin.read(class, id)?;
        locked(&self.taken).push(object.clone());
        Ok(object)
    }
}
