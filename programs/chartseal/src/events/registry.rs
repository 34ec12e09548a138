//! The registry and its admin.

use anchor_lang::prelude::*;

use crate::log::Link;

/// The registry was made, by the program's upgrade authority.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct RegistryCreated {
    pub link: Link,
    pub admin: Address,
    pub head: [u8; 32],
}

/// The admin named a successor, who has to accept.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AdminProposed {
    pub link: Link,
    pub proposed: Address,
    pub head: [u8; 32],
}

/// The successor accepted.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct AdminAccepted {
    pub link: Link,
    pub admin: Address,
    pub head: [u8; 32],
}

/// The program was paused, or goes on.
#[event]
#[derive(AnchorDeserialize, Clone, Debug, PartialEq)]
pub struct PauseSet {
    pub link: Link,
    pub paused: bool,
    pub head: [u8; 32],
}
