//! Text in a buffer of fixed size, put together piece by piece: this program has no allocator.

use core::ffi::CStr;

use rustix::io::Errno;

/// Text of at most `N` bytes; what does not fit is cut off, and [`Text::is_cut`] tells.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
    is_cut: bool,
}

/// Long enough for every message about a path of usual length.
pub type Line = Text<1024>;

/// What can be part of a text.
pub trait Piece {
    /// Writes it down.
    fn put(self, out: &mut Sink<'_>);
}

/// The free part of a text: one type for texts of every size.
pub struct Sink<'a> {
    room: &'a mut [u8],
    length: usize,
    is_cut: bool,
}

impl Sink<'_> {
    pub fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.room.get_mut(self.length) {
                Some(place) => {
                    *place = *byte;
                    self.length += 1;
                }
                None => self.is_cut = true,
            }
        }
    }
}

impl<const N: usize> Text<N> {
    #[expect(clippy::new_without_default, reason = "a `const` needs it")]
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
            is_cut: false,
        }
    }

    pub fn push(&mut self, piece: impl Piece) -> &mut Self {
        let mut sink = Sink {
            room: self.room(),
            length: 0,
            is_cut: false,
        };
        piece.put(&mut sink);
        let Sink { length, is_cut, .. } = sink;
        self.grow(length);
        self.is_cut |= is_cut;
        self
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The text as C has it: none if it is cut, or if the NUL at its end is missing or not the only one.
    pub fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_with_nul(self.as_bytes())
            .ok()
            .filter(|_| !self.is_cut)
    }

    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The bytes that are still free, to be read into; [`Text::grow`] then takes them over.
    pub fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.length..).unwrap_or_default()
    }

    pub fn grow(&mut self, by: usize) {
        self.length = self.length.saturating_add(by).min(N);
    }
}

/// Writes down several pieces, one after the other.
macro_rules! put {
    ($out:expr, $($piece:expr),+ $(,)?) => {{
        $($crate::text::Piece::put($piece, $out);)+
    }};
}
pub(crate) use put;

/// Puts pieces together to a [`Line`].
macro_rules! compose {
    ($($piece:expr),+ $(,)?) => {{
        let mut line = $crate::text::Line::new();
        $(line.push($piece);)+
        line
    }};
}
pub(crate) use compose;

impl Piece for &str {
    fn put(self, out: &mut Sink<'_>) {
        out.bytes(self.as_bytes());
    }
}

/// As it is.
impl Piece for &[u8] {
    fn put(self, out: &mut Sink<'_>) {
        out.bytes(self);
    }
}

impl<const N: usize> Piece for &Text<N> {
    fn put(self, out: &mut Sink<'_>) {
        out.bytes(self.as_bytes());
    }
}

/// Somebody else's text in a message: nothing in it may end the line or steer a terminal.
impl Piece for &CStr {
    fn put(self, out: &mut Sink<'_>) {
        Shown(self.to_bytes()).put(out);
    }
}

/// The same, for bytes.
pub struct Shown<'a>(pub &'a [u8]);

impl Piece for Shown<'_> {
    fn put(self, out: &mut Sink<'_>) {
        for byte in self.0 {
            out.byte(if byte.is_ascii_control() { b'?' } else { *byte });
        }
    }
}

impl Piece for u32 {
    fn put(self, out: &mut Sink<'_>) {
        let mut divisor = 1_000_000_000;
        while divisor > 1 && self < divisor {
            divisor /= 10;
        }
        while divisor > 0 {
            out.byte(digit(self / divisor % 10));
            divisor /= 10;
        }
    }
}

/// A mode as `chmod` writes it: four octal digits.
pub struct Octal(pub u32);

impl Piece for Octal {
    fn put(self, out: &mut Sink<'_>) {
        for shift in [9, 6, 3, 0] {
            out.byte(digit((self.0 >> shift) & 7));
        }
    }
}

fn digit(value: u32) -> u8 {
    b'0' + value.to_le_bytes()[0]
}

/// A user and a group, as `chown` and `docker run --user` write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub uid: u32,
    pub gid: u32,
}

impl Piece for Ids {
    fn put(self, out: &mut Sink<'_>) {
        put!(out, self.uid, ":", self.gid);
    }
}

/// The C library's words, which people know and search for.
impl Piece for Errno {
    fn put(self, out: &mut Sink<'_>) {
        let words = match self {
            Self::PERM => "Operation not permitted",
            Self::NOENT => "No such file or directory",
            Self::IO => "Input/output error",
            Self::TOOBIG => "Argument list too long",
            Self::NOEXEC => "Exec format error",
            Self::AGAIN => "Resource temporarily unavailable",
            Self::NOMEM => "Cannot allocate memory",
            Self::ACCESS => "Permission denied",
            Self::NOTDIR => "Not a directory",
            Self::ISDIR => "Is a directory",
            Self::INVAL => "Invalid argument",
            Self::MFILE => "Too many open files",
            Self::TXTBSY => "Text file busy",
            Self::NOSPC => "No space left on device",
            Self::ROFS => "Read-only file system",
            Self::NAMETOOLONG => "File name too long",
            Self::NOSYS => "Function not implemented",
            Self::LOOP => "Too many levels of symbolic links",
            Self::STALE => "Stale file handle",
            _ => "error",
        };
        put!(
            out,
            words,
            " (errno ",
            self.raw_os_error().unsigned_abs(),
            ")"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(piece: impl Piece) -> String {
        String::from_utf8(compose!(piece).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn pieces_look_as_people_write_them() {
        for (number, text) in [
            (0, "0"),
            (7, "7"),
            (10, "10"),
            (1000, "1000"),
            (4_294_967_295, "4294967295"),
        ] {
            assert_eq!(shown(number), text);
        }
        assert_eq!(shown(Octal(0o755)), "0755");
        assert_eq!(shown(Octal(0o1777)), "1777");
        assert_eq!(shown(Ids { uid: 1, gid: 20 }), "1:20");
        assert_eq!(shown(c"a\n\x1b[1m\u{e4}"), "a??[1m\u{e4}");
        assert_eq!(shown(Errno::ACCESS), "Permission denied (errno 13)");
        assert_eq!(shown(Errno::XDEV), "error (errno 18)");
    }

    #[test]
    fn what_does_not_fit_is_cut_and_told() {
        let mut text = Text::<4>::new();
        assert!(!text.push("abcd").is_cut());
        assert!(text.push("e").is_cut());
        assert_eq!(text.as_bytes(), b"abcd");
        assert_eq!(text.as_c_str(), None);
    }

    #[test]
    fn a_c_string_has_one_nul_and_at_its_end() {
        assert_eq!(Text::<4>::new().push("ab\0").as_c_str(), Some(c"ab"));
        for wrong in ["ab", "a\0b\0", ""] {
            assert_eq!(Text::<8>::new().push(wrong).as_c_str(), None, "{wrong:?}");
        }
    }
}
