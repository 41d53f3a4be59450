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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retries;
    use dray_content::Published;
    use dray_origin::Validators;
    use dray_ranges::{Layout, RangeSpec};

    const DIGEST: Digest = Digest::Sha256([1; 32]);
    const LEAST: u64 = 100;

    fn task(url: &str, digest: Option<Digest>) -> FileTask {
        FileTask {
            url: url.parse().unwrap(),
            digest,
            layout: Layout::whole(),
            temp: "temp".into(),
            resume: None,
            resume_elsewhere: false,
            live: None,
            without_ranges: false,
            headers: Vec::new(),
            retries: Retries::default(),
            use_cache: true,
            use_peers: true,
            may_leave_unsynced: false,
        }
    }

    fn head(size: Option<u64>, vouched: &[Digest]) -> Head {
        Head {
            validators: Validators { size, ..Validators::default() },
            modified: None,
            published: Published { digests: vouched.to_vec(), ..Published::default() },
            file_name: None,
            sharing: Sharing::Public,
            vouched: vouched.to_vec(),
            has_unsafe_digests: false,
        }
    }

    fn after(digest: Option<Digest>, head: &Head) -> Result<Vec<Digest>, &'static str> {
        let found = of_answer(&task("https://host/f", digest), head, LEAST, "host");
        found.map(|evidence| evidence.digests).map_err(|why| why.name())
    }

    #[test]
    fn a_digest_counts_from_the_job_or_over_https() {
        let other = Digest::Sha512([2; 64]);
        assert_eq!(after(Some(DIGEST), &head(Some(LEAST), &[])), Ok(vec![DIGEST]));
        assert_eq!(after(None, &head(Some(LEAST), &[other])), Ok(vec![other]));
        assert_eq!(after(Some(DIGEST), &head(Some(LEAST), &[other, DIGEST])), Ok(vec![DIGEST, other]));
        assert_eq!(after(None, &head(Some(LEAST), &[])), Err("no-digest"));
        let unsafe_digests = Head { has_unsafe_digests: true, ..head(Some(LEAST), &[]) };
        assert_eq!(after(None, &unsafe_digests), Err("insecure-digest"));
    }

    #[test]
    fn what_is_private_small_or_of_unknown_size_is_not_shared_whatever_its_digest() {
        for sharing in [Sharing::Private, Sharing::NoStore] {
            let private = Head { sharing, ..head(Some(LEAST), &[]) };
            assert_eq!(after(Some(DIGEST), &private), Err("not-for-everyone"));
        }
        assert_eq!(after(Some(DIGEST), &head(Some(LEAST - 1), &[])), Err("too-small"));
        assert_eq!(after(Some(DIGEST), &head(None, &[])), Err("size-unknown"));
    }

    #[test]
    fn before_the_answer_only_a_plain_request_with_a_digest_looks_for_peers() {
        let plain = task("http://host/f", Some(DIGEST));
        assert!(is_allowed(&plain).is_ok() && of_task(&plain).is_some());
        assert!(of_task(&task("http://host/f", None)).is_none());
        let headers = FileTask { headers: vec![("Authorization".into(), "x".into())], ..plain.clone() };
        assert!(of_task(&headers).is_none());
        let declined = FileTask { use_peers: false, ..plain.clone() };
        assert_eq!(is_allowed(&declined), Err(Decision::PeersDeclined));
        let specs = vec![RangeSpec::from_bits(0, 5)];
        let packed = FileTask { layout: Layout::packed(specs).unwrap(), ..plain };
        assert_eq!(is_allowed(&packed), Err(Decision::Packed));
        assert_eq!(is_allowed(&task("http://me:x@host/f", Some(DIGEST))), Err(Decision::Credentials));
    }
}
