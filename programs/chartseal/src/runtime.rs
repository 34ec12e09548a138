//! What the compiler calls and the chain's runtime does not name the same way.
//!
//! LLVM lowers aborts to `__bpf_trap` and copies of memory to `memcpy` and its kin. Solana's virtual machine offers
//! these as the `abort` and `sol_mem*_` syscalls; the functions here forward to them. Nothing here exists off chain.

#![allow(unsafe_code)]

use anchor_lang::pinocchio::syscalls;

/// Poseidon over BN254's scalar field, with circomlib's parameters; `None` where an input is no field element, or there
/// are none or more than 12.
pub(crate) fn poseidon(inputs: &[&[u8; 32]]) -> Option<[u8; 32]> {
    const MOST: usize = 12;
    const NONE: &[u8] = &[];
    const BN254_X5: u64 = 0;
    const BIG_ENDIAN: u64 = 0;
    // The syscall reads pairs of address and length.
    let mut slices = [NONE; MOST];
    if inputs.len() > MOST {
        return None;
    }
    for (slice, input) in slices.iter_mut().zip(inputs) {
        *slice = input.as_slice();
    }
    let mut hash = [0; 32];
    // SAFETY: `slices` has at least as many entries as are named, each of them a live slice, and `hash` is 32 bytes.
    let failed = unsafe {
        syscalls::sol_poseidon(
            BN254_X5,
            BIG_ENDIAN,
            slices.as_ptr().cast(),
            inputs.len() as u64,
            hash.as_mut_ptr(),
        )
    };
    (failed == 0).then_some(hash)
}

#[no_mangle]
extern "C" fn __bpf_trap() -> ! {
    // SAFETY: the syscall takes nothing and never returns.
    unsafe { syscalls::abort() }
}

// SAFETY: LLVM emits calls to these four under the contracts of C's functions of the same names, which are those of
// the syscalls: valid pointers for `n` bytes, no overlap for `memcpy`.
#[no_mangle]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    syscalls::sol_memcpy_(to, from, n as u64);
    to
}

#[no_mangle]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    syscalls::sol_memmove_(to, from, n as u64);
    to
}

#[no_mangle]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8 {
    syscalls::sol_memset_(to, byte as u8, n as u64);
    to
}

#[no_mangle]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    let mut order = 0i32;
    syscalls::sol_memcmp_(a, b, n as u64, &mut order);
    order
}
