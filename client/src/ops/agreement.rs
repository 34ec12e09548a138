//! Agreements: one institution pays another for records that a patient lets it read. A deposit lies in escrow; each version
//! of a record is paid for once. An agreement pays, it gives no right.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self, Currency, Settling},
    instructions::ProposeAgreementArgs,
    seeds::{AGREEMENT, Id, NO_ID, address},
    state::{Agreement, Record},
    vocabulary::Purpose,
};
use solana_instruction::Instruction;

use super::{OpError, Session, draw_id};
use crate::{
    ledger::{LedgerError, Receipt},
    store::{BlobStore, KeyStore},
};

/// Extension of a token account that holds fees back (Token-2022).
const TRANSFER_FEE_AMOUNT: u16 = 2;
/// Where a token account's extensions begin: after 165 bytes and the kind.
const EXTENSIONS: usize = 166;

/// What an institution offers another.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Who pays: the institution that this wallet speaks for, where it is but one.
    pub consumer: Option<Id>,
    /// Who is paid.
    pub provider: Id,
    /// What is paid in: the mint of an SPL token, classic or Token-2022.
    pub mint: [u8; 32],
    /// Sharing classes, one bit each.
    pub classes: u32,
    /// What the records are read for.
    pub purpose: Purpose,
    /// Smallest units of the mint for one version of one record.
    pub price: u64,
    /// Until just before, in seconds since 1970.
    pub expires: i64,
}

/// An agreement, by the institution that proposed it and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreementId {
    /// Id of the institution that pays.
    pub consumer: Id,
    /// The agreement's id.
    pub agreement: Id,
}

/// What an access is paid by.
#[derive(Clone, Copy, Debug)]
pub struct Payment {
    /// Id of an agreement of the member's institution.
    pub agreement: Id,
    /// Id of the request that the patient approved.
    pub request: Id,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Proposes an agreement, and makes its escrow in the same transaction. For the consumer's authority, to whose token
    /// account the rest goes back.
    ///
    /// # Errors
    /// [`OpError::Ledger`]; [`OpError::Usage`] where the mint is none.
    pub async fn propose_agreement(&self, proposal: &Proposal) -> Result<(AgreementId, Receipt), OpError> {
        let wallet = self.wallet();
        let consumer = match proposal.consumer {
            Some(consumer) => consumer,
            None => self.own_institution().await?,
        };
        let currency = self.currency(Address::new_from_array(proposal.mint)).await?;
        let id = draw_id(|id| address::fits(AGREEMENT, &consumer, id))?;
        let refund = currency.account_of(&wallet);
        let payer = self.payer().await?;
        let args = ProposeAgreementArgs {
            id,
            classes: proposal.classes,
            purpose: proposal.purpose,
            price: proposal.price,
            expires: proposal.expires,
        };
        let instructions = [
            currency.create_account(payer, wallet),
            currency.create_account(payer, address::agreement(&consumer, &id)),
            builders::propose_agreement(wallet, payer, &consumer, &proposal.provider, &currency, refund, args),
        ];
        let named = AgreementId {
            consumer,
            agreement: id,
        };
        Ok((named, self.send_with(&instructions).await?))
    }

