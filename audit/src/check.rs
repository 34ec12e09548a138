//! Checks a file: first its bytes, then every chain in it, then that what it says of places fits together.

use std::collections::BTreeMap;

use borsh::BorshDeserialize as _;
use chartseal_program::{
    events::AnyEvent,
    log::{Chain, ChainKind},
    seeds::Id,
};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::{
    Audit, CheckError, ExportedChain, Names, Placed,
    file::{HASH, MAGIC, SIGNATURE, VERSION, digest_of, signed},
};

/// A file that holds.
#[derive(Clone, Debug)]
pub struct Checked {
    pub audit: Audit,
    /// Whose signature it bears, if any.
    pub signer: Option<[u8; 32]>,
    /// SHA-256 over all of it, which names the file.
    pub digest: [u8; 32],
    /// The events of each chain of the file, in its order.
    pub events: Vec<Vec<AnyEvent>>,
    /// Who is who.
    pub names: Names,
}

/// Checks a file, and that it is signed by whom one demands.
///
/// # Errors
/// [`CheckError`]: the first thing that does not hold.
pub fn check(bytes: &[u8], demanded: Option<&[u8; 32]>) -> Result<Checked, CheckError> {
    let (audit, signer, digest) = open(bytes)?;
    if let Some(demanded) = demanded {
        let show = |key: &[u8; 32]| bs58::encode(key).into_string();
        match signer {
            None => return Err(CheckError::Unsigned),
            Some(signer) if signer != *demanded => {
                return Err(CheckError::OtherSigner {
                    signer: show(&signer),
                    demanded: show(demanded),
                });
            }
            Some(_) => {}
        }
    }
    if audit.program != chartseal_program::ID.to_bytes() {
        return Err(CheckError::OtherProgram {
            program: bs58::encode(audit.program).into_string(),
        });
    }
    require_chains(&audit)?;
    let mut places = Places::default();
    let mut names = Names::default();
    let mut events = Vec::new();
    for chain in &audit.chains {
        let followed = follow(chain, &mut places)?;
        followed.iter().for_each(|event| names.learn(event));
        events.push(followed);
    }
    Ok(Checked {
        audit,
        signer,
        digest,
        events,
        names,
    })
}

/// What a file holds, its signer, and its digest.
type Opened = (Audit, Option<[u8; 32]>, [u8; HASH]);

/// Reads the bytes, and holds them against digest and signature.
fn open(bytes: &[u8]) -> Result<Opened, CheckError> {
    let form = |what: &str| CheckError::Form(what.to_owned());
    let rest = bytes.strip_prefix(MAGIC).ok_or(CheckError::NotAnAudit)?;
    let (version, mut rest) = rest.split_first_chunk().ok_or_else(|| form("it ends too early"))?;
    match u16::from_le_bytes(*version) {
        VERSION => {}
        other => return Err(CheckError::Version(other)),
    }
    let read = |error: std::io::Error| CheckError::Form(error.to_string());
    let audit = Audit::deserialize(&mut rest).map_err(read)?;
    let signer = <Option<[u8; 32]>>::deserialize(&mut rest).map_err(read)?;
    let (covered, end) = bytes.split_at(bytes.len() - rest.len());
    let (digest, signature) = end
        .split_first_chunk::<HASH>()
        .ok_or_else(|| form("it ends too early"))?;
    if *digest != digest_of(covered) {
        return Err(CheckError::Digest);
    }
    match signer {
        None if signature.is_empty() => {}
        None => return Err(form("something follows its end")),
        Some(signer) => {
            let signature: &[u8; SIGNATURE] = signature
                .try_into()
                .map_err(|_| form("its signature has not 64 bytes"))?;
            VerifyingKey::from_bytes(&signer)
                .and_then(|key| key.verify_strict(&signed(digest), &Signature::from_bytes(signature)))
                .map_err(|_| CheckError::Signature)?;
        }
    }
    Ok((audit, signer, *digest))
}

