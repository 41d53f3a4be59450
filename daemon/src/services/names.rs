//! The names of users, beside the numbers that own jobs.
//!
//! A lookup may ask a directory service of the network, so it happens on a thread of its own, is waited for a moment and no
//! longer, and is remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dray_api::v1::{self, job_event::Event};
use dray_platform::peer::{self, UserId};

/// Users that are remembered.
const MAX_REMEMBERED: usize = 1024;
/// How long a name, or that there is none, is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(300);
/// How long an answer waits for a name before it goes without.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of names. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    name: String,
    until: Instant,
}

impl Names {
    /// Fills in the names of the owners.
    pub(crate) async fn fill(&self, jobs: impl IntoIterator<Item = &mut v1::Job>) {
        for job in jobs {
            job.owner_name = self.of(&job.owner).await;
        }
    }

    /// Fills in the name of the owner where an event shows a whole job.
    pub(crate) async fn fill_event(&self, event: &mut v1::JobEvent) {
        if let Some(Event::Snapshot(snapshot)) = &mut event.event {
            self.fill(&mut snapshot.job).await;
        }
    }

    /// The name of an owner; empty when there is none, or not in time.
    async fn of(&self, owner: &str) -> String {
        let now = Instant::now();
        if let Some(known) = self.lock().get(owner).filter(|known| known.until > now) {
            return known.name.clone();
        }
        // Known at once as nobody, so that a directory that does not answer is asked once and not by every call.
        self.remember(owner, String::new());
        let (names, asked) = (self.clone(), owner.to_owned());
        let looked_up = tokio::task::spawn_blocking(move || {
            let name = look_up(&asked).unwrap_or_default();
            names.remember(&asked, name.clone());
            name
        });
        tokio::time::timeout(PATIENCE, looked_up).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    fn remember(&self, owner: &str, name: String) {
        let until = Instant::now() + BELIEVED_FOR;
        let mut known = self.lock();
        if known.len() >= MAX_REMEMBERED && !known.contains_key(owner) {
            let oldest = known.iter().min_by_key(|(_, known)| known.until).map(|(owner, _)| owner.clone());
            oldest.map(|oldest| known.remove(&oldest));
        }
        known.insert(owner.to_owned(), Known { name, until });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
        // Every statement under this lock leaves the map whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look_up(owner: &str) -> Option<String> {
    let user = match owner.parse() {
        Ok(uid) => UserId::Unix { uid, gid: 0 },
        Err(_) => UserId::Windows { sid: owner.to_owned() },
    };
    peer::user_name(&user).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_owner_has_its_name_and_a_number_without_a_user_has_none() {
        let names = Names::default();
        let mut jobs =
            ["0", "4000000000", "0"].map(|owner| v1::Job { owner: owner.into(), ..Default::default() });
        names.fill(&mut jobs).await;
        assert_eq!(jobs.map(|job| job.owner_name), ["root", "", "root"]);
        assert_eq!(names.lock().len(), 2);
    }

    #[test]
    fn no_more_names_are_remembered_than_there_is_room_for() {
        let names = Names::default();
        for number in 0..MAX_REMEMBERED + 10 {
            names.remember(&number.to_string(), String::new());
        }
        let known = names.lock();
        assert_eq!(known.len(), MAX_REMEMBERED);
        assert!(known.contains_key(&(MAX_REMEMBERED + 9).to_string()) && !known.contains_key("0"));
    }
}
