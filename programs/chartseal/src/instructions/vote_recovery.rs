use anchor_lang::prelude::*;

use crate::{
    events::RecoveryVoted,
    state::{AccessLog, Keys, Registry, Safeguards, NO_OUTCOME},
    ChartsealError,
};

/// A guardian votes for the patient's next wallet and keys, or takes its vote back with zeros. Once enough vote for the
/// same, the delay begins in which the patient can object.
#[event_cpi]
#[derive(Accounts)]
pub struct VoteRecovery {
    pub guardian: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub safeguards: Account<Safeguards>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct VoteRecoveryArgs {
    /// The patient's next wallet, or zeros.
    pub wallet: Address,
    /// The keys that come with it, or zeros.
    pub keys: Keys,
}

impl VoteRecovery {
    fn validate(&self, args: &VoteRecoveryArgs) -> Result<()> {
        require!(
            self.log.patient == self.safeguards.patient,
            ChartsealError::ForeignPatient
        );
        if args.wallet != Address::default() {
            require!(!self.registry.is_paused(), ChartsealError::Paused);
            args.keys.validate()?;
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<VoteRecovery>, args: &VoteRecoveryArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(args)?;
    let now = Clock::get()?.unix_timestamp;
    let guardian = *accounts.guardian.address();
    let safeguards = &mut *accounts.safeguards;
    let votes = safeguards.vote(&guardian, &args.wallet, &args.keys, now)?;
    let (agreed, ready_at) = (safeguards.pending_wallet, safeguards.ready_at);
    let event = accounts
        .log
        .write(&safeguards.patient, &guardian, NO_OUTCOME, now, |link| RecoveryVoted {
            link,
            guardian,
            wallet: args.wallet,
            encryption_key: args.keys.encryption,
            votes,
            agreed,
            ready_at,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
