//! A stack with a hospital and a patient, for tests that need people with rights.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{
    memory::one_patient,
    people::{Outcome, Person},
    stack::Stack,
};

/// A hospital, which employs whom it is told to, and a patient with a wallet.
#[derive(Debug)]
pub struct Clinic {
    /// What they work on.
    pub stack: Stack,
    /// Speaks for the hospital.
    pub hospital: Person,
    /// The hospital's id.
    pub id: String,
    /// The patient.
    pub patient: Person,
    /// The patient's id.
    pub patient_id: String,
}

/// Somebody's employment.
#[derive(Debug)]
pub struct Employee {
    /// Who.
    pub person: Person,
    /// `INSTITUTION:MEMBER`.
    pub member: String,
}

impl Clinic {
    /// Starts a stack and registers hospital and patient.
    ///
    /// # Errors
    /// At the first step that does not work.
    pub fn open() -> Result<Self> {
        let (stack, patient, patient_id) = one_patient()?;
        let (admin, hospital) = (stack.person("admin"), stack.person("hospital"));
        let wallet = hospital.arrives()?;
        let registered = admin.does(&["institution", "register", "--kind", "hospital", "--authority", &wallet])?;
        let id = registered.text("institution")?;
        hospital.does(&["institution", "accept", &id])?;
        Ok(Self {
            stack,
            hospital,
            id,
            patient,
            patient_id,
        })
    }

    /// Registers another institution: who speaks for it, and its id.
    ///
    /// # Errors
    /// Where a step does not work.
    pub fn institution(&self, name: &'static str, kind: &str) -> Result<(Person, String)> {
        let (admin, person) = (self.stack.person("admin"), self.stack.person(name));
        let wallet = person.arrives()?;
        let registered = admin.does(&["institution", "register", "--kind", kind, "--authority", &wallet])?;
        let id = registered.text("institution")?;
        person.does(&["institution", "accept", &id])?;
        Ok((person, id))
    }

    /// The hospital employs somebody, who accepts.
    ///
    /// # Errors
    /// Where a step does not work.
    pub fn employs(&self, name: &'static str, role: &str) -> Result<Employee> {
        let person = self.stack.person(name);
        let member = self.invites(&person.arrives()?, role)?;
        person.does(&["member", "accept", &member])?;
        Ok(Employee { person, member })
    }

    /// The hospital names somebody as its member, who has not accepted: `INSTITUTION:MEMBER`.
    ///
    /// # Errors
    /// Where that does not work.
    pub fn invites(&self, wallet: &str, role: &str) -> Result<String> {
        let words = ["member", "register", &self.id, "--wallet", wallet, "--role", role];
        Ok(format!("{}:{}", self.id, self.hospital.does(&words)?.text("member")?))
    }

    /// The patient grants; the grant's id.
    ///
    /// # Errors
    /// Where that does not work.
    pub fn grants(&self, to: &str, terms: &[&str]) -> Result<String> {
        let words = [&["grant", &self.patient_id, "--to", to], terms].concat();
        self.patient.does(&words)?.text("grant")
    }

    /// Somebody opens a record of the patient: what came of it, and the bytes if any.
    ///
    /// # Errors
    /// Where the command cannot be run.
    pub fn opens(&self, who: &Person, record: &str) -> Result<(Outcome, Option<Vec<u8>>)> {
        opens(&self.stack, who, &self.patient_id, record)
    }

    /// The envelopes that the key store holds.
    ///
    /// # Errors
    /// Where the key store cannot be read.
    pub fn envelopes(&self) -> Result<Vec<PathBuf>> {
        envelopes(&self.patient)
    }
}

/// Somebody opens a record: what came of it, and the bytes if any.
///
/// # Errors
/// Where the command cannot be run, or leaves a file although it failed.
pub fn opens(stack: &Stack, who: &Person, patient: &str, record: &str) -> Result<(Outcome, Option<Vec<u8>>)> {
    let out = stack.folder().join(format!("opened-by-{}", who.name()));
    let outcome = who.types(&[
        "get",
        patient,
        record,
        "--out",
        out.to_str().context("the path is no UTF-8")?,
    ])?;
    let bytes = std::fs::read(&out).ok();
    ensure!(bytes.is_some() == (outcome.code == 0), "a file was left: {outcome:?}");
    if bytes.is_some() {
        std::fs::remove_file(&out).context("cannot remove what was opened")?;
    }
    Ok((outcome, bytes))
}

/// The envelopes in somebody's key store.
///
/// # Errors
/// Where it cannot be read.
pub fn envelopes(who: &Person) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let folder = who.key_store().join("envelopes");
    if folder.exists() {
        collect(&folder, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let at = || format!("cannot read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(at)? {
        let path = entry.with_context(at)?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
