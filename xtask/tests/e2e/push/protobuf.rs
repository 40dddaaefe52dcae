//! Texts in messages of protobuf, whose fields have numbers for names.

/// The text that these fields lead to, the first of each number.
pub(super) fn text(message: &[u8], path: &[u64]) -> Option<String> {
    let mut path = path.iter();
    let value = path.try_fold(message, |message, number| field(message, *number))?;
    String::from_utf8(value.to_vec()).ok()
}

/// The first field of this number, a text or a message.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    loop {
        let key = varint(&mut message)?;
        let value = varint(&mut message)?;
        // The kind 0 is a number and nothing more; the kind 2 has bytes, after their count.
        if key & 7 == 2 {
            let (bytes, rest) = message.split_at_checked(value.try_into().ok()?)?;
            if key >> 3 == number {
                return Some(bytes);
            }
            message = rest;
        }
    }
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