/// The subject's own chains come first and all of them; others follow in their order, each once.
fn require_chains(audit: &Audit) -> Result<(), CheckError> {
    let mut there = Vec::new();
    for chain in &audit.chains {
        let kind = chain
            .kind()
            .ok_or_else(|| CheckError::Chains(format!("there is no chain of kind {}", chain.kind)))?;
        if chain.account != ExportedChain::account_of(kind, &chain.subject) {
            let whose = hex::encode(chain.subject);
            let what = format!("the head of chain {} of {whose} stands in another account", kind.word());
            return Err(CheckError::Chains(what));
        }
        there.push((kind, chain.subject));
    }
    let own = audit.subject.chains();
    let Some(others) = there.strip_prefix(own.as_slice()) else {
        return Err(CheckError::Chains(format!(
            "those of the {} are not its first ones",
            audit.subject.word()
        )));
    };
    let sorted = others.is_sorted_by(|one, next| one < next);
    let allowed = |(kind, _): &(ChainKind, Id)| matches!(kind, ChainKind::Registry | ChainKind::Institution);
    if !sorted || !others.iter().all(allowed) || others.iter().any(|other| own.contains(other)) {
        return Err(CheckError::Chains(
            "behind the first ones others follow than institutions', each once".to_owned(),
        ));
    }
    Ok(())
}

/// Follows a chain from its beginning to its head.
fn follow(exported: &ExportedChain, places: &mut Places) -> Result<Vec<AnyEvent>, CheckError> {
    let subject = exported.subject;
    let Some(kind) = exported.kind() else {
        return Err(CheckError::Chains(format!(
            "there is no chain of kind {}",
            exported.kind
        )));
    };
    let mut chain = Chain::begin(kind, &subject);
    let mut before: Option<&Placed> = None;
    let mut events = Vec::new();
    for placed in &exported.events {
        let seq = chain.seq + 1;
        let wrong = |what: &str| CheckError::Event {
            kind,
            subject,
            seq,
            what: what.to_owned(),
        };
        let event = AnyEvent::decode(&placed.body).map_err(|_| wrong("it is no event of the program"))?;
        if event.chain() != kind || event.link().subject != subject {
            return Err(wrong("it belongs to another chain"));
        }
        chain = chain
            .follow(kind, &subject, event.link().seq, &placed.body)
            .ok_or_else(|| wrong("its hash does not follow from the event before it and its own content: one was removed, added, moved or altered"))?;
        if placed.slot > exported.slot {
            return Err(wrong(
                "it stands in a later slot than the one in which the chain's head was read",
            ));
        }
        if before.is_some_and(|before| !precedes(before, placed)) {
            return Err(wrong("it stands on the ledger before the event that it follows"));
        }
        places.take(placed).map_err(wrong)?;
        before = Some(placed);
        events.push(event);
    }
    if chain != exported.chain() {
        let what = match chain.seq == exported.seq {
            true => "the chain ends with another hash than on the ledger".to_owned(),
            false => format!(
                "the ledger's chain has {} events, the file has {}",
                exported.seq, chain.seq
            ),
        };
        return Err(CheckError::Event {
            kind,
            subject,
            seq: chain.seq.min(exported.seq),
            what,
        });
    }
    Ok(events)
}

/// Whether one event can stand on the ledger before another, as far as their places tell.
fn precedes(one: &Placed, next: &Placed) -> bool {
    match one.signature == next.signature {
        true => (one.outer, one.inner) < (next.outer, next.inner),
        false => one.slot <= next.slot,
    }
}

/// What was said of places so far: nothing may be said of one slot, or one transaction, in two ways.
#[derive(Default)]
struct Places {
    slots: BTreeMap<u64, ([u8; 32], Option<i64>)>,
    transactions: BTreeMap<[u8; 64], u64>,
    events: BTreeMap<([u8; 64], u16, u16), ()>,
}

impl Places {
    fn take(&mut self, placed: &Placed) -> Result<(), &'static str> {
        let block = (placed.blockhash, placed.block_time);
        if *self.slots.entry(placed.slot).or_insert(block) != block {
            return Err("its block has another hash or time than elsewhere in the file");
        }
        if *self.transactions.entry(placed.signature).or_insert(placed.slot) != placed.slot {
            return Err("its transaction stands in another slot than elsewhere in the file");
        }
        let place = (placed.signature, placed.outer, placed.inner);
        match self.events.insert(place, ()) {
            None => Ok(()),
            Some(()) => Err("another event of the file stands in the same place"),
        }
    }
}