    /// Accepts an agreement. For the provider's authority, to whose token account is paid.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_agreement(&self, named: &AgreementId) -> Result<Receipt, OpError> {
        let wallet = self.wallet();
        let agreement = self.agreement(named).await?;
        let currency = currency_of(&agreement);
        let AgreementId {
            consumer,
            agreement: id,
        } = named;
        let payee = currency.account_of(&wallet);
        let instructions = [
            currency.create_account(self.payer().await?, wallet),
            builders::accept_agreement(wallet, &agreement.provider, consumer, id, payee),
        ];
        self.send_with(&instructions).await
    }

    /// Puts a deposit into escrow, in smallest units of the mint. For the consumer's authority, out of whose token account it
    /// is paid.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn fund_agreement(&self, named: &AgreementId, amount: u64) -> Result<Receipt, OpError> {
        let wallet = self.wallet();
        let currency = currency_of(&self.agreement(named).await?);
        let source = currency.account_of(&wallet);
        let AgreementId {
            consumer,
            agreement: id,
        } = named;
        self.send(builders::fund_agreement(
            wallet, consumer, id, &currency, source, amount,
        ))
        .await
    }

    /// Pays for the newest version of a record, on an approved request. For members of the consumer. Once for each version.
    ///
    /// # Errors
    /// [`OpError::Ledger`]; [`OpError::Usage`] where there is nothing to pay.
    pub async fn settle_access(
        &self,
        patient: &Id,
        record: Option<&Id>,
        payment: &Payment,
    ) -> Result<Receipt, OpError> {
        let request = self.ledger.request(patient, &payment.request).await?;
        let record = match record {
            Some(record) => record,
            None if request.record != NO_ID => &request.record,
            None => {
                return Err(OpError::Usage(
                    "the request is about classes: say which record is paid for (--record)".into(),
                ));
            }
        };
        let record = self.ledger.record(patient, record).await?;
        let settle = self.settlement_of(&record, payment).await?;
        let settle = settle.ok_or_else(|| OpError::Usage("this version of the record was paid for before".into()))?;
        self.send(settle).await
    }

    /// The instruction that pays for a record's newest version; `None` where it was paid for before.
    pub(super) async fn settlement_of(
        &self,
        record: &Record,
        payment: &Payment,
    ) -> Result<Option<Instruction>, OpError> {
        let (consumer, member) = self.membership().await?.ok_or_else(|| {
            OpError::Usage("only members of the institution that pays settle, and this wallet is no member".into())
        })?;
        let named = AgreementId {
            consumer,
            agreement: payment.agreement,
        };
        let agreement = self.agreement(&named).await?;
        let request = self.ledger.request(&record.patient, &payment.request).await?;
        let (at, record_at) = (
            address::agreement(&consumer, &payment.agreement),
            address::record(&record.patient, &record.id),
        );
        if self.ledger.settlement(&at, &record_at, record.version).await?.is_some() {
            return Ok(None);
        }
        let settling = Settling {
            consumer,
            member,
            agreement: payment.agreement,
            patient: record.patient,
            request: request.id,
            grant: request.grant,
            record: record.id,
            version: record.version,
            currency: currency_of(&agreement),
            payee: agreement.payee,
        };
        let wallet = self.wallet();
        Ok(Some(builders::settle_access(wallet, self.payer().await?, &settling)))
    }

    /// What a payment's access is for, and by which grant: the agreement's purpose, and the grant that the request led to.
    pub(super) async fn paid_claim(&self, patient: &Id, payment: &Payment) -> Result<(Purpose, Id), OpError> {
        let (consumer, _) = self.membership().await?.ok_or_else(|| {
            OpError::Usage("only members of the institution that pays settle, and this wallet is no member".into())
        })?;
        let named = AgreementId {
            consumer,
            agreement: payment.agreement,
        };
        let purpose = Purpose::from_byte(self.agreement(&named).await?.purpose);
        let request = self.ledger.request(patient, &payment.request).await?;
        match purpose {
            Some(purpose) if request.grant != NO_ID => Ok((purpose, request.grant)),
            _ => Err(OpError::Usage("the patient has not approved this request".into())),
        }
    }

    /// Ends an agreement, and returns what is left in escrow. For the authority of either institution.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn close_agreement(&self, named: &AgreementId) -> Result<Receipt, OpError> {
        let wallet = self.wallet();
        let agreement = self.agreement(named).await?;
        let currency = currency_of(&agreement);
        let AgreementId {
            consumer,
            agreement: id,
        } = named;
        let consumer_authority = self.ledger.institution(consumer).await?.authority;
        let mut instructions = Vec::new();
        let mut refund = agreement.refund;
        if consumer_authority == wallet && self.ledger.data(&refund).await?.is_none() {
            // The account that was named is gone: the consumer's own takes its place.
            refund = currency.account_of(&wallet);
            instructions.push(currency.create_account(self.payer().await?, wallet));
        }
        let escrow = self.ledger.data(&agreement.escrow).await?;
        if escrow.is_some_and(|(_, data)| withholds_fees(&data)) {
            instructions.push(currency.harvest_escrow(consumer, id));
        }
        instructions.push(builders::close_agreement(
            wallet,
            consumer_authority,
            consumer,
            &agreement.provider,
            id,
            &currency,
            refund,
        ));
        self.send_with(&instructions).await
    }

    async fn agreement(&self, named: &AgreementId) -> Result<Agreement, OpError> {
        Ok(self.ledger.agreement(&named.consumer, &named.agreement).await?)
    }

    /// The one institution that this wallet speaks for.
    async fn own_institution(&self) -> Result<Id, OpError> {
        match self.ledger.institutions_of(&self.wallet()).await?.as_slice() {
            [one] => Ok(one.account.id),
            [] => Err(OpError::Usage("this wallet speaks for no institution".into())),
            _ => Err(OpError::Usage(
                "this wallet speaks for several institutions; say which one pays (--consumer)".into(),
            )),
        }
    }

    /// What is paid in: a mint, and the token program that it belongs to.
    async fn currency(&self, mint: Address) -> Result<Currency, OpError> {
        let found = self.ledger.data(&mint).await?;
        let (token_program, _) = found.ok_or_else(|| LedgerError::NotFound {
            what: format!("mint {mint}"),
        })?;
        Ok(Currency { mint, token_program })
    }

    /// Sends several instructions in one transaction, of which one is ours.
    async fn send_with(&self, instructions: &[Instruction]) -> Result<Receipt, OpError> {
        let done = self.ledger.submit_all(instructions, &[&self.identity.wallet]).await?;
        let signature = done.signature;
        let event = done.events.into_iter().next().ok_or_else(|| LedgerError::Malformed {
            what: format!("transaction {signature}"),
        })?;
        Ok(Receipt { signature, event })
    }
}

fn currency_of(agreement: &Agreement) -> Currency {
    Currency {
        mint: agreement.mint,
        token_program: agreement.token_program,
    }
}

/// Whether a token account holds fees back, which go to the mint before it can be closed.
fn withholds_fees(account: &[u8]) -> bool {
    let mut rest = account.get(EXTENSIONS..).unwrap_or_default();
    while let Some(([kind, kind_high, length, length_high], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([*length, *length_high]));
        let Some((value, next)) = after.split_at_checked(length) else {
            return false;
        };
        if u16::from_le_bytes([*kind, *kind_high]) == TRANSFER_FEE_AMOUNT {
            return value.iter().any(|byte| *byte != 0);
        }
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_that_are_held_back_are_seen_behind_other_extensions() {
        let account = |extensions: &[u8]| [&[7; EXTENSIONS][..], extensions].concat();
        let owner = [7, 0, 0, 0];
        let none = [2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let some = [2, 0, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        assert!(!withholds_fees(&[7; 165]), "a classic token account");
        assert!(!withholds_fees(&account(&[])));
        assert!(!withholds_fees(&account(&none)));
        assert!(withholds_fees(&account(&some)));
        assert!(withholds_fees(&account(&[&owner[..], &some].concat())));
        assert!(!withholds_fees(&account(&[&owner[..], &none, &[0, 0]].concat())));
        assert!(!withholds_fees(&account(&some[..9])), "a cut account");
    }
}
