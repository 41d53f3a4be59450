//! HTTP statuses as codes (reference 14.2) and what a job does about them (7.4, 10.4).

use super::ErrorClass;

/// Status 0 of the block.
pub(super) const BASE: u32 = 0x8019_0000;
/// The largest status that fits a three-digit status line.
const MAX_STATUS: u16 = 999;

pub(super) fn status_of(value: u32) -> Option<u16> {
    let status = u16::try_from(value.checked_sub(BASE)?).ok()?;
    (1..=MAX_STATUS).contains(&status).then_some(status)
}

/// The class of a status, by the table of 10.4, which the reference calls a reasonable default for
/// downloads. Four places where a download differs from the upload back-end that the table is about:
/// a success or informational status is here an answer that breaks the protocol (7.4: fatal); 308 is a
/// redirect like 307; 425 and 429 are younger than the table and say "later" by definition.
pub(super) fn class(status: u16) -> ErrorClass {
    match status {
        100..=299 => ErrorClass::Fatal,
        300..=305 | 307 | 308 => ErrorClass::Fatal,
        408 | 409 | 425 | 429 => ErrorClass::Transient,
        400..=499 => ErrorClass::Fatal,
        501 | 505 => ErrorClass::Fatal,
        _ => ErrorClass::Transient,
    }
}

pub(super) fn text(status: u16) -> &'static str {
    match status {
        100 => "The server answered 100 (continue) and nothing more.",
        101 => "The server wanted to switch protocols (101), which was not asked for.",
        200 => "The server answered 200 where only a part of the file was acceptable; resume to try again.",
        201 => "The server answered 201 (created), which is no answer to a download.",
        202 => "The server answered 202 (accepted) and sent no file; try again later.",
        203 => "The server answered 203: the bytes may have been altered on the way.",
        204 => "The server answered 204: there is no content under this URL.",
        205 => "The server answered 205, which breaks the protocol here.",
        206 => "The server answered 206 where the whole file was expected.",
        300 => "The server offers several versions (300); name one of them.",
        301 => "The file has moved (301) and redirects are not allowed; use its new URL.",
        302 => "The file is found elsewhere (302) and redirects are not allowed; use its new URL.",
        303 => "The server points to another page (303) and redirects are not allowed; use its new URL.",
        304 => "The server answered 304 (not modified) where bytes were expected.",
        305 => "The server demands a proxy of its choice (305); set the proxy of the job.",
        307 => "The file is elsewhere for now (307) and redirects are not allowed; use its new URL.",
        308 => "The file has moved for good (308) and redirects are not allowed; use its new URL.",
        400 => "The server does not understand the request (400); check the URL.",
        401 => "The server wants credentials (401); set them and resume.",
        402 => "The server wants a payment (402).",
        403 => "The server refuses access (403); check the rights, or the client certificate.",
        404 => "There is no file under this URL (404); check the URL.",
        405 => "The server does not allow this method here (405).",
        406 => "The server has no acceptable version of the file (406).",
        407 => "The proxy wants credentials (407); set them and resume.",
        408 => "The server gave up waiting for the request (408); it will be tried again.",
        409 => "The request conflicts with the state of the file on the server (409).",
        410 => "The file is gone from the server for good (410); use another URL.",
        411 => "The server wants a length with the request (411).",
        412 => "The file on the server is not the one that was expected (412).",
        413 => "The server finds the request too large (413).",
        414 => "The server finds the URL too long (414).",
        415 => "The server does not take this media type (415).",
        416 => "The file on the server does not have the requested range (416).",
        417 => "The server cannot meet an expectation of the request (417).",
        425 => "The server is not willing to answer this early (425); it will be tried again.",
        429 => "The server wants fewer requests (429); it will be tried again later.",
        449 => "The server wants the request repeated in another form (449).",
        500 => "The server had an internal error (500); it will be tried again.",
        501 => "The server does not implement the request (501).",
        502 => "The gateway got a bad answer from the server behind it (502); it will be tried again.",
        503 => "The server is overloaded or down for the moment (503); it will be tried again.",
        504 => "The gateway got no answer from the server behind it (504); it will be tried again.",
        505 => "The server does not speak this version of HTTP (505).",
        _ => family(status / 100),
    }
}

/// The sentence for a status without one of its own, by its first digit.
fn family(hundreds: u16) -> &'static str {
    match hundreds {
        1 | 2 => "The server answered with a status that is no answer to this request.",
        3 => "The server answered with a redirect that cannot be followed.",
        4 => "The server refuses the request.",
        5 => "The server failed; it will be tried again.",
        _ => "The server answered with a status that HTTP does not define.",
    }
}
