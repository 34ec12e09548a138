//! The prover and both verifiers: the chain's, which the key service uses too, and arkworks' own.

use anyhow::{Context as _, Result, ensure};
use chartseal_program::membership;
use chartseal_zk::keys::{ProvingKey, VerifyingKey};
use chartseal_zk::tree::{Path, Tree};
use chartseal_zk::witness::{Blind, GrantSecret, Request, Witness, build};
use chartseal_zk::{AnonymousTerms, Field, Proof, Statement, prove};

use super::ceremony;
use super::peer::Peer;
use super::stopwatch::Stopwatch;
use super::{Line, Part};

/// The most milliseconds that a proof may take on all cores.
const TARGET: f64 = 1_000.0;
/// Leaves of the tree that the reader's is in.
const LEAVES: u32 = 1_000;
/// When it is, in seconds since 1970.
const NOW: i64 = 1_795_000_000;

pub(super) fn measure(stopwatch: &Stopwatch) -> Result<Vec<Line>> {
    let all = stopwatch.cores();
    let count = |case: &str, unit: &str, value| Line::count(Part::Prove, case, unit, value);
    let one = |case: &str, runs| Line::ms(Part::Prove, case, 1, runs);
    let on_all = |case: &str, runs| Line::ms(Part::Prove, case, all, runs);

    let (held, key) = ceremony::measure(stopwatch)?;
    let relation = key.relation();
    let mut lines = vec![
        count("circuit", "constraints", relation.constraints()),
        count("circuit", "witness variables", relation.witness()),
        count("circuit", "public inputs", relation.public_inputs()),
        count("proving key", "bytes", key.size()),
        count("verifying key", "bytes", VerifyingKey::SIZE),
        count("proof", "bytes", Proof::SIZE),
    ];
    lines.extend(held);
    // What one would do who trusts a single party.
    let alone = stopwatch.all(|| Ok(ProvingKey::test_only()?))?;
    lines.push(on_all("make the keys alone, from a seed", alone).of_peer());
    let folder = tempfile::tempdir().context("cannot make a folder for a key")?;
    let file = folder.path().join("proving.key");
    key.save(&file)?;
    let load = || Ok(ProvingKey::read(&file, key.verifying_key())?);
    lines.push(one("load the key", stopwatch.one(load)?));

    let reader = Reader::new()?;
    lines.push(one("build the witness", stopwatch.one(|| reader.build())?));
    let (statement, witness) = reader.build()?;
    let make = || Ok(prove(&key, &statement, &witness)?);
    lines.push(one("prove", stopwatch.one(make)?));
    lines.push(on_all("prove", stopwatch.all(make)?).at_most(TARGET));

    let (proof, verifying) = (make()?, key.verifying_key());
    let peer = Peer::of(&verifying.to_bytes())?;
    let ours = || Ok(verifying.verify(&statement, &proof)?);
    let theirs = || {
        ensure!(
            peer.verify(&statement, &proof.to_bytes())?,
            "arkworks refused an honest proof"
        );
        Ok(())
    };
    lines.push(one("verify, groth16-solana", stopwatch.one(ours)?));
    lines.push(one("verify, ark-groth16 with the key prepared", stopwatch.one(theirs)?).of_peer());
    Ok(lines)
}

/// Somebody who was granted a record, and asks for it.
struct Reader {
    secret: GrantSecret,
    record: Field,
    terms: AnonymousTerms,
    path: Path,
    request: Request,
    blind: Blind,
}

impl Reader {
    fn new() -> Result<Self> {
        let hashed = |_| anyhow::anyhow!("a hash was refused its input");
        let secret = GrantSecret::random()?;
        let record = membership::record(&[1; 16], &[2; 16]).map_err(hashed)?;
        let terms = AnonymousTerms {
            rights: 0b101,
            expires: NOW + 3_600,
            key: [3; 32],
            commitment: secret.commitment()?,
        };
        let mut leaves: Vec<Field> = (1..LEAVES).map(|leaf| membership::small(leaf.into())).collect();
        leaves.push(terms.leaf(&record).map_err(hashed)?);
        let tree = Tree::from_leaves(leaves, LEAVES.into())?;
        let (verifier, relayer) = ([4; 32].into(), [5; 32].into());
        Ok(Self {
            path: tree.path(LEAVES - 1)?,
            request: Request {
                scope: membership::scope(&verifier, membership::epoch(NOW)),
                message: membership::message(&[6; 16], &verifier, &relayer),
                now: NOW,
                rights: 0b100,
            },
            blind: Blind::random()?,
            secret,
            record,
            terms,
        })
    }

    fn build(&self) -> Result<(Statement, Witness)> {
        let Self {
            secret,
            record,
            terms,
            path,
            request,
            blind,
        } = self;
        Ok(build(secret, record, terms, path, request, blind)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_verifiers_take_the_same_proof_and_refuse_it_for_another_statement() {
        let key = ProvingKey::test_only().unwrap();
        let (statement, witness) = Reader::new().unwrap().build().unwrap();
        let proof = prove(&key, &statement, &witness).unwrap();
        let verifying = key.verifying_key();
        let peer = Peer::of(&verifying.to_bytes()).unwrap();
        let both = |statement: &Statement, proof: Proof| {
            let ours = verifying.verify(statement, &proof).is_ok();
            // Bytes that are no points are an error there.
            (ours, peer.verify(statement, &proof.to_bytes()).unwrap_or(false))
        };
        assert_eq!(both(&statement, proof), (true, true));
        let other = Statement {
            now: statement.now + 1,
            ..statement
        };
        assert_eq!(both(&other, proof), (false, false));
        let mut altered = proof.to_bytes();
        altered[63] ^= 1;
        assert_eq!(both(&statement, altered.into()), (false, false));
    }
}
