//! What strikes node, Postgres and indexer from outside. Most strikes last until they were felt: until the indexer could not
//! connect to a node that is away, could not write to a disk that is full, met every fault of an answer, or has stored
//! something of a block before that is dropped. An end of Postgres and `kill -9` come at a moment of chance, whatever the
//! indexer does just then, and are not waited for.

use std::time::Duration;

use anyhow::Result;

use super::{met::Kind, storm::Storm};
use crate::cluster::{End, connect};

/// What the indexer's log says where nobody listens at the node's address; a node that errs, lags or is back says otherwise.
const NOBODY_LISTENS: &str = "the RPC node does not answer as it should: error sending request";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    Kill,
    NodeAway,
    End(End),
    KillAndEnd,
    FillDisk,
    /// Every fault of an answer, once.
    BadAnswers,
    DropBlocks,
}

impl Strike {
    const EACH: [Self; 8] = [
        Self::Kill,
        Self::NodeAway,
        Self::End(End::Fast),
        Self::End(End::Immediate),
        Self::KillAndEnd,
        Self::FillDisk,
        Self::BadAnswers,
        Self::DropBlocks,
    ];
}

impl Storm {
    /// Every strike, in an order of the seed's.
    pub(super) fn each_once(&mut self) -> Vec<Strike> {
        let mut left = Strike::EACH.to_vec();
        if !self.can_fill_its_disk() {
            left.retain(|strike| *strike != Strike::FillDisk);
        }
        let mut order = Vec::new();
        while !left.is_empty() {
            let at = usize::try_from(self.dice.below(left.len() as u64)).unwrap_or(0);
            order.push(left.swap_remove(at));
        }
        order
    }

    /// Whatever comes.
    pub(super) fn any(&mut self) -> Strike {
        match self.dice.below(20) {
            0..=6 => Strike::Kill,
            7..=9 => Strike::NodeAway,
            10 => Strike::End(End::Fast),
            11..=12 => Strike::End(End::Immediate),
            13 => Strike::KillAndEnd,
            14..=15 => Strike::BadAnswers,
            16..=17 => Strike::DropBlocks,
            _ if self.can_fill_its_disk() => Strike::FillDisk,
            _ => Strike::Kill,
        }
    }

    /// It happens, after a while in which only the node errs.
    pub(super) fn strike(&mut self, what: Strike) -> Result<String> {
        std::thread::sleep(self.dice.pause(1_200));
        self.lives()?;
        let pause = self.dice.pause(1_500);
        Ok(match what {
            Strike::Kill => {
                self.kill_indexer()?;
                std::thread::sleep(pause / 4);
                self.start_indexer()?;
                "the indexer was killed".to_owned()
            }
            Strike::NodeAway => {
                self.node_away(pause)?;
                format!("the node was away for {pause:?}")
            }
            Strike::End(how) => {
                self.end_postgres(how, pause / 2)?;
                format!("Postgres ended ({how:?})")
            }
            Strike::KillAndEnd => {
                self.kill_indexer()?;
                self.cluster.end(End::Immediate)?;
                self.start_indexer()?;
                std::thread::sleep(pause / 2);
                self.cluster.restart()?;
                self.struck.count(Kind::Restarted);
                "the indexer was killed and started while Postgres was away".to_owned()
            }
            Strike::FillDisk => {
                self.fill_disk(pause)?;
                format!("Postgres had no room for {pause:?}")
            }
            Strike::BadAnswers => {
                self.node.owe_each_fault();
                self.wait("not every fault of an answer has struck", |storm| {
                    Ok(storm.node.owed().is_empty())
                })?;
                "the node's answers had every fault".to_owned()
            }
            Strike::DropBlocks => self.drop_blocks()?,
        })
    }

    fn node_away(&mut self, pause: Duration) -> Result<()> {
        self.node.leave();
        let said = self.said();
        self.wait("the indexer does not see that the node is away", |storm| {
            Ok(storm.has_said(NOBODY_LISTENS, said))
        })?;
        std::thread::sleep(pause);
        self.node.come_back()?;
        self.struck.count(Kind::NodeAway);
        Ok(())
    }

    fn end_postgres(&mut self, how: End, pause: Duration) -> Result<()> {
        self.cluster.end(how)?;
        std::thread::sleep(pause);
        self.cluster.restart()?;
        self.struck.count(Kind::Restarted);
        Ok(())
    }

    fn fill_disk(&mut self, pause: Duration) -> Result<()> {
        let said = self.said();
        self.disk.fill()?;
        // The server ends where it could not even go on with its own log.
        self.wait("the indexer can write although the disk is full", |storm| {
            Ok(storm.has_said("No space left on device", said) || storm.cluster.has_ended()?)
        })?;
        std::thread::sleep(pause);
        self.disk.clear()?;
        self.struck.count(Kind::DiskFull);
        self.wait("Postgres does not come back after its disk was full", |storm| {
            if storm.cluster.has_ended()? {
                storm.cluster.restart()?;
            }
            Ok(storm.runtime.block_on(connect(&storm.chaos)).is_ok())
        })
    }

    /// Time stands still before a branch dies, until the indexer has stored something of it; then it must take that back. Half
    /// of the time it does not run when the branch dies, and finds out afterwards.
    fn drop_blocks(&mut self) -> Result<String> {
        self.node.hold(true);
        self.wait("no branch dies", |storm| Ok(!storm.node.doomed().is_empty()))?;
        let doomed = self.node.doomed();
        self.wait("the indexer stores nothing of a branch", |storm| {
            Ok(storm.holds(&doomed).unwrap_or(false))
        })?;
        let is_asleep = self.dice.below(2) == 0;
        if is_asleep {
            self.kill_indexer()?;
        }
        self.node.hold(false);
        self.wait("the branch does not die", |storm| Ok(storm.node.doomed() != doomed))?;
        if is_asleep {
            self.start_indexer()?;
        }
        self.wait(
            "the indexer does not take back what it stored of a branch that died",
            |storm| Ok(!storm.holds(&doomed).unwrap_or(true)),
        )?;
        self.struck.count(Kind::DroppedBlock);
        let when = if is_asleep { ", after it was killed" } else { "" };
        Ok(format!(
            "the indexer took back what it had stored of a branch that died{when}"
        ))
    }

    /// Whether an event of these blocks is stored.
    fn holds(&self, blocks: &[[u8; 32]]) -> Result<bool> {
        let blocks: Vec<&[u8]> = blocks.iter().map(<[u8; 32]>::as_slice).collect();
        self.runtime.block_on(async {
            let mut connection = connect(&self.chaos).await?;
            let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM events WHERE blockhash = ANY($1))").bind(blocks);
            Ok(found.fetch_one(&mut connection).await?)
        })
    }
}
