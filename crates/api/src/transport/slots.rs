//! How many connections there may be, in all and for one user, so that no user can keep the others out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::User;

#[derive(Debug)]
pub(super) struct Slots {
    most: usize,
    most_per_user: usize,
    taken: Mutex<BTreeMap<User, usize>>,
}

/// A place among the connections, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    user: User,
}

impl Slots {
    pub(super) fn new(most: usize, most_per_user: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_user, taken: Mutex::default() })
    }

    /// A place for one more connection of `user`, if there is one.
    pub(super) fn take(self: &Arc<Self>, user: &User) -> Option<Slot> {
        let mut taken = self.lock();
        let of_user = taken.get(user).copied().unwrap_or(0);
        if of_user >= self.most_per_user || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(user.clone(), of_user + 1);
        Some(Slot { slots: Arc::clone(self), user: user.clone() })
    }

    // The counts are whole after every statement, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<User, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        match taken.get_mut(&self.user) {
            Some(of_user) if *of_user > 1 => *of_user -= 1,
            _ => {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> User {
        User::Unix { uid, gid: 0 }
    }

    #[test]
    fn one_user_cannot_take_every_place() {
        let slots = Slots::new(3, 2);
        let _first = slots.take(&user(1)).unwrap();
        let _second = slots.take(&user(1)).unwrap();
        assert!(slots.take(&user(1)).is_none());
        assert!(slots.take(&user(2)).is_some());
    }

    #[test]
    fn all_users_together_stay_below_the_limit() {
        let slots = Slots::new(2, 2);
        let _first = slots.take(&user(1)).unwrap();
        let _second = slots.take(&user(2)).unwrap();
        assert!(slots.take(&user(3)).is_none());
    }

    #[test]
    fn a_closed_connection_gives_its_place_back() {
        let slots = Slots::new(2, 1);
        drop(slots.take(&user(1)).unwrap());
        let again = slots.take(&user(1)).unwrap();
        drop(again);
        assert!(slots.lock().is_empty());
    }
}
