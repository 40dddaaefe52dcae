//! Text in a buffer of fixed size: this program has no allocator.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter, Write};

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};

/// Text of at most `N` bytes; what does not fit is cut off.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
    is_cut: bool,
}

/// The path of a file that is inspected; a longer path is skipped.
pub type Path = Text<1024>;

impl<const N: usize> Text<N> {
    #[expect(clippy::new_without_default, reason = "a `const` needs it")]
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
            is_cut: false,
        }
    }

    /// The formatted text.
    pub fn of(text: fmt::Arguments<'_>) -> Self {
        let mut new = Self::new();
        // Writing to it does not fail.
        let _ = new.write_fmt(text);
        new
    }

    /// Sets the text to these parts of a path and returns it as a C string, which is empty, and names no
    /// file, when the path is too long.
    #[inline(never)]
    pub fn set_path(&mut self, parts: &[&[u8]]) -> &CStr {
        (self.length, self.is_cut) = (0, false);
        for part in parts {
            self.push(part);
        }
        self.push(b"\0");
        self.as_c_str().unwrap_or_default()
    }

    /// The beginning of a file.
    pub fn read(folder: impl AsFd, path: &CStr) -> Result<Self, Errno> {
        let mut text = Self::new();
        let read = read(folder.as_fd(), path, &mut text.bytes)?;
        text.grow(read);
        Ok(text)
    }

    #[inline(never)]
    pub fn push(&mut self, bytes: &[u8]) -> &mut Self {
        let fits = copy(bytes, self.room());
        self.grow(fits);
        self.is_cut |= fits < bytes.len();
        self
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The text as a C string; `None` if it is cut, or if the NUL at its end is missing or not the only one.
    pub fn as_c_str(&self) -> Option<&CStr> {
        let text = CStr::from_bytes_with_nul(self.as_bytes()).ok();
        text.filter(|_| !self.is_cut)
    }

    /// Returns true when the buffer is full. The text may then be cut off.
    pub fn is_full(&self) -> bool {
        self.length == N
    }

    /// Ends the text with a line end. In a full buffer it replaces the last byte.
    pub fn end_line(&mut self) {
        self.length = self.length.min(N.saturating_sub(1));
        self.push(b"\n");
    }

    /// The free bytes, for a read; [`Text::grow`] then adds them to the text.
    pub fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.length..).unwrap_or_default()
    }

    pub fn grow(&mut self, by: usize) {
        self.length = self.length.saturating_add(by).min(N);
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        self.write_str(encoded(c, &mut [0; 4]))
    }
}

/// Outside of [`Text`] for the same reason as [`copy`].
#[inline(never)]
fn encoded(c: char, room: &mut [u8; 4]) -> &str {
    c.encode_utf8(room)
}

/// Copies what fits, and returns its length. Outside of [`Text`], so that the program holds it once.
#[inline(never)]
fn copy(bytes: &[u8], room: &mut [u8]) -> usize {
    let copied = room.iter_mut().zip(bytes);
    copied.map(|(place, byte)| *place = *byte).count()
}

/// Fills the room with the beginning of a file, and returns its length.
#[inline(never)]
fn read(folder: BorrowedFd<'_>, path: &CStr, room: &mut [u8]) -> Result<usize, Errno> {
    // Anybody can put files into the workspace. A pipe without a writer would block this process, and a
    // terminal would become its own.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(folder, path, flags, Mode::empty())?;
    let mut length = 0;
    while let Some(rest) = room.get_mut(length..)
        && let read @ 1.. = retry_on_intr(|| rustix::io::read(&file, &mut *rest))?
    {
        length += read;
    }
    Ok(length)
}

/// Foreign text in a message: nothing in it ends the line or controls a terminal.
pub struct Shown<'a>(pub &'a [u8]);

pub fn shown(text: &CStr) -> Shown<'_> {
    Shown(text.to_bytes())
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                f.write_char(if c.is_control() { '?' } else { c })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Parses a number of digits alone, without signs and blanks.
pub fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

