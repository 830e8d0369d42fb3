//! Small sets of small numbers: objects, packs or sessions of a model.

use std::ops::{BitAnd, BitOr, Sub};

/// A set of numbers below eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Set(pub(crate) u8);

impl Set {
    pub(crate) const EMPTY: Self = Self(0);

    /// The set of these numbers.
    pub(crate) fn of(numbers: &[u8]) -> Self {
        Self(numbers.iter().fold(0, |bits, number| bits | (1 << number)))
    }

    /// The set of all numbers below `end`.
    pub(crate) fn below(end: u8) -> Self {
        Self(((1_u16 << end) - 1) as u8)
    }

    pub(crate) fn has(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }

    pub(crate) fn with(self, number: u8) -> Self {
        Self(self.0 | (1 << number))
    }

    pub(crate) fn without(self, number: u8) -> Self {
        Self(self.0 & !(1 << number))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn first(self) -> Option<u8> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() as u8) }
    }

    pub(crate) fn last(self) -> Option<u8> {
        self.0.checked_ilog2().map(|number| number as u8)
    }

    pub(crate) fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// All members, the lowest first.
    pub(crate) fn members(self) -> impl Iterator<Item = u8> {
        (0..8).filter(move |number| self.has(*number))
    }

    /// The members of which this holds.
    pub(crate) fn that(self, holds: impl Fn(u8) -> bool) -> Self {
        let mut left = self;
        let mut chosen = Self::EMPTY;
        while let Some(number) = left.take_first() {
            if holds(number) {
                chosen = chosen.with(number);
            }
        }
        chosen
    }

    /// All that the sets of the members have together.
    pub(crate) fn all_of(self, set_of: impl Fn(u8) -> Self) -> Self {
        let mut left = self;
        let mut all = Self::EMPTY;
        while let Some(number) = left.take_first() {
            all = all | set_of(number);
        }
        all
    }

    /// Takes the lowest member out.
    pub(crate) fn take_first(&mut self) -> Option<u8> {
        let first = self.first()?;
        *self = self.without(first);
        Some(first)
    }

    /// Whether every member is one of `other` too.
    pub(crate) fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl BitOr for Set {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Set {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Set {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
