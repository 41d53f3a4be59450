//! What an HTTP status that brings no file means to us.

/// Whether the same request may well succeed later. 425 and 429 are younger than the list of the BITS reference (10.4), and mean just this.
pub(crate) fn is_transient(status: u16) -> bool {
    match status {
        408 | 409 | 425 | 429 => true,
        501 | 505 => false,
        500..=599 => true,
        _ => false,
    }
}

/// The status with its name and, where one helps, what to do.
pub(crate) fn line(status: u16) -> String {
    let name = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let name = name.map_or(String::new(), |name| format!(" {name}"));
    let hint = match status {
        204 | 205 => ": there is no file in this answer",
        401 => ": it wants a user name and password",
        403 => ": it does not allow this file to be fetched",
        404 => ": there is no such file; check the URL",
        407 => ": the proxy wants a user name and password",
        410 => ": the file is gone for good",
        429 => ": too many requests; try again later",
        501 | 505 => ": it cannot do this",
        500..=599 => ": the fault is on its side; try again later",
        _ => "",
    };
    format!("{status}{name}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_transient_or_fatal_as_the_published_table_says() {
        for status in [408, 409, 425, 429, 500, 502, 503, 504, 507] {
            assert!(is_transient(status), "{status}");
        }
        for status in [204, 205, 300, 304, 305, 400, 401, 403, 404, 407, 410, 412, 416, 501, 505] {
            assert!(!is_transient(status), "{status}");
        }
    }

    #[test]
    fn a_status_is_shown_with_its_name_and_a_hint_where_there_are_any() {
        assert_eq!(line(410), "410 Gone: the file is gone for good");
        assert_eq!(line(418), "418 I'm a teapot");
        assert_eq!(line(799), "799");
    }
}
