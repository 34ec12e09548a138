//! Compares where the rows' chains stand with where the ledger has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chartseal_program::log::Chain;
use futures_util::StreamExt;

use super::{
    chains::Standing,
    report::{Behind, Finding, Findings, Problem},
};
use crate::{
    Error,
    decode::{Located, decode},
    source::{Delivered, Head, Listed, Listing, RpcSource},
};

/// How often the node is asked for what it may not list yet, and how long to wait in between.
pub(super) const ATTEMPTS: u32 = 5;
pub(super) const PATIENCE: Duration = Duration::from_millis(400);

/// A chain that is further on the ledger than in the rows.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    head: Head,
    ours: Chain,
}

impl Ahead {
    fn key(&self) -> Key {
        (self.head.kind, self.head.subject)
    }

    /// What it means where no transaction after the checkpoint explains it.
    pub(super) fn finding(&self) -> Finding {
        let missing = self.head.chain.seq - self.ours.seq;
        Finding {
            problem: Problem::Missing,
            table: "events".to_owned(),
            chain: Some(self.head.kind.word().to_owned()),
            subject: Some(hex::encode(self.head.subject)),
            seq: Some(self.ours.seq + 1),
            detail: format!(
                "the ledger's chain has {} events, the last {missing} are not here although the ledger was read beyond them",
                self.head.chain.seq
            ),
        }
    }
}

/// Compares all chains, and returns those that are further on the ledger.
pub(super) fn compare(ours: &Standing, heads: &[Head], findings: &mut Findings) -> Vec<Ahead> {
    let mut ahead = Vec::new();
    for head in heads {
        let chain = ours.get(&(head.kind, head.subject)).copied();
        let chain = chain.unwrap_or_else(|| Chain::begin(head.kind, &head.subject));
        if chain.seq < head.chain.seq {
            ahead.push(Ahead {
                head: *head,
                ours: chain,
            });
        } else if chain.seq > head.chain.seq {
            let detail = format!("the ledger's chain has {} events only", head.chain.seq);
            findings.about_event(Problem::Added, head.kind, &head.subject, head.chain.seq + 1, &detail);
        } else if chain.head != head.chain.head {
            let detail = "the chain ends with another hash than on the ledger";
            findings.about_event(Problem::Altered, head.kind, &head.subject, chain.seq, detail);
        }
    }
    let there: BTreeSet<_> = heads.iter().map(|head| (head.kind, head.subject)).collect();
    for ((kind, subject), _) in ours.iter().filter(|(key, _)| !there.contains(key)) {
        findings.about_event(Problem::Added, *kind, subject, 1, "the ledger has no such chain");
    }
    ahead.sort_by_key(|chain| (chain.head.kind, chain.head.subject));
    ahead
}

/// Follows the chains through the transactions that were not read yet, at last those that are not settled. Returns the chains
/// that do not reach their heads.
pub(super) async fn explain(
    ahead: &[Ahead],
    source: &RpcSource,
    tail: &Listing,
    behind: &mut Behind,
) -> Result<Vec<Ahead>, Error> {
    let mut events = events(source, &tail.settled).await?;
    let mut unexplained = Vec::new();
    for chain in ahead {
        if events.get(&chain.key()).is_some_and(|events| reaches(chain, events)) {
            let first = chain.ours.seq + 1;
            behind.add(chain.head.kind, &chain.head.subject, first, chain.head.chain.seq, 0);
        } else {
            unexplained.push(*chain);
        }
    }
    if unexplained.is_empty() || tail.pending.is_empty() {
        return Ok(unexplained);
    }
    let settled: BTreeMap<_, _> = events
        .iter()
        .filter_map(|(key, events)| Some((*key, events.last()?.event.link().seq)))
        .collect();
    for delivered in source.deliver_pending(&tail.pending).await? {
        collect(&mut events, delivered)?;
    }
    unexplained.retain(|chain| {
        if !events.get(&chain.key()).is_some_and(|events| reaches(chain, events)) {
            return true;
        }
        let (ours, goal) = (chain.ours.seq, chain.head.chain.seq);
        let settled = settled.get(&chain.key()).map_or(ours, |seq| ours.max(*seq));
        let unsettled = goal.saturating_sub(settled);
        behind.add(chain.head.kind, &chain.head.subject, ours + 1, goal, unsettled);
        false
    });
    Ok(unexplained)
}

type Key = (chartseal_program::log::ChainKind, chartseal_program::seeds::Id);
type ByChain = BTreeMap<Key, Vec<Located>>;

async fn events(source: &RpcSource, tail: &[Listed]) -> Result<ByChain, Error> {
    let mut events = ByChain::new();
    let mut delivered = std::pin::pin!(source.deliver(tail));
    while let Some(delivered) = delivered.next().await {
        collect(&mut events, delivered?)?;
    }
    Ok(events)
}

fn collect(events: &mut ByChain, delivered: Delivered) -> Result<(), Error> {
    let Some(transaction) = delivered.transaction else {
        return Ok(());
    };
    for located in decode(&transaction)?.events {
        let key = (located.event.chain(), located.event.link().subject);
        events.entry(key).or_default().push(located);
    }
    Ok(())
}

/// Whether these events lead from where our chain stands to its head on the ledger, or beyond it.
fn reaches(ahead: &Ahead, events: &[Located]) -> bool {
    let Head {
        kind,
        subject,
        chain: goal,
    } = ahead.head;
    let mut chain = ahead.ours;
    for located in events {
        let seq = located.event.link().seq;
        if seq <= chain.seq {
            continue;
        }
        match chain.follow(kind, &subject, seq, &located.bytes) {
            Some(next) => chain = next,
            None => return false,
        }
        if chain.seq == goal.seq {
            return chain == goal;
        }
    }
    false
}
