//! Whether peers may be asked for a file: only when somebody whom the caller believes says what it must hash to, and only for what its
//! origin gives to everyone.

use dray_content::Digest;
use dray_origin::Sharing;
use url::Url;

use crate::peers::Decision;
use crate::{FileTask, opening::Head};

/// What a file is known by towards others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// At least one.
    pub(crate) digests: Vec<Digest>,
    /// Who says so, as a clause.
    pub(crate) author: String,
}

/// What speaks against peers before anyone was asked.
///
/// # Errors
/// The reason.
pub(crate) fn is_allowed(task: &FileTask) -> Result<(), Decision> {
    if !task.use_peers {
        return Err(Decision::PeersDeclined);
    }
    if task.layout.specs().is_some() {
        return Err(Decision::Packed);
    }
    if !task.url.username().is_empty() || task.url.password().is_some() {
        return Err(Decision::Credentials);
    }
    Ok(())
}

/// What is known before the origin answers: the digest in the job. A request with headers of the caller waits for the answer, which
/// tells whether they are credentials.
pub(crate) fn of_task(task: &FileTask) -> Option<Evidence> {
    let digest = task.digest.filter(|_| task.headers.is_empty())?;
    Some(Evidence { digests: vec![digest], author: "the job says".into() })
}

/// What is known once the origin has answered.
///
/// # Errors
/// The reason why there are no peers for this file.
pub(crate) fn of_answer(task: &FileTask, head: &Head, least: u64, host: &str) -> Result<Evidence, Decision> {
    if head.sharing != Sharing::Public {
        return Err(Decision::NotForEveryone);
    }
    let size = head.validators.size.ok_or(Decision::SizeUnknown)?;
    if size < least {
        return Err(Decision::TooSmall { size, least });
    }
    let published = head.vouched.as_slice();
    match task.digest {
        Some(digest) => {
            let also = published.iter().copied().filter(|also| *also != digest);
            let digests = std::iter::once(digest).chain(also).collect();
            Ok(Evidence { digests, author: "the job says".into() })
        }
        None if !published.is_empty() => {
            Ok(Evidence { digests: published.to_vec(), author: format!("{host} publishes") })
        }
        None if head.has_unsafe_digests => Err(Decision::InsecureDigest { host: host.to_owned() }),
        None => Err(Decision::NoDigest { host: host.to_owned() }),
    }
}

/// Whether the origin's answer may bring evidence: a digest counts only over https.
pub(crate) fn may_come(url: &Url) -> bool {
    url.scheme() == "https"
}
