//! A fixed number of yes-or-no answers, one for each piece.

const WORD: usize = u64::BITS as usize;

/// One bit for each of `len` pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Box<[u64]>,
    len: usize,
}

impl Bits {
    /// No piece.
    pub(crate) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(WORD)].into(), len }
    }

    /// Every piece.
    pub(crate) fn all(len: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; len.div_ceil(WORD)].into(), len };
        if let Some(last) = bits.words.last_mut().filter(|_| !len.is_multiple_of(WORD)) {
            *last = (1 << (len % WORD)) - 1;
        }
        bits
    }

    pub(crate) fn contains(&self, at: usize) -> bool {
        self.words.get(at / WORD).is_some_and(|word| word >> (at % WORD) & 1 == 1)
    }

    /// True when it was not there before.
    pub(crate) fn insert(&mut self, at: usize) -> bool {
        let is_news = at < self.len && !self.contains(at);
        if is_news {
            self.words[at / WORD] |= 1 << (at % WORD);
        }
        is_news
    }

    /// True when it was there before.
    pub(crate) fn remove(&mut self, at: usize) -> bool {
        let is_news = self.contains(at);
        if is_news {
            self.words[at / WORD] &= !(1 << (at % WORD));
        }
        is_news
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The 64 answers that begin at `64 * index`.
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// How many words there are.
    pub(crate) fn words(&self) -> usize {
        self.words.len()
    }

    /// Those in the set, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| ones(*word, index * WORD))
    }

    /// The first in the set within `first..end`.
    pub(crate) fn first_within(&self, first: usize, end: usize) -> Option<usize> {
        let end = end.min(self.len);
        let mut at = first;
        while at < end {
            let word = self.words[at / WORD] >> (at % WORD);
            if word != 0 {
                let found = at + word.trailing_zeros() as usize;
                return (found < end).then_some(found);
            }
            at = (at / WORD + 1) * WORD;
        }
        None
    }

    /// The last in the set within `first..end`.
    pub(crate) fn last_within(&self, first: usize, end: usize) -> Option<usize> {
        let mut end = end.min(self.len);
        while end > first {
            let last = end - 1;
            let word = self.words[last / WORD] << (WORD - 1 - last % WORD);
            if word != 0 {
                let found = last - word.leading_zeros() as usize;
                return (found >= first).then_some(found);
            }
            end = last / WORD * WORD;
        }
        None
    }

    /// How many of `first..end` are in the set.
    pub(crate) fn count_within(&self, first: usize, end: usize) -> usize {
        let end = end.min(self.len);
        let mut count = 0;
        let mut at = first;
        while at < end {
            let next = ((at / WORD + 1) * WORD).min(end);
            let word = self.words[at / WORD] >> (at % WORD);
            let kept = if next - at == WORD { word } else { word & ((1 << (next - at)) - 1) };
            count += kept.count_ones() as usize;
            at = next;
        }
        count
    }

    /// Those that are not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.retain_words(|index, word| word & !other.word(index));
        rest
    }

    /// Keeps only what `keep` says, word by word.
    pub(crate) fn retain_words(&mut self, keep: impl Fn(usize, u64) -> u64) {
        for (index, word) in self.words.iter_mut().enumerate() {
            *word = keep(index, *word);
        }
    }
}

/// The positions of the bits of a word that are set, counted from `base`.
pub(crate) fn ones(mut word: u64, base: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (word != 0).then(|| base + word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_agree_with_a_plain_set(
            len in 1..300_usize,
            steps in prop::collection::vec((0..320_usize, any::<bool>()), 0..200),
            (first, end) in (0..300_usize, 0..320_usize),
        ) {
            let mut bits = Bits::none(len);
            let mut model = BTreeSet::new();
            for (at, adds) in steps {
                if adds && at < len {
                    prop_assert_eq!(bits.insert(at), model.insert(at));
                } else {
                    prop_assert_eq!(bits.remove(at), model.remove(&at));
                }
            }
            let within: Vec<usize> = model.iter().copied().filter(|at| (first..end).contains(at)).collect();
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.first_within(first, end), within.first().copied());
            prop_assert_eq!(bits.last_within(first, end), within.last().copied());
            prop_assert_eq!(bits.count_within(first, end), within.len());
            prop_assert_eq!(bits.is_empty(), model.is_empty());
        }

        #[test]
        fn all_of_them_are_as_many_as_there_are(len in 0..300_usize) {
            prop_assert_eq!(Bits::all(len).iter().count(), len);
            prop_assert!(!Bits::all(len).contains(len));
        }
    }
}
