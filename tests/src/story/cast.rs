//! Who is in the story, and how they come to be registered.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{people::Person, programs::work_folder, report::Report, stack::Stack};

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

/// Everybody, and what they know of each other.
#[derive(Debug)]
pub struct Cast {
    /// What they work on.
    pub stack: Stack,
    /// Speaks for the hospital.
    pub hospital: Person,
    /// The hospital's id.
    pub hospital_id: String,
    /// Works there.
    pub doctor: Person,
    /// Works for an insurance.
    pub insurer: Person,
    /// Institution and member of the insurer.
    pub insurer_id: String,
    /// The patient.
    pub patient: Person,
    /// The patient's id.
    pub patient_id: String,
    /// The files.
    pub files: Vec<Stored>,
}

/// What the story stores: title, file, sharing class.
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
    pub fn assemble(report: &Report) -> Result<Self> {
        let folder = work_folder()?;
        // Keys come before the ledger: the admin's wallet is the one that may initialise the program.
        let nowhere = crate::stack::Endpoints::default();
        let upgrade_authority = Person::new("admin", folder.path(), &nowhere).makes_keys()?;
        let mut stack = Stack::start(folder, &upgrade_authority)?;
        stack.start_indexer()?;
        let endpoints = stack.endpoints().clone();
        report.step(
            "stack",
            "ledger, gateway, Postgres and indexer are up",
            &json!({ "rpc": endpoints.rpc, "gateway": endpoints.gateway }),
        );

        let [admin, hospital, doctor, insurance, insurer, patient] =
            ["admin", "hospital", "doctor", "insurance", "insurer", "patient"].map(|name| stack.person(name));
        admin.does(&["airdrop", "100"])?;
        admin.does(&["registry", "init"])?;
        let mut institutions = Vec::new();
        for (kind, authority) in [("hospital", &hospital), ("insurer", &insurance)] {
            let wallet = authority.arrives()?;
            let registered = admin.does(&["institution", "register", "--kind", kind, "--authority", &wallet])?;
            let id = registered.text("institution")?;
            authority.does(&["institution", "accept", &id])?;
            institutions.push(id);
        }
        report.step(
            "institutions",
            "the admin registers a hospital and an insurance; both accept",
            &json!({ "institutions": institutions }),
        );
        let mut members = Vec::new();
        let employments = [(&hospital, "doctor", &doctor), (&insurance, "insurer", &insurer)];
        for ((authority, role, member), institution) in employments.into_iter().zip(&institutions) {
            let wallet = member.arrives()?;
            let registered =
                authority.does(&["member", "register", institution, "--wallet", &wallet, "--role", role])?;
            let id = format!("{institution}:{}", registered.text("member")?);
            member.does(&["member", "accept", &id])?;
            members.push(id);
        }
        report.step(
            "members",
            "the hospital registers a doctor, the insurance an insurer",
            &json!({ "members": members }),
        );
        patient.arrives()?;
        let patient_id = patient.does(&["patient", "open"])?.text("patient")?;
        report.step(
            "patient",
            "a patient opens a chart, by a pseudonym",
            &json!({ "patient": patient_id }),
        );

        let [hospital_id, _] = institutions
            .try_into()
            .ok()
            .context("two institutions were registered")?;
        let [_, insurer_id] = members.try_into().ok().context("two members were registered")?;
        let files = FILES.map(|(title, file, class)| Stored {
            title,
            file,
            class,
            record: String::new(),
            media_type: String::new(),
            item: String::new(),
        });
        let files = files.into();
        Ok(Self {
            stack,
            hospital,
            hospital_id,
            doctor,
            insurer,
            insurer_id,
            patient,
            patient_id,
            files,
        })
    }
}
