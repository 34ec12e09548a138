//! What somebody who has only the program's address can learn about reporting a fault in it.
//!
//! The form is that of `solana-security-txt`: names and values between two markers, which explorers look for in the
//! program's bytes. They go by the markers and not by a section: of the sections, `sbpf-linker` keeps only code and
//! constants.

/// Names and values, each ended by a zero byte, between their markers.
pub const SECURITY_TXT: &str = concat!(
    "=======BEGIN SECURITY.TXT V1=======\0",
    "name\0Chartseal\0",
    "project_url\0README.md of the source repository\0",
    "contacts\0other:see SECURITY.md of the source repository\0",
    "policy\0SECURITY.md of the source repository\0",
    "preferred_languages\0en\0",
    "=======END SECURITY.TXT V1=======\0",
);

/// The same among the program's constants, where nothing refers to it.
#[cfg(target_os = "solana")]
#[used]
static EMBEDDED: [u8; SECURITY_TXT.len()] = match SECURITY_TXT.as_bytes().first_chunk() {
    Some(bytes) => *bytes,
    None => [0; SECURITY_TXT.len()],
};
