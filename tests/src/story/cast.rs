//! Who is in the story, and how they come to be registered.

use anyhow::Result;
use serde_json::json;

use crate::{ground::Ground, people::Person, programs::work_folder, report::Report, stack::Stack};

/// A file of the story, and the record that it became.
#[derive(Debug)]
pub struct Stored {
    /// What people call it.
    pub title: &'static str,
    /// The fixture.
    pub file: &'static str,
    /// The sharing class that the patient chose for it.
    pub class: u8,
    /// The record's id; empty before it was stored.
    pub record: String,
    /// What the client took it for; empty before it was stored.
    pub media_type: String,
    /// The gateway's file that holds its shard.
    pub item: String,
}

impl Stored {
    pub(super) fn new((title, file, class): (&'static str, &'static str, u8)) -> Self {
        Self {
            title,
            file,
            class,
            record: String::new(),
            media_type: String::new(),
            item: String::new(),
        }
    }
}

/// An institution, who speaks for it, and one who works there.
#[derive(Debug)]
pub struct House {
    /// Speaks for it.
    pub authority: Person,
    /// Its id.
    pub id: String,
    /// Works there.
    pub member: Person,
    /// `INSTITUTION:MEMBER`.
    pub membership: String,
}

impl House {
    /// The institution as people type it where they grant.
    #[must_use]
    pub fn as_grantee(&self) -> String {
        format!("institution:{}", self.id)
    }

    /// The one who works there, as people type it where they grant.
    #[must_use]
    pub fn member_as_grantee(&self) -> String {
        format!("member:{}", self.membership)
    }
}

/// Everybody, and what they know of each other.
#[derive(Debug)]
pub struct Cast {
    /// What they work on.
    pub stack: Stack,
    /// The hospital, and its doctor.
    pub hospital: House,
    /// Another hospital, and a specialist there.
    pub university: House,
    /// The insurance, and its insurer.
    pub insurance: House,
    /// A nurse of the hospital.
    pub nurse: Person,
    /// The nurse as people type it where they grant.
    pub nurse_as_grantee: String,
    /// The patient.
    pub patient: Person,
    /// The patient's id.
    pub patient_id: String,
    /// The files.
    pub files: Vec<Stored>,
}

/// What is stored at the beginning: title, file, sharing class.
const FILES: [(&str, &str, u8); 6] = [
    ("CT of the thorax", "dicom/CT_small.dcm", 1),
    ("MR of the head", "dicom/MR_small.dcm", 1),
    ("ultrasound cine", "dicom/examples_ybr_color.dcm", 1),
    ("ECG", "dicom/waveform_ecg.dcm", 2),
    ("voice note", "voice_note.wav", 3),
    ("discharge note", "note.txt", 3),
];

impl Cast {
    /// Starts the stack and registers everybody.
    ///
    /// # Errors
    /// At the first step that does not work.
    pub fn assemble(ground: &Ground, report: &Report) -> Result<Self> {
        let folder = work_folder()?;
        // Keys come before the ledger: the admin's wallet is the one that may initialise the program.
        let nowhere = crate::stack::Endpoints::default();
        let upgrade_authority = Person::new("admin", folder.path(), &nowhere).makes_keys()?;
        let mut stack = Stack::start_on(ground, folder, &upgrade_authority, &[])?;
        stack.start_indexer()?;
        let endpoints = stack.endpoints().clone();
        report.step(
            "stack",
            "ledger, gateway, Postgres and indexer are up",
            &json!({ "ledger": ground.name(), "rpc": endpoints.rpc, "gateway": endpoints.gateway }),
        );

        let admin = stack.person("admin");
        admin.does(&["airdrop", "100"])?;
        admin.does(&["registry", "init"])?;
        let [hospital, university, insurance] = [
            approve(&stack, "hospital", "hospital")?,
            approve(&stack, "university", "hospital")?,
            approve(&stack, "insurance", "insurer")?,
        ];
        report.step(
            "institutions",
            "the admin registers two hospitals and an insurance; all accept",
            &json!({ "institutions": [hospital.1, university.1, insurance.1] }),
        );
        let nurse = employ(&stack, &hospital, "nurse", "nurse")?;
        let nurse_as_grantee = format!("member:{}", nurse.1);
        let hospital = staffed(&stack, hospital, "doctor", "doctor")?;
        let university = staffed(&stack, university, "specialist", "doctor")?;
        let insurance = staffed(&stack, insurance, "insurer", "insurer")?;
        report.step(
            "members",
            "one hospital registers a doctor and a nurse, the other a specialist, the insurance an insurer",
            &json!({ "members": [hospital.membership, nurse.1, university.membership, insurance.membership] }),
        );
        let patient = stack.person("patient");
        patient.arrives()?;
        let patient_id = patient.does(&["patient", "open"])?.text("patient")?;
        report.step(
            "patient",
            "a patient opens a chart, by a pseudonym",
            &json!({ "patient": patient_id }),
        );
        Ok(Self {
            stack,
            hospital,
            university,
            insurance,
            nurse: nurse.0,
            nurse_as_grantee,
            patient,
            patient_id,
            files: FILES.map(Stored::new).into(),
        })
    }
}

/// The admin registers an institution, which accepts: who speaks for it, and its id.
fn approve(stack: &Stack, name: &'static str, kind: &str) -> Result<(Person, String)> {
    let authority = stack.person(name);
    let wallet = authority.arrives()?;
    let words = ["institution", "register", "--kind", kind, "--authority", &wallet];
    let id = stack.person("admin").does(&words)?.text("institution")?;
    authority.does(&["institution", "accept", &id])?;
    Ok((authority, id))
}

/// An institution registers a member, who accepts: the member, and `INSTITUTION:MEMBER`.
fn employ(
    stack: &Stack,
    (authority, institution): &(Person, String),
    name: &'static str,
    role: &str,
) -> Result<(Person, String)> {
    let member = stack.person(name);
    let wallet = member.arrives()?;
    let words = ["member", "register", institution, "--wallet", &wallet, "--role", role];
    let id = format!("{institution}:{}", authority.does(&words)?.text("member")?);
    member.does(&["member", "accept", &id])?;
    Ok((member, id))
}

fn staffed(stack: &Stack, institution: (Person, String), name: &'static str, role: &str) -> Result<House> {
    let (member, membership) = employ(stack, &institution, name, role)?;
    let (authority, id) = institution;
    Ok(House {
        authority,
        id,
        member,
        membership,
    })
}
