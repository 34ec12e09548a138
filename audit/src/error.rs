use chartseal_program::{log::ChainKind, seeds::Id};

/// Why a file is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("this is no audit file: it does not begin as one. Was another file meant, or was this one damaged?")]
    NotAnAudit,
    #[error(
        "the file says that it is of version {0}, which this release does not read: use a newer one, if it was not altered"
    )]
    Version(u16),
    #[error("the file is not as it was written ({0}): get it again from whoever wrote it")]
    Form(String),
    #[error(
        "the file's digest is not that of its content: it was damaged or altered; get it again from whoever wrote it"
    )]
    Digest,
    #[error("the file's signature is not by the key that it names: it was altered; ask whoever wrote it")]
    Signature,
    #[error("the file is not signed, so anybody can have written it: ask for one that is, or do not demand a signer")]
    Unsigned,
    #[error("the file is signed by {signer}, not by {demanded}")]
    OtherSigner { signer: String, demanded: String },
    #[error("the file is about program {program}, not about ours")]
    OtherProgram { program: String },
    #[error("the file does not have the chains that it must: {0}")]
    Chains(String),
    #[error("chain {} of {}, event {seq}: {what}", .kind.word(), hex::encode(.subject))]
    Event {
        kind: ChainKind,
        subject: Id,
        seq: u64,
        what: String,
    },
}
