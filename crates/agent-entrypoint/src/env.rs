//! The environment: a variable's value by its name, and settings that variables hold.

use core::ffi::CStr;

use crate::exit::Refusal;
use crate::sys::Words;

/// The environment, by the names of its variables.
#[derive(Clone, Copy)]
pub struct Env<'a>(pub &'a Words<'a>);

impl<'a> Env<'a> {
    pub fn get(self, name: &str) -> Option<&'a CStr> {
        let mut variables = self.0.iter().flatten();
        variables.find_map(|variable| variable.value_of(name))
    }

    /// The value, unless it is empty.
    pub fn filled(self, name: &str) -> Option<&'a CStr> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

/// The value of a variable, as `read` parses it; refuses a value that `read` does not accept.
pub fn setting<'a, T>(
    env: Env<'a>,
    name: &'static str,
    default: T,
    hint: &'static str,
    read: impl FnOnce(&'a CStr) -> Option<T>,
) -> Result<T, Refusal<'a>> {
    match env.filled(name) {
        Some(value) => read(value).ok_or(Refusal::BadValue { name, value, hint }),
        None => Ok(default),
    }
}
