//! Consent beyond a single grant: what is shared by itself, what is asked for and answered, and what is passed on.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    cast::{Cast, Stored},
    steps::{FOR_PAYMENT, figure},
};
use crate::report::Report;

/// A policy shares new records of a class with another hospital.
pub(super) fn policy(cast: &mut Cast, report: &Report) -> Result<()> {
    report.chapter("Sharing by policy: what comes from now on goes to another hospital by itself");
    let specialist = &cast.university.member;
    cast.patient.does(&[
        "policy",
        "set",
        &cast.patient_id,
        &cast.university.id,
        "--classes",
        "2",
        "--purposes",
        "treatment",
    ])?;
    report.step(
        "policy",
        "the patient shares new records of class 2 with the university hospital",
        &json!({ "institution": cast.university.id, "classes": "2" }),
    );
    let follow_up = Stored::new(("follow-up ultrasound", "dicom/examples_rgb_color.dcm", 2));
    let follow_up = cast.doctor_stores(follow_up, report)?;
    let basis = cast.opens(specialist, &follow_up, &[])?;
    ensure!(basis == "policy", "the specialist was allowed as {basis}");
    report.step(
        "get",
        "the specialist there opens the follow-up ultrasound, and was never granted anything",
        &json!({ "file": follow_up.title, "basis": basis }),
    );
    cast.refused(specialist, &cast.files[3], &[], "policy-for-other-records", report)?;
    cast.files.push(follow_up);
    Ok(())
}

/// The insurer asks twice; the patient gives less than was asked for, and nothing.
pub(super) fn requests(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Asking first: a request, and what the patient makes of it");
    let (insurer, id) = (&cast.insurance.member, &cast.patient_id);
    let [ct, ecg, voice] = [0, 3, 4].map(|index| &cast.files[index]);
    let asks = |classes: &str, spoken: &str| -> Result<String> {
        let words = [
            "request",
            id,
            "--classes",
            classes,
            "--purposes",
            "payment",
            "--for",
            "90d",
        ];
        let request = insurer.does(&words)?.text("request")?;
        report.step(
            "request",
            &format!("the insurer asks for {spoken}, for 90 days"),
            &json!({ "request": request, "classes": classes }),
        );
        Ok(request)
    };
    let request = asks("1,2", "the classes 1 and 2")?;
    let narrower = ["--classes", "2", "--for", "30d"];
    let granted = cast
        .patient
        .does(&[&["decide", "approve", id, &request], &narrower[..]].concat())?;
    report.step(
        "approve",
        "the patient approves class 2 alone, for 30 days",
        &json!({ "request": request, "grant": granted.text("grant")?, "classes": "2" }),
    );
    let basis = cast.opens(insurer, ecg, &FOR_PAYMENT)?;
    report.step(
        "get",
        "the insurer opens the ECG",
        &json!({ "file": ecg.title, "basis": basis }),
    );
    cast.refused(insurer, ct, &FOR_PAYMENT, "grant-for-another-record", report)?;

    let request = asks("3", "class 3")?;
    cast.patient.does(&["decide", "deny", id, &request])?;
    let listed = cast.patient.does(&["requests", id])?;
    let denied = listed
        .objects
        .iter()
        .find(|object| object["request"] == request.as_str());
    ensure!(
        denied.is_some_and(|object| object["state"] == "denied"),
        "the request is listed as {denied:?}"
    );
    report.step("deny", "the patient denies it", &json!({ "request": request }));
    cast.refused(insurer, voice, &FOR_PAYMENT, "grant-for-another-record", report)
}

/// The specialist passes on what it may, and both lose it together.
pub(super) fn passing_on(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Passing on: a grant goes from hand to hand, and ends in all of them at once");
    let (specialist, nurse, id) = (&cast.university.member, &cast.nurse, &cast.patient_id);
    let ct = &cast.files[0];
    let granted = cast.patient.does(&[
        "grant",
        id,
        "--to",
        &cast.university.member_as_grantee(),
        "--record",
        &ct.record,
        "--rights",
        "read,share",
        "--purposes",
        "treatment",
    ])?;
    let grant = granted.text("grant")?;
    report.step(
        "grant",
        "the patient grants the CT to the specialist, who may pass it on",
        &json!({ "grant": grant, "rights": "read,share" }),
    );
    let words = ["share", id, "--to", &cast.nurse_as_grantee, "--record", &ct.record];
    let child = specialist.does(&words)?.text("grant")?;
    report.step(
        "share",
        "the specialist passes it on to the nurse, to read",
        &json!({ "grant": child, "parent": grant }),
    );
    let basis = cast.opens(nurse, ct, &[])?;
    report.step(
        "get",
        "the nurse opens the CT",
        &json!({ "file": ct.title, "basis": basis }),
    );
    let revoked = cast.patient.does(&["revoke", id, &grant])?;
    let deleted = figure(&revoked, "envelopes_deleted");
    ensure!(deleted == 2, "revoking deleted {deleted} envelopes");
    report.step(
        "revoke",
        "the patient revokes the specialist's grant, in one write; the envelopes of both are deleted",
        &json!({ "envelopes_deleted": deleted }),
    );
    cast.refused(specialist, ct, &[], "grant-revoked", report)?;
    cast.refused(nurse, ct, &[], "grant-ancestor-lapsed", report)
}
