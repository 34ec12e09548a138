//! Reading without a name. Nothing that leaves this machine names the reader: the key store is called by a wallet that was
//! drawn for it and is thrown away, and on chain, where a use is to be counted, somebody else pays and signs. What is
//! learned is written down in docs/threat-model.md: the key store learns the record, and whoever runs the ledger's node that
//! this machine reads a tree.

use std::{ops::Range, sync::Arc};

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders,
    instructions::VerifyAccessProofArgs,
    membership::{self, Field},
    proof::{PROOF, Statement},
    seeds::{Id, address},
    state::{Nullifier, Record},
    vocabulary::Action,
};
use chartseal_zk::{
    keys::ProvingKey,
    prove,
    witness::{self, Request},
};
use solana_instruction::AccountMeta;
use tokio::io::AsyncWrite;

use super::{
    super::{OpError, Session, chart::PERSON_KEY_EPOCH, get::Found, keys::Version, new_id, off_thread},
    chosen_tree,
};
use crate::{
    keys::{Identity, InvitationSecret, WalletKey},
    ledger::{AnonymousGate, AnonymousGrant, GrownTree, Ledger},
    seal::{DataKey, Opened, ProgressFn, envelope},
    store::{
        BlobStore, KeyStore, KeyStoreError, Stores,
        keystore::{AnonymousAsking, AnonymousEnvelopes, Blind, Shown, ShownProof, verifier},
    },
};

/// A record to be read without a name.
#[derive(Clone, Debug)]
pub struct ReadAnonymously {
    /// Whose it is.
    pub patient: Id,
    /// Which record: its newest version.
    pub record: Id,
    /// The tree that the grant stands in; the only one, where none is named.
    pub tree: Option<Id>,
    /// Original bytes; all of them where none are named.
    pub range: Option<Range<u64>>,
    /// Whether the chain counts the use. That costs a fee and rent, which whoever pays for this session's ledger pays, and
    /// there is one such use an hour.
    pub counted: bool,
}

/// A record that was read without a name.
#[derive(Clone, Debug)]
pub struct ReadingAnonymously {
    /// The entry that it left with the key store.
    pub nullifier: Field,
    /// Where it was counted, if it was.
    pub signature: Option<String>,
    /// Among the envelopes of so many readers without a name.
    pub among: usize,
    /// The version.
    pub version: u32,
    /// The file.
    pub opened: Opened,
}

/// What is being done before anything is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The tree is read from the ledger.
    ReadingTree {
        /// Transactions that were read.
        done: usize,
        /// Transactions that there are.
        of: usize,
    },
    /// The proof is made, which takes about a second.
    Proving,
    /// The use is being counted on chain.
    Counting,
    /// A key store is asked.
    Asking,
}

/// Somebody who reads without a name: a session of an identity that was drawn for it, so that none of the reader's own can
/// be used by mistake.
#[derive(Debug)]
pub struct AnonymousReader<S, K> {
    session: Session<S, K>,
    key: Arc<ProvingKey>,
}

/// What a proof is made of, for one key store after the other.
struct Holding<'a> {
    secret: &'a InvitationSecret,
    record: Field,
    grown: &'a GrownTree,
    grant: AnonymousGrant,
}

/// A proof for one key store.
struct Proved {
    exchange: Id,
    blind: Blind,
    statement: Statement,
    number: u64,
    /// The time that it names, in seconds since 1970.
    now: i64,
    bytes: [u8; PROOF],
}

impl<S: BlobStore, K: KeyStore> AnonymousReader<S, K> {
    /// A reader with a wallet of nobody's, by which `keys` opens the key stores.
    ///
    /// # Errors
    /// Where no wallet can be drawn, or what `keys` says.
    pub fn new<E: From<OpError>>(
        ledger: Ledger,
        stores: impl Into<Stores<S>>,
        keys: impl FnOnce(&WalletKey) -> Result<K, E>,
        key: Arc<ProvingKey>,
    ) -> Result<Self, E> {
        let nobody = Identity::generate().map_err(OpError::from)?;
        let keys = keys(&nobody.wallet)?;
        Ok(Self {
            session: Session::new(nobody, ledger, stores, keys),
            key,
        })
    }