/// An error of the kernel, in the C library's words, which people search for.
pub struct Why(pub Errno);

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            Errno::PERM => "Operation not permitted",
            Errno::NOENT => "No such file or directory",
            Errno::IO => "Input/output error",
            Errno::TOOBIG => "Argument list too long",
            Errno::NOEXEC => "Exec format error",
            Errno::AGAIN => "Resource temporarily unavailable",
            Errno::NOMEM => "Cannot allocate memory",
            Errno::ACCESS => "Permission denied",
            Errno::NOTDIR => "Not a directory",
            Errno::MFILE => "Too many open files",
            Errno::TXTBSY => "Text file busy",
            Errno::NOSPC => "No space left on device",
            Errno::ROFS => "Read-only file system",
            Errno::NAMETOOLONG => "File name too long",
            Errno::NOSYS => "Function not implemented",
            Errno::LOOP => "Too many levels of symbolic links",
            _ => "error",
        };
        write!(f, "{words} (errno {})", self.0.raw_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_harmless_and_errors_have_their_words() {
        assert_eq!(shown(c"a\n\x1b[1m\u{e4}").to_string(), "a??[1m\u{e4}");
        assert_eq!(Shown(b"a\xffb").to_string(), "a\u{fffd}b");
        assert_eq!(
            Why(Errno::ACCESS).to_string(),
            "Permission denied (errno 13)"
        );
        assert_eq!(Why(Errno::XDEV).to_string(), "error (errno 18)");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut text = Text::<4>::of(format_args!("{}\0{}", 1, 2));
        assert_eq!(text.as_bytes(), b"1\x002");
        text.push(b"abc");
        assert_eq!(text.as_bytes(), b"1\x002a");
        assert_eq!(Text::<3>::of(format_args!("abcd\0")).as_c_str(), None);
    }

    #[test]
    fn a_c_string_has_one_nul_and_at_its_end() {
        assert_eq!(Text::<4>::of(format_args!("ab\0")).as_c_str(), Some(c"ab"));
        for wrong in ["ab", "a\0b\0", ""] {
            assert_eq!(Text::<8>::of(format_args!("{wrong}")).as_c_str(), None);
        }
    }

    mod properties {
        use proptest::collection::vec;
        use proptest::prelude::*;

        use super::*;

        proptest! {
            /// The text is the beginning of all that is pushed; C gets it whole or not at all.
            #[test]
            fn a_text_is_the_beginning_of_what_was_pushed(
                pieces in vec(vec(0..4_u8, 0..8), 0..6),
            ) {
                let mut text = Text::<16>::new();
                for piece in &pieces {
                    text.push(piece);
                }
                let all = pieces.concat();
                prop_assert_eq!(text.as_bytes(), &all[..all.len().min(16)]);
                let whole = CStr::from_bytes_with_nul(&all).ok();
                prop_assert_eq!(text.as_c_str(), whole.filter(|_| all.len() <= 16));
            }

            /// C gets all parts of a path or none, also from a buffer that was used.
            #[test]
            fn a_path_is_whole_or_empty(parts in vec(vec(0..4_u8, 0..8), 0..4), before: Vec<u8>) {
                let mut room = Text::<16>::new();
                room.push(&before);
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let all = [&parts.concat()[..], b"\0"].concat();
                let whole = CStr::from_bytes_with_nul(&all).ok().filter(|_| all.len() <= 16);
                prop_assert_eq!(room.set_path(&parts), whole.unwrap_or_default());
            }

            /// No control character is shown, and every other character is.
            #[test]
            fn shown_text_steers_nothing(bytes: Vec<u8>, valid: String) {
                prop_assert!(!Shown(&bytes).to_string().contains(char::is_control));
                let expected = valid.replace(char::is_control, "?");
                prop_assert_eq!(Shown(valid.as_bytes()).to_string(), expected);
            }
        }
    }
}
