//! Names of header fields, which are compared whatever their case.

use std::collections::HashSet;

use smol_str::SmolStr;

/// So many are looked through one by one.
pub(super) const FEW: usize = 16;

/// A set of names, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    list: Vec<SmolStr>,
    /// In lower case, if there are more than a few.
    index: Option<HashSet<String>>,
}

impl Names {
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.index {
            Some(index) => index.contains(&name.to_ascii_lowercase()),
            None => self.list.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    pub(super) fn insert(&mut self, name: &str) {
        if self.has(name) {
            return;
        }
        self.list.push(name.into());
        if let Some(index) = &mut self.index {
            index.insert(name.to_ascii_lowercase());
        } else if self.list.len() > FEW {
            self.index = Some(self.list.iter().map(|name| name.to_ascii_lowercase()).collect());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(SmolStr::as_str)
    }
}

impl<'a> Extend<&'a str> for Names {
    fn extend<I: IntoIterator<Item = &'a str>>(&mut self, names: I) {
        names.into_iter().for_each(|name| self.insert(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_found_alike() {
        let mut names = Names::default();
        assert!(names.is_empty() && !names.has("a"));
        for count in 0..100 {
            names.insert(&format!("Name-{count}"));
            names.insert(&format!("NAME-{count}"));
            assert!(names.has(&format!("name-{count}")) && !names.has(&format!("name-{}", count + 1)));
            assert_eq!(names.iter().count(), count + 1);
        }
        names.extend(["name-1", "other"]);
        assert_eq!(names.iter().last(), Some("other"));
    }
}
