//! The entry point in assembly, with the few functions that the compiler expects of a C library.
//!
//! Those are in assembly, too, because the compiler turns a loop that copies bytes into a call of
//! `memcpy`. `build.rs` keeps the C library's own start out.
#![expect(
    unsafe_code,
    reason = "without a C library the program has to begin somewhere"
)]

use core::arch::global_asm;
use core::panic::PanicInfo;

use agent_entrypoint::say;
use agent_entrypoint::sys::{self, Start};

#[cfg(target_arch = "x86_64")]
global_asm!(include_str!("start/x86_64.s"));
#[cfg(target_arch = "aarch64")]
global_asm!(include_str!("start/aarch64.s"));

#[unsafe(no_mangle)]
extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: `_start` hands over the stack pointer that the process was started with.
    let start = unsafe { Start::from_stack(stack) };
    sys::exit(agent_entrypoint::main(&start))
}

/// No code of this program can panic: the compiler drops what cannot be reached, and a test checks what
/// it kept. What remains are rustix's own checks of the kernel's answers.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    const BUG: u8 = 70;
    if let Some(place) = info.location() {
        say::error(format_args!(
            "this is a bug, at {}:{}",
            place.file(),
            place.line()
        ));
    }
    sys::exit(BUG)
}