    /// Proves a right to a record, takes the envelopes of everybody who reads it so, and opens it into `writer` by the one
    /// that is the invitation's. Write to an [`AtomicFile`](crate::store::AtomicFile) and commit it on success only.
    ///
    /// # Errors
    /// [`OpError::Usage`] where the invitation has no live grant on the record. An error for which
    /// [`OpError::is_refusal`] holds where a key store refuses. Otherwise as [`Session::get`].
    pub async fn read<W>(
        &self,
        secret: &InvitationSecret,
        request: &ReadAnonymously,
        writer: &mut W,
        step: impl Fn(Step),
        progress: ProgressFn<'_>,
    ) -> Result<ReadingAnonymously, OpError>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        let ledger = &self.session.ledger;
        let tree = chosen_tree(ledger, request.tree).await?;
        let grown = ledger
            .grown_tree(&tree, |done, of| step(Step::ReadingTree { done, of }))
            .await?;
        let holding = Holding::find(secret, request, &grown)?;
        let (given, used) = self.obtain(&holding, request, &step).await?;
        let record = ledger.record(&request.patient, &request.record).await?;
        if (record.version, record.manifest_hash) != (given.version, given.manifest_hash) {
            return Err(OpError::Usage("the record was amended meanwhile; read it again".into()));
        }
        let key = self.open_own(secret, &record, &given).await?;
        let found = Found {
            record: &record,
            key: &key,
        };
        let opened = found
            .open(&self.session.stores, request.range.clone(), writer, progress)
            .await?;
        Ok(ReadingAnonymously {
            nullifier: used.0,
            signature: used.1,
            among: given.envelopes.len(),
            version: record.version,
            opened,
        })
    }

    /// Asks one key store after the other, each by a proof of its own, until one gives.
    async fn obtain(
        &self,
        holding: &Holding<'_>,
        request: &ReadAnonymously,
        step: &impl Fn(Step),
    ) -> Result<(AnonymousEnvelopes, (Field, Option<String>)), OpError> {
        let (mut refused, mut failed) = (None, None);
        for store in self.session.keys.members() {
            match self.obtain_from(store, holding, request, step).await {
                // A record that was erased in one of them is erased.
                Err(OpError::KeyStore(KeyStoreError::Destroyed)) => return Err(KeyStoreError::Destroyed.into()),
                Err(OpError::KeyStore(error)) if error.is_decision() => refused = refused.or(Some(error)),
                Err(OpError::KeyStore(error)) => failed = failed.or(Some(error)),
                outcome => return outcome,
            }
        }
        let error = refused.or(failed).unwrap_or(KeyStoreError::None);
        Err(error.into())
    }

    async fn obtain_from(
        &self,
        store: &K::Member,
        holding: &Holding<'_>,
        request: &ReadAnonymously,
        step: &impl Fn(Step),
    ) -> Result<(AnonymousEnvelopes, (Field, Option<String>)), OpError> {
        let verifier = Address::new_from_array(verifier(&store.name().await?));
        let caller = self.session.wallet();
        let relayer = match request.counted {
            true => self.paying().await?,
            false => caller,
        };
        step(Step::Proving);
        let proved = self.prove(holding, &verifier, &relayer).await?;
        let nullifier = proved.statement.nullifier;
        let (shown, signature) = if request.counted {
            step(Step::Counting);
            let signature = self.count(&holding.grant.tree, &verifier, &relayer, &proved).await?;
            let shown = Shown::Counted {
                transaction: signature.into(),
            };
            (shown, Some(signature.to_string()))
        } else {
            (Shown::Proof(Box::new(proved.shown())), None)
        };
        let asking = AnonymousAsking {
            patient: request.patient,
            record: request.record,
            tree: holding.grant.tree,
            exchange: proved.exchange,
            blind: proved.blind,
            shown,
        };
        step(Step::Asking);
        let gate = AnonymousGate::new(&self.session.ledger, caller.to_bytes());
        let given = store.release_anonymously(&asking, &gate).await?;
        Ok((given, (nullifier, signature)))
    }

    /// Who pays on chain. Not the caller: it has no money, and money that it were sent would say whose it is.
    async fn paying(&self) -> Result<Address, OpError> {
        let own = self.session.wallet();
        let payer = self.session.ledger.payer(own).await?;
        if payer == own {
            return Err(OpError::Usage(
                "a use that is counted is paid for by somebody else; name a relayer (--relayer) or another wallet \
                 (--fee-payer)"
                    .into(),
            ));
        }
        Ok(payer)
    }

    async fn prove(&self, holding: &Holding<'_>, verifier: &Address, relayer: &Address) -> Result<Proved, OpError> {
        let now = self.session.ledger.now().await?;
        let exchange = new_id()?;
        let blind = witness::Blind::random()?;
        let path = holding.grown.tree.path(holding.grant.index)?;
        let asked = Request {
            scope: membership::scope(verifier, membership::epoch(now)),
            message: membership::message(&exchange, verifier, relayer),
            now,
            rights: Action::Read.bit(),
        };
        let (secret, terms) = (&holding.secret.grant, &holding.grant.terms);
        let (statement, witness) = witness::build(secret, &holding.record, terms, &path, &asked, &blind)?;
        let key = Arc::clone(&self.key);
        let proof = off_thread(move || prove(&key, &statement, &witness)).await??;
        Ok(Proved {
            exchange,
            blind: Blind(*blind.to_bytes()),
            statement,
            now,
            number: path.number,
            bytes: proof.to_bytes(),
        })
    }

    /// Has the use counted on chain. This session's wallet, which is nobody's, signs along, so that a relayer knows one who
    /// asks from another.
    async fn count(
        &self,
        tree: &Id,
        verifier: &Address,
        relayer: &Address,
        proved: &Proved,
    ) -> Result<solana_signature::Signature, OpError> {
        let Proved { statement, bytes, .. } = proved;
        let at = address::nullifier(&statement.nullifier);
        if self.session.ledger.try_read::<Nullifier>(&at).await?.is_some() {
            return Err(OpError::Usage(
                "this use was counted already in this hour; read without counting, or in the next".into(),
            ));
        }
        let args = VerifyAccessProofArgs {
            exchange: proved.exchange,
            verifier: *verifier,
            nullifier: statement.nullifier,
            handle: statement.handle,
            number: proved.number,
            now: proved.now,
            rights: statement.rights,
            proof: *bytes,
        };
        let mut instruction = builders::verify_access_proof(*relayer, tree, args);
        let along = AccountMeta::new_readonly(self.session.wallet(), true);
        instruction.accounts.push(along);
        Ok(self.session.send(instruction).await?.signature)
    }

    /// The data key, out of the envelope that is wrapped to the invitation's key.
    async fn open_own(
        &self,
        secret: &InvitationSecret,
        record: &Record,
        given: &AnonymousEnvelopes,
    ) -> Result<DataKey, OpError> {
        let own = secret.key.public();
        let ours = given.envelopes.iter().find(|one| one.key == own);
        let ours = ours.ok_or(KeyStoreError::NoEnvelope)?;
        let context = self
            .session
            .context(&Version::of(record), own, PERSON_KEY_EPOCH)
            .await?;
        Ok(envelope::open(&ours.envelope, &secret.key, &context)?)
    }
}

