//! Impersonation of a named pipe's client, for as long as it takes to read its token.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{ERROR_NONE_MAPPED, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{ConvertSidToStringSidW, ConvertStringSidToSidW};
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountSidW, PSID, RevertToSelf, TOKEN_QUERY, TOKEN_USER,
    TokenUser as TOKEN_USER_CLASS,
};
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, ImpersonateNamedPipeClient};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, OpenProcessToken, OpenThreadToken,
};

use super::{Caller, UserId};
use crate::wide::{Owned, check};

/// A TOKEN_USER is one pointer and flags, followed by a SID of at most 68 bytes; in u64 so that it is aligned.
const TOKEN_USER_WORDS: usize = 32;
/// "S-1-" and fifteen sub-authorities of ten digits fit well below this.
const LONGEST_SID_TEXT: usize = 256;

/// Who is at the other end of this pipe's server side. Something must have been read from the pipe before.
pub fn of_pipe(pipe: BorrowedHandle<'_>) -> io::Result<Caller> {
    let handle = pipe.as_raw_handle();
    let mut pid = 0;
    // SAFETY: the handle is borrowed and so open; the out-pointer is ours.
    let pid_known = unsafe { GetNamedPipeClientProcessId(handle, &mut pid) } != 0;
    let user = Impersonation::of(handle)?.token_user()?;
    Ok(Caller { user: user.id()?, pid: pid_known.then_some(pid) })
}

/// This process, as its own caller.
pub fn this_process() -> io::Result<Caller> {
    Ok(Caller { user: TokenUser::of_process()?.id()?, pid: Some(std::process::id()) })
}

/// While this lives, the thread acts as the pipe's client.
struct Impersonation;

impl Impersonation {
    fn of(pipe: HANDLE) -> io::Result<Impersonation> {
        // SAFETY: the caller holds the pipe open.
        check(unsafe { ImpersonateNamedPipeClient(pipe) })?;
        Ok(Impersonation)
    }

    fn token_user(&self) -> io::Result<TokenUser> {
        let mut token: HANDLE = null_mut();
        // SAFETY: the thread's pseudo handle needs no closing; `openasself` lets our own rights open the token.
        check(unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &mut token) })?;
        TokenUser::of_token(&Owned(token))
    }
}

impl Drop for Impersonation {
    fn drop(&mut self) {
        // SAFETY: takes nothing, gives the thread its own identity back.
        let reverted = unsafe { RevertToSelf() };
        if reverted == 0 {
            // Going on with somebody else's rights would be worse than stopping.
            std::process::abort();
        }
    }
}

/// Groups have no numbers here.
pub fn group_number(_name: &str) -> io::Result<Option<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Room for the name of an account, and for that of its domain.
const NAME_CHARS: usize = 512;

/// The name of a user as the system knows it, with its domain; `None` when it knows none. It may ask a domain controller, and
/// so take a while.
pub fn user_name(user: &UserId) -> io::Result<Option<String>> {
    let UserId::Windows { sid } = user else { return Ok(None) };
    let text: Vec<u16> = sid.encode_utf16().chain([0]).collect();
    let mut sid: PSID = null_mut();
    // SAFETY: the text ends with NUL; the out-pointer is ours, and what it gets is freed below.
    check(unsafe { ConvertStringSidToSidW(text.as_ptr(), &mut sid) })?;
    let (mut name, mut domain) = ([0_u16; NAME_CHARS], [0_u16; NAME_CHARS]);
    let room = u32::try_from(NAME_CHARS).map_err(io::Error::other)?;
    let (mut name_chars, mut domain_chars, mut kind) = (room, room, 0);
    // SAFETY: the SID is the one just made; both buffers have the lengths that are given.
    let found = unsafe {
        LookupAccountSidW(
            null_mut(),
            sid,
            name.as_mut_ptr(),
            &mut name_chars,
            domain.as_mut_ptr(),
            &mut domain_chars,
            &mut kind,
        )
    };
    let looked_up = check(found);
    // SAFETY: made by ConvertStringSidToSidW, and not used any more.
    unsafe { LocalFree(sid) };
    match looked_up {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(ERROR_NONE_MAPPED.cast_signed()) => return Ok(None),
        Err(error) => return Err(error),
    }
    let text = |buffer: &[u16], chars: u32| {
        String::from_utf16_lossy(&buffer[..usize::try_from(chars).map_or(0, |chars| chars.min(NAME_CHARS))])
    };
    let (name, domain) = (text(&name, name_chars), text(&domain, domain_chars));
    Ok(Some(if domain.is_empty() { name } else { format!("{domain}\\{name}") }))
}

/// The user that a token speaks for. The SID lies inside the buffer.
pub(crate) struct TokenUser {
    buffer: Box<[u64; TOKEN_USER_WORDS]>,
}

impl TokenUser {
    pub(crate) fn of_process() -> io::Result<TokenUser> {
        let mut token: HANDLE = null_mut();
        // SAFETY: the process's pseudo handle needs no closing; the out-pointer is ours.
        check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) })?;
        TokenUser::of_token(&Owned(token))
    }

    fn of_token(token: &Owned) -> io::Result<TokenUser> {
        let mut buffer = Box::new([0u64; TOKEN_USER_WORDS]);
        let mut needed = 0;
        let len = u32::try_from(size_of::<[u64; TOKEN_USER_WORDS]>()).unwrap_or(0);
        // SAFETY: the buffer is aligned for TOKEN_USER and `len` bytes long; a token that needs more is an error.
        check(unsafe {
            GetTokenInformation(token.0, TOKEN_USER_CLASS, buffer.as_mut_ptr().cast(), len, &mut needed)
        })?;
        Ok(TokenUser { buffer })
    }

    pub(crate) fn sid(&self) -> PSID {
        // SAFETY: GetTokenInformation filled the start of the buffer with a TOKEN_USER; any bit pattern is one.
        unsafe { (*self.buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }

    fn id(&self) -> io::Result<UserId> {
        let mut text = null_mut();
        // SAFETY: the SID is valid while `self` lives; the out-pointer is ours.
        check(unsafe { ConvertSidToStringSidW(self.sid(), &mut text) })?;
        let mut units = Vec::new();
        for at in 0..LONGEST_SID_TEXT {
            // SAFETY: the text is NUL-terminated and the loop stops at the NUL.
            match unsafe { *text.add(at) } {
                0 => break,
                unit => units.push(unit),
            }
        }
        // SAFETY: ConvertSidToStringSidW allocated the text with LocalAlloc for us; it is freed once.
        unsafe { LocalFree(text.cast()) };
        Ok(UserId::Windows { sid: String::from_utf16_lossy(&units) })
    }
}
