//! Where the kernel enters, and the few functions that the compiler expects of a C library.
//!
//! They are in assembly because a loop that copies bytes is what the compiler would turn into a call of
//! `memcpy` again. `build.rs` keeps the C library's own start out.
#![expect(
    unsafe_code,
    reason = "without a C library the program has to begin somewhere"
)]

use core::arch::naked_asm;
use core::panic::PanicInfo;

use agent_entrypoint::sys::{self, Start};

/// The first instruction: hands the stack, as the kernel left it, to [`begin`].
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", "ud2", sym begin);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("mov x29, xzr", "mov x30, xzr", "mov x0, sp", "bl {}", "brk 1", sym begin);
}

extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: `_start` hands over the stack pointer that the process was started with.
    let start = unsafe { Start::from_stack(stack) };
    sys::exit(agent_entrypoint::main(&start))
}

/// Nothing of this program can panic: the compiler leaves out what cannot be reached, and a test looks
/// for what it left in. What remains are rustix's own doubts about the kernel's answers.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    const BUG: u8 = 70;
    let place = info.location();
    let file = place.map_or("an unknown place", |place| place.file());
    let line = place.map_or(0, |place| place.line());
    agent_entrypoint::say::bug(file, line);
    sys::exit(BUG)
}

#[cfg(target_arch = "x86_64")]
mod memory {
    use core::arch::naked_asm;

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!("mov rax, rdi", "mov rcx, rdx", "rep movsb", "ret")
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        naked_asm!(
            "mov r8, rdi",
            "mov eax, esi",
            "mov rcx, rdx",
            "rep stosb",
            "mov rax, r8",
            "ret"
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
        // The first instruction also sets "equal", which stays when there is nothing to compare.
        naked_asm!(
            "xor eax, eax",
            "mov rcx, rdx",
            "repe cmpsb",
            "setne al",
            "ret"
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(text: *const u8) -> usize {
        naked_asm!(
            "mov rax, rdi",
            "2:",
            "cmp byte ptr [rax], 0",
            "je 3f",
            "inc rax",
            "jmp 2b",
            "3:",
            "sub rax, rdi",
            "ret"
        )
    }
}

#[cfg(target_arch = "aarch64")]
mod memory {
    use core::arch::naked_asm;

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        naked_asm!(
            "mov x3, x0",
            "2:",
            "cbz x2, 3f",
            "ldrb w4, [x1], #1",
            "strb w4, [x3], #1",
            "sub x2, x2, #1",
            "b 2b",
            "3:",
            "ret"
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        naked_asm!(
            "mov x3, x0",
            "2:",
            "cbz x2, 3f",
            "strb w1, [x3], #1",
            "sub x2, x2, #1",
            "b 2b",
            "3:",
            "ret"
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
        naked_asm!(
            "2:",
            "cbz x2, 3f",
            "ldrb w3, [x0], #1",
            "ldrb w4, [x1], #1",
            "sub x2, x2, #1",
            "cmp w3, w4",
            "b.eq 2b",
            "mov w0, #1",
            "ret",
            "3:",
            "mov w0, #0",
            "ret"
        )
    }

    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(text: *const u8) -> usize {
        naked_asm!(
            "mov x1, x0",
            "2:",
            "ldrb w2, [x1]",
            "cbz w2, 3f",
            "add x1, x1, #1",
            "b 2b",
            "3:",
            "sub x0, x1, x0",
            "ret"
        )
    }
}