impl<'a> Holding<'a> {
    fn find(secret: &'a InvitationSecret, request: &ReadAnonymously, grown: &'a GrownTree) -> Result<Self, OpError> {
        let public = secret.public()?;
        let is_ours = |grant: &&AnonymousGrant| {
            (grant.patient, grant.record) == (request.patient, request.record)
                && (grant.terms.key, grant.terms.commitment) == (public.key, public.commitment)
        };
        // The last one that lives, or else the last one, so that it is said what became of it.
        let ours = grown.grants.iter().filter(is_ours);
        let grant = ours
            .clone()
            .rfind(|grant| grant.revoked_at.is_none())
            .or_else(|| ours.clone().next_back());
        let grant = grant.ok_or_else(|| {
            OpError::Usage(
                "this invitation has no grant on this record; give its text to the patient, who grants by it".into(),
            )
        })?;
        if grant.revoked_at.is_some() {
            return Err(OpError::Usage(
                "the patient revoked this grant; ask for a new one with a new invitation".into(),
            ));
        }
        Ok(Self {
            secret,
            record: membership::record(&request.patient, &request.record)
                .map_err(|_| OpError::Usage("the ids are no field elements".into()))?,
            grown,
            grant: *grant,
        })
    }
}

impl Proved {
    fn shown(&self) -> ShownProof {
        ShownProof {
            nullifier: self.statement.nullifier,
            handle: self.statement.handle,
            number: self.number,
            now: self.now,
            rights: self.statement.rights,
            proof: self.bytes,
        }
    }
}
