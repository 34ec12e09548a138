use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use crate::{
    events::{ActionRefused, Actor, EmergencyOpened},
    log::Encoded,
    policy::{may_open_emergency, Credential},
    seeds::{Id, BUMP, EMERGENCY, NO_ID},
    state::{
        require_id, slot, AccessLog, Emergency, Institution, Member, Patient, RefusalLog, Registry, DAY,
        INSTITUTION_EMERGENCIES_PER_DAY, LONGEST_EMERGENCY, MEMBER_EMERGENCIES_PER_DAY, NO_OUTCOME,
    },
    vocabulary::{Action, ActorKind, ClaimKind, Purpose, Reason},
    ChartsealError,
};

/// A member of a hospital who holds the credential opens a patient's chart without asking, for hours. The patient is
/// told by the event, and patient and institution review it. An attempt that is refused is logged.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: OpenEmergencyArgs)]
pub struct OpenEmergency {
    pub wallet: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub refusals: Account<RefusalLog>,
    #[account(mut)]
    pub member: Account<Member>,
    /// Writable, because it counts what its members open.
    #[account(mut)]
    pub institution: Account<Institution>,
    /// CHECK: the empty address of the new emergency; made only once the policy has allowed it.
    #[account(mut, seeds = [EMERGENCY, patient.id.as_ref(), args.id.as_ref()], bump)]
    pub emergency: UncheckedAccount,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct OpenEmergencyArgs {
    /// 16 random bytes: names the emergency, and this attempt in the log.
    pub id: Id,
    /// Salted hash of the reason, which the institution keeps in its own books.
    pub reason_hash: [u8; 32],
    /// Seconds for which it is open: at most twelve hours.
    pub duration: i64,
}

impl OpenEmergency {
    fn validate(&self, args: &OpenEmergencyArgs) -> Result<()> {
        require_id(&args.id)?;
        require!(args.reason_hash != [0; 32], ChartsealError::ZeroId);
        require!(
            args.duration > 0 && args.duration <= LONGEST_EMERGENCY,
            ChartsealError::BadDuration
        );
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.refusals.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.member.wallet == *self.wallet.address(), ChartsealError::Stranger);
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        Ok(())
    }

    fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::Member,
            wallet: *self.wallet.address(),
            credential: *self.member.address(),
            institution: self.institution.id,
        }
    }

    fn open(&mut self, args: &OpenEmergencyArgs, now: i64) -> Result<Encoded> {
        let actor = self.actor();
        let patient = self.patient.id;
        let expires = now.checked_add(args.duration).ok_or(ChartsealError::Overflow)?;
        // The policy has seen that both have room.
        let counted = self.member.emergencies.count(DAY, MEMBER_EMERGENCIES_PER_DAY, now)
            && self
                .institution
                .emergencies
                .count(DAY, INSTITUTION_EMERGENCIES_PER_DAY, now);
        require!(counted, ChartsealError::Overflow);
        self.member.unreviewed_emergencies = one_more(self.member.unreviewed_emergencies)?;
        self.institution.unreviewed_emergencies = one_more(self.institution.unreviewed_emergencies)?;

        let seeds = [EMERGENCY, patient.as_ref(), args.id.as_ref()];
        let mut emergency = slot::create::<Emergency>(self.payer.account(), self.emergency.account(), &seeds)?;
        emergency.id = args.id;
        emergency.patient = patient;
        emergency.member = actor.credential;
        emergency.wallet = actor.wallet;
        emergency.institution = actor.institution;
        emergency.reason_hash = args.reason_hash;
        emergency.opened_at = now;
        emergency.expires = expires;
        self.log
            .write(&args.id, &actor.wallet, NO_OUTCOME, now, |link| EmergencyOpened {
                link,
                emergency: args.id,
                actor,
                reason_hash: args.reason_hash,
                expires,
                head: [0; 32],
            })
    }

    /// Writes down that it was refused: as a reading for an emergency, of no one record.
    fn refuse(&mut self, args: &OpenEmergencyArgs, reason: Reason, now: i64) -> Result<Encoded> {
        require!(self.member.count_refusal(now), ChartsealError::RefusalCap);
        let actor = self.actor();
        self.refusals.write(now, |link| ActionRefused {
            link,
            request: args.id,
            record: NO_ID,
            action: Action::Read,
            actor,
            purpose: Purpose::Emergency,
            reason,
            claim: ClaimKind::Nothing,
            under: NO_ID,
            head: [0; 32],
        })
    }
}

fn one_more(count: u32) -> Result<u32> {
    Ok(count.checked_add(1).ok_or(ChartsealError::Overflow)?)
}

pub(crate) fn handler(ctx: &mut Context<OpenEmergency>, args: &OpenEmergencyArgs) -> Result<()> {
    require!(ctx.bumps.emergency == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args)?;
    let verdict = may_open_emergency(
        &Credential {
            address: accounts.member.address(),
            member: &accounts.member,
            institution_address: accounts.institution.address(),
            institution: &accounts.institution,
        },
        now,
    );
    let event = match verdict {
        Ok(()) => accounts.open(args, now)?,
        Err(reason) => accounts.refuse(args, reason, now)?,
    };
    emit_cpi!(event);
    Ok(())
}
