//! `chartseal request`, `requests`, `decide`.

use anyhow::Result;
use chartseal_program::{
    seeds::{Id, NO_ID},
    state::Request as RequestAccount,
    vocabulary::{Action, Purpose, RequestState},
};
use serde_json::{Value, json};

use super::{
    args::{Approve, Decide, Request, class_mask},
    caller::Caller,
    output::Output,
    patients::{say_granted, words},
};
use crate::ops::{AccessRequest, Narrower, OpError};

pub(super) async fn request(command: &Request, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let request = AccessRequest {
        patient: command.patient,
        record: command.subject.record,
        classes: command.subject.classes(),
        rights: command.rights.clone(),
        purposes: command.purposes.clone(),
        until: session.from_now(command.lasts).await?,
    };
    let (id, receipt) = session.request_access(&request).await?;
    let (id, patient) = (hex::encode(id), hex::encode(command.patient));
    output.say(
        &format!("request {id}\nThe patient has to decide: chartseal decide approve {patient} {id}"),
        &json!({ "request": id, "patient": patient, "signature": receipt.signature.to_string() }),
    );
    Ok(())
}

pub(super) async fn requests(patient: Option<&Id>, caller: Caller, output: Output) -> Result<()> {
    let found = match patient {
        Some(patient) => caller.ledger().requests(patient).await.map_err(OpError::from)?,
        None => caller.session().await?.own_requests().await?,
    };
    let mut requests: Vec<_> = found.iter().map(|found| &found.account).collect();
    requests.sort_by_key(|request| request.created_at);
    output.table(
        &[
            "request",
            "patient",
            "on",
            "rights",
            "purposes",
            "until (unix)",
            "state",
            "grant",
            "member",
        ],
        requests.into_iter().map(row).collect(),
    );
    Ok(())
}

fn row(request: &RequestAccount) -> (Vec<String>, Value) {
    let (id, patient) = (hex::encode(request.id), hex::encode(request.patient));
    let on = super::patients::subject(&request.record, request.classes);
    let rights = words(Action::ALL, Action::word, |right| request.rights & right.bit() != 0);
    let purposes = words(Purpose::ALL, Purpose::word, |purpose| {
        request.purposes & purpose.bit() != 0
    });
    let state = RequestState::from_byte(request.state).map_or("unknown", RequestState::word);
    let grant = (request.grant != NO_ID).then(|| hex::encode(request.grant));
    let member = request.member.to_string();
    let object = json!({
        "request": id, "patient": patient, "member": member, "institution": hex::encode(request.institution),
        "on": on, "rights": rights, "purposes": purposes, "until": request.until, "created_at": request.created_at,
        "state": state, "decided_at": (request.decided_at != 0).then_some(request.decided_at), "grant": grant,
    });
    let cells = vec![
        id,
        patient,
        on,
        rights,
        purposes,
        request.until.to_string(),
        state.into(),
        grant.unwrap_or_default(),
        member,
    ];
    (cells, object)
}

pub(super) async fn decide(command: &Decide, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    match command {
        Decide::Approve(command) => {
            let narrower = narrower(command, &session).await?;
            let granted = session
                .approve_request(&command.patient, &command.request, &narrower)
                .await?;
            say_granted(&granted, output);
        }
        Decide::Deny { patient, request } => {
            let receipt = session.deny_request(patient, request).await?;
            let id = hex::encode(request);
            output.say(
                &format!("request {id} denied"),
                &json!({ "request": id, "state": "denied", "signature": receipt.signature.to_string() }),
            );
        }
    }
    Ok(())
}

async fn narrower(command: &Approve, session: &super::caller::Here) -> Result<Narrower> {
    let expires = match command.lasts {
        Some(lasts) => Some(session.from_now(lasts).await?),
        None => None,
    };
    Ok(Narrower {
        classes: (!command.classes.is_empty()).then(|| class_mask(&command.classes)),
        rights: (!command.rights.is_empty()).then(|| command.rights.clone()),
        purposes: (!command.purposes.is_empty()).then(|| command.purposes.clone()),
        not_before: None,
        expires,
        uses: command.uses,
    })
}
