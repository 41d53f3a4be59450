//! Names to addresses: the system's resolver, with an error that says which name it was.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, on the runtime's blocking threads.
pub(crate) struct SystemResolver;

/// A name without an address. Found again in the library's error chain by `cause.rs`.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct NoAddress {
    pub(crate) host: String,
    pub(crate) why: String,
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // Port zero is replaced by the URL's own.
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map(Iterator::collect::<Vec<_>>);
            match found {
                Ok(found) => Ok(Box::new(found.into_iter()) as Addrs),
                Err(error) => {
                    let text = error.to_string();
                    let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
                    Err(NoAddress { host, why: why.to_owned() }.into())
                }
            }
        })
    }
}
