//! Agreements, and what is settled by them.

use chartseal_program::{
    builders::{self as ix, Settling},
    instructions::*,
    seeds::{self, address, Id, NO_ID},
    vocabulary::*,
};

use crate::{
    common::DAY,
    step::{Dice, Kind},
    universe::{Came, Universe},
};

impl Universe {
    pub(super) fn play_agreement(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        if kind == Kind::ProposeAgreement {
            // Mostly between one whose request was approved and one who wrote something.
            let members = self
                .model
                .requests
                .values()
                .filter(|request| request.state == RequestState::Approved);
            let asked: Vec<Id> = members
                .map(|request| self.model.members[&request.member].institution)
                .collect();
            let wrote: Vec<Id> = self.model.records.values().map(|record| record.institution).collect();
            let (mut consumer, mut provider) = (
                Self::any(&self.model.institutions, dice)?,
                Self::any(&self.model.institutions, dice)?,
            );
            if dice.usually(85) {
                consumer = *dice.pick(&asked)?;
                let others: Vec<Id> = wrote.into_iter().filter(|id| *id != consumer && *id != NO_ID).collect();
                provider = *dice.pick(&others)?;
            }
            let authority = self.right_or_wrong(self.model.institutions[&consumer].authority, dice);
            let args = ProposeAgreementArgs {
                id: self.draw(seeds::AGREEMENT, &consumer),
                classes: u32::from(dice.mask(4)),
                purpose: [Purpose::Treatment, Purpose::Payment, Purpose::Research][dice.below(3)],
                price: [100, 1, 700_000][dice.below(3)],
                expires: self.model.now + [90 * DAY, DAY][dice.below(2)],
            };
            let escrow = self
                .currency
                .create_account(authority, address::agreement(&consumer, &args.id));
            let refund = self.currency.account_of(&authority);
            let propose =
                ix::propose_agreement(authority, authority, &consumer, &provider, &self.currency, refund, args);
            return Some(self.send(vec![escrow, propose], None, dice));
        }
        let (consumer, id) = Self::any(&self.model.agreements, dice)?;
        let agreement = self.model.agreements[&(consumer, id)].clone();
        let provider = agreement.provider;
        let payer = self.model.institutions[&consumer].authority;
        let payee = self.model.institutions[&provider].authority;
        let account: chartseal_program::state::Agreement = self.chain.read(&address::agreement(&consumer, &id));
        let instruction = match kind {
            Kind::AcceptAgreement => {
                let authority = self.right_or_wrong(payee, dice);
                ix::accept_agreement(
                    authority,
                    &provider,
                    &consumer,
                    &id,
                    self.currency.account_of(&authority),
                )
            }
            Kind::FundAgreement => {
                let authority = self.right_or_wrong(payer, dice);
                let source = self.currency.account_of(&authority);
                let amount = [1_000, 100, 0, u64::MAX][dice.below(20) / 5 % 4];
                ix::fund_agreement(authority, &consumer, &id, &self.currency, source, amount)
            }
            Kind::CloseAgreement => {
                let right = if dice.usually(70) { payer } else { payee };
                let by = self.right_or_wrong(right, dice);
                ix::close_agreement(by, payer, &consumer, &provider, &id, &self.currency, account.refund)
            }
            _ => {
                let requests: Vec<(Id, Id)> = self.model.requests.keys().copied().collect();
                let ours: Vec<(Id, Id)> = requests
                    .iter()
                    .filter(|key| {
                        let request = &self.model.requests[*key];
                        request.state == RequestState::Approved
                            && self.model.members[&request.member].institution == consumer
                    })
                    .copied()
                    .collect();
                let among = if dice.usually(90) { &ours } else { &requests };
                let (patient, request) = *dice.pick(among)?;
                let asked = self.model.requests[&(patient, request)].clone();
                let records: Vec<Id> = self
                    .model
                    .records
                    .iter()
                    .filter(|((of, _), record)| *of == patient && (record.institution == provider || !dice.usually(90)))
                    .map(|((_, id), _)| *id)
                    .collect();
                let record = *dice.pick(&records)?;
                let member = self.model.members[&asked.member].clone();
                let settling = Settling {
                    consumer,
                    member: member.id,
                    agreement: id,
                    patient,
                    request,
                    grant: asked.grant,
                    record,
                    version: self.model.records[&(patient, record)].version,
                    currency: self.currency,
                    payee: account.payee,
                };
                let wallet = self.right_or_wrong(member.wallet, dice);
                ix::settle_access(wallet, wallet, &settling)
            }
        };
        self.one(instruction, dice)
    }
}
