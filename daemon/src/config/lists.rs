//! Settings that are lists: in the file an array, in the environment and on the command line separated by commas.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// Entries of one list: more bootstrap nodes, interfaces or peers than anyone writes by hand.
const MAX_ENTRIES: usize = 1000;

/// Entries of one kind, in the order they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T> List<T> {
    fn push(&mut self, entry: T) -> Result<(), String> {
        if self.0.len() >= MAX_ENTRIES {
            return Err(format!("a list has at most {MAX_ENTRIES} entries"));
        }
        self.0.push(entry);
        Ok(())
    }
}

impl<T: FromStr> FromStr for List<T>
where
    T::Err: fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = List::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            list.push(entry.parse().map_err(|error: T::Err| error.to_string())?)?;
        }
        Ok(list)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for List<T>
where
    T::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: FromStr> Visitor<'de> for Entries<T>
        where
            T::Err: fmt::Display,
        {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = List::default();
                while let Some(text) = seq.next_element::<String>()? {
                    let entry = text.trim().parse().map_err(A::Error::custom)?;
                    list.push(entry).map_err(A::Error::custom)?;
                }
                Ok(list)
            }
        }
        from.deserialize_seq(Entries(std::marker::PhantomData))
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (place, entry) in self.0.iter().enumerate() {
            write!(f, "{}\"{entry}\"", if place == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Letter(char);

    impl FromStr for Letter {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            match (text.len(), text.chars().next()) {
                (1, Some(letter)) => Ok(Letter(letter)),
                _ => Err(format!("{text:?} is no letter")),
            }
        }
    }

    #[test]
    fn commas_and_blanks_separate_and_an_empty_text_is_an_empty_list() {
        let list = |text: &str| text.parse::<List<Letter>>();
        assert_eq!(list("a, b ,c").unwrap().0, [Letter('a'), Letter('b'), Letter('c')]);
        assert_eq!(list("").unwrap(), List::default());
        assert_eq!(list("a,bb").unwrap_err(), "\"bb\" is no letter");
    }

    #[test]
    fn a_list_has_an_end() {
        let text = vec!["a"; MAX_ENTRIES].join(",");
        assert_eq!(text.parse::<List<Letter>>().unwrap().0.len(), MAX_ENTRIES);
        assert!(format!("{text},a").parse::<List<Letter>>().is_err());
    }
}
