//! Strings as the kernel passes and takes them: arrays of pointers that end with a null pointer.

use core::ffi::{CStr, c_char};
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

use crate::user::Ids;

/// A C string, as large as its pointer; `Option<Word>` is what C calls `char *`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Word<'a>(NonNull<c_char>, PhantomData<&'a CStr>);

/// What `execve` takes: words up to the first `None`.
pub type Words<'a> = [Option<Word<'a>>];

impl<'a> Word<'a> {
    pub fn new(text: &'a CStr) -> Self {
        Self(NonNull::from(text).cast(), PhantomData)
    }

    pub fn as_c_str(self) -> &'a CStr {
        // SAFETY: the pointer is to a C string that lives for `'a`: either `new` was given one, or the
        // word is one of the kernel's, see `Start::from_stack`.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }
    }
}

impl<'a> Word<'a> {
    /// The value in `NAME=VALUE`, if the name is this one.
    pub fn value_of(self, name: &str) -> Option<&'a CStr> {
        let mut at = self.0.as_ptr().cast::<u8>().cast_const();
        for byte in name.bytes().chain([b'=']) {
            // SAFETY: no byte of a name is NUL, so this stops at the word's end at the latest.
            unsafe {
                if *at != byte {
                    return None;
                }
                at = at.add(1);
            }
        }
        // SAFETY: `at` is still within the C string, which lives for `'a`.
        Some(unsafe { CStr::from_ptr(at.cast()) })
    }
}

impl PartialEq for Word<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_c_str() == other.as_c_str()
    }
}

impl Eq for Word<'_> {}

impl fmt::Debug for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_c_str().fmt(f)
    }
}

/// The words before the first `None`.
pub fn each<'a, 'b>(words: &'b Words<'a>) -> impl Iterator<Item = &'a CStr> + Clone + use<'a, 'b> {
    words.iter().map_while(|word| word.map(Word::as_c_str))
}

/// The arguments, environment and user that a program starts with.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The name of the program itself, and its arguments.
    pub arguments: &'a Words<'a>,
    pub environment: &'a Words<'a>,
    /// The effective user and group; root also if it is only the real user.
    pub user: Ids,
}

/// `AT_UID`, `AT_EUID` and `AT_EGID` of the auxiliary vector: the results of `getuid`, `geteuid` and
/// `getegid`, without a call.
const REAL_UID: usize = 11;
const EFFECTIVE_UID: usize = 12;
const EFFECTIVE_GID: usize = 14;

impl Start<'static> {
    /// Reads what the kernel put on the stack, laid out by the System V ABI: the number of arguments,
    /// pointers to them, a null pointer, pointers to the environment, a null pointer, pairs of numbers that a 0 ends.
    ///
    /// # Safety
    ///
    /// `stack` must be the stack pointer that this process was started with, and nothing may have
    /// changed what lies above it.
    pub unsafe fn from_stack(stack: *const usize) -> Self {
        // SAFETY: by the caller's promise the memory is laid out so, it lives as long as the process,
        // and a `char *` of C may be read as an `Option<Word>`.
        unsafe {
            let count = *stack;
            let first = stack.add(1).cast::<Option<Word<'static>>>();
            let environment = first.add(count + 1);
            let mut end = environment;
            while (*end).is_some() {
                end = end.add(1);
            }
            let variables = usize::try_from(end.offset_from(environment)).unwrap_or_default();
            Self {
                arguments: slice::from_raw_parts(first, count + 1),
                environment: slice::from_raw_parts(environment, variables + 1),
                user: user(end.add(1).cast()),
            }
        }
    }
}

/// The user of this process, from the auxiliary vector: root if either id is root's, or if the vector
/// lacks them.
///
/// # Safety
///
/// `pair` must point to pairs of numbers, the last of which begins with a 0.
unsafe fn user(mut pair: *const [usize; 2]) -> Ids {
    let (mut uid, mut gid) = (None, 0);
    // SAFETY: by the caller's promise there is a pair wherever this reads.
    while let [key, value] = unsafe { *pair }
        && key != 0
    {
        let id = u32::try_from(value).unwrap_or_default();
        match key {
            REAL_UID | EFFECTIVE_UID => uid = Some(uid.map_or(id, |other: u32| other.min(id))),
            EFFECTIVE_GID => gid = id,
            _ => {}
        }
        // SAFETY: this was not the last pair.
        pair = unsafe { pair.add(1) };
    }
    let uid = uid.unwrap_or_default();
    Ids { uid, gid }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Words that live as long as the test program.
    pub(crate) fn words(texts: &[&str]) -> &'static Words<'static> {
        let texts: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        words_of_bytes(&texts)
    }

    /// The same, of any bytes but NUL.
    pub(crate) fn words_of_bytes(texts: &[Vec<u8>]) -> &'static Words<'static> {
        let word = |text: &Vec<u8>| {
            let text = std::ffi::CString::new(text.as_slice()).unwrap();
            Some(Word::new(Box::leak(text.into_boxed_c_str())))
        };
        let words: Vec<_> = texts.iter().map(word).chain([None]).collect();
        Box::leak(words.into_boxed_slice())
    }

    #[test]
    fn values_are_found_behind_their_whole_name() {
        for (word, value) in [
            (c"NAME=a=b", Some(c"a=b")),
            (c"NAME=", Some(c"")),
            (c"NAME", None),
            (c"NAM", None),
            (c"NAMES=x", None),
            (c"", None),
        ] {
            assert_eq!(Word::new(word).value_of("NAME"), value, "{word:?}");
        }
    }

    #[test]
    fn the_stack_is_read_as_the_kernel_lays_it_out() {
        let address = |text: &CStr| text.as_ptr() as usize;
        let (program, argument, variable) = (c"init", c"-x", c"A=b");
        let (a, b, c) = (address(program), address(argument), address(variable));
        let full = [2, a, b, 0, c, 0, 6, 4096, 14, 20, 12, 7, 0, 0];
        let bare = [0, 0, 0, 0, 0];
        // SAFETY: both arrays are laid out as the kernel's stack is.
        let (full, bare) = unsafe {
            (
                Start::from_stack(full.as_ptr()),
                Start::from_stack(bare.as_ptr()),
            )
        };
        assert!(each(full.arguments).eq([program, argument]));
        assert!(each(full.environment).eq([variable]));
        assert_eq!((full.arguments.len(), full.environment.len()), (3, 2));
        assert_eq!((bare.arguments.len(), bare.environment.len()), (1, 1));
        assert_eq!(full.user, Ids { uid: 7, gid: 20 });
        assert_eq!(bare.user, Ids { uid: 0, gid: 0 });
    }
}
